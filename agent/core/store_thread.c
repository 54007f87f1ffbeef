/*
 * The store thread; see store_thread.h.  Two queues under one mutex: requests
 * somebody waits for, and foreign records.  They may overtake each other:
 * store_put_record and store_erase_record compare orders, so for records the
 * result is the same in any order, and all else is in the first queue.
 */
#include "agent/core/store_thread_internal.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "agent/system/clock.h"

#define NS_PER_MS UINT64_C(1000000)

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
    thread->clock_due_ms =
        thread->problem == 0 && thread->clock_ms - thread->clock_written_ms >=
                                    STORE_THREAD_CLOCK_MS
            ? thread->clock_ms
            : 0;
    if (thread->problem == 0 || thread->is_stopping ||
        clock_now_ns() >= thread->retry_at_ns) {
        foreign = take_foreign(thread, &n_taken, &n_bytes);
    }
    uv_mutex_unlock(&thread->mutex);
    was_tried = foreign != NULL;
    problem = store_thread_write(thread, waiting, &foreign);
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
    if (!thread->is_abandoned) {
        (void)uv_async_send(thread->async); /* fails only when closing */
    }
}

/* All but the handle, which is the loop's. */
static void thread_done(struct store_thread *thread)
{
    store_request_free_list(thread->waiting);
    store_request_free_list(thread->foreign);
    store_request_free_list(thread->finished);
    store_close(thread->store);
    uv_cond_destroy(&thread->ended);
    uv_cond_destroy(&thread->cond);
    uv_mutex_destroy(&thread->mutex);
    free(thread);
}

static void thread_main(void *data)
{
    struct store_thread *thread = data;
    bool is_abandoned;

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
        if (thread->is_abandoned) {
            break;
        }
        /* What was asked for during the round is answered by another, also
         * when nothing can be written. */
        if (thread->is_stopping && thread->waiting == NULL &&
            (is_last || thread->problem != 0)) {
            break;
        }
    }
    thread->has_ended = true;
    is_abandoned = thread->is_abandoned;
    uv_cond_signal(&thread->ended);
    uv_mutex_unlock(&thread->mutex);
    if (is_abandoned) {
        thread_done(thread);
    }
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
    if (error == 0) {
        error = uv_cond_init(&thread->ended);
        if (error != 0) {
            uv_cond_destroy(&thread->cond);
        }
    }
    if (error != 0) {
        uv_mutex_destroy(&thread->mutex);
    }
    return error;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

static void close_async(struct store_thread *thread)
{
    uv_close((uv_handle_t *)thread->async, on_closed);
}

/* The handle and the thread itself.  0, or negative errno with neither. */
static int start(struct store_thread *thread, uv_loop_t *loop)
{
    int error;

    thread->async = calloc(1, sizeof(*thread->async));
    if (thread->async == NULL) {
        return -ENOMEM;
    }
    error = uv_async_init(loop, thread->async, on_async);
    if (error != 0) {
        free(thread->async);
        return error;
    }
    thread->async->data = thread;
    error = uv_thread_create(&thread->thread, thread_main, thread);
    if (error != 0) {
        close_async(thread);
    }
    return error;
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
    error = start(thread, loop);
    if (error != 0) {
        thread->store = NULL; /* the caller's */
        thread_done(thread);
        return error;
    }
    *ret = thread;
    return 0;
}

/* Waits until the thread has ended; false: it is left to itself. */
static bool wait_for_end(struct store_thread *thread)
{
    uint64_t until_ns = clock_now_ns() + STORE_THREAD_STOP_MS * NS_PER_MS;
    uint64_t now_ns = clock_now_ns();
    bool has_ended;

    uv_mutex_lock(&thread->mutex);
    thread->is_stopping = true;
    uv_cond_signal(&thread->cond);
    while (!thread->has_ended && now_ns < until_ns) {
        /* A timeout is what the loop looks for itself. */
        (void)uv_cond_timedwait(&thread->ended, &thread->mutex,
                                until_ns - now_ns);
        now_ns = clock_now_ns();
    }
    has_ended = thread->has_ended;
    thread->is_abandoned = !has_ended;
    uv_mutex_unlock(&thread->mutex);
    return has_ended;
}

static void abandon(const char *directory, store_thread_problem_fn problem_fn,
                    void *problem_data)
{
    char text[512];

    (void)snprintf(text, sizeof(text),
                   "the disk of %s has not taken what is to be written for %u "
                   "s: ending without it; what was acknowledged is there",
                   directory, STORE_THREAD_STOP_MS / 1000);
    if (problem_fn != NULL) {
        problem_fn(text, problem_data);
    }
}

struct store_thread *store_thread_free(struct store_thread *thread)
{
    store_thread_problem_fn problem_fn;
    char directory[400];
    uv_thread_t handle;
    void *problem_data;

    if (thread == NULL) {
        return NULL;
    }
    /* When it is left to itself, it may be gone as soon as it is. */
    (void)snprintf(directory, sizeof(directory), "%s",
                   store_directory(thread->store));
    problem_fn = thread->problem_fn;
    problem_data = thread->problem_data;
    handle = thread->thread;
    close_async(thread); /* freed in the loop's next turn, not before */
    if (!wait_for_end(thread)) {
        (void)pthread_detach(handle); /* nobody joins it */
        abandon(directory, problem_fn, problem_data);
        return NULL;
    }
    (void)uv_thread_join(&handle); /* we made it, nobody else joins */
    call_back(thread);
    thread_done(thread);
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
