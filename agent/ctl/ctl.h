/*
 * agentctl: asks a running agent over its API and prints the answer.
 *
 *   ctl_table.c   aligned columns (pure)
 *   ctl_client.c  the HTTP client
 *   ctl_*.c       the commands
 */
#ifndef SOCKETNET_AGENT_CTL_CTL_H
#define SOCKETNET_AGENT_CTL_CTL_H

#include "agent/args/program.h"

/* Exit status of agentctl, and of agent. */
enum ctl_exit {
    CTL_EXIT_OK = PROGRAM_EXIT_OK,
    CTL_EXIT_FAILED = PROGRAM_EXIT_FAILED, /* failed, or unhealthy */
    CTL_EXIT_USAGE = PROGRAM_EXIT_USAGE,
    CTL_EXIT_UNREACHABLE = 3,
    CTL_EXIT_NOT_FOUND = 4,
    CTL_EXIT_DENIED = 5,  /* denied, or a bad signature */
    CTL_EXIT_PENDING = 6, /* accepted, not converged */
};

/* What an answer of the agent that is an error means. */
int ctl_exit_of_status(unsigned status);

/* argv[0] is the program's name.  Returns the exit status. */
int ctl_main(int argc, char **argv);

#endif
