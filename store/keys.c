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

size_t keys_put_token(const struct store_token *token,
                      uint8_t ret_value[KEYS_TOKEN_MAX])
{
    struct writer writer = writer_init(ret_value, KEYS_TOKEN_MAX);

    writer_put(&writer, token->secret_hash, sizeof(token->secret_hash));
    writer_u64(&writer, token->expires_s);
    writer_u64(&writer, token->used_s);
    writer_put(&writer, token->used_by, sizeof(token->used_by));
    writer_u8(&writer, (uint8_t)token->n_functions);
    for (size_t i = 0; i < token->n_functions; i++) {
        size_t len =
            strnlen(token->functions[i], STORE_TOKEN_FUNCTION_SIZE - 1);

        writer_u8(&writer, (uint8_t)len);
        writer_put(&writer, token->functions[i], len);
    }
    return writer_size(&writer);
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
    reader_copy(&reader, token.used_by, sizeof(token.used_by));
    token.n_functions = reader_u8(&reader);
    if (token.n_functions > STORE_TOKEN_FUNCTIONS) {
        return -EBADMSG;
    }
    for (size_t i = 0; i < token.n_functions; i++) {
        size_t len = reader_u8(&reader);

        if (len >= STORE_TOKEN_FUNCTION_SIZE) {
            return -EBADMSG;
        }
        reader_copy(&reader, token.functions[i], len);
    }
    if (reader.failed || reader_left(&reader) != 0) {
        return -EBADMSG;
    }
    *ret = token;
    return 0;
}
