/*
 * Flows as text for people, in the words of ovs-ofctl: the text and the
 * match.  openflow_text_actions.c has the actions.
 */
#include "reconcilers/openflow/openflow.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "gossip/base/text.h"
#include "reconcilers/openflow/openflow_internal.h"

void openflow_text_put(struct openflow_text *out, const char *format, ...)
{
    va_list arguments, again;
    int len;

    va_start(arguments, format);
    va_copy(again, arguments);
    len = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (len >= 0 && !out->has_failed) {
        size_t needed = out->len + (size_t)len + 1;

        if (needed > out->capacity) {
            char *grown = realloc(out->text, 2 * needed);

            out->has_failed = grown == NULL;
            out->text = grown != NULL ? grown : out->text;
            out->capacity = grown != NULL ? 2 * needed : out->capacity;
        }
        if (!out->has_failed) {
            (void)vsnprintf(out->text + out->len, (size_t)len + 1, format,
                            arguments);
            out->len += (size_t)len;
        }
    }
    va_end(arguments);
}

void openflow_text_mac(struct openflow_text *out, const uint8_t mac[6])
{
    openflow_text_put(out, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1],
                      mac[2], mac[3], mac[4], mac[5]);
}

void openflow_text_port(struct openflow_text *out, uint32_t port)
{
    switch (port) {
    case OPENFLOW_PORT_LOCAL:
        openflow_text_put(out, "LOCAL");
        break;
    case OPENFLOW_PORT_CONTROLLER:
        openflow_text_put(out, "CONTROLLER");
        break;
    case OPENFLOW_PORT_IN_PORT:
        openflow_text_put(out, "IN_PORT");
        break;
    default:
        openflow_text_put(out, "%" PRIu32, port);
        break;
    }
}

void openflow_text_hex(struct openflow_text *out, const uint8_t *bytes,
                       size_t size)
{
    for (size_t i = 0; i < size; i++) {
        char digits[3];

        openflow_text_put(out, "%s", text_from_bytes(&bytes[i], 1, digits));
    }
}

static void print_mac_field(struct openflow_text *out, const char *name,
                            const uint8_t mac[6], const uint8_t mask[6])
{
    openflow_text_put(out, ",%s=", name);
    openflow_text_mac(out, mac);
    if (openflow_mask_len(mask, 6) != 48) {
        openflow_text_put(out, "/");
        openflow_text_mac(out, mask);
    }
}

static void print_prefix(struct openflow_text *out, const char *name,
                         const struct prefix *prefix)
{
    char text[PREFIX_TEXT_SIZE];
    bool is_host = prefix->len == 8 * address_size(&prefix->address);

    if (is_host) {
        (void)address_text(&prefix->address, text);
    } else {
        (void)prefix_text(prefix, text);
    }
    openflow_text_put(out, ",%s=%s", name, text);
}

static void print_ct_state(struct openflow_text *out, uint32_t value,
                           uint32_t mask)
{
    static const char *const names[] = {"new", "est", "rel",  "rpl",
                                        "inv", "trk", "snat", "dnat"};

    openflow_text_put(out, ",ct_state=");
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (mask & UINT32_C(1) << i) {
            openflow_text_put(out, "%c%s", value & UINT32_C(1) << i ? '+' : '-',
                              names[i]);
        }
    }
}

static void print_register(struct openflow_text *out, unsigned number,
                           uint32_t value, uint32_t mask)
{
    openflow_text_put(out, ",reg%u=0x%" PRIx32, number, value);
    if (mask != UINT32_MAX) {
        openflow_text_put(out, "/0x%" PRIx32, mask);
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

static void print_network_match(struct openflow_text *out,
                                const struct flow_match *match)
{
    bool is_arp = match->eth_type == ETH_TYPE_ARP;
    bool is_ipv6 = match->eth_type == ETH_TYPE_IPV6;

    if (match->fields & FLOW_IP_PROTO && match->ip_proto != IP_PROTO_TCP &&
        match->ip_proto != IP_PROTO_UDP) {
        openflow_text_put(out, ",nw_proto=%u", match->ip_proto);
    }
    if (match->fields & FLOW_ARP_OP) {
        openflow_text_put(out, ",arp_op=%u", match->arp_op);
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
        openflow_text_put(out, ",arp_sha=");
        openflow_text_mac(out, match->arp_sha);
    }
    if (match->fields & FLOW_TP_SRC) {
        openflow_text_put(out, ",tp_src=%u", match->tp_src);
    }
    if (match->fields & FLOW_TP_DST) {
        openflow_text_put(out, ",tp_dst=%u", match->tp_dst);
    }
    if (match->fields & FLOW_TCP_FLAGS) {
        openflow_text_put(out, ",tcp_flags=0x%x/0x%x", match->tcp_flags,
                          match->tcp_flags_mask);
    }
}

static void print_match(struct openflow_text *out,
                        const struct flow_match *match)
{
    if (match->fields & FLOW_ETH_TYPE) {
        const char *name = protocol_name(match);

        if (name != NULL) {
            openflow_text_put(out, ",%s", name);
        } else {
            openflow_text_put(out, ",dl_type=0x%04x", match->eth_type);
        }
    }
    if (match->fields & FLOW_CT_STATE) {
        print_ct_state(out, match->ct_state, match->ct_state_mask);
    }
    if (match->fields & FLOW_CT_ZONE) {
        openflow_text_put(out, ",ct_zone=%u", match->ct_zone);
    }
    if (match->fields & FLOW_REG0) {
        print_register(out, 0, match->reg0, match->reg0_mask);
    }
    if (match->fields & FLOW_REG1) {
        print_register(out, 1, match->reg1, match->reg1_mask);
    }
    if (match->fields & FLOW_IN_PORT) {
        openflow_text_put(out, ",in_port=");
        openflow_text_port(out, match->in_port);
    }
    if (match->fields & FLOW_ETH_SRC) {
        print_mac_field(out, "dl_src", match->eth_src, match->eth_src_mask);
    }
    if (match->fields & FLOW_ETH_DST) {
        print_mac_field(out, "dl_dst", match->eth_dst, match->eth_dst_mask);
    }
    print_network_match(out, match);
    if (match->fields & FLOW_OTHER) {
        openflow_text_put(out, ",other=0x%" PRIx64, match->other);
    }
}

char *openflow_flow_text(const struct flow *flow)
{
    struct openflow_text out = {0};

    openflow_text_put(&out, "table=%u,priority=%u", flow->table,
                      flow->priority);
    print_match(&out, &flow->match);
    openflow_text_put(&out, " actions=");
    openflow_text_instructions(&out, flow);
    if (out.has_failed) {
        free(out.text);
        return NULL;
    }
    return out.text;
}
