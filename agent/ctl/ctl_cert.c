/*
 * agentctl cert show: who is certified, for what, by whom and until when.
 */
#include "agent/ctl/ctl_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/system/file.h"
#include "gossip/base/limits.h"
#include "gossip/base/text.h"

/* "a,b" of a list of texts; it is cut where it is too long. */
static const char *joined(const json_t *certificate, const char *key,
                          char text[256])
{
    const json_t *list = json_object_get(certificate, key);
    const json_t *item;
    size_t len = 0;
    size_t i;

    text[0] = '\0';
    json_array_foreach (list, i, item) {
        int n = snprintf(text + len, 256 - len, "%s%s", i == 0 ? "" : ",",
                         json_string_value(item));

        if (n < 0 || (size_t)n >= 256 - len) {
            break;
        }
        len += (size_t)n;
    }
    return text;
}

static enum ctl_color color_of(const char *state)
{
    return strcmp(state, "in-force") == 0  ? CTL_COLOR_GOOD
           : strcmp(state, "expired") == 0 ? CTL_COLOR_WARN
                                           : CTL_COLOR_BAD;
}

static int print_table(const struct ctl *ctl, const json_t *list)
{
    static const char *const heads[] = {
        "NAME", "STATE", "ISSUER",  "ROLES",     "GEN",
        "ENDS", "MESH",  "SUBNETS", "FUNCTIONS", NULL};
    struct ctl_table *table;
    const json_t *one;
    char text[256];
    size_t i;

    if (ctl_table_new(heads, &table) != 0) {
        return CTL_EXIT_FAILED;
    }
    json_array_foreach (list, i, one) {
        const char *state = ctl_text(one, "state");

        ctl_table_add(table, CTL_COLOR_NONE, "%s", ctl_text(one, "name"));
        ctl_table_add(table, color_of(state), "%s", state);
        ctl_table_add(table, CTL_COLOR_NONE, "%s", ctl_text(one, "issuer"));
        ctl_table_add(table, CTL_COLOR_NONE, "%s", joined(one, "roles", text));
        ctl_table_add(table, CTL_COLOR_NONE, "%" JSON_INTEGER_FORMAT,
                      ctl_number(one, "generation"));
        ctl_table_add(table, CTL_COLOR_NONE, "%.10s",
                      ctl_text(one, "not_after"));
        ctl_table_add(table, CTL_COLOR_NONE, "%s", joined(one, "mesh", text));
        ctl_table_add(table, CTL_COLOR_NONE, "%s",
                      joined(one, "subnets", text));
        ctl_table_add(table, CTL_COLOR_NONE, "%s",
                      joined(one, "functions", text));
    }
    return ctl_print_table(ctl, table);
}

static int print_one(const json_t *one)
{
    static const struct {
        const char *key;
        const char *head;
        bool is_list;
    } rows[] = {
        {"name", "name", false},          {"key", "key", false},
        {"state", "state", false},        {"member", "member", false},
        {"issuer", "issuer", false},      {"roles", "roles", true},
        {"mesh", "mesh", true},           {"subnets", "subnets", true},
        {"functions", "functions", true}, {"scope", "scope", true},
        {"serial", "serial", false},      {"not_before", "from", false},
        {"not_after", "until", false},
    };
    char text[256];

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const char *value = rows[i].is_list ? joined(one, rows[i].key, text)
                                            : ctl_text(one, rows[i].key);

        (void)printf("%-11s %s\n", rows[i].head,
                     value[0] != '\0' ? value : "-");
    }
    (void)printf("%-11s %" JSON_INTEGER_FORMAT "\n", "generation",
                 ctl_number(one, "generation"));
    return CTL_EXIT_OK;
}

/* The record of one behind the others; false: it does not fit, or is none. */
static bool add_raw(const json_t *one, uint8_t *bytes, size_t size,
                    size_t *used)
{
    const char *raw = ctl_text(one, "raw");
    size_t len = strlen(raw);

    if (len == 0 || len / 2 > size - *used ||
        text_to_bytes(raw, len, bytes + *used, len / 2) != 0) {
        return false;
    }
    *used += len / 2;
    return true;
}

/* One whatever its state; of all those that are in force. */
static int write_raw(const char *path, const json_t *list, bool is_one)
{
    size_t size = json_array_size(list) * LIMIT_RECORD_SIZE;
    _cleanup_(free_pointer) uint8_t *bytes = malloc(size + 1);
    const json_t *one;
    size_t used = 0;
    size_t i;
    int error = bytes == NULL ? -ENOMEM : 0;

    json_array_foreach (list, i, one) {
        if (error == 0 &&
            (is_one || strcmp(ctl_text(one, "state"), "in-force") == 0) &&
            !add_raw(one, bytes, size, &used)) {
            error = -EBADMSG;
        }
    }
    if (error == 0) {
        error = file_create(path, bytes, used, 0644);
    }
    if (error != 0) {
        ctl_message("cannot write %s: %s", path,
                    error == -EEXIST    ? "it is there already; give a new name"
                    : error == -EBADMSG ? "the agent has not the record"
                                        : strerror(-error));
        return CTL_EXIT_FAILED;
    }
    return CTL_EXIT_OK;
}

int ctl_cert_show(struct ctl *ctl)
{
    const char *name = ctl->args.n_words > 0 ? ctl->args.words[0] : NULL;
    const char *path = args_get(&ctl->args, "--raw");
    char target[256] = CTL_API "certificates";
    json_auto_t *root = NULL;
    json_auto_t *list = NULL;
    int status;

    if (name != NULL && !ctl_target(target, sizeof(target),
                                    CTL_API "certificates/", name, NULL)) {
        return ctl_usage(ctl, "there is no node %.40s...", name);
    }
    status = ctl_get(ctl, target, &root);
    if (status != 0) {
        return status;
    }
    list = name == NULL
               ? json_incref(json_object_get(root, "certificates"))
               : json_pack("[O]", json_object_get(root, "certificate"));
    if (path != NULL) {
        return write_raw(path, list, name != NULL);
    }
    if (ctl_print_json(ctl, root, name == NULL ? "certificates" : NULL)) {
        return CTL_EXIT_OK;
    }
    return name == NULL ? print_table(ctl, list)
                        : print_one(json_array_get(list, 0));
}
