/*
 * `agent restore`: a node comes back from what agentctl backup wrote.
 */
#ifndef SOCKETNET_AGENT_COMMAND_RESTORE_H
#define SOCKETNET_AGENT_COMMAND_RESTORE_H

#include <stdbool.h>

struct config;

/* Where a backup is unpacked, in the state directory: identity files, and db/.
 */
#define COMMAND_RESTORE_WORK "restore.tmp"

/* `is_sure`: also over the identity that is there.  The exit status. */
int command_restore(struct config *config, const char *path, bool is_sure);

#endif
