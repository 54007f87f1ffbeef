/*
 * The store when LMDB itself refuses: each operation is tried with its n-th
 * call of LMDB failing, for every n.  The error is told, outputs are left
 * alone, no transaction or cursor stays open, nothing or all of a write is
 * kept, and afterwards the same works.  The linker sends the calls through
 * here (ld --wrap); real failures of a disk are test_store_io's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <lmdb.h>
#include <unistd.h>

#include "store/store.h"
#include "tests/unit/records.h"
#include "tests/unit/scratch.h"

/* More than any operation here calls. */
#define N_MAX 200

static const uint8_t cluster[RECORD_CLUSTER_SIZE] = {1};

/* --- LMDB as the store sees it -------------------------------------------- */

static unsigned n_until_failure; /* 0: none fails */
static int failure;
static bool has_failed;
static bool begins_panic; /* every mdb_txn_begin says MDB_PANIC */
static unsigned n_panics; /* so many of the next ones do */
static int n_open;        /* transactions and cursors */

static int fails(void)
{
    if (n_until_failure == 0 || --n_until_failure > 0) {
        return 0;
    }
    has_failed = true;
    return failure;
}

static void arm(unsigned n, int code)
{
    n_until_failure = n;
    failure = code;
    has_failed = false;
}

static bool disarm(void)
{
    n_until_failure = 0;
    n_panics = 0;
    begins_panic = false;
    return has_failed;
}

/* Declares a wrapped function and the real one. */
#define WRAPPED(name, ...)                                                     \
    int __real_##name(__VA_ARGS__);                                            \
    int __wrap_##name(__VA_ARGS__);                                            \
    int __wrap_##name(__VA_ARGS__)

/* The names are the linker's. */
/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c) */
WRAPPED(mdb_env_create, MDB_env **env)
{
    int r = fails();

    return r != 0 ? r : __real_mdb_env_create(env);
}

WRAPPED(mdb_env_set_maxdbs, MDB_env *env, MDB_dbi dbs)
{
    int r = fails();

    return r != 0 ? r : __real_mdb_env_set_maxdbs(env, dbs);
}

WRAPPED(mdb_env_set_mapsize, MDB_env *env, size_t size)
{
    int r = fails();

    return r != 0 ? r : __real_mdb_env_set_mapsize(env, size);
}

WRAPPED(mdb_env_open, MDB_env *env, const char *path, unsigned flags,
        mdb_mode_t mode)
{
    int r = fails();

    return r != 0 ? r : __real_mdb_env_open(env, path, flags, mode);
}

WRAPPED(mdb_reader_check, MDB_env *env, int *dead)
{
    int r = fails();

    return r != 0 ? r : __real_mdb_reader_check(env, dead);
}

WRAPPED(mdb_txn_begin, MDB_env *env, MDB_txn *parent, unsigned flags,
        MDB_txn **txn)
{
    int r = fails();

    if (begins_panic || n_panics > 0) {
        n_panics -= n_panics > 0;
        return MDB_PANIC;
    }
    r = r != 0 ? r : __real_mdb_txn_begin(env, parent, flags, txn);
    n_open += r == 0;
    return r;
}

void __real_mdb_txn_abort(MDB_txn *txn);
void __wrap_mdb_txn_abort(MDB_txn *txn);
void __wrap_mdb_txn_abort(MDB_txn *txn)
{
    n_open -= txn != NULL;
    __real_mdb_txn_abort(txn);
}

WRAPPED(mdb_txn_commit, MDB_txn *txn)
{
    int r = fails();

    n_open--;
    if (r != 0) {
        __real_mdb_txn_abort(txn);
        return r;
    }
    return __real_mdb_txn_commit(txn);
}

WRAPPED(mdb_dbi_open, MDB_txn *txn, const char *name, unsigned flags,
        MDB_dbi *dbi)
{
    int r = fails();

    return r != 0 ? r : __real_mdb_dbi_open(txn, name, flags, dbi);
}

WRAPPED(mdb_get, MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data)
{
    int r = fails();

    return r != 0 ? r : __real_mdb_get(txn, dbi, key, data);
}

WRAPPED(mdb_put, MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data,
        unsigned flags)
{
    int r = fails();

    return r != 0 ? r : __real_mdb_put(txn, dbi, key, data, flags);
}

WRAPPED(mdb_del, MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data)
{
    int r = fails();

    return r != 0 ? r : __real_mdb_del(txn, dbi, key, data);
}

WRAPPED(mdb_cursor_open, MDB_txn *txn, MDB_dbi dbi, MDB_cursor **cursor)
{
    int r = fails();

    r = r != 0 ? r : __real_mdb_cursor_open(txn, dbi, cursor);
    n_open += r == 0;
    return r;
}

void __real_mdb_cursor_close(MDB_cursor *cursor);
void __wrap_mdb_cursor_close(MDB_cursor *cursor);
void __wrap_mdb_cursor_close(MDB_cursor *cursor)
{
    n_open--;
    __real_mdb_cursor_close(cursor);
}

WRAPPED(mdb_cursor_get, MDB_cursor *cursor, MDB_val *key, MDB_val *data,
        MDB_cursor_op op)
{
    int r = fails();

    return r != 0 ? r : __real_mdb_cursor_get(cursor, key, data, op);
}

WRAPPED(mdb_cursor_del, MDB_cursor *cursor, unsigned flags)
{
    int r = fails();

    return r != 0 ? r : __real_mdb_cursor_del(cursor, flags);
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c) */

/* --- The fixture ---------------------------------------------------------- */

struct fixture {
    struct scratch scratch;
    char directory[128];
    struct store *store;
    struct test_writer writer;
    uint8_t turn; /* grows: what is written differs each time */
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    (void)alarm(60); /* what waits for its own lock fails, and does not hang */
    fixture->scratch = scratch_make();
    fixture->writer = test_writer_make(1);
    strcpy(fixture->directory, scratch_path(&fixture->scratch, "db"));
    assert_int_equal(store_open(fixture->directory, cluster, &fixture->store),
                     0);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    (void)disarm();
    store_close(fixture->store);
    scratch_remove(&fixture->scratch);
    free(fixture);
    (void)alarm(0);
    return 0;
}

static struct store_token token_of(uint8_t turn)
{
    return (struct store_token){.id = {1}, .expires_s = 1000u + turn};
}

/* A record of this turn, a tombstone that is over, a setting, a token. */
static int write_turn(struct fixture *fixture, uint8_t turn)
{
    struct store_token token = token_of(turn);
    struct store_batch *batch = NULL;
    struct test_record record;
    int error = store_batch_begin(fixture->store, &batch);

    if (error != 0) {
        return error;
    }
    test_record_service(&fixture->writer, 1, turn, "redis", &record);
    error = store_put_record(batch, record.bytes, record.size);
    if (error == 0) {
        error = store_put_setting(batch, "turn", &turn, 1);
    }
    if (error == 0) {
        error = store_put_setting(batch, "gone", NULL, 0);
    }
    if (error == 0) {
        error = store_put_token(batch, &token);
    }
    if (error != 0) {
        store_batch_abort(batch);
        return error;
    }
    return store_batch_commit(batch);
}

static uint8_t turn_of(struct fixture *fixture)
{
    uint8_t turn = 0;
    size_t size = 0;
    int error =
        store_get_setting(fixture->store, "turn", &turn, sizeof(turn), &size);

    assert_true(error == 0 || error == STORE_E_NOT_FOUND);
    return turn;
}

/* Highest order of the writer; 0 when there is none. */
static uint64_t mark_of(struct fixture *fixture)
{
    struct record_order order = {0};
    int error =
        store_high_water(fixture->store, fixture->writer.public, &order);

    assert_true(error == 0 || error == STORE_E_NOT_FOUND);
    return order.seq;
}

/* --- The operations: each with its n-th call failing -----------------------
 */

/* Prepares what `try` needs; `try` does the operation; `see` looks whether it
 * was done and whether it was not. */
struct operation {
    void (*prepare)(struct fixture *fixture);
    int (*try)(struct fixture *fixture);
    void (*see)(struct fixture *fixture, bool is_done);
};

static void try_with_each_call_failing(struct fixture *fixture,
                                       const struct operation *operation,
                                       unsigned n_at_least)
{
    bool is_failed = true;
    unsigned n_failed = 0;

    for (unsigned n = 1; is_failed; n++) {
        int error;

        assert_true(n < N_MAX);
        fixture->turn++;
        operation->prepare(fixture);
        arm(n, MDB_CORRUPTED);
        error = operation->try(fixture);
        is_failed = disarm();
        assert_int_equal(error, is_failed ? -EBADMSG : 0);
        assert_int_equal(n_open, 0);
        operation->see(fixture, !is_failed);
        n_failed += is_failed;
    }
    assert_true(n_failed >= n_at_least);
}

static void prepare_nothing(struct fixture *fixture)
{
    (void)fixture;
}

static void prepare_turn(struct fixture *fixture)
{
    assert_int_equal(write_turn(fixture, fixture->turn), 0);
}

static int try_write(struct fixture *fixture)
{
    return write_turn(fixture, fixture->turn);
}

static void see_written(struct fixture *fixture, bool is_done)
{
    uint8_t turn = fixture->turn;
    struct store_token token = token_of(turn);
    struct store_token found = {0};
    int error = store_get_token(fixture->store, token.id, &found);

    assert_int_equal(found.expires_s == token.expires_s, is_done);
    assert_true(error == 0 || turn == 1);
    assert_int_equal(turn_of(fixture), is_done ? turn : turn - 1);
    assert_int_equal(mark_of(fixture), is_done ? turn : turn - 1);
    if (!is_done) {
        assert_int_equal(write_turn(fixture, turn), 0);
    }
}

static void a_batch(void **state)
{
    static const struct operation operation = {prepare_nothing, try_write,
                                               see_written};

    /* begin, get, put, get, put, put, del, put, commit */
    try_with_each_call_failing(*state, &operation, 9);
}

static void prepare_closed(struct fixture *fixture)
{
    fixture->store = store_close(fixture->store);
}

static int try_open(struct fixture *fixture)
{
    return store_open(fixture->directory, cluster, &fixture->store);
}

static void see_open(struct fixture *fixture, bool is_done)
{
    assert_true((fixture->store != NULL) == is_done);
    if (!is_done) {
        assert_int_equal(
            store_open(fixture->directory, cluster, &fixture->store), 0);
    }
}

static void opening(void **state)
{
    static const struct operation operation = {prepare_closed, try_open,
                                               see_open};

    /* five of the environment, begin, five databases, commit; begin, two
     * settings of the schema */
    try_with_each_call_failing(*state, &operation, 15);
}

/* A store that was never opened is given its schema and its cluster. */
static void prepare_none(struct fixture *fixture)
{
    fixture->store = store_close(fixture->store);
    scratch_remove(&fixture->scratch);
    fixture->scratch = scratch_make();
    strcpy(fixture->directory, scratch_path(&fixture->scratch, "db"));
}

static void see_made(struct fixture *fixture, bool is_done)
{
    const uint8_t other[RECORD_CLUSTER_SIZE] = {2};
    struct store *store = NULL;

    see_open(fixture, is_done);
    fixture->store = store_close(fixture->store);
    assert_int_equal(store_open(fixture->directory, other, &store),
                     STORE_E_CLUSTER);
    assert_int_equal(store_open(fixture->directory, cluster, &fixture->store),
                     0);
}

static void making(void **state)
{
    static const struct operation operation = {prepare_none, try_open,
                                               see_made};

    try_with_each_call_failing(*state, &operation, 20);
}

static int try_erase(struct fixture *fixture)
{
    struct store_batch *batch = NULL;
    struct test_record record;
    int error = store_batch_begin(fixture->store, &batch);

    if (error != 0) {
        return error;
    }
    test_record_service(&fixture->writer, 1, fixture->turn, "redis", &record);
    error = store_erase_record(batch, record.bytes, record.size);
    if (error != 0) {
        store_batch_abort(batch);
        return error;
    }
    return store_batch_commit(batch);
}

static int count_record(const uint8_t *bytes, size_t size, void *data)
{
    (void)bytes;
    (void)size;
    (*(size_t *)data)++;
    return 0;
}

static void see_erased(struct fixture *fixture, bool is_done)
{
    size_t n = 0;

    assert_int_equal(store_records_each(fixture->store, count_record, &n), 0);
    assert_int_equal(n, is_done ? 0 : 1);
}

static void erasing(void **state)
{
    static const struct operation operation = {prepare_turn, try_erase,
                                               see_erased};

    try_with_each_call_failing(*state, &operation, 4);
}

static int count_setting(const char *name, const void *value, size_t size,
                         void *data)
{
    (void)name;
    (void)value;
    (void)size;
    (*(size_t *)data)++;
    return 0;
}

static int count_token(const struct store_token *token, void *data)
{
    (void)token;
    (*(size_t *)data)++;
    return 0;
}

static int try_records(struct fixture *fixture)
{
    size_t n = 0;
    int error = store_records_each(fixture->store, count_record, &n);

    assert_true(error != 0 || n == 1);
    return error;
}

static int try_settings(struct fixture *fixture)
{
    size_t n = 0;
    int error = store_settings_each(fixture->store, "t", count_setting, &n);

    assert_true(error != 0 || n == 1);
    return error;
}

static int try_tokens(struct fixture *fixture)
{
    size_t n = 0;
    int error = store_tokens_each(fixture->store, count_token, &n);

    assert_true(error != 0 || n > 0);
    return error;
}

static int try_setting(struct fixture *fixture)
{
    uint8_t turn = 0;
    size_t size = 77;
    int error = store_get_setting(fixture->store, "turn", &turn, 1, &size);

    assert_int_equal(size, error == 0 ? 1 : 77);
    assert_int_equal(turn, error == 0 ? fixture->turn : 0);
    return error;
}

static int try_mark(struct fixture *fixture)
{
    struct record_order order = {0};
    int error =
        store_high_water(fixture->store, fixture->writer.public, &order);

    assert_int_equal(order.seq, error == 0 ? fixture->turn : 0);
    return error;
}

static int try_token(struct fixture *fixture)
{
    struct store_token token = token_of(fixture->turn);
    struct store_token found = {0};
    int error = store_get_token(fixture->store, token.id, &found);

    assert_int_equal(found.expires_s, error == 0 ? token.expires_s : 0);
    return error;
}

static void see_nothing(struct fixture *fixture, bool is_done)
{
    (void)is_done;
    assert_int_equal(turn_of(fixture), fixture->turn);
}

static void reading(void **state)
{
    static int (*const tries[])(struct fixture * fixture) = {
        try_records, try_settings, try_tokens, try_setting, try_mark, try_token,
    };

    for (size_t i = 0; i < ARRAY_SIZE(tries); i++) {
        const struct operation operation = {prepare_turn, tries[i],
                                            see_nothing};

        try_with_each_call_failing(*state, &operation, 2);
    }
}

static int try_redeem(struct fixture *fixture)
{
    const uint8_t by[32] = {1};
    struct store_token token = token_of(fixture->turn);
    struct store_token found = {0};
    int error = store_token_redeem(fixture->store, token.id, by, 500, &found);

    assert_int_equal(found.used_s, error == 0 ? 500 : 0);
    return error;
}

static void see_redeemed(struct fixture *fixture, bool is_done)
{
    struct store_token token = token_of(fixture->turn);

    assert_int_equal(store_get_token(fixture->store, token.id, &token), 0);
    assert_int_equal(token.used_s, is_done ? 500 : 0);
}

static void redeeming(void **state)
{
    static const struct operation operation = {prepare_turn, try_redeem,
                                               see_redeemed};

    /* begin, get, put, commit */
    try_with_each_call_failing(*state, &operation, 4);
}

/* Two tokens that are over beside one that is not. */
static void prepare_old(struct fixture *fixture)
{
    struct store_batch *batch = NULL;

    prepare_turn(fixture);
    assert_int_equal(store_batch_begin(fixture->store, &batch), 0);
    for (uint8_t i = 0; i < 2; i++) {
        struct store_token token = {.id = {0, 1, i}, .expires_s = 1};

        assert_int_equal(store_put_token(batch, &token), 0);
    }
    assert_int_equal(store_batch_commit(batch), 0);
}

static int try_expire(struct fixture *fixture)
{
    return store_expire(fixture->store, 1 + STORE_TOKEN_KEPT_S);
}

static void see_expired(struct fixture *fixture, bool is_done)
{
    struct store_token found;

    for (uint8_t i = 0; i < 2; i++) {
        const uint8_t id[STORE_TOKEN_ID_SIZE] = {0, 1, i};

        assert_int_equal(store_get_token(fixture->store, id, &found),
                         is_done ? STORE_E_NOT_FOUND : 0);
    }
    assert_int_equal(turn_of(fixture), fixture->turn);
}

static void expiring(void **state)
{
    static const struct operation operation = {prepare_old, try_expire,
                                               see_expired};

    try_with_each_call_failing(*state, &operation, 15);
}

/* --- What the codes become ------------------------------------------------ */

static void codes_are_told_apart(void **state)
{
    static const struct {
        int mdb;
        int told;
    } codes[] = {
        {MDB_NOTFOUND, STORE_E_NOT_FOUND},
        {ENOSPC, STORE_E_FULL},
        {EDQUOT, STORE_E_FULL},
        {EFBIG, STORE_E_FULL},
        {MDB_MAP_FULL, STORE_E_FULL},
        {MDB_TXN_FULL, STORE_E_FULL},
        {EIO, -EIO},
        {MDB_READERS_FULL, -EAGAIN},
        {MDB_BAD_VALSIZE, -EINVAL},
        {MDB_INVALID, -EBADMSG},
        {MDB_VERSION_MISMATCH, -EBADMSG},
        {MDB_CORRUPTED, -EBADMSG},
        {MDB_PAGE_NOTFOUND, -EBADMSG},
        {EACCES, -EACCES},
        {MDB_BAD_DBI, -EIO},
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
        uint8_t byte = 0;
        size_t size = 0;

        arm(2, codes[i].mdb); /* the first one begins the transaction */
        assert_int_equal(
            store_get_setting(fixture->store, "turn", &byte, 1, &size),
            codes[i].told);
        assert_true(disarm());
    }
}

/* LMDB gives an environment up after a failed write: it is opened anew. */
static void panic_is_got_over(void **state)
{
    struct fixture *fixture = *state;
    bool is_failed = true;

    fixture->turn = 1;
    prepare_turn(fixture);
    n_panics = 1;
    assert_int_equal(turn_of(fixture), 1);
    for (unsigned n = 1; is_failed; n++) {
        uint8_t byte = 0;
        size_t size = 0;
        int error;

        assert_true(n < N_MAX);
        n_panics = 1;
        arm(n + 1, MDB_CORRUPTED); /* some call of opening it anew */
        error = store_get_setting(fixture->store, "turn", &byte, 1, &size);
        is_failed = disarm();
        assert_int_equal(error, is_failed ? -EBADMSG : 0);
        assert_int_equal(n_open, 0);
        /* It is tried again by the next one. */
        assert_int_equal(turn_of(fixture), 1);
    }
    begins_panic = true; /* opening it anew fails too, in the end it says so */
    assert_true(store_expire(fixture->store, 1) != 0);
    (void)disarm();
    assert_int_equal(turn_of(fixture), 1);
}

#define MDB_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        MDB_TEST(a_batch),
        MDB_TEST(opening),
        MDB_TEST(making),
        MDB_TEST(erasing),
        MDB_TEST(reading),
        MDB_TEST(redeeming),
        MDB_TEST(expiring),
        MDB_TEST(codes_are_told_apart),
        MDB_TEST(panic_is_got_over),
    };

    assert_true(sodium_init() >= 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
