/*
 * What an issuer gives away: free subnets, mesh addresses and names, from its
 * own part first.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/identity/token_ledger.h"
#include "agent/join/join_allocate.h"
#include "gossip/wire/sign.h"
#include "tests/unit/join_fixture.h"

static uint64_t next_seq;

static int setup(void **state)
{
    struct join_fixture *fixture = calloc(1, sizeof(*fixture));

    next_seq = 100;
    join_fixture_setup(fixture);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    join_fixture_teardown(*state);
    free(*state);
    return 0;
}

static struct join_allocate from(const struct join_fixture *fixture)
{
    return (struct join_allocate){.node = fixture->core.node,
                                  .tokens = fixture->core.tokens,
                                  .now_s = fixture->now_s};
}

/* A member certified by the root: its key is all of `key`. */
static void certify(struct join_fixture *fixture, uint8_t key, const char *name,
                    const char *mesh, const char *subnet, uint8_t roles)
{
    uint8_t bytes[LIMIT_RECORD_SIZE];
    uint8_t packed[LIMIT_RECORD_SIZE];
    struct body_certificate body = {
        .n_mesh = 1,
        .roles = roles,
        .not_before_s = fixture->now_s - 3600,
        .not_after_s = fixture->now_s + 86400,
        .generation = 1,
        .serial = key + 1000u,
    };
    struct record_fields fields = {
        .kind = RECORD_CERTIFICATE,
        .cluster = fixture->identity.genesis.cluster_id,
        .writer = fixture->identity.genesis.roots[0],
        .order = {.epoch = UINT64_C(1) << 32, .seq = next_seq++},
        .hlc = (fixture->now_s * 1000) << 16,
        .key = body.sign_public,
        .key_size = 32,
        .body = packed,
    };
    size_t size;

    memset(body.sign_public, key, 32);
    memset(body.exchange_public, key, 32);
    snprintf(body.name, sizeof(body.name), "%s", name);
    assert_int_equal(endpoint_parse(mesh, 7720, &body.mesh[0]), 0);
    if (subnet != NULL) {
        assert_int_equal(prefix_parse(subnet, &body.subnets[0]), 0);
        body.n_subnets = 1;
    }
    assert_int_equal(
        body_put_certificate(&body, packed, sizeof(packed), &fields.body_size),
        0);
    size = record_build(&fields, bytes, sizeof(bytes));
    assert_int_equal(sign_record(bytes, size, fixture->admission), 0);
    assert_int_equal(
        node_load(fixture->core.node, bytes, size, fixture->now_s * 1000), 0);
}

static void hold_subnet(struct join_fixture *fixture, uint8_t id,
                        const char *subnet, uint64_t expires_s)
{
    struct store_token token = {
        .id = {id}, .expires_s = expires_s, .n_subnets = 1};

    assert_int_equal(prefix_parse(subnet, &token.subnets[0]), 0);
    assert_int_equal(
        token_ledger_put(fixture->core.tokens, &token, fixture->now_s), 0);
}

static void expect_subnet(const struct join_allocate *allocate, uint8_t len,
                          const char *expected)
{
    struct prefix found = {0};
    char text[PREFIX_TEXT_SIZE];

    assert_int_equal(join_allocate_subnet(allocate, len, &found), 0);
    assert_string_equal(prefix_text(&found, text), expected);
}

/* host1 of the fixture has 10.0.1.0/24. */
static void subnets_that_are_free(void **state)
{
    struct join_fixture *fixture = *state;
    struct join_allocate allocate = from(fixture);
    struct interfaces_address own[2];

    expect_subnet(&allocate, 0, "10.0.0.0/24");
    hold_subnet(fixture, 1, "10.0.0.128/25", fixture->now_s + 10);
    expect_subnet(&allocate, 0, "10.0.2.0/24");
    expect_subnet(&allocate, 25, "10.0.0.0/25");
    expect_subnet(&allocate, 16, "10.1.0.0/16");
    certify(fixture, 40, "host2", "100.104.70.2", "10.0.2.0/23",
            BODY_ROLE_MEMBER);
    expect_subnet(&allocate, 0, "10.0.4.0/24");
    /* The host's own networks, and addresses without one. */
    assert_int_equal(
        prefix_parse_interface("10.0.4.9/22", &own[0].address, &own[0].network),
        0);
    assert_int_equal(
        prefix_parse_interface("10.0.8.1/32", &own[1].address, &own[1].network),
        0);
    allocate.own = own;
    allocate.n_own = 2;
    expect_subnet(&allocate, 0, "10.0.9.0/24");
    /* A token that was used holds what its holder has no certificate for. */
    hold_subnet(fixture, 2, "10.0.9.0/24", fixture->now_s + 10);
    expect_subnet(&allocate, 0, "10.0.10.0/24");
    {
        struct store_token used = {.id = {2}, .used_s = fixture->now_s};

        token_ledger_use(fixture->core.tokens, &used);
        expect_subnet(&allocate, 0, "10.0.10.0/24");
        memset(used.used_by, 40, sizeof(used.used_by));
        token_ledger_use(fixture->core.tokens, &used);
        expect_subnet(&allocate, 0, "10.0.9.0/24");
    }
    /* A token that has expired holds nothing. */
    allocate.n_own = 0;
    allocate.now_s += 10;
    expect_subnet(&allocate, 0, "10.0.0.0/24");
}

static void subnets_of_ipv6(void **state)
{
    struct join_fixture *fixture = *state;
    struct join_allocate allocate = from(fixture);
    struct prefix found;

    expect_subnet(&allocate, 64, "fd00:1::/64");
    certify(fixture, 40, "host2", "100.104.70.2", "fd00:1::/48",
            BODY_ROLE_MEMBER);
    expect_subnet(&allocate, 64, "fd00:1:1::/64");
    /* Of more candidates than are numbered, the first ones are looked at. */
    assert_int_equal(join_allocate_subnet(&allocate, 120, &found), -ENOSPC);
    expect_subnet(&allocate, 72, "fd00:1:1::/72");
}

static void no_subnet_is_free(void **state)
{
    struct join_fixture *fixture = *state;
    struct join_allocate allocate = from(fixture);
    struct prefix found;

    hold_subnet(fixture, 1, "10.0.0.0/8", fixture->now_s + 10);
    assert_int_equal(join_allocate_subnet(&allocate, 0, &found), -ENOSPC);
    assert_int_equal(join_allocate_subnet(&allocate, 4, &found), -ENOSPC);
    assert_int_equal(join_allocate_subnet(&allocate, 31, &found), -ENOSPC);
}

/* Of three issuers each has every third; a full part takes from the others. */
static void parts(void **state)
{
    struct join_fixture *fixture = *state;
    struct join_allocate allocate = from(fixture);
    char expected[PREFIX_TEXT_SIZE];
    struct prefix held;
    struct address mesh;

    certify(fixture, 0x00, "issuer0", "100.104.70.200", NULL,
            BODY_ROLE_MEMBER | BODY_ROLE_ISSUER);
    certify(fixture, 0xff, "issuer2", "100.104.70.202", NULL,
            BODY_ROLE_MEMBER | BODY_ROLE_ISSUER);
    /* The second of three: 1 is host1's own. */
    expect_subnet(&allocate, 0, "10.0.4.0/24");
    expect_subnet(&allocate, 16, "10.1.0.0/16");
    assert_int_equal(join_allocate_mesh(&allocate, &mesh), 0);
    assert_int_equal(mesh.bytes[3], 1);
    /* Only every other number is left, none of them ours. */
    for (unsigned i = 1; i < 256; i += 3) {
        struct store_token token = {.id = {(uint8_t)i, 1},
                                    .expires_s = fixture->now_s + 10,
                                    .n_subnets = 1};

        snprintf(expected, sizeof(expected), "10.%u.0.0/16", i);
        assert_int_equal(prefix_parse(expected, &held), 0);
        token.subnets[0] = held;
        assert_int_equal(
            token_ledger_put(fixture->core.tokens, &token, fixture->now_s), 0);
    }
    expect_subnet(&allocate, 16, "10.2.0.0/16");
}

static void mesh_addresses(void **state)
{
    struct join_fixture *fixture = *state;
    struct join_allocate allocate = from(fixture);
    struct interfaces_address own = {.address = {4, {100, 104, 0, 1}},
                                     .network = {{4, {100, 104, 0, 0}}, 16}};
    struct address mesh;
    char text[ADDRESS_TEXT_SIZE];

    /* Not the network's own. */
    assert_int_equal(join_allocate_mesh(&allocate, &mesh), 0);
    assert_string_equal(address_text(&mesh, text), "100.104.0.1");
    allocate.own = &own; /* its network is the mesh itself */
    allocate.n_own = 1;
    certify(fixture, 40, "host2", "100.104.0.2", NULL, BODY_ROLE_MEMBER);
    assert_int_equal(join_allocate_mesh(&allocate, &mesh), 0);
    assert_string_equal(address_text(&mesh, text), "100.104.0.3");
}

static void names(void **state)
{
    struct join_fixture *fixture = *state;
    struct join_allocate allocate = from(fixture);
    struct store_token token = {
        .id = {1}, .expires_s = fixture->now_s + 10, .name = "Node2"};
    char name[BODY_NAME_SIZE];

    assert_int_equal(join_allocate_name(&allocate, name), 0);
    assert_string_equal(name, "node1");
    certify(fixture, 40, "node1", "100.104.0.2", NULL, BODY_ROLE_MEMBER);
    certify(fixture, 41, "node03", "100.104.0.3", NULL, BODY_ROLE_MEMBER);
    certify(fixture, 42, "node3x", "100.104.0.4", NULL, BODY_ROLE_MEMBER);
    certify(fixture, 43, "node99999999999999999999999", "100.104.0.5", NULL,
            BODY_ROLE_MEMBER);
    assert_int_equal(
        token_ledger_put(fixture->core.tokens, &token, fixture->now_s), 0);
    assert_int_equal(join_allocate_name(&allocate, name), 0);
    assert_string_equal(name, "node4");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(subnets_that_are_free), TEST(subnets_of_ipv6),
        TEST(no_subnet_is_free),     TEST(parts),
        TEST(mesh_addresses),        TEST(names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
