/*
 * Whether a joiner's name, addresses and subnets may go into a certificate:
 * compares them with every certificate of the node's view.  Reads the node,
 * changes nothing.
 */
#ifndef SOCKETNET_AGENT_JOIN_JOIN_JUDGE_H
#define SOCKETNET_AGENT_JOIN_JOIN_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/identity/identity.h"
#include "agent/join/join_message.h"
#include "gossip/base/macros.h"
#include "gossip/node/node.h"

/* Whether a certificate still takes its name and addresses: not one that ended
 * longer ago than it may be renewed, nor of a node that left for good or was
 * removed. */
bool join_judge_holds(const struct node *node,
                      const struct body_certificate *body, uint64_t now_s);

/* The certificate that holds this name, in whatever spelling, but for those of
 * the key `except`, which may be NULL.  False: the name is free. */
bool join_judge_find_name(const struct node *node, const char *name,
                          const uint8_t except[32], uint64_t now_s,
                          struct body_certificate *ret);

/* What can be told without other nodes: the name, unusable addresses,
 * overlaps with each other, what lies outside the charter. */
_must_check_ enum join_status join_judge_own(const struct body_charter *charter,
                                             const struct join_request *request,
                                             char text[JOIN_TEXT_SIZE]);

/*
 * JOIN_OK, or the status to answer with and a text: what, why, what to do.
 * Certificates that ended longer ago than they may be renewed, those of nodes
 * that left for good, those of the joiner's own key and of the one that it is
 * to replace (NULL: none) do not count.
 */
_must_check_ enum join_status
join_judge(const struct node *node, const struct body_charter *charter,
           const struct join_request *request, const uint8_t *replaced,
           uint64_t now_s, char text[JOIN_TEXT_SIZE]);

/* The same for a certificate that has just been written, against everything
 * but what this node (`issuer`) wrote later than `order`: of two joins at
 * once, the second to be written loses. */
_must_check_ enum join_status
join_judge_written(const struct node *node, const struct body_charter *charter,
                   const struct join_request *request, uint64_t now_s,
                   const uint8_t issuer[32], struct record_order order,
                   char text[JOIN_TEXT_SIZE]);

#endif
