/*
 * See args.h.
 */
#include "agent/args/args.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/text/suggest.h"
#include "gossip/base/text.h"

#define PROBLEM_SIZE 256

static bool name_is(const struct args_option *option, const char *name,
                    size_t len)
{
    return strlen(option->name) == len && memcmp(option->name, name, len) == 0;
}

static const struct args_option *find_in(const struct args_option *options,
                                         const char *name, size_t len)
{
    for (; options->name != NULL; options++) {
        if (name_is(options, name, len) ||
            (len == 2 && name[0] == '-' && options->letter != '\0' &&
             options->letter == name[1])) {
            return options;
        }
    }
    return NULL;
}

static const struct args_option *find(const struct args_option *options,
                                      const struct args_option *globals,
                                      const char *name, size_t len)
{
    const struct args_option *option = find_in(options, name, len);

    return option != NULL ? option : find_in(globals, name, len);
}

static int unknown(const struct args_option *options,
                   const struct args_option *globals, const char *name,
                   size_t len, char problem[PROBLEM_SIZE])
{
    struct suggest suggest = {0};
    char shown[SUGGEST_WORD_MAX];

    (void)snprintf(shown, sizeof(shown), "%.*s", (int)MIN_OF(len, (size_t)60),
                   name);
    for (const struct args_option *o = options; o->name != NULL; o++) {
        suggest_offer(&suggest, shown, o->name);
    }
    for (const struct args_option *o = globals; o->name != NULL; o++) {
        suggest_offer(&suggest, shown, o->name);
    }
    (void)snprintf(problem, PROBLEM_SIZE, "unknown option %s%s%s%s", shown,
                   suggest.word != NULL ? "; did you mean " : "",
                   suggest.word != NULL ? suggest.word : "",
                   suggest.word != NULL ? "?" : "");
    return ARGS_E_USAGE;
}

static int add(struct args *args, const struct args_option *option,
               const char *value, char problem[PROBLEM_SIZE])
{
    if (!option->is_repeated && args_get(args, option->name) != NULL) {
        (void)snprintf(problem, PROBLEM_SIZE,
                       "option %s is given twice; once is meant", option->name);
        return ARGS_E_USAGE;
    }
    if (args->n_given == ARGS_MAX) {
        (void)snprintf(problem, PROBLEM_SIZE, "more than %d options", ARGS_MAX);
        return ARGS_E_USAGE;
    }
    args->given[args->n_given].option = option;
    args->given[args->n_given].value = value;
    args->n_given++;
    return 0;
}

/* One option at argv[*index]; moves past a value that stands by itself. */
static int parse_option(int argc, char *const *argv, int *index,
                        const struct args_option *options,
                        const struct args_option *globals, struct args *args,
                        char problem[PROBLEM_SIZE])
{
    const char *word = argv[*index];
    bool is_long = word[1] == '-';
    size_t len = is_long ? strcspn(word, "=") : 2;
    const char *value = word[len] == '\0'  ? NULL
                        : word[len] == '=' ? word + len + 1
                                           : word + len;
    const struct args_option *option = find(options, globals, word, len);

    if (option == NULL) {
        return unknown(options, globals, word, is_long ? len : strlen(word),
                       problem);
    }
    if (option->value == NULL) {
        if (value != NULL) {
            (void)snprintf(problem, PROBLEM_SIZE, "option %s takes no value",
                           option->name);
            return ARGS_E_USAGE;
        }
        return add(args, option, "", problem);
    }
    if (value == NULL) {
        if (*index + 1 >= argc) {
            (void)snprintf(problem, PROBLEM_SIZE,
                           "option %s needs a value: %s %s", option->name,
                           option->name, option->value);
            return ARGS_E_USAGE;
        }
        *index += 1;
        value = argv[*index];
    }
    return add(args, option, value, problem);
}

int args_parse(int argc, char *const *argv, const struct args_option *options,
               const struct args_option *globals, struct args *ret,
               char ret_problem[256])
{
    struct args args = {0};
    bool is_over = false;

    for (int i = 0; i < argc; i++) {
        const char *word = argv[i];

        if (!is_over && strcmp(word, "--") == 0) {
            is_over = true;
        } else if (!is_over && word[0] == '-' && word[1] != '\0') {
            if (parse_option(argc, argv, &i, options, globals, &args,
                             ret_problem) != 0) {
                return ARGS_E_USAGE;
            }
        } else if (args.n_words == ARGS_MAX) {
            (void)snprintf(ret_problem, PROBLEM_SIZE, "more than %d arguments",
                           ARGS_MAX);
            return ARGS_E_USAGE;
        } else {
            args.words[args.n_words++] = word;
        }
    }
    *ret = args;
    return 0;
}

const char *args_next(const struct args *args, const char *name, size_t *cursor)
{
    while (*cursor < args->n_given) {
        size_t i = (*cursor)++;

        if (strcmp(args->given[i].option->name, name) == 0) {
            return args->given[i].value;
        }
    }
    return NULL;
}

const char *args_get(const struct args *args, const char *name)
{
    size_t cursor = 0;

    return args_next(args, name, &cursor);
}

int args_number(const char *text, uint64_t lowest, uint64_t highest,
                uint64_t *ret)
{
    uint64_t number;

    if (text_take_number(&text, highest, &number) != 0 || *text != '\0' ||
        number < lowest) {
        return -EINVAL;
    }
    *ret = number;
    return 0;
}
