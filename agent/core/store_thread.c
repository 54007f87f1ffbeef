/*
 * The store thread; see store_thread.h.  Two queues under one mutex: requests
 * somebody waits for, and foreign records.  They may overtake each other:
 * store_put_record and store_erase_record compare orders, so for records the
 * result is the same in any order, and all else is in the first queue.
 */
#include "agent/core/store_thread_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "agent/system/clock.h"

/* Written to find out whether writing works again. */
#define STORE_THREAD_PROBE "store/probe"
#define NS_PER_MS          UINT64_C(1000000)

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
            error = store_batch_commit(batch);
        } else {
            store_batch_abort(batch);
        }
    }
    count_commit(thread, error, start_ns);
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

/* Whether committing the list shows that writing works. */
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

/* Nothing waits, but writing failed: does it work again? */
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

static struct store_request *free_list(struct store_request *list)
{
    struct store_request *request;
    struct store_request *next;

    DL_FOREACH_SAFE(list, request, next)
    {
        store_request_free(request);
    }
    return NULL;
}

/*
 * Writes what was taken.  `*foreign` is emptied when it was written, and kept
 * when the transaction failed.  Returns the error that remains, 0 when
 * writing works.
 */
static int write_lists(struct store_thread *thread,
                       struct store_request *waiting,
                       struct store_request **foreign)
{
    int problem;
    int error;

    if (*foreign == NULL && !writes(waiting)) {
        /* Nothing was written that could say so: only this thread sets it. */
        problem = thread->problem != 0 ? probe(thread) : 0;
        (void)answer_all(thread, waiting); /* reads */
        return problem;
    }
    problem = commit_lists(thread, waiting, *foreign);
    if (problem == 0) {
        *foreign = free_list(*foreign);
    } else if (waiting != NULL) {
        error = commit_singly(thread, waiting);
        if (*foreign == NULL) {
            problem = error;
        }
    }
    error = answer_all(thread, waiting);
    return error != 0 ? error : problem;
}

/* Up to STORE_THREAD_BATCH of the foreign queue, oldest first. */
static struct store_request *take_foreign(struct store_thread *thread,
                                          size_t *ret_n, size_t *ret_bytes)
{
    struct store_request *taken = NULL;
    size_t n_bytes = 0;
    size_t n;

    for (n = 0; n < STORE_THREAD_BATCH && thread->foreign != NULL; n++) {
        struct store_request *request = thread->foreign;

        DL_DELETE(thread->foreign, request);
        DL_APPEND(taken, request);
        thread->n_foreign--;
        n_bytes += request->size;
    }
    *ret_n = n;
    *ret_bytes = n_bytes;
    return taken;
}

static void give_back_foreign(struct store_thread *thread,
                              struct store_request *taken)
{
    while (taken != NULL) {
        struct store_request *request = taken->prev; /* the last */

        DL_DELETE(taken, request);
        DL_PREPEND(thread->foreign, request);
        thread->n_foreign++;
    }
}

/* When the thread must act next; 0 = now, UINT64_MAX = when signalled. */
static uint64_t next_work_ns(const struct store_thread *thread)
{
    if (thread->waiting != NULL || thread->is_stopping) {
        return 0;
    }
    if (thread->problem != 0) {
        return thread->retry_at_ns;
    }
    if (thread->foreign == NULL) {
        return UINT64_MAX;
    }
    return thread->n_foreign >= STORE_THREAD_BATCH
               ? 0
               : thread->foreign->queued_ns + STORE_THREAD_DELAY_MS * NS_PER_MS;
}

static void wait_for_work(struct store_thread *thread)
{
    for (;;) {
        uint64_t at_ns = next_work_ns(thread);
        uint64_t now_ns = clock_now_ns();

        if (at_ns <= now_ns) {
            return;
        }
        if (at_ns == UINT64_MAX) {
            uv_cond_wait(&thread->cond, &thread->mutex);
        } else {
            /* A timeout is what the loop looks for itself. */
            (void)uv_cond_timedwait(&thread->cond, &thread->mutex,
                                    at_ns - now_ns);
        }
    }
}

/* One round; the mutex is held at its start and its end. */
static void run_round(struct store_thread *thread)
{
    struct store_request *waiting = thread->waiting;
    struct store_request *foreign = NULL;
    size_t n_taken = 0;
    size_t n_bytes = 0;
    bool was_tried;
    int problem;

    thread->waiting = NULL;
    if (thread->problem == 0 || thread->is_stopping ||
        clock_now_ns() >= thread->retry_at_ns) {
        foreign = take_foreign(thread, &n_taken, &n_bytes);
    }
    uv_mutex_unlock(&thread->mutex);
    was_tried = foreign != NULL;
    problem = write_lists(thread, waiting, &foreign);
    uv_mutex_lock(&thread->mutex);
    if (foreign != NULL) {
        give_back_foreign(thread, foreign);
    } else {
        thread->n_held -= n_taken;
        thread->n_held_bytes -= n_bytes;
    }
    /* A small write that found room does not end the trouble while foreign
     * records still wait for theirs. */
    if (problem != 0 || was_tried || thread->foreign == NULL) {
        thread->problem = problem;
        thread->retry_at_ns =
            clock_now_ns() + STORE_THREAD_RETRY_MS * NS_PER_MS;
    }
    DL_CONCAT(thread->finished, waiting);
    (void)uv_async_send(&thread->async); /* fails only when closing */
}

static void thread_main(void *data)
{
    struct store_thread *thread = data;

    uv_mutex_lock(&thread->mutex);
    for (;;) {
        bool is_last;

        wait_for_work(thread);
        is_last =
            thread->is_stopping && thread->n_foreign <= STORE_THREAD_BATCH;
        if (is_last && thread->waiting == NULL && thread->foreign == NULL) {
            break;
        }
        run_round(thread);
        /* What was asked for during the round is answered by another, also
         * when nothing can be written. */
        if (thread->is_stopping && thread->waiting == NULL &&
            (is_last || thread->problem != 0)) {
            break;
        }
    }
    uv_mutex_unlock(&thread->mutex);
}

static void finish(struct store_request *request)
{
    if (request->token_done != NULL) {
        request->token_done(request->error,
                            request->error == 0 ? request->token : NULL,
                            request->data);
    } else if (request->done != NULL) {
        request->done(request->error, request->data);
    }
    store_request_free(request);
}

static void report_problem(struct store_thread *thread, int problem)
{
    char text[512];

    if (problem == thread->reported) {
        return;
    }
    thread->reported = problem;
    if (thread->problem_fn == NULL) {
        return;
    }
    if (problem == 0) {
        thread->problem_fn(NULL, thread->problem_data);
        return;
    }
    (void)snprintf(text, sizeof(text),
                   "cannot write %s: %s; reading goes on, writing is tried "
                   "again every second",
                   store_directory(thread->store), store_error_text(problem));
    thread->problem_fn(text, thread->problem_data);
}

static void call_back(struct store_thread *thread)
{
    struct store_request *finished;
    struct store_request *request;
    struct store_request *next;
    int problem;

    uv_mutex_lock(&thread->mutex);
    finished = thread->finished;
    thread->finished = NULL;
    problem = thread->problem;
    uv_mutex_unlock(&thread->mutex);
    report_problem(thread, problem);
    DL_FOREACH_SAFE(finished, request, next)
    {
        finish(request);
    }
}

static void on_async(uv_async_t *async)
{
    call_back(async->data);
}

static int init_primitives(struct store_thread *thread)
{
    int error = uv_mutex_init(&thread->mutex);

    if (error != 0) {
        return error;
    }
    error = uv_cond_init(&thread->cond);
    if (error != 0) {
        uv_mutex_destroy(&thread->mutex);
    }
    return error;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

int store_thread_new(uv_loop_t *loop, struct store *store,
                     store_thread_problem_fn problem_fn, void *problem_data,
                     struct store_thread **ret)
{
    struct store_thread *thread = calloc(1, sizeof(*thread));
    int error;

    if (thread == NULL) {
        return -ENOMEM;
    }
    thread->store = store;
    thread->problem_fn = problem_fn;
    thread->problem_data = problem_data;
    error = init_primitives(thread);
    if (error != 0) {
        free(thread);
        return error;
    }
    error = uv_async_init(loop, &thread->async, on_async);
    if (error != 0) {
        uv_cond_destroy(&thread->cond);
        uv_mutex_destroy(&thread->mutex);
        free(thread);
        return error;
    }
    thread->async.data = thread;
    error = uv_thread_create(&thread->thread, thread_main, thread);
    if (error != 0) {
        uv_cond_destroy(&thread->cond);
        uv_mutex_destroy(&thread->mutex);
        uv_close((uv_handle_t *)&thread->async, on_closed);
        return error;
    }
    *ret = thread;
    return 0;
}

struct store_thread *store_thread_free(struct store_thread *thread)
{
    if (thread == NULL) {
        return NULL;
    }
    uv_mutex_lock(&thread->mutex);
    thread->is_stopping = true;
    uv_cond_signal(&thread->cond);
    uv_mutex_unlock(&thread->mutex);
    (void)uv_thread_join(&thread->thread); /* we made it, nobody else joins */
    call_back(thread);
    free_list(thread->foreign);
    store_close(thread->store);
    uv_cond_destroy(&thread->cond);
    uv_mutex_destroy(&thread->mutex);
    uv_close((uv_handle_t *)&thread->async, on_closed);
    return NULL;
}

struct store_thread_counters
store_thread_counters_get(struct store_thread *thread)
{
    struct store_thread_counters counters;

    uv_mutex_lock(&thread->mutex);
    counters = thread->counters;
    counters.waiting = thread->n_held;
    counters.waiting_bytes = thread->n_held_bytes;
    uv_mutex_unlock(&thread->mutex);
    return counters;
}
