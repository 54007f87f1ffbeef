/*
 * See registration_reader.h.
 */
#include "agent/registration/registration_reader.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent/args/args.h"
#include "agent/text/duration.h"
#include "agent/text/suggest.h"

void registration_reader_fail(struct registration_reader *reader,
                              const char *field, const char *next,
                              const char *what, ...)
{
    struct registration_problem *problem = reader->problem;
    va_list arguments;

    if (*reader->has_failed) {
        return;
    }
    *reader->has_failed = true;
    va_start(arguments, what);
    (void)vsnprintf(problem->what, sizeof(problem->what), what, arguments);
    va_end(arguments);
    (void)snprintf(problem->field, sizeof(problem->field), "%s%.80s",
                   reader->prefix, field);
    (void)snprintf(problem->next, sizeof(problem->next), "%s", next);
}

const char *registration_reader_describe(const json_t *value, char text[80])
{
    switch (json_typeof(value)) {
    case JSON_STRING:
        (void)snprintf(text, 80, "\"%.60s\"%s", json_string_value(value),
                       json_string_length(value) > 60 ? "..." : "");
        break;
    case JSON_INTEGER:
        (void)snprintf(text, 80, "%" JSON_INTEGER_FORMAT,
                       json_integer_value(value));
        break;
    case JSON_REAL:
        (void)snprintf(text, 80, "%g", json_real_value(value));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        (void)snprintf(text, 80, "%s", json_is_true(value) ? "true" : "false");
        break;
    case JSON_ARRAY:
        (void)snprintf(text, 80, "a list");
        break;
    case JSON_OBJECT:
        (void)snprintf(text, 80, "an object");
        break;
    case JSON_NULL:
    default:
        (void)snprintf(text, 80, "null");
        break;
    }
    return text;
}

const json_t *registration_reader_get(const struct registration_reader *reader,
                                      const char *field)
{
    const json_t *value =
        *reader->has_failed ? NULL : json_object_get(reader->root, field);

    return json_is_null(value) ? NULL : value;
}

void registration_reader_known(struct registration_reader *reader,
                               const char *const *fields, size_t n)
{
    json_t *root = (json_t *)(uintptr_t)reader->root; /* only read */
    const char *key;
    json_t *value;

    json_object_foreach (root, key, value) {
        struct suggest suggest = {0};
        bool is_known = false;
        char next[192] = "known are ";
        size_t len = strlen(next);

        for (size_t i = 0; i < n; i++) {
            is_known |= strcmp(key, fields[i]) == 0;
            suggest_offer(&suggest, key, fields[i]);
            len += (size_t)snprintf(next + len, sizeof(next) - len, "%s%s",
                                    i > 0 ? ", " : "", fields[i]);
        }
        if (suggest.word != NULL) {
            (void)snprintf(next, sizeof(next), "did you mean %s?",
                           suggest.word);
        }
        if (!is_known) {
            registration_reader_fail(reader, key, next,
                                     "there is no field %s%.60s",
                                     reader->prefix, key);
        }
    }
}

/* Whether the value is a whole number in the style of the reader. */
static bool read_uint(const struct registration_reader *reader,
                      const json_t *value, uint64_t *ret)
{
    json_int_t number = json_integer_value(value);

    if (reader->style == REGISTRATION_TEXTS && json_is_string(value)) {
        return args_number(json_string_value(value), 0, UINT32_MAX, ret) == 0;
    }
    if (!json_is_integer(value) || number < 0) {
        return false;
    }
    *ret = (uint64_t)number;
    return true;
}

uint32_t registration_reader_uint(struct registration_reader *reader,
                                  const char *field, uint32_t lowest,
                                  uint32_t highest, uint32_t fallback)
{
    const json_t *value = registration_reader_get(reader, field);
    uint64_t number = 0;
    char given[80];
    char next[96];

    if (value == NULL) {
        return fallback;
    }
    if (!read_uint(reader, value, &number) || number < lowest ||
        number > highest) {
        (void)snprintf(next, sizeof(next),
                       "give a whole number from %" PRIu32 " to %" PRIu32,
                       lowest, highest);
        registration_reader_fail(reader, field, next, "%s%s %s is not possible",
                                 reader->prefix, field,
                                 registration_reader_describe(value, given));
        return fallback;
    }
    return (uint32_t)number;
}

uint32_t registration_reader_duration(struct registration_reader *reader,
                                      const char *field, uint32_t lowest_ms,
                                      uint32_t highest_ms, uint32_t fallback_ms)
{
    const json_t *value = registration_reader_get(reader, field);
    const char *text = json_string_value(value);
    uint64_t ms = 0;
    char given[80];
    char next[128];

    if (value == NULL) {
        return fallback_ms;
    }
    if (text == NULL || duration_parse(text, &ms) != 0 || ms < lowest_ms ||
        ms > highest_ms) {
        (void)snprintf(next, sizeof(next),
                       "give a duration from %" PRIu32 "ms to %" PRIu32
                       "s, as 500ms, 5s or 2m",
                       lowest_ms, highest_ms / 1000);
        registration_reader_fail(reader, field, next, "%s%s %s is not possible",
                                 reader->prefix, field,
                                 registration_reader_describe(value, given));
        return fallback_ms;
    }
    return (uint32_t)ms;
}

void registration_reader_value(struct registration_reader *reader,
                               const char *field, const json_t *value,
                               const char *example, char *text, size_t size)
{
    const char *from = json_string_value(value);
    size_t len = json_string_length(value);
    char given[80];
    char next[128];

    (void)snprintf(next, sizeof(next), "give text of at most %zu bytes, as %s",
                   size - 1, example);
    if (from == NULL) {
        registration_reader_fail(reader, field, next, "%s%s is %s, not a text",
                                 reader->prefix, field,
                                 registration_reader_describe(value, given));
    } else if (len >= size) {
        registration_reader_fail(reader, field, next, "%s%s is %zu bytes long",
                                 reader->prefix, field, len);
    } else if (strlen(from) != len) {
        registration_reader_fail(reader, field, next, "%s%s has a zero byte",
                                 reader->prefix, field);
    } else {
        memcpy(text, from, len + 1);
    }
}

void registration_reader_text(struct registration_reader *reader,
                              const char *field, const char *example,
                              char *text, size_t size)
{
    const json_t *value = registration_reader_get(reader, field);

    text[0] = '\0';
    if (value != NULL) {
        registration_reader_value(reader, field, value, example, text, size);
    }
}
