/*
 * Building the JSON of answers.  Memory may end at any line of it, and an
 * answer must never lack a part for that: what could not be made is NULL, and
 * whatever NULL goes into becomes NULL as well, up to the root, which
 * api_reply answers with 500.  json_pack does so by itself; lists and objects
 * that grow do by the first two functions.
 */
#include "agent/api/api_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "gossip/base/text.h"

void api_json_append(json_t **list, json_t *value)
{
    if (json_array_append_new(*list, value) != 0) {
        json_decref(*list);
        *list = NULL;
    }
}

void api_json_set(json_t **object, const char *key, json_t *value)
{
    if (json_object_set_new(*object, key, value) != 0) {
        json_decref(*object);
        *object = NULL;
    }
}

json_t *api_json_text(const char *text)
{
    return text != NULL && text[0] != '\0' ? http_text_string(text)
                                           : json_null();
}

json_t *api_json_hex(const uint8_t *bytes, size_t size)
{
    char text[2 * LIMIT_KEY_SIZE + 1];

    return json_string(
        text_from_bytes(bytes, MIN_OF(size, (size_t)LIMIT_KEY_SIZE), text));
}

json_t *api_json_id(uint64_t id)
{
    char text[17];

    (void)snprintf(text, sizeof(text), "%016" PRIx64, id);
    return json_string(text);
}

json_t *api_json_address(const struct address *address)
{
    char text[ADDRESS_TEXT_SIZE];

    return address->family == 0 ? json_null()
                                : json_string(address_text(address, text));
}

json_t *api_json_time(uint64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    char text[40];
    struct tm tm;
    size_t len;

    if (gmtime_r(&seconds, &tm) == NULL) {
        return json_null();
    }
    len = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(text + len, sizeof(text) - len, ".%03uZ",
                   (unsigned)(wall_ms % 1000));
    return json_string(text);
}
