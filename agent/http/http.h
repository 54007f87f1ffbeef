/*
 * A small HTTP/1.1 server on a unix socket, on the core's loop: keep-alive,
 * chunked streams, bounded everything.  http_request.c is the grammar, api.c
 * gives the routes.
 *
 * Per connection one request is worked on at a time; further bytes wait in
 * a bounded buffer.  Answers are written at once, without any timer.
 *
 * The process must ignore SIGPIPE.
 */
#ifndef SOCKETNET_AGENT_HTTP_HTTP_H
#define SOCKETNET_AGENT_HTTP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <uv.h>

#include "agent/http/http_request.h"
#include "gossip/base/macros.h"

/* Connections at once; the next one is answered 503 and closed. */
#define HTTP_CLIENTS_MAX 64
/* Bytes a client of a stream may lag behind before it is closed. */
#define HTTP_BACKLOG_MAX (1u << 20)

#define HTTP_TYPE_JSON    "application/json"
#define HTTP_TYPE_NDJSON  "application/x-ndjson"
#define HTTP_TYPE_METRICS "text/plain; version=0.0.4; charset=utf-8"

struct http_server;

/* One request and the answer to it. */
struct http_exchange;

typedef void (*http_handle_fn)(struct http_exchange *exchange, void *data);
/* Returns false when the request is not allowed and has been answered. */
typedef bool (*http_allow_fn)(struct http_exchange *exchange, bool is_write,
                              void *data);

struct http_route {
    enum http_verb verb; /* a GET route serves HEAD too */
    bool is_write;       /* as `allow` is told */
    const char *pattern; /* see http_request_matches */
    http_handle_fn handle;
};

struct http_config {
    uv_loop_t *loop;
    const char *path;                /* of the socket */
    const struct http_route *routes; /* borrowed for the server's life */
    size_t n_routes;
    http_allow_fn allow; /* may be NULL */
    void *data;          /* for allow and the handlers */
    /* Milliseconds, 0 = the default. */
    uint32_t idle_ms;    /* between requests, 60000 */
    uint32_t request_ms; /* from a request's first byte to its last, 10000 */
    uint32_t write_ms;   /* for a client to take its answer, 30000 */
};

/* Who is at the other end, read when the connection was accepted. */
struct http_peer {
    uid_t uid;
    gid_t gid;
    pid_t pid;
    bool is_in_group; /* of the socket file, by any of its groups */
};

struct http_counters {
    uint64_t connections, connections_refused, requests, errors_client,
        errors_server, timeouts, slow_closed;
};

/*
 * Listens at config->path, mode 0660, taking the place of the socket of a
 * dead agent.  0; negative errno and a malloc'd text: -EADDRINUSE when a
 * live one answers there.
 */
_must_check_ int http_server_new(const struct http_config *config,
                                 struct http_server **ret, char **ret_error);
/* Closes every connection and removes the socket file.  Exchanges still held
 * by reference stay valid, and answering them does nothing.  The memory goes
 * when the loop has run the closing callbacks. */
struct http_server *http_server_free(struct http_server *server);
size_t http_server_n_clients(const struct http_server *server);
const struct http_counters *
http_server_counters(const struct http_server *server);

/* Borrowed; valid as long as the exchange. */
const struct http_request *
http_exchange_request(const struct http_exchange *ex);
const struct http_peer *
http_exchange_peer(const struct http_exchange *exchange);

/* A handler that answers later keeps a reference until it has answered. */
struct http_exchange *http_exchange_ref(struct http_exchange *exchange);
struct http_exchange *http_exchange_unref(struct http_exchange *exchange);
/* False once the client is gone or the answer is complete. */
bool http_exchange_is_open(const struct http_exchange *exchange);
/* Calls fn once when the client goes away before the answer is complete. */
void http_exchange_on_gone(struct http_exchange *exchange, http_handle_fn fn,
                           void *data);

/* The whole answer.  Takes `body` over (malloc'd, may be NULL when size is
 * 0).  Does nothing on a closed exchange.  Needs no memory. */
void http_reply(struct http_exchange *exchange, unsigned status,
                const char *type, char *body, size_t size);

/* An answer of unknown length.  stream_write copies; each call is one chunk
 * and goes out at once. */
void http_stream_begin(struct http_exchange *exchange, const char *type);
void http_stream_write(struct http_exchange *exchange, const void *bytes,
                       size_t size);
void http_stream_end(struct http_exchange *exchange);
/* A part of the answer could not be made: closes the connection before the
 * answer's end, by which the client sees that it is not whole. */
void http_stream_abort(struct http_exchange *exchange);

/* The answer to something that went wrong, as the JSON object of
 * docs/schema/error.json.  Texts may be NULL but for `what`.  Without memory
 * for it, it is status 500 and says that. */
struct http_problem {
    const char *what;
    const char *where;
    const char *why;
    const char *next;
};
void http_reply_problem(struct http_exchange *exchange, unsigned status,
                        const struct http_problem *problem);

#endif
