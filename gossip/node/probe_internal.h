/*
 * Shared by the probe*.c files alone:
 *   probe.c         a probe from its first ping to its end
 *   probe_choose.c  whom to probe
 *   probe_answer.c  answers: ours to pings, and those to our probes
 *   probe_relay.c   pings made for others
 */
#ifndef SOCKETNET_GOSSIP_NODE_PROBE_INTERNAL_H
#define SOCKETNET_GOSSIP_NODE_PROBE_INTERNAL_H

#include "gossip/node/probe.h"
#include "gossip/node/suspicion.h"

/* probe.c */

/* How long a probe takes, and after which the next begins. */
uint64_t probe_interval(const struct node *node);
uint16_t probe_next_nonce(struct node *node);
/* A ping for us, or for the asker of `relay`. */
void probe_send_ping(struct node *node, struct peer *peer, uint16_t nonce,
                     const struct relay *relay, struct node_actions *actions);
void probe_end(struct node *node, struct probe *probe, enum probe_result result,
               struct node_actions *actions);
bool probe_is_down(const struct peer *peer);

/* probe_choose.c */

/* The next one in turn, or one of those that are down; NULL: there is none. */
struct peer *probe_choose(struct node *node);
struct peer *probe_choose_down(struct node *node);

/* probe_relay.c */

void probe_relay_tick(struct node *node, struct node_actions *actions);
uint64_t probe_relay_deadline(const struct node *node);
/* The answer of a target; it goes on to who asked. */
void probe_relay_on_ack(struct node *node, const struct peer *peer,
                        const struct message *message,
                        struct node_actions *actions);

#endif
