/*
 * See api_spec.h.
 */
#include "agent/api/api_spec.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "agent/text/suggest.h"

#define CHECK_INTERVAL_MS 10000
#define CHECK_TIMEOUT_MS  2000
#define CHECK_MS_MAX      3600000

/* A reader of one object: the first problem is kept. */
struct spec_reader {
    const json_t *root;
    const char *prefix; /* of field names in problems, "check." */
    struct api_spec_problem *problem;
    bool has_failed;
};

static void fail(struct spec_reader *reader, const char *field,
                 const char *next, const char *what, ...) _printf_(4, 5);

static void fail(struct spec_reader *reader, const char *field,
                 const char *next, const char *what, ...)
{
    struct api_spec_problem *problem = reader->problem;
    va_list arguments;

    if (reader->has_failed) {
        return;
    }
    reader->has_failed = true;
    va_start(arguments, what);
    (void)vsnprintf(problem->what, sizeof(problem->what), what, arguments);
    va_end(arguments);
    (void)snprintf(problem->where, sizeof(problem->where), "field %s%.60s",
                   reader->prefix, field);
    (void)snprintf(problem->next, sizeof(problem->next), "%s", next);
}

/* Every key of the object has to be one of `fields`. */
static void check_fields(struct spec_reader *reader, const char *const *fields,
                         size_t n)
{
    void *iter = json_object_iter((json_t *)(uintptr_t)reader->root);

    while (iter != NULL) {
        const char *key = json_object_iter_key(iter);
        struct suggest suggest = {0};
        bool is_known = false;
        char next[96] = "see docs/API.md for the fields";

        for (size_t i = 0; i < n; i++) {
            is_known |= strcmp(key, fields[i]) == 0;
            suggest_offer(&suggest, key, fields[i]);
        }
        if (suggest.word != NULL) {
            (void)snprintf(next, sizeof(next), "did you mean %s?",
                           suggest.word);
        }
        if (!is_known) {
            fail(reader, key, next, "there is no field %s%.60s", reader->prefix,
                 key);
        }
        iter = json_object_iter_next((json_t *)(uintptr_t)reader->root, iter);
    }
}

static uint32_t get_uint(struct spec_reader *reader, const char *field,
                         uint32_t lowest, uint32_t highest, uint32_t fallback)
{
    const json_t *value = json_object_get(reader->root, field);
    json_int_t number = json_integer_value(value);
    char next[96];

    if (value == NULL) {
        return fallback;
    }
    if (!json_is_integer(value) || number < lowest || number > highest) {
        (void)snprintf(next, sizeof(next), "give a whole number, %u to %u",
                       lowest, highest);
        fail(reader, field, next, "%s is not a number in its range", field);
        return fallback;
    }
    return (uint32_t)number;
}

/* Copies text of at most size - 1 bytes; "" when the field is absent. */
static void get_text(struct spec_reader *reader, const char *field, char *text,
                     size_t size)
{
    const json_t *value = json_object_get(reader->root, field);
    char next[96];

    text[0] = '\0';
    if (value == NULL || json_is_null(value)) {
        return;
    }
    if (!json_is_string(value) || json_string_length(value) >= size ||
        strlen(json_string_value(value)) != json_string_length(value)) {
        (void)snprintf(next, sizeof(next), "give text of at most %zu bytes",
                       size - 1);
        fail(reader, field, next, "%s is not such a text", field);
        return;
    }
    memcpy(text, json_string_value(value), json_string_length(value) + 1);
}

static void check_name(struct spec_reader *reader, const char *field,
                       const char *name)
{
    if (!body_name_valid(name)) {
        fail(reader, field,
             "names are DNS labels: letters, digits, '-' and '_', not at an "
             "end, at most 63",
             name[0] == '\0' ? "%s is missing%s" : "%s \"%s\" is not a name",
             field, name);
    }
}

static void get_protocol(struct spec_reader *reader,
                         struct body_service *service)
{
    char text[8];

    get_text(reader, "protocol", text, sizeof(text));
    if (text[0] == '\0' || strcmp(text, "tcp") == 0) {
        service->protocol = 6;
    } else if (strcmp(text, "udp") == 0) {
        service->protocol = 17;
    } else {
        fail(reader, "protocol", "give tcp or udp", "no protocol \"%s\"", text);
    }
}

static void get_address(struct spec_reader *reader,
                        struct body_service *service)
{
    char text[ADDRESS_TEXT_SIZE];

    get_text(reader, "address", text, sizeof(text));
    if (address_parse(text, &service->address) != 0) {
        fail(reader, "address",
             "give the address of the container or host that serves it, as "
             "10.0.3.203",
             text[0] == '\0' ? "address is missing%s"
                             : "address \"%s\" is not an IP address",
             text);
    }
}

static void get_tags(struct spec_reader *reader, struct body_service *service)
{
    const json_t *list = json_object_get(reader->root, "tags");
    size_t n = json_array_size(list);

    if (list == NULL) {
        return;
    }
    if (!json_is_array(list) || n > LIMIT_SERVICE_TAGS) {
        fail(reader, "tags", "give a list of names, at most 8",
             "tags is not such a list");
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const char *tag = json_string_value(json_array_get(list, i));

        if (tag == NULL || !body_name_valid(tag)) {
            fail(reader, "tags",
                 "tags are DNS labels: letters, digits, '-' and '_'",
                 "\"%.80s\" is not a tag", tag != NULL ? tag : "(no text)");
            return;
        }
        (void)snprintf(service->tags[i], sizeof(service->tags[i]), "%s", tag);
    }
    service->n_tags = n;
}

static void get_meta(struct spec_reader *reader, struct body_service *service)
{
    const json_t *map = json_object_get(reader->root, "meta");
    void *iter;

    if (map == NULL) {
        return;
    }
    if (!json_is_object(map) || json_object_size(map) > LIMIT_SERVICE_META) {
        fail(reader, "meta", "give an object of texts, at most 8",
             "meta is not such an object");
        return;
    }
    iter = json_object_iter((json_t *)(uintptr_t)map);
    while (iter != NULL) {
        struct body_meta *meta = &service->meta[service->n_meta];
        const char *key = json_object_iter_key(iter);
        const char *value = json_string_value(json_object_iter_value(iter));

        if (value == NULL || strlen(value) > LIMIT_NAME_LEN ||
            strlen(key) > LIMIT_NAME_LEN || key[0] == '\0') {
            fail(reader, "meta", "keys and values are texts of at most 63",
                 "meta \"%.80s\" cannot be kept", key);
            return;
        }
        (void)snprintf(meta->key, sizeof(meta->key), "%s", key);
        (void)snprintf(meta->value, sizeof(meta->value), "%s", value);
        service->n_meta++;
        iter = json_object_iter_next((json_t *)(uintptr_t)map, iter);
    }
}

static void get_check(struct spec_reader *reader, struct services_check *check)
{
    static const char *const fields[] = {"type", "interval_ms", "timeout_ms",
                                         "port", "pass",        "fail"};
    const json_t *value = json_object_get(reader->root, "check");
    struct spec_reader inner = {
        .root = value, .prefix = "check.", .problem = reader->problem};
    char type[8] = "";

    *check = (struct services_check){.interval_ms = CHECK_INTERVAL_MS,
                                     .timeout_ms = CHECK_TIMEOUT_MS,
                                     .pass = 1,
                                     .fail = 3};
    if (value == NULL || json_is_null(value) || reader->has_failed) {
        return;
    }
    if (json_is_string(value)) {
        get_text(reader, "check", type, sizeof(type));
    } else if (json_is_object(value)) {
        check_fields(&inner, fields, ARRAY_SIZE(fields));
        get_text(&inner, "type", type, sizeof(type));
    }
    if (strcmp(type, "tcp") == 0) {
        check->type = SERVICES_CHECK_TCP;
    } else if (strcmp(type, "none") != 0) {
        fail(&inner, "type", "give \"tcp\", or leave the check out",
             "there is no check of type \"%s\"", type);
    }
    if (json_is_object(value)) {
        check->interval_ms = get_uint(&inner, "interval_ms", 100, CHECK_MS_MAX,
                                      CHECK_INTERVAL_MS);
        check->timeout_ms =
            get_uint(&inner, "timeout_ms", 10, CHECK_MS_MAX, CHECK_TIMEOUT_MS);
        check->port = (uint16_t)get_uint(&inner, "port", 0, UINT16_MAX, 0);
        check->pass = get_uint(&inner, "pass", 1, 1000, 1);
        check->fail = get_uint(&inner, "fail", 1, 1000, 3);
    }
    reader->has_failed |= inner.has_failed;
}

static void get_names(struct spec_reader *reader, const char *node_name,
                      struct body_service *service)
{
    char name[BODY_NAME_SIZE];

    get_text(reader, "name", name, sizeof(name));
    check_name(reader, "name", name);
    get_text(reader, "port_name", service->port_name,
             sizeof(service->port_name));
    get_text(reader, "instance", service->instance, sizeof(service->instance));
    if (reader->has_failed ||
        body_name_canonical(name, service->function) != 0) {
        return;
    }
    if (service->instance[0] == '\0') {
        bool is_by_port = body_name_valid(service->port_name);

        (void)snprintf(service->instance, sizeof(service->instance), "%s",
                       is_by_port ? service->port_name : node_name);
    }
    check_name(reader, "instance", service->instance);
}

int api_spec_parse(const json_t *root, const char *node_name,
                   struct services_spec *ret, bool *ret_wait,
                   struct api_spec_problem *ret_problem)
{
    static const char *const fields[] = {
        "schema",   "name",  "port",   "address",  "port_name",
        "instance", "tags",  "weight", "priority", "meta",
        "protocol", "check", "wait"};
    struct spec_reader reader = {
        .root = root, .prefix = "", .problem = ret_problem};
    const json_t *wait = json_object_get(root, "wait");
    struct services_spec spec = {0};
    struct body_service *service = &spec.service;

    check_fields(&reader, fields, ARRAY_SIZE(fields));
    get_names(&reader, node_name, service);
    service->port = (uint16_t)get_uint(&reader, "port", 1, UINT16_MAX, 0);
    if (service->port == 0) {
        fail(&reader, "port", "give the port it listens at, 1 to 65535",
             "port is missing");
    }
    get_address(&reader, service);
    get_protocol(&reader, service);
    service->weight = (uint16_t)get_uint(&reader, "weight", 1, 1000, 100);
    service->priority =
        (uint16_t)get_uint(&reader, "priority", 0, UINT16_MAX, 0);
    get_tags(&reader, service);
    get_meta(&reader, service);
    get_check(&reader, &spec.check);
    if (wait != NULL && !json_is_boolean(wait)) {
        fail(&reader, "wait", "give true or false", "wait is not a boolean");
    }
    if (reader.has_failed) {
        return 1;
    }
    *ret = spec;
    *ret_wait = json_is_true(wait);
    return 0;
}
