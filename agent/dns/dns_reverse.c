/*
 * Names of addresses: in-addr.arpa (RFC 1035, 3.5) and ip6.arpa (RFC 3596,
 * 2.5), for service addresses, instances and nodes' mesh addresses.  Others
 * are somebody else's to answer.
 */
#include "agent/dns/dns_internal.h"

#include <stdio.h>
#include <string.h>

/* One decimal label of an IPv4 address, without leading zeros; -1: none. */
static int label_octet(const uint8_t *label)
{
    size_t len = label[0];
    int value = 0;

    if (len == 0 || len > 3 || (label[1] == '0' && len > 1)) {
        return -1;
    }
    for (size_t i = 1; i <= len; i++) {
        if (label[i] < '0' || label[i] > '9') {
            return -1;
        }
        value = value * 10 + (label[i] - '0');
    }
    return value <= 255 ? value : -1;
}

/* One hexadecimal digit of an IPv6 address, in lower case; -1: none. */
static int label_nibble(const uint8_t *label)
{
    if (label[0] != 1) {
        return -1;
    }
    if (label[1] >= '0' && label[1] <= '9') {
        return label[1] - '0';
    }
    return label[1] >= 'a' && label[1] <= 'f' ? label[1] - 'a' + 10 : -1;
}

/* The address that a reverse name is of; false when it is none, or only a
 * part of one. */
static bool reverse_address(const uint8_t *name, struct address *ret)
{
    static const uint8_t suffix4[] = "\7in-addr\4arpa";
    static const uint8_t suffix6[] = "\3ip6\4arpa";
    struct address address = {0};
    int n_labels = knot_dname_in_bailiwick(name, suffix4);

    if (n_labels == 4) {
        address.family = 4;
        for (size_t i = 4; i-- > 0; name += name[0] + 1) {
            int octet = label_octet(name);

            if (octet < 0) {
                return false;
            }
            address.bytes[i] = (uint8_t)octet;
        }
    } else if (knot_dname_in_bailiwick(name, suffix6) == 32) {
        address.family = 6;
        for (size_t i = 32; i-- > 0; name += name[0] + 1) {
            int nibble = label_nibble(name);

            if (nibble < 0) {
                return false;
            }
            address.bytes[i / 2] |=
                (uint8_t)(i % 2 == 0 ? nibble << 4 : nibble);
        }
    } else {
        return false;
    }
    *ret = address;
    return true;
}

/* Every instance at the address.  True when there was any. */
static bool put_instances(struct dns_reply *reply,
                          const struct address *address)
{
    size_t n;
    const struct catalog_instance *const *instances =
        catalog_instances_at(reply->zone->catalog, address, &n);
    bool is_known = false;

    for (size_t i = 0; i < n; i++) {
        char text[KNOT_DNAME_TXT_MAXLEN + 1];

        if (instances[i]->state != CATALOG_NODE_DOWN) {
            dns_instance_name(reply->zone, instances[i], text);
            dns_put_name(reply, KNOT_RRTYPE_PTR, text);
            is_known = true;
        }
    }
    return is_known;
}

bool dns_reverse_answer(struct dns_reply *reply)
{
    const struct catalog *catalog = reply->zone->catalog;
    const struct catalog_function *function;
    const struct catalog_node *node;
    char text[KNOT_DNAME_TXT_MAXLEN + 1];
    struct address address;

    if (!reverse_address(reply->lower, &address)) {
        return false;
    }
    function = catalog_find_address(catalog, &address);
    if (function != NULL) {
        (void)snprintf(text, sizeof(text), "%s.%s", function->name,
                       reply->zone->text);
        dns_put_name(reply, KNOT_RRTYPE_PTR, text);
        return true;
    }
    node = catalog_find_node_address(catalog, &address);
    if (node != NULL) {
        (void)snprintf(text, sizeof(text), "%s.node.%s", node->name,
                       reply->zone->text);
        dns_put_name(reply, KNOT_RRTYPE_PTR, text);
        return true;
    }
    return put_instances(reply, &address);
}
