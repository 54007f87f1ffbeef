/*
 * The messages between the processes: every type there and back, what is
 * refused, descriptors, a full socket and its queue.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

#include "agent/ipc/ipc.h"
#include "agent/ipc/ipc_queue.h"
#include "tests/unit/heap.h"

static const uint8_t types[] = {
    IPC_SNAPSHOT_BEGIN, IPC_SNAPSHOT_ITEM, IPC_SNAPSHOT_END,  IPC_DELTA,
    IPC_QUERY,          IPC_HELLO,         IPC_WANT_SNAPSHOT, IPC_APPLIED,
    IPC_PORT,           IPC_OVS,           IPC_REFUSED,       IPC_REPLY,
    IPC_TUNNEL,         IPC_NOTE,          IPC_BLOCKED,       IPC_NEIGHBOR,
    IPC_PEER,           IPC_READY,         IPC_RESTART};

static struct ipc_message sample(uint8_t type)
{
    return (struct ipc_message){.type = type,
                                .number = UINT64_C(0x123456789a),
                                .value = -7,
                                .duration_us = 200,
                                .flag = true,
                                .name = "veth203",
                                .name_len = 7,
                                .text = "caf\xc3\xa9",
                                .text_len = 5,
                                .bytes = (const uint8_t *)"\0\1\2",
                                .size = 3,
                                .fd = -1};
}

static bool same_block(const void *a, size_t a_size, const void *b,
                       size_t b_size)
{
    return a_size == b_size && (a_size == 0 || memcmp(a, b, a_size) == 0);
}

/* Fields that the type does not carry come back empty. */
static void check_same(const struct ipc_message *sent,
                       const struct ipc_message *got)
{
    assert_int_equal(got->type, sent->type);
    assert_true(got->number == 0 || got->number == sent->number);
    assert_true(got->value == 0 || got->value == sent->value);
    assert_true(got->name_len == 0 || same_block(got->name, got->name_len,
                                                 sent->name, sent->name_len));
    assert_true(got->text_len == 0 || same_block(got->text, got->text_len,
                                                 sent->text, sent->text_len));
    assert_true(got->size == 0 ||
                same_block(got->bytes, got->size, sent->bytes, sent->size));
    assert_int_equal(got->fd, -1);
}

static void test_every_type_there_and_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(types); i++) {
        struct ipc_message sent = sample(types[i]);
        uint8_t bytes[256];
        uint8_t again[256];
        struct ipc_message got;
        size_t size;
        size_t again_size;

        assert_int_equal(ipc_pack(&sent, bytes, sizeof(bytes), &size), 0);
        assert_true(size <= ipc_pack_bound(&sent));
        assert_int_equal(ipc_unpack(bytes, size, &got), 0);
        check_same(&sent, &got);
        assert_int_equal(ipc_pack(&got, again, sizeof(again), &again_size), 0);
        assert_true(same_block(bytes, size, again, again_size));
        /* Every truncation is malformed, and so is a byte too many. */
        for (size_t n = 0; n < size; n++) {
            assert_int_equal(ipc_unpack(bytes, n, &got), IPC_E_MALFORMED);
        }
        bytes[size] = 0xc0;
        assert_int_equal(ipc_unpack(bytes, size + 1, &got), IPC_E_MALFORMED);
    }
}

/* docs/WIRE.md, "Between the processes", has this example. */
static void test_known_bytes(void **state)
{
    static const uint8_t expected[] = {0x93, 0x13, 0xa7, 'v', 'e', 't',
                                       'h',  '2',  '0',  '3', 0x05};
    struct ipc_message sent = sample(IPC_PORT);
    uint8_t bytes[64];
    size_t size;

    (void)state;
    sent.value = 5;
    assert_int_equal(ipc_pack(&sent, bytes, sizeof(bytes), &size), 0);
    assert_true(same_block(bytes, size, expected, sizeof(expected)));
}

static void test_numbers_at_their_edges(void **state)
{
    static const int64_t values[] = {
        0,      1,         127,       128,       255,       256,  65535,
        65536,  -1,        -32,       -33,       -128,      -129, -32768,
        -32769, INT32_MIN, INT64_MAX, INT64_MIN, UINT32_MAX};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        struct ipc_message sent = sample(IPC_PORT);
        struct ipc_message got;
        uint8_t bytes[64];
        size_t size;

        sent.value = values[i];
        assert_int_equal(ipc_pack(&sent, bytes, sizeof(bytes), &size), 0);
        assert_int_equal(ipc_unpack(bytes, size, &got), 0);
        assert_true(got.value == values[i]);
    }
}

static void test_refuses_hostile_shapes(void **state)
{
    /* Unknown type; too many and too few elements; an array of 2^32 - 1
     * claimed; nested; a string as number; a negative id; a bin longer than
     * the message; control bytes and broken UTF-8 in text; an overlong form;
     * a value over int64. */
    static const struct {
        const char *bytes;
        size_t size;
    } cases[] = {
        {"\x91\x63", 2},
        {"\x92\x29\x01", 3},
        {"\x91\x11", 2},
        {"\xdd\xff\xff\xff\xff\x11", 6},
        {"\x92\x11\x91\x01", 4},
        {"\x92\x11\xa1\x31", 4},
        {"\x92\x11\xff", 3},
        {"\x92\x02\xc6\xff\xff\xff\xff\x00", 8},
        {"\x93\x14\xc3\xa2\x41\x0a", 6},
        {"\x93\x14\xc3\xa2\xc3\x28", 6},
        {"\x93\x14\xc3\xa2\xc0\x80", 6},
        {"\x93\x14\xc3\xa3\xed\xa0\x80", 7},
        {"\x93\x13\xa1\x61\xcf\xff\xff\xff\xff\xff\xff\xff\xff", 13},
        {"", 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct ipc_message got;

        assert_int_equal(
            ipc_unpack((const uint8_t *)cases[i].bytes, cases[i].size, &got),
            IPC_E_MALFORMED);
    }
}

static void test_limits(void **state)
{
    struct ipc_message message = sample(IPC_REPLY);
    uint8_t *big = calloc(1, IPC_MESSAGE_MAX + 1);
    uint8_t *buffer = malloc(IPC_MESSAGE_MAX);
    char name[257];
    size_t size;

    (void)state;
    assert_non_null(big);
    assert_non_null(buffer);
    /* 15 bytes of head: array, type, id of 9, flag, bin head of 3. */
    message.bytes = big;
    message.number = UINT64_MAX;
    message.size = IPC_MESSAGE_MAX - 15;
    assert_int_equal(ipc_pack(&message, buffer, IPC_MESSAGE_MAX, &size), 0);
    assert_int_equal(size, IPC_MESSAGE_MAX);
    assert_int_equal(ipc_unpack(buffer, size, &message), 0);
    message.bytes = big;
    message.size++;
    assert_int_equal(ipc_pack(&message, buffer, IPC_MESSAGE_MAX, &size),
                     -EMSGSIZE);
    message = sample(IPC_QUERY);
    memset(name, 'n', sizeof(name));
    message.name = name;
    message.name_len = 255;
    assert_int_equal(ipc_pack(&message, buffer, IPC_MESSAGE_MAX, &size), 0);
    assert_int_equal(ipc_unpack(buffer, size, &message), 0);
    message.name = name;
    message.name_len = 256;
    assert_int_equal(ipc_pack(&message, buffer, IPC_MESSAGE_MAX, &size),
                     -EINVAL);
    message = sample(0);
    assert_int_equal(ipc_pack(&message, buffer, IPC_MESSAGE_MAX, &size),
                     -EINVAL);
    free(big);
    free(buffer);
}

/* What the switch said may hold anything and be of any length. */
static void test_cleans_text_when_sending(void **state)
{
    struct ipc_message message = sample(IPC_OVS);
    char text[2000];
    uint8_t bytes[2048];
    struct ipc_message got;
    size_t size;

    (void)state;
    message.text = "a\nb\xff"
                   "c\xc3\xa9";
    message.text_len = strlen(message.text);
    assert_int_equal(ipc_pack(&message, bytes, sizeof(bytes), &size), 0);
    assert_int_equal(ipc_unpack(bytes, size, &got), 0);
    assert_memory_equal(got.text, "a b?c\xc3\xa9", 7);
    memset(text, 'x', sizeof(text));
    /* A sequence that the cut goes through. */
    memcpy(text + 1023, "\xc3\xa9", 2);
    message.text = text;
    message.text_len = sizeof(text);
    assert_int_equal(ipc_pack(&message, bytes, sizeof(bytes), &size), 0);
    assert_int_equal(ipc_unpack(bytes, size, &got), 0);
    assert_int_equal(got.text_len, 1024);
    assert_int_equal(got.text[1023], '?');
}

static void make_pair(int pair[2])
{
    assert_int_equal(
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
}

static void test_passes_a_descriptor(void **state)
{
    struct ipc_message message = {.type = IPC_PEER};
    struct ipc_message got;
    uint8_t buffer[64];
    int inner[2];
    int pair[2];
    char byte;

    (void)state;
    make_pair(pair);
    assert_int_equal(pipe(inner), 0);
    message.fd = inner[1];
    assert_int_equal(ipc_send(pair[0], &message), 0);
    assert_int_equal(close(inner[1]), 0);
    assert_int_equal(ipc_receive(pair[1], buffer, sizeof(buffer), &got), 0);
    assert_int_equal(got.type, IPC_PEER);
    assert_true(got.fd >= 0);
    assert_int_not_equal(fcntl(got.fd, F_GETFD) & FD_CLOEXEC, 0);
    assert_int_equal(write(got.fd, "x", 1), 1);
    assert_int_equal(read(inner[0], &byte, 1), 1);
    assert_int_equal(close(got.fd), 0);
    assert_int_equal(close(inner[0]), 0);
    assert_int_equal(close(pair[0]), 0);
    assert_int_equal(ipc_receive(pair[1], buffer, sizeof(buffer), &got),
                     IPC_E_CLOSED);
    message.fd = -1;
    assert_int_equal(ipc_send(pair[1], &message), IPC_E_CLOSED);
    assert_int_equal(close(pair[1]), 0);
}

/* A descriptor with a message that has none, and PEER without one: both
 * malformed, and nothing stays open. */
static void test_refuses_stray_descriptors(void **state)
{
    struct ipc_message message = sample(IPC_READY);
    struct ipc_message got;
    uint8_t buffer[64];
    int pair[2];
    int before;
    int after;

    (void)state;
    make_pair(pair);
    before = dup(0);
    assert_int_equal(close(before), 0);
    message.fd = pair[0];
    assert_int_equal(ipc_send(pair[0], &message), 0);
    assert_int_equal(ipc_receive(pair[1], buffer, sizeof(buffer), &got),
                     IPC_E_MALFORMED);
    message.type = IPC_PEER;
    message.fd = -1;
    assert_int_equal(ipc_send(pair[0], &message), 0);
    assert_int_equal(ipc_receive(pair[1], buffer, sizeof(buffer), &got),
                     IPC_E_MALFORMED);
    assert_int_equal(ipc_receive(pair[1], buffer, sizeof(buffer), &got),
                     IPC_E_AGAIN);
    after = dup(0);
    assert_int_equal(after, before);
    assert_int_equal(close(after), 0);
    assert_int_equal(close(pair[0]), 0);
    assert_int_equal(close(pair[1]), 0);
}

/* A PEER message with `n` descriptors, as ipc_send never makes it. */
static void send_descriptors(int fd, size_t n)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(16 * sizeof(int))];
    } control = {0};
    uint8_t bytes[] = {0x91, IPC_PEER};
    struct iovec vector = {.iov_base = bytes, .iov_len = sizeof(bytes)};
    struct msghdr header = {.msg_iov = &vector,
                            .msg_iovlen = 1,
                            .msg_control = control.bytes,
                            .msg_controllen = CMSG_SPACE(n * sizeof(int))};
    struct cmsghdr *rights = CMSG_FIRSTHDR(&header);

    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(n * sizeof(int));
    for (size_t i = 0; i < n; i++) {
        memcpy(CMSG_DATA(rights) + i * sizeof(int), &fd, sizeof(int));
    }
    assert_int_equal(sendmsg(fd, &header, MSG_DONTWAIT), sizeof(bytes));
}

static size_t count_open(void)
{
    size_t n = 0;

    for (int fd = 0; fd < 256; fd++) {
        n += fcntl(fd, F_GETFD) >= 0;
    }
    return n;
}

/* More than one descriptor, as many as there is room for, and more, which the
 * kernel cuts off (MSG_CTRUNC): nothing but the first one of a message that is
 * whole stays open. */
static void test_closes_surplus_descriptors(void **state)
{
    int pair[2];

    (void)state;
    make_pair(pair);
    for (size_t n = 1; n <= 6; n++) {
        size_t n_open = count_open();
        struct ipc_message got;
        uint8_t buffer[64];
        int error;

        send_descriptors(pair[0], n);
        error = ipc_receive(pair[1], buffer, sizeof(buffer), &got);
        assert_int_equal(error, n <= 4 ? 0 : IPC_E_MALFORMED);
        if (error == 0) {
            assert_int_equal(count_open(), n_open + 1);
            assert_int_equal(close(got.fd), 0);
        }
        assert_int_equal(count_open(), n_open);
    }
    assert_int_equal(close(pair[0]), 0);
    assert_int_equal(close(pair[1]), 0);
}

/* One that is longer than the buffer is dropped, the next one is whole. */
static void test_drops_what_does_not_fit(void **state)
{
    struct ipc_message message = sample(IPC_OVS);
    struct ipc_message got;
    uint8_t buffer[8];
    int pair[2];

    (void)state;
    make_pair(pair);
    message.text = "much too long for it";
    message.text_len = strlen(message.text);
    assert_int_equal(ipc_send(pair[0], &message), 0);
    message = sample(IPC_READY);
    assert_int_equal(ipc_send(pair[0], &message), 0);
    assert_int_equal(ipc_receive(pair[1], buffer, sizeof(buffer), &got),
                     IPC_E_MALFORMED);
    assert_int_equal(ipc_receive(pair[1], buffer, sizeof(buffer), &got), 0);
    assert_int_equal(got.type, IPC_READY);
    assert_int_equal(close(pair[0]), 0);
    assert_int_equal(close(pair[1]), 0);
}

/* A process that ends with something unread: its last words are heard. */
static void test_hears_last_words(void **state)
{
    struct ipc_message message = {.type = IPC_READY, .fd = -1};
    struct ipc_message note = {.type = IPC_NOTE,
                               .value = 1,
                               .text = "the port is taken",
                               .text_len = 17,
                               .fd = -1};
    struct ipc_message got;
    uint8_t buffer[64];
    int pair[2];

    (void)state;
    make_pair(pair);
    assert_int_equal(ipc_send(pair[0], &message), 0);
    assert_int_equal(ipc_send(pair[1], &note), 0);
    assert_int_equal(close(pair[1]), 0);
    assert_int_equal(ipc_receive(pair[0], buffer, sizeof(buffer), &got), 0);
    assert_int_equal(got.type, IPC_NOTE);
    assert_memory_equal(got.text, "the port is taken", 17);
    assert_int_equal(ipc_receive(pair[0], buffer, sizeof(buffer), &got),
                     IPC_E_CLOSED);
    assert_int_equal(close(pair[0]), 0);
}

static void test_queue_keeps_the_order(void **state)
{
    struct ipc_queue queue = {0};
    uint8_t *bytes = calloc(1, 20000);
    uint8_t *buffer = malloc(IPC_MESSAGE_MAX);
    struct ipc_message message = sample(IPC_REPLY);
    uint64_t expected = 0;
    int error = 0;
    int pair[2];

    (void)state;
    assert_non_null(bytes);
    assert_non_null(buffer);
    make_pair(pair);
    message.bytes = bytes;
    message.size = 20000;
    for (message.number = 0; message.number < 100; message.number++) {
        assert_int_equal(ipc_queue_send(&queue, pair[0], &message), 0);
    }
    assert_false(ipc_queue_is_empty(&queue));
    assert_int_equal(ipc_queue_flush(&queue, pair[0]), IPC_E_AGAIN);
    while (expected < 100) {
        struct ipc_message got;

        error = ipc_receive(pair[1], buffer, IPC_MESSAGE_MAX, &got);
        if (error == IPC_E_AGAIN) {
            error = ipc_queue_flush(&queue, pair[0]);
            assert_true(error == 0 || error == IPC_E_AGAIN);
            continue;
        }
        assert_int_equal(error, 0);
        assert_int_equal(got.number, expected);
        expected++;
    }
    assert_true(ipc_queue_is_empty(&queue));
    /* Nobody reads: at the limit the message is dropped, not the process. */
    do {
        error = ipc_queue_send(&queue, pair[0], &message);
    } while (error == 0);
    assert_int_equal(error, -ENOBUFS);
    assert_true(queue.size <= IPC_QUEUE_MAX);
    assert_true(queue.size + message.size + 64 > IPC_QUEUE_MAX);
    ipc_queue_done(&queue);
    assert_int_equal(close(pair[0]), 0);
    assert_int_equal(close(pair[1]), 0);
    free(bytes);
    free(buffer);
}

/* Without memory nothing is sent, and what waits stays as it was. */
static void test_without_memory(void **state)
{
    struct ipc_message message = sample(IPC_OVS);
    struct ipc_queue queue = {0};
    struct ipc_message got;
    uint8_t buffer[64];
    int pair[2];

    (void)state;
    make_pair(pair);
    heap_fail_at(1);
    assert_int_equal(ipc_send(pair[0], &message), -ENOMEM);
    assert_true(heap_off());
    heap_fail_at(1);
    assert_int_equal(ipc_queue_send(&queue, pair[0], &message), -ENOMEM);
    assert_true(heap_off());
    assert_true(ipc_queue_is_empty(&queue));
    assert_int_equal(ipc_receive(pair[1], buffer, sizeof(buffer), &got),
                     IPC_E_AGAIN);
    assert_int_equal(close(pair[0]), 0);
    assert_int_equal(close(pair[1]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_type_there_and_back),
        cmocka_unit_test(test_known_bytes),
        cmocka_unit_test(test_numbers_at_their_edges),
        cmocka_unit_test(test_refuses_hostile_shapes),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_cleans_text_when_sending),
        cmocka_unit_test(test_passes_a_descriptor),
        cmocka_unit_test(test_refuses_stray_descriptors),
        cmocka_unit_test(test_closes_surplus_descriptors),
        cmocka_unit_test(test_drops_what_does_not_fit),
        cmocka_unit_test(test_hears_last_words),
        cmocka_unit_test(test_queue_keeps_the_order),
        cmocka_unit_test(test_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
