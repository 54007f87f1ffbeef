/*
 * Flows and groups beside each other: the order field by field, what counts
 * as equal, and the hash, whose values must never change (cookies and group
 * ids in running switches are made of it).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "reconcilers/openflow/flow.h"

/* Every part of a flow's key, the most significant first; raises it by one
 * in its last byte. */
static void raise_part(struct flow *flow, size_t part)
{
    struct flow_match *match = &flow->match;
    uint8_t *bytes[] = {
        &flow->table,
        NULL, /* the priority, which counts downwards */
        (uint8_t *)&match->fields,
        (uint8_t *)&match->in_port,
        &match->eth_dst[5],
        &match->eth_dst_mask[5],
        &match->eth_src[5],
        &match->eth_src_mask[5],
        (uint8_t *)&match->eth_type,
        &match->ip_proto,
        &match->nw_src.address.bytes[15],
        &match->nw_src.len,
        &match->nw_dst.address.bytes[15],
        &match->nw_dst.len,
        (uint8_t *)&match->tp_src,
        (uint8_t *)&match->tp_dst,
        (uint8_t *)&match->arp_op,
        &match->arp_sha[5],
        (uint8_t *)&match->tcp_flags,
        (uint8_t *)&match->tcp_flags_mask,
        (uint8_t *)&match->ct_state,
        (uint8_t *)&match->ct_state_mask,
        (uint8_t *)&match->ct_zone,
        (uint8_t *)&match->reg0,
        (uint8_t *)&match->reg0_mask,
        (uint8_t *)&match->reg1,
        (uint8_t *)&match->reg1_mask,
        (uint8_t *)&match->other,
    };

    assert_true(part < ARRAY_SIZE(bytes));
    if (bytes[part] == NULL) {
        flow->priority--;
    } else {
        ++*bytes[part];
    }
}

#define N_PARTS 28

static struct flow plain_flow(void)
{
    return (struct flow){
        .table = 3,
        .priority = 50,
        .match = {.nw_src.address.family = 6, .nw_dst.address.family = 6}};
}

static void test_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_PARTS; i++) {
        struct flow low = plain_flow(), high = plain_flow();

        assert_int_equal(flow_compare_key(&low, &high), 0);
        raise_part(&high, i);
        assert_true(flow_compare_key(&low, &high) < 0);
        assert_true(flow_compare_key(&high, &low) > 0);
        assert_int_equal(flow_compare_key(&high, &high), 0);
        for (size_t j = i + 1; j < N_PARTS; j++) {
            struct flow other = plain_flow();

            /* What comes first decides. */
            raise_part(&other, j);
            assert_true(flow_compare_key(&other, &high) < 0);
            assert_true(flow_compare_key(&high, &other) > 0);
        }
    }
}

static void test_equal(void **state)
{
    static uint8_t bytes[] = {1, 2, 3}, other[] = {1, 2, 4};
    struct flow a = {.cookie = 7, .instructions = bytes}, b;
    struct group c = {.id = 1, .buckets = bytes}, d;

    (void)state;
    a.instructions_size = c.buckets_size = sizeof(bytes);
    b = a;
    d = c;
    assert_true(flow_equal(&a, &b));
    assert_true(group_equal(&c, &d));
    b.cookie++;
    d.is_other_form = true;
    assert_false(flow_equal(&a, &b));
    assert_false(group_equal(&c, &d));
    b = a;
    d = c;
    b.instructions_size = d.buckets_size = 2;
    assert_false(flow_equal(&a, &b));
    assert_false(group_equal(&c, &d));
    b.instructions_size = d.buckets_size = sizeof(other);
    b.instructions = d.buckets = other;
    assert_false(flow_equal(&a, &b));
    assert_false(group_equal(&c, &d));
    d.id = 2;
    assert_true(group_compare_key(&c, &d) < 0);
    assert_true(group_compare_key(&d, &c) > 0);
    assert_int_equal(group_compare_key(&c, &c), 0);
    flow_done(NULL);
    group_done(NULL);
}

/* FNV-1a, 64 bits, of its authors' test vectors. */
static void test_hash(void **state)
{
    (void)state;
    assert_true(flow_hash(FLOW_HASH_INIT, "", 0) ==
                UINT64_C(0xcbf29ce484222325));
    assert_true(flow_hash(FLOW_HASH_INIT, "a", 1) ==
                UINT64_C(0xaf63dc4c8601ec8c));
    assert_true(flow_hash(FLOW_HASH_INIT, "foobar", 6) ==
                UINT64_C(0x85944171f73967e8));
    assert_int_equal(flow_hash_fold(UINT64_C(0x1122334455667788)), 0x444444cc);
}

/* Two matches overlap when one packet can have both: a field that only one of
 * them names decides nothing, one that both name must be able to agree. */
static void test_overlaps(void **state)
{
    struct flow_match any = {0};
    struct flow_match net = {
        .fields = FLOW_ETH_TYPE | FLOW_NW_DST,
        .eth_type = 0x0800,
        .nw_dst = {.address = {.family = 4, .bytes = {10, 0, 1, 0}},
                   .len = 24}};
    struct flow_match host = net;
    struct flow_match port = {.fields = FLOW_IN_PORT, .in_port = 5};
    struct flow_match other;

    (void)state;
    host.nw_dst.address.bytes[3] = 7;
    host.nw_dst.len = 32;
    assert_true(flow_match_overlaps(&any, &any));
    assert_true(flow_match_overlaps(&any, &net));
    assert_true(flow_match_overlaps(&net, &host));
    assert_true(flow_match_overlaps(&host, &net));
    assert_true(flow_match_overlaps(&net, &port));
    other = net;
    other.nw_dst.address.bytes[2] = 2;
    assert_false(flow_match_overlaps(&net, &other));
    other = net;
    other.eth_type = 0x0806;
    assert_false(flow_match_overlaps(&net, &other));
    other = port;
    other.in_port = 6;
    assert_false(flow_match_overlaps(&port, &other));
    /* Bits that one of the masks leaves out may differ. */
    port = (struct flow_match){
        .fields = FLOW_CT_STATE, .ct_state = 0x21, .ct_state_mask = 0x21};
    other = (struct flow_match){
        .fields = FLOW_CT_STATE, .ct_state = 0x02, .ct_state_mask = 0x02};
    assert_true(flow_match_overlaps(&port, &other));
    other.ct_state_mask = 0x03;
    assert_false(flow_match_overlaps(&port, &other));
    other = (struct flow_match){
        .fields = FLOW_ETH_DST, .eth_dst = {1}, .eth_dst_mask = {1}};
    port = (struct flow_match){
        .fields = FLOW_ETH_DST, .eth_dst = {2}, .eth_dst_mask = {0xff}};
    assert_false(flow_match_overlaps(&port, &other));
    port.eth_dst[0] = 3;
    assert_true(flow_match_overlaps(&port, &other));
    port = (struct flow_match){.fields = FLOW_REG0 | FLOW_TP_DST,
                               .reg0 = 2,
                               .reg0_mask = 3,
                               .tp_dst = 80};
    other = port;
    assert_true(flow_match_overlaps(&port, &other));
    other.tp_dst = 81;
    assert_false(flow_match_overlaps(&port, &other));
    other.tp_dst = 80;
    other.reg0 = 1;
    assert_false(flow_match_overlaps(&port, &other));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_overlaps),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_hash),
    };

    return cmocka_run_group_tests_name("flow", tests, NULL, NULL);
}
