/*
 * A seeded generator for protocol choices (whom to probe, jitter).  It is
 * state in a struct, so a run replays from its seed.  Never used for keys,
 * nonces or tokens: those come from libsodium in agent/.
 *
 * splitmix64: Steele, Lea, Flood, "Fast splittable pseudorandom number
 * generators", OOPSLA 2014.
 */
#ifndef SOCKETNET_GOSSIP_BASE_RNG_H
#define SOCKETNET_GOSSIP_BASE_RNG_H

#include <stdint.h>

struct rng {
    uint64_t state;
};

static inline struct rng rng_init(uint64_t seed)
{
    return (struct rng){.state = seed};
}

static inline uint64_t rng_next(struct rng *rng)
{
    uint64_t z = (rng->state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* A value in [0, bound); 0 when bound is 0.  Bias is below 2^-32 for the
 * small bounds used here. */
static inline uint64_t rng_below(struct rng *rng, uint64_t bound)
{
    return bound == 0 ? 0 : rng_next(rng) % bound;
}

#endif
