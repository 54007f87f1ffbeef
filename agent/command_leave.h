/*
 * `agent leave`: asks the running agent of this host to leave the cluster for
 * good (POST /api/v1/leave), and waits until it has ended.
 */
#ifndef SOCKETNET_AGENT_COMMAND_LEAVE_H
#define SOCKETNET_AGENT_COMMAND_LEAVE_H

#include <stdbool.h>

struct config;

/* Asks the person at the terminal first, but for `is_sure`; refuses where
 * nobody can be asked.  Explains itself on standard output and error; returns
 * the exit status (enum ctl_exit). */
int command_leave(const struct config *config, bool is_sure);

#endif
