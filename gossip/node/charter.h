/*
 * Charters: who the roots are, and which addresses the cluster may use.  The
 * fields are charter.c's to write; everybody reads what is in force.
 */
#ifndef SOCKETNET_GOSSIP_NODE_CHARTER_H
#define SOCKETNET_GOSSIP_NODE_CHARTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/node/node.h"
#include "gossip/wire/body.h"
#include "gossip/wire/record.h"

/* One that follows the genesis, over others or at once. */
struct charter {
    uint8_t hash[BODY_CHARTER_HASH_SIZE];
    uint64_t hlc;     /* of the first record of it */
    bool is_followed; /* it is in force, or leads to what is */
    struct body_charter body;
};

struct charters {
    struct body_charter_parent genesis;
    struct charter *all; /* as they came */
    size_t n;
    size_t n_reserved;
    size_t in_force; /* index in all; n: none */
};

/* The one with this hash, or NULL. */
const struct charter *
charter_of_hash(const struct node *node,
                const uint8_t hash[BODY_CHARTER_HASH_SIZE]);
/* Checks a charter record: it follows the genesis or a charter that is here,
 * and, unless it comes from the store, is not too late to contend.
 * 0 and the charter, or VIEW_REFUSED with the matching counter raised. */
int charter_check(struct node *node, const struct record *record,
                  bool is_loaded, struct body_charter *ret);
/* Memory for one more, and for its roots as peers.  0, -ENOMEM, or
 * VIEW_REFUSED: a limit is reached. */
int charter_prepare(struct node *node, const struct body_charter *charter);
/* Takes one whose record came into the view; charter_prepare went before. */
void charter_take(struct node *node, const struct record *record);
/* Finds the one in force, and who is a root. */
void charter_find(struct node *node);
void charter_done(struct node *node);
/* The one in force, or NULL. */
const struct body_charter *charter_in_force(const struct node *node);

#endif
