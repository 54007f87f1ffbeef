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

/* After ours: it defines our _cleanup_ again, in the same words. */
#include <libknot/libknot.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { N_INSTANCES = 40 };

struct world {
    struct catalog_instance instances[N_INSTANCES];
    struct catalog_function function;
    struct dns_zone *zone;
};

static const struct catalog_function *find(const char *name, void *data)
{
    struct world *world = data;
    char canonical[BODY_NAME_SIZE];

    return body_name_canonical(name, canonical) == 0 &&
                   strcmp(canonical, world->function.name) == 0
               ? &world->function
               : NULL;
}

static const struct catalog_function *
find_address(const struct address *address, void *data)
{
    struct world *world = data;

    return address_equal(address, &world->function.address) ? &world->function
                                                            : NULL;
}

static const struct catalog_function *at(size_t index, void *data)
{
    struct world *world = data;

    return index == 0 ? &world->function : NULL;
}

static bool find_node(const char *name, struct address *ret, void *data)
{
    (void)data;
    *ret = (struct address){.family = 4, .bytes = {100, 104, 70, 1}};
    return strcmp(name, "host1") == 0;
}

static bool find_node_address(const struct address *address,
                              char ret_name[BODY_NAME_SIZE], void *data)
{
    (void)data;
    (void)snprintf(ret_name, BODY_NAME_SIZE, "host1");
    return address->bytes[0] == 100;
}

static void world_init(struct world *world)
{
    struct dns_source source = {find,      find_address,      at,
                                find_node, find_node_address, world};
    int error =
        dns_zone_new("mesh.internal", "host1", 1, &source, &world->zone);

    assert(error == 0);
    for (uint8_t i = 0; i < N_INSTANCES; i++) {
        struct catalog_instance *instance = &world->instances[i];

        instance->state = (enum catalog_state)(i % 6);
        instance->service.protocol = 6;
        instance->service.port = 6379;
        instance->service.address =
            (struct address){.family = 4, .bytes = {10, 0, i, 203}};
        (void)snprintf(instance->service.instance,
                       sizeof(instance->service.instance), "i%u", i / 2);
        (void)snprintf(instance->node, sizeof(instance->node), "host%u", i);
    }
    (void)snprintf(world->function.name, sizeof(world->function.name), "redis");
    world->function.address =
        (struct address){.family = 4, .bytes = {100, 80, 0, 1}};
    world->function.instances = world->instances;
    world->function.n_instances = N_INSTANCES;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct world *world = calloc(1, sizeof(*world));
    uint8_t *answer = malloc(DNS_TCP_SIZE);
    struct dns_asker asker;
    struct dns_answer_info info;
    size_t answer_size = 0;

    assert(world != NULL && answer != NULL);
    world_init(world);
    if (size > 0) {
        asker = (struct dns_asker){.is_container = (bytes[0] & 1) != 0,
                                   .is_tcp = (bytes[0] & 2) != 0};
        if (dns_answer(world->zone, &asker, bytes + 1, size - 1, answer,
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
    world->zone = dns_zone_free(world->zone);
    free(world);
    free(answer);
    return 0;
}
