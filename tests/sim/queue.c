/* The heap of coming events.  See queue.h. */
#include "tests/sim/queue.h"

#include <assert.h>
#include <stdlib.h>

static bool queue_is_before(const struct queue_item *a,
                            const struct queue_item *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static void queue_swap(struct queue_item *a, struct queue_item *b)
{
    struct queue_item item = *a;

    *a = *b;
    *b = item;
}

void queue_push(struct queue *queue, const struct queue_item *item)
{
    size_t at = queue->n_items;

    if (queue->n_items == queue->n_allocated) {
        queue->n_allocated = queue->n_allocated * 2 + 256;
        queue->items =
            realloc(queue->items, queue->n_allocated * sizeof(*queue->items));
        assert(queue->items != NULL);
    }
    queue->items[at] = *item;
    queue->items[at].order = queue->next_order++;
    queue->n_items++;
    while (at > 0 &&
           queue_is_before(&queue->items[at], &queue->items[(at - 1) / 2])) {
        queue_swap(&queue->items[at], &queue->items[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
}

const struct queue_item *queue_first(const struct queue *queue)
{
    return queue->n_items > 0 ? &queue->items[0] : NULL;
}

bool queue_pop(struct queue *queue, struct queue_item *ret)
{
    size_t at = 0;

    if (queue->n_items == 0) {
        return false;
    }
    *ret = queue->items[0];
    queue->items[0] = queue->items[--queue->n_items];
    for (;;) {
        size_t child = 2 * at + 1;

        if (child >= queue->n_items) {
            return true;
        }
        if (child + 1 < queue->n_items &&
            queue_is_before(&queue->items[child + 1], &queue->items[child])) {
            child++;
        }
        if (!queue_is_before(&queue->items[child], &queue->items[at])) {
            return true;
        }
        queue_swap(&queue->items[child], &queue->items[at]);
        at = child;
    }
}

void queue_done(struct queue *queue)
{
    struct queue_item item;

    while (queue_pop(queue, &item)) {
        free(item.bytes);
    }
    free(queue->items);
    *queue = (struct queue){0};
}
