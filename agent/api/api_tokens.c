/*
 * POST /api/v1/tokens: a join token of this node, when it is an issuer.  And
 * POST /api/v1/leave.
 */
#include "agent/api/api_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/config/config.h"
#include "agent/core/core.h"
#include "agent/identity/identity.h"
#include "agent/identity/token.h"
#include "agent/join/join_token.h"
#include "agent/text/suggest.h"

/* A token on its way to the disk. */
struct token_job {
    struct core *core;
    struct http_exchange *exchange;
};

static void on_created(int error, const char *text, const struct token *token,
                       const char *warning, void *data)
{
    struct token_job *job = data;
    const struct core *core = job->core;
    struct endpoint mesh = {.address = core->config->mesh,
                            .port = core->config->mesh_port};
    char mesh_text[ENDPOINT_TEXT_SIZE];
    json_t *functions = json_array();

    if (error != 0) {
        json_decref(functions);
        api_problem(job->exchange, 507, core->store_problem,
                    "make room on the disk of state_dir, then try again",
                    "the token could not be written to the store");
    } else {
        for (size_t i = 0; i < token->n_functions; i++) {
            json_build_append(&functions, json_string(token->functions[i]));
        }
        api_reply(
            job->exchange, 201,
            json_pack("{s:i, s:o, s:s, s:o, s:o, s:s, s:s, s:o, s:o, s:o, s:o}",
                      "schema", API_SCHEMA, "id",
                      api_json_hex(token->id, sizeof(token->id)), "token", text,
                      "expires", api_json_time(token->expires_s * 1000),
                      "functions", functions, "cluster", token->cluster_name,
                      "peer", endpoint_text(&mesh, mesh_text), "warning",
                      api_json_text(warning), "name",
                      api_json_text(token->name), "mesh",
                      api_token_addresses(token->mesh, token->n_mesh),
                      "subnets",
                      api_token_subnets(token->subnets, token->n_subnets)));
    }
    job->exchange = http_exchange_unref(job->exchange);
    free(job);
}

/* This node may not issue: name one that may. */
static void refuse_issuing(struct http_exchange *exchange,
                           const struct core *core)
{
    char next[BODY_NAME_SIZE + 96] =
        "no node of the cluster is an issuer that is alive now: bring the "
        "first one back";
    struct node_member member;

    for (size_t at = 0; node_member_next(core->node, &at, &member);) {
        if (member.certificate != NULL &&
            (member.certificate->roles & BODY_ROLE_ISSUER) != 0 &&
            member.state == NODE_MEMBER_ALIVE) {
            (void)snprintf(next, sizeof(next),
                           "run agentctl token create on %s",
                           member.certificate->name);
            break;
        }
    }
    api_problem(exchange, 403, "its certificate has not the role issuer", next,
                "this node may not let others in");
}

static bool bad_field(struct http_exchange *exchange, const char *what,
                      const char *where, const char *next)
{
    http_reply_problem(
        exchange, 400,
        &(struct http_problem){.what = what, .where = where, .next = next});
    return false;
}

/* The texts of a list; false when it has been answered. */
static bool get_texts(struct http_exchange *exchange, const json_t *body,
                      const char *field, size_t max, const char **texts,
                      size_t *ret_n)
{
    const json_t *list = json_object_get(body, field);
    size_t n = json_array_size(list);

    if (list != NULL && (!json_is_array(list) || n > max)) {
        return bad_field(exchange, "this is not a list of so few texts", field,
                         "give a list of at most 4 addresses, 8 subnets");
    }
    for (size_t i = 0; i < n; i++) {
        texts[i] = json_string_value(json_array_get(list, i));
        if (texts[i] == NULL) {
            return bad_field(exchange, "this is not a list of texts", field,
                             "give a list of texts");
        }
    }
    *ret_n = n;
    return true;
}

static bool get_bounds(struct http_exchange *exchange, const json_t *body,
                       struct token_bounds *ret)
{
    const json_t *name = json_object_get(body, "name");

    if (name != NULL && !json_is_string(name)) {
        return bad_field(exchange, "the name is not a text", "field name",
                         "give a text");
    }
    ret->name = json_string_value(name);
    return get_texts(exchange, body, "mesh", ARRAY_SIZE(ret->mesh), ret->mesh,
                     &ret->n_mesh) &&
           get_texts(exchange, body, "subnets", ARRAY_SIZE(ret->subnets),
                     ret->subnets, &ret->n_subnets);
}

/* True or false, or not there. */
static bool get_flag(struct http_exchange *exchange, const json_t *body,
                     const char *field, bool *ret)
{
    const json_t *value = json_object_get(body, field);

    if (value != NULL && !json_is_boolean(value)) {
        return bad_field(exchange, "this is neither true nor false", field,
                         "give true or false");
    }
    *ret = json_is_true(value);
    return true;
}

/* What the issuer shall choose. */
static bool get_gifts(struct http_exchange *exchange, const json_t *body,
                      struct join_token_wish *wish)
{
    const json_t *size = json_object_get(body, "subnet_size");
    json_int_t len = json_integer_value(size);

    if (size != NULL && (!json_is_integer(size) || len < 8 || len > 126)) {
        return bad_field(exchange, "subnet_size is not the length of a prefix",
                         "field subnet_size", "give a number, as 24");
    }
    if (!get_flag(exchange, body, "open", &wish->is_open) ||
        !get_flag(exchange, body, "allocate_mesh", &wish->gives_mesh) ||
        !get_flag(exchange, body, "allocate_name", &wish->gives_name)) {
        return false;
    }
    if (wish->is_open &&
        (size != NULL || wish->gives_mesh || wish->gives_name)) {
        return bad_field(exchange,
                         "an open token leaves to its holder what this would "
                         "give",
                         "field open", "leave one of the two out");
    }
    if (size != NULL && wish->bounds.n_subnets > 0) {
        return bad_field(exchange, "a subnet is named, and a size besides",
                         "field subnet_size", "leave one of the two out");
    }
    wish->subnet_len = (uint8_t)len;
    return true;
}

static bool is_field(const char *key)
{
    static const char *const fields[] = {
        "ttl_s", "functions",   "name",          "mesh",   "subnets",
        "open",  "subnet_size", "allocate_mesh", "schema", "allocate_name"};

    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        if (strcmp(key, fields[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* False when it has been answered. */
bool api_token_request(struct http_exchange *exchange, const json_t *body,
                       struct api_token_request *ret)
{
    const json_t *ttl = json_object_get(body, "ttl_s");
    const json_t *functions = json_object_get(body, "functions");
    size_t n = json_array_size(functions);
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)(uintptr_t)body, key, value) {
        if (!is_field(key)) {
            return bad_field(exchange, "there is no such field", key,
                             "the fields are ttl_s, functions, name, mesh, "
                             "subnets, open, subnet_size, allocate_mesh and "
                             "allocate_name");
        }
    }
    if (ttl != NULL && (!json_is_integer(ttl) || json_integer_value(ttl) < 0)) {
        return bad_field(exchange, "ttl_s is not a whole number", "field ttl_s",
                         "give seconds, as 600");
    }
    if (functions != NULL &&
        (!json_is_array(functions) || n > STORE_TOKEN_FUNCTIONS)) {
        return bad_field(exchange, "functions is not a list of at most 16",
                         "field functions", "give a list of patterns");
    }
    for (size_t i = 0; i < n; i++) {
        ret->functions[i] = json_string_value(json_array_get(functions, i));
        if (ret->functions[i] == NULL) {
            return bad_field(exchange, "a function pattern is not a text",
                             "field functions", "give a list of texts");
        }
    }
    ret->wish.functions = ret->functions;
    ret->wish.n_functions = n;
    ret->wish.ttl_s =
        ttl != NULL ? (uint64_t)json_integer_value(ttl) : TOKEN_TTL_DEFAULT_S;
    return get_bounds(exchange, body, &ret->wish.bounds) &&
           get_gifts(exchange, body, &ret->wish);
}

void api_token_post(struct http_exchange *exchange, void *data)
{
    struct core *core = ((struct api *)data)->core;
    _cleanup_(free_pointer) char *problem = NULL;
    struct api_token_request request = {0};
    json_auto_t *body = NULL;
    struct token_job *job;

    if ((core->identity->body.roles & BODY_ROLE_ISSUER) == 0) {
        refuse_issuing(exchange, core);
        return;
    }
    body = api_body(exchange);
    if (body == NULL || !api_token_request(exchange, body, &request)) {
        return;
    }
    job = calloc(1, sizeof(*job));
    if (job == NULL) {
        api_reply(exchange, 500, NULL);
        return;
    }
    job->core = core;
    job->exchange = http_exchange_ref(exchange);
    if (join_token_create(core, &request.wish, on_created, job, &problem) !=
        0) {
        http_reply_problem(
            exchange, 422,
            &(struct http_problem){.what = problem != NULL ? problem
                                                           : "out of memory"});
        job->exchange = http_exchange_unref(job->exchange);
        free(job);
    }
}

void api_leave_post(struct http_exchange *exchange, void *data)
{
    struct core *core = ((struct api *)data)->core;
    int error = core_leave(core);

    if (error != 0) {
        api_problem(exchange, 503, strerror(-error),
                    "agentctl status; then try again",
                    "this node cannot leave now");
        return;
    }
    api_reply(exchange, 202,
              json_pack("{s:i, s:s, s:b}", "schema", API_SCHEMA, "node",
                        core->identity->body.name, "leaving", 1));
}
