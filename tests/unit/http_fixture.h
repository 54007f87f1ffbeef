/*
 * An HTTP server with routes of the test, on a loop in a thread of its own,
 * and a raw client.  For test_http.c and test_ctl.c.
 */
#ifndef SOCKETNET_TESTS_HTTP_FIXTURE_H
#define SOCKETNET_TESTS_HTTP_FIXTURE_H

#include <stddef.h>

#include <pthread.h>
#include <uv.h>

#include "agent/http/http.h"

struct http_fixture {
    uv_loop_t loop;
    uv_async_t stop;
    pthread_t thread;
    struct http_server *server;
    char directory[64];
    char path[96];     /* of the socket */
    char address[112]; /* "unix:PATH" */
};

/* Starts serving; `config` gives routes, allow, data and times. */
void http_fixture_start(struct http_fixture *fixture,
                        const struct http_config *config);
/* Ends the server, the loop and the thread, and checks that nothing is left. */
void http_fixture_stop(struct http_fixture *fixture);

/* A connection. */
int http_fixture_connect(const struct http_fixture *fixture);
void http_fixture_send(int fd, const char *text);
/* Reads until `text` has arrived (or the other end closed); what came is in
 * `buffer`, terminated.  Returns its size. */
size_t http_fixture_read_until(int fd, const char *text, char *buffer,
                               size_t size);
/* Reads to the end of the connection. */
size_t http_fixture_read_all(int fd, char *buffer, size_t size);

#endif
