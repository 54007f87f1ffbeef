/*
 * Packets to and from one peer.  The fields belong to transport.c, which
 * judges what arrives, and transport_send.c, which builds what leaves; peers.c
 * derives and forgets the keys, suspicion_state.c raises `boot` when a member
 * record tells a newer one, own.c makes a hello due, peers_heard notes who was
 * heard.
 */
#ifndef SOCKETNET_GOSSIP_NODE_TRANSPORT_H
#define SOCKETNET_GOSSIP_NODE_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/base/budget.h"
#include "gossip/base/cursor.h"
#include "gossip/base/limits.h"
#include "gossip/node/node.h"
#include "gossip/wire/packet.h"

struct peer;

struct transport_peer {
    bool has_keys;
    struct packet_keys keys;
    uint32_t boot; /* of the peer, 0: unknown */
    uint32_t window_boot;
    struct packet_window window;
    unsigned n_stale;  /* old packets since the last new one */
    uint64_t counter;  /* of our last packet */
    uint64_t hello_ms; /* last hello sent, 0: never */
    uint64_t last_heard_ms;
    struct budget received; /* LIMIT_PEER_* */
    struct budget answers;  /* LIMIT_ANSWER_* */
    struct budget streams;  /* LIMIT_STREAM_* */
    struct budget forged;   /* LIMIT_FORGED_* */
};

/* What answers are charged to while one packet is handled: the peer that sent
 * it, and what is free of that, its own size. */
struct answering {
    struct peer *peer; /* NULL: nothing is answered */
    size_t free;
};

/* Sources of certificates not seen before. */
struct strangers {
    struct budget budgets[LIMIT_STRANGER_ADDRESSES];
    struct node_foreign foreign; /* the last packet of another version */
};

/* A packet to a peer under construction; messages go to `writer`. */
struct outgoing {
    struct node *node;
    struct peer *peer;
    struct node_actions *actions;
    uint8_t buffer[LIMIT_DATAGRAM_SIZE];
    struct writer writer;
    unsigned n_packets; /* finished so far */
};

/* From here on packets are answers to this peer, of which `free` bytes are
 * paid for; NULL ends it. */
void transport_answer(struct node *node, struct peer *peer, size_t free);
/* Whether the peer may send so much more; counted when not. */
bool transport_may_receive(struct node *node, struct peer *peer, size_t size);

/* False when no packet can be made now: no certificate, nothing left of what
 * may be answered, or its boot is not known; a hello is on its way then. */
bool outgoing_begin(struct outgoing *outgoing, struct node *node,
                    struct peer *peer, struct node_actions *actions);
/* Sends what was written, if anything, and starts the next packet. */
void outgoing_flush(struct outgoing *outgoing);
/* Makes room for `size` more bytes of messages, flushing if need be; false
 * past the packet budget. */
bool outgoing_reserve(struct outgoing *outgoing, size_t size, unsigned budget);

/* Whether the last hello to the peer is long enough ago for another. */
bool transport_may_hello(const struct node *node, const struct peer *peer);
/* Says who we are: an answer always, else when it may. */
void transport_hello(struct node *node, struct peer *peer, bool is_answer,
                     struct node_actions *actions);
int transport_receive(struct node *node, const struct node_event *event,
                      struct node_actions *actions);
/* Of this run of ours. */
uint32_t transport_boot(const struct node *node);
/* Endpoint for packets and streams: the first certified mesh endpoint. */
bool transport_endpoint(const struct peer *peer, struct endpoint *ret);

#endif
