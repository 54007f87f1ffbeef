/* A real Open vSwitch for tests; see ovs_fixture.h. */
#include "tests/unit/ovs_fixture.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

#define START_TIMEOUT_MS 20000

bool ovs_fixture_enter_namespace(void)
{
    if (geteuid() != 0) {
        (void)fprintf(stderr, "skipped: needs root\n");
        return false;
    }
    if (unshare(CLONE_NEWNET) != 0) {
        (void)fprintf(stderr, "skipped: no network namespace: %s\n",
                      strerror(errno));
        return false;
    }
    return system("ip link set lo up") == 0;
}

bool ovs_fixture_can_run(void)
{
    if (system("command -v ovs-vswitchd ovsdb-server ovs-vsctl >/dev/null") !=
        0) {
        (void)fprintf(stderr, "skipped: Open vSwitch is not installed\n");
        return false;
    }
    return ovs_fixture_enter_namespace();
}

static void wait_ms(long ms)
{
    struct timespec time = {.tv_sec = ms / 1000,
                            .tv_nsec = ms % 1000 * 1000000};

    (void)nanosleep(&time, NULL);
}

/* Until the file is there, which another process makes. */
static void wait_for_file(const char *path)
{
    struct stat status;

    for (int i = 0; i < START_TIMEOUT_MS / 10; i++) {
        if (stat(path, &status) == 0) {
            return;
        }
        wait_ms(10);
    }
    fail_msg("%s did not appear", path);
}

static pid_t start_program(const char *const arguments[], const char *folder)
{
    pid_t parent = getpid(), pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        char log[128];

        /* The test may crash: then these must not stay. */
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)snprintf(log, sizeof(log), "%s/console", folder);
        if (getppid() != parent || freopen(log, "a", stderr) == NULL) {
            _exit(127);
        }
        (void)execvp(arguments[0], (char *const *)(uintptr_t)arguments);
        _exit(127);
    }
    return pid;
}

static void stop_program(pid_t *pid, int signal)
{
    if (*pid > 0) {
        (void)kill(*pid, signal);
        (void)waitpid(*pid, NULL, 0);
    }
    *pid = 0;
}

void ovs_fixture_start_vswitchd(struct ovs_fixture *fixture)
{
    char remote[PATH_MAX + 8], control[PATH_MAX], log[PATH_MAX];
    const char *arguments[] = {
        "ovs-vswitchd", remote,          control,       log,
        "--no-chdir",   "-vconsole:off", "-vfile:warn", NULL};

    (void)snprintf(remote, sizeof(remote), "unix:%s", fixture->db_path);
    (void)snprintf(control, sizeof(control), "--unixctl=%s/vswitchd.ctl",
                   fixture->folder);
    (void)snprintf(log, sizeof(log), "--log-file=%s/vswitchd.log",
                   fixture->folder);
    fixture->vswitchd = start_program(arguments, fixture->folder);
}

void ovs_fixture_start(struct ovs_fixture *fixture)
{
    char remote[PATH_MAX + 16], database[PATH_MAX], control[PATH_MAX];
    const char *arguments[] = {"ovsdb-server", database,        remote,
                               control,        "-vconsole:off", NULL};

    *fixture = (struct ovs_fixture){.folder = "/tmp/socketnet-test-XXXXXX"};
    assert_non_null(mkdtemp(fixture->folder));
    assert_int_equal(setenv("OVS_RUNDIR", fixture->folder, 1), 0);
    assert_int_equal(setenv("OVS_LOGDIR", fixture->folder, 1), 0);
    assert_int_equal(setenv("OVS_DBDIR", fixture->folder, 1), 0);
    assert_int_equal(setenv("OVS_SYSCONFDIR", fixture->folder, 1), 0);
    (void)snprintf(fixture->db_path, sizeof(fixture->db_path), "%s/db.sock",
                   fixture->folder);
    (void)snprintf(fixture->bridge_path, sizeof(fixture->bridge_path),
                   "%s/socket.mgmt", fixture->folder);
    (void)snprintf(database, sizeof(database), "%s/conf.db", fixture->folder);
    (void)snprintf(remote, sizeof(remote), "--remote=punix:%s",
                   fixture->db_path);
    (void)snprintf(control, sizeof(control), "--unixctl=%s/ovsdb.ctl",
                   fixture->folder);
    ovs_fixture_shell("ovsdb-tool create %s "
                      "/usr/share/openvswitch/vswitch.ovsschema",
                      database);
    fixture->database = start_program(arguments, fixture->folder);
    wait_for_file(fixture->db_path);
    ovs_fixture_shell("ovs-vsctl --no-wait init");
    ovs_fixture_start_vswitchd(fixture);
    ovs_fixture_shell("ovs-vsctl --timeout=20 add-br socket -- "
                      "set bridge socket datapath_type=netdev "
                      "fail_mode=secure");
    wait_for_file(fixture->bridge_path);
}

void ovs_fixture_kill_vswitchd(struct ovs_fixture *fixture)
{
    stop_program(&fixture->vswitchd, SIGKILL);
}

void ovs_fixture_stop(struct ovs_fixture *fixture)
{
    stop_program(&fixture->vswitchd, SIGTERM);
    stop_program(&fixture->database, SIGTERM);
    if (strncmp(fixture->folder, "/tmp/socketnet-test-", 20) == 0) {
        ovs_fixture_shell("rm -rf %s", fixture->folder);
    }
}

void ovs_fixture_shell(const char *format, ...)
{
    char command[4096];
    va_list arguments;
    int status;

    va_start(arguments, format);
    (void)vsnprintf(command, sizeof(command), format, arguments);
    va_end(arguments);
    status = system(command);
    if (status != 0) {
        fail_msg("status %d of: %s", status, command);
    }
}

char *ovs_fixture_output(const char *format, ...)
{
    char command[4096], *output = calloc(1, 65536);
    va_list arguments;
    FILE *file;
    size_t size;

    assert_non_null(output);
    va_start(arguments, format);
    (void)vsnprintf(command, sizeof(command), format, arguments);
    va_end(arguments);
    file = popen(command, "r");
    assert_non_null(file);
    size = fread(output, 1, 65535, file);
    output[size] = '\0';
    assert_int_equal(pclose(file), 0);
    return output;
}

bool ovs_fixture_poll(int fd, short events, int timeout_ms)
{
    struct pollfd poll_fd = {.fd = fd, .events = events};

    return poll(&poll_fd, 1, timeout_ms) > 0;
}
