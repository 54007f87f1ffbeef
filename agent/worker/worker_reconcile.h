/*
 * Rounds: what is wanted, what is there, the difference, one bundle.
 */
#ifndef SOCKETNET_AGENT_WORKER_WORKER_RECONCILE_H
#define SOCKETNET_AGENT_WORKER_WORKER_RECONCILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/base/macros.h"

struct plan;
struct worker;

_must_check_ int worker_reconcile_new(struct worker *worker);
/* Closes everything; the memory goes by _free, when the loop has run. */
void worker_reconcile_stop(struct worker *worker);
void worker_reconcile_free(struct worker *worker);

/* Something changed: a round comes within milliseconds. */
void worker_reconcile_soon(struct worker *worker);
/* The same, but first the switch is asked what it holds. */
void worker_reconcile_dump(struct worker *worker);
/* Something failed: another round comes later, and later each time. */
void worker_reconcile_retry(struct worker *worker);
/* The OpenFlow connection is gone: what was on its way is forgotten. */
void worker_reconcile_forget(struct worker *worker);
/* A new core counts anew: the round on its way is none of its. */
void worker_reconcile_new_core(struct worker *worker);

/* Plan from what is known now.  0 or -ENOMEM. */
_must_check_ int worker_reconcile_plan(struct worker *worker, struct plan *ret);
/* MAC of the bridge's own port; false: not known. */
bool worker_reconcile_local_mac(const struct worker *worker,
                                uint8_t ret_mac[6]);
/* Flows on the bridge as last known, of others too. */
size_t worker_reconcile_n_flows(const struct worker *worker);

#endif
