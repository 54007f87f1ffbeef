/*
 * OVSDB over db.sock (RFC 7047 with Open vSwitch's monitor_cond_since):
 * follows the bridge, its ports and interfaces, and adds or removes the
 * tunnel port.  JSON by jansson.  Polled like ofconn.h, but the descriptor
 * also becomes readable when a change has taken too long.
 */
#ifndef SOCKETNET_RECONCILERS_OVS_OVSDB_H
#define SOCKETNET_RECONCILERS_OVS_OVSDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/base/macros.h"
#include "reconcilers/plan/plan.h"

struct ovsdb;

struct ovsdb_port {
    char name[16];
    int64_t ofport;  /* -1: could not be opened; 0: not yet */
    int64_t ifindex; /* of the device that ovs-vswitchd has opened; 0: unknown.
                        When the kernel's differs, the device was made anew
                        under that name (a container's restart does it), and
                        the port is dead although the database calls it
                        healthy.  Removed and added again, in two steps, or
                        given another number, it lives. */
    int64_t request; /* the number that somebody asked for; 0: none */
    int64_t device_ifindex; /* of the device of that name, as the database
                               last said; 0: none */
    char error[128];        /* of the interface, "" when fine */
    bool is_ours;           /* carries external_ids:socketnet */
    bool is_device; /* of type system: the kernel has a device of its name, or
                       the port carries nothing.  Others may have none, or
                       have it in another network namespace. */
};

/* Called inside ovsdb_run; they may call anything here but ovsdb_run, and after
 * ovsdb_close no more of them come.  Any may be NULL. */
struct ovsdb_callbacks {
    void (*synced)(void *data);  /* first complete view is there */
    void (*changed)(void *data); /* bridge, ports or interfaces changed */
    void (*closed)(const char *why, void *data);
};

/* error 0; -EEXIST: a port of that name is there, on this or another bridge;
 * -EAGAIN: somebody changed it meanwhile; -ENODEV: it is in the database but
 * the device could not be opened, `text` says why; -EBADMSG: the database
 * refused; -ETIMEDOUT: ovs-vswitchd has not applied it in 5 s; -ECONNRESET. */
typedef void (*ovsdb_done_fn)(int error, const char *text, void *data);

/* 0, or negative errno (-ENOENT, -ECONNREFUSED: no ovsdb-server there). */
_must_check_ int ovsdb_open(const char *path, const char *bridge,
                            const struct ovsdb_callbacks *callbacks, void *data,
                            struct ovsdb **ret);
/* Changes not yet finished are forgotten: their functions are not called. */
struct ovsdb *ovsdb_close(struct ovsdb *ovsdb);
int ovsdb_fd(const struct ovsdb *ovsdb);
short ovsdb_wants(const struct ovsdb *ovsdb);
/* `now_ms` is CLOCK_MONOTONIC, here and below.  0, or negative errno after
 * `closed`. */
_must_check_ int ovsdb_run(struct ovsdb *ovsdb, uint64_t now_ms);

bool ovsdb_has_bridge(const struct ovsdb *ovsdb);
/* Ports of the bridge in ascending order of name, without its own one. */
size_t ovsdb_n_ports(const struct ovsdb *ovsdb);
const struct ovsdb_port *ovsdb_port_at(const struct ovsdb *ovsdb, size_t index);

/* Adds the port (external_ids:socketnet=owner) or removes one of ours; done
 * once ovs-vswitchd has applied it (next_cfg reached by cur_cfg).
 * 0: fn will be called from ovsdb_run.  Else it will not: -ENOTCONN (not
 * synced), -ENOENT (no such bridge, no such port), -EALREADY (our port is
 * there), -EEXIST or -EPERM (somebody else's is), -EINVAL, -ENOMEM. */
_must_check_ int ovsdb_add_port(struct ovsdb *ovsdb, uint64_t now_ms,
                                const char *name, const char *owner,
                                ovsdb_done_fn fn, void *data);
_must_check_ int ovsdb_remove_port(struct ovsdb *ovsdb, uint64_t now_ms,
                                   const char *name, ovsdb_done_fn fn,
                                   void *data);
/* Asks for another OpenFlow number of a port, whoever owns it (0: for none in
 * particular).  When that is another than it has, ovs-vswitchd closes the
 * device and opens it again, which is what revives a dead port; its row, with
 * tag and external_ids, stays as it is.  Returns and calls as above. */
_must_check_ int ovsdb_request_number(struct ovsdb *ovsdb, uint64_t now_ms,
                                      const char *name, uint16_t number,
                                      ovsdb_done_fn fn, void *data);

#endif
