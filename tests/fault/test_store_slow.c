/*
 * A disk that takes its time: each synchronisation waits until the test lets
 * it through.  What of others waits for it has an end, in records and in
 * bytes, the rest is dropped and counted; what somebody waits for is never
 * dropped; and the loop goes on, as nothing of the store is done on it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/core/store_thread_internal.h"
#include "tests/unit/records.h"
#include "tests/unit/scratch.h"

static const uint8_t cluster[RECORD_CLUSTER_SIZE] = {1};

/* The disk. */
static atomic_bool is_slow;
static atomic_uint n_stuck; /* synchronisations that wait */
static atomic_bool is_broken;

int fdatasync(int fd)
{
    if (atomic_load(&is_broken)) {
        errno = EIO;
        return -1;
    }
    if (atomic_load(&is_slow)) {
        atomic_fetch_add(&n_stuck, 1);
        while (atomic_load(&is_slow)) {
            uv_sleep(1);
        }
        atomic_fetch_sub(&n_stuck, 1);
    }
    return (int)syscall(SYS_fdatasync, fd);
}

struct fixture {
    struct scratch scratch;
    char directory[128];
    uv_loop_t loop;
    struct store_thread *thread;
    struct test_writer writer;
    unsigned n_done;
    unsigned n_failed;
    bool has_problem;
};

static void on_problem(const char *problem, void *data)
{
    ((struct fixture *)data)->has_problem = problem != NULL;
}

static void on_done(int error, void *data)
{
    struct fixture *fixture = data;

    fixture->n_done++;
    fixture->n_failed += error != 0;
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct store *store = NULL;

    (void)alarm(100); /* what hangs is to fail */
    fixture->scratch = scratch_make();
    fixture->writer = test_writer_make(1);
    strcpy(fixture->directory, scratch_path(&fixture->scratch, "db"));
    assert_int_equal(store_open(fixture->directory, cluster, &store), 0);
    assert_int_equal(uv_loop_init(&fixture->loop), 0);
    assert_int_equal(store_thread_new(&fixture->loop, store, on_problem,
                                      fixture, &fixture->thread),
                     0);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    atomic_store(&is_slow, false);
    atomic_store(&is_broken, false);
    fixture->thread = store_thread_free(fixture->thread);
    uv_run(&fixture->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&fixture->loop), 0);
    scratch_remove(&fixture->scratch);
    free(fixture);
    (void)alarm(0);
    return 0;
}

/* The thread is in the middle of a commit, and stays there. */
static void get_stuck(struct fixture *fixture)
{
    atomic_store(&is_slow, true);
    assert_int_equal(store_thread_put_setting(fixture->thread, "x", "1", 1,
                                              on_done, fixture),
                     0);
    while (atomic_load(&n_stuck) == 0) {
        uv_sleep(1);
    }
}

static void let_go(struct fixture *fixture, unsigned n_done)
{
    atomic_store(&is_slow, false);
    while (fixture->n_done < n_done) {
        uv_run(&fixture->loop, UV_RUN_ONCE);
    }
    while (store_thread_counters_get(fixture->thread).waiting > 0) {
        uv_sleep(1);
    }
}

static int count(const uint8_t *bytes, size_t size, void *data)
{
    (void)bytes;
    (void)size;
    (*(size_t *)data)++;
    return 0;
}

static size_t n_stored(struct fixture *fixture)
{
    size_t n = 0;

    assert_int_equal(store_records_each(fixture->thread->store, count, &n), 0);
    return n;
}

static void records_that_wait_are_so_many_at_most(void **state)
{
    struct fixture *fixture = *state;
    struct store_thread_counters counters;
    struct test_record record;
    char name[16];

    get_stuck(fixture);
    /* Few names: it is the requests that are counted. */
    for (unsigned i = 0; i < 8; i++) {
        snprintf(name, sizeof(name), "s%u", i);
        test_record_service(&fixture->writer, 1, i + 1, name, &record);
        for (unsigned k = 0; k < STORE_THREAD_QUEUE_RECORDS / 8; k++) {
            assert_int_equal(store_thread_erase(fixture->thread, record.bytes,
                                                RECORD_HEADER_SIZE),
                             0);
        }
    }
    counters = store_thread_counters_get(fixture->thread);
    assert_int_equal(counters.waiting, STORE_THREAD_QUEUE_RECORDS);
    assert_int_equal(counters.dropped, 0);
    assert_int_equal(
        store_thread_put_foreign(fixture->thread, record.bytes, record.size),
        0);
    counters = store_thread_counters_get(fixture->thread);
    assert_int_equal(counters.waiting, STORE_THREAD_QUEUE_RECORDS);
    assert_int_equal(counters.dropped, 1);
    /* One that is waited for is taken all the same. */
    assert_int_equal(store_thread_put_own(fixture->thread, record.bytes,
                                          record.size, on_done, fixture),
                     0);
    let_go(fixture, 2);
    assert_int_equal(fixture->n_failed, 0);
    assert_int_equal(n_stored(fixture), 1);
    /* There is room again. */
    test_record_service(&fixture->writer, 1, 99, "again", &record);
    assert_int_equal(
        store_thread_put_foreign(fixture->thread, record.bytes, record.size),
        0);
    let_go(fixture, 2);
    assert_int_equal(n_stored(fixture), 2);
    assert_int_equal(store_thread_counters_get(fixture->thread).dropped, 1);
}

/* Of a size of its own: what it says does not matter, it is refused alone. */
#define LARGE_SIZE 4096u

static void so_are_their_bytes(void **state)
{
    struct fixture *fixture = *state;
    static const uint8_t large[LARGE_SIZE];
    const size_t n_kept = STORE_THREAD_QUEUE_BYTES / LARGE_SIZE;
    struct store_thread_counters counters;
    struct test_record record;

    assert_true(n_kept < STORE_THREAD_QUEUE_RECORDS);
    assert_true(n_kept > STORE_THREAD_BATCH);
    test_record_service(&fixture->writer, 1, 1, "redis", &record);
    atomic_store(&is_slow, true);
    assert_int_equal(
        store_thread_put_foreign(fixture->thread, record.bytes, record.size),
        0);
    for (size_t i = 1; i < n_kept + 7; i++) {
        /* Some are in the thread's hands, where they count no less. */
        while (i == STORE_THREAD_BATCH && atomic_load(&n_stuck) == 0) {
            uv_sleep(1);
        }
        assert_int_equal(
            store_thread_put_foreign(fixture->thread, large, LARGE_SIZE), 0);
    }
    counters = store_thread_counters_get(fixture->thread);
    assert_int_equal(counters.waiting, n_kept);
    assert_int_equal(counters.waiting_bytes,
                     record.size + (n_kept - 1) * LARGE_SIZE);
    assert_int_equal(counters.dropped, 7);
    let_go(fixture, 0);
    assert_int_equal(n_stored(fixture), 1);
    counters = store_thread_counters_get(fixture->thread);
    assert_int_equal(counters.waiting_bytes, 0);
    assert_int_equal(counters.dropped, 7);
}

static int read_setting(struct store *store, void *data)
{
    char value[2] = "";
    size_t size = 0;

    (void)data;
    return store_get_setting(store, "x", value, sizeof(value), &size) != 0
               ? -ENOENT
               : value[0];
}

static void on_read(int error, void *data)
{
    struct fixture *fixture = data;

    fixture->n_done++;
    assert_int_equal(error, '1');
}

static void on_token(int error, const struct store_token *token, void *data)
{
    struct fixture *fixture = data;

    fixture->n_done++;
    assert_int_equal(error, 0);
    assert_int_equal(token->expires_s, 77);
}

/* A read is answered after the writes that were asked for before it, and the
 * loop has its turns meanwhile. */
static void reads_do_not_hold_the_loop(void **state)
{
    struct fixture *fixture = *state;
    struct store_token token = {.id = {1}, .expires_s = 77};

    get_stuck(fixture);
    assert_int_equal(
        store_thread_put_token(fixture->thread, &token, on_done, fixture), 0);
    assert_int_equal(
        store_thread_get_token(fixture->thread, token.id, on_token, fixture),
        0);
    assert_int_equal(
        store_thread_call(fixture->thread, read_setting, on_read, fixture), 0);
    for (unsigned i = 0; i < 100; i++) {
        (void)uv_run(&fixture->loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(fixture->n_done, 0);
    let_go(fixture, 4);
    assert_int_equal(fixture->n_failed, 0);
}

static void ask_and_wait(struct fixture *fixture, const char *name,
                         const char *value)
{
    unsigned n = fixture->n_done;

    assert_int_equal(store_thread_put_setting(fixture->thread, name, value,
                                              value != NULL ? 1 : 0, on_done,
                                              fixture),
                     0);
    while (fixture->n_done == n) {
        uv_run(&fixture->loop, UV_RUN_ONCE);
    }
}

/* What needs no write succeeds on a broken disk, and says nothing of it. */
static void only_a_write_shows_that_writing_works(void **state)
{
    struct fixture *fixture = *state;

    atomic_store(&is_broken, true);
    ask_and_wait(fixture, "x", "1");
    assert_int_equal(fixture->n_failed, 1);
    assert_true(fixture->has_problem);
    ask_and_wait(fixture, "nothing", NULL);
    assert_int_equal(fixture->n_failed, 1);
    assert_true(fixture->has_problem);
    atomic_store(&is_broken, false);
    ask_and_wait(fixture, "x", "1");
    assert_int_equal(fixture->n_failed, 1);
    assert_false(fixture->has_problem);
}

#define SLOW_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static size_t n_threads(void)
{
    DIR *dir = opendir("/proc/self/task");
    const struct dirent *entry;
    size_t n = 0;

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        n += entry->d_name[0] != '.';
    }
    (void)closedir(dir);
    return n;
}

/* A disk that does not come back holds up the end for a while only; that is
 * told.  The thread ends by itself once it does. */
static void test_end_is_bounded(void **state)
{
    struct fixture *fixture = *state;
    size_t n;

    get_stuck(fixture);
    n = n_threads();
    assert_null(store_thread_free(fixture->thread)); /* or the alarm rings */
    fixture->thread = NULL;
    assert_true(fixture->has_problem);
    assert_int_equal(fixture->n_done, 0);
    uv_run(&fixture->loop, UV_RUN_DEFAULT);
    assert_int_equal(n_threads(), n);
    atomic_store(&is_slow, false);
    while (n_threads() == n) {
        uv_sleep(1);
    }
    assert_int_equal(fixture->n_done, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SLOW_TEST(test_end_is_bounded),
        SLOW_TEST(records_that_wait_are_so_many_at_most),
        SLOW_TEST(so_are_their_bytes),
        SLOW_TEST(reads_do_not_hold_the_loop),
        SLOW_TEST(only_a_write_shows_that_writing_works),
    };

    assert_true(sodium_init() >= 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
