/* JSON for ovsdb.c; see ovsdb_json.h. */
#include "reconcilers/ovs/ovsdb_json.h"

#include <stdio.h>
#include <string.h>

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

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool ovsdb_uuid_parse(const char *text, struct ovsdb_uuid *ret)
{
    struct ovsdb_uuid uuid;
    size_t n = 0;

    if (strlen(text) != 36) {
        return false;
    }
    for (size_t i = 0; i < 36; i++) {
        int high, low;

        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (text[i] != '-') {
                return false;
            }
            continue;
        }
        high = hex_value(text[i]);
        low = hex_value(text[++i]);
        if (high < 0 || low < 0) {
            return false;
        }
        uuid.bytes[n++] = (uint8_t)(high << 4 | low);
    }
    *ret = uuid;
    return true;
}

void ovsdb_uuid_text(const struct ovsdb_uuid *uuid, char ret_text[37])
{
    static const char digits[] = "0123456789abcdef";
    char *at = ret_text;

    for (size_t i = 0; i < OVSDB_UUID_SIZE; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *at++ = '-';
        }
        *at++ = digits[uuid->bytes[i] >> 4];
        *at++ = digits[uuid->bytes[i] & 15];
    }
    *at = '\0';
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
