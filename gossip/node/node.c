/*
 * The node's front: events in, deadline out.  node_new.c makes it, node_look.c
 * is what its owner may look at; node_internal.h lists the parts.
 */
#include "gossip/node/node_internal.h"

#include <errno.h>
#include <limits.h>

/* After a step that lacked memory the next tick comes this soon. */
#define NODE_STARVED_MS 100

static void say(struct node *node, uint8_t state, uint32_t pause_s,
                struct node_actions *actions)
{
    node->own.state = state;
    node->own.pause_s = pause_s;
    if (node->own.phase == NODE_PHASE_READY) {
        own_write_member(node, actions);
    }
}

static int write_record(struct node *node, const struct node_event *event,
                        struct node_actions *actions,
                        struct record_order *ret_order)
{
    uint8_t kind = event->kind;

    if (node->own.is_twin) {
        return NODE_E_TWIN;
    }
    if (view_is_frozen(&node->self->records)) {
        return NODE_E_FROZEN;
    }
    if (node->own.phase != NODE_PHASE_READY) {
        return NODE_E_NOT_READY;
    }
    if (node->self->records.n_entries + node->own.n_pending >=
            LIMIT_RECORDS_PER_WRITER &&
        kind != RECORD_CERTIFICATE && kind != RECORD_TOMBSTONE &&
        view_find(node, node->self, kind, event->key, event->key_size) ==
            NULL &&
        !peers_is_issuer(node->self)) {
        return NODE_E_LIMIT;
    }
    return own_is_of_health(node, event)
               ? own_write_at_once(node, kind, event->key, event->key_size,
                                   event->body, event->body_size, actions,
                                   ret_order)
               : own_write(node, kind, event->key, event->key_size, event->body,
                           event->body_size, actions, ret_order);
}

static int remove_record(struct node *node, const struct node_event *event,
                         struct node_actions *actions,
                         struct record_order *ret_order)
{
    struct body_tombstone body = {.kind = event->kind};
    const struct entry *entry =
        view_find(node, node->self, event->kind, event->key, event->key_size);
    struct node_event tombstone = *event;
    uint8_t packed[16];
    int error;

    if (entry == NULL || entry->record.kind == RECORD_TOMBSTONE) {
        return NODE_E_NOT_FOUND;
    }
    error =
        body_put_tombstone(&body, packed, sizeof(packed), &tombstone.body_size);
    if (error != 0) {
        return error;
    }
    tombstone.kind = RECORD_TOMBSTONE;
    tombstone.body = packed;
    return write_record(node, &tombstone, actions, ret_order);
}

/* What came of it is the writer's to know; the step itself went well. */
static void write_own(struct node *node, const struct node_event *event,
                      struct node_actions *actions)
{
    struct node_written written = {0};

    written.result = event->type == NODE_EVENT_WRITE
                         ? write_record(node, event, actions, &written.order)
                         : remove_record(node, event, actions, &written.order);
    *event->written = written;
}

static int handle(struct node *node, const struct node_event *event,
                  struct node_actions *actions)
{
    switch (event->type) {
    case NODE_EVENT_DATAGRAM:
        return transport_receive(node, event, actions);
    case NODE_EVENT_COMMITTED:
        return own_committed(node, event->order, false, actions);
    case NODE_EVENT_STORE_FAILED:
        return own_committed(node, event->order, true, actions);
    case NODE_EVENT_STREAM_OPENED:
    case NODE_EVENT_STREAM_FRAME:
    case NODE_EVENT_STREAM_CLOSED:
        return sync_on_stream(node, event, actions);
    case NODE_EVENT_PAUSE:
        say(node, BODY_MEMBER_PAUSED, event->pause_s, actions);
        return 0;
    case NODE_EVENT_LEAVE:
        say(node, BODY_MEMBER_LEFT, 0, actions);
        return 0;
    case NODE_EVENT_FINDING:
        node->own.finding = event->finding; /* told in the same step */
        return 0;
    case NODE_EVENT_WRITE:
    case NODE_EVENT_REMOVE:
        write_own(node, event, actions);
        return 0;
    case NODE_EVENT_OFFER:
        event->offered->result =
            offer_take(node, event->bytes, event->size, actions);
        return 0;
    case NODE_EVENT_START:
    case NODE_EVENT_TICK:
    default:
        return 0;
    }
}

static bool is_of_owner(const struct node_event *event)
{
    return event->type == NODE_EVENT_WRITE ||
           event->type == NODE_EVENT_REMOVE || event->type == NODE_EVENT_OFFER;
}

/* The certificate never became valid. */
static void refuse_owner(const struct node_event *event)
{
    if (event->type == NODE_EVENT_OFFER) {
        event->offered->result = NODE_OFFER_WRITER;
    } else {
        event->written->result = NODE_E_NOT_READY;
    }
}

int node_step(struct node *node, const struct node_event *event,
              struct node_actions *actions)
{
    int result;

    node->now_ms = MAX_OF(node->now_ms, event->now_ms);
    node->wall_ms = event->wall_ms;
    node->n_burst = UINT_MAX;
    if (node->self->certificate == NULL) {
        if (is_of_owner(event)) {
            refuse_owner(event);
        }
        return -EINVAL;
    }
    result = handle(node, event, actions);
    if (is_of_owner(event)) {
        /* It does its one thing, and says itself how that went; what time
         * brings comes with the next tick. */
        (void)actions_take_failed(actions);
        return result;
    }
    if (own_tick(node, actions) != 0) {
        result = -ENOMEM;
    }
    if (node->own.phase == NODE_PHASE_READY) {
        probe_tick(node, actions);
        suspicion_tick(node, actions);
    }
    certify_tick(node, actions);
    spread_tick(node, actions);
    sync_tick(node, actions);
    if (actions_take_failed(actions) && result == 0) {
        result = -ENOMEM;
    }
    node->is_starved = result == -ENOMEM;
    return result;
}

uint64_t node_deadline_ms(const struct node *node)
{
    uint64_t deadline = MIN_OF(own_deadline(node), spread_deadline(node));

    if (node->is_starved) {
        /* What it could not do is still due, at once: give it some time. */
        return node->now_ms + NODE_STARVED_MS;
    }
    deadline = MIN_OF(deadline, sync_deadline(node));
    deadline = MIN_OF(deadline, certify_deadline(node));
    if (node->own.phase == NODE_PHASE_READY) {
        deadline = MIN_OF(deadline, probe_deadline(node));
        deadline = MIN_OF(deadline, suspicion_deadline(node));
    }
    return deadline;
}
