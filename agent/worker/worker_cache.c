/*
 * What the switch holds, as we know it: kept from the last dump, moved on by
 * our own changes, compared with a new dump after somebody else's.  Pure.
 */
#include "agent/worker/worker_cache.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/worker/worker_holddown.h"
#include "reconcilers/openflow/openflow.h"

static bool group_is_ours(const struct group *group)
{
    return (group->id & FLOW_GROUP_MASK) == FLOW_GROUP_PREFIX;
}

/* The wanted flow is borrowed from the plan, whose array we may take from. */
static struct flow take_flow(struct plan *plan, const struct flow *wanted)
{
    struct flow *flow = &plan->flows[wanted - plan->flows];
    struct flow taken = *flow;

    flow->instructions = NULL;
    flow->instructions_size = 0;
    return taken;
}

static struct group take_group(struct plan *plan, const struct group *wanted)
{
    struct group *group = &plan->groups[wanted - plan->groups];
    struct group taken = *group;

    group->buckets = NULL;
    group->buckets_size = 0;
    return taken;
}

static int commit_flows(struct ofconn_dump *present, struct plan *plan,
                        const struct diff *diff)
{
    size_t n_max = present->n_flows + diff->n_flows;
    struct flow *grown;

    /* The diff points into the array: first what does not move it. */
    for (size_t i = 0; i < diff->n_flows; i++) {
        const struct diff_flow *change = &diff->flows[i];
        struct flow *at =
            change->present != NULL
                ? &present->flows[change->present - present->flows]
                : NULL;

        if (at == NULL || change->op == DIFF_CONFLICT) {
            continue;
        }
        flow_done(at);
        if (change->op == DIFF_MODIFY) {
            *at = take_flow(plan, change->wanted);
        } else {
            *at = (struct flow){.table = UINT8_MAX}; /* dropped below */
        }
    }
    grown =
        reallocarray(present->flows, MAX_OF(n_max, (size_t)1), sizeof(*grown));
    if (grown == NULL) {
        return -ENOMEM;
    }
    present->flows = grown;
    n_max = present->n_flows;
    present->n_flows = 0;
    for (size_t i = 0; i < n_max; i++) {
        if (grown[i].table != UINT8_MAX) {
            grown[present->n_flows++] = grown[i];
        }
    }
    for (size_t i = 0; i < diff->n_flows; i++) {
        if (diff->flows[i].op == DIFF_ADD) {
            grown[present->n_flows++] = take_flow(plan, diff->flows[i].wanted);
        }
    }
    return 0;
}

static int commit_groups(struct ofconn_dump *present, struct plan *plan,
                         const struct diff *diff)
{
    size_t n_max = present->n_groups + diff->n_groups;
    struct group *grown;

    for (size_t i = 0; i < diff->n_groups; i++) {
        const struct diff_group *change = &diff->groups[i];
        struct group *at =
            change->present != NULL
                ? &present->groups[change->present - present->groups]
                : NULL;

        if (at == NULL || change->op == DIFF_CONFLICT) {
            continue;
        }
        group_done(at);
        if (change->op == DIFF_MODIFY) {
            *at = take_group(plan, change->wanted);
        } else {
            *at = (struct group){.id = UINT32_MAX}; /* dropped below */
        }
    }
    grown =
        reallocarray(present->groups, MAX_OF(n_max, (size_t)1), sizeof(*grown));
    if (grown == NULL) {
        return -ENOMEM;
    }
    present->groups = grown;
    n_max = present->n_groups;
    present->n_groups = 0;
    for (size_t i = 0; i < n_max; i++) {
        if (grown[i].id != UINT32_MAX) {
            grown[present->n_groups++] = grown[i];
        }
    }
    for (size_t i = 0; i < diff->n_groups; i++) {
        if (diff->groups[i].op == DIFF_ADD) {
            grown[present->n_groups++] =
                take_group(plan, diff->groups[i].wanted);
        }
    }
    return 0;
}

int worker_cache_commit(struct ofconn_dump *present, struct plan *plan,
                        const struct diff *diff)
{
    int error = commit_flows(present, plan, diff);

    return error < 0 ? error : commit_groups(present, plan, diff);
}

static int compare_flows(const void *a, const void *b)
{
    return flow_compare_key(a, b);
}

static int compare_groups(const void *a, const void *b)
{
    return group_compare_key(a, b);
}

struct drift {
    struct worker_holddown *holddown;
    uint64_t now_ms;
    worker_cache_held_fn fn;
    void *data;
    bool is_counting; /* only how many there are */
    size_t n;
};

static void note(struct drift *drift, const struct flow *flow,
                 uint32_t group_id)
{
    uint32_t wait_ms;
    char what[32];

    drift->n++;
    if (drift->is_counting) {
        return;
    }
    wait_ms =
        worker_holddown_note(drift->holddown, flow, group_id, drift->now_ms);
    if (wait_ms == 0) {
        return;
    }
    if (flow != NULL) {
        _cleanup_(free_pointer) char *text = openflow_flow_text(flow);

        drift->fn(text != NULL ? text : "a flow", wait_ms, drift->data);
        return;
    }
    (void)snprintf(what, sizeof(what), "group_id=%u", group_id);
    drift->fn(what, wait_ms, drift->data);
}

static void drift_flows(struct drift *drift, const struct ofconn_dump *known,
                        const struct ofconn_dump *there)
{
    size_t i = 0;
    size_t j = 0;

    while (i < known->n_flows || j < there->n_flows) {
        /* An empty list may be NULL. */
        const struct flow *a = i < known->n_flows ? &known->flows[i] : NULL;
        const struct flow *b = j < there->n_flows ? &there->flows[j] : NULL;
        int order = i == known->n_flows   ? 1
                    : j == there->n_flows ? -1
                                          : flow_compare_key(a, b);

        if (order > 0 && flow_cookie_is_ours(b->cookie)) {
            note(drift, b, 0);
        } else if (order < 0 && flow_cookie_is_ours(a->cookie)) {
            note(drift, a, 0);
        } else if (order == 0 && flow_cookie_is_ours(a->cookie) &&
                   !flow_equal(a, b)) {
            note(drift, a, 0);
        }
        i += order <= 0;
        j += order >= 0;
    }
}

static void drift_groups(struct drift *drift, const struct ofconn_dump *known,
                         const struct ofconn_dump *there)
{
    size_t i = 0;
    size_t j = 0;

    while (i < known->n_groups || j < there->n_groups) {
        const struct group *a = i < known->n_groups ? &known->groups[i] : NULL;
        const struct group *b = j < there->n_groups ? &there->groups[j] : NULL;
        int order = i == known->n_groups   ? 1
                    : j == there->n_groups ? -1
                                           : group_compare_key(a, b);
        const struct group *one = order > 0 ? b : a;

        if (group_is_ours(one) && (order != 0 || !group_equal(a, b))) {
            note(drift, NULL, one->id);
        }
        i += order <= 0;
        j += order >= 0;
    }
}

void worker_cache_drift(struct ofconn_dump *known, struct ofconn_dump *there,
                        struct worker_holddown *holddown, uint64_t now_ms,
                        worker_cache_held_fn fn, void *data)
{
    struct drift drift = {.holddown = holddown,
                          .now_ms = now_ms,
                          .fn = fn,
                          .data = data,
                          .is_counting = true};
    struct ofconn_dump *both[] = {known, there};
    uint32_t wait_ms;

    for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
        if (both[i]->n_flows > 0) {
            qsort(both[i]->flows, both[i]->n_flows, sizeof(struct flow),
                  compare_flows);
        }
        if (both[i]->n_groups > 0) {
            qsort(both[i]->groups, both[i]->n_groups, sizeof(struct group),
                  compare_groups);
        }
    }
    drift_flows(&drift, known, there);
    drift_groups(&drift, known, there);
    if (drift.n >= HOLDDOWN_WHOLE_MIN) {
        wait_ms = worker_holddown_note_whole(holddown, now_ms);
        if (wait_ms != 0) {
            fn("the whole bridge", wait_ms, data);
        }
        return;
    }
    drift.is_counting = false;
    drift_flows(&drift, known, there);
    drift_groups(&drift, known, there);
}

size_t worker_cache_hold(struct diff *diff,
                         const struct worker_holddown *holddown,
                         uint64_t now_ms)
{
    size_t n = 0, n_held = 0;

    for (size_t i = 0; i < diff->n_flows; i++) {
        const struct diff_flow *change = &diff->flows[i];
        const struct flow *flow =
            change->wanted != NULL ? change->wanted : change->present;

        if (change->op == DIFF_CONFLICT) {
            continue;
        }
        if (worker_holddown_is_held(holddown, flow, 0, now_ms)) {
            n_held++;
        } else {
            diff->flows[n++] = *change;
        }
    }
    diff->n_flows = n;
    n = 0;
    for (size_t i = 0; i < diff->n_groups; i++) {
        const struct diff_group *change = &diff->groups[i];
        uint32_t id =
            change->wanted != NULL ? change->wanted->id : change->present->id;

        if (worker_holddown_is_held(holddown, NULL, id, now_ms)) {
            n_held++;
        } else {
            diff->groups[n++] = *change;
        }
    }
    diff->n_groups = n;
    return n_held;
}
