/*
 * What pings are answered with, and what an answer means for the probes that
 * are under way.
 *
 * What a helper passes on proves itself: the target answers our challenge with
 * the key that it has with us.  Without that any member could keep a dead one
 * alive.
 */
#include "gossip/node/node_internal.h"
#include "gossip/node/probe_internal.h"

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
            probe_end(node, probe, PROBE_ANSWERED, actions);
        }
    }
    probe_relay_on_ack(node, peer, message, actions);
    for (size_t i = 0; i < LIMIT_PROBES; i++) {
        struct probe *probe = &node->probes.probes[i];

        if (helper_of(probe, peer, message) != NULL &&
            is_proved(node, probe, message->proof)) {
            probe_end(node, probe, PROBE_INDIRECT, actions);
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
