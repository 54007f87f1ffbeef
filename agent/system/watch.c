/*
 * Polled descriptors on a libuv loop.
 */
#include "agent/system/watch.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

struct watch {
    uv_poll_t handle; /* its data points here */
    watch_fn fn;
    void *data;
    short events;
};

static void on_poll(uv_poll_t *handle, int status, int events)
{
    struct watch *watch = handle->data;
    short ready = status < 0 ? POLLIN | POLLOUT : 0;

    if ((events & (UV_READABLE | UV_DISCONNECT)) != 0) {
        ready |= POLLIN;
    }
    if ((events & UV_WRITABLE) != 0) {
        ready |= POLLOUT;
    }
    watch->fn(ready, watch->data);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

int watch_new(uv_loop_t *loop, int fd, watch_fn fn, void *data,
              struct watch **ret)
{
    struct watch *watch = calloc(1, sizeof(*watch));
    int error;

    if (watch == NULL) {
        return -ENOMEM;
    }
    watch->fn = fn;
    watch->data = data;
    error = uv_poll_init(loop, &watch->handle, fd);
    if (error < 0) {
        free(watch);
        return error; /* libuv's errors are negative errnos here */
    }
    watch->handle.data = watch;
    *ret = watch;
    return 0;
}

struct watch *watch_free(struct watch *watch)
{
    if (watch != NULL) {
        uv_close((uv_handle_t *)&watch->handle, on_closed);
    }
    return NULL;
}

void watch_want(struct watch *watch, short events)
{
    int wanted = 0;

    if (watch == NULL || watch->events == events) {
        return;
    }
    if ((events & POLLIN) != 0) {
        wanted |= UV_READABLE;
    }
    if ((events & POLLOUT) != 0) {
        wanted |= UV_WRITABLE;
    }
    watch->events = events;
    if (wanted == 0) {
        (void)uv_poll_stop(&watch->handle); /* cannot fail */
        return;
    }
    /* Fails only on a handle that is closing, which nobody holds. */
    (void)uv_poll_start(&watch->handle, wanted, on_poll);
}
