/*
 * reconcilers/plan: service addresses outside the range that is refused as a
 * whole, as those of a cluster that had another range; IPv6 alone; the tunnel
 * where it is hardly one.
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

static struct desired_host *host_of(struct plan_sample *sample, unsigned n)
{
    for (size_t i = 0; i < sample->desired.n_items; i++) {
        struct desired_item *item = &sample->desired.items[i];

        if (item->type == DESIRED_HOST &&
            item->host.id == UINT64_C(0x1122334455667700) + n) {
            return &item->host;
        }
    }
    fail_msg("no host %u", n);
    return NULL;
}

static void remove_host(struct plan_sample *sample, unsigned n)
{
    struct desired_item item = {.type = DESIRED_HOST};

    item.host.id = host_of(sample, n)->id;
    assert_true(desired_remove(&sample->desired, &item));
}

/* One IPv6 subnet, and be it the first, makes all of IPv6 be tracked. */
static void ipv6_alone(void **state)
{
    struct plan_sample sample;
    struct plan plan;

    (void)state;
    sample_init(&sample);
    sample.policy.subnets[0] = sample.policy.subnets[1];
    sample.policy.n_subnets = 1;
    plan = sample_plan(&sample);
    expect_flow(&plan, "table=3,priority=50,ipv6", "ct(table=4,zone=70,nat)");
    plan_done(&plan);
    sample_done(&sample);
}

/* This host need not be the first; two hosts are enough; one without a mesh
 * address has no tunnel. */
static void the_tunnel_of_two_hosts(void **state)
{
    struct plan_sample sample;
    struct plan plan;

    (void)state;
    sample_init(&sample);
    remove_host(&sample, 3);
    host_of(&sample, 1)->is_self = false;
    host_of(&sample, 2)->is_self = true;
    plan = sample_plan(&sample);
    assert_true(plan.needs_tunnel);
    assert_int_equal(plan.tunnel_mac[5], 2);
    assert_int_equal(plan.n_forwards, 1);
    assert_int_equal(plan.forwards[0].mac[5], 1);
    assert_int_equal(plan.n_routes, 3);
    plan_done(&plan);
    host_of(&sample, 2)->mesh = (struct address){0};
    plan = sample_plan(&sample);
    assert_false(plan.needs_tunnel);
    assert_int_equal(plan.n_forwards, 0);
    plan_done(&plan);
    sample_done(&sample);
}

/* By their MAC, which has the end of the id only. */
static void forwards_are_in_order(void **state)
{
    struct desired_item item = {.type = DESIRED_HOST};
    struct plan_sample sample;
    struct plan plan;

    (void)state;
    sample_init(&sample);
    item.host.id = UINT64_C(0x00000044556677ff);
    item.host.mesh = sample_address("100.104.70.1"); /* the last all the same */
    sample_put(&sample, &item);
    plan = sample_plan(&sample);
    assert_int_equal(plan.n_forwards, 3);
    for (size_t i = 1; i < plan.n_forwards; i++) {
        assert_true(memcmp(plan.forwards[i - 1].mac, plan.forwards[i].mac, 6) <
                    0);
    }
    plan_done(&plan);
    sample_done(&sample);
}

/* A mesh that leaves no room for a frame is none that we were told of. */
static void mtu_at_its_limit(void **state)
{
    struct plan_sample sample;
    struct plan plan;

    (void)state;
    sample_init(&sample);
    sample.observed.mesh_mtu = 50;
    plan = sample_plan(&sample);
    assert_int_equal(plan.tunnel_mtu, 1370);
    plan_done(&plan);
    sample.observed.mesh_mtu = 51;
    plan = sample_plan(&sample);
    assert_int_equal(plan.tunnel_mtu, 1);
    plan_done(&plan);
    sample_done(&sample);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(address_outside_the_range_is_refused_alone),
        cmocka_unit_test(ipv6_alone),
        cmocka_unit_test(the_tunnel_of_two_hosts),
        cmocka_unit_test(forwards_are_in_order),
        cmocka_unit_test(mtu_at_its_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
