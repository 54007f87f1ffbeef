/*
 * PEER of `agent join` as addresses.  c-ares reads /etc/hosts and
 * /etc/resolv.conf itself, so that no NSS module is ever loaded; part of
 * join_client.h.
 */
#include "agent/join/join_client.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ares.h>

#include "agent/system/clock.h"
#include "agent/system/sockaddr.h"
#include "gossip/base/text.h"

#define RESOLVE_TIMEOUT_MS 5000
#define RESOLVE_NAME_SIZE  256

struct resolve {
    bool is_done;
    int status;
    uint16_t port;
    struct endpoint *endpoints;
    size_t size;
    size_t n;
};

static void fail(char **ret_error, const char *format, ...) _printf_(2, 3);

static void fail(char **ret_error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    if (vasprintf(ret_error, format, arguments) < 0) {
        *ret_error = NULL;
    }
    va_end(arguments);
}

/* "name:port" or "name"; false when the port is none. */
static bool split(const char *peer, char name[RESOLVE_NAME_SIZE],
                  uint16_t *port)
{
    size_t len = strcspn(peer, ":");
    uint64_t value;

    if (len == 0 || len >= RESOLVE_NAME_SIZE) {
        return false;
    }
    memcpy(name, peer, len);
    name[len] = '\0';
    if (peer[len] == '\0') {
        return true;
    }
    peer += len + 1;
    if (text_take_number(&peer, UINT16_MAX, &value) != 0 || *peer != '\0' ||
        value == 0) {
        return false;
    }
    *port = (uint16_t)value;
    return true;
}

static void on_resolved(void *data, int status, int timeouts,
                        struct ares_addrinfo *result)
{
    struct resolve *resolve = data;

    (void)timeouts;
    resolve->is_done = true;
    resolve->status = status;
    if (status != ARES_SUCCESS) {
        return;
    }
    for (const struct ares_addrinfo_node *at = result->nodes;
         at != NULL && resolve->n < resolve->size; at = at->ai_next) {
        struct endpoint *endpoint = &resolve->endpoints[resolve->n];

        if (sockaddr_get(at->ai_addr, endpoint)) {
            endpoint->port = resolve->port;
            resolve->n++;
        }
    }
    ares_freeaddrinfo(result);
}

/* One wait for any of the sockets c-ares wants. */
static void wait_once(ares_channel channel, uint64_t left_ms)
{
    ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
    struct pollfd polls[ARES_GETSOCK_MAXNUM];
    /* Bit i: socket i is to be read, bit 16 + i: written.  Unsigned, since
     * the macros for it shift a one into the sign bit. */
    unsigned bits =
        (unsigned)ares_getsock(channel, sockets, ARES_GETSOCK_MAXNUM);
    nfds_t n = 0;

    for (int i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
        short events = 0;

        if ((bits >> i & 1) != 0) {
            events |= POLLIN;
        }
        if ((bits >> (ARES_GETSOCK_MAXNUM + i) & 1) != 0) {
            events |= POLLOUT;
        }
        if (events != 0) {
            polls[n++] = (struct pollfd){.fd = sockets[i], .events = events};
        }
    }
    (void)poll(polls, n, (int)MIN_OF(left_ms, 100)); /* looked at below */
    for (nfds_t i = 0; i < n; i++) {
        ares_process_fd(
            channel,
            (polls[i].revents & ~POLLOUT) != 0 ? polls[i].fd : ARES_SOCKET_BAD,
            (polls[i].revents & POLLOUT) != 0 ? polls[i].fd : ARES_SOCKET_BAD);
    }
    if (n == 0) {
        ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    }
}

static void resolve_name(const char *name, struct resolve *resolve)
{
    struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC};
    ares_channel channel;
    uint64_t deadline_ms = clock_now_ms() + RESOLVE_TIMEOUT_MS;
    uint64_t now_ms;

    resolve->status = ares_library_init(ARES_LIB_INIT_ALL);
    if (resolve->status != ARES_SUCCESS) {
        return;
    }
    resolve->status = ares_init(&channel);
    if (resolve->status == ARES_SUCCESS) {
        ares_getaddrinfo(channel, name, NULL, &hints, on_resolved, resolve);
        while (!resolve->is_done && (now_ms = clock_now_ms()) < deadline_ms) {
            wait_once(channel, deadline_ms - now_ms);
        }
        if (!resolve->is_done) {
            ares_cancel(channel);
            resolve->status = ARES_ETIMEOUT;
        }
        ares_destroy(channel);
    }
    ares_library_cleanup();
}

size_t join_resolve(const char *peer, uint16_t default_port,
                    struct endpoint *ret_endpoints, size_t size,
                    char **ret_error)
{
    struct resolve resolve = {
        .port = default_port, .endpoints = ret_endpoints, .size = size};
    char name[RESOLVE_NAME_SIZE];

    *ret_error = NULL;
    if (size > 0 && endpoint_parse(peer, default_port, ret_endpoints) == 0) {
        return 1;
    }
    if (!split(peer, name, &resolve.port)) {
        fail(ret_error,
             "\"%s\" is not a peer; expected the address or name of a host in "
             "the cluster, with :PORT when that is not %u",
             peer, default_port);
        return 0;
    }
    resolve_name(name, &resolve);
    if (resolve.n == 0) {
        fail(ret_error,
             "the name \"%s\" has no address (%s); give the peer's mesh "
             "address instead",
             name,
             resolve.status == ARES_SUCCESS ? "none found"
                                            : ares_strerror(resolve.status));
    }
    return resolve.n;
}
