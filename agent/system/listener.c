/*
 * See listener.h.
 */
#include "agent/system/listener.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <sys/socket.h>

#include "agent/system/log.h"

/* Connections taken in one turn of the loop, which has other things to do. */
#define LISTENER_BURST 64

static void listener_readable(uv_poll_t *poll, int status, int events);

static void listener_watch(struct listener *listener)
{
    int error = uv_poll_start(&listener->poll, UV_READABLE, listener_readable);

    if (error != 0) {
        log_error("a socket accepts no more: %s", uv_strerror(error));
    }
}

static void listener_retry(uv_timer_t *timer)
{
    listener_watch(timer->data);
}

/* accept failed: what waits to be accepted goes on waiting. */
static void listener_pause(struct listener *listener, int error)
{
    if (error != listener->error) {
        log_warning("connections wait, accept fails: %s", strerror(error));
    }
    listener->error = error;
    (void)uv_poll_stop(&listener->poll); /* never fails */
    (void)uv_timer_start(&listener->timer, listener_retry, LISTENER_RETRY_MS,
                         0); /* fails only when closing */
}

static void listener_readable(uv_poll_t *poll, int status, int events)
{
    struct listener *listener = poll->data;

    (void)status; /* accept tells the same */
    (void)events; /* readable is all that was asked for */
    for (int i = 0; i < LISTENER_BURST && listener->fd >= 0; i++) {
        int fd =
            accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd < 0 && (errno == EINTR || errno == ECONNABORTED)) {
            continue;
        }
        if (fd < 0) {
            if (errno != EAGAIN) {
                listener_pause(listener, errno);
            }
            return;
        }
        listener->error = 0;
        if (listener->accept(fd, listener->data) != 0) {
            (void)close(fd); /* nothing was written */
        }
    }
}

void listener_init(struct listener *listener, uv_loop_t *loop,
                   listener_accept_fn accept, void *data)
{
    *listener = (struct listener){
        .fd = -1, .n_handles = 1, .accept = accept, .data = data};
    (void)uv_timer_init(loop, &listener->timer); /* never fails */
    listener->timer.data = listener;
}

int listener_start(struct listener *listener, int fd, int backlog)
{
    int error = listen(fd, backlog) < 0 ? -errno : 0;

    if (error == 0) {
        error = uv_poll_init(listener->timer.loop, &listener->poll, fd);
    }
    if (error != 0) {
        (void)close(fd); /* nothing was written */
        return error;
    }
    listener->fd = fd;
    listener->n_handles++;
    listener->poll.data = listener;
    return uv_poll_start(&listener->poll, UV_READABLE, listener_readable);
}

static void listener_handle_closed(uv_handle_t *handle)
{
    struct listener *listener = handle->data;

    listener->n_handles--;
    if (listener->n_handles == 0) {
        listener->closed(listener->data);
    }
}

void listener_close(struct listener *listener, listener_closed_fn closed)
{
    listener->closed = closed;
    if (listener->fd >= 0) {
        uv_close((uv_handle_t *)&listener->poll, listener_handle_closed);
        (void)close(listener->fd); /* nothing was written */
        listener->fd = -1;
    }
    uv_close((uv_handle_t *)&listener->timer, listener_handle_closed);
}
