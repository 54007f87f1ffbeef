/*
 * So many of something in a second, and no more: for what containers can cause.
 */
#ifndef SOCKETNET_AGENT_WORKER_WORKER_RATE_H
#define SOCKETNET_AGENT_WORKER_WORKER_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct worker_rate {
    uint64_t second; /* the one that n counts in */
    uint32_t n;      /* the caller counts up what it lets through */
};

/* Whether there is room for one more now. */
static inline bool worker_rate_has_room(struct worker_rate *rate,
                                        uint64_t now_ms, uint32_t max)
{
    if (rate->second != now_ms / 1000) {
        rate->second = now_ms / 1000;
        rate->n = 0;
    }
    return rate->n < max;
}

#endif
