/*
 * What a node offers, written again by its next key: a service is found by the
 * key that has signed it.  For `agent key rotate`, with the store of a stopped
 * agent.
 */
#ifndef SOCKETNET_AGENT_JOIN_JOIN_CARRY_H
#define SOCKETNET_AGENT_JOIN_JOIN_CARRY_H

#include <stddef.h>
#include <stdint.h>

#include "agent/identity/identity.h"
#include "gossip/base/macros.h"

struct store;

/* Signs the service records of `old_key` with the keys of `next`, under its
 * certificate's serial and in an epoch before its first start.  A record that
 * is one of two that contradict each other is left out: who signed it is not
 * known.  0 and how many; negative errno, STORE_E_*. */
_must_check_ int join_carry(struct store *store, const uint8_t old_key[32],
                            const struct identity *next, size_t *ret_n);

#endif
