/*
 * gossip/wire/body.h: the fields of certificates and services one by one, their
 * ranges, the rules of names, and what a certificate allows.
 */
#include "gossip/wire/body.h"

#include <errno.h>

#include "tests/unit/body_samples.h"
#include "tests/unit/support.h"

static struct support_keys keys;

static void test_certificate_fields(void **state)
{
    struct body_certificate cert = sample_certificate(&keys);
    struct body_certificate got;
    uint8_t body[LIMIT_RECORD_SIZE];
    uint8_t buffer[LIMIT_RECORD_SIZE];
    struct record record;
    size_t size;

    (void)state;
    assert_int_equal(body_put_certificate(&cert, body, sizeof(body), &size), 0);
    support_record_unsigned(&keys, RECORD_CERTIFICATE, keys.sign_public, 32,
                            body, size, buffer, sizeof(buffer), &record);
    assert_int_equal(body_get_certificate(&record, &got), 0);
    assert_memory_equal(got.sign_public, cert.sign_public, 32);
    assert_memory_equal(got.exchange_public, cert.exchange_public, 32);
    assert_memory_equal(got.wireguard_public, cert.wireguard_public, 32);
    assert_string_equal(got.name, "host3");
    assert_int_equal(got.n_mesh, 2);
    assert_true(endpoint_equal(&got.mesh[0], &cert.mesh[0]));
    assert_true(endpoint_equal(&got.mesh[1], &cert.mesh[1]));
    assert_int_equal(got.n_subnets, 2);
    assert_true(
        address_equal(&got.subnets[1].address, &cert.subnets[1].address));
    assert_int_equal(got.subnets[1].len, 64);
    assert_int_equal(got.roles, 3);
    assert_int_equal(got.n_functions, 3);
    assert_string_equal(got.functions[1], "vector_*");
    assert_int_equal(got.n_scope, 1);
    assert_string_equal(got.scope[0], "host1");
    assert_true(got.not_before_s == 1700000000);
    assert_true(got.not_after_s == 1731536000);
    assert_int_equal(got.generation, 2);
    assert_true(got.serial == cert.serial);
}

static void test_service_fields(void **state)
{
    /* Only what is required: the rest gets the stated defaults. */
    static const uint8_t body[] = "\x85\x01\xa5redis\x02\xa1"
                                  "b\x03\x11\x04\x35\x05\xc4\x10"
                                  "\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01";
    uint8_t buffer[LIMIT_RECORD_SIZE];
    struct body_service got;
    struct record record;

    (void)state;
    support_record_unsigned(&keys, RECORD_SERVICE, "redis/b", 7, body,
                            sizeof(body) - 1, buffer, sizeof(buffer), &record);
    assert_int_equal(body_get_service(&record, &got), 0);
    assert_string_equal(got.function, "redis");
    assert_string_equal(got.instance, "b");
    assert_int_equal(got.protocol, 17);
    assert_int_equal(got.port, 53);
    assert_int_equal(got.address.family, 6);
    assert_int_equal(got.address.bytes[15], 1);
    assert_string_equal(got.port_name, "");
    assert_int_equal(got.weight, 100);
    assert_int_equal(got.priority, 0);
    assert_int_equal(got.health, BODY_HEALTH_PASSING);
    assert_int_equal(got.n_tags, 0);
    assert_int_equal(got.n_meta, 0);
    assert_int_equal(got.slot, 0);
    assert_int_equal(got.finding, BODY_FINDING_NONE);
    assert_int_equal(got.n_ports, 0);
}

static int decode_service(const struct body_service *service)
{
    char key[2 * BODY_NAME_SIZE];
    uint8_t body[LIMIT_RECORD_SIZE];
    uint8_t buffer[LIMIT_RECORD_SIZE];
    struct body_service got;
    struct record record;
    size_t size;

    assert_int_equal(body_put_service(service, body, sizeof(body), &size), 0);
    strcpy(key, service->function);
    strcat(key, "/");
    strcat(key, service->instance);
    support_record_unsigned(&keys, RECORD_SERVICE, key, strlen(key), body, size,
                            buffer, sizeof(buffer), &record);
    return body_get_service(&record, &got);
}

static void test_service_ranges(void **state)
{
    static const char *const bad_ports[] = {"a b", "a/b", "a:b",
                                            ".",   "..",  "v\xc3\xa4"};
    struct body_service s = sample_service();

    (void)state;
#define ASSERT_FIELD(field, value, expected)                                   \
    do {                                                                       \
        s = sample_service();                                                  \
        s.field = (value);                                                     \
        assert_int_equal(decode_service(&s), (expected));                      \
    } while (0)
#define ASSERT_TEXT(field, value, expected)                                    \
    do {                                                                       \
        s = sample_service();                                                  \
        strcpy(s.field, (value));                                              \
        assert_int_equal(decode_service(&s), (expected));                      \
    } while (0)

    ASSERT_FIELD(protocol, 17, 0);
    ASSERT_FIELD(protocol, 0, RECORD_E_BODY);
    ASSERT_FIELD(protocol, 132, RECORD_E_BODY);
    ASSERT_FIELD(port, 0, RECORD_E_BODY);
    ASSERT_FIELD(port, 1, 0);
    ASSERT_FIELD(port, 65535, 0);
    ASSERT_FIELD(weight, 0, RECORD_E_BODY);
    ASSERT_FIELD(weight, 1, 0);
    ASSERT_FIELD(weight, 1000, 0);
    ASSERT_FIELD(weight, 1001, RECORD_E_BODY);
    ASSERT_FIELD(priority, 65535, 0);
    ASSERT_FIELD(health, BODY_HEALTH_MAINTENANCE, 0);
    ASSERT_FIELD(health, BODY_HEALTH_MAINTENANCE + 1, RECORD_E_BODY);
    ASSERT_FIELD(slot, 65535, 0);
    ASSERT_FIELD(finding, BODY_FINDING_ADDRESS, 0);
    ASSERT_FIELD(finding, 255, 0); /* of a later release */
    ASSERT_FIELD(ports[1].protocol, 6, 0);
    ASSERT_FIELD(ports[1].protocol, 1, RECORD_E_BODY);
    ASSERT_FIELD(ports[1].first, 0, RECORD_E_BODY);
    ASSERT_FIELD(ports[1].first, 10099, 0);
    ASSERT_FIELD(ports[1].first, 10100, RECORD_E_BODY); /* past the last */
    ASSERT_FIELD(ports[1].last, 65535, 0);
    ASSERT_TEXT(ports[1].name, "", RECORD_E_BODY);
    ASSERT_TEXT(ports[1].name, "a b", RECORD_E_BODY);
    ASSERT_TEXT(ports[1].name, "admin", RECORD_E_BODY); /* twice */
    ASSERT_FIELD(address.family, 0, RECORD_E_BODY);
    ASSERT_TEXT(function, "vector_db", RECORD_E_BODY); /* not canonical */
    ASSERT_TEXT(function, "Redis", RECORD_E_BODY);
    ASSERT_TEXT(function, "-redis", RECORD_E_BODY);
    ASSERT_TEXT(function, "", RECORD_E_BODY);
    ASSERT_TEXT(instance, "B_1", 0);
    ASSERT_TEXT(instance, "b.1", RECORD_E_BODY);
    ASSERT_TEXT(instance, "", RECORD_E_BODY);
    ASSERT_TEXT(port_name, "", 0);
    ASSERT_TEXT(port_name, "eth0.100@x", 0);
    ASSERT_TEXT(port_name, "fifteen-letters", 0);
    ASSERT_TEXT(tags[1], "no space", RECORD_E_BODY);
    ASSERT_TEXT(tags[1], "", RECORD_E_BODY);
    ASSERT_TEXT(meta[0].key, "", RECORD_E_BODY);
    ASSERT_TEXT(meta[0].value, "", 0);
    ASSERT_TEXT(meta[0].key, "note", RECORD_E_BODY); /* twice */
    for (size_t i = 0; i < ARRAY_SIZE(bad_ports); i++) {
        ASSERT_TEXT(port_name, bad_ports[i], RECORD_E_BODY);
    }
#undef ASSERT_FIELD
#undef ASSERT_TEXT
}

static int decode_certificate(const struct body_certificate *cert)
{
    uint8_t body[LIMIT_RECORD_SIZE];
    uint8_t buffer[LIMIT_RECORD_SIZE];
    struct body_certificate got;
    struct record record;
    size_t size;

    assert_int_equal(body_put_certificate(cert, body, sizeof(body), &size), 0);
    support_record_unsigned(&keys, RECORD_CERTIFICATE, keys.sign_public, 32,
                            body, size, buffer, sizeof(buffer), &record);
    return body_get_certificate(&record, &got);
}

static void test_certificate_ranges(void **state)
{
    struct body_certificate c;

    (void)state;
#define ASSERT_FIELD(field, value, expected)                                   \
    do {                                                                       \
        c = sample_certificate(&keys);                                         \
        c.field = (value);                                                     \
        assert_int_equal(decode_certificate(&c), (expected));                  \
    } while (0)
#define ASSERT_TEXT(field, value, expected)                                    \
    do {                                                                       \
        c = sample_certificate(&keys);                                         \
        strcpy(c.field, (value));                                              \
        assert_int_equal(decode_certificate(&c), (expected));                  \
    } while (0)

    ASSERT_FIELD(sign_public[0], (uint8_t)(keys.sign_public[0] ^ 1),
                 RECORD_E_BODY);
    ASSERT_FIELD(n_mesh, 0, RECORD_E_BODY);
    ASSERT_FIELD(mesh[1].port, 0, RECORD_E_BODY);
    ASSERT_FIELD(mesh[1].address.family, 0, RECORD_E_BODY);
    ASSERT_FIELD(subnets[0].len, 33, RECORD_E_BODY);
    ASSERT_FIELD(subnets[0].len, 21, RECORD_E_BODY); /* host bits set */
    ASSERT_FIELD(n_subnets, 0, 0);
    ASSERT_FIELD(roles, UINT32_MAX, 0); /* roles of later versions */
    ASSERT_FIELD(serial, 0, RECORD_E_BODY);
    ASSERT_FIELD(serial, UINT64_MAX, 0);
    ASSERT_FIELD(generation, UINT32_MAX, 0);
    ASSERT_FIELD(not_after_s, 1700000000, RECORD_E_BODY); /* = not before */
    ASSERT_FIELD(not_after_s, 1700000001, 0);
    ASSERT_TEXT(name, "", RECORD_E_BODY);
    ASSERT_TEXT(name, "host 3", RECORD_E_BODY);
    ASSERT_TEXT(functions[0], "", RECORD_E_BODY);
    ASSERT_TEXT(functions[0], "a*b", RECORD_E_BODY);
    ASSERT_TEXT(functions[0], "**", RECORD_E_BODY);
    ASSERT_TEXT(functions[0], "-*", RECORD_E_BODY);
    ASSERT_TEXT(functions[0], "a-*", 0);
    ASSERT_TEXT(scope[0], "", RECORD_E_BODY);
    ASSERT_TEXT(scope[0], "*", 0);
#undef ASSERT_FIELD
#undef ASSERT_TEXT
}

static void test_names(void **state)
{
    static const char *const good[] = {"a", "redis", "vector_db", "A-1",
                                       "0", "a--b",  "a_-_b",     "9lives"};
    static const char *const bad[] = {"",    "-a",  "a-",  "_a",       "a_",
                                      "a.b", "a b", "a/b", "\xc3\xa4", "*"};
    char name[BODY_NAME_SIZE] = "untouched";

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        assert_true(body_name_valid(good[i]));
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_false(body_name_valid(bad[i]));
        assert_int_equal(body_name_canonical(bad[i], name), -EINVAL);
    }
    assert_string_equal(name, "untouched");
    assert_int_equal(body_name_canonical("Vector_DB-2", name), 0);
    assert_string_equal(name, "vector-db-2");
}

static void test_allows_function(void **state)
{
    struct body_certificate cert = {
        .functions = {"redis", "vector_*"},
        .n_functions = 2,
    };

    (void)state;
    assert_true(body_certificate_allows_function(&cert, "redis"));
    assert_true(body_certificate_allows_function(&cert, "vector-db"));
    assert_true(body_certificate_allows_function(&cert, "vector-"));
    assert_false(body_certificate_allows_function(&cert, "vector"));
    assert_false(body_certificate_allows_function(&cert, "redis2"));
    assert_false(body_certificate_allows_function(&cert, "redi"));
    assert_false(body_certificate_allows_function(&cert, ""));
    strcpy(cert.functions[0], "*");
    assert_true(body_certificate_allows_function(&cert, "anything"));
    cert.n_functions = 0;
    assert_false(body_certificate_allows_function(&cert, "redis"));
}

static void test_allows_address(void **state)
{
    struct body_certificate cert = sample_certificate(&keys);
    static const char *const inside[] = {"10.0.3.0", "10.0.3.203",
                                         "100.104.70.3", "fd01::9", "fd00::3"};
    static const char *const outside[] = {"10.0.2.255", "10.0.4.0",
                                          "100.104.70.4",
                                          "fd01:0:0:1::", "::ffff:10.0.3.203"};
    struct address address = {.family = 0};

    (void)state;
    assert_false(body_certificate_allows_address(&cert, &address));
    for (size_t i = 0; i < ARRAY_SIZE(inside); i++) {
        assert_int_equal(address_parse(inside[i], &address), 0);
        assert_true(body_certificate_allows_address(&cert, &address));
        assert_int_equal(address_parse(outside[i], &address), 0);
        assert_false(body_certificate_allows_address(&cert, &address));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_certificate_fields),
        cmocka_unit_test(test_service_fields),
        cmocka_unit_test(test_service_ranges),
        cmocka_unit_test(test_certificate_ranges),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_allows_function),
        cmocka_unit_test(test_allows_address),
    };

    if (sodium_init() < 0) {
        return 1;
    }
    keys = support_keys_make(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
