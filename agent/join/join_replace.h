/*
 * Whether a joiner may take the place of the member that has its name: what
 * `agent join --replace` asks for.  Only the holder of a token that names that
 * host may, and only while the member is not alive, so that nobody is pushed
 * out by a token that was meant for somebody else.  Reads the node, changes
 * nothing.
 */
#ifndef SOCKETNET_AGENT_JOIN_JOIN_REPLACE_H
#define SOCKETNET_AGENT_JOIN_JOIN_REPLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/join/join_message.h"
#include "gossip/base/macros.h"
#include "gossip/node/node.h"

/* JOIN_OK and the key of the member that is to go, or false: the name is free,
 * as after a first try that was cut short.  Else the status and a text.  The
 * request's name is the token's already (join_grant_bounds). */
_must_check_ enum join_status
join_replace_judge(const struct node *node, const struct join_request *request,
                   const struct store_token *token, uint64_t now_s,
                   bool *ret_has_holder, uint8_t ret_holder[32],
                   char text[JOIN_TEXT_SIZE]);

#endif
