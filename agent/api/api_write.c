/*
 * What operators say for the whole cluster, a freeze or a revocation: a record
 * of this node, answered when it is on disk.
 */
#include "agent/api/api_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/core.h"
#include "gossip/base/text.h"

/* A record on its way to the disk. */
struct write_job {
    struct http_exchange *exchange;
    const char *failed;
    api_written_fn answer;
    uint8_t key[32];
};

static void on_written(struct core *core, int error, struct record_order order,
                       void *data)
{
    struct write_job *job = data;

    (void)order;
    if (error != 0) {
        api_problem(job->exchange, error == -ENOSPC ? 507 : 503,
                    core->store_problem,
                    "make room on the disk of state_dir, then try again", "%s",
                    job->failed);
    } else {
        api_reply(job->exchange, 200, job->answer(core, job->key));
    }
    job->exchange = http_exchange_unref(job->exchange);
    free(job);
}

int api_write(struct http_exchange *exchange, struct core *core,
              const struct api_write *write)
{
    struct write_job *job = calloc(1, sizeof(*job));
    int error;

    if (job == NULL) {
        api_reply(exchange, 500, NULL);
        return 0;
    }
    job->exchange = http_exchange_ref(exchange);
    job->failed = write->failed;
    job->answer = write->answer;
    if (write->key != NULL) {
        memcpy(job->key, write->key, sizeof(job->key));
    }
    error = core_write(core, write->kind, write->key,
                       write->key != NULL ? sizeof(job->key) : 0, write->body,
                       write->body_size, on_written, job);
    if (error != 0) {
        job->exchange = http_exchange_unref(job->exchange);
        free(job);
    }
    return error;
}

bool api_get_reason(struct http_exchange *exchange, const json_t *body,
                    char ret_reason[BODY_NAME_SIZE])
{
    const json_t *reason = json_object_get(body, "reason");
    const char *text = json_string_value(reason);
    size_t len = text == NULL ? 0 : strlen(text);

    if ((reason != NULL && text == NULL) || len >= BODY_NAME_SIZE ||
        (text != NULL && !text_is_clean((const uint8_t *)text, len))) {
        http_reply_problem(
            exchange, 400,
            &(struct http_problem){.what = "reason is no text of at most 63 "
                                           "bytes",
                                   .where = "field reason",
                                   .next = "say it shorter"});
        return false;
    }
    if (text != NULL) {
        memcpy(ret_reason, text, len + 1);
    }
    return true;
}
