/*
 * The codec byte for byte: each message that we send, and the edges of each
 * entry that a switch sends.  What a real switch makes of them is
 * test_openflow_switch.c's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gossip/base/text.h"
#include "reconcilers/openflow/openflow.h"
#include "reconcilers/openflow/openflow_internal.h"

#define XID 0x01020304

static uint8_t room[512];

static struct writer writer_on_room(void)
{
    return writer_init(room, sizeof(room));
}

static void expect_bytes(const struct writer *writer, const char *hex)
{
    char text[2 * sizeof(room) + 1];

    assert_false(writer->failed);
    (void)text_from_bytes(writer->start, writer_size(writer), text);
    assert_string_equal(text, hex);
}

static size_t bytes_of(const char *hex, uint8_t *bytes, size_t size)
{
    size_t n = strlen(hex) / 2;

    assert_true(n <= size);
    assert_int_equal(text_to_bytes(hex, strlen(hex), bytes, n), 0);
    return n;
}

static struct address address(const char *text)
{
    struct address found;

    assert_int_equal(address_parse(text, &found), 0);
    return found;
}

/* --- Writing. --- */

static void test_requests(void **state)
{
    struct writer writer = writer_on_room();

    (void)state;
    openflow_put_simple(&writer, OPENFLOW_BARRIER_REQUEST, XID,
                        (const uint8_t *)"abc", 3);
    expect_bytes(&writer, "0614000b01020304616263");
    writer = writer_on_room();
    openflow_put_bundle_control(&writer, XID, 0x0a0b0c0d,
                                OPENFLOW_BUNDLE_COMMIT, 3);
    expect_bytes(&writer, "06210010010203040a0b0c0d00040003");
    writer = writer_on_room();
    openflow_put_bundle_add(&writer, XID, 0x0a0b0c0d, 3, (const uint8_t *)"abc",
                            3);
    expect_bytes(&writer, "06220013010203040a0b0c0d00000003616263");
    writer = writer_on_room();
    openflow_put_flow_stats_request(&writer, XID, UINT64_C(0x1112131415161718),
                                    UINT64_C(0x2122232425262728));
    expect_bytes(&writer, "0612003801020304"
                          "0001000000000000"
                          "ff000000ffffffffffffffff00000000"
                          "11121314151617182122232425262728"
                          "0001000400000000");
    writer = writer_on_room();
    openflow_put_group_desc_request(&writer, XID);
    expect_bytes(&writer, "0612001801020304"
                          "0007000000000000"
                          "fffffffc00000000");
    writer = writer_on_room();
    openflow_put_port_desc_request(&writer, XID);
    expect_bytes(&writer, "0612001801020304"
                          "000d000000000000"
                          "ffffffff00000000");
    writer = writer_on_room();
    openflow_put_flow_monitor_request(&writer, XID, 9);
    expect_bytes(&writer, "0612002801020304"
                          "0010000000000000"
                          "00000009ffffffffffffffff000eff00"
                          "0001000400000000");
}

static void test_settings(void **state)
{
    struct writer writer = writer_on_room();

    (void)state;
    openflow_put_set_config(&writer, XID);
    expect_bytes(&writer, "0609000c0102030400000080");
    writer = writer_on_room();
    openflow_put_set_async(&writer, XID);
    expect_bytes(&writer, "061c006801020304"
                          "000000080000003f000100080000003f"
                          "00020008000000070003000800000007"
                          "00040008000000000005000800000000"
                          "00060008000000000007000800000000"
                          "00080008000000000009000800000000"
                          "000a000800000003000b000800000003");
}

static void test_group_mod(void **state)
{
    uint8_t buckets[] = {0, 8, 0, 0, 0, 0, 0, 1};
    struct group group = {
        .id = 0x5e000001, .buckets = buckets, .buckets_size = sizeof(buckets)};
    struct writer writer = writer_on_room();
    uint8_t *large;

    (void)state;
    openflow_put_group_mod(&writer, XID, OPENFLOW_MODIFY, &group);
    expect_bytes(&writer, "060f004801020304"
                          "000101005e00000100080000ffffffff"
                          "0008000000000001"
                          "ffff00280000154d0000000100000000"
                          "64705f68617368000000000000000000"
                          "0000000000000000");
    writer = writer_on_room();
    openflow_put_group_mod(&writer, XID, OPENFLOW_GROUP_DELETE, &group);
    expect_bytes(&writer, "060f001801020304"
                          "000200005e00000100000000ffffffff");
    /* A message's length has 16 bits. */
    large = calloc(2, 65536);
    assert_non_null(large);
    group.buckets = large;
    for (size_t size = 65535 - 24 - 40; size <= 65536; size++) {
        uint8_t *message = malloc(131072);

        assert_non_null(message);
        writer = writer_init(message, 131072);
        group.buckets_size = size;
        openflow_put_group_mod(&writer, XID, OPENFLOW_ADD, &group);
        assert_int_equal(writer.failed, size > 65535 - 24 - 40);
        free(message);
    }
    free(large);
}

static void test_packet_out(void **state)
{
    uint8_t actions[16];
    struct writer writer = writer_init(actions, sizeof(actions));

    (void)state;
    openflow_put_output(&writer, 5, 0);
    assert_int_equal(writer_size(&writer), sizeof(actions));
    writer = writer_on_room();
    openflow_put_packet_out(&writer, XID, OPENFLOW_PORT_CONTROLLER, actions,
                            sizeof(actions), (const uint8_t *)"frame", 5);
    expect_bytes(&writer, "060d003501020304"
                          "ffffffff00100000"
                          "0001000c80000004fffffffd00000000"
                          "00000010000000050000000000000000"
                          "6672616d65");
}

static void test_flush(void **state)
{
    struct address service = address("fd00:80::10");
    struct address backend = address("fd00:2::203");
    struct writer writer = writer_on_room();

    (void)state;
    openflow_put_ct_flush(&writer, XID, 71, &service, &backend, 17);
    expect_bytes(&writer, "060400600102030400002320000000201100000000000000"
                          "000000200000000000010014"
                          "fd00008000000000000000000000001000000000"
                          "000100200000000000000014"
                          "fd00000200000000000000000000020300000000"
                          "0002000800470000");
}

static void test_nat_and_buckets(void **state)
{
    struct address v4 = address("10.0.1.202"), v6 = address("fc00::1");
    struct openflow_ct ct = {
        .zone = 0x4647, .commit = true, .source = &v4, .table = 255};
    struct writer writer = writer_on_room();

    (void)state;
    openflow_put_ct(&writer, &ct);
    expect_bytes(&writer, "ffff0030000023200023000100000000"
                          "4647ff0000000000"
                          "ffff0018000023200024000000010001"
                          "0a0001ca00000000");
    writer = writer_on_room();
    ct = (struct openflow_ct){.zone = 1, .source = &v6, .table = 3};
    openflow_put_ct(&writer, &ct);
    expect_bytes(&writer, "ffff0038000023200023000000000000"
                          "0001030000000000"
                          "ffff0020000023200024000000010004"
                          "fc000000000000000000000000000001");
    writer = writer_on_room();
    ct = (struct openflow_ct){.zone = 1, .table = 3};
    openflow_put_ct(&writer, &ct);
    expect_bytes(&writer, "ffff0018000023200023000000000000"
                          "0001030000000000");
    writer = writer_on_room();
    openflow_put_bucket(&writer, 0x0a0b0c0d, 0x0102,
                        (const uint8_t *)"\0\26\0\10\0\0\0\7", 8);
    expect_bytes(&writer, "001800080a0b0c0d"
                          "0016000800000007"
                          "0000000801020000");
    writer = writer_on_room();
    openflow_put_apply(&writer, (const uint8_t *)"\0\26\0\10\0\0\0\7", 8);
    expect_bytes(&writer, "00040010000000000016000800000007");
}

static void test_arp_answer(void **state)
{
    static const uint8_t mac[6] = {0x0a, 0, 0, 0, 1, 0xc8};
    struct writer writer = writer_on_room();

    (void)state;
    openflow_put_set_eth_dst(&writer, mac);
    expect_bytes(&writer, "00190010800006060a00000001c80000");
    writer = writer_on_room();
    openflow_put_arp_answer(&writer, mac);
    expect_bytes(&writer, "001c00180030000000000000800008068000060600000000"
                          "00190010800008060a00000001c80000"
                          "0019001080002a020002000000000000"
                          "001c00180030000000000000800030068000320600000000"
                          "00190010800030060a00000001c80000"
                          "001c0018002000000000000080002e040001040400000000"
                          "001c0018002000000000000080002c0480002e0400000000"
                          "001c001800200000000000000001040480002c0400000000");
}

/* Lengths have 16 bits; what is too long is no message. */
static void test_lengths(void **state)
{
    uint8_t bytes[4] = {9, 9, 9, 9};
    struct writer writer = writer_init(bytes, sizeof(bytes));

    (void)state;
    openflow_set_length(&writer, 1, 65535);
    assert_false(writer.failed);
    assert_memory_equal(bytes, "\x09\xff\xff\x09", 4);
    openflow_set_length(&writer, 1, 0x0102);
    assert_memory_equal(bytes, "\x09\x01\x02\x09", 4);
    openflow_set_length(&writer, 1, 65536);
    assert_true(writer.failed);
    openflow_set_length(&writer, 1, 0x0304);
    assert_memory_equal(bytes, "\x09\x01\x02\x09", 4);
}

/* --- Matches. --- */

static struct prefix prefix(const char *text)
{
    struct prefix found;

    assert_int_equal(prefix_parse(text, &found), 0);
    return found;
}

static struct flow_match come_back(const struct flow_match *match)
{
    struct writer writer = writer_on_room();
    struct flow_match again;
    struct reader reader;

    openflow_put_match(&writer, match);
    assert_false(writer.failed);
    assert_int_equal(writer_size(&writer) % 8, 0);
    reader = reader_init(room, writer_size(&writer));
    assert_int_equal(openflow_parse_match(&reader, &again), 0);
    assert_int_equal(reader_left(&reader), 0);
    return again;
}

/* Each alone, with nothing beside it. */
static void test_fields_alone(void **state)
{
    const struct flow_match matches[] = {
        {.fields = 0},
        {.fields = FLOW_IN_PORT, .in_port = 0x01020304},
        {.fields = FLOW_ETH_DST,
         .eth_dst = {2, 0, 0, 0, 0, 1},
         .eth_dst_mask = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
        {.fields = FLOW_ETH_DST,
         .eth_dst = {2, 0, 0, 0, 0, 0},
         .eth_dst_mask = {0xff, 0, 0, 0, 0, 0}},
        {.fields = FLOW_ETH_SRC,
         .eth_src = {2, 0, 0, 0, 0, 1},
         .eth_src_mask = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
        {.fields = FLOW_ETH_SRC,
         .eth_src = {2, 0, 0, 0, 0, 0},
         .eth_src_mask = {0xff, 0xff, 0xff, 0xff, 0xff, 0xfe}},
        {.fields = FLOW_ETH_TYPE, .eth_type = 0x0102},
        {.fields = FLOW_IP_PROTO, .ip_proto = 58},
        {.fields = FLOW_NW_SRC, .nw_src = prefix("10.1.2.3/32")},
        {.fields = FLOW_NW_SRC, .nw_src = prefix("10.1.2.0/23")},
        {.fields = FLOW_NW_SRC, .nw_src = prefix("fd00::1/128")},
        {.fields = FLOW_NW_SRC, .nw_src = prefix("fd00::/127")},
        {.fields = FLOW_NW_DST, .nw_dst = prefix("10.1.2.3/32")},
        {.fields = FLOW_NW_DST, .nw_dst = prefix("128.0.0.0/1")},
        {.fields = FLOW_NW_DST, .nw_dst = prefix("fd00::1/128")},
        {.fields = FLOW_NW_DST, .nw_dst = prefix("8000::/1")},
        {.fields = FLOW_TP_SRC, .tp_src = 0x0102},
        {.fields = FLOW_TP_DST, .tp_dst = 0x0102},
        {.fields = FLOW_ARP_OP, .arp_op = 0x0102},
        {.fields = FLOW_ARP_SHA, .arp_sha = {2, 0, 0, 0, 0, 1}},
        {.fields = FLOW_CT_STATE,
         .ct_state = 0x01020304,
         .ct_state_mask = 0x11121314},
        {.fields = FLOW_CT_STATE,
         .ct_state = 0x01020304,
         .ct_state_mask = UINT32_MAX},
        {.fields = FLOW_CT_ZONE, .ct_zone = 0x0102},
        {.fields = FLOW_REG0, .reg0 = 0x01020304, .reg0_mask = 0x11121314},
        {.fields = FLOW_REG0, .reg0 = 0x01020304, .reg0_mask = UINT32_MAX},
        {.fields = FLOW_REG1, .reg1 = 0x01020304, .reg1_mask = 0x11121314},
        {.fields = FLOW_REG1, .reg1 = 0x01020304, .reg1_mask = UINT32_MAX},
        {.fields = FLOW_TCP_FLAGS,
         .tcp_flags = 0x0102,
         .tcp_flags_mask = 0x0112},
        {.fields = FLOW_TCP_FLAGS,
         .tcp_flags = 0x0102,
         .tcp_flags_mask = UINT16_MAX},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(matches); i++) {
        struct flow before = {.match = matches[i]};
        struct flow after = {.match = come_back(&matches[i])};

        if (flow_compare_key(&before, &after) != 0) {
            fail_msg("match %zu came back as another", i);
        }
    }
}

static struct flow_match parse_match(const char *hex)
{
    uint8_t bytes[64];
    size_t size = bytes_of(hex, bytes, sizeof(bytes));
    struct reader reader = reader_init(bytes, size);
    struct flow_match match;

    assert_int_equal(openflow_parse_match(&reader, &match), 0);
    return match;
}

/* Fields that we do not know make matches that equal only themselves. */
static void test_unknown_fields(void **state)
{
    struct flow one = {.match =
                           parse_match("0001000a80000c020001000000000000")};
    struct flow same = {.match =
                            parse_match("0001000a80000c020001000000000000")};
    struct flow other = {.match =
                             parse_match("0001000a80000c020002000000000000")};
    struct flow last = {.match = parse_match("0001000c80004804000000010000"
                                             "0000")};
    struct flow_match none = parse_match("0001000c000100040000000700000000");

    (void)state;
    assert_true(one.match.fields & FLOW_OTHER);
    assert_int_equal(flow_compare_key(&one, &same), 0);
    assert_int_not_equal(flow_compare_key(&one, &other), 0);
    assert_int_not_equal(flow_compare_key(&one, &last), 0);
    /* The hash has all of the match, and nothing behind it. */
    assert_true(last.match.other ==
                flow_hash(FLOW_HASH_INIT, "\x80\0\x48\4\0\0\0\1", 8));
    assert_int_equal(none.fields, FLOW_REG0);
    assert_int_equal(none.other, 0);
}

static void test_masks(void **state)
{
    (void)state;
    for (size_t len = 0; len <= 32; len++) {
        uint8_t mask[4] = {0};

        for (size_t bit = 0; bit < len; bit++) {
            mask[bit / 8] |= (uint8_t)(0x80u >> bit % 8);
        }
        assert_int_equal(openflow_mask_len(mask, sizeof(mask)), len);
        /* One more bit, apart from those. */
        for (size_t bit = len + 1; bit < 32; bit++) {
            uint8_t with_hole[4];

            memcpy(with_hole, mask, sizeof(mask));
            with_hole[bit / 8] |= (uint8_t)(0x80u >> bit % 8);
            assert_int_equal(openflow_mask_len(with_hole, sizeof(with_hole)),
                             -1);
        }
    }
}

/* --- Reading. --- */

static void test_multipart(void **state)
{
    uint8_t bytes[17];
    size_t size =
        bytes_of("061300110102030400070001deadbeef55", bytes, sizeof(bytes));
    struct reader entries;
    uint16_t type;
    bool has_more;

    (void)state;
    assert_int_equal(
        openflow_parse_multipart(bytes, size, &type, &has_more, &entries), 0);
    assert_int_equal(type, 7);
    assert_true(has_more);
    assert_int_equal(reader_left(&entries), 1);
    assert_int_equal(reader_u8(&entries), 0x55);
    bytes[11] = 0xfe;
    assert_int_equal(
        openflow_parse_multipart(bytes, 16, &type, &has_more, &entries), 0);
    assert_false(has_more);
    assert_int_equal(reader_left(&entries), 0);
    assert_int_equal(
        openflow_parse_multipart(bytes, 15, &type, &has_more, &entries),
        OPENFLOW_E_MALFORMED);
}

static int read_flow(const char *hex, struct flow *ret)
{
    uint8_t bytes[256];
    size_t size = bytes_of(hex, bytes, sizeof(bytes));
    struct reader reader = reader_init(bytes, size);
    int error = openflow_next_flow(&reader, ret);

    assert_int_equal(reader.failed, error != 0);
    return error;
}

#define FLOW_HEAD                                                              \
    "0000030000320000000000000000"                                             \
    "736e010100000005"
#define NO_MATCH "0001000400000000"

static void test_flow_entries(void **state)
{
    struct flow flow;

    (void)state;
    /* Packets, bytes, another counter; then instructions. */
    assert_int_equal(read_flow("0050" FLOW_HEAD NO_MATCH "00000028"
                               "80020a080000000000000102"
                               "8002080800000000000000ff"
                               "800200080000000000000007"
                               "0001000805000000",
                               &flow),
                     0);
    assert_int_equal(flow.table, 3);
    assert_int_equal(flow.priority, 50);
    assert_true(flow.cookie == UINT64_C(0x736e010100000005));
    assert_int_equal(flow.n_bytes, 0x0102);
    assert_int_equal(flow.n_packets, 0xff);
    assert_int_equal(flow.instructions_size, 8);
    assert_memory_equal(flow.instructions, "\0\1\0\10\5\0\0\0", 8);
    flow_done(&flow);
    /* Statistics of no length, with nothing, a piece of one, cut off, not
     * padded. */
    assert_int_equal(
        read_flow("0028" FLOW_HEAD NO_MATCH "0000000500000000", &flow),
        OPENFLOW_E_MALFORMED);
    assert_int_equal(
        read_flow("0028" FLOW_HEAD NO_MATCH "0000000300000000", &flow),
        OPENFLOW_E_MALFORMED);
    assert_int_equal(
        read_flow("0028" FLOW_HEAD NO_MATCH "0000000400000000", &flow), 0);
    assert_null(flow.instructions);
    assert_int_equal(flow.instructions_size, 0);
    flow_done(&flow);
    assert_int_equal(read_flow("0024" FLOW_HEAD NO_MATCH "00000004", &flow),
                     OPENFLOW_E_MALFORMED);
    assert_int_equal(read_flow("0030" FLOW_HEAD NO_MATCH
                               "0000000c80020a080000000000000000",
                               &flow),
                     OPENFLOW_E_MALFORMED);
    /* Padded to eight, and not beyond: what follows are instructions. */
    assert_int_equal(read_flow("0038" FLOW_HEAD NO_MATCH
                               "0000000980027e0101000000"
                               "00000000"
                               "0001000805000000",
                               &flow),
                     0);
    assert_int_equal(flow.instructions_size, 8);
    flow_done(&flow);
    assert_int_equal(read_flow("0030" FLOW_HEAD NO_MATCH "00000010"
                               "80027e0c80027e0880027e08",
                               &flow),
                     OPENFLOW_E_MALFORMED);
}

static int read_group(const char *hex, struct group *ret)
{
    uint8_t bytes[256];
    size_t size = bytes_of(hex, bytes, sizeof(bytes));
    struct reader reader = reader_init(bytes, size);
    int error = openflow_next_group(&reader, ret);

    assert_int_equal(reader.failed, error != 0);
    return error;
}

#define DP_HASH                                                                \
    "ffff00280000154d0000000100000000"                                         \
    "64705f68617368000000000000000000"                                         \
    "0000000000000000"

static void test_group_entries(void **state)
{
    static const char *const others[] = {
        /* An "all" group, no method, and each part of the method different. */
        "003800005e0000010000000000000000" DP_HASH,
        "001001005e0000010000000000000000",
        "003801005e0000010000000000000000fffe00280000154d0000000100000000"
        "64705f686173680000000000000000000000000000000000",
        "003801005e0000010000000000000000ffff00290000154d0000000100000000"
        "64705f686173680000000000000000000000000000000000",
        "003801005e0000010000000000000000ffff00280000154e0000000100000000"
        "64705f686173680000000000000000000000000000000000",
        "003801005e0000010000000000000000ffff00280000154d0000000200000000"
        "64705f686173680000000000000000000000000000000000",
        "003801005e0000010000000000000000ffff00280000154d0000000100000000"
        "64705f686173680000000000000000010000000000000000",
        "003801005e0000010000000000000000ffff00280000154d0000000100000000"
        "64705f686173680000000000000000000000000000000001",
        /* Its end is missing, and something follows. */
        "003001005e0000010000000000000000ffff00280000154d0000000100000000"
        "64705f68617368000000000000000000",
        "003901005e0000010000000000000000" DP_HASH "00",
        "002001005e0000010000000000000000ffff00280000154d0000000100000000",
    };
    static const char *const malformed[] = {
        "000f01005e00000100000000000000",
        "001101005e0000010000000000000000", /* one byte too long */
        "001801005e00000100090000000000000008000000000000", /* past the end */
        "001801005e00000100080000000000000007000000000000", /* too short */
        "001701005e000001000700000000000000070000000000",
        "001801005e00000100080000000000000009000000000000",
    };
    struct group group;

    (void)state;
    assert_int_equal(read_group("004801005e0000010010000000000000"
                                "00080001000000010008000200000003" DP_HASH,
                                &group),
                     0);
    assert_int_equal(group.id, 0x5e000001);
    assert_int_equal(group.n_buckets, 2);
    assert_int_equal(group.buckets_size, 16);
    assert_memory_equal(group.buckets, "\0\10\0\1\0\0\0\1\0\10\0\2\0\0\0\3",
                        16);
    assert_false(group.is_other_form);
    group_done(&group);
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        assert_int_equal(read_group(others[i], &group), 0);
        if (!group.is_other_form) {
            fail_msg("taken for ours: %s", others[i]);
        }
        assert_null(group.buckets);
        group_done(&group);
    }
    for (size_t i = 0; i < ARRAY_SIZE(malformed); i++) {
        if (read_group(malformed[i], &group) != OPENFLOW_E_MALFORMED) {
            fail_msg("not malformed: %s", malformed[i]);
        }
    }
}

static int read_port(const char *hex, struct openflow_port *ret)
{
    uint8_t bytes[256];
    size_t size = bytes_of(hex, bytes, sizeof(bytes));
    struct reader reader = reader_init(bytes, size);
    int error = openflow_next_port(&reader, ret);

    assert_int_equal(reader.failed, error == OPENFLOW_E_MALFORMED);
    return error;
}

static void test_port_entries(void **state)
{
    struct openflow_port port;

    (void)state;
    /* A name that fills its place, a link that is down. */
    assert_int_equal(read_port("01020304002800000a01020304050000"
                               "3031323334353637383961626364656600000000"
                               "00000001",
                               &port),
                     0);
    assert_int_equal(port.number, 0x01020304);
    assert_memory_equal(port.mac, "\x0a\1\2\3\4\5", 6);
    assert_string_equal(port.name, "0123456789abcde");
    assert_true(port.is_link_down);
    assert_int_equal(read_port("01020304003000000a01020304050000"
                               "76300000000000000000000000000000ffffffff"
                               "fffffffe0000000000000000",
                               &port),
                     0);
    assert_string_equal(port.name, "v0");
    assert_false(port.is_link_down);
    assert_int_equal(read_port("", &port), OPENFLOW_E_AGAIN);
    assert_int_equal(read_port("01020304002700000a01020304050000"
                               "30313233343536373839616263646566"
                               "0000000000000001",
                               &port),
                     OPENFLOW_E_MALFORMED);
    assert_int_equal(read_port("01020304002900000a01020304050000"
                               "30313233343536373839616263646566"
                               "0000000000000001",
                               &port),
                     OPENFLOW_E_MALFORMED);
    assert_int_equal(read_port("0102030400", &port), OPENFLOW_E_MALFORMED);
}

static void test_events(void **state)
{
    static const enum openflow_event expected[] = {
        OPENFLOW_EVENT_FOREIGN, OPENFLOW_EVENT_FOREIGN, OPENFLOW_EVENT_FOREIGN,
        OPENFLOW_EVENT_FOREIGN, OPENFLOW_EVENT_OWN,     OPENFLOW_EVENT_PAUSED,
        OPENFLOW_EVENT_RESUMED, OPENFLOW_EVENT_FOREIGN};
    uint8_t bytes[8 * ARRAY_SIZE(expected)] = {0};
    struct reader reader = reader_init(bytes, sizeof(bytes));
    enum openflow_event event;

    (void)state;
    for (uint8_t i = 0; i < ARRAY_SIZE(expected); i++) {
        bytes[8 * i + 1] = 8;
        bytes[8 * i + 3] = i;
    }
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
        assert_int_equal(openflow_next_event(&reader, &event), 0);
        assert_int_equal(event, expected[i]);
    }
    assert_int_equal(openflow_next_event(&reader, &event), OPENFLOW_E_AGAIN);
    bytes[1] = 7;
    reader = reader_init(bytes, sizeof(bytes));
    assert_int_equal(openflow_next_event(&reader, &event),
                     OPENFLOW_E_MALFORMED);
}

static void test_packets_and_errors(void **state)
{
    static const struct {
        uint16_t type, code;
        const char *text;
    } errors[] = {
        {0, 0,
         "type 0 code 0: the switch does not speak OpenFlow 1.5; allow it in "
         "the bridge's protocols"},
        {1, 1, "type 1 code 1: unknown message type"},
        {1, 6, "type 1 code 6: wrong message length"},
        {2, 4, "type 2 code 4: an output port does not exist"},
        {2, 9, "type 2 code 9: a flow names a group that does not exist"},
        {4, 8, "type 4 code 8: a match field is given without what it needs"},
        {5, 1, "type 5 code 1: the flow table is full"},
        {5, 2, "type 5 code 2: table does not exist"},
        {6, 0, "type 6 code 0: group exists already"},
        {6, 3, "type 6 code 3: no room for more groups"},
        {6, 8, "type 6 code 8: group does not exist"},
        {17, 2, "type 17 code 2: unknown bundle"},
        {17, 3, "type 17 code 3: bundle is closed (10 s of silence end it)"},
        {17, 11, "type 17 code 11: a message of the bundle failed"},
        {0, 1, "type 0 code 1"},
        {1, 0, "type 1 code 0"},
        {17, 12, "type 17 code 12"},
        {65535, 65535, "type 65535 code 65535"},
    };
    struct openflow_packet_in packet;
    uint8_t bytes[64];
    uint16_t type, code;
    char text[OPENFLOW_ERROR_TEXT_SIZE];
    size_t size = bytes_of("060a00300102030"
                           "4ffffffff000200097365636f6e640007"
                           "0001000c80000004000000050000"
                           "000000006162",
                           bytes, sizeof(bytes));

    (void)state;
    assert_int_equal(openflow_parse_packet_in(bytes, size, &packet), 0);
    assert_int_equal(packet.table, 9);
    assert_true(packet.cookie == UINT64_C(0x7365636f6e640007));
    assert_int_equal(packet.in_port, 5);
    assert_int_equal(packet.frame_size, 2);
    assert_memory_equal(packet.frame, "ab", 2);
    size = bytes_of("0601000c0102030401020304", bytes, sizeof(bytes));
    assert_int_equal(openflow_parse_error(bytes, size, &type, &code), 0);
    assert_int_equal(type, 0x0102);
    assert_int_equal(code, 0x0304);
    assert_int_equal(openflow_parse_error(bytes, 11, &type, &code),
                     OPENFLOW_E_MALFORMED);
    for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
        assert_string_equal(
            openflow_error_text(errors[i].type, errors[i].code, text),
            errors[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_group_mod),
        cmocka_unit_test(test_packet_out),
        cmocka_unit_test(test_flush),
        cmocka_unit_test(test_nat_and_buckets),
        cmocka_unit_test(test_arp_answer),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_fields_alone),
        cmocka_unit_test(test_unknown_fields),
        cmocka_unit_test(test_masks),
        cmocka_unit_test(test_multipart),
        cmocka_unit_test(test_flow_entries),
        cmocka_unit_test(test_group_entries),
        cmocka_unit_test(test_port_entries),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_packets_and_errors),
    };

    return cmocka_run_group_tests_name("openflow_bytes", tests, NULL, NULL);
}
