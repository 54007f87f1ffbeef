/*
 * Flows and groups as values: what the plan makes, what a dump is parsed
 * into, what the diff compares.  A match is a struct, so the order of OXM
 * fields on the wire does not matter; instructions and buckets are canonical
 * encoded bytes (openflow.h writes them exactly as Open vSwitch dumps them).
 * Pure.
 */
#ifndef SOCKETNET_RECONCILERS_OPENFLOW_FLOW_H
#define SOCKETNET_RECONCILERS_OPENFLOW_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/base/address.h"
#include "gossip/base/macros.h"

/* Cookie: [63:48] magic, [47:40] kind, [39:32] layout version, [31:0] hash of
 * the item's key.  A flow without our magic is foreign and never touched. */
#define FLOW_COOKIE_MAGIC  UINT64_C(0x736e) /* "sn" */
#define FLOW_COOKIE_LAYOUT 1
#define FLOW_COOKIE_MASK   UINT64_C(0xffff000000000000)

enum flow_kind {
    FLOW_KIND_BASE = 1,     /* classification, misses, conntrack */
    FLOW_KIND_HOST = 2,     /* a remote node's subnets */
    FLOW_KIND_FUNCTION = 3, /* a service address */
    FLOW_KIND_LOCAL = 4,    /* a local container's address */
};

static inline uint64_t flow_cookie(enum flow_kind kind, uint32_t key_hash)
{
    return FLOW_COOKIE_MAGIC << 48 | (uint64_t)kind << 40 |
           (uint64_t)FLOW_COOKIE_LAYOUT << 32 | key_hash;
}

static inline bool flow_cookie_is_ours(uint64_t cookie)
{
    return cookie >> 48 == FLOW_COOKIE_MAGIC;
}

/* Which fields of a match are present. */
enum flow_field {
    FLOW_IN_PORT = 1u << 0,
    FLOW_ETH_DST = 1u << 1,
    FLOW_ETH_SRC = 1u << 2,
    FLOW_ETH_TYPE = 1u << 3,
    FLOW_IP_PROTO = 1u << 4,
    FLOW_NW_SRC = 1u << 5, /* IPv4 or IPv6 prefix, also arp_spa */
    FLOW_NW_DST = 1u << 6, /* ... also arp_tpa */
    FLOW_TP_SRC = 1u << 7,
    FLOW_TP_DST = 1u << 8,
    FLOW_ARP_OP = 1u << 9,
    FLOW_ARP_SHA = 1u << 10,
    FLOW_CT_STATE = 1u << 11,
    FLOW_CT_ZONE = 1u << 12,
    FLOW_REG0 = 1u << 13,
    FLOW_REG1 = 1u << 14,
    FLOW_TCP_FLAGS = 1u << 15,
    FLOW_OTHER = 1u << 30, /* a field we do not know: foreign flows only;
                              such a match equals only itself, by `other` */
};

struct flow_match {
    uint32_t fields; /* enum flow_field */
    uint32_t in_port;
    uint8_t eth_dst[6], eth_dst_mask[6];
    uint8_t eth_src[6], eth_src_mask[6];
    uint16_t eth_type;
    uint8_t ip_proto;
    struct prefix nw_src, nw_dst;
    uint16_t tp_src, tp_dst;
    uint16_t tcp_flags, tcp_flags_mask;
    uint16_t arp_op;
    uint8_t arp_sha[6];
    uint32_t ct_state, ct_state_mask; /* OVS_CS_F_* bits */
    uint16_t ct_zone;
    uint32_t reg0, reg0_mask;
    uint32_t reg1, reg1_mask;
    uint64_t other; /* hash of the whole OXM bytes when FLOW_OTHER */
};

struct flow {
    uint8_t table;
    uint16_t priority;
    uint64_t cookie;
    struct flow_match match;
    uint8_t *instructions; /* owned, canonical bytes */
    size_t instructions_size;
    uint64_t n_packets; /* observed only */
    uint64_t n_bytes;
    char label[64]; /* desired only: what it is for, for people */
};

/* type select with selection method dp_hash. */
struct group {
    uint32_t id;
    uint8_t *buckets; /* owned, canonical bytes */
    size_t buckets_size;
    uint16_t n_buckets;
    bool is_other_form; /* observed only: not select with dp_hash */
    char label[64];
};

/* Group ids of ours: top byte 0x5e, the rest a hash of the function's key. */
#define FLOW_GROUP_PREFIX UINT32_C(0x5e000000)
#define FLOW_GROUP_MASK   UINT32_C(0xff000000)

void flow_done(struct flow *flow);
void group_done(struct group *group);
/* Orders by table, priority descending, match: the identity of a flow in the
 * switch.  Cookies and instructions do not take part. */
int flow_compare_key(const struct flow *a, const struct flow *b);
/* Whether a packet may match both.  A field that we do not know is taken to
 * match anything. */
bool flow_match_overlaps(const struct flow_match *a,
                         const struct flow_match *b);
/* Same cookie and instructions; the keys are not compared. */
bool flow_equal(const struct flow *a, const struct flow *b);
/* Identity of a group is its id; equal means same buckets and form. */
int group_compare_key(const struct group *a, const struct group *b);
bool group_equal(const struct group *a, const struct group *b);

/* FNV-1a; continues from `hash`, start with FLOW_HASH_INIT.  For cookies,
 * group ids and bucket ids: it must never change, or a new version of the
 * agent would rewrite every flow. */
#define FLOW_HASH_INIT UINT64_C(0xcbf29ce484222325)
uint64_t flow_hash(uint64_t hash, const void *bytes, size_t size);
/* Folds to the 32 bits of a cookie. */
uint32_t flow_hash_fold(uint64_t hash);

#endif
