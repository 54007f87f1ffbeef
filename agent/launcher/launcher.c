/*
 * The launcher: signalfd and poll, no event loop.  It stays root and is
 * therefore kept small: what it reads is its children's READY and its own
 * signals.  launcher_dirs.c prepares the directories, core.c and worker.c
 * are what it starts.
 */
#include "agent/launcher/launcher.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/config/config.h"
#include "agent/ipc/ipc.h"
#include "agent/launcher/launcher_dirs.h"
#include "agent/launcher/launcher_notify.h"
#include "agent/system/log.h"
#include "agent/system/memory.h"
#include "agent/system/privileges.h"

/* A child that dies is started again after this, doubled each time, and
 * forgiven after so long a life. */
#define BACKOFF_MIN_MS     100
#define BACKOFF_MAX_MS     10000
#define BACKOFF_FORGIVE_MS 30000
/* Core announces its pause within this; then it is killed. */
#define STOP_CORE_MS   10000
#define STOP_WORKER_MS 3000

#define EXIT_FAILED 1
#define EXIT_CONFIG 2

struct child {
    const char *verb; /* "core", "worker" */
    pid_t pid;        /* 0: not running */
    int control;      /* our end of its control socket, -1 */
    uint64_t started_ms;
    uint64_t restart_ms; /* when to start it again; 0: not waiting */
    uint64_t kill_ms;    /* when to kill it, 0: not stopping */
    uint32_t backoff_ms;
    bool was_ready; /* in any of its lives */
};

struct launcher {
    const struct config *config;
    bool observe;
    struct child core;
    struct child worker; /* verb NULL: reconcile is false */
    int signal_fd;
    int lock_fd;
    bool is_stopping;
    int status;
};

static uint64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail */
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Core gives up its rights before it becomes core; what it then could not
 * read is said here, with what to do, and not by whoever stumbles over it. */
static void become_core(const struct launcher *launcher)
{
    const struct config *config = launcher->config;
    const char *paths[] = {config->path, config->state_dir, config->run_dir};
    _cleanup_(free_pointer) char *text = NULL;

    if (privileges_become_core(config->user, &text) < 0) {
        log_error("%s", text != NULL ? text : "out of memory");
        _exit(EXIT_FAILED);
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
        _exit(EXIT_FAILED);
    }
}

/* In the new process: never returns. */
static void become_child(const struct launcher *launcher,
                         const struct child *child, int control, pid_t parent)
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
        _exit(EXIT_FAILED);
    }
    /* dup2 clears close-on-exec, but not on a descriptor that is there. */
    if (control == IPC_CONTROL_FD) {
        control = dup(control);
    }
    if (control < 0 || dup2(control, IPC_CONTROL_FD) < 0) {
        _exit(EXIT_FAILED);
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
    _exit(EXIT_FAILED);
}

static void child_retry(struct child *child)
{
    child->restart_ms = now_ms() + child->backoff_ms;
    child->backoff_ms = MIN_OF(child->backoff_ms * 2, BACKOFF_MAX_MS);
}

static int child_start(struct launcher *launcher, struct child *child)
{
    pid_t parent = getpid();
    int pair[2];
    pid_t pid;

    child->restart_ms = 0;
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
    child->started_ms = now_ms();
    log_debug("started process=%s pid=%d", child->verb, (int)pid);
    return 0;
}

/* Gives both children the ends of a new socketpair. */
static void introduce(const struct launcher *launcher)
{
    struct ipc_message message = {.type = IPC_PEER};
    int pair[2];

    if (launcher->core.control < 0 || launcher->worker.control < 0) {
        return; /* said again when the other one is back */
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
                   pair) < 0) {
        log_error("cannot make a socketpair: %s", strerror(errno));
        return;
    }
    message.fd = pair[0];
    if (ipc_send(launcher->core.control, &message) != 0) {
        log_warning("core does not take its connection to worker");
    }
    message.fd = pair[1];
    if (ipc_send(launcher->worker.control, &message) != 0) {
        log_warning("worker does not take its connection to core");
    }
    (void)close(pair[0]); /* the children have them */
    (void)close(pair[1]);
}

static void start_or_retry(struct launcher *launcher, struct child *child)
{
    int error = child_start(launcher, child);

    if (error < 0) {
        log_error("cannot start process=%s: %s", child->verb, strerror(-error));
        child_retry(child);
        return;
    }
    introduce(launcher);
}

/* Asks the children to end, core first: the worker serves it until then. */
static void stop(struct launcher *launcher, int status)
{
    struct child *core = &launcher->core;
    struct child *worker = &launcher->worker;

    if (!launcher->is_stopping) {
        launcher->is_stopping = true;
        launcher->status = status;
        launcher_notify("STOPPING=1");
    }
    core->restart_ms = 0;
    worker->restart_ms = 0;
    if (core->pid > 0) {
        if (core->kill_ms == 0) {
            core->kill_ms = now_ms() + STOP_CORE_MS;
            (void)kill(core->pid, SIGTERM); /* it may just have ended */
        }
    } else if (worker->pid > 0 && worker->kill_ms == 0) {
        worker->kill_ms = now_ms() + STOP_WORKER_MS;
        (void)kill(worker->pid, SIGTERM); /* it may just have ended */
    }
}

static void child_ended(struct launcher *launcher, struct child *child,
                        int wait_status)
{
    bool is_exit = WIFEXITED(wait_status);
    int status = is_exit ? WEXITSTATUS(wait_status) : EXIT_FAILED;
    bool was_killed = child->kill_ms != 0;

    child->pid = 0;
    child->kill_ms = 0;
    if (child->control >= 0) {
        (void)close(child->control); /* nothing to lose: the peer is gone */
        child->control = -1;
    }
    if (launcher->is_stopping) {
        if (child == &launcher->core && is_exit && status != 0) {
            launcher->status = status;
        }
        stop(launcher, 0);
        return;
    }
    if (child == &launcher->core && is_exit && status == 0) {
        stop(launcher, 0); /* left the cluster: its work is done */
        return;
    }
    if (is_exit && !child->was_ready) {
        stop(launcher, status); /* it has said why it cannot start */
        return;
    }
    if (now_ms() - child->started_ms >= BACKOFF_FORGIVE_MS) {
        child->backoff_ms = BACKOFF_MIN_MS;
    }
    log_error("process=%s ended %s=%d%s, starting it again in_ms=%u",
              child->verb, is_exit ? "status" : "signal",
              is_exit ? status : WTERMSIG(wait_status),
              was_killed ? " (did not stop in time)" : "", child->backoff_ms);
    child_retry(child);
}

static void reap(struct launcher *launcher)
{
    int wait_status;
    pid_t pid;

    while ((pid = waitpid(-1, &wait_status, WNOHANG)) > 0) {
        if (pid == launcher->core.pid) {
            child_ended(launcher, &launcher->core, wait_status);
        } else if (pid == launcher->worker.pid) {
            child_ended(launcher, &launcher->worker, wait_status);
        }
    }
}

static void read_signals(struct launcher *launcher)
{
    struct signalfd_siginfo info;

    while (read(launcher->signal_fd, &info, sizeof(info)) ==
           (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGCHLD) {
            reap(launcher);
        } else if (!launcher->is_stopping) {
            log_info("stopping signal=%u", info.ssi_signo);
            stop(launcher, 0);
        }
    }
}

static void read_control(struct launcher *launcher, struct child *child)
{
    uint8_t buffer[256]; /* READY has no content */
    struct ipc_message message;
    int error;

    while ((error = ipc_receive(child->control, buffer, sizeof(buffer),
                                &message)) == 0 ||
           error == IPC_E_MALFORMED) {
        if (error != 0) {
            continue;
        }
        if (message.fd >= 0) {
            (void)close(message.fd); /* children have none to give */
        }
        if (message.type == IPC_READY && !child->was_ready) {
            child->was_ready = true;
            if (child == &launcher->core) {
                launcher_notify("READY=1");
            }
        }
    }
    if (error != IPC_E_AGAIN) {
        /* Its end is closed: it ends, and SIGCHLD tells how. */
        (void)close(child->control); /* nothing unsent matters now */
        child->control = -1;
    }
}

static void run_timers(struct launcher *launcher, struct child *child)
{
    uint64_t now = now_ms();

    if (child->restart_ms != 0 && child->restart_ms <= now) {
        start_or_retry(launcher, child);
    }
    if (child->kill_ms != 0 && child->kill_ms <= now && child->pid > 0) {
        log_warning("process=%s did not stop, killing it", child->verb);
        child->kill_ms = UINT64_MAX;
        (void)kill(child->pid, SIGKILL); /* it may just have ended */
    }
}

static int poll_timeout(const struct launcher *launcher)
{
    const struct child *children[] = {&launcher->core, &launcher->worker};
    uint64_t next = UINT64_MAX;
    uint64_t now = now_ms();

    for (size_t i = 0; i < ARRAY_SIZE(children); i++) {
        if (children[i]->restart_ms != 0) {
            next = MIN_OF(next, children[i]->restart_ms);
        }
        if (children[i]->kill_ms != 0) {
            next = MIN_OF(next, children[i]->kill_ms);
        }
    }
    if (next == UINT64_MAX) {
        return -1;
    }
    return next <= now ? 0 : (int)MIN_OF(next - now, UINT64_C(60000));
}

static bool is_finished(const struct launcher *launcher)
{
    return launcher->is_stopping && launcher->core.pid == 0 &&
           launcher->worker.pid == 0;
}

static void run(struct launcher *launcher)
{
    while (!is_finished(launcher)) {
        struct pollfd fds[3] = {
            {.fd = launcher->signal_fd, .events = POLLIN},
            {.fd = launcher->core.control, .events = POLLIN},
            {.fd = launcher->worker.control, .events = POLLIN},
        };

        if (poll(fds, 3, poll_timeout(launcher)) < 0 && errno != EINTR) {
            log_error("poll: %s", strerror(errno));
            launcher->status = EXIT_FAILED;
            return; /* the children see their sockets closed */
        }
        /* Words of a child come before the news of its end. */
        if (fds[1].revents != 0) {
            read_control(launcher, &launcher->core);
        }
        if (fds[2].revents != 0) {
            read_control(launcher, &launcher->worker);
        }
        if (fds[0].revents != 0) {
            read_signals(launcher);
        }
        run_timers(launcher, &launcher->core);
        run_timers(launcher, &launcher->worker);
    }
}

static int open_signals(void)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    (void)sigaddset(&set, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0) {
        return -errno;
    }
    (void)signal(SIGPIPE, SIG_IGN); /* inherited: a closed log kills nobody */
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Says what is wrong and gives the exit status, or 0. */
static int prepare(struct launcher *launcher)
{
    const struct config *config = launcher->config;
    _cleanup_(free_pointer) char *text = NULL;

    if (geteuid() != 0 && config->reconcile) {
        log_error("agent run needs root to write the bridge's flows: start it "
                  "as root, or set `reconcile: false` in %s to take part in "
                  "the cluster without a data plane",
                  config->path != NULL ? config->path : CONFIG_PATH_DEFAULT);
        return EXIT_CONFIG;
    }
    if (launcher_dirs_prepare(config, &launcher->lock_fd, &text) < 0) {
        log_error("%s", text != NULL ? text : "out of memory");
        return EXIT_FAILED;
    }
    launcher->signal_fd = open_signals();
    if (launcher->signal_fd < 0) {
        log_error("cannot watch signals: %s", strerror(errno));
        return EXIT_FAILED;
    }
    return 0;
}

int launcher_main(struct config *config, bool observe)
{
    struct launcher launcher = {
        .config = config,
        .observe = observe,
        .core = {.verb = "core", .control = -1, .backoff_ms = BACKOFF_MIN_MS},
        .worker = {.verb = "worker",
                   .control = -1,
                   .backoff_ms = BACKOFF_MIN_MS},
        .signal_fd = -1,
        .lock_fd = -1,
    };

    log_set_process("launcher");
    launcher.status = prepare(&launcher);
    if (launcher.status == 0) {
        start_or_retry(&launcher, &launcher.core);
        if (config->reconcile) {
            start_or_retry(&launcher, &launcher.worker);
        }
        memory_trim(); /* from now on this process mostly waits */
        run(&launcher);
    }
    if (launcher.signal_fd >= 0) {
        (void)close(launcher.signal_fd); /* read from only */
    }
    if (launcher.lock_fd >= 0) {
        (void)close(launcher.lock_fd); /* frees the run directory */
    }
    return launcher.status;
}
