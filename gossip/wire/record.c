/*
 * The binary header of a record: parsing, layout, order, identity.  See
 * record.h; body.h reads what is inside, sign.h checks who wrote it.
 */
#include "gossip/wire/record.h"

#include <string.h>

#include <sodium.h>

#include "gossip/base/cursor.h"

#define RECORD_KEY_SIZE_OFFSET 88

size_t record_size_max(uint8_t kind)
{
    switch (kind) {
    case RECORD_MANIFEST:
    case RECORD_EVIDENCE:
        return LIMIT_MANIFEST_SIZE;
    case RECORD_CERTIFICATE:
        return LIMIT_CERTIFICATE_SIZE;
    default:
        return LIMIT_RECORD_SIZE;
    }
}

/* Reads the fixed header; the caller checked that it is there. */
static void read_header(struct reader *reader, struct record *record,
                        uint8_t *ret_reserved)
{
    record->version = reader_u8(reader);
    record->kind = reader_u8(reader);
    record->flags = reader_u16(reader);
    record->cluster = reader_take(reader, RECORD_CLUSTER_SIZE);
    record->writer = reader_take(reader, RECORD_WRITER_SIZE);
    record->serial = reader_u64(reader);
    record->order.epoch = reader_u64(reader);
    record->order.seq = reader_u64(reader);
    record->hlc = reader_u64(reader);
    record->ttl_s = reader_u32(reader);
    record->key_size = reader_u8(reader);
    *ret_reserved = reader_u8(reader);
    record->body_size = reader_u16(reader);
}

int record_parse(const uint8_t *bytes, size_t size, struct record *ret)
{
    struct record record = {.bytes = bytes, .size = size};
    struct reader reader = reader_init(bytes, size);
    uint8_t reserved;

    if (size < RECORD_HEADER_SIZE + RECORD_SIGNATURE_SIZE) {
        return RECORD_E_SIZE;
    }
    read_header(&reader, &record, &reserved);
    /* Version first: another version may lay out its sizes differently. */
    if (record.version != RECORD_VERSION) {
        return RECORD_E_VERSION;
    }
    if (record.key_size > LIMIT_KEY_SIZE ||
        size > record_size_max(record.kind)) {
        return RECORD_E_SIZE;
    }
    record.key = reader_take(&reader, record.key_size);
    record.body = reader_take(&reader, record.body_size);
    record.signature = reader_take(&reader, RECORD_SIGNATURE_SIZE);
    if (reader.failed || reader_left(&reader) > 0) {
        return RECORD_E_SIZE;
    }
    if (record.kind == 0 || (record.flags & RECORD_FLAGS_CRITICAL) != 0 ||
        reserved != 0 || record.order.seq == 0) {
        return RECORD_E_RESERVED;
    }
    *ret = record;
    return 0;
}

int record_peek_size(const uint8_t *bytes, size_t size, size_t *ret_size)
{
    struct reader reader = reader_init(bytes, size);
    size_t key_size;
    size_t body_size;

    (void)reader_take(&reader, RECORD_KEY_SIZE_OFFSET); /* `failed` tells */
    key_size = reader_u8(&reader);
    (void)reader_u8(&reader); /* reserved */
    body_size = reader_u16(&reader);
    if (reader.failed) {
        return RECORD_E_SIZE;
    }
    *ret_size =
        RECORD_HEADER_SIZE + key_size + body_size + RECORD_SIGNATURE_SIZE;
    return 0;
}

size_t record_build(const struct record_fields *fields, uint8_t *buffer,
                    size_t buffer_size)
{
    struct writer writer = writer_init(buffer, buffer_size);
    uint8_t *signature;

    if (fields->key_size > LIMIT_KEY_SIZE || fields->body_size > UINT16_MAX) {
        return 0;
    }
    writer_u8(&writer, RECORD_VERSION);
    writer_u8(&writer, fields->kind);
    writer_u16(&writer, fields->flags);
    writer_put(&writer, fields->cluster, RECORD_CLUSTER_SIZE);
    writer_put(&writer, fields->writer, RECORD_WRITER_SIZE);
    writer_u64(&writer, fields->serial);
    writer_u64(&writer, fields->order.epoch);
    writer_u64(&writer, fields->order.seq);
    writer_u64(&writer, fields->hlc);
    writer_u32(&writer, fields->ttl_s);
    writer_u8(&writer, (uint8_t)fields->key_size);
    writer_u8(&writer, 0);
    writer_u16(&writer, (uint16_t)fields->body_size);
    writer_put(&writer, fields->key, fields->key_size);
    writer_put(&writer, fields->body, fields->body_size);
    signature = writer_reserve(&writer, RECORD_SIGNATURE_SIZE);
    if (signature == NULL ||
        writer_size(&writer) > record_size_max(fields->kind)) {
        return 0;
    }
    memset(signature, 0, RECORD_SIGNATURE_SIZE);
    return writer_size(&writer);
}

int record_order_compare(struct record_order a, struct record_order b)
{
    if (a.epoch != b.epoch) {
        return a.epoch < b.epoch ? -1 : 1;
    }
    if (a.seq != b.seq) {
        return a.seq < b.seq ? -1 : 1;
    }
    return 0;
}

void record_id(const struct record *record, uint8_t ret_id[RECORD_ID_SIZE])
{
    /* Cannot fail: the sizes are constants within BLAKE2b's range. */
    (void)crypto_generichash(ret_id, RECORD_ID_SIZE, record->bytes,
                             record->size - RECORD_SIGNATURE_SIZE, NULL, 0);
}

uint64_t record_node_id(const uint8_t writer[RECORD_WRITER_SIZE])
{
    uint8_t hash[32];
    struct reader reader = reader_init(hash, RECORD_NODE_ID_SIZE);

    /* Cannot fail, as above. */
    (void)crypto_generichash(hash, sizeof(hash), writer, RECORD_WRITER_SIZE,
                             NULL, 0);
    return reader_u64(&reader);
}

const char *record_kind_name(uint8_t kind)
{
    static const char *const names[] = {
        [RECORD_CERTIFICATE] = "certificate",
        [RECORD_REVOCATION] = "revocation",
        [RECORD_MEMBER] = "member",
        [RECORD_SERVICE] = "service",
        [RECORD_FUNCTION] = "function",
        [RECORD_INTENT] = "intent",
        [RECORD_TOMBSTONE] = "tombstone",
        [RECORD_MANIFEST] = "manifest",
        [RECORD_ACCUSATION] = "accusation",
        [RECORD_CHARTER] = "charter",
        [RECORD_EVIDENCE] = "evidence",
        [RECORD_HOLD] = "hold",
    };

    if (kind >= ARRAY_SIZE(names) || names[kind] == NULL) {
        return "unknown";
    }
    return names[kind];
}
