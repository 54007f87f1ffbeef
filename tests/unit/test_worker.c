/*
 * The worker as a process of its own, with core's real end of the socketpair
 * (worker_link) on this side, against a real Open vSwitch and a container on
 * a veth port: what it makes, what it leaves alone, what it repairs, what it
 * takes away.  Each test finds what it needs or makes it; with an argument only
 * those run whose name it matches.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <linux/sockios.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

#include "agent/config/config.h"
#include "agent/core/core.h"
#include "agent/core/core_internal.h"
#include "agent/core/events.h"
#include "agent/core/worker_link.h"
#include "agent/ipc/ipc.h"
#include "agent/worker/worker.h"
#include "tests/unit/ovs_fixture.h"

#define TIMEOUT_MS 10000

static struct ovs_fixture fixture;

struct world {
    struct config config;
    uv_loop_t loop;
    struct core core;
    struct core_internal internal;
    pid_t worker;
    pid_t container;
    int control;  /* launcher's end of the worker's */
    int launcher; /* ... and of core's */
    char events[65536];
    bool is_done; /* what is waited for came */
    int error;
    char *json;
};

static struct world world;

static char text_host1[] = "host1";
static char text_nm_privacy[] = "nm-privacy";
static char text_socket[] = "socket";
static char text_vx_socket[] = "vx-socket";

static struct address ip(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    return (struct address){.family = 4, .bytes = {a, b, c, d}};
}

static struct prefix net(uint8_t third)
{
    return (struct prefix){.address = ip(10, 0, third, 0), .len = 24};
}

static void set_config(char *folder)
{
    world.config = (struct config){.name = text_host1,
                                   .state_dir = folder,
                                   .run_dir = folder,
                                   .log_level = LOG_LEVEL_INFO,
                                   .mesh_interface = text_nm_privacy,
                                   .mesh = ip(100, 104, 70, 1),
                                   .subnets = {net(1)},
                                   .n_subnets = 1,
                                   .reconcile = true,
                                   .bridge = text_socket,
                                   .ovs_run_dir = folder,
                                   .gateway = ip(10, 0, 1, 1),
                                   .tunnel_device = text_vx_socket,
                                   .tunnel_vni = 70,
                                   .tunnel_port = 4789};
}

/* --- the processes --- */

/* A child in a network namespace of its own, which does nothing. */
static pid_t start_container(void)
{
    pid_t parent = getpid();
    int ready[2];
    char byte;
    pid_t pid;

    assert_int_equal(pipe(ready), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent || unshare(CLONE_NEWNET) != 0 ||
            write(ready[1], "x", 1) != 1) {
            _exit(1);
        }
        for (;;) {
            (void)pause();
        }
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    (void)close(ready[0]);
    (void)close(ready[1]);
    return pid;
}

static void add_container_link(void)
{
    ovs_fixture_shell(
        "ip link add veth200 type veth peer name eth0 netns %d && "
        "ip link set veth200 up && "
        "nsenter -t %d -n sh -c 'ip addr add 10.0.1.200/24 dev eth0 && "
        "ip link set eth0 up && ip route add default via 10.0.1.1'",
        world.container, world.container);
}

static void start_worker(bool observe)
{
    int control[2];
    int pair[2];
    struct ipc_message peer = {.type = IPC_PEER};

    assert_int_equal(
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control), 0);
    assert_int_equal(
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    world.worker = fork();
    assert_true(world.worker >= 0);
    if (world.worker == 0) {
        const char *how = observe ? "observe" : "work";
        int fd = dup(control[1]);

        /* A new program, as in production: libuv does not survive a fork. */
        if (fd >= 0 && dup2(fd, IPC_CONTROL_FD) >= 0) {
            (void)execl("/proc/self/exe", "agent", how, fixture.folder, NULL);
        }
        _exit(127);
    }
    (void)close(control[1]);
    world.control = control[0];
    peer.fd = pair[1];
    assert_int_equal(ipc_send(world.control, &peer), 0);
    (void)close(pair[1]);
    worker_link_attach(world.core.worker, pair[0]);
}

static int stop_worker(int signal)
{
    int status = -1;

    if (world.worker > 0) {
        (void)kill(world.worker, signal);
        (void)waitpid(world.worker, &status, 0);
        (void)close(world.control);
    }
    world.worker = 0;
    return status;
}

/* --- waiting --- */

static void on_tick(uv_timer_t *timer)
{
    (void)timer; /* uv_run returns */
}

/* Runs the loop for a moment. */
static void turn(void)
{
    uv_timer_t timer;

    uv_update_time(&world.loop);
    (void)uv_timer_init(&world.loop, &timer);
    (void)uv_timer_start(&timer, on_tick, 10, 0);
    (void)uv_run(&world.loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&timer, NULL);
    (void)uv_run(&world.loop, UV_RUN_NOWAIT);
}

#define wait_until(condition)                                                  \
    do {                                                                       \
        uint64_t end_ = uv_hrtime() / 1000000 + TIMEOUT_MS;                    \
        while (!(condition)) {                                                 \
            if (uv_hrtime() / 1000000 > end_) {                                \
                fail_msg("timed out: %s", #condition);                         \
            }                                                                  \
            turn();                                                            \
        }                                                                      \
    } while (0)

static void on_event(const struct event *event, void *data)
{
    size_t len = strlen(world.events);

    (void)data;
    (void)snprintf(world.events + len, sizeof(world.events) - len, "%s\n",
                   event->json);
}

static void on_applied(int error, void *data)
{
    (void)data;
    world.error = error;
    world.is_done = true;
}

static void on_reply(int error, const char *json, size_t len, void *data)
{
    (void)data;
    free(world.json);
    world.json = error == 0 ? strndup(json, len) : NULL;
    world.error = error;
    world.is_done = true;
}

static void wait_applied(void)
{
    world.is_done = false;
    worker_link_when_applied(world.core.worker, on_applied, NULL);
    wait_until(world.is_done);
    assert_int_equal(world.error, 0);
}

static const char *query(const char *name)
{
    world.is_done = false;
    worker_link_query(world.core.worker, name, on_reply, NULL);
    wait_until(world.is_done);
    assert_int_equal(world.error, 0);
    assert_non_null(world.json);
    return world.json;
}

/* Whether a shell command prints something. */
static _printf_(1, 2) bool prints(const char *format, ...)
{
    char command[1024];
    va_list arguments;
    char *output;
    bool is_there;

    va_start(arguments, format);
    (void)vsnprintf(command, sizeof(command), format, arguments);
    va_end(arguments);
    output = ovs_fixture_output("(%s) 2>/dev/null || true", command);
    is_there = output[0] != '\0';
    free(output);
    return is_there;
}

static int count(const char *command)
{
    /* No line counted is an exit status of grep's, too. */
    char *output = ovs_fixture_output("(%s) 2>/dev/null || true", command);
    int n = atoi(output);

    free(output);
    return n;
}

#define OURS "ovs-ofctl -OOpenFlow15 dump-flows socket | grep -c cookie=0x736e"

/* --- what core wants --- */

static void put(struct desired *desired, struct desired_item *item)
{
    assert_int_equal(desired_put(desired, item), 0);
    desired_item_done(item);
}

static void put_host(struct desired *desired, uint8_t number)
{
    struct desired_item item = {.type = DESIRED_HOST,
                                .host = {.id = number,
                                         .is_self = number == 1,
                                         .mesh = ip(100, 104, 70, number),
                                         .subnets = {net(number)},
                                         .n_subnets = 1}};

    (void)snprintf(item.host.name, sizeof(item.host.name), "host%u", number);
    put(desired, &item);
}

/* A redis with one backend on each of these hosts. */
static void put_redis(struct desired *desired, const char *hosts,
                      bool accepts_new)
{
    struct desired_item item = {.type = DESIRED_FUNCTION,
                                .function = {.name = "redis",
                                             .protocol = 6,
                                             .port = 6379,
                                             .address = ip(100, 80, 0, 5)}};
    struct desired_function *function = &item.function;

    function->backends = calloc(4, sizeof(*function->backends));
    assert_non_null(function->backends);
    for (const char *host = hosts; *host != '\0'; host++) {
        uint8_t number = (uint8_t)(*host - '0');
        struct desired_backend *backend =
            &function->backends[function->n_backends++];

        *backend = (struct desired_backend){.host_id = number,
                                            .address = ip(10, 0, number, 200),
                                            .port = 6379,
                                            .weight = 100,
                                            .accepts_new = accepts_new};
        (void)snprintf(backend->instance, sizeof(backend->instance), "veth%c",
                       *host);
    }
    put(desired, &item);
}

static void want(const char *redis_hosts, bool accepts_new)
{
    struct desired_item local = {
        .type = DESIRED_LOCAL,
        .local = {.address = ip(10, 0, 1, 200), .port_name = "veth200"}};
    struct desired desired = DESIRED_INIT;

    put_host(&desired, 1);
    put_host(&desired, 2);
    put_redis(&desired, redis_hosts, accepts_new);
    put(&desired, &local);
    worker_link_update(world.core.worker, &desired);
}

/* --- the tests --- */

/* A worker that has made everything for a redis on both hosts. */
static int with_worker(void **state)
{
    const struct worker_status *status = worker_link_status(world.core.worker);

    (void)state;
    if (world.worker == 0) {
        start_worker(false);
    }
    wait_until(status->is_connected && status->is_ovs_up);
    wait_until(worker_link_port_problem(world.core.worker, "veth200")[0] ==
               '\0');
    want("12", true);
    wait_applied();
    wait_until(status->is_tunnel_up);
    wait_until(prints("ovs-ofctl -OOpenFlow15 dump-flows socket table=7 | "
                      "grep nw_dst=10.0.1.200"));
    wait_until(strstr(query("diff"), "\"changes\":[]") != NULL);
    world.events[0] = '\0';
    return 0;
}

/* None, and nothing of ours on the bridge. */
static int without_worker(void **state)
{
    if (world.worker != 0) {
        (void)with_worker(state);
        assert_non_null(strstr(query("remove"), "\"error\":\"\""));
        assert_int_equal(stop_worker(SIGTERM), 0);
        wait_until(!worker_link_status(world.core.worker)->is_connected);
    }
    return 0;
}

static void add_foreign_things(void)
{
    ovs_fixture_shell("ovs-ofctl -OOpenFlow15 add-flow socket "
                      "table=5,priority=7,tcp,tp_dst=81,actions=drop && "
                      "ovs-ofctl -OOpenFlow15 add-flow socket "
                      "cookie=0x1234,priority=7,udp,tp_dst=99,actions=drop && "
                      "(ovs-ofctl -OOpenFlow15 --may-create mod-group socket "
                      "group_id=17,type=all,bucket=actions=output:1) && "
                      "(ip link show foreign0 >/dev/null 2>&1 || "
                      "ip link add foreign0 type veth peer name foreign1) && "
                      "ovs-vsctl --may-exist add-port socket foreign0");
}

static void test_starts_and_reports(void **state)
{
    const struct worker_status *status = worker_link_status(world.core.worker);

    (void)state;
    start_worker(false);
    wait_until(status->is_connected && status->is_ovs_up);
    wait_until(worker_link_port_problem(world.core.worker, "veth200")[0] ==
               '\0');
    assert_string_equal(worker_link_port_problem(world.core.worker, "veth299"),
                        "no port veth299 on socket");
    /* Nothing is wanted yet, so nothing is there. */
    assert_false(prints("ovs-ofctl -OOpenFlow15 dump-flows socket | "
                        "grep cookie=0x736e"));
}

static void test_has_few_rights(void **state)
{
    (void)state;
    assert_true(prints("grep -E 'CapEff:\\s0000000000001000' /proc/%d/status",
                       world.worker));
    assert_true(prints("grep -E 'CapBnd:\\s0000000000001000' /proc/%d/status",
                       world.worker));
    assert_true(
        prints("grep -E 'NoNewPrivs:\\s1' /proc/%d/status", world.worker));
    assert_true(prints("grep -E 'Uid:\\s0\\s0' /proc/%d/status", world.worker));
}

static void test_makes_the_data_plane(void **state)
{
    const struct worker_status *status = worker_link_status(world.core.worker);

    (void)state;
    want("12", true);
    wait_applied();
    assert_true(count(OURS) > 20);
    assert_true(prints("ovs-ofctl -OOpenFlow15 dump-groups socket | "
                       "grep 10.0.2.200"));
    assert_true(prints("ip -4 addr show dev socket | grep 10.0.1.1/24"));
    assert_true(prints("ip route show 10.0.2.0/24 | grep 'dev socket'"));
    assert_true(prints("bridge fdb show dev vx-socket | grep 100.104.70.2"));
    wait_until(status->is_tunnel_up);
    assert_true(prints("ovs-vsctl list-ports socket | grep vx-socket"));
}

static void test_finds_a_silent_container(void **state)
{
    (void)state;
    /* It has never sent a packet: the worker asks for it. */
    wait_until(prints("ovs-ofctl -OOpenFlow15 dump-flows socket table=7 | "
                      "grep nw_dst=10.0.1.200"));
    ovs_fixture_shell("nsenter -t %d -n ping -c1 -W2 10.0.1.1 >/dev/null",
                      world.container);
    ovs_fixture_shell("ping -c1 -W2 10.0.1.200 >/dev/null");
}

static void test_same_again_changes_nothing(void **state)
{
    const struct worker_status *status = worker_link_status(world.core.worker);
    uint64_t sent = status->sent_number;

    (void)state;
    want("12", true);
    wait_applied();
    assert_int_equal(status->sent_number, sent);
    assert_non_null(strstr(query("diff"), "\"changes\":[]"));
}

static void test_answers_queries(void **state)
{
    (void)state;
    assert_non_null(strstr(query("flows"), "\"kind\":\"function\""));
    assert_non_null(strstr(world.json, "\"bridge\":\"socket\""));
    assert_non_null(strstr(query("ports"), "\"veth200\""));
    assert_non_null(strstr(world.json, "10.0.1.200"));
    assert_non_null(strstr(query("status"), "\"ovs_up\":true"));
    assert_non_null(strstr(query("nonsense"), "no such query"));
}

static void test_leaves_foreign_things_alone(void **state)
{
    (void)state;
    add_foreign_things();
    want("2", true);
    wait_applied();
    want("12", true);
    wait_applied();
    assert_true(prints("ovs-ofctl -OOpenFlow15 dump-flows socket | "
                       "grep tp_dst=81"));
    assert_true(prints("ovs-ofctl -OOpenFlow15 dump-flows socket | "
                       "grep tp_dst=99"));
    assert_true(prints("ovs-ofctl -OOpenFlow15 dump-groups socket | "
                       "grep group_id=17"));
    assert_true(prints("ovs-vsctl list-ports socket | grep foreign0"));
    assert_non_null(strstr(query("flows"), "\"foreign\":{\"flows\":2"));
}

/* It is left alone, but not kept quiet about. */
static void test_tells_who_is_in_the_way(void **state)
{
    const struct worker_status *status = worker_link_status(world.core.worker);

    (void)state;
    assert_int_equal(status->n_blocked, 0);
    ovs_fixture_shell("ovs-ofctl -OOpenFlow15 add-flow socket "
                      "priority=65535,ip,nw_dst=100.80.0.0/12,actions=drop");
    wait_until(status->n_blocked > 0);
    assert_non_null(strstr(status->blocked, "priority=65535,ip,nw_dst=100.80."
                                            "0.0/12"));
    assert_non_null(strstr(status->blocked, "takes what is for"));
    assert_non_null(strstr(status->blocked, "priority=209"));
    ovs_fixture_shell("ovs-ofctl -OOpenFlow15 --strict del-flows socket "
                      "priority=65535,ip,nw_dst=100.80.0.0/12");
    wait_until(status->n_blocked == 0);
}

static void test_repairs_flows_and_groups(void **state)
{
    int n;

    (void)state;
    wait_until(strstr(query("diff"), "\"changes\":[]") != NULL);
    n = count(OURS);
    ovs_fixture_shell("ovs-ofctl -OOpenFlow15 del-flows socket table=7");
    wait_until(count(OURS) == n);
    ovs_fixture_shell("ovs-ofctl -OOpenFlow15 dump-groups socket >/dev/null && "
                      "ovs-ofctl -OOpenFlow15 del-groups socket");
    wait_until(count(OURS) == n);
    assert_true(prints("ovs-ofctl -OOpenFlow15 dump-groups socket | "
                       "grep 10.0.2.200"));
    /* With a meter go the flows that name it. */
    ovs_fixture_shell("ovs-ofctl -OOpenFlow15 del-meters socket");
    wait_until(prints("ovs-ofctl -OOpenFlow15 dump-flows socket table=4 | "
                      "grep meter:29550,CONTROLLER"));
    wait_until(count(OURS) == n);
    wait_until(strstr(query("diff"), "\"changes\":[]") != NULL);
}

static uint64_t number_at_applied;

static void on_first_applied(int error, void *data)
{
    (void)data;
    assert_int_equal(error, 0);
    number_at_applied = worker_link_status(world.core.worker)->applied_number;
}

/* What comes while a bundle is on its way is not in it. */
static void test_applied_is_applied(void **state)
{
    const struct worker_status *status = worker_link_status(world.core.worker);
    uint64_t first;

    (void)state;
    assert_int_equal(kill(fixture.vswitchd, SIGSTOP), 0);
    want("2", true);
    first = status->sent_number;
    number_at_applied = 0;
    worker_link_when_applied(world.core.worker, on_first_applied, NULL);
    for (int i = 0; i < 20; i++) {
        turn(); /* the bundle leaves */
    }
    want("12", true);
    assert_true(status->sent_number > first);
    (void)query("status"); /* the worker has it */
    assert_int_equal(number_at_applied, 0);
    assert_int_equal(kill(fixture.vswitchd, SIGCONT), 0);
    wait_until(number_at_applied != 0);
    assert_int_equal(number_at_applied, first);
    wait_applied();
    assert_int_equal(status->applied_number, status->sent_number);
    assert_true(prints("ovs-ofctl -OOpenFlow15 dump-groups socket | "
                       "grep 10.0.1.200"));
}

static void test_survives_vswitchd(void **state)
{
    const struct worker_status *status = worker_link_status(world.core.worker);
    uint64_t start;
    int n;

    (void)state;
    add_foreign_things(); /* its port has flows of ours */
    wait_until(worker_link_port_problem(world.core.worker, "foreign0")[0] ==
               '\0');
    wait_applied();
    wait_until(strstr(query("diff"), "\"changes\":[]") != NULL);
    n = count(OURS);
    ovs_fixture_kill_vswitchd(&fixture);
    wait_until(!status->is_ovs_up);
    assert_non_null(strstr(status->ovs_text, "ovs-vswitchd"));
    ovs_fixture_start_vswitchd(&fixture);
    start = uv_hrtime();
    wait_until(status->is_ovs_up && prints(OURS) && count(OURS) == n);
    (void)printf("flows were back %llu ms after ovs-vswitchd was started\n",
                 (unsigned long long)((uv_hrtime() - start) / 1000000));
    ovs_fixture_shell("ping -c1 -W2 10.0.1.200 >/dev/null");
    assert_true(prints("ovs-vsctl list-ports socket | grep foreign0"));
}

static void test_makes_the_tunnel_again(void **state)
{
    (void)state;
    ovs_fixture_shell("ip link del vx-socket");
    wait_until(prints("bridge fdb show dev vx-socket | grep 100.104.70.2"));
    /* The port holds the new device, and flows lead to it. */
    wait_until(prints("ovs-vsctl get interface vx-socket ofport | "
                      "grep -v -e '\\[\\]' -e -1"));
    wait_until(prints("test \"$(ovs-vsctl get interface vx-socket ifindex)\" "
                      "= \"$(ip -o link show vx-socket | cut -d: -f1)\" "
                      "&& echo same"));
    wait_until(prints("P=$(ovs-vsctl get interface vx-socket ofport); "
                      "ovs-ofctl --no-names -OOpenFlow15 dump-flows socket "
                      "table=8 | grep output:$P"));
    wait_until(worker_link_status(world.core.worker)->is_tunnel_up);
}

/* What a restarted container leaves: OVSDB calls the port healthy. */
static void test_revives_a_dead_port(void **state)
{
    (void)state;
    world.events[0] = '\0';
    ovs_fixture_shell("ip link del veth200");
    add_container_link();
    wait_until(strstr(world.events, "is dead") != NULL);
    wait_until(strstr(world.events, "revived port veth200") != NULL);
    wait_until(worker_link_port_problem(world.core.worker, "veth200")[0] ==
               '\0');
    assert_null(worker_link_dead_port(world.core.worker, 0));
    assert_true(prints("ovs-vsctl get interface veth200 ofport_request | "
                       "grep -Fx '[]'"));
    wait_until(prints("ovs-ofctl -OOpenFlow15 dump-flows socket table=7 | "
                      "grep nw_dst=10.0.1.200"));
    ovs_fixture_shell("ping -c1 -W2 10.0.1.200 >/dev/null");
    /* Taken away and added by hand it is a port like any other. */
    ovs_fixture_shell("ovs-vsctl del-port veth200");
    wait_until(strstr(worker_link_port_problem(world.core.worker, "veth200"),
                      "no port veth200") != NULL);
    ovs_fixture_shell("ovs-vsctl add-port socket veth200");
    wait_until(worker_link_port_problem(world.core.worker, "veth200")[0] ==
               '\0');
    wait_until(prints("ovs-ofctl -OOpenFlow15 dump-flows socket table=7 | "
                      "grep nw_dst=10.0.1.200"));
    ovs_fixture_shell("ping -c1 -W2 10.0.1.200 >/dev/null");
}

/* What a container that ended leaves: the port's row stays as it was, its
 * number too.  New connections go elsewhere at once, and come back with it. */
static void test_notices_a_device_that_is_gone(void **state)
{
    (void)state;
    wait_until(prints("ovs-ofctl -OOpenFlow15 dump-groups socket | "
                      "grep 10.0.1.200"));
    ovs_fixture_shell("ip link del veth200");
    wait_until(strcmp(worker_link_port_problem(world.core.worker, "veth200"),
                      "port veth200 on socket: device gone") == 0);
    /* Not dead: there is nothing to be done about it here. */
    assert_null(worker_link_dead_port(world.core.worker, 0));
    wait_until(!prints("ovs-ofctl -OOpenFlow15 dump-groups socket | "
                       "grep 10.0.1.200"));
    assert_true(prints("ovs-ofctl -OOpenFlow15 dump-groups socket | "
                       "grep 10.0.2.200"));
    assert_non_null(strstr(query("ports"), "device gone"));
    world.events[0] = '\0';
    add_container_link();
    /* Its number changes twice meanwhile. */
    wait_until(strstr(world.events, "revived port veth200") != NULL);
    wait_until(worker_link_port_problem(world.core.worker, "veth200")[0] ==
               '\0');
    wait_until(prints("ovs-ofctl -OOpenFlow15 dump-groups socket | "
                      "grep 10.0.1.200"));
    wait_until(prints("ovs-ofctl -OOpenFlow15 dump-flows socket table=7 | "
                      "grep nw_dst=10.0.1.200"));
    ovs_fixture_shell("ping -c1 -W2 10.0.1.200 >/dev/null");
}

static void test_holds_down(void **state)
{
    (void)state;
    world.events[0] = '\0';
    for (int i = 0; i < 40 && strstr(world.events, "rewriting") == NULL; i++) {
        ovs_fixture_shell("ovs-ofctl -OOpenFlow15 del-flows socket "
                          "table=7,ip,nw_dst=10.0.2.0/24");
        for (int j = 0; j < 5; j++) {
            turn();
        }
    }
    assert_non_null(strstr(world.events, "rewriting"));
    wait_until(worker_link_status(world.core.worker)->n_blocked > 0);
    /* And is repaired when the hold ends. */
    wait_until(prints("ovs-ofctl -OOpenFlow15 dump-flows socket table=7 | "
                      "grep nw_dst=10.0.2.0/24"));
}

static void test_refuses_what_policy_forbids(void **state)
{
    struct address foreign = ip(192, 168, 1, 1);
    struct desired_item bad = {
        .type = DESIRED_LOCAL,
        .local = {.address = foreign, .port_name = "veth200"}};
    struct desired desired = DESIRED_INIT;

    (void)state;
    put_host(&desired, 1);
    put(&desired, &bad);
    worker_link_update(world.core.worker, &desired);
    wait_applied();
    wait_until(worker_link_refusal(world.core.worker, &foreign, "", 6, 0)[0] !=
               '\0');
    want("12", true);
    wait_applied();
    wait_until(worker_link_refusal(world.core.worker, &foreign, "", 6, 0)[0] ==
               '\0');
}

static void test_is_replaced(void **state)
{
    const struct worker_status *status = worker_link_status(world.core.worker);
    char *before;
    char *after;

    (void)state;
    wait_until(status->is_tunnel_up);
    wait_until(strstr(query("diff"), "\"changes\":[]") != NULL);
    before = ovs_fixture_output("ovs-ofctl --no-stats -OOpenFlow15 "
                                "dump-flows socket");
    (void)stop_worker(SIGKILL);
    wait_until(!status->is_connected);
    start_worker(false);
    wait_until(status->is_connected && status->is_ovs_up);
    wait_applied();
    after = ovs_fixture_output("ovs-ofctl --no-stats -OOpenFlow15 "
                               "dump-flows socket");
    /* The container was recovered from the flows, no flow was touched. */
    assert_string_equal(before, after);
    assert_non_null(strstr(query("diff"), "\"changes\":[]"));
    free(before);
    free(after);
}

static void send_to(int fd, uint8_t type, uint64_t number)
{
    struct ipc_message message = {.type = type, .number = number, .fd = -1};

    assert_int_equal(ipc_send(fd, &message), 0);
}

/* Whether the other end has read all. */
static bool is_read(int fd)
{
    int left = 1;

    assert_int_equal(ioctl(fd, SIOCOUTQ, &left), 0);
    return left == 0;
}

/* A core of another version, and one that says no hello: nothing of what they
 * want is done, and what stands stays. */
static void test_core_of_another_version(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct ipc_message peer = {.type = IPC_PEER};
        int pair[2];
        int before = count(OURS);

        assert_int_equal(
            socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
        peer.fd = pair[1];
        assert_int_equal(ipc_send(world.control, &peer), 0);
        (void)close(pair[1]);
        if (i == 0) {
            send_to(pair[0], IPC_HELLO, IPC_VERSION + 1);
        }
        send_to(pair[0], IPC_SNAPSHOT_BEGIN, 1);
        send_to(pair[0], IPC_SNAPSHOT_END, 1);
        wait_until(is_read(pair[0]));
        for (unsigned k = 0; k < 30; k++) {
            turn();
            assert_int_equal(count(OURS), before);
        }
        (void)close(pair[0]);
    }
    (void)stop_worker(SIGTERM);
}

/* A worker of another version is not listened to; the launcher is asked for
 * another. */
static void test_worker_of_another_version(void **state)
{
    const struct worker_status *status = worker_link_status(world.core.worker);
    struct ipc_message message;
    uint8_t buffer[256];
    int pair[2];

    (void)state;
    (void)stop_worker(SIGTERM);
    wait_until(!status->is_connected);
    assert_int_equal(
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    worker_link_attach(world.core.worker, pair[0]);
    assert_int_equal(ipc_receive(pair[1], buffer, sizeof(buffer), &message), 0);
    assert_int_equal(message.type, IPC_HELLO);
    assert_int_equal(message.number, IPC_VERSION);
    send_to(pair[1], IPC_HELLO, IPC_VERSION + 1);
    send_to(pair[1], IPC_WANT_SNAPSHOT, 0);
    wait_until(status->other_version == IPC_VERSION + 1);
    wait_until(is_read(pair[1]));
    assert_false(status->is_connected);
    assert_int_equal(
        ipc_receive(world.launcher, buffer, sizeof(buffer), &message), 0);
    assert_int_equal(message.type, IPC_RESTART);
    turn();
    /* No snapshot for it. */
    assert_int_equal(ipc_receive(pair[1], buffer, sizeof(buffer), &message),
                     IPC_E_AGAIN);
    send_to(pair[1], IPC_HELLO, IPC_VERSION);
    wait_until(status->is_connected);
    assert_int_equal(status->other_version, 0);
    (void)close(pair[1]);
    wait_until(!status->is_connected);
}

static void test_removes_everything_of_ours(void **state)
{
    (void)state;
    add_foreign_things();
    assert_non_null(strstr(query("remove"), "\"error\":\"\""));
    assert_false(prints("ovs-ofctl -OOpenFlow15 dump-flows socket | "
                        "grep cookie=0x736e"));
    assert_false(prints("ovs-ofctl -OOpenFlow15 dump-groups socket | "
                        "grep 10.0.2.200"));
    wait_until(!prints("ovs-ofctl -OOpenFlow15 dump-meters socket | "
                       "grep 29550"));
    assert_false(prints("ovs-vsctl list-ports socket | grep vx-socket"));
    assert_false(prints("ip link show vx-socket"));
    assert_false(prints("ip route show 10.0.2.0/24"));
    assert_false(prints("ip -4 addr show dev socket | grep 10.0.1.1/24"));
    assert_true(prints("ovs-ofctl -OOpenFlow15 dump-flows socket | "
                       "grep tp_dst=99"));
    assert_true(prints("ovs-vsctl list-ports socket | grep foreign0"));
    assert_int_equal(stop_worker(SIGTERM), 0);
}

static void test_observes(void **state)
{
    const struct worker_status *status = worker_link_status(world.core.worker);

    (void)state;
    want("12", true);
    start_worker(true);
    wait_until(status->is_connected && status->is_ovs_up);
    assert_true(status->is_observing);
    wait_applied();
    assert_null(strstr(query("diff"), "\"changes\":[]"));
    assert_false(prints("ovs-ofctl -OOpenFlow15 dump-flows socket | "
                        "grep cookie=0x736e"));
    assert_false(prints("ip link show vx-socket"));
    assert_int_equal(stop_worker(SIGTERM), 0);
}

static int setup(void **state)
{
    (void)state;
    ovs_fixture_start(&fixture);
    set_config(fixture.folder);
    world.container = start_container();
    ovs_fixture_shell(
        "ip link add nm-privacy mtu 1420 type veth peer name nm-peer && "
        "ip addr add 100.104.70.1/24 dev nm-privacy && "
        "ip link set nm-privacy up && ip link set nm-peer up");
    add_container_link();
    ovs_fixture_shell(
        "ovs-vsctl add-port socket veth200 && ip link set socket up");
    assert_int_equal(uv_loop_init(&world.loop), 0);
    world.core.loop = &world.loop;
    /* Of core there is the link alone: nobody is told of it. */
    world.core.internal = &world.internal;
    world.internal.phase = CORE_ENDING;
    world.core.config = &world.config;
    assert_int_equal(events_new(&world.core.events), 0);
    assert_int_not_equal(events_subscribe(world.core.events, 0, on_event, NULL),
                         0);
    return worker_link_new(&world.core, &world.core.worker);
}

static int teardown(void **state)
{
    (void)state;
    (void)stop_worker(SIGKILL);
    if (world.core.loop != NULL) {
        world.core.worker = worker_link_free(world.core.worker);
        (void)uv_run(&world.loop, UV_RUN_DEFAULT);
        (void)uv_loop_close(&world.loop);
        world.core.events = events_free(world.core.events);
    }
    free(world.json);
    if (world.container > 0) {
        (void)kill(world.container, SIGKILL);
        (void)waitpid(world.container, NULL, 0);
    }
    ovs_fixture_stop(&fixture);
    return 0;
}

/* Core's control socket, before anything else takes its number. */
static void open_launcher(void)
{
    int pair[2];

    assert_int_equal(
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    world.launcher = fcntl(pair[0], F_DUPFD_CLOEXEC, IPC_CONTROL_FD + 1);
    assert_true(world.launcher > IPC_CONTROL_FD);
    if (pair[1] != IPC_CONTROL_FD) {
        assert_int_equal(dup2(pair[1], IPC_CONTROL_FD), IPC_CONTROL_FD);
    }
    world.internal.has_control = true;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_starts_and_reports, without_worker),
        cmocka_unit_test_setup(test_has_few_rights, with_worker),
        cmocka_unit_test_setup(test_makes_the_data_plane, with_worker),
        cmocka_unit_test_setup(test_finds_a_silent_container, with_worker),
        cmocka_unit_test_setup(test_same_again_changes_nothing, with_worker),
        cmocka_unit_test_setup(test_answers_queries, with_worker),
        cmocka_unit_test_setup(test_leaves_foreign_things_alone, with_worker),
        cmocka_unit_test_setup(test_tells_who_is_in_the_way, with_worker),
        cmocka_unit_test_setup(test_repairs_flows_and_groups, with_worker),
        cmocka_unit_test_setup(test_applied_is_applied, with_worker),
        cmocka_unit_test_setup(test_survives_vswitchd, with_worker),
        cmocka_unit_test_setup(test_makes_the_tunnel_again, with_worker),
        cmocka_unit_test_setup(test_revives_a_dead_port, with_worker),
        cmocka_unit_test_setup(test_notices_a_device_that_is_gone, with_worker),
        cmocka_unit_test_setup(test_holds_down, with_worker),
        cmocka_unit_test_setup(test_refuses_what_policy_forbids, with_worker),
        cmocka_unit_test_setup(test_is_replaced, with_worker),
        cmocka_unit_test_setup(test_core_of_another_version, with_worker),
        cmocka_unit_test_setup(test_worker_of_another_version, with_worker),
        cmocka_unit_test_setup(test_removes_everything_of_ours, with_worker),
        cmocka_unit_test_setup(test_observes, without_worker),
    };

    if (argc == 3) {
        set_config(argv[2]);
        return worker_main(&world.config, strcmp(argv[1], "observe") == 0);
    }
    if (!ovs_fixture_can_run()) {
        return OVS_FIXTURE_SKIP;
    }
    open_launcher();
    if (argc == 2) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests(tests, setup, teardown);
}
