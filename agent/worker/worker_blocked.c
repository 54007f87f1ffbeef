/*
 * See worker_blocked.h.
 */
#include "agent/worker/worker_blocked.h"

#include <stdio.h>
#include <string.h>

#include "agent/system/memory.h"
#include "reconcilers/openflow/openflow.h"
#include "reconcilers/ovs/ofconn.h"
#include "reconcilers/plan/plan.h"

/* Of a flow's text so much: both have to fit, with the words around them. */
#define FLOW_TEXT_MAX 180

static void put_flow(char text[FLOW_TEXT_MAX], const struct flow *flow)
{
    _cleanup_(free_pointer) char *whole = openflow_flow_text(flow);

    (void)snprintf(text, FLOW_TEXT_MAX, "%s", whole != NULL ? whole : "?");
}

static void name_both(struct worker_blocked *blocked,
                      const struct flow *foreign, const char *verb,
                      const struct flow *ours)
{
    char theirs_text[FLOW_TEXT_MAX], ours_text[FLOW_TEXT_MAX];

    if (blocked->text[0] != '\0') {
        return; /* one is enough for a line */
    }
    put_flow(theirs_text, foreign);
    put_flow(ours_text, ours);
    (void)snprintf(blocked->text, sizeof(blocked->text),
                   "the foreign flow \"%s\" %s \"%s\"", theirs_text, verb,
                   ours_text);
}

void worker_blocked_find(const struct plan *plan,
                         const struct ofconn_dump *present,
                         struct worker_blocked *ret)
{
    struct plan_shadow shadows[PLAN_SHADOWS_MAX];
    size_t n =
        plan_find_shadows(plan, present->flows, present->n_flows, shadows);

    *ret = (struct worker_blocked){0};
    for (size_t i = 0; i < n; i++) {
        name_both(ret, shadows[i].foreign,
                  flow_compare_key(shadows[i].foreign, shadows[i].flow) == 0
                      ? "is in the place of"
                      : "takes what is for",
                  shadows[i].flow);
        ret->n += shadows[i].n_flows;
    }
}

void worker_blocked_add_held(struct worker_blocked *blocked, size_t n_held)
{
    if (n_held > 0 && blocked->text[0] == '\0') {
        (void)snprintf(blocked->text, sizeof(blocked->text),
                       "somebody keeps rewriting them, so they are left alone "
                       "for a while");
    }
    blocked->n += n_held;
}
