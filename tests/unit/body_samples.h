/*
 * Bodies with every field set, for the tests of gossip/wire/body.h.
 */
#ifndef SOCKETNET_TESTS_UNIT_BODY_SAMPLES_H
#define SOCKETNET_TESTS_UNIT_BODY_SAMPLES_H

#include "gossip/wire/body.h"
#include "tests/unit/support.h"

static inline struct body_certificate
sample_certificate(const struct support_keys *keys)
{
    struct body_certificate cert = {
        .name = "host3",
        .mesh = {{.address = {4, {100, 104, 70, 3}}, .port = 7720},
                 {.address = {6, {0xfd, [15] = 3}}, .port = 7720}},
        .n_mesh = 2,
        .subnets = {{.address = {4, {10, 0, 3}}, .len = 24},
                    {.address = {6, {0xfd, 1}}, .len = 64}},
        .n_subnets = 2,
        .roles = BODY_ROLE_MEMBER | BODY_ROLE_ISSUER,
        .functions = {"redis", "vector_*", "*"},
        .n_functions = 3,
        .scope = {"host1"},
        .n_scope = 1,
        .not_before_s = 1700000000,
        .not_after_s = 1731536000,
        .generation = 2,
        .serial = UINT64_C(0xfedcba9876543210),
    };

    memcpy(cert.sign_public, keys->sign_public, 32);
    memcpy(cert.exchange_public, keys->exchange_public, 32);
    memset(cert.wireguard_public, 0x77, 32);
    return cert;
}

static inline struct body_service sample_service(void)
{
    return (struct body_service){
        .function = "vector-db",
        .instance = "a",
        .protocol = 6,
        .port = 6379,
        .address = {4, {10, 0, 3, 203}},
        .port_name = "veth203",
        .weight = 250,
        .priority = 1,
        .health = BODY_HEALTH_DRAINING,
        .tags = {"v1", "primary"},
        .n_tags = 2,
        .meta = {{"zone", "north"}, {"note", "a \xc3\xa4 b"}},
        .n_meta = 2,
        .slot = 3,
    };
}

#endif
