/*
 * Taking everything away: the kernel's part at once, flows and groups by the
 * next round, whose plan is empty, the tunnel's port by the database.  Who
 * asked hears of it when both are done.
 */
#include "agent/worker/worker_removal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/system/log.h"
#include "agent/worker/worker_kernel.h"
#include "agent/worker/worker_private.h"
#include "agent/worker/worker_query.h"
#include "agent/worker/worker_reconcile.h"
#include "agent/worker/worker_switch.h"

struct worker_removal {
    bool is_asked;
    bool is_flows_done; /* with this result: */
    size_t n_flows;
    size_t n_groups;
    char problem[160];
};

int worker_removal_new(struct worker *worker)
{
    worker->removal = calloc(1, sizeof(*worker->removal));
    return worker->removal != NULL ? 0 : -ENOMEM;
}

void worker_removal_free(struct worker *worker)
{
    free(worker->removal);
    worker->removal = NULL;
}

void worker_removal_start(struct worker *worker)
{
    log_info("removing everything of ours");
    worker->removal->is_asked = true;
    worker_kernel_remove(worker);
    if (worker_switch_ofconn(worker) == NULL) {
        worker_removal_flows_done(worker, 0, 0, worker_switch_text(worker));
        return;
    }
    /* With what is there now: nothing may be left behind. */
    worker_reconcile_dump(worker);
}

bool worker_removal_is_asked(const struct worker *worker)
{
    return worker->removal->is_asked;
}

static void answer(struct worker *worker)
{
    const struct worker_removal *removal = worker->removal;

    if (removal->is_flows_done && !worker_kernel_is_porting(worker)) {
        worker_query_removed(worker, removal->n_flows, removal->n_groups,
                             removal->problem);
    }
}

void worker_removal_flows_done(struct worker *worker, size_t n_flows,
                               size_t n_groups, const char *problem)
{
    struct worker_removal *removal = worker->removal;

    removal->is_flows_done = true;
    removal->n_flows += n_flows;
    removal->n_groups += n_groups;
    (void)snprintf(removal->problem, sizeof(removal->problem), "%s", problem);
    /* No flow names it any more; what cannot be sent now goes with the switch.
     */
    if (worker_switch_ofconn(worker) != NULL) {
        (void)!ofconn_remove_meter(worker_switch_ofconn(worker));
    }
    answer(worker);
}

void worker_removal_port_done(struct worker *worker)
{
    answer(worker);
}
