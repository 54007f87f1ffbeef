/*
 * Shared by dns.c (sockets, datagrams, what the node knows) and dns_tcp.c
 * (connections).
 */
#ifndef SOCKETNET_AGENT_DNS_SERVER_H
#define SOCKETNET_AGENT_DNS_SERVER_H

#include <stdbool.h>

#include <uv.h>

#include "agent/config.h"
#include "agent/dns.h"
#include "agent/dns_answer.h"

#define DNS_CONNECTIONS_MAX 64

struct dns_connection;

/* One listening address: two handles. */
struct dns_listener {
    struct dns *dns;
    struct endpoint endpoint;
    uv_udp_t udp;
    uv_tcp_t tcp;
};

struct dns {
    struct core *core;
    struct dns_zone *zone;
    struct dns_counters counters;
    struct address own[CONFIG_LISTEN_MAX + 2]; /* this host's, as asker */
    size_t n_own;
    struct dns_listener listeners[CONFIG_LISTEN_MAX];
    struct dns_connection *connections;
    size_t n_connections;
    size_t n_handles; /* not yet closed: each holds this struct */
    bool is_closing;
    uint8_t query[4096];          /* the datagram being answered */
    uint8_t answer[DNS_TCP_SIZE]; /* ... and what is sent for it */
};

/* One handle more or less; the last one frees. */
void dns_hold(struct dns *dns);
void dns_release(struct dns *dns);

/* Answers into dns->answer and counts.  The size, or 0: say nothing. */
size_t dns_respond(struct dns *dns, const struct address *from, bool is_tcp,
                   const uint8_t *query, size_t size);

/* uv_listen's callback of a listener's TCP handle. */
void dns_tcp_accept(uv_stream_t *stream, int status);
void dns_tcp_close_all(struct dns *dns);

#endif
