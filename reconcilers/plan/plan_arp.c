/*
 * Table 1: ARP.  Only requests and answers of containers and of the host
 * come here; none ever leaves by the tunnel.  What is known is answered in
 * the switch, the rest reaches local ports only.
 */
#include "reconcilers/plan/plan_internal.h"

#include <string.h>

#define ARP_REQUEST 1
#define ARP_REPLY   2

enum arp_priority {
    ARP_SERVICE = 300,
    ARP_GATEWAY = 290,
    ARP_REMOTE = 280,
    ARP_OWN_QUESTION = 275, /* a container asks for its own address */
    ARP_NEIGHBOR = 270,
    ARP_PROBE_REPLY = 265,
    ARP_HOST_REPLY = 260,
    ARP_NEIGHBOR_REPLY = 255,
    ARP_FLOOD = 200,
};

/* Whoever asks for something in `asked` learns that it is at `mac`. */
static void add_answer(struct plan_builder *builder, enum arp_priority priority,
                       uint64_t cookie, const struct prefix *asked,
                       const uint8_t mac[6], const char *label)
{
    struct flow_match match = {0};

    if (asked->address.family != 4) {
        return;
    }
    plan_match_arp(&match);
    plan_match_arp_op(&match, ARP_REQUEST);
    plan_match_destination(&match, asked);
    openflow_put_arp_answer(&builder->actions, mac);
    openflow_put_output(&builder->actions, OPENFLOW_PORT_IN_PORT, 0);
    plan_add_flow(builder, TABLE_ARP, priority, cookie, &match, "%s", label);
}

static void add_own_answers(struct plan_builder *builder)
{
    const struct plan_policy *policy = builder->policy;

    add_answer(builder, ARP_SERVICE, plan_cookie_base("service ARP"),
               &policy->service_range, builder->router_mac,
               "service addresses are here");
    if (policy->gateway.family == 4) {
        struct prefix gateway = plan_host_prefix(&policy->gateway);

        add_answer(builder, ARP_GATEWAY, plan_cookie_base("gateway ARP"),
                   &gateway, builder->router_mac, "the gateway is here");
    }
}

static void add_remote_answers(struct plan_builder *builder)
{
    const struct desired_item *hosts;
    size_t n_hosts = plan_items(builder, DESIRED_HOST, &hosts);

    for (size_t i = 0; i < n_hosts && builder->self != NULL; i++) {
        const struct desired_host *host = &hosts[i].host;
        struct prefix mesh = plan_host_prefix(&host->mesh);
        uint64_t cookie = plan_cookie_item(&hosts[i]);

        if (host->is_self) {
            continue;
        }
        for (size_t j = 0; j < host->n_subnets; j++) {
            add_answer(builder, ARP_REMOTE, cookie, &host->subnets[j],
                       builder->own_mac, "remote subnet");
        }
        add_answer(builder, ARP_REMOTE, cookie, &mesh, builder->own_mac,
                   "remote host");
    }
}

static void add_neighbor(struct plan_builder *builder,
                         const struct plan_neighbor *neighbor)
{
    struct prefix address = plan_host_prefix(&neighbor->address);
    uint64_t cookie = plan_cookie_address(&neighbor->address);
    struct flow_match question = {0}, reply = {0};

    add_answer(builder, ARP_NEIGHBOR, cookie, &address, neighbor->mac,
               "a known container");
    /* An answer to its own announcement would look like a clash. */
    plan_match_in_port(&question, neighbor->ofport);
    plan_match_arp(&question);
    plan_match_arp_op(&question, ARP_REQUEST);
    plan_match_destination(&question, &address);
    plan_add_flow(builder, TABLE_ARP, ARP_OWN_QUESTION, cookie, &question,
                  "a container's own address");
    plan_match_arp(&reply);
    plan_match_arp_op(&reply, ARP_REPLY);
    plan_match_destination(&reply, &address);
    openflow_put_output(&builder->actions, neighbor->ofport, 0);
    plan_add_flow(builder, TABLE_ARP, ARP_NEIGHBOR_REPLY, cookie, &reply,
                  "answer for a known container");
}

/* Answers to the worker's probes, which it sends in the name of the own
 * tunnel end or of the gateway, and to the host's own questions. */
static void add_replies(struct plan_builder *builder)
{
    uint64_t cookie = plan_cookie_base("ARP replies");
    struct flow_match match = {0};

    plan_match_arp(&match);
    plan_match_arp_op(&match, ARP_REPLY);
    plan_match_eth_dst(&match, builder->router_mac);
    openflow_put_output(&builder->actions, OPENFLOW_PORT_CONTROLLER, COPY_LEN);
    openflow_put_output(&builder->actions, OPENFLOW_PORT_LOCAL, 0);
    plan_add_flow(builder, TABLE_ARP, ARP_HOST_REPLY, cookie, &match,
                  "answer for the host");
    if (builder->self == NULL) {
        return;
    }
    plan_match_eth_dst(&match, builder->own_mac);
    openflow_put_output(&builder->actions, OPENFLOW_PORT_CONTROLLER, COPY_LEN);
    plan_add_flow(builder, TABLE_ARP, ARP_PROBE_REPLY, cookie, &match,
                  "answer to a probe");
}

/* The rest of the own subnets, to local ports; the switch leaves out the
 * port that a packet came from. */
static void add_floods(struct plan_builder *builder)
{
    const struct plan_policy *policy = builder->policy;

    for (size_t i = 0; i < policy->n_subnets; i++) {
        struct flow_match match = {0};

        if (policy->subnets[i].address.family != 4) {
            continue;
        }
        plan_match_arp(&match);
        plan_match_destination(&match, &policy->subnets[i]);
        openflow_put_output(&builder->actions, OPENFLOW_PORT_LOCAL, 0);
        plan_put_flood(builder);
        plan_add_flow(builder, TABLE_ARP, ARP_FLOOD,
                      plan_cookie_base("ARP flood"), &match,
                      "unknown container: ask all local ports");
    }
}

void plan_arp(struct plan_builder *builder)
{
    const struct plan_observed *observed = builder->observed;

    add_own_answers(builder);
    add_remote_answers(builder);
    add_replies(builder);
    add_floods(builder);
    for (size_t i = 0; i < observed->n_neighbors; i++) {
        const struct plan_neighbor *neighbor = &observed->neighbors[i];

        if (neighbor->address.family == 4 &&
            plan_is_usable_neighbor(builder, neighbor)) {
            add_neighbor(builder, neighbor);
        }
    }
}
