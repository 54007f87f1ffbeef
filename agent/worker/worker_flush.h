/*
 * Cutting off the open connections of instances that were withdrawn.
 */
#ifndef SOCKETNET_AGENT_WORKER_WORKER_FLUSH_H
#define SOCKETNET_AGENT_WORKER_WORKER_FLUSH_H

#include "gossip/base/macros.h"

struct worker;

_must_check_ int worker_flush_new(struct worker *worker);
/* The memory goes when the loop has run. */
void worker_flush_free(struct worker *worker);

/* Takes what the state noted since.  0, or -ENOMEM: it stays there. */
_must_check_ int worker_flush_collect(struct worker *worker);
/* The groups no longer lead there: now the connections go. */
void worker_flush_run(struct worker *worker);

#endif
