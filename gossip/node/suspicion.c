/*
 * Member states.  A member is alive while its newest member record says so
 * and nobody accuses that incarnation; an accusation makes it suspect; it is
 * dead when the suspicion's time is over, our own probe of it failed, and
 * (from four members on) two members accuse it.  A newer member record clears
 * everything: only the accused can sign one.  Here a suspicion is judged, by
 * our own probes and its time; suspicion_accusation.c has the accusations,
 * suspicion_state.c the states and the member's own word.
 *
 * SWIM section 4.2 (suspicion, incarnation); Lifeguard section IV-B for the
 * time of a suspicion, which shrinks with independent confirmations.
 */
#include "gossip/node/node_internal.h"
#include "gossip/node/suspicion_internal.h"

#include <math.h>

/* Independent confirmations after which the shortest time holds. */
#define SUSPICION_CONFIRMATIONS 1
/* From so many live members on, one accuser is not enough. */
#define SUSPICION_TWO_ACCUSERS_FROM 4
/* Cut off: from so many members on, this share suspect at once. */
#define SUSPICION_CUT_OFF_FROM    8
#define SUSPICION_CUT_OFF_PERCENT 30

bool node_is_cut_off(const struct node *node)
{
    return node->suspicions.n_alive >= SUSPICION_CUT_OFF_FROM &&
           node->suspicions.n_suspect * 100 >=
               node->suspicions.n_alive * SUSPICION_CUT_OFF_PERCENT;
}

/* Time of the suspicion with what is known now. */
static uint64_t suspicion_ms(const struct node *node, const struct peer *peer)
{
    double n = (double)MAX_OF(node->suspicions.n_alive, (size_t)1);
    double min_ms = (double)node->tuning.suspicion_mult * fmax(1.0, log10(n)) *
                    (double)node->tuning.probe_interval_ms;
    double max_ms = min_ms * (double)node->tuning.suspicion_max_mult;
    size_t voices = peer->member.n_accusations;
    double share;

    /* Our own failed probe is a confirmation like an accuser's. */
    if (peer->member.has_failed && !suspicion_has_accuser(peer, node->self)) {
        voices++;
    }
    /* The first voice made the suspicion; the others confirm it. */
    share = voices <= 1 ? 0.0
                        : log((double)voices) /
                              log((double)SUSPICION_CONFIRMATIONS + 1.0);
    return (uint64_t)fmax(min_ms, max_ms - (max_ms - min_ms) * share);
}

static void set_review(struct node *node, struct peer *peer, uint64_t at_ms)
{
    peer->member.review_ms = at_ms;
    node->suspicions.review_ms = MIN_OF(node->suspicions.review_ms, at_ms);
}

/* When the suspicion's time is over.  Each accusation, our own too, leaves
 * time for an answer to it. */
static uint64_t review_at(const struct node *node, const struct peer *peer)
{
    return MAX_OF(peer->member.state_since_ms + suspicion_ms(node, peer),
                  peer->member.accused_ms + node->tuning.probe_timeout_ms);
}

void suspicion_plan_review(struct node *node, struct peer *peer)
{
    if (peer->member.state == NODE_MEMBER_SUSPECT) {
        set_review(node, peer, review_at(node, peer));
    } else {
        peer->member.review_ms = NODE_NEVER;
    }
}

bool suspicion_is_possible(const struct node *node, const struct peer *peer)
{
    return peer->member.state == NODE_MEMBER_ALIVE ||
           peer->member.state == NODE_MEMBER_SUSPECT ||
           (peer->member.state == NODE_MEMBER_PAUSED &&
            node->now_ms >= peer->member.paused_until_ms);
}

void suspicion_on_probe(struct node *node, struct peer *peer,
                        enum probe_result result, struct node_actions *actions)
{
    if (!actions_reserve(actions, 1, 0)) {
        /* Another probe, soon, says the same. */
        probe_confirm(node, peer, node->now_ms);
        return;
    }
    if (result == PROBE_FAILED) {
        bool is_new = !peer->member.has_failed;

        peer->member.has_failed = true;
        suspicion_set_reachable(peer, false, actions);
        if (suspicion_is_possible(node, peer)) {
            if (is_new && node->suspicions.n_alive >= SUSPICION_CUT_OFF_FROM) {
                probe_look_around(node, peer);
            }
            if (suspicion_accuse(node, peer, actions) != 0) {
                probe_confirm(node, peer, node->now_ms); /* as above */
            }
            suspicion_plan_review(node, peer);
        }
        return;
    }
    peer->member.has_failed = false;
    peer->member.n_indirect =
        result == PROBE_ANSWERED ? 0 : peer->member.n_indirect + 1;
    /* One lost packet must not move traffic: three in a row mean that the
     * direct way is cut. */
    if (peer->member.n_indirect == 0 || peer->member.n_indirect >= 3) {
        suspicion_set_reachable(peer, peer->member.n_indirect == 0, actions);
    }
    if (peer->member.state == NODE_MEMBER_SUSPECT) {
        uint64_t at_ms = review_at(node, peer);

        /* One who answers but cannot refute stays suspect past the time: it is
         * looked at again after an interval, and not at once, which is as
         * often as it answers. */
        set_review(node, peer,
                   at_ms > node->now_ms
                       ? at_ms
                       : node->now_ms + node->tuning.probe_interval_ms);
    }
}

static void judge(struct node *node, struct peer *peer,
                  struct node_actions *actions)
{
    size_t wanted = node->suspicions.n_alive >= SUSPICION_TWO_ACCUSERS_FROM
                        ? SUSPICION_ACCUSERS
                        : 1;
    bool is_cut_off = node_is_cut_off(node);
    bool has_failed;

    if (is_cut_off) {
        node->suspicions.cut_off_ms = node->now_ms;
    }
    /* When the way is open again, a failure from before says nothing. */
    has_failed =
        peer->member.has_failed &&
        (is_cut_off || peer->member.failed_ms > node->suspicions.cut_off_ms);
    if (has_failed && peer->member.n_accusations >= wanted && !is_cut_off &&
        actions_reserve(actions, 1, 0)) {
        suspicion_set_state(node, peer, NODE_MEMBER_DEAD, actions);
        peer->member.review_ms = NODE_NEVER;
        return;
    }
    if (!has_failed) {
        probe_confirm(node, peer, node->now_ms);
    } else {
        (void)suspicion_accuse(node, peer,
                               actions); /* else at the next review */
    }
    set_review(node, peer, node->now_ms + node->tuning.probe_interval_ms);
}

void suspicion_tick(struct node *node, struct node_actions *actions)
{
    if (node->suspicions.n_suspect == 0 ||
        node->now_ms < node->suspicions.review_ms) {
        return;
    }
    node->suspicions.review_ms = NODE_NEVER;
    for (size_t i = 0; i < node->peers.n; i++) {
        struct peer *peer = node->peers.all[i];

        if (peer->member.state != NODE_MEMBER_SUSPECT || peer->is_self) {
            continue;
        }
        if (node->now_ms >= peer->member.review_ms) {
            judge(node, peer, actions);
        } else {
            set_review(node, peer, peer->member.review_ms);
        }
    }
}

uint64_t suspicion_deadline(const struct node *node)
{
    return node->suspicions.n_suspect == 0 ? NODE_NEVER
                                           : node->suspicions.review_ms;
}
