/*
 * The planner: runs the parts of the pipeline over one set of inputs, then
 * sorts and settles what they made.  The parts: plan_base.c, plan_arp.c,
 * plan_service.c, plan_hairpin.c, plan_route.c, plan_kernel.c; plan_build.c
 * and plan_find.c serve them.  Pure.
 */
#include "reconcilers/plan/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "reconcilers/plan/plan_internal.h"

void plan_done(struct plan *plan)
{
    if (plan == NULL) {
        return;
    }
    for (size_t i = 0; i < plan->n_flows; i++) {
        flow_done(&plan->flows[i]);
    }
    for (size_t i = 0; i < plan->n_groups; i++) {
        group_done(&plan->groups[i]);
    }
    free(plan->flows);
    free(plan->groups);
    free(plan->forwards);
    free(plan->routes);
    free(plan->pending);
    free(plan->refused);
    *plan = (struct plan)PLAN_INIT;
}

static int compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* By key; of two with one key the order is still total, so that every run,
 * and every host with the same inputs, keeps the same one. */
static int compare_flows(const void *a, const void *b)
{
    const struct flow *left = a, *right = b;
    int order = flow_compare_key(left, right);

    if (order == 0) {
        order = compare_numbers(left->cookie, right->cookie);
    }
    if (order == 0) {
        order =
            compare_numbers(left->instructions_size, right->instructions_size);
    }
    if (order == 0 && left->instructions_size > 0) {
        order = memcmp(left->instructions, right->instructions,
                       left->instructions_size);
    }
    return order;
}

static int compare_groups(const void *a, const void *b)
{
    return group_compare_key(a, b);
}

static int compare_problems(const void *a, const void *b)
{
    const struct plan_problem *left = a, *right = b;
    int order = strcmp(left->item, right->item);

    return order != 0 ? order : strcmp(left->reason, right->reason);
}

/* Sorts, and keeps one flow of each key: the switch would silently keep the
 * later one.  Two that differ are named. */
static void settle_flows(struct plan_builder *builder)
{
    struct plan *plan = builder->plan;
    size_t n = 0;

    if (plan->n_flows == 0) {
        return;
    }
    qsort(plan->flows, plan->n_flows, sizeof(*plan->flows), compare_flows);
    for (size_t i = 0; i < plan->n_flows; i++) {
        struct flow *flow = &plan->flows[i];
        const struct flow *kept = n > 0 ? &plan->flows[n - 1] : NULL;

        if (kept == NULL || flow_compare_key(kept, flow) != 0) {
            plan->flows[n] = *flow;
            n++;
            continue;
        }
        if (!flow_equal(kept, flow)) {
            plan_add_pending(builder, flow->label,
                             "wants the same packets as: %s", kept->label);
        }
        flow_done(flow);
    }
    plan->n_flows = n;
}

static void settle(struct plan_builder *builder)
{
    struct plan *plan = builder->plan;

    settle_flows(builder);
    if (plan->n_groups > 0) {
        qsort(plan->groups, plan->n_groups, sizeof(*plan->groups),
              compare_groups);
    }
    if (plan->n_pending > 0) {
        qsort(plan->pending, plan->n_pending, sizeof(*plan->pending),
              compare_problems);
    }
    if (plan->n_refused > 0) {
        qsort(plan->refused, plan->n_refused, sizeof(*plan->refused),
              compare_problems);
    }
}

/* What binds an address to a port that it does not live behind, or to one that
 * is not there, in words. */
static void judge_bindings(struct plan_builder *builder)
{
    const struct desired_item *items;
    size_t n_items = plan_items(builder, DESIRED_LOCAL, &items);
    char address[ADDRESS_TEXT_SIZE];
    char text[PLAN_TEXT_SIZE];

    for (size_t i = 0; i < n_items; i++) {
        const struct desired_local *local = &items[i].local;
        const struct plan_port *port = plan_find_true_port(builder, local);

        plan_item_text(&items[i], text);
        if (port != NULL) {
            plan_add_refused(builder, text, "%s lives behind %s",
                             address_text(&local->address, address),
                             port->name);
        } else if (local->port_name[0] != '\0' &&
                   plan_find_port(builder, local->port_name) == 0) {
            plan_add_pending(builder, text, "no port %s on %s",
                             local->port_name, builder->policy->bridge);
        }
    }
}

/* What waits for the bridge or the tunnel, in words. */
static void add_pending(struct plan_builder *builder)
{
    const struct plan_policy *policy = builder->policy;
    const struct desired_item *items;
    size_t n_items;
    char text[PLAN_TEXT_SIZE];

    if (!builder->observed->is_bridge_up) {
        plan_add_pending(builder, "bridge", "no bridge %s", policy->bridge);
        return;
    }
    judge_bindings(builder);
    n_items = plan_items(builder, DESIRED_HOST, &items);
    for (size_t i = 0; i < n_items; i++) {
        if (!items[i].host.is_self && builder->tunnel_port == 0) {
            plan_item_text(&items[i], text);
            plan_add_pending(builder, text, "no port %s on %s",
                             policy->tunnel_device, policy->bridge);
        }
    }
}

static void find_self(struct plan_builder *builder)
{
    const struct desired_item *hosts;
    size_t n_hosts = plan_items(builder, DESIRED_HOST, &hosts);

    for (size_t i = 0; i < n_hosts; i++) {
        if (hosts[i].host.is_self && builder->self == NULL) {
            builder->self = &hosts[i].host;
            desired_host_mac(builder->self->id, builder->own_mac);
        }
    }
}

static void prepare(struct plan_builder *builder)
{
    static const uint8_t no_mac[6];
    const struct plan_policy *policy = builder->policy;

    find_self(builder);
    builder->tunnel_port = plan_find_port(builder, policy->tunnel_device);
    memcpy(builder->router_mac, builder->observed->local_mac, 6);
    if (memcmp(builder->router_mac, no_mac, 6) == 0) {
        memcpy(builder->router_mac, builder->own_mac, 6);
    }
    for (size_t i = 0; i < policy->n_subnets; i++) {
        builder->has_ipv6 =
            builder->has_ipv6 || policy->subnets[i].address.family == 6;
    }
}

int plan_make(const struct desired *desired, const struct plan_policy *policy,
              const struct plan_observed *observed, struct plan *ret)
{
    _cleanup_(free_pointer) uint8_t *scratch = malloc(UINT16_MAX);
    struct plan plan = PLAN_INIT;
    struct plan_builder builder = {.desired = desired,
                                   .policy = policy,
                                   .observed = observed,
                                   .plan = &plan,
                                   .scratch = scratch};

    if (scratch == NULL) {
        return -ENOMEM;
    }
    builder.actions = writer_init(scratch, UINT16_MAX);
    prepare(&builder);
    builder.error = plan_find_container_ports(&builder);
    add_pending(&builder);
    if (observed->is_bridge_up) {
        plan_base(&builder);
        plan_arp(&builder);
        plan_services(&builder);
        plan_routes(&builder);
    }
    if (builder.error == 0) {
        builder.error = plan_kernel(&builder);
    }
    settle(&builder);
    free(builder.group_ids);
    free(builder.container_ports);
    if (builder.error != 0) {
        plan_done(&plan);
        return builder.error;
    }
    *ret = plan;
    return 0;
}
