/*
 * Desired items as msgpack, on the socketpair between core and worker:
 *
 *   [1, id uint, name str, is_self bool, mesh bin, [subnet bin...]]
 *   [2, name str, protocol uint, port uint, address bin,
 *       [[instance str, host id uint, address bin, port uint, weight uint,
 *         priority uint, accepts_new bool]...]]
 *   [3, address bin, port name str]
 *
 * Addresses and prefixes are in the packed form of gossip/base/address.h; no
 * address is an empty bin.  The worker, which has rights, reads what the core,
 * which has none, sends: nothing is allocated before the whole item was
 * checked.
 */
#include "reconcilers/plan/desired.h"

#include <errno.h>
#include <stdlib.h>

#include "gossip/base/pack.h"
#include "gossip/base/unpack.h"

#define BACKEND_FIELDS 7
/* A function's fields, and its backends with theirs. */
#define ITEM_ELEMENTS_MAX (6 + DESIRED_BACKENDS_MAX * (1 + BACKEND_FIELDS))

/* --- Packing. --- */

static void pack_host(struct pack *pack, const struct desired_host *host)
{
    pack_array(pack, 6);
    pack_uint(pack, DESIRED_HOST);
    pack_uint(pack, host->id);
    pack_text(pack, host->name);
    pack_bool(pack, host->is_self);
    pack_address(pack, &host->mesh);
    pack_array(pack, host->n_subnets);
    for (size_t i = 0; i < host->n_subnets; i++) {
        pack_prefix(pack, &host->subnets[i]);
    }
}

static void pack_function(struct pack *pack,
                          const struct desired_function *function)
{
    pack_array(pack, 6);
    pack_uint(pack, DESIRED_FUNCTION);
    pack_text(pack, function->name);
    pack_uint(pack, function->protocol);
    pack_uint(pack, function->port);
    pack_address(pack, &function->address);
    pack_array(pack, function->n_backends);
    for (size_t i = 0; i < function->n_backends; i++) {
        const struct desired_backend *backend = &function->backends[i];

        pack_array(pack, BACKEND_FIELDS);
        pack_text(pack, backend->instance);
        pack_uint(pack, backend->host_id);
        pack_address(pack, &backend->address);
        pack_uint(pack, backend->port);
        pack_uint(pack, backend->weight);
        pack_uint(pack, backend->priority);
        pack_bool(pack, backend->accepts_new);
    }
}

static void pack_local(struct pack *pack, const struct desired_local *local)
{
    pack_array(pack, 3);
    pack_uint(pack, DESIRED_LOCAL);
    pack_address(pack, &local->address);
    pack_text(pack, local->port_name);
}

int desired_item_pack(const struct desired_item *item, uint8_t *buffer,
                      size_t buffer_size, size_t *ret_size)
{
    struct pack pack;

    pack_begin(&pack, buffer, buffer_size);
    switch (item->type) {
    case DESIRED_HOST:
        pack_host(&pack, &item->host);
        break;
    case DESIRED_FUNCTION:
        pack_function(&pack, &item->function);
        break;
    case DESIRED_LOCAL:
        pack_local(&pack, &item->local);
        break;
    default:
        return -EINVAL;
    }
    return pack_end(&pack, ret_size);
}

/* --- Unpacking.  Each takes the fields after the type. --- */

/* An empty bin is no address. */
static void read_address(struct unpack *unpack, const msgpack_object *value,
                         struct address *address)
{
    size_t size;

    if (unpack_slice(unpack, value, &size) != NULL && size > 0) {
        unpack_address(unpack, value, address);
    }
}

static void read_host(struct unpack *unpack, const msgpack_object *fields,
                      struct desired_host *host)
{
    const msgpack_object *subnets;

    host->id = unpack_uint(unpack, &fields[0], 0, UINT64_MAX);
    unpack_text(unpack, &fields[1], 0, host->name, sizeof(host->name));
    host->is_self = unpack_bool(unpack, &fields[2]);
    read_address(unpack, &fields[3], &host->mesh);
    host->n_subnets =
        unpack_array(unpack, &fields[4], DESIRED_SUBNETS_MAX, &subnets);
    for (size_t i = 0; i < host->n_subnets; i++) {
        unpack_prefix(unpack, &subnets[i], &host->subnets[i]);
    }
}

static void read_backend(struct unpack *unpack, const msgpack_object *value,
                         struct desired_backend *backend)
{
    const msgpack_object *fields;

    if (unpack_array(unpack, value, BACKEND_FIELDS, &fields) !=
        BACKEND_FIELDS) {
        unpack_require(unpack, false);
        return;
    }
    unpack_text(unpack, &fields[0], 0, backend->instance,
                sizeof(backend->instance));
    backend->host_id = unpack_uint(unpack, &fields[1], 0, UINT64_MAX);
    read_address(unpack, &fields[2], &backend->address);
    backend->port = (uint16_t)unpack_uint(unpack, &fields[3], 0, UINT16_MAX);
    backend->weight = (uint16_t)unpack_uint(unpack, &fields[4], 0, UINT16_MAX);
    backend->priority =
        (uint16_t)unpack_uint(unpack, &fields[5], 0, UINT16_MAX);
    backend->accepts_new = unpack_bool(unpack, &fields[6]);
}

static int read_function(struct unpack *unpack, const msgpack_object *fields,
                         struct desired_function *function)
{
    const msgpack_object *backends;
    size_t n;

    unpack_text(unpack, &fields[0], 0, function->name, sizeof(function->name));
    function->protocol = (uint8_t)unpack_uint(unpack, &fields[1], 0, UINT8_MAX);
    function->port = (uint16_t)unpack_uint(unpack, &fields[2], 0, UINT16_MAX);
    read_address(unpack, &fields[3], &function->address);
    n = unpack_array(unpack, &fields[4], DESIRED_BACKENDS_MAX, &backends);
    for (size_t i = 0; i < n; i++) {
        struct desired_backend backend = {0};

        read_backend(unpack, &backends[i], &backend);
    }
    if (unpack_end(unpack) != 0 || n == 0) {
        return 0;
    }
    function->backends = calloc(n, sizeof(*function->backends));
    if (function->backends == NULL) {
        return -ENOMEM;
    }
    function->n_backends = n;
    for (size_t i = 0; i < n; i++) {
        read_backend(unpack, &backends[i], &function->backends[i]);
    }
    return 0;
}

int desired_item_unpack(const uint8_t *bytes, size_t size,
                        struct desired_item *ret)
{
    msgpack_object objects[ITEM_ELEMENTS_MAX];
    struct desired_item item = {0};
    const msgpack_object *fields;
    struct unpack unpack;
    int error = 0;
    size_t n;

    if (size > DESIRED_ITEM_SIZE_MAX) {
        return DESIRED_E_MALFORMED;
    }
    unpack_begin_large(&unpack, bytes, size, objects, ARRAY_SIZE(objects));
    n = unpack_array(&unpack, &unpack.root, 6, &fields);
    if (n == 0) {
        return DESIRED_E_MALFORMED;
    }
    item.type =
        (enum desired_type)unpack_uint(&unpack, &fields[0], 0, UINT8_MAX);
    if (item.type == DESIRED_HOST && n == 6) {
        read_host(&unpack, &fields[1], &item.host);
    } else if (item.type == DESIRED_FUNCTION && n == 6) {
        error = read_function(&unpack, &fields[1], &item.function);
    } else if (item.type == DESIRED_LOCAL && n == 3) {
        read_address(&unpack, &fields[1], &item.local.address);
        unpack_text(&unpack, &fields[2], 0, item.local.port_name,
                    sizeof(item.local.port_name));
    } else {
        return DESIRED_E_MALFORMED;
    }
    if (error == 0 && unpack_end(&unpack) != 0) {
        error = DESIRED_E_MALFORMED;
    }
    if (error != 0) {
        return error;
    }
    *ret = item;
    return 0;
}
