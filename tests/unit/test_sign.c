/*
 * gossip/wire/sign.h: what is signed, and that nothing else verifies.
 */
#include "gossip/wire/sign.h"

#include <errno.h>
#include <stdio.h>

#include "tests/unit/support.h"

static struct record make_record(const struct support_keys *keys, uint8_t kind,
                                 uint8_t *buffer)
{
    struct record record;

    support_record(keys, kind, "redis/a", 7, (const uint8_t *)"\x80", 1, buffer,
                   LIMIT_RECORD_SIZE, &record);
    return record;
}

static void test_self_test(void **state)
{
    (void)state;
    assert_int_equal(sign_self_test(), 0);
}

/* The signature is plain Ed25519 over the documented bytes. */
static void test_domain(void **state)
{
    struct support_keys keys = support_keys_make(1);
    uint8_t buffer[LIMIT_RECORD_SIZE];

    (void)state;
    for (unsigned kind = 1; kind <= 255; kind += 63) {
        struct record record = make_record(&keys, (uint8_t)kind, buffer);
        uint8_t input[LIMIT_RECORD_SIZE + 32];
        uint8_t signature[64];
        int len = snprintf((char *)input, 32, "socketnet/v1/%u", kind);
        size_t size = (size_t)len + 1;

        memcpy(input + size, buffer, record.size - 64);
        size += record.size - 64;
        assert_int_equal(crypto_sign_detached(signature, NULL, input, size,
                                              keys.sign_secret),
                         0);
        assert_memory_equal(signature, record.signature, 64);
        assert_int_equal(sign_verify(&record), 0);
    }
}

/* Every single bit of the record matters, the signature's own included. */
static void test_flipped_bits(void **state)
{
    struct support_keys keys = support_keys_make(1);
    uint8_t buffer[LIMIT_RECORD_SIZE];
    struct record record = make_record(&keys, RECORD_SERVICE, buffer);

    (void)state;
    for (size_t i = 0; i < record.size; i++) {
        struct record changed = record;

        buffer[i] ^= (uint8_t)(1u << (i % 8));
        changed.kind = buffer[1];
        assert_int_equal(sign_verify(&changed), RECORD_E_SIGNATURE);
        buffer[i] ^= (uint8_t)(1u << (i % 8));
    }
    assert_int_equal(sign_verify(&record), 0);
}

/* The same bytes read as another kind do not verify. */
static void test_kind_separated(void **state)
{
    struct support_keys keys = support_keys_make(1);
    uint8_t buffer[LIMIT_RECORD_SIZE];
    struct record record = make_record(&keys, RECORD_SERVICE, buffer);

    (void)state;
    record.kind = RECORD_MEMBER;
    assert_int_equal(sign_verify(&record), RECORD_E_SIGNATURE);
}

static void test_sign_refuses(void **state)
{
    struct support_keys keys = support_keys_make(1);
    struct support_keys other = support_keys_make(2);
    uint8_t buffer[LIMIT_RECORD_SIZE];
    struct record record = make_record(&keys, RECORD_SERVICE, buffer);
    uint8_t before[64];

    (void)state;
    memcpy(before, record.signature, sizeof(before));
    assert_int_equal(sign_record(buffer, record.size, other.sign_secret),
                     -EINVAL);
    assert_int_equal(sign_record(buffer, record.size - 1, keys.sign_secret),
                     -EINVAL);
    assert_int_equal(sign_record(buffer, 0, keys.sign_secret), -EINVAL);
    assert_memory_equal(before, record.signature, sizeof(before));
}

/* A record whose writer is a small-order point verifies for nobody. */
static void test_small_order_writer(void **state)
{
    struct support_keys keys = support_keys_make(1);
    uint8_t buffer[LIMIT_RECORD_SIZE];
    struct record record = make_record(&keys, RECORD_SERVICE, buffer);

    (void)state;
    memset(buffer + 20, 0, 32); /* writer: y = 0, of order 4 */
    memset(buffer + record.size - 64, 0, 64);
    assert_int_equal(sign_verify(&record), RECORD_E_SIGNATURE);
    buffer[20] = 1;               /* the neutral element */
    buffer[record.size - 64] = 1; /* R too, S = 0: the equation holds */
    assert_int_equal(sign_verify(&record), RECORD_E_SIGNATURE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_self_test),
        cmocka_unit_test(test_domain),
        cmocka_unit_test(test_flipped_bits),
        cmocka_unit_test(test_kind_separated),
        cmocka_unit_test(test_sign_refuses),
        cmocka_unit_test(test_small_order_writer),
    };

    if (sodium_init() < 0) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
