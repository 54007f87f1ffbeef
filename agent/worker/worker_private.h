/*
 * The worker's one struct and what its parts call of each other; worker.h
 * lists the parts.  Everything runs on one libuv loop in one thread.
 */
#ifndef SOCKETNET_AGENT_WORKER_WORKER_PRIVATE_H
#define SOCKETNET_AGENT_WORKER_WORKER_PRIVATE_H

#include <uv.h>

#include "agent/config/config.h"
#include "agent/ipc/ipc.h"
#include "agent/ipc/ipc_queue.h"
#include "agent/system/watch.h"
#include "agent/worker/worker.h"
#include "agent/worker/worker_holddown.h"
#include "agent/worker/worker_neighbors.h"
#include "agent/worker/worker_state.h"
#include "reconcilers/kernel/netlink.h"
#include "reconcilers/ovs/ofconn.h"
#include "reconcilers/ovs/ovsdb.h"
#include "reconcilers/plan/plan.h"

/* Changes that come within this are applied together.  A registration waits
 * for it, so it is short; a burst of records comes in one packet anyway. */
#define WORKER_COALESCE_MS 2
/* After a refused or failed apply; doubled up to the maximum. */
#define WORKER_RETRY_MIN_MS 1000
#define WORKER_RETRY_MAX_MS 60000

/* A round needs several times what is kept; without another one for so long
 * the rest is given back. */
#define WORKER_IDLE_MS 1000

struct worker_query;
struct worker_hold;
struct worker_probe;
struct worker_revive;

/* What became of the device that the switch opened for a port.  It goes on
 * calling the port healthy in both of the other cases. */
enum worker_device {
    WORKER_DEVICE_THERE,
    WORKER_DEVICE_ANEW, /* made anew: the port is dead until it is revived */
    WORKER_DEVICE_GONE, /* none has the name: a container that ended */
};

/* A port as core was last told. */
struct worker_port {
    char name[DESIRED_PORT_SIZE];
    int64_t ofport;
    enum worker_device device;
};

/* Behind which port a container was seen, as core was last told. */
struct worker_told_neighbor {
    struct address address;
    char port_name[DESIRED_PORT_SIZE];
};

struct worker {
    uv_loop_t loop;
    struct config *config;
    bool observe;
    bool is_removed; /* "remove" was asked: nothing is reconciled any more */
    bool is_flows_removed; /* done, with this result: */
    size_t n_removed_flows;
    size_t n_removed_groups;
    char remove_problem[160];
    struct plan_policy policy;
    struct worker_state state;
    struct worker_neighbors neighbors;
    struct worker_holddown holddown;

    /* worker.c */
    struct watch *control;
    uv_signal_t signal; /* SIGTERM */
    uv_signal_t reload; /* SIGHUP */
    uv_prepare_t prepare;
    uint8_t *buffer; /* IPC_MESSAGE_MAX, for both sockets in turn */

    /* worker_core.c */
    int core_fd; /* -1: no core now */
    struct watch *core_watch;
    struct ipc_queue core_queue;
    struct worker_port *told_ports; /* owned, sorted by name */
    size_t n_told_ports;
    struct worker_told_neighbor *told_neighbors; /* owned, by address */
    size_t n_told_neighbors;
    bool told_tunnel_up;
    char told_tunnel[256];
    char last_note[256];

    /* worker_switch.c */
    struct ofconn *ofconn;
    struct watch *of_watch;
    bool is_of_ready;
    char of_why[192]; /* why the last attempt failed, "" unknown */
    struct ovsdb *ovsdb;
    struct watch *ovsdb_watch;
    bool is_ovsdb_synced;
    uint64_t learn_second; /* the one that n_learned counts in */
    uint32_t n_learned;
    struct netlink *netlink;
    struct watch *netlink_watch;
    bool is_port_link_changed; /* while notifications are read */
    uv_timer_t reconnect_timer;
    uint32_t reconnect_ms;
    uv_fs_event_t run_dir_event;
    bool is_run_dir_watched;
    bool is_ovs_up; /* as core was told */
    char ovs_text[256];

    /* worker_reconcile.c */
    uv_timer_t cycle_timer; /* coalescing */
    uv_timer_t later_timer; /* holds that end, retries */
    uv_timer_t idle_timer;  /* memory is given back when nothing happens */
    bool is_dirty;
    uint64_t dirty_ns; /* since when */
    bool has_present;  /* `present` is what the switch holds */
    bool needs_dump;
    bool needs_recovery; /* neighbours are to be read from our own flows */
    bool is_dumping;
    bool is_applying;
    struct ofconn_dump present;
    struct plan_port *ports; /* owned: of OVSDB, as last seen */
    size_t n_ports;
    bool has_ports;
    struct plan plan; /* while applying, with `diff` */
    struct diff diff;
    struct worker_state_flush *flushes; /* owned, due after the apply */
    size_t n_flushes;
    uint64_t applied_number; /* as core was told */
    uint32_t retry_ms;
    uint64_t retry_at_ms; /* 0: none */
    char *last_observed;  /* text printed last by --observe, owned */

    /* worker_kernel.c */
    struct plan kernel; /* what netlink_apply made last: no flows in it */
    bool is_kernel_dirty;
    bool is_kernel_failed;
    uint32_t mesh_mtu;
    bool is_porting;     /* a change of the tunnel's port is on its way ... */
    bool is_adding_port; /* ... which is an addition */
    char tunnel_problem[160];

    struct worker_revive *revive; /* owned, NULL: nothing was revived yet */
    struct worker_probe *probe;   /* owned */
    struct worker_hold *hold;     /* owned, NULL while nothing is held */
    struct worker_query *queries; /* owned */
};

/* --- worker_core.c --- */
void worker_core_attach(struct worker *worker, int fd);
void worker_core_detach(struct worker *worker);
/* Sends to core, if there is one; what cannot be sent is lost with it. */
void worker_core_send(struct worker *worker, const struct ipc_message *message);
void worker_core_send_ovs(struct worker *worker);
void worker_core_send_tunnel(struct worker *worker, bool is_up,
                             const char *text);
void worker_core_send_ports(struct worker *worker);
void worker_core_send_neighbors(struct worker *worker);
void worker_core_send_refusals(struct worker *worker);
void worker_core_send_applied(struct worker *worker, size_t n_changes,
                              const char *error);
/* A line for core's event log, and for ours.  The same text is not said twice
 * in a row. */
void worker_core_note(struct worker *worker, enum log_level level,
                      const char *format, ...) _printf_(3, 4);
/* Sets what is polled for. */
void worker_core_settle(struct worker *worker);

/* --- worker_switch.c --- */
_must_check_ int worker_switch_start(struct worker *worker);
void worker_switch_stop(struct worker *worker);
/* Before each poll: what the connections want to be polled for. */
void worker_switch_settle(struct worker *worker);

/* --- worker_reconcile.c --- */
void worker_reconcile_start(struct worker *worker);
void worker_reconcile_stop(struct worker *worker);
/* Something changed: a round comes after WORKER_COALESCE_MS. */
void worker_reconcile_soon(struct worker *worker);
/* The same, but first the switch is asked what it holds. */
void worker_reconcile_dump(struct worker *worker);
/* Something failed: another round comes later, and later each time. */
void worker_reconcile_retry(struct worker *worker);
/* The OpenFlow connection is gone: what was on its way is forgotten. */
void worker_reconcile_forget(struct worker *worker);
/* Ports of OVSDB into worker->ports, neighbours follow. */
void worker_reconcile_ports(struct worker *worker);
/* What to check neighbours against now. */
struct worker_neighbors_rules
worker_reconcile_rules(const struct worker *worker);
/* The flows are gone, or cannot be removed: answers "remove" when the port is
 * gone too. */
void worker_reconcile_removed(struct worker *worker, size_t n_flows,
                              size_t n_groups, const char *problem);
/* Plan from what is known now.  0 or -ENOMEM. */
_must_check_ int worker_reconcile_plan(struct worker *worker, struct plan *ret);

/* --- worker_cache.c (pure) --- */
/* Makes `present` what it is after the diff was applied; moves flows and
 * groups out of the plan.  0 or -ENOMEM: `present` is unusable. */
_must_check_ int worker_cache_commit(struct ofconn_dump *present,
                                     struct plan *plan,
                                     const struct diff *diff);
/* Notes every flow and group of ours that differs between what we knew and
 * what is there: somebody else did that.  Sorts both.  Calls fn for each
 * that is left alone from now on. */
typedef void (*worker_cache_held_fn)(const char *what, uint32_t wait_ms,
                                     void *data);
void worker_cache_drift(struct ofconn_dump *known, struct ofconn_dump *there,
                        struct worker_holddown *holddown, uint64_t now_ms,
                        worker_cache_held_fn fn, void *data);
/* Takes what is held, and conflicts, out of the diff. */
void worker_cache_hold(struct diff *diff,
                       const struct worker_holddown *holddown, uint64_t now_ms);

/* --- worker_kernel.c --- */
/* Looks again at what the kernel holds, when it said that it changed. */
void worker_kernel_look(struct worker *worker);
/* Makes device, forwards, routes and address as planned, when the plan or
 * the kernel changed; takes those arrays out of the plan.  Returns the number
 * of changes. */
size_t worker_kernel_apply(struct worker *worker, struct plan *plan);
/* Adds, replaces or removes the tunnel's port on the bridge. */
void worker_kernel_tunnel_port(struct worker *worker, const struct plan *plan);
/* What became of the port's device, as the kernel says now. */
enum worker_device worker_kernel_device(const struct ovsdb_port *port);
/* The same by its name; THERE while the database is away. */
enum worker_device worker_kernel_port_device(const struct worker *worker,
                                             const char *name);
/* Removes everything of ours from the kernel and our port from OVSDB. */
void worker_kernel_remove(struct worker *worker);
void worker_kernel_done(struct worker *worker);

/* --- worker_hold.c --- */
/* Keeps a packet from the tunnel until its container is known, or hands it
 * on at once. */
void worker_hold_packet(struct worker *worker,
                        const struct openflow_packet_in *packet);
/* A container was learned: what waited for it goes. */
void worker_hold_release(struct worker *worker);
void worker_hold_free(struct worker *worker);

/* --- worker_revive.c --- */
/* Revives dead ports that registered instances name, one at a time. */
void worker_revive_ports(struct worker *worker);
/* The database is gone: what was on its way is not heard of again. */
void worker_revive_forget(struct worker *worker);
void worker_revive_done(struct worker *worker);

/* --- worker_probe.c --- */
_must_check_ int worker_probe_new(struct worker *worker);
void worker_probe_free(struct worker *worker);
/* Registered addresses or ports or neighbours changed. */
void worker_probe_update(struct worker *worker);
/* A packet to an address that nobody has been seen to have. */
void worker_probe_unknown(struct worker *worker, uint32_t in_port,
                          const uint8_t *frame, size_t size);

/* --- worker_query.c --- */
void worker_query_start(struct worker *worker,
                        const struct ipc_message *message);
/* The connection to the switch is gone: no dump comes any more. */
void worker_query_switch_lost(struct worker *worker);
/* Core is gone: nobody waits for answers. */
void worker_query_core_lost(struct worker *worker);
/* After everything was taken away. */
void worker_query_removed(struct worker *worker, size_t n_flows,
                          size_t n_groups, const char *error);

#endif
