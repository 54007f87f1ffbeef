/*
 * Instructions and actions as text, in the words of ovs-ofctl.  Reads the
 * same bytes as the switch does; what it does not know it prints as hex.
 * Part of openflow_text.c.
 */
#include "reconcilers/openflow/openflow_internal.h"

#include <inttypes.h>

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

static void print_field_name(struct openflow_text *out, uint32_t header)
{
    const char *name = field_name(header);

    if (name != NULL) {
        openflow_text_put(out, "%s", name);
    } else {
        openflow_text_put(out, "field:0x%08" PRIx32, header);
    }
}

static void print_value(struct openflow_text *out, uint32_t header,
                        const uint8_t *value)
{
    size_t size = header & 0xff;
    bool is_masked = (header & OXM_HAS_MASK) != 0;

    if (!is_masked && size == 6) {
        openflow_text_mac(out, value);
    } else if (!is_masked && size == 4 && header >> 16 == OXM_BASIC) {
        openflow_text_put(out, "%u.%u.%u.%u", value[0], value[1], value[2],
                          value[3]);
    } else {
        struct reader reader = reader_init(value, size);

        if (!is_masked && size <= 4) {
            openflow_text_put(out, "%" PRIu64, reader_be(&reader, size));
        } else {
            openflow_text_put(out, "0x");
            openflow_text_hex(out, value, size);
        }
    }
}

static void print_set_field(struct openflow_text *out, struct reader *body)
{
    uint32_t header = reader_u32(body);
    const uint8_t *value = reader_take(body, header & 0xff);

    if (value == NULL) {
        openflow_text_put(out, "set_field:?");
        return;
    }
    openflow_text_put(out, "set_field:");
    print_value(out, header, value);
    openflow_text_put(out, "->");
    print_field_name(out, header);
}

static void print_nat(struct openflow_text *out, struct reader *body)
{
    uint16_t flags, present;
    struct address address = {0};
    char text[ADDRESS_TEXT_SIZE];

    (void)reader_u16(body);
    flags = reader_u16(body);
    present = reader_u16(body);
    openflow_text_put(out, "nat");
    if (present & NAT_HAS_IPV4_MIN) {
        address.family = 4;
    } else if (present & NAT_HAS_IPV6_MIN) {
        address.family = 6;
    }
    if (flags == 0 || address.family == 0) {
        return;
    }
    reader_copy(body, address.bytes, address_size(&address));
    openflow_text_put(out, address.family == 6 ? "(%s=[%s]" : "(%s=%s",
                      flags & NAT_FLAG_SOURCE ? "src" : "dst",
                      address_text(&address, text));
    if ((present & NAT_HAS_PORT_MIN) &&
        !(present & (NAT_HAS_IPV4_MAX | NAT_HAS_IPV6_MAX))) {
        openflow_text_put(out, ":%u", reader_u16(body));
    }
    openflow_text_put(out, ")");
}

static void print_ct(struct openflow_text *out, struct reader *body)
{
    uint16_t flags = reader_u16(body);
    uint32_t source = reader_u32(body);
    uint16_t zone = reader_u16(body);
    uint8_t table = reader_u8(body);

    (void)reader_take(body, 5);
    openflow_text_put(out, "ct(%s", flags & CT_FLAG_COMMIT ? "commit," : "");
    if (table != 255) {
        openflow_text_put(out, "table=%u,", table);
    }
    if (source == 0) {
        openflow_text_put(out, "zone=%u", zone);
    } else {
        openflow_text_put(out, "zone=");
        print_field_name(out, source);
    }
    /* Nested actions: NAT is the only one that we know. */
    if (reader_left(body) >= 16) {
        struct reader nested = *body;

        (void)reader_u32(&nested);
        if (reader_u32(&nested) == OPENFLOW_NICIRA &&
            reader_u16(&nested) == NICIRA_NAT) {
            openflow_text_put(out, ",");
            print_nat(out, &nested);
        } else {
            openflow_text_put(out, ",exec:0x");
            openflow_text_hex(out, body->pos, reader_left(body));
        }
    }
    openflow_text_put(out, ")");
}

static void print_experimenter(struct openflow_text *out, struct reader *body)
{
    struct reader whole = *body;
    uint32_t experimenter = reader_u32(body);
    uint16_t subtype = reader_u16(body);

    if (experimenter == OPENFLOW_NICIRA && subtype == NICIRA_CT) {
        print_ct(out, body);
    } else if (experimenter == OPENFLOW_NICIRA &&
               subtype == NICIRA_CHECK_PKT_LARGER) {
        openflow_text_put(out, "check_pkt_larger(%u)->NXM_NX_REG1[0]",
                          reader_u16(body));
    } else if (experimenter == OPENFLOW_NICIRA &&
               subtype == NICIRA_RESUBMIT_TABLE) {
        (void)reader_u16(body);
        openflow_text_put(out, "resubmit(,%u)", reader_u8(body));
    } else {
        openflow_text_put(out, "experimenter:0x");
        openflow_text_hex(out, whole.pos, reader_left(&whole));
    }
}

static void print_output(struct openflow_text *out, struct reader *body)
{
    uint32_t port = reader_u32(body);
    uint16_t max_len = reader_u16(body);

    if (port == OPENFLOW_PORT_CONTROLLER) {
        openflow_text_put(out, "CONTROLLER:%u", max_len);
    } else if (port == OPENFLOW_PORT_LOCAL || port == OPENFLOW_PORT_IN_PORT) {
        openflow_text_port(out, port);
    } else {
        openflow_text_put(out, "output:");
        openflow_text_port(out, port);
    }
}

static void print_copy_field(struct openflow_text *out, struct reader *body)
{
    uint32_t from, to;

    (void)reader_take(body, 8); /* bits, offsets, padding */
    from = reader_u32(body);
    to = reader_u32(body);
    openflow_text_put(out, "move:");
    print_field_name(out, from);
    openflow_text_put(out, "->");
    print_field_name(out, to);
}

static void print_action(struct openflow_text *out, uint16_t type,
                         struct reader *body)
{
    switch (type) {
    case ACTION_OUTPUT:
        print_output(out, body);
        break;
    case ACTION_GROUP:
        openflow_text_put(out, "group:%" PRIu32, reader_u32(body));
        break;
    case ACTION_METER:
        openflow_text_put(out, "meter:%" PRIu32, reader_u32(body));
        break;
    case ACTION_DEC_TTL:
        openflow_text_put(out, "dec_ttl");
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
        openflow_text_put(out, "action%u:0x", type);
        openflow_text_hex(out, body->pos, reader_left(body));
        break;
    }
}

/* A list of TLVs with 16-bit type and length.  False when it is broken. */
static bool print_actions(struct openflow_text *out, struct reader *reader)
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
        openflow_text_put(out, "%s", separator);
        print_action(out, type, &body);
        separator = ",";
    }
    return true;
}

void openflow_text_instructions(struct openflow_text *out,
                                const struct flow *flow)
{
    struct reader reader =
        reader_init(flow->instructions, flow->instructions_size);
    const char *separator = "";

    if (flow->instructions_size == 0) {
        openflow_text_put(out, "drop");
        return;
    }
    while (reader_left(&reader) > 0) {
        struct reader body = reader;
        uint16_t type = reader_u16(&body);
        uint16_t length = reader_u16(&body);
        const uint8_t *start = reader_take(&reader, length);
        bool is_good = start != NULL && length >= 8;

        openflow_text_put(out, "%s", separator);
        if (is_good && type == INSTRUCTION_APPLY) {
            body = reader_init(start + 8, length - 8u);
            is_good = print_actions(out, &body);
        } else if (is_good && type == INSTRUCTION_GOTO_TABLE) {
            openflow_text_put(out, "goto_table:%u", start[4]);
        } else if (is_good) {
            openflow_text_put(out, "instruction%u:0x", type);
            openflow_text_hex(out, start + 4, length - 4u);
        }
        if (!is_good) {
            openflow_text_put(out, "malformed");
            return;
        }
        separator = ",";
    }
}
