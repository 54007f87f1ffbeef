/*
 * The end, in three manners: a signal (the host lives on: announce a pause),
 * `agent leave` (withdraw, take the data plane away), a second signal (at
 * once).  The first two wait, within limits, until their record is on disk
 * and sent.
 */
#include "agent/core/core_internal.h"

#include <stdlib.h>
#include <string.h>

#include "agent/core/events.h"
#include "agent/core/store_thread.h"
#include "agent/core/worker_link.h"
#include "agent/system/clock.h"
#include "agent/system/log.h"

/* Peers keep our instances for so long after a pause. */
#define CORE_PAUSE_S 60
/* At most so long for the record of a pause to be stored and sent. */
#define CORE_PAUSE_WAIT_MS 300
/* The same for leaving, with what the worker has to remove. */
#define CORE_LEAVE_WAIT_MS 8000
/* From the commit on, so that the news is sent, by probes to several peers
 * as well, before the sockets close. */
#define CORE_QUIET_PAUSE_MS 30
#define CORE_QUIET_LEAVE_MS 500
#define CORE_STOP_TICK_MS   10

static void core_stop_end(struct core *core)
{
    core->internal->phase = CORE_ENDING;
    uv_stop(core->loop);
}

static void core_stop_left_stored(int error, void *data)
{
    (void)data;
    if (error != 0) {
        log_error("this node left, but that could not be noted down: %s; run "
                  "`agent reset --yes` before it is started again",
                  store_error_text(error));
    }
}

/* All of it done: then the fact itself is stored, so that a later start does
 * not come back under the name of one who left. */
static bool core_stop_note_left(struct core *core)
{
    struct core_internal *internal = core->internal;
    int error;

    if (internal->is_left_stored) {
        return true;
    }
    internal->is_left_stored = true;
    error = store_thread_put_setting(core->store, CORE_SETTING_LEFT, "1", 1,
                                     core_stop_left_stored, NULL);
    if (error != 0) {
        core_stop_left_stored(error, NULL);
    }
    return false;
}

static void core_stop_tick(uv_timer_t *timer)
{
    struct core *core = timer->data;
    struct core_internal *internal = core->internal;
    uint64_t now_ms = clock_now_ms();
    uint64_t quiet_ms = internal->phase == CORE_LEAVING ? CORE_QUIET_LEAVE_MS
                                                        : CORE_QUIET_PAUSE_MS;
    bool is_busy = internal->n_storing > 0 || internal->is_worker_asked;

    if (now_ms < internal->stop_ms) {
        if (is_busy) {
            internal->quiet_ms = 0;
            return;
        }
        if (internal->quiet_ms == 0) {
            internal->quiet_ms = now_ms;
        }
        if (now_ms < internal->quiet_ms + quiet_ms) {
            return;
        }
    }
    if (internal->phase == CORE_LEAVING && !core_stop_note_left(core)) {
        return; /* the store thread commits it before it ends */
    }
    core_stop_end(core);
}

void core_stop_start(struct core *core)
{
    /* Only fails for a loop that is not one. */
    (void)uv_timer_init(core->loop, &core->internal->stop_timer);
    core->internal->stop_timer.data = core;
}

/* Gives the node its last event and waits for what comes of it. */
static void core_stop_begin(struct core *core, struct node_event *event,
                            uint64_t wait_ms)
{
    struct core_internal *internal = core->internal;

    core->is_stopping = true;
    internal->quiet_ms = 0;
    internal->stop_ms = clock_now_ms() + wait_ms;
    core_step(core, event);
    (void)uv_timer_start(&internal->stop_timer, core_stop_tick,
                         CORE_STOP_TICK_MS,
                         CORE_STOP_TICK_MS); /* fails only when closing */
}

void core_stop_asked(struct core *core)
{
    struct node_event event = {.type = NODE_EVENT_PAUSE,
                               .pause_s = CORE_PAUSE_S};

    if (core->internal->phase != CORE_RUNNING) {
        log_info("stopping at once");
        core_stop_end(core);
        return;
    }
    log_info("stopping: announcing a pause of s=%d", CORE_PAUSE_S);
    core->internal->phase = CORE_PAUSING;
    core_stop_begin(core, &event, CORE_PAUSE_WAIT_MS);
}

static void core_stop_removed(int error, const char *json, size_t len,
                              void *data)
{
    struct core *core = data;

    (void)json; /* the worker has logged what it removed */
    (void)len;
    core->internal->is_worker_asked = false;
    if (error != 0) {
        log_warning("the data plane was not removed: %s; `agent reset --yes` "
                    "removes what is left of it",
                    strerror(-error));
    }
}

int core_leave(struct core *core)
{
    struct node_event event = {.type = NODE_EVENT_LEAVE};

    if (core->internal->phase == CORE_LEAVING) {
        return 0;
    }
    log_info("leaving the cluster");
    core->internal->phase = CORE_LEAVING;
    if (core->worker != NULL) {
        core->internal->is_worker_asked = true;
        worker_link_query(core->worker, "remove", core_stop_removed, core);
    }
    core_stop_begin(core, &event, CORE_LEAVE_WAIT_MS);
    return 0;
}
