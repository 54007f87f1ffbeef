/*
 * gossip/wire/packet.h: header and tag byte by byte, hello, replay window.
 */
#include "gossip/wire/packet.h"

#include <errno.h>

#include "tests/unit/support.h"

static const uint8_t cluster[RECORD_CLUSTER_SIZE] = {0xc1, 0xc2};
static struct support_keys keys_a;
static struct support_keys keys_b;
static struct packet_keys a_to_b; /* as A holds them */
static struct packet_keys b_to_a; /* as B holds them */

static struct packet_context context_a_to_b(void)
{
    return (struct packet_context){
        .cluster = cluster,
        .source = keys_a.sign_public,
        .destination = keys_b.sign_public,
    };
}

static size_t build(const void *payload, size_t payload_size,
                    uint8_t buffer[LIMIT_DATAGRAM_SIZE])
{
    struct packet_context context = context_a_to_b();
    struct packet_header header = {
        .type = PACKET_MESSAGES,
        .source_boot = 0x01020304,
        .destination_boot = 0x11121314,
        .source_id = UINT64_C(0x2122232425262728),
        .counter = UINT64_C(0x313233343536),
        .payload = payload,
        .payload_size = payload_size,
    };

    return packet_build(&header, &context, &a_to_b, buffer);
}

static void test_keys(void **state)
{
    struct packet_keys keys = a_to_b;
    bool is_lower =
        memcmp(keys_a.exchange_public, keys_b.exchange_public, 32) < 0;
    uint8_t input[96];
    uint8_t pair[64];

    (void)state;
    assert_memory_equal(a_to_b.send, b_to_a.receive, 32);
    assert_memory_equal(a_to_b.receive, b_to_a.send, 32);
    assert_memory_not_equal(a_to_b.send, a_to_b.receive, 32);
    /* As the head of packet.h says. */
    assert_int_equal(crypto_scalarmult_curve25519(input, keys_b.exchange_secret,
                                                  keys_a.exchange_public),
                     0);
    memcpy(input + 32,
           is_lower ? keys_a.exchange_public : keys_b.exchange_public, 32);
    memcpy(input + 64,
           is_lower ? keys_b.exchange_public : keys_a.exchange_public, 32);
    assert_int_equal(crypto_generichash(pair, 64, input, 96,
                                        (const uint8_t *)"socketnet/v1/pair",
                                        17),
                     0);
    assert_memory_equal(a_to_b.send, is_lower ? pair : pair + 32, 32);
    packet_keys_wipe(&keys);
    assert_int_equal(sodium_is_zero((const uint8_t *)&keys, sizeof(keys)), 1);
}

static void test_keys_refused(void **state)
{
    static const uint8_t zero[32];
    static const uint8_t one[32] = {1};
    struct packet_keys keys = {.send = {42}};

    (void)state;
    assert_int_equal(packet_keys_derive(keys_a.exchange_secret,
                                        keys_a.exchange_public, zero, &keys),
                     -EINVAL);
    assert_int_equal(packet_keys_derive(keys_a.exchange_secret,
                                        keys_a.exchange_public, one, &keys),
                     -EINVAL);
    assert_int_equal(packet_keys_derive(keys_a.exchange_secret,
                                        keys_a.exchange_public,
                                        keys_a.exchange_public, &keys),
                     -EINVAL);
    assert_int_equal(keys.send[0], 42);
}

static void test_layout(void **state)
{
    static const uint8_t expected[] = {
        0x02, 0x01, 0x01, 0x02, 0x03, 0x04, 0x11, 0x12, 0x13,
        0x14, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28,
        0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 'h',  'e',  'y',
    };
    uint8_t buffer[LIMIT_DATAGRAM_SIZE];
    uint8_t input[256];
    uint8_t tag[PACKET_TAG_SIZE];
    struct packet_header header;
    size_t size = build("hey", 3, buffer);

    (void)state;
    assert_int_equal(size, PACKET_HEADER_SIZE + 3 + PACKET_TAG_SIZE);
    assert_memory_equal(buffer, expected, sizeof(expected));
    memcpy(input, "socketnet/v1/packet", 20);
    memcpy(input + 20, cluster, 16);
    memcpy(input + 36, keys_b.sign_public, 32);
    memcpy(input + 68, keys_a.sign_public, 32);
    memcpy(input + 100, expected, sizeof(expected));
    assert_int_equal(crypto_generichash(tag, 16, input, 100 + sizeof(expected),
                                        a_to_b.send, 32),
                     0);
    assert_memory_equal(buffer + sizeof(expected), tag, sizeof(tag));

    assert_int_equal(packet_parse(buffer, size, &header), 0);
    assert_int_equal(header.type, PACKET_MESSAGES);
    assert_int_equal(header.source_boot, 0x01020304);
    assert_int_equal(header.destination_boot, 0x11121314);
    assert_true(header.source_id == UINT64_C(0x2122232425262728));
    assert_true(header.counter == UINT64_C(0x313233343536));
    assert_ptr_equal(header.payload, buffer + PACKET_HEADER_SIZE);
    assert_int_equal(header.payload_size, 3);
}

/* docs/WIRE.md: the proof that a third node may carry, of A for B. */
static void test_proof(void **state)
{
    struct packet_context context = context_a_to_b();
    struct packet_context other = {cluster, keys_b.sign_public,
                                   keys_a.sign_public};
    uint8_t input[128];
    uint8_t expected[PACKET_PROOF_SIZE];
    uint8_t proof[PACKET_PROOF_SIZE];

    (void)state;
    memcpy(input, "socketnet/v1/alive", 19);
    memcpy(input + 19, cluster, 16);
    memcpy(input + 35, keys_b.sign_public, 32);
    memcpy(input + 67, keys_a.sign_public, 32);
    memcpy(input + 99, "\x01\x02\x03\x04\x05\x06\x07\x08", 8);
    assert_int_equal(
        crypto_generichash(expected, 16, input, 107, a_to_b.send, 32), 0);
    packet_prove(&context, &a_to_b, UINT64_C(0x0102030405060708), proof);
    assert_memory_equal(proof, expected, sizeof(proof));
    assert_int_equal(packet_check_proof(&context, &b_to_a,
                                        UINT64_C(0x0102030405060708), proof),
                     0);
    /* Another challenge, the other direction, one bit. */
    assert_int_equal(packet_check_proof(&context, &b_to_a, 1, proof),
                     PACKET_E_TAG);
    assert_int_equal(packet_check_proof(&other, &a_to_b,
                                        UINT64_C(0x0102030405060708), proof),
                     PACKET_E_TAG);
    proof[15] ^= 1;
    assert_int_equal(packet_check_proof(&context, &b_to_a,
                                        UINT64_C(0x0102030405060708), proof),
                     PACKET_E_TAG);
}

/* The payload may be written where it will be sent from. */
static void test_build_in_place(void **state)
{
    uint8_t buffer[LIMIT_DATAGRAM_SIZE];
    uint8_t other[LIMIT_DATAGRAM_SIZE];
    size_t size;

    (void)state;
    memcpy(buffer + PACKET_HEADER_SIZE, "hey", 3);
    size = build(buffer + PACKET_HEADER_SIZE, 3, buffer);
    assert_int_equal(build("hey", 3, other), size);
    assert_memory_equal(buffer, other, size);
}

static void test_empty_payload(void **state)
{
    struct packet_context context = context_a_to_b();
    uint8_t buffer[LIMIT_DATAGRAM_SIZE];
    size_t size = build(NULL, 0, buffer);
    struct packet_header header;

    (void)state;
    assert_int_equal(packet_parse(buffer, size, &header), 0);
    assert_int_equal(header.payload_size, 0);
    assert_int_equal(packet_verify(buffer, size, &context, &b_to_a), 0);
}

static void test_parse_refused(void **state)
{
    uint8_t buffer[LIMIT_DATAGRAM_SIZE + 1];
    struct packet_header header = {.counter = 42};
    size_t size = build("hey", 3, buffer);

    (void)state;
    for (size_t i = 0; i < PACKET_HEADER_SIZE + PACKET_TAG_SIZE; i++) {
        assert_int_equal(packet_parse(buffer, i, &header), PACKET_E_SIZE);
    }
    buffer[0] = 1;
    assert_int_equal(packet_parse(buffer, size, &header), PACKET_E_VERSION);
    buffer[0] = 3;
    assert_int_equal(packet_parse(buffer, size, &header), PACKET_E_VERSION);
    buffer[0] = 2;
    buffer[1] = 0;
    assert_int_equal(packet_parse(buffer, size, &header), PACKET_E_TYPE);
    buffer[1] = 3;
    assert_int_equal(packet_parse(buffer, size, &header), PACKET_E_TYPE);
    buffer[1] = PACKET_HELLO; /* not of a hello's size */
    assert_int_equal(packet_parse(buffer, size, &header), PACKET_E_SIZE);
    assert_int_equal(header.counter, 42); /* untouched */
}

static void test_verify(void **state)
{
    struct packet_context context = context_a_to_b();
    struct packet_context other;
    uint8_t other_cluster[RECORD_CLUSTER_SIZE] = {0xc1, 0xc3};
    uint8_t buffer[LIMIT_DATAGRAM_SIZE];
    size_t size = build("hey", 3, buffer);

    (void)state;
    assert_int_equal(packet_verify(buffer, size, &context, &b_to_a), 0);
    for (size_t i = 0; i < size * 8; i++) {
        buffer[i / 8] ^= (uint8_t)(1u << (i % 8));
        assert_int_equal(packet_verify(buffer, size, &context, &b_to_a),
                         PACKET_E_TAG);
        buffer[i / 8] ^= (uint8_t)(1u << (i % 8));
    }
    assert_int_equal(packet_verify(buffer, size - 1, &context, &b_to_a),
                     PACKET_E_TAG);
    assert_int_equal(packet_verify(buffer, PACKET_TAG_SIZE, &context, &b_to_a),
                     PACKET_E_TAG);
    /* Sent back to its sender, for another cluster, between other nodes. */
    assert_int_equal(packet_verify(buffer, size, &context, &a_to_b),
                     PACKET_E_TAG);
    other = context;
    other.cluster = other_cluster;
    assert_int_equal(packet_verify(buffer, size, &other, &b_to_a),
                     PACKET_E_TAG);
    other = context;
    other.source = keys_b.sign_public;
    assert_int_equal(packet_verify(buffer, size, &other, &b_to_a),
                     PACKET_E_TAG);
    other = context;
    other.destination = keys_a.sign_public;
    assert_int_equal(packet_verify(buffer, size, &other, &b_to_a),
                     PACKET_E_TAG);
}

static struct packet_header hello_header(const uint8_t *payload)
{
    return (struct packet_header){
        .type = PACKET_HELLO,
        .source_boot = 1,
        .counter = 1,
        .payload = payload,
        .payload_size =
            PACKET_HELLO_SIZE - PACKET_HEADER_SIZE - PACKET_TAG_SIZE,
    };
}

static void test_hello(void **state)
{
    static const uint8_t certificate[300] = {[0] = 9, [299] = 8};
    static const uint8_t member[200] = {[0] = 7, [199] = 6};
    static const uint8_t shown[594] = {[0] = 5, [593] = 4};
    const struct packet_hello hello = {
        .is_answer = true,
        .protocol_min = 1,
        .protocol_max = 3,
        .epoch = UINT64_C(0x0102030405060708),
        .certificate = certificate,
        .certificate_size = sizeof(certificate),
        .member = member,
        .member_size = sizeof(member),
        .shown = shown,
        .shown_size = sizeof(shown),
    };
    static const uint8_t expected[] = {
        0x01, 0x01, 0x03, 0x00, 0x01, 0x02, 0x03,
        0x04, 0x05, 0x06, 0x07, 0x08, 0x01, 0x2c,
    };
    struct packet_context context = context_a_to_b();
    uint8_t payload[PACKET_PAYLOAD_MAX];
    uint8_t buffer[LIMIT_DATAGRAM_SIZE];
    struct packet_header header = hello_header(payload);
    struct packet_header parsed;
    struct packet_hello got;
    size_t size;

    (void)state;
    memset(payload, 0xee, sizeof(payload));
    assert_int_equal(packet_build_hello(&hello, payload, sizeof(payload)),
                     header.payload_size);
    assert_memory_equal(payload, expected, sizeof(expected));
    assert_memory_equal(payload + 14 + 300, "\x00\xc8\x07", 3);
    assert_memory_equal(payload + 14 + 300 + 2 + 200, "\x02\x52\x05", 3);
    /* All there is room for. */
    assert_int_equal(14 + 300 + 2 + 200 + 2 + 594, header.payload_size);
    size = packet_build(&header, &context, &a_to_b, buffer);
    assert_int_equal(size, PACKET_HELLO_SIZE);
    assert_int_equal(packet_parse(buffer, size, &parsed), 0);
    assert_int_equal(packet_verify(buffer, size, &context, &b_to_a), 0);
    assert_int_equal(packet_parse_hello(&parsed, &got), 0);
    assert_true(got.is_answer);
    assert_int_equal(got.protocol_min, 1);
    assert_int_equal(got.protocol_max, 3);
    assert_true(got.epoch == hello.epoch);
    assert_int_equal(got.certificate_size, sizeof(certificate));
    assert_memory_equal(got.certificate, certificate, sizeof(certificate));
    assert_int_equal(got.member_size, sizeof(member));
    assert_memory_equal(got.member, member, sizeof(member));
    assert_int_equal(got.shown_size, sizeof(shown));
    assert_memory_equal(got.shown, shown, sizeof(shown));
    /* Shorter or longer than it must be. */
    assert_int_equal(packet_parse(buffer, size - 1, &parsed), PACKET_E_SIZE);
    assert_int_equal(packet_parse(buffer, size + 1, &parsed), PACKET_E_SIZE);
}

static void test_hello_refused(void **state)
{
    uint8_t payload[PACKET_PAYLOAD_MAX] = {0x00, 1, 1};
    struct packet_header header = hello_header(payload);
    struct packet_hello hello = {.epoch = 42};

    (void)state;
    header.payload_size = 17; /* not even its fixed part */
    assert_int_equal(packet_parse_hello(&header, &hello), PACKET_E_SIZE);
    header = hello_header(payload);
    header.type = PACKET_MESSAGES;
    assert_int_equal(packet_parse_hello(&header, &hello), PACKET_E_SIZE);
    header = hello_header(payload);
    payload[12] = 0x02; /* a certificate of 640 fits, 641 does not */
    payload[13] = 0x81;
    assert_int_equal(packet_parse_hello(&header, &hello), PACKET_E_SIZE);
    payload[12] = 0xff;
    assert_int_equal(packet_parse_hello(&header, &hello), PACKET_E_SIZE);
    payload[12] = 0;
    payload[13] = 0;
    payload[14] = 0x04; /* the last byte of a member record is not there */
    payload[15] = 0x47;
    assert_int_equal(packet_parse_hello(&header, &hello), PACKET_E_SIZE);
    payload[14] = 0;
    payload[15] = 0;
    payload[16] = 0x04; /* nor that of a record shown */
    payload[17] = 0x47;
    assert_int_equal(packet_parse_hello(&header, &hello), PACKET_E_SIZE);
    payload[16] = 0;
    payload[17] = 0;
    payload[1] = 2; /* lowest over highest */
    assert_int_equal(packet_parse_hello(&header, &hello), PACKET_E_SIZE);
    payload[1] = 0; /* version 0 */
    assert_int_equal(packet_parse_hello(&header, &hello), PACKET_E_SIZE);
    assert_int_equal(hello.epoch, 42);
    payload[1] = 1;
    payload[0] = 0xfe; /* flags of later versions */
    payload[3] = 0xff;
    assert_int_equal(packet_parse_hello(&header, &hello), 0);
    assert_false(hello.is_answer);
}

static void test_hello_no_room(void **state)
{
    static const uint8_t record[LIMIT_RECORD_SIZE + 1];
    struct packet_hello hello = {
        .protocol_min = 1, .protocol_max = 1, .certificate = record};
    uint8_t payload[PACKET_PAYLOAD_MAX];
    struct packet_header header = hello_header(payload);

    (void)state;
    assert_int_equal(
        packet_build_hello(&hello, payload, header.payload_size - 1), 0);
    hello.certificate_size = LIMIT_CERTIFICATE_SIZE + 1;
    assert_int_equal(packet_build_hello(&hello, payload, sizeof(payload)), 0);
    hello.certificate_size--;
    assert_int_equal(packet_build_hello(&hello, payload, sizeof(payload)),
                     header.payload_size);
    hello.member = record;
    hello.member_size = PACKET_HELLO_RECORDS_SIZE - LIMIT_CERTIFICATE_SIZE;
    assert_int_equal(packet_build_hello(&hello, payload, sizeof(payload)),
                     header.payload_size);
    hello.shown = record;
    hello.shown_size = 1;
    assert_int_equal(packet_build_hello(&hello, payload, sizeof(payload)), 0);
    hello.certificate_size = 0;
    hello.member_size = 0;
    hello.shown_size = sizeof(record); /* no record is so long */
    assert_int_equal(packet_build_hello(&hello, payload, sizeof(payload)), 0);
    hello.shown_size--;
    assert_int_equal(packet_build_hello(&hello, payload, sizeof(payload)),
                     header.payload_size);
}

static void test_window_order(void **state)
{
    struct packet_window window = {.highest = 0};

    (void)state;
    assert_int_equal(packet_window_accept(&window, 0), PACKET_E_REPLAY);
    assert_int_equal(packet_window_accept(&window, 3), 0);
    assert_int_equal(packet_window_accept(&window, 1), 0);
    assert_int_equal(packet_window_accept(&window, 2), 0);
    for (uint64_t c = 0; c <= 3; c++) {
        assert_int_equal(packet_window_accept(&window, c), PACKET_E_REPLAY);
    }
    assert_int_equal(packet_window_accept(&window, 4), 0);
    /* A counter that no packet can carry. */
    assert_int_equal(packet_window_accept(&window, UINT64_C(1) << 48),
                     PACKET_E_REPLAY);
    assert_int_equal(packet_window_accept(&window, (UINT64_C(1) << 48) - 1), 0);
    assert_int_equal(packet_window_accept(&window, 5), PACKET_E_REPLAY);
}

/* Against a plain list of everything accepted, over a seeded mixture of
 * steps, jumps and repeats. */
static void test_window_model(void **state)
{
    enum { TOP = 20000 };
    static bool seen[TOP + 1];
    struct packet_window window = {.highest = 0};
    uint64_t highest = 0;
    uint64_t random = 1;

    (void)state;
    for (int i = 0; i < 200000; i++) {
        uint64_t counter;
        bool is_new;

        random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
        switch (random >> 61) {
        case 0:
            counter = highest + (random >> 33) % 3000;
            break;
        case 1:
            counter = highest + 1;
            break;
        default:
            counter = highest - MIN_OF(highest, (random >> 33) % 2200);
            break;
        }
        if (counter > TOP) {
            counter = (random >> 33) % TOP;
        }
        is_new = counter > 0 && !seen[counter] &&
                 (counter > highest || highest - counter < LIMIT_REPLAY_WINDOW);
        assert_int_equal(packet_window_accept(&window, counter),
                         is_new ? 0 : PACKET_E_REPLAY);
        if (is_new) {
            seen[counter] = true;
            highest = MAX_OF(highest, counter);
        }
    }
    assert_true(highest > TOP / 2);
}

static int setup(void **state)
{
    (void)state;
    if (sodium_init() < 0) {
        return -1;
    }
    keys_a = support_keys_make(1);
    keys_b = support_keys_make(2);
    assert_int_equal(packet_keys_derive(keys_a.exchange_secret,
                                        keys_a.exchange_public,
                                        keys_b.exchange_public, &a_to_b),
                     0);
    assert_int_equal(packet_keys_derive(keys_b.exchange_secret,
                                        keys_b.exchange_public,
                                        keys_a.exchange_public, &b_to_a),
                     0);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_keys_refused),
        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_proof),
        cmocka_unit_test(test_build_in_place),
        cmocka_unit_test(test_empty_payload),
        cmocka_unit_test(test_parse_refused),
        cmocka_unit_test(test_verify),
        cmocka_unit_test(test_hello),
        cmocka_unit_test(test_hello_refused),
        cmocka_unit_test(test_hello_no_room),
        cmocka_unit_test(test_window_order),
        cmocka_unit_test(test_window_model),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
