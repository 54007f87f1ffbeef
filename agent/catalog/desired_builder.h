/*
 * From members and catalogue to the desired items that the worker makes true:
 * one HOST per member, one FUNCTION per (function, protocol, port), one LOCAL
 * per own instance on a named port.  Pure but for one memory: an instance
 * that was deregistered stays as a backend without new connections for
 * DESIRED_BUILDER_DRAIN_MS, so that its open ones live on.  core.c calls it
 * after each rebuild of the catalogue; worker_link sends the difference.
 */
#ifndef SOCKETNET_AGENT_CATALOG_DESIRED_BUILDER_H
#define SOCKETNET_AGENT_CATALOG_DESIRED_BUILDER_H

#include <stdint.h>

#include "gossip/base/macros.h"
#include "reconcilers/plan/desired.h"

#define DESIRED_BUILDER_DRAIN_MS 60000
/* Draining instances remembered; past it the one that ends first goes. */
#define DESIRED_BUILDER_DRAINING_MAX 4096

struct catalog;
struct desired_builder;
struct node;

_must_check_ int desired_builder_new(struct desired_builder **ret);
struct desired_builder *desired_builder_free(struct desired_builder *builder);

/*
 * Fills `ret` (empty before) with the whole set for the view that `catalog`
 * was last rebuilt from.  now_ms is monotonic.  0; -ENOMEM: `ret` is empty and
 * nothing was remembered.
 */
_must_check_ int desired_builder_run(struct desired_builder *builder,
                                     const struct catalog *catalog,
                                     const struct node *node, uint64_t now_ms,
                                     struct desired *ret);

/* When the next draining instance ends, so that desired_builder_run is due
 * again; UINT64_MAX: never by time alone. */
uint64_t desired_builder_deadline_ms(const struct desired_builder *builder);

#endif
