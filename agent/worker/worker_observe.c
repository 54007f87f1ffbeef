/*
 * --observe: what a worker would do, on standard output.
 */
#include "agent/worker/worker_observe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/system/log.h"
#include "agent/worker/worker_private.h"
#include "agent/worker/worker_text.h"

static void on_note(const char *text, void *data)
{
    FILE *out = data;

    (void)fprintf(out, "would %s\n", text);
}

static bool has_tunnel_port(const struct worker *worker)
{
    for (size_t i = 0; i < worker->n_ports; i++) {
        if (strcmp(worker->ports[i].name, worker->policy.tunnel_device) == 0) {
            return true;
        }
    }
    return false;
}

static void print(FILE *out, struct worker *worker)
{
    char text[160] = "";
    size_t n_kernel = 0;
    size_t n;
    int error;

    (void)fprintf(out,
                  "plan for bridge %s: %zu flows, %zu groups, %zu routes, "
                  "tunnel %s\n",
                  worker->policy.bridge, worker->plan.n_flows,
                  worker->plan.n_groups, worker->plan.n_routes,
                  worker->plan.needs_tunnel ? "needed" : "not needed");
    error = netlink_apply(worker->netlink, &worker->plan, &worker->policy, true,
                          on_note, out, &n_kernel, text);
    if (error < 0) {
        (void)fprintf(out, "would fail: %s\n", text);
    }
    if (worker->plan.needs_tunnel && !has_tunnel_port(worker)) {
        (void)fprintf(out, "would add port %s to %s\n",
                      worker->policy.tunnel_device, worker->policy.bridge);
    }
    n = worker_text_diff(out, "would ", &worker->diff);
    worker_text_pending(out, &worker->plan);
    (void)fprintf(out,
                  "nothing was changed: %zu changes of flows and groups, "
                  "%zu of the kernel are due\n",
                  n, n_kernel);
}

void worker_observe(struct worker *worker)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    if (out == NULL) {
        return;
    }
    print(out, worker);
    if (fclose(out) != 0) {
        free(text);
        return;
    }
    worker->is_kernel_dirty = false;
    if (worker->last_observed != NULL &&
        strcmp(worker->last_observed, text) == 0) {
        free(text);
        return;
    }
    if (fputs(text, stdout) < 0 || fflush(stdout) != 0) {
        log_warning("the plan could not be printed");
    }
    free(worker->last_observed);
    worker->last_observed = text;
}
