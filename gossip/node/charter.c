/*
 * Charters.  All that follow the genesis are kept, whatever order they came
 * in, so that every node that has the same records finds the same one in
 * force: from the genesis on, of those that follow the one before the one
 * with the lowest hash.
 */
#include "gossip/node/node_internal.h"

#include <errno.h>
#include <stdlib.h>

const struct charter *
charter_of_hash(const struct node *node,
                const uint8_t hash[BODY_CHARTER_HASH_SIZE])
{
    for (size_t i = 0; i < node->charters.n; i++) {
        if (memcmp(node->charters.all[i].hash, hash, BODY_CHARTER_HASH_SIZE) ==
            0) {
            return &node->charters.all[i];
        }
    }
    return NULL;
}

/* Whether another of its generation is in force, or leads to what is, and has
 * been for so long that nobody contends with it any more: else the key of a
 * root that was dropped years ago could take the cluster over. */
static bool is_too_late(const struct node *node, const struct record *record,
                        const struct body_charter *charter)
{
    uint8_t hash[BODY_CHARTER_HASH_SIZE];

    body_hash_charter(charter, record->body, record->body_size, hash);
    for (size_t i = 0; i < node->charters.n; i++) {
        const struct charter *one = &node->charters.all[i];

        if (one->is_followed && one->body.generation == charter->generation &&
            memcmp(one->hash, hash, sizeof(hash)) != 0) {
            return peers_validity_s(node) >
                   record_hlc_s(one->hlc) + LIMIT_CHARTER_SETTLED_S;
        }
    }
    return false;
}

int charter_check(struct node *node, const struct record *record,
                  bool is_loaded, struct body_charter *ret)
{
    struct body_charter_parent parent = node->charters.genesis;
    struct body_charter charter;

    if (body_get_charter(record, &charter) != 0) {
        node->counters.refused_body++;
        return VIEW_REFUSED;
    }
    if (charter.generation > 1) {
        const struct charter *before = charter_of_hash(node, charter.previous);

        /* One that comes before its parent is asked for again later. */
        if (before == NULL) {
            node->counters.refused_rights++;
            return VIEW_REFUSED;
        }
        body_follow_charter(&before->body, before->hash, &parent);
    }
    /* What is on disk was in time when it came. */
    if (!is_loaded && is_too_late(node, record, &charter)) {
        node->counters.refused_rights++;
        return VIEW_REFUSED;
    }
    switch (body_verify_charter(record, &parent, ret)) {
    case 0:
        return 0;
    case RECORD_E_SIGNATURE:
        node->counters.refused_signature++;
        return VIEW_REFUSED;
    default:
        node->counters.refused_rights++;
        return VIEW_REFUSED;
    }
}

int charter_prepare(struct node *node, const struct body_charter *charter)
{
    struct charters *charters = &node->charters;
    struct charter *all;

    for (size_t i = 0; i < charter->n_roots; i++) {
        struct peer *root = NULL;
        int error = peers_get_root(node, charter->roots[i], &root);

        if (error != 0) {
            return error < 0 ? error : VIEW_REFUSED;
        }
    }
    if (charters->n < charters->n_reserved) {
        return 0;
    }
    if (charters->n >= LIMIT_CHARTERS) {
        node->counters.refused_limit++;
        return VIEW_REFUSED;
    }
    all = reallocarray(charters->all, charters->n + 1, sizeof(all[0]));
    if (all == NULL) {
        return -ENOMEM;
    }
    charters->all = all;
    charters->n_reserved = charters->n + 1;
    return 0;
}

/* The index of the best that follows, or n. */
static size_t find_next(const struct charters *charters,
                        const struct body_charter_parent *parent)
{
    size_t best = charters->n;

    for (size_t i = 0; i < charters->n; i++) {
        const struct charter *one = &charters->all[i];

        if (one->body.generation == parent->generation + 1 &&
            memcmp(one->body.previous, parent->hash, sizeof(parent->hash)) ==
                0 &&
            (best == charters->n || memcmp(one->hash, charters->all[best].hash,
                                           sizeof(one->hash)) < 0)) {
            best = i;
        }
    }
    return best;
}

/* `roots` are keys of 32 bytes one after another. */
static bool has_root(const uint8_t *roots, size_t n_roots,
                     const uint8_t key[32])
{
    for (size_t i = 0; i < n_roots; i++) {
        if (memcmp(roots + i * 32, key, 32) == 0) {
            return true;
        }
    }
    return false;
}

/* Who is a root now, and until when the others were. */
static void set_roots(struct node *node, const struct body_charter *charter,
                      uint64_t hlc)
{
    for (size_t i = 0; i < node->peers.n_certifiers; i++) {
        struct peer *peer = node->peers.certifiers[i];

        if (has_root(charter->roots[0], charter->n_roots, peer->key)) {
            peer->is_root = true;
            peer->was_root = true;
        } else if (peer->is_root) {
            peer->is_root = false;
            peer->root_until_hlc = hlc;
        }
    }
}

void charter_find(struct node *node)
{
    struct charters *charters = &node->charters;
    struct body_charter_parent parent = charters->genesis;
    size_t next;

    for (size_t i = 0; i < node->peers.n_certifiers; i++) {
        struct peer *peer = node->peers.certifiers[i];

        peer->is_root = has_root(charters->genesis.roots[0],
                                 charters->genesis.n_roots, peer->key);
        peer->was_root |= peer->is_root;
    }
    charters->in_force = charters->n;
    for (size_t i = 0; i < charters->n; i++) {
        charters->all[i].is_followed = false;
    }
    while ((next = find_next(charters, &parent)) < charters->n) {
        struct charter *one = &charters->all[next];

        one->is_followed = true;
        set_roots(node, &one->body, one->hlc);
        charters->in_force = next;
        body_follow_charter(&one->body, one->hash, &parent);
    }
}

void charter_take(struct node *node, const struct record *record)
{
    struct charters *charters = &node->charters;
    struct charter *one;
    uint8_t hash[BODY_CHARTER_HASH_SIZE];
    struct body_charter body;

    /* It decoded when it was checked. */
    if (body_get_charter(record, &body) != 0) {
        return;
    }
    body_hash_charter(&body, record->body, record->body_size, hash);
    if (charter_of_hash(node, hash) != NULL) {
        return; /* the same in another envelope */
    }
    one = &charters->all[charters->n++];
    *one = (struct charter){.hlc = record->hlc, .body = body};
    memcpy(one->hash, hash, sizeof(hash));
    charter_find(node);
    certify_all(node);
    clash_touch(node); /* ranges may be shared now, or no more */
}

void charter_done(struct node *node)
{
    free(node->charters.all);
    node->charters = (struct charters){0};
}

const struct body_charter *charter_in_force(const struct node *node)
{
    return node->charters.in_force < node->charters.n
               ? &node->charters.all[node->charters.in_force].body
               : NULL;
}
