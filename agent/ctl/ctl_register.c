/*
 * agentctl service register and deregister.
 */
#include "agent/ctl/ctl_internal.h"

#include <stdlib.h>
#include <string.h>

/* Sets a number when the option was given.  0, or the exit status. */
static int put_number(const struct ctl *ctl, json_t *body, const char *option,
                      const char *field, uint64_t lowest, uint64_t highest)
{
    const char *text = args_get(&ctl->args, option);
    uint64_t number;

    if (text == NULL) {
        return 0;
    }
    if (args_number(text, lowest, highest, &number) != 0) {
        return ctl_usage(ctl, "%s %s is no number from %d to %d", option, text,
                         (int)lowest, (int)highest);
    }
    json_object_set_new(body, field, json_integer((json_int_t)number));
    return 0;
}

static void put_text(const struct ctl *ctl, json_t *body, const char *option,
                     const char *field)
{
    const char *text = args_get(&ctl->args, option);

    if (text != NULL) {
        json_object_set_new(body, field, json_string(text));
    }
}

static int put_lists(const struct ctl *ctl, json_t *body)
{
    json_t *tags = json_array();
    json_t *meta = json_object();
    const char *text;
    size_t cursor = 0;

    json_object_set_new(body, "tags", tags);
    json_object_set_new(body, "meta", meta);
    while ((text = args_next(&ctl->args, "--tag", &cursor)) != NULL) {
        json_array_append_new(tags, json_string(text));
    }
    cursor = 0;
    while ((text = args_next(&ctl->args, "--meta", &cursor)) != NULL) {
        const char *sign = strchr(text, '=');
        char key[64];

        if (sign == NULL || sign == text ||
            (size_t)(sign - text) >= sizeof(key)) {
            return ctl_usage(ctl, "--meta %s is not KEY=VALUE", text);
        }
        (void)snprintf(key, sizeof(key), "%.*s", (int)(sign - text), text);
        json_object_set_new(meta, key, json_string(sign + 1));
    }
    return 0;
}

static int put_check(const struct ctl *ctl, json_t *body)
{
    const char *type = args_get(&ctl->args, "--check");
    const char *interval = args_get(&ctl->args, "--interval");
    json_t *check = json_object();
    uint64_t ms;

    json_object_set_new(body, "check", check);
    json_object_set_new(check, "type", json_string(type ? type : "none"));
    if (type != NULL && strcmp(type, "tcp") != 0 && strcmp(type, "none") != 0) {
        return ctl_usage(ctl, "there is no check %s: tcp is meant", type);
    }
    if (interval == NULL) {
        return 0;
    }
    if (type == NULL) {
        return ctl_usage(ctl, "--interval is of a check: add --check tcp");
    }
    if (args_duration_ms(interval, &ms) != 0 || ms < 100 || ms > 3600000) {
        return ctl_usage(ctl, "--interval %s is no duration from 100ms to 1h",
                         interval);
    }
    json_object_set_new(check, "interval_ms", json_integer((json_int_t)ms));
    return 0;
}

/* What a write came to, in words and as the exit status. */
static int print_written(const struct ctl *ctl, json_t *root, const char *verb)
{
    const char *address = ctl_text(root, "address");
    bool is_converged = ctl_flag(root, "converged");
    char took[24];

    if (!ctl_print_json(ctl, root, NULL) && !ctl->is_quiet) {
        (void)printf("%s %s/%s", verb, ctl_text(root, "name"),
                     ctl_text(root, "instance"));
        if (address[0] != '\0') {
            (void)printf(", service address %s", address);
        }
        (void)printf(" (%s)\n",
                     ctl_duration(ctl_number(root, "took_us"), took));
    }
    if (is_converged) {
        return CTL_EXIT_OK;
    }
    ctl_message("the record is written; %s", ctl_text(root, "reason"));
    return CTL_EXIT_PENDING;
}

int ctl_service_register(struct ctl *ctl)
{
    json_t *body = json_object();
    json_auto_t *root = NULL;
    int status;

    json_object_set_new(body, "name", json_string(ctl->args.words[0]));
    json_object_set_new(
        body, "wait", json_boolean(args_get(&ctl->args, "--no-wait") == NULL));
    put_text(ctl, body, "--address", "address");
    put_text(ctl, body, "--port-name", "port_name");
    put_text(ctl, body, "--instance", "instance");
    put_text(ctl, body, "--protocol", "protocol");
    status = put_number(ctl, body, "--port", "port", 1, 65535);
    if (status == 0) {
        status = put_number(ctl, body, "--weight", "weight", 1, 1000);
    }
    if (status == 0) {
        status = put_number(ctl, body, "--priority", "priority", 0, 65535);
    }
    if (status == 0) {
        status = put_lists(ctl, body);
    }
    if (status == 0) {
        status = put_check(ctl, body);
    }
    if (status == 0 && (json_object_get(body, "port") == NULL ||
                        json_object_get(body, "address") == NULL)) {
        status = ctl_usage(ctl, "both --port and --address are needed");
    }
    if (status != 0) {
        json_decref(body);
        return status;
    }
    status = ctl_ask(ctl, "POST", CTL_API "services", body, NULL, &root);
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
        return ctl_usage(ctl, "%.40s... is too long", ctl->args.words[0]);
    }
    if (args_get(&ctl->args, "--no-wait") == NULL) {
        (void)strcat(target, "?wait=1");
    }
    status = ctl_ask(ctl, "DELETE", target, NULL, NULL, &root);
    return status != 0 ? status : print_written(ctl, root, "deregistered");
}
