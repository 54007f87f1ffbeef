/*
 * Writing msgpack; see pack.h.
 */
#include "gossip/base/pack.h"

#include <errno.h>
#include <string.h>

/* For msgpack-c.  It never fails, so that no result below says anything:
 * running out of room shows in pack_end. */
static int write_packed(void *data, const char *bytes, size_t size)
{
    struct writer *writer = data;

    writer_put(writer, bytes, size);
    return 0;
}

void pack_begin(struct pack *pack, uint8_t *buffer, size_t size)
{
    pack->writer = writer_init(buffer, size);
    msgpack_packer_init(&pack->packer, &pack->writer, write_packed);
}

int pack_end(const struct pack *pack, size_t *ret_size)
{
    if (pack->writer.failed) {
        return -ENOBUFS;
    }
    *ret_size = writer_size(&pack->writer);
    return 0;
}

void pack_array(struct pack *pack, size_t n)
{
    (void)msgpack_pack_array(&pack->packer, n);
}

void pack_map(struct pack *pack, size_t n_pairs)
{
    (void)msgpack_pack_map(&pack->packer, n_pairs);
}

void pack_uint(struct pack *pack, uint64_t value)
{
    (void)msgpack_pack_uint64(&pack->packer, value);
}

void pack_int(struct pack *pack, int64_t value)
{
    (void)msgpack_pack_int64(&pack->packer, value);
}

void pack_bool(struct pack *pack, bool value)
{
    (void)(value ? msgpack_pack_true(&pack->packer)
                 : msgpack_pack_false(&pack->packer));
}

void pack_bin(struct pack *pack, const void *bytes, size_t size)
{
    (void)msgpack_pack_bin(&pack->packer, size);
    (void)msgpack_pack_bin_body(&pack->packer, bytes, size);
}

void pack_chars(struct pack *pack, const char *text, size_t len)
{
    (void)msgpack_pack_str(&pack->packer, len);
    (void)msgpack_pack_str_body(&pack->packer, text, len);
}

void pack_text(struct pack *pack, const char *text)
{
    pack_chars(pack, text, strlen(text));
}

void pack_address(struct pack *pack, const struct address *address)
{
    uint8_t bytes[16];

    pack_bin(pack, bytes, address_pack(address, bytes));
}

void pack_endpoint(struct pack *pack, const struct endpoint *endpoint)
{
    uint8_t bytes[18];

    pack_bin(pack, bytes, endpoint_pack(endpoint, bytes));
}

void pack_prefix(struct pack *pack, const struct prefix *prefix)
{
    uint8_t bytes[17];

    pack_bin(pack, bytes, prefix_pack(prefix, bytes));
}

void pack_key(struct pack *pack, unsigned key)
{
    pack_uint(pack, key);
}

void pack_key_uint(struct pack *pack, unsigned key, uint64_t value)
{
    pack_key(pack, key);
    pack_uint(pack, value);
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

void pack_key_address(struct pack *pack, unsigned key,
                      const struct address *address)
{
    pack_key(pack, key);
    pack_address(pack, address);
}
