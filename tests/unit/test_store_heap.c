/*
 * The store when an allocation of ours fails: each operation is tried with
 * its n-th one failing, for every n.  All of a batch is kept or nothing, what
 * is returned says which, and afterwards the same works.  LMDB's own
 * allocations are not reached (heap.h); what it leaks or what we leak is the
 * sanitizer's to tell.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "agent/core/store_thread.h"
#include "store/store.h"
#include "tests/unit/heap.h"
#include "tests/unit/records.h"
#include "tests/unit/scratch.h"

/* More than any operation here allocates. */
#define N_MAX 100

static const uint8_t cluster[RECORD_CLUSTER_SIZE] = {1};

struct fixture {
    struct scratch scratch;
    char directory[128];
    struct store *store;
    uv_loop_t loop;
    struct store_thread *thread;
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    fixture->scratch = scratch_make();
    strcpy(fixture->directory, scratch_path(&fixture->scratch, "db"));
    assert_int_equal(store_open(fixture->directory, cluster, &fixture->store),
                     0);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    (void)heap_off(); /* a failed assertion may have left it on */
    store_close(fixture->store);
    scratch_remove(&fixture->scratch);
    free(fixture);
    return 0;
}

static int count_record(const uint8_t *bytes, size_t size, void *data)
{
    (void)bytes;
    (void)size;
    (*(size_t *)data)++;
    return 0;
}

static size_t n_records(struct store *store)
{
    size_t n = 0;

    assert_int_equal(store_records_each(store, count_record, &n), 0);
    return n;
}

/* A number kept as a setting; 0 when there is none. */
static uint64_t number_of(struct store *store, const char *name)
{
    uint64_t number = 0;
    size_t size = 0;
    int error = store_get_setting(store, name, &number, sizeof(number), &size);

    assert_true(error == 0 || error == STORE_E_NOT_FOUND);
    return number;
}

static void opening_fails_and_then_works(void **state)
{
    struct fixture *fixture = *state;
    bool has_failed = true;
    unsigned n_failed = 0;

    for (unsigned n = 1; has_failed; n++) {
        struct store *store = NULL;
        int error;

        assert_true(n < N_MAX);
        fixture->store = store_close(fixture->store);
        heap_fail_at(n);
        error = store_open(fixture->directory, cluster, &store);
        has_failed = heap_off();
        assert_int_equal(error, has_failed ? -ENOMEM : 0);
        assert_true((store != NULL) == (error == 0));
        store_close(store);
        assert_int_equal(
            store_open(fixture->directory, cluster, &fixture->store), 0);
        n_failed += has_failed;
    }
    assert_true(n_failed >= 2);
}

/* Two records, a setting and a token in one batch; the first error. */
static int write_batch(struct store *store, uint64_t seq)
{
    struct test_writer writer = test_writer_make(1);
    struct store_token token = {.id = {(uint8_t)seq}, .expires_s = 1000};
    struct store_batch *batch = NULL;
    struct test_record record;
    int error = store_batch_begin(store, &batch);

    if (error != 0) {
        return error;
    }
    for (unsigned i = 0; i < 2 && error == 0; i++) {
        char name[16];

        snprintf(name, sizeof(name), "s%u-%u", (unsigned)seq, i);
        test_record_service(&writer, 1, seq + i, name, &record);
        error = store_put_record(batch, record.bytes, record.size);
    }
    if (error == 0) {
        error = store_put_setting(batch, "seq", &seq, sizeof(seq));
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

static void a_batch_is_kept_whole_or_not_at_all(void **state)
{
    struct fixture *fixture = *state;
    bool has_failed = true;
    size_t n_before = 0;

    for (unsigned n = 1; has_failed; n++) {
        uint64_t seq = 10 * n;
        int error;

        assert_true(n < N_MAX);
        heap_fail_at(n);
        error = write_batch(fixture->store, seq);
        has_failed = heap_off();
        assert_true(error == 0 || error == -ENOMEM);
        assert_true(has_failed || error == 0);
        assert_int_equal(n_records(fixture->store),
                         n_before + (error == 0 ? 2 : 0));
        n_before = n_records(fixture->store);
        assert_true((number_of(fixture->store, "seq") == seq) == (error == 0));

        assert_int_equal(write_batch(fixture->store, seq + 5), 0);
        n_before += 2;
        assert_int_equal(n_records(fixture->store), n_before);
    }
}

/* Many writers, so that the list of them grows several times. */
static void put_writers(struct store *store, unsigned n)
{
    struct store_batch *batch = NULL;

    assert_int_equal(store_batch_begin(store, &batch), 0);
    for (unsigned i = 0; i < n; i++) {
        struct test_writer writer = test_writer_make((uint8_t)i);
        struct test_record record;

        test_record_tombstone(&writer, 1, i + 1, "redis", &record);
        assert_int_equal(store_put_record(batch, record.bytes, record.size), 0);
        assert_int_equal(store_erase_record(batch, record.bytes, record.size),
                         0);
    }
    assert_int_equal(store_batch_commit(batch), 0);
}

static void expiry_removes_all_or_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct test_writer writer = test_writer_make(7);
    bool has_failed = true;
    unsigned n_failed = 0;

    for (unsigned n = 1; has_failed; n++) {
        struct record_order order;
        int error;

        assert_true(n < N_MAX);
        put_writers(fixture->store, 200);
        heap_fail_at(n);
        error = store_expire(fixture->store, 1);
        has_failed = heap_off();
        assert_int_equal(error, has_failed ? -ENOMEM : 0);
        assert_int_equal(
            store_high_water(fixture->store, writer.public, &order),
            has_failed ? 0 : STORE_E_NOT_FOUND);
        n_failed += has_failed;
    }
    assert_true(n_failed >= 3); /* 64, 128, 256 writers */
}

static void reading_and_redeeming(void **state)
{
    struct fixture *fixture = *state;
    bool has_failed = true;

    for (unsigned n = 1; has_failed; n++) {
        const uint8_t by[32] = {(uint8_t)n};
        struct store_token token = {.id = {(uint8_t)n}, .expires_s = 1000};
        struct store_token found;
        struct store_batch *batch = NULL;
        size_t n_seen = 0;
        int error;

        assert_true(n < N_MAX);
        assert_int_equal(store_batch_begin(fixture->store, &batch), 0);
        assert_int_equal(store_put_token(batch, &token), 0);
        assert_int_equal(store_batch_commit(batch), 0);
        heap_fail_at(n);
        error = store_records_each(fixture->store, count_record, &n_seen);
        if (error == 0) {
            error =
                store_token_redeem(fixture->store, token.id, by, 500, &found);
        }
        has_failed = heap_off();
        assert_int_equal(error, has_failed ? -ENOMEM : 0);
        assert_int_equal(store_get_token(fixture->store, token.id, &found), 0);
        assert_int_equal(found.used_s, has_failed ? 0 : 500);
    }
}

struct answer {
    unsigned n_done;
    int error;
};

static void on_done(int error, void *data)
{
    struct answer *answer = data;

    answer->n_done++;
    answer->error = error;
}

static void on_redeemed(int error, const struct store_token *token, void *data)
{
    assert_true((token != NULL) == (error == 0));
    on_done(error, data);
}

/* One request of each kind; what becomes of the own record is told. */
static int ask_thread(struct store_thread *thread, uint64_t seq,
                      struct answer *answer, struct answer *others)
{
    struct test_writer writer = test_writer_make(1);
    struct store_token token = {.id = {1}, .expires_s = 1000};
    const uint8_t by[32] = {1};
    struct test_record record;
    char name[16];
    int error;

    snprintf(name, sizeof(name), "s%u", (unsigned)seq);
    test_record_service(&writer, 1, seq, name, &record);
    error = store_thread_put_foreign(thread, record.bytes, record.size);
    if (error == 0) {
        error = store_thread_erase(thread, record.bytes, record.size);
    }
    if (error == 0) {
        error = store_thread_put_token(thread, &token, on_done, others);
    }
    if (error == 0) {
        error =
            store_thread_redeem(thread, token.id, by, 1, on_redeemed, others);
    }
    if (error == 0) {
        error = store_thread_put_setting(thread, "x", &seq, sizeof(seq),
                                         on_done, answer);
    }
    return error;
}

static void the_thread_answers_once(void **state)
{
    struct fixture *fixture = *state;
    bool has_failed = true;

    for (unsigned n = 1; has_failed; n++) {
        struct answer answer = {0};
        struct answer others = {0};
        int error;

        assert_true(n < N_MAX);
        assert_int_equal(uv_loop_init(&fixture->loop), 0);
        heap_fail_at(n);
        error = store_thread_new(&fixture->loop, fixture->store, NULL, NULL,
                                 &fixture->thread);
        if (error == 0) {
            fixture->store = NULL; /* the thread's now */
            error = ask_thread(fixture->thread, n, &answer, &others);
            fixture->thread = store_thread_free(fixture->thread);
        }
        has_failed = heap_off();
        (void)uv_run(&fixture->loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&fixture->loop), 0);

        assert_true(error == 0 || (has_failed && error == -ENOMEM));
        assert_int_equal(answer.n_done, error == 0 ? 1 : 0);
        assert_true(others.n_done <= 2);
        if (fixture->store == NULL) {
            assert_int_equal(
                store_open(fixture->directory, cluster, &fixture->store), 0);
        }
        /* On disk exactly when it was said to be. */
        assert_true((number_of(fixture->store, "x") == n) ==
                    (error == 0 && answer.error == 0));
        assert_true(answer.error == 0 || answer.error == -ENOMEM);
    }
}

#define HEAP_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HEAP_TEST(opening_fails_and_then_works),
        HEAP_TEST(a_batch_is_kept_whole_or_not_at_all),
        HEAP_TEST(expiry_removes_all_or_nothing),
        HEAP_TEST(reading_and_redeeming),
        HEAP_TEST(the_thread_answers_once),
    };

    assert_true(sodium_init() >= 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
