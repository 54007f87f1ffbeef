/*
 * agent/config: defaults, every key, conf.d, and errors that name file, line,
 * reason and what is expected.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/config/config.h"
#include "agent/config/yaml.h"
#include "agent/system/user.h"
#include "tests/unit/scratch.h"

static struct scratch scratch;

static int setup(void **state)
{
    (void)state;
    scratch = scratch_make();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    scratch_remove(&scratch);
    return 0;
}

static struct config *load(const char *text)
{
    const char *path = scratch_write(&scratch, "agent.yaml", text);
    struct config *config = NULL;
    char *error = NULL;
    int r = config_load(path, &config, &error);

    if (r != 0) {
        print_error("%s\n", error);
    }
    assert_int_equal(r, 0);
    assert_null(error);
    return config;
}

/* Loading fails, and the error says this (after the directory). */
static void refuse(const char *text, const char *expected)
{
    const char *path = scratch_write(&scratch, "agent.yaml", text);
    struct config *config = NULL;
    char *error = NULL;

    assert_true(config_load(path, &config, &error) < 0);
    assert_null(config);
    assert_non_null(error);
    if (strstr(error, expected) == NULL) {
        print_error("expected: %s\ngot: %s\n", expected, error);
        fail();
    }
    free(error);
}

static void empty_file_gives_defaults(void **state)
{
    struct config *config = load("name: host1\n");
    char services[128];

    (void)state;
    snprintf(services, sizeof(services), "%s/services.d", scratch.path);
    assert_string_equal(config->name, "host1");
    assert_string_equal(config->state_dir, "/var/lib/socketnet");
    assert_string_equal(config->run_dir, "/run/socketnet");
    assert_string_equal(config->services_dir, services);
    assert_string_equal(config->user, "socketnet");
    assert_string_equal(config->zone, "mesh.internal");
    assert_int_equal(config->log_level, LOG_LEVEL_INFO);
    assert_int_equal(config->mesh.family, 0);
    assert_int_equal(config->mesh_port, 7720);
    assert_int_equal(config->n_subnets, 0);
    assert_true(config->reconcile);
    assert_string_equal(config->bridge, "socket");
    assert_string_equal(config->ovs_run_dir, "/var/run/openvswitch");
    assert_string_equal(config->tunnel_device, "vx-socket");
    assert_int_equal(config->tunnel_vni, 70);
    assert_int_equal(config->tunnel_port, 4789);
    assert_int_equal(config->n_dns_listen, 0);
    assert_int_equal(config->probe_interval_ms, 0);
    config_free(config);
    config = load("# only a comment\nname: x\n");
    config_free(config);
}

/* Those that the token gave: where no file says any, and only from root. */
static void subnets_of_the_token(void **state)
{
    struct prefix given[2];
    char text[256];
    struct config *config;
    struct config *again = NULL;
    char *error = NULL;

    (void)state;
    assert_int_equal(prefix_parse("10.0.5.0/24", &given[0]), 0);
    assert_int_equal(prefix_parse("fd00:5::/64", &given[1]), 0);
    assert_int_equal(config_save_subnets(scratch.path, given, 2), 0);
    snprintf(text, sizeof(text), "name: a\nstate_dir: %s\n", scratch.path);
    config = load(text);
    assert_true(config->are_subnets_joined);
    assert_int_equal(config->n_subnets, 2);
    assert_memory_equal(&config->subnets[1], &given[1], sizeof(given[1]));
    assert_int_equal(config_load_again(config, &again, &error), 0);
    assert_int_equal(again->n_subnets, 2);
    config_free(again);
    config_free(config);
    /* A file's own word counts, also for the gateway. */
    snprintf(text, sizeof(text),
             "name: a\nstate_dir: %s\nsubnets: [10.0.6.0/24]\n", scratch.path);
    config = load(text);
    assert_false(config->are_subnets_joined);
    assert_int_equal(config->n_subnets, 1);
    config_free(config);
    snprintf(text, sizeof(text),
             "name: a\nstate_dir: %s\nbridge: {gateway: 10.0.5.1}\n",
             scratch.path);
    config_free(load(text));
    /* Whoever else could write there is not believed. */
    assert_int_equal(chmod(scratch_path(&scratch, "subnets"), 0664), 0);
    refuse(text, "it is not root's alone to write");
    scratch_write(&scratch, "subnets", "10.0.5.0/24\nx\n");
    assert_int_equal(chmod(scratch_path(&scratch, "subnets"), 0644), 0);
    refuse(text, "it is damaged");
    config_forget_subnets(scratch.path);
    refuse(text, "is in none of the subnets");
}

static void every_key_is_read(void **state)
{
    struct config *config =
        load("name: host-3\n"
             "state_dir: /a\n"
             "run_dir: /b\n"
             "services_dir: /c\n"
             "user: daemon\n"
             "zone: lab.example\n"
             "log_level: debug\n"
             "mesh:\n  interface: nm-privacy\n  address: 100.104.70.3\n"
             "  port: 7721\n"
             "subnets: [10.0.3.0/24, 'fd00:3::/64']\n"
             "reconcile: false\n"
             "bridge: {name: vmbr7, run_dir: /run/ovs, gateway: 10.0.3.1}\n"
             "tunnel:\n  device: vx0\n  vni: 16777215\n  port: 4790\n"
             "dns:\n  listen:\n    - 10.0.3.1\n    - '[::1]:5353'\n"
             "gossip: {probe_interval_ms: 250}\n");
    char text[64];

    (void)state;
    assert_string_equal(config->name, "host-3");
    assert_string_equal(config->state_dir, "/a");
    assert_string_equal(config->run_dir, "/b");
    assert_string_equal(config->services_dir, "/c");
    assert_string_equal(config->user, "daemon");
    assert_string_equal(config->zone, "lab.example");
    assert_int_equal(config->log_level, LOG_LEVEL_DEBUG);
    assert_string_equal(config->mesh_interface, "nm-privacy");
    assert_string_equal(address_text(&config->mesh, text), "100.104.70.3");
    assert_int_equal(config->mesh_port, 7721);
    assert_int_equal(config->n_subnets, 2);
    assert_string_equal(prefix_text(&config->subnets[1], text), "fd00:3::/64");
    assert_false(config->reconcile);
    assert_string_equal(config->bridge, "vmbr7");
    assert_string_equal(config->ovs_run_dir, "/run/ovs");
    assert_string_equal(address_text(&config->gateway, text), "10.0.3.1");
    assert_string_equal(config->tunnel_device, "vx0");
    assert_int_equal(config->tunnel_vni, 16777215);
    assert_int_equal(config->tunnel_port, 4790);
    assert_int_equal(config->n_dns_listen, 2);
    assert_string_equal(endpoint_text(&config->dns_listen[0], text),
                        "10.0.3.1:53");
    assert_string_equal(endpoint_text(&config->dns_listen[1], text),
                        "[::1]:5353");
    assert_int_equal(config->probe_interval_ms, 250);
    config_free(config);
}

static void json_is_read_too(void **state)
{
    struct config *config =
        load("{\n\t\"name\": \"host1\",\n\t\"mesh\": {\"port\": 7000},\n"
             "\t\"subnets\": [\"10.0.1.0/24\"]\n}\n");

    (void)state;
    assert_int_equal(config->mesh_port, 7000);
    assert_int_equal(config->n_subnets, 1);
    config_free(config);
}

static void later_files_win_key_by_key(void **state)
{
    struct config *config;
    char text[64];

    (void)state;
    assert_int_equal(mkdir(scratch_path(&scratch, "conf.d"), 0755), 0);
    scratch_write(&scratch, "conf.d/20-mesh.yaml",
                  "mesh: {address: 10.1.1.2}\n");
    scratch_write(&scratch, "conf.d/10-all.yaml",
                  "mesh: {address: 10.1.1.1, port: 7001}\nzone: b.example\n");
    scratch_write(&scratch, "conf.d/README", "not: [yaml\n");
    scratch_write(&scratch, "conf.d/.hidden.yaml", "not: [yaml\n");
    config = load("name: host1\nzone: a.example\nmesh: {interface: wg0}\n");
    assert_string_equal(config->zone, "b.example");
    assert_string_equal(config->mesh_interface, "wg0");
    assert_string_equal(address_text(&config->mesh, text), "10.1.1.2");
    assert_int_equal(config->mesh_port, 7001);
    config_free(config);
    scratch_write(&scratch, "conf.d/30-bad.yaml", "\nbrige: {}\n");
    refuse("name: host1\n",
           "/conf.d/30-bad.yaml:2: unknown key \"brige\" (did you mean "
           "\"bridge\"?)");
}

static void unknown_keys_are_errors(void **state)
{
    (void)state;
    refuse("name: a\n\nbrige:\n  name: x\n",
           "/agent.yaml:3: unknown key \"brige\" (did you mean \"bridge\"?)");
    refuse("mesh:\n  adress: 1.2.3.4\n",
           "/agent.yaml:2: unknown key \"adress\" in mesh (did you mean "
           "\"address\"?)");
    refuse("tunnel: {mtu: 1400}\n",
           "/agent.yaml:1: unknown key \"mtu\" in tunnel");
    refuse("gossip:\n  [1]: 2\n", "/agent.yaml:");
}

static void wrong_types_are_errors(void **state)
{
    (void)state;
    refuse("mesh: wg0\n", "/agent.yaml:1: mesh is not a map");
    refuse("- a\n- b\n", "/agent.yaml:1: the file is not a map");
    refuse("name: [a]\n", "/agent.yaml:1: name is a list; expected text");
    refuse("mesh:\n  port: {a: 1}\n", "/agent.yaml:2: mesh.port is a map");
    refuse("reconcile: yes\n",
           "/agent.yaml:1: reconcile: \"yes\" is not a boolean; expected true "
           "or false");
    refuse("mesh: {port: 0}\n", "expected a whole number from 1 to 65535");
    refuse("mesh: {port: 65536}\n", "expected a whole number from 1 to 65535");
    refuse("mesh: {port: -1}\n", "expected a whole number");
    refuse("mesh: {port: 7720x}\n", "expected a whole number");
    refuse("mesh: {port: 99999999999999999999999}\n",
           "expected a whole number");
    refuse("tunnel: {vni: 16777216}\n", "from 1 to 16777215");
    refuse("log_level: loud\n", "expected error, warning, info or debug");
}

static void bad_values_are_errors(void **state)
{
    (void)state;
    refuse("name: 'a b'\n", "/agent.yaml:1: name: \"a b\" is not possible");
    refuse("name: -x\n", "name: \"-x\" is not possible");
    refuse("state_dir: var/lib\n", "is not an absolute path");
    refuse("zone: mesh.local\n", "multicast DNS");
    refuse("zone: LOCAL\n", "multicast DNS");
    refuse("zone: mesh..internal\n", "is not a domain");
    refuse("zone: mesh.internal.\n", "is not a domain");
    refuse("user: nobody-by-that-name\n",
           "there is no user \"nobody-by-that-name\"");
    refuse("user: nobody\n",
           "/agent.yaml:1: user: \"nobody\" is refused: other programs of "
           "this host run as nobody too");
    refuse("user: 65534\n", "user: \"65534\" is refused: other programs");
    refuse("user: root\n", "user: \"root\" is refused: it is root");
    refuse("user: 0\n", "user: \"0\" is refused: it is root");
    refuse("mesh: {interface: a-name-too-long-for-it}\n",
           "is not the name of an interface");
    refuse("mesh: {address: 1.2.3}\n",
           "mesh.address: \"1.2.3\" is not an address; expected one such as");
    refuse("mesh: {address: 0.0.0.0}\n", "not an address that other hosts");
    refuse("mesh: {address: 224.0.0.1}\n", "not an address that other hosts");
    refuse("mesh: {address: 240.0.0.1}\n", "not an address that other hosts");
    refuse("mesh: {address: '::'}\n", "not an address that other hosts");
    refuse("mesh: {address: 100.104.70.0}\n",
           "/agent.yaml:1: mesh.address: 100.104.70.0 is not an address that "
           "other hosts can reach (.0 and .255 are of networks, not of hosts); "
           "expected this host's own on the mesh");
    refuse("mesh: {address: 100.104.70.255}\n", "(.0 and .255 are of networks");
    refuse("subnets: 10.0.3.1/24\n", "expected the subnet itself, 10.0.3.0/24");
    refuse("subnets:\n- 10.0.3.0/24\n- 10.0.3.128/25\n",
           "/agent.yaml:3: subnets: this one overlaps 10.0.3.0/24");
    refuse("subnets: [10.0.0.0/33]\n", "is not a subnet");
    refuse("dns: {listen: [10.0.0.1:0x35]}\n", "is not an address and port");
    refuse("name: a\nsubnets: [10.0.3.0/24]\nbridge: {gateway: 10.0.4.1}\n",
           "bridge.gateway 10.0.4.1 is in none of the subnets");
    refuse("name: a\nsubnets: [10.0.3.0/24]\nbridge: {gateway: 10.0.3.0}\n",
           "bridge.gateway 10.0.3.0 is the network's or the broadcast address "
           "of 10.0.3.0/24");
    refuse("name: a\nsubnets: [10.0.3.0/24]\nbridge: {gateway: 10.0.3.255}\n",
           "bridge.gateway 10.0.3.255 is the network's or the broadcast");
}

static void limits_are_kept(void **state)
{
    struct config *config;
    char text[512] = "name: a\nsubnets: [";
    char run_dir[128] = "name: a\nrun_dir: /";

    (void)state;
    for (int i = 0; i < LIMIT_CERT_SUBNETS; i++) {
        snprintf(text + strlen(text), sizeof(text) - strlen(text),
                 "10.0.%d.0/24,", i);
    }
    strcat(text, "]");
    config = load(text);
    assert_int_equal(config->n_subnets, LIMIT_CERT_SUBNETS);
    config_free(config);
    strcpy(strrchr(text, ']'), "10.0.99.0/24]");
    refuse(text, "expected at most 8");

    refuse("dns: {listen: [127.0.0.1:1, 127.0.0.1:2, 127.0.0.1:3, 127.0.0.1:4, "
           "127.0.0.1:5, 127.0.0.1:6, 127.0.0.1:7, 127.0.0.1:8, 127.0.0.1:9]}",
           "expected at most 8");
    memset(run_dir + strlen(run_dir), 'r', 79);
    config = load(run_dir);
    config_free(config);
    strcat(run_dir, "r");
    refuse(run_dir, "run_dir is 81 bytes long; expected at most 80");
}

static void syntax_errors_are_placed(void **state)
{
    (void)state;
    refuse("name: a\nmesh: [1, 2\n", "/agent.yaml:");
    refuse("name: a\n\tmesh: b\n", "/agent.yaml:1:7: ");
    refuse("name: a\nname: b\n",
           "/agent.yaml:2:1: the key \"name\" stands there twice; leave one of "
           "the two out");
    refuse("mesh: {port: 1,\n \"port\": 2}\n",
           "/agent.yaml:2:3: the key \"port\" stands there twice");
    refuse("name: a\n---\nname: b\n", "second document");
    refuse("name: a\n- b\n", "/agent.yaml:2:1: ");
    refuse("name: \"a\n", "/agent.yaml:1:");
}

static void nothing_means_the_default(void **state)
{
    struct config *config = load("name: a\nzone:\nmesh:\n  port: ~\nsubnets:\n"
                                 "dns: null\n");

    (void)state;
    assert_string_equal(config->zone, "mesh.internal");
    assert_int_equal(config->mesh_port, 7720);
    config_free(config);
}

static void missing_file_is_named(void **state)
{
    struct config *config = NULL;
    char *error = NULL;

    (void)state;
    assert_int_equal(
        config_load(scratch_path(&scratch, "none.yaml"), &config, &error),
        -ENOENT);
    assert_non_null(strstr(error, "there is no configuration file "));
    free(error);
}

static void large_and_binary_files_are_refused(void **state)
{
    char *text = malloc(YAML_FILE_SIZE_MAX + 2);
    struct yaml_file *file = NULL;
    char *error = NULL;

    (void)state;
    memset(text, '#', YAML_FILE_SIZE_MAX + 1);
    text[YAML_FILE_SIZE_MAX + 1] = '\0';
    refuse(text, "larger than");
    text[YAML_FILE_SIZE_MAX] = '\0';
    assert_int_equal(yaml_parse("x", text, YAML_FILE_SIZE_MAX, &file, &error),
                     0);
    yaml_free(file);
    assert_true(yaml_parse("x", "a: \0b", 5, &file, &error) < 0);
    assert_non_null(strstr(error, "zero byte"));
    free(error);
    free(text);
}

static void mesh_address_comes_from_the_interface(void **state)
{
    struct config *config = load("name: a\nmesh: {interface: lo}\n");
    char *error = NULL;
    char text[64];

    (void)state;
    assert_int_equal(config_resolve_mesh(config, &error), 0);
    assert_string_equal(address_text(&config->mesh, text), "127.0.0.1");
    config_free(config);

    config = load("name: a\nmesh: {interface: wg-none}\n");
    assert_int_equal(config_resolve_mesh(config, &error), -EADDRNOTAVAIL);
    assert_non_null(strstr(error, "there is no interface \"wg-none\""));
    free(error);
    config_free(config);

    config = load("name: a\n");
    assert_int_equal(config_resolve_mesh(config, &error), -EADDRNOTAVAIL);
    assert_non_null(strstr(error, "sets neither \"mesh.interface\" nor"));
    free(error);
    /* Nothing was read at all: that is what is wrong. */
    config->has_file = false;
    assert_int_equal(config_resolve_mesh(config, &error), -EADDRNOTAVAIL);
    assert_non_null(strstr(error, "there is no configuration: neither "));
    assert_non_null(strstr(error, "/agent.yaml, the least that works is\n"
                                  "  mesh:\n    interface: wg0 "));
    free(error);
    config_free(config);
}

/* In a network larger than a /24 such an address is a host's. */
static void mesh_address_ending_in_0_is_good_where_it_is(void **state)
{
    struct config *config;
    char text[64];

    (void)state;
    if (unshare(CLONE_NEWNET) != 0) {
        skip(); /* needs root */
    }
    assert_int_equal(system("ip addr add 100.104.1.0/16 dev lo"), 0);
    config = load("name: a\nmesh: {address: 100.104.1.0}\n");
    assert_string_equal(address_text(&config->mesh, text), "100.104.1.0");
    config_free(config);
    refuse("mesh: {address: 100.104.2.0}\n", "(.0 and .255 are of networks");
}

static void users_come_from_passwd(void **state)
{
    uid_t uid = 1;
    gid_t gid = 1;

    (void)state;
    assert_int_equal(user_find("root", &uid, &gid), 0);
    assert_int_equal(uid, 0);
    assert_int_equal(gid, 0);
    uid = 1;
    assert_int_equal(user_find("0", &uid, &gid), 0);
    assert_int_equal(uid, 0);
    assert_int_equal(user_find("roo", &uid, &gid), -ENOENT);
    assert_int_equal(user_find("", &uid, &gid), -ENOENT);
}

/* As many bytes as fit beside the end, and not one more. */
static void text_is_never_cut(void **state)
{
    static const char text[] = "a: 1234567\nb: 12345678\n";
    struct yaml_file *file = NULL;
    char *error = NULL;
    char copy[8] = "";

    (void)state;
    assert_int_equal(yaml_parse("x", text, strlen(text), &file, &error), 0);
    yaml_copy(yaml_get(yaml_root(file), "a"), "a", copy, sizeof(copy));
    assert_string_equal(copy, "1234567");
    assert_false(yaml_failed(file));
    yaml_copy(yaml_get(yaml_root(file), "b"), "b", copy, sizeof(copy));
    error = yaml_take_error(file);
    assert_string_equal(error, "x:2: b is 8 bytes long; expected at most 7");
    free(error);
    yaml_free(file);
}

#define CONFIG_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONFIG_TEST(empty_file_gives_defaults),
        CONFIG_TEST(subnets_of_the_token),
        CONFIG_TEST(every_key_is_read),
        CONFIG_TEST(json_is_read_too),
        CONFIG_TEST(later_files_win_key_by_key),
        CONFIG_TEST(unknown_keys_are_errors),
        CONFIG_TEST(wrong_types_are_errors),
        CONFIG_TEST(bad_values_are_errors),
        CONFIG_TEST(limits_are_kept),
        CONFIG_TEST(syntax_errors_are_placed),
        CONFIG_TEST(nothing_means_the_default),
        CONFIG_TEST(missing_file_is_named),
        CONFIG_TEST(large_and_binary_files_are_refused),
        CONFIG_TEST(mesh_address_comes_from_the_interface),
        CONFIG_TEST(mesh_address_ending_in_0_is_good_where_it_is),
        CONFIG_TEST(users_come_from_passwd),
        CONFIG_TEST(text_is_never_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
