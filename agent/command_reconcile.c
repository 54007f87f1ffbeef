/*
 * `agent reconcile`: the same plan and the same diff as the worker's, of a
 * file.
 */
#include "agent/command_reconcile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/config/config.h"
#include "agent/ctl/ctl.h"
#include "agent/offline/desired_file.h"
#include "agent/offline/switch_sync.h"
#include "agent/worker/worker.h"
#include "agent/worker/worker_neighbors.h"
#include "agent/worker/worker_text.h"
#include "reconcilers/kernel/netlink.h"
#include "reconcilers/openflow/openflow.h"

struct reconcile {
    struct config *config;
    struct plan_policy policy;
    struct desired desired;
    struct switch_sync sync;
    struct worker_neighbors neighbors;
    struct plan_port *ports; /* owned */
    size_t n_ports;
    bool is_tunnel_port_missing;
    struct plan_observed observed;
    size_t n_refused;
};

static int read_file(struct reconcile *reconcile, const char *path)
{
    _cleanup_(free_pointer) char *text = NULL;
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    int error;

    if (file == NULL) {
        (void)fprintf(stderr, "agent reconcile: cannot open %s: %s\n", path,
                      strerror(errno));
        return -errno;
    }
    error = desired_file_read(file, path, &reconcile->desired, &text);
    if (file != stdin) {
        (void)fclose(file); /* only read from */
    }
    if (error < 0) {
        (void)fprintf(stderr, "agent reconcile: %s\n",
                      text != NULL ? text : strerror(-error));
    }
    return error;
}

/* What the worker would refuse leaves the set, with a word. */
static void drop_refused(struct reconcile *reconcile)
{
    struct desired *desired = &reconcile->desired;

    for (size_t i = 0; i < desired->n_items;) {
        struct desired_item *item = &desired->items[i];
        char reason[160];
        char text[160];

        if (plan_validate(item, &reconcile->policy, reason) == 0) {
            i++;
            continue;
        }
        plan_item_text(item, text);
        (void)fprintf(stderr, "agent reconcile: refused %s: %s\n", text,
                      reason);
        (void)desired_remove(desired, item); /* it is there */
        reconcile->n_refused++;
    }
}

static bool has_port(const struct reconcile *reconcile, const char *name)
{
    for (size_t i = 0; i < reconcile->n_ports; i++) {
        if (strcmp(reconcile->ports[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static void add_port(struct reconcile *reconcile, const char *name,
                     uint32_t ofport)
{
    struct plan_port *port = &reconcile->ports[reconcile->n_ports];

    if (!has_port(reconcile, name)) {
        (void)snprintf(port->name, sizeof(port->name), "%s", name);
        port->ofport = ofport;
        reconcile->n_ports++;
    }
}

/* Without a switch: as if every port that is named were there. */
static int assume_ports(struct reconcile *reconcile)
{
    const struct desired *desired = &reconcile->desired;

    reconcile->ports = calloc(desired->n_items + 1, sizeof(*reconcile->ports));
    if (reconcile->ports == NULL) {
        return -ENOMEM;
    }
    add_port(reconcile, reconcile->policy.tunnel_device, 1);
    for (size_t i = 0; i < desired->n_items; i++) {
        if (desired->items[i].type == DESIRED_LOCAL) {
            add_port(reconcile, desired->items[i].local.port_name,
                     (uint32_t)reconcile->n_ports + 1);
        }
    }
    return 0;
}

static int observe_ports(struct reconcile *reconcile)
{
    size_t n = ovsdb_n_ports(reconcile->sync.ovsdb);
    uint32_t highest = 0;

    reconcile->ports = calloc(n + 1, sizeof(*reconcile->ports));
    if (reconcile->ports == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        const struct ovsdb_port *port = ovsdb_port_at(reconcile->sync.ovsdb, i);

        add_port(reconcile, port->name,
                 port->ofport > 0 ? (uint32_t)port->ofport : 0);
        highest = MAX_OF(highest, reconcile->ports[i].ofport);
    }
    /* As it would be, with a number that the switch may not give it. */
    reconcile->is_tunnel_port_missing =
        !has_port(reconcile, reconcile->policy.tunnel_device);
    add_port(reconcile, reconcile->policy.tunnel_device, highest + 1);
    return 0;
}

static int observe_switch(struct reconcile *reconcile)
{
    const struct ofconn_dump *dump = &reconcile->sync.dump;
    struct worker_neighbors_rules rules = {.policy = &reconcile->policy,
                                           .desired = &reconcile->desired};
    int error = observe_ports(reconcile);

    if (error < 0) {
        return error;
    }
    for (size_t i = 0; i < dump->n_ports; i++) {
        if (dump->ports[i].number == OPENFLOW_PORT_LOCAL) {
            memcpy(reconcile->observed.local_mac, dump->ports[i].mac, 6);
        }
    }
    rules.ports = reconcile->ports;
    rules.n_ports = reconcile->n_ports;
    error = worker_neighbors_recover(&reconcile->neighbors, &rules, dump->flows,
                                     dump->n_flows);
    return error < 0 ? error : 0;
}

static void on_note(const char *text, void *data)
{
    size_t *n_changes = data;

    (void)printf("would %s\n", text);
    (*n_changes)++;
}

static int print_changes(struct reconcile *reconcile, const struct plan *plan,
                         struct netlink *netlink)
{
    struct ofconn_dump *dump = &reconcile->sync.dump;
    struct diff diff = DIFF_INIT;
    char text[160] = "";
    size_t n = 0;
    size_t n_kernel = 0;
    int error;

    error = netlink_apply(netlink, plan, &reconcile->policy, true, on_note, &n,
                          &n_kernel, text);
    if (error < 0) {
        (void)printf("the kernel would refuse: %s\n", text);
    }
    if (plan->needs_tunnel && reconcile->is_tunnel_port_missing) {
        (void)printf("would add port %s to %s\n",
                     reconcile->policy.tunnel_device, reconcile->policy.bridge);
        n++;
    }
    error = diff_make(plan, dump->flows, dump->n_flows, dump->groups,
                      dump->n_groups, &diff);
    if (error < 0) {
        return error;
    }
    n += worker_text_diff(stdout, "would ", &diff);
    diff_done(&diff);
    worker_text_pending(stdout, plan);
    (void)printf("%zu changes, none was made\n", n);
    return 0;
}

static int plan_and_print(struct reconcile *reconcile, bool has_switch)
{
    struct netlink *netlink = NULL;
    struct plan plan = PLAN_INIT;
    struct address address;
    int ifindex;
    int error = netlink_open(&netlink);

    if (error < 0) {
        return error;
    }
    if (netlink_interface(netlink, reconcile->policy.mesh_interface, &address,
                          &reconcile->observed.mesh_mtu, &ifindex) != 0) {
        reconcile->observed.mesh_mtu = 0; /* not there: unknown */
    }
    reconcile->observed.is_bridge_up = true;
    reconcile->observed.ports = reconcile->ports;
    reconcile->observed.n_ports = reconcile->n_ports;
    reconcile->observed.neighbors = reconcile->neighbors.entries;
    reconcile->observed.n_neighbors = reconcile->neighbors.n_entries;
    error = plan_make(&reconcile->desired, &reconcile->policy,
                      &reconcile->observed, &plan);
    if (error == 0 && has_switch) {
        error = print_changes(reconcile, &plan, netlink);
    } else if (error == 0) {
        worker_text_plan(stdout, &plan, &reconcile->policy);
    }
    plan_done(&plan);
    (void)netlink_close(netlink);
    return error;
}

static int run(struct reconcile *reconcile, const char *path, bool need_ovs)
{
    _cleanup_(free_pointer) char *text = NULL;
    bool has_switch;
    int error;

    if (worker_policy(reconcile->config, false, &reconcile->policy, &text) <
        0) {
        (void)fprintf(stderr, "agent reconcile: %s\n",
                      text != NULL ? text : "out of memory");
        return CTL_EXIT_USAGE;
    }
    if (read_file(reconcile, path) < 0) {
        return CTL_EXIT_USAGE;
    }
    drop_refused(reconcile);
    has_switch = switch_sync_open(&reconcile->sync, reconcile->config) == 0;
    if (!has_switch) {
        (void)fprintf(stderr, "agent reconcile: %s%s\n", reconcile->sync.text,
                      need_ovs ? ""
                               : "; here is the whole plan, as if every port "
                                 "were there");
        if (need_ovs) {
            return CTL_EXIT_FAILED;
        }
    }
    error = has_switch ? observe_switch(reconcile) : assume_ports(reconcile);
    if (error == 0) {
        error = plan_and_print(reconcile, has_switch);
    }
    if (error < 0) {
        (void)fprintf(stderr, "agent reconcile: %s\n", strerror(-error));
        return CTL_EXIT_FAILED;
    }
    return reconcile->n_refused > 0 ? CTL_EXIT_FAILED : 0;
}

int command_reconcile(struct config *config, const char *desired_path,
                      bool need_ovs)
{
    struct reconcile reconcile = {.config = config};
    int status = run(&reconcile, desired_path, need_ovs);

    switch_sync_close(&reconcile.sync);
    worker_neighbors_done(&reconcile.neighbors);
    desired_done(&reconcile.desired);
    free(reconcile.ports);
    return status;
}
