/*
 * Encoding of LMDB keys and fixed values; see keys.h.  Used by store.c and
 * schema.c only.
 */
#include "store/keys.h"

#include <errno.h>
#include <string.h>

#include <sodium.h>

#include "gossip/base/cursor.h"
#include "gossip/wire/body.h"

#define KEYS_HASH_SIZE 16

void keys_make(const uint8_t writer[RECORD_WRITER_SIZE], uint8_t kind,
               const uint8_t *key, size_t key_size,
               uint8_t ret_key[KEYS_RECORD_SIZE])
{
    memcpy(ret_key, writer, RECORD_WRITER_SIZE);
    ret_key[RECORD_WRITER_SIZE] = kind;
    /* Fails only for sizes out of its range, and ours is constant. */
    (void)crypto_generichash(ret_key + RECORD_WRITER_SIZE + 1, KEYS_HASH_SIZE,
                             key, key_size, NULL, 0);
}

int keys_of_record(const struct record *record,
                   uint8_t ret_key[KEYS_RECORD_SIZE])
{
    uint8_t kind = record->kind;

    if (kind == RECORD_TOMBSTONE) {
        struct body_tombstone body;

        if (body_get_tombstone(record, &body) != 0) {
            return -EINVAL;
        }
        kind = body.kind;
    }
    keys_make(record->writer, kind, record->key, record->key_size, ret_key);
    return 0;
}

void keys_put_head(struct record_order order, uint8_t ret_value[KEYS_HEAD_SIZE])
{
    struct writer writer = writer_init(ret_value, KEYS_HEAD_SIZE);

    writer_u64(&writer, order.epoch);
    writer_u64(&writer, order.seq);
}

int keys_get_head(const void *value, size_t size, struct record_order *ret)
{
    struct reader reader = reader_init(value, size);
    struct record_order order;

    order.epoch = reader_u64(&reader);
    order.seq = reader_u64(&reader);
    if (reader.failed || reader_left(&reader) != 0) {
        return -EBADMSG;
    }
    *ret = order;
    return 0;
}

/* A text of at most `max` bytes behind its length. */
static void put_text(struct writer *writer, const char *text, size_t max)
{
    size_t len = strnlen(text, max);

    writer_u8(writer, (uint8_t)len);
    writer_put(writer, text, len);
}

static void get_text(struct reader *reader, char *ret, size_t max)
{
    size_t len = reader_u8(reader);

    if (len > max) {
        reader->failed = true;
        return;
    }
    reader_copy(reader, ret, len);
}

static bool has_room(const struct store_token *token)
{
    return token->n_mesh <= LIMIT_CERT_ADDRESSES &&
           token->n_subnets <= LIMIT_CERT_SUBNETS &&
           token->n_functions <= STORE_TOKEN_FUNCTIONS;
}

/* Addresses and prefixes in their packed form (address.h) behind its size;
 * what has no family has none, and fails the writer. */
static void put_address(struct writer *writer, const struct address *address)
{
    uint8_t bytes[16];
    size_t size = address_pack(address, bytes);

    writer->failed = writer->failed || size == 0;
    writer_u8(writer, (uint8_t)size);
    writer_put(writer, bytes, size);
}

static void put_prefix(struct writer *writer, const struct prefix *prefix)
{
    uint8_t bytes[17];
    struct prefix same;
    size_t size = prefix_pack(prefix, bytes);

    writer->failed = writer->failed || prefix_unpack(bytes, size, &same) != 0;
    writer_u8(writer, (uint8_t)size);
    writer_put(writer, bytes, size);
}

size_t keys_put_token(const struct store_token *token,
                      uint8_t ret_value[KEYS_TOKEN_MAX])
{
    struct writer writer = writer_init(ret_value, KEYS_TOKEN_MAX);

    if (!has_room(token)) {
        return 0;
    }
    writer_put(&writer, token->secret_hash, sizeof(token->secret_hash));
    writer_u64(&writer, token->expires_s);
    writer_u64(&writer, token->used_s);
    writer_u64(&writer, token->revoked_s);
    writer_put(&writer, token->used_by, sizeof(token->used_by));
    put_text(&writer, token->name, LIMIT_NAME_LEN);
    writer_u8(&writer, (uint8_t)token->n_mesh);
    for (size_t i = 0; i < token->n_mesh; i++) {
        put_address(&writer, &token->mesh[i]);
    }
    writer_u8(&writer, (uint8_t)token->n_subnets);
    for (size_t i = 0; i < token->n_subnets; i++) {
        put_prefix(&writer, &token->subnets[i]);
    }
    writer_u8(&writer, (uint8_t)token->n_functions);
    for (size_t i = 0; i < token->n_functions; i++) {
        put_text(&writer, token->functions[i], STORE_TOKEN_FUNCTION_SIZE - 1);
    }
    return writer.failed ? 0 : writer_size(&writer);
}

static void get_address(struct reader *reader, struct address *ret)
{
    size_t size = reader_u8(reader);
    const uint8_t *bytes = reader_take(reader, size);

    if (bytes == NULL || address_unpack(bytes, size, ret) != 0) {
        reader->failed = true;
    }
}

static void get_prefix(struct reader *reader, struct prefix *ret)
{
    size_t size = reader_u8(reader);
    const uint8_t *bytes = reader_take(reader, size);

    if (bytes == NULL || prefix_unpack(bytes, size, ret) != 0) {
        reader->failed = true;
    }
}

int keys_get_token(const uint8_t id[STORE_TOKEN_ID_SIZE], const void *value,
                   size_t size, struct store_token *ret)
{
    struct reader reader = reader_init(value, size);
    struct store_token token = {0};

    memcpy(token.id, id, sizeof(token.id));
    reader_copy(&reader, token.secret_hash, sizeof(token.secret_hash));
    token.expires_s = reader_u64(&reader);
    token.used_s = reader_u64(&reader);
    token.revoked_s = reader_u64(&reader);
    reader_copy(&reader, token.used_by, sizeof(token.used_by));
    get_text(&reader, token.name, LIMIT_NAME_LEN);
    token.n_mesh = reader_u8(&reader);
    for (size_t i = 0; i < token.n_mesh && has_room(&token); i++) {
        get_address(&reader, &token.mesh[i]);
    }
    token.n_subnets = reader_u8(&reader);
    for (size_t i = 0; i < token.n_subnets && has_room(&token); i++) {
        get_prefix(&reader, &token.subnets[i]);
    }
    token.n_functions = reader_u8(&reader);
    for (size_t i = 0; i < token.n_functions && has_room(&token); i++) {
        get_text(&reader, token.functions[i], STORE_TOKEN_FUNCTION_SIZE - 1);
    }
    if (reader.failed || reader_left(&reader) != 0 || !has_room(&token)) {
        return -EBADMSG;
    }
    *ret = token;
    return 0;
}
