/*
 * How keys and fixed values look inside LMDB, all in this one module, so that
 * no other file knows a byte of it (after knot's journal_basic.h).  The same
 * in words: docs/STORE.md.  All integers are big-endian.
 *
 *   records   writer (32), kind (1), BLAKE2b-128 of the record key (16)
 *             -> the record's bytes.  A tombstone has the key of the record
 *             that it ends, and so takes its place.
 *   heads     writer (32) -> epoch (8), seq (8)
 *   settings  name -> value
 *   tokens    token id (8) -> see keys_put_token
 *   meta      "schema" -> u32; "cluster" -> 16 bytes
 */
#ifndef SOCKETNET_STORE_KEYS_H
#define SOCKETNET_STORE_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/base/macros.h"
#include "gossip/wire/record.h"
#include "store/store.h"

#define KEYS_RECORD_SIZE (RECORD_WRITER_SIZE + 1 + 16)
#define KEYS_HEAD_SIZE   16
/* hash, expires, used, revoked, used by; then by length: name, and by number
 * mesh addresses, subnets and functions, each by its length */
#define KEYS_TOKEN_MAX                                                         \
    (32 + 8 + 8 + 8 + 32 + 1 + LIMIT_NAME_LEN + 1 +                            \
     LIMIT_CERT_ADDRESSES * 17 + 1 + LIMIT_CERT_SUBNETS * 18 + 1 +             \
     STORE_TOKEN_FUNCTIONS * STORE_TOKEN_FUNCTION_SIZE)

#define KEYS_META_SCHEMA  "schema"
#define KEYS_META_CLUSTER "cluster"

/* The place of (writer, kind, key). */
void keys_make(const uint8_t writer[RECORD_WRITER_SIZE], uint8_t kind,
               const uint8_t *key, size_t key_size,
               uint8_t ret_key[KEYS_RECORD_SIZE]);
/* The place of a record.  0, or -EINVAL for a tombstone whose body names no
 * kind. */
_must_check_ int keys_of_record(const struct record *record,
                                uint8_t ret_key[KEYS_RECORD_SIZE]);

void keys_put_head(struct record_order order,
                   uint8_t ret_value[KEYS_HEAD_SIZE]);
/* 0, or -EBADMSG when the value is not one of ours. */
_must_check_ int keys_get_head(const void *value, size_t size,
                               struct record_order *ret);

/* Returns the size written, 0 for what store_put_token refuses. */
size_t keys_put_token(const struct store_token *token,
                      uint8_t ret_value[KEYS_TOKEN_MAX]);
/* 0, or -EBADMSG. */
_must_check_ int keys_get_token(const uint8_t id[STORE_TOKEN_ID_SIZE],
                                const void *value, size_t size,
                                struct store_token *ret);

#endif
