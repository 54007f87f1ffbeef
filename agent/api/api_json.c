/*
 * Values that many answers have.  Each is a new reference, or NULL without
 * memory: json_build.h says what becomes of that.
 */
#include "agent/api/api_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "gossip/base/text.h"

json_t *api_json_text(const char *text)
{
    return text != NULL && text[0] != '\0' ? json_build_string(text)
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
