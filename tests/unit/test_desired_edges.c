/*
 * reconcilers/plan/desired: the order of items, field by field.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <string.h>

#include "reconcilers/plan/desired.h"

/* Whether a comes before b, and b after a, and each is equal to itself. */
static void assert_before(const struct desired_item *a,
                          const struct desired_item *b)
{
    assert_true(desired_item_compare(a, b) < 0);
    assert_true(desired_item_compare(b, a) > 0);
    assert_int_equal(desired_item_compare(a, a), 0);
    assert_int_equal(desired_item_compare(b, b), 0);
}

static struct desired_item function(const char *name, uint8_t protocol,
                                    uint16_t port)
{
    struct desired_item item = {.type = DESIRED_FUNCTION};

    strncpy(item.function.name, name, sizeof(item.function.name) - 1);
    item.function.protocol = protocol;
    item.function.port = port;
    return item;
}

static void items_are_in_order(void **state)
{
    const struct desired_item items[] = {
        {.type = DESIRED_HOST, .host = {.id = 1}},
        {.type = DESIRED_HOST, .host = {.id = UINT64_MAX}},
        function("a", 17, 9),
        function("b", 6, 80),
        function("b", 6, 81),
        function("b", 17, 1),
        function("ba", 6, 1),
        {.type = DESIRED_LOCAL,
         .local = {.address = {.family = 4, .bytes = {10, 0, 1, 1}}}},
        {.type = DESIRED_LOCAL,
         .local = {.address = {.family = 4, .bytes = {10, 0, 1, 2}}}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++) {
        for (size_t j = i + 1; j < sizeof(items) / sizeof(items[0]); j++) {
            assert_before(&items[i], &items[j]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_are_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
