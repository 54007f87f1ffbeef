/*
 * Sockets and notifications of rtnetlink, and the order in which the kernel
 * is brought to the plan.  Devices are netlink_vxlan.c's, routes and
 * addresses netlink_route.c's.
 */
#include "reconcilers/kernel/netlink.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/errno.h>
#include <netlink/msg.h>

#include "reconcilers/kernel/netlink_private.h"

/* Notifications read per netlink_run; the rest stays readable. */
#define NETLINK_EVENTS_PER_RUN 512
/* What the kernel may queue for us before it reports a loss. */
#define NETLINK_EVENTS_BUFFER (512 * 1024)

int netlink_errno(int nl_error)
{
    static const struct {
        int nl;
        int error;
    } table[] = {
        {NLE_NOMEM, -ENOMEM},
        {NLE_EXIST, -EEXIST},
        {NLE_PERM, -EPERM},
        {NLE_NODEV, -ENODEV},
        {NLE_OBJ_NOTFOUND, -ENOENT},
        {NLE_INVAL, -EINVAL},
        {NLE_OPNOTSUPP, -EOPNOTSUPP},
        {NLE_BUSY, -EBUSY},
        {NLE_AGAIN, -EAGAIN},
        {NLE_RANGE, -ERANGE},
        {NLE_AF_NOSUPPORT, -EAFNOSUPPORT},
        {NLE_DUMP_INTR, -EAGAIN},
    };

    if (nl_error == 0) {
        return 0;
    }
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        if (abs(nl_error) == table[i].nl) {
            return table[i].error;
        }
    }
    return -EIO;
}

bool netlink_change(struct netlink_work *work, const char *format, ...)
{
    char text[NETLINK_TEXT_SIZE];
    va_list arguments;

    work->n_changes++;
    if (work->note != NULL) {
        va_start(arguments, format);
        (void)vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        work->note(text, work->data);
    }
    return !work->dry;
}

int netlink_problem(struct netlink_work *work, int error, const char *format,
                    ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(work->text, sizeof(work->text), format, arguments);
    va_end(arguments);
    return error;
}

int netlink_failed(struct netlink_work *work, int nl_error, const char *format,
                   ...)
{
    char what[96];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(what, sizeof(what), format, arguments);
    va_end(arguments);
    (void)snprintf(work->text, sizeof(work->text), "cannot %s: %s", what,
                   nl_geterror(nl_error));
    return netlink_errno(nl_error);
}

void netlink_link_done(struct rtnl_link **link)
{
    rtnl_link_put(*link);
    *link = NULL;
}

void netlink_address_done(struct nl_addr **address)
{
    nl_addr_put(*address);
    *address = NULL;
}

struct nl_addr *netlink_address(const struct address *address, unsigned len)
{
    struct nl_addr *built =
        nl_addr_build(address->family == 4 ? AF_INET : AF_INET6, address->bytes,
                      address_size(address));

    if (built != NULL) {
        nl_addr_set_prefixlen(built, (int)len);
    }
    return built;
}

struct address netlink_address_get(const struct nl_addr *address)
{
    struct address got = {0};
    int family = address != NULL ? nl_addr_get_family(address) : AF_UNSPEC;
    size_t size = family == AF_INET ? 4 : 16;

    if ((family != AF_INET && family != AF_INET6) ||
        nl_addr_get_len(address) != size) {
        return got;
    }
    got.family = family == AF_INET ? 4 : 6;
    memcpy(got.bytes, nl_addr_get_binary_addr(address), size);
    return got;
}

struct nl_addr *netlink_mac(const uint8_t mac[6])
{
    return nl_addr_build(AF_LLC, mac, 6);
}

bool netlink_mac_is(const struct nl_addr *address, const uint8_t mac[6])
{
    return address != NULL && nl_addr_get_len(address) == 6 &&
           memcmp(nl_addr_get_binary_addr(address), mac, 6) == 0;
}

int netlink_link(struct netlink *netlink, const char *name,
                 struct rtnl_link **ret)
{
    int error;

    if (name == NULL || name[0] == '\0' || strlen(name) >= IFNAMSIZ) {
        return -ENODEV;
    }
    error = rtnl_link_get_kernel(netlink->requests, 0, name, ret);
    if (error == -NLE_NODEV || error == -NLE_OBJ_NOTFOUND) {
        return -ENODEV;
    }
    return netlink_errno(error);
}

struct dump {
    netlink_message_fn fn;
    void *data;
    int answer_type;
};

static int dump_valid(struct nl_msg *message, void *data)
{
    struct dump *dump = data;
    struct nlmsghdr *header = nlmsg_hdr(message);

    if (header->nlmsg_type == dump->answer_type) {
        dump->fn(header, dump->data);
    }
    return NL_OK;
}

int netlink_dump(struct netlink *netlink, int type, const void *header,
                 size_t header_size, int answer_type, netlink_message_fn fn,
                 void *data)
{
    struct dump dump = {fn, data, answer_type};
    struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);
    int error;

    if (cb == NULL) {
        return -ENOMEM;
    }
    error = nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, dump_valid, &dump);
    if (error == 0) {
        error = nl_send_simple(netlink->requests, type, NLM_F_DUMP,
                               (void *)(uintptr_t)header, header_size);
    }
    if (error >= 0) {
        error = nl_recvmsgs(netlink->requests, cb);
    }
    nl_cb_put(cb);
    return error < 0 ? netlink_errno(error) : 0;
}

/* --- Notifications. --- */

static bool watch_is(const struct netlink_watch *watch, int ifindex)
{
    return watch->ifindex != 0 && watch->ifindex == ifindex;
}

static bool link_concerns(const struct netlink *netlink,
                          struct nlmsghdr *header)
{
    const struct ifinfomsg *info = nlmsg_data(header);
    struct nlattr *name = nlmsg_find_attr(header, sizeof(*info), IFLA_IFNAME);
    const struct netlink_watch *watches[] = {&netlink->tunnel, &netlink->bridge,
                                             &netlink->mesh};

    if (nlmsg_datalen(header) < (int)sizeof(*info)) {
        return false;
    }
    if (netlink->link_fn != NULL) {
        netlink->link_fn(name != NULL ? nla_get_string(name) : "",
                         info->ifi_index, netlink->link_data);
    }
    for (size_t i = 0; i < ARRAY_SIZE(watches); i++) {
        if (watch_is(watches[i], info->ifi_index) ||
            (name != NULL && nla_strcmp(name, watches[i]->name) == 0)) {
            return true;
        }
    }
    return false;
}

static bool route_concerns(const struct netlink *netlink,
                           struct nlmsghdr *header)
{
    const struct rtmsg *route = nlmsg_data(header);
    struct nlattr *oif;

    if (nlmsg_datalen(header) < (int)sizeof(*route)) {
        return false;
    }
    oif = nlmsg_find_attr(header, sizeof(*route), RTA_OIF);
    return route->rtm_protocol == NETLINK_PROTOCOL ||
           (oif != NULL && watch_is(&netlink->bridge, (int)nla_get_u32(oif)));
}

/* A router's others come and go by the thousand. */
static bool is_default_route(struct nlmsghdr *header)
{
    const struct rtmsg *route = nlmsg_data(header);

    return nlmsg_datalen(header) >= (int)sizeof(*route) &&
           route->rtm_dst_len == 0;
}

static bool address_concerns(const struct netlink *netlink,
                             struct nlmsghdr *header)
{
    const struct ifaddrmsg *address = nlmsg_data(header);

    return nlmsg_datalen(header) >= (int)sizeof(*address) &&
           (watch_is(&netlink->bridge, (int)address->ifa_index) ||
            watch_is(&netlink->mesh, (int)address->ifa_index));
}

/* Ordinary neighbours come and go all the time; ours are the tunnel's. */
static bool neighbor_concerns(const struct netlink *netlink,
                              struct nlmsghdr *header)
{
    const struct ndmsg *neighbor = nlmsg_data(header);

    return nlmsg_datalen(header) >= (int)sizeof(*neighbor) &&
           neighbor->ndm_family == AF_BRIDGE &&
           watch_is(&netlink->tunnel, neighbor->ndm_ifindex);
}

static int event_valid(struct nl_msg *message, void *data)
{
    struct netlink *netlink = data;
    struct nlmsghdr *header = nlmsg_hdr(message);
    bool concerns = false;

    switch (header->nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
        concerns = link_concerns(netlink, header) || !netlink->has_policy;
        break;
    case RTM_NEWADDR:
    case RTM_DELADDR:
        netlink->is_connected_changed = true;
        concerns = !netlink->has_policy || address_concerns(netlink, header);
        break;
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
        netlink->is_connected_changed |= is_default_route(header);
        concerns = route_concerns(netlink, header);
        break;
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH:
        concerns = neighbor_concerns(netlink, header);
        break;
    default:
        break;
    }
    netlink->is_changed |= concerns;
    return NL_OK;
}

bool netlink_run(struct netlink *netlink)
{
    netlink->is_changed = false;
    for (size_t i = 0; i < NETLINK_EVENTS_PER_RUN; i++) {
        int error = nl_recvmsgs_default(netlink->events);

        if (error == -NLE_AGAIN) {
            break;
        }
        if (error < 0) {
            /* ENOBUFS: some were lost; nobody knows which. */
            netlink->is_changed = true;
            netlink->is_connected_changed = true;
        }
    }
    return netlink->is_changed;
}

bool netlink_take_connected_changed(struct netlink *netlink)
{
    bool is_changed = netlink->is_connected_changed;

    netlink->is_connected_changed = false;
    return is_changed;
}

void netlink_on_link(struct netlink *netlink, netlink_link_fn fn, void *data)
{
    netlink->link_fn = fn;
    netlink->link_data = data;
}

static int events_open(struct netlink *netlink)
{
    struct nl_sock *events = nl_socket_alloc();
    int error;

    if (events == NULL) {
        return -ENOMEM;
    }
    netlink->events = events;
    nl_socket_disable_seq_check(events);
    error = nl_socket_modify_cb(events, NL_CB_VALID, NL_CB_CUSTOM, event_valid,
                                netlink);
    if (error == 0) {
        error = nl_connect(events, NETLINK_ROUTE);
    }
    if (error == 0) {
        error = nl_socket_set_nonblocking(events);
    }
    if (error == 0) {
        error = nl_socket_set_buffer_size(events, NETLINK_EVENTS_BUFFER, 0);
    }
    if (error == 0) {
        error = nl_socket_add_memberships(
            events, RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
            RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_NEIGH, 0);
    }
    return netlink_errno(error);
}

int netlink_open(struct netlink **ret)
{
    struct netlink *netlink = calloc(1, sizeof(*netlink));
    int error;

    if (netlink == NULL) {
        return -ENOMEM;
    }
    netlink->requests = nl_socket_alloc();
    error = netlink->requests == NULL
                ? -ENOMEM
                : netlink_errno(nl_connect(netlink->requests, NETLINK_ROUTE));
    if (error == 0) {
        error = events_open(netlink);
    }
    if (error != 0) {
        (void)netlink_close(netlink);
        return error;
    }
    *ret = netlink;
    return 0;
}

struct netlink *netlink_close(struct netlink *netlink)
{
    if (netlink != NULL) {
        nl_socket_free(netlink->requests);
        nl_socket_free(netlink->events);
        free(netlink);
    }
    return NULL;
}

int netlink_fd(const struct netlink *netlink)
{
    return nl_socket_get_fd(netlink->events);
}

int netlink_interface(struct netlink *netlink, const char *name,
                      struct address *ret_address, uint32_t *ret_mtu,
                      int *ret_ifindex)
{
    _cleanup_(netlink_link_done) struct rtnl_link *link = NULL;
    _cleanup_(netlink_locals_done) struct netlink_locals locals = {0};
    const struct netlink_local *best = NULL;
    int error = netlink_link(netlink, name, &link);

    if (error == 0) {
        error = netlink_locals_get(netlink, &locals);
    }
    if (error != 0) {
        return error;
    }
    for (size_t i = 0; i < locals.n; i++) {
        const struct netlink_local *local = &locals.entries[i];

        /* IPv4 first; addresses of the link alone reach nobody. */
        if (local->ifindex == rtnl_link_get_ifindex(link) &&
            local->scope < RT_SCOPE_LINK &&
            (best == NULL || local->address.family < best->address.family)) {
            best = local;
        }
    }
    *ret_address = best != NULL ? best->address : (struct address){0};
    *ret_mtu = rtnl_link_get_mtu(link);
    *ret_ifindex = rtnl_link_get_ifindex(link);
    return 0;
}

static void watch_set(struct netlink *netlink, struct netlink_watch *watch,
                      const char *name)
{
    _cleanup_(netlink_link_done) struct rtnl_link *link = NULL;

    (void)snprintf(watch->name, sizeof(watch->name), "%s",
                   name != NULL ? name : "");
    watch->ifindex = netlink_link(netlink, watch->name, &link) == 0
                         ? rtnl_link_get_ifindex(link)
                         : 0;
}

static void watch_policy(struct netlink *netlink,
                         const struct plan_policy *policy)
{
    watch_set(netlink, &netlink->tunnel, policy->tunnel_device);
    watch_set(netlink, &netlink->bridge, policy->bridge);
    watch_set(netlink, &netlink->mesh, policy->mesh_interface);
    netlink->has_policy = true;
}

/* The address must be there before routes that name it as their source. */
static int work_run(struct netlink_work *work)
{
    int error = netlink_apply_tunnel(work);

    if (error == 0) {
        error = netlink_apply_forwards(work);
    }
    if (error == 0) {
        error = netlink_apply_bridge(work);
    }
    if (error == 0) {
        error = netlink_apply_local(work);
    }
    if (error == 0) {
        error = netlink_apply_routes(work);
    }
    return error;
}

int netlink_apply(struct netlink *netlink, const struct plan *plan,
                  const struct plan_policy *policy, bool dry,
                  netlink_note_fn note, void *data, size_t *ret_n_changes,
                  char ret_text[160])
{
    struct netlink_work work = {.netlink = netlink,
                                .plan = plan,
                                .policy = policy,
                                .dry = dry,
                                .note = note,
                                .data = data};
    int error;

    watch_policy(netlink, policy);
    error = work_run(&work);
    if (error == -ENOMEM) {
        (void)snprintf(work.text, sizeof(work.text), "out of memory");
    }
    /* The device may be a new one. */
    watch_policy(netlink, policy);
    *ret_n_changes = work.n_changes;
    memcpy(ret_text, work.text, sizeof(work.text));
    return error;
}

/* A plan that wants nothing: what is ours goes. */
int netlink_remove_all(struct netlink *netlink,
                       const struct plan_policy *policy, bool dry,
                       netlink_note_fn note, void *data)
{
    static const struct plan nothing = PLAN_INIT;
    struct netlink_work work = {.netlink = netlink,
                                .plan = &nothing,
                                .policy = policy,
                                .dry = dry,
                                .note = note,
                                .data = data};
    int first = 0, error;

    watch_policy(netlink, policy);
    /* One that fails must not keep the others. */
    error = netlink_apply_routes(&work);
    first = first != 0 ? first : error;
    error = netlink_apply_local(&work);
    first = first != 0 ? first : error;
    error = netlink_apply_tunnel(&work);
    first = first != 0 ? first : error;
    return first;
}
