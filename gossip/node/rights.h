/*
 * Who may write what.  It has no state of its own.
 */
#ifndef SOCKETNET_GOSSIP_NODE_RIGHTS_H
#define SOCKETNET_GOSSIP_NODE_RIGHTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/node/node.h"

struct peer;

/* Checks a certificate record's body, writer and times.  0 and the body, or
 * RECORD_E_* with the matching counter raised. */
int rights_check_certificate(struct node *node, const struct record *record,
                             struct body_certificate *ret);
/* Checks what the writer may write; raises the counter of a refusal. 0 or
 * RECORD_E_BODY. */
int rights_check(struct node *node, const struct peer *writer,
                 const struct record *record);
/* What own code asks before signing: 0 or NODE_E_*. */
int rights_check_own(struct node *node, const struct record *record);
/* Kinds that live by rules of their own: no tombstone ends them, no manifest
 * speaks of them, no quota counts them. */
bool rights_is_exempt(uint8_t kind);
/* What a live record counts as: claims (function records with a slot, and
 * tombstones of functions) have a limit of their own, no manifest lists or ends
 * them; no limit and no manifest speaks of exempt kinds.  The body must have
 * been checked. */
enum rights_class {
    RIGHTS_COUNTED = 0,
    RIGHTS_CLAIM,
    RIGHTS_EXEMPT,
};
enum rights_class rights_class(const struct record *record);
/* Kinds that only issuers write. */
bool rights_is_admission(uint8_t kind);
/* The kind whose place this record takes: a tombstone's target, else its
 * own.  The body must have been checked. */
uint8_t rights_slot_kind(const struct record *record);

#endif
