/*
 * Run directory and state directory of an agent that is about to start.
 */
#include "agent/launcher/launcher_dirs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/config/config.h"
#include "agent/launcher/launcher.h"
#include "agent/launcher/launcher_mounts.h"
#include "agent/system/user.h"

#define LOCK_NAME "agent.lock"

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd); /* read from only, or its content does not matter */
    }
}

static void close_dir(DIR **dir)
{
    if (*dir != NULL) {
        (void)closedir(*dir); /* only read from */
    }
}

static _printf_(3, 4) int fail(int error, char **ret_error, const char *format,
                               ...)
{
    va_list arguments;

    va_start(arguments, format);
    if (vasprintf(ret_error, format, arguments) < 0) {
        *ret_error = NULL;
    }
    va_end(arguments);
    return error;
}

/* Makes a directory and those above it, 0755.  `ret_made`: it was not there. */
static int make_dir(const char *path, bool *ret_made)
{
    char copy[PATH_MAX];
    size_t len = strlen(path);

    if (len == 0 || len >= sizeof(copy)) {
        return -ENAMETOOLONG;
    }
    memcpy(copy, path, len + 1);
    for (size_t i = 1; i < len; i++) {
        if (copy[i] != '/') {
            continue;
        }
        copy[i] = '\0';
        if (mkdir(copy, 0755) < 0 && errno != EEXIST) {
            return -errno;
        }
        copy[i] = '/';
    }
    *ret_made = mkdir(path, 0755) == 0;
    return *ret_made || errno == EEXIST ? 0 : -errno;
}

/* Whether it holds nothing that is not ours. */
static bool is_own_dir(int dir_fd)
{
    int copy = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_(close_dir) DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
    const struct dirent *entry;

    if (dir == NULL) {
        close_fd(&copy);
        return false;
    }
    while ((entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 &&
            strcmp(entry->d_name, "..") != 0 &&
            strcmp(entry->d_name, LOCK_NAME) != 0 &&
            strcmp(entry->d_name, "api.sock") != 0) {
            return false;
        }
    }
    return true;
}

/* The directory becomes the user's, if it may: a slip like `run_dir: /run`
 * must not give the host's own directory away. */
static int give_dir(const struct config *config, int dir_fd, bool is_made,
                    uid_t uid, gid_t gid, char **ret_error)
{
    struct stat status;

    if (fstat(dir_fd, &status) < 0) {
        return fail(-errno, ret_error, "run directory %s: %s", config->run_dir,
                    strerror(errno));
    }
    if (status.st_uid == uid) {
        return 0;
    }
    if (!is_made && !is_own_dir(dir_fd)) {
        return fail(LAUNCHER_DIRS_E_CONFIG, ret_error,
                    "run directory %s belongs to uid %u and holds other "
                    "files: set `run_dir` in %s to a directory of its own",
                    config->run_dir, status.st_uid,
                    config->path != NULL ? config->path : CONFIG_PATH_DEFAULT);
    }
    if (fchown(dir_fd, uid, gid) < 0 || fchmod(dir_fd, 0755) < 0) {
        return fail(-errno, ret_error, "cannot give %s to user %s: %s",
                    config->run_dir, config->user, strerror(errno));
    }
    return 0;
}

/* The lock file is the launcher's own.  O_NOFOLLOW and O_NONBLOCK: the
 * directory belongs to an ordinary user, who may have put anything there. */
static int lock_dir(const struct config *config, int dir_fd, int *ret_lock_fd,
                    char **ret_error)
{
    _cleanup_(close_fd) int fd =
        openat(dir_fd, LOCK_NAME,
               O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);

    if (fd < 0) {
        return fail(-errno, ret_error, "cannot open %s/" LOCK_NAME ": %s",
                    config->run_dir, strerror(errno));
    }
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        char pid[16] = "";
        ssize_t n = pread(fd, pid, sizeof(pid) - 1, 0);

        pid[n > 0 ? n : 0] = '\0';
        pid[strspn(pid, "0123456789")] = '\0';
        return fail(-EBUSY, ret_error,
                    "another agent runs with the run directory %s%s%s: stop "
                    "it first, or give this one a configuration of its own "
                    "(--config FILE)",
                    config->run_dir, pid[0] != '\0' ? ", pid " : "", pid);
    }
    if (ftruncate(fd, 0) < 0 || dprintf(fd, "%d\n", (int)getpid()) < 0) {
        return fail(-EIO, ret_error, "cannot write %s/" LOCK_NAME,
                    config->run_dir);
    }
    *ret_lock_fd = fd;
    fd = -1;
    return 0;
}

/* Core must be able to write everything in the state directory. */
static int inspect_state(const struct config *config, uid_t uid,
                         char **ret_error)
{
    _cleanup_(close_dir) DIR *dir = opendir(config->state_dir);
    const struct dirent *entry;
    struct stat status;

    if (dir == NULL && errno != ENOENT) {
        return fail(LAUNCHER_DIRS_E_CONFIG, ret_error,
                    "cannot open the state directory %s: %s", config->state_dir,
                    strerror(errno));
    }
    if (dir == NULL ||
        (fstatat(dirfd(dir), "node.key", &status, AT_SYMLINK_NOFOLLOW) < 0 &&
         errno == ENOENT)) {
        return fail(LAUNCHER_DIRS_E_CONFIG, ret_error,
                    "there is no %s/node.key: this host is in no cluster yet; "
                    "run `agent init` (the first host) or `agent join PEER "
                    "--token T` (every other)",
                    config->state_dir);
    }
    while ((entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, "..") == 0 ||
            fstatat(dirfd(dir), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) <
                0) {
            continue;
        }
        if (status.st_uid != uid &&
            strcmp(entry->d_name, "admission.key") != 0 &&
            strcmp(entry->d_name, CONFIG_SUBNETS_NAME) != 0) {
            return fail(LAUNCHER_DIRS_E_CONFIG, ret_error,
                        "%s/%s belongs to uid %u, but core runs as user %s: "
                        "run `chown -R %s: %s`",
                        config->state_dir, entry->d_name, status.st_uid,
                        config->user, config->user, config->state_dir);
        }
    }
    return 0;
}

int launcher_dirs_prepare(const struct config *config, int *ret_lock_fd,
                          char **ret_error)
{
    _cleanup_(close_fd) int dir_fd = -1;
    uid_t uid = geteuid();
    gid_t gid = getegid();
    char where[PATH_MAX];
    bool is_made = false;
    int error;

    if (uid == 0 && user_find(config->user, &uid, &gid) < 0) {
        return fail(LAUNCHER_DIRS_E_CONFIG, ret_error,
                    "no user %s, as which core should run: create it (useradd "
                    "--system --user-group --no-create-home %s) or set `user` "
                    "in the configuration",
                    config->user, config->user);
    }
    if (launcher_mounts_missing(config->state_dir, "/etc/fstab",
                                "/proc/self/mounts", where, sizeof(where))) {
        return fail(LAUNCHER_DIRS_E_UNMOUNTED, ret_error,
                    "%s, where the state directory %s is, is not mounted yet "
                    "(/etc/fstab names it; mount it, or take it out there)",
                    where, config->state_dir);
    }
    error = inspect_state(config, uid, ret_error);
    if (error != 0) {
        return error;
    }
    error = make_dir(config->run_dir, &is_made);
    if (error == 0) {
        dir_fd = open(config->run_dir,
                      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        error = dir_fd < 0 ? -errno : 0;
    }
    if (error < 0) {
        return fail(error, ret_error, "cannot make the run directory %s: %s",
                    config->run_dir, strerror(-error));
    }
    error = give_dir(config, dir_fd, is_made, uid, gid, ret_error);
    return error != 0 ? error
                      : lock_dir(config, dir_fd, ret_lock_fd, ret_error);
}

int launcher_lock(const char *run_dir, int *ret_fd)
{
    char path[PATH_MAX];
    _cleanup_(close_fd) int fd = -1;

    if (snprintf(path, sizeof(path), "%s/" LOCK_NAME, run_dir) >=
        (int)sizeof(path)) {
        return -ENAMETOOLONG;
    }
    fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno != ENOENT) {
        return -errno;
    }
    if (fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0) {
        return errno == EWOULDBLOCK ? 1 : -errno;
    }
    *ret_fd = fd;
    fd = -1;
    return 0;
}

int launcher_is_running(const char *run_dir)
{
    _cleanup_(close_fd) int fd = -1;

    return launcher_lock(run_dir, &fd);
}
