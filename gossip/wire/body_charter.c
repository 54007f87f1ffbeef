/*
 * The body of a charter, its signatures, and what makes one follow another.
 * See body.h.  Which of several is in force: gossip/node/charter.c.
 */
#include "gossip/wire/body.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include <sodium.h>

#include "gossip/base/cursor.h"
#include "gossip/base/pack.h"
#include "gossip/wire/body_internal.h"
#include "gossip/wire/sign.h"

/* Pair 9 as it is written: key and array, then each root and signature as
 * 92, c4 20 and 32, c4 40 and 64 bytes. */
#define CHARTER_SIGNATURES_KEY  9
#define CHARTER_SIGNATURES_HEAD 2
#define CHARTER_SIGNATURE_SIZE  (1 + 2 + 32 + 2 + 64)
#define CHARTER_ARRAY_FORM(n)   (0x90 | (n))

static const char charter_domain[] = "socketnet/v1/charter"; /* with NUL */

static size_t signatures_size(size_t n)
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

static bool prefix_inside(const struct prefix *inner,
                          const struct prefix *outer)
{
    return inner->len >= outer->len && prefix_contains(outer, &inner->address);
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
    size_t size = signatures_size(charter->n_signatures);
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
        const uint8_t *at = pair + signatures_size(i);

        if (at[0] != 0x92 || at[1] != 0xc4 || at[2] != 32 ||
            memcmp(at + 3, charter->signatures[i].root, 32) != 0) {
            return false;
        }
    }
    return true;
}

static void read_signatures(struct unpack *unpack, struct body_charter *charter)
{
    const msgpack_object *items;

    charter->n_signatures = unpack_key_array(unpack, CHARTER_SIGNATURES_KEY,
                                             LIMIT_GENESIS_ROOTS, &items);
    unpack_require(unpack, charter->n_signatures > 0);
    for (size_t i = 0; i < charter->n_signatures; i++) {
        read_signature(unpack, &items[i], &charter->signatures[i]);
        for (size_t j = 0; j < i; j++) {
            unpack_require(unpack,
                           memcmp(charter->signatures[i].root,
                                  charter->signatures[j].root, 32) != 0);
        }
    }
}

int body_unpack_charter(const uint8_t *body, size_t body_size,
                        struct body_charter *ret)
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
    read_signatures(&unpack, &charter);
    unpack_require(&unpack, are_last(&charter, body, body_size));
    if (body_close(&unpack) != 0) {
        return RECORD_E_BODY;
    }
    *ret = charter;
    return 0;
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

/* --- Signatures and succession
 * ----------------------------------------------------------------- */

void body_hash_charter(const struct body_charter *charter, const uint8_t *body,
                       size_t body_size,
                       uint8_t ret_hash[BODY_CHARTER_HASH_SIZE])
{
    assert(body_size >= signatures_size(charter->n_signatures));
    /* Cannot fail: the sizes are constants within BLAKE2b's range. */
    (void)crypto_generichash(ret_hash, BODY_CHARTER_HASH_SIZE, body,
                             body_size - signatures_size(charter->n_signatures),
                             NULL, 0);
}

void body_key_charter(const struct body_charter *charter,
                      const uint8_t hash[BODY_CHARTER_HASH_SIZE],
                      uint8_t ret_key[BODY_CHARTER_KEY_SIZE])
{
    struct writer writer = writer_init(ret_key, BODY_CHARTER_KEY_SIZE);

    writer_u32(&writer, charter->generation);
    writer_put(&writer, hash, BODY_CHARTER_KEY_SIZE - 4);
}

/* What is signed; returns its size. */
static size_t sign_input(const uint8_t cluster[RECORD_CLUSTER_SIZE],
                         const struct body_charter *charter,
                         const uint8_t *body, size_t body_size, uint8_t *input,
                         size_t input_size)
{
    struct writer writer = writer_init(input, input_size);

    writer_put(&writer, charter_domain, sizeof(charter_domain));
    writer_put(&writer, cluster, RECORD_CLUSTER_SIZE);
    writer_put(&writer, body,
               body_size - signatures_size(charter->n_signatures));
    assert(!writer.failed);
    return writer_size(&writer);
}

/* The domain, the cluster and a body as long as any. */
#define CHARTER_INPUT_SIZE                                                     \
    (sizeof(charter_domain) + RECORD_CLUSTER_SIZE + LIMIT_RECORD_SIZE)

int body_sign_charter(const uint8_t cluster[RECORD_CLUSTER_SIZE],
                      const uint8_t secret[64], struct body_charter *charter)
{
    struct body_charter_signature *signature =
        &charter->signatures[charter->n_signatures];
    const uint8_t *root = secret + SIGN_SECRET_SIZE - SIGN_PUBLIC_SIZE;
    uint8_t input[CHARTER_INPUT_SIZE];
    uint8_t body[LIMIT_RECORD_SIZE];
    size_t body_size;
    size_t size;

    for (size_t i = 0; i < charter->n_signatures; i++) {
        if (memcmp(charter->signatures[i].root, root, 32) == 0) {
            return -EEXIST;
        }
    }
    if (charter->n_signatures == LIMIT_GENESIS_ROOTS) {
        return -ENOSPC;
    }
    if (body_put_charter(charter, body, sizeof(body), &body_size) != 0) {
        return -EINVAL;
    }
    size = sign_input(cluster, charter, body, body_size, input, sizeof(input));
    /* Cannot fail (libsodium manual). */
    (void)crypto_sign_detached(signature->signature, NULL, input, size, secret);
    memcpy(signature->root, root, 32);
    charter->n_signatures++;
    return 0;
}

int body_build_charter(const uint8_t cluster[RECORD_CLUSTER_SIZE],
                       const struct body_charter *charter,
                       const uint8_t secret[64], struct record_order order,
                       uint64_t hlc, uint8_t *buffer, size_t buffer_size,
                       size_t *ret_size)
{
    uint8_t body[LIMIT_RECORD_SIZE];
    uint8_t hash[BODY_CHARTER_HASH_SIZE];
    uint8_t key[BODY_CHARTER_KEY_SIZE];
    struct record_fields fields = {
        .kind = RECORD_CHARTER,
        .cluster = cluster,
        .writer = secret + SIGN_SECRET_SIZE - SIGN_PUBLIC_SIZE,
        .order = order,
        .hlc = hlc,
        .key = key,
        .key_size = sizeof(key),
        .body = body,
    };
    size_t size;
    int error =
        body_put_charter(charter, body, sizeof(body), &fields.body_size);

    if (error != 0) {
        return error;
    }
    body_hash_charter(charter, body, fields.body_size, hash);
    body_key_charter(charter, hash, key);
    size = record_build(&fields, buffer, buffer_size);
    if (size == 0) {
        return -ENOBUFS;
    }
    error = sign_record(buffer, size, secret);
    if (error == 0) {
        *ret_size = size;
    }
    return error;
}

static bool is_root(const struct body_charter_parent *parent,
                    const uint8_t key[32])
{
    for (size_t i = 0; i < parent->n_roots; i++) {
        if (memcmp(parent->roots[i], key, 32) == 0) {
            return true;
        }
    }
    return false;
}

int body_verify_charter(const struct record *record,
                        const struct body_charter_parent *parent,
                        struct body_charter *ret)
{
    uint8_t input[CHARTER_INPUT_SIZE];
    struct body_charter charter;
    bool has_writer = false;
    size_t n_good = 0;
    size_t size;

    if (body_get_charter(record, &charter) != 0 ||
        parent->generation == UINT32_MAX ||
        charter.generation != parent->generation + 1 ||
        memcmp(charter.previous, parent->hash, sizeof(parent->hash)) != 0) {
        return RECORD_E_BODY;
    }
    size = sign_input(record->cluster, &charter, record->body,
                      record->body_size, input, sizeof(input));
    for (size_t i = 0; i < charter.n_signatures; i++) {
        const struct body_charter_signature *one = &charter.signatures[i];

        if (is_root(parent, one->root) &&
            crypto_sign_verify_detached(one->signature, input, size,
                                        one->root) == 0) {
            n_good++;
            has_writer |= memcmp(one->root, record->writer, 32) == 0;
        }
    }
    if (n_good < parent->threshold || !has_writer) {
        return RECORD_E_SIGNATURE;
    }
    *ret = charter;
    return 0;
}

void body_follow_charter(const struct body_charter *charter,
                         const uint8_t hash[BODY_CHARTER_HASH_SIZE],
                         struct body_charter_parent *ret)
{
    *ret = (struct body_charter_parent){
        .generation = charter->generation,
        .n_roots = charter->n_roots,
        .threshold = charter->threshold,
    };
    memcpy(ret->hash, hash, BODY_CHARTER_HASH_SIZE);
    memcpy(ret->roots, charter->roots, sizeof(ret->roots));
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
