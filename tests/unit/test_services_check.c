/*
 * Checks: what one attempt proves, and when there is a next one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/services_fixture.h"

#define CHECKED                                                                \
    "{\"name\":\"redis\",\"instance\":\"a\",\"port\":6379,"                    \
    "\"address\":\"10.0.3.203\",\"check\":{\"type\":\"tcp\"%s}}"

static void begin(const char *more)
{
    char text[512];

    (void)snprintf(text, sizeof(text), CHECKED, more);
    assert_int_equal(services_stage_register(text), 0);
    assert_null(services_stage_record("redis/a"));
}

static uint8_t health(void)
{
    services_stage_turn();
    assert_non_null(services_stage_record("redis/a"));
    return services_stage_record("redis/a")->health;
}

/* One attempt, from its timer to its end. */
static void attempt(int status)
{
    services_stage_tick();
    assert_int_equal(stage.n_connects, 1);
    services_stage_answer(status);
    assert_int_equal(stage.n_connects, 0);
}

static void time_out(void)
{
    services_stage_tick();
    assert_int_equal(stage.n_connects, 1);
    services_stage_tick();
    assert_int_equal(stage.n_connects, 0);
}

/* Nothing is written before the first attempt says what. */
static void test_first_decides(void **state)
{
    char *problem = NULL;

    (void)state;
    begin("");
    services_stage_turn();
    assert_null(services_stage_record("redis/a"));
    attempt(0);
    assert_int_equal(stage.n_done, 0); /* not before it is on disk */
    assert_int_equal(health(), BODY_HEALTH_PASSING);
    assert_int_equal(stage.n_done, 1);
    assert_int_equal(stage.done_error, 0);
    services_stage_restart();

    assert_int_equal(
        services_deregister(stage.services, "redis", "a", NULL, NULL, &problem),
        0);
    services_stage_turn();
    begin("");
    attempt(UV_ETIMEDOUT);
    assert_int_equal(health(), BODY_HEALTH_CRITICAL);
}

/* What takes long to answer is announced meanwhile. */
static void test_first_takes_long(void **state)
{
    (void)state;
    begin("");
    services_stage_tick(); /* begins */
    services_stage_tick(); /* 50 ms later */
    assert_int_equal(stage.now_ms, 50);
    assert_int_equal(stage.n_connects, 1);
    assert_int_equal(health(), BODY_HEALTH_PASSING);
    services_stage_tick(); /* its time is over */
    assert_int_equal(stage.now_ms, 2000);
    assert_int_equal(health(), BODY_HEALTH_CRITICAL);
}

/* A refused connection is proof at once, whatever `fail` says. */
static void test_refused(void **state)
{
    (void)state;
    begin(",\"fail\":1000");
    attempt(0);
    assert_int_equal(health(), BODY_HEALTH_PASSING);
    attempt(UV_ECONNREFUSED);
    assert_int_equal(health(), BODY_HEALTH_CRITICAL);
    assert_string_equal(services_check_text(stage.services, "redis", "a"),
                        "tcp 10.0.3.203:6379: connection refused");
    attempt(0);
    assert_int_equal(health(), BODY_HEALTH_PASSING);
}

/* What does not answer is counted; an answer begins the count again. */
static void test_timeouts(void **state)
{
    (void)state;
    begin("");
    attempt(0);
    for (int i = 0; i < 2; i++) {
        time_out();
        assert_int_equal(health(), BODY_HEALTH_PASSING);
    }
    attempt(0);
    time_out();
    attempt(UV_EHOSTUNREACH);
    assert_int_equal(health(), BODY_HEALTH_PASSING);
    time_out();
    assert_int_equal(health(), BODY_HEALTH_CRITICAL);
    assert_string_equal(services_check_text(stage.services, "redis", "a"),
                        "tcp 10.0.3.203:6379: no answer in time");
}

static void test_pass(void **state)
{
    (void)state;
    begin(",\"pass\":3");
    attempt(UV_ECONNREFUSED);
    assert_int_equal(health(), BODY_HEALTH_CRITICAL);
    attempt(0);
    attempt(0);
    attempt(UV_ECONNREFUSED);
    attempt(0);
    attempt(0);
    assert_int_equal(health(), BODY_HEALTH_CRITICAL);
    attempt(0);
    assert_int_equal(health(), BODY_HEALTH_PASSING);
}

/* That we cannot ask says nothing of who is asked. */
static void test_our_fault(void **state)
{
    static const int errors[] = {UV_EMFILE, UV_ENFILE, UV_ENOMEM, UV_ENOBUFS};

    (void)state;
    begin(",\"fail\":1");
    attempt(0);
    for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
        stage.connect_error = errors[i];
        services_stage_tick();
        stage.connect_error = 0;
        assert_int_equal(health(), BODY_HEALTH_PASSING);
    }
    assert_non_null(strstr(services_check_text(stage.services, "redis", "a"),
                           "the agent could not ask"));
    attempt(UV_EHOSTUNREACH); /* and goes on */
    assert_int_equal(health(), BODY_HEALTH_CRITICAL);
}

/* A second, give or take the spread, between the end of one and the next. */
static void test_interval(void **state)
{
    (void)state;
    begin("");
    attempt(0);
    for (int i = 0; i < 100; i++) {
        uint64_t before_ms = stage.now_ms;

        services_stage_tick();
        assert_in_range(stage.now_ms - before_ms, 950, 1050);
        services_stage_answer(i % 2 == 0 ? UV_ECONNREFUSED : 0);
    }
}

/* One that never answered is asked every second at first. */
static void test_interval_of_a_new_one(void **state)
{
    (void)state;
    begin(",\"interval\":\"1m\"");
    for (int i = 0; i < 31; i++) {
        uint64_t before_ms = stage.now_ms;

        attempt(UV_ECONNREFUSED);
        assert_int_equal(stage.now_ms - before_ms, i == 0 ? 0 : 1000);
    }
    services_stage_tick();
    assert_in_range(stage.now_ms, 30000 + 57000, 30000 + 63000);
}

/* Many that come in at once are not asked at once. */
static void test_spread(void **state)
{
    char text[256];
    uint64_t last_ms = 0;

    (void)state;
    for (int i = 0; i < 40; i++) {
        (void)snprintf(text, sizeof(text),
                       "{\"name\":\"many%d\",\"port\":1,\"address\":"
                       "\"10.0.3.203\",\"check\":\"tcp\"}",
                       i);
        assert_int_equal(services_stage_register(text), 0);
    }
    for (int i = 0; i < 40; i++) {
        services_stage_tick();
        assert_int_equal(stage.n_connects, 1);
        services_stage_answer(0);
        assert_true(i == 0 || stage.now_ms > last_ms);
        last_ms = stage.now_ms;
    }
    assert_true(last_ms < 100);
}

/* After a restart the recorded health holds until a threshold says otherwise,
 * and the check goes on as it was registered. */
static void test_restart(void **state)
{
    (void)state;
    begin(",\"fail\":2,\"timeout\":\"10ms\"");
    attempt(0);
    assert_int_equal(health(), BODY_HEALTH_PASSING);
    services_stage_restart();
    assert_string_equal(services_check_text(stage.services, "redis", "a"),
                        "not checked yet");
    time_out();
    assert_int_equal(health(), BODY_HEALTH_PASSING);
    time_out();
    assert_int_equal(health(), BODY_HEALTH_CRITICAL);
    services_stage_restart();
    assert_int_equal(health(), BODY_HEALTH_CRITICAL);
    attempt(0);
    assert_int_equal(health(), BODY_HEALTH_PASSING);
}

/* A check that is asked goes with its instance. */
static void test_removed_while_asking(void **state)
{
    char *problem = NULL;

    (void)state;
    begin("");
    attempt(0);
    services_stage_turn();
    services_stage_tick();
    assert_int_equal(stage.n_connects, 1);
    assert_int_equal(services_deregister(stage.services, "redis", NULL, NULL,
                                         NULL, &problem),
                     0);
    assert_int_equal(stage.n_connects, 0);
    assert_int_equal(stage.n_timers, 0);
    services_stage_turn();
    assert_null(services_stage_record("redis/a"));
    assert_null(services_stage_setting("redis/a"));
}

#define STAGE_TEST(test)                                                       \
    cmocka_unit_test_setup_teardown(test, services_stage_setup,                \
                                    services_stage_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGE_TEST(test_first_decides),
        STAGE_TEST(test_first_takes_long),
        STAGE_TEST(test_refused),
        STAGE_TEST(test_timeouts),
        STAGE_TEST(test_pass),
        STAGE_TEST(test_our_fault),
        STAGE_TEST(test_interval),
        STAGE_TEST(test_interval_of_a_new_one),
        STAGE_TEST(test_spread),
        STAGE_TEST(test_restart),
        STAGE_TEST(test_removed_while_asking),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
