/*
 * Signed records for tests of store and agent, made from a seeded key.
 */
#ifndef SOCKETNET_TESTS_RECORDS_H
#define SOCKETNET_TESTS_RECORDS_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <sodium.h>

#include "gossip/wire/body.h"
#include "gossip/wire/record.h"
#include "gossip/wire/sign.h"

struct test_writer {
    uint8_t public[32];
    uint8_t secret[64];
    uint8_t cluster[RECORD_CLUSTER_SIZE];
};

struct test_record {
    uint8_t bytes[LIMIT_MANIFEST_SIZE];
    size_t size;
};

static inline struct test_writer test_writer_make(uint8_t number)
{
    struct test_writer writer = {0};
    uint8_t seed[32] = {number, 1, 2, 3};

    (void)crypto_sign_seed_keypair(writer.public, writer.secret, seed);
    memset(writer.cluster, 0xc1, sizeof(writer.cluster));
    return writer;
}

static inline void test_record_make(const struct test_writer *writer,
                                    uint8_t kind, uint64_t epoch, uint64_t seq,
                                    const void *key, size_t key_size,
                                    const uint8_t *body, size_t body_size,
                                    struct test_record *ret)
{
    struct record_fields fields = {
        .kind = kind,
        .cluster = writer->cluster,
        .writer = writer->public,
        .serial = 1,
        .order = {.epoch = epoch, .seq = seq},
        .hlc = UINT64_C(1700000000000) << 16,
        .key = key,
        .key_size = key_size,
        .body = body,
        .body_size = body_size,
    };

    ret->size = record_build(&fields, ret->bytes, sizeof(ret->bytes));
    assert(ret->size > 0);
    assert(sign_record(ret->bytes, ret->size, writer->secret) == 0);
}

/* A service record; only its key matters to a store. */
static inline void test_record_service(const struct test_writer *writer,
                                       uint64_t epoch, uint64_t seq,
                                       const char *name,
                                       struct test_record *ret)
{
    struct body_service service = {
        .protocol = 6,
        .port = 6379,
        .address = {.family = 4, .bytes = {10, 0, 3, 203}},
        .weight = 100,
    };
    char key[130];
    uint8_t body[512];
    size_t size = 0;

    strncpy(service.function, name, sizeof(service.function) - 1);
    strcpy(service.instance, "a");
    strcpy(key, name);
    strcat(key, "/a");
    assert(body_put_service(&service, body, sizeof(body), &size) == 0);
    test_record_make(writer, RECORD_SERVICE, epoch, seq, key, strlen(key), body,
                     size, ret);
}

static inline void test_record_tombstone(const struct test_writer *writer,
                                         uint64_t epoch, uint64_t seq,
                                         const char *name,
                                         struct test_record *ret)
{
    struct body_tombstone tombstone = {.kind = RECORD_SERVICE};
    char key[130];
    uint8_t body[16];
    size_t size = 0;

    strcpy(key, name);
    strcat(key, "/a");
    assert(body_put_tombstone(&tombstone, body, sizeof(body), &size) == 0);
    test_record_make(writer, RECORD_TOMBSTONE, epoch, seq, key, strlen(key),
                     body, size, ret);
}

#endif
