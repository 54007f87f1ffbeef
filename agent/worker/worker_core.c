/*
 * The worker's end of the socketpair to core: desired state in.  When core is
 * gone the data plane stays as it is and goes on being repaired; a new core
 * gets everything told again.  worker_core_send.c says what is told.
 */
#include "agent/worker/worker_core_internal.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/ipc/ipc.h"
#include "agent/system/watch.h"
#include "agent/worker/worker_connected.h"
#include "agent/worker/worker_private.h"
#include "agent/worker/worker_probe.h"
#include "agent/worker/worker_query.h"
#include "agent/worker/worker_reconcile.h"

/* Messages of one turn of the loop; the rest stays readable. */
#define MESSAGES_PER_TURN 1024

int worker_core_new(struct worker *worker)
{
    worker->core = calloc(1, sizeof(*worker->core));
    if (worker->core == NULL) {
        return -ENOMEM;
    }
    worker->core->fd = -1;
    return 0;
}

void worker_core_free(struct worker *worker)
{
    if (worker->core != NULL) {
        worker_core_detach(worker);
        worker_core_send_forget(worker->core);
    }
    free(worker->core);
    worker->core = NULL;
}

void worker_core_send(struct worker *worker, const struct ipc_message *message)
{
    int error;

    if (worker->core->fd < 0) {
        return;
    }
    error = ipc_queue_send(&worker->core->queue, worker->core->fd, message);
    if (error != 0 && error != IPC_E_CLOSED) {
        log_warning("core does not keep up error=%d, a message is lost", error);
    }
}

void worker_core_detach(struct worker *worker)
{
    worker->core->watch = watch_free(worker->core->watch);
    if (worker->core->fd >= 0) {
        (void)close(worker->core->fd); /* nobody reads what is unsent */
    }
    worker->core->fd = -1;
    ipc_queue_done(&worker->core->queue);
    worker_query_core_lost(worker);
}

static void send_number(struct worker *worker, uint8_t type, uint64_t number,
                        int64_t value)
{
    struct ipc_message message = {.type = type,
                                  .number = number,
                                  .value = value,
                                  .flag = worker->observe,
                                  .fd = -1};

    worker_core_send(worker, &message);
}

void worker_core_want_snapshot(struct worker *worker)
{
    send_number(worker, IPC_WANT_SNAPSHOT, worker->state.number, 0);
}

/* Nothing of it is done; core has us started again. */
static void refuse_core(struct worker *worker,
                        const struct ipc_message *message)
{
    if (!worker->core->is_refused) {
        worker->core->is_refused = true;
        log_warning("core speaks version=%llu, this worker %d: waiting to be "
                    "started again; the data plane stays as it is",
                    message->type == IPC_HELLO
                        ? (unsigned long long)message->number
                        : 1ULL, /* that had no hello */
                    IPC_VERSION);
    }
}

static void take(struct worker *worker, const struct ipc_message *message)
{
    int result;

    if (message->type == IPC_HELLO) {
        worker->core->is_known = message->number == IPC_VERSION;
    }
    if (!worker->core->is_known) {
        refuse_core(worker, message);
        return;
    }
    if (message->type == IPC_HELLO) {
        return;
    }
    if (message->type == IPC_QUERY) {
        worker_query_start(worker, message);
        return;
    }
    result = worker_state_handle(&worker->state, message);
    if (result == WORKER_STATE_CHANGED) {
        worker_core_send_refusals(worker);
        worker_connected_tell(worker);
        worker_probe_update(worker);
        worker_reconcile_soon(worker);
    } else if (result == WORKER_STATE_BAD) {
        log_debug("dropped message type=%u", message->type);
    } else if (result != 0) {
        log_warning("%s, asking for a snapshot",
                    result < 0 ? strerror(-result) : "a message is missing");
        worker_core_want_snapshot(worker);
    }
}

static void on_watch(short events, void *data)
{
    struct worker *worker = data;

    for (size_t i = 0; i < MESSAGES_PER_TURN && (events & POLLIN) != 0; i++) {
        struct ipc_message message;
        int error = ipc_receive(worker->core->fd, worker->buffer,
                                IPC_MESSAGE_MAX, &message);

        if (error == IPC_E_AGAIN) {
            break;
        }
        if (error == IPC_E_MALFORMED) {
            log_debug("dropped a malformed message");
            continue;
        }
        if (error != 0) {
            log_info("core is gone, the data plane stays as it is");
            worker_core_detach(worker);
            return;
        }
        if (message.fd >= 0) {
            (void)close(message.fd); /* core has none to give */
        }
        take(worker, &message);
    }
    if (!ipc_queue_is_empty(&worker->core->queue) &&
        ipc_queue_flush(&worker->core->queue, worker->core->fd) < 0) {
        worker_core_detach(worker);
    }
}

void worker_core_settle(struct worker *worker)
{
    watch_want(worker->core->watch, ipc_queue_is_empty(&worker->core->queue)
                                        ? POLLIN
                                        : POLLIN | POLLOUT);
}

void worker_core_attach(struct worker *worker, int fd)
{
    if (worker->core->fd >= 0) {
        worker_core_detach(worker);
    }
    if (watch_new(&worker->loop, fd, on_watch, worker, &worker->core->watch) <
        0) {
        log_error("cannot watch the socket to core");
        (void)close(fd); /* core sees it closed */
        return;
    }
    worker->core->fd = fd;
    worker->core->is_known = false;
    worker->core->is_refused = false;
    worker_state_reconnected(&worker->state);
    worker_reconcile_new_core(worker);
    worker_core_send_forget(worker->core);
    send_number(worker, IPC_HELLO, IPC_VERSION, (int64_t)getpid());
    worker_core_send_all(worker);
    send_number(worker, IPC_WANT_SNAPSHOT, 0, 0);
}
