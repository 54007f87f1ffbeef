/*
 * One round: what is wanted, what is there, the difference, one bundle.  At
 * most one round is on its way; what changes meanwhile makes the next.
 */
#include "agent/worker/worker_reconcile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/system/clock.h"
#include "agent/system/log.h"
#include "agent/system/memory.h"
#include "agent/worker/worker_blocked.h"
#include "agent/worker/worker_cache.h"
#include "agent/worker/worker_core.h"
#include "agent/worker/worker_flush.h"
#include "agent/worker/worker_holddown.h"
#include "agent/worker/worker_kernel.h"
#include "agent/worker/worker_learn.h"
#include "agent/worker/worker_observe.h"
#include "agent/worker/worker_ports.h"
#include "agent/worker/worker_private.h"
#include "agent/worker/worker_removal.h"
#include "agent/worker/worker_revive.h"
#include "agent/worker/worker_switch.h"
#include "reconcilers/openflow/openflow.h"

/* Changes that come within this are applied together.  A registration waits
 * for it, so it is short; a burst of records comes in one packet anyway. */
#define COALESCE_MS 2
/* After a refused or failed apply; doubled up to the maximum. */
#define RETRY_MIN_MS 1000
#define RETRY_MAX_MS 60000
/* A round needs several times what is kept; without another one for so long
 * the rest is given back. */
#define IDLE_MS 1000

struct worker_reconcile {
    uv_timer_t cycle_timer; /* coalescing */
    uv_timer_t later_timer; /* holds that end, retries */
    uv_timer_t idle_timer;  /* memory is given back when nothing happens */
    bool is_dirty;
    uint64_t dirty_us; /* since when */
    bool has_present;  /* `present` is what the switch holds */
    bool needs_dump;
    bool is_dumping;
    bool is_applying;
    struct ofconn_dump present;
    struct worker_core_round round; /* the one on its way */
    struct plan plan;               /* while applying, with `diff` */
    struct diff diff;
    struct worker_holddown holddown;
    uint32_t retry_ms;
    uint64_t retry_at_ms; /* 0: none */
};

bool worker_reconcile_local_mac(const struct worker *worker, uint8_t ret_mac[6])
{
    const struct ofconn_dump *present = &worker->reconcile->present;

    for (size_t i = 0; i < present->n_ports; i++) {
        if (present->ports[i].number == OPENFLOW_PORT_LOCAL) {
            memcpy(ret_mac, present->ports[i].mac, 6);
            return true;
        }
    }
    return false;
}

size_t worker_reconcile_n_flows(const struct worker *worker)
{
    return worker->reconcile->present.n_flows;
}

int worker_reconcile_plan(struct worker *worker, struct plan *ret)
{
    const struct worker_neighbors *neighbors = worker_learn_neighbors(worker);
    struct plan_observed observed = {
        .is_bridge_up = worker->reconcile->has_present,
        .neighbors = neighbors->entries,
        .n_neighbors = neighbors->n_entries,
        .mesh_mtu = worker_kernel_mesh_mtu(worker),
        .has_meter = worker->reconcile->present.has_meter,
    };

    if (worker_removal_is_asked(worker)) {
        /* No plan at all: not even the base flows stay. */
        *ret = (struct plan)PLAN_INIT;
        return 0;
    }
    observed.ports = worker_ports_planned(worker, &observed.n_ports);
    /* Without it the planner takes the tunnel's. */
    (void)worker_reconcile_local_mac(worker, observed.local_mac);
    return plan_make(&worker->state.desired, &worker->policy, &observed, ret);
}

static void forget_plan(struct worker_reconcile *reconcile)
{
    plan_done(&reconcile->plan);
    diff_done(&reconcile->diff);
}

void worker_reconcile_new_core(struct worker *worker)
{
    worker->reconcile->round.is_numbered = false;
}

/* --- timers --- */

static void on_cycle(uv_timer_t *timer);

void worker_reconcile_soon(struct worker *worker)
{
    if (!worker->reconcile->is_dirty) {
        worker->reconcile->is_dirty = true;
        worker->reconcile->dirty_us = clock_now_us();
    }
    if (!uv_is_active((const uv_handle_t *)&worker->reconcile->cycle_timer)) {
        uv_update_time(&worker->loop);
        /* Cannot fail on an open timer. */
        (void)uv_timer_start(&worker->reconcile->cycle_timer, on_cycle,
                             COALESCE_MS, 0);
    }
}

void worker_reconcile_dump(struct worker *worker)
{
    worker->reconcile->needs_dump = true;
    worker_reconcile_soon(worker);
}

static void on_later(uv_timer_t *timer)
{
    struct worker *worker = timer->data;

    worker->reconcile->retry_at_ms = 0;
    worker_kernel_retry(worker);
    worker_reconcile_soon(worker);
}

static void arm_later(struct worker *worker)
{
    uint64_t now = clock_now_ms();
    uint64_t next = worker_holddown_next_ms(&worker->reconcile->holddown, now);

    if (worker->reconcile->retry_at_ms != 0) {
        next = MIN_OF(next, worker->reconcile->retry_at_ms);
    }
    if (next == UINT64_MAX) {
        (void)uv_timer_stop(&worker->reconcile->later_timer); /* cannot fail */
        return;
    }
    uv_update_time(&worker->loop);
    /* Cannot fail on an open timer. */
    (void)uv_timer_start(&worker->reconcile->later_timer, on_later,
                         next > now ? next - now : 0, 0);
}

void worker_reconcile_retry(struct worker *worker)
{
    worker->reconcile->retry_ms =
        worker->reconcile->retry_ms == 0
            ? RETRY_MIN_MS
            : MIN_OF(worker->reconcile->retry_ms * 2, (uint32_t)RETRY_MAX_MS);
    worker->reconcile->retry_at_ms =
        clock_now_ms() + worker->reconcile->retry_ms;
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

    worker->reconcile->is_dumping = false;
    if (error != 0) {
        log_warning("cannot dump the bridge error=%d", error);
        worker->reconcile->needs_dump = true;
        worker_reconcile_retry(worker);
        arm_later(worker);
        return;
    }
    if (worker->reconcile->has_present) {
        worker_cache_drift(&worker->reconcile->present, dump,
                           &worker->reconcile->holddown, clock_now_ms(),
                           on_held, worker);
    }
    ofconn_dump_done(&worker->reconcile->present);
    worker->reconcile->present = *dump;
    *dump = (struct ofconn_dump){0};
    worker->reconcile->has_present = true;
    worker_reconcile_soon(worker);
}

static void start_dump(struct worker *worker)
{
    worker->reconcile->needs_dump = false;
    /* Before it, as it goes when ovs-vswitchd does, and others may remove it.
     * Without memory the dump fails as well. */
    if (!worker->observe && !worker_removal_is_asked(worker)) {
        (void)!ofconn_put_meter(worker_switch_ofconn(worker));
    }
    if (ofconn_dump(worker_switch_ofconn(worker), on_dumped, worker) == 0) {
        worker->reconcile->is_dumping = true;
        return;
    }
    worker->reconcile->needs_dump = true;
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
        worker_flush_run(worker);
        if (!worker_kernel_has_failed(worker)) {
            worker->reconcile->retry_ms = 0;
        }
    }
    worker_core_send_applied(worker, &worker->reconcile->round, n_changes,
                             error);
    arm_later(worker);
    /* Cannot fail on an open timer. */
    (void)uv_timer_start(&worker->reconcile->idle_timer, on_idle, IDLE_MS, 0);
    if (worker->reconcile->is_dirty) {
        worker_reconcile_soon(worker);
    }
}

static void on_applied(int error, const char *text, void *data)
{
    struct worker *worker = data;
    size_t n_flows = worker->reconcile->diff.n_flows;
    size_t n_groups = worker->reconcile->diff.n_groups;

    worker->reconcile->is_applying = false;
    if (error == 0 && worker_cache_commit(&worker->reconcile->present,
                                          &worker->reconcile->plan,
                                          &worker->reconcile->diff) < 0) {
        worker->reconcile->has_present =
            false; /* dumped anew when it is needed */
        worker->reconcile->needs_dump = true;
    }
    if (error == 0) {
        log_info("applied number=%llu flows=%zu groups=%zu us=%llu",
                 (unsigned long long)worker->reconcile->round.number, n_flows,
                 n_groups,
                 (unsigned long long)(clock_now_us() -
                                      worker->reconcile->round.since_us));
    } else if (error != -ECONNRESET) {
        log_error("Open vSwitch refused the changes error=%d text=\"%s\"",
                  error, text != NULL ? text : "");
        worker->reconcile->needs_dump = true;
        worker_reconcile_retry(worker);
    }
    forget_plan(worker->reconcile);
    if (worker_removal_is_asked(worker)) {
        worker_removal_flows_done(worker, n_flows, n_groups,
                                  error == 0 ? "" : "Open vSwitch refused it");
    }
    if (error != -ECONNRESET) {
        finish_round(worker, n_flows + n_groups,
                     error == 0     ? ""
                     : text != NULL ? text
                                    : "refused");
    }
}

/* Sends the bundle, or finishes a round that changes no flow. */
static void apply_diff(struct worker *worker, size_t n_kernel)
{
    struct worker_blocked blocked;
    int error;

    worker_blocked_find(&worker->reconcile->plan, &worker->reconcile->present,
                        &blocked);
    worker_blocked_add_held(&blocked,
                            worker_cache_hold(&worker->reconcile->diff,
                                              &worker->reconcile->holddown,
                                              clock_now_ms()));
    worker_core_send_blocked(worker, blocked.n, blocked.text);
    worker->reconcile->is_applying = true;
    if (worker->reconcile->diff.n_flows + worker->reconcile->diff.n_groups >
        0) {
        error = ofconn_apply(worker_switch_ofconn(worker),
                             &worker->reconcile->diff, on_applied, worker);
        if (error != 0) {
            on_applied(error, strerror(-error), worker);
        }
        return;
    }
    worker->reconcile->is_applying = false;
    forget_plan(worker->reconcile);
    if (worker_removal_is_asked(worker)) {
        worker_removal_flows_done(worker, 0, 0, "");
    }
    finish_round(worker, n_kernel, "");
}

static void round_failed(struct worker *worker, int error)
{
    log_error("cannot plan: %s", strerror(-error));
    plan_done(&worker->reconcile->plan);
    worker_reconcile_retry(worker);
    arm_later(worker);
}

/* Neighbours follow what is wanted now, and the plan what they say. */
static int make_plan(struct worker *worker)
{
    int error;

    worker_learn_follow(worker);
    worker_core_send_neighbors(worker);
    error = worker_reconcile_plan(worker, &worker->reconcile->plan);
    if (error < 0) {
        return error;
    }
    error = worker_state_judge(&worker->state, worker->reconcile->plan.refused,
                               worker->reconcile->plan.n_refused);
    worker_core_send_refusals(worker);
    return error;
}

static void run_round(struct worker *worker)
{
    size_t n_kernel;
    int error;

    worker->reconcile->is_dirty = false;
    worker->reconcile->round = (struct worker_core_round){
        .number = worker->state.number,
        .since_us = worker->reconcile->dirty_us,
        .is_numbered = worker->state.is_in_step,
    };
    worker_kernel_look(worker);
    error = make_plan(worker);
    if (error < 0) {
        round_failed(worker, error);
        return;
    }
    error = diff_make(
        &worker->reconcile->plan, worker->reconcile->present.flows,
        worker->reconcile->present.n_flows, worker->reconcile->present.groups,
        worker->reconcile->present.n_groups, &worker->reconcile->diff);
    if (error < 0) {
        round_failed(worker, error);
        return;
    }
    if (worker->observe) {
        worker_observe(worker, &worker->reconcile->plan,
                       &worker->reconcile->diff);
        forget_plan(worker->reconcile);
        worker_core_send_applied(worker, &worker->reconcile->round, 0, "");
        return;
    }
    if (worker_flush_collect(worker) != 0) {
        worker_reconcile_retry(worker);
    }
    /* Devices first: a flow may lead to the tunnel. */
    n_kernel = worker_kernel_apply(worker, &worker->reconcile->plan);
    worker_kernel_tunnel_port(worker, &worker->reconcile->plan);
    worker_revive_ports(worker);
    apply_diff(worker, n_kernel);
}

static void on_cycle(uv_timer_t *timer)
{
    struct worker *worker = timer->data;

    if (worker->reconcile->is_applying || worker->reconcile->is_dumping ||
        worker_switch_ofconn(worker) == NULL ||
        !worker_ports_are_known(worker)) {
        return; /* it ends, or comes back, and calls again */
    }
    if (worker->reconcile->needs_dump || !worker->reconcile->has_present) {
        start_dump(worker);
        return;
    }
    worker_learn_recover(worker, worker->reconcile->present.flows,
                         worker->reconcile->present.n_flows);
    if (worker->state.is_synced || worker_removal_is_asked(worker)) {
        run_round(worker);
    }
}

void worker_reconcile_forget(struct worker *worker)
{
    /* Whoever waited for these is not called any more. */
    worker->reconcile->is_dumping = false;
    worker->reconcile->is_applying = false;
    worker->reconcile->has_present = false;
    worker->reconcile->needs_dump = true;
    ofconn_dump_done(&worker->reconcile->present);
    forget_plan(worker->reconcile);
}

int worker_reconcile_new(struct worker *worker)
{
    struct worker_reconcile *reconcile = calloc(1, sizeof(*reconcile));

    if (reconcile == NULL) {
        return -ENOMEM;
    }
    /* None of them fails on an open loop. */
    (void)uv_timer_init(&worker->loop, &reconcile->cycle_timer);
    (void)uv_timer_init(&worker->loop, &reconcile->later_timer);
    (void)uv_timer_init(&worker->loop, &reconcile->idle_timer);
    reconcile->cycle_timer.data = worker;
    reconcile->later_timer.data = worker;
    worker->reconcile = reconcile;
    return 0;
}

void worker_reconcile_stop(struct worker *worker)
{
    struct worker_reconcile *reconcile = worker->reconcile;

    worker_reconcile_forget(worker);
    uv_close((uv_handle_t *)&reconcile->cycle_timer, NULL);
    uv_close((uv_handle_t *)&reconcile->later_timer, NULL);
    uv_close((uv_handle_t *)&reconcile->idle_timer, NULL);
}

void worker_reconcile_free(struct worker *worker)
{
    if (worker->reconcile != NULL) {
        worker_holddown_done(&worker->reconcile->holddown);
    }
    free(worker->reconcile);
    worker->reconcile = NULL;
}
