/*
 * Shared by the files of the rtnetlink part:
 *   netlink.c          sockets, notifications, the order of one apply
 *   netlink_vxlan.c    the tunnel device
 *   netlink_forward.c  its forwarding entries
 *   netlink_route.c    routes, and the address of the bridge's own port
 */
#ifndef SOCKETNET_RECONCILERS_KERNEL_NETLINK_PRIVATE_H
#define SOCKETNET_RECONCILERS_KERNEL_NETLINK_PRIVATE_H

#include <net/if.h>

#include <netlink/netlink.h>
#include <netlink/route/link.h>

#include "reconcilers/kernel/netlink.h"

/* The mark on our device: its alias. */
#define NETLINK_ALIAS "socketnet"

#define NETLINK_TEXT_SIZE 160

/* Interfaces that we look at, by name and, once seen, index. */
struct netlink_watch {
    char name[IFNAMSIZ];
    int ifindex; /* 0: not there */
};

struct netlink {
    struct nl_sock *requests;
    struct nl_sock *events;
    bool has_policy; /* the three are known */
    struct netlink_watch tunnel;
    struct netlink_watch bridge;
    struct netlink_watch mesh;
    bool is_connected_changed;
    bool is_changed;         /* set while notifications are read */
    netlink_link_fn link_fn; /* NULL: nobody asks */
    void *link_data;
};

/* One apply, in progress. */
struct netlink_work {
    struct netlink *netlink;
    const struct plan *plan;
    const struct plan_policy *policy;
    bool dry;
    netlink_note_fn note;
    void *data;
    size_t n_changes;
    char text[NETLINK_TEXT_SIZE]; /* of the error */
};

/* Notes a change and counts it; true when it is to be made. */
bool netlink_change(struct netlink_work *work, const char *format, ...)
    _printf_(2, 3);
/* Says why, and returns `error`. */
int netlink_problem(struct netlink_work *work, int error, const char *format,
                    ...) _printf_(3, 4);
/* "cannot <what>: <libnl's words>", and the matching negative errno. */
int netlink_failed(struct netlink_work *work, int nl_error, const char *format,
                   ...) _printf_(3, 4);
/* libnl's error as negative errno. */
int netlink_errno(int nl_error);

/* The link of that name: 0, -ENODEV, or negative errno. */
_must_check_ int netlink_link(struct netlink *netlink, const char *name,
                              struct rtnl_link **ret);
void netlink_link_done(struct rtnl_link **link);     /* for _cleanup_ */
void netlink_address_done(struct nl_addr **address); /* for _cleanup_ */

/* Our address as libnl's; `len` bits of it.  NULL when out of memory. */
struct nl_addr *netlink_address(const struct address *address, unsigned len);
/* And back; family 0 when it is neither IPv4 nor IPv6. */
struct address netlink_address_get(const struct nl_addr *address);

/* The same for MACs. */
struct nl_addr *netlink_mac(const uint8_t mac[6]);
bool netlink_mac_is(const struct nl_addr *address, const uint8_t mac[6]);

/* Asks for a dump, with the request's own header, and calls fn for each
 * message of `answer_type`.  0 or negative errno. */
typedef void (*netlink_message_fn)(struct nlmsghdr *header, void *data);
_must_check_ int netlink_dump(struct netlink *netlink, int type,
                              const void *header, size_t header_size,
                              int answer_type, netlink_message_fn fn,
                              void *data);

/* An address of this host. */
struct netlink_local {
    struct address address;
    uint8_t len;
    uint8_t scope;
    bool is_ours;
    int ifindex;
};
struct netlink_locals {
    struct netlink_local *entries; /* owned */
    size_t n;
    int error;
};
_must_check_ int netlink_locals_get(struct netlink *netlink,
                                    struct netlink_locals *ret);
void netlink_locals_done(struct netlink_locals *locals);

/* The parts of an apply: 0, or negative errno with work->text. */
_must_check_ int netlink_apply_tunnel(struct netlink_work *work);
_must_check_ int netlink_apply_forwards(struct netlink_work *work);
_must_check_ int netlink_apply_bridge(struct netlink_work *work);
_must_check_ int netlink_apply_local(struct netlink_work *work);
_must_check_ int netlink_apply_routes(struct netlink_work *work);

#endif
