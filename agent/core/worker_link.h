/*
 * Core's end of the socketpair to the worker: keeps the desired items last
 * sent, sends snapshots and numbered deltas, and keeps what the worker
 * observed.  Survives the worker's restart (the launcher sends a new end).
 */
#ifndef SOCKETNET_AGENT_CORE_WORKER_LINK_H
#define SOCKETNET_AGENT_CORE_WORKER_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/base/macros.h"
#include "reconcilers/plan/desired.h"

struct core;
struct worker_link;

/* What the worker last reported, for `status` and `service show`. */
struct worker_status {
    bool is_connected;
    uint64_t
        other_version; /* of a worker that cannot be spoken with; 0: none */
    bool is_observing; /* --observe: plans only */
    bool is_ovs_up;
    bool was_ovs_up; /* once, since it connected */
    char ovs_text[256];
    bool is_tunnel_up;
    bool was_tunnel_up; /* likewise */
    char tunnel_text[256];
    uint64_t sent_number;    /* last delta or snapshot sent */
    uint64_t applied_number; /* last one the data plane holds */
    uint64_t applied_us;     /* how long that took */
    char applied_error[256];
    uint64_t n_blocked; /* flows of ours that do not act ... */
    char blocked[512];  /* ... and why */
};

/* Whole reply of a query (JSON text); error 0, -ENOTCONN, -ETIMEDOUT. */
typedef void (*worker_reply_fn)(int error, const char *json, size_t len,
                                void *data);
typedef void (*worker_applied_fn)(int error, void *data);

_must_check_ int worker_link_new(struct core *core, struct worker_link **ret);
struct worker_link *worker_link_free(struct worker_link *link);
/* Takes over a connected descriptor (from the launcher's PEER message). */
void worker_link_attach(struct worker_link *link, int fd);

/* Makes the worker's state equal to `desired` by deltas.  Takes the set's
 * content over. */
void worker_link_update(struct worker_link *link, struct desired *desired);
/* Calls fn once everything sent so far is applied (or after 5 s, with
 * -ETIMEDOUT; at once with -ENOTCONN when there is no worker). */
void worker_link_when_applied(struct worker_link *link, worker_applied_fn fn,
                              void *data);
/* Names: "flows", "diff", "ports", "status", "remove" (take our data plane
 * away, for leave).  */
void worker_link_query(struct worker_link *link, const char *name,
                       worker_reply_fn fn, void *data);

const struct worker_status *worker_link_status(const struct worker_link *link);
/* Whether what is known of ports and refusals is whole: the worker has told all
 * of it, and Open vSwitch answers it. */
bool worker_link_knows(const struct worker_link *link);
/* "" when the port is there; else why not: "no port veth203 on socket". */
const char *worker_link_port_problem(const struct worker_link *link,
                                     const char *port_name);
/* Name of the index-th port that carries nothing, since its device was made
 * anew behind the switch's back; NULL after the last. */
const char *worker_link_dead_port(const struct worker_link *link, size_t index);
/* Name of the port behind which the worker has seen this address; "": nobody
 * has been seen to have it.  Valid until the next turn of the loop. */
const char *worker_link_neighbor_port(const struct worker_link *link,
                                      const struct address *address);
/* "" or why the worker refuses an instance at this local address, or else the
 * function it is of. */
const char *worker_link_refusal(const struct worker_link *link,
                                const struct address *address,
                                const char *function, uint8_t protocol,
                                uint16_t port);

#endif
