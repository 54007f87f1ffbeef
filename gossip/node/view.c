/*
 * The live record set: for each (writer, kind, key) the newest record, its
 * bytes as received.  What may enter, view_offer.c decides.
 */
#include "gossip/node/view_internal.h"

#include <errno.h>
#include <stdlib.h>

#include <sodium.h>

#include "gossip/base/search.h"

uint64_t view_hash_of_id(const uint8_t *id)
{
    struct reader reader = reader_init(id, 8);

    return reader_u64(&reader);
}

static size_t make_slot(uint8_t slot[8 + 1 + LIMIT_KEY_SIZE], uint64_t writer,
                        uint8_t kind, const uint8_t *key, size_t key_size)
{
    struct writer out = writer_init(slot, 8 + 1 + LIMIT_KEY_SIZE);

    writer_u64(&out, writer);
    writer_u8(&out, kind);
    writer_put(&out, key, key_size);
    return writer_size(&out);
}

struct entry *view_find_hash(const struct node *node, uint64_t hash)
{
    struct entry *entry = NULL;

    HASH_FIND(hh_hash, node->view.by_hash, &hash, sizeof(hash), entry);
    return entry;
}

struct entry *view_find(const struct node *node, const struct peer *writer,
                        uint8_t kind, const uint8_t *key, size_t key_size)
{
    uint8_t slot[8 + 1 + LIMIT_KEY_SIZE];
    size_t slot_size = make_slot(slot, writer->id, kind, key, key_size);
    struct entry *entry = NULL;

    HASH_FIND(hh_slot, node->view.by_slot, slot, slot_size, entry);
    return entry;
}

const uint8_t *view_bytes(const struct node *node, uint64_t hash,
                          size_t *ret_size)
{
    const struct entry *entry = view_find_hash(node, hash);
    const struct news *news;

    if (entry != NULL) {
        *ret_size = entry->record.size;
        return entry->bytes;
    }
    news = spread_find(node, hash);
    if (news != NULL) {
        *ret_size = news->size;
        return news->bytes;
    }
    return NULL;
}

/* --- The sorted array of one writer --------------------------------------- */

static int compare_hash(const void *key, const void *element)
{
    uint64_t hash = *(const uint64_t *)key;
    uint64_t other = (*(struct entry *const *)element)->hash;

    return hash < other ? -1 : hash > other;
}

static size_t entries_index(const struct peer *peer, uint64_t hash)
{
    return search_index(&hash, peer->records.entries, peer->records.n_entries,
                        sizeof(*peer->records.entries), compare_hash, NULL);
}

static bool entries_reserve(struct peer *peer)
{
    size_t capacity =
        peer->records.capacity == 0 ? 4 : peer->records.capacity * 2;
    struct entry **entries;

    if (peer->records.n_entries < peer->records.capacity) {
        return true;
    }
    entries =
        reallocarray(peer->records.entries, capacity, sizeof(struct entry *));
    if (entries == NULL) {
        return false;
    }
    peer->records.entries = entries;
    peer->records.capacity = capacity;
    return true;
}

static void entries_insert(struct peer *peer, struct entry *entry)
{
    size_t index = entries_index(peer, entry->hash);

    memmove(&peer->records.entries[index + 1], &peer->records.entries[index],
            (peer->records.n_entries - index) * sizeof(struct entry *));
    peer->records.entries[index] = entry;
    peer->records.n_entries++;
    peer->records.n_claims += entry->class == RIGHTS_CLAIM;
    peer->records.n_limited += entry->class == RIGHTS_COUNTED;
}

static void entries_remove(struct peer *peer, const struct entry *entry)
{
    size_t index = entries_index(peer, entry->hash);

    while (peer->records.entries[index] != entry) {
        index++;
    }
    peer->records.n_entries--;
    peer->records.n_claims -= entry->class == RIGHTS_CLAIM;
    peer->records.n_limited -= entry->class == RIGHTS_COUNTED;
    memmove(&peer->records.entries[index], &peer->records.entries[index + 1],
            (peer->records.n_entries - index) * sizeof(struct entry *));
}

/* --- What is compared with others ------------------------------------------
 */

bool view_is_counted(const struct entry *entry)
{
    switch (entry->record.kind) {
    case RECORD_CERTIFICATE:
    case RECORD_REVOCATION:
    case RECORD_MEMBER:
    case RECORD_EVIDENCE:
        return true;
    default:
        return !view_is_frozen(&entry->writer->records);
    }
}

/* Nodes may have different evidence against one writer, and agree all the
 * same: it weighs what its writer and serial say. */
static uint64_t view_weight(const struct entry *entry)
{
    static const char domain[] = "socketnet/v1/evidence";
    crypto_generichash_state state;
    uint8_t serial[8];
    uint8_t hash[32];
    struct writer writer = writer_init(serial, sizeof(serial));

    if (entry->record.kind != RECORD_EVIDENCE) {
        return entry->hash;
    }
    writer_u64(&writer, entry->record.serial);
    /* None of these can fail: the sizes are constants within the range. */
    (void)crypto_generichash_init(&state, NULL, 0, sizeof(hash));
    (void)crypto_generichash_update(&state, (const uint8_t *)domain,
                                    sizeof(domain));
    (void)crypto_generichash_update(&state, entry->writer->key, 32);
    (void)crypto_generichash_update(&state, serial, sizeof(serial));
    (void)crypto_generichash_final(&state, hash, sizeof(hash));
    return view_hash_of_id(hash);
}

/* Adds the entry to the sums, or takes it out; by is 1 or -1. */
static void weigh(struct node *node, const struct entry *entry, int by)
{
    struct view_writer *records = &entry->writer->records;
    uint64_t weight = view_is_counted(entry) ? view_weight(entry) : 0;

    if (view_is_counted(entry)) {
        records->n_counted += (size_t)by; /* wraps on purpose, as the next */
        records->fingerprint += by > 0 ? weight : 0 - weight;
        node->view.fingerprint += by > 0 ? weight : 0 - weight;
    }
}

static void weigh_all(struct node *node, const struct peer *writer, int by)
{
    for (size_t i = 0; i < writer->records.n_entries; i++) {
        weigh(node, writer->records.entries[i], by);
    }
}

void view_freeze(struct node *node, struct entry *evidence)
{
    struct peer *writer = evidence->writer;

    weigh_all(node, writer, -1);
    writer->records.evidence_entry = evidence;
    weigh_all(node, writer, 1);
    node->view.changed_ms = node->now_ms;
}

/* --- In and out ------------------------------------------------------------
 */

void view_entry_free(struct entry *entry)
{
    if (entry != NULL) {
        free(entry->bytes);
        free(entry);
    }
}

struct entry *view_entry_new(const struct record *record, const uint8_t *id,
                             struct peer *writer, uint8_t slot_kind)
{
    struct entry *entry = calloc(1, sizeof(*entry));

    if (entry == NULL) {
        return NULL;
    }
    entry->bytes = malloc(record->size);
    if (entry->bytes == NULL) {
        free(entry);
        return NULL;
    }
    memcpy(entry->bytes, record->bytes, record->size);
    /* It parsed a moment ago; parsing the copy sets the pointers. */
    if (record_parse(entry->bytes, record->size, &entry->record) != 0) {
        view_entry_free(entry);
        return NULL;
    }
    memcpy(entry->id, id, sizeof(entry->id));
    entry->hash = view_hash_of_id(id);
    entry->writer = writer;
    entry->class = (uint8_t)rights_class(&entry->record);
    entry->slot_size = make_slot(entry->slot, writer->id, slot_kind,
                                 record->key, record->key_size);
    return entry;
}

int view_entry_link(struct node *node, struct entry *entry)
{
    struct peer *writer = entry->writer;

    if (!entries_reserve(writer)) {
        return -ENOMEM;
    }
    HASH_ADD_KEYPTR(hh_slot, node->view.by_slot, entry->slot, entry->slot_size,
                    entry);
    if (entry->hh_slot.tbl == NULL) {
        return -ENOMEM;
    }
    HASH_ADD(hh_hash, node->view.by_hash, hash, sizeof(entry->hash), entry);
    if (entry->hh_hash.tbl == NULL) {
        HASH_DELETE(hh_slot, node->view.by_slot, entry);
        return -ENOMEM;
    }
    entries_insert(writer, entry);
    node->view.n_records++;
    node->view.n_holds += entry->record.kind == RECORD_HOLD ? 1 : 0;
    weigh(node, entry, 1);
    node->view.changed_ms = node->now_ms;
    return 0;
}

void view_entry_unlink(struct node *node, struct entry *entry)
{
    struct peer *writer = entry->writer;

    HASH_DELETE(hh_slot, node->view.by_slot, entry);
    HASH_DELETE(hh_hash, node->view.by_hash, entry);
    entries_remove(writer, entry);
    node->view.n_records--;
    node->view.n_holds -= entry->record.kind == RECORD_HOLD ? 1 : 0;
    weigh(node, entry, -1);
    node->view.changed_ms = node->now_ms;
    if (writer->records.member_entry == entry) {
        writer->records.member_entry = NULL;
    }
    if (writer->records.manifest_entry == entry) {
        writer->records.manifest_entry = NULL;
    }
    if (writer->records.evidence_entry == entry) {
        weigh_all(node, writer, -1);
        writer->records.evidence_entry = NULL;
        weigh_all(node, writer, 1);
    }
    if (entry->record.kind == RECORD_CERTIFICATE) {
        struct peer *subject = peers_find(node, entry->record.key);

        if (subject != NULL && subject->certificate_entry == entry) {
            subject->certificate_entry = NULL;
        }
    }
    if (writer->is_self && entry->record.kind == RECORD_TOMBSTONE &&
        entry->class == RIGHTS_COUNTED) {
        node->own.n_tombstones--;
    }
}

void view_announce(const struct entry *entry, enum node_record_change change,
                   struct node_actions *actions)
{
    struct node_action *action = actions_add(actions, NODE_ACTION_RECORD,
                                             entry->bytes, entry->record.size);

    if (action != NULL) {
        action->change = change;
        memcpy(action->peer, entry->writer->key, 32);
    }
}

void view_remove(struct node *node, struct entry *entry, bool is_announced,
                 struct node_actions *actions)
{
    (void)actions_add(actions, NODE_ACTION_ERASE, entry->bytes,
                      entry->record.size);
    if (is_announced && entry->record.kind != RECORD_TOMBSTONE) {
        view_announce(entry, NODE_RECORD_REMOVED, actions);
    }
    view_entry_unlink(node, entry);
    view_entry_free(entry);
}

void view_drop_member(struct node *node, struct peer *peer,
                      struct node_actions *actions)
{
    for (size_t i = peer->records.n_entries; i > 0; i--) {
        struct entry *entry = peer->records.entries[i - 1];
        uint8_t kind = entry->record.kind;

        if (kind != RECORD_CERTIFICATE && kind != RECORD_REVOCATION &&
            kind != RECORD_MEMBER && kind != RECORD_EVIDENCE &&
            kind != RECORD_HOLD && kind != RECORD_CHARTER) {
            view_remove(node, entry, true, actions);
        }
    }
}

void view_thaw(struct node *node, struct peer *writer,
               struct node_actions *actions)
{
    struct entry *evidence = writer->records.evidence_entry;
    uint64_t serial;

    if (evidence == NULL || writer->certificate == NULL ||
        writer->certificate->serial == evidence->record.serial) {
        return;
    }
    serial = evidence->record.serial;
    view_remove(node, evidence, true, actions);
    for (size_t i = writer->records.n_entries; i > 0; i--) {
        struct entry *entry = writer->records.entries[i - 1];
        uint8_t kind = entry->record.kind;

        if (entry->record.serial == serial && !writer->is_self &&
            kind != RECORD_CERTIFICATE && kind != RECORD_REVOCATION &&
            kind != RECORD_MEMBER && kind != RECORD_CHARTER) {
            view_remove(node, entry, true, actions);
        }
    }
}

void view_done(struct node *node)
{
    HASH_CLEAR(hh_slot, node->view.by_slot);
    HASH_CLEAR(hh_hash, node->view.by_hash);
    for (size_t i = 0; i < node->peers.n; i++) {
        for (size_t j = 0; j < node->peers.all[i]->records.n_entries; j++) {
            view_entry_free(node->peers.all[i]->records.entries[j]);
        }
        node->peers.all[i]->records.n_entries = 0;
    }
}
