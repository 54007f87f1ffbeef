/*
 * The OpenFlow connection against a peer that the test plays itself: what it
 * sends, to the byte and in which order, and what it makes of every answer.
 * Against a real switch: test_ofconn.c.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "gossip/base/text.h"
#include "reconcilers/ovs/ofconn.h"
#include "reconcilers/ovs/ofconn_private.h"
#include "tests/unit/heap.h"

#define FLAGS (OPENFLOW_BUNDLE_ATOMIC | OPENFLOW_BUNDLE_ORDERED)

enum event {
    EVENT_NONE,
    EVENT_CONNECTED,
    EVENT_CLOSED,
    EVENT_FLOWS,
    EVENT_GROUPS,
    EVENT_PORTS,
    EVENT_PACKET,
    EVENT_APPLIED,
    EVENT_DUMPED,
    N_EVENTS,
};

struct world {
    char folder[32];
    struct sockaddr_un address;
    int listener;
    int fd; /* the peer's end */
    struct ofconn *conn;
    int n[N_EVENTS];
    enum event close_in; /* NONE: in none */
    char why[256];
    int apply_error;
    char apply_text[1024];
    int dump_error;
    struct ofconn_dump dump;
    struct openflow_packet_in packet;
};

static struct world world;

static void happen(enum event event)
{
    world.n[event]++;
    if (world.close_in == event) {
        world.conn = ofconn_close(world.conn);
    }
}

static void on_connected(void *data)
{
    assert_ptr_equal(data, &world);
    happen(EVENT_CONNECTED);
}

static void on_closed(const char *why, void *data)
{
    assert_ptr_equal(data, &world);
    (void)snprintf(world.why, sizeof(world.why), "%s", why);
    happen(EVENT_CLOSED);
}

static void on_changed(bool is_group, void *data)
{
    assert_ptr_equal(data, &world);
    happen(is_group ? EVENT_GROUPS : EVENT_FLOWS);
}

static void on_port_changed(void *data)
{
    assert_ptr_equal(data, &world);
    happen(EVENT_PORTS);
}

static void on_packet(const struct openflow_packet_in *packet, void *data)
{
    assert_ptr_equal(data, &world);
    world.packet = *packet;
    happen(EVENT_PACKET);
}

static void on_applied(int error, const char *text, void *data)
{
    assert_ptr_equal(data, &world);
    world.apply_error = error;
    (void)snprintf(world.apply_text, sizeof(world.apply_text), "%s", text);
    happen(EVENT_APPLIED);
}

static void on_dumped(int error, struct ofconn_dump *dump, void *data)
{
    assert_ptr_equal(data, &world);
    world.dump_error = error;
    assert_int_equal(dump == NULL, error != 0);
    if (dump != NULL) {
        world.dump = *dump;
    }
    happen(EVENT_DUMPED);
}

static const struct ofconn_callbacks callbacks = {
    .connected = on_connected,
    .closed = on_closed,
    .changed = on_changed,
    .port_changed = on_port_changed,
    .packet_in = on_packet,
};

static int setup(void **state)
{
    (void)state;
    world = (struct world){.folder = "/tmp/test_ofconn_peer.XXXXXX",
                           .address.sun_family = AF_UNIX,
                           .fd = -1};
    assert_non_null(mkdtemp(world.folder));
    (void)snprintf(world.address.sun_path, sizeof(world.address.sun_path),
                   "%s/mgmt", world.folder);
    world.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(world.listener,
                          (const struct sockaddr *)&world.address,
                          sizeof(world.address)),
                     0);
    assert_int_equal(listen(world.listener, 4), 0);
    return 0;
}

static void hang_up(void)
{
    if (world.fd >= 0) {
        assert_int_equal(close(world.fd), 0);
        world.fd = -1;
    }
}

static int teardown(void **state)
{
    (void)state;
    (void)heap_off();
    world.conn = ofconn_close(world.conn);
    ofconn_dump_done(&world.dump);
    hang_up();
    (void)close(world.listener);
    (void)unlink(world.address.sun_path);
    (void)rmdir(world.folder);
    return 0;
}

/* --- The peer. --- */

static void say_bytes(const void *bytes, size_t size)
{
    assert_int_equal(send(world.fd, bytes, size, MSG_DONTWAIT), (ssize_t)size);
}

static void say(const char *hex)
{
    uint8_t bytes[1024];
    size_t size = strlen(hex) / 2;

    assert_true(size <= sizeof(bytes));
    assert_int_equal(text_to_bytes(hex, strlen(hex), bytes, size), 0);
    say_bytes(bytes, size);
}

static void turn(int expected)
{
    assert_int_equal(ofconn_run(world.conn), expected);
}

/* What it sent next is this. */
static void hear_bytes(const void *bytes, size_t size)
{
    uint8_t *heard = malloc(size);

    assert_non_null(heard);
    assert_int_equal(recv(world.fd, heard, size, MSG_DONTWAIT), (ssize_t)size);
    assert_memory_equal(heard, bytes, size);
    free(heard);
}

static void hear(const char *hex)
{
    uint8_t bytes[1024];
    size_t size = strlen(hex) / 2;

    assert_true(size <= sizeof(bytes));
    assert_int_equal(text_to_bytes(hex, strlen(hex), bytes, size), 0);
    hear_bytes(bytes, size);
}

static void hear_writer(const struct writer *writer)
{
    assert_false(writer->failed);
    hear_bytes(writer->start, writer_size(writer));
}

static void hear_nothing(void)
{
    uint8_t byte;

    assert_int_equal(recv(world.fd, &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
}

static void open_with(const struct ofconn_callbacks *functions)
{
    assert_int_equal(
        ofconn_open(world.address.sun_path, functions, &world, &world.conn), 0);
    hang_up();
    world.fd = accept(world.listener, NULL, NULL);
    assert_true(world.fd >= 0);
    memset(world.n, 0, sizeof(world.n));
}

/* Hellos of both, the settings, and a barrier that ends them. */
static void greet(void)
{
    uint8_t bytes[512];
    struct writer writer = writer_init(bytes, sizeof(bytes));

    turn(0);
    hear("06000010000000010001000800000040");
    say("06000010000000ff0001000800000040");
    turn(0);
    hear("0605000800000002");
    openflow_put_set_config(&writer, 3);
    openflow_put_set_async(&writer, 4);
    openflow_put_flow_monitor_request(&writer, 5, 1);
    hear_writer(&writer);
    hear("0614000800000006");
    hear_nothing();
}

static void make_ready(void)
{
    open_with(&callbacks);
    greet();
    say("0615000800000006");
    turn(0);
    assert_int_equal(world.n[EVENT_CONNECTED], 1);
    hear_nothing();
}

static void assert_ended(const char *why)
{
    assert_int_equal(world.n[EVENT_CLOSED], 1);
    if (strstr(world.why, why) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", world.why, why);
    }
    /* Once, and for good. */
    assert_true(ofconn_run(world.conn) < 0);
    assert_int_equal(world.n[EVENT_CLOSED], 1);
    assert_int_equal(ofconn_dump(world.conn, on_dumped, &world), -ENOTCONN);
    world.conn = ofconn_close(world.conn);
}

/* --- The handshake. --- */

static void test_handshake(void **state)
{
    (void)state;
    open_with(&callbacks);
    assert_int_equal(ofconn_wants(world.conn), POLLIN | POLLOUT);
    greet();
    assert_int_equal(ofconn_wants(world.conn), POLLIN);
    assert_int_equal(ofconn_dump(world.conn, on_dumped, &world), 0);
    assert_int_equal(ofconn_wants(world.conn), POLLIN); /* not yet */
    /* Its features, and another barrier. */
    say("0606000800000002"
        "0615000800000005"
        "0614000800000006");
    turn(0);
    assert_int_equal(world.n[EVENT_CONNECTED], 0);
    hear_nothing();
    say("0615000800000006");
    turn(0);
    assert_int_equal(world.n[EVENT_CONNECTED], 1);
    hear("06120018000000"
         "07000d000000000000ffffffff00000000");
    say("0615000800000006");
    turn(0);
    assert_int_equal(world.n[EVENT_CONNECTED], 1);
    assert_int_equal(ofconn_wants(world.conn), POLLIN);
    assert_int_equal(channel_send(&world.conn->channel, "\6", 1), 0);
    assert_int_equal(ofconn_wants(world.conn), POLLIN | POLLOUT);
}

static void test_hellos(void **state)
{
    static const struct {
        const char *hex;
        bool is_good;
    } cases[] = {
        {"0600000800000001", true}, /* no bitmap: the lower of both */
        {"0700000800000001", true},
        {"0500000800000001", false},
        {"05000010000000010001000800000050", true}, /* the bitmap counts */
        {"06000010000000010001000800000020", false},
        {"06000010000000010001000800000080", false},
        {"0500001000000001"
         "0001000700000040",
         false}, /* too short for one */
        {"0500001000000001"
         "0002000800000040",
         false}, /* of another kind */
        /* Others before it, padded to 8 bytes. */
        {"05000018000000010002000800000000"
         "0001000800000040",
         true},
        {"05000020000000010002000900000000"
         "0000000000000000"
         "0001000800000040",
         true},
        {"05000020000000010002001000000000"
         "0000000000000000"
         "0001000800000040",
         true},
        {"05000018000000010002000900000000"
         "0001000800000040",
         false},
        {"0500000f0000000100010008000000", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        open_with(&callbacks);
        say(cases[i].hex);
        if (ofconn_run(world.conn) != (cases[i].is_good ? 0 : -EPROTO)) {
            fail_msg("hello %s", cases[i].hex);
        }
        assert_int_equal(world.n[EVENT_CLOSED], !cases[i].is_good);
        world.conn = ofconn_close(world.conn);
    }
    /* Something else instead of one. */
    open_with(&callbacks);
    say("0602000800000001");
    turn(-EPROTO);
    assert_ended("does not speak OpenFlow 1.5");
    open_with(&callbacks);
    say("060100080000000100000000");
    turn(-EBADMSG);
    assert_ended("malformed error message");
    open_with(&callbacks);
    say("0101000c0000000100000000"); /* its words, whatever its version */
    turn(-EPROTO);
    assert_ended("protocols column): type 0 code 0");
    open_with(&callbacks);
    greet();
    say("0601000c0000000500010001");
    turn(-EPROTO);
    assert_ended("refuses to report changes: type 1 code 1");
}

/* --- Unasked messages. --- */

static void test_unasked(void **state)
{
    (void)state;
    make_ready();
    say("0602000b00000009616263"
        "060200080000000a");
    turn(0);
    hear("0603000b00000009616263"
         "060300080000000a");
    /* An answer to what needs none; what is of no use. */
    say("0601000c0000000900010001"
        "0606000800000009"
        "060b000800000009");
    turn(0);
    assert_int_equal(world.n[EVENT_PORTS], 0);
    say("060c000800000000"
        "060c000800000000");
    turn(0);
    assert_int_equal(world.n[EVENT_PORTS], 1); /* once for both */
    turn(0);
    assert_int_equal(world.n[EVENT_PORTS], 1);
    say("0620000800000000");
    turn(0);
    turn(0);
    assert_int_equal(world.n[EVENT_GROUPS], 1);
    assert_int_equal(world.n[EVENT_FLOWS], 0);
    /* Flows: our own change, then another's with more of ours. */
    say("06130018000000050010000000000000"
        "0008000400000001");
    turn(0);
    assert_int_equal(world.n[EVENT_FLOWS], 0);
    say("06130028000000050010000000000000"
        "0008000400000001"
        "0008000100000000"
        "0008000400000001");
    turn(0);
    turn(0);
    assert_int_equal(world.n[EVENT_FLOWS], 1);
    assert_int_equal(world.n[EVENT_GROUPS], 1);
    /* Of a dump that nobody waits for, and no flow update at all. */
    say("06130018000000070001000000000000"
        "0007000100000001");
    turn(0);
    say("060a002c00000000ffffffff000200097365636f6e640007"
        "0001000c80000004000000050000000000006162");
    turn(0);
    assert_int_equal(world.n[EVENT_PACKET], 1);
    assert_int_equal(world.packet.in_port, 5);
    assert_int_equal(world.n[EVENT_FLOWS], 1);
    assert_int_equal(world.n[EVENT_CONNECTED], 1);
    hear_nothing();
}

static void test_broken_messages(void **state)
{
    static const struct {
        const char *hex, *why;
    } cases[] = {
        {"0601000b00000009000100", "malformed error message"},
        {"0613000f00000005001000000000"
         "00",
         "malformed multipart reply"},
        {"06130018000000050010000000000000"
         "0007000100000001",
         "malformed flow update"},
        {"060a000900000000ff", "malformed packet-in"},
        {"0602000700000000", "message with a wrong length"},
        {"0502000800000000", "message of another OpenFlow version"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        make_ready();
        say(cases[i].hex);
        assert_true(ofconn_run(world.conn) < 0);
        assert_ended(cases[i].why);
    }
}

/* --- Packets, flushes. --- */

static void test_packet_out(void **state)
{
    static uint8_t frame[70000];
    uint8_t actions[16], bytes[2048];
    struct writer action = writer_init(actions, sizeof(actions));
    struct writer writer = writer_init(bytes, sizeof(bytes));
    size_t n = 0;
    int error;

    (void)state;
    open_with(&callbacks);
    greet();
    assert_int_equal(ofconn_packet_out(world.conn, 5, frame, 1), -ENOTCONN);
    world.conn = ofconn_close(world.conn);
    make_ready();
    memset(frame, 0x77, sizeof(frame));
    openflow_put_output(&action, 5, 0);
    openflow_put_packet_out(&writer, 7, OPENFLOW_PORT_CONTROLLER, actions,
                            sizeof(actions), frame, 976);
    assert_int_equal(writer_size(&writer), 1024);
    /* A megabyte may wait, and what is begun below it. */
    while ((error = ofconn_packet_out(world.conn, 5, frame, 976)) == 0) {
        n++;
        assert_true(n < 2000);
    }
    assert_int_equal(error, -EAGAIN);
    assert_int_equal(n, 1025);
    turn(0);
    hear_writer(&writer);
    /* A message has 65535 bytes. */
    world.conn = ofconn_close(world.conn);
    make_ready();
    assert_int_equal(ofconn_packet_out(world.conn, 5, frame, 65535 - 48 + 1),
                     -EMSGSIZE);
    turn(0);
    hear_nothing();
    assert_int_equal(ofconn_packet_out(world.conn, 5, frame, 65535 - 48), 0);
    turn(0);
}

static void test_flush(void **state)
{
    struct address service, backend;
    uint8_t bytes[256];
    struct writer writer = writer_init(bytes, sizeof(bytes));

    (void)state;
    assert_int_equal(address_parse("100.80.0.1", &service), 0);
    assert_int_equal(address_parse("10.0.2.3", &backend), 0);
    open_with(&callbacks);
    greet();
    /* In turn: what waits for no answer does not hold up what follows. */
    assert_int_equal(
        ofconn_flush_connections(world.conn, &service, &backend, 17), 0);
    assert_int_equal(
        ofconn_flush_connections(world.conn, &service, &backend, 6), 0);
    assert_int_equal(ofconn_dump(world.conn, on_dumped, &world), 0);
    turn(0);
    hear_nothing();
    say("0615000800000006");
    turn(0);
    openflow_put_ct_flush(&writer, 7, PLAN_ZONE, &service, &backend, 17);
    openflow_put_ct_flush(&writer, 8, PLAN_ZONE, &service, &backend, 6);
    hear_writer(&writer);
    hear("0612001800000009000d000000000000ffffffff00000000");
    hang_up();
    turn(-ECONNRESET);
    assert_int_equal(world.n[EVENT_DUMPED], 1);
    assert_int_equal(
        ofconn_flush_connections(world.conn, &service, &backend, 6), -ENOTCONN);
    assert_ended("ovs-vswitchd closed the connection");
}

/* --- Bundles. --- */

static struct flow make_flow(uint8_t table, const char *label)
{
    struct flow flow = {.table = table, .priority = 5, .cookie = 0x77};

    (void)snprintf(flow.label, sizeof(flow.label), "%s", label);
    return flow;
}

static void hear_control(uint32_t xid, uint32_t id, uint16_t type)
{
    uint8_t bytes[64];
    struct writer writer = writer_init(bytes, sizeof(bytes));

    openflow_put_bundle_control(&writer, xid, id, type, FLAGS);
    hear_writer(&writer);
}

static void hear_barrier(uint32_t xid)
{
    uint8_t bytes[64];
    struct writer writer = writer_init(bytes, sizeof(bytes));

    openflow_put_simple(&writer, OPENFLOW_BARRIER_REQUEST, xid, NULL, 0);
    hear_writer(&writer);
}

/* A flow or a group as a part of the bundle. */
static void hear_add(uint32_t xid, uint32_t id, const struct flow *flow,
                     const struct group *group, enum openflow_command command)
{
    uint8_t inner_bytes[256], bytes[512];
    struct writer inner = writer_init(inner_bytes, sizeof(inner_bytes));
    struct writer writer = writer_init(bytes, sizeof(bytes));

    if (flow != NULL) {
        openflow_put_flow_mod(&inner, xid, command, flow);
    } else {
        openflow_put_group_mod(&inner, xid, command, group);
    }
    openflow_put_bundle_add(&writer, xid, id, FLAGS, inner_bytes,
                            writer_size(&inner));
    hear_writer(&writer);
}

static void reply(uint8_t type, uint32_t xid)
{
    uint8_t bytes[64];
    struct writer writer = writer_init(bytes, sizeof(bytes));

    openflow_put_simple(&writer, type, xid, NULL, 0);
    say_bytes(bytes, writer_size(&writer));
}

static void refuse(uint32_t xid, uint16_t type, uint16_t code)
{
    uint8_t body[4] = {(uint8_t)(type >> 8), (uint8_t)type,
                       (uint8_t)(code >> 8), (uint8_t)code};
    uint8_t bytes[64];
    struct writer writer = writer_init(bytes, sizeof(bytes));

    openflow_put_simple(&writer, OPENFLOW_ERROR, xid, body, sizeof(body));
    say_bytes(bytes, writer_size(&writer));
}

static void ask_to_apply(const struct diff *diff)
{
    assert_int_equal(ofconn_apply(world.conn, diff, on_applied, &world), 0);
    assert_int_equal(ofconn_wants(world.conn), POLLIN | POLLOUT);
    turn(0);
    assert_int_equal(ofconn_wants(world.conn), POLLIN);
}

/* Groups before what uses them, removals of flows before others come in their
 * place, conflicts never. */
static void test_bundle(void **state)
{
    struct flow flows[] = {make_flow(1, "added"), make_flow(2, "changed"),
                           make_flow(3, "removed"), make_flow(4, "foreign")};
    struct group groups[] = {{.id = 1}, {.id = 2}, {.id = 3}, {.id = 4}};
    struct diff_flow flow_changes[] = {{DIFF_ADD, &flows[0], NULL},
                                       {DIFF_MODIFY, &flows[1], &flows[0]},
                                       {DIFF_REMOVE, NULL, &flows[2]},
                                       {DIFF_CONFLICT, &flows[3], &flows[0]}};
    struct diff_group group_changes[] = {
        {DIFF_REMOVE, NULL, &groups[0]},
        {DIFF_ADD, &groups[1], NULL},
        {DIFF_MODIFY, &groups[2], &groups[1]},
        {DIFF_CONFLICT, &groups[3], &groups[0]}};
    struct diff diff = {flow_changes, 4, group_changes, 4};

    (void)state;
    make_ready();
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t xid = 7 + 9 * i, id = 1 + i;

        ask_to_apply(&diff);
        hear_control(xid, id, OPENFLOW_BUNDLE_OPEN);
        hear_add(xid + 1, id, NULL, &groups[1], OPENFLOW_ADD);
        hear_add(xid + 2, id, NULL, &groups[2], OPENFLOW_MODIFY);
        hear_add(xid + 3, id, &flows[2], NULL, OPENFLOW_DELETE_STRICT);
        hear_add(xid + 4, id, &flows[0], NULL, OPENFLOW_ADD);
        hear_add(xid + 5, id, &flows[1], NULL, OPENFLOW_MODIFY_STRICT);
        hear_add(xid + 6, id, NULL, &groups[0], OPENFLOW_GROUP_DELETE);
        hear_barrier(xid + 7);
        hear_nothing();
        reply(OPENFLOW_BUNDLE_CONTROL, xid);
        reply(OPENFLOW_BUNDLE_CONTROL, 0);
        reply(OPENFLOW_BARRIER_REPLY, 6);
        turn(0);
        hear_nothing();
        reply(OPENFLOW_BARRIER_REPLY, xid + 7);
        turn(0);
        hear_control(xid + 8, id, OPENFLOW_BUNDLE_COMMIT);
        reply(OPENFLOW_BUNDLE_CONTROL, xid);
        turn(0);
        assert_int_equal(world.n[EVENT_APPLIED], i);
        reply(OPENFLOW_BUNDLE_CONTROL, xid + 8);
        turn(0);
        assert_int_equal(world.n[EVENT_APPLIED], 1 + i);
        assert_int_equal(world.apply_error, 0);
        assert_string_equal(world.apply_text, "");
    }
    /* Nobody has to be told. */
    assert_int_equal(
        ofconn_apply(world.conn, &(struct diff)DIFF_INIT, NULL, NULL), 0);
    turn(0);
    hear_control(25, 3, OPENFLOW_BUNDLE_OPEN);
    hear_barrier(26);
    reply(OPENFLOW_BARRIER_REPLY, 26);
    turn(0);
    hear_control(27, 3, OPENFLOW_BUNDLE_COMMIT);
    reply(OPENFLOW_BUNDLE_CONTROL, 27);
    turn(0);
    assert_int_equal(world.n[EVENT_APPLIED], 2);
}

/* The first three refusals are told, by what they were about. */
static void test_refusals(void **state)
{
    struct flow flows[40];
    struct diff_flow changes[40];
    struct group group = {.id = 0x5e000001, .label = "redis"};
    struct diff_group group_change = {DIFF_ADD, &group, NULL};
    struct diff diff = {changes, 40, &group_change, 1};

    (void)state;
    for (uint8_t i = 0; i < 40; i++) {
        flows[i] = make_flow(i, "one");
        changes[i] = (struct diff_flow){DIFF_ADD, &flows[i], NULL};
    }
    make_ready();
    ask_to_apply(&diff);
    /* 7 opens, 8 is the group, 9 to 48 the flows, 49 the barrier. */
    refuse(6, 1, 1); /* nothing of it */
    refuse(0, 1, 1);
    refuse(8, 6, 3);
    refuse(9, 2, 9);
    refuse(48, 77, 78);
    refuse(47, 5, 1);
    turn(0);
    reply(OPENFLOW_BARRIER_REPLY, 49);
    turn(0);
    /* Refused in its turn: that is the end of it too. */
    refuse(50, 17, 2);
    turn(0);
    assert_int_equal(world.n[EVENT_APPLIED], 1);
    assert_int_equal(world.apply_error, -EBADMSG);
    assert_string_equal(
        world.apply_text,
        "group 0x5e000001 redis: type 6 code 3: no room for more groups; "
        "flow table 0 priority 5 cookie 0x77 one: type 2 code 9: a flow names "
        "a group that does not exist; "
        "flow table 39 priority 5 cookie 0x77 one: type 77 code 78");
    assert_int_equal(world.n[EVENT_CLOSED], 0);
}

/* What is said of a bundle as a whole, when nothing else was. */
static void test_refused_control(void **state)
{
    static const struct {
        uint32_t first; /* refused before the barrier; 0: none */
        bool is_discarded;
        const char *text;
    } cases[] = {
        {0, false, "bundle: type 17 code 11: a message of the bundle failed"},
        {7, true, "bundle: type 2 code 4: an output port does not exist"},
        {8, true,
         "flow table 3 priority 5 cookie 0x77 one: type 2 code 4: an output "
         "port does not exist"},
        {9, true, "bundle: type 2 code 4: an output port does not exist"},
    };
    struct flow flow = make_flow(3, "one");
    struct diff_flow change = {DIFF_ADD, &flow, NULL};
    struct diff diff = {&change, 1, NULL, 0};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        make_ready();
        ask_to_apply(&diff);
        hear_control(7, 1, OPENFLOW_BUNDLE_OPEN);
        hear_add(8, 1, &flow, NULL, OPENFLOW_ADD);
        hear_barrier(9);
        if (cases[i].first != 0) {
            refuse(cases[i].first, 2, 4);
        }
        turn(0);
        reply(OPENFLOW_BARRIER_REPLY, 9);
        turn(0);
        hear_control(10, 1,
                     cases[i].is_discarded ? OPENFLOW_BUNDLE_DISCARD
                                           : OPENFLOW_BUNDLE_COMMIT);
        assert_int_equal(world.n[EVENT_APPLIED], 0);
        if (cases[i].is_discarded) {
            reply(OPENFLOW_BUNDLE_CONTROL, 10);
        } else {
            refuse(10, 17, 11);
        }
        turn(0);
        assert_int_equal(world.n[EVENT_APPLIED], 1);
        assert_int_equal(world.apply_error, -EBADMSG);
        assert_string_equal(world.apply_text, cases[i].text);
        world.conn = ofconn_close(world.conn);
    }
    /* An error that is none. */
    make_ready();
    ask_to_apply(&diff);
    say("060100080000000800000000");
    turn(-EBADMSG);
    assert_int_equal(world.apply_error, -ECONNRESET);
    assert_string_equal(world.apply_text, "connection to ovs-vswitchd lost");
    assert_ended("malformed answer of the switch");
}

/* Long words are cut at the end of the text, and not behind it. */
static void test_long_refusals(void **state)
{
    struct flow flow = make_flow(
        255, "123456789012345678901234567890123456789012345678901234567890123");
    struct diff_flow changes[3];
    struct diff diff = {changes, 3, NULL, 0};

    (void)state;
    flow.cookie = UINT64_MAX;
    flow.priority = UINT16_MAX;
    for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
        changes[i] = (struct diff_flow){DIFF_ADD, &flow, NULL};
    }
    make_ready();
    ask_to_apply(&diff);
    for (uint32_t xid = 8; xid <= 10; xid++) {
        refuse(xid, 0, 0);
    }
    turn(0);
    reply(OPENFLOW_BARRIER_REPLY, 11);
    turn(0);
    reply(OPENFLOW_BUNDLE_CONTROL, 12);
    turn(0);
    assert_int_equal(world.n[EVENT_APPLIED], 1);
    assert_int_equal(strlen(world.apply_text), 511);
}

/* What does not fit into a message is refused here, as a whole. */
static void test_large_parts(void **state)
{
    static uint8_t bytes[70000];
    struct flow flow = make_flow(3, "large");
    struct group group = {.id = 1, .buckets = bytes};
    struct diff_flow flow_change = {DIFF_ADD, &flow, NULL};
    struct diff_group group_change = {DIFF_ADD, &group, NULL};
    struct diff flows = {&flow_change, 1, NULL, 0};
    struct diff groups = {NULL, 0, &group_change, 1};

    (void)state;
    make_ready();
    flow.instructions = bytes;
    /* 16 around it, 56 of its own. */
    flow.instructions_size = 65535 - 16 - 56 + 1;
    group.buckets_size = 65535 - 16 - 24 - 40 + 1;
    assert_int_equal(ofconn_apply(world.conn, &flows, on_applied, &world),
                     -EMSGSIZE);
    assert_int_equal(ofconn_apply(world.conn, &groups, on_applied, &world),
                     -EMSGSIZE);
    flow.instructions_size = 70000;
    assert_int_equal(ofconn_apply(world.conn, &flows, on_applied, &world),
                     -EMSGSIZE);
    turn(0);
    hear_nothing();
    flow.instructions_size = 65535 - 16 - 56;
    group.buckets_size = 65535 - 16 - 24 - 40;
    assert_int_equal(ofconn_apply(world.conn, &flows, on_applied, &world), 0);
    assert_int_equal(ofconn_apply(world.conn, &groups, on_applied, &world), 0);
    assert_int_equal(world.n[EVENT_APPLIED], 0);
}

/* --- Dumps. --- */

#define PORT(last)                                                             \
    "000000" last "002800000a01020304050000"                                   \
    "76300000000000000000000000000000"                                         \
    "0000000000000000"
#define FLOW(table)                                                            \
    "00280000" table "0000320000000000000000"                                  \
    "736e010100000005"                                                         \
    "0001000400000000"                                                         \
    "0000000400000000"
#define GROUP(last) "00100100000000" last "0000000000000000"

#define NO_METER "061300100000000a000a000000000000"
#define METER                                                                  \
    "061300200000000a000a000000000000"                                         \
    "001000060000736e0000000000000000"
#define METER_ERROR "0601000c0000000a000c0006"

static void ask_without_meter(void)
{
    uint8_t bytes[256];
    struct writer writer = writer_init(bytes, sizeof(bytes));

    make_ready();
    assert_int_equal(ofconn_dump(world.conn, on_dumped, &world), 0);
    turn(0);
    openflow_put_port_desc_request(&writer, 7);
    openflow_put_flow_stats_request(&writer, 8, 0, 0);
    openflow_put_group_desc_request(&writer, 9);
    openflow_put_meter_desc_request(&writer, 10, PLAN_METER);
    hear_writer(&writer);
    hear_nothing();
}

static void ask_for_dump(void)
{
    ask_without_meter();
    say(METER);
    turn(0);
    assert_int_equal(world.n[EVENT_DUMPED], 0);
}

/* A switch that has not made ours says an error, or nothing; the dump is good
 * all the same. */
static void test_dump_of_the_meter(void **state)
{
    static const char *const answers[] = {METER, NO_METER, METER_ERROR};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
        world.n[EVENT_DUMPED] = 0;
        ask_without_meter();
        say("0613001000000007000d000000000000"
            "06130010000000080001000000000000"
            "06130010000000090007000000000000");
        turn(0);
        assert_int_equal(world.n[EVENT_DUMPED], 0);
        say(answers[i]);
        turn(0);
        assert_int_equal(world.n[EVENT_DUMPED], 1);
        assert_int_equal(world.dump_error, 0);
        assert_int_equal(world.dump.has_meter, i == 0);
        ofconn_dump_done(&world.dump);
        world.conn = ofconn_close(world.conn);
    }
}

static void test_dump(void **state)
{
    (void)state;
    ask_for_dump();
    say("0613003800000007000d000100000000" PORT("01"));
    say("0613001000000007000d000100000000"); /* more is to come */
    say("0613003800000008"
        "0001000100000000" FLOW("03"));
    say("0613002000000009"
        "0007000000000000" GROUP("01"));
    /* Nothing of it: a barrier, another number. */
    say("0615000800000007"
        "061300380000000b000d000100000000" PORT("09"));
    turn(0);
    say("0613003800000008"
        "0001000000000000" FLOW("04"));
    say("0613002000000009"
        "0007000000000000" GROUP("02")); /* that was all of them */
    turn(0);
    assert_int_equal(world.n[EVENT_DUMPED], 0);
    say("0613006000000007000d000000000000" PORT("02") PORT("03"));
    turn(0);
    assert_int_equal(world.n[EVENT_DUMPED], 1);
    assert_int_equal(world.dump_error, 0);
    assert_int_equal(world.dump.n_ports, 3);
    assert_int_equal(world.dump.ports[2].number, 3);
    assert_int_equal(world.dump.n_flows, 2);
    assert_int_equal(world.dump.flows[0].table, 3);
    assert_int_equal(world.dump.flows[1].table, 4);
    assert_int_equal(world.dump.n_groups, 1);
    assert_int_equal(world.dump.groups[0].id, 1);
    assert_int_equal(world.n[EVENT_FLOWS], 0);
}

/* More than there was room for at first. */
static void test_long_dump(void **state)
{
    (void)state;
    ask_for_dump();
    for (int i = 0; i < 20; i++) {
        say("0613006000000007000d000100000000" PORT("01") PORT("02"));
        say("0613006000000008"
            "0001000100000000" FLOW("03") FLOW("04"));
        say("0613003000000009"
            "0007000100000000" GROUP("01") GROUP("02"));
        turn(0);
    }
    say("0613001000000007000d000000000000"
        "06130010000000080001000000000000"
        "06130010000000090007000000000000");
    turn(0);
    assert_int_equal(world.n[EVENT_DUMPED], 1);
    assert_int_equal(world.dump.n_ports, 40);
    assert_int_equal(world.dump.n_flows, 40);
    assert_int_equal(world.dump.n_groups, 40);
    for (size_t i = 0; i < 40; i++) {
        assert_int_equal(world.dump.ports[i].number, 1 + i % 2);
        assert_int_equal(world.dump.flows[i].table, 3 + i % 2);
        assert_int_equal(world.dump.groups[i].id, 1 + i % 2);
    }
}

/* A switch that claims more than a million of anything is not believed. */
static void test_endless_dump(void **state)
{
    static uint8_t message[16 + 1600 * 40];
    struct writer writer = writer_init(message, sizeof(message));
    int error = 0;
    size_t n = 0;

    (void)state;
    ask_for_dump();
    openflow_put_simple(&writer, OPENFLOW_MULTIPART_REPLY, 7,
                        (const uint8_t *)"\0\15\0\1\0\0\0\0", 8);
    message[2] = sizeof(message) >> 8;
    message[3] = sizeof(message) & 0xff;
    for (size_t i = 0; i < 1600; i++) {
        message[16 + 40 * i + 5] = 40;
    }
    while (error == 0) {
        assert_true(++n < 1000);
        say_bytes(message, sizeof(message));
        error = ofconn_run(world.conn);
    }
    assert_int_equal(error, -EOVERFLOW);
    assert_true(n * 1600 > 1000000);
    assert_int_equal(world.dump_error, -ECONNRESET);
    assert_ended("Value too large");
}

static void test_bad_dumps(void **state)
{
    static const struct {
        const char *hex;
        int error; /* 0: it is only refused */
    } cases[] = {
        {"0601000c00000007000100010601000c0000000800010001"
         "0601000c0000000900010001",
         0},
        {"0613001000000007000d00000000000006130010000000080001000000000000"
         "0601000c0000000900010001",
         0},
        {"0613001000000007000100000000000000", -EBADMSG}, /* of another type */
        {"0613000f00000007000d0000000000", -EBADMSG},
        {"0613001800000007000d0000000000000000000000000000", -EBADMSG},
        {"061300180000000800010000000000000007000000000000", -EBADMSG},
        {"061300180000000900070000000000000007000000000000", -EBADMSG},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        ask_for_dump();
        say(cases[i].hex);
        turn(cases[i].error);
        assert_int_equal(world.n[EVENT_DUMPED], 1);
        if (cases[i].error == 0) {
            assert_int_equal(world.dump_error, -EBADMSG);
            world.conn = ofconn_close(world.conn);
        } else {
            assert_int_equal(world.dump_error, -ECONNRESET);
            assert_ended("malformed answer of the switch");
        }
    }
}

/* --- The end. --- */

/* All that waits is told, in order, then the owner. */
static void test_lost(void **state)
{
    struct diff diff = DIFF_INIT;

    (void)state;
    make_ready();
    assert_int_equal(ofconn_apply(world.conn, &diff, on_applied, &world), 0);
    assert_int_equal(ofconn_dump(world.conn, on_dumped, &world), 0);
    assert_int_equal(ofconn_apply(world.conn, &diff, on_applied, &world), 0);
    hang_up();
    turn(-ECONNRESET);
    assert_int_equal(world.n[EVENT_APPLIED], 2);
    assert_int_equal(world.apply_error, -ECONNRESET);
    assert_int_equal(world.n[EVENT_DUMPED], 1);
    assert_int_equal(world.dump_error, -ECONNRESET);
    assert_int_equal(ofconn_apply(world.conn, &diff, on_applied, &world),
                     -ENOTCONN);
    assert_ended("ovs-vswitchd closed the connection");
    assert_null(ofconn_close(NULL));
}

/* Whoever closes in a callback hears of nothing more. */
static void test_closed_in_callback(void **state)
{
    static const struct {
        enum event event;
        const char *hex;
    } cases[] = {
        {EVENT_PORTS, "060c0008000000000620000800000000"},
        {EVENT_GROUPS, "0620000800000000"
                       "061300180000000500100000000000000008000100000000"},
        {EVENT_FLOWS, "061300180000000500100000000000000008000100000000"},
        {EVENT_PACKET, "060a002c00000000ffffffff000200097365636f6e640007"
                       "0001000c8000000400000005000000000000616206200008"
                       "00000000"},
        {EVENT_CLOSED, "0602000700000000"},
        {EVENT_APPLIED, "0615000800000008"
                        "0621000800000009"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct diff diff = DIFF_INIT;

        make_ready();
        assert_int_equal(ofconn_apply(world.conn, &diff, on_applied, &world),
                         0);
        assert_int_equal(ofconn_dump(world.conn, on_dumped, &world), 0);
        turn(0);
        world.close_in = cases[i].event;
        say(cases[i].hex);
        turn(-ECANCELED);
        for (enum event event = EVENT_CLOSED; event < N_EVENTS; event++) {
            bool is_told = event == cases[i].event ||
                           (cases[i].event == EVENT_CLOSED &&
                            (event == EVENT_APPLIED || event == EVENT_DUMPED));

            if (world.n[event] != is_told) {
                fail_msg("case %zu, event %d: %d", i, (int)event,
                         world.n[event]);
            }
        }
        assert_null(world.conn);
        world.close_in = EVENT_NONE;
    }
    /* By what is told at the end of the connection. */
    make_ready();
    assert_int_equal(ofconn_dump(world.conn, on_dumped, &world), 0);
    assert_int_equal(ofconn_dump(world.conn, on_dumped, &world), 0);
    world.close_in = EVENT_DUMPED;
    hang_up();
    turn(-ECANCELED);
    assert_int_equal(world.n[EVENT_DUMPED], 1);
    assert_int_equal(world.n[EVENT_CLOSED], 0);
    world.close_in = EVENT_NONE;
}

/* Nobody listens. */
static void test_no_callbacks(void **state)
{
    static const struct ofconn_callbacks none = {0};

    (void)state;
    open_with(&none);
    greet();
    say("0615000800000006"
        "060c000800000000"
        "0620000800000000"
        "061300180000000500100000000000000008000100000000"
        "060a002c00000000ffffffff000200097365636f6e640007"
        "0001000c80000004000000050000000000006162");
    turn(0);
    hang_up();
    turn(-ECONNRESET);
}

/* A number that the switch itself uses is left out. */
static void test_numbers(void **state)
{
    (void)state;
    make_ready();
    world.conn->next_xid = UINT32_MAX - 1;
    assert_int_equal(ofconn_new_xid(world.conn), UINT32_MAX);
    assert_int_equal(ofconn_new_xid(world.conn), 1);
    assert_int_equal(ofconn_new_xid(world.conn), 2);
}

/* --- Memory. --- */

static void test_no_memory_to_open(void **state)
{
    bool has_failed = true;

    (void)state;
    for (unsigned n = 1; has_failed; n++) {
        int error;

        assert_true(n < 100);
        heap_fail_at(n);
        error = ofconn_open(world.address.sun_path, &callbacks, &world,
                            &world.conn);
        has_failed = heap_off();
        assert_int_equal(error, has_failed ? -ENOMEM : 0);
        assert_int_equal(world.conn == NULL, has_failed);
        world.conn = ofconn_close(world.conn);
    }
}

static int request(unsigned which)
{
    struct flow flow = make_flow(3, "one");
    struct diff_flow change = {DIFF_ADD, &flow, NULL};
    struct diff diff = {&change, 1, NULL, 0};
    struct address address = {.family = 4};

    if (which == 0) {
        return ofconn_apply(world.conn, &diff, on_applied, &world);
    }
    return which == 1
               ? ofconn_dump(world.conn, on_dumped, &world)
               : ofconn_flush_connections(world.conn, &address, &address, 6);
}

/* A request that finds no memory is not made, and the rest goes on. */
static void test_no_memory_for_requests(void **state)
{
    (void)state;
    for (unsigned which = 0; which < 3; which++) {
        bool has_failed = true;

        make_ready();
        for (unsigned n = 1; has_failed; n++) {
            int error;

            assert_true(n < 100);
            heap_fail_at(n);
            error = request(which);
            has_failed = heap_off();
            assert_int_equal(error, has_failed ? -ENOMEM : 0);
            assert_int_equal(ofconn_wants(world.conn),
                             has_failed ? POLLIN : POLLIN | POLLOUT);
        }
        world.conn = ofconn_close(world.conn);
    }
}

/* An answer that there is no memory for ends the connection. */
static void test_no_memory_for_answers(void **state)
{
    bool has_failed = true;

    (void)state;
    for (unsigned n = 1; has_failed; n++) {
        int error;

        assert_true(n < 100);
        ofconn_dump_done(&world.dump);
        ask_for_dump();
        say("0613003800000007000d000000000000" PORT("01"));
        say("0613003800000008"
            "0001000000000000" FLOW("03"));
        say("0613002800000009"
            "00070000000000000018010000000001000800000000000000"
            "08000000000000");
        heap_fail_at(n);
        error = ofconn_run(world.conn);
        has_failed = heap_off();
        assert_int_equal(error, has_failed ? -ENOMEM : 0);
        assert_int_equal(world.n[EVENT_DUMPED], 1);
        assert_int_equal(world.dump_error, has_failed ? -ECONNRESET : 0);
        assert_int_equal(world.n[EVENT_CLOSED], has_failed);
        world.conn = ofconn_close(world.conn);
    }
}

#define TEST(function)                                                         \
    cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_handshake),
        TEST(test_hellos),
        TEST(test_unasked),
        TEST(test_broken_messages),
        TEST(test_packet_out),
        TEST(test_flush),
        TEST(test_bundle),
        TEST(test_refusals),
        TEST(test_refused_control),
        TEST(test_long_refusals),
        TEST(test_large_parts),
        TEST(test_dump_of_the_meter),
        TEST(test_dump),
        TEST(test_long_dump),
        TEST(test_endless_dump),
        TEST(test_bad_dumps),
        TEST(test_lost),
        TEST(test_closed_in_callback),
        TEST(test_no_callbacks),
        TEST(test_numbers),
        TEST(test_no_memory_to_open),
        TEST(test_no_memory_for_requests),
        TEST(test_no_memory_for_answers),
    };

    return cmocka_run_group_tests_name("ofconn_peer", tests, NULL, NULL);
}
