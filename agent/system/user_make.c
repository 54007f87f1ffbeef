/*
 * Making the user that core runs as: by the host's own tools, which know about
 * locks, backups and ranges of numbers.
 */
#include "agent/system/user.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGUMENTS_MAX 10

/* Runs it to its end, with nothing on standard output.  Its exit status, or
 * negative errno when it could not be run (-ENOENT: it is not installed). */
static int run(const char *const arguments[ARGUMENTS_MAX])
{
    static const char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
    char *environment[] = {(char *)(uintptr_t)path, NULL};
    posix_spawn_file_actions_t actions;
    char *argv[ARGUMENTS_MAX] = {0};
    int status;
    pid_t pid;
    int error;

    for (size_t i = 0; arguments[i] != NULL; i++) {
        argv[i] = (char *)(uintptr_t)arguments[i]; /* the old prototype */
    }
    error = posix_spawn_file_actions_init(&actions);
    if (error == 0) {
        error = posix_spawn_file_actions_addopen(
            &actions, STDOUT_FILENO, "/dev/null", O_WRONLY | O_CLOEXEC, 0);
        if (error == 0) {
            error =
                posix_spawn(&pid, argv[0], &actions, NULL, argv, environment);
        }
        (void)posix_spawn_file_actions_destroy(&actions); /* cannot fail */
    }
    if (error != 0) {
        return -error;
    }
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            return -errno;
        }
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -EIO;
}

int user_make(const char *user, char **ret_error)
{
    char line[128];
    const char *const tools[][ARGUMENTS_MAX] = {
        {"/usr/bin/systemd-sysusers", "--inline", line},
        {"/bin/systemd-sysusers", "--inline", line},
        {"/usr/sbin/useradd", "--system", "--user-group", "--no-create-home",
         "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", user},
    };
    uid_t uid;
    gid_t gid;

    (void)snprintf(line, sizeof(line), "u %s - \"socketnet agent\" -", user);
    for (size_t i = 0; i < ARRAY_SIZE(tools); i++) {
        if (run(tools[i]) == 0 && user_find(user, &uid, &gid) == 0) {
            return 0;
        }
    }
    if (asprintf(ret_error,
                 "there is no user %s, who is to run the agent's core and to "
                 "own this node's keys, and it could not be made; make it with "
                 "`useradd --system --user-group --no-create-home --shell "
                 "/usr/sbin/nologin %s`, or name another user of its own with "
                 "`user` in the configuration",
                 user, user) < 0) {
        *ret_error = NULL;
    }
    return -ENOENT;
}
