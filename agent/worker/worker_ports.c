/*
 * The bridge's ports: rows of the database (worker_switch.c) beside the
 * kernel's devices, so that a port whose device is gone or another one counts
 * as not open.
 */
#include "agent/worker/worker_ports.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/worker/worker_core.h"
#include "agent/worker/worker_learn.h"
#include "agent/worker/worker_private.h"
#include "agent/worker/worker_probe.h"
#include "agent/worker/worker_reconcile.h"
#include "agent/worker/worker_switch.h"

struct worker_ports {
    struct plan_port *list; /* owned, with room for one more */
    size_t n_list;
};

int worker_ports_new(struct worker *worker)
{
    worker->ports = calloc(1, sizeof(*worker->ports));
    return worker->ports != NULL ? 0 : -ENOMEM;
}

void worker_ports_free(struct worker *worker)
{
    if (worker->ports != NULL) {
        free(worker->ports->list);
    }
    free(worker->ports);
    worker->ports = NULL;
}

enum worker_device worker_ports_device(const struct ovsdb_port *port)
{
    unsigned ifindex = if_nametoindex(port->name);

    if (ifindex == 0) {
        return port->is_device && port->ofport > 0 ? WORKER_DEVICE_GONE
                                                   : WORKER_DEVICE_THERE;
    }
    return port->ifindex > 0 && (int64_t)ifindex != port->ifindex
               ? WORKER_DEVICE_ANEW
               : WORKER_DEVICE_THERE;
}

static void refresh(struct worker *worker)
{
    const struct ovsdb *ovsdb = worker_switch_ovsdb(worker);
    size_t n = ovsdb != NULL ? ovsdb_n_ports(ovsdb) : 0;
    struct plan_port *list;

    if (ovsdb == NULL) {
        return; /* as last seen */
    }
    list = calloc(n + 1, sizeof(*list));
    if (list == NULL) {
        return; /* the old list stays until the next change */
    }
    for (size_t i = 0; i < n; i++) {
        const struct ovsdb_port *port = ovsdb_port_at(ovsdb, i);

        memcpy(list[i].name, port->name, sizeof(list[i].name));
        if (port->ofport > 0 &&
            worker_ports_device(port) == WORKER_DEVICE_THERE) {
            list[i].ofport = (uint32_t)port->ofport;
        }
    }
    free(worker->ports->list);
    worker->ports->list = list;
    worker->ports->n_list = n;
}

void worker_ports_look(struct worker *worker)
{
    refresh(worker);
    worker_learn_follow(worker);
    worker_core_send_ports(worker);
    worker_probe_update(worker);
}

void worker_ports_changed(struct worker *worker)
{
    worker_ports_look(worker);
    worker_reconcile_soon(worker);
}

bool worker_ports_are_known(const struct worker *worker)
{
    return worker->ports->list != NULL;
}

const struct plan_port *worker_ports_list(const struct worker *worker,
                                          size_t *ret_n_ports)
{
    *ret_n_ports = worker->ports->n_list;
    return worker->ports->list;
}

const struct plan_port *worker_ports_planned(struct worker *worker,
                                             size_t *ret_n_ports)
{
    struct worker_ports *ports = worker->ports;
    const char *tunnel = worker->policy.tunnel_device;
    struct plan_port *assumed;
    uint32_t highest = 0;

    *ret_n_ports = ports->n_list;
    if (!worker->observe || ports->list == NULL ||
        worker_ports_find(worker, tunnel) != NULL) {
        return ports->list;
    }
    for (size_t i = 0; i < ports->n_list; i++) {
        highest = MAX_OF(highest, ports->list[i].ofport);
    }
    assumed = &ports->list[ports->n_list];
    *assumed = (struct plan_port){.ofport = highest + 1};
    (void)snprintf(assumed->name, sizeof(assumed->name), "%s", tunnel);
    (*ret_n_ports)++;
    return ports->list;
}

const struct plan_port *worker_ports_find(const struct worker *worker,
                                          const char *name)
{
    for (size_t i = 0; i < worker->ports->n_list; i++) {
        if (strcmp(worker->ports->list[i].name, name) == 0) {
            return &worker->ports->list[i];
        }
    }
    return NULL;
}

bool worker_ports_is_tunnel(const struct worker *worker, uint32_t ofport)
{
    const struct plan_port *port =
        worker_ports_find(worker, worker->policy.tunnel_device);

    return port != NULL && ofport != 0 && port->ofport == ofport;
}
