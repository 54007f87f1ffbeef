/*
 * What the worker knows, as JSON for core's queries: pure, and whole or NULL
 * when memory ended (json_build.h).  worker_query.c asks for it.
 */
#ifndef SOCKETNET_AGENT_WORKER_WORKER_JSON_H
#define SOCKETNET_AGENT_WORKER_WORKER_JSON_H

#include <jansson.h>

#include "agent/worker/worker_neighbors.h"
#include "agent/worker/worker_ports.h"
#include "reconcilers/ovs/ofconn.h"
#include "reconcilers/ovs/ovsdb.h"
#include "reconcilers/plan/plan.h"

/* Our flows and groups of a dump, which is put in order for it, each with what
 * the plan says that it is for; the number of foreign ones. */
json_t *worker_json_flows(const char *bridge, struct ofconn_dump *dump,
                          const struct plan *plan);

/* What a reconciliation would change.  Begun, filled by any of the next three,
 * and ended, which takes the lists over. */
struct worker_json_changes {
    json_t *changes;
    json_t *conflicts;
};

void worker_json_begin(struct worker_json_changes *ret);
void worker_json_diff(struct worker_json_changes *changes,
                      const struct ofconn_dump *dump, const struct plan *plan);
/* A change of the kernel's state, and why that cannot be told. */
void worker_json_note(struct worker_json_changes *changes, const char *text);
void worker_json_conflict(struct worker_json_changes *changes,
                          const char *text);
json_t *worker_json_end(struct worker_json_changes *changes, const char *bridge,
                        const struct plan *plan);

/* A port, its device, and the addresses that live behind it. */
json_t *worker_json_port(const struct ovsdb_port *port,
                         enum worker_device device,
                         const struct worker_neighbors *known);

#endif
