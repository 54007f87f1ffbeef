/*
 * The kernel's side: links, routes and address as planned, and the tunnel's
 * port on the bridge, which joins them to the switch.
 */
#ifndef SOCKETNET_AGENT_WORKER_WORKER_KERNEL_H
#define SOCKETNET_AGENT_WORKER_WORKER_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/base/macros.h"
#include "reconcilers/kernel/netlink.h"

struct plan;
struct worker;

_must_check_ int worker_kernel_new(struct worker *worker);
void worker_kernel_free(struct worker *worker);

/* Looks again at what the kernel holds, when it said that it changed. */
void worker_kernel_look(struct worker *worker);
/* MTU of the mesh interface as last seen, 0: unknown. */
uint32_t worker_kernel_mesh_mtu(const struct worker *worker);
/* Makes device, forwards, routes and address as planned, when the plan or
 * the kernel changed; takes those arrays out of the plan.  Returns the number
 * of changes. */
size_t worker_kernel_apply(struct worker *worker, struct plan *plan);
/* What that would do, as netlink_apply says it. */
_must_check_ int worker_kernel_preview(struct worker *worker,
                                       const struct plan *plan,
                                       netlink_note_fn note, void *data,
                                       size_t *ret_n_changes,
                                       char ret_text[160]);
/* Whether the last apply failed, and that it is to be tried again. */
bool worker_kernel_has_failed(const struct worker *worker);
void worker_kernel_retry(struct worker *worker);

/* Adds, replaces or removes the tunnel's port on the bridge. */
void worker_kernel_tunnel_port(struct worker *worker, const struct plan *plan);
/* A change of that port is on its way. */
bool worker_kernel_is_porting(const struct worker *worker);
/* The database is gone: what was on its way is not heard of again. */
void worker_kernel_forget(struct worker *worker);

/* Removes everything of ours from the kernel and our port from OVSDB. */
void worker_kernel_remove(struct worker *worker);

#endif
