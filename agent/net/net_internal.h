/*
 * Shared by the net_*.c files alone.
 */
#ifndef SOCKETNET_AGENT_NET_NET_INTERNAL_H
#define SOCKETNET_AGENT_NET_NET_INTERNAL_H

#include <stdbool.h>

#include <uv.h>

#include "agent/net/net.h"
#include "agent/system/listener.h"
#include "gossip/base/limits.h"
#include "gossip/wire/stream.h"

/* Until a connection of our own is established. */
#define NET_CONNECT_MS 5000
/* For the peer to read the end of what we sent. */
#define NET_LINGER_MS 2000
/* What a joiner may send through a relay.  The answer is larger: it holds
 * every certificate. */
#define NET_RELAY_BYTES (256u << 10)
/* A relay reads no more while so much waits to be written. */
#define NET_RELAY_QUEUE (64u << 10)
/* Largest opening: its fixed part and a certificate. */
#define NET_OPENING_SIZE_MAX (STREAM_OPENING_SIZE + LIMIT_RECORD_SIZE)

enum net_role {
    NET_OPENING = 0, /* incoming, and we do not know yet what it wants */
    NET_QUEUED,      /* incoming, not read yet: others come first */
    NET_WAITING,     /* a join whose turn has not come */
    NET_SYNC,
    NET_JOIN,  /* we are the issuer */
    NET_RELAY, /* one of the two connections of a relayed join */
    NET_ENDING /* all is sent; what still comes is thrown away */
};

struct join_issuer;

struct net_connection {
    struct net *net;
    struct net_connection *prev, *next;
    uv_tcp_t tcp;
    uv_connect_t connect;
    uv_shutdown_t shutdown;
    enum net_role role;
    uint32_t id;
    struct address from; /* incoming: who connected */
    uint8_t peer[32];    /* SYNC: signing key */
    bool is_initiator;
    bool is_sync;     /* was one: the node is told of its end */
    bool is_opened;   /* the node knows it */
    bool is_proved;   /* its first frame decrypted */
    bool is_closing;  /* uv_close was called */
    bool is_shutdown; /* uv_shutdown was called */
    bool is_at_end;   /* the peer ended its direction */
    bool is_paused;   /* RELAY: not reading, the other side is slow */
    struct stream *stream;
    struct join_issuer *join;
    struct net_connection *other; /* RELAY */
    uint8_t *opening;             /* as received, while it is needed */
    size_t opening_size;
    int told_before; /* WAITING: how many are first, as told; -1: nothing */
    size_t bytes_in;
    size_t bytes_in_max;
    size_t bytes_out;
    uint64_t deadline_ms;
};

struct net {
    struct core *core;
    uv_udp_t udp;
    struct listener listener;
    uv_timer_t timer; /* deadlines of connections */
    uv_timer_cb timer_fn;
    unsigned n_handles;
    bool is_closing;
    struct endpoint own;
    struct net_connection *connections;
    uint32_t last_id;
    struct net_counters counters;
    uint8_t datagram[2048];
    uint8_t chunk[16384];
};

/* A new connection in the list, not yet connected.  NULL without memory. */
struct net_connection *net_connection_new(struct net *net, enum net_role role);
void net_connection_close(struct net_connection *connection);
/* Sends what is queued, then ends our direction and waits for the peer's. */
void net_connection_finish(struct net_connection *connection);
/* Tells why, and ends. */
void net_connection_refuse(struct net_connection *connection, uint8_t reason);
void net_connection_read(struct net_connection *connection);
/* A connection that the listener of `data`, a net, accepted. */
_must_check_ int net_connection_accept(int fd, void *data);
/* From our mesh address to `endpoint`; `done` as for uv_tcp_connect.  0 or
 * negative errno. */
_must_check_ int net_connection_connect(struct net_connection *connection,
                                        const struct endpoint *endpoint,
                                        uv_connect_cb done);
/* Copies and queues bytes. */
void net_connection_write(struct net_connection *connection,
                          const uint8_t *bytes, size_t size);
/* Writes what the stream has for the socket. */
void net_connection_flush(struct net_connection *connection);
/* Connections of this role. */
size_t net_count(const struct net *net, enum net_role role);

/* Whose turn has come, among those that wait. */
void net_next(struct net *net);
/* A place has become free: net_next, in the next turn of the loop. */
void net_soon(struct net *net);
/* Waits for its turn to join, or is refused. */
void net_wait_join(struct net_connection *connection);
/* Accepted: it is read, waits unread, or is refused. */
void net_wait_opening(struct net_connection *connection);
/* The turn of a join has come. */
void net_join_begin(struct net_connection *connection);
/* Whether another join may be served or relayed now. */
bool net_join_has_room(const struct net *net);
/* What came behind the opening belongs to the stream. */
void net_connection_rest(struct net_connection *connection,
                         size_t opening_size);

/* Each takes over a connection whose opening is whole and for this cluster. */
void net_sync_accept(struct net_connection *connection,
                     const struct stream_opening *opening);
void net_join_accept(struct net_connection *connection,
                     const struct stream_opening *opening);
/* One frame, or what a role needs at the end. */
void net_sync_frame(struct net_connection *connection, const uint8_t *bytes,
                    size_t size);
void net_sync_established(struct net_connection *connection);
void net_sync_closed(struct net_connection *connection);
void net_join_frame(struct net_connection *connection, const uint8_t *bytes,
                    size_t size);
void net_join_closed(struct net_connection *connection);
void net_relay_bytes(struct net_connection *connection, const uint8_t *bytes,
                     size_t size);
void net_relay_end(struct net_connection *connection);
void net_relay_written(struct net_connection *connection);

/* The node's stream actions (struct core_transport; `data` is the net).  Each
 * answers by NODE_EVENT_STREAM_* later, never from inside. */
void net_stream_open(void *data, const uint8_t peer[32],
                     const struct endpoint *endpoint);
void net_stream_send(void *data, uint32_t stream, const uint8_t *bytes,
                     size_t size);
void net_stream_close(void *data, uint32_t stream);

#endif
