/*
 * gossip/base/limits.h: each limit of the formats at its maximum and one past
 * it. The limits that the node keeps (records per writer, writers, accusers)
 * are tested with the node; those of streams served at once with the agent.
 */
#include "gossip/base/limits.h"

#include <errno.h>
#include <stdlib.h>

#include "gossip/base/unpack.h"
#include "gossip/wire/body.h"
#include "gossip/wire/message.h"
#include "gossip/wire/packet.h"
#include "tests/unit/body_samples.h"
#include "tests/unit/stream_pair.h"
#include "tests/unit/support.h"

/* LIMIT_DATAGRAM_SIZE */
static void test_datagram(void **state)
{
    static const uint8_t payload[PACKET_PAYLOAD_MAX];
    struct packet_context context = {
        .cluster = cluster,
        .source = keys_a.sign_public,
        .destination = keys_b.sign_public,
    };
    struct packet_header header = {
        .type = PACKET_MESSAGES,
        .counter = 1,
        .payload = payload,
        .payload_size = sizeof(payload),
    };
    uint8_t buffer[LIMIT_DATAGRAM_SIZE + 1] = {0};
    struct packet_keys keys;
    size_t size;

    (void)state;
    assert_int_equal(packet_keys_derive(keys_a.exchange_secret,
                                        keys_a.exchange_public,
                                        keys_b.exchange_public, &keys),
                     0);
    size = packet_build(&header, &context, &keys, buffer);
    assert_int_equal(size, LIMIT_DATAGRAM_SIZE);
    assert_int_equal(packet_parse(buffer, size, &header), 0);
    assert_int_equal(header.payload_size, PACKET_PAYLOAD_MAX);
    assert_int_equal(packet_parse(buffer, size + 1, &header), PACKET_E_SIZE);
}

/* A record of `size` bytes, or 0 from record_build; body of zeros. */
static size_t build_sized(uint8_t kind, size_t key_size, size_t size,
                          uint8_t *buffer, size_t buffer_size)
{
    static const uint8_t zeros[LIMIT_MANIFEST_SIZE];
    struct record_fields fields = {
        .kind = kind,
        .cluster = cluster,
        .writer = keys_a.sign_public,
        .order = {.epoch = 1, .seq = 1},
        .key = zeros,
        .key_size = key_size,
        .body = zeros,
        .body_size =
            size - RECORD_HEADER_SIZE - RECORD_SIGNATURE_SIZE - key_size,
    };

    return record_build(&fields, buffer, buffer_size);
}

/* Makes a record one byte longer than its size field said. */
static void lengthen_body(uint8_t *bytes)
{
    unsigned size = (unsigned)bytes[90] << 8 | bytes[91];

    size++;
    bytes[90] = (uint8_t)(size >> 8);
    bytes[91] = (uint8_t)size;
}

/* LIMIT_RECORD_SIZE, LIMIT_CERTIFICATE_SIZE, LIMIT_MANIFEST_SIZE: built,
 * signed, parsed, sent. */
static void check_record_size(uint8_t kind, size_t max)
{
    static uint8_t bytes[LIMIT_MANIFEST_SIZE + 1];
    static uint8_t buffer[LIMIT_MANIFEST_SIZE + 16];
    struct writer writer = writer_init(buffer, sizeof(buffer));
    struct record record;
    struct reader reader;
    struct message message;

    assert_int_equal(record_size_max(kind), max);
    assert_int_equal(build_sized(kind, 7, max + 1, bytes, sizeof(bytes)), 0);
    assert_int_equal(build_sized(kind, 7, max, bytes, sizeof(bytes)), max);
    assert_int_equal(sign_record(bytes, max, keys_a.sign_secret), 0);
    assert_int_equal(record_parse(bytes, max, &record), 0);
    assert_int_equal(sign_verify(&record), 0);
    message_put_record(&writer, bytes, max);
    reader = reader_init(buffer, writer_size(&writer));
    assert_int_equal(message_next(&reader, &message), 0);
    assert_int_equal(message.size, max);
    lengthen_body(bytes);
    bytes[max] = 0;
    assert_int_equal(record_parse(bytes, max + 1, &record), RECORD_E_SIZE);
}

static void test_record(void **state)
{
    (void)state;
    check_record_size(RECORD_SERVICE, LIMIT_RECORD_SIZE);
    check_record_size(255, LIMIT_RECORD_SIZE);
    check_record_size(RECORD_CERTIFICATE, LIMIT_CERTIFICATE_SIZE);
}

static void test_manifest(void **state)
{
    static uint8_t buffer[LIMIT_MANIFEST_SIZE + 16];
    struct writer writer = writer_init(buffer, sizeof(buffer));
    static uint8_t bytes[LIMIT_MANIFEST_SIZE + 1];
    struct reader reader;
    struct message message;

    (void)state;
    check_record_size(RECORD_MANIFEST, LIMIT_MANIFEST_SIZE);
    /* No message carries more, whatever the kind says. */
    message_put_record(&writer, bytes, sizeof(bytes));
    reader = reader_init(buffer, writer_size(&writer));
    assert_int_equal(message_next(&reader, &message), MESSAGE_E_SIZE);
}

/* LIMIT_KEY_SIZE */
static void test_key(void **state)
{
    uint8_t bytes[LIMIT_RECORD_SIZE];
    struct record record;
    size_t size = RECORD_HEADER_SIZE + RECORD_SIGNATURE_SIZE + LIMIT_KEY_SIZE;

    (void)state;
    assert_int_equal(
        build_sized(RECORD_SERVICE, LIMIT_KEY_SIZE, size, bytes, sizeof(bytes)),
        size);
    assert_int_equal(record_parse(bytes, size, &record), 0);
    assert_int_equal(record.key_size, LIMIT_KEY_SIZE);
    assert_int_equal(build_sized(RECORD_SERVICE, LIMIT_KEY_SIZE + 1, size + 1,
                                 bytes, sizeof(bytes)),
                     0);
    bytes[88]++;
    assert_int_equal(record_parse(bytes, size + 1, &record), RECORD_E_SIZE);
}

/* LIMIT_NAME_LEN */
static void test_name(void **state)
{
    char name[LIMIT_NAME_LEN + 2];
    char canonical[BODY_NAME_SIZE];

    (void)state;
    memset(name, 'a', sizeof(name));
    name[LIMIT_NAME_LEN] = '\0';
    assert_true(body_name_valid(name));
    assert_int_equal(body_name_canonical(name, canonical), 0);
    assert_string_equal(name, canonical);
    name[LIMIT_NAME_LEN] = 'a';
    name[LIMIT_NAME_LEN + 1] = '\0';
    assert_false(body_name_valid(name));
    assert_int_equal(body_name_canonical(name, canonical), -EINVAL);
}

/* LIMIT_NAME_LEN on the wire: a function record with a name of `len`. */
static int decode_function_of(size_t len)
{
    uint8_t body[LIMIT_NAME_LEN + 8] = {0x81, 0x01, 0xd9};
    uint8_t buffer[LIMIT_RECORD_SIZE];
    struct body_function function;
    struct record record;

    body[3] = (uint8_t)len;
    memset(body + 4, 'a', len);
    support_record_unsigned(&keys_a, RECORD_FUNCTION, body + 4, len, body,
                            4 + len, buffer, sizeof(buffer), &record);
    return body_get_function(&record, &function);
}

static void test_name_on_wire(void **state)
{
    (void)state;
    assert_int_equal(decode_function_of(LIMIT_NAME_LEN), 0);
    assert_int_equal(decode_function_of(LIMIT_NAME_LEN + 1), RECORD_E_BODY);
}

/* LIMIT_MSGPACK_DEPTH: arrays or maps inside each other. */
static void test_depth(void **state)
{
    uint8_t bytes[3 * (LIMIT_MSGPACK_DEPTH + 1)];
    uint8_t *pos = bytes;

    (void)state;
    memset(bytes, 0x91, sizeof(bytes)); /* [[[...]]] */
    bytes[LIMIT_MSGPACK_DEPTH - 1] = 0x90;
    assert_int_equal(
        unpack_validate(bytes, LIMIT_MSGPACK_DEPTH, LIMIT_MSGPACK_ELEMENTS), 0);
    bytes[LIMIT_MSGPACK_DEPTH - 1] = 0x91;
    bytes[LIMIT_MSGPACK_DEPTH] = 0x90;
    assert_int_equal(
        unpack_validate(bytes, LIMIT_MSGPACK_DEPTH + 1, LIMIT_MSGPACK_ELEMENTS),
        UNPACK_E_MALFORMED);
    for (int i = 0; i < LIMIT_MSGPACK_DEPTH; i++) { /* {1: {1: ... 0}} */
        *pos++ = 0x81;
        *pos++ = 0x01;
    }
    *pos = 0x00;
    assert_int_equal(unpack_validate(bytes, (size_t)(pos - bytes) + 1,
                                     LIMIT_MSGPACK_ELEMENTS),
                     0);
    *pos++ = 0x81;
    *pos++ = 0x01;
    *pos = 0x00;
    assert_int_equal(unpack_validate(bytes, (size_t)(pos - bytes) + 1,
                                     LIMIT_MSGPACK_ELEMENTS),
                     UNPACK_E_MALFORMED);
}

/* LIMIT_MSGPACK_ELEMENTS: array elements, then keys with their values. */
static void test_elements(void **state)
{
    uint8_t bytes[3 + 3 * LIMIT_MSGPACK_ELEMENTS] = {0xdc};
    size_t n_pairs = LIMIT_MSGPACK_ELEMENTS / 2;
    uint8_t *pos;

    (void)state;
    bytes[1] = LIMIT_MSGPACK_ELEMENTS >> 8;
    bytes[2] = LIMIT_MSGPACK_ELEMENTS & 0xff;
    assert_int_equal(unpack_validate(bytes, 3 + LIMIT_MSGPACK_ELEMENTS,
                                     LIMIT_MSGPACK_ELEMENTS),
                     0);
    bytes[2]++;
    assert_int_equal(unpack_validate(bytes, 3 + LIMIT_MSGPACK_ELEMENTS + 1,
                                     LIMIT_MSGPACK_ELEMENTS),
                     UNPACK_E_MALFORMED);
    for (size_t past = 0; past < 2; past++) {
        pos = bytes;
        *pos++ = 0xde;
        *pos++ = 0;
        *pos++ = (uint8_t)(n_pairs + past);
        for (size_t i = 0; i < n_pairs + past; i++) {
            *pos++ = 0xcc;
            *pos++ = (uint8_t)i;
            *pos++ = 0;
        }
        assert_int_equal(unpack_validate(bytes, (size_t)(pos - bytes),
                                         LIMIT_MSGPACK_ELEMENTS),
                         past == 0 ? 0 : UNPACK_E_MALFORMED);
    }
    /* Spread over two levels: 2 + 254, and 2 + 255. */
    memset(bytes, 0, sizeof(bytes));
    bytes[0] = 0x92;
    bytes[2] = 0xdc;
    bytes[4] = LIMIT_MSGPACK_ELEMENTS - 2;
    assert_int_equal(unpack_validate(bytes, 5 + LIMIT_MSGPACK_ELEMENTS - 2,
                                     LIMIT_MSGPACK_ELEMENTS),
                     0);
    bytes[4]++;
    assert_int_equal(unpack_validate(bytes, 5 + LIMIT_MSGPACK_ELEMENTS - 1,
                                     LIMIT_MSGPACK_ELEMENTS),
                     UNPACK_E_MALFORMED);
}

static uint8_t *put_map(uint8_t *pos, size_t n_pairs)
{
    *pos++ = 0xde;
    *pos++ = 0;
    *pos++ = (uint8_t)n_pairs;
    for (size_t i = 0; i < n_pairs; i++) {
        *pos++ = 0xcc;
        *pos++ = (uint8_t)i;
        *pos++ = 0;
    }
    return pos;
}

/* Pairs of one map beside another, and keys where more elements are allowed:
 * half of LIMIT_MSGPACK_ELEMENTS. */
static void test_pairs(void **state)
{
    uint8_t bytes[4 * LIMIT_MSGPACK_ELEMENTS] = {0x92};
    size_t n_keys = LIMIT_MSGPACK_ELEMENTS / 2;
    size_t rest = (LIMIT_MSGPACK_ELEMENTS - 2 - 200) / 2;
    uint8_t *second = put_map(bytes + 1, 100);
    uint8_t *end = put_map(second, rest);

    (void)state;
    assert_int_equal(
        unpack_validate(bytes, (size_t)(end - bytes), LIMIT_MSGPACK_ELEMENTS),
        0);
    end = put_map(second, rest + 1);
    assert_int_equal(
        unpack_validate(bytes, (size_t)(end - bytes), LIMIT_MSGPACK_ELEMENTS),
        UNPACK_E_MALFORMED);
    end = put_map(bytes, n_keys);
    assert_int_equal(unpack_validate(bytes, (size_t)(end - bytes), SIZE_MAX),
                     0);
    end = put_map(bytes, n_keys + 1);
    assert_int_equal(unpack_validate(bytes, (size_t)(end - bytes), SIZE_MAX),
                     UNPACK_E_MALFORMED);
}

/*
 * Raises the number of elements of the list that starts at `at` by one by
 * writing its first element once more, in a copy of the body.
 */
static size_t lengthen_list(const uint8_t *body, size_t size, size_t at,
                            size_t element_size, uint8_t *to)
{
    size_t head = body[at] == 0xdc || body[at] == 0xde ? 3 : 1;

    memcpy(to, body, at + head);
    if (head == 3) {
        to[at + 2]++;
    } else if ((body[at] & 0x0f) == 0x0f) {
        fail_msg("a list of 15 needs a longer head");
    } else {
        to[at]++;
    }
    memcpy(to + at + head, body + at + head, element_size);
    memcpy(to + at + head + element_size, body + at + head, size - at - head);
    return size + element_size;
}

/* Where `list` begins in the body. */
static size_t find_bytes(const uint8_t *body, size_t size, const void *bytes,
                         size_t bytes_size)
{
    const uint8_t *found = memmem(body, size, bytes, bytes_size);

    assert_non_null(found);
    return (size_t)(found - body);
}

static int decode_certificate(const uint8_t *body, size_t size)
{
    uint8_t buffer[LIMIT_RECORD_SIZE];
    struct body_certificate certificate_body;
    struct record record;

    support_record_unsigned(&keys_a, RECORD_CERTIFICATE, keys_a.sign_public, 32,
                            body, size, buffer, sizeof(buffer), &record);
    return body_get_certificate(&record, &certificate_body);
}

/* LIMIT_CERT_ADDRESSES, LIMIT_CERT_SUBNETS, LIMIT_CERT_FUNCTIONS */
static void test_certificate_lists(void **state)
{
    struct body_certificate cert = sample_certificate(&keys_a);
    uint8_t body[LIMIT_RECORD_SIZE];
    uint8_t longer[LIMIT_RECORD_SIZE];
    size_t size;
    size_t at;

    (void)state;
    cert.n_mesh = LIMIT_CERT_ADDRESSES;
    cert.n_subnets = LIMIT_CERT_SUBNETS;
    cert.n_functions = LIMIT_CERT_FUNCTIONS;
    cert.n_scope = LIMIT_CERT_FUNCTIONS;
    for (size_t i = 0; i < LIMIT_CERT_FUNCTIONS; i++) {
        strcpy(cert.functions[i], "f");
        strcpy(cert.scope[i], "s");
    }
    for (size_t i = 0; i < LIMIT_CERT_ADDRESSES; i++) {
        cert.mesh[i] = cert.mesh[0];
    }
    for (size_t i = 0; i < LIMIT_CERT_SUBNETS; i++) {
        cert.subnets[i] = cert.subnets[0];
    }
    assert_int_equal(body_put_certificate(&cert, body, sizeof(body), &size), 0);
    assert_int_equal(decode_certificate(body, size), 0);

    at = find_bytes(body, size, "\x05\x94\xc4\x06", 4) + 1;
    assert_int_equal(
        decode_certificate(longer, lengthen_list(body, size, at, 8, longer)),
        RECORD_E_BODY);
    at = find_bytes(body, size, "\x06\x98\xc4\x05", 4) + 1;
    assert_int_equal(
        decode_certificate(longer, lengthen_list(body, size, at, 7, longer)),
        RECORD_E_BODY);
    at = find_bytes(body, size, "\x08\xdc\x00\x10\xa1", 5) + 1;
    assert_int_equal(
        decode_certificate(longer, lengthen_list(body, size, at, 2, longer)),
        RECORD_E_BODY);
    at = find_bytes(body, size, "\x09\xdc\x00\x10\xa1", 5) + 1;
    assert_int_equal(
        decode_certificate(longer, lengthen_list(body, size, at, 2, longer)),
        RECORD_E_BODY);
}

static int decode_service(const uint8_t *body, size_t size)
{
    uint8_t buffer[LIMIT_RECORD_SIZE];
    struct body_service service;
    struct record record;

    support_record_unsigned(&keys_a, RECORD_SERVICE, "vector-db/a", 11, body,
                            size, buffer, sizeof(buffer), &record);
    return body_get_service(&record, &service);
}

/* LIMIT_SERVICE_TAGS, LIMIT_SERVICE_META, and names of 15 for a port. */
static void test_service_lists(void **state)
{
    struct body_service service = sample_service();
    uint8_t body[LIMIT_RECORD_SIZE];
    uint8_t longer[LIMIT_RECORD_SIZE];
    size_t size;
    size_t at;

    (void)state;
    service.n_tags = LIMIT_SERVICE_TAGS;
    service.n_meta = LIMIT_SERVICE_META;
    strcpy(service.port_name, "fifteen-letters");
    for (size_t i = 0; i < LIMIT_SERVICE_TAGS; i++) {
        strcpy(service.tags[i], "t");
    }
    for (size_t i = 0; i < LIMIT_SERVICE_META; i++) {
        service.meta[i].key[0] = (char)('a' + i);
        service.meta[i].key[1] = '\0';
        strcpy(service.meta[i].value, "v");
    }
    assert_int_equal(body_put_service(&service, body, sizeof(body), &size), 0);
    assert_int_equal(decode_service(body, size), 0);

    at = find_bytes(body, size, "\x0a\x98\xa1t", 4) + 1;
    assert_int_equal(
        decode_service(longer, lengthen_list(body, size, at, 2, longer)),
        RECORD_E_BODY);
    at = find_bytes(body, size,
                    "\x0b\x88\xa1"
                    "a",
                    4) +
         1;
    size = lengthen_list(body, size, at, 4, longer);
    longer[at + 2] = 'z'; /* another key, so that only the number is wrong */
    assert_int_equal(unpack_validate(longer, size, LIMIT_MSGPACK_ELEMENTS), 0);
    assert_int_equal(decode_service(longer, size), RECORD_E_BODY);

    assert_int_equal(body_put_service(&service, body, sizeof(body), &size), 0);
    at = find_bytes(body, size,
                    "\xaf"
                    "fifteen",
                    8);
    memcpy(longer, body, at + 1);
    longer[at]++;
    longer[at + 1] = 'x';
    memcpy(longer + at + 2, body + at + 1, size - at - 1);
    assert_int_equal(decode_service(longer, size + 1), RECORD_E_BODY);
}

/* LIMIT_SERVICE_PORTS */
static void test_service_ports(void **state)
{
    struct body_service service = sample_service();
    uint8_t body[LIMIT_RECORD_SIZE];
    uint8_t longer[LIMIT_RECORD_SIZE];
    size_t size;
    size_t at;

    (void)state;
    service.n_ports = LIMIT_SERVICE_PORTS;
    for (size_t i = 0; i < LIMIT_SERVICE_PORTS; i++) {
        service.ports[i] = (struct body_ports){
            .name = {(char)('a' + i)}, .protocol = 6, .first = 1, .last = 1};
    }
    assert_int_equal(body_put_service(&service, body, sizeof(body), &size), 0);
    assert_int_equal(decode_service(body, size), 0);
    at = find_bytes(body, size,
                    "\x0e\x98\x94\xa1"
                    "a\x06\x01\x01",
                    8) +
         1;
    size = lengthen_list(body, size, at, 6, longer);
    longer[at + 3] = 'z'; /* another name, so that only the number is wrong */
    assert_int_equal(unpack_validate(longer, size, LIMIT_MSGPACK_ELEMENTS), 0);
    assert_int_equal(decode_service(longer, size), RECORD_E_BODY);
}

/* LIMIT_MEMBER_ENDPOINTS */
static void test_member_endpoints(void **state)
{
    struct body_member member = {.protocol_min = 1,
                                 .protocol_max = 1,
                                 .n_endpoints = LIMIT_MEMBER_ENDPOINTS};
    uint8_t body[LIMIT_RECORD_SIZE];
    uint8_t longer[LIMIT_RECORD_SIZE];
    uint8_t buffer[LIMIT_RECORD_SIZE];
    struct body_member got;
    struct record record;
    size_t size;
    size_t at;

    (void)state;
    for (size_t i = 0; i < LIMIT_MEMBER_ENDPOINTS; i++) {
        member.endpoints[i] = (struct endpoint){{4, {192, 0, 2, 1}}, 51820};
    }
    assert_int_equal(body_put_member(&member, body, sizeof(body), &size), 0);
    support_record_unsigned(&keys_a, RECORD_MEMBER, "", 0, body, size, buffer,
                            sizeof(buffer), &record);
    assert_int_equal(body_get_member(&record, &got), 0);
    at = find_bytes(body, size, "\x06\x94\xc4\x06", 4) + 1;
    size = lengthen_list(body, size, at, 8, longer);
    assert_int_equal(unpack_validate(longer, size, LIMIT_MSGPACK_ELEMENTS), 0);
    support_record_unsigned(&keys_a, RECORD_MEMBER, "", 0, longer, size, buffer,
                            sizeof(buffer), &record);
    assert_int_equal(body_get_member(&record, &got), RECORD_E_BODY);
}

static int decode_manifest(size_t n_ids)
{
    static uint8_t ids[(LIMIT_RECORDS_PER_WRITER + 1) * BODY_MANIFEST_ID_SIZE];
    static uint8_t body[LIMIT_MANIFEST_SIZE + 64];
    struct body_manifest got;
    struct record record = {
        .kind = RECORD_MANIFEST,
        .order = {.epoch = 9, .seq = 9},
        .body = body,
    };
    uint8_t *pos = body;

    for (size_t i = 0; i < n_ids; i++) {
        ids[i * BODY_MANIFEST_ID_SIZE] = (uint8_t)(i >> 8);
        ids[i * BODY_MANIFEST_ID_SIZE + 1] = (uint8_t)i;
    }
    memcpy(pos, "\x83\x01\x01\x02\x01\x03\xc5", 7);
    pos += 7;
    *pos++ = (uint8_t)(n_ids * BODY_MANIFEST_ID_SIZE >> 8);
    *pos++ = (uint8_t)(n_ids * BODY_MANIFEST_ID_SIZE);
    memcpy(pos, ids, n_ids * BODY_MANIFEST_ID_SIZE);
    record.body_size = (size_t)(pos - body) + n_ids * BODY_MANIFEST_ID_SIZE;
    return body_get_manifest(&record, &got);
}

/* LIMIT_RECORDS_PER_WRITER as a manifest lists them, and that such a manifest
 * fits LIMIT_MANIFEST_SIZE. */
static void test_manifest_ids(void **state)
{
    static uint8_t ids[LIMIT_RECORDS_PER_WRITER * BODY_MANIFEST_ID_SIZE];
    static uint8_t body[LIMIT_MANIFEST_SIZE];
    struct body_manifest manifest = {
        .upto = {.epoch = UINT64_MAX, .seq = UINT64_MAX},
        .ids = ids,
        .n_ids = LIMIT_RECORDS_PER_WRITER,
    };
    size_t size;

    (void)state;
    assert_int_equal(decode_manifest(LIMIT_RECORDS_PER_WRITER), 0);
    assert_int_equal(decode_manifest(LIMIT_RECORDS_PER_WRITER + 1),
                     RECORD_E_BODY);
    assert_int_equal(body_put_manifest(&manifest, body, sizeof(body), &size),
                     0);
    assert_true(RECORD_HEADER_SIZE + size + RECORD_SIGNATURE_SIZE <=
                LIMIT_MANIFEST_SIZE);
}

/* LIMIT_FRAME_SIZE */
static void test_frame(void **state)
{
    static uint8_t bytes[LIMIT_FRAME_SIZE + 1];
    /* The size field alone: one past the largest ciphertext. */
    static const uint8_t head[] = {0, 0, 0x80, 18};
    struct pair pair = connect_sync();

    (void)state;
    assert_int_equal(
        stream_send_frame(pair.a, bytes, LIMIT_FRAME_SIZE + 1, false),
        -EMSGSIZE);
    assert_int_equal(stream_send_frame(pair.a, bytes, LIMIT_FRAME_SIZE, false),
                     0);
    assert_int_equal(pump(pair.a, pair.b, SIZE_MAX), 0);
    assert_frame(pair.b, bytes, LIMIT_FRAME_SIZE);
    assert_int_equal(stream_receive(pair.b, head, sizeof(head)), 0);
    assert_int_equal(next_result(pair.b), STREAM_E_PROTOCOL);
    pair_done(&pair);
}

/* What a stream keeps while nobody takes it: a frame of input, and
 * LIMIT_STREAM_OUTPUT of output, before the handshake and after it. */
static void test_stream_buffers(void **state)
{
    static uint8_t bytes[LIMIT_FRAME_SIZE];
    const size_t wire = LIMIT_FRAME_SIZE + STREAM_FRAME_OVERHEAD;
    struct stream_config config = sync_config_a();
    struct pair pair = connect_sync();
    struct stream *waiting;
    size_t n_sent = 0;
    size_t n_waiting = 0;
    const uint8_t *output;
    size_t size;

    (void)state;
    while (stream_send_frame(pair.a, bytes, sizeof(bytes), false) == 0) {
        n_sent++;
    }
    assert_int_equal(n_sent, LIMIT_STREAM_OUTPUT / wire);
    assert_int_equal(stream_send_frame(pair.a, bytes, sizeof(bytes), false),
                     -ENOBUFS);
    stream_output(pair.a, &output, &size);
    assert_true(size <= LIMIT_STREAM_OUTPUT);
    /* One frame short of a byte is taken, then the last byte, then no more
     * until a frame has been fetched. */
    assert_int_equal(stream_receive(pair.b, output, wire - 1), 0);
    assert_int_equal(stream_receive(pair.b, output + wire - 1, 1), 0);
    assert_int_equal(stream_receive(pair.b, output + wire, 1), -ENOBUFS);
    assert_frame(pair.b, bytes, sizeof(bytes));
    assert_int_equal(stream_receive(pair.b, output + wire, 1), 0);
    pair_done(&pair);

    assert_int_equal(stream_new_initiator(&config, &waiting), 0);
    while (stream_send_frame(waiting, bytes, sizeof(bytes), false) == 0) {
        n_waiting++;
    }
    assert_true(n_waiting == n_sent || n_waiting == n_sent - 1);
    waiting = stream_free(waiting);
}

/* The certificate of an opening: LIMIT_RECORD_SIZE. */
static void test_stream_certificate(void **state)
{
    static uint8_t large[LIMIT_RECORD_SIZE + 1];
    struct stream_config config = sync_config_a();
    struct stream_opening opening;
    struct stream *stream;
    uint8_t bytes[STREAM_OPENING_SIZE + LIMIT_RECORD_SIZE + 1];
    const uint8_t *output;
    size_t size;

    (void)state;
    config.own_certificate = large;
    config.own_certificate_size = LIMIT_RECORD_SIZE + 1;
    assert_int_equal(stream_new_initiator(&config, &stream), -EINVAL);
    config.own_certificate_size = LIMIT_RECORD_SIZE;
    assert_int_equal(stream_new_initiator(&config, &stream), 0);
    stream_output(stream, &output, &size);
    assert_int_equal(stream_parse_opening(output, size, &opening), 0);
    memcpy(bytes, output, size);
    bytes[121]++;
    assert_int_equal(stream_parse_opening(bytes, size + 1, &opening),
                     STREAM_E_PROTOCOL);
    stream = stream_free(stream);
}

/* LIMIT_REPLAY_WINDOW */
static void test_window(void **state)
{
    const uint64_t newest = 5000;
    struct packet_window window = {.highest = 0};

    (void)state;
    assert_int_equal(packet_window_accept(&window, newest), 0);
    assert_int_equal(
        packet_window_accept(&window, newest - LIMIT_REPLAY_WINDOW + 1), 0);
    assert_int_equal(
        packet_window_accept(&window, newest - LIMIT_REPLAY_WINDOW),
        PACKET_E_REPLAY);
    /* One step on, the oldest falls out, and its bit is the newest's. */
    assert_int_equal(packet_window_accept(&window, newest + 1), 0);
    assert_int_equal(
        packet_window_accept(&window, newest - LIMIT_REPLAY_WINDOW + 1),
        PACKET_E_REPLAY);
    assert_int_equal(
        packet_window_accept(&window, newest - LIMIT_REPLAY_WINDOW + 2), 0);
    /* A jump of one less than the window keeps what is still inside it. */
    assert_int_equal(
        packet_window_accept(&window, newest + LIMIT_REPLAY_WINDOW), 0);
    assert_int_equal(packet_window_accept(&window, newest + 1),
                     PACKET_E_REPLAY);
    assert_int_equal(packet_window_accept(&window, newest + 2), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_datagram),
        cmocka_unit_test(test_record),
        cmocka_unit_test(test_manifest),
        cmocka_unit_test(test_key),
        cmocka_unit_test(test_name),
        cmocka_unit_test(test_name_on_wire),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_elements),
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_certificate_lists),
        cmocka_unit_test(test_service_lists),
        cmocka_unit_test(test_service_ports),
        cmocka_unit_test(test_member_endpoints),
        cmocka_unit_test(test_manifest_ids),
        cmocka_unit_test(test_frame),
        cmocka_unit_test(test_stream_buffers),
        cmocka_unit_test(test_stream_certificate),
        cmocka_unit_test(test_window),
    };

    return cmocka_run_group_tests(tests, stream_pair_setup, NULL);
}
