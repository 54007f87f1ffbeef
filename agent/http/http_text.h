/*
 * A growing text for the body of an answer.  Whatever had no memory is
 * remembered, so that a text that lacks a part is never taken for whole.
 */
#ifndef SOCKETNET_AGENT_HTTP_HTTP_TEXT_H
#define SOCKETNET_AGENT_HTTP_HTTP_TEXT_H

#include <stddef.h>

#include <jansson.h>

#include "gossip/base/macros.h"

/* All zero is an empty one. */
struct http_text {
    char *bytes; /* owned */
    size_t size;
    size_t capacity;
    int error; /* 0, or -ENOMEM: something is missing */
};

void http_text_put(struct http_text *text, const char *bytes, size_t size);
/* One line, of at most 512 bytes. */
void http_text_format(struct http_text *text, const char *format, ...)
    _printf_(2, 3);
/* The JSON text of a value; NULL counts as no memory. */
void http_text_json(struct http_text *text, const json_t *root);
void http_text_done(struct http_text *text);

/* A JSON string of a text from anywhere, a new reference: what is not UTF-8
 * has '?' in the place of each byte that is not ASCII.  NULL: no memory. */
json_t *http_text_string(const char *text);

#endif
