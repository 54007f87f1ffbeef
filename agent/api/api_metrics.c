/*
 * GET /metrics: the Prometheus text format, version 0.0.4.  Names: prefix
 * socketnet_, base units, _total for counters.  All series exist from the
 * start, and their number does not depend on what peers send.
 */
#include "agent/api/api_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/catalog/catalog.h"
#include "agent/core/core.h"
#include "agent/core/store_thread.h"
#include "agent/core/worker_link.h"

struct metric {
    const char *name;
    const char *label; /* "dir=\"in\"", or NULL */
    size_t offset;     /* in struct node_counters */
};

#define COUNTER(name, label, field)                                            \
    {                                                                          \
        name, label, offsetof(struct node_counters, field)                     \
    }
#define DROPPED(reason)                                                        \
    COUNTER("datagrams_dropped", "reason=\"" #reason "\"", dropped_##reason)
#define REFUSED(reason)                                                        \
    COUNTER("records_refused", "reason=\"" #reason "\"", refused_##reason)

/* Series of one name stand together: it is announced once. */
static const struct metric counter_metrics[] = {
    COUNTER("datagrams", "dir=\"in\"", datagrams_in),
    COUNTER("datagrams", "dir=\"out\"", datagrams_out),
    COUNTER("gossip_bytes", "dir=\"in\"", bytes_in),
    COUNTER("gossip_bytes", "dir=\"out\"", bytes_out),
    DROPPED(size),
    DROPPED(version),
    DROPPED(type),
    DROPPED(unknown_peer),
    DROPPED(tag),
    DROPPED(replay),
    DROPPED(stale_boot),
    DROPPED(source),
    DROPPED(message),
    DROPPED(proof),
    DROPPED(rate),
    COUNTER("answers_limited", NULL, answers_limited),
    COUNTER("signatures_checked", NULL, signatures_checked),
    COUNTER("records_accepted", NULL, records_accepted),
    COUNTER("records_known", NULL, records_known),
    COUNTER("records_forwarded", NULL, records_forwarded),
    REFUSED(size),
    REFUSED(version),
    REFUSED(reserved),
    REFUSED(cluster),
    REFUSED(writer),
    REFUSED(signature),
    REFUSED(body),
    REFUSED(rights),
    REFUSED(old),
    REFUSED(frozen),
    REFUSED(limit),
    REFUSED(expired),
    REFUSED(quarantined),
    REFUSED(rate),
    COUNTER("probes", NULL, probes),
    COUNTER("probes_failed", NULL, probes_failed),
    COUNTER("probes_indirect", NULL, probes_indirect),
    COUNTER("suspicions", NULL, suspicions),
    COUNTER("refutations", NULL, refutations),
    COUNTER("deaths", NULL, deaths),
    COUNTER("syncs_started", NULL, syncs_started),
    COUNTER("streams_opened", NULL, streams_opened),
};

static void put(struct json_text *out, const char *type, const char *name,
                const char *help, uint64_t value)
{
    json_text_format(out,
                     "# HELP socketnet_%s %s\n# TYPE socketnet_%s %s\n"
                     "socketnet_%s %" PRIu64 "\n",
                     name, help, name, type, name, value);
}

static void put_counters(struct json_text *out,
                         const struct node_counters *counters)
{
    const char *announced = "";

    for (size_t i = 0; i < ARRAY_SIZE(counter_metrics); i++) {
        const struct metric *metric = &counter_metrics[i];
        const uint64_t *value =
            (const uint64_t *)(const void *)((const char *)counters +
                                             metric->offset);

        if (strcmp(announced, metric->name) != 0) {
            json_text_format(out, "# TYPE socketnet_%s_total counter\n",
                             metric->name);
            announced = metric->name;
        }
        json_text_format(out, "socketnet_%s_total%s%s%s %" PRIu64 "\n",
                         metric->name, metric->label != NULL ? "{" : "",
                         metric->label != NULL ? metric->label : "",
                         metric->label != NULL ? "}" : "", *value);
    }
}

static void put_members(struct json_text *out, const struct node *node)
{
    size_t counts[API_MEMBER_STATES];

    api_members_count(node, counts);
    json_text_format(out, "# HELP socketnet_members Certified nodes by state.\n"
                          "# TYPE socketnet_members gauge\n");
    for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
        json_text_format(out, "socketnet_members{state=\"%s\"} %zu\n",
                         api_member_state_name(i), counts[i]);
    }
}

static int count_kind(const struct record *record, void *data)
{
    size_t *counts = data;

    counts[record->kind <= RECORD_MANIFEST ? record->kind : 0]++;
    return 0;
}

static void put_records(struct json_text *out, const struct node *node)
{
    size_t counts[RECORD_MANIFEST + 1] = {0};

    if (node_records_each(node, 0, count_kind, counts) != 0) {
        out->error = -ENOMEM; /* count_kind never stops the walk */
    }
    json_text_format(out, "# HELP socketnet_records Live records by kind.\n"
                          "# TYPE socketnet_records gauge\n");
    for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
        json_text_format(out, "socketnet_records{kind=\"%s\"} %zu\n",
                         record_kind_name((uint8_t)i), counts[i]);
    }
}

static void put_services(struct json_text *out, const struct catalog *catalog)
{
    size_t counts[CATALOG_N_STATES] = {0};
    size_t n_idle = 0;

    for (size_t i = 0; i < catalog_count(catalog); i++) {
        const struct catalog_function *function = catalog_at(catalog, i);

        n_idle += function->is_idle;
        for (size_t k = 0; k < function->n_instances; k++) {
            counts[function->instances[k].state]++;
        }
    }
    json_text_format(out, "# HELP socketnet_service_instances Instances of "
                          "functions by state, as seen from this node.\n"
                          "# TYPE socketnet_service_instances gauge\n");
    for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
        json_text_format(out, "socketnet_service_instances{state=\"%s\"} %zu\n",
                         catalog_state_name((enum catalog_state)i), counts[i]);
    }
    put(out, "gauge", "functions",
        "Functions that are declared or have an instance.",
        catalog_count(catalog) - n_idle);
}

static void put_data_plane(struct json_text *out,
                           const struct worker_link *link)
{
    static const struct worker_status none;
    const struct worker_status *status =
        link != NULL ? worker_link_status(link) : &none;

    put(out, "gauge", "worker_connected", "1 while the worker is connected.",
        status->is_connected);
    put(out, "gauge", "ovs_up", "1 while Open vSwitch answers.",
        status->is_ovs_up);
    put(out, "gauge", "tunnel_up", "1 while the tunnel device is up.",
        status->is_tunnel_up);
    put(out, "counter", "desired_changes_sent_total",
        "Changes of the desired state sent to the worker.",
        status->sent_number);
    put(out, "counter", "desired_changes_applied_total",
        "Changes of the desired state that the data plane holds.",
        status->applied_number);
    json_text_format(out,
                     "# HELP socketnet_apply_duration_seconds Time the last "
                     "apply took.\n"
                     "# TYPE socketnet_apply_duration_seconds gauge\n"
                     "socketnet_apply_duration_seconds %.6f\n",
                     (double)status->applied_us / 1e6);
}

static void put_node(struct json_text *out, const struct api *api)
{
    const struct core *core = api->core;
    bool is_healthy;
    json_t *problems = api_health_problems(api, &is_healthy);

    if (problems == NULL) {
        out->error = -ENOMEM; /* one that is missing may be a grave one */
    }
    json_decref(problems);
    json_text_format(out,
                     "# HELP socketnet_build_info The version in its label.\n"
                     "# TYPE socketnet_build_info gauge\n"
                     "socketnet_build_info{version=\"%s\"} 1\n"
                     "# HELP socketnet_start_time_seconds When the agent "
                     "started, since 1970.\n"
                     "# TYPE socketnet_start_time_seconds gauge\n"
                     "socketnet_start_time_seconds %.3f\n",
                     SOCKETNET_VERSION, (double)core->started_wall_ms / 1e3);
    put(out, "gauge", "healthy", "1 when agentctl health says so.", is_healthy);
    put(out, "gauge", "ready", "1 when the node may write.",
        node_is_ready(core->node));
    put(out, "gauge", "cut_off",
        "1 while so many members are silent that this node may be cut off.",
        node_is_cut_off(core->node));
    put(out, "gauge", "store_writable", "0 while writes are refused.",
        core->store_problem == NULL);
}

static void put_store(struct json_text *out, struct store_thread *store)
{
    struct store_thread_counters counters = {0};

    if (store != NULL) {
        counters = store_thread_counters_get(store);
    }
    put(out, "counter", "store_commits_total", "Transactions committed.",
        counters.commits);
    put(out, "counter", "store_commits_failed_total",
        "Transactions that failed.", counters.commits_failed);
    put(out, "counter", "store_dropped_total",
        "Records of others given up: the disk was full, or slower than they "
        "came.",
        counters.dropped);
    put(out, "gauge", "store_waiting_records",
        "Records of others that are not on disk yet.", counters.waiting);
    put(out, "gauge", "store_waiting_bytes", "Their size.",
        counters.waiting_bytes);
}

static void put_api(struct json_text *out, const struct http_server *server)
{
    const struct http_counters *counters = http_server_counters(server);

    put(out, "gauge", "api_clients", "Connections to the API now.",
        http_server_n_clients(server));
    put(out, "counter", "api_connections_total", "Connections accepted.",
        counters->connections);
    put(out, "counter", "api_connections_refused_total",
        "Connections refused because there were too many.",
        counters->connections_refused);
    put(out, "counter", "api_requests_total", "Requests.", counters->requests);
    put(out, "counter", "api_errors_client_total", "Answers 4xx.",
        counters->errors_client);
    put(out, "counter", "api_errors_server_total", "Answers 5xx.",
        counters->errors_server);
    put(out, "counter", "api_slow_closed_total",
        "Followers of a stream closed because they lagged.",
        counters->slow_closed);
}

void api_metrics_get(struct http_exchange *exchange, void *data)
{
    const struct api *api = data;
    const struct core *core = api->core;
    struct json_text out = {0};

    put_node(&out, api);
    put_members(&out, core->node);
    put_records(&out, core->node);
    put_services(&out, core->catalog);
    put_counters(&out, node_counters_get(core->node));
    put_store(&out, core->store);
    put_data_plane(&out, core->worker);
    put_api(&out, api->server);
    if (out.error != 0) {
        json_text_done(&out);
        api_reply(exchange, 500, NULL);
        return;
    }
    http_reply(exchange, 200, HTTP_TYPE_METRICS, out.bytes, out.size);
}
