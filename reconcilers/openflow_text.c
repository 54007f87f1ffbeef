/*
 * Flows as text for people, in the words of ovs-ofctl.  Reads the same bytes
 * as the switch does; what it does not know it prints as hex.
 */
#include "reconcilers/openflow.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "reconcilers/openflow_internal.h"

static void print_mac(FILE *out, const uint8_t mac[6])
{
    (void)fprintf(out, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
                  mac[3], mac[4], mac[5]);
}

static void print_port(FILE *out, uint32_t port)
{
    switch (port) {
    case OPENFLOW_PORT_LOCAL:
        (void)fputs("LOCAL", out);
        break;
    case OPENFLOW_PORT_CONTROLLER:
        (void)fputs("CONTROLLER", out);
        break;
    case OPENFLOW_PORT_IN_PORT:
        (void)fputs("IN_PORT", out);
        break;
    default:
        (void)fprintf(out, "%" PRIu32, port);
        break;
    }
}

static void print_hex(FILE *out, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        (void)fprintf(out, "%02x", bytes[i]);
    }
}

static void print_mac_field(FILE *out, const char *name, const uint8_t mac[6],
                            const uint8_t mask[6])
{
    (void)fprintf(out, ",%s=", name);
    print_mac(out, mac);
    if (openflow_mask_len(mask, 6) != 48) {
        (void)fputc('/', out);
        print_mac(out, mask);
    }
}

static void print_prefix(FILE *out, const char *name,
                         const struct prefix *prefix)
{
    char text[PREFIX_TEXT_SIZE];
    bool is_host = prefix->len == 8 * address_size(&prefix->address);

    if (is_host) {
        (void)address_text(&prefix->address, text);
    } else {
        (void)prefix_text(prefix, text);
    }
    (void)fprintf(out, ",%s=%s", name, text);
}

static void print_ct_state(FILE *out, uint32_t value, uint32_t mask)
{
    static const char *const names[] = {"new", "est", "rel",  "rpl",
                                        "inv", "trk", "snat", "dnat"};

    (void)fputs(",ct_state=", out);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (mask & UINT32_C(1) << i) {
            (void)fprintf(out, "%c%s", value & UINT32_C(1) << i ? '+' : '-',
                          names[i]);
        }
    }
}

static void print_register(FILE *out, unsigned number, uint32_t value,
                           uint32_t mask)
{
    (void)fprintf(out, ",reg%u=0x%" PRIx32, number, value);
    if (mask != UINT32_MAX) {
        (void)fprintf(out, "/0x%" PRIx32, mask);
    }
}

static const char *protocol_name(const struct flow_match *match)
{
    bool has_proto = (match->fields & FLOW_IP_PROTO) != 0;
    bool is_tcp = has_proto && match->ip_proto == IP_PROTO_TCP;
    bool is_udp = has_proto && match->ip_proto == IP_PROTO_UDP;

    switch (match->eth_type) {
    case ETH_TYPE_IPV4:
        return is_tcp ? "tcp" : is_udp ? "udp" : "ip";
    case ETH_TYPE_IPV6:
        return is_tcp ? "tcp6" : is_udp ? "udp6" : "ipv6";
    case ETH_TYPE_ARP:
        return "arp";
    default:
        return NULL;
    }
}

static void print_network_match(FILE *out, const struct flow_match *match)
{
    bool is_arp = match->eth_type == ETH_TYPE_ARP;
    bool is_ipv6 = match->eth_type == ETH_TYPE_IPV6;

    if (match->fields & FLOW_IP_PROTO && match->ip_proto != IP_PROTO_TCP &&
        match->ip_proto != IP_PROTO_UDP) {
        (void)fprintf(out, ",nw_proto=%u", match->ip_proto);
    }
    if (match->fields & FLOW_ARP_OP) {
        (void)fprintf(out, ",arp_op=%u", match->arp_op);
    }
    if (match->fields & FLOW_NW_SRC) {
        print_prefix(out,
                     is_arp    ? "arp_spa"
                     : is_ipv6 ? "ipv6_src"
                               : "nw_src",
                     &match->nw_src);
    }
    if (match->fields & FLOW_NW_DST) {
        print_prefix(out,
                     is_arp    ? "arp_tpa"
                     : is_ipv6 ? "ipv6_dst"
                               : "nw_dst",
                     &match->nw_dst);
    }
    if (match->fields & FLOW_ARP_SHA) {
        (void)fputs(",arp_sha=", out);
        print_mac(out, match->arp_sha);
    }
    if (match->fields & FLOW_TP_SRC) {
        (void)fprintf(out, ",tp_src=%u", match->tp_src);
    }
    if (match->fields & FLOW_TP_DST) {
        (void)fprintf(out, ",tp_dst=%u", match->tp_dst);
    }
    if (match->fields & FLOW_TCP_FLAGS) {
        (void)fprintf(out, ",tcp_flags=0x%x/0x%x", match->tcp_flags,
                      match->tcp_flags_mask);
    }
}

static void print_match(FILE *out, const struct flow_match *match)
{
    if (match->fields & FLOW_ETH_TYPE) {
        const char *name = protocol_name(match);

        if (name != NULL) {
            (void)fprintf(out, ",%s", name);
        } else {
            (void)fprintf(out, ",dl_type=0x%04x", match->eth_type);
        }
    }
    if (match->fields & FLOW_CT_STATE) {
        print_ct_state(out, match->ct_state, match->ct_state_mask);
    }
    if (match->fields & FLOW_CT_ZONE) {
        (void)fprintf(out, ",ct_zone=%u", match->ct_zone);
    }
    if (match->fields & FLOW_REG0) {
        print_register(out, 0, match->reg0, match->reg0_mask);
    }
    if (match->fields & FLOW_REG1) {
        print_register(out, 1, match->reg1, match->reg1_mask);
    }
    if (match->fields & FLOW_IN_PORT) {
        (void)fputs(",in_port=", out);
        print_port(out, match->in_port);
    }
    if (match->fields & FLOW_ETH_SRC) {
        print_mac_field(out, "dl_src", match->eth_src, match->eth_src_mask);
    }
    if (match->fields & FLOW_ETH_DST) {
        print_mac_field(out, "dl_dst", match->eth_dst, match->eth_dst_mask);
    }
    print_network_match(out, match);
    if (match->fields & FLOW_OTHER) {
        (void)fprintf(out, ",other=0x%" PRIx64, match->other);
    }
}

static const char *field_name(uint32_t header)
{
    static const struct {
        uint32_t header;
        const char *name;
    } names[] = {
        {OXM_ETH_DST, "eth_dst"},   {OXM_ETH_SRC, "eth_src"},
        {OXM_IPV4_SRC, "ip_src"},   {OXM_IPV4_DST, "ip_dst"},
        {OXM_IPV6_SRC, "ipv6_src"}, {OXM_IPV6_DST, "ipv6_dst"},
        {OXM_TCP_SRC, "tcp_src"},   {OXM_TCP_DST, "tcp_dst"},
        {OXM_UDP_SRC, "udp_src"},   {OXM_UDP_DST, "udp_dst"},
        {OXM_ARP_OP, "arp_op"},     {OXM_ARP_SPA, "arp_spa"},
        {OXM_ARP_TPA, "arp_tpa"},   {OXM_ARP_SHA, "arp_sha"},
        {OXM_ARP_THA, "arp_tha"},   {OXM_REG0, "reg0"},
        {OXM_REG1, "reg1"},         {OXM_REG2, "reg2"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (OXM_FIELD(names[i].header) == OXM_FIELD(header)) {
            return names[i].name;
        }
    }
    return NULL;
}

static void print_field_name(FILE *out, uint32_t header)
{
    const char *name = field_name(header);

    if (name != NULL) {
        (void)fputs(name, out);
    } else {
        (void)fprintf(out, "field:0x%08" PRIx32, header);
    }
}

static void print_value(FILE *out, uint32_t header, const uint8_t *value)
{
    size_t size = header & 0xff;
    bool is_masked = (header & OXM_HAS_MASK) != 0;

    if (!is_masked && size == 6) {
        print_mac(out, value);
    } else if (!is_masked && size == 4 && header >> 16 == OXM_BASIC) {
        (void)fprintf(out, "%u.%u.%u.%u", value[0], value[1], value[2],
                      value[3]);
    } else {
        struct reader reader = reader_init(value, size);

        if (!is_masked && size <= 4) {
            (void)fprintf(out, "%" PRIu64, reader_be(&reader, size));
        } else {
            (void)fputs("0x", out);
            print_hex(out, value, size);
        }
    }
}

static void print_set_field(FILE *out, struct reader *body)
{
    uint32_t header = reader_u32(body);
    const uint8_t *value = reader_take(body, header & 0xff);

    if (value == NULL) {
        (void)fputs("set_field:?", out);
        return;
    }
    (void)fputs("set_field:", out);
    print_value(out, header, value);
    (void)fputs("->", out);
    print_field_name(out, header);
}

static void print_nat(FILE *out, struct reader *body)
{
    uint16_t flags, present;
    struct address address = {0};
    char text[ADDRESS_TEXT_SIZE];

    (void)reader_u16(body);
    flags = reader_u16(body);
    present = reader_u16(body);
    (void)fputs("nat", out);
    if (present & NAT_HAS_IPV4_MIN) {
        address.family = 4;
    } else if (present & NAT_HAS_IPV6_MIN) {
        address.family = 6;
    }
    if (flags == 0 || address.family == 0) {
        return;
    }
    reader_copy(body, address.bytes, address_size(&address));
    (void)fprintf(out, address.family == 6 ? "(%s=[%s]" : "(%s=%s",
                  flags & NAT_FLAG_SOURCE ? "src" : "dst",
                  address_text(&address, text));
    if ((present & NAT_HAS_PORT_MIN) &&
        !(present & (NAT_HAS_IPV4_MAX | NAT_HAS_IPV6_MAX))) {
        (void)fprintf(out, ":%u", reader_u16(body));
    }
    (void)fputc(')', out);
}

static void print_ct(FILE *out, struct reader *body)
{
    uint16_t flags = reader_u16(body);
    uint32_t source = reader_u32(body);
    uint16_t zone = reader_u16(body);
    uint8_t table = reader_u8(body);

    (void)reader_take(body, 5);
    (void)fprintf(out, "ct(%s", flags & CT_FLAG_COMMIT ? "commit," : "");
    if (table != 255) {
        (void)fprintf(out, "table=%u,", table);
    }
    if (source == 0) {
        (void)fprintf(out, "zone=%u", zone);
    } else {
        (void)fputs("zone=", out);
        print_field_name(out, source);
    }
    /* Nested actions: NAT is the only one that we know. */
    if (reader_left(body) >= 16) {
        struct reader nested = *body;

        (void)reader_u32(&nested);
        if (reader_u32(&nested) == OPENFLOW_NICIRA &&
            reader_u16(&nested) == NICIRA_NAT) {
            (void)fputc(',', out);
            print_nat(out, &nested);
        } else {
            (void)fputs(",exec:0x", out);
            print_hex(out, body->pos, reader_left(body));
        }
    }
    (void)fputc(')', out);
}

static void print_experimenter(FILE *out, struct reader *body)
{
    struct reader whole = *body;
    uint32_t experimenter = reader_u32(body);
    uint16_t subtype = reader_u16(body);

    if (experimenter == OPENFLOW_NICIRA && subtype == NICIRA_CT) {
        print_ct(out, body);
    } else if (experimenter == OPENFLOW_NICIRA &&
               subtype == NICIRA_RESUBMIT_TABLE) {
        (void)reader_u16(body);
        (void)fprintf(out, "resubmit(,%u)", reader_u8(body));
    } else {
        (void)fputs("experimenter:0x", out);
        print_hex(out, whole.pos, reader_left(&whole));
    }
}

static void print_output(FILE *out, struct reader *body)
{
    uint32_t port = reader_u32(body);
    uint16_t max_len = reader_u16(body);

    if (port == OPENFLOW_PORT_CONTROLLER) {
        (void)fprintf(out, "CONTROLLER:%u", max_len);
    } else if (port == OPENFLOW_PORT_LOCAL || port == OPENFLOW_PORT_IN_PORT) {
        print_port(out, port);
    } else {
        (void)fputs("output:", out);
        print_port(out, port);
    }
}

static void print_copy_field(FILE *out, struct reader *body)
{
    uint32_t from, to;

    (void)reader_take(body, 8); /* bits, offsets, padding */
    from = reader_u32(body);
    to = reader_u32(body);
    (void)fputs("move:", out);
    print_field_name(out, from);
    (void)fputs("->", out);
    print_field_name(out, to);
}

static void print_action(FILE *out, uint16_t type, struct reader *body)
{
    switch (type) {
    case ACTION_OUTPUT:
        print_output(out, body);
        break;
    case ACTION_GROUP:
        (void)fprintf(out, "group:%" PRIu32, reader_u32(body));
        break;
    case ACTION_DEC_TTL:
        (void)fputs("dec_ttl", out);
        break;
    case ACTION_SET_FIELD:
        print_set_field(out, body);
        break;
    case ACTION_COPY_FIELD:
        print_copy_field(out, body);
        break;
    case ACTION_EXPERIMENTER:
        print_experimenter(out, body);
        break;
    default:
        (void)fprintf(out, "action%u:0x", type);
        print_hex(out, body->pos, reader_left(body));
        break;
    }
}

/* A list of TLVs with 16-bit type and length.  False when it is broken. */
static bool print_actions(FILE *out, struct reader *reader)
{
    const char *separator = "";

    while (reader_left(reader) > 0) {
        struct reader body = *reader;
        uint16_t type = reader_u16(&body);
        uint16_t length = reader_u16(&body);
        const uint8_t *start = reader_take(reader, length);

        if (start == NULL || length < 4) {
            return false;
        }
        body = reader_init(start + 4, length - 4u);
        (void)fputs(separator, out);
        print_action(out, type, &body);
        separator = ",";
    }
    return true;
}

static void print_instructions(FILE *out, const struct flow *flow)
{
    struct reader reader =
        reader_init(flow->instructions, flow->instructions_size);
    const char *separator = "";

    if (flow->instructions_size == 0) {
        (void)fputs("drop", out);
        return;
    }
    while (reader_left(&reader) > 0) {
        struct reader body = reader;
        uint16_t type = reader_u16(&body);
        uint16_t length = reader_u16(&body);
        const uint8_t *start = reader_take(&reader, length);
        bool is_good = start != NULL && length >= 8;

        (void)fputs(separator, out);
        if (is_good && type == INSTRUCTION_APPLY) {
            body = reader_init(start + 8, length - 8u);
            is_good = print_actions(out, &body);
        } else if (is_good && type == INSTRUCTION_GOTO_TABLE) {
            (void)fprintf(out, "goto_table:%u", start[4]);
        } else if (is_good) {
            (void)fprintf(out, "instruction%u:0x", type);
            print_hex(out, start + 4, length - 4u);
        }
        if (!is_good) {
            (void)fputs("malformed", out);
            return;
        }
        separator = ",";
    }
}

char *openflow_flow_text(const struct flow *flow)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    bool is_bad;

    if (out == NULL) {
        return NULL;
    }
    (void)fprintf(out, "table=%u,priority=%u", flow->table, flow->priority);
    print_match(out, &flow->match);
    (void)fputs(" actions=", out);
    print_instructions(out, flow);
    is_bad = ferror(out) != 0;
    if (fclose(out) != 0 || is_bad) {
        free(text);
        return NULL;
    }
    return text;
}
