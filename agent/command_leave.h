/*
 * `agent leave`: asks the running agent of this host to leave the cluster for
 * good (POST /api/v1/leave), and waits until it has ended.
 */
#ifndef SOCKETNET_AGENT_COMMAND_LEAVE_H
#define SOCKETNET_AGENT_COMMAND_LEAVE_H

struct config;

/* Explains itself on standard output and error; returns the exit status
 * (enum ctl_exit). */
int command_leave(const struct config *config);

#endif
