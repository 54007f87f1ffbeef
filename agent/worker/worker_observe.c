/*
 * --observe: what a worker would do, on standard output.
 */
#include "agent/worker/worker_observe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/system/log.h"
#include "agent/worker/worker_kernel.h"
#include "agent/worker/worker_ports.h"
#include "agent/worker/worker_private.h"
#include "agent/worker/worker_text.h"

static void on_note(const char *text, void *data)
{
    FILE *out = data;

    (void)fprintf(out, "would %s\n", text);
}

static void print(FILE *out, struct worker *worker, const struct plan *plan,
                  const struct diff *diff)
{
    char text[160] = "";
    size_t n_kernel = 0;
    size_t n;
    int error;

    (void)fprintf(out,
                  "plan for bridge %s: %zu flows, %zu groups, %zu routes, "
                  "tunnel %s\n",
                  worker->policy.bridge, plan->n_flows, plan->n_groups,
                  plan->n_routes, plan->needs_tunnel ? "needed" : "not needed");
    error = worker_kernel_preview(worker, plan, on_note, out, &n_kernel, text);
    if (error < 0) {
        (void)fprintf(out, "would fail: %s\n", text);
    }
    if (plan->needs_tunnel &&
        worker_ports_find(worker, worker->policy.tunnel_device) == NULL) {
        (void)fprintf(out, "would add port %s to %s\n",
                      worker->policy.tunnel_device, worker->policy.bridge);
    }
    n = worker_text_diff(out, "would ", diff);
    worker_text_pending(out, plan);
    (void)fprintf(out,
                  "nothing was changed: %zu changes of flows and groups, "
                  "%zu of the kernel are due\n",
                  n, n_kernel);
}

void worker_observe(struct worker *worker, const struct plan *plan,
                    const struct diff *diff)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    if (out == NULL) {
        return;
    }
    print(out, worker, plan, diff);
    if (fclose(out) != 0) {
        free(text);
        return;
    }
    if (worker->observed != NULL && strcmp(worker->observed, text) == 0) {
        free(text);
        return;
    }
    if (fputs(text, stdout) < 0 || fflush(stdout) != 0) {
        log_warning("the plan could not be printed");
    }
    free(worker->observed);
    worker->observed = text;
}

void worker_observe_done(struct worker *worker)
{
    free(worker->observed);
    worker->observed = NULL;
}
