/*
 * The DNS server for the zone: messages by libknot, sockets by libuv, answers
 * from the catalogue.  It answers only what it is asked for inside its zone,
 * authoritatively, and refuses the rest.  agent/dns/dns_answer.c is the pure
 * half: query bytes and catalogue in, answer bytes out.
 */
#ifndef SOCKETNET_AGENT_DNS_DNS_H
#define SOCKETNET_AGENT_DNS_DNS_H

#include <stdint.h>

#include "gossip/base/macros.h"

struct core;
struct dns;

/* Everything counted; nothing is logged per packet. */
struct dns_counters {
    uint64_t queries_udp, queries_tcp;
    uint64_t answers_noerror, answers_nxdomain, answers_refused, answers_other;
    uint64_t truncated;
    uint64_t dropped; /* no query, or an answer that could not be sent */
    uint64_t connections_refused;
};

/* Binds every configured address (UDP and TCP, IP_FREEBIND, so that the
 * gateway address may appear later).  0, or negative errno and a malloc'd
 * text naming the address that is taken and by what rule to change it. */
_must_check_ int dns_new(struct core *core, struct dns **ret, char **ret_error);
/* Closes everything; the memory goes when the loop has closed the handles. */
struct dns *dns_free(struct dns *dns);

const struct dns_counters *dns_counters_get(const struct dns *dns);

#endif
