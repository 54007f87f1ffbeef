/*
 * Small files that must be there whole or not at all.
 */
#ifndef SOCKETNET_AGENT_SYSTEM_FILE_H
#define SOCKETNET_AGENT_SYSTEM_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "gossip/base/macros.h"

/* Writes beside the path, syncs, renames over it and syncs the directory:
 * after a crash there is the old file or the new one.  uid and gid -1 change
 * nothing.  0 or negative errno; nothing is left behind then. */
_must_check_ int file_write(const char *path, const void *bytes, size_t size,
                            mode_t mode, uid_t uid, gid_t gid);
/* Makes a file that must not be there yet, not even as a link, and syncs it.
 * 0; -EEXIST; negative errno, and nothing is left behind. */
_must_check_ int file_create(const char *path, const void *bytes, size_t size,
                             mode_t mode);
/* Reads at most `size` bytes.  0; -EFBIG when there is more; negative
 * errno. */
_must_check_ int file_read(const char *path, void *buffer, size_t size,
                           size_t *ret_size);
/* Syncs the directory that holds `path`. */
_must_check_ int file_sync_parent(const char *path);
/* Makes the directory and its parents; parents get 0755. */
_must_check_ int file_make_directories(const char *path, mode_t mode);
/* directory + "/" + name, malloc'd; NULL when out of memory. */
char *file_join(const char *directory, const char *name);

#endif
