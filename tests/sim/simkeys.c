/* Identities of simulated nodes.  See simkeys.h. */
#include "tests/sim/simkeys.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "gossip/wire/sign.h"

#define SIMKEYS_NOT_BEFORE_S 1577836800u /* 2020 */
#define SIMKEYS_NOT_AFTER_S  2208988800u /* 2040 */

static void simkeys_hash(uint64_t seed, uint32_t index, char purpose,
                         uint8_t ret[32])
{
    uint8_t input[13];

    memcpy(input, &seed, 8);
    memcpy(input + 8, &index, 4);
    input[12] = (uint8_t)purpose;
    crypto_generichash(ret, 32, input, sizeof(input), NULL, 0);
}

void simkeys_make(uint64_t seed, uint32_t index, struct simkeys *ret)
{
    uint8_t sign_seed[32];

    simkeys_hash(seed, index, 's', sign_seed);
    crypto_sign_seed_keypair(ret->sign_public, ret->sign_secret, sign_seed);
    simkeys_hash(seed, index, 'x', ret->exchange_secret);
    crypto_scalarmult_base(ret->exchange_public, ret->exchange_secret);
}

void simkeys_cluster(uint64_t seed, uint8_t ret_cluster[RECORD_CLUSTER_SIZE])
{
    uint8_t hash[32];

    simkeys_hash(seed, 0, 'c', hash);
    memcpy(ret_cluster, hash, RECORD_CLUSTER_SIZE);
}

struct endpoint simkeys_endpoint(uint32_t index)
{
    return (struct endpoint){
        .address = {.family = 4,
                    .bytes = {10, 0, (uint8_t)(index / 250),
                              (uint8_t)(index % 250 + 1)}},
        .port = SIMKEYS_PORT};
}

struct address simkeys_container(uint32_t index, uint8_t last_byte)
{
    return (struct address){.family = 4,
                            .bytes = {10, (uint8_t)(64 + index / 256),
                                      (uint8_t)(index % 256), last_byte}};
}

void simkeys_certificate_body(const struct simkeys *subject, uint32_t index,
                              uint32_t roles, struct body_certificate *ret)
{
    *ret = (struct body_certificate){.mesh = {simkeys_endpoint(index)},
                                     .n_mesh = 1,
                                     .n_subnets = 1,
                                     .roles = roles,
                                     .functions = {"*"},
                                     .n_functions = 1,
                                     .not_before_s = SIMKEYS_NOT_BEFORE_S,
                                     .not_after_s = SIMKEYS_NOT_AFTER_S,
                                     .generation = 1,
                                     .serial = index + 1u};
    memcpy(ret->sign_public, subject->sign_public, 32);
    memcpy(ret->exchange_public, subject->exchange_public, 32);
    (void)snprintf(ret->name, sizeof(ret->name), "node%u", index); /* fits */
    ret->subnets[0].address = simkeys_container(index, 0);
    ret->subnets[0].len = 24;
}

void simkeys_sign(uint64_t seed, const struct simkeys *signer,
                  struct record_fields *fields, struct simkeys_record *ret)
{
    uint8_t cluster[RECORD_CLUSTER_SIZE];
    int result;

    simkeys_cluster(seed, cluster);
    fields->cluster = cluster;
    fields->writer = signer->sign_public;
    ret->size = record_build(fields, ret->bytes, sizeof(ret->bytes));
    assert(ret->size > 0);
    result = sign_record(ret->bytes, ret->size, signer->sign_secret);
    assert(result == 0);
}

void simkeys_certificate(uint64_t seed, const struct simkeys *signer,
                         uint64_t signer_serial, struct record_order order,
                         const struct body_certificate *body,
                         struct simkeys_record *ret)
{
    uint8_t buffer[LIMIT_RECORD_SIZE];
    struct record_fields fields = {.kind = RECORD_CERTIFICATE,
                                   .serial = signer_serial,
                                   .order = order,
                                   .hlc = (uint64_t)SIMKEYS_NOT_BEFORE_S * 1000
                                          << 16,
                                   .key = body->sign_public,
                                   .key_size = 32,
                                   .body = buffer};
    int result =
        body_put_certificate(body, buffer, sizeof(buffer), &fields.body_size);

    assert(result == 0);
    simkeys_sign(seed, signer, &fields, ret);
}
