/*
 * The message around an answer: header, question, EDNS (RFC 6891), size and
 * truncation, and which of the zone, the reverse names or a refusal it is.
 */
#include "agent/dns/dns_answer.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/dns/dns_internal.h"

#define DNS_HEADER_SIZE  12
#define DNS_UDP_SIZE_MIN 512 /* RFC 1035, 4.2.1 */

int dns_zone_new(const char *name, const char *self, uint32_t serial,
                 const struct catalog *catalog, struct dns_zone **ret)
{
    struct dns_zone *zone = calloc(1, sizeof(*zone));
    size_t len = strlen(name);

    if (zone == NULL) {
        return -ENOMEM;
    }
    zone->catalog = catalog;
    zone->serial = serial;
    zone->self = strdup(self);
    zone->text = strdup(name);
    if (zone->self == NULL || zone->text == NULL) {
        (void)dns_zone_free(zone);
        return -ENOMEM;
    }
    if (len > 0 && zone->text[len - 1] == '.') {
        zone->text[len - 1] = '\0';
    }
    /* The root is no zone of ours either. */
    if (zone->text[0] == '\0' ||
        knot_dname_from_str(zone->name, zone->text, sizeof(zone->name)) ==
            NULL) {
        (void)dns_zone_free(zone);
        return -EINVAL;
    }
    knot_dname_to_lower(zone->name);
    for (char *at = zone->text; *at != '\0'; at++) {
        *at = (char)tolower((unsigned char)*at);
    }
    *ret = zone;
    return 0;
}

struct dns_zone *dns_zone_free(struct dns_zone *zone)
{
    if (zone != NULL) {
        free(zone->text);
        free(zone->self);
        free(zone);
    }
    return NULL;
}

static bool is_loopback(const struct address *address)
{
    static const uint8_t loopback6[16] = {[15] = 1};

    return address->family == 4 ? address->bytes[0] == 127
                                : memcmp(address->bytes, loopback6, 16) == 0;
}

enum dns_place dns_find_place(const struct prefix *subnets, size_t n_subnets,
                              const struct address *own, size_t n_own,
                              const struct address *address)
{
    if (is_loopback(address)) {
        return DNS_PLACE_HOST;
    }
    for (size_t i = 0; i < n_own; i++) {
        if (address_equal(&own[i], address)) {
            return DNS_PLACE_HOST;
        }
    }
    for (size_t i = 0; i < n_subnets; i++) {
        if (prefix_contains(&subnets[i], address)) {
            return DNS_PLACE_CONTAINER;
        }
    }
    return DNS_PLACE_ELSEWHERE;
}

bool dns_asks_for(const struct dns_reply *reply, uint16_t type)
{
    return reply->qtype == type || reply->qtype == KNOT_RRTYPE_ANY;
}

bool dns_put(struct dns_reply *reply, const knot_dname_t *owner, uint16_t type,
             uint32_t ttl, const uint8_t *rdata, size_t size)
{
    bool is_answer = reply->packet->current == KNOT_ANSWER;
    uint16_t hint =
        owner == reply->qname ? KNOT_COMPR_HINT_QNAME : KNOT_COMPR_HINT_NONE;
    knot_rrset_t rrset;
    int error;

    if (reply->error != 0 || (is_answer && reply->is_truncated)) {
        return false;
    }
    /* One record per set: libknot would sort them, and their order is ours.
     * The packet keeps and frees it. */
    knot_rrset_init(&rrset, knot_dname_copy(owner, NULL), type, KNOT_CLASS_IN,
                    ttl);
    if (rrset.owner == NULL) {
        reply->error = -ENOMEM;
        return false;
    }
    error = knot_rrset_add_rdata(&rrset, rdata, (uint16_t)size, NULL);
    if (error == KNOT_EOK) {
        error = knot_pkt_put(reply->packet, hint, &rrset,
                             KNOT_PF_FREE | KNOT_PF_NOTRUNC);
    }
    if (error == KNOT_EOK) {
        reply->n_answers += is_answer;
        return true;
    }
    knot_rrset_clear(&rrset, NULL);
    if (error == KNOT_ENOMEM) {
        reply->error = -ENOMEM;
    } else {
        reply->is_truncated |= is_answer;
    }
    return false;
}

void dns_put_address(struct dns_reply *reply, const knot_dname_t *owner,
                     const struct address *address)
{
    uint16_t type = address->family == 4 ? KNOT_RRTYPE_A : KNOT_RRTYPE_AAAA;

    if (reply->packet->current != KNOT_ANSWER || dns_asks_for(reply, type)) {
        (void)dns_put(reply, owner, type, DNS_TTL_S, address->bytes,
                      address_size(address));
    }
}

void dns_put_name(struct dns_reply *reply, uint16_t type, const char *name)
{
    uint8_t target[KNOT_DNAME_MAXLEN];

    if (dns_asks_for(reply, type) &&
        knot_dname_from_str(target, name, sizeof(target)) != NULL) {
        (void)dns_put(reply, reply->qname, type, DNS_TTL_S, target,
                      knot_dname_size(target));
    }
}

/* A header alone, for what cannot or need not be understood. */
static void answer_header(const uint8_t *query, uint16_t rcode, uint8_t *answer,
                          size_t *ret_size)
{
    memset(answer, 0, DNS_HEADER_SIZE);
    memcpy(answer, query, 2);
    knot_wire_set_qr(answer);
    knot_wire_set_opcode(answer, knot_wire_get_opcode(query));
    if (knot_wire_get_rd(query) != 0) {
        knot_wire_set_rd(answer);
    }
    knot_wire_set_rcode(answer, (uint8_t)rcode);
    *ret_size = DNS_HEADER_SIZE;
}

static size_t answer_limit(const struct dns_asker *asker,
                           const knot_pkt_t *query)
{
    size_t payload = DNS_UDP_SIZE_MIN;

    if (asker->is_tcp) {
        return DNS_TCP_SIZE;
    }
    if (knot_pkt_has_edns(query)) {
        payload = MAX_OF(knot_edns_get_payload(query->opt_rr),
                         (size_t)DNS_UDP_SIZE_MIN);
    }
    return MIN_OF(payload, (size_t)DNS_UDP_SIZE);
}

/* Answer, authority and additional section. */
static void reply_fill(struct dns_reply *reply)
{
    int n_labels;

    (void)knot_pkt_begin(reply->packet, KNOT_ANSWER);
    n_labels = knot_dname_in_bailiwick(reply->lower, reply->zone->name);
    if (reply->qtype == KNOT_RRTYPE_AXFR || reply->qtype == KNOT_RRTYPE_IXFR) {
        reply->rcode = KNOT_RCODE_REFUSED;
    } else if (n_labels >= 0) {
        knot_wire_set_aa(reply->packet->wire);
        dns_zone_answer(reply, (size_t)n_labels);
    } else if (dns_reverse_answer(reply)) {
        knot_wire_set_aa(reply->packet->wire);
    } else {
        reply->rcode = KNOT_RCODE_REFUSED;
    }
    (void)knot_pkt_begin(reply->packet, KNOT_AUTHORITY);
    if (n_labels >= 0 && reply->n_answers == 0 && !reply->is_truncated &&
        reply->rcode != KNOT_RCODE_REFUSED) {
        dns_zone_authority(reply);
    }
    (void)knot_pkt_begin(reply->packet, KNOT_ADDITIONAL);
    if (!reply->is_truncated) {
        dns_zone_additional(reply);
    }
}

/* Our EDNS record; its room was reserved. */
static void reply_put_edns(struct dns_reply *reply)
{
    knot_rrset_t opt;

    if (knot_edns_init(&opt, DNS_UDP_SIZE, (uint8_t)(reply->rcode >> 4), 0,
                       NULL) != KNOT_EOK) {
        reply->error = -ENOMEM;
        return;
    }
    (void)knot_pkt_reclaim(reply->packet, (uint16_t)knot_edns_wire_size(&opt));
    if (knot_pkt_put(reply->packet, KNOT_COMPR_HINT_NONE, &opt,
                     KNOT_PF_FREE | KNOT_PF_NOTRUNC) != KNOT_EOK) {
        knot_rrset_clear(&opt, NULL);
        reply->error = -ENOMEM;
    }
}

static void reply_make(struct dns_reply *reply, const knot_pkt_t *query)
{
    bool has_edns = knot_pkt_has_edns(query);

    if (has_edns) {
        (void)knot_pkt_reserve(reply->packet, KNOT_EDNS_MIN_SIZE);
    }
    if (has_edns && knot_edns_get_version(query->opt_rr) > 0) {
        reply->rcode = KNOT_RCODE_BADVERS;
        (void)knot_pkt_begin(reply->packet, KNOT_ADDITIONAL);
    } else if (knot_pkt_qclass(query) != KNOT_CLASS_IN) {
        reply->rcode = KNOT_RCODE_REFUSED;
        (void)knot_pkt_begin(reply->packet, KNOT_ADDITIONAL);
    } else {
        reply_fill(reply);
    }
    if (has_edns) {
        reply_put_edns(reply);
    }
    if (reply->is_truncated) {
        knot_wire_set_tc(reply->packet->wire);
    }
    knot_wire_set_rcode(reply->packet->wire, (uint8_t)(reply->rcode & 15));
}

static int answer_parsed(const struct dns_zone *zone,
                         const struct dns_asker *asker, const knot_pkt_t *query,
                         uint8_t *answer, size_t *ret_size,
                         struct dns_answer_info *ret_info)
{
    struct dns_reply reply = {.zone = zone,
                              .asker = asker,
                              .qname = knot_pkt_wire_qname(query),
                              .qtype = knot_pkt_qtype(query)};

    reply.packet =
        knot_pkt_new(answer, (uint16_t)answer_limit(asker, query), NULL);
    if (reply.packet == NULL) {
        return -ENOMEM;
    }
    if (knot_pkt_init_response(reply.packet, query) != KNOT_EOK) {
        knot_pkt_free(reply.packet);
        return -ENOMEM;
    }
    knot_dname_copy_lower(reply.lower, reply.qname);
    reply_make(&reply, query);
    *ret_size = reply.packet->size;
    ret_info->rcode = reply.rcode;
    ret_info->is_truncated = reply.is_truncated;
    knot_pkt_free(reply.packet);
    return reply.error;
}

int dns_answer(const struct dns_zone *zone, const struct dns_asker *asker,
               const uint8_t *query, size_t size, uint8_t *answer,
               size_t *ret_size, struct dns_answer_info *ret_info)
{
    knot_pkt_t *packet;
    uint16_t rcode = KNOT_RCODE_NOERROR;
    int error = 0;

    *ret_info = (struct dns_answer_info){0};
    if (size < DNS_HEADER_SIZE || size > UINT16_MAX ||
        knot_wire_get_qr(query) != 0) {
        return DNS_ANSWER_E_SILENT;
    }
    if (knot_wire_get_opcode(query) != KNOT_OPCODE_QUERY) {
        ret_info->rcode = KNOT_RCODE_NOTIMPL;
        answer_header(query, ret_info->rcode, answer, ret_size);
        return 0;
    }
    /* libknot takes the bytes as writable; with these flags it only reads. */
    packet = knot_pkt_new((void *)(uintptr_t)query, (uint16_t)size, NULL);
    if (packet == NULL) {
        return -ENOMEM;
    }
    if (knot_wire_get_qdcount(query) != 1 ||
        knot_pkt_parse(packet, KNOT_PF_KEEPWIRE | KNOT_PF_NOCANON) !=
            KNOT_EOK) {
        rcode = KNOT_RCODE_FORMERR;
        answer_header(query, rcode, answer, ret_size);
        ret_info->rcode = rcode;
    } else {
        error = answer_parsed(zone, asker, packet, answer, ret_size, ret_info);
    }
    knot_pkt_free(packet);
    return error;
}
