/*
 * See command_restore.h.  Everything is unpacked into a directory of its own
 * in the state directory and looked at there; only what is whole and fits
 * together takes the place of what was there, node.key last.
 */
#include "agent/command_restore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>
#include <sodium.h>

#include "agent/config/config.h"
#include "agent/core/core.h"
#include "agent/ctl/ctl.h"
#include "agent/identity/identity.h"
#include "agent/identity/pin.h"
#include "agent/join/join_local.h"
#include "agent/launcher/launcher.h"
#include "agent/system/archive.h"
#include "agent/system/clock.h"
#include "agent/system/file.h"
#include "store/store.h"

#define DESCRIPTION_NAME "backup.json"
#define DESCRIPTION_MAX  65536u
#define STORE_NAME       "data.mdb"
#define FORMAT           "socketnet-backup"
#define FORMAT_VERSION   1
#define CHUNK_SIZE       65536u

struct restore {
    struct config *config;
    const char *path;
    char *work; /* COMMAND_RESTORE_WORK of the state directory */
    struct archive archive;
    json_t *description;
    struct identity *identity; /* out of the backup */
    struct identity_owner owner;
    bool has_made_state; /* the state directory was not there */
};

/* Prints it; CTL_EXIT_FAILED. */
static int fail(const char *format, ...) _printf_(1, 2);

static int fail(const char *format, ...)
{
    va_list arguments;

    (void)fputs("agent restore: ", stderr);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputs("; nothing was changed\n", stderr);
    return CTL_EXIT_FAILED;
}

static const char *described(const struct restore *restore, const char *key)
{
    const char *text =
        json_string_value(json_object_get(restore->description, key));

    return text != NULL ? text : "?";
}

/* --- the directory it is unpacked into --- */

static void remove_in(const char *directory, const char *name)
{
    _cleanup_(free_pointer) char *path = file_join(directory, name);

    if (path != NULL) {
        (void)unlink(path); /* what cannot be removed is told by rmdir's use */
    }
}

static void remove_work(const struct restore *restore)
{
    _cleanup_(free_pointer) char *db = file_join(restore->work, "db");
    size_t n;
    const struct identity_file *files = identity_files(&n);

    for (size_t i = 0; i < n; i++) {
        remove_in(restore->work, files[i].name);
    }
    if (db != NULL) {
        remove_in(db, STORE_NAME);
        remove_in(db, "lock.mdb");
        (void)rmdir(db);
    }
    (void)rmdir(restore->work); /* a later restore removes what stays */
}

static int make_work(struct restore *restore)
{
    const char *state_dir = restore->config->state_dir;
    _cleanup_(free_pointer) char *db = NULL;
    _cleanup_(free_pointer) char *problem = NULL;
    int error;

    restore->has_made_state = access(state_dir, F_OK) < 0;
    error = identity_make_directory(state_dir, restore->owner, &problem);
    if (error != 0) {
        return fail("%s", problem != NULL ? problem : strerror(-error));
    }
    restore->work = file_join(state_dir, COMMAND_RESTORE_WORK);
    db = restore->work == NULL ? NULL : file_join(restore->work, "db");
    if (db == NULL) {
        return fail("%s", strerror(ENOMEM));
    }
    remove_work(restore); /* of one that was cut short */
    if (mkdir(restore->work, 0700) < 0 || mkdir(db, 0700) < 0) {
        return fail("cannot make %s: %s", restore->work, strerror(errno));
    }
    return 0;
}

/* --- unpacking --- */

static int fail_archive(const struct restore *restore, int error)
{
    return fail("cannot use %s: %s", restore->path, archive_error_text(error));
}

static int read_description(struct restore *restore)
{
    char name[ARCHIVE_NAME_SIZE];
    _cleanup_(free_pointer) char *text = NULL;
    uint64_t size = 0;
    int error = archive_next(&restore->archive, name, &size);

    if (error == 0 &&
        (strcmp(name, DESCRIPTION_NAME) != 0 || size > DESCRIPTION_MAX)) {
        error = ARCHIVE_E_FOREIGN;
    }
    if (error == 0) {
        text = malloc(size + 1);
        error = text == NULL ? -ENOMEM
                             : archive_read(&restore->archive, text, size);
    }
    if (error != 0) {
        return fail_archive(restore, error);
    }
    restore->description = json_loadb(text, size, 0, NULL);
    if (strcmp(described(restore, "format"), FORMAT) != 0) {
        return fail_archive(restore, ARCHIVE_E_FOREIGN);
    }
    if (json_integer_value(json_object_get(restore->description, "version")) !=
        FORMAT_VERSION) {
        return fail("%s is a backup of another version of the agent: restore "
                    "it with the release that made it",
                    restore->path);
    }
    return 0;
}

/* The present file of the archive into one of `path`. */
static int unpack_file(struct restore *restore, const char *path, uint64_t size)
{
    uint8_t chunk[CHUNK_SIZE];
    int error = 0;
    int fd =
        open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0) {
        return fail("cannot write %s: %s", path, strerror(errno));
    }
    while (error == 0 && size > 0) {
        size_t n = (size_t)MIN_OF(size, sizeof(chunk));

        error = archive_read(&restore->archive, chunk, n);
        if (error != 0) {
            break;
        }
        errno = 0;
        if (write(fd, chunk, n) != (ssize_t)n) {
            (void)close(fd); /* it is removed */
            return fail("cannot write %s: %s", path,
                        strerror(errno != 0 ? errno : ENOSPC));
        }
        size -= n;
    }
    sodium_memzero(chunk, sizeof(chunk));
    if (fsync(fd) < 0 && error == 0) {
        error = -errno;
    }
    if (close(fd) < 0 && error == 0) {
        error = -errno;
    }
    return error == 0 ? 0 : fail_archive(restore, error);
}

static int unpack(struct restore *restore)
{
    char name[ARCHIVE_NAME_SIZE];
    uint64_t size = 0;
    int status = read_description(restore);
    int error = 0;

    while (status == 0 &&
           (error = archive_next(&restore->archive, name, &size)) == 0) {
        _cleanup_(free_pointer) char *path = NULL;
        bool is_store = strcmp(name, STORE_NAME) == 0;

        if (!is_store && identity_file_find(name) == NULL) {
            return fail("%s holds a file \"%.100s\" that is none of a node's: "
                        "was it made by a newer release?",
                        restore->path, name);
        }
        if (asprintf(&path, "%s/%s%s", restore->work, is_store ? "db/" : "",
                     name) < 0) {
            path = NULL;
            return fail("%s", strerror(ENOMEM));
        }
        status = unpack_file(restore, path, size);
    }
    if (status == 0 && error != ARCHIVE_E_END) {
        return fail_archive(restore, error);
    }
    return status;
}

/* --- looking at it --- */

static void first_fault(const char *text, void *data)
{
    char **first = data;

    if (*first == NULL) {
        *first = strdup(text);
    }
}

static int verify_store(struct restore *restore)
{
    _cleanup_(free_pointer) char *directory = file_join(restore->work, "db");
    _cleanup_(free_pointer) char *fault = NULL;
    struct store_checked checked = {0};
    struct store *store = NULL;
    int64_t taken_s =
        json_integer_value(json_object_get(restore->description, "time_s"));
    const uint8_t *cluster = restore->identity->genesis.cluster_id;
    int error = directory == NULL ? -ENOMEM
                                  : store_open_copy(directory, cluster, &store);

    if (error == 0) {
        error = store_check(store, first_fault, &fault, &checked);
    }
    store = store_close(store);
    if (error == 0 && checked.n_faults > 0) {
        return fail("the store in %s is damaged (%zu faults; %s)",
                    restore->path, checked.n_faults,
                    fault != NULL ? fault : "out of memory");
    }
    if (error == 0) {
        error = store_open(directory, cluster, &store);
    }
    if (error == 0) {
        error = core_load_restored(store, restore->identity->sign_public,
                                   (uint64_t)MAX_OF(taken_s, 0),
                                   clock_wall_ms() / 1000);
    }
    (void)store_close(store);
    return error == 0 ? 0
                      : fail("cannot use the store in %s: %s", restore->path,
                             error == -ENOENT    ? "there is none"
                             : error == -EBADMSG ? "it is damaged"
                                                 : store_error_text(error));
}

/* Everything that must be there is, and is of one node and one cluster. */
static int verify(struct restore *restore)
{
    _cleanup_(free_pointer) char *problem = NULL;
    size_t n;
    const struct identity_file *files = identity_files(&n);

    for (size_t i = 0; i < n; i++) {
        _cleanup_(free_pointer) char *path =
            file_join(restore->work, files[i].name);

        if (path == NULL || (files[i].is_needed && access(path, F_OK) < 0)) {
            return fail("%s lacks %s", restore->path, files[i].name);
        }
    }
    if (identity_load(restore->work, &restore->identity, &problem) != 0) {
        return fail("%s is not of one node: %s", restore->path,
                    problem != NULL ? problem : "out of memory");
    }
    return verify_store(restore);
}

/* --- putting it in place --- */

static int fail_half(const struct restore *restore, const char *what)
{
    (void)fprintf(stderr,
                  "agent restore: cannot put %s in place in %s: %s; mend that "
                  "and run the same command again with --yes: until then this "
                  "host has no identity\n",
                  what, restore->config->state_dir, strerror(errno));
    return CTL_EXIT_FAILED;
}

static int put_file(const struct restore *restore,
                    const struct identity_file *file)
{
    const char *name = file->name;
    _cleanup_(free_pointer) char *from = file_join(restore->work, name);
    _cleanup_(free_pointer) char *to =
        file_join(restore->config->state_dir, name);

    if (from == NULL || to == NULL) {
        errno = ENOMEM;
        return fail_half(restore, name);
    }
    if (access(from, F_OK) < 0) {
        /* What this node did not have is not left from another. */
        return unlink(to) < 0 && errno != ENOENT ? fail_half(restore, name) : 0;
    }
    if ((!file->is_roots &&
         lchown(from, restore->owner.uid, restore->owner.gid) < 0) ||
        (file->is_roots && chmod(from, 0644) < 0) || rename(from, to) < 0 ||
        file_sync_parent(to) != 0) {
        return fail_half(restore, name);
    }
    return 0;
}

static int put_store(const struct restore *restore)
{
    static const char *const names[] = {STORE_NAME, "lock.mdb"};
    const char *state_dir = restore->config->state_dir;
    _cleanup_(free_pointer) char *db = file_join(state_dir, "db");

    if (db == NULL) {
        errno = ENOMEM;
        return fail_half(restore, "db");
    }
    if (mkdir(db, 0700) < 0 && errno != EEXIST) {
        return fail_half(restore, "db");
    }
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        _cleanup_(free_pointer) char *from = NULL;
        _cleanup_(free_pointer) char *to = file_join(db, names[i]);

        if (asprintf(&from, "%s/db/%s", restore->work, names[i]) < 0) {
            from = NULL;
        }
        if (from == NULL || to == NULL || rename(from, to) < 0 ||
            file_sync_parent(to) != 0) {
            return fail_half(restore, names[i]);
        }
    }
    errno = -identity_give_store(state_dir, restore->owner);
    return errno == 0 ? 0 : fail_half(restore, "db");
}

static int put_in_place(const struct restore *restore)
{
    _cleanup_(free_pointer) char *key =
        file_join(restore->config->state_dir, "node.key");
    size_t n;
    const struct identity_file *files = identity_files(&n);
    int status;

    /* Half of one node and half of another is none. */
    if (key == NULL || (unlink(key) < 0 && errno != ENOENT)) {
        return fail("cannot remove the node.key of %s: %s",
                    restore->config->state_dir, strerror(errno));
    }
    status = put_store(restore);
    for (size_t i = 0; i < n && status == 0; i++) {
        status = put_file(restore, &files[i]);
    }
    return status;
}

/* --- */

/* Nobody writes what is replaced here. */
static int lock_host(const struct restore *restore, int *ret_fd)
{
    int running = launcher_lock(restore->config->run_dir, ret_fd);

    if (running == 0) {
        return 0;
    }
    return fail("%s", running == 1 ? "an agent runs here: stop it first "
                                     "(systemctl stop socketnet)"
                                   : strerror(-running));
}

/* Whether there is no other node in the way. */
static int verify_host(const struct restore *restore, bool is_sure)
{
    const char *state_dir = restore->config->state_dir;
    struct identity *present = NULL;
    char *problem = NULL;
    int status = 0;

    if (is_sure || !identity_exists(state_dir)) {
        return 0;
    }
    if (identity_load(state_dir, &present, &problem) == 0) {
        status =
            fail("this host is node %s of cluster %s, and %s is of node "
                 "%s of cluster %s: give --yes to put it in its place",
                 present->body.name, present->genesis.name, restore->path,
                 described(restore, "node"), described(restore, "cluster"));
    } else {
        status = fail("%s holds an identity already (%s): give --yes to put "
                      "the backup in its place",
                      state_dir, problem != NULL ? problem : "out of memory");
    }
    present = identity_free(present);
    free(problem);
    return status;
}

static int restore_from(struct restore *restore, int fd, bool is_sure)
{
    _cleanup_(free_pointer) char *problem = NULL;
    struct stat info;
    int status;

    if (fstat(fd, &info) == 0 && (info.st_mode & 077) != 0) {
        (void)fprintf(stderr,
                      "warning: %s can be read by others, and it holds secret "
                      "keys: chmod 600 it\n",
                      restore->path);
    }
    archive_init(&restore->archive, fd);
    if (join_local_owner(restore->config, &restore->owner, &problem) != 0) {
        return fail("%s", problem != NULL ? problem : "out of memory");
    }
    status = make_work(restore);
    if (status == 0) {
        status = unpack(restore);
    }
    if (status == 0) {
        status = verify_host(restore, is_sure);
    }
    if (status == 0) {
        status = verify(restore);
    }
    if (status == 0) {
        status = put_in_place(restore);
    }
    if (status == 0 &&
        pin_save(restore->config->state_dir, &restore->identity->genesis,
                 &restore->identity->charters, &problem) != 0) {
        (void)fprintf(stderr, "warning: %s\n",
                      problem != NULL ? problem : "out of memory");
    }
    return status;
}

int command_restore(struct config *config, const char *path, bool is_sure)
{
    struct restore restore = {.config = config, .path = path};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int lock_fd = -1;
    int status;

    if (fd < 0) {
        return fail("cannot read %s: %s", path, strerror(errno));
    }
    status = lock_host(&restore, &lock_fd);
    if (status == 0) {
        status = restore_from(&restore, fd, is_sure);
    }
    if (restore.work != NULL) {
        remove_work(&restore);
    }
    if (status != 0 && restore.has_made_state) {
        (void)rmdir(config->state_dir); /* only what we made, and empty */
    }
    if (status == 0) {
        (void)printf("node %s of cluster %s is restored; start the agent: "
                     "systemctl start socketnet\n",
                     restore.identity->body.name,
                     restore.identity->genesis.name);
    }
    restore.identity = identity_free(restore.identity);
    json_decref(restore.description);
    free(restore.work);
    if (lock_fd >= 0) {
        (void)close(lock_fd); /* read from only */
    }
    (void)close(fd); /* only read from */
    return status;
}
