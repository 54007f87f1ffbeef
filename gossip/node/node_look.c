/*
 * What the node's owner may look at: members, records, the charter, counters.
 */
#include "gossip/node/node_internal.h"

#include <errno.h>
#include <stdlib.h>

static bool fill_member(const struct peer *peer, struct node_member *ret)
{
    if (peer->certificate == NULL) {
        return false;
    }
    *ret = (struct node_member){
        .id = peer->id,
        .certificate = peer->certificate,
        .body = peer->member.has_body ? &peer->member.body : NULL,
        .state = peer->member.state,
        .denial = peer->denial,
        .incarnation = peer->member.incarnation,
        .is_self = peer->is_self,
        .is_frozen = view_is_frozen(&peer->records),
        .is_heard = peer->is_self || peer->link.last_heard_ms != 0,
        .is_reachable = peer->member.is_reachable,
        .rtt_us = peer->probe.rtt.us,
        .last_heard_ms = peer->link.last_heard_ms,
        .state_since_ms = peer->member.state_since_ms,
    };
    memcpy(ret->key, peer->key, 32);
    if (peer->clash.winner != NULL) {
        ret->clash = peer->clash.over;
        memcpy(ret->winner, peer->clash.winner->key, 32);
    }
    return true;
}

bool node_member_next(const struct node *node, size_t *at,
                      struct node_member *ret)
{
    while (*at < node->peers.n) {
        const struct peer *peer = node->peers.all[(*at)++];

        if (fill_member(peer, ret)) {
            return true;
        }
    }
    return false;
}

bool node_member_find(const struct node *node, const uint8_t key[32],
                      struct node_member *ret)
{
    const struct peer *peer = peers_find(node, key);

    return peer != NULL && fill_member(peer, ret);
}

bool node_certificate(const struct node *node, const uint8_t key[32],
                      struct record *ret)
{
    const struct peer *peer = peers_find(node, key);

    if (peer == NULL || peer->certificate_entry == NULL) {
        return false;
    }
    *ret = peer->certificate_entry->record;
    return true;
}

static int compare_entries(const void *a, const void *b)
{
    const struct entry *left = *(struct entry *const *)a;
    const struct entry *right = *(struct entry *const *)b;
    int order = (int)left->record.kind - (int)right->record.kind;

    if (order == 0) {
        order = memcmp(left->writer->key, right->writer->key, 32);
    }
    if (order == 0) {
        order = memcmp(left->slot + 8, right->slot + 8,
                       MIN_OF(left->slot_size, right->slot_size) - 8);
    }
    if (order == 0) {
        order = (left->slot_size > right->slot_size) -
                (left->slot_size < right->slot_size);
    }
    return order;
}

int node_records_each(const struct node *node, uint8_t kind, node_record_fn fn,
                      void *data)
{
    struct entry **sorted = calloc(node->view.n_records + 1, sizeof(sorted[0]));
    size_t n = 0;
    int result = 0;

    if (sorted == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < node->peers.n; i++) {
        for (size_t j = 0; j < node->peers.all[i]->records.n_entries; j++) {
            struct entry *entry = node->peers.all[i]->records.entries[j];

            if (kind == 0 || entry->record.kind == kind) {
                sorted[n++] = entry;
            }
        }
    }
    qsort(sorted, n, sizeof(sorted[0]), compare_entries);
    for (size_t i = 0; i < n && result == 0; i++) {
        result = fn(&sorted[i]->record, data);
    }
    free(sorted);
    return result;
}

bool node_record_find(const struct node *node, const uint8_t writer[32],
                      uint8_t kind, const uint8_t *key, size_t key_size,
                      struct record *ret)
{
    const struct peer *peer = peers_find(node, writer);
    const struct entry *entry =
        peer == NULL ? NULL : view_find(node, peer, kind, key, key_size);

    if (entry == NULL) {
        return false;
    }
    *ret = entry->record;
    return true;
}

const struct body_charter *node_charter(const struct node *node,
                                        const uint8_t **ret_hash)
{
    const struct body_charter *charter = charter_in_force(node);

    if (charter != NULL && ret_hash != NULL) {
        *ret_hash = node->charters.all[node->charters.in_force].hash;
    }
    return charter;
}

bool node_is_root(const struct node *node, const uint8_t key[32])
{
    const struct peer *peer = peers_find(node, key);

    return peer != NULL && peer->is_root;
}

const char *node_denial_name(enum node_denial denial)
{
    static const char *const names[] = {
        [NODE_DENIAL_NONE] = "none",   [NODE_DENIAL_REVOKED] = "revoked",
        [NODE_DENIAL_RANGE] = "range", [NODE_DENIAL_ISSUER] = "issuer",
        [NODE_DENIAL_CLASH] = "clash",
    };

    return names[denial];
}

const char *node_clash_name(enum node_clash clash)
{
    static const char *const names[] = {
        [NODE_CLASH_NONE] = "none",
        [NODE_CLASH_NAME] = "name",
        [NODE_CLASH_MESH] = "mesh",
        [NODE_CLASH_SUBNET] = "subnet",
    };

    return names[clash];
}

struct node_foreign node_foreign(const struct node *node)
{
    return node->strangers.foreign;
}

bool node_is_ready(const struct node *node)
{
    return node->own.phase == NODE_PHASE_READY;
}

uint64_t node_fingerprint(const struct node *node)
{
    return node->view.fingerprint;
}

size_t node_n_heard(const struct node *node)
{
    return node->peers.n_heard;
}

size_t node_n_records(const struct node *node)
{
    return node->view.n_records;
}

const struct node_counters *node_counters_get(const struct node *node)
{
    return &node->counters;
}

enum node_trouble node_trouble(const struct node *node, uint8_t ret_source[32])
{
    memcpy(ret_source, node->own.twin_source, 32);
    if (view_is_frozen(&node->self->records)) {
        return NODE_TROUBLE_FROZEN;
    }
    return node->own.is_twin ? NODE_TROUBLE_TWIN : NODE_TROUBLE_NONE;
}

uint64_t node_n_returned(const struct node *node)
{
    return node->own.n_returned;
}

size_t node_n_pending(const struct node *node)
{
    return node->own.n_pending;
}

uint64_t node_epoch(const struct node *node)
{
    return node->own.epoch;
}
