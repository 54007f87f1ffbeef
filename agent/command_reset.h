/*
 * `agent reset --dry-run|--yes`: takes away exactly what is ours (flows by
 * cookie, groups by prefix, the tunnel's port and device, routes, the
 * gateway address if we added it, the state directory) without an agent.
 */
#ifndef SOCKETNET_AGENT_COMMAND_RESET_H
#define SOCKETNET_AGENT_COMMAND_RESET_H

#include <stdbool.h>

struct config;

/* Lists what would go (`dry_run`), or removes it and lists what went.
 * Refuses while an agent runs.  Returns the exit status. */
int command_reset(struct config *config, bool dry_run);

#endif
