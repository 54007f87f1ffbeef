/*
 * The kernel's side and the tunnel's port.  Nothing is asked of the kernel
 * while neither it nor the plan changed.
 */
#include "agent/worker/worker_kernel.h"

#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/system/clock.h"
#include "agent/system/log.h"
#include "agent/system/watch.h"
#include "agent/worker/worker_connected.h"
#include "agent/worker/worker_core.h"
#include "agent/worker/worker_ports.h"
#include "agent/worker/worker_private.h"
#include "agent/worker/worker_reconcile.h"
#include "agent/worker/worker_removal.h"
#include "agent/worker/worker_switch.h"

/* external_ids:socketnet of our port. */
#define TUNNEL_OWNER "tunnel"

struct worker_kernel {
    struct netlink *netlink;
    struct watch *watch;
    bool is_port_link_changed; /* while notifications are read */
    bool needs_look;
    bool is_dirty; /* it changed, or the last apply is to be done again */
    bool has_failed;
    uint32_t mesh_mtu;
    struct plan made;    /* what netlink_apply made last: no flows in it */
    bool is_porting;     /* a change of the tunnel's port is on its way ... */
    bool is_adding_port; /* ... which is an addition */
    char problem[160];   /* of the tunnel, "" none */
};

/* --- what the kernel says --- */

/* The database says only later, and then as of the device's name, what became
 * of a port's device. */
static void on_link(const char *name, int ifindex, void *data)
{
    struct worker *worker = data;
    const struct ovsdb *ovsdb = worker_switch_ovsdb(worker);
    size_t n = ovsdb != NULL ? ovsdb_n_ports(ovsdb) : 0;

    for (size_t i = 0; i < n && !worker->kernel->is_port_link_changed; i++) {
        const struct ovsdb_port *port = ovsdb_port_at(ovsdb, i);

        worker->kernel->is_port_link_changed =
            strcmp(port->name, name) == 0 || port->ifindex == ifindex;
    }
}

static void on_watch(short events, void *data)
{
    struct worker *worker = data;
    struct worker_kernel *kernel = worker->kernel;

    (void)events; /* only ever readable */
    kernel->is_port_link_changed = false;
    if (netlink_run(kernel->netlink)) {
        kernel->is_dirty = true;
        kernel->needs_look = true;
        worker_reconcile_soon(worker);
    }
    worker_connected_look(worker, kernel->netlink);
    if (kernel->is_port_link_changed) {
        worker_ports_changed(worker);
    }
}

int worker_kernel_new(struct worker *worker)
{
    struct worker_kernel *kernel = calloc(1, sizeof(*kernel));
    int error;

    if (kernel == NULL) {
        return -ENOMEM;
    }
    kernel->is_dirty = true;
    kernel->needs_look = true;
    worker->kernel = kernel;
    error = netlink_open(&kernel->netlink);
    if (error == 0) {
        error = watch_new(&worker->loop, netlink_fd(kernel->netlink), on_watch,
                          worker, &kernel->watch);
    }
    if (error == 0) {
        netlink_on_link(kernel->netlink, on_link, worker);
        watch_want(kernel->watch, POLLIN);
    }
    return error;
}

void worker_kernel_free(struct worker *worker)
{
    struct worker_kernel *kernel = worker->kernel;

    if (kernel == NULL) {
        return;
    }
    kernel->watch = watch_free(kernel->watch);
    kernel->netlink = netlink_close(kernel->netlink);
    plan_done(&kernel->made);
    free(kernel);
    worker->kernel = NULL;
}

static void on_note(const char *text, void *data)
{
    (void)data;
    log_info("kernel: %s", text);
}

void worker_kernel_look(struct worker *worker)
{
    struct worker_kernel *kernel = worker->kernel;
    struct address address;
    uint32_t mtu;
    int ifindex;

    if (!kernel->needs_look) {
        return;
    }
    kernel->needs_look = false;
    kernel->mesh_mtu = 0;
    if (worker->policy.mesh_interface[0] != '\0' &&
        netlink_interface(kernel->netlink, worker->policy.mesh_interface,
                          &address, &mtu, &ifindex) == 0) {
        kernel->mesh_mtu = mtu;
    }
    worker_ports_look(worker); /* a device may be another one now */
}

uint32_t worker_kernel_mesh_mtu(const struct worker *worker)
{
    return worker->kernel->mesh_mtu;
}

bool worker_kernel_has_failed(const struct worker *worker)
{
    return worker->kernel->has_failed;
}

void worker_kernel_retry(struct worker *worker)
{
    worker->kernel->is_dirty |= worker->kernel->has_failed;
    worker->kernel->needs_look |= worker->kernel->has_failed;
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
static void remember(struct worker_kernel *kernel, struct plan *plan)
{
    plan_done(&kernel->made);
    kernel->made = (struct plan){
        .needs_tunnel = plan->needs_tunnel,
        .tunnel_mtu = plan->tunnel_mtu,
        .tunnel_local = plan->tunnel_local,
        .forwards = plan->forwards,
        .n_forwards = plan->n_forwards,
        .routes = plan->routes,
        .n_routes = plan->n_routes,
        .local_address = plan->local_address,
    };
    memcpy(kernel->made.tunnel_mac, plan->tunnel_mac, sizeof(plan->tunnel_mac));
    plan->forwards = NULL;
    plan->n_forwards = 0;
    plan->routes = NULL;
    plan->n_routes = 0;
}

size_t worker_kernel_apply(struct worker *worker, struct plan *plan)
{
    struct worker_kernel *kernel = worker->kernel;
    char text[160] = "";
    size_t n_changes = 0;
    int error;

    if (worker_removal_is_asked(worker) ||
        (!kernel->is_dirty && kernel_equal(plan, &kernel->made))) {
        return 0;
    }
    kernel->is_dirty = false;
    error = netlink_apply(kernel->netlink, plan, &worker->policy, false,
                          on_note, NULL, &n_changes, text);
    kernel->has_failed = error < 0;
    if (error < 0) {
        (void)snprintf(kernel->problem, sizeof(kernel->problem), "%s", text);
        worker_core_note(worker, LOG_LEVEL_WARNING,
                         "the kernel cannot be set up: %s", text);
        worker_reconcile_retry(worker);
        return n_changes;
    }
    kernel->problem[0] = '\0';
    remember(kernel, plan);
    return n_changes;
}

int worker_kernel_preview(struct worker *worker, const struct plan *plan,
                          netlink_note_fn note, void *data,
                          size_t *ret_n_changes, char ret_text[160])
{
    return netlink_apply(worker->kernel->netlink, plan, &worker->policy, true,
                         note, data, ret_n_changes, ret_text);
}

/* --- the tunnel's port --- */

static void change_port(struct worker *worker, bool is_add);

static void on_ported(int error, const char *text, void *data)
{
    struct worker *worker = data;
    struct worker_kernel *kernel = worker->kernel;
    bool was_added = kernel->is_adding_port && error == 0;

    kernel->is_porting = false;
    kernel->is_adding_port = false;
    if (error != 0) {
        (void)snprintf(kernel->problem, sizeof(kernel->problem),
                       "port %.15s: %.120s", worker->policy.tunnel_device,
                       text != NULL && text[0] != '\0' ? text
                                                       : strerror(-error));
        worker_core_note(worker, LOG_LEVEL_WARNING, "%s", kernel->problem);
        worker_reconcile_retry(worker);
    } else {
        kernel->problem[0] = '\0';
    }
    if (worker_removal_is_asked(worker)) {
        if (was_added) {
            change_port(worker, false);
        } else {
            worker_removal_port_done(worker);
        }
    }
    worker_reconcile_soon(worker);
}

static void change_port(struct worker *worker, bool is_add)
{
    struct ovsdb *ovsdb = worker_switch_ovsdb(worker);
    const char *name = worker->policy.tunnel_device;
    int error;

    log_info("port %s name=%s", is_add ? "add" : "remove", name);
    worker->kernel->is_porting = true;
    worker->kernel->is_adding_port = is_add;
    error = ovsdb == NULL ? -ENOTCONN
            : is_add ? ovsdb_add_port(ovsdb, clock_now_ms(), name, TUNNEL_OWNER,
                                      on_ported, worker)
                     : ovsdb_remove_port(ovsdb, clock_now_ms(), name, on_ported,
                                         worker);
    if (error != 0) {
        on_ported(error, NULL, worker);
    }
}

static void report_tunnel(struct worker *worker, const struct plan *plan,
                          const struct ovsdb_port *port)
{
    const char *text = worker->kernel->problem;
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
    const struct ovsdb_port *port = worker_switch_port(worker, name);
    bool has_device = if_nametoindex(name) != 0;

    if (worker->kernel->is_porting || worker_switch_ovsdb(worker) == NULL ||
        worker_removal_is_asked(worker)) {
        return; /* seen again when that is over */
    }
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
        worker_ports_device(port) == WORKER_DEVICE_ANEW ||
        (port->ofport < 0 && has_device)) {
        change_port(worker, false);
    }
}

bool worker_kernel_is_porting(const struct worker *worker)
{
    return worker->kernel->is_porting;
}

void worker_kernel_forget(struct worker *worker)
{
    worker->kernel->is_porting = false;
}

void worker_kernel_remove(struct worker *worker)
{
    struct worker_kernel *kernel = worker->kernel;
    const struct ovsdb_port *port =
        worker_switch_port(worker, worker->policy.tunnel_device);
    int error;

    plan_done(&kernel->made);
    if (port != NULL && port->is_ours && !kernel->is_porting) {
        change_port(worker, false);
    }
    error = netlink_remove_all(kernel->netlink, &worker->policy, false, on_note,
                               NULL);
    if (error < 0) {
        log_error("cannot remove device, routes or address: %s",
                  strerror(-error));
    }
}
