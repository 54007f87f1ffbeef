/*
 * gossip/wire/body.h: the charter: its fields, its signatures, and what may
 * follow what.
 */
#include <errno.h>

#include "gossip/base/unpack.h"
#include "tests/unit/body_samples.h"
#include "tests/unit/support.h"

/* That of support.h's records. */
static const uint8_t cluster[RECORD_CLUSTER_SIZE] = {0xc1, 0xc2};
static struct support_keys roots[LIMIT_GENESIS_ROOTS + 1];

static int unpack(const struct body_charter *charter)
{
    uint8_t body[2 * LIMIT_RECORD_SIZE];
    struct body_charter got;
    size_t size;

    assert_int_equal(body_put_charter(charter, body, sizeof(body), &size), 0);
    return body_unpack_charter(body, size, &got);
}

/* A record with the right key, written by roots[writer]. */
static void put(const struct body_charter *charter, size_t writer,
                uint8_t buffer[LIMIT_RECORD_SIZE], struct record *ret)
{
    uint8_t body[LIMIT_RECORD_SIZE];
    uint8_t hash[BODY_CHARTER_HASH_SIZE];
    uint8_t key[BODY_CHARTER_KEY_SIZE];
    size_t size;

    assert_int_equal(body_put_charter(charter, body, sizeof(body), &size), 0);
    body_hash_charter(charter, body, size, hash);
    body_key_charter(charter, hash, key);
    support_record(&roots[writer], RECORD_CHARTER, key, sizeof(key), body, size,
                   buffer, LIMIT_RECORD_SIZE, ret);
}

static void test_fields(void **state)
{
    struct body_charter charter = sample_charter(&roots[0]);
    uint8_t buffer[LIMIT_RECORD_SIZE];
    struct body_charter got;
    struct record record;

    (void)state;
    put(&charter, 0, buffer, &record);
    assert_int_equal(body_get_charter(&record, &got), 0);
    assert_int_equal(got.generation, 1);
    assert_int_equal(got.n_roots, 1);
    assert_memory_equal(got.roots[0], roots[0].sign_public, 32);
    assert_int_equal(got.threshold, 1);
    assert_int_equal(got.n_containers, 2);
    assert_int_equal(got.containers[1].len, 48);
    assert_int_equal(got.n_mesh, 2);
    assert_int_equal(got.mesh[0].address.bytes[1], 104);
    assert_int_equal(got.n_services, 2);
    assert_int_equal(got.services[0].len, 12);
    assert_int_equal(got.n_shared, 1);
    assert_int_equal(got.shared[0].address.bytes[2], 9);
    assert_int_equal(got.n_signatures, 1);
    assert_memory_equal(&got.signatures[0], &charter.signatures[0], 96);
}

/* Laid out by hand: generation 1, one root, and a signature made here. */
static void test_layout(void **state)
{
    static const uint8_t head[] = {0x89, 0x01, 0x01, 0x02, 0xc4, 32};
    uint8_t input[LIMIT_RECORD_SIZE] = "socketnet/v1/charter";
    struct body_charter charter = sample_charter(&roots[0]);
    uint8_t body[LIMIT_RECORD_SIZE];
    uint8_t hash[BODY_CHARTER_HASH_SIZE];
    uint8_t expected[BODY_CHARTER_HASH_SIZE];
    size_t signed_size;
    size_t size;

    (void)state;
    assert_int_equal(body_put_charter(&charter, body, sizeof(body), &size), 0);
    assert_memory_equal(body, head, sizeof(head));
    signed_size = size - 103;
    assert_memory_equal(body + signed_size, "\x09\x91\x92\xc4\x20", 5);
    assert_memory_equal(body + signed_size + 37, "\xc4\x40", 2);
    memcpy(input + 21, cluster, 16);
    memcpy(input + 37, body, signed_size);
    assert_int_equal(crypto_sign_verify_detached(body + size - 64, input,
                                                 37 + signed_size,
                                                 roots[0].sign_public),
                     0);
    body_hash_charter(&charter, body, size, hash);
    assert_int_equal(
        crypto_generichash(expected, 32, body, signed_size, NULL, 0), 0);
    assert_memory_equal(hash, expected, 32);
}

static void test_services_usable(void **state)
{
    static const struct {
        struct prefix ranges[2];
        size_t n;
        bool is_usable;
    } cases[] = {
        {{{{4, {10}}, 8}}, 1, true},
        {{{{4, {10}}, 24}}, 1, true},
        {{{{4, {10}}, 7}}, 1, false},
        {{{{4, {10}}, 25}}, 1, false},
        {{{{6, {0xfd}}, 64}}, 1, false}, /* IPv4 is first */
        {{{{4, {10}}, 12}, {{6, {0xfd}}, 32}}, 2, true},
        {{{{4, {10}}, 12}, {{6, {0xfd}}, 112}}, 2, true},
        {{{{4, {10}}, 12}, {{6, {0xfd}}, 31}}, 2, false},
        {{{{4, {10}}, 12}, {{6, {0xfd}}, 113}}, 2, false},
        {{{{4, {10}}, 12}, {{4, {11}}, 12}}, 2, false},
        {{{{4, {10}}, 12}}, 0, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_int_equal(
            body_charter_services_usable(cases[i].ranges, cases[i].n),
            cases[i].is_usable);
    }
}

static void test_ranges(void **state)
{
    struct body_charter c;

    (void)state;
#define ASSERT_FIELD(field, value, expected)                                   \
    do {                                                                       \
        c = sample_charter(&roots[0]);                                         \
        c.field = (value);                                                     \
        assert_int_equal(unpack(&c), (expected));                              \
    } while (0)
    ASSERT_FIELD(generation, 1, 0);
    ASSERT_FIELD(generation, UINT32_MAX, 0);
    ASSERT_FIELD(generation, 0, RECORD_E_BODY);
    ASSERT_FIELD(n_roots, 0, RECORD_E_BODY);
    ASSERT_FIELD(threshold, 0, RECORD_E_BODY);
    ASSERT_FIELD(threshold, 2, RECORD_E_BODY); /* of one root */
    ASSERT_FIELD(n_containers, 0, RECORD_E_BODY);
    ASSERT_FIELD(n_mesh, 0, RECORD_E_BODY);
    ASSERT_FIELD(n_services, 0, RECORD_E_BODY);
    ASSERT_FIELD(n_services, 1, 0);
    ASSERT_FIELD(n_shared, 0, 0);
    ASSERT_FIELD(n_signatures, 0, RECORD_E_BODY);
    ASSERT_FIELD(containers[0].len, 33, RECORD_E_BODY);
    ASSERT_FIELD(containers[0].address.bytes[3], 1, RECORD_E_BODY);
    /* The mesh inside the containers, and the other way round. */
    ASSERT_FIELD(mesh[0], ((struct prefix){{4, {10, 0, 5}}, 24}),
                 RECORD_E_BODY);
    ASSERT_FIELD(mesh[0], ((struct prefix){{4, {10}}, 8}), RECORD_E_BODY);
    /* The services inside either. */
    ASSERT_FIELD(services[0], ((struct prefix){{4, {10, 0, 5}}, 24}),
                 RECORD_E_BODY);
    ASSERT_FIELD(services[0], ((struct prefix){{4, {100, 104, 1}}, 24}),
                 RECORD_E_BODY);
    /* Two of one family. */
    ASSERT_FIELD(services[1], ((struct prefix){{4, {172, 16}}, 16}),
                 RECORD_E_BODY);
    /* Shared: a whole container range is in it, one beside it is not. */
    ASSERT_FIELD(shared[0], ((struct prefix){{4, {10, 0}}, 16}), 0);
    ASSERT_FIELD(shared[0], ((struct prefix){{4, {10}}, 8}), RECORD_E_BODY);
    ASSERT_FIELD(shared[0], ((struct prefix){{4, {10, 1}}, 24}), RECORD_E_BODY);
#undef ASSERT_FIELD
    c = sample_charter(&roots[0]);
    c.n_roots = 2; /* the same root twice */
    memcpy(c.roots[1], c.roots[0], 32);
    assert_int_equal(unpack(&c), RECORD_E_BODY);
    memcpy(c.roots[1], roots[1].sign_public, 32);
    assert_int_equal(unpack(&c), 0);
    c.threshold = 2;
    assert_int_equal(unpack(&c), 0);
    c.threshold = 3;
    assert_int_equal(unpack(&c), RECORD_E_BODY);
    c = sample_charter(&roots[0]);
    c.signatures[1] = c.signatures[0]; /* one root's signature twice */
    c.n_signatures = 2;
    assert_int_equal(unpack(&c), RECORD_E_BODY);
}

/* A charter with `n` entries in the array of `key`, of which the first roots
 * sign nothing: only the shape counts here. */
static struct body_charter with_entries(unsigned key, size_t n)
{
    struct body_charter c = sample_charter(&roots[0]);

    c.n_containers = key == 5 ? n : 1;
    c.n_mesh = key == 6 ? n : 1;
    c.n_services = key == 7 ? n : 1;
    c.n_shared = key == 8 ? n : 0;
    c.n_roots = key == 3 ? n : 1;
    c.n_signatures = key == 9 ? n : 1;
    for (size_t i = 0; i < LIMIT_CHARTER_RANGES; i++) {
        c.containers[i] = (struct prefix){{4, {10, (uint8_t)i}}, 16};
        c.mesh[i] = (struct prefix){{4, {100, (uint8_t)i}}, 16};
    }
    c.services[0] = (struct prefix){{4, {172, 16}}, 16};
    for (size_t i = 0; i < LIMIT_CHARTER_SHARED; i++) {
        c.shared[i] = (struct prefix){{4, {10, 0, (uint8_t)i}}, 24};
    }
    for (size_t i = 0; i < LIMIT_GENESIS_ROOTS; i++) {
        memcpy(c.roots[i], roots[i].sign_public, 32);
        memcpy(c.signatures[i].root, roots[i].sign_public, 32);
    }
    return c;
}

/* Makes the array of `key` one entry longer, by another of its kind. */
static size_t lengthen(uint8_t *body, size_t size, unsigned key, size_t n,
                       size_t entry_size, size_t root_at)
{
    const uint8_t pair[2] = {(uint8_t)key, (uint8_t)(0x90 | n)};
    uint8_t *entry = body;

    while (memcmp(entry, pair, 2) != 0) {
        entry++;
    }
    entry[1]++;
    entry += 2;
    memmove(entry + entry_size, entry, size - (size_t)(entry - body));
    if (root_at != 0) {
        memcpy(entry + root_at, roots[LIMIT_GENESIS_ROOTS].sign_public, 32);
    }
    return size + entry_size;
}

/* LIMIT_CHARTER_RANGES, LIMIT_CHARTER_SERVICES, LIMIT_CHARTER_SHARED and the
 * roots: as many as may be, and one more. */
static void test_limits(void **state)
{
    static const struct {
        unsigned key;
        size_t max;
        size_t entry_size;
        size_t root_at; /* in the entry; 0: none */
    } cases[] = {
        {5, LIMIT_CHARTER_RANGES, 7, 0},   {6, LIMIT_CHARTER_RANGES, 7, 0},
        {7, LIMIT_CHARTER_SERVICES, 7, 0}, {8, LIMIT_CHARTER_SHARED, 7, 0},
        {3, LIMIT_GENESIS_ROOTS, 34, 2},   {9, LIMIT_GENESIS_ROOTS, 101, 3},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct body_charter charter = with_entries(cases[i].key, cases[i].max);
        uint8_t body[2 * LIMIT_RECORD_SIZE];
        struct body_charter got;
        size_t size;

        assert_int_equal(body_put_charter(&charter, body, sizeof(body), &size),
                         0);
        assert_int_equal(body_unpack_charter(body, size, &got), 0);
        size = lengthen(body, size, cases[i].key, cases[i].max,
                        cases[i].entry_size, cases[i].root_at);
        assert_int_equal(unpack_validate(body, size, LIMIT_MSGPACK_ELEMENTS),
                         0);
        assert_int_equal(body_unpack_charter(body, size, &got), RECORD_E_BODY);
    }
}

/* The record key is generation and hash. */
static void test_record_key(void **state)
{
    struct body_charter charter = sample_charter(&roots[0]);
    uint8_t buffer[LIMIT_RECORD_SIZE];
    uint8_t key[BODY_CHARTER_KEY_SIZE];
    uint8_t again[LIMIT_RECORD_SIZE];
    struct body_charter got;
    struct record record;
    struct record other;

    (void)state;
    put(&charter, 0, buffer, &record);
    memcpy(key, record.key, sizeof(key));
    for (size_t i = 0; i < sizeof(key); i++) {
        key[i] ^= 1;
        support_record_unsigned(&roots[0], RECORD_CHARTER, key, sizeof(key),
                                record.body, record.body_size, again,
                                sizeof(again), &other);
        assert_int_equal(body_get_charter(&other, &got), RECORD_E_BODY);
        key[i] ^= 1;
    }
    support_record_unsigned(&roots[0], RECORD_CHARTER, key, 4, record.body,
                            record.body_size, again, sizeof(again), &other);
    assert_int_equal(body_get_charter(&other, &got), RECORD_E_BODY);
}

/* The signatures stand last; a key of a later release stands before them. */
static void test_signatures_last(void **state)
{
    struct body_charter charter = sample_charter(&roots[0]);
    uint8_t body[LIMIT_RECORD_SIZE];
    struct body_charter got;
    size_t size;

    (void)state;
    assert_int_equal(body_put_charter(&charter, body, sizeof(body), &size), 0);
    body[0]++;
    memcpy(body + size, "\x0a\x01", 2);
    assert_int_equal(body_unpack_charter(body, size + 2, &got), RECORD_E_BODY);
    memmove(body + 3, body + 1, size - 1);
    memcpy(body + 1, "\x0a\x01", 2);
    assert_int_equal(body_unpack_charter(body, size + 2, &got), 0);
}

static struct body_charter_parent genesis_of(size_t n, uint8_t threshold)
{
    struct body_charter_parent parent = {.n_roots = n, .threshold = threshold};

    for (size_t i = 0; i < n; i++) {
        memcpy(parent.roots[i], roots[i].sign_public, 32);
    }
    return parent;
}

static struct body_charter unsigned_sample(void)
{
    struct body_charter charter = sample_charter(&roots[0]);

    charter.n_signatures = 0;
    return charter;
}

static void sign_by(struct body_charter *charter, size_t root)
{
    assert_int_equal(
        body_sign_charter(cluster, roots[root].sign_secret, charter), 0);
}

/* Verifies it as written by roots[writer]. */
static int verify(const struct body_charter *charter, size_t writer,
                  const struct body_charter_parent *parent)
{
    uint8_t buffer[LIMIT_RECORD_SIZE];
    struct body_charter got;
    struct record record;

    put(charter, writer, buffer, &record);
    return body_verify_charter(&record, parent, &got);
}

static void test_threshold(void **state)
{
    struct body_charter_parent parent = genesis_of(3, 2);
    struct body_charter charter = unsigned_sample();

    (void)state;
    sign_by(&charter, 0);
    assert_int_equal(verify(&charter, 0, &parent), RECORD_E_SIGNATURE);
    assert_int_equal(body_sign_charter(cluster, roots[0].sign_secret, &charter),
                     -EEXIST);
    sign_by(&charter, 3); /* a stranger */
    assert_int_equal(verify(&charter, 0, &parent), RECORD_E_SIGNATURE);
    sign_by(&charter, 2);
    assert_int_equal(verify(&charter, 0, &parent), 0);
    assert_int_equal(verify(&charter, 2, &parent), 0);
    /* The envelope is for a root that signed to write. */
    assert_int_equal(verify(&charter, 1, &parent), RECORD_E_SIGNATURE);
    assert_int_equal(verify(&charter, 3, &parent), RECORD_E_SIGNATURE);
    charter.signatures[2].signature[5] ^= 1;
    assert_int_equal(verify(&charter, 0, &parent), RECORD_E_SIGNATURE);
    charter.signatures[2].signature[5] ^= 1;
    charter.mesh[0].address.bytes[1]++; /* not what was signed */
    assert_int_equal(verify(&charter, 0, &parent), RECORD_E_SIGNATURE);
}

/* Signed for another cluster. */
static void test_other_cluster(void **state)
{
    static const uint8_t other[RECORD_CLUSTER_SIZE] = {0xc1, 0xc3};
    struct body_charter_parent parent = genesis_of(1, 1);
    struct body_charter charter = unsigned_sample();

    (void)state;
    assert_int_equal(body_sign_charter(other, roots[0].sign_secret, &charter),
                     0);
    assert_int_equal(verify(&charter, 0, &parent), RECORD_E_SIGNATURE);
}

/* Roots rotate: the old one signs the new one in, and is out after it. */
static void test_succession(void **state)
{
    struct body_charter_parent parent = genesis_of(1, 1);
    struct body_charter first = unsigned_sample();
    struct body_charter second;
    struct body_charter third;
    uint8_t buffer[LIMIT_RECORD_SIZE];
    uint8_t hash[BODY_CHARTER_HASH_SIZE];
    struct record record;

    (void)state;
    sign_by(&first, 0);
    put(&first, 0, buffer, &record);
    assert_int_equal(body_verify_charter(&record, &parent, &first), 0);
    body_hash_charter(&first, record.body, record.body_size, hash);
    body_follow_charter(&first, hash, &parent);
    second = first;
    second.n_signatures = 0;
    second.generation = 2;
    memcpy(second.previous, hash, sizeof(hash));
    memcpy(second.roots[0], roots[1].sign_public, 32);
    third = second;
    sign_by(&second, 0);
    assert_int_equal(verify(&second, 0, &parent), 0);
    second.n_signatures = 0;
    sign_by(&second, 1); /* its own root is none yet */
    assert_int_equal(verify(&second, 1, &parent), RECORD_E_SIGNATURE);
    third.previous[0] ^= 1; /* of another first */
    sign_by(&third, 0);
    assert_int_equal(verify(&third, 0, &parent), RECORD_E_BODY);
    third.previous[0] ^= 1;
    third.n_signatures = 0;
    third.generation = 3; /* one left out */
    sign_by(&third, 0);
    assert_int_equal(verify(&third, 0, &parent), RECORD_E_BODY);
    assert_int_equal(verify(&first, 0, &parent), RECORD_E_BODY);
}

static void test_signatures_full(void **state)
{
    struct body_charter charter = unsigned_sample();

    (void)state;
    for (size_t i = 0; i < LIMIT_GENESIS_ROOTS; i++) {
        sign_by(&charter, i);
    }
    assert_int_equal(body_sign_charter(cluster,
                                       roots[LIMIT_GENESIS_ROOTS].sign_secret,
                                       &charter),
                     -ENOSPC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_services_usable),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_record_key),
        cmocka_unit_test(test_signatures_last),
        cmocka_unit_test(test_threshold),
        cmocka_unit_test(test_other_cluster),
        cmocka_unit_test(test_succession),
        cmocka_unit_test(test_signatures_full),
    };

    if (sodium_init() < 0) {
        return 1;
    }
    for (size_t i = 0; i < ARRAY_SIZE(roots); i++) {
        roots[i] = support_keys_make((uint8_t)(i + 1));
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
