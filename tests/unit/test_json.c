/*
 * JSON that is sent is whole or not there at all: when the n-th allocation
 * fails, for every n.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

#include <jansson.h>

#include "agent/json/json_build.h"
#include "agent/json/json_text.h"
#include "tests/unit/heap.h"

/* More than any of these needs: a loop that does not end is a fault. */
#define ALLOCATIONS_MAX 1000

#define WHOLE "{\"list\":[1,\"a \\\"b\\\" \\u0007\"],\"name\":\"b?\"}"

static json_t *make(void)
{
    json_t *root = json_object();
    json_t *list = json_array();

    json_build_append(&list, json_integer(1));
    json_build_append(&list, json_build_string("a \"b\" \a"));
    json_build_set(&root, "list", list);
    json_build_set(&root, "name", json_build_string("b\xff"));
    return root;
}

static void test_text(void **state)
{
    json_auto_t *root = make();
    json_auto_t *word = json_string("w");
    char *text;

    (void)state;
    text = json_text_dump(root);
    assert_string_equal(text, WHOLE);
    free(text);
    text = json_text_dump(word);
    assert_string_equal(text, "\"w\"");
    free(text);
    assert_null(json_text_dump(NULL));
}

static void test_without_memory(void **state)
{
    bool has_failed = true;

    (void)state;
    json_set_alloc_funcs(malloc, free);
    for (unsigned n = 1; has_failed; n++) {
        json_t *root;
        char *text;

        assert_true(n < ALLOCATIONS_MAX);
        heap_fail_at(n);
        root = make();
        text = json_text_dump(root);
        has_failed = heap_off();
        json_decref(root);
        if (text != NULL) {
            assert_string_equal(text, WHOLE);
        } else {
            assert_true(has_failed);
        }
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
