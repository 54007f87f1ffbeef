/*
 * The worker process from its start to its end: rights, loop, the control
 * socket to the launcher.  Its policy: worker_policy.c.
 */
#include "agent/worker/worker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "agent/ipc/ipc.h"
#include "agent/system/log.h"
#include "agent/system/memory.h"
#include "agent/system/privileges.h"
#include "agent/system/watch.h"
#include "agent/worker/worker_core.h"
#include "agent/worker/worker_flush.h"
#include "agent/worker/worker_hold.h"
#include "agent/worker/worker_kernel.h"
#include "agent/worker/worker_learn.h"
#include "agent/worker/worker_observe.h"
#include "agent/worker/worker_ports.h"
#include "agent/worker/worker_private.h"
#include "agent/worker/worker_probe.h"
#include "agent/worker/worker_reconcile.h"
#include "agent/worker/worker_refuse.h"
#include "agent/worker/worker_removal.h"
#include "agent/worker/worker_revive.h"
#include "agent/worker/worker_switch.h"

/* --- the launcher's socket --- */

/* The worker and what holds its process together. */
struct process {
    struct worker worker;
    struct watch *control;
    uv_signal_t signal; /* SIGTERM */
    uv_signal_t reload; /* SIGHUP */
    uv_prepare_t prepare;
};

static void on_control(short events, void *data)
{
    struct worker *worker = data;
    struct ipc_message message;
    int error;

    (void)events; /* only ever readable */
    while ((error = ipc_receive(IPC_CONTROL_FD, worker->buffer, IPC_MESSAGE_MAX,
                                &message)) == 0 ||
           error == IPC_E_MALFORMED) {
        if (error == 0 && message.type == IPC_PEER) {
            worker_core_attach(worker, message.fd);
        }
    }
    if (error != IPC_E_AGAIN) {
        log_info("the launcher is gone, ending; flows stay");
        uv_stop(&worker->loop);
    }
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct worker *worker = handle->data;

    log_debug("ending signal=%d, flows stay", number);
    uv_stop(&worker->loop);
}

/* SIGHUP, from the launcher, after it had read the files without a fault.  What
 * else of the worker's part changes, a new worker reads. */
static void on_reload(uv_signal_t *handle, int number)
{
    _cleanup_(config_free_pointer) struct config *config = NULL;
    _cleanup_(free_pointer) char *text = NULL;
    struct worker *worker = handle->data;

    (void)number;
    if (config_load_again(worker->config, &config, &text) != 0) {
        log_error("log level stays: %s", text != NULL ? text : "out of memory");
        return;
    }
    log_set_level(config->log_level);
}

/* Last before each wait: what was queued is sent, or waited for. */
static void on_prepare(uv_prepare_t *handle)
{
    struct worker *worker = handle->data;

    worker_switch_settle(worker);
    worker_core_settle(worker);
}

/* --- start and end --- */

/* Every part is there before the first of them hears of anything. */
static int make_parts(struct worker *worker)
{
    static int (*const makers[])(struct worker *) = {
        worker_core_new,    worker_ports_new,     worker_learn_new,
        worker_removal_new, worker_probe_new,     worker_refuse_new,
        worker_flush_new,   worker_reconcile_new, worker_kernel_new,
        worker_switch_new,
    };
    int error = 0;

    worker->buffer = malloc(IPC_MESSAGE_MAX);
    if (worker->buffer == NULL) {
        return -ENOMEM;
    }
    worker_state_init(&worker->state, &worker->policy);
    for (size_t i = 0; i < ARRAY_SIZE(makers) && error == 0; i++) {
        error = makers[i](worker);
    }
    return error;
}

static int start(struct process *process)
{
    struct worker *worker = &process->worker;
    struct ipc_message ready = {.type = IPC_READY, .fd = -1};
    int error = make_parts(worker);

    if (error < 0) {
        return error;
    }
    /* None of these fails on an open loop. */
    (void)uv_prepare_init(&worker->loop, &process->prepare);
    (void)uv_signal_init(&worker->loop, &process->signal);
    (void)uv_signal_init(&worker->loop, &process->reload);
    process->prepare.data = worker;
    process->signal.data = worker;
    process->reload.data = worker;
    (void)uv_prepare_start(&process->prepare, on_prepare);
    error = uv_signal_start(&process->signal, on_signal, SIGTERM);
    if (error == 0) {
        error = uv_signal_start(&process->reload, on_reload, SIGHUP);
    }
    if (error == 0) {
        error = watch_new(&worker->loop, IPC_CONTROL_FD, on_control, worker,
                          &process->control);
    }
    if (error < 0) {
        return error;
    }
    watch_want(process->control, POLLIN);
    error = ipc_send(IPC_CONTROL_FD, &ready);
    return error > 0 ? -EPIPE : error;
}

static void stop(struct process *process)
{
    struct worker *worker = &process->worker;

    process->control = watch_free(process->control);
    worker_core_detach(worker);
    worker_switch_stop(worker);
    worker_reconcile_stop(worker);
    worker_kernel_free(worker);
    worker_probe_free(worker);
    worker_refuse_free(worker);
    worker_flush_free(worker);
    worker_core_free(worker);
    uv_close((uv_handle_t *)&process->prepare, NULL);
    uv_close((uv_handle_t *)&process->signal, NULL);
    uv_close((uv_handle_t *)&process->reload, NULL);
    /* Runs the close callbacks; nothing else is left. */
    (void)uv_run(&worker->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&worker->loop); /* all handles are closed */
    worker_switch_free(worker);
    worker_reconcile_free(worker);
    worker_removal_free(worker);
    worker_learn_free(worker);
    worker_ports_free(worker);
    worker_revive_free(worker);
    worker_hold_free(worker);
    worker_observe_done(worker);
    worker_state_done(&worker->state);
    free(worker->buffer);
}

static int run(struct config *config, bool observe,
               const struct plan_policy *policy)
{
    struct process *process = calloc(1, sizeof(*process));
    struct worker *worker = process != NULL ? &process->worker : NULL;
    int error = worker == NULL ? -ENOMEM : uv_loop_init(&worker->loop);

    if (error < 0) {
        free(process);
        log_error("cannot start: %s", strerror(-error));
        return WORKER_EXIT_FAILED;
    }
    worker->config = config;
    worker->observe = observe;
    worker->policy = *policy;
    error = start(process);
    if (error < 0) {
        log_error("cannot start: %s", strerror(-error));
        return WORKER_EXIT_FAILED; /* the process ends, and with it all that was
                                      opened */
    }
    log_info("worker runs bridge=%s%s", policy->bridge,
             observe ? ", observing only" : "");
    memory_trim(); /* the configuration is read, the loop needs little */
    (void)uv_run(&worker->loop, UV_RUN_DEFAULT); /* until uv_stop */
    stop(process);
    free(process);
    return WORKER_EXIT_OK;
}

int worker_main(struct config *config, bool observe)
{
    _cleanup_(free_pointer) char *text = NULL;
    struct plan_policy policy;
    int error;

    log_set_process("worker");
    (void)prctl(PR_SET_NAME, "agent-worker", 0, 0, 0); /* for ps only */
    privileges_close_from(IPC_CONTROL_FD + 1);
    /* The genesis lies in core's directory: read while we still can. */
    error = worker_policy(config, !observe, &policy, &text);
    if (error == 0) {
        error = privileges_become_worker(&text);
    }
    if (error < 0) {
        log_error("%s", text != NULL ? text : "out of memory");
        return error == -EINVAL ? WORKER_EXIT_CONFIG : WORKER_EXIT_FAILED;
    }
    return run(config, observe, &policy);
}
