/*
 * A container calls the service address of a function whose only backend it
 * is itself.  Rewriting the destination alone would send it a packet from
 * its own address, which its kernel drops; so the source is rewritten too,
 * to the service address, in a second conntrack zone:
 *
 *   C:s -> V:p   table 4: zone 70, destination becomes C:b
 *   C:s -> C:b   table 5: zone 71, source becomes V
 *   V:s -> C:b   table 7: back out of the port that it came from
 *   C:b -> V:s   table 3: the answer; zone 71 gives C:b -> C:s,
 *                table 5 and zone 70 then V:p -> C:s
 */
#include "reconcilers/plan/plan_internal.h"

enum hairpin_priority {
    SERVICE_HAIRPIN_KNOWN = 950, /* above "established" */
    SERVICE_HAIRPIN_NEW = 820,
    HAIRPIN_ANSWER = 110,
    HAIRPIN_QUESTION = 100,
    CONNTRACK_ANSWER = 100, /* above the common lookup of table 3 */
};

static void match_addresses(struct flow_match *match,
                            const struct desired_function *function,
                            const struct address *from,
                            const struct address *to)
{
    struct prefix source = plan_host_prefix(from);
    struct prefix destination = plan_host_prefix(to);

    plan_match_ip(match, from->family);
    match->fields |= FLOW_IP_PROTO;
    match->ip_proto = function->protocol;
    plan_match_source(match, &source);
    plan_match_destination(match, &destination);
}

static void match_port(struct flow_match *match, uint16_t port, bool is_source)
{
    if (is_source) {
        match->fields |= FLOW_TP_SRC;
        match->tp_src = port;
    } else {
        match->fields |= FLOW_TP_DST;
        match->tp_dst = port;
    }
}

/* Table 4: the call itself, first packet and later ones. */
static void add_calls(struct plan_builder *builder, uint64_t cookie,
                      const struct desired_function *function,
                      const struct desired_backend *backend)
{
    const struct openflow_ct ct = {.zone = PLAN_ZONE,
                                   .commit = true,
                                   .destination = &backend->address,
                                   .port = backend->port,
                                   .table = TABLE_HAIRPIN};
    struct flow_match first = {0}, later = {0};

    match_addresses(&first, function, &backend->address, &function->address);
    match_port(&first, function->port, false);
    plan_match_ct(&first, CT_NEW);
    openflow_put_ct(&builder->actions, &ct);
    plan_add_flow(builder, TABLE_SERVICE, SERVICE_HAIRPIN_NEW, cookie, &first,
                  "%s, called by its only backend", function->name);
    match_addresses(&later, function, &backend->address, &backend->address);
    match_port(&later, backend->port, false);
    plan_match_ct(&later, CT_EST);
    openflow_put_resubmit(&builder->actions, TABLE_HAIRPIN);
    plan_add_flow(builder, TABLE_SERVICE, SERVICE_HAIRPIN_KNOWN, cookie, &later,
                  "%s, called by its only backend", function->name);
}

/* Table 5: the source becomes the service address. */
static void add_rewrite(struct plan_builder *builder, uint64_t cookie,
                        const struct desired_function *function,
                        const struct desired_backend *backend)
{
    const struct openflow_ct ct = {.zone = PLAN_ZONE_HAIRPIN,
                                   .commit = true,
                                   .source = &function->address,
                                   .table = TABLE_ROUTE};
    struct flow_match match = {0};

    match_addresses(&match, function, &backend->address, &backend->address);
    match_port(&match, backend->port, false);
    openflow_put_ct(&builder->actions, &ct);
    plan_add_flow(builder, TABLE_HAIRPIN, HAIRPIN_QUESTION, cookie, &match,
                  "%s, as if from its address", function->name);
}

/* Tables 3 and 5: the answer passes the two zones the other way round. */
static void add_answers(struct plan_builder *builder, uint64_t cookie,
                        const struct desired_function *function,
                        const struct desired_backend *backend)
{
    const struct openflow_ct outer = {
        .zone = PLAN_ZONE_HAIRPIN, .nat = true, .table = TABLE_HAIRPIN};
    const struct openflow_ct inner = {
        .zone = PLAN_ZONE, .nat = true, .table = TABLE_SERVICE};
    struct prefix source = plan_host_prefix(&backend->address);
    struct flow_match first = {0}, second = {0};

    match_addresses(&first, function, &backend->address, &function->address);
    match_port(&first, backend->port, true);
    openflow_put_ct(&builder->actions, &outer);
    plan_add_flow(builder, TABLE_CONNTRACK, CONNTRACK_ANSWER, cookie, &first,
                  "%s, answer to itself", function->name);
    plan_match_ip(&second, backend->address.family);
    second.fields |= FLOW_CT_ZONE;
    second.ct_zone = PLAN_ZONE_HAIRPIN;
    plan_match_source(&second, &source);
    openflow_put_ct(&builder->actions, &inner);
    plan_add_flow(builder, TABLE_HAIRPIN, HAIRPIN_ANSWER,
                  plan_cookie_address(&backend->address), &second,
                  "answer of a container to itself");
}

void plan_hairpin(struct plan_builder *builder, const struct desired_item *item,
                  const struct desired_backend *backend)
{
    const struct plan_neighbor *neighbor =
        plan_find_neighbor(builder, &backend->address);
    struct prefix address = plan_host_prefix(&backend->address);
    uint64_t cookie = plan_cookie_item(item);
    struct flow_match match = {0};

    if (neighbor == NULL) {
        return; /* not before the way back is known */
    }
    add_calls(builder, cookie, &item->function, backend);
    add_rewrite(builder, cookie, &item->function, backend);
    add_answers(builder, cookie, &item->function, backend);
    plan_match_in_port(&match, neighbor->ofport);
    plan_match_ip(&match, neighbor->address.family);
    plan_match_destination(&match, &address);
    openflow_put_set_eth_src(&builder->actions, builder->router_mac);
    openflow_put_set_eth_dst(&builder->actions, neighbor->mac);
    openflow_put_output(&builder->actions, OPENFLOW_PORT_IN_PORT, 0);
    /* Base, not local: the worker reads its neighbours from local flows,
     * and this one names no port. */
    plan_add_flow(builder, TABLE_ROUTE, PRIORITY_TO_SELF,
                  plan_cookie_base("to itself"), &match,
                  "back to the container that sent it");
}
