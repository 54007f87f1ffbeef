/*
 * At boot an agent may start before its state directory's disk is there: an
 * empty directory in its place looks like a host that never joined.
 */
#include "agent/launcher/launcher_mounts.h"

#include <mntent.h>
#include <stdio.h>
#include <string.h>

#define LINE_SIZE 4096

/* Whether `above` is `path` or one of the directories above it, but "/". */
static bool is_above(const char *above, const char *path)
{
    size_t len = strlen(above);

    return len > 1 && strncmp(above, path, len) == 0 &&
           (path[len] == '\0' || path[len] == '/');
}

static bool is_mounted(const char *where, const char *mounts)
{
    FILE *file = setmntent(mounts, "re");
    char line[LINE_SIZE];
    struct mntent entry;
    bool is_found = false;

    if (file == NULL) {
        return true; /* nothing to go by: not waited for */
    }
    while (!is_found && getmntent_r(file, &entry, line, sizeof(line)) != NULL) {
        is_found = strcmp(entry.mnt_dir, where) == 0;
    }
    (void)endmntent(file); /* always 1 */
    return is_found;
}

bool launcher_mounts_missing(const char *path, const char *fstab,
                             const char *mounts, char *ret_where, size_t size)
{
    FILE *file = setmntent(fstab, "re");
    char line[LINE_SIZE];
    struct mntent entry;
    bool is_missing = false;

    if (file == NULL) {
        return false;
    }
    while (!is_missing &&
           getmntent_r(file, &entry, line, sizeof(line)) != NULL) {
        if (is_above(entry.mnt_dir, path) &&
            hasmntopt(&entry, "noauto") == NULL &&
            !is_mounted(entry.mnt_dir, mounts)) {
            (void)snprintf(ret_where, size, "%s", entry.mnt_dir);
            is_missing = true;
        }
    }
    (void)endmntent(file); /* always 1 */
    return is_missing;
}
