/*
 * The keys of a file of services.d; see services_parse.h.  Reading and errors
 * with file:line are yaml.c's.
 */
#include "agent/services/services_parse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/config/yaml.h"

#define SERVICES_CHECK_MS_MAX 3600000

static void services_parse_tags(struct yaml_node list,
                                struct body_service *service)
{
    size_t n = yaml_count(list);

    if (n > LIMIT_SERVICE_TAGS) {
        yaml_fail(list, "%zu tags are too many, at most %d", n,
                  LIMIT_SERVICE_TAGS);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        struct yaml_node item = yaml_at(list, i);

        yaml_copy(item, "tags", service->tags[i], sizeof(service->tags[i]));
        if (!yaml_failed(item.file) && !body_name_valid(service->tags[i])) {
            yaml_fail(item,
                      "\"%s\" is not a tag: letters, digits, '-' and '_', not "
                      "at an end",
                      service->tags[i]);
        }
    }
    service->n_tags = n;
}

static void services_parse_meta(struct yaml_node map,
                                struct body_service *service)
{
    size_t n = yaml_pair_count(map);

    if (map.node == NULL) {
        return;
    }
    if (!yaml_is_map(map) || n > LIMIT_SERVICE_META) {
        yaml_fail(map, "meta is not a map of at most %d texts",
                  LIMIT_SERVICE_META);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        struct yaml_node key;
        struct yaml_node value = yaml_pair_at(map, i, &key);

        yaml_copy(key, "meta", service->meta[i].key,
                  sizeof(service->meta[i].key));
        yaml_copy(value, "meta", service->meta[i].value,
                  sizeof(service->meta[i].value));
    }
    service->n_meta = n;
}

/* `check: tcp`, or a map with its type. */
static void services_parse_check(struct yaml_node node,
                                 struct services_check *check)
{
    static const char *const keys[] = {"type", "interval", "timeout", "port",
                                       "pass", "fail",     NULL};
    struct yaml_node type_node =
        yaml_is_map(node) ? yaml_get(node, "type") : node;
    char type[16] = "";

    if (node.node == NULL) {
        return;
    }
    if (yaml_is_map(node)) {
        (void)yaml_require_keys(node, "check", keys); /* recorded */
    }
    yaml_copy(type_node, "check.type", type, sizeof(type));
    if (strcmp(type, "tcp") == 0) {
        check->type = SERVICES_CHECK_TCP;
    } else if (strcmp(type, "none") != 0) {
        yaml_fail(node,
                  "there is no check of type \"%s\"; give tcp, or leave the "
                  "check out",
                  type);
    }
    if (!yaml_is_map(node)) {
        return;
    }
    check->interval_ms =
        (uint32_t)yaml_duration_ms(yaml_get(node, "interval"), "check.interval",
                                   100, SERVICES_CHECK_MS_MAX, 10000);
    check->timeout_ms =
        (uint32_t)yaml_duration_ms(yaml_get(node, "timeout"), "check.timeout",
                                   10, SERVICES_CHECK_MS_MAX, 2000);
    check->port = (uint16_t)yaml_uint(yaml_get(node, "port"), "check.port", 0,
                                      UINT16_MAX, 0);
    check->pass =
        (uint32_t)yaml_uint(yaml_get(node, "pass"), "check.pass", 1, 1000, 1);
    check->fail =
        (uint32_t)yaml_uint(yaml_get(node, "fail"), "check.fail", 1, 1000, 3);
}

static void services_parse_protocol(struct yaml_node node,
                                    struct body_service *service)
{
    char text[8] = "tcp";

    yaml_copy(node, "protocol", text, sizeof(text));
    if (node.node == NULL || strcmp(text, "tcp") == 0) {
        service->protocol = 6;
    } else if (strcmp(text, "udp") == 0) {
        service->protocol = 17;
    } else {
        yaml_fail(node, "protocol \"%s\" is neither tcp nor udp", text);
    }
}

static void services_parse_needed(struct yaml_node map, const char *key)
{
    if (!yaml_has(map, key)) {
        yaml_fail(map, "the service has no %s", key);
    }
}

static void services_parse_one(struct yaml_node map, struct services_spec *spec)
{
    static const char *const keys[] = {
        "name", "instance", "port",   "protocol", "address", "port_name",
        "tags", "meta",     "weight", "priority", "check",   NULL};
    struct body_service *service = &spec->service;

    if (!yaml_is_map(map)) {
        yaml_fail(map, "a service is a map: name, port, address, ...");
        return;
    }
    (void)yaml_require_keys(map, "service", keys); /* recorded */
    services_parse_needed(map, "name");
    services_parse_needed(map, "port");
    services_parse_needed(map, "address");
    yaml_copy(yaml_get(map, "name"), "name", service->function,
              sizeof(service->function));
    yaml_copy(yaml_get(map, "instance"), "instance", service->instance,
              sizeof(service->instance));
    yaml_copy(yaml_get(map, "port_name"), "port_name", service->port_name,
              sizeof(service->port_name));
    service->port =
        (uint16_t)yaml_uint(yaml_get(map, "port"), "port", 1, UINT16_MAX, 0);
    (void)yaml_address(yaml_get(map, "address"), "address",
                       &service->address); /* recorded */
    services_parse_protocol(yaml_get(map, "protocol"), service);
    service->weight =
        (uint16_t)yaml_uint(yaml_get(map, "weight"), "weight", 1, 1000, 100);
    service->priority = (uint16_t)yaml_uint(yaml_get(map, "priority"),
                                            "priority", 0, UINT16_MAX, 0);
    services_parse_tags(yaml_get(map, "tags"), service);
    services_parse_meta(yaml_get(map, "meta"), service);
    services_parse_check(yaml_get(map, "check"), &spec->check);
}

/* The list of services, or the one: `*ret_n` nodes by services_parse_at. */
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
    _cleanup_(free_pointer) struct services_spec *specs = NULL;
    _cleanup_(free_pointer) size_t *lines = NULL;
    size_t n;
    struct yaml_node list = services_parse_list(file, &n);

    if (!yaml_failed(file) && n > 0) {
        specs = calloc(n, sizeof(*specs));
        lines = calloc(n, sizeof(*lines));
        if (specs == NULL || lines == NULL) {
            *ret_error = NULL;
            return -ENOMEM;
        }
    }
    for (size_t i = 0; i < n && !yaml_failed(file); i++) {
        struct yaml_node node = yaml_is_list(list) ? yaml_at(list, i) : list;

        services_parse_one(node, &specs[i]);
        lines[i] = yaml_line(node);
    }
    if (yaml_failed(file)) {
        *ret_error = yaml_take_error(file);
        return -EINVAL;
    }
    for (size_t i = 0; i < n; i++) {
        fn(&specs[i], yaml_path(file), lines[i], data);
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
