/*
 * agent/store_thread: own records before their callback, foreign ones within
 * 100 ms, coalescing, order of settings, the end.  Failures of the disk are
 * tests/fault's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "agent/core/store_thread_internal.h"
#include "gossip/base/cursor.h"
#include "tests/unit/records.h"
#include "tests/unit/scratch.h"

static const uint8_t cluster[RECORD_CLUSTER_SIZE] = {1};

struct fixture {
    struct scratch scratch;
    char directory[128];
    uv_loop_t loop;
    struct store_thread *thread;
    unsigned n_done;
    unsigned n_failed;
    int last_error;
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct store *store = NULL;

    fixture->scratch = scratch_make();
    strcpy(fixture->directory, scratch_path(&fixture->scratch, "db"));
    assert_int_equal(store_open(fixture->directory, cluster, &store), 0);
    assert_int_equal(uv_loop_init(&fixture->loop), 0);
    assert_int_equal(
        store_thread_new(&fixture->loop, store, NULL, NULL, &fixture->thread),
        0);
    *state = fixture;
    return 0;
}

static void stop(struct fixture *fixture)
{
    fixture->thread = store_thread_free(fixture->thread);
    uv_run(&fixture->loop, UV_RUN_DEFAULT);
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    stop(fixture);
    assert_int_equal(uv_loop_close(&fixture->loop), 0);
    scratch_remove(&fixture->scratch);
    free(fixture);
    return 0;
}

static void on_done(int error, void *data)
{
    struct fixture *fixture = data;

    fixture->n_done++;
    fixture->n_failed += error != 0;
    fixture->last_error = error;
}

static void run_until(struct fixture *fixture, unsigned n_done)
{
    while (fixture->n_done < n_done) {
        uv_run(&fixture->loop, UV_RUN_ONCE);
    }
}

static int count(const uint8_t *bytes, size_t size, void *data)
{
    (void)bytes;
    (void)size;
    (*(size_t *)data)++;
    return 0;
}

static size_t count_records(struct fixture *fixture)
{
    size_t n = 0;

    assert_int_equal(store_records_each(fixture->thread->store, count, &n), 0);
    return n;
}

static void own_record_is_there_when_called_back(void **state)
{
    struct fixture *fixture = *state;
    struct test_writer writer = test_writer_make(1);
    struct test_record record;

    test_record_service(&writer, 1, 1, "redis", &record);
    assert_int_equal(store_thread_put_own(fixture->thread, record.bytes,
                                          record.size, on_done, fixture),
                     0);
    assert_int_equal(fixture->n_done, 0); /* never from inside */
    run_until(fixture, 1);
    assert_int_equal(fixture->last_error, 0);
    assert_int_equal(count_records(fixture), 1);
}

/* It waits for company, and needs no other request to be written.  How long
 * at least can be asked on any machine; how long at most is the deadline that
 * the wait is given. */
static void foreign_record_is_there_after_a_while(void **state)
{
    struct fixture *fixture = *state;
    struct test_writer writer = test_writer_make(1);
    struct test_record record;
    uint64_t start_ns = uv_hrtime();

    test_record_service(&writer, 1, 1, "redis", &record);
    assert_int_equal(
        store_thread_put_foreign(fixture->thread, record.bytes, record.size),
        0);
    while (count_records(fixture) == 0) {
        assert_true(uv_hrtime() - start_ns < UINT64_C(60000000000));
        uv_sleep(1);
    }
    assert_true(uv_hrtime() - start_ns >=
                STORE_THREAD_DELAY_MS * UINT64_C(1000000));
}

/* Holds the lock that every write takes, so that what is queued meanwhile
 * waits together, on a slow machine and on a fast one. */
static struct store_batch *hold_writing(struct fixture *fixture)
{
    struct store_batch *batch = NULL;

    assert_int_equal(store_batch_begin(fixture->thread->store, &batch), 0);
    return batch;
}

static void many_share_few_commits(void **state)
{
    struct fixture *fixture = *state;
    struct test_writer writer = test_writer_make(1);
    struct test_record record;
    struct store_thread_counters counters;
    struct store_batch *hold = hold_writing(fixture);
    char name[16];

    for (unsigned i = 0; i < 500; i++) {
        snprintf(name, sizeof(name), "s%u", i);
        test_record_service(&writer, 1, i + 1, name, &record);
        assert_int_equal(store_thread_put_own(fixture->thread, record.bytes,
                                              record.size, on_done, fixture),
                         0);
        assert_int_equal(store_thread_put_foreign(fixture->thread, record.bytes,
                                                  record.size),
                         0);
    }
    assert_int_equal(fixture->n_done, 0);
    store_batch_abort(hold);
    run_until(fixture, 500);
    assert_int_equal(fixture->n_failed, 0);
    assert_int_equal(count_records(fixture), 500);
    counters = store_thread_counters_get(fixture->thread);
    assert_int_equal(counters.requests, 1000);
    assert_int_equal(counters.commits_failed, 0);
    /* What the thread had taken before it met the lock, and all the rest. */
    assert_in_range(counters.commits, 1, 2);
}

static void own_record_takes_waiting_foreign_ones_along(void **state)
{
    struct fixture *fixture = *state;
    struct test_writer writer = test_writer_make(1);
    struct test_writer other = test_writer_make(2);
    struct test_record record;

    test_record_service(&other, 1, 1, "redis", &record);
    assert_int_equal(
        store_thread_put_foreign(fixture->thread, record.bytes, record.size),
        0);
    test_record_service(&writer, 1, 1, "redis", &record);
    assert_int_equal(store_thread_put_own(fixture->thread, record.bytes,
                                          record.size, on_done, fixture),
                     0);
    run_until(fixture, 1);
    assert_int_equal(count_records(fixture), 2);
}

static void bad_record_fails_alone(void **state)
{
    struct fixture *fixture = *state;
    struct test_writer writer = test_writer_make(1);
    struct test_record record;

    test_record_service(&writer, 1, 1, "redis", &record);
    assert_int_equal(store_thread_put_own(fixture->thread, record.bytes, 30,
                                          on_done, fixture),
                     0);
    assert_int_equal(
        store_thread_put_foreign(fixture->thread, record.bytes, 30), 0);
    assert_int_equal(store_thread_put_own(fixture->thread, record.bytes,
                                          record.size, on_done, fixture),
                     0);
    run_until(fixture, 2);
    assert_int_equal(fixture->n_failed, 1);
    assert_int_equal(fixture->last_error, 0);
    assert_int_equal(count_records(fixture), 1);
}

static void last_value_of_a_setting_stays(void **state)
{
    struct fixture *fixture = *state;
    char value[8] = "";
    size_t size = 0;

    for (char c = 'a'; c <= 'z'; c++) {
        assert_int_equal(store_thread_put_setting(fixture->thread, "x", &c, 1,
                                                  on_done, fixture),
                         0);
    }
    run_until(fixture, 26);
    assert_int_equal(store_get_setting(fixture->thread->store, "x", value,
                                       sizeof(value), &size),
                     0);
    assert_string_equal(value, "z");
    assert_int_equal(store_thread_put_setting(fixture->thread, "x", NULL, 0,
                                              on_done, fixture),
                     0);
    run_until(fixture, 27);
    assert_int_equal(store_get_setting(fixture->thread->store, "x", value,
                                       sizeof(value), &size),
                     STORE_E_NOT_FOUND);
}

/* Whether the time was kept, and which. */
static uint64_t kept_clock(struct fixture *fixture)
{
    uint8_t bytes[STORE_THREAD_CLOCK_SIZE] = {0};
    struct reader reader = reader_init(bytes, sizeof(bytes));
    size_t size = 0;
    int error = store_get_setting(fixture->thread->store, STORE_THREAD_CLOCK,
                                  bytes, sizeof(bytes), &size);

    assert_true(error == 0 || error == STORE_E_NOT_FOUND);
    return reader_u64(&reader);
}

static int read_nothing(struct store *store, void *data)
{
    (void)store;
    (void)data;
    return 0;
}

static void write_something(struct fixture *fixture)
{
    unsigned n = fixture->n_done;

    assert_int_equal(store_thread_put_setting(fixture->thread, "x", "1", 1,
                                              on_done, fixture),
                     0);
    run_until(fixture, n + 1);
}

/* The time is kept along with something else, and not each time. */
static void clock_is_kept_with_other_writes(void **state)
{
    struct fixture *fixture = *state;
    uint64_t commits;

    store_thread_note_clock(fixture->thread, 1000000);
    assert_int_equal(
        store_thread_call(fixture->thread, read_nothing, on_done, fixture), 0);
    run_until(fixture, 1);
    assert_int_equal(kept_clock(fixture), 0); /* no write of its own */
    commits = store_thread_counters_get(fixture->thread).commits;
    assert_int_equal(commits, 0);
    write_something(fixture);
    assert_int_equal(kept_clock(fixture), 1000000);
    store_thread_note_clock(fixture->thread,
                            1000000 + STORE_THREAD_CLOCK_MS - 1);
    write_something(fixture);
    assert_int_equal(kept_clock(fixture), 1000000);
    store_thread_note_clock(fixture->thread, 1000000 + STORE_THREAD_CLOCK_MS);
    write_something(fixture);
    assert_int_equal(kept_clock(fixture), 1000000 + STORE_THREAD_CLOCK_MS);
    assert_int_equal(store_thread_counters_get(fixture->thread).commits, 3);
}

static void on_redeemed(int error, const struct store_token *token, void *data)
{
    assert_true((error == 0) == (token != NULL));
    on_done(error, data);
}

static void token_is_stored_and_redeemed(void **state)
{
    struct fixture *fixture = *state;
    struct store_token token = {.id = {5}, .expires_s = 100};
    const uint8_t joiner[32] = {1};
    const uint8_t thief[32] = {2};

    assert_int_equal(
        store_thread_put_token(fixture->thread, &token, on_done, fixture), 0);
    assert_int_equal(store_thread_redeem(fixture->thread, token.id, joiner, 50,
                                         on_redeemed, fixture),
                     0);
    run_until(fixture, 2);
    assert_int_equal(fixture->n_failed, 0);
    assert_int_equal(store_thread_redeem(fixture->thread, token.id, thief, 50,
                                         on_redeemed, fixture),
                     0);
    run_until(fixture, 3);
    assert_int_equal(fixture->last_error, STORE_E_USED);
}

/* A callback that writes again while the thread is ending. */
static void write_again(int error, void *data)
{
    struct fixture *fixture = data;

    on_done(error, data);
    assert_int_equal(store_thread_put_setting(fixture->thread, "y", "1", 1,
                                              on_done, fixture),
                     -ECANCELED);
}

static void the_end_writes_what_is_queued(void **state)
{
    struct fixture *fixture = *state;
    struct test_writer writer = test_writer_make(1);
    struct test_record record;
    struct store *store = NULL;
    size_t n = 0;
    char name[16];

    for (unsigned i = 0; i < 3000; i++) {
        snprintf(name, sizeof(name), "s%u", i);
        test_record_service(&writer, 1, i + 1, name, &record);
        assert_int_equal(store_thread_put_foreign(fixture->thread, record.bytes,
                                                  record.size),
                         0);
    }
    assert_int_equal(store_thread_put_setting(fixture->thread, "x", "1", 1,
                                              write_again, fixture),
                     0);
    stop(fixture);
    assert_int_equal(fixture->n_done, 1);
    assert_int_equal(fixture->last_error, 0);
    assert_int_equal(store_open(fixture->directory, cluster, &store), 0);
    assert_int_equal(store_records_each(store, count, &n), 0);
    assert_int_equal(n, 3000);
    store_close(store);
}

#define THREAD_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        THREAD_TEST(own_record_is_there_when_called_back),
        THREAD_TEST(foreign_record_is_there_after_a_while),
        THREAD_TEST(many_share_few_commits),
        THREAD_TEST(own_record_takes_waiting_foreign_ones_along),
        THREAD_TEST(bad_record_fails_alone),
        THREAD_TEST(last_value_of_a_setting_stays),
        THREAD_TEST(clock_is_kept_with_other_writes),
        THREAD_TEST(token_is_stored_and_redeemed),
        THREAD_TEST(the_end_writes_what_is_queued),
    };

    assert_true(sodium_init() >= 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
