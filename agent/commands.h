/*
 * `agent init` and `agent join`.  main.c parses
 * their arguments; each returns the exit status of enum ctl_exit (ctl.h) and
 * explains itself on standard error.
 */
#ifndef SOCKETNET_AGENT_COMMANDS_H
#define SOCKETNET_AGENT_COMMANDS_H

#include "gossip/base/address.h"

struct config;

/* `agent init`.  name NULL: the configuration's.  Touches no network state. */
int command_init(struct config *config, const char *name,
                 const char *cluster_name, const struct prefix *service_range);

/* `agent join PEER --token T`.  Touches no network state. */
int command_join(struct config *config, const char *peer, const char *token,
                 const char *name);

#endif
