/*
 * The text of addresses, endpoints and prefixes.  See address.h.  Addresses
 * are inet_pton's and inet_ntop's; ports, lengths and what may stand together
 * are ours.
 */
#include "gossip/base/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "gossip/base/text.h"

int address_parse(const char *text, struct address *ret)
{
    bool is_v6 = strchr(text, ':') != NULL;
    struct address address = {.family = is_v6 ? 6 : 4};

    if (inet_pton(is_v6 ? AF_INET6 : AF_INET, text, address.bytes) != 1) {
        return -EINVAL;
    }
    *ret = address;
    return 0;
}

/* Copies `len` characters and parses them. */
static int parse_address_part(const char *text, size_t len, struct address *ret)
{
    char part[ADDRESS_TEXT_SIZE];

    if (len >= sizeof(part)) {
        return -EINVAL;
    }
    memcpy(part, text, len);
    part[len] = '\0';
    return address_parse(part, ret);
}

/* ":5", or nothing. */
static int parse_port(const char *text, uint16_t default_port, uint16_t *ret)
{
    uint64_t port;

    if (*text == '\0') {
        *ret = default_port;
        return 0;
    }
    if (*text++ != ':' || text_take_number(&text, UINT16_MAX, &port) != 0 ||
        *text != '\0' || port == 0) {
        return -EINVAL;
    }
    *ret = (uint16_t)port;
    return 0;
}

int endpoint_parse(const char *text, uint16_t default_port,
                   struct endpoint *ret)
{
    struct endpoint endpoint;
    const char *colon = strchr(text, ':');
    const char *rest;
    int error;

    if (text[0] == '[') {
        const char *close = strchr(text, ']');

        if (close == NULL) {
            return -EINVAL;
        }
        error = parse_address_part(text + 1, (size_t)(close - text - 1),
                                   &endpoint.address);
        rest = close + 1;
        /* Brackets are for IPv6 (RFC 3986 section 3.2.2). */
        if (error == 0 && endpoint.address.family != 6) {
            error = -EINVAL;
        }
    } else if (colon != NULL && strchr(colon + 1, ':') != NULL) {
        error = address_parse(text, &endpoint.address);
        rest = "";
    } else {
        size_t len = colon == NULL ? strlen(text) : (size_t)(colon - text);

        error = parse_address_part(text, len, &endpoint.address);
        rest = text + len;
    }
    if (error < 0 || parse_port(rest, default_port, &endpoint.port) < 0) {
        return -EINVAL;
    }
    *ret = endpoint;
    return 0;
}

/* Address as written, prefix as its network; true in ret_has_host if they
 * differ. */
static int parse_prefix(const char *text, struct address *ret_address,
                        struct prefix *ret, bool *ret_has_host)
{
    const char *slash = strchr(text, '/');
    struct address address;
    struct prefix prefix;
    uint64_t len;

    if (slash == NULL ||
        parse_address_part(text, (size_t)(slash - text), &address) < 0) {
        return -EINVAL;
    }
    text = slash + 1;
    if (text_take_number(&text, address_bits(address.family), &len) != 0 ||
        *text != '\0') {
        return -EINVAL;
    }
    prefix = (struct prefix){.address = address, .len = (uint8_t)len};
    *ret_has_host = address_clear_host(&prefix.address, prefix.len);
    *ret_address = address;
    *ret = prefix;
    return 0;
}

int prefix_parse(const char *text, struct prefix *ret)
{
    struct address address;
    struct prefix prefix;
    bool has_host;

    if (parse_prefix(text, &address, &prefix, &has_host) < 0 || has_host) {
        return -EINVAL;
    }
    *ret = prefix;
    return 0;
}

int prefix_parse_interface(const char *text, struct address *ret_address,
                           struct prefix *ret)
{
    bool has_host;

    return parse_prefix(text, ret_address, ret, &has_host);
}

const char *address_text(const struct address *address,
                         char text[ADDRESS_TEXT_SIZE])
{
    static const uint8_t zeros[12] = {0};
    const uint8_t *bytes = address->bytes;

    if (address->family == 0) {
        (void)strcpy(text, "-");
    } else if (address->family == 6 &&
               memcmp(bytes, zeros, sizeof(zeros)) == 0 &&
               (bytes[12] != 0 || bytes[13] != 0)) {
        /* inet_ntop would write "::0.1.0.2": a form deprecated by RFC 4291
         * section 2.5.5.1. */
        (void)snprintf(text, ADDRESS_TEXT_SIZE, "::%x:%x",
                       bytes[12] << 8 | bytes[13], bytes[14] << 8 | bytes[15]);
    } else {
        /* Fails for another family or too little room alone. */
        (void)inet_ntop(address->family == 6 ? AF_INET6 : AF_INET, bytes, text,
                        ADDRESS_TEXT_SIZE);
    }
    return text;
}

const char *endpoint_text(const struct endpoint *endpoint,
                          char text[ENDPOINT_TEXT_SIZE])
{
    char address[ADDRESS_TEXT_SIZE];
    bool is_v6 = endpoint->address.family == 6;

    (void)snprintf(text, ENDPOINT_TEXT_SIZE, "%s%s%s:%u", is_v6 ? "[" : "",
                   address_text(&endpoint->address, address), is_v6 ? "]" : "",
                   endpoint->port);
    return text;
}

const char *prefix_text(const struct prefix *prefix,
                        char text[PREFIX_TEXT_SIZE])
{
    char address[ADDRESS_TEXT_SIZE];

    (void)snprintf(text, PREFIX_TEXT_SIZE, "%s/%u",
                   address_text(&prefix->address, address), prefix->len);
    return text;
}
