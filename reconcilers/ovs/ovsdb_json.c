/* JSON for ovsdb.c; see ovsdb_json.h. */
#include "reconcilers/ovs/ovsdb_json.h"

#include <stdio.h>
#include <string.h>

#include "gossip/base/text.h"

/* OVSDB's own messages nest about ten deep; jansson recurses. */
#define OVSDB_JSON_DEPTH_MAX 64

/* Text inside a string: only its end matters. */
static void scanner_in_string(struct ovsdb_scanner *scanner, uint8_t byte)
{
    if (scanner->is_escaped) {
        scanner->is_escaped = false;
    } else if (byte == '\\') {
        scanner->is_escaped = true;
    } else if (byte == '"') {
        scanner->is_in_string = false;
    }
}

static bool is_space(uint8_t byte)
{
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

int ovsdb_scanner_run(struct ovsdb_scanner *scanner, const uint8_t *bytes,
                      size_t size, size_t *ret_size)
{
    for (; scanner->position < size; scanner->position++) {
        uint8_t byte = bytes[scanner->position];

        if (scanner->is_in_string) {
            scanner_in_string(scanner, byte);
            continue;
        }
        if (scanner->depth == 0 && byte != '{' && !is_space(byte)) {
            return OVSDB_JSON_E_MALFORMED;
        }
        if (byte == '"') {
            scanner->is_in_string = true;
        } else if (byte == '{' || byte == '[') {
            if (++scanner->depth > OVSDB_JSON_DEPTH_MAX) {
                return OVSDB_JSON_E_MALFORMED;
            }
        } else if ((byte == '}' || byte == ']') && --scanner->depth == 0) {
            *ret_size = scanner->position + 1;
            *scanner = (struct ovsdb_scanner){0};
            return 0;
        }
    }
    return OVSDB_JSON_E_AGAIN;
}

/* Bytes of a UUID between the dashes of its text (RFC 4122 section 3). */
static const size_t uuid_parts[] = {4, 2, 2, 2, 6};

bool ovsdb_uuid_parse(const char *text, struct ovsdb_uuid *ret)
{
    struct ovsdb_uuid uuid;
    uint8_t *bytes = uuid.bytes;

    if (strlen(text) != 36) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_SIZE(uuid_parts); i++) {
        if ((i > 0 && *text++ != '-') ||
            text_to_bytes(text, 2 * uuid_parts[i], bytes, uuid_parts[i]) != 0) {
            return false;
        }
        text += 2 * uuid_parts[i];
        bytes += uuid_parts[i];
    }
    *ret = uuid;
    return true;
}

void ovsdb_uuid_text(const struct ovsdb_uuid *uuid, char ret_text[37])
{
    const uint8_t *bytes = uuid->bytes;

    for (size_t i = 0; i < ARRAY_SIZE(uuid_parts); i++) {
        if (i > 0) {
            *ret_text++ = '-';
        }
        (void)text_from_bytes(bytes, uuid_parts[i], ret_text);
        ret_text += 2 * uuid_parts[i];
        bytes += uuid_parts[i];
    }
}

/* ["tag", payload] -> payload, or NULL. */
static const json_t *tagged(const json_t *value, const char *tag)
{
    const char *found;

    if (!json_is_array(value) || json_array_size(value) != 2) {
        return NULL;
    }
    found = json_string_value(json_array_get(value, 0));
    return found != NULL && strcmp(found, tag) == 0 ? json_array_get(value, 1)
                                                    : NULL;
}

size_t ovsdb_set_size(const json_t *value)
{
    const json_t *elements = tagged(value, "set");

    if (elements != NULL) {
        return json_array_size(elements);
    }
    return value != NULL && !json_is_null(value) ? 1 : 0;
}

static const json_t *set_at(const json_t *value, size_t index)
{
    const json_t *elements = tagged(value, "set");

    if (elements != NULL) {
        return json_array_get(elements, index);
    }
    return index == 0 ? value : NULL;
}

bool ovsdb_set_integer(const json_t *value, size_t index, int64_t *ret)
{
    const json_t *element = set_at(value, index);

    if (!json_is_integer(element)) {
        return false;
    }
    *ret = json_integer_value(element);
    return true;
}

const char *ovsdb_set_string(const json_t *value, size_t index)
{
    return json_string_value(set_at(value, index));
}

bool ovsdb_set_uuid(const json_t *value, size_t index, struct ovsdb_uuid *ret)
{
    const char *text = json_string_value(tagged(set_at(value, index), "uuid"));

    return text != NULL && ovsdb_uuid_parse(text, ret);
}

const char *ovsdb_map_string(const json_t *value, const char *key)
{
    const json_t *pairs = tagged(value, "map");

    for (size_t i = 0; i < json_array_size(pairs); i++) {
        const json_t *pair = json_array_get(pairs, i);
        const char *name = json_string_value(json_array_get(pair, 0));

        if (name != NULL && strcmp(name, key) == 0) {
            return json_string_value(json_array_get(pair, 1));
        }
    }
    return NULL;
}

void ovsdb_json_done(json_t **json)
{
    json_decref(*json);
    *json = NULL;
}
