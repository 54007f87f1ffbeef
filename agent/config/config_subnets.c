/*
 * The container subnets that this host was given when it joined; see config.h.
 * The worker enforces them, so that core's user must not be able to write them:
 * a file of root's cannot be made by anybody else.
 */
#include "agent/config/config_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/system/file.h"

#define SUBNETS_SIZE (LIMIT_CERT_SUBNETS * PREFIX_TEXT_SIZE)

int config_save_subnets(const char *state_dir, const struct prefix *subnets,
                        size_t n)
{
    _cleanup_(free_pointer) char *path =
        file_join(state_dir, CONFIG_SUBNETS_NAME);
    char text[SUBNETS_SIZE + 1] = "";
    char one[PREFIX_TEXT_SIZE];
    size_t len = 0;

    if (path == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s\n",
                                prefix_text(&subnets[i], one));
    }
    return file_write(path, text, len, 0644, (uid_t)-1, (gid_t)-1);
}

void config_forget_subnets(const char *state_dir)
{
    _cleanup_(free_pointer) char *path =
        file_join(state_dir, CONFIG_SUBNETS_NAME);

    if (path != NULL) {
        (void)unlink(path); /* it is not read where a file says subnets */
    }
}

/* The whole file.  0 and its size, negative errno: -EPERM when it is somebody
 * else's. */
static int read_own(const char *path, char *text, size_t size, size_t *ret_size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat info;
    ssize_t n = -1;
    int error = 0;

    if (fd < 0) {
        return -errno;
    }
    if (fstat(fd, &info) < 0) {
        error = -errno;
    } else if (!S_ISREG(info.st_mode) || (info.st_mode & 022) != 0 ||
               (info.st_uid != 0 && info.st_uid != geteuid())) {
        error = -EPERM;
    } else {
        n = read(fd, text, size);
        error = n < 0 ? -errno : 0;
    }
    (void)close(fd); /* only read from */
    if (error == 0) {
        *ret_size = (size_t)n;
    }
    return error;
}

/* 0, or -EBADMSG: a line that is no subnet, or too many. */
static int parse(char *text, struct prefix subnets[LIMIT_CERT_SUBNETS],
                 size_t *ret_n)
{
    char *rest = NULL;
    size_t n = 0;

    for (char *line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        if (n == LIMIT_CERT_SUBNETS || prefix_parse(line, &subnets[n]) != 0) {
            return -EBADMSG;
        }
        n++;
    }
    *ret_n = n;
    return 0;
}

/* The worker has dropped the right to look into the state directory. */
static void keep_before(const struct config *before, struct config *config)
{
    if (before != NULL && before->are_subnets_joined) {
        memcpy(config->subnets, before->subnets, sizeof(config->subnets));
        config->n_subnets = before->n_subnets;
        config->are_subnets_joined = true;
    }
}

int config_read_subnets(const struct config *before, struct config *config,
                        char **ret_error)
{
    _cleanup_(free_pointer) char *path =
        file_join(config->state_dir, CONFIG_SUBNETS_NAME);
    char text[SUBNETS_SIZE + 1];
    size_t size = 0;
    int error;

    if (config->n_subnets > 0) {
        return 0;
    }
    if (path == NULL) {
        return -ENOMEM;
    }
    error = read_own(path, text, sizeof(text) - 1, &size);
    if (error == -EACCES) {
        keep_before(before, config);
        return 0;
    }
    if (error == -ENOENT) {
        return 0;
    }
    if (error == 0) {
        text[size] = '\0';
        error = parse(text, config->subnets, &config->n_subnets);
        config->are_subnets_joined = error == 0;
    }
    if (error != 0 &&
        asprintf(ret_error,
                 "cannot use %s, which holds the subnets that this host was "
                 "given when it joined: %s; say them as \"subnets\" in %s",
                 path,
                 error == -EPERM     ? "it is not root's alone to write"
                 : error == -EBADMSG ? "it is damaged"
                                     : strerror(-error),
                 config->path) < 0) {
        *ret_error = NULL;
    }
    return error;
}
