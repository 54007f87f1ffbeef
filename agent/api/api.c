/*
 * The routes of the API, who may use them, and what the handlers share.  See
 * docs/API.md.
 */
#include "agent/api/api.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/api/api_internal.h"
#include "agent/config/config.h"
#include "agent/core/core.h"
#include "agent/system/log.h"

#define API "/api/v1/"

static const struct http_route api_routes[] = {
    {HTTP_VERB_GET, false, API "status", api_status_get},
    {HTTP_VERB_GET, false, API "members", api_members_get},
    {HTTP_VERB_GET, false, API "services", api_services_get},
    {HTTP_VERB_POST, true, API "services", api_service_post},
    {HTTP_VERB_GET, false, API "services/:name", api_service_get},
    {HTTP_VERB_DELETE, true, API "services/:name", api_service_delete},
    {HTTP_VERB_DELETE, true, API "services/:name/:instance",
     api_service_delete},
    {HTTP_VERB_GET, false, API "resolve/:name", api_resolve_get},
    {HTTP_VERB_GET, false, API "flows", api_flows_get},
    {HTTP_VERB_GET, false, API "flows/diff", api_flows_diff_get},
    {HTTP_VERB_GET, false, API "ports", api_ports_get},
    {HTTP_VERB_GET, false, API "records", api_records_get},
    {HTTP_VERB_POST, true, API "records", api_records_post},
    {HTTP_VERB_GET, false, API "records/verify", api_records_verify_get},
    {HTTP_VERB_GET, false, API "evidence", api_evidence_get},
    {HTTP_VERB_GET, false, API "events", api_events_get},
    {HTTP_VERB_GET, false, API "tokens", api_tokens_get},
    {HTTP_VERB_POST, true, API "tokens", api_token_post},
    {HTTP_VERB_DELETE, true, API "tokens/:id", api_token_delete},
    {HTTP_VERB_GET, false, API "certificates", api_certificates_get},
    {HTTP_VERB_POST, true, API "certificates", api_certificate_post},
    {HTTP_VERB_GET, false, API "certificates/:name", api_certificate_get},
    {HTTP_VERB_GET, false, API "charter", api_charter_get},
    {HTTP_VERB_GET, false, API "policy/check", api_policy_get},
    {HTTP_VERB_POST, true, API "leave", api_leave_post},
    {HTTP_VERB_POST, true, API "cluster/freeze", api_freeze_post},
    {HTTP_VERB_POST, true, API "cluster/release", api_release_post},
    {HTTP_VERB_POST, true, API "nodes/:name/remove", api_node_remove_post},
    {HTTP_VERB_POST, true, API "certificates/:node/renew", api_cert_renew_post},
    {HTTP_VERB_POST, true, API "certificates/:node/revoke",
     api_cert_revoke_post},
    {HTTP_VERB_POST, true, API "backup", api_backup_post},
    {HTTP_VERB_GET, false, API "health", api_health_get},
    {HTTP_VERB_GET, false, API "ready", api_ready_get},
    /* Where load balancers, systemd and Prometheus look by custom. */
    {HTTP_VERB_GET, false, "/health", api_health_get},
    {HTTP_VERB_GET, false, "/ready", api_ready_get},
    {HTTP_VERB_GET, false, "/metrics", api_metrics_get},
};

static bool api_allow(struct http_exchange *exchange, bool is_write, void *data)
{
    const struct api *api = data;
    const struct http_peer *peer = http_exchange_peer(exchange);
    const char *target = http_exchange_request(exchange)->target;

    if (!is_write) {
        return true;
    }
    if (peer->uid == 0 || peer->uid == api->uid || peer->is_in_group) {
        log_info("api write uid=%u pid=%d target=%s", peer->uid, peer->pid,
                 target);
        return true;
    }
    log_warning("api write refused uid=%u pid=%d target=%s", peer->uid,
                peer->pid, target);
    api_problem(exchange, 403,
                "changes are for root, the agent's own user and the group of "
                "the socket",
                "add the user to the group of api.sock, or use sudo",
                "user id %u may not change anything here", peer->uid);
    return false;
}

int api_new(struct core *core, struct services *services, struct api **ret,
            char **ret_error)
{
    _cleanup_(free_pointer) char *path = NULL;
    struct api *api = calloc(1, sizeof(*api));
    int error;

    if (api == NULL ||
        asprintf(&path, "%s/api.sock", core->config->run_dir) < 0) {
        free(api);
        path = NULL;
        return -ENOMEM;
    }
    api->core = core;
    api->services = services;
    api->uid = geteuid();
    error = http_server_new(
        &(struct http_config){.loop = core->loop,
                              .path = path,
                              .routes = api_routes,
                              .n_routes = ARRAY_SIZE(api_routes),
                              .allow = api_allow,
                              .data = api},
        &api->server, ret_error);
    if (error < 0) {
        free(api);
        return error;
    }
    *ret = api;
    return 0;
}

struct api *api_free(struct api *api)
{
    if (api != NULL) {
        api->server = http_server_free(api->server);
        free(api);
    }
    return NULL;
}

void api_reply(struct http_exchange *exchange, unsigned status, json_t *root)
{
    struct json_text text = {0};

    json_text_json(&text, root);
    json_decref(root);
    if (text.error != 0) {
        json_text_done(&text);
        api_problem(exchange, 500, "the agent is out of memory",
                    "try again; see how much memory this host has left",
                    "the answer could not be made");
        return;
    }
    http_reply(exchange, status, HTTP_TYPE_JSON, text.bytes, text.size);
}

void api_problem(struct http_exchange *exchange, unsigned status,
                 const char *why, const char *next, const char *what, ...)
{
    const struct http_request *request = http_exchange_request(exchange);
    char text[1024];
    va_list arguments;

    va_start(arguments, what);
    (void)vsnprintf(text, sizeof(text), what, arguments);
    va_end(arguments);
    http_reply_problem(
        exchange, status,
        &(struct http_problem){
            .what = text, .where = request->target, .why = why, .next = next});
}

bool api_query_flag(struct http_exchange *exchange, const char *name,
                    bool fallback)
{
    char value[8];

    if (http_request_query(http_exchange_request(exchange), name, value,
                           sizeof(value)) != 0) {
        return fallback;
    }
    return value[0] == '\0' || strcmp(value, "1") == 0 ||
           strcmp(value, "true") == 0;
}

/* The key that ends at this byte of the body, "" when there is none. */
static void key_before(const struct http_request *request, int position,
                       char key[64])
{
    const char *body = request->body;
    size_t end = position > 0 ? (size_t)position - 1 : 0;
    size_t begin = end;

    key[0] = '\0';
    if (end >= request->body_size || body[end] != '"') {
        return;
    }
    while (begin > 0 &&
           (body[begin - 1] != '"' || (begin > 1 && body[begin - 2] == '\\'))) {
        begin--;
    }
    (void)snprintf(key, 64, "%.*s", (int)MIN_OF(end - begin, (size_t)63),
                   body + begin);
}

/* Why the body is none, in the words of the one who wrote it. */
static void refuse_body(struct http_exchange *exchange, const json_t *root,
                        const json_error_t *error)
{
    struct http_problem problem = {
        .what = "the body is not a JSON object",
        .where = "the body",
        .next = "give an object, as {\"name\": \"redis\"}; see docs/API.md "
                "for its fields"};
    char where[64];
    char what[128];
    char key[64];

    if (root == NULL) {
        (void)snprintf(where, sizeof(where), "the body, line %d column %d",
                       error->line, error->column);
        problem.where = where;
        problem.why = error->text;
    }
    if (root == NULL && json_error_code(error) == json_error_duplicate_key) {
        key_before(http_exchange_request(exchange), error->position, key);
        (void)snprintf(what, sizeof(what), "the key \"%s\" stands there twice",
                       key);
        problem.what = what;
        problem.why = NULL;
        problem.next = "leave one of the two out";
    }
    http_reply_problem(exchange, 400, &problem);
}

json_t *api_body(struct http_exchange *exchange)
{
    const struct http_request *request = http_exchange_request(exchange);
    json_error_t error = {0};
    json_t *root;

    if (request->body_size == 0) {
        root = json_object();
    } else {
        root = json_loadb(request->body, request->body_size,
                          JSON_REJECT_DUPLICATES, &error);
    }
    if (json_is_object(root)) {
        return root;
    }
    /* jansson says nothing at all when it runs out of memory. */
    if (root == NULL && (request->body_size == 0 ||
                         json_error_code(&error) == json_error_unknown ||
                         json_error_code(&error) == json_error_out_of_memory)) {
        api_reply(exchange, 500, NULL);
        return NULL;
    }
    refuse_body(exchange, root, &error);
    json_decref(root);
    return NULL;
}

void api_node_name(const struct core *core, const uint8_t key[32],
                   char ret_name[BODY_NAME_SIZE])
{
    struct node_member member;

    if (node_member_find(core->node, key, &member) &&
        member.certificate != NULL && member.certificate->name[0] != '\0') {
        (void)snprintf(ret_name, BODY_NAME_SIZE, "%s",
                       member.certificate->name);
    } else {
        (void)snprintf(ret_name, BODY_NAME_SIZE, "%016" PRIx64,
                       record_node_id(key));
    }
}
