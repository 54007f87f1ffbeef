/*
 * See http_fixture.h.
 */
#include "tests/unit/http_fixture.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define WAIT_MS 10000
#define STOP_S  5

static void on_stop(uv_async_t *async)
{
    struct http_fixture *fixture = async->data;

    fixture->server = http_server_free(fixture->server);
    uv_close((uv_handle_t *)async, NULL);
}

static void *run(void *data)
{
    struct http_fixture *fixture = data;

    (void)uv_run(&fixture->loop, UV_RUN_DEFAULT);
    return NULL;
}

void http_fixture_start(struct http_fixture *fixture,
                        const struct http_config *config)
{
    struct http_config own = *config;
    char *error = NULL;

    signal(SIGPIPE, SIG_IGN);
    memset(fixture, 0, sizeof(*fixture));
    snprintf(fixture->directory, sizeof(fixture->directory),
             "/tmp/test_http.XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    snprintf(fixture->path, sizeof(fixture->path), "%s/api.sock",
             fixture->directory);
    snprintf(fixture->address, sizeof(fixture->address), "unix:%s",
             fixture->path);
    assert_int_equal(uv_loop_init(&fixture->loop), 0);
    own.loop = &fixture->loop;
    own.path = fixture->path;
    assert_int_equal(http_server_new(&own, &fixture->server, &error), 0);
    assert_int_equal(uv_async_init(&fixture->loop, &fixture->stop, on_stop), 0);
    fixture->stop.data = fixture;
    assert_int_equal(pthread_create(&fixture->thread, NULL, run, fixture), 0);
}

void http_fixture_stop(struct http_fixture *fixture)
{
    struct timespec limit;

    assert_int_equal(uv_async_send(&fixture->stop), 0);
    (void)clock_gettime(CLOCK_REALTIME, &limit); /* cannot fail */
    limit.tv_sec += STOP_S;
    if (pthread_timedjoin_np(fixture->thread, NULL, &limit) != 0) {
        (void)fprintf(stderr, "the server does not stop within %d s\n", STOP_S);
        /* The next tests would each wait for it too.  No abort: the first
         * process of a namespace gets no signal. */
        _exit(EXIT_FAILURE);
    }
    assert_int_equal(uv_loop_close(&fixture->loop), 0);
    assert_int_equal(access(fixture->path, F_OK), -1);
    assert_int_equal(rmdir(fixture->directory), 0);
}

int http_fixture_connect(const struct http_fixture *fixture)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(address.sun_path, fixture->path, strlen(fixture->path));
    assert_true(fd >= 0);
    assert_int_equal(
        connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

void http_fixture_send(int fd, const char *text)
{
    size_t size = strlen(text);

    while (size > 0) {
        ssize_t n = send(fd, text, size, MSG_NOSIGNAL);

        if (n < 0) {
            return; /* the server has closed; what it said can be read */
        }
        text += n;
        size -= (size_t)n;
    }
}

size_t http_fixture_read_until(int fd, const char *text, char *buffer,
                               size_t size)
{
    size_t used = 0;

    buffer[0] = '\0';
    while (used + 1 < size && (text == NULL || strstr(buffer, text) == NULL)) {
        struct pollfd pollfd = {.fd = fd, .events = POLLIN};
        ssize_t n;

        if (poll(&pollfd, 1, WAIT_MS) != 1) {
            fail_msg("nothing came within %d ms after: %s", WAIT_MS, buffer);
        }
        n = recv(fd, buffer + used, size - used - 1, 0);
        if (n <= 0) {
            break;
        }
        used += (size_t)n;
        buffer[used] = '\0';
    }
    return used;
}

size_t http_fixture_read_all(int fd, char *buffer, size_t size)
{
    return http_fixture_read_until(fd, NULL, buffer, size);
}
