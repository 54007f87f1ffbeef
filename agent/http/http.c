/*
 * Connections of the API's HTTP server: accept, read, route, time out.  See
 * http.h; answers are in http_answer.c, the grammar in http_request.c.
 */
#include "agent/http/http.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/http/http_internal.h"

#define IDLE_MS    60000u
#define REQUEST_MS 10000u
#define WRITE_MS   30000u

/* Frees a server whose last handle is gone. */
static void server_release(struct http_server *server)
{
    if (server->is_closed && server->n_connections == 0) {
        free(server);
    }
}

static void on_server_closed(void *data)
{
    struct http_server *server = data;

    server->is_closed = true;
    server_release(server);
}

static void on_connection_closed(uv_handle_t *handle)
{
    struct http_connection *connection = handle->data;
    struct http_server *server = connection->server;

    assert(connection->n_handles > 0);
    if (--connection->n_handles > 0) {
        return;
    }
    (void)http_reader_free(connection->reader);
    free(connection->waiting);
    free(connection);
    server->n_connections--;
    server_release(server);
}

void http_connection_close(struct http_connection *connection)
{
    struct http_server *server = connection->server;
    struct http_exchange *exchange = connection->exchange;

    if (connection->is_closing) {
        return;
    }
    connection->is_closing = true;
    if (connection->slot < HTTP_CLIENTS_MAX) {
        server->connections[connection->slot] = NULL;
        server->n_clients--;
    }
    connection->exchange = NULL;
    if (exchange != NULL) {
        http_exchange_detach(exchange);
    }
    uv_close((uv_handle_t *)&connection->timer, on_connection_closed);
    uv_close((uv_handle_t *)&connection->pipe, on_connection_closed);
}

static void on_timeout(uv_timer_t *timer)
{
    struct http_connection *connection = timer->data;

    if (connection->exchange == NULL &&
        http_reader_is_partial(connection->reader)) {
        connection->server->counters.timeouts++;
        http_refuse(connection, 408,
                    &(struct http_problem){
                        .what = "the request did not arrive whole in time",
                        .next = "send the request in one go"});
        return;
    }
    http_connection_close(connection);
}

void http_connection_arm(struct http_connection *connection,
                         uint32_t timeout_ms)
{
    if (!connection->is_closing) {
        /* Cannot fail: the callback is set and the handle is not closing. */
        (void)uv_timer_start(&connection->timer, on_timeout, timeout_ms, 0);
    }
}

/* Adds the methods of a route to a list as Allow has it: "GET, HEAD". */
static void name_methods(enum http_verb verb, char *allow, size_t size)
{
    static const char *const names[] = {[HTTP_VERB_GET] = "GET, HEAD",
                                        [HTTP_VERB_POST] = "POST",
                                        [HTTP_VERB_DELETE] = "DELETE"};
    size_t len = strlen(allow);

    /* Two routes may serve one path and method, the first of them does. */
    if (strstr(allow, names[verb]) == NULL) {
        (void)snprintf(allow + len, size - len, "%s%s", len > 0 ? ", " : "",
                       names[verb]);
    }
}

static void dispatch(struct http_connection *connection,
                     struct http_exchange *exchange)
{
    const struct http_config *config = &connection->server->config;
    const struct http_request *request = &exchange->request;
    enum http_verb verb =
        request->verb == HTTP_VERB_HEAD ? HTTP_VERB_GET : request->verb;
    char allow[40] = "";

    for (size_t i = 0; i < config->n_routes; i++) {
        const struct http_route *route = &config->routes[i];

        if (!http_request_matches(request, route->pattern)) {
            continue;
        }
        if (route->verb != verb) {
            name_methods(route->verb, allow, sizeof(allow));
            continue;
        }
        if (config->allow == NULL ||
            config->allow(exchange, route->is_write, config->data)) {
            route->handle(exchange, config->data);
        }
        return;
    }
    if (allow[0] != '\0') {
        http_reply_methods(exchange, allow);
        return;
    }
    http_reply_problem(
        exchange, 404,
        &(struct http_problem){
            .what = "there is nothing at this path",
            .where = "the request line",
            .next = "see docs/API.md for the paths and their methods"});
}

static void refuse_request(struct http_connection *connection, int error)
{
    unsigned status = 400;
    const char *what = "the request is not well-formed HTTP/1.1";

    if (error == HTTP_E_HEADER_SIZE) {
        status = 431;
        what = "the request line and headers are longer than 8192 bytes";
    } else if (error == HTTP_E_BODY_SIZE) {
        status = 413;
        what = "the request body is longer than 65536 bytes";
    } else if (error == HTTP_E_UPGRADE) {
        what = "no other protocol than HTTP/1.1 is spoken here";
    }
    http_refuse(
        connection, status,
        &(struct http_problem){.what = what, .next = "see docs/API.md"});
}

/* A whole request: hand it to its route. */
static void begin_exchange(struct http_connection *connection)
{
    struct http_exchange *exchange = http_exchange_new(connection);

    if (exchange == NULL) {
        http_connection_close(connection);
        return;
    }
    http_reader_take(connection->reader, &exchange->request);
    exchange->is_last = !exchange->request.keep_alive;
    connection->server->counters.requests++;
    (void)uv_timer_stop(&connection->timer);
    /* Held across the call: the handler may answer, which may close. */
    (void)http_exchange_ref(exchange);
    dispatch(connection, exchange);
    (void)http_exchange_unref(exchange);
}

static void send_continue(struct http_connection *connection)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    uv_buf_t piece = {.base = (char *)(uintptr_t)text, .len = sizeof(text) - 1};

    /* A client that does not get it sends its body after a second anyway. */
    (void)uv_try_write((uv_stream_t *)&connection->pipe, &piece, 1);
}

/* Feeds the reader until a request is whole or the bytes are used up.
 * Returns how many were used. */
static size_t process(struct http_connection *connection, const char *bytes,
                      size_t size)
{
    size_t used = 0;

    while (used < size && connection->exchange == NULL &&
           !connection->is_closing) {
        bool was_partial = http_reader_is_partial(connection->reader);
        size_t n;
        int error =
            http_reader_feed(connection->reader, bytes + used, size - used, &n);

        used += n;
        if (error == 0) {
            begin_exchange(connection);
        } else if (error == HTTP_E_AGAIN) {
            if (!was_partial && http_reader_is_partial(connection->reader)) {
                http_connection_arm(connection,
                                    connection->server->config.request_ms);
            }
            if (http_reader_wants_continue(connection->reader)) {
                send_continue(connection);
            }
        } else if (error < 0) {
            http_connection_close(connection);
        } else {
            refuse_request(connection, error);
            used = size;
        }
    }
    return used;
}

/* Keeps what came while a request is being answered. */
static void keep_waiting(struct http_connection *connection, const char *bytes,
                         size_t size)
{
    char *grown;

    if (size == 0 || connection->is_closing) {
        return;
    }
    if (connection->waiting_size + size > HTTP_PIPELINE_MAX) {
        http_connection_close(connection);
        return;
    }
    grown = realloc(connection->waiting, connection->waiting_size + size);
    if (grown == NULL) {
        http_connection_close(connection);
        return;
    }
    memcpy(grown + connection->waiting_size, bytes, size);
    connection->waiting = grown;
    connection->waiting_size += size;
}

void http_connection_next(struct http_connection *connection)
{
    char *bytes = connection->waiting;
    size_t size = connection->waiting_size;
    size_t used;

    connection->waiting = NULL;
    connection->waiting_size = 0;
    http_connection_arm(connection, connection->server->config.idle_ms);
    used = process(connection, bytes, size);
    if (used < size) {
        keep_waiting(connection, bytes + used, size - used);
    }
    free(bytes);
    if (connection->is_ended && connection->exchange == NULL) {
        http_connection_close(connection);
    }
}

static void on_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    struct http_connection *connection = handle->data;

    (void)suggested;
    *ret = uv_buf_init(connection->server->input,
                       sizeof(connection->server->input));
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
    struct http_connection *connection = stream->data;
    struct http_exchange *exchange = connection->exchange;
    size_t used;

    if (size == UV_EOF && exchange != NULL &&
        exchange->state != HTTP_EXCHANGE_STREAMING) {
        /* It sent its request and waits for the answer. */
        connection->is_ended = true;
        exchange->is_last = true;
        (void)uv_read_stop(stream);
    } else if (size < 0) {
        http_connection_close(connection);
    } else if (size > 0) {
        used = process(connection, buffer->base, (size_t)size);
        keep_waiting(connection, buffer->base + used, (size_t)size - used);
    }
}

static bool take_slot(struct http_connection *connection)
{
    struct http_server *server = connection->server;

    for (size_t i = 0; i < HTTP_CLIENTS_MAX; i++) {
        if (server->connections[i] == NULL) {
            server->connections[i] = connection;
            server->n_clients++;
            connection->slot = i;
            return true;
        }
    }
    return false;
}

static void begin_connection(struct http_connection *connection, int fd)
{
    struct http_server *server = connection->server;

    if (!take_slot(connection)) {
        server->counters.connections_refused++;
        http_refuse(connection, 503,
                    &(struct http_problem){
                        .what = "too many clients",
                        .why = "the API serves 64 connections at once",
                        .next = "close idle ones (each `agentctl events` is "
                                "one) and try again"});
        return;
    }
    server->counters.connections++;
    if (!http_socket_peer(fd, server->socket_gid, &connection->peer) ||
        uv_read_start((uv_stream_t *)&connection->pipe, on_buffer, on_read) <
            0) {
        http_connection_close(connection);
        return;
    }
    http_connection_arm(connection, server->config.idle_ms);
}

static int on_accepted(int fd, void *data)
{
    struct http_server *server = data;
    struct http_connection *connection = calloc(1, sizeof(*connection));
    int error;

    if (connection == NULL || http_reader_new(&connection->reader) != 0) {
        server->counters.connections_refused++;
        free(connection);
        return -ENOMEM;
    }
    connection->server = server;
    connection->slot = HTTP_CLIENTS_MAX;
    server->n_connections++;
    /* Neither can fail: they only fill in the handles. */
    (void)uv_pipe_init(server->config.loop, &connection->pipe, 0);
    (void)uv_timer_init(server->config.loop, &connection->timer);
    connection->pipe.data = connection;
    connection->timer.data = connection;
    connection->n_handles = 2;
    error = uv_pipe_open(&connection->pipe, fd);
    if (error < 0) {
        http_connection_close(connection);
        return error;
    }
    begin_connection(connection, fd);
    return 0;
}

static int start(struct http_server *server, char **ret_error)
{
    int error;
    int fd;

    error = http_socket_bind(server->config.path, &fd, &server->socket_gid,
                             ret_error);
    if (error < 0) {
        return error;
    }
    error = listener_start(&server->listener, fd, SOMAXCONN);
    if (error < 0 && asprintf(ret_error, "cannot listen at unix:%s: %s",
                              server->config.path, uv_strerror(error)) < 0) {
        *ret_error = NULL;
    }
    return error;
}

int http_server_new(const struct http_config *config, struct http_server **ret,
                    char **ret_error)
{
    struct http_server *server = calloc(1, sizeof(*server));
    struct http_config *own;
    int error;

    if (server == NULL) {
        return -ENOMEM;
    }
    own = &server->config;
    *own = *config;
    own->idle_ms = own->idle_ms != 0 ? own->idle_ms : IDLE_MS;
    own->request_ms = own->request_ms != 0 ? own->request_ms : REQUEST_MS;
    own->write_ms = own->write_ms != 0 ? own->write_ms : WRITE_MS;
    own->path = strdup(config->path);
    listener_init(&server->listener, own->loop, on_accepted, server);
    error = own->path != NULL ? start(server, ret_error) : -ENOMEM;
    if (error < 0) {
        free((char *)(uintptr_t)own->path);
        own->path = NULL;
        server->is_closing = true;
        listener_close(&server->listener, on_server_closed);
        return error;
    }
    *ret = server;
    return 0;
}

struct http_server *http_server_free(struct http_server *server)
{
    if (server == NULL) {
        return NULL;
    }
    server->is_closing = true;
    (void)unlink(server->config.path); /* gone already is as good */
    free((char *)(uintptr_t)server->config.path);
    server->config.path = NULL;
    for (size_t i = 0; i < HTTP_CLIENTS_MAX; i++) {
        if (server->connections[i] != NULL) {
            http_connection_close(server->connections[i]);
        }
    }
    listener_close(&server->listener, on_server_closed);
    return NULL;
}

size_t http_server_n_clients(const struct http_server *server)
{
    return server->n_clients;
}

const struct http_counters *
http_server_counters(const struct http_server *server)
{
    return &server->counters;
}
