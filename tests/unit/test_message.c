/*
 * gossip/wire/message.h: every message there and back, and what is refused.
 */
#include "gossip/wire/message.h"

#include "gossip/base/limits.h"
#include "tests/unit/support.h"

#define CASE(literal)                                                          \
    {                                                                          \
        literal, sizeof(literal) - 1                                           \
    }

static struct message next(const struct writer *writer)
{
    struct reader reader = reader_init(writer->start, writer_size(writer));
    struct message message;

    assert_false(writer->failed);
    assert_int_equal(message_next(&reader, &message), 0);
    assert_int_equal(reader_left(&reader), 0);
    return message;
}

static void test_fixed(void **state)
{
    static const uint8_t ping[] = {1, 0, 10, 0xa1, 0xa2, 1, 2,
                                   3, 4, 5,  6,    7,    8};
    static const uint8_t nack[] = {3, 0, 2, 0xa1, 0xa2};
    static const uint8_t done[] = {10, 0, 0};
    uint8_t buffer[64];
    struct writer writer = writer_init(buffer, sizeof(buffer));
    struct message message;

    (void)state;
    message_put_ping(&writer, MESSAGE_PING, 0xa1a2,
                     UINT64_C(0x0102030405060708));
    assert_int_equal(writer_size(&writer), sizeof(ping));
    assert_memory_equal(buffer, ping, sizeof(ping));
    message = next(&writer);
    assert_int_equal(message.type, MESSAGE_PING);
    assert_int_equal(message.nonce, 0xa1a2);
    assert_true(message.fingerprint == UINT64_C(0x0102030405060708));

    writer = writer_init(buffer, sizeof(buffer));
    message_put_ping(&writer, MESSAGE_ACK, 7, 9);
    message = next(&writer);
    assert_int_equal(message.type, MESSAGE_ACK);
    assert_int_equal(message.nonce, 7);
    assert_true(message.fingerprint == 9);

    writer = writer_init(buffer, sizeof(buffer));
    message_put_nack(&writer, 0xa1a2);
    assert_int_equal(writer_size(&writer), sizeof(nack));
    assert_memory_equal(buffer, nack, sizeof(nack));
    message = next(&writer);
    assert_int_equal(message.type, MESSAGE_NACK);
    assert_int_equal(message.nonce, 0xa1a2);

    writer = writer_init(buffer, sizeof(buffer));
    message_put_ping_req(&writer, 5, UINT64_C(0xfedcba9876543210), 77);
    message = next(&writer);
    assert_int_equal(message.type, MESSAGE_PING_REQ);
    assert_int_equal(message.nonce, 5);
    assert_true(message.target_id == UINT64_C(0xfedcba9876543210));
    assert_true(message.challenge == 77);

    writer = writer_init(buffer, sizeof(buffer));
    message_put_done(&writer);
    assert_int_equal(writer_size(&writer), sizeof(done));
    assert_memory_equal(buffer, done, sizeof(done));
    message = next(&writer);
    assert_int_equal(message.type, MESSAGE_DONE);
}

/* What goes through a helper: the ping that it makes, and the answer that it
 * passes on. */
static void test_made_for_another(void **state)
{
    static const uint8_t ping[] = {1, 0, 26, 0xa1, 0xa2, 1, 2, 3, 4, 5,
                                   6, 7, 8,  0,    0,    0, 0, 0, 0, 0,
                                   9, 0, 0,  0,    0,    0, 0, 0, 10};
    static const uint8_t proof[PACKET_PROOF_SIZE] = {0xb1, 0xb2};
    uint8_t buffer[64];
    struct writer writer = writer_init(buffer, sizeof(buffer));
    struct message message;

    (void)state;
    message_put_ping_for(&writer, 0xa1a2, UINT64_C(0x0102030405060708), 9, 10);
    assert_int_equal(writer_size(&writer), sizeof(ping));
    assert_memory_equal(buffer, ping, sizeof(ping));
    message = next(&writer);
    assert_int_equal(message.type, MESSAGE_PING);
    assert_true(message.fingerprint == UINT64_C(0x0102030405060708));
    assert_true(message.has_asker);
    assert_true(message.asker_id == 9);
    assert_true(message.challenge == 10);

    writer = writer_init(buffer, sizeof(buffer));
    message_put_proof(&writer, 7, 8, proof);
    message = next(&writer);
    assert_int_equal(message.type, MESSAGE_ACK);
    assert_int_equal(message.nonce, 7);
    assert_true(message.fingerprint == 8);
    assert_memory_equal(message.proof, proof, sizeof(proof));

    writer = writer_init(buffer, sizeof(buffer));
    message_put_ping(&writer, MESSAGE_ACK, 7, 8);
    message = next(&writer);
    assert_null(message.proof);
    assert_false(message.has_asker);
}

static void test_record(void **state)
{
    static const uint8_t record[200] = {[0] = 1, [199] = 9};
    uint8_t buffer[256];
    struct writer writer = writer_init(buffer, sizeof(buffer));
    struct message message;

    (void)state;
    message_put_record(&writer, record, sizeof(record));
    assert_int_equal(buffer[0], MESSAGE_RECORD);
    message = next(&writer);
    assert_int_equal(message.size, sizeof(record));
    assert_memory_equal(message.bytes, record, sizeof(record));
}

static void test_hashes(void **state)
{
    static const uint64_t hashes[] = {1, UINT64_C(0x1122334455667788),
                                      UINT64_MAX};
    static const uint8_t types[] = {MESSAGE_IHAVE, MESSAGE_WANT};
    uint8_t buffer[64];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        for (size_t n = 0; n <= ARRAY_SIZE(hashes); n++) {
            struct writer writer = writer_init(buffer, sizeof(buffer));
            struct message message;

            message_put_hashes(&writer, types[i], hashes, n);
            message = next(&writer);
            assert_int_equal(message.type, types[i]);
            assert_int_equal(message.n_items, n);
            for (size_t k = 0; k < n; k++) {
                assert_true(message_hash_at(&message, k) == hashes[k]);
            }
        }
    }
}

static void test_heads(void **state)
{
    static const struct message_head heads[] = {
        {.first = 0, .last = UINT64_MAX, .n_records = 3, .fingerprint = 4},
        {.first = 5, .last = 6, .n_records = UINT32_MAX, .fingerprint = 8},
    };
    uint8_t buffer[64];
    struct writer writer = writer_init(buffer, sizeof(buffer));
    struct message message;

    (void)state;
    message_put_heads(&writer, heads, 2);
    assert_int_equal(writer_size(&writer), 3 + 2 * MESSAGE_HEADS_ITEM_SIZE);
    message = next(&writer);
    assert_int_equal(message.type, MESSAGE_HEADS);
    assert_int_equal(message.n_items, 2);
    for (size_t i = 0; i < 2; i++) {
        struct message_head head = message_head_at(&message, i);

        assert_true(head.first == heads[i].first);
        assert_true(head.last == heads[i].last);
        assert_int_equal(head.n_records, heads[i].n_records);
        assert_true(head.fingerprint == heads[i].fingerprint);
    }
}

static void test_have(void **state)
{
    static const uint64_t hashes[] = {11, 12};
    uint8_t buffer[64];
    struct writer writer = writer_init(buffer, sizeof(buffer));
    struct message message;

    (void)state;
    message_put_have(&writer, 1, 2, 3, 4, hashes, 2);
    assert_int_equal(writer_size(&writer), 3 + MESSAGE_HAVE_SIZE + 16);
    message = next(&writer);
    assert_int_equal(message.type, MESSAGE_HAVE);
    assert_true(message.first == 1 && message.last == 2);
    assert_true(message.lowest == 3 && message.highest == 4);
    assert_int_equal(message.n_items, 2);
    assert_true(message_hash_at(&message, 1) == 12);
    writer = writer_init(buffer, sizeof(buffer));
    message_put_have(&writer, 1, 2, 3, 4, NULL, 0);
    message = next(&writer);
    assert_int_equal(message.n_items, 0);
}

/* A packet holds several; each comes out in turn. */
static void test_sequence(void **state)
{
    uint8_t buffer[64];
    struct writer writer = writer_init(buffer, sizeof(buffer));
    struct reader reader;
    struct message message;

    (void)state;
    message_put_nack(&writer, 1);
    message_put_done(&writer);
    message_put_nack(&writer, 2);
    reader = reader_init(buffer, writer_size(&writer));
    assert_int_equal(message_next(&reader, &message), 0);
    assert_int_equal(message.nonce, 1);
    assert_int_equal(message_next(&reader, &message), 0);
    assert_int_equal(message.type, MESSAGE_DONE);
    assert_int_equal(message_next(&reader, &message), 0);
    assert_int_equal(message.nonce, 2);
    assert_int_equal(reader_left(&reader), 0);
}

static void test_optional(void **state)
{
    static const uint8_t bytes[] = {128, 0, 2, 7, 8, 255, 0, 0};
    struct reader reader = reader_init(bytes, sizeof(bytes));
    struct message message;

    (void)state;
    assert_int_equal(message_next(&reader, &message), 0);
    assert_int_equal(message.type, 128);
    assert_int_equal(message.size, 2);
    assert_int_equal(message.bytes[1], 8);
    assert_int_equal(message_next(&reader, &message), 0);
    assert_int_equal(message.type, 255);
    assert_int_equal(message.size, 0);
}

static void test_unknown(void **state)
{
    (void)state;
    for (unsigned type = 0; type < 256; type++) {
        uint8_t bytes[] = {(uint8_t)type, 0, 0};
        struct reader reader = reader_init(bytes, sizeof(bytes));
        struct message message = {.type = 99};
        int result = message_next(&reader, &message);

        if (type == 0 || (type > MESSAGE_DONE && type < MESSAGE_OPTIONAL)) {
            assert_int_equal(result, MESSAGE_E_UNKNOWN);
            assert_int_equal(message.type, 99); /* untouched */
        } else {
            assert_int_not_equal(result, MESSAGE_E_UNKNOWN);
        }
    }
}

/* Every size of every type up to one past what any of them takes here. */
static void test_sizes(void **state)
{
    static uint8_t bytes[3 + 300];

    (void)state;
    for (uint8_t type = MESSAGE_PING; type <= MESSAGE_DONE; type++) {
        for (size_t size = 0; size <= 300; size++) {
            struct reader reader = reader_init(bytes, 3 + size);
            struct message message;
            bool fits = false;

            bytes[0] = type;
            bytes[1] = (uint8_t)(size >> 8);
            bytes[2] = (uint8_t)size;
            switch ((enum message_type)type) {
            case MESSAGE_PING:
            case MESSAGE_ACK:
                fits = size == 10 || size == 26;
                break;
            case MESSAGE_PING_REQ:
                fits = size == 18;
                break;
            case MESSAGE_NACK:
                fits = size == 2;
                break;
            case MESSAGE_RECORD:
                fits = size >= 156;
                break;
            case MESSAGE_IHAVE:
            case MESSAGE_WANT:
                fits = size % 8 == 0;
                break;
            case MESSAGE_HEADS:
                fits = size % 28 == 0;
                break;
            case MESSAGE_HAVE:
                fits = size >= 32 && size % 8 == 0;
                break;
            case MESSAGE_DONE:
                fits = size == 0;
                break;
            }
            assert_int_equal(message_next(&reader, &message),
                             fits ? 0 : MESSAGE_E_SIZE);
        }
    }
}

static void test_truncated(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
    } cases[] = {CASE("\x03"), CASE("\x03\x00"), CASE("\x03\x00\x02"),
                 CASE("\x03\x00\x02\x01"), CASE("\xff\xff\xff\x01")};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct reader reader = reader_init(cases[i].bytes, cases[i].size);
        struct message message;

        assert_int_equal(message_next(&reader, &message), MESSAGE_E_SIZE);
    }
}

/* A message that does not fit leaves nothing of itself behind. */
static void test_no_room(void **state)
{
    static const uint64_t hashes[9000];
    static uint8_t buffer[80000];
    struct writer writer = writer_init(buffer, 12);

    (void)state;
    message_put_nack(&writer, 1);
    assert_int_equal(writer_size(&writer), 5);
    message_put_ping(&writer, MESSAGE_PING, 1, 2);
    assert_true(writer.failed);
    assert_int_equal(writer_size(&writer), 5);
    message_put_done(&writer); /* stays failed, though this would fit */
    assert_int_equal(writer_size(&writer), 5);

    /* More than its size field can say. */
    writer = writer_init(buffer, sizeof(buffer));
    message_put_hashes(&writer, MESSAGE_IHAVE, hashes, 8192);
    assert_true(writer.failed);
    assert_int_equal(writer_size(&writer), 0);
    writer = writer_init(buffer, sizeof(buffer));
    message_put_hashes(&writer, MESSAGE_IHAVE, hashes, 8191);
    assert_false(writer.failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fixed),
        cmocka_unit_test(test_made_for_another),
        cmocka_unit_test(test_record),
        cmocka_unit_test(test_hashes),
        cmocka_unit_test(test_heads),
        cmocka_unit_test(test_have),
        cmocka_unit_test(test_sequence),
        cmocka_unit_test(test_optional),
        cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_no_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
