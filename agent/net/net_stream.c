/*
 * One TCP connection from its first byte to its end.  Everything that a peer
 * can hold on to is bounded here: how many connections, for how long, how
 * many bytes.
 */
#include "agent/net/net_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <netinet/in.h>

#include <utlist.h>

#include "agent/core/core.h"
#include "agent/identity/identity.h"
#include "agent/system/clock.h"
#include "agent/system/sockaddr.h"

/* How often deadlines are looked at. */
#define NET_TICK_MS 250

/* Bytes on their way out. */
struct net_write {
    uv_write_t request;
    struct net_connection *connection;
    uint8_t bytes[];
};

struct net_connection *net_connection_new(struct net *net, enum net_role role)
{
    struct net_connection *connection = calloc(1, sizeof(*connection));

    if (connection == NULL) {
        return NULL;
    }
    connection->net = net;
    connection->role = role;
    connection->is_sync = role == NET_SYNC;
    connection->bytes_in_max = LIMIT_SYNC_STREAM_BYTES;
    connection->deadline_ms = clock_now_ms() + NET_CONNECT_MS;
    connection->told_before = -1;
    net->last_id = net->last_id == UINT32_MAX ? 1 : net->last_id + 1;
    connection->id = net->last_id;
    /* Only fails for a loop that is not one. */
    (void)uv_tcp_init(net->core->loop, &connection->tcp);
    connection->tcp.data = connection;
    connection->connect.data = connection;
    connection->shutdown.data = connection;
    net->n_handles++;
    DL_APPEND(net->connections, connection);
    if (!uv_is_active((uv_handle_t *)&net->timer)) {
        (void)uv_timer_start(&net->timer, net->timer_fn, NET_TICK_MS,
                             NET_TICK_MS); /* fails only when closing */
    }
    return connection;
}

static void net_connection_closed(uv_handle_t *handle)
{
    struct net_connection *connection = handle->data;
    struct net *net = connection->net;

    if (connection->is_sync) {
        net_sync_closed(connection);
    }
    net_join_closed(connection);
    DL_DELETE(net->connections, connection);
    connection->stream = stream_free(connection->stream);
    free(connection->opening);
    free(connection);
    net->n_handles--;
    if (net->n_handles == 0) {
        free(net);
    } else if (!net->is_closing) {
        net_soon(net);
    }
}

void net_soon(struct net *net)
{
    (void)uv_timer_start(&net->timer, net->timer_fn, 0,
                         NET_TICK_MS); /* fails only when closing */
}

void net_connection_close(struct net_connection *connection)
{
    struct net_connection *other = connection->other;

    if (connection->is_closing) {
        return;
    }
    connection->is_closing = true;
    if (other != NULL) {
        connection->other = NULL;
        other->other = NULL;
        net_connection_finish(other);
    }
    uv_close((uv_handle_t *)&connection->tcp, net_connection_closed);
}

static void net_connection_shut(uv_shutdown_t *request, int status)
{
    struct net_connection *connection = request->data;

    if (status != 0 || connection->is_at_end) {
        net_connection_close(connection);
    }
}

void net_connection_finish(struct net_connection *connection)
{
    if (connection->is_closing || connection->role == NET_ENDING) {
        return;
    }
    connection->role = NET_ENDING;
    net_soon(connection->net);
    connection->deadline_ms = clock_now_ms() + NET_LINGER_MS;
    if (!uv_is_writable((uv_stream_t *)&connection->tcp) ||
        (!connection->is_shutdown &&
         uv_shutdown(&connection->shutdown, (uv_stream_t *)&connection->tcp,
                     net_connection_shut) != 0)) {
        net_connection_close(connection);
        return;
    }
    if (connection->is_shutdown && connection->is_at_end) {
        net_connection_close(connection);
        return;
    }
    connection->is_shutdown = true;
    net_connection_read(connection);
}

void net_connection_refuse(struct net_connection *connection, uint8_t reason)
{
    uint8_t answer[STREAM_ANSWER_SIZE];

    connection->net->counters.connections_refused++;
    stream_build_refusal(reason, answer);
    net_connection_write(connection, answer, sizeof(answer));
    net_connection_finish(connection);
}

static void net_connection_fail(struct net_connection *connection)
{
    connection->net->counters.connections_failed++;
    net_connection_close(connection);
}

static void net_connection_written(uv_write_t *request, int status)
{
    struct net_write *write = request->data;
    struct net_connection *connection = write->connection;

    free(write);
    if (connection->is_closing) {
        return;
    }
    if (status != 0) {
        net_connection_fail(connection);
        return;
    }
    net_relay_written(connection);
}

void net_connection_write(struct net_connection *connection,
                          const uint8_t *bytes, size_t size)
{
    struct net_write *write;
    uv_buf_t buffer;

    if (connection->is_closing || size == 0) {
        return;
    }
    connection->bytes_out += size;
    write = malloc(sizeof(*write) + size);
    if (write == NULL || connection->bytes_out > LIMIT_SYNC_STREAM_BYTES) {
        free(write);
        net_connection_fail(connection);
        return;
    }
    write->request.data = write;
    write->connection = connection;
    memcpy(write->bytes, bytes, size);
    buffer = uv_buf_init((char *)write->bytes, (unsigned)size);
    if (uv_write(&write->request, (uv_stream_t *)&connection->tcp, &buffer, 1,
                 net_connection_written) != 0) {
        free(write);
        net_connection_fail(connection);
    }
}

void net_connection_flush(struct net_connection *connection)
{
    const uint8_t *bytes = NULL;
    size_t size = 0;

    stream_output(connection->stream, &bytes, &size);
    if (size > 0) {
        net_connection_write(connection, bytes, size);
        stream_consume_output(connection->stream, size);
    }
}

/* Hands a whole opening, for this cluster, to its purpose.  What follows it
 * in the buffer has been received for that purpose already. */
static void net_connection_opened(struct net_connection *connection,
                                  const struct stream_opening *opening)
{
    const struct identity *identity = connection->net->core->identity;

    /* Versions first: a release of other formats has another cluster id, and
     * shall hear the true reason. */
    if (opening->version_min > STREAM_VERSION ||
        opening->version_max < STREAM_VERSION) {
        net_connection_refuse(connection, STREAM_REFUSED_VERSION);
        return;
    }
    if (memcmp(opening->cluster, identity->genesis.cluster_id,
               RECORD_CLUSTER_SIZE) != 0) {
        net_connection_refuse(connection, STREAM_REFUSED_CLUSTER);
        return;
    }
    if (opening->purpose == STREAM_JOIN) {
        net_join_accept(connection, opening);
    } else {
        net_sync_accept(connection, opening);
    }
}

/* Frames of a stream, one after another, while there are whole ones. */
static void net_connection_frames(struct net_connection *connection)
{
    while (!connection->is_closing && connection->role != NET_ENDING) {
        const uint8_t *bytes = NULL;
        size_t size = 0;
        int error = stream_next_frame(connection->stream, &bytes, &size);

        if (error == STREAM_E_AGAIN) {
            return;
        }
        if (error == STREAM_E_END || error == STREAM_E_REFUSED) {
            net_connection_finish(connection);
            return;
        }
        if (error != 0) {
            net_connection_fail(connection);
            return;
        }
        if (!connection->is_proved) {
            connection->is_proved = true;
            net_soon(connection->net);
            connection->deadline_ms = clock_now_ms() + LIMIT_SYNC_STREAM_MS;
        }
        if (connection->role == NET_JOIN) {
            net_join_frame(connection, bytes, size);
        } else {
            net_sync_frame(connection, bytes, size);
        }
    }
}

static void net_connection_stream(struct net_connection *connection,
                                  const uint8_t *bytes, size_t size)
{
    int error = stream_receive(connection->stream, bytes, size);

    if (error == STREAM_E_REFUSED || error == STREAM_E_END) {
        net_connection_finish(connection);
        return;
    }
    if (error != 0) {
        net_connection_fail(connection);
        return;
    }
    net_connection_flush(connection);
    if (connection->is_initiator && !connection->is_opened &&
        stream_is_established(connection->stream)) {
        net_sync_established(connection);
    }
    net_connection_frames(connection);
}

static void net_connection_opening(struct net_connection *connection,
                                   const uint8_t *bytes, size_t size)
{
    struct stream_opening opening;
    uint8_t *grown =
        realloc(connection->opening, connection->opening_size + size);
    int error;

    if (grown == NULL) {
        net_connection_fail(connection);
        return;
    }
    connection->opening = grown;
    memcpy(grown + connection->opening_size, bytes, size);
    connection->opening_size += size;
    error = stream_parse_opening(grown, connection->opening_size, &opening);
    if (error == STREAM_E_AGAIN &&
        connection->opening_size < NET_OPENING_SIZE_MAX) {
        return;
    }
    if (error != 0) {
        net_connection_fail(connection);
        return;
    }
    net_connection_opened(connection, &opening);
    net_connection_rest(connection, opening.size);
}

void net_connection_rest(struct net_connection *connection, size_t opening_size)
{
    size_t rest;

    /* A relay sends the whole buffer on, who waits keeps it for its turn, and
     * whose turn came at once has none any more. */
    if (connection->is_closing || connection->opening == NULL ||
        (connection->role != NET_SYNC && connection->role != NET_JOIN)) {
        return;
    }
    rest = connection->opening_size - opening_size;
    if (rest > 0) {
        net_connection_stream(connection, connection->opening + opening_size,
                              rest);
    }
    free(connection->opening);
    connection->opening = NULL;
    connection->opening_size = 0;
}

static void net_connection_received(struct net_connection *connection,
                                    const uint8_t *bytes, size_t size)
{
    connection->bytes_in += size;
    if (connection->bytes_in > connection->bytes_in_max) {
        net_connection_fail(connection);
        return;
    }
    switch (connection->role) {
    case NET_OPENING:
        net_connection_opening(connection, bytes, size);
        break;
    case NET_SYNC:
    case NET_JOIN:
        net_connection_stream(connection, bytes, size);
        break;
    case NET_RELAY:
        net_relay_bytes(connection, bytes, size);
        break;
    case NET_WAITING:
        net_connection_fail(connection); /* it has nothing to say yet */
        break;
    case NET_QUEUED: /* not read */
    case NET_ENDING:
    default:
        break;
    }
}

static void net_connection_alloc(uv_handle_t *handle, size_t suggested,
                                 uv_buf_t *ret)
{
    struct net_connection *connection = handle->data;
    struct net *net = connection->net;

    (void)suggested; /* read and used up before the next one */
    *ret = uv_buf_init((char *)net->chunk, sizeof(net->chunk));
}

static void net_connection_readable(uv_stream_t *tcp, ssize_t size,
                                    const uv_buf_t *buffer)
{
    struct net_connection *connection = tcp->data;

    if (connection->is_closing || size == 0) {
        return;
    }
    if (size > 0) {
        net_connection_received(connection, (const uint8_t *)buffer->base,
                                (size_t)size);
        return;
    }
    connection->is_at_end = true;
    if (size != UV_EOF) {
        net_connection_close(connection);
    } else if (connection->role == NET_RELAY) {
        net_relay_end(connection);
    } else if (connection->role == NET_ENDING) {
        net_connection_close(connection);
    } else {
        net_connection_finish(connection);
    }
}

void net_connection_read(struct net_connection *connection)
{
    int error;

    if (connection->is_closing || connection->is_at_end) {
        return;
    }
    error = uv_read_start((uv_stream_t *)&connection->tcp, net_connection_alloc,
                          net_connection_readable);
    if (error != 0 && error != UV_EALREADY) {
        net_connection_fail(connection);
    }
}

int net_connection_accept(int fd, void *data)
{
    struct net *net = data;
    struct net_connection *connection = net_connection_new(net, NET_OPENING);
    struct sockaddr_storage address;
    struct endpoint from = {0};
    socklen_t len = sizeof(address);
    int error;

    if (connection == NULL) {
        return -ENOMEM;
    }
    error = getpeername(fd, (struct sockaddr *)&address, &len) < 0
                ? -errno
                : uv_tcp_open(&connection->tcp, fd);
    if (error != 0) {
        net_connection_close(connection);
        return error;
    }
    (void)uv_tcp_nodelay(&connection->tcp, 1); /* only costs time if it fails */
    if (!sockaddr_get((const struct sockaddr *)&address, &from) ||
        net->n_handles > LIMIT_CONNECTIONS) {
        net->counters.connections_refused++;
        net_connection_close(connection);
        return 0;
    }
    connection->from = from.address;
    net_wait_opening(connection);
    return 0;
}

int net_connection_connect(struct net_connection *connection,
                           const struct endpoint *endpoint, uv_connect_cb done)
{
    static const int one = 1;
    struct endpoint own = {.address = connection->net->own.address};
    struct sockaddr_storage from;
    struct sockaddr_storage to;
    socklen_t from_len = sockaddr_put(&own, &from);
    bool is_6 = own.address.family == 6;
    int error;
    int fd;

    if (sockaddr_put(endpoint, &to) == 0 ||
        endpoint->address.family != own.address.family) {
        return -EAFNOSUPPORT;
    }
    fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    /* From the mesh address, so that the packets take the mesh; its port is
     * chosen at connect, when the other end is known. */
    (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one,
                     sizeof(one)); /* only saves ports */
    if (setsockopt(fd, is_6 ? IPPROTO_IPV6 : IPPROTO_IP,
                   is_6 ? IPV6_FREEBIND : IP_FREEBIND, &one, sizeof(one)) < 0 ||
        bind(fd, (const struct sockaddr *)&from, from_len) < 0) {
        error = -errno;
        (void)close(fd); /* nothing was written */
        return error;
    }
    error = uv_tcp_open(&connection->tcp, fd);
    if (error != 0) {
        (void)close(fd); /* nothing was written */
        return error;
    }
    (void)uv_tcp_nodelay(&connection->tcp, 1); /* only costs time if it fails */
    return uv_tcp_connect(&connection->connect, &connection->tcp,
                          (const struct sockaddr *)&to, done);
}
