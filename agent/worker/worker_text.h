/*
 * Flows, groups and changes as lines for people: --observe, `agent reconcile`,
 * `agent reset` and the answers to core.
 */
#ifndef SOCKETNET_AGENT_WORKER_WORKER_TEXT_H
#define SOCKETNET_AGENT_WORKER_WORKER_TEXT_H

#include <stdio.h>

#include "gossip/base/macros.h"
#include "reconcilers/plan/plan.h"

/* As ovs-ofctl prints a group: malloc'd, NULL without memory. */
char *worker_text_group(const struct group *group);
/* "base", "host", "function", "local", or "unknown". */
const char *worker_text_kind(uint64_t cookie);
/* "add", "change", "remove", "conflict". */
const char *worker_text_op(enum diff_op op);

/* One line per change, each after `prefix`: "add flow table=4, ... # redis".
 * Returns the number of changes that are not conflicts. */
size_t worker_text_diff(FILE *out, const char *prefix, const struct diff *diff);
/* One line per flow, group, device, forward, route and pending item. */
void worker_text_plan(FILE *out, const struct plan *plan,
                      const struct plan_policy *policy);
void worker_text_pending(FILE *out, const struct plan *plan);

#endif
