/*
 * Removal of what is over: tombstones that a manifest has made final or whose
 * time to live has passed, old tokens, and the marks of writers that may
 * never write again.  The rules in words: docs/STORE.md.
 */
#include "store/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/base/search.h"
#include "gossip/wire/body.h"
#include "store/keys.h"
#include "store/txn.h"

/* One writer and what is known of it. */
struct expire_writer {
    uint8_t key[RECORD_WRITER_SIZE];
    struct record_order upto; /* of its manifest; epoch 0: none */
    bool is_certified;        /* subject of a certificate that still holds */
    bool has_records;
};

struct expire_walk {
    uint64_t now_s;
    struct expire_writer *writers; /* in ascending order of key */
    size_t n_writers;
    size_t n_allocated;
};

static int compare_writer(const void *key, const void *element)
{
    const struct expire_writer *writer = element;

    return memcmp(key, writer->key, sizeof(writer->key));
}

static struct expire_writer *find_writer(const struct expire_walk *walk,
                                         const uint8_t *key)
{
    bool is_found;
    size_t index =
        search_index(key, walk->writers, walk->n_writers,
                     sizeof(*walk->writers), compare_writer, &is_found);

    return is_found ? &walk->writers[index] : NULL;
}

/* First pass: the heads give every writer, already in order. */
static int visit_head(struct txn_bytes key, struct txn_bytes value,
                      bool *ret_erase, void *data)
{
    struct expire_walk *walk = data;

    (void)value;
    (void)ret_erase;
    if (key.size != RECORD_WRITER_SIZE) {
        return -EBADMSG;
    }
    if (walk->n_writers == walk->n_allocated) {
        size_t n = MAX_OF(64u, 2 * walk->n_allocated);
        struct expire_writer *writers =
            realloc(walk->writers, n * sizeof(*writers));

        if (writers == NULL) {
            return -ENOMEM;
        }
        walk->writers = writers;
        walk->n_allocated = n;
    }
    walk->writers[walk->n_writers] = (struct expire_writer){0};
    memcpy(walk->writers[walk->n_writers].key, key.bytes, key.size);
    walk->n_writers++;
    return 0;
}

static void note_certificate(struct expire_walk *walk,
                             const struct record *record)
{
    struct body_certificate body;
    struct expire_writer *subject;

    if (body_get_certificate(record, &body) != 0 ||
        body.not_after_s <= walk->now_s) {
        return;
    }
    subject = find_writer(walk, body.sign_public);
    if (subject != NULL) {
        subject->is_certified = true;
    }
}

/* Second pass: who still has records, certificates, a manifest. */
static int visit_record(struct txn_bytes key, struct txn_bytes value,
                        bool *ret_erase, void *data)
{
    struct expire_walk *walk = data;
    struct expire_writer *writer;
    struct body_manifest manifest;
    struct record record;

    (void)ret_erase;
    if (key.size != KEYS_RECORD_SIZE ||
        record_parse(value.bytes, value.size, &record) != 0) {
        return -EBADMSG;
    }
    if (record.kind == RECORD_CERTIFICATE) {
        note_certificate(walk, &record);
    }
    writer = find_writer(walk, record.writer);
    if (writer == NULL) {
        return 0;
    }
    writer->has_records = true;
    if (record.kind == RECORD_MANIFEST &&
        body_get_manifest(&record, &manifest) == 0) {
        writer->upto = manifest.upto;
    }
    return 0;
}

/* Third pass. */
static int visit_tombstone(struct txn_bytes key, struct txn_bytes value,
                           bool *ret_erase, void *data)
{
    const struct expire_walk *walk = data;
    const struct expire_writer *writer;
    struct body_tombstone tombstone;
    struct record record;

    (void)key;
    if (record_parse(value.bytes, value.size, &record) != 0 ||
        body_get_tombstone(&record, &tombstone) != 0) {
        return 0;
    }
    writer = find_writer(walk, record.writer);
    /* Manifests do not speak of functions: rights_class of gossip/node. */
    if (writer != NULL && writer->upto.epoch != 0 &&
        tombstone.kind != RECORD_FUNCTION &&
        record_order_compare(record.order, writer->upto) <= 0) {
        *ret_erase = true;
    }
    if (record.ttl_s != 0 &&
        record_hlc_s(record.hlc) + record.ttl_s <= walk->now_s) {
        *ret_erase = true;
    }
    return 0;
}

static int visit_mark(struct txn_bytes key, struct txn_bytes value,
                      bool *ret_erase, void *data)
{
    const struct expire_walk *walk = data;
    const struct expire_writer *writer = find_writer(walk, key.bytes);

    (void)value;
    *ret_erase =
        writer != NULL && !writer->has_records && !writer->is_certified;
    return 0;
}

static int visit_token(struct txn_bytes key, struct txn_bytes value,
                       bool *ret_erase, void *data)
{
    const struct expire_walk *walk = data;
    struct store_token token;

    if (key.size != STORE_TOKEN_ID_SIZE ||
        keys_get_token(key.bytes, value.bytes, value.size, &token) != 0) {
        return -EBADMSG;
    }
    *ret_erase = token.expires_s + STORE_TOKEN_KEPT_S <= walk->now_s;
    return 0;
}

static int expire_all(struct txn *txn, struct expire_walk *walk)
{
    static const struct {
        enum txn_db db;
        txn_each_fn fn;
    } passes[] = {
        {TXN_HEADS, visit_head},        {TXN_RECORDS, visit_record},
        {TXN_RECORDS, visit_tombstone}, {TXN_HEADS, visit_mark},
        {TXN_TOKENS, visit_token},
    };
    int error = 0;

    for (size_t i = 0; i < ARRAY_SIZE(passes) && error == 0; i++) {
        error = txn_each(txn, passes[i].db, NULL, 0, passes[i].fn, walk);
    }
    return error;
}

int store_expire(struct store *store, uint64_t now_s)
{
    struct expire_walk walk = {.now_s = now_s};
    struct txn txn;
    int error = txn_begin(store, true, &txn);

    if (error != 0) {
        return error;
    }
    error = expire_all(&txn, &walk);
    free(walk.writers);
    if (error != 0) {
        txn_abort(&txn);
        return error;
    }
    return txn_commit(&txn);
}
