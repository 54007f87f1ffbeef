/*
 * Containers on local ports: which address has which MAC behind which port.
 * Learned from ARP that the switch copies to us, recovered from our own flows
 * after a restart.  Frames come from containers and are untrusted.  Pure.
 */
#ifndef SOCKETNET_AGENT_WORKER_WORKER_NEIGHBORS_H
#define SOCKETNET_AGENT_WORKER_WORKER_NEIGHBORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/base/macros.h"
#include "reconcilers/plan/desired.h"
#include "reconcilers/plan/plan.h"

/* Past it nothing new is learned; a registered address always finds room. */
#define WORKER_NEIGHBORS_MAX 4096

#define WORKER_ARP_SIZE 42

/* An address that was seen behind the port that it is bound to stays, with
 * port number 0, when that port goes away, until it is seen there again: nobody
 * else is believed meanwhile. */
struct worker_neighbors {
    struct plan_neighbor *entries;         /* owned, sorted by address */
    char (*port_names)[DESIRED_PORT_SIZE]; /* owned, beside the entries */
    uint8_t *n_asked; /* owned, likewise: since it was heard last */
    size_t n_entries;
    size_t capacity;
};

/* What frames and flows are checked against. */
struct worker_neighbors_rules {
    const struct plan_policy *policy;
    const struct desired *desired; /* bindings: DESIRED_LOCAL items */
    const struct plan_port *ports;
    size_t n_ports;
};

enum worker_neighbors_result {
    WORKER_NEIGHBORS_CHANGED = 1,
};

void worker_neighbors_done(struct worker_neighbors *neighbors);

/*
 * Learns from an ARP frame that came in by `in_port`: the sender must be one
 * address of an own subnet, not the gateway's.  A bound one that was seen
 * behind its own port must come from there; until then the binding may be
 * wrong, and whoever has the address is believed.
 * 0: nothing; WORKER_NEIGHBORS_CHANGED; -ENOMEM.
 */
_must_check_ int
worker_neighbors_learn(struct worker_neighbors *neighbors,
                       const struct worker_neighbors_rules *rules,
                       uint32_t in_port, const uint8_t *frame, size_t size);

/* Takes over what our own flows of kind LOCAL in a dump say and is not known
 * yet.  0; WORKER_NEIGHBORS_CHANGED; -ENOMEM. */
_must_check_ int
worker_neighbors_recover(struct worker_neighbors *neighbors,
                         const struct worker_neighbors_rules *rules,
                         const struct flow *flows, size_t n_flows);

/* Follows ports and bindings: a port's new number is taken over; entries of
 * ports that are gone are removed, or kept with number 0 when bound to them.
 * True when something changed. */
bool worker_neighbors_follow(struct worker_neighbors *neighbors,
                             const struct worker_neighbors_rules *rules);

/* Questions in a row after which nobody is believed to have the address. */
#define WORKER_NEIGHBORS_ASKED_MAX 3
/* Notes that this one (an index of entries) is asked whether it is still there.
 * True: it has not answered so often that it is forgotten, and gone from the
 * list; one that is bound to its port stays, as nobody else may have it. */
bool worker_neighbors_note_asked(struct worker_neighbors *neighbors,
                                 const struct worker_neighbors_rules *rules,
                                 size_t index);

/* The container with this address, NULL: not known, or its port is away. */
const struct plan_neighbor *
worker_neighbors_find(const struct worker_neighbors *neighbors,
                      const struct address *address);

/* The port behind which the address was seen, be it away now; NULL: nobody
 * has been seen to have it.  Valid until the next change. */
const char *worker_neighbors_port(const struct worker_neighbors *neighbors,
                                  const struct address *address);

/* Whether the address can be a local container's. */
bool worker_neighbors_allows(const struct plan_policy *policy,
                             const struct address *address);

/* Where an IPv4 frame goes; false when not to an address that can be a local
 * container's. */
bool worker_neighbors_destination(const struct plan_policy *policy,
                                  const uint8_t *frame, size_t size,
                                  struct address *ret);

/* An ARP request for `target`.  `sender` of family 0: an address probe
 * (RFC 5227, 1.1: sender 0.0.0.0). */
void worker_neighbors_request(const struct address *target,
                              const struct address *sender,
                              const uint8_t mac[6],
                              uint8_t ret_frame[WORKER_ARP_SIZE]);

#endif
