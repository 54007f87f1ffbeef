/*
 * agentctl policy check: what a node may do, and which record says so.
 */
#include "agent/ctl/ctl_internal.h"

#define TARGET_SIZE 2048

/* Puts "key=value" behind the target; false: it is too long. */
static bool add(char target[TARGET_SIZE], const char *key, const char *value)
{
    char before[TARGET_SIZE];
    int len = snprintf(before, sizeof(before), "%s%s=", target, key);

    return len > 0 && (size_t)len < sizeof(before) &&
           ctl_target(target, TARGET_SIZE, before, value, NULL);
}

/* "certificate host2 by host1", of the record that decides. */
static void add_record(struct ctl_table *table, const json_t *record)
{
    const char *key = ctl_text(record, "key");

    if (!json_is_object(record)) {
        ctl_table_add(table, CTL_COLOR_NONE, "-");
        return;
    }
    ctl_table_add(table, CTL_COLOR_NONE, "%s%s%s by %s",
                  ctl_text(record, "kind"), key[0] != '\0' ? " " : "", key,
                  ctl_text(record, "writer"));
}

static void add_check(struct ctl_table *table, const json_t *check)
{
    const char *service = ctl_text(json_object_get(check, "service"), "text");
    bool is_allowed = ctl_flag(check, "allowed");

    ctl_table_add(table, is_allowed ? CTL_COLOR_GOOD : CTL_COLOR_BAD, "%s",
                  is_allowed ? "allowed" : "denied");
    ctl_table_add(table, CTL_COLOR_NONE, "%s %s", ctl_text(check, "what"),
                  ctl_text(check, "asked"));
    add_record(table, json_object_get(check, "record"));
    ctl_table_add(table, CTL_COLOR_NONE, "%s%s%s", ctl_text(check, "text"),
                  service[0] != '\0' ? "; " : "", service);
}

static int print_checks(const struct ctl *ctl, const json_t *root)
{
    static const char *const heads[] = {"ANSWER", "ASKED", "DECIDED-BY", "WHY",
                                        NULL};
    struct ctl_table *table;
    const json_t *check;
    size_t i;

    if (ctl_table_new(heads, &table) != 0) {
        return CTL_EXIT_FAILED;
    }
    json_array_foreach (json_object_get(root, "checks"), i, check) {
        add_check(table, check);
    }
    return ctl_print_table(ctl, table);
}

int ctl_policy_check(struct ctl *ctl)
{
    static const char *const keys[] = {"function", "address", "subnet",
                                       "intent"};
    static const char *const options[] = {"--function", "--address", "--subnet",
                                          "--intent"};
    const char *node = args_get(&ctl->args, "--node");
    char target[TARGET_SIZE] = CTL_API "policy/check?";
    json_auto_t *root = NULL;
    bool is_any = false;
    int status;

    if (node == NULL) {
        return ctl_usage(ctl, "of which node? give --node NODE");
    }
    if (!add(target, "node", node)) {
        return ctl_usage(ctl, "there is no node %.40s...", node);
    }
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        const char *value = args_get(&ctl->args, options[i]);
        char key[16];

        (void)snprintf(key, sizeof(key), "&%s", keys[i]);
        if (value != NULL && !add(target, key, value)) {
            return ctl_usage(ctl, "%s %.40s... is too long", options[i], value);
        }
        is_any = is_any || value != NULL;
    }
    if (!is_any) {
        return ctl_usage(ctl, "nothing is asked: give --function, --address, "
                              "--subnet or --intent");
    }
    status = ctl_get(ctl, target, &root);
    if (status == 0 && !ctl_print_json(ctl, root, "checks")) {
        status = print_checks(ctl, root);
    }
    return status == 0 && !ctl_flag(root, "allowed") ? CTL_EXIT_DENIED : status;
}
