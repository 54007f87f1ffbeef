/*
 * The simulated underlay: which datagram arrives, how often and when.  Knows
 * nodes by index only; cluster.c carries the bytes.
 */
#ifndef SOCKETNET_TESTS_SIM_NETWORK_H
#define SOCKETNET_TESTS_SIM_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/sim/random.h"

/* Chances are in millionths. */
struct network_config {
    uint32_t loss;
    uint32_t duplicates;
    uint32_t stragglers; /* arrive 50 to 500 ms late */
    uint32_t bit_flips;  /* arrive with one bit wrong */
    uint32_t delay_min_us;
    uint32_t delay_max_us;
};

#define NETWORK_DEFAULT                                                        \
    {                                                                          \
        .delay_min_us = 200, .delay_max_us = 5000                              \
    }

struct network {
    struct network_config config;
    struct random random;
    size_t n_nodes;
    uint8_t *groups; /* of each node; different groups hear nothing */
    bool *cuts;      /* from * n_nodes + to: one direction is cut */
};

#define NETWORK_COPIES_MAX 2

void network_init(struct network *network, size_t n_nodes, uint64_t seed,
                  const struct network_config *config);
void network_done(struct network *network);

/* No packet passes from `from` to `to` now. */
bool network_is_cut(const struct network *network, uint32_t from, uint32_t to);
/* Draws the fate of a datagram: how many copies arrive, and when. */
size_t network_draw(struct network *network, uint32_t from, uint32_t to,
                    uint32_t ret_delays_us[NETWORK_COPIES_MAX]);
/* May damage one copy of a datagram. */
void network_damage(struct network *network, uint8_t *bytes, size_t size);
/* Delay of a segment of a TCP stream: what is lost is sent again. */
uint32_t network_draw_segment(struct network *network);

void network_cut(struct network *network, uint32_t from, uint32_t to,
                 bool is_cut);
void network_set_group(struct network *network, uint32_t node, uint8_t group);
/* One group, no cuts. */
void network_heal(struct network *network);

#endif
