/*
 * One polled descriptor on a libuv loop that may be given up at any moment:
 * libuv's own handle lives on until its close callback, the owner need not
 * care.  Used by worker_link.c and the worker.
 */
#ifndef SOCKETNET_AGENT_SYSTEM_WATCH_H
#define SOCKETNET_AGENT_SYSTEM_WATCH_H

#include <uv.h>

#include "gossip/base/macros.h"

struct watch;

/* `events` as poll(2) names them, POLLIN and POLLOUT; an error or a hang-up
 * counts as both. */
typedef void (*watch_fn)(short events, void *data);

/* Watches nothing yet.  The descriptor stays the caller's, who closes it
 * after watch_free.  0 or negative errno. */
_must_check_ int watch_new(uv_loop_t *loop, int fd, watch_fn fn, void *data,
                           struct watch **ret);
/* After it returns the function is not called any more. */
struct watch *watch_free(struct watch *watch);
/* Sets the events to wait for; 0 for none.  Cheap when nothing changes. */
void watch_want(struct watch *watch, short events);

#endif
