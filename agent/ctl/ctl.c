/*
 * agentctl's main: global options, which command, and its run.
 */
#include "agent/ctl/ctl.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/ctl/ctl_internal.h"
#include "agent/text/suggest.h"

#define WORDS_MAX 256

/* argv without the words of the command. */
struct words {
    char *argv[WORDS_MAX];
    int argc;
};

void ctl_message(const char *format, ...)
{
    va_list arguments;

    (void)fputs("agentctl: ", stderr);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
}

int ctl_usage(const struct ctl *ctl, const char *format, ...)
{
    va_list arguments;

    (void)fprintf(stderr, "agentctl %s: ", ctl->command->name);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fprintf(stderr, "\nsee: agentctl %s --help\n", ctl->command->name);
    return CTL_EXIT_USAGE;
}

/* How many words from argv[i] on are a global option; 0: it is none. */
static int global_size(int argc, char **argv, int i)
{
    struct args args;
    char problem[256];

    if (argv[i][0] != '-' || argv[i][1] == '\0') {
        return 0;
    }
    if (args_parse(1, &argv[i], ctl_no_options, ctl_globals, &args, problem) ==
        0) {
        return 1;
    }
    return i + 1 < argc && args_parse(2, &argv[i], ctl_no_options, ctl_globals,
                                      &args, problem) == 0
               ? 2
               : 0;
}

/* Moves past global options; the index of the next word, or argc. */
static int skip_globals(int argc, char **argv, int i, struct words *rest)
{
    while (i < argc) {
        int n = global_size(argc, argv, i);

        if (n == 0) {
            break;
        }
        for (; n > 0; n--) {
            rest->argv[rest->argc++] = argv[i++];
        }
    }
    return i;
}

static const struct ctl_command *
find_command(const char *first, const char *second, bool *ret_is_double)
{
    size_t len = strlen(first);

    for (const struct ctl_command *c = ctl_commands; c->name != NULL; c++) {
        if (strcmp(c->name, first) == 0) {
            *ret_is_double = false;
            return c;
        }
        if (strncmp(c->name, first, len) == 0 && c->name[len] == ' ' &&
            second != NULL && strcmp(c->name + len + 1, second) == 0) {
            *ret_is_double = true;
            return c;
        }
    }
    return NULL;
}

/* Nothing is called so: the nearest thing that is. */
static int unknown_command(const char *first, const char *second)
{
    struct suggest suggest = {0};
    char both[2 * SUGGEST_WORD_MAX];
    size_t len = strlen(first);

    (void)snprintf(both, sizeof(both), "%.60s%s%.60s", first,
                   second != NULL ? " " : "", second != NULL ? second : "");
    for (const struct ctl_command *c = ctl_commands; c->name != NULL; c++) {
        bool is_group =
            strncmp(c->name, first, len) == 0 && c->name[len] == ' ';

        suggest_offer(&suggest, both, c->name);
        if (is_group && second != NULL) {
            struct suggest inner = {0};

            suggest_offer(&inner, second, c->name + len + 1);
            if (inner.word != NULL) {
                suggest.word = c->name;
            }
        } else if (second != NULL) {
            suggest_offer(&suggest, first, c->name);
        }
    }
    if (second == NULL && ctl_help_group(first, stderr)) {
        return CTL_EXIT_USAGE;
    }
    if (suggest.word != NULL) {
        ctl_message("there is no command %s; did you mean %s?", both,
                    suggest.word);
    } else {
        ctl_message("there is no command %s", both);
    }
    (void)fprintf(stderr, "see: agentctl --help\n");
    return CTL_EXIT_USAGE;
}

static int get_format(struct ctl *ctl)
{
    const char *text = args_get(&ctl->args, "--output");

    if (text == NULL || strcmp(text, "table") == 0) {
        ctl->format = CTL_FORMAT_TABLE;
    } else if (strcmp(text, "json") == 0) {
        ctl->format = CTL_FORMAT_JSON;
    } else if (strcmp(text, "jsonl") == 0) {
        ctl->format = CTL_FORMAT_JSONL;
    } else {
        return ctl_usage(ctl, "no output format %s: table, json or jsonl",
                         text);
    }
    return 0;
}

static int apply_globals(struct ctl *ctl)
{
    const char *no_color = getenv("NO_COLOR");
    const char *timeout = args_get(&ctl->args, "--timeout");
    uint64_t timeout_ms = CTL_TIMEOUT_MS;

    if (timeout != NULL && (args_duration_ms(timeout, &timeout_ms) != 0 ||
                            timeout_ms == 0 || timeout_ms > UINT32_MAX)) {
        return ctl_usage(ctl, "--timeout %s is no duration: as 500ms, 10s, 2m",
                         timeout);
    }
    ctl->timeout_ms = (uint32_t)timeout_ms;
    ctl->address = args_get(&ctl->args, "--addr");
    if (ctl->address == NULL) {
        ctl->address = getenv("SOCKETNET_ADDR");
    }
    ctl->is_quiet = args_get(&ctl->args, "--quiet") != NULL;
    ctl->has_color = args_get(&ctl->args, "--no-color") == NULL &&
                     (no_color == NULL || no_color[0] == '\0') &&
                     isatty(STDOUT_FILENO);
    return get_format(ctl);
}

static int run_command(struct ctl *ctl, struct words *words)
{
    char problem[256];
    int status;

    if (args_parse(words->argc, words->argv, ctl->command->options, ctl_globals,
                   &ctl->args, problem) != 0) {
        return ctl_usage(ctl, "%s", problem);
    }
    if (args_get(&ctl->args, "--help") != NULL) {
        ctl_help(ctl->command, stdout);
        return CTL_EXIT_OK;
    }
    if (ctl->args.n_words < ctl->command->n_words_min) {
        return ctl_usage(ctl, "an argument is missing: agentctl %s %s",
                         ctl->command->name, ctl->command->arguments);
    }
    if (ctl->args.n_words > ctl->command->n_words_max) {
        return ctl_usage(ctl, "%s is one argument too many",
                         ctl->args.words[ctl->command->n_words_max]);
    }
    status = apply_globals(ctl);
    if (status != 0) {
        return status;
    }
    status = ctl->command->run(ctl);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        ctl_message("standard output cannot be written");
        return status != 0 ? status : CTL_EXIT_FAILED;
    }
    return status;
}

/* No command at all: help, when it was asked for. */
static int run_without(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            ctl_help_all(stdout);
            return CTL_EXIT_OK;
        }
    }
    ctl_help_all(stderr);
    return CTL_EXIT_USAGE;
}

/* `agentctl help [COMMAND]` */
static int run_help(const char *first, const char *second)
{
    const struct ctl_command *command;
    bool is_double;

    if (first == NULL) {
        ctl_help_all(stdout);
        return CTL_EXIT_OK;
    }
    command = find_command(first, second, &is_double);
    if (command != NULL) {
        ctl_help(command, stdout);
        return CTL_EXIT_OK;
    }
    return second == NULL && ctl_help_group(first, stdout)
               ? CTL_EXIT_OK
               : unknown_command(first, second);
}

int ctl_main(int argc, char **argv)
{
    struct words words = {0};
    struct ctl ctl = {0};
    bool is_double = false;
    const char *second;
    int i;

    if (argc > WORDS_MAX) {
        ctl_message("more than %d arguments", WORDS_MAX);
        return CTL_EXIT_USAGE;
    }
    i = skip_globals(argc, argv, 1, &words);
    if (i >= argc) {
        return run_without(argc, argv);
    }
    if (argv[i][0] == '-') {
        if (strcmp(argv[i], "--version") == 0) {
            (void)printf("agentctl %s\n", SOCKETNET_VERSION);
            return CTL_EXIT_OK;
        }
        ctl_message("%s stands before the command; give the command first",
                    argv[i]);
        (void)fprintf(stderr, "see: agentctl --help\n");
        return CTL_EXIT_USAGE;
    }
    second = i + 1 < argc && argv[i + 1][0] != '-' ? argv[i + 1] : NULL;
    if (strcmp(argv[i], "version") == 0) {
        (void)printf("agentctl %s\n", SOCKETNET_VERSION);
        return CTL_EXIT_OK;
    }
    if (strcmp(argv[i], "help") == 0) {
        return run_help(second,
                        second != NULL && i + 2 < argc ? argv[i + 2] : NULL);
    }
    ctl.command = find_command(argv[i], second, &is_double);
    if (ctl.command == NULL) {
        if (second == NULL && i + 1 < argc &&
            strcmp(argv[i + 1], "--help") == 0 &&
            ctl_help_group(argv[i], stdout)) {
            return CTL_EXIT_OK;
        }
        return unknown_command(argv[i], second);
    }
    for (i += is_double ? 2 : 1; i < argc; i++) {
        words.argv[words.argc++] = argv[i];
    }
    return run_command(&ctl, &words);
}
