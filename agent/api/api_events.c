/*
 * GET /api/v1/events?since=N&follow=1: the event log as NDJSON, one line per
 * change, sent in the same turn of the loop in which it happens.
 *
 * Without `since`, following begins with the next event, and not following
 * gives all that are kept.
 */
#include "agent/api/api_internal.h"

#include <stdlib.h>
#include <string.h>

#include "agent/core/core.h"
#include "agent/core/events.h"
#include "gossip/base/text.h"

struct follow_job {
    struct core *core;
    struct http_exchange *exchange;
    uint64_t token; /* 0 while the kept events are being told */
};

static void on_event(const struct event *event, void *data)
{
    struct follow_job *job = data;
    size_t len = strlen(event->json);
    char *line = malloc(len + 1);

    if (line == NULL) {
        http_stream_abort(job->exchange); /* better than to leave it out */
        return;
    }
    memcpy(line, event->json, len);
    line[len] = '\n';
    http_stream_write(job->exchange, line, len + 1);
    free(line);
}

static void job_free(struct follow_job *job)
{
    job->exchange = http_exchange_unref(job->exchange);
    free(job);
}

static void on_gone(struct http_exchange *exchange, void *data)
{
    struct follow_job *job = data;

    (void)exchange;
    if (job->token != 0) {
        if (job->core->events != NULL) {
            events_unsubscribe(job->core->events, job->token);
        }
        job_free(job);
    }
}

/* The `since` of the query; false and answered when it is no number. */
static bool get_since(struct http_exchange *exchange, uint64_t *since)
{
    char text[24];
    const char *at = text;
    int error = http_request_query(http_exchange_request(exchange), "since",
                                   text, sizeof(text));

    if (error == HTTP_E_AGAIN) {
        return true;
    }
    if (error != 0 || text_take_number(&at, UINT64_MAX, since) != 0 ||
        *at != '\0') {
        api_problem(exchange, 400, NULL,
                    "give the index of the last event you have seen",
                    "since is not a number");
        return false;
    }
    return true;
}

void api_events_get(struct http_exchange *exchange, void *data)
{
    struct core *core = ((struct api *)data)->core;
    bool is_following = api_query_flag(exchange, "follow", false);
    uint64_t since = is_following ? UINT64_MAX : 0;
    struct follow_job *job;
    uint64_t token;

    if (!get_since(exchange, &since)) {
        return;
    }
    job = calloc(1, sizeof(*job));
    if (job == NULL) {
        api_reply(exchange, 500, NULL);
        return;
    }
    job->core = core;
    job->exchange = http_exchange_ref(exchange);
    http_exchange_on_gone(exchange, on_gone, job);
    http_stream_begin(exchange, HTTP_TYPE_NDJSON);
    token = events_subscribe(core->events, since, on_event, job);
    if (token != 0 && is_following && http_exchange_is_open(exchange)) {
        job->token = token;
        return;
    }
    /* Not following, out of memory, a HEAD, or gone meanwhile. */
    if (token != 0) {
        events_unsubscribe(core->events, token);
        http_stream_end(exchange);
    } else {
        http_stream_abort(exchange);
    }
    job_free(job);
}
