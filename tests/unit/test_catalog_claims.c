/*
 * Who has a function's address: issuers' claims before what service records
 * carry, full names of certificates before patterns.
 */
#include <stdio.h>
#include <string.h>

#include "tests/unit/catalog_world.h"

/* One address for all: who has it shows. */
#define ONE_ADDRESS "100.80.0.0/31" /* the first one is no function's */

static struct body_function claim_of(const struct world *world,
                                     const char *name, uint16_t slot)
{
    struct body_function claim = {.is_claim = true, .slot = slot};

    (void)snprintf(claim.name, sizeof(claim.name), "%s", name);
    catalog_slot_address(world->catalog, name, slot, &claim.address);
    return claim;
}

static void world_claim(struct world *world, uint8_t issuer, const char *name,
                        uint16_t slot)
{
    struct body_function claim = claim_of(world, name, slot);

    fake_node_claim(world->node, issuer, &claim);
}

static bool has_address(const struct world *world, const char *name)
{
    const struct catalog_function *function =
        catalog_find_any(world->catalog, name);

    assert_non_null(function);
    return function->address.family != 0;
}

/* Whatever names and slots are ground, none takes a claimed address. */
static void test_claim_is_kept(void **state)
{
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};

    (void)state;
    for (size_t holder = 0; holder < ARRAY_SIZE(names); holder++) {
        struct world world = world_make(ONE_ADDRESS);

        world_claim(&world, 4, names[holder], 9);
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
            world_put(&world, 2, names[i], "10.0.2.1", 0);
        }
        world_rebuild(&world);
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
            const struct catalog_function *function =
                catalog_find(world.catalog, names[i]);

            assert_int_equal(has_address(&world, names[i]), i == holder);
            assert_int_equal(function->is_claimed, i == holder);
            assert_false(function->is_declared);
        }
        assert_int_equal(catalog_find(world.catalog, names[holder])->slot, 9);
        world_done(&world);
    }
}

/* A declared address is an operator's word, and outranks an issuer's. */
static void test_declared_first(void **state)
{
    struct world world = world_make(ONE_ADDRESS);

    (void)state;
    world_claim(&world, 4, "redis", 0);
    fake_node_function(world.node, 3, "web", "100.80.0.1");
    world_rebuild(&world);
    assert_true(has_address(&world, "web"));
    assert_false(has_address(&world, "redis"));
    assert_false(catalog_find_any(world.catalog, "redis")->is_claimed);
    world_done(&world);
}

/* Of one function's claims the lowest slot, whoever wrote it; lost to another
 * function, the next. */
static void test_several_claims(void **state)
{
    struct world world = world_make("100.80.0.0/12");
    const struct catalog_function *redis;
    struct address address;
    char text[ADDRESS_TEXT_SIZE];

    (void)state;
    world_put(&world, 2, "redis", "10.0.2.1", 7);
    world_claim(&world, 2, "redis", 5);
    world_claim(&world, 4, "redis", 3);
    world_claim(&world, 3, "redis", 3);
    world_rebuild(&world);
    redis = catalog_find(world.catalog, "redis");
    assert_true(redis->is_claimed);
    assert_int_equal(redis->slot, 3);
    assert_int_equal(redis->claimer[0], 3);
    catalog_slot_address(world.catalog, "redis", 3, &address);
    assert_true(address_equal(&redis->address, &address));
    fake_node_function(world.node, 1, "web", address_text(&address, text));
    world_rebuild(&world);
    redis = catalog_find(world.catalog, "redis");
    assert_true(redis->is_claimed);
    assert_int_equal(redis->slot, 5);
    assert_int_equal(redis->claimer[0], 2);
    world_done(&world);
}

/* What an issuer claimed that contradicted itself is nobody's, and neither is
 * what it declared. */
static void test_claim_of_the_frozen(void **state)
{
    struct world world = world_make("100.80.0.0/12");
    const struct catalog_function *redis;

    (void)state;
    fake_node_member(world.node, 5)->is_frozen = true;
    world_claim(&world, 5, "redis", 3);
    fake_node_function(world.node, 5, "web", "100.80.0.1");
    world_put(&world, 2, "redis", "10.0.2.1", 7);
    world_rebuild(&world);
    redis = catalog_find(world.catalog, "redis");
    assert_false(redis->is_claimed);
    assert_int_equal(redis->slot, 7);
    assert_null(catalog_find_any(world.catalog, "web"));
    world_done(&world);
}

/* A claim is one of its slot's address, and of no other. */
static void test_false_claim(void **state)
{
    struct world world = world_make("100.80.0.0/12");
    struct body_function claim = claim_of(&world, "redis", 4);
    const struct catalog_function *redis;

    (void)state;
    claim.slot = 5;
    world_put(&world, 2, "redis", "10.0.2.1", 7);
    fake_node_claim(world.node, 4, &claim);
    world_rebuild(&world);
    redis = catalog_find(world.catalog, "redis");
    assert_false(redis->is_claimed);
    assert_int_equal(redis->slot, 7);
    assert_int_equal(redis->address.family, 4);
    world_done(&world);
}

static void test_idle_claim(void **state)
{
    struct world world = world_make("100.80.0.0/12");
    struct body_function claim = claim_of(&world, "redis", 1);
    const struct catalog_function *redis;

    (void)state;
    claim.idle_since_s = 1700000000;
    fake_node_claim(world.node, 4, &claim);
    world_rebuild(&world);
    assert_null(catalog_find(world.catalog, "redis"));
    redis = catalog_find_any(world.catalog, "redis");
    assert_true(redis->is_idle);
    assert_true(redis->is_claimed);
    assert_int_equal(redis->n_instances, 0);
    assert_true(redis->idle_since_s == 1700000000);
    assert_int_equal(redis->address.family, 4);
    world_put(&world, 2, "redis", "10.0.2.1", 0);
    world_rebuild(&world);
    assert_false(catalog_find(world.catalog, "redis")->is_idle);
    world_done(&world);
}

static void name_in_certificate(struct world *world, uint8_t member,
                                const char *pattern)
{
    struct body_certificate *certificate;
    struct node_member found;
    uint8_t key[32];

    memset(key, member, sizeof(key));
    assert_true(node_member_find(world->node, key, &found));
    certificate = (struct body_certificate *)(uintptr_t)found.certificate;
    (void)snprintf(certificate->functions[0], sizeof(certificate->functions[0]),
                   "%s", pattern);
}

/* Between functions that nobody claimed yet: the full name of a certificate. */
static void test_full_name(void **state)
{
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};

    (void)state;
    for (size_t named = 0; named < ARRAY_SIZE(names); named++) {
        struct world world = world_make(ONE_ADDRESS);

        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
            world_put(&world, 2, names[i], "10.0.2.1", 0);
        }
        /* The later instance alone, and with a higher slot. */
        world_put(&world, 3, names[named], "10.0.3.1", 8);
        name_in_certificate(&world, 2, "*");
        name_in_certificate(&world, 3, names[named]);
        world_rebuild(&world);
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
            assert_int_equal(has_address(&world, names[i]), i == named);
        }
        world_done(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_claim_is_kept),
        cmocka_unit_test(test_declared_first),
        cmocka_unit_test(test_several_claims),
        cmocka_unit_test(test_false_claim),
        cmocka_unit_test(test_claim_of_the_frozen),
        cmocka_unit_test(test_idle_claim),
        cmocka_unit_test(test_full_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
