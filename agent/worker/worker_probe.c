/*
 * Asking for containers by ARP: for registered addresses that have not been
 * seen behind their port, and for addresses that packets are sent to.
 */
#include "agent/worker/worker_probe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/system/clock.h"
#include "agent/system/log.h"
#include "agent/worker/worker_learn.h"
#include "agent/worker/worker_ports.h"
#include "agent/worker/worker_private.h"
#include "agent/worker/worker_rate.h"
#include "agent/worker/worker_reconcile.h"
#include "agent/worker/worker_switch.h"
#include "reconcilers/openflow/openflow.h"

/* A registered address: five times at once, then slowly for as long as it
 * is registered.  The second question comes early, as the first one may have
 * been faster than the flows that let its answer through.  One that nobody has
 * been seen to have is asked for behind every port at first: it may live behind
 * another than it was registered with, and be cut off now. */
#define PROBE_FIRST_MS 20
#define PROBE_FAST_MS  200
#define PROBE_FAST_N   5
#define PROBE_SLOW_MS  5000
/* Addresses that packets are sent to: at most so many questions a second,
 * and the same one not twice within PROBE_FAST_MS. */
#define PROBE_UNKNOWN_PER_S 100
#define PROBE_RECENT_N      64
/* Ports asked for one unknown address. */
#define PROBE_PORTS_MAX 256

struct probe_target {
    struct address address;
    uint32_t ofport;      /* 0: its port is not there */
    bool is_seen_nowhere; /* asked for behind every port */
    uint32_t n_sent;
    uint64_t next_ms;
};

struct worker_probe {
    uv_timer_t timer;
    uv_timer_t again;             /* who is known is asked again */
    unsigned n_open;              /* timers that are not closed yet */
    struct probe_target *targets; /* owned, sorted by address */
    size_t n_targets;
    struct probe_target recent[PROBE_RECENT_N]; /* ring of unknown ones */
    size_t next_recent;
    struct worker_rate rate; /* of questions for unknown ones */
};

/* Who asks: the gateway, or (a probe without an address) our tunnel's end.
 * False while neither is known. */
static bool find_sender(const struct worker *worker, struct address *ret_sender,
                        uint8_t ret_mac[6])
{
    const struct desired *desired = &worker->state.desired;

    *ret_sender = worker->policy.gateway;
    if (ret_sender->family == 4 &&
        worker_reconcile_local_mac(worker, ret_mac)) {
        return true;
    }
    *ret_sender = (struct address){0};
    for (size_t i = 0; i < desired->n_items; i++) {
        const struct desired_item *item = &desired->items[i];

        if (item->type == DESIRED_HOST && item->host.is_self) {
            desired_host_mac(item->host.id, ret_mac);
            return true;
        }
    }
    return false;
}

bool worker_probe_ask(struct worker *worker, const struct address *address,
                      uint32_t ofport)
{
    struct ofconn *ofconn = worker_switch_ofconn(worker);
    uint8_t frame[WORKER_ARP_SIZE];
    struct address sender;
    uint8_t mac[6] = {0};

    if (ofconn == NULL || worker->observe ||
        !find_sender(worker, &sender, mac)) {
        return false;
    }
    worker_neighbors_request(address, &sender, mac, frame);
    if (ofconn_packet_out(ofconn, ofport, frame, sizeof(frame)) != 0) {
        log_debug("an ARP request could not be sent");
        return false;
    }
    return true;
}

static void on_timer(uv_timer_t *timer);

static void arm(struct worker *worker)
{
    struct worker_probe *probe = worker->probe;
    uint64_t now = clock_now_ms();
    uint64_t next = UINT64_MAX;

    for (size_t i = 0; i < probe->n_targets; i++) {
        next = MIN_OF(next, probe->targets[i].next_ms);
    }
    if (next == UINT64_MAX) {
        (void)uv_timer_stop(&probe->timer); /* cannot fail */
        return;
    }
    uv_update_time(&worker->loop);
    /* Cannot fail on an open timer. */
    (void)uv_timer_start(&probe->timer, on_timer, next > now ? next - now : 0,
                         0);
}

/* Behind every container's port but this one. */
static void ask_all(struct worker *worker, const struct address *address,
                    uint32_t except)
{
    size_t n_asked = 0;
    size_t n_ports;
    const struct plan_port *ports = worker_ports_list(worker, &n_ports);

    for (size_t i = 0; i < n_ports && n_asked < PROBE_PORTS_MAX; i++) {
        const struct plan_port *port = &ports[i];

        if (port->ofport != 0 && port->ofport != except &&
            strcmp(port->name, worker->policy.tunnel_device) != 0) {
            (void)worker_probe_ask(worker, address, port->ofport);
            n_asked++;
        }
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct worker *worker = timer->data;
    struct worker_probe *probe = worker->probe;
    uint64_t now = clock_now_ms();

    for (size_t i = 0; i < probe->n_targets; i++) {
        struct probe_target *target = &probe->targets[i];

        if (target->next_ms > now) {
            continue;
        }
        if (target->ofport != 0) {
            (void)worker_probe_ask(worker, &target->address, target->ofport);
        }
        if (target->is_seen_nowhere && target->n_sent < PROBE_FAST_N) {
            ask_all(worker, &target->address, target->ofport);
        }
        target->n_sent++;
        target->next_ms =
            now + (target->n_sent == 1             ? PROBE_FIRST_MS
                   : target->n_sent < PROBE_FAST_N ? PROBE_FAST_MS
                                                   : PROBE_SLOW_MS);
    }
    arm(worker);
}

static const struct probe_target *find_target(const struct worker_probe *probe,
                                              const struct address *address)
{
    for (size_t i = 0; i < probe->n_targets; i++) {
        if (address_equal(&probe->targets[i].address, address)) {
            return &probe->targets[i];
        }
    }
    return NULL;
}

/* Whether the item is to be asked for, and how. */
static bool is_wanted(const struct worker *worker,
                      const struct desired_item *item,
                      struct probe_target *ret_target)
{
    const struct worker_neighbors *neighbors = worker_learn_neighbors(worker);
    const struct desired_local *local = &item->local;
    const struct plan_neighbor *neighbor;
    const struct plan_port *port;
    struct probe_target target = {0};

    if (item->type != DESIRED_LOCAL || local->address.family != 4) {
        return false;
    }
    target.address = local->address;
    port = worker_ports_find(worker, local->port_name);
    target.ofport = port != NULL ? port->ofport : 0;
    target.is_seen_nowhere =
        worker_neighbors_port(neighbors, &local->address) == NULL;
    neighbor = worker_neighbors_find(neighbors, &local->address);
    *ret_target = target;
    /* One seen behind another port may have moved to its own since. */
    return target.is_seen_nowhere ||
           (target.ofport != 0 &&
            (neighbor == NULL || neighbor->ofport != target.ofport));
}

void worker_probe_update(struct worker *worker)
{
    struct worker_probe *probe = worker->probe;
    const struct desired *desired = &worker->state.desired;
    struct probe_target *targets = NULL;
    size_t n_targets = 0;
    struct probe_target target;
    size_t n_max = 0;

    for (size_t i = 0; i < desired->n_items; i++) {
        n_max += is_wanted(worker, &desired->items[i], &target);
    }
    if (n_max > 0) {
        targets = calloc(n_max, sizeof(*targets));
        if (targets == NULL) {
            return; /* the old ones are asked for until the next change */
        }
    }
    for (size_t i = 0; i < desired->n_items && n_targets < n_max; i++) {
        const struct probe_target *old;

        if (!is_wanted(worker, &desired->items[i], &target)) {
            continue;
        }
        old = find_target(probe, &target.address);
        if (old != NULL && old->ofport == target.ofport) {
            target.n_sent = old->n_sent;
            target.next_ms = old->next_ms;
        }
        targets[n_targets++] = target;
    }
    free(probe->targets);
    probe->targets = targets;
    probe->n_targets = n_targets;
    arm(worker);
}

/* Within the limits; notes it. */
static bool may_ask(struct worker_probe *probe, const struct address *address)
{
    uint64_t now = clock_now_ms();

    if (!worker_rate_has_room(&probe->rate, now, PROBE_UNKNOWN_PER_S)) {
        return false;
    }
    for (size_t i = 0; i < PROBE_RECENT_N; i++) {
        const struct probe_target *recent = &probe->recent[i];

        if (recent->next_ms > now && address_equal(&recent->address, address)) {
            return false;
        }
    }
    probe->rate.n++;
    probe->recent[probe->next_recent] = (struct probe_target){
        .address = *address, .next_ms = now + PROBE_FAST_MS};
    probe->next_recent = (probe->next_recent + 1) % PROBE_RECENT_N;
    return true;
}

void worker_probe_unknown(struct worker *worker, uint32_t in_port,
                          const uint8_t *frame, size_t size)
{
    struct address to;

    if (!worker_neighbors_destination(&worker->policy, frame, size, &to) ||
        worker_neighbors_find(worker_learn_neighbors(worker), &to) != NULL ||
        !may_ask(worker->probe, &to)) {
        return;
    }
    ask_all(worker, &to, in_port);
}

static void on_again(uv_timer_t *timer)
{
    worker_learn_ask_again(timer->data);
}

int worker_probe_new(struct worker *worker)
{
    struct worker_probe *probe = calloc(1, sizeof(*probe));

    if (probe == NULL) {
        return -ENOMEM;
    }
    worker->probe = probe;
    probe->timer.data = worker;
    probe->again.data = worker;
    probe->n_open = 2;
    /* None of these can fail. */
    (void)uv_timer_init(&worker->loop, &probe->timer);
    (void)uv_timer_init(&worker->loop, &probe->again);
    (void)uv_timer_start(&probe->again, on_again, 1000, 1000);
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct worker *worker = handle->data;

    worker->probe->n_open--;
    if (worker->probe->n_open == 0) {
        free(worker->probe->targets);
        free(worker->probe);
        worker->probe = NULL;
    }
}

void worker_probe_free(struct worker *worker)
{
    if (worker->probe != NULL) {
        uv_close((uv_handle_t *)&worker->probe->timer, on_closed);
        uv_close((uv_handle_t *)&worker->probe->again, on_closed);
    }
}
