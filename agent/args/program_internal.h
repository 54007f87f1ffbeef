/*
 * Shared by program.c and program_help.c only.
 */
#ifndef SOCKETNET_AGENT_ARGS_PROGRAM_INTERNAL_H
#define SOCKETNET_AGENT_ARGS_PROGRAM_INTERNAL_H

#include <stdbool.h>
#include <stdio.h>

#include "agent/args/program.h"

/* Whether a command's first word is this one, and it has a second. */
bool program_is_in_group(const struct program_command *command,
                         const char *group);

/* program_help.c */
void program_help(const struct program *program,
                  const struct program_command *command, FILE *out);
void program_help_all(const struct program *program, FILE *out);
/* Commands of a group ("service"), when there is such a group. */
bool program_help_group(const struct program *program, const char *group,
                        FILE *out);

#endif
