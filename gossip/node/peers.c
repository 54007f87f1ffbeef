/*
 * The table of keys a node knows: the genesis' roots and every certified
 * node.  Entries are never removed while the node lives, so pointers to them
 * may be kept.
 */
#include "gossip/node/node_internal.h"

#include <errno.h>
#include <stdlib.h>

#include <sodium.h>

#include "gossip/base/search.h"

struct peer *peers_find(const struct node *node, const uint8_t key[32])
{
    struct peer *peer = NULL;

    HASH_FIND(hh_key, node->peers.by_key, key, 32, peer);
    return peer;
}

void peers_heard(struct node *node, struct peer *peer)
{
    node->peers.n_heard += peer->link.last_heard_ms == 0;
    peer->link.last_heard_ms = node->now_ms;
}

struct peer *peers_find_id(const struct node *node, uint64_t id)
{
    struct peer *peer = NULL;

    HASH_FIND(hh_id, node->peers.by_id, &id, sizeof(id), peer);
    return peer;
}

static int compare_id(const void *key, const void *element)
{
    uint64_t id = *(const uint64_t *)key;
    uint64_t other = (*(struct peer *const *)element)->id;

    return id < other ? -1 : id > other;
}

size_t peers_ring_index(const struct node *node, uint64_t id)
{
    return search_index(&id, node->peers.ring, node->peers.n,
                        sizeof(*node->peers.ring), compare_id, NULL);
}

static int compare_key(const void *key, const void *element)
{
    return memcmp(key, (*(struct peer *const *)element)->key, 32);
}

static size_t key_index(const struct node *node, const uint8_t key[32])
{
    return search_index(key, node->peers.all, node->peers.n,
                        sizeof(*node->peers.all), compare_key, NULL);
}

static bool grow_arrays(struct node *node)
{
    size_t capacity = node->peers.capacity == 0 ? 16 : node->peers.capacity * 2;
    struct peer **array;

    if (node->peers.n < node->peers.capacity) {
        return true;
    }
    array = reallocarray(node->peers.all, capacity, sizeof(struct peer *));
    if (array == NULL) {
        return false;
    }
    node->peers.all = array;
    array = reallocarray(node->peers.ring, capacity, sizeof(struct peer *));
    if (array == NULL) {
        return false;
    }
    node->peers.ring = array;
    node->peers.capacity = capacity;
    return true;
}

static void insert_at(struct peer **array, size_t n, size_t index,
                      struct peer *peer)
{
    memmove(&array[index + 1], &array[index], (n - index) * sizeof(array[0]));
    array[index] = peer;
}

/* In both tables, or in neither. */
static bool add_to_tables(struct node *node, struct peer *peer)
{
    HASH_ADD(hh_key, node->peers.by_key, key, 32, peer);
    if (peer->hh_key.tbl == NULL) {
        return false;
    }
    HASH_ADD(hh_id, node->peers.by_id, id, sizeof(peer->id), peer);
    if (peer->hh_id.tbl == NULL) {
        HASH_DELETE(hh_key, node->peers.by_key, peer);
        return false;
    }
    return true;
}

int peers_get(struct node *node, const uint8_t key[32], struct peer **ret)
{
    struct peer *peer = peers_find(node, key);

    if (peer != NULL) {
        *ret = peer;
        return 0;
    }
    /* Two keys with one short id: the second cannot take part.  A chance of
     * 2^-64 per pair; an attacker would need a certificate for each try. */
    if (node->peers.n >= LIMIT_WRITERS ||
        peers_find_id(node, record_node_id(key)) != NULL) {
        return PEERS_E_FULL;
    }
    if (!grow_arrays(node)) {
        return -ENOMEM;
    }
    peer = calloc(1, sizeof(*peer));
    if (peer == NULL) {
        return -ENOMEM;
    }
    memcpy(peer->key, key, 32);
    peer->id = record_node_id(key);
    peer->probe.confirm_ms = NODE_NEVER;
    if (!add_to_tables(node, peer)) {
        free(peer);
        return -ENOMEM;
    }
    insert_at(node->peers.all, node->peers.n, key_index(node, key), peer);
    insert_at(node->peers.ring, node->peers.n, peers_ring_index(node, peer->id),
              peer);
    node->peers.n++;
    *ret = peer;
    return 0;
}

int peers_reserve_certifier(struct node *node)
{
    size_t capacity = node->peers.certifiers_capacity == 0
                          ? LIMIT_GENESIS_ROOTS
                          : node->peers.certifiers_capacity * 2;
    struct peer **certifiers;

    if (node->peers.n_certifiers < node->peers.certifiers_capacity) {
        return 0;
    }
    certifiers =
        reallocarray(node->peers.certifiers, capacity, sizeof(certifiers[0]));
    if (certifiers == NULL) {
        return -ENOMEM;
    }
    node->peers.certifiers = certifiers;
    node->peers.certifiers_capacity = capacity;
    return 0;
}

void peers_add_certifier(struct node *node, struct peer *peer)
{
    if (!peer->is_certifier) {
        peer->is_certifier = true;
        node->peers.certifiers[node->peers.n_certifiers++] = peer;
    }
}

int peers_get_root(struct node *node, const uint8_t key[32], struct peer **ret)
{
    struct peer *peer = NULL;
    int error = peers_get(node, key, &peer);

    if (error == 0) {
        error = peers_reserve_certifier(node);
    }
    if (error != 0) {
        return error;
    }
    peers_add_certifier(node, peer);
    *ret = peer;
    return 0;
}

void peers_done(struct node *node)
{
    HASH_CLEAR(hh_key, node->peers.by_key);
    HASH_CLEAR(hh_id, node->peers.by_id);
    for (size_t i = 0; i < node->peers.n; i++) {
        struct peer *peer = node->peers.all[i];

        packet_keys_wipe(&peer->link.keys);
        free(peer->certificate);
        free(peer->spare);
        free(peer->member.accusations);
        free(peer->records.entries);
        free(peer);
    }
    free(node->peers.all);
    free(node->peers.ring);
    free(node->peers.certifiers);
    free(node->probes.order);
}

uint64_t peers_validity_s(const struct node *node)
{
    uint64_t stored_ms = node->own.hlc >> 16;

    return MAX_OF(node->wall_ms, stored_ms) / 1000;
}

int peers_reserve_certificate(struct peer *peer)
{
    if (peer->certificate == NULL && peer->spare == NULL) {
        peer->spare = malloc(sizeof(*peer->spare));
        if (peer->spare == NULL) {
            return -ENOMEM;
        }
    }
    return 0;
}

void peers_set_certificate(struct node *node, struct peer *peer,
                           struct entry *entry,
                           const struct body_certificate *certificate,
                           bool is_by_root)
{
    bool is_first = peer->certificate == NULL;

    peer->is_by_root = is_by_root;
    if (peer->certificate_entry == entry) {
        return; /* it is already */
    }
    if (is_first) {
        peer->certificate = peer->spare;
        peer->spare = NULL;
    }
    if (is_first || memcmp(peer->certificate->exchange_public,
                           certificate->exchange_public, 32) != 0) {
        packet_keys_wipe(&peer->link.keys);
        peer->link.has_keys = false;
    }
    *peer->certificate = *certificate;
    peer->certificate_entry = entry;
    if (is_first) {
        peer->member.state_since_ms = node->now_ms;
        node->suspicions.n_down += peer->is_self ? 0 : 1;
    }
}

bool peers_is_certified(const struct peer *peer)
{
    return peer->certificate != NULL && peer->denial == NODE_DENIAL_NONE;
}

bool peers_is_issuer(const struct peer *peer)
{
    /* Only a root makes issuers: the chain has two links at most. */
    return peer->is_root ||
           (peers_is_certified(peer) && peer->is_by_root &&
            (peer->certificate->roles & BODY_ROLE_ISSUER) != 0);
}

bool peers_need_keys(const struct node *node, struct peer *peer)
{
    if (!peer->link.has_keys && peer->certificate != NULL) {
        peer->link.has_keys =
            packet_keys_derive(node->exchange_secret, node->exchange_public,
                               peer->certificate->exchange_public,
                               &peer->link.keys) == 0;
    }
    return peer->link.has_keys;
}

static bool is_live(const struct peer *peer)
{
    return peer->member.state == NODE_MEMBER_ALIVE ||
           peer->member.state == NODE_MEMBER_SUSPECT;
}

size_t peers_random(struct node *node, struct peer **ret, size_t n,
                    const struct peer *except)
{
    size_t n_found = 0, n_tries = 8 * n + 16;

    /* Draws with rejection; few draws are wasted while most peers live. */
    while (n_found < n && n_tries-- > 0 && node->peers.n > 0) {
        struct peer *peer =
            node->peers.all[rng_below(&node->rng, node->peers.n)];
        bool is_taken = peer == except || peer->is_self || !is_live(peer);

        for (size_t i = 0; i < n_found && !is_taken; i++) {
            is_taken = ret[i] == peer;
        }
        if (!is_taken) {
            ret[n_found++] = peer;
        }
    }
    return n_found;
}
