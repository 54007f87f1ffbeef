/*
 * What sync.c (ranges, hashes, messages) and sync_stream.c (bulk exchanges)
 * share: the channel that answers go out by.
 */
#ifndef SOCKETNET_GOSSIP_NODE_SYNC_INTERNAL_H
#define SOCKETNET_GOSSIP_NODE_SYNC_INTERNAL_H

#include "gossip/node/node_internal.h"

/* Where answers go: packets to a peer, or frames of a stream. */
struct sync_channel {
    struct node *node;
    struct peer *peer;
    struct node_actions *actions;
    struct sync_stream *stream; /* NULL: packets */
    struct outgoing outgoing;
    struct writer writer; /* of the frame */
    uint8_t *frame;       /* LIMIT_FRAME_SIZE bytes, streams only */
    bool is_full;
};

/* False when nothing can be sent to the peer now. */
bool sync_channel_open(struct sync_channel *channel, struct node *node,
                       struct peer *peer, struct sync_stream *stream,
                       struct node_actions *actions);
/* Room for one more message, or NULL when the budget is used up. */
struct writer *sync_channel_room(struct sync_channel *channel, size_t size);
/* Sends what was written. */
void sync_channel_close(struct sync_channel *channel);

/* Answers one HEADS, HAVE or WANT. */
void sync_answer(struct sync_channel *channel, const struct message *message);
/* Opens an exchange: the head of everything. */
void sync_begin(struct node *node, struct peer *peer,
                struct sync_stream *stream, struct node_actions *actions);
/* The stream of this number, or NULL. */
struct sync_stream *sync_find_stream(struct node *node, uint32_t stream);

#endif
