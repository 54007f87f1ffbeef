/*
 * See json_text.h.  jansson 2.14 does not look whether a key of an object found
 * room, so what is missing is noticed here, where the bytes arrive.
 */
#include "agent/json/json_text.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JSON_TEXT_LINE 512

void json_text_put(struct json_text *text, const char *bytes, size_t size)
{
    size_t capacity = 2 * (text->size + size);
    char *grown;

    if (text->error != 0 || size == 0) {
        return;
    }
    if (text->size + size > text->capacity) {
        grown = realloc(text->bytes, capacity);
        if (grown == NULL) {
            text->error = -ENOMEM;
            return;
        }
        text->bytes = grown;
        text->capacity = capacity;
    }
    memcpy(text->bytes + text->size, bytes, size);
    text->size += size;
}

void json_text_format(struct json_text *text, const char *format, ...)
{
    char line[JSON_TEXT_LINE];
    va_list arguments;
    int len;

    va_start(arguments, format);
    len = vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    assert(len >= 0 && (size_t)len < sizeof(line)); /* ours are shorter */
    json_text_put(text, line, (size_t)len);
}

static int dump(const char *bytes, size_t size, void *data)
{
    struct json_text *text = data;

    json_text_put(text, bytes, size);
    return text->error == 0 ? 0 : -1;
}

void json_text_json(struct json_text *text, const json_t *root)
{
    if (root == NULL ||
        json_dump_callback(root, dump, text, JSON_COMPACT | JSON_ENCODE_ANY) !=
            0) {
        text->error = -ENOMEM;
    }
}

void json_text_done(struct json_text *text)
{
    free(text->bytes);
    *text = (struct json_text){0};
}

char *json_text_dump(const json_t *root)
{
    struct json_text text = {0};

    json_text_json(&text, root);
    json_text_put(&text, "", 1);
    if (text.error != 0) {
        json_text_done(&text);
    }
    return text.bytes;
}
