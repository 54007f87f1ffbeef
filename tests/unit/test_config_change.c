/*
 * What a running agent does with a changed configuration, key by key.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/config/config.h"
#include "agent/config/config_change.h"
#include "gossip/base/macros.h"
#include "tests/unit/scratch.h"

static const char before_text[] =
    "name: a\nstate_dir: /a\nrun_dir: /a\nservices_dir: /a\nuser: daemon\n"
    "zone: a.b\nlog_level: info\nsubnets: [10.0.1.0/24]\nreconcile: true\n"
    "mesh: {interface: wg0, address: 10.9.0.1, port: 1}\n"
    "bridge: {name: br0, run_dir: /a, gateway: 10.0.1.1}\n"
    "tunnel: {device: vx0, vni: 1, port: 1}\n"
    "dns: {listen: [10.0.1.1]}\ngossip: {probe_interval_ms: 1}\n";

/* Each key, and a line of conf.d that changes it alone. */
static const struct {
    const char *name;
    enum config_change sort;
    const char *line;
} keys[] = {
    {"name", CONFIG_CHANGE_RESTART, "name: b"},
    {"state_dir", CONFIG_CHANGE_RESTART, "state_dir: /b"},
    {"run_dir", CONFIG_CHANGE_RESTART, "run_dir: /b"},
    {"services_dir", CONFIG_CHANGE_RESTART, "services_dir: /b"},
    {"user", CONFIG_CHANGE_RESTART, "user: bin"},
    {"zone", CONFIG_CHANGE_RESTART, "zone: b.c"},
    {"log_level", CONFIG_CHANGE_LIVE, "log_level: debug"},
    {"mesh.interface", CONFIG_CHANGE_RESTART, "mesh: {interface: wg1}"},
    {"mesh.address", CONFIG_CHANGE_RESTART, "mesh: {address: 10.9.0.2}"},
    {"mesh.port", CONFIG_CHANGE_RESTART, "mesh: {port: 2}"},
    {"subnets", CONFIG_CHANGE_RESTART, "subnets: [10.0.1.0/25]"},
    {"reconcile", CONFIG_CHANGE_RESTART, "reconcile: false"},
    {"bridge.name", CONFIG_CHANGE_RESTART, "bridge: {name: br1}"},
    {"bridge.run_dir", CONFIG_CHANGE_WORKER, "bridge: {run_dir: /b}"},
    {"bridge.gateway", CONFIG_CHANGE_RESTART, "bridge: {gateway: 10.0.1.2}"},
    {"tunnel.device", CONFIG_CHANGE_WORKER, "tunnel: {device: vx1}"},
    {"tunnel.vni", CONFIG_CHANGE_WORKER, "tunnel: {vni: 2}"},
    {"tunnel.port", CONFIG_CHANGE_WORKER, "tunnel: {port: 2}"},
    {"dns.listen", CONFIG_CHANGE_RESTART,
     "dns: {listen: [10.0.1.1, 10.0.1.2]}"},
    {"gossip.probe_interval_ms", CONFIG_CHANGE_RESTART,
     "gossip: {probe_interval_ms: 2}"},
};

static struct config *load(const struct scratch *scratch, const char *line)
{
    struct config *config = NULL;
    char *problem = NULL;

    scratch_write(scratch, "conf.d/more.yaml", line);
    if (config_load(scratch_path(scratch, "agent.yaml"), &config, &problem) !=
        0) {
        fail_msg("%s: %s", line, problem);
    }
    return config;
}

static struct scratch make_files(void)
{
    struct scratch scratch = scratch_make();

    scratch_write(&scratch, "agent.yaml", before_text);
    assert_int_equal(mkdir(scratch_path(&scratch, "conf.d"), 0755), 0);
    return scratch;
}

static void test_each_key_alone(void **state)
{
    struct scratch scratch = make_files();
    struct config *before = load(&scratch, "");

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        struct config *after = load(&scratch, keys[i].line);

        for (int sort = CONFIG_CHANGE_LIVE; sort <= CONFIG_CHANGE_RESTART;
             sort++) {
            bool is_its = sort == (int)keys[i].sort;
            char text[CONFIG_CHANGE_TEXT_SIZE] = "x";

            assert_int_equal(
                config_changes(before, after, (enum config_change)sort, text),
                is_its ? 1 : 0);
            assert_string_equal(text, is_its ? keys[i].name : "");
        }
        config_free(after);
    }
    config_free(before);
    scratch_remove(&scratch);
}

static void test_all_keys_together(void **state)
{
    struct scratch scratch = make_files();
    struct config *before = load(&scratch, "");
    struct config *after = load(
        &scratch,
        "name: b\nstate_dir: /b\nrun_dir: /b\nservices_dir: /b\nuser: bin\n"
        "zone: b.c\nlog_level: debug\nsubnets: [10.0.2.0/24]\n"
        "reconcile: false\n"
        "mesh: {interface: wg1, address: 10.9.0.2, port: 2}\n"
        "bridge: {name: br1, run_dir: /b, gateway: 10.0.2.1}\n"
        "tunnel: {device: vx1, vni: 2, port: 2}\n"
        "dns: {listen: [10.0.2.1]}\ngossip: {probe_interval_ms: 2}\n");
    char text[CONFIG_CHANGE_TEXT_SIZE];

    (void)state;
    assert_int_equal(config_changes(before, after, CONFIG_CHANGE_RESTART, text),
                     15);
    assert_string_equal(
        text, "name, state_dir, run_dir, services_dir, user, zone, "
              "mesh.interface, mesh.address, mesh.port, subnets, reconcile, "
              "bridge.name, bridge.gateway, dns.listen, "
              "gossip.probe_interval_ms");
    assert_int_equal(config_changes(before, after, CONFIG_CHANGE_WORKER, text),
                     4);
    assert_string_equal(
        text, "bridge.run_dir, tunnel.device, tunnel.vni, tunnel.port");
    config_free(after);
    config_free(before);
    scratch_remove(&scratch);
}

/* What the mesh interface gave is not what somebody wrote. */
static void test_found_addresses_are_no_change(void **state)
{
    struct scratch scratch = scratch_make();
    struct config *before = NULL;
    struct config *after = NULL;
    char text[CONFIG_CHANGE_TEXT_SIZE];
    char *problem = NULL;

    (void)state;
    scratch_write(&scratch, "agent.yaml", "name: a\nmesh: {interface: lo}\n");
    assert_int_equal(
        config_load(scratch_path(&scratch, "agent.yaml"), &before, &problem),
        0);
    assert_int_equal(prefix_parse("10.0.0.0/8", &before->subnets[7]), 0);
    before->mesh.family = 4;
    assert_int_equal(config_load_again(before, &after, &problem), 0);
    assert_int_equal(config_changes(before, after, CONFIG_CHANGE_RESTART, text),
                     0);
    config_free(after);
    config_free(before);
    scratch_remove(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_key_alone),
        cmocka_unit_test(test_all_keys_together),
        cmocka_unit_test(test_found_addresses_are_no_change),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
