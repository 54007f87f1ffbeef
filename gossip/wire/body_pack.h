/*
 * Internal to gossip/body*.c: reading a msgpack map with small integer keys
 * without allocating, and packing one into a fixed buffer.  Not for other
 * files; body.h is the interface.
 */
#ifndef SOCKETNET_GOSSIP_WIRE_BODY_PACK_H
#define SOCKETNET_GOSSIP_WIRE_BODY_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <msgpack/pack.h>

#include "gossip/base/address.h"
#include "gossip/base/cursor.h"
#include "gossip/base/macros.h"
#include "gossip/wire/record.h"

enum body_type {
    BODY_TYPE_NIL = 1,
    BODY_TYPE_BOOL,
    BODY_TYPE_UINT, /* every integer >= 0, however encoded */
    BODY_TYPE_NEGATIVE,
    BODY_TYPE_FLOAT,
    BODY_TYPE_STR,
    BODY_TYPE_BIN,
    BODY_TYPE_ARRAY,
    BODY_TYPE_MAP,
};

/* The head of one msgpack object; the elements of containers follow it. */
struct body_item {
    enum body_type type;
    uint64_t value;       /* BODY_TYPE_UINT */
    const uint8_t *bytes; /* STR, BIN: borrowed */
    size_t size;          /* of bytes */
    uint32_t n;           /* ARRAY: elements, MAP: pairs */
};

/* Takes the next item.  0, or RECORD_E_BODY when truncated or of a type that
 * bodies may not use (ext). */
_must_check_ int body_item_next(struct reader *reader, struct body_item *ret);

/* UTF-8 (RFC 3629) without C0, DEL and C1 control characters. */
bool body_text_valid(const uint8_t *text, size_t size);

/*
 * Walks the pairs of one body.  Like struct reader it stays failed once
 * something did not fit, reads then give zeros, and body_map_close tells.
 */
struct body_map {
    struct reader reader;
    uint32_t n_pairs; /* not yet read */
    uint32_t seen;    /* bit k: key k was there, k < 32 */
    bool failed;
};

/* Starts on a record's body after body_check; the record must be of `kind`.
 * Failures show in body_map_close. */
struct body_map body_map_open(const struct record *record, uint8_t kind);
/* Moves to the next pair with an integer key below 32; false at the end.
 * The caller then reads or skips exactly one value. */
bool body_map_next(struct body_map *map, unsigned *ret_key);
/* 0 if all was read, nothing failed and every bit of `required` was seen. */
_must_check_ int body_map_close(const struct body_map *map, uint32_t required);

#define BODY_KEY(key) (UINT32_C(1) << (key))

/* One value each.  Text comes out terminated, at least `min_len` and less
 * than `text_size` bytes. */
uint64_t body_read_uint(struct body_map *map, uint64_t min, uint64_t max);
void body_read_bin(struct body_map *map, uint8_t *bytes, size_t size);
const uint8_t *body_read_slice(struct body_map *map, size_t *ret_size);
void body_read_text(struct body_map *map, size_t min_len, char *text,
                    size_t text_size);
void body_read_name(struct body_map *map, char name[]);
void body_read_address(struct body_map *map, struct address *ret);
/* The number of elements or pairs, at most `max`. */
size_t body_read_array(struct body_map *map, size_t max);
size_t body_read_map(struct body_map *map, size_t max);
void body_read_skip(struct body_map *map);
/* The rule, spelt: fails the map unless `is_valid`. */
void body_require(struct body_map *map, bool is_valid);

/* The canonical form of one character of a name. */
char body_name_fold(char c);

/* Whether the record's key is exactly these bytes. */
bool body_key_equal(const struct record *record, const void *bytes,
                    size_t size);

/* A packer onto a buffer. */
struct body_packer {
    struct writer writer;
    msgpack_packer packer;
};

void body_pack_begin(struct body_packer *pack, uint8_t *buffer, size_t size,
                     size_t n_pairs);
/* 0 and the size, or -ENOBUFS. */
_must_check_ int body_pack_end(const struct body_packer *pack,
                               size_t *ret_size);
void body_pack_key(struct body_packer *pack, unsigned key);
void body_pack_uint(struct body_packer *pack, uint64_t value);
void body_pack_bin(struct body_packer *pack, const void *bytes, size_t size);
void body_pack_text(struct body_packer *pack, const char *text);
void body_pack_array(struct body_packer *pack, size_t n);
void body_pack_map(struct body_packer *pack, size_t n_pairs);
/* Key and value at once. */
void body_pack_key_uint(struct body_packer *pack, unsigned key, uint64_t value);
void body_pack_key_bin(struct body_packer *pack, unsigned key,
                       const void *bytes, size_t size);
void body_pack_key_text(struct body_packer *pack, unsigned key,
                        const char *text);
void body_pack_key_address(struct body_packer *pack, unsigned key,
                           const struct address *address);

#endif
