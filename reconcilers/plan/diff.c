/*
 * What must change in the switch: the plan's flows and groups beside those
 * of a dump, both sorted, walked once.  What is foreign is left alone.  Pure.
 */
#include "reconcilers/plan/plan.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "reconcilers/openflow/flow.h"

void diff_done(struct diff *diff)
{
    if (diff == NULL) {
        return;
    }
    free(diff->flows);
    free(diff->groups);
    *diff = (struct diff){0};
}

static int compare_flows(const void *a, const void *b)
{
    return flow_compare_key(a, b);
}

static int compare_groups(const void *a, const void *b)
{
    return group_compare_key(a, b);
}

static void note_flow(struct diff *diff, enum diff_op op,
                      const struct flow *wanted, const struct flow *present)
{
    diff->flows[diff->n_flows] =
        (struct diff_flow){.op = op, .wanted = wanted, .present = present};
    diff->n_flows++;
}

static void note_group(struct diff *diff, enum diff_op op,
                       const struct group *wanted, const struct group *present)
{
    diff->groups[diff->n_groups] =
        (struct diff_group){.op = op, .wanted = wanted, .present = present};
    diff->n_groups++;
}

/* <0: only the plan has the next flow, >0: only the switch, 0: both. */
static int order_flows(const struct plan *plan, size_t i,
                       const struct flow *present, size_t n_present, size_t j)
{
    if (i == plan->n_flows) {
        return 1;
    }
    return j == n_present ? -1 : flow_compare_key(&plan->flows[i], &present[j]);
}

static void diff_flows(struct diff *diff, const struct plan *plan,
                       const struct flow *present, size_t n_present)
{
    size_t i = 0, j = 0;

    while (i < plan->n_flows || j < n_present) {
        int order = order_flows(plan, i, present, n_present, j);
        bool is_ours = order >= 0 && flow_cookie_is_ours(present[j].cookie);

        if (order < 0) {
            note_flow(diff, DIFF_ADD, &plan->flows[i], NULL);
        } else if (order > 0 && is_ours) {
            note_flow(diff, DIFF_REMOVE, NULL, &present[j]);
        } else if (order == 0 && !is_ours) {
            note_flow(diff, DIFF_CONFLICT, &plan->flows[i], &present[j]);
        } else if (order == 0 && !flow_equal(&plan->flows[i], &present[j])) {
            note_flow(diff, DIFF_MODIFY, &plan->flows[i], &present[j]);
        }
        i += order <= 0;
        j += order >= 0;
    }
}

static int order_groups(const struct plan *plan, size_t i,
                        const struct group *present, size_t n_present, size_t j)
{
    if (i == plan->n_groups) {
        return 1;
    }
    return j == n_present ? -1
                          : group_compare_key(&plan->groups[i], &present[j]);
}

static void diff_groups(struct diff *diff, const struct plan *plan,
                        const struct group *present, size_t n_present)
{
    size_t i = 0, j = 0;

    while (i < plan->n_groups || j < n_present) {
        int order = order_groups(plan, i, present, n_present, j);

        if (order < 0) {
            note_group(diff, DIFF_ADD, &plan->groups[i], NULL);
        } else if (order > 0) {
            if ((present[j].id & FLOW_GROUP_MASK) == FLOW_GROUP_PREFIX) {
                note_group(diff, DIFF_REMOVE, NULL, &present[j]);
            }
        } else if (!group_equal(&plan->groups[i], &present[j])) {
            note_group(diff, DIFF_MODIFY, &plan->groups[i], &present[j]);
        }
        i += order <= 0;
        j += order >= 0;
    }
}

int diff_make(const struct plan *plan, struct flow *present, size_t n_present,
              struct group *present_groups, size_t n_present_groups,
              struct diff *ret)
{
    struct diff diff = DIFF_INIT;
    size_t n_flows = plan->n_flows + n_present;
    size_t n_groups = plan->n_groups + n_present_groups;

    if (n_flows > 0) {
        diff.flows = calloc(n_flows, sizeof(*diff.flows));
    }
    if (n_groups > 0) {
        diff.groups = calloc(n_groups, sizeof(*diff.groups));
    }
    if ((n_flows > 0 && diff.flows == NULL) ||
        (n_groups > 0 && diff.groups == NULL)) {
        diff_done(&diff);
        return -ENOMEM;
    }
    if (n_present > 0) {
        qsort(present, n_present, sizeof(*present), compare_flows);
    }
    if (n_present_groups > 0) {
        qsort(present_groups, n_present_groups, sizeof(*present_groups),
              compare_groups);
    }
    diff_flows(&diff, plan, present, n_present);
    diff_groups(&diff, plan, present_groups, n_present_groups);
    *ret = diff;
    return 0;
}
