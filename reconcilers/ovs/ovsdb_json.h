/*
 * JSON as OVSDB uses it (RFC 7047): cutting one text out of a stream that
 * arrives in arbitrary pieces, and reading the notation of values
 * (5.1: atoms, ["uuid", x], ["set", [...]], ["map", [[k, v], ...]]).
 * Parsing itself is jansson's.  Nothing here trusts its input.
 */
#ifndef SOCKETNET_RECONCILERS_OVS_OVSDB_JSON_H
#define SOCKETNET_RECONCILERS_OVS_OVSDB_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "gossip/base/macros.h"

#define OVSDB_UUID_SIZE 16

struct ovsdb_uuid {
    uint8_t bytes[OVSDB_UUID_SIZE];
};

/* Finds the end of a JSON object; keeps its place between calls. */
struct ovsdb_scanner {
    size_t position; /* bytes already looked at */
    size_t depth;
    bool is_in_string;
    bool is_escaped;
};

enum ovsdb_json_error {
    OVSDB_JSON_E_AGAIN = 1,     /* not there whole yet */
    OVSDB_JSON_E_MALFORMED = 2, /* no object, or nested too deep */
};

/* Looks at bytes [0, size), of which the first may have been seen in earlier
 * calls.  0 and the size of the object (white space before it included), with
 * the scanner ready for the next one; or OVSDB_JSON_E_*. */
_must_check_ int ovsdb_scanner_run(struct ovsdb_scanner *scanner,
                                   const uint8_t *bytes, size_t size,
                                   size_t *ret_size);

/* Canonical text of 36 characters.  False when it is none. */
bool ovsdb_uuid_parse(const char *text, struct ovsdb_uuid *ret);
void ovsdb_uuid_text(const struct ovsdb_uuid *uuid, char ret_text[37]);

/* Elements of a set; a lone atom is a set of one. */
size_t ovsdb_set_size(const json_t *value);
/* The element as integer, string (borrowed) or uuid; false when it is not
 * one. */
bool ovsdb_set_integer(const json_t *value, size_t index, int64_t *ret);
const char *ovsdb_set_string(const json_t *value, size_t index);
bool ovsdb_set_uuid(const json_t *value, size_t index, struct ovsdb_uuid *ret);
/* Value of a key of a map of strings, or NULL. */
const char *ovsdb_map_string(const json_t *value, const char *key);

void ovsdb_json_done(json_t **json); /* for _cleanup_ */

#endif
