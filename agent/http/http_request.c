/*
 * See http_request.h.  http-parser hands over pieces; they are gathered in
 * two growing buffers, target and body, and every other header but Expect is
 * only counted.
 */
#include "agent/http/http_request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <http_parser.h>

#include "gossip/base/text.h"

struct buffer {
    char *bytes; /* terminated, NULL while empty */
    size_t size;
};

struct http_reader {
    http_parser parser;
    struct buffer target;
    struct buffer body;
    size_t header_size;
    char field[16]; /* current header name, as far as we care */
    size_t field_len;
    bool is_value;    /* the last piece of a header was of its value */
    bool is_partial;  /* a byte of this request was seen */
    bool is_complete; /* the request waits to be taken */
    bool wants_continue;
    int problem; /* why a callback stopped the parser */
    struct http_request head;
};

static void buffer_done(struct buffer *buffer)
{
    free(buffer->bytes);
    *buffer = (struct buffer){0};
}

/* Bounded by the callers to HTTP_HEADER_MAX and HTTP_BODY_MAX. */
static int buffer_add(struct buffer *buffer, const char *bytes, size_t size)
{
    char *grown = realloc(buffer->bytes, buffer->size + size + 1);

    if (grown == NULL) {
        return -ENOMEM;
    }
    memcpy(grown + buffer->size, bytes, size);
    buffer->bytes = grown;
    buffer->size += size;
    grown[buffer->size] = '\0';
    return 0;
}

static int count_header(struct http_reader *reader, size_t size)
{
    reader->header_size += size;
    if (reader->header_size > HTTP_HEADER_MAX) {
        reader->problem = HTTP_E_HEADER_SIZE;
    }
    return reader->problem;
}

static int on_begin(http_parser *parser)
{
    struct http_reader *reader = parser->data;

    reader->is_partial = true;
    return 0;
}

static int on_url(http_parser *parser, const char *at, size_t size)
{
    struct http_reader *reader = parser->data;

    if (count_header(reader, size) == 0) {
        reader->problem = buffer_add(&reader->target, at, size);
    }
    return reader->problem;
}

static int on_field(http_parser *parser, const char *at, size_t size)
{
    struct http_reader *reader = parser->data;

    if (reader->is_value) {
        reader->is_value = false;
        reader->field_len = 0;
        (void)count_header(reader, 4); /* ": " and the line's end */
    }
    if (reader->field_len + size < sizeof(reader->field)) {
        memcpy(reader->field + reader->field_len, at, size);
    }
    reader->field_len += size;
    return count_header(reader, size);
}

static int on_value(http_parser *parser, const char *at, size_t size)
{
    struct http_reader *reader = parser->data;

    /* A value in two pieces is not recognised; the client then waits its
     * usual second and sends the body anyway (RFC 9110, 10.1.1). */
    if (reader->field_len == 6 &&
        strncasecmp(reader->field, "expect", 6) == 0 && size == 12 &&
        strncasecmp(at, "100-continue", 12) == 0) {
        reader->wants_continue = true;
    }
    reader->is_value = true;
    return count_header(reader, size);
}

static enum http_verb verb_from(unsigned method)
{
    switch (method) {
    case HTTP_GET:
        return HTTP_VERB_GET;
    case HTTP_HEAD:
        return HTTP_VERB_HEAD;
    case HTTP_POST:
        return HTTP_VERB_POST;
    case HTTP_DELETE:
        return HTTP_VERB_DELETE;
    default:
        return HTTP_VERB_OTHER;
    }
}

static int on_headers_complete(http_parser *parser)
{
    struct http_reader *reader = parser->data;

    if (parser->upgrade) {
        reader->problem = HTTP_E_UPGRADE;
    } else if ((parser->flags & F_CONTENTLENGTH) != 0 &&
               parser->content_length > HTTP_BODY_MAX) {
        reader->problem = HTTP_E_BODY_SIZE;
    }
    reader->head.verb = verb_from(parser->method);
    reader->head.is_http10 =
        parser->http_major < 1 ||
        (parser->http_major == 1 && parser->http_minor == 0);
    /* -1: stop; 1 and 2 would mean something else to the parser. */
    return reader->problem == 0 ? 0 : -1;
}

static int on_body(http_parser *parser, const char *at, size_t size)
{
    struct http_reader *reader = parser->data;

    reader->wants_continue = false;
    if (size > HTTP_BODY_MAX - reader->body.size) {
        reader->problem = HTTP_E_BODY_SIZE;
    } else {
        reader->problem = buffer_add(&reader->body, at, size);
    }
    return reader->problem;
}

static int on_complete(http_parser *parser)
{
    struct http_reader *reader = parser->data;

    reader->wants_continue = false;
    reader->head.keep_alive = http_should_keep_alive(parser) != 0;
    reader->is_complete = true;
    http_parser_pause(parser, 1);
    return 0;
}

static const http_parser_settings reader_settings = {
    .on_message_begin = on_begin,
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_complete,
};

int http_reader_new(struct http_reader **ret)
{
    struct http_reader *reader = calloc(1, sizeof(*reader));

    if (reader == NULL) {
        return -ENOMEM;
    }
    http_parser_init(&reader->parser, HTTP_REQUEST);
    reader->parser.data = reader;
    *ret = reader;
    return 0;
}

struct http_reader *http_reader_free(struct http_reader *reader)
{
    if (reader == NULL) {
        return NULL;
    }
    buffer_done(&reader->target);
    buffer_done(&reader->body);
    http_request_done(&reader->head);
    free(reader);
    return NULL;
}

/* Decodes %XX of `len` characters into `text` (never longer).  Refuses bad
 * escapes and whatever is not printable ASCII.  `is_form`: '+' is a space. */
static int decode(const char *from, size_t len, bool is_form, char *text)
{
    size_t out = 0;

    for (size_t i = 0; i < len; i++) {
        int c = (unsigned char)from[i];

        if (c == '+' && is_form) {
            c = ' ';
        } else if (c == '%') {
            uint8_t byte;

            if (i + 2 >= len || text_to_bytes(from + i + 1, 2, &byte, 1) != 0) {
                return HTTP_E_MALFORMED;
            }
            c = byte;
            i += 2;
        }
        if (c < 0x20 || c >= 0x7f) {
            return HTTP_E_MALFORMED;
        }
        text[out++] = (char)c;
    }
    text[out] = '\0';
    return 0;
}

/* Everything else has to be escaped (RFC 3986), in the query too: a target
 * is told again in answers and in the log. */
static bool is_printable(const char *text)
{
    while (*text > 0x20 && *text < 0x7f) {
        text++;
    }
    return *text == '\0';
}

/* Splits the target at '?', then its path at '/'. */
static int split_target(struct http_request *request)
{
    size_t path_len = strcspn(request->target, "?#");
    const char *pos = request->target;
    const char *end = pos + path_len;
    char *text = malloc(path_len + 1);

    if (text == NULL) {
        return -ENOMEM;
    }
    request->text = text;
    request->query = *end == '?' ? end + 1 : end + strlen(end);
    if (*pos != '/' || !is_printable(pos)) {
        return HTTP_E_MALFORMED;
    }
    while (pos < end) {
        const char *start = pos + 1;
        const char *slash = memchr(start, '/', (size_t)(end - start));

        pos = slash != NULL ? slash : end;
        if (request->n_segments == HTTP_SEGMENTS_MAX ||
            decode(start, (size_t)(pos - start), false, text) != 0) {
            return HTTP_E_MALFORMED;
        }
        request->segments[request->n_segments++] = text;
        text += strlen(text) + 1;
    }
    return 0;
}

/* The parser stopped: 0 when a request is whole, else why. */
static int finish_feed(struct http_reader *reader)
{
    struct http_request *head = &reader->head;

    if (reader->problem != 0) {
        return reader->problem;
    }
    if (!reader->is_complete) {
        return HTTP_PARSER_ERRNO(&reader->parser) == HPE_OK ? HTTP_E_AGAIN
               : HTTP_PARSER_ERRNO(&reader->parser) == HPE_HEADER_OVERFLOW
                   ? HTTP_E_HEADER_SIZE
                   : HTTP_E_MALFORMED;
    }
    http_parser_pause(&reader->parser, 0);
    if (reader->target.bytes == NULL) {
        return HTTP_E_MALFORMED;
    }
    head->target = reader->target.bytes;
    head->body = reader->body.bytes;
    head->body_size = reader->body.size;
    reader->target = (struct buffer){0};
    reader->body = (struct buffer){0};
    return split_target(head);
}

int http_reader_feed(struct http_reader *reader, const char *bytes, size_t size,
                     size_t *ret_used)
{
    if (reader->problem != 0) {
        *ret_used = 0;
        return reader->problem;
    }
    *ret_used =
        http_parser_execute(&reader->parser, &reader_settings, bytes, size);
    reader->problem = finish_feed(reader);
    if (reader->problem == HTTP_E_AGAIN) {
        reader->problem = 0;
        return HTTP_E_AGAIN;
    }
    return reader->problem;
}

void http_reader_take(struct http_reader *reader, struct http_request *ret)
{
    *ret = reader->head;
    reader->head = (struct http_request){0};
    reader->header_size = 0;
    reader->field_len = 0;
    reader->is_value = false;
    reader->is_partial = false;
    reader->is_complete = false;
}

bool http_reader_is_partial(const struct http_reader *reader)
{
    return reader->is_partial;
}

bool http_reader_wants_continue(struct http_reader *reader)
{
    /* The verb is known once the headers ended. */
    bool wants = reader->wants_continue && reader->head.verb != HTTP_VERB_OTHER;

    if (wants) {
        reader->wants_continue = false;
    }
    return wants;
}

void http_request_done(struct http_request *request)
{
    free(request->target);
    free(request->text);
    free(request->body);
    *request = (struct http_request){0};
}

bool http_request_matches(const struct http_request *request,
                          const char *pattern)
{
    const char *pos = pattern;
    size_t i = 0;

    while (*pos == '/') {
        size_t len = strcspn(pos + 1, "/");
        const char *segment;

        if (i == request->n_segments) {
            return false;
        }
        segment = request->segments[i++];
        if (pos[1] == ':' ? segment[0] == '\0'
                          : strlen(segment) != len ||
                                memcmp(segment, pos + 1, len) != 0) {
            return false;
        }
        pos += 1 + len;
    }
    return i == request->n_segments;
}

int http_request_query(const struct http_request *request, const char *name,
                       char *value, size_t size)
{
    size_t name_len = strlen(name);
    const char *pos = request->query;

    while (*pos != '\0' && *pos != '#') {
        size_t len = strcspn(pos, "&#");

        if (len >= name_len && memcmp(pos, name, name_len) == 0 &&
            (len == name_len || pos[name_len] == '=')) {
            size_t skip = len == name_len ? len : name_len + 1;

            return len - skip < size
                       ? decode(pos + skip, len - skip, true, value)
                       : HTTP_E_MALFORMED;
        }
        pos += len + (pos[len] == '&');
    }
    return HTTP_E_AGAIN;
}
