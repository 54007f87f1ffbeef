/*
 * The loop's side of the store thread: makes requests and queues them; see
 * store_thread.h.
 */
#include "agent/core/store_thread_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>
#include <utlist.h>

#include "agent/system/clock.h"

struct store_request *store_request_free(struct store_request *request)
{
    if (request != NULL) {
        if (request->token != NULL) {
            sodium_memzero(request->token, sizeof(*request->token));
        }
        free(request->token);
        free(request->name);
        free(request->bytes);
        free(request);
    }
    return NULL;
}

struct store_request *store_request_free_list(struct store_request *list)
{
    struct store_request *request;
    struct store_request *next;

    DL_FOREACH_SAFE(list, request, next)
    {
        store_request_free(request);
    }
    return NULL;
}

static void request_free_pointer(struct store_request **request)
{
    *request = store_request_free(*request);
}

static int request_new(enum store_request_type type, const char *name,
                       const void *bytes, size_t size,
                       struct store_request **ret)
{
    _cleanup_(request_free_pointer) struct store_request *request =
        calloc(1, sizeof(*request));

    if (request == NULL) {
        return -ENOMEM;
    }
    request->type = type;
    request->queued_ns = clock_now_ns();
    if (name != NULL) {
        request->name = strdup(name);
        if (request->name == NULL) {
            return -ENOMEM;
        }
    }
    if (bytes != NULL) {
        /* One more, so that an empty value is not an erased one. */
        request->bytes = malloc(size + 1);
        if (request->bytes == NULL) {
            return -ENOMEM;
        }
        if (size > 0) {
            memcpy(request->bytes, bytes, size);
        }
        request->size = size;
    }
    if (type == STORE_REQUEST_TOKEN || type == STORE_REQUEST_REDEEM ||
        type == STORE_REQUEST_GET_TOKEN) {
        request->token = calloc(1, sizeof(*request->token));
        if (request->token == NULL) {
            return -ENOMEM;
        }
    }
    *ret = request;
    request = NULL;
    return 0;
}

void store_thread_note_clock(struct store_thread *thread, uint64_t wall_ms)
{
    uv_mutex_lock(&thread->mutex);
    thread->clock_ms = wall_ms;
    uv_mutex_unlock(&thread->mutex);
}

/* Takes the request over, unless the thread is ending. */
static int queue_waiting(struct store_thread *thread,
                         struct store_request *request)
{
    bool is_stopping;

    uv_mutex_lock(&thread->mutex);
    is_stopping = thread->is_stopping;
    if (!is_stopping) {
        thread->counters.requests++;
        DL_APPEND(thread->waiting, request);
        uv_cond_signal(&thread->cond);
    }
    uv_mutex_unlock(&thread->mutex);
    if (is_stopping) {
        store_request_free(request);
        return -ECANCELED;
    }
    return 0;
}

static int queue_foreign(struct store_thread *thread,
                         struct store_request *request)
{
    bool is_dropped;

    uv_mutex_lock(&thread->mutex);
    thread->counters.requests++;
    is_dropped =
        thread->n_held == STORE_THREAD_QUEUE_RECORDS ||
        thread->n_held_bytes + request->size > STORE_THREAD_QUEUE_BYTES;
    if (is_dropped) {
        thread->counters.dropped++;
    } else {
        DL_APPEND(thread->foreign, request);
        thread->n_foreign++;
        thread->n_held++;
        thread->n_held_bytes += request->size;
        /* Wakes it to a deadline, or to a full batch. */
        if (thread->n_foreign == 1 || thread->n_foreign == STORE_THREAD_BATCH) {
            uv_cond_signal(&thread->cond);
        }
    }
    uv_mutex_unlock(&thread->mutex);
    if (is_dropped) {
        store_request_free(request);
    }
    return 0;
}

int store_thread_put_own(struct store_thread *thread, const uint8_t *bytes,
                         size_t size, store_thread_done_fn done, void *data)
{
    struct store_request *request = NULL;
    int error = request_new(STORE_REQUEST_PUT, NULL, bytes, size, &request);

    if (error == 0) {
        request->done = done;
        request->data = data;
        error = queue_waiting(thread, request);
    }
    return error;
}

int store_thread_put_foreign(struct store_thread *thread, const uint8_t *bytes,
                             size_t size)
{
    struct store_request *request = NULL;
    int error = request_new(STORE_REQUEST_PUT, NULL, bytes, size, &request);

    return error != 0 ? error : queue_foreign(thread, request);
}

int store_thread_erase(struct store_thread *thread, const uint8_t *bytes,
                       size_t size)
{
    struct store_request *request = NULL;
    int error = request_new(STORE_REQUEST_ERASE, NULL, bytes, size, &request);

    return error != 0 ? error : queue_foreign(thread, request);
}

int store_thread_put_setting(struct store_thread *thread, const char *name,
                             const void *value, size_t size,
                             store_thread_done_fn done, void *data)
{
    struct store_request *request = NULL;
    int error = request_new(STORE_REQUEST_SETTING, name, value, size, &request);

    if (error == 0) {
        request->done = done;
        request->data = data;
        error = queue_waiting(thread, request);
    }
    return error;
}

int store_thread_put_token(struct store_thread *thread,
                           const struct store_token *token,
                           store_thread_done_fn done, void *data)
{
    struct store_request *request = NULL;
    int error = request_new(STORE_REQUEST_TOKEN, NULL, NULL, 0, &request);

    if (error == 0) {
        *request->token = *token;
        request->done = done;
        request->data = data;
        error = queue_waiting(thread, request);
    }
    return error;
}

int store_thread_redeem(struct store_thread *thread,
                        const uint8_t id[STORE_TOKEN_ID_SIZE],
                        const uint8_t by[32], uint64_t now_s,
                        store_thread_token_fn done, void *data)
{
    struct store_request *request = NULL;
    int error = request_new(STORE_REQUEST_REDEEM, NULL, NULL, 0, &request);

    if (error == 0) {
        memcpy(request->token->id, id, STORE_TOKEN_ID_SIZE);
        memcpy(request->by, by, sizeof(request->by));
        request->now_s = now_s;
        request->token_done = done;
        request->data = data;
        error = queue_waiting(thread, request);
    }
    return error;
}

int store_thread_get_token(struct store_thread *thread,
                           const uint8_t id[STORE_TOKEN_ID_SIZE],
                           store_thread_token_fn done, void *data)
{
    struct store_request *request = NULL;
    int error = request_new(STORE_REQUEST_GET_TOKEN, NULL, NULL, 0, &request);

    if (error == 0) {
        memcpy(request->token->id, id, STORE_TOKEN_ID_SIZE);
        request->token_done = done;
        request->data = data;
        error = queue_waiting(thread, request);
    }
    return error;
}

int store_thread_call(struct store_thread *thread, store_thread_call_fn call,
                      store_thread_done_fn done, void *data)
{
    struct store_request *request = NULL;
    int error = request_new(STORE_REQUEST_CALL, NULL, NULL, 0, &request);

    if (error == 0) {
        request->call = call;
        request->done = done;
        request->data = data;
        error = queue_waiting(thread, request);
    }
    return error;
}
