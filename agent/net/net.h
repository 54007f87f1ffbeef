/*
 * The node's sockets on the mesh address: one UDP socket for gossip, one TCP
 * listener for streams, and the connections.  Never 0.0.0.0.
 *
 *   net.c         sockets, datagrams, limits of connections
 *   net_stream.c  one connection: reading, writing, deadlines, the end
 *   net_sync.c    bulk synchronisation: frames to and from the node
 *   net_join.c    joining: as the issuer, or relaying to it
 *   net_wait.c    whose turn it is
 */
#ifndef SOCKETNET_AGENT_NET_NET_H
#define SOCKETNET_AGENT_NET_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/core/core.h"
#include "gossip/base/macros.h"

struct net;

struct net_counters {
    uint64_t send_failed; /* datagrams the kernel did not take */
    uint64_t connections_refused;
    uint64_t connections_failed; /* malformed, over a limit, out of time */
    uint64_t joins_relayed;
};

/* Binds UDP and TCP to the configured mesh address, which may appear later
 * (IP_FREEBIND).  0, or negative errno and a malloc'd text. */
_must_check_ int net_new(struct core *core, struct net **ret, char **ret_error);
/* Closes everything; the memory goes when the loop has closed the handles. */
struct net *net_free(struct net *net);

/* How core reaches it.  A datagram is sent or dropped: gossip repeats what
 * matters.  Valid while `net` is. */
struct core_transport net_transport(struct net *net);

const struct net_counters *net_counters_get(const struct net *net);

#endif
