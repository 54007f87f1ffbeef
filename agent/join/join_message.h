/*
 * The two msgpack maps of a join, as bytes and as structs; pure.  docs/WIRE.md,
 * "Joining", is their definition.  join_client.c writes requests and reads
 * answers, join_issuer.c the other way round.
 *
 * Request: 1 token id bin8, 2 token secret bin16, 3 signing key bin32,
 * 4 exchange key bin32, 5 WireGuard key bin32 (absent when unknown), 6 name
 * str, 7 mesh endpoints [bin6|bin18], 8 container subnets [bin5|bin17],
 * 10 true when it takes the place of the host that has the name (else absent),
 * 9 signature bin64, which must be the last pair: Ed25519 by key 3 over
 * "socketnet/v1/join" NUL and all bytes of the frame before pair 9.
 *
 * Answer: 1 status uint, 2 text str, and with status 0: 3 genesis bin,
 * 4 certificate record bin.
 */
#ifndef SOCKETNET_AGENT_JOIN_JOIN_MESSAGE_H
#define SOCKETNET_AGENT_JOIN_JOIN_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/identity/token.h"
#include "gossip/base/address.h"
#include "gossip/base/limits.h"
#include "gossip/base/macros.h"
#include "gossip/wire/body.h"

#define JOIN_ANSWER_SIZE 4096
#define JOIN_TEXT_SIZE   512

enum join_status {
    JOIN_OK = 0,
    JOIN_MALFORMED = 1,
    JOIN_TOKEN_UNKNOWN = 2,
    JOIN_TOKEN_USED = 3,
    JOIN_TOKEN_EXPIRED = 4,
    JOIN_NAME_REFUSED = 5,
    JOIN_ADDRESS_REFUSED = 6,
    JOIN_SUBNET_REFUSED = 7,
    JOIN_ISSUER_FAILED = 8, /* its disk, its start, another join at the same
                               time: the same key may ask again */
    JOIN_NOT_ISSUER = 9,
    JOIN_HOLDER_ALIVE = 10, /* who is to be replaced lives */
};

struct join_request {
    uint8_t token_id[STORE_TOKEN_ID_SIZE];
    uint8_t secret[TOKEN_SECRET_SIZE];
    uint8_t sign_public[32];
    uint8_t exchange_public[32];
    uint8_t wireguard_public[32]; /* all zero: unknown */
    char name[BODY_NAME_SIZE];
    bool replaces; /* the member that has the name: join_replace.h */
    struct endpoint mesh[LIMIT_CERT_ADDRESSES];
    size_t n_mesh;
    struct prefix subnets[LIMIT_CERT_SUBNETS];
    size_t n_subnets;
};

/* `genesis` and `certificate` are borrowed: in an unpacked answer from the
 * frame. */
struct join_answer {
    enum join_status status;
    char text[JOIN_TEXT_SIZE];
    const uint8_t *genesis;
    size_t genesis_size;
    const uint8_t *certificate;
    size_t certificate_size;
};

/* Packs and signs.  0 and the size, or -ENOBUFS. */
_must_check_ int join_request_pack(const struct join_request *request,
                                   const uint8_t sign_secret[64],
                                   uint8_t *buffer, size_t size,
                                   size_t *ret_size);
/* Unpacks and verifies the signature.  0 or -EBADMSG. */
_must_check_ int join_request_unpack(const uint8_t *bytes, size_t size,
                                     struct join_request *ret);
/* 0 and the size, or -ENOBUFS. */
_must_check_ int join_answer_pack(const struct join_answer *answer,
                                  uint8_t *buffer, size_t size,
                                  size_t *ret_size);
/* 0 or -EBADMSG; what it gives borrows from `bytes`. */
_must_check_ int join_answer_unpack(const uint8_t *bytes, size_t size,
                                    struct join_answer *ret);

#endif
