/*
 * The OVSDB client against a real ovsdb-server and ovs-vswitchd: ports added,
 * removed, refused, made anew, and restarts.  Without them: test_ovsdb_feed.c.
 */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

#include "reconcilers/ovs/ovsdb.h"
#include "reconcilers/ovs/ovsdb_private.h"
#include "tests/unit/ovs_fixture.h"

#define TIMEOUT_MS 8000

struct seen {
    struct ovsdb *ovsdb;
    int n_synced;
    int n_changed;
    int n_closed;
    int n_done;
    int error;
    char text[256];
    bool close_in_callback;
};

static struct ovs_fixture fixture;
static bool has_ovs;

static void on_synced(void *data)
{
    ((struct seen *)data)->n_synced++;
}

static void on_changed(void *data)
{
    ((struct seen *)data)->n_changed++;
}

static void on_closed(const char *why, void *data)
{
    struct seen *seen = data;

    seen->n_closed++;
    (void)snprintf(seen->text, sizeof(seen->text), "%s", why);
}

static void on_done(int error, const char *text, void *data)
{
    struct seen *seen = data;

    seen->n_done++;
    seen->error = error;
    (void)snprintf(seen->text, sizeof(seen->text), "%s", text);
    if (seen->close_in_callback) {
        seen->ovsdb = ovsdb_close(seen->ovsdb);
    }
}

static const struct ovsdb_callbacks callbacks = {
    .synced = on_synced, .changed = on_changed, .closed = on_closed};

#define NEEDS_OVS()                                                            \
    do {                                                                       \
        if (!has_ovs) {                                                        \
            skip();                                                            \
        }                                                                      \
    } while (0)

static uint64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail */
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void run_until(struct seen *seen, const int *what, int value)
{
    while (*what < value && seen->n_closed == 0 && seen->ovsdb != NULL) {
        assert_true(ovs_fixture_poll(ovsdb_fd(seen->ovsdb),
                                     ovsdb_wants(seen->ovsdb), TIMEOUT_MS));
        (void)!ovsdb_run(seen->ovsdb, now_ms());
    }
}

static void connect_to(struct seen *seen)
{
    assert_int_equal(
        ovsdb_open(fixture.db_path, "socket", &callbacks, seen, &seen->ovsdb),
        0);
    run_until(seen, &seen->n_synced, 1);
    assert_int_equal(seen->n_synced, 1);
}

static const struct ovsdb_port *find_port(const struct seen *seen,
                                          const char *name)
{
    for (size_t i = 0; i < ovsdb_n_ports(seen->ovsdb); i++) {
        if (strcmp(ovsdb_port_at(seen->ovsdb, i)->name, name) == 0) {
            return ovsdb_port_at(seen->ovsdb, i);
        }
    }
    return NULL;
}

static int add(struct seen *seen, const char *name)
{
    seen->n_done = 0;
    assert_int_equal(
        ovsdb_add_port(seen->ovsdb, now_ms(), name, "tunnel", on_done, seen),
        0);
    run_until(seen, &seen->n_done, 1);
    assert_int_equal(seen->n_done, 1);
    return seen->error;
}

static int take_away(struct seen *seen, const char *name)
{
    seen->n_done = 0;
    assert_int_equal(
        ovsdb_remove_port(seen->ovsdb, now_ms(), name, on_done, seen), 0);
    run_until(seen, &seen->n_done, 1);
    assert_int_equal(seen->n_done, 1);
    return seen->error;
}

static void test_add_and_remove(void **state)
{
    struct seen seen = {0};
    const struct ovsdb_port *port;
    char *text;

    (void)state;
    NEEDS_OVS();
    ovs_fixture_shell("ip link add od0 type veth peer name od1");
    connect_to(&seen);
    assert_true(ovsdb_has_bridge(seen.ovsdb));
    assert_int_equal(ovsdb_n_ports(seen.ovsdb), 0);
    assert_int_equal(add(&seen, "od0"), 0);
    port = find_port(&seen, "od0");
    assert_non_null(port);
    assert_true(port->ofport > 0);
    assert_true(port->ifindex > 0);
    assert_true(port->is_ours);
    assert_string_equal(port->error, "");
    text = ovs_fixture_output("ovs-vsctl get port od0 external_ids && "
                              "ovs-vsctl get interface od0 external_ids");
    assert_string_equal(text, "{socketnet=tunnel}\n{socketnet=tunnel}\n");
    free(text);
    assert_int_equal(
        ovsdb_add_port(seen.ovsdb, now_ms(), "od0", "x", on_done, &seen),
        -EALREADY);
    assert_int_equal(take_away(&seen, "od0"), 0);
    assert_null(find_port(&seen, "od0"));
    text = ovs_fixture_output("ovs-vsctl list-ports socket");
    assert_string_equal(text, "");
    free(text);
    assert_int_equal(
        ovsdb_remove_port(seen.ovsdb, now_ms(), "od0", on_done, &seen),
        -ENOENT);
    assert_null(ovsdb_close(seen.ovsdb));
    ovs_fixture_shell("ip link del od0");
}

static void test_foreign_port(void **state)
{
    struct seen seen = {0};
    const struct ovsdb_port *port;
    int64_t ifindex;

    (void)state;
    NEEDS_OVS();
    ovs_fixture_shell("ip link add od0 type veth peer name od1");
    connect_to(&seen);
    ovs_fixture_shell("ovs-vsctl --timeout=10 add-port socket od0");
    while ((port = find_port(&seen, "od0")) == NULL || port->ifindex == 0) {
        run_until(&seen, &seen.n_changed, seen.n_changed + 1);
    }
    assert_false(port->is_ours);
    assert_int_equal(
        ovsdb_remove_port(seen.ovsdb, now_ms(), "od0", on_done, &seen), -EPERM);
    assert_int_equal(
        ovsdb_add_port(seen.ovsdb, now_ms(), "od0", "x", on_done, &seen),
        -EEXIST);
    /* On a bridge that we do not follow: only the database knows. */
    ovs_fixture_shell("ovs-vsctl --timeout=10 add-br other -- set bridge other "
                      "datapath_type=netdev -- del-port od0 -- "
                      "add-port other od0");
    while (find_port(&seen, "od0") != NULL) {
        run_until(&seen, &seen.n_changed, seen.n_changed + 1);
    }
    assert_int_equal(add(&seen, "od0"), -EEXIST);
    assert_non_null(strstr(seen.text, "od0 exists already"));
    ovs_fixture_shell("ovs-vsctl --timeout=10 del-br other && "
                      "ip link del od0 && ip link add od0 type veth peer "
                      "name od1 && ovs-vsctl --timeout=10 add-port socket od0");
    while ((port = find_port(&seen, "od0")) == NULL || port->ifindex == 0) {
        run_until(&seen, &seen.n_changed, seen.n_changed + 1);
    }
    /* A veth made anew shows, and a reopened port is told from it. */
    ifindex = port->ifindex;
    assert_int_equal(port->device_ifindex, ifindex);
    ovs_fixture_shell("ip link del od0 && ip link add od0 type veth peer "
                      "name od1");
    while ((port = find_port(&seen, "od0")) == NULL ||
           port->device_ifindex == ifindex || port->device_ifindex == 0) {
        run_until(&seen, &seen.n_changed, seen.n_changed + 1);
    }
    assert_int_equal(port->ifindex, ifindex);
    assert_true(port->ofport > 0);
    ovs_fixture_shell("ovs-vsctl --timeout=10 del-port od0 && "
                      "ovs-vsctl --timeout=10 add-port socket od0");
    while ((port = find_port(&seen, "od0")) == NULL ||
           port->ifindex == ifindex || port->ofport <= 0) {
        run_until(&seen, &seen.n_changed, seen.n_changed + 1);
    }
    assert_int_equal(port->ifindex, port->device_ifindex);
    ovs_fixture_shell("ovs-vsctl --timeout=10 del-port od0 && ip link del od0");
    assert_null(ovsdb_close(seen.ovsdb));
}

static int renumber(struct seen *seen, const char *name, uint16_t number)
{
    seen->n_done = 0;
    assert_int_equal(ovsdb_request_number(seen->ovsdb, now_ms(), name, number,
                                          on_done, seen),
                     0);
    run_until(seen, &seen->n_done, 1);
    assert_int_equal(seen->n_done, 1);
    return seen->error;
}

/* Another number opens the device again, and leaves the rows as they are. */
static void test_request_number(void **state)
{
    struct seen seen = {0};
    const struct ovsdb_port *port;
    int64_t ifindex, number;
    char *text;

    (void)state;
    NEEDS_OVS();
    ovs_fixture_shell("ip link add od0 type veth peer name od1");
    connect_to(&seen);
    ovs_fixture_shell("ovs-vsctl --timeout=10 add-port socket od0 tag=7 -- "
                      "set port od0 external_ids:whose=theirs");
    while ((port = find_port(&seen, "od0")) == NULL || port->ifindex == 0) {
        run_until(&seen, &seen.n_changed, seen.n_changed + 1);
    }
    ifindex = port->ifindex;
    number = port->ofport;
    assert_int_equal(port->request, 0);
    ovs_fixture_shell("ip link del od0 && ip link add od0 type veth peer "
                      "name od1");
    while ((port = find_port(&seen, "od0")) == NULL ||
           port->device_ifindex == ifindex || port->device_ifindex == 0) {
        run_until(&seen, &seen.n_changed, seen.n_changed + 1);
    }
    assert_int_equal(renumber(&seen, "od0", 99), 0);
    port = find_port(&seen, "od0");
    assert_int_equal(port->ofport, 99);
    assert_int_equal(port->request, 99);
    assert_int_equal(port->ifindex, port->device_ifindex);
    assert_int_equal(renumber(&seen, "od0", (uint16_t)number), 0);
    assert_int_equal(renumber(&seen, "od0", 0), 0);
    port = find_port(&seen, "od0");
    assert_int_equal(port->ofport, number);
    assert_int_equal(port->request, 0);
    text = ovs_fixture_output("ovs-vsctl get port od0 tag external_ids && "
                              "ovs-vsctl get interface od0 ofport_request");
    assert_string_equal(text, "7\n{whose=theirs}\n[]\n");
    free(text);
    assert_int_equal(
        ovsdb_request_number(seen.ovsdb, now_ms(), "none", 9, on_done, &seen),
        -ENOENT);
    ovs_fixture_shell("ovs-vsctl --timeout=10 del-port od0 && ip link del od0");
    assert_null(ovsdb_close(seen.ovsdb));
}

static void test_no_device(void **state)
{
    struct seen seen = {0};

    (void)state;
    NEEDS_OVS();
    connect_to(&seen);
    assert_int_equal(add(&seen, "nosuch0"), -ENODEV);
    assert_non_null(strstr(seen.text, "nosuch0"));
    assert_int_equal(find_port(&seen, "nosuch0")->ofport, -1);
    assert_int_equal(take_away(&seen, "nosuch0"), 0);
    assert_int_equal(
        ovsdb_add_port(seen.ovsdb, now_ms(), "", "x", on_done, &seen), -EINVAL);
    assert_int_equal(
        ovsdb_add_port(seen.ovsdb, now_ms(), "socket", "x", on_done, &seen),
        -EINVAL);
    assert_int_equal(ovsdb_add_port(seen.ovsdb, now_ms(), "a234567890123456",
                                    "x", on_done, &seen),
                     -EINVAL);
    assert_null(ovsdb_close(seen.ovsdb));
}

static void test_bridge_comes_and_goes(void **state)
{
    struct seen seen = {0};

    (void)state;
    NEEDS_OVS();
    assert_int_equal(
        ovsdb_open(fixture.db_path, "later", &callbacks, &seen, &seen.ovsdb),
        0);
    run_until(&seen, &seen.n_synced, 1);
    assert_false(ovsdb_has_bridge(seen.ovsdb));
    assert_int_equal(
        ovsdb_add_port(seen.ovsdb, now_ms(), "x0", "x", on_done, &seen),
        -ENOENT);
    ovs_fixture_shell("ovs-vsctl --timeout=10 add-br later -- set bridge later "
                      "datapath_type=netdev");
    run_until(&seen, &seen.n_changed, 1);
    assert_true(ovsdb_has_bridge(seen.ovsdb));
    ovs_fixture_shell("ovs-vsctl --timeout=10 del-br later");
    while (ovsdb_has_bridge(seen.ovsdb)) {
        run_until(&seen, &seen.n_changed, seen.n_changed + 1);
    }
    assert_null(ovsdb_close(seen.ovsdb));
}

/* No ovs-vswitchd: the change is written, and ends after 5 s all the same. */
static void test_switch_is_down(void **state)
{
    struct seen seen = {0};
    uint64_t now = now_ms();

    (void)state;
    NEEDS_OVS();
    connect_to(&seen);
    ovs_fixture_kill_vswitchd(&fixture);
    assert_int_equal(
        ovsdb_add_port(seen.ovsdb, now, "od9", "tunnel", on_done, &seen), 0);
    while (find_port(&seen, "od9") == NULL) { /* the database has it */
        assert_true(ovs_fixture_poll(ovsdb_fd(seen.ovsdb),
                                     ovsdb_wants(seen.ovsdb), TIMEOUT_MS));
        assert_int_equal(ovsdb_run(seen.ovsdb, now + 4999), 0);
    }
    assert_int_equal(seen.n_done, 0);
    assert_int_equal(ovsdb_run(seen.ovsdb, now + 5000), 0);
    assert_int_equal(seen.n_done, 1);
    assert_int_equal(seen.error, -ETIMEDOUT);
    assert_non_null(strstr(seen.text, "is it running"));
    ovs_fixture_start_vswitchd(&fixture);
    seen.close_in_callback = true;
    assert_int_equal(take_away(&seen, "od9"), 0);
    assert_null(seen.ovsdb);
}

static void test_server_goes(void **state)
{
    struct seen seen = {0};

    (void)state;
    NEEDS_OVS();
    connect_to(&seen);
    ovs_fixture_shell("ovs-appctl -t $OVS_RUNDIR/ovsdb.ctl exit");
    assert_int_equal(
        ovsdb_add_port(seen.ovsdb, now_ms(), "x0", "x", on_done, &seen), 0);
    run_until(&seen, &seen.n_closed, 1);
    assert_int_equal(seen.n_done, 1);
    assert_int_equal(seen.error, -ECONNRESET);
    assert_int_equal(seen.n_closed, 1);
    assert_int_equal(ovsdb_run(seen.ovsdb, now_ms()), -ECONNRESET);
    assert_int_equal(
        ovsdb_add_port(seen.ovsdb, now_ms(), "x0", "x", on_done, &seen),
        -ENOTCONN);
    assert_null(ovsdb_close(seen.ovsdb));
    assert_int_equal(waitpid(fixture.database, NULL, 0), fixture.database);
    fixture.database = 0;
    assert_true(ovsdb_open(fixture.db_path, "socket", &callbacks, &seen,
                           &seen.ovsdb) < 0);
}

static int setup(void **state)
{
    (void)state;
    if (has_ovs) {
        ovs_fixture_start(&fixture);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (has_ovs) {
        ovs_fixture_stop(&fixture);
    }
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add_and_remove),
        cmocka_unit_test(test_foreign_port),
        cmocka_unit_test(test_request_number),
        cmocka_unit_test(test_no_device),
        cmocka_unit_test(test_bridge_comes_and_goes),
        cmocka_unit_test(test_switch_is_down),
        cmocka_unit_test(test_server_goes),
    };

    has_ovs = ovs_fixture_can_run();
    return cmocka_run_group_tests(tests, setup, teardown);
}
