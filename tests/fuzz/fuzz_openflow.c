/*
 * Whatever a switch may send: a whole OpenFlow message.  Every parser that
 * could meet it is run, and every flow printed, which reads its actions.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "reconcilers/openflow/openflow.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_flows(struct reader entries)
{
    struct flow flow;

    while (openflow_next_flow(&entries, &flow) == 0) {
        free(openflow_flow_text(&flow));
        flow_done(&flow);
    }
}

static void read_entries(struct reader entries)
{
    struct reader groups = entries, ports = entries, events = entries;
    struct group group;
    struct openflow_port port;
    enum openflow_event event;

    read_flows(entries);
    while (openflow_next_group(&groups, &group) == 0) {
        group_done(&group);
    }
    while (openflow_next_port(&ports, &port) == 0) {
    }
    while (openflow_next_event(&events, &event) == 0) {
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct openflow_header header;
    struct openflow_packet_in packet;
    struct reader entries;
    uint16_t type, code;
    char text[128];
    bool has_more;

    if (openflow_peek(data, size, &header) == 0) {
        size = header.length;
    }
    if (openflow_parse_multipart(data, size, &type, &has_more, &entries) == 0) {
        read_entries(entries);
    }
    if (openflow_parse_packet_in(data, size, &packet) == 0 &&
        packet.frame_size > 0 &&
        packet.frame + packet.frame_size != data + size) {
        abort();
    }
    if (openflow_parse_error(data, size, &type, &code) == 0) {
        (void)openflow_error_text(type, code, text);
    }
    return 0;
}
