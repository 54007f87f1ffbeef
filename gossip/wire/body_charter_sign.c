/*
 * A charter's hash and signatures, and what makes one follow another.  See
 * body.h; body_charter.c has what is in it.
 */
#include "gossip/wire/body.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include <sodium.h>

#include "gossip/base/cursor.h"
#include "gossip/wire/body_internal.h"
#include "gossip/wire/sign.h"

static const char charter_domain[] = "socketnet/v1/charter"; /* with NUL */

void body_hash_charter(const struct body_charter *charter, const uint8_t *body,
                       size_t body_size,
                       uint8_t ret_hash[BODY_CHARTER_HASH_SIZE])
{
    assert(body_size >= body_charter_signatures_size(charter->n_signatures));
    /* Cannot fail: the sizes are constants within BLAKE2b's range. */
    (void)crypto_generichash(
        ret_hash, BODY_CHARTER_HASH_SIZE, body,
        body_size - body_charter_signatures_size(charter->n_signatures), NULL,
        0);
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
               body_size - body_charter_signatures_size(charter->n_signatures));
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

size_t body_charter_signers(const uint8_t cluster[RECORD_CLUSTER_SIZE],
                            const struct body_charter *charter,
                            const uint8_t *body, size_t body_size,
                            const struct body_charter_parent *parent,
                            uint8_t ret[LIMIT_GENESIS_ROOTS][32])
{
    uint8_t input[CHARTER_INPUT_SIZE];
    size_t size =
        sign_input(cluster, charter, body, body_size, input, sizeof(input));
    size_t n = 0;

    for (size_t i = 0; i < charter->n_signatures; i++) {
        const struct body_charter_signature *one = &charter->signatures[i];

        if (is_root(parent, one->root) &&
            crypto_sign_verify_detached(one->signature, input, size,
                                        one->root) == 0) {
            memcpy(ret[n++], one->root, 32);
        }
    }
    return n;
}

int body_verify_charter(const struct record *record,
                        const struct body_charter_parent *parent,
                        struct body_charter *ret)
{
    uint8_t signers[LIMIT_GENESIS_ROOTS][32];
    struct body_charter charter;
    bool has_writer = false;
    size_t n;

    if (body_get_charter(record, &charter) != 0 ||
        parent->generation == UINT32_MAX ||
        charter.generation != parent->generation + 1 ||
        memcmp(charter.previous, parent->hash, sizeof(parent->hash)) != 0) {
        return RECORD_E_BODY;
    }
    n = body_charter_signers(record->cluster, &charter, record->body,
                             record->body_size, parent, signers);
    for (size_t i = 0; i < n; i++) {
        has_writer |= memcmp(signers[i], record->writer, 32) == 0;
    }
    if (n < parent->threshold || !has_writer) {
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
