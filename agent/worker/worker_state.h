/*
 * The desired set as the worker holds it: snapshots and numbered deltas in,
 * the set, what was refused and what must be cut off out.  Pure: core's
 * messages are arguments, nothing is sent from here.
 */
#ifndef SOCKETNET_AGENT_WORKER_WORKER_STATE_H
#define SOCKETNET_AGENT_WORKER_WORKER_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/base/macros.h"
#include "reconcilers/plan/desired.h"
#include "reconcilers/plan/plan.h"

struct ipc_message;

/* Items past this are refused: 8,192 hosts and many more functions. */
#define WORKER_STATE_ITEMS_MAX 65536
#define WORKER_STATE_KEY_SIZE  PLAN_TEXT_SIZE

enum worker_state_result {
    WORKER_STATE_CHANGED = 1, /* there is something to reconcile */
    WORKER_STATE_GAP = 2,     /* a delta is missing: ask for a snapshot; said
                                 once until it comes */
    WORKER_STATE_BAD = 3,     /* not a message of this state: dropped */
};

/* Open connections of a backend that is gone must not live on. */
struct worker_state_flush {
    struct address service;
    struct address backend;
    uint8_t protocol;
};

/* An item that the policy refuses, by its key text. */
struct worker_state_refusal {
    char key[WORKER_STATE_KEY_SIZE];
    char reason[WORKER_STATE_KEY_SIZE]; /* "": not refused any more */
    bool is_reported;
    bool is_seen;    /* in the snapshot that comes in now */
    bool is_of_plan; /* worker_state_judge says when it ends */
};

struct worker_state {
    const struct plan_policy *policy; /* borrowed */
    struct desired desired;           /* what should be */
    uint64_t number;                  /* of `desired` */
    bool is_synced;                   /* a whole snapshot has come, once */
    bool is_in_step;                  /* deltas may follow `number` */
    struct desired incoming;          /* a snapshot on its way */
    bool is_receiving;
    struct worker_state_flush *flushes; /* owned, to be taken */
    size_t n_flushes;
    size_t flushes_capacity;
    struct worker_state_refusal *refusals; /* owned */
    size_t n_refusals;
    size_t refusals_capacity;
};

void worker_state_init(struct worker_state *state,
                       const struct plan_policy *policy);
void worker_state_done(struct worker_state *state);

/* One message of core.  0: taken, nothing to do yet; WORKER_STATE_*;
 * -ENOMEM: `desired` and the flushes are as before the message, and nothing
 * but a snapshot is taken until one has come (as after a GAP). */
_must_check_ int worker_state_handle(struct worker_state *state,
                                     const struct ipc_message *message);

/* The connection to core is new: numbers begin again, `desired` stays. */
void worker_state_reconnected(struct worker_state *state);

/* What the plan made of `desired` refuses, in the place of what the one before
 * refused.  0; -ENOMEM: some is not noted, judge again. */
_must_check_ int worker_state_judge(struct worker_state *state,
                                    const struct plan_problem *refused,
                                    size_t n_refused);

/* Takes the next refusal that core has not been told; false: none is left.
 * One with an empty reason is forgotten by this. */
bool worker_state_next_refusal(struct worker_state *state,
                               struct worker_state_refusal *ret);

/* Takes all flushes; the caller frees the array. */
size_t worker_state_take_flushes(struct worker_state *state,
                                 struct worker_state_flush **ret);

#endif
