/*
 * gossip/wire/evidence.h: what two contradicting records prove, and what
 * proves nothing.
 */
#include "gossip/wire/evidence.h"

#include <errno.h>
#include <stdlib.h>

#include "gossip/base/limits.h"
#include "gossip/base/pack.h"
#include "tests/unit/support.h"

static const uint8_t cluster[RECORD_CLUSTER_SIZE] = {0xc1, 0xc2};
static struct support_keys keys;

struct half {
    uint8_t bytes[LIMIT_MANIFEST_SIZE];
    size_t size;
    struct record record;
};

/* Fields but key and body are as given, or those of every half. */
static void make(struct half *half, uint8_t kind, char text, size_t body_size,
                 struct record_order order, uint64_t serial)
{
    static uint8_t body[LIMIT_MANIFEST_SIZE];
    struct record_fields fields = {.kind = kind,
                                   .cluster = cluster,
                                   .writer = keys.sign_public,
                                   .serial = serial,
                                   .order = order,
                                   .hlc = 7,
                                   .key = (const uint8_t *)&text,
                                   .key_size = 1,
                                   .body = body,
                                   .body_size = body_size};

    half->size = record_build(&fields, half->bytes, sizeof(half->bytes));
    assert_int_not_equal(half->size, 0);
    assert_int_equal(sign_record(half->bytes, half->size, keys.sign_secret), 0);
    assert_int_equal(record_parse(half->bytes, half->size, &half->record), 0);
}

static const struct record_order one = {5, 6};

static struct half a, b, c;

static int setup(void **state)
{
    (void)state;
    keys = support_keys_make(1);
    make(&a, RECORD_SERVICE, 'a', 10, one, 3);
    make(&b, RECORD_SERVICE, 'b', 20, one, 3);
    make(&c, RECORD_MEMBER, 'c', 30, one, 3);
    return 0;
}

static struct record build(const struct half *first, const struct half *second,
                           uint8_t **bytes, size_t *size)
{
    struct record record = {.size = 0};

    assert_int_equal(evidence_new(&first->record, &second->record, bytes, size),
                     0);
    assert_int_equal(record_parse(*bytes, *size, &record), 0);
    return record;
}

static void test_two_records(void **state)
{
    uint8_t *bytes, *again;
    size_t size, size_again;
    struct record first, second;
    struct record record = build(&a, &b, &bytes, &size);

    (void)state;
    assert_int_equal(record.kind, RECORD_EVIDENCE);
    assert_memory_equal(record.writer, keys.sign_public, 32);
    assert_int_equal(record.serial, 3);
    assert_int_equal(record_order_compare(record.order, one), 0);
    assert_int_equal(evidence_get(&record, &first, &second), 0);
    assert_true((first.size == a.size && second.size == b.size) ||
                (first.size == b.size && second.size == a.size));
    assert_int_equal(sign_verify(&record), 0);
    /* The same whoever came first. */
    (void)build(&b, &a, &again, &size_again);
    assert_int_equal(size_again, size);
    assert_memory_equal(again, bytes, size);
    free(bytes);
    free(again);
}

static void test_what_proves_nothing(void **state)
{
    struct half other;
    uint8_t *bytes;
    size_t size;
    struct record record;

    (void)state;
    assert_int_equal(evidence_new(&a.record, &a.record, &bytes, &size),
                     EVIDENCE_E_NONE);
    make(&other, RECORD_SERVICE, 'b', 20, (struct record_order){5, 7}, 3);
    assert_int_equal(evidence_new(&a.record, &other.record, &bytes, &size),
                     EVIDENCE_E_NONE);
    make(&other, RECORD_SERVICE, 'b', 20, (struct record_order){6, 6}, 3);
    assert_int_equal(evidence_new(&a.record, &other.record, &bytes, &size),
                     EVIDENCE_E_NONE);
    make(&other, RECORD_SERVICE, 'b', 20, one, 4);
    assert_int_equal(evidence_new(&a.record, &other.record, &bytes, &size),
                     EVIDENCE_E_NONE);
    keys = support_keys_make(2);
    make(&other, RECORD_SERVICE, 'b', 20, one, 3);
    keys = support_keys_make(1);
    assert_int_equal(evidence_new(&a.record, &other.record, &bytes, &size),
                     EVIDENCE_E_NONE);
    /* Evidence is no half of evidence. */
    record = build(&a, &b, &bytes, &size);
    {
        uint8_t *more;
        size_t more_size;

        assert_int_equal(evidence_new(&record, &c.record, &more, &more_size),
                         EVIDENCE_E_NONE);
    }
    free(bytes);
}

/* A half may be long, not both. */
static void test_length(void **state)
{
    struct half longer, longest;
    uint8_t *bytes;
    size_t size;
    struct record record;

    (void)state;
    make(&longer, RECORD_MANIFEST, 'a', 15000, one, 3);
    record = build(&longer, &b, &bytes, &size);
    assert_true(record.size > 15000);
    assert_int_equal(sign_verify(&record), 0);
    free(bytes);
    make(&longest, RECORD_MANIFEST, 'b', 15000, one, 3);
    assert_int_equal(
        evidence_new(&longer.record, &longest.record, &bytes, &size),
        EVIDENCE_E_NONE);
}

/* As a stranger would make it: `first` and `second` whatever they are. */
static int forge(struct record_fields fields, const struct half *first,
                 const struct half *second)
{
    static uint8_t body[LIMIT_MANIFEST_SIZE];
    static uint8_t bytes[LIMIT_MANIFEST_SIZE];
    struct record record, halves[2];
    struct pack pack;
    size_t size;

    fields.kind = fields.kind == 0 ? RECORD_EVIDENCE : fields.kind;
    fields.cluster = cluster;
    fields.writer = fields.writer == NULL ? keys.sign_public : fields.writer;
    fields.serial = fields.serial == 0 ? 3 : fields.serial;
    fields.order = fields.order.seq == 0 ? one : fields.order;
    pack_begin(&pack, body, sizeof(body));
    pack_map(&pack, 2);
    pack_key_bin(&pack, 1, first->bytes, first->size);
    pack_key_bin(&pack, 2, second->bytes, second->size);
    assert_int_equal(pack_end(&pack, &fields.body_size), 0);
    fields.body = body;
    size = record_build(&fields, bytes, sizeof(bytes));
    assert_int_equal(record_parse(bytes, size, &record), 0);
    return evidence_get(&record, &halves[0], &halves[1]) != 0
               ? RECORD_E_BODY
               : sign_verify(&record);
}

static void test_forged(void **state)
{
    struct support_keys stranger = support_keys_make(9);
    const struct record_fields right = {.kind = 0};
    struct record_fields wrong = {.kind = 0};
    uint8_t *bytes;
    size_t size;
    struct record record, first, second;
    struct half low, high;

    (void)state;
    record = build(&a, &b, &bytes, &size);
    assert_int_equal(evidence_get(&record, &first, &second), 0);
    low = first.size == a.size ? a : b;
    high = first.size == a.size ? b : a;
    free(bytes);
    assert_int_equal(forge(right, &low, &high), 0);
    assert_int_equal(forge(right, &high, &low), RECORD_E_BODY);
    assert_int_equal(forge(right, &low, &low), RECORD_E_BODY);
    wrong.writer = stranger.sign_public;
    assert_int_equal(forge(wrong, &low, &high), RECORD_E_BODY);
    wrong = (struct record_fields){.serial = 4};
    assert_int_equal(forge(wrong, &low, &high), RECORD_E_BODY);
    wrong = (struct record_fields){.order = {5, 7}};
    assert_int_equal(forge(wrong, &low, &high), RECORD_E_BODY);
    wrong = (struct record_fields){.hlc = 1};
    assert_int_equal(forge(wrong, &low, &high), RECORD_E_BODY);
    wrong = (struct record_fields){.ttl_s = 1};
    assert_int_equal(forge(wrong, &low, &high), RECORD_E_BODY);
    wrong = (struct record_fields){.key = (const uint8_t *)"k", .key_size = 1};
    assert_int_equal(forge(wrong, &low, &high), RECORD_E_BODY);
    wrong = (struct record_fields){.kind = RECORD_SERVICE};
    assert_int_equal(forge(wrong, &low, &high), RECORD_E_BODY);
    /* Halves that the writer did not sign. */
    low.bytes[low.size - 1] ^= 1;
    assert_int_equal(forge(right, &low, &high), RECORD_E_SIGNATURE);
    low.bytes[low.size - 1] ^= 1;
    high.bytes[high.size - 1] ^= 1;
    assert_int_equal(forge(right, &low, &high), RECORD_E_SIGNATURE);
    high.size--;
    assert_int_equal(forge(right, &low, &high), RECORD_E_BODY);
}

/* One half's body changed, the signature that of the whole: not its ids. */
static void test_own_signature(void **state)
{
    uint8_t *bytes;
    size_t size;
    struct record record, first, second;

    (void)state;
    record = build(&a, &b, &bytes, &size);
    bytes[size - 1] = 1; /* there is one evidence of the two, not many */
    assert_int_equal(evidence_get(&record, &first, &second), RECORD_E_BODY);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_records),
        cmocka_unit_test(test_what_proves_nothing),
        cmocka_unit_test(test_length),
        cmocka_unit_test(test_forged),
        cmocka_unit_test(test_own_signature),
    };

    if (sodium_init() < 0) {
        return 1;
    }
    return cmocka_run_group_tests(tests, setup, NULL);
}
