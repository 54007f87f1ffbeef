/*
 * Core and worker as children: starting them again and again, introducing
 * them to each other, and what is said while one cannot start.
 */
#include "agent/launcher/launcher_internal.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/config/config.h"
#include "agent/ipc/ipc.h"
#include "agent/launcher/launcher_notify.h"
#include "agent/system/clock.h"
#include "agent/system/log.h"
#include "agent/system/privileges.h"

/* A child that ends is started again after this, doubled each time.  The
 * highest is how long after a port was freed the agent may still be down. */
#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 5000
/* ... and forgiven after so long a life. */
#define BACKOFF_FORGIVE_MS 30000
/* What it waits for is said again after this. */
#define SAY_AGAIN_MS 600000
/* A worker that is asked to end for another is killed after this. */
#define REPLACE_MS 3000

/* Core gives up its rights before it becomes core; what it then could not
 * read is said here, with what to do, and not by whoever stumbles over it. */
static void become_core(const struct launcher *launcher)
{
    const struct config *config = launcher->config;
    const char *paths[] = {config->path, config->state_dir, config->run_dir};
    _cleanup_(free_pointer) char *text = NULL;

    if (privileges_become_core(config->user, &text) < 0) {
        log_error("%s", text != NULL ? text : "out of memory");
        _exit(LAUNCHER_EXIT_CONFIG);
    }
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        bool is_file = i == 0;

        if (paths[i] == NULL ||
            access(paths[i], is_file ? R_OK : R_OK | W_OK | X_OK) == 0 ||
            (is_file && errno == ENOENT)) {
            continue;
        }
        log_error("core runs as user %s, who cannot %s %s: %s; let that user "
                  "pass through the directories above it (chmod o+x)%s",
                  config->user, is_file ? "read" : "write to", paths[i],
                  strerror(errno),
                  is_file ? " and read it (chmod o+r; it holds no secret)"
                          : "");
        _exit(LAUNCHER_EXIT_CONFIG);
    }
}

/* In the new process: never returns. */
static void become_child(const struct launcher *launcher,
                         const struct launcher_child *child, int control,
                         pid_t parent)
{
    const char *arguments[6] = {"agent", child->verb};
    char *argv[6];
    size_t n = 2;
    sigset_t none;

    /* A terminal's Ctrl-C is for the launcher, which stops core first. */
    (void)setpgid(0, 0);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    /* Said again by the child after it changed its user; this covers the
     * time until then. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != parent) {
        _exit(LAUNCHER_EXIT_FAILED);
    }
    /* dup2 clears close-on-exec, but not on a descriptor that is there. */
    if (control == IPC_CONTROL_FD) {
        control = dup(control);
    }
    if (control < 0 || dup2(control, IPC_CONTROL_FD) < 0) {
        _exit(LAUNCHER_EXIT_FAILED);
    }
    privileges_close_from(IPC_CONTROL_FD + 1);
    if (child == &launcher->core) {
        become_core(launcher);
    }
    if (launcher->config->path != NULL &&
        access(launcher->config->path, F_OK) == 0) {
        arguments[n++] = "--config";
        arguments[n++] = launcher->config->path;
    }
    if (child == &launcher->worker && launcher->observe) {
        arguments[n++] = "--observe";
    }
    for (size_t i = 0; i <= n; i++) {
        argv[i] = (char *)(uintptr_t)arguments[i]; /* execv's old prototype */
    }
    /* The same file even when the path holds a newer version by now. */
    (void)execv("/proc/self/exe", argv);
    (void)fprintf(stderr, "agent: cannot execute /proc/self/exe: %s\n",
                  strerror(errno));
    _exit(LAUNCHER_EXIT_FAILED);
}

static int child_fork(struct launcher *launcher, struct launcher_child *child)
{
    pid_t parent = getpid();
    int pair[2];
    pid_t pid;

    child->restart_ms = 0;
    child->is_ready = false;
    child->note[0] = '\0';
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
                   pair) < 0) {
        return -errno;
    }
    pid = fork();
    if (pid < 0) {
        int error = -errno;

        (void)close(pair[0]); /* nothing was written to either */
        (void)close(pair[1]);
        return error;
    }
    if (pid == 0) {
        become_child(launcher, child, pair[1], parent);
    }
    (void)close(pair[1]); /* the child's */
    child->pid = pid;
    child->control = pair[0];
    child->started_ms = clock_now_ms();
    log_debug("started process=%s pid=%d", child->verb, (int)pid);
    return 0;
}

/* Gives both children the ends of a new socketpair. */
static void child_introduce(const struct launcher *launcher)
{
    struct ipc_message message = {.type = IPC_PEER};
    int pair[2];
    int error;

    if (launcher->core.control < 0 || launcher->worker.control < 0) {
        return; /* said again when the other one is back */
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
                   pair) < 0) {
        log_error("cannot make a socketpair: %s", strerror(errno));
        return;
    }
    message.fd = pair[0];
    error = ipc_send(launcher->core.control, &message);
    if (error != 0 && error != IPC_E_CLOSED) { /* ended: said elsewhere */
        log_warning("core does not take its connection to worker");
    }
    message.fd = pair[1];
    error = ipc_send(launcher->worker.control, &message);
    if (error != 0 && error != IPC_E_CLOSED) {
        log_warning("worker does not take its connection to core");
    }
    (void)close(pair[0]); /* the children have them */
    (void)close(pair[1]);
}

void launcher_child_init(struct launcher_child *child, const char *verb)
{
    *child = (struct launcher_child){
        .verb = verb, .control = -1, .backoff_ms = BACKOFF_MIN_MS};
}

static void child_retry(struct launcher_child *child)
{
    child->restart_ms = clock_now_ms() + child->backoff_ms;
    child->backoff_ms = MIN_OF(child->backoff_ms * 2, BACKOFF_MAX_MS);
}

void launcher_child_start(struct launcher *launcher,
                          struct launcher_child *child)
{
    int error = child_fork(launcher, child);

    if (error < 0) {
        log_error("cannot start process=%s: %s", child->verb, strerror(-error));
        child_retry(child);
        return;
    }
    child_introduce(launcher);
}

/* It said why it cannot start: said once, again when that changes, and rarely
 * while it does not. */
static void child_wait(struct launcher_child *child)
{
    uint64_t now = clock_now_ms();

    if (child->said_ms == 0 || strcmp(child->said, child->note) != 0 ||
        now - child->said_ms >= SAY_AGAIN_MS) {
        memcpy(child->said, child->note, sizeof(child->said));
        child->said_ms = now;
        log_warning("waiting, %s cannot start yet: %s (tried again every %d "
                    "s, said again rarely)",
                    child->verb, child->note, BACKOFF_MAX_MS / 1000);
    }
    launcher_notify_waiting(child->note);
}

void launcher_child_ended(struct launcher_child *child, const char *how,
                          int number)
{
    bool was_killed = child->kill_ms != 0;

    if (child->note[0] != '\0') {
        child_wait(child);
    } else if (child->is_replaced) {
        log_warning("process=%s is started again, as core does not know its "
                    "version in_ms=%u",
                    child->verb, child->backoff_ms);
    } else if (child->is_renewed) {
        log_info("process=%s is started again with the new configuration",
                 child->verb);
        child->backoff_ms = BACKOFF_MIN_MS;
    } else {
        if (clock_now_ms() - child->started_ms >= BACKOFF_FORGIVE_MS) {
            child->backoff_ms = BACKOFF_MIN_MS;
        }
        log_error("process=%s ended %s=%d%s, starting it again in_ms=%u",
                  child->verb, how, number,
                  was_killed ? " (did not stop in time)" : "",
                  child->backoff_ms);
    }
    child->is_renewed = false;
    child->is_replaced = false;
    child_retry(child);
}

void launcher_child_replace(struct launcher_child *worker)
{
    if (worker->pid > 0 && worker->kill_ms == 0) {
        worker->is_replaced = true;
        worker->kill_ms = clock_now_ms() + REPLACE_MS;
        (void)kill(worker->pid, SIGTERM); /* it may just have ended */
    }
}

void launcher_child_ready(struct launcher_child *child)
{
    child->is_ready = true;
    child->was_ready = true;
    if (child->said_ms != 0) {
        log_info("waiting is over: %s runs", child->verb);
        child->said_ms = 0;
        child->backoff_ms = BACKOFF_MIN_MS;
    }
    if (child->wants_reload) {
        child->wants_reload = false;
        (void)kill(child->pid, SIGHUP); /* it may just have ended */
    }
}
