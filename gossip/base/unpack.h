/*
 * The one reader of msgpack.  unpack_validate bounds what untrusted bytes hold;
 * then msgpack-c decodes them, into memory that the check has measured and
 * the caller has given, so that nothing is allocated.  pack.h is the other
 * direction.
 *
 * Like struct reader an unpack stays failed once something did not fit; reads
 * then give zeros, and unpack_end tells.
 */
#ifndef SOCKETNET_GOSSIP_BASE_UNPACK_H
#define SOCKETNET_GOSSIP_BASE_UNPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <msgpack/object.h>

#include "gossip/base/address.h"
#include "gossip/base/limits.h"
#include "gossip/base/macros.h"

enum unpack_error {
    UNPACK_E_MALFORMED = 1, /* not msgpack, or not what was asked for */
};

/* Text and bytes of `root` and all below it are borrowed from what was read,
 * the objects from `objects`: an open unpack must not move. */
struct unpack {
    msgpack_object root;
    bool failed;
    msgpack_object objects[LIMIT_MSGPACK_ELEMENTS];
};

/* Allocation-free walk over untrusted msgpack: exactly one object; at most
 * LIMIT_MSGPACK_DEPTH containers inside each other (the outermost counts),
 * `max_elements` values below the outermost, keys included, and half of
 * LIMIT_MSGPACK_ELEMENTS keys in maps open at once; map keys are integers >= 0
 * or strings, none twice in a map; strings are clean (text.h); no ext types,
 * no trailing bytes.  Integers and lengths may be longer than they need to
 * be.  0 or UNPACK_E_MALFORMED. */
_must_check_ int unpack_validate(const uint8_t *bytes, size_t size,
                                 size_t max_elements);

/* Checks and decodes at most LIMIT_MSGPACK_ELEMENTS. */
void unpack_begin(struct unpack *unpack, const uint8_t *bytes, size_t size);
/* The same with the caller's memory for `n_objects` elements. */
void unpack_begin_large(struct unpack *unpack, const uint8_t *bytes,
                        size_t size, msgpack_object *objects, size_t n_objects);
/* 0, or UNPACK_E_MALFORMED when something did not fit. */
_must_check_ int unpack_end(const struct unpack *unpack);
/* The rule, spelt: fails the unpack unless `is_valid`. */
void unpack_require(struct unpack *unpack, bool is_valid);

/* The value of a small key of the map that is the root; NULL when there is
 * none. */
const msgpack_object *unpack_key(const struct unpack *unpack, unsigned key);

/* One value each, which must be there (not NULL) and fit; otherwise the whole
 * fails and the result is zero. */
uint64_t unpack_uint(struct unpack *unpack, const msgpack_object *value,
                     uint64_t min, uint64_t max);
int64_t unpack_int(struct unpack *unpack, const msgpack_object *value);
bool unpack_bool(struct unpack *unpack, const msgpack_object *value);
/* Borrowed; never NULL unless failed. */
const uint8_t *unpack_slice(struct unpack *unpack, const msgpack_object *value,
                            size_t *ret_size);
/* Exactly `size` bytes. */
void unpack_bin(struct unpack *unpack, const msgpack_object *value,
                uint8_t *bytes, size_t size);
/* Borrowed, not terminated, at most `max_len` bytes. */
const char *unpack_chars(struct unpack *unpack, const msgpack_object *value,
                         size_t max_len, size_t *ret_len);
/* Terminated; at least `min_len` and less than `text_size` bytes. */
void unpack_text(struct unpack *unpack, const msgpack_object *value,
                 size_t min_len, char *text, size_t text_size);
/* The number of elements or pairs, at most `max`. */
size_t unpack_array(struct unpack *unpack, const msgpack_object *value,
                    size_t max, const msgpack_object **ret_items);
size_t unpack_map(struct unpack *unpack, const msgpack_object *value,
                  size_t max, const msgpack_object_kv **ret_pairs);
/* In the packed form of address.h. */
void unpack_address(struct unpack *unpack, const msgpack_object *value,
                    struct address *ret);
void unpack_endpoint(struct unpack *unpack, const msgpack_object *value,
                     struct endpoint *ret);
void unpack_prefix(struct unpack *unpack, const msgpack_object *value,
                   struct prefix *ret);

/* The same for the value of a small key. */
uint64_t unpack_key_uint(struct unpack *unpack, unsigned key, uint64_t min,
                         uint64_t max);
const uint8_t *unpack_key_slice(struct unpack *unpack, unsigned key,
                                size_t *ret_size);
void unpack_key_bin(struct unpack *unpack, unsigned key, uint8_t *bytes,
                    size_t size);
void unpack_key_text(struct unpack *unpack, unsigned key, size_t min_len,
                     char *text, size_t text_size);
size_t unpack_key_array(struct unpack *unpack, unsigned key, size_t max,
                        const msgpack_object **ret_items);

#endif
