/*
 * Actions, instructions and buckets, byte for byte as Open vSwitch shows
 * them in its dumps: that is what makes the diff of an unchanged switch
 * empty.  tests/unit/test_openflow_switch.c checks it with a real switch.
 * Used by the planner and by whoever sends a packet-out.
 */
#include "reconcilers/openflow/openflow.h"

#include <string.h>

#include "reconcilers/openflow/openflow_internal.h"

void openflow_put_padding(struct writer *writer, size_t start)
{
    static const uint8_t zeroes[8];
    size_t size = writer_size(writer) - start;

    writer_put(writer, zeroes, (8 - size % 8) % 8);
}

void openflow_set_length(struct writer *writer, size_t at, size_t length)
{
    if (writer->failed) {
        return;
    }
    if (length > UINT16_MAX) {
        writer->failed = true;
        return;
    }
    writer->start[at] = (uint8_t)(length >> 8);
    writer->start[at + 1] = (uint8_t)length;
}

void openflow_put_output(struct writer *writer, uint32_t port, uint16_t max_len)
{
    writer_u16(writer, ACTION_OUTPUT);
    writer_u16(writer, 16);
    writer_u32(writer, port);
    /* The switch drops the length for any other port. */
    writer_u16(writer, port == OPENFLOW_PORT_CONTROLLER ? max_len : 0);
    writer_be(writer, 0, 6);
}

void openflow_put_group(struct writer *writer, uint32_t group_id)
{
    writer_u16(writer, ACTION_GROUP);
    writer_u16(writer, 8);
    writer_u32(writer, group_id);
}

void openflow_put_meter(struct writer *writer, uint32_t meter_id)
{
    writer_u16(writer, ACTION_METER);
    writer_u16(writer, 8);
    writer_u32(writer, meter_id);
}

static void put_nicira(struct writer *writer, uint16_t subtype, uint16_t length)
{
    writer_u16(writer, ACTION_EXPERIMENTER);
    writer_u16(writer, length);
    writer_u32(writer, OPENFLOW_NICIRA);
    writer_u16(writer, subtype);
}

void openflow_put_resubmit(struct writer *writer, uint8_t table)
{
    put_nicira(writer, NICIRA_RESUBMIT_TABLE, 16);
    writer_u16(writer, (uint16_t)OPENFLOW_PORT_IN_PORT);
    writer_u8(writer, table);
    writer_be(writer, 0, 3);
}

void openflow_put_check_larger(struct writer *writer, uint16_t size)
{
    put_nicira(writer, NICIRA_CHECK_PKT_LARGER, 24);
    writer_u16(writer, size);
    writer_u16(writer, 0); /* bit */
    writer_u32(writer, OXM_REG1);
    writer_be(writer, 0, 6);
}

static void put_set_field(struct writer *writer, uint32_t header,
                          const uint8_t *value)
{
    size_t start = writer_size(writer);

    writer_u16(writer, ACTION_SET_FIELD);
    writer_u16(writer, OPENFLOW_LENGTH_LATER);
    writer_u32(writer, header);
    writer_put(writer, value, header & 0xff);
    openflow_put_padding(writer, start);
    openflow_set_length(writer, start + 2, writer_size(writer) - start);
}

void openflow_put_set_eth_dst(struct writer *writer, const uint8_t mac[6])
{
    put_set_field(writer, OXM_ETH_DST, mac);
}

void openflow_put_set_eth_src(struct writer *writer, const uint8_t mac[6])
{
    put_set_field(writer, OXM_ETH_SRC, mac);
}

void openflow_put_set_reg(struct writer *writer, unsigned reg, uint32_t value)
{
    uint8_t bytes[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16),
                        (uint8_t)(value >> 8), (uint8_t)value};

    put_set_field(writer, OXM(1, reg, 4), bytes);
}

void openflow_put_dec_ttl(struct writer *writer)
{
    writer_u16(writer, ACTION_DEC_TTL);
    writer_u16(writer, 8);
    writer_u32(writer, 0);
}

static void put_copy_field(struct writer *writer, uint32_t from, uint32_t to)
{
    writer_u16(writer, ACTION_COPY_FIELD);
    writer_u16(writer, 24);
    writer_u16(writer, (uint16_t)(8 * (from & 0xff))); /* bits */
    writer_be(writer, 0, 6);                           /* offsets, padding */
    writer_u32(writer, from);
    writer_u32(writer, to);
    writer_u32(writer, 0);
}

void openflow_put_arp_answer(struct writer *writer, const uint8_t mac[6])
{
    static const uint8_t reply[2] = {0, 2};

    put_copy_field(writer, OXM_ETH_SRC, OXM_ETH_DST);
    put_set_field(writer, OXM_ETH_SRC, mac);
    put_set_field(writer, OXM_ARP_OP, reply);
    put_copy_field(writer, OXM_ARP_SHA, OXM_ARP_THA);
    put_set_field(writer, OXM_ARP_SHA, mac);
    /* The two addresses change places by way of a register. */
    put_copy_field(writer, OXM_ARP_TPA, OXM_REG2);
    put_copy_field(writer, OXM_ARP_SPA, OXM_ARP_TPA);
    put_copy_field(writer, OXM_REG2, OXM_ARP_SPA);
}

static void put_nat(struct writer *writer, const struct openflow_ct *ct)
{
    const struct address *address =
        ct->destination != NULL ? ct->destination : ct->source;
    size_t start = writer_size(writer);
    uint16_t flags = 0, present = 0;

    if (address != NULL) {
        flags = ct->destination != NULL ? NAT_FLAG_DEST : NAT_FLAG_SOURCE;
        present = address->family == 6 ? NAT_HAS_IPV6_MIN : NAT_HAS_IPV4_MIN;
        present |= ct->port != 0 ? NAT_HAS_PORT_MIN : 0;
    }
    put_nicira(writer, NICIRA_NAT, OPENFLOW_LENGTH_LATER);
    writer_u16(writer, 0);
    writer_u16(writer, flags);
    writer_u16(writer, present);
    if (address != NULL) {
        writer_put(writer, address->bytes, address_size(address));
        if (ct->port != 0) {
            writer_u16(writer, ct->port);
        }
    }
    openflow_put_padding(writer, start);
    openflow_set_length(writer, start + 2, writer_size(writer) - start);
}

void openflow_put_ct(struct writer *writer, const struct openflow_ct *ct)
{
    size_t start = writer_size(writer);

    put_nicira(writer, NICIRA_CT, OPENFLOW_LENGTH_LATER);
    writer_u16(writer, ct->commit ? CT_FLAG_COMMIT : 0);
    writer_u32(writer, 0); /* the zone is the number that follows */
    writer_u16(writer, ct->zone);
    writer_u8(writer, ct->table);
    writer_be(writer, 0, 5); /* padding, no helper */
    if (ct->nat || ct->destination != NULL || ct->source != NULL) {
        put_nat(writer, ct);
    }
    openflow_set_length(writer, start + 2, writer_size(writer) - start);
}

void openflow_put_apply(struct writer *writer, const uint8_t *actions,
                        size_t size)
{
    size_t start = writer_size(writer);

    writer_u16(writer, INSTRUCTION_APPLY);
    writer_u16(writer, OPENFLOW_LENGTH_LATER);
    writer_u32(writer, 0);
    writer_put(writer, actions, size);
    openflow_set_length(writer, start + 2, writer_size(writer) - start);
}

void openflow_put_bucket(struct writer *writer, uint32_t bucket_id,
                         uint16_t weight, const uint8_t *actions, size_t size)
{
    size_t start = writer_size(writer);

    writer_u16(writer, OPENFLOW_LENGTH_LATER);
    writer_u16(writer, OPENFLOW_LENGTH_LATER);
    writer_u32(writer, bucket_id);
    writer_put(writer, actions, size);
    openflow_set_length(writer, start + 2, size);
    writer_u16(writer, 0); /* property: weight */
    writer_u16(writer, 8);
    writer_u16(writer, weight);
    writer_u16(writer, 0);
    openflow_set_length(writer, start, writer_size(writer) - start);
}
