/*
 * Transactions on the LMDB environment that remember their first error (the
 * shape is knot's knot_lmdb.h): after one call failed, the later ones do
 * nothing and commit returns that error.  Private to store/.
 *
 * Also here: opening the environment, since an environment that LMDB itself
 * gave up (MDB_PANIC, after it could not write a meta page, which file systems
 * that copy on write do when full) is opened anew between transactions.
 */
#ifndef SOCKETNET_STORE_TXN_H
#define SOCKETNET_STORE_TXN_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lmdb.h>

#include "gossip/base/macros.h"
#include "gossip/wire/record.h"
#include "store/store.h"

enum txn_db {
    TXN_META = 0, /* first: says whether the others are ours to open */
    TXN_RECORDS,
    TXN_HEADS,
    TXN_SETTINGS,
    TXN_TOKENS,
    TXN_N_DBS,
};

struct store {
    char *directory;
    bool is_readonly;
    MDB_env *env; /* NULL only while reopening failed */
    MDB_dbi dbs[TXN_N_DBS];
    /* Shared by open transactions, exclusive while reopening. */
    pthread_rwlock_t lock;
};

struct txn {
    struct store *store;
    MDB_txn *mdb; /* NULL when closed */
    bool is_write;
    int error; /* first one, as store.h's functions return it */
};

/* store.h's batch is a write transaction. */
struct store_batch {
    struct txn txn;
};

/* Borrowed bytes: valid until the transaction writes or ends. */
struct txn_bytes {
    const void *bytes;
    size_t size;
};

/* Opens store->directory, and in it TXN_META alone.  0, negative errno,
 * STORE_E_FULL. */
_must_check_ int txn_open_environment(struct store *store);
/* All others, which what another version wrote is kept from.  As above. */
_must_check_ int txn_open_databases(struct store *store);
void txn_close_environment(struct store *store);

/* Writes the last committed state to a file, without what is free in it.  0,
 * negative errno, STORE_E_FULL (of the file's disk, or a limit of it). */
_must_check_ int txn_copy(struct store *store, int fd);
/* Whether the file of a copy has every page that it speaks of; the store is
 * not open.  0, or -EBADMSG, or what opening says. */
_must_check_ int txn_check_copy(struct store *store);

/* Begins a transaction; reopens an environment that panicked. */
_must_check_ int txn_begin(struct store *store, bool is_write, struct txn *ret);
/* Ends it.  0, or its first error, which undid everything. */
_must_check_ int txn_commit(struct txn *txn);
/* Ends it without effect; no-op when it has ended. */
void txn_abort(struct txn *txn);

/* 0; STORE_E_NOT_FOUND (not remembered); an error. */
_must_check_ int txn_get(struct txn *txn, enum txn_db db, const void *key,
                         size_t key_size, struct txn_bytes *ret);
_must_check_ int txn_put(struct txn *txn, enum txn_db db, const void *key,
                         size_t key_size, const void *value, size_t size);
/* 0 also when there was none. */
_must_check_ int txn_erase(struct txn *txn, enum txn_db db, const void *key,
                           size_t key_size);

/*
 * Calls fn for each entry from the first one >= `from` (NULL: from the start)
 * in order of key, until non-zero, and returns that; `*ret_erase` set to true
 * by fn erases the entry (write transactions).
 */
typedef int (*txn_each_fn)(struct txn_bytes key, struct txn_bytes value,
                           bool *ret_erase, void *data);
_must_check_ int txn_each(struct txn *txn, enum txn_db db, const void *from,
                          size_t from_size, txn_each_fn fn, void *data);

#endif
