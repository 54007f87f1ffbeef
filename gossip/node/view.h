/*
 * The live record set, and what it holds of one writer.  The fields are
 * view.c's and view_offer.c's to write (suspicion_state.c sets member_entry
 * free by view_drop_member); everybody reads them.
 */
#ifndef SOCKETNET_GOSSIP_NODE_VIEW_H
#define SOCKETNET_GOSSIP_NODE_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/base/budget.h"
#include "gossip/base/limits.h"
#include "gossip/node/hash.h"
#include "gossip/node/node.h"
#include "gossip/wire/record.h"

struct peer;

/* One live record. */
struct entry {
    UT_hash_handle hh_slot; /* by slot: writer id, kind, key */
    UT_hash_handle hh_hash; /* by hash */
    uint64_t hash;          /* first 8 bytes of the record's id */
    uint8_t id[16];         /* first half of the record's id */
    struct peer *writer;
    uint8_t class;        /* enum rights_class */
    struct record record; /* points into bytes */
    uint8_t *bytes;
    size_t slot_size;
    uint8_t slot[8 + 1 + LIMIT_KEY_SIZE];
};

/* One writer's part of it. */
struct view_writer {
    struct entry **entries; /* live, ascending by hash */
    size_t n_entries;
    size_t capacity;
    size_t n_claims;          /* of them: rights_class */
    size_t n_limited;         /* of them: RIGHTS_COUNTED */
    size_t n_counted;         /* of them, in comparisons: view_is_counted */
    uint64_t fingerprint;     /* their sum: view_weight */
    struct record_order high; /* highest order ever seen */
    struct entry *member_entry;
    struct entry *manifest_entry;
    struct entry *evidence_entry; /* it contradicted itself: it is frozen */
    struct budget written;        /* LIMIT_WRITER_* */
};

struct view {
    struct entry *by_slot; /* uthash */
    struct entry *by_hash; /* uthash */
    size_t n_records;
    size_t n_holds;       /* of them hold records */
    uint64_t fingerprint; /* sum of all writers' */
    uint64_t changed_ms;
};

enum view_result {
    VIEW_ACCEPTED = 0,
    VIEW_KNOWN = 1,
    VIEW_REFUSED = 2,
    VIEW_FORGED = 3, /* refused, for its signature; never of view_offer */
};

struct view_offer {
    const uint8_t *bytes;
    size_t size;
    struct peer *source; /* NULL: own or loaded */
    bool is_loaded;      /* from the own store: do not store again */
    bool is_own;         /* just committed by ourselves */
};

/* The whole way of a record in.  enum view_result, or -ENOMEM: the record is
 * not taken then, and nothing told or stored of it. */
int view_offer(struct node *node, const struct view_offer *offer,
               struct node_actions *actions);
/* What its writer and its sender may still send, and the signature.  enum
 * view_result. */
int view_check_signature(struct node *node, struct peer *writer,
                         const struct view_offer *offer,
                         const struct record *record);
struct entry *view_find_hash(const struct node *node, uint64_t hash);
struct entry *view_find(const struct node *node, const struct peer *writer,
                        uint8_t kind, const uint8_t *key, size_t key_size);
/* Takes an entry out and has the store forget it; its owner is told as well
 * when `is_announced`.  The actions were reserved. */
void view_remove(struct node *node, struct entry *entry, bool is_announced,
                 struct node_actions *actions);
/* Whether all nodes have this record in the end.  Of a frozen writer they took
 * different ones; only who it is, that it lives and why it is frozen counts. */
bool view_is_counted(const struct entry *entry);
static inline bool view_is_frozen(const struct view_writer *records)
{
    return records->evidence_entry != NULL;
}
/* The writer has a certificate of another serial than the one under which it
 * contradicted itself: it is free, and what it wrote then goes, but for its
 * member record and what is ours.  The actions were reserved. */
void view_thaw(struct node *node, struct peer *writer,
               struct node_actions *actions);
/* Drops what a left member had but its certificates. */
void view_drop_member(struct node *node, struct peer *peer,
                      struct node_actions *actions);
void view_done(struct node *node);
/* Bytes of a known record or accusation with this hash, or NULL. */
const uint8_t *view_bytes(const struct node *node, uint64_t hash,
                          size_t *ret_size);

#endif
