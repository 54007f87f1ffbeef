/*
 * Values out of YAML nodes: types, ranges, addresses, and errors that say what
 * is expected; see yaml.h.  The tree itself is yaml.c's.
 */
#include "agent/config/yaml.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/text/suggest.h"
#include "gossip/base/text.h"

#define VALUE_TEXT_SIZE 256

/* 0 when the node is not there or wrong, which has then been recorded. */
static bool get_text(struct yaml_node node, const char *key,
                     const char *expected, const char **ret_text,
                     size_t *ret_len)
{
    const char *text;

    if (node.node == NULL || yaml_failed(node.file)) {
        return false;
    }
    text = yaml_scalar(node, ret_len);
    if (text == NULL) {
        yaml_fail(node, "%s is a %s; expected %s", key,
                  yaml_is_list(node) ? "list" : "map", expected);
        return false;
    }
    *ret_text = text;
    return true;
}

/* The same into a terminated buffer; longer text is cut, and then wrong for
 * every caller, whose values are far shorter. */
static bool get_short(struct yaml_node node, const char *key,
                      const char *expected, char buffer[VALUE_TEXT_SIZE])
{
    const char *text = NULL;
    size_t len = 0;

    if (!get_text(node, key, expected, &text, &len)) {
        return false;
    }
    (void)snprintf(buffer, VALUE_TEXT_SIZE, "%.*s",
                   (int)MIN_OF(len, (size_t)VALUE_TEXT_SIZE - 1), text);
    return true;
}

char *yaml_string(struct yaml_node node, const char *key)
{
    const char *text = NULL;
    size_t len = 0;
    char *copy;

    if (!get_text(node, key, "text", &text, &len)) {
        return NULL;
    }
    copy = strndup(text, len);
    if (copy == NULL) {
        yaml_fail(node, "%s: out of memory", key);
    }
    return copy;
}

void yaml_copy(struct yaml_node node, const char *key, char *buffer,
               size_t size)
{
    const char *text = NULL;
    size_t len = 0;

    if (!get_text(node, key, "text", &text, &len)) {
        return;
    }
    if (len >= size) {
        yaml_fail(node, "%s is %zu bytes long; expected at most %zu", key, len,
                  size - 1);
        return;
    }
    memcpy(buffer, text, len);
    buffer[len] = '\0';
}

bool yaml_bool(struct yaml_node node, const char *key, bool fallback)
{
    char text[VALUE_TEXT_SIZE];

    if (!get_short(node, key, "true or false", text)) {
        return fallback;
    }
    if (strcmp(text, "true") == 0) {
        return true;
    }
    if (strcmp(text, "false") == 0) {
        return false;
    }
    yaml_fail(node, "%s: \"%s\" is not a boolean; expected true or false", key,
              text);
    return fallback;
}

uint64_t yaml_uint(struct yaml_node node, const char *key, uint64_t lowest,
                   uint64_t highest, uint64_t fallback)
{
    char text[VALUE_TEXT_SIZE];
    uint64_t value = 0;
    const char *at = text;

    if (!get_short(node, key, "a number", text)) {
        return fallback;
    }
    if (text_take_number(&at, highest, &value) != 0 || *at != '\0' ||
        value < lowest) {
        yaml_fail(node,
                  "%s: \"%s\" is not possible; expected a whole number from "
                  "%" PRIu64 " to %" PRIu64,
                  key, text, lowest, highest);
        return fallback;
    }
    return value;
}

bool yaml_address(struct yaml_node node, const char *key, struct address *ret)
{
    char text[VALUE_TEXT_SIZE];

    if (!get_short(node, key, "an address such as 10.0.1.1", text)) {
        return false;
    }
    if (address_parse(text, ret) != 0) {
        yaml_fail(node,
                  "%s: \"%s\" is not an address; expected one such as "
                  "10.0.1.1 or fd00::1",
                  key, text);
        return false;
    }
    return true;
}

bool yaml_prefix(struct yaml_node node, const char *key, struct prefix *ret)
{
    char network[PREFIX_TEXT_SIZE];
    char text[VALUE_TEXT_SIZE];
    struct address address;
    struct prefix prefix;

    if (!get_short(node, key, "a subnet such as 10.0.1.0/24", text)) {
        return false;
    }
    if (prefix_parse(text, ret) == 0) {
        return true;
    }
    if (prefix_parse_interface(text, &address, &prefix) == 0) {
        yaml_fail(node,
                  "%s: \"%s\" is an address inside a subnet; expected the "
                  "subnet itself, %s",
                  key, text, prefix_text(&prefix, network));
    } else {
        yaml_fail(node,
                  "%s: \"%s\" is not a subnet; expected an address and a "
                  "length, such as 10.0.1.0/24",
                  key, text);
    }
    return false;
}

bool yaml_endpoint(struct yaml_node node, const char *key,
                   uint16_t default_port, struct endpoint *ret)
{
    char text[VALUE_TEXT_SIZE];

    if (!get_short(node, key, "an address and port such as 10.0.1.1:53",
                   text)) {
        return false;
    }
    if (endpoint_parse(text, default_port, ret) != 0) {
        yaml_fail(node,
                  "%s: \"%s\" is not an address and port; expected one such "
                  "as 10.0.1.1:%u or [fd00::1]:%u",
                  key, text, default_port, default_port);
        return false;
    }
    return true;
}

const char *yaml_suggest(const char *word, const char *const *words)
{
    struct suggest suggest = {0};

    for (size_t i = 0; words[i] != NULL; i++) {
        suggest_offer(&suggest, word, words[i]);
    }
    return suggest.word;
}

static bool is_known(const char *key, const char *const *keys)
{
    for (size_t i = 0; keys[i] != NULL; i++) {
        if (strcmp(key, keys[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void fail_unknown(struct yaml_node node, const char *what,
                         const char *key, const char *const *keys)
{
    const char *suggestion = yaml_suggest(key, keys);
    char place[64] = "";

    if (what[0] != '\0') {
        (void)snprintf(place, sizeof(place), " in %s", what);
    }
    if (suggestion != NULL) {
        yaml_fail(node, "unknown key \"%s\"%s (did you mean \"%s\"?)", key,
                  place, suggestion);
        return;
    }
    char list[512] = "";
    size_t used = 0;

    for (size_t i = 0; keys[i] != NULL && used < sizeof(list); i++) {
        int n = snprintf(list + used, sizeof(list) - used, "%s%s",
                         i > 0 ? ", " : "", keys[i]);

        used += (size_t)MAX_OF(n, 0);
    }
    yaml_fail(node, "unknown key \"%s\"%s; known are %s", key, place, list);
}

bool yaml_require_keys(struct yaml_node node, const char *what,
                       const char *const *keys)
{
    if (yaml_failed(node.file)) {
        return false;
    }
    if (node.node == NULL) {
        return true;
    }
    if (!yaml_is_map(node)) {
        yaml_fail(node, "%s is not a map; expected lines of \"key: value\"",
                  what[0] == '\0' ? "the file" : what);
        return false;
    }
    for (size_t i = 0; i < yaml_pair_count(node); i++) {
        char key[VALUE_TEXT_SIZE] = "";
        struct yaml_node key_node;

        (void)yaml_pair_at(node, i, &key_node); /* only its key */
        if (!get_short(key_node, "a key", "text", key) ||
            !is_known(key, keys)) {
            fail_unknown(key_node, what, key, keys);
            return false;
        }
    }
    return true;
}
