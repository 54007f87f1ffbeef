/*
 * The node's events and actions.  One step per event; its actions are carried
 * out before the next, in their order.  Nothing that is done for an action
 * may step again: whoever has an answer at once gives it in a later turn of
 * the loop.
 */
#include "agent/core/core_internal.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "agent/core/events.h"
#include "agent/core/poison.h"
#include "agent/core/store_thread.h"
#include "agent/system/clock.h"
#include "agent/system/log.h"

static void core_tick(uv_timer_t *timer)
{
    struct core *core = timer->data;
    struct node_event event = {.type = NODE_EVENT_TICK};

    core_step(core, &event);
}

static void core_set_tick(struct core *core)
{
    uint64_t deadline_ms = node_deadline_ms(core->node);
    uint64_t now_ms = uv_now(core->loop);
    uv_timer_t *timer = &core->internal->tick;

    if (core->internal->phase == CORE_ENDING) {
        return;
    }
    if (deadline_ms == UINT64_MAX) {
        (void)uv_timer_stop(timer); /* never fails */
        return;
    }
    /* From the loop's own clock, which stands still while it works, and never
     * zero: libuv runs timers until none is due, so that one which is always
     * due again would keep it from everything else. */
    (void)uv_timer_start(timer, core_tick,
                         deadline_ms > now_ms ? deadline_ms - now_ms : 1,
                         0); /* fails only when closing */
}

static void core_store_foreign(struct core *core,
                               const struct node_action *action)
{
    int error =
        action->type == NODE_ACTION_ERASE
            ? store_thread_erase(core->store, action->bytes, action->size)
            : store_thread_put_foreign(core->store, action->bytes,
                                       action->size);

    if (error != 0) {
        /* Anti-entropy brings it again after a restart. */
        log_warning("record not stored: %s", store_error_text(error));
    }
}

static void core_act(struct core *core, const struct node_action *action)
{
    const struct core_transport *transport = &core->transport;

    switch (action->type) {
    case NODE_ACTION_SEND:
        transport->send(transport->data, &action->endpoint, action->bytes,
                        action->size);
        break;
    case NODE_ACTION_STREAM_OPEN:
        transport->stream_open(transport->data, action->peer,
                               &action->endpoint);
        break;
    case NODE_ACTION_STREAM_SEND:
        transport->stream_send(transport->data, action->stream, action->bytes,
                               action->size);
        break;
    case NODE_ACTION_STREAM_CLOSE:
        transport->stream_close(transport->data, action->stream);
        break;
    case NODE_ACTION_STORE:
        if (core->internal->phase == CORE_ENDING) {
            break; /* the store is closing */
        }
        if (action->is_own) {
            core_store_own(core, action->bytes, action->size);
        } else if (!core_offer_store(core, action->bytes, action->size)) {
            core_store_foreign(core, action);
        }
        break;
    case NODE_ACTION_ERASE:
        if (core->internal->phase != CORE_ENDING) {
            core_store_foreign(core, action);
        }
        break;
    case NODE_ACTION_MEMBER:
        core_events_member(core, action);
        core_view_changed(core);
        break;
    case NODE_ACTION_RECORD:
        core_events_record(core, action);
        core_view_changed(core);
        break;
    case NODE_ACTION_REACHABLE:
        core_events_reachable(core, action);
        core_view_changed(core);
        break;
    case NODE_ACTION_READY:
        core->internal->starts_ready = true;
        core_view_changed(core);
        break;
    default:
        log_warning("the node asks for an unknown action=%d", action->type);
        break;
    }
}

void core_carry_out(struct core *core)
{
    struct core_internal *internal = core->internal;
    struct node_actions *actions = internal->actions;

    for (size_t i = 0; i < node_actions_count(actions); i++) {
        core_act(core, node_actions_at(actions, i));
    }
    node_actions_clear(actions);
    core_set_tick(core);
}

/* Nothing else tells that the node has stopped writing. */
static void core_note_trouble(struct core *core)
{
    uint8_t source[32];
    enum node_trouble trouble = node_trouble(core->node, source);

    if (trouble == core->internal->trouble) {
        return;
    }
    core->internal->trouble = trouble;
    core_view_changed(core);
    if (trouble == NODE_TROUBLE_TWIN) {
        log_error("another agent writes with this node's key: this one stops "
                  "writing; see agentctl status");
    } else if (trouble == NODE_TROUBLE_FROZEN) {
        log_error("two records of this node contradict each other: all others "
                  "stop believing it; see agentctl record evidence");
    }
}

void core_step(struct core *core, struct node_event *event)
{
    struct core_internal *internal = core->internal;
    int error;

    assert(!internal->is_stepping);
    if (event->bytes != NULL &&
        !poison_begin(core->poison, POISON_PACKET, event->bytes, event->size)) {
        return; /* core has died on it */
    }
    internal->is_stepping = true;
    event->now_ms = clock_now_ms();
    event->wall_ms = core_clock_step(core);
    error = node_step(core->node, event, internal->actions);
    if (error != 0 && error != internal->step_error) {
        /* What it could do is among the actions; the rest it does later. */
        log_error("event=%d not handled wholly: %s", event->type,
                  strerror(-error));
    }
    internal->step_error = error;
    if (node_n_heard(core->node) != internal->n_heard) {
        /* Nothing else tells that a member is heard for the first time. */
        internal->n_heard = node_n_heard(core->node);
        core_view_changed(core);
    }
    core_note_trouble(core);
    core_carry_out(core);
    internal->is_stepping = false;
    poison_end(core->poison, POISON_PACKET);
}
