/*
 * Aligned columns: agent/ctl/ctl_table.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/ctl/ctl_table.h"

static const char *const heads[] = {"NAME", "STATE", NULL};

static void assert_printed(const struct ctl_table *table, bool has_color,
                           const char *expected)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    assert_int_equal(ctl_table_print(table, out, has_color), 0);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, expected);
    free(text);
}

static void test_aligned(void **state)
{
    _cleanup_(ctl_table_free_pointer) struct ctl_table *table = NULL;

    (void)state;
    assert_int_equal(ctl_table_new(heads, &table), 0);
    assert_printed(table, false, "NAME  STATE\n");
    ctl_table_add(table, CTL_COLOR_NONE, "%s", "host-11");
    ctl_table_add(table, CTL_COLOR_GOOD, "%s", "alive");
    ctl_table_add(table, CTL_COLOR_NONE, "%s", "");
    ctl_table_add(table, CTL_COLOR_NONE, "%d", 7);
    assert_printed(table, false,
                   "NAME     STATE\n"
                   "host-11  alive\n"
                   "-        7\n");
    assert_printed(table, true,
                   "NAME     STATE\n"
                   "host-11  \033[32malive\033[0m\n"
                   "-        7\n");
}

/* Code points count, not bytes; nothing steers the terminal. */
static void test_text(void **state)
{
    _cleanup_(ctl_table_free_pointer) struct ctl_table *table = NULL;

    (void)state;
    assert_int_equal(ctl_table_new(heads, &table), 0);
    ctl_table_add(table, CTL_COLOR_NONE, "%s",
                  "k\xc3\xbc"
                  "che");
    ctl_table_add(table, CTL_COLOR_NONE, "%s", "a\033[2Jb");
    ctl_table_add(table, CTL_COLOR_NONE, "%s",
                  "x\xc2\x9b"
                  "1");
    ctl_table_add(table, CTL_COLOR_NONE, "%s", "y");
    assert_printed(table, false,
                   "NAME   STATE\n"
                   "k\xc3\xbc"
                   "che  a?[2Jb\n"
                   "x\?\?1   y\n");
}

/* A row that is not whole is printed as far as it goes. */
static void test_short_row(void **state)
{
    _cleanup_(ctl_table_free_pointer) struct ctl_table *table = NULL;

    (void)state;
    assert_int_equal(ctl_table_new(heads, &table), 0);
    for (int i = 0; i < 129; i++) {
        ctl_table_add(table, CTL_COLOR_NONE, "%d", i);
    }
    {
        char *text = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&text, &size);

        assert_int_equal(ctl_table_print(table, out, false), 0);
        fclose(out);
        assert_non_null(strstr(text, "126   127\n128\n"));
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_aligned),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_short_row),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
