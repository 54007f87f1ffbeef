/*
 * The one thread that reads and writes LMDB while the loop runs.  The loop
 * queues requests; the thread puts everything that waits into one transaction,
 * syncs it, and calls back on the loop.  What has somebody waiting (own
 * records, settings, tokens) is committed at once, together with what others
 * there is; foreign records wait for company, at most STORE_THREAD_DELAY_MS, so
 * they are durable within 100 ms.
 *
 * When a transaction fails, each waiting request is tried by itself and gets
 * its own error; foreign records stay queued and are tried again every
 * STORE_THREAD_RETRY_MS, so nothing is lost when space comes back.  Reads go
 * on meanwhile.  A read is made here too: one that misses the page cache waits
 * for the disk, and the loop may not.
 *
 * All functions are for the loop's thread.  Callbacks run on the loop, never
 * from inside a call.
 */
#ifndef SOCKETNET_AGENT_CORE_STORE_THREAD_H
#define SOCKETNET_AGENT_CORE_STORE_THREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "gossip/base/macros.h"
#include "store/store.h"

#define STORE_THREAD_DELAY_MS 50
#define STORE_THREAD_RETRY_MS 1000
/* So much of foreign records waits for the disk at most, what is being written
 * included; more is dropped and counted (the disk is full, or slower than the
 * news).  They stay in the node's view; anti-entropy fetches them again after
 * a restart. */
#define STORE_THREAD_QUEUE_BYTES   (16u << 20)
#define STORE_THREAD_QUEUE_RECORDS 65536u

/* Setting: the latest time that this node has seen, u64 ms since 1970. */
#define STORE_THREAD_CLOCK      "clock"
#define STORE_THREAD_CLOCK_SIZE 8
#define STORE_THREAD_CLOCK_MS   60000u

struct store_thread;

/* error: 0, negative errno, or STORE_E_FULL and the like. */
typedef void (*store_thread_done_fn)(int error, void *data);
/* `token` is NULL unless error is 0; valid during the call. */
typedef void (*store_thread_token_fn)(int error,
                                      const struct store_token *token,
                                      void *data);
/* Anything with the store, on its thread; what it returns goes to `done`.  It
 * may not use what the loop has in its hands. */
typedef int (*store_thread_call_fn)(struct store *store, void *data);
/* Writing began to fail, or (NULL) works again.  The text says what, why and
 * what to do; valid during the call. */
typedef void (*store_thread_problem_fn)(const char *problem, void *data);

struct store_thread_counters {
    uint64_t commits;
    uint64_t commits_failed;
    uint64_t requests;
    uint64_t dropped;       /* foreign requests, see above */
    uint64_t waiting;       /* foreign requests not on disk yet, and ... */
    uint64_t waiting_bytes; /* ... their size */
    uint64_t commit_max_us; /* slowest commit yet */
};

/* Starts the thread.  Takes `store` over: until store_thread_free nobody else
 * may use it.  0 or negative errno (the
 * store is then still the caller's).  `problem_fn` may be NULL. */
_must_check_ int store_thread_new(uv_loop_t *loop, struct store *store,
                                  store_thread_problem_fn problem_fn,
                                  void *problem_data,
                                  struct store_thread **ret);
/* How long a disk that does not answer may hold up the end: less than the
 * launcher waits before it kills core. */
#define STORE_THREAD_STOP_MS 6000
/* Commits what is queued, ends the thread, makes every outstanding callback,
 * closes the store.  When the disk takes longer than STORE_THREAD_STOP_MS, that
 * is told by `problem_fn`, callbacks of what it has do not come, and the thread
 * is left to itself; the process should end then.  The uv handle closes with
 * the loop's next turn: run the loop once more. */
struct store_thread *store_thread_free(struct store_thread *thread);

/* A record of this node: `done` comes when it is on disk.  `bytes` is copied.
 * 0; -ENOMEM, or -ECANCELED from inside store_thread_free: `done` will not be
 * called.  The other requests likewise. */
_must_check_ int store_thread_put_own(struct store_thread *thread,
                                      const uint8_t *bytes, size_t size,
                                      store_thread_done_fn done, void *data);
/* A record of another; committed within 100 ms. */
_must_check_ int store_thread_put_foreign(struct store_thread *thread,
                                          const uint8_t *bytes, size_t size);
/* Erases (writer, kind, key) of `bytes` unless something newer is there. */
_must_check_ int store_thread_erase(struct store_thread *thread,
                                    const uint8_t *bytes, size_t size);
/* value NULL erases the setting.  `done` may be NULL. */
_must_check_ int store_thread_put_setting(struct store_thread *thread,
                                          const char *name, const void *value,
                                          size_t size,
                                          store_thread_done_fn done,
                                          void *data);
_must_check_ int store_thread_put_token(struct store_thread *thread,
                                        const struct store_token *token,
                                        store_thread_done_fn done, void *data);
/* store_token_redeem; `done` gets the token as stored. */
_must_check_ int store_thread_redeem(struct store_thread *thread,
                                     const uint8_t id[STORE_TOKEN_ID_SIZE],
                                     const uint8_t by[32], uint64_t now_s,
                                     store_thread_token_fn done, void *data);

/* store_get_token, after what was asked for before. */
_must_check_ int store_thread_get_token(struct store_thread *thread,
                                        const uint8_t id[STORE_TOKEN_ID_SIZE],
                                        store_thread_token_fn done, void *data);
/* `call` runs on the thread, `done` then on the loop; both get `data`. */
_must_check_ int store_thread_call(struct store_thread *thread,
                                   store_thread_call_fn call,
                                   store_thread_done_fn done, void *data);

/* The time now.  It is kept with the next write of something else, once in
 * STORE_THREAD_CLOCK_MS of it at most: it is worth no synchronisation. */
void store_thread_note_clock(struct store_thread *thread, uint64_t wall_ms);

struct store_thread_counters
store_thread_counters_get(struct store_thread *thread);

#endif
