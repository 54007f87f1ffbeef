/*
 * Shared by the files of the OVSDB client:
 *   ovsdb.c           socket, dispatch, monitor, time-outs
 *   ovsdb_json.c      cutting and reading JSON
 *   ovsdb_view.c      rows as monitored -> the bridge's ports
 *   ovsdb_transact.c  adding and removing a port
 */
#ifndef SOCKETNET_RECONCILERS_OVS_OVSDB_PRIVATE_H
#define SOCKETNET_RECONCILERS_OVS_OVSDB_PRIVATE_H

#include "reconcilers/ovs/channel.h"
#include "reconcilers/ovs/ovsdb.h"
#include "reconcilers/ovs/ovsdb_json.h"

#define OVSDB_OWNER_SIZE 64
/* One JSON text; the whole first view comes as one. */
#define OVSDB_MESSAGE_MAX (16u * 1024u * 1024u)
/* A change that ovs-vswitchd has not applied by then has failed. */
#define OVSDB_APPLY_TIMEOUT_MS 5000

struct ovsdb_view;

_must_check_ int ovsdb_view_new(const char *bridge, struct ovsdb_view **ret);
struct ovsdb_view *ovsdb_view_free(struct ovsdb_view *view);
/* Table updates as "monitor" (rows old and new) or, is_diff, as
 * "monitor_cond_since" sends them (initial, insert, modify, delete).
 * 0; -ENOMEM; -EBADMSG when they do not fit what we hold. */
_must_check_ int ovsdb_view_update(struct ovsdb_view *view,
                                   const json_t *tables, bool is_diff);
/* Makes the list of ports anew; says whether it, or the bridge, changed. */
_must_check_ int ovsdb_view_refresh(struct ovsdb_view *view,
                                    bool *ret_is_changed);
bool ovsdb_view_has_bridge(const struct ovsdb_view *view);
int64_t ovsdb_view_cur_cfg(const struct ovsdb_view *view);
size_t ovsdb_view_n_ports(const struct ovsdb_view *view);
const struct ovsdb_port *ovsdb_view_port_at(const struct ovsdb_view *view,
                                            size_t index);
/* The Port row of a listed port: its uuid and the owner in external_ids.
 * False when there is none of that name. */
bool ovsdb_view_port_row(const struct ovsdb_view *view, const char *name,
                         struct ovsdb_uuid *ret_uuid,
                         char ret_owner[OVSDB_OWNER_SIZE]);

/* A transaction on its way. */
struct ovsdb_change {
    struct ovsdb_change *next;
    json_int_t id;
    bool is_add;
    bool is_committed; /* waiting for ovs-vswitchd to reach `next_cfg` */
    int64_t next_cfg;
    uint64_t deadline_ms; /* CLOCK_MONOTONIC */
    char name[16];
    ovsdb_done_fn fn;
    void *data;
};

enum ovsdb_monitor {
    OVSDB_MONITOR_ASKED,    /* monitor_cond_since is sent */
    OVSDB_MONITOR_FALLBACK, /* it was refused: "monitor" is sent */
    OVSDB_MONITOR_RUNNING,
};

struct ovsdb {
    struct channel channel;
    int poll_fd;     /* epoll over the socket and the timer */
    int timer_fd;    /* the earliest deadline of `changes` */
    uint64_t now_ms; /* as ovsdb_run was last told */
    struct ovsdb_callbacks callbacks;
    void *data;
    char bridge[64];
    struct ovsdb_scanner scanner;
    struct ovsdb_view *view;
    enum ovsdb_monitor monitor;
    bool is_diff; /* monitor_cond_since was accepted */
    json_int_t next_id;
    struct ovsdb_change *changes;
    int error; /* not 0: over */
    char why[192];
    bool is_running;
    bool is_orphaned;
};

/* A client without a socket, and bytes as if they had come from one: open,
 * tests and the fuzzer.  Feed: 0 or negative errno. */
_must_check_ int ovsdb_new(const char *bridge,
                           const struct ovsdb_callbacks *callbacks, void *data,
                           struct ovsdb **ret);
_must_check_ int ovsdb_feed(struct ovsdb *ovsdb, const uint8_t *bytes,
                            size_t size);

/* Serialises and queues a message; takes the reference.  `message` NULL is
 * -ENOMEM. */
_must_check_ int ovsdb_send(struct ovsdb *ovsdb, json_t *message);
/* Fails the connection with a reason. */
_must_check_ int ovsdb_fail(struct ovsdb *ovsdb, int error, const char *why);

/* The answer to a transaction; true when the id is one of ours. */
bool ovsdb_change_answer(struct ovsdb *ovsdb, json_int_t id,
                         const json_t *message);
/* Finishes what ovs-vswitchd has applied, and what took too long. */
void ovsdb_changes_validate(struct ovsdb *ovsdb);
/* Finishes all with the error. */
void ovsdb_changes_fail(struct ovsdb *ovsdb, int error, const char *text);
void ovsdb_changes_free(struct ovsdb *ovsdb);
/* Earliest deadline; 0: none. */
uint64_t ovsdb_changes_deadline_ms(const struct ovsdb *ovsdb);
/* Arms the timer, writes, and adjusts what is polled for. */
int ovsdb_settle(struct ovsdb *ovsdb);

#endif
