/*
 * Packets from the tunnel for a container whose MAC is not known yet, or
 * whose flows are on their way to the switch: kept for a moment and handed on
 * as soon as the MAC is learned, as a kernel's neighbour queue does (RFC 1122
 * section 2.3.2.2).  Without that the first answer to a container that has
 * just appeared is lost, and TCP repeats it a second later.
 */
#include "agent/worker/worker_hold.h"

#include <stdlib.h>
#include <string.h>

#include "agent/system/clock.h"
#include "agent/system/log.h"
#include "agent/worker/worker_learn.h"
#include "agent/worker/worker_ports.h"
#include "agent/worker/worker_private.h"
#include "agent/worker/worker_reconcile.h"
#include "agent/worker/worker_switch.h"
#include "reconcilers/openflow/openflow.h"

/* Frames kept at once and how long; the oldest makes room. */
#define HOLD_FRAMES_MAX 64
#define HOLD_FRAME_SIZE 2048
#define HOLD_MS         1000

struct hold_frame {
    struct address to;
    uint64_t until_ms;
    size_t size; /* 0: free */
    uint8_t frame[HOLD_FRAME_SIZE];
};

struct worker_hold {
    struct hold_frame frames[HOLD_FRAMES_MAX];
    size_t next;
};

/* To the container's MAC, from the bridge's own. */
static void hand_on(struct worker *worker, const struct plan_neighbor *neighbor,
                    uint8_t *frame, size_t size)
{
    struct ofconn *ofconn = worker_switch_ofconn(worker);

    memcpy(frame, neighbor->mac, 6);
    /* Not known: from whom it came does as well. */
    (void)worker_reconcile_local_mac(worker, frame + 6);
    if (ofconn == NULL ||
        ofconn_packet_out(ofconn, neighbor->ofport, frame, size) != 0) {
        log_debug("a held packet could not be sent");
    }
}

void worker_hold_packet(struct worker *worker,
                        const struct openflow_packet_in *packet)
{
    const struct plan_neighbor *neighbor;
    struct hold_frame *held;
    struct address to;

    if (packet->frame_size > HOLD_FRAME_SIZE || worker->observe ||
        !worker_ports_is_tunnel(worker, packet->in_port) ||
        !worker_neighbors_destination(&worker->policy, packet->frame,
                                      packet->frame_size, &to)) {
        return;
    }
    if (worker->hold == NULL) {
        worker->hold = calloc(1, sizeof(*worker->hold));
        if (worker->hold == NULL) {
            return; /* lost, as without this file */
        }
    }
    held = &worker->hold->frames[worker->hold->next];
    held->to = to;
    held->until_ms = clock_now_ms() + HOLD_MS;
    held->size = packet->frame_size;
    memcpy(held->frame, packet->frame, packet->frame_size);
    neighbor = worker_neighbors_find(worker_learn_neighbors(worker), &to);
    if (neighbor != NULL) {
        hand_on(worker, neighbor, held->frame, held->size);
        held->size = 0;
        return;
    }
    worker->hold->next = (worker->hold->next + 1) % HOLD_FRAMES_MAX;
}

void worker_hold_release(struct worker *worker)
{
    uint64_t now = clock_now_ms();
    size_t n_left = 0;

    for (size_t i = 0; i < HOLD_FRAMES_MAX && worker->hold != NULL; i++) {
        struct hold_frame *held = &worker->hold->frames[i];
        const struct plan_neighbor *neighbor;

        if (held->size == 0) {
            continue;
        }
        neighbor =
            worker_neighbors_find(worker_learn_neighbors(worker), &held->to);
        if (neighbor != NULL && now <= held->until_ms) {
            hand_on(worker, neighbor, held->frame, held->size);
        }
        if (neighbor != NULL || now > held->until_ms) {
            held->size = 0;
        }
        n_left += held->size != 0;
    }
    if (n_left == 0) {
        worker_hold_free(worker); /* it is large and seldom needed */
    }
}

void worker_hold_free(struct worker *worker)
{
    free(worker->hold);
    worker->hold = NULL;
}
