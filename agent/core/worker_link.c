/*
 * Core's end of the socketpair: the desired state goes out as a snapshot and
 * then as numbered deltas, which are the difference of two sorted sets.
 */
#include "agent/core/worker_link.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/core/core.h"
#include "agent/core/core_internal.h"
#include "agent/core/worker_link_internal.h"
#include "agent/system/log.h"

/* Messages of one turn of the loop; the rest stays readable. */
#define MESSAGES_PER_TURN 64

int worker_link_new(struct core *core, struct worker_link **ret)
{
    struct worker_link *link = calloc(1, sizeof(*link));

    if (link == NULL) {
        return -ENOMEM;
    }
    link->core = core;
    link->fd = -1;
    (void)uv_timer_init(core->loop, &link->timer); /* cannot fail */
    link->timer.data = link;
    *ret = link;
    return 0;
}

static void detach(struct worker_link *link)
{
    link->watch = watch_free(link->watch);
    if (link->fd >= 0) {
        (void)close(link->fd); /* what was not sent is sent as a snapshot */
    }
    link->fd = -1;
    free(link->buffer);
    link->buffer = NULL;
    ipc_queue_done(&link->queue);
    link->is_in_step = false;
    link->wants_snapshot = false;
    link->is_settled = false;
    link->status.is_connected = false;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

struct worker_link *worker_link_free(struct worker_link *link)
{
    if (link == NULL) {
        return NULL;
    }
    detach(link);
    worker_link_free_asks(link);
    worker_link_forget(link);
    free(link->ports);
    free(link->neighbors);
    free(link->refusals);
    desired_done(&link->desired);
    uv_close((uv_handle_t *)&link->timer, on_closed);
    return NULL;
}

static void lose(struct worker_link *link, const char *why)
{
    log_warning("worker lost why=\"%s\"", why);
    detach(link);
    worker_link_fail_asks(link, true, -ENOTCONN);
    core_view_observed(link->core);
}

/* A message that could not be queued makes the worker's copy worthless: it
 * gets a new snapshot as soon as there is room. */
static void send_message(struct worker_link *link,
                         const struct ipc_message *message)
{
    int error = ipc_queue_send(&link->queue, link->fd, message);

    if (error == 0 || error == IPC_E_CLOSED) {
        return; /* a closed one is noticed by reading */
    }
    log_warning("worker does not keep up error=%d, sending all anew", error);
    ipc_queue_done(&link->queue);
    link->is_in_step = false;
    link->wants_snapshot = true;
}

static void send_item(struct worker_link *link, uint8_t type, uint8_t op,
                      const struct desired_item *item)
{
    _cleanup_(free_pointer) uint8_t *bytes = malloc(DESIRED_ITEM_SIZE_MAX);
    struct ipc_message message = {.type = type, .value = op, .fd = -1};

    if (bytes == NULL || desired_item_pack(item, bytes, DESIRED_ITEM_SIZE_MAX,
                                           &message.size) != 0) {
        log_error("cannot pack a desired item, leaving it out");
        return;
    }
    message.bytes = bytes;
    if (type == IPC_DELTA) {
        link->status.sent_number++;
        message.number = link->status.sent_number;
    }
    send_message(link, &message);
}

static void send_snapshot(struct worker_link *link)
{
    struct ipc_message begin = {.type = IPC_SNAPSHOT_BEGIN, .fd = -1};
    struct ipc_message end = {.type = IPC_SNAPSHOT_END, .fd = -1};

    link->status.sent_number++;
    begin.number = link->status.sent_number;
    end.number = begin.number;
    link->wants_snapshot = false;
    link->is_in_step = true;
    send_message(link, &begin);
    for (size_t i = 0; i < link->desired.n_items && link->is_in_step; i++) {
        send_item(link, IPC_SNAPSHOT_ITEM, 0, &link->desired.items[i]);
    }
    if (link->is_in_step) {
        send_message(link, &end);
    }
}

void worker_link_settle(struct worker_link *link)
{
    int error = 0;

    if (link->fd < 0) {
        return;
    }
    if (!ipc_queue_is_empty(&link->queue)) {
        error = ipc_queue_flush(&link->queue, link->fd);
    }
    /* Only into an empty queue: one that overflowed would do so again. */
    if (error == 0 && link->wants_snapshot && link->has_desired) {
        send_snapshot(link);
    }
    watch_want(link->watch, ipc_queue_is_empty(&link->queue) &&
                                    !(link->wants_snapshot && link->has_desired)
                                ? POLLIN
                                : POLLIN | POLLOUT);
}

static void on_watch(short events, void *data)
{
    struct worker_link *link = data;

    for (size_t i = 0; i < MESSAGES_PER_TURN && (events & POLLIN) != 0; i++) {
        struct ipc_message message;
        int error =
            ipc_receive(link->fd, link->buffer, IPC_MESSAGE_MAX, &message);

        if (error == IPC_E_AGAIN) {
            break;
        }
        if (error == IPC_E_MALFORMED) {
            link->n_malformed++;
            continue;
        }
        if (error != 0) {
            lose(link, error == IPC_E_CLOSED ? "it ended" : strerror(-error));
            return;
        }
        if (message.fd >= 0) {
            (void)close(message.fd); /* the worker has none to give */
        }
        worker_link_take(link, &message);
        core_view_observed(link->core);
        if (link->fd < 0) {
            return;
        }
    }
    worker_link_settle(link);
}

void worker_link_attach(struct worker_link *link, int fd)
{
    struct ipc_message hello = {.type = IPC_HELLO,
                                .number = IPC_VERSION,
                                .value = (int64_t)getpid(),
                                .fd = -1};
    int error;

    if (link->fd >= 0) {
        lose(link, "a new one takes its place");
    }
    link->fd = fd;
    link->buffer = malloc(IPC_MESSAGE_MAX);
    error = link->buffer == NULL
                ? -ENOMEM
                : watch_new(link->core->loop, fd, on_watch, link, &link->watch);
    if (error < 0) {
        lose(link, strerror(-error));
        return;
    }
    send_message(link, &hello);
    worker_link_settle(link);
}

/* Merges the two sorted sets and sends what differs. */
static void send_difference(struct worker_link *link, const struct desired *old,
                            const struct desired *new)
{
    size_t i = 0;
    size_t j = 0;

    while ((i < old->n_items || j < new->n_items) && link->is_in_step) {
        int order = i == old->n_items ? 1
                    : j == new->n_items
                        ? -1
                        : desired_item_compare(&old->items[i], &new->items[j]);

        if (order < 0) {
            send_item(link, IPC_DELTA, IPC_DELTA_REMOVE, &old->items[i]);
        } else if (order > 0 ||
                   !desired_item_equal(&old->items[i], &new->items[j])) {
            send_item(link, IPC_DELTA, IPC_DELTA_PUT, &new->items[j]);
        }
        i += order <= 0;
        j += order >= 0;
    }
}

void worker_link_update(struct worker_link *link, struct desired *desired)
{
    struct desired old = link->desired;

    link->desired = *desired;
    *desired = (struct desired)DESIRED_INIT;
    link->has_desired = true;
    if (link->fd >= 0 && link->is_in_step) {
        send_difference(link, &old, &link->desired);
    }
    desired_done(&old);
    worker_link_settle(link);
}

const struct worker_status *worker_link_status(const struct worker_link *link)
{
    return &link->status;
}
