/*
 * What several unit tests of the formats need: cmocka with its prerequisites,
 * fixed keys, and a signed record in one call.
 */
#ifndef SOCKETNET_TESTS_UNIT_SUPPORT_H
#define SOCKETNET_TESTS_UNIT_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "gossip/wire/record.h"
#include "gossip/wire/sign.h"

/* One node of a test: both key pairs, made from a seed of one repeated
 * byte, so never mistaken for real keys. */
struct support_keys {
    uint8_t sign_public[SIGN_PUBLIC_SIZE];
    uint8_t sign_secret[SIGN_SECRET_SIZE];
    uint8_t exchange_public[32];
    uint8_t exchange_secret[32];
};

static inline struct support_keys support_keys_make(uint8_t byte)
{
    struct support_keys keys;
    uint8_t seed[32];

    memset(seed, byte, sizeof(seed));
    assert_int_equal(
        crypto_sign_seed_keypair(keys.sign_public, keys.sign_secret, seed), 0);
    memset(keys.exchange_secret, byte, sizeof(keys.exchange_secret));
    assert_int_equal(crypto_scalarmult_curve25519_base(keys.exchange_public,
                                                       keys.exchange_secret),
                     0);
    return keys;
}

#define SUPPORT_EPOCH ((UINT64_C(7) << 32) | UINT64_C(0x01020304))

/* An unsigned record of `kind` with this key and body, epoch SUPPORT_EPOCH,
 * seq 5.  Parsed into *ret, which borrows from `buffer`. */
static inline void support_record_unsigned(const struct support_keys *keys,
                                           uint8_t kind, const void *key,
                                           size_t key_size, const uint8_t *body,
                                           size_t body_size, uint8_t *buffer,
                                           size_t buffer_size,
                                           struct record *ret)
{
    static const uint8_t cluster[RECORD_CLUSTER_SIZE] = {0xc1, 0xc2};
    struct record_fields fields = {
        .kind = kind,
        .cluster = cluster,
        .writer = keys->sign_public,
        .serial = 1,
        .order = {.epoch = SUPPORT_EPOCH, .seq = 5},
        .hlc = UINT64_C(1700000000000) << 16,
        .key = key,
        .key_size = key_size,
        .body = body,
        .body_size = body_size,
    };
    size_t size = record_build(&fields, buffer, buffer_size);

    assert_int_not_equal(size, 0);
    assert_int_equal(record_parse(buffer, size, ret), 0);
}

/* The same, signed. */
static inline void support_record(const struct support_keys *keys, uint8_t kind,
                                  const void *key, size_t key_size,
                                  const uint8_t *body, size_t body_size,
                                  uint8_t *buffer, size_t buffer_size,
                                  struct record *ret)
{
    support_record_unsigned(keys, kind, key, key_size, body, body_size, buffer,
                            buffer_size, ret);
    assert_int_equal(sign_record(buffer, ret->size, keys->sign_secret), 0);
}

#endif
