/*
 * The launcher as a process of its own.  What it executes is the test again,
 * as a core and a worker that do what files in the test's directory say: so
 * starts, restarts, introductions, signals and ends are seen from both sides.
 */
#ifndef SOCKETNET_TESTS_LAUNCHING_H
#define SOCKETNET_TESTS_LAUNCHING_H

#include <stdbool.h>
#include <sys/types.h>

#include "agent/config/config.h"

extern char launching_root[32]; /* the test's directory */
extern char launching_config_path[64];
extern char launching_state_dir[64];
extern char launching_run_dir[64];

int launching_setup(void **state);
int launching_teardown(void **state);
/* main() of the children: with any argument, the exit status of this. */
int launching_child(int argc, char **argv);

char *launching_path(const char *folder, const char *name, char path[128]);
/* agent.yaml, with further lines from its sixth on. */
void launching_write_config(bool reconcile, const char *more);
struct config *launching_load_config(void);

/* Writes a file of the directory; NULL removes it.  For "core" and "worker" it
 * is an exit status ("!7": of one life only), and after a blank what the child
 * tells the launcher before; "core.slow": core is not ready while it is there;
 * "core.replace": it asks for another worker, once. */
void launching_tell(const char *name, const char *what);

/* agent.yaml without further lines, and the launcher: its process id. */
pid_t launching_start(bool reconcile);
/* In a child: the launcher, with this as standard error. */
void launching_become(int err);
/* Its exit status, once it ends. */
int launching_wait_exit(pid_t pid);
void launching_wait_until_dead(const char *pattern);

/* What the children say is in "log" ("core start", "worker peer", "core
 * reload", "core end"), what the launcher logs in "err". */
char *launching_read_text(const char *name);
int launching_count(const char *line);
int launching_count_in(const char *name, const char *line);
void launching_wait(const char *line, int n);
void launching_wait_in(const char *name, const char *line, int n);

#endif
