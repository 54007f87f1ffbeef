/*
 * Which command of a table argv means, and its run.  Options of every command
 * may stand before it too.
 */
#include "agent/args/program_internal.h"

#include <string.h>

#include "agent/text/suggest.h"

#define WORDS_MAX 256

static const struct args_option no_options[] = {{0}};

/* argv without the words of the command. */
struct words {
    char *argv[WORDS_MAX];
    int argc;
};

static const struct args_option *
options_of(const struct program_command *command)
{
    return command->options != NULL ? command->options : no_options;
}

int program_usage_list(const struct program_call *call, const char *format,
                       va_list arguments)
{
    (void)fprintf(stderr, "%s %s: ", call->program->name, call->command->name);
    (void)vfprintf(stderr, format, arguments);
    (void)fprintf(stderr, "\nsee: %s %s --help\n", call->program->name,
                  call->command->name);
    return PROGRAM_EXIT_USAGE;
}

int program_usage(const struct program_call *call, const char *format, ...)
{
    va_list arguments;
    int status;

    va_start(arguments, format);
    status = program_usage_list(call, format, arguments);
    va_end(arguments);
    return status;
}

static void see_help(const struct program *program)
{
    (void)fprintf(stderr, "see: %s --help\n", program->name);
}

/* How many words from argv[i] on are an option of every command; 0: none. */
static int global_size(const struct program *program, int argc, char **argv,
                       int i)
{
    struct args args;
    char problem[256];

    if (argv[i][0] != '-' || argv[i][1] == '\0') {
        return 0;
    }
    if (args_parse(1, &argv[i], no_options, program->globals, &args, problem) ==
        0) {
        return 1;
    }
    return i + 1 < argc && args_parse(2, &argv[i], no_options, program->globals,
                                      &args, problem) == 0
               ? 2
               : 0;
}

/* Moves past global options; the index of the next word, or argc. */
static int skip_globals(const struct program *program, int argc, char **argv,
                        int i, struct words *rest)
{
    while (i < argc) {
        int n = global_size(program, argc, argv, i);

        if (n == 0) {
            break;
        }
        for (; n > 0; n--) {
            rest->argv[rest->argc++] = argv[i++];
        }
    }
    return i;
}

bool program_is_in_group(const struct program_command *command,
                         const char *group)
{
    size_t len = strlen(group);

    return strncmp(command->name, group, len) == 0 && command->name[len] == ' ';
}

/* `ret_n_words`: how many words its name has. */
static const struct program_command *find_command(const struct program *program,
                                                  const char *first,
                                                  const char *second,
                                                  int *ret_n_words)
{
    for (const struct program_command *c = program->commands; c->name != NULL;
         c++) {
        if (strcmp(c->name, first) == 0) {
            *ret_n_words = 1;
            return c;
        }
        if (second != NULL && program_is_in_group(c, first) &&
            strcmp(c->name + strlen(first) + 1, second) == 0) {
            *ret_n_words = 2;
            return c;
        }
    }
    return NULL;
}

/* The command that was probably meant, or NULL. */
static const char *suggest_command(const struct program *program,
                                   const char *first, const char *second,
                                   const char *both)
{
    struct suggest suggest = {0};
    struct suggest inner = {0};
    const char *in_group = NULL;

    for (const struct program_command *c = program->commands; c->name != NULL;
         c++) {
        if (c->summary == NULL) {
            continue;
        }
        suggest_offer(&suggest, both, c->name);
        if (second != NULL && program_is_in_group(c, first)) {
            const char *word = c->name + strlen(first) + 1;

            suggest_offer(&inner, second, word);
            if (inner.word == word) {
                in_group = c->name;
            }
        } else if (second != NULL) {
            suggest_offer(&suggest, first, c->name);
        }
    }
    suggest_offer(&suggest, both, "version");
    /* The group is right: what is near in it is meant. */
    return in_group != NULL ? in_group : suggest.word;
}

static int unknown_command(const struct program *program, const char *first,
                           const char *second)
{
    char both[2 * SUGGEST_WORD_MAX];
    const char *meant;

    if (second == NULL && program_help_group(program, first, stderr)) {
        return PROGRAM_EXIT_USAGE;
    }
    (void)snprintf(both, sizeof(both), "%.60s%s%.60s", first,
                   second != NULL ? " " : "", second != NULL ? second : "");
    meant = suggest_command(program, first, second, both);
    (void)fprintf(stderr, "%s: there is no command %s%s%s%s\n", program->name,
                  both, meant != NULL ? "; did you mean " : "",
                  meant != NULL ? meant : "", meant != NULL ? "?" : "");
    see_help(program);
    return PROGRAM_EXIT_USAGE;
}

static int run_command(struct program_call *call, struct words *words)
{
    const struct program_command *command = call->command;
    char problem[256];
    int status;

    if (args_parse(words->argc, words->argv, options_of(command),
                   call->program->globals, &call->args, problem) != 0) {
        return program_usage(call, "%s", problem);
    }
    if (args_get(&call->args, "--help") != NULL) {
        program_help(call->program, command, stdout);
        return PROGRAM_EXIT_OK;
    }
    if (call->args.n_words < command->n_words_min) {
        return program_usage(call, "an argument is missing: %s %s %s",
                             call->program->name, command->name,
                             command->arguments);
    }
    if (call->args.n_words > command->n_words_max) {
        return program_usage(call, "%s is one argument too many",
                             call->args.words[command->n_words_max]);
    }
    status = command->run(call);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        (void)fprintf(stderr, "%s: standard output cannot be written\n",
                      call->program->name);
        return status != 0 ? status : PROGRAM_EXIT_FAILED;
    }
    return status;
}

static int print_version(const struct program *program)
{
    (void)printf("%s %s\n", program->name, program->version);
    return PROGRAM_EXIT_OK;
}

/* No command at all: help, when it was asked for. */
static int run_without(const struct program *program, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            program_help_all(program, stdout);
            return PROGRAM_EXIT_OK;
        }
    }
    program_help_all(program, stderr);
    return PROGRAM_EXIT_USAGE;
}

/* `help [COMMAND]` */
static int run_help(const struct program *program, const char *first,
                    const char *second)
{
    const struct program_command *command;
    int n_words;

    if (first == NULL) {
        program_help_all(program, stdout);
        return PROGRAM_EXIT_OK;
    }
    command = find_command(program, first, second, &n_words);
    if (command != NULL) {
        program_help(program, command, stdout);
        return PROGRAM_EXIT_OK;
    }
    return second == NULL && program_help_group(program, first, stdout)
               ? PROGRAM_EXIT_OK
               : unknown_command(program, first, second);
}

static int run_words(const struct program *program, int argc, char **argv,
                     int i, struct words *words)
{
    const char *second =
        i + 1 < argc && argv[i + 1][0] != '-' ? argv[i + 1] : NULL;
    struct program_call call = {.program = program};
    int n_words = 0;

    call.command = find_command(program, argv[i], second, &n_words);
    if (call.command == NULL) {
        if (second == NULL && i + 1 < argc &&
            strcmp(argv[i + 1], "--help") == 0 &&
            program_help_group(program, argv[i], stdout)) {
            return PROGRAM_EXIT_OK;
        }
        return unknown_command(program, argv[i], second);
    }
    for (i += n_words; i < argc; i++) {
        words->argv[words->argc++] = argv[i];
    }
    return run_command(&call, words);
}

int program_run(const struct program *program, int argc, char **argv)
{
    struct words words = {0};
    int i;

    if (argc > WORDS_MAX) {
        (void)fprintf(stderr, "%s: more than %d arguments\n", program->name,
                      WORDS_MAX);
        return PROGRAM_EXIT_USAGE;
    }
    i = skip_globals(program, argc, argv, 1, &words);
    if (i >= argc) {
        return run_without(program, argc, argv);
    }
    if (strcmp(argv[i], "--version") == 0 || strcmp(argv[i], "version") == 0) {
        return print_version(program);
    }
    if (argv[i][0] == '-') {
        (void)fprintf(stderr,
                      "%s: %s stands before the command; give the command "
                      "first\n",
                      program->name, argv[i]);
        see_help(program);
        return PROGRAM_EXIT_USAGE;
    }
    if (strcmp(argv[i], "help") == 0) {
        return run_help(program, i + 1 < argc ? argv[i + 1] : NULL,
                        i + 2 < argc ? argv[i + 2] : NULL);
    }
    return run_words(program, argc, argv, i, &words);
}

int program_prefixes(const struct program_call *call, const char *option,
                     const char *none, size_t max, struct prefix *prefixes,
                     size_t *n_prefixes)
{
    const char *text;
    size_t at = 0;
    size_t n = 0;

    if (args_get(&call->args, option) == NULL) {
        return 0;
    }
    while ((text = args_next(&call->args, option, &at)) != NULL) {
        if (none != NULL && strcmp(text, none) == 0) {
            continue;
        }
        if (n == max) {
            return program_usage(call, "%s: at most %zu can be given", option,
                                 max);
        }
        if (prefix_parse(text, &prefixes[n]) != 0) {
            return program_usage(call,
                                 "%s %s: expected a subnet such as "
                                 "10.0.0.0/16 or fd00:1::/48, no bit set past "
                                 "its length",
                                 option, text);
        }
        n++;
    }
    *n_prefixes = n;
    return 0;
}
