/*
 * See worker_refuse.h.  The switch caches what it decides, so that for some
 * milliseconds after a bundle packets come here for functions that have a
 * backend by now.  They are sent through the tables again, and once more while
 * the cache still sends them back, until REFUSE_MS have passed.
 */
#include "agent/worker/worker_refuse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "agent/system/clock.h"
#include "agent/system/log.h"
#include "agent/worker/worker_frame.h"
#include "agent/worker/worker_kernel.h"
#include "agent/worker/worker_ports.h"
#include "agent/worker/worker_private.h"
#include "agent/worker/worker_rate.h"
#include "agent/worker/worker_switch.h"
#include "reconcilers/openflow/openflow.h"

/* Packets that are tried again at once, for how long and how often. */
#define REFUSE_WAITING_MAX 64
#define REFUSE_MS          100u
#define REFUSE_AGAIN_MS    2u
/* Answers in a second; the switch sends no more either (PLAN_METER_RATE). */
#define REFUSE_PER_S 1000u

struct refuse_waiting {
    uint64_t until_ms; /* 0: free */
    bool is_here;      /* it has come back, or is new */
    uint32_t in_port;
    size_t size;
    uint8_t frame[WORKER_FRAME_SIZE];
};

struct worker_refuse {
    uv_timer_t timer;
    struct worker_refuse_counters counters;
    struct refuse_waiting *waiting; /* NULL: nothing waits */
    struct worker_rate rate;        /* of answers */
};

const struct worker_refuse_counters *
worker_refuse_counters(const struct worker *worker)
{
    return &worker->refuse->counters;
}

static bool may_answer(struct worker_refuse *refuse)
{
    if (!worker_rate_has_room(&refuse->rate, clock_now_ms(), REFUSE_PER_S)) {
        return false;
    }
    refuse->rate.n++;
    return true;
}

static void answer(struct worker *worker, uint32_t in_port,
                   const struct worker_frame *frame, bool is_echo)
{
    struct worker_refuse *refuse = worker->refuse;
    struct ofconn *ofconn = worker_switch_ofconn(worker);
    uint8_t bytes[WORKER_FRAME_SIZE];
    size_t size = is_echo ? worker_frame_echo(frame, bytes)
                          : worker_frame_refuse(frame, bytes);

    if (size == 0 || ofconn == NULL || !may_answer(refuse) ||
        ofconn_packet_out(ofconn, in_port, bytes, size) != 0) {
        refuse->counters.dropped++;
        return;
    }
    *(is_echo ? &refuse->counters.echoed : &refuse->counters.refused) += 1;
}

/* The function that has this address and, when `needs_port`, port. */
static const struct desired_function *
find_function(const struct worker *worker, const struct worker_frame *frame,
              bool needs_port)
{
    const struct desired *desired = &worker->state.desired;

    for (size_t i = 0; i < desired->n_items; i++) {
        const struct desired_function *function = &desired->items[i].function;

        if (desired->items[i].type == DESIRED_FUNCTION &&
            address_equal(&function->address, &frame->to) &&
            (!needs_port || (function->protocol == frame->protocol &&
                             function->port == frame->to_port))) {
            return function;
        }
    }
    return NULL;
}

static bool has_backend(const struct desired_function *function)
{
    for (size_t i = 0; function != NULL && i < function->n_backends; i++) {
        if (function->backends[i].accepts_new &&
            function->backends[i].weight > 0) {
            return true;
        }
    }
    return false;
}

/* --- What is tried again. --- */

static void on_timer(uv_timer_t *timer);

static bool is_same(const struct refuse_waiting *waiting,
                    const struct openflow_packet_in *packet)
{
    return waiting->until_ms != 0 && waiting->in_port == packet->in_port &&
           waiting->size == packet->frame_size &&
           memcmp(waiting->frame, packet->frame, packet->frame_size) == 0;
}

/* False: there is no room, or it has waited long enough. */
static bool wait_for(struct worker *worker,
                     const struct openflow_packet_in *packet)
{
    struct worker_refuse *refuse = worker->refuse;
    struct refuse_waiting *place = NULL;
    uint64_t now = clock_now_ms();

    if (packet->frame_size > WORKER_FRAME_SIZE) {
        return false;
    }
    if (refuse->waiting == NULL) {
        refuse->waiting = calloc(REFUSE_WAITING_MAX, sizeof(*refuse->waiting));
        if (refuse->waiting == NULL) {
            return false;
        }
    }
    for (size_t i = 0; i < REFUSE_WAITING_MAX; i++) {
        struct refuse_waiting *waiting = &refuse->waiting[i];

        if (is_same(waiting, packet)) {
            waiting->is_here = true;
            return now < waiting->until_ms;
        }
        if (place == NULL && waiting->until_ms == 0) {
            place = waiting;
        }
    }
    if (place == NULL) {
        return false;
    }
    place->until_ms = now + REFUSE_MS;
    place->is_here = true;
    place->in_port = packet->in_port;
    place->size = packet->frame_size;
    memcpy(place->frame, packet->frame, packet->frame_size);
    return true;
}

static void start_timer(struct worker *worker)
{
    if (!uv_is_active((const uv_handle_t *)&worker->refuse->timer)) {
        uv_update_time(&worker->loop);
        /* Cannot fail on an open timer. */
        (void)uv_timer_start(&worker->refuse->timer, on_timer, REFUSE_AGAIN_MS,
                             REFUSE_AGAIN_MS);
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct worker *worker = timer->data;
    struct worker_refuse *refuse = worker->refuse;
    struct ofconn *ofconn = worker_switch_ofconn(worker);
    uint64_t now = clock_now_ms();
    size_t n_left = 0;

    for (size_t i = 0; i < REFUSE_WAITING_MAX; i++) {
        struct refuse_waiting *waiting = &refuse->waiting[i];

        if (waiting->until_ms == 0) {
            continue;
        }
        /* One that does not come back found its way. */
        if (now >= waiting->until_ms) {
            waiting->until_ms = 0;
            continue;
        }
        n_left++;
        if (waiting->is_here && ofconn != NULL &&
            ofconn_packet_again(ofconn, waiting->in_port, waiting->frame,
                                waiting->size) == 0) {
            waiting->is_here = false;
            refuse->counters.again++;
        }
    }
    if (n_left == 0) {
        (void)uv_timer_stop(timer); /* cannot fail */
        free(refuse->waiting);
        refuse->waiting = NULL;
    }
}

void worker_refuse_packet(struct worker *worker,
                          const struct openflow_packet_in *packet)
{
    struct worker_frame frame;

    if (worker->observe || worker_ports_is_tunnel(worker, packet->in_port) ||
        !worker_frame_parse(packet->frame, packet->frame_size, &frame)) {
        worker->refuse->counters.dropped++;
        return;
    }
    if (has_backend(find_function(worker, &frame, true)) &&
        wait_for(worker, packet)) {
        start_timer(worker);
        return;
    }
    answer(worker, packet->in_port, &frame,
           (frame.protocol == 1 || frame.protocol == 58) &&
               find_function(worker, &frame, false) != NULL);
}

void worker_refuse_too_big(struct worker *worker,
                           const struct openflow_packet_in *packet)
{
    struct worker_refuse *refuse = worker->refuse;
    struct ofconn *ofconn = worker_switch_ofconn(worker);
    uint32_t mtu = plan_tunnel_mtu(worker_kernel_mesh_mtu(worker));
    uint8_t bytes[WORKER_FRAME_SIZE];
    struct worker_frame frame;
    size_t size = 0;

    if (!worker->observe &&
        worker_frame_parse(packet->frame, packet->frame_size, &frame)) {
        size = worker_frame_too_big(&frame, mtu, bytes);
    }
    if (size == 0 || ofconn == NULL || !may_answer(refuse) ||
        ofconn_packet_report(ofconn, bytes, size) != 0) {
        refuse->counters.dropped++;
        return;
    }
    refuse->counters.too_big++;
}

int worker_refuse_new(struct worker *worker)
{
    worker->refuse = calloc(1, sizeof(*worker->refuse));
    if (worker->refuse == NULL) {
        return -ENOMEM;
    }
    worker->refuse->timer.data = worker;
    return uv_timer_init(&worker->loop, &worker->refuse->timer);
}

static void on_closed(uv_handle_t *handle)
{
    struct worker *worker = handle->data;

    free(worker->refuse->waiting);
    free(worker->refuse);
    worker->refuse = NULL;
}

void worker_refuse_free(struct worker *worker)
{
    if (worker->refuse != NULL) {
        uv_close((uv_handle_t *)&worker->refuse->timer, on_closed);
    }
}
