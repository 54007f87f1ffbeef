/*
 * The directories that `agent run` needs: the run directory is made and
 * locked, the state directory is looked at.  Part of launcher.c.
 */
#ifndef SOCKETNET_AGENT_LAUNCHER_LAUNCHER_DIRS_H
#define SOCKETNET_AGENT_LAUNCHER_LAUNCHER_DIRS_H

#include "gossip/base/macros.h"

struct config;

enum launcher_dirs_error {
    LAUNCHER_DIRS_E_UNMOUNTED = 1, /* fstab says that a disk is to come */
    LAUNCHER_DIRS_E_CONFIG = 2,    /* a person must mend it */
};

/*
 * Makes config->run_dir (0755, config->user's) and locks it against a second
 * agent; checks that config->user can use config->state_dir.  The lock is
 * held until *ret_lock_fd is closed.  0; otherwise a launcher_dirs_error or,
 * for what may pass (another agent runs: -EBUSY, no room), negative errno, and
 * a malloc'd text that says what to do.
 */
_must_check_ int launcher_dirs_prepare(const struct config *config,
                                       int *ret_lock_fd, char **ret_error);

#endif
