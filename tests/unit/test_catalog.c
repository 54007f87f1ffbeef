/*
 * The catalogue: slots and who gets an address, states, the order of what is
 * usable.
 */
#include "agent/catalog/catalog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "tests/unit/catalog_world.h"

/* The formula of catalog.h, written a second time. */
static void test_slot_address(void **state)
{
    struct world world = world_make("100.80.0.0/12");
    static const uint8_t input[] = "socketnet/v1/slot\0"
                                   "0123456789abcdef"
                                   "\x05"
                                   "redis"
                                   "\x00\x03";
    uint8_t hash[32];
    struct address address;
    uint32_t low;

    (void)state;
    assert_int_equal(crypto_generichash(hash, sizeof(hash), input,
                                        sizeof(input) - 1, NULL, 0),
                     0);
    low = ((uint32_t)hash[4] << 24 | (uint32_t)hash[5] << 16 |
           (uint32_t)hash[6] << 8 | hash[7]) &
          0xfffff;
    catalog_slot_address(world.catalog, "redis", 3, &address);
    assert_int_equal(address.family, 4);
    assert_int_equal(address.bytes[0], 100);
    assert_int_equal(address.bytes[1], 80 + (low >> 16));
    assert_int_equal(address.bytes[2], (low >> 8) & 0xff);
    assert_int_equal(address.bytes[3], low & 0xff);
    world_done(&world);
}

static void test_slot_address_six(void **state)
{
    struct world world = world_make("fd00:80::/64");
    struct world wide = world_make("fd00:80::/32");
    struct address a;
    struct address b;

    (void)state;
    catalog_slot_address(world.catalog, "redis", 0, &a);
    catalog_slot_address(wide.catalog, "redis", 0, &b);
    assert_int_equal(a.family, 6);
    assert_int_equal(a.bytes[0], 0xfd);
    assert_int_equal(a.bytes[3], 0x80);
    assert_memory_equal(a.bytes, b.bytes, 16); /* 64 bits of hash for both */
    world_done(&world);
    world_done(&wide);
}

/* The first address of the range is no function's. */
static void test_slot_address_spares_the_first(void **state)
{
    struct world world = world_make("100.80.0.0/29");
    struct address address;
    size_t n_last = 0;

    (void)state;
    for (uint16_t slot = 0; slot < 500; slot++) {
        catalog_slot_address(world.catalog, "redis", slot, &address);
        assert_in_range(address.bytes[3], 1, 7);
        n_last += address.bytes[3] == 7;
    }
    assert_true(n_last > 0);
    world_done(&world);
}

static void test_group(void **state)
{
    struct world world = world_make("100.80.0.0/12");
    const struct catalog_function *redis;
    struct address expected;

    (void)state;
    world_put(&world, 3, "redis", "10.0.3.203", 0);
    world_put(&world, 2, "redis", "10.0.2.7", 0);
    world_put(&world, 2, "redis", "10.0.2.5", 0);
    world_put(&world, 1, "vector-db", "10.0.1.9", 0);
    world_rebuild(&world);
    assert_int_equal(catalog_count(world.catalog), 2);
    assert_null(catalog_at(world.catalog, 2));
    assert_string_equal(catalog_at(world.catalog, 1)->name, "vector-db");
    assert_ptr_equal(catalog_find(world.catalog, "Vector_DB"),
                     catalog_at(world.catalog, 1));
    assert_null(catalog_find(world.catalog, "nothing"));
    assert_null(catalog_find(world.catalog, "no name"));
    redis = catalog_find(world.catalog, "redis");
    assert_non_null(redis);
    assert_int_equal(redis->n_instances, 3);
    assert_string_equal(redis->instances[0].node, "host2");
    assert_string_equal(redis->instances[0].service.instance, "i-5");
    assert_string_equal(redis->instances[1].service.instance, "i-7");
    assert_string_equal(redis->instances[2].node, "host3");
    catalog_slot_address(world.catalog, "redis", 0, &expected);
    assert_true(address_equal(&redis->address, &expected));
    assert_ptr_equal(catalog_find_address(world.catalog, &expected), redis);
    assert_false(redis->instances[0].is_local);
    assert_true(
        catalog_find(world.catalog, "vector-db")->instances[0].is_local);
    world_done(&world);
}

/* Tags and meta of one instance are its own; a name that begins another is
 * kept apart from it. */
static void test_details(void **state)
{
    struct world world = world_make("100.80.0.0/12");
    const struct catalog_instance *instance;
    struct body_service service;

    (void)state;
    for (uint8_t i = 1; i <= 3; i++) {
        char address[ADDRESS_TEXT_SIZE];

        (void)snprintf(address, sizeof(address), "10.0.%u.1", i);
        service = fake_service(i == 2 ? "redis-2" : "redis", address, 6379);
        service.n_tags = i;
        service.n_meta = 1;
        for (size_t j = 0; j < i; j++) {
            (void)snprintf(service.tags[j], sizeof(service.tags[j]),
                           "tag-%u-%zu", i, j);
        }
        memcpy(service.meta[0].key, "owner", 6);
        (void)snprintf(service.meta[0].value, sizeof(service.meta[0].value),
                       "team %u", i);
        fake_node_service(world.node, i, &service);
    }
    world_rebuild(&world);
    assert_int_equal(catalog_count(world.catalog), 2);
    assert_int_equal(catalog_find(world.catalog, "redis")->n_instances, 2);
    instance = &catalog_find(world.catalog, "redis")->instances[1];
    assert_string_equal(instance->node, "host3");
    assert_int_equal(instance->service.n_tags, 3);
    assert_string_equal(instance->service.tags[0], "tag-3-0");
    assert_string_equal(instance->service.tags[2], "tag-3-2");
    assert_string_equal(instance->service.meta[0].key, "owner");
    assert_string_equal(instance->service.meta[0].value, "team 3");
    instance = &catalog_find(world.catalog, "redis-2")->instances[0];
    assert_int_equal(instance->service.n_tags, 2);
    assert_string_equal(instance->service.tags[1], "tag-2-1");
    assert_string_equal(instance->service.meta[0].value, "team 2");

    /* One changes, one is new, one goes: the others keep what they had. */
    service = fake_service("redis", "10.0.1.1", 6380);
    service.n_tags = 4;
    for (size_t j = 0; j < 4; j++) {
        (void)snprintf(service.tags[j], sizeof(service.tags[j]), "new-%zu", j);
    }
    fake_node_service(world.node, 1, &service);
    world_put(&world, 2, "redis", "10.0.2.9", 0);
    service = fake_service("redis-2", "10.0.2.1", 6379);
    fake_node_remove(world.node, 2, &service);
    world_rebuild(&world);
    assert_int_equal(catalog_count(world.catalog), 1);
    assert_int_equal(catalog_at(world.catalog, 0)->n_instances, 3);
    instance = catalog_at(world.catalog, 0)->instances;
    assert_int_equal(instance[0].service.port, 6380);
    assert_int_equal(instance[0].service.n_tags, 4);
    assert_string_equal(instance[0].service.tags[3], "new-3");
    assert_int_equal(instance[0].service.n_meta, 0);
    assert_string_equal(instance[1].node, "host2");
    assert_int_equal(instance[1].service.n_tags, 0);
    assert_string_equal(instance[2].service.tags[0], "tag-3-0");
    assert_string_equal(instance[2].service.tags[2], "tag-3-2");
    assert_string_equal(instance[2].service.meta[0].value, "team 3");
    world_done(&world);
}

/* A range of two addresses, so that every function wants one of them. */
static void test_conflict(void **state)
{
    struct world world = world_make("100.80.0.0/30");
    const struct catalog_function *holder = NULL;
    const struct catalog_function *loser = NULL;
    struct address wanted;
    struct address address;
    char names[2][8] = {"", ""};
    uint8_t hashes[2][32];
    int first;
    size_t n = 0;

    (void)state;
    catalog_slot_address(world.catalog, "f0", 0, &wanted);
    for (unsigned i = 0; i < 64 && n < 2; i++) {
        char name[8];

        (void)snprintf(name, sizeof(name), "f%u", i);
        catalog_slot_address(world.catalog, name, 0, &address);
        if (address_equal(&address, &wanted)) {
            memcpy(names[n], name, sizeof(name));
            assert_int_equal(crypto_generichash(hashes[n], 32,
                                                (const uint8_t *)name,
                                                strlen(name), NULL, 0),
                             0);
            n++;
        }
    }
    assert_int_equal(n, 2);
    first = memcmp(hashes[0], hashes[1], 32) < 0 ? 0 : 1;
    world_put(&world, 2, names[0], "10.0.2.1", 0);
    world_put(&world, 3, names[1], "10.0.3.1", 0);
    world_rebuild(&world);
    holder = catalog_find(world.catalog, names[first]);
    loser = catalog_find(world.catalog, names[1 - first]);
    assert_true(address_equal(&holder->address, &wanted));
    assert_int_equal(loser->address.family, 0);
    assert_ptr_equal(catalog_find_address(world.catalog, &wanted), holder);

    /* The loser's owner writes its record with the next free slot. */
    world_put(&world, (uint8_t)(2 + (1 - first)), names[1 - first],
              first == 1 ? "10.0.2.1" : "10.0.3.1",
              catalog_free_slot(world.catalog, names[1 - first]));
    world_rebuild(&world);
    loser = catalog_find(world.catalog, names[1 - first]);
    assert_int_not_equal(loser->address.family, 0);
    assert_false(address_equal(&loser->address, &wanted));
    assert_int_not_equal(loser->slot, 0);
    world_done(&world);
}

/* The lower slot keeps an address against a lower hash with a higher slot. */
static void test_conflict_by_slot(void **state)
{
    struct world world = world_make("100.80.0.0/32"); /* one address for all */
    const struct catalog_function *a;
    const struct catalog_function *b;

    (void)state;
    for (unsigned swap = 0; swap < 2; swap++) {
        world_put(&world, 2, "aa", "10.0.2.1", swap == 0 ? 0 : 1);
        world_put(&world, 3, "bb", "10.0.3.1", swap == 0 ? 1 : 0);
        world_rebuild(&world);
        a = catalog_find(world.catalog, "aa");
        b = catalog_find(world.catalog, "bb");
        assert_int_equal(a->address.family, swap == 0 ? 4 : 0);
        assert_int_equal(b->address.family, swap == 0 ? 0 : 4);
    }
    world_done(&world);
}

/* Records of one function with several slots: the lowest that is not lost. */
static void test_lowest_slot(void **state)
{
    struct world world = world_make("100.80.0.0/12");
    struct address expected;

    (void)state;
    world_put(&world, 2, "redis", "10.0.2.1", 5);
    world_put(&world, 3, "redis", "10.0.3.1", 2);
    world_put(&world, 4, "redis", "10.0.4.1", 9);
    world_rebuild(&world);
    assert_int_equal(catalog_find(world.catalog, "redis")->slot, 2);
    catalog_slot_address(world.catalog, "redis", 2, &expected);
    assert_true(address_equal(&catalog_find(world.catalog, "redis")->address,
                              &expected));
    world_done(&world);
}

static void test_declared(void **state)
{
    struct world world = world_make("100.80.0.0/12");
    const struct catalog_function *function;
    struct address address;
    char text[ADDRESS_TEXT_SIZE];

    (void)state;
    /* The very address that redis would have by its hash. */
    catalog_slot_address(world.catalog, "redis", 0, &address);
    world_put(&world, 2, "redis", "10.0.2.1", 0);
    fake_node_function(world.node, 1, "cache", address_text(&address, text));
    fake_node_function(world.node, 1, "later", NULL);
    world_rebuild(&world);
    function = catalog_find(world.catalog, "cache");
    assert_true(function->is_declared);
    assert_true(address_equal(&function->address, &address));
    assert_int_equal(function->n_instances, 0);
    assert_int_equal(catalog_find(world.catalog, "redis")->address.family, 0);
    assert_int_equal(catalog_free_slot(world.catalog, "redis"), 1);
    assert_int_equal(catalog_free_slot(world.catalog, "cache"), 0);
    assert_false(catalog_find(world.catalog, "later")->is_declared);
    world_done(&world);
}

/* A declared address goes before any hash of a name. */
static void test_declared_first(void **state)
{
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        struct world world = world_make("100.80.0.0/12");
        struct address address;
        char text[ADDRESS_TEXT_SIZE];

        catalog_slot_address(world.catalog, names[i], 0, &address);
        world_put(&world, 2, names[i], "10.0.2.1", 0);
        fake_node_function(world.node, 1, "x", address_text(&address, text));
        world_rebuild(&world);
        assert_int_equal(catalog_find(world.catalog, "x")->address.family, 4);
        assert_int_equal(catalog_find(world.catalog, names[i])->address.family,
                         0);
        world_done(&world);
    }
}

/* One address for all: the lowest hash of a name has it, whatever the order of
 * the names. */
static void test_lowest_hash(void **state)
{
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    struct world world = world_make("100.80.0.0/32");
    const char *lowest = NULL;
    uint8_t lowest_hash[32];
    uint8_t hash[32];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        world_put(&world, 2, names[i], "10.0.2.1", 0);
        assert_int_equal(crypto_generichash(hash, sizeof(hash),
                                            (const uint8_t *)names[i],
                                            strlen(names[i]), NULL, 0),
                         0);
        if (lowest == NULL || memcmp(hash, lowest_hash, sizeof(hash)) < 0) {
            lowest = names[i];
            memcpy(lowest_hash, hash, sizeof(hash));
        }
    }
    assert_string_not_equal(lowest, names[0]); /* or it would show nothing */
    world_rebuild(&world);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        assert_int_equal(catalog_find(world.catalog, names[i])->address.family,
                         strcmp(names[i], lowest) == 0 ? 4 : 0);
    }
    /* Who holds a slot may keep it; the others find none. */
    assert_int_equal(catalog_free_slot(world.catalog, lowest), 0);
    assert_int_equal(catalog_free_slot(world.catalog, names[0]), UINT16_MAX);
    world_done(&world);
}

/* Of two declarations of one name the lower writer's counts; two hosts of one
 * name stand in the order of their keys; our own round trip is none. */
static void test_ties(void **state)
{
    struct world world = {.node = fake_node_new()};
    const struct catalog_function *function;
    struct node_member *members[3];
    struct prefix range;

    (void)state;
    assert_int_equal(prefix_parse("100.80.0.0/12", &range), 0);
    assert_int_equal(catalog_new(cluster, &range, &world.catalog), 0);
    for (uint8_t i = 0; i < 3; i++) {
        members[i] = fake_node_member(world.node, (uint8_t)(i + 1));
    }
    memcpy(fake_node_certificate(members[2])->name, "host2", 6);
    members[0]->rtt_us = 77;
    world_put(&world, 3, "redis", "10.0.3.1", 0);
    world_put(&world, 2, "redis", "10.0.2.1", 0);
    world_put(&world, 1, "redis", "10.0.1.1", 0);
    fake_node_function(world.node, 1, "redis", "100.80.0.1");
    fake_node_function(world.node, 2, "redis", "100.80.0.2");
    for (int i = 0; i < 2; i++) { /* the second time from the old content */
        world_rebuild(&world);
        assert_int_equal(catalog_count(world.catalog), 1);
        function = catalog_at(world.catalog, 0);
        assert_int_equal(function->address.bytes[3], 1);
        assert_int_equal(function->n_instances, 3);
        assert_int_equal(function->instances[0].rtt_us, 0);
        assert_int_equal(function->instances[1].writer[0], 2);
        assert_int_equal(function->instances[2].writer[0], 3);
    }
    world_done(&world);
}

static enum catalog_state state_of(struct world *world)
{
    world_rebuild(world);
    return catalog_at(world->catalog, 0)->instances[0].state;
}

static void test_states(void **state)
{
    struct world world = {.node = fake_node_new()};
    struct prefix range;
    struct body_service service = fake_service("redis", "10.0.2.1", 6379);
    struct node_member *member;

    (void)state;
    assert_int_equal(prefix_parse("100.80.0.0/12", &range), 0);
    assert_int_equal(catalog_new(cluster, &range, &world.catalog), 0);
    member = fake_node_member(world.node, 2);
    fake_node_service(world.node, 2, &service);
    assert_int_equal(state_of(&world), CATALOG_USABLE);
    member->state = NODE_MEMBER_SUSPECT;
    assert_int_equal(state_of(&world), CATALOG_USABLE);
    member->is_heard = false;
    assert_int_equal(state_of(&world), CATALOG_NOT_HEARD);
    member->is_reachable = false;
    assert_int_equal(state_of(&world), CATALOG_UNREACHABLE);
    member->state = NODE_MEMBER_PAUSED;
    assert_int_equal(state_of(&world), CATALOG_USABLE);
    member->state = NODE_MEMBER_DEAD;
    assert_int_equal(state_of(&world), CATALOG_NODE_DOWN);
    member->state = NODE_MEMBER_LEFT;
    assert_int_equal(state_of(&world), CATALOG_NODE_DOWN);
    member->state = NODE_MEMBER_REMOVED;
    assert_int_equal(state_of(&world), CATALOG_NODE_DOWN);
    member->state = NODE_MEMBER_ALIVE;
    assert_int_equal(state_of(&world), CATALOG_UNREACHABLE);
    service.health = BODY_HEALTH_CRITICAL;
    fake_node_service(world.node, 2, &service);
    assert_int_equal(state_of(&world), CATALOG_CRITICAL);
    service.health = BODY_HEALTH_DRAINING;
    fake_node_service(world.node, 2, &service);
    assert_int_equal(state_of(&world), CATALOG_DRAINING);
    service.health = BODY_HEALTH_MAINTENANCE;
    fake_node_service(world.node, 2, &service);
    assert_int_equal(state_of(&world), CATALOG_MAINTENANCE);
    /* What its own host found comes before what others would see. */
    service.finding = BODY_FINDING_NO_PORT;
    fake_node_service(world.node, 2, &service);
    assert_int_equal(state_of(&world), CATALOG_PENDING);
    service.finding = BODY_FINDING_ADDRESS;
    fake_node_service(world.node, 2, &service);
    assert_int_equal(state_of(&world), CATALOG_PENDING);
    service.finding = 200; /* of a later release */
    fake_node_service(world.node, 2, &service);
    assert_int_equal(state_of(&world), CATALOG_PENDING);
    service.finding = BODY_FINDING_REFUSED;
    fake_node_service(world.node, 2, &service);
    assert_int_equal(state_of(&world), CATALOG_REFUSED);
    service.finding = BODY_FINDING_CHECK;
    service.health = BODY_HEALTH_PASSING;
    fake_node_service(world.node, 2, &service);
    assert_int_equal(state_of(&world), CATALOG_CRITICAL);
    /* Its whole host: another's word, known or of a later release. */
    service.finding = BODY_FINDING_NONE;
    fake_node_service(world.node, 2, &service);
    assert_int_equal(state_of(&world), CATALOG_UNREACHABLE);
    for (unsigned finding = 1; finding < 6; finding++) {
        struct body_member body = {.finding = (uint8_t)finding};

        member->body = &body;
        assert_int_equal(state_of(&world), CATALOG_HOST_FAULT);
        member->is_self = true;
        assert_int_not_equal(state_of(&world), CATALOG_HOST_FAULT);
        member->is_self = false;
    }
    member->body = NULL;
    assert_int_equal(catalog_state_rank(CATALOG_HOST_FAULT),
                     CATALOG_RANK_HOST_FAULT);
    assert_true(catalog_state_carries(CATALOG_HOST_FAULT));
    assert_string_equal(catalog_state_name(CATALOG_HOST_FAULT), "host-fault");
    /* Of who contradicted itself nothing is believed. */
    member->is_frozen = true;
    assert_int_equal(state_of(&world), CATALOG_FROZEN);
    assert_int_equal(catalog_state_rank(CATALOG_FROZEN), CATALOG_RANK_NEVER);
    assert_false(catalog_state_carries(CATALOG_FROZEN));
    member->state = NODE_MEMBER_DEAD;
    assert_int_equal(state_of(&world), CATALOG_NODE_DOWN);
    assert_string_equal(catalog_state_name(CATALOG_FROZEN), "frozen");
    assert_string_equal(catalog_state_name(CATALOG_NODE_DOWN), "node-down");
    assert_string_equal(catalog_state_name(CATALOG_PENDING), "pending");
    assert_string_equal(catalog_state_name(CATALOG_REFUSED), "refused");
    assert_string_equal(catalog_state_name(CATALOG_NOT_HEARD), "not-heard");
    world_done(&world);
}

static void test_empty(void **state)
{
    struct world world = world_make("100.80.0.0/12");
    struct address address = {.family = 4};

    (void)state;
    world_rebuild(&world);
    assert_int_equal(catalog_count(world.catalog), 0);
    assert_null(catalog_at(world.catalog, 0));
    assert_null(catalog_find_address(world.catalog, &address));
    assert_int_equal(catalog_free_slot(world.catalog, "redis"), 0);
    /* A record of one who is no member counts for nothing. */
    world_put(&world, 9, "redis", "10.0.9.1", 0);
    world_rebuild(&world);
    assert_int_equal(catalog_count(world.catalog), 0);
    world_done(&world);
    assert_null(catalog_free(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slot_address),
        cmocka_unit_test(test_slot_address_six),
        cmocka_unit_test(test_slot_address_spares_the_first),
        cmocka_unit_test(test_group),
        cmocka_unit_test(test_details),
        cmocka_unit_test(test_conflict),
        cmocka_unit_test(test_conflict_by_slot),
        cmocka_unit_test(test_lowest_slot),
        cmocka_unit_test(test_declared),
        cmocka_unit_test(test_declared_first),
        cmocka_unit_test(test_lowest_hash),
        cmocka_unit_test(test_ties),
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_empty),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
