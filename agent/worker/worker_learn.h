/*
 * Learning where the containers are, from the frames that the switch copies to
 * us and from our own flows after a restart: worker_neighbors.h beside the
 * worker's ports and desired set.
 */
#ifndef SOCKETNET_AGENT_WORKER_WORKER_LEARN_H
#define SOCKETNET_AGENT_WORKER_WORKER_LEARN_H

#include <stddef.h>

#include "agent/worker/worker_neighbors.h"
#include "gossip/base/macros.h"

struct openflow_packet_in;
struct worker;

_must_check_ int worker_learn_new(struct worker *worker);
void worker_learn_free(struct worker *worker);

/* A packet that the switch sent here: learned from, held, or asked about. */
void worker_learn_packet(struct worker *worker,
                         const struct openflow_packet_in *packet);
/* Ports or bindings changed. */
void worker_learn_follow(struct worker *worker);
/* The flows of the first dump: what an earlier worker knew.  Later ones say
 * nothing new and are not looked at. */
void worker_learn_recover(struct worker *worker, const struct flow *flows,
                          size_t n_flows);

/* Asks the next ones, in turn, whether they are still there; called once a
 * second.  Who has another MAC now says so, who is gone is forgotten. */
void worker_learn_ask_again(struct worker *worker);

/* Who is known.  Valid until the next of the above. */
const struct worker_neighbors *
worker_learn_neighbors(const struct worker *worker);

#endif
