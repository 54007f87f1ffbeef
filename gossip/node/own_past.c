/*
 * Records that we signed, and that come from outside: what an earlier run of
 * ours left, or what another agent writes with our key now.  own.h says what
 * follows from them.
 */
#include "gossip/node/node_internal.h"

/* Not older than this run, and not of it. */
static bool is_not_ours(const struct node *node, struct record_order order)
{
    return order.epoch == node->own.epoch
               ? order.seq > node->own.seq
               : order.epoch >> 32 >= node->own.epoch >> 32;
}

void own_outdone(struct node *node, const struct record *record,
                 const struct peer *source, struct node_actions *actions)
{
    uint64_t boot = record->order.epoch >> 32;

    if (!is_not_ours(node, record->order) || node->own.is_twin) {
        return;
    }
    if (boot == UINT32_MAX || node->own.is_raised) {
        node->own.is_twin = true;
        node->own.is_member_owed = false;
        if (source != NULL) {
            memcpy(node->own.twin_source, source->key, 32);
        }
        return;
    }
    /* What an earlier run of ours left counts for nothing before we write. */
    node->own.is_raised = node->own.phase >= NODE_PHASE_WRITING;
    node->own.epoch = (boot + 1) << 32 | (node->own.epoch & UINT32_MAX);
    node->own.seq = 0;
    if (node->own.is_member_pending) {
        node->own.is_member_owed =
            true; /* what is under way is of the old one */
    } else if (node->own.phase == NODE_PHASE_READY) {
        own_write_member(node, actions);
    }
}

bool own_has_newer(const struct node *node, const struct record *record)
{
    uint8_t kind = rights_slot_kind(record);

    for (size_t i = 0; i < node->own.n_pending; i++) {
        struct record ours;

        if (record_parse(node->own.pending[i].bytes, node->own.pending[i].size,
                         &ours) == 0 &&
            rights_slot_kind(&ours) == kind &&
            ours.key_size == record->key_size &&
            memcmp(ours.key, record->key, ours.key_size) == 0 &&
            record_order_compare(ours.order, record->order) > 0) {
            return true;
        }
    }
    return false;
}

void own_shown(struct node *node, struct peer *source, const uint8_t *bytes,
               size_t size, struct node_actions *actions)
{
    struct view_offer offer = {.bytes = bytes, .size = size, .source = source};
    struct record record;

    if (record_parse(bytes, size, &record) != 0 ||
        memcmp(record.cluster, node->cluster, RECORD_CLUSTER_SIZE) != 0) {
        return;
    }
    if (memcmp(record.writer, node->self->key, 32) != 0) {
        /* Why we are not a member any more: judged like any other. */
        if (record.kind == RECORD_CERTIFICATE ||
            record.kind == RECORD_REVOCATION) {
            (void)view_offer(node, &offer, actions); /* lost is as not shown */
        }
        return;
    }
    /* It may be of an earlier certificate, or not be wanted any more, and yet
     * prove that there was such an epoch. */
    if (is_not_ours(node, record.order)) {
        if (node->verify(&record, node->verify_data) != 0) {
            node->counters.refused_signature++;
            return;
        }
        own_outdone(node, &record, source, actions);
    }
    (void)view_offer(node, &offer, actions); /* lost is as not shown */
}
