/*
 * Two records that cannot both be honest.  See evidence.h.
 */
#include "gossip/wire/evidence.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "gossip/base/pack.h"
#include "gossip/base/unpack.h"
#include "gossip/wire/body_internal.h"

/* Whether both are of one writer under one order and serial. */
static bool are_of_one(const struct record *a, const struct record *b)
{
    return memcmp(a->cluster, b->cluster, RECORD_CLUSTER_SIZE) == 0 &&
           memcmp(a->writer, b->writer, RECORD_WRITER_SIZE) == 0 &&
           a->serial == b->serial &&
           record_order_compare(a->order, b->order) == 0;
}

/* <0, 0, >0 as the ids. */
static int compare_ids(const struct record *a, const struct record *b)
{
    uint8_t id_a[RECORD_ID_SIZE];
    uint8_t id_b[RECORD_ID_SIZE];

    record_id(a, id_a);
    record_id(b, id_b);
    return memcmp(id_a, id_b, sizeof(id_a));
}

static bool read_half(struct unpack *unpack, unsigned key, struct record *ret)
{
    size_t size;
    const uint8_t *bytes = unpack_key_slice(unpack, key, &size);

    return bytes != NULL && record_parse(bytes, size, ret) == 0 &&
           ret->kind != RECORD_EVIDENCE;
}

int evidence_get(const struct record *record, struct record *ret_first,
                 struct record *ret_second)
{
    struct record first = {.size = 0};
    struct record second = {.size = 0};
    struct unpack unpack;

    body_open(record, RECORD_EVIDENCE, &unpack);
    unpack_require(&unpack, record->key_size == 0 && record->flags == 0 &&
                                record->hlc == 0 && record->ttl_s == 0 &&
                                sodium_is_zero(record->signature,
                                               RECORD_SIGNATURE_SIZE) == 1);
    unpack_require(&unpack, read_half(&unpack, 1, &first) &&
                                read_half(&unpack, 2, &second) &&
                                are_of_one(record, &first) &&
                                are_of_one(record, &second) &&
                                compare_ids(&first, &second) < 0);
    if (body_close(&unpack) != 0) {
        return RECORD_E_BODY;
    }
    *ret_first = first;
    *ret_second = second;
    return 0;
}

/* Lays it out, the body in memory of the caller's.  0 or EVIDENCE_E_NONE. */
static int build(const struct record *first, const struct record *second,
                 uint8_t body[LIMIT_MANIFEST_SIZE],
                 uint8_t bytes[LIMIT_MANIFEST_SIZE], size_t *ret_size)
{
    struct record_fields fields = {.kind = RECORD_EVIDENCE,
                                   .cluster = first->cluster,
                                   .writer = first->writer,
                                   .serial = first->serial,
                                   .order = first->order,
                                   .body = body};
    struct pack pack;

    pack_begin(&pack, body, LIMIT_MANIFEST_SIZE);
    pack_map(&pack, 2);
    pack_key_bin(&pack, 1, first->bytes, first->size);
    pack_key_bin(&pack, 2, second->bytes, second->size);
    if (pack_end(&pack, &fields.body_size) != 0) {
        return EVIDENCE_E_NONE;
    }
    *ret_size = record_build(&fields, bytes, LIMIT_MANIFEST_SIZE);
    return *ret_size == 0 ? EVIDENCE_E_NONE : 0;
}

int evidence_new(const struct record *a, const struct record *b, uint8_t **ret,
                 size_t *ret_size)
{
    int order = compare_ids(a, b);
    uint8_t *bytes;
    uint8_t *body;
    int error;

    if (order == 0 || !are_of_one(a, b) || a->kind == RECORD_EVIDENCE ||
        b->kind == RECORD_EVIDENCE) {
        return EVIDENCE_E_NONE;
    }
    bytes = malloc(LIMIT_MANIFEST_SIZE);
    body = malloc(LIMIT_MANIFEST_SIZE);
    error = bytes == NULL || body == NULL
                ? -ENOMEM
                : build(order < 0 ? a : b, order < 0 ? b : a, body, bytes,
                        ret_size);
    free(body);
    if (error != 0) {
        free(bytes);
        return error;
    }
    *ret = bytes;
    return 0;
}
