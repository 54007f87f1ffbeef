/*
 * The k-th write or sync of LMDB fails, for every k: with ENOSPC, with EIO, or
 * by writing only half.  pwrite, writev, pwritev and fdatasync of it are
 * interposed.  After each failure the batch is there whole or not at all,
 * acknowledged records are all there, and writing works again, without and
 * with opening the environment anew.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "store/store.h"
#include "tests/unit/records.h"
#include "tests/unit/scratch.h"

#define IO_RECORDS 12 /* of one batch: several pages */

static const uint8_t cluster[RECORD_CLUSTER_SIZE] = {1};

/* How the next failing call fails; SHORT writes half and says so. */
enum failure { FAILURE_ENOSPC, FAILURE_EIO, FAILURE_SHORT, N_FAILURES };

static bool is_armed;
static unsigned calls_left; /* until one fails */
static unsigned n_failing;  /* how many in a row fail from then on */
static enum failure failure;
static unsigned n_calls;

static bool fails(void)
{
    if (!is_armed) {
        return false;
    }
    n_calls++;
    if (calls_left > 0) {
        calls_left--;
        return false;
    }
    if (n_failing == 0) {
        return false;
    }
    n_failing--;
    errno = failure == FAILURE_ENOSPC ? ENOSPC : EIO;
    return true;
}

/* Under both of their names in libc, whatever the headers make of them. */
ssize_t io_pwrite(int fd, const void *bytes, size_t size,
                  off_t offset) __asm__("pwrite");
ssize_t io_pwrite64(int fd, const void *bytes, size_t size,
                    off_t offset) __asm__("pwrite64");
ssize_t io_pwritev(int fd, const struct iovec *parts, int n,
                   off_t offset) __asm__("pwritev");
ssize_t io_pwritev64(int fd, const struct iovec *parts, int n,
                     off_t offset) __asm__("pwritev64");

ssize_t io_pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
    if (fails()) {
        return failure == FAILURE_SHORT
                   ? (ssize_t)syscall(SYS_pwrite64, fd, bytes, size / 2, offset)
                   : -1;
    }
    return (ssize_t)syscall(SYS_pwrite64, fd, bytes, size, offset);
}

ssize_t io_pwrite64(int fd, const void *bytes, size_t size, off_t offset)
{
    return io_pwrite(fd, bytes, size, offset);
}

ssize_t io_pwritev(int fd, const struct iovec *parts, int n, off_t offset)
{
    if (fails()) {
        return failure == FAILURE_SHORT
                   ? (ssize_t)syscall(SYS_pwrite64, fd, parts[0].iov_base,
                                      parts[0].iov_len / 2, offset)
                   : -1;
    }
    return (ssize_t)syscall(SYS_pwritev, fd, parts, n, (long)offset, 0L);
}

ssize_t io_pwritev64(int fd, const struct iovec *parts, int n, off_t offset)
{
    return io_pwritev(fd, parts, n, offset);
}

/* What LMDB takes for pages that lie side by side. */
ssize_t writev(int fd, const struct iovec *parts, int n)
{
    if (fails()) {
        return failure == FAILURE_SHORT
                   ? (ssize_t)syscall(SYS_write, fd, parts[0].iov_base,
                                      parts[0].iov_len / 2)
                   : -1;
    }
    return (ssize_t)syscall(SYS_writev, fd, parts, n);
}

int fdatasync(int fd)
{
    if (failure != FAILURE_SHORT && fails()) {
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}

struct fixture {
    struct scratch scratch;
    char directory[128];
    struct store *store;
    struct test_writer writer;
    uint64_t next_seq;
    uint64_t committed_seq; /* of the last batch that was acknowledged */
};

static int write_batch(struct fixture *fixture)
{
    struct store_batch *batch = NULL;
    int r = store_batch_begin(fixture->store, &batch);

    for (unsigned i = 0; i < IO_RECORDS && r == 0; i++) {
        struct test_record record;
        char name[16];

        snprintf(name, sizeof(name), "s%u", i);
        test_record_service(&fixture->writer, 1, fixture->next_seq, name,
                            &record);
        r = store_put_record(batch, record.bytes, record.size);
    }
    fixture->next_seq++;
    if (r != 0) {
        store_batch_abort(batch);
        return r;
    }
    r = store_batch_commit(batch);
    if (r == 0) {
        fixture->committed_seq = fixture->next_seq - 1;
    }
    return r;
}

struct seen {
    uint64_t seq;
    unsigned n;
};

static int look(const uint8_t *bytes, size_t size, void *data)
{
    struct seen *seen = data;
    struct record record;

    assert_int_equal(record_parse(bytes, size, &record), 0);
    assert_int_equal(sign_verify(&record), 0);
    /* All of one batch, or all of another. */
    assert_true(seen->n == 0 || seen->seq == record.order.seq);
    seen->seq = record.order.seq;
    seen->n++;
    return 0;
}

static void check(struct fixture *fixture, bool may_be_ahead)
{
    struct seen seen = {0};

    assert_int_equal(store_records_each(fixture->store, look, &seen), 0);
    assert_int_equal(seen.n, IO_RECORDS);
    if (may_be_ahead) {
        /* A commit that reported failure may still have reached the disk. */
        assert_true(seen.seq >= fixture->committed_seq);
    } else {
        assert_int_equal(seen.seq, fixture->committed_seq);
    }
}

static void reopen(struct fixture *fixture)
{
    fixture->store = store_close(fixture->store);
    assert_int_equal(store_open(fixture->directory, cluster, &fixture->store),
                     0);
}

/* Fails the k-th call and `n` after it; true while there is a k-th call. */
static bool fail_at(struct fixture *fixture, unsigned k, unsigned n,
                    enum failure how)
{
    int r;

    assert_int_equal(write_batch(fixture), 0);
    failure = how;
    calls_left = k;
    n_failing = n;
    n_calls = 0;
    is_armed = true;
    r = write_batch(fixture);
    is_armed = false;
    if (n_calls <= k) {
        assert_int_equal(r, 0);
        return false;
    }
    assert_true(r == STORE_E_FULL || r == -EIO);
    if (how == FAILURE_ENOSPC) {
        assert_int_equal(r, STORE_E_FULL);
    }
    check(fixture, true);
    return true;
}

static void each_failure_is_survived(void **state)
{
    (void)state;
    for (enum failure how = 0; how < N_FAILURES; how++) {
        for (unsigned n = 1; n <= 2; n++) {
            unsigned k = 0;
            bool was_there = true;

            for (; was_there; k++) {
                struct fixture fixture = {.scratch = scratch_make(),
                                          .writer = test_writer_make(1),
                                          .next_seq = 1};

                strcpy(fixture.directory, scratch_path(&fixture.scratch, "db"));
                assert_int_equal(
                    store_open(fixture.directory, cluster, &fixture.store), 0);
                was_there = fail_at(&fixture, k, n, how);
                /* Goes on without being opened anew, also after LMDB gave
                 * the environment up. */
                assert_int_equal(write_batch(&fixture), 0);
                check(&fixture, false);
                reopen(&fixture);
                check(&fixture, false);
                store_close(fixture.store);
                scratch_remove(&fixture.scratch);
            }
            /* Data, its sync, the meta page: all were tried. */
            assert_true(k >= 3);
        }
    }
}

static void failure_then_power_loss_is_survived(void **state)
{
    (void)state;
    for (enum failure how = 0; how < N_FAILURES; how++) {
        bool was_there = true;

        for (unsigned k = 0; was_there; k++) {
            struct fixture fixture = {.scratch = scratch_make(),
                                      .writer = test_writer_make(1),
                                      .next_seq = 1};

            strcpy(fixture.directory, scratch_path(&fixture.scratch, "db"));
            assert_int_equal(
                store_open(fixture.directory, cluster, &fixture.store), 0);
            was_there = fail_at(&fixture, k, 1000, how);
            reopen(&fixture);
            check(&fixture, true);
            assert_int_equal(write_batch(&fixture), 0);
            check(&fixture, false);
            store_close(fixture.store);
            scratch_remove(&fixture.scratch);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_failure_is_survived),
        cmocka_unit_test(failure_then_power_loss_is_survived),
    };

    assert_true(sodium_init() >= 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
