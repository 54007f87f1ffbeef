/*
 * Member states.  A member is alive while its newest member record says so
 * and nobody accuses that incarnation; an accusation makes it suspect; it is
 * dead when the suspicion's time is over, our own probe of it failed, and
 * (from four members on) two members accuse it.  A newer member record clears
 * everything: only the accused can sign one.
 *
 * SWIM section 4.2 (suspicion, incarnation); Lifeguard section IV-B for the
 * time of a suspicion, which shrinks with independent confirmations.
 */
#include "gossip/node/node_internal.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

/* Independent confirmations after which the shortest time holds. */
#define SUSPICION_CONFIRMATIONS 1
/* From so many live members on, one accuser is not enough. */
#define SUSPICION_TWO_ACCUSERS_FROM 4
#define SUSPICION_ACCUSERS          2
/* Cut off: from so many members on, this share suspect at once. */
#define SUSPICION_CUT_OFF_FROM    8
#define SUSPICION_CUT_OFF_PERCENT 30

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

bool suspicion_is_departure(const struct record *record)
{
    struct body_member body;

    return record->kind == RECORD_MEMBER &&
           body_get_member(record, &body) == 0 &&
           body.state == BODY_MEMBER_LEFT;
}

/* Reserved by the callers, as in suspicion_set_state. */
static void set_reachable(struct peer *peer, bool is_reachable,
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

const struct accusation *suspicion_accusation(const struct peer *peer)
{
    return peer->member.n_accusations == 0 ? NULL
                                           : &peer->member.accusations[0];
}

bool node_is_cut_off(const struct node *node)
{
    return node->suspicions.n_alive >= SUSPICION_CUT_OFF_FROM &&
           node->suspicions.n_suspect * 100 >=
               node->suspicions.n_alive * SUSPICION_CUT_OFF_PERCENT;
}

/* --- The member's own word --------------------------------------------------
 */

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
        set_reachable(peer, true, actions);
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
    set_reachable(peer, false, actions);
}

/* --- Accusations ------------------------------------------------------------
 */

static bool has_accuser(const struct peer *peer, const struct peer *accuser)
{
    for (size_t i = 0; i < peer->member.n_accusations; i++) {
        if (peer->member.accusations[i].accuser == accuser) {
            return true;
        }
    }
    return false;
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
    if (peer->member.has_failed && !has_accuser(peer, node->self)) {
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

static void plan_review(struct node *node, struct peer *peer)
{
    if (peer->member.state == NODE_MEMBER_SUSPECT) {
        set_review(node, peer, review_at(node, peer));
    } else {
        peer->member.review_ms = NODE_NEVER;
    }
}

static uint64_t hash_of(const struct record *record)
{
    uint8_t id[RECORD_ID_SIZE];
    struct reader reader;

    record_id(record, id);
    reader = reader_init(id, 8);
    return reader_u64(&reader);
}

/* An accusation with the memory for all that follows from it. */
struct prepared {
    struct peer *accused;
    struct peer *accuser;
    uint8_t *news;
};

/* 0, or -ENOMEM with nothing to be undone. */
static int prepare(struct peer *accused, struct peer *accuser,
                   struct node_actions *actions, struct prepared *ret)
{
    if (accused->member.accusations == NULL) {
        accused->member.accusations =
            calloc(LIMIT_ACCUSERS, sizeof(accused->member.accusations[0]));
    }
    if (accused->member.accusations == NULL ||
        !actions_reserve(actions, 1, 0)) {
        return -ENOMEM;
    }
    *ret = (struct prepared){
        accused, accuser, malloc(sizeof(accused->member.accusations[0].bytes))};
    return ret->news == NULL ? -ENOMEM : 0;
}

/* Keeps the accusation, which fits, and passes it on. */
static void add_accusation(struct node *node, const struct prepared *prepared,
                           const struct record *record, struct peer *source)
{
    struct peer *accused = prepared->accused;
    struct accusation *accusation =
        &accused->member.accusations[accused->member.n_accusations++];

    accused->member.accused_ms = node->now_ms;
    *accusation = (struct accusation){
        .accuser = prepared->accuser,
        .incarnation = accused->member.incarnation,
        .hash = hash_of(record),
        .size = record->size,
    };
    memcpy(accusation->bytes, record->bytes, record->size);
    memcpy(prepared->news, record->bytes, record->size);
    spread_add(node, prepared->news, record->size, accusation->hash, source,
               true);
}

static bool can_be_suspected(const struct node *node, const struct peer *peer)
{
    return peer->member.state == NODE_MEMBER_ALIVE ||
           peer->member.state == NODE_MEMBER_SUSPECT ||
           (peer->member.state == NODE_MEMBER_PAUSED &&
            node->now_ms >= peer->member.paused_until_ms);
}

static void become_suspect(struct node *node, struct peer *peer,
                           struct node_actions *actions)
{
    if (!can_be_suspected(node, peer)) {
        return;
    }
    if (peer->member.state != NODE_MEMBER_SUSPECT) {
        node->counters.suspicions++;
        suspicion_set_state(node, peer, NODE_MEMBER_SUSPECT, actions);
    }
    plan_review(node, peer);
}

/* Signs an accusation of the peer's present incarnation and spreads it.  0 or
 * -ENOMEM. */
static int accuse(struct node *node, struct peer *peer,
                  struct node_actions *actions)
{
    struct body_accusation body = {.incarnation = peer->member.incarnation};
    uint8_t bytes[sizeof(peer->member.accusations[0].bytes)];
    uint8_t packed[64];
    struct prepared prepared;
    struct record record;
    size_t size;

    if (node->own.phase != NODE_PHASE_READY || !peer->member.has_body ||
        has_accuser(peer, node->self) ||
        peer->member.n_accusations >= SUSPICION_ACCUSERS ||
        body_put_accusation(&body, packed, sizeof(packed), &size) != 0) {
        return 0;
    }
    if (prepare(peer, node->self, actions, &prepared) != 0) {
        return -ENOMEM;
    }
    size = own_sign(node, RECORD_ACCUSATION, peer->key, 32, packed, size, bytes,
                    sizeof(bytes));
    if (record_parse(bytes, size, &record) != 0) { /* also of nothing */
        free(prepared.news);
        return 0;
    }
    add_accusation(node, &prepared, &record, NULL);
    become_suspect(node, peer, actions);
    return 0;
}

static void refute(struct node *node, struct node_actions *actions)
{
    if (node->own.is_member_pending || node->own.is_twin ||
        node->own.phase != NODE_PHASE_READY ||
        node->own.state == BODY_MEMBER_LEFT) {
        return;
    }
    node->counters.refutations++;
    /* Others had reason to doubt us: be slower to doubt them (Lifeguard). */
    node->probes.health = MIN_OF(node->probes.health + 1, 8u);
    own_refute(node, actions);
}

/* Who passes an old accusation on has missed the refutation, and would hold
 * the accused for dead soon. */
static void tell_refutation(struct node *node, const struct peer *accused,
                            struct peer *source, struct node_actions *actions)
{
    const struct entry *entry = accused->records.member_entry;
    struct outgoing outgoing;

    if (source != NULL && entry != NULL &&
        outgoing_begin(&outgoing, node, source, actions)) {
        message_put_record(&outgoing.writer, entry->bytes, entry->record.size);
        outgoing_flush(&outgoing);
    }
}

int suspicion_on_accusation(struct node *node, const struct record *record,
                            const struct view_offer *offer,
                            struct node_actions *actions)
{
    struct peer *source = offer->source;
    int result;
    struct peer *accuser = peers_find(node, record->writer);
    struct peer *accused;
    struct body_accusation body;
    struct prepared prepared;

    if (memcmp(record->cluster, node->cluster, RECORD_CLUSTER_SIZE) != 0) {
        node->counters.refused_cluster++;
        return VIEW_REFUSED;
    }
    if (accuser == NULL) {
        node->counters.refused_writer++;
        return VIEW_REFUSED;
    }
    if (record->key_size != 32 || rights_check(node, accuser, record) != 0) {
        return VIEW_REFUSED;
    }
    accused = peers_find(node, record->key);
    if (accused == NULL || accused == accuser || !accused->member.has_body ||
        record->size > sizeof(accused->member.accusations[0].bytes) ||
        body_get_accusation(record, &body) != 0) {
        node->counters.refused_body++;
        return VIEW_REFUSED;
    }
    /* Only the incarnation that the accused itself signed last. */
    if (record_order_compare(body.incarnation, accused->member.incarnation) !=
        0) {
        node->counters.refused_old++;
        if (record_order_compare(body.incarnation,
                                 accused->member.incarnation) < 0) {
            tell_refutation(node, accused, source, actions);
        }
        return VIEW_REFUSED;
    }
    if (has_accuser(accused, accuser) ||
        accused->member.n_accusations == LIMIT_ACCUSERS) {
        node->counters.records_known++;
        return VIEW_KNOWN;
    }
    result = view_check_signature(node, accuser, offer, record);
    if (result != VIEW_ACCEPTED) {
        return result;
    }
    if (prepare(accused, accuser, actions, &prepared) != 0) {
        return -ENOMEM;
    }
    add_accusation(node, &prepared, record, source);
    node->counters.records_accepted++;
    if (accused->is_self) {
        refute(node, actions);
        return VIEW_ACCEPTED;
    }
    become_suspect(node, accused, actions);
    if (!accused->member.has_failed &&
        accused->member.state == NODE_MEMBER_SUSPECT) {
        probe_confirm(
            node, accused,
            node->now_ms +
                rng_below(&node->rng, node->tuning.probe_interval_ms / 2));
    }
    return VIEW_ACCEPTED;
}

/* --- Our own probes ---------------------------------------------------------
 */

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
        set_reachable(peer, false, actions);
        if (can_be_suspected(node, peer)) {
            if (is_new && node->suspicions.n_alive >= SUSPICION_CUT_OFF_FROM) {
                probe_look_around(node, peer);
            }
            if (accuse(node, peer, actions) != 0) {
                probe_confirm(node, peer, node->now_ms); /* as above */
            }
            plan_review(node, peer);
        }
        return;
    }
    peer->member.has_failed = false;
    peer->member.n_indirect =
        result == PROBE_ANSWERED ? 0 : peer->member.n_indirect + 1;
    /* One lost packet must not move traffic: three in a row mean that the
     * direct way is cut. */
    if (peer->member.n_indirect == 0 || peer->member.n_indirect >= 3) {
        set_reachable(peer, peer->member.n_indirect == 0, actions);
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
        (void)accuse(node, peer, actions); /* else at the next review */
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
