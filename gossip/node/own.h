/*
 * Own records and the start of a run.  The fields are own.c's; node.c notes
 * what is to be said of us, transport.c counts answered hellos, view.c and
 * view_offer.c count live tombstones, everybody reads the phase.
 */
#ifndef SOCKETNET_GOSSIP_NODE_OWN_H
#define SOCKETNET_GOSSIP_NODE_OWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/node/node.h"
#include "gossip/wire/body.h"
#include "gossip/wire/record.h"

struct peer;

/* An own record that waits for the disk. */
struct pending {
    struct record_order order;
    bool is_committed; /* on disk */
    bool is_urgent;    /* the view does not wait for the disk */
    bool is_taken;     /* in the view */
    uint8_t *bytes;
    size_t size;
};

enum node_phase {
    NODE_PHASE_NEW = 0,
    NODE_PHASE_ASKING = 1,  /* for our old epoch */
    NODE_PHASE_WRITING = 2, /* the first member record */
    NODE_PHASE_READY = 3,
};

struct own {
    uint64_t hlc;
    uint64_t epoch;
    uint64_t seq;
    uint64_t serial;         /* under which all that is live was written */
    uint64_t serial_ms;      /* the next attempt at that, not before */
    uint64_t n_returned;     /* records taken from outside, in this run */
    bool is_raised;          /* the epoch, after the first write of this run */
    bool is_twin;            /* another writes with our key: we do not */
    uint8_t twin_source[32]; /* who showed it */
    enum node_phase phase;
    uint64_t asking_until_ms;
    uint64_t asking_again_ms;
    unsigned n_answers;
    unsigned n_asked;

    struct pending pending[NODE_PENDING_MAX];
    size_t n_pending;

    uint8_t state; /* enum body_member_state to be announced */
    uint32_t pause_s;
    uint8_t finding; /* enum body_member_finding: of the host, by its owner */
    char version[BODY_NAME_SIZE];
    bool is_member_owed;              /* a member record must be written */
    bool is_member_pending;           /* ... is on its way to the disk: */
    struct record_order member_order; /* the newest of them */
    bool is_member_new;               /* one of this run is in the view */
    uint64_t retry_ms;                /* the next attempt, not before */

    size_t n_tombstones; /* live */
    uint64_t first_tombstone_ms;
    uint64_t manifest_ms; /* the next attempt, not before */
};

/* Signs and queues an own record for the store. */
int own_write(struct node *node, uint8_t kind, const uint8_t *key,
              size_t key_size, const uint8_t *body, size_t body_size,
              struct node_actions *actions, struct record_order *ret_order);
/* The same, but the record enters the view and is sent at once. */
int own_write_at_once(struct node *node, uint8_t kind, const uint8_t *key,
                      size_t key_size, const uint8_t *body, size_t body_size,
                      struct node_actions *actions,
                      struct record_order *ret_order);
/* Whether a WRITE changes the health or finding of a service and nothing else:
 * whoever uses it must know at once. */
bool own_is_of_health(const struct node *node, const struct node_event *event);
/* Writes the member record anew against an accusation, at once if memory
 * allows. */
void own_refute(struct node *node, struct node_actions *actions);
/* Writes the member record anew (first time, pause, leave), now
 * if it can be, else as soon as it can. */
void own_write_member(struct node *node, struct node_actions *actions);
int own_committed(struct node *node, struct record_order order, bool has_failed,
                  struct node_actions *actions);
/* A record that we signed came from outside, its signature checked.  Of one
 * that this run did not make, and that is not older than this run, we make
 * ourselves newer, once a run; a second one means that somebody else writes
 * with our key now.  `source` showed it, NULL: the own store. */
void own_outdone(struct node *node, const struct record *record,
                 const struct peer *source, struct node_actions *actions);
/* Whether a newer record of ours is on its way to the disk for that place. */
bool own_has_newer(const struct node *node, const struct record *record);
/* A peer shows us what it takes for a record of ours. */
void own_shown(struct node *node, struct peer *source, const uint8_t *bytes,
               size_t size, struct node_actions *actions);
/* Writes anew what was written under an earlier certificate's serial. */
void own_sign_again(struct node *node, struct node_actions *actions);
uint64_t own_serial_deadline(const struct node *node);
/* 0, or -ENOMEM: what it could not do it does in the next step. */
int own_tick(struct node *node, struct node_actions *actions);
uint64_t own_deadline(const struct node *node);
uint64_t own_next_hlc(struct node *node);
void own_merge_hlc(struct node *node, uint64_t hlc);
/* Signs a record that is never stored; 0 is out of room. */
size_t own_sign(struct node *node, uint8_t kind, const uint8_t *key,
                size_t key_size, const uint8_t *body, size_t body_size,
                uint8_t *buffer, size_t buffer_size);
void own_done(struct node *node);

#endif
