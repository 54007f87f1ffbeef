/*
 * Reading msgpack that unpack_validate has let through; see unpack.h.
 */
#include "gossip/base/unpack.h"

#include <assert.h>
#include <string.h>

#include <msgpack/unpack.h>
#include <msgpack/zone.h>

void unpack_begin(struct unpack *unpack, const uint8_t *bytes, size_t size)
{
    unpack_begin_large(unpack, bytes, size, unpack->objects,
                       ARRAY_SIZE(unpack->objects));
}

void unpack_begin_large(struct unpack *unpack, const uint8_t *bytes,
                        size_t size, msgpack_object *objects, size_t n_objects)
{
    /* msgpack-c takes memory from a zone, which asks malloc for more when it
     * has not enough.  One object per element is exactly what it takes (a
     * pair is two), and text and bytes stay where they are. */
    msgpack_zone zone = {
        .chunk_list = {.free = n_objects * sizeof(*objects),
                       .ptr = (char *)objects},
    };
    msgpack_unpack_return result;
    size_t offset = 0;

    unpack->failed = unpack_validate(bytes, size, n_objects) != 0;
    unpack->root = (msgpack_object){.type = MSGPACK_OBJECT_NIL};
    if (unpack->failed) {
        return;
    }
    result = msgpack_unpack((const char *)bytes, size, &offset, &zone,
                            &unpack->root);
    assert(result == MSGPACK_UNPACK_SUCCESS && offset == size);
    assert(zone.chunk_list.head == NULL);
}

int unpack_end(const struct unpack *unpack)
{
    return unpack->failed ? UNPACK_E_MALFORMED : 0;
}

void unpack_require(struct unpack *unpack, bool is_valid)
{
    unpack->failed = unpack->failed || !is_valid;
}

const msgpack_object *unpack_key(const struct unpack *unpack, unsigned key)
{
    const msgpack_object *root = &unpack->root;

    if (root->type != MSGPACK_OBJECT_MAP) {
        return NULL;
    }
    for (uint32_t i = 0; i < root->via.map.size; i++) {
        const msgpack_object_kv *pair = &root->via.map.ptr[i];

        if (pair->key.type == MSGPACK_OBJECT_POSITIVE_INTEGER &&
            pair->key.via.u64 == key) {
            return &pair->val;
        }
    }
    return NULL;
}

/* Whether the value is there and of this type; the unpack fails if not. */
static bool is_type(struct unpack *unpack, const msgpack_object *value,
                    msgpack_object_type type)
{
    bool is_there = value != NULL && value->type == type;

    unpack_require(unpack, is_there);
    return is_there;
}

uint64_t unpack_uint(struct unpack *unpack, const msgpack_object *value,
                     uint64_t min, uint64_t max)
{
    if (!is_type(unpack, value, MSGPACK_OBJECT_POSITIVE_INTEGER) ||
        value->via.u64 < min || value->via.u64 > max) {
        unpack->failed = true;
        return 0;
    }
    return value->via.u64;
}

int64_t unpack_int(struct unpack *unpack, const msgpack_object *value)
{
    if (value != NULL && value->type == MSGPACK_OBJECT_NEGATIVE_INTEGER) {
        return value->via.i64;
    }
    return (int64_t)unpack_uint(unpack, value, 0, INT64_MAX);
}

bool unpack_bool(struct unpack *unpack, const msgpack_object *value)
{
    return is_type(unpack, value, MSGPACK_OBJECT_BOOLEAN) && value->via.boolean;
}

const uint8_t *unpack_slice(struct unpack *unpack, const msgpack_object *value,
                            size_t *ret_size)
{
    *ret_size = 0;
    if (!is_type(unpack, value, MSGPACK_OBJECT_BIN)) {
        return NULL;
    }
    *ret_size = value->via.bin.size;
    return (const uint8_t *)value->via.bin.ptr;
}

void unpack_bin(struct unpack *unpack, const msgpack_object *value,
                uint8_t *bytes, size_t size)
{
    size_t actual;
    const uint8_t *from = unpack_slice(unpack, value, &actual);

    if (from == NULL || actual != size) {
        unpack->failed = true;
        memset(bytes, 0, size);
        return;
    }
    memcpy(bytes, from, size);
}

const char *unpack_chars(struct unpack *unpack, const msgpack_object *value,
                         size_t max_len, size_t *ret_len)
{
    if (!is_type(unpack, value, MSGPACK_OBJECT_STR) ||
        value->via.str.size > max_len) {
        unpack->failed = true;
        *ret_len = 0;
        return "";
    }
    *ret_len = value->via.str.size;
    return *ret_len > 0 ? value->via.str.ptr : ""; /* of nothing: NULL */
}

void unpack_text(struct unpack *unpack, const msgpack_object *value,
                 size_t min_len, char *text, size_t text_size)
{
    size_t len;
    const char *from = unpack_chars(unpack, value, text_size - 1, &len);

    if (len < min_len) {
        unpack->failed = true;
        len = 0;
    }
    memcpy(text, from, len);
    text[len] = '\0';
}

size_t unpack_array(struct unpack *unpack, const msgpack_object *value,
                    size_t max, const msgpack_object **ret_items)
{
    *ret_items = NULL;
    if (!is_type(unpack, value, MSGPACK_OBJECT_ARRAY) ||
        value->via.array.size > max) {
        unpack->failed = true;
        return 0;
    }
    *ret_items = value->via.array.ptr;
    return value->via.array.size;
}

size_t unpack_map(struct unpack *unpack, const msgpack_object *value,
                  size_t max, const msgpack_object_kv **ret_pairs)
{
    *ret_pairs = NULL;
    if (!is_type(unpack, value, MSGPACK_OBJECT_MAP) ||
        value->via.map.size > max) {
        unpack->failed = true;
        return 0;
    }
    *ret_pairs = value->via.map.ptr;
    return value->via.map.size;
}

void unpack_address(struct unpack *unpack, const msgpack_object *value,
                    struct address *ret)
{
    size_t size;
    const uint8_t *bytes = unpack_slice(unpack, value, &size);

    unpack_require(unpack,
                   bytes != NULL && address_unpack(bytes, size, ret) == 0);
}

void unpack_endpoint(struct unpack *unpack, const msgpack_object *value,
                     struct endpoint *ret)
{
    size_t size;
    const uint8_t *bytes = unpack_slice(unpack, value, &size);

    unpack_require(unpack,
                   bytes != NULL && endpoint_unpack(bytes, size, ret) == 0);
}

void unpack_prefix(struct unpack *unpack, const msgpack_object *value,
                   struct prefix *ret)
{
    size_t size;
    const uint8_t *bytes = unpack_slice(unpack, value, &size);

    unpack_require(unpack,
                   bytes != NULL && prefix_unpack(bytes, size, ret) == 0);
}

uint64_t unpack_key_uint(struct unpack *unpack, unsigned key, uint64_t min,
                         uint64_t max)
{
    return unpack_uint(unpack, unpack_key(unpack, key), min, max);
}

const uint8_t *unpack_key_slice(struct unpack *unpack, unsigned key,
                                size_t *ret_size)
{
    return unpack_slice(unpack, unpack_key(unpack, key), ret_size);
}

void unpack_key_bin(struct unpack *unpack, unsigned key, uint8_t *bytes,
                    size_t size)
{
    unpack_bin(unpack, unpack_key(unpack, key), bytes, size);
}

void unpack_key_text(struct unpack *unpack, unsigned key, size_t min_len,
                     char *text, size_t text_size)
{
    unpack_text(unpack, unpack_key(unpack, key), min_len, text, text_size);
}

size_t unpack_key_array(struct unpack *unpack, unsigned key, size_t max,
                        const msgpack_object **ret_items)
{
    return unpack_array(unpack, unpack_key(unpack, key), max, ret_items);
}
