/*
 * The charter of a cluster of tests: one root, and ranges that hold what they
 * use.
 */
#ifndef SOCKETNET_TESTS_UNIT_CHARTER_SAMPLE_H
#define SOCKETNET_TESTS_UNIT_CHARTER_SAMPLE_H

#include <assert.h>
#include <string.h>

#include "gossip/wire/body.h"

struct charter_sample {
    struct body_charter_parent genesis;
    struct body_charter charter;
    uint8_t bytes[LIMIT_RECORD_SIZE]; /* its record */
    size_t size;
};

/* Texts of prefixes, at most two each, NULL: none. */
struct charter_ranges {
    const char *containers[2];
    const char *mesh[2];
    const char *services[2];
};

static inline size_t charter_sample_prefixes(const char *const texts[2],
                                             struct prefix *ret)
{
    size_t n = 0;

    while (n < 2 && texts[n] != NULL) {
        int error = prefix_parse(texts[n], &ret[n]);

        assert(error == 0);
        (void)error;
        n++;
    }
    return n;
}

static inline struct charter_sample
charter_sample_make(const uint8_t cluster[RECORD_CLUSTER_SIZE],
                    const uint8_t secret[64],
                    const struct charter_ranges *ranges)
{
    struct charter_sample sample = {
        .genesis = {.n_roots = 1, .threshold = 1},
        .charter = {.generation = 1, .n_roots = 1, .threshold = 1},
    };
    struct body_charter *charter = &sample.charter;
    int error;

    memcpy(sample.genesis.roots[0], secret + 32, 32);
    memcpy(charter->roots[0], secret + 32, 32);
    charter->n_containers =
        charter_sample_prefixes(ranges->containers, charter->containers);
    charter->n_mesh = charter_sample_prefixes(ranges->mesh, charter->mesh);
    charter->n_services =
        charter_sample_prefixes(ranges->services, charter->services);
    error = body_sign_charter(cluster, secret, charter);
    assert(error == 0);
    error = body_build_charter(cluster, charter, secret,
                               (struct record_order){0, 1}, 1, sample.bytes,
                               sizeof(sample.bytes), &sample.size);
    assert(error == 0);
    (void)error;
    return sample;
}

#endif
