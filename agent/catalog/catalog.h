/*
 * The catalogue: what functions exist, the service address of each, and their
 * instances with everything that decides whether one may be used.  Rebuilt
 * from the node's view when it changed; pure, no IO.  dns, api, services and
 * desired_builder read it; they hold no second idea of what a function is.
 *
 * Service address: the declared one (function record), else candidate slot i
 * is  base + h mod size  of the genesis' reserved range, where h is the first
 * 8 bytes, big-endian, of BLAKE2b-256("socketnet/v1/slot" NUL, cluster (16),
 * u8 length of the name, name, u16 slot).  A function has the slots that
 * issuers' claims (function records with a slot) give it, and without a claim
 * those that its live service records carry; the lowest that is not lost is
 * used.  Two functions wanting one address: a declared one keeps it, then a
 * claimed one, then one that its writer's certificate names in full and not by
 * a pattern, then the lower (slot, BLAKE2b-256(name)).  The other loses that
 * slot, and who wrote it writes again with the next free one.
 */
#ifndef SOCKETNET_AGENT_CATALOG_CATALOG_H
#define SOCKETNET_AGENT_CATALOG_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/base/address.h"
#include "gossip/base/macros.h"
#include "gossip/node/node.h"
#include "gossip/wire/body.h"

struct catalog;

/* Why an instance gets no new connections.  When several apply: NODE_DOWN,
 * then the first in this order. */
enum catalog_state {
    CATALOG_USABLE = 0,
    CATALOG_FROZEN,   /* its node contradicted itself: nobody believes it */
    CATALOG_REFUSED,  /* its own host's data plane does not take it */
    CATALOG_PENDING,  /* its own host finds no port for it */
    CATALOG_CRITICAL, /* its check fails */
    CATALOG_DRAINING,
    CATALOG_MAINTENANCE,
    CATALOG_NODE_DOWN,   /* its node is dead, or left */
    CATALOG_HOST_FAULT,  /* its host says that its data plane does not work */
    CATALOG_UNREACHABLE, /* alive for others, not from here */
    CATALOG_NOT_HEARD,   /* of its node this one knows by its store alone: it
                            has not spoken since we started */
};
#define CATALOG_N_STATES (CATALOG_NOT_HEARD + 1)

/* Which instances new connections go to: those of the lowest rank there is.
 * Usable ones; while there is none, those not heard, which may be there; and
 * else the unreachable ones, since silence alone withdraws nothing, and last
 * those whose host is at fault: its flows may still stand.  The rest get none
 * in any case. */
enum catalog_rank {
    CATALOG_RANK_USABLE = 0,
    CATALOG_RANK_NOT_HEARD,
    CATALOG_RANK_UNREACHABLE,
    CATALOG_RANK_HOST_FAULT,
    CATALOG_RANK_NEVER,
};
enum catalog_rank catalog_state_rank(enum catalog_state state);
/* Whether an instance in this state carries the connections it has: nobody
 * answers them at one that its host does not find or that does not answer. */
bool catalog_state_carries(enum catalog_state state);

/* A service record's body (body.h has the meaning of each field), without
 * the room that few of them use. */
struct catalog_service {
    char function[BODY_NAME_SIZE];
    char instance[BODY_NAME_SIZE];
    struct address address;
    char port_name[16];
    uint16_t port;
    uint16_t weight;
    uint16_t priority;
    uint16_t slot;
    uint8_t protocol;
    uint8_t health;
    uint8_t finding; /* what its own host found out about it */
    uint8_t n_tags;
    uint8_t n_meta;
    char (*tags)[BODY_NAME_SIZE]; /* borrowed from the catalogue, as meta */
    const struct body_meta *meta;
};

struct catalog_instance {
    uint8_t writer[32];
    char node[BODY_NAME_SIZE];
    struct address node_address; /* the node's mesh address */
    uint64_t node_id;
    bool is_local;
    bool is_named;   /* its node's certificate has the function's full name */
    uint32_t rtt_us; /* of its node; 0 local or unknown */
    enum catalog_state state;
    bool shares_name;          /* with another instance of its function */
    bool repeats_address;      /* one before it in `usable` has it */
    struct record_order order; /* of its record */
    struct catalog_service service;
};

struct catalog_function {
    char name[BODY_NAME_SIZE];
    struct address address; /* family 0: none could be given */
    bool is_declared;       /* by a function record */
    bool is_idle;           /* nobody offers it: only its claims are left */
    bool is_claimed;        /* an issuer's claim gives slot and address */
    uint8_t claimer[32];    /* that issuer */
    uint64_t idle_since_s;  /* as the claim says: no instance since; 0: some */
    uint16_t slot;
    struct catalog_instance *instances; /* by node name, instance name */
    size_t n_instances;
    /* Which of them may be used now: those of one rank (catalog_state_rank),
     * by (local, priority, rtt, node, instance). */
    const struct catalog_instance **usable;
    size_t n_usable;
};

/* A member that has not left, by which its host is named. */
struct catalog_node {
    uint8_t key[32];
    char name[BODY_NAME_SIZE];      /* as in its certificate */
    char canonical[BODY_NAME_SIZE]; /* in its one spelling */
    struct address address;         /* in the mesh */
};

_must_check_ int catalog_new(const uint8_t cluster[RECORD_CLUSTER_SIZE],
                             const struct prefix *service_range,
                             struct catalog **ret);
struct catalog *catalog_free(struct catalog *catalog);

/* Another range for service addresses, from the next rebuild on. */
void catalog_set_range(struct catalog *catalog,
                       const struct prefix *service_range);

/* Reads the node's view anew.  0 or -ENOMEM (the old content stays). */
_must_check_ int catalog_rebuild(struct catalog *catalog,
                                 const struct node *node);

/* Functions in ascending order of name; valid until the next rebuild. */
size_t catalog_count(const struct catalog *catalog);
const struct catalog_function *catalog_at(const struct catalog *catalog,
                                          size_t index);
/* `name` in any spelling; NULL when unknown, or idle. */
const struct catalog_function *catalog_find(const struct catalog *catalog,
                                            const char *name);
/* The same, idle ones too. */
const struct catalog_function *catalog_find_any(const struct catalog *catalog,
                                                const char *name);
/* The function that holds this service address, or NULL. */
const struct catalog_function *
catalog_find_address(const struct catalog *catalog,
                     const struct address *address);

/* Address of slot i of a canonical name, and the lowest slot that no other
 * function holds now. */
void catalog_slot_address(const struct catalog *catalog, const char *name,
                          uint16_t slot, struct address *ret);
uint16_t catalog_free_slot(const struct catalog *catalog, const char *name);

/* Nodes by name, in any spelling, and by mesh address; NULL: none.  Of two with
 * one name the lower key has it, of two with one address likewise. */
const struct catalog_node *catalog_find_node(const struct catalog *catalog,
                                             const char *name);
const struct catalog_node *
catalog_find_node_address(const struct catalog *catalog,
                          const struct address *address);
/* Every instance at an address, in the order of functions, nodes and names. */
const struct catalog_instance *const *
catalog_instances_at(const struct catalog *catalog,
                     const struct address *address, size_t *ret_n);

/* As strcmp, but for case and '_' against '-'. */
int catalog_name_compare(const char *a, const char *b);

const char *catalog_state_name(enum catalog_state state);

#endif
