/*
 * Reading and packing the maps of record bodies.  Reading runs only over
 * bytes that body_check accepted, but checks its own bounds all the same.
 * Packing uses msgpack-c's packer, which picks the shortest form of every
 * value, so that equal values give equal bytes.
 */
#include "gossip/wire/body_pack.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "gossip/wire/body.h"

#define BODY_KEY_MAX 31 /* bits of body_map.seen */

struct body_map body_map_open(const struct record *record, uint8_t kind)
{
    struct body_map map = {
        .reader = reader_init(record->body, record->body_size),
    };
    struct body_item item;

    if (record->kind != kind ||
        body_check(record->body, record->body_size) != 0 ||
        body_item_next(&map.reader, &item) != 0 || item.type != BODY_TYPE_MAP) {
        map.failed = true;
        return map;
    }
    map.n_pairs = item.n;
    return map;
}

bool body_map_next(struct body_map *map, unsigned *ret_key)
{
    while (!map->failed && map->n_pairs > 0) {
        struct body_item item;

        map->n_pairs--;
        if (body_item_next(&map->reader, &item) != 0) {
            map->failed = true;
            break;
        }
        if (item.type == BODY_TYPE_UINT && item.value <= BODY_KEY_MAX) {
            map->seen |= BODY_KEY(item.value);
            *ret_key = (unsigned)item.value;
            return true;
        }
        body_read_skip(map); /* of a later version */
    }
    return false;
}

int body_map_close(const struct body_map *map, uint32_t required)
{
    if (map->failed || (map->seen & required) != required) {
        return RECORD_E_BODY;
    }
    return 0;
}

void body_require(struct body_map *map, bool is_valid)
{
    map->failed = map->failed || !is_valid;
}

/* Takes an item of this type, or fails the map and gives an empty one. */
static struct body_item take_item(struct body_map *map, enum body_type type)
{
    struct body_item item = {.type = type};

    if (map->failed) {
        return item;
    }
    if (body_item_next(&map->reader, &item) != 0 || item.type != type) {
        map->failed = true;
        item = (struct body_item){.type = type};
    }
    return item;
}

uint64_t body_read_uint(struct body_map *map, uint64_t min, uint64_t max)
{
    struct body_item item = take_item(map, BODY_TYPE_UINT);

    body_require(map, item.value >= min && item.value <= max);
    return map->failed ? 0 : item.value;
}

const uint8_t *body_read_slice(struct body_map *map, size_t *ret_size)
{
    struct body_item item = take_item(map, BODY_TYPE_BIN);

    *ret_size = item.size;
    return item.bytes;
}

void body_read_bin(struct body_map *map, uint8_t *bytes, size_t size)
{
    size_t actual;
    const uint8_t *from = body_read_slice(map, &actual);

    body_require(map, from != NULL && actual == size);
    if (!map->failed) {
        memcpy(bytes, from, size);
    }
}

void body_read_text(struct body_map *map, size_t min_len, char *text,
                    size_t text_size)
{
    struct body_item item = take_item(map, BODY_TYPE_STR);

    body_require(map, item.bytes != NULL && item.size >= min_len &&
                          item.size < text_size);
    if (map->failed) {
        text[0] = '\0';
        return;
    }
    memcpy(text, item.bytes, item.size);
    text[item.size] = '\0';
}

void body_read_name(struct body_map *map, char name[])
{
    body_read_text(map, 1, name, BODY_NAME_SIZE);
    body_require(map, body_name_valid(name));
}

void body_read_address(struct body_map *map, struct address *ret)
{
    size_t size;
    const uint8_t *bytes = body_read_slice(map, &size);

    body_require(map, bytes != NULL && address_unpack(bytes, size, ret) == 0);
}

static size_t take_count(struct body_map *map, enum body_type type, size_t max)
{
    struct body_item item = take_item(map, type);

    body_require(map, item.n <= max);
    return map->failed ? 0 : item.n;
}

size_t body_read_array(struct body_map *map, size_t max)
{
    return take_count(map, BODY_TYPE_ARRAY, max);
}

size_t body_read_map(struct body_map *map, size_t max)
{
    return take_count(map, BODY_TYPE_MAP, max);
}

void body_read_skip(struct body_map *map)
{
    /* body_check bounded the elements, so this cannot overflow or run on. */
    for (uint64_t n_left = 1; n_left > 0 && !map->failed; n_left--) {
        struct body_item item;

        if (body_item_next(&map->reader, &item) != 0) {
            map->failed = true;
        } else if (item.type == BODY_TYPE_ARRAY) {
            n_left += item.n;
        } else if (item.type == BODY_TYPE_MAP) {
            n_left += (uint64_t)item.n * 2;
        }
    }
}

bool body_key_equal(const struct record *record, const void *bytes, size_t size)
{
    return record->key_size == size && memcmp(record->key, bytes, size) == 0;
}

/* Writes for msgpack-c; running out of room shows in body_pack_end. */
static int write_packed(void *data, const char *bytes, size_t size)
{
    struct writer *writer = data;

    writer_put(writer, bytes, size);
    return 0;
}

void body_pack_begin(struct body_packer *pack, uint8_t *buffer, size_t size,
                     size_t n_pairs)
{
    pack->writer = writer_init(buffer, size);
    msgpack_packer_init(&pack->packer, &pack->writer, write_packed);
    body_pack_map(pack, n_pairs);
}

int body_pack_end(const struct body_packer *pack, size_t *ret_size)
{
    if (pack->writer.failed) {
        return -ENOBUFS;
    }
    *ret_size = writer_size(&pack->writer);
    return 0;
}

/* write_packed never fails, so the results below say nothing. */

void body_pack_key(struct body_packer *pack, unsigned key)
{
    assert(key <= BODY_KEY_MAX);
    (void)msgpack_pack_unsigned_int(&pack->packer, key);
}

void body_pack_uint(struct body_packer *pack, uint64_t value)
{
    (void)msgpack_pack_uint64(&pack->packer, value);
}

void body_pack_bin(struct body_packer *pack, const void *bytes, size_t size)
{
    (void)msgpack_pack_bin(&pack->packer, size);
    (void)msgpack_pack_bin_body(&pack->packer, bytes, size);
}

void body_pack_text(struct body_packer *pack, const char *text)
{
    size_t size = strlen(text);

    (void)msgpack_pack_str(&pack->packer, size);
    (void)msgpack_pack_str_body(&pack->packer, text, size);
}

void body_pack_array(struct body_packer *pack, size_t n)
{
    (void)msgpack_pack_array(&pack->packer, n);
}

void body_pack_map(struct body_packer *pack, size_t n_pairs)
{
    (void)msgpack_pack_map(&pack->packer, n_pairs);
}

void body_pack_key_uint(struct body_packer *pack, unsigned key, uint64_t value)
{
    body_pack_key(pack, key);
    body_pack_uint(pack, value);
}

void body_pack_key_bin(struct body_packer *pack, unsigned key,
                       const void *bytes, size_t size)
{
    body_pack_key(pack, key);
    body_pack_bin(pack, bytes, size);
}

void body_pack_key_text(struct body_packer *pack, unsigned key,
                        const char *text)
{
    body_pack_key(pack, key);
    body_pack_text(pack, text);
}

void body_pack_key_address(struct body_packer *pack, unsigned key,
                           const struct address *address)
{
    uint8_t bytes[16];
    size_t size = address_pack(address, bytes);

    body_pack_key_bin(pack, key, bytes, size);
}
