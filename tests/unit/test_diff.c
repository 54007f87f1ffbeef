/* Wanted beside present: what is added, changed, removed, left alone. */
#include "tests/unit/plan_sample.h"

#define OURS    flow_cookie(FLOW_KIND_BASE, 1)
#define FOREIGN UINT64_C(0x1234)

static uint8_t drop_nothing[] = {0, 4, 0, 8, 0, 0, 0, 0};

static struct flow make_flow(uint16_t priority, uint64_t cookie)
{
    return (struct flow){.table = 1, .priority = priority, .cookie = cookie};
}

static struct diff make(const struct plan *plan, struct flow *present, size_t n,
                        struct group *groups, size_t n_groups)
{
    struct diff diff;

    assert_int_equal(diff_make(plan, present, n, groups, n_groups, &diff), 0);
    return diff;
}

static void test_nothing(void **state)
{
    const struct plan plan = PLAN_INIT;
    struct diff diff = make(&plan, NULL, 0, NULL, 0);

    (void)state;
    assert_int_equal(diff.n_flows, 0);
    assert_int_equal(diff.n_groups, 0);
    diff_done(&diff);
    diff_done(NULL);
}

static void test_flows(void **state)
{
    /* In the order of keys: the higher priority first. */
    struct flow wanted[] = {
        make_flow(9, OURS), /* there */
        make_flow(8, OURS), /* other cookie there */
        make_flow(7, OURS), /* other actions there */
        make_flow(6, OURS), /* missing */
        make_flow(5, OURS), /* a foreign one is there */
    };
    struct flow present[] = {
        make_flow(4, FOREIGN), make_flow(3, OURS),     make_flow(5, FOREIGN),
        make_flow(7, OURS),    make_flow(8, OURS + 1), make_flow(9, OURS),
    };
    const struct plan plan = {.flows = wanted, .n_flows = ARRAY_SIZE(wanted)};
    static const struct {
        enum diff_op op;
        uint16_t priority;
    } expected[] = {{DIFF_MODIFY, 8},
                    {DIFF_MODIFY, 7},
                    {DIFF_ADD, 6},
                    {DIFF_CONFLICT, 5},
                    {DIFF_REMOVE, 3}};
    struct diff diff;

    (void)state;
    present[3].instructions = drop_nothing;
    present[3].instructions_size = sizeof(drop_nothing);
    diff = make(&plan, present, ARRAY_SIZE(present), NULL, 0);
    assert_int_equal(diff.n_flows, ARRAY_SIZE(expected));
    for (size_t i = 0; i < diff.n_flows; i++) {
        const struct diff_flow *flow = &diff.flows[i];
        const struct flow *either =
            flow->wanted != NULL ? flow->wanted : flow->present;

        assert_int_equal(flow->op, expected[i].op);
        assert_int_equal(either->priority, expected[i].priority);
        assert_int_equal(flow->wanted == NULL, flow->op == DIFF_REMOVE);
        assert_int_equal(flow->present == NULL, flow->op == DIFF_ADD);
    }
    diff_done(&diff);
}

/* As long, and not the same. */
static void test_same_size(void **state)
{
    static uint8_t drop_other[] = {0, 4, 0, 8, 0, 0, 0, 1};
    struct flow wanted = make_flow(9, OURS), present = make_flow(9, OURS);
    struct group wanted_group = {.id = FLOW_GROUP_PREFIX | 1,
                                 .buckets = drop_nothing,
                                 .buckets_size = sizeof(drop_nothing)};
    struct group present_group = wanted_group;
    const struct plan plan = {
        .flows = &wanted, .n_flows = 1, .groups = &wanted_group, .n_groups = 1};
    struct diff diff;

    (void)state;
    wanted.instructions = drop_nothing;
    wanted.instructions_size = sizeof(drop_nothing);
    present = wanted;
    diff = make(&plan, &present, 1, &present_group, 1);
    assert_int_equal(diff.n_flows + diff.n_groups, 0);
    diff_done(&diff);
    present.instructions = drop_other;
    present_group.buckets = drop_other;
    diff = make(&plan, &present, 1, &present_group, 1);
    assert_int_equal(diff.n_flows, 1);
    assert_int_equal(diff.flows[0].op, DIFF_MODIFY);
    assert_int_equal(diff.n_groups, 1);
    assert_int_equal(diff.groups[0].op, DIFF_MODIFY);
    diff_done(&diff);
}

static void test_groups(void **state)
{
    struct group wanted[] = {
        {.id = FLOW_GROUP_PREFIX | 1},
        {.id = FLOW_GROUP_PREFIX | 2},
        {.id = FLOW_GROUP_PREFIX | 3},
        {.id = FLOW_GROUP_PREFIX | 4},
    };
    struct group present[] = {
        {.id = 7}, /* foreign */
        {.id = FLOW_GROUP_PREFIX | 9},
        {.id = FLOW_GROUP_PREFIX | 4, .is_other_form = true},
        {.id = FLOW_GROUP_PREFIX | 2,
         .buckets = drop_nothing,
         .buckets_size = 8},
        {.id = FLOW_GROUP_PREFIX | 1},
    };
    const struct plan plan = {.groups = wanted, .n_groups = ARRAY_SIZE(wanted)};
    static const enum diff_op expected[] = {DIFF_MODIFY, DIFF_ADD, DIFF_MODIFY,
                                            DIFF_REMOVE};
    struct diff diff = make(&plan, NULL, 0, present, ARRAY_SIZE(present));

    (void)state;
    assert_int_equal(diff.n_groups, ARRAY_SIZE(expected));
    for (size_t i = 0; i < diff.n_groups; i++) {
        assert_int_equal(diff.groups[i].op, expected[i]);
    }
    diff_done(&diff);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_flows),
        cmocka_unit_test(test_same_size),
        cmocka_unit_test(test_groups),
    };

    return cmocka_run_group_tests_name("diff", tests, NULL, NULL);
}
