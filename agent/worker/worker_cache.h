/*
 * What the switch holds, as we know it.  Pure.
 */
#ifndef SOCKETNET_AGENT_WORKER_WORKER_CACHE_H
#define SOCKETNET_AGENT_WORKER_WORKER_CACHE_H

#include <stdint.h>

#include "gossip/base/macros.h"
#include "reconcilers/ovs/ofconn.h"
#include "reconcilers/plan/plan.h"

struct worker_holddown;

/* Makes `present` what it is after the diff was applied; moves flows and
 * groups out of the plan.  0 or -ENOMEM: `present` is unusable. */
_must_check_ int worker_cache_commit(struct ofconn_dump *present,
                                     struct plan *plan,
                                     const struct diff *diff);

typedef void (*worker_cache_held_fn)(const char *what, uint32_t wait_ms,
                                     void *data);
/* Notes every flow and group of ours that differs between what we knew and
 * what is there: somebody else did that.  Sorts both.  Calls fn for each
 * that is left alone from now on. */
void worker_cache_drift(struct ofconn_dump *known, struct ofconn_dump *there,
                        struct worker_holddown *holddown, uint64_t now_ms,
                        worker_cache_held_fn fn, void *data);

/* Takes what is held, and conflicts, out of the diff.  How many were held. */
size_t worker_cache_hold(struct diff *diff,
                         const struct worker_holddown *holddown,
                         uint64_t now_ms);

#endif
