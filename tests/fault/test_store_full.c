/*
 * A disk that is full, for real: the store on a tmpfs of its own, filled up to
 * the last page.  Writes are refused with the reason, reads go on, foreign
 * records wait, and all is well again once there is space.
 *
 * Needs a mount namespace: root, or user namespaces.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include "agent/core/store_thread_internal.h"
#include "tests/unit/records.h"
#include "tests/unit/scratch.h"

static const uint8_t cluster[RECORD_CLUSTER_SIZE] = {1};

struct fixture {
    struct scratch scratch;
    char directory[128];
    char ballast[128];
    uv_loop_t loop;
    struct store_thread *thread;
    struct test_writer own;
    struct test_writer foreign;
    unsigned n_written; /* own records that are on disk */
    unsigned n_done;
    int last_error;
    unsigned n_problems;
    bool has_problem;
    char problem[512];
};

static void on_problem(const char *problem, void *data)
{
    struct fixture *fixture = data;

    fixture->has_problem = problem != NULL;
    if (problem != NULL) {
        fixture->n_problems++;
        snprintf(fixture->problem, sizeof(fixture->problem), "%s", problem);
    }
}

static void on_done(int error, void *data)
{
    struct fixture *fixture = data;

    fixture->n_done++;
    fixture->last_error = error;
    fixture->n_written += error == 0;
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct store *store = NULL;

    fixture->scratch = scratch_make();
    assert_int_equal(
        mount("tmpfs", fixture->scratch.path, "tmpfs", 0, "size=1m"), 0);
    strcpy(fixture->directory, scratch_path(&fixture->scratch, "db"));
    strcpy(fixture->ballast, scratch_path(&fixture->scratch, "ballast"));
    fixture->own = test_writer_make(1);
    fixture->foreign = test_writer_make(2);
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

    store_thread_free(fixture->thread);
    uv_run(&fixture->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&fixture->loop), 0);
    assert_int_equal(umount(fixture->scratch.path), 0);
    scratch_remove(&fixture->scratch);
    free(fixture);
    return 0;
}

/* Takes every free page. */
static void fill_disk(struct fixture *fixture)
{
    static const char page[4096];
    int fd = open(fixture->ballast, O_WRONLY | O_CREAT | O_APPEND, 0600);

    assert_true(fd >= 0);
    while (write(fd, page, sizeof(page)) > 0) {
    }
    assert_int_equal(errno, ENOSPC);
    close(fd);
}

static int write_own(struct fixture *fixture, uint64_t seq)
{
    struct test_record record;
    unsigned n_done = fixture->n_done;
    char name[16];

    snprintf(name, sizeof(name), "s%u", (unsigned)seq);
    test_record_service(&fixture->own, 1, seq, name, &record);
    assert_int_equal(store_thread_put_own(fixture->thread, record.bytes,
                                          record.size, on_done, fixture),
                     0);
    while (fixture->n_done == n_done) {
        uv_run(&fixture->loop, UV_RUN_ONCE);
    }
    return fixture->last_error;
}

static void write_foreign(struct fixture *fixture, uint64_t seq)
{
    struct test_record record;
    char name[16];

    snprintf(name, sizeof(name), "f%u", (unsigned)seq);
    test_record_service(&fixture->foreign, 1, seq, name, &record);
    assert_int_equal(
        store_thread_put_foreign(fixture->thread, record.bytes, record.size),
        0);
}

struct counts {
    const struct fixture *fixture;
    unsigned n_own;
    unsigned n_foreign;
};

static int count(const uint8_t *bytes, size_t size, void *data)
{
    struct counts *counts = data;
    struct record record;

    assert_int_equal(record_parse(bytes, size, &record), 0);
    assert_int_equal(sign_verify(&record), 0);
    if (memcmp(record.writer, counts->fixture->own.public, 32) == 0) {
        counts->n_own++;
    } else {
        counts->n_foreign++;
    }
    return 0;
}

static struct counts count_records(struct fixture *fixture)
{
    struct counts counts = {.fixture = fixture};

    assert_int_equal(store_records_each(fixture->thread->store, count, &counts),
                     0);
    return counts;
}

/* Until the problem has gone, at most 10 s. */
static void wait_for_health(struct fixture *fixture)
{
    for (int i = 0; i < 1000 && fixture->has_problem; i++) {
        uv_run(&fixture->loop, UV_RUN_NOWAIT);
        uv_sleep(10);
    }
    assert_false(fixture->has_problem);
}

static void full_disk_refuses_reads_and_heals(void **state)
{
    struct fixture *fixture = *state;
    uint64_t seq = 1;
    unsigned n_foreign = 0;
    int error = 0;

    for (; seq <= 20; seq++) {
        assert_int_equal(write_own(fixture, seq), 0);
    }
    fill_disk(fixture);
    /* Pages freed by earlier transactions may carry a few more. */
    for (; seq < 2000 && error == 0; seq++) {
        write_foreign(fixture, seq);
        n_foreign++;
        error = write_own(fixture, seq);
    }
    assert_int_equal(error, STORE_E_FULL);
    assert_true(fixture->has_problem);
    assert_non_null(strstr(fixture->problem, "the disk is full: free space"));
    assert_non_null(strstr(fixture->problem, fixture->directory));
    for (int i = 0; i < 5; i++) {
        /* A page that an earlier transaction freed may carry one. */
        error = write_own(fixture, ++seq);
        assert_true(error == STORE_E_FULL || error == 0);
        write_foreign(fixture, seq);
        n_foreign++;
        /* Reading goes on, and shows exactly what was acknowledged. */
        assert_int_equal(count_records(fixture).n_own, fixture->n_written);
    }
    assert_int_equal(fixture->n_problems, 1); /* told once, not each time */

    assert_int_equal(unlink(fixture->ballast), 0);
    wait_for_health(fixture);
    assert_int_equal(write_own(fixture, ++seq), 0);
    assert_int_equal(count_records(fixture).n_own, fixture->n_written);
    assert_int_equal(count_records(fixture).n_foreign, n_foreign);
}

static void problem_ends_without_a_write(void **state)
{
    struct fixture *fixture = *state;
    uint64_t seq = 1;

    fill_disk(fixture);
    while (write_own(fixture, seq) == 0) {
        seq++;
    }
    assert_true(fixture->has_problem);
    assert_int_equal(unlink(fixture->ballast), 0);
    wait_for_health(fixture);
    assert_int_equal(count_records(fixture).n_own, fixture->n_written);
}

static void full_disk_can_be_opened_and_read(void **state)
{
    struct fixture *fixture = *state;
    struct store *store = NULL;
    struct counts counts = {.fixture = fixture};
    uint64_t seq;

    for (seq = 1; seq <= 20; seq++) {
        assert_int_equal(write_own(fixture, seq), 0);
    }
    fill_disk(fixture);
    while (write_own(fixture, seq) == 0) {
        seq++;
    }
    fixture->thread = store_thread_free(fixture->thread);
    assert_int_equal(store_open(fixture->directory, cluster, &store), 0);
    assert_int_equal(store_records_each(store, count, &counts), 0);
    assert_int_equal(counts.n_own, fixture->n_written);
    store_close(store);
}

static void a_new_store_on_a_full_disk_is_an_error(void **state)
{
    struct fixture *fixture = *state;
    struct store *store = NULL;
    char other[160];

    snprintf(other, sizeof(other), "%s.2", fixture->directory);
    fill_disk(fixture);
    /* Not SIGBUS by a hole in the mapped lock file. */
    assert_int_equal(store_open(other, cluster, &store), STORE_E_FULL);
    assert_null(store);
    assert_int_equal(unlink(fixture->ballast), 0);
    assert_int_equal(store_open(other, cluster, &store), 0);
    store_close(store);
}

/* An own mount namespace; without root, by way of a user namespace. */
static bool enter_namespace(void)
{
    uid_t uid = getuid();
    char map[32];
    int fd;

    if (uid == 0) {
        return unshare(CLONE_NEWNS) == 0 &&
               mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
    }
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0) {
        return false;
    }
    snprintf(map, sizeof(map), "0 %u 1", (unsigned)uid);
    fd = open("/proc/self/uid_map", O_WRONLY);
    if (fd < 0 || write(fd, map, strlen(map)) < 0) {
        return false;
    }
    close(fd);
    return true;
}

#define FULL_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FULL_TEST(full_disk_refuses_reads_and_heals),
        FULL_TEST(problem_ends_without_a_write),
        FULL_TEST(full_disk_can_be_opened_and_read),
        FULL_TEST(a_new_store_on_a_full_disk_is_an_error),
    };

    if (!enter_namespace()) {
        print_message("skipped: no mount namespace may be made here\n");
        return 77;
    }
    assert_true(sodium_init() >= 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
