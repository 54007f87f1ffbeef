/*
 * Answers to core's queries.  "flows" and "diff" dump the switch anew, for the
 * counters; the others answer from what is known.  worker_json.c makes the
 * texts.
 */
#include "agent/worker/worker_query.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "agent/ipc/ipc.h"
#include "agent/json/json_build.h"
#include "agent/json/json_text.h"
#include "agent/system/log.h"
#include "agent/worker/worker_core.h"
#include "agent/worker/worker_json.h"
#include "agent/worker/worker_kernel.h"
#include "agent/worker/worker_learn.h"
#include "agent/worker/worker_ports.h"
#include "agent/worker/worker_private.h"
#include "agent/worker/worker_reconcile.h"
#include "agent/worker/worker_refuse.h"
#include "agent/worker/worker_removal.h"
#include "agent/worker/worker_switch.h"

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

/* In pieces, the last one marked. */
static void send_text(struct worker *worker, uint64_t id, const char *bytes,
                      size_t size)
{
    size_t at = 0;

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

/* Takes the reference; NULL is "out of memory". */
static void reply(struct worker *worker, uint64_t id, json_t *root)
{
    static const char no_memory[] =
        "{\"schema\":1,\"error\":\"out of memory\"}";
    struct json_text text = {0};

    json_text_json(&text, root);
    json_decref(root);
    if (text.error == 0) {
        send_text(worker, id, text.bytes, text.size);
    } else {
        send_text(worker, id, no_memory, strlen(no_memory));
    }
    json_text_done(&text);
}

static void reply_error(struct worker *worker, uint64_t id,
                        enum query_kind kind, const char *why)
{
    json_t *root = json_pack("{s:i, s:s, s:s}", "schema", 1, "bridge",
                             worker->policy.bridge, "error", why);

    if (kind == QUERY_FLOWS) {
        json_build_set(&root, "flows", json_array());
        json_build_set(&root, "groups", json_array());
    } else if (kind == QUERY_DIFF) {
        json_build_set(&root, "changes", json_array());
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

/* --- what the switch has --- */

static void on_note(const char *text, void *data)
{
    worker_json_note(data, text);
}

static json_t *query_diff(struct worker *worker, const struct ofconn_dump *dump,
                          const struct plan *plan)
{
    struct worker_json_changes changes;
    bool is_removed = worker_removal_is_asked(worker);
    size_t n_kernel = 0;
    char text[160] = "";

    worker_json_begin(&changes);
    if (worker->state.is_synced || is_removed) {
        worker_json_diff(&changes, dump, plan);
    }
    if (worker->state.is_synced && !is_removed &&
        worker_kernel_preview(worker, plan, on_note, &changes, &n_kernel,
                              text) < 0) {
        worker_json_conflict(&changes, text);
    }
    return worker_json_end(&changes, worker->policy.bridge, plan);
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
              query->kind == QUERY_FLOWS
                  ? worker_json_flows(worker->policy.bridge, dump, &plan)
                  : query_diff(worker, dump, &plan));
    } else {
        reply(worker, query->id, NULL);
    }
    plan_done(&plan);
    ofconn_dump_done(dump);
}

/* --- the others --- */

static json_t *query_ports(struct worker *worker)
{
    const struct ovsdb *ovsdb = worker_switch_ovsdb(worker);
    const struct worker_neighbors *known = worker_learn_neighbors(worker);
    json_t *ports = json_array();
    size_t n = ovsdb != NULL ? ovsdb_n_ports(ovsdb) : 0;

    for (size_t i = 0; i < n; i++) {
        const struct ovsdb_port *port = ovsdb_port_at(ovsdb, i);

        json_build_append(
            &ports, worker_json_port(port, worker_ports_device(port), known));
    }
    return json_pack("{s:i, s:s, s:o}", "schema", 1, "bridge",
                     worker->policy.bridge, "ports", ports);
}

static json_t *query_status(const struct worker *worker)
{
    const struct worker_refuse_counters *counters =
        worker_refuse_counters(worker);

    return json_pack(
        "{s:i, s:s, s:b, s:s, s:b, s:b, s:I, s:I, s:I, s:I, "
        "s:{s:I, s:I, s:I, s:I, s:I}}",
        "schema", 1, "bridge", worker->policy.bridge, "ovs_up",
        worker_switch_is_up(worker), "ovs_text", worker_switch_text(worker),
        "observing", worker->observe, "removed",
        worker_removal_is_asked(worker), "number",
        (json_int_t)worker->state.number, "items",
        (json_int_t)worker->state.desired.n_items, "neighbors",
        (json_int_t)worker_learn_neighbors(worker)->n_entries,
        "flows_in_switch", (json_int_t)worker_reconcile_n_flows(worker),
        "no_backend", "refused", (json_int_t)counters->refused, "echoed",
        (json_int_t)counters->echoed, "too_big", (json_int_t)counters->too_big,
        "again", (json_int_t)counters->again, "dropped",
        (json_int_t)counters->dropped);
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
        reply(worker, id, query_ports(worker));
    } else if (is_named(message, "status")) {
        reply(worker, id, query_status(worker));
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
