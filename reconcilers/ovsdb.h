/*
 * OVSDB over db.sock (RFC 7047 with Open vSwitch's monitor_cond_since):
 * follows the bridge, its ports and interfaces, and adds or removes the
 * tunnel port.  JSON by jansson.  Polled like ofconn.h.
 */
#ifndef SOCKETNET_RECONCILERS_OVSDB_H
#define SOCKETNET_RECONCILERS_OVSDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/base/macros.h"
#include "reconcilers/plan.h"

struct ovsdb;

struct ovsdb_port {
    char name[16];
    int64_t ofport;  /* -1: could not be opened; 0: not yet */
    int64_t ifindex; /* 0: unknown */
    char error[128]; /* of the interface, "" when fine */
    bool is_ours;    /* carries external_ids:socketnet */
};

struct ovsdb_callbacks {
    void (*synced)(void *data);  /* first complete view is there */
    void (*changed)(void *data); /* bridge, ports or interfaces changed */
    void (*closed)(const char *why, void *data);
};

typedef void (*ovsdb_done_fn)(int error, const char *text, void *data);

_must_check_ int ovsdb_open(const char *path, const char *bridge,
                            const struct ovsdb_callbacks *callbacks, void *data,
                            struct ovsdb **ret);
struct ovsdb *ovsdb_close(struct ovsdb *ovsdb);
int ovsdb_fd(const struct ovsdb *ovsdb);
short ovsdb_wants(const struct ovsdb *ovsdb);
_must_check_ int ovsdb_run(struct ovsdb *ovsdb);

bool ovsdb_has_bridge(const struct ovsdb *ovsdb);
/* Ports of the bridge in ascending order of name. */
size_t ovsdb_n_ports(const struct ovsdb *ovsdb);
const struct ovsdb_port *ovsdb_port_at(const struct ovsdb *ovsdb, size_t index);

/* Adds the port (external_ids:socketnet=owner) or removes one of ours; done
 * once ovs-vswitchd has applied it (next_cfg reached by cur_cfg). */
_must_check_ int ovsdb_add_port(struct ovsdb *ovsdb, const char *name,
                                const char *owner, ovsdb_done_fn fn,
                                void *data);
_must_check_ int ovsdb_remove_port(struct ovsdb *ovsdb, const char *name,
                                   ovsdb_done_fn fn, void *data);

#endif
