/*
 * What a token lets a request have, and the certificate that comes of the two;
 * pure but for the random serial.  join_issuer.c asks in this order: token,
 * bounds, then join_judge.h.
 */
#ifndef SOCKETNET_AGENT_JOIN_JOIN_GRANT_H
#define SOCKETNET_AGENT_JOIN_JOIN_GRANT_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/join/join_message.h"
#include "gossip/base/macros.h"
#include "gossip/wire/body.h"
#include "store/store.h"

/* Whether the token fits, and may still be used by the request's key.  0, or
 * STORE_E_NOT_FOUND (another secret), _REVOKED, _USED, _EXPIRED. */
_must_check_ int join_grant_token(const struct join_request *request,
                                  const struct store_token *token,
                                  uint64_t now_s);
/* What the token says of its holder decides, not the joiner.  JOIN_OK, or the
 * status and a text. */
_must_check_ enum join_status
join_grant_bounds(const struct join_request *request,
                  const struct store_token *token, char text[JOIN_TEXT_SIZE]);
/* A member's certificate with a fresh serial, for a year, that does not outlive
 * its issuer's. */
void join_grant_fill(const struct join_request *request,
                     const struct store_token *token, uint64_t now_s,
                     uint64_t issuer_ends_s, struct body_certificate *ret);
/* Whether an earlier certificate says what the request asks for, so that it
 * answers a request that is made again. */
bool join_grant_is_same(const struct body_certificate *old,
                        const struct body_certificate *new);

#endif
