/*
 * Any query: nothing may crash, no answer may be larger than it is allowed to
 * be, and every answer is a whole message that libknot reads again.  The
 * first byte of the input chooses who asks, and how.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/dns/dns_answer.h"
#include "tests/unit/fake_node.h"

/* After ours: it defines our _cleanup_ again, in the same words. */
#include <libknot/libknot.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { N_MEMBERS = 20 };

struct world {
    struct node *node;
    struct catalog *catalog;
    struct dns_zone *zone;
};

/* 40 instances of one function, in every state. */
static void world_init(struct world *world)
{
    static const uint8_t cluster[RECORD_CLUSTER_SIZE] = {1};
    struct prefix range = {.address = {.family = 4, .bytes = {100, 80}},
                           .len = 12};
    int error = catalog_new(cluster, &range, &world->catalog);

    assert(error == 0);
    world->node = fake_node_new();
    for (uint8_t i = 1; i <= N_MEMBERS; i++) {
        struct node_member *member = fake_node_member(world->node, i);

        member->is_heard = i % 3 != 0;
        member->is_reachable = i % 5 != 0;
        member->state = i % 7 == 0 ? NODE_MEMBER_DEAD : NODE_MEMBER_ALIVE;
        for (uint8_t k = 0; k < 2; k++) {
            struct body_service service =
                fake_service("redis", "10.0.0.203", 6379);

            service.address.bytes[2] = (uint8_t)(i + k);
            service.health = k == 0 ? 0 : i % 4;
            (void)snprintf(service.instance, sizeof(service.instance), "i%u",
                           k + i / 4u);
            fake_node_service(world->node, i, &service);
        }
    }
    fake_node_function(world->node, 1, "redis", "100.80.0.1");
    error = catalog_rebuild(world->catalog, world->node);
    assert(error == 0);
    error =
        dns_zone_new("mesh.internal", "host1", 1, world->catalog, &world->zone);
    assert(error == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct world world; /* no query changes it */
    uint8_t *answer = malloc(DNS_TCP_SIZE);
    struct dns_asker asker;
    struct dns_answer_info info;
    size_t answer_size = 0;

    assert(answer != NULL);
    if (world.zone == NULL) {
        world_init(&world);
    }
    if (size > 0) {
        asker = (struct dns_asker){.dials_functions = (bytes[0] & 1) != 0,
                                   .is_tcp = (bytes[0] & 2) != 0};
        if (dns_answer(world.zone, &asker, bytes + 1, size - 1, answer,
                       &answer_size, &info) == 0) {
            knot_pkt_t *packet;

            assert(answer_size >= 12);
            assert(answer_size <=
                   (asker.is_tcp ? (size_t)DNS_TCP_SIZE : DNS_UDP_SIZE));
            assert(memcmp(answer, bytes + 1, 2) == 0);
            packet = knot_pkt_new(answer, (uint16_t)answer_size, NULL);
            assert(packet != NULL);
            assert(answer_size == 12 || knot_pkt_parse(packet, 0) == KNOT_EOK);
            knot_pkt_free(packet);
        }
    }
    free(answer);
    return 0;
}
