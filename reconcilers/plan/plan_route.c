/*
 * Table 7: where a packet leaves.  The longest prefix wins by its priority.
 */
#include "reconcilers/plan/plan_internal.h"

/* --- Local containers. --- */

static void put_deliver(struct plan_builder *builder,
                        const struct plan_neighbor *neighbor, bool is_routed)
{
    openflow_put_set_eth_src(&builder->actions, builder->router_mac);
    openflow_put_set_eth_dst(&builder->actions, neighbor->mac);
    if (is_routed) {
        openflow_put_dec_ttl(&builder->actions);
    }
    openflow_put_output(&builder->actions, neighbor->ofport, 0);
}

static void add_neighbors(struct plan_builder *builder)
{
    const struct plan_observed *observed = builder->observed;

    for (size_t i = 0; i < observed->n_neighbors; i++) {
        const struct plan_neighbor *neighbor = &observed->neighbors[i];
        struct prefix address = plan_host_prefix(&neighbor->address);
        uint64_t cookie = plan_cookie_address(&neighbor->address);
        struct flow_match match = {0};

        if (!plan_is_usable_neighbor(builder, neighbor)) {
            continue;
        }
        plan_match_ip(&match, neighbor->address.family);
        plan_match_destination(&match, &address);
        put_deliver(builder, neighbor, false);
        plan_add_flow(builder, TABLE_ROUTE, PRIORITY_NEIGHBOR, cookie, &match,
                      "to a container here");
        plan_match_class(&match, CLASS_TUNNEL, UINT32_MAX);
        put_deliver(builder, neighbor, true);
        plan_add_flow(builder, TABLE_ROUTE, PRIORITY_FROM_TUNNEL, cookie,
                      &match, "from the tunnel to a container");
    }
}

/* An own address that nobody is known to have.  The worker asks for it; what
 * the host or a container sent meanwhile goes to all local ports as it is,
 * since its sender resolved the address by itself. */
static void add_unknown(struct plan_builder *builder)
{
    const struct plan_policy *policy = builder->policy;
    uint64_t cookie = plan_cookie_base("unknown");

    for (size_t i = 0; i < policy->n_subnets; i++) {
        const struct prefix *subnet = &policy->subnets[i];
        unsigned priority = PRIORITY_PREFIX + subnet->len;
        struct flow_match match = {0};

        plan_match_ip(&match, subnet->address.family);
        plan_match_destination(&match, subnet);
        openflow_put_output(&builder->actions, OPENFLOW_PORT_CONTROLLER,
                            COPY_LEN);
        plan_put_flood(builder);
        plan_add_flow(builder, TABLE_ROUTE, priority, cookie, &match,
                      "not known yet: ask, and try all local ports");
        /* Whole, as the worker hands it on once the container is known. */
        plan_match_class(&match, CLASS_TUNNEL, UINT32_MAX);
        openflow_put_output(&builder->actions, OPENFLOW_PORT_CONTROLLER,
                            UINT16_MAX);
        plan_add_flow(builder, TABLE_ROUTE, priority + 1, cookie, &match,
                      "not known yet: ask");
    }
}

/* --- The host's own addresses, and everything else. --- */

static void put_to_host(struct plan_builder *builder)
{
    openflow_put_set_eth_dst(&builder->actions, builder->router_mac);
    openflow_put_output(&builder->actions, OPENFLOW_PORT_LOCAL, 0);
}

static void add_own_address(struct plan_builder *builder,
                            const struct address *own)
{
    struct flow_match match = {0};
    struct prefix address = plan_host_prefix(own);

    if (own->family == 0) {
        return;
    }
    plan_match_ip(&match, own->family);
    plan_match_destination(&match, &address);
    put_to_host(builder);
    plan_add_flow(builder, TABLE_ROUTE, PRIORITY_OWN_ADDRESS,
                  plan_cookie_base("own address"), &match, "to the host");
}

static void add_rest(struct plan_builder *builder)
{
    struct flow_match from_tunnel = {0}, from_container = {0};

    plan_match_class(&from_tunnel, CLASS_TUNNEL, UINT32_MAX);
    plan_add_flow(builder, TABLE_ROUTE, PRIORITY_TUNNEL_DROP,
                  plan_cookie_base("tunnel to elsewhere"), &from_tunnel,
                  "from the tunnel, not for us");
    plan_match_class(&from_container, CLASS_CONTAINER, UINT32_MAX);
    put_to_host(builder);
    plan_add_flow(builder, TABLE_ROUTE, PRIORITY_REST,
                  plan_cookie_base("container to elsewhere"), &from_container,
                  "elsewhere: the host routes it or not");
}

/* --- Remote hosts. --- */

static void add_remote(struct plan_builder *builder,
                       const struct desired_item *item,
                       const struct prefix *prefix)
{
    unsigned priority = PRIORITY_PREFIX + prefix->len;
    struct flow_match match = {0};
    uint8_t mac[6];

    plan_match_ip(&match, prefix->address.family);
    plan_match_destination(&match, prefix);
    /* From containers and the host; nothing goes from tunnel to tunnel. */
    plan_match_class(&match, CLASS_MAY_ENTER_TUNNEL, CLASS_MAY_ENTER_TUNNEL);
    /* Without a tunnel these packets end here: by the host's routes they
     * would come back to the bridge. */
    if (builder->tunnel_port != 0 && builder->self != NULL) {
        desired_host_mac(item->host.id, mac);
        openflow_put_set_eth_src(&builder->actions, builder->own_mac);
        openflow_put_set_eth_dst(&builder->actions, mac);
        openflow_put_dec_ttl(&builder->actions);
        openflow_put_check_larger(
            &builder->actions,
            (uint16_t)(plan_tunnel_mtu(builder->observed->mesh_mtu) +
                       ETHERNET_SIZE));
        openflow_put_resubmit(&builder->actions, TABLE_TUNNEL);
    }
    plan_add_flow(builder, TABLE_ROUTE, priority, plan_cookie_item(item),
                  &match, "to %s", item->host.name);
}

static void add_remotes(struct plan_builder *builder)
{
    const struct desired_item *hosts;
    size_t n_hosts = plan_items(builder, DESIRED_HOST, &hosts);

    for (size_t i = 0; i < n_hosts; i++) {
        const struct desired_host *host = &hosts[i].host;
        struct prefix mesh = plan_host_prefix(&host->mesh);

        if (host->is_self) {
            continue;
        }
        for (size_t j = 0; j < host->n_subnets; j++) {
            add_remote(builder, &hosts[i], &host->subnets[j]);
        }
        if (host->mesh.family != 0) {
            add_remote(builder, &hosts[i], &mesh);
        }
    }
}

/* Table 8: what does not fit is for the worker to answer, whole; what does,
 * leaves. */
static void add_tunnel(struct plan_builder *builder)
{
    uint64_t cookie = plan_cookie_base("into the tunnel");
    struct flow_match large = {.fields = FLOW_REG1, .reg1 = 1, .reg1_mask = 1};
    struct flow_match any = {0};

    if (builder->tunnel_port == 0) {
        return;
    }
    plan_put_answered(builder);
    plan_add_flow(builder, TABLE_TUNNEL, 100, cookie, &large,
                  "too big for the tunnel");
    openflow_put_output(&builder->actions, builder->tunnel_port, 0);
    plan_add_flow(builder, TABLE_TUNNEL, 10, cookie, &any, "into the tunnel");
}

bool plan_is_too_big(uint8_t table)
{
    return table == TABLE_TUNNEL;
}

void plan_put_report(struct writer *actions)
{
    openflow_put_set_reg(actions, 0, CLASS_TUNNEL);
    openflow_put_resubmit(actions, TABLE_CONNTRACK);
}

void plan_routes(struct plan_builder *builder)
{
    add_neighbors(builder);
    add_unknown(builder);
    add_own_address(builder, &builder->policy->gateway);
    if (builder->self != NULL) {
        add_own_address(builder, &builder->self->mesh);
    }
    add_remotes(builder);
    add_tunnel(builder);
    add_rest(builder);
}
