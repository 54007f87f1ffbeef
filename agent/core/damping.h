/*
 * When a finding may be written: each change is a signed record for the whole
 * cluster.  Worse at once, better when it has been so for 2 s, but the first
 * time; after three changes one in 10 s.
 */
#ifndef SOCKETNET_AGENT_CORE_DAMPING_H
#define SOCKETNET_AGENT_CORE_DAMPING_H

#include <stdint.h>

#include "gossip/base/macros.h"

/* How one finding changed lately.  All zero at first. */
struct damping {
    uint64_t better_ms; /* nothing is found since then; 0: something is */
    unsigned n_spent;   /* changes not yet forgotten */
    uint64_t forget_ms; /* when the next of them is */
};

/* When a change of what is written to what is found (0: nothing) may be
 * written, on the clock of `now_ms`.  UINT64_MAX: there is nothing to change.
 */
uint64_t damping_due_ms(struct damping *damping, uint8_t written, uint8_t found,
                        uint64_t now_ms);
/* The change is written. */
void damping_spend(struct damping *damping, uint64_t now_ms);

#endif
