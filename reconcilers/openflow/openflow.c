/*
 * Whole OpenFlow messages to the switch: framing, flow and group changes,
 * bundles, requests.  openflow_put.c writes what is inside flows and groups,
 * openflow_match.c the matches, openflow_parse.c reads what comes back.
 */
#include "reconcilers/openflow/openflow.h"

#include <string.h>

#include "reconcilers/openflow/openflow_internal.h"

#define GROUP_ALL         UINT32_C(0xfffffffc)
#define GROUP_ANY         UINT32_C(0xffffffff)
#define BUCKET_ALL        UINT32_C(0xffffffff)
#define BUFFER_NONE       UINT32_C(0xffffffff)
#define GROUP_TYPE_SELECT 1
#define TABLE_ALL         255

static size_t begin(struct writer *writer, uint8_t type, uint32_t xid)
{
    size_t start = writer_size(writer);

    writer_u8(writer, OPENFLOW_VERSION);
    writer_u8(writer, type);
    writer_u16(writer, OPENFLOW_LENGTH_LATER);
    writer_u32(writer, xid);
    return start;
}

static void finish(struct writer *writer, size_t start)
{
    openflow_set_length(writer, start + 2, writer_size(writer) - start);
}

int openflow_peek(const uint8_t *bytes, size_t size,
                  struct openflow_header *ret)
{
    struct reader reader = reader_init(bytes, size);
    struct openflow_header header;

    header.version = reader_u8(&reader);
    header.type = reader_u8(&reader);
    header.length = reader_u16(&reader);
    header.xid = reader_u32(&reader);
    if (reader.failed) {
        return OPENFLOW_E_AGAIN;
    }
    if (header.length < OPENFLOW_HEADER_SIZE) {
        return OPENFLOW_E_MALFORMED;
    }
    if (size < header.length) {
        return OPENFLOW_E_AGAIN;
    }
    *ret = header;
    return 0;
}

void openflow_put_hello(struct writer *writer, uint32_t xid)
{
    size_t start = begin(writer, OPENFLOW_HELLO, xid);

    writer_u16(writer, 1); /* element: bitmap of versions */
    writer_u16(writer, 8);
    writer_u32(writer, UINT32_C(1) << OPENFLOW_VERSION);
    finish(writer, start);
}

void openflow_put_simple(struct writer *writer, uint8_t type, uint32_t xid,
                         const uint8_t *body, size_t size)
{
    size_t start = begin(writer, type, xid);

    writer_put(writer, body, size);
    finish(writer, start);
}

void openflow_put_flow_mod(struct writer *writer, uint32_t xid,
                           enum openflow_command command,
                           const struct flow *flow)
{
    size_t start = begin(writer, OPENFLOW_FLOW_MOD, xid);
    bool is_delete = false;
    uint64_t cookie = flow->cookie, mask = 0;

    if (command == OPENFLOW_DELETE) {
        is_delete = true;
        cookie &= FLOW_COOKIE_MASK;
        mask = FLOW_COOKIE_MASK;
    } else if (command == OPENFLOW_DELETE_STRICT) {
        is_delete = true;
        mask = UINT64_MAX;
    } else {
        command = OPENFLOW_ADD;
    }
    writer_u64(writer, cookie);
    writer_u64(writer, mask);
    writer_u8(writer, flow->table);
    writer_u8(writer, (uint8_t)command);
    writer_u32(writer, 0); /* no idle, no hard timeout */
    writer_u16(writer, flow->priority);
    writer_u32(writer, BUFFER_NONE);
    writer_u32(writer, OPENFLOW_PORT_ANY);
    writer_u32(writer, GROUP_ANY);
    writer_u32(writer, 0); /* no flags, no importance */
    openflow_put_match(writer, &flow->match);
    if (!is_delete) {
        writer_put(writer, flow->instructions, flow->instructions_size);
    }
    finish(writer, start);
}

/* Experimenter property of the group: "NTR selection method". */
static void put_selection_method(struct writer *writer)
{
    static const char method[16] = "dp_hash";

    writer_u16(writer, 0xffff);
    writer_u16(writer, 40);
    writer_u32(writer, OPENFLOW_NETRONOME);
    writer_u32(writer, 1);
    writer_u32(writer, 0);
    writer_put(writer, method, sizeof(method));
    writer_u64(writer, 0); /* parameter: hash function and seed by default */
}

void openflow_put_group_mod(struct writer *writer, uint32_t xid,
                            enum openflow_command command,
                            const struct group *group)
{
    bool is_delete = command == OPENFLOW_GROUP_DELETE;
    size_t start = begin(writer, OPENFLOW_GROUP_MOD, xid);
    size_t buckets_size = is_delete ? 0 : group->buckets_size;

    writer_u16(writer, (uint16_t)command);
    writer_u8(writer, is_delete ? 0 : GROUP_TYPE_SELECT);
    writer_u8(writer, 0);
    writer_u32(writer, group->id);
    /* More than that makes the whole message too long: finish() fails. */
    writer_u16(writer, (uint16_t)buckets_size);
    writer_u16(writer, 0);
    writer_u32(writer, BUCKET_ALL);
    if (!is_delete) {
        writer_put(writer, group->buckets, buckets_size);
        put_selection_method(writer);
    }
    finish(writer, start);
}

void openflow_put_meter_mod(struct writer *writer, uint32_t xid,
                            enum openflow_command command, uint32_t meter_id,
                            uint32_t packets_per_s)
{
    enum { PACKETS = 1u << 1, BURST = 1u << 2, DROP = 1 };
    size_t start = begin(writer, OPENFLOW_METER_MOD, xid);

    writer_u16(writer, (uint16_t)command);
    writer_u16(writer, PACKETS | BURST);
    writer_u32(writer, meter_id);
    writer_u16(writer, DROP);
    writer_u16(writer, 16);
    writer_u32(writer, packets_per_s);
    writer_u32(writer, packets_per_s); /* burst: a second's */
    writer_u32(writer, 0);
    finish(writer, start);
}

void openflow_put_packet_out(struct writer *writer, uint32_t xid,
                             uint32_t in_port, const uint8_t *actions,
                             size_t actions_size, const uint8_t *frame,
                             size_t frame_size)
{
    const struct flow_match match = {.fields = FLOW_IN_PORT,
                                     .in_port = in_port};
    size_t start = begin(writer, OPENFLOW_PACKET_OUT, xid);

    writer_u32(writer, BUFFER_NONE);
    writer_u16(writer, (uint16_t)actions_size);
    writer_u16(writer, 0);
    openflow_put_match(writer, &match);
    writer_put(writer, actions, actions_size);
    writer_put(writer, frame, frame_size);
    finish(writer, start);
}

void openflow_put_bundle_control(struct writer *writer, uint32_t xid,
                                 uint32_t bundle_id, uint16_t type,
                                 uint16_t flags)
{
    size_t start = begin(writer, OPENFLOW_BUNDLE_CONTROL, xid);

    writer_u32(writer, bundle_id);
    writer_u16(writer, type);
    writer_u16(writer, flags);
    finish(writer, start);
}

void openflow_put_bundle_add(struct writer *writer, uint32_t xid,
                             uint32_t bundle_id, uint16_t flags,
                             const uint8_t *message, size_t size)
{
    size_t start = begin(writer, OPENFLOW_BUNDLE_ADD, xid);

    writer_u32(writer, bundle_id);
    writer_u16(writer, 0);
    writer_u16(writer, flags);
    writer_put(writer, message, size);
    finish(writer, start);
}

static size_t begin_multipart(struct writer *writer, uint32_t xid,
                              uint16_t type)
{
    size_t start = begin(writer, OPENFLOW_MULTIPART_REQUEST, xid);

    writer_u16(writer, type);
    writer_be(writer, 0, 6); /* flags: no more; padding */
    return start;
}

void openflow_put_flow_stats_request(struct writer *writer, uint32_t xid,
                                     uint64_t cookie, uint64_t mask)
{
    const struct flow_match any = {0};
    size_t start = begin_multipart(writer, xid, OPENFLOW_MULTIPART_FLOWS);

    writer_u8(writer, TABLE_ALL);
    writer_be(writer, 0, 3);
    writer_u32(writer, OPENFLOW_PORT_ANY);
    writer_u32(writer, GROUP_ANY);
    writer_u32(writer, 0);
    writer_u64(writer, cookie);
    writer_u64(writer, mask);
    openflow_put_match(writer, &any);
    finish(writer, start);
}

void openflow_put_group_desc_request(struct writer *writer, uint32_t xid)
{
    size_t start = begin_multipart(writer, xid, OPENFLOW_MULTIPART_GROUPS);

    writer_u32(writer, GROUP_ALL);
    writer_u32(writer, 0);
    finish(writer, start);
}

void openflow_put_port_desc_request(struct writer *writer, uint32_t xid)
{
    size_t start = begin_multipart(writer, xid, OPENFLOW_MULTIPART_PORTS);

    writer_u32(writer, OPENFLOW_PORT_ANY);
    writer_u32(writer, 0);
    finish(writer, start);
}

void openflow_put_meter_desc_request(struct writer *writer, uint32_t xid,
                                     uint32_t meter_id)
{
    size_t start = begin_multipart(writer, xid, OPENFLOW_MULTIPART_METERS);

    writer_u32(writer, meter_id);
    writer_u32(writer, 0);
    finish(writer, start);
}

void openflow_put_flow_monitor_request(struct writer *writer, uint32_t xid,
                                       uint32_t monitor_id)
{
    enum { ADDED = 1u << 1, REMOVED = 1u << 2, MODIFIED = 1u << 3 };
    const struct flow_match any = {0};
    size_t start = begin_multipart(writer, xid, OPENFLOW_MULTIPART_MONITOR);

    writer_u32(writer, monitor_id);
    writer_u32(writer, OPENFLOW_PORT_ANY);
    writer_u32(writer, GROUP_ANY);
    writer_u16(writer, ADDED | REMOVED | MODIFIED);
    writer_u8(writer, TABLE_ALL);
    writer_u8(writer, 0); /* command: add this monitor */
    openflow_put_match(writer, &any);
    finish(writer, start);
}

void openflow_put_set_config(struct writer *writer, uint32_t xid)
{
    /* flags, then a miss length; only that it is not 0 matters, since the
     * planner's flows name their own. */
    static const uint8_t body[4] = {0, 0, 0, 128};

    openflow_put_simple(writer, OPENFLOW_SET_CONFIG, xid, body, sizeof(body));
}

void openflow_put_set_async(struct writer *writer, uint32_t xid)
{
    enum { SLAVE_FIRST = 0, LAST = 11 };
    /* Which reasons are wanted, in pairs of properties (as slave, else). */
    static const uint32_t wanted[] = {
        0x3f, /* packet-in: each */
        0x07, /* port status: add, delete, modify */
        0x00, /* flow removed: the flow monitor says it */
        0x00, /* role */
        0x00, /* table */
        0x03, /* request-forward: groups, meters */
    };
    size_t start = begin(writer, OPENFLOW_SET_ASYNC, xid);

    for (uint16_t type = SLAVE_FIRST; type <= LAST; type++) {
        writer_u16(writer, type);
        writer_u16(writer, 8);
        writer_u32(writer, wanted[type / 2]);
    }
    finish(writer, start);
}

/* One direction of a connection: `tag` 1 is its source, 2... see
 * openflow_put_ct_flush. */
static void put_ct_tuple(struct writer *writer, uint16_t direction,
                         uint16_t field, const struct address *address)
{
    static const uint8_t v4_in_v6[12] = {[10] = 0xff, [11] = 0xff};

    writer_u16(writer, direction);
    writer_u16(writer, 32);
    writer_u32(writer, 0);
    writer_u16(writer, field);
    writer_u16(writer, 20);
    if (address->family == 4) {
        writer_put(writer, v4_in_v6, sizeof(v4_in_v6));
    }
    writer_put(writer, address->bytes, address_size(address));
    writer_u32(writer, 0);
}

void openflow_put_ct_flush(struct writer *writer, uint32_t xid, uint16_t zone,
                           const struct address *service,
                           const struct address *backend, uint8_t protocol)
{
    enum { SUBTYPE = 32, ORIGINAL = 0, REPLY = 1, ZONE = 2 };
    enum { SOURCE = 0, DESTINATION = 1 };
    size_t start = begin(writer, OPENFLOW_EXPERIMENTER, xid);

    writer_u32(writer, OPENFLOW_NICIRA);
    writer_u32(writer, SUBTYPE);
    writer_u8(writer, protocol);
    writer_be(writer, 0, 7);
    /* Went to the service address, is answered by the backend. */
    put_ct_tuple(writer, ORIGINAL, DESTINATION, service);
    put_ct_tuple(writer, REPLY, SOURCE, backend);
    writer_u16(writer, ZONE);
    writer_u16(writer, 8);
    writer_u16(writer, zone);
    writer_u16(writer, 0);
    finish(writer, start);
}
