/*
 * agentctl: asks a running agent over its API and prints the answer.
 *
 *   ctl_table.c   aligned columns (pure)
 *   ctl_client.c  the HTTP client
 *   ctl_*.c       the commands
 */
#ifndef SOCKETNET_AGENT_CTL_CTL_H
#define SOCKETNET_AGENT_CTL_CTL_H

enum ctl_exit {
    CTL_EXIT_OK = 0,
    CTL_EXIT_FAILED = 1, /* failed, or unhealthy */
    CTL_EXIT_USAGE = 2,  /* usage, or invalid values */
    CTL_EXIT_UNREACHABLE = 3,
    CTL_EXIT_NOT_FOUND = 4,
    CTL_EXIT_DENIED = 5,  /* denied, or a bad signature */
    CTL_EXIT_PENDING = 6, /* accepted, not converged */
};

/* argv[0] is the program's name.  Returns the exit status. */
int ctl_main(int argc, char **argv);

#endif
