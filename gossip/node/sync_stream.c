/*
 * Bulk exchanges over streams: the messages of sync.c in frames, for when
 * more is missing than a burst of packets carries.  The owner opens and moves
 * the bytes (NODE_ACTION_STREAM_*); here is who is asked for one, what goes
 * in, and when it ends.
 */
#include "gossip/node/sync_internal.h"

#include <errno.h>

/* A stream is asked for at most this often of one peer, and closed by its
 * initiator when it was silent for so long. */
#define SYNC_STREAM_AGAIN_MS 5000
#define SYNC_STREAM_IDLE_MS  1000

struct sync_stream *sync_find_stream(struct node *node, uint32_t stream)
{
    for (size_t i = 0; i < SYNC_STREAMS_MAX && stream != 0; i++) {
        if (node->sync.streams[i].stream == stream) {
            return &node->sync.streams[i];
        }
    }
    return NULL;
}

/* Streams that we opened, or that others did. */
static size_t n_streams(const struct node *node, bool is_initiator)
{
    size_t n = 0;

    for (size_t i = 0; i < SYNC_STREAMS_MAX; i++) {
        n += node->sync.streams[i].stream != 0 &&
             node->sync.streams[i].is_initiator == is_initiator;
    }
    return n;
}

void sync_ask_stream(struct node *node, struct peer *peer,
                     struct node_actions *actions)
{
    struct node_action *action;
    struct endpoint endpoint;

    for (size_t i = 0; i < SYNC_STREAMS_MAX; i++) {
        if (node->sync.streams[i].stream != 0 &&
            node->sync.streams[i].peer == peer) {
            return;
        }
    }
    if (n_streams(node, true) >= LIMIT_SYNC_OWN_STREAMS ||
        !transport_endpoint(peer, &endpoint) ||
        (peer->sync.stream_ms != 0 &&
         node->now_ms - peer->sync.stream_ms < SYNC_STREAM_AGAIN_MS)) {
        return;
    }
    peer->sync.stream_ms = node->now_ms;
    action = actions_add(actions, NODE_ACTION_STREAM_OPEN, NULL, 0);
    if (action != NULL) {
        memcpy(action->peer, peer->key, 32);
        action->endpoint = endpoint;
        node->counters.streams_opened++;
    }
}

static void on_opened(struct node *node, const struct node_event *event,
                      struct node_actions *actions)
{
    struct peer *peer = peers_find(node, event->peer);
    bool has_room =
        n_streams(node, event->is_initiator) <
        (event->is_initiator ? LIMIT_SYNC_OWN_STREAMS : LIMIT_SYNC_STREAMS);
    struct node_action *action;

    for (size_t i = 0; i < SYNC_STREAMS_MAX && peer != NULL; i++) {
        struct sync_stream *stream = &node->sync.streams[i];

        if (stream->stream == 0 && has_room) {
            *stream = (struct sync_stream){
                .stream = event->stream,
                .peer = peer,
                .is_initiator = event->is_initiator,
                .started_ms = node->now_ms,
                .active_ms = node->now_ms,
            };
            if (event->is_initiator) {
                sync_begin(node, peer, stream, actions);
            }
            return;
        }
    }
    /* Without memory for this the owner's own limit ends it. */
    action = actions_add(actions, NODE_ACTION_STREAM_CLOSE, NULL, 0);
    if (action != NULL) {
        action->stream = event->stream;
    }
}

static int on_frame(struct node *node, const struct node_event *event,
                    struct node_actions *actions)
{
    struct sync_stream *stream = sync_find_stream(node, event->stream);
    struct reader reader = reader_init(event->bytes, event->size);
    struct message message;
    struct sync_channel channel;
    int result = 0;

    if (stream == NULL) {
        return 0;
    }
    stream->active_ms = node->now_ms;
    stream->n_bytes += event->size;
    peers_heard(node, stream->peer);
    if (!transport_may_receive(node, stream->peer, event->size)) {
        return 0;
    }
    if (!sync_channel_open(&channel, node, stream->peer, stream, actions)) {
        return -ENOMEM;
    }
    while (reader_left(&reader) > 0 && result == 0) {
        struct view_offer offer = {.source = stream->peer};

        if (message_next(&reader, &message) != 0) {
            node->counters.dropped_message++;
            break;
        }
        offer.bytes = message.bytes;
        offer.size = message.size;
        if (message.type == MESSAGE_RECORD) {
            result = MIN_OF(view_offer(node, &offer, actions), 0);
        } else {
            sync_answer(&channel, &message);
        }
    }
    sync_channel_close(&channel);
    return result;
}

int sync_on_stream(struct node *node, const struct node_event *event,
                   struct node_actions *actions)
{
    struct sync_stream *stream;

    if (event->type == NODE_EVENT_STREAM_OPENED) {
        on_opened(node, event, actions);
        return 0;
    }
    if (event->type == NODE_EVENT_STREAM_FRAME) {
        return on_frame(node, event, actions);
    }
    stream = sync_find_stream(node, event->stream);
    if (stream != NULL) {
        *stream = (struct sync_stream){0};
    }
    return 0;
}

static uint64_t stream_end(const struct sync_stream *stream)
{
    uint64_t end = stream->started_ms + LIMIT_SYNC_STREAM_MS;

    return stream->is_initiator
               ? MIN_OF(end, stream->active_ms + SYNC_STREAM_IDLE_MS)
               : end;
}

/* Without memory it is still there in the next step, and ended then. */
static void end_stream(struct node *node, struct sync_stream *stream,
                       struct node_actions *actions)
{
    struct sync_channel channel;
    struct node_action *action;

    if (!actions_reserve(actions, 2, LIMIT_FRAME_SIZE)) {
        return;
    }
    if (stream->is_initiator &&
        sync_channel_open(&channel, node, stream->peer, stream, actions)) {
        message_put_done(&channel.writer);
        sync_channel_close(&channel);
    }
    action = actions_add(actions, NODE_ACTION_STREAM_CLOSE, NULL, 0);
    if (action != NULL) {
        action->stream = stream->stream;
        *stream = (struct sync_stream){0};
    }
}

void sync_tick(struct node *node, struct node_actions *actions)
{
    for (size_t i = 0; i < SYNC_STREAMS_MAX; i++) {
        struct sync_stream *stream = &node->sync.streams[i];

        if (stream->stream != 0 &&
            (node->now_ms >= stream_end(stream) ||
             stream->n_bytes > LIMIT_SYNC_STREAM_BYTES)) {
            end_stream(node, stream, actions);
        }
    }
}

uint64_t sync_deadline(const struct node *node)
{
    uint64_t deadline = NODE_NEVER;

    for (size_t i = 0; i < SYNC_STREAMS_MAX; i++) {
        if (node->sync.streams[i].stream != 0) {
            deadline = MIN_OF(deadline, stream_end(&node->sync.streams[i]));
        }
    }
    return deadline;
}
