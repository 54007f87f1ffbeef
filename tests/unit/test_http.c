/*
 * The HTTP transport: agent/http*.c, with a toy table of routes.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/http_fixture.h"

#define BIG_SIZE (5u << 20)

/* What the handlers leave for the tests. */
static atomic_int n_gone;
static atomic_int n_allowed;
static struct http_exchange *held; /* by route_later, loop thread only */

static void reply_text(struct http_exchange *exchange, const char *text)
{
    http_reply(exchange, 200, "text/plain", strdup(text), strlen(text));
}

static void route_hello(struct http_exchange *exchange, void *data)
{
    (void)data;
    reply_text(exchange, "hello");
}

static void route_echo(struct http_exchange *exchange, void *data)
{
    const struct http_request *request = http_exchange_request(exchange);
    char *copy = malloc(request->body_size + 1);

    (void)data;
    assert_non_null(copy);
    memcpy(copy, request->body != NULL ? request->body : "",
           request->body_size);
    http_reply(exchange, 200, "text/plain", copy, request->body_size);
}

static void route_item(struct http_exchange *exchange, void *data)
{
    const struct http_request *request = http_exchange_request(exchange);
    char query[32] = "(none)";
    char text[256];

    (void)data;
    if (http_request_query(request, "q", query, sizeof(query)) != 0) {
        strcpy(query, "(none)");
    }
    snprintf(text, sizeof(text), "name=%s q=%s uid=%u group=%d",
             request->segments[1], query, http_exchange_peer(exchange)->uid,
             http_exchange_peer(exchange)->is_in_group);
    reply_text(exchange, text);
}

static void route_big(struct http_exchange *exchange, void *data)
{
    char *text = malloc(BIG_SIZE);

    (void)data;
    memset(text, 'b', BIG_SIZE);
    http_reply(exchange, 200, "text/plain", text, BIG_SIZE);
}

static void on_gone(struct http_exchange *exchange, void *data)
{
    (void)exchange;
    (void)data;
    atomic_fetch_add(&n_gone, 1);
}

static void route_stream(struct http_exchange *exchange, void *data)
{
    (void)data;
    http_exchange_on_gone(exchange, on_gone, NULL);
    http_stream_begin(exchange, HTTP_TYPE_NDJSON);
    http_stream_write(exchange, "one\n", 4);
    http_stream_write(exchange, "two\n", 4);
    http_stream_end(exchange);
}

static void route_endless(struct http_exchange *exchange, void *data)
{
    (void)data;
    http_exchange_on_gone(exchange, on_gone, NULL);
    http_stream_begin(exchange, HTTP_TYPE_NDJSON);
    http_stream_write(exchange, "begin\n", 6);
}

static void route_flood(struct http_exchange *exchange, void *data)
{
    static char block[65536];

    (void)data;
    http_exchange_on_gone(exchange, on_gone, NULL);
    http_stream_begin(exchange, HTTP_TYPE_NDJSON);
    for (int i = 0; i < 64 && http_exchange_is_open(exchange); i++) {
        http_stream_write(exchange, block, sizeof(block));
    }
    http_stream_end(exchange);
}

static void route_later(struct http_exchange *exchange, void *data)
{
    (void)data;
    held = http_exchange_ref(exchange);
    http_exchange_on_gone(exchange, on_gone, NULL);
}

static void route_now(struct http_exchange *exchange, void *data)
{
    (void)data;
    if (held != NULL) {
        reply_text(held, "at last");
        held = http_exchange_unref(held);
    }
    reply_text(exchange, "done");
}

static bool allow(struct http_exchange *exchange, bool is_write, void *data)
{
    (void)data;
    atomic_fetch_add(&n_allowed, 1);
    if (is_write &&
        strstr(http_exchange_request(exchange)->target, "denied") != NULL) {
        http_reply_problem(exchange, 403, &(struct http_problem){.what = "no"});
        return false;
    }
    return true;
}

static const struct http_route routes[] = {
    {HTTP_VERB_GET, false, "/hello", route_hello},
    {HTTP_VERB_POST, true, "/echo", route_echo},
    {HTTP_VERB_POST, true, "/denied", route_echo},
    {HTTP_VERB_GET, false, "/both", route_hello},
    {HTTP_VERB_DELETE, true, "/both", route_hello},
    {HTTP_VERB_DELETE, true, "/both", route_echo}, /* never reached */
    {HTTP_VERB_GET, false, "/item/:name", route_item},
    {HTTP_VERB_GET, false, "/big", route_big},
    {HTTP_VERB_GET, false, "/stream", route_stream},
    {HTTP_VERB_GET, false, "/endless", route_endless},
    {HTTP_VERB_GET, false, "/flood", route_flood},
    {HTTP_VERB_GET, false, "/later", route_later},
    {HTTP_VERB_GET, false, "/now", route_now},
};

static const struct http_config config = {
    .routes = routes, .n_routes = ARRAY_SIZE(routes), .allow = allow};

static int setup(void **state)
{
    struct http_fixture *fixture = malloc(sizeof(*fixture));

    http_fixture_start(fixture, &config);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    http_fixture_stop(*state);
    free(*state);
    return 0;
}

/* Sends one request on a fresh connection; the answer is in `answer`. */
static void ask(const struct http_fixture *fixture, const char *request,
                char *answer, size_t size)
{
    int fd = http_fixture_connect(fixture);

    http_fixture_send(fd, request);
    http_fixture_read_all(fd, answer, size);
    close(fd);
}

static void assert_answer(const char *answer, const char *start,
                          const char *part)
{
    if (strncmp(answer, start, strlen(start)) != 0 ||
        strstr(answer, part) == NULL) {
        fail_msg("expected %s ... %s, got:\n%s", start, part, answer);
    }
}

static void test_get(void **state)
{
    char answer[4096];

    ask(*state, "GET /hello HTTP/1.1\r\nConnection: close\r\n\r\n", answer,
        sizeof(answer));
    assert_string_equal(answer, "HTTP/1.1 200 OK\r\n"
                                "Content-Type: text/plain\r\n"
                                "Content-Length: 5\r\n"
                                "Connection: close\r\n\r\nhello");
}

static void test_head(void **state)
{
    char answer[4096];

    ask(*state, "HEAD /hello HTTP/1.1\r\nConnection: close\r\n\r\n", answer,
        sizeof(answer));
    assert_string_equal(answer, "HTTP/1.1 200 OK\r\n"
                                "Content-Type: text/plain\r\n"
                                "Content-Length: 5\r\n"
                                "Connection: close\r\n\r\n");
}

static void test_http10(void **state)
{
    char answer[4096];

    ask(*state, "GET /hello HTTP/1.0\r\n\r\n", answer, sizeof(answer));
    assert_answer(answer, "HTTP/1.1 200 OK\r\n", "\r\n\r\nhello");
    ask(*state, "GET /stream HTTP/1.0\r\n\r\n", answer, sizeof(answer));
    assert_answer(answer, "HTTP/1.1 200 OK\r\n", "\r\n\r\none\ntwo\n");
    assert_null(strstr(answer, "chunked"));
}

static void test_keep_alive(void **state)
{
    int fd = http_fixture_connect(*state);
    char answer[4096];

    for (int i = 0; i < 3; i++) {
        http_fixture_send(fd, "GET /hello HTTP/1.1\r\n\r\n");
        http_fixture_read_until(fd, "hello", answer, sizeof(answer));
        assert_answer(answer, "HTTP/1.1 200 OK\r\n", "hello");
        assert_null(strstr(answer, "Connection:"));
    }
    close(fd);
}

/* Several requests in one piece, and one request in many. */
static void test_pipeline(void **state)
{
    static const char text[] =
        "POST /echo HTTP/1.1\r\nContent-Length: 4\r\n\r\n"
        "1111GET /hello HTTP/1.1\r\n\r\n"
        "POST /echo HTTP/1.1\r\nConnection: close\r\n"
        "Content-Length: 4\r\n\r\n2222";
    char answer[4096];
    const char *first;
    const char *second;
    int fd;

    ask(*state, text, answer, sizeof(answer));
    first = strstr(answer, "1111HTTP/1.1 200");
    assert_non_null(first);
    second = strstr(first, "helloHTTP/1.1 200");
    assert_non_null(second);
    assert_non_null(strstr(second, "\r\n\r\n2222"));

    fd = http_fixture_connect(*state);
    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        assert_int_equal(send(fd, text + i, 1, MSG_NOSIGNAL), 1);
    }
    http_fixture_read_until(fd, "2222", answer, sizeof(answer));
    assert_non_null(strstr(answer, "1111HTTP/1.1 200"));
    close(fd);
}

static void test_params(void **state)
{
    char expected[128];
    char answer[4096];

    ask(*state,
        "GET /item/a%2Fb?x=1&q=c+d%21&q=2 HTTP/1.1\r\nConnection: "
        "close\r\n\r\n",
        answer, sizeof(answer));
    snprintf(expected, sizeof(expected), "name=a/b q=c d! uid=%u group=1",
             geteuid());
    assert_answer(answer, "HTTP/1.1 200", expected);
}

static void assert_refused(struct http_fixture *fixture, const char *request,
                           const char *status)
{
    char answer[4096];

    ask(fixture, request, answer, sizeof(answer));
    assert_answer(answer, status, "{\"schema\":1,\"error\":{\"what\":\"");
}

static void test_refusals(void **state)
{
    assert_refused(*state, "GET /none HTTP/1.1\r\nConnection: close\r\n\r\n",
                   "HTTP/1.1 404");
    assert_refused(*state, "GET /item/ HTTP/1.1\r\nConnection: close\r\n\r\n",
                   "HTTP/1.1 404");
    assert_refused(*state,
                   "DELETE /hello HTTP/1.1\r\nConnection: close\r\n\r\n",
                   "HTTP/1.1 405");
    assert_refused(*state, "PUT /hello HTTP/1.1\r\nConnection: close\r\n\r\n",
                   "HTTP/1.1 405");
    assert_refused(*state,
                   "POST /denied HTTP/1.1\r\nConnection: close\r\n"
                   "Content-Length: 0\r\n\r\n",
                   "HTTP/1.1 403");
    assert_refused(*state, "GET hello HTTP/1.1\r\n\r\n", "HTTP/1.1 400");
    assert_refused(*state, "GET /%zz HTTP/1.1\r\n\r\n", "HTTP/1.1 400");
    assert_refused(*state, "GET /%00 HTTP/1.1\r\n\r\n", "HTTP/1.1 400");
    assert_refused(*state, "GET /none?\xff HTTP/1.1\r\n\r\n", "HTTP/1.1 400");
    assert_refused(*state, "GET /none?\x7f HTTP/1.1\r\n\r\n", "HTTP/1.1 400");
    assert_refused(*state, "\x16\x03\x01\x02", "HTTP/1.1 400");
    assert_refused(*state, "CONNECT a:1 HTTP/1.1\r\n\r\n", "HTTP/1.1 400");
    assert_refused(*state,
                   "GET /hello HTTP/1.1\r\nConnection: upgrade\r\n"
                   "Upgrade: h2c\r\n\r\n",
                   "HTTP/1.1 400");
    assert_refused(*state,
                   "POST /echo HTTP/1.1\r\nContent-Length: 2\r\n"
                   "Transfer-Encoding: chunked\r\n\r\n",
                   "HTTP/1.1 400");
}

static void assert_item(struct http_fixture *fixture, const char *target,
                        const char *expected)
{
    char request[512];
    char answer[4096];

    (void)snprintf(request, sizeof(request),
                   "GET %s HTTP/1.1\r\nConnection: close\r\n\r\n", target);
    ask(fixture, request, answer, sizeof(answer));
    assert_answer(answer, "HTTP/1.1 200", expected);
}

/* What a target is made of, to its limits. */
static void test_targets(void **state)
{
    /* '+' is a space in a query alone. */
    assert_item(*state, "/item/a+b?q=a+b", "name=a+b q=a b ");
    assert_item(*state, "/item/%41%7a", "name=Az q=(none)");
    /* The first and the last of what need not be escaped. */
    assert_item(*state, "/item/!~?q=!~", "name=!~ q=!~ ");
    /* The whole name of a field, and the first of it. */
    assert_item(*state, "/item/a?quux=1&xq=2&q=3&q=4", "q=3 ");
    assert_item(*state, "/item/a?q&q=4", "q= ");
    /* 31 characters fit the handler's room, 32 do not. */
    assert_item(*state, "/item/a?q=0123456789012345678901234567890",
                "q=0123456789012345678901234567890 ");
    assert_item(*state, "/item/a?q=01234567890123456789012345678901",
                "q=(none)");
    /* A fragment is no part of path or query. */
    assert_item(*state, "/item/a#b?q=1", "name=a q=(none)");
    assert_item(*state, "/item/a?q=1#b", "q=1 ");
    assert_item(*state, "/item/a?x=1#&q=2", "q=(none)");
    /* A part of a route is none, nor is one with more. */
    assert_refused(*state, "GET /item HTTP/1.1\r\nConnection: close\r\n\r\n",
                   "HTTP/1.1 404");
    assert_refused(*state,
                   "GET /hello/more HTTP/1.1\r\nConnection: close\r\n\r\n",
                   "HTTP/1.1 404");
    /* 8 segments are a path, 9 are not. */
    assert_refused(*state,
                   "GET /1/2/3/4/5/6/7/8 HTTP/1.1\r\nConnection: close\r\n\r\n",
                   "HTTP/1.1 404");
    assert_refused(*state, "GET /1/2/3/4/5/6/7/8/9 HTTP/1.1\r\n\r\n",
                   "HTTP/1.1 400");
    assert_refused(*state, "GET /%7f HTTP/1.1\r\n\r\n", "HTTP/1.1 400");
    assert_refused(*state, "GET /%1f HTTP/1.1\r\n\r\n", "HTTP/1.1 400");
    assert_refused(*state, "GET /%4 HTTP/1.1\r\n\r\n", "HTTP/1.1 400");
}

/* The limit on headers is for one request, not for a connection. */
static void test_many_headers(void **state)
{
    static char request[4200];
    char answer[4096];
    int fd = http_fixture_connect(*state);

    (void)snprintf(request, sizeof(request),
                   "GET /hello HTTP/1.1\r\nX: %04000d\r\n\r\n", 1);
    for (int i = 0; i < 4; i++) {
        http_fixture_send(fd, request);
        (void)http_fixture_read_until(fd, "hello", answer, sizeof(answer));
        assert_answer(answer, "HTTP/1.1 200", "hello");
    }
    close(fd);
}

/* Who asks no more is closed without a word: no request of his is late. */
static void test_idle_after(void **state)
{
    struct http_fixture fixture;
    struct http_config hasty = config;
    char answer[4096];
    size_t size = 0;

    (void)state;
    hasty.idle_ms = 30;
    http_fixture_start(&fixture, &hasty);
    /* Again where a busy machine let the request itself come too late. */
    for (int i = 0; i < 1000 && size == 0; i++) {
        int fd = http_fixture_connect(&fixture);

        http_fixture_send(fd, "GET /hello HTTP/1.1\r\n\r\n");
        size = http_fixture_read_all(fd, answer, sizeof(answer));
        close(fd);
    }
    assert_answer(answer, "HTTP/1.1 200", "hello");
    assert_null(strstr(answer, "408"));
    http_fixture_stop(&fixture);
}

/* The methods that the path has, and no other. */
static void test_allow(void **state)
{
    char answer[4096];

    ask(*state, "DELETE /hello HTTP/1.1\r\nConnection: close\r\n\r\n", answer,
        sizeof(answer));
    assert_non_null(strstr(answer, "\r\nAllow: GET, HEAD\r\n"));
    assert_non_null(strstr(answer, "its methods are GET, HEAD;"));
    ask(*state, "GET /echo HTTP/1.1\r\nConnection: close\r\n\r\n", answer,
        sizeof(answer));
    assert_non_null(strstr(answer, "HTTP/1.1 405"));
    assert_non_null(strstr(answer, "\r\nAllow: POST\r\n"));
    ask(*state, "PUT /both HTTP/1.1\r\nConnection: close\r\n\r\n", answer,
        sizeof(answer));
    assert_non_null(strstr(answer, "\r\nAllow: GET, HEAD, DELETE\r\n"));
    ask(*state, "GET /none HTTP/1.1\r\nConnection: close\r\n\r\n", answer,
        sizeof(answer));
    assert_null(strstr(answer, "Allow:"));
}

/* At each limit, and one past it. */
static void ask_sized(struct http_fixture *fixture, size_t header, size_t body,
                      bool is_chunked, const char *status)
{
    /* The line is counted as its target, a header as name, value and 4. */
    static const char target[] = "/echo";
    size_t filler = header > 0
                        ? header - strlen(target) - strlen("Content-Length") -
                              5 - 4 - strlen("Filler")
                        : 1;
    static char request[131072]; /* more than every limit together */
    char answer[128];
    int fd = http_fixture_connect(fixture);
    size_t len;

    assert_true(filler + body + 256 <= sizeof(request));
    len = (size_t)snprintf(request, sizeof(request),
                           "POST %s HTTP/1.1\r\n%s: %05zu\r\nFiller: ", target,
                           is_chunked ? "Ignored" : "Content-Length", body);
    memset(request + len, 'f', filler);
    len += filler;
    len += (size_t)snprintf(request + len, sizeof(request) - len, "\r\n%s\r\n",
                            is_chunked ? "Transfer-Encoding: chunked\r\n" : "");
    if (is_chunked) {
        len += (size_t)snprintf(request + len, sizeof(request) - len, "%zx\r\n",
                                body);
    }
    memset(request + len, 'b', body);
    len += body;
    strcpy(request + len, is_chunked ? "\r\n0\r\n\r\n" : "");
    http_fixture_send(fd, request);
    http_fixture_read_until(fd, "\r\n", answer, sizeof(answer));
    assert_answer(answer, status, "");
    close(fd);
}

static void test_limits(void **state)
{
    ask_sized(*state, 0, HTTP_BODY_MAX, false, "HTTP/1.1 200");
    ask_sized(*state, 0, HTTP_BODY_MAX + 1, false, "HTTP/1.1 413");
    ask_sized(*state, 0, HTTP_BODY_MAX, true, "HTTP/1.1 200");
    ask_sized(*state, 0, HTTP_BODY_MAX + 1, true, "HTTP/1.1 413");
    ask_sized(*state, HTTP_HEADER_MAX, 5, false, "HTTP/1.1 200");
    ask_sized(*state, HTTP_HEADER_MAX + 1, 5, false, "HTTP/1.1 431");
}

static void test_continue(void **state)
{
    int fd = http_fixture_connect(*state);
    char answer[4096];

    http_fixture_send(fd, "POST /echo HTTP/1.1\r\nExpect: 100-continue\r\n"
                          "Content-Length: 4\r\n\r\n");
    http_fixture_read_until(fd, "\r\n\r\n", answer, sizeof(answer));
    assert_string_equal(answer, "HTTP/1.1 100 Continue\r\n\r\n");
    http_fixture_send(fd, "body");
    http_fixture_read_until(fd, "body", answer, sizeof(answer));
    assert_answer(answer, "HTTP/1.1 200", "\r\n\r\nbody");
    close(fd);
}

static void test_stream(void **state)
{
    char answer[4096];

    atomic_store(&n_gone, 0);
    ask(*state, "GET /stream HTTP/1.1\r\nConnection: close\r\n\r\n", answer,
        sizeof(answer));
    assert_answer(answer, "HTTP/1.1 200 OK\r\n",
                  "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
                  "4\r\none\n\r\n4\r\ntwo\n\r\n0\r\n\r\n");
    ask(*state, "HEAD /stream HTTP/1.1\r\nConnection: close\r\n\r\n", answer,
        sizeof(answer));
    assert_answer(answer, "HTTP/1.1 200 OK\r\n", "\r\n\r\n");
    assert_int_equal(atomic_load(&n_gone), 0);
}

static void wait_gone(int n)
{
    for (int i = 0; i < 1000 && atomic_load(&n_gone) < n; i++) {
        usleep(10000);
    }
    assert_int_equal(atomic_load(&n_gone), n);
}

static void test_stream_gone(void **state)
{
    int fd = http_fixture_connect(*state);
    char answer[4096];

    atomic_store(&n_gone, 0);
    http_fixture_send(fd, "GET /endless HTTP/1.1\r\n\r\n");
    http_fixture_read_until(fd, "begin", answer, sizeof(answer));
    close(fd);
    wait_gone(1);
}

/* Who does not read is closed once a megabyte waits. */
static void test_stream_slow(void **state)
{
    int fd = http_fixture_connect(*state);

    atomic_store(&n_gone, 0);
    http_fixture_send(fd, "GET /flood HTTP/1.1\r\n\r\n");
    wait_gone(1);
    close(fd);
}

static void test_answer_later(void **state)
{
    int fd = http_fixture_connect(*state);
    char answer[4096];

    atomic_store(&n_gone, 0);
    http_fixture_send(fd, "GET /later HTTP/1.1\r\n\r\n");
    /* The client may already have said all it will. */
    shutdown(fd, SHUT_WR);
    ask(*state, "GET /now HTTP/1.1\r\nConnection: close\r\n\r\n", answer,
        sizeof(answer));
    http_fixture_read_all(fd, answer, sizeof(answer));
    assert_answer(answer, "HTTP/1.1 200", "at last");
    close(fd);
    assert_int_equal(atomic_load(&n_gone), 0);
}

/* The answer to a client that is gone goes nowhere, harmlessly. */
static void test_answer_too_late(void **state)
{
    struct http_fixture *fixture = *state;
    int fd = http_fixture_connect(fixture);
    char answer[4096];

    atomic_store(&n_gone, 0);
    http_fixture_send(fd, "GET /later HTTP/1.1\r\n\r\n");
    close(fd);
    ask(fixture, "GET /now HTTP/1.1\r\nConnection: close\r\n\r\n", answer,
        sizeof(answer));
    assert_answer(answer, "HTTP/1.1 200", "done");
}

static void test_big_answer(void **state)
{
    char *answer = malloc(BIG_SIZE + 4096);
    int fd = http_fixture_connect(*state);
    size_t size;

    http_fixture_send(fd, "GET /big HTTP/1.1\r\nConnection: close\r\n\r\n");
    size = http_fixture_read_all(fd, answer, BIG_SIZE + 4096);
    assert_true(size > BIG_SIZE);
    assert_int_equal(answer[size - 1], 'b');
    free(answer);
    close(fd);
}

static void test_too_many(void **state)
{
    int fds[HTTP_CLIENTS_MAX];
    char answer[4096];
    int fd;

    for (size_t i = 0; i < HTTP_CLIENTS_MAX; i++) {
        fds[i] = http_fixture_connect(*state);
        http_fixture_send(fds[i], "GET /hello HTTP/1.1\r\n\r\n");
        http_fixture_read_until(fds[i], "hello", answer, sizeof(answer));
    }
    fd = http_fixture_connect(*state);
    http_fixture_read_all(fd, answer, sizeof(answer));
    assert_answer(answer, "HTTP/1.1 503", "too many clients");
    close(fd);
    for (size_t i = 0; i < HTTP_CLIENTS_MAX; i++) {
        close(fds[i]);
    }
    /* And room again, as soon as the loop saw them go. */
    for (int i = 0; i < 1000; i++) {
        ask(*state, "GET /hello HTTP/1.1\r\nConnection: close\r\n\r\n", answer,
            sizeof(answer));
        if (strstr(answer, "200 OK") != NULL) {
            return;
        }
        usleep(10000);
    }
    fail_msg("no room after all had gone");
}

static void test_timeouts(void **state)
{
    struct http_fixture fixture;
    struct http_config hasty = config;
    char answer[4096];
    int fd;

    (void)state;
    hasty.idle_ms = 30;
    hasty.request_ms = 60;
    http_fixture_start(&fixture, &hasty);
    fd = http_fixture_connect(&fixture);
    assert_int_equal(http_fixture_read_all(fd, answer, sizeof(answer)), 0);
    close(fd);
    ask(&fixture, "GET /hello HTT", answer, sizeof(answer));
    assert_answer(answer, "HTTP/1.1 408", "in time");
    http_fixture_stop(&fixture);
}

/* Who does not take his answer is closed too. */
static void test_answer_not_taken(void **state)
{
    struct http_fixture fixture;
    struct http_config hasty = config;
    struct pollfd pollfd = {.events = POLLRDHUP};

    (void)state;
    hasty.write_ms = 30;
    http_fixture_start(&fixture, &hasty);
    pollfd.fd = http_fixture_connect(&fixture);
    http_fixture_send(pollfd.fd, "GET /big HTTP/1.1\r\n\r\n");
    assert_int_equal(poll(&pollfd, 1, 10000), 1);
    assert_true(pollfd.revents & POLLHUP);
    close(pollfd.fd);
    http_fixture_stop(&fixture);
}

/* Stopping with clients in every state leaves nothing behind. */
static void test_stop_busy(void **state)
{
    struct http_fixture fixture;
    char answer[4096];
    int fds[4];

    (void)state;
    http_fixture_start(&fixture, &config);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        fds[i] = http_fixture_connect(&fixture);
    }
    http_fixture_send(fds[1], "GET /hel");
    http_fixture_send(fds[2], "GET /endless HTTP/1.1\r\n\r\n");
    http_fixture_read_until(fds[2], "begin", answer, sizeof(answer));
    http_fixture_send(fds[3], "GET /big HTTP/1.1\r\n\r\n");
    http_fixture_read_until(fds[3], "bbb", answer, sizeof(answer));
    http_fixture_stop(&fixture);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        close(fds[i]);
    }
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    memcpy(address.sun_path, path, strlen(path));
    assert_int_equal(
        bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 1), 0);
    return fd;
}

static void assert_cannot_listen(uv_loop_t *loop, const char *path, int error,
                                 const char *text)
{
    struct http_config own = config;
    struct http_server *server = NULL;
    char *message = NULL;

    own.loop = loop;
    own.path = path;
    assert_int_equal(http_server_new(&own, &server, &message), error);
    assert_null(server);
    assert_non_null(message);
    if (strstr(message, text) == NULL) {
        fail_msg("expected %s in: %s", text, message);
    }
    free(message);
}

static void test_socket_file(void **state)
{
    char directory[] = "/tmp/test_http.XXXXXX";
    struct http_config own = config;
    struct http_server *server;
    char long_path[160];
    char path[64];
    char *message = NULL;
    struct stat stat;
    uv_loop_t loop;
    mode_t mask;
    FILE *file;
    int fd;

    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/api.sock", directory);
    assert_int_equal(uv_loop_init(&loop), 0);

    fd = listen_at(path);
    assert_cannot_listen(&loop, path, -EADDRINUSE, "a running agent");
    close(fd);

    /* The file of a dead agent is replaced. */
    own.loop = &loop;
    own.path = path;
    mask = umask(077);
    assert_int_equal(http_server_new(&own, &server, &message), 0);
    umask(mask);
    assert_int_equal(lstat(path, &stat), 0);
    assert_int_equal(stat.st_mode, S_IFSOCK | 0660);
    http_server_free(server);
    assert_int_equal(lstat(path, &stat), -1);

    file = fopen(path, "w");
    fclose(file);
    assert_cannot_listen(&loop, path, -EEXIST, "not a socket");
    assert_int_equal(unlink(path), 0);
    memset(long_path, 'p', sizeof(long_path));
    long_path[sizeof(long_path) - 1] = '\0';
    assert_cannot_listen(&loop, long_path, -ENAMETOOLONG, "107");
    snprintf(path, sizeof(path), "%s/no/api.sock", directory);
    assert_cannot_listen(&loop, path, -ENOENT, "run_dir exists");

    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    assert_int_equal(rmdir(directory), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_get),
        TEST(test_head),
        TEST(test_http10),
        TEST(test_keep_alive),
        TEST(test_pipeline),
        TEST(test_params),
        TEST(test_refusals),
        TEST(test_allow),
        TEST(test_targets),
        TEST(test_many_headers),
        cmocka_unit_test(test_idle_after),
        TEST(test_limits),
        TEST(test_continue),
        TEST(test_stream),
        TEST(test_stream_gone),
        TEST(test_stream_slow),
        TEST(test_answer_later),
        TEST(test_answer_too_late),
        TEST(test_big_answer),
        TEST(test_too_many),
        cmocka_unit_test(test_timeouts),
        cmocka_unit_test(test_answer_not_taken),
        cmocka_unit_test(test_stop_busy),
        cmocka_unit_test(test_socket_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
