/*
 * The codec without a switch: bytes that a switch accepted or sent, and what
 * becomes of broken ones.  The argument is the folder of the fuzz seeds,
 * which were taken from Open vSwitch 3.1.
 */
#include <stdio.h>

#include "reconcilers/openflow/openflow.h"
#include "reconcilers/openflow/openflow_internal.h"
#include "tests/unit/plan_sample.h"

static const char *seeds;

static uint8_t *read_seed(const char *name, size_t *ret_size)
{
    char path[512];
    uint8_t *bytes = malloc(65536);
    FILE *file;

    assert_non_null(bytes);
    (void)snprintf(path, sizeof(path), "%s/%s", seeds, name);
    file = fopen(path, "rb");
    assert_non_null(file);
    *ret_size = fread(bytes, 1, 65536, file);
    assert_int_equal(fclose(file), 0);
    return bytes;
}

static void expect_bytes(const struct writer *writer, const char *hex)
{
    char text[1024] = "";

    assert_false(writer->failed);
    assert_true(2 * writer_size(writer) < sizeof(text));
    for (size_t i = 0; i < writer_size(writer); i++) {
        (void)snprintf(text + 2 * i, 3, "%02x", writer->start[i]);
    }
    assert_string_equal(text, hex);
}

/* --- Writing. --- */

static void test_actions(void **state)
{
    static const uint8_t mac[6] = {0x0a, 0, 0, 0, 1, 0xc8};
    struct address backend = sample_address("10.0.1.202");
    struct address backend6 = sample_address("fc00::1");
    struct openflow_ct ct = {.zone = 70,
                             .commit = true,
                             .destination = &backend,
                             .port = 6333,
                             .table = 7};
    uint8_t bytes[256];
    struct writer writer = writer_init(bytes, sizeof(bytes));

    (void)state;
    openflow_put_output(&writer, OPENFLOW_PORT_CONTROLLER, 128);
    expect_bytes(&writer, "00000010fffffffd0080000000000000");
    writer = writer_init(bytes, sizeof(bytes));
    openflow_put_output(&writer, 200, 128); /* a length is for the worker */
    openflow_put_group(&writer, 0x5e000001);
    openflow_put_dec_ttl(&writer);
    expect_bytes(&writer, "00000010000000c80000000000000000"
                          "001600085e0000010018000800000000");
    writer = writer_init(bytes, sizeof(bytes));
    openflow_put_set_eth_src(&writer, mac);
    openflow_put_set_reg(&writer, 0, 0x01020304);
    openflow_put_resubmit(&writer, 1);
    expect_bytes(&writer, "00190010800008060a00000001c80000"
                          "00190010000100040102030400000000"
                          "ffff001000002320000efff801000000");
    writer = writer_init(bytes, sizeof(bytes));
    openflow_put_ct(&writer, &ct);
    expect_bytes(&writer, "ffff003000002320002300010000000000460700"
                          "00000000ffff00180000232000240000000200110a0001ca"
                          "18bd0000");
    writer = writer_init(bytes, sizeof(bytes));
    ct.destination = &backend6;
    ct.port = 80;
    openflow_put_ct(&writer, &ct);
    expect_bytes(&writer, "ffff004000002320002300010000000000460700"
                          "00000000ffff002800002320002400000002001"
                          "4fc00000000000000000000000000000100500000"
                          "00000000");
    writer = writer_init(bytes, sizeof(bytes));
    ct = (struct openflow_ct){.zone = 70, .nat = true, .table = 4};
    openflow_put_ct(&writer, &ct);
    expect_bytes(&writer, "ffff002800002320002300000000000000460400"
                          "00000000ffff001000002320002400000000"
                          "0000");
}

static void test_messages(void **state)
{
    const struct flow flow = {
        .table = 3,
        .priority = 50,
        .cookie = flow_cookie(FLOW_KIND_BASE, 5),
        .match = {.fields = FLOW_ETH_TYPE, .eth_type = 0x0800}};
    struct address service = sample_address("100.104.70.10");
    struct address backend = sample_address("10.0.2.200");
    uint8_t bytes[256];
    struct writer writer = writer_init(bytes, sizeof(bytes));

    (void)state;
    openflow_put_hello(&writer, 1);
    expect_bytes(&writer, "06000010000000010001000800000040");
    writer = writer_init(bytes, sizeof(bytes));
    openflow_put_flow_mod(&writer, 9, OPENFLOW_MODIFY_STRICT, &flow);
    expect_bytes(&writer, "060e004000000009"
                          "736e0101000000050000000000000000" /* cookie */
                          "030000000000"                     /* an add */
                          "0032ffffffffffffffffffffffff00000000"
                          "0001000a80000a020800000000000000");
    writer = writer_init(bytes, sizeof(bytes));
    openflow_put_flow_mod(&writer, 9, OPENFLOW_DELETE, &flow);
    expect_bytes(&writer, "060e004000000009"
                          "736e000000000000ffff000000000000"
                          "030300000000"
                          "0032ffffffffffffffffffffffff00000000"
                          "0001000a80000a020800000000000000");
    writer = writer_init(bytes, sizeof(bytes));
    openflow_put_ct_flush(&writer, 2, 70, &service, &backend, 6);
    expect_bytes(&writer, "060400600000000200002320000000200600000000000000"
                          "0000002000000000000100140000000000000000"
                          "0000ffff6468460a00000000"
                          "0001002000000000000000140000000000000000"
                          "0000ffff0a0002c8000000000002000800460000");
}

static void test_no_room(void **state)
{
    uint8_t bytes[20];
    struct writer writer = writer_init(bytes, sizeof(bytes));
    const struct flow flow = {0};

    (void)state;
    openflow_put_flow_mod(&writer, 1, OPENFLOW_ADD, &flow);
    assert_true(writer.failed);
}

/* --- Matches. --- */

static struct flow random_flow(uint32_t seed)
{
    struct flow flow = {.table = 1, .priority = 2};
    struct flow_match *match = &flow.match;

    match->fields = FLOW_ETH_TYPE;
    match->eth_type = seed & 1 ? 0x0800 : seed & 2 ? 0x0806 : 0x86dd;
    if (seed & 4) {
        match->fields |= FLOW_IN_PORT;
        match->in_port = seed;
    }
    if (seed & 8) {
        match->fields |= FLOW_ETH_SRC | FLOW_ETH_DST;
        memset(match->eth_src, 0x22, 6);
        memset(match->eth_src_mask, 0xff, 6);
        match->eth_dst[0] = 1;
        match->eth_dst_mask[0] = 1;
    }
    if (seed & 16) {
        match->fields |= FLOW_NW_SRC | FLOW_NW_DST;
        match->nw_src = sample_prefix(match->eth_type == 0x86dd ? "fd00::/9"
                                                                : "10.0.0.0/9");
        match->nw_dst = sample_prefix(
            match->eth_type == 0x86dd ? "fd00::1/128" : "10.0.0.1/32");
    }
    if (seed & 32 && match->eth_type != 0x0806) {
        match->fields |=
            FLOW_IP_PROTO | FLOW_TP_SRC | FLOW_TP_DST | FLOW_TCP_FLAGS;
        match->ip_proto = 6;
        match->tp_src = 53;
        match->tp_dst = 6379;
        match->tcp_flags_mask = 2;
    }
    if (seed & 64 && match->eth_type == 0x0806) {
        match->fields |= FLOW_ARP_OP | FLOW_ARP_SHA;
        match->arp_op = 2;
        memset(match->arp_sha, 0x11, 6);
    }
    if (seed & 128) {
        match->fields |= FLOW_CT_STATE | FLOW_CT_ZONE;
        match->ct_state = 0x21;
        match->ct_state_mask = 0x31;
        match->ct_zone = 71;
    }
    if (seed & 256) {
        match->fields |= FLOW_REG0 | FLOW_REG1;
        match->reg0 = 1;
        match->reg0_mask = 1;
        match->reg1 = 0x12345678;
        match->reg1_mask = UINT32_MAX;
    }
    return flow;
}

/* A flow's entry as a switch would send it: the match of a flow-mod between
 * the head and empty statistics. */
static size_t make_entry(const struct flow *flow, uint8_t *bytes, size_t size)
{
    uint8_t message[512];
    struct writer inner = writer_init(message, sizeof(message));
    struct writer writer = writer_init(bytes, size);

    openflow_put_flow_mod(&inner, 0, OPENFLOW_ADD, flow);
    assert_false(inner.failed);
    writer_u16(&writer, (uint16_t)(24 + writer_size(&inner) - 48 + 8));
    writer_u16(&writer, 0);
    writer_u8(&writer, flow->table);
    writer_u8(&writer, 0);
    writer_u16(&writer, flow->priority);
    writer_u64(&writer, 0);
    writer_u64(&writer, flow->cookie);
    writer_put(&writer, message + 48, writer_size(&inner) - 48);
    writer_u32(&writer, 4); /* statistics: only their own length */
    writer_u32(&writer, 0);
    assert_false(writer.failed);
    return writer_size(&writer);
}

static void test_matches_come_back(void **state)
{
    (void)state;
    for (uint32_t seed = 0; seed < 512; seed++) {
        struct flow flow = random_flow(seed), other = random_flow(seed + 1);
        struct flow again;
        uint8_t bytes[512];
        size_t size = make_entry(&flow, bytes, sizeof(bytes));
        struct reader reader = reader_init(bytes, size);

        assert_int_equal(openflow_next_flow(&reader, &again), 0);
        assert_int_equal(flow_compare_key(&flow, &again), 0);
        assert_true(flow_equal(&flow, &again));
        assert_int_equal(flow_compare_key(&flow, &other) < 0,
                         flow_compare_key(&other, &flow) > 0);
        assert_int_equal(openflow_next_flow(&reader, &again), OPENFLOW_E_AGAIN);
        for (size_t cut = 0; cut < size; cut++) {
            reader = reader_init(bytes, cut);
            assert_int_equal(openflow_next_flow(&reader, &again),
                             cut == 0 ? OPENFLOW_E_AGAIN
                                      : OPENFLOW_E_MALFORMED);
            /* And again: who goes on regardless comes to an end. */
            assert_int_equal(openflow_next_flow(&reader, &again),
                             cut == 0 ? OPENFLOW_E_AGAIN
                                      : OPENFLOW_E_MALFORMED);
        }
    }
}

/* A field that is longer or shorter than it should be, or has a mask where
 * none belongs, is nothing that we know: it must not be read as if. */
static void test_field_sizes(void **state)
{
    static const struct {
        uint32_t header;
        bool has_mask;
    } fields[] = {
        {OXM_IN_PORT, false},  {OXM_ETH_DST, true},   {OXM_ETH_SRC, true},
        {OXM_ETH_TYPE, false}, {OXM_IP_PROTO, false}, {OXM_IPV4_SRC, true},
        {OXM_IPV4_DST, true},  {OXM_TCP_SRC, false},  {OXM_TCP_DST, false},
        {OXM_UDP_SRC, false},  {OXM_UDP_DST, false},  {OXM_ARP_OP, false},
        {OXM_ARP_SPA, true},   {OXM_ARP_TPA, true},   {OXM_ARP_SHA, false},
        {OXM_IPV6_SRC, true},  {OXM_IPV6_DST, true},  {OXM_CT_STATE, true},
        {OXM_CT_ZONE, false},  {OXM_REG0, true},      {OXM_REG1, true},
        {OXM_XREG0, true},     {OXM_TCP_FLAGS, true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        size_t size = fields[i].header & 0xff;

        for (size_t given = 0; given <= 2 * size + 1; given++) {
            for (unsigned is_masked = 0; is_masked < 2; is_masked++) {
                uint8_t bytes[96] = {0};
                struct writer writer = writer_init(bytes, sizeof(bytes));
                bool is_right = given == size * (1 + is_masked) &&
                                (is_masked == 0 || fields[i].has_mask);
                struct flow_match match;
                struct reader reader;

                writer_u16(&writer, 1);
                writer_u16(&writer, (uint16_t)(8 + given));
                writer_u32(&writer, (fields[i].header & ~UINT32_C(0xff)) |
                                        (is_masked ? OXM_HAS_MASK : 0) |
                                        (uint32_t)given);
                /* A mask of ones: every value is one. */
                memset(bytes + 8, 0xff, given);
                reader = reader_init(bytes, sizeof(bytes));
                assert_int_equal(openflow_parse_match(&reader, &match), 0);
                if (((match.fields & FLOW_OTHER) == 0) != is_right) {
                    fail_msg("field %08x, %zu bytes, mask %u", fields[i].header,
                             given, is_masked);
                }
            }
        }
    }
}

static int parse_match(const uint8_t *bytes, size_t size,
                       struct flow_match *ret)
{
    struct reader reader = reader_init(bytes, size);

    return openflow_parse_match(&reader, ret);
}

static void test_match_heads(void **state)
{
    static const uint8_t none[] = {0, 1, 0, 4, 0, 0, 0, 0};
    static const uint8_t other_type[] = {0, 0, 0, 4, 0, 0, 0, 0};
    static const uint8_t too_short[] = {0, 1, 0, 3, 0, 0, 0, 0};
    /* xreg0: a value and a mask for each of its halves. */
    static const uint8_t xreg[] = {0, 1, 0, 24,   0x80, 0x01, 0x01, 16,
                                   0, 0, 0, 7,    0,    0,    0,    9,
                                   0, 0, 0, 0x0f, 0,    0,    0xff, 0xff};
    struct flow_match match;

    (void)state;
    assert_int_equal(parse_match(none, sizeof(none), &match), 0);
    assert_int_equal(match.fields, 0);
    assert_int_equal(parse_match(other_type, sizeof(other_type), &match),
                     OPENFLOW_E_MALFORMED);
    assert_int_equal(parse_match(too_short, sizeof(too_short), &match),
                     OPENFLOW_E_MALFORMED);
    assert_int_equal(parse_match(xreg, sizeof(xreg), &match), 0);
    assert_int_equal(match.fields, FLOW_REG0 | FLOW_REG1);
    assert_int_equal(match.reg0, 7);
    assert_int_equal(match.reg0_mask, 0x0f);
    assert_int_equal(match.reg1, 9);
    assert_int_equal(match.reg1_mask, 0xffff);
}

/* What follows the mask is not part of it. */
static void test_mask_len(void **state)
{
    static const uint8_t ones[] = {0xff, 0xff, 0xff, 0xff, 0xff};
    static const uint8_t some[] = {0xff, 0xf8, 0, 0, 0xff};
    static const uint8_t holes[] = {0xff, 0xf9, 0, 0};

    (void)state;
    assert_int_equal(openflow_mask_len(ones, 4), 32);
    assert_int_equal(openflow_mask_len(some, 4), 13);
    assert_int_equal(openflow_mask_len(holes, 4), -1);
    assert_int_equal(openflow_mask_len(some + 2, 2), 0);
}

/* Ports have a field of their own for each protocol. */
static void test_port_fields(void **state)
{
    static const struct {
        uint8_t protocol;
        uint32_t source, destination;
    } cases[] = {{6, OXM_TCP_SRC, OXM_TCP_DST}, {17, OXM_UDP_SRC, OXM_UDP_DST}};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct flow_match match = {.fields = FLOW_ETH_TYPE | FLOW_IP_PROTO |
                                             FLOW_TP_SRC | FLOW_TP_DST,
                                   .eth_type = 0x0800,
                                   .ip_proto = cases[i].protocol,
                                   .tp_src = 1,
                                   .tp_dst = 2};
        uint8_t bytes[64];
        struct writer writer = writer_init(bytes, sizeof(bytes));
        struct reader reader;

        openflow_put_match(&writer, &match);
        assert_false(writer.failed);
        reader = reader_init(bytes, writer_size(&writer));
        (void)reader_take(&reader, 4 + 6 + 5); /* head, eth_type, ip_proto */
        assert_int_equal(reader_u32(&reader), cases[i].source);
        assert_int_equal(reader_u16(&reader), 1);
        assert_int_equal(reader_u32(&reader), cases[i].destination);
        assert_int_equal(reader_u16(&reader), 2);
    }
}

/* --- Reading what a switch sent. --- */

static struct reader open_multipart(const uint8_t *bytes, size_t size,
                                    uint16_t wanted)
{
    struct reader entries;
    uint16_t type;
    bool has_more;

    assert_int_equal(
        openflow_parse_multipart(bytes, size, &type, &has_more, &entries), 0);
    assert_int_equal(type, wanted);
    return entries;
}

static void test_flows_of_a_switch(void **state)
{
    _cleanup_(free_pointer) uint8_t *bytes = NULL;
    struct reader entries;
    struct flow flow;
    size_t size, n = 0, n_ours = 0, n_other = 0;
    int r;

    (void)state;
    bytes = read_seed("flows", &size);
    entries = open_multipart(bytes, size, OPENFLOW_MULTIPART_FLOWS);
    while ((r = openflow_next_flow(&entries, &flow)) == 0) {
        char *text = openflow_flow_text(&flow);

        assert_non_null(text);
        assert_null(strstr(text, "malformed"));
        assert_null(strstr(text, "0x00")); /* nothing printed as hex */
        free(text);
        n++;
        n_ours += flow_cookie_is_ours(flow.cookie);
        n_other += (flow.match.fields & FLOW_OTHER) != 0;
        flow_done(&flow);
    }
    assert_int_equal(r, OPENFLOW_E_AGAIN);
    assert_true(n > 60);
    assert_int_equal(n_ours, n);
    assert_int_equal(n_other, 0);
}

static void test_foreign_flow(void **state)
{
    _cleanup_(free_pointer) uint8_t *bytes = NULL;
    struct reader entries;
    struct flow flow, again;
    size_t size;
    char *text;

    (void)state;
    bytes = read_seed("flows_foreign", &size);
    entries = open_multipart(bytes, size, OPENFLOW_MULTIPART_FLOWS);
    assert_int_equal(openflow_next_flow(&entries, &flow), 0);
    assert_true(flow.match.fields & FLOW_OTHER);
    text = openflow_flow_text(&flow);
    assert_non_null(strstr(text, "table=50,priority=5,udp"));
    assert_non_null(strstr(text, "other=0x"));
    free(text);
    /* Equal to itself, not to one with other unknown fields. */
    again = flow;
    assert_int_equal(flow_compare_key(&flow, &again), 0);
    again.match.other++;
    assert_int_not_equal(flow_compare_key(&flow, &again), 0);
    flow_done(&flow);
}

static void test_groups_of_a_switch(void **state)
{
    _cleanup_(free_pointer) uint8_t *bytes = NULL;
    struct reader entries;
    struct group group;
    size_t size, n = 0;

    (void)state;
    bytes = read_seed("groups", &size);
    entries = open_multipart(bytes, size, OPENFLOW_MULTIPART_GROUPS);
    while (openflow_next_group(&entries, &group) == 0) {
        assert_int_equal(group.id & FLOW_GROUP_MASK, FLOW_GROUP_PREFIX);
        assert_false(group.is_other_form);
        assert_true(group.n_buckets > 0);
        group_done(&group);
        n++;
    }
    assert_true(n >= 2);
    assert_int_equal(reader_left(&entries), 0);
    /* The first one's method, after its buckets, under another name. */
    entries = open_multipart(bytes, size, OPENFLOW_MULTIPART_GROUPS);
    for (size_t i = 0; i + 7 < size; i++) {
        if (memcmp(bytes + i, "dp_hash", 7) == 0) {
            bytes[i] = 'x';
            break;
        }
    }
    assert_int_equal(openflow_next_group(&entries, &group), 0);
    assert_true(group.is_other_form);
    group_done(&group);
}

static void test_other_messages(void **state)
{
    _cleanup_(free_pointer) uint8_t *ports = NULL, *packet_in = NULL,
                                    *error = NULL, *event = NULL;
    struct openflow_packet_in packet;
    struct openflow_port port;
    struct reader entries;
    enum openflow_event kind;
    uint16_t type, code;
    char text[128];
    size_t size;

    (void)state;
    ports = read_seed("ports", &size);
    entries = open_multipart(ports, size, OPENFLOW_MULTIPART_PORTS);
    do { /* in no order */
        assert_int_equal(openflow_next_port(&entries, &port), 0);
    } while (port.number != OPENFLOW_PORT_LOCAL);
    assert_string_equal(port.name, "socket");
    assert_int_equal(port.mac[0], 0x0a);
    packet_in = read_seed("packet_in", &size);
    assert_int_equal(openflow_parse_packet_in(packet_in, size, &packet), 0);
    assert_int_equal(packet.in_port, OPENFLOW_PORT_LOCAL);
    assert_int_equal(packet.frame_size, 42);
    assert_int_equal(packet.frame[12] << 8 | packet.frame[13], 0x0806);
    for (size_t cut = 0; cut < size; cut++) {
        assert_int_equal(openflow_parse_packet_in(packet_in, cut, &packet),
                         cut < size - 42 ? OPENFLOW_E_MALFORMED : 0);
    }
    /* Without the port that it came in by. */
    for (size_t i = 24; i < size - 4; i++) {
        if (memcmp(packet_in + i, "\x80\0\0\x04", 4) == 0) {
            packet_in[i + 2] = 2; /* in_phy_port */
        }
    }
    assert_int_equal(openflow_parse_packet_in(packet_in, size, &packet),
                     OPENFLOW_E_MALFORMED);
    error = read_seed("error", &size);
    assert_int_equal(openflow_parse_error(error, size, &type, &code), 0);
    assert_string_equal(openflow_error_text(type, code, text),
                        "type 6 code 8: group does not exist");
    event = read_seed("monitor_removed", &size);
    entries = open_multipart(event, size, OPENFLOW_MULTIPART_MONITOR);
    assert_int_equal(openflow_next_event(&entries, &kind), 0);
    assert_int_equal(kind, OPENFLOW_EVENT_FOREIGN);
    assert_int_equal(openflow_next_event(&entries, &kind), OPENFLOW_E_AGAIN);
}

static void test_peek(void **state)
{
    uint8_t bytes[16] = {6, 0, 0, 16, 0, 0, 0, 9};
    struct openflow_header header;

    (void)state;
    assert_int_equal(openflow_peek(bytes, 7, &header), OPENFLOW_E_AGAIN);
    assert_int_equal(openflow_peek(bytes, 15, &header), OPENFLOW_E_AGAIN);
    assert_int_equal(openflow_peek(bytes, 16, &header), 0);
    assert_int_equal(header.length, 16);
    assert_int_equal(header.xid, 9);
    bytes[3] = 7; /* shorter than its own header: would never advance */
    assert_int_equal(openflow_peek(bytes, 16, &header), OPENFLOW_E_MALFORMED);
}

/* --- Text. --- */

static void expect_text(const struct flow *flow, const char *expected)
{
    char *text = openflow_flow_text(flow);

    assert_string_equal(text, expected);
    free(text);
}

static void test_text(void **state)
{
    uint8_t broken[] = {0, 4, 0, 12, 0, 0, 0, 0, 0, 0, 0, 99};
    /* Others may set an address, which is told as one. */
    uint8_t address[] = {0,    4, 0,    24, 0,  0, 0, 0, 0, 25, 0, 16,
                         0x80, 0, 0x18, 4,  10, 1, 2, 3, 0, 0,  0, 0};
    struct flow flow = random_flow(1 | 4 | 16 | 32 | 128 | 256);

    (void)state;
    expect_text(&flow,
                "table=1,priority=2,tcp,ct_state=+new-inv+trk,ct_zone=71,"
                "reg0=0x1/0x1,reg1=0x12345678,in_port=437,nw_src=10.0.0.0/9,"
                "nw_dst=10.0.0.1,tp_src=53,tp_dst=6379,tcp_flags=0x0/0x2 "
                "actions=drop");
    flow = random_flow(2 | 8 | 16 | 64);
    expect_text(&flow, "table=1,priority=2,arp,dl_src=22:22:22:22:22:22,"
                       "dl_dst=01:00:00:00:00:00/01:00:00:00:00:00,arp_op=2,"
                       "arp_spa=10.0.0.0/9,arp_tpa=10.0.0.1,"
                       "arp_sha=11:11:11:11:11:11 actions=drop");
    flow = (struct flow){.instructions = broken,
                         .instructions_size = sizeof(broken)};
    expect_text(&flow, "table=0,priority=0 actions=malformed");
    flow = (struct flow){.instructions = address,
                         .instructions_size = sizeof(address)};
    expect_text(&flow, "table=0,priority=0 actions=set_field:10.1.2.3->ip_dst");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_actions),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_matches_come_back),
        cmocka_unit_test(test_field_sizes),
        cmocka_unit_test(test_match_heads),
        cmocka_unit_test(test_mask_len),
        cmocka_unit_test(test_port_fields),
        cmocka_unit_test(test_flows_of_a_switch),
        cmocka_unit_test(test_foreign_flow),
        cmocka_unit_test(test_groups_of_a_switch),
        cmocka_unit_test(test_other_messages),
        cmocka_unit_test(test_peek),
        cmocka_unit_test(test_text),
    };

    if (argc != 2) {
        (void)fprintf(stderr, "usage: test_openflow SEEDS\n");
        return 2;
    }
    seeds = argv[1];
    return cmocka_run_group_tests_name("openflow", tests, NULL, NULL);
}
