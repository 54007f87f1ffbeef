/* Clock, nodes and their actions.  See cluster.h. */
#include "tests/sim/cluster.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/base/limits.h"
#include "tests/sim/cluster_internal.h"
#include "tests/sim/streams.h"

/* A node that wants so many ticks within one millisecond hangs. */
#define CLUSTER_TICKS_MAX 1000
/* Events of each node in a second, virtual time.  More, as when two answer each
 * other's answers, ends the simulation: it fails instead of going on. */
#define CLUSTER_EVENTS_MAX 50000
/* Bytes of either end of an action's that the trace takes. */
#define CLUSTER_TRACE_SIZE 32
/* The store thread lets foreign records wait for company so long. */
#define CLUSTER_FOREIGN_SYNC_US 50000

uint64_t cluster_now_ms(const struct cluster *cluster)
{
    return cluster->now_us / 1000;
}

uint64_t cluster_node_now_ms(const struct cluster *cluster, uint32_t node)
{
    return (cluster->now_us + cluster->nodes[node].clock_us) / 1000;
}

uint64_t cluster_node_wall_ms(const struct cluster *cluster, uint32_t node)
{
    return CLUSTER_WALL_MS + cluster->now_us / 1000 +
           (uint64_t)cluster->nodes[node].wall_ms;
}

bool cluster_is_running(const struct cluster *cluster, uint32_t node)
{
    return cluster->nodes[node].node != NULL;
}

uint32_t cluster_find_endpoint(const struct cluster *cluster,
                               const struct endpoint *endpoint)
{
    const uint8_t *bytes = endpoint->address.bytes;
    uint32_t index = bytes[2] * 250u + bytes[3] - 1u;
    struct endpoint real;

    if (index >= cluster->config.n_nodes) {
        return CLUSTER_NONE;
    }
    real = simkeys_endpoint(index);
    return endpoint_equal(&real, endpoint) ? index : CLUSTER_NONE;
}

uint32_t cluster_find_key(const struct cluster *cluster, const uint8_t key[32])
{
    for (uint32_t i = 0; i < cluster->config.n_nodes; i++) {
        if (memcmp(cluster->nodes[i].keys.sign_public, key, 32) == 0) {
            return i;
        }
    }
    return CLUSTER_NONE;
}

static void cluster_trace(struct cluster *cluster, uint64_t a, uint64_t b,
                          uint64_t c, const uint8_t *bytes, size_t size)
{
    uint64_t head[5] = {cluster->now_us, a, b, c, size};

    crypto_generichash_update(&cluster->trace, (const uint8_t *)head,
                              sizeof(head));
    if (size > 0) {
        crypto_generichash_update(&cluster->trace, bytes, size);
    }
}

/* A packet ends with its tag and a record with its signature: where the whole
 * is long, its beginning and end tell as much. */
static void cluster_trace_action(struct cluster *cluster,
                                 const struct node_action *action)
{
    uint8_t ends[2 * CLUSTER_TRACE_SIZE];
    const uint8_t *bytes = action->bytes;
    size_t size = action->size;

    if (size > sizeof(ends)) {
        memcpy(ends, bytes, CLUSTER_TRACE_SIZE);
        memcpy(ends + CLUSTER_TRACE_SIZE, bytes + size - CLUSTER_TRACE_SIZE,
               CLUSTER_TRACE_SIZE);
        bytes = ends;
        size = sizeof(ends);
    }
    cluster_trace(cluster, action->type ^ (uint64_t)action->size << 16,
                  action->stream ^ (uint64_t)action->is_own << 32 ^
                      (uint64_t)action->endpoint.port << 40,
                  (uint64_t)action->old_state << 16 ^
                      (uint64_t)action->new_state << 8 ^
                      (uint64_t)action->change ^
                      (uint64_t)action->endpoint.address.bytes[3] << 24,
                  bytes, size);
}

void cluster_transmit(struct cluster *cluster, uint32_t from, uint32_t to,
                      const uint8_t *bytes, size_t size)
{
    uint32_t delays_us[NETWORK_COPIES_MAX];
    size_t n_copies = network_draw(&cluster->network, from, to, delays_us);

    for (size_t i = 0; i < n_copies; i++) {
        struct queue_item item = {.at_us = cluster->now_us + delays_us[i],
                                  .type = QUEUE_DATAGRAM,
                                  .node = to,
                                  .peer = from,
                                  .life = cluster->nodes[to].life,
                                  .bytes = malloc(size),
                                  .size = size};

        assert(item.bytes != NULL);
        memcpy(item.bytes, bytes, size);
        network_damage(&cluster->network, item.bytes, item.size);
        queue_push(&cluster->queue, &item);
    }
}

static void cluster_send(struct cluster *cluster, uint32_t node,
                         const struct node_action *action)
{
    uint32_t to = cluster_find_endpoint(cluster, &action->endpoint);

    if (to != CLUSTER_NONE && cluster->nodes[to].host != to) {
        return; /* a clone has another's address, and none of its own */
    }
    if (to == CLUSTER_NONE || to == node) {
        check_fail(&cluster->check, node, "sends to nobody's endpoint");
        return;
    }
    to = cluster->nodes[to].voice;
    cluster->nodes[cluster->nodes[node].host].voice = node;
    if (cluster->wire == NULL ||
        !cluster->wire(cluster, node, to, action->bytes, action->size,
                       cluster->wire_data)) {
        cluster_transmit(cluster, node, to, action->bytes, action->size);
    }
}

static void cluster_store(struct cluster *cluster, uint32_t node,
                          const struct node_action *action)
{
    struct cluster_node *self = &cluster->nodes[node];
    bool is_own = action->type == NODE_ACTION_STORE && action->is_own;
    struct queue_item item = {
        .at_us = cluster->now_us +
                 (is_own ? random_range(&cluster->random, 1000, 5000)
                         : CLUSTER_FOREIGN_SYNC_US),
        .type = QUEUE_COMMIT,
        .node = node,
        .life = self->life,
        .number = disk_write(&self->disk, action->type == NODE_ACTION_ERASE,
                             is_own, action->bytes, action->size)};

    queue_push(&cluster->queue, &item);
}

static void cluster_act(struct cluster *cluster, uint32_t node,
                        const struct node_action *action)
{
    switch (action->type) {
    case NODE_ACTION_SEND:
        cluster_send(cluster, node, action);
        break;
    case NODE_ACTION_STREAM_OPEN:
        streams_open(cluster, node, action);
        break;
    case NODE_ACTION_STREAM_SEND:
        streams_send(cluster, node, action);
        break;
    case NODE_ACTION_STREAM_CLOSE:
        streams_close(cluster, node, action);
        break;
    case NODE_ACTION_STORE:
    case NODE_ACTION_ERASE:
        cluster_store(cluster, node, action);
        break;
    case NODE_ACTION_READY:
        cluster->nodes[node].is_ready = true;
        break;
    case NODE_ACTION_MEMBER:
    case NODE_ACTION_RECORD:
    case NODE_ACTION_REACHABLE:
        break;
    default:
        check_fail(&cluster->check, node, "unknown action %d", action->type);
        break;
    }
}

/* Has a tick in the queue for when the node wants it. */
static void cluster_set_tick(struct cluster *cluster, uint32_t node)
{
    struct cluster_node *self = &cluster->nodes[node];
    uint64_t deadline_ms = node_deadline_ms(self->node);
    struct queue_item item = {
        .type = QUEUE_TICK, .node = node, .life = self->life};

    if (deadline_ms == UINT64_MAX) {
        return;
    }
    item.at_us = deadline_ms * 1000 > self->clock_us + cluster->now_us
                     ? deadline_ms * 1000 - self->clock_us
                     : cluster->now_us;
    if (self->tick_us != 0 && self->tick_us <= item.at_us) {
        return; /* that one looks again */
    }
    self->tick_us = item.at_us;
    queue_push(&cluster->queue, &item);
}

void cluster_carry_out(struct cluster *cluster, uint32_t node)
{
    struct cluster_node *self = &cluster->nodes[node];
    struct node_actions *actions = cluster->actions;

    cluster->check.now_us = cluster->now_us;
    check_actions(&cluster->check, node, self->keys.sign_public, actions);
    for (size_t i = 0; i < node_actions_count(actions); i++) {
        const struct node_action *action = node_actions_at(actions, i);

        cluster_trace_action(cluster, action);
        cluster_act(cluster, node, action);
        if (cluster->watch != NULL) {
            cluster->watch(cluster, node, action, cluster->watch_data);
        }
    }
    node_actions_clear(actions);
    cluster_set_tick(cluster, node);
}

void cluster_step(struct cluster *cluster, uint32_t node,
                  struct node_event *event)
{
    struct cluster_node *self = &cluster->nodes[node];
    int result;

    assert(!cluster->is_stepping && self->node != NULL);
    cluster->is_stepping = true;
    cluster->n_events++;
    event->now_ms = cluster_node_now_ms(cluster, node);
    event->wall_ms = cluster_node_wall_ms(cluster, node);
    /* Its bytes were traced when they were sent; of a record written, what it
     * leads to is. */
    if (event->written == NULL) {
        cluster_trace(cluster, 1000 + event->type, node,
                      event->order.seq ^ (uint64_t)event->size << 32, NULL, 0);
    }
    result = cluster->step(self->node, event, cluster->actions);
    assert(result == 0 || (result == -ENOMEM && cluster->is_starving));
    cluster_carry_out(cluster, node);
    cluster->is_stepping = false;
}

static void cluster_tick(struct cluster *cluster, uint32_t node)
{
    struct cluster_node *self = &cluster->nodes[node];
    struct node_event event = {.type = NODE_EVENT_TICK};
    uint64_t now_ms = cluster_node_now_ms(cluster, node);

    if (self->tick_us != cluster->now_us) {
        return; /* an earlier one came in between */
    }
    self->tick_us = 0;
    if (node_deadline_ms(self->node) > now_ms) {
        cluster_set_tick(cluster, node);
        return;
    }
    self->n_ticks = self->last_tick_ms == now_ms ? self->n_ticks + 1 : 0;
    self->last_tick_ms = now_ms;
    if (self->n_ticks > CLUSTER_TICKS_MAX) {
        check_fail(&cluster->check, node, "hangs: its deadline never passes");
        cluster_stop(cluster, node);
        return;
    }
    cluster_step(cluster, node, &event);
}

struct cluster_committed {
    struct cluster *cluster;
    uint32_t node;
};

static void cluster_committed(struct record_order order, void *data)
{
    const struct cluster_committed *committed = data;
    bool is_failed = committed->cluster->nodes[committed->node].is_disk_full;
    struct node_event event = {.type = is_failed ? NODE_EVENT_STORE_FAILED
                                                 : NODE_EVENT_COMMITTED,
                               .order = order};

    if (is_failed) {
        /* What was thought to be stored is not: what is older may follow. */
        check_forget(&committed->cluster->check, committed->node);
    }
    cluster_step(committed->cluster, committed->node, &event);
}

void cluster_sync(struct cluster *cluster, uint32_t node, uint64_t number)
{
    struct cluster_committed committed = {cluster, node};

    if (cluster->nodes[node].is_disk_full) {
        disk_fail(&cluster->nodes[node].disk, number, cluster_committed,
                  &committed);
    } else {
        disk_sync(&cluster->nodes[node].disk, number, cluster_committed,
                  &committed);
    }
}

static void cluster_handle(struct cluster *cluster, struct queue_item *item)
{
    struct cluster_node *self = &cluster->nodes[item->node];
    struct node_event event = {
        .type = NODE_EVENT_DATAGRAM, .bytes = item->bytes, .size = item->size};

    if (item->type == QUEUE_CALL) {
        item->call(item->call_data, item->node);
        return;
    }
    if (item->type >= QUEUE_STREAM_ARRIVES &&
        item->type <= QUEUE_STREAM_LIMIT) {
        streams_handle(cluster, item);
        return;
    }
    if (self->node == NULL || self->life != item->life) {
        return;
    }
    if (item->type == QUEUE_TICK) {
        cluster_tick(cluster, item->node);
    } else if (item->type == QUEUE_STOP) {
        cluster_stop_gently(cluster, item->node);
    } else if (item->type == QUEUE_COMMIT) {
        cluster_sync(cluster, item->node, item->number);
    } else {
        event.from = simkeys_endpoint(cluster->nodes[item->peer].host);
        cluster_step(cluster, item->node, &event);
    }
}

void cluster_run_for(struct cluster *cluster, uint64_t ms)
{
    uint64_t end_us = cluster->now_us + ms * 1000;
    uint64_t n_left =
        (ms / 1000 + 1) * CLUSTER_EVENTS_MAX * cluster->config.n_nodes;
    const struct queue_item *first;
    struct queue_item item;

    while ((first = queue_first(&cluster->queue)) != NULL &&
           first->at_us <= end_us && !cluster->is_storm) {
        if (n_left-- == 0) {
            /* Node 0 is never hostile, and a storm is everybody's concern. */
            check_fail(&cluster->check, 0,
                       "storm: it never ends, now at node %" PRIu32,
                       first->node);
            cluster->is_storm = true;
            break;
        }
        (void)queue_pop(&cluster->queue, &item); /* there is one */
        cluster->now_us = item.at_us;
        cluster_handle(cluster, &item);
        free(item.bytes);
    }
    cluster->now_us = end_us;
}

bool cluster_run_until(struct cluster *cluster, uint64_t ms,
                       cluster_until_fn fn, void *data)
{
    uint64_t end_us = cluster->now_us + ms * 1000;

    while (!fn(cluster, data)) {
        if (cluster->now_us >= end_us) {
            return false;
        }
        cluster_run_for(cluster, 10);
    }
    return true;
}

void cluster_call(struct cluster *cluster, uint64_t ms, queue_call_fn fn,
                  void *data, uint32_t node)
{
    struct queue_item item = {.at_us = cluster->now_us + ms * 1000,
                              .type = QUEUE_CALL,
                              .node = node,
                              .call = fn,
                              .call_data = data};

    queue_push(&cluster->queue, &item);
}

void cluster_inject(struct cluster *cluster, uint32_t to,
                    const struct endpoint *from, const uint8_t *bytes,
                    size_t size)
{
    struct node_event event = {.type = NODE_EVENT_DATAGRAM,
                               .from = *from,
                               .bytes = bytes,
                               .size = size};

    cluster_step(cluster, to, &event);
}

void cluster_trace_hash(const struct cluster *cluster, uint8_t ret_hash[16])
{
    crypto_generichash_state state = cluster->trace;

    crypto_generichash_final(&state, ret_hash, 16);
}
