/*
 * The launcher as a process of its own.  What it executes is this test again,
 * as a core and a worker that do what a file in the run directory says: so
 * starts, restarts, introductions, signals and ends are seen from both sides.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

#include "agent/config/config.h"
#include "agent/ipc/ipc.h"
#include "agent/launcher/launcher.h"

#define TIMEOUT_MS 10000

static char root[] = "/tmp/socketnet-launcher-XXXXXX";
static char config_path[64];
static char state_dir[64];
static char run_dir[64];
static char user[] = "daemon";

static struct config make_config(bool reconcile)
{
    return (struct config){.path = config_path,
                           .state_dir = state_dir,
                           .run_dir = run_dir,
                           .user = user,
                           .reconcile = reconcile};
}

static void sleep_ms(long ms)
{
    struct timespec time = {.tv_sec = ms / 1000,
                            .tv_nsec = ms % 1000 * 1000000};

    (void)nanosleep(&time, NULL);
}

/* --- the children that the launcher executes --- */

static char *file_path(const char *folder, const char *name, char path[128])
{
    (void)snprintf(path, 128, "%s/%s", folder, name);
    return path;
}

static void child_says(const char *verb, const char *word)
{
    char path[128];
    char line[64];
    int fd =
        open(file_path(root, "log", path), O_WRONLY | O_APPEND | O_CLOEXEC);
    int len = snprintf(line, sizeof(line), "%s %s\n", verb, word);

    if (fd < 0 || write(fd, line, (size_t)len) != len) {
        _exit(99);
    }
    (void)close(fd);
}

static volatile sig_atomic_t is_terminated;

static void on_term(int number)
{
    (void)number;
    is_terminated = 1;
}

/* What root/VERB says: a number is the exit status at once. */
static void child_obey_at_start(const char *verb)
{
    char path[128];
    char text[16] = "";
    int fd = open(file_path(root, verb, path), O_RDONLY | O_CLOEXEC);

    if (fd >= 0) {
        if (read(fd, text, sizeof(text) - 1) > 0) {
            _exit(atoi(text));
        }
        (void)close(fd);
    }
}

static int child_main(const char *verb)
{
    struct sigaction action = {.sa_handler = on_term};
    struct ipc_message message = {.type = IPC_READY, .fd = -1};
    char text[64];
    uint8_t buffer[64];

    (void)snprintf(text, sizeof(text), "start uid=%u", geteuid());
    child_says(verb, text);
    child_obey_at_start(verb);
    (void)sigaction(SIGTERM, &action, NULL);
    if (ipc_send(IPC_CONTROL_FD, &message) != 0) {
        return 98;
    }
    while (!is_terminated) {
        struct pollfd fd = {.fd = IPC_CONTROL_FD, .events = POLLIN};
        int error;

        (void)poll(&fd, 1, 20);
        error = ipc_receive(IPC_CONTROL_FD, buffer, sizeof(buffer), &message);
        if (error == 0 && message.type == IPC_PEER) {
            child_says(verb, "peer");
            (void)close(message.fd);
        }
        if (error == IPC_E_CLOSED) {
            return 0;
        }
        child_obey_at_start(verb);
    }
    child_says(verb, "end");
    return 0;
}

/* --- the test's side --- */

static void tell(const char *verb, const char *what)
{
    char path[128];
    FILE *file;

    if (what == NULL) {
        (void)unlink(file_path(root, verb, path));
        return;
    }
    file = fopen(file_path(root, verb, path), "we");
    assert_non_null(file);
    assert_true(fputs(what, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0644), 0);
}

static char *read_log(void)
{
    static char text[4096];
    char path[128];
    int fd = open(file_path(root, "log", path), O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;

    text[n > 0 ? n : 0] = '\0';
    if (fd >= 0) {
        (void)close(fd);
    }
    return text;
}

static int count(const char *line)
{
    int n = 0;

    for (const char *at = read_log(); (at = strstr(at, line)) != NULL; at++) {
        n++;
    }
    return n;
}

static void wait_count(const char *line, int n)
{
    for (int i = 0; i < TIMEOUT_MS / 10; i++) {
        if (count(line) >= n) {
            return;
        }
        sleep_ms(10);
    }
    fail_msg("no %d times \"%s\" in: %s", n, line, read_log());
}

static pid_t start_launcher(bool reconcile)
{
    char path[128];
    pid_t parent = getpid();
    pid_t pid;
    int fd;

    /* Written by core and worker, who are different users. */
    fd = open(file_path(root, "log", path),
              O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    assert_true(fd >= 0);
    assert_int_equal(fchmod(fd, 0666), 0);
    assert_int_equal(close(fd), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct config config = make_config(reconcile);

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(getppid() == parent ? launcher_main(&config, false) : 1);
    }
    return pid;
}

static int wait_exit(pid_t pid)
{
    int status = 0;

    for (int i = 0; i < TIMEOUT_MS / 10; i++) {
        pid_t ended = waitpid(pid, &status, WNOHANG);

        if (ended == pid) {
            assert_true(WIFEXITED(status));
            return WEXITSTATUS(status);
        }
        sleep_ms(10);
    }
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, &status, 0);
    fail_msg("the launcher did not end; log: %s", read_log());
    return -1;
}

static void test_starts_introduces_and_stops(void **state)
{
    pid_t pid = start_launcher(true);
    const char *log;

    (void)state;
    wait_count("core peer", 1);
    wait_count("worker peer", 1);
    assert_int_equal(launcher_is_running(run_dir), 1);
    if (geteuid() == 0) {
        assert_int_equal(count("core start uid=1"), 1);
        assert_int_equal(count("worker start uid=0"), 1);
    }
    assert_int_equal(kill(pid, SIGTERM), 0);
    assert_int_equal(wait_exit(pid), 0);
    /* Core first: the worker serves it until then. */
    log = read_log();
    assert_non_null(strstr(log, "core end"));
    assert_non_null(strstr(strstr(log, "core end"), "worker end"));
    assert_int_equal(launcher_is_running(run_dir), 0);
}

static void test_restarts_what_dies(void **state)
{
    pid_t pid = start_launcher(true);

    (void)state;
    wait_count("core peer", 1);
    wait_count("worker peer", 1);
    tell("worker", "7");
    sleep_ms(100);
    tell("worker", NULL);
    wait_count("worker start", 2);
    wait_count("worker peer", 2);
    wait_count("core peer", 2); /* a new pair for both */
    tell("core", "7");
    sleep_ms(100);
    tell("core", NULL);
    wait_count("core start", 2);
    wait_count("core peer", 3);
    wait_count("worker peer", 3);
    assert_int_equal(kill(pid, SIGINT), 0);
    assert_int_equal(wait_exit(pid), 0);
}

static void test_ends_with_core(void **state)
{
    pid_t pid = start_launcher(true);

    (void)state;
    wait_count("core peer", 1);
    tell("core", "0"); /* as after `agent leave` */
    assert_int_equal(wait_exit(pid), 0);
    tell("core", NULL);
    assert_int_equal(count("core start"), 1);
    assert_int_equal(count("worker end"), 1);
}

static void test_gives_up_when_core_cannot_start(void **state)
{
    pid_t pid;

    (void)state;
    tell("core", "2");
    pid = start_launcher(true);
    assert_int_equal(wait_exit(pid), 2);
    tell("core", NULL);
    assert_int_equal(count("core start"), 1);
}

static void test_children_die_with_it(void **state)
{
    pid_t pid = start_launcher(true);
    int status;

    (void)state;
    wait_count("core peer", 1);
    wait_count("worker peer", 1);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    sleep_ms(300);
    /* Nobody is left to hold the lock or to write to the log. */
    assert_int_equal(launcher_is_running(run_dir), 0);
    assert_int_equal(
        system("pgrep -f '^agent (core|worker) --config /tmp/socketnet-"
               "launcher-' >/dev/null"),
        256);
}

static void test_refuses_a_second_one(void **state)
{
    pid_t pid = start_launcher(false);
    pid_t second;

    (void)state;
    wait_count("core start", 1);
    sleep_ms(50);
    second = fork();
    assert_true(second >= 0);
    if (second == 0) {
        struct config config = make_config(false);

        _exit(launcher_main(&config, false));
    }
    assert_int_equal(wait_exit(second), 1);
    assert_int_equal(count("worker start"), 0); /* reconcile: false */
    assert_int_equal(kill(pid, SIGTERM), 0);
    assert_int_equal(wait_exit(pid), 0);
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
                   root);
    assert_int_equal(
        bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(setenv("NOTIFY_SOCKET", address.sun_path, 1), 0);
    pid = start_launcher(false);
    n = recv(fd, text, sizeof(text) - 1, 0);
    assert_true(n > 0);
    text[n] = '\0';
    assert_string_equal(text, "READY=1");
    assert_int_equal(kill(pid, SIGTERM), 0);
    n = recv(fd, text, sizeof(text) - 1, 0);
    assert_true(n > 0);
    text[n] = '\0';
    assert_string_equal(text, "STOPPING=1");
    assert_int_equal(wait_exit(pid), 0);
    assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
    assert_int_equal(close(fd), 0);
}

static void test_keeps_off_other_directories(void **state)
{
    struct config config = make_config(false);
    char path[128];
    struct stat before;
    struct stat after;
    int status;

    (void)state;
    if (geteuid() != 0) {
        skip();
    }
    /* As if `run_dir: /run` had been written. */
    config.run_dir = root;
    assert_int_equal(chown(root, 0, 0), 0);
    assert_int_equal(stat(root, &before), 0);
    tell("core", NULL);
    assert_non_null(file_path(root, "other", path));
    assert_int_equal(mkdir(path, 0755), 0);
    status = launcher_main(&config, false);
    assert_int_equal(status, 1);
    assert_int_equal(stat(root, &after), 0);
    assert_int_equal(after.st_uid, before.st_uid);
    assert_int_equal(rmdir(path), 0);
    /* A state directory that core could not write. */
    config = make_config(false);
    assert_int_equal(chown(state_dir, 0, 0), 0);
    assert_int_equal(launcher_main(&config, false), 1);
    assert_int_equal(chown(state_dir, 1, 1), 0);
    config.state_dir = path;
    assert_int_equal(launcher_main(&config, false), 1);
}

static int setup(void **state)
{
    FILE *file;

    (void)state;
    assert_non_null(mkdtemp(root));
    assert_int_equal(chmod(root, 0777), 0);
    (void)snprintf(config_path, sizeof(config_path), "%s/agent.yaml", root);
    (void)snprintf(state_dir, sizeof(state_dir), "%s/state", root);
    (void)snprintf(run_dir, sizeof(run_dir), "%s/run", root);
    file = fopen(config_path, "we");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(mkdir(state_dir, 0700), 0);
    if (geteuid() == 0) {
        assert_int_equal(chown(state_dir, 1, 1), 0);
    }
    return 0;
}

static int teardown(void **state)
{
    char command[128];

    (void)state;
    (void)snprintf(command, sizeof(command), "rm -rf %s", root);
    return system(command);
}

/* "agent core --config /tmp/socketnet-launcher-XXXXXX/agent.yaml" */
static int run_child(int argc, char **argv)
{
    if (argc < 4 || strlen(argv[3]) < sizeof(root)) {
        return 97;
    }
    memcpy(root, argv[3], sizeof(root) - 1);
    return child_main(argv[1]);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_starts_introduces_and_stops),
        cmocka_unit_test(test_restarts_what_dies),
        cmocka_unit_test(test_ends_with_core),
        cmocka_unit_test(test_gives_up_when_core_cannot_start),
        cmocka_unit_test(test_children_die_with_it),
        cmocka_unit_test(test_refuses_a_second_one),
        cmocka_unit_test(test_tells_systemd),
        cmocka_unit_test(test_keeps_off_other_directories),
    };

    if (argc > 1) {
        return run_child(argc, argv);
    }
    if (geteuid() != 0) {
        (void)fprintf(stderr, "skipped: needs root\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, setup, teardown);
}
