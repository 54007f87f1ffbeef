/*
 * `agent run`: the process that stays root.  It makes the run directory, starts
 * core and worker (the same executable with another first argument), gives
 * each a control socket and both ends of one socketpair (ipc.h), restarts what
 * dies and passes signals on.  It parses nothing but its children's
 * messages.
 */
#ifndef SOCKETNET_AGENT_LAUNCHER_LAUNCHER_H
#define SOCKETNET_AGENT_LAUNCHER_LAUNCHER_H

#include <stdbool.h>

#include "gossip/base/macros.h"

struct config;

/* Runs until a signal, or until core ended by itself (after `agent leave`).
 * Returns the exit status: 0 stopped as asked, 1 could not start, 2 the
 * configuration does not allow it.  Explains itself on standard error. */
int launcher_main(struct config *config, bool observe);

/* Whether a launcher holds this run directory's lock.  1 yes, 0 no, negative
 * errno when it cannot be told. */
_must_check_ int launcher_is_running(const char *run_dir);

#endif
