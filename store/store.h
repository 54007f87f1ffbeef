/*
 * Durable state in LMDB: records exactly as received, writers' high-water
 * marks, tokens, and a few settings.  Synchronous; agent/store_thread.c calls
 * it from the one store thread, so the gossip loop never waits for a disk.
 * Key encoding is in keys.h, the schema's version in schema.h, both
 * described in docs/STORE.md.
 *
 * Environment flags: neither MDB_NOSYNC nor MDB_WRITEMAP (a full disk must be
 * an error code, not SIGBUS), MDB_NOTLS, MDB_NOSUBDIR off.
 */
#ifndef SOCKETNET_STORE_STORE_H
#define SOCKETNET_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/base/macros.h"
#include "gossip/record.h"

#define STORE_SCHEMA_VERSION 1
#define STORE_MAP_SIZE       (1024u << 20) /* address space, not disk */

struct store;
struct store_batch;

enum store_error {
    STORE_E_NOT_FOUND = 1,
    STORE_E_SCHEMA = 2,  /* written by a newer version: refuse, say so */
    STORE_E_CLUSTER = 3, /* belongs to another cluster */
    STORE_E_FULL = 4,    /* disk or map full: nothing of the batch was kept */
    STORE_E_USED = 5,    /* store_token_redeem: used before */
    STORE_E_EXPIRED = 6, /* store_token_redeem */
};

/* Opens (creates) the environment in `directory`, mode 0600.  0, negative
 * errno, STORE_E_SCHEMA, STORE_E_CLUSTER.  cluster NULL: do not check. */
_must_check_ int store_open(const char *directory,
                            const uint8_t cluster[RECORD_CLUSTER_SIZE],
                            struct store **ret);
struct store *store_close(struct store *store);

/* One write transaction.  Put and erase only queue inside it; commit syncs
 * and makes all of it durable or nothing. */
_must_check_ int store_batch_begin(struct store *store,
                                   struct store_batch **ret);
/* Keeps the record if it is newer than the stored one of the same (writer,
 * kind, key; a tombstone takes the place of what it ends), and raises the
 * writer's high-water mark.  0 or negative errno, STORE_E_FULL. */
_must_check_ int store_put_record(struct store_batch *batch,
                                  const uint8_t *bytes, size_t size);
_must_check_ int store_erase_record(struct store_batch *batch,
                                    const uint8_t *bytes, size_t size);
_must_check_ int store_put_setting(struct store_batch *batch, const char *name,
                                   const void *value, size_t size);
/* 0; negative errno; STORE_E_FULL.  Frees the batch in every case. */
_must_check_ int store_batch_commit(struct store_batch *batch);
void store_batch_abort(struct store_batch *batch);

/* Calls fn for every record in ascending key order until non-zero. */
typedef int (*store_record_fn)(const uint8_t *bytes, size_t size, void *data);
_must_check_ int store_records_each(struct store *store, store_record_fn fn,
                                    void *data);
/* Highest (epoch, seq) ever seen of a writer, also when all its records are
 * gone.  0 or STORE_E_NOT_FOUND. */
_must_check_ int store_high_water(struct store *store,
                                  const uint8_t writer[RECORD_WRITER_SIZE],
                                  struct record_order *ret);
/* Copies at most `size` bytes; 0 and the full size, or STORE_E_NOT_FOUND. */
_must_check_ int store_get_setting(struct store *store, const char *name,
                                   void *value, size_t size, size_t *ret_size);

/* A join token as its issuer keeps it. */
#define STORE_TOKEN_ID_SIZE 8
struct store_token {
    uint8_t id[STORE_TOKEN_ID_SIZE];
    uint8_t secret_hash[32]; /* BLAKE2b-256 of the secret */
    uint64_t expires_s;      /* since 1970 */
    uint64_t used_s;         /* 0 = not yet */
    char functions[16][64];
    size_t n_functions;
};
_must_check_ int store_put_token(struct store_batch *batch,
                                 const struct store_token *token);
_must_check_ int store_get_token(struct store *store,
                                 const uint8_t id[STORE_TOKEN_ID_SIZE],
                                 struct store_token *ret);
/* Marks the token used, in a synced transaction of its own, before any
 * certificate may leave.  0, STORE_E_NOT_FOUND, _USED, _EXPIRED, _FULL. */
_must_check_ int store_token_redeem(struct store *store,
                                    const uint8_t id[STORE_TOKEN_ID_SIZE],
                                    uint64_t now_s, struct store_token *ret);
/* Calls fn for each token until non-zero. */
typedef int (*store_token_fn)(const struct store_token *token, void *data);
_must_check_ int store_tokens_each(struct store *store, store_token_fn fn,
                                   void *data);

/* Removes tombstones, tokens and marks whose time is over: see STORE.md. */
_must_check_ int store_expire(struct store *store, uint64_t now_s);

#endif
