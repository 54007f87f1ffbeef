/*
 * agentctl status, health and members.
 */
#include "agent/ctl/ctl_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

/* "label      text" */
static void line(const char *label, const char *format, ...) _printf_(2, 3);

static void line(const char *label, const char *format, ...)
{
    va_list arguments;

    (void)printf("%-12s", label);
    va_start(arguments, format);
    (void)vprintf(format, arguments);
    va_end(arguments);
    (void)putchar('\n');
}

static enum ctl_color state_color(const char *state)
{
    return strcmp(state, "alive") == 0 ? CTL_COLOR_GOOD
           : strcmp(state, "suspect") == 0 || strcmp(state, "paused") == 0
               ? CTL_COLOR_WARN
           : strcmp(state, "dead") == 0 ? CTL_COLOR_BAD
                                        : CTL_COLOR_DIM;
}

/* One per line on standard output, the way tailscale and apt do it: what is
 * wrong, then what to do. */
static void print_problems(const struct ctl *ctl, const json_t *problems)
{
    json_t *problem;
    size_t i;

    json_array_foreach (problems, i, problem) {
        bool is_fail = strcmp(ctl_text(problem, "level"), "fail") == 0;
        enum ctl_color color = !ctl->has_color ? CTL_COLOR_NONE
                               : is_fail       ? CTL_COLOR_BAD
                                               : CTL_COLOR_WARN;

        (void)printf("%s%s%s %s: %s\n     next: %s\n", ctl_color_begin(color),
                     is_fail ? "FAIL" : "WARN", ctl_color_end(color),
                     ctl_text(problem, "id"), ctl_text(problem, "text"),
                     ctl_text(problem, "next"));
    }
}

static void print_verdict(const struct ctl *ctl, bool is_healthy)
{
    enum ctl_color color = !ctl->has_color ? CTL_COLOR_NONE
                           : is_healthy    ? CTL_COLOR_GOOD
                                           : CTL_COLOR_BAD;

    (void)printf("%s%s%s\n", ctl_color_begin(color),
                 is_healthy ? "healthy" : "unhealthy", ctl_color_end(color));
}

/* As people read it. */
static const char *state_text(const char *state)
{
    return strcmp(state, "not-heard") == 0 ? "not heard since start" : state;
}

/* "4 alive, 1 dead": the states that occur. */
static void print_members(const json_t *members)
{
    const char *separator = "";
    const char *state;
    json_t *count;

    (void)printf("%-12s", "members");
    json_object_foreach ((json_t *)(uintptr_t)members, state, count) {
        if (json_integer_value(count) > 0) {
            (void)printf("%s%" JSON_INTEGER_FORMAT " %s", separator,
                         json_integer_value(count), state_text(state));
            separator = ", ";
        }
    }
    (void)putchar('\n');
}

static void print_data_plane(const json_t *worker)
{
    const json_t *ovs = json_object_get(worker, "ovs");
    const json_t *tunnel = json_object_get(worker, "tunnel");
    char took[24];

    if (!json_is_object(worker)) {
        line("data plane", "none (reconcile: false)");
        return;
    }
    if (!ctl_flag(worker, "connected")) {
        line("data plane", "worker not connected");
        return;
    }
    line("switch", "%s%s%s", ctl_flag(ovs, "up") ? "up" : "down",
         ctl_text(ovs, "text")[0] != '\0' ? ": " : "", ctl_text(ovs, "text"));
    line("tunnel", "%s%s%s", ctl_flag(tunnel, "up") ? "up" : "down",
         ctl_text(tunnel, "text")[0] != '\0' ? ": " : "",
         ctl_text(tunnel, "text"));
    line("data plane",
         "%s change %" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT
         ", the last in %s",
         ctl_flag(worker, "observing") ? "only observing, planned" : "holds",
         ctl_number(worker, "applied"), ctl_number(worker, "sent"),
         ctl_duration(ctl_number(worker, "applied_us"), took));
}

static void print_status(const struct ctl *ctl, const json_t *root)
{
    const json_t *cluster = json_object_get(root, "cluster");
    char uptime[24];

    line("node", "%s (%s%s), socketnet %s, up %s", ctl_text(root, "node"),
         ctl_text(root, "state"), ctl_flag(root, "issuer") ? ", issuer" : "",
         ctl_text(root, "version"),
         ctl_duration(ctl_number(root, "uptime_s") * 1000000, uptime));
    line("mesh", "%s", ctl_text(root, "mesh"));
    line("cluster", "%s (%.16s)", ctl_text(cluster, "name"),
         ctl_text(cluster, "id"));
    print_members(json_object_get(root, "members"));
    line("functions",
         "%" JSON_INTEGER_FORMAT ", of %" JSON_INTEGER_FORMAT " instances",
         ctl_number(root, "functions"), ctl_number(root, "instances"));
    line("records", "%" JSON_INTEGER_FORMAT ", fingerprint %s",
         ctl_number(root, "records"), ctl_text(root, "fingerprint"));
    print_data_plane(json_object_get(root, "worker"));
    print_verdict(ctl, ctl_flag(root, "healthy"));
    print_problems(ctl, json_object_get(root, "problems"));
}

int ctl_status(struct ctl *ctl)
{
    json_auto_t *root = NULL;
    int status = ctl_get(ctl, CTL_API "status", &root);

    if (status != 0) {
        return status;
    }
    if (!ctl_print_json(ctl, root, NULL)) {
        print_status(ctl, root);
    }
    return ctl_flag(root, "healthy") ? CTL_EXIT_OK : CTL_EXIT_FAILED;
}

int ctl_health(struct ctl *ctl)
{
    json_auto_t *root = NULL;
    int status = ctl_get(ctl, CTL_API "health", &root);

    if (status != 0) {
        return status;
    }
    if (!ctl_print_json(ctl, root, NULL)) {
        if (!ctl->is_quiet || !ctl_flag(root, "healthy")) {
            print_verdict(ctl, ctl_flag(root, "healthy"));
        }
        print_problems(ctl, json_object_get(root, "problems"));
    }
    return ctl_flag(root, "healthy") ? CTL_EXIT_OK : CTL_EXIT_FAILED;
}

static void add_member(struct ctl_table *table, const json_t *member)
{
    const char *state = ctl_text(member, "state");
    const char *finding = json_string_value(json_object_get(member, "finding"));
    const json_t *heard = json_object_get(member, "heard_ms_ago");
    bool is_self = ctl_flag(member, "self");
    const char *address = json_string_value(
        json_array_get(json_object_get(member, "addresses"), 0));
    json_int_t rtt_us = ctl_number(member, "rtt_us");
    bool is_cut = !is_self && !ctl_flag(member, "reachable") &&
                  strcmp(state, "alive") == 0;
    const char *denial = ctl_text(json_object_get(member, "denial"), "text");
    char text[24];

    ctl_table_add(table, CTL_COLOR_NONE, "%s", ctl_text(member, "name"));
    ctl_table_add(table, CTL_COLOR_NONE, "%s", address != NULL ? address : "");
    ctl_table_add(
        table, is_cut || finding != NULL ? CTL_COLOR_WARN : state_color(state),
        "%s%s%s%s%s%s", state_text(state), is_cut ? ",unreachable" : "",
        denial[0] != '\0' ? ": " : "", denial, finding != NULL ? ": " : "",
        finding != NULL ? finding : "");
    ctl_table_add(table, CTL_COLOR_NONE, "%s",
                  rtt_us > 0 ? ctl_duration(rtt_us, text) : "");
    ctl_table_add(table, CTL_COLOR_NONE, "%s",
                  is_self ? "self"
                  : json_is_null(heard)
                      ? "never"
                      : ctl_duration(json_integer_value(heard) * 1000, text));
    ctl_table_add(table, CTL_COLOR_NONE, "%s", ctl_text(member, "version"));
}

int ctl_members(struct ctl *ctl)
{
    static const char *const heads[] = {"NAME",  "ADDR",    "STATE", "RTT",
                                        "HEARD", "VERSION", NULL};
    json_auto_t *root = NULL;
    struct ctl_table *table;
    json_t *member;
    size_t i;
    int status = ctl_get(ctl, CTL_API "members", &root);

    if (status != 0) {
        return status;
    }
    if (ctl_print_json(ctl, root, "members")) {
        return CTL_EXIT_OK;
    }
    if (ctl_table_new(heads, &table) != 0) {
        return CTL_EXIT_FAILED;
    }
    json_array_foreach (json_object_get(root, "members"), i, member) {
        add_member(table, member);
    }
    return ctl_print_table(ctl, table);
}
