/*
 * Bytes of a connection -> HTTP/1.x requests, within limits.  Pure: no
 * socket, no loop.  http.c feeds it and answers; the fuzzer feeds it too.
 * The grammar is http-parser's; limits, target decoding and query lookup are
 * ours.
 */
#ifndef SOCKETNET_AGENT_HTTP_HTTP_REQUEST_H
#define SOCKETNET_AGENT_HTTP_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/base/macros.h"

/* Request line and headers together; past it: 431. */
#define HTTP_HEADER_MAX 8192
/* Past it: 413. */
#define HTTP_BODY_MAX 65536
/* Segments of a path; past it: 400. */
#define HTTP_SEGMENTS_MAX 8

enum http_verb {
    HTTP_VERB_OTHER = 0, /* answered with 405 */
    HTTP_VERB_GET,
    HTTP_VERB_HEAD,
    HTTP_VERB_POST,
    HTTP_VERB_DELETE,
};

/* What went wrong, and so which status answers it. */
enum http_request_error {
    HTTP_E_AGAIN = 1,       /* all bytes taken, the request is not whole */
    HTTP_E_MALFORMED = 2,   /* 400 */
    HTTP_E_HEADER_SIZE = 3, /* 431 */
    HTTP_E_BODY_SIZE = 4,   /* 413 */
    HTTP_E_UPGRADE = 5,     /* 400: CONNECT or Upgrade */
};

/* One request.  Everything is owned by it; text is terminated. */
struct http_request {
    enum http_verb verb;
    bool keep_alive;
    bool is_http10;
    char *target;                      /* as received */
    char *text;                        /* the decoded segments live here */
    char *segments[HTTP_SEGMENTS_MAX]; /* of the path, percent-decoded */
    size_t n_segments;
    const char *query; /* in target, after '?'; "" when there is none */
    char *body;
    size_t body_size;
};

struct http_reader;

_must_check_ int http_reader_new(struct http_reader **ret);
struct http_reader *http_reader_free(struct http_reader *reader);

/*
 * Takes bytes up to the end of the request they belong to; `ret_used` says
 * how many, also on HTTP_E_AGAIN.  0: a request is whole, take it with
 * http_reader_take before feeding on.  Else an http_request_error or -ENOMEM;
 * after any but HTTP_E_AGAIN the connection has to end.
 */
_must_check_ int http_reader_feed(struct http_reader *reader, const char *bytes,
                                  size_t size, size_t *ret_used);
/* Moves the whole request out. */
void http_reader_take(struct http_reader *reader, struct http_request *ret);
/* True when some bytes of an unfinished request were taken. */
bool http_reader_is_partial(const struct http_reader *reader);
/* True once per request that waits for "100 Continue". */
bool http_reader_wants_continue(struct http_reader *reader);

void http_request_done(struct http_request *request);

/*
 * Whether the path matches a pattern such as "/api/v1/services/:name".
 * Segments that begin with ':' match any one segment that is not empty.
 */
bool http_request_matches(const struct http_request *request,
                          const char *pattern);
/*
 * The value of `name` in the query, percent-decoded into `value`.  0;
 * HTTP_E_AGAIN when it is absent; HTTP_E_MALFORMED when it does not fit or
 * has a bad escape.  A name without '=' has the value "".
 */
_must_check_ int http_request_query(const struct http_request *request,
                                    const char *name, char *value, size_t size);

#endif
