/*
 * One round: what is wanted, what is there, the difference, one bundle.  At
 * most one round is on its way; what changes meanwhile makes the next.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/system/clock.h"
#include "agent/system/log.h"
#include "agent/system/memory.h"
#include "agent/worker/worker_observe.h"
#include "agent/worker/worker_private.h"
#include "reconcilers/openflow/openflow.h"

struct worker_neighbors_rules
worker_reconcile_rules(const struct worker *worker)
{
    return (struct worker_neighbors_rules){.policy = &worker->policy,
                                           .desired = &worker->state.desired,
                                           .ports = worker->ports,
                                           .n_ports = worker->n_ports};
}

/* Who only observes plans as if the tunnel's port were there already, as it
 * would be: with a number that the switch may not give it.  Returns the number
 * of ports. */
static size_t assume_tunnel_port(struct worker *worker)
{
    size_t n = worker->n_ports;
    uint32_t highest = 0;

    for (size_t i = 0; i < n; i++) {
        if (strcmp(worker->ports[i].name, worker->policy.tunnel_device) == 0) {
            return n;
        }
        highest = MAX_OF(highest, worker->ports[i].ofport);
    }
    if (!worker->observe || !worker->has_ports) {
        return n;
    }
    worker->ports[n] = (struct plan_port){.ofport = highest + 1};
    (void)snprintf(worker->ports[n].name, sizeof(worker->ports[n].name), "%s",
                   worker->policy.tunnel_device);
    return n + 1;
}

int worker_reconcile_plan(struct worker *worker, struct plan *ret)
{
    struct plan_observed observed = {
        .is_bridge_up = worker->has_present,
        .ports = worker->ports,
        .n_ports = assume_tunnel_port(worker),
        .neighbors = worker->neighbors.entries,
        .n_neighbors = worker->neighbors.n_entries,
        .mesh_mtu = worker->mesh_mtu,
    };

    for (size_t i = 0; i < worker->present.n_ports; i++) {
        if (worker->present.ports[i].number == OPENFLOW_PORT_LOCAL) {
            memcpy(observed.local_mac, worker->present.ports[i].mac, 6);
        }
    }
    if (worker->is_removed) {
        /* No plan at all: not even the base flows stay. */
        *ret = (struct plan)PLAN_INIT;
        return 0;
    }
    return plan_make(&worker->state.desired, &worker->policy, &observed, ret);
}

/* --- flushes --- */

/* Takes what the state noted since, behind what still waits. */
static void collect_flushes(struct worker *worker)
{
    _cleanup_(free_pointer) struct worker_state_flush *more = NULL;
    size_t n = worker_state_take_flushes(&worker->state, &more);
    struct worker_state_flush *grown;

    if (n == 0) {
        return;
    }
    grown =
        reallocarray(worker->flushes, worker->n_flushes + n, sizeof(*grown));
    if (grown == NULL) {
        log_error("out of memory: open connections to withdrawn instances "
                  "are not cut off");
        return;
    }
    memcpy(grown + worker->n_flushes, more, n * sizeof(*more));
    worker->flushes = grown;
    worker->n_flushes += n;
}

/* The groups no longer lead there; now the open connections go. */
static void flush(struct worker *worker)
{
    for (size_t i = 0; i < worker->n_flushes; i++) {
        const struct worker_state_flush *flush = &worker->flushes[i];
        char service[ADDRESS_TEXT_SIZE];
        char backend[ADDRESS_TEXT_SIZE];
        int error = ofconn_flush_connections(worker->ofconn, &flush->service,
                                             &flush->backend, flush->protocol);

        log_info("cut off connections service=%s backend=%s%s",
                 address_text(&flush->service, service),
                 address_text(&flush->backend, backend),
                 error != 0 ? " (failed)" : "");
    }
    free(worker->flushes);
    worker->flushes = NULL;
    worker->n_flushes = 0;
}

/* --- timers --- */

static void on_cycle(uv_timer_t *timer);

void worker_reconcile_soon(struct worker *worker)
{
    if (!worker->is_dirty) {
        worker->is_dirty = true;
        worker->dirty_ns = clock_now_ns();
    }
    if (!uv_is_active((const uv_handle_t *)&worker->cycle_timer)) {
        uv_update_time(&worker->loop);
        /* Cannot fail on an open timer. */
        (void)uv_timer_start(&worker->cycle_timer, on_cycle, WORKER_COALESCE_MS,
                             0);
    }
}

void worker_reconcile_dump(struct worker *worker)
{
    worker->needs_dump = true;
    worker_reconcile_soon(worker);
}

static void on_later(uv_timer_t *timer)
{
    struct worker *worker = timer->data;

    worker->retry_at_ms = 0;
    worker->is_kernel_dirty |= worker->is_kernel_failed;
    worker_reconcile_soon(worker);
}

static void arm_later(struct worker *worker)
{
    uint64_t now = clock_now_ms();
    uint64_t next = worker_holddown_next_ms(&worker->holddown, now);

    if (worker->retry_at_ms != 0) {
        next = MIN_OF(next, worker->retry_at_ms);
    }
    if (next == UINT64_MAX) {
        (void)uv_timer_stop(&worker->later_timer); /* cannot fail */
        return;
    }
    uv_update_time(&worker->loop);
    /* Cannot fail on an open timer. */
    (void)uv_timer_start(&worker->later_timer, on_later,
                         next > now ? next - now : 0, 0);
}

void worker_reconcile_retry(struct worker *worker)
{
    worker->retry_ms =
        worker->retry_ms == 0
            ? WORKER_RETRY_MIN_MS
            : MIN_OF(worker->retry_ms * 2, (uint32_t)WORKER_RETRY_MAX_MS);
    worker->retry_at_ms = clock_now_ms() + worker->retry_ms;
}

/* --- the round --- */

static void on_held(const char *what, uint32_t wait_ms, void *data)
{
    worker_core_note(data, LOG_LEVEL_WARNING,
                     "somebody keeps rewriting %s: left alone for %u s", what,
                     wait_ms / 1000);
}

static void on_dumped(int error, struct ofconn_dump *dump, void *data)
{
    struct worker *worker = data;

    worker->is_dumping = false;
    if (error != 0) {
        log_warning("cannot dump the bridge error=%d", error);
        worker->needs_dump = true;
        worker_reconcile_retry(worker);
        arm_later(worker);
        return;
    }
    if (worker->has_present) {
        worker_cache_drift(&worker->present, dump, &worker->holddown,
                           clock_now_ms(), on_held, worker);
    }
    ofconn_dump_done(&worker->present);
    worker->present = *dump;
    *dump = (struct ofconn_dump){0};
    worker->has_present = true;
    worker_reconcile_soon(worker);
}

static void start_dump(struct worker *worker)
{
    worker->needs_dump = false;
    if (ofconn_dump(worker->ofconn, on_dumped, worker) == 0) {
        worker->is_dumping = true;
        return;
    }
    worker->needs_dump = true;
    worker_reconcile_retry(worker);
    arm_later(worker);
}

static void on_idle(uv_timer_t *timer)
{
    (void)timer;
    memory_trim_heap();
}

static void finish_round(struct worker *worker, size_t n_changes,
                         const char *error)
{
    if (error[0] == '\0') {
        flush(worker);
        if (!worker->is_kernel_failed) {
            worker->retry_ms = 0;
        }
    }
    worker_core_send_applied(worker, n_changes, error);
    arm_later(worker);
    /* Cannot fail on an open timer. */
    (void)uv_timer_start(&worker->idle_timer, on_idle, WORKER_IDLE_MS, 0);
    if (worker->is_dirty) {
        worker_reconcile_soon(worker);
    }
}

void worker_reconcile_removed(struct worker *worker, size_t n_flows,
                              size_t n_groups, const char *problem)
{
    worker->is_flows_removed = true;
    worker->n_removed_flows += n_flows;
    worker->n_removed_groups += n_groups;
    (void)snprintf(worker->remove_problem, sizeof(worker->remove_problem), "%s",
                   problem);
    if (!worker->is_porting) {
        worker_query_removed(worker, worker->n_removed_flows,
                             worker->n_removed_groups, worker->remove_problem);
    }
}

static void on_applied(int error, const char *text, void *data)
{
    struct worker *worker = data;
    size_t n_flows = worker->diff.n_flows;
    size_t n_groups = worker->diff.n_groups;

    worker->is_applying = false;
    if (error == 0 && worker_cache_commit(&worker->present, &worker->plan,
                                          &worker->diff) < 0) {
        worker->has_present = false; /* dumped anew when it is needed */
        worker->needs_dump = true;
    }
    if (error == 0) {
        log_info(
            "applied number=%llu flows=%zu groups=%zu us=%llu",
            (unsigned long long)worker->state.number, n_flows, n_groups,
            (unsigned long long)((clock_now_ns() - worker->dirty_ns) / 1000));
    } else if (error != -ECONNRESET) {
        log_error("Open vSwitch refused the changes error=%d text=\"%s\"",
                  error, text != NULL ? text : "");
        worker->needs_dump = true;
        worker_reconcile_retry(worker);
    }
    plan_done(&worker->plan);
    diff_done(&worker->diff);
    worker->plan = (struct plan)PLAN_INIT;
    worker->diff = (struct diff)DIFF_INIT;
    if (worker->is_removed) {
        worker_reconcile_removed(worker, n_flows, n_groups,
                                 error == 0 ? "" : "Open vSwitch refused it");
    }
    if (error != -ECONNRESET) {
        finish_round(worker, n_flows + n_groups,
                     error == 0     ? ""
                     : text != NULL ? text
                                    : "refused");
    }
}

static void report_conflicts(struct worker *worker, const struct diff *diff)
{
    for (size_t i = 0; i < diff->n_flows; i++) {
        _cleanup_(free_pointer) char *text = NULL;

        if (diff->flows[i].op == DIFF_CONFLICT) {
            text = openflow_flow_text(diff->flows[i].present);
            worker_core_note(worker, LOG_LEVEL_WARNING,
                             "a foreign flow is in the way, left alone: %s",
                             text != NULL ? text : "?");
            return; /* one is enough for a line; `flow diff` shows all */
        }
    }
}

/* Sends the bundle, or finishes a round that changes no flow. */
static void apply_diff(struct worker *worker, size_t n_kernel)
{
    int error;

    report_conflicts(worker, &worker->diff);
    worker_cache_hold(&worker->diff, &worker->holddown, clock_now_ms());
    worker->is_applying = true;
    if (worker->diff.n_flows + worker->diff.n_groups > 0) {
        error = ofconn_apply(worker->ofconn, &worker->diff, on_applied, worker);
        if (error != 0) {
            on_applied(error, strerror(-error), worker);
        }
        return;
    }
    worker->is_applying = false;
    plan_done(&worker->plan);
    diff_done(&worker->diff);
    worker->plan = (struct plan)PLAN_INIT;
    worker->diff = (struct diff)DIFF_INIT;
    if (worker->is_removed) {
        worker_reconcile_removed(worker, 0, 0, "");
    }
    finish_round(worker, n_kernel, "");
}

static void round_failed(struct worker *worker, int error)
{
    log_error("cannot plan: %s", strerror(-error));
    plan_done(&worker->plan);
    worker->plan = (struct plan)PLAN_INIT;
    worker_reconcile_retry(worker);
    arm_later(worker);
}

/* Neighbours follow what is wanted now, and the plan what they say. */
static int make_plan(struct worker *worker)
{
    struct worker_neighbors_rules rules = worker_reconcile_rules(worker);
    int error;

    if (worker_neighbors_follow(&worker->neighbors, &rules)) {
        worker_probe_update(worker);
    }
    worker_core_send_neighbors(worker);
    error = worker_reconcile_plan(worker, &worker->plan);
    if (error < 0) {
        return error;
    }
    worker_state_judge(&worker->state, worker->plan.refused,
                       worker->plan.n_refused);
    worker_core_send_refusals(worker);
    return 0;
}

static void run_round(struct worker *worker)
{
    size_t n_kernel;
    int error;

    worker->is_dirty = false;
    worker_kernel_look(worker);
    error = make_plan(worker);
    if (error < 0) {
        round_failed(worker, error);
        return;
    }
    error = diff_make(&worker->plan, worker->present.flows,
                      worker->present.n_flows, worker->present.groups,
                      worker->present.n_groups, &worker->diff);
    if (error < 0) {
        round_failed(worker, error);
        return;
    }
    if (worker->observe) {
        worker_observe(worker);
        diff_done(&worker->diff);
        plan_done(&worker->plan);
        worker->diff = (struct diff)DIFF_INIT;
        worker->plan = (struct plan)PLAN_INIT;
        worker_core_send_applied(worker, 0, "");
        return;
    }
    collect_flushes(worker);
    /* Devices first: a flow may lead to the tunnel. */
    n_kernel = worker_kernel_apply(worker, &worker->plan);
    worker_kernel_tunnel_port(worker, &worker->plan);
    worker_revive_ports(worker);
    apply_diff(worker, n_kernel);
}

static void on_cycle(uv_timer_t *timer)
{
    struct worker *worker = timer->data;

    if (worker->is_applying || worker->is_dumping || !worker->is_of_ready ||
        !worker->has_ports) {
        return; /* it ends, or comes back, and calls again */
    }
    if (worker->needs_dump || !worker->has_present) {
        start_dump(worker);
        return;
    }
    if (worker->needs_recovery) {
        struct worker_neighbors_rules rules = worker_reconcile_rules(worker);

        worker->needs_recovery = false;
        if (worker_neighbors_recover(&worker->neighbors, &rules,
                                     worker->present.flows,
                                     worker->present.n_flows) < 0) {
            log_error("out of memory: containers are learned anew");
        }
        worker_probe_update(worker);
    }
    if (worker->state.is_synced || worker->is_removed) {
        run_round(worker);
    }
}

/* --- observations --- */

void worker_reconcile_ports(struct worker *worker)
{
    struct worker_neighbors_rules rules;
    struct plan_port *ports;
    size_t n = ovsdb_n_ports(worker->ovsdb);

    if (!worker->is_ovsdb_synced) {
        return; /* as last seen */
    }
    ports = calloc(n + 1, sizeof(*ports)); /* see assume_tunnel_port */
    if (ports == NULL) {
        return; /* the old list stays until the next change */
    }
    for (size_t i = 0; i < n; i++) {
        const struct ovsdb_port *port = ovsdb_port_at(worker->ovsdb, i);
        enum worker_device device = worker_kernel_device(port);

        memcpy(ports[i].name, port->name, sizeof(ports[i].name));
        if (port->ofport > 0 && device == WORKER_DEVICE_THERE) {
            ports[i].ofport = (uint32_t)port->ofport;
        }
    }
    free(worker->ports);
    worker->ports = ports;
    worker->n_ports = n;
    worker->has_ports = true;
    rules = worker_reconcile_rules(worker);
    (void)worker_neighbors_follow(&worker->neighbors, &rules); /* a round
                                                          follows anyway */
}

void worker_reconcile_forget(struct worker *worker)
{
    /* Whoever waited for these is not called any more. */
    worker->is_dumping = false;
    worker->is_applying = false;
    worker->has_present = false;
    worker->needs_dump = true;
    ofconn_dump_done(&worker->present);
    plan_done(&worker->plan);
    diff_done(&worker->diff);
    worker->plan = (struct plan)PLAN_INIT;
    worker->diff = (struct diff)DIFF_INIT;
}

void worker_reconcile_start(struct worker *worker)
{
    /* None of them fails on a running loop. */
    (void)uv_timer_init(&worker->loop, &worker->cycle_timer);
    (void)uv_timer_init(&worker->loop, &worker->later_timer);
    (void)uv_timer_init(&worker->loop, &worker->idle_timer);
    worker->cycle_timer.data = worker;
    worker->later_timer.data = worker;
    worker->needs_recovery = true;
    worker->is_kernel_dirty = true;
}

void worker_reconcile_stop(struct worker *worker)
{
    worker_reconcile_forget(worker);
    free(worker->ports);
    free(worker->flushes);
    free(worker->last_observed);
    uv_close((uv_handle_t *)&worker->cycle_timer, NULL);
    uv_close((uv_handle_t *)&worker->later_timer, NULL);
    uv_close((uv_handle_t *)&worker->idle_timer, NULL);
}
