/*
 * What http.c (connections) and http_answer.c (exchanges and their answers)
 * share.  Nobody else includes it.
 */
#ifndef SOCKETNET_AGENT_HTTP_HTTP_INTERNAL_H
#define SOCKETNET_AGENT_HTTP_HTTP_INTERNAL_H

#include "agent/http/http.h"
#include "agent/system/listener.h"

/* Bytes of further requests that may wait while one is answered. */
#define HTTP_PIPELINE_MAX 16384

struct http_connection {
    struct http_server *server;
    size_t slot; /* in server->connections */
    uv_pipe_t pipe;
    uv_timer_t timer;
    size_t n_handles; /* open, until their close callbacks ran */
    struct http_peer peer;
    struct http_reader *reader;
    struct http_exchange *exchange; /* being answered, or NULL */
    char *waiting;                  /* bytes of further requests */
    size_t waiting_size;
    bool is_closing;
    bool is_ended; /* the client sent all it will send */
};

struct http_server {
    struct http_config config;
    struct listener listener;
    bool is_closed; /* the listener is */
    bool is_closing;
    gid_t socket_gid;
    struct http_counters counters;
    size_t n_connections; /* their handles not all closed yet */
    size_t n_clients;
    struct http_connection *connections[HTTP_CLIENTS_MAX];
    char input[16384]; /* of whichever connection is being read */
};

/* One uv_write: up to three pieces, the middle one owned. */
struct http_write {
    uv_write_t request;
    struct http_connection *connection;
    struct http_exchange *exchange; /* finished by this write, or NULL */
    bool is_embedded;               /* in `exchange`, which it holds */
    char *body;
    char head[512];
};

enum http_exchange_state {
    HTTP_EXCHANGE_WAITING,   /* for its handler */
    HTTP_EXCHANGE_STREAMING, /* between stream_begin and stream_end */
    HTTP_EXCHANGE_DONE,      /* answered, or closed */
};

struct http_exchange {
    size_t n_refs;
    enum http_exchange_state state;
    struct http_connection *connection; /* NULL once it is gone */
    struct http_request request;
    struct http_peer peer;
    bool is_last; /* close after the answer */
    http_handle_fn gone;
    void *gone_data;
    /* Of the whole answer, so that it needs no memory to say that there is
     * none. */
    struct http_write answer;
};

/* http_socket.c: a bound, non-blocking descriptor and the group of the
 * socket file.  0, or negative errno and a text. */
_must_check_ int http_socket_bind(const char *path, int *ret_fd, gid_t *ret_gid,
                                  char **ret_error);
/* Credentials of the other end; false when they cannot be read. */
bool http_socket_peer(int fd, gid_t socket_gid, struct http_peer *ret);

/* http_answer.c */
struct http_exchange *http_exchange_new(struct http_connection *connection);
/* 405: names the methods that the request's path has. */
void http_reply_methods(struct http_exchange *exchange, const char *allow);
/* The connection goes: the exchange is closed, `gone` is called. */
void http_exchange_detach(struct http_exchange *exchange);
/* Answers what never became a request. */
void http_refuse(struct http_connection *connection, unsigned status,
                 const struct http_problem *problem);

/* http.c */
void http_connection_close(struct http_connection *connection);
/* The answer is written: on to the next request. */
void http_connection_next(struct http_connection *connection);
void http_connection_arm(struct http_connection *connection,
                         uint32_t timeout_ms);

#endif
