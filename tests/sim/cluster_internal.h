/*
 * What cluster.c (clock, actions), lives.c (start and stop) and services.c
 * (writing, asking) share.
 */
#ifndef SOCKETNET_TESTS_SIM_CLUSTER_INTERNAL_H
#define SOCKETNET_TESTS_SIM_CLUSTER_INTERNAL_H

#include "tests/sim/cluster.h"

/* Does what a step or a write of the node asked for. */
void cluster_carry_out(struct cluster *cluster, uint32_t node);
/* Syncs the disk up to a write and tells the node. */
void cluster_sync(struct cluster *cluster, uint32_t node, uint64_t number);
/* Ends the node's process now. */
void cluster_stop(struct cluster *cluster, uint32_t node);
/* The same, but the store thread commits first what waits. */
void cluster_stop_gently(struct cluster *cluster, uint32_t node);

#endif
