/*
 * The OpenFlow connection: socket, buffers and the queue of requests.  Bytes
 * are openflow.c's; the handshake and what comes unasked ofconn_receive.c's;
 * bundles and dumps ofconn_bundle.c's and ofconn_dump.c's.
 */
#include "reconcilers/ovs/ofconn.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reconcilers/ovs/ofconn_private.h"

/* Reads of one ofconn_run, so that a flood of messages does not starve the
 * owner's loop; what is left stays readable. */
#define OFCONN_READS_PER_RUN 64
/* A message that is not whole yet, and one read more. */
#define OFCONN_RECEIVED_MAX (2 * (OFCONN_MESSAGE_MAX + 1))
/* Packets waiting for a switch that does not read: beyond this, refused. */
#define OFCONN_PACKETS_PENDING_MAX (1024u * 1024u)

uint32_t ofconn_new_xid(struct ofconn *conn)
{
    conn->next_xid++;
    if (conn->next_xid == 0) {
        conn->next_xid = 1;
    }
    return conn->next_xid;
}

struct writer ofconn_writer(struct ofconn *conn)
{
    return writer_init(conn->scratch, OFCONN_MESSAGE_MAX);
}

int ofconn_send(struct ofconn *conn, const struct writer *writer)
{
    if (writer->failed) {
        return -EMSGSIZE;
    }
    return channel_send(&conn->channel, writer->start, writer_size(writer));
}

static void request_free(struct ofconn_request *request)
{
    (void)ofconn_bundle_free(request->bundle);
    (void)ofconn_collect_free(request->collect);
    free(request->messages.bytes);
    free(request);
}

int ofconn_enqueue(struct ofconn *conn, enum ofconn_request_type type,
                   struct ofconn_bundle *bundle, struct ofconn_collect *collect,
                   struct channel_buffer *messages)
{
    struct ofconn_request *request = calloc(1, sizeof(*request));

    if (request == NULL) {
        (void)ofconn_bundle_free(bundle);
        (void)ofconn_collect_free(collect);
        return -ENOMEM;
    }
    request->type = type;
    request->bundle = bundle;
    request->collect = collect;
    if (messages != NULL) {
        request->messages = *messages;
        *messages = (struct channel_buffer){0};
    }
    if (conn->last == NULL) {
        conn->first = request;
    } else {
        conn->last->next = request;
    }
    conn->last = request;
    return 0;
}

/* Removes the head of the queue; the caller owns it. */
static struct ofconn_request *conn_dequeue(struct ofconn *conn)
{
    struct ofconn_request *request = conn->first;

    conn->first = request->next;
    if (conn->first == NULL) {
        conn->last = NULL;
    }
    conn->is_first_sent = false;
    return request;
}

/* Takes the head off and tells its owner; a callback may enqueue or close. */
static void conn_finish_first(struct ofconn *conn, int error)
{
    struct ofconn_request *request = conn_dequeue(conn);

    if (request->type == OFCONN_REQUEST_APPLY) {
        ofconn_bundle_finish(request->bundle, error);
    } else if (request->type == OFCONN_REQUEST_DUMP) {
        ofconn_collect_finish(request->collect, error);
    }
    request_free(request);
}

/* Sends the head of the queue, and those that wait for no answer. */
static int conn_start_requests(struct ofconn *conn)
{
    while (conn->state == OFCONN_READY && conn->first != NULL &&
           !conn->is_first_sent) {
        struct ofconn_request *request = conn->first;
        int error = 0;

        conn->is_first_sent = true;
        if (request->type == OFCONN_REQUEST_APPLY) {
            error = ofconn_bundle_start(conn, request->bundle);
        } else if (request->type == OFCONN_REQUEST_DUMP) {
            error = ofconn_collect_start(conn, request->collect);
        } else {
            error =
                channel_send(&conn->channel,
                             request->messages.bytes + request->messages.head,
                             request->messages.size);
            conn_finish_first(conn, 0);
        }
        if (error != 0) {
            return error;
        }
    }
    return 0;
}

static int conn_receive(struct ofconn *conn,
                        const struct openflow_header *header,
                        const uint8_t *message)
{
    struct ofconn_request *request = conn->first;
    bool is_complete = false, is_taken = false;
    int error = 0;

    if (conn->state == OFCONN_WAIT_HELLO) {
        if (header->type == OPENFLOW_ERROR) {
            return ofconn_receive_error(conn, header, message);
        }
        if (header->type != OPENFLOW_HELLO ||
            !ofconn_hello_is_good(header, message)) {
            return ofconn_fail(conn, -EPROTO,
                               "the bridge does not speak OpenFlow 1.5 (see "
                               "its protocols column)");
        }
        return ofconn_send_setup(conn);
    }
    if (header->version != OPENFLOW_VERSION) {
        return ofconn_fail(conn, -EPROTO,
                           "message of another OpenFlow version");
    }
    if (request != NULL && conn->is_first_sent) {
        is_taken = request->type == OFCONN_REQUEST_APPLY
                       ? ofconn_bundle_receive(conn, request->bundle, header,
                                               message, &is_complete, &error)
                       : ofconn_collect_receive(request->collect, header,
                                                message, &is_complete, &error);
    }
    if (!is_taken) {
        return ofconn_receive_async(conn, header, message);
    }
    if (error == -EBADMSG) {
        return ofconn_fail(conn, error, "malformed answer of the switch");
    }
    if (error == 0 && is_complete) {
        conn_finish_first(conn, 0);
    }
    return error;
}

/* Cuts whole messages out of the receive buffer. */
static int conn_process(struct ofconn *conn)
{
    struct channel_buffer *in = &conn->channel.in;

    while (!conn->is_orphaned) {
        struct openflow_header header;
        int error = openflow_peek(in->bytes + in->head, in->size, &header);

        if (in->size == 0 || error == OPENFLOW_E_AGAIN) {
            return 0;
        }
        if (error != 0) {
            return ofconn_fail(conn, -EBADMSG, "message with a wrong length");
        }
        error = conn_receive(conn, &header, in->bytes + in->head);
        if (error == 0) {
            channel_buffer_consume(in, header.length);
            error = conn_start_requests(conn);
        }
        if (error != 0) {
            return error;
        }
    }
    return 0;
}

/* Reads and writes by turns: a switch that cannot send does not read. */
static int conn_exchange(struct ofconn *conn)
{
    int error = conn_start_requests(conn);

    for (size_t i = 0; error == 0 && i < OFCONN_READS_PER_RUN; i++) {
        error = channel_write(&conn->channel);
        if (error != 0) {
            break;
        }
        error = channel_read(&conn->channel, OFCONN_RECEIVED_MAX);
        if (error == CHANNEL_E_AGAIN) {
            error = conn_process(conn);
            break;
        }
        if (error == 0) {
            error = conn_process(conn);
        }
        if (conn->is_orphaned) {
            return 0;
        }
    }
    return error != 0 ? error : channel_write(&conn->channel);
}

static void conn_tell_changes(struct ofconn *conn)
{
    if (conn->are_ports_dirty && !conn->is_orphaned) {
        conn->are_ports_dirty = false;
        if (conn->callbacks.port_changed != NULL) {
            conn->callbacks.port_changed(conn->data);
        }
    }
    if (conn->are_groups_dirty && !conn->is_orphaned) {
        conn->are_groups_dirty = false;
        if (conn->callbacks.changed != NULL) {
            conn->callbacks.changed(true, conn->data);
        }
    }
    if (conn->are_flows_dirty && !conn->is_orphaned) {
        conn->are_flows_dirty = false;
        if (conn->callbacks.changed != NULL) {
            conn->callbacks.changed(false, conn->data);
        }
    }
}

/* Fails what is queued, then tells the owner, once. */
static void conn_end(struct ofconn *conn, int error)
{
    conn->state = OFCONN_FAILED;
    conn->error = error;
    if (conn->why[0] == '\0') {
        (void)snprintf(conn->why, sizeof(conn->why), "%s",
                       error == -ECONNRESET
                           ? "ovs-vswitchd closed the connection"
                           : strerror(-error));
    }
    while (conn->first != NULL && !conn->is_orphaned) {
        conn_finish_first(conn, -ECONNRESET);
    }
    if (!conn->is_orphaned && conn->callbacks.closed != NULL) {
        conn->callbacks.closed(conn->why, conn->data);
    }
}

static void conn_free(struct ofconn *conn)
{
    while (conn->first != NULL) {
        request_free(conn_dequeue(conn));
    }
    channel_done(&conn->channel);
    free(conn->scratch);
    free(conn);
}

int ofconn_run(struct ofconn *conn)
{
    int error;

    assert(!conn->is_running);
    if (conn->state == OFCONN_FAILED) {
        return conn->error;
    }
    conn->is_running = true;
    error = conn_exchange(conn);
    if (!conn->is_orphaned) {
        if (error == 0) {
            conn_tell_changes(conn);
        } else {
            conn_end(conn, error);
        }
    }
    conn->is_running = false;
    if (conn->is_orphaned) {
        conn_free(conn);
        return -ECANCELED;
    }
    return error;
}

int ofconn_open(const char *path, const struct ofconn_callbacks *callbacks,
                void *data, struct ofconn **ret)
{
    struct ofconn *conn = calloc(1, sizeof(*conn));
    struct writer writer;
    int error = -ENOMEM;

    if (conn == NULL) {
        return -ENOMEM;
    }
    conn->channel = (struct channel)CHANNEL_INIT;
    conn->callbacks = *callbacks;
    conn->data = data;
    conn->state = OFCONN_WAIT_HELLO;
    conn->scratch = malloc((size_t)2 * OFCONN_MESSAGE_MAX);
    if (conn->scratch != NULL) {
        error = channel_connect(&conn->channel, path);
    }
    if (error == 0) {
        writer = ofconn_writer(conn);
        openflow_put_hello(&writer, ofconn_new_xid(conn));
        error = ofconn_send(conn, &writer);
    }
    if (error != 0) {
        conn_free(conn);
        return error;
    }
    *ret = conn;
    return 0;
}

struct ofconn *ofconn_close(struct ofconn *conn)
{
    if (conn == NULL) {
        return NULL;
    }
    if (conn->is_running) {
        conn->is_orphaned = true;
    } else {
        conn_free(conn);
    }
    return NULL;
}

int ofconn_fd(const struct ofconn *conn)
{
    return conn->channel.fd;
}

short ofconn_wants(const struct ofconn *conn)
{
    bool has_new = conn->state == OFCONN_READY && conn->first != NULL &&
                   !conn->is_first_sent;

    return conn->channel.out.size > 0 || has_new ? POLLIN | POLLOUT : POLLIN;
}

static int send_packet(struct ofconn *conn, uint32_t in_port,
                       const struct writer *actions, const uint8_t *frame,
                       size_t size)
{
    struct writer writer = ofconn_writer(conn);

    if (conn->state != OFCONN_READY) {
        return -ENOTCONN;
    }
    if (conn->channel.out.size > OFCONN_PACKETS_PENDING_MAX) {
        return -EAGAIN;
    }
    assert(!actions->failed);
    openflow_put_packet_out(&writer, ofconn_new_xid(conn), in_port,
                            actions->start, writer_size(actions), frame, size);
    return ofconn_send(conn, &writer);
}

int ofconn_packet_out(struct ofconn *conn, uint32_t out_port,
                      const uint8_t *frame, size_t size)
{
    uint8_t bytes[16];
    struct writer actions = writer_init(bytes, sizeof(bytes));

    openflow_put_output(&actions, out_port, 0);
    return send_packet(conn, OPENFLOW_PORT_CONTROLLER, &actions, frame, size);
}

int ofconn_packet_again(struct ofconn *conn, uint32_t in_port,
                        const uint8_t *frame, size_t size)
{
    uint8_t bytes[16];
    struct writer actions = writer_init(bytes, sizeof(bytes));

    openflow_put_output(&actions, OPENFLOW_PORT_TABLE, 0);
    return send_packet(conn, in_port, &actions, frame, size);
}

int ofconn_packet_report(struct ofconn *conn, const uint8_t *frame, size_t size)
{
    uint8_t bytes[64];
    struct writer actions = writer_init(bytes, sizeof(bytes));

    plan_put_report(&actions);
    return send_packet(conn, OPENFLOW_PORT_CONTROLLER, &actions, frame, size);
}

/* Queues what the writer holds, to which no answer is awaited. */
static int enqueue_messages(struct ofconn *conn, const struct writer *writer)
{
    struct channel_buffer messages = {0};
    int error;

    if (conn->state == OFCONN_FAILED) {
        return -ENOTCONN;
    }
    if (writer->failed) {
        return -EMSGSIZE;
    }
    error =
        channel_buffer_append(&messages, writer->start, writer_size(writer));
    if (error == 0) {
        error = ofconn_enqueue(conn, OFCONN_REQUEST_MESSAGES, NULL, NULL,
                               &messages);
    }
    free(messages.bytes);
    return error;
}

/* An ADD of one that is there fails, and a MODIFY of one that is not: both
 * together make it what it should be. */
int ofconn_put_meter(struct ofconn *conn)
{
    struct writer writer = ofconn_writer(conn);

    openflow_put_meter_mod(&writer, ofconn_new_xid(conn), OPENFLOW_ADD,
                           PLAN_METER, PLAN_METER_RATE);
    openflow_put_meter_mod(&writer, ofconn_new_xid(conn), OPENFLOW_MODIFY,
                           PLAN_METER, PLAN_METER_RATE);
    return enqueue_messages(conn, &writer);
}

int ofconn_remove_meter(struct ofconn *conn)
{
    struct writer writer = ofconn_writer(conn);

    openflow_put_meter_mod(&writer, ofconn_new_xid(conn), OPENFLOW_METER_DELETE,
                           PLAN_METER, PLAN_METER_RATE);
    return enqueue_messages(conn, &writer);
}

int ofconn_flush_connections(struct ofconn *conn, const struct address *service,
                             const struct address *backend, uint8_t protocol)
{
    struct writer writer = ofconn_writer(conn);

    openflow_put_ct_flush(&writer, ofconn_new_xid(conn), PLAN_ZONE, service,
                          backend, protocol);
    return enqueue_messages(conn, &writer);
}
