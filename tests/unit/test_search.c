/*
 * gossip/base/search.h: every key, there and not there, in every length.
 */
#include "gossip/base/search.h"

#include "tests/unit/support.h"

#define N_MAX 9

static int compare_numbers(const void *key, const void *element)
{
    int a = *(const int *)key;
    int b = *(const int *)element;

    return a < b ? -1 : a > b;
}

static void test_all(void **state)
{
    /* Odd numbers, with one twice. */
    static const int numbers[N_MAX] = {1, 3, 5, 7, 7, 9, 11, 13, 15};

    (void)state;
    for (size_t n = 0; n <= N_MAX; n++) {
        for (int key = 0; key <= 16; key++) {
            bool is_found = false;
            size_t expected = 0;
            const int *found;
            size_t index = search_index(&key, numbers, n, sizeof(int),
                                        compare_numbers, &is_found);

            while (expected < n && numbers[expected] < key) {
                expected++;
            }
            assert_int_equal(index, expected);
            assert_int_equal(is_found,
                             expected < n && numbers[expected] == key);
            assert_int_equal(search_index(&key, numbers, n, sizeof(int),
                                          compare_numbers, NULL),
                             expected);
            found = search_find(&key, numbers, n, sizeof(int), compare_numbers);
            assert_ptr_equal(found, is_found ? &numbers[expected] : NULL);
        }
    }
}

static void test_none(void **state)
{
    int key = 1;

    (void)state;
    assert_int_equal(
        search_index(&key, NULL, 0, sizeof(int), compare_numbers, NULL), 0);
    assert_null(search_find(&key, NULL, 0, sizeof(int), compare_numbers));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all),
        cmocka_unit_test(test_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
