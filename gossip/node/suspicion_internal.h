/*
 * Shared by the suspicion*.c files alone:
 *   suspicion.c             when a suspicion begins, and what becomes of it
 *   suspicion_accusation.c  accusations, ours and others'
 *   suspicion_state.c       states, and the member's own word
 */
#ifndef SOCKETNET_GOSSIP_NODE_SUSPICION_INTERNAL_H
#define SOCKETNET_GOSSIP_NODE_SUSPICION_INTERNAL_H

#include "gossip/node/suspicion.h"

/* So many are enough, from some members on: more of ours say nothing new. */
#define SUSPICION_ACCUSERS 2

/* suspicion.c */

/* Whether its state allows a suspicion. */
bool suspicion_is_possible(const struct node *node, const struct peer *peer);
/* Sets when the suspicion of the peer is judged, if it is under one. */
void suspicion_plan_review(struct node *node, struct peer *peer);

/* suspicion_accusation.c */

bool suspicion_has_accuser(const struct peer *peer, const struct peer *accuser);
/* Signs an accusation of the peer's present incarnation and spreads it.  0 or
 * -ENOMEM. */
int suspicion_accuse(struct node *node, struct peer *peer,
                     struct node_actions *actions);

/* suspicion_state.c */

/* The caller has reserved the one action that tells of it. */
void suspicion_set_reachable(struct peer *peer, bool is_reachable,
                             struct node_actions *actions);

#endif
