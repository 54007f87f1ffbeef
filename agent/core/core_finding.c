/*
 * What ails this whole host - its switch, its worker or its tunnel is down -
 * goes into the member record, so that all others leave its instances out: one
 * change for all of them (damping.h).  What ails one instance is
 * agent/services'.
 */
#include "agent/core/core_internal.h"

#include "agent/core/worker_link.h"
#include "agent/system/clock.h"
#include "agent/system/log.h"

/* A worker that is restarted is back before this, and so is a switch or a
 * tunnel that it has not seen up yet. */
#define CORE_FINDING_GRACE_MS 5000

/* What the worker's state means now.  `ret_is_fresh`: it may still be on its
 * way up. */
static uint8_t core_finding_look(const struct core *core, bool *ret_is_fresh)
{
    const struct worker_status *status = worker_link_status(core->worker);

    *ret_is_fresh = !status->is_connected;
    if (!status->is_connected) {
        return BODY_MEMBER_FINDING_WORKER;
    }
    if (status->is_observing) {
        return BODY_MEMBER_FINDING_NONE;
    }
    if (!status->is_ovs_up) {
        *ret_is_fresh = !status->was_ovs_up;
        return BODY_MEMBER_FINDING_SWITCH;
    }
    /* Without a text it is not wanted, or has not been made yet. */
    if (!status->is_tunnel_up && status->tunnel_text[0] != '\0') {
        *ret_is_fresh = !status->was_tunnel_up;
        return BODY_MEMBER_FINDING_TUNNEL;
    }
    return BODY_MEMBER_FINDING_NONE;
}

static const char *core_finding_name(uint8_t finding)
{
    switch (finding) {
    case BODY_MEMBER_FINDING_SWITCH:
        return "switch";
    case BODY_MEMBER_FINDING_WORKER:
        return "worker";
    case BODY_MEMBER_FINDING_TUNNEL:
        return "tunnel";
    default:
        return "none";
    }
}

static void core_finding_due(uv_timer_t *timer)
{
    core_finding_review(timer->data);
}

static void core_finding_later(struct core *core, uint64_t wait_ms)
{
    (void)uv_timer_start(&core->internal->finding_timer, core_finding_due,
                         wait_ms, 0); /* fails only when closing */
}

void core_finding_start(struct core *core)
{
    struct core_internal *internal = core->internal;

    /* Only fails for a loop that is not one. */
    (void)uv_timer_init(core->loop, &internal->finding_timer);
    internal->finding_timer.data = core;
    core_finding_later(core, CORE_FINDING_GRACE_MS);
}

void core_finding_review(struct core *core)
{
    struct core_finding *finding = &core->internal->finding;
    struct node_event event = {.type = NODE_EVENT_FINDING};
    uint64_t now_ms = clock_now_ms();
    uint64_t due_ms;
    bool is_fresh;
    uint8_t seen;

    if (core->worker == NULL || core->is_stopping ||
        core->internal->phase != CORE_RUNNING) {
        return;
    }
    seen = core_finding_look(core, &is_fresh);
    if (seen != finding->seen || finding->since_ms == 0) {
        finding->seen = seen;
        finding->since_ms = now_ms;
    }
    if (is_fresh && now_ms - finding->since_ms < CORE_FINDING_GRACE_MS) {
        core_finding_later(core,
                           finding->since_ms + CORE_FINDING_GRACE_MS - now_ms);
        return;
    }
    due_ms = damping_due_ms(&finding->damping, finding->told, seen, now_ms);
    if (due_ms == UINT64_MAX) {
        return;
    }
    if (due_ms > now_ms) {
        core_finding_later(core, due_ms - now_ms);
        return;
    }
    log_info("this host finding=%s, told to all%s", core_finding_name(seen),
             seen != BODY_MEMBER_FINDING_NONE
                 ? ": they use its instances only when there are no others"
                 : "");
    finding->told = seen;
    damping_spend(&finding->damping, now_ms);
    event.finding = seen;
    core_step(core, &event);
}
