/*
 * Durable state in LMDB: records exactly as received, writers' high-water
 * marks, tokens, and a few settings.  Synchronous;
 * agent/core/store_thread.c calls it from the one store thread, so the gossip
 * loop never waits for a disk. Key encoding is in keys.h, the schema's version
 * in schema.h, both described in docs/STORE.md.
 *
 * Environment flags: neither MDB_NOSYNC nor MDB_WRITEMAP (a full disk must be
 * an error code, not SIGBUS), MDB_NOTLS, MDB_NOSUBDIR off.
 */
#ifndef SOCKETNET_STORE_STORE_H
#define SOCKETNET_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/base/address.h"
#include "gossip/base/limits.h"
#include "gossip/base/macros.h"
#include "gossip/wire/record.h"

#define STORE_SCHEMA_VERSION   2
#define STORE_MAP_SIZE         (1024u << 20) /* address space, not disk */
#define STORE_SETTING_NAME_MAX 255
/* Expired and used tokens are kept so long, for people who ask why. */
#define STORE_TOKEN_KEPT_S 86400u

struct store;
struct store_batch;

enum store_error {
    STORE_E_NOT_FOUND = 1, /* see each function */
    STORE_E_SCHEMA = 2,    /* written by a newer version: refuse, say so */
    STORE_E_CLUSTER = 3,   /* belongs to another cluster */
    STORE_E_FULL = 4,      /* disk or map full: nothing of the batch was kept */
    STORE_E_USED = 5,      /* store_token_redeem: used before */
    STORE_E_EXPIRED = 6,   /* store_token_redeem */
    STORE_E_REVOKED = 7,   /* store_token_redeem: store_token_revoke came */
    STORE_E_OLDER = 8,     /* written by an older release: refuse, say so */
};

/* Opens (creates) the environment in `directory`, mode 0600.  0, negative
 * errno, STORE_E_SCHEMA, _OLDER, _CLUSTER.  cluster NULL: do not check. */
_must_check_ int store_open(const char *directory,
                            const uint8_t cluster[RECORD_CLUSTER_SIZE],
                            struct store **ret);
/* For reading alone, also beside the process that writes; makes nothing.  0,
 * negative errno (-EBADMSG: it is no whole store), STORE_E_SCHEMA, _OLDER,
 * _CLUSTER. */
_must_check_ int store_open_readonly(const char *directory,
                                     const uint8_t cluster[RECORD_CLUSTER_SIZE],
                                     struct store **ret);
struct store *store_close(struct store *store);
/* As given to store_open; valid until store_close. */
const char *store_directory(const struct store *store);

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
/* `name` is 1 to STORE_SETTING_NAME_MAX bytes.  value NULL erases it. */
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

/* Calls fn for each setting whose name begins with `prefix`, in order of name,
 * until non-zero, and returns that. */
typedef int (*store_setting_fn)(const char *name, const void *value,
                                size_t size, void *data);
_must_check_ int store_settings_each(struct store *store, const char *prefix,
                                     store_setting_fn fn, void *data);

/* A join token as its issuer keeps it: who may redeem it, until when, and
 * what the certificate will say.  Limits are those of a certificate. */
#define STORE_TOKEN_ID_SIZE       8
#define STORE_TOKEN_FUNCTIONS     LIMIT_CERT_FUNCTIONS
#define STORE_TOKEN_FUNCTION_SIZE (LIMIT_NAME_LEN + 1)
struct store_token {
    uint8_t id[STORE_TOKEN_ID_SIZE];
    uint8_t secret_hash[32];       /* BLAKE2b-256 of the secret */
    uint64_t expires_s;            /* since 1970 */
    uint64_t used_s;               /* 0 = not yet */
    uint64_t revoked_s;            /* 0 = not */
    uint8_t used_by[32];           /* signing key that redeemed it */
    char name[LIMIT_NAME_LEN + 1]; /* empty: the joiner says it */
    struct address mesh[LIMIT_CERT_ADDRESSES]; /* none: the joiner says them */
    size_t n_mesh;
    struct prefix subnets[LIMIT_CERT_SUBNETS]; /* of its containers; likewise */
    size_t n_subnets;
    char functions[STORE_TOKEN_FUNCTIONS][STORE_TOKEN_FUNCTION_SIZE];
    size_t n_functions;
};
/* 0; -EINVAL (more of something than there are places, an address of no
 * family, a prefix too long); STORE_E_FULL; negative errno. */
_must_check_ int store_put_token(struct store_batch *batch,
                                 const struct store_token *token);
_must_check_ int store_get_token(struct store *store,
                                 const uint8_t id[STORE_TOKEN_ID_SIZE],
                                 struct store_token *ret);
/* Marks the token used by the joiner whose signing key is `by`, in a synced
 * transaction of its own, before any certificate may leave.  Redeeming again
 * by the same key within the token's life succeeds, since an answer can get
 * lost.  0, STORE_E_NOT_FOUND, _USED, _EXPIRED, _REVOKED, _FULL, or negative
 * errno. */
_must_check_ int store_token_redeem(struct store *store,
                                    const uint8_t id[STORE_TOKEN_ID_SIZE],
                                    const uint8_t by[32], uint64_t now_s,
                                    struct store_token *ret);
/* Nobody may redeem it from now on, not even again who has.  Synced.  0 also
 * when it was revoked before; STORE_E_NOT_FOUND, _FULL, or negative errno. */
_must_check_ int store_token_revoke(struct store *store,
                                    const uint8_t id[STORE_TOKEN_ID_SIZE],
                                    uint64_t now_s);
/* Calls fn for each token until non-zero. */
typedef int (*store_token_fn)(const struct store_token *token, void *data);
_must_check_ int store_tokens_each(struct store *store, store_token_fn fn,
                                   void *data);

/* Removes tombstones, tokens and marks whose time is over: see STORE.md.  Call
 * it before the records are read at start: the node is not told of it.  0,
 * STORE_E_FULL, negative errno. */
_must_check_ int store_expire(struct store *store, uint64_t now_s);

/* Writes a consistent copy, as a data.mdb, to the descriptor; whoever writes
 * goes on meanwhile.  0, negative errno, STORE_E_FULL. */
_must_check_ int store_copy(struct store *store, int fd);
/* Opens such a copy for reading, when it is not cut off: a page that it lacks
 * would be a signal.  Results as of store_open_readonly. */
_must_check_ int store_open_copy(const char *directory,
                                 const uint8_t cluster[RECORD_CLUSTER_SIZE],
                                 struct store **ret);

/* What store_check found; `n_faults` of them were told. */
struct store_checked {
    size_t n_records;
    size_t n_heads;
    size_t n_settings;
    size_t n_tokens;
    size_t n_faults;
};

/*
 * Looks at everything: each record's signature, cluster, place and mark, each
 * mark, token.  Tells each fault, in words that are valid during the
 * call.  0 also when there are some; negative errno when it could not be read.
 */
typedef void (*store_fault_fn)(const char *text, void *data);
_must_check_ int store_check(struct store *store, store_fault_fn fn, void *data,
                             struct store_checked *ret);
/* Calls fn for each writer's mark in order of writer, until non-zero. */
typedef int (*store_head_fn)(const uint8_t writer[RECORD_WRITER_SIZE],
                             struct record_order head, void *data);
_must_check_ int store_heads_each(struct store *store, store_head_fn fn,
                                  void *data);

/* What a negative errno or STORE_E_* means, for people; never NULL. */
const char *store_error_text(int error);

#endif
