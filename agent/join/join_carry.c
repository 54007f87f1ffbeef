/*
 * See join_carry.h.
 */
#include "agent/join/join_carry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "agent/system/clock.h"
#include "gossip/wire/sign.h"
#include "store/store.h"

/* Evidence against one writer that is looked at; one is kept for a serial. */
#define CARRY_EVIDENCE_MAX 16

struct carry {
    const uint8_t *old_key;
    struct record_order evidence[CARRY_EVIDENCE_MAX];
    size_t n_evidence;
    uint8_t *services; /* one after another */
    size_t size;
};

static bool is_own(const struct carry *carry, const struct record *record)
{
    return memcmp(record->writer, carry->old_key, RECORD_WRITER_SIZE) == 0;
}

static int find_evidence(const uint8_t *bytes, size_t size, void *data)
{
    struct carry *carry = data;
    struct record record;

    if (record_parse(bytes, size, &record) == 0 &&
        record.kind == RECORD_EVIDENCE && is_own(carry, &record) &&
        carry->n_evidence < CARRY_EVIDENCE_MAX) {
        carry->evidence[carry->n_evidence++] = record.order;
    }
    return 0;
}

static bool is_doubtful(const struct carry *carry, const struct record *record)
{
    for (size_t i = 0; i < carry->n_evidence; i++) {
        if (record_order_compare(record->order, carry->evidence[i]) == 0) {
            return true;
        }
    }
    return false;
}

static int find_service(const uint8_t *bytes, size_t size, void *data)
{
    struct carry *carry = data;
    struct record record;
    uint8_t *services;

    if (record_parse(bytes, size, &record) != 0 ||
        record.kind != RECORD_SERVICE || !is_own(carry, &record) ||
        is_doubtful(carry, &record)) {
        return 0;
    }
    services = realloc(carry->services, carry->size + size);
    if (services == NULL) {
        return -ENOMEM;
    }
    memcpy(services + carry->size, bytes, size);
    carry->services = services;
    carry->size += size;
    return 0;
}

static int sign_again(const struct identity *next, uint64_t serial,
                      const struct record *record, struct record_order order,
                      struct store_batch *batch)
{
    uint8_t bytes[LIMIT_RECORD_SIZE];
    const struct record_fields fields = {
        .kind = record->kind,
        .flags = record->flags,
        .cluster = record->cluster,
        .writer = next->sign_public,
        .serial = serial,
        .order = order,
        .hlc = clock_wall_ms() << 16,
        .ttl_s = record->ttl_s,
        .key = record->key,
        .key_size = record->key_size,
        .body = record->body,
        .body_size = record->body_size,
    };
    size_t size = record_build(&fields, bytes, sizeof(bytes));
    int error =
        size == 0 ? -ENOBUFS : sign_record(bytes, size, next->sign_secret);

    return error != 0 ? error : store_put_record(batch, bytes, size);
}

static int sign_all(const struct carry *carry, const struct identity *next,
                    uint64_t serial, struct store_batch *batch, size_t *ret_n)
{
    struct record_order order = {.epoch =
                                     UINT64_C(1) << 32 | randombytes_random()};
    size_t offset = 0;
    int error = 0;

    while (error == 0 && offset < carry->size) {
        struct record record;
        size_t size = 0;

        if (record_peek_size(carry->services + offset, carry->size - offset,
                             &size) != 0 ||
            record_parse(carry->services + offset, size, &record) != 0) {
            return -EBADMSG; /* it was parsed once already */
        }
        order.seq++;
        error = sign_again(next, serial, &record, order, batch);
        offset += size;
    }
    *ret_n = (size_t)order.seq;
    return error;
}

static int write_all(const struct carry *carry, struct store *store,
                     const struct identity *next, size_t *ret_n)
{
    struct store_batch *batch = NULL;
    struct body_certificate body;
    struct record certificate;
    int error;

    if (record_parse(next->certificate, next->certificate_size, &certificate) !=
            0 ||
        body_get_certificate(&certificate, &body) != 0) {
        return -EBADMSG; /* join_verify has read it */
    }
    error = store_batch_begin(store, &batch);
    if (error != 0) {
        return error;
    }
    error = sign_all(carry, next, body.serial, batch, ret_n);
    if (error != 0) {
        store_batch_abort(batch);
        return error;
    }
    return store_batch_commit(batch);
}

int join_carry(struct store *store, const uint8_t old_key[32],
               const struct identity *next, size_t *ret_n)
{
    struct carry carry = {.old_key = old_key};
    int error = store_records_each(store, find_evidence, &carry);

    if (error == 0) {
        error = store_records_each(store, find_service, &carry);
    }
    if (error == 0) {
        error = write_all(&carry, store, next, ret_n);
    }
    free(carry.services);
    return error;
}
