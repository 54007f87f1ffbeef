/*
 * The OpenFlow connection against a real ovs-vswitchd: handshake, bundles,
 * dumps, reports of foreign changes, packets in and out, connection flushes,
 * and what a broken peer may send.
 */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

#include "reconcilers/ovs/ofconn.h"
#include "tests/unit/ovs_fixture.h"

#define TIMEOUT_MS 5000

struct seen {
    struct ofconn *conn;
    bool is_connected;
    bool is_closed;
    char why[256];
    int n_flow_changes;
    int n_group_changes;
    int n_port_changes;
    int n_packets;
    uint8_t packet[256];
    size_t packet_size;
    uint32_t packet_port;
    int n_applied;
    int apply_error;
    char apply_text[512];
    int n_dumps;
    int dump_error;
    struct ofconn_dump dump;
    bool close_in_callback;
};

static struct ovs_fixture fixture;

static void on_connected(void *data)
{
    ((struct seen *)data)->is_connected = true;
}

static void on_closed(const char *why, void *data)
{
    struct seen *seen = data;

    assert_false(seen->is_closed);
    seen->is_closed = true;
    (void)snprintf(seen->why, sizeof(seen->why), "%s", why);
}

static void on_changed(bool is_group, void *data)
{
    struct seen *seen = data;

    *(is_group ? &seen->n_group_changes : &seen->n_flow_changes) += 1;
}

static void on_port_changed(void *data)
{
    ((struct seen *)data)->n_port_changes++;
}

static void on_packet(const struct openflow_packet_in *packet, void *data)
{
    struct seen *seen = data;

    seen->n_packets++;
    seen->packet_port = packet->in_port;
    seen->packet_size = MIN_OF(packet->frame_size, sizeof(seen->packet));
    memcpy(seen->packet, packet->frame, seen->packet_size);
}

static void on_applied(int error, const char *text, void *data)
{
    struct seen *seen = data;

    seen->n_applied++;
    seen->apply_error = error;
    (void)snprintf(seen->apply_text, sizeof(seen->apply_text), "%s", text);
    if (seen->close_in_callback) {
        seen->conn = ofconn_close(seen->conn);
    }
}

static void on_dumped(int error, struct ofconn_dump *dump, void *data)
{
    struct seen *seen = data;

    seen->n_dumps++;
    seen->dump_error = error;
    if (error == 0) {
        ofconn_dump_done(&seen->dump);
        seen->dump = *dump;
    } else {
        assert_null(dump);
    }
}

static const struct ofconn_callbacks callbacks = {
    .connected = on_connected,
    .closed = on_closed,
    .changed = on_changed,
    .port_changed = on_port_changed,
    .packet_in = on_packet,
};

/* Runs the connection until *what reaches `value`, or it closes. */
static void run_until(struct seen *seen, const int *what, int value)
{
    while (*what < value && !seen->is_closed) {
        assert_true(ovs_fixture_poll(ofconn_fd(seen->conn),
                                     ofconn_wants(seen->conn), TIMEOUT_MS));
        (void)!ofconn_run(seen->conn);
        if (seen->conn == NULL) {
            return;
        }
    }
}

static void connect_to(struct seen *seen, const char *path)
{
    assert_int_equal(ofconn_open(path, &callbacks, seen, &seen->conn), 0);
    while (!seen->is_connected && !seen->is_closed) {
        assert_true(ovs_fixture_poll(ofconn_fd(seen->conn),
                                     ofconn_wants(seen->conn), TIMEOUT_MS));
        (void)!ofconn_run(seen->conn);
    }
}

static void seen_done(struct seen *seen)
{
    ofconn_dump_done(&seen->dump);
    seen->conn = ofconn_close(seen->conn);
}

/* A flow of ours in table 7 towards one address, with these actions. */
static void make_flow(struct flow *flow, uint8_t last, uint16_t priority,
                      const struct writer *actions)
{
    uint8_t buffer[256];
    struct writer writer = writer_init(buffer, sizeof(buffer));

    *flow = (struct flow){
        .table = 7,
        .priority = priority,
        .cookie = flow_cookie(FLOW_KIND_LOCAL, last),
        .match = {.fields = FLOW_ETH_TYPE | FLOW_NW_DST,
                  .eth_type = 0x0800,
                  .nw_dst = {.address = {.family = 4,
                                         .bytes = {10, 0, 3, last}},
                             .len = 32}},
    };
    (void)snprintf(flow->label, sizeof(flow->label), "local 10.0.3.%u", last);
    openflow_put_apply(&writer, actions->start, writer_size(actions));
    assert_false(writer.failed);
    flow->instructions_size = writer_size(&writer);
    flow->instructions = malloc(flow->instructions_size);
    assert_non_null(flow->instructions);
    memcpy(flow->instructions, buffer, flow->instructions_size);
}

static void make_group(struct group *group, uint32_t id, uint8_t backend)
{
    struct address address = {.family = 4, .bytes = {10, 0, 3, backend}};
    struct openflow_ct ct = {.zone = PLAN_ZONE,
                             .commit = true,
                             .nat = true,
                             .destination = &address,
                             .port = 6379,
                             .table = 7};
    uint8_t actions[128], buffer[256];
    struct writer actions_writer = writer_init(actions, sizeof(actions));
    struct writer writer = writer_init(buffer, sizeof(buffer));

    openflow_put_ct(&actions_writer, &ct);
    openflow_put_bucket(&writer, 1, 100, actions, writer_size(&actions_writer));
    assert_false(actions_writer.failed || writer.failed);
    *group = (struct group){.id = FLOW_GROUP_PREFIX | id,
                            .n_buckets = 1,
                            .buckets_size = writer_size(&writer)};
    (void)snprintf(group->label, sizeof(group->label), "function/redis");
    group->buckets = malloc(group->buckets_size);
    assert_non_null(group->buckets);
    memcpy(group->buckets, buffer, group->buckets_size);
}

static void put_output(struct writer *writer, uint32_t port)
{
    openflow_put_output(writer, port, 0);
}

static int apply(struct seen *seen, const struct diff *diff)
{
    int before = seen->n_applied;

    assert_int_equal(ofconn_apply(seen->conn, diff, on_applied, seen), 0);
    run_until(seen, &seen->n_applied, before + 1);
    assert_int_equal(seen->n_applied, before + 1);
    return seen->apply_error;
}

static void dump(struct seen *seen)
{
    int before = seen->n_dumps;

    assert_int_equal(ofconn_dump(seen->conn, on_dumped, seen), 0);
    run_until(seen, &seen->n_dumps, before + 1);
    assert_int_equal(seen->dump_error, 0);
}

static const struct flow *find_flow(const struct seen *seen, uint64_t cookie)
{
    for (size_t i = 0; i < seen->dump.n_flows; i++) {
        if (seen->dump.flows[i].cookie == cookie) {
            return &seen->dump.flows[i];
        }
    }
    return NULL;
}

static void clear_switch(void)
{
    ovs_fixture_shell("ovs-ofctl -O OpenFlow15 del-flows socket && "
                      "ovs-ofctl -O OpenFlow15 del-groups socket");
}

/* A group, a flow that uses it, a dump with foreign flows, a change, and the
 * removal of both, in bundles that only work in the right order. */
static void test_apply_and_dump(void **state)
{
    uint8_t bytes[64];
    struct writer actions = writer_init(bytes, sizeof(bytes));
    struct seen seen = {0};
    struct flow flow, changed;
    struct group group, regrouped;
    struct diff_flow flow_change = {.op = DIFF_ADD, .wanted = &flow};
    struct diff_group group_change = {.op = DIFF_ADD, .wanted = &group};
    struct diff diff = {&flow_change, 1, &group_change, 1};
    char *text;

    (void)state;
    clear_switch();
    ovs_fixture_shell("ovs-ofctl -O OpenFlow15 add-flow socket "
                      "cookie=0x77,table=3,priority=5,actions=drop");
    connect_to(&seen, fixture.bridge_path);
    make_group(&group, 5, 203);
    make_group(&regrouped, 5, 204);
    openflow_put_group(&actions, group.id);
    make_flow(&flow, 203, 100, &actions);
    actions = writer_init(bytes, sizeof(bytes));
    put_output(&actions, OPENFLOW_PORT_LOCAL);
    make_flow(&changed, 203, 100, &actions);

    assert_int_equal(apply(&seen, &diff), 0);
    dump(&seen);
    assert_int_equal(seen.dump.n_flows, 2);
    assert_non_null(find_flow(&seen, 0x77));
    assert_non_null(find_flow(&seen, flow.cookie));
    assert_true(flow_equal(find_flow(&seen, flow.cookie), &flow));
    assert_int_equal(flow_compare_key(find_flow(&seen, flow.cookie), &flow), 0);
    assert_int_equal(seen.dump.n_groups, 1);
    assert_true(group_equal(&seen.dump.groups[0], &group));
    assert_int_equal(seen.dump.n_ports, 1);
    assert_string_equal(seen.dump.ports[0].name, "socket");
    assert_int_equal(seen.dump.ports[0].number, OPENFLOW_PORT_LOCAL);

    flow_change = (struct diff_flow){DIFF_MODIFY, &changed, &flow};
    group_change = (struct diff_group){DIFF_MODIFY, &regrouped, &group};
    assert_int_equal(apply(&seen, &diff), 0);
    dump(&seen);
    assert_true(flow_equal(find_flow(&seen, flow.cookie), &changed));
    assert_true(group_equal(&seen.dump.groups[0], &regrouped));

    flow_change = (struct diff_flow){DIFF_REMOVE, NULL, &changed};
    group_change = (struct diff_group){DIFF_REMOVE, NULL, &regrouped};
    assert_int_equal(apply(&seen, &diff), 0);
    dump(&seen);
    assert_int_equal(seen.dump.n_flows, 1);
    assert_int_equal(seen.dump.n_groups, 0);
    text = ovs_fixture_output("ovs-ofctl -O OpenFlow15 dump-flows socket");
    assert_non_null(strstr(text, "cookie=0x77"));
    free(text);
    /* Nothing of all that was somebody else's doing. */
    assert_int_equal(seen.n_flow_changes, 0);
    assert_int_equal(seen.n_group_changes, 0);
    flow_done(&flow);
    flow_done(&changed);
    group_done(&group);
    group_done(&regrouped);
    seen_done(&seen);
}

/* One message that the switch refuses: nothing of the bundle happens, and
 * the text says which flow it was. */
static void test_refused_bundle(void **state)
{
    uint8_t bytes[64];
    struct writer actions = writer_init(bytes, sizeof(bytes));
    struct seen seen = {0};
    struct flow good, bad;
    struct diff_flow changes[] = {{DIFF_ADD, &good, NULL},
                                  {DIFF_ADD, &bad, NULL}};
    struct diff diff = {changes, 2, NULL, 0};

    (void)state;
    clear_switch();
    connect_to(&seen, fixture.bridge_path);
    put_output(&actions, OPENFLOW_PORT_LOCAL);
    make_flow(&good, 203, 100, &actions);
    actions = writer_init(bytes, sizeof(bytes));
    openflow_put_group(&actions, 0x12345678); /* no such group */
    make_flow(&bad, 204, 100, &actions);

    assert_int_equal(apply(&seen, &diff), -EBADMSG);
    assert_non_null(strstr(seen.apply_text, "local 10.0.3.204"));
    assert_null(strstr(seen.apply_text, "local 10.0.3.203"));
    dump(&seen);
    assert_int_equal(seen.dump.n_flows, 0);
    /* And the connection is fine. */
    diff.n_flows = 1;
    assert_int_equal(apply(&seen, &diff), 0);
    flow_done(&good);
    flow_done(&bad);
    seen_done(&seen);
}

/* Many flows in one bundle, two bundles and a dump queued at once: more than
 * both sockets' buffers hold. */
static void test_large_bundle(void **state)
{
    enum { N = 20000 };
    uint8_t bytes[64];
    struct writer actions = writer_init(bytes, sizeof(bytes));
    struct seen seen = {0};
    struct flow *flows = calloc(N, sizeof(*flows));
    struct diff_flow *changes = calloc(N, sizeof(*changes));
    struct diff diff = {changes, N, NULL, 0};

    (void)state;
    assert_non_null(flows);
    assert_non_null(changes);
    clear_switch();
    connect_to(&seen, fixture.bridge_path);
    put_output(&actions, OPENFLOW_PORT_LOCAL);
    for (size_t i = 0; i < N; i++) {
        make_flow(&flows[i], (uint8_t)(i % 250), (uint16_t)(i / 250 + 1),
                  &actions);
        changes[i] = (struct diff_flow){DIFF_ADD, &flows[i], NULL};
    }
    assert_int_equal(ofconn_apply(seen.conn, &diff, on_applied, &seen), 0);
    for (size_t i = 0; i < N; i++) {
        changes[i] = (struct diff_flow){DIFF_REMOVE, NULL, &flows[i]};
    }
    diff.n_flows = N / 2;
    assert_int_equal(ofconn_apply(seen.conn, &diff, on_applied, &seen), 0);
    assert_int_equal(ofconn_dump(seen.conn, on_dumped, &seen), 0);
    run_until(&seen, &seen.n_dumps, 1);
    assert_int_equal(seen.n_applied, 2);
    assert_int_equal(seen.apply_error, 0);
    assert_int_equal(seen.dump.n_flows, N / 2);
    for (size_t i = 0; i < N; i++) {
        flow_done(&flows[i]);
    }
    free(flows);
    free(changes);
    seen_done(&seen);
    clear_switch();
}

static void test_foreign_changes(void **state)
{
    struct seen seen = {0};

    (void)state;
    clear_switch();
    connect_to(&seen, fixture.bridge_path);
    ovs_fixture_shell("ovs-ofctl -O OpenFlow15 add-flow socket "
                      "table=7,priority=1,actions=drop");
    run_until(&seen, &seen.n_flow_changes, 1);
    assert_int_equal(seen.n_flow_changes, 1);
    assert_int_equal(seen.n_group_changes, 0);
    ovs_fixture_shell("ovs-ofctl -O OpenFlow15 add-group socket "
                      "group_id=9,type=select,bucket=actions=drop");
    run_until(&seen, &seen.n_group_changes, 1);
    assert_int_equal(seen.n_group_changes, 1);
    ovs_fixture_shell("ovs-ofctl -O OpenFlow15 del-flows socket");
    run_until(&seen, &seen.n_flow_changes, 2);
    assert_int_equal(seen.n_flow_changes, 2);
    ovs_fixture_shell("ip link add of0 type veth peer name of1 && "
                      "ovs-vsctl --timeout=10 add-port socket of0");
    run_until(&seen, &seen.n_port_changes, 1);
    assert_true(seen.n_port_changes > 0);
    ovs_fixture_shell("ovs-vsctl --timeout=10 del-port of0 && "
                      "ip link del of0");
    seen_done(&seen);
}

/* A frame sent out of the bridge's own port comes back by a flow that copies
 * it to us. */
static void test_packets(void **state)
{
    struct seen seen = {0};
    uint8_t frame[60] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0a, 0, 0,
                         0,    0,    1,    0x88, 0xb5, 1,    2,    3};

    (void)state;
    clear_switch();
    ovs_fixture_shell(
        "ip link add of0 type veth peer name of1 && ip link set of0 up && "
        "ip link set of1 up && ovs-vsctl --timeout=10 add-port socket of0 "
        "-- set interface of0 ofport_request=5 "
        "-- add-port socket of1 -- set interface of1 ofport_request=6 && "
        "ovs-ofctl -O OpenFlow15 add-flow socket "
        "'table=0,in_port=6,dl_type=0x88b5,actions=controller:65535'");
    connect_to(&seen, fixture.bridge_path);
    assert_int_equal(ofconn_packet_out(seen.conn, 5, frame, sizeof(frame)), 0);
    run_until(&seen, &seen.n_packets, 1);
    assert_int_equal(seen.packet_port, 6);
    assert_int_equal(seen.packet_size, sizeof(frame));
    assert_memory_equal(seen.packet, frame, sizeof(frame));
    ovs_fixture_shell("ovs-vsctl --timeout=10 del-port of0 -- "
                      "del-port of1 && ip link del of0");
    seen_done(&seen);
    clear_switch();
}

/* Two tracked connections; one is forgotten. */
static void test_flush(void **state)
{
    struct address service = {.family = 4, .bytes = {100, 80, 1, 1}};
    struct address backend = {.family = 4, .bytes = {10, 0, 3, 203}};
    struct seen seen = {0};
    char *before, *after;

    (void)state;
    clear_switch();
    connect_to(&seen, fixture.bridge_path);
    ovs_fixture_shell(
        "ovs-ofctl -O OpenFlow15 add-flow socket "
        "'table=0,udp,tp_dst=1,actions=ct(commit,zone=70,nat(dst=10.0.3.203:"
        "6379))' && ovs-ofctl -O OpenFlow15 add-flow socket "
        "'table=0,udp,tp_dst=2,actions=ct(commit,zone=70,nat(dst=10.0.3.204:"
        "6379))'");
    for (int port = 1; port <= 2; port++) {
        ovs_fixture_shell(
            "ovs-ofctl -O OpenFlow15 packet-out socket "
            "'in_port=controller packet=ffffffffffff0a00000000010800"
            "4500001c000040004011c87e"
            "0a0003026450010104d2000%d00080000 actions=table'",
            port);
    }
    before = ovs_fixture_output(
        "ovs-appctl -t $OVS_RUNDIR/vswitchd.ctl dpctl/dump-conntrack");
    assert_non_null(strstr(before, "src=10.0.3.203"));
    assert_non_null(strstr(before, "src=10.0.3.204"));
    assert_int_equal(
        ofconn_flush_connections(seen.conn, &service, &backend, 17), 0);
    dump(&seen); /* requests are carried out in order */
    after = ovs_fixture_output(
        "ovs-appctl -t $OVS_RUNDIR/vswitchd.ctl dpctl/dump-conntrack");
    assert_null(strstr(after, "src=10.0.3.203"));
    assert_non_null(strstr(after, "src=10.0.3.204"));
    free(before);
    free(after);
    seen_done(&seen);
    clear_switch();
}

/* Closing from inside a callback, and with requests on their way. */
static void test_close_in_callback(void **state)
{
    struct seen seen = {.close_in_callback = true};
    struct diff diff = DIFF_INIT;

    (void)state;
    connect_to(&seen, fixture.bridge_path);
    assert_int_equal(ofconn_apply(seen.conn, &diff, on_applied, &seen), 0);
    assert_int_equal(ofconn_apply(seen.conn, &diff, on_applied, &seen), 0);
    assert_int_equal(ofconn_dump(seen.conn, on_dumped, &seen), 0);
    run_until(&seen, &seen.n_applied, 2);
    assert_null(seen.conn);
    assert_int_equal(seen.n_applied, 1);
    assert_int_equal(seen.apply_error, 0);
    assert_int_equal(seen.n_dumps, 0);
}

/* kill -9 of the switch with a request queued, and its return. */
static void test_restart(void **state)
{
    struct seen seen = {0}, again = {0};
    struct diff diff = DIFF_INIT;
    int error = -ENOENT;

    (void)state;
    connect_to(&seen, fixture.bridge_path);
    ovs_fixture_kill_vswitchd(&fixture);
    assert_int_equal(ofconn_apply(seen.conn, &diff, on_applied, &seen), 0);
    run_until(&seen, &seen.n_applied, 1);
    assert_int_equal(seen.apply_error, -ECONNRESET);
    assert_true(seen.is_closed);
    assert_int_equal(ofconn_run(seen.conn), -ECONNRESET);
    assert_int_equal(ofconn_apply(seen.conn, &diff, on_applied, &seen),
                     -ENOTCONN);
    seen_done(&seen);
    assert_true(
        ofconn_open(fixture.bridge_path, &callbacks, &again, &again.conn) < 0);
    ovs_fixture_start_vswitchd(&fixture);
    for (int i = 0; error != 0 && i < 1000; i++) {
        (void)poll(NULL, 0, 10);
        error =
            ofconn_open(fixture.bridge_path, &callbacks, &again, &again.conn);
    }
    assert_int_equal(error, 0);
    dump(&again);
    assert_true(again.is_connected);
    seen_done(&again);
}

/* --- A peer of our own, that may say anything. --- */

struct peer {
    char path[80];
    int listener;
    int fd;
};

static void peer_accept(struct peer *peer, struct seen *seen)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    (void)snprintf(peer->path, sizeof(peer->path), "%s/peer", fixture.folder);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s",
                   peer->path);
    (void)unlink(peer->path);
    peer->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(
        bind(peer->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(peer->listener, 1), 0);
    assert_int_equal(ofconn_open(peer->path, &callbacks, seen, &seen->conn), 0);
    peer->fd = accept(peer->listener, NULL, NULL);
    assert_true(peer->fd >= 0);
}

static void peer_done(struct peer *peer)
{
    (void)close(peer->fd);
    (void)close(peer->listener);
    (void)unlink(peer->path);
}

static void peer_say(struct peer *peer, struct seen *seen, const void *bytes,
                     size_t size)
{
    assert_int_equal(write(peer->fd, bytes, size), (ssize_t)size);
    (void)!ofconn_run(seen->conn);
}

static void test_hostile_peer(void **state)
{
    static const uint8_t hello[] = {6, 0, 0, 16, 0, 0, 0, 1,
                                    0, 1, 0, 8,  0, 0, 0, 0x40};
    static const uint8_t old_hello[] = {6, 0, 0, 16, 0, 0, 0, 1,
                                        0, 1, 0, 8,  0, 0, 0, 0x10};
    static const uint8_t odd_hello[] = {6, 0, 0, 16, 0, 0, 0, 1,
                                        0, 9, 0, 0,  0, 0, 0, 0x40};
    static const uint8_t lower[] = {4, 0, 0, 8, 0, 0, 0, 1};
    static const uint8_t refusal[] = {6, 1, 0, 12, 0, 0, 0, 1, 0, 0, 0, 0};
    static const uint8_t echo[] = {6, 2, 0, 12, 0, 0, 0, 9, 'a', 'b', 'c', 'd'};
    static const uint8_t short_length[] = {6, 2, 0, 7, 0, 0, 0, 9};
    static const uint8_t short_packet[] = {6, 10, 0, 16, 0, 0, 0, 0,
                                           0, 0,  0, 0,  0, 0, 0, 0};
    static const struct {
        const uint8_t *bytes;
        size_t size;
        bool is_greeted;
        const char *why;
    } cases[] = {
        {old_hello, sizeof(old_hello), false, "OpenFlow 1.5"},
        {lower, sizeof(lower), false, "OpenFlow 1.5"},
        {refusal, sizeof(refusal), false, "OpenFlow 1.5"},
        {echo, sizeof(echo), false, "OpenFlow 1.5"},
        {refusal, sizeof(refusal), true, "refuses"},
        {short_length, sizeof(short_length), true, "wrong length"},
        {short_packet, sizeof(short_packet), true, "malformed"},
        {lower, sizeof(lower), true, "another OpenFlow version"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct seen seen = {0};
        struct peer peer = {0};

        peer_accept(&peer, &seen);
        if (cases[i].is_greeted) {
            peer_say(&peer, &seen, hello, sizeof(hello));
            assert_false(seen.is_closed);
        }
        peer_say(&peer, &seen, cases[i].bytes, cases[i].size);
        assert_true(seen.is_closed);
        assert_non_null(strstr(seen.why, cases[i].why));
        seen_done(&seen);
        peer_done(&peer);
    }
    for (size_t i = 0; i < sizeof(echo); i++) {
        struct seen seen = {0};
        struct peer peer = {0};
        uint8_t answer[512];
        ssize_t n;

        /* In two pieces, cut anywhere. */
        peer_accept(&peer, &seen);
        peer_say(&peer, &seen, i % 2 == 0 ? hello : odd_hello, sizeof(hello));
        assert_true(read(peer.fd, answer, sizeof(answer)) > 0);
        peer_say(&peer, &seen, echo, i);
        peer_say(&peer, &seen, echo + i, sizeof(echo) - i);
        n = recv(peer.fd, answer, sizeof(answer), MSG_DONTWAIT);
        assert_true(n >= 12);
        assert_memory_equal(answer + n - 12, "\6\3\0\14\0\0\0\11abcd", 12);
        seen_done(&seen);
        peer_done(&peer);
    }
}

static int setup(void **state)
{
    (void)state;
    ovs_fixture_start(&fixture);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ovs_fixture_stop(&fixture);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_apply_and_dump),
        cmocka_unit_test(test_refused_bundle),
        cmocka_unit_test(test_large_bundle),
        cmocka_unit_test(test_foreign_changes),
        cmocka_unit_test(test_packets),
        cmocka_unit_test(test_flush),
        cmocka_unit_test(test_close_in_callback),
        cmocka_unit_test(test_hostile_peer),
        cmocka_unit_test(test_restart),
    };

    if (!ovs_fixture_can_run()) {
        return OVS_FIXTURE_SKIP;
    }
    return cmocka_run_group_tests(tests, setup, teardown);
}
