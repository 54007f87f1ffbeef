/*
 * The failing heap itself (heap.h): each function fails when its turn comes
 * and then only, in this file and in our archives.
 */
#include "tests/unit/heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gossip/node/node.h"

/* Where results go: volatile, so that no allocation is optimised away. */
static void *volatile made;

__attribute__((format(printf, 1, 2))) static void *print(const char *format,
                                                         ...)
{
    va_list list;
    char *text = NULL;
    int len;

    va_start(list, format);
    len = vasprintf(&text, format, list);
    va_end(list);
    return len < 0 ? NULL : text;
}

static void *print_plain(int number)
{
    char *text = NULL;

    return asprintf(&text, "%d", number) < 0 ? NULL : text;
}

static void *open_stream(void)
{
    static char *text;
    static size_t size;
    FILE *file = open_memstream(&text, &size);

    if (file == NULL) {
        return NULL;
    }
    (void)fclose(file); /* of an empty stream: nothing can fail */
    return text;
}

static void *allocate(unsigned which)
{
    switch (which) {
    case 0:
        return malloc(10);
    case 1:
        return calloc(2, 5);
    case 2:
        return realloc(NULL, 10);
    case 3:
        return reallocarray(NULL, 2, 5);
    case 4:
        return strdup("a text");
    case 5:
        return strndup("a text", 3);
    case 6:
        return print_plain(7);
    case 7:
        return print("%s %d", "a text", 7);
    default:
        return open_stream();
    }
}

#define N_FUNCTIONS 9

static void test_each_function(void **state)
{
    (void)state;
    for (unsigned i = 0; i < N_FUNCTIONS; i++) {
        bool has_failed;

        heap_fail_at(1);
        made = allocate(i);
        has_failed = heap_off();
        assert_null(made);
        assert_true(has_failed);
        made = allocate(i);
        assert_non_null(made);
        free(made);
    }
}

static void test_only_the_nth(void **state)
{
    void *volatile each[3];
    unsigned count;

    (void)state;
    heap_fail_at(2);
    for (unsigned i = 0; i < 3; i++) {
        each[i] = malloc(1);
    }
    count = heap_count();
    assert_true(heap_off());
    assert_int_equal(count, 3);
    assert_non_null(each[0]);
    assert_null(each[1]);
    assert_non_null(each[2]);
    free(each[0]);
    free(each[2]);
}

static void test_from_the_nth(void **state)
{
    void *volatile each[3];

    (void)state;
    heap_fail_from(2);
    for (unsigned i = 0; i < 3; i++) {
        each[i] = malloc(1);
    }
    assert_true(heap_off());
    assert_non_null(each[0]);
    assert_null(each[1]);
    assert_null(each[2]);
    free(each[0]);
}

static void test_counts_only(void **state)
{
    unsigned count;

    (void)state;
    heap_fail_at(0);
    made = malloc(1);
    count = heap_count();
    assert_false(heap_off());
    assert_int_equal(count, 1);
    free(made);
}

static void test_paused(void **state)
{
    unsigned count;

    (void)state;
    heap_fail_at(1);
    heap_pause();
    made = malloc(1);
    assert_non_null(made);
    free(made);
    count = heap_count();
    heap_resume();
    made = malloc(1);
    assert_true(heap_off());
    assert_null(made);
    assert_int_equal(count, 0);
}

/* What the archives allocate is counted too. */
static void test_archives(void **state)
{
    struct node_actions *actions = NULL;
    int error;

    (void)state;
    heap_fail_at(1);
    error = node_actions_new(&actions);
    assert_true(heap_off());
    assert_int_not_equal(error, 0);
    assert_null(actions);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_function),
        cmocka_unit_test(test_only_the_nth),
        cmocka_unit_test(test_from_the_nth),
        cmocka_unit_test(test_counts_only),
        cmocka_unit_test(test_paused),
        cmocka_unit_test(test_archives),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
