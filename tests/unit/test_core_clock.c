/*
 * agent/core/core_clock.c: a clock behind what this node has seen is waited
 * for, one that is corrected by a little is not; the time only goes on; what
 * is seen is kept, but not past the own certificate's end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/core_internal.h"
#include "agent/core/store_thread.h"
#include "agent/identity/identity.h"
#include "gossip/base/cursor.h"
#include "store/store.h"
#include "tests/unit/scratch.h"

#define DAY_MS UINT64_C(86400000)
/* 2026-11-21 12:00:00 UTC. */
#define NOON_MS  UINT64_C(1795262400000)
#define SLACK_MS 60000u

static const uint8_t cluster[RECORD_CLUSTER_SIZE] = {1};
static uint64_t host_ms;

/* The linker sends ours here (meson.build). */
uint64_t __wrap_clock_wall_ms(void);
uint64_t __wrap_clock_now_ms(void);

uint64_t __wrap_clock_wall_ms(void)
{
    return host_ms;
}

uint64_t __wrap_clock_now_ms(void)
{
    return 1000;
}

struct fixture {
    struct scratch scratch;
    struct store *store;
    struct identity identity;
    struct core core;
    struct core_internal internal;
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    fixture->scratch = scratch_make();
    assert_int_equal(store_open(scratch_path(&fixture->scratch, "db"), cluster,
                                &fixture->store),
                     0);
    fixture->core.identity = &fixture->identity;
    fixture->core.internal = &fixture->internal;
    fixture->identity.body.not_before_s = (NOON_MS - DAY_MS) / 1000;
    fixture->identity.body.not_after_s = (NOON_MS + 365 * DAY_MS) / 1000;
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    store_close(fixture->store);
    scratch_remove(&fixture->scratch);
    free(fixture->core.refusal);
    free(fixture);
    return 0;
}

static void set_floor(struct fixture *fixture, uint64_t floor_ms)
{
    uint8_t bytes[8];
    struct writer writer = writer_init(bytes, sizeof(bytes));
    struct store_batch *batch = NULL;

    writer_u64(&writer, floor_ms);
    assert_int_equal(store_batch_begin(fixture->store, &batch), 0);
    assert_int_equal(
        store_put_setting(batch, STORE_THREAD_CLOCK, bytes, sizeof(bytes)), 0);
    assert_int_equal(store_batch_commit(batch), 0);
}

static uint64_t floor_of(struct fixture *fixture)
{
    uint8_t bytes[8] = {0};
    struct reader reader = reader_init(bytes, sizeof(bytes));
    size_t size = 0;

    assert_int_equal(store_get_setting(fixture->store, STORE_THREAD_CLOCK,
                                       bytes, sizeof(bytes), &size),
                     0);
    assert_int_equal(size, sizeof(bytes));
    return reader_u64(&reader);
}

static enum core_status start(struct fixture *fixture, uint64_t wall_ms)
{
    host_ms = wall_ms;
    fixture->core.floor_ms = 0;
    fixture->internal.noted_ms = 0;
    return core_clock_start(&fixture->core, fixture->store, wall_ms);
}

static void a_clock_that_is_behind_is_waited_for(void **state)
{
    struct fixture *fixture = *state;

    set_floor(fixture, NOON_MS);
    assert_int_equal(start(fixture, NOON_MS - DAY_MS), CORE_STATUS_FAILED);
    assert_non_null(
        strstr(fixture->core.refusal, "run at 2026-11-21 12:00:00 UTC"));
    assert_non_null(strstr(fixture->core.refusal, "set the clock"));
    assert_non_null(strstr(fixture->core.refusal, "agent store forget-clock"));
    assert_int_equal(start(fixture, NOON_MS - SLACK_MS - 1),
                     CORE_STATUS_FAILED);
    /* A correction of a minute is none to wait for: time stands still. */
    assert_int_equal(start(fixture, NOON_MS - SLACK_MS), CORE_STATUS_OK);
    assert_int_equal(core_wall_ms(&fixture->core), NOON_MS);
    assert_int_equal(core_clock_step(&fixture->core), NOON_MS);
    host_ms = NOON_MS + 5;
    assert_int_equal(core_clock_step(&fixture->core), NOON_MS + 5);
    host_ms = NOON_MS - DAY_MS;
    assert_int_equal(core_clock_step(&fixture->core), NOON_MS + 5);
    assert_int_equal(core_wall_ms(&fixture->core), NOON_MS + 5);
}

static void the_own_certificate_must_have_begun(void **state)
{
    struct fixture *fixture = *state;
    uint64_t begin_ms = fixture->identity.body.not_before_s * 1000;

    assert_int_equal(start(fixture, begin_ms - 1), CORE_STATUS_FAILED);
    assert_non_null(
        strstr(fixture->core.refusal, "begins at 2026-11-20 12:00:00 UTC"));
    assert_int_equal(start(fixture, begin_ms), CORE_STATUS_OK);
}

/* A clock in some other century, once, does not end the node for good. */
static void a_time_after_the_certificate_is_not_kept(void **state)
{
    struct fixture *fixture = *state;
    uint64_t end_ms = fixture->identity.body.not_after_s * 1000;

    assert_int_equal(start(fixture, end_ms + 1), CORE_STATUS_OK);
    assert_int_equal(fixture->core.floor_ms, 0);
    assert_int_equal(core_clock_step(&fixture->core), end_ms + 1);
    host_ms = NOON_MS;
    assert_int_equal(core_clock_step(&fixture->core), NOON_MS);
    assert_int_equal(start(fixture, end_ms), CORE_STATUS_OK);
    assert_int_equal(fixture->core.floor_ms, end_ms);
    fixture->identity.body.not_after_s = UINT64_MAX;
    assert_int_equal(start(fixture, end_ms + 1), CORE_STATUS_OK);
    assert_int_equal(fixture->core.floor_ms, end_ms + 1);
}

static void the_start_keeps_the_time(void **state)
{
    struct fixture *fixture = *state;
    const uint8_t writer[RECORD_WRITER_SIZE] = {1};
    uint64_t epoch = 0;

    assert_int_equal(start(fixture, NOON_MS), CORE_STATUS_OK);
    assert_int_equal(
        core_load_epoch(fixture->store, writer, fixture->core.floor_ms, &epoch),
        0);
    assert_int_equal(epoch >> 32, 1);
    assert_int_equal(floor_of(fixture), NOON_MS);
    assert_int_equal(start(fixture, NOON_MS - 2 * SLACK_MS),
                     CORE_STATUS_FAILED);
}

/* Whatever number this node has reached since its backup was made, the next is
 * above it. */
static void a_restored_store_counts_from_above(void **state)
{
    struct fixture *fixture = *state;
    const uint8_t writer[RECORD_WRITER_SIZE] = {1};
    uint64_t epoch = 0;

    for (unsigned boot = 1; boot <= 3; boot++) {
        assert_int_equal(core_load_epoch(fixture->store, writer, 0, &epoch), 0);
        assert_int_equal(epoch >> 32, boot);
    }
    assert_int_equal(core_load_restored(fixture->store, writer, 1000, 1500), 0);
    assert_int_equal(core_load_epoch(fixture->store, writer, 0, &epoch), 0);
    assert_int_equal(epoch >> 32, 3 + CORE_RESTORED_BOOTS + 500 + 1);
    /* A clock behind the backup's. */
    assert_int_equal(core_load_restored(fixture->store, writer, 1000, 10), 0);
    assert_int_equal(core_load_epoch(fixture->store, writer, 0, &epoch), 0);
    assert_int_equal(epoch >> 32, 3 + 2 * (CORE_RESTORED_BOOTS) + 500 + 2);
    /* One that leaves no number is refused, and changes nothing. */
    assert_int_equal(core_load_restored(fixture->store, writer, 0, UINT32_MAX),
                     -EOVERFLOW);
    assert_int_equal(core_load_epoch(fixture->store, writer, 0, &epoch), 0);
    assert_int_equal(epoch >> 32, 3 + 2 * (CORE_RESTORED_BOOTS) + 500 + 3);
}

/* Once a second is often enough to tell the store thread. */
static void the_store_thread_is_told(void **state)
{
    struct fixture *fixture = *state;
    uv_loop_t loop;

    assert_int_equal(start(fixture, NOON_MS), CORE_STATUS_OK);
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(store_thread_new(&loop, fixture->store, NULL, NULL,
                                      &fixture->core.store),
                     0);
    (void)core_clock_step(&fixture->core);
    assert_int_equal(fixture->internal.noted_ms, NOON_MS);
    host_ms = NOON_MS + 999;
    (void)core_clock_step(&fixture->core);
    assert_int_equal(fixture->internal.noted_ms, NOON_MS);
    host_ms = NOON_MS + 1000;
    (void)core_clock_step(&fixture->core);
    assert_int_equal(fixture->internal.noted_ms, NOON_MS + 1000);
    assert_int_equal(
        store_thread_put_setting(fixture->core.store, "x", "1", 1, NULL, NULL),
        0);
    fixture->core.store = store_thread_free(fixture->core.store);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    assert_int_equal(store_open(scratch_path(&fixture->scratch, "db"), cluster,
                                &fixture->store),
                     0);
    assert_int_equal(floor_of(fixture), NOON_MS + 1000);
}

#define CLOCK_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLOCK_TEST(a_clock_that_is_behind_is_waited_for),
        CLOCK_TEST(the_own_certificate_must_have_begun),
        CLOCK_TEST(a_time_after_the_certificate_is_not_kept),
        CLOCK_TEST(the_start_keeps_the_time),
        CLOCK_TEST(a_restored_store_counts_from_above),
        CLOCK_TEST(the_store_thread_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
