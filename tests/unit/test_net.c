/*
 * The node's TCP listener: how many connections it keeps open that have not
 * said what they want, and that it accepts again after it found no memory.
 */
#include "agent/net/net.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "agent/config/config.h"
#include "agent/net/net_internal.h"
#include "tests/unit/heap.h"

/* Turns of a millisecond each that anything may take. */
#define TURNS 10000

static uv_loop_t loop;
static struct config config;
static struct core core = {.loop = &loop, .config = &config};
static struct net *net;
static uint64_t now_ms = 1000; /* the test's clock */

uint64_t __wrap_clock_now_ms(void);

uint64_t __wrap_clock_now_ms(void)
{
    return now_ms;
}

static int setup(void **state)
{
    char *error = NULL;

    (void)state;
    assert_int_equal(uv_loop_init(&loop), 0);
    /* An address of the loopback that is this process' own. */
    config.mesh = (struct address){
        .family = 4,
        .bytes = {127, (uint8_t)(1 + ((unsigned)getpid() >> 16) % 250),
                  (uint8_t)((unsigned)getpid() >> 8), (uint8_t)getpid()}};
    config.mesh_port = 17720;
    assert_int_equal(net_new(&core, &net, &error), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    (void)heap_off();
    net = net_free(net);
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&loop), 0);
    return 0;
}

/* From 127.0.0.`host`; 0: from wherever the kernel says. */
static int client_from(uint8_t host)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(config.mesh_port)};
    struct sockaddr_in from = {.sin_family = AF_INET,
                               .sin_addr = {htonl(0x7f000000u | host)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_true(host == 0 ||
                bind(fd, (struct sockaddr *)&from, sizeof(from)) == 0);
    memcpy(&address.sin_addr, config.mesh.bytes, 4);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)),
                     0);
    return fd;
}

static int client(void)
{
    return client_from(0);
}

/* Runs the loop until the other end has closed. */
static void assert_closed(int fd)
{
    char byte;

    for (int i = 0; i < TURNS; i++) {
        ssize_t n;

        (void)uv_run(&loop, UV_RUN_NOWAIT);
        do {
            n = recv(fd, &byte, 1, MSG_DONTWAIT);
        } while (n > 0); /* a refusal */
        if (n == 0 || errno == ECONNRESET) {
            (void)close(fd);
            return;
        }
        (void)usleep(1000);
    }
    fail_msg("not closed");
}

/* Connections from here on, until there are as many as may be. */
static void open_rest(int *fds, size_t first)
{
    for (size_t i = first; i < LIMIT_OPENINGS_PER_ADDRESS; i++) {
        fds[i] = client();
    }
    for (int i = 0;
         i < TURNS && net_count(net, NET_OPENING) < LIMIT_OPENINGS_PER_ADDRESS;
         i++) {
        (void)uv_run(&loop, UV_RUN_NOWAIT);
        (void)usleep(1000);
    }
    assert_int_equal(net_count(net, NET_OPENING), LIMIT_OPENINGS_PER_ADDRESS);
}

static void wait_for(enum net_role role, size_t n)
{
    for (int i = 0; i < TURNS && net_count(net, role) != n; i++) {
        (void)uv_run(&loop, UV_RUN_NOWAIT);
        (void)usleep(1000);
    }
    assert_int_equal(net_count(net, role), n);
}

/* One address holds so many, so many more wait, and not one more. */
static void test_limit(void **state)
{
    int fds[LIMIT_OPENINGS_PER_ADDRESS + LIMIT_WAITING_PER_ADDRESS];

    (void)state;
    assert_int_equal(LIMIT_OPENINGS_PER_ADDRESS, 4);
    open_rest(fds, 0);
    for (size_t i = LIMIT_OPENINGS_PER_ADDRESS; i < ARRAY_SIZE(fds); i++) {
        fds[i] = client();
    }
    wait_for(NET_QUEUED, LIMIT_WAITING_PER_ADDRESS);
    assert_int_equal(net_counters_get(net)->connections_refused, 0);
    assert_closed(client());
    assert_int_equal(net_counters_get(net)->connections_refused, 1);
    /* What is no opening ends the connection, and gives its place on. */
    assert_int_equal(send(fds[3], "GET / HTTP/1.1\r\n\r\n", 18, 0), 18);
    assert_int_equal(shutdown(fds[3], SHUT_WR), 0);
    assert_closed(fds[3]);
    wait_for(NET_QUEUED, LIMIT_WAITING_PER_ADDRESS - 1);
    assert_int_equal(net_count(net, NET_OPENING), LIMIT_OPENINGS_PER_ADDRESS);
    fds[3] = client();
    wait_for(NET_QUEUED, LIMIT_WAITING_PER_ADDRESS);
    /* LIMIT_PROOF_MS: who has said nothing by then makes room. */
    now_ms += LIMIT_PROOF_MS - 1;
    (void)uv_run(&loop, UV_RUN_ONCE); /* looks at deadlines */
    assert_int_equal(net_count(net, NET_QUEUED), LIMIT_WAITING_PER_ADDRESS);
    now_ms++;
    wait_for(NET_QUEUED,
             LIMIT_WAITING_PER_ADDRESS - LIMIT_OPENINGS_PER_ADDRESS);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        (void)close(fds[i]);
    }
}

/* LIMIT_OPENINGS and LIMIT_WAITING, from as many addresses as that takes. */
static void test_limit_of_all(void **state)
{
    int fds[LIMIT_OPENINGS + LIMIT_WAITING];

    (void)state;
    for (uint8_t i = 0; i < LIMIT_OPENINGS; i++) {
        fds[i] = client_from(1 + i / LIMIT_OPENINGS_PER_ADDRESS);
    }
    wait_for(NET_OPENING, LIMIT_OPENINGS);
    for (uint8_t i = 0; i < LIMIT_WAITING; i++) {
        fds[LIMIT_OPENINGS + i] = client_from(100 + i / 8);
    }
    wait_for(NET_QUEUED, LIMIT_WAITING);
    assert_int_equal(net_counters_get(net)->connections_refused, 0);
    assert_closed(client_from(200));
    assert_int_equal(net_counters_get(net)->connections_refused, 1);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        (void)close(fds[i]);
    }
}

/* Without memory for a connection it is closed; the next one is served. */
static void test_no_memory(void **state)
{
    int fds[LIMIT_OPENINGS_PER_ADDRESS];

    (void)state;
    heap_fail_at(1);
    assert_closed(client());
    assert_true(heap_off());
    open_rest(fds, 0);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        (void)close(fds[i]);
    }
}

#define TEST(function)                                                         \
    cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_limit),
        TEST(test_limit_of_all),
        TEST(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
