/*
 * reconcilers/plan: service addresses outside the range that is refused as a
 * whole, as those of a cluster that had another range.
 */
#include "tests/unit/plan_sample.h"

static const char alone[] =
    "table=4,priority=700,ip,ct_state=+new+trk,nw_dst=100.80.0.10";
static const char range[] =
    "table=4,priority=700,ip,ct_state=+new+trk,nw_dst=100.80.0.0/12";
static const char other_range[] =
    "table=4,priority=700,ip,ct_state=+new+trk,nw_dst=100.96.0.0/12";

static void address_outside_the_range_is_refused_alone(void **state)
{
    struct plan_sample sample;
    struct plan plan;

    (void)state;
    sample_init(&sample);
    plan = sample_plan(&sample);
    expect_flow(&plan, range, "drop");
    expect_flow(&plan, alone, "");
    plan_done(&plan);

    sample.policy.service_range = sample_prefix("100.96.0.0/12");
    plan = sample_plan(&sample);
    expect_flow(&plan, other_range, "drop");
    expect_flow(&plan, alone, "drop");
    plan_done(&plan);
    sample_done(&sample);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(address_outside_the_range_is_refused_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
