/*
 * Options, durations and suggestions of agentctl: agent/args/args.c and
 * agent/text/suggest.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent/args/args.h"
#include "agent/text/suggest.h"

static const struct args_option options[] = {
    {"--port", "N", "a port", 'p', false},
    {"--tag", "T", "a tag", 0, true},
    {"--no-wait", NULL, "a flag", 0, false},
    {0}};
static const struct args_option globals[] = {
    {"--output", "FORMAT", "a format", 'o', false},
    {"--quiet", NULL, "a flag", 'q', false},
    {0}};

static int parse(struct args *args, char *problem, size_t n,
                 const char *const *words)
{
    char *argv[ARGS_MAX + 8];

    for (size_t i = 0; i < n; i++) {
        argv[i] = (char *)(uintptr_t)words[i];
    }
    return args_parse((int)n, argv, options, globals, args, problem);
}

#define PARSE(...)                                                             \
    parse(&args, problem,                                                      \
          sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *),         \
          (const char *const[]){__VA_ARGS__})

static void test_forms(void **state)
{
    struct args args;
    char problem[256];
    size_t cursor = 0;

    (void)state;
    assert_int_equal(PARSE("redis", "--port", "6379", "--tag=a", "-ojson",
                           "--tag", "b", "-q", "--", "--port"),
                     0);
    assert_string_equal(args_get(&args, "--port"), "6379");
    assert_string_equal(args_get(&args, "--output"), "json");
    assert_string_equal(args_get(&args, "--quiet"), "");
    assert_null(args_get(&args, "--no-wait"));
    assert_string_equal(args_next(&args, "--tag", &cursor), "a");
    assert_string_equal(args_next(&args, "--tag", &cursor), "b");
    assert_null(args_next(&args, "--tag", &cursor));
    assert_int_equal(args.n_words, 2);
    assert_string_equal(args.words[0], "redis");
    assert_string_equal(args.words[1], "--port");

    /* "-" is a word; "=" gives an empty value; "-p=1" is as "-p 1". */
    assert_int_equal(PARSE("-", "--port=", "-o=x"), 0);
    assert_string_equal(args.words[0], "-");
    assert_string_equal(args_get(&args, "--port"), "");
    assert_string_equal(args_get(&args, "--output"), "x");
}

static void assert_problem(const char *expected, size_t n,
                           const char *const *words)
{
    struct args args;
    char problem[256] = "";

    assert_int_equal(parse(&args, problem, n, words), ARGS_E_USAGE);
    assert_string_equal(problem, expected);
}

#define PROBLEM(expected, ...)                                                 \
    assert_problem(                                                            \
        expected, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), \
        (const char *const[]){__VA_ARGS__})

static void test_problems(void **state)
{
    const char *many[ARGS_MAX + 1];

    (void)state;
    PROBLEM("unknown option --prto; did you mean --port?", "--prto=5");
    PROBLEM("unknown option --outptu; did you mean --output?", "--outptu");
    PROBLEM("unknown option --zebra", "--zebra");
    PROBLEM("unknown option -z", "-z");
    PROBLEM("option --port needs a value: --port N", "--port");
    PROBLEM("option --quiet takes no value", "--quiet=yes");
    PROBLEM("option --port is given twice; once is meant", "--port", "1", "-p",
            "2");
    for (size_t i = 0; i <= ARGS_MAX; i++) {
        many[i] = "word";
    }
    assert_problem("more than 64 arguments", ARGS_MAX + 1, many);
    for (size_t i = 0; i <= ARGS_MAX; i++) {
        many[i] = "--tag=x";
    }
    assert_problem("more than 64 options", ARGS_MAX + 1, many);
}

static void test_numbers(void **state)
{
    uint64_t number;

    (void)state;
    assert_int_equal(args_number("65535", 1, 65535, &number), 0);
    assert_int_equal(number, 65535);
    assert_int_equal(
        args_number("18446744073709551615", 0, UINT64_MAX, &number), 0);
    assert_true(number == UINT64_MAX);
    assert_int_not_equal(args_number("0", 1, 65535, &number), 0);
    assert_int_not_equal(args_number("65536", 1, 65535, &number), 0);
    assert_int_not_equal(args_number("12x", 1, 65535, &number), 0);
    assert_int_not_equal(args_number("", 0, 65535, &number), 0);
    assert_int_not_equal(args_number("080", 0, 65535, &number), 0);
    assert_int_not_equal(args_number("+1", 0, 65535, &number), 0);
    assert_int_not_equal(
        args_number("18446744073709551616", 0, UINT64_MAX, &number), 0);
}

static void test_suggest(void **state)
{
    struct suggest suggest = {0};
    char word[SUGGEST_WORD_MAX + 1];

    (void)state;
    assert_int_equal(suggest_distance("", "abc"), 3);
    assert_int_equal(suggest_distance("kitten", "sitting"), 3);
    assert_int_equal(suggest_distance("redsi", "redis"), 1); /* a swap */
    memset(word, 'a', sizeof(word) - 1);
    word[SUGGEST_WORD_MAX] = '\0';
    assert_int_equal(suggest_distance(word, "a"), SUGGEST_WORD_MAX);
    word[SUGGEST_WORD_MAX - 1] = '\0';
    assert_int_equal(suggest_distance(word, word), 0);

    suggest_offer(&suggest, "rediz", "vector-db");
    assert_null(suggest.word);
    suggest_offer(&suggest, "rediz", "radix");
    suggest_offer(&suggest, "rediz", "redis");
    assert_string_equal(suggest.word, "redis");
    suggest = (struct suggest){0};
    suggest_offer(&suggest, "mem", "members");
    assert_string_equal(suggest.word, "members");
    /* As near both: the one that begins as what was typed. */
    suggest = (struct suggest){0};
    suggest_offer(&suggest, "abxd", "xbxd");
    suggest_offer(&suggest, "abxd", "abcd");
    suggest_offer(&suggest, "abxd", "axxd");
    assert_string_equal(suggest.word, "abcd");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_problems),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_suggest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
