/*
 * Flows as text: every field of a match, every action that we know, and what
 * others' switches may hold that we do not.
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
#include "tests/unit/heap.h"

/* What the flow of these instructions does, in words. */
static void expect_instructions(const char *hex, const char *expected)
{
    uint8_t bytes[256];
    struct flow flow = {.instructions = bytes,
                        .instructions_size = strlen(hex) / 2};
    const char *actions;
    char *text;

    assert_int_equal(
        text_to_bytes(hex, strlen(hex), bytes, flow.instructions_size), 0);
    text = openflow_flow_text(&flow);
    assert_non_null(text);
    actions = strstr(text, " actions=");
    assert_non_null(actions);
    assert_string_equal(actions + 9, expected);
    free(text);
}

static void expect_actions(const char *hex, const char *expected)
{
    char apply[512];

    (void)snprintf(apply, sizeof(apply), "0004%04zx00000000%s",
                   8 + strlen(hex) / 2, hex);
    expect_instructions(apply, expected);
}

static void test_instructions(void **state)
{
    (void)state;
    expect_instructions("", "drop");
    expect_instructions("0004000800000000", "");
    expect_instructions("0001000805000000", "goto_table:5");
    expect_instructions("0006000c0000000000000007",
                        "instruction6:0x0000000000000007");
    expect_instructions("00040010000000000018000800000000"
                        "00010008ff000000",
                        "dec_ttl,goto_table:255");
    expect_instructions("0001000700000000", "malformed");
    expect_instructions("0001000905000000", "malformed");
    expect_instructions("00010008050000000001", "goto_table:5,malformed");
    /* Broken inside. */
    expect_actions("0018000800000000001800", "dec_ttlmalformed");
    expect_actions("0018000300000000", "malformed");
}

static void test_actions(void **state)
{
    static const struct {
        const char *hex, *text;
    } cases[] = {
        {"00000010000000050000000000000000", "output:5"},
        {"00000010fffffffe0000000000000000", "LOCAL"},
        {"00000010fffffff80000000000000000", "IN_PORT"},
        {"00000010fffffffd0080000000000000", "CONTROLLER:128"},
        {"001600080000007b", "group:123"},
        {"0018000800000000", "dec_ttl"},
        {"ffff001000002320000efff801000000", "resubmit(,1)"},
        {"00180008000000000016000800000001", "dec_ttl,group:1"},
        {"001c00180030000000000000800008068000060600000000",
         "move:eth_src->eth_dst"},
        /* Of nobody that we know. */
        {"00630004", "action99:0x"},
        {"006300080a0b0c0d", "action99:0x0a0b0c0d"},
        {"ffff00100000232100230000000000ff",
         "experimenter:0x0000232100230000000000ff"},
        {"ffff0010000023210"
         "00efff801000000",
         "experimenter:0x00002321000efff801000000"},
        {"ffff001000002320000ffff801000000",
         "experimenter:0x00002320000ffff801000000"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        expect_actions(cases[i].hex, cases[i].text);
    }
}

#define CT "ffff%s00002320002300%02x%s%04x%s0000000000%s"

static void expect_ct(bool is_commit, const char *source, unsigned zone,
                      const char *table, const char *nested,
                      const char *expected)
{
    char hex[256], length[24];

    (void)snprintf(length, sizeof(length), "%04zx", 24 + strlen(nested) / 2);
    (void)snprintf(hex, sizeof(hex), CT, length, is_commit, source, zone, table,
                   nested);
    expect_actions(hex, expected);
}

static void test_connection_tracking(void **state)
{
    (void)state;
    expect_ct(false, "00000000", 70, "04", "", "ct(table=4,zone=70)");
    expect_ct(true, "00000000", 70, "ff", "", "ct(commit,zone=70)");
    expect_ct(true, "00010004", 31, "fe", "", "ct(commit,table=254,zone=reg0)");
    expect_ct(false, "00000000", 1, "ff", "ffff0010000023200024000000000000",
              "ct(zone=1,nat)");
    /* flags, what is there, the address */
    expect_ct(true, "00000000", 1, "ff",
              "ffff0018000023200024000000010001640000070000",
              "ct(commit,zone=1,nat(src=100.0.0.7))");
    expect_ct(true, "00000000", 1, "ff",
              "ffff00180000232000240000000200110a0001ca18bd0000",
              "ct(commit,zone=1,nat(dst=10.0.1.202:6333))");
    expect_ct(true, "00000000", 1, "ff",
              "ffff0028000023200024000000020014"
              "fc0000000000000000000000000000010050000000000000",
              "ct(commit,zone=1,nat(dst=[fc00::1]:80))");
    expect_ct(true, "00000000", 1, "ff",
              "ffff0020000023200024000000010004"
              "fc000000000000000000000000000001",
              "ct(commit,zone=1,nat(src=[fc00::1]))");
    /* Ranges, of which the first is told; no address; no direction. */
    expect_ct(
        true, "00000000", 1, "ff",
        "ffff00200000232000240000000200130a0001ca0a0001cb18bd000000000000",
        "ct(commit,zone=1,nat(dst=10.0.1.202))");
    expect_ct(true, "00000000", 1, "ff",
              "ffff0038000023200024000000020"
              "01c"
              "fc000000000000000000000000000001"
              "fc0000000000000000000000000000020050000000000000",
              "ct(commit,zone=1,nat(dst=[fc00::1]))");
    expect_ct(true, "00000000", 1, "ff",
              "ffff0018000023200024000000020010"
              "0050000000000000",
              "ct(commit,zone=1,nat)");
    expect_ct(true, "00000000", 1, "ff",
              "ffff00180000232000240000000000010a0001ca00000000",
              "ct(commit,zone=1,nat)");
    /* Other actions inside, and less than one. */
    expect_ct(true, "00000000", 1, "ff", "ffff0010000023200007000000000000",
              "ct(commit,zone=1,exec:0xffff0010000023200007000000000000)");
    expect_ct(true, "00000000", 1, "ff", "ffff0010000023210024000000000000",
              "ct(commit,zone=1,exec:0xffff0010000023210024000000000000)");
    expect_ct(true, "00000000", 1, "ff", "ffff000800002320",
              "ct(commit,zone=1)");
}

static void test_set_fields(void **state)
{
    static const struct {
        uint32_t header;
        const char *text;
    } cases[] = {
        {OXM_ETH_DST, "01:02:03:04:05:06->eth_dst"},
        {OXM_ETH_SRC, "01:02:03:04:05:06->eth_src"},
        {OXM_IPV4_SRC, "1.2.3.4->ip_src"},
        {OXM_IPV4_DST, "1.2.3.4->ip_dst"},
        {OXM_IPV6_SRC, "0x0102030405060708090a0b0c0d0e0f10->ipv6_src"},
        {OXM_IPV6_DST, "0x0102030405060708090a0b0c0d0e0f10->ipv6_dst"},
        {OXM_TCP_SRC, "258->tcp_src"},
        {OXM_TCP_DST, "258->tcp_dst"},
        {OXM_UDP_SRC, "258->udp_src"},
        {OXM_UDP_DST, "258->udp_dst"},
        {OXM_ARP_OP, "258->arp_op"},
        {OXM_ARP_SPA, "1.2.3.4->arp_spa"},
        {OXM_ARP_TPA, "1.2.3.4->arp_tpa"},
        {OXM_ARP_SHA, "01:02:03:04:05:06->arp_sha"},
        {OXM_ARP_THA, "01:02:03:04:05:06->arp_tha"},
        {OXM_REG0, "16909060->reg0"},
        {OXM_REG1, "16909060->reg1"},
        {OXM_REG2, "16909060->reg2"},
        {OXM(0x8000, 38, 8), "0x0102030405060708->field:0x80004c08"},
        {OXM(0x8000, 38, 5), "0x0102030405->field:0x80004c05"},
        /* With a mask: value and mask as they are. */
        {OXM_REG0 + 4 + OXM_HAS_MASK, "0x0102030405060708->reg0"},
        {OXM(0x8000, 11, 4) + OXM_HAS_MASK, "0x01020304->ip_src"},
        {OXM(0x8000, 24, 6) + OXM_HAS_MASK, "0x010203040506->arp_sha"},
        {OXM_TCP_SRC + OXM_HAS_MASK, "0x0102->tcp_src"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        size_t size = cases[i].header & 0xff;
        char hex[128], expected[128];
        int n = snprintf(hex, sizeof(hex), "0019%04zx%08x", 8 + size,
                         cases[i].header);

        for (size_t byte = 1; byte <= size; byte++) {
            n += snprintf(hex + n, sizeof(hex) - (size_t)n, "%02zx", byte);
        }
        (void)snprintf(expected, sizeof(expected), "set_field:%s",
                       cases[i].text);
        expect_actions(hex, expected);
    }
    /* The value is not there. */
    expect_actions("0019000880000004", "set_field:?");
}

static void expect_match(const struct flow_match *match, const char *expected)
{
    const struct flow flow = {.table = 3, .priority = 7, .match = *match};
    char text[512];
    char *found = openflow_flow_text(&flow);

    (void)snprintf(text, sizeof(text), "table=3,priority=7%s actions=drop",
                   expected);
    assert_non_null(found);
    assert_string_equal(found, text);
    free(found);
}

static struct prefix prefix(const char *text)
{
    struct prefix found;

    assert_int_equal(prefix_parse(text, &found), 0);
    return found;
}

/* What is not named in `fields` is not told. */
static void test_fields(void **state)
{
    static const struct {
        uint32_t field;
        const char *text;
    } cases[] = {
        {0, ""},
        {FLOW_IN_PORT, ",in_port=CONTROLLER"},
        {FLOW_ETH_DST, ",dl_dst=02:00:00:00:00:01/ff:ff:ff:ff:ff:00"},
        {FLOW_ETH_SRC, ",dl_src=02:00:00:00:00:02"},
        {FLOW_ETH_TYPE, ",dl_type=0x88b5"},
        {FLOW_IP_PROTO, ",nw_proto=58"},
        {FLOW_NW_SRC, ",nw_src=10.0.0.0/8"},
        {FLOW_NW_DST, ",nw_dst=10.0.0.1"},
        {FLOW_TP_SRC, ",tp_src=1"},
        {FLOW_TP_DST, ",tp_dst=2"},
        {FLOW_ARP_OP, ",arp_op=3"},
        {FLOW_ARP_SHA, ",arp_sha=02:00:00:00:00:03"},
        {FLOW_CT_STATE, ",ct_state=-new+est-rel+rpl-inv+trk-snat+dnat"},
        {FLOW_CT_ZONE, ",ct_zone=4"},
        {FLOW_REG0, ",reg0=0x5/0xff"},
        {FLOW_REG1, ",reg1=0x6"},
        {FLOW_TCP_FLAGS, ",tcp_flags=0x2/0x12"},
        {FLOW_OTHER, ",other=0xabcdef"},
    };
    struct flow_match match = {
        .in_port = OPENFLOW_PORT_CONTROLLER,
        .eth_dst = {2, 0, 0, 0, 0, 1},
        .eth_dst_mask = {0xff, 0xff, 0xff, 0xff, 0xff, 0},
        .eth_src = {2, 0, 0, 0, 0, 2},
        .eth_src_mask = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
        .eth_type = 0x88b5,
        .ip_proto = 58,
        .nw_src = prefix("10.0.0.0/8"),
        .nw_dst = prefix("10.0.0.1/32"),
        .tp_src = 1,
        .tp_dst = 2,
        .arp_op = 3,
        .arp_sha = {2, 0, 0, 0, 0, 3},
        .ct_state = 0xaa,
        .ct_state_mask = 0xff,
        .ct_zone = 4,
        .reg0 = 5,
        .reg0_mask = 0xff,
        .reg1 = 6,
        .reg1_mask = UINT32_MAX,
        .tcp_flags = 2,
        .tcp_flags_mask = 0x12,
        .other = 0xabcdef,
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        match.fields = cases[i].field;
        expect_match(&match, cases[i].text);
    }
    match.fields = FLOW_IN_PORT | FLOW_CT_STATE;
    match.in_port = OPENFLOW_PORT_IN_PORT;
    match.ct_state = 0xff;
    match.ct_state_mask = 0x180; /* the second has no name */
    expect_match(&match, ",ct_state=+dnat,in_port=IN_PORT");
}

static void test_protocols(void **state)
{
    static const struct {
        uint16_t eth_type;
        uint8_t ip_proto; /* 0: not said, though it is 6 */
        const char *text;
    } cases[] = {
        {0x0800, 0, ",ip,nw_src=fd00::/16,nw_dst=fd00::1"},
        {0x0800, 6, ",tcp,nw_src=fd00::/16,nw_dst=fd00::1"},
        {0x0800, 17, ",udp,nw_src=fd00::/16,nw_dst=fd00::1"},
        {0x0800, 1, ",ip,nw_proto=1,nw_src=fd00::/16,nw_dst=fd00::1"},
        {0x86dd, 0, ",ipv6,ipv6_src=fd00::/16,ipv6_dst=fd00::1"},
        {0x86dd, 6, ",tcp6,ipv6_src=fd00::/16,ipv6_dst=fd00::1"},
        {0x86dd, 17, ",udp6,ipv6_src=fd00::/16,ipv6_dst=fd00::1"},
        {0x86dd, 58, ",ipv6,nw_proto=58,ipv6_src=fd00::/16,ipv6_dst=fd00::1"},
        {0x0806, 0, ",arp,arp_spa=fd00::/16,arp_tpa=fd00::1"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct flow_match match = {
            .fields = FLOW_ETH_TYPE | FLOW_NW_SRC | FLOW_NW_DST,
            .eth_type = cases[i].eth_type,
            .ip_proto = cases[i].ip_proto != 0 ? cases[i].ip_proto : 6,
            .nw_src = prefix("fd00::/16"),
            .nw_dst = prefix("fd00::1/128")};

        match.fields |= cases[i].ip_proto != 0 ? FLOW_IP_PROTO : 0;
        expect_match(&match, cases[i].text);
    }
}

/* Without memory there is no text, not a part of one. */
static void test_no_memory(void **state)
{
    uint8_t bytes[8 + 512] = {0, 4, 2, 8};
    const struct flow flow = {.instructions = bytes,
                              .instructions_size = sizeof(bytes)};
    bool has_failed = true;
    unsigned n = 1;

    (void)state;
    for (size_t i = 8; i < sizeof(bytes); i += 8) {
        bytes[i + 1] = 24; /* dec_ttl */
        bytes[i + 3] = 8;
    }
    for (; has_failed; n++) {
        char *text;

        assert_true(n < 100);
        heap_fail_at(n);
        text = openflow_flow_text(&flow);
        has_failed = heap_off();
        assert_int_equal(text == NULL, has_failed);
        if (text != NULL) {
            assert_int_equal(strlen(text),
                             strlen("table=0,priority=0 actions=") + 64 * 8 -
                                 1);
        }
        free(text);
    }
    assert_true(n > 3); /* it grew more than once */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_instructions),
        cmocka_unit_test(test_actions),
        cmocka_unit_test(test_connection_tracking),
        cmocka_unit_test(test_set_fields),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_protocols),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests_name("openflow_text", tests, NULL, NULL);
}
