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
        .finding = BODY_FINDING_CHECK,
        .ports = {{"admin", 6, 8080, 8080}, {"rtp", 17, 10000, 10099}},
        .n_ports = 2,
    };
}

/* Signed by `keys`, its only root. */
static inline struct body_charter
sample_charter(const struct support_keys *keys)
{
    static const uint8_t cluster[RECORD_CLUSTER_SIZE] = {0xc1, 0xc2};
    struct body_charter charter = {
        .generation = 1,
        .n_roots = 1,
        .threshold = 1,
        .containers = {{.address = {4, {10, 0}}, .len = 16},
                       {.address = {6, {0xfd, 1}}, .len = 48}},
        .n_containers = 2,
        .mesh = {{.address = {4, {100, 104}}, .len = 16},
                 {.address = {6, {0xfd, 0}}, .len = 64}},
        .n_mesh = 2,
        .services = {{.address = {4, {100, 80}}, .len = 12},
                     {.address = {6, {0xfd, 2}}, .len = 64}},
        .n_services = 2,
        .shared = {{.address = {4, {10, 0, 9}}, .len = 24}},
        .n_shared = 1,
    };

    memcpy(charter.roots[0], keys->sign_public, 32);
    assert_int_equal(body_sign_charter(cluster, keys->sign_secret, &charter),
                     0);
    return charter;
}

#endif
