/*
 * Where the containers are: what is learned (worker_neighbors.c) at a bounded
 * rate, and who is told.
 */
#include "agent/worker/worker_learn.h"

#include <errno.h>
#include <stdlib.h>

#include "agent/system/clock.h"
#include "agent/system/log.h"
#include "agent/worker/worker_hold.h"
#include "agent/worker/worker_ports.h"
#include "agent/worker/worker_private.h"
#include "agent/worker/worker_probe.h"
#include "agent/worker/worker_rate.h"
#include "agent/worker/worker_reconcile.h"
#include "reconcilers/openflow/openflow.h"

/* Changes of the table in a second; a host starts fewer containers. */
#define LEARN_PER_S 200
/* Each is asked again after so many seconds; of very many each second so many.
 * Longer than a kernel's own "reachable" (RFC 4861, section 10), as these are
 * not used by one host alone. */
#define LEARN_AGAIN_S     10
#define LEARN_AGAIN_PER_S 100

struct worker_learn {
    struct worker_neighbors neighbors;
    bool has_recovered;
    struct worker_rate rate; /* of changes */
    size_t next_again;       /* index of whom to ask again */
    size_t due_again;        /* questions that are due, in LEARN_AGAIN_S-ths */
};

int worker_learn_new(struct worker *worker)
{
    worker->learn = calloc(1, sizeof(*worker->learn));
    return worker->learn != NULL ? 0 : -ENOMEM;
}

void worker_learn_free(struct worker *worker)
{
    if (worker->learn != NULL) {
        worker_neighbors_done(&worker->learn->neighbors);
    }
    free(worker->learn);
    worker->learn = NULL;
}

static struct worker_neighbors_rules find_rules(const struct worker *worker)
{
    struct worker_neighbors_rules rules = {.policy = &worker->policy,
                                           .desired = &worker->state.desired};

    rules.ports = worker_ports_list(worker, &rules.n_ports);
    return rules;
}

void worker_learn_packet(struct worker *worker,
                         const struct openflow_packet_in *packet)
{
    struct worker_neighbors_rules rules = find_rules(worker);
    struct worker_learn *learn = worker->learn;
    int result = 0;

    /* A container that changes its address or MAC all the time must not keep us
     * rewriting flows. */
    if (worker_rate_has_room(&learn->rate, clock_now_ms(), LEARN_PER_S)) {
        result =
            worker_neighbors_learn(&learn->neighbors, &rules, packet->in_port,
                                   packet->frame, packet->frame_size);
    }
    if (result == WORKER_NEIGHBORS_CHANGED) {
        learn->rate.n++;
        worker_hold_release(worker);
        worker_probe_update(worker);
        worker_reconcile_soon(worker);
    } else if (result == 0) {
        worker_hold_packet(worker, packet);
        worker_probe_unknown(worker, packet->in_port, packet->frame,
                             packet->frame_size);
    }
}

void worker_learn_follow(struct worker *worker)
{
    struct worker_neighbors_rules rules = find_rules(worker);

    if (worker_neighbors_follow(&worker->learn->neighbors, &rules)) {
        worker_probe_update(worker);
    }
}

void worker_learn_recover(struct worker *worker, const struct flow *flows,
                          size_t n_flows)
{
    struct worker_neighbors_rules rules = find_rules(worker);
    struct worker_learn *learn = worker->learn;

    if (learn->has_recovered) {
        return;
    }
    learn->has_recovered = true;
    if (worker_neighbors_recover(&learn->neighbors, &rules, flows, n_flows) <
        0) {
        log_error("out of memory: containers are learned anew");
    }
    worker_probe_update(worker);
}

/* Asks the next in turn.  True: it was forgotten instead. */
static bool ask_next(struct worker *worker,
                     const struct worker_neighbors_rules *rules)
{
    struct worker_learn *learn = worker->learn;
    struct worker_neighbors *neighbors = &learn->neighbors;
    const struct plan_neighbor *entry;

    learn->next_again %= neighbors->n_entries;
    entry = &neighbors->entries[learn->next_again];
    if (entry->ofport != 0 &&
        worker_probe_ask(worker, &entry->address, entry->ofport) &&
        worker_neighbors_note_asked(neighbors, rules, learn->next_again)) {
        return true;
    }
    learn->next_again++;
    return false;
}

void worker_learn_ask_again(struct worker *worker)
{
    struct worker_neighbors_rules rules = find_rules(worker);
    struct worker_learn *learn = worker->learn;
    bool is_changed = false;

    learn->due_again += MIN_OF(learn->neighbors.n_entries,
                               (size_t)LEARN_AGAIN_PER_S * LEARN_AGAIN_S);
    while (learn->due_again >= LEARN_AGAIN_S &&
           learn->neighbors.n_entries > 0) {
        learn->due_again -= LEARN_AGAIN_S;
        is_changed |= ask_next(worker, &rules);
    }
    if (is_changed) {
        worker_probe_update(worker);
        worker_reconcile_soon(worker);
    }
}

const struct worker_neighbors *
worker_learn_neighbors(const struct worker *worker)
{
    return &worker->learn->neighbors;
}
