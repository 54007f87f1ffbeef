/*
 * gossip/wire/record.h: the binary header, byte by byte, and its refusals.
 */
#include "gossip/wire/record.h"

#include "tests/unit/support.h"

/* A small service record with every header field at its own value. */
static const uint8_t cluster[RECORD_CLUSTER_SIZE] = {
    0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7,
    0xc8, 0xc9, 0xca, 0xcb, 0xcc, 0xcd, 0xce, 0xcf};
static const uint8_t writer[RECORD_WRITER_SIZE] = {[0] = 0xa0, [31] = 0xaf};

static const struct record_fields fields = {
    .kind = RECORD_SERVICE,
    .flags = 0x0100,
    .cluster = cluster,
    .writer = writer,
    .serial = UINT64_C(0x1112131415161718),
    .order = {.epoch = UINT64_C(0x2122232425262728),
              .seq = UINT64_C(0x3132333435363738)},
    .hlc = UINT64_C(0x4142434445464748),
    .ttl_s = 0x51525354,
    .key = (const uint8_t *)"redis/a",
    .key_size = 7,
    .body = (const uint8_t *)"\x80",
    .body_size = 1,
};

#define SAMPLE_SIZE (RECORD_HEADER_SIZE + 7 + 1 + RECORD_SIGNATURE_SIZE)

static void build_sample(uint8_t bytes[SAMPLE_SIZE])
{
    assert_int_equal(record_build(&fields, bytes, SAMPLE_SIZE), SAMPLE_SIZE);
}

static void test_layout(void **state)
{
    static const uint8_t expected[] = {
        0x02, 0x04, 0x01, 0x00,                         /* to flags */
        0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, /* cluster */
        0xc8, 0xc9, 0xca, 0xcb, 0xcc, 0xcd, 0xce, 0xcf, /**/
        0xa0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, /* writer */
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, /**/
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, /**/
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xaf, /**/
        0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, /* serial */
        0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28, /* epoch */
        0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, /* seq */
        0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, /* hlc */
        0x51, 0x52, 0x53, 0x54,                         /* ttl */
        0x07, 0x00, 0x00, 0x01,                         /* sizes */
        'r',  'e',  'd',  'i',  's',  '/',  'a',  0x80, /* key, body */
    };
    uint8_t bytes[SAMPLE_SIZE];

    (void)state;
    build_sample(bytes);
    assert_int_equal(sizeof(expected), SAMPLE_SIZE - RECORD_SIGNATURE_SIZE);
    assert_memory_equal(bytes, expected, sizeof(expected));
    assert_true(
        sodium_is_zero(bytes + sizeof(expected), RECORD_SIGNATURE_SIZE) == 1);
}

static void test_parse(void **state)
{
    uint8_t bytes[SAMPLE_SIZE];
    struct record record;

    (void)state;
    build_sample(bytes);
    assert_int_equal(record_parse(bytes, sizeof(bytes), &record), 0);
    assert_ptr_equal(record.bytes, bytes);
    assert_int_equal(record.size, SAMPLE_SIZE);
    assert_int_equal(record.version, RECORD_VERSION);
    assert_int_equal(record.kind, fields.kind);
    assert_int_equal(record.flags, fields.flags);
    assert_memory_equal(record.cluster, cluster, sizeof(cluster));
    assert_memory_equal(record.writer, writer, sizeof(writer));
    assert_int_equal(record.serial, fields.serial);
    assert_int_equal(record.order.epoch, fields.order.epoch);
    assert_int_equal(record.order.seq, fields.order.seq);
    assert_int_equal(record.hlc, fields.hlc);
    assert_int_equal(record.ttl_s, fields.ttl_s);
    assert_int_equal(record.key_size, 7);
    assert_memory_equal(record.key, "redis/a", 7);
    assert_int_equal(record.body_size, 1);
    assert_int_equal(record.body[0], 0x80);
    assert_ptr_equal(record.signature, bytes + RECORD_HEADER_SIZE + 8);
}

static void test_parse_size(void **state)
{
    uint8_t bytes[SAMPLE_SIZE + 1];
    struct record record = {.size = 42};

    (void)state;
    memset(bytes, 0, sizeof(bytes));
    build_sample(bytes);
    /* Every other size than its own. */
    for (size_t size = 0; size <= sizeof(bytes); size++) {
        if (size != SAMPLE_SIZE) {
            assert_int_equal(record_parse(bytes, size, &record), RECORD_E_SIZE);
        }
    }
    /* Sizes inside that disagree. */
    bytes[88]++;
    assert_int_equal(record_parse(bytes, SAMPLE_SIZE, &record), RECORD_E_SIZE);
    bytes[88]--;
    bytes[90] = 0xff;
    assert_int_equal(record_parse(bytes, SAMPLE_SIZE, &record), RECORD_E_SIZE);
    assert_int_equal(record.size, 42); /* untouched */
}

static void test_parse_version(void **state)
{
    uint8_t bytes[SAMPLE_SIZE];
    struct record record;

    (void)state;
    build_sample(bytes);
    bytes[0] = 0;
    assert_int_equal(record_parse(bytes, sizeof(bytes), &record),
                     RECORD_E_VERSION);
    bytes[0] = 1; /* an older release's */
    assert_int_equal(record_parse(bytes, sizeof(bytes), &record),
                     RECORD_E_VERSION);
    bytes[0] = 3;
    bytes[88] = 200; /* another version may mean something else by this */
    assert_int_equal(record_parse(bytes, sizeof(bytes), &record),
                     RECORD_E_VERSION);
}

static void test_parse_reserved(void **state)
{
    uint8_t bytes[SAMPLE_SIZE];
    struct record record;

    (void)state;
    for (unsigned bit = 0; bit < 8; bit++) {
        build_sample(bytes);
        bytes[3] = (uint8_t)(1u << bit); /* critical flags */
        assert_int_equal(record_parse(bytes, sizeof(bytes), &record),
                         RECORD_E_RESERVED);
        build_sample(bytes);
        bytes[2] = (uint8_t)(1u << bit); /* optional flags */
        assert_int_equal(record_parse(bytes, sizeof(bytes), &record), 0);
        build_sample(bytes);
        bytes[89] = (uint8_t)(1u << bit);
        assert_int_equal(record_parse(bytes, sizeof(bytes), &record),
                         RECORD_E_RESERVED);
    }
    build_sample(bytes);
    bytes[1] = 0; /* kind */
    assert_int_equal(record_parse(bytes, sizeof(bytes), &record),
                     RECORD_E_RESERVED);
    build_sample(bytes);
    memset(bytes + 68, 0, 8); /* seq */
    assert_int_equal(record_parse(bytes, sizeof(bytes), &record),
                     RECORD_E_RESERVED);
}

static void test_parse_unknown_kind(void **state)
{
    uint8_t bytes[SAMPLE_SIZE];
    struct record record;

    (void)state;
    build_sample(bytes);
    bytes[1] = 255;
    assert_int_equal(record_parse(bytes, sizeof(bytes), &record), 0);
    assert_string_equal(record_kind_name(record.kind), "unknown");
}

static void test_peek_size(void **state)
{
    uint8_t bytes[SAMPLE_SIZE];
    size_t size = 42;

    (void)state;
    build_sample(bytes);
    for (size_t i = 0; i < RECORD_HEADER_SIZE; i++) {
        assert_int_equal(record_peek_size(bytes, i, &size), RECORD_E_SIZE);
    }
    assert_int_equal(size, 42);
    assert_int_equal(record_peek_size(bytes, RECORD_HEADER_SIZE, &size), 0);
    assert_int_equal(size, SAMPLE_SIZE);
    memset(bytes + 88, 0xff, 4);
    assert_int_equal(record_peek_size(bytes, RECORD_HEADER_SIZE, &size), 0);
    assert_int_equal(size, 92 + 255 + 65535 + 64); /* past the end: allowed */
}

static void test_build_refuses(void **state)
{
    static uint8_t body[70000];
    uint8_t bytes[LIMIT_RECORD_SIZE + 1];
    struct record_fields f = fields;

    (void)state;
    assert_int_equal(record_build(&f, bytes, SAMPLE_SIZE - 1), 0);
    assert_int_equal(record_build(&f, bytes, 0), 0);
    f.key_size = LIMIT_KEY_SIZE + 1;
    f.key = body;
    assert_int_equal(record_build(&f, bytes, sizeof(bytes)), 0);
    f = fields;
    f.body = body;
    f.body_size = 65536 + 1; /* would wrap its field */
    assert_int_equal(record_build(&f, bytes, sizeof(bytes)), 0);
}

static void test_order(void **state)
{
    const struct record_order low = {.epoch = 1, .seq = UINT64_MAX};
    const struct record_order high = {.epoch = 2, .seq = 1};
    const struct record_order higher = {.epoch = 2, .seq = 2};

    (void)state;
    assert_true(record_order_compare(low, high) < 0);
    assert_true(record_order_compare(high, low) > 0);
    assert_true(record_order_compare(high, higher) < 0);
    assert_true(record_order_compare(higher, high) > 0);
    assert_int_equal(record_order_compare(high, high), 0);
}

static void test_identity(void **state)
{
    uint8_t bytes[SAMPLE_SIZE];
    uint8_t id[RECORD_ID_SIZE];
    uint8_t other[RECORD_ID_SIZE];
    uint8_t expected[RECORD_ID_SIZE];
    struct record record;

    (void)state;
    build_sample(bytes);
    assert_int_equal(record_parse(bytes, sizeof(bytes), &record), 0);
    record_id(&record, id);
    assert_int_equal(
        crypto_generichash(expected, 32, bytes, SAMPLE_SIZE - 64, NULL, 0), 0);
    assert_memory_equal(id, expected, sizeof(id));
    bytes[SAMPLE_SIZE - 1] ^= 1; /* the signature is not part of it */
    record_id(&record, other);
    assert_memory_equal(id, other, sizeof(id));
    bytes[92] ^= 1; /* the key is */
    record_id(&record, other);
    assert_memory_not_equal(id, other, sizeof(id));
}

static void test_node_id(void **state)
{
    uint8_t hash[32];
    uint64_t id = 0;

    (void)state;
    assert_int_equal(crypto_generichash(hash, 32, writer, 32, NULL, 0), 0);
    for (size_t i = 0; i < 8; i++) {
        id = id << 8 | hash[i];
    }
    assert_true(record_node_id(writer) == id);
}

static void test_kind_names(void **state)
{
    (void)state;
    assert_string_equal(record_kind_name(RECORD_CERTIFICATE), "certificate");
    assert_string_equal(record_kind_name(RECORD_ACCUSATION), "accusation");
    assert_string_equal(record_kind_name(0), "unknown");
    assert_string_equal(record_kind_name(RECORD_CHARTER), "charter");
    assert_string_equal(record_kind_name(RECORD_EVIDENCE), "evidence");
    assert_string_equal(record_kind_name(RECORD_HOLD), "hold");
    assert_string_equal(record_kind_name(13), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_parse_size),
        cmocka_unit_test(test_parse_version),
        cmocka_unit_test(test_parse_reserved),
        cmocka_unit_test(test_parse_unknown_kind),
        cmocka_unit_test(test_peek_size),
        cmocka_unit_test(test_build_refuses),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_node_id),
        cmocka_unit_test(test_kind_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
