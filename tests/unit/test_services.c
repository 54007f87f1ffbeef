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
#include <jansson.h>
#include <sodium.h>

#include "agent/identity/identity.h"
#include "agent/services/services_internal.h"
#include "agent/services/services_parse.h"
#include "tests/unit/heap.h"

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

static struct registration registration_of(const char *function,
                                           const char *address)
{
    struct registration registration = {.service = {.port = 6379}};

    (void)snprintf(registration.service.function,
                   sizeof(registration.service.function), "%s", function);
    assert_int_equal(address_parse(address, &registration.service.address), 0);
    return registration;
}

static void assert_refused(struct world *world, const char *function,
                           const char *address, const char *text)
{
    struct registration registration = registration_of(function, address);
    char *problem = NULL;

    assert_int_equal(services_validate(&world->core, &registration, &problem),
                     SERVICES_E_REFUSED);
    assert_non_null(problem);
    assert_string_equal(problem, text);
    free(problem);
}

static void assert_taken(struct world *world, const char *address)
{
    struct registration registration = registration_of("redis", address);
    char *problem = NULL;

    assert_int_equal(services_validate(&world->core, &registration, &problem),
                     0);
    assert_null(problem);
}

static void test_refused(void **state)
{
    struct world *world = *state;

    assert_taken(world, "10.0.3.203");
    assert_taken(world, "100.104.70.3");
    assert_refused(world, "redis", "10.0.4.1",
                   "10.0.4.1 is not an address of this node (host3): its "
                   "container subnets are 10.0.3.0/24, its mesh address is "
                   "100.104.70.3. Register the instance on the node that it "
                   "runs on, or correct the address");
    assert_refused(world, "mcp", "10.0.3.1",
                   "the certificate of this node (host3) does not allow the "
                   "function mcp, only: redis, vector-*. Register it on a node "
                   "that may offer it, or have this one admitted again with a "
                   "token made by `agentctl token create --function mcp`");
    world->identity.body.n_functions = 0;
    assert_refused(world, "redis", "10.0.3.1",
                   "the certificate of this node (host3) does not allow the "
                   "function redis, only: none. Register it on a node that may "
                   "offer it, or have this one admitted again with a token "
                   "made by `agentctl token create --function redis`");
}

static void test_no_host(void **state)
{
    struct world *world = *state;

    assert_taken(world, "10.0.3.1");
    assert_taken(world, "10.0.3.254");
    assert_refused(world, "redis", "10.0.3.0",
                   "10.0.3.0 is the address of the network 10.0.3.0/24, no "
                   "host's: give the address that redis listens at");
    assert_refused(world, "redis", "10.0.3.255",
                   "10.0.3.255 is the broadcast address of 10.0.3.0/24, no "
                   "host's: give the address that redis listens at");
    /* Without a network of its own both ends are hosts (RFC 3021). */
    assert_int_equal(
        prefix_parse("10.0.3.254/31", &world->identity.body.subnets[0]), 0);
    assert_taken(world, "10.0.3.255");
}

struct parsed {
    struct registration registrations[4];
    size_t lines[4];
    size_t n;
};

static void on_registration(const struct registration *registration,
                            const char *path, size_t line, void *data)
{
    struct parsed *parsed = data;

    assert_string_equal(path, "redis.yaml");
    assert_true(parsed->n < 4);
    parsed->registrations[parsed->n] = *registration;
    parsed->lines[parsed->n] = line;
    parsed->n++;
}

static int parse(const char *text, struct parsed *parsed, char **error)
{
    *parsed = (struct parsed){.n = 0};
    *error = NULL;
    return services_parse_text("redis.yaml", text, strlen(text),
                               on_registration, parsed, error);
}

static void test_parse_one(void **state)
{
    struct parsed parsed;
    char *error;
    char text[ADDRESS_TEXT_SIZE];
    const struct body_service *service = &parsed.registrations[0].service;

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
    assert_int_equal(parsed.registrations[0].check.type,
                     REGISTRATION_CHECK_TCP);
    assert_int_equal(parsed.registrations[0].check.interval_ms, 5000);
    assert_int_equal(parsed.registrations[0].check.timeout_ms, 500);
    assert_int_equal(parsed.registrations[0].check.fail, 2);
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
    assert_int_equal(parsed.registrations[0].check.type,
                     REGISTRATION_CHECK_TCP);
    assert_int_equal(parsed.registrations[1].service.protocol, 17);
    assert_int_equal(parsed.registrations[1].service.weight, 100);
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
    /* In quotes it is a text like any other. */
    assert_int_equal(parse("service: {name: a, port: 1, address: 10.0.3.1, "
                           "port_name: null, meta: {k: \"null\"}}\n",
                           &parsed, &error),
                     0);
    assert_string_equal(parsed.registrations[0].service.port_name, "");
    assert_string_equal(parsed.registrations[0].service.meta[0].value, "null");
}

static void assert_bad(const char *text, const char *expected)
{
    struct parsed parsed;
    char *error;

    assert_true(parse(text, &parsed, &error) < 0);
    assert_int_equal(parsed.n, 0);
    assert_non_null(error);
    assert_string_equal(error, expected);
    free(error);
}

/* Each mistake is found on its own line. */
static void test_parse_bad(void **state)
{
    (void)state;
    assert_bad("service:\n  name: redis\n  prt: 1\n",
               "redis.yaml:3: there is no field prt; did you mean port?");
    assert_bad("service:\n  name: redis\n  address: 10.0.3.1\n",
               "redis.yaml:2: port is missing; give the port it listens at, 1 "
               "to 65535, as 6379");
    assert_bad("service:\n  name: redis\n  port: 65536\n  address: 10.0.3.1\n",
               "redis.yaml:3: port \"65536\" is not possible; give a whole "
               "number from 1 to 65535");
    assert_bad("service: {name: redis, port: 1,\n  address: ten}\n",
               "redis.yaml:2: address \"ten\" is not an IP address; give the "
               "address of the container or host that serves it, as "
               "10.0.3.203");
    assert_bad("service: {name: r, port: 1, address: 10.0.3.1, check: http}\n",
               "redis.yaml:1: there is no check of type \"http\"; give tcp, or "
               "leave the check out");
    assert_bad("service:\n  name: r\n  port: 1\n  address: 10.0.3.1\n"
               "  check:\n    type: tcp\n    interval: 1ms\n",
               "redis.yaml:7: check.interval \"1ms\" is not possible; give a "
               "duration from 100ms to 3600s, as 500ms, 5s or 2m");
    assert_bad("service:\n  name: r\n  port: 1\n  address: 10.0.3.1\n"
               "  tags:\n    - a\n    - b c\n",
               "redis.yaml:7: \"b c\" is not a tag; tags are DNS labels: 1 to "
               "63 letters, digits, '-' and '_', neither of these at an end, "
               "as eu-1");
    assert_bad("service:\n  name: r\n  port: 1\n  address: 10.0.3.1\n"
               "  meta:\n    a: b\n    c: [d]\n",
               "redis.yaml:7: meta.c is a list, not a text; give text of at "
               "most 63 bytes, as rack 7");
    assert_bad("service: [1]\n",
               "redis.yaml:1: a service is an object with fields; give its "
               "name, port and address");
    assert_bad("service: redis\n",
               "redis.yaml:1: a service is an object with fields; give its "
               "name, port and address");
    assert_bad("servise: {}\n",
               "redis.yaml:1: unknown key \"servise\" (did you mean "
               "\"service\"?)");
    assert_bad("services: {}\n",
               "redis.yaml: services is a list; for one, use service");
    assert_bad("service:\n  name: redis\n  ? [a]\n  : b\n",
               "redis.yaml:3: a key is a short text, as name or port");
    assert_bad("service:\n  name: a\n  port: 1\n  name: b\n",
               "redis.yaml:4:3: the key \"name\" stands there twice; leave one "
               "of the two out");
    assert_bad("service: {name: a, port: 1, address: 10.0.0.1,\n"
               "  meta: {a: b,\n a: c}}\n",
               "redis.yaml:3:2: the key \"a\" stands there twice; leave one of "
               "the two out");
    assert_bad("service: {}\nservice: {}\n",
               "redis.yaml:2:1: the key \"service\" stands there twice; leave "
               "one of the two out");
}

/* One bad service keeps the good ones of its file back. */
static void test_parse_bad_file(void **state)
{
    static const char good[] = "{name: a, port: 1, address: 10.0.3.1}";
    struct parsed parsed;
    char *error;
    char text[256];

    (void)state;
    (void)snprintf(text, sizeof(text), "services:\n  - %s\n  - {name: b}\n",
                   good);
    assert_bad(text, "redis.yaml:3: port is missing; give the port it listens "
                     "at, 1 to 65535, as 6379");
    (void)snprintf(text, sizeof(text), "service: %s\nservices: [%s]\n", good,
                   good);
    assert_bad(text, "redis.yaml:1: give service or services, not both");
    assert_true(parse("service: {\n", &parsed, &error) < 0);
    assert_non_null(strstr(error, "redis.yaml:"));
    free(error);
}

static void count_one(const struct registration *registration, const char *path,
                      size_t line, void *data)
{
    size_t *n = data;

    (void)registration;
    (void)path;
    (void)line;
    *n += 1;
}

static int count_services(size_t n, char **error)
{
    _cleanup_(free_pointer) char *text = malloc(64 * n + 64);
    size_t len;
    size_t found = 0;

    assert_non_null(text);
    len = (size_t)sprintf(text, "services:\n");
    for (size_t i = 0; i < n; i++) {
        len += (size_t)sprintf(text + len,
                               "- {name: a, port: 1, address: 10.0.3.1}\n");
    }
    *error = NULL;
    return services_parse_text("many.yaml", text, len, count_one, &found,
                               error) == 0
               ? (int)found
               : -1;
}

static void test_parse_many(void **state)
{
    char *error;

    (void)state;
    assert_int_equal(count_services(SERVICES_PER_FILE_MAX, &error),
                     SERVICES_PER_FILE_MAX);
    assert_null(error);
    assert_int_equal(count_services(SERVICES_PER_FILE_MAX + 1, &error), -1);
    assert_string_equal(error, "many.yaml:2: 1025 services are too many for "
                               "one file, at most 1024");
    free(error);
}

/* Out of memory anywhere: an error, nothing handed out, nothing leaked. */
static void test_parse_without_memory(void **state)
{
    static const char text[] = "services:\n"
                               "- name: redis\n  port: 1\n"
                               "  address: 10.0.3.1\n  check: tcp\n"
                               "- {name: b, port: 2, address: 10.0.3.2, "
                               "tags: [x, y], meta: {k: v}}\n";
    bool has_failed = true;

    (void)state;
    json_set_alloc_funcs(malloc, free);
    for (unsigned n = 1; has_failed; n++) {
        struct parsed parsed;
        char *error;
        int result;

        assert_true(n < 10000);
        heap_fail_at(n);
        result = parse(text, &parsed, &error);
        has_failed = heap_off();
        if (result == 0) {
            assert_int_equal(parsed.n, 2);
            assert_int_equal(parsed.registrations[1].service.n_tags, 2);
            assert_int_equal(parsed.registrations[1].service.n_meta, 1);
            assert_false(has_failed);
        } else {
            assert_true(has_failed);
            assert_int_equal(parsed.n, 0);
        }
        free(error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_host, setup, teardown),
        cmocka_unit_test(test_parse_one),
        cmocka_unit_test(test_parse_list),
        cmocka_unit_test(test_parse_bad),
        cmocka_unit_test(test_parse_bad_file),
        cmocka_unit_test(test_parse_many),
        cmocka_unit_test(test_parse_without_memory),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
