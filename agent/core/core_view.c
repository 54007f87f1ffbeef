/*
 * After the node's view changed: the catalogue, the desired state and what is
 * told of them, once per turn of the loop however many records came in it.
 * Work marked in any phase of a turn is done in its check phase; the idle
 * handle keeps the poll before it from waiting.
 */
#include "agent/core/core_internal.h"

#include <errno.h>
#include <string.h>

#include "agent/catalog/catalog.h"
#include "agent/catalog/desired_builder.h"
#include "agent/config/config.h"
#include "agent/core/worker_link.h"
#include "agent/system/clock.h"
#include "agent/system/log.h"

/* After a rebuild that took longer than this the next waits twice as long, so
 * that a flood of records in a large cluster leaves the loop time for
 * everything else. */
#define CORE_VIEW_LONG_US 2000
/* Until a rebuild that had no memory is tried again. */
#define CORE_VIEW_RETRY_MS 1000

static void core_view_idle(uv_idle_t *idle)
{
    (void)idle; /* being active is all it does */
}

void core_view_wake(struct core *core)
{
    if (core->internal->phase != CORE_ENDING) {
        (void)uv_idle_start(&core->internal->idle,
                            core_view_idle); /* fails only when closing */
    }
}

void core_view_changed(struct core *core)
{
    core->internal->is_view_dirty = true;
    core_view_wake(core);
}

void core_view_observed(struct core *core)
{
    core->internal->is_observed = true;
    core_view_wake(core);
}

static void core_view_due(uv_timer_t *timer)
{
    core_view_changed(timer->data);
}

static void core_view_later(struct core *core, uint64_t wait_ms)
{
    if (core->internal->phase != CORE_ENDING) {
        (void)uv_timer_start(&core->internal->view_timer, core_view_due,
                             wait_ms, 0); /* fails only when closing */
    }
}

/* Milliseconds that the next rebuild has to wait. */
static uint64_t core_view_wait_ms(const struct core_internal *internal)
{
    uint64_t next_us = internal->view_end_us + 2 * internal->view_took_us;
    uint64_t now_us = clock_now_us();

    if (internal->view_took_us < CORE_VIEW_LONG_US || now_us >= next_us) {
        return 0;
    }
    return (next_us - now_us) / 1000 + 1;
}

static int core_view_tell_worker(struct core *core)
{
    struct desired desired = DESIRED_INIT;
    uint64_t now_ms = clock_now_ms();
    uint64_t deadline_ms;
    int error = desired_builder_run(core->internal->builder, core->catalog,
                                    core->node, now_ms, &desired);

    if (error != 0) {
        return error;
    }
    worker_link_update(core->worker, &desired);
    desired_done(&desired);
    deadline_ms = desired_builder_deadline_ms(core->internal->builder);
    if (deadline_ms != UINT64_MAX) {
        core_view_later(core, deadline_ms > now_ms ? deadline_ms - now_ms : 0);
    }
    return 0;
}

static bool core_view_is_held(struct core *core)
{
    bool is_held = node_holds(core->node, NULL, 0) > 0;

    if (is_held != core->internal->is_held) {
        core->internal->is_held = is_held;
        log_info("the cluster is %s",
                 is_held ? "frozen: nothing new is applied" : "released");
    }
    return is_held;
}

static void core_view_rebuild(struct core *core)
{
    struct core_internal *internal = core->internal;
    uint64_t start_us = clock_now_us();
    int error;

    internal->is_view_dirty = false;
    core_identity_review(core); /* before: it may give another range */
    error = catalog_rebuild(core->catalog, core->node);
    /* One who leaves has asked the worker to remove everything: no more.  And
     * while the cluster is to stand still, it keeps what it has. */
    if (error == 0 && core->worker != NULL && internal->phase != CORE_LEAVING &&
        !core_view_is_held(core)) {
        error = core_view_tell_worker(core);
    }
    if (error != 0) {
        log_error("view not rebuilt: %s", strerror(-error));
        core_view_later(core, CORE_VIEW_RETRY_MS);
        return;
    }
    CORE_TELL(core, catalog_changed);
    internal->view_end_us = clock_now_us();
    internal->view_took_us = internal->view_end_us - start_us;
}

static void core_view_check(uv_check_t *check)
{
    struct core *core = check->data;
    struct core_internal *internal = core->internal;
    uint64_t wait_ms;

    if (!uv_is_active((uv_handle_t *)&internal->idle)) {
        return;
    }
    (void)uv_idle_stop(&internal->idle); /* never fails */
    core_write_report_failed(core);
    if (internal->is_observed) {
        internal->is_observed = false;
        core_finding_review(core);
        CORE_TELL(core, observed);
    }
    if (internal->is_view_dirty) {
        wait_ms = core_view_wait_ms(internal);
        if (wait_ms > 0) {
            core_view_later(core, wait_ms);
            return;
        }
        core_view_rebuild(core);
    }
    core_write_report_written(core);
    if (internal->starts_ready) {
        internal->starts_ready = false;
        core->is_ready = true;
        CORE_TELL(core, ready);
    }
}

void core_view_start(struct core *core)
{
    (void)uv_check_start(&core->internal->check,
                         core_view_check); /* fails only when closing */
}
