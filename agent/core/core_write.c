/*
 * Own records: made by the node, synced by the store thread, only then in the
 * view and on the wire.  Who wrote one is called back after the catalogue was
 * rebuilt with it.
 */
#include "agent/core/core_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "agent/core/store_thread.h"
#include "agent/system/log.h"

/* The store's answer as the errno that core_written_fn promises. */
static int core_write_errno(int error)
{
    return error == STORE_E_FULL ? -ENOSPC : error > 0 ? -EIO : error;
}

void core_write_done(struct core *core, struct core_waiting *waiting, int error)
{
    waiting->error = core_write_errno(error);
    DL_DELETE(core->internal->waiting, waiting);
    DL_APPEND(core->internal->written, waiting);
    core_view_wake(core);
}

/* The fate of one own record: the node first, then who waits for it. */
static void core_write_settle(struct core *core, struct record_order order,
                              int error)
{
    struct core_internal *internal = core->internal;
    struct node_event event = {.type = error == 0 ? NODE_EVENT_COMMITTED
                                                  : NODE_EVENT_STORE_FAILED,
                               .order = order};
    struct core_waiting *waiting = NULL;
    struct core_waiting *next = NULL;

    core_step(core, &event);
    DL_FOREACH_SAFE(internal->waiting, waiting, next)
    {
        if (record_order_compare(waiting->order, order) == 0) {
            core_write_done(core, waiting, error);
        }
    }
}

static void core_write_stored(int error, void *data)
{
    struct core_storing *storing = data;
    struct core *core = storing->core;
    struct record_order order = storing->order;

    free(storing);
    core->internal->n_storing--;
    if (error != -ECANCELED) { /* the end: nobody is there to hear it */
        core_write_settle(core, order, error);
    }
}

/* The record cannot go to the store: the node and its writer hear of that in
 * the next turn.  Nothing is allocated for it, since memory may be what is
 * lacking; the node has at most so many records at the store. */
static void core_write_fail(struct core *core, struct record_order order,
                            int error)
{
    struct core_internal *internal = core->internal;

    log_error("own record not stored: %s", strerror(-error));
    assert(internal->n_failed < ARRAY_SIZE(internal->failed));
    internal->failed[internal->n_failed++] =
        (struct core_write_failed){order, error};
    internal->n_storing++;
    core_view_wake(core);
}

void core_store_own(struct core *core, const uint8_t *bytes, size_t size)
{
    struct core_storing *storing = NULL;
    struct record record;
    int error = record_parse(bytes, size, &record);

    assert(error == 0); /* the node made it */
    storing = calloc(1, sizeof(*storing));
    if (storing == NULL) {
        core_write_fail(core, record.order, -ENOMEM);
        return;
    }
    storing->core = core;
    storing->order = record.order;
    core->internal->n_storing++;
    error = store_thread_put_own(core->store, bytes, size, core_write_stored,
                                 storing);
    if (error != 0) {
        free(storing);
        core->internal->n_storing--;
        core_write_fail(core, record.order, error);
    }
}

void core_write_report_failed(struct core *core)
{
    struct core_internal *internal = core->internal;

    while (internal->n_failed > 0) {
        struct core_write_failed failed = internal->failed[0];

        internal->n_failed--;
        memmove(&internal->failed[0], &internal->failed[1],
                internal->n_failed * sizeof(internal->failed[0]));
        internal->n_storing--;
        core_write_settle(core, failed.order, failed.error);
    }
}

void core_write_report_written(struct core *core)
{
    struct core_waiting *written = core->internal->written;

    /* Those who write again inside of done come in a later turn. */
    core->internal->written = NULL;
    while (written != NULL) {
        struct core_waiting *waiting = written;

        DL_DELETE(written, waiting);
        waiting->done(core, waiting->error, waiting->order, waiting->data);
        free(waiting);
    }
}

void core_write_cancel(struct core *core)
{
    struct core_waiting *waiting = NULL;
    struct core_waiting *next = NULL;

    DL_FOREACH_SAFE(core->internal->waiting, waiting, next)
    {
        waiting->error = -ECANCELED;
    }
    DL_CONCAT(core->internal->written, core->internal->waiting);
    core->internal->waiting = NULL;
    core_write_report_written(core);
}

int core_write_prepare(struct core *core, core_written_fn done, void *data,
                       struct core_waiting **ret)
{
    struct core_waiting *waiting = NULL;

    assert(!core->internal->is_stepping);
    if (done != NULL) {
        waiting = calloc(1, sizeof(*waiting));
        if (waiting == NULL) {
            return -ENOMEM;
        }
        waiting->done = done;
        waiting->data = data;
    }
    *ret = waiting;
    return 0;
}

/* What core_write and core_remove have in common.  The memory for who waits
 * comes first; the store answers in a later turn of the loop. */
static int core_write_step(struct core *core, struct node_event *event,
                           core_written_fn done, void *data)
{
    struct node_written written = {0};
    struct core_waiting *waiting = NULL;
    int result = core_write_prepare(core, done, data, &waiting);

    if (result != 0) {
        return result;
    }
    event->written = &written;
    core_step(core, event);
    if (written.result != 0) {
        free(waiting);
    } else if (waiting != NULL) {
        waiting->order = written.order;
        DL_APPEND(core->internal->waiting, waiting);
    }
    return written.result;
}

int core_write(struct core *core, uint8_t kind, const uint8_t *key,
               size_t key_size, const uint8_t *body, size_t body_size,
               core_written_fn done, void *data)
{
    struct node_event event = {.type = NODE_EVENT_WRITE,
                               .kind = kind,
                               .key = key,
                               .key_size = key_size,
                               .body = body,
                               .body_size = body_size};

    return core_write_step(core, &event, done, data);
}

int core_remove(struct core *core, uint8_t kind, const uint8_t *key,
                size_t key_size, core_written_fn done, void *data)
{
    struct node_event event = {.type = NODE_EVENT_REMOVE,
                               .kind = kind,
                               .key = key,
                               .key_size = key_size};

    return core_write_step(core, &event, done, data);
}

int core_write_nothing(struct core *core, core_written_fn done, void *data)
{
    struct core_waiting *waiting = NULL;
    int result = core_write_prepare(core, done, data, &waiting);

    if (result == 0 && waiting != NULL) {
        DL_APPEND(core->internal->written, waiting);
        core_view_wake(core);
    }
    return result;
}
