/*
 * agentctl token create: the token on standard output, how to use it on
 * standard error.  agentctl token ls and revoke.
 */
#include "agent/ctl/ctl_internal.h"

#include <string.h>

#include "agent/text/duration.h"

/* The values of a repeated option as a list of the body, when there are any. */
static void add_list(const struct ctl *ctl, const char *option,
                     const char *field, json_t *body)
{
    const char *value;
    size_t cursor = 0;

    while ((value = args_next(&ctl->args, option, &cursor)) != NULL) {
        if (json_object_get(body, field) == NULL) {
            json_object_set_new(body, field, json_array());
        }
        json_array_append_new(json_object_get(body, field), json_string(value));
    }
}

int ctl_token_create(struct ctl *ctl)
{
    const char *ttl = args_get(&ctl->args, "--ttl");
    json_t *functions = json_array();
    json_t *body = json_pack("{s:o}", "functions", functions);
    json_auto_t *root = NULL;
    const char *pattern;
    const char *warning;
    size_t cursor = 0;
    uint64_t ttl_ms;
    int status;

    while ((pattern = args_next(&ctl->args, "--function", &cursor)) != NULL) {
        json_array_append_new(functions, json_string(pattern));
    }
    if (args_get(&ctl->args, "--name") != NULL) {
        json_object_set_new(body, "name",
                            json_string(args_get(&ctl->args, "--name")));
    }
    add_list(ctl, "--mesh-address", "mesh", body);
    add_list(ctl, "--subnet", "subnets", body);
    if (ttl != NULL) {
        if (duration_parse(ttl, &ttl_ms) != 0 || ttl_ms % 1000 != 0) {
            json_decref(body);
            return ctl_usage(ctl, "--ttl %s is no duration: as 10m, 1h", ttl);
        }
        json_object_set_new(body, "ttl_s",
                            json_integer((json_int_t)(ttl_ms / 1000)));
    }
    status = ctl_ask(ctl, "POST", CTL_API "tokens", body, NULL, &root);
    if (status != 0 || ctl_print_json(ctl, root, NULL)) {
        return status;
    }
    (void)printf("%s\n", ctl_text(root, "token"));
    (void)fflush(stdout);
    warning = ctl_text(root, "warning");
    if (warning[0] != '\0') {
        (void)fprintf(stderr, "warning: %s\n", warning);
    }
    if (!ctl->is_quiet) {
        (void)fprintf(stderr,
                      "use it once, before %s, on the new host:\n"
                      "  agent join %s --token TOKEN\n",
                      ctl_text(root, "expires"), ctl_text(root, "peer"));
    }
    return CTL_EXIT_OK;
}

/* "a, b", or what it means that there is none. */
static const char *texts(const json_t *list, const char *none, char *text,
                         size_t size)
{
    size_t used = 0;
    json_t *item;
    size_t i;

    (void)snprintf(text, size, "%s", none);
    json_array_foreach (list, i, item) {
        int n = snprintf(text + used, size - used, "%s%s", i > 0 ? ", " : "",
                         json_string_value(item));

        if (n < 0 || (size_t)n >= size - used) {
            break; /* -o json has all of them */
        }
        used += (size_t)n;
    }
    return text;
}

static void add_token(struct ctl_table *table, const json_t *token)
{
    const char *state = ctl_text(token, "state");
    const char *name = ctl_text(token, "name");
    bool is_open = strcmp(state, "open") == 0;
    char text[256];

    ctl_table_add(table, CTL_COLOR_NONE, "%s", ctl_text(token, "id"));
    ctl_table_add(table,
                  !is_open                  ? CTL_COLOR_DIM
                  : ctl_flag(token, "wide") ? CTL_COLOR_WARN
                                            : CTL_COLOR_GOOD,
                  "%s", state);
    ctl_table_add(table, CTL_COLOR_NONE, "%s", name[0] != '\0' ? name : "any");
    ctl_table_add(
        table, CTL_COLOR_NONE, "%s",
        texts(json_object_get(token, "mesh"), "any", text, sizeof(text)));
    ctl_table_add(
        table, CTL_COLOR_NONE, "%s",
        texts(json_object_get(token, "subnets"), "any", text, sizeof(text)));
    ctl_table_add(
        table, CTL_COLOR_NONE, "%s",
        texts(json_object_get(token, "functions"), "none", text, sizeof(text)));
    ctl_table_add(table, CTL_COLOR_NONE, "%.19s", ctl_text(token, "expires"));
    ctl_table_add(table, CTL_COLOR_NONE, "%s", ctl_text(token, "used_by"));
}

int ctl_token_ls(struct ctl *ctl)
{
    static const char *const heads[] = {"ID",      "STATE",   "FOR",
                                        "MESH",    "SUBNETS", "FUNCTIONS",
                                        "EXPIRES", "USED-BY", NULL};
    json_auto_t *root = NULL;
    struct ctl_table *table;
    json_t *token;
    size_t i;
    int status = ctl_get(ctl, CTL_API "tokens", &root);

    if (status != 0 || ctl_print_json(ctl, root, "tokens")) {
        return status;
    }
    if (ctl_table_new(heads, &table) != 0) {
        return CTL_EXIT_FAILED;
    }
    json_array_foreach (json_object_get(root, "tokens"), i, token) {
        add_token(table, token);
    }
    status = ctl_print_table(ctl, table);
    if (ctl_number(root, "left_out") > 0) {
        ctl_message("%" JSON_INTEGER_FORMAT " more are not shown",
                    ctl_number(root, "left_out"));
    }
    return status;
}

int ctl_token_revoke(struct ctl *ctl)
{
    json_auto_t *root = NULL;
    char target[256];
    int status;

    if (!ctl_target(target, sizeof(target), CTL_API "tokens/",
                    ctl->args.words[0], NULL)) {
        return ctl_usage(ctl,
                         "%.40s... is no id of a token: that has 16 "
                         "hexadecimal digits, as agentctl token ls shows",
                         ctl->args.words[0]);
    }
    status = ctl_ask(ctl, "DELETE", target, NULL, NULL, &root);
    if (status != 0 || ctl_print_json(ctl, root, NULL) || ctl->is_quiet) {
        return status;
    }
    (void)printf("revoked %s: nobody can join with it\n",
                 ctl_text(root, "revoked"));
    return CTL_EXIT_OK;
}
