/*
 * What becomes of the records and the state of a member whose certificate in
 * force changed, or that has none any more.
 */
#include "gossip/node/node_internal.h"

/* Of a member that is certified no more nothing is left but what certifies and
 * revokes others, and the evidence
 * against it; of one with a new grant what it wrote under the old one
 * goes, as nobody who comes later would take it. */
static bool is_ended(const struct peer *peer, const struct record *record)
{
    switch (record->kind) {
    case RECORD_CERTIFICATE:
    case RECORD_REVOCATION:
    case RECORD_CHARTER:
    case RECORD_EVIDENCE:
        return false;
    default:
        if (peer->denial == NODE_DENIAL_CLASH &&
            suspicion_is_departure(record)) {
            return false; /* then it has no rival any more */
        }
        return !peer->is_root && (peer->denial != NODE_DENIAL_NONE ||
                                  record->serial != peer->certificate->serial);
    }
}

static bool reserve(const struct peer *peer, struct node_actions *actions)
{
    size_t n = 2, size = 0;

    for (size_t i = 0; i < peer->records.n_entries; i++) {
        const struct record *record = &peer->records.entries[i]->record;

        if (is_ended(peer, record) || view_is_frozen(&peer->records)) {
            n += 2;
            size += 2 * record->size;
        }
    }
    return actions_reserve(actions, n, size);
}

static void drop_ended(struct node *node, struct peer *peer,
                       struct node_actions *actions)
{
    for (size_t i = peer->records.n_entries; i > 0; i--) {
        struct entry *entry = peer->records.entries[i - 1];

        if (is_ended(peer, &entry->record)) {
            view_remove(node, entry, true, actions);
        }
    }
}

/* False: memory was lacking, and it stays due. */
static bool apply(struct node *node, struct peer *peer,
                  struct node_actions *actions)
{
    if (peer->certificate == NULL) {
        return true;
    }
    /* What happens to us is for the others to do: our own records are there
     * again when it is undone. */
    if (peer->is_self) {
        return true;
    }
    if (!reserve(peer, actions)) {
        return false;
    }
    view_thaw(node, peer, actions);
    drop_ended(node, peer, actions);
    if (peer->denial != NODE_DENIAL_NONE) {
        suspicion_removed(node, peer, actions);
    } else if (peer->member.state == NODE_MEMBER_REMOVED) {
        suspicion_set_state(node, peer, NODE_MEMBER_UNKNOWN, actions);
        peer->sync.started_ms = 0;
    }
    return true;
}

void certify_tick(struct node *node, struct node_actions *actions)
{
    uint64_t next_s = node->certify.next_s;

    if (next_s != 0 && peers_validity_s(node) >= next_s) {
        node->certify.next_s = 0;
        certify_all(node);
        clash_touch(node);
    }
    clash_tick(node);
    for (size_t i = 0; i < node->peers.n && node->certify.n_due > 0; i++) {
        struct peer *peer = node->peers.all[i];

        if (peer->is_due && apply(node, peer, actions)) {
            peer->is_due = false;
            node->certify.n_due--;
            if (peer->is_certifier) {
                certify_find_certified(node, peer);
            }
        }
    }
}

uint64_t certify_deadline(const struct node *node)
{
    uint64_t now_s = peers_validity_s(node);

    if (node->certify.n_due > 0) {
        return node->now_ms;
    }
    if (node->certify.next_s == 0) {
        return clash_deadline(node);
    }
    return MIN_OF(clash_deadline(node),
                  node->now_ms + (node->certify.next_s > now_s
                                      ? node->certify.next_s - now_s
                                      : 0) *
                                     1000);
}
