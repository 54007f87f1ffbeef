/*
 * The body of a charter; body_charter_sign.c has its signatures, and what makes
 * one follow another.  See body.h.  Which of several is in force:
 * gossip/node/charter.c.
 */
#include "gossip/wire/body.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include <sodium.h>

#include "gossip/base/cursor.h"
#include "gossip/base/pack.h"
#include "gossip/wire/body_internal.h"

/* Pair 9 as it is written: key and array, then each root and signature as
 * 92, c4 20 and 32, c4 40 and 64 bytes. */
#define CHARTER_SIGNATURES_KEY  9
#define CHARTER_SIGNATURES_HEAD 2
#define CHARTER_SIGNATURE_SIZE  (1 + 2 + 32 + 2 + 64)
#define CHARTER_ARRAY_FORM(n)   (0x90 | (n))

size_t body_charter_signatures_size(size_t n)
{
    return CHARTER_SIGNATURES_HEAD + n * CHARTER_SIGNATURE_SIZE;
}

/* --- Reading -----------------------------------------------------------------
 */

static size_t read_prefixes(struct unpack *unpack, unsigned key, size_t max,
                            struct prefix *prefixes)
{
    const msgpack_object *items;
    size_t n = unpack_key_array(unpack, key, max, &items);

    for (size_t i = 0; i < n; i++) {
        unpack_prefix(unpack, &items[i], &prefixes[i]);
    }
    return n;
}

static bool apart(const struct prefix *a, size_t n_a, const struct prefix *b,
                  size_t n_b)
{
    for (size_t i = 0; i < n_a; i++) {
        for (size_t j = 0; j < n_b; j++) {
            if (prefix_overlaps(&a[i], &b[j])) {
                return false;
            }
        }
    }
    return true;
}

static bool inside_one(const struct prefix *inner, const struct prefix *outer,
                       size_t n_outer)
{
    for (size_t i = 0; i < n_outer; i++) {
        if (prefix_inside(inner, &outer[i])) {
            return true;
        }
    }
    return false;
}

static bool ranges_valid(const struct body_charter *charter)
{
    if (charter->n_containers == 0 || charter->n_mesh == 0 ||
        charter->n_services == 0 ||
        (charter->n_services == 2 && charter->services[0].address.family ==
                                         charter->services[1].address.family) ||
        !apart(charter->containers, charter->n_containers, charter->mesh,
               charter->n_mesh) ||
        !apart(charter->containers, charter->n_containers, charter->services,
               charter->n_services) ||
        !apart(charter->mesh, charter->n_mesh, charter->services,
               charter->n_services)) {
        return false;
    }
    for (size_t i = 0; i < charter->n_shared; i++) {
        if (!inside_one(&charter->shared[i], charter->containers,
                        charter->n_containers)) {
            return false;
        }
    }
    return true;
}

static void read_roots(struct unpack *unpack, struct body_charter *charter)
{
    const msgpack_object *items;

    charter->n_roots = unpack_key_array(unpack, 3, LIMIT_GENESIS_ROOTS, &items);
    unpack_require(unpack, charter->n_roots > 0);
    for (size_t i = 0; i < charter->n_roots; i++) {
        unpack_bin(unpack, &items[i], charter->roots[i], 32);
        for (size_t j = 0; j < i; j++) {
            unpack_require(
                unpack, memcmp(charter->roots[i], charter->roots[j], 32) != 0);
        }
    }
    charter->threshold = (uint8_t)unpack_key_uint(
        unpack, 4, 1, MAX_OF(charter->n_roots, (size_t)1));
}

static void read_signature(struct unpack *unpack, const msgpack_object *value,
                           struct body_charter_signature *signature)
{
    const msgpack_object *items;
    size_t n = unpack_array(unpack, value, 2, &items);

    unpack_require(unpack, n == 2);
    if (n == 2) {
        unpack_bin(unpack, &items[0], signature->root, 32);
        unpack_bin(unpack, &items[1], signature->signature, 64);
    }
}

/* They are the last pair and in their shortest form, so that everybody takes
 * the same bytes for the signed part. */
static bool are_last(const struct body_charter *charter, const uint8_t *body,
                     size_t body_size)
{
    size_t size = body_charter_signatures_size(charter->n_signatures);
    const uint8_t *pair;

    if (body_size < size) {
        return false;
    }
    pair = body + body_size - size;
    if (pair[0] != CHARTER_SIGNATURES_KEY ||
        pair[1] != CHARTER_ARRAY_FORM(charter->n_signatures)) {
        return false;
    }
    for (size_t i = 0; i < charter->n_signatures; i++) {
        const uint8_t *at = pair + body_charter_signatures_size(i);

        if (at[0] != 0x92 || at[1] != 0xc4 || at[2] != 32 ||
            memcmp(at + 3, charter->signatures[i].root, 32) != 0) {
            return false;
        }
    }
    return true;
}

static void read_signatures(struct unpack *unpack, size_t min,
                            struct body_charter *charter)
{
    const msgpack_object *items;

    charter->n_signatures = unpack_key_array(unpack, CHARTER_SIGNATURES_KEY,
                                             LIMIT_GENESIS_ROOTS, &items);
    unpack_require(unpack, charter->n_signatures >= min);
    for (size_t i = 0; i < charter->n_signatures; i++) {
        read_signature(unpack, &items[i], &charter->signatures[i]);
        for (size_t j = 0; j < i; j++) {
            unpack_require(unpack,
                           memcmp(charter->signatures[i].root,
                                  charter->signatures[j].root, 32) != 0);
        }
    }
}

static int read_charter(const uint8_t *body, size_t body_size,
                        size_t n_signatures_min, struct body_charter *ret)
{
    struct body_charter charter = {.generation = 0};
    struct unpack unpack;

    unpack_begin(&unpack, body, body_size);
    unpack_require(&unpack, unpack.root.type == MSGPACK_OBJECT_MAP);
    charter.generation = (uint32_t)unpack_key_uint(&unpack, 1, 1, UINT32_MAX);
    unpack_key_bin(&unpack, 2, charter.previous, sizeof(charter.previous));
    read_roots(&unpack, &charter);
    charter.n_containers =
        read_prefixes(&unpack, 5, LIMIT_CHARTER_RANGES, charter.containers);
    charter.n_mesh =
        read_prefixes(&unpack, 6, LIMIT_CHARTER_RANGES, charter.mesh);
    charter.n_services =
        read_prefixes(&unpack, 7, LIMIT_CHARTER_SERVICES, charter.services);
    charter.n_shared =
        read_prefixes(&unpack, 8, LIMIT_CHARTER_SHARED, charter.shared);
    unpack_require(&unpack, ranges_valid(&charter));
    read_signatures(&unpack, n_signatures_min, &charter);
    unpack_require(&unpack, are_last(&charter, body, body_size));
    if (body_close(&unpack) != 0) {
        return RECORD_E_BODY;
    }
    *ret = charter;
    return 0;
}

int body_unpack_charter(const uint8_t *body, size_t body_size,
                        struct body_charter *ret)
{
    return read_charter(body, body_size, 1, ret);
}

int body_unpack_proposal(const uint8_t *body, size_t body_size,
                         struct body_charter *ret)
{
    return read_charter(body, body_size, 0, ret);
}

int body_get_charter(const struct record *record, struct body_charter *ret)
{
    uint8_t hash[BODY_CHARTER_HASH_SIZE];
    uint8_t key[BODY_CHARTER_KEY_SIZE];
    struct body_charter charter;

    if (record->kind != RECORD_CHARTER ||
        body_unpack_charter(record->body, record->body_size, &charter) != 0) {
        return RECORD_E_BODY;
    }
    body_hash_charter(&charter, record->body, record->body_size, hash);
    body_key_charter(&charter, hash, key);
    if (!body_key_equal(record, key, sizeof(key))) {
        return RECORD_E_BODY;
    }
    *ret = charter;
    return 0;
}

/* --- Writing -----------------------------------------------------------------
 */

static void pack_prefixes(struct pack *pack, unsigned key,
                          const struct prefix *prefixes, size_t n)
{
    pack_key(pack, key);
    pack_array(pack, n);
    for (size_t i = 0; i < n; i++) {
        pack_prefix(pack, &prefixes[i]);
    }
}

int body_put_charter(const struct body_charter *body, uint8_t *buffer,
                     size_t buffer_size, size_t *ret_size)
{
    struct pack pack;

    assert(body->n_roots <= LIMIT_GENESIS_ROOTS);
    assert(body->n_containers <= LIMIT_CHARTER_RANGES);
    assert(body->n_mesh <= LIMIT_CHARTER_RANGES);
    assert(body->n_services <= LIMIT_CHARTER_SERVICES);
    assert(body->n_shared <= LIMIT_CHARTER_SHARED);
    assert(body->n_signatures <= LIMIT_GENESIS_ROOTS);
    pack_begin(&pack, buffer, buffer_size);
    pack_map(&pack, CHARTER_SIGNATURES_KEY);
    pack_key_uint(&pack, 1, body->generation);
    pack_key_bin(&pack, 2, body->previous, sizeof(body->previous));
    pack_key(&pack, 3);
    pack_array(&pack, body->n_roots);
    for (size_t i = 0; i < body->n_roots; i++) {
        pack_bin(&pack, body->roots[i], sizeof(body->roots[i]));
    }
    pack_key_uint(&pack, 4, body->threshold);
    pack_prefixes(&pack, 5, body->containers, body->n_containers);
    pack_prefixes(&pack, 6, body->mesh, body->n_mesh);
    pack_prefixes(&pack, 7, body->services, body->n_services);
    pack_prefixes(&pack, 8, body->shared, body->n_shared);
    pack_key(&pack, CHARTER_SIGNATURES_KEY);
    pack_array(&pack, body->n_signatures);
    for (size_t i = 0; i < body->n_signatures; i++) {
        pack_array(&pack, 2);
        pack_bin(&pack, body->signatures[i].root, 32);
        pack_bin(&pack, body->signatures[i].signature, 64);
    }
    return pack_end(&pack, ret_size);
}

/* --- Ranges ------------------------------------------------------------------
 */

bool body_charter_allows_mesh(const struct body_charter *charter,
                              const struct address *address)
{
    for (size_t i = 0; i < charter->n_mesh; i++) {
        if (prefix_contains(&charter->mesh[i], address)) {
            return true;
        }
    }
    return false;
}

bool body_charter_allows_subnet(const struct body_charter *charter,
                                const struct prefix *subnet)
{
    return inside_one(subnet, charter->containers, charter->n_containers);
}

bool body_charter_is_shared(const struct body_charter *charter,
                            const struct prefix *subnet)
{
    for (size_t i = 0; i < charter->n_shared; i++) {
        if (charter->shared[i].len == subnet->len &&
            address_equal(&charter->shared[i].address, &subnet->address)) {
            return true;
        }
    }
    return false;
}

bool body_charter_allows_certificate(const struct body_charter *charter,
                                     const struct body_certificate *body)
{
    for (size_t i = 0; i < body->n_mesh; i++) {
        if (!body_charter_allows_mesh(charter, &body->mesh[i].address)) {
            return false;
        }
    }
    for (size_t i = 0; i < body->n_subnets; i++) {
        if (!body_charter_allows_subnet(charter, &body->subnets[i])) {
            return false;
        }
    }
    return true;
}

/* Addresses of functions are hashed into the range. */
bool body_charter_services_usable(const struct prefix *services, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t len = services[i].len;

        if (i == 0 ? services[i].address.family != 4 || len < 8 || len > 24
                   : services[i].address.family != 6 || len < 32 || len > 112) {
            return false;
        }
    }
    return n > 0 && n <= LIMIT_CHARTER_SERVICES;
}
