/*
 * Desired items from JSON.
 */
#include "agent/offline/desired_file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "gossip/base/cursor.h"
#include "gossip/base/text.h"
#include "reconcilers/openflow/flow.h"

struct parse {
    const char *path;
    size_t index; /* of the item, from 0 */
    char *text;   /* what is wrong, owned */
};

static _printf_(2, 3) int fail(struct parse *parse, const char *format, ...)
{
    char *what = NULL;
    va_list arguments;

    if (parse->text != NULL) {
        return -EINVAL; /* the first one is told */
    }
    va_start(arguments, format);
    if (vasprintf(&what, format, arguments) < 0) {
        what = NULL;
    }
    va_end(arguments);
    if (what == NULL || asprintf(&parse->text, "%s: item %zu: %s", parse->path,
                                 parse->index + 1, what) < 0) {
        parse->text = NULL;
    }
    free(what);
    return -EINVAL;
}

/* Refuses keys that nobody knows: most often a slip of the pen. */
static int verify_keys(struct parse *parse, json_t *object,
                       const char *const keys[])
{
    const char *key;
    json_t *value;

    json_object_foreach (object, key, value) {
        size_t i = 0;

        while (keys[i] != NULL && strcmp(keys[i], key) != 0) {
            i++;
        }
        if (keys[i] == NULL) {
            return fail(parse, "unknown key \"%s\"", key);
        }
    }
    return 0;
}

static int get_text(struct parse *parse, const json_t *object, const char *key,
                    char *ret, size_t size)
{
    const char *text = json_string_value(json_object_get(object, key));

    if (text == NULL || text[0] == '\0' || strlen(text) >= size) {
        return fail(parse, "\"%s\" must be text of 1 to %zu bytes", key,
                    size - 1);
    }
    memcpy(ret, text, strlen(text) + 1);
    return 0;
}

static int get_address(struct parse *parse, const json_t *object,
                       const char *key, struct address *ret)
{
    const char *text = json_string_value(json_object_get(object, key));

    if (text == NULL || address_parse(text, ret) != 0) {
        return fail(parse, "\"%s\" must be an address, as \"10.0.3.203\"", key);
    }
    return 0;
}

/* `fallback` below zero: the key must be there. */
static int get_number(struct parse *parse, const json_t *object,
                      const char *key, json_int_t low, json_int_t high,
                      json_int_t fallback, uint16_t *ret)
{
    const json_t *value = json_object_get(object, key);
    json_int_t number =
        json_is_integer(value) ? json_integer_value(value) : fallback;

    if ((value != NULL && !json_is_integer(value)) || number < low ||
        number > high) {
        return fail(parse, "\"%s\" must be a number from %lld to %lld", key,
                    (long long)low, (long long)high);
    }
    *ret = (uint16_t)number;
    return 0;
}

static int get_flag(struct parse *parse, const json_t *object, const char *key,
                    bool fallback, bool *ret)
{
    const json_t *value = json_object_get(object, key);

    if (value != NULL && !json_is_boolean(value)) {
        return fail(parse, "\"%s\" must be true or false", key);
    }
    *ret = value != NULL ? json_is_true(value) : fallback;
    return 0;
}

static uint64_t host_id(const char *name)
{
    return flow_hash(FLOW_HASH_INIT, name, strlen(name));
}

static int get_id(struct parse *parse, const json_t *object,
                  struct desired_host *host)
{
    const json_t *value = json_object_get(object, "id");
    const char *text = json_string_value(value);
    uint8_t bytes[8];
    struct reader reader = reader_init(bytes, sizeof(bytes));

    if (value == NULL) {
        host->id = host_id(host->name);
        return 0;
    }
    if (text == NULL ||
        text_to_bytes(text, strlen(text), bytes, sizeof(bytes)) != 0) {
        return fail(parse, "\"id\" must be 16 digits 0-9a-f");
    }
    host->id = reader_u64(&reader);
    return 0;
}

static int read_host(struct parse *parse, json_t *object,
                     struct desired_host *host)
{
    static const char *const keys[] = {"type", "name",    "id", "self",
                                       "mesh", "subnets", NULL};
    const json_t *subnets = json_object_get(object, "subnets");
    const json_t *subnet;
    size_t i;

    if (verify_keys(parse, object, keys) < 0 ||
        get_text(parse, object, "name", host->name, sizeof(host->name)) < 0 ||
        get_flag(parse, object, "self", false, &host->is_self) < 0 ||
        get_address(parse, object, "mesh", &host->mesh) < 0 ||
        get_id(parse, object, host) < 0) {
        return -EINVAL;
    }
    if ((subnets != NULL && !json_is_array(subnets)) ||
        json_array_size(subnets) > DESIRED_SUBNETS_MAX) {
        return fail(parse, "\"subnets\" must be an array of at most %d",
                    DESIRED_SUBNETS_MAX);
    }
    json_array_foreach (subnets, i, subnet) {
        const char *text = json_string_value(subnet);

        if (text == NULL ||
            prefix_parse(text, &host->subnets[host->n_subnets]) != 0) {
            return fail(parse, "\"subnets\" holds a value that is no prefix "
                               "as \"10.0.3.0/24\"");
        }
        host->n_subnets++;
    }
    return 0;
}

static int read_backend(struct parse *parse, json_t *object,
                        const struct desired_function *function,
                        struct desired_backend *backend)
{
    static const char *const keys[] = {"instance",    "host",   "address",
                                       "port",        "weight", "priority",
                                       "accepts_new", NULL};
    char host[DESIRED_NAME_SIZE];

    if (!json_is_object(object)) {
        return fail(parse, "\"backends\" must hold objects");
    }
    if (verify_keys(parse, object, keys) < 0 ||
        get_text(parse, object, "instance", backend->instance,
                 sizeof(backend->instance)) < 0 ||
        get_text(parse, object, "host", host, sizeof(host)) < 0 ||
        get_address(parse, object, "address", &backend->address) < 0 ||
        get_number(parse, object, "port", 1, 65535, function->port,
                   &backend->port) < 0 ||
        get_number(parse, object, "weight", 1, 1000, 100, &backend->weight) <
            0 ||
        get_number(parse, object, "priority", 0, 65535, 0, &backend->priority) <
            0 ||
        get_flag(parse, object, "accepts_new", true, &backend->accepts_new) <
            0) {
        return -EINVAL;
    }
    backend->host_id = host_id(host); /* replaced when a host has that name */
    return 0;
}

static int read_function(struct parse *parse, json_t *object,
                         struct desired_function *function)
{
    static const char *const keys[] = {
        "type", "name", "protocol", "port", "address", "backends", NULL};
    const json_t *protocol = json_object_get(object, "protocol");
    const json_t *backends = json_object_get(object, "backends");
    const char *text = protocol != NULL ? json_string_value(protocol) : "tcp";
    json_t *backend;
    size_t i;

    if (verify_keys(parse, object, keys) < 0 ||
        get_text(parse, object, "name", function->name,
                 sizeof(function->name)) < 0 ||
        get_number(parse, object, "port", 1, 65535, -1, &function->port) < 0 ||
        get_address(parse, object, "address", &function->address) < 0) {
        return -EINVAL;
    }
    if (text == NULL ||
        (strcmp(text, "tcp") != 0 && strcmp(text, "udp") != 0)) {
        return fail(parse, "\"protocol\" must be \"tcp\" or \"udp\"");
    }
    function->protocol = strcmp(text, "tcp") == 0 ? 6 : 17;
    if ((backends != NULL && !json_is_array(backends)) ||
        json_array_size(backends) > DESIRED_BACKENDS_MAX) {
        return fail(parse, "\"backends\" must be an array of at most %d",
                    DESIRED_BACKENDS_MAX);
    }
    function->backends = calloc(MAX_OF(json_array_size(backends), (size_t)1),
                                sizeof(*function->backends));
    if (function->backends == NULL) {
        return -ENOMEM;
    }
    json_array_foreach (backends, i, backend) {
        int error = read_backend(parse, backend, function,
                                 &function->backends[function->n_backends]);

        if (error < 0) {
            return error;
        }
        function->n_backends++;
    }
    return 0;
}

static int read_local(struct parse *parse, json_t *object,
                      struct desired_local *local)
{
    static const char *const keys[] = {"type", "address", "port_name", NULL};

    return verify_keys(parse, object, keys) < 0 ||
                   get_address(parse, object, "address", &local->address) < 0 ||
                   get_text(parse, object, "port_name", local->port_name,
                            sizeof(local->port_name)) < 0
               ? -EINVAL
               : 0;
}

static int read_item(struct parse *parse, json_t *object,
                     struct desired_item *item)
{
    const char *type = json_string_value(json_object_get(object, "type"));

    if (type != NULL && strcmp(type, "host") == 0) {
        item->type = DESIRED_HOST;
        return read_host(parse, object, &item->host);
    }
    if (type != NULL && strcmp(type, "function") == 0) {
        item->type = DESIRED_FUNCTION;
        return read_function(parse, object, &item->function);
    }
    if (type != NULL && strcmp(type, "local") == 0) {
        item->type = DESIRED_LOCAL;
        return read_local(parse, object, &item->local);
    }
    return fail(parse, "\"type\" must be \"host\", \"function\" or \"local\"");
}

/* Backends name hosts; hosts with an "id" of their own have another one than
 * the name gives. */
static void resolve_hosts(struct desired *desired)
{
    for (size_t i = 0; i < desired->n_items; i++) {
        const struct desired_item *host = &desired->items[i];

        for (size_t j = 0; j < desired->n_items; j++) {
            struct desired_function *function = &desired->items[j].function;

            if (host->type != DESIRED_HOST ||
                desired->items[j].type != DESIRED_FUNCTION) {
                continue;
            }
            for (size_t k = 0; k < function->n_backends; k++) {
                if (function->backends[k].host_id == host_id(host->host.name)) {
                    function->backends[k].host_id = host->host.id;
                }
            }
        }
    }
}

static int read_items(struct parse *parse, const json_t *root,
                      struct desired *desired)
{
    json_t *object;
    size_t i;

    json_array_foreach (root, i, object) {
        struct desired_item item = {0};
        int error;

        parse->index = i;
        error = read_item(parse, object, &item);
        if (error == 0 && desired_find(desired, &item) != NULL) {
            error = fail(parse, "there is an item of that key before it");
        }
        if (error == 0) {
            error = desired_put(desired, &item);
        }
        desired_item_done(&item);
        if (error < 0) {
            return error;
        }
    }
    return 0;
}

int desired_file_read(FILE *file, const char *path, struct desired *ret,
                      char **ret_error)
{
    struct parse parse = {.path = path};
    struct desired desired = DESIRED_INIT;
    json_error_t json_error;
    json_auto_t *root = json_loadf(file, JSON_REJECT_DUPLICATES, &json_error);
    int error;

    if (!json_is_array(root)) {
        if (asprintf(ret_error, "%s:%d: %s", path, json_error.line,
                     root == NULL ? json_error.text
                                  : "not an array of desired items") < 0) {
            *ret_error = NULL;
        }
        return -EINVAL;
    }
    error = read_items(&parse, root, &desired);
    if (error < 0) {
        desired_done(&desired);
        *ret_error = parse.text;
        return error;
    }
    resolve_hosts(&desired);
    *ret = desired;
    return 0;
}
