/*
 * POST /api/v1/certificates: an issuer certifies the keys of a request that
 * came as a file, and answers with the file that the joiner needs.
 */
#include "agent/api/api_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/core.h"
#include "agent/join/join_provision.h"
#include "gossip/base/text.h"

static void on_issued(const char *problem, const uint8_t *answer, size_t size,
                      void *data)
{
    struct http_exchange *exchange = data;
    char *text = problem == NULL ? malloc(2 * size + 1) : NULL;

    if (problem != NULL) {
        http_reply_problem(exchange, 422,
                           &(struct http_problem){.what = problem});
    } else if (text == NULL) {
        api_reply(exchange, 500, NULL);
    } else {
        api_reply(exchange, 201,
                  json_pack("{s:i, s:s}", "schema", API_SCHEMA, "answer",
                            text_from_bytes(answer, size, text)));
    }
    free(text);
    (void)http_exchange_unref(exchange);
}

/* The bytes of the request, and what else the body says of it.  False when it
 * has been answered. */
static bool get_request(struct http_exchange *exchange, json_t *body,
                        uint8_t bytes[LIMIT_JOIN_REQUEST_SIZE],
                        size_t *ret_size, struct api_token_request *ret)
{
    const char *text = json_string_value(json_object_get(body, "request"));
    size_t len = text == NULL ? 0 : strlen(text);

    if (len == 0 || len % 2 != 0 || len / 2 > LIMIT_JOIN_REQUEST_SIZE ||
        text_to_bytes(text, len, bytes, len / 2) != 0) {
        api_problem(exchange, 400, "field request",
                    "give what agent join --request wrote, in hexadecimal",
                    "this is no request of a joiner");
        return false;
    }
    *ret_size = len / 2;
    (void)json_object_del(body, "request"); /* it is there */
    if (!api_token_request(exchange, body, ret)) {
        return false;
    }
    if (json_object_get(body, "ttl_s") != NULL || ret->wish.is_open ||
        ret->wish.subnet_len != 0 || ret->wish.gives_mesh ||
        ret->wish.gives_name) {
        api_problem(exchange, 400, "it is not for a token",
                    "the fields are request, functions, name, mesh and subnets",
                    "this certificate is not chosen for its holder");
        return false;
    }
    return true;
}

void api_certificate_post(struct http_exchange *exchange, void *data)
{
    struct core *core = ((struct api *)data)->core;
    _cleanup_(free_pointer) char *problem = NULL;
    uint8_t bytes[LIMIT_JOIN_REQUEST_SIZE];
    struct api_token_request asked = {0};
    json_auto_t *body = api_body(exchange);
    size_t size = 0;
    int error;

    if (body == NULL || !get_request(exchange, body, bytes, &size, &asked)) {
        return;
    }
    error = join_provision_issue(
        core, bytes, size, asked.wish.functions, asked.wish.n_functions,
        &asked.wish.bounds, on_issued, http_exchange_ref(exchange), &problem);
    if (error != 0) {
        (void)http_exchange_unref(exchange);
        http_reply_problem(
            exchange, 422,
            &(struct http_problem){.what = problem != NULL
                                               ? problem
                                               : "the agent is out of memory"});
    }
}
