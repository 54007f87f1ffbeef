/*
 * Desired items as msgpack, on the socketpair between core and worker:
 *
 *   [1, id uint, name str, is_self bool, mesh bin, [subnet bin...]]
 *   [2, name str, protocol uint, port uint, address bin,
 *       [[instance str, host id uint, address bin, port uint, weight uint,
 *         accepts_new bool]...]]
 *   [3, address bin, port name str]
 *
 * Addresses and prefixes are in the packed form of gossip/base/address.h; no
 * address is an empty bin.  The reader here is small and its own because the
 * worker, which has rights, reads what the core, which has none, sends:
 * nothing is allocated before the whole item was checked.
 */
#include "reconcilers/plan/desired.h"

#include <errno.h>
#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/base/cursor.h"

#define MALFORMED 1

/* --- Packing. --- */

static int write_bytes(void *data, const char *bytes, size_t size)
{
    struct writer *writer = data;

    writer_put(writer, bytes, size);
    return writer->failed ? -1 : 0;
}

/* msgpack_pack_* report what write_bytes returned, which the writer keeps as
 * well: it is looked at once, at the end. */
static void pack_array(msgpack_packer *packer, size_t n)
{
    (void)msgpack_pack_array(packer, n);
}

static void pack_uint(msgpack_packer *packer, uint64_t value)
{
    (void)msgpack_pack_uint64(packer, value);
}

static void pack_bool(msgpack_packer *packer, bool value)
{
    (void)(value ? msgpack_pack_true(packer) : msgpack_pack_false(packer));
}

static void pack_text(msgpack_packer *packer, const char *text)
{
    size_t len = strlen(text);

    (void)msgpack_pack_str(packer, len);
    (void)msgpack_pack_str_body(packer, text, len);
}

static void pack_bin(msgpack_packer *packer, const uint8_t *bytes, size_t size)
{
    (void)msgpack_pack_bin(packer, size);
    (void)msgpack_pack_bin_body(packer, bytes, size);
}

static void pack_address(msgpack_packer *packer, const struct address *address)
{
    uint8_t bytes[16];

    pack_bin(packer, bytes,
             address->family == 0 ? 0 : address_pack(address, bytes));
}

static void pack_host(msgpack_packer *packer, const struct desired_host *host)
{
    pack_array(packer, 6);
    pack_uint(packer, DESIRED_HOST);
    pack_uint(packer, host->id);
    pack_text(packer, host->name);
    pack_bool(packer, host->is_self);
    pack_address(packer, &host->mesh);
    pack_array(packer, host->n_subnets);
    for (size_t i = 0; i < host->n_subnets; i++) {
        uint8_t bytes[17];

        pack_bin(packer, bytes, prefix_pack(&host->subnets[i], bytes));
    }
}

static void pack_function(msgpack_packer *packer,
                          const struct desired_function *function)
{
    pack_array(packer, 6);
    pack_uint(packer, DESIRED_FUNCTION);
    pack_text(packer, function->name);
    pack_uint(packer, function->protocol);
    pack_uint(packer, function->port);
    pack_address(packer, &function->address);
    pack_array(packer, function->n_backends);
    for (size_t i = 0; i < function->n_backends; i++) {
        const struct desired_backend *backend = &function->backends[i];

        pack_array(packer, 6);
        pack_text(packer, backend->instance);
        pack_uint(packer, backend->host_id);
        pack_address(packer, &backend->address);
        pack_uint(packer, backend->port);
        pack_uint(packer, backend->weight);
        pack_bool(packer, backend->accepts_new);
    }
}

static void pack_local(msgpack_packer *packer,
                       const struct desired_local *local)
{
    pack_array(packer, 3);
    pack_uint(packer, DESIRED_LOCAL);
    pack_address(packer, &local->address);
    pack_text(packer, local->port_name);
}

int desired_item_pack(const struct desired_item *item, uint8_t *buffer,
                      size_t buffer_size, size_t *ret_size)
{
    struct writer writer = writer_init(buffer, buffer_size);
    msgpack_packer packer;

    msgpack_packer_init(&packer, &writer, write_bytes);
    switch (item->type) {
    case DESIRED_HOST:
        pack_host(&packer, &item->host);
        break;
    case DESIRED_FUNCTION:
        pack_function(&packer, &item->function);
        break;
    case DESIRED_LOCAL:
        pack_local(&packer, &item->local);
        break;
    default:
        return -EINVAL;
    }
    if (writer.failed) {
        return -ENOBUFS;
    }
    *ret_size = writer_size(&writer);
    return 0;
}

/* --- Unpacking.  Each marks the reader failed when the next object is of
 * another type or too large. --- */

static uint64_t take_sized(struct reader *reader, uint8_t tag,
                           const uint8_t tags[4])
{
    for (size_t i = 0; i < 4; i++) {
        if (tags[i] != 0 && tag == tags[i]) {
            return reader_be(reader, (size_t)1 << i);
        }
    }
    reader->failed = true;
    return 0;
}

static uint64_t take_uint(struct reader *reader, uint64_t max)
{
    static const uint8_t tags[4] = {0xcc, 0xcd, 0xce, 0xcf};
    uint8_t tag = reader_u8(reader);
    uint64_t value = tag;

    if (tag >= 0x80) {
        value = take_sized(reader, tag, tags);
    }
    if (value > max) {
        reader->failed = true;
    }
    return reader->failed ? 0 : value;
}

static bool take_bool(struct reader *reader)
{
    uint8_t tag = reader_u8(reader);

    if (tag != 0xc2 && tag != 0xc3) {
        reader->failed = true;
    }
    return !reader->failed && tag == 0xc3;
}

static size_t take_array(struct reader *reader, size_t max)
{
    static const uint8_t tags[4] = {0, 0xdc, 0xdd, 0};
    uint8_t tag = reader_u8(reader);
    uint64_t n = tag & 0x0fu;

    if (tag >> 4 != 0x9) {
        n = take_sized(reader, tag, tags);
    }
    if (n > max) {
        reader->failed = true;
    }
    return reader->failed ? 0 : (size_t)n;
}

static void take_text(struct reader *reader, char *text, size_t text_size)
{
    static const uint8_t tags[4] = {0xd9, 0xda, 0xdb, 0};
    uint8_t tag = reader_u8(reader);
    uint64_t len = tag & 0x1fu;
    const uint8_t *bytes;

    if (tag >> 5 != 0x5) {
        len = take_sized(reader, tag, tags);
    }
    if (len >= text_size) {
        reader->failed = true;
    }
    bytes = reader_take(reader, (size_t)len);
    if (bytes == NULL || (len > 0 && memchr(bytes, 0, (size_t)len) != NULL)) {
        reader->failed = true;
        return;
    }
    memcpy(text, bytes, (size_t)len);
    text[len] = '\0';
}

static const uint8_t *take_bin(struct reader *reader, size_t *ret_size)
{
    static const uint8_t tags[4] = {0xc4, 0xc5, 0xc6, 0};
    uint64_t size = take_sized(reader, reader_u8(reader), tags);

    *ret_size = (size_t)size;
    return reader_take(reader, (size_t)size);
}

static void take_address(struct reader *reader, struct address *address)
{
    size_t size;
    const uint8_t *bytes = take_bin(reader, &size);

    if (bytes != NULL && size > 0 &&
        address_unpack(bytes, size, address) != 0) {
        reader->failed = true;
    }
}

static void take_prefix(struct reader *reader, struct prefix *prefix)
{
    size_t size;
    const uint8_t *bytes = take_bin(reader, &size);

    if (bytes == NULL || prefix_unpack(bytes, size, prefix) != 0) {
        reader->failed = true;
    }
}

static void take_host(struct reader *reader, struct desired_host *host)
{
    host->id = take_uint(reader, UINT64_MAX);
    take_text(reader, host->name, sizeof(host->name));
    host->is_self = take_bool(reader);
    take_address(reader, &host->mesh);
    host->n_subnets = take_array(reader, DESIRED_SUBNETS_MAX);
    for (size_t i = 0; i < host->n_subnets; i++) {
        take_prefix(reader, &host->subnets[i]);
    }
}

static void take_backend(struct reader *reader, struct desired_backend *backend)
{
    if (take_array(reader, 6) != 6) {
        reader->failed = true;
    }
    take_text(reader, backend->instance, sizeof(backend->instance));
    backend->host_id = take_uint(reader, UINT64_MAX);
    take_address(reader, &backend->address);
    backend->port = (uint16_t)take_uint(reader, UINT16_MAX);
    backend->weight = (uint16_t)take_uint(reader, UINT16_MAX);
    backend->accepts_new = take_bool(reader);
}

/* Reads all but the backends; leaves the reader at the first of them. */
static void take_function(struct reader *reader,
                          struct desired_function *function)
{
    take_text(reader, function->name, sizeof(function->name));
    function->protocol = (uint8_t)take_uint(reader, UINT8_MAX);
    function->port = (uint16_t)take_uint(reader, UINT16_MAX);
    take_address(reader, &function->address);
    function->n_backends = take_array(reader, DESIRED_BACKENDS_MAX);
}

static int unpack_function(struct reader *reader,
                           struct desired_function *function)
{
    struct reader check;
    struct desired_backend *backends;
    size_t n;

    take_function(reader, function);
    n = function->n_backends;
    check = *reader;
    for (size_t i = 0; i < n; i++) {
        struct desired_backend backend = {0};

        take_backend(&check, &backend);
    }
    if (check.failed || reader_left(&check) > 0) {
        return MALFORMED;
    }
    if (n == 0) {
        return 0;
    }
    backends = calloc(n, sizeof(*backends));
    if (backends == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        take_backend(reader, &backends[i]);
    }
    function->backends = backends;
    return 0;
}

int desired_item_unpack(const uint8_t *bytes, size_t size,
                        struct desired_item *ret)
{
    struct desired_item item = {0};
    struct reader reader = reader_init(bytes, size);
    size_t n;
    int r;

    if (size > DESIRED_ITEM_SIZE_MAX) {
        return MALFORMED;
    }
    n = take_array(&reader, 6);
    item.type = (enum desired_type)take_uint(&reader, UINT8_MAX);
    if (item.type == DESIRED_HOST && n == 6) {
        take_host(&reader, &item.host);
    } else if (item.type == DESIRED_FUNCTION && n == 6) {
        r = unpack_function(&reader, &item.function);
        if (r != 0) {
            return r;
        }
    } else if (item.type == DESIRED_LOCAL && n == 3) {
        take_address(&reader, &item.local.address);
        take_text(&reader, item.local.port_name, sizeof(item.local.port_name));
    } else {
        return MALFORMED;
    }
    if (reader.failed || reader_left(&reader) > 0) {
        desired_item_done(&item);
        return MALFORMED;
    }
    *ret = item;
    return 0;
}
