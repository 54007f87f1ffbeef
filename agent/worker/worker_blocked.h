/*
 * Which flows of ours do not act, and why: a foreign one has the same key,
 * covers them, or somebody keeps rewriting them and they are left alone.  Pure.
 */
#ifndef SOCKETNET_AGENT_WORKER_WORKER_BLOCKED_H
#define SOCKETNET_AGENT_WORKER_WORKER_BLOCKED_H

#include <stddef.h>

#include "agent/worker/worker_core.h"

struct ofconn_dump;
struct plan;

struct worker_blocked {
    size_t n; /* flows of ours */
    char text[WORKER_BLOCKED_SIZE];
};

/* Names the first foreign flow with what it covers of ours, and how many others
 * there are. */
void worker_blocked_find(const struct plan *plan,
                         const struct ofconn_dump *present,
                         struct worker_blocked *ret);
/* So many more are held down. */
void worker_blocked_add_held(struct worker_blocked *blocked, size_t n_held);

#endif
