/*
 * The core process: owns the libuv loop and everything on it, and is the only
 * caller of the node.  Modules of agent/ (api, dns, services, ...) hang off
 * this struct and use the functions below; they never call node_step, the
 * store or a socket of another module themselves.
 *
 *   core.c          the loop; core_*.c: events in, actions out, own writes,
 *                   rebuilding the view, the end (core_internal.h)
 *   net.c           UDP socket, TCP streams
 *   store_thread.c  the one thread that writes LMDB
 *   worker_link.c   the socketpair to the worker: desired state, observations
 *   catalog.c       functions, their addresses and instances (pure)
 *   desire.c        catalog and members -> desired items (pure)
 *   services.c      this node's own service records, services.d, checks
 *   events.c        the event log that `agentctl events` follows
 *   api.c, dns.c    the faces
 */
#ifndef SOCKETNET_AGENT_CORE_H
#define SOCKETNET_AGENT_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "gossip/base/macros.h"
#include "gossip/node.h"

struct api;
struct catalog;
struct config;
struct core_internal;
struct dns;
struct events;
struct identity;
struct net;
struct services;
struct store_thread;
struct worker_link;

struct core {
    uv_loop_t *loop;
    struct config *config;
    struct identity *identity; /* keys, genesis, certificate: identity.h */
    struct node *node;
    struct store_thread *store;
    struct net *net;
    struct worker_link *worker; /* NULL when reconcile is false */
    struct catalog *catalog;
    struct services *services;
    struct events *events;
    struct api *api;
    struct dns *dns;
    uint64_t started_wall_ms;
    bool is_stopping;
    char *store_problem;            /* why writes are refused now, or NULL */
    struct core_internal *internal; /* of core_*.c alone */
};

/* Monotonic and wall milliseconds. */
uint64_t core_now_ms(void);
uint64_t core_wall_ms(void);

/*
 * Called once: when the record is on disk, in the node's view and in the
 * catalogue, and the worker has been sent what follows from it (error 0); or
 * when it could not be written (negative errno, text in core->store_problem).
 * `order` is the record's.
 */
typedef void (*core_written_fn)(struct core *core, int error,
                                struct record_order order, void *data);

/* node_write / node_remove with the actions carried out.  0: `done` will be
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

/* Runs the core process to its end: control socket at IPC_CONTROL_FD when
 * `has_launcher`.  Returns the exit status. */
int core_run(struct config *config, bool has_launcher);

#endif
