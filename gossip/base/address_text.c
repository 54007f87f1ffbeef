/*
 * The text of addresses, endpoints and prefixes.  See address.h.  The parsers
 * are our own because inet_pton lives in a socket header, and because it
 * accepts what an operator does not mean.
 */
#include "gossip/base/address.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ADDRESS_GROUPS 8 /* 16-bit groups of an IPv6 address */

/*
 * Reads a decimal number of at most `max` from the start of the text, moving
 * it on.  A sign, a space and a leading zero are refused: "010" is eight to
 * some programs and ten to others.
 */
static int parse_decimal(const char **text, unsigned max, unsigned *ret)
{
    const char *pos = *text;
    unsigned value = 0;

    if (*pos < '0' || *pos > '9') {
        return -EINVAL;
    }
    if (*pos == '0' && pos[1] >= '0' && pos[1] <= '9') {
        return -EINVAL;
    }
    for (; *pos >= '0' && *pos <= '9'; pos++) {
        value = value * 10 + (unsigned)(*pos - '0');
        if (value > max) {
            return -EINVAL;
        }
    }
    *text = pos;
    *ret = value;
    return 0;
}

/* Dotted decimal, exactly four parts. */
static int parse_v4(const char *text, uint8_t ret[4])
{
    uint8_t bytes[4];

    for (size_t i = 0; i < sizeof(bytes); i++) {
        unsigned value;

        if (i > 0 && *text++ != '.') {
            return -EINVAL;
        }
        if (parse_decimal(&text, 255, &value) < 0) {
            return -EINVAL;
        }
        bytes[i] = (uint8_t)value;
    }
    if (*text != '\0') {
        return -EINVAL;
    }
    memcpy(ret, bytes, sizeof(bytes));
    return 0;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

/* One to four hexadecimal digits; returns how many, 0 for none or more. */
static size_t parse_group(const char *text, uint16_t *ret)
{
    unsigned value = 0;
    size_t len = 0;

    while (hex_value(text[len]) >= 0) {
        if (len == 4) {
            return 0;
        }
        value = value << 4 | (unsigned)hex_value(text[len]);
        len++;
    }
    *ret = (uint16_t)value;
    return len;
}

/* Groups before and after "::", as they are read. */
struct v6_parse {
    uint8_t bytes[16];
    size_t size;  /* bytes read */
    size_t gap;   /* offset of "::" */
    bool has_gap; /* "::" was seen */
};

/* Reads the groups up to the end of the text. */
static int parse_v6_groups(const char *text, struct v6_parse *parse)
{
    while (*text != '\0') {
        uint16_t group;
        size_t len = parse_group(text, &group);

        if (len == 0 || parse->size + 2 > sizeof(parse->bytes)) {
            return -EINVAL;
        }
        if (text[len] == '.') {
            /* The last 32 bits in dotted form (RFC 4291 section 2.2). */
            if (parse->size + 4 > sizeof(parse->bytes) ||
                parse_v4(text, parse->bytes + parse->size) < 0) {
                return -EINVAL;
            }
            parse->size += 4;
            return 0;
        }
        parse->bytes[parse->size++] = (uint8_t)(group >> 8);
        parse->bytes[parse->size++] = (uint8_t)group;
        text += len;
        if (*text == '\0') {
            return 0;
        }
        if (*text++ != ':') {
            return -EINVAL;
        }
        if (*text == ':') {
            if (parse->has_gap) {
                return -EINVAL;
            }
            parse->has_gap = true;
            parse->gap = parse->size;
            text++;
        } else if (*text == '\0') {
            return -EINVAL; /* a single ':' at the end */
        }
    }
    return 0;
}

static int parse_v6(const char *text, uint8_t ret[16])
{
    struct v6_parse parse = {.size = 0};

    if (text[0] == ':') {
        if (text[1] != ':') {
            return -EINVAL;
        }
        parse.has_gap = true;
        text += 2;
    }
    if (parse_v6_groups(text, &parse) < 0) {
        return -EINVAL;
    }
    /* "::" stands for at least one group; without it all must be there. */
    if (parse.has_gap ? parse.size > 14 : parse.size != 16) {
        return -EINVAL;
    }
    memset(ret, 0, 16);
    if (!parse.has_gap) {
        memcpy(ret, parse.bytes, 16);
        return 0;
    }
    memcpy(ret, parse.bytes, parse.gap);
    memcpy(ret + 16 - (parse.size - parse.gap), parse.bytes + parse.gap,
           parse.size - parse.gap);
    return 0;
}

int address_parse(const char *text, struct address *ret)
{
    struct address address = {.family = 4};

    if (strchr(text, ':') != NULL) {
        address.family = 6;
        if (parse_v6(text, address.bytes) < 0) {
            return -EINVAL;
        }
    } else if (parse_v4(text, address.bytes) < 0) {
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
    unsigned port;

    if (*text == '\0') {
        *ret = default_port;
        return 0;
    }
    if (*text++ != ':' || parse_decimal(&text, UINT16_MAX, &port) < 0 ||
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
    unsigned len;

    if (slash == NULL ||
        parse_address_part(text, (size_t)(slash - text), &address) < 0) {
        return -EINVAL;
    }
    text = slash + 1;
    if (parse_decimal(&text, address_bits(address.family), &len) < 0 ||
        *text != '\0') {
        return -EINVAL;
    }
    prefix = (struct prefix){.address = address, .len = (uint8_t)len};
    *ret_has_host = address_clear_host(&prefix.address, len);
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

/* The longest run of two or more zero groups, the first of equals (RFC 5952
 * section 4.2); len 0 when there is none. */
static void find_zero_run(const uint16_t groups[ADDRESS_GROUPS], size_t *ret_at,
                          size_t *ret_len)
{
    size_t best_at = 0;
    size_t best_len = 1;

    for (size_t i = 0; i < ADDRESS_GROUPS; i++) {
        size_t len = 0;

        while (i + len < ADDRESS_GROUPS && groups[i + len] == 0) {
            len++;
        }
        if (len > best_len) {
            best_at = i;
            best_len = len;
        }
    }
    *ret_at = best_at;
    *ret_len = best_len > 1 ? best_len : 0;
}

static void write_v6(const uint8_t bytes[16], char text[ADDRESS_TEXT_SIZE])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    uint16_t groups[ADDRESS_GROUPS];
    size_t run_at;
    size_t run_len;
    char *pos = text;

    if (memcmp(bytes, mapped, sizeof(mapped)) == 0) {
        (void)snprintf(text, ADDRESS_TEXT_SIZE, "::ffff:%u.%u.%u.%u", bytes[12],
                       bytes[13], bytes[14], bytes[15]);
        return;
    }
    for (size_t i = 0; i < ADDRESS_GROUPS; i++) {
        groups[i] = (uint16_t)(bytes[2 * i] << 8 | bytes[2 * i + 1]);
    }
    find_zero_run(groups, &run_at, &run_len);
    for (size_t i = 0; i < ADDRESS_GROUPS; i++) {
        if (run_len > 0 && i == run_at) {
            *pos++ = ':';
            *pos++ = ':';
            i += run_len - 1;
            continue;
        }
        if (i > 0 && pos[-1] != ':') {
            *pos++ = ':';
        }
        pos += snprintf(pos, 5, "%x", groups[i]); /* at most 4 characters */
    }
    *pos = '\0';
}

const char *address_text(const struct address *address,
                         char text[ADDRESS_TEXT_SIZE])
{
    const uint8_t *b = address->bytes;

    switch (address->family) {
    case 4:
        (void)snprintf(text, ADDRESS_TEXT_SIZE, "%u.%u.%u.%u", b[0], b[1], b[2],
                       b[3]);
        break;
    case 6:
        write_v6(b, text);
        break;
    default:
        (void)snprintf(text, ADDRESS_TEXT_SIZE, "-");
        break;
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
