/*
 * The fields of a registration, their defaults and bounds; see
 * registration.h.  How a value is taken out is registration_reader.c's.
 */
#include "agent/registration/registration.h"

#include <stdio.h>
#include <string.h>

#include "agent/registration/registration_reader.h"

#define CHECK_INTERVAL_MS_MIN 100
#define CHECK_TIMEOUT_MS_MIN  10
#define CHECK_MS_MAX          3600000
#define CHECK_COUNT_MAX       1000

static const char name_rule[] =
    "names are DNS labels: 1 to 63 letters, digits, '-' and '_', neither of "
    "these at an end, as vector-db";

/* A text that has to be a DNS label. */
static void require_name(struct registration_reader *reader, const char *field,
                         const char *name)
{
    if (!*reader->has_failed && !body_name_valid(name)) {
        registration_reader_fail(reader, field, name_rule,
                                 "%s \"%s\" is not a name", field, name);
    }
}

static void require_member(struct registration_reader *reader,
                           const char *field, const char *next)
{
    if (registration_reader_get(reader, field) == NULL) {
        registration_reader_fail(reader, field, next, "%s%s is missing",
                                 reader->prefix, field);
    }
}

/* As the kernel judges a device's name (dev_valid_name), and printable ASCII,
 * as records have it. */
static bool is_port_name(const char *name)
{
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        return false;
    }
    for (; *name != '\0'; name++) {
        if (*name == '/' || *name == ':' || *name <= ' ' || *name >= 0x7f) {
            return false;
        }
    }
    return true;
}

static void read_names(struct registration_reader *reader,
                       struct body_service *service)
{
    char name[BODY_NAME_SIZE];

    require_member(reader, "name",
                   "give the name of the function it offers, as redis");
    registration_reader_text(reader, "name", "redis", name, sizeof(name));
    if (!*reader->has_failed &&
        body_name_canonical(name, service->function) != 0) {
        require_name(reader, "name", name);
    }
    registration_reader_text(reader, "instance", "veth203", service->instance,
                             sizeof(service->instance));
    if (service->instance[0] != '\0') {
        require_name(reader, "instance", service->instance);
    }
    registration_reader_text(reader, "port_name", "veth203", service->port_name,
                             sizeof(service->port_name));
    if (!is_port_name(service->port_name)) {
        registration_reader_fail(
            reader, "port_name",
            "give the name of its port on the bridge, as veth203: 1 to 15 "
            "printable characters without '/', ':' and blanks",
            "\"%s\" is not the name of a port", service->port_name);
    }
}

static void read_protocol(struct registration_reader *reader,
                          struct body_service *service)
{
    char text[16];

    registration_reader_text(reader, "protocol", "tcp", text, sizeof(text));
    if (text[0] == '\0' || strcmp(text, "tcp") == 0) {
        service->protocol = 6;
    } else if (strcmp(text, "udp") == 0) {
        service->protocol = 17;
    } else {
        registration_reader_fail(reader, "protocol", "give tcp or udp",
                                 "protocol \"%s\" is neither tcp nor udp",
                                 text);
    }
}

static void read_address(struct registration_reader *reader,
                         struct body_service *service)
{
    static const char next[] = "give the address of the container or host that "
                               "serves it, as 10.0.3.203";
    char text[ADDRESS_TEXT_SIZE];

    require_member(reader, "address", next);
    registration_reader_text(reader, "address", "10.0.3.203", text,
                             sizeof(text));
    if (!*reader->has_failed && address_parse(text, &service->address) != 0) {
        registration_reader_fail(reader, "address", next,
                                 "address \"%s\" is not an IP address", text);
    }
}

static void read_tag(struct registration_reader *reader, const json_t *item,
                     struct body_service *service)
{
    char *tag = service->tags[service->n_tags];
    char field[32];

    (void)snprintf(field, sizeof(field), "tags[%zu]", service->n_tags);
    registration_reader_value(reader, field, item, "eu-1", tag, BODY_NAME_SIZE);
    if (!*reader->has_failed && !body_name_valid(tag)) {
        registration_reader_fail(reader, field,
                                 "tags are DNS labels: 1 to 63 letters, "
                                 "digits, '-' and '_', neither of these at an "
                                 "end, as eu-1",
                                 "\"%s\" is not a tag", tag);
    }
    service->n_tags++;
}

static void read_tags(struct registration_reader *reader,
                      struct body_service *service)
{
    const json_t *list = registration_reader_get(reader, "tags");
    size_t n = json_array_size(list);
    char given[80];
    char next[96];

    if (list == NULL) {
        return;
    }
    if (reader->style == REGISTRATION_TEXTS && json_is_string(list)) {
        read_tag(reader, list, service);
        return;
    }
    (void)snprintf(next, sizeof(next),
                   "give a list of at most %d names, as [\"cache\", \"eu-1\"]",
                   LIMIT_SERVICE_TAGS);
    if (!json_is_array(list)) {
        registration_reader_fail(reader, "tags", next, "tags is %s, not a list",
                                 registration_reader_describe(list, given));
    } else if (n > LIMIT_SERVICE_TAGS) {
        registration_reader_fail(reader, "tags", next,
                                 "%zu tags are too many, at most %d", n,
                                 LIMIT_SERVICE_TAGS);
    }
    for (size_t i = 0; i < n && !*reader->has_failed; i++) {
        read_tag(reader, json_array_get(list, i), service);
    }
}

/* Records take no control bytes in texts. */
static bool has_control(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7f) {
            return true;
        }
    }
    return false;
}

static void read_one_meta(struct registration_reader *reader, const char *key,
                          const json_t *value, struct body_meta *meta)
{
    char field[80];

    (void)snprintf(field, sizeof(field), "meta.%.72s", key);
    if (!body_name_valid(key)) {
        registration_reader_fail(reader, field, name_rule,
                                 "\"%.70s\" cannot be a key of meta", key);
        return;
    }
    registration_reader_value(reader, field, value, "rack 7", meta->value,
                              sizeof(meta->value));
    if (!*reader->has_failed && has_control(meta->value)) {
        registration_reader_fail(reader, field,
                                 "give one line of text without tabs",
                                 "%s has a control character", field);
    }
    memcpy(meta->key, key, strlen(key) + 1);
}

static void read_meta(struct registration_reader *reader,
                      struct body_service *service)
{
    const json_t *map = registration_reader_get(reader, "meta");
    const char *key;
    json_t *value;
    char given[80];
    char next[128];

    if (map == NULL) {
        return;
    }
    (void)snprintf(next, sizeof(next),
                   "give an object of at most %d texts, as {\"owner\": "
                   "\"data\"}",
                   LIMIT_SERVICE_META);
    if (!json_is_object(map)) {
        registration_reader_fail(reader, "meta", next,
                                 "meta is %s, not an object",
                                 registration_reader_describe(map, given));
        return;
    }
    if (json_object_size(map) > LIMIT_SERVICE_META) {
        registration_reader_fail(reader, "meta", next,
                                 "%zu texts in meta are too many, at most %d",
                                 json_object_size(map), LIMIT_SERVICE_META);
        return;
    }
    json_object_foreach ((json_t *)(uintptr_t)map, key, value) {
        read_one_meta(reader, key, value, &service->meta[service->n_meta]);
        service->n_meta++;
    }
}

static enum registration_check_type
read_check_type(struct registration_reader *reader, const char *text)
{
    if (strcmp(text, "tcp") == 0) {
        return REGISTRATION_CHECK_TCP;
    }
    if (strcmp(text, "none") != 0) {
        registration_reader_fail(reader, "type",
                                 "give tcp, or leave the check out",
                                 "there is no check of type \"%s\"", text);
    }
    return REGISTRATION_CHECK_NONE;
}

/* The interval under one of its two names. */
static uint32_t read_interval(struct registration_reader *reader,
                              const char *in_ms, const char *with_unit,
                              uint32_t lowest_ms, uint32_t fallback_ms)
{
    char what[80];

    if (registration_reader_get(reader, in_ms) == NULL) {
        return registration_reader_duration(reader, with_unit, lowest_ms,
                                            CHECK_MS_MAX, fallback_ms);
    }
    if (registration_reader_get(reader, with_unit) != NULL) {
        (void)snprintf(what, sizeof(what), "%s and %s are one thing twice",
                       with_unit, in_ms);
        registration_reader_fail(reader, in_ms, "give one of them", "%s", what);
    }
    return registration_reader_uint(reader, in_ms, lowest_ms, CHECK_MS_MAX,
                                    fallback_ms);
}

static void read_check_object(struct registration_reader *reader,
                              struct registration_check *check)
{
    static const char *const fields[] = {"type",    "interval",   "interval_ms",
                                         "timeout", "timeout_ms", "port",
                                         "pass",    "fail"};
    char type[16];

    registration_reader_known(reader, fields, ARRAY_SIZE(fields));
    require_member(reader, "type", "give tcp, or leave the check out");
    registration_reader_text(reader, "type", "tcp", type, sizeof(type));
    if (!*reader->has_failed) {
        check->type = read_check_type(reader, type);
    }
    if (check->type == REGISTRATION_CHECK_NONE) {
        return;
    }
    check->interval_ms =
        read_interval(reader, "interval_ms", "interval", CHECK_INTERVAL_MS_MIN,
                      REGISTRATION_CHECK_INTERVAL_MS);
    check->timeout_ms =
        read_interval(reader, "timeout_ms", "timeout", CHECK_TIMEOUT_MS_MIN,
                      REGISTRATION_CHECK_TIMEOUT_MS);
    check->port =
        (uint16_t)registration_reader_uint(reader, "port", 0, UINT16_MAX, 0);
    check->pass = registration_reader_uint(reader, "pass", 1, CHECK_COUNT_MAX,
                                           REGISTRATION_CHECK_PASS);
    check->fail = registration_reader_uint(reader, "fail", 1, CHECK_COUNT_MAX,
                                           REGISTRATION_CHECK_FAIL);
}

static void read_check(struct registration_reader *reader, const json_t *value,
                       struct registration_check *ret)
{
    struct registration_check check = {
        .interval_ms = REGISTRATION_CHECK_INTERVAL_MS,
        .timeout_ms = REGISTRATION_CHECK_TIMEOUT_MS,
        .pass = REGISTRATION_CHECK_PASS,
        .fail = REGISTRATION_CHECK_FAIL};
    struct registration_reader inner = *reader;
    char given[80];

    inner.root = value;
    inner.prefix = "check.";
    if (json_is_string(value)) {
        check.type = read_check_type(&inner, json_string_value(value));
    } else if (json_is_object(value)) {
        read_check_object(&inner, &check);
    } else {
        registration_reader_fail(reader, "check",
                                 "give tcp, or an object with a type, as "
                                 "{\"type\": \"tcp\", \"interval\": \"5s\"}",
                                 "check is %s",
                                 registration_reader_describe(value, given));
    }
    *ret = check.type == REGISTRATION_CHECK_NONE
               ? (struct registration_check){0}
               : check;
}

/* What concerns more than one field. */
static void require_together(struct registration_reader *reader,
                             const struct registration *registration)
{
    if (registration->check.type == REGISTRATION_CHECK_TCP &&
        registration->service.protocol == 17 && registration->check.port == 0) {
        registration_reader_fail(reader, "check",
                                 "give the check a port of its own, one that "
                                 "answers to tcp, or leave the check out",
                                 "a tcp check cannot ask the udp port %u",
                                 registration->service.port);
    }
}

int registration_parse(const json_t *root, enum registration_style style,
                       struct registration *ret,
                       struct registration_problem *ret_problem)
{
    static const char *const fields[] = {
        "name", "instance", "port",   "protocol", "address", "port_name",
        "tags", "meta",     "weight", "priority", "check"};
    bool has_failed = false;
    struct registration_reader reader = {.root = root,
                                         .style = style,
                                         .prefix = "",
                                         .problem = ret_problem,
                                         .has_failed = &has_failed};
    struct registration registration = {0};
    struct body_service *service = &registration.service;
    const json_t *check;

    if (!json_is_object(root)) {
        registration_reader_fail(&reader, "", "give its name, port and address",
                                 "a service is an object with fields");
        return REGISTRATION_E_INVALID;
    }
    registration_reader_known(&reader, fields, ARRAY_SIZE(fields));
    read_names(&reader, service);
    require_member(&reader, "port",
                   "give the port it listens at, 1 to 65535, as 6379");
    service->port =
        (uint16_t)registration_reader_uint(&reader, "port", 1, UINT16_MAX, 0);
    read_address(&reader, service);
    read_protocol(&reader, service);
    service->weight = (uint16_t)registration_reader_uint(
        &reader, "weight", 1, 1000, REGISTRATION_WEIGHT);
    service->priority = (uint16_t)registration_reader_uint(&reader, "priority",
                                                           0, UINT16_MAX, 0);
    read_tags(&reader, service);
    read_meta(&reader, service);
    check = registration_reader_get(&reader, "check");
    if (check != NULL) {
        read_check(&reader, check, &registration.check);
    }
    require_together(&reader, &registration);
    if (has_failed) {
        return REGISTRATION_E_INVALID;
    }
    *ret = registration;
    return 0;
}

int registration_parse_check(const json_t *value, enum registration_style style,
                             struct registration_check *ret,
                             struct registration_problem *ret_problem)
{
    bool has_failed = false;
    struct registration_reader reader = {.style = style,
                                         .prefix = "",
                                         .problem = ret_problem,
                                         .has_failed = &has_failed};
    struct registration_check check = {0};

    if (value != NULL && !json_is_null(value)) {
        read_check(&reader, value, &check);
    }
    if (has_failed) {
        return REGISTRATION_E_INVALID;
    }
    *ret = check;
    return 0;
}

json_t *registration_check_json(const struct registration_check *check)
{
    if (check->type == REGISTRATION_CHECK_NONE) {
        return json_pack("{s:s}", "type", "none");
    }
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I}", "type", "tcp",
                     "interval_ms", (json_int_t)check->interval_ms,
                     "timeout_ms", (json_int_t)check->timeout_ms, "port",
                     (json_int_t)check->port, "pass", (json_int_t)check->pass,
                     "fail", (json_int_t)check->fail);
}

void registration_name_instance(struct registration *registration,
                                const char *node_name)
{
    struct body_service *service = &registration->service;
    const char *name =
        body_name_valid(service->port_name) ? service->port_name : node_name;

    if (service->instance[0] == '\0') {
        (void)snprintf(service->instance, sizeof(service->instance), "%s",
                       name);
    }
}
