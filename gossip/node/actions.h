/*
 * The list of duties that leaves a step, as its parts fill it.
 */
#ifndef SOCKETNET_GOSSIP_NODE_ACTIONS_H
#define SOCKETNET_GOSSIP_NODE_ACTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/node/node.h"

/* NULL when out of memory, never within what was reserved.  Only what may be
 * lost, a datagram or a frame, is added without. */
struct node_action *actions_add(struct node_actions *actions,
                                enum node_action_type type,
                                const uint8_t *bytes, size_t size);
/* Room for `n` more actions with `size` bytes in all, counted from now: a
 * second call does not add to the first.  False when out of memory; then
 * nothing may be changed that the actions were to tell of. */
bool actions_reserve(struct node_actions *actions, size_t n, size_t size);
/* Whether memory was lacking since the last call. */
bool actions_take_failed(struct node_actions *actions);

#endif
