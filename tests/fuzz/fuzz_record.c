/*
 * Fuzz target: a record from the network, as the node meets it: size, header,
 * signature, body of every kind.  What decodes must survive a round trip.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/base/unpack.h"
#include "gossip/wire/body.h"
#include "gossip/wire/evidence.h"
#include "gossip/wire/record.h"
#include "gossip/wire/sign.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the decoder understood, encoded again, is understood the same. */
#define CHECK_BODY(kind)                                                       \
    static void check_##kind(const struct record *record)                      \
    {                                                                          \
        static uint8_t first[LIMIT_MANIFEST_SIZE];                             \
        static uint8_t second[LIMIT_MANIFEST_SIZE];                            \
        struct record copy = *record;                                          \
        struct body_##kind body;                                               \
        size_t first_size;                                                     \
        size_t second_size;                                                    \
                                                                               \
        if (body_get_##kind(record, &body) != 0) {                             \
            return;                                                            \
        }                                                                      \
        assert(body_put_##kind(&body, first, sizeof(first), &first_size) ==    \
               0);                                                             \
        copy.body = first;                                                     \
        copy.body_size = first_size;                                           \
        assert(body_get_##kind(&copy, &body) == 0);                            \
        assert(body_put_##kind(&body, second, sizeof(second), &second_size) == \
               0);                                                             \
        assert(first_size == second_size);                                     \
        assert(memcmp(first, second, first_size) == 0);                        \
    }

CHECK_BODY(certificate)
CHECK_BODY(member)
CHECK_BODY(service)
CHECK_BODY(function)
CHECK_BODY(tombstone)
CHECK_BODY(manifest)
CHECK_BODY(accusation)
CHECK_BODY(revocation)
CHECK_BODY(hold)

/* Its record key is a hash of the bytes, so only the body goes round. */
static void check_charter(const struct record *record)
{
    static uint8_t first[LIMIT_MANIFEST_SIZE];
    static uint8_t second[LIMIT_MANIFEST_SIZE];
    struct body_charter_parent parent = {.n_roots = 1, .threshold = 1};
    struct body_charter body;
    size_t first_size;
    size_t second_size;
    int verified;

    if (body_unpack_charter(record->body, record->body_size, &body) != 0) {
        return;
    }
    memcpy(parent.roots[0], record->writer, 32);
    verified = body_verify_charter(record, &parent, &body);
    assert(verified == 0 || verified == RECORD_E_BODY ||
           verified == RECORD_E_SIGNATURE);
    assert(body_put_charter(&body, first, sizeof(first), &first_size) == 0);
    assert(body_unpack_charter(first, first_size, &body) == 0);
    assert(body_put_charter(&body, second, sizeof(second), &second_size) == 0);
    assert(first_size == second_size);
    assert(memcmp(first, second, first_size) == 0);
}

/* Made again of its halves, it has the same. */
static void check_evidence(const struct record *record)
{
    struct record halves[2];
    struct record again;
    struct record same[2];
    uint8_t *bytes;
    size_t size;

    if (evidence_get(record, &halves[0], &halves[1]) != 0) {
        return;
    }
    assert(evidence_new(&halves[1], &halves[0], &bytes, &size) == 0);
    assert(record_parse(bytes, size, &again) == 0);
    assert(evidence_get(&again, &same[0], &same[1]) == 0);
    for (size_t i = 0; i < 2; i++) {
        assert(same[i].size == halves[i].size);
        assert(memcmp(same[i].bytes, halves[i].bytes, same[i].size) == 0);
    }
    free(bytes);
}

/* Laid out again from its fields, it is the same but for the signature. */
static void check_layout(const struct record *record)
{
    static uint8_t buffer[LIMIT_MANIFEST_SIZE];
    struct record_fields fields = {
        .kind = record->kind,
        .flags = record->flags,
        .cluster = record->cluster,
        .writer = record->writer,
        .serial = record->serial,
        .order = record->order,
        .hlc = record->hlc,
        .ttl_s = record->ttl_s,
        .key = record->key,
        .key_size = record->key_size,
        .body = record->body,
        .body_size = record->body_size,
    };
    size_t size = record_build(&fields, buffer, sizeof(buffer));

    assert(size == record->size);
    assert(memcmp(buffer, record->bytes, size - RECORD_SIGNATURE_SIZE) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t id[RECORD_ID_SIZE];
    struct record record;
    size_t peeked = 0;
    int peek = record_peek_size(data, size, &peeked);
    int checked = unpack_validate(data, size, LIMIT_MSGPACK_ELEMENTS);
    struct unpack unpack;
    int verified;

    /* Raw bytes as a body: what the check lets through, msgpack-c decodes. */
    unpack_begin(&unpack, data, size);
    assert(unpack_end(&unpack) == checked);
    if (record_parse(data, size, &record) != 0) {
        return 0;
    }
    assert(peek == 0 && peeked == size);
    check_layout(&record);
    record_id(&record, id);
    verified = sign_verify(&record); /* almost always refused */
    assert(verified == 0 || verified == RECORD_E_SIGNATURE);
    check_certificate(&record);
    check_member(&record);
    check_service(&record);
    check_function(&record);
    check_tombstone(&record);
    check_manifest(&record);
    check_accusation(&record);
    check_revocation(&record);
    check_hold(&record);
    check_charter(&record);
    check_evidence(&record);
    return 0;
}
