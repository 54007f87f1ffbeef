/*
 * IPv4 and IPv6 addresses, endpoints and prefixes as plain values, not the
 * structs of sockets.  Text and packed forms live here too, so that no other
 * file knows how an address is written.
 *
 * Packed form (records, messages): an address is its 4 or 16 bytes, the size
 * telling the family; an endpoint adds a big-endian u16 port (6 or 18
 * bytes); a prefix adds a u8 length (5 or 17 bytes).
 */
#ifndef SOCKETNET_GOSSIP_BASE_ADDRESS_H
#define SOCKETNET_GOSSIP_BASE_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/base/macros.h"

#define ADDRESS_TEXT_SIZE  46 /* INET6_ADDRSTRLEN */
#define ENDPOINT_TEXT_SIZE 56 /* [address]:port */
#define PREFIX_TEXT_SIZE   50 /* address/128 */

/* family is 0 (no address), 4 or 6; unused trailing bytes are zero. */
struct address {
    uint8_t family;
    uint8_t bytes[16];
};

struct endpoint {
    struct address address;
    uint16_t port;
};

/* Bits of `address` past `len` are zero. */
struct prefix {
    struct address address;
    uint8_t len;
};

/* 32 or 128: bits of an address of this family. */
unsigned address_bits(uint8_t family);
/* Clears the bits past the first `len`; true if one of them was set. */
bool address_clear_host(struct address *address, unsigned len);
/* 4, 16 or 0 bytes. */
size_t address_size(const struct address *address);
bool address_equal(const struct address *a, const struct address *b);
/* Orders by family, then bytes: <0, 0, >0. */
int address_compare(const struct address *a, const struct address *b);
/* Whether one host may have it, as far as can be told without a prefix: not
 * unspecified, multicast or broadcast, nor IPv4's reserved 240.0.0.0/4 (RFC
 * 1112 section 4). */
bool address_is_host(const struct address *address);
bool endpoint_equal(const struct endpoint *a, const struct endpoint *b);

/* Text parsers return 0, or -EINVAL and leave the output alone.  An endpoint
 * is "1.2.3.4:5", "[::1]:5"; without a port ("1.2.3.4", "::1", "[::1]") it
 * gets `default_port`; port 0 is refused.  Numbers have no leading zeros.  A
 * prefix has its length written out.  One whose host bits are set is refused,
 * except by prefix_parse_interface, which clears them ("10.0.3.1/24"). */
_must_check_ int address_parse(const char *text, struct address *ret);
_must_check_ int endpoint_parse(const char *text, uint16_t default_port,
                                struct endpoint *ret);
_must_check_ int prefix_parse(const char *text, struct prefix *ret);
_must_check_ int prefix_parse_interface(const char *text,
                                        struct address *ret_address,
                                        struct prefix *ret);

/* Text writers fill a buffer of *_TEXT_SIZE and return it.  IPv6 as RFC 5952
 * writes it; "-" for no address. */
const char *address_text(const struct address *address,
                         char text[ADDRESS_TEXT_SIZE]);
const char *endpoint_text(const struct endpoint *endpoint,
                          char text[ENDPOINT_TEXT_SIZE]);
const char *prefix_text(const struct prefix *prefix,
                        char text[PREFIX_TEXT_SIZE]);

bool prefix_contains(const struct prefix *prefix,
                     const struct address *address);
/* Whether a host may have this address of the prefix as its own: it lies
 * inside and is neither the network's nor the broadcast address (RFC 1122
 * section 3.2.1.3), nor the routers' anycast address (RFC 4291 section 2.6.1).
 * Prefixes of at most two addresses have none of them (RFC 3021, RFC 6164). */
bool prefix_is_host(const struct prefix *prefix, const struct address *address);
/* Whether all of `inner` is in `outer`; of equal ones too. */
bool prefix_inside(const struct prefix *inner, const struct prefix *outer);
bool prefix_overlaps(const struct prefix *a, const struct prefix *b);

/* Packed forms, see the head of this file.  Unpack returns 0 or -EINVAL
 * (another size; a prefix too long or with host bits set); pack returns the
 * number of bytes written, 0 for no address. */
_must_check_ int address_unpack(const uint8_t *bytes, size_t size,
                                struct address *ret);
_must_check_ int endpoint_unpack(const uint8_t *bytes, size_t size,
                                 struct endpoint *ret);
_must_check_ int prefix_unpack(const uint8_t *bytes, size_t size,
                               struct prefix *ret);
size_t address_pack(const struct address *address, uint8_t bytes[16]);
size_t endpoint_pack(const struct endpoint *endpoint, uint8_t bytes[18]);
size_t prefix_pack(const struct prefix *prefix, uint8_t bytes[17]);

#endif
