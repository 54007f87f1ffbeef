/*
 * `agent reset`: what `agent leave` does to the data plane, without an agent
 * and without telling the cluster, and the state directory with it.
 */
#include "agent/command_reset.h"
#include "agent/command_restore.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/config/config.h"
#include "agent/identity/identity.h"
#include "agent/identity/pin.h"
#include "agent/ctl/ctl.h"
#include "agent/launcher/launcher.h"
#include "agent/offline/switch_sync.h"
#include "agent/worker/worker.h"
#include "agent/worker/worker_text.h"
#include "reconcilers/kernel/netlink.h"

struct reset {
    struct config *config;
    struct plan_policy policy;
    bool dry_run;
    size_t n_done; /* what went, or would go */
    bool has_failed;
};

static void say(struct reset *reset, const char *what)
{
    (void)printf("%s%s\n", reset->dry_run ? "would " : "", what);
    reset->n_done++;
}

static void complain(struct reset *reset, const char *what, const char *why)
{
    (void)fprintf(stderr, "agent reset: %s: %s\n", what, why);
    reset->has_failed = true;
}

/* --- switch --- */

static void reset_flows(struct reset *reset, struct switch_sync *sync)
{
    const struct plan nothing = PLAN_INIT;
    struct diff diff = DIFF_INIT;

    if (diff_make(&nothing, sync->dump.flows, sync->dump.n_flows,
                  sync->dump.groups, sync->dump.n_groups, &diff) < 0) {
        complain(reset, "flows", "out of memory");
        return;
    }
    if (diff.n_flows + diff.n_groups > 0) {
        /* Goes with the flows; when it cannot even be asked for, neither can
         * they. */
        if (!reset->dry_run && sync->dump.has_meter) {
            (void)!ofconn_remove_meter(sync->ofconn);
        }
        if (!reset->dry_run && switch_sync_apply(sync, &diff) != 0) {
            complain(reset, "flows stay", sync->text);
        } else {
            reset->n_done +=
                worker_text_diff(stdout, reset->dry_run ? "would " : "", &diff);
        }
    }
    diff_done(&diff);
}

static void reset_port(struct reset *reset, struct switch_sync *sync)
{
    const char *name = reset->policy.tunnel_device;
    const struct ovsdb_port *port = switch_sync_find_port(sync, name);
    char text[96];

    if (port == NULL || !port->is_ours) {
        return;
    }
    (void)snprintf(text, sizeof(text), "remove port %.15s from %.60s", name,
                   reset->policy.bridge);
    if (!reset->dry_run && switch_sync_remove_port(sync, name) != 0) {
        complain(reset, "the port stays", sync->text);
        return;
    }
    say(reset, text);
}

static void reset_switch(struct reset *reset)
{
    struct switch_sync sync = SWITCH_SYNC_INIT;
    int error = switch_sync_open(&sync, reset->config);

    if (error == 0) {
        reset_flows(reset, &sync);
        reset_port(reset, &sync);
    } else if (error == -ENODEV) {
        (void)printf("%s: nothing of ours can be in it\n", sync.text);
    } else {
        complain(reset, "flows and ports cannot be seen", sync.text);
    }
    switch_sync_close(&sync);
}

/* --- kernel --- */

static void on_note(const char *text, void *data)
{
    say(data, text);
}

static void reset_kernel(struct reset *reset)
{
    struct netlink *netlink = NULL;
    int error = netlink_open(&netlink);

    if (error == 0) {
        error = netlink_remove_all(netlink, &reset->policy, reset->dry_run,
                                   on_note, reset);
    }
    if (error < 0) {
        complain(reset, "device, routes or address", strerror(-error));
    }
    (void)netlink_close(netlink);
}

/* --- state --- */

static void close_dir(DIR **dir)
{
    if (*dir != NULL) {
        (void)closedir(*dir); /* only read from */
    }
}

static bool is_state_file(const char *name)
{
    return identity_file_find(name) != NULL || strcmp(name, "join.key") == 0 ||
           strcmp(name, IDENTITY_CERTIFICATE_NEXT) == 0 ||
           strcmp(name, IDENTITY_BACKUP_NAME) == 0;
}

static bool is_work_file(const char *name)
{
    return identity_file_find(name) != NULL;
}

static bool is_store_file(const char *name)
{
    return strcmp(name, "data.mdb") == 0 || strcmp(name, "lock.mdb") == 0;
}

/* Removes the files that `is_ours` names, never anything else: the directory
 * may be one that a person put other things into. */
static void reset_files(struct reset *reset, int dir_fd, const char *path,
                        bool (*is_ours)(const char *name))
{
    int copy = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_(close_dir) DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
    const struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        char text[640];

        if (!is_ours(entry->d_name)) {
            continue;
        }
        (void)snprintf(text, sizeof(text), "remove %.400s/%.64s%s", path,
                       entry->d_name,
                       strcmp(entry->d_name, "admission.key") == 0
                           ? " (THE CLUSTER'S ADMISSION KEY: without a copy "
                             "no other host can be made an issuer)"
                           : "");
        if (!reset->dry_run && unlinkat(dir_fd, entry->d_name, 0) < 0) {
            complain(reset, text, strerror(errno));
            continue;
        }
        say(reset, text);
    }
}

static void reset_directory(struct reset *reset, int parent_fd,
                            const char *name, const char *path)
{
    char text[512];

    (void)snprintf(text, sizeof(text), "remove directory %.400s", path);
    if (!reset->dry_run && unlinkat(parent_fd, name, AT_REMOVEDIR) < 0) {
        if (errno == ENOTEMPTY || errno == EEXIST) {
            (void)printf("%s stays: it holds files that are not ours\n", path);
        } else if (errno == EBUSY) {
            (void)printf("%s stays: something is mounted there\n", path);
        } else {
            complain(reset, text, strerror(errno));
        }
        return;
    }
    say(reset, text);
}

static bool is_run_file(const char *name)
{
    return strcmp(name, "agent.lock") == 0 || strcmp(name, "api.sock") == 0;
}

static void reset_run(struct reset *reset)
{
    const char *path = reset->config->run_dir;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd >= 0) {
        reset_files(reset, fd, path, is_run_file);
        (void)close(fd); /* read from only */
        reset_directory(reset, AT_FDCWD, path, path);
    }
}

/* db/ of a directory of ours, and what the store has in it. */
static void reset_store(struct reset *reset, int dir_fd, const char *path)
{
    char store_path[512];
    int fd =
        openat(dir_fd, "db", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd >= 0) {
        (void)snprintf(store_path, sizeof(store_path), "%.500s/db", path);
        reset_files(reset, fd, store_path, is_store_file);
        (void)close(fd); /* read from only */
        reset_directory(reset, dir_fd, "db", store_path);
    }
}

/* What a restore that was cut short has left: keys of the backup, too. */
static void reset_restore(struct reset *reset, int dir_fd, const char *path)
{
    char work_path[512];
    int fd = openat(dir_fd, COMMAND_RESTORE_WORK,
                    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd >= 0) {
        (void)snprintf(work_path, sizeof(work_path),
                       "%.480s/" COMMAND_RESTORE_WORK, path);
        reset_store(reset, fd, work_path);
        reset_files(reset, fd, work_path, is_work_file);
        (void)close(fd); /* read from only */
        reset_directory(reset, dir_fd, COMMAND_RESTORE_WORK, work_path);
    }
}

static void reset_state(struct reset *reset)
{
    const char *path = reset->config->state_dir;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0) {
        if (errno != ENOENT) {
            complain(reset, path, strerror(errno));
        }
        return;
    }
    reset_store(reset, fd, path);
    reset_restore(reset, fd, path);
    reset_files(reset, fd, path, is_state_file);
    (void)close(fd); /* read from only */
    reset_directory(reset, AT_FDCWD, path, path);
}

/* Root's copy of the genesis: this host belongs to no cluster any more. */
static void reset_pin(struct reset *reset)
{
    _cleanup_(free_pointer) char *path = pin_path(reset->config->state_dir);
    int fd = path != NULL
                 ? open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                 : -1;

    if (fd >= 0) {
        reset_files(reset, fd, path, pin_is_file);
        (void)close(fd); /* read from only */
        reset_directory(reset, AT_FDCWD, path, path);
    }
}

int command_reset(struct config *config, bool dry_run)
{
    struct reset reset = {.config = config, .dry_run = dry_run};

    if (launcher_is_running(config->run_dir) == 1) {
        (void)fprintf(stderr,
                      "agent reset: an agent runs with run directory %s: stop "
                      "it first, or use `agent leave`, which also tells the "
                      "cluster\n",
                      config->run_dir);
        return CTL_EXIT_FAILED;
    }
    worker_policy_base(config, &reset.policy);
    if (config->reconcile) {
        reset_switch(&reset);
        reset_kernel(&reset);
    }
    reset_state(&reset);
    reset_pin(&reset);
    reset_run(&reset);
    if (reset.n_done == 0 && !reset.has_failed) {
        (void)printf("nothing of ours is here\n");
    }
    return reset.has_failed ? CTL_EXIT_FAILED : 0;
}
