/*
 * One OpenFlow connection to a bridge's management socket, without blocking
 * and without an event loop of its own: the owner polls ofconn_fd for
 * ofconn_wants and calls ofconn_run.
 *
 * Bundles: one atomic ordered bundle per change.  Open vSwitch 3.1 accepts
 * flow and group messages in bundles.
 */
#ifndef SOCKETNET_RECONCILERS_OVS_OFCONN_H
#define SOCKETNET_RECONCILERS_OVS_OFCONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/base/macros.h"
#include "reconcilers/openflow/openflow.h"
#include "reconcilers/plan/plan.h"

struct ofconn;

/* Callbacks run inside ofconn_run and may call anything here but ofconn_run;
 * after ofconn_close no more of them come.  Any may be NULL. */
struct ofconn_callbacks {
    void (*connected)(void *data);               /* handshake done */
    void (*closed)(const char *why, void *data); /* reconnect is the owner's */
    /* Somebody else changed a flow, or a group or meter, of the bridge; once
     * per ofconn_run at most.  What our bundles change is not reported. */
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
    bool has_meter; /* PLAN_METER is there */
};
/* error 0 and a dump whose content now is the receiver's (end it with
 * ofconn_dump_done); else NULL and -EBADMSG or -ECONNRESET. */
typedef void (*ofconn_dump_fn)(int error, struct ofconn_dump *dump, void *data);
/* error 0; -EBADMSG: the switch refused, `text` names which flow or group and
 * its words, and nothing was changed; -ECONNRESET. */
typedef void (*ofconn_apply_fn)(int error, const char *text, void *data);

/* Starts connecting to a unix socket.  0 or negative errno (-ENOENT: no such
 * bridge or no ovs-vswitchd). */
_must_check_ int ofconn_open(const char *path,
                             const struct ofconn_callbacks *callbacks,
                             void *data, struct ofconn **ret);
/* Requests not yet answered are forgotten: their functions are not called. */
struct ofconn *ofconn_close(struct ofconn *conn);
int ofconn_fd(const struct ofconn *conn);
short ofconn_wants(const struct ofconn *conn); /* POLLIN | POLLOUT */
/* Reads, writes and calls back.  0, or negative errno after `closed`. */
_must_check_ int ofconn_run(struct ofconn *conn);

/* Requests are queued, before the handshake is done too, and carried out one
 * after the other; answers come through ofconn_run, in that order.  Nothing
 * given is kept but `data`.  0 and fn will be called; -ENOTCONN, -ENOMEM,
 * -EMSGSIZE (one flow or group larger than a message) and it will not. */
_must_check_ int ofconn_dump(struct ofconn *conn, ofconn_dump_fn fn,
                             void *data);
_must_check_ int ofconn_apply(struct ofconn *conn, const struct diff *diff,
                              ofconn_apply_fn fn, void *data);
/* Sent at once; before the handshake is done -ENOTCONN, and -EAGAIN while the
 * switch does not read. */
_must_check_ int ofconn_packet_out(struct ofconn *conn, uint32_t out_port,
                                   const uint8_t *frame, size_t size);
/* The same for a packet that goes through the tables again, as if it came in
 * by that port. */
_must_check_ int ofconn_packet_again(struct ofconn *conn, uint32_t in_port,
                                     const uint8_t *frame, size_t size);
/* The same for an error report that the switch brings to its addressee:
 * plan_put_report. */
_must_check_ int ofconn_packet_report(struct ofconn *conn, const uint8_t *frame,
                                      size_t size);
/* Makes PLAN_METER, in turn with the requests above.  A datapath that has no
 * meters is found out by the next dump. */
_must_check_ int ofconn_put_meter(struct ofconn *conn);
/* Takes it away, and with it the flows that name it. */
_must_check_ int ofconn_remove_meter(struct ofconn *conn);
/* Forgets the tracked connections in PLAN_ZONE from `service` to `backend`,
 * in turn with the requests above.  An old switch that cannot is not told
 * apart. */
_must_check_ int ofconn_flush_connections(struct ofconn *conn,
                                          const struct address *service,
                                          const struct address *backend,
                                          uint8_t protocol);
void ofconn_dump_done(struct ofconn_dump *dump);

#endif
