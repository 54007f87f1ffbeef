/* Simulated bulk streams.  See streams.h. */
#include "tests/sim/streams.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "gossip/base/limits.h"

/* The two sides of a stream; the initiator is side 0. */
#define STREAMS_INITIATOR 0u
#define STREAMS_RESPONDER 1u

struct cluster_stream {
    uint32_t number;
    uint32_t nodes[2];
    uint32_t lives[2];
    bool is_opened[2]; /* its node knows the stream by its id */
    bool is_closed[2]; /* ... and was told, or needs not be, that it ended */
    bool is_sealed[2]; /* it closed its side: sends and hears nothing more */
    bool is_broken;    /* a segment is lost behind a cut */
    bool is_refused;
    uint64_t arrives_us[2]; /* last arrival at that side */
    uint64_t n_bytes;
    UT_hash_handle hh;
};

static uint32_t streams_id(const struct cluster_stream *stream, unsigned side)
{
    return stream->number * 2 + side;
}

static struct cluster_stream *streams_find(struct cluster *cluster,
                                           uint32_t number)
{
    struct cluster_stream *stream = NULL;

    HASH_FIND(hh, cluster->streams, &number, sizeof(number), stream);
    return stream;
}

static bool streams_is_alive(const struct cluster *cluster,
                             const struct cluster_stream *stream, unsigned side)
{
    const struct cluster_node *node = &cluster->nodes[stream->nodes[side]];

    return node->node != NULL && node->life == stream->lives[side];
}

static void streams_remove(struct cluster *cluster,
                           struct cluster_stream *stream)
{
    HASH_DEL(cluster->streams, stream);
    free(stream);
}

/* Lets a segment travel to `side`, behind the ones before it. */
static void streams_push(struct cluster *cluster, struct cluster_stream *stream,
                         unsigned side, enum queue_type type,
                         const uint8_t *bytes, size_t size)
{
    struct queue_item item = {.at_us = cluster->now_us +
                                       network_draw_segment(&cluster->network),
                              .type = type,
                              .node = stream->nodes[side],
                              .peer = side,
                              .number = stream->number,
                              .size = size};

    if (item.at_us < stream->arrives_us[side]) {
        item.at_us = stream->arrives_us[side];
    }
    stream->arrives_us[side] = item.at_us;
    if (size > 0) {
        item.bytes = malloc(size);
        assert(item.bytes != NULL);
        memcpy(item.bytes, bytes, size);
    }
    queue_push(&cluster->queue, &item);
}

static void streams_report(struct cluster *cluster,
                           const struct cluster_stream *stream, unsigned side,
                           enum node_event_type type, const uint8_t *bytes,
                           size_t size)
{
    struct node_event event = {
        .type = type,
        .bytes = bytes,
        .size = size,
        .stream = stream->is_opened[side] ? streams_id(stream, side) : 0,
        .is_initiator = side == STREAMS_INITIATOR};
    uint32_t peer = stream->nodes[1 - side];

    memcpy(event.peer, cluster->nodes[peer].keys.sign_public, 32);
    cluster_step(cluster, stream->nodes[side], &event);
}

/* The side hears that the stream is over, if it must. */
static void streams_end(struct cluster *cluster, struct cluster_stream *stream,
                        unsigned side)
{
    if (stream->is_closed[side]) {
        return;
    }
    stream->is_closed[side] = true;
    if (streams_is_alive(cluster, stream, side) &&
        (stream->is_opened[side] || side == STREAMS_INITIATOR)) {
        streams_report(cluster, stream, side, NODE_EVENT_STREAM_CLOSED, NULL,
                       0);
    }
}

void streams_open(struct cluster *cluster, uint32_t node,
                  const struct node_action *action)
{
    uint32_t peer = cluster_find_endpoint(cluster, &action->endpoint);
    struct cluster_stream *stream;
    struct queue_item limit = {.at_us = cluster->now_us +
                                        LIMIT_SYNC_STREAM_MS * 1000ull,
                               .type = QUEUE_STREAM_LIMIT,
                               .node = node};

    if (peer == CLUSTER_NONE ||
        peer != cluster_find_key(cluster, action->peer) || peer == node) {
        check_fail(&cluster->check, node, "opens a stream to a wrong endpoint");
        return;
    }
    stream = calloc(1, sizeof(*stream));
    assert(stream != NULL);
    stream->number = ++cluster->next_stream;
    stream->nodes[STREAMS_INITIATOR] = node;
    stream->nodes[STREAMS_RESPONDER] = peer;
    stream->lives[STREAMS_INITIATOR] = cluster->nodes[node].life;
    stream->lives[STREAMS_RESPONDER] = cluster->nodes[peer].life;
    HASH_ADD(hh, cluster->streams, number, sizeof(stream->number), stream);
    limit.number = stream->number;
    queue_push(&cluster->queue, &limit);
    streams_push(cluster, stream, STREAMS_RESPONDER, QUEUE_STREAM_ARRIVES, NULL,
                 0);
}

/* Whether the responder takes the opening. */
static bool streams_accept(struct cluster *cluster,
                           const struct cluster_stream *stream)
{
    const struct cluster_node *from =
        &cluster->nodes[stream->nodes[STREAMS_INITIATOR]];
    uint32_t responder = stream->nodes[STREAMS_RESPONDER];
    const struct cluster_stream *other;
    struct body_certificate certificate;
    size_t n_served = 0;

    for (other = cluster->streams; other != NULL; other = other->hh.next) {
        n_served += other->nodes[STREAMS_RESPONDER] == responder &&
                            other->is_opened[STREAMS_RESPONDER] &&
                            !other->is_closed[STREAMS_RESPONDER]
                        ? 1
                        : 0;
    }
    return streams_is_alive(cluster, stream, STREAMS_RESPONDER) &&
           n_served < LIMIT_SYNC_STREAMS &&
           node_check_certificate(cluster->nodes[responder].node,
                                  from->certificate.bytes,
                                  from->certificate.size, &certificate) == 0;
}

void streams_send(struct cluster *cluster, uint32_t node,
                  const struct node_action *action)
{
    struct cluster_stream *stream = streams_find(cluster, action->stream / 2);
    unsigned side = action->stream % 2;

    if (stream == NULL || stream->is_closed[side] || stream->is_sealed[side]) {
        return; /* it ended meanwhile; the node hears of that */
    }
    if (stream->nodes[side] != node) {
        check_fail(&cluster->check, node, "sends on another's stream");
        return;
    }
    stream->n_bytes += action->size;
    cluster->nodes[node].stream_bytes += action->size;
    if (stream->n_bytes > LIMIT_SYNC_STREAM_BYTES) {
        streams_push(cluster, stream, side, QUEUE_STREAM_END, NULL, 0);
        streams_push(cluster, stream, 1 - side, QUEUE_STREAM_END, NULL, 0);
        return;
    }
    streams_push(cluster, stream, 1 - side, QUEUE_STREAM_FRAME, action->bytes,
                 action->size);
}

void streams_close(struct cluster *cluster, uint32_t node,
                   const struct node_action *action)
{
    struct cluster_stream *stream = streams_find(cluster, action->stream / 2);
    unsigned side = action->stream % 2;

    if (stream == NULL || stream->nodes[side] != node ||
        stream->is_closed[side] || stream->is_sealed[side]) {
        return;
    }
    stream->is_sealed[side] = true;
    streams_push(cluster, stream, 1 - side, QUEUE_STREAM_END, NULL, 0);
}

void streams_stop(struct cluster *cluster, uint32_t node)
{
    struct cluster_stream *stream;

    for (stream = cluster->streams; stream != NULL; stream = stream->hh.next) {
        for (unsigned side = 0; side < 2; side++) {
            if (stream->nodes[side] == node && !stream->is_closed[side]) {
                stream->is_closed[side] = true;
                streams_push(cluster, stream, 1 - side, QUEUE_STREAM_END, NULL,
                             0);
            }
        }
    }
}

/* A frame, or the end, reaches `side`. */
static void streams_arrived(struct cluster *cluster,
                            struct cluster_stream *stream, unsigned side,
                            const struct queue_item *item)
{
    if (side == STREAMS_RESPONDER && !stream->is_opened[side]) {
        stream->is_opened[side] = true;
        streams_report(cluster, stream, side, NODE_EVENT_STREAM_OPENED, NULL,
                       0);
    }
    if (item->type == QUEUE_STREAM_FRAME) {
        if (!stream->is_sealed[side]) {
            streams_report(cluster, stream, side, NODE_EVENT_STREAM_FRAME,
                           item->bytes, item->size);
        }
        return;
    }
    streams_end(cluster, stream, side);
    if (!stream->is_closed[1 - side]) {
        streams_push(cluster, stream, 1 - side, QUEUE_STREAM_END, NULL, 0);
    }
}

static void streams_answer(struct cluster *cluster,
                           struct cluster_stream *stream)
{
    if (stream->is_refused) {
        streams_end(cluster, stream, STREAMS_INITIATOR);
        stream->is_closed[STREAMS_RESPONDER] = true;
        return;
    }
    stream->is_opened[STREAMS_INITIATOR] = true;
    streams_report(cluster, stream, STREAMS_INITIATOR, NODE_EVENT_STREAM_OPENED,
                   NULL, 0);
}

void streams_handle(struct cluster *cluster, const struct queue_item *item)
{
    struct cluster_stream *stream =
        streams_find(cluster, (uint32_t)item->number);
    unsigned side = item->peer;

    if (stream == NULL) {
        return;
    }
    if (item->type == QUEUE_STREAM_LIMIT) {
        streams_end(cluster, stream, STREAMS_INITIATOR);
        streams_end(cluster, stream, STREAMS_RESPONDER);
        streams_remove(cluster, stream);
        return;
    }
    if (stream->is_broken ||
        network_is_cut(&cluster->network, stream->nodes[1 - side],
                       stream->nodes[side])) {
        stream->is_broken = true;
        return;
    }
    if (item->type == QUEUE_STREAM_ARRIVES) {
        stream->is_refused = !streams_accept(cluster, stream);
        streams_push(cluster, stream, STREAMS_INITIATOR, QUEUE_STREAM_ANSWERS,
                     NULL, 0);
        return;
    }
    if (stream->is_closed[side] || !streams_is_alive(cluster, stream, side)) {
        return;
    }
    if (item->type == QUEUE_STREAM_ANSWERS) {
        streams_answer(cluster, stream);
    } else {
        streams_arrived(cluster, stream, side, item);
    }
}

void streams_done(struct cluster *cluster)
{
    struct cluster_stream *stream;
    struct cluster_stream *next;

    HASH_ITER (hh, cluster->streams, stream, next) {
        streams_remove(cluster, stream);
    }
}
