/*
 * What a DNS question about a node costs, by the number of members: the answer
 * as it is made (the catalogue's index), and for comparison one walk over all
 * members, as it was before there was an index.  Not run by tests/run:
 *
 *     ninja -C build-dev-gcc tests/bench/dns_index
 *     build-dev-gcc/tests/bench/dns_index
 *
 * Sanitizers make everything some times slower; a build with -Db_sanitize=none
 * -Doptimization=2 gives the numbers that docs/BENCHMARKS.md has.
 */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/catalog/catalog.h"
#include "agent/dns/dns_answer.h"
#include "tests/unit/dns_text.h"
#include "tests/unit/fake_node.h"

#define QUESTIONS 2000u
#define TYPE_A    1
#define TYPE_PTR  12

struct world {
    struct node *node;
    struct catalog *catalog;
    struct dns_zone *zone;
    uint32_t n_members;
};

static double now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail */
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void world_init(struct world *world, uint32_t n_members)
{
    static const uint8_t cluster[RECORD_CLUSTER_SIZE] = {1};
    struct prefix range = {.address = {.family = 4, .bytes = {100, 80}},
                           .len = 12};
    int error = catalog_new(cluster, &range, &world->catalog);

    assert(error == 0);
    world->n_members = n_members;
    world->node = fake_node_new();
    for (uint32_t i = 1; i <= n_members; i++) {
        (void)fake_node_member(world->node, i);
    }
    error = catalog_rebuild(world->catalog, world->node);
    assert(error == 0);
    error =
        dns_zone_new("mesh.internal", "host1", 1, world->catalog, &world->zone);
    assert(error == 0);
}

static void world_done(struct world *world)
{
    world->zone = dns_zone_free(world->zone);
    world->catalog = catalog_free(world->catalog);
    fake_node_free(world->node);
}

/* Name of the question about the i-th member. */
static void question(const struct world *world, uint32_t i, uint16_t type,
                     char text[96])
{
    const struct catalog_node *node;
    const uint8_t *bytes;

    (void)snprintf(text, 96, "host%u", 1 + i * 7919u % world->n_members);
    node = catalog_find_node(world->catalog, text);
    assert(node != NULL);
    if (type == TYPE_PTR) {
        bytes = node->address.bytes;
        (void)snprintf(text, 96, "%u.%u.%u.%u.in-addr.arpa", bytes[3], bytes[2],
                       bytes[1], bytes[0]);
    } else {
        (void)snprintf(text, 96, "%s.node.mesh.internal", node->name);
    }
}

/* Microseconds of one answer. */
static double measure(const struct world *world, uint16_t type)
{
    static const struct dns_asker asker = {0};
    static uint8_t answer[DNS_TCP_SIZE];
    struct dns_answer_info info;
    double spent_us = 0;

    for (uint32_t i = 0; i < QUESTIONS; i++) {
        uint8_t query[512];
        char text[96];
        size_t size, answer_size;
        double start_us;
        int error;

        question(world, i, type, text);
        size = dns_text_query(text, type, 0, query, sizeof(query));
        start_us = now_us();
        error = dns_answer(world->zone, &asker, query, size, answer,
                           &answer_size, &info);
        spent_us += now_us() - start_us;
        assert(error == 0 && info.rcode == 0);
    }
    return spent_us / QUESTIONS;
}

/* Microseconds of finding a member's name among all of them. */
static double measure_walk(const struct world *world)
{
    double start_us = now_us();
    uint32_t n_found = 0;

    for (uint32_t i = 0; i < QUESTIONS / 20; i++) {
        char wanted[BODY_NAME_SIZE], name[BODY_NAME_SIZE];
        struct node_member member;

        (void)snprintf(wanted, sizeof(wanted), "host%u",
                       1 + i * 7919u % world->n_members);
        for (size_t at = 0; node_member_next(world->node, &at, &member);) {
            if (body_name_canonical(member.certificate->name, name) == 0 &&
                strcmp(name, wanted) == 0) {
                n_found++;
                break;
            }
        }
    }
    assert(n_found == QUESTIONS / 20);
    return (now_us() - start_us) / (QUESTIONS / 20.0);
}

int main(void)
{
    static const uint32_t sizes[] = {100, 1000, 10000};

    (void)printf("%8s %12s %12s %12s %12s\n", "members", "node us", "ptr us",
                 "walk us", "rebuild us");
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        struct world world = {0};
        double start_us, rebuild_us;
        int error;

        world_init(&world, sizes[i]);
        start_us = now_us();
        error = catalog_rebuild(world.catalog, world.node);
        rebuild_us = now_us() - start_us;
        assert(error == 0);
        (void)printf("%8u %12.2f %12.2f %12.2f %12.2f\n", sizes[i],
                     measure(&world, TYPE_A), measure(&world, TYPE_PTR),
                     measure_walk(&world), rebuild_us);
        world_done(&world);
    }
    return 0;
}
