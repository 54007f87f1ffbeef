/*
 * POST /api/v1/cluster/freeze and /cluster/release: no host applies anything
 * new, until somebody says that it may.
 */
#include "agent/api/api_internal.h"

#include <string.h>

#include "agent/core/core.h"
#include "agent/identity/identity.h"

static json_t *answer(const struct core *core, const uint8_t key[32])
{
    (void)key;
    return json_pack("{s:i, s:b}", "schema", API_SCHEMA, "frozen",
                     node_holds(core->node, NULL, 0) > 0);
}

static void refuse(struct http_exchange *exchange, const struct core *core,
                   int error)
{
    if (error == NODE_E_NOT_ALLOWED ||
        (core->identity->body.roles & BODY_ROLE_ISSUER) == 0) {
        api_problem(exchange, 403, "its certificate has not the role issuer",
                    "run it on an issuer: agentctl members -o json names them",
                    "this node may not say that for the cluster");
        return;
    }
    api_problem(exchange, 503, error < 0 ? strerror(-error) : NULL,
                "agentctl status says what is wrong",
                "this node cannot write now");
}

static void write_hold(struct http_exchange *exchange, struct core *core,
                       const struct body_hold *hold)
{
    uint8_t packed[LIMIT_RECORD_SIZE];
    struct api_write write = {.kind = RECORD_HOLD,
                              .body = packed,
                              .failed = "the record could not be written",
                              .answer = answer};
    int error = body_put_hold(hold, packed, sizeof(packed), &write.body_size);

    if (error == 0) {
        error = api_write(exchange, core, &write);
    }
    if (error != 0) {
        refuse(exchange, core, error);
    }
}

void api_freeze_post(struct http_exchange *exchange, void *data)
{
    struct body_hold hold = {.is_held = true};
    json_auto_t *body = api_body(exchange);

    if (body != NULL && api_get_reason(exchange, body, hold.reason)) {
        write_hold(exchange, ((struct api *)data)->core, &hold);
    }
}

void api_release_post(struct http_exchange *exchange, void *data)
{
    struct core *core = ((struct api *)data)->core;
    struct node_hold holds[LIMIT_HOLDS];
    size_t n = node_holds(core->node, holds, ARRAY_SIZE(holds));
    uint8_t ids[LIMIT_HOLDS * BODY_HOLD_ID_SIZE];
    struct body_hold release = {.ids = ids};

    release.n_ids = MIN_OF(n, ARRAY_SIZE(holds));
    for (size_t i = 0; i < release.n_ids; i++) {
        memcpy(ids + i * BODY_HOLD_ID_SIZE, holds[i].id, BODY_HOLD_ID_SIZE);
    }
    write_hold(exchange, core, &release);
}
