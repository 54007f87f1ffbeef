/*
 * LMDB environment and transactions; see txn.h.  The only file that calls
 * mdb_* functions.
 */
#include "store/txn.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* A short write below this much free space was a full disk. */
#define TXN_SPACE_LOW (1u << 20)
/* What LMDB makes it for its default of 126 readers. */
#define TXN_LOCK_FILE_SIZE 8192

static const char *const db_names[TXN_N_DBS] = {
    [TXN_RECORDS] = "records",   [TXN_HEADS] = "heads",
    [TXN_SETTINGS] = "settings", [TXN_TOKENS] = "tokens",
    [TXN_META] = "meta",
};

static bool is_disk_full(const struct store *store)
{
    struct statvfs info;

    return statvfs(store->directory, &info) == 0 &&
           info.f_bavail * info.f_frsize < TXN_SPACE_LOW;
}

/* LMDB's codes are positive errno values or its own negative ones. */
static int map_error(const struct store *store, int mdb_error)
{
    switch (mdb_error) {
    case 0:
        return 0;
    case MDB_NOTFOUND:
        return STORE_E_NOT_FOUND;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
        return STORE_E_FULL;
    case EIO:
    case MDB_PANIC:
        /* LMDB says EIO for a short write, which is what a disk gives on its
         * way to being full; and a panic is what such a failure leaves. */
        return is_disk_full(store) ? STORE_E_FULL : -EIO;
    case MDB_READERS_FULL:
        return -EAGAIN;
    case MDB_BAD_VALSIZE:
        return -EINVAL;
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH:
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
        return -EBADMSG;
    default:
        return mdb_error > 0 ? -mdb_error : -EIO;
    }
}

/* Opens databases `first` up to but not `end`, making those that lack, unless
 * it is only read. */
static int open_dbs(struct store *store, size_t first, size_t end)
{
    unsigned flags = store->is_readonly ? 0 : MDB_CREATE;
    MDB_txn *mdb = NULL;
    int error = mdb_txn_begin(store->env, NULL,
                              store->is_readonly ? MDB_RDONLY : 0, &mdb);

    for (size_t i = first; i < end && error == 0; i++) {
        error = mdb_dbi_open(mdb, db_names[i], flags, &store->dbs[i]);
    }
    if (error == MDB_NOTFOUND) {
        error = MDB_INVALID; /* only reading: it is not one of ours */
    }
    if (error != 0) {
        mdb_txn_abort(mdb);
        return error;
    }
    return mdb_txn_commit(mdb);
}

/*
 * LMDB maps its lock file for writing, so a hole in it on a full disk would be
 * SIGBUS.  A new one is therefore given its blocks first.
 */
static int allocate_lock_file(const struct store *store)
{
    _cleanup_(free_pointer) char *path = NULL;
    int fd;
    int error;

    if (asprintf(&path, "%s/lock.mdb", store->directory) < 0) {
        path = NULL;
        return ENOMEM;
    }
    fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return errno == EEXIST ? 0 : errno;
    }
    error = posix_fallocate(fd, 0, TXN_LOCK_FILE_SIZE);
    if (error != 0) {
        (void)unlink(path); /* we made it; the error is reported */
    }
    (void)close(fd); /* nothing was buffered */
    return error;
}

/* Who only reads makes no file: it may be of another owner than the one that
 * is to write.  Without a lock file nobody writes, and none is needed. */
static unsigned open_flags(const struct store *store)
{
    _cleanup_(free_pointer) char *path = NULL;
    unsigned flags = MDB_NOTLS;

    if (!store->is_readonly) {
        return flags;
    }
    if (asprintf(&path, "%s/lock.mdb", store->directory) < 0) {
        path = NULL;
        return flags | MDB_RDONLY;
    }
    return flags | MDB_RDONLY | (access(path, F_OK) < 0 ? MDB_NOLOCK : 0u);
}

int txn_open_environment(struct store *store)
{
    int dead = 0;
    int error;

    assert(store->env == NULL);
    error = mdb_env_create(&store->env);
    if (error != 0) {
        store->env = NULL;
        return map_error(store, error);
    }
    error = mdb_env_set_maxdbs(store->env, TXN_N_DBS);
    if (error == 0) {
        error = mdb_env_set_mapsize(store->env, STORE_MAP_SIZE);
    }
    if (error == 0 && !store->is_readonly) {
        error = allocate_lock_file(store);
    }
    if (error == 0) {
        error =
            mdb_env_open(store->env, store->directory, open_flags(store), 0600);
    }
    if (error == 0) {
        /* Readers that were killed would keep old pages from reuse. */
        error = mdb_reader_check(store->env, &dead);
    }
    if (error == 0) {
        error = open_dbs(store, TXN_META, TXN_META + 1);
    }
    if (error != 0) {
        error = map_error(store, error);
        txn_close_environment(store);
    }
    return error;
}

int txn_open_databases(struct store *store)
{
    return map_error(store, open_dbs(store, TXN_META + 1, TXN_N_DBS));
}

static bool is_whole(MDB_env *env)
{
    mdb_filehandle_t fd;
    MDB_envinfo info;
    MDB_stat pages;
    struct stat file;

    return mdb_env_get_fd(env, &fd) == 0 && mdb_env_info(env, &info) == 0 &&
           mdb_env_stat(env, &pages) == 0 && fstat(fd, &file) == 0 &&
           (uint64_t)file.st_size / pages.ms_psize > info.me_last_pgno;
}

int txn_check_copy(struct store *store)
{
    MDB_env *env = NULL;
    int error = mdb_env_create(&env);

    if (error != 0) {
        return map_error(store, error);
    }
    error = mdb_env_open(env, store->directory, MDB_RDONLY | MDB_NOLOCK, 0600);
    if (error == 0 && !is_whole(env)) {
        error = MDB_CORRUPTED;
    }
    mdb_env_close(env);
    return map_error(store, error);
}

void txn_close_environment(struct store *store)
{
    if (store->env != NULL) {
        mdb_env_close(store->env);
        store->env = NULL;
    }
}

static int reopen(struct store *store)
{
    int error;

    error = -pthread_rwlock_wrlock(&store->lock);
    if (error != 0) {
        return error;
    }
    txn_close_environment(store);
    error = txn_open_environment(store);
    if (error == 0) {
        error = txn_open_databases(store);
        if (error != 0) {
            txn_close_environment(store);
        }
    }
    (void)pthread_rwlock_unlock(&store->lock); /* we hold it */
    return error;
}

static int begin_locked(struct store *store, bool is_write, MDB_txn **ret)
{
    return store->env == NULL ? MDB_PANIC
                              : mdb_txn_begin(store->env, NULL,
                                              is_write ? 0 : MDB_RDONLY, ret);
}

int txn_begin(struct store *store, bool is_write, struct txn *ret)
{
    MDB_txn *mdb = NULL;
    int error;

    for (int attempt = 0; attempt < 2; attempt++) {
        error = -pthread_rwlock_rdlock(&store->lock);
        if (error != 0) {
            return error;
        }
        error = begin_locked(store, is_write, &mdb);
        if (error == 0) {
            *ret =
                (struct txn){.store = store, .mdb = mdb, .is_write = is_write};
            return 0;
        }
        (void)pthread_rwlock_unlock(&store->lock); /* we hold it */
        if (error != MDB_PANIC) {
            break;
        }
        error = reopen(store);
        if (error != 0) {
            return error;
        }
    }
    return map_error(store, error);
}

int txn_copy(struct store *store, int fd)
{
    int error = -pthread_rwlock_rdlock(&store->lock);

    if (error != 0) {
        return error;
    }
    error = store->env == NULL
                ? MDB_PANIC
                : mdb_env_copyfd2(store->env, fd, MDB_CP_COMPACT);
    (void)pthread_rwlock_unlock(&store->lock); /* we hold it */
    return map_error(store, error);
}

static void end(struct txn *txn)
{
    txn->mdb = NULL;
    (void)pthread_rwlock_unlock(&txn->store->lock); /* held since begin */
}

static int fail(struct txn *txn, int mdb_error)
{
    if (mdb_error != 0) {
        txn->error = map_error(txn->store, mdb_error);
    }
    return txn->error;
}

int txn_commit(struct txn *txn)
{
    int error;

    if (txn->error != 0) {
        txn_abort(txn);
        return txn->error;
    }
    error = mdb_txn_commit(txn->mdb); /* frees it in every case */
    end(txn);
    return fail(txn, error);
}

void txn_abort(struct txn *txn)
{
    if (txn->mdb != NULL) {
        mdb_txn_abort(txn->mdb);
        end(txn);
    }
}

/* LMDB's interface lacks const; it does not write through keys or values. */
static MDB_val to_val(const void *bytes, size_t size)
{
    union {
        const void *in;
        void *out;
    } pointer = {.in = bytes};

    return (MDB_val){.mv_data = pointer.out, .mv_size = size};
}

int txn_get(struct txn *txn, enum txn_db db, const void *key, size_t key_size,
            struct txn_bytes *ret)
{
    MDB_val name = to_val(key, key_size);
    MDB_val value;
    int error;

    if (txn->error != 0) {
        return txn->error;
    }
    error = mdb_get(txn->mdb, txn->store->dbs[db], &name, &value);
    if (error == MDB_NOTFOUND) {
        return STORE_E_NOT_FOUND;
    }
    if (error == 0) {
        *ret =
            (struct txn_bytes){.bytes = value.mv_data, .size = value.mv_size};
    }
    return fail(txn, error);
}

int txn_put(struct txn *txn, enum txn_db db, const void *key, size_t key_size,
            const void *value, size_t size)
{
    MDB_val name = to_val(key, key_size);
    MDB_val data = to_val(value, size);

    if (txn->error != 0) {
        return txn->error;
    }
    return fail(txn, mdb_put(txn->mdb, txn->store->dbs[db], &name, &data, 0));
}

int txn_erase(struct txn *txn, enum txn_db db, const void *key, size_t key_size)
{
    MDB_val name = to_val(key, key_size);
    int error;

    if (txn->error != 0) {
        return txn->error;
    }
    error = mdb_del(txn->mdb, txn->store->dbs[db], &name, NULL);
    return fail(txn, error == MDB_NOTFOUND ? 0 : error);
}

static int each(struct txn *txn, MDB_cursor *cursor, const void *from,
                size_t from_size, txn_each_fn fn, void *data)
{
    MDB_val key = to_val(from, from_size);
    MDB_val value;
    int error;

    error = mdb_cursor_get(cursor, &key, &value,
                           from == NULL ? MDB_FIRST : MDB_SET_RANGE);
    while (error == 0) {
        bool is_erased = false;

        error = fn(
            (struct txn_bytes){.bytes = key.mv_data, .size = key.mv_size},
            (struct txn_bytes){.bytes = value.mv_data, .size = value.mv_size},
            &is_erased, data);
        if (error != 0) {
            return error;
        }
        if (is_erased) {
            assert(txn->is_write);
            error = mdb_cursor_del(cursor, 0);
            if (error != 0) {
                break;
            }
        }
        error = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    return fail(txn, error == MDB_NOTFOUND ? 0 : error);
}

int txn_each(struct txn *txn, enum txn_db db, const void *from,
             size_t from_size, txn_each_fn fn, void *data)
{
    MDB_cursor *cursor = NULL;
    int error;

    if (txn->error != 0) {
        return txn->error;
    }
    error = mdb_cursor_open(txn->mdb, txn->store->dbs[db], &cursor);
    if (error != 0) {
        return fail(txn, error);
    }
    error = each(txn, cursor, from, from_size, fn, data);
    mdb_cursor_close(cursor);
    return error;
}
