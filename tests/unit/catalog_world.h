/*
 * A catalogue over a view of four members, for its tests.
 */
#ifndef SOCKETNET_TESTS_UNIT_CATALOG_WORLD_H
#define SOCKETNET_TESTS_UNIT_CATALOG_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/catalog/catalog.h"
#include "tests/unit/fake_node.h"

static const uint8_t cluster[RECORD_CLUSTER_SIZE] = "0123456789abcdef";

struct world {
    struct node *node;
    struct catalog *catalog;
};

static inline struct world world_make(const char *range)
{
    struct world world = {.node = fake_node_new()};
    struct prefix prefix;

    assert_int_equal(prefix_parse(range, &prefix), 0);
    assert_int_equal(catalog_new(cluster, &prefix, &world.catalog), 0);
    for (uint8_t i = 1; i <= 4; i++) {
        (void)fake_node_member(world.node, i);
    }
    return world;
}

static inline void world_done(struct world *world)
{
    assert_null(catalog_free(world->catalog));
    fake_node_free(world->node);
}

static inline void world_rebuild(struct world *world)
{
    assert_int_equal(catalog_rebuild(world->catalog, world->node), 0);
}

static inline void world_put(struct world *world, uint8_t member,
                             const char *function, const char *address,
                             uint16_t slot)
{
    struct body_service service = fake_service(function, address, 6379);

    service.slot = slot;
    fake_node_service(world->node, member, &service);
}

#endif
