/*
 * Exchanges: a request, its handler's hold on it, and the bytes of its
 * answer.  See http.h.
 */
#include "agent/http/http_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "agent/json/json_build.h"
#include "agent/json/json_text.h"

/* What is said when there is no memory to say anything else. */
#define OUT_OF_MEMORY                                                          \
    "{\"schema\":1,\"error\":{\"what\":\"the answer could not be made\","      \
    "\"why\":\"the agent is out of memory\",\"next\":\"try again; see how "    \
    "much memory this host has left\"}}"

static const char *status_text(unsigned status)
{
    switch (status) {
    case 200:
        return "OK";
    case 201:
        return "Created";
    case 202:
        return "Accepted";
    case 400:
        return "Bad Request";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 408:
        return "Request Timeout";
    case 409:
        return "Conflict";
    case 413:
        return "Content Too Large";
    case 422:
        return "Unprocessable Content";
    case 431:
        return "Request Header Fields Too Large";
    case 503:
        return "Service Unavailable";
    case 504:
        return "Gateway Timeout";
    case 507:
        return "Insufficient Storage";
    default:
        return "Internal Server Error";
    }
}

/* The write is over: what it held goes. */
static void write_done(struct http_write *write)
{
    free(write->body);
    if (write->is_embedded) {
        (void)http_exchange_unref(write->exchange);
    } else {
        free(write);
    }
}

static void on_written(uv_write_t *request, int status)
{
    struct http_write *write = request->data;
    struct http_connection *connection = write->connection;
    struct http_exchange *exchange = write->exchange;

    if (status < 0) {
        http_connection_close(connection);
    } else if (exchange != NULL && !connection->is_closing) {
        bool is_last = exchange->is_last;

        exchange->connection = NULL;
        connection->exchange = http_exchange_unref(exchange);
        if (is_last) {
            http_connection_close(connection);
        } else {
            http_connection_next(connection);
        }
    }
    write_done(write);
}

/* Queues head, body (taken over) and tail; libuv writes at once what the
 * socket takes. */
static void send_pieces(struct http_exchange *exchange,
                        struct http_write *write, char *body, size_t size,
                        const char *tail)
{
    struct http_connection *connection = exchange->connection;
    uv_buf_t pieces[3];
    unsigned n = 0;

    write->request.data = write;
    write->connection = connection;
    write->exchange = exchange->state == HTTP_EXCHANGE_DONE ? exchange : NULL;
    write->body = body;
    if (write->head[0] != '\0') {
        pieces[n++] = uv_buf_init(write->head, (unsigned)strlen(write->head));
    }
    if (size > 0) {
        pieces[n++] = uv_buf_init(body, (unsigned)size);
    }
    if (tail[0] != '\0' || n == 0) {
        /* libuv never writes to it.  An empty write still calls back after
         * those before it. */
        pieces[n++] =
            (uv_buf_t){.base = (char *)(uintptr_t)tail, .len = strlen(tail)};
    }
    if (uv_write(&write->request, (uv_stream_t *)&connection->pipe, pieces, n,
                 on_written) < 0) {
        write_done(write);
        http_connection_close(connection);
    } else if (exchange->state == HTTP_EXCHANGE_DONE) {
        http_connection_arm(connection, connection->server->config.write_ms);
    }
}

static void count_status(struct http_server *server, unsigned status)
{
    if (status >= 500) {
        server->counters.errors_server++;
    } else if (status >= 400) {
        server->counters.errors_client++;
    }
}

/* The whole answer: `body` (taken over) or the text `fixed`, and more lines of
 * the head in `more`. */
static void reply_with(struct http_exchange *exchange, unsigned status,
                       const char *type, char *body, size_t size,
                       const char *fixed, const char *more)
{
    struct http_connection *connection = exchange->connection;
    struct http_write *write = &exchange->answer;

    if (exchange->state != HTTP_EXCHANGE_WAITING) {
        free(body);
        return;
    }
    count_status(connection->server, status);
    exchange->state = HTTP_EXCHANGE_DONE;
    (void)http_exchange_ref(exchange);
    write->is_embedded = true;
    (void)snprintf(write->head, sizeof(write->head),
                   "HTTP/1.1 %u %s\r\n"
                   "Content-Type: %s\r\n"
                   "Content-Length: %zu\r\n"
                   "%s%s\r\n",
                   status, status_text(status), type, size + strlen(fixed),
                   more,
                   exchange->is_last             ? "Connection: close\r\n"
                   : exchange->request.is_http10 ? "Connection: keep-alive\r\n"
                                                 : "");
    if (exchange->request.verb == HTTP_VERB_HEAD) {
        size = 0;
        fixed = "";
    }
    send_pieces(exchange, write, body, size, fixed);
}

void http_reply(struct http_exchange *exchange, unsigned status,
                const char *type, char *body, size_t size)
{
    reply_with(exchange, status, type, body, size, "", "");
}

void http_stream_begin(struct http_exchange *exchange, const char *type)
{
    struct http_write *write;

    if (exchange->state != HTTP_EXCHANGE_WAITING) {
        return;
    }
    if (exchange->request.verb == HTTP_VERB_HEAD) {
        http_reply(exchange, 200, type, NULL, 0);
        return;
    }
    write = calloc(1, sizeof(*write));
    if (write == NULL) {
        http_connection_close(exchange->connection);
        return;
    }
    exchange->state = HTTP_EXCHANGE_STREAMING;
    /* HTTP/1.0 knows no chunks: the end of the connection ends the answer. */
    exchange->is_last |= exchange->request.is_http10;
    snprintf(write->head, sizeof(write->head),
             "HTTP/1.1 200 OK\r\nContent-Type: %s\r\n%s%s\r\n", type,
             exchange->request.is_http10 ? ""
                                         : "Transfer-Encoding: chunked\r\n",
             exchange->is_last ? "Connection: close\r\n" : "");
    send_pieces(exchange, write, NULL, 0, "");
}

void http_stream_write(struct http_exchange *exchange, const void *bytes,
                       size_t size)
{
    struct http_connection *connection = exchange->connection;
    struct http_write *write;
    char *copy;

    if (exchange->state != HTTP_EXCHANGE_STREAMING || size == 0) {
        return;
    }
    if (uv_stream_get_write_queue_size((uv_stream_t *)&connection->pipe) >
        HTTP_BACKLOG_MAX) {
        connection->server->counters.slow_closed++;
        http_connection_close(connection);
        return;
    }
    write = calloc(1, sizeof(*write));
    copy = malloc(size);
    if (write == NULL || copy == NULL) {
        free(write);
        free(copy);
        http_connection_close(connection);
        return;
    }
    memcpy(copy, bytes, size);
    if (!exchange->request.is_http10) {
        snprintf(write->head, sizeof(write->head), "%zx\r\n", size);
    }
    send_pieces(exchange, write, copy, size,
                exchange->request.is_http10 ? "" : "\r\n");
}

void http_stream_end(struct http_exchange *exchange)
{
    struct http_write *write;

    if (exchange->state != HTTP_EXCHANGE_STREAMING) {
        return;
    }
    write = calloc(1, sizeof(*write));
    if (write == NULL) {
        http_connection_close(exchange->connection);
        return;
    }
    exchange->state = HTTP_EXCHANGE_DONE;
    send_pieces(exchange, write, NULL, 0,
                exchange->request.is_http10 ? "" : "0\r\n\r\n");
}

void http_stream_abort(struct http_exchange *exchange)
{
    if (exchange->state == HTTP_EXCHANGE_STREAMING) {
        http_connection_close(exchange->connection);
    }
}

/* Adds a text, if there is one.  False: no memory. */
static bool put_text(json_t *object, const char *key, const char *text)
{
    return text == NULL ||
           json_object_set_new(object, key, json_build_string(text)) == 0;
}

/* The body; error -ENOMEM. */
static struct json_text problem_text(const struct http_problem *problem)
{
    json_t *error = json_object();
    json_auto_t *root = json_pack("{s:i, s:o}", "schema", 1, "error", error);
    struct json_text text = {0};
    bool is_whole = root != NULL && put_text(error, "what", problem->what) &&
                    put_text(error, "where", problem->where) &&
                    put_text(error, "why", problem->why) &&
                    put_text(error, "next", problem->next);

    json_text_json(&text, is_whole ? root : NULL);
    return text;
}

static void reply_problem(struct http_exchange *exchange, unsigned status,
                          const struct http_problem *problem, const char *more)
{
    struct json_text text = problem_text(problem);

    if (text.error != 0) {
        json_text_done(&text);
        reply_with(exchange, 500, HTTP_TYPE_JSON, NULL, 0, OUT_OF_MEMORY, "");
        return;
    }
    reply_with(exchange, status, HTTP_TYPE_JSON, text.bytes, text.size, "",
               more);
}

void http_reply_problem(struct http_exchange *exchange, unsigned status,
                        const struct http_problem *problem)
{
    reply_problem(exchange, status, problem, "");
}

void http_reply_methods(struct http_exchange *exchange, const char *allow)
{
    char next[96];
    char more[96];

    (void)snprintf(next, sizeof(next), "its methods are %s; see docs/API.md",
                   allow);
    (void)snprintf(more, sizeof(more), "Allow: %s\r\n", allow);
    reply_problem(
        exchange, 405,
        &(struct http_problem){.what = "this path does not take that method",
                               .where = "the request line",
                               .next = next},
        more);
}

struct http_exchange *http_exchange_new(struct http_connection *connection)
{
    struct http_exchange *exchange = calloc(1, sizeof(*exchange));

    if (exchange != NULL) {
        exchange->n_refs = 1;
        exchange->connection = connection;
        exchange->peer = connection->peer;
        connection->exchange = exchange;
    }
    return exchange;
}

void http_refuse(struct http_connection *connection, unsigned status,
                 const struct http_problem *problem)
{
    struct http_exchange *exchange = http_exchange_new(connection);

    if (exchange == NULL) {
        http_connection_close(connection);
        return;
    }
    exchange->is_last = true;
    http_reply_problem(exchange, status, problem);
}

void http_exchange_detach(struct http_exchange *exchange)
{
    http_handle_fn gone = exchange->gone;

    exchange->gone = NULL;
    exchange->connection = NULL;
    if (exchange->state != HTTP_EXCHANGE_DONE) {
        exchange->state = HTTP_EXCHANGE_DONE;
        if (gone != NULL) {
            gone(exchange, exchange->gone_data);
        }
    }
    (void)http_exchange_unref(exchange);
}

struct http_exchange *http_exchange_ref(struct http_exchange *exchange)
{
    exchange->n_refs++;
    return exchange;
}

struct http_exchange *http_exchange_unref(struct http_exchange *exchange)
{
    if (exchange == NULL) {
        return NULL;
    }
    assert(exchange->n_refs > 0);
    if (--exchange->n_refs == 0) {
        http_request_done(&exchange->request);
        free(exchange);
    }
    return NULL;
}

bool http_exchange_is_open(const struct http_exchange *exchange)
{
    return exchange->state != HTTP_EXCHANGE_DONE;
}

void http_exchange_on_gone(struct http_exchange *exchange, http_handle_fn fn,
                           void *data)
{
    exchange->gone = fn;
    exchange->gone_data = data;
}

const struct http_request *
http_exchange_request(const struct http_exchange *exchange)
{
    return &exchange->request;
}

const struct http_peer *http_exchange_peer(const struct http_exchange *exchange)
{
    return &exchange->peer;
}
