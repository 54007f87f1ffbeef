/*
 * How much of something may still happen: so much a second, and a burst of so
 * much at once.  The generic cell rate algorithm (ITU-T I.371 annex A), which
 * is the token bucket with one number of state: when the bucket will be full
 * again.  Zeroed memory is a full bucket.
 */
#ifndef SOCKETNET_GOSSIP_BASE_BUDGET_H
#define SOCKETNET_GOSSIP_BASE_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#define BUDGET_NS_PER_S  UINT64_C(1000000000)
#define BUDGET_NS_PER_MS UINT64_C(1000000)

struct budget {
    uint64_t full_ns; /* monotonic */
};

/* Both at most 2^32, so that nothing overflows. */
struct budget_rate {
    uint64_t per_s;
    uint64_t burst;
};

/* What may happen now. */
static inline uint64_t budget_left(const struct budget *budget,
                                   struct budget_rate rate, uint64_t now_ms)
{
    uint64_t now_ns = now_ms * BUDGET_NS_PER_MS;
    uint64_t used_ns = budget->full_ns > now_ns ? budget->full_ns - now_ns : 0;
    uint64_t burst_ns = rate.burst * BUDGET_NS_PER_S / rate.per_s;

    if (used_ns >= burst_ns) {
        return 0;
    }
    /* In two parts, so that large ones do not overflow. */
    burst_ns -= used_ns;
    return burst_ns / BUDGET_NS_PER_S * rate.per_s +
           burst_ns % BUDGET_NS_PER_S * rate.per_s / BUDGET_NS_PER_S;
}

/* It has happened, whether it might or not: a debt is paid off by waiting. */
static inline void budget_spend(struct budget *budget, struct budget_rate rate,
                                uint64_t now_ms, uint64_t n)
{
    uint64_t now_ns = now_ms * BUDGET_NS_PER_MS;

    if (budget->full_ns < now_ns) {
        budget->full_ns = now_ns;
    }
    budget->full_ns += n * BUDGET_NS_PER_S / rate.per_s;
}

/* True, and it is spent; or false, and nothing is. */
static inline bool budget_take(struct budget *budget, struct budget_rate rate,
                               uint64_t now_ms, uint64_t n)
{
    if (budget_left(budget, rate, now_ms) < n) {
        return false;
    }
    budget_spend(budget, rate, now_ms, n);
    return true;
}

#endif
