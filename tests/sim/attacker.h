/*
 * Hostile or forged traffic of scenarios.  A certified attacker is a node of
 * the cluster that is never started: it has a valid certificate and makes
 * valid packets, with whatever inside.
 */
#ifndef SOCKETNET_TESTS_SIM_ATTACKER_H
#define SOCKETNET_TESTS_SIM_ATTACKER_H

#include <stddef.h>
#include <stdint.h>

#include "tests/sim/cluster.h"

/* Boot number of every attacker. */
#define ATTACKER_BOOT 9u

/* Sends one record in a valid packet from the attacker, node `from`, to the
 * running node `to`.  Each packet of an attacker to one node needs a counter
 * of its own. */
void attacker_send(struct cluster *cluster, uint32_t from, uint32_t to,
                   uint64_t counter, const struct simkeys_record *record);

/* Lays the record out with `name` as its writer and signs with any key, which
 * sign_record refuses to do.  Cluster and writer are filled in here. */
void attacker_sign(const struct cluster *cluster, const struct simkeys *signer,
                   const struct simkeys *name, struct record_fields *fields,
                   struct simkeys_record *ret);
/* Records signed by `signer` that name `name` as their writer, under the
 * serial of node `index`. */
void attacker_service(const struct cluster *cluster,
                      const struct simkeys *signer, const struct simkeys *name,
                      uint32_t index, struct record_order order,
                      const char *instance, uint16_t port,
                      struct simkeys_record *ret);
void attacker_member(const struct cluster *cluster, uint32_t index,
                     struct record_order order, struct simkeys_record *ret);
void attacker_accusation(const struct cluster *cluster,
                         const struct simkeys *signer, uint32_t index,
                         const uint8_t accused[32],
                         struct record_order incarnation, uint64_t seq,
                         struct simkeys_record *ret);

#endif
