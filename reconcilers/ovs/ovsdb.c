/*
 * The OVSDB client: socket, dispatch of JSON-RPC (RFC 7047, 4), the monitor
 * and time-outs.  Rows are ovsdb_view.c's, changes ovsdb_transact.c's.
 *
 * The owner polls one descriptor: an epoll over the socket and a timer, so
 * that a change which ovs-vswitchd never applies ends without its help.
 */
#include "reconcilers/ovs/ovsdb.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "reconcilers/ovs/ovsdb_private.h"

#define OVSDB_READS_PER_RUN 64
#define OVSDB_MONITOR_ID    0 /* request ids; transactions count on */
#define OVSDB_FALLBACK_ID   1

int ovsdb_fail(struct ovsdb *ovsdb, int error, const char *why)
{
    if (ovsdb->why[0] == '\0') {
        (void)snprintf(ovsdb->why, sizeof(ovsdb->why), "%s", why);
    }
    return error;
}

int ovsdb_send(struct ovsdb *ovsdb, json_t *message)
{
    /* Not json_dumps: jansson 2.14 leaves out a key for which it has no
     * memory, and a transaction without a condition is another one.  This
     * needs none for the text: it counts first. */
    size_t size = json_dumpb(message, NULL, 0, JSON_COMPACT);
    char *text = size > 0 ? malloc(size) : NULL;
    int error = -ENOMEM;

    if (text != NULL && json_dumpb(message, text, size, JSON_COMPACT) == size) {
        error = channel_send(&ovsdb->channel, text, size);
    }
    free(text);
    json_decref(message);
    return error;
}

/* The columns we follow, as both kinds of monitor take them.  Bridge rows of
 * other names are of no interest; "monitor" cannot leave them out. */
static json_t *monitor_tables(const struct ovsdb *ovsdb, bool is_conditional)
{
    json_t *tables =
        json_pack("{s:[{s:[s]}], s:[{s:[s,s]}], s:[{s:[s,s,s]}], "
                  "s:[{s:[s,s,s,s,s]}]}",
                  "Open_vSwitch", "columns", "cur_cfg", "Bridge", "columns",
                  "name", "ports", "Port", "columns", "name", "interfaces",
                  "external_ids", "Interface", "columns", "name", "ofport",
                  "ofport_request", "ifindex", "error", "type");
    json_t *where;

    if (tables != NULL && is_conditional) {
        where = json_pack("[[s,s,s]]", "name", "==", ovsdb->bridge);
        if (json_object_set_new(
                json_array_get(json_object_get(tables, "Bridge"), 0), "where",
                where) != 0) {
            json_decref(tables);
            return NULL;
        }
    }
    return tables;
}

static int monitor_ask(struct ovsdb *ovsdb)
{
    json_t *tables = monitor_tables(ovsdb, true);

    if (tables == NULL) {
        return -ENOMEM;
    }
    ovsdb->monitor = OVSDB_MONITOR_ASKED;
    /* A transaction id that no server has: we keep nothing between
     * connections, so the first answer is the whole view. */
    return ovsdb_send(ovsdb, json_pack("{s:s, s:[s,s,o,s], s:i}", "method",
                                       "monitor_cond_since", "params",
                                       "Open_vSwitch", "socketnet", tables,
                                       "00000000-0000-0000-0000-000000000000",
                                       "id", OVSDB_MONITOR_ID));
}

/* Servers before 2.12 do not know monitor_cond_since. */
static int monitor_ask_fallback(struct ovsdb *ovsdb)
{
    json_t *tables = monitor_tables(ovsdb, false);

    if (tables == NULL) {
        return -ENOMEM;
    }
    ovsdb->monitor = OVSDB_MONITOR_FALLBACK;
    return ovsdb_send(ovsdb,
                      json_pack("{s:s, s:[s,s,o], s:i}", "method", "monitor",
                                "params", "Open_vSwitch", "socketnet", tables,
                                "id", OVSDB_FALLBACK_ID));
}

static int view_apply(struct ovsdb *ovsdb, const json_t *tables)
{
    int error = ovsdb_view_update(ovsdb->view, tables, ovsdb->is_diff);
    bool is_changed = false;

    if (error == 0) {
        error = ovsdb_view_refresh(ovsdb->view, &is_changed);
    }
    if (error == -EBADMSG) {
        return ovsdb_fail(ovsdb, error, "update that does not fit the view");
    }
    if (error != 0) {
        return error;
    }
    if (ovsdb->monitor != OVSDB_MONITOR_RUNNING) {
        ovsdb->monitor = OVSDB_MONITOR_RUNNING;
        if (ovsdb->callbacks.synced != NULL) {
            ovsdb->callbacks.synced(ovsdb->data);
        }
    } else if (is_changed && ovsdb->callbacks.changed != NULL) {
        ovsdb->callbacks.changed(ovsdb->data);
    }
    return 0;
}

static int receive_answer(struct ovsdb *ovsdb, const json_t *message)
{
    const json_t *id = json_object_get(message, "id");
    const json_t *result = json_object_get(message, "result");
    bool is_error = json_object_get(message, "error") != NULL &&
                    !json_is_null(json_object_get(message, "error"));

    if (!json_is_integer(id)) {
        return 0;
    }
    if (json_integer_value(id) == OVSDB_MONITOR_ID &&
        ovsdb->monitor == OVSDB_MONITOR_ASKED) {
        if (is_error) {
            return monitor_ask_fallback(ovsdb);
        }
        ovsdb->is_diff = true;
        return view_apply(ovsdb, json_array_get(result, 2));
    }
    if (json_integer_value(id) == OVSDB_FALLBACK_ID &&
        ovsdb->monitor == OVSDB_MONITOR_FALLBACK) {
        return is_error ? ovsdb_fail(ovsdb, -EPROTO,
                                     "the database cannot be monitored")
                        : view_apply(ovsdb, result);
    }
    (void)ovsdb_change_answer(ovsdb, json_integer_value(id), message);
    return 0;
}

static int receive_request(struct ovsdb *ovsdb, const char *method,
                           const json_t *message)
{
    json_t *params = json_object_get(message, "params");
    json_t *id = json_object_get(message, "id");

    if (strcmp(method, "echo") == 0 && id != NULL && params != NULL) {
        return ovsdb_send(ovsdb, json_pack("{s:O, s:n, s:O}", "result", params,
                                           "error", "id", id));
    }
    if (ovsdb->monitor != OVSDB_MONITOR_RUNNING) {
        return 0;
    }
    if (ovsdb->is_diff && strcmp(method, "update3") == 0) {
        return view_apply(ovsdb, json_array_get(params, 2));
    }
    if (!ovsdb->is_diff && strcmp(method, "update") == 0) {
        return view_apply(ovsdb, json_array_get(params, 1));
    }
    if (strcmp(method, "monitor_canceled") == 0) {
        return ovsdb_fail(ovsdb, -ECONNRESET,
                          "the database was taken away or converted");
    }
    return 0;
}

static int receive_text(struct ovsdb *ovsdb, const char *text, size_t size)
{
    _cleanup_(ovsdb_json_done) json_t *message = NULL;
    json_error_t json_error;
    const char *method;

    message = json_loadb(text, size, JSON_REJECT_DUPLICATES, &json_error);
    if (!json_is_object(message)) {
        return ovsdb_fail(ovsdb, -EBADMSG, "malformed JSON from the database");
    }
    method = json_string_value(json_object_get(message, "method"));
    return method != NULL ? receive_request(ovsdb, method, message)
                          : receive_answer(ovsdb, message);
}

static int ovsdb_process(struct ovsdb *ovsdb)
{
    struct channel_buffer *in = &ovsdb->channel.in;

    while (!ovsdb->is_orphaned) {
        const uint8_t *bytes = in->bytes + in->head;
        size_t size;
        int error = ovsdb_scanner_run(&ovsdb->scanner, bytes, in->size, &size);

        if (error == OVSDB_JSON_E_AGAIN) {
            return 0;
        }
        if (error != 0) {
            return ovsdb_fail(ovsdb, -EBADMSG,
                              "malformed JSON from the database");
        }
        error = receive_text(ovsdb, (const char *)bytes, size);
        if (error != 0) {
            return error;
        }
        channel_buffer_consume(in, size);
        if (!ovsdb->is_orphaned) {
            ovsdb_changes_validate(ovsdb);
        }
    }
    return 0;
}

int ovsdb_feed(struct ovsdb *ovsdb, const uint8_t *bytes, size_t size)
{
    int error;

    if (size > OVSDB_MESSAGE_MAX - ovsdb->channel.in.size) {
        return -EOVERFLOW;
    }
    error = channel_buffer_append(&ovsdb->channel.in, bytes, size);
    return error != 0 ? error : ovsdb_process(ovsdb);
}

static int ovsdb_exchange(struct ovsdb *ovsdb)
{
    for (size_t i = 0; i < OVSDB_READS_PER_RUN && !ovsdb->is_orphaned; i++) {
        int error = channel_write(&ovsdb->channel);

        if (error == 0) {
            error = channel_read(&ovsdb->channel, OVSDB_MESSAGE_MAX);
        }
        if (error == CHANNEL_E_AGAIN) {
            break;
        }
        if (error == 0) {
            error = ovsdb_process(ovsdb);
        }
        if (error != 0) {
            return error;
        }
    }
    return 0;
}

int ovsdb_settle(struct ovsdb *ovsdb)
{
    uint64_t deadline_ms = ovsdb_changes_deadline_ms(ovsdb);
    struct itimerspec timer = {
        .it_value = {.tv_sec = (time_t)(deadline_ms / 1000),
                     .tv_nsec = (long)(deadline_ms % 1000) * 1000000}};
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = 0};
    int error;

    if (ovsdb->channel.fd < 0) {
        return 0; /* fed by hand */
    }
    error = channel_write(&ovsdb->channel);
    if (error != 0) {
        return error;
    }
    if (ovsdb->channel.out.size > 0) {
        event.events = EPOLLIN | EPOLLOUT;
    }
    if (timerfd_settime(ovsdb->timer_fd, TFD_TIMER_ABSTIME, &timer, NULL) < 0 ||
        epoll_ctl(ovsdb->poll_fd, EPOLL_CTL_MOD, ovsdb->channel.fd, &event) <
            0) {
        return -errno;
    }
    return 0;
}

static void ovsdb_free(struct ovsdb *ovsdb)
{
    ovsdb_changes_free(ovsdb);
    (void)ovsdb_view_free(ovsdb->view);
    channel_done(&ovsdb->channel);
    if (ovsdb->timer_fd >= 0) {
        (void)close(ovsdb->timer_fd); /* nothing was written to it */
    }
    if (ovsdb->poll_fd >= 0) {
        (void)close(ovsdb->poll_fd);
    }
    free(ovsdb);
}

/* Tells the owner, once. */
static void ovsdb_end(struct ovsdb *ovsdb, int error)
{
    ovsdb->error = error;
    if (ovsdb->why[0] == '\0') {
        (void)snprintf(ovsdb->why, sizeof(ovsdb->why), "%s",
                       error == -ECONNRESET
                           ? "ovsdb-server closed the connection"
                           : strerror(-error));
    }
    ovsdb_changes_fail(ovsdb, -ECONNRESET, ovsdb->why);
    if (!ovsdb->is_orphaned && ovsdb->callbacks.closed != NULL) {
        ovsdb->callbacks.closed(ovsdb->why, ovsdb->data);
    }
}

int ovsdb_run(struct ovsdb *ovsdb, uint64_t now_ms)
{
    uint64_t expirations;
    int error;

    assert(!ovsdb->is_running);
    if (ovsdb->error != 0) {
        return ovsdb->error;
    }
    ovsdb->is_running = true;
    ovsdb->now_ms = now_ms;
    /* Only to make it unreadable; the deadlines are looked at anyway. */
    (void)!read(ovsdb->timer_fd, &expirations, sizeof(expirations));
    error = ovsdb_exchange(ovsdb);
    if (error == 0 && !ovsdb->is_orphaned) {
        ovsdb_changes_validate(ovsdb);
    }
    if (error == 0 && !ovsdb->is_orphaned) {
        error = ovsdb_settle(ovsdb);
    }
    if (error != 0 && !ovsdb->is_orphaned) {
        ovsdb_end(ovsdb, error);
    }
    ovsdb->is_running = false;
    if (ovsdb->is_orphaned) {
        ovsdb_free(ovsdb);
        return -ECANCELED;
    }
    return error;
}

int ovsdb_new(const char *bridge, const struct ovsdb_callbacks *callbacks,
              void *data, struct ovsdb **ret)
{
    struct ovsdb *ovsdb;
    int error;

    if (strlen(bridge) >= sizeof(ovsdb->bridge)) {
        return -EINVAL;
    }
    ovsdb = calloc(1, sizeof(*ovsdb));
    if (ovsdb == NULL) {
        return -ENOMEM;
    }
    ovsdb->channel = (struct channel)CHANNEL_INIT;
    ovsdb->poll_fd = -1;
    ovsdb->timer_fd = -1;
    ovsdb->callbacks = *callbacks;
    ovsdb->data = data;
    ovsdb->next_id = OVSDB_FALLBACK_ID + 1;
    (void)snprintf(ovsdb->bridge, sizeof(ovsdb->bridge), "%s", bridge);
    error = ovsdb_view_new(bridge, &ovsdb->view);
    if (error == 0) {
        error = monitor_ask(ovsdb);
    }
    if (error != 0) {
        ovsdb_free(ovsdb);
        return error;
    }
    *ret = ovsdb;
    return 0;
}

/* Socket, timer, and the epoll over both. */
static int ovsdb_connect(struct ovsdb *ovsdb, const char *path)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = 0};
    int error = channel_connect(&ovsdb->channel, path);

    if (error != 0) {
        return error;
    }
    ovsdb->timer_fd =
        timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (ovsdb->timer_fd < 0) {
        return -errno;
    }
    ovsdb->poll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (ovsdb->poll_fd < 0 ||
        epoll_ctl(ovsdb->poll_fd, EPOLL_CTL_ADD, ovsdb->channel.fd, &event) <
            0 ||
        epoll_ctl(ovsdb->poll_fd, EPOLL_CTL_ADD, ovsdb->timer_fd, &event) < 0) {
        return -errno;
    }
    return ovsdb_settle(ovsdb);
}

int ovsdb_open(const char *path, const char *bridge,
               const struct ovsdb_callbacks *callbacks, void *data,
               struct ovsdb **ret)
{
    struct ovsdb *ovsdb;
    int error = ovsdb_new(bridge, callbacks, data, &ovsdb);

    if (error != 0) {
        return error;
    }
    error = ovsdb_connect(ovsdb, path);
    if (error != 0) {
        ovsdb_free(ovsdb);
        return error;
    }
    *ret = ovsdb;
    return 0;
}

struct ovsdb *ovsdb_close(struct ovsdb *ovsdb)
{
    if (ovsdb == NULL) {
        return NULL;
    }
    if (ovsdb->is_running) {
        ovsdb->is_orphaned = true;
    } else {
        ovsdb_free(ovsdb);
    }
    return NULL;
}

int ovsdb_fd(const struct ovsdb *ovsdb)
{
    return ovsdb->poll_fd;
}

short ovsdb_wants(const struct ovsdb *ovsdb)
{
    (void)ovsdb; /* the inner epoll knows when there is something to write */
    return POLLIN;
}

bool ovsdb_has_bridge(const struct ovsdb *ovsdb)
{
    return ovsdb_view_has_bridge(ovsdb->view);
}

size_t ovsdb_n_ports(const struct ovsdb *ovsdb)
{
    return ovsdb_view_n_ports(ovsdb->view);
}

const struct ovsdb_port *ovsdb_port_at(const struct ovsdb *ovsdb, size_t index)
{
    return ovsdb_view_port_at(ovsdb->view, index);
}
