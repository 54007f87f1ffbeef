/*
 * The launcher: starts, restarts, ends, and what it refuses to begin with.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/config/config.h"
#include "agent/launcher/launcher.h"
#include "agent/launcher/launcher_mounts.h"
#include "tests/unit/launching.h"

static void test_starts_introduces_and_stops(void **state)
{
    pid_t pid = launching_start(true);
    const char *log;

    (void)state;
    launching_wait("core peer", 1);
    launching_wait("worker peer", 1);
    assert_int_equal(launcher_is_running(launching_run_dir), 1);
    if (geteuid() == 0) {
        assert_int_equal(launching_count("core start uid=1"), 1);
        assert_int_equal(launching_count("worker start uid=0"), 1);
    }
    assert_int_equal(kill(pid, SIGTERM), 0);
    assert_int_equal(launching_wait_exit(pid), 0);
    /* Core first: the worker serves it until then. */
    log = launching_read_text("log");
    assert_non_null(strstr(log, "core end"));
    assert_non_null(strstr(strstr(log, "core end"), "worker end"));
    assert_int_equal(launcher_is_running(launching_run_dir), 0);
}

/* Core met a worker of another version; a worker has no say in that. */
static void test_replaces_the_worker(void **state)
{
    pid_t pid = launching_start(true);

    (void)state;
    launching_wait("core peer", 1);
    launching_wait("worker peer", 1);
    launching_tell("core.replace", "x");
    launching_wait("worker peer", 2);
    launching_wait("core peer", 2); /* a new pair for both */
    assert_int_equal(launching_count("worker end"), 1);
    launching_wait_in("err", "core does not know its version", 1);
    launching_tell("worker.replace", "x");
    launching_tell("core.replace", "x");
    launching_wait("worker peer", 3);
    assert_int_equal(launching_count("core start uid=1"),
                     geteuid() == 0 ? 1 : 0);
    assert_int_equal(launching_count("worker end"), 2);
    assert_int_equal(kill(pid, SIGTERM), 0);
    assert_int_equal(launching_wait_exit(pid), 0);
}

static void test_restarts_what_dies(void **state)
{
    pid_t pid = launching_start(true);

    (void)state;
    launching_wait("core peer", 1);
    launching_wait("worker peer", 1);
    launching_tell("worker", "!7");
    launching_wait("worker peer", 2);
    launching_wait("core peer", 2); /* a new pair for both */
    launching_tell("core", "!7");
    launching_wait("core peer", 3);
    launching_wait("worker peer", 3);
    assert_int_equal(kill(pid, SIGINT), 0);
    assert_int_equal(launching_wait_exit(pid), 0);
}

static void test_ends_with_core(void **state)
{
    pid_t pid = launching_start(true);

    (void)state;
    launching_wait("core peer", 1);
    launching_wait("worker peer", 1);
    launching_tell("core", "0"); /* as after `agent leave` */
    assert_int_equal(launching_wait_exit(pid), 0);
    launching_tell("core", NULL);
    assert_int_equal(launching_count("core start"), 1);
    assert_int_equal(launching_count("worker end"), 1);
}

static void test_gives_up_when_core_cannot_start(void **state)
{
    pid_t pid;

    (void)state;
    launching_tell("core", "2");
    pid = launching_start(true);
    assert_int_equal(launching_wait_exit(pid), 2);
    launching_tell("core", NULL);
    assert_int_equal(launching_count("core start"), 1);
}

static void test_children_die_with_it(void **state)
{
    pid_t pid = launching_start(true);
    char pattern[128];
    int status;

    (void)state;
    launching_wait("core peer", 1);
    launching_wait("worker peer", 1);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    /* Nobody is left to hold the lock or to write to the log. */
    (void)snprintf(pattern, sizeof(pattern), "^agent (core|worker) --config %s",
                   launching_config_path);
    launching_wait_until_dead(pattern);
    assert_int_equal(launcher_is_running(launching_run_dir), 0);
}

static void test_refuses_a_second_one(void **state)
{
    pid_t pid = launching_start(false);
    pid_t second;

    (void)state;
    launching_wait("core start", 1);
    second = fork();
    assert_true(second >= 0);
    if (second == 0) {
        launching_become(STDERR_FILENO);
    }
    assert_int_equal(launching_wait_exit(second), 1);
    assert_int_equal(launching_count("worker start"), 0); /* reconcile: false */
    assert_int_equal(kill(pid, SIGTERM), 0);
    assert_int_equal(launching_wait_exit(pid), 0);
}

static void test_tells_systemd(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    char text[64];
    ssize_t n;
    pid_t pid;

    (void)state;
    assert_true(fd >= 0);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify",
                   launching_root);
    assert_int_equal(
        bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(setenv("NOTIFY_SOCKET", address.sun_path, 1), 0);
    pid = launching_start(false);
    n = recv(fd, text, sizeof(text) - 1, 0);
    assert_true(n > 0);
    text[n] = '\0';
    assert_string_equal(text, "READY=1\nSTATUS=running");
    assert_int_equal(kill(pid, SIGTERM), 0);
    n = recv(fd, text, sizeof(text) - 1, 0);
    assert_true(n > 0);
    text[n] = '\0';
    assert_string_equal(text, "STOPPING=1");
    assert_int_equal(launching_wait_exit(pid), 0);
    assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
    assert_int_equal(close(fd), 0);
}

static int run_launcher(void)
{
    struct config *config = launching_load_config();
    int status = launcher_main(config, false);

    config_free(config);
    return status;
}

static void test_keeps_off_other_directories(void **state)
{
    char other_run[sizeof(launching_run_dir)];
    char other_state[sizeof(launching_state_dir)];
    char path[128];
    struct stat before;
    struct stat after;

    (void)state;
    /* As if `run_dir: /run` had been written. */
    memcpy(other_run, launching_run_dir, sizeof(launching_run_dir));
    memcpy(launching_run_dir, launching_root, sizeof(launching_root));
    launching_write_config(false, "");
    memcpy(launching_run_dir, other_run, sizeof(launching_run_dir));
    assert_int_equal(chown(launching_root, 0, 0), 0);
    assert_int_equal(stat(launching_root, &before), 0);
    launching_tell("core", NULL);
    assert_non_null(launching_path(launching_root, "other", path));
    assert_int_equal(mkdir(path, 0755), 0);
    assert_int_equal(run_launcher(), 2);
    assert_int_equal(stat(launching_root, &after), 0);
    assert_int_equal(after.st_uid, before.st_uid);
    assert_int_equal(rmdir(path), 0);
    /* A state directory that core could not write. */
    launching_write_config(false, "");
    assert_int_equal(chown(launching_state_dir, 0, 0), 0);
    assert_int_equal(run_launcher(), 2);
    assert_int_equal(chown(launching_state_dir, 1, 1), 0);
    /* One that is not there. */
    memcpy(other_state, launching_state_dir, sizeof(launching_state_dir));
    (void)snprintf(launching_state_dir, sizeof(launching_state_dir), "%s/other",
                   launching_root);
    launching_write_config(false, "");
    memcpy(launching_state_dir, other_state, sizeof(launching_state_dir));
    assert_int_equal(run_launcher(), 2);
}

static void test_sees_what_is_to_be_mounted(void **state)
{
    char fstab[128];
    char mounts[128];
    char where[64] = "";

    (void)state;
    launching_tell("fstab", "# a comment\n/dev/sda1 / ext4 defaults 0 1\n"
                            "/dev/sda2 none swap sw 0 0\n"
                            "/dev/sdb1 /var/lib/other ext4 defaults 0 2\n"
                            "/dev/sdc1 /media/key ext4 noauto 0 0\n"
                            "/dev/sdd1 /var/lib ext4 defaults 0 2\n");
    launching_tell("mounts", "/dev/sda1 / ext4 rw 0 0\n");
    (void)launching_path(launching_root, "fstab", fstab);
    (void)launching_path(launching_root, "mounts", mounts);
    assert_true(launcher_mounts_missing("/var/lib/socketnet", fstab, mounts,
                                        where, sizeof(where)));
    assert_string_equal(where, "/var/lib");
    assert_true(launcher_mounts_missing("/var/lib", fstab, mounts, where,
                                        sizeof(where)));
    assert_false(launcher_mounts_missing("/var/library", fstab, mounts, where,
                                         sizeof(where)));
    assert_false(launcher_mounts_missing("/media/key/x", fstab, mounts, where,
                                         sizeof(where)));
    assert_false(
        launcher_mounts_missing("/srv", fstab, mounts, where, sizeof(where)));
    assert_false(launcher_mounts_missing("/var/lib/x", "/nowhere", mounts,
                                         where, sizeof(where)));
    launching_tell("mounts",
                   "/dev/sda1 / ext4 rw 0 0\n/dev/sdd1 /var/lib ext4 rw 0 0\n");
    assert_false(launcher_mounts_missing("/var/lib/socketnet", fstab, mounts,
                                         where, sizeof(where)));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_starts_introduces_and_stops),
        cmocka_unit_test(test_replaces_the_worker),
        cmocka_unit_test(test_restarts_what_dies),
        cmocka_unit_test(test_ends_with_core),
        cmocka_unit_test(test_gives_up_when_core_cannot_start),
        cmocka_unit_test(test_children_die_with_it),
        cmocka_unit_test(test_refuses_a_second_one),
        cmocka_unit_test(test_tells_systemd),
        cmocka_unit_test(test_keeps_off_other_directories),
        cmocka_unit_test(test_sees_what_is_to_be_mounted),
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
