/*
 * What the launcher waits for instead of ending, and SIGHUP.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/launching.h"

/* What may pass is waited for, and said once however often it is tried. */
static void test_waits_for_what_passes(void **state)
{
    pid_t pid;

    (void)state;
    launching_tell("core", "1 port 7720 is taken");
    pid = launching_start(true);
    launching_wait("core start", 2);
    launching_tell("core", "!1 so is 53");
    launching_wait_in("err", "waiting, core cannot start yet: so is 53 (", 1);
    launching_wait_in("err", "waiting is over: core runs", 1);
    if (launching_count_in("err", "waiting, core cannot start yet: port 7720 "
                                  "is taken (") != 1 ||
        launching_count_in("err", "waiting, core") != 2) {
        fail_msg("%s", launching_read_text("err"));
    }
    assert_int_equal(kill(pid, SIGTERM), 0);
    assert_int_equal(launching_wait_exit(pid), 0);
}

/* Once it ran, even what a person must mend is waited for. */
static void test_waits_once_it_ran(void **state)
{
    pid_t pid = launching_start(true);

    (void)state;
    launching_wait("core peer", 1);
    launching_tell("core", "!2");
    launching_wait("core peer", 2);
    assert_int_equal(launching_count("core start"), 2);
    assert_int_equal(kill(pid, SIGTERM), 0);
    assert_int_equal(launching_wait_exit(pid), 0);
}

static void test_reloads(void **state)
{
    pid_t pid = launching_start(true);

    (void)state;
    launching_wait("core peer", 1);
    launching_wait("worker peer", 1);
    launching_write_config(true, "log_level: debug\n");
    assert_int_equal(kill(pid, SIGHUP), 0);
    launching_wait("core reload", 1);
    launching_wait("worker reload", 1);
    launching_wait_in("err", "reloaded", 1);
    assert_int_equal(launching_count_in("err", "needs a restart"), 0);

    /* The worker's part: it starts again, alone, and once. */
    launching_write_config(true, "tunnel: {vni: 71}\n");
    assert_int_equal(kill(pid, SIGHUP), 0);
    launching_wait("core reload", 2);
    launching_wait("worker peer", 2);
    launching_wait_in("err", "tunnel.vni changed, the worker starts again", 1);
    assert_int_equal(kill(pid, SIGHUP), 0);
    launching_wait("core reload", 3);
    launching_wait("worker reload", 2);
    assert_int_equal(launching_count("core start"), 1);
    assert_int_equal(launching_count("worker start"), 2);

    launching_write_config(
        true, "tunnel: {vni: 71}\nmesh: {port: 7721}\nzone: a.b\n");
    assert_int_equal(kill(pid, SIGHUP), 0);
    launching_wait_in("err",
                      "reload: zone, mesh.port changed; that needs a "
                      "restart of the agent",
                      1);
    launching_wait("core reload", 4);

    /* A fault: nobody gets anything of it. */
    launching_write_config(true, "brige: x\n");
    assert_int_equal(kill(pid, SIGHUP), 0);
    launching_wait_in("err", "agent.yaml:6: unknown key \"brige\"", 1);
    assert_int_equal(
        launching_count_in("err", "reload refused, everything stays"), 1);
    assert_int_equal(launching_count("core reload"), 4);
    assert_int_equal(kill(pid, SIGTERM), 0);
    assert_int_equal(launching_wait_exit(pid), 0);
    assert_int_equal(launching_count("core start"), 1);
}

/* A child that is just starting hears of it as soon as it can. */
static void test_reloads_what_is_starting(void **state)
{
    pid_t pid;

    (void)state;
    launching_tell("core.slow", "x");
    pid = launching_start(true);
    launching_wait("core start", 1);
    launching_wait("worker peer", 1);
    assert_int_equal(kill(pid, SIGHUP), 0);
    launching_wait("worker reload", 1);
    assert_int_equal(launching_count("core reload"), 0);
    launching_tell("core.slow", NULL);
    launching_wait("core reload", 1);
    assert_int_equal(launching_count("core start"), 1);
    assert_int_equal(kill(pid, SIGTERM), 0);
    assert_int_equal(launching_wait_exit(pid), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waits_for_what_passes),
        cmocka_unit_test(test_waits_once_it_ran),
        cmocka_unit_test(test_reloads),
        cmocka_unit_test(test_reloads_what_is_starting),
    };

    if (argc > 1) {
        return launching_child(argc, argv);
    }
    if (geteuid() != 0) {
        (void)fprintf(stderr, "skipped: needs root\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, launching_setup, launching_teardown);
}
