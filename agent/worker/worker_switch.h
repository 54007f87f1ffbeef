/*
 * The worker's connections to Open vSwitch: opened again when they are lost,
 * and one sentence about what is wrong with them.
 */
#ifndef SOCKETNET_AGENT_WORKER_WORKER_SWITCH_H
#define SOCKETNET_AGENT_WORKER_WORKER_SWITCH_H

#include <stdbool.h>

#include "gossip/base/macros.h"
#include "reconcilers/ovs/ofconn.h"
#include "reconcilers/ovs/ovsdb.h"

struct worker;

_must_check_ int worker_switch_new(struct worker *worker);
/* Closes everything; the memory goes by _free, when the loop has run. */
void worker_switch_stop(struct worker *worker);
void worker_switch_free(struct worker *worker);
/* Before each poll: what the connections want to be polled for. */
void worker_switch_settle(struct worker *worker);

/* The connections, NULL while they cannot be used: OpenFlow not greeted yet,
 * the database not read.  Valid until the loop goes on. */
struct ofconn *worker_switch_ofconn(const struct worker *worker);
struct ovsdb *worker_switch_ovsdb(const struct worker *worker);
/* The database's row of the port, NULL: none, or the database is away. */
const struct ovsdb_port *worker_switch_port(const struct worker *worker,
                                            const char *name);

bool worker_switch_is_up(const struct worker *worker);
/* What is wrong, "" when it is up or was not judged yet. */
const char *worker_switch_text(const struct worker *worker);

#endif
