/*
 * A copy of the store for a backup: written on the store's thread, beside the
 * identity's files, for whoever may read those (agentctl, as root).
 */
#include "agent/core/core.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/config/config.h"
#include "agent/core/store_thread.h"
#include "agent/identity/identity.h"
#include "agent/system/file.h"
#include "store/store.h"

struct core_backup {
    struct core *core;
    char *path;
    core_backup_fn done;
    void *data;
};

static int core_backup_write(struct store *store, int fd)
{
    int error = store_copy(store, fd);

    if (error == 0 && fsync(fd) < 0) {
        error = errno == ENOSPC || errno == EDQUOT ? STORE_E_FULL : -errno;
    }
    return error;
}

/* On the store's thread. */
static int core_backup_copy(struct store *store, void *data)
{
    const struct core_backup *backup = data;
    int error;
    int fd;

    if (unlink(backup->path) < 0 && errno != ENOENT) {
        return -errno;
    }
    fd = open(backup->path,
              O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return errno == ENOSPC || errno == EDQUOT ? STORE_E_FULL : -errno;
    }
    error = core_backup_write(store, fd);
    if (close(fd) < 0 && error == 0) {
        error = -errno;
    }
    if (error != 0) {
        (void)unlink(backup->path); /* the first error is the one to tell */
    }
    return error;
}

static void core_backup_done(int error, void *data)
{
    struct core_backup *backup = data;

    backup->done(backup->core, error != 0 ? store_error_text(error) : NULL,
                 backup->path, backup->data);
    free(backup->path);
    free(backup);
}

int core_backup(struct core *core, core_backup_fn done, void *data)
{
    struct core_backup *backup = calloc(1, sizeof(*backup));
    int error;

    if (backup == NULL) {
        return -ENOMEM;
    }
    backup->core = core;
    backup->done = done;
    backup->data = data;
    backup->path = file_join(core->config->state_dir, IDENTITY_BACKUP_NAME);
    error = backup->path == NULL
                ? -ENOMEM
                : store_thread_call(core->store, core_backup_copy,
                                    core_backup_done, backup);
    if (error != 0) {
        free(backup->path);
        free(backup);
    }
    return error;
}
