/*
 * agentctl token create: the token on standard output, how to use it on
 * standard error.  agentctl token ls and revoke.
 */
#include "agent/ctl/ctl_internal.h"

#include <string.h>

#include "agent/text/duration.h"
#include "gossip/base/text.h"

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

/* "/26" or "26"; false: it is neither. */
static bool add_size(const struct ctl *ctl, json_t *body)
{
    const char *text = args_get(&ctl->args, "--subnet-size");
    uint64_t size = 0;

    if (text == NULL) {
        return true;
    }
    text += text[0] == '/';
    if (text_take_number(&text, 128, &size) != 0 || text[0] != '\0') {
        return false;
    }
    json_object_set_new(body, "subnet_size", json_integer((json_int_t)size));
    return true;
}

static void add_flag(const struct ctl *ctl, const char *option,
                     const char *field, json_t *body)
{
    if (args_get(&ctl->args, option) != NULL) {
        json_object_set_new(body, field, json_true());
    }
}

json_t *ctl_token_body(const struct ctl *ctl)
{
    const char *name = args_get(&ctl->args, "--name");
    json_t *body = json_pack("{s:[]}", "functions");

    add_list(ctl, "--function", "functions", body);
    if (name != NULL) {
        json_object_set_new(body, "name", json_string(name));
    }
    add_list(ctl, "--mesh-address", "mesh", body);
    add_list(ctl, "--subnet", "subnets", body);
    return body;
}

/* The request; NULL, and ret_status says that it was printed why. */
static json_t *make_request(const struct ctl *ctl, int *ret_status)
{
    const char *ttl = args_get(&ctl->args, "--ttl");
    json_t *body = ctl_token_body(ctl);
    uint64_t ttl_ms;

    add_flag(ctl, "--open", "open", body);
    add_flag(ctl, "--allocate-mesh", "allocate_mesh", body);
    add_flag(ctl, "--allocate-name", "allocate_name", body);
    if (!add_size(ctl, body)) {
        json_decref(body);
        *ret_status = ctl_usage(
            ctl, "--subnet-size %s is no length of a subnet: as 26, /26",
            args_get(&ctl->args, "--subnet-size"));
        return NULL;
    }
    if (ttl != NULL &&
        (duration_parse(ttl, &ttl_ms) != 0 || ttl_ms % 1000 != 0)) {
        json_decref(body);
        *ret_status =
            ctl_usage(ctl, "--ttl %s is no duration: as 10m, 1h", ttl);
        return NULL;
    }
    if (ttl != NULL) {
        json_object_set_new(body, "ttl_s",
                            json_integer((json_int_t)(ttl_ms / 1000)));
    }
    return body;
}

/* What its holder will be, and how to use it. */
static void explain(const json_t *root)
{
    const char *name = ctl_text(root, "name");
    const char *warning = ctl_text(root, "warning");
    char mesh[256];
    char subnets[256];

    if (warning[0] != '\0') {
        (void)fprintf(stderr, "warning: %s\n", warning);
    }
    (void)fprintf(
        stderr,
        "for      %s, mesh address %s, containers in %s\n"
        "use it once, before %s, on the new host:\n"
        "  agent join %s --token TOKEN\n",
        name[0] != '\0' ? name : "any name",
        texts(json_object_get(root, "mesh"), "its own", mesh, sizeof(mesh)),
        texts(json_object_get(root, "subnets"), "any free subnet", subnets,
              sizeof(subnets)),
        ctl_text(root, "expires"), ctl_text(root, "peer"));
}

int ctl_token_create(struct ctl *ctl)
{
    json_auto_t *root = NULL;
    int status = CTL_EXIT_USAGE;
    json_t *body = make_request(ctl, &status);

    if (body == NULL) {
        return status;
    }
    status = ctl_ask(ctl, "POST", CTL_API "tokens", body, NULL, &root);
    if (status != 0 || ctl_print_json(ctl, root, NULL)) {
        return status;
    }
    (void)printf("%s\n", ctl_text(root, "token"));
    (void)fflush(stdout);
    if (!ctl->is_quiet) {
        explain(root);
    } else if (ctl_text(root, "warning")[0] != '\0') {
        (void)fprintf(stderr, "warning: %s\n", ctl_text(root, "warning"));
    }
    return CTL_EXIT_OK;
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
