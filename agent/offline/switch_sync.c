/*
 * A poll loop around one request at a time.
 */
#include "agent/offline/switch_sync.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "agent/config/config.h"
#include "agent/system/clock.h"

/* Longer than ovsdb.c waits for ovs-vswitchd, so that its words are heard. */
#define ANSWER_MS 6000

static void finish(struct switch_sync *sync, int error, const char *text)
{
    sync->is_waiting = false;
    sync->error = error;
    if (error != 0) {
        (void)snprintf(sync->text, sizeof(sync->text), "%s",
                       text != NULL && text[0] != '\0' ? text
                                                       : strerror(-error));
    }
}

static void on_closed(const char *why, void *data)
{
    finish(data, -ECONNRESET, why);
}

static void on_synced(void *data)
{
    finish(data, 0, NULL);
}

static void on_done(int error, const char *text, void *data)
{
    finish(data, error, text);
}

static void on_dumped(int error, struct ofconn_dump *dump, void *data)
{
    struct switch_sync *sync = data;

    if (error == 0) {
        sync->dump = *dump;
        *dump = (struct ofconn_dump){0};
    }
    finish(sync, error, "Open vSwitch did not tell its flows");
}

/* Runs both connections until `finish`. */
static int wait_answer(struct switch_sync *sync)
{
    uint64_t end = clock_now_ms() + ANSWER_MS;

    while (sync->is_waiting) {
        struct pollfd fds[2] = {{.fd = -1}, {.fd = -1}};
        uint64_t now = clock_now_ms();

        if (now >= end) {
            finish(sync, -ETIMEDOUT, "Open vSwitch does not answer");
            break;
        }
        if (sync->ovsdb != NULL) {
            fds[0].fd = ovsdb_fd(sync->ovsdb);
            fds[0].events = ovsdb_wants(sync->ovsdb);
        }
        if (sync->ofconn != NULL) {
            fds[1].fd = ofconn_fd(sync->ofconn);
            fds[1].events = ofconn_wants(sync->ofconn);
        }
        if (poll(fds, 2, (int)(end - now)) < 0 && errno != EINTR) {
            finish(sync, -errno, NULL);
            break;
        }
        if (fds[0].revents != 0 && ovsdb_run(sync->ovsdb, clock_now_ms()) < 0 &&
            sync->is_waiting) {
            finish(sync, -ECONNRESET, "ovsdb-server closed the connection");
        }
        if (fds[1].revents != 0 && ofconn_run(sync->ofconn) < 0 &&
            sync->is_waiting) {
            finish(sync, -ECONNRESET, "ovs-vswitchd closed the connection");
        }
    }
    return sync->error;
}

static int begin(struct switch_sync *sync, int error, const char *what)
{
    if (error != 0) {
        (void)snprintf(sync->text, sizeof(sync->text), "%s: %s", what,
                       strerror(-error));
        return error;
    }
    sync->is_waiting = true;
    return wait_answer(sync);
}

static int open_ovsdb(struct switch_sync *sync, const struct config *config)
{
    static const struct ovsdb_callbacks callbacks = {.synced = on_synced,
                                                     .closed = on_closed};
    char what[SWITCH_SYNC_TEXT_SIZE - 64];
    char path[PATH_MAX];
    int error;

    (void)snprintf(path, sizeof(path), "%s/db.sock", config->ovs_run_dir);
    (void)snprintf(what, sizeof(what), "cannot reach ovsdb-server at %.200s",
                   path);
    error = begin(
        sync, ovsdb_open(path, config->bridge, &callbacks, sync, &sync->ovsdb),
        what);
    if (error == 0 && !ovsdb_has_bridge(sync->ovsdb)) {
        (void)snprintf(sync->text, sizeof(sync->text), "no bridge %.60s",
                       config->bridge);
        return -ENODEV;
    }
    return error;
}

int switch_sync_open(struct switch_sync *sync, const struct config *config)
{
    static const struct ofconn_callbacks callbacks = {.closed = on_closed};
    char what[SWITCH_SYNC_TEXT_SIZE - 64];
    char path[PATH_MAX];
    int error = open_ovsdb(sync, config);

    if (error != 0) {
        return error;
    }
    (void)snprintf(path, sizeof(path), "%s/%s.mgmt", config->ovs_run_dir,
                   config->bridge);
    (void)snprintf(what, sizeof(what), "cannot reach ovs-vswitchd at %.200s",
                   path);
    error = ofconn_open(path, &callbacks, sync, &sync->ofconn);
    if (error == 0) {
        error = ofconn_dump(sync->ofconn, on_dumped, sync);
    }
    return begin(sync, error, what);
}

void switch_sync_close(struct switch_sync *sync)
{
    sync->ofconn = ofconn_close(sync->ofconn);
    sync->ovsdb = ovsdb_close(sync->ovsdb);
    ofconn_dump_done(&sync->dump);
}

int switch_sync_apply(struct switch_sync *sync, const struct diff *diff)
{
    return begin(sync, ofconn_apply(sync->ofconn, diff, on_done, sync),
                 "cannot ask for the changes");
}

int switch_sync_remove_port(struct switch_sync *sync, const char *name)
{
    return begin(
        sync,
        ovsdb_remove_port(sync->ovsdb, clock_now_ms(), name, on_done, sync),
        "cannot remove the port");
}

const struct ovsdb_port *switch_sync_find_port(const struct switch_sync *sync,
                                               const char *name)
{
    for (size_t i = 0; i < ovsdb_n_ports(sync->ovsdb); i++) {
        const struct ovsdb_port *port = ovsdb_port_at(sync->ovsdb, i);

        if (strcmp(port->name, name) == 0) {
            return port;
        }
    }
    return NULL;
}
