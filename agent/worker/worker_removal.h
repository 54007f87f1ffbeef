/*
 * "remove": everything of ours is taken away, and nothing is reconciled from
 * then on.  Done when the flows and the tunnel's port are gone.
 */
#ifndef SOCKETNET_AGENT_WORKER_WORKER_REMOVAL_H
#define SOCKETNET_AGENT_WORKER_WORKER_REMOVAL_H

#include <stdbool.h>
#include <stddef.h>

#include "gossip/base/macros.h"

struct worker;

_must_check_ int worker_removal_new(struct worker *worker);
void worker_removal_free(struct worker *worker);

void worker_removal_start(struct worker *worker);
bool worker_removal_is_asked(const struct worker *worker);
/* The flows are gone, or cannot be removed for this reason ("": none). */
void worker_removal_flows_done(struct worker *worker, size_t n_flows,
                               size_t n_groups, const char *problem);
/* The tunnel's port is gone, or cannot be removed. */
void worker_removal_port_done(struct worker *worker);

#endif
