/*
 * Names of addresses: in-addr.arpa (RFC 1035, 3.5) and ip6.arpa (RFC 3596,
 * 2.5), for service addresses, instances and nodes' mesh addresses.  Others
 * are somebody else's to answer.
 */
#include "agent/dns/dns_internal.h"

#include <stdio.h>
#include <string.h>

#include "gossip/base/text.h"

/* Writes the first `n` labels in reverse order, with `between` between them;
 * false when one is longer than `max_len`. */
static bool labels_reversed(const uint8_t *name, size_t n, size_t max_len,
                            const char *between, char text[ADDRESS_TEXT_SIZE])
{
    char *at = text + ADDRESS_TEXT_SIZE - 1;

    *at = '\0';
    for (size_t i = 0; i < n; i++, name += name[0] + 1) {
        if (name[0] == 0 || name[0] > max_len) {
            return false;
        }
        if (i > 0) {
            at -= strlen(between);
            memcpy(at, between, strlen(between));
        }
        at -= name[0];
        memcpy(at, name + 1, name[0]);
    }
    memmove(text, at, strlen(at) + 1);
    return true;
}

/* The address that a reverse name, in lower case, is of; false when it is
 * none, or only a part of one. */
static bool reverse_address(const uint8_t *name, struct address *ret)
{
    static const uint8_t suffix4[] = "\7in-addr\4arpa";
    static const uint8_t suffix6[] = "\3ip6\4arpa";
    struct address address = {.family = 6};
    char text[ADDRESS_TEXT_SIZE];

    if (knot_dname_in_bailiwick(name, suffix4) == 4) {
        return labels_reversed(name, 4, 3, ".", text) &&
               address_parse(text, ret) == 0;
    }
    if (knot_dname_in_bailiwick(name, suffix6) != 32 ||
        !labels_reversed(name, 32, 1, "", text) ||
        text_to_bytes(text, 32, address.bytes, 16) != 0) {
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

        if (instances[i]->state != CATALOG_NODE_DOWN &&
            instances[i]->state != CATALOG_FROZEN) {
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
