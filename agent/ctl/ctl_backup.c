/*
 * agentctl backup: the agent copies its store, this packs that copy and the
 * files of the identity into one file, which is there whole or not at all.
 */
#include "agent/ctl/ctl_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/json/json_build.h"
#include "agent/json/json_text.h"
#include "agent/system/archive.h"
#include "agent/system/file.h"

/* A copy of a large store takes its time. */
#define BACKUP_TIMEOUT_MS 600000u

struct backup {
    const char *path;
    char *temporary;
    int fd;
    struct archive archive;
    bool has_admission;
};

static int fail_reading(const char *path, int error)
{
    ctl_message("backup: cannot read %s: %s%s", path, strerror(-error),
                error == -EACCES
                    ? "; keys are for root and the agent's own user: run it "
                      "as root"
                    : "");
    return CTL_EXIT_FAILED;
}

static int fail_writing(const struct backup *backup, int error)
{
    ctl_message("backup: cannot write %s: %s; nothing of it is left",
                backup->path, strerror(-error));
    return CTL_EXIT_FAILED;
}

/* The file is made first: what may not be written is said before the agent is
 * troubled. */
static int open_file(struct backup *backup)
{
    struct stat status;

    if (lstat(backup->path, &status) == 0) {
        ctl_message("backup: %s exists: give another name, or remove it first",
                    backup->path);
        return CTL_EXIT_FAILED;
    }
    if (asprintf(&backup->temporary, "%s.XXXXXX", backup->path) < 0) {
        backup->temporary = NULL;
        return fail_writing(backup, -ENOMEM);
    }
    backup->fd = mkostemp(backup->temporary, O_CLOEXEC); /* 0600 */
    if (backup->fd < 0) {
        int error = -errno;

        free(backup->temporary);
        backup->temporary = NULL;
        return fail_writing(backup, error);
    }
    archive_init(&backup->archive, backup->fd);
    return 0;
}

static int put_path(struct backup *backup, const char *name, const char *path,
                    bool is_needed)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    int error = 0;

    if (fd < 0) {
        return errno == ENOENT && !is_needed ? 0 : fail_reading(path, -errno);
    }
    if (fstat(fd, &status) < 0) {
        error = -errno;
        (void)close(fd); /* only read from */
        return fail_reading(path, error);
    }
    error =
        archive_put_file(&backup->archive, name, fd, (uint64_t)status.st_size);
    (void)close(fd); /* only read from */
    return error == 0 ? 0 : fail_writing(backup, error);
}

/* What it is a backup of, for people and for `agent restore`. */
static int put_description(struct backup *backup, const json_t *root)
{
    json_auto_t *description = json_pack(
        "{s:s, s:i, s:s, s:s, s:s, s:I}", "format", "socketnet-backup",
        "version", 1, "node", ctl_text(root, "node"), "cluster",
        ctl_text(root, "cluster"), "cluster_id", ctl_text(root, "cluster_id"),
        "time_s", ctl_number(root, "time_s"));
    _cleanup_(free_pointer) char *text = json_text_dump(description);
    int error = text == NULL ? -ENOMEM
                             : archive_put(&backup->archive, "backup.json",
                                           text, strlen(text));

    return error == 0 ? 0 : fail_writing(backup, error);
}

static int put_files(struct backup *backup, const json_t *root)
{
    const char *state_dir = ctl_text(root, "state_dir");
    int status = put_description(backup, root);
    const json_t *file;
    size_t i;

    json_array_foreach (json_object_get(root, "files"), i, file) {
        const char *name = ctl_text(file, "name");
        _cleanup_(free_pointer) char *path = file_join(state_dir, name);

        if (status == 0) {
            status = path == NULL ? fail_writing(backup, -ENOMEM)
                                  : put_path(backup, name, path,
                                             ctl_flag(file, "needed"));
        }
        if (status == 0 && strcmp(name, "admission.key") == 0 &&
            access(path, F_OK) == 0) {
            backup->has_admission = true;
        }
    }
    return status != 0
               ? status
               : put_path(backup, "data.mdb", ctl_text(root, "store"), true);
}

/* On disk, then under its name, unless that was taken meanwhile. */
static int put_in_place(struct backup *backup)
{
    int error = archive_end(&backup->archive);

    if (error == 0 && fsync(backup->fd) < 0) {
        error = -errno;
    }
    if (error == 0 && link(backup->temporary, backup->path) < 0) {
        /* Some file systems have no links. */
        error = errno == EEXIST ? -EEXIST : 0;
        if (error == 0 && rename(backup->temporary, backup->path) < 0) {
            error = -errno;
        }
    }
    if (error == 0) {
        error = file_sync_parent(backup->path);
        if (error != 0) {
            (void)unlink(backup->path); /* the first error is the one to tell */
        }
    }
    return error == 0 ? 0 : fail_writing(backup, error);
}

static void print_done(const struct ctl *ctl, const struct backup *backup,
                       json_t *root)
{
    struct stat status = {0};

    (void)fstat(backup->fd, &status); /* its size is for information */
    json_build_set(&root, "file", json_build_string(backup->path));
    if (root == NULL || ctl_print_json(ctl, root, NULL) || ctl->is_quiet) {
        json_decref(root);
        return;
    }
    (void)printf("%s: node %s of cluster %s, %lld bytes\n", backup->path,
                 ctl_text(root, "node"), ctl_text(root, "cluster"),
                 (long long)status.st_size);
    (void)fprintf(stderr,
                  "it is secret: it holds this node's keys%s; whoever has it "
                  "is this node\n",
                  backup->has_admission ? " and the cluster's admission key"
                                        : "");
    json_decref(root);
}

static int run(struct ctl *ctl, struct backup *backup)
{
    json_auto_t *root = NULL;
    int status = open_file(backup);

    if (status == 0) {
        status = ctl_ask(ctl, "POST", CTL_API "backup", NULL, NULL, &root);
    }
    if (status == 0) {
        status = put_files(backup, root);
    }
    if (root != NULL) {
        /* The next backup takes its place when we may not. */
        (void)unlink(ctl_text(root, "store"));
    }
    if (status == 0) {
        status = put_in_place(backup);
    }
    if (status == 0) {
        print_done(ctl, backup, json_incref(root));
    }
    return status;
}

int ctl_backup(struct ctl *ctl)
{
    struct backup backup = {.path = ctl->args.words[0], .fd = -1};
    int status;

    if (args_get(&ctl->args, "--timeout") == NULL) {
        ctl->timeout_ms = BACKUP_TIMEOUT_MS;
    }
    status = run(ctl, &backup);
    if (backup.fd >= 0) {
        (void)close(backup.fd); /* synced when it counts */
    }
    if (backup.temporary != NULL) {
        /* Not there any more when it was renamed. */
        (void)unlink(backup.temporary);
    }
    free(backup.temporary);
    return status;
}
