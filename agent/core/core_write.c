/*
 * Own records: made by the node, synced by the store thread, only then in the
 * view and on the wire.  Who wrote one is called back after the catalogue was
 * rebuilt with it.
 */
#include "agent/core/core_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include <utlist.h>

#include "agent/core/store_thread.h"
#include "agent/system/clock.h"
#include "agent/system/log.h"

/* The store's answer as the errno that core_written_fn promises. */
static int core_write_errno(int error)
{
    return error == STORE_E_FULL ? -ENOSPC : error > 0 ? -EIO : error;
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
            waiting->error = core_write_errno(error);
            DL_DELETE(internal->waiting, waiting);
            DL_APPEND(internal->written, waiting);
            core_view_wake(core);
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

void core_store_own(struct core *core, const uint8_t *bytes, size_t size)
{
    struct core_storing *storing = calloc(1, sizeof(*storing));
    struct record record;

    if (storing == NULL || record_parse(bytes, size, &record) != 0) {
        /* Without memory for this the record stays unsent, and its writer
         * without an answer; the next start writes it anew. */
        log_error("own record not stored: out of memory");
        free(storing);
        return;
    }
    storing->core = core;
    storing->order = record.order;
    core->internal->n_storing++;
    storing->error = store_thread_put_own(core->store, bytes, size,
                                          core_write_stored, storing);
    if (storing->error != 0) {
        LL_APPEND(core->internal->failed, storing);
        core_view_wake(core);
    }
}

void core_write_report_failed(struct core *core)
{
    while (core->internal->failed != NULL) {
        struct core_storing *storing = core->internal->failed;

        LL_DELETE(core->internal->failed, storing);
        core_write_stored(storing->error, storing);
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

/* What core_write and core_remove have in common, once the node has made the
 * record (result 0) or not. */
static int core_write_finish(struct core *core, int result,
                             struct core_waiting *waiting,
                             struct record_order order)
{
    if (result != 0) {
        free(waiting);
        node_actions_clear(core->internal->actions);
        return result;
    }
    if (waiting != NULL) {
        waiting->order = order;
        DL_APPEND(core->internal->waiting, waiting);
    }
    core->internal->is_stepping = true;
    core_carry_out(core);
    core->internal->is_stepping = false;
    return 0;
}

static int core_write_prepare(struct core *core, core_written_fn done,
                              void *data, struct core_waiting **ret)
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

int core_write(struct core *core, uint8_t kind, const uint8_t *key,
               size_t key_size, const uint8_t *body, size_t body_size,
               core_written_fn done, void *data)
{
    struct record_order order = {0};
    struct core_waiting *waiting = NULL;
    int result = core_write_prepare(core, done, data, &waiting);

    if (result == 0) {
        result = node_write(core->node, clock_now_ms(), clock_wall_ms(), kind,
                            key, key_size, body, body_size,
                            core->internal->actions, &order);
    }
    return core_write_finish(core, result, waiting, order);
}

int core_remove(struct core *core, uint8_t kind, const uint8_t *key,
                size_t key_size, core_written_fn done, void *data)
{
    struct record_order order = {0};
    struct core_waiting *waiting = NULL;
    int result = core_write_prepare(core, done, data, &waiting);

    if (result == 0) {
        result = node_remove(core->node, clock_now_ms(), clock_wall_ms(), kind,
                             key, key_size, core->internal->actions, &order);
    }
    return core_write_finish(core, result, waiting, order);
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
