/*
 * Member states.  The fields are the suspicion*.c files' to write, but for the
 * counts, where peers.c adds who was certified.
 */
#ifndef SOCKETNET_GOSSIP_NODE_SUSPICION_H
#define SOCKETNET_GOSSIP_NODE_SUSPICION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/node/node.h"
#include "gossip/wire/body.h"
#include "gossip/wire/record.h"

struct peer;
struct view_offer;

/* A signed claim that a member does not answer. */
struct accusation {
    struct peer *accuser;
    struct record_order incarnation;
    uint64_t hash;
    uint8_t bytes[RECORD_HEADER_SIZE + 32 + 32 + RECORD_SIGNATURE_SIZE];
    size_t size;
};

struct suspicion_peer {
    struct body_member body;
    bool has_body;
    enum node_member_state state;
    struct record_order incarnation;
    uint64_t state_since_ms;
    uint64_t paused_until_ms;
    struct accusation *accusations; /* LIMIT_ACCUSERS, allocated on use */
    size_t n_accusations;
    uint64_t accused_ms; /* when the last of them came */
    uint64_t review_ms;  /* when a suspicion is judged next */
    bool has_failed;     /* the last finished probe of ours got no answer */
    uint64_t failed_ms;  /* when that probe began */
    unsigned n_indirect; /* probes in a row that only helpers answered */
    bool is_reachable;
};

struct suspicions {
    size_t n_alive; /* members alive or suspect, ourselves included */
    size_t n_suspect;
    size_t n_down; /* dead or unknown */
    size_t n_paused;
    uint64_t cut_off_ms; /* when we were last known to be, 0: never */
    uint64_t review_ms;  /* earliest of all suspected peers */
};

/* The caller has reserved the one action that tells of it. */
void suspicion_set_state(struct node *node, struct peer *peer,
                         enum node_member_state state,
                         struct node_actions *actions);
/* It is certified no more: nothing is known of it.  The caller has reserved two
 * actions. */
void suspicion_removed(struct node *node, struct peer *peer,
                       struct node_actions *actions);
/* A newer member record of the peer came into the view. */
void suspicion_on_member(struct node *node, struct peer *peer,
                         const struct record *record,
                         struct node_actions *actions);
/* The accusation record that was offered, parsed.  enum view_result or
 * -ENOMEM. */
int suspicion_on_accusation(struct node *node, const struct record *record,
                            const struct view_offer *offer,
                            struct node_actions *actions);
/* Our probe of the peer ended: answered by itself, through a helper only, or
 * not at all. */
enum probe_result {
    PROBE_ANSWERED,
    PROBE_INDIRECT,
    PROBE_FAILED,
};
void suspicion_on_probe(struct node *node, struct peer *peer,
                        enum probe_result result, struct node_actions *actions);
/* Whether the record of a member says that it leaves for good. */
bool suspicion_is_departure(const struct record *record);
void suspicion_tick(struct node *node, struct node_actions *actions);
uint64_t suspicion_deadline(const struct node *node);
/* An accusation of the peer's present incarnation, or NULL. */
const struct accusation *suspicion_accusation(const struct peer *peer);

#endif
