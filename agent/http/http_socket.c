/*
 * The unix socket's file: made with mode 0660 without a moment of anything
 * wider, put in the place of a dead agent's socket, never of a live one's.
 * And who is at the other end of a connection.
 */
#include "agent/http/http_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_MODE 0660

/* Sets the text and hands the error number back. */
static int fail(int error, const char *path, const char *why, const char *next,
                char **ret_error)
{
    if (asprintf(ret_error, "cannot listen at unix:%s\n  why: %s\n  next: %s",
                 path, why, next) < 0) {
        *ret_error = NULL;
    }
    return error;
}

/* 0 when nothing is there any more, else what stands in the way. */
static int clear_place(const struct sockaddr_un *address)
{
    struct stat stat;
    int error = 0;
    int fd;

    if (lstat(address->sun_path, &stat) < 0) {
        return errno == ENOENT ? 0 : -errno;
    }
    if (!S_ISSOCK(stat.st_mode)) {
        return -EEXIST;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -errno;
    }
    if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
        errno == EAGAIN) {
        error = -EADDRINUSE;
    } else if ((errno != ECONNREFUSED && errno != EACCES) ||
               unlink(address->sun_path) < 0) {
        /* EACCES: made by an agent that ran as another user; that none runs
         * now, the launcher's lock on run_dir says. */
        error = errno == ENOENT ? 0 : -errno;
    }
    close(fd);
    return error;
}

static int bind_there(int fd, const struct sockaddr_un *address, gid_t *ret_gid)
{
    struct stat stat;

    /* Linux gives the file the socket's own mode, less the umask; what the
     * umask took is given back afterwards. */
    if (fchmod(fd, SOCKET_MODE) < 0 ||
        bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ||
        chmod(address->sun_path, SOCKET_MODE) < 0 ||
        lstat(address->sun_path, &stat) < 0) {
        return -errno;
    }
    *ret_gid = stat.st_gid;
    return 0;
}

int http_socket_bind(const char *path, int *ret_fd, gid_t *ret_gid,
                     char **ret_error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int error;
    int fd;

    if (strlen(path) >= sizeof(address.sun_path)) {
        return fail(-ENAMETOOLONG, path,
                    "the path of a unix socket has at most 107 bytes",
                    "set a shorter run_dir", ret_error);
    }
    memcpy(address.sun_path, path, strlen(path));
    error = clear_place(&address);
    if (error == -EADDRINUSE) {
        return fail(error, path, "a running agent answers there",
                    "stop it first (systemctl stop socketnet), or give this "
                    "one a run_dir of its own",
                    ret_error);
    }
    if (error == -EEXIST) {
        return fail(error, path, "there is a file that is not a socket",
                    "move it away, or set another run_dir", ret_error);
    }
    fd = error < 0
             ? -1
             : socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (error == 0) {
        error = fd < 0 ? -errno : bind_there(fd, &address, ret_gid);
    }
    if (error < 0) {
        if (fd >= 0) {
            close(fd);
        }
        return fail(error, path, strerror(-error),
                    "check that run_dir exists and that the agent's user may "
                    "write to it",
                    ret_error);
    }
    *ret_fd = fd;
    return 0;
}

bool http_socket_peer(int fd, gid_t socket_gid, struct http_peer *ret)
{
    struct ucred credentials;
    socklen_t size = sizeof(credentials);
    gid_t groups[64];

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0) {
        return false;
    }
    *ret = (struct http_peer){.uid = credentials.uid,
                              .gid = credentials.gid,
                              .pid = credentials.pid,
                              .is_in_group = credentials.gid == socket_gid};
    /* Of somebody in more groups than that, only the first one counts. */
    size = sizeof(groups);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) == 0) {
        for (size_t i = 0; i < size / sizeof(groups[0]); i++) {
            ret->is_in_group |= groups[i] == socket_gid;
        }
    }
    return true;
}
