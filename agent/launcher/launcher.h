/*
 * `agent run`: the process that stays root.  It makes the run directory, starts
 * core and worker (the same executable with another first argument), gives
 * each a control socket and both ends of one socketpair (ipc.h), restarts what
 * dies and passes signals on.  It parses its children's messages and the
 * configuration, nothing else.
 */
#ifndef SOCKETNET_AGENT_LAUNCHER_LAUNCHER_H
#define SOCKETNET_AGENT_LAUNCHER_LAUNCHER_H

#include <stdbool.h>

#include "gossip/base/macros.h"

struct config;

/*
 * Runs until SIGTERM or SIGINT, or until core ended by itself (after `agent
 * leave`); SIGHUP reads the configuration again.  What passes by itself is
 * waited for.  Returns the exit status: 0 stopped as asked, 1 failed for now
 * (another agent runs, no room for the run directory), 2 a person must mend
 * something.  Explains itself on standard error, and to systemd.
 */
int launcher_main(const struct config *config, bool observe);

/* Keeps a launcher from starting until the descriptor is closed (-1: none has
 * run since the directory was made, and nothing is kept).  0; 1: one runs;
 * negative errno. */
_must_check_ int launcher_lock(const char *run_dir, int *ret_fd);
/* Whether a launcher holds this run directory's lock.  1 yes, 0 no, negative
 * errno when it cannot be told. */
_must_check_ int launcher_is_running(const char *run_dir);

#endif
