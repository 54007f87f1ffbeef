/*
 * A file of services.d as the JSON tree that registration.c reads, and the
 * place in the file of what it finds wrong; see services_parse.h.  YAML with
 * file:line is yaml.c's.
 */
#include "agent/services/services_parse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "agent/config/yaml.h"

/* A scalar as a text, null as null.  What is nested deeper than registrations
 * are stands there empty, so that it is found wrong where it is.  NULL: out of
 * memory. */
static json_t *services_leaf(struct yaml_node node)
{
    size_t len = 0;
    const char *text;

    if (node.node == NULL) {
        return json_null();
    }
    if (yaml_is_map(node)) {
        return json_object();
    }
    if (yaml_is_list(node)) {
        return json_array();
    }
    text = yaml_scalar(node, &len);
    return json_stringn(text != NULL ? text : "", text != NULL ? len : 0);
}

/* Adds a pair of a map; whether there was memory for it. */
static bool services_put_pair(json_t *object, struct yaml_node key,
                              json_t *value)
{
    size_t len = 0;
    const char *text = yaml_scalar(key, &len);
    char name[128];

    if (text == NULL || len >= sizeof(name)) {
        yaml_fail(key, "a key is a short text, as name or port");
        json_decref(value);
        return true;
    }
    memcpy(name, text, len);
    name[len] = '\0';
    return json_object_set_new(object, name, value) == 0;
}

/* A value of a service: a scalar, a list or map of scalars. */
static json_t *services_branch(struct yaml_node node)
{
    json_auto_t *root = services_leaf(node);
    bool is_whole = root != NULL;

    for (size_t i = 0; is_whole && i < yaml_pair_count(node); i++) {
        struct yaml_node key;
        struct yaml_node value = yaml_pair_at(node, i, &key);

        is_whole = services_put_pair(root, key, services_leaf(value));
    }
    for (size_t i = 0; is_whole && yaml_is_list(node) && i < yaml_count(node);
         i++) {
        is_whole =
            json_array_append_new(root, services_leaf(yaml_at(node, i))) == 0;
    }
    return is_whole ? json_incref(root) : NULL;
}

static json_t *services_tree(struct yaml_node node)
{
    json_auto_t *root = services_leaf(node);
    bool is_whole = root != NULL;

    for (size_t i = 0; is_whole && i < yaml_pair_count(node); i++) {
        struct yaml_node key;
        struct yaml_node value = yaml_pair_at(node, i, &key);

        is_whole = services_put_pair(root, key, services_branch(value));
    }
    return is_whole ? json_incref(root) : NULL;
}

/* The node that a registration_problem's field names, or the nearest one
 * around it. */
static struct yaml_node services_place(struct yaml_node map, const char *field)
{
    size_t len = strcspn(field, ".[");
    struct yaml_node whole = yaml_get(map, field);
    struct yaml_node outer;
    struct yaml_node inner;
    char name[128];

    if (whole.node != NULL || len >= sizeof(name)) {
        return whole.node != NULL ? whole : map;
    }
    memcpy(name, field, len);
    name[len] = '\0';
    outer = yaml_get(map, name);
    if (outer.node == NULL) {
        return map;
    }
    inner = field[len] == '['
                ? yaml_at(outer, strtoul(field + len + 1, NULL, 10))
            : field[len] == '.' ? yaml_get(outer, field + len + 1)
                                : outer;
    return inner.node != NULL ? inner : outer;
}

/* 0, also when something is wrong, which is then recorded in the file; or
 * -ENOMEM. */
static int services_parse_one(struct yaml_node map,
                              struct registration *registration)
{
    struct registration_problem problem = {0};
    json_auto_t *root = services_tree(map);

    if (root == NULL) {
        return -ENOMEM;
    }
    if (!yaml_failed(map.file) &&
        registration_parse(root, REGISTRATION_TEXTS, registration, &problem) !=
            0) {
        yaml_fail(services_place(map, problem.field), "%s; %s", problem.what,
                  problem.next);
    }
    return 0;
}

/* The list of services, or the one: `*ret_n` nodes. */
static struct yaml_node services_parse_list(struct yaml_file *file,
                                            size_t *ret_n)
{
    static const char *const keys[] = {"service", "services", NULL};
    struct yaml_node root = yaml_root(file);
    struct yaml_node one;
    struct yaml_node list;

    *ret_n = 0;
    (void)yaml_require_keys(root, "", keys); /* recorded */
    one = yaml_get(root, "service");
    list = yaml_get(root, "services");
    if (one.node != NULL && list.node != NULL) {
        yaml_fail(one, "give service or services, not both");
        return one;
    }
    if (one.node != NULL) {
        *ret_n = 1;
        return one;
    }
    if (list.node != NULL && !yaml_is_list(list)) {
        yaml_fail(list, "services is a list; for one, use service");
        return list;
    }
    *ret_n = yaml_count(list);
    if (*ret_n > SERVICES_PER_FILE_MAX) {
        yaml_fail(list, "%zu services are too many for one file, at most %d",
                  *ret_n, SERVICES_PER_FILE_MAX);
    }
    return list;
}

static int services_parse_file(struct yaml_file *file, services_parse_fn fn,
                               void *data, char **ret_error)
{
    _cleanup_(free_pointer) struct registration *registrations = NULL;
    _cleanup_(free_pointer) size_t *lines = NULL;
    size_t n;
    struct yaml_node list = services_parse_list(file, &n);
    int error = 0;

    if (!yaml_failed(file) && n > 0) {
        registrations = calloc(n, sizeof(*registrations));
        lines = calloc(n, sizeof(*lines));
        error = registrations == NULL || lines == NULL ? -ENOMEM : 0;
    }
    for (size_t i = 0; error == 0 && i < n && !yaml_failed(file); i++) {
        struct yaml_node node = yaml_is_list(list) ? yaml_at(list, i) : list;

        error = services_parse_one(node, &registrations[i]);
        lines[i] = yaml_line(node);
    }
    if (error != 0) {
        *ret_error = NULL;
        return error;
    }
    if (yaml_failed(file)) {
        *ret_error = yaml_take_error(file);
        return -EINVAL;
    }
    for (size_t i = 0; i < n; i++) {
        fn(&registrations[i], yaml_path(file), lines[i], data);
    }
    return 0;
}

int services_parse(const char *path, services_parse_fn fn, void *data,
                   char **ret_error)
{
    _cleanup_(yaml_free_pointer) struct yaml_file *file = NULL;
    int error = yaml_load(path, &file, ret_error);

    return error != 0 ? error : services_parse_file(file, fn, data, ret_error);
}

int services_parse_text(const char *name, const char *text, size_t len,
                        services_parse_fn fn, void *data, char **ret_error)
{
    _cleanup_(yaml_free_pointer) struct yaml_file *file = NULL;
    int error = yaml_parse(name, text, len, &file, ret_error);

    return error != 0 ? error : services_parse_file(file, fn, data, ret_error);
}
