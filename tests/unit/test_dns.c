/*
 * What DNS answers: names, who asks, types, case, EDNS, truncation, and what
 * is no query at all.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

#include "agent/dns/dns_answer.h"
#include "tests/unit/dns_text.h"
#include "tests/unit/fake_node.h"

/* After ours: it defines our _cleanup_ again, in the same words. */
#include <libknot/libknot.h>

static const uint8_t cluster[RECORD_CLUSTER_SIZE] = {1};
static struct node *node;
static struct node_member *members[10];
static struct catalog *catalog;
static struct dns_zone *zone;

static struct address parse(const char *text)
{
    struct address address;

    assert_int_equal(address_parse(text, &address), 0);
    return address;
}

static struct body_service make_service(const char *function, const char *name,
                                        const char *address)
{
    struct body_service service = fake_service(function, address, 6379);

    (void)snprintf(service.instance, sizeof(service.instance), "%s", name);
    return service;
}

static void put_service(uint8_t number, const char *function, const char *name,
                        const char *address)
{
    struct body_service service = make_service(function, name, address);

    fake_node_service(node, number, &service);
}

static void rebuild(void)
{
    assert_int_equal(catalog_rebuild(catalog, node), 0);
}

/* redis: three instances on two other nodes, two of the same name; vector-db:
 * a local one; v6: by IPv6; gone: its only node is down. */
static int setup(void **state)
{
    static const uint8_t numbers[] = {1, 2, 3, 9};
    struct body_service service;
    struct prefix range;

    (void)state;
    node = fake_node_new();
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        members[numbers[i]] = fake_node_member(node, numbers[i]);
    }
    members[2]->rtt_us = 30000;
    members[3]->rtt_us = 500;
    members[9]->state = NODE_MEMBER_DEAD;
    put_service(2, "redis", "veth203", "10.0.2.203");
    put_service(3, "redis", "veth203", "10.0.3.203");
    service = make_service("redis", "Spare_1", "10.0.3.204");
    service.priority = 1;
    fake_node_service(node, 3, &service);
    service = make_service("vector-db", "main", "10.0.1.200");
    service.port = 6333;
    fake_node_service(node, 1, &service);
    put_service(9, "gone", "old", "10.0.9.9");
    fake_node_function(node, 1, "redis", "100.80.0.1");
    fake_node_function(node, 1, "vector-db", "100.80.0.2");
    fake_node_function(node, 1, "gone", "100.80.0.4");
    fake_node_function(node, 1, "v6", "fd00::1");
    assert_int_equal(prefix_parse("100.80.0.0/12", &range), 0);
    assert_int_equal(catalog_new(cluster, &range, &catalog), 0);
    rebuild();
    return dns_zone_new("Mesh.internal", "host1", 7, catalog, &zone);
}

static int teardown(void **state)
{
    (void)state;
    zone = dns_zone_free(zone);
    catalog = catalog_free(catalog);
    fake_node_free(node);
    return 0;
}

static const struct dns_asker container = {.dials_functions = true};
static const struct dns_asker host = {0};

/* Asks, and compares the whole answer. */
static void assert_answer(const struct dns_asker *asker, const char *name,
                          uint16_t type, uint16_t edns, const char *expected)
{
    uint8_t query[512], answer[DNS_TCP_SIZE];
    struct dns_answer_info info;
    size_t size, n = dns_text_query(name, type, edns, query, sizeof(query));
    char text[65536];

    assert_int_equal(dns_answer(zone, asker, query, n, answer, &size, &info),
                     0);
    dns_text_answer(answer, size, text, sizeof(text));
    if (strcmp(text, expected) != 0) {
        fail_msg("%s %u:\n%s\nexpected:\n%s", name, type, text, expected);
    }
}

#define SOA                                                                    \
    "AU mesh.internal. 1 SOA host1.node.mesh.internal. "                       \
    "hostmaster.mesh.internal. 7 3600 600 86400 1\n"

static void test_function(void **state)
{
    (void)state;
    assert_answer(&container, "redis.mesh.internal", KNOT_RRTYPE_A, 0,
                  "NOERROR aa\nAN redis.mesh.internal. 5 A 100.80.0.1\n");
    /* Nearest first: host3's, the one of lower priority, the far host2's. */
    assert_answer(&host, "redis.mesh.internal", KNOT_RRTYPE_A, 0,
                  "NOERROR aa\nAN redis.mesh.internal. 5 A 10.0.3.203\n"
                  "AN redis.mesh.internal. 5 A 10.0.2.203\n"
                  "AN redis.mesh.internal. 5 A 10.0.3.204\n");
    /* One name, in any spelling; the spelling of the question comes back. */
    assert_answer(&container, "Vector_DB.MESH.internal", KNOT_RRTYPE_A, 0,
                  "NOERROR aa\nAN Vector_DB.MESH.internal. 5 A 100.80.0.2\n");
    assert_answer(&container, "vector-db.mesh.internal", KNOT_RRTYPE_ANY, 0,
                  "NOERROR aa\nAN vector-db.mesh.internal. 5 A 100.80.0.2\n");
    assert_answer(&container, "v6.mesh.internal", KNOT_RRTYPE_AAAA, 0,
                  "NOERROR aa\nAN v6.mesh.internal. 5 AAAA fd00::1\n");
    /* Known, but of another family, or without an instance. */
    assert_answer(&container, "redis.mesh.internal", KNOT_RRTYPE_AAAA, 0,
                  "NOERROR aa\n" SOA);
    assert_answer(&container, "v6.mesh.internal", KNOT_RRTYPE_A, 0,
                  "NOERROR aa\n" SOA);
    assert_answer(&host, "gone.mesh.internal", KNOT_RRTYPE_A, 0,
                  "NOERROR aa\n" SOA);
    assert_answer(&container, "gone.mesh.internal", KNOT_RRTYPE_A, 0,
                  "NOERROR aa\nAN gone.mesh.internal. 5 A 100.80.0.4\n");
    assert_answer(&container, "nothing.mesh.internal", KNOT_RRTYPE_A, 0,
                  "NXDOMAIN aa\n" SOA);
    assert_answer(&container, "a.b.c.redis.mesh.internal", KNOT_RRTYPE_A, 0,
                  "NXDOMAIN aa\n" SOA);
    assert_answer(&container, "\\000x.mesh.internal", KNOT_RRTYPE_A, 0,
                  "NXDOMAIN aa\n" SOA);
}

/* A label may hold any byte, also one that ends a text of ours. */
static void test_nul(void **state)
{
    static const char *const names[] = {
        "redis\\000.mesh.internal",
        "redis\\000x.mesh.internal",
        "main\\000.vector-db.mesh.internal",
        "main.vector-db\\000.mesh.internal",
        "veth203.host3\\000.redis.mesh.internal",
        "host3\\000.node.mesh.internal",
        "_redis\\000._tcp.mesh.internal",
        "redis\\.x.mesh.internal",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        assert_answer(&host, names[i], KNOT_RRTYPE_A, 0, "NXDOMAIN aa\n" SOA);
    }
    /* Nothing but names lies below these. */
    assert_answer(&host, "host3.node\\000.mesh.internal", KNOT_RRTYPE_A, 0,
                  "NXDOMAIN aa\n" SOA);
    assert_answer(&host, "_redis._tcp\\000.mesh.internal", KNOT_RRTYPE_SRV, 0,
                  "NXDOMAIN aa\n" SOA);
}

/* Its address is another's: containers get the instances, as hosts do. */
static void test_function_without_address(void **state)
{
    struct address address;
    char text[ADDRESS_TEXT_SIZE];

    (void)state;
    put_service(1, "lonely", "main", "10.0.1.200");
    catalog_slot_address(catalog, "lonely", 0, &address);
    fake_node_function(node, 2, "other", address_text(&address, text));
    rebuild();
    assert_answer(&container, "lonely.mesh.internal", KNOT_RRTYPE_A, 0,
                  "NOERROR aa\nAN lonely.mesh.internal. 5 A 10.0.1.200\n");
}

/* None is usable: those that are only unreachable from here stay; before them
 * come those on nodes that have not been heard yet. */
static void test_last_set(void **state)
{
    struct body_service service =
        make_service("redis", "veth203", "10.0.3.203");

    (void)state;
    members[2]->is_reachable = false;
    service.health = BODY_HEALTH_CRITICAL;
    fake_node_service(node, 3, &service);
    service = make_service("redis", "Spare_1", "10.0.3.204");
    service.health = BODY_HEALTH_DRAINING;
    fake_node_service(node, 3, &service);
    rebuild();
    assert_answer(&host, "redis.mesh.internal", KNOT_RRTYPE_A, 0,
                  "NOERROR aa\nAN redis.mesh.internal. 5 A 10.0.2.203\n");
    assert_answer(&host, "spare-1.redis.mesh.internal", KNOT_RRTYPE_A, 0,
                  "NOERROR aa\n"
                  "AN spare-1.redis.mesh.internal. 5 A 10.0.3.204\n");
    put_service(3, "redis", "Spare_1", "10.0.3.204");
    members[3]->is_heard = false;
    rebuild();
    assert_answer(&host, "redis.mesh.internal", KNOT_RRTYPE_A, 0,
                  "NOERROR aa\nAN redis.mesh.internal. 5 A 10.0.3.204\n");
    members[2]->is_reachable = true;
    rebuild();
    assert_answer(&host, "redis.mesh.internal", KNOT_RRTYPE_A, 0,
                  "NOERROR aa\nAN redis.mesh.internal. 5 A 10.0.2.203\n");
}

static void test_service(void **state)
{
    (void)state;
    /* Names that repeat carry the node's. */
    assert_answer(&host, "_redis._tcp.mesh.internal", KNOT_RRTYPE_SRV, 0,
                  "NOERROR aa\n"
                  "AN _redis._tcp.mesh.internal. 5 SRV 10 100 6379 "
                  "veth203.host3.redis.mesh.internal.\n"
                  "AN _redis._tcp.mesh.internal. 5 SRV 12 100 6379 "
                  "veth203.host2.redis.mesh.internal.\n"
                  "AN _redis._tcp.mesh.internal. 5 SRV 20 100 6379 "
                  "Spare_1.redis.mesh.internal.\n"
                  "AD veth203.host3.redis.mesh.internal. 5 A 10.0.3.203\n"
                  "AD veth203.host2.redis.mesh.internal. 5 A 10.0.2.203\n"
                  "AD Spare_1.redis.mesh.internal. 5 A 10.0.3.204\n");
    assert_answer(&container, "_vector_db._TCP.mesh.internal", KNOT_RRTYPE_SRV,
                  0,
                  "NOERROR aa\nAN _vector_db._TCP.mesh.internal. 5 SRV 0 100 "
                  "6333 main.vector-db.mesh.internal.\n"
                  "AD main.vector-db.mesh.internal. 5 A 10.0.1.200\n");
    assert_answer(&host, "_redis._udp.mesh.internal", KNOT_RRTYPE_SRV, 0,
                  "NOERROR aa\n" SOA);
    assert_answer(&host, "_redis._tcp.mesh.internal", KNOT_RRTYPE_A, 0,
                  "NOERROR aa\n" SOA);
    assert_answer(&host, "_other._tcp.mesh.internal", KNOT_RRTYPE_SRV, 0,
                  "NXDOMAIN aa\n" SOA);
    assert_answer(&host, "redis._tcp.mesh.internal", KNOT_RRTYPE_SRV, 0,
                  "NXDOMAIN aa\n" SOA);
    assert_answer(&host, "_tcp.mesh.internal", KNOT_RRTYPE_SRV, 0,
                  "NOERROR aa\n" SOA);
}

/* The fields of SRV at their limits, and each address once. */
static void test_service_limits(void **state)
{
    static const struct {
        uint32_t rtt_us;
        uint16_t priority;
        const char *srv;
    } cases[] = {
        {2000, 0, "SRV 10 "},       {2001, 0, "SRV 11 "},
        {20000, 0, "SRV 11 "},      {20001, 0, "SRV 12 "},
        {500, 6000, "SRV 60010 "},  {500, 6001, "SRV 60010 "},
        {500, 65535, "SRV 60010 "},
    };
    struct body_service service = make_service("one", "i", "10.0.3.1");
    struct body_service second = make_service("one", "k", "10.0.3.1");
    char expected[256];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        members[3]->rtt_us = cases[i].rtt_us;
        service.priority = cases[i].priority;
        fake_node_service(node, 3, &service);
        rebuild();
        (void)snprintf(expected, sizeof(expected),
                       "NOERROR aa\nAN _one._tcp.mesh.internal. 5 %s100 6379 "
                       "i.one.mesh.internal.\n"
                       "AD i.one.mesh.internal. 5 A 10.0.3.1\n",
                       cases[i].srv);
        assert_answer(&host, "_one._tcp.mesh.internal", KNOT_RRTYPE_SRV, 0,
                      expected);
    }
    second.port = 6380;
    fake_node_service(node, 3, &second);
    rebuild();
    assert_answer(&host, "one.mesh.internal", KNOT_RRTYPE_A, 0,
                  "NOERROR aa\nAN one.mesh.internal. 5 A 10.0.3.1\n");
    /* Only "_NAME" asks for a service. */
    assert_answer(&host, "xredis._tcp.mesh.internal", KNOT_RRTYPE_SRV, 0,
                  "NXDOMAIN aa\n" SOA);
}

static void test_instance(void **state)
{
    (void)state;
    assert_answer(&container, "main.vector_db.mesh.internal", KNOT_RRTYPE_A, 0,
                  "NOERROR aa\n"
                  "AN main.vector_db.mesh.internal. 5 A 10.0.1.200\n");
    assert_answer(&host, "veth203.redis.mesh.internal", KNOT_RRTYPE_A, 0,
                  "NOERROR aa\n"
                  "AN veth203.redis.mesh.internal. 5 A 10.0.2.203\n"
                  "AN veth203.redis.mesh.internal. 5 A 10.0.3.203\n");
    assert_answer(&host, "veth203.host3.redis.mesh.internal", KNOT_RRTYPE_A, 0,
                  "NOERROR aa\n"
                  "AN veth203.host3.redis.mesh.internal. 5 A 10.0.3.203\n");
    assert_answer(&host, "host3.redis.mesh.internal", KNOT_RRTYPE_A, 0,
                  "NOERROR aa\n" SOA);
    assert_answer(&host, "main.redis.mesh.internal", KNOT_RRTYPE_A, 0,
                  "NXDOMAIN aa\n" SOA);
    assert_answer(&host, "old.gone.mesh.internal", KNOT_RRTYPE_A, 0,
                  "NXDOMAIN aa\n" SOA);
    assert_answer(&host, "veth203.host9.redis.mesh.internal", KNOT_RRTYPE_A, 0,
                  "NXDOMAIN aa\n" SOA);
}

static void test_node_and_apex(void **state)
{
    (void)state;
    assert_answer(&host, "host3.node.mesh.internal", KNOT_RRTYPE_A, 0,
                  "NOERROR aa\n"
                  "AN host3.node.mesh.internal. 5 A 100.104.70.3\n");
    assert_answer(&host, "host4.node.mesh.internal", KNOT_RRTYPE_A, 0,
                  "NXDOMAIN aa\n" SOA);
    assert_answer(&host, "node.mesh.internal", KNOT_RRTYPE_A, 0,
                  "NOERROR aa\n" SOA);
    assert_answer(&host, "mesh.internal", KNOT_RRTYPE_A, 0, "NOERROR aa\n" SOA);
    assert_answer(&host, "mesh.internal", KNOT_RRTYPE_NS, 0,
                  "NOERROR aa\n"
                  "AN mesh.internal. 5 NS host1.node.mesh.internal.\n");
    assert_answer(&host, "mesh.internal", KNOT_RRTYPE_SOA, 0,
                  "NOERROR aa\nAN mesh.internal. 5 SOA "
                  "host1.node.mesh.internal. hostmaster.mesh.internal. 7 3600 "
                  "600 86400 1\n");
}

/* "FIRST.0.0...0.LAST.ip6.arpa" with n zeros. */
static const char *six(const char *first, size_t n, const char *last)
{
    static char text[128];
    size_t len = (size_t)snprintf(text, sizeof(text), "%s", first);

    for (size_t i = 0; i < n; i++) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, ".0");
    }
    (void)snprintf(text + len, sizeof(text) - len, ".%s.ip6.arpa", last);
    return text;
}

static void test_reverse(void **state)
{
    (void)state;
    assert_answer(&host, "1.0.80.100.in-addr.arpa", KNOT_RRTYPE_PTR, 0,
                  "NOERROR aa\n"
                  "AN 1.0.80.100.in-addr.arpa. 5 PTR redis.mesh.internal.\n");
    assert_answer(&host, "3.70.104.100.in-addr.arpa", KNOT_RRTYPE_PTR, 0,
                  "NOERROR aa\nAN 3.70.104.100.in-addr.arpa. 5 PTR "
                  "host3.node.mesh.internal.\n");
    assert_answer(&host, "203.3.0.10.IN-ADDR.arpa", KNOT_RRTYPE_PTR, 0,
                  "NOERROR aa\nAN 203.3.0.10.IN-ADDR.arpa. 5 PTR "
                  "veth203.host3.redis.mesh.internal.\n");
    assert_answer(&host,
                  "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
                  "d.f.ip6.arpa",
                  KNOT_RRTYPE_PTR, 0,
                  "NOERROR aa\nAN 1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
                  "0.0.0.0.0.0.0.0.d.f.ip6.arpa. 5 PTR v6.mesh.internal.\n");
    assert_answer(&host, "1.0.80.100.in-addr.arpa", KNOT_RRTYPE_A, 0,
                  "NOERROR aa\n");
    assert_answer(&host, "9.9.0.10.in-addr.arpa", KNOT_RRTYPE_PTR, 0,
                  "REFUSED\n");
    assert_answer(&host, "0.80.100.in-addr.arpa", KNOT_RRTYPE_PTR, 0,
                  "REFUSED\n");
    assert_answer(&host, "01.0.80.100.in-addr.arpa", KNOT_RRTYPE_PTR, 0,
                  "REFUSED\n");
    assert_answer(&host, "257.0.80.100.in-addr.arpa", KNOT_RRTYPE_PTR, 0,
                  "REFUSED\n");
    assert_answer(&host, "256.0.80.100.in-addr.arpa", KNOT_RRTYPE_PTR, 0,
                  "REFUSED\n");
    assert_answer(&host, "0001.0.80.100.in-addr.arpa", KNOT_RRTYPE_PTR, 0,
                  "REFUSED\n");
    assert_answer(&host, "1.0.80.100.7.in-addr.arpa", KNOT_RRTYPE_PTR, 0,
                  "REFUSED\n");
    assert_answer(&host, six("1", 29, "d.f"), KNOT_RRTYPE_PTR, 0,
                  "NOERROR aa\nAN 1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
                  "0.0.0.0.0.0.0.0.d.f.ip6.arpa. 5 PTR v6.mesh.internal.\n");
    assert_answer(&host, six("1", 29, "d.f.7"), KNOT_RRTYPE_PTR, 0,
                  "REFUSED\n");
    assert_answer(&host, six("1", 28, "d.f"), KNOT_RRTYPE_PTR, 0, "REFUSED\n");
    assert_answer(&host, six("10", 29, "d.f"), KNOT_RRTYPE_PTR, 0, "REFUSED\n");
    assert_answer(&host, six("1", 28, "00.d.f"), KNOT_RRTYPE_PTR, 0,
                  "REFUSED\n");
    assert_answer(&host, six("g", 29, "d.f"), KNOT_RRTYPE_PTR, 0, "REFUSED\n");
}

static void test_refused(void **state)
{
    (void)state;
    assert_answer(&host, "example.com", KNOT_RRTYPE_A, 0, "REFUSED\n");
    assert_answer(&host, ".", KNOT_RRTYPE_NS, 0, "REFUSED\n");
    assert_answer(&host, "internal", KNOT_RRTYPE_SOA, 0, "REFUSED\n");
    assert_answer(&host, "xmesh.internal", KNOT_RRTYPE_A, 0, "REFUSED\n");
    assert_answer(&host, "mesh.internal", KNOT_RRTYPE_AXFR, 0, "REFUSED\n");
    assert_answer(&host, "mesh.internal", KNOT_RRTYPE_IXFR, 0, "REFUSED\n");
    assert_answer(&host, "example.com", KNOT_RRTYPE_A, 4096,
                  "REFUSED edns=1232\n");
}

/* Sends bytes as they are; the text of the answer, "" when there is none. */
static void raw(const uint8_t *query, size_t size, char text[512])
{
    uint8_t answer[DNS_TCP_SIZE];
    struct dns_answer_info info;
    size_t answer_size;
    int error =
        dns_answer(zone, &host, query, size, answer, &answer_size, &info);

    text[0] = '\0';
    if (error == 0) {
        dns_text_answer(answer, answer_size, text, 512);
    } else {
        assert_int_equal(error, DNS_ANSWER_E_SILENT);
    }
}

static void test_malformed(void **state)
{
    uint8_t query[512], changed[512], answer[DNS_TCP_SIZE];
    struct dns_answer_info info;
    size_t size, n = dns_text_query("redis.mesh.internal", KNOT_RRTYPE_A, 1232,
                                    query, sizeof(query));
    char text[512];

    (void)state;
    for (size_t part = 0; part < n; part++) {
        raw(query, part, text);
        assert_string_equal(text, part < 12 ? "" : "FORMERR\n");
    }
    memcpy(changed, query, n);
    changed[2] |= 0x80; /* an answer */
    raw(changed, n, text);
    assert_string_equal(text, "");
    memcpy(changed, query, n);
    changed[2] = 0x21; /* NOTIFY, recursion desired: both come back */
    raw(changed, n, text);
    assert_string_equal(text, "NOTIMPL\n");
    assert_int_equal(dns_answer(zone, &host, changed, n, answer, &size, &info),
                     0);
    assert_int_equal(answer[2], 0xa1);
    changed[2] = 0x20;
    assert_int_equal(dns_answer(zone, &host, changed, n, answer, &size, &info),
                     0);
    assert_int_equal(answer[2], 0xa0);
    memcpy(changed, query, n);
    changed[5] = 2; /* two questions */
    raw(changed, n, text);
    assert_string_equal(text, "FORMERR\n");
    memcpy(changed, query, n);
    changed[n - 11 - 1] = 3; /* class CH */
    raw(changed, n, text);
    assert_string_equal(text, "REFUSED edns=1232\n");
    memcpy(changed, query, n);
    changed[n - 5] = 1; /* EDNS version 1 */
    raw(changed, n, text);
    assert_string_equal(text, "BADVERS edns=1232\n");
}

enum { MANY = 700 };

/* 700 instances: as many as fit, marked; by TCP all of them. */
static void test_truncation(void **state)
{
    struct dns_asker tcp = {.is_tcp = true};
    static const uint16_t payloads[] = {0, 256, 512, 1000, 1232, 4096};
    uint8_t query[512], answer[DNS_TCP_SIZE];
    struct dns_answer_info info;
    char text[65536];
    size_t size, n;

    (void)state;
    for (size_t i = 0; i < MANY; i++) {
        char address[32], name[16];

        (void)snprintf(address, sizeof(address), "10.0.%zu.%zu", 4 + i / 250,
                       i % 250);
        (void)snprintf(name, sizeof(name), "i%zu", i);
        put_service(3, "many", name, address);
    }
    rebuild();
    for (size_t i = 0; i < ARRAY_SIZE(payloads); i++) {
        size_t limit = MIN_OF(MAX_OF(payloads[i], 512), DNS_UDP_SIZE);

        n = dns_text_query("many.mesh.internal", KNOT_RRTYPE_A, payloads[i],
                           query, sizeof(query));
        assert_int_equal(
            dns_answer(zone, &host, query, n, answer, &size, &info), 0);
        assert_in_range(size, limit - 16, limit);
        assert_true(info.is_truncated);
        dns_text_answer(answer, size, text, sizeof(text));
        assert_non_null(strstr(text, "NOERROR aa tc"));
        assert_true((strstr(text, "edns=1232") != NULL) == (payloads[i] != 0));
    }
    assert_int_equal(dns_answer(zone, &tcp, query, n, answer, &size, &info), 0);
    assert_false(info.is_truncated);
    assert_int_equal(knot_wire_get_ancount(answer), MANY);
    n = dns_text_query("_many._tcp.mesh.internal", KNOT_RRTYPE_SRV, 1232, query,
                       sizeof(query));
    assert_int_equal(dns_answer(zone, &tcp, query, n, answer, &size, &info), 0);
    assert_int_equal(knot_wire_get_ancount(answer), MANY);
    assert_true(knot_wire_get_arcount(answer) > 500);
    assert_int_equal(dns_answer(zone, &host, query, n, answer, &size, &info),
                     0);
    assert_true(size <= DNS_UDP_SIZE);
    assert_true(info.is_truncated);
    /* What is cut has no additions but EDNS' own. */
    assert_int_equal(knot_wire_get_arcount(answer), 1);
    assert_int_equal(knot_wire_get_nscount(answer), 0);
}

static void test_who_asks(void **state)
{
    struct prefix subnets[4];
    struct address own[] = {parse("10.0.1.1"), parse("100.104.70.1")};
    static const struct {
        const char *address;
        enum dns_place place;
    } cases[] = {{"10.0.1.203", DNS_PLACE_CONTAINER},
                 {"10.0.1.1", DNS_PLACE_HOST},
                 {"100.104.70.1", DNS_PLACE_HOST},
                 {"100.104.70.2", DNS_PLACE_ELSEWHERE},
                 {"10.0.2.7", DNS_PLACE_ELSEWHERE},
                 {"127.0.0.1", DNS_PLACE_HOST},
                 {"127.9.9.9", DNS_PLACE_HOST},
                 {"fd00:1::7", DNS_PLACE_CONTAINER},
                 {"fd00:2::7", DNS_PLACE_ELSEWHERE},
                 {"::1", DNS_PLACE_HOST},
                 {"::2", DNS_PLACE_CONTAINER},
                 {"10.0.1.0", DNS_PLACE_CONTAINER}};

    (void)state;
    assert_int_equal(prefix_parse("10.0.1.0/24", &subnets[0]), 0);
    assert_int_equal(prefix_parse("fd00:1::/64", &subnets[1]), 0);
    /* The loopback is nobody's, whatever a subnet says. */
    assert_int_equal(prefix_parse("127.0.0.0/8", &subnets[2]), 0);
    assert_int_equal(prefix_parse("::/64", &subnets[3]), 0);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct address address = parse(cases[i].address);

        assert_int_equal(dns_find_place(subnets, 4, own, 2, &address),
                         cases[i].place);
    }
}

static void test_zone_names(void **state)
{
    static const char *const bad[] = {
        "", ".", "a..b",
        "a123456789012345678901234567890123456789012345678901234567890123.b"};
    struct dns_zone *other;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_int_equal(dns_zone_new(bad[i], "a", 1, catalog, &other),
                         -EINVAL);
    }
    assert_int_equal(dns_zone_new("x.example.", "a", 1, catalog, &other), 0);
    assert_null(dns_zone_free(other));
    assert_null(dns_zone_free(NULL));
}

#define TEST(function)                                                         \
    cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_function),       TEST(test_nul),
        TEST(test_service_limits), TEST(test_function_without_address),
        TEST(test_last_set),       TEST(test_service),
        TEST(test_instance),       TEST(test_node_and_apex),
        TEST(test_reverse),        TEST(test_refused),
        TEST(test_malformed),      TEST(test_truncation),
        TEST(test_who_asks),       TEST(test_zone_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
