/*
 * The kernel's side of the plan by rtnetlink (libnl-route-3): the vxlan
 * device, its forwarding entries, routes and the address of the bridge's own
 * port, and notifications of change.  Everything we make is marked: routes
 * and the address with protocol NETLINK_PROTOCOL, the device by its alias
 * "socketnet".  What others made is never replaced or removed.
 * Synchronous requests (they take microseconds), a polled descriptor for
 * notifications.
 */
#ifndef SOCKETNET_RECONCILERS_KERNEL_NETLINK_H
#define SOCKETNET_RECONCILERS_KERNEL_NETLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/base/address.h"
#include "gossip/base/macros.h"
#include "reconcilers/plan/plan.h"

/* rtm_protocol of our routes; a number that no daemon of iproute2's
 * rt_protos uses. */
#define NETLINK_PROTOCOL 115

struct netlink;

_must_check_ int netlink_open(struct netlink **ret);
struct netlink *netlink_close(struct netlink *netlink);
/* Readable when a link, address, route or neighbour changed. */
int netlink_fd(const struct netlink *netlink);
/* Drains notifications; true when any concerned us (or some were lost). */
bool netlink_run(struct netlink *netlink);

/* A link of this name and index came, went or changed: any link, as only the
 * caller knows which are ports.  Called inside netlink_run. */
typedef void (*netlink_link_fn)(const char *name, int ifindex, void *data);
void netlink_on_link(struct netlink *netlink, netlink_link_fn fn, void *data);

/* First address of an interface that is no link-local one, IPv4 before IPv6
 * (family 0: none), and its MTU.  0, -ENODEV or other negative errno. */
_must_check_ int netlink_interface(struct netlink *netlink, const char *name,
                                   struct address *ret_address,
                                   uint32_t *ret_mtu, int *ret_ifindex);

/* What the host is connected to now, sorted, each once: the bridge's networks
 * are marked as such.  0 or negative errno; -ENOSPC: there is more, and *ret_n
 * is set. */
_must_check_ int netlink_connected(struct netlink *netlink, const char *bridge,
                                   struct plan_connected *ret, size_t capacity,
                                   size_t *ret_n);
/* Whether addresses or default routes changed since this was last asked. */
bool netlink_take_connected_changed(struct netlink *netlink);

/* One change made or planned, as text, for --observe and the log. */
typedef void (*netlink_note_fn)(const char *text, void *data);

/* Makes the kernel hold exactly what the plan says of device, forwards,
 * routes and address, and removes what is ours and no longer planned.
 * dry: only notes.  `note` may be NULL.
 * 0, or negative errno and a text ("device vx-socket exists and is not ours;
 * delete it or set tunnel.device"); the number of changes is set in both
 * cases, and what could be made before the error stays made. */
_must_check_ int netlink_apply(struct netlink *netlink, const struct plan *plan,
                               const struct plan_policy *policy, bool dry,
                               netlink_note_fn note, void *data,
                               size_t *ret_n_changes, char ret_text[160]);
/* Removes everything of ours. */
_must_check_ int netlink_remove_all(struct netlink *netlink,
                                    const struct plan_policy *policy, bool dry,
                                    netlink_note_fn note, void *data);

#endif
