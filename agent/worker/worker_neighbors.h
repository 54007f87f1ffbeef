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

struct worker_neighbors {
    struct plan_neighbor *entries;         /* owned, sorted by address */
    char (*port_names)[DESIRED_PORT_SIZE]; /* owned, beside the entries */
    size_t n_entries;
    size_t capacity;
};

/* What frames and flows are checked against. */
struct worker_neighbors_rules {
    const struct plan_policy *policy;
    const struct desired *desired; /* pins: DESIRED_LOCAL items */
    const struct plan_port *ports;
    size_t n_ports;
};

void worker_neighbors_done(struct worker_neighbors *neighbors);

/*
 * Learns from an ARP frame that came in by `in_port`: the sender must be one
 * address of an own subnet, not the gateway's, and a pinned one must come
 * from its own port.  1: something changed; 0: nothing; -ENOMEM.
 */
_must_check_ int
worker_neighbors_learn(struct worker_neighbors *neighbors,
                       const struct worker_neighbors_rules *rules,
                       uint32_t in_port, const uint8_t *frame, size_t size);

/* Takes over what our own flows of kind LOCAL in a dump say and is not known
 * yet.  1: something changed; 0; -ENOMEM. */
_must_check_ int
worker_neighbors_recover(struct worker_neighbors *neighbors,
                         const struct worker_neighbors_rules *rules,
                         const struct flow *flows, size_t n_flows);

/* Follows the ports: entries of ports that are gone are removed, a port's new
 * number is taken over; entries against a pin are removed.  True when
 * something changed. */
bool worker_neighbors_follow(struct worker_neighbors *neighbors,
                             const struct worker_neighbors_rules *rules);

const struct plan_neighbor *
worker_neighbors_find(const struct worker_neighbors *neighbors,
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
