/*
 * A listening stream socket on a loop, which goes on accepting whatever fails.
 * Not uv_listen: libuv accepts no more until a connection that could not be
 * taken for want of memory is taken, and turns in its place for as long as
 * accept itself fails.  Here what fails waits a moment in the kernel's queue.
 */
#ifndef SOCKETNET_AGENT_SYSTEM_LISTENER_H
#define SOCKETNET_AGENT_SYSTEM_LISTENER_H

#include <stdbool.h>

#include <uv.h>

#include "gossip/base/macros.h"

/* Until accept is tried again after it failed. */
#define LISTENER_RETRY_MS 100

struct listener;

/* Takes a connection over: non-blocking, close-on-exec.  0; negative errno: it
 * was not taken, and the listener closes it. */
typedef int (*listener_accept_fn)(int fd, void *data);
typedef void (*listener_closed_fn)(void *data);

/* Of its owner's struct; the fields are the listener's own. */
struct listener {
    uv_poll_t poll;
    uv_timer_t timer; /* active: accept waits */
    int fd;           /* -1: not listening */
    unsigned n_handles;
    int error; /* of the last accept, so that it is logged once */
    listener_accept_fn accept;
    listener_closed_fn closed;
    void *data;
};

/* Makes it ready for listener_start and listener_close; never fails. */
void listener_init(struct listener *listener, uv_loop_t *loop,
                   listener_accept_fn accept, void *data);
/* Listens on a bound, non-blocking socket, which it takes over, also when it
 * fails.  0 or negative errno. */
_must_check_ int listener_start(struct listener *listener, int fd, int backlog);
/* Listens no more.  `closed` is called in a later turn of the loop, when the
 * struct may go. */
void listener_close(struct listener *listener, listener_closed_fn closed);

#endif
