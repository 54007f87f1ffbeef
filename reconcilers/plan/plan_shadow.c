/*
 * Flows of others that take packets which ours are for: those that overlap one
 * of ours in its table and have its priority or a higher one.  The switch does
 * what they say; here they are only found.  Pure.
 */
#include "reconcilers/plan/plan.h"

#include <string.h>

/* One that does the same, as a drop does, is in nobody's way. */
static bool is_shadowed(const struct flow *ours, const struct flow *foreign)
{
    bool is_same = ours->instructions_size == foreign->instructions_size &&
                   (ours->instructions_size == 0 ||
                    memcmp(ours->instructions, foreign->instructions,
                           ours->instructions_size) == 0);

    return ours->table == foreign->table &&
           ours->priority <= foreign->priority && !is_same &&
           flow_match_overlaps(&ours->match, &foreign->match);
}

/* The lowest priority that ours have in each table, but for the misses: most
 * flows of others lie below it and need no closer look. */
static void find_lowest(const struct plan *plan, uint32_t lowest[UINT8_MAX + 1])
{
    for (size_t i = 0; i <= UINT8_MAX; i++) {
        lowest[i] = UINT32_MAX;
    }
    for (size_t i = 0; i < plan->n_flows; i++) {
        const struct flow *flow = &plan->flows[i];

        if (flow->priority > 0) {
            lowest[flow->table] =
                MIN_OF(lowest[flow->table], (uint32_t)flow->priority);
        }
    }
}

/* What one foreign flow covers: how many, the highest of them first. */
static void find_one(const struct plan *plan, const struct flow *foreign,
                     struct plan_shadow *ret)
{
    *ret = (struct plan_shadow){.foreign = foreign};
    for (size_t i = 0; i < plan->n_flows; i++) {
        const struct flow *flow = &plan->flows[i];

        /* Ours end in a miss of no weight. */
        if (flow->priority == 0 || !is_shadowed(flow, foreign)) {
            continue;
        }
        if (ret->n_flows == 0) {
            ret->flow = flow;
        }
        ret->n_flows++;
    }
}

size_t plan_find_shadows(const struct plan *plan, const struct flow *present,
                         size_t n_present,
                         struct plan_shadow ret[PLAN_SHADOWS_MAX])
{
    uint32_t lowest[UINT8_MAX + 1];
    size_t n = 0;

    find_lowest(plan, lowest);
    for (size_t i = 0; i < n_present && n < PLAN_SHADOWS_MAX; i++) {
        if (flow_cookie_is_ours(present[i].cookie) ||
            present[i].priority < lowest[present[i].table]) {
            continue;
        }
        find_one(plan, &present[i], &ret[n]);
        n += ret[n].n_flows > 0;
    }
    return n;
}
