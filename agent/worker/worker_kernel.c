/*
 * The kernel's side and the tunnel's port.  Nothing is asked of the kernel
 * while neither it nor the plan changed.
 */
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/system/log.h"
#include "agent/system/clock.h"
#include "agent/worker/worker_private.h"

/* external_ids:socketnet of our port. */
#define TUNNEL_OWNER "tunnel"

static void on_note(const char *text, void *data)
{
    (void)data;
    log_info("kernel: %s", text);
}

void worker_kernel_look(struct worker *worker)
{
    struct address address;
    uint32_t mtu;
    int ifindex;

    if (!worker->is_kernel_dirty) {
        return;
    }
    worker_reconcile_ports(worker); /* a device may be another one now */
    worker_core_send_ports(worker);
    worker->mesh_mtu = 0;
    if (worker->policy.mesh_interface[0] != '\0' &&
        netlink_interface(worker->netlink, worker->policy.mesh_interface,
                          &address, &mtu, &ifindex) == 0) {
        worker->mesh_mtu = mtu;
    }
}

static bool routes_equal(const struct plan *a, const struct plan *b)
{
    if (a->n_routes != b->n_routes) {
        return false;
    }
    for (size_t i = 0; i < a->n_routes; i++) {
        const struct plan_route *x = &a->routes[i];
        const struct plan_route *y = &b->routes[i];

        if (x->mtu != y->mtu || x->destination.len != y->destination.len ||
            !address_equal(&x->destination.address, &y->destination.address) ||
            !address_equal(&x->source, &y->source)) {
            return false;
        }
    }
    return true;
}

static bool forwards_equal(const struct plan *a, const struct plan *b)
{
    if (a->n_forwards != b->n_forwards) {
        return false;
    }
    for (size_t i = 0; i < a->n_forwards; i++) {
        const struct plan_forward *x = &a->forwards[i];
        const struct plan_forward *y = &b->forwards[i];

        if (memcmp(x->mac, y->mac, sizeof(x->mac)) != 0 ||
            !address_equal(&x->mesh, &y->mesh)) {
            return false;
        }
    }
    return true;
}

static bool kernel_equal(const struct plan *a, const struct plan *b)
{
    return a->needs_tunnel == b->needs_tunnel &&
           a->tunnel_mtu == b->tunnel_mtu &&
           address_equal(&a->tunnel_local, &b->tunnel_local) &&
           memcmp(a->tunnel_mac, b->tunnel_mac, sizeof(a->tunnel_mac)) == 0 &&
           a->local_address.len == b->local_address.len &&
           address_equal(&a->local_address.address,
                         &b->local_address.address) &&
           routes_equal(a, b) && forwards_equal(a, b);
}

/* Moves the kernel's part over. */
static void remember(struct worker *worker, struct plan *plan)
{
    plan_done(&worker->kernel);
    worker->kernel = (struct plan){
        .needs_tunnel = plan->needs_tunnel,
        .tunnel_mtu = plan->tunnel_mtu,
        .tunnel_local = plan->tunnel_local,
        .forwards = plan->forwards,
        .n_forwards = plan->n_forwards,
        .routes = plan->routes,
        .n_routes = plan->n_routes,
        .local_address = plan->local_address,
    };
    memcpy(worker->kernel.tunnel_mac, plan->tunnel_mac,
           sizeof(plan->tunnel_mac));
    plan->forwards = NULL;
    plan->n_forwards = 0;
    plan->routes = NULL;
    plan->n_routes = 0;
}

size_t worker_kernel_apply(struct worker *worker, struct plan *plan)
{
    char text[160] = "";
    size_t n_changes = 0;
    int error;

    if (worker->is_removed ||
        (!worker->is_kernel_dirty && kernel_equal(plan, &worker->kernel))) {
        return 0;
    }
    worker->is_kernel_dirty = false;
    error = netlink_apply(worker->netlink, plan, &worker->policy, false,
                          on_note, NULL, &n_changes, text);
    worker->is_kernel_failed = error < 0;
    if (error < 0) {
        (void)snprintf(worker->tunnel_problem, sizeof(worker->tunnel_problem),
                       "%s", text);
        worker_core_note(worker, LOG_LEVEL_WARNING,
                         "the kernel cannot be set up: %s", text);
        worker_reconcile_retry(worker);
        return n_changes;
    }
    worker->tunnel_problem[0] = '\0';
    remember(worker, plan);
    return n_changes;
}

/* --- ports --- */

enum worker_device worker_kernel_device(const struct ovsdb_port *port)
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

static const struct ovsdb_port *find_port(const struct worker *worker,
                                          const char *name)
{
    for (size_t i = 0; i < ovsdb_n_ports(worker->ovsdb); i++) {
        const struct ovsdb_port *port = ovsdb_port_at(worker->ovsdb, i);

        if (strcmp(port->name, name) == 0) {
            return port;
        }
    }
    return NULL;
}

enum worker_device worker_kernel_port_device(const struct worker *worker,
                                             const char *name)
{
    const struct ovsdb_port *port =
        worker->is_ovsdb_synced ? find_port(worker, name) : NULL;

    return port != NULL ? worker_kernel_device(port) : WORKER_DEVICE_THERE;
}

static void change_port(struct worker *worker, bool is_add);

/* "remove" was asked: the port goes, and then the asker hears of it. */
static void removal_goes_on(struct worker *worker, bool was_added)
{
    if (was_added) {
        change_port(worker, false);
    } else if (worker->is_flows_removed) {
        worker_query_removed(worker, worker->n_removed_flows,
                             worker->n_removed_groups, worker->remove_problem);
    }
}

static void on_ported(int error, const char *text, void *data)
{
    struct worker *worker = data;
    bool was_added = worker->is_adding_port && error == 0;

    worker->is_porting = false;
    worker->is_adding_port = false;
    if (error != 0) {
        (void)snprintf(worker->tunnel_problem, sizeof(worker->tunnel_problem),
                       "port %.15s: %.120s", worker->policy.tunnel_device,
                       text != NULL && text[0] != '\0' ? text
                                                       : strerror(-error));
        worker_core_note(worker, LOG_LEVEL_WARNING, "%s",
                         worker->tunnel_problem);
        worker_reconcile_retry(worker);
    } else {
        worker->tunnel_problem[0] = '\0';
    }
    if (worker->is_removed) {
        removal_goes_on(worker, was_added);
    }
    worker_reconcile_soon(worker);
}

static void change_port(struct worker *worker, bool is_add)
{
    const char *name = worker->policy.tunnel_device;
    int error;

    log_info("port %s name=%s", is_add ? "add" : "remove", name);
    worker->is_porting = true;
    worker->is_adding_port = is_add;
    error = is_add ? ovsdb_add_port(worker->ovsdb, clock_now_ms(), name,
                                    TUNNEL_OWNER, on_ported, worker)
                   : ovsdb_remove_port(worker->ovsdb, clock_now_ms(), name,
                                       on_ported, worker);
    if (error != 0) {
        on_ported(error, NULL, worker);
    }
}

static void report_tunnel(struct worker *worker, const struct plan *plan,
                          const struct ovsdb_port *port)
{
    const char *text = worker->tunnel_problem;
    bool is_up = false;

    if (!plan->needs_tunnel) {
        text = "no other host needs it";
    } else if (text[0] == '\0') {
        is_up = port != NULL && port->ofport > 0;
        text = is_up ? "" : "its port is not on the bridge yet";
    }
    worker_core_send_tunnel(worker, is_up, text);
}

void worker_kernel_tunnel_port(struct worker *worker, const struct plan *plan)
{
    const char *name = worker->policy.tunnel_device;
    const struct ovsdb_port *port;
    bool has_device = if_nametoindex(name) != 0;

    if (worker->is_porting || !worker->is_ovsdb_synced || worker->is_removed) {
        return; /* seen again when that is over */
    }
    port = find_port(worker, name);
    report_tunnel(worker, plan, port);
    if (port == NULL) {
        if (plan->needs_tunnel && has_device) {
            change_port(worker, true);
        }
        return;
    }
    if (!port->is_ours) {
        return;
    }
    /* A dead port comes back to life by two transactions only: removed here,
     * added in the round that follows. */
    if (!plan->needs_tunnel ||
        worker_kernel_device(port) == WORKER_DEVICE_ANEW ||
        (port->ofport < 0 && has_device)) {
        change_port(worker, false);
    }
}

void worker_kernel_remove(struct worker *worker)
{
    const struct ovsdb_port *port =
        worker->is_ovsdb_synced
            ? find_port(worker, worker->policy.tunnel_device)
            : NULL;
    int error;

    plan_done(&worker->kernel);
    worker->kernel = (struct plan)PLAN_INIT;
    if (port != NULL && port->is_ours && !worker->is_porting) {
        change_port(worker, false);
    }
    error = netlink_remove_all(worker->netlink, &worker->policy, false, on_note,
                               NULL);
    if (error < 0) {
        log_error("cannot remove device, routes or address: %s",
                  strerror(-error));
    }
}

void worker_kernel_done(struct worker *worker)
{
    worker_revive_done(worker);
    plan_done(&worker->kernel);
    worker->kernel = (struct plan)PLAN_INIT;
}
