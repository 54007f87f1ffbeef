/*
 * The one writer of msgpack: msgpack-c's packer onto a fixed buffer.  It picks
 * the shortest form of every value, so that equal values give equal bytes.
 * Running out of room is remembered, like in struct writer, and told by
 * pack_end; unpack.h is the other direction.
 */
#ifndef SOCKETNET_GOSSIP_BASE_PACK_H
#define SOCKETNET_GOSSIP_BASE_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <msgpack/pack.h>

#include "gossip/base/address.h"
#include "gossip/base/cursor.h"
#include "gossip/base/macros.h"

struct pack {
    struct writer writer;
    msgpack_packer packer;
};

/* Starts on a borrowed buffer; `pack` must not move until pack_end. */
void pack_begin(struct pack *pack, uint8_t *buffer, size_t size);
/* 0 and the size, or -ENOBUFS. */
_must_check_ int pack_end(const struct pack *pack, size_t *ret_size);

/* One value each.  A container's elements follow it. */
void pack_array(struct pack *pack, size_t n);
void pack_map(struct pack *pack, size_t n_pairs);
void pack_uint(struct pack *pack, uint64_t value);
void pack_int(struct pack *pack, int64_t value);
void pack_bool(struct pack *pack, bool value);
void pack_bin(struct pack *pack, const void *bytes, size_t size);
void pack_text(struct pack *pack, const char *text);
/* `len` bytes, not terminated. */
void pack_chars(struct pack *pack, const char *text, size_t len);
/* In the packed form of address.h, as a bin; no address is an empty one. */
void pack_address(struct pack *pack, const struct address *address);
void pack_endpoint(struct pack *pack, const struct endpoint *endpoint);
void pack_prefix(struct pack *pack, const struct prefix *prefix);

/* A pair of a map with small keys, of which pack_key writes the key alone. */
void pack_key(struct pack *pack, unsigned key);
void pack_key_uint(struct pack *pack, unsigned key, uint64_t value);
void pack_key_bin(struct pack *pack, unsigned key, const void *bytes,
                  size_t size);
void pack_key_text(struct pack *pack, unsigned key, const char *text);
void pack_key_address(struct pack *pack, unsigned key,
                      const struct address *address);

#endif
