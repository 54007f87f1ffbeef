/*
 * Shared by dns_answer.c (the message around an answer), dns_zone.c (what the
 * zone says of a name) and dns_reverse.c (what addresses are called).
 */
#ifndef SOCKETNET_AGENT_DNS_DNS_INTERNAL_H
#define SOCKETNET_AGENT_DNS_DNS_INTERNAL_H

#include "agent/dns/dns_answer.h"

/* After ours: it defines our _cleanup_ again, in the same words. */
#include <libknot/libknot.h>

/* Labels below the zone's name that we look at; names with more do not
 * exist. */
#define DNS_LABELS_MAX 3

struct dns_zone {
    const struct catalog *catalog;   /* borrowed */
    char *text;                      /* in lower case, without a final dot */
    char *self;                      /* this node's name */
    uint8_t name[KNOT_DNAME_MAXLEN]; /* in lower case */
    uint32_t serial;
};

/* One answer in the making. */
struct dns_reply {
    const struct dns_zone *zone;
    const struct dns_asker *asker;
    knot_pkt_t *packet;
    const knot_dname_t *qname; /* as asked */
    uint8_t lower[KNOT_DNAME_MAXLEN];
    uint16_t qtype;
    uint16_t rcode;
    size_t n_answers;
    bool is_truncated;
    int error; /* -ENOMEM */
    /* Instances of target_protocol whose addresses go into the additional
     * section, or NULL. */
    const struct catalog_function *targets;
    uint8_t target_protocol;
};

/* Appends one record to the current section.  False when it had no room, or
 * no memory: then nothing more fits.  Only a missing answer is a truncation. */
bool dns_put(struct dns_reply *reply, const knot_dname_t *owner, uint16_t type,
             uint32_t ttl, const uint8_t *rdata, size_t size);
/* The same for an address, which is one of IPv4 or IPv6 as in every record,
 * and for a name, when that was asked for. */
void dns_put_address(struct dns_reply *reply, const knot_dname_t *owner,
                     const struct address *address);
void dns_put_name(struct dns_reply *reply, uint16_t type, const char *name);

bool dns_asks_for(const struct dns_reply *reply, uint16_t type);
/* The name of an instance: INSTANCE.FUNCTION.ZONE, or where two nodes call
 * theirs the same, INSTANCE.NODE.FUNCTION.ZONE. */
void dns_instance_name(const struct dns_zone *zone,
                       const struct catalog_instance *instance,
                       char ret_text[KNOT_DNAME_TXT_MAXLEN + 1]);

/* Fill the answer section for a name inside the zone, with `n_labels` labels
 * before the zone's own; the others' sections; and for names of addresses,
 * false when the name is none or the address is not known. */
void dns_zone_answer(struct dns_reply *reply, size_t n_labels);
void dns_zone_authority(struct dns_reply *reply);
void dns_zone_additional(struct dns_reply *reply);
bool dns_reverse_answer(struct dns_reply *reply);

#endif
