/*
 * Pings that are made for another member's probe: the target's proof goes to
 * who asked, or, in time, word that there was none.
 */
#include "gossip/node/node_internal.h"
#include "gossip/node/probe_internal.h"

/* A helper says that the target did not answer it after this share of the
 * probe's time, so that the asker learns that the helper lives. */
#define PROBE_NACK_PERCENT 80

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

void probe_relay_tick(struct node *node, struct node_actions *actions)
{
    for (size_t i = 0; i < LIMIT_RELAYS; i++) {
        struct relay *relay = &node->probes.relays[i];

        if (relay->target != NULL && node->now_ms >= relay->end_ms) {
            end_relay(node, relay, NULL, actions);
        }
    }
}

uint64_t probe_relay_deadline(const struct node *node)
{
    uint64_t deadline = NODE_NEVER;

    for (size_t i = 0; i < LIMIT_RELAYS; i++) {
        if (node->probes.relays[i].target != NULL) {
            deadline = MIN_OF(deadline, node->probes.relays[i].end_ms);
        }
    }
    return deadline;
}

void probe_relay_on_ack(struct node *node, const struct peer *peer,
                        const struct message *message,
                        struct node_actions *actions)
{
    for (size_t i = 0; i < LIMIT_RELAYS; i++) {
        struct relay *relay = &node->probes.relays[i];

        if (relay->target == peer && relay->nonce == message->nonce &&
            message->proof != NULL) {
            end_relay(node, relay, message->proof, actions);
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
                .nonce = probe_next_nonce(node),
                .challenge = message->challenge,
                .end_ms =
                    node->now_ms + (uint64_t)node->tuning.probe_timeout_ms *
                                       PROBE_NACK_PERCENT / 100,
            };
            probe_send_ping(node, target, relay->nonce, relay, actions);
            return;
        }
    }
}
