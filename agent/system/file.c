/*
 * Whole-or-nothing files; see file.h.
 */
#include "agent/system/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *file_join(const char *directory, const char *name)
{
    char *path = NULL;

    return asprintf(&path, "%s/%s", directory, name) < 0 ? NULL : path;
}

static int write_all(int fd, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, bytes, size);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -errno;
        }
        bytes += n;
        size -= (size_t)n;
    }
    return 0;
}

static int fill(int fd, const void *bytes, size_t size, mode_t mode, uid_t uid,
                gid_t gid)
{
    int error;

    /* Exactly the mode asked for, whatever the umask. */
    if (fchmod(fd, mode) < 0 || fchown(fd, uid, gid) < 0) {
        return -errno;
    }
    error = write_all(fd, bytes, size);
    return error == 0 && fsync(fd) < 0 ? -errno : error;
}

int file_write(const char *path, const void *bytes, size_t size, mode_t mode,
               uid_t uid, gid_t gid)
{
    _cleanup_(free_pointer) char *temporary = NULL;
    int fd;
    int error;

    if (asprintf(&temporary, "%s.new", path) < 0) {
        temporary = NULL;
        return -ENOMEM;
    }
    if (unlink(temporary) < 0 && errno != ENOENT) {
        return -errno;
    }
    fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
              0600);
    if (fd < 0) {
        return -errno;
    }
    error = fill(fd, bytes, size, mode, uid, gid);
    if (close(fd) < 0 && error == 0) {
        error = -errno;
    }
    if (error == 0 && rename(temporary, path) < 0) {
        error = -errno;
    }
    if (error != 0) {
        (void)unlink(temporary); /* the first error is the one to tell */
        return error;
    }
    return file_sync_parent(path);
}

int file_create(const char *path, const void *bytes, size_t size, mode_t mode)
{
    int error;
    int fd =
        open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0) {
        return -errno;
    }
    error = fill(fd, bytes, size, mode, (uid_t)-1, (gid_t)-1);
    if (close(fd) < 0 && error == 0) {
        error = -errno;
    }
    if (error == 0) {
        error = file_sync_parent(path);
    }
    if (error != 0) {
        (void)unlink(path); /* the first error is the one to tell */
    }
    return error;
}

int file_sync_parent(const char *path)
{
    _cleanup_(free_pointer) char *directory = NULL;
    const char *slash = strrchr(path, '/');
    int fd;
    int error = 0;

    directory = slash == NULL   ? strdup(".")
                : slash == path ? strdup("/")
                                : strndup(path, (size_t)(slash - path));
    if (directory == NULL) {
        return -ENOMEM;
    }
    fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    if (fsync(fd) < 0) {
        error = -errno;
    }
    (void)close(fd); /* only synced */
    return error;
}

int file_read(const char *path, void *buffer, size_t size, size_t *ret_size)
{
    uint8_t *bytes = buffer;
    size_t done = 0;
    uint8_t more;
    int error = 0;
    int fd;

    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    for (;;) {
        ssize_t n = done < size ? read(fd, bytes + done, size - done)
                                : read(fd, &more, 1);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            error = n < 0 ? -errno : 0;
            break;
        }
        if (done == size) {
            error = -EFBIG;
            break;
        }
        done += (size_t)n;
    }
    (void)close(fd); /* only read */
    if (error == 0) {
        *ret_size = done;
    }
    return error;
}

int file_make_directories(const char *path, mode_t mode)
{
    _cleanup_(free_pointer) char *copy = strdup(path);

    if (copy == NULL) {
        return -ENOMEM;
    }
    for (char *at = strchr(copy + 1, '/'); at != NULL;
         at = strchr(at + 1, '/')) {
        *at = '\0';
        if (mkdir(copy, 0755) < 0 && errno != EEXIST) {
            return -errno;
        }
        *at = '/';
    }
    return mkdir(copy, mode) < 0 && errno != EEXIST ? -errno : 0;
}
