/*
 * Small msgpack maps with integer keys that are not records: genesis, tokens,
 * join messages.  Packing goes into a fixed buffer; reading allocates only
 * after body_check has bounded what there is.  Both remember a failure until
 * their end, like struct reader and struct writer.
 */
#ifndef SOCKETNET_AGENT_IDENTITY_PACK_H
#define SOCKETNET_AGENT_IDENTITY_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <msgpack.h>

#include "gossip/base/cursor.h"
#include "gossip/base/macros.h"

struct pack {
    struct writer writer;
    msgpack_packer packer;
};

/* `pack` must not move until pack_end. */
void pack_begin(struct pack *pack, uint8_t *buffer, size_t size,
                size_t n_pairs);
/* 0 and the size, or -ENOBUFS. */
_must_check_ int pack_end(const struct pack *pack, size_t *ret_size);
void pack_key(struct pack *pack, unsigned key);
void pack_bin(struct pack *pack, const void *bytes, size_t size);
void pack_text(struct pack *pack, const char *text);
void pack_key_uint(struct pack *pack, unsigned key, uint64_t value);
void pack_key_bin(struct pack *pack, unsigned key, const void *bytes,
                  size_t size);
void pack_key_text(struct pack *pack, unsigned key, const char *text);
void pack_key_array(struct pack *pack, unsigned key, size_t n);

struct unpack {
    msgpack_unpacked unpacked;
    const msgpack_object_map *map;
    bool is_open;
    bool failed;
};

/* Exactly one map must be there.  0, -EBADMSG, -ENOMEM. */
_must_check_ int unpack_begin(struct unpack *unpack, const uint8_t *bytes,
                              size_t size);
/* 0, or -EBADMSG when something did not fit; frees in every case. */
_must_check_ int unpack_end(struct unpack *unpack);
void unpack_done(struct unpack *unpack); /* frees; accepts what was freed */

bool unpack_has(const struct unpack *unpack, unsigned key);
/* Each value must be there and fit; otherwise the whole fails and the result
 * is zero. */
uint64_t unpack_uint(struct unpack *unpack, unsigned key, uint64_t lowest,
                     uint64_t highest);
/* Exactly `size` bytes. */
void unpack_bin(struct unpack *unpack, unsigned key, uint8_t *bytes,
                size_t size);
/* At most `size` bytes, and how many. */
size_t unpack_bin_upto(struct unpack *unpack, unsigned key, uint8_t *bytes,
                       size_t size);
/* Borrowed until unpack_end. */
const uint8_t *unpack_slice(struct unpack *unpack, unsigned key,
                            size_t *ret_size);
/* Terminated; at most size - 1 bytes, printable UTF-8 (body_check). */
void unpack_text(struct unpack *unpack, unsigned key, char *text, size_t size);
/* Number of elements, at most `max`; 0 when the key is not there. */
size_t unpack_array(struct unpack *unpack, unsigned key, size_t max,
                    const msgpack_object **ret_items);
void unpack_item_text(struct unpack *unpack, const msgpack_object *item,
                      char *text, size_t size);
const uint8_t *unpack_item_bin(struct unpack *unpack,
                               const msgpack_object *item, size_t *ret_size);

#endif
