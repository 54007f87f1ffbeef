/*
 * Whether the disk of a directory is still to be mounted.  Part of launcher.c.
 */
#ifndef SOCKETNET_AGENT_LAUNCHER_LAUNCHER_MOUNTS_H
#define SOCKETNET_AGENT_LAUNCHER_LAUNCHER_MOUNTS_H

#include <stdbool.h>
#include <stddef.h>

/* Whether `fstab` (fstab(5)) says that something is mounted at `path` or above
 * it which `mounts` (/proc/self/mounts) lacks; where, then. */
bool launcher_mounts_missing(const char *path, const char *fstab,
                             const char *mounts, char *ret_where, size_t size);

#endif
