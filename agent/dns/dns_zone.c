/*
 * What the zone says of a name:
 *   (apex)                         SOA, NS
 *   FUNCTION                       to a container the service address, to
 *                                  others the usable instances, nearest first
 *   _FUNCTION._tcp, ._udp          SRV
 *   INSTANCE.FUNCTION              the instance's address
 *   INSTANCE.NODE.FUNCTION         the same, where names repeat
 *   NODE.node                      the node's mesh address
 */
#include "agent/dns/dns_internal.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A zone transfer is never answered, so refresh, retry and expire (RFC 1035,
 * 3.3.13) only have to look sane. */
#define SOA_REFRESH_S 3600
#define SOA_RETRY_S   600
#define SOA_EXPIRE_S  86400

/* Round trips that count as the same place, and as near. */
#define NEAR_RTT_US 2000
#define FAR_RTT_US  20000

/* The labels before the zone's name, as text; "" for one that no name of
 * ours can be. */
struct labels {
    char text[DNS_LABELS_MAX][BODY_NAME_SIZE];
    size_t n;
};

/* False when there are more than any name of ours has. */
static bool labels_get(const struct dns_reply *reply, size_t n_labels,
                       struct labels *ret)
{
    const uint8_t *at = reply->lower;

    if (n_labels > DNS_LABELS_MAX) {
        return false;
    }
    *ret = (struct labels){.n = n_labels};
    for (size_t i = 0; i < n_labels; i++) {
        size_t len = *at++;

        if (len < BODY_NAME_SIZE && memchr(at, '\0', len) == NULL) {
            memcpy(ret->text[i], at, len);
        }
        at += len;
    }
    return true;
}

void dns_instance_name(const struct dns_zone *zone,
                       const struct catalog_instance *instance,
                       char ret_text[KNOT_DNAME_TXT_MAXLEN + 1])
{
    const struct catalog_service *service = &instance->service;
    bool is_alone = !instance->shares_name;

    (void)snprintf(ret_text, KNOT_DNAME_TXT_MAXLEN + 1, "%s%s%s.%s.%s",
                   service->instance, is_alone ? "" : ".",
                   is_alone ? "" : instance->node, service->function,
                   zone->text);
}

static void put_soa(struct dns_reply *reply, uint32_t ttl)
{
    const struct dns_zone *zone = reply->zone;
    const uint32_t numbers[] = {zone->serial, SOA_REFRESH_S, SOA_RETRY_S,
                                SOA_EXPIRE_S, DNS_TTL_NEGATIVE_S};
    uint8_t rdata[2 * KNOT_DNAME_MAXLEN + sizeof(numbers)];
    char text[KNOT_DNAME_TXT_MAXLEN + 1];
    size_t size;

    (void)snprintf(text, sizeof(text), "%s.node.%s", zone->self, zone->text);
    if (knot_dname_from_str(rdata, text, KNOT_DNAME_MAXLEN) == NULL) {
        return; /* names too long to be told */
    }
    size = knot_dname_size(rdata);
    (void)snprintf(text, sizeof(text), "hostmaster.%s", zone->text);
    if (knot_dname_from_str(rdata + size, text, KNOT_DNAME_MAXLEN) == NULL) {
        return;
    }
    size += knot_dname_size(rdata + size);
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        for (int shift = 24; shift >= 0; shift -= 8) {
            rdata[size++] = (uint8_t)(numbers[i] >> shift);
        }
    }
    (void)dns_put(reply, zone->name, KNOT_RRTYPE_SOA, ttl, rdata, size);
}

static void answer_apex(struct dns_reply *reply)
{
    const struct dns_zone *zone = reply->zone;
    char text[KNOT_DNAME_TXT_MAXLEN + 1];

    if (dns_asks_for(reply, KNOT_RRTYPE_SOA)) {
        put_soa(reply, DNS_TTL_S);
    }
    (void)snprintf(text, sizeof(text), "%s.node.%s", zone->self, zone->text);
    dns_put_name(reply, KNOT_RRTYPE_NS, text);
}

/* Addresses once each; several instances may share one on different ports. */
static void answer_instances(struct dns_reply *reply,
                             const struct catalog_function *function)
{
    for (size_t i = 0; i < function->n_usable && !reply->is_truncated; i++) {
        if (!function->usable[i]->repeats_address) {
            dns_put_address(reply, reply->qname,
                            &function->usable[i]->service.address);
        }
    }
}

static void answer_function(struct dns_reply *reply, const char *name)
{
    const struct catalog_function *function =
        catalog_find(reply->zone->catalog, name);

    if (function == NULL) {
        reply->rcode = KNOT_RCODE_NXDOMAIN;
    } else if (reply->asker->dials_functions && function->address.family != 0) {
        dns_put_address(reply, reply->qname, &function->address);
    } else {
        answer_instances(reply, function);
    }
}

/* SRV priority: the nearest first, then what the service says, then how far.
 * A client must take the lowest (RFC 2782). */
static uint16_t srv_priority(const struct catalog_instance *instance)
{
    uint32_t distance = 0, priority = MIN_OF(instance->service.priority, 6000);

    if (instance->is_local) {
        return 0;
    }
    if (instance->rtt_us > FAR_RTT_US) {
        distance = 2;
    } else if (instance->rtt_us > NEAR_RTT_US) {
        distance = 1;
    }
    return (uint16_t)(10 + priority * 10 + distance);
}

static bool put_srv(struct dns_reply *reply,
                    const struct catalog_instance *instance)
{
    const uint16_t numbers[] = {srv_priority(instance),
                                instance->service.weight,
                                instance->service.port};
    char text[KNOT_DNAME_TXT_MAXLEN + 1];
    uint8_t rdata[sizeof(numbers) + KNOT_DNAME_MAXLEN];
    size_t size = 0;

    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        rdata[size++] = (uint8_t)(numbers[i] >> 8);
        rdata[size++] = (uint8_t)numbers[i];
    }
    dns_instance_name(reply->zone, instance, text);
    if (knot_dname_from_str(rdata + size, text, KNOT_DNAME_MAXLEN) == NULL) {
        return true; /* a name too long to be told: the others still are */
    }
    return dns_put(reply, reply->qname, KNOT_RRTYPE_SRV, DNS_TTL_S, rdata,
                   size + knot_dname_size(rdata + size));
}

static void answer_srv(struct dns_reply *reply, const char *name,
                       uint8_t protocol)
{
    const struct catalog_function *function =
        catalog_find(reply->zone->catalog, name);

    if (function == NULL) {
        reply->rcode = KNOT_RCODE_NXDOMAIN;
        return;
    }
    if (!dns_asks_for(reply, KNOT_RRTYPE_SRV)) {
        return;
    }
    reply->targets = function;
    reply->target_protocol = protocol;
    for (size_t i = 0; i < function->n_usable; i++) {
        if (function->usable[i]->service.protocol == protocol &&
            !put_srv(reply, function->usable[i])) {
            return;
        }
    }
}

static void answer_node(struct dns_reply *reply, const char *name)
{
    const struct catalog_node *node =
        catalog_find_node(reply->zone->catalog, name);

    if (node != NULL) {
        dns_put_address(reply, reply->qname, &node->address);
    } else {
        reply->rcode = KNOT_RCODE_NXDOMAIN;
    }
}

/* `node` NULL: of any node.  A dead or frozen node's instances are gone;
 * draining ones still have a name, for those who hold one. */
static void answer_instance(struct dns_reply *reply, const char *name,
                            const char *node, const char *function_name)
{
    const struct catalog_function *function =
        catalog_find(reply->zone->catalog, function_name);
    bool is_known = false;

    for (size_t i = 0; function != NULL && i < function->n_instances; i++) {
        const struct catalog_instance *instance = &function->instances[i];

        if (instance->state == CATALOG_NODE_DOWN ||
            instance->state == CATALOG_FROZEN) {
            continue;
        }
        if (node == NULL && catalog_name_compare(instance->node, name) == 0) {
            is_known = true; /* names below it exist */
        }
        if (catalog_name_compare(instance->service.instance, name) == 0 &&
            (node == NULL || catalog_name_compare(instance->node, node) == 0)) {
            is_known = true;
            dns_put_address(reply, reply->qname, &instance->service.address);
        }
    }
    if (!is_known) {
        reply->rcode = KNOT_RCODE_NXDOMAIN;
    }
}

/* "_tcp" is 6, "_udp" 17, others 0. */
static uint8_t label_protocol(const char *label)
{
    if (strcmp(label, "_tcp") == 0) {
        return 6;
    }
    return strcmp(label, "_udp") == 0 ? 17 : 0;
}

static void answer_two(struct dns_reply *reply, const struct labels *labels)
{
    const char *first = labels->text[0], *second = labels->text[1];
    uint8_t protocol = label_protocol(second);

    if (protocol != 0) {
        if (first[0] == '_') {
            answer_srv(reply, first + 1, protocol);
        } else {
            reply->rcode = KNOT_RCODE_NXDOMAIN;
        }
    } else if (strcmp(second, "node") == 0) {
        answer_node(reply, first);
    } else {
        answer_instance(reply, first, NULL, second);
    }
}

void dns_zone_answer(struct dns_reply *reply, size_t n_labels)
{
    struct labels labels;

    if (!labels_get(reply, n_labels, &labels)) {
        reply->rcode = KNOT_RCODE_NXDOMAIN;
        return;
    }
    switch (n_labels) {
    case 0:
        answer_apex(reply);
        break;
    case 1:
        /* Names that only have names below them exist, and are empty. */
        if (label_protocol(labels.text[0]) == 0 &&
            strcmp(labels.text[0], "node") != 0) {
            answer_function(reply, labels.text[0]);
        }
        break;
    case 2:
        answer_two(reply, &labels);
        break;
    default:
        answer_instance(reply, labels.text[0], labels.text[1], labels.text[2]);
        break;
    }
}

void dns_zone_authority(struct dns_reply *reply)
{
    /* RFC 2308: kept as long as the smaller of TTL and minimum. */
    put_soa(reply, DNS_TTL_NEGATIVE_S);
}

void dns_zone_additional(struct dns_reply *reply)
{
    const struct catalog_function *function = reply->targets;

    for (size_t i = 0; function != NULL && i < function->n_usable; i++) {
        const struct catalog_instance *instance = function->usable[i];
        char text[KNOT_DNAME_TXT_MAXLEN + 1];
        uint8_t name[KNOT_DNAME_MAXLEN];

        if (instance->service.protocol != reply->target_protocol) {
            continue;
        }
        dns_instance_name(reply->zone, instance, text);
        if (knot_dname_from_str(name, text, sizeof(name)) != NULL) {
            /* Without room they are left out: they can be asked for. */
            dns_put_address(reply, name, &instance->service.address);
        }
    }
}
