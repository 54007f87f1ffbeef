/*
 * What the files of the OpenFlow codec share and nobody else uses: field
 * headers (OXM and the Nicira NXM ones), action and property numbers.  The
 * numbers are from ONF TS-025 (OpenFlow 1.5.1) section 7.2 and, for the
 * Nicira ones, as Open vSwitch 3.1 writes them on the wire.
 */
#ifndef SOCKETNET_RECONCILERS_OPENFLOW_OPENFLOW_INTERNAL_H
#define SOCKETNET_RECONCILERS_OPENFLOW_OPENFLOW_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/base/cursor.h"
#include "reconcilers/openflow/flow.h"
#include "reconcilers/openflow/openflow.h"

/* A field header: class, field, has-mask bit, length of value (and mask). */
#define OXM(class, field, size)                                                \
    ((uint32_t)(class) << 16 | (uint32_t)(field) << 9 | (uint32_t)(size))
#define OXM_HAS_MASK (UINT32_C(1) << 8)
/* Header without the mask bit and length: names the field. */
#define OXM_FIELD(header) ((header) & ~UINT32_C(0x1ff))

#define OXM_BASIC     UINT32_C(0x8000)
#define OXM_REGISTERS UINT32_C(0x8001)
#define OXM_STATS     UINT32_C(0x8002)
#define OXM_NICIRA_0  UINT32_C(0x0000)
#define OXM_NICIRA_1  UINT32_C(0x0001)

#define OXM_IN_PORT   OXM(0x8000, 0, 4)
#define OXM_ETH_DST   OXM(0x8000, 3, 6)
#define OXM_ETH_SRC   OXM(0x8000, 4, 6)
#define OXM_ETH_TYPE  OXM(0x8000, 5, 2)
#define OXM_IP_PROTO  OXM(0x8000, 10, 1)
#define OXM_IPV4_SRC  OXM(0x8000, 11, 4)
#define OXM_IPV4_DST  OXM(0x8000, 12, 4)
#define OXM_TCP_SRC   OXM(0x8000, 13, 2)
#define OXM_TCP_DST   OXM(0x8000, 14, 2)
#define OXM_UDP_SRC   OXM(0x8000, 15, 2)
#define OXM_UDP_DST   OXM(0x8000, 16, 2)
#define OXM_ARP_OP    OXM(0x8000, 21, 2)
#define OXM_ARP_SPA   OXM(0x8000, 22, 4)
#define OXM_ARP_TPA   OXM(0x8000, 23, 4)
#define OXM_ARP_SHA   OXM(0x8000, 24, 6)
#define OXM_ARP_THA   OXM(0x8000, 25, 6)
#define OXM_IPV6_SRC  OXM(0x8000, 26, 16)
#define OXM_IPV6_DST  OXM(0x8000, 27, 16)
#define OXM_TCP_FLAGS OXM(0x8000, 42, 2)
#define OXM_REG0      OXM(1, 0, 4)
#define OXM_REG1      OXM(1, 1, 4)
#define OXM_REG2      OXM(1, 2, 4)
#define OXM_CT_STATE  OXM(1, 105, 4)
#define OXM_CT_ZONE   OXM(1, 106, 2)
/* reg0 in the upper half, reg1 in the lower: so a 1.5 switch shows them */
#define OXM_XREG0 OXM(0x8001, 0, 8)

#define ETH_TYPE_IPV4 0x0800
#define ETH_TYPE_ARP  0x0806
#define ETH_TYPE_IPV6 0x86dd
#define IP_PROTO_TCP  6
#define IP_PROTO_UDP  17

#define OPENFLOW_NICIRA    UINT32_C(0x00002320)
#define OPENFLOW_NETRONOME UINT32_C(0x0000154d) /* of selection method */

enum openflow_action {
    ACTION_OUTPUT = 0,
    ACTION_GROUP = 22,
    ACTION_DEC_TTL = 24,
    ACTION_SET_FIELD = 25,
    ACTION_COPY_FIELD = 28,
    ACTION_METER = 29,
    ACTION_EXPERIMENTER = 0xffff,
};

enum openflow_nicira_action {
    NICIRA_RESUBMIT_TABLE = 14,
    NICIRA_CT = 35,
    NICIRA_NAT = 36,
    NICIRA_CHECK_PKT_LARGER = 49,
};

#define CT_FLAG_COMMIT   1
#define NAT_FLAG_SOURCE  1
#define NAT_FLAG_DEST    2
#define NAT_HAS_IPV4_MIN 0x01
#define NAT_HAS_IPV4_MAX 0x02
#define NAT_HAS_IPV6_MIN 0x04
#define NAT_HAS_IPV6_MAX 0x08
#define NAT_HAS_PORT_MIN 0x10
#define NAT_HAS_PORT_MAX 0x20

#define INSTRUCTION_GOTO_TABLE 1
#define INSTRUCTION_APPLY      4

/* Appends zero bytes until what was written since `start` is a multiple of
 * 8, the alignment of everything in OpenFlow. */
void openflow_put_padding(struct writer *writer, size_t start);
/* Stands where openflow_set_length will write. */
#define OPENFLOW_LENGTH_LATER 0
/* Writes a 16-bit length over the two bytes at `at`. */
void openflow_set_length(struct writer *writer, size_t at, size_t length);

/* A match with its header and padding, and the reading of one.  The reader
 * is left behind the padding.  0 or OPENFLOW_E_MALFORMED. */
void openflow_put_match(struct writer *writer, const struct flow_match *match);
_must_check_ int openflow_parse_match(struct reader *reader,
                                      struct flow_match *ret);
/* Text under construction; `text` is the caller's at the end. */
struct openflow_text {
    char *text;
    size_t len;
    size_t capacity;
    bool has_failed; /* out of memory */
};
_printf_(2, 3) void openflow_text_put(struct openflow_text *out,
                                      const char *format, ...);
void openflow_text_mac(struct openflow_text *out, const uint8_t mac[6]);
void openflow_text_port(struct openflow_text *out, uint32_t port);
void openflow_text_hex(struct openflow_text *out, const uint8_t *bytes,
                       size_t size);
void openflow_text_instructions(struct openflow_text *out,
                                const struct flow *flow);

/* Length of a contiguous mask of `size` bytes, or -1. */
int openflow_mask_len(const uint8_t *mask, size_t size);

#endif
