/*
 * Msgpack maps for the agent's own formats; see pack.h.
 */
#include "agent/identity/pack.h"

#include <errno.h>
#include <string.h>

#include "gossip/wire/body.h"

static int write_bytes(void *data, const char *bytes, size_t size)
{
    struct writer *writer = data;

    writer_put(writer, bytes, size);
    return writer->failed ? -1 : 0;
}

void pack_begin(struct pack *pack, uint8_t *buffer, size_t size, size_t n_pairs)
{
    pack->writer = writer_init(buffer, size);
    msgpack_packer_init(&pack->packer, &pack->writer, write_bytes);
    (void)msgpack_pack_map(&pack->packer, n_pairs); /* the writer remembers */
}

int pack_end(const struct pack *pack, size_t *ret_size)
{
    if (pack->writer.failed) {
        return -ENOBUFS;
    }
    *ret_size = writer_size(&pack->writer);
    return 0;
}

/* Below, a failed write shows in the writer, so results are not looked at. */
void pack_key(struct pack *pack, unsigned key)
{
    (void)msgpack_pack_unsigned_int(&pack->packer, key);
}

void pack_bin(struct pack *pack, const void *bytes, size_t size)
{
    (void)msgpack_pack_bin(&pack->packer, size);
    (void)msgpack_pack_bin_body(&pack->packer, bytes, size);
}

void pack_text(struct pack *pack, const char *text)
{
    size_t len = strlen(text);

    (void)msgpack_pack_str(&pack->packer, len);
    (void)msgpack_pack_str_body(&pack->packer, text, len);
}

void pack_key_uint(struct pack *pack, unsigned key, uint64_t value)
{
    pack_key(pack, key);
    (void)msgpack_pack_uint64(&pack->packer, value);
}

void pack_key_bin(struct pack *pack, unsigned key, const void *bytes,
                  size_t size)
{
    pack_key(pack, key);
    pack_bin(pack, bytes, size);
}

void pack_key_text(struct pack *pack, unsigned key, const char *text)
{
    pack_key(pack, key);
    pack_text(pack, text);
}

void pack_key_array(struct pack *pack, unsigned key, size_t n)
{
    pack_key(pack, key);
    (void)msgpack_pack_array(&pack->packer, n);
}

int unpack_begin(struct unpack *unpack, const uint8_t *bytes, size_t size)
{
    size_t offset = 0;
    msgpack_unpack_return r;

    *unpack = (struct unpack){0};
    if (body_check(bytes, size) != 0) {
        return -EBADMSG;
    }
    msgpack_unpacked_init(&unpack->unpacked);
    r = msgpack_unpack_next(&unpack->unpacked, (const char *)bytes, size,
                            &offset);
    if (r != MSGPACK_UNPACK_SUCCESS ||
        unpack->unpacked.data.type != MSGPACK_OBJECT_MAP) {
        msgpack_unpacked_destroy(&unpack->unpacked);
        return r == MSGPACK_UNPACK_NOMEM_ERROR ? -ENOMEM : -EBADMSG;
    }
    unpack->map = &unpack->unpacked.data.via.map;
    unpack->is_open = true;
    return 0;
}

void unpack_done(struct unpack *unpack)
{
    if (unpack->is_open) {
        msgpack_unpacked_destroy(&unpack->unpacked);
        unpack->is_open = false;
        unpack->map = NULL;
    }
}

int unpack_end(struct unpack *unpack)
{
    unpack_done(unpack);
    return unpack->failed ? -EBADMSG : 0;
}

static const msgpack_object *find(const struct unpack *unpack, unsigned key)
{
    for (uint32_t i = 0; i < unpack->map->size; i++) {
        const msgpack_object_kv *pair = &unpack->map->ptr[i];

        if (pair->key.type == MSGPACK_OBJECT_POSITIVE_INTEGER &&
            pair->key.via.u64 == key) {
            return &pair->val;
        }
    }
    return NULL;
}

bool unpack_has(const struct unpack *unpack, unsigned key)
{
    return find(unpack, key) != NULL;
}

uint64_t unpack_uint(struct unpack *unpack, unsigned key, uint64_t lowest,
                     uint64_t highest)
{
    const msgpack_object *value = find(unpack, key);

    if (value == NULL || value->type != MSGPACK_OBJECT_POSITIVE_INTEGER ||
        value->via.u64 < lowest || value->via.u64 > highest) {
        unpack->failed = true;
        return 0;
    }
    return value->via.u64;
}

const uint8_t *unpack_item_bin(struct unpack *unpack,
                               const msgpack_object *item, size_t *ret_size)
{
    *ret_size = 0;
    if (item == NULL || item->type != MSGPACK_OBJECT_BIN) {
        unpack->failed = true;
        return NULL;
    }
    *ret_size = item->via.bin.size;
    return (const uint8_t *)item->via.bin.ptr;
}

const uint8_t *unpack_slice(struct unpack *unpack, unsigned key,
                            size_t *ret_size)
{
    return unpack_item_bin(unpack, find(unpack, key), ret_size);
}

size_t unpack_bin_upto(struct unpack *unpack, unsigned key, uint8_t *bytes,
                       size_t size)
{
    size_t found_size = 0;
    const uint8_t *found = unpack_slice(unpack, key, &found_size);

    if (found == NULL || found_size > size) {
        unpack->failed = true;
        return 0;
    }
    if (found_size > 0) {
        memcpy(bytes, found, found_size);
    }
    return found_size;
}

void unpack_bin(struct unpack *unpack, unsigned key, uint8_t *bytes,
                size_t size)
{
    size_t found_size = 0;
    const uint8_t *found = unpack_slice(unpack, key, &found_size);

    if (found == NULL || found_size != size) {
        unpack->failed = true;
        return;
    }
    memcpy(bytes, found, size);
}

void unpack_item_text(struct unpack *unpack, const msgpack_object *item,
                      char *text, size_t size)
{
    if (item == NULL || item->type != MSGPACK_OBJECT_STR ||
        item->via.str.size >= size) {
        unpack->failed = true;
        text[0] = '\0';
        return;
    }
    memcpy(text, item->via.str.ptr, item->via.str.size);
    text[item->via.str.size] = '\0';
}

void unpack_text(struct unpack *unpack, unsigned key, char *text, size_t size)
{
    unpack_item_text(unpack, find(unpack, key), text, size);
}

size_t unpack_array(struct unpack *unpack, unsigned key, size_t max,
                    const msgpack_object **ret_items)
{
    const msgpack_object *value = find(unpack, key);

    *ret_items = NULL;
    if (value == NULL) {
        return 0;
    }
    if (value->type != MSGPACK_OBJECT_ARRAY || value->via.array.size > max) {
        unpack->failed = true;
        return 0;
    }
    *ret_items = value->via.array.ptr;
    return value->via.array.size;
}
