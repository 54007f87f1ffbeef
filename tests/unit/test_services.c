/*
 * Registrations: what may be registered, in words, and files of services.d.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "agent/identity/identity.h"
#include "agent/services/services_internal.h"
#include "agent/services/services_parse.h"

struct world {
    struct core core;
    struct identity identity;
};

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    struct body_certificate *certificate;

    if (world == NULL) {
        return -1;
    }
    world->core.identity = &world->identity;
    certificate = &world->identity.body;
    memcpy(certificate->name, "host3", 6);
    memcpy(certificate->functions[0], "redis", 6);
    memcpy(certificate->functions[1], "vector-*", 9);
    certificate->n_functions = 2;
    certificate->n_mesh = 1;
    certificate->n_subnets = 1;
    *state = world;
    return address_parse("100.104.70.3", &certificate->mesh[0].address) != 0 ||
           prefix_parse("10.0.3.0/24", &certificate->subnets[0]) != 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static struct services_spec spec_of(const char *function, const char *address)
{
    struct services_spec spec = {.service = {.port = 6379}};

    (void)snprintf(spec.service.function, sizeof(spec.service.function), "%s",
                   function);
    assert_int_equal(address_parse(address, &spec.service.address), 0);
    return spec;
}

static void assert_refused(struct world *world, struct services_spec spec,
                           const char *part)
{
    char *problem = NULL;

    assert_int_equal(services_validate(&world->core, &spec, &problem), 1);
    assert_non_null(problem);
    if (strstr(problem, part) == NULL) {
        print_error("\"%s\" does not say \"%s\"\n", problem, part);
        fail();
    }
    free(problem);
}

static void test_defaults(void **state)
{
    struct world *world = *state;
    struct services_spec spec = spec_of("Vector_DB", "10.0.3.203");
    char *problem = NULL;

    memcpy(spec.service.port_name, "veth203", 8);
    spec.check.type = SERVICES_CHECK_TCP;
    assert_int_equal(services_validate(&world->core, &spec, &problem), 0);
    assert_string_equal(spec.service.function, "vector-db");
    assert_string_equal(spec.service.instance, "veth203");
    assert_int_equal(spec.service.protocol, 6);
    assert_int_equal(spec.service.weight, 100);
    assert_int_equal(spec.check.interval_ms, 10000);
    assert_int_equal(spec.check.timeout_ms, 2000);
    assert_int_equal(spec.check.pass, 1);
    assert_int_equal(spec.check.fail, 3);
    /* A port whose name is no label: the node's name. */
    spec = spec_of("redis", "100.104.70.3");
    memcpy(spec.service.port_name, "eth0.12", 8);
    assert_int_equal(services_validate(&world->core, &spec, &problem), 0);
    assert_string_equal(spec.service.instance, "host3");
    assert_null(problem);
}

static void test_refused(void **state)
{
    struct world *world = *state;
    struct services_spec spec = spec_of("redis", "10.0.4.1");

    assert_refused(world, spec,
                   "10.0.4.1 is not an address of this node "
                   "(host3): its container subnets are "
                   "10.0.3.0/24, its mesh address is "
                   "100.104.70.3");
    assert_refused(world, spec_of("mcp", "10.0.3.1"),
                   "does not allow the function mcp, only: redis, vector-*");
    assert_refused(world, spec_of("no name", "10.0.3.1"),
                   "\"no name\" is not a name");
    spec = spec_of("redis", "10.0.3.1");
    spec.service.port = 0;
    assert_refused(world, spec, "port 0 is no port");
    spec = spec_of("redis", "10.0.3.1");
    spec.service.protocol = 1;
    assert_refused(world, spec, "protocol 1 is neither");
    spec = spec_of("redis", "10.0.3.1");
    spec.service.weight = 1001;
    assert_refused(world, spec, "weight 1001");
    spec = spec_of("redis", "10.0.3.1");
    memcpy(spec.service.instance, "-x", 3);
    assert_refused(world, spec, "not an instance's name");
    spec = spec_of("redis", "10.0.3.1");
    memcpy(spec.service.port_name, "a/b", 4);
    assert_refused(world, spec, "not the name of a port");
    spec = spec_of("redis", "10.0.3.1");
    spec.service.protocol = 17;
    spec.check.type = SERVICES_CHECK_TCP;
    assert_refused(world, spec, "udp port 6379");
    spec = spec_of("redis", "10.0.3.1");
    spec.service.address = (struct address){0};
    assert_refused(world, spec, "address is missing");
    world->identity.body.n_functions = 0;
    world->identity.body.n_subnets = 0;
    assert_refused(world, spec_of("redis", "10.0.3.1"), "only: none");
}

struct parsed {
    struct services_spec specs[4];
    size_t lines[4];
    size_t n;
};

static void on_spec(const struct services_spec *spec, const char *path,
                    size_t line, void *data)
{
    struct parsed *parsed = data;

    assert_string_equal(path, "redis.yaml");
    assert_true(parsed->n < 4);
    parsed->specs[parsed->n] = *spec;
    parsed->lines[parsed->n] = line;
    parsed->n++;
}

static int parse(const char *text, struct parsed *parsed, char **error)
{
    *parsed = (struct parsed){.n = 0};
    *error = NULL;
    return services_parse_text("redis.yaml", text, strlen(text), on_spec,
                               parsed, error);
}

static void test_parse_one(void **state)
{
    struct parsed parsed;
    char *error;
    char text[ADDRESS_TEXT_SIZE];
    const struct body_service *service = &parsed.specs[0].service;

    (void)state;
    assert_int_equal(parse("service:\n"
                           "  name: redis\n"
                           "  port: 6379\n"
                           "  address: 10.0.3.203\n"
                           "  port_name: veth203\n"
                           "  check: {type: tcp, interval: 5s, timeout: 500ms,"
                           " fail: 2}\n"
                           "  tags: [cache, eu-1]\n"
                           "  meta: {owner: data}\n"
                           "  weight: 50\n"
                           "  priority: 7\n"
                           "  instance: main\n",
                           &parsed, &error),
                     0);
    assert_null(error);
    assert_int_equal(parsed.n, 1);
    assert_string_equal(service->function, "redis");
    assert_int_equal(service->port, 6379);
    assert_int_equal(service->protocol, 6);
    assert_string_equal(address_text(&service->address, text), "10.0.3.203");
    assert_string_equal(service->port_name, "veth203");
    assert_int_equal(parsed.specs[0].check.type, SERVICES_CHECK_TCP);
    assert_int_equal(parsed.specs[0].check.interval_ms, 5000);
    assert_int_equal(parsed.specs[0].check.timeout_ms, 500);
    assert_int_equal(parsed.specs[0].check.fail, 2);
    assert_int_equal(service->n_tags, 2);
    assert_string_equal(service->tags[1], "eu-1");
    assert_int_equal(service->n_meta, 1);
    assert_string_equal(service->meta[0].value, "data");
    assert_int_equal(service->weight, 50);
    assert_int_equal(service->priority, 7);
    assert_string_equal(service->instance, "main");
}

static void test_parse_list(void **state)
{
    struct parsed parsed;
    char *error;

    (void)state;
    assert_int_equal(parse("services:\n"
                           "  - name: redis\n"
                           "    port: 6379\n"
                           "    address: 10.0.3.203\n"
                           "    check: tcp\n"
                           "  - {name: dns, port: 53, protocol: udp, "
                           "address: 10.0.3.1}\n",
                           &parsed, &error),
                     0);
    assert_int_equal(parsed.n, 2);
    assert_int_equal(parsed.specs[0].check.type, SERVICES_CHECK_TCP);
    assert_int_equal(parsed.specs[1].service.protocol, 17);
    assert_int_equal(parsed.specs[1].service.weight, 100);
    assert_int_equal(parsed.lines[0], 2);
    assert_int_equal(parsed.lines[1], 6);
    /* JSON, as Nix writes it. */
    assert_int_equal(parse("{\"service\":{\"name\":\"redis\",\"port\":6379,"
                           "\"address\":\"10.0.3.203\"}}",
                           &parsed, &error),
                     0);
    assert_int_equal(parsed.n, 1);
    assert_int_equal(parse("", &parsed, &error), 0);
    assert_int_equal(parsed.n, 0);
}

static void assert_bad(const char *text, const char *place, const char *part)
{
    struct parsed parsed;
    char *error;

    assert_true(parse(text, &parsed, &error) < 0);
    assert_int_equal(parsed.n, 0);
    assert_non_null(error);
    if (strstr(error, place) == NULL || strstr(error, part) == NULL) {
        print_error("\"%s\" does not say \"%s\" and \"%s\"\n", error, place,
                    part);
        fail();
    }
    free(error);
}

static void test_parse_bad(void **state)
{
    static const char good[] = "{name: a, port: 1, address: 10.0.3.1}";
    char text[256];

    (void)state;
    assert_bad("service:\n  name: redis\n  prot: 1\n", "redis.yaml:3",
               "unknown key \"prot\"");
    assert_bad("service:\n  name: redis\n  address: 10.0.3.1\n",
               "redis.yaml:", "no port");
    assert_bad("service:\n  name: redis\n  port: 65536\n  address: 10.0.3.1\n",
               "redis.yaml:3", "port");
    assert_bad("service: {name: redis, port: 1, address: ten}\n",
               "redis.yaml:1", "address");
    assert_bad("service: {name: r, port: 1, address: 10.0.3.1, check: http}\n",
               "redis.yaml:1", "http");
    assert_bad("service: {name: r, port: 1, address: 10.0.3.1, tags: [a b]}\n",
               "redis.yaml:1", "a b");
    assert_bad("service: [1]\n", "redis.yaml:1", "map");
    assert_bad("servise: {}\n", "redis.yaml:1", "service");
    assert_bad("service: {\n", "redis.yaml:", "");
    /* One bad service keeps the good ones of its file back. */
    (void)snprintf(text, sizeof(text), "services:\n  - %s\n  - {name: b}\n",
                   good);
    assert_bad(text, "redis.yaml:3", "no port");
    (void)snprintf(text, sizeof(text), "service: %s\nservices: [%s]\n", good,
                   good);
    assert_bad(text, "redis.yaml:1", "not both");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_defaults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
        cmocka_unit_test(test_parse_one),
        cmocka_unit_test(test_parse_list),
        cmocka_unit_test(test_parse_bad),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
