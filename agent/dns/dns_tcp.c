/*
 * DNS over TCP (RFC 7766): two bytes of length before each message, several
 * queries on one connection, answered in their order.  A connection that asks
 * nothing whole for dns->idle_ms is closed, as is one that asks more than it
 * takes answers for.  Part of dns.c.
 */
#include "agent/dns/dns_server.h"

#include <stdlib.h>
#include <string.h>

#include <sys/socket.h>

#include "agent/core/core.h"
#include "agent/system/sockaddr.h"

/* A query with all that EDNS may carry; longer ones are nonsense. */
#define DNS_TCP_QUERY_MAX 4096
/* Answers waiting for a client that does not read. */
#define DNS_TCP_PENDING_MAX (256u * 1024u)

struct dns_connection {
    struct dns *dns;
    struct dns_connection *next;
    struct address from;
    uv_tcp_t tcp;
    uv_timer_t timer;
    unsigned n_open; /* handles not closed yet */
    bool is_closing;
    bool is_ended; /* the client asks no more, but still reads */
    size_t size;
    uint8_t buffer[2 + DNS_TCP_QUERY_MAX];
};

struct dns_write {
    uv_write_t request;
    uint8_t bytes[];
};

static void on_handle_closed(uv_handle_t *handle)
{
    struct dns_connection *connection = handle->data;

    if (--connection->n_open == 0) {
        struct dns *dns = connection->dns;

        free(connection);
        dns_release(dns);
    }
}

static void connection_close(struct dns_connection *connection)
{
    struct dns *dns = connection->dns;
    struct dns_connection **at = &dns->connections;

    if (connection->is_closing) {
        return;
    }
    connection->is_closing = true;
    while (*at != connection) {
        at = &(*at)->next;
    }
    *at = connection->next;
    dns->n_connections--;
    uv_close((uv_handle_t *)&connection->tcp, on_handle_closed);
    uv_close((uv_handle_t *)&connection->timer, on_handle_closed);
}

void dns_tcp_close_all(struct dns *dns)
{
    while (dns->connections != NULL) {
        connection_close(dns->connections);
    }
}

static void on_idle(uv_timer_t *timer)
{
    connection_close(timer->data);
}

static void on_written(uv_write_t *request, int status)
{
    struct dns_connection *connection = request->handle->data;

    free(request->data);
    if (status != 0 ||
        (connection->is_ended && connection->tcp.write_queue_size == 0)) {
        connection_close(connection);
    }
}

/* Sends dns->answer.  False when the connection is of no more use. */
static bool connection_answer(struct dns_connection *connection, size_t size)
{
    struct dns_write *write;
    uv_buf_t buf;

    if (connection->tcp.write_queue_size > DNS_TCP_PENDING_MAX) {
        return false;
    }
    write = malloc(sizeof(*write) + 2 + size);
    if (write == NULL) {
        return false;
    }
    write->bytes[0] = (uint8_t)(size >> 8);
    write->bytes[1] = (uint8_t)size;
    memcpy(write->bytes + 2, connection->dns->answer, size);
    write->request.data = write;
    buf = uv_buf_init((char *)write->bytes, (unsigned)(2 + size));
    if (uv_write(&write->request, (uv_stream_t *)&connection->tcp, &buf, 1,
                 on_written) != 0) {
        free(write);
        return false;
    }
    return true;
}

/* Answers each whole query of the buffer.  False: close. */
static bool connection_process(struct dns_connection *connection)
{
    size_t at = 0;

    while (connection->size - at >= 2) {
        const uint8_t *head = connection->buffer + at;
        size_t query_size = (size_t)head[0] << 8 | head[1];
        size_t answer_size;

        if (query_size > DNS_TCP_QUERY_MAX) {
            return false;
        }
        if (connection->size - at - 2 < query_size) {
            break;
        }
        answer_size = dns_respond(connection->dns, &connection->from, true,
                                  head + 2, query_size);
        if (answer_size == 0 || !connection_answer(connection, answer_size)) {
            return false;
        }
        at += 2 + query_size;
        /* Only whole queries earn more time. */
        if (uv_timer_again(&connection->timer) != 0) {
            return false;
        }
    }
    memmove(connection->buffer, connection->buffer + at, connection->size - at);
    connection->size -= at;
    return true;
}

/* A whole query always fits, so there is always room for more of one. */
static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct dns_connection *connection = handle->data;

    (void)suggested;
    buf->base = (char *)connection->buffer + connection->size;
    buf->len = sizeof(connection->buffer) - connection->size;
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    struct dns_connection *connection = stream->data;

    (void)buf;
    if (size == 0) {
        return;
    }
    if (size > 0) {
        connection->size += (size_t)size;
        if (connection_process(connection)) {
            return;
        }
    } else if (size == UV_EOF && connection->tcp.write_queue_size > 0) {
        connection->is_ended = true;
        (void)uv_read_stop(stream);
        return;
    }
    connection_close(connection);
}

/* Who is at the other end.  False when it is gone already. */
static bool connection_peer(struct dns_connection *connection, int fd)
{
    struct sockaddr_storage address;
    struct endpoint endpoint;
    socklen_t size = sizeof(address);

    if (getpeername(fd, (struct sockaddr *)&address, &size) < 0 ||
        !sockaddr_get((struct sockaddr *)&address, &endpoint)) {
        return false;
    }
    connection->from = endpoint.address;
    return true;
}

static struct dns_connection *connection_new(struct dns *dns)
{
    struct dns_connection *connection = calloc(1, sizeof(*connection));

    if (connection == NULL) {
        return NULL;
    }
    connection->dns = dns;
    /* On a loop of ours both only fill in the struct. */
    (void)uv_tcp_init(dns->core->loop, &connection->tcp);
    (void)uv_timer_init(dns->core->loop, &connection->timer);
    connection->tcp.data = connection;
    connection->timer.data = connection;
    connection->n_open = 2;
    connection->next = dns->connections;
    dns->connections = connection;
    dns->n_connections++;
    dns_hold(dns);
    return connection;
}

int dns_tcp_accept(int fd, void *data)
{
    struct dns *dns = data;
    struct dns_connection *connection = connection_new(dns);
    int error;

    if (connection == NULL) {
        dns->counters.connections_refused++;
        return -ENOMEM;
    }
    error = uv_tcp_open(&connection->tcp, fd);
    if (error != 0 || dns->n_connections > DNS_CONNECTIONS_MAX ||
        !connection_peer(connection, fd) ||
        uv_timer_start(&connection->timer, on_idle, dns->idle_ms,
                       dns->idle_ms) != 0 ||
        uv_read_start((uv_stream_t *)&connection->tcp, on_alloc, on_read) !=
            0) {
        dns->counters.connections_refused++;
        connection_close(connection);
    }
    return error;
}
