/*
 * Version of what is inside the environment, and whose cluster it is.  What
 * each version means: docs/STORE.md.  Private to store/.
 */
#ifndef SOCKETNET_STORE_SCHEMA_H
#define SOCKETNET_STORE_SCHEMA_H

#include "gossip/base/macros.h"
#include "gossip/wire/record.h"
#include "store/txn.h"

/* Writes version and cluster into a fresh environment, or compares them with
 * those of an old one.  0, STORE_E_SCHEMA, STORE_E_OLDER, STORE_E_CLUSTER,
 * STORE_E_FULL, negative errno. */
_must_check_ int schema_verify(struct store *store,
                               const uint8_t cluster[RECORD_CLUSTER_SIZE]);

#endif
