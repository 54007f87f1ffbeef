/*
 * See launching.h.
 */
#include "tests/unit/launching.h"

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

char launching_root[32] = "/tmp/socketnet-launcher-XXXXXX";
char launching_config_path[64];
char launching_state_dir[64];
char launching_run_dir[64];

/* agent.yaml of the test, with further lines. */
void launching_write_config(bool reconcile, const char *more)
{
    FILE *file = fopen(launching_config_path, "we");

    assert_non_null(file);
    assert_true(fprintf(file,
                        "name: host1\nstate_dir: %s\nrun_dir: %s\n"
                        "user: daemon\nreconcile: %s\n%s",
                        launching_state_dir, launching_run_dir,
                        reconcile ? "true" : "false", more) > 0);
    assert_int_equal(fclose(file), 0);
}

struct config *launching_load_config(void)
{
    struct config *config = NULL;
    char *problem = NULL;

    if (config_load(launching_config_path, &config, &problem) != 0) {
        fail_msg("%s", problem);
    }
    return config;
}

static void sleep_ms(long ms)
{
    struct timespec time = {.tv_sec = ms / 1000,
                            .tv_nsec = ms % 1000 * 1000000};

    (void)nanosleep(&time, NULL);
}

/* --- the children that the launcher executes --- */

char *launching_path(const char *folder, const char *name, char path[128])
{
    (void)snprintf(path, 128, "%s/%s", folder, name);
    return path;
}

static void child_says(const char *verb, const char *word)
{
    char path[128];
    char line[64];
    int fd = open(launching_path(launching_root, "log", path),
                  O_WRONLY | O_APPEND | O_CLOEXEC);
    int len = snprintf(line, sizeof(line), "%s %s\n", verb, word);

    if (fd < 0 || write(fd, line, (size_t)len) != len) {
        _exit(99);
    }
    (void)close(fd);
}

static volatile sig_atomic_t is_terminated;
static volatile sig_atomic_t n_reloads;

static void on_signal(int number)
{
    if (number == SIGHUP) {
        n_reloads++;
    } else {
        is_terminated = 1;
    }
}

/* root/VERB.slow: it is not ready for as long as that is there. */
static void child_become_ready(const char *verb)
{
    struct ipc_message message = {.type = IPC_READY, .fd = -1};
    char name[32];
    char path[128];

    (void)snprintf(name, sizeof(name), "%s.slow", verb);
    for (int i = 0;
         i < TIMEOUT_MS / 5 &&
         access(launching_path(launching_root, name, path), F_OK) == 0;
         i++) {
        sleep_ms(5);
    }
    if (ipc_send(IPC_CONTROL_FD, &message) != 0) {
        _exit(98);
    }
}

/* root/core.replace: told to the launcher once, and taken away. */
static void child_ask(const char *verb)
{
    struct ipc_message message = {.type = IPC_RESTART, .fd = -1};
    char name[32];
    char path[128];

    (void)snprintf(name, sizeof(name), "%s.replace", verb);
    if (unlink(launching_path(launching_root, name, path)) == 0 &&
        ipc_send(IPC_CONTROL_FD, &message) != 0) {
        _exit(95);
    }
}

/* What root/VERB says: a number is the exit status at once ("!7": of one life
 * only), and what follows it is told to the launcher before. */
static void child_obey(const char *verb)
{
    struct ipc_message note = {.type = IPC_NOTE, .value = 1, .fd = -1};
    char path[128];
    char text[64] = "";
    int fd =
        open(launching_path(launching_root, verb, path), O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        return;
    }
    if (read(fd, text, sizeof(text) - 1) > 0) {
        const char *number = text;

        if (text[0] == '!') {
            number++;
            (void)unlink(path);
        }
        note.text = strchr(text, ' ');
        if (note.text != NULL) {
            note.text++;
            note.text_len = strlen(note.text);
            if (ipc_send(IPC_CONTROL_FD, &note) != 0) {
                _exit(96);
            }
        }
        _exit(atoi(number));
    }
    (void)close(fd);
}

static int child_main(const char *verb)
{
    struct sigaction action = {.sa_handler = on_signal};
    struct ipc_message message;
    int n_said = 0;
    char text[64];
    uint8_t buffer[64];

    (void)snprintf(text, sizeof(text), "start uid=%u", geteuid());
    child_says(verb, text);
    child_obey(verb);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGHUP, &action, NULL);
    child_become_ready(verb);
    while (!is_terminated) {
        struct pollfd fd = {.fd = IPC_CONTROL_FD, .events = POLLIN};
        int error;

        (void)poll(&fd, 1, 10);
        for (; n_said < n_reloads; n_said++) {
            child_says(verb, "reload");
        }
        error = ipc_receive(IPC_CONTROL_FD, buffer, sizeof(buffer), &message);
        if (error == 0 && message.type == IPC_PEER) {
            child_says(verb, "peer");
            (void)close(message.fd);
        }
        if (error == IPC_E_CLOSED) {
            return 0;
        }
        child_obey(verb);
        child_ask(verb);
    }
    child_says(verb, "end");
    return 0;
}

/* --- the test's side --- */

void launching_tell(const char *verb, const char *what)
{
    char path[128];
    FILE *file;

    if (what == NULL) {
        (void)unlink(launching_path(launching_root, verb, path));
        return;
    }
    file = fopen(launching_path(launching_root, verb, path), "we");
    assert_non_null(file);
    assert_true(fputs(what, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0644), 0);
}

char *launching_read_text(const char *name)
{
    static char text[16384];
    char path[128];
    int fd =
        open(launching_path(launching_root, name, path), O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;

    text[n > 0 ? n : 0] = '\0';
    if (fd >= 0) {
        (void)close(fd);
    }
    return text;
}

/* "log": what the children say; "err": what the launcher logs. */
int launching_count_in(const char *name, const char *line)
{
    int n = 0;

    for (const char *at = launching_read_text(name);
         (at = strstr(at, line)) != NULL; at++) {
        n++;
    }
    return n;
}

int launching_count(const char *line)
{
    return launching_count_in("log", line);
}

void launching_wait_in(const char *name, const char *line, int n)
{
    for (int i = 0; i < TIMEOUT_MS / 5; i++) {
        if (launching_count_in(name, line) >= n) {
            return;
        }
        sleep_ms(5);
    }
    fail_msg("no %d times \"%s\" in: %s", n, line, launching_read_text(name));
}

void launching_wait(const char *line, int n)
{
    launching_wait_in("log", line, n);
}

/* Written by launcher, core and worker, who are different users. */
static int make_log(const char *name)
{
    char path[128];
    int fd = open(launching_path(launching_root, name, path),
                  O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666);

    assert_true(fd >= 0);
    assert_int_equal(fchmod(fd, 0666), 0);
    return fd;
}

/* In a child: the launcher's own exit status. */
void launching_become(int err)
{
    struct config *config = launching_load_config();
    int status;

    (void)dup2(err, STDERR_FILENO);
    status = launcher_main(config, false);
    config_free(config);
    _exit(status);
}

pid_t launching_start(bool reconcile)
{
    pid_t parent = getpid();
    pid_t pid;
    int err = make_log("err");

    assert_int_equal(close(make_log("log")), 0);
    launching_write_config(reconcile, "");
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) {
            _exit(1);
        }
        launching_become(err);
    }
    assert_int_equal(close(err), 0);
    return pid;
}

void launching_wait_until_dead(const char *pattern)
{
    char command[256];

    (void)snprintf(command, sizeof(command), "pgrep -f '%s' >/dev/null",
                   pattern);
    for (int i = 0; i < TIMEOUT_MS / 20; i++) {
        if (system(command) == 256) {
            return;
        }
        sleep_ms(20);
    }
    fail_msg("still there: %s", pattern);
}

int launching_wait_exit(pid_t pid)
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
    fail_msg("the launcher did not end; log: %s", launching_read_text("log"));
    return -1;
}

int launching_setup(void **state)
{
    char path[128];

    (void)state;
    assert_non_null(mkdtemp(launching_root));
    assert_int_equal(chmod(launching_root, 0777), 0);
    (void)snprintf(launching_config_path, sizeof(launching_config_path),
                   "%s/agent.yaml", launching_root);
    (void)snprintf(launching_state_dir, sizeof(launching_state_dir), "%s/state",
                   launching_root);
    (void)snprintf(launching_run_dir, sizeof(launching_run_dir), "%s/run",
                   launching_root);
    assert_int_equal(mkdir(launching_state_dir, 0700), 0);
    assert_int_equal(
        mknod(launching_path(launching_state_dir, "node.key", path),
              S_IFREG | 0600, 0),
        0);
    if (geteuid() == 0) {
        assert_int_equal(chown(launching_state_dir, 1, 1), 0);
        assert_int_equal(chown(path, 1, 1), 0);
    }
    return 0;
}

int launching_teardown(void **state)
{
    char command[128];

    (void)state;
    (void)snprintf(command, sizeof(command), "rm -rf %s", launching_root);
    return system(command);
}

/* "agent core --config /tmp/socketnet-launcher-XXXXXX/agent.yaml" */
int launching_child(int argc, char **argv)
{
    if (argc < 4 || strlen(argv[3]) <= strlen(launching_root)) {
        return 97;
    }
    memcpy(launching_root, argv[3], strlen(launching_root));
    return child_main(argv[1]);
}
