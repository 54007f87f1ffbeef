/*
 * A member's state: counted, told of when it changes, and what the member's own
 * record makes of it.
 */
#include "gossip/node/node_internal.h"
#include "gossip/node/suspicion_internal.h"

static bool is_counted_alive(enum node_member_state state)
{
    return state == NODE_MEMBER_ALIVE || state == NODE_MEMBER_SUSPECT;
}

static bool is_counted_down(const struct peer *peer,
                            enum node_member_state state)
{
    return peer->certificate != NULL && !peer->is_self &&
           (state == NODE_MEMBER_DEAD || state == NODE_MEMBER_UNKNOWN);
}

static void count(struct node *node, const struct peer *peer,
                  enum node_member_state state, int by)
{
    size_t step = (size_t)(by < 0 ? -1 : 1); /* wraps on purpose */

    node->suspicions.n_alive += is_counted_alive(state) ? step : 0;
    node->suspicions.n_suspect += state == NODE_MEMBER_SUSPECT ? step : 0;
    node->suspicions.n_down += is_counted_down(peer, state) ? step : 0;
    node->suspicions.n_paused += state == NODE_MEMBER_PAUSED ? step : 0;
}

void suspicion_set_state(struct node *node, struct peer *peer,
                         enum node_member_state state,
                         struct node_actions *actions)
{
    enum node_member_state old_state = peer->member.state;
    struct node_action *action;

    if (state == old_state) {
        return;
    }
    count(node, peer, old_state, -1);
    count(node, peer, state, 1);
    peer->member.state = state;
    peer->member.state_since_ms = node->now_ms;
    if (state == NODE_MEMBER_DEAD) {
        node->counters.deaths++;
    }
    action = actions_add(actions, NODE_ACTION_MEMBER, NULL, 0);
    if (action != NULL) {
        memcpy(action->peer, peer->key, 32);
        action->old_state = old_state;
        action->new_state = state;
    }
}

const char *node_member_state_name(enum node_member_state state)
{
    static const char *const names[] = {
        [NODE_MEMBER_UNKNOWN] = "unknown", [NODE_MEMBER_ALIVE] = "alive",
        [NODE_MEMBER_SUSPECT] = "suspect", [NODE_MEMBER_DEAD] = "dead",
        [NODE_MEMBER_PAUSED] = "paused",   [NODE_MEMBER_LEFT] = "left",
        [NODE_MEMBER_REMOVED] = "removed",
    };

    return (size_t)state < ARRAY_SIZE(names) ? names[state] : "unknown";
}

/* Reserved by the callers, as in suspicion_set_state. */
void suspicion_set_reachable(struct peer *peer, bool is_reachable,
                             struct node_actions *actions)
{
    struct node_action *action;

    if (peer->member.is_reachable == is_reachable) {
        return;
    }
    peer->member.is_reachable = is_reachable;
    action = actions_add(actions, NODE_ACTION_REACHABLE, NULL, 0);
    if (action != NULL) {
        memcpy(action->peer, peer->key, 32);
    }
}

bool suspicion_is_departure(const struct record *record)
{
    struct body_member body;

    return record->kind == RECORD_MEMBER &&
           body_get_member(record, &body) == 0 &&
           body.state == BODY_MEMBER_LEFT;
}

static enum node_member_state stated(const struct node *node,
                                     const struct peer *peer)
{
    if (peer->is_self && node->own.phase != NODE_PHASE_READY) {
        return NODE_MEMBER_ALIVE; /* what an earlier run of ours said */
    }
    switch (peer->member.body.state) {
    case BODY_MEMBER_PAUSED:
        return NODE_MEMBER_PAUSED;
    case BODY_MEMBER_LEFT:
        return NODE_MEMBER_LEFT;
    default:
        return NODE_MEMBER_ALIVE;
    }
}

void suspicion_on_member(struct node *node, struct peer *peer,
                         const struct record *record,
                         struct node_actions *actions)
{
    uint32_t boot = (uint32_t)(record->order.epoch >> 32);
    enum node_member_state state;
    bool was_down = !is_counted_alive(peer->member.state);

    /* The rights were checked with this very decoder. */
    if (body_get_member(record, &peer->member.body) != 0) {
        return;
    }
    peer->member.has_body = true;
    peer->member.incarnation = record->order;
    peer->member.n_accusations = 0;
    peer->member.review_ms = NODE_NEVER;
    peer->probe.confirm_ms = NODE_NEVER;
    if (boot > peer->link.boot && !peer->is_self) {
        peer->link.boot = boot;
    }
    if (peer->member.body.state == BODY_MEMBER_LEFT ||
        peer->member.state == NODE_MEMBER_LEFT) {
        clash_touch(node);
    }
    state = stated(node, peer);
    if (state == NODE_MEMBER_PAUSED) {
        uint32_t pause_s =
            MIN_OF(peer->member.body.pause_s, node->tuning.pause_max_s);

        peer->member.paused_until_ms = node->now_ms + (uint64_t)pause_s * 1000;
    }
    suspicion_set_state(node, peer, state, actions);
    if (state == NODE_MEMBER_LEFT) {
        view_drop_member(node, peer, actions);
    }
    if (state == NODE_MEMBER_ALIVE && !peer->is_self && was_down) {
        /* It has just spoken: usable until a probe says otherwise, and that
         * probe is made soon. */
        peer->member.has_failed = false;
        peer->member.n_indirect = 0;
        suspicion_set_reachable(peer, true, actions);
        if (node->own.phase == NODE_PHASE_READY) {
            probe_confirm(
                node, peer,
                node->now_ms +
                    rng_below(&node->rng, node->tuning.probe_interval_ms));
        }
    }
}

void suspicion_removed(struct node *node, struct peer *peer,
                       struct node_actions *actions)
{
    peer->member.has_body = false;
    peer->member.n_accusations = 0;
    peer->member.review_ms = NODE_NEVER;
    peer->probe.confirm_ms = NODE_NEVER;
    suspicion_set_state(node, peer, NODE_MEMBER_REMOVED, actions);
    suspicion_set_reachable(peer, false, actions);
}
