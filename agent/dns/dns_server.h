/*
 * Shared by dns.c (sockets, datagrams, what the node knows), dns_tcp.c
 * (connections) and dns_wait.c (queries that wait for the data plane).
 */
#ifndef SOCKETNET_AGENT_DNS_DNS_SERVER_H
#define SOCKETNET_AGENT_DNS_DNS_SERVER_H

#include <stdbool.h>

#include <uv.h>

#include "agent/config/config.h"
#include "agent/dns/dns.h"
#include "agent/dns/dns_answer.h"
#include "agent/system/listener.h"

#define DNS_CONNECTIONS_MAX 64
/* A connection that asks nothing whole for so long is closed. */
#define DNS_IDLE_MS 10000
/* Queries that wait for the data plane at once, and their size at most. */
#define DNS_WAIT_MAX        64
#define DNS_WAIT_QUERY_SIZE 512

struct dns_connection;
struct dns_waiting;

/* One listening address: by UDP and by TCP. */
struct dns_listener {
    struct dns *dns;
    struct endpoint endpoint;
    uv_udp_t udp;
    struct listener tcp;
    bool has_tcp; /* initialised */
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
    uint32_t idle_ms;            /* DNS_IDLE_MS; a test may shorten it */
    struct dns_waiting *waiting; /* DNS_WAIT_MAX, allocated on use */
    size_t n_waiting;
    uv_timer_t wait_timer;
    bool is_asking;   /* worker_link_when_applied will call */
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

/* Answers one datagram now. */
void dns_respond_udp(struct dns_listener *listener, const struct sockaddr *from,
                     const uint8_t *query, size_t size);

/* dns_wait.c.  True: the query was taken and is answered soon. */
_must_check_ int dns_wait_init(struct dns *dns);
void dns_wait_done(struct dns *dns);
bool dns_wait(struct dns_listener *listener, const struct sockaddr *from,
              const uint8_t *query, size_t size);

/* A connection that the listener of `data`, a dns, accepted. */
_must_check_ int dns_tcp_accept(int fd, void *data);
void dns_tcp_close_all(struct dns *dns);

#endif
