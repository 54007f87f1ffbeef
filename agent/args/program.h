/*
 * A program made of commands, as agent and agentctl are: one table says what
 * there is, and from it come the parsing, the help, the suggestions and the
 * exit status of a wrong call.  What a command does is its own.
 *
 *   program.c       finding the command, its options, running it
 *   program_help.c  the help texts
 */
#ifndef SOCKETNET_AGENT_ARGS_PROGRAM_H
#define SOCKETNET_AGENT_ARGS_PROGRAM_H

#include <stdarg.h>
#include <stddef.h>

#include "agent/args/args.h"
#include "gossip/base/address.h"
#include "gossip/base/macros.h"

/* Those of every program; a program may have further ones. */
enum program_exit {
    PROGRAM_EXIT_OK = 0,
    PROGRAM_EXIT_FAILED = 1,
    PROGRAM_EXIT_USAGE = 2, /* usage, or invalid values */
};

struct program_command;

struct program {
    const char *name;
    const char *version;
    const char *about;                      /* one sentence */
    const char *more;                       /* below all of it, with its '\n' */
    const struct program_command *commands; /* ended by a NULL name */
    const struct args_option *globals;      /* options of every command */
};

/* One call of a command. */
struct program_call {
    const struct program *program;
    const struct program_command *command;
    struct args args;
};

struct program_command {
    const char *name;      /* "service register"; NULL ends the table */
    const char *arguments; /* "NAME [--instance I]"; NULL: none */
    const char *summary;   /* NULL: of the program itself, in no list */
    const char *details;   /* further help, or NULL */
    const struct args_option *options; /* NULL: none of its own */
    size_t n_words_min;
    size_t n_words_max;
    int (*run)(const struct program_call *call); /* the exit status */
};

/* Finds the command in argv[1...], runs it and returns the exit status; help,
 * the version and what is wrong with the call are printed here. */
_must_check_ int program_run(const struct program *program, int argc,
                             char **argv);

/* Each subnet that an option names, at most `max`; without the option nothing
 * is changed.  `none` (or NULL) stands for no subnet.  0, or PROGRAM_EXIT_USAGE
 * after the problem was printed. */
_must_check_ int program_prefixes(const struct program_call *call,
                                  const char *option, const char *none,
                                  size_t max, struct prefix *prefixes,
                                  size_t *n_prefixes);

/* Says on standard error what is wrong with a call, and where its help is.
 * PROGRAM_EXIT_USAGE. */
int program_usage(const struct program_call *call, const char *format, ...)
    _printf_(2, 3);
int program_usage_list(const struct program_call *call, const char *format,
                       va_list arguments) _printf_(2, 0);

#endif
