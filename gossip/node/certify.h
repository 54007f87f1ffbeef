/*
 * Which certificate of a key is in force, and whether any is.  It is found
 * again when something that it hangs on changes: a certificate, a charter, a
 * revocation.  Time alone takes nothing away, but for what a revoked issuer or
 * a former root had written.
 */
#ifndef SOCKETNET_GOSSIP_NODE_CERTIFY_H
#define SOCKETNET_GOSSIP_NODE_CERTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/node/node.h"

struct peer;

struct certify {
    size_t n_due;    /* peers with is_due */
    uint64_t next_s; /* wall clock, when a grace ends; 0: none does */
};

/* Finds a key's certificate again.  What becomes of a member that has none any
 * more is done by certify_tick.  The caller reserved memory for the first
 * (peers_reserve_certificate). */
void certify_find(struct node *node, struct peer *subject);
/* The same for all. */
void certify_all(struct node *node);
/* ... for a key that was revoked, or that may certify others. */
void certify_again(struct node *node, struct peer *subject);
/* ... for all whom this one certified, or revoked. */
void certify_find_certified(struct node *node, const struct peer *certifier);
/* Whether a certificate that is not in the view would count now: by its
 * issuer, its ranges, and no revocation. */
bool certify_would_count(const struct node *node, const struct record *record,
                         const struct body_certificate *body);
/* Why not: NODE_DENIAL_NONE when nothing speaks against it. */
enum node_denial certify_denial(const struct node *node,
                                const struct record *record,
                                const struct body_certificate *body);
/* The record because of which the peer is denied, or NULL: none alone is, or it
 * is not here. */
const struct entry *certify_deciding(const struct node *node,
                                     const struct peer *peer);
/* Whether it ended so long ago that it makes nobody a member any more. */
bool certify_is_over(const struct node *node,
                     const struct body_certificate *body);
/* certify_tick is to see to what the peer's denial, or its end, leads to. */
void certify_set_due(struct node *node, struct peer *peer);
/* At this time (s since 1970) all is found again. */
void certify_again_at(struct node *node, uint64_t time_s);
void certify_tick(struct node *node, struct node_actions *actions);
uint64_t certify_deadline(const struct node *node);

#endif
