/*
 * Failure detection by probing: SWIM (Das, Gupta, Motivala, DSN 2002) with
 * Lifeguard's local health (Dadgar, Phillips, Currey, arXiv 1707.00788).
 * One member per interval in shuffled rounds; a ping, after the estimated
 * round-trip time a second one together with requests to helpers, then more
 * at doubling distances; whoever answers none has failed this probe.  What
 * follows from that is suspicion.c's.  Here a probe begins, goes on and ends;
 * whom it is of is probe_choose.c's, what is answered probe_answer.c's, and
 * pings for others are probe_relay.c's.
 */
#include "gossip/node/node_internal.h"
#include "gossip/node/probe_internal.h"

#include <sodium.h>

#define PROBE_HEALTH_MAX 8
/* Estimated round-trip times are kept within these. */
#define PROBE_RTO_MIN_MS 20

uint64_t probe_interval(const struct node *node)
{
    return (uint64_t)node->tuning.probe_interval_ms * (node->probes.health + 1);
}

/* Retransmission timeout, RFC 6298 section 2, bounded by the tuning.  For a
 * peer not measured yet, what is usual here: a try too many costs little, one
 * too few looks like a failure. */
static uint64_t timeout(const struct node *node, const struct peer *peer)
{
    const struct rtt *rtt =
        peer->probe.rtt.us != 0 ? &peer->probe.rtt : &node->probes.rtt;
    uint64_t rto = node->tuning.probe_timeout_ms;

    if (rtt->us != 0) {
        rto = (rtt->us + 4 * (uint64_t)rtt->var_us) / 1000 + 1;
        rto = MAX_OF(rto, (uint64_t)PROBE_RTO_MIN_MS);
        rto = MIN_OF(rto, (uint64_t)node->tuning.probe_timeout_ms);
    }
    return rto * (node->probes.health + 1);
}

static void worsen_health(struct node *node, unsigned by)
{
    node->probes.health =
        MIN_OF(node->probes.health + by, (unsigned)PROBE_HEALTH_MAX);
}

uint16_t probe_next_nonce(struct node *node)
{
    node->probes.nonce++;
    return node->probes.nonce;
}

/* Never the same, and not to be foreseen: who could have had an answer made
 * beforehand could show it after the target's death. */
static uint64_t next_challenge(struct node *node)
{
    uint8_t seed[16];
    uint8_t hash[16];
    struct writer writer = writer_init(seed, sizeof(seed));
    struct reader reader = reader_init(hash, sizeof(hash));

    writer_u64(&writer, node->own.epoch);
    writer_u64(&writer, ++node->probes.n_challenges);
    /* Cannot fail: the sizes are constants within BLAKE2b's range. */
    (void)crypto_generichash(hash, sizeof(hash), seed, sizeof(seed),
                             node->exchange_secret,
                             sizeof(node->exchange_secret));
    return reader_u64(&reader);
}

/* For us, or for the asker of `relay`. */
void probe_send_ping(struct node *node, struct peer *peer, uint16_t nonce,
                     const struct relay *relay, struct node_actions *actions)
{
    const struct accusation *accusation = suspicion_accusation(peer);
    struct outgoing outgoing;

    if (!outgoing_begin(&outgoing, node, peer, actions)) {
        return;
    }
    if (relay == NULL) {
        message_put_ping(&outgoing.writer, MESSAGE_PING, nonce,
                         node->view.fingerprint);
    } else {
        message_put_ping_for(&outgoing.writer, nonce, node->view.fingerprint,
                             relay->asker->id, relay->challenge);
    }
    /* Lifeguard's buddy: the suspected hears of it first. */
    if (accusation != NULL && peer->member.state != NODE_MEMBER_ALIVE) {
        message_put_record(&outgoing.writer, accusation->bytes,
                           accusation->size);
    }
    spread_piggyback(&outgoing);
    outgoing_flush(&outgoing);
}

static void send_requests(struct node *node, struct probe *probe,
                          struct node_actions *actions)
{
    struct peer *helpers[PROBE_HELPERS_MAX];
    size_t n =
        MIN_OF((size_t)node->tuning.indirect_probes, ARRAY_SIZE(helpers));
    struct outgoing outgoing;

    n = peers_random(node, helpers, n, probe->peer);
    for (size_t i = 0; i < n; i++) {
        if (outgoing_begin(&outgoing, node, helpers[i], actions)) {
            message_put_ping_req(&outgoing.writer, probe->nonce,
                                 probe->peer->id, probe->challenge);
            outgoing_flush(&outgoing);
            probe->helpers[probe->n_asked++] = helpers[i];
            node->counters.probes_indirect++;
        }
    }
}

static void probe_begin(struct node *node, struct peer *peer,
                        struct node_actions *actions)
{
    for (size_t i = 0; i < LIMIT_PROBES; i++) {
        struct probe *probe = &node->probes.probes[i];

        if (probe->peer != NULL) {
            continue;
        }
        *probe = (struct probe){
            .peer = peer,
            .nonce = probe_next_nonce(node),
            .challenge = next_challenge(node),
            .incarnation = peer->member.incarnation,
            .started_ms = node->now_ms,
            .sent_ms = node->now_ms,
            .next_ms = node->now_ms + timeout(node, peer),
            .end_ms = node->now_ms + probe_interval(node),
            .stage = 1,
        };
        peer->probe.is_probed = true;
        peer->probe.confirm_ms = NODE_NEVER;
        node->counters.probes++;
        probe_send_ping(node, peer, probe->nonce, NULL, actions);
        return;
    }
}

void probe_end(struct node *node, struct probe *probe, enum probe_result result,
               struct node_actions *actions)
{
    struct peer *peer = probe->peer;
    unsigned missing = probe->n_asked - MIN_OF(probe->n_nacks, probe->n_asked);

    probe->peer = NULL;
    peer->probe.is_probed = false;
    if (result != PROBE_FAILED) {
        if (node->probes.health > 0) {
            node->probes.health--;
        }
    } else {
        node->counters.probes_failed++;
        peer->member.failed_ms = probe->started_ms;
        /* Only missing answers of helpers tell something about ourselves;
         * without helpers a failed probe does, unless the peer is known to
         * be down. */
        if (probe->n_asked > 0) {
            worsen_health(node, missing > 0 ? 1 : 0);
        } else if (peer->member.state == NODE_MEMBER_ALIVE &&
                   node->suspicions.n_alive > 2) {
            worsen_health(node, 1);
        }
    }
    suspicion_on_probe(node, peer, result, actions);
}

bool probe_is_down(const struct peer *peer)
{
    return !peer->is_self && peer->certificate != NULL &&
           (peer->member.state == NODE_MEMBER_DEAD ||
            peer->member.state == NODE_MEMBER_UNKNOWN);
}

static void step_probe(struct node *node, struct probe *probe,
                       struct node_actions *actions)
{
    if (node->now_ms >= probe->end_ms) {
        /* Who signed something new meanwhile lives, whatever was lost. */
        probe_end(node, probe,
                  record_order_compare(probe->peer->member.incarnation,
                                       probe->incarnation) > 0
                      ? PROBE_INDIRECT
                      : PROBE_FAILED,
                  actions);
        return;
    }
    if (node->now_ms < probe->next_ms) {
        return;
    }
    probe_send_ping(node, probe->peer, probe->nonce, NULL, actions);
    if (probe_is_down(probe->peer)) {
        /* Two tries: nothing follows from another failure. */
        probe->next_ms = probe->end_ms;
        return;
    }
    if (probe->stage == 1) {
        send_requests(node, probe, actions);
    }
    /* Doubling, RFC 6298 section 5.5, as long as an answer could be in time:
     * on a network that loses much, one probe is many tries. */
    probe->next_ms += timeout(node, probe->peer) << probe->stage;
    probe->stage++;
    if (probe->next_ms + timeout(node, probe->peer) > probe->end_ms) {
        probe->next_ms = probe->end_ms;
    }
}

/* Probes that were asked for out of turn.  A peer that is being probed
 * already needs no other probe. */
static void confirm_due(struct node *node, struct node_actions *actions)
{
    uint64_t next_ms = NODE_NEVER;

    for (size_t i = 0; i < node->peers.n; i++) {
        struct peer *peer = node->peers.all[i];

        if (peer->probe.confirm_ms <= node->now_ms) {
            peer->probe.confirm_ms = NODE_NEVER;
            if (!peer->probe.is_probed) {
                probe_begin(node, peer, actions);
            }
        }
        next_ms = MIN_OF(next_ms, peer->probe.confirm_ms);
    }
    node->probes.confirm_ms = next_ms;
}

static uint64_t probe_down_interval(const struct node *node)
{
    return node->suspicions.n_down <= 4
               ? MIN_OF(node->tuning.dead_probe_ms, 2000u)
               : node->tuning.dead_probe_ms;
}

void probe_start(struct node *node)
{
    /* Not everybody at once after a common power cut. */
    node->probes.next_ms =
        node->now_ms + rng_below(&node->rng, node->tuning.probe_interval_ms);
    node->probes.next_down_ms =
        node->now_ms + rng_below(&node->rng, probe_down_interval(node));
}

void probe_tick(struct node *node, struct node_actions *actions)
{
    for (size_t i = 0; i < LIMIT_PROBES; i++) {
        if (node->probes.probes[i].peer != NULL) {
            step_probe(node, &node->probes.probes[i], actions);
        }
    }
    probe_relay_tick(node, actions);
    if (node->now_ms >= node->probes.confirm_ms) {
        confirm_due(node, actions);
    }
    if (node->now_ms >= node->probes.next_ms) {
        struct peer *peer = probe_choose(node);

        if (peer != NULL) {
            probe_begin(node, peer, actions);
        }
        node->probes.next_ms = node->now_ms + probe_interval(node);
    }
    if (node->suspicions.n_down > 0 &&
        node->now_ms >= node->probes.next_down_ms) {
        struct peer *peer = probe_choose_down(node);

        if (peer != NULL) {
            probe_begin(node, peer, actions);
        }
        node->probes.next_down_ms = node->now_ms + probe_down_interval(node);
    }
}

uint64_t probe_deadline(const struct node *node)
{
    uint64_t deadline = node->suspicions.n_alive + node->suspicions.n_paused > 1
                            ? node->probes.next_ms
                            : NODE_NEVER;

    if (node->suspicions.n_down > 0) {
        deadline = MIN_OF(deadline, node->probes.next_down_ms);
    }
    for (size_t i = 0; i < LIMIT_PROBES; i++) {
        const struct probe *probe = &node->probes.probes[i];

        if (probe->peer != NULL) {
            deadline = MIN_OF(deadline, MIN_OF(probe->next_ms, probe->end_ms));
        }
    }
    return MIN_OF(MIN_OF(deadline, node->probes.confirm_ms),
                  probe_relay_deadline(node));
}
