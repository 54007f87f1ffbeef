/*
 * Failure detection by probing: SWIM (Das, Gupta, Motivala, DSN 2002) with
 * Lifeguard's local health (Dadgar, Phillips, Currey, arXiv 1707.00788).
 * One member per interval in shuffled rounds; a ping, after the estimated
 * round-trip time a second one together with requests to helpers, then more
 * at doubling distances; whoever answers none has failed this probe.  What
 * follows from that is suspicion.c's.
 *
 * What a helper passes on proves itself: the target answers our challenge with
 * the key that it has with us.  Without that any member could keep a dead one
 * alive.
 */
#include "gossip/node/node_internal.h"

#include <sodium.h>

#define PROBE_HEALTH_MAX 8
/* Estimated round-trip times are kept within these. */
#define PROBE_RTO_MIN_MS 20

/* A helper says that the target did not answer it after this share of the
 * probe's time, so that the asker learns that the helper lives. */
#define PROBE_NACK_PERCENT 80

static uint64_t interval(const struct node *node)
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

static uint16_t next_nonce(struct node *node)
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
static void send_ping(struct node *node, struct peer *peer, uint16_t nonce,
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

static void begin(struct node *node, struct peer *peer,
                  struct node_actions *actions)
{
    for (size_t i = 0; i < LIMIT_PROBES; i++) {
        struct probe *probe = &node->probes.probes[i];

        if (probe->peer != NULL) {
            continue;
        }
        *probe = (struct probe){
            .peer = peer,
            .nonce = next_nonce(node),
            .challenge = next_challenge(node),
            .incarnation = peer->member.incarnation,
            .started_ms = node->now_ms,
            .sent_ms = node->now_ms,
            .next_ms = node->now_ms + timeout(node, peer),
            .end_ms = node->now_ms + interval(node),
            .stage = 1,
        };
        peer->probe.is_probed = true;
        peer->probe.confirm_ms = NODE_NEVER;
        node->counters.probes++;
        send_ping(node, peer, probe->nonce, NULL, actions);
        return;
    }
}

static void end(struct node *node, struct probe *probe,
                enum probe_result result, struct node_actions *actions)
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

static bool is_down(const struct peer *peer)
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
        end(node, probe,
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
    send_ping(node, probe->peer, probe->nonce, NULL, actions);
    if (is_down(probe->peer)) {
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

/* --- Whom to probe ---------------------------------------------------------
 */

static bool is_regular(const struct node *node, const struct peer *peer)
{
    return !peer->is_self && !peer->probe.is_probed &&
           (peer->member.state == NODE_MEMBER_ALIVE ||
            peer->member.state == NODE_MEMBER_SUSPECT ||
            (peer->member.state == NODE_MEMBER_PAUSED &&
             node->now_ms >= peer->member.paused_until_ms));
}

/* A new round in a new order; members that came since are in it. */
static bool shuffle(struct node *node)
{
    struct peer **order =
        reallocarray(node->probes.order, node->peers.n, sizeof(struct peer *));

    if (order == NULL) {
        return false;
    }
    node->probes.order = order;
    memcpy(order, node->peers.all, node->peers.n * sizeof(struct peer *));
    node->probes.n_order = node->peers.n;
    node->probes.order_index = 0;
    for (size_t i = node->probes.n_order; i > 1; i--) {
        size_t j = (size_t)rng_below(&node->rng, i);
        struct peer *swap = order[i - 1];

        order[i - 1] = order[j];
        order[j] = swap;
    }
    return true;
}

static struct peer *next_regular(struct node *node)
{
    for (size_t tried = 0; tried <= node->peers.n; tried++) {
        if (node->probes.order_index >= node->probes.n_order &&
            !shuffle(node)) {
            return NULL;
        }
        if (node->probes.n_order == 0) {
            return NULL;
        }
        struct peer *peer = node->probes.order[node->probes.order_index++];

        if (is_regular(node, peer)) {
            return peer;
        }
    }
    return NULL;
}

/* Down members are probed for ever, one at a time: that is how a healed
 * partition is noticed. */
static void probe_down(struct node *node, struct node_actions *actions)
{
    uint64_t wanted =
        rng_below(&node->rng, MAX_OF(node->suspicions.n_down, 1u));

    for (size_t i = 0; i < node->peers.n; i++) {
        struct peer *peer = node->peers.all[i];

        if (is_down(peer) && !peer->probe.is_probed && wanted-- == 0) {
            begin(node, peer, actions);
            return;
        }
    }
}

static uint64_t down_interval(const struct node *node)
{
    return node->suspicions.n_down <= 4
               ? MIN_OF(node->tuning.dead_probe_ms, 2000u)
               : node->tuning.dead_probe_ms;
}

void probe_confirm(struct node *node, struct peer *peer, uint64_t at_ms)
{
    peer->probe.confirm_ms = MIN_OF(peer->probe.confirm_ms, at_ms);
    node->probes.confirm_ms = MIN_OF(node->probes.confirm_ms, at_ms);
}

void probe_look_around(struct node *node, const struct peer *except)
{
    struct peer *peers[LIMIT_PROBES - 4];
    size_t n;

    if (node->probes.looked_ms != 0 &&
        node->now_ms - node->probes.looked_ms < interval(node)) {
        return;
    }
    node->probes.looked_ms = node->now_ms;
    n = peers_random(node, peers, ARRAY_SIZE(peers), except);
    for (size_t i = 0; i < n; i++) {
        probe_confirm(
            node, peers[i],
            node->now_ms +
                rng_below(&node->rng, node->tuning.probe_interval_ms / 4));
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
                begin(node, peer, actions);
            }
        }
        next_ms = MIN_OF(next_ms, peer->probe.confirm_ms);
    }
    node->probes.confirm_ms = next_ms;
}

void probe_start(struct node *node)
{
    /* Not everybody at once after a common power cut. */
    node->probes.next_ms =
        node->now_ms + rng_below(&node->rng, node->tuning.probe_interval_ms);
    node->probes.next_down_ms =
        node->now_ms + rng_below(&node->rng, down_interval(node));
}

/* Tells the asker what became of the ping made for it: the target's proof, or
 * NULL. */
static void end_relay(struct node *node, struct relay *relay,
                      const uint8_t *proof, struct node_actions *actions)
{
    struct outgoing outgoing;

    if (proof == NULL) {
        transport_answer(node, relay->asker, 0);
    }
    if (outgoing_begin(&outgoing, node, relay->asker, actions)) {
        if (proof != NULL) {
            /* The fingerprint of a relayed answer is our own. */
            message_put_proof(&outgoing.writer, relay->asker_nonce,
                              node->view.fingerprint, proof);
        } else {
            message_put_nack(&outgoing.writer, relay->asker_nonce);
        }
        outgoing_flush(&outgoing);
    }
    if (proof == NULL) {
        transport_answer(node, NULL, 0);
    }
    relay->target = NULL;
}

void probe_tick(struct node *node, struct node_actions *actions)
{
    for (size_t i = 0; i < LIMIT_PROBES; i++) {
        if (node->probes.probes[i].peer != NULL) {
            step_probe(node, &node->probes.probes[i], actions);
        }
    }
    for (size_t i = 0; i < LIMIT_RELAYS; i++) {
        struct relay *relay = &node->probes.relays[i];

        if (relay->target != NULL && node->now_ms >= relay->end_ms) {
            end_relay(node, relay, NULL, actions);
        }
    }
    if (node->now_ms >= node->probes.confirm_ms) {
        confirm_due(node, actions);
    }
    if (node->now_ms >= node->probes.next_ms) {
        struct peer *peer = next_regular(node);

        if (peer != NULL) {
            begin(node, peer, actions);
        }
        node->probes.next_ms = node->now_ms + interval(node);
    }
    if (node->suspicions.n_down > 0 &&
        node->now_ms >= node->probes.next_down_ms) {
        probe_down(node, actions);
        node->probes.next_down_ms = node->now_ms + down_interval(node);
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
    for (size_t i = 0; i < LIMIT_RELAYS; i++) {
        if (node->probes.relays[i].target != NULL) {
            deadline = MIN_OF(deadline, node->probes.relays[i].end_ms);
        }
    }
    return MIN_OF(deadline, node->probes.confirm_ms);
}

/* --- Messages --------------------------------------------------------------
 */

static void note_rtt(struct rtt *rtt, uint32_t sample_us)
{
    uint32_t error_us;

    if (rtt->us == 0) {
        rtt->us = sample_us;
        rtt->var_us = sample_us / 2;
        return;
    }
    error_us = sample_us > rtt->us ? sample_us - rtt->us : rtt->us - sample_us;
    rtt->var_us = (uint32_t)((3ull * rtt->var_us + error_us) / 4);
    rtt->us = (uint32_t)((7ull * rtt->us + sample_us) / 8);
}

static void note_answer(struct node *node, struct peer *peer, uint64_t sent_ms)
{
    uint64_t sample_us = (node->now_ms - sent_ms) * 1000;
    /* The clock ticks in ms: half of one is the best guess below it. */
    uint32_t sample =
        (uint32_t)MIN_OF(MAX_OF(sample_us, (uint64_t)500), (uint64_t)60000000);

    note_rtt(&peer->probe.rtt, sample);
    note_rtt(&node->probes.rtt, sample);
}

/* The answer to a ping made for another is of use to that one alone, and only
 * with a proof for it; without the asker's key there is none. */
static bool prove(struct node *node, const struct message *message,
                  uint8_t ret[PACKET_PROOF_SIZE])
{
    struct peer *asker = peers_find_id(node, message->asker_id);
    struct packet_context context = {.cluster = node->cluster,
                                     .source = node->self->key};

    if (!message->has_asker || asker == NULL || asker->is_self ||
        !peers_need_keys(node, asker)) {
        return false;
    }
    context.destination = asker->key;
    packet_prove(&context, &asker->link.keys, message->challenge, ret);
    return true;
}

void probe_on_ping(struct node *node, struct peer *peer,
                   const struct message *message, struct node_actions *actions)
{
    uint8_t proof[PACKET_PROOF_SIZE];
    struct outgoing outgoing;

    if (outgoing_begin(&outgoing, node, peer, actions)) {
        if (prove(node, message, proof)) {
            message_put_proof(&outgoing.writer, message->nonce,
                              node->view.fingerprint, proof);
        } else {
            message_put_ping(&outgoing.writer, MESSAGE_ACK, message->nonce,
                             node->view.fingerprint);
        }
        spread_piggyback(&outgoing);
        outgoing_flush(&outgoing);
    }
    /* Somebody we hold for down speaks: it shall know, and refute. */
    if ((peer->member.state == NODE_MEMBER_DEAD ||
         peer->member.state == NODE_MEMBER_SUSPECT) &&
        node->now_ms - peer->probe.nudge_ms >= node->tuning.probe_interval_ms) {
        const struct accusation *accusation = suspicion_accusation(peer);

        peer->probe.nudge_ms = node->now_ms;
        if (accusation != NULL &&
            outgoing_begin(&outgoing, node, peer, actions)) {
            message_put_record(&outgoing.writer, accusation->bytes,
                               accusation->size);
            outgoing_flush(&outgoing);
        }
    }
    sync_on_fingerprint(node, peer, message->fingerprint, actions);
}

/* Whether the peer was asked for this probe and has not answered yet: where in
 * the helpers, or NULL. */
static struct peer **helper_of(struct probe *probe, const struct peer *peer,
                               const struct message *message)
{
    for (size_t i = 0; i < probe->n_asked && probe->peer != NULL; i++) {
        if (probe->helpers[i] == peer && probe->nonce == message->nonce) {
            return &probe->helpers[i];
        }
    }
    return NULL;
}

/* A relayed answer counts when the target itself has answered our challenge;
 * whoever passes it on proves nothing. */
static bool is_proved(struct node *node, const struct probe *probe,
                      const uint8_t *proof)
{
    struct packet_context context = {.cluster = node->cluster,
                                     .source = probe->peer->key,
                                     .destination = node->self->key};

    if (proof == NULL || !peers_need_keys(node, probe->peer) ||
        packet_check_proof(&context, &probe->peer->link.keys, probe->challenge,
                           proof) != 0) {
        node->counters.dropped_proof++;
        return false;
    }
    return true;
}

void probe_on_ack(struct node *node, struct peer *peer,
                  const struct message *message, struct node_actions *actions)
{
    for (size_t i = 0; i < LIMIT_PROBES; i++) {
        struct probe *probe = &node->probes.probes[i];

        if (probe->peer == peer && probe->nonce == message->nonce) {
            /* After a second ping it is not known which one was answered
             * (Karn's rule, RFC 6298 section 3). */
            if (probe->stage == 1) {
                note_answer(node, peer, probe->sent_ms);
            }
            end(node, probe, PROBE_ANSWERED, actions);
        }
    }
    for (size_t i = 0; i < LIMIT_RELAYS; i++) {
        struct relay *relay = &node->probes.relays[i];

        if (relay->target == peer && relay->nonce == message->nonce &&
            message->proof != NULL) {
            end_relay(node, relay, message->proof, actions);
        }
    }
    for (size_t i = 0; i < LIMIT_PROBES; i++) {
        struct probe *probe = &node->probes.probes[i];

        if (helper_of(probe, peer, message) != NULL &&
            is_proved(node, probe, message->proof)) {
            end(node, probe, PROBE_INDIRECT, actions);
        }
    }
    sync_on_fingerprint(node, peer, message->fingerprint, actions);
}

void probe_on_nack(struct node *node, struct peer *peer,
                   const struct message *message)
{
    for (size_t i = 0; i < LIMIT_PROBES; i++) {
        struct probe *probe = &node->probes.probes[i];
        struct peer **helper = helper_of(probe, peer, message);

        if (helper != NULL) {
            *helper = NULL;
            probe->n_nacks++;
        }
    }
}

static size_t n_relays_of(const struct node *node, const struct peer *asker)
{
    size_t n = 0;

    for (size_t i = 0; i < LIMIT_RELAYS; i++) {
        n += node->probes.relays[i].target != NULL &&
             node->probes.relays[i].asker == asker;
    }
    return n;
}

void probe_on_request(struct node *node, struct peer *peer,
                      const struct message *message,
                      struct node_actions *actions)
{
    struct peer *target = peers_find_id(node, message->target_id);

    if (target == NULL || target->is_self || target == peer ||
        n_relays_of(node, peer) >= LIMIT_RELAYS_PER_PEER) {
        return;
    }
    for (size_t i = 0; i < LIMIT_RELAYS; i++) {
        struct relay *relay = &node->probes.relays[i];

        if (relay->target == NULL) {
            *relay = (struct relay){
                .target = target,
                .asker = peer,
                .asker_nonce = message->nonce,
                .nonce = next_nonce(node),
                .challenge = message->challenge,
                .end_ms =
                    node->now_ms + (uint64_t)node->tuning.probe_timeout_ms *
                                       PROBE_NACK_PERCENT / 100,
            };
            send_ping(node, target, relay->nonce, relay, actions);
            return;
        }
    }
}
