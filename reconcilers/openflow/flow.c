/*
 * Comparing and releasing flows and groups.  The plan and the diff sort by
 * these orders, so they are total: fields that are absent are zero, which
 * the planner and openflow_match.c both keep.  Pure.
 */
#include "reconcilers/openflow/flow.h"

#include <stdlib.h>
#include <string.h>

#define FNV_PRIME UINT64_C(0x100000001b3)

void flow_done(struct flow *flow)
{
    if (flow == NULL) {
        return;
    }
    free(flow->instructions);
    *flow = (struct flow){0};
}

void group_done(struct group *group)
{
    if (group == NULL) {
        return;
    }
    free(group->buckets);
    *group = (struct group){0};
}

static int compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int compare_prefixes(const struct prefix *a, const struct prefix *b)
{
    int order = address_compare(&a->address, &b->address);

    return order != 0 ? order : compare_numbers(a->len, b->len);
}

static int compare_link_fields(const struct flow_match *a,
                               const struct flow_match *b)
{
    int order = compare_numbers(a->in_port, b->in_port);

    if (order == 0) {
        order = memcmp(a->eth_dst, b->eth_dst, 6);
    }
    if (order == 0) {
        order = memcmp(a->eth_dst_mask, b->eth_dst_mask, 6);
    }
    if (order == 0) {
        order = memcmp(a->eth_src, b->eth_src, 6);
    }
    if (order == 0) {
        order = memcmp(a->eth_src_mask, b->eth_src_mask, 6);
    }
    if (order == 0) {
        order = compare_numbers(a->eth_type, b->eth_type);
    }
    return order;
}

static int compare_network_fields(const struct flow_match *a,
                                  const struct flow_match *b)
{
    int order = compare_numbers(a->ip_proto, b->ip_proto);

    if (order == 0) {
        order = compare_prefixes(&a->nw_src, &b->nw_src);
    }
    if (order == 0) {
        order = compare_prefixes(&a->nw_dst, &b->nw_dst);
    }
    if (order == 0) {
        order = compare_numbers(a->tp_src, b->tp_src);
    }
    if (order == 0) {
        order = compare_numbers(a->tp_dst, b->tp_dst);
    }
    if (order == 0) {
        order = compare_numbers(a->arp_op, b->arp_op);
    }
    if (order == 0) {
        order = memcmp(a->arp_sha, b->arp_sha, 6);
    }
    return order;
}

static int compare_state_fields(const struct flow_match *a,
                                const struct flow_match *b)
{
    const uint64_t left[] = {a->tcp_flags,     a->tcp_flags_mask, a->ct_state,
                             a->ct_state_mask, a->ct_zone,        a->reg0,
                             a->reg0_mask,     a->reg1,           a->reg1_mask,
                             a->other};
    const uint64_t right[] = {b->tcp_flags,     b->tcp_flags_mask, b->ct_state,
                              b->ct_state_mask, b->ct_zone,        b->reg0,
                              b->reg0_mask,     b->reg1,           b->reg1_mask,
                              b->other};

    for (size_t i = 0; i < ARRAY_SIZE(left); i++) {
        if (left[i] != right[i]) {
            return compare_numbers(left[i], right[i]);
        }
    }
    return 0;
}

static int compare_matches(const struct flow_match *a,
                           const struct flow_match *b)
{
    int order = compare_numbers(a->fields, b->fields);

    if (order == 0) {
        order = compare_link_fields(a, b);
    }
    if (order == 0) {
        order = compare_network_fields(a, b);
    }
    if (order == 0) {
        order = compare_state_fields(a, b);
    }
    return order;
}

int flow_compare_key(const struct flow *a, const struct flow *b)
{
    int order = compare_numbers(a->table, b->table);

    if (order == 0) {
        order = compare_numbers(b->priority, a->priority);
    }
    if (order == 0) {
        order = compare_matches(&a->match, &b->match);
    }
    return order;
}

static bool equal_bytes(const uint8_t *a, size_t a_size, const uint8_t *b,
                        size_t b_size)
{
    return a_size == b_size && (a_size == 0 || memcmp(a, b, a_size) == 0);
}

bool flow_equal(const struct flow *a, const struct flow *b)
{
    return a->cookie == b->cookie &&
           equal_bytes(a->instructions, a->instructions_size, b->instructions,
                       b->instructions_size);
}

int group_compare_key(const struct group *a, const struct group *b)
{
    return compare_numbers(a->id, b->id);
}

bool group_equal(const struct group *a, const struct group *b)
{
    return a->is_other_form == b->is_other_form &&
           equal_bytes(a->buckets, a->buckets_size, b->buckets,
                       b->buckets_size);
}

uint64_t flow_hash(uint64_t hash, const void *bytes, size_t size)
{
    const uint8_t *from = bytes;

    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ from[i]) * FNV_PRIME;
    }
    return hash;
}

uint32_t flow_hash_fold(uint64_t hash)
{
    return (uint32_t)(hash ^ hash >> 32);
}

/* --- Overlaps. --- */

static bool bytes_agree(const uint8_t *a, const uint8_t *a_mask,
                        const uint8_t *b, const uint8_t *b_mask, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (((a[i] ^ b[i]) & a_mask[i] & b_mask[i]) != 0) {
            return false;
        }
    }
    return true;
}

static bool prefixes_agree(const struct prefix *a, const struct prefix *b)
{
    return a->address.family == b->address.family && prefix_overlaps(a, b);
}

/* Fields that both have must be able to hold one value. */
static bool link_fields_agree(uint32_t both, const struct flow_match *a,
                              const struct flow_match *b)
{
    return ((both & FLOW_IN_PORT) == 0 || a->in_port == b->in_port) &&
           ((both & FLOW_ETH_DST) == 0 ||
            bytes_agree(a->eth_dst, a->eth_dst_mask, b->eth_dst,
                        b->eth_dst_mask, 6)) &&
           ((both & FLOW_ETH_SRC) == 0 ||
            bytes_agree(a->eth_src, a->eth_src_mask, b->eth_src,
                        b->eth_src_mask, 6)) &&
           ((both & FLOW_ETH_TYPE) == 0 || a->eth_type == b->eth_type) &&
           ((both & FLOW_ARP_OP) == 0 || a->arp_op == b->arp_op) &&
           ((both & FLOW_ARP_SHA) == 0 ||
            memcmp(a->arp_sha, b->arp_sha, sizeof(a->arp_sha)) == 0);
}

static bool network_fields_agree(uint32_t both, const struct flow_match *a,
                                 const struct flow_match *b)
{
    return ((both & FLOW_IP_PROTO) == 0 || a->ip_proto == b->ip_proto) &&
           ((both & FLOW_NW_SRC) == 0 ||
            prefixes_agree(&a->nw_src, &b->nw_src)) &&
           ((both & FLOW_NW_DST) == 0 ||
            prefixes_agree(&a->nw_dst, &b->nw_dst)) &&
           ((both & FLOW_TP_SRC) == 0 || a->tp_src == b->tp_src) &&
           ((both & FLOW_TP_DST) == 0 || a->tp_dst == b->tp_dst) &&
           ((both & FLOW_TCP_FLAGS) == 0 ||
            ((a->tcp_flags ^ b->tcp_flags) & a->tcp_flags_mask &
             b->tcp_flags_mask) == 0);
}

static bool pipeline_fields_agree(uint32_t both, const struct flow_match *a,
                                  const struct flow_match *b)
{
    return ((both & FLOW_CT_STATE) == 0 ||
            ((a->ct_state ^ b->ct_state) & a->ct_state_mask &
             b->ct_state_mask) == 0) &&
           ((both & FLOW_CT_ZONE) == 0 || a->ct_zone == b->ct_zone) &&
           ((both & FLOW_REG0) == 0 ||
            ((a->reg0 ^ b->reg0) & a->reg0_mask & b->reg0_mask) == 0) &&
           ((both & FLOW_REG1) == 0 ||
            ((a->reg1 ^ b->reg1) & a->reg1_mask & b->reg1_mask) == 0);
}

bool flow_match_overlaps(const struct flow_match *a, const struct flow_match *b)
{
    uint32_t both = a->fields & b->fields;

    return link_fields_agree(both, a, b) && network_fields_agree(both, a, b) &&
           pipeline_fields_agree(both, a, b);
}
