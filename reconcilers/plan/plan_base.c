/*
 * Table 0 (who sends this, and may he), table 3 (conntrack), the fixed part
 * of table 4 (known connections) and the misses.  See docs/PIPELINE.md.
 */
#include "reconcilers/plan/plan_internal.h"

#include <stdio.h>
#include <string.h>

/* A packet of this class goes on to ARP or conntrack. */
static void put_classify(struct plan_builder *builder, enum plan_class class,
                         enum plan_table next)
{
    openflow_put_set_reg(&builder->actions, 0, class);
    openflow_put_resubmit(&builder->actions, (uint8_t)next);
}

static void add_arp_entry(struct plan_builder *builder, unsigned priority,
                          uint64_t cookie, const struct flow_match *match,
                          enum plan_class class, bool is_copied,
                          const char *label)
{
    if (is_copied) {
        openflow_put_output(&builder->actions, OPENFLOW_PORT_CONTROLLER,
                            COPY_LEN);
    }
    put_classify(builder, class, TABLE_ARP);
    plan_add_flow(builder, TABLE_CLASSIFY, priority, cookie, match, "%s",
                  label);
}

/* --- From the host. --- */

static void add_host_entries(struct plan_builder *builder, uint64_t cookie,
                             const struct prefix *to)
{
    struct flow_match match = {0};
    char text[PREFIX_TEXT_SIZE];

    prefix_text(to, text);
    plan_match_in_port(&match, OPENFLOW_PORT_LOCAL);
    plan_match_ip(&match, to->address.family);
    plan_match_destination(&match, to);
    put_classify(builder, CLASS_HOST, TABLE_CONNTRACK);
    plan_add_flow(builder, TABLE_CLASSIFY, PRIORITY_HOST, cookie, &match,
                  "host to %s", text);
    if (to->address.family == 4) {
        plan_match_arp(&match);
        add_arp_entry(builder, PRIORITY_HOST, cookie, &match, CLASS_HOST, false,
                      "ARP of the host");
    }
}

static void add_host(struct plan_builder *builder)
{
    const struct plan_policy *policy = builder->policy;
    uint64_t cookie = plan_cookie_base("classify host");
    const struct desired_item *hosts;
    size_t n_hosts = plan_items(builder, DESIRED_HOST, &hosts);

    for (size_t i = 0; i < policy->n_subnets; i++) {
        add_host_entries(builder, cookie, &policy->subnets[i]);
    }
    if (policy->service_range.address.family != 0) {
        add_host_entries(builder, cookie, &policy->service_range);
    }
    for (size_t i = 0; i < n_hosts; i++) {
        const struct desired_host *host = &hosts[i].host;
        struct prefix mesh = plan_host_prefix(&host->mesh);

        if (host->is_self) {
            continue;
        }
        cookie = plan_cookie_item(&hosts[i]);
        for (size_t j = 0; j < host->n_subnets; j++) {
            add_host_entries(builder, cookie, &host->subnets[j]);
        }
        if (host->mesh.family != 0) {
            add_host_entries(builder, cookie, &mesh);
        }
    }
}

/* --- From the tunnel: only what its sender may send, by its MAC. --- */

static void add_tunnel_entry(struct plan_builder *builder,
                             const struct desired_item *item,
                             const struct prefix *from)
{
    struct flow_match match = {0};
    uint8_t mac[6];

    desired_host_mac(item->host.id, mac);
    plan_match_in_port(&match, builder->tunnel_port);
    plan_match_eth_src(&match, mac);
    plan_match_eth_dst(&match, builder->own_mac);
    plan_match_ip(&match, from->address.family);
    plan_match_source(&match, from);
    put_classify(builder, CLASS_TUNNEL, TABLE_CONNTRACK);
    plan_add_flow(builder, TABLE_CLASSIFY, PRIORITY_TUNNEL,
                  plan_cookie_item(item), &match, "from %s", item->host.name);
}

static void add_tunnel(struct plan_builder *builder)
{
    struct flow_match match = {0};
    const struct desired_item *hosts;
    size_t n_hosts = plan_items(builder, DESIRED_HOST, &hosts);

    if (builder->tunnel_port == 0) {
        return;
    }
    for (size_t i = 0; i < n_hosts && builder->self != NULL; i++) {
        const struct desired_host *host = &hosts[i].host;
        struct prefix mesh = plan_host_prefix(&host->mesh);

        if (host->is_self) {
            continue;
        }
        for (size_t j = 0; j < host->n_subnets; j++) {
            add_tunnel_entry(builder, &hosts[i], &host->subnets[j]);
        }
        if (host->mesh.family != 0) {
            add_tunnel_entry(builder, &hosts[i], &mesh);
        }
    }
    plan_match_in_port(&match, builder->tunnel_port);
    plan_add_flow(builder, TABLE_CLASSIFY, PRIORITY_TUNNEL_REST,
                  plan_cookie_base("tunnel rest"), &match,
                  "tunnel: not certified for its sender");
}

/* --- From containers. --- */

enum source_rule {
    SOURCE_ALLOWED,
    SOURCE_DROPPED,
    SOURCE_WATCHED, /* dropped, but the worker sees the ARP of it */
};

/* Both families of one source, from one port (0: any). */
static void add_source(struct plan_builder *builder, unsigned priority,
                       uint64_t cookie, uint32_t port,
                       const struct prefix *from, enum source_rule rule,
                       const char *label)
{
    struct flow_match match = {0};

    if (port != 0) {
        plan_match_in_port(&match, port);
    }
    plan_match_ip(&match, from->address.family);
    plan_match_source(&match, from);
    if (rule == SOURCE_ALLOWED) {
        put_classify(builder, CLASS_CONTAINER, TABLE_CONNTRACK);
    }
    plan_add_flow(builder, TABLE_CLASSIFY, priority, cookie, &match, "%s",
                  label);
    if (from->address.family != 4) {
        return;
    }
    plan_match_arp(&match);
    if (rule == SOURCE_ALLOWED) {
        /* Copied: this is how the worker learns where a container is. */
        add_arp_entry(builder, priority, cookie, &match, CLASS_CONTAINER, true,
                      label);
        return;
    }
    if (rule == SOURCE_WATCHED) {
        openflow_put_output(&builder->actions, OPENFLOW_PORT_CONTROLLER,
                            COPY_LEN);
    }
    plan_add_flow(builder, TABLE_CLASSIFY, priority, cookie, &match, "%s",
                  label);
}

/* Until its address was seen somewhere, the binding may be wrong, and cut off
 * the container that has it: so its ARP is watched for behind every port. */
static void add_bindings(struct plan_builder *builder)
{
    const struct desired_item *items;
    size_t n_items = plan_items(builder, DESIRED_LOCAL, &items);

    for (size_t i = 0; i < n_items; i++) {
        const struct desired_local *local = &items[i].local;
        struct prefix address = plan_host_prefix(&local->address);
        uint64_t cookie = plan_cookie_item(&items[i]);
        uint32_t port = plan_find_port(builder, local->port_name);

        if (plan_find_binding(builder, &local->address) == NULL ||
            !plan_is_own(builder->policy, &local->address)) {
            continue;
        }
        if (port != 0) {
            add_source(builder, PRIORITY_BOUND, cookie, port, &address,
                       SOURCE_ALLOWED, "bound to its port");
        }
        add_source(builder, PRIORITY_SPOOF, cookie, 0, &address,
                   plan_was_seen(builder, &local->address) ? SOURCE_DROPPED
                                                           : SOURCE_WATCHED,
                   "bound to another port");
    }
}

static void add_containers(struct plan_builder *builder)
{
    const struct plan_policy *policy = builder->policy;
    const struct plan_observed *observed = builder->observed;
    uint64_t cookie = plan_cookie_base("classify container");
    struct prefix gateway = plan_host_prefix(&policy->gateway);
    char label[64];

    for (size_t i = 0; i < observed->n_ports; i++) {
        const struct plan_port *port = &observed->ports[i];

        if (!plan_is_container_port(builder, port)) {
            continue;
        }
        (void)snprintf(label, sizeof(label), "container on %s", port->name);
        for (size_t j = 0; j < policy->n_subnets; j++) {
            add_source(builder, PRIORITY_CONTAINER, cookie, port->ofport,
                       &policy->subnets[j], SOURCE_ALLOWED, label);
        }
        /* By port, not for all: what the host itself sends from there to
         * addresses that are not ours is not for us to judge. */
        if (policy->gateway.family != 0) {
            add_source(builder, PRIORITY_SPOOF, plan_cookie_base("gateway"),
                       port->ofport, &gateway, SOURCE_DROPPED,
                       "gateway's address, not from the host");
        }
    }
}

/* ARP of a container that is known as it is: not copied again. */
static void add_known(struct plan_builder *builder)
{
    const struct plan_observed *observed = builder->observed;

    for (size_t i = 0; i < observed->n_neighbors; i++) {
        const struct plan_neighbor *neighbor = &observed->neighbors[i];
        struct prefix address = plan_host_prefix(&neighbor->address);
        struct flow_match match = {0};

        if (neighbor->address.family != 4 ||
            !plan_is_usable_neighbor(builder, neighbor)) {
            continue;
        }
        plan_match_in_port(&match, neighbor->ofport);
        plan_match_arp(&match);
        plan_match_source(&match, &address);
        match.fields |= FLOW_ARP_SHA;
        memcpy(match.arp_sha, neighbor->mac, sizeof(match.arp_sha));
        add_arp_entry(builder, PRIORITY_KNOWN,
                      plan_cookie_address(&neighbor->address), &match,
                      CLASS_CONTAINER, false, "ARP of a known container");
    }
}

/* --- Conntrack and misses. --- */

static void add_conntrack(struct plan_builder *builder, uint8_t family)
{
    uint64_t cookie = plan_cookie_base("conntrack");
    const struct openflow_ct lookup = {
        .zone = PLAN_ZONE, .nat = true, .table = TABLE_SERVICE};
    const struct openflow_ct commit = {
        .zone = PLAN_ZONE, .commit = true, .table = TABLE_ROUTE};
    struct flow_match match = {0};

    plan_match_ip(&match, family);
    openflow_put_ct(&builder->actions, &lookup);
    plan_add_flow(builder, TABLE_CONNTRACK, 50, cookie, &match,
                  "connection of this packet");
    plan_match_ct(&match, CT_INV);
    plan_add_flow(builder, TABLE_SERVICE, 1000, cookie, &match,
                  "invalid in its connection");
    plan_match_ct(&match, CT_EST);
    openflow_put_resubmit(&builder->actions, TABLE_ROUTE);
    plan_add_flow(builder, TABLE_SERVICE, 900, cookie, &match,
                  "established: as before");
    plan_match_ct(&match, CT_REL);
    openflow_put_resubmit(&builder->actions, TABLE_ROUTE);
    plan_add_flow(builder, TABLE_SERVICE, 900, cookie, &match,
                  "error report of a connection");
    plan_match_ct(&match, CT_NEW);
    /* Every connection is committed: the answers of one that is not would
     * be invalid. */
    openflow_put_ct(&builder->actions, &commit);
    plan_add_flow(builder, TABLE_SERVICE, 10, cookie, &match,
                  "new, not to a service address");
    match = (struct flow_match){0};
    plan_match_ip(&match, family);
    openflow_put_resubmit(&builder->actions, TABLE_ROUTE);
    plan_add_flow(builder, TABLE_HAIRPIN, 10, cookie, &match,
                  "from another container, or the host");
}

static void add_misses(struct plan_builder *builder)
{
    static const enum plan_table tables[] = {TABLE_ARP,     TABLE_CONNTRACK,
                                             TABLE_SERVICE, TABLE_HAIRPIN,
                                             TABLE_ROUTE,   TABLE_TUNNEL};
    const struct flow_match any = {0};

    /* Table 0 has none: there, what is not ours is for others to handle, or
     * falls to the miss of a bridge in fail_mode secure. */
    for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
        plan_add_flow(builder, tables[i], 0, plan_cookie_base("miss"), &any,
                      "rest of the table");
    }
}

void plan_base(struct plan_builder *builder)
{
    add_host(builder);
    add_tunnel(builder);
    add_bindings(builder);
    add_containers(builder);
    add_known(builder);
    add_conntrack(builder, 4);
    if (builder->has_ipv6) {
        add_conntrack(builder, 6);
    }
    add_misses(builder);
}
