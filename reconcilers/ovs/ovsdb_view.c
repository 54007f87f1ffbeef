/*
 * What the database says of one bridge: rows of Bridge, Port, Interface and
 * Open_vSwitch kept as they are monitored, and the bridge's ports made from
 * them.  Part of ovsdb.c.
 *
 * With monitor_cond_since a "modify" holds differences (ovsdb-server(7),
 * "Monitor_Cond"): the new value for columns of at most one element, the
 * symmetric difference for sets and maps.
 */
#include "reconcilers/ovs/ovsdb_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Out of memory is an error here, not an exit. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct uuid_set {
    struct ovsdb_uuid *uuids;
    size_t n;
};

/* One row of any of the three tables; each uses the fields of its own. */
struct row {
    struct ovsdb_uuid uuid; /* key */
    char name[128];
    struct uuid_set members; /* Bridge: ports; Port: interfaces */
    char owner[OVSDB_OWNER_SIZE];
    bool has_owner;
    int64_t ofport;
    int64_t request;
    int64_t ifindex;
    /* ovs-vswitchd writes the index of whatever has the name now, also when
     * that is another device than it opened: so the first one counts, as long
     * as the port keeps its number. */
    int64_t opened_ofport;
    int64_t opened_ifindex;
    char error[128];
    char type[16]; /* of an interface; "" and "system" are one */
    UT_hash_handle hh;
};

struct ovsdb_view {
    char bridge[64];
    struct row *bridges; /* hashes by uuid */
    struct row *ports;
    struct row *interfaces;
    int64_t cur_cfg;
    bool had_bridge; /* at the last refresh */
    struct ovsdb_port *list;
    size_t n_list;
};

enum update_kind {
    UPDATE_WHOLE, /* the row has all columns that are not at their default */
    UPDATE_DIFF,
    UPDATE_DELETE,
};

static struct row *row_free(struct row *row)
{
    free(row->members.uuids);
    free(row);
    return NULL;
}

static struct row *row_find(struct row *rows, const struct ovsdb_uuid *uuid)
{
    struct row *row = NULL;

    HASH_FIND(hh, rows, uuid, sizeof(*uuid), row);
    return row;
}

static void rows_free(struct row **rows)
{
    struct row *row, *next;

    HASH_ITER (hh, *rows, row, next) {
        HASH_DEL(*rows, row);
        (void)row_free(row);
    }
}

int ovsdb_view_new(const char *bridge, struct ovsdb_view **ret)
{
    struct ovsdb_view *view = calloc(1, sizeof(*view));

    if (view == NULL) {
        return -ENOMEM;
    }
    (void)snprintf(view->bridge, sizeof(view->bridge), "%s", bridge);
    *ret = view;
    return 0;
}

struct ovsdb_view *ovsdb_view_free(struct ovsdb_view *view)
{
    if (view != NULL) {
        rows_free(&view->bridges);
        rows_free(&view->ports);
        rows_free(&view->interfaces);
        free(view->list);
        free(view);
    }
    return NULL;
}

/* Adds the uuid when it is not in the set, else removes it. */
static int set_toggle(struct uuid_set *set, const struct ovsdb_uuid *uuid)
{
    struct ovsdb_uuid *grown;

    for (size_t i = 0; i < set->n; i++) {
        if (memcmp(&set->uuids[i], uuid, sizeof(*uuid)) == 0) {
            set->uuids[i] = set->uuids[--set->n];
            return 0;
        }
    }
    grown = reallocarray(set->uuids, set->n + 1, sizeof(*grown));
    if (grown == NULL) {
        return -ENOMEM;
    }
    set->uuids = grown;
    set->uuids[set->n++] = *uuid;
    return 0;
}

static int row_set_members(struct row *row, const json_t *value, bool is_diff)
{
    size_t n = ovsdb_set_size(value);

    if (!is_diff) {
        row->members.n = 0;
    }
    for (size_t i = 0; i < n; i++) {
        struct ovsdb_uuid uuid;
        int error;

        if (!ovsdb_set_uuid(value, i, &uuid)) {
            return -EBADMSG;
        }
        error = set_toggle(&row->members, &uuid);
        if (error != 0) {
            return error;
        }
    }
    return 0;
}

/* external_ids:socketnet.  In a difference, a pair that we hold already with
 * the same value is one that was taken away. */
static void row_set_owner(struct row *row, const json_t *value, bool is_diff)
{
    const char *owner = ovsdb_map_string(value, "socketnet");

    if (is_diff) {
        if (owner == NULL) {
            return;
        }
        if (row->has_owner && strcmp(row->owner, owner) == 0) {
            owner = NULL;
        }
    }
    row->has_owner = owner != NULL;
    (void)snprintf(row->owner, sizeof(row->owner), "%s",
                   owner != NULL ? owner : "");
}

static void row_set_text(char *text, size_t size, const json_t *value)
{
    const char *string = ovsdb_set_string(value, 0);

    (void)snprintf(text, size, "%s", string != NULL ? string : "");
}

static void row_set_integer(int64_t *to, const json_t *value)
{
    int64_t integer = 0;

    (void)ovsdb_set_integer(value, 0, &integer); /* the empty set is 0 */
    *to = integer;
}

static int row_set_columns(struct row *row, const json_t *columns, bool is_diff)
{
    const char *key;
    const json_t *value;

    if (!json_is_object(columns)) {
        return -EBADMSG;
    }
    /* The macro wants a non-const object, and does not change it. */
    for (void *at = json_object_iter((json_t *)(uintptr_t)columns); at != NULL;
         at = json_object_iter_next((json_t *)(uintptr_t)columns, at)) {
        int error = 0;

        key = json_object_iter_key(at);
        value = json_object_iter_value(at);
        if (strcmp(key, "name") == 0) {
            row_set_text(row->name, sizeof(row->name), value);
        } else if (strcmp(key, "ports") == 0 ||
                   strcmp(key, "interfaces") == 0) {
            error = row_set_members(row, value, is_diff);
        } else if (strcmp(key, "external_ids") == 0) {
            row_set_owner(row, value, is_diff);
        } else if (strcmp(key, "ofport") == 0) {
            row_set_integer(&row->ofport, value);
        } else if (strcmp(key, "ofport_request") == 0) {
            row_set_integer(&row->request, value);
        } else if (strcmp(key, "ifindex") == 0) {
            row_set_integer(&row->ifindex, value);
        } else if (strcmp(key, "error") == 0) {
            row_set_text(row->error, sizeof(row->error), value);
        } else if (strcmp(key, "type") == 0) {
            row_set_text(row->type, sizeof(row->type), value);
        }
        if (error != 0) {
            return error;
        }
    }
    return 0;
}

static void row_note_opened(struct row *row)
{
    if (row->ofport != row->opened_ofport) {
        row->opened_ofport = row->ofport;
        row->opened_ifindex = 0;
    }
    if (row->ofport > 0 && row->opened_ifindex == 0) {
        row->opened_ifindex = row->ifindex;
    }
}

/* A row of default values in the place of what was there. */
static int rows_reset(struct row **rows, const struct ovsdb_uuid *uuid,
                      struct row **ret)
{
    struct row *row = row_find(*rows, uuid);
    struct row opened = {0};

    if (row != NULL) {
        opened = *row;
        HASH_DEL(*rows, row);
        (void)row_free(row);
    }
    row = calloc(1, sizeof(*row));
    if (row == NULL) {
        return -ENOMEM;
    }
    row->uuid = *uuid;
    row->opened_ofport = opened.opened_ofport;
    row->opened_ifindex = opened.opened_ifindex;
    HASH_ADD(hh, *rows, uuid, sizeof(row->uuid), row);
    if (row->hh.tbl == NULL) {
        (void)row_free(row);
        return -ENOMEM;
    }
    *ret = row;
    return 0;
}

static int rows_update(struct row **rows, const struct ovsdb_uuid *uuid,
                       enum update_kind kind, const json_t *columns)
{
    struct row *row = row_find(*rows, uuid);
    int error = 0;

    if (kind == UPDATE_DELETE) {
        if (row != NULL) {
            HASH_DEL(*rows, row);
            (void)row_free(row);
        }
        return 0;
    }
    if (kind == UPDATE_WHOLE) {
        error = rows_reset(rows, uuid, &row);
    } else if (row == NULL) {
        error = -EBADMSG; /* a change of what we never saw */
    }
    if (error == 0) {
        error = row_set_columns(row, columns, kind == UPDATE_DIFF);
    }
    if (error == 0) {
        row_note_opened(row);
    }
    return error;
}

/* Which kind of update a row update is, and its columns. */
static enum update_kind update_kind(const json_t *update, bool is_diff,
                                    const json_t **ret_columns)
{
    const char *whole[] = {"initial", "insert"};

    if (!is_diff) {
        *ret_columns = json_object_get(update, "new");
        return json_is_object(*ret_columns) ? UPDATE_WHOLE : UPDATE_DELETE;
    }
    for (size_t i = 0; i < ARRAY_SIZE(whole); i++) {
        *ret_columns = json_object_get(update, whole[i]);
        if (*ret_columns != NULL) {
            return UPDATE_WHOLE;
        }
    }
    *ret_columns = json_object_get(update, "modify");
    return *ret_columns != NULL ? UPDATE_DIFF : UPDATE_DELETE;
}

static int view_update_table(struct ovsdb_view *view, const char *name,
                             json_t *table, bool is_diff)
{
    struct row **rows = NULL;
    const char *key;
    json_t *update;

    if (strcmp(name, "Bridge") == 0) {
        rows = &view->bridges;
    } else if (strcmp(name, "Port") == 0) {
        rows = &view->ports;
    } else if (strcmp(name, "Interface") == 0) {
        rows = &view->interfaces;
    }
    json_object_foreach (table, key, update) {
        struct ovsdb_uuid uuid;
        const json_t *columns, *cur_cfg;
        enum update_kind kind = update_kind(update, is_diff, &columns);
        int error;

        if (rows == NULL) {
            /* The one row of Open_vSwitch; one number matters. */
            cur_cfg = json_object_get(columns, "cur_cfg");
            if (cur_cfg != NULL) {
                row_set_integer(&view->cur_cfg, cur_cfg);
            }
            continue;
        }
        if (!ovsdb_uuid_parse(key, &uuid)) {
            return -EBADMSG;
        }
        error = rows_update(rows, &uuid, kind, columns);
        if (error != 0) {
            return error;
        }
    }
    return 0;
}

int ovsdb_view_update(struct ovsdb_view *view, const json_t *tables,
                      bool is_diff)
{
    static const char *const names[] = {"Open_vSwitch", "Bridge", "Port",
                                        "Interface"};

    if (!json_is_object(tables)) {
        return -EBADMSG;
    }
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        json_t *table = json_object_get(tables, names[i]);
        int error = table == NULL
                        ? 0
                        : view_update_table(view, names[i], table, is_diff);

        if (error != 0) {
            return error;
        }
    }
    return 0;
}

static struct row *view_bridge(const struct ovsdb_view *view)
{
    struct row *row, *next;

    HASH_ITER (hh, view->bridges, row, next) {
        if (strcmp(row->name, view->bridge) == 0) {
            return row;
        }
    }
    return NULL;
}

static int port_compare(const void *a, const void *b)
{
    const struct ovsdb_port *left = a, *right = b;

    return strcmp(left->name, right->name);
}

/* Appends the interfaces of one port.  Names that no kernel device can have
 * (patch and tunnel ports of others) are left out: nothing can ask for them.
 * So is the bridge's own port, which OpenFlow calls LOCAL. */
static void list_add(const struct ovsdb_view *view, const struct row *port,
                     struct ovsdb_port *list, size_t size, size_t *n)
{
    for (size_t i = 0; i < port->members.n && *n < size; i++) {
        const struct row *interface =
            row_find(view->interfaces, &port->members.uuids[i]);
        struct ovsdb_port *entry = &list[*n];
        size_t len;

        if (interface == NULL || strcmp(interface->name, view->bridge) == 0) {
            continue;
        }
        len = strlen(interface->name);
        if (len == 0 || len >= sizeof(entry->name)) {
            continue;
        }
        /* Field by field into zeroed memory: lists are compared as bytes. */
        memcpy(entry->name, interface->name, len);
        memcpy(entry->error, interface->error, strlen(interface->error));
        entry->ofport = interface->ofport;
        entry->request = interface->request;
        entry->ifindex = interface->opened_ifindex;
        entry->device_ifindex = interface->ifindex;
        entry->is_ours = port->has_owner;
        entry->is_device = interface->type[0] == '\0' ||
                           strcmp(interface->type, "system") == 0;
        (*n)++;
    }
}

int ovsdb_view_refresh(struct ovsdb_view *view, bool *ret_is_changed)
{
    const struct row *bridge = view_bridge(view);
    size_t n = 0, n_interfaces = HASH_COUNT(view->interfaces);
    struct ovsdb_port *list = calloc(n_interfaces + 1, sizeof(*list));

    if (list == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; bridge != NULL && i < bridge->members.n; i++) {
        const struct row *port =
            row_find(view->ports, &bridge->members.uuids[i]);

        if (port != NULL) {
            list_add(view, port, list, n_interfaces, &n);
        }
    }
    qsort(list, n, sizeof(*list), port_compare);
    *ret_is_changed =
        view->had_bridge != (bridge != NULL) || n != view->n_list ||
        (n > 0 && memcmp(list, view->list, n * sizeof(*list)) != 0);
    free(view->list);
    view->list = list;
    view->n_list = n;
    view->had_bridge = bridge != NULL;
    return 0;
}

bool ovsdb_view_has_bridge(const struct ovsdb_view *view)
{
    return view->had_bridge;
}

int64_t ovsdb_view_cur_cfg(const struct ovsdb_view *view)
{
    return view->cur_cfg;
}

size_t ovsdb_view_n_ports(const struct ovsdb_view *view)
{
    return view->n_list;
}

const struct ovsdb_port *ovsdb_view_port_at(const struct ovsdb_view *view,
                                            size_t index)
{
    return &view->list[index];
}

bool ovsdb_view_port_row(const struct ovsdb_view *view, const char *name,
                         struct ovsdb_uuid *ret_uuid,
                         char ret_owner[OVSDB_OWNER_SIZE])
{
    const struct row *bridge = view_bridge(view);

    for (size_t i = 0; bridge != NULL && i < bridge->members.n; i++) {
        const struct row *port =
            row_find(view->ports, &bridge->members.uuids[i]);

        if (port != NULL && strcmp(port->name, name) == 0) {
            *ret_uuid = port->uuid;
            memcpy(ret_owner, port->owner, OVSDB_OWNER_SIZE);
            return true;
        }
    }
    return false;
}
