/*
 * No silence: what is sent to a function's address and has no backend is
 * refused, so that clients do not wait for nothing.
 */
#ifndef SOCKETNET_AGENT_WORKER_WORKER_REFUSE_H
#define SOCKETNET_AGENT_WORKER_WORKER_REFUSE_H

#include <stdint.h>

#include "gossip/base/macros.h"

struct openflow_packet_in;
struct worker;

_must_check_ int worker_refuse_new(struct worker *worker);
/* The memory goes when the loop has run. */
void worker_refuse_free(struct worker *worker);

/* A packet that found nothing in the service stage. */
void worker_refuse_packet(struct worker *worker,
                          const struct openflow_packet_in *packet);

/* A packet that does not fit into the tunnel: its sender is told. */
void worker_refuse_too_big(struct worker *worker,
                           const struct openflow_packet_in *packet);

/* Counted since the start. */
struct worker_refuse_counters {
    uint64_t refused; /* answered by a reset or as unreachable */
    uint64_t echoed;  /* pings */
    uint64_t too_big; /* answered as that */
    uint64_t again;   /* sent through the tables once more */
    uint64_t dropped; /* no answer is due, or too many at once */
};
const struct worker_refuse_counters *
worker_refuse_counters(const struct worker *worker);

#endif
