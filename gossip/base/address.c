/*
 * Addresses, endpoints and prefixes: comparison and packed forms.  See
 * address.h; their text is in address_text.c.
 */
#include "gossip/base/address.h"

#include <errno.h>
#include <string.h>

#include "gossip/base/cursor.h"

size_t address_size(const struct address *address)
{
    switch (address->family) {
    case 4:
        return 4;
    case 6:
        return 16;
    default:
        return 0;
    }
}

bool address_equal(const struct address *a, const struct address *b)
{
    return address_compare(a, b) == 0;
}

int address_compare(const struct address *a, const struct address *b)
{
    if (a->family != b->family) {
        return a->family < b->family ? -1 : 1;
    }
    return memcmp(a->bytes, b->bytes, address_size(a));
}

bool address_is_host(const struct address *address)
{
    static const uint8_t zeros[16] = {0};
    uint8_t first = address->bytes[0];

    if (memcmp(address->bytes, zeros, sizeof(zeros)) == 0) {
        return false;
    }
    return address->family == 4 ? first < 224
                                : address->family == 6 && first != 0xff;
}

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
    return a->port == b->port && address_equal(&a->address, &b->address);
}

unsigned address_bits(uint8_t family)
{
    return family == 4 ? 32 : 128;
}

bool address_clear_host(struct address *address, unsigned len)
{
    size_t size = address_size(address);
    bool was_set = false;

    for (size_t i = 0; i < size; i++) {
        unsigned kept = len > i * 8 ? len - (unsigned)i * 8 : 0;
        uint8_t mask = (uint8_t)(0xff00u >> MIN_OF(kept, 8u));

        was_set = was_set || (address->bytes[i] & (uint8_t)~mask) != 0;
        address->bytes[i] &= mask;
    }
    return was_set;
}

/* Whether the first `len` bits of two addresses of one family agree. */
static bool bits_equal(const struct address *a, const struct address *b,
                       unsigned len)
{
    size_t whole = len / 8;
    uint8_t mask = (uint8_t)(0xff00u >> (len % 8));

    if (memcmp(a->bytes, b->bytes, whole) != 0) {
        return false;
    }
    return mask == 0 || ((a->bytes[whole] ^ b->bytes[whole]) & mask) == 0;
}

bool prefix_contains(const struct prefix *prefix, const struct address *address)
{
    return address->family != 0 && prefix->address.family == address->family &&
           bits_equal(&prefix->address, address, prefix->len);
}

/* Whether all bits of the address past the first `len` are `is_set`. */
static bool host_bits_all(const struct address *address, unsigned len,
                          bool is_set)
{
    for (unsigned i = len; i < address_bits(address->family); i++) {
        bool bit = (address->bytes[i / 8] >> (7 - i % 8) & 1) != 0;

        if (bit != is_set) {
            return false;
        }
    }
    return true;
}

bool prefix_is_host(const struct prefix *prefix, const struct address *address)
{
    if (!prefix_contains(prefix, address)) {
        return false;
    }
    if (prefix->len + 1u >= address_bits(address->family)) {
        return true;
    }
    return !host_bits_all(address, prefix->len, false) &&
           (address->family != 4 || !host_bits_all(address, prefix->len, true));
}

bool prefix_inside(const struct prefix *inner, const struct prefix *outer)
{
    return inner->len >= outer->len && prefix_contains(outer, &inner->address);
}

bool prefix_overlaps(const struct prefix *a, const struct prefix *b)
{
    return a->len <= b->len ? prefix_contains(a, &b->address)
                            : prefix_contains(b, &a->address);
}

int address_unpack(const uint8_t *bytes, size_t size, struct address *ret)
{
    struct address address = {.family = 0};

    if (size == 4) {
        address.family = 4;
    } else if (size == 16) {
        address.family = 6;
    } else {
        return -EINVAL;
    }
    memcpy(address.bytes, bytes, size);
    *ret = address;
    return 0;
}

int endpoint_unpack(const uint8_t *bytes, size_t size, struct endpoint *ret)
{
    struct endpoint endpoint;
    struct reader reader;

    if (size < 2 || address_unpack(bytes, size - 2, &endpoint.address) < 0) {
        return -EINVAL;
    }
    reader = reader_init(bytes + size - 2, 2);
    endpoint.port = reader_u16(&reader);
    *ret = endpoint;
    return 0;
}

int prefix_unpack(const uint8_t *bytes, size_t size, struct prefix *ret)
{
    struct prefix prefix;

    if (size < 1 || address_unpack(bytes, size - 1, &prefix.address) < 0) {
        return -EINVAL;
    }
    prefix.len = bytes[size - 1];
    if (prefix.len > address_bits(prefix.address.family) ||
        address_clear_host(&prefix.address, prefix.len)) {
        return -EINVAL;
    }
    *ret = prefix;
    return 0;
}

size_t address_pack(const struct address *address, uint8_t bytes[16])
{
    size_t size = address_size(address);

    memcpy(bytes, address->bytes, size);
    return size;
}

size_t endpoint_pack(const struct endpoint *endpoint, uint8_t bytes[18])
{
    size_t size = address_pack(&endpoint->address, bytes);

    if (size == 0) {
        return 0;
    }
    bytes[size] = (uint8_t)(endpoint->port >> 8);
    bytes[size + 1] = (uint8_t)endpoint->port;
    return size + 2;
}

size_t prefix_pack(const struct prefix *prefix, uint8_t bytes[17])
{
    size_t size = address_pack(&prefix->address, bytes);

    if (size == 0) {
        return 0;
    }
    bytes[size] = prefix->len;
    return size + 1;
}
