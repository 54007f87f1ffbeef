/*
 * The bridge's ports as the planner is to see them: of the database, less those
 * whose device is not the one that the switch opened.
 */
#ifndef SOCKETNET_AGENT_WORKER_WORKER_PORTS_H
#define SOCKETNET_AGENT_WORKER_WORKER_PORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/base/macros.h"
#include "reconcilers/plan/plan.h"

struct ovsdb_port;
struct worker;

/* What became of the device that the switch opened for a port.  It goes on
 * calling the port healthy in both of the other cases. */
enum worker_device {
    WORKER_DEVICE_THERE,
    WORKER_DEVICE_ANEW, /* made anew: the port is dead until it is revived */
    WORKER_DEVICE_GONE, /* none has the name: a container that ended */
};

_must_check_ int worker_ports_new(struct worker *worker);
void worker_ports_free(struct worker *worker);

/* Reads all of them, and tells who needs to know. */
void worker_ports_look(struct worker *worker);
/* The same, and a round follows: the database or the kernel said that a port
 * changed. */
void worker_ports_changed(struct worker *worker);
/* Whether they were ever read; when the database goes away they stay. */
bool worker_ports_are_known(const struct worker *worker);
/* Sorted by name; number 0: it carries nothing.  Valid until they change. */
const struct plan_port *worker_ports_list(const struct worker *worker,
                                          size_t *ret_n_ports);
/* The same for a plan: who only observes plans as if the tunnel's port were
 * there already, with a number that the switch may not give it. */
const struct plan_port *worker_ports_planned(struct worker *worker,
                                             size_t *ret_n_ports);
/* The one of that name, NULL: there is none. */
const struct plan_port *worker_ports_find(const struct worker *worker,
                                          const char *name);
/* Whether the tunnel's port has this number. */
bool worker_ports_is_tunnel(const struct worker *worker, uint32_t ofport);

/* What became of the port's device, as the kernel says now. */
enum worker_device worker_ports_device(const struct ovsdb_port *port);

#endif
