/*
 * The DNS server's sockets and datagrams.  Connections are dns_tcp.c's, answers
 * dns_answer.c's.
 */
#include "agent/dns/dns.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include "agent/catalog/catalog.h"
#include "agent/core/core.h"
#include "agent/core/worker_link.h"
#include "agent/dns/dns_server.h"
#include "agent/identity/identity.h"
#include "agent/system/clock.h"
#include "agent/system/sockaddr.h"

#define DNS_TCP_BACKLOG 32

/* --- Answering. --- */

static void count_answer(struct dns *dns, const struct dns_answer_info *info)
{
    static const uint16_t noerror = 0, nxdomain = 3, refused = 5;

    if (info->rcode == noerror) {
        dns->counters.answers_noerror++;
    } else if (info->rcode == nxdomain) {
        dns->counters.answers_nxdomain++;
    } else if (info->rcode == refused) {
        dns->counters.answers_refused++;
    } else {
        dns->counters.answers_other++;
    }
    dns->counters.truncated += info->is_truncated;
}

/* Containers always do, the host itself while the worker makes flows and the
 * route to them. */
static bool dials_functions(const struct dns *dns, const struct address *from)
{
    const struct config *config = dns->core->config;
    const struct worker_link *worker = dns->core->worker;

    switch (dns_find_place(config->subnets, config->n_subnets, dns->own,
                           dns->n_own, from)) {
    case DNS_PLACE_CONTAINER:
        return true;
    case DNS_PLACE_HOST:
        return worker != NULL && !worker_link_status(worker)->is_observing;
    case DNS_PLACE_ELSEWHERE:
    default:
        return false;
    }
}

size_t dns_respond(struct dns *dns, const struct address *from, bool is_tcp,
                   const uint8_t *query, size_t size)
{
    struct dns_asker asker = {.dials_functions = dials_functions(dns, from),
                              .is_tcp = is_tcp};
    struct dns_answer_info info;
    size_t answer_size;

    *(is_tcp ? &dns->counters.queries_tcp : &dns->counters.queries_udp) += 1;
    if (dns_answer(dns->zone, &asker, query, size, dns->answer, &answer_size,
                   &info) != 0) {
        dns->counters.dropped++;
        return 0;
    }
    count_answer(dns, &info);
    return answer_size;
}

static void on_udp_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct dns_listener *listener = handle->data;

    (void)suggested;
    buf->base = (char *)listener->dns->query;
    buf->len = sizeof(listener->dns->query);
}

void dns_respond_udp(struct dns_listener *listener, const struct sockaddr *from,
                     const uint8_t *query, size_t size)
{
    struct dns *dns = listener->dns;
    struct endpoint endpoint;
    uv_buf_t answer;
    size_t answer_size;

    if (!sockaddr_get(from, &endpoint)) {
        dns->counters.dropped++;
        return;
    }
    answer_size = dns_respond(dns, &endpoint.address, false, query, size);
    if (answer_size == 0) {
        return;
    }
    answer = uv_buf_init((char *)dns->answer, (unsigned)answer_size);
    if (uv_udp_try_send(&listener->udp, &answer, 1, from) < 0) {
        dns->counters.dropped++; /* the client asks again */
    }
}

/* An answer that names instances needs no flow of ours to be there. */
static bool needs_flows(const struct dns *dns, const struct sockaddr *from)
{
    struct endpoint endpoint;

    return sockaddr_get(from, &endpoint) &&
           dials_functions(dns, &endpoint.address);
}

static void on_udp(uv_udp_t *udp, ssize_t size, const uv_buf_t *buf,
                   const struct sockaddr *from, unsigned flags)
{
    struct dns_listener *listener = udp->data;
    const uint8_t *query = (const uint8_t *)buf->base;

    if (size <= 0 || from == NULL) {
        return; /* nothing, or an error of an earlier answer */
    }
    if ((flags & UV_UDP_PARTIAL) != 0) {
        listener->dns->counters.dropped++;
        return;
    }
    if (!needs_flows(listener->dns, from) ||
        !dns_wait(listener, from, query, (size_t)size)) {
        dns_respond_udp(listener, from, query, (size_t)size);
    }
}

/* --- Sockets. --- */

/* A bound socket, or negative errno.  Bound by ourselves, because libuv
 * cannot bind to an address that is not there yet. */
static int open_socket(const struct endpoint *endpoint, int type)
{
    struct sockaddr_storage address;
    socklen_t size = sockaddr_put(endpoint, &address);
    int family = endpoint->address.family == 4 ? AF_INET : AF_INET6;
    int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1, error = 0;

    if (fd < 0) {
        return -errno;
    }
    if (family == AF_INET
            ? setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on)) < 0
            : setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof(on)) <
                      0 ||
                  setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) <
                      0) {
        error = -errno;
    }
    if (error == 0 && type == SOCK_STREAM &&
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0) {
        error = -errno;
    }
    if (error == 0 && bind(fd, (struct sockaddr *)&address, size) < 0) {
        error = -errno;
    }
    if (error != 0) {
        (void)close(fd); /* never used */
        return error;
    }
    return fd;
}

static void on_closed(uv_handle_t *handle)
{
    struct dns_listener *listener = handle->data;

    dns_release(listener->dns);
}

static void on_tcp_closed(void *data)
{
    dns_release(data);
}

static int open_udp(struct dns_listener *listener)
{
    int fd = open_socket(&listener->endpoint, SOCK_DGRAM);
    int error;

    if (fd < 0) {
        return fd;
    }
    error = uv_udp_init(listener->dns->core->loop, &listener->udp);
    if (error != 0) {
        (void)close(fd);
        return error;
    }
    listener->udp.data = listener;
    dns_hold(listener->dns);
    error = uv_udp_open(&listener->udp, fd);
    if (error != 0) {
        (void)close(fd);
        return error;
    }
    return uv_udp_recv_start(&listener->udp, on_udp_alloc, on_udp);
}

static int open_tcp(struct dns_listener *listener)
{
    int fd = open_socket(&listener->endpoint, SOCK_STREAM);

    if (fd < 0) {
        return fd;
    }
    listener_init(&listener->tcp, listener->dns->core->loop, dns_tcp_accept,
                  listener->dns);
    listener->has_tcp = true;
    dns_hold(listener->dns);
    return listener_start(&listener->tcp, fd, DNS_TCP_BACKLOG);
}

static int listen_error(const struct endpoint *endpoint, const char *protocol,
                        int error, char **ret_error)
{
    const char *advice = "change dns.listen in the configuration";
    char text[ENDPOINT_TEXT_SIZE];

    (void)endpoint_text(endpoint, text);
    if (error == -EADDRINUSE) {
        advice = "another DNS server has it (see: ss -lnp 'sport = :53'): "
                 "stop that one, or change dns.listen in the configuration";
    } else if (error == -EACCES) {
        advice = "ports below 1024 need CAP_NET_BIND_SERVICE: start the agent "
                 "as root, or change dns.listen in the configuration";
    }
    if (asprintf(ret_error, "cannot serve DNS on %s/%s: %s; %s", text, protocol,
                 strerror(-error), advice) < 0) {
        *ret_error = NULL;
    }
    return error;
}

static int dns_listen(struct dns *dns, char **ret_error)
{
    const struct config *config = dns->core->config;

    for (size_t i = 0; i < config->n_dns_listen; i++) {
        struct dns_listener *listener = &dns->listeners[i];
        int error;

        listener->dns = dns;
        listener->endpoint = config->dns_listen[i];
        error = open_udp(listener);
        if (error != 0) {
            return listen_error(&listener->endpoint, "udp", error, ret_error);
        }
        error = open_tcp(listener);
        if (error != 0) {
            return listen_error(&listener->endpoint, "tcp", error, ret_error);
        }
    }
    return 0;
}

/* --- Life. --- */

void dns_hold(struct dns *dns)
{
    dns->n_handles++;
}

void dns_release(struct dns *dns)
{
    if (--dns->n_handles == 0 && dns->is_closing) {
        free(dns);
    }
}

static void add_own(struct dns *dns, const struct address *address)
{
    if (address->family != 0) {
        dns->own[dns->n_own++] = *address;
    }
}

int dns_new(struct core *core, struct dns **ret, char **ret_error)
{
    const struct config *config = core->config;
    struct dns *dns = calloc(1, sizeof(*dns));
    int error;

    *ret_error = NULL;
    if (dns == NULL) {
        return -ENOMEM;
    }
    dns->core = core;
    dns->idle_ms = DNS_IDLE_MS;
    dns_hold(dns); /* until dns_free */
    add_own(dns, &config->gateway);
    add_own(dns, &config->mesh);
    for (size_t i = 0; i < config->n_dns_listen; i++) {
        add_own(dns, &config->dns_listen[i].address);
    }
    /* A new serial at each start: contents differ, and time goes on. */
    error = dns_zone_new(config->zone, core->identity->body.name,
                         (uint32_t)(clock_wall_ms() / 1000), core->catalog,
                         &dns->zone);
    if (error == -EINVAL &&
        asprintf(ret_error,
                 "zone \"%s\" cannot be a domain name; change zone in the "
                 "configuration",
                 config->zone) < 0) {
        *ret_error = NULL;
    }
    if (error == 0) {
        error = dns_wait_init(dns);
    }
    if (error == 0) {
        error = dns_listen(dns, ret_error);
    }
    if (error != 0) {
        (void)dns_free(dns);
        return error;
    }
    *ret = dns;
    return 0;
}

struct dns *dns_free(struct dns *dns)
{
    if (dns == NULL) {
        return NULL;
    }
    dns->is_closing = true;
    for (size_t i = 0; i < ARRAY_SIZE(dns->listeners); i++) {
        struct dns_listener *listener = &dns->listeners[i];

        /* A handle that was initialised has its data. */
        if (listener->udp.data != NULL) {
            uv_close((uv_handle_t *)&listener->udp, on_closed);
        }
        if (listener->has_tcp) {
            listener_close(&listener->tcp, on_tcp_closed);
        }
    }
    dns_tcp_close_all(dns);
    dns_wait_done(dns);
    dns->zone = dns_zone_free(dns->zone);
    dns_release(dns);
    return NULL;
}

const struct dns_counters *dns_counters_get(const struct dns *dns)
{
    return &dns->counters;
}
