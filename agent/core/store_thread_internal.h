/*
 * Shared by store_thread.c, which takes requests out of the queues,
 * store_thread_write.c, which writes and answers them, and
 * store_thread_queue.c, which makes them and puts them in.
 */
#ifndef SOCKETNET_AGENT_CORE_STORE_THREAD_INTERNAL_H
#define SOCKETNET_AGENT_CORE_STORE_THREAD_INTERNAL_H

#include "agent/core/store_thread.h"

/* At most so many foreign requests go into one transaction, so that one that
 * is waited for is not held up by a long synchronisation. */
#define STORE_THREAD_BATCH 2048

enum store_request_type {
    STORE_REQUEST_PUT = 1,
    STORE_REQUEST_ERASE,
    STORE_REQUEST_SETTING,
    STORE_REQUEST_TOKEN,
    STORE_REQUEST_REDEEM,
    STORE_REQUEST_GET_TOKEN,
    STORE_REQUEST_CALL,
};

struct store_request {
    struct store_request *prev;
    struct store_request *next;
    enum store_request_type type;
    char *name;
    uint8_t *bytes; /* NULL with size 0: erase the setting */
    size_t size;
    struct store_token *token; /* TOKEN, REDEEM, GET_TOKEN; owned */
    store_thread_call_fn call;
    uint8_t by[32];
    uint64_t now_s;
    uint64_t queued_ns;
    store_thread_done_fn done;
    store_thread_token_fn token_done;
    void *data;
    int error;
};

struct store_thread {
    uv_async_t *async; /* freed by its close callback */
    uv_thread_t thread;
    uv_mutex_t mutex;
    uv_cond_t cond;
    uv_cond_t ended; /* has_ended */
    struct store *store;
    store_thread_problem_fn problem_fn;
    void *problem_data;
    int reported; /* loop only: the problem last told */

    /* Under the mutex. */
    struct store_request *waiting;
    struct store_request *foreign;
    struct store_request *finished;
    size_t n_foreign; /* in the queue */
    size_t n_held;    /* there, or in the thread's hands */
    size_t n_held_bytes;
    bool is_stopping;     /* takes no more requests */
    bool has_ended;       /* the thread will not look at this again */
    bool is_abandoned;    /* nobody waits for it: it frees all this itself */
    int problem;          /* last error of a transaction, 0 when it works */
    uint64_t retry_at_ns; /* while there is a problem */
    uint64_t clock_ms;    /* store_thread_note_clock */
    struct store_thread_counters counters;

    /* The thread's own. */
    uint64_t clock_due_ms; /* to be written with the next transaction; 0: not */
    uint64_t clock_written_ms;
};

/* Wipes; accepts NULL; returns NULL. */
struct store_request *store_request_free(struct store_request *request);
struct store_request *store_request_free_list(struct store_request *list);

/*
 * store_thread_write.c, on the thread: writes what was taken.  `*foreign` is
 * emptied when it was written, and kept when the transaction failed.  Returns
 * the error that remains, 0 when writing works.
 */
_must_check_ int store_thread_write(struct store_thread *thread,
                                    struct store_request *waiting,
                                    struct store_request **foreign);

#endif
