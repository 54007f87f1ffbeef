/*
 * The kernel's side of the plan: the tunnel device with one forwarding entry
 * per remote node, routes to the remote subnets and to the functions'
 * addresses by the bridge's own port, and the gateway's address on it.
 */
#include "reconcilers/plan/plan_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Outer Ethernet 14 + IPv4 20 + UDP 8 + VXLAN 8 (RFC 7348, section 5). */
#define VXLAN_OVERHEAD 50
#define MESH_MTU       1420 /* WireGuard's usual one, when it is not known */

uint32_t plan_tunnel_mtu(uint32_t mesh_mtu)
{
    return (mesh_mtu > VXLAN_OVERHEAD ? mesh_mtu : MESH_MTU) - VXLAN_OVERHEAD;
}

static int compare_forwards(const void *a, const void *b)
{
    const struct plan_forward *left = a, *right = b;
    int order = memcmp(left->mac, right->mac, sizeof(left->mac));

    return order != 0 ? order : address_compare(&left->mesh, &right->mesh);
}

static int compare_routes(const void *a, const void *b)
{
    const struct plan_route *left = a, *right = b;
    int order = address_compare(&left->destination.address,
                                &right->destination.address);

    return order != 0
               ? order
               : (int)left->destination.len - (int)right->destination.len;
}

/* The address that host processes show to remote containers. */
static struct address route_source(const struct plan_builder *builder,
                                   uint8_t family)
{
    const struct address none = {0};
    const struct address *gateway = &builder->policy->gateway;

    if (gateway->family == family) {
        return *gateway;
    }
    return builder->self->mesh.family == family ? builder->self->mesh : none;
}

static void add_route(struct plan_builder *builder,
                      const struct prefix *destination)
{
    struct plan *plan = builder->plan;

    plan->routes[plan->n_routes] = (struct plan_route){
        .destination = *destination,
        .source = route_source(builder, destination->address.family),
        .mtu = plan->tunnel_mtu};
    plan->n_routes++;
}

static void add_host(struct plan_builder *builder,
                     const struct desired_host *host)
{
    struct plan *plan = builder->plan;

    if (host->mesh.family == builder->self->mesh.family &&
        host->mesh.family != 0) {
        struct plan_forward *forward = &plan->forwards[plan->n_forwards];

        desired_host_mac(host->id, forward->mac);
        forward->mesh = host->mesh;
        plan->n_forwards++;
    }
    for (size_t i = 0; i < host->n_subnets; i++) {
        add_route(builder, &host->subnets[i]);
    }
}

/* Keeps one route of each destination; two hosts with the same subnet are
 * named by the flows. */
static void settle_routes(struct plan *plan)
{
    size_t n = 0;

    if (plan->n_routes == 0) {
        return;
    }
    qsort(plan->routes, plan->n_routes, sizeof(*plan->routes), compare_routes);
    for (size_t i = 0; i < plan->n_routes; i++) {
        if (n == 0 ||
            compare_routes(&plan->routes[n - 1], &plan->routes[i]) != 0) {
            plan->routes[n] = plan->routes[i];
            n++;
        }
    }
    plan->n_routes = n;
}

static void set_local_address(struct plan_builder *builder)
{
    const struct plan_policy *policy = builder->policy;

    if (policy->gateway.family == 0) {
        return;
    }
    builder->plan->local_address = plan_host_prefix(&policy->gateway);
    for (size_t i = 0; i < policy->n_subnets; i++) {
        if (prefix_contains(&policy->subnets[i], &policy->gateway)) {
            builder->plan->local_address = policy->subnets[i];
        }
    }
}

int plan_kernel(struct plan_builder *builder)
{
    struct plan *plan = builder->plan;
    const struct desired_item *hosts;
    size_t n_hosts = plan_items(builder, DESIRED_HOST, &hosts);

    set_local_address(builder);
    plan->tunnel_mtu = plan_tunnel_mtu(builder->observed->mesh_mtu);
    if (builder->self == NULL) {
        return 0;
    }
    plan->tunnel_local = builder->self->mesh;
    memcpy(plan->tunnel_mac, builder->own_mac, sizeof(plan->tunnel_mac));
    plan->needs_tunnel = n_hosts > 1 && plan->tunnel_local.family != 0;
    plan->forwards = calloc(n_hosts, sizeof(*plan->forwards));
    plan->routes =
        calloc(n_hosts * DESIRED_SUBNETS_MAX + 1, sizeof(*plan->routes));
    if (plan->forwards == NULL || plan->routes == NULL) {
        return -ENOMEM;
    }
    if (builder->policy->service_range.address.family != 0) {
        add_route(builder, &builder->policy->service_range);
    }
    for (size_t i = 0; i < n_hosts; i++) {
        if (!hosts[i].host.is_self) {
            add_host(builder, &hosts[i].host);
        }
    }
    qsort(plan->forwards, plan->n_forwards, sizeof(*plan->forwards),
          compare_forwards);
    settle_routes(plan);
    return 0;
}
