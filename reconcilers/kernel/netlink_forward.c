/*
 * The tunnel device's forwarding entries: which node's tunnel MAC is behind
 * which mesh address.  All entries of our device are ours.  Part of
 * netlink.c.
 */
#include "reconcilers/kernel/netlink_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/errno.h>
#include <netlink/route/neighbour.h>

struct forwards {
    struct netlink_work *work;
    bool *are_present; /* one per entry of the plan */
    struct rtnl_neigh **stale;
    size_t n_stale;
    size_t capacity;
    int error;
};

static int forwards_keep_stale(struct forwards *forwards,
                               struct rtnl_neigh *entry)
{
    if (forwards->n_stale == forwards->capacity) {
        size_t capacity = MAX_OF(forwards->capacity * 2, (size_t)16);
        struct rtnl_neigh **grown =
            reallocarray(forwards->stale, capacity, sizeof(*grown));

        if (grown == NULL) {
            return -ENOMEM;
        }
        forwards->stale = grown;
        forwards->capacity = capacity;
    }
    nl_object_get((struct nl_object *)entry);
    forwards->stale[forwards->n_stale++] = entry;
    return 0;
}

/* libnl gives the destination the family of the entry, AF_BRIDGE; its size
 * tells what it is. */
static struct address forward_mesh(struct rtnl_neigh *entry)
{
    const struct nl_addr *destination = rtnl_neigh_get_dst(entry);
    unsigned size = destination != NULL ? nl_addr_get_len(destination) : 0;
    struct address mesh = {0};

    if (size == 4 || size == 16) {
        mesh.family = size == 4 ? 4 : 6;
        memcpy(mesh.bytes, nl_addr_get_binary_addr(destination), size);
    }
    return mesh;
}

/* Index of the planned entry that this is, or n_forwards. */
static size_t forwards_find(const struct plan *plan, struct rtnl_neigh *entry)
{
    struct address mesh = forward_mesh(entry);

    for (size_t i = 0; i < plan->n_forwards; i++) {
        if (netlink_mac_is(rtnl_neigh_get_lladdr(entry),
                           plan->forwards[i].mac)) {
            return address_equal(&mesh, &plan->forwards[i].mesh)
                       ? i
                       : plan->n_forwards;
        }
    }
    return plan->n_forwards;
}

static bool forwards_has_mac(const struct plan *plan, struct rtnl_neigh *entry)
{
    for (size_t i = 0; i < plan->n_forwards; i++) {
        if (netlink_mac_is(rtnl_neigh_get_lladdr(entry),
                           plan->forwards[i].mac)) {
            return true;
        }
    }
    return false;
}

static void forwards_look(struct nlmsghdr *header, void *data)
{
    struct forwards *forwards = data;
    const struct plan *plan = forwards->work->plan;
    struct rtnl_neigh *entry = NULL;
    size_t index;

    if (forwards->error != 0 || rtnl_neigh_parse(header, &entry) != 0) {
        return;
    }
    if (rtnl_neigh_get_ifindex(entry) ==
            forwards->work->netlink->tunnel.ifindex &&
        (rtnl_neigh_get_flags(entry) & NTF_SELF) != 0) {
        index = forwards_find(plan, entry);
        if (index < plan->n_forwards) {
            forwards->are_present[index] = true;
        } else if (!forwards_has_mac(plan, entry)) {
            forwards->error = forwards_keep_stale(forwards, entry);
        }
    }
    rtnl_neigh_put(entry);
}

static void forwards_done(struct forwards *forwards)
{
    for (size_t i = 0; i < forwards->n_stale; i++) {
        rtnl_neigh_put(forwards->stale[i]);
    }
    free(forwards->stale);
    free(forwards->are_present);
}

/* Replaces an entry of that MAC which points elsewhere. */
static int forward_put(struct netlink_work *work,
                       const struct plan_forward *forward)
{
    _cleanup_(netlink_address_done) struct nl_addr *mac =
        netlink_mac(forward->mac);
    _cleanup_(netlink_address_done) struct nl_addr *mesh =
        netlink_address(&forward->mesh, forward->mesh.family == 4 ? 32 : 128);
    struct rtnl_neigh *entry;
    char text[ADDRESS_TEXT_SIZE];
    int error = -NLE_NOMEM;

    if (!netlink_change(
            work, "forward %02x:%02x:%02x:%02x:%02x:%02x to %s by %s",
            forward->mac[0], forward->mac[1], forward->mac[2], forward->mac[3],
            forward->mac[4], forward->mac[5],
            address_text(&forward->mesh, text), work->policy->tunnel_device)) {
        return 0;
    }
    entry = rtnl_neigh_alloc();
    if (entry != NULL && mac != NULL && mesh != NULL) {
        /* The destination first: libnl takes the family from it. */
        error = rtnl_neigh_set_dst(entry, mesh);
        rtnl_neigh_set_family(entry, AF_BRIDGE);
        rtnl_neigh_set_ifindex(entry, work->netlink->tunnel.ifindex);
        rtnl_neigh_set_lladdr(entry, mac);
        rtnl_neigh_set_state(entry, NUD_PERMANENT | NUD_NOARP);
        rtnl_neigh_set_flags(entry, NTF_SELF);
        if (error == 0) {
            error = rtnl_neigh_add(work->netlink->requests, entry,
                                   NLM_F_CREATE | NLM_F_REPLACE);
        }
    }
    rtnl_neigh_put(entry);
    return error == 0 ? 0
                      : netlink_failed(work, error, "forward to %s",
                                       address_text(&forward->mesh, text));
}

static int forward_delete(struct netlink_work *work, struct rtnl_neigh *entry)
{
    char text[64];
    int error;

    if (!netlink_change(
            work, "stop forwarding %s",
            nl_addr2str(rtnl_neigh_get_lladdr(entry), text, sizeof(text)))) {
        return 0;
    }
    error = rtnl_neigh_delete(work->netlink->requests, entry, 0);
    return error == 0 || error == -NLE_OBJ_NOTFOUND
               ? 0
               : netlink_failed(work, error, "stop forwarding %s", text);
}

static int forwards_change(struct forwards *forwards)
{
    struct netlink_work *work = forwards->work;
    int error = 0;

    for (size_t i = 0; error == 0 && i < work->plan->n_forwards; i++) {
        if (!forwards->are_present[i]) {
            error = forward_put(work, &work->plan->forwards[i]);
        }
    }
    for (size_t i = 0; error == 0 && i < forwards->n_stale; i++) {
        error = forward_delete(work, forwards->stale[i]);
    }
    return error;
}

int netlink_apply_forwards(struct netlink_work *work)
{
    struct forwards forwards = {.work = work};
    /* A link's header: how forwarding entries are asked for since Linux 4.12,
     * of one device. */
    struct ifinfomsg request = {.ifi_family = AF_BRIDGE,
                                .ifi_index = work->netlink->tunnel.ifindex};
    int error = 0;

    if (!work->plan->needs_tunnel) {
        return 0; /* they went with the device */
    }
    forwards.are_present =
        calloc(work->plan->n_forwards + 1, sizeof(*forwards.are_present));
    if (forwards.are_present == NULL) {
        return -ENOMEM;
    }
    if (work->netlink->tunnel.ifindex != 0) {
        error =
            netlink_dump(work->netlink, RTM_GETNEIGH, &request, sizeof(request),
                         RTM_NEWNEIGH, forwards_look, &forwards);
        if (error != 0) {
            (void)netlink_problem(work, error,
                                  "cannot read forwarding entries: %s",
                                  strerror(-error));
        }
    }
    error = error != 0 ? error : forwards.error;
    if (error == 0) {
        error = forwards_change(&forwards);
    }
    forwards_done(&forwards);
    return error;
}
