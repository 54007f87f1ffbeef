/*
 * JSON answers to core's queries.  "flows" and "diff" dump the switch anew,
 * for the counters; the others answer from what is known.
 */
#include "agent/worker/worker_query.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "agent/ipc/ipc.h"
#include "agent/system/log.h"
#include "agent/worker/worker_core.h"
#include "agent/worker/worker_kernel.h"
#include "agent/worker/worker_learn.h"
#include "agent/worker/worker_ports.h"
#include "agent/worker/worker_private.h"
#include "agent/worker/worker_reconcile.h"
#include "agent/worker/worker_removal.h"
#include "agent/worker/worker_switch.h"
#include "agent/worker/worker_text.h"
#include "gossip/base/search.h"
#include "reconcilers/openflow/openflow.h"

/* Bytes of one chunk, within IPC_MESSAGE_MAX with its head. */
#define CHUNK_MAX 60000
/* Queries on their way; more are answered with an error. */
#define QUERIES_MAX 32

enum query_kind {
    QUERY_FLOWS,
    QUERY_DIFF,
    QUERY_REMOVE,
};

struct worker_query {
    struct worker_query *next;
    struct worker *worker;
    enum query_kind kind;
    uint64_t id;
    bool is_given_up; /* its asker is gone, its dump is still on its way */
};

/* Takes the reference; NULL is "out of memory". */
static void reply(struct worker *worker, uint64_t id, json_t *root)
{
    _cleanup_(free_pointer) char *text =
        root != NULL ? json_dumps(root, JSON_COMPACT) : NULL;
    const char *bytes =
        text != NULL ? text : "{\"schema\":1,\"error\":\"out of memory\"}";
    size_t size = strlen(bytes);
    size_t at = 0;

    json_decref(root);
    do {
        struct ipc_message message = {.type = IPC_REPLY,
                                      .number = id,
                                      .bytes = (const uint8_t *)bytes + at,
                                      .size =
                                          MIN_OF(size - at, (size_t)CHUNK_MAX),
                                      .fd = -1};

        at += message.size;
        message.flag = at == size;
        worker_core_send(worker, &message);
    } while (at < size);
}

static void reply_error(struct worker *worker, uint64_t id,
                        enum query_kind kind, const char *why)
{
    json_t *root = json_pack("{s:i, s:s, s:s}", "schema", 1, "bridge",
                             worker->policy.bridge, "error", why);

    if (kind == QUERY_FLOWS) {
        (void)json_object_set_new(root, "flows", json_array());
        (void)json_object_set_new(root, "groups", json_array());
    } else if (kind == QUERY_DIFF) {
        (void)json_object_set_new(root, "changes", json_array());
    }
    reply(worker, id, root);
}

static void add_query(struct worker *worker, struct worker_query *query)
{
    query->next = worker->queries;
    worker->queries = query;
}

static void take_query(struct worker *worker, const struct worker_query *query)
{
    struct worker_query **at = &worker->queries;

    while (*at != query) {
        at = &(*at)->next;
    }
    *at = query->next;
}

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

    return json_pack("{s:I, s:i, s:s, s:s}", "id", (json_int_t)group->id,
                     "n_buckets", group->n_buckets, "text",
                     text != NULL ? text : "", "for", label);
}

static json_t *flows_json(struct worker *worker, struct ofconn_dump *dump,
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
        (void)json_array_append_new(
            flows, flow_json(flow, find_flow_label(plan, flow)));
    }
    for (size_t i = 0; i < dump->n_groups; i++) {
        const struct group *group = &dump->groups[i];

        if ((group->id & FLOW_GROUP_MASK) != FLOW_GROUP_PREFIX) {
            n_foreign_groups++;
            continue;
        }
        (void)json_array_append_new(
            groups, group_json(group, find_group_label(plan, group->id)));
    }
    return json_pack("{s:i, s:s, s:o, s:o, s:{s:I, s:I}}", "schema", 1,
                     "bridge", worker->policy.bridge, "flows", flows, "groups",
                     groups, "foreign", "flows", (json_int_t)n_foreign_flows,
                     "groups", (json_int_t)n_foreign_groups);
}

/* --- diff --- */

static void add_change(json_t *changes, json_t *conflicts, enum diff_op op,
                       const char *what, const char *text, const char *label)
{
    (void)json_array_append_new(
        op == DIFF_CONFLICT ? conflicts : changes,
        json_pack("{s:s, s:s, s:s, s:s}", "op", worker_text_op(op), "what",
                  what, "text", text != NULL ? text : "", "for", label));
}

static void add_note(const char *text, void *data)
{
    json_t *changes = data;

    (void)json_array_append_new(changes, json_pack("{s:s, s:s, s:s, s:s}", "op",
                                                   "change", "what", "kernel",
                                                   "text", text, "for", ""));
}

static void add_diff(json_t *changes, json_t *conflicts,
                     const struct diff *diff)
{
    for (size_t i = 0; i < diff->n_groups; i++) {
        const struct diff_group *change = &diff->groups[i];
        const struct group *group =
            change->wanted != NULL ? change->wanted : change->present;
        _cleanup_(free_pointer) char *text = worker_text_group(group);

        add_change(changes, conflicts, change->op, "group", text, group->label);
    }
    for (size_t i = 0; i < diff->n_flows; i++) {
        const struct diff_flow *change = &diff->flows[i];
        const struct flow *flow =
            change->wanted != NULL && change->op != DIFF_CONFLICT
                ? change->wanted
                : change->present;
        _cleanup_(free_pointer) char *text = openflow_flow_text(flow);

        add_change(changes, conflicts, change->op, "flow", text,
                   change->wanted != NULL ? change->wanted->label : "");
    }
}

static json_t *diff_json(struct worker *worker, struct ofconn_dump *dump,
                         struct plan *plan)
{
    json_t *changes = json_array();
    json_t *pending = json_array();
    json_t *conflicts = json_array();
    struct diff diff = DIFF_INIT;
    size_t n_kernel = 0;
    char text[160] = "";

    if (worker->state.is_synced || worker_removal_is_asked(worker)) {
        if (diff_make(plan, dump->flows, dump->n_flows, dump->groups,
                      dump->n_groups, &diff) == 0) {
            add_diff(changes, conflicts, &diff);
            diff_done(&diff);
        }
        if (!worker_removal_is_asked(worker) &&
            worker_kernel_preview(worker, plan, add_note, changes, &n_kernel,
                                  text) < 0) {
            add_note(text, conflicts);
        }
    }
    for (size_t i = 0; i < plan->n_pending; i++) {
        (void)json_array_append_new(
            pending, json_pack("{s:s, s:s}", "item", plan->pending[i].item,
                               "reason", plan->pending[i].reason));
    }
    return json_pack("{s:i, s:s, s:o, s:o, s:o}", "schema", 1, "bridge",
                     worker->policy.bridge, "changes", changes, "pending",
                     pending, "conflicts", conflicts);
}

static void on_dumped(int error, struct ofconn_dump *dump, void *data)
{
    _cleanup_(free_pointer) struct worker_query *query = data;
    struct worker *worker = query->worker;
    struct plan plan = PLAN_INIT;

    take_query(worker, query);
    if (query->is_given_up) {
        if (error == 0) {
            ofconn_dump_done(dump);
        }
        return;
    }
    if (error != 0) {
        reply_error(worker, query->id, query->kind,
                    "Open vSwitch did not tell its flows");
        return;
    }
    if (worker_reconcile_plan(worker, &plan) == 0) {
        reply(worker, query->id,
              query->kind == QUERY_FLOWS ? flows_json(worker, dump, &plan)
                                         : diff_json(worker, dump, &plan));
    } else {
        reply(worker, query->id, NULL);
    }
    plan_done(&plan);
    ofconn_dump_done(dump);
}

/* --- the others --- */

static const char *port_problem(const struct ovsdb_port *port)
{
    switch (worker_ports_device(port)) {
    case WORKER_DEVICE_ANEW:
        return "its device was made anew: remove the port and add it again";
    case WORKER_DEVICE_GONE:
        return "device gone";
    case WORKER_DEVICE_THERE:
        break;
    }
    return port->error;
}

static json_t *ports_json(struct worker *worker)
{
    const struct worker_neighbors *known = worker_learn_neighbors(worker);
    const struct ovsdb *ovsdb = worker_switch_ovsdb(worker);
    json_t *ports = json_array();
    size_t n = ovsdb != NULL ? ovsdb_n_ports(ovsdb) : 0;

    for (size_t i = 0; i < n; i++) {
        const struct ovsdb_port *port = ovsdb_port_at(ovsdb, i);
        json_t *neighbors = json_array();

        for (size_t j = 0; j < known->n_entries; j++) {
            const struct plan_neighbor *entry = &known->entries[j];
            char text[ADDRESS_TEXT_SIZE];

            if (entry->ofport != 0 && entry->ofport == port->ofport) {
                (void)json_array_append_new(
                    neighbors,
                    json_string(address_text(&entry->address, text)));
            }
        }
        (void)json_array_append_new(
            ports,
            json_pack("{s:s, s:I, s:b, s:o, s:s}", "name", port->name, "ofport",
                      (json_int_t)port->ofport, "ours", port->is_ours,
                      "addresses", neighbors, "problem", port_problem(port)));
    }
    return json_pack("{s:i, s:s, s:o}", "schema", 1, "bridge",
                     worker->policy.bridge, "ports", ports);
}

static json_t *status_json(const struct worker *worker)
{
    return json_pack(
        "{s:i, s:s, s:b, s:s, s:b, s:b, s:I, s:I, s:I, s:I}", "schema", 1,
        "bridge", worker->policy.bridge, "ovs_up", worker_switch_is_up(worker),
        "ovs_text", worker_switch_text(worker), "observing", worker->observe,
        "removed", worker_removal_is_asked(worker), "number",
        (json_int_t)worker->state.number, "items",
        (json_int_t)worker->state.desired.n_items, "neighbors",
        (json_int_t)worker_learn_neighbors(worker)->n_entries,
        "flows_in_switch", (json_int_t)worker_reconcile_n_flows(worker));
}

static void start_remove(struct worker *worker, uint64_t id)
{
    struct worker_query *query = calloc(1, sizeof(*query));

    if (query == NULL || worker->observe) {
        free(query);
        reply_error(worker, id, QUERY_REMOVE,
                    worker->observe ? "observing: nothing of ours is there"
                                    : "out of memory");
        return;
    }
    *query =
        (struct worker_query){.worker = worker, .kind = QUERY_REMOVE, .id = id};
    add_query(worker, query);
    worker_removal_start(worker);
}

void worker_query_removed(struct worker *worker, size_t n_flows,
                          size_t n_groups, const char *error)
{
    struct worker_query **at = &worker->queries;

    while (*at != NULL) {
        struct worker_query *query = *at;

        if (query->kind != QUERY_REMOVE) {
            at = &query->next;
            continue;
        }
        *at = query->next;
        log_info("removed flows=%zu groups=%zu%s%s", n_flows, n_groups,
                 error[0] != '\0' ? " problem=" : "", error);
        /* To an asker that is gone this is lost like any other message. */
        reply(worker, query->id,
              json_pack("{s:i, s:{s:I, s:I}, s:s}", "schema", 1, "removed",
                        "flows", (json_int_t)n_flows, "groups",
                        (json_int_t)n_groups, "error", error));
        free(query);
    }
}

static void start_dump(struct worker *worker, enum query_kind kind, uint64_t id)
{
    struct ofconn *ofconn = worker_switch_ofconn(worker);
    struct worker_query *query = NULL;
    size_t n = 0;

    for (query = worker->queries; query != NULL; query = query->next) {
        n++;
    }
    if (ofconn == NULL || n >= QUERIES_MAX) {
        reply_error(worker, id, kind,
                    n >= QUERIES_MAX ? "too many questions at once"
                                     : worker_switch_text(worker));
        return;
    }
    query = calloc(1, sizeof(*query));
    if (query != NULL) {
        *query =
            (struct worker_query){.worker = worker, .kind = kind, .id = id};
        if (ofconn_dump(ofconn, on_dumped, query) == 0) {
            add_query(worker, query);
            return;
        }
    }
    free(query);
    reply(worker, id, NULL);
}

static bool is_named(const struct ipc_message *message, const char *name)
{
    return message->name_len == strlen(name) &&
           memcmp(message->name, name, message->name_len) == 0;
}

void worker_query_start(struct worker *worker,
                        const struct ipc_message *message)
{
    uint64_t id = message->number;

    if (is_named(message, "flows")) {
        start_dump(worker, QUERY_FLOWS, id);
    } else if (is_named(message, "diff")) {
        start_dump(worker, QUERY_DIFF, id);
    } else if (is_named(message, "ports")) {
        reply(worker, id, ports_json(worker));
    } else if (is_named(message, "status")) {
        reply(worker, id, status_json(worker));
    } else if (is_named(message, "remove")) {
        start_remove(worker, id);
    } else {
        reply_error(worker, id, QUERY_REMOVE, "no such query");
    }
}

void worker_query_switch_lost(struct worker *worker)
{
    while (worker->queries != NULL) {
        struct worker_query *query = worker->queries;

        worker->queries = query->next;
        if (!query->is_given_up) {
            reply_error(worker, query->id, query->kind,
                        "the connection to Open vSwitch was lost");
        }
        free(query);
    }
}

void worker_query_core_lost(struct worker *worker)
{
    for (struct worker_query *query = worker->queries; query != NULL;
         query = query->next) {
        query->is_given_up = true;
    }
}
