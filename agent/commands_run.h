/*
 * From the words of a command line to the command: its arguments are checked,
 * the configuration is read, and its file does it.
 */
#ifndef SOCKETNET_AGENT_COMMANDS_RUN_H
#define SOCKETNET_AGENT_COMMANDS_RUN_H

struct program_call;

/* The name of a cluster that was given none. */
#define COMMANDS_CLUSTER_NAME "socketnet"

/* Each is a row of the table of commands.c; the exit status. */
int commands_run_init(const struct program_call *call);
int commands_run_join(const struct program_call *call);
int commands_run_key_rotate(const struct program_call *call);
int commands_run_run(const struct program_call *call);
int commands_run_core(const struct program_call *call);
int commands_run_worker(const struct program_call *call);
int commands_run_leave(const struct program_call *call);
int commands_run_reset(const struct program_call *call);
int commands_run_reconcile(const struct program_call *call);
int commands_run_restore(const struct program_call *call);
int commands_run_store_check(const struct program_call *call);
int commands_run_store_dump(const struct program_call *call);
int commands_run_store_forget_clock(const struct program_call *call);

#endif
