/*
 * What the catalogue is asked by: nodes, instances at an address, and the
 * order of those that may be used.
 */
#include "agent/catalog/catalog.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "tests/unit/catalog_world.h"
#include "tests/unit/heap.h"

/* "host2/i-1 host3/i-1": the usable ones, in their order. */
static const char *usable_of(const struct world *world)
{
    static char text[256];
    const struct catalog_function *function = catalog_at(world->catalog, 0);
    size_t len = 0;

    text[0] = '\0';
    for (size_t i = 0; i < function->n_usable; i++) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s/%s",
                                i > 0 ? " " : "", function->usable[i]->node,
                                function->usable[i]->service.instance);
    }
    return text;
}

static void put_critical(struct world *world, uint8_t number,
                         const char *address)
{
    struct body_service service = fake_service("redis", address, 6379);

    service.health = BODY_HEALTH_CRITICAL;
    fake_node_service(world->node, number, &service);
}

static void test_usable_order(void **state)
{
    struct world world = {.node = fake_node_new()};
    struct prefix range;
    struct node_member *members[4];
    struct body_service service;

    (void)state;
    assert_int_equal(prefix_parse("100.80.0.0/12", &range), 0);
    assert_int_equal(catalog_new(cluster, &range, &world.catalog), 0);
    for (uint8_t i = 0; i < 4; i++) {
        members[i] = fake_node_member(world.node, (uint8_t)(i + 1));
    }
    members[2]->rtt_us = 10; /* host3 is nearer than host2 */
    world_put(&world, 4, "redis", "10.0.4.1", 0);
    world_put(&world, 3, "redis", "10.0.3.1", 0);
    world_put(&world, 2, "redis", "10.0.2.1", 0);
    world_put(&world, 1, "redis", "10.0.1.1", 0);
    service = fake_service("redis", "10.0.4.9", 6379);
    service.priority = 1;
    fake_node_service(world.node, 4, &service);
    world_rebuild(&world);
    assert_string_equal(usable_of(&world),
                        "host1/i-1 host3/i-1 host2/i-1 host4/i-1 host4/i-9");
    /* A local one comes first, whatever its priority. */
    service = fake_service("redis", "10.0.1.1", 6379);
    service.priority = 9;
    fake_node_service(world.node, 1, &service);
    world_rebuild(&world);
    assert_string_equal(usable_of(&world),
                        "host1/i-1 host3/i-1 host2/i-1 host4/i-1 host4/i-9");
    /* Of one distance: by node and name. */
    members[1]->rtt_us = members[2]->rtt_us = members[3]->rtt_us = 7;
    world_rebuild(&world);
    assert_string_equal(usable_of(&world),
                        "host1/i-1 host2/i-1 host3/i-1 host4/i-1 host4/i-9");

    /* Those not heard since the start come behind those heard, and before
     * those that do not answer. */
    members[1]->is_heard = members[2]->is_heard = false;
    world_rebuild(&world);
    assert_string_equal(usable_of(&world), "host1/i-1 host4/i-1 host4/i-9");
    put_critical(&world, 1, "10.0.1.1");
    members[3]->is_reachable = false;
    world_rebuild(&world);
    assert_string_equal(usable_of(&world), "host2/i-1 host3/i-1");
    members[1]->is_reachable = members[2]->is_reachable = false;
    world_rebuild(&world);
    assert_string_equal(usable_of(&world),
                        "host2/i-1 host3/i-1 host4/i-1 host4/i-9");
    members[1]->state = members[2]->state = members[3]->state =
        NODE_MEMBER_DEAD;
    world_rebuild(&world);
    assert_string_equal(usable_of(&world), "");
    world_done(&world);
}

/* Each address and each name of a function's instances is told once. */
static void test_repeats(void **state)
{
    struct world world = world_make("100.80.0.0/12");
    const struct catalog_function *function;
    struct body_service service;

    (void)state;
    world_put(&world, 2, "redis", "10.0.2.1", 0);
    service = fake_service("redis", "10.0.2.1", 6380);
    (void)snprintf(service.instance, sizeof(service.instance), "other");
    fake_node_service(world.node, 2, &service);
    service = fake_service("redis", "10.0.3.1", 6379);
    (void)snprintf(service.instance, sizeof(service.instance), "I_1");
    fake_node_service(world.node, 3, &service);
    world_put(&world, 3, "web", "10.0.3.7", 0);
    world_rebuild(&world);
    function = catalog_find(world.catalog, "redis");
    assert_non_null(function);
    assert_int_equal(function->n_usable, 3);
    assert_false(function->usable[0]->repeats_address);
    assert_true(function->usable[1]->repeats_address);
    assert_false(function->usable[2]->repeats_address);
    assert_true(function->instances[0].shares_name); /* i-1 and I_1 */
    assert_false(function->instances[1].shares_name);
    assert_true(function->instances[2].shares_name);
    function = catalog_find(world.catalog, "web");
    assert_non_null(function);
    assert_false(function->instances[0].shares_name);
    world_done(&world);
}

enum { N_LARGE = 10000 };

static const struct catalog_node *find_host(const struct world *world,
                                            const char *name)
{
    return catalog_find_node(world->catalog, name);
}

/* 10,000 members, each found by its name and its address. */
static void test_nodes(void **state)
{
    struct world world = {.node = fake_node_new()};
    struct node_member *members[6];
    struct node_member *last;
    const struct catalog_node *kept;
    struct prefix range;
    char name[32];

    (void)state;
    assert_int_equal(prefix_parse("100.80.0.0/12", &range), 0);
    assert_int_equal(catalog_new(cluster, &range, &world.catalog), 0);
    world_rebuild(&world);
    assert_null(find_host(&world, "host1"));
    for (uint32_t i = 1; i <= N_LARGE; i++) {
        struct node_member *member = fake_node_member(world.node, i);

        if (i <= 5) {
            members[i] = member;
        }
    }
    world_rebuild(&world);
    for (uint32_t i = 1; i <= N_LARGE; i++) {
        const struct catalog_node *node;

        (void)snprintf(name, sizeof(name), "HOST%u", i);
        node = find_host(&world, name);
        assert_non_null(node);
        assert_ptr_equal(
            catalog_find_node_address(world.catalog, &node->address), node);
        (void)snprintf(name, sizeof(name), "host%u", i);
        assert_string_equal(node->name, name);
    }
    /* They are kept as long as no member changes. */
    kept = find_host(&world, "host7");
    world_put(&world, 2, "redis", "10.0.2.1", 0);
    world_rebuild(&world);
    assert_ptr_equal(find_host(&world, "host7"), kept);
    assert_null(find_host(&world, "host0"));
    assert_null(find_host(&world, "host10001"));
    assert_null(find_host(&world, "no name"));

    /* One that left has no name; of two with one name, or one address, the
     * lower key has it; a dead one keeps its own. */
    members[1]->state = NODE_MEMBER_DEAD;
    members[2]->state = NODE_MEMBER_LEFT;
    memcpy(fake_node_certificate(members[4])->name, "host3", 6);
    fake_node_certificate(members[5])->mesh[0] =
        members[3]->certificate->mesh[0];
    world_rebuild(&world);
    assert_non_null(find_host(&world, "host1"));
    assert_null(find_host(&world, "host2"));
    assert_null(catalog_find_node_address(
        world.catalog, &members[2]->certificate->mesh[0].address));
    assert_memory_equal(find_host(&world, "host3")->key, members[3]->key, 32);
    assert_string_equal(
        catalog_find_node_address(world.catalog,
                                  &members[3]->certificate->mesh[0].address)
            ->name,
        "host3");
    assert_non_null(find_host(&world, "host5"));
    fake_node_certificate(members[3])->n_mesh = 0;
    world_rebuild(&world);
    assert_memory_equal(find_host(&world, "host3")->key, members[4]->key, 32);
    /* One thing alone that changed is seen. */
    fake_node_certificate(members[5])->mesh[0].address.bytes[3] = 77;
    world_rebuild(&world);
    assert_int_equal(find_host(&world, "host5")->address.bytes[3], 77);
    memcpy(fake_node_certificate(members[5])->name, "hostX", 6);
    world_rebuild(&world);
    assert_null(find_host(&world, "host5"));
    assert_non_null(find_host(&world, "HOSTX"));
    members[5]->key[31]++;
    world_rebuild(&world);
    assert_memory_equal(find_host(&world, "hostX")->key, members[5]->key, 32);
    last = fake_node_member(world.node, N_LARGE + 1);
    world_rebuild(&world);
    assert_non_null(find_host(&world, "host10001"));
    last->state = NODE_MEMBER_LEFT;
    world_rebuild(&world);
    assert_null(find_host(&world, "host10001"));
    world_done(&world);
}

/* The instances at an address, of every function. */
static void test_instances_at(void **state)
{
    struct world world = world_make("100.80.0.0/12");
    struct address address;
    const struct catalog_instance *const *found;
    size_t n = 7;

    (void)state;
    assert_int_equal(address_parse("10.0.2.1", &address), 0);
    world_rebuild(&world);
    assert_null(catalog_instances_at(world.catalog, &address, &n));
    assert_int_equal(n, 0);
    world_put(&world, 3, "web", "10.0.3.1", 0);
    world_put(&world, 2, "web", "10.0.2.1", 0);
    world_put(&world, 2, "redis", "10.0.2.1", 0);
    world_put(&world, 2, "zoo", "10.0.2.3", 0);
    world_rebuild(&world);
    found = catalog_instances_at(world.catalog, &address, &n);
    assert_int_equal(n, 2);
    assert_string_equal(found[0]->service.function, "redis");
    assert_string_equal(found[1]->service.function, "web");
    assert_int_equal(address_parse("10.0.2.3", &address), 0);
    found = catalog_instances_at(world.catalog, &address, &n);
    assert_int_equal(n, 1);
    assert_string_equal(found[0]->service.function, "zoo");
    assert_int_equal(address_parse("10.0.2.2", &address), 0);
    assert_null(catalog_instances_at(world.catalog, &address, &n));
    assert_int_equal(n, 0);
    world_done(&world);
}

/* Without memory the catalogue stays as it was, whichever allocation fails. */
static void test_no_memory(void **state)
{
    struct world world = world_make("100.80.0.0/12");
    struct body_service service = fake_service("redis", "10.0.3.1", 6379);
    bool has_failed = true;

    (void)state;
    world_put(&world, 2, "redis", "10.0.2.1", 0);
    world_rebuild(&world);
    service.n_tags = 1;
    (void)snprintf(service.tags[0], BODY_NAME_SIZE, "blue");
    service.n_meta = 1;
    (void)snprintf(service.meta[0].key, sizeof(service.meta[0].key), "a");
    fake_node_service(world.node, 3, &service);
    world_put(&world, 4, "web", "10.0.4.1", 0);
    fake_node_function(world.node, 1, "declared", NULL);
    (void)fake_node_member(world.node, 5);
    for (unsigned n = 1; has_failed; n++) {
        int error;

        assert_true(n < 1000);
        heap_fail_at(n);
        error = catalog_rebuild(world.catalog, world.node);
        has_failed = heap_off();
        assert_int_equal(error, has_failed ? -ENOMEM : 0);
        assert_int_equal(catalog_count(world.catalog), has_failed ? 1 : 3);
        assert_true((find_host(&world, "host5") == NULL) == has_failed);
        assert_non_null(find_host(&world, "host4"));
        assert_int_equal(catalog_find(world.catalog, "redis")->n_usable,
                         has_failed ? 1 : 2);
    }
    world_done(&world);
}

/* Every record that is taken apart (ld --wrap). */
static unsigned n_decoded;

int __real_body_get_service(const struct record *record,
                            struct body_service *ret);
int __wrap_body_get_service(const struct record *record,
                            struct body_service *ret);

int __wrap_body_get_service(const struct record *record,
                            struct body_service *ret)
{
    n_decoded++;
    return __real_body_get_service(record, ret);
}

/* What did not change is taken from the catalogue before, whatever function
 * and node it is of. */
static void test_unchanged(void **state)
{
    enum { FUNCTIONS = 10 };
    struct world world = world_make("100.80.0.0/12");
    struct node_member *namesake = fake_node_member(world.node, 5);

    (void)state;
    memcpy(fake_node_certificate(namesake)->name, "host2", 6);
    for (unsigned i = 0; i < FUNCTIONS; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "f%u", i);
        world_put(&world, 5, name, "10.0.5.1", 0);
        world_put(&world, 3, name, "10.0.3.1", 0);
        world_put(&world, 2, name, "10.0.2.1", 0);
        world_put(&world, 2, name, "10.0.2.2", 0);
    }
    n_decoded = 0;
    world_rebuild(&world);
    assert_int_equal(n_decoded, 4 * FUNCTIONS);
    world_rebuild(&world);
    assert_int_equal(n_decoded, 4 * FUNCTIONS);
    world_put(&world, 2, "f5", "10.0.2.1", 0);
    world_rebuild(&world);
    assert_int_equal(n_decoded, 4 * FUNCTIONS + 1);
    world_done(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_usable_order),
        cmocka_unit_test(test_repeats),
        cmocka_unit_test(test_nodes),
        cmocka_unit_test(test_instances_at),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_unchanged),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
