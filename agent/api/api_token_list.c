/*
 * GET /api/v1/tokens, DELETE /api/v1/tokens/ID: the join tokens of this node,
 * without their secrets, which nobody keeps.
 */
#include "agent/api/api_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/core.h"
#include "agent/identity/token_ledger.h"
#include "agent/join/join_token.h"
#include "gossip/base/text.h"

static const char *state_name(const struct store_token *token, uint64_t now_s)
{
    return token->revoked_s != 0       ? "revoked"
           : token->used_s != 0        ? "used"
           : token->expires_s <= now_s ? "expired"
                                       : "open";
}

json_t *api_token_addresses(const struct address *mesh, size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++) {
        json_build_append(&list, api_json_address(&mesh[i]));
    }
    return list;
}

json_t *api_token_subnets(const struct prefix *subnets, size_t n)
{
    json_t *list = json_array();
    char text[PREFIX_TEXT_SIZE];

    for (size_t i = 0; i < n; i++) {
        json_build_append(&list, json_string(prefix_text(&subnets[i], text)));
    }
    return list;
}

static json_t *functions_json(const struct store_token *token)
{
    json_t *list = json_array();

    for (size_t i = 0; i < token->n_functions; i++) {
        json_build_append(&list, json_string(token->functions[i]));
    }
    return list;
}

static json_t *token_json(const struct core *core,
                          const struct store_token *token)
{
    char used_by[BODY_NAME_SIZE] = "";

    if (token->used_s != 0) {
        api_node_name(core, token->used_by, used_by);
    }
    return json_pack(
        "{s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b}", "id",
        api_json_hex(token->id, sizeof(token->id)), "state",
        state_name(token, core_wall_ms(core) / 1000), "name",
        api_json_text(token->name), "mesh",
        api_token_addresses(token->mesh, token->n_mesh), "subnets",
        api_token_subnets(token->subnets, token->n_subnets), "functions",
        functions_json(token), "expires",
        api_json_time(token->expires_s * 1000), "used",
        token->used_s != 0 ? api_json_time(token->used_s * 1000) : json_null(),
        "used_by", api_json_text(used_by), "wide", token_is_wide(token));
}

/* An answer that waits for the store. */
struct token_list_job {
    struct core *core;
    struct http_exchange *exchange;
    uint8_t id[STORE_TOKEN_ID_SIZE];
};

static struct token_list_job *job_new(struct http_exchange *exchange,
                                      struct core *core)
{
    struct token_list_job *job = calloc(1, sizeof(*job));

    if (job == NULL) {
        api_reply(exchange, 500, NULL);
        return NULL;
    }
    job->core = core;
    job->exchange = http_exchange_ref(exchange);
    return job;
}

static void job_free(struct token_list_job *job)
{
    job->exchange = http_exchange_unref(job->exchange);
    free(job);
}

static void problem(const struct token_list_job *job, int error)
{
    if (error == STORE_E_FULL || error == -ENOSPC) {
        api_problem(job->exchange, 507, job->core->store_problem,
                    "make room on the disk of state_dir, then try again",
                    "the store could not be written");
    } else {
        api_problem(job->exchange, 503,
                    error < 0 ? strerror(-error) : job->core->store_problem,
                    "try again; agentctl status says what is wrong",
                    "the store could not be asked for tokens");
    }
}

static void on_listed(int error, const struct store_token *tokens, size_t n,
                      size_t n_more, void *data)
{
    struct token_list_job *job = data;
    json_t *list;

    if (error != 0) {
        problem(job, error);
        job_free(job);
        return;
    }
    list = json_array();
    for (size_t i = 0; i < n; i++) {
        json_build_append(&list, token_json(job->core, &tokens[i]));
    }
    api_reply(job->exchange, 200,
              json_pack("{s:i, s:o, s:I}", "schema", API_SCHEMA, "tokens", list,
                        "left_out", (json_int_t)n_more));
    job_free(job);
}

void api_tokens_get(struct http_exchange *exchange, void *data)
{
    struct core *core = ((struct api *)data)->core;
    struct token_list_job *job = job_new(exchange, core);
    int error;

    if (job == NULL) {
        return;
    }
    error = join_token_list(core, on_listed, job);
    if (error != 0) {
        problem(job, error);
        job_free(job);
    }
}

static void on_revoked(int error, void *data)
{
    struct token_list_job *job = data;

    if (error == STORE_E_NOT_FOUND) {
        api_problem(job->exchange, 404,
                    "no token that this node made has this id, or it expired "
                    "more than a day ago",
                    "agentctl token ls shows those there are",
                    "there is no such token here");
    } else if (error != 0) {
        problem(job, error);
    } else {
        api_reply(job->exchange, 200,
                  json_pack("{s:i, s:o}", "schema", API_SCHEMA, "revoked",
                            api_json_hex(job->id, sizeof(job->id))));
    }
    job_free(job);
}

void api_token_delete(struct http_exchange *exchange, void *data)
{
    struct core *core = ((struct api *)data)->core;
    const char *id = http_exchange_request(exchange)->segments[3];
    struct token_list_job *job = job_new(exchange, core);
    int error;

    if (job == NULL) {
        return;
    }
    if (text_to_bytes(id, strlen(id), job->id, sizeof(job->id)) != 0) {
        api_problem(exchange, 400, "an id is 16 hexadecimal digits",
                    "agentctl token ls shows those there are",
                    "this is not the id of a token");
        job_free(job);
        return;
    }
    error = join_token_revoke(core, job->id, on_revoked, job);
    if (error != 0) {
        problem(job, error);
        job_free(job);
    }
}

void api_token_problems(const struct core *core, api_problem_fn add, void *data)
{
    uint64_t now_s = core_wall_ms(core) / 1000;
    const struct store_token *token;
    size_t at = 0;

    while ((token = token_ledger_next(core->tokens, now_s, &at)) != NULL) {
        char id[2 * STORE_TOKEN_ID_SIZE + 1];
        bool is_open = token->name[0] == '\0' && token->n_subnets == 0;
        char text[320];
        char next[128];

        if (token->used_s != 0 || !token_is_wide(token)) {
            continue;
        }
        (void)text_from_bytes(token->id, sizeof(token->id), id);
        (void)snprintf(
            text, sizeof(text),
            "a token that nobody has used yet (%s, for %" PRIu64
            " more minutes) lets its holder %s",
            id, (token->expires_s - now_s + 59) / 60,
            is_open ? "be any host, with any subnets of the cluster's that are "
                      "free"
                    : "offer every function");
        (void)snprintf(next, sizeof(next),
                       "if it is not needed any more: agentctl token revoke "
                       "%s",
                       id);
        add(data, "warn", "wide-token", text, next);
    }
}
