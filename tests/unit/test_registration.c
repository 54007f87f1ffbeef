/*
 * The fields of a registration, their defaults, their bounds, and the words
 * for what is wrong: agent/registration.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent/registration/registration.h"
#include "tests/unit/heap.h"

static int parse_as(enum registration_style style, const char *text,
                    struct registration *registration,
                    struct registration_problem *problem)
{
    json_auto_t *root = json_loads(text, JSON_ALLOW_NUL, NULL);

    assert_non_null(root);
    return registration_parse(root, style, registration, problem);
}

static int parse(const char *text, struct registration *registration,
                 struct registration_problem *problem)
{
    return parse_as(REGISTRATION_JSON, text, registration, problem);
}

static void test_defaults(void **state)
{
    struct registration_problem problem = {0};
    struct registration registration;

    (void)state;
    assert_int_equal(
        parse("{\"name\":\"Vector_DB\",\"port\":1,\"address\":\"10.0.3.203\"}",
              &registration, &problem),
        0);
    assert_string_equal(registration.service.function, "vector-db");
    assert_string_equal(registration.service.instance, "");
    assert_int_equal(registration.service.port, 1);
    assert_int_equal(registration.service.address.family, 4);
    assert_int_equal(registration.service.protocol, 6);
    assert_int_equal(registration.service.weight, 100);
    assert_int_equal(registration.service.priority, 0);
    assert_int_equal(registration.service.n_tags, 0);
    assert_int_equal(registration.service.n_meta, 0);
    assert_int_equal(registration.check.type, REGISTRATION_CHECK_NONE);
    assert_int_equal(registration.check.interval_ms, 0);
    assert_string_equal(problem.what, "");

    assert_int_equal(
        parse("{\"name\":\"a\",\"port\":1,\"address\":\"10.0.0.1\","
              "\"port_name\":null,\"check\":\"tcp\"}",
              &registration, &problem),
        0);
    assert_int_equal(registration.check.type, REGISTRATION_CHECK_TCP);
    assert_int_equal(registration.check.interval_ms, 1000);
    assert_int_equal(registration.check.timeout_ms, 2000);
    assert_int_equal(registration.check.port, 0);
    assert_int_equal(registration.check.pass, 1);
    assert_int_equal(registration.check.fail, 3);
}

static void assert_all(const struct registration *registration)
{
    const struct body_service *service = &registration->service;

    assert_string_equal(service->function, "dns");
    assert_string_equal(service->instance, "blue");
    assert_string_equal(service->port_name, "veth203");
    assert_int_equal(service->address.family, 6);
    assert_int_equal(service->port, 53);
    assert_int_equal(service->protocol, 17);
    assert_int_equal(service->weight, 1000);
    assert_int_equal(service->priority, 65535);
    assert_int_equal(service->n_tags, 2);
    assert_string_equal(service->tags[1], "7");
    assert_int_equal(service->n_meta, 1);
    assert_string_equal(service->meta[0].key, "rack");
    assert_string_equal(service->meta[0].value, "12");
    assert_int_equal(registration->check.type, REGISTRATION_CHECK_TCP);
    assert_int_equal(registration->check.interval_ms, 100);
    assert_int_equal(registration->check.timeout_ms, 10);
    assert_int_equal(registration->check.port, 54);
    assert_int_equal(registration->check.pass, 2);
    assert_int_equal(registration->check.fail, 1000);
}

static void test_all(void **state)
{
    struct registration_problem problem = {0};
    struct registration registration;

    (void)state;
    assert_int_equal(
        parse("{\"name\":\"dns\",\"instance\":\"blue\",\"port\":53,"
              "\"address\":\"fd00::7\",\"port_name\":\"veth203\","
              "\"protocol\":\"udp\",\"weight\":1000,\"priority\":65535,"
              "\"tags\":[\"a\",\"7\"],\"meta\":{\"rack\":\"12\"},"
              "\"check\":{\"type\":\"tcp\",\"interval_ms\":100,"
              "\"timeout_ms\":10,\"port\":54,\"pass\":2,\"fail\":1000}}",
              &registration, &problem),
        0);
    assert_all(&registration);
    /* The same as YAML has it: every scalar is a text. */
    memset(&registration, 0, sizeof(registration));
    assert_int_equal(
        parse_as(REGISTRATION_TEXTS,
                 "{\"name\":\"dns\",\"instance\":\"blue\",\"port\":\"53\","
                 "\"address\":\"fd00::7\",\"port_name\":\"veth203\","
                 "\"protocol\":\"udp\",\"weight\":\"1000\","
                 "\"priority\":\"65535\",\"tags\":[\"a\",\"7\"],"
                 "\"meta\":{\"rack\":\"12\"},"
                 "\"check\":{\"type\":\"tcp\",\"interval\":\"100ms\","
                 "\"timeout_ms\":\"10\",\"port\":\"54\",\"pass\":\"2\","
                 "\"fail\":\"1000\"}}",
                 &registration, &problem),
        0);
    assert_all(&registration);
    assert_int_equal(parse_as(REGISTRATION_TEXTS,
                              "{\"name\":\"a\",\"port\":\"1\",\"address\":"
                              "\"10.0.0.1\",\"tags\":\"one\"}",
                              &registration, &problem),
                     0);
    assert_int_equal(registration.service.n_tags, 1);
    assert_string_equal(registration.service.tags[0], "one");
}

/* The whole text, since people read all of it. */
static void assert_bad_as(enum registration_style style, const char *members,
                          const char *expected)
{
    struct registration_problem problem = {0};
    struct registration registration = {.check.fail = 77};
    char text[2048];
    char found[sizeof(problem) + 8];

    (void)snprintf(text, sizeof(text),
                   "{\"name\":\"a\",\"port\":%s,\"address\":\"10.0.0.1\"%s}",
                   style == REGISTRATION_TEXTS ? "\"1\"" : "1", members);
    assert_int_equal(parse_as(style, text, &registration, &problem),
                     REGISTRATION_E_INVALID);
    assert_int_equal(registration.check.fail, 77); /* left alone */
    (void)snprintf(found, sizeof(found), "%s: %s; %s", problem.field,
                   problem.what, problem.next);
    assert_string_equal(found, expected);
}

static void assert_bad(const char *members, const char *expected)
{
    assert_bad_as(REGISTRATION_JSON, members, expected);
}

#define NAME_70                                                                \
    "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggggggggg"
#define NAME_RULE                                                              \
    "names are DNS labels: 1 to 63 letters, digits, '-' and '_', neither of "  \
    "these at an end, as vector-db"
#define ADDRESS_RULE                                                           \
    "give the address of the container or host that serves it, as 10.0.3.203"
#define PORT_NAME_RULE                                                         \
    "give the name of its port on the bridge, as veth203: 1 to 15 printable "  \
    "characters without '/', ':' and blanks"

static void test_bad_names(void **state)
{
    (void)state;
    assert_bad(",\"prto\":1",
               "prto: there is no field prto; did you mean port?");
    assert_bad(",\"qqqqqq\":1",
               "qqqqqq: there is no field qqqqqq; known are name, instance, "
               "port, protocol, address, port_name, tags, meta, weight, "
               "priority, check");
    assert_bad(",\"name\":\"-a\"",
               "name: name \"-a\" is not a name; " NAME_RULE);
    assert_bad(",\"name\":\"\"", "name: name \"\" is not a name; " NAME_RULE);
    assert_bad(",\"name\":7", "name: name is 7, not a text; give text of at "
                              "most 63 bytes, as redis");
    assert_bad(",\"name\":null", "name: name is missing; give the name of the "
                                 "function it offers, as redis");
    assert_bad(",\"name\":\"" NAME_70 "\"",
               "name: name is 70 bytes long; give text of at most 63 bytes, as "
               "redis");
    assert_bad(",\"name\":\"a\\u0000b\"",
               "name: name has a zero byte; give text of at most 63 bytes, as "
               "redis");
    assert_bad(",\"instance\":\"a b\"",
               "instance: instance \"a b\" is not a name; " NAME_RULE);
    assert_bad(",\"port_name\":\"1234567890123456\"",
               "port_name: port_name is 16 bytes long; give text of at most 15 "
               "bytes, as veth203");
    assert_bad(",\"port_name\":\"a/b\"",
               "port_name: \"a/b\" is not the name of a port; " PORT_NAME_RULE);
    assert_bad(",\"port_name\":\"a:b\"",
               "port_name: \"a:b\" is not the name of a port; " PORT_NAME_RULE);
    assert_bad(",\"port_name\":\"a b\"",
               "port_name: \"a b\" is not the name of a port; " PORT_NAME_RULE);
    assert_bad(",\"port_name\":\".\"",
               "port_name: \".\" is not the name of a port; " PORT_NAME_RULE);
    assert_bad(",\"port_name\":\"..\"",
               "port_name: \"..\" is not the name of a port; " PORT_NAME_RULE);
    assert_bad(",\"port_name\":\"a\\u007f\"",
               "port_name: \"a\x7f\" is not the "
               "name of a port; " PORT_NAME_RULE);
}

static void test_bad_values(void **state)
{
    (void)state;
    assert_bad(",\"port\":0", "port: port 0 is not possible; give a whole "
                              "number from 1 to 65535");
    assert_bad(",\"port\":65536", "port: port 65536 is not possible; give a "
                                  "whole number from 1 to 65535");
    assert_bad(",\"port\":-1", "port: port -1 is not possible; give a whole "
                               "number from 1 to 65535");
    assert_bad(",\"port\":\"80\"", "port: port \"80\" is not possible; give a "
                                   "whole number from 1 to 65535");
    assert_bad(",\"port\":1.5", "port: port 1.5 is not possible; give a whole "
                                "number from 1 to 65535");
    assert_bad(",\"port\":null", "port: port is missing; give the port it "
                                 "listens at, 1 to 65535, as 6379");
    assert_bad(",\"address\":null",
               "address: address is missing; " ADDRESS_RULE);
    assert_bad(
        ",\"address\":\"10.0.0\"",
        "address: address \"10.0.0\" is not an IP address; " ADDRESS_RULE);
    assert_bad(",\"protocol\":\"sctp\"",
               "protocol: protocol \"sctp\" is "
               "neither tcp nor udp; give tcp or udp");
    assert_bad(",\"weight\":0", "weight: weight 0 is not possible; give a "
                                "whole number from 1 to 1000");
    assert_bad(",\"weight\":1001", "weight: weight 1001 is not possible; give "
                                   "a whole number from 1 to 1000");
    assert_bad(",\"priority\":65536", "priority: priority 65536 is not "
                                      "possible; give a whole number from 0 to "
                                      "65535");
    assert_bad_as(REGISTRATION_TEXTS, ",\"weight\":\"much\"",
                  "weight: weight \"much\" is not possible; give a whole "
                  "number from 1 to 1000");
}

static void test_bad_lists(void **state)
{
    (void)state;
    assert_bad(",\"tags\":\"x\"", "tags: tags is \"x\", not a list; give a "
                                  "list of at most 8 names, as [\"cache\", "
                                  "\"eu-1\"]");
    assert_bad(",\"tags\":[1]", "tags[0]: tags[0] is 1, not a text; give text "
                                "of at most 63 bytes, as eu-1");
    assert_bad(",\"tags\":[\"a\",\"b c\"]",
               "tags[1]: \"b c\" is not a tag; tags are DNS labels: 1 to 63 "
               "letters, digits, '-' and '_', neither of these at an end, as "
               "eu-1");
    assert_bad(",\"tags\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\","
               "\"9\"]",
               "tags: 9 tags are too many, at most 8; give a list of at most 8 "
               "names, as [\"cache\", \"eu-1\"]");
    assert_bad(",\"meta\":[]", "meta: meta is a list, not an object; give an "
                               "object of at most 8 texts, as {\"owner\": "
                               "\"data\"}");
    assert_bad(",\"meta\":{\"a\":1}", "meta.a: meta.a is 1, not a text; give "
                                      "text of at most 63 bytes, as rack 7");
    assert_bad(",\"meta\":{\"a b\":\"c\"}",
               "meta.a b: \"a b\" cannot be a key of meta; " NAME_RULE);
    assert_bad(",\"meta\":{\"a\":\"b\\tc\"}",
               "meta.a: meta.a has a control character; give one line of text "
               "without tabs");
    assert_bad(",\"meta\":{\"a\":\"b\\u007f\"}",
               "meta.a: meta.a has a control character; give one line of text "
               "without tabs");
    assert_bad(",\"meta\":{\"1\":\"\",\"2\":\"\",\"3\":\"\",\"4\":\"\","
               "\"5\":\"\",\"6\":\"\",\"7\":\"\",\"8\":\"\",\"9\":\"\"}",
               "meta: 9 texts in meta are too many, at most 8; give an object "
               "of at most 8 texts, as {\"owner\": \"data\"}");
}

static void test_bad_checks(void **state)
{
    (void)state;
    assert_bad(",\"check\":\"http\"",
               "check.type: there is no check of type \"http\"; give tcp, or "
               "leave the check out");
    assert_bad(",\"check\":7",
               "check: check is 7; give tcp, or an object with a type, as "
               "{\"type\": \"tcp\", \"interval\": \"5s\"}");
    assert_bad(",\"check\":{}", "check.type: check.type is missing; give tcp, "
                                "or leave the check out");
    assert_bad(",\"check\":{\"interva\":1}",
               "check.interva: there is no field check.interva; did you mean "
               "interval?");
    assert_bad(",\"check\":{\"type\":\"tcp\",\"interval_ms\":99}",
               "check.interval_ms: check.interval_ms 99 is not possible; give "
               "a whole number from 100 to 3600000");
    assert_bad(
        ",\"check\":{\"type\":\"tcp\",\"interval\":\"99ms\"}",
        "check.interval: check.interval \"99ms\" is not possible; give a "
        "duration from 100ms to 3600s, as 500ms, 5s or 2m");
    assert_bad(",\"check\":{\"type\":\"tcp\",\"timeout\":\"2h\"}",
               "check.timeout: check.timeout \"2h\" is not possible; give a "
               "duration from 10ms to 3600s, as 500ms, 5s or 2m");
    assert_bad(",\"check\":{\"type\":\"tcp\",\"timeout\":\"1s\","
               "\"timeout_ms\":1000}",
               "check.timeout_ms: timeout and timeout_ms are one thing twice; "
               "give one of them");
    assert_bad(",\"check\":{\"type\":\"tcp\",\"fail\":0}",
               "check.fail: check.fail 0 is not possible; give a whole number "
               "from 1 to 1000");
    assert_bad(",\"check\":{\"type\":\"tcp\",\"pass\":1001}",
               "check.pass: check.pass 1001 is not possible; give a whole "
               "number from 1 to 1000");
    assert_bad(",\"protocol\":\"udp\",\"check\":\"tcp\"",
               "check: a tcp check cannot ask the udp port 1; give the check a "
               "port of its own, one that answers to tcp, or leave the check "
               "out");
}

/* The ends of each range are inside. */
static void test_ends(void **state)
{
    struct registration_problem problem = {0};
    struct registration registration;

    (void)state;
    assert_int_equal(
        parse("{\"name\":\"a\",\"port\":65535,\"address\":\"10.0.0.1\","
              "\"weight\":1,\"check\":{\"type\":\"tcp\",\"interval\":\"1h\","
              "\"timeout\":\"10ms\",\"port\":0}}",
              &registration, &problem),
        0);
    assert_int_equal(registration.service.port, 65535);
    assert_int_equal(registration.check.interval_ms, 3600000);
    assert_int_equal(registration.check.timeout_ms, 10);
}

static void test_no_object(void **state)
{
    struct registration_problem problem = {0};
    struct registration registration;

    (void)state;
    assert_int_equal(parse("[1]", &registration, &problem),
                     REGISTRATION_E_INVALID);
    assert_string_equal(problem.field, "");
    assert_string_equal(problem.what, "a service is an object with fields");
    assert_string_equal(problem.next, "give its name, port and address");
}

/* What is kept is read back as it was. */
static void test_kept_check(void **state)
{
    static const struct registration_check checks[] = {
        {0},
        {REGISTRATION_CHECK_TCP, 100, 10, 54, 2, 1000},
        {REGISTRATION_CHECK_TCP, 3600000, 3600000, 65535, 1000, 1}};
    struct registration_problem problem = {0};
    struct registration_check read;

    (void)state;
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        json_auto_t *kept = registration_check_json(&checks[i]);

        assert_non_null(kept);
        assert_int_equal(
            registration_parse_check(kept, REGISTRATION_JSON, &read, &problem),
            0);
        assert_memory_equal(&read, &checks[i], sizeof(read));
    }
    read.fail = 7;
    assert_int_equal(
        registration_parse_check(NULL, REGISTRATION_JSON, &read, &problem), 0);
    assert_int_equal(read.type, REGISTRATION_CHECK_NONE);
    assert_int_equal(read.fail, 0);
}

static void test_kept_check_without_memory(void **state)
{
    const struct registration_check check = {
        REGISTRATION_CHECK_TCP, 100, 10, 0, 1, 3};
    bool has_failed = true;

    (void)state;
    json_set_alloc_funcs(malloc, free);
    for (unsigned n = 1; has_failed; n++) {
        json_t *kept;

        assert_true(n < 1000);
        heap_fail_at(n);
        kept = registration_check_json(&check);
        has_failed = heap_off();
        assert_true((kept == NULL) == has_failed); /* whole or not at all */
        json_decref(kept);
    }
}

static void test_instance_name(void **state)
{
    struct registration registration = {0};

    (void)state;
    registration_name_instance(&registration, "host3");
    assert_string_equal(registration.service.instance, "host3");
    registration_name_instance(&registration, "other");
    assert_string_equal(registration.service.instance, "host3");
    registration = (struct registration){.service.port_name = "veth203"};
    registration_name_instance(&registration, "host3");
    assert_string_equal(registration.service.instance, "veth203");
    /* A port whose name is no label: the node's name. */
    registration = (struct registration){.service.port_name = "eth0.12"};
    registration_name_instance(&registration, "host3");
    assert_string_equal(registration.service.instance, "host3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_all),
        cmocka_unit_test(test_bad_names),
        cmocka_unit_test(test_bad_values),
        cmocka_unit_test(test_bad_lists),
        cmocka_unit_test(test_bad_checks),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_no_object),
        cmocka_unit_test(test_kept_check),
        cmocka_unit_test(test_kept_check_without_memory),
        cmocka_unit_test(test_instance_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
