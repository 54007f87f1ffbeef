/*
 * One OpenFlow connection to a bridge's management socket, without blocking
 * and without an event loop of its own: the owner polls ofconn_fd for
 * ofconn_wants and calls ofconn_run.
 *
 * Bundles: one atomic ordered bundle per change.  Open vSwitch 3.1 accepts
 * flow and group messages in bundles.
 */
#ifndef SOCKETNET_RECONCILERS_OFCONN_H
#define SOCKETNET_RECONCILERS_OFCONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/base/macros.h"
#include "reconcilers/openflow.h"
#include "reconcilers/plan.h"

struct ofconn;

/* Callbacks run inside ofconn_run. */
struct ofconn_callbacks {
    void (*connected)(void *data);               /* handshake done */
    void (*closed)(const char *why, void *data); /* reconnect is the owner's */
    /* A flow or group of the bridge changed, by us or by others. */
    void (*changed)(bool is_group, void *data);
    void (*port_changed)(void *data);
    void (*packet_in)(const struct openflow_packet_in *packet, void *data);
};

/* Everything in the switch; arrays owned by the receiver. */
struct ofconn_dump {
    struct flow *flows;
    size_t n_flows;
    struct group *groups;
    size_t n_groups;
    struct openflow_port *ports;
    size_t n_ports;
};
typedef void (*ofconn_dump_fn)(int error, struct ofconn_dump *dump, void *data);
/* error 0; -EBADMSG with the switch's words; -ECONNRESET. */
typedef void (*ofconn_apply_fn)(int error, const char *text, void *data);

/* Starts connecting to a unix socket.  0 or negative errno (-ENOENT: no such
 * bridge or no ovs-vswitchd). */
_must_check_ int ofconn_open(const char *path,
                             const struct ofconn_callbacks *callbacks,
                             void *data, struct ofconn **ret);
struct ofconn *ofconn_close(struct ofconn *conn);
int ofconn_fd(const struct ofconn *conn);
short ofconn_wants(const struct ofconn *conn); /* POLLIN | POLLOUT */
/* Reads, writes and calls back.  0, or negative errno after `closed`. */
_must_check_ int ofconn_run(struct ofconn *conn);

/* Requests are queued; answers come through ofconn_run, in order. */
_must_check_ int ofconn_dump(struct ofconn *conn, ofconn_dump_fn fn,
                             void *data);
_must_check_ int ofconn_apply(struct ofconn *conn, const struct diff *diff,
                              ofconn_apply_fn fn, void *data);
_must_check_ int ofconn_packet_out(struct ofconn *conn, uint32_t out_port,
                                   const uint8_t *frame, size_t size);
_must_check_ int ofconn_flush_connections(struct ofconn *conn,
                                          const struct address *service,
                                          const struct address *backend,
                                          uint8_t protocol);
void ofconn_dump_done(struct ofconn_dump *dump);

#endif
