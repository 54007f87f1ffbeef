/*
 * Bulk streams between simulated nodes, as agent/net/net_sync.c makes them: the
 * responder looks at the initiator's certificate before it answers, hears of
 * the stream with its first frame, refuses when it serves too many; frames
 * arrive whole and in order; whatever is not over within its time is ended on
 * both sides.  A cut makes frames wait for nothing: only the time limit ends
 * such a stream.  Encryption is left out, it is stream.c's own matter.
 */
#ifndef SOCKETNET_TESTS_SIM_STREAMS_H
#define SOCKETNET_TESTS_SIM_STREAMS_H

#include "gossip/node/node.h"
#include "tests/sim/cluster.h"

void streams_open(struct cluster *cluster, uint32_t node,
                  const struct node_action *action);
void streams_send(struct cluster *cluster, uint32_t node,
                  const struct node_action *action);
void streams_close(struct cluster *cluster, uint32_t node,
                   const struct node_action *action);
/* The node stopped: its peers' streams break. */
void streams_stop(struct cluster *cluster, uint32_t node);
/* An item of one of the QUEUE_STREAM_* types. */
void streams_handle(struct cluster *cluster, const struct queue_item *item);
void streams_done(struct cluster *cluster);

#endif
