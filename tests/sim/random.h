/*
 * The simulator's only source of chance: xoshiro256** (Blackman, Vigna 2018)
 * seeded by splitmix64.  Each part of the simulator owns one, so that a draw
 * more in one part does not shift the choices of the others.
 */
#ifndef SOCKETNET_TESTS_SIM_RANDOM_H
#define SOCKETNET_TESTS_SIM_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct random {
    uint64_t state[4];
};

/* `stream` tells apart the generators made from one seed. */
static inline struct random random_init(uint64_t seed, uint64_t stream)
{
    struct random random;
    uint64_t x = seed + stream * 0x632be59bd9b4e019u;

    for (size_t i = 0; i < 4; i++) {
        uint64_t z = (x += 0x9e3779b97f4a7c15u);

        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        random.state[i] = z ^ (z >> 31);
    }
    return random;
}

static inline uint64_t random_rotate(uint64_t x, unsigned by)
{
    return (x << by) | (x >> (64 - by));
}

static inline uint64_t random_next(struct random *random)
{
    uint64_t *s = random->state;
    uint64_t result = random_rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = random_rotate(s[3], 45);
    return result;
}

/* 0 to n - 1; n is not 0.  The bias below 2^-32 does not matter here. */
static inline uint64_t random_below(struct random *random, uint64_t n)
{
    return random_next(random) % n;
}

/* low to high, both included. */
static inline uint64_t random_range(struct random *random, uint64_t low,
                                    uint64_t high)
{
    return low + random_below(random, high - low + 1);
}

/* True in `ppm` of a million cases. */
static inline bool random_chance(struct random *random, uint32_t ppm)
{
    return random_below(random, 1000000) < ppm;
}

#endif
