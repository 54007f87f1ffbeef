/*
 * The DNS server for the zone: messages by libknot, sockets by libuv, answers
 * from the catalogue.  It answers only what it is asked for inside its zone,
 * authoritatively, and refuses the rest.  agent/dns_answer.c is the pure
 * half: query bytes and catalogue in, answer bytes out.
 */
#ifndef SOCKETNET_AGENT_DNS_H
#define SOCKETNET_AGENT_DNS_H

#include "gossip/base/macros.h"

struct core;
struct dns;

/* Binds every configured address (UDP and TCP, IP_FREEBIND, so that the
 * gateway address may appear later).  0, or negative errno and a malloc'd
 * text naming the address that is taken and by what rule to change it. */
_must_check_ int dns_new(struct core *core, struct dns **ret, char **ret_error);
struct dns *dns_free(struct dns *dns);

#endif
