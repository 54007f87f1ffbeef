/*
 * A container, or the host, calls the service address of a function and the
 * group leads back to itself.  Rewriting the destination alone would send it a
 * packet from its own address, which its kernel drops; so the source is
 * rewritten too, to the first address of the service range (H), which is no
 * function's, in a second conntrack zone:
 *
 *   C:s -> V:p   table 4: zone 70, destination becomes C:b
 *   C:s -> C:b   table 5: zone 71, source becomes H
 *   H:s -> C:b   table 7: back out of the port that it came from
 *   C:b -> H:s   table 3: the answer; zone 71 gives C:b -> C:s,
 *                table 5 and zone 70 then V:p -> C:s
 *
 * All of it is about the backend alone: functions that share one have the same
 * flows.
 */
#include "reconcilers/plan/plan_internal.h"

enum hairpin_priority {
    SERVICE_HAIRPIN_KNOWN = 950, /* above "established" */
    HAIRPIN_ANSWER = 110,
    HAIRPIN_QUESTION = 100,
    CONNTRACK_ANSWER = 100, /* above the common lookup of table 3 */
};

static void match_connection(struct flow_match *match, uint8_t protocol,
                             const struct address *from,
                             const struct address *to)
{
    struct prefix source = plan_host_prefix(from);
    struct prefix destination = plan_host_prefix(to);

    plan_match_ip(match, to->family);
    match->fields |= FLOW_IP_PROTO;
    match->ip_proto = protocol;
    /* The host has several addresses to call from. */
    if (from->family == 0) {
        plan_match_class(match, CLASS_HOST, UINT32_MAX);
    } else {
        plan_match_source(match, &source);
    }
    plan_match_destination(match, &destination);
}

/* Tables 4 and 5: the call itself, its source becomes H.  A caller of family 0
 * is the host. */
static void add_call(struct plan_builder *builder, uint64_t cookie,
                     uint8_t protocol, const struct address *caller,
                     const struct desired_backend *backend)
{
    const struct openflow_ct ct = {.zone = PLAN_ZONE_HAIRPIN,
                                   .commit = true,
                                   .source =
                                       &builder->policy->service_range.address,
                                   .table = TABLE_ROUTE};
    struct flow_match match = {0};

    match_connection(&match, protocol, caller, &backend->address);
    match.fields |= FLOW_TP_DST;
    match.tp_dst = backend->port;
    openflow_put_ct(&builder->actions, &ct);
    plan_add_flow(builder, TABLE_HAIRPIN, HAIRPIN_QUESTION, cookie, &match,
                  "who has it calls it");
    plan_match_ct(&match, CT_EST);
    openflow_put_resubmit(&builder->actions, TABLE_HAIRPIN);
    plan_add_flow(builder, TABLE_SERVICE, SERVICE_HAIRPIN_KNOWN, cookie, &match,
                  "who has it calls it, established");
}

/* Tables 3 and 5: the answer passes the two zones the other way round. */
static void add_answer(struct plan_builder *builder, uint64_t cookie,
                       uint8_t protocol, const struct desired_backend *backend)
{
    const struct openflow_ct outer = {
        .zone = PLAN_ZONE_HAIRPIN, .nat = true, .table = TABLE_HAIRPIN};
    const struct openflow_ct inner = {
        .zone = PLAN_ZONE, .nat = true, .table = TABLE_SERVICE};
    struct prefix source = plan_host_prefix(&backend->address);
    struct flow_match first = {0}, second = {0};

    match_connection(&first, protocol, &backend->address,
                     &builder->policy->service_range.address);
    first.fields |= FLOW_TP_SRC;
    first.tp_src = backend->port;
    openflow_put_ct(&builder->actions, &outer);
    plan_add_flow(builder, TABLE_CONNTRACK, CONNTRACK_ANSWER, cookie, &first,
                  "answer of a container to itself");
    plan_match_ip(&second, backend->address.family);
    second.fields |= FLOW_CT_ZONE;
    second.ct_zone = PLAN_ZONE_HAIRPIN;
    plan_match_source(&second, &source);
    openflow_put_ct(&builder->actions, &inner);
    plan_add_flow(builder, TABLE_HAIRPIN, HAIRPIN_ANSWER, cookie, &second,
                  "answer of a container to itself");
}

/* Table 7: back to who sent it.  Base, not local: the worker reads its
 * neighbours from local flows. */
static void add_return(struct plan_builder *builder, uint64_t cookie,
                       const struct address *address, uint32_t port,
                       const uint8_t mac[6])
{
    struct prefix destination = plan_host_prefix(address);
    struct flow_match match = {0};

    plan_match_in_port(&match, port);
    plan_match_ip(&match, address->family);
    plan_match_destination(&match, &destination);
    openflow_put_set_eth_src(&builder->actions, builder->router_mac);
    openflow_put_set_eth_dst(&builder->actions, mac);
    openflow_put_output(&builder->actions, OPENFLOW_PORT_IN_PORT, 0);
    plan_add_flow(builder, TABLE_ROUTE, PRIORITY_TO_SELF, cookie, &match,
                  "back to who sent it");
}

static void add_host_returns(struct plan_builder *builder, uint64_t cookie)
{
    const struct address *const own[] = {&builder->self->mesh,
                                         &builder->policy->gateway};

    for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
        if (own[i]->family != 0) {
            add_return(builder, cookie, own[i], OPENFLOW_PORT_LOCAL,
                       builder->router_mac);
        }
    }
}

void plan_hairpin(struct plan_builder *builder, uint8_t protocol,
                  const struct desired_backend *backend)
{
    static const struct address host = {.family = 0};
    const struct plan_neighbor *neighbor =
        plan_find_neighbor(builder, &backend->address);
    uint64_t cookie = plan_cookie_base("hairpin");
    bool is_host =
        builder->self != NULL && plan_is_host(builder, &backend->address);

    /* Not before the way back is known. */
    if ((neighbor == NULL && !is_host) ||
        builder->policy->service_range.address.family !=
            backend->address.family) {
        return;
    }
    add_call(builder, cookie, protocol, is_host ? &host : &backend->address,
             backend);
    add_answer(builder, cookie, protocol, backend);
    if (is_host) {
        add_host_returns(builder, cookie);
    } else {
        add_return(builder, cookie, &backend->address, neighbor->ofport,
                   neighbor->mac);
    }
}
