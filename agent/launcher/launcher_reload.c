/*
 * SIGHUP.  The files are read here first: when they are wrong, nobody gets
 * anything of them.  Then core and worker read them again themselves; a
 * worker whose part changed is started again, since it checks what core asks
 * for against what it read before it gave up its rights.  Its flows stand.
 */
#include "agent/launcher/launcher_internal.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/config/config.h"
#include "agent/config/config_change.h"
#include "agent/launcher/launcher_notify.h"
#include "agent/system/clock.h"
#include "agent/system/log.h"

/* A worker that is asked to end is killed after this. */
#define RENEW_MS 3000

static void reload_child(struct launcher_child *child)
{
    if (child->pid > 0 && child->is_ready) {
        (void)kill(child->pid, SIGHUP); /* it may just have ended */
    } else {
        /* It may have read the files before they changed. */
        child->wants_reload = child->pid > 0;
    }
}

static void renew_worker(struct launcher_child *worker)
{
    if (worker->pid > 0 && worker->kill_ms == 0) {
        worker->is_renewed = true;
        worker->kill_ms = clock_now_ms() + RENEW_MS;
        (void)kill(worker->pid, SIGTERM); /* it may just have ended */
    }
}

/* An agent that is not up yet is not made so by a reload. */
static void notify_end(const struct launcher *launcher, const char *what,
                       const char *keys)
{
    char state[2 * CONFIG_CHANGE_TEXT_SIZE];

    if (launcher->core.was_ready) {
        (void)snprintf(state, sizeof(state), "READY=1\nSTATUS=running%s%s",
                       what, keys);
        launcher_notify(state);
    }
}

void launcher_reload(struct launcher *launcher)
{
    _cleanup_(free_pointer) char *problem = NULL;
    const struct config *before =
        launcher->latest != NULL ? launcher->latest : launcher->config;
    char keys[CONFIG_CHANGE_TEXT_SIZE];
    struct config *config;

    if (launcher->core.was_ready) {
        launcher_notify_reloading();
    }
    if (config_load_again(launcher->config, &config, &problem) != 0) {
        log_error("reload refused, everything stays as it was: %s",
                  problem != NULL ? problem : "out of memory");
        notify_end(launcher, "; the last reload was refused, see the log", "");
        return;
    }
    log_set_level(config->log_level);
    reload_child(&launcher->core);
    if (config_changes(before, config, CONFIG_CHANGE_WORKER, keys) > 0) {
        log_info("reload: %s changed, the worker starts again", keys);
        renew_worker(&launcher->worker);
    } else {
        reload_child(&launcher->worker);
    }
    if (config_changes(launcher->config, config, CONFIG_CHANGE_RESTART, keys) >
        0) {
        log_warning("reload: %s changed; that needs a restart of the agent, "
                    "until then it goes on with the old",
                    keys);
        notify_end(launcher, "; needs a restart: ", keys);
    } else {
        notify_end(launcher, "", "");
    }
    log_info("reloaded");
    launcher->latest = config_free(launcher->latest);
    launcher->latest = config;
}
