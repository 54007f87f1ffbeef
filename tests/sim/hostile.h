/*
 * Hostile members.  Each hostile node of the cluster runs the production node,
 * so that it is believed to live, and a driver beside it: the driver has its
 * keys, sees and may change what it sends, hears what others say on the way,
 * and attacks now and then, in one of the ways that the seed drew for it.
 * docs/SECURITY.md says what holds against each.
 *
 *   hostile.c          who does what, when; what the drivers share
 *   hostile_records.c  attacks with records
 *   hostile_packets.c  attacks with packets, and with what is not said
 */
#ifndef SOCKETNET_TESTS_SIM_HOSTILE_H
#define SOCKETNET_TESTS_SIM_HOSTILE_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/sim/cluster.h"

struct hostile;

/* Names of the attacks, 0 to n - 1; NULL past the last. */
const char *hostile_attack_name(uint32_t attack);
/* CLUSTER_NONE when there is none of this name. */
uint32_t hostile_attack_find(const char *name);

/* Draws attacks for each hostile node of the cluster, or gives all of them
 * this one.  The cluster's wire is the driver's from here on. */
struct hostile *hostile_new(struct cluster *cluster, uint32_t only_attack);
/* From here on they write nothing any more that is theirs to write, and accuse
 * nobody, whereupon others write; all else goes on. */
void hostile_calm(struct hostile *hostile);
/* How many attacks were made so far, and of how many kinds. */
uint64_t hostile_n_attacks(const struct hostile *hostile);
uint32_t hostile_n_kinds(const struct hostile *hostile);
struct hostile *hostile_free(struct hostile *hostile);

#endif
