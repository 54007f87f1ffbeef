/*
 * Who keeps rewriting what is ours: a flow or group that somebody else
 * changes more than HOLDDOWN_REWRITES times in HOLDDOWN_WINDOW_MS is left
 * alone for a while, doubling each time, so that two controllers do not fight
 * at the speed of the machine.  Who rewrites many at once rewrites the whole,
 * which is held like one.  Pure.
 */
#ifndef SOCKETNET_AGENT_WORKER_WORKER_HOLDDOWN_H
#define SOCKETNET_AGENT_WORKER_WORKER_HOLDDOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/base/macros.h"
#include "reconcilers/openflow/flow.h"

#define HOLDDOWN_REWRITES  3
#define HOLDDOWN_WINDOW_MS 10000
#define HOLDDOWN_MIN_MS    1000
#define HOLDDOWN_MAX_MS    60000
/* Kept so long after the last rewrite, so that the wait keeps doubling. */
#define HOLDDOWN_FORGET_MS 120000
/* Past it the one that is quiet for longest is forgotten. */
#define HOLDDOWN_ENTRIES_MAX 256
/* So many rewritten at once are the whole. */
#define HOLDDOWN_WHOLE_MIN 128

struct worker_holddown_entry;

struct worker_holddown {
    struct worker_holddown_entry *entries; /* owned */
    size_t n_entries;
    size_t capacity;
};

void worker_holddown_done(struct worker_holddown *holddown);

/* Somebody rewrote this flow (by key), or the group when `flow` is NULL.
 * Returns how long it is left alone from now on, ms; 0: repair it.  Without
 * memory nothing is held. */
uint32_t worker_holddown_note(struct worker_holddown *holddown,
                              const struct flow *flow, uint32_t group_id,
                              uint64_t now_ms);
/* The same for all flows and groups together. */
uint32_t worker_holddown_note_whole(struct worker_holddown *holddown,
                                    uint64_t now_ms);
bool worker_holddown_is_held(const struct worker_holddown *holddown,
                             const struct flow *flow, uint32_t group_id,
                             uint64_t now_ms);
/* When the next one may be repaired, UINT64_MAX: none is held. */
uint64_t worker_holddown_next_ms(const struct worker_holddown *holddown,
                                 uint64_t now_ms);

#endif
