/*
 * The core process whole: the one place that puts core and what hangs on it
 * together.
 */
#ifndef SOCKETNET_AGENT_CORE_RUN_H
#define SOCKETNET_AGENT_CORE_RUN_H

#include <stdbool.h>

struct config;

/* Runs the core process to its end: control socket at IPC_CONTROL_FD when
 * `has_launcher`.  Returns the exit status, one of enum core_status. */
int core_run(struct config *config, bool has_launcher);

#endif
