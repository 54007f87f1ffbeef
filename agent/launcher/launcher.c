/*
 * The launcher: signalfd and poll, no event loop.  It stays root and is
 * therefore kept small: what it reads is its children's words, its own signals
 * and the root-owned configuration.  launcher_internal.h says which file does
 * what; core_run.c and worker.c are what it starts.
 */
#include "agent/launcher/launcher.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/config/config.h"
#include "agent/ipc/ipc.h"
#include "agent/launcher/launcher_dirs.h"
#include "agent/launcher/launcher_internal.h"
#include "agent/launcher/launcher_notify.h"
#include "agent/system/clock.h"
#include "agent/system/log.h"
#include "agent/system/memory.h"

/* Core announces its pause within this; then it is killed. */
#define STOP_CORE_MS   10000
#define STOP_WORKER_MS 3000
/* How often a directory that is not mounted yet is looked for. */
#define MOUNT_LOOK_MS 2000

/* Asks the children to end, core first: the worker serves it until then. */
static void stop(struct launcher *launcher, int status)
{
    struct launcher_child *core = &launcher->core;
    struct launcher_child *worker = &launcher->worker;

    if (!launcher->is_stopping) {
        launcher->is_stopping = true;
        launcher->status = status;
        launcher_notify("STOPPING=1");
    }
    core->restart_ms = 0;
    worker->restart_ms = 0;
    if (core->pid > 0) {
        if (core->kill_ms == 0) {
            core->kill_ms = clock_now_ms() + STOP_CORE_MS;
            (void)kill(core->pid, SIGTERM); /* it may just have ended */
        }
    } else if (worker->pid > 0 && worker->kill_ms == 0) {
        worker->kill_ms = clock_now_ms() + STOP_WORKER_MS;
        (void)kill(worker->pid, SIGTERM); /* it may just have ended */
    }
}

static void child_ended(struct launcher *launcher, struct launcher_child *child,
                        int wait_status)
{
    bool is_exit = WIFEXITED(wait_status);
    int status = is_exit ? WEXITSTATUS(wait_status) : LAUNCHER_EXIT_FAILED;

    child->pid = 0;
    if (child->control >= 0) {
        (void)close(child->control); /* nothing to lose: the peer is gone */
        child->control = -1;
    }
    if (launcher->is_stopping) {
        child->kill_ms = 0;
        if (child == &launcher->core && is_exit && status != 0 &&
            child->note[0] == '\0') {
            launcher->status = status;
        }
        stop(launcher, LAUNCHER_EXIT_OK);
        return;
    }
    if (child == &launcher->core && is_exit && status == 0) {
        stop(launcher, LAUNCHER_EXIT_OK); /* left the cluster: all done */
        return;
    }
    if (is_exit && status == LAUNCHER_EXIT_CONFIG && !child->was_ready) {
        stop(launcher, status); /* it has said what a person must mend */
        return;
    }
    launcher_child_ended(child, is_exit ? "status" : "signal",
                         is_exit ? status : WTERMSIG(wait_status));
    child->kill_ms = 0;
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
        } else if (launcher->is_stopping) {
            continue;
        } else if (info.ssi_signo == SIGHUP) {
            launcher_reload(launcher);
        } else {
            log_info("stopping signal=%u", info.ssi_signo);
            stop(launcher, LAUNCHER_EXIT_OK);
        }
    }
}

static void keep_note(struct launcher_child *child,
                      const struct ipc_message *message)
{
    size_t len = MIN_OF(message->text_len, sizeof(child->note) - 1);

    memcpy(child->note, message->text, len);
    child->note[len] = '\0';
}

static void read_control(struct launcher *launcher,
                         struct launcher_child *child)
{
    uint8_t buffer[LAUNCHER_NOTE_SIZE + 64];
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
        if (message.type == IPC_RESTART && child == &launcher->core &&
            !launcher->is_stopping) {
            launcher_child_replace(&launcher->worker);
        } else if (message.type == IPC_NOTE && !child->is_ready) {
            keep_note(child, &message);
        } else if (message.type == IPC_READY && !child->is_ready) {
            if (child == &launcher->core) {
                launcher_notify("READY=1\nSTATUS=running");
            }
            launcher_child_ready(child);
        }
    }
    if (error != IPC_E_AGAIN) {
        /* Its end is closed: it ends, and SIGCHLD tells how. */
        (void)close(child->control); /* nothing unsent matters now */
        child->control = -1;
    }
}

static void run_timers(struct launcher *launcher, struct launcher_child *child)
{
    uint64_t now = clock_now_ms();

    if (child->restart_ms != 0 && child->restart_ms <= now) {
        launcher_child_start(launcher, child);
    }
    if (child->kill_ms != 0 && child->kill_ms <= now && child->pid > 0) {
        log_warning("process=%s did not stop, killing it", child->verb);
        child->kill_ms = UINT64_MAX;
        (void)kill(child->pid, SIGKILL); /* it may just have ended */
    }
}

static int poll_timeout(const struct launcher *launcher)
{
    const struct launcher_child *children[] = {&launcher->core,
                                               &launcher->worker};
    uint64_t next = UINT64_MAX;
    uint64_t now = clock_now_ms();

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
            launcher->status = LAUNCHER_EXIT_FAILED;
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

/* Until a signal or the next look.  Whether to look again. */
static bool wait_for_disk(struct launcher *launcher)
{
    struct pollfd fd = {.fd = launcher->signal_fd, .events = POLLIN};

    (void)poll(&fd, 1, MOUNT_LOOK_MS); /* interrupted: looks sooner */
    read_signals(launcher);
    return !launcher->is_stopping;
}

/* The directories, once their disks are there.  What is wrong is said; the
 * exit status, or 0. */
static int prepare_dirs(struct launcher *launcher)
{
    bool is_said = false;

    for (;;) {
        _cleanup_(free_pointer) char *text = NULL;
        int error =
            launcher_dirs_prepare(launcher->config, &launcher->lock_fd, &text);

        if (error == 0) {
            return LAUNCHER_EXIT_OK;
        }
        if (error != LAUNCHER_DIRS_E_UNMOUNTED) {
            log_error("%s", text != NULL ? text : "out of memory");
            return error == LAUNCHER_DIRS_E_CONFIG ? LAUNCHER_EXIT_CONFIG
                                                   : LAUNCHER_EXIT_FAILED;
        }
        if (!is_said) {
            log_warning("waiting: %s", text != NULL ? text : "out of memory");
            is_said = true;
        }
        launcher_notify_waiting(text != NULL ? text : "");
        if (!wait_for_disk(launcher)) {
            return LAUNCHER_EXIT_OK;
        }
    }
}

/* Says what is wrong and gives the exit status, or 0. */
static int prepare(struct launcher *launcher)
{
    const struct config *config = launcher->config;

    if (geteuid() != 0 && config->reconcile) {
        log_error("agent run needs root to write the bridge's flows: start it "
                  "as root, or set `reconcile: false` in %s to take part in "
                  "the cluster without a data plane",
                  config->path != NULL ? config->path : CONFIG_PATH_DEFAULT);
        return LAUNCHER_EXIT_CONFIG;
    }
    launcher->signal_fd = open_signals();
    if (launcher->signal_fd < 0) {
        log_error("cannot watch signals: %s", strerror(errno));
        return LAUNCHER_EXIT_FAILED;
    }
    return prepare_dirs(launcher);
}

int launcher_main(const struct config *config, bool observe)
{
    struct launcher launcher = {
        .config = config,
        .observe = observe,
        .signal_fd = -1,
        .lock_fd = -1,
    };

    log_set_process("launcher");
    launcher_child_init(&launcher.core, "core");
    launcher_child_init(&launcher.worker, "worker");
    launcher.status = prepare(&launcher);
    if (launcher.status == LAUNCHER_EXIT_OK && !launcher.is_stopping) {
        launcher_child_start(&launcher, &launcher.core);
        if (config->reconcile) {
            launcher_child_start(&launcher, &launcher.worker);
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
    launcher.latest = config_free(launcher.latest);
    return launcher.status;
}
