/*
 * The sockets and the datagrams.  A datagram goes to the node as it came,
 * with nothing looked at: bounds, tags and senders are its business.
 */
#include "agent/net/net.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "agent/config/config.h"
#include "agent/core/core.h"
#include "agent/net/net_internal.h"
#include "agent/system/clock.h"
#include "agent/system/sockaddr.h"

/* Connections that the kernel keeps for us until we accept them. */
#define NET_BACKLOG 64

static void net_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    struct net *net = handle->data;

    (void)suggested; /* one datagram at a time, see struct net */
    *ret = uv_buf_init((char *)net->datagram, sizeof(net->datagram));
}

static void net_received(uv_udp_t *udp, ssize_t size, const uv_buf_t *buffer,
                         const struct sockaddr *address, unsigned flags)
{
    struct net *net = udp->data;
    struct node_event event = {.type = NODE_EVENT_DATAGRAM,
                               .bytes = (const uint8_t *)buffer->base,
                               .size = size < 0 ? 0 : (size_t)size};

    (void)flags; /* a datagram cut to the buffer is too long in any case */
    if (size < 0 || address == NULL || net->is_closing ||
        !sockaddr_get(address, &event.from)) {
        return;
    }
    core_step(net->core, &event);
}

static void net_send(void *data, const struct endpoint *endpoint,
                     const uint8_t *bytes, size_t size)
{
    struct net *net = data;
    uint8_t copy[LIMIT_DATAGRAM_SIZE];
    struct sockaddr_storage address;
    uv_buf_t buffer;

    if (size > sizeof(copy) || sockaddr_put(endpoint, &address) == 0) {
        net->counters.send_failed++;
        return;
    }
    memcpy(copy, bytes, size); /* uv_buf_t has no const */
    buffer = uv_buf_init((char *)copy, (unsigned)size);
    if (uv_udp_try_send(&net->udp, &buffer, 1,
                        (const struct sockaddr *)&address) < 0) {
        net->counters.send_failed++;
    }
}

static void net_tick(uv_timer_t *timer)
{
    struct net *net = timer->data;
    struct net_connection *next;
    uint64_t now_ms = clock_now_ms();

    for (struct net_connection *connection = net->connections;
         connection != NULL; connection = next) {
        next = connection->next;
        if (now_ms < connection->deadline_ms || connection->is_closing) {
            continue;
        }
        if (connection->role == NET_WAITING || connection->role == NET_QUEUED) {
            net_connection_refuse(connection, STREAM_REFUSED_BUSY);
            continue;
        }
        if (connection->role != NET_ENDING) {
            net->counters.connections_failed++;
        }
        net_connection_close(connection);
    }
    net_next(net);
    if (net->connections == NULL) {
        (void)uv_timer_stop(timer); /* never fails */
    }
}

/* Opens and binds one socket.  Returns it, or negative errno. */
static int net_bind(const struct endpoint *own, int type)
{
    static const int one = 1;
    struct sockaddr_storage address;
    socklen_t len = sockaddr_put(own, &address);
    bool is_6 = own->address.family == 6;
    int fd = socket(address.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return -errno;
    }
    if ((type == SOCK_STREAM &&
         setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0) ||
        setsockopt(fd, is_6 ? IPPROTO_IPV6 : IPPROTO_IP,
                   is_6 ? IPV6_FREEBIND : IP_FREEBIND, &one, sizeof(one)) < 0 ||
        bind(fd, (const struct sockaddr *)&address, len) < 0) {
        int error = -errno;

        (void)close(fd); /* nothing was written */
        return error;
    }
    return fd;
}

/* Says which address, which protocol and what to do. */
static int net_explain(const struct net *net, const char *protocol, int error,
                       char **ret_error)
{
    char text[ENDPOINT_TEXT_SIZE];
    const char *advice =
        error == -EADDRINUSE
            ? "Another program has it (ss -lnp shows which; another agent?). "
              "Stop that one, or set mesh.port in the configuration of every "
              "node"
            : "Set mesh.address to this host's address in the mesh";

    if (asprintf(ret_error, "cannot listen on %s %s: %s. %s.", protocol,
                 endpoint_text(&net->own, text), strerror(-error),
                 advice) < 0) {
        *ret_error = NULL;
    }
    return error;
}

static int net_open_udp(struct net *net)
{
    int fd = net_bind(&net->own, SOCK_DGRAM);
    int error;

    if (fd < 0) {
        return fd;
    }
    error = uv_udp_open(&net->udp, fd);
    if (error != 0) {
        (void)close(fd); /* nothing was written */
        return error;
    }
    return uv_udp_recv_start(&net->udp, net_alloc, net_received);
}

static int net_open_tcp(struct net *net)
{
    int fd = net_bind(&net->own, SOCK_STREAM);

    return fd < 0 ? fd : listener_start(&net->listener, fd, NET_BACKLOG);
}

int net_new(struct core *core, struct net **ret, char **ret_error)
{
    struct net *net = calloc(1, sizeof(*net));
    const char *protocol = "UDP";
    int error;

    if (net == NULL) {
        *ret_error = NULL;
        return -ENOMEM;
    }
    net->core = core;
    net->own.address = core->config->mesh;
    net->own.port = core->config->mesh_port;
    /* These only fail for a loop that is not one. */
    (void)uv_udp_init(core->loop, &net->udp);
    listener_init(&net->listener, core->loop, net_connection_accept, net);
    (void)uv_timer_init(core->loop, &net->timer);
    net->timer_fn = net_tick;
    net->n_handles = 3;
    net->udp.data = net;
    net->timer.data = net;
    error = net_open_udp(net);
    if (error == 0) {
        protocol = "TCP";
        error = net_open_tcp(net);
    }
    if (error != 0) {
        (void)net_explain(net, protocol, error, ret_error);
        (void)net_free(net);
        return error;
    }
    *ret = net;
    return 0;
}

static void net_part_closed(void *data)
{
    struct net *net = data;

    net->n_handles--;
    if (net->n_handles == 0) {
        free(net);
    }
}

static void net_handle_closed(uv_handle_t *handle)
{
    net_part_closed(handle->data);
}

struct net *net_free(struct net *net)
{
    struct net_connection *next;

    if (net == NULL) {
        return NULL;
    }
    net->is_closing = true;
    for (struct net_connection *connection = net->connections;
         connection != NULL; connection = next) {
        next = connection->next;
        net_connection_close(connection);
    }
    /* Connections close first: closing handles are called back in the order
     * of uv_close reversed, so net counts them too. */
    uv_close((uv_handle_t *)&net->udp, net_handle_closed);
    listener_close(&net->listener, net_part_closed);
    uv_close((uv_handle_t *)&net->timer, net_handle_closed);
    return NULL;
}

const struct net_counters *net_counters_get(const struct net *net)
{
    return &net->counters;
}

size_t net_count(const struct net *net, enum net_role role)
{
    size_t n = 0;

    for (const struct net_connection *connection = net->connections;
         connection != NULL; connection = connection->next) {
        n += connection->role == role && !connection->is_closing;
    }
    return n;
}

struct core_transport net_transport(struct net *net)
{
    return (struct core_transport){.send = net_send,
                                   .stream_open = net_stream_open,
                                   .stream_send = net_stream_send,
                                   .stream_close = net_stream_close,
                                   .data = net};
}
