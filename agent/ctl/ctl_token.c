/*
 * agentctl token create: the token on standard output, how to use it on
 * standard error.
 */
#include "agent/ctl/ctl_internal.h"

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
