/* See worker_connected.h. */
#include "agent/worker/worker_connected.h"

#include <string.h>

#include "agent/worker/worker_core.h"
#include "agent/worker/worker_private.h"
#include "reconcilers/kernel/netlink.h"

void worker_connected_look(struct worker *worker, struct netlink *netlink)
{
    struct plan_policy *policy = &worker->policy;
    struct plan_connected connected[PLAN_CONNECTED_MAX] = {0};
    size_t n = 0;
    int error;

    if (!netlink_take_connected_changed(netlink)) {
        return;
    }
    error = netlink_connected(netlink, policy->bridge, connected,
                              ARRAY_SIZE(connected), &n);
    if (error < 0 && n == 0) {
        log_warning("the host's own networks cannot be read: %s; those known "
                    "before count",
                    strerror(-error));
        return;
    }
    if (n == policy->n_connected &&
        memcmp(connected, policy->connected, n * sizeof(connected[0])) == 0) {
        return;
    }
    memcpy(policy->connected, connected, n * sizeof(connected[0]));
    policy->n_connected = n;
    log_info("the host's own networks changed, judging anew n=%zu", n);
    worker_core_want_snapshot(worker);
}

static bool was_told(struct worker *worker, const struct prefix *subnet)
{
    for (size_t i = 0; i < worker->n_covered; i++) {
        if (worker->covered[i].len == subnet->len &&
            address_equal(&worker->covered[i].address, &subnet->address)) {
            return true;
        }
    }
    return false;
}

static void tell(struct worker *worker, const struct desired_host *host,
                 const struct prefix *subnet)
{
    const struct plan_connected *route =
        plan_covering_route(&worker->policy, subnet);
    char text[PREFIX_TEXT_SIZE];
    char other[PREFIX_TEXT_SIZE];

    if (route == NULL || was_told(worker, subnet) ||
        worker->n_covered == ARRAY_SIZE(worker->covered)) {
        return;
    }
    worker->covered[worker->n_covered++] = *subnet;
    worker_core_note(worker, LOG_LEVEL_WARNING,
                     "subnet %s of %s lies in the route %s by %s: what it "
                     "carried for that goes to %s now",
                     prefix_text(subnet, text), host->name,
                     prefix_text(&route->prefix, other),
                     route->interface[0] != '\0' ? route->interface : "?",
                     host->name);
}

void worker_connected_tell(struct worker *worker)
{
    const struct desired *desired = &worker->state.desired;

    for (size_t i = 0; i < desired->n_items; i++) {
        const struct desired_host *host = &desired->items[i].host;

        if (desired->items[i].type != DESIRED_HOST || host->is_self) {
            continue;
        }
        for (size_t k = 0; k < host->n_subnets; k++) {
            tell(worker, host, &host->subnets[k]);
        }
    }
}
