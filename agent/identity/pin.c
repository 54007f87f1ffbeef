/* See pin.h. */
#include "agent/identity/pin.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/system/file.h"

#define PIN_GENESIS "genesis"
#define PIN_CHARTER "charter"

char *pin_path(const char *state_dir)
{
    size_t len = strlen(state_dir);
    char *path;

    while (len > 1 && state_dir[len - 1] == '/') {
        len--;
    }
    return asprintf(&path, "%.*s.pin", (int)len, state_dir) < 0 ? NULL : path;
}

bool pin_is_file(const char *name)
{
    return strcmp(name, PIN_GENESIS) == 0 || strcmp(name, PIN_CHARTER) == 0;
}

/* Whether nobody but root can change what is in the directory, or, of a parent,
 * put another into the place of root's (of a sticky one neither can). */
static int verify_directory(const char *path, bool is_parent)
{
    struct stat status;

    if ((is_parent ? stat(path, &status) : lstat(path, &status)) < 0) {
        return -errno;
    }
    if (!S_ISDIR(status.st_mode)) {
        return -EPERM;
    }
    if (is_parent && (status.st_mode & S_ISVTX) != 0 && status.st_uid == 0) {
        return 0;
    }
    return status.st_uid == 0 && (status.st_mode & 022) == 0 ? 0 : -EPERM;
}

static int verify_place(const char *path)
{
    _cleanup_(free_pointer) char *parent = strdup(path);
    char *slash = parent != NULL ? strrchr(parent, '/') : NULL;

    if (parent == NULL) {
        return -ENOMEM;
    }
    if (slash == NULL) {
        return -EPERM; /* wherever we are: nobody knows whose that is */
    }
    slash[slash == parent ? 1 : 0] = '\0';
    return verify_directory(parent, true);
}

static int load_genesis(const char *directory, struct genesis *ret)
{
    _cleanup_(free_pointer) char *path = file_join(directory, PIN_GENESIS);
    uint8_t bytes[LIMIT_GENESIS_SIZE];
    size_t size;
    int error =
        path == NULL ? -ENOMEM : file_read(path, bytes, sizeof(bytes), &size);

    return error == 0 ? genesis_parse(bytes, size, ret) : error;
}

int pin_load(const char *state_dir, struct pin *ret)
{
    _cleanup_(free_pointer) char *directory = pin_path(state_dir);
    struct pin pin = {0};
    int error;

    if (directory == NULL) {
        return -ENOMEM;
    }
    error = verify_directory(directory, false);
    if (error == 0) {
        error = verify_place(directory);
    }
    if (error == 0) {
        error = load_genesis(directory, &pin.genesis);
    }
    if (error == 0) {
        error = charters_load(directory, &pin.genesis, &pin.charters);
        error = error == -ENOENT ? -EBADMSG : error; /* half of it */
    }
    if (error == 0) {
        *ret = pin;
    }
    return error;
}

void pin_done(struct pin *pin)
{
    charters_done(&pin->charters);
}

/* Whether what is there is of this cluster, and newer. */
static bool is_newer_there(const char *state_dir, const struct genesis *genesis,
                           const struct charters_found *charters)
{
    struct pin pin;
    bool is_newer;

    if (pin_load(state_dir, &pin) != 0) {
        return false;
    }
    is_newer = memcmp(pin.genesis.cluster_id, genesis->cluster_id,
                      sizeof(genesis->cluster_id)) == 0 &&
               pin.charters.charter.generation > charters->charter.generation;
    pin_done(&pin);
    return is_newer;
}

static int write_in(const char *directory, const char *name, const void *bytes,
                    size_t size)
{
    _cleanup_(free_pointer) char *path = file_join(directory, name);

    return path == NULL ? -ENOMEM : file_write(path, bytes, size, 0644, 0, 0);
}

static int save(const char *directory, const struct genesis *genesis,
                const struct charters_found *charters)
{
    int error = verify_place(directory);

    if (error == 0 && mkdir(directory, 0755) < 0 && errno != EEXIST) {
        error = -errno;
    }
    if (error == 0) {
        error = verify_directory(directory, false);
    }
    /* Charters first: those of another cluster do not follow the old genesis,
     * so a crash in between leaves a copy that is damaged, and not a wrong one
     * that is believed. */
    if (error == 0) {
        error =
            write_in(directory, PIN_CHARTER, charters->bytes, charters->size);
    }
    return error == 0
               ? write_in(directory, PIN_GENESIS, genesis->bytes, genesis->size)
               : error;
}

int pin_save(const char *state_dir, const struct genesis *genesis,
             const struct charters_found *charters, char **ret_error)
{
    _cleanup_(free_pointer) char *directory = pin_path(state_dir);
    int error;

    if (geteuid() != 0 || is_newer_there(state_dir, genesis, charters)) {
        return 0;
    }
    error = directory == NULL ? -ENOMEM : save(directory, genesis, charters);
    if (error < 0 &&
        asprintf(ret_error,
                 "root's copy of the cluster's genesis cannot be kept in %s: "
                 "%s",
                 directory != NULL ? directory : state_dir,
                 error == -EPERM ? "it, or the directory that it is in, is not "
                                   "root's alone (chown root:, chmod go-w)"
                                 : strerror(-error)) < 0) {
        *ret_error = NULL;
    }
    return error;
}
