/*
 * The genesis: what a cluster is, in bytes that are the same on every node and
 * whose hash is the cluster's id.  Part of identity.h.
 */
#include "agent/identity/identity.h"

#include <errno.h>
#include <string.h>

#include <sodium.h>

#include "gossip/base/pack.h"
#include "gossip/base/unpack.h"

#define GENESIS_VERSION 2

enum genesis_key {
    GENESIS_KEY_VERSION = 1,
    GENESIS_KEY_NAME = 2,
    GENESIS_KEY_NONCE = 3,
    GENESIS_KEY_ROOTS = 4,
    GENESIS_KEY_THRESHOLD = 5,
    GENESIS_KEY_CREATED = 6,
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
    struct pack pack;

    if (!body_name_valid(genesis->name) || genesis->n_roots == 0 ||
        genesis->n_roots > LIMIT_GENESIS_ROOTS || genesis->threshold == 0 ||
        genesis->threshold > genesis->n_roots) {
        return -EINVAL;
    }
    randombytes_buf(genesis->nonce, sizeof(genesis->nonce));
    pack_begin(&pack, genesis->bytes, sizeof(genesis->bytes));
    pack_map(&pack, GENESIS_N_KEYS);
    pack_key_uint(&pack, GENESIS_KEY_VERSION, GENESIS_VERSION);
    pack_key_text(&pack, GENESIS_KEY_NAME, genesis->name);
    pack_key_bin(&pack, GENESIS_KEY_NONCE, genesis->nonce,
                 sizeof(genesis->nonce));
    pack_key(&pack, GENESIS_KEY_ROOTS);
    pack_array(&pack, genesis->n_roots);
    for (size_t i = 0; i < genesis->n_roots; i++) {
        pack_bin(&pack, genesis->roots[i], sizeof(genesis->roots[i]));
    }
    pack_key_uint(&pack, GENESIS_KEY_THRESHOLD, genesis->threshold);
    pack_key_uint(&pack, GENESIS_KEY_CREATED, genesis->created_s);
    if (pack_end(&pack, &genesis->size) != 0) {
        return -EINVAL;
    }
    derive_id(genesis);
    return 0;
}

static void read_roots(struct unpack *unpack, struct genesis *genesis)
{
    const msgpack_object *items;

    genesis->n_roots = unpack_key_array(unpack, GENESIS_KEY_ROOTS,
                                        LIMIT_GENESIS_ROOTS, &items);
    unpack_require(unpack, genesis->n_roots > 0);
    for (size_t i = 0; i < genesis->n_roots; i++) {
        unpack_bin(unpack, &items[i], genesis->roots[i],
                   sizeof(genesis->roots[i]));
        for (size_t j = 0; j < i; j++) {
            unpack_require(
                unpack, memcmp(genesis->roots[i], genesis->roots[j], 32) != 0);
        }
    }
    genesis->threshold = (uint8_t)unpack_key_uint(
        unpack, GENESIS_KEY_THRESHOLD, 1, MAX_OF(genesis->n_roots, (size_t)1));
}

int genesis_parse(const uint8_t *bytes, size_t size, struct genesis *ret)
{
    struct genesis genesis = {0};
    struct unpack unpack;
    uint64_t version;

    if (size > sizeof(genesis.bytes)) {
        return -EBADMSG;
    }
    unpack_begin(&unpack, bytes, size);
    version = unpack_key_uint(&unpack, GENESIS_KEY_VERSION, 1, UINT64_MAX);
    if (unpack_end(&unpack) == 0 && version != GENESIS_VERSION) {
        return -EPROTONOSUPPORT;
    }
    unpack_key_text(&unpack, GENESIS_KEY_NAME, 0, genesis.name,
                    sizeof(genesis.name));
    unpack_require(&unpack, body_name_valid(genesis.name));
    read_roots(&unpack, &genesis);
    genesis.created_s =
        unpack_key_uint(&unpack, GENESIS_KEY_CREATED, 0, UINT64_MAX);
    unpack_key_bin(&unpack, GENESIS_KEY_NONCE, genesis.nonce,
                   sizeof(genesis.nonce));
    if (unpack_end(&unpack) != 0) {
        return -EBADMSG;
    }
    memcpy(genesis.bytes, bytes, size);
    genesis.size = size;
    derive_id(&genesis);
    *ret = genesis;
    return 0;
}

void genesis_parent(const struct genesis *genesis,
                    struct body_charter_parent *ret)
{
    *ret = (struct body_charter_parent){.n_roots = genesis->n_roots,
                                        .threshold = genesis->threshold};
    memcpy(ret->roots, genesis->roots, sizeof(ret->roots));
}
