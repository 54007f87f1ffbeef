/*
 * Building JSON that is sent to somebody.  Memory may end at any line of it,
 * and what is sent must never lack a part for that: what could not be made is
 * NULL, and whatever NULL goes into becomes NULL as well, up to the root.
 * json_pack does so by itself; lists and objects that grow do by these.
 */
#ifndef SOCKETNET_AGENT_JSON_JSON_BUILD_H
#define SOCKETNET_AGENT_JSON_JSON_BUILD_H

#include <jansson.h>

/* Puts a value (taken over) into *list or *object.  Without memory, or when
 * `value` is NULL, *list is freed and becomes NULL. */
void json_build_append(json_t **list, json_t *value);
void json_build_set(json_t **object, const char *key, json_t *value);

/* A JSON string of a text from anywhere, a new reference: what is not UTF-8
 * has '?' in the place of each byte that is not ASCII.  NULL: no memory. */
json_t *json_build_string(const char *text);

#endif
