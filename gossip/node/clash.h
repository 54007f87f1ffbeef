/*
 * Two keys whose certificates give them one name, one mesh address or
 * overlapping subnets: which of them has it.  Found again, at most once a
 * tick, when something that it hangs on changed; from records alone, so that
 * all nodes with the same records find the same.
 */
#ifndef SOCKETNET_GOSSIP_NODE_CLASH_H
#define SOCKETNET_GOSSIP_NODE_CLASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/node/node.h"

struct peer;

struct clashes {
    bool is_due;
    size_t n_losers;  /* peers with NODE_DENIAL_CLASH */
    uint64_t next_ms; /* not sooner, however much changes */
};

/* With NODE_DENIAL_CLASH: whom a peer lost to, and over what. */
struct clash_peer {
    const struct peer *winner;
    enum node_clash over;
};

/* Certificates, revocations, the charter or departures changed. */
void clash_touch(struct node *node);
/* Whether two certificates would have the same. */
bool clash_is_same(const struct body_certificate *a,
                   const struct body_certificate *b);
/* Settles when it is due.  Who loses, or has it back, is set due. */
void clash_tick(struct node *node);
uint64_t clash_deadline(const struct node *node);

#endif
