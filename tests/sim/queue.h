/*
 * What will happen in the simulated world, ordered by (time, order of
 * insertion), so that a run is the same every time.  A binary heap of small
 * values; bytes that belong to an event are owned by it.
 */
#ifndef SOCKETNET_TESTS_SIM_QUEUE_H
#define SOCKETNET_TESTS_SIM_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum queue_type {
    QUEUE_TICK = 1,       /* node */
    QUEUE_DATAGRAM,       /* node receives bytes from `peer` */
    QUEUE_COMMIT,         /* node's disk is synced up to `number` */
    QUEUE_STREAM_ARRIVES, /* connection `number` reaches its responder */
    QUEUE_STREAM_ANSWERS, /* ... and its initiator hears of it */
    QUEUE_STREAM_FRAME,   /* node receives a frame of connection `number` */
    QUEUE_STREAM_END,     /* node hears that `number` has ended */
    QUEUE_STREAM_LIMIT,   /* the time of connection `number` is over */
    QUEUE_STOP,           /* node's process ends, its disk synced */
    QUEUE_CALL,           /* the scenario's own function */
};

typedef void (*queue_call_fn)(void *data, uint32_t node);

struct queue_item {
    uint64_t at_us;
    uint64_t order; /* set by queue_push */
    enum queue_type type;
    uint32_t node;
    uint32_t peer;
    uint32_t life; /* of the node; an item for an earlier life is dropped */
    uint64_t number;
    uint8_t *bytes; /* owned, NULL when there are none */
    size_t size;
    queue_call_fn call;
    void *call_data;
};

struct queue {
    struct queue_item *items;
    size_t n_items;
    size_t n_allocated;
    uint64_t next_order;
};

/* Takes item->bytes over.  Aborts when memory ends, as all of the simulator
 * does: there is no result to save. */
void queue_push(struct queue *queue, const struct queue_item *item);
/* The earliest item, or NULL.  Valid until the next push or pop. */
const struct queue_item *queue_first(const struct queue *queue);
/* Removes the earliest item; its bytes are the caller's. */
bool queue_pop(struct queue *queue, struct queue_item *ret);
void queue_done(struct queue *queue);

#endif
