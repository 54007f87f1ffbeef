/*
 * See json_build.h.
 */
#include "agent/json/json_build.h"

#include <stdlib.h>
#include <string.h>

void json_build_append(json_t **list, json_t *value)
{
    if (json_array_append_new(*list, value) != 0) {
        json_decref(*list);
        *list = NULL;
    }
}

void json_build_set(json_t **object, const char *key, json_t *value)
{
    if (json_object_set_new(*object, key, value) != 0) {
        json_decref(*object);
        *object = NULL;
    }
}

json_t *json_build_string(const char *text)
{
    json_t *value = json_string(text);
    char *clean;

    if (value != NULL) {
        return value;
    }
    clean = strdup(text);
    if (clean == NULL) {
        return NULL;
    }
    for (char *at = clean; *at != '\0'; at++) {
        *at = (unsigned char)*at < 0x80 ? *at : '?';
    }
    value = json_string(clean);
    free(clean);
    return value;
}
