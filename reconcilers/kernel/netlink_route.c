/*
 * Routes to the other nodes' containers, and the address of the bridge's own
 * port.  Part of netlink.c.
 *
 * Our routes are those of protocol NETLINK_PROTOCOL in the main table, our
 * addresses those of that protocol (kernels before 5.18 do not keep it: the
 * address then stays when it is no longer wanted).  A route or address of
 * somebody else in the same place is a problem to be told, never replaced.
 */
#include "reconcilers/kernel/netlink_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>

/* --- Addresses of this host. --- */

static void locals_add(struct netlink_locals *locals,
                       const struct netlink_local *local)
{
    struct netlink_local *grown;

    if (locals->error != 0) {
        return;
    }
    grown = reallocarray(locals->entries, locals->n + 1, sizeof(*grown));
    if (grown == NULL) {
        locals->error = -ENOMEM;
        return;
    }
    locals->entries = grown;
    locals->entries[locals->n++] = *local;
}

static void locals_look(struct nlmsghdr *header, void *data)
{
    struct nlattr *attributes[IFA_PROTO + 1];
    const struct ifaddrmsg *message = nlmsg_data(header);
    struct netlink_local local = {0};
    struct nlattr *address;

    if (nlmsg_parse(header, sizeof(*message), attributes, IFA_PROTO, NULL) !=
        0) {
        return;
    }
    /* On a point-to-point link IFA_ADDRESS is the other end. */
    address = attributes[IFA_LOCAL] != NULL ? attributes[IFA_LOCAL]
                                            : attributes[IFA_ADDRESS];
    if (address == NULL || (nla_len(address) != 4 && nla_len(address) != 16)) {
        return;
    }
    local.address.family = nla_len(address) == 4 ? 4 : 6;
    memcpy(local.address.bytes, nla_data(address), (size_t)nla_len(address));
    local.len = message->ifa_prefixlen;
    local.scope = message->ifa_scope;
    local.ifindex = (int)message->ifa_index;
    local.is_ours = attributes[IFA_PROTO] != NULL &&
                    nla_get_u8(attributes[IFA_PROTO]) == NETLINK_PROTOCOL;
    locals_add(data, &local);
}

int netlink_locals_get(struct netlink *netlink, struct netlink_locals *ret)
{
    struct rtgenmsg request = {.rtgen_family = AF_UNSPEC};
    int error = netlink_dump(netlink, RTM_GETADDR, &request, sizeof(request),
                             RTM_NEWADDR, locals_look, ret);

    return error != 0 ? error : ret->error;
}

void netlink_locals_done(struct netlink_locals *locals)
{
    free(locals->entries);
    *locals = (struct netlink_locals){0};
}

/* libnl 3.7 knows no IFA_PROTO, so the message is made here. */
static int local_send(struct netlink_work *work, int type, int flags,
                      const struct address *address, uint8_t len)
{
    struct ifaddrmsg message = {
        .ifa_family = address->family == 4 ? AF_INET : AF_INET6,
        .ifa_prefixlen = len,
        .ifa_index = (unsigned)work->netlink->bridge.ifindex};
    struct nl_msg *msg = nlmsg_alloc_simple(type, flags);
    int size = (int)address_size(address);
    int error = -NLE_NOMEM;

    if (msg == NULL) {
        return error;
    }
    if (nlmsg_append(msg, &message, sizeof(message), NLMSG_ALIGNTO) == 0 &&
        nla_put(msg, IFA_LOCAL, size, address->bytes) == 0 &&
        nla_put(msg, IFA_ADDRESS, size, address->bytes) == 0 &&
        nla_put_u8(msg, IFA_PROTO, NETLINK_PROTOCOL) == 0) {
        /* Frees the message, also when it fails. */
        return nl_send_sync(work->netlink->requests, msg);
    }
    nlmsg_free(msg);
    return error;
}

static int local_delete(struct netlink_work *work,
                        const struct netlink_local *local)
{
    char text[ADDRESS_TEXT_SIZE];
    int error;

    if (!netlink_change(work, "delete address %s/%u of %s",
                        address_text(&local->address, text), local->len,
                        work->policy->bridge)) {
        return 0;
    }
    error = local_send(work, RTM_DELADDR, 0, &local->address, local->len);
    return error == 0 || error == -NLE_NOADDR
               ? 0
               : netlink_failed(work, error, "delete address %s", text);
}

static int local_add(struct netlink_work *work, const struct address *address,
                     uint8_t len)
{
    char text[ADDRESS_TEXT_SIZE];
    int error;

    if (!netlink_change(work, "add address %s/%u to %s",
                        address_text(address, text), len,
                        work->policy->bridge)) {
        return 0;
    }
    error =
        local_send(work, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, address, len);
    return error == 0 ? 0 : netlink_failed(work, error, "add address %s", text);
}

/* Removes ours that are not wanted, and says whether the wanted one is there;
 * on another interface it is somebody else's. */
static int locals_verify(struct netlink_work *work,
                         const struct netlink_locals *locals, bool is_wanted,
                         bool *ret_is_present)
{
    const struct address *gateway = &work->policy->gateway;
    uint8_t len = work->plan->local_address.len;

    for (size_t i = 0; i < locals->n; i++) {
        const struct netlink_local *local = &locals->entries[i];
        bool is_here = local->ifindex == work->netlink->bridge.ifindex;
        bool is_it = is_wanted && address_equal(&local->address, gateway);
        char text[ADDRESS_TEXT_SIZE];
        int error;

        if (is_it && !is_here) {
            return netlink_problem(work, -EADDRINUSE,
                                   "gateway address %s is already on another "
                                   "interface of this host (index %d); change "
                                   "bridge.gateway",
                                   address_text(gateway, text), local->ifindex);
        }
        if (is_it && (local->len == len || !local->is_ours)) {
            *ret_is_present = true;
        } else if (is_here && local->is_ours) {
            error = local_delete(work, local);
            if (error != 0) {
                return error;
            }
        }
    }
    return 0;
}

int netlink_apply_local(struct netlink_work *work)
{
    const struct plan *plan = work->plan;
    _cleanup_(netlink_locals_done) struct netlink_locals locals = {0};
    bool is_wanted =
        plan->local_address.address.family != 0 &&
        work->policy->gateway.family == plan->local_address.address.family;
    bool is_present = false;
    int error;

    if (work->netlink->bridge.ifindex == 0) {
        return 0; /* without a bridge nothing is on it */
    }
    error = netlink_locals_get(work->netlink, &locals);
    if (error != 0) {
        return netlink_problem(work, error, "cannot read addresses: %s",
                               strerror(-error));
    }
    error = locals_verify(work, &locals, is_wanted, &is_present);
    if (error != 0 || !is_wanted || is_present) {
        return error;
    }
    return local_add(work, &work->policy->gateway, plan->local_address.len);
}

/* --- Routes. --- */

/* A route of ours as it is. */
struct present_route {
    struct prefix destination;
    struct address source;
    uint32_t mtu;
    int ifindex;
    struct rtnl_route *route; /* a reference */
};

struct routes {
    struct netlink_work *work;
    struct present_route *entries;
    size_t n;
    size_t capacity;
    int error;
};

static void routes_done(struct routes *routes)
{
    for (size_t i = 0; i < routes->n; i++) {
        rtnl_route_put(routes->entries[i].route);
    }
    free(routes->entries);
}

static bool routes_grow(struct routes *routes)
{
    struct present_route *grown;
    size_t capacity = MAX_OF(routes->capacity * 2, (size_t)16);

    if (routes->n < routes->capacity) {
        return true;
    }
    grown = reallocarray(routes->entries, capacity, sizeof(*grown));
    if (grown == NULL) {
        routes->error = -ENOMEM;
        return false;
    }
    routes->entries = grown;
    routes->capacity = capacity;
    return true;
}

static void routes_look(struct nlmsghdr *header, void *data)
{
    struct routes *routes = data;
    const struct rtmsg *message = nlmsg_data(header);
    struct present_route *entry;
    struct rtnl_route *route = NULL;
    struct rtnl_nexthop *hop;

    /* Looked at before parsing: a router may hold a million of others. */
    if (routes->error != 0 || nlmsg_datalen(header) < (int)sizeof(*message) ||
        message->rtm_protocol != NETLINK_PROTOCOL ||
        message->rtm_table != RT_TABLE_MAIN || !routes_grow(routes) ||
        rtnl_route_parse(header, &route) != 0) {
        return;
    }
    entry = &routes->entries[routes->n++];
    *entry = (struct present_route){.route = route};
    entry->destination.address = netlink_address_get(rtnl_route_get_dst(route));
    entry->destination.len = message->rtm_dst_len;
    entry->source = netlink_address_get(rtnl_route_get_pref_src(route));
    if (rtnl_route_get_metric(route, RTAX_MTU, &entry->mtu) != 0) {
        entry->mtu = 0;
    }
    hop = rtnl_route_nexthop_n(route, 0);
    entry->ifindex = hop != NULL ? rtnl_route_nh_get_ifindex(hop) : 0;
}

static bool destination_equal(const struct prefix *a, const struct prefix *b)
{
    return a->len == b->len && address_equal(&a->address, &b->address);
}

static struct rtnl_route *route_build(const struct netlink_work *work,
                                      const struct plan_route *wanted)
{
    _cleanup_(netlink_address_done) struct nl_addr *destination =
        netlink_address(&wanted->destination.address, wanted->destination.len);
    _cleanup_(netlink_address_done) struct nl_addr *source = NULL;
    struct rtnl_route *route = rtnl_route_alloc();
    struct rtnl_nexthop *hop = rtnl_route_nh_alloc();
    int error = -NLE_NOMEM;

    if (wanted->source.family != 0) {
        source = netlink_address(&wanted->source,
                                 wanted->source.family == 4 ? 32 : 128);
    }
    if (destination != NULL && route != NULL && hop != NULL &&
        (source != NULL || wanted->source.family == 0)) {
        rtnl_route_nh_set_ifindex(hop, work->netlink->bridge.ifindex);
        rtnl_route_add_nexthop(route, hop);
        hop = NULL;
        rtnl_route_set_table(route, RT_TABLE_MAIN);
        rtnl_route_set_protocol(route, NETLINK_PROTOCOL);
        rtnl_route_set_scope(route, RT_SCOPE_LINK);
        error = rtnl_route_set_dst(route, destination);
    }
    if (error == 0 && source != NULL) {
        error = rtnl_route_set_pref_src(route, source);
    }
    if (error == 0 && wanted->mtu != 0) {
        error = rtnl_route_set_metric(route, RTAX_MTU, wanted->mtu);
    }
    if (hop != NULL) {
        rtnl_route_nh_free(hop);
    }
    if (error != 0) {
        rtnl_route_put(route);
        return NULL;
    }
    return route;
}

static int route_add(struct netlink_work *work, const struct plan_route *wanted)
{
    char text[PREFIX_TEXT_SIZE];
    struct rtnl_route *route;
    int error;

    if (!netlink_change(work, "add route %s dev %s mtu %u",
                        prefix_text(&wanted->destination, text),
                        work->policy->bridge, wanted->mtu)) {
        return 0;
    }
    route = route_build(work, wanted);
    if (route == NULL) {
        return -ENOMEM;
    }
    error = rtnl_route_add(work->netlink->requests, route,
                           NLM_F_CREATE | NLM_F_EXCL);
    rtnl_route_put(route);
    if (error == -NLE_EXIST) {
        return netlink_problem(work, -EEXIST,
                               "a route to %s exists and is not ours; its "
                               "containers are not reached from this host",
                               text);
    }
    return error == 0 ? 0 : netlink_failed(work, error, "add route %s", text);
}

static int route_delete(struct netlink_work *work,
                        const struct present_route *present)
{
    char text[PREFIX_TEXT_SIZE];
    int error;

    if (!netlink_change(work, "delete route %s",
                        prefix_text(&present->destination, text))) {
        return 0;
    }
    error = rtnl_route_delete(work->netlink->requests, present->route, 0);
    return error == 0 || error == -NLE_OBJ_NOTFOUND
               ? 0
               : netlink_failed(work, error, "delete route %s", text);
}

/* Ours that fit stay; the others go, so that the wanted can be added. */
static int routes_change(struct routes *routes)
{
    struct netlink_work *work = routes->work;
    const struct plan *plan = work->plan;
    _cleanup_(free_pointer) bool *are_present =
        calloc(plan->n_routes + 1, sizeof(*are_present));
    int error = 0, problem = 0;

    if (are_present == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; error == 0 && i < routes->n; i++) {
        const struct present_route *present = &routes->entries[i];
        bool fits = false;

        for (size_t j = 0; j < plan->n_routes && !fits; j++) {
            const struct plan_route *wanted = &plan->routes[j];

            fits = destination_equal(&wanted->destination,
                                     &present->destination) &&
                   address_equal(&wanted->source, &present->source) &&
                   wanted->mtu == present->mtu &&
                   present->ifindex == work->netlink->bridge.ifindex;
            are_present[j] |= fits;
        }
        if (!fits) {
            error = route_delete(work, present);
        }
    }
    for (size_t i = 0; error == 0 && i < plan->n_routes; i++) {
        if (!are_present[i]) {
            error = route_add(work, &plan->routes[i]);
        }
        if (error == -EEXIST) {
            /* One that is taken does not keep the others away. */
            problem = error;
            error = 0;
        }
    }
    return error != 0 ? error : problem;
}

int netlink_apply_routes(struct netlink_work *work)
{
    struct routes routes = {.work = work};
    struct rtgenmsg request = {.rtgen_family = AF_UNSPEC};
    int error =
        netlink_dump(work->netlink, RTM_GETROUTE, &request, sizeof(request),
                     RTM_NEWROUTE, routes_look, &routes);

    if (error != 0) {
        (void)netlink_problem(work, error, "cannot read routes: %s",
                              strerror(-error));
    } else {
        error = routes.error;
    }
    if (error == 0) {
        error = routes_change(&routes);
    }
    routes_done(&routes);
    return error;
}
