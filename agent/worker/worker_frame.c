/*
 * See worker_frame.h.  Numbers are big-endian on the wire; checksums are those
 * of RFC 1071, with the pseudo headers of RFC 9293, section 3.1, and RFC 8200,
 * section 8.1.
 */
#include "agent/worker/worker_frame.h"

#include <string.h>

#include "gossip/base/cursor.h"

#define ETHERNET_SIZE 14
#define IPV4_SIZE     20
#define IPV6_SIZE     40
#define TCP_SIZE      20
#define UDP_SIZE      8
#define ICMP_SIZE     8

#define ETH_TYPE_IPV4 0x0800
#define ETH_TYPE_IPV6 0x86dd

#define PROTOCOL_ICMP   1
#define PROTOCOL_TCP    6
#define PROTOCOL_UDP    17
#define PROTOCOL_ICMPV6 58

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

/* Answers are of this host, or seem so. */
#define ANSWER_TTL 64
/* Of a refused packet so much comes back: IPv4's header and 8 bytes (RFC 792)
 * are little, RFC 1812 section 4.3.2.3 says as much as 576 hold. */
#define REFUSED4_MAX (576 - IPV4_SIZE - ICMP_SIZE)
#define REFUSED6_MAX (1280 - IPV6_SIZE - ICMP_SIZE)

static uint16_t get_u16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

/* --- Reading. --- */

static bool parse_ipv4(const uint8_t *bytes, size_t size,
                       struct worker_frame *ret)
{
    const uint8_t *header = bytes + ETHERNET_SIZE;
    size_t header_size, total;

    if (size < ETHERNET_SIZE + IPV4_SIZE || header[0] >> 4 != 4) {
        return false;
    }
    header_size = (size_t)(header[0] & 0xf) * 4;
    total = get_u16(header + 2);
    /* Of a later fragment nobody knows the port. */
    if (header_size < IPV4_SIZE || total < header_size ||
        total > size - ETHERNET_SIZE || (get_u16(header + 6) & 0x1fff) != 0) {
        return false;
    }
    ret->size = ETHERNET_SIZE + total;
    ret->payload = ETHERNET_SIZE + header_size;
    ret->protocol = header[9];
    ret->from.family = 4;
    ret->to.family = 4;
    memcpy(ret->from.bytes, header + 12, 4);
    memcpy(ret->to.bytes, header + 16, 4);
    return true;
}

static bool parse_ipv6(const uint8_t *bytes, size_t size,
                       struct worker_frame *ret)
{
    const uint8_t *header = bytes + ETHERNET_SIZE;
    size_t length;

    if (size < ETHERNET_SIZE + IPV6_SIZE || header[0] >> 4 != 6) {
        return false;
    }
    length = get_u16(header + 4);
    if (length > size - ETHERNET_SIZE - IPV6_SIZE) {
        return false;
    }
    ret->size = ETHERNET_SIZE + IPV6_SIZE + length;
    ret->payload = ETHERNET_SIZE + IPV6_SIZE;
    ret->protocol = header[6];
    ret->from.family = 6;
    ret->to.family = 6;
    memcpy(ret->from.bytes, header + 8, 16);
    memcpy(ret->to.bytes, header + 24, 16);
    return true;
}

bool worker_frame_parse(const uint8_t *bytes, size_t size,
                        struct worker_frame *ret)
{
    struct worker_frame frame = {.bytes = bytes};
    size_t needed = 0;

    if (size < ETHERNET_SIZE) {
        return false;
    }
    switch (get_u16(bytes + 12)) {
    case ETH_TYPE_IPV4:
        if (!parse_ipv4(bytes, size, &frame)) {
            return false;
        }
        break;
    case ETH_TYPE_IPV6:
        if (!parse_ipv6(bytes, size, &frame)) {
            return false;
        }
        break;
    default:
        return false;
    }
    if (frame.protocol == PROTOCOL_TCP) {
        needed = TCP_SIZE;
    } else if (frame.protocol == PROTOCOL_UDP) {
        needed = UDP_SIZE;
    }
    if (frame.size - frame.payload < needed) {
        return false;
    }
    if (needed > 0) {
        frame.from_port = get_u16(bytes + frame.payload);
        frame.to_port = get_u16(bytes + frame.payload + 2);
    }
    *ret = frame;
    return true;
}

/* --- Writing. --- */

/* Adds 16-bit words; an odd byte is the upper half of one. */
static uint32_t add_words(uint32_t sum, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        sum += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
    }
    return sum;
}

static uint16_t finish_sum(uint32_t sum)
{
    while (sum > 0xffff) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)~sum;
}

static void put_sum(uint8_t *at, uint32_t sum)
{
    uint16_t value = finish_sum(sum);

    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

/* Both MACs and both addresses the other way round, then a packet of
 * `protocol` with so much payload. */
static void put_headers(struct writer *writer, const struct worker_frame *frame,
                        uint8_t protocol, size_t payload)
{
    size_t start;

    writer_put(writer, frame->bytes + 6, 6);
    writer_put(writer, frame->bytes, 6);
    if (frame->to.family == 4) {
        writer_u16(writer, ETH_TYPE_IPV4);
        start = writer_size(writer);
        writer_u16(writer, 0x4500);
        writer_u16(writer, (uint16_t)(IPV4_SIZE + payload));
        writer_u32(writer, 0x4000); /* don't fragment */
        writer_u8(writer, ANSWER_TTL);
        writer_u8(writer, protocol);
        writer_u16(writer, 0);
        writer_put(writer, frame->to.bytes, 4);
        writer_put(writer, frame->from.bytes, 4);
        if (!writer->failed) {
            put_sum(writer->start + start + 10,
                    add_words(0, writer->start + start, IPV4_SIZE));
        }
    } else {
        writer_u16(writer, ETH_TYPE_IPV6);
        writer_u32(writer, UINT32_C(0x60000000));
        writer_u16(writer, (uint16_t)payload);
        writer_u8(writer, protocol);
        writer_u8(writer, ANSWER_TTL);
        writer_put(writer, frame->to.bytes, 16);
        writer_put(writer, frame->from.bytes, 16);
    }
}

/* The checksum at `at` of what was written from `start` on; a pseudo header
 * belongs to all but ICMP of IPv4. */
static void put_payload_sum(struct writer *writer,
                            const struct worker_frame *frame, uint8_t protocol,
                            size_t start, size_t at)
{
    size_t size = writer_size(writer) - start;
    uint32_t sum = 0;

    if (writer->failed) {
        return;
    }
    if (protocol != PROTOCOL_ICMP) {
        sum = add_words(sum, frame->to.bytes, address_size(&frame->to));
        sum = add_words(sum, frame->from.bytes, address_size(&frame->from));
        sum += (uint32_t)size + protocol;
    }
    put_sum(writer->start + start + at,
            add_words(sum, writer->start + start, size));
}

static size_t finish(const struct writer *writer)
{
    return writer->failed ? 0 : writer_size(writer);
}

/* Nobody answers what went to, or came from, many. */
static bool is_for_one(const struct worker_frame *frame)
{
    const struct address *from = &frame->from;
    bool is_many = from->family == 4
                       ? from->bytes[0] >= 224 || from->bytes[0] == 0
                       : from->bytes[0] == 0xff;

    return ((frame->bytes[0] | frame->bytes[6]) & 1) == 0 && !is_many;
}

static size_t put_reset(const struct worker_frame *frame, struct writer *writer)
{
    struct reader reader = reader_init(frame->bytes + frame->payload,
                                       frame->size - frame->payload);
    size_t start, header_size;
    uint32_t sequence, acknowledged;
    uint8_t flags;

    (void)reader_u32(&reader); /* ports */
    sequence = reader_u32(&reader);
    acknowledged = reader_u32(&reader);
    header_size = (size_t)(reader_u8(&reader) >> 4) * 4;
    flags = reader_u8(&reader);
    if ((flags & TCP_RST) != 0 || header_size < TCP_SIZE ||
        header_size > frame->size - frame->payload) {
        return 0;
    }
    put_headers(writer, frame, PROTOCOL_TCP, TCP_SIZE);
    start = writer_size(writer);
    writer_u16(writer, frame->to_port);
    writer_u16(writer, frame->from_port);
    if ((flags & TCP_ACK) != 0) {
        writer_u32(writer, acknowledged);
        writer_u32(writer, 0);
    } else {
        writer_u32(writer, 0);
        /* SYN and FIN count as a byte each. */
        writer_u32(writer,
                   sequence +
                       (uint32_t)(frame->size - frame->payload - header_size) +
                       ((flags & TCP_SYN) != 0) + ((flags & TCP_FIN) != 0));
    }
    writer_u8(writer, TCP_SIZE / 4 << 4);
    writer_u8(writer, (flags & TCP_ACK) != 0 ? TCP_RST : TCP_RST | TCP_ACK);
    writer_u16(writer, 0);
    writer_u32(writer, 0); /* checksum, urgent pointer */
    put_payload_sum(writer, frame, PROTOCOL_TCP, start, 16);
    return finish(writer);
}

/* An error report with as much of the packet as it may hold. */
static size_t put_report(const struct worker_frame *frame, uint8_t type,
                         uint8_t code, uint32_t more, struct writer *writer)
{
    bool is_four = frame->to.family == 4;
    uint8_t protocol = is_four ? PROTOCOL_ICMP : PROTOCOL_ICMPV6;
    size_t max = is_four ? REFUSED4_MAX : REFUSED6_MAX;
    size_t size = MIN_OF(frame->size - ETHERNET_SIZE, max);
    size_t start;

    put_headers(writer, frame, protocol, ICMP_SIZE + size);
    start = writer_size(writer);
    writer_u8(writer, type);
    writer_u8(writer, code);
    writer_u16(writer, 0);
    writer_u32(writer, more);
    writer_put(writer, frame->bytes + ETHERNET_SIZE, size);
    put_payload_sum(writer, frame, protocol, start, 2);
    return finish(writer);
}

static size_t put_unreachable(const struct worker_frame *frame,
                              struct writer *writer)
{
    enum { UNREACHABLE4 = 3, PORT4 = 3, UNREACHABLE6 = 1, PORT6 = 4 };

    /* No error is reported about an error report (RFC 1122, section 3.2.2). */
    if (frame->protocol == PROTOCOL_ICMP ||
        frame->protocol == PROTOCOL_ICMPV6) {
        return 0;
    }
    return frame->to.family == 4
               ? put_report(frame, UNREACHABLE4, PORT4, 0, writer)
               : put_report(frame, UNREACHABLE6, PORT6, 0, writer);
}

/* Whether it is an ICMP packet that reports an error. */
static bool is_report(const struct worker_frame *frame)
{
    enum { ECHO_REPLY4 = 0, ECHO4 = 8, QUERIES6 = 128 };
    uint8_t type;

    if ((frame->protocol != PROTOCOL_ICMP &&
         frame->protocol != PROTOCOL_ICMPV6) ||
        frame->size == frame->payload) {
        return false;
    }
    type = frame->bytes[frame->payload];
    return frame->protocol == PROTOCOL_ICMP
               ? type != ECHO_REPLY4 && type != ECHO4
               : type < QUERIES6;
}

size_t worker_frame_too_big(const struct worker_frame *frame, uint32_t mtu,
                            uint8_t ret_answer[WORKER_FRAME_SIZE])
{
    enum { UNREACHABLE4 = 3, TOO_BIG4 = 4, TOO_BIG6 = 2 };
    struct writer writer = writer_init(ret_answer, WORKER_FRAME_SIZE);
    bool is_four = frame->to.family == 4;

    if (!is_for_one(frame) || is_report(frame)) {
        return 0;
    }
    if (!is_four) {
        return put_report(frame, TOO_BIG6, 0, mtu, &writer);
    }
    /* "Don't fragment" is not set: a router would fragment it. */
    return (frame->bytes[ETHERNET_SIZE + 6] & 0x40) != 0
               ? put_report(frame, UNREACHABLE4, TOO_BIG4, mtu, &writer)
               : 0;
}

size_t worker_frame_refuse(const struct worker_frame *frame,
                           uint8_t ret_answer[WORKER_FRAME_SIZE])
{
    struct writer writer = writer_init(ret_answer, WORKER_FRAME_SIZE);

    if (!is_for_one(frame)) {
        return 0;
    }
    return frame->protocol == PROTOCOL_TCP ? put_reset(frame, &writer)
                                           : put_unreachable(frame, &writer);
}

size_t worker_frame_echo(const struct worker_frame *frame,
                         uint8_t ret_answer[WORKER_FRAME_SIZE])
{
    enum { REQUEST4 = 8, REPLY4 = 0, REQUEST6 = 128, REPLY6 = 129 };
    struct writer writer = writer_init(ret_answer, WORKER_FRAME_SIZE);
    const uint8_t *payload = frame->bytes + frame->payload;
    size_t size = frame->size - frame->payload;
    bool is_four = frame->to.family == 4;
    uint8_t protocol = is_four ? PROTOCOL_ICMP : PROTOCOL_ICMPV6;
    size_t start;

    if (!is_for_one(frame) || frame->protocol != protocol || size < ICMP_SIZE ||
        payload[0] != (is_four ? REQUEST4 : REQUEST6) || payload[1] != 0) {
        return 0;
    }
    put_headers(&writer, frame, protocol, size);
    start = writer_size(&writer);
    writer_u8(&writer, is_four ? REPLY4 : REPLY6);
    writer_u8(&writer, 0);
    writer_u16(&writer, 0);
    writer_put(&writer, payload + 4, size - 4);
    put_payload_sum(&writer, frame, protocol, start, 2);
    return finish(&writer);
}
