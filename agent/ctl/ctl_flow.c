/*
 * agentctl flow ls, flow diff and port ls.
 */
#include "agent/ctl/ctl_internal.h"

#include <string.h>

static void add_text(struct ctl_table *table, const json_t *root,
                     const char *key)
{
    ctl_table_add(table, CTL_COLOR_NONE, "%s", ctl_text(root, key));
}

static void add_number(struct ctl_table *table, const json_t *root,
                       const char *key)
{
    ctl_table_add(table, CTL_COLOR_NONE, "%" JSON_INTEGER_FORMAT,
                  ctl_number(root, key));
}

static int print_flows(const struct ctl *ctl, const json_t *flows)
{
    static const char *const heads[] = {"TABLE", "PRIO",    "PACKETS", "FOR",
                                        "MATCH", "ACTIONS", NULL};
    struct ctl_table *table;
    json_t *flow;
    size_t i;

    if (ctl_table_new(heads, &table) != 0) {
        return CTL_EXIT_FAILED;
    }
    json_array_foreach (flows, i, flow) {
        add_number(table, flow, "table");
        add_number(table, flow, "priority");
        add_number(table, flow, "packets");
        add_text(table, flow, "for");
        add_text(table, flow, "match");
        add_text(table, flow, "actions");
    }
    return ctl_print_table(ctl, table);
}

static int print_groups(const struct ctl *ctl, const json_t *groups)
{
    static const char *const heads[] = {"GROUP", "BUCKETS", "FOR", "TEXT",
                                        NULL};
    struct ctl_table *table;
    json_t *group;
    size_t i;

    if (json_array_size(groups) == 0) {
        return CTL_EXIT_OK;
    }
    if (ctl_table_new(heads, &table) != 0) {
        return CTL_EXIT_FAILED;
    }
    (void)putchar('\n');
    json_array_foreach (groups, i, group) {
        add_number(table, group, "id");
        add_number(table, group, "n_buckets");
        add_text(table, group, "for");
        add_text(table, group, "text");
    }
    return ctl_print_table(ctl, table);
}

int ctl_flow_ls(struct ctl *ctl)
{
    json_auto_t *root = NULL;
    const json_t *foreign;
    int status = ctl_get(ctl, CTL_API "flows", &root);

    if (status != 0 || ctl_print_json(ctl, root, "flows")) {
        return status;
    }
    status = print_flows(ctl, json_object_get(root, "flows"));
    if (status == 0) {
        status = print_groups(ctl, json_object_get(root, "groups"));
    }
    foreign = json_object_get(root, "foreign");
    if (!ctl->is_quiet) {
        (void)fflush(stdout); /* the table first, also where both go one way */
        (void)fprintf(stderr,
                      "%zu flows and %zu groups of ours on %s; "
                      "%" JSON_INTEGER_FORMAT " and %" JSON_INTEGER_FORMAT
                      " of others, never touched\n",
                      json_array_size(json_object_get(root, "flows")),
                      json_array_size(json_object_get(root, "groups")),
                      ctl_text(root, "bridge"), ctl_number(foreign, "flows"),
                      ctl_number(foreign, "groups"));
    }
    return status;
}

static enum ctl_color op_color(const char *op)
{
    return strcmp(op, "add") == 0      ? CTL_COLOR_GOOD
           : strcmp(op, "remove") == 0 ? CTL_COLOR_BAD
                                       : CTL_COLOR_WARN;
}

static void add_changes(struct ctl_table *table, const json_t *changes)
{
    json_t *change;
    size_t i;

    json_array_foreach (changes, i, change) {
        const char *op = ctl_text(change, "op");

        ctl_table_add(table, op_color(op), "%s", op);
        add_text(table, change, "what");
        add_text(table, change, "for");
        add_text(table, change, "text");
    }
}

int ctl_flow_diff(struct ctl *ctl)
{
    static const char *const heads[] = {"OP", "WHAT", "FOR", "TEXT", NULL};
    json_auto_t *root = NULL;
    const json_t *changes;
    const json_t *conflicts;
    struct ctl_table *table;
    json_t *item;
    bool is_empty;
    size_t i;
    int status = ctl_get(ctl, CTL_API "flows/diff", &root);

    if (status != 0) {
        return status;
    }
    changes = json_object_get(root, "changes");
    conflicts = json_object_get(root, "conflicts");
    is_empty = json_array_size(changes) + json_array_size(conflicts) == 0;
    if (!ctl_print_json(ctl, root, "changes")) {
        if (!is_empty) {
            if (ctl_table_new(heads, &table) != 0) {
                return CTL_EXIT_FAILED;
            }
            add_changes(table, changes);
            add_changes(table, conflicts);
            status = ctl_print_table(ctl, table);
        } else if (!ctl->is_quiet) {
            (void)printf("no difference: %s holds what is planned\n",
                         ctl_text(root, "bridge"));
        }
        json_array_foreach (json_object_get(root, "pending"), i, item) {
            (void)printf("pending: %s: %s\n", ctl_text(item, "item"),
                         ctl_text(item, "reason"));
        }
    }
    return status == 0 && !is_empty ? CTL_EXIT_FAILED : status;
}

static void add_addresses(struct ctl_table *table, const json_t *port)
{
    char text[256] = "";
    size_t len = 0;
    json_t *address;
    size_t i;

    json_array_foreach (json_object_get(port, "addresses"), i, address) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s",
                                i > 0 ? "," : "", json_string_value(address));
        if (len >= sizeof(text)) {
            break;
        }
    }
    ctl_table_add(table, CTL_COLOR_NONE, "%s", text);
}

int ctl_port_ls(struct ctl *ctl)
{
    static const char *const heads[] = {"NAME",      "OFPORT",  "OWNER",
                                        "ADDRESSES", "PROBLEM", NULL};
    json_auto_t *root = NULL;
    struct ctl_table *table;
    json_t *port;
    size_t i;
    int status = ctl_get(ctl, CTL_API "ports", &root);

    if (status != 0 || ctl_print_json(ctl, root, "ports")) {
        return status;
    }
    if (ctl_table_new(heads, &table) != 0) {
        return CTL_EXIT_FAILED;
    }
    json_array_foreach (json_object_get(root, "ports"), i, port) {
        add_text(table, port, "name");
        add_number(table, port, "ofport");
        ctl_table_add(table, CTL_COLOR_NONE, "%s",
                      ctl_flag(port, "ours") ? "agent" : "other");
        add_addresses(table, port);
        ctl_table_add(table, CTL_COLOR_BAD, "%s", ctl_text(port, "problem"));
    }
    return ctl_print_table(ctl, table);
}
