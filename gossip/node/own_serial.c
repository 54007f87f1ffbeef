/*
 * A certificate of another serial came into force for us: changed rights, or
 * the end of a freeze.  Nobody takes what was written under the old one any
 * more, so all that is live is written again under the new; what it does not
 * allow is ended.
 */
#include "gossip/node/node_internal.h"

/* Until records that could not be written are tried again. */
#define OWN_SERIAL_RETRY_MS 1000

/* The manifest is written anew by own.c, when all others are on disk. */
static bool is_old(const struct node *node, const struct entry *entry)
{
    switch (entry->record.kind) {
    case RECORD_CERTIFICATE:
    case RECORD_REVOCATION:
    case RECORD_CHARTER:
    case RECORD_EVIDENCE:
    case RECORD_MANIFEST:
        return false;
    default:
        return entry->record.serial != node->self->certificate->serial;
    }
}

/* A freeze of ours that somebody released would count again, as its id is
 * another now: a release takes its place. */
static int write_release(struct node *node, struct node_actions *actions)
{
    struct body_hold release = {.is_held = false};
    struct record_order order;
    uint8_t packed[32];
    size_t size;
    int error = body_put_hold(&release, packed, sizeof(packed), &size);

    return error != 0 ? error
                      : own_write(node, RECORD_HOLD, NULL, 0, packed, size,
                                  actions, &order);
}

/* 0, or what own_write says. */
static int write_again(struct node *node, const struct entry *entry,
                       struct node_actions *actions)
{
    const struct record *record = &entry->record;
    struct body_tombstone body = {.kind = record->kind};
    struct record_order order;
    uint8_t packed[16];
    size_t size;
    int error;

    if (record->kind == RECORD_HOLD && hold_is_released(node, entry)) {
        return write_release(node, actions);
    }
    error = own_write(node, record->kind, record->key, record->key_size,
                      record->body, record->body_size, actions, &order);

    if (error != NODE_E_NOT_ALLOWED || record->kind == RECORD_TOMBSTONE) {
        return error;
    }
    error = body_put_tombstone(&body, packed, sizeof(packed), &size);
    return error != 0
               ? error
               : own_write(node, RECORD_TOMBSTONE, record->key,
                           record->key_size, packed, size, actions, &order);
}

static bool can_write(const struct node *node)
{
    return node->own.phase == NODE_PHASE_READY && !node->own.is_twin &&
           node->self->certificate != NULL &&
           !view_is_frozen(&node->self->records);
}

void own_sign_again(struct node *node, struct node_actions *actions)
{
    const struct view_writer *records = &node->self->records;
    bool has_old = false;
    int error = 0;

    if (node->now_ms < own_serial_deadline(node)) {
        return;
    }
    node->own.serial_ms = node->now_ms + OWN_SERIAL_RETRY_MS;
    for (size_t i = 0; i < records->n_entries && error == 0; i++) {
        const struct entry *entry = records->entries[i];

        if (!is_old(node, entry)) {
            continue;
        }
        has_old = true;
        if (own_has_newer(node, &entry->record)) {
            continue;
        }
        if (entry->record.kind == RECORD_MEMBER) {
            own_write_member(node, actions); /* else it is owed */
        } else {
            error = write_again(node, entry, actions);
            /* Not even its end: the certificate is over, and all of it waits
             * for a renewal, but that we live. */
            error = error == NODE_E_NOT_ALLOWED ? 0 : error;
        }
    }
    if (!has_old) {
        node->own.serial = node->self->certificate->serial;
    }
}

uint64_t own_serial_deadline(const struct node *node)
{
    return can_write(node) &&
                   node->own.serial != node->self->certificate->serial
               ? node->own.serial_ms
               : NODE_NEVER;
}
