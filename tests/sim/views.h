/*
 * Whether all running nodes see the same: the same members in the same
 * states, and the same live records, byte for byte.  A suspicion counts as
 * alive: it is on its way to be refuted or confirmed.
 */
#ifndef SOCKETNET_TESTS_SIM_VIEWS_H
#define SOCKETNET_TESTS_SIM_VIEWS_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/sim/cluster.h"

/* Also false while a running node is not ready. */
bool views_are_equal(const struct cluster *cluster);
/* What differs, some lines of text; the caller frees it.  Empty when equal. */
char *views_difference(const struct cluster *cluster);
/* Recomputes each fingerprint from the records and fails the cluster's check
 * where it is another. */
void views_check_fingerprints(struct cluster *cluster);

#endif
