/*
 * The handshake of an OpenFlow connection, and the messages that answer no
 * request: echoes, packets, changes by others.  Part of ofconn.c.
 */
#include "reconcilers/ovs/ofconn_private.h"

#include <errno.h>
#include <stdio.h>

/* Highest version both sides speak must be ours: with a bitmap element
 * (OpenFlow 1.3.1, 7.5.1) the highest common bit, else the lower header. */
bool ofconn_hello_is_good(const struct openflow_header *header,
                          const uint8_t *message)
{
    struct reader reader = reader_init(message + OPENFLOW_HEADER_SIZE,
                                       header->length - OPENFLOW_HEADER_SIZE);

    while (!reader.failed && reader_left(&reader) >= 8) {
        uint16_t type = reader_u16(&reader);
        uint16_t length = reader_u16(&reader);

        if (type == 1 && length >= 8) {
            return (reader_u32(&reader) & (1u << OPENFLOW_VERSION)) != 0;
        }
        /* Elements are padded to 8 bytes. */
        (void)reader_take(&reader, (((size_t)length + 7) / 8 * 8) - 4);
    }
    return header->version >= OPENFLOW_VERSION;
}

/* Everything between HELLO and the first request; the barrier's answer says
 * that the switch has taken all of it. */
int ofconn_send_setup(struct ofconn *conn)
{
    struct writer writer = ofconn_writer(conn);

    openflow_put_simple(&writer, OPENFLOW_FEATURES_REQUEST,
                        ofconn_new_xid(conn), NULL, 0);
    openflow_put_set_config(&writer, ofconn_new_xid(conn));
    openflow_put_set_async(&writer, ofconn_new_xid(conn));
    openflow_put_flow_monitor_request(&writer, ofconn_new_xid(conn), 1);
    conn->setup_xid = ofconn_new_xid(conn);
    openflow_put_simple(&writer, OPENFLOW_BARRIER_REQUEST, conn->setup_xid,
                        NULL, 0);
    conn->state = OFCONN_WAIT_SETUP;
    return ofconn_send(conn, &writer);
}

int ofconn_fail(struct ofconn *conn, int error, const char *why)
{
    if (conn->why[0] == '\0') {
        (void)snprintf(conn->why, sizeof(conn->why), "%s", why);
    }
    return error;
}

int ofconn_receive_error(struct ofconn *conn,
                         const struct openflow_header *header,
                         const uint8_t *message)
{
    char text[OPENFLOW_ERROR_TEXT_SIZE], why[192];
    uint16_t type, code;

    if (openflow_parse_error(message, header->length, &type, &code) != 0) {
        return ofconn_fail(conn, -EBADMSG, "malformed error message");
    }
    if (conn->state == OFCONN_READY) {
        /* An answer to a packet-out or a flush: its port or its connections
         * are already gone. */
        return 0;
    }
    (void)snprintf(why, sizeof(why), "%s: %s",
                   conn->state == OFCONN_WAIT_HELLO
                       ? "the bridge does not speak OpenFlow 1.5 (see its "
                         "protocols column)"
                       : "Open vSwitch refuses to report changes",
                   openflow_error_text(type, code, text));
    return ofconn_fail(conn, -EPROTO, why);
}

static int conn_receive_events(struct ofconn *conn,
                               const struct openflow_header *header,
                               const uint8_t *message)
{
    struct reader entries;
    uint16_t type;
    bool more;
    int error;

    if (openflow_parse_multipart(message, header->length, &type, &more,
                                 &entries) != 0) {
        return ofconn_fail(conn, -EBADMSG, "malformed multipart reply");
    }
    if (type != OPENFLOW_MULTIPART_MONITOR) {
        return 0; /* an answer to a dump that was given up */
    }
    for (;;) {
        enum openflow_event event;

        error = openflow_next_event(&entries, &event);
        if (error == OPENFLOW_E_AGAIN) {
            return 0;
        }
        if (error != 0) {
            return ofconn_fail(conn, -EBADMSG, "malformed flow update");
        }
        conn->are_flows_dirty |= event != OPENFLOW_EVENT_OWN;
    }
}

static int conn_receive_packet(struct ofconn *conn,
                               const struct openflow_header *header,
                               const uint8_t *message)
{
    struct openflow_packet_in packet;

    if (openflow_parse_packet_in(message, header->length, &packet) != 0) {
        return ofconn_fail(conn, -EBADMSG, "malformed packet-in");
    }
    if (conn->callbacks.packet_in != NULL) {
        conn->callbacks.packet_in(&packet, conn->data);
    }
    return 0;
}

static int conn_receive_echo(struct ofconn *conn,
                             const struct openflow_header *header,
                             const uint8_t *message)
{
    struct writer writer = ofconn_writer(conn);

    openflow_put_simple(&writer, OPENFLOW_ECHO_REPLY, header->xid,
                        message + OPENFLOW_HEADER_SIZE,
                        header->length - (size_t)OPENFLOW_HEADER_SIZE);
    return ofconn_send(conn, &writer);
}

/* What is no part of an answer to the request in progress. */
int ofconn_receive_async(struct ofconn *conn,
                         const struct openflow_header *header,
                         const uint8_t *message)
{
    switch (header->type) {
    case OPENFLOW_ECHO_REQUEST:
        return conn_receive_echo(conn, header, message);
    case OPENFLOW_ERROR:
        return ofconn_receive_error(conn, header, message);
    case OPENFLOW_PACKET_IN:
        return conn_receive_packet(conn, header, message);
    case OPENFLOW_PORT_STATUS:
        conn->are_ports_dirty = true;
        return 0;
    case OPENFLOW_REQUESTFORWARD:
        conn->are_groups_dirty = true;
        return 0;
    case OPENFLOW_MULTIPART_REPLY:
        return conn_receive_events(conn, header, message);
    case OPENFLOW_BARRIER_REPLY:
        if (conn->state == OFCONN_WAIT_SETUP &&
            header->xid == conn->setup_xid) {
            conn->state = OFCONN_READY;
            if (conn->callbacks.connected != NULL) {
                conn->callbacks.connected(conn->data);
            }
        }
        return 0;
    default:
        return 0; /* features, replies we do not need */
    }
}
