/*
 * The clock that the node is given: never before the latest time that this
 * node has seen, also across restarts.  What expired stays expired then, and a
 * host that boots with a clock behind (no battery, no time server yet) does
 * not refuse its own past: it waits for the clock.  The floor is kept in the
 * store, written along with other writes (store_thread.h).
 */
#include "agent/core/core_internal.h"

#include <string.h>
#include <time.h>

#include "agent/core/store_thread.h"
#include "agent/identity/identity.h"
#include "agent/system/clock.h"
#include "gossip/base/cursor.h"
#include "store/store.h"

/* A clock that is set back by less is a clock that is corrected. */
#define CORE_CLOCK_SLACK_MS 60000u
/* The store thread is told of the time so often. */
#define CORE_CLOCK_NOTE_MS 1000u

#define CORE_CLOCK_TEXT_SIZE 32

static const char *core_clock_text(uint64_t wall_ms,
                                   char text[CORE_CLOCK_TEXT_SIZE])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm parts = {0};

    if (gmtime_r(&seconds, &parts) == NULL ||
        strftime(text, CORE_CLOCK_TEXT_SIZE, "%Y-%m-%d %H:%M:%S UTC", &parts) ==
            0) {
        text[0] = '\0';
    }
    return text;
}

static int core_clock_load(struct store *store, uint64_t *ret_floor_ms)
{
    uint8_t bytes[STORE_THREAD_CLOCK_SIZE] = {0};
    struct reader reader = reader_init(bytes, sizeof(bytes));
    size_t size = 0;
    int error = store_get_setting(store, STORE_THREAD_CLOCK, bytes,
                                  sizeof(bytes), &size);

    if (error < 0) {
        return error;
    }
    *ret_floor_ms =
        error == 0 && size == sizeof(bytes) ? reader_u64(&reader) : 0;
    return 0;
}

/* The end of the own certificate: a clock past it is more likely wrong than
 * right, and as a floor would end the node for good. */
static uint64_t core_clock_limit_ms(const struct core *core)
{
    return core->identity == NULL
               ? 0
               : MIN_OF(core->identity->body.not_after_s, UINT64_MAX / 1000) *
                     1000;
}

static void core_clock_raise(struct core *core, uint64_t wall_ms)
{
    if (wall_ms > core->floor_ms && wall_ms <= core_clock_limit_ms(core)) {
        core->floor_ms = wall_ms;
    }
}

enum core_status core_clock_start(struct core *core, struct store *store,
                                  uint64_t wall_ms)
{
    uint64_t begin_s = core->identity->body.not_before_s;
    char text[CORE_CLOCK_TEXT_SIZE];
    uint64_t floor_ms = 0;
    int error = core_clock_load(store, &floor_ms);

    if (error != 0) {
        return core_refuse(core, CORE_STATUS_FAILED, "cannot read %s: %s",
                           store_directory(store), store_error_text(error));
    }
    /* Neither text has the time that it is now: it would be another at each
     * try, and be said each time. */
    if (wall_ms < floor_ms && floor_ms - wall_ms > CORE_CLOCK_SLACK_MS) {
        return core_refuse(
            core, CORE_STATUS_FAILED,
            "the clock of this host is behind: this node has run at %s "
            "already; set the clock (`date -u` shows it, `timedatectl set-ntp "
            "true` has it set), then it starts by itself; if that time was the "
            "wrong one, run `agent store forget-clock`",
            core_clock_text(floor_ms, text));
    }
    if (wall_ms / 1000 < begin_s) {
        return core_refuse(
            core, CORE_STATUS_FAILED,
            "the clock of this host is behind: the certificate of this node "
            "begins at %s; set the clock (`date -u` shows it, `timedatectl "
            "set-ntp true` has it set), then it starts by itself",
            core_clock_text(begin_s * 1000, text));
    }
    core->floor_ms = floor_ms;
    core_clock_raise(core, wall_ms);
    return CORE_STATUS_OK;
}

uint64_t core_wall_ms(const struct core *core)
{
    return MAX_OF(clock_wall_ms(), core->floor_ms);
}

uint64_t core_clock_step(struct core *core)
{
    struct core_internal *internal = core->internal;

    core_clock_raise(core, clock_wall_ms());
    if (core->store != NULL &&
        core->floor_ms - internal->noted_ms >= CORE_CLOCK_NOTE_MS) {
        internal->noted_ms = core->floor_ms;
        store_thread_note_clock(core->store, core->floor_ms);
    }
    return core_wall_ms(core);
}
