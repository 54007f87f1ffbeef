/*
 * Whether an operator has the cluster stand still.  Hold records of issuers
 * say so: one that freezes counts until its writer replaces it, or a release
 * of any issuer names it.
 */
#include "gossip/node/node_internal.h"

/* The hold record of a writer that may have one now, decoded. */
static const struct entry *
hold_of(const struct node *node, const struct peer *peer, struct body_hold *ret)
{
    const struct entry *entry = view_find(node, peer, RECORD_HOLD, NULL, 0);

    return entry != NULL && entry->record.kind == RECORD_HOLD &&
                   !view_is_frozen(&peer->records) && peers_is_issuer(peer) &&
                   body_get_hold(&entry->record, ret) == 0
               ? entry
               : NULL;
}

static bool names(const struct body_hold *release, const struct entry *freeze)
{
    for (size_t i = 0; i < release->n_ids; i++) {
        if (memcmp(release->ids + i * BODY_HOLD_ID_SIZE, freeze->id,
                   BODY_HOLD_ID_SIZE) == 0) {
            return true;
        }
    }
    return false;
}

bool hold_is_released(const struct node *node, const struct entry *freeze)
{
    for (size_t i = 0; i < node->peers.n; i++) {
        struct body_hold body;

        if (hold_of(node, node->peers.all[i], &body) != NULL && !body.is_held &&
            names(&body, freeze)) {
            return true;
        }
    }
    return false;
}

size_t node_holds(const struct node *node, struct node_hold *ret, size_t n)
{
    size_t n_found = 0;

    for (size_t i = 0; i < node->peers.n && node->view.n_holds > 0; i++) {
        const struct peer *peer = node->peers.all[i];
        struct body_hold body;
        const struct entry *entry = hold_of(node, peer, &body);

        if (entry == NULL || !body.is_held || hold_is_released(node, entry)) {
            continue;
        }
        if (n_found < n) {
            struct node_hold *hold = &ret[n_found];

            memcpy(hold->writer, peer->key, 32);
            memcpy(hold->id, entry->id, BODY_HOLD_ID_SIZE);
            memcpy(hold->reason, body.reason, sizeof(hold->reason));
            hold->hlc = entry->record.hlc;
        }
        n_found++;
    }
    return n_found;
}
