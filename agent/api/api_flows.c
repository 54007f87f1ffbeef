/*
 * GET /api/v1/flows, /flows/diff and /ports: asked of the worker, which alone
 * sees the switch.
 */
#include "agent/api/api_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/core.h"
#include "agent/core/worker_link.h"

struct query_job {
    struct http_exchange *exchange;
    const char *name; /* of the answer's list */
};

static void reply_error(struct http_exchange *exchange, int error)
{
    if (error == -ETIMEDOUT) {
        api_problem(exchange, 504, "Open vSwitch may be slow or stopped",
                    "agentctl status tells what the worker sees",
                    "the worker did not answer in time");
        return;
    }
    api_problem(exchange, 503,
                error == -ENOTCONN ? "its process is not connected"
                                   : strerror(-error),
                "agentctl status; the worker is restarted by itself",
                "the worker cannot be asked");
}

static void on_reply(int error, const char *json, size_t len, void *data)
{
    struct query_job *job = data;
    json_error_t json_error;
    json_t *root;

    if (error != 0) {
        reply_error(job->exchange, error);
    } else {
        root = json_loadb(json, len, 0, &json_error);
        if (json_is_array(root)) {
            root =
                json_pack("{s:i, s:o}", "schema", API_SCHEMA, job->name, root);
        } else if (json_is_object(root)) {
            json_build_set(&root, "schema", json_integer(API_SCHEMA));
        }
        if (json_is_string(json_object_get(root, "error"))) {
            api_problem(job->exchange, 503,
                        json_string_value(json_object_get(root, "error")),
                        "agentctl status tells what the worker sees",
                        "the worker cannot answer now");
            json_decref(root);
            root = NULL;
        } else if (root == NULL) {
            api_problem(job->exchange, 500, json_error.text,
                        "see the log of agent run",
                        "the worker's answer is not JSON");
        } else {
            api_reply(job->exchange, 200, root);
        }
    }
    job->exchange = http_exchange_unref(job->exchange);
    free(job);
}

static void query(struct http_exchange *exchange, struct api *api,
                  const char *query_name, const char *list_name)
{
    struct core *core = api->core;
    struct query_job *job;

    if (core->worker == NULL) {
        api_problem(exchange, 503, "the configuration says reconcile: false",
                    "set reconcile: true to have flows made from records",
                    "this agent manages no data plane");
        return;
    }
    job = calloc(1, sizeof(*job));
    if (job == NULL) {
        api_reply(exchange, 500, NULL);
        return;
    }
    job->exchange = http_exchange_ref(exchange);
    job->name = list_name;
    worker_link_query(core->worker, query_name, on_reply, job);
}

void api_flows_get(struct http_exchange *exchange, void *data)
{
    query(exchange, data, "flows", "flows");
}

void api_flows_diff_get(struct http_exchange *exchange, void *data)
{
    query(exchange, data, "diff", "changes");
}

void api_ports_get(struct http_exchange *exchange, void *data)
{
    query(exchange, data, "ports", "ports");
}
