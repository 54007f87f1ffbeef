/*
 * Desired state + policy + what is observed -> the plan: every flow, group,
 * port, link, forwarding entry, route and address that should be there.
 * diff.h compares a plan with what is there.  Pure: same inputs, same plan,
 * byte for byte.
 *
 * The pipeline; docs/PIPELINE.md has every flow.  Table 0's flows lie at
 * priorities 20000 and above and take only what is ours, the other tables
 * end in a drop:
 *   0 classify   in_port -> class in reg0; source checks (a bound address
 *                only from its port; from the tunnel only the sender's
 *                certified subnets, by its tunnel MAC); ARP of a container
 *                that is not known as it is goes to the worker as well
 *   1 ARP        answers for the gateway, service addresses, remote subnets
 *                and known local containers; the rest to local ports only
 *   3 conntrack  ct(zone=70,nat)
 *   4 service    +inv drop; +est on; new to a service address:port -> group;
 *                service address, other port -> drop; else commit
 *   5 hairpin    zone 71, for a container that calls itself
 *   7 route      local container -> its MAC and port; remote subnet -> the
 *                node's tunnel MAC, tunnel port; own host addresses -> LOCAL;
 *                rest -> LOCAL (the host routes on), from containers only
 */
#ifndef SOCKETNET_RECONCILERS_PLAN_PLAN_H
#define SOCKETNET_RECONCILERS_PLAN_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/base/address.h"
#include "gossip/base/cursor.h"
#include "gossip/base/macros.h"
#include "reconcilers/openflow/flow.h"
#include "reconcilers/plan/desired.h"

#define PLAN_ZONE         70 /* conntrack zone of service addresses */
#define PLAN_ZONE_HAIRPIN 71

/* The meter of what goes to the worker to be refused: packets a second of all
 * containers together.  Any number will do that is ours and small enough for
 * every datapath: "sn". */
#define PLAN_METER      0x736e
#define PLAN_METER_RATE 1000

#define PLAN_TEXT_SIZE 160 /* of an item's key text, or of a reason */

enum plan_error {
    PLAN_E_REFUSED = 1, /* the policy forbids it */
};

/* Ranges of a kind in a charter, and what a host is connected to. */
#define PLAN_RANGES_MAX    8
#define PLAN_CONNECTED_MAX 256

/* What a prefix is to this host. */
enum plan_connected_kind {
    PLAN_CONNECTED_ADDRESS = 1, /* its own, as a /32 or /128 */
    PLAN_CONNECTED_NETWORK = 2, /* of an interface */
    PLAN_CONNECTED_GATEWAY = 3, /* it sends by it, as a /32 or /128 */
    PLAN_CONNECTED_ROUTE = 4,   /* another's route: told of, not refused */
};

struct plan_connected {
    struct prefix prefix;
    enum plan_connected_kind kind;
    bool is_bridge; /* of the bridge's own port, where containers are */
    char interface[DESIRED_PORT_SIZE];
};

/* The worker's own, root-owned rules (from the configuration file), and what it
 * found out itself. */
struct plan_policy {
    const char *bridge;
    struct prefix subnets[DESIRED_SUBNETS_MAX]; /* own containers' */
    size_t n_subnets;
    struct prefix service_range;
    /* The charter's; none: there is no cluster yet, and nothing is judged. */
    struct prefix containers[PLAN_RANGES_MAX];
    size_t n_containers;
    struct prefix mesh[PLAN_RANGES_MAX];
    size_t n_mesh;
    struct plan_connected connected[PLAN_CONNECTED_MAX];
    size_t n_connected;
    struct address gateway; /* family 0: not told to be one */
    const char *tunnel_device;
    uint32_t tunnel_vni;
    uint16_t tunnel_port;
    const char *mesh_interface;
};

/* A local container: learned from its ARP, or recovered from our own flows.
 * A bound address that was ever seen behind its own port is never given here
 * behind another one, so one that is refutes its binding. */
struct plan_neighbor {
    struct address address;
    uint8_t mac[6];
    uint32_t ofport; /* 0: was seen behind its port, which is away now */
};

struct plan_port {
    char name[DESIRED_PORT_SIZE];
    uint32_t ofport; /* 0: in OVSDB but not opened */
};

/* What the switch and the kernel hold now. */
struct plan_observed {
    bool is_bridge_up;
    uint8_t local_mac[6]; /* of the bridge's own port */
    const struct plan_port *ports;
    size_t n_ports;
    const struct plan_neighbor *neighbors; /* sorted by address */
    size_t n_neighbors;
    uint32_t mesh_mtu; /* 0: unknown */
    bool has_meter;    /* PLAN_METER is in the switch */
};

struct plan_route {
    struct prefix destination;
    struct address source; /* preferred source, family 0: none */
    uint32_t mtu;
};

struct plan_forward {
    uint8_t mac[6];      /* a remote node's tunnel MAC ... */
    struct address mesh; /* ... is behind this mesh address */
};

/* An item that is not as it should be, and why. */
struct plan_problem {
    char item[PLAN_TEXT_SIZE];   /* item key text */
    char reason[PLAN_TEXT_SIZE]; /* "no port veth203 on socket" */
};

/* Owned arrays, sorted by key.  needs_tunnel: device and port wanted. */
struct plan {
    struct flow *flows;
    size_t n_flows;
    struct group *groups;
    size_t n_groups;
    bool needs_tunnel;
    uint32_t tunnel_mtu;
    struct address tunnel_local; /* our mesh address */
    uint8_t tunnel_mac[6];       /* desired_host_mac of this node */
    struct plan_forward *forwards;
    size_t n_forwards;
    struct plan_route *routes; /* dev = the bridge's own port */
    size_t n_routes;
    struct prefix local_address;  /* for the bridge's own port; family 0: none;
                                     host bits kept in `gateway` of policy */
    struct plan_problem *pending; /* waits for something: "no port veth203" */
    size_t n_pending;
    /* Bindings that would cut off a live container, as their address was seen
     * behind another port: left out.  "10.0.3.203 lives behind veth203". */
    struct plan_problem *refused;
    size_t n_refused;
};

#define PLAN_INIT                                                              \
    {                                                                          \
        0                                                                      \
    }

void plan_done(struct plan *plan);
/* 0 or -ENOMEM. */
_must_check_ int plan_make(const struct desired *desired,
                           const struct plan_policy *policy,
                           const struct plan_observed *observed,
                           struct plan *ret);

/* What core says is judged again here.  0; PLAN_E_REFUSED and the reason. */
_must_check_ int plan_validate(const struct desired_item *item,
                               const struct plan_policy *policy,
                               char ret_reason[PLAN_TEXT_SIZE]);
/* A route of this host's that the subnet lies in, or NULL: that one is taken
 * all the same. */
const struct plan_connected *
plan_covering_route(const struct plan_policy *policy,
                    const struct prefix *subnet);
/* A flow of somebody else that takes packets which flows of ours are for. */
struct plan_shadow {
    const struct flow *foreign; /* borrowed from what is present */
    const struct flow *flow;    /* the first of ours, borrowed from the plan */
    size_t n_flows;             /* of ours */
};
#define PLAN_SHADOWS_MAX 16 /* more are not looked for */
/* In the order of `present`; how many. */
size_t plan_find_shadows(const struct plan *plan, const struct flow *present,
                         size_t n_present,
                         struct plan_shadow ret[PLAN_SHADOWS_MAX]);
/* Whether a packet that came to the worker from this table did so because no
 * function has it. */
bool plan_is_refused(uint8_t table);
/* Likewise because it is too big for the tunnel. */
bool plan_is_too_big(uint8_t table);
/* Actions that bring an error report (RFC 792, 4443) about a connection to who
 * is to hear of it, its addresses put right. */
void plan_put_report(struct writer *actions);
/* What fits into the tunnel, bytes of an IP packet; mesh_mtu as observed. */
uint32_t plan_tunnel_mtu(uint32_t mesh_mtu);
/* Key text of an item, "function/redis/6/6379", "host/<id hex>",
 * "local/10.0.3.203": as IPC_REFUSED and pending name it. */
void plan_item_text(const struct desired_item *item,
                    char ret_text[PLAN_TEXT_SIZE]);

/* One planned change of flows or groups.  Who applies them keeps this order
 * in the bundle: groups ADD and MODIFY, all flows, groups REMOVE; so no flow
 * names a group that is not there.  MODIFY of a flow is sent as an add. */
enum diff_op {
    DIFF_ADD = 1,
    DIFF_MODIFY = 2,
    DIFF_REMOVE = 3,
    DIFF_CONFLICT = 4, /* a foreign flow has that key: left alone, reported */
};
struct diff_flow {
    enum diff_op op;
    const struct flow *wanted;  /* borrowed; NULL for REMOVE */
    const struct flow *present; /* borrowed; NULL for ADD */
};
struct diff_group {
    enum diff_op op;
    const struct group *wanted;
    const struct group *present;
};
struct diff {
    struct diff_flow *flows; /* owned array, sorted by flow key */
    size_t n_flows;
    struct diff_group *groups;
    size_t n_groups;
};
#define DIFF_INIT                                                              \
    {                                                                          \
        0                                                                      \
    }
void diff_done(struct diff *diff);
/* `present` is everything the switch holds, foreign flows included; flows
 * and groups without our cookie or prefix are never in the result but as
 * DIFF_CONFLICT.  Sorts both present arrays in place.  0 or -ENOMEM. */
_must_check_ int diff_make(const struct plan *plan, struct flow *present,
                           size_t n_present, struct group *present_groups,
                           size_t n_present_groups, struct diff *ret);

#endif
