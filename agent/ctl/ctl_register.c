/*
 * agentctl service register and deregister.  Options become the members of a
 * registration; what they mean, their bounds and defaults are
 * registration.c's, here as in the agent.
 */
#include "agent/ctl/ctl_internal.h"

#include <stdlib.h>
#include <string.h>

#include "agent/registration/registration.h"

/* The option that gives each member; inner ones by their path. */
static const struct register_option {
    const char *option;
    const char *field;
    bool is_number;
} register_options[] = {
    {"--address", "address", false},   {"--port-name", "port_name", false},
    {"--instance", "instance", false}, {"--protocol", "protocol", false},
    {"--port", "port", true},          {"--weight", "weight", true},
    {"--priority", "priority", true},  {"--tag", "tags", false},
    {"--meta", "meta", false},         {"--interval", "check.interval", false},
    {"--check", "check", false}};

/* What the person typed for a problem's field. */
static const char *typed_as(const char *field)
{
    for (size_t i = 0; i < ARRAY_SIZE(register_options); i++) {
        size_t len = strlen(register_options[i].field);

        if (strncmp(field, register_options[i].field, len) == 0 &&
            strchr(".[", field[len]) != NULL) {
            return register_options[i].option;
        }
    }
    return strcmp(field, "name") == 0 ? "NAME" : field;
}

/* Numbers go as numbers; what is none goes as it is, to be refused. */
static json_t *value_of(const char *text, bool is_number)
{
    uint64_t number;

    return is_number && args_number(text, 0, UINT32_MAX, &number) == 0
               ? json_integer((json_int_t)number)
               : json_string(text);
}

/* 0, CTL_EXIT_FAILED without memory. */
static int put(json_t *object, const char *field, json_t *value)
{
    if (json_object_set_new(object, field, value) != 0) {
        ctl_message("out of memory");
        return CTL_EXIT_FAILED;
    }
    return 0;
}

static int put_plain(const struct ctl *ctl, json_t *body)
{
    int status = put(body, "name", json_string(ctl->args.words[0]));

    for (size_t i = 0; status == 0 && i < ARRAY_SIZE(register_options); i++) {
        const struct register_option *option = &register_options[i];
        const char *text = args_get(&ctl->args, option->option);
        bool is_inner = strcmp(option->option, "--tag") == 0 ||
                        strcmp(option->option, "--meta") == 0 ||
                        strncmp(option->field, "check", 5) == 0;

        if (text != NULL && !is_inner) {
            status =
                put(body, option->field, value_of(text, option->is_number));
        }
    }
    return status;
}

static int put_tags(const struct ctl *ctl, json_t *body)
{
    json_t *tags = json_array();
    int status = put(body, "tags", tags);
    size_t cursor = 0;
    const char *text;

    while (status == 0 &&
           (text = args_next(&ctl->args, "--tag", &cursor)) != NULL) {
        if (json_array_append_new(tags, json_string(text)) != 0) {
            ctl_message("out of memory");
            status = CTL_EXIT_FAILED;
        }
    }
    return status;
}

static int put_meta(const struct ctl *ctl, json_t *body)
{
    json_t *meta = json_object();
    int status = put(body, "meta", meta);
    size_t cursor = 0;
    const char *text;

    while (status == 0 &&
           (text = args_next(&ctl->args, "--meta", &cursor)) != NULL) {
        const char *sign = strchr(text, '=');
        char key[BODY_NAME_SIZE];

        if (sign == NULL || sign == text ||
            (size_t)(sign - text) >= sizeof(key)) {
            return ctl_usage(ctl,
                             "--meta %s: expected KEY=VALUE with a key of 1 to "
                             "%zu letters, digits, '-' and '_', as --meta "
                             "owner=data",
                             text, sizeof(key) - 1);
        }
        (void)snprintf(key, sizeof(key), "%.*s", (int)(sign - text), text);
        status = put(meta, key, json_string(sign + 1));
    }
    return status;
}

static int put_check(const struct ctl *ctl, json_t *body)
{
    const char *type = args_get(&ctl->args, "--check");
    const char *interval = args_get(&ctl->args, "--interval");
    json_t *check;
    int status;

    if (type == NULL) {
        return interval == NULL
                   ? 0
                   : ctl_usage(ctl, "--interval is of a check: add --check "
                                    "tcp");
    }
    check = json_object();
    status = put(body, "check", check);
    if (status == 0) {
        status = put(check, "type", json_string(type));
    }
    if (status == 0 && interval != NULL) {
        status = put(check, "interval", json_string(interval));
    }
    return status;
}

/* Says what is wrong before the agent is asked, by the same rules. */
static int judge(const struct ctl *ctl, const json_t *body)
{
    struct registration_problem problem = {0};
    struct registration registration;

    if (registration_parse(body, REGISTRATION_JSON, &registration, &problem) ==
        0) {
        return 0;
    }
    return ctl_usage(ctl, "%s: %s; %s", typed_as(problem.field), problem.what,
                     problem.next);
}

/* Why the agent's record has no effect yet; 0 when it has. */
static int print_reason(const json_t *root, const char *verb)
{
    const json_t *service = json_object_get(root, "service");
    const char *state = ctl_text(service, "state");
    const char *name = ctl_text(root, "name");
    const char *instance = ctl_text(root, "instance");

    if (ctl_flag(root, "converged")) {
        if (strcmp(state, "critical") == 0) {
            ctl_message("%s/%s gets no connection until its check passes: %s",
                        name, instance, ctl_text(service, "reason"));
        }
        return CTL_EXIT_OK;
    }
    if (strcmp(state, "refused") == 0) {
        ctl_message("%s/%s is recorded, but not in use: %s\n  next: correct "
                    "it and register it again, or: agentctl service "
                    "deregister %s --instance %s",
                    name, instance, ctl_text(root, "reason"), name, instance);
        return CTL_EXIT_FAILED;
    }
    ctl_message("%s/%s is %s on disk; this node's data plane follows by "
                "itself: %s",
                name, instance, verb, ctl_text(root, "reason"));
    return CTL_EXIT_PENDING;
}

/* What a write came to, in words and as the exit status. */
static int print_written(const struct ctl *ctl, json_t *root, const char *verb)
{
    const char *address = ctl_text(root, "address");
    char took[24];

    if (!ctl_print_json(ctl, root, NULL) && !ctl->is_quiet &&
        ctl_flag(root, "converged")) {
        (void)printf("%s %s/%s", verb, ctl_text(root, "name"),
                     ctl_text(root, "instance"));
        if (address[0] != '\0') {
            (void)printf(", service address %s", address);
        }
        (void)printf(" (%s)\n",
                     ctl_duration(ctl_number(root, "took_us"), took));
    }
    return print_reason(root, verb);
}

int ctl_service_register(struct ctl *ctl)
{
    json_auto_t *body = json_object();
    json_auto_t *root = NULL;
    int status = put_plain(ctl, body);

    if (status == 0) {
        status = put_tags(ctl, body);
    }
    if (status == 0) {
        status = put_meta(ctl, body);
    }
    if (status == 0) {
        status = put_check(ctl, body);
    }
    if (status == 0) {
        status = judge(ctl, body);
    }
    if (status == 0) {
        status = put(body, "wait",
                     json_boolean(args_get(&ctl->args, "--no-wait") == NULL));
    }
    if (status == 0) {
        status = ctl_ask(ctl, "POST", CTL_API "services", json_incref(body),
                         NULL, &root);
    }
    return status != 0 ? status : print_written(ctl, root, "registered");
}

int ctl_service_deregister(struct ctl *ctl)
{
    const char *instance = args_get(&ctl->args, "--instance");
    json_auto_t *root = NULL;
    char target[512];
    int status;

    if (!ctl_target(target, sizeof(target) - 8, CTL_API "services/",
                    ctl->args.words[0], instance)) {
        return ctl_usage(
            ctl, "%.40s... is no function: a name has at most 63 characters",
            ctl->args.words[0]);
    }
    if (args_get(&ctl->args, "--no-wait") == NULL) {
        (void)strcat(target, "?wait=1");
    }
    status = ctl_ask(ctl, "DELETE", target, NULL, NULL, &root);
    return status != 0 ? status : print_written(ctl, root, "deregistered");
}
