/*
 * Between view.c, which holds the live record set, and view_offer.c, which
 * decides what enters it.
 */
#ifndef SOCKETNET_GOSSIP_NODE_VIEW_INTERNAL_H
#define SOCKETNET_GOSSIP_NODE_VIEW_INTERNAL_H

#include "gossip/node/node_internal.h"

/* The first 8 bytes of a record's id. */
uint64_t view_hash_of_id(const uint8_t *id);
/* A copy of the record, not yet in the view; NULL when out of memory. */
struct entry *view_entry_new(const struct record *record, const uint8_t *id,
                             struct peer *writer, uint8_t slot_kind);
/* Accepts NULL. */
void view_entry_free(struct entry *entry);
/* 0, or -ENOMEM: the entry is then still the caller's. */
int view_entry_link(struct node *node, struct entry *entry);
void view_entry_unlink(struct node *node, struct entry *entry);
/* Evidence is in the view: its writer is frozen from now on. */
void view_freeze(struct node *node, struct entry *evidence);
/* Adds the RECORD action. */
void view_announce(const struct entry *entry, enum node_record_change change,
                   struct node_actions *actions);

#endif
