/*
 * Who this node is: its keys, the cluster's genesis and its certificate, as
 * files of the state directory:
 *   node.key       64 + 32 secret bytes (signing, exchange), 0600
 *   genesis        msgpack, the same bytes on every node
 *   certificate    the own certificate record
 *   admission.key  64 secret bytes, only where `agent init` ran; may be taken
 *                  offline: the node itself is an issuer by its certificate
 *   db/            LMDB (store.h)
 *
 * Genesis: map 1 version uint, 2 name str, 3 admission keys [bin32],
 * 4 created s uint, 5 service range bin5, 6 nonce bin16.
 * Cluster id = BLAKE2b-256 of those bytes; records carry its first 16.
 */
#ifndef SOCKETNET_AGENT_IDENTITY_H
#define SOCKETNET_AGENT_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/base/address.h"
#include "gossip/base/macros.h"
#include "gossip/body.h"
#include "gossip/record.h"

#define IDENTITY_ROOTS_MAX    8
#define IDENTITY_GENESIS_SIZE 512

struct genesis {
    char name[BODY_NAME_SIZE];
    uint8_t roots[IDENTITY_ROOTS_MAX][32];
    size_t n_roots;
    uint64_t created_s;
    struct prefix service_range; /* default 100.80.0.0/12 */
    uint8_t nonce[16];
    uint8_t cluster_id[32]; /* derived */
    uint8_t bytes[IDENTITY_GENESIS_SIZE];
    size_t size;
};

struct identity {
    uint8_t sign_public[32];
    uint8_t sign_secret[64];
    uint8_t exchange_public[32];
    uint8_t exchange_secret[32];
    struct genesis genesis;
    uint8_t certificate[LIMIT_RECORD_SIZE];
    size_t certificate_size;
    struct body_certificate body; /* of the certificate */
};

/* Text of `ret_error` is malloc'd: what, where, why, what next. */
_must_check_ int identity_load(const char *state_dir, struct identity **ret,
                               char **ret_error);
struct identity *identity_free(struct identity *identity); /* wipes */
bool identity_exists(const char *state_dir);
_must_check_ int genesis_parse(const uint8_t *bytes, size_t size,
                               struct genesis *ret);

#endif
