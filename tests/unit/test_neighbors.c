/*
 * Local containers: what an ARP frame may teach, bindings, ports that come and
 * go, the limit, and that the planner's own flows give back what they were
 * made from.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

#include "agent/worker/worker_neighbors.h"

static const struct plan_policy policy = {
    .bridge = "socket",
    .subnets = {{.address = {.family = 4, .bytes = {10, 0, 0, 0}}, .len = 16}},
    .n_subnets = 1,
    .service_range = {.address = {.family = 4, .bytes = {100, 80}}, .len = 12},
    .gateway = {.family = 4, .bytes = {10, 0, 1, 1}},
    .tunnel_device = "vx-socket",
    .mesh_interface = "nm-privacy",
};

static struct plan_port ports[] = {
    {"veth200", 5}, {"veth201", 6}, {"vx-socket", 7}};

static const uint8_t mac_a[6] = {2, 0, 0, 0, 0, 0xa};
static const uint8_t mac_b[6] = {2, 0, 0, 0, 0, 0xb};

struct world {
    struct worker_neighbors neighbors;
    struct desired desired;
    struct worker_neighbors_rules rules;
};

static struct address ip(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    return (struct address){.family = 4, .bytes = {a, b, c, d}};
}

static void setup(struct world *world)
{
    *world = (struct world){0};
    ports[0].ofport = 5;
    ports[1].ofport = 6;
    world->rules =
        (struct worker_neighbors_rules){.policy = &policy,
                                        .desired = &world->desired,
                                        .ports = ports,
                                        .n_ports = ARRAY_SIZE(ports)};
}

static void teardown(struct world *world)
{
    worker_neighbors_done(&world->neighbors);
    desired_done(&world->desired);
}

/* An ARP request of this sender for the gateway. */
static int learn(struct world *world, uint32_t in_port, struct address sender,
                 const uint8_t mac[6])
{
    uint8_t frame[WORKER_ARP_SIZE];

    worker_neighbors_request(&policy.gateway, &sender, mac, frame);
    return worker_neighbors_learn(&world->neighbors, &world->rules, in_port,
                                  frame, sizeof(frame));
}

static void bind_to(struct world *world, struct address address,
                    const char *port)
{
    struct desired_item item = {.type = DESIRED_LOCAL,
                                .local = {.address = address}};

    memcpy(item.local.port_name, port, strlen(port) + 1);
    assert_int_equal(desired_put(&world->desired, &item), 0);
}

static const struct plan_neighbor *find(const struct world *world,
                                        struct address address)
{
    return worker_neighbors_find(&world->neighbors, &address);
}

static void test_learns_and_follows_the_newest(void **state)
{
    struct address address = ip(10, 0, 1, 200);
    struct world world;

    (void)state;
    setup(&world);
    assert_int_equal(learn(&world, 5, address, mac_a), 1);
    assert_int_equal(learn(&world, 5, address, mac_a), 0);
    assert_int_equal(find(&world, address)->ofport, 5);
    assert_int_equal(learn(&world, 6, address, mac_b), 1);
    assert_int_equal(find(&world, address)->ofport, 6);
    assert_memory_equal(find(&world, address)->mac, mac_b, 6);
    assert_int_equal(world.neighbors.n_entries, 1);
    teardown(&world);
}

/* Asks for the entry of an address; whether it was forgotten. */
static bool ask_for(struct world *world, struct address address)
{
    for (size_t i = 0; i < world->neighbors.n_entries; i++) {
        if (address_equal(&world->neighbors.entries[i].address, &address)) {
            return worker_neighbors_note_asked(&world->neighbors, &world->rules,
                                               i);
        }
    }
    fail_msg("it is not known");
    return false;
}

/* Who does not answer is forgotten, but not who is bound to its port; any word
 * of it counts. */
static void test_the_silent_are_forgotten(void **state)
{
    struct address silent = ip(10, 0, 1, 200);
    struct address bound = ip(10, 0, 1, 201);
    struct address heard = ip(10, 0, 1, 202);
    struct world world;

    (void)state;
    setup(&world);
    bind_to(&world, bound, "veth201");
    /* Learned in another order than they are kept in. */
    assert_int_equal(learn(&world, 5, heard, mac_b), 1);
    assert_int_equal(learn(&world, 6, bound, mac_a), 1);
    assert_int_equal(learn(&world, 5, silent, mac_a), 1);
    for (int i = 0; i < WORKER_NEIGHBORS_ASKED_MAX; i++) {
        assert_false(ask_for(&world, silent));
        assert_false(ask_for(&world, bound));
        assert_false(ask_for(&world, heard));
    }
    assert_int_equal(learn(&world, 5, heard, mac_b), 0);
    assert_true(ask_for(&world, silent));
    assert_null(find(&world, silent));
    assert_false(ask_for(&world, bound));
    assert_false(ask_for(&world, bound));
    assert_non_null(find(&world, bound));
    assert_false(ask_for(&world, heard));
    /* One that comes later is asked as often. */
    assert_int_equal(learn(&world, 5, silent, mac_a), 1);
    for (int i = 0; i < WORKER_NEIGHBORS_ASKED_MAX; i++) {
        assert_false(ask_for(&world, silent));
    }
    assert_true(ask_for(&world, silent));
    teardown(&world);
}

static void test_believes_no_nonsense(void **state)
{
    static const uint8_t group_mac[6] = {3, 0, 0, 0, 0, 1};
    static const uint8_t no_mac[6] = {0};
    struct address good = ip(10, 0, 1, 200);
    uint8_t frame[WORKER_ARP_SIZE];
    struct world world;

    (void)state;
    setup(&world);
    assert_int_equal(learn(&world, 5, ip(10, 1, 1, 200), mac_a), 0);
    assert_int_equal(learn(&world, 5, policy.gateway, mac_a), 0);
    assert_int_equal(learn(&world, 5, ip(0, 0, 0, 0), mac_a), 0);
    assert_int_equal(learn(&world, 5, ip(10, 0, 0, 0), mac_a), 0);
    assert_int_equal(learn(&world, 5, ip(10, 0, 255, 255), mac_a), 0);
    assert_int_equal(learn(&world, 5, good, group_mac), 0);
    assert_int_equal(learn(&world, 5, good, no_mac), 0);
    /* The tunnel, the host, a port that is not there. */
    assert_int_equal(learn(&world, 7, good, mac_a), 0);
    assert_int_equal(learn(&world, UINT32_C(0xfffffffe), good, mac_a), 0);
    assert_int_equal(learn(&world, 99, good, mac_a), 0);
    assert_int_equal(learn(&world, 0, good, mac_a), 0);
    /* Every byte of the fixed part counts, and so does the sender's MAC. */
    worker_neighbors_request(&policy.gateway, &good, mac_a, frame);
    for (size_t i = 6; i < 22; i++) {
        frame[i] ^= 0x40;
        assert_int_equal(worker_neighbors_learn(&world.neighbors, &world.rules,
                                                5, frame, sizeof(frame)),
                         0);
        frame[i] ^= 0x40;
    }
    for (size_t size = 0; size < sizeof(frame); size++) {
        assert_int_equal(worker_neighbors_learn(&world.neighbors, &world.rules,
                                                5, frame, size),
                         0);
    }
    assert_int_equal(world.neighbors.n_entries, 0);
    teardown(&world);
}

static const char *port_of(const struct world *world, struct address address)
{
    return worker_neighbors_port(&world->neighbors, &address);
}

/* Once seen behind its port a bound address is nobody else's, also while the
 * port is away. */
static void test_proved_bindings_hold(void **state)
{
    struct address address = ip(10, 0, 1, 200);
    struct world world;

    (void)state;
    setup(&world);
    bind_to(&world, address, "veth200");
    assert_int_equal(learn(&world, 5, address, mac_a), 1);
    assert_false(worker_neighbors_follow(&world.neighbors, &world.rules));
    assert_int_equal(learn(&world, 6, address, mac_b), 0);
    assert_string_equal(port_of(&world, address), "veth200");
    ports[0].ofport = 0;
    assert_true(worker_neighbors_follow(&world.neighbors, &world.rules));
    assert_null(find(&world, address));
    assert_int_equal(learn(&world, 6, address, mac_b), 0);
    assert_string_equal(port_of(&world, address), "veth200");
    world.rules.ports = &ports[1]; /* its row went too */
    world.rules.n_ports = 2;
    assert_false(worker_neighbors_follow(&world.neighbors, &world.rules));
    assert_int_equal(learn(&world, 6, address, mac_b), 0);
    /* Back: it has to say so itself, as it may be another container. */
    world.rules.ports = ports;
    world.rules.n_ports = ARRAY_SIZE(ports);
    ports[0].ofport = 5;
    assert_false(worker_neighbors_follow(&world.neighbors, &world.rules));
    assert_null(find(&world, address));
    assert_int_equal(learn(&world, 5, address, mac_b), 1);
    assert_memory_equal(find(&world, address)->mac, mac_b, 6);
    /* Not bound any more, it is whose ARP came last. */
    assert_true(desired_remove(&world.desired, &world.desired.items[0]));
    assert_int_equal(learn(&world, 6, address, mac_a), 1);
    teardown(&world);
}

/* A binding that was never seen to be right loses against what is seen. */
static void test_wrong_bindings_do_not(void **state)
{
    struct address address = ip(10, 0, 1, 200);
    struct world world;

    (void)state;
    setup(&world);
    assert_int_equal(learn(&world, 6, address, mac_b), 1);
    bind_to(&world, address, "veth200");
    assert_false(worker_neighbors_follow(&world.neighbors, &world.rules));
    assert_string_equal(port_of(&world, address), "veth201");
    assert_int_equal(learn(&world, 6, address, mac_a), 1);
    /* It moved to where it is said to be: from then on it is there. */
    assert_int_equal(learn(&world, 5, address, mac_a), 1);
    assert_int_equal(learn(&world, 6, address, mac_a), 0);
    assert_string_equal(port_of(&world, address), "veth200");
    /* One that is wrong and whose container ends is not kept. */
    assert_true(desired_remove(&world.desired, &world.desired.items[0]));
    bind_to(&world, address, "veth201");
    ports[0].ofport = 0;
    assert_true(worker_neighbors_follow(&world.neighbors, &world.rules));
    assert_null(port_of(&world, address));
    teardown(&world);
}

static void test_ports_come_and_go(void **state)
{
    struct address address = ip(10, 0, 1, 200);
    struct world world;

    (void)state;
    setup(&world);
    assert_int_equal(learn(&world, 5, address, mac_a), 1);
    ports[0].ofport = 15; /* another number */
    assert_true(worker_neighbors_follow(&world.neighbors, &world.rules));
    assert_int_equal(find(&world, address)->ofport, 15);
    ports[0].ofport = 0; /* not open */
    assert_true(worker_neighbors_follow(&world.neighbors, &world.rules));
    assert_null(find(&world, address));
    teardown(&world);
}

static void test_limit(void **state)
{
    struct address last = ip(10, 0, 200, 200);
    struct world world;

    (void)state;
    setup(&world);
    for (unsigned i = 0; i < WORKER_NEIGHBORS_MAX; i++) {
        assert_int_equal(
            learn(&world, 5,
                  ip(10, 0, (uint8_t)(2 + i / 250), (uint8_t)(1 + i % 250)),
                  mac_a),
            1);
    }
    assert_int_equal(learn(&world, 5, last, mac_a), 0);
    /* A registered one finds room. */
    bind_to(&world, last, "veth200");
    assert_int_equal(learn(&world, 5, last, mac_a), 1);
    assert_int_equal(world.neighbors.n_entries, WORKER_NEIGHBORS_MAX + 1);
    teardown(&world);
}

/* The entries of one run of the worker, out of the flows that its plan made
 * of them. */
static void test_recovers_from_the_plan(void **state)
{
    struct address a = ip(10, 0, 1, 200);
    struct address b = ip(10, 0, 1, 201);
    struct plan_observed observed = {.is_bridge_up = true,
                                     .local_mac = {2, 9, 9, 9, 9, 9},
                                     .ports = ports,
                                     .n_ports = ARRAY_SIZE(ports)};
    struct plan plan = PLAN_INIT;
    struct world before;
    struct world after;

    (void)state;
    setup(&before);
    setup(&after);
    assert_int_equal(learn(&before, 5, a, mac_a), 1);
    assert_int_equal(learn(&before, 6, b, mac_b), 1);
    observed.neighbors = before.neighbors.entries;
    observed.n_neighbors = before.neighbors.n_entries;
    assert_int_equal(plan_make(&before.desired, &policy, &observed, &plan), 0);
    assert_int_equal(worker_neighbors_recover(&after.neighbors, &after.rules,
                                              plan.flows, plan.n_flows),
                     1);
    assert_int_equal(after.neighbors.n_entries, 2);
    assert_memory_equal(after.neighbors.entries, before.neighbors.entries,
                        2 * sizeof(struct plan_neighbor));
    /* What is known already is better. */
    assert_int_equal(worker_neighbors_recover(&after.neighbors, &after.rules,
                                              plan.flows, plan.n_flows),
                     0);
    /* Also against a binding: it had been refused.  Not from others' flows. */
    worker_neighbors_done(&after.neighbors);
    bind_to(&after, a, "veth201");
    for (size_t i = 0; i < plan.n_flows; i++) {
        if (prefix_contains(&plan.flows[i].match.nw_dst, &b)) {
            plan.flows[i].cookie = 0;
        }
    }
    assert_int_equal(worker_neighbors_recover(&after.neighbors, &after.rules,
                                              plan.flows, plan.n_flows),
                     1);
    assert_int_equal(after.neighbors.n_entries, 1);
    assert_string_equal(port_of(&after, a), "veth200");
    plan_done(&plan);
    teardown(&before);
    teardown(&after);
}

static void test_request_without_sender_is_a_probe(void **state)
{
    struct address target = ip(10, 0, 1, 200);
    struct address nobody = {0};
    uint8_t frame[WORKER_ARP_SIZE];

    (void)state;
    worker_neighbors_request(&target, &nobody, mac_a, frame);
    assert_memory_equal(frame, "\xff\xff\xff\xff\xff\xff", 6);
    assert_memory_equal(frame + 6, mac_a, 6);
    assert_memory_equal(frame + 12, "\x08\x06\x00\x01\x08\x00\x06\x04\x00\x01",
                        10);
    assert_memory_equal(frame + 22, mac_a, 6);
    assert_memory_equal(frame + 28, "\0\0\0\0\0\0\0\0\0\0", 10);
    assert_memory_equal(frame + 38, target.bytes, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_learns_and_follows_the_newest),
        cmocka_unit_test(test_the_silent_are_forgotten),
        cmocka_unit_test(test_believes_no_nonsense),
        cmocka_unit_test(test_proved_bindings_hold),
        cmocka_unit_test(test_wrong_bindings_do_not),
        cmocka_unit_test(test_ports_come_and_go),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_recovers_from_the_plan),
        cmocka_unit_test(test_request_without_sender_is_a_probe),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
