/*
 * Options and positional arguments of agent and agentctl.  Pure: argv in,
 * values or an error text out.
 *
 * Options may stand anywhere; "--name value" and "--name=value" are the same,
 * "-o value" and "-ovalue" too; "--" ends the options.
 */
#ifndef SOCKETNET_AGENT_ARGS_ARGS_H
#define SOCKETNET_AGENT_ARGS_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/base/macros.h"

#define ARGS_MAX 64

enum args_error {
    ARGS_E_USAGE = 1,
};

struct args_option {
    const char *name;  /* "--port"; NULL ends a list */
    const char *value; /* what it takes, "N"; NULL: nothing */
    const char *help;
    char letter;      /* short form, 0: none */
    bool is_repeated; /* may be given more than once */
};

/* Values borrow from argv. */
struct args {
    struct {
        const struct args_option *option;
        const char *value; /* "" for options that take nothing */
    } given[ARGS_MAX];
    size_t n_given;
    const char *words[ARGS_MAX]; /* positional */
    size_t n_words;
};

/*
 * Reads argv[0..argc-1] (without the program's name).  `options` and
 * `globals` are lists ended by a NULL name.  0, or ARGS_E_USAGE and a problem:
 * an unknown option with the nearest known one, a missing value, a value too
 * many, one given twice.
 */
_must_check_ int args_parse(int argc, char *const *argv,
                            const struct args_option *options,
                            const struct args_option *globals, struct args *ret,
                            char ret_problem[256]);

/* Value of an option, NULL when it was not given. */
const char *args_get(const struct args *args, const char *name);
/* The next value of a repeated option; NULL at the end.  *cursor from 0. */
const char *args_next(const struct args *args, const char *name,
                      size_t *cursor);

/* A decimal number in a range.  0 or -EINVAL. */
_must_check_ int args_number(const char *text, uint64_t lowest,
                             uint64_t highest, uint64_t *ret);

#endif
