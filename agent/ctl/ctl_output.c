/*
 * Between the commands and the agent: asking, what a refusal means, and the
 * two JSON formats.
 */
#include "agent/ctl/ctl_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/json/json_text.h"

int ctl_exit_of_status(unsigned status)
{
    switch (status) {
    case 403:
        return CTL_EXIT_DENIED;
    case 404:
        return CTL_EXIT_NOT_FOUND;
    case 400:
    case 405:
    case 409:
    case 413:
    case 422:
    case 431:
        return CTL_EXIT_USAGE;
    default:
        return CTL_EXIT_FAILED;
    }
}

/* "  why: ..." when there is one. */
static void print_part(const json_t *error, const char *key)
{
    const char *text = json_string_value(json_object_get(error, key));

    if (text != NULL) {
        (void)fprintf(stderr, "  %s: %s\n", key, text);
    }
}

int ctl_print_problem(const struct ctl *ctl, unsigned status, const char *body,
                      size_t size)
{
    json_auto_t *root = json_loadb(body, size, 0, NULL);
    const json_t *error = json_object_get(root, "error");
    const char *what = json_string_value(json_object_get(error, "what"));

    if (what == NULL) {
        ctl_message("the agent answered %u without saying why", status);
    } else if (ctl->format != CTL_FORMAT_TABLE) {
        (void)json_dumpf(root, stderr, JSON_COMPACT);
        (void)fputc('\n', stderr);
    } else {
        ctl_message("%s", what);
        if (status != 404 && strncmp(ctl_text(error, "where"), "/", 1) != 0) {
            print_part(error, "where");
        }
        print_part(error, "why");
        print_part(error, "next");
    }
    return ctl_exit_of_status(status);
}

int ctl_print_unanswered(int code, char *error)
{
    ctl_message("%s", error != NULL ? error : "out of memory");
    free(error);
    switch (code) {
    case CTL_E_UNREACHABLE:
    case CTL_E_TIMEOUT:
    case CTL_E_PROTOCOL:
        return CTL_EXIT_UNREACHABLE;
    case CTL_E_ADDRESS:
        return CTL_EXIT_USAGE;
    case CTL_E_DENIED:
        return CTL_EXIT_DENIED;
    default:
        return CTL_EXIT_FAILED;
    }
}

int ctl_ask(const struct ctl *ctl, const char *method, const char *target,
            json_t *body, unsigned *ret_status, json_t **ret)
{
    _cleanup_(free_pointer) char *text =
        body != NULL ? json_text_dump(body) : NULL;
    struct ctl_request request = {.address = ctl->address,
                                  .method = method,
                                  .target = target,
                                  .body = text,
                                  .timeout_ms = ctl->timeout_ms};
    struct ctl_answer answer = {0};
    json_error_t json_error;
    char *error = NULL;
    json_t *root;
    int status = 0;
    int code;

    if (body != NULL && text == NULL) {
        json_decref(body);
        return ctl_print_unanswered(-ENOMEM, NULL);
    }
    json_decref(body);
    code = ctl_client_ask(&request, &answer, &error);
    if (code != 0) {
        return ctl_print_unanswered(code, error);
    }
    root = json_loadb(answer.body, answer.size, 0, &json_error);
    /* 503 of /health and /ready is an answer, not an error. */
    if (answer.status >= 300 &&
        (root == NULL || json_object_get(root, "error") != NULL)) {
        status =
            ctl_print_problem(ctl, answer.status, answer.body, answer.size);
    } else if (!json_is_object(root)) {
        ctl_message("the agent's answer is not JSON: %s", json_error.text);
        status = CTL_EXIT_UNREACHABLE;
    } else {
        if (ret_status != NULL) {
            *ret_status = answer.status;
        }
        *ret = json_incref(root);
    }
    json_decref(root);
    ctl_answer_done(&answer);
    return status;
}

int ctl_get(const struct ctl *ctl, const char *target, json_t **ret)
{
    return ctl_ask(ctl, "GET", target, NULL, NULL, ret);
}

/* Percent-encodes everything but unreserved characters (RFC 3986). */
static bool put_encoded(char *target, size_t size, size_t *len,
                        const char *name)
{
    for (; *name != '\0'; name++) {
        unsigned char c = (unsigned char)*name;
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || c == '-' || c == '_' ||
                        c == '.';

        if (*len + 4 > size) {
            return false;
        }
        *len += (size_t)snprintf(target + *len, size - *len,
                                 is_plain ? "%c" : "%%%02X", c);
    }
    return true;
}

bool ctl_target(char *target, size_t size, const char *path, const char *name,
                const char *second)
{
    size_t len = (size_t)snprintf(target, size, "%s", path);

    if (!put_encoded(target, size, &len, name)) {
        return false;
    }
    if (second != NULL) {
        if (len + 2 > size) {
            return false;
        }
        target[len++] = '/';
        target[len] = '\0';
        return put_encoded(target, size, &len, second);
    }
    return true;
}

static void print_line(json_t *item)
{
    (void)json_dumpf(item, stdout, JSON_COMPACT);
    (void)fputc('\n', stdout);
}

bool ctl_print_json(const struct ctl *ctl, json_t *root, const char *list)
{
    const json_t *items = list != NULL ? json_object_get(root, list) : NULL;
    json_t *item;
    size_t i;

    if (ctl->format == CTL_FORMAT_TABLE) {
        return false;
    }
    if (ctl->format == CTL_FORMAT_JSON) {
        (void)json_dumpf(root, stdout, JSON_INDENT(2));
        (void)fputc('\n', stdout);
        return true;
    }
    if (items == NULL) {
        print_line(root);
        return true;
    }
    json_array_foreach (items, i, item) {
        json_auto_t *line =
            json_pack("{s:O}", "schema", json_object_get(root, "schema"));

        if (line != NULL && json_object_update(line, item) == 0) {
            print_line(line);
        }
    }
    return true;
}

int ctl_print_table(const struct ctl *ctl, struct ctl_table *table)
{
    int error = ctl_table_print(table, stdout, ctl->has_color);

    (void)ctl_table_free(table);
    if (error != 0) {
        ctl_message("the table is not whole: %s", strerror(-error));
        return CTL_EXIT_FAILED;
    }
    return CTL_EXIT_OK;
}

const char *ctl_text(const json_t *root, const char *key)
{
    const char *text = json_string_value(json_object_get(root, key));

    return text != NULL ? text : "";
}

json_int_t ctl_number(const json_t *root, const char *key)
{
    return json_integer_value(json_object_get(root, key));
}

bool ctl_flag(const json_t *root, const char *key)
{
    return json_is_true(json_object_get(root, key));
}

const char *ctl_duration(json_int_t us, char text[24])
{
    json_int_t s = us / 1000000;

    if (us == 0) {
        (void)snprintf(text, 24, "0s");
    } else if (us < 10000) {
        (void)snprintf(text, 24, "%.2fms", (double)us / 1e3);
    } else if (us < 1000000) {
        (void)snprintf(text, 24, "%.0fms", (double)us / 1e3);
    } else if (s < 60) {
        (void)snprintf(text, 24, "%.1fs", (double)us / 1e6);
    } else if (s < 3600) {
        (void)snprintf(text, 24, "%dm%ds", (int)(s / 60), (int)(s % 60));
    } else if (s < 86400) {
        (void)snprintf(text, 24, "%dh%dm", (int)(s / 3600), (int)(s / 60 % 60));
    } else {
        (void)snprintf(text, 24, "%dd%dh", (int)(s / 86400 % 1000000),
                       (int)(s / 3600 % 24));
    }
    return text;
}
