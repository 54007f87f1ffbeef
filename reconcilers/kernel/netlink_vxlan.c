/*
 * The tunnel device, and the bridge's own port being up.  Part of netlink.c;
 * what the device forwards where is netlink_forward.c's.
 *
 * The device learns nothing and floods nowhere: a frame goes out only when
 * its destination is a node's tunnel MAC with an entry.  Bound to the mesh
 * interface: where that is missing, tunnel traffic has no other way out.
 *
 * Its own MAC is not the node's tunnel MAC, which frames for this node carry.
 * With Open vSwitch's userspace datapath the kernel's stack sees every frame
 * of the device as well; a frame for the device's own MAC it would route or
 * answer a second time.  One for another MAC it leaves alone, and the bridge
 * takes it all the same.
 *
 * Checksum offload needs no care here: the userspace datapath writes whole
 * frames with their checksums done, and neither a vxlan device nor the tap
 * behind the bridge's own port hands it unfinished ones.
 */
#include "reconcilers/kernel/netlink_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/errno.h>
#include <netlink/route/link/inet6.h>
#include <netlink/route/link/vxlan.h>

/* See the head of this file.  Stays locally administered and unicast. */
static void device_mac(const struct plan *plan, uint8_t ret_mac[6])
{
    memcpy(ret_mac, plan->tunnel_mac, 6);
    ret_mac[0] ^= 0x04;
}

/* By the alias, or, when we were ended between making the device and marking
 * it, by the MAC that nobody else would give it. */
static bool device_is_ours(struct rtnl_link *link, const struct plan *plan)
{
    const char *alias = rtnl_link_get_ifalias(link);
    uint8_t mac[6];

    device_mac(plan, mac);
    return rtnl_link_is_vxlan(link) &&
           ((alias != NULL && strcmp(alias, NETLINK_ALIAS) == 0) ||
            netlink_mac_is(rtnl_link_get_addr(link), mac));
}

/* What can only be chosen when the device is made. */
static bool device_fits(struct rtnl_link *link, const struct netlink_work *work)
{
    _cleanup_(netlink_address_done) struct nl_addr *local = NULL;
    struct address address;
    uint32_t vni = 0, port = 0, lower = 0;

    if (rtnl_link_vxlan_get_local(link, &local) != 0 ||
        rtnl_link_vxlan_get_id(link, &vni) != 0 ||
        rtnl_link_vxlan_get_port(link, &port) != 0) {
        return false;
    }
    if (rtnl_link_vxlan_get_link(link, &lower) != 0) {
        lower = 0; /* bound to none */
    }
    address = netlink_address_get(local);
    return address_equal(&address, &work->plan->tunnel_local) &&
           vni == work->policy->tunnel_vni &&
           port == work->policy->tunnel_port &&
           rtnl_link_vxlan_get_learning(link) == 0 &&
           lower == (uint32_t)work->netlink->mesh.ifindex;
}

static int device_build(const struct netlink_work *work, struct rtnl_link **ret)
{
    const struct plan *plan = work->plan;
    _cleanup_(netlink_link_done) struct rtnl_link *link =
        rtnl_link_vxlan_alloc();
    _cleanup_(netlink_address_done) struct nl_addr *local = netlink_address(
        &plan->tunnel_local, plan->tunnel_local.family == 4 ? 32 : 128);
    _cleanup_(netlink_address_done) struct nl_addr *mac_addr = NULL;
    uint8_t mac[6];

    device_mac(plan, mac);
    mac_addr = netlink_mac(mac);
    if (link == NULL || local == NULL || mac_addr == NULL) {
        return -NLE_NOMEM;
    }
    rtnl_link_set_name(link, work->policy->tunnel_device);
    rtnl_link_set_addr(link, mac_addr);
    if (plan->tunnel_mtu != 0) {
        rtnl_link_set_mtu(link, plan->tunnel_mtu);
    }
    if (rtnl_link_vxlan_set_id(link, work->policy->tunnel_vni) != 0 ||
        rtnl_link_vxlan_set_port(link, work->policy->tunnel_port) != 0 ||
        rtnl_link_vxlan_set_local(link, local) != 0 ||
        rtnl_link_vxlan_set_learning(link, 0) != 0 ||
        (work->netlink->mesh.ifindex != 0 &&
         rtnl_link_vxlan_set_link(
             link, (uint32_t)work->netlink->mesh.ifindex) != 0)) {
        return -NLE_INVAL;
    }
    *ret = link;
    link = NULL;
    return 0;
}

/* No IPv6 address of its own on the device; a host without IPv6 refuses the
 * very question, so the answer does not matter. */
static void device_quiet(struct netlink *netlink, struct rtnl_link *link)
{
    _cleanup_(netlink_link_done) struct rtnl_link *change = rtnl_link_alloc();

    if (change != NULL &&
        rtnl_link_inet6_set_addr_gen_mode(
            change, rtnl_link_inet6_str2addrgenmode("none")) == 0) {
        (void)rtnl_link_change(netlink->requests, link, change, 0);
    }
}

/* Makes it and reads it back. */
static int device_create(struct netlink_work *work, struct rtnl_link **ret)
{
    struct netlink *netlink = work->netlink;
    const char *name = work->policy->tunnel_device;
    _cleanup_(netlink_link_done) struct rtnl_link *wanted = NULL;
    int error;

    if (!netlink_change(work, "create vxlan device %s (id %u, port %u)", name,
                        work->policy->tunnel_vni, work->policy->tunnel_port)) {
        return 0;
    }
    error = device_build(work, &wanted);
    if (error == 0) {
        error =
            rtnl_link_add(netlink->requests, wanted, NLM_F_CREATE | NLM_F_EXCL);
    }
    if (error == -NLE_EXIST) {
        return netlink_problem(work, -EEXIST,
                               "another vxlan device has id %u on port %u; "
                               "change tunnel.vni or tunnel.port",
                               work->policy->tunnel_vni,
                               work->policy->tunnel_port);
    }
    if (error != 0) {
        return netlink_failed(work, error, "create vxlan device %s", name);
    }
    error = netlink_link(netlink, name, ret);
    if (error != 0) {
        return netlink_problem(work, error, "vxlan device %s vanished", name);
    }
    device_quiet(netlink, *ret);
    netlink->tunnel.ifindex = rtnl_link_get_ifindex(*ret);
    return 0;
}

static int device_delete(struct netlink_work *work, struct rtnl_link *link,
                         const char *why)
{
    int error;

    if (!netlink_change(work, "delete vxlan device %s (%s)",
                        rtnl_link_get_name(link), why)) {
        return 0;
    }
    error = rtnl_link_delete(work->netlink->requests, link);
    work->netlink->tunnel.ifindex = 0;
    return error == 0 || error == -NLE_NODEV
               ? 0
               : netlink_failed(work, error, "delete vxlan device %s",
                                rtnl_link_get_name(link));
}

/* What can be changed while it lives: mark, MTU, MAC, up. */
static int device_adjust(struct netlink_work *work, struct rtnl_link *link)
{
    const struct plan *plan = work->plan;
    const char *alias = rtnl_link_get_ifalias(link);
    _cleanup_(netlink_link_done) struct rtnl_link *change = rtnl_link_alloc();
    _cleanup_(netlink_address_done) struct nl_addr *mac_addr = NULL;
    bool is_wanted = false;
    uint8_t mac[6];
    int error;

    device_mac(plan, mac);
    mac_addr = netlink_mac(mac);
    if (change == NULL || mac_addr == NULL) {
        return -ENOMEM;
    }
    if (alias == NULL || strcmp(alias, NETLINK_ALIAS) != 0) {
        rtnl_link_set_ifalias(change, NETLINK_ALIAS);
        is_wanted = true;
    }
    if (plan->tunnel_mtu != 0 && rtnl_link_get_mtu(link) != plan->tunnel_mtu) {
        rtnl_link_set_mtu(change, plan->tunnel_mtu);
        is_wanted = true;
    }
    if (!netlink_mac_is(rtnl_link_get_addr(link), mac)) {
        rtnl_link_set_addr(change, mac_addr);
        is_wanted = true;
    }
    if ((rtnl_link_get_flags(link) & IFF_UP) == 0) {
        rtnl_link_set_flags(change, IFF_UP);
        is_wanted = true;
    }
    if (!is_wanted ||
        !netlink_change(work, "set up vxlan device %s (mtu %u)",
                        rtnl_link_get_name(link), plan->tunnel_mtu)) {
        return 0;
    }
    error = rtnl_link_change(work->netlink->requests, link, change, 0);
    return error == 0 ? 0
                      : netlink_failed(work, error, "set up vxlan device %s",
                                       rtnl_link_get_name(link));
}

/* The device that is there: kept, or out of the way. */
static int device_verify(struct netlink_work *work, struct rtnl_link **link)
{
    const char *name = work->policy->tunnel_device;
    int error = 0;

    if (!device_is_ours(*link, work->plan)) {
        /* Not wanted and not ours: nothing to say. */
        return work->plan->needs_tunnel
                   ? netlink_problem(work, -EEXIST,
                                     "device %s exists and is not ours; "
                                     "delete it or set tunnel.device",
                                     name)
                   : 0;
    }
    if (!work->plan->needs_tunnel) {
        error = device_delete(work, *link, "no longer needed");
    } else if (!device_fits(*link, work)) {
        error = device_delete(work, *link, "other parameters");
    } else {
        return 0;
    }
    netlink_link_done(link);
    return error;
}

int netlink_apply_tunnel(struct netlink_work *work)
{
    const struct plan_policy *policy = work->policy;
    _cleanup_(netlink_link_done) struct rtnl_link *link = NULL;
    bool has_mesh =
        policy->mesh_interface != NULL && policy->mesh_interface[0] != '\0';
    int error = netlink_link(work->netlink, policy->tunnel_device, &link);

    if (error != 0 && error != -ENODEV) {
        return netlink_problem(work, error, "cannot look at device %s: %s",
                               policy->tunnel_device, strerror(-error));
    }
    if (work->plan->needs_tunnel && has_mesh &&
        work->netlink->mesh.ifindex == 0) {
        return netlink_problem(work, -ENODEV,
                               "mesh interface %s does not exist",
                               policy->mesh_interface);
    }
    if (link != NULL) {
        error = device_verify(work, &link);
        if (error != 0) {
            return error;
        }
    }
    if (!work->plan->needs_tunnel) {
        return 0;
    }
    if (link == NULL) {
        error = device_create(work, &link);
    }
    /* Still none: this run only tells. */
    return error != 0 || link == NULL ? error : device_adjust(work, link);
}

/* --- The bridge's own port. --- */

int netlink_apply_bridge(struct netlink_work *work)
{
    const char *name = work->policy->bridge;
    _cleanup_(netlink_link_done) struct rtnl_link *link = NULL;
    _cleanup_(netlink_link_done) struct rtnl_link *change = NULL;
    int error = netlink_link(work->netlink, name, &link);

    if (work->plan->n_routes == 0 &&
        work->plan->local_address.address.family == 0) {
        return 0; /* nothing on it is wanted */
    }
    if (error != 0) {
        return netlink_problem(work, error,
                               "bridge %s has no port of its own here: %s",
                               name, strerror(-error));
    }
    if ((rtnl_link_get_flags(link) & IFF_UP) != 0 ||
        !netlink_change(work, "set %s up", name)) {
        return 0;
    }
    change = rtnl_link_alloc();
    if (change == NULL) {
        return -ENOMEM;
    }
    rtnl_link_set_flags(change, IFF_UP);
    error = rtnl_link_change(work->netlink->requests, link, change, 0);
    return error == 0 ? 0 : netlink_failed(work, error, "set %s up", name);
}
