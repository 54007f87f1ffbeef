/*
 * The table of keys, and everything about one of them: a root, a certified
 * node, or both.  The table and the certificate are peers.c's to write; each
 * part of a peer belongs to the file of its type's name.
 */
#ifndef SOCKETNET_GOSSIP_NODE_PEERS_H
#define SOCKETNET_GOSSIP_NODE_PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/node/clash.h"
#include "gossip/node/hash.h"
#include "gossip/node/node.h"
#include "gossip/node/probe.h"
#include "gossip/node/suspicion.h"
#include "gossip/node/sync.h"
#include "gossip/node/transport.h"
#include "gossip/node/view.h"

struct peer {
    UT_hash_handle hh_key;
    UT_hash_handle hh_id;
    uint8_t key[32];
    uint64_t id;
    bool is_root;      /* by the charter in force */
    bool was_root;     /* or by one before it */
    bool is_certifier; /* in peers.certifiers */
    bool is_self;

    /* The last one that was in force; NULL for roots and strangers.  Members
     * with a denial are certified no more: peers_is_certified. */
    struct body_certificate *certificate;
    bool is_by_root; /* a root wrote it, or the same but for its end */
    bool is_due;     /* certify_tick has to see it */
    enum node_denial denial;
    uint64_t revoked_hlc;            /* with NODE_DENIAL_REVOKED */
    struct clash_peer clash;         /* with NODE_DENIAL_CLASH */
    uint64_t root_until_hlc;         /* of a former root */
    struct body_certificate *spare;  /* reserved for the first one */
    struct entry *certificate_entry; /* view.c sets it free */

    struct view_writer records;
    struct suspicion_peer member;
    struct probe_peer probe;
    struct transport_peer link;
    struct sync_peer sync;
};

struct peers {
    struct peer *by_key; /* uthash */
    struct peer *by_id;  /* uthash */
    struct peer **all;   /* ascending by key */
    struct peer **ring;  /* all, ascending by id */
    size_t n;
    size_t n_heard; /* of whom last_heard_ms is no longer 0 */
    /* Who may have certified or revoked others: all roots that there were, and
     * issuers. */
    struct peer **certifiers;
    size_t n_certifiers;
    size_t certifiers_capacity;
    size_t capacity;
};

struct peer *peers_find(const struct node *node, const uint8_t key[32]);
/* It has spoken to us just now. */
void peers_heard(struct node *node, struct peer *peer);
struct peer *peers_find_id(const struct node *node, uint64_t id);
/* Finds or makes.  0, -ENOMEM, or PEERS_E_FULL: LIMIT_WRITERS is reached, or
 * another key has the same id. */
enum { PEERS_E_FULL = 1 };
int peers_get(struct node *node, const uint8_t key[32], struct peer **ret);
/* Finds or makes one that is, or will be, a root.  As peers_get. */
int peers_get_root(struct node *node, const uint8_t key[32], struct peer **ret);
/* Room for one more certifier.  0 or -ENOMEM. */
int peers_reserve_certifier(struct node *node);
/* After peers_reserve_certifier. */
void peers_add_certifier(struct node *node, struct peer *peer);
void peers_done(struct node *node);
/* Index in ring of the first peer with id >= `id`. */
size_t peers_ring_index(const struct node *node, uint64_t id);
/* Memory for the peer's first certificate, so that peers_set_certificate
 * cannot fail.  0 or -ENOMEM. */
int peers_reserve_certificate(struct peer *peer);
/* Adopts a certificate as the peer's one in force.  After
 * peers_reserve_certificate. */
void peers_set_certificate(struct node *node, struct peer *peer,
                           struct entry *entry,
                           const struct body_certificate *certificate,
                           bool is_by_root);
/* Derives the pair's packet keys on first use, a tenth of a millisecond each:
 * a start with thousands of members must not wait for all of them.  False
 * when there is no certificate or its key is of small order. */
bool peers_need_keys(const struct node *node, struct peer *peer);
/* A root, or a member that a root has made an issuer. */
bool peers_is_issuer(const struct peer *peer);
/* Whether it is a member whose word counts. */
bool peers_is_certified(const struct peer *peer);
/* Seconds since 1970 for validity: never behind what was stored. */
uint64_t peers_validity_s(const struct node *node);
/* Up to `n` distinct random live peers (alive, suspect), not `except`. */
size_t peers_random(struct node *node, struct peer **ret, size_t n,
                    const struct peer *except);

#endif
