/*
 * agentctl service ls, show and resolve: the catalogue as tables.
 */
#include "agent/ctl/ctl_internal.h"

#include <string.h>

/* "10.0.3.203:6379", "[fd00::1]:6379" */
static const char *endpoint(const json_t *instance, char text[64])
{
    const char *address = ctl_text(instance, "address");
    bool is_v6 = strchr(address, ':') != NULL;

    (void)snprintf(text, 64, "%s%s%s:%d", is_v6 ? "[" : "", address,
                   is_v6 ? "]" : "", (int)ctl_number(instance, "port"));
    return text;
}

static enum ctl_color color_of(const char *state)
{
    return strcmp(state, "usable") == 0 || strcmp(state, "passing") == 0
               ? CTL_COLOR_GOOD
           : strcmp(state, "pending") == 0 || strcmp(state, "draining") == 0 ||
                   strcmp(state, "maintenance") == 0
               ? CTL_COLOR_WARN
               : CTL_COLOR_BAD;
}

/* "usable", "pending: no port veth203 on socket" */
static void add_state(struct ctl_table *table, const json_t *instance)
{
    const char *state = ctl_text(instance, "state");
    const char *reason = ctl_text(instance, "reason");

    ctl_table_add(table, color_of(state), "%s%s%s", state,
                  reason[0] != '\0' ? ": " : "", reason);
}

static void add_service(struct ctl_table *table, const json_t *service)
{
    json_t *instance;
    size_t i;

    json_array_foreach (json_object_get(service, "instances"), i, instance) {
        char text[64];

        ctl_table_add(table, CTL_COLOR_NONE, "%s", ctl_text(service, "name"));
        ctl_table_add(table, CTL_COLOR_NONE, "%s",
                      ctl_text(instance, "instance"));
        ctl_table_add(table, CTL_COLOR_NONE, "%s", ctl_text(instance, "node"));
        ctl_table_add(table, CTL_COLOR_NONE, "%s", endpoint(instance, text));
        add_state(table, instance);
        ctl_table_add(table, CTL_COLOR_NONE, "%s",
                      ctl_text(service, "address"));
        ctl_table_add(table, CTL_COLOR_NONE, "%s", ctl_text(instance, "check"));
    }
}

int ctl_service_ls(struct ctl *ctl)
{
    static const char *const heads[] = {
        "NAME",  "INSTANCE",        "NODE",  "ADDRESS:PORT",
        "STATE", "SERVICE-ADDRESS", "CHECK", NULL};
    json_auto_t *root = NULL;
    struct ctl_table *table;
    json_t *service;
    size_t i;
    int status = ctl_get(ctl, CTL_API "services", &root);

    if (status != 0) {
        return status;
    }
    if (ctl_print_json(ctl, root, "services")) {
        return CTL_EXIT_OK;
    }
    if (ctl_table_new(heads, &table) != 0) {
        return CTL_EXIT_FAILED;
    }
    json_array_foreach (json_object_get(root, "services"), i, service) {
        add_service(table, service);
    }
    return ctl_print_table(ctl, table);
}

/* One line "label  value" when there is a value. */
static void line(const char *label, const char *value)
{
    if (value[0] != '\0') {
        (void)printf("  %-10s %s\n", label, value);
    }
}

static void print_tags(const json_t *instance)
{
    const json_t *meta = json_object_get(instance, "meta");
    const char *key;
    json_t *value;
    size_t i;

    json_array_foreach (json_object_get(instance, "tags"), i, value) {
        line("tag", json_string_value(value));
    }
    json_object_foreach ((json_t *)(uintptr_t)meta, key, value) {
        (void)printf("  %-10s %s=%s\n", "meta", key, json_string_value(value));
    }
}

static void print_instance(const struct ctl *ctl, const json_t *instance)
{
    const char *state = ctl_text(instance, "state");
    const char *reason = ctl_text(instance, "reason");
    enum ctl_color color = ctl->has_color ? color_of(state) : CTL_COLOR_NONE;
    char text[64];

    (void)printf("\n%s on %s%s\n", ctl_text(instance, "instance"),
                 ctl_text(instance, "node"),
                 ctl_flag(instance, "local") ? " (this node)" : "");
    (void)printf("  %-10s %s (%s)\n", "serves at", endpoint(instance, text),
                 ctl_text(instance, "protocol"));
    (void)printf("  %-10s %s%s%s%s%s\n", "state", ctl_color_begin(color), state,
                 ctl_color_end(color), reason[0] != '\0' ? ": " : "", reason);
    line("port", ctl_text(instance, "port_name"));
    line("check", ctl_text(instance, "check"));
    (void)printf("  %-10s %d, priority %d\n", "weight",
                 (int)ctl_number(instance, "weight"),
                 (int)ctl_number(instance, "priority"));
    if (ctl_number(instance, "rtt_us") > 0) {
        line("rtt", ctl_duration(ctl_number(instance, "rtt_us"), text));
    }
    print_tags(instance);
    (void)printf("  %-10s by %s, boot %d, number %d\n", "signed",
                 ctl_text(json_object_get(instance, "signer"), "node"),
                 (int)(ctl_number(instance, "epoch") >> 32),
                 (int)ctl_number(instance, "seq"));
}

int ctl_service_show(struct ctl *ctl)
{
    json_auto_t *root = NULL;
    const json_t *service;
    json_t *instance;
    char target[512];
    size_t i;
    int status;

    if (!ctl_target(target, sizeof(target), CTL_API "services/",
                    ctl->args.words[0], NULL)) {
        return ctl_usage(
            ctl, "%.40s... is no function: a name has at most 63 characters",
            ctl->args.words[0]);
    }
    status = ctl_get(ctl, target, &root);
    if (status != 0 || ctl_print_json(ctl, root, NULL)) {
        return status;
    }
    service = json_object_get(root, "service");
    (void)printf("%s (%s)\n  %-10s %s%s\n", ctl_text(service, "name"),
                 ctl_text(service, "dns"), "address",
                 ctl_text(service, "address"),
                 ctl_flag(service, "declared") ? " (declared)" : "");
    line("claimed by", ctl_text(service, "claimer"));
    json_array_foreach (json_object_get(service, "instances"), i, instance) {
        print_instance(ctl, instance);
    }
    return CTL_EXIT_OK;
}

static void add_choice(struct ctl_table *table, const json_t *instance,
                       size_t rank)
{
    char text[64];

    if (rank > 0) {
        ctl_table_add(table, CTL_COLOR_NONE, "%zu", rank);
    } else {
        ctl_table_add(table, CTL_COLOR_NONE, "-");
    }
    ctl_table_add(table, CTL_COLOR_NONE, "%s", ctl_text(instance, "instance"));
    ctl_table_add(table, CTL_COLOR_NONE, "%s", ctl_text(instance, "node"));
    ctl_table_add(table, CTL_COLOR_NONE, "%s", endpoint(instance, text));
    ctl_table_add(table, CTL_COLOR_NONE, "%s",
                  ctl_number(instance, "rtt_us") > 0
                      ? ctl_duration(ctl_number(instance, "rtt_us"), text)
                      : "");
    add_state(table, instance);
}

int ctl_resolve(struct ctl *ctl)
{
    static const char *const heads[] = {
        "#", "INSTANCE", "NODE", "ADDRESS:PORT", "RTT", "STATE", NULL};
    json_auto_t *root = NULL;
    struct ctl_table *table;
    const json_t *usable;
    json_t *instance;
    char target[512];
    size_t i;
    int status;

    if (!ctl_target(target, sizeof(target), CTL_API "resolve/",
                    ctl->args.words[0], NULL)) {
        return ctl_usage(
            ctl, "%.40s... is no function: a name has at most 63 characters",
            ctl->args.words[0]);
    }
    status = ctl_get(ctl, target, &root);
    if (status != 0) {
        return status;
    }
    usable = json_object_get(root, "instances");
    if (!ctl_print_json(ctl, root, NULL)) {
        if (ctl_table_new(heads, &table) != 0) {
            return CTL_EXIT_FAILED;
        }
        const char *claimer = ctl_text(root, "claimer");

        (void)printf("%s %s%s%s\n", ctl_text(root, "name"),
                     ctl_text(root, "address"),
                     claimer[0] != '\0' ? ", claimed by " : "", claimer);
        json_array_foreach (usable, i, instance) {
            add_choice(table, instance, i + 1);
        }
        json_array_foreach (json_object_get(root, "unusable"), i, instance) {
            add_choice(table, instance, 0);
        }
        status = ctl_print_table(ctl, table);
    }
    return status == 0 && json_array_size(usable) == 0 ? CTL_EXIT_FAILED
                                                       : status;
}
