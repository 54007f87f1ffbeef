/*
 * The worker's connections to Open vSwitch: OpenFlow to ovs-vswitchd, JSON to
 * ovsdb-server.  They are polled on the worker's loop, opened again with
 * backoff when lost, and at once when something appears in Open vSwitch's run
 * directory.
 */
#include "agent/worker/worker_switch.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/system/clock.h"
#include "agent/system/log.h"
#include "agent/system/watch.h"
#include "agent/worker/worker_core.h"
#include "agent/worker/worker_kernel.h"
#include "agent/worker/worker_learn.h"
#include "agent/worker/worker_ports.h"
#include "agent/worker/worker_private.h"
#include "agent/worker/worker_query.h"
#include "agent/worker/worker_reconcile.h"
#include "agent/worker/worker_refuse.h"
#include "agent/worker/worker_revive.h"

#define RECONNECT_MIN_MS 50
#define RECONNECT_MAX_MS 1000
/* When the directory changed: a socket is bound before it listens. */
#define RECONNECT_SOON_MS 5

struct worker_switch {
    struct ofconn *ofconn;
    struct watch *of_watch;
    bool is_of_ready; /* greeted */
    char of_why[192]; /* why the last attempt failed, "" unknown */
    struct ovsdb *ovsdb;
    struct watch *ovsdb_watch;
    bool is_ovsdb_synced; /* read */
    uv_timer_t reconnect_timer;
    uint32_t reconnect_ms;
    uv_fs_event_t run_dir_event;
    bool is_run_dir_watched;
    bool is_up;
    char text[256]; /* what is wrong, "" nothing is */
};

struct ofconn *worker_switch_ofconn(const struct worker *worker)
{
    return worker->ovs->is_of_ready ? worker->ovs->ofconn : NULL;
}

struct ovsdb *worker_switch_ovsdb(const struct worker *worker)
{
    return worker->ovs->is_ovsdb_synced ? worker->ovs->ovsdb : NULL;
}

const struct ovsdb_port *worker_switch_port(const struct worker *worker,
                                            const char *name)
{
    const struct ovsdb *ovsdb = worker_switch_ovsdb(worker);
    size_t n = ovsdb != NULL ? ovsdb_n_ports(ovsdb) : 0;

    for (size_t i = 0; i < n; i++) {
        const struct ovsdb_port *port = ovsdb_port_at(ovsdb, i);

        if (strcmp(port->name, name) == 0) {
            return port;
        }
    }
    return NULL;
}

bool worker_switch_is_up(const struct worker *worker)
{
    return worker->ovs->is_up;
}

const char *worker_switch_text(const struct worker *worker)
{
    return worker->ovs->text;
}

static void set_ovs(struct worker *worker, bool is_up, const char *text)
{
    if (worker->ovs->is_up == is_up && strcmp(worker->ovs->text, text) == 0) {
        return;
    }
    worker->ovs->is_up = is_up;
    (void)snprintf(worker->ovs->text, sizeof(worker->ovs->text), "%s", text);
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
    return (worker->ovs->ovsdb != NULL && !worker->ovs->is_ovsdb_synced) ||
           (worker->ovs->ofconn != NULL && !worker->ovs->is_of_ready);
}

/* One sentence about the worst that is wrong, or up. */
static void judge_ovs(struct worker *worker)
{
    const char *run_dir = worker->config->ovs_run_dir;
    const char *bridge = worker->policy.bridge;
    char text[sizeof(worker->ovs->text)] = "";

    if (is_undecided(worker) && !worker->ovs->is_up) {
        return; /* what was said last is as true as before */
    }
    if (!worker->ovs->is_ovsdb_synced) {
        (void)snprintf(text, sizeof(text),
                       "ovsdb-server does not answer at %.120s/db.sock: is "
                       "Open vSwitch installed and running?",
                       run_dir);
    } else if (!ovsdb_has_bridge(worker->ovs->ovsdb)) {
        (void)snprintf(text, sizeof(text),
                       "no bridge %.40s: create it with `ovs-vsctl add-br "
                       "%.40s -- set bridge %.40s fail_mode=secure`",
                       bridge, bridge, bridge);
    } else if (!worker->ovs->is_of_ready && worker->ovs->of_why[0] != '\0') {
        (void)snprintf(text, sizeof(text), "bridge %.40s: %s", bridge,
                       worker->ovs->of_why);
    } else if (!worker->ovs->is_of_ready) {
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
    (void)uv_timer_start(&worker->ovs->reconnect_timer, on_reconnect, ms, 0);
}

/* A connection that was lost is tried again soon, one that never worked
 * after longer and longer. */
static void reconnect_lost(struct worker *worker, bool was_good)
{
    judge_ovs(worker);
    if (was_good) {
        worker->ovs->reconnect_ms = RECONNECT_SOON_MS;
    }
    reconnect_in(worker, worker->ovs->reconnect_ms);
    if (!was_good) {
        worker->ovs->reconnect_ms =
            MIN_OF(worker->ovs->reconnect_ms * 2, RECONNECT_MAX_MS);
    }
}

/* --- OpenFlow --- */

static void of_lost(struct worker *worker)
{
    worker->ovs->of_watch = watch_free(worker->ovs->of_watch);
    worker->ovs->ofconn = ofconn_close(worker->ovs->ofconn);
    worker->ovs->is_of_ready = false;
    worker_reconcile_forget(worker);
    worker_query_switch_lost(worker);
}

static void on_of_connected(void *data)
{
    struct worker *worker = data;

    worker->ovs->is_of_ready = true;
    worker->ovs->of_why[0] = '\0';
    worker->ovs->reconnect_ms = RECONNECT_MIN_MS;
    judge_ovs(worker);
    worker_reconcile_dump(worker);
}

static void on_of_closed(const char *why, void *data)
{
    struct worker *worker = data;

    log_debug("OpenFlow connection closed why=\"%s\"", why);
    if (!worker->ovs->is_of_ready) {
        (void)snprintf(worker->ovs->of_why, sizeof(worker->ovs->of_why), "%s",
                       why);
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

static void on_packet_in(const struct openflow_packet_in *packet, void *data)
{
    if (plan_is_refused(packet->table)) {
        worker_refuse_packet(data, packet);
    } else if (plan_is_too_big(packet->table)) {
        worker_refuse_too_big(data, packet);
    } else {
        worker_learn_packet(data, packet);
    }
}

static void on_of_watch(short events, void *data)
{
    struct worker *worker = data;
    int error;

    (void)events; /* it tries both */
    error = ofconn_run(worker->ovs->ofconn);
    if (error < 0) {
        bool was_ready = worker->ovs->is_of_ready;

        if (error != -EPROTO) {
            worker->ovs->of_why[0] = '\0'; /* it ended: that is said anyway */
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
    if (ofconn_open(path, &callbacks, worker, &worker->ovs->ofconn) != 0) {
        worker->ovs->ofconn = NULL;
        return;
    }
    if (watch_new(&worker->loop, ofconn_fd(worker->ovs->ofconn), on_of_watch,
                  worker, &worker->ovs->of_watch) < 0) {
        of_lost(worker);
    }
}

/* --- OVSDB --- */

static void on_ovsdb_changed(void *data)
{
    struct worker *worker = data;

    /* Ports before the word that the switch is up: from then on core takes one
     * that it has not heard of for one that is not there. */
    worker_ports_changed(worker);
    judge_ovs(worker);
}

static void on_ovsdb_synced(void *data)
{
    struct worker *worker = data;

    worker->ovs->is_ovsdb_synced = true;
    on_ovsdb_changed(worker);
}

static void on_ovsdb_closed(const char *why, void *data)
{
    (void)data;
    log_debug("OVSDB connection closed why=\"%s\"", why);
}

static void ovsdb_lost(struct worker *worker)
{
    worker->ovs->ovsdb_watch = watch_free(worker->ovs->ovsdb_watch);
    worker->ovs->ovsdb = ovsdb_close(worker->ovs->ovsdb);
    worker->ovs->is_ovsdb_synced = false;
    worker_kernel_forget(worker);
    worker_revive_forget(worker);
}

static void on_ovsdb_watch(short events, void *data)
{
    struct worker *worker = data;

    (void)events; /* it tries both */
    if (ovsdb_run(worker->ovs->ovsdb, clock_now_ms()) < 0) {
        bool was_synced = worker->ovs->is_ovsdb_synced;

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
                   &worker->ovs->ovsdb) != 0) {
        worker->ovs->ovsdb = NULL;
        return;
    }
    if (watch_new(&worker->loop, ovsdb_fd(worker->ovs->ovsdb), on_ovsdb_watch,
                  worker, &worker->ovs->ovsdb_watch) < 0) {
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
        worker->ovs->is_run_dir_watched = false;
        (void)uv_fs_event_stop(handle); /* cannot fail */
    }
    if (!worker->ovs->is_of_ready || !worker->ovs->is_ovsdb_synced) {
        worker->ovs->reconnect_ms = RECONNECT_SOON_MS;
        reconnect_in(worker, 0);
    }
}

static void on_reconnect(uv_timer_t *timer)
{
    struct worker *worker = timer->data;

    if (!worker->ovs->is_run_dir_watched) {
        worker->ovs->is_run_dir_watched =
            uv_fs_event_start(&worker->ovs->run_dir_event, on_run_dir,
                              worker->config->ovs_run_dir, 0) == 0;
    }
    if (worker->ovs->ovsdb == NULL) {
        ovsdb_start(worker);
    }
    if (worker->ovs->ofconn == NULL) {
        of_open(worker);
    }
    if (worker->ovs->ovsdb == NULL || worker->ovs->ofconn == NULL) {
        judge_ovs(worker);
        reconnect_in(worker, worker->ovs->reconnect_ms);
        worker->ovs->reconnect_ms =
            MIN_OF(worker->ovs->reconnect_ms * 2, RECONNECT_MAX_MS);
    }
}

int worker_switch_new(struct worker *worker)
{
    struct worker_switch *ovs = calloc(1, sizeof(*ovs));
    int error;

    if (ovs == NULL) {
        return -ENOMEM;
    }
    worker->ovs = ovs;
    error = uv_fs_event_init(&worker->loop, &ovs->run_dir_event);
    if (error == 0) {
        error = uv_timer_init(&worker->loop, &ovs->reconnect_timer);
    }
    if (error < 0) {
        return error;
    }
    ovs->run_dir_event.data = worker;
    ovs->reconnect_timer.data = worker;
    ovs->reconnect_ms = RECONNECT_MIN_MS;
    return uv_timer_start(&ovs->reconnect_timer, on_reconnect, 0, 0);
}

void worker_switch_settle(struct worker *worker)
{
    if (worker->ovs->ofconn != NULL) {
        watch_want(worker->ovs->of_watch, ofconn_wants(worker->ovs->ofconn));
    }
    if (worker->ovs->ovsdb != NULL) {
        watch_want(worker->ovs->ovsdb_watch, ovsdb_wants(worker->ovs->ovsdb));
    }
}

void worker_switch_stop(struct worker *worker)
{
    of_lost(worker);
    ovsdb_lost(worker);
    uv_close((uv_handle_t *)&worker->ovs->run_dir_event, NULL);
    uv_close((uv_handle_t *)&worker->ovs->reconnect_timer, NULL);
}

void worker_switch_free(struct worker *worker)
{
    free(worker->ovs);
    worker->ovs = NULL;
}
