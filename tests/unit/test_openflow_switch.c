/*
 * The codec and the planner against a real Open vSwitch: what is written
 * comes back byte for byte, so that an unchanged switch has an empty diff.
 * Blocking, and without ofconn.c, so that it is the codec that is tested.
 * Needs root; skipped where Open vSwitch is missing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "reconcilers/openflow/openflow.h"
#include "reconcilers/plan/plan.h"
#include "tests/unit/ovs_fixture.h"
#include "tests/unit/plan_sample.h"
#include "tests/unit/switch_client.h"

static struct ovs_fixture switch_fixture;

static void show_diff(const struct diff *diff)
{
    for (size_t i = 0; i < diff->n_flows; i++) {
        const struct flow *flows[] = {diff->flows[i].wanted,
                                      diff->flows[i].present};

        for (size_t j = 0; j < 2; j++) {
            char *text = flows[j] ? openflow_flow_text(flows[j]) : NULL;

            print_message("op %d %s: %s\n", (int)diff->flows[i].op,
                          j == 0 ? "wanted" : "present", text ? text : "-");
            for (size_t k = 0; flows[j] && k < flows[j]->instructions_size;
                 k++) {
                print_message("%02x", flows[j]->instructions[k]);
            }
            print_message("\n");
            free(text);
        }
    }
    for (size_t i = 0; i < diff->n_groups; i++) {
        print_message("group op %d\n", (int)diff->groups[i].op);
    }
}

static void expect_nothing_to_do(struct client *client, const struct plan *plan)
{
    struct dump dump = client_dump(client);
    struct diff diff = make_diff(plan, &dump);

    show_diff(&diff);
    assert_int_equal(diff.n_flows, 0);
    assert_int_equal(diff.n_groups, 0);
    diff_done(&diff);
    dump_done(&dump);
}

static void apply_plan(struct client *client, const struct plan *plan)
{
    struct dump dump = client_dump(client);
    struct diff diff = make_diff(plan, &dump);

    client_apply(client, &diff);
    diff_done(&diff);
    dump_done(&dump);
}

/* Our text of the flows, read by ovs-ofctl, is what the switch holds. */
static void expect_same_text(const struct plan *plan)
{
    char path[128];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/flows", switch_fixture.folder);
    file = fopen(path, "w");
    assert_non_null(file);
    for (size_t i = 0; i < plan->n_flows; i++) {
        char *text = openflow_flow_text(&plan->flows[i]);

        assert_non_null(text);
        (void)fprintf(file, "cookie=0x%llx,%s\n",
                      (unsigned long long)plan->flows[i].cookie, text);
        free(text);
    }
    assert_int_equal(fclose(file), 0);
    ovs_fixture_shell("ovs-ofctl -O OpenFlow15 diff-flows socket %s >&2", path);
}

/* --- The tests. --- */

static void test_plan_comes_back_as_it_was(void **state)
{
    static struct client client;
    uint8_t message[64];
    struct writer writer = writer_init(message, sizeof(message));
    struct plan_sample sample;
    struct plan plan;

    (void)state;
    sample_init(&sample);
    sample.observed.has_meter = true;
    plan = sample_plan(&sample);
    client_open(&client, switch_fixture.bridge_path);
    openflow_put_meter_mod(&writer, 5, OPENFLOW_ADD, PLAN_METER,
                           PLAN_METER_RATE);
    client_send(&client, &writer);
    client_barrier(&client);
    apply_plan(&client, &plan);
    expect_nothing_to_do(&client, &plan);
    expect_same_text(&plan);
    plan_done(&plan);

    /* A backend is withdrawn: the group changes and the flow about its late
     * answers goes, nothing else. */
    {
        struct desired_item item =
            sample_function("redis", 6, 6379, "100.80.0.10");
        struct dump dump = client_dump(&client);
        struct diff diff;

        sample_add_backend(&item, 1, "veth200", "10.0.1.200");
        sample_add_backend(&item, 3, "veth203", "10.0.3.203");
        sample_put(&sample, &item);
        plan = sample_plan(&sample);
        diff = make_diff(&plan, &dump);
        assert_int_equal(diff.n_flows, 1);
        assert_int_equal(diff.flows[0].op, DIFF_REMOVE);
        assert_int_equal(diff.n_groups, 1);
        client_apply(&client, &diff);
        diff_done(&diff);
        dump_done(&dump);
    }
    expect_nothing_to_do(&client, &plan);
    plan_done(&plan);

    /* Everything goes. */
    plan = (struct plan)PLAN_INIT;
    apply_plan(&client, &plan);
    expect_nothing_to_do(&client, &plan);
    sample_done(&sample);
    (void)close(client.fd);
}

static size_t count_flows(struct client *client)
{
    struct dump dump = client_dump(client);
    size_t n = dump.n_flows;

    dump_done(&dump);
    return n;
}

static void test_foreign_flows_stay(void **state)
{
    static struct client client;
    const struct flow all_of_ours = {.table = 255,
                                     .cookie = flow_cookie(FLOW_KIND_BASE, 0)};
    struct plan_sample sample;
    struct plan plan;
    size_t n;

    (void)state;
    ovs_fixture_shell("ovs-ofctl -O OpenFlow15 add-flow socket "
                      "table=7,priority=0,actions=drop");
    ovs_fixture_shell("ovs-ofctl -O OpenFlow15 add-flow socket "
                      "table=0,priority=7,udp,tp_src=68/0xfff0,vlan_tci=0,"
                      "actions=normal");
    sample_init(&sample);
    plan = sample_plan(&sample);
    client_open(&client, switch_fixture.bridge_path);
    {
        struct dump dump = client_dump(&client);
        struct diff diff = make_diff(&plan, &dump);
        size_t n_conflicts = 0;

        for (size_t i = 0; i < diff.n_flows; i++) {
            n_conflicts += diff.flows[i].op == DIFF_CONFLICT;
        }
        assert_int_equal(n_conflicts, 1);
        client_apply(&client, &diff);
        diff_done(&diff);
        dump_done(&dump);
    }
    /* Planned but for the conflict, and the one with unknown fields. */
    n = count_flows(&client);
    assert_int_equal(n, plan.n_flows + 1);
    bundle_control(&client, OPENFLOW_BUNDLE_OPEN);
    bundle_add(&client, &all_of_ours, NULL, OPENFLOW_DELETE);
    bundle_control(&client, OPENFLOW_BUNDLE_COMMIT);
    assert_int_equal(count_flows(&client), 2);
    plan_done(&plan);
    plan = (struct plan)PLAN_INIT;
    apply_plan(&client, &plan); /* the groups */
    ovs_fixture_shell("ovs-ofctl -O OpenFlow15 del-flows socket");
    sample_done(&sample);
    (void)close(client.fd);
}

static void test_group_of_another_form_is_seen(void **state)
{
    static struct client client;
    struct plan_sample sample;
    struct plan plan;

    (void)state;
    sample_init(&sample);
    plan = sample_plan(&sample);
    client_open(&client, switch_fixture.bridge_path);
    apply_plan(&client, &plan);
    assert_true(plan.n_groups > 0);
    ovs_fixture_shell("ovs-ofctl -O OpenFlow15 dump-groups socket | sed -n "
                      "'s/selection_method=dp_hash,//; s/^ *group_id=%u,/"
                      "group_id=%u,/p' | ovs-ofctl -O OpenFlow15 mod-group "
                      "socket -",
                      plan.groups[0].id, plan.groups[0].id);
    {
        struct dump dump = client_dump(&client);
        struct diff diff = make_diff(&plan, &dump);

        assert_int_equal(diff.n_groups, 1);
        assert_int_equal(diff.groups[0].op, DIFF_MODIFY);
        client_apply(&client, &diff);
        diff_done(&diff);
        dump_done(&dump);
    }
    expect_nothing_to_do(&client, &plan);
    plan_done(&plan);
    plan = (struct plan)PLAN_INIT;
    apply_plan(&client, &plan);
    sample_done(&sample);
    (void)close(client.fd);
}

static enum openflow_event next_event(struct client *client)
{
    struct reader entries;
    uint16_t type;
    bool has_more;
    enum openflow_event event;

    client_expect(client, OPENFLOW_MULTIPART_REPLY);
    assert_int_equal(openflow_parse_multipart(client->message,
                                              client->header.length, &type,
                                              &has_more, &entries),
                     0);
    assert_int_equal(type, OPENFLOW_MULTIPART_MONITOR);
    assert_int_equal(openflow_next_event(&entries, &event), 0);
    return event;
}

static void test_events(void **state)
{
    static struct client client;
    uint8_t bytes[256];
    struct writer writer = writer_init(bytes, sizeof(bytes));
    const struct flow flow = {
        .table = 9, .priority = 5, .cookie = flow_cookie(FLOW_KIND_BASE, 1)};

    (void)state;
    client_open(&client, switch_fixture.bridge_path);
    openflow_put_set_config(&writer, 10);
    openflow_put_set_async(&writer, 11);
    openflow_put_flow_monitor_request(&writer, 12, 1);
    client_send(&client, &writer);
    client_expect(&client, OPENFLOW_MULTIPART_REPLY); /* nothing to show */
    bundle_control(&client, OPENFLOW_BUNDLE_OPEN);
    bundle_add(&client, &flow, NULL, OPENFLOW_ADD);
    writer = writer_init(bytes, sizeof(bytes));
    openflow_put_bundle_control(&writer, 5, CLIENT_BUNDLE,
                                OPENFLOW_BUNDLE_COMMIT, CLIENT_BUNDLE_FLAGS);
    client_send(&client, &writer);
    assert_int_equal(next_event(&client), OPENFLOW_EVENT_OWN);
    ovs_fixture_shell("ovs-ofctl -O OpenFlow15 del-flows socket table=9");
    assert_int_equal(next_event(&client), OPENFLOW_EVENT_FOREIGN);
    ovs_fixture_shell("ovs-ofctl -O OpenFlow15 add-group socket "
                      "group_id=5,type=all,bucket=actions=drop");
    client_expect(&client, OPENFLOW_REQUESTFORWARD);
    ovs_fixture_shell("ovs-ofctl -O OpenFlow15 del-groups socket group_id=5");
    client_expect(&client, OPENFLOW_REQUESTFORWARD);
    ovs_fixture_shell("ovs-vsctl add-port socket p5 -- set interface p5 "
                      "type=internal ofport_request=5");
    client_expect(&client, OPENFLOW_PORT_STATUS);
    (void)close(client.fd);
}

static void test_packets_and_ports(void **state)
{
    static struct client client;
    static const uint8_t frame[60] = {0x0a, 0, 0, 0, 0, 1, 0x0a, 0,
                                      0,    0, 0, 2, 8, 6, 0,    1};
    uint8_t bytes[256], actions[64];
    struct writer writer = writer_init(bytes, sizeof(bytes));
    struct writer action = writer_init(actions, sizeof(actions));
    struct openflow_packet_in packet;
    struct dump dump;
    bool has_local = false, has_p5 = false;

    (void)state;
    client_open(&client, switch_fixture.bridge_path);
    openflow_put_set_config(&writer, 10);
    openflow_put_set_async(&writer, 11);
    openflow_put_set_reg(&action, 0, 3);
    openflow_put_output(&action, OPENFLOW_PORT_CONTROLLER, 128);
    openflow_put_packet_out(&writer, 12, OPENFLOW_PORT_CONTROLLER, actions,
                            writer_size(&action), frame, sizeof(frame));
    client_send(&client, &writer);
    client_expect(&client, OPENFLOW_PACKET_IN);
    assert_int_equal(
        openflow_parse_packet_in(client.message, client.header.length, &packet),
        0);
    assert_int_equal(packet.in_port, OPENFLOW_PORT_CONTROLLER);
    assert_int_equal(packet.frame_size, sizeof(frame));
    assert_memory_equal(packet.frame, frame, sizeof(frame));
    dump = client_dump(&client);
    for (size_t i = 0; i < dump.n_ports; i++) {
        has_local = has_local || (dump.ports[i].number == OPENFLOW_PORT_LOCAL &&
                                  strcmp(dump.ports[i].name, "socket") == 0);
        has_p5 = has_p5 || dump.ports[i].number == 5;
    }
    assert_true(has_local && has_p5);
    dump_done(&dump);
    (void)close(client.fd);
}

static void test_flush_and_errors(void **state)
{
    static struct client client;
    uint8_t bytes[512];
    struct writer writer = writer_init(bytes, sizeof(bytes));
    const struct address service = sample_address("100.80.0.10");
    const struct address backend = sample_address("10.0.2.203");
    const struct address service6 = sample_address("fd00:80::10");
    const struct address backend6 = sample_address("fd00:2::203");
    const struct group missing = {.id = FLOW_GROUP_PREFIX | 1};
    uint16_t type, code;
    char text[128];

    (void)state;
    client_open(&client, switch_fixture.bridge_path);
    openflow_put_ct_flush(&writer, 20, PLAN_ZONE, &service, &backend, 6);
    openflow_put_ct_flush(&writer, 21, PLAN_ZONE, &service6, &backend6, 17);
    client_send(&client, &writer);
    client_barrier(&client);
    writer = writer_init(bytes, sizeof(bytes));
    openflow_put_group_mod(&writer, 22, OPENFLOW_MODIFY, &missing);
    client_send(&client, &writer);
    client_expect(&client, OPENFLOW_ERROR);
    assert_int_equal(openflow_parse_error(client.message, client.header.length,
                                          &type, &code),
                     0);
    assert_string_equal(openflow_error_text(type, code, text),
                        "type 6 code 8: group does not exist");
    (void)close(client.fd);
}

/* 10,000 flows: how long until the switch has them, and until it is known
 * that nothing changed. */
static void test_many_flows(void **state)
{
    static struct client client;
    struct plan plan = PLAN_INIT;
    struct timespec start, applied, end;

    (void)state;
    plan.flows = calloc(10000, sizeof(*plan.flows));
    assert_non_null(plan.flows);
    for (uint32_t i = 0; i < 10000; i++) {
        plan.flows[i] =
            (struct flow){.table = 9,
                          .priority = 9,
                          .cookie = flow_cookie(FLOW_KIND_BASE, i),
                          .match = {.fields = FLOW_IN_PORT, .in_port = i + 1}};
    }
    plan.n_flows = 10000;
    client_open(&client, switch_fixture.bridge_path);
    (void)clock_gettime(CLOCK_MONOTONIC, &start);
    apply_plan(&client, &plan);
    (void)clock_gettime(CLOCK_MONOTONIC, &applied);
    expect_nothing_to_do(&client, &plan);
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    print_message("10,000 flows: applied in %.1f ms, dump and diff %.1f ms\n",
                  (double)(applied.tv_sec - start.tv_sec) * 1e3 +
                      (double)(applied.tv_nsec - start.tv_nsec) / 1e6,
                  (double)(end.tv_sec - applied.tv_sec) * 1e3 +
                      (double)(end.tv_nsec - applied.tv_nsec) / 1e6);
    plan_done(&plan);
    plan = (struct plan)PLAN_INIT;
    apply_plan(&client, &plan);
    (void)close(client.fd);
}

static int set_up(void **state)
{
    (void)state;
    ovs_fixture_start(&switch_fixture);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ovs_fixture_stop(&switch_fixture);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plan_comes_back_as_it_was),
        cmocka_unit_test(test_foreign_flows_stay),
        cmocka_unit_test(test_group_of_another_form_is_seen),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_packets_and_ports),
        cmocka_unit_test(test_flush_and_errors),
        cmocka_unit_test(test_many_flows),
    };

    if (!ovs_fixture_can_run()) {
        return OVS_FIXTURE_SKIP;
    }
    return cmocka_run_group_tests_name("openflow_switch", tests, set_up,
                                       tear_down);
}
