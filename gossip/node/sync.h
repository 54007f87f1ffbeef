/*
 * Anti-entropy.  The fields are those of sync.c and sync_stream.c.
 */
#ifndef SOCKETNET_GOSSIP_NODE_SYNC_H
#define SOCKETNET_GOSSIP_NODE_SYNC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/base/limits.h"
#include "gossip/node/node.h"
#include "gossip/wire/message.h"

struct peer;

struct sync_peer {
    uint64_t started_ms; /* last exchange started with it */
    uint64_t differs_ms; /* since when its fingerprint differs, 0: not */
    uint64_t stream_ms;  /* last stream asked for */
};

struct sync_stream {
    uint32_t stream; /* 0: free */
    struct peer *peer;
    bool is_initiator;
    uint64_t started_ms;
    uint64_t active_ms;
    uint64_t n_bytes;
};

#define SYNC_STREAMS_MAX (LIMIT_SYNC_STREAMS + LIMIT_SYNC_OWN_STREAMS)

struct sync {
    struct sync_stream streams[SYNC_STREAMS_MAX];
};

/* A peer told its fingerprint. */
void sync_on_fingerprint(struct node *node, struct peer *peer,
                         uint64_t fingerprint, struct node_actions *actions);
/* First contact with a peer: compare at once, as news of before was not sent
 * to it. */
void sync_greet(struct node *node, struct peer *peer,
                struct node_actions *actions);
/* HEADS, HAVE, WANT by packet (stream 0) or stream. */
void sync_on_message(struct node *node, struct peer *peer, uint32_t stream,
                     const struct message *message,
                     struct node_actions *actions);
void sync_ask_stream(struct node *node, struct peer *peer,
                     struct node_actions *actions);
int sync_on_stream(struct node *node, const struct node_event *event,
                   struct node_actions *actions);
void sync_tick(struct node *node, struct node_actions *actions);
uint64_t sync_deadline(const struct node *node);

#endif
