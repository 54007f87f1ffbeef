/*
 * The commands of agent.  commands.c has their table, commands_run.c checks
 * their arguments; each has a file of its own, explains itself on standard
 * error and returns the exit status of enum ctl_exit (ctl.h).
 */
#ifndef SOCKETNET_AGENT_COMMANDS_H
#define SOCKETNET_AGENT_COMMANDS_H

#include <stdbool.h>

#include "gossip/base/address.h"

struct config;
struct join_charter_ranges;

/* Runs what argv says; argv[0] is the program's name. */
int commands_main(int argc, char **argv);

/* `agent init`.  name NULL: the configuration's.  Touches no network state. */
int command_init(struct config *config, const char *name,
                 const char *cluster_name,
                 const struct join_charter_ranges *ranges);

/* `agent join PEER --token T`; `replaces`: in the place of who has the name.
 * Touches no network state. */
int command_join(struct config *config, const char *peer, const char *token,
                 const char *name, bool replaces);
/* `agent join --request FILE` and `--answer FILE`: the same by two files. */
int command_join_request(struct config *config, const char *path,
                         const char *name);
int command_join_answer(struct config *config, const char *path,
                        const char *name);

#endif
