/*
 * agent/catalog: looking things up when there is nothing at all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/catalog/catalog_internal.h"

static void nothing_is_found_in_nothing(void **state)
{
    static const struct catalog empty;
    const struct address address = {.family = 4, .bytes = {10, 0, 1, 1}};

    (void)state;
    assert_null(catalog_find_node_address(&empty, &address));
    assert_null(catalog_search(&empty.content, 0, "redis"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_found_in_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
