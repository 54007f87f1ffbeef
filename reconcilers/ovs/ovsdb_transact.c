/*
 * Adding, removing and renumbering a port: one transaction each, guarded by
 * "wait" operations against what others do at the same time, and finished when
 * ovs-vswitchd says by cur_cfg that it has applied it (as ovs-vsctl does).
 * Part of ovsdb.c.
 */
#include "reconcilers/ovs/ovsdb_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ovsdb_changes_free(struct ovsdb *ovsdb)
{
    while (ovsdb->changes != NULL) {
        struct ovsdb_change *change = ovsdb->changes;

        ovsdb->changes = change->next;
        free(change);
    }
}

uint64_t ovsdb_changes_deadline_ms(const struct ovsdb *ovsdb)
{
    uint64_t earliest = 0;

    for (const struct ovsdb_change *change = ovsdb->changes; change != NULL;
         change = change->next) {
        if (earliest == 0 || change->deadline_ms < earliest) {
            earliest = change->deadline_ms;
        }
    }
    return earliest;
}

/* Unlinks it and calls back. */
static void change_finish(struct ovsdb *ovsdb, struct ovsdb_change *change,
                          int error, const char *text)
{
    struct ovsdb_change **at = &ovsdb->changes;

    while (*at != change) {
        at = &(*at)->next;
    }
    *at = change->next;
    if (change->fn != NULL) {
        change->fn(error, text, change->data);
    }
    free(change);
}

void ovsdb_changes_fail(struct ovsdb *ovsdb, int error, const char *text)
{
    while (ovsdb->changes != NULL && !ovsdb->is_orphaned) {
        change_finish(ovsdb, ovsdb->changes, error, text);
    }
}

/* The interface's own error, when there is one: the row is in the database,
 * but ovs-vswitchd could not open the device. */
static void change_finish_applied(struct ovsdb *ovsdb,
                                  struct ovsdb_change *change)
{
    char text[192];

    for (size_t i = 0; change->is_add && i < ovsdb_n_ports(ovsdb); i++) {
        const struct ovsdb_port *port = ovsdb_port_at(ovsdb, i);

        if (strcmp(port->name, change->name) == 0 && port->error[0] != '\0') {
            (void)snprintf(text, sizeof(text), "port %s: %s", port->name,
                           port->error);
            change_finish(ovsdb, change, -ENODEV, text);
            return;
        }
    }
    change_finish(ovsdb, change, 0, "");
}

/* One that is over, or NULL. */
static struct ovsdb_change *changes_over(const struct ovsdb *ovsdb,
                                         bool *ret_is_applied)
{
    for (struct ovsdb_change *change = ovsdb->changes; change != NULL;
         change = change->next) {
        *ret_is_applied = change->is_committed &&
                          ovsdb_view_cur_cfg(ovsdb->view) >= change->next_cfg;
        if (*ret_is_applied || ovsdb->now_ms >= change->deadline_ms) {
            return change;
        }
    }
    return NULL;
}

void ovsdb_changes_validate(struct ovsdb *ovsdb)
{
    struct ovsdb_change *change;
    bool is_applied;

    while (!ovsdb->is_orphaned &&
           (change = changes_over(ovsdb, &is_applied)) != NULL) {
        if (is_applied) {
            change_finish_applied(ovsdb, change);
        } else {
            change_finish(ovsdb, change, -ETIMEDOUT,
                          "ovs-vswitchd did not apply the change within 5 s; "
                          "is it running?");
        }
    }
}

/* First error among the results of the operations, or NULL.  A result less
 * than operations, or null, is an operation not reached. */
static const json_t *first_error(const json_t *results)
{
    for (size_t i = 0; i < json_array_size(results); i++) {
        const json_t *result = json_array_get(results, i);

        if (json_is_string(json_object_get(result, "error"))) {
            return result;
        }
    }
    return NULL;
}

static void change_refused(struct ovsdb *ovsdb, struct ovsdb_change *change,
                           const json_t *result)
{
    const char *error = json_string_value(json_object_get(result, "error"));
    const char *details = json_string_value(json_object_get(result, "details"));
    char text[192];

    if (error != NULL && strcmp(error, "timed out") == 0) {
        /* A "wait" did not hold. */
        (void)snprintf(text, sizeof(text),
                       change->is_add
                           ? "port %s exists already, or bridge %s is gone"
                           : "port %s of bridge %s was changed by another",
                       change->name, ovsdb->bridge);
        change_finish(ovsdb, change, change->is_add ? -EEXIST : -EAGAIN, text);
        return;
    }
    (void)snprintf(text, sizeof(text), "database refused port %s: %s %s",
                   change->name, error != NULL ? error : "no answer",
                   details != NULL ? details : "");
    change_finish(ovsdb, change, -EBADMSG, text);
}

bool ovsdb_change_answer(struct ovsdb *ovsdb, json_int_t id,
                         const json_t *message)
{
    const json_t *results = json_object_get(message, "result");
    const json_t *error, *last, *row;
    struct ovsdb_change *change = ovsdb->changes;

    while (change != NULL && (change->id != id || change->is_committed)) {
        change = change->next;
    }
    if (change == NULL) {
        return false;
    }
    error = first_error(results);
    /* The last operation selected next_cfg. */
    last = json_array_get(results, json_array_size(results) == 0
                                       ? 0
                                       : json_array_size(results) - 1);
    row = json_array_get(json_object_get(last, "rows"), 0);
    if (error != NULL || !ovsdb_set_integer(json_object_get(row, "next_cfg"), 0,
                                            &change->next_cfg)) {
        change_refused(ovsdb, change, error);
        return true;
    }
    change->is_committed = true;
    return true;
}

/* Sends the operations (their reference is taken) and remembers the change. */
static int change_send(struct ovsdb *ovsdb, uint64_t now_ms, const char *name,
                       bool is_add, json_t *operations, ovsdb_done_fn fn,
                       void *data)
{
    _cleanup_(ovsdb_json_done) json_t *params = operations;
    struct ovsdb_change *change;
    int error;

    if (params == NULL) {
        return -ENOMEM;
    }
    change = calloc(1, sizeof(*change));
    if (change == NULL) {
        return -ENOMEM;
    }
    change->id = ovsdb->next_id++;
    change->is_add = is_add;
    change->fn = fn;
    change->data = data;
    change->deadline_ms = now_ms + OVSDB_APPLY_TIMEOUT_MS;
    memcpy(change->name, name, strlen(name) + 1);
    error = ovsdb_send(ovsdb, json_pack("{s:s, s:O, s:I}", "method", "transact",
                                        "params", params, "id", change->id));
    if (error != 0) {
        free(change);
        return error;
    }
    change->next = ovsdb->changes;
    ovsdb->changes = change;
    if (!ovsdb->is_running) {
        /* A dead socket is found, and told, by the next ovsdb_run. */
        (void)ovsdb_settle(ovsdb);
    }
    return 0;
}

/* Fails when `name` cannot be a port's, or when there is no view yet. */
static int change_validate(const struct ovsdb *ovsdb, const char *name)
{
    size_t len = strlen(name);

    if (ovsdb->error != 0 || ovsdb->monitor != OVSDB_MONITOR_RUNNING) {
        return -ENOTCONN;
    }
    return len == 0 || len >= sizeof(((struct ovsdb_change *)0)->name) ||
                   strcmp(name, ovsdb->bridge) == 0
               ? -EINVAL
               : 0;
}

int ovsdb_add_port(struct ovsdb *ovsdb, uint64_t now_ms, const char *name,
                   const char *owner, ovsdb_done_fn fn, void *data)
{
    struct ovsdb_uuid uuid;
    char present[OVSDB_OWNER_SIZE];
    json_t *operations;
    int error = change_validate(ovsdb, name);

    if (error != 0) {
        return error;
    }
    if (!ovsdb_view_has_bridge(ovsdb->view)) {
        return -ENOENT;
    }
    if (owner[0] == '\0' || strlen(owner) >= sizeof(present)) {
        return -EINVAL;
    }
    if (ovsdb_view_port_row(ovsdb->view, name, &uuid, present)) {
        return present[0] != '\0' ? -EALREADY : -EEXIST;
    }
    operations = json_pack(
        "[s,"
        "{s:s, s:s, s:i, s:[[s,s,s]], s:[s], s:s, s:[{s:s}]},"
        "{s:s, s:s, s:i, s:[[s,s,s]], s:[s], s:s, s:[]},"
        "{s:s, s:s, s:s, s:{s:s, s:[s,[[s,s]]]}},"
        "{s:s, s:s, s:s, s:{s:s, s:[s,s], s:[s,[[s,s]]]}},"
        "{s:s, s:s, s:[[s,s,s]], s:[[s,s,[s,[[s,s]]]]]},"
        "{s:s, s:s, s:[], s:[[s,s,i]]},"
        "{s:s, s:s, s:[], s:[s]}]",
        "Open_vSwitch",
        /* The bridge is there, and no port of that name anywhere. */
        "op", "wait", "table", "Bridge", "timeout", 0, "where", "name",
        "==", ovsdb->bridge, "columns", "name", "until", "==", "rows", "name",
        ovsdb->bridge, "op", "wait", "table", "Port", "timeout", 0, "where",
        "name", "==", name, "columns", "name", "until", "==", "rows",
        /* The rows. */
        "op", "insert", "table", "Interface", "uuid-name", "interface", "row",
        "name", name, "external_ids", "map", "socketnet", owner, "op", "insert",
        "table", "Port", "uuid-name", "port", "row", "name", name, "interfaces",
        "named-uuid", "interface", "external_ids", "map", "socketnet", owner,
        "op", "mutate", "table", "Bridge", "where", "name", "==", ovsdb->bridge,
        "mutations", "ports", "insert", "set", "named-uuid", "port",
        /* Ask ovs-vswitchd for a sign. */
        "op", "mutate", "table", "Open_vSwitch", "where", "mutations",
        "next_cfg", "+=", 1, "op", "select", "table", "Open_vSwitch", "where",
        "columns", "next_cfg");
    return change_send(ovsdb, now_ms, name, true, operations, fn, data);
}

int ovsdb_remove_port(struct ovsdb *ovsdb, uint64_t now_ms, const char *name,
                      ovsdb_done_fn fn, void *data)
{
    struct ovsdb_uuid uuid;
    char owner[OVSDB_OWNER_SIZE], text[37];
    json_t *operations;
    int error = change_validate(ovsdb, name);

    if (error != 0) {
        return error;
    }
    if (!ovsdb_view_port_row(ovsdb->view, name, &uuid, owner)) {
        return -ENOENT;
    }
    if (owner[0] == '\0') {
        return -EPERM;
    }
    ovsdb_uuid_text(&uuid, text);
    /* The Port row and its Interface go once nothing refers to them. */
    operations = json_pack(
        "[s,"
        "{s:s, s:s, s:i, s:[[s,s,[s,s]]], s:[s], s:s, s:[{s:s}]},"
        "{s:s, s:s, s:[[s,s,s]], s:[[s,s,[s,[[s,s]]]]]},"
        "{s:s, s:s, s:[], s:[[s,s,i]]},"
        "{s:s, s:s, s:[], s:[s]}]",
        "Open_vSwitch", "op", "wait", "table", "Port", "timeout", 0, "where",
        "_uuid", "==", "uuid", text, "columns", "name", "until", "==", "rows",
        "name", name, "op", "mutate", "table", "Bridge", "where", "name",
        "==", ovsdb->bridge, "mutations", "ports", "delete", "set", "uuid",
        text, "op", "mutate", "table", "Open_vSwitch", "where", "mutations",
        "next_cfg", "+=", 1, "op", "select", "table", "Open_vSwitch", "where",
        "columns", "next_cfg");
    return change_send(ovsdb, now_ms, name, false, operations, fn, data);
}

int ovsdb_request_number(struct ovsdb *ovsdb, uint64_t now_ms, const char *name,
                         uint16_t number, ovsdb_done_fn fn, void *data)
{
    struct ovsdb_uuid uuid;
    char owner[OVSDB_OWNER_SIZE];
    json_t *value;
    int error = change_validate(ovsdb, name);

    if (error != 0) {
        return error;
    }
    if (!ovsdb_view_port_row(ovsdb->view, name, &uuid, owner)) {
        return -ENOENT;
    }
    value = number != 0 ? json_integer(number) : json_pack("[s, []]", "set");
    /* An interface's name is unique in the database. */
    return change_send(
        ovsdb, now_ms, name, false,
        json_pack("[s,"
                  "{s:s, s:s, s:i, s:[[s,s,s]], s:[s], s:s, s:[{s:s}]},"
                  "{s:s, s:s, s:[[s,s,s]], s:{s:o}},"
                  "{s:s, s:s, s:[], s:[[s,s,i]]},"
                  "{s:s, s:s, s:[], s:[s]}]",
                  "Open_vSwitch", "op", "wait", "table", "Interface", "timeout",
                  0, "where", "name", "==", name, "columns", "name", "until",
                  "==", "rows", "name", name, "op", "update", "table",
                  "Interface", "where", "name", "==", name, "row",
                  "ofport_request", value, "op", "mutate", "table",
                  "Open_vSwitch", "where", "mutations", "next_cfg", "+=", 1,
                  "op", "select", "table", "Open_vSwitch", "where", "columns",
                  "next_cfg"),
        fn, data);
}
