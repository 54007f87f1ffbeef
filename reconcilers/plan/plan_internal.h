/*
 * What the files of the planner share: the builder that collects flows and
 * groups, the numbers of the pipeline, and one entry per file.  Nobody else
 * includes this; docs/PIPELINE.md explains the tables.
 */
#ifndef SOCKETNET_RECONCILERS_PLAN_PLAN_INTERNAL_H
#define SOCKETNET_RECONCILERS_PLAN_PLAN_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/base/cursor.h"
#include "gossip/base/macros.h"
#include "reconcilers/openflow/openflow.h"
#include "reconcilers/plan/plan.h"

enum plan_table {
    TABLE_CLASSIFY = 0,
    TABLE_ARP = 1,
    TABLE_CONNTRACK = 3,
    TABLE_SERVICE = 4,
    TABLE_HAIRPIN = 5,
    TABLE_ROUTE = 7,
    TABLE_TUNNEL = 8,
};

/* reg0.  The lowest bit is set for what may enter the tunnel. */
enum plan_class {
    CLASS_CONTAINER = 1,
    CLASS_TUNNEL = 2,
    CLASS_HOST = 3,
};
#define CLASS_MAY_ENTER_TUNNEL 1u

/* Priorities of table 0 begin here: above what people write by hand. */
enum plan_priority {
    PRIORITY_HOST = 20950,   /* LOCAL to what is ours */
    PRIORITY_KNOWN = 20920,  /* ARP of a known container: no copy */
    PRIORITY_BOUND = 20900,  /* a bound address from its own port */
    PRIORITY_SPOOF = 20800,  /* ... and the gateway's, from others */
    PRIORITY_TUNNEL = 20700, /* a node's own sources */
    PRIORITY_TUNNEL_REST = 20690,
    PRIORITY_CONTAINER = 20500,
};

/* Of table 7.  Prefixes lie in between: PRIORITY_PREFIX + length. */
enum plan_route_priority {
    PRIORITY_TO_SELF = 520, /* hairpin: back out of the port it came from */
    PRIORITY_FROM_TUNNEL = 510,
    PRIORITY_NEIGHBOR = 500,
    PRIORITY_OWN_ADDRESS = 450,
    PRIORITY_PREFIX = 300, /* 300..428, the longest wins */
    PRIORITY_TUNNEL_DROP = 200,
    PRIORITY_REST = 100,
};

#define ETH_TYPE_IPV4 0x0800
#define ETH_TYPE_ARP  0x0806
#define ETH_TYPE_IPV6 0x86dd

#define ETHERNET_SIZE 14

#define IP_PROTO_TCP 6
#define TCP_FLAG_SYN 0x002

#define CT_NEW 0x01u
#define CT_EST 0x02u
#define CT_REL 0x04u
#define CT_INV 0x10u
#define CT_TRK 0x20u

/* Enough of a frame for the worker to read an ARP packet or the addresses. */
#define COPY_LEN 128

/* The flood's list of outputs has to fit into one message of 64 KiB. */
#define FLOOD_PORTS_MAX 3900

struct plan_builder {
    const struct desired *desired;
    const struct plan_policy *policy;
    const struct plan_observed *observed;
    const struct desired_host *self; /* NULL: not known yet */
    uint8_t own_mac[6];              /* of the own tunnel end */
    uint8_t router_mac[6];           /* what containers send to */
    uint32_t tunnel_port;            /* ofport, 0: not there */
    bool has_ipv6;
    uint32_t *container_ports; /* ofports, sorted: the order of what was
                                  observed must not show in the plan */
    size_t n_container_ports;
    struct plan *plan;
    size_t flows_capacity;
    size_t groups_capacity;
    size_t pending_capacity;
    size_t refused_capacity;
    uint32_t *group_ids; /* given out so far, sorted */
    size_t n_group_ids;
    uint8_t *scratch;      /* 64 KiB under `actions` */
    struct writer actions; /* of the flow that is being made */
    int error;             /* first one; then everything is a no-op */
};

/* --- plan_build.c: collecting. --- */

void plan_match_in_port(struct flow_match *match, uint32_t port);
void plan_match_class(struct flow_match *match, uint32_t reg0, uint32_t mask);
/* eth_type of IPv4 or IPv6 by the family. */
void plan_match_ip(struct flow_match *match, uint8_t family);
void plan_match_arp(struct flow_match *match);
void plan_match_arp_op(struct flow_match *match, uint16_t arp_op);
void plan_match_source(struct flow_match *match, const struct prefix *prefix);
void plan_match_destination(struct flow_match *match,
                            const struct prefix *prefix);
void plan_match_eth_dst(struct flow_match *match, const uint8_t mac[6]);
void plan_match_eth_src(struct flow_match *match, const uint8_t mac[6]);
void plan_match_ct(struct flow_match *match, uint32_t state);
struct prefix plan_host_prefix(const struct address *address);

/* Adds a flow with what was put into builder->actions since the last one
 * (nothing: drop). */
_printf_(6, 7) void plan_add_flow(struct plan_builder *builder,
                                  enum plan_table table, unsigned priority,
                                  uint64_t cookie,
                                  const struct flow_match *match,
                                  const char *label, ...);
_printf_(3, 4) void plan_add_pending(struct plan_builder *builder,
                                     const char *item, const char *reason, ...);
_printf_(3, 4) void plan_add_refused(struct plan_builder *builder,
                                     const char *item, const char *reason, ...);
/* Outputs to every container port, but the one a packet came from. */
void plan_put_flood(struct plan_builder *builder);
/* To the worker, whole, through the meter: without one a container could keep
 * the worker busy, so that it is dropped. */
void plan_put_answered(struct plan_builder *builder);
/* Takes `group` over.  */
void plan_add_group(struct plan_builder *builder, struct group *group);
/* A group id of ours for this key that no other key has. */
uint32_t plan_take_group_id(struct plan_builder *builder, uint32_t hash);

uint64_t plan_cookie_base(const char *purpose);
uint64_t plan_cookie_item(const struct desired_item *item);
uint64_t plan_cookie_address(const struct address *address);

/* --- plan_find.c: questions about the inputs. --- */

/* The desired items of one type: [*ret_first, *ret_first + result). */
size_t plan_items(const struct plan_builder *builder, enum desired_type type,
                  const struct desired_item **ret_first);
bool plan_is_own(const struct plan_policy *policy,
                 const struct address *address);
/* The host's own: of the mesh, or the gateway's. */
bool plan_is_host(const struct plan_builder *builder,
                  const struct address *address);
/* A container's here, or the host's. */
bool plan_is_here(const struct plan_builder *builder,
                  const struct address *address);
bool plan_is_container_port(const struct plan_builder *builder,
                            const struct plan_port *port);
/* Fills container_ports.  0 or -ENOMEM. */
_must_check_ int plan_find_container_ports(struct plan_builder *builder);
/* ofport of a named port, 0: not there. */
uint32_t plan_find_port(const struct plan_builder *builder, const char *name);
/* The port behind which the address lives, when it was seen there and the item
 * binds it to another one; else NULL. */
const struct plan_port *plan_find_true_port(const struct plan_builder *builder,
                                            const struct desired_local *local);
/* The binding of an address, NULL: it has none, or one that is refused. */
const struct desired_local *
plan_find_binding(const struct plan_builder *builder,
                  const struct address *address);
/* Whether the address was seen behind a port, be it away now. */
bool plan_was_seen(const struct plan_builder *builder,
                   const struct address *address);
/* The neighbour of that address whose port is there; else NULL. */
const struct plan_neighbor *
plan_find_neighbor(const struct plan_builder *builder,
                   const struct address *address);
bool plan_is_usable_neighbor(const struct plan_builder *builder,
                             const struct plan_neighbor *neighbor);
/* Whether packets for that backend can leave by a flow of table 7. */
bool plan_is_reachable(const struct plan_builder *builder,
                       const struct desired_backend *backend);

/* --- One file per part of the pipeline. --- */
void plan_base(struct plan_builder *builder);
void plan_arp(struct plan_builder *builder);
void plan_services(struct plan_builder *builder);
/* The way of a local backend's connections to itself. */
void plan_hairpin(struct plan_builder *builder, uint8_t protocol,
                  const struct desired_backend *backend);
void plan_routes(struct plan_builder *builder);
/* The kernel's side: tunnel, forwarding entries, routes, address. */
_must_check_ int plan_kernel(struct plan_builder *builder);

#endif
