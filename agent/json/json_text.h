/*
 * A growing text for the body of an answer.  Whatever had no memory is
 * remembered, so that a text that lacks a part is never taken for whole.
 */
#ifndef SOCKETNET_AGENT_JSON_JSON_TEXT_H
#define SOCKETNET_AGENT_JSON_JSON_TEXT_H

#include <stddef.h>

#include <jansson.h>

#include "gossip/base/macros.h"

/* All zero is an empty one. */
struct json_text {
    char *bytes; /* owned */
    size_t size;
    size_t capacity;
    int error; /* 0, or -ENOMEM: something is missing */
};

void json_text_put(struct json_text *text, const char *bytes, size_t size);
/* One line, of at most 512 bytes. */
void json_text_format(struct json_text *text, const char *format, ...)
    _printf_(2, 3);
/* The JSON text of a value; NULL counts as no memory. */
void json_text_json(struct json_text *text, const json_t *root);
void json_text_done(struct json_text *text);

/* The JSON text of a value, any kind of it, in one line; the caller frees it.
 * NULL: no memory, or `root` is NULL.  In the place of json_dumps, which in
 * jansson 2.14 leaves out a key for which it has no memory. */
char *json_text_dump(const json_t *root);

#endif
