/*
 * See worker_flush.h.  The switch caches what it decides, so that for a moment
 * after the flush a segment of such a connection may be taken for a new one and
 * led to the same instance; what came into being so is cut off a second later.
 */
#include "agent/worker/worker_flush.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "agent/system/log.h"
#include "agent/worker/worker_private.h"
#include "agent/worker/worker_switch.h"
#include "reconcilers/ovs/ofconn.h"

/* Longer than ovs-vswitchd takes to look at what it has cached
 * (max-revalidator is 500 ms, ovs-vswitchd.conf.db(5)). */
#define FLUSH_AGAIN_MS 1000

struct worker_flush {
    uv_timer_t timer;
    struct worker_state_flush *due; /* owned, after the next apply */
    size_t n_due;
    struct worker_state_flush *again; /* owned, when the timer ends */
    size_t n_again;
};

/* Room for `n` more.  0 or -ENOMEM. */
static int reserve(struct worker_state_flush **list, size_t n_list, size_t n)
{
    struct worker_state_flush *grown =
        reallocarray(*list, n_list + n, sizeof(*grown));

    if (grown == NULL) {
        return -ENOMEM;
    }
    *list = grown;
    return 0;
}

int worker_flush_collect(struct worker *worker)
{
    _cleanup_(free_pointer) struct worker_state_flush *more = NULL;
    struct worker_flush *flush = worker->flush;
    size_t n = worker->state.n_flushes;

    if (n == 0) {
        return 0;
    }
    /* Room first: what is taken is not noted anywhere else. */
    if (reserve(&flush->due, flush->n_due, n) != 0) {
        log_error("out of memory: open connections to withdrawn instances "
                  "are not cut off yet");
        return -ENOMEM;
    }
    (void)worker_state_take_flushes(&worker->state, &more); /* n of them */
    memcpy(flush->due + flush->n_due, more, n * sizeof(*more));
    flush->n_due += n;
    return 0;
}

static int cut_off(const struct worker *worker,
                   const struct worker_state_flush *flush)
{
    struct ofconn *ofconn = worker_switch_ofconn(worker);

    return ofconn == NULL
               ? -ENOTCONN
               : ofconn_flush_connections(ofconn, &flush->service,
                                          &flush->backend, flush->protocol);
}

/* Whether the instance is there again. */
static bool is_back(const struct worker *worker,
                    const struct worker_state_flush *flush)
{
    const struct desired *desired = &worker->state.desired;

    for (size_t i = 0; i < desired->n_items; i++) {
        const struct desired_function *function = &desired->items[i].function;

        if (desired->items[i].type != DESIRED_FUNCTION ||
            function->protocol != flush->protocol ||
            !address_equal(&function->address, &flush->service)) {
            continue;
        }
        for (size_t j = 0; j < function->n_backends; j++) {
            if (address_equal(&function->backends[j].address,
                              &flush->backend)) {
                return true;
            }
        }
    }
    return false;
}

static void on_again(uv_timer_t *timer)
{
    struct worker *worker = timer->data;
    struct worker_flush *flush = worker->flush;

    for (size_t i = 0; i < flush->n_again; i++) {
        if (!is_back(worker, &flush->again[i]) &&
            cut_off(worker, &flush->again[i]) != 0) {
            log_debug("connections were not cut off a second time");
        }
    }
    free(flush->again);
    flush->again = NULL;
    flush->n_again = 0;
}

void worker_flush_run(struct worker *worker)
{
    struct worker_flush *flush = worker->flush;

    if (flush->n_due == 0) {
        return;
    }
    for (size_t i = 0; i < flush->n_due; i++) {
        const struct worker_state_flush *one = &flush->due[i];
        char service[ADDRESS_TEXT_SIZE];
        char backend[ADDRESS_TEXT_SIZE];
        int error = cut_off(worker, one);

        log_info("cut off connections service=%s backend=%s%s",
                 address_text(&one->service, service),
                 address_text(&one->backend, backend),
                 error != 0 ? " (failed)" : "");
    }
    /* Without memory what slips through lives on. */
    if (reserve(&flush->again, flush->n_again, flush->n_due) == 0) {
        memcpy(flush->again + flush->n_again, flush->due,
               flush->n_due * sizeof(*flush->due));
        flush->n_again += flush->n_due;
        uv_update_time(&worker->loop);
        /* Cannot fail on an open timer. */
        (void)uv_timer_start(&flush->timer, on_again, FLUSH_AGAIN_MS, 0);
    }
    free(flush->due);
    flush->due = NULL;
    flush->n_due = 0;
}

int worker_flush_new(struct worker *worker)
{
    worker->flush = calloc(1, sizeof(*worker->flush));
    if (worker->flush == NULL) {
        return -ENOMEM;
    }
    worker->flush->timer.data = worker;
    return uv_timer_init(&worker->loop, &worker->flush->timer);
}

static void on_closed(uv_handle_t *handle)
{
    struct worker *worker = handle->data;

    free(worker->flush->due);
    free(worker->flush->again);
    free(worker->flush);
    worker->flush = NULL;
}

void worker_flush_free(struct worker *worker)
{
    if (worker->flush != NULL) {
        uv_close((uv_handle_t *)&worker->flush->timer, on_closed);
    }
}
