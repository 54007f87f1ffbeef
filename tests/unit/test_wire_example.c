/*
 * The worked example of docs/WIRE.md: the datagram printed there is made
 * again from the inputs stated there, every value it names is computed again,
 * and the field-by-field table must be that same datagram, byte for byte.
 *
 *   test_wire_example docs/WIRE.md           checks
 *   test_wire_example docs/WIRE.md --print   prints what the page should say
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "gossip/base/cursor.h"
#include "gossip/wire/body.h"
#include "gossip/wire/message.h"
#include "gossip/wire/packet.h"
#include "tests/unit/support.h"

static char *page; /* the whole of docs/WIRE.md */

static const uint8_t cluster[RECORD_CLUSTER_SIZE] = {
    0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7,
    0xc8, 0xc9, 0xca, 0xcb, 0xcc, 0xcd, 0xce, 0xcf};

/* All that the page names. */
struct example {
    struct support_keys a;
    struct support_keys b;
    uint8_t id_a[8];
    uint8_t id_b[8];
    struct packet_keys keys; /* as A holds them */
    uint8_t body[LIMIT_RECORD_SIZE];
    size_t body_size;
    uint8_t record[LIMIT_RECORD_SIZE];
    size_t record_size;
    uint8_t record_id[RECORD_ID_SIZE];
    uint8_t datagram[LIMIT_DATAGRAM_SIZE];
    size_t datagram_size;
};

static struct example example;

/* Columns of the offset in the table of fields. */
#define OFFSET_WIDTH 3

#define EXAMPLE_EPOCH_A ((UINT64_C(7) << 32) | 0x01020304)
#define EXAMPLE_BOOT_B  9
#define EXAMPLE_NONCE   0x1234
#define EXAMPLE_COUNTER 42

static void put_u64(uint8_t bytes[8], uint64_t value)
{
    struct writer writer = writer_init(bytes, 8);

    writer_u64(&writer, value);
}

static uint64_t get_u64(const uint8_t *bytes)
{
    struct reader reader = reader_init(bytes, 8);

    return reader_u64(&reader);
}

static void make_record(struct example *e)
{
    const struct body_service service = {
        .function = "redis",
        .instance = "a",
        .protocol = 6,
        .port = 6379,
        .address = {4, {10, 0, 3, 203}},
        .port_name = "veth203",
        .weight = 100,
    };
    struct record_fields fields = {
        .kind = RECORD_SERVICE,
        .cluster = cluster,
        .writer = e->a.sign_public,
        .serial = 1,
        .order = {.epoch = EXAMPLE_EPOCH_A, .seq = 5},
        .hlc = UINT64_C(1700000000000) << 16 | 3,
        .key = (const uint8_t *)"redis/a",
        .key_size = 7,
        .body = e->body,
    };
    struct record record;

    assert_int_equal(
        body_put_service(&service, e->body, sizeof(e->body), &e->body_size), 0);
    fields.body_size = e->body_size;
    e->record_size = record_build(&fields, e->record, sizeof(e->record));
    assert_int_equal(sign_record(e->record, e->record_size, e->a.sign_secret),
                     0);
    assert_int_equal(record_parse(e->record, e->record_size, &record), 0);
    record_id(&record, e->record_id);
}

static int make_example(void **state)
{
    struct example *e = &example;
    uint8_t payload[PACKET_PAYLOAD_MAX];
    struct writer writer = writer_init(payload, sizeof(payload));
    const struct packet_context context = {
        .cluster = cluster,
        .source = e->a.sign_public,
        .destination = e->b.sign_public,
    };
    struct packet_header header = {
        .type = PACKET_MESSAGES,
        .source_boot = EXAMPLE_EPOCH_A >> 32,
        .destination_boot = EXAMPLE_BOOT_B,
        .counter = EXAMPLE_COUNTER,
        .payload = payload,
    };

    (void)state;
    e->a = support_keys_make(1);
    e->b = support_keys_make(2);
    put_u64(e->id_a, record_node_id(e->a.sign_public));
    put_u64(e->id_b, record_node_id(e->b.sign_public));
    assert_int_equal(packet_keys_derive(e->a.exchange_secret,
                                        e->a.exchange_public,
                                        e->b.exchange_public, &e->keys),
                     0);
    make_record(e);
    /* A holds this one record, so its hash is the fingerprint. */
    message_put_ping(&writer, MESSAGE_PING, EXAMPLE_NONCE,
                     get_u64(e->record_id));
    message_put_record(&writer, e->record, e->record_size);
    header.source_id = record_node_id(e->a.sign_public);
    header.payload_size = writer_size(&writer);
    e->datagram_size = packet_build(&header, &context, &e->keys, e->datagram);
    return 0;
}

/* Named values of the page. */
struct value {
    const char *name;
    const uint8_t *bytes;
    size_t size;
};

static size_t list_values(const struct example *e, struct value values[16])
{
    const struct value all[] = {
        {"cluster", cluster, sizeof(cluster)},
        {"A signing key", e->a.sign_public, 32},
        {"A exchange key", e->a.exchange_public, 32},
        {"A node id", e->id_a, 8},
        {"B signing key", e->b.sign_public, 32},
        {"B exchange key", e->b.exchange_public, 32},
        {"B node id", e->id_b, 8},
        {"key A to B", e->keys.send, 32},
        {"key B to A", e->keys.receive, 32},
        {"record id", e->record_id, 32},
    };

    memcpy(values, all, sizeof(all));
    return ARRAY_SIZE(all);
}

/* The text between "```NAME\n" and the closing fence, malloc'd. */
static char *read_block(const char *name)
{
    char fence[64];
    const char *start;
    const char *end;

    (void)snprintf(fence, sizeof(fence), "\n```%s\n", name);
    start = strstr(page, fence);
    if (start == NULL) {
        fail_msg("docs/WIRE.md has no block ```%s", name);
        return NULL;
    }
    start += strlen(fence);
    end = strstr(start, "\n```");
    assert_non_null(end);
    return strndup(start, (size_t)(end - start) + 1);
}

/* Hexadecimal of one line up to `stop`, blanks ignored. */
static size_t read_hex(const char *text, const char *stop, uint8_t *bytes,
                       size_t room)
{
    size_t size = 0;
    int high = -1;

    for (; text < stop; text++) {
        int digit;

        if (isspace((unsigned char)*text)) {
            continue;
        }
        assert_true(isxdigit((unsigned char)*text));
        digit = *text <= '9' ? *text - '0' : (*text | 0x20) - 'a' + 10;
        if (high < 0) {
            high = digit;
            continue;
        }
        assert_true(size < room);
        bytes[size++] = (uint8_t)(high << 4 | digit);
        high = -1;
    }
    assert_int_equal(high, -1);
    return size;
}

/* "name = hex" on every line, in the order of list_values. */
static void test_values(void **state)
{
    struct value values[16];
    size_t n_values = list_values(&example, values);
    char *block = read_block("values");
    char *rest = block;
    size_t n = 0;

    (void)state;
    for (char *line; (line = strsep(&rest, "\n")) != NULL && *line != '\0';) {
        char *equals = strstr(line, " = ");
        char *end = equals;
        uint8_t bytes[64];
        size_t size;

        assert_non_null(equals);
        assert_true(n < n_values);
        size =
            read_hex(equals + 3, equals + strlen(equals), bytes, sizeof(bytes));
        while (end > line && end[-1] == ' ') {
            end--;
        }
        *end = '\0';
        assert_string_equal(line, values[n].name);
        assert_int_equal(size, values[n].size);
        assert_memory_equal(bytes, values[n].bytes, size);
        n++;
    }
    assert_int_equal(n, n_values);
    free(block);
}

static void test_datagram(void **state)
{
    char *block = read_block("datagram");
    uint8_t bytes[LIMIT_DATAGRAM_SIZE];
    size_t size = read_hex(block, block + strlen(block), bytes, sizeof(bytes));

    (void)state;
    assert_int_equal(size, example.datagram_size);
    assert_memory_equal(bytes, example.datagram, size);
    free(block);
}

/* "offset hex | meaning" on every line; the offsets must follow. */
static void test_fields(void **state)
{
    char *block = read_block("fields");
    char *rest = block;
    uint8_t bytes[LIMIT_DATAGRAM_SIZE];
    size_t size = 0;

    (void)state;
    for (char *line; (line = strsep(&rest, "\n")) != NULL && *line != '\0';) {
        char *bar = strchr(line, '|');
        char *hex = line + OFFSET_WIDTH;

        assert_non_null(bar);
        assert_true(strlen(line) > OFFSET_WIDTH);
        /* A line without an offset goes on with the field above. */
        if (line[OFFSET_WIDTH - 1] != ' ') {
            assert_int_equal(strtoul(line, NULL, 10), size);
        }
        size += read_hex(hex, bar, bytes + size, sizeof(bytes) - size);
    }
    assert_int_equal(size, example.datagram_size);
    assert_memory_equal(bytes, example.datagram, size);
    free(block);
}

/* B reads the datagram of the page and finds what the page states. */
static void test_decode(void **state)
{
    const struct packet_context context = {
        .cluster = cluster,
        .source = example.a.sign_public,
        .destination = example.b.sign_public,
    };
    char *block = read_block("datagram");
    uint8_t bytes[LIMIT_DATAGRAM_SIZE];
    size_t size = read_hex(block, block + strlen(block), bytes, sizeof(bytes));
    struct packet_header header;
    struct packet_keys keys;
    struct body_service service;
    struct message message;
    struct record record;
    struct reader reader;

    (void)state;
    free(block);
    assert_int_equal(packet_keys_derive(example.b.exchange_secret,
                                        example.b.exchange_public,
                                        example.a.exchange_public, &keys),
                     0);
    assert_int_equal(packet_parse(bytes, size, &header), 0);
    assert_int_equal(packet_verify(bytes, size, &context, &keys), 0);
    assert_int_equal(header.type, PACKET_MESSAGES);
    assert_int_equal(header.source_boot, 7);
    assert_int_equal(header.destination_boot, 9);
    assert_true(header.source_id == record_node_id(example.a.sign_public));
    assert_int_equal(header.counter, 42);
    reader = reader_init(header.payload, header.payload_size);
    assert_int_equal(message_next(&reader, &message), 0);
    assert_int_equal(message.type, MESSAGE_PING);
    assert_int_equal(message.nonce, 0x1234);
    assert_true(message.fingerprint == get_u64(example.record_id));
    assert_int_equal(message_next(&reader, &message), 0);
    assert_int_equal(message.type, MESSAGE_RECORD);
    assert_int_equal(reader_left(&reader), 0);
    assert_int_equal(record_parse(message.bytes, message.size, &record), 0);
    assert_int_equal(sign_verify(&record), 0);
    assert_int_equal(record.serial, 1);
    assert_int_equal(record.order.seq, 5);
    assert_true(record.hlc >> 16 == UINT64_C(1700000000000));
    assert_int_equal(body_get_service(&record, &service), 0);
    assert_string_equal(service.function, "redis");
    assert_string_equal(service.instance, "a");
    assert_int_equal(service.port, 6379);
    assert_string_equal(service.port_name, "veth203");
}

/* --- Printing, for whoever edits the page -----------------------------------
 */

static void print_hex(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        printf("%02x", bytes[i]);
    }
}

static void print_example(void)
{
    struct value values[16];
    size_t n = list_values(&example, values);

    printf("```values\n");
    for (size_t i = 0; i < n; i++) {
        printf("%-14s = ", values[i].name);
        print_hex(values[i].bytes, values[i].size);
        printf("\n");
    }
    printf("```\n\n```datagram\n");
    for (size_t i = 0; i < example.datagram_size; i += 32) {
        print_hex(example.datagram + i,
                  MIN_OF((size_t)32, example.datagram_size - i));
        printf("\n");
    }
    printf("```\n");
}

static char *read_page(const char *path)
{
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    size_t room = 0;
    ssize_t size;

    if (file == NULL) {
        return NULL;
    }
    size = getdelim(&text, &room, '\0', file);
    (void)fclose(file); /* only read from */
    if (size < 0) {
        free(text);
        return NULL;
    }
    return text;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_datagram),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_decode),
    };
    int failed;

    if (argc < 2 || sodium_init() < 0) {
        fprintf(stderr, "usage: test_wire_example docs/WIRE.md [--print]\n");
        return 2;
    }
    if (argc > 2) {
        (void)make_example(NULL);
        print_example();
        return 0;
    }
    page = read_page(argv[1]);
    if (page == NULL) {
        fprintf(stderr, "%s: %s\n", argv[1], strerror(errno));
        return 1;
    }
    failed = cmocka_run_group_tests(tests, make_example, NULL);
    free(page);
    return failed;
}
