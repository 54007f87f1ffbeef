/*
 * What an issuer gives to a host that has nothing of its own: a free container
 * subnet, a free mesh address, a free name.  Of n issuers in force, ordered by
 * key, the i-th takes the candidates k with k mod n = i, so that two of them
 * that do not hear each other give nothing twice; when its part is full, any.
 * What the certificates of the cluster, this issuer's unexpired tokens and this
 * host's own interfaces hold is passed over.  Pure.
 */
#ifndef SOCKETNET_AGENT_JOIN_JOIN_ALLOCATE_H
#define SOCKETNET_AGENT_JOIN_JOIN_ALLOCATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/system/interfaces.h"
#include "gossip/base/address.h"
#include "gossip/base/macros.h"
#include "gossip/node/node.h"

struct token_ledger;

/* What a subnet has when none is asked for; longer when the range is small: so
 * many bits are left for hosts to differ in. */
#define JOIN_ALLOCATE_LEN_4      24
#define JOIN_ALLOCATE_LEN_6      64
#define JOIN_ALLOCATE_HOSTS_BITS 4

struct join_allocate {
    const struct node *node;
    const struct token_ledger *tokens;
    const struct interfaces_address *own;
    size_t n_own;
    uint64_t now_s;
};

/* A subnet of `len` bits, 0: the usual size; IPv4 where the charter has a range
 * of it and `len` is at most 32.  0; -ENOMEM; -ENOSPC: none is free. */
_must_check_ int join_allocate_subnet(const struct join_allocate *from,
                                      uint8_t len, struct prefix *ret);
/* Results as above. */
_must_check_ int join_allocate_mesh(const struct join_allocate *from,
                                    struct address *ret);
/* "node1", "node2" and so on. */
_must_check_ int join_allocate_name(const struct join_allocate *from,
                                    char ret[BODY_NAME_SIZE]);

#endif
