/*
 * What this host is connected to: the networks and addresses of its interfaces,
 * the gateways that it sends by, and what its other routes cover.  Loopback,
 * link-local and multicast are nobody's subnets and left out; so are our own
 * routes.
 */
#include "reconcilers/kernel/netlink_private.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include <netlink/attr.h>
#include <netlink/msg.h>

struct connected {
    struct plan_connected *entries; /* the caller's */
    size_t n;
    size_t capacity;
    int bridge; /* its index */
};

/* Neither a container's nor a gateway's: RFC 6890. */
static bool is_special(const struct address *address)
{
    const uint8_t *bytes = address->bytes;

    if (address->family == 4) {
        return bytes[0] == 127 || bytes[0] >= 224 || bytes[0] == 0 ||
               (bytes[0] == 169 && bytes[1] == 254);
    }
    return address->family != 6 || bytes[0] == 0xff || bytes[0] == 0 ||
           (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80);
}

/* Those that are only told of must not take the others' room. */
static void add(struct connected *connected, enum plan_connected_kind kind,
                const struct address *address, uint8_t len, int ifindex)
{
    struct plan_connected *entry = &connected->entries[connected->n];
    size_t room = kind == PLAN_CONNECTED_ROUTE ? connected->capacity / 2
                                               : connected->capacity;

    if (connected->n >= room || is_special(address)) {
        return;
    }
    *entry = (struct plan_connected){
        .prefix = {.address = *address, .len = len},
        .kind = kind,
        .is_bridge = ifindex == connected->bridge,
    };
    (void)address_clear_host(&entry->prefix.address, len);
    (void)if_indextoname((unsigned)ifindex, entry->interface); /* else "" */
    connected->n++;
}

static int add_addresses(struct netlink *netlink, struct connected *connected)
{
    struct netlink_locals locals = {0};
    int error = netlink_locals_get(netlink, &locals);

    for (size_t i = 0; i < locals.n && error == 0; i++) {
        const struct netlink_local *local = &locals.entries[i];

        add(connected, PLAN_CONNECTED_ADDRESS, &local->address,
            (uint8_t)address_bits(local->address.family), local->ifindex);
        add(connected, PLAN_CONNECTED_NETWORK, &local->address, local->len,
            local->ifindex);
    }
    netlink_locals_done(&locals);
    return error;
}

static bool get_address(const struct nlattr *attribute, struct address *ret)
{
    if (attribute == NULL ||
        (nla_len(attribute) != 4 && nla_len(attribute) != 16)) {
        return false;
    }
    *ret = (struct address){.family = nla_len(attribute) == 4 ? 4 : 6};
    memcpy(ret->bytes, nla_data(attribute), (size_t)nla_len(attribute));
    return true;
}

/* The next hops of one with several. */
static void add_next_hops(struct connected *connected,
                          const struct nlattr *attribute)
{
    const struct rtnexthop *hop = nla_data(attribute);
    int left = nla_len(attribute);

    while (left >= (int)sizeof(*hop) && hop->rtnh_len >= sizeof(*hop) &&
           hop->rtnh_len <= left) {
        int size = NLMSG_ALIGN(hop->rtnh_len);
        struct address gateway;

        if (get_address(nla_find((const struct nlattr *)(hop + 1),
                                 hop->rtnh_len - (int)sizeof(*hop),
                                 RTA_GATEWAY),
                        &gateway)) {
            add(connected, PLAN_CONNECTED_GATEWAY, &gateway,
                (uint8_t)address_bits(gateway.family), hop->rtnh_ifindex);
        }
        left -= size;
        /* Aligned: the size is a multiple of 4. */
        hop =
            (const struct rtnexthop *)(const void *)((const char *)hop + size);
    }
}

static void look(struct nlmsghdr *header, void *data)
{
    struct connected *connected = data;
    const struct rtmsg *message = nlmsg_data(header);
    struct nlattr *attributes[RTA_MAX + 1];
    struct address address;
    int ifindex;

    if (nlmsg_datalen(header) < (int)sizeof(*message) ||
        message->rtm_type != RTN_UNICAST ||
        message->rtm_protocol == NETLINK_PROTOCOL ||
        message->rtm_table == RT_TABLE_LOCAL ||
        nlmsg_parse(header, sizeof(*message), attributes, RTA_MAX, NULL) != 0) {
        return;
    }
    ifindex =
        attributes[RTA_OIF] != NULL ? (int)nla_get_u32(attributes[RTA_OIF]) : 0;
    if (get_address(attributes[RTA_GATEWAY], &address)) {
        add(connected, PLAN_CONNECTED_GATEWAY, &address,
            (uint8_t)address_bits(address.family), ifindex);
    }
    if (attributes[RTA_MULTIPATH] != NULL) {
        add_next_hops(connected, attributes[RTA_MULTIPATH]);
    }
    /* The kernel's own are the networks above, and the other ends of
     * point-to-point links. */
    if (message->rtm_dst_len > 0 && message->rtm_table == RT_TABLE_MAIN &&
        get_address(attributes[RTA_DST], &address)) {
        add(connected,
            message->rtm_protocol == RTPROT_KERNEL ? PLAN_CONNECTED_NETWORK
                                                   : PLAN_CONNECTED_ROUTE,
            &address, message->rtm_dst_len, ifindex);
    }
}

static int compare(const void *left, const void *right)
{
    const struct plan_connected *a = left;
    const struct plan_connected *b = right;
    int result = (a->kind > b->kind) - (a->kind < b->kind);

    if (result == 0) {
        result = address_compare(&a->prefix.address, &b->prefix.address);
    }
    if (result == 0) {
        result =
            (a->prefix.len > b->prefix.len) - (a->prefix.len < b->prefix.len);
    }
    return result != 0 ? result : strcmp(a->interface, b->interface);
}

int netlink_connected(struct netlink *netlink, const char *bridge,
                      struct plan_connected *ret, size_t capacity,
                      size_t *ret_n)
{
    struct rtmsg request = {.rtm_family = AF_UNSPEC};
    struct connected connected = {.entries = ret,
                                  .capacity = capacity,
                                  .bridge = (int)if_nametoindex(bridge)};
    size_t n = 0;
    int error = add_addresses(netlink, &connected);

    if (error == 0) {
        error = netlink_dump(netlink, RTM_GETROUTE, &request, sizeof(request),
                             RTM_NEWROUTE, look, &connected);
    }
    if (error != 0) {
        return error;
    }
    qsort(ret, connected.n, sizeof(*ret), compare);
    for (size_t i = 0; i < connected.n; i++) {
        if (n == 0 || compare(&ret[n - 1], &ret[i]) != 0) {
            ret[n++] = ret[i];
        }
    }
    *ret_n = n;
    return n == capacity ? -ENOSPC : 0;
}
