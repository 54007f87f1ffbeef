/*
 * A listening socket goes on accepting: without descriptors, without memory,
 * and closed by its own callback.
 */
#include "agent/system/listener.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

#include "gossip/base/macros.h"

#define CLIENTS 100
/* Turns of the loop that are enough for what is ready. */
#define TURNS 20

static uv_loop_t loop;
static struct listener listener;
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static socklen_t address_size;
static int clients[CLIENTS];
static size_t n_clients;

/* What the callback does, and did. */
static int n_accepted;
static int n_refused; /* so many to come */
static bool closes;
static bool is_closed;

static void on_closed(void *data)
{
    (void)data;
    is_closed = true;
}

static int on_accept(int fd, void *data)
{
    assert_ptr_equal(data, &listener);
    if (n_refused > 0) {
        n_refused--;
        return -ENOMEM;
    }
    n_accepted++;
    (void)close(fd);
    if (closes) {
        listener_close(&listener, on_closed);
    }
    return 0;
}

static int setup(void **state)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    (void)state;
    n_accepted = n_refused = 0;
    n_clients = 0;
    closes = is_closed = false;
    assert_true(fd >= 0);
    /* An abstract name, so that no file is left. */
    (void)snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1,
                   "test_listener-%d", (int)getpid());
    address_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
                               strlen(address.sun_path + 1));
    assert_int_equal(bind(fd, (struct sockaddr *)&address, address_size), 0);
    assert_int_equal(uv_loop_init(&loop), 0);
    listener_init(&listener, &loop, on_accept, &listener);
    assert_int_equal(listener_start(&listener, fd, CLIENTS), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (!closes) {
        listener_close(&listener, on_closed);
    }
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    assert_true(is_closed);
    assert_int_equal(uv_loop_close(&loop), 0);
    for (size_t i = 0; i < n_clients; i++) {
        (void)close(clients[i]);
    }
    return 0;
}

/* A connection, which the kernel takes for the listener. */
static void add_client(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, address_size), 0);
    clients[n_clients++] = fd;
}

static void turn(int n)
{
    for (int i = 0; i < n; i++) {
        (void)uv_run(&loop, UV_RUN_NOWAIT);
    }
}

static void test_many(void **state)
{
    (void)state;
    for (size_t i = 0; i < CLIENTS; i++) {
        add_client();
    }
    turn(TURNS);
    assert_int_equal(n_accepted, CLIENTS);
}

/* No descriptor is free: the client waits, the loop rests, and then it is
 * served. */
static void test_no_descriptor(void **state)
{
    struct rlimit old, none;
    int first_free;

    (void)state;
    add_client();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    none = old;
    first_free = dup(0);
    assert_true(first_free >= 0);
    (void)close(first_free);
    none.rlim_cur = (rlim_t)first_free;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    turn(1);
    assert_int_equal(listener.error, EMFILE);
    assert_false(uv_is_active((uv_handle_t *)&listener.poll));
    assert_int_equal(n_accepted, 0);
    /* A second time, by the timer. */
    while (uv_is_active((uv_handle_t *)&listener.timer)) {
        (void)uv_run(&loop, UV_RUN_ONCE);
    }
    (void)uv_run(&loop, UV_RUN_ONCE);
    assert_true(uv_is_active((uv_handle_t *)&listener.timer));
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_int_equal(n_accepted, 0);
    while (n_accepted == 0) {
        (void)uv_run(&loop, UV_RUN_ONCE);
    }
    assert_int_equal(listener.error, 0);
    add_client();
    turn(TURNS);
    assert_int_equal(n_accepted, 2);
}

/* A connection that was not taken is closed; the next is served. */
static void test_no_memory(void **state)
{
    char byte;

    (void)state;
    n_refused = 2;
    add_client();
    add_client();
    turn(TURNS);
    assert_int_equal(n_accepted, 0);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(recv(clients[i], &byte, 1, 0), 0);
    }
    add_client();
    turn(TURNS);
    assert_int_equal(n_accepted, 1);
}

/* The callback closes it: the others are not accepted. */
static void test_closes(void **state)
{
    (void)state;
    closes = true;
    add_client();
    add_client();
    turn(TURNS);
    assert_int_equal(n_accepted, 1);
    assert_true(is_closed);
}

#define TEST(function)                                                         \
    cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_many),
        TEST(test_no_descriptor),
        TEST(test_no_memory),
        TEST(test_closes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
