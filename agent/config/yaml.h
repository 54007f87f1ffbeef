/*
 * Reading YAML (and so JSON) files of people: a file becomes a tree whose
 * every node knows its line, and typed getters turn nodes into values or into
 * an error text that names file, line, key, the reason and what is expected.
 * config.c and services_parse.c use it; libfyaml is known here alone.
 *
 *     r = yaml_load(path, &file, &error);
 *     root = yaml_root(file);
 *     yaml_require_keys(root, "", keys);
 *     port = yaml_uint(yaml_get(root, "port"), "port", 1, 65535, 0);
 *     if (yaml_failed(file)) {
 *         error = yaml_take_error(file);
 *     }
 *
 * The first error is kept; after it the getters return their defaults, so a
 * reader checks once, at its end.
 */
#ifndef SOCKETNET_AGENT_CONFIG_YAML_H
#define SOCKETNET_AGENT_CONFIG_YAML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/base/address.h"
#include "gossip/base/macros.h"

#define YAML_FILE_SIZE_MAX (1u << 20)

struct yaml_file;

/* A node of the tree; valid as long as its file.  `node` NULL: not there. */
struct yaml_node {
    struct yaml_file *file;
    void *node; /* struct fy_node */
};

/* 0; -ENOENT and other negative errno with a malloc'd text (unreadable,
 * syntax error or a key twice with file:line:column, too large).  An empty
 * file is an empty map. */
_must_check_ int yaml_load(const char *path, struct yaml_file **ret,
                           char **ret_error);
/* The same from memory; `name` stands for the file in errors. */
_must_check_ int yaml_parse(const char *name, const char *text, size_t len,
                            struct yaml_file **ret, char **ret_error);
struct yaml_file *yaml_free(struct yaml_file *file);
void yaml_free_pointer(struct yaml_file **file);

bool yaml_failed(const struct yaml_file *file);
/* The error text, now the caller's; NULL when there was none. */
char *yaml_take_error(struct yaml_file *file);
/* Records "FILE:LINE: " + text for a node, when it is the first error. */
void yaml_fail(struct yaml_node node, const char *format, ...) _printf_(2, 3);
/* Line of a node, from 1; 0 when it is not there. */
size_t yaml_line(struct yaml_node node);
const char *yaml_path(const struct yaml_file *file);

struct yaml_node yaml_root(struct yaml_file *file);
/* Fails with a suggestion when the map has a key that is not in `keys`
 * (NULL-terminated), or is no map.  `what` names
 * the map in errors, "" for the whole file.  true when it is a good map (a
 * missing or empty node too: all getters then give their defaults). */
bool yaml_require_keys(struct yaml_node node, const char *what,
                       const char *const *keys);
bool yaml_is_map(struct yaml_node node);
bool yaml_is_list(struct yaml_node node);
/* The value of a key; its `node` is NULL when the key is not there. */
struct yaml_node yaml_get(struct yaml_node map, const char *key);
/* Items of a list, in order; a scalar counts as a list of one. */
size_t yaml_count(struct yaml_node list);
struct yaml_node yaml_at(struct yaml_node list, size_t index);
/* Pairs of a map, in the file's order. */
size_t yaml_pair_count(struct yaml_node map);
struct yaml_node yaml_pair_at(struct yaml_node map, size_t index,
                              struct yaml_node *ret_key);

/*
 * Typed values of scalar nodes.  A missing node gives the default and no
 * error; a wrong one records an error and gives the default.  `key` is what
 * the error calls it ("mesh.port").
 */
/* malloc'd, or NULL when missing or out of memory (which is recorded). */
char *yaml_string(struct yaml_node node, const char *key);
/* Copies into a buffer; too long is an error. */
void yaml_copy(struct yaml_node node, const char *key, char *buffer,
               size_t size);
bool yaml_bool(struct yaml_node node, const char *key, bool fallback);
uint64_t yaml_uint(struct yaml_node node, const char *key, uint64_t lowest,
                   uint64_t highest, uint64_t fallback);
bool yaml_address(struct yaml_node node, const char *key, struct address *ret);
bool yaml_prefix(struct yaml_node node, const char *key, struct prefix *ret);
bool yaml_endpoint(struct yaml_node node, const char *key,
                   uint16_t default_port, struct endpoint *ret);

/* The text of a scalar as it stands, not terminated; NULL for anything else.
 * Valid as long as the file. */
const char *yaml_scalar(struct yaml_node node, size_t *ret_len);

/* The nearest of `words` (NULL-terminated) to a misspelt one, or NULL. */
const char *yaml_suggest(const char *word, const char *const *words);

#endif
