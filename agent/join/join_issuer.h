/*
 * The issuer's half of joining, without any IO of its own: one request frame
 * in, answer frames out.  net_join.c owns the stream and makes one of these
 * for each join that is for this node; docs/WIRE.md, "Joining", has the bytes
 * and the order of checks.
 *
 * The token is redeemed on disk before the certificate leaves; the same key
 * may ask again with the same token while that lives, and gets the same
 * certificate: an answer that got lost strands nobody.
 */
#ifndef SOCKETNET_AGENT_JOIN_JOIN_ISSUER_H
#define SOCKETNET_AGENT_JOIN_JOIN_ISSUER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/base/macros.h"

struct core;
struct join_issuer;
struct store_token;

/* One plaintext frame to the joiner, at most LIMIT_FRAME_SIZE; copy it.
 * `is_last`: nothing follows, close the stream after it. */
typedef void (*join_issuer_send_fn)(const uint8_t *frame, size_t size,
                                    bool is_last, void *data);

/* 0 or -ENOMEM. */
_must_check_ int join_issuer_new(struct core *core, join_issuer_send_fn send,
                                 void *data, struct join_issuer **ret);
/* The stream is gone: `send` is not called any more.  A certificate on its way
 * to the disk is still written. */
struct join_issuer *join_issuer_free(struct join_issuer *issuer);

/* The joiner's request; only the first frame counts, others are ignored.
 * `send` is called before it returns (refused at once) or later. */
void join_issuer_frame(struct join_issuer *issuer, const uint8_t *bytes,
                       size_t size);

/* The same without a token, for an operator of this node: `grant` says what the
 * certificate will be, as a token would, and gives its subnets to a request
 * that names none. */
void join_issuer_grant(struct join_issuer *issuer, const uint8_t *bytes,
                       size_t size, const struct store_token *grant);

#endif
