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
    int r;

    /* Exactly the mode asked for, whatever the umask. */
    if (fchmod(fd, mode) < 0 || fchown(fd, uid, gid) < 0) {
        return -errno;
    }
    r = write_all(fd, bytes, size);
    return r == 0 && fsync(fd) < 0 ? -errno : r;
}

int file_write(const char *path, const void *bytes, size_t size, mode_t mode,
               uid_t uid, gid_t gid)
{
    _cleanup_(free_pointer) char *temporary = NULL;
    int fd;
    int r;

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
    r = fill(fd, bytes, size, mode, uid, gid);
    if (close(fd) < 0 && r == 0) {
        r = -errno;
    }
    if (r == 0 && rename(temporary, path) < 0) {
        r = -errno;
    }
    if (r != 0) {
        (void)unlink(temporary); /* the first error is the one to tell */
        return r;
    }
    return file_sync_parent(path);
}

int file_sync_parent(const char *path)
{
    _cleanup_(free_pointer) char *directory = NULL;
    const char *slash = strrchr(path, '/');
    int fd;
    int r = 0;

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
        r = -errno;
    }
    (void)close(fd); /* only synced */
    return r;
}

int file_read(const char *path, void *buffer, size_t size, size_t *ret_size)
{
    uint8_t *bytes = buffer;
    size_t done = 0;
    uint8_t more;
    int r = 0;
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
            r = n < 0 ? -errno : 0;
            break;
        }
        if (done == size) {
            r = -EFBIG;
            break;
        }
        done += (size_t)n;
    }
    (void)close(fd); /* only read */
    if (r == 0) {
        *ret_size = done;
    }
    return r;
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
