/* The simulated underlay.  See network.h. */
#include "tests/sim/network.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Linux's smallest retransmission time-out. */
#define NETWORK_RETRANSMIT_US 200000u

void network_init(struct network *network, size_t n_nodes, uint64_t seed,
                  const struct network_config *config)
{
    *network = (struct network){
        .config = *config, .random = random_init(seed, 1), .n_nodes = n_nodes};
    network->groups = calloc(n_nodes, sizeof(*network->groups));
    network->cuts = calloc(n_nodes * n_nodes, sizeof(*network->cuts));
    assert(network->groups != NULL && network->cuts != NULL);
}

void network_done(struct network *network)
{
    free(network->groups);
    free(network->cuts);
    *network = (struct network){0};
}

bool network_is_cut(const struct network *network, uint32_t from, uint32_t to)
{
    return network->groups[from] != network->groups[to] ||
           network->cuts[from * network->n_nodes + to];
}

static uint32_t network_draw_delay(struct network *network)
{
    return (uint32_t)random_range(&network->random,
                                  network->config.delay_min_us,
                                  network->config.delay_max_us);
}

size_t network_draw(struct network *network, uint32_t from, uint32_t to,
                    uint32_t ret_delays_us[NETWORK_COPIES_MAX])
{
    struct random *random = &network->random;
    size_t n_copies = 1;

    if (network_is_cut(network, from, to) ||
        random_chance(random, network->config.loss)) {
        return 0;
    }
    n_copies += random_chance(random, network->config.duplicates) ? 1 : 0;
    for (size_t i = 0; i < n_copies; i++) {
        ret_delays_us[i] = network_draw_delay(network);
        if (random_chance(random, network->config.stragglers)) {
            ret_delays_us[i] += (uint32_t)random_range(random, 50000, 500000);
        }
    }
    return n_copies;
}

void network_damage(struct network *network, uint8_t *bytes, size_t size)
{
    struct random *random = &network->random;

    if (random_chance(random, network->config.bit_flips)) {
        bytes[random_below(random, size)] ^=
            (uint8_t)(1u << random_below(random, 8));
    }
}

uint32_t network_draw_segment(struct network *network)
{
    uint32_t delay_us = network_draw_delay(network);
    uint32_t wait_us = NETWORK_RETRANSMIT_US;

    while (random_chance(&network->random, network->config.loss)) {
        delay_us += wait_us;
        wait_us = wait_us < 2000000u ? wait_us * 2 : wait_us;
    }
    return delay_us;
}

void network_cut(struct network *network, uint32_t from, uint32_t to,
                 bool is_cut)
{
    network->cuts[from * network->n_nodes + to] = is_cut;
}

void network_set_group(struct network *network, uint32_t node, uint8_t group)
{
    network->groups[node] = group;
}

void network_heal(struct network *network)
{
    memset(network->groups, 0, network->n_nodes * sizeof(*network->groups));
    memset(network->cuts, 0,
           network->n_nodes * network->n_nodes * sizeof(*network->cuts));
}
