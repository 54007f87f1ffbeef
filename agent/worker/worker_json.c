/*
 * See worker_json.h.
 */
#include "agent/worker/worker_json.h"

#include <stdlib.h>
#include <string.h>

#include "agent/json/json_build.h"
#include "agent/worker/worker_text.h"
#include "gossip/base/search.h"
#include "reconcilers/openflow/openflow.h"

/* --- flows --- */

static int compare_flows(const void *a, const void *b)
{
    return flow_compare_key(a, b);
}

static const char *find_flow_label(const struct plan *plan,
                                   const struct flow *flow)
{
    const struct flow *wanted =
        plan->n_flows > 0 ? search_find(flow, plan->flows, plan->n_flows,
                                        sizeof(*flow), compare_flows)
                          : NULL;

    return wanted != NULL ? wanted->label : "";
}

static const char *find_group_label(const struct plan *plan, uint32_t id)
{
    for (size_t i = 0; i < plan->n_groups; i++) {
        if (plan->groups[i].id == id) {
            return plan->groups[i].label;
        }
    }
    return "";
}

/* "table=4,priority=200,tcp,... actions=..." in its parts. */
static json_t *flow_json(const struct flow *flow, const char *label)
{
    _cleanup_(free_pointer) char *text = openflow_flow_text(flow);
    char *actions = text != NULL ? strstr(text, " actions=") : NULL;
    char *match = text != NULL ? strstr(text, "priority=") : NULL;

    if (actions == NULL || match == NULL) {
        return NULL;
    }
    *actions = '\0';
    match = strchr(match, ',');
    return json_pack(
        "{s:i, s:i, s:s, s:s, s:I, s:I, s:s, s:s}", "table", flow->table,
        "priority", flow->priority, "match", match != NULL ? match + 1 : "",
        "actions", actions + strlen(" actions="), "packets",
        (json_int_t)flow->n_packets, "bytes", (json_int_t)flow->n_bytes, "kind",
        worker_text_kind(flow->cookie), "for", label);
}

static json_t *group_json(const struct group *group, const char *label)
{
    _cleanup_(free_pointer) char *text = worker_text_group(group);

    return text == NULL
               ? NULL
               : json_pack("{s:I, s:i, s:s, s:s}", "id", (json_int_t)group->id,
                           "n_buckets", group->n_buckets, "text", text, "for",
                           label);
}

json_t *worker_json_flows(const char *bridge, struct ofconn_dump *dump,
                          const struct plan *plan)
{
    json_t *flows = json_array();
    json_t *groups = json_array();
    size_t n_foreign_flows = 0;
    size_t n_foreign_groups = 0;

    if (dump->n_flows > 0) {
        qsort(dump->flows, dump->n_flows, sizeof(*dump->flows), compare_flows);
    }
    for (size_t i = 0; i < dump->n_flows; i++) {
        const struct flow *flow = &dump->flows[i];

        if (!flow_cookie_is_ours(flow->cookie)) {
            n_foreign_flows++;
            continue;
        }
        json_build_append(&flows, flow_json(flow, find_flow_label(plan, flow)));
    }
    for (size_t i = 0; i < dump->n_groups; i++) {
        const struct group *group = &dump->groups[i];

        if ((group->id & FLOW_GROUP_MASK) != FLOW_GROUP_PREFIX) {
            n_foreign_groups++;
            continue;
        }
        json_build_append(&groups,
                          group_json(group, find_group_label(plan, group->id)));
    }
    return json_pack("{s:i, s:s, s:o, s:o, s:{s:I, s:I}}", "schema", 1,
                     "bridge", bridge, "flows", flows, "groups", groups,
                     "foreign", "flows", (json_int_t)n_foreign_flows, "groups",
                     (json_int_t)n_foreign_groups);
}

/* --- diff --- */

void worker_json_begin(struct worker_json_changes *ret)
{
    *ret = (struct worker_json_changes){.changes = json_array(),
                                        .conflicts = json_array()};
}

/* `text` NULL: there was no memory for it. */
static void add_change(struct worker_json_changes *changes, enum diff_op op,
                       const char *what, const char *text, const char *label)
{
    json_build_append(
        op == DIFF_CONFLICT ? &changes->conflicts : &changes->changes,
        text == NULL
            ? NULL
            : json_pack("{s:s, s:s, s:s, s:s}", "op", worker_text_op(op),
                        "what", what, "text", text, "for", label));
}

void worker_json_note(struct worker_json_changes *changes, const char *text)
{
    add_change(changes, DIFF_MODIFY, "kernel", text, "");
}

void worker_json_conflict(struct worker_json_changes *changes, const char *text)
{
    add_change(changes, DIFF_CONFLICT, "kernel", text, "");
}

static void add_diff(struct worker_json_changes *changes,
                     const struct diff *diff)
{
    for (size_t i = 0; i < diff->n_groups; i++) {
        const struct diff_group *change = &diff->groups[i];
        const struct group *group =
            change->wanted != NULL ? change->wanted : change->present;
        _cleanup_(free_pointer) char *text = worker_text_group(group);

        add_change(changes, change->op, "group", text, group->label);
    }
    for (size_t i = 0; i < diff->n_flows; i++) {
        const struct diff_flow *change = &diff->flows[i];
        const struct flow *flow =
            change->wanted != NULL && change->op != DIFF_CONFLICT
                ? change->wanted
                : change->present;
        _cleanup_(free_pointer) char *text = openflow_flow_text(flow);

        add_change(changes, change->op, "flow", text,
                   change->wanted != NULL ? change->wanted->label : "");
    }
}

void worker_json_diff(struct worker_json_changes *changes,
                      const struct ofconn_dump *dump, const struct plan *plan)
{
    struct diff diff = DIFF_INIT;

    if (diff_make(plan, dump->flows, dump->n_flows, dump->groups,
                  dump->n_groups, &diff) != 0) {
        json_build_append(&changes->changes, NULL);
        return;
    }
    add_diff(changes, &diff);
    diff_done(&diff);
}

json_t *worker_json_end(struct worker_json_changes *changes, const char *bridge,
                        const struct plan *plan)
{
    json_t *pending = json_array();

    for (size_t i = 0; i < plan->n_pending; i++) {
        json_build_append(&pending,
                          json_pack("{s:s, s:s}", "item", plan->pending[i].item,
                                    "reason", plan->pending[i].reason));
    }
    return json_pack("{s:i, s:s, s:o, s:o, s:o}", "schema", 1, "bridge", bridge,
                     "changes", changes->changes, "pending", pending,
                     "conflicts", changes->conflicts);
}

/* --- ports --- */

static const char *port_problem(const struct ovsdb_port *port,
                                enum worker_device device)
{
    switch (device) {
    case WORKER_DEVICE_ANEW:
        return "its device was made anew: remove the port and add it again";
    case WORKER_DEVICE_GONE:
        return "device gone";
    case WORKER_DEVICE_THERE:
        break;
    }
    return port->error;
}

json_t *worker_json_port(const struct ovsdb_port *port,
                         enum worker_device device,
                         const struct worker_neighbors *known)
{
    json_t *addresses = json_array();

    for (size_t i = 0; i < known->n_entries; i++) {
        const struct plan_neighbor *entry = &known->entries[i];
        char text[ADDRESS_TEXT_SIZE];

        if (entry->ofport != 0 && entry->ofport == port->ofport) {
            json_build_append(&addresses,
                              json_string(address_text(&entry->address, text)));
        }
    }
    return json_pack("{s:s, s:I, s:b, s:o, s:s}", "name", port->name, "ofport",
                     (json_int_t)port->ofport, "ours", port->is_ours,
                     "addresses", addresses, "problem",
                     port_problem(port, device));
}
