/*
 * Answers to what nobody answers: byte for byte, as tcpdump and the RFCs have
 * them, and none where none is due.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

#include "agent/worker/worker_frame.h"
#include "gossip/base/text.h"

static uint8_t answer[WORKER_FRAME_SIZE];

static size_t from_hex(const char *text, uint8_t *bytes, size_t size)
{
    size_t n = strlen(text) / 2;

    assert_true(n <= size);
    assert_int_equal(text_to_bytes(text, 2 * n, bytes, n), 0);
    return n;
}

static struct worker_frame parse(const uint8_t *bytes, size_t size)
{
    struct worker_frame frame;

    assert_true(worker_frame_parse(bytes, size, &frame));
    return frame;
}

static void expect(size_t size, const char *text)
{
    uint8_t wanted[WORKER_FRAME_SIZE];

    assert_int_equal(size, from_hex(text, wanted, sizeof(wanted)));
    assert_memory_equal(answer, wanted, size);
}

#define MACS                                                                   \
    "020000000001"                                                             \
    "0a0000000002"
#define ANSWER                                                                 \
    "0a0000000002"                                                             \
    "020000000001"
/* 10.0.1.5 -> 100.80.0.9, 40 bytes, TCP. */
#define IP4_TCP                                                                \
    "0800"                                                                     \
    "45000028000040004006"                                                     \
    "0000"                                                                     \
    "0a000105"                                                                 \
    "64500009"
/* And back, with its checksum. */
#define BACK4_TCP                                                              \
    "0800"                                                                     \
    "45000028000040004006"                                                     \
    "cb72"                                                                     \
    "64500009"                                                                 \
    "0a000105"

/* RFC 9293, 3.5.2: a segment without ACK gets what acknowledges it. */
static void test_reset_of_a_syn(void **state)
{
    uint8_t bytes[256];
    size_t size = from_hex(MACS IP4_TCP "c350"
                                        "18eb"
                                        "00000064"
                                        "00000000"
                                        "5002"
                                        "ffff"
                                        "0000"
                                        "0000",
                           bytes, sizeof(bytes));
    struct worker_frame frame = parse(bytes, size);

    (void)state;
    assert_int_equal(frame.from_port, 50000);
    assert_int_equal(frame.to_port, 6379);
    expect(worker_frame_refuse(&frame, answer), ANSWER BACK4_TCP "18eb"
                                                                 "c350"
                                                                 "00000000"
                                                                 "00000065"
                                                                 "5014"
                                                                 "0000"
                                                                 "63d2"
                                                                 "0000");
}

/* One with ACK gets the number that it waits for. */
static void test_reset_in_the_middle(void **state)
{
    uint8_t bytes[256];
    size_t size = from_hex(MACS IP4_TCP "c350"
                                        "18eb"
                                        "00000064"
                                        "00000abc"
                                        "5010"
                                        "ffff"
                                        "0000"
                                        "0000",
                           bytes, sizeof(bytes));
    struct worker_frame frame = parse(bytes, size);

    (void)state;
    expect(worker_frame_refuse(&frame, answer), ANSWER BACK4_TCP "18eb"
                                                                 "c350"
                                                                 "00000abc"
                                                                 "00000000"
                                                                 "5004"
                                                                 "0000"
                                                                 "598b"
                                                                 "0000");
    /* A reset gets none. */
    bytes[14 + 20 + 13] = 0x14;
    frame = parse(bytes, size);
    assert_int_equal(worker_frame_refuse(&frame, answer), 0);
    /* Nor one whose header ends behind the packet. */
    bytes[14 + 20 + 13] = 0x10;
    bytes[14 + 20 + 12] = 0x60;
    frame = parse(bytes, size);
    assert_int_equal(worker_frame_refuse(&frame, answer), 0);
}

/* FIN and data count. */
static void test_reset_counts_the_segment(void **state)
{
    uint8_t bytes[256];
    size_t size = from_hex(MACS "0800"
                                "4500002b000040004006"
                                "0000"
                                "0a000105"
                                "64500009"
                                "c350"
                                "18eb"
                                "fffffffe"
                                "00000000"
                                "5001"
                                "ffff"
                                "0000"
                                "0000"
                                "616263"
                                "0000",
                           bytes, sizeof(bytes));
    struct worker_frame frame = parse(bytes, size);

    (void)state;
    assert_int_equal(frame.size, size - 2); /* padding is not the packet's */
    assert_int_equal(worker_frame_refuse(&frame, answer), 54);
    assert_memory_equal(answer + 14 + 20 + 8, "\0\0\0\2", 4);
}

static void test_unreachable(void **state)
{
    uint8_t bytes[2000] = {0};
    size_t size = from_hex(MACS "0800"
                                "4500001f000040004011"
                                "0000"
                                "0a000105"
                                "64500009"
                                "c350"
                                "0035"
                                "000b"
                                "0000"
                                "616263",
                           bytes, sizeof(bytes));
    struct worker_frame frame = parse(bytes, size);

    (void)state;
    expect(worker_frame_refuse(&frame, answer), ANSWER "0800"
                                                       "4500003b000040004001"
                                                       "cb64"
                                                       "64500009"
                                                       "0a000105"
                                                       "0303"
                                                       "407a"
                                                       "00000000"
                                                       "4500001f000040004011"
                                                       "0000"
                                                       "0a000105"
                                                       "64500009"
                                                       "c350"
                                                       "0035"
                                                       "000b"
                                                       "0000"
                                                       "616263");
    /* A long one comes back in part: 576 bytes at most. */
    bytes[16] = 1500 >> 8;
    bytes[17] = 1500 & 0xff;
    frame = parse(bytes, 14 + 1500);
    assert_int_equal(worker_frame_refuse(&frame, answer), 14 + 576);
}

static void test_no_answer_is_due(void **state)
{
    uint8_t bytes[256];
    size_t size = from_hex(MACS "0800"
                                "4500001f000040004011"
                                "0000"
                                "0a000105"
                                "64500009"
                                "c350"
                                "0035"
                                "000b"
                                "0000"
                                "616263",
                           bytes, sizeof(bytes));
    struct worker_frame frame;
    uint8_t *ip = bytes + 14;

    (void)state;
    ip[12] = 224; /* from many */
    frame = parse(bytes, size);
    assert_int_equal(worker_frame_refuse(&frame, answer), 0);
    ip[12] = 0;
    frame = parse(bytes, size);
    assert_int_equal(worker_frame_refuse(&frame, answer), 0);
    ip[12] = 10;
    bytes[0] |= 1; /* to many, by its MAC */
    frame = parse(bytes, size);
    assert_int_equal(worker_frame_refuse(&frame, answer), 0);
    bytes[0] &= 0xfe;
    ip[9] = 1; /* ICMP: it may be an error report */
    frame = parse(bytes, size);
    assert_int_equal(worker_frame_refuse(&frame, answer), 0);
    ip[9] = 17;
    frame = parse(bytes, size);
    assert_int_not_equal(worker_frame_refuse(&frame, answer), 0);
}

static void test_not_such_a_packet(void **state)
{
    uint8_t bytes[256];
    size_t size = from_hex(MACS IP4_TCP "c350"
                                        "18eb"
                                        "00000064"
                                        "00000000"
                                        "5002"
                                        "ffff"
                                        "0000"
                                        "0000",
                           bytes, sizeof(bytes));
    struct worker_frame frame;
    uint8_t *ip = bytes + 14;

    (void)state;
    for (size_t cut = 0; cut < size; cut++) {
        assert_false(worker_frame_parse(bytes, cut, &frame));
    }
    ip[7] = 1; /* a later fragment */
    assert_false(worker_frame_parse(bytes, size, &frame));
    ip[7] = 0;
    ip[0] = 0x44; /* a header that is too short */
    assert_false(worker_frame_parse(bytes, size, &frame));
    ip[0] = 0x65;
    assert_false(worker_frame_parse(bytes, size, &frame));
    ip[0] = 0x45;
    ip[3] = 39; /* no room for TCP's header */
    assert_false(worker_frame_parse(bytes, size, &frame));
    ip[3] = 40;
    bytes[13] = 6; /* ARP */
    assert_false(worker_frame_parse(bytes, size, &frame));
}

static void test_ping(void **state)
{
    uint8_t bytes[256];
    size_t size = from_hex(MACS "0800"
                                "4500001f000040004001"
                                "0000"
                                "0a000105"
                                "64500009"
                                "0800"
                                "1234"
                                "00010002"
                                "616263",
                           bytes, sizeof(bytes));
    struct worker_frame frame = parse(bytes, size);

    (void)state;
    expect(worker_frame_echo(&frame, answer), ANSWER "0800"
                                                     "4500001f000040004001"
                                                     "cb80"
                                                     "64500009"
                                                     "0a000105"
                                                     "0000"
                                                     "3b9a"
                                                     "00010002"
                                                     "616263");
    bytes[14 + 20] = 0; /* an answer is not answered */
    frame = parse(bytes, size);
    assert_int_equal(worker_frame_echo(&frame, answer), 0);
    bytes[14 + 20] = 8;
    bytes[14 + 20 + 1] = 1;
    frame = parse(bytes, size);
    assert_int_equal(worker_frame_echo(&frame, answer), 0);
}

#define FROM6 "fd000001000000000000000000000005"
#define TO6   "fd500000000000000000000000000009"

static void test_six(void **state)
{
    uint8_t bytes[256];
    size_t size = from_hex(MACS "86dd"
                                "60000000"
                                "0014"
                                "06"
                                "40" FROM6 TO6 "c350"
                                "18eb"
                                "00000064"
                                "00000000"
                                "5002"
                                "ffff"
                                "0000"
                                "0000",
                           bytes, sizeof(bytes));
    struct worker_frame frame = parse(bytes, size);

    (void)state;
    assert_int_equal(frame.from.family, 6);
    expect(worker_frame_refuse(&frame, answer), ANSWER "86dd"
                                                       "60000000"
                                                       "0014"
                                                       "06"
                                                       "40" TO6 FROM6 "18eb"
                                                       "c350"
                                                       "00000000"
                                                       "00000065"
                                                       "5014"
                                                       "0000"
                                                       "d8cf"
                                                       "0000");
    size = from_hex(MACS "86dd"
                         "60000000"
                         "0008"
                         "11"
                         "40" FROM6 TO6 "c350"
                         "0035"
                         "0008"
                         "0000",
                    bytes, sizeof(bytes));
    frame = parse(bytes, size);
    assert_int_equal(worker_frame_refuse(&frame, answer), 14 + 40 + 8 + 48);
    assert_memory_equal(answer + 14 + 40, "\1\4", 2);
    size = from_hex(MACS "86dd"
                         "60000000"
                         "0008"
                         "3a"
                         "40" FROM6 TO6 "8000"
                         "0000"
                         "00010002",
                    bytes, sizeof(bytes));
    frame = parse(bytes, size);
    expect(worker_frame_echo(&frame, answer), ANSWER "86dd"
                                                     "60000000"
                                                     "0008"
                                                     "3a"
                                                     "40" TO6 FROM6 "8100"
                                                     "8459"
                                                     "00010002");
    assert_int_equal(worker_frame_refuse(&frame, answer), 0);
    for (size_t cut = 0; cut < size; cut++) {
        assert_false(worker_frame_parse(bytes, cut, &frame));
    }
}

/* RFC 1191: with the next hop's MTU, and only to who asked not to fragment. */
static void test_too_big(void **state)
{
    uint8_t bytes[256];
    size_t size = from_hex(MACS "0800"
                                "4500001f000040004011"
                                "0000"
                                "0a000105"
                                "64500009"
                                "c350"
                                "0035"
                                "000b"
                                "0000"
                                "616263",
                           bytes, sizeof(bytes));
    struct worker_frame frame = parse(bytes, size);

    (void)state;
    expect(worker_frame_too_big(&frame, 1370, answer),
           ANSWER "0800"
                  "4500003b000040004001"
                  "cb64"
                  "64500009"
                  "0a000105"
                  "0304"
                  "3b1f"
                  "0000055a"
                  "4500001f000040004011"
                  "0000"
                  "0a000105"
                  "64500009"
                  "c350"
                  "0035"
                  "000b"
                  "0000"
                  "616263");
    bytes[14 + 6] = 0;
    frame = parse(bytes, size);
    assert_int_equal(worker_frame_too_big(&frame, 1370, answer), 0);
    /* A ping is told, an error report is not. */
    bytes[14 + 6] = 0x40;
    bytes[14 + 9] = 1;
    bytes[14 + 20] = 8;
    frame = parse(bytes, size);
    assert_int_not_equal(worker_frame_too_big(&frame, 1370, answer), 0);
    bytes[14 + 20] = 3;
    frame = parse(bytes, size);
    assert_int_equal(worker_frame_too_big(&frame, 1370, answer), 0);
    size = from_hex(MACS "86dd"
                         "60000000"
                         "0008"
                         "11"
                         "40" FROM6 TO6 "c350"
                         "0035"
                         "0008"
                         "0000",
                    bytes, sizeof(bytes));
    frame = parse(bytes, size);
    assert_int_equal(worker_frame_too_big(&frame, 1370, answer),
                     14 + 40 + 8 + 48);
    assert_memory_equal(answer + 14 + 40, "\2\0", 2);
    assert_memory_equal(answer + 14 + 40 + 4, "\0\0\5\x5a", 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reset_of_a_syn),
        cmocka_unit_test(test_reset_in_the_middle),
        cmocka_unit_test(test_reset_counts_the_segment),
        cmocka_unit_test(test_unreachable),
        cmocka_unit_test(test_no_answer_is_due),
        cmocka_unit_test(test_not_such_a_packet),
        cmocka_unit_test(test_ping),
        cmocka_unit_test(test_six),
        cmocka_unit_test(test_too_big),
    };

    return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
