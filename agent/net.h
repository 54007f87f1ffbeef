/*
 * The node's sockets on the mesh address: one UDP socket for gossip, one TCP
 * listener for streams, and the connections.  Never 0.0.0.0.
 *
 *   net.c         sockets, datagrams, limits of connections
 *   net_stream.c  one connection: reading, writing, deadlines, the end
 *   net_sync.c    bulk synchronisation: frames to and from the node
 *   net_join.c    joining: as the issuer, or relaying to it
 */
#ifndef SOCKETNET_AGENT_NET_H
#define SOCKETNET_AGENT_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/socket.h>

#include "gossip/base/address.h"
#include "gossip/base/macros.h"

struct core;
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

/* Sends a datagram or drops it: gossip repeats what matters. */
void net_send(struct net *net, const struct endpoint *endpoint,
              const uint8_t *bytes, size_t size);

/* The node's stream actions.  Each answers by NODE_EVENT_STREAM_* later, never
 * from inside. */
void net_stream_open(struct net *net, const uint8_t peer[32],
                     const struct endpoint *endpoint);
void net_stream_send(struct net *net, uint32_t stream, const uint8_t *bytes,
                     size_t size);
void net_stream_close(struct net *net, uint32_t stream);

const struct net_counters *net_counters_get(const struct net *net);

/* Fills a socket address and returns its length, 0 without an address. */
socklen_t net_to_sockaddr(const struct endpoint *endpoint,
                          struct sockaddr_storage *ret);
/* False when the family is neither of ours. */
bool net_from_sockaddr(const struct sockaddr *address, struct endpoint *ret);

#endif
