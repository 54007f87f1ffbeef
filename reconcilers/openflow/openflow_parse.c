/*
 * Reading what the switch sends: multipart replies, packets, errors.  All of
 * it is untrusted; every entry is cut out by its own length first, so a
 * broken one cannot be read past.  Fuzzed by tests/fuzz/fuzz_openflow.c.
 */
#include "reconcilers/openflow/openflow.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reconcilers/openflow/openflow_internal.h"

#define GROUP_TYPE_SELECT 1

int openflow_parse_multipart(const uint8_t *message, size_t size,
                             uint16_t *ret_type, bool *ret_more,
                             struct reader *ret_entries)
{
    struct reader reader = reader_init(message, size);
    uint16_t type, flags;

    (void)reader_take(&reader, OPENFLOW_HEADER_SIZE);
    type = reader_u16(&reader);
    flags = reader_u16(&reader);
    (void)reader_u32(&reader);
    if (reader.failed) {
        return OPENFLOW_E_MALFORMED;
    }
    *ret_type = type;
    *ret_more = (flags & 1) != 0;
    *ret_entries = reader;
    return 0;
}

/* Cuts the next entry, which begins with its own 16-bit length, out of a
 * reply.  0, OPENFLOW_E_AGAIN at the end, OPENFLOW_E_MALFORMED. */
static int next_entry(struct reader *reader, size_t size_min,
                      struct reader *ret_entry)
{
    struct reader peek = *reader;
    const uint8_t *start;
    uint16_t length;

    if (reader->failed) {
        return OPENFLOW_E_MALFORMED;
    }
    if (reader_left(reader) == 0) {
        return OPENFLOW_E_AGAIN;
    }
    length = reader_u16(&peek);
    start = reader_take(reader, length);
    if (peek.failed || start == NULL || length < size_min) {
        reader->failed = true;
        return OPENFLOW_E_MALFORMED;
    }
    *ret_entry = reader_init(start, length);
    (void)reader_take(ret_entry, 2); /* the length, there by size_min */
    return 0;
}

static int copy_rest(struct reader *reader, uint8_t **ret, size_t *ret_size)
{
    size_t size = reader_left(reader);
    uint8_t *bytes = NULL;

    if (size > 0) {
        bytes = malloc(size);
        if (bytes == NULL) {
            return -ENOMEM;
        }
        reader_copy(reader, bytes, size);
    }
    *ret = bytes;
    *ret_size = size;
    return 0;
}

/* The OXS list of a flow: only the two counters are of use. */
static int parse_stats(struct reader *reader, struct flow *flow)
{
    const uint8_t *start;
    struct reader inner;
    uint16_t length;

    (void)reader_u16(reader); /* reserved */
    length = reader_u16(reader);
    if (reader->failed || length < 4) {
        return OPENFLOW_E_MALFORMED;
    }
    start = reader_take(reader, length - 4u);
    (void)reader_take(reader, (8 - length % 8u) % 8u); /* seen as failed */
    if (reader->failed) {
        return OPENFLOW_E_MALFORMED;
    }
    inner = reader_init(start, length - 4u);
    while (reader_left(&inner) > 0) {
        uint32_t header = reader_u32(&inner);
        const uint8_t *value = reader_take(&inner, header & 0xff);
        struct reader number = {0};

        if (value == NULL) {
            return OPENFLOW_E_MALFORMED;
        }
        number = reader_init(value, header & 0xff);
        if (header == OXM(OXM_STATS, 4, 8)) {
            flow->n_packets = reader_u64(&number);
        } else if (header == OXM(OXM_STATS, 5, 8)) {
            flow->n_bytes = reader_u64(&number);
        }
    }
    return 0;
}

int openflow_next_flow(struct reader *reader, struct flow *ret)
{
    struct flow flow = {0};
    struct reader entry;
    int error = next_entry(reader, 32, &entry);

    if (error != 0) {
        return error;
    }
    (void)reader_u16(&entry); /* padding */
    flow.table = reader_u8(&entry);
    (void)reader_u8(&entry);
    flow.priority = reader_u16(&entry);
    (void)reader_u64(&entry); /* timeouts, flags, importance */
    flow.cookie = reader_u64(&entry);
    error = openflow_parse_match(&entry, &flow.match);
    if (error == 0) {
        error = parse_stats(&entry, &flow);
    }
    if (error == 0) {
        error = copy_rest(&entry, &flow.instructions, &flow.instructions_size);
    }
    if (error != 0) {
        reader->failed = true;
        return error;
    }
    *ret = flow;
    return 0;
}

/* Whether a group's properties are exactly our selection method. */
static bool is_dp_hash(struct reader *reader)
{
    static const char method[16] = "dp_hash";
    const uint8_t *name;

    if (reader_u16(reader) != 0xffff || reader_u16(reader) != 40 ||
        reader_u32(reader) != OPENFLOW_NETRONOME || reader_u32(reader) != 1) {
        return false;
    }
    (void)reader_u32(reader);
    name = reader_take(reader, sizeof(method));
    if (name == NULL || memcmp(name, method, sizeof(method)) != 0) {
        return false;
    }
    return reader_u64(reader) == 0 && !reader->failed &&
           reader_left(reader) == 0;
}

static int count_buckets(const uint8_t *bytes, size_t size, uint16_t *ret)
{
    struct reader reader = reader_init(bytes, size), bucket;
    uint16_t n = 0;
    int error;

    /* A bucket is at least 8 bytes of a 16-bit length: n cannot overflow. */
    while ((error = next_entry(&reader, 8, &bucket)) == 0) {
        n++;
    }
    if (error != OPENFLOW_E_AGAIN) {
        return error;
    }
    *ret = n;
    return 0;
}

int openflow_next_group(struct reader *reader, struct group *ret)
{
    struct group group = {0};
    struct reader entry, buckets;
    const uint8_t *start;
    uint16_t size;
    uint8_t type;
    int error = next_entry(reader, 16, &entry);

    if (error != 0) {
        return error;
    }
    type = reader_u8(&entry);
    (void)reader_u8(&entry);
    group.id = reader_u32(&entry);
    size = reader_u16(&entry);
    (void)reader_take(&entry, 6);
    start = reader_take(&entry, size);
    error = OPENFLOW_E_MALFORMED;
    if (start != NULL) {
        error = count_buckets(start, size, &group.n_buckets);
    }
    if (error == 0) {
        buckets = reader_init(start, size);
        error = copy_rest(&buckets, &group.buckets, &group.buckets_size);
    }
    if (error != 0) {
        reader->failed = true;
        return error;
    }
    group.is_other_form = type != GROUP_TYPE_SELECT || !is_dp_hash(&entry);
    *ret = group;
    return 0;
}

int openflow_next_port(struct reader *reader, struct openflow_port *ret)
{
    struct openflow_port port = {0};
    const uint8_t *start;
    struct reader entry, peek = *reader;
    uint16_t length;

    if (reader->failed) {
        return OPENFLOW_E_MALFORMED;
    }
    if (reader_left(reader) == 0) {
        return OPENFLOW_E_AGAIN;
    }
    port.number = reader_u32(&peek);
    length = reader_u16(&peek);
    start = reader_take(reader, length);
    if (peek.failed || start == NULL || length < 40) {
        reader->failed = true;
        return OPENFLOW_E_MALFORMED;
    }
    entry = reader_init(start, length);
    (void)reader_take(&entry, 8); /* number, length, padding */
    reader_copy(&entry, port.mac, sizeof(port.mac));
    (void)reader_u16(&entry);
    reader_copy(&entry, port.name, sizeof(port.name));
    port.name[sizeof(port.name) - 1] = '\0';
    (void)reader_u32(&entry); /* config */
    port.is_link_down = (reader_u32(&entry) & 1) != 0;
    *ret = port;
    return 0;
}

int openflow_next_event(struct reader *reader, enum openflow_event *ret)
{
    enum { ABBREVIATED = 4, PAUSED = 5, RESUMED = 6 };
    struct reader entry;
    int error = next_entry(reader, 8, &entry);

    if (error != 0) {
        return error;
    }
    switch (reader_u16(&entry)) {
    case ABBREVIATED:
        *ret = OPENFLOW_EVENT_OWN;
        break;
    case PAUSED:
        *ret = OPENFLOW_EVENT_PAUSED;
        break;
    case RESUMED:
        *ret = OPENFLOW_EVENT_RESUMED;
        break;
    default:
        *ret = OPENFLOW_EVENT_FOREIGN;
        break;
    }
    return 0;
}

int openflow_parse_packet_in(const uint8_t *message, size_t size,
                             struct openflow_packet_in *ret)
{
    struct openflow_packet_in packet = {0};
    struct reader reader = reader_init(message, size);
    struct flow_match match;
    int error;

    (void)reader_take(&reader, OPENFLOW_HEADER_SIZE);
    (void)reader_take(&reader, 7); /* buffer, length of the frame, reason */
    packet.table = reader_u8(&reader);
    packet.cookie = reader_u64(&reader);
    error = openflow_parse_match(&reader, &match);
    if (error != 0) {
        return error;
    }
    (void)reader_u16(&reader);
    if (reader.failed || !(match.fields & FLOW_IN_PORT)) {
        return OPENFLOW_E_MALFORMED;
    }
    packet.in_port = match.in_port;
    packet.frame_size = reader_left(&reader);
    packet.frame = reader_take(&reader, packet.frame_size);
    *ret = packet;
    return 0;
}

int openflow_parse_error(const uint8_t *message, size_t size,
                         uint16_t *ret_type, uint16_t *ret_code)
{
    struct reader reader = reader_init(message, size);
    uint16_t type, code;

    (void)reader_take(&reader, OPENFLOW_HEADER_SIZE);
    type = reader_u16(&reader);
    code = reader_u16(&reader);
    if (reader.failed) {
        return OPENFLOW_E_MALFORMED;
    }
    *ret_type = type;
    *ret_code = code;
    return 0;
}

const char *openflow_error_text(uint16_t type, uint16_t code,
                                char ret_text[OPENFLOW_ERROR_TEXT_SIZE])
{
    static const struct {
        uint16_t type, code;
        const char *words;
    } known[] = {
        {0, 0,
         "the switch does not speak OpenFlow 1.5; allow it in the "
         "bridge's protocols"},
        {1, 1, "unknown message type"},
        {1, 6, "wrong message length"},
        {2, 4, "an output port does not exist"},
        {2, 9, "a flow names a group that does not exist"},
        {4, 8, "a match field is given without what it needs"},
        {5, 1, "the flow table is full"},
        {5, 2, "table does not exist"},
        {6, 0, "group exists already"},
        {6, 3, "no room for more groups"},
        {6, 8, "group does not exist"},
        {17, 2, "unknown bundle"},
        {17, 3, "bundle is closed (10 s of silence end it)"},
        {17, 11, "a message of the bundle failed"},
    };
    const char *words = NULL;

    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        if (known[i].type == type && known[i].code == code) {
            words = known[i].words;
        }
    }
    (void)snprintf(ret_text, OPENFLOW_ERROR_TEXT_SIZE, "type %u code %u%s%s",
                   type, code, words != NULL ? ": " : "",
                   words != NULL ? words : "");
    return ret_text;
}
