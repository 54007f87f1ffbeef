/*
 * The genesis: what a cluster is, in bytes that are the same on every node and
 * whose hash is the cluster's id.  Part of identity.h.
 */
#include "agent/identity/identity.h"

#include <errno.h>
#include <string.h>

#include <sodium.h>

#include "agent/identity/pack.h"

#define GENESIS_VERSION 1

enum genesis_key {
    GENESIS_KEY_VERSION = 1,
    GENESIS_KEY_NAME = 2,
    GENESIS_KEY_ROOTS = 3,
    GENESIS_KEY_CREATED = 4,
    GENESIS_KEY_SERVICE_RANGE = 5,
    GENESIS_KEY_NONCE = 6,
    GENESIS_N_KEYS = 6,
};

static void derive_id(struct genesis *genesis)
{
    /* Fails only for sizes out of its range, and ours is constant. */
    (void)crypto_generichash(genesis->cluster_id, sizeof(genesis->cluster_id),
                             genesis->bytes, genesis->size, NULL, 0);
}

int genesis_build(struct genesis *genesis)
{
    uint8_t range[18];
    struct pack pack;

    if (!body_name_valid(genesis->name) || genesis->n_roots == 0 ||
        genesis->n_roots > IDENTITY_ROOTS_MAX) {
        return -EINVAL;
    }
    randombytes_buf(genesis->nonce, sizeof(genesis->nonce));
    pack_begin(&pack, genesis->bytes, sizeof(genesis->bytes), GENESIS_N_KEYS);
    pack_key_uint(&pack, GENESIS_KEY_VERSION, GENESIS_VERSION);
    pack_key_text(&pack, GENESIS_KEY_NAME, genesis->name);
    pack_key_array(&pack, GENESIS_KEY_ROOTS, genesis->n_roots);
    for (size_t i = 0; i < genesis->n_roots; i++) {
        pack_bin(&pack, genesis->roots[i], sizeof(genesis->roots[i]));
    }
    pack_key_uint(&pack, GENESIS_KEY_CREATED, genesis->created_s);
    pack_key_bin(&pack, GENESIS_KEY_SERVICE_RANGE, range,
                 prefix_pack(&genesis->service_range, range));
    pack_key_bin(&pack, GENESIS_KEY_NONCE, genesis->nonce,
                 sizeof(genesis->nonce));
    if (pack_end(&pack, &genesis->size) != 0) {
        return -EINVAL;
    }
    derive_id(genesis);
    return 0;
}

static void read_roots(struct unpack *unpack, struct genesis *genesis)
{
    const msgpack_object *items;
    size_t size;

    genesis->n_roots =
        unpack_array(unpack, GENESIS_KEY_ROOTS, IDENTITY_ROOTS_MAX, &items);
    for (size_t i = 0; i < genesis->n_roots; i++) {
        const uint8_t *key = unpack_item_bin(unpack, &items[i], &size);

        if (key == NULL || size != sizeof(genesis->roots[i])) {
            unpack->failed = true;
            return;
        }
        memcpy(genesis->roots[i], key, size);
    }
    unpack->failed |= genesis->n_roots == 0;
}

int genesis_parse(const uint8_t *bytes, size_t size, struct genesis *ret)
{
    struct genesis genesis = {0};
    struct unpack unpack;
    uint8_t range[17];
    size_t range_size;
    int r;

    if (size > sizeof(genesis.bytes)) {
        return -EBADMSG;
    }
    r = unpack_begin(&unpack, bytes, size);
    if (r != 0) {
        return r;
    }
    (void)unpack_uint(&unpack, GENESIS_KEY_VERSION, GENESIS_VERSION,
                      GENESIS_VERSION);
    unpack_text(&unpack, GENESIS_KEY_NAME, genesis.name, sizeof(genesis.name));
    read_roots(&unpack, &genesis);
    genesis.created_s =
        unpack_uint(&unpack, GENESIS_KEY_CREATED, 0, UINT64_MAX);
    range_size = unpack_bin_upto(&unpack, GENESIS_KEY_SERVICE_RANGE, range,
                                 sizeof(range));
    unpack_bin(&unpack, GENESIS_KEY_NONCE, genesis.nonce,
               sizeof(genesis.nonce));
    r = unpack_end(&unpack);
    if (r != 0) {
        return r;
    }
    if (!body_name_valid(genesis.name) ||
        prefix_unpack(range, range_size, &genesis.service_range) != 0) {
        return -EBADMSG;
    }
    memcpy(genesis.bytes, bytes, size);
    genesis.size = size;
    derive_id(&genesis);
    *ret = genesis;
    return 0;
}
