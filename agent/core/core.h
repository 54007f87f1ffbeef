/*
 * The core process: owns the libuv loop and everything on it, and is the only
 * caller of the node.  What hangs on it (net, services, dns, api) is reached
 * through the two interfaces below, which core_run fills in; it uses the
 * functions below and never calls node_step itself.
 *
 *   core.c          making it, its end; core_*.c: events in, actions out, own
 *                   writes, rebuilding the view, signals (core_internal.h)
 *   store_thread.c  the one thread that writes LMDB
 *   worker_link.c   the socketpair to the worker: desired state, observations
 *   events.c        the event log that `agentctl events` follows
 */
#ifndef SOCKETNET_AGENT_CORE_CORE_H
#define SOCKETNET_AGENT_CORE_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "gossip/base/macros.h"
#include "gossip/node/node.h"

struct catalog;
struct config;
struct core_internal;
struct events;
struct identity;
struct store_thread;
struct token_ledger;
struct worker_link;

/* Where the node's datagrams and streams go: net.  Each is called from inside
 * a step, and answers by an event in a later turn of the loop. */
struct core_transport {
    void (*send)(void *data, const struct endpoint *endpoint,
                 const uint8_t *bytes, size_t size);
    void (*stream_open)(void *data, const uint8_t peer[32],
                        const struct endpoint *endpoint);
    void (*stream_send)(void *data, uint32_t stream, const uint8_t *bytes,
                        size_t size);
    void (*stream_close)(void *data, uint32_t stream);
    void *data;
};

/* Who is told what happens to core: services, claims, renewals.  Called in the
 * check phase of the loop, or for a signal, never from inside a step; NULL: not
 * told. */
struct core_listener {
    void (*ready)(void *data);           /* once: the node takes writes */
    void (*catalog_changed)(void *data); /* rebuilt */
    void (*observed)(void *data);        /* the worker has told something */
    void (*reload)(void *data);          /* SIGHUP */
    void *data;
};

#define CORE_LISTENERS 3

/* How core could not start: its exit status, for the launcher. */
enum core_status {
    CORE_STATUS_OK = 0,
    CORE_STATUS_FAILED = 1, /* passes by itself: to be tried again */
    CORE_STATUS_CONFIG = 2, /* a person must mend it */
};

struct poison;

struct core {
    uv_loop_t *loop;
    struct config *config;
    struct identity *identity; /* keys, genesis, certificate: identity.h */
    struct node *node;
    struct store_thread *store;
    struct token_ledger *tokens; /* that this node made: token_ledger.h */
    struct worker_link *worker;  /* NULL when reconcile is false */
    struct catalog *catalog;
    struct events *events;
    struct core_transport transport; /* set before core_run_loop */
    struct core_listener listeners[CORE_LISTENERS]; /* likewise; told in this
                                                       order */
    uint64_t started_wall_ms;
    uint64_t floor_ms; /* the latest wall time seen: core_wall_ms */
    bool is_ready;     /* the node takes writes */
    bool is_stopping;
    struct poison *poison;          /* what core died on; or NULL */
    char *store_problem;            /* why writes are refused now, or NULL */
    char *refusal;                  /* why core_new failed, or NULL */
    char *restart_keys;             /* changed in the configuration since the
                                       start, and not taken over; or NULL */
    struct core_internal *internal; /* of core_*.c alone */
};

/*
 * Called once: when the record is on disk, in the node's view and in the
 * catalogue, and the worker has been sent what follows from it (error 0); or
 * when it could not be written (negative errno, text in core->store_problem).
 * `order` is the record's.
 */
typedef void (*core_written_fn)(struct core *core, int error,
                                struct record_order order, void *data);

/* Writes an own record, or removes one.  0: `done` will be
 * called later, never from inside.  NODE_E_* or negative errno: it will not.
 * `done` may be NULL. */
_must_check_ int core_write(struct core *core, uint8_t kind, const uint8_t *key,
                            size_t key_size, const uint8_t *body,
                            size_t body_size, core_written_fn done, void *data);
_must_check_ int core_remove(struct core *core, uint8_t kind,
                             const uint8_t *key, size_t key_size,
                             core_written_fn done, void *data);

/* Withdraws everything of ours, tells the cluster, removes the data plane
 * through the worker, then stops the loop.  The answer to the caller goes out
 * first.  0 or negative errno. */
_must_check_ int core_leave(struct core *core);

/* Writes a consistent copy of the store into the state directory, for a
 * backup; the caller's is to remove it.  `problem`: NULL, or why there is
 * none.  0: `done` will be called later, on the loop; negative errno: not. */
typedef void (*core_backup_fn)(struct core *core, const char *problem,
                               const char *path, void *data);
_must_check_ int core_backup(struct core *core, core_backup_fn done,
                             void *data);

/* How many starts a node is at most taken to have had since a backup, beyond
 * one for each second since then. */
#define CORE_RESTORED_BOOTS 65536u
/*
 * For a store that comes out of a backup, and is used by nobody: its next
 * start has a higher number than any that this node can have had since, so
 * that no (epoch, seq) is used twice.  0, -EOVERFLOW, negative errno,
 * STORE_E_*.
 */
struct store;
_must_check_ int core_load_restored(struct store *store,
                                    const uint8_t writer[32], uint64_t taken_s,
                                    uint64_t now_s);

/* Of this issuer: whether no live one has a lower key, so that what any of them
 * could do is its to do at once; the others wait. */
bool core_is_first_issuer(const struct core *core);

/* Milliseconds since 1970, as validity is judged by: the host's clock, or the
 * latest time that this node has seen when that is later. */
uint64_t core_wall_ms(const struct core *core);

/* Nothing needs writing: `done` is called in the next turn all the same.  0 or
 * -ENOMEM. */
_must_check_ int core_write_nothing(struct core *core, core_written_fn done,
                                    void *data);

/*
 * Gives the node a finished record that somebody else signed, a root as a rule
 * (NODE_EVENT_OFFER).  *ret_result is what the node said; when that is
 * NODE_OFFER_TAKEN or NODE_OFFER_KNOWN, `done` is called later, never from
 * inside: with 0 once the record is on disk, in the view and in the catalogue,
 * or with the error of the disk (it counts all the same, is passed on, and is
 * tried again).  0, or negative errno with nothing done.
 */
typedef void (*core_offered_fn)(struct core *core, int error, void *data);
_must_check_ int core_offer(struct core *core, const uint8_t *bytes,
                            size_t size, core_offered_fn done, void *data,
                            enum node_offer_result *ret_result);

/* Gives the node one event, with the time filled in, and carries out what
 * comes of it.  Never from inside an action. */
void core_step(struct core *core, struct node_event *event);

/*
 * Makes the loop's handles, identity, store, node, catalogue and the link to
 * the worker; the control socket is IPC_CONTROL_FD when `has_launcher`.
 * CORE_STATUS_OK, or another with the reason in (*ret)->refusal; *ret is NULL
 * when there was no memory for it.  core_end and core_free in any case.
 */
_must_check_ enum core_status core_new(struct config *config, uv_loop_t *loop,
                                       bool has_launcher, struct core **ret);
/* Starts the node, tells the launcher, and runs the loop until it is asked to
 * stop. */
void core_run_loop(struct core *core);
/* First half of the end: the store and the link to the worker go, whoever
 * waits for one of them is called back.  Then goes what hangs on core. */
void core_end(struct core *core);
/* Second half: frees; takes NULL, returns NULL. */
struct core *core_free(struct core *core);

#endif
