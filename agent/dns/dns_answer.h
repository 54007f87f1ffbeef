/*
 * DNS without sockets: the bytes of a query, what is known and who asks ->
 * the bytes of the answer.  dns.c moves them.  What is answered is written in
 * docs/DNS.md.  Messages by libknot, which no caller needs to know.
 */
#ifndef SOCKETNET_AGENT_DNS_DNS_ANSWER_H
#define SOCKETNET_AGENT_DNS_DNS_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/catalog/catalog.h"
#include "gossip/base/address.h"
#include "gossip/base/macros.h"

/* Largest answer by UDP: fits one packet of any mesh unfragmented. */
#define DNS_UDP_SIZE 1232
#define DNS_TCP_SIZE 65535
/* Seconds that an answer may be kept, and that a missing name may. */
#define DNS_TTL_S          5
#define DNS_TTL_NEGATIVE_S 1

enum dns_answer_error {
    DNS_ANSWER_E_SILENT = 1, /* no query: nothing is to be sent */
};

struct dns_zone;

/* `name` is the zone ("mesh.internal"), `self` this node's name (the zone's
 * name server), `serial` that of the SOA; `catalog` lives longer.  0; -EINVAL:
 * no such domain name can be; -ENOMEM. */
_must_check_ int dns_zone_new(const char *name, const char *self,
                              uint32_t serial, const struct catalog *catalog,
                              struct dns_zone **ret);
struct dns_zone *dns_zone_free(struct dns_zone *zone);

struct dns_asker {
    /* Its packets cross this host's bridge: it reaches functions by their
     * addresses. */
    bool dials_functions;
    bool is_tcp;
};

/* For the counters. */
struct dns_answer_info {
    uint16_t rcode; /* with EDNS' upper bits */
    bool is_truncated;
};

enum dns_place {
    DNS_PLACE_ELSEWHERE = 0,
    DNS_PLACE_HOST,      /* an address of this host's own, loopback too */
    DNS_PLACE_CONTAINER, /* inside a subnet of this host */
};

/* Where who has this address is. */
enum dns_place dns_find_place(const struct prefix *subnets, size_t n_subnets,
                              const struct address *own, size_t n_own,
                              const struct address *address);

/* Answers one message.  `answer` must have room for DNS_UDP_SIZE bytes, or
 * DNS_TCP_SIZE when is_tcp.  0; DNS_ANSWER_E_SILENT; -ENOMEM. */
_must_check_ int dns_answer(const struct dns_zone *zone,
                            const struct dns_asker *asker, const uint8_t *query,
                            size_t size, uint8_t *answer, size_t *ret_size,
                            struct dns_answer_info *ret_info);

#endif
