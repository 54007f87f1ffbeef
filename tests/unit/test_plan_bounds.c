/*
 * The planner's bounds: buckets byte for byte, ids that clash, what is left
 * out, both families, what lies behind the end of a list, priorities.
 */
#include "tests/unit/plan_sample.h"

/* What the bucket of a function's only backend does with a new connection, byte
 * for byte. */
static void expect_bucket(unsigned host, const char *address_text,
                          uint8_t next_table)
{
    struct plan_sample sample;
    struct desired_item item;
    struct plan plan;
    struct address backend = sample_address(address_text);
    const struct openflow_ct ct = {.zone = PLAN_ZONE,
                                   .commit = true,
                                   .destination = &backend,
                                   .port = 6379,
                                   .table = next_table};
    uint8_t actions[96], bucket[160];
    struct writer action = writer_init(actions, sizeof(actions));
    struct writer writer = writer_init(bucket, sizeof(bucket));
    uint32_t ids[8];

    sample_init(&sample);
    item = sample_function("redis", 6, 6379, "100.80.0.10");
    sample_add_backend(&item, host, "one", address_text);
    item.function.backends[0].weight = 7;
    sample_put(&sample, &item);
    plan = sample_plan(&sample);
    assert_int_equal(read_buckets(&plan, "redis", ids), 1);
    openflow_put_ct(&action, &ct);
    openflow_put_bucket(&writer, ids[0], 7, actions, writer_size(&action));
    for (size_t i = 0; i < plan.n_groups; i++) {
        if (strcmp(plan.groups[i].label, "redis") == 0) {
            assert_int_equal(plan.groups[i].buckets_size, writer_size(&writer));
            assert_memory_equal(plan.groups[i].buckets, bucket,
                                writer_size(&writer));
        }
    }
    plan_done(&plan);
    sample_done(&sample);
}

static void test_bucket_actions(void **state)
{
    (void)state;
    expect_bucket(2, "10.0.2.203", 7);
    expect_bucket(1, "10.0.1.200", 5); /* it may be the caller */
}

static uint32_t group_hash(unsigned number)
{
    char text[64];

    (void)snprintf(text, sizeof(text), "function/f%u/6/80", number);
    return flow_hash_fold(flow_hash(FLOW_HASH_INIT, text, strlen(text))) &
           ~FLOW_GROUP_MASK;
}

/* Two functions whose keys have one hash have a group each, beside it. */
static void test_group_ids_that_clash(void **state)
{
    enum { N = 16384 };
    static uint32_t hashes[N];
    struct plan_sample sample;
    unsigned first = 0, second = 0;
    struct plan plan;

    (void)state;
    for (unsigned i = 0; i < N && second == 0; i++) {
        hashes[i] = group_hash(i);
        for (unsigned j = 0; j < i && second == 0; j++) {
            if (hashes[j] == hashes[i]) {
                first = j;
                second = i;
            }
        }
    }
    assert_int_not_equal(second, 0);
    sample_init(&sample);
    for (unsigned i = 0; i < 2; i++) {
        struct desired_item item;
        char name[16];

        (void)snprintf(name, sizeof(name), "f%u", i == 0 ? first : second);
        item = sample_function(name, 6, 80, "100.80.0.20");
        item.function.address.bytes[3] = (uint8_t)(20 + i);
        sample_add_backend(&item, 2, "one", "10.0.2.203");
        sample_put(&sample, &item);
    }
    plan = sample_plan(&sample);
    assert_int_equal(plan.n_groups, 5);
    for (size_t i = 1; i < plan.n_groups; i++) {
        assert_true(plan.groups[i - 1].id < plan.groups[i].id);
    }
    plan_done(&plan);
    sample_done(&sample);
}

/* Open vSwitch takes ids below 2^31 only; each has its backend's name and host
 * in it, and nothing else. */
static void test_bucket_ids(void **state)
{
    uint32_t ids[8], others[8];
    struct plan_sample sample;
    struct desired_item item;
    struct plan plan;
    uint32_t highest = 0;

    (void)state;
    sample_init(&sample);
    for (unsigned i = 0; i < 64; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "n%u", i);
        item = sample_function("redis", 6, 6379, "100.80.0.10");
        sample_add_backend(&item, 2, name, "10.0.2.203");
        sample_add_backend(&item, 3, name, "10.0.3.203");
        sample_put(&sample, &item);
        plan = sample_plan(&sample);
        assert_int_equal(read_buckets(&plan, "redis", ids), 2);
        assert_true(ids[0] < ids[1]);
        assert_true(ids[1] < UINT32_C(1) << 31);
        highest = MAX_OF(highest, ids[1]);
        plan_done(&plan);
    }
    assert_true(highest >= UINT32_C(1) << 30); /* all of the 31 bits */
    /* Another address or port of the same one. */
    item = sample_function("redis", 6, 6379, "100.80.0.10");
    sample_add_backend(&item, 2, "n63", "10.0.2.99");
    sample_add_backend(&item, 3, "n63", "10.0.3.203");
    item.function.backends[1].port = 1;
    sample_put(&sample, &item);
    plan = sample_plan(&sample);
    assert_int_equal(read_buckets(&plan, "redis", others), 2);
    assert_memory_equal(ids, others, 2 * sizeof(ids[0]));
    plan_done(&plan);
    sample_done(&sample);
}

/* Who has no weight, or takes no new connections, gets none. */
static void test_left_out_of_the_group(void **state)
{
    struct plan_sample sample;
    struct desired_item item;
    struct plan plan;
    uint32_t ids[8];

    (void)state;
    sample_init(&sample);
    item = sample_function("redis", 6, 6379, "100.80.0.10");
    sample_add_backend(&item, 2, "one", "10.0.2.203");
    sample_add_backend(&item, 3, "two", "10.0.3.203");
    item.function.backends[0].weight = 0;
    item.function.backends[1].weight = 1;
    sample_put(&sample, &item);
    plan = sample_plan(&sample);
    assert_int_equal(read_buckets(&plan, "redis", ids), 1);
    plan_done(&plan);
    item = sample_function("redis", 6, 6379, "100.80.0.10");
    sample_add_backend(&item, 2, "one", "10.0.2.203");
    item.function.backends[0].weight = 0;
    sample_put(&sample, &item);
    plan = sample_plan(&sample);
    assert_int_equal(read_buckets(&plan, "redis", ids), 0);
    assert_null(sample_find(
        &plan,
        "table=4,priority=800,tcp,ct_state=+new+trk,nw_dst=100.80.0.10"));
    plan_done(&plan);
    sample_done(&sample);
}

/* A lower priority stands by: it gets connections when no better one can be
 * reached, and then all of that priority do. */
static void test_the_best_priority_is_served(void **state)
{
    struct plan_sample sample;
    struct desired_item item;
    struct plan plan;
    uint32_t ids[8];

    (void)state;
    sample_init(&sample);
    for (unsigned unreachable = 0; unreachable < 3; unreachable++) {
        item = sample_function("redis", 6, 6379, "100.80.0.10");
        sample_add_backend(&item, 2, "worse", "10.0.2.203");
        sample_add_backend(&item, 3, "better", "10.0.3.203");
        sample_add_backend(&item, 3, "better too", "10.0.3.204");
        sample_add_backend(&item, 2, "worst", "10.0.2.204");
        item.function.backends[0].priority = 7;
        item.function.backends[1].priority = 6;
        item.function.backends[2].priority = 6;
        item.function.backends[3].priority = UINT16_MAX;
        for (unsigned i = 0; i < unreachable; i++) {
            item.function.backends[1 + i].host_id = 99;
        }
        sample_put(&sample, &item);
        plan = sample_plan(&sample);
        assert_int_equal(read_buckets(&plan, "redis", ids),
                         unreachable == 0 ? 2 : 1);
        plan_done(&plan);
    }
    item = sample_function("redis", 6, 6379, "100.80.0.10");
    sample_add_backend(&item, 2, "worst", "10.0.2.204");
    item.function.backends[0].priority = UINT16_MAX;
    sample_put(&sample, &item);
    plan = sample_plan(&sample);
    assert_int_equal(read_buckets(&plan, "redis", ids), 1);
    plan_done(&plan);
    sample_done(&sample);
}

/* IPv6 is tracked when there is any, and only then; a prefix of all addresses
 * is no match at all. */
static void test_families_and_all_addresses(void **state)
{
    struct plan_sample sample;
    struct desired_item item = {.type = DESIRED_HOST};
    struct plan plan;

    (void)state;
    sample_init(&sample);
    plan = sample_plan(&sample);
    expect_flow(&plan, "table=3,priority=50,ip", "ct(table=4,zone=70,nat)");
    expect_flow(&plan, "table=3,priority=50,ipv6", "ct(table=4,zone=70,nat)");
    plan_done(&plan);
    sample.policy.n_subnets = 1;
    item.host.id = 77;
    item.host.mesh = sample_address("100.104.70.77");
    item.host.n_subnets = 1;
    item.host.subnets[0] = (struct prefix){.address.family = 4};
    (void)snprintf(item.host.name, sizeof(item.host.name), "wide");
    sample_put(&sample, &item);
    plan = sample_plan(&sample);
    expect_flow(&plan, "table=3,priority=50,ipv6", "");
    expect_flow(&plan, "table=7,priority=300,ip,reg0=0x1/0x1",
                "set_field:0a:44:55:66:77:01->eth_src,"
                "set_field:0a:00:00:00:00:4d->eth_dst,dec_ttl,"
                "check_pkt_larger(1384)->NXM_NX_REG1[0],resubmit(,8)");
    expect_flow(&plan,
                "table=0,priority=20700,ip,in_port=70,dl_src=0a:00:00:00:00:4d,"
                "dl_dst=0a:44:55:66:77:01",
                "set_field:2->reg0,resubmit(,3)");
    plan_done(&plan);
    sample_done(&sample);
}

static bool same_plans(const struct plan *a, const struct plan *b)
{
    if (a->n_flows != b->n_flows || a->n_groups != b->n_groups ||
        a->n_routes != b->n_routes || a->n_forwards != b->n_forwards) {
        return false;
    }
    for (size_t i = 0; i < a->n_flows; i++) {
        if (flow_compare_key(&a->flows[i], &b->flows[i]) != 0 ||
            !flow_equal(&a->flows[i], &b->flows[i])) {
            return false;
        }
    }
    return true;
}

/* What lies behind the end of a list was never said. */
static void test_ends_of_lists(void **state)
{
    struct plan_sample sample;
    struct desired_item item;
    struct plan before, after;

    (void)state;
    sample_init(&sample);
    sample.ports[3] = sample.ports[2];
    sample.ports[2] = (struct plan_port){"vx-socket", 70};
    sample.observed.n_ports = 3;
    sample.neighbors[1] = (struct plan_neighbor){0};
    sample.observed.n_neighbors = 1;
    item = sample_function("far", 6, 80, "100.80.0.30");
    sample_add_backend(&item, 2, "one", "10.9.0.1"); /* in no subnet */
    sample_put(&sample, &item);
    before = sample_plan(&sample);
    sample.policy.subnets[2] = sample_prefix("10.7.0.0/16");
    sample.policy.subnets[3] = sample_prefix("10.8.0.0/16");
    for (size_t i = 0; i < sample.desired.n_items; i++) {
        if (sample.desired.items[i].type == DESIRED_HOST) {
            sample.desired.items[i].host.subnets[2] =
                sample_prefix("10.9.0.0/16");
        }
    }
    sample.ports[3] = (struct plan_port){"veth299", 99};
    sample.neighbors[1] = (struct plan_neighbor){
        sample_address("10.0.1.250"), {0x0a, 0, 0, 0, 1, 9}, 200};
    after = sample_plan(&sample);
    assert_true(same_plans(&before, &after));
    plan_done(&before);
    plan_done(&after);
    sample_done(&sample);
    /* An array that is full: what is read beyond it, a sanitizer sees. */
    sample_init(&sample);
    while (sample.desired.n_items > 1) {
        assert_true(desired_remove(&sample.desired, &sample.desired.items[1]));
    }
    for (unsigned n = 2; sample.desired.n_items < sample.desired.capacity;
         n++) {
        sample_put_host(&sample, n);
    }
    before = sample_plan(&sample);
    assert_int_equal(before.n_forwards, sample.desired.n_items - 1);
    assert_int_equal(before.n_routes, 2 * (sample.desired.n_items - 1) + 1);
    plan_done(&before);
    sample_done(&sample);
}

/* Tables 1 and 4, in the order of docs/PIPELINE.md. */
static void test_priorities(void **state)
{
    static const char *const starts[] = {
        "table=4,priority=1000,ip,ct_state=+inv+trk actions=drop",
        "table=4,priority=900,ip,ct_state=+est+trk actions=resubmit(,7)",
        "table=4,priority=900,ip,ct_state=+rel+trk actions=resubmit(,7)",
        "table=4,priority=850,tcp,ct_state=+new+trk,nw_src=10.0.2.203,"
        "nw_dst=10.0.1.0/24,tp_src=6379,tcp_flags=0x0/0x2 actions=drop",
        "table=4,priority=10,ip,ct_state=+new+trk "
        "actions=ct(commit,table=7,zone=70)",
        "table=1,priority=300,arp,arp_op=1,arp_tpa=100.80.0.0/12 ",
        "table=1,priority=290,arp,arp_op=1,arp_tpa=10.0.1.1 ",
        "table=1,priority=280,arp,arp_op=1,arp_tpa=10.0.2.0/24 ",
        "table=1,priority=280,arp,arp_op=1,arp_tpa=100.104.70.2 ",
        "table=1,priority=275,arp,",
        "table=1,priority=270,arp,arp_op=1,arp_tpa=10.0.1.200 ",
        "table=1,priority=265,arp,dl_dst=0a:44:55:66:77:01,arp_op=2 ",
        "table=1,priority=260,arp,dl_dst=0a:00:00:00:01:01,arp_op=2 ",
        "table=1,priority=255,arp,",
        "table=1,priority=200,arp,arp_tpa=10.0.1.0/24 ",
    };
    struct plan_sample sample;
    struct plan plan;

    (void)state;
    sample_init(&sample);
    plan = sample_plan(&sample);
    for (size_t i = 0; i < ARRAY_SIZE(starts); i++) {
        if (sample_find(&plan, starts[i]) == NULL) {
            fail_msg("not planned: %s", starts[i]);
        }
    }
    plan_done(&plan);
    sample_done(&sample);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bucket_actions),
        cmocka_unit_test(test_group_ids_that_clash),
        cmocka_unit_test(test_bucket_ids),
        cmocka_unit_test(test_left_out_of_the_group),
        cmocka_unit_test(test_the_best_priority_is_served),
        cmocka_unit_test(test_families_and_all_addresses),
        cmocka_unit_test(test_ends_of_lists),
        cmocka_unit_test(test_priorities),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
