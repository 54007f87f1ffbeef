/*
 * The desired state: what core tells the worker should hold on this host.
 * Items are independent values, each with a key; core sends all of them once
 * (snapshot) and then numbered deltas.  plan.h turns the whole set, together
 * with the worker's own root-owned policy and what it observes, into flows,
 * groups, ports, links and routes.  Pure: no IO.
 *
 * The worker believes none of it blindly: plan_validate checks every item
 * against the policy before it enters the set.
 */
#ifndef SOCKETNET_RECONCILERS_PLAN_DESIRED_H
#define SOCKETNET_RECONCILERS_PLAN_DESIRED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/base/address.h"
#include "gossip/base/macros.h"

#define DESIRED_NAME_SIZE     64
#define DESIRED_PORT_SIZE     16 /* IFNAMSIZ */
#define DESIRED_SUBNETS_MAX   8
#define DESIRED_BACKENDS_MAX  256
#define DESIRED_ITEM_SIZE_MAX 49152 /* packed */

enum desired_error {
    DESIRED_E_MALFORMED = 1, /* bytes that are no item */
};

enum desired_type {
    DESIRED_HOST = 1,     /* a node of the cluster */
    DESIRED_FUNCTION = 2, /* a function's service address and backends */
    DESIRED_LOCAL = 3,    /* an address that lives on a local port */
};

/* A node: where its containers' subnets are reached.  `id` is its node id;
 * the tunnel MAC is derived from it by desired_host_mac. */
struct desired_host {
    uint64_t id;
    char name[DESIRED_NAME_SIZE];
    bool is_self;
    struct address mesh;
    struct prefix subnets[DESIRED_SUBNETS_MAX];
    size_t n_subnets;
};

struct desired_backend {
    char instance[DESIRED_NAME_SIZE];
    uint64_t host_id;
    struct address address;
    uint16_t port;
    uint16_t weight;
    uint16_t priority; /* the lowest that is reachable gets connections */
    bool accepts_new;  /* false: draining, open connections live on */
};

/* One (function, protocol, port).  A function without a backend keeps its
 * address; new connections to it are refused. */
struct desired_function {
    char name[DESIRED_NAME_SIZE];
    uint8_t protocol; /* 6 or 17 */
    uint16_t port;
    struct address address;
    struct desired_backend *backends; /* owned by the item */
    size_t n_backends;
};

/* A registered local instance: binds the address to the port. */
struct desired_local {
    struct address address;
    char port_name[DESIRED_PORT_SIZE];
};

/* A key is type, then id (host), name/protocol/port (function) or address
 * (local); items compare by it. */
struct desired_item {
    enum desired_type type;
    union {
        struct desired_host host;
        struct desired_function function;
        struct desired_local local;
    };
};

/* The whole set, sorted by key. */
struct desired {
    struct desired_item *items; /* owned */
    size_t n_items;
    size_t capacity;
};

#define DESIRED_INIT                                                           \
    {                                                                          \
        0                                                                      \
    }

void desired_done(struct desired *desired);
void desired_item_done(struct desired_item *item);
int desired_item_compare(const struct desired_item *a,
                         const struct desired_item *b);
bool desired_item_equal(const struct desired_item *a,
                        const struct desired_item *b);
/* Deep copy.  0 or -ENOMEM. */
_must_check_ int desired_item_copy(const struct desired_item *item,
                                   struct desired_item *ret);
/* Takes the item's content over (the caller's is emptied), replacing one of
 * the same key.  0 or -ENOMEM. */
_must_check_ int desired_put(struct desired *desired,
                             struct desired_item *item);
/* True when there was one of that key. */
bool desired_remove(struct desired *desired, const struct desired_item *key);
const struct desired_item *desired_find(const struct desired *desired,
                                        const struct desired_item *key);

/* msgpack form, used on the socketpair and in `agent reconcile --desired`
 * files' tests; see docs/WIRE.md.  Pack: 0, -ENOBUFS,
 * -EINVAL (no such type).  Unpack: 0, DESIRED_E_MALFORMED or -ENOMEM; the
 * caller owns what it gets. */
_must_check_ int desired_item_pack(const struct desired_item *item,
                                   uint8_t *buffer, size_t buffer_size,
                                   size_t *ret_size);
_must_check_ int desired_item_unpack(const uint8_t *bytes, size_t size,
                                     struct desired_item *ret);

/* Locally administered unicast MAC of a node's tunnel end: 0a, then 5 bytes
 * of its node id. */
void desired_host_mac(uint64_t host_id, uint8_t ret_mac[6]);

#endif
