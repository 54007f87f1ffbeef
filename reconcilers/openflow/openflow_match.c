/*
 * Matches: struct flow_match to OXM fields and back.  A field, or a mask,
 * that the struct cannot hold makes the match FLOW_OTHER with a hash of all
 * its bytes, so that it equals only itself.  Used by openflow.c and
 * openflow_parse.c.
 */
#include "reconcilers/openflow/openflow_internal.h"

#include <string.h>

#define MATCH_TYPE_OXM 1

static void put_field(struct writer *writer, uint32_t header,
                      const uint8_t *value, const uint8_t *mask)
{
    size_t size = header & 0xff;
    bool is_masked = false;

    for (size_t i = 0; mask != NULL && i < size; i++) {
        is_masked = is_masked || mask[i] != 0xff;
    }
    if (is_masked) {
        writer_u32(writer, (header & ~UINT32_C(0xff)) | OXM_HAS_MASK |
                               (uint32_t)(2 * size));
    } else {
        writer_u32(writer, header);
    }
    writer_put(writer, value, size);
    if (is_masked) {
        writer_put(writer, mask, size);
    }
}

static void put_number(struct writer *writer, uint32_t header, uint32_t value,
                       uint32_t mask)
{
    uint8_t value_bytes[4], mask_bytes[4];
    size_t size = header & 0xff;

    for (size_t i = 0; i < size; i++) {
        unsigned shift = (unsigned)(8 * (size - 1 - i));

        value_bytes[i] = (uint8_t)(value >> shift);
        mask_bytes[i] = (uint8_t)(mask >> shift);
    }
    put_field(writer, header, value_bytes, mask_bytes);
}

static void put_prefix(struct writer *writer, const struct flow_match *match,
                       const struct prefix *prefix, bool is_source)
{
    uint32_t header;
    uint8_t mask[16] = {0};

    if (match->eth_type == ETH_TYPE_ARP) {
        header = is_source ? OXM_ARP_SPA : OXM_ARP_TPA;
    } else if (prefix->address.family == 6) {
        header = is_source ? OXM_IPV6_SRC : OXM_IPV6_DST;
    } else {
        header = is_source ? OXM_IPV4_SRC : OXM_IPV4_DST;
    }
    for (unsigned bit = 0; bit < prefix->len && bit < 128; bit++) {
        mask[bit / 8] |= (uint8_t)(0x80u >> bit % 8);
    }
    put_field(writer, header, prefix->address.bytes, mask);
}

static void put_network_fields(struct writer *writer,
                               const struct flow_match *match)
{
    bool is_udp = match->ip_proto == IP_PROTO_UDP;

    if (match->fields & FLOW_IP_PROTO) {
        put_number(writer, OXM_IP_PROTO, match->ip_proto, 0xff);
    }
    if (match->fields & FLOW_ARP_OP) {
        put_number(writer, OXM_ARP_OP, match->arp_op, 0xffff);
    }
    if (match->fields & FLOW_NW_SRC) {
        put_prefix(writer, match, &match->nw_src, true);
    }
    if (match->fields & FLOW_NW_DST) {
        put_prefix(writer, match, &match->nw_dst, false);
    }
    if (match->fields & FLOW_ARP_SHA) {
        put_field(writer, OXM_ARP_SHA, match->arp_sha, NULL);
    }
    if (match->fields & FLOW_TP_SRC) {
        put_number(writer, is_udp ? OXM_UDP_SRC : OXM_TCP_SRC, match->tp_src,
                   0xffff);
    }
    if (match->fields & FLOW_TP_DST) {
        put_number(writer, is_udp ? OXM_UDP_DST : OXM_TCP_DST, match->tp_dst,
                   0xffff);
    }
    if (match->fields & FLOW_TCP_FLAGS) {
        put_number(writer, OXM_TCP_FLAGS, match->tcp_flags,
                   match->tcp_flags_mask);
    }
}

static void put_fields(struct writer *writer, const struct flow_match *match)
{
    if (match->fields & FLOW_IN_PORT) {
        put_number(writer, OXM_IN_PORT, match->in_port, UINT32_MAX);
    }
    if (match->fields & FLOW_ETH_DST) {
        put_field(writer, OXM_ETH_DST, match->eth_dst, match->eth_dst_mask);
    }
    if (match->fields & FLOW_ETH_SRC) {
        put_field(writer, OXM_ETH_SRC, match->eth_src, match->eth_src_mask);
    }
    if (match->fields & FLOW_ETH_TYPE) {
        put_number(writer, OXM_ETH_TYPE, match->eth_type, 0xffff);
    }
    put_network_fields(writer, match);
    if (match->fields & FLOW_CT_STATE) {
        put_number(writer, OXM_CT_STATE, match->ct_state, match->ct_state_mask);
    }
    if (match->fields & FLOW_CT_ZONE) {
        put_number(writer, OXM_CT_ZONE, match->ct_zone, 0xffff);
    }
    if (match->fields & FLOW_REG0) {
        put_number(writer, OXM_REG0, match->reg0, match->reg0_mask);
    }
    if (match->fields & FLOW_REG1) {
        put_number(writer, OXM_REG1, match->reg1, match->reg1_mask);
    }
}

void openflow_put_match(struct writer *writer, const struct flow_match *match)
{
    size_t start = writer_size(writer);

    writer_u16(writer, MATCH_TYPE_OXM);
    writer_u16(writer, OPENFLOW_LENGTH_LATER);
    put_fields(writer, match);
    openflow_set_length(writer, start + 2, writer_size(writer) - start);
    openflow_put_padding(writer, start);
}

int openflow_mask_len(const uint8_t *mask, size_t size)
{
    int len = 0;

    while ((size_t)len < 8 * size &&
           (mask[len / 8] & (0x80u >> len % 8)) != 0) {
        len++;
    }
    for (size_t bit = (size_t)len; bit < 8 * size; bit++) {
        if ((mask[bit / 8] & (0x80u >> bit % 8)) != 0) {
            return -1;
        }
    }
    return len;
}

/* --- Reading. ---  Each takes one field's value and mask (NULL: exact) and
 * is false when the struct cannot hold it. */

static uint64_t number_of(const uint8_t *bytes, size_t size)
{
    struct reader reader = reader_init(bytes, size);

    return reader_be(&reader, size);
}

static bool take_mac(const uint8_t *value, const uint8_t *mask, uint8_t mac[6],
                     uint8_t mac_mask[6])
{
    memcpy(mac, value, 6);
    if (mask == NULL) {
        memset(mac_mask, 0xff, 6);
    } else {
        memcpy(mac_mask, mask, 6);
    }
    return true;
}

static bool take_prefix(const uint8_t *value, const uint8_t *mask, size_t size,
                        struct prefix *prefix)
{
    int len = (int)(8 * size);

    if (mask != NULL) {
        len = openflow_mask_len(mask, size);
    }
    if (len < 0) {
        return false;
    }
    *prefix = (struct prefix){.len = (uint8_t)len};
    prefix->address.family = size == 4 ? 4 : 6;
    memcpy(prefix->address.bytes, value, size);
    return true;
}

static void take_register(uint32_t value, uint32_t mask, unsigned number,
                          struct flow_match *match)
{
    if (mask == 0) {
        return;
    }
    if (number == 0) {
        match->fields |= FLOW_REG0;
        match->reg0 = value;
        match->reg0_mask = mask;
    } else {
        match->fields |= FLOW_REG1;
        match->reg1 = value;
        match->reg1_mask = mask;
    }
}

/* Fields that carry a mask, or two fields in one. */
static bool take_masked_field(uint32_t field, const uint8_t *value,
                              const uint8_t *mask, struct flow_match *match)
{
    switch (field) {
    case OXM_FIELD(OXM_ETH_DST):
        match->fields |= FLOW_ETH_DST;
        return take_mac(value, mask, match->eth_dst, match->eth_dst_mask);
    case OXM_FIELD(OXM_ETH_SRC):
        match->fields |= FLOW_ETH_SRC;
        return take_mac(value, mask, match->eth_src, match->eth_src_mask);
    case OXM_FIELD(OXM_IPV4_SRC):
    case OXM_FIELD(OXM_ARP_SPA):
        match->fields |= FLOW_NW_SRC;
        return take_prefix(value, mask, 4, &match->nw_src);
    case OXM_FIELD(OXM_IPV4_DST):
    case OXM_FIELD(OXM_ARP_TPA):
        match->fields |= FLOW_NW_DST;
        return take_prefix(value, mask, 4, &match->nw_dst);
    case OXM_FIELD(OXM_IPV6_SRC):
        match->fields |= FLOW_NW_SRC;
        return take_prefix(value, mask, 16, &match->nw_src);
    case OXM_FIELD(OXM_IPV6_DST):
        match->fields |= FLOW_NW_DST;
        return take_prefix(value, mask, 16, &match->nw_dst);
    case OXM_FIELD(OXM_TCP_FLAGS):
        match->fields |= FLOW_TCP_FLAGS;
        match->tcp_flags = (uint16_t)number_of(value, 2);
        match->tcp_flags_mask =
            mask == NULL ? UINT16_MAX : (uint16_t)number_of(mask, 2);
        return true;
    case OXM_FIELD(OXM_CT_STATE):
        match->fields |= FLOW_CT_STATE;
        match->ct_state = (uint32_t)number_of(value, 4);
        match->ct_state_mask =
            mask == NULL ? UINT32_MAX : (uint32_t)number_of(mask, 4);
        return true;
    case OXM_FIELD(OXM_REG0):
    case OXM_FIELD(OXM_REG1):
        take_register((uint32_t)number_of(value, 4),
                      mask == NULL ? UINT32_MAX : (uint32_t)number_of(mask, 4),
                      field == OXM_FIELD(OXM_REG1) ? 1 : 0, match);
        return true;
    case OXM_FIELD(OXM_XREG0):
        take_register((uint32_t)number_of(value, 4),
                      mask == NULL ? UINT32_MAX : (uint32_t)number_of(mask, 4),
                      0, match);
        take_register((uint32_t)number_of(value + 4, 4),
                      mask == NULL ? UINT32_MAX
                                   : (uint32_t)number_of(mask + 4, 4),
                      1, match);
        return true;
    default:
        return false;
    }
}

static bool take_exact_field(uint32_t field, const uint8_t *value,
                             struct flow_match *match)
{
    switch (field) {
    case OXM_FIELD(OXM_IN_PORT):
        match->fields |= FLOW_IN_PORT;
        match->in_port = (uint32_t)number_of(value, 4);
        return true;
    case OXM_FIELD(OXM_ETH_TYPE):
        match->fields |= FLOW_ETH_TYPE;
        match->eth_type = (uint16_t)number_of(value, 2);
        return true;
    case OXM_FIELD(OXM_IP_PROTO):
        match->fields |= FLOW_IP_PROTO;
        match->ip_proto = value[0];
        return true;
    case OXM_FIELD(OXM_TCP_SRC):
    case OXM_FIELD(OXM_UDP_SRC):
        match->fields |= FLOW_TP_SRC;
        match->tp_src = (uint16_t)number_of(value, 2);
        return true;
    case OXM_FIELD(OXM_TCP_DST):
    case OXM_FIELD(OXM_UDP_DST):
        match->fields |= FLOW_TP_DST;
        match->tp_dst = (uint16_t)number_of(value, 2);
        return true;
    case OXM_FIELD(OXM_ARP_OP):
        match->fields |= FLOW_ARP_OP;
        match->arp_op = (uint16_t)number_of(value, 2);
        return true;
    case OXM_FIELD(OXM_ARP_SHA):
        match->fields |= FLOW_ARP_SHA;
        memcpy(match->arp_sha, value, 6);
        return true;
    case OXM_FIELD(OXM_CT_ZONE):
        match->fields |= FLOW_CT_ZONE;
        match->ct_zone = (uint16_t)number_of(value, 2);
        return true;
    default:
        return false;
    }
}

/* Expected value size of the fields above, 0 for any other. */
static size_t field_size(uint32_t field)
{
    static const uint32_t known[] = {
        OXM_IN_PORT,  OXM_ETH_DST,  OXM_ETH_SRC,   OXM_ETH_TYPE, OXM_IP_PROTO,
        OXM_IPV4_SRC, OXM_IPV4_DST, OXM_TCP_SRC,   OXM_TCP_DST,  OXM_UDP_SRC,
        OXM_UDP_DST,  OXM_ARP_OP,   OXM_ARP_SPA,   OXM_ARP_TPA,  OXM_ARP_SHA,
        OXM_IPV6_SRC, OXM_IPV6_DST, OXM_CT_STATE,  OXM_CT_ZONE,  OXM_REG0,
        OXM_REG1,     OXM_XREG0,    OXM_TCP_FLAGS,
    };

    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        if (OXM_FIELD(known[i]) == field) {
            return known[i] & 0xff;
        }
    }
    return 0;
}

/* One field; false when only FLOW_OTHER can stand for it. */
static bool take_field(uint32_t header, const uint8_t *bytes,
                       struct flow_match *match)
{
    uint32_t field = OXM_FIELD(header);
    bool is_masked = (header & OXM_HAS_MASK) != 0;
    size_t size = field_size(field);

    if (size == 0 || (header & 0xff) != (is_masked ? 2 * size : size)) {
        return false;
    }
    if (take_masked_field(field, bytes, is_masked ? bytes + size : NULL,
                          match)) {
        return true;
    }
    return !is_masked && take_exact_field(field, bytes, match);
}

int openflow_parse_match(struct reader *reader, struct flow_match *ret)
{
    struct flow_match match = {0};
    uint16_t type = reader_u16(reader);
    uint16_t length = reader_u16(reader);
    const uint8_t *fields;
    struct reader inner;

    if (reader->failed || type != MATCH_TYPE_OXM || length < 4) {
        return OPENFLOW_E_MALFORMED;
    }
    fields = reader_take(reader, length - 4u);
    (void)reader_take(reader, (8 - length % 8u) % 8u); /* seen as failed */
    if (reader->failed) {
        return OPENFLOW_E_MALFORMED;
    }
    inner = reader_init(fields, length - 4u);
    while (reader_left(&inner) > 0) {
        uint32_t header = reader_u32(&inner);
        const uint8_t *value = reader_take(&inner, header & 0xff);

        if (value == NULL) {
            return OPENFLOW_E_MALFORMED;
        }
        if (!take_field(header, value, &match)) {
            match.fields |= FLOW_OTHER;
        }
    }
    if (match.fields & FLOW_OTHER) {
        match.other = flow_hash(FLOW_HASH_INIT, fields, length - 4u);
    }
    *ret = match;
    return 0;
}
