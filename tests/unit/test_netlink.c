/*
 * rtnetlink against the real kernel, in a network namespace of the test's
 * own: what apply makes, that a second apply changes nothing, what it repairs
 * and what it leaves alone, notifications, and the removal of all of it.
 */
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

#include "reconcilers/kernel/netlink.h"
#include "tests/unit/ovs_fixture.h"

struct notes {
    char text[4096];
    size_t n;
};

static const struct plan_policy policy = {
    .bridge = "socket",
    .gateway = {.family = 4, .bytes = {10, 0, 1, 1}},
    .tunnel_device = "vx-socket",
    .tunnel_vni = 70,
    .tunnel_port = 4789,
    .mesh_interface = "nm-privacy",
};

static void on_note(const char *text, void *data)
{
    struct notes *notes = data;
    size_t len = strlen(notes->text);

    notes->n++;
    (void)snprintf(notes->text + len, sizeof(notes->text) - len, "%s\n", text);
}

static struct address ip(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    return (struct address){.family = 4, .bytes = {a, b, c, d}};
}

/* Node 1 of three. */
struct world {
    struct netlink *netlink;
    struct plan plan;
    struct plan_forward forwards[4];
    struct plan_route routes[4];
};

static struct world world;

static int setup(void **state)
{
    (void)state;
    world = (struct world){0};
    ovs_fixture_shell(
        "ip link add socket type veth peer name socket-peer && "
        "ip link add nm-privacy mtu 1420 type veth peer name nm-peer && "
        "ip link set nm-privacy up && ip link set nm-peer up && "
        "ip link set socket-peer up && "
        "ip addr add 100.104.70.1/24 dev nm-privacy");
    assert_int_equal(netlink_open(&world.netlink), 0);
    for (uint8_t i = 0; i < 2; i++) {
        world.forwards[i] = (struct plan_forward){
            .mac = {0x0a, 0x1b, 0x2c, 0x3d, 0x4e, (uint8_t)(i + 2)},
            .mesh = ip(100, 104, 70, (uint8_t)(i + 2))};
        world.routes[i] = (struct plan_route){
            .destination = {.address = ip(10, 0, (uint8_t)(i + 2), 0),
                            .len = 24},
            .source = ip(10, 0, 1, 1),
            .mtu = 1370};
    }
    world.plan =
        (struct plan){.needs_tunnel = true,
                      .tunnel_mtu = 1370,
                      .tunnel_local = ip(100, 104, 70, 1),
                      .tunnel_mac = {0x0a, 0, 0, 0, 0, 1},
                      .forwards = world.forwards,
                      .n_forwards = 2,
                      .routes = world.routes,
                      .n_routes = 2,
                      .local_address = {.address = ip(10, 0, 1, 0), .len = 24}};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world.netlink = netlink_close(world.netlink);
    ovs_fixture_shell("ip link del socket; ip link del nm-privacy; "
                      "ip link del vx-socket 2>/dev/null; true");
    return 0;
}

static size_t apply(bool dry, struct notes *notes)
{
    char text[160];
    size_t n_changes = 12345;
    int error;

    *notes = (struct notes){0};
    error = netlink_apply(world.netlink, &world.plan, &policy, dry, on_note,
                          notes, &n_changes, text);
    if (error != 0) {
        fail_msg("apply: %d %s", error, text);
    }
    assert_int_equal(n_changes, notes->n);
    return n_changes;
}

static void assert_changes(bool dry, size_t n_changes, struct notes *notes)
{
    if (apply(dry, notes) != n_changes) {
        fail_msg("expected %zu changes, got:\n%s", n_changes, notes->text);
    }
}

/* Applies, expecting an error whose text has these words. */
static void apply_fails(int expected, const char *words)
{
    struct notes notes = {0};
    char text[160];
    size_t n_changes;

    assert_int_equal(netlink_apply(world.netlink, &world.plan, &policy, false,
                                   on_note, &notes, &n_changes, text),
                     expected);
    if (strstr(text, words) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", text, words);
    }
}

static void assert_output(const char *command, const char *words, bool is_there)
{
    char *output = ovs_fixture_output("%s", command);

    if ((strstr(output, words) != NULL) != is_there) {
        fail_msg("%s: %s \"%s\" in:\n%s", command,
                 is_there ? "expected" : "unexpected", words, output);
    }
    free(output);
}

static void test_apply(void **state)
{
    struct notes notes;

    (void)state;
    /* A dry run says all of it and does nothing. */
    assert_changes(true, 7, &notes);
    assert_non_null(strstr(notes.text, "create vxlan device vx-socket"));
    assert_non_null(strstr(notes.text, "forward 0a:1b:2c:3d:4e:02 to "
                                       "100.104.70.2 by vx-socket\n"));
    assert_output("ip link", "vx-socket", false);
    assert_output("ip addr show socket", "10.0.1.1", false);

    /* One more: set up of the new device. */
    assert_changes(false, 8, &notes);
    assert_output("ip -d link show vx-socket",
                  "vxlan id 70 local 100.104.70.1 dev nm-privacy", true);
    assert_output("ip -d link show vx-socket", "dstport 4789", true);
    assert_output("ip -d link show vx-socket", "nolearning", true);
    assert_output("ip link show vx-socket", "mtu 1370", true);
    assert_output("ip link show vx-socket", "alias socketnet", true);
    assert_output("ip link show vx-socket", "LOWER_UP", true);
    /* Not the tunnel MAC itself, see netlink_vxlan.c. */
    assert_output("ip link show vx-socket", "0e:00:00:00:00:01", true);
    assert_output("ip -6 addr show vx-socket", "inet6", false);
    assert_output("bridge fdb show dev vx-socket",
                  "0a:1b:2c:3d:4e:02 dst 100.104.70.2 self permanent", true);
    assert_output("bridge fdb show dev vx-socket",
                  "0a:1b:2c:3d:4e:03 dst 100.104.70.3 self permanent", true);
    assert_output("ip addr show socket", "inet 10.0.1.1/24", true);
    assert_output("ip link show socket", "UP", true);
    assert_output("ip route",
                  "10.0.3.0/24 dev socket proto 115 scope link src 10.0.1.1 "
                  "mtu 1370",
                  true);

    assert_changes(false, 0, &notes);
    assert_changes(true, 0, &notes);
}

static void test_update(void **state)
{
    struct notes notes;

    (void)state;
    (void)apply(false, &notes);
    /* A node goes, another moves, a third comes; the mesh gets smaller. */
    world.forwards[0].mesh = ip(100, 104, 70, 22);
    world.forwards[1].mac[5] = 4;
    world.forwards[1].mesh = ip(100, 104, 70, 4);
    world.routes[0].mtu = 1300;
    world.routes[1].destination.address = ip(10, 0, 4, 0);
    world.plan.tunnel_mtu = 1300;
    assert_changes(false, 8, &notes);
    assert_output("bridge fdb show dev vx-socket", "4e:03", false);
    assert_output("bridge fdb show dev vx-socket",
                  "0a:1b:2c:3d:4e:02 dst 100.104.70.22", true);
    assert_output("ip route", "10.0.3.0", false);
    assert_output("ip route", "10.0.2.0/24 dev socket proto 115", true);
    assert_output("ip route", "mtu 1300", true);
    assert_output("ip link show vx-socket", "mtu 1300", true);
    assert_changes(false, 0, &notes);

    /* Another own mesh address: a new device. */
    ovs_fixture_shell("ip addr add 100.104.70.9/24 dev nm-privacy");
    world.plan.tunnel_local = ip(100, 104, 70, 9);
    (void)apply(false, &notes);
    assert_output("ip -d link show vx-socket", "local 100.104.70.9", true);
    assert_output("bridge fdb show dev vx-socket", "4e:04", true);
    assert_changes(false, 0, &notes);

    /* No peers any more. */
    world.plan.needs_tunnel = false;
    world.plan.n_forwards = 0;
    world.plan.n_routes = 0;
    (void)apply(false, &notes);
    assert_output("ip link", "vx-socket", false);
    assert_output("ip route", "proto 115", false);
    assert_output("ip addr show socket", "10.0.1.1", true);
    assert_changes(false, 0, &notes);
}

/* What others take away or change is put back. */
static void test_repair(void **state)
{
    static const char *const damages[] = {
        "ip link del vx-socket",
        "ip link set vx-socket down",
        "ip link set vx-socket mtu 1200",
        "ip link set vx-socket alias other address 0a:00:00:00:00:01",
        "bridge fdb del 0a:1b:2c:3d:4e:02 dev vx-socket dst 100.104.70.2",
        "bridge fdb replace 0a:1b:2c:3d:4e:02 dev vx-socket dst 100.104.70.99 "
        "self permanent",
        "bridge fdb add 0a:1b:2c:3d:4e:77 dev vx-socket dst 100.104.70.99 "
        "self permanent",
        "ip route del 10.0.2.0/24",
        "ip route change 10.0.2.0/24 dev socket proto 115 src 10.0.1.1 mtu 900",
        "ip route add 10.0.9.0/24 dev socket proto 115",
        "ip addr del 10.0.1.1/24 dev socket",
        "ip link set socket down",
        "ip link del nm-privacy && ip link add nm-privacy mtu 1420 type veth "
        "peer name nm-peer && ip link set nm-privacy up && "
        "ip addr add 100.104.70.1/24 dev nm-privacy",
    };
    struct notes notes;
    char *before, *after;
    static const char look[] =
        "ip -d link show vx-socket | sed 's/^[0-9]*//;s/LOWER_UP.*//' "
        "| grep -v nm-privacy; ip addr show socket | grep 'inet '; "
        "ip route show proto 115; bridge fdb show dev vx-socket | sort";

    (void)state;
    (void)apply(false, &notes);
    before = ovs_fixture_output("%s", look);
    for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
        while (netlink_run(world.netlink)) {
        }
        ovs_fixture_shell("%s", damages[i]);
        /* It is noticed ... */
        do {
            if (!ovs_fixture_poll(netlink_fd(world.netlink), POLLIN, 10000)) {
                fail_msg("not noticed: %s", damages[i]);
            }
        } while (!netlink_run(world.netlink));
        /* ... repaired, and then all is well. */
        if (i == 3) {
            /* Neither mark is left: it could be anybody's. */
            apply_fails(-EEXIST, "is not ours");
            ovs_fixture_shell("ip link set vx-socket alias socketnet");
        }
        assert_true(apply(false, &notes) > 0);
        assert_changes(false, 0, &notes);
        after = ovs_fixture_output("%s", look);
        assert_string_equal(after, before);
        free(after);
    }
    free(before);
}

static void test_not_ours(void **state)
{
    struct notes notes;

    (void)state;
    ovs_fixture_shell("ip link add vx-socket type vxlan id 9 dstport 9000 "
                      "local 100.104.70.1");
    apply_fails(-EEXIST, "vx-socket exists and is not ours");
    assert_output("ip -d link show vx-socket", "vxlan id 9 ", true);
    world.plan.needs_tunnel = false;
    (void)apply(false, &notes);
    assert_int_equal(
        netlink_remove_all(world.netlink, &policy, false, NULL, NULL), 0);
    assert_output("ip -d link show vx-socket", "vxlan id 9 ", true);
    world.plan.needs_tunnel = true;

    /* The same id and port under another name. */
    ovs_fixture_shell("ip link del vx-socket && ip link add other type vxlan "
                      "id 70 dstport 4789 local 100.104.70.1");
    apply_fails(-EEXIST, "change tunnel.vni or tunnel.port");
    ovs_fixture_shell("ip link del other");

    /* A route that somebody else made stays, and the others are made. */
    ovs_fixture_shell("ip link set socket up && ip route add 10.0.2.0/24 "
                      "dev nm-privacy");
    apply_fails(-EEXIST, "route to 10.0.2.0/24 exists");
    assert_output("ip route", "10.0.2.0/24 dev nm-privacy", true);
    assert_output("ip route", "10.0.3.0/24 dev socket proto 115", true);
    ovs_fixture_shell("ip route del 10.0.2.0/24");
    assert_changes(false, 1, &notes);

    /* An address that was there before us is used, and never removed. */
    ovs_fixture_shell("ip addr del 10.0.1.1/24 dev socket && "
                      "ip addr add 10.0.1.1/24 dev socket");
    (void)apply(false, &notes);
    assert_int_equal(
        netlink_remove_all(world.netlink, &policy, false, NULL, NULL), 0);
    assert_output("ip addr show socket", "10.0.1.1/24", true);
    ovs_fixture_shell("ip addr del 10.0.1.1/24 dev socket && "
                      "ip addr add 10.0.1.1/24 dev nm-privacy");
    apply_fails(-EADDRINUSE, "change bridge.gateway");
}

static void test_missing(void **state)
{
    struct notes notes;

    (void)state;
    ovs_fixture_shell("ip link del socket");
    apply_fails(-ENODEV, "bridge socket has no port of its own");
    assert_output("ip link", "vx-socket", true);
    ovs_fixture_shell("ip link del nm-privacy");
    apply_fails(-ENODEV, "mesh interface nm-privacy does not exist");
    ovs_fixture_shell("ip link add socket type veth peer name socket-peer; "
                      "ip link add nm-privacy type veth peer name nm-peer");
    world.plan = (struct plan)PLAN_INIT;
    assert_changes(false, 0, &notes);
}

/* What the kernel refuses is told, with what was to be done. */
static void test_refused(void **state)
{
    struct notes notes;

    (void)state;
    (void)apply(false, &notes);
    world.plan.local_address = (struct prefix){0};
    assert_int_equal(seteuid(65534), 0); /* its privileges go with it */
    apply_fails(-EPERM, "cannot delete address 10.0.1.1: ");
    assert_int_equal(seteuid(0), 0);
    world.plan.n_routes = 0; /* theirs is that address */
    assert_output("ip addr show socket", "10.0.1.1/24", true);
    (void)apply(false, &notes);
    assert_output("ip addr show socket", "10.0.1.1/24", false);
}

/* The same for each of the things that are done; each is alone in its turn,
 * and done when it is allowed. */
static void test_each_refused(void **state)
{
    static const struct {
        const char *damage, *words;
    } cases[] = {
        {"ip link del vx-socket", "cannot create vxlan device vx-socket: "},
        {"ip link set vx-socket mtu 1200",
         "cannot set up vxlan device vx-socket: "},
        {"bridge fdb del 0a:1b:2c:3d:4e:02 dev vx-socket dst 100.104.70.2",
         "cannot forward to 100.104.70.2: "},
        {"bridge fdb add 0a:1b:2c:3d:4e:77 dev vx-socket dst 100.104.70.99 "
         "self permanent",
         "cannot stop forwarding 0a:1b:2c:3d:4e:77: "},
        {"ip link set socket down", "cannot set socket up: "},
        {"ip addr del 10.0.1.1/24 dev socket && ip addr add 192.0.2.1/24 dev "
         "socket",
         "cannot add address 10.0.1.1: "},
        {"ip route del 10.0.2.0/24", "cannot add route 10.0.2.0/24: "},
        {"ip route add 10.0.9.0/24 dev socket proto 115",
         "cannot delete route 10.0.9.0/24: "},
    };
    struct notes notes;

    (void)state;
    (void)apply(false, &notes);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        ovs_fixture_shell("%s", cases[i].damage);
        assert_int_equal(seteuid(65534), 0);
        apply_fails(-EPERM, cases[i].words);
        assert_int_equal(seteuid(0), 0);
        assert_true(apply(false, &notes) > 0);
        assert_changes(false, 0, &notes);
    }
    world.plan.needs_tunnel = false;
    assert_int_equal(seteuid(65534), 0);
    apply_fails(-EPERM, "cannot delete vxlan device vx-socket: ");
    /* The first refusal is told, and what comes after it tried. */
    assert_int_equal(
        netlink_remove_all(world.netlink, &policy, false, NULL, NULL), -EPERM);
    assert_int_equal(seteuid(0), 0);
    world.plan.needs_tunnel = true;
    assert_changes(false, 0, &notes);
}

/* Without room for another descriptor there is none. */
static void test_no_descriptors(void **state)
{
    struct netlink *netlink = NULL;
    struct rlimit limit, few;
    int next = dup(0), error = -1;

    (void)state;
    assert_true(next >= 0);
    assert_int_equal(close(next), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    few = limit;
    for (int n = 0; n < 2; n++) {
        few.rlim_cur = (rlim_t)(next + n);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        error = netlink_open(&netlink);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        assert_true(error < 0);
        assert_null(netlink);
        assert_int_equal(dup(0), next); /* nothing was left open */
        assert_int_equal(close(next), 0);
    }
}

static void test_remove_all(void **state)
{
    struct notes notes = {0};

    (void)state;
    ovs_fixture_shell("ip link set socket up && ip addr add 192.0.2.1/24 "
                      "dev socket && ip route add 10.9.0.0/24 dev socket");
    (void)apply(false, &notes);
    notes = (struct notes){0};
    assert_int_equal(
        netlink_remove_all(world.netlink, &policy, true, on_note, &notes), 0);
    assert_int_equal(notes.n, 4); /* two routes, the address, the device */
    assert_output("ip link", "vx-socket", true);
    assert_int_equal(
        netlink_remove_all(world.netlink, &policy, false, NULL, NULL), 0);
    assert_output("ip link", "vx-socket", false);
    assert_output("ip route", "proto 115", false);
    assert_output("ip route", "10.9.0.0/24", true);
    assert_output("ip addr show socket", "10.0.1.1", false);
    assert_output("ip addr show socket", "192.0.2.1", true);
}

static void test_interface(void **state)
{
    struct address address;
    uint32_t mtu;
    int ifindex;
    char text[ADDRESS_TEXT_SIZE];

    (void)state;
    assert_int_equal(netlink_interface(world.netlink, "nm-privacy", &address,
                                       &mtu, &ifindex),
                     0);
    assert_string_equal(address_text(&address, text), "100.104.70.1");
    assert_int_equal(mtu, 1420);
    assert_true(ifindex > 0);
    assert_int_equal(
        netlink_interface(world.netlink, "socket", &address, &mtu, &ifindex),
        0);
    assert_int_equal(address.family, 0);
    assert_int_equal(
        netlink_interface(world.netlink, "nosuch0", &address, &mtu, &ifindex),
        -ENODEV);
    assert_int_equal(
        netlink_interface(world.netlink, "", &address, &mtu, &ifindex),
        -ENODEV);
}

/* Notifications of others' things are no reason to look. */
static void test_quiet(void **state)
{
    struct notes notes;

    (void)state;
    (void)apply(false, &notes);
    while (netlink_run(world.netlink)) {
    }
    ovs_fixture_shell("ip link add other type veth peer name other-peer && "
                      "ip addr add 192.0.2.9/24 dev other && "
                      "ip link set other up && "
                      "ip neigh add 192.0.2.7 lladdr 02:00:00:00:00:01 dev "
                      "other && ip route add 198.51.100.0/24 dev other");
    assert_true(ovs_fixture_poll(netlink_fd(world.netlink), POLLIN, 10000));
    assert_false(netlink_run(world.netlink));
    /* Lost ones are. */
    ovs_fixture_shell("for i in $(seq 3000); do echo link set other mtu "
                      "$((1200 + i %% 100)); done | ip -batch -");
    assert_true(netlink_run(world.netlink));
    ovs_fixture_shell("ip link del other");
}

struct heard {
    char name[16];
    int ifindex;
    size_t n;
};

static void on_link(const char *name, int ifindex, void *data)
{
    struct heard *heard = data;

    if (strcmp(name, "port0") == 0) {
        (void)snprintf(heard->name, sizeof(heard->name), "%s", name);
        heard->ifindex = ifindex;
        heard->n++;
    }
}

/* Any link is told of, by name and index, when it comes and when it goes. */
static void test_links(void **state)
{
    struct heard heard = {0};
    struct notes notes;
    int ifindex;

    (void)state;
    (void)apply(false, &notes); /* it knows what concerns it */
    netlink_on_link(world.netlink, on_link, &heard);
    ovs_fixture_shell("ip link add port0 type veth peer name port1");
    ifindex = (int)if_nametoindex("port0");
    while (heard.n == 0) {
        assert_true(ovs_fixture_poll(netlink_fd(world.netlink), POLLIN, 5000));
        (void)netlink_run(world.netlink);
    }
    assert_string_equal(heard.name, "port0");
    assert_int_equal(heard.ifindex, ifindex);
    while (netlink_run(world.netlink)) {
    }
    heard = (struct heard){0};
    ovs_fixture_shell("ip link del port0");
    while (heard.n == 0) {
        assert_true(ovs_fixture_poll(netlink_fd(world.netlink), POLLIN, 5000));
        (void)netlink_run(world.netlink);
    }
    assert_int_equal(heard.ifindex, ifindex);
}

#define TEST(function)                                                         \
    cmocka_unit_test_setup_teardown(function, setup, teardown)

static bool has_connected(const struct plan_connected *list, size_t n,
                          enum plan_connected_kind kind, const char *text)
{
    struct prefix prefix;

    assert_int_equal(prefix_parse(text, &prefix), 0);
    for (size_t i = 0; i < n; i++) {
        if (list[i].kind == kind && list[i].prefix.len == prefix.len &&
            address_equal(&list[i].prefix.address, &prefix.address)) {
            return true;
        }
    }
    return false;
}

/* Networks, addresses, gateways of one and of several hops, other ends of
 * links, routes; not ours, and nothing that is nobody's. */
static void test_connected(void **state)
{
    struct plan_connected list[32] = {0};
    size_t n = 0;
    size_t n_before;
    struct notes notes;

    (void)state;
    ovs_fixture_shell("ip link set lo up");
    (void)apply(false, &notes);
    (void)netlink_run(world.netlink);
    (void)netlink_take_connected_changed(world.netlink);
    assert_int_equal(netlink_connected(world.netlink, "socket", list,
                                       ARRAY_SIZE(list), &n_before),
                     0);
    assert_true(has_connected(list, n_before, PLAN_CONNECTED_ADDRESS,
                              "100.104.70.1/32"));
    assert_true(has_connected(list, n_before, PLAN_CONNECTED_NETWORK,
                              "100.104.70.0/24"));
    for (size_t i = 0; i < n_before; i++) {
        assert_int_not_equal(list[i].prefix.address.bytes[0], 127);
        assert_int_not_equal(list[i].prefix.address.bytes[0], 0xfe);
        assert_int_equal(list[i].is_bridge,
                         strcmp(list[i].interface, "socket") == 0);
        assert_int_not_equal(list[i].kind, PLAN_CONNECTED_ROUTE);
    }
    ovs_fixture_shell(
        "ip addr add 192.168.7.5 peer 192.168.8.1/32 dev nm-privacy && "
        "ip route add default via 100.104.70.7 && "
        "ip route add 172.20.0.0/16 dev nm-privacy && "
        "ip route add 172.21.0.0/16 nexthop via 100.104.70.8 "
        "nexthop via 100.104.70.9 && "
        "ip -6 addr add fd09::5/64 dev nm-privacy nodad");
    (void)netlink_run(world.netlink);
    assert_true(netlink_take_connected_changed(world.netlink));
    assert_false(netlink_take_connected_changed(world.netlink));
    assert_int_equal(
        netlink_connected(world.netlink, "socket", list, ARRAY_SIZE(list), &n),
        0);
    assert_true(
        has_connected(list, n, PLAN_CONNECTED_ADDRESS, "192.168.7.5/32"));
    assert_true(
        has_connected(list, n, PLAN_CONNECTED_NETWORK, "192.168.8.1/32"));
    assert_true(
        has_connected(list, n, PLAN_CONNECTED_GATEWAY, "100.104.70.7/32"));
    assert_true(
        has_connected(list, n, PLAN_CONNECTED_GATEWAY, "100.104.70.8/32"));
    assert_true(
        has_connected(list, n, PLAN_CONNECTED_GATEWAY, "100.104.70.9/32"));
    assert_true(has_connected(list, n, PLAN_CONNECTED_ROUTE, "172.20.0.0/16"));
    assert_true(has_connected(list, n, PLAN_CONNECTED_ROUTE, "172.21.0.0/16"));
    assert_true(has_connected(list, n, PLAN_CONNECTED_NETWORK, "fd09::/64"));
    /* What does not fit is said; routes leave room for the rest. */
    assert_int_equal(netlink_connected(world.netlink, "socket", list, 2, &n),
                     -ENOSPC);
    assert_int_equal(n, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_connected, setup, teardown),
        TEST(test_apply),
        TEST(test_update),
        TEST(test_repair),
        TEST(test_not_ours),
        TEST(test_missing),
        TEST(test_refused),
        TEST(test_remove_all),
        TEST(test_interface),
        TEST(test_quiet),
        TEST(test_links),
        TEST(test_each_refused),
        TEST(test_no_descriptors),
    };

    if (!ovs_fixture_enter_namespace()) {
        return OVS_FIXTURE_SKIP;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
