/*
 * The body of POST /api/v1/services: agent/api/api_spec.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent/api/api_spec.h"

static int parse(const char *text, struct services_spec *spec, bool *wait,
                 struct api_spec_problem *problem)
{
    json_auto_t *root = json_loads(text, 0, NULL);

    assert_non_null(root);
    return api_spec_parse(root, "host3", spec, wait, problem);
}

static void test_least(void **state)
{
    struct api_spec_problem problem = {0};
    struct services_spec spec;
    bool wait = true;

    (void)state;
    assert_int_equal(
        parse("{\"name\":\"Vector_DB\",\"port\":1,\"address\":\"10.0.3.203\"}",
              &spec, &wait, &problem),
        0);
    assert_string_equal(spec.service.function, "vector-db");
    assert_string_equal(spec.service.instance, "host3");
    assert_int_equal(spec.service.port, 1);
    assert_int_equal(spec.service.address.family, 4);
    assert_int_equal(spec.service.protocol, 6);
    assert_int_equal(spec.service.weight, 100);
    assert_int_equal(spec.service.priority, 0);
    assert_int_equal(spec.check.type, SERVICES_CHECK_NONE);
    assert_false(wait);
}

static void test_all(void **state)
{
    struct api_spec_problem problem = {0};
    struct services_spec spec;
    bool wait = false;

    (void)state;
    assert_int_equal(
        parse("{\"schema\":1,\"name\":\"dns\",\"port\":53,"
              "\"address\":\"fd00::7\",\"port_name\":\"veth203\","
              "\"protocol\":\"udp\",\"weight\":1000,\"priority\":65535,"
              "\"tags\":[\"a\",\"b\"],\"meta\":{\"rack\":\"r 1\"},"
              "\"check\":{\"type\":\"tcp\",\"interval_ms\":100,"
              "\"timeout_ms\":10,\"port\":54,\"pass\":2,\"fail\":4},"
              "\"wait\":true}",
              &spec, &wait, &problem),
        0);
    assert_string_equal(spec.service.instance, "veth203");
    assert_string_equal(spec.service.port_name, "veth203");
    assert_int_equal(spec.service.address.family, 6);
    assert_int_equal(spec.service.protocol, 17);
    assert_int_equal(spec.service.weight, 1000);
    assert_int_equal(spec.service.priority, 65535);
    assert_int_equal(spec.service.n_tags, 2);
    assert_string_equal(spec.service.tags[1], "b");
    assert_int_equal(spec.service.n_meta, 1);
    assert_string_equal(spec.service.meta[0].value, "r 1");
    assert_int_equal(spec.check.type, SERVICES_CHECK_TCP);
    assert_int_equal(spec.check.interval_ms, 100);
    assert_int_equal(spec.check.timeout_ms, 10);
    assert_int_equal(spec.check.port, 54);
    assert_int_equal(spec.check.pass, 2);
    assert_int_equal(spec.check.fail, 4);
    assert_true(wait);

    /* The short form of a check; an instance of one's own. */
    assert_int_equal(
        parse("{\"name\":\"a\",\"port\":1,\"address\":\"10.0.0.1\","
              "\"port_name\":\"veth203\",\"instance\":\"blue\","
              "\"check\":\"tcp\"}",
              &spec, &wait, &problem),
        0);
    assert_string_equal(spec.service.instance, "blue");
    assert_int_equal(spec.check.type, SERVICES_CHECK_TCP);
    assert_int_equal(spec.check.interval_ms, 10000);
}

static void assert_bad(const char *members, const char *where, const char *next)
{
    struct api_spec_problem problem = {0};
    struct services_spec spec;
    char text[2048];
    bool wait;

    snprintf(text, sizeof(text),
             "{\"name\":\"a\",\"port\":1,\"address\":\"10.0.0.1\"%s}", members);
    assert_int_equal(parse(text, &spec, &wait, &problem), 1);
    assert_true(problem.what[0] != '\0');
    assert_string_equal(problem.where, where);
    if (strstr(problem.next, next) == NULL) {
        fail_msg("expected %s in: %s", next, problem.next);
    }
}

static void test_bad(void **state)
{
    (void)state;
    assert_bad(",\"prto\":1", "field prto", "did you mean port?");
    assert_bad(",\"name\":\"-a\"", "field name", "DNS labels");
    assert_bad(",\"name\":7", "field name", "text");
    assert_bad(",\"name\":\"\"", "field name", "DNS labels");
    assert_bad(",\"port\":0", "field port", "1 to 65535");
    assert_bad(",\"port\":65536", "field port", "1 to 65535");
    assert_bad(",\"port\":\"80\"", "field port", "1 to 65535");
    assert_bad(",\"address\":\"10.0.0\"", "field address", "10.0.3.203");
    assert_bad(",\"address\":null", "field address", "10.0.3.203");
    assert_bad(",\"port_name\":\"1234567890123456\"", "field port_name",
               "at most 15");
    assert_bad(",\"instance\":\"a b\"", "field instance", "DNS labels");
    assert_bad(",\"protocol\":\"sctp\"", "field protocol", "tcp or udp");
    assert_bad(",\"weight\":0", "field weight", "1 to 1000");
    assert_bad(",\"tags\":\"x\"", "field tags", "list");
    assert_bad(",\"tags\":[1]", "field tags", "DNS labels");
    assert_bad(",\"tags\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\","
               "\"9\"]",
               "field tags", "at most 8");
    assert_bad(",\"meta\":[]", "field meta", "object");
    assert_bad(",\"meta\":{\"a\":1}", "field meta", "texts");
    assert_bad(",\"check\":\"http\"", "field check.type", "tcp");
    assert_bad(",\"check\":{\"interval\":1}", "field check.interval",
               "did you mean interval_ms?");
    assert_bad(",\"check\":{\"type\":\"tcp\",\"interval_ms\":99}",
               "field check.interval_ms", "100 to");
    assert_bad(",\"wait\":1", "field wait", "true or false");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_least),
        cmocka_unit_test(test_all),
        cmocka_unit_test(test_bad),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
