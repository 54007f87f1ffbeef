/*
 * The DNS server on real sockets of the loopback: UDP and TCP, pieces,
 * pipelining, limits, idle connections, an address that is not there yet,
 * one that is taken.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <setjmp.h>
#include <cmocka.h>

#include "agent/catalog/catalog.h"
#include "agent/config/config.h"
#include "agent/core/core.h"
#include "agent/core/worker_link.h"
#include "agent/dns/dns.h"
#include "agent/dns/dns_server.h"
#include "agent/identity/identity.h"
#include "tests/unit/dns_text.h"
#include "tests/unit/fake_node.h"
#include "tests/unit/heap.h"

/* Of an address of the loopback that is this process' own. */
#define PORT 15353

static uv_loop_t loop;
static struct core core;
static struct dns *dns;
static struct config config;
static struct identity identity;
static struct endpoint own;
static char listen_text[64];

/* What the server uses of worker_link.c, which would bring the whole process
 * and the real node with it. */
const struct worker_status *worker_link_status(const struct worker_link *link)
{
    (void)link;
    fail_msg("there is no worker here");
    return NULL;
}

void worker_link_when_applied(struct worker_link *link, worker_applied_fn fn,
                              void *data)
{
    (void)link;
    (void)fn;
    (void)data;
    fail_msg("there is no worker here");
}

static int setup(void **state)
{
    static char zone[] = "mesh.internal";
    static const uint8_t cluster[RECORD_CLUSTER_SIZE] = {1};
    struct prefix range;
    struct body_service redis = fake_service("redis", "10.0.2.203", 6379);
    char *error;

    (void)state;
    assert_int_equal(uv_loop_init(&loop), 0);
    config = (struct config){.zone = zone, .n_dns_listen = 1};
    (void)snprintf(listen_text, sizeof(listen_text), "127.%u.%u.%u:%u",
                   1 + ((unsigned)getpid() >> 16) % 250,
                   (unsigned)getpid() >> 8 & 255, (unsigned)getpid() & 255,
                   PORT);
    assert_int_equal(endpoint_parse(listen_text, 53, &config.dns_listen[0]), 0);
    assert_int_equal(prefix_parse("100.80.0.0/12", &range), 0);
    own = config.dns_listen[0];
    (void)snprintf(identity.body.name, sizeof(identity.body.name), "host1");
    core =
        (struct core){.loop = &loop, .config = &config, .identity = &identity};
    core.node = fake_node_new();
    (void)fake_node_member(core.node, 1);
    (void)fake_node_member(core.node, 2);
    fake_node_service(core.node, 2, &redis);
    assert_int_equal(catalog_new(cluster, &range, &core.catalog), 0);
    assert_int_equal(catalog_rebuild(core.catalog, core.node), 0);
    assert_int_equal(dns_new(&core, &dns, &error), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dns = dns_free(dns);
    while (uv_run(&loop, UV_RUN_NOWAIT) != 0) {
    }
    assert_int_equal(uv_loop_close(&loop), 0);
    core.catalog = catalog_free(core.catalog);
    fake_node_free(core.node);
    return 0;
}

static int client(int type)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(PORT)};
    int fd = socket(AF_INET, type, 0);

    assert_true(fd >= 0);
    memcpy(&address.sin_addr, own.address.bytes, 4);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)),
                     0);
    return fd;
}

/* Runs the server until the client can read or `ms` have passed. */
static ssize_t receive(int fd, uint8_t *bytes, size_t size, unsigned ms)
{
    ssize_t n = -1;

    for (unsigned i = 0; i < ms; i++) {
        (void)uv_run(&loop, UV_RUN_NOWAIT);
        n = recv(fd, bytes, size, MSG_DONTWAIT);
        if (n >= 0 || errno != EAGAIN) {
            return n;
        }
        (void)usleep(1000);
    }
    return n;
}

static void assert_text(const uint8_t *bytes, ssize_t size,
                        const char *expected)
{
    char text[4096];

    assert_true(size > 0);
    dns_text_answer(bytes, (size_t)size, text, sizeof(text));
    assert_string_equal(text, expected);
}

#define REDIS "NOERROR aa\nAN redis.mesh.internal. 5 A 10.0.2.203\n"
#define HOST2 "NOERROR aa\nAN host2.node.mesh.internal. 5 A 100.104.70.2\n"

static void test_udp(void **state)
{
    uint8_t query[512], answer[4096];
    size_t n =
        dns_text_query("redis.mesh.internal", 1, 0, query, sizeof(query));
    int fd = client(SOCK_DGRAM);

    (void)state;
    assert_int_equal(send(fd, query, n, 0), n);
    assert_text(answer, receive(fd, answer, sizeof(answer), 1000), REDIS);
    /* Nonsense is counted and not answered. */
    assert_int_equal(send(fd, query, 5, 0), 5);
    assert_true(receive(fd, answer, sizeof(answer), 20) < 0);
    assert_int_equal(dns_counters_get(dns)->dropped, 1);
    n = dns_text_query("Host2.node.mesh.internal", 1, 0, query, sizeof(query));
    assert_int_equal(send(fd, query, n, 0), n);
    assert_text(answer, receive(fd, answer, sizeof(answer), 1000),
                "NOERROR aa\nAN Host2.node.mesh.internal. 5 A "
                "100.104.70.2\n");
    n = dns_text_query("2.70.104.100.in-addr.arpa", 12, 0, query,
                       sizeof(query));
    assert_int_equal(send(fd, query, n, 0), n);
    assert_text(answer, receive(fd, answer, sizeof(answer), 1000),
                "NOERROR aa\nAN 2.70.104.100.in-addr.arpa. 5 PTR "
                "host2.node.mesh.internal.\n");
    assert_int_equal(dns_counters_get(dns)->queries_udp, 4);
    assert_int_equal(dns_counters_get(dns)->answers_noerror, 3);
    (void)close(fd);
}

static size_t frame(const char *name, uint8_t *bytes)
{
    size_t n = dns_text_query(name, 1, 0, bytes + 2, 512);

    bytes[0] = 0;
    bytes[1] = (uint8_t)n;
    return n + 2;
}

/* Receives one framed answer. */
static size_t receive_frame(int fd, uint8_t *bytes, size_t size)
{
    size_t have = 0, wanted = 2;

    while (have < wanted) {
        ssize_t n = receive(fd, bytes + have, wanted - have, 1000);

        assert_true(n > 0);
        have += (size_t)n;
        if (have == 2) {
            wanted = 2 + ((size_t)bytes[0] << 8 | bytes[1]);
            assert_true(wanted <= size);
        }
    }
    return have;
}

static void test_tcp(void **state)
{
    uint8_t query[1024], answer[4096];
    size_t n = frame("redis.mesh.internal", query), size;
    int fd = client(SOCK_STREAM);

    (void)state;
    /* Byte by byte. */
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(send(fd, query + i, 1, 0), 1);
        (void)uv_run(&loop, UV_RUN_NOWAIT);
    }
    size = receive_frame(fd, answer, sizeof(answer));
    assert_text(answer + 2, (ssize_t)size - 2, REDIS);
    /* Two and a half at once, then the rest and the end. */
    n += frame("host2.node.mesh.internal", query + n);
    n += frame("redis.mesh.internal", query + n);
    assert_int_equal(send(fd, query, n - 7, 0), n - 7);
    size = receive_frame(fd, answer, sizeof(answer));
    assert_text(answer + 2, (ssize_t)size - 2, REDIS);
    size = receive_frame(fd, answer, sizeof(answer));
    assert_text(answer + 2, (ssize_t)size - 2, HOST2);
    assert_int_equal(send(fd, query + n - 7, 7, 0), 7);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    size = receive_frame(fd, answer, sizeof(answer));
    assert_text(answer + 2, (ssize_t)size - 2, REDIS);
    assert_int_equal(receive(fd, answer, sizeof(answer), 1000), 0);
    assert_int_equal(dns_counters_get(dns)->queries_tcp, 4);
    (void)close(fd);
}

static void test_tcp_nonsense(void **state)
{
    static const uint8_t huge[] = {0xff, 0xff, 1, 2, 3};
    static const uint8_t empty[] = {0, 0};
    uint8_t answer[64];
    int fd = client(SOCK_STREAM);

    (void)state;
    assert_int_equal(send(fd, huge, sizeof(huge), 0), sizeof(huge));
    assert_true(receive(fd, answer, sizeof(answer), 1000) <= 0);
    (void)close(fd);
    fd = client(SOCK_STREAM);
    assert_int_equal(send(fd, empty, sizeof(empty), 0), sizeof(empty));
    assert_int_equal(receive(fd, answer, sizeof(answer), 1000), 0);
    (void)close(fd);
}

/* The 65th connection is refused, and a place that gets free is used. */
static void test_tcp_limit(void **state)
{
    int fds[DNS_CONNECTIONS_MAX + 1];
    uint8_t query[1024], answer[4096];
    size_t n = frame("redis.mesh.internal", query);

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        fds[i] = client(SOCK_STREAM);
        (void)uv_run(&loop, UV_RUN_NOWAIT);
    }
    assert_true(
        receive(fds[DNS_CONNECTIONS_MAX], answer, sizeof(answer), 1000) <= 0);
    assert_int_equal(dns_counters_get(dns)->connections_refused, 1);
    (void)close(fds[0]);
    (void)close(fds[DNS_CONNECTIONS_MAX]);
    for (int i = 0; i < 10; i++) {
        (void)uv_run(&loop, UV_RUN_NOWAIT);
    }
    fds[0] = client(SOCK_STREAM);
    assert_int_equal(send(fds[0], query, n, 0), n);
    (void)receive_frame(fds[0], answer, sizeof(answer));
    for (size_t i = 0; i < DNS_CONNECTIONS_MAX; i++) {
        (void)close(fds[i]);
    }
}

/* Bytes of a query that is not whole buy no time: one that comes byte by byte
 * is cut, long before its end. */
static void test_tcp_idle(void **state)
{
    static const uint8_t head[] = {0x0f, 0xff};
    uint8_t answer[64];
    int fd;
    ssize_t n = -1;
    unsigned sent = 0;

    (void)state;
    assert_int_equal(dns->idle_ms, DNS_IDLE_MS);
    dns->idle_ms = 50;
    fd = client(SOCK_STREAM);
    assert_int_equal(send(fd, head, sizeof(head), 0), sizeof(head));
    while (n < 0 && sent < 0x0fff) {
        /* Refused once the other end has closed. */
        (void)send(fd, "x", 1, MSG_NOSIGNAL);
        sent++;
        n = receive(fd, answer, sizeof(answer), 1);
        n = n < 0 && errno == ECONNRESET ? 0 : n;
    }
    assert_int_equal(n, 0);
    assert_int_equal(dns_counters_get(dns)->queries_tcp, 0);
    (void)close(fd);
}

/* A connection that finds no memory is closed, and the next one is served. */
static void test_tcp_no_memory(void **state)
{
    uint8_t query[1024], answer[4096];
    size_t size, n = frame("redis.mesh.internal", query);
    int fd;

    (void)state;
    heap_fail_at(1);
    fd = client(SOCK_STREAM);
    assert_int_equal(receive(fd, answer, sizeof(answer), 1000), 0);
    assert_true(heap_off());
    assert_int_equal(dns_counters_get(dns)->connections_refused, 1);
    (void)close(fd);
    fd = client(SOCK_STREAM);
    assert_int_equal(send(fd, query, n, 0), n);
    size = receive_frame(fd, answer, sizeof(answer));
    assert_text(answer + 2, (ssize_t)size - 2, REDIS);
    (void)close(fd);
}

static void test_bind(void **state)
{
    struct dns *other = NULL;
    char *error = NULL;

    (void)state;
    assert_int_equal(dns_new(&core, &other, &error), -EADDRINUSE);
    assert_non_null(strstr(error, listen_text));
    assert_non_null(strstr(error, "/udp"));
    assert_non_null(strstr(error, "dns.listen"));
    free(error);
    assert_null(other);
    /* An address that this host does not have yet. */
    assert_int_equal(
        endpoint_parse("192.0.2.77:15353", 53, &config.dns_listen[0]), 0);
    assert_int_equal(dns_new(&core, &other, &error), 0);
    assert_null(dns_free(other));
    config.zone = (char[]){"a..b"};
    assert_int_equal(dns_new(&core, &other, &error), -EINVAL);
    assert_non_null(strstr(error, "a..b"));
    free(error);
    assert_null(dns_free(NULL));
}

#define TEST(function)                                                         \
    cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_udp),       TEST(test_tcp),      TEST(test_tcp_nonsense),
        TEST(test_tcp_limit), TEST(test_tcp_idle), TEST(test_tcp_no_memory),
        TEST(test_bind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
