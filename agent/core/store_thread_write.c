/*
 * What the store thread does with the requests that it took: transactions,
 * and what has one of its own; see store_thread_internal.h.
 */
#include "agent/core/store_thread_internal.h"

#include <utlist.h>

#include "agent/system/clock.h"
#include "gossip/base/cursor.h"

/* Written to find out whether writing works again. */
#define STORE_THREAD_PROBE "store/probe"

/* Puts one request into the open transaction. */
static int apply(struct store_batch *batch, const struct store_request *request)
{
    switch (request->type) {
    case STORE_REQUEST_PUT:
        return store_put_record(batch, request->bytes, request->size);
    case STORE_REQUEST_ERASE:
        return store_erase_record(batch, request->bytes, request->size);
    case STORE_REQUEST_SETTING:
        return store_put_setting(batch, request->name, request->bytes,
                                 request->size);
    case STORE_REQUEST_TOKEN:
        return store_put_token(batch, request->token);
    case STORE_REQUEST_REDEEM:
    case STORE_REQUEST_GET_TOKEN:
    case STORE_REQUEST_CALL:
        break; /* a transaction of its own */
    }
    return 0;
}

static int apply_list(struct store_batch *batch, struct store_request *list)
{
    struct store_request *request;

    DL_FOREACH (list, request) {
        request->error = apply(batch, request);
        /* -EINVAL is that request's own fault and touched nothing. */
        if (request->error != 0 && request->error != -EINVAL) {
            return request->error;
        }
    }
    return 0;
}

/* The clock goes with what is written anyway. */
static int apply_clock(struct store_thread *thread, struct store_batch *batch)
{
    uint8_t bytes[STORE_THREAD_CLOCK_SIZE];
    struct writer writer = writer_init(bytes, sizeof(bytes));

    if (thread->clock_due_ms == 0) {
        return 0;
    }
    writer_u64(&writer, thread->clock_due_ms);
    return store_put_setting(batch, STORE_THREAD_CLOCK, bytes, sizeof(bytes));
}

static void count_commit(struct store_thread *thread, int error,
                         uint64_t start_ns)
{
    uint64_t took_us = (clock_now_ns() - start_ns) / 1000;

    uv_mutex_lock(&thread->mutex);
    thread->counters.commits += error == 0;
    thread->counters.commits_failed += error != 0;
    thread->counters.commit_max_us =
        MAX_OF(thread->counters.commit_max_us, took_us);
    uv_mutex_unlock(&thread->mutex);
}

/* One transaction of up to two lists; request->error of those that are wrong
 * by themselves.  Returns the transaction's error. */
static int commit_lists(struct store_thread *thread,
                        struct store_request *first,
                        struct store_request *second)
{
    struct store_batch *batch = NULL;
    uint64_t start_ns = clock_now_ns();
    int error;

    error = store_batch_begin(thread->store, &batch);
    if (error == 0) {
        error = apply_list(batch, first);
        if (error == 0) {
            error = apply_list(batch, second);
        }
        if (error == 0) {
            error = apply_clock(thread, batch);
        }
        if (error == 0) {
            error = store_batch_commit(batch);
        } else {
            store_batch_abort(batch);
        }
    }
    count_commit(thread, error, start_ns);
    if (error == 0 && thread->clock_due_ms != 0) {
        thread->clock_written_ms = thread->clock_due_ms;
    }
    thread->clock_due_ms = 0; /* it must not be what does not fit */
    return error;
}

/* Each by itself, so that one that is too large does not fail the others. */
static int commit_singly(struct store_thread *thread,
                         struct store_request *list)
{
    struct store_request *request;
    int last = 0;

    DL_FOREACH (list, request) {
        struct store_request alone = *request;
        int error;

        alone.next = NULL;
        alone.prev = &alone;
        error = commit_lists(thread, &alone, NULL);
        request->error = error != 0 ? error : alone.error;
        last = error != 0 ? error : last;
    }
    return last;
}

/* What has a transaction of its own, after those of the others.  Returns what
 * writing has to say of it. */
static int answer_all(struct store_thread *thread, struct store_request *list)
{
    struct store_request *request;
    int last = 0;

    DL_FOREACH (list, request) {
        switch (request->type) {
        case STORE_REQUEST_REDEEM:
            request->error =
                store_token_redeem(thread->store, request->token->id,
                                   request->by, request->now_s, request->token);
            if (request->error < 0 || request->error == STORE_E_FULL) {
                last = request->error;
            }
            break;
        case STORE_REQUEST_GET_TOKEN:
            request->error = store_get_token(thread->store, request->token->id,
                                             request->token);
            break;
        case STORE_REQUEST_CALL:
            request->error = request->call(thread->store, request->data);
            break;
        case STORE_REQUEST_PUT:
        case STORE_REQUEST_ERASE:
        case STORE_REQUEST_SETTING:
        case STORE_REQUEST_TOKEN:
            break;
        }
    }
    return last;
}

/* Whether committing the list may write. */
static bool writes(const struct store_request *list)
{
    const struct store_request *request;

    DL_FOREACH (list, request) {
        if (request->type < STORE_REQUEST_GET_TOKEN) {
            return true;
        }
    }
    return false;
}

/* Writing failed: does it work again? */
static int probe(struct store_thread *thread)
{
    struct store_request request = {
        .type = STORE_REQUEST_SETTING,
        .name = (char[]){STORE_THREAD_PROBE},
        .bytes = (uint8_t[]){1},
        .size = 1,
    };

    request.prev = &request;
    return commit_lists(thread, &request, NULL);
}

int store_thread_write(struct store_thread *thread,
                       struct store_request *waiting,
                       struct store_request **foreign)
{
    int problem = 0;
    int error;

    if (*foreign != NULL || writes(waiting)) {
        problem = commit_lists(thread, waiting, *foreign);
        if (problem == 0) {
            *foreign = store_request_free_list(*foreign);
        } else if (waiting != NULL) {
            error = commit_singly(thread, waiting);
            if (*foreign == NULL) {
                problem = error;
            }
        }
    }
    error = answer_all(thread, waiting);
    if (error != 0) {
        return error;
    }
    /* Reading, or erasing what is not there, is no sign that writing works
     * again.  Only this thread sets the problem. */
    return problem == 0 && thread->problem != 0 ? probe(thread) : problem;
}
