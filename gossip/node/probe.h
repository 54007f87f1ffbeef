/*
 * Probes: of ours, and pings made for others.  The fields are the probe*.c
 * files'; suspicion_state.c takes back a probe out of turn when a member speaks
 * for itself, suspicion_accusation.c raises `health` when we were doubted.
 */
#ifndef SOCKETNET_GOSSIP_NODE_PROBE_H
#define SOCKETNET_GOSSIP_NODE_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/base/limits.h"
#include "gossip/node/node.h"
#include "gossip/wire/message.h"

struct peer;

/* Round-trip time, RFC 6298 section 2. */
struct rtt {
    uint32_t us; /* smoothed; 0: not measured */
    uint32_t var_us;
};

struct probe_peer {
    bool is_probed;      /* a probe is under way */
    uint64_t confirm_ms; /* when to probe out of turn; NODE_NEVER: not */
    uint64_t nudge_ms;   /* last accusation sent to it as it pinged us */
    struct rtt rtt;
};

/* Helpers asked for one probe, at most. */
#define PROBE_HELPERS_MAX 8

struct probe {
    struct peer *peer; /* NULL: free */
    uint16_t nonce;
    uint64_t challenge;              /* only the peer's proof for it counts */
    struct record_order incarnation; /* of the peer at its start */
    uint64_t started_ms;
    uint64_t sent_ms; /* of the first direct ping */
    uint64_t next_ms; /* next stage */
    uint64_t end_ms;
    unsigned stage;                          /* pings sent so far */
    struct peer *helpers[PROBE_HELPERS_MAX]; /* NULL: has answered */
    unsigned n_asked;
    unsigned n_nacks;
};

struct relay {
    struct peer *target; /* NULL: free */
    struct peer *asker;
    uint16_t asker_nonce;
    uint16_t nonce;
    uint64_t challenge; /* of the asker */
    uint64_t end_ms;
};

struct probes {
    struct peer **order; /* shuffled */
    size_t n_order;
    size_t order_index;
    uint64_t next_ms;
    uint64_t next_down_ms;
    uint64_t looked_ms;  /* last look around, 0: never */
    uint64_t confirm_ms; /* earliest of all peers */
    struct probe probes[LIMIT_PROBES];
    struct relay relays[LIMIT_RELAYS];
    uint16_t nonce;
    uint64_t n_challenges;
    struct rtt rtt;  /* over all peers */
    unsigned health; /* Lifeguard's local health multiplier, 0..8 */
};

void probe_start(struct node *node);
void probe_tick(struct node *node, struct node_actions *actions);
/* Probes the peer out of turn at that time. */
void probe_confirm(struct node *node, struct peer *peer, uint64_t at_ms);
/* Is it the member that does not answer, or are we cut off from many?  Some
 * others are probed at once, so that this is known before anybody is held for
 * dead. */
void probe_look_around(struct node *node, const struct peer *except);
uint64_t probe_deadline(const struct node *node);
void probe_on_ping(struct node *node, struct peer *peer,
                   const struct message *message, struct node_actions *actions);
void probe_on_ack(struct node *node, struct peer *peer,
                  const struct message *message, struct node_actions *actions);
void probe_on_nack(struct node *node, struct peer *peer,
                   const struct message *message);
void probe_on_request(struct node *node, struct peer *peer,
                      const struct message *message,
                      struct node_actions *actions);

#endif
