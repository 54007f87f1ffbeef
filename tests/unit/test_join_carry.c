/*
 * What a node offers goes over to its next key, and nothing else does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "agent/join/join_carry.h"
#include "gossip/wire/evidence.h"
#include "store/store.h"
#include "tests/unit/records.h"
#include "tests/unit/scratch.h"

#define EPOCH (UINT64_C(9) << 32)

struct fixture {
    struct scratch scratch;
    struct store *store;
    struct test_writer old;
    struct test_writer other;
    struct identity next;
};

static void put(struct store *store, const uint8_t *bytes, size_t size)
{
    struct store_batch *batch = NULL;

    assert_int_equal(store_batch_begin(store, &batch), 0);
    assert_int_equal(store_put_record(batch, bytes, size), 0);
    assert_int_equal(store_batch_commit(batch), 0);
}

static void put_service(const struct fixture *fixture,
                        const struct test_writer *writer, uint64_t seq,
                        const char *name)
{
    struct test_record record;

    test_record_service(writer, EPOCH, seq, name, &record);
    put(fixture->store, record.bytes, record.size);
}

/* The next keys, with a certificate of serial 77. */
static void make_next(struct fixture *fixture)
{
    struct identity *next = &fixture->next;
    struct body_certificate body = {
        .name = "host2",
        .mesh = {{.address = {4, {100, 104, 70, 2}}, .port = 7720}},
        .n_mesh = 1,
        .roles = BODY_ROLE_MEMBER,
        .not_after_s = 1800000000,
        .generation = 1,
        .serial = 77,
    };
    uint8_t packed[LIMIT_RECORD_SIZE];
    struct test_record record;
    size_t size = 0;

    identity_generate_keys(next);
    memcpy(body.sign_public, next->sign_public, 32);
    memcpy(body.exchange_public, next->exchange_public, 32);
    assert_int_equal(body_put_certificate(&body, packed, sizeof(packed), &size),
                     0);
    test_record_make(&fixture->other, RECORD_CERTIFICATE, EPOCH, 50,
                     next->sign_public, 32, packed, size, &record);
    memcpy(next->certificate, record.bytes, record.size);
    next->certificate_size = record.size;
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    fixture->scratch = scratch_make();
    fixture->old = test_writer_make(1);
    fixture->other = test_writer_make(2);
    assert_int_equal(store_open(scratch_path(&fixture->scratch, "db"),
                                fixture->old.cluster, &fixture->store),
                     0);
    make_next(fixture);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    store_close(fixture->store);
    identity_wipe(&fixture->next);
    scratch_remove(&fixture->scratch);
    free(fixture);
    return 0;
}

struct found {
    const struct fixture *fixture;
    char names[256];
    size_t n;
    size_t n_all;
};

/* Services of the next key, by their names; each as it has to be. */
static int find(const uint8_t *bytes, size_t size, void *data)
{
    struct found *found = data;
    struct body_service service;
    struct record record;

    assert_int_equal(record_parse(bytes, size, &record), 0);
    found->n_all++;
    if (memcmp(record.writer, found->fixture->next.sign_public, 32) != 0) {
        return 0;
    }
    assert_int_equal(record.kind, RECORD_SERVICE);
    assert_int_equal(sign_verify(&record), 0);
    assert_int_equal(record.serial, 77);
    assert_int_equal(record.order.epoch >> 32, 1);
    assert_int_equal(body_get_service(&record, &service), 0);
    assert_int_equal(service.port, 6379);
    strcat(found->names, service.function);
    strcat(found->names, " ");
    found->n++;
    return 0;
}

static struct found look(const struct fixture *fixture)
{
    struct found found = {.fixture = fixture};

    assert_int_equal(store_records_each(fixture->store, find, &found), 0);
    return found;
}

static void services_go_over(void **state)
{
    struct fixture *fixture = *state;
    struct test_record tombstone;
    struct found found;
    size_t n = 0;

    put_service(fixture, &fixture->old, 1, "redis");
    put_service(fixture, &fixture->old, 2, "web");
    put_service(fixture, &fixture->old, 3, "gone");
    test_record_tombstone(&fixture->old, EPOCH, 4, "gone", &tombstone);
    put(fixture->store, tombstone.bytes, tombstone.size);
    put_service(fixture, &fixture->other, 5, "foreign");
    assert_int_equal(
        join_carry(fixture->store, fixture->old.public, &fixture->next, &n), 0);
    found = look(fixture);
    assert_int_equal(n, 2);
    assert_int_equal(found.n, 2);
    assert_non_null(strstr(found.names, "redis "));
    assert_non_null(strstr(found.names, "web "));
    assert_int_equal(found.n_all, 6); /* what was there, still is */
    /* Run again, as after a crash: the same two. */
    assert_int_equal(
        join_carry(fixture->store, fixture->old.public, &fixture->next, &n), 0);
    assert_int_equal(look(fixture).n, 2);
}

/* One of two that contradict each other may be a thief's. */
static void doubtful_ones_do_not(void **state)
{
    struct fixture *fixture = *state;
    struct test_record a;
    struct test_record b;
    struct record first;
    struct record second;
    uint8_t *evidence = NULL;
    size_t size = 0;
    size_t n = 0;

    put_service(fixture, &fixture->old, 1, "redis");
    test_record_service(&fixture->old, EPOCH, 7, "evil", &a);
    test_record_service(&fixture->old, EPOCH, 7, "worse", &b);
    put(fixture->store, a.bytes, a.size);
    assert_int_equal(record_parse(a.bytes, a.size, &first), 0);
    assert_int_equal(record_parse(b.bytes, b.size, &second), 0);
    assert_int_equal(evidence_new(&first, &second, &evidence, &size), 0);
    put(fixture->store, evidence, size);
    free(evidence);
    assert_int_equal(
        join_carry(fixture->store, fixture->old.public, &fixture->next, &n), 0);
    assert_int_equal(n, 1);
    assert_string_equal(look(fixture).names, "redis ");
}

static void nothing_is_offered(void **state)
{
    struct fixture *fixture = *state;
    size_t n = 7;

    assert_int_equal(
        join_carry(fixture->store, fixture->old.public, &fixture->next, &n), 0);
    assert_int_equal(n, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(services_go_over),
        TEST(doubtful_ones_do_not),
        TEST(nothing_is_offered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
