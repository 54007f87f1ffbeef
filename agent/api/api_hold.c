/*
 * POST /api/v1/cluster/freeze and /cluster/release: no host applies anything
 * new, until somebody says that it may.
 */
#include "agent/api/api_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/core.h"
#include "agent/identity/identity.h"
#include "gossip/base/text.h"

/* A record on its way to the disk. */
struct hold_job {
    struct core *core;
    struct http_exchange *exchange;
};

static void on_written(struct core *core, int error, struct record_order order,
                       void *data)
{
    struct hold_job *job = data;

    (void)order;
    if (error != 0) {
        api_problem(job->exchange, error == -ENOSPC ? 507 : 503,
                    core->store_problem,
                    "make room on the disk of state_dir, then try again",
                    "the record could not be written");
    } else {
        api_reply(job->exchange, 200,
                  json_pack("{s:i, s:b}", "schema", API_SCHEMA, "frozen",
                            node_holds(core->node, NULL, 0) > 0));
    }
    job->exchange = http_exchange_unref(job->exchange);
    free(job);
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
    struct hold_job *job = calloc(1, sizeof(*job));
    uint8_t packed[LIMIT_RECORD_SIZE];
    size_t size = 0;
    int error;

    if (job == NULL) {
        api_reply(exchange, 500, NULL);
        return;
    }
    job->core = core;
    job->exchange = http_exchange_ref(exchange);
    error = body_put_hold(hold, packed, sizeof(packed), &size);
    if (error == 0) {
        error = core_write(core, RECORD_HOLD, NULL, 0, packed, size, on_written,
                           job);
    }
    if (error != 0) {
        refuse(exchange, core, error);
        job->exchange = http_exchange_unref(job->exchange);
        free(job);
    }
}

void api_freeze_post(struct http_exchange *exchange, void *data)
{
    struct body_hold hold = {.is_held = true};
    json_auto_t *body = api_body(exchange);
    const json_t *reason = json_object_get(body, "reason");
    const char *text = json_string_value(reason);
    size_t len = text == NULL ? 0 : strlen(text);

    if (body == NULL) {
        return;
    }
    if ((reason != NULL && text == NULL) || len >= sizeof(hold.reason) ||
        (text != NULL && !text_is_clean((const uint8_t *)text, len))) {
        http_reply_problem(
            exchange, 400,
            &(struct http_problem){.what = "reason is no text of at most 63 "
                                           "bytes",
                                   .where = "field reason",
                                   .next = "say it shorter"});
        return;
    }
    if (text != NULL) {
        memcpy(hold.reason, text, len + 1);
    }
    write_hold(exchange, ((struct api *)data)->core, &hold);
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
