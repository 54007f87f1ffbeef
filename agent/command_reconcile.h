/*
 * `agent reconcile --desired FILE --dry-run [--ovs]`: the worker's plan and
 * diff without an agent, from a file of desired items.
 */
#ifndef SOCKETNET_AGENT_COMMAND_RECONCILE_H
#define SOCKETNET_AGENT_COMMAND_RECONCILE_H

#include <stdbool.h>

struct config;

/*
 * Reads the items (a JSON array, "-" = standard input), validates them by the
 * policy of the configuration, and prints the changes against the switch, or
 * the whole plan when there is no switch to ask; `need_ovs`: a switch that
 * cannot be asked is a failure.  Changes nothing.  Returns the exit status.
 */
int command_reconcile(struct config *config, const char *desired_path,
                      bool need_ovs);

#endif
