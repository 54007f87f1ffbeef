/*
 * The plan for the sample world, without a switch: which flows are there,
 * what waits, what the kernel should hold, and that the same inputs give the
 * same bytes.  What the flows do is tested with a real switch.
 */
#include <time.h>

#include "tests/unit/plan_sample.h"

static void test_classification(void **state)
{
    struct plan_sample sample;
    struct plan plan;

    (void)state;
    sample_init(&sample);
    plan = sample_plan(&sample);
    /* The host, to what is ours. */
    expect_flow(&plan,
                "table=0,priority=20950,ip,in_port=LOCAL,nw_dst=10.0.2.0/24",
                "set_field:3->reg0,resubmit(,3)");
    /* A bound address: from its port, and from nowhere else. */
    expect_flow(&plan,
                "table=0,priority=20900,ip,in_port=200,nw_src=10.0.1.200",
                "set_field:1->reg0,resubmit(,3)");
    expect_flow(&plan, "table=0,priority=20800,ip,nw_src=10.0.1.200", "drop");
    expect_flow(&plan, "table=0,priority=20800,arp,arp_spa=10.0.1.200", "drop");
    /* Its port is not there: nobody may send from it, but as nobody was seen
     * to have it, the worker hears who says so. */
    expect_flow(&plan, "table=0,priority=20800,ip,nw_src=10.0.1.203", "drop");
    expect_flow(&plan, "table=0,priority=20800,arp,arp_spa=10.0.1.203",
                "CONTROLLER:128");
    /* ARP teaches, unless it is known. */
    expect_flow(&plan,
                "table=0,priority=20500,arp,in_port=201,arp_spa=10.0.1.0/24",
                "CONTROLLER:128,set_field:1->reg0,resubmit(,1)");
    expect_flow(&plan,
                "table=0,priority=20920,arp,in_port=201,arp_spa=10.0.1.201,"
                "arp_sha=0a:00:00:00:01:c9",
                "set_field:1->reg0,resubmit(,1)");
    /* The tunnel: the sender's MAC with the sender's addresses. */
    expect_flow(&plan,
                "table=0,priority=20700,ip,in_port=70,dl_src=0a:44:55:66:77:02,"
                "dl_dst=0a:44:55:66:77:01,nw_src=10.0.2.0/24",
                "set_field:2->reg0,resubmit(,3)");
    expect_flow(&plan,
                "table=0,priority=20700,ip,in_port=70,dl_src=0a:44:55:66:77:02,"
                "dl_dst=0a:44:55:66:77:01,nw_src=100.104.70.2",
                "set_field:2->reg0,resubmit(,3)");
    expect_flow(&plan, "table=0,priority=20690,in_port=70", "drop");
    /* Neither tunnel nor bridge is a container's port. */
    expect_flow(&plan,
                "table=0,priority=20500,ip,in_port=70,nw_src=10.0.1.0/24", "");
    expect_flow(&plan,
                "table=0,priority=20500,ip,in_port=LOCAL,nw_src=10.0.1.0/24",
                "");
    for (size_t i = 0; i < plan.n_flows; i++) {
        assert_true(flow_cookie_is_ours(plan.flows[i].cookie));
        assert_true(plan.flows[i].table != 0 ||
                    plan.flows[i].priority >= 20000);
        assert_true(plan.flows[i].label[0] != '\0');
    }
    plan_done(&plan);
    sample_done(&sample);
}

static void test_services(void **state)
{
    struct plan_sample sample;
    struct plan plan;

    (void)state;
    sample_init(&sample);
    plan = sample_plan(&sample);
    assert_non_null(sample_find(
        &plan, "table=4,priority=800,tcp,ct_state=+new+trk,nw_dst=100.80.0.10,"
               "tp_dst=6379 actions=group:"));
    assert_non_null(sample_find(
        &plan, "table=4,priority=800,udp,ct_state=+new+trk,nw_dst=100.80.0.12,"
               "tp_dst=53 actions=group:"));
    /* A backend here may call itself, whether there are others or not. */
    expect_flow(&plan,
                "table=5,priority=100,tcp,nw_src=10.0.1.201,nw_dst=10.0.1.201,"
                "tp_dst=6333",
                "ct(commit,table=7,zone=71,nat(src=100.80.0.0))");
    expect_flow(&plan,
                "table=5,priority=100,tcp,nw_src=10.0.1.200,nw_dst=10.0.1.200,"
                "tp_dst=6379",
                "ct(commit,table=7,zone=71,nat(src=100.80.0.0))");
    expect_flow(&plan,
                "table=4,priority=950,tcp,ct_state=+est+trk,nw_src=10.0.1.200,"
                "nw_dst=10.0.1.200,tp_dst=6379",
                "resubmit(,5)");
    expect_flow(&plan,
                "table=3,priority=100,tcp,nw_src=10.0.1.200,nw_dst=100.80.0.0,"
                "tp_src=6379",
                "ct(table=5,zone=71,nat)");
    expect_flow(&plan, "table=5,priority=10,ip", "resubmit(,7)");
    /* No backend: the range's drop, no group. */
    assert_null(sample_find(
        &plan, "table=4,priority=800,tcp,ct_state=+new+trk,nw_dst=100.80.0.13,"
               "tp_dst=9573"));
    expect_flow(&plan,
                "table=4,priority=700,ip,ct_state=+new+trk,"
                "nw_dst=100.80.0.0/12",
                "drop");
    /* One each of redis, vector-db, dns. */
    assert_int_equal(plan.n_groups, 3);
    for (size_t i = 0; i < plan.n_groups; i++) {
        assert_int_equal(plan.groups[i].id & FLOW_GROUP_MASK,
                         FLOW_GROUP_PREFIX);
        assert_true(i == 0 || plan.groups[i - 1].id < plan.groups[i].id);
    }
    plan_done(&plan);
    sample_done(&sample);
}

/* What no function has goes to the worker, as far as there is a meter. */
static void test_nothing_there_is_refused(void **state)
{
    struct plan_sample sample;
    struct plan plan;

    (void)state;
    sample_init(&sample);
    sample.observed.has_meter = true;
    plan = sample_plan(&sample);
    expect_flow(&plan,
                "table=4,priority=700,ip,ct_state=+new+trk,"
                "nw_dst=100.80.0.0/12",
                "meter:29550,CONTROLLER:65535");
    plan_done(&plan);
    sample_done(&sample);
    assert_true(plan_is_refused(4));
    assert_false(plan_is_refused(7));
}

/* What fits leaves by the tunnel, what does not is for the worker. */
static void test_too_big(void **state)
{
    struct plan_sample sample;
    struct plan plan;

    (void)state;
    sample_init(&sample);
    sample.observed.has_meter = true;
    plan = sample_plan(&sample);
    expect_flow(&plan, "table=8,priority=100,reg1=0x1/0x1",
                "meter:29550,CONTROLLER:65535");
    expect_flow(&plan, "table=8,priority=10", "output:70");
    plan_done(&plan);
    sample.observed.has_meter = false;
    plan = sample_plan(&sample);
    expect_flow(&plan, "table=8,priority=100,reg1=0x1/0x1", "drop");
    plan_done(&plan);
    sample_done(&sample);
    assert_true(plan_is_too_big(8));
    assert_false(plan_is_too_big(4));
    assert_int_equal(plan_tunnel_mtu(1420), 1370);
    assert_int_equal(plan_tunnel_mtu(1500), 1450);
    assert_int_equal(plan_tunnel_mtu(0), 1370);
}

/* Functions that share a backend want one way back to it, and do not quarrel
 * about it. */
static void test_a_shared_backend_calls_itself(void **state)
{
    struct plan_sample sample;
    struct desired_item item;
    struct plan plan;

    (void)state;
    sample_init(&sample);
    item = sample_function("cache", 6, 6379, "100.80.0.14");
    sample_add_backend(&item, 1, "veth200", "10.0.1.200");
    sample_put(&sample, &item);
    plan = sample_plan(&sample);
    expect_flow(&plan,
                "table=5,priority=100,tcp,nw_src=10.0.1.200,nw_dst=10.0.1.200,"
                "tp_dst=6379",
                "ct(commit,table=7,zone=71,nat(src=100.80.0.0))");
    for (size_t i = 0; i < plan.n_pending; i++) {
        assert_null(strstr(plan.pending[i].reason, "same packets"));
    }
    plan_done(&plan);
    sample_done(&sample);
}

/* A process of the host calls the function that it offers. */
static void test_the_host_calls_itself(void **state)
{
    struct plan_sample sample;
    struct desired_item item;
    struct plan plan;

    (void)state;
    sample_init(&sample);
    item = sample_function("ssh", 6, 22, "100.80.0.15");
    sample_add_backend(&item, 1, "host", "100.104.70.1");
    sample_put(&sample, &item);
    plan = sample_plan(&sample);
    expect_flow(&plan,
                "table=5,priority=100,tcp,reg0=0x3,nw_dst=100.104.70.1,"
                "tp_dst=22",
                "ct(commit,table=7,zone=71,nat(src=100.80.0.0))");
    expect_flow(&plan,
                "table=7,priority=520,ip,in_port=LOCAL,nw_dst=100.104.70.1",
                "set_field:0a:00:00:00:01:01->eth_src,"
                "set_field:0a:00:00:00:01:01->eth_dst,IN_PORT");
    expect_flow(&plan, "table=7,priority=520,ip,in_port=LOCAL,nw_dst=10.0.1.1",
                "set_field:0a:00:00:00:01:01->eth_src,"
                "set_field:0a:00:00:00:01:01->eth_dst,IN_PORT");
    plan_done(&plan);
    sample_done(&sample);
}

/* A foreign flow covers ours when it overlaps them and is not below them. */
static void test_shadows(void **state)
{
    struct plan_shadow shadows[PLAN_SHADOWS_MAX];
    struct flow present[PLAN_SHADOWS_MAX + 4] = {{0}};
    struct plan_sample sample;
    struct plan plan;
    size_t n = 0;

    (void)state;
    sample_init(&sample);
    plan = sample_plan(&sample);
    /* As ours, below ours, in a table that we do not use, of another port. */
    present[0] = (struct flow){.priority = UINT16_MAX,
                               .cookie = flow_cookie(FLOW_KIND_BASE, 1)};
    present[1] = (struct flow){.priority = 20499};
    present[2] = (struct flow){.table = 200, .priority = UINT16_MAX};
    present[3] = (struct flow){.priority = UINT16_MAX,
                               .match = {.fields = FLOW_IN_PORT | FLOW_ETH_TYPE,
                                         .in_port = 4711,
                                         .eth_type = 0x88cc}};
    assert_int_equal(plan_find_shadows(&plan, present, 4, shadows), 0);
    /* Everything that comes in; what goes to one container. */
    present[4] = (struct flow){.priority = UINT16_MAX};
    present[5] = (struct flow){
        .table = 7,
        .priority = 500,
        .match = {
            .fields = FLOW_NW_DST | FLOW_ETH_TYPE,
            .eth_type = 0x0800,
            .nw_dst = {.address = sample_address("10.0.1.200"), .len = 32}}};
    for (size_t i = 0; i < plan.n_flows; i++) {
        /* It drops; so do some of ours. */
        n += plan.flows[i].table == 0 && plan.flows[i].instructions_size > 0;
    }
    assert_int_equal(plan_find_shadows(&plan, present, 6, shadows), 2);
    assert_ptr_equal(shadows[0].foreign, &present[4]);
    assert_int_equal(shadows[0].n_flows, n);
    assert_ptr_equal(shadows[1].foreign, &present[5]);
    assert_int_equal(shadows[1].flow->table, 7);
    assert_int_equal(shadows[1].flow->priority, 500);
    /* There may be any number of them. */
    for (size_t i = 0; i < ARRAY_SIZE(present); i++) {
        present[i] = (struct flow){.priority = (uint16_t)(UINT16_MAX - i)};
    }
    assert_int_equal(
        plan_find_shadows(&plan, present, ARRAY_SIZE(present), shadows),
        PLAN_SHADOWS_MAX);
    plan_done(&plan);
    sample_done(&sample);
}

/* One group for a function, however many of its backends are here. */
static void test_many_local_backends(void **state)
{
    enum { N = 200 };
    static struct plan_neighbor neighbors[N];
    static struct plan_port ports[N + 1];
    struct plan_sample sample;
    struct desired_item item;
    struct plan plan;
    size_t size = 0;

    (void)state;
    sample_init(&sample);
    item = sample_function("many", 6, 80, "100.80.0.20");
    for (unsigned i = 0; i < N; i++) {
        char text[32];

        (void)snprintf(text, sizeof(text), "10.0.1.%u", 2 + i);
        sample_add_backend(&item, 1, text, text);
        neighbors[i] =
            (struct plan_neighbor){.address = sample_address(text),
                                   .mac = {0x0a, 0, 0, 0, 2, (uint8_t)i},
                                   .ofport = 1000 + i};
        ports[i].ofport = 1000 + i;
        (void)snprintf(ports[i].name, sizeof(ports[i].name), "veth%u",
                       1000 + i);
    }
    (void)strcpy(ports[N].name, "socket");
    ports[N].ofport = 0xfffffffe;
    sample.observed.ports = ports;
    sample.observed.n_ports = N + 1;
    sample.observed.neighbors = neighbors;
    sample.observed.n_neighbors = N;
    sample_put(&sample, &item);
    plan = sample_plan(&sample);
    assert_int_equal(plan.n_groups, 3); /* and redis, dns */
    for (size_t i = 0; i < plan.n_groups; i++) {
        size += plan.groups[i].buckets_size;
    }
    assert_in_range(size, N * 32, N * 96);
    plan_done(&plan);
    sample_done(&sample);
}

static bool has_id(const uint32_t *ids, size_t n, uint32_t id)
{
    for (size_t i = 0; i < n; i++) {
        if (ids[i] == id) {
            return true;
        }
    }
    return false;
}

static void test_bucket_ids_stay(void **state)
{
    struct plan_sample sample;
    struct desired_item item;
    struct plan plan;
    uint32_t before[8], after[8];
    size_t n_before, n_after;

    (void)state;
    sample_init(&sample);
    plan = sample_plan(&sample);
    n_before = read_buckets(&plan, "redis", before);
    assert_int_equal(n_before, 3);
    plan_done(&plan);
    /* In another order, one draining, one on an unknown host. */
    item = sample_function("redis", 6, 6379, "100.80.0.10");
    sample_add_backend(&item, 9, "nowhere", "10.0.9.1");
    sample_add_backend(&item, 3, "veth203", "10.0.3.203");
    sample_add_backend(&item, 2, "veth203", "10.0.2.203");
    sample_add_backend(&item, 1, "veth200", "10.0.1.200");
    item.function.backends[2].accepts_new = false;
    sample_put(&sample, &item);
    plan = sample_plan(&sample);
    n_after = read_buckets(&plan, "redis", after);
    assert_int_equal(n_after, 2);
    for (size_t i = 0; i < n_after; i++) {
        assert_true(has_id(before, n_before, after[i]));
    }
    plan_done(&plan);
    /* Three instances of one name and host, as if ids had clashed. */
    item = sample_function("redis", 6, 6379, "100.80.0.10");
    sample_add_backend(&item, 2, "same", "10.0.2.203");
    sample_add_backend(&item, 2, "same", "10.0.2.204");
    sample_add_backend(&item, 2, "same", "10.0.2.205");
    sample_put(&sample, &item);
    plan = sample_plan(&sample);
    n_after = read_buckets(&plan, "redis", after);
    assert_int_equal(n_after, 3);
    assert_int_equal(after[1], after[0] + 1);
    assert_int_equal(after[2], after[0] + 2);
    plan_done(&plan);
    sample_done(&sample);
}

static void test_routes(void **state)
{
    struct plan_sample sample;
    struct plan plan;

    (void)state;
    sample_init(&sample);
    plan = sample_plan(&sample);
    expect_flow(&plan, "table=7,priority=500,ip,nw_dst=10.0.1.200",
                "set_field:0a:00:00:00:01:01->eth_src,"
                "set_field:0a:00:00:00:01:c8->eth_dst,output:200");
    expect_flow(&plan, "table=7,priority=510,ip,reg0=0x2,nw_dst=10.0.1.200",
                "set_field:0a:00:00:00:01:01->eth_src,"
                "set_field:0a:00:00:00:01:c8->eth_dst,dec_ttl,output:200");
    expect_flow(&plan,
                "table=7,priority=324,ip,reg0=0x1/0x1,nw_dst=10.0.2.0/24",
                "set_field:0a:44:55:66:77:01->eth_src,"
                "set_field:0a:44:55:66:77:02->eth_dst,dec_ttl,"
                "check_pkt_larger(1384)->NXM_NX_REG1[0],resubmit(,8)");
    expect_flow(&plan,
                "table=7,priority=332,ip,reg0=0x1/0x1,nw_dst=100.104.70.2",
                "set_field:0a:44:55:66:77:01->eth_src,"
                "set_field:0a:44:55:66:77:02->eth_dst,dec_ttl,"
                "check_pkt_larger(1384)->NXM_NX_REG1[0],resubmit(,8)");
    expect_flow(&plan, "table=7,priority=450,ip,nw_dst=100.104.70.1",
                "set_field:0a:00:00:00:01:01->eth_dst,LOCAL");
    expect_flow(&plan, "table=7,priority=324,ip,nw_dst=10.0.1.0/24",
                "CONTROLLER:128,output:200,output:201");
    expect_flow(&plan, "table=7,priority=325,ip,reg0=0x2,nw_dst=10.0.1.0/24",
                "CONTROLLER:65535");
    expect_flow(&plan, "table=7,priority=200,reg0=0x2", "drop");
    expect_flow(&plan, "table=7,priority=100,reg0=0x1",
                "set_field:0a:00:00:00:01:01->eth_dst,LOCAL");
    expect_flow(&plan,
                "table=7,priority=364,ipv6,reg0=0x1/0x1,ipv6_dst=fd00:2::/64",
                "set_field:0a:44:55:66:77:01->eth_src,"
                "set_field:0a:44:55:66:77:02->eth_dst,dec_ttl,"
                "check_pkt_larger(1384)->NXM_NX_REG1[0],resubmit(,8)");
    plan_done(&plan);
    sample_done(&sample);
}

static void test_neighbors_are_judged(void **state)
{
    struct plan_sample sample;
    struct plan plan;

    (void)state;
    sample_init(&sample);
    sample.neighbors[0].ofport = 0;   /* it is away */
    sample.neighbors[1].ofport = 299; /* no such port */
    plan = sample_plan(&sample);
    expect_flow(&plan, "table=7,priority=500,ip,nw_dst=10.0.1.200", "");
    expect_flow(&plan, "table=7,priority=500,ip,nw_dst=10.0.1.201", "");
    plan_done(&plan);
    sample.neighbors[1].ofport = 70; /* the tunnel */
    sample.neighbors[0].address = sample_address("10.0.1.1");
    sample.neighbors[0].ofport = 200; /* says to be the gateway */
    plan = sample_plan(&sample);
    expect_flow(&plan, "table=7,priority=500,ip,nw_dst=10.0.1.1", "");
    expect_flow(&plan, "table=7,priority=500,ip,nw_dst=10.0.1.201", "");
    plan_done(&plan);
    sample.neighbors[0].address = sample_address("10.0.1.200");
    sample.neighbors[0].mac[0] = 1; /* a multicast address */
    plan = sample_plan(&sample);
    expect_flow(&plan, "table=7,priority=500,ip,nw_dst=10.0.1.200", "");
    plan_done(&plan);
    sample.neighbors[0].mac[0] = 0x0a;
    sample.neighbors[0].address = sample_address("8.8.8.8");
    sample.observed.n_neighbors = 1;
    plan = sample_plan(&sample);
    expect_flow(&plan, "table=7,priority=500,ip,nw_dst=8.8.8.8", "");
    plan_done(&plan);
    sample_done(&sample);
}

/* 10.0.1.200 is bound to veth200, and was only ever seen behind veth201: that
 * container keeps it, and everything that is bound to it. */
static void test_wrong_binding_is_refused(void **state)
{
    struct plan_sample sample;
    struct plan plan;

    (void)state;
    sample_init(&sample);
    plan = sample_plan(&sample);
    assert_int_equal(plan.n_refused, 0);
    plan_done(&plan);
    sample.neighbors[0].ofport = 201;
    plan = sample_plan(&sample);
    assert_int_equal(plan.n_refused, 1);
    assert_string_equal(plan.refused[0].item, "local/10.0.1.200");
    assert_string_equal(plan.refused[0].reason,
                        "10.0.1.200 lives behind veth201");
    expect_flow(&plan, "table=0,priority=20800,ip,nw_src=10.0.1.200", "");
    expect_flow(&plan, "table=0,priority=20800,arp,arp_spa=10.0.1.200", "");
    expect_flow(&plan,
                "table=0,priority=20900,ip,in_port=200,nw_src=10.0.1.200", "");
    expect_flow(&plan, "table=7,priority=500,ip,nw_dst=10.0.1.200",
                "set_field:0a:00:00:00:01:01->eth_src,"
                "set_field:0a:00:00:00:01:c8->eth_dst,output:201");
    plan_done(&plan);
    /* Away, but seen behind its port before: the binding holds. */
    sample.neighbors[0].ofport = 0;
    plan = sample_plan(&sample);
    assert_int_equal(plan.n_refused, 0);
    expect_flow(&plan, "table=0,priority=20800,arp,arp_spa=10.0.1.200", "drop");
    plan_done(&plan);
    sample_done(&sample);
}

static void expect_pending(const struct plan *plan, const char *item,
                           const char *reason)
{
    for (size_t i = 0; i < plan->n_pending; i++) {
        if (strcmp(plan->pending[i].item, item) == 0) {
            assert_string_equal(plan->pending[i].reason, reason);
            return;
        }
    }
    fail_msg("%s is not pending", item);
}

static void test_pending(void **state)
{
    struct plan_sample sample;
    struct plan plan;

    (void)state;
    sample_init(&sample);
    plan = sample_plan(&sample);
    assert_int_equal(plan.n_pending, 1);
    expect_pending(&plan, "local/10.0.1.203", "no port veth203 on socket");
    plan_done(&plan);
    /* Without the tunnel, remote traffic ends and remote backends are out. */
    sample.observed.n_ports = 3;
    plan = sample_plan(&sample);
    expect_pending(&plan, "host/1122334455667702",
                   "no port vx-socket on socket");
    expect_flow(&plan,
                "table=7,priority=324,ip,reg0=0x1/0x1,nw_dst=10.0.2.0/24",
                "drop");
    assert_null(sample_find(
        &plan,
        "table=4,priority=800,udp,ct_state=+new+trk,nw_dst=100.80.0.12"));
    plan_done(&plan);
    sample.observed.is_bridge_up = false;
    plan = sample_plan(&sample);
    assert_int_equal(plan.n_flows, 0);
    expect_pending(&plan, "bridge", "no bridge socket");
    assert_true(plan.needs_tunnel);
    plan_done(&plan);
    sample_done(&sample);
}

static void test_kernel(void **state)
{
    struct plan_sample sample;
    struct plan plan;
    struct address gateway = sample_address("10.0.1.1");
    char text[PREFIX_TEXT_SIZE];

    (void)state;
    sample_init(&sample);
    plan = sample_plan(&sample);
    assert_true(plan.needs_tunnel);
    assert_int_equal(plan.tunnel_mtu, 1370);
    assert_int_equal(plan.n_forwards, 2);
    assert_int_equal(plan.forwards[0].mac[5], 2);
    assert_int_equal(plan.tunnel_mac[5], 1);
    assert_int_equal(plan.n_routes, 5);
    assert_string_equal(prefix_text(&plan.routes[0].destination, text),
                        "10.0.2.0/24");
    assert_true(address_equal(&plan.routes[0].source, &gateway));
    assert_int_equal(plan.routes[0].mtu, 1370);
    /* The host dials functions, too. */
    assert_string_equal(prefix_text(&plan.routes[2].destination, text),
                        "100.80.0.0/12");
    assert_true(address_equal(&plan.routes[2].source, &gateway));
    assert_string_equal(prefix_text(&plan.local_address, text), "10.0.1.0/24");
    plan_done(&plan);
    /* Not told to be the gateway: no address; the mesh one is the source. */
    sample.policy.gateway = (struct address){0};
    sample.observed.mesh_mtu = 0;
    plan = sample_plan(&sample);
    assert_int_equal(plan.local_address.address.family, 0);
    assert_string_equal(address_text(&plan.routes[0].source, text),
                        "100.104.70.1");
    assert_int_equal(plan.tunnel_mtu, 1370);
    plan_done(&plan);
    /* Alone: no tunnel. */
    for (size_t i = sample.desired.n_items; i > 0; i--) {
        if (sample.desired.items[i - 1].type == DESIRED_HOST &&
            !sample.desired.items[i - 1].host.is_self) {
            assert_true(
                desired_remove(&sample.desired, &sample.desired.items[i - 1]));
        }
    }
    plan = sample_plan(&sample);
    assert_false(plan.needs_tunnel);
    assert_int_equal(plan.n_forwards, 0);
    assert_int_equal(plan.n_routes, 1); /* to the functions */
    plan_done(&plan);
    sample_done(&sample);
}

static void test_same_inputs_same_plan(void **state)
{
    struct plan_sample sample;
    struct plan a, b;
    struct diff diff;

    (void)state;
    sample_init(&sample);
    a = sample_plan(&sample);
    /* The order in which ports are listed must not matter. */
    {
        struct plan_port port = sample.ports[1];

        sample.ports[1] = sample.ports[2];
        sample.ports[2] = port;
    }
    b = sample_plan(&sample);
    assert_int_equal(
        diff_make(&a, b.flows, b.n_flows, b.groups, b.n_groups, &diff), 0);
    assert_int_equal(diff.n_flows + diff.n_groups, 0);
    diff_done(&diff);
    for (size_t i = 1; i < a.n_flows; i++) {
        assert_true(flow_compare_key(&a.flows[i - 1], &a.flows[i]) < 0);
    }
    plan_done(&a);
    plan_done(&b);
    sample_done(&sample);
}

/* Two hosts claim one subnet: one of them has it, the same one everywhere,
 * and the other is named. */
static void test_two_claims(void **state)
{
    struct plan_sample sample;
    struct desired_item item = {.type = DESIRED_HOST};
    struct plan plan;

    (void)state;
    sample_init(&sample);
    item.host.id = 5;
    (void)snprintf(item.host.name, sizeof(item.host.name), "other");
    item.host.mesh = sample_address("100.104.70.5");
    item.host.subnets[0] = sample_prefix("10.0.2.0/24");
    item.host.n_subnets = 1;
    sample_put(&sample, &item);
    plan = sample_plan(&sample);
    for (size_t i = 1; i < plan.n_flows; i++) {
        assert_true(flow_compare_key(&plan.flows[i - 1], &plan.flows[i]) < 0);
    }
    assert_true(plan.n_pending > 1);
    assert_non_null(strstr(plan.pending[plan.n_pending - 1].reason,
                           "wants the same packets as: to "));
    assert_int_equal(plan.n_routes, 5);
    plan_done(&plan);
    sample_done(&sample);
}

static void test_nothing_known(void **state)
{
    const struct desired desired = DESIRED_INIT;
    const struct plan_policy policy = {.bridge = "socket",
                                       .tunnel_device = "vx-socket"};
    const struct plan_observed observed = {.is_bridge_up = true};
    struct plan plan;

    (void)state;
    assert_int_equal(plan_make(&desired, &policy, &observed, &plan), 0);
    assert_false(plan.needs_tunnel);
    assert_int_equal(plan.n_groups, 0);
    plan_done(&plan);
    plan_done(NULL);
}

/* --- Size. --- */

static void test_many(void **state)
{
    struct plan_sample sample;
    struct plan plan;
    struct timespec start, end;

    (void)state;
    sample_init(&sample);
    for (unsigned n = 4; n <= 100; n++) {
        sample_put_host(&sample, n);
    }
    for (unsigned i = 0; i < 1000; i++) {
        struct desired_item item;
        char name[32], address[32];

        (void)snprintf(name, sizeof(name), "f%u", i);
        (void)snprintf(address, sizeof(address), "100.80.%u.%u", 1 + i / 250,
                       i % 250);
        item = sample_function(name, 6, 80, address);
        for (unsigned n = 2; n <= 6; n++) {
            (void)snprintf(address, sizeof(address), "10.0.%u.%u", n,
                           2 + i % 250);
            sample_add_backend(&item, n, name, address);
        }
        sample_put(&sample, &item);
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &start);
    plan = sample_plan(&sample);
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    assert_int_equal(plan.n_groups, 1003);
    print_message("100 hosts, 1,000 functions of 5: %zu flows in %.1f ms\n",
                  plan.n_flows,
                  (double)(end.tv_sec - start.tv_sec) * 1e3 +
                      (double)(end.tv_nsec - start.tv_nsec) / 1e6);
    plan_done(&plan);
    sample_done(&sample);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classification),
        cmocka_unit_test(test_services),
        cmocka_unit_test(test_nothing_there_is_refused),
        cmocka_unit_test(test_too_big),
        cmocka_unit_test(test_a_shared_backend_calls_itself),
        cmocka_unit_test(test_the_host_calls_itself),
        cmocka_unit_test(test_shadows),
        cmocka_unit_test(test_many_local_backends),
        cmocka_unit_test(test_bucket_ids_stay),
        cmocka_unit_test(test_routes),
        cmocka_unit_test(test_neighbors_are_judged),
        cmocka_unit_test(test_wrong_binding_is_refused),
        cmocka_unit_test(test_pending),
        cmocka_unit_test(test_kernel),
        cmocka_unit_test(test_same_inputs_same_plan),
        cmocka_unit_test(test_two_claims),
        cmocka_unit_test(test_nothing_known),
        cmocka_unit_test(test_many),
    };

    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
