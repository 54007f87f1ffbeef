/*
 * Hold-down of flows and groups that somebody else keeps rewriting.
 */
#include "agent/worker/worker_holddown.h"

#include <stdlib.h>
#include <string.h>

enum holddown_kind {
    HOLDDOWN_FLOW,
    HOLDDOWN_GROUP,
    HOLDDOWN_WHOLE,
};

struct worker_holddown_entry {
    enum holddown_kind kind;
    uint32_t group_id;
    struct flow flow;                     /* the key only, owns nothing */
    uint64_t times_ms[HOLDDOWN_REWRITES]; /* of the last ones, oldest first */
    size_t n_times;
    uint64_t held_until_ms;
    uint32_t wait_ms; /* of the last hold, 0: never held */
    uint64_t last_ms;
};

void worker_holddown_done(struct worker_holddown *holddown)
{
    free(holddown->entries);
    *holddown = (struct worker_holddown){0};
}

static bool is_it(const struct worker_holddown_entry *entry,
                  enum holddown_kind kind, const struct flow *flow,
                  uint32_t group_id)
{
    return entry->kind == kind &&
           (kind != HOLDDOWN_GROUP || entry->group_id == group_id) &&
           (kind != HOLDDOWN_FLOW || flow_compare_key(&entry->flow, flow) == 0);
}

static struct worker_holddown_entry *
find(const struct worker_holddown *holddown, enum holddown_kind kind,
     const struct flow *flow, uint32_t group_id)
{
    for (size_t i = 0; i < holddown->n_entries; i++) {
        struct worker_holddown_entry *entry = &holddown->entries[i];

        if (is_it(entry, kind, flow, group_id)) {
            return entry;
        }
    }
    return NULL;
}

/* A place for one more: a new one, or that of the quietest. */
static struct worker_holddown_entry *make_room(struct worker_holddown *holddown)
{
    struct worker_holddown_entry *quietest = holddown->entries;

    if (holddown->n_entries == holddown->capacity &&
        holddown->capacity < HOLDDOWN_ENTRIES_MAX) {
        size_t capacity = MAX_OF(holddown->capacity * 2, 8);
        void *grown =
            realloc(holddown->entries, capacity * sizeof(*holddown->entries));

        if (grown == NULL) {
            return NULL;
        }
        holddown->entries = grown;
        holddown->capacity = capacity;
    }
    if (holddown->n_entries < holddown->capacity) {
        return &holddown->entries[holddown->n_entries++];
    }
    for (size_t i = 1; i < holddown->n_entries; i++) {
        if (holddown->entries[i].last_ms < quietest->last_ms) {
            quietest = &holddown->entries[i];
        }
    }
    return quietest;
}

static void forget_old(struct worker_holddown *holddown, uint64_t now_ms)
{
    for (size_t i = 0; i < holddown->n_entries;) {
        struct worker_holddown_entry *entry = &holddown->entries[i];

        if (now_ms - entry->last_ms >= HOLDDOWN_FORGET_MS &&
            entry->held_until_ms <= now_ms) {
            *entry = holddown->entries[--holddown->n_entries];
        } else {
            i++;
        }
    }
}

static uint32_t note(struct worker_holddown *holddown, enum holddown_kind kind,
                     const struct flow *flow, uint32_t group_id,
                     uint64_t now_ms)
{
    struct worker_holddown_entry *entry;
    bool is_often;

    forget_old(holddown, now_ms);
    entry = find(holddown, kind, flow, group_id);
    if (entry == NULL) {
        entry = make_room(holddown);
        if (entry == NULL) {
            return 0;
        }
        *entry =
            (struct worker_holddown_entry){.kind = kind, .group_id = group_id};
        if (flow != NULL) {
            entry->flow = *flow;
            entry->flow.instructions = NULL;
            entry->flow.instructions_size = 0;
        }
    }
    entry->last_ms = now_ms;
    if (entry->held_until_ms > now_ms) {
        return 0; /* known already; the hold goes on */
    }
    is_often = entry->n_times == HOLDDOWN_REWRITES &&
               now_ms - entry->times_ms[0] < HOLDDOWN_WINDOW_MS;
    if (!is_often) {
        if (entry->n_times == HOLDDOWN_REWRITES) {
            memmove(&entry->times_ms[0], &entry->times_ms[1],
                    sizeof(entry->times_ms) - sizeof(entry->times_ms[0]));
            entry->n_times--;
        }
        entry->times_ms[entry->n_times++] = now_ms;
        /* Rewritten again although it was held: the first repair after a
         * hold does not start the count anew. */
        if (entry->wait_ms == 0 ||
            now_ms - entry->held_until_ms >= HOLDDOWN_WINDOW_MS) {
            return 0;
        }
    }
    entry->wait_ms = entry->wait_ms == 0
                         ? HOLDDOWN_MIN_MS
                         : MIN_OF(entry->wait_ms * 2, HOLDDOWN_MAX_MS);
    entry->held_until_ms = now_ms + entry->wait_ms;
    entry->n_times = 0;
    return entry->wait_ms;
}

uint32_t worker_holddown_note(struct worker_holddown *holddown,
                              const struct flow *flow, uint32_t group_id,
                              uint64_t now_ms)
{
    return note(holddown, flow != NULL ? HOLDDOWN_FLOW : HOLDDOWN_GROUP, flow,
                group_id, now_ms);
}

uint32_t worker_holddown_note_whole(struct worker_holddown *holddown,
                                    uint64_t now_ms)
{
    return note(holddown, HOLDDOWN_WHOLE, NULL, 0, now_ms);
}

bool worker_holddown_is_held(const struct worker_holddown *holddown,
                             const struct flow *flow, uint32_t group_id,
                             uint64_t now_ms)
{
    const struct worker_holddown_entry *whole =
        find(holddown, HOLDDOWN_WHOLE, NULL, 0);
    const struct worker_holddown_entry *entry =
        find(holddown, flow != NULL ? HOLDDOWN_FLOW : HOLDDOWN_GROUP, flow,
             group_id);

    return (whole != NULL && whole->held_until_ms > now_ms) ||
           (entry != NULL && entry->held_until_ms > now_ms);
}

uint64_t worker_holddown_next_ms(const struct worker_holddown *holddown,
                                 uint64_t now_ms)
{
    uint64_t next = UINT64_MAX;

    for (size_t i = 0; i < holddown->n_entries; i++) {
        uint64_t until = holddown->entries[i].held_until_ms;

        if (until > now_ms) {
            next = MIN_OF(next, until);
        }
    }
    return next;
}
