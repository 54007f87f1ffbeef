/*
 * The worker's connections: OpenFlow to ovs-vswitchd, JSON to ovsdb-server,
 * rtnetlink to the kernel.  They are polled on the worker's loop, opened
 * again with backoff when lost, and at once when something appears in Open
 * vSwitch's run directory.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/system/clock.h"
#include "agent/system/log.h"
#include "agent/worker/worker_private.h"

#define RECONNECT_MIN_MS 50
#define RECONNECT_MAX_MS 1000
/* When the directory changed: a socket is bound before it listens. */
#define RECONNECT_SOON_MS 5
/* Changes of the neighbour table in a second; a host starts fewer
 * containers. */
#define LEARN_PER_S 200

static void set_ovs(struct worker *worker, bool is_up, const char *text)
{
    if (worker->is_ovs_up == is_up && strcmp(worker->ovs_text, text) == 0) {
        return;
    }
    worker->is_ovs_up = is_up;
    (void)snprintf(worker->ovs_text, sizeof(worker->ovs_text), "%s", text);
    if (is_up) {
        log_info("Open vSwitch is up bridge=%s", worker->policy.bridge);
    } else {
        log_warning("%s", text);
    }
    worker_core_send_ovs(worker);
}

/* A connection is made, but has not answered for the first time. */
static bool is_undecided(const struct worker *worker)
{
    return (worker->ovsdb != NULL && !worker->is_ovsdb_synced) ||
           (worker->ofconn != NULL && !worker->is_of_ready);
}

/* One sentence about the worst that is wrong, or up. */
static void judge_ovs(struct worker *worker)
{
    const char *run_dir = worker->config->ovs_run_dir;
    const char *bridge = worker->policy.bridge;
    char text[sizeof(worker->ovs_text)] = "";

    if (is_undecided(worker) && !worker->is_ovs_up) {
        return; /* what was said last is as true as before */
    }
    if (!worker->is_ovsdb_synced) {
        (void)snprintf(text, sizeof(text),
                       "ovsdb-server does not answer at %.120s/db.sock: is "
                       "Open vSwitch installed and running?",
                       run_dir);
    } else if (!ovsdb_has_bridge(worker->ovsdb)) {
        (void)snprintf(text, sizeof(text),
                       "no bridge %.40s: create it with `ovs-vsctl add-br "
                       "%.40s -- set bridge %.40s fail_mode=secure`",
                       bridge, bridge, bridge);
    } else if (!worker->is_of_ready && worker->of_why[0] != '\0') {
        (void)snprintf(text, sizeof(text), "bridge %.40s: %s", bridge,
                       worker->of_why);
    } else if (!worker->is_of_ready) {
        (void)snprintf(text, sizeof(text),
                       "ovs-vswitchd does not answer at %.120s/%.40s.mgmt: is "
                       "it running?",
                       run_dir, bridge);
    }
    set_ovs(worker, text[0] == '\0', text);
}

static void on_reconnect(uv_timer_t *timer);

static void reconnect_in(struct worker *worker, uint32_t ms)
{
    /* Cannot fail on an open timer. */
    (void)uv_timer_start(&worker->reconnect_timer, on_reconnect, ms, 0);
}

/* A connection that was lost is tried again soon, one that never worked
 * after longer and longer. */
static void reconnect_lost(struct worker *worker, bool was_good)
{
    judge_ovs(worker);
    if (was_good) {
        worker->reconnect_ms = RECONNECT_SOON_MS;
    }
    reconnect_in(worker, worker->reconnect_ms);
    if (!was_good) {
        worker->reconnect_ms =
            MIN_OF(worker->reconnect_ms * 2, RECONNECT_MAX_MS);
    }
}

/* --- OpenFlow --- */

static void of_lost(struct worker *worker)
{
    worker->of_watch = watch_free(worker->of_watch);
    worker->ofconn = ofconn_close(worker->ofconn);
    worker->is_of_ready = false;
    worker_reconcile_forget(worker);
    worker_query_switch_lost(worker);
}

static void on_of_connected(void *data)
{
    struct worker *worker = data;

    worker->is_of_ready = true;
    worker->of_why[0] = '\0';
    worker->reconnect_ms = RECONNECT_MIN_MS;
    judge_ovs(worker);
    worker_reconcile_dump(worker);
}

static void on_of_closed(const char *why, void *data)
{
    struct worker *worker = data;

    log_debug("OpenFlow connection closed why=\"%s\"", why);
    if (!worker->is_of_ready) {
        (void)snprintf(worker->of_why, sizeof(worker->of_why), "%s", why);
    }
}

static void on_of_changed(bool is_group, void *data)
{
    log_debug("%s changed by somebody else", is_group ? "groups" : "flows");
    worker_reconcile_dump(data);
}

static void on_of_port_changed(void *data)
{
    worker_reconcile_dump(data); /* the bridge's own MAC is in it */
}

/* A container that changes its address or MAC all the time must not keep us
 * rewriting flows. */
static bool may_learn(struct worker *worker)
{
    uint64_t second = clock_now_ms() / 1000;

    if (worker->learn_second != second) {
        worker->learn_second = second;
        worker->n_learned = 0;
    }
    return worker->n_learned < LEARN_PER_S;
}

static void on_packet_in(const struct openflow_packet_in *packet, void *data)
{
    struct worker *worker = data;
    struct worker_neighbors_rules rules = worker_reconcile_rules(worker);
    int result = 0;

    if (may_learn(worker)) {
        result =
            worker_neighbors_learn(&worker->neighbors, &rules, packet->in_port,
                                   packet->frame, packet->frame_size);
    }
    if (result == WORKER_NEIGHBORS_CHANGED) {
        worker->n_learned++;
        worker_hold_release(worker);
        worker_probe_update(worker);
        worker_reconcile_soon(worker);
    } else if (result == 0) {
        worker_hold_packet(worker, packet);
        worker_probe_unknown(worker, packet->in_port, packet->frame,
                             packet->frame_size);
    }
}

static void on_of_watch(short events, void *data)
{
    struct worker *worker = data;
    int error;

    (void)events; /* it tries both */
    error = ofconn_run(worker->ofconn);
    if (error < 0) {
        bool was_ready = worker->is_of_ready;

        if (error != -EPROTO) {
            worker->of_why[0] = '\0'; /* it ended: that is said anyway */
        }
        of_lost(worker);
        reconnect_lost(worker, was_ready);
    }
}

static void of_open(struct worker *worker)
{
    static const struct ofconn_callbacks callbacks = {
        .connected = on_of_connected,
        .closed = on_of_closed,
        .changed = on_of_changed,
        .port_changed = on_of_port_changed,
        .packet_in = on_packet_in,
    };
    char path[PATH_MAX];

    (void)snprintf(path, sizeof(path), "%s/%s.mgmt",
                   worker->config->ovs_run_dir, worker->policy.bridge);
    if (ofconn_open(path, &callbacks, worker, &worker->ofconn) != 0) {
        worker->ofconn = NULL;
        return;
    }
    if (watch_new(&worker->loop, ofconn_fd(worker->ofconn), on_of_watch, worker,
                  &worker->of_watch) < 0) {
        of_lost(worker);
    }
}

/* --- OVSDB --- */

static void ports_changed(struct worker *worker)
{
    worker_reconcile_ports(worker);
    worker_core_send_ports(worker);
    worker_probe_update(worker);
    worker_reconcile_soon(worker);
}

static void on_ovsdb_changed(void *data)
{
    struct worker *worker = data;

    judge_ovs(worker);
    ports_changed(worker);
}

static void on_ovsdb_synced(void *data)
{
    struct worker *worker = data;

    worker->is_ovsdb_synced = true;
    on_ovsdb_changed(worker);
}

static void on_ovsdb_closed(const char *why, void *data)
{
    (void)data;
    log_debug("OVSDB connection closed why=\"%s\"", why);
}

static void ovsdb_lost(struct worker *worker)
{
    worker->ovsdb_watch = watch_free(worker->ovsdb_watch);
    worker->ovsdb = ovsdb_close(worker->ovsdb);
    worker->is_ovsdb_synced = false;
    worker->is_porting = false;
    worker_revive_forget(worker);
}

static void on_ovsdb_watch(short events, void *data)
{
    struct worker *worker = data;

    (void)events; /* it tries both */
    if (ovsdb_run(worker->ovsdb, clock_now_ms()) < 0) {
        bool was_synced = worker->is_ovsdb_synced;

        ovsdb_lost(worker);
        reconnect_lost(worker, was_synced);
    }
}

static void ovsdb_start(struct worker *worker)
{
    static const struct ovsdb_callbacks callbacks = {
        .synced = on_ovsdb_synced,
        .changed = on_ovsdb_changed,
        .closed = on_ovsdb_closed,
    };
    char path[PATH_MAX];

    (void)snprintf(path, sizeof(path), "%s/db.sock",
                   worker->config->ovs_run_dir);
    if (ovsdb_open(path, worker->policy.bridge, &callbacks, worker,
                   &worker->ovsdb) != 0) {
        worker->ovsdb = NULL;
        return;
    }
    if (watch_new(&worker->loop, ovsdb_fd(worker->ovsdb), on_ovsdb_watch,
                  worker, &worker->ovsdb_watch) < 0) {
        ovsdb_lost(worker);
    }
}

/* --- both --- */

static void on_run_dir(uv_fs_event_t *handle, const char *name, int events,
                       int status)
{
    struct worker *worker = handle->data;

    (void)name;
    (void)events;
    if (status < 0) {
        worker->is_run_dir_watched = false;
        (void)uv_fs_event_stop(handle); /* cannot fail */
    }
    if (!worker->is_of_ready || !worker->is_ovsdb_synced) {
        worker->reconnect_ms = RECONNECT_SOON_MS;
        reconnect_in(worker, 0);
    }
}

static void on_reconnect(uv_timer_t *timer)
{
    struct worker *worker = timer->data;

    if (!worker->is_run_dir_watched) {
        worker->is_run_dir_watched =
            uv_fs_event_start(&worker->run_dir_event, on_run_dir,
                              worker->config->ovs_run_dir, 0) == 0;
    }
    if (worker->ovsdb == NULL) {
        ovsdb_start(worker);
    }
    if (worker->ofconn == NULL) {
        of_open(worker);
    }
    if (worker->ovsdb == NULL || worker->ofconn == NULL) {
        judge_ovs(worker);
        reconnect_in(worker, worker->reconnect_ms);
        worker->reconnect_ms =
            MIN_OF(worker->reconnect_ms * 2, RECONNECT_MAX_MS);
    }
}

/* The database says only later, and then as of the device's name, what became
 * of a port's device. */
static void on_link(const char *name, int ifindex, void *data)
{
    struct worker *worker = data;
    size_t n = worker->is_ovsdb_synced ? ovsdb_n_ports(worker->ovsdb) : 0;

    for (size_t i = 0; i < n && !worker->is_port_link_changed; i++) {
        const struct ovsdb_port *port = ovsdb_port_at(worker->ovsdb, i);

        worker->is_port_link_changed =
            strcmp(port->name, name) == 0 || port->ifindex == ifindex;
    }
}

static void on_netlink_watch(short events, void *data)
{
    struct worker *worker = data;

    (void)events; /* only ever readable */
    worker->is_port_link_changed = false;
    if (netlink_run(worker->netlink)) {
        worker->is_kernel_dirty = true;
        worker_reconcile_soon(worker);
    }
    if (worker->is_port_link_changed) {
        ports_changed(worker);
    }
}

int worker_switch_start(struct worker *worker)
{
    int error = netlink_open(&worker->netlink);

    if (error == 0) {
        error = watch_new(&worker->loop, netlink_fd(worker->netlink),
                          on_netlink_watch, worker, &worker->netlink_watch);
    }
    if (error == 0) {
        error = uv_fs_event_init(&worker->loop, &worker->run_dir_event);
    }
    if (error == 0) {
        error = uv_timer_init(&worker->loop, &worker->reconnect_timer);
    }
    if (error < 0) {
        return error;
    }
    netlink_on_link(worker->netlink, on_link, worker);
    watch_want(worker->netlink_watch, POLLIN);
    worker->run_dir_event.data = worker;
    worker->reconnect_timer.data = worker;
    worker->reconnect_ms = RECONNECT_MIN_MS;
    return uv_timer_start(&worker->reconnect_timer, on_reconnect, 0, 0);
}

void worker_switch_settle(struct worker *worker)
{
    if (worker->ofconn != NULL) {
        watch_want(worker->of_watch, ofconn_wants(worker->ofconn));
    }
    if (worker->ovsdb != NULL) {
        watch_want(worker->ovsdb_watch, ovsdb_wants(worker->ovsdb));
    }
}

void worker_switch_stop(struct worker *worker)
{
    of_lost(worker);
    ovsdb_lost(worker);
    worker->netlink_watch = watch_free(worker->netlink_watch);
    worker->netlink = netlink_close(worker->netlink);
    uv_close((uv_handle_t *)&worker->run_dir_event, NULL);
    uv_close((uv_handle_t *)&worker->reconnect_timer, NULL);
}
