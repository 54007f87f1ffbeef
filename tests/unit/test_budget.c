/* gossip/base/budget.h */
#include "gossip/base/budget.h"

#include "tests/unit/support.h"

static const struct budget_rate rate = {10, 30};

static void test_burst_and_rate(void **state)
{
    struct budget budget = {0};

    (void)state;
    assert_int_equal(budget_left(&budget, rate, 0), 30);
    assert_true(budget_take(&budget, rate, 0, 30));
    assert_int_equal(budget_left(&budget, rate, 0), 0);
    assert_false(budget_take(&budget, rate, 0, 1));
    assert_false(budget_take(&budget, rate, 99, 1));
    assert_true(budget_take(&budget, rate, 100, 1));
    assert_false(budget_take(&budget, rate, 199, 1));
    assert_int_equal(budget_left(&budget, rate, 1100), 10);
    /* Never more than the burst. */
    assert_int_equal(budget_left(&budget, rate, 1000000), 30);
    assert_false(budget_take(&budget, rate, 1000000, 31));
    assert_int_equal(budget_left(&budget, rate, 1000000), 30);
}

/* A debt is waited off. */
static void test_debt(void **state)
{
    struct budget budget = {0};

    (void)state;
    budget_spend(&budget, rate, 1000, 40);
    assert_int_equal(budget_left(&budget, rate, 1000), 0);
    assert_int_equal(budget_left(&budget, rate, 2000), 0);
    assert_int_equal(budget_left(&budget, rate, 2100), 1);
}

/* The largest that limits.h has, and a clock that has run for years. */
static void test_large(void **state)
{
    static const struct budget_rate large = {UINT32_MAX, UINT32_MAX};
    static const struct budget_rate slow = {1, 4000000000};
    struct budget budget = {0};

    (void)state;
    assert_true(budget_left(&budget, large, UINT64_C(1) << 43) == UINT32_MAX);
    assert_true(budget_left(&budget, slow, 1) == 4000000000);
    assert_true(budget_take(&budget, large, UINT64_C(1) << 43, UINT32_MAX));
    assert_true(budget_left(&budget, large, UINT64_C(1) << 43) <= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_burst_and_rate),
        cmocka_unit_test(test_debt),
        cmocka_unit_test(test_large),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
