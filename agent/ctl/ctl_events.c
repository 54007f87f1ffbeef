/*
 * agentctl events: follows the event log, one line per change, flushed at
 * once.
 */
#include "agent/ctl/ctl_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/json/json_text.h"

/* The event's UTC time as this host's clock shows it, "15:04:05.123". */
static void print_time(const char *utc)
{
    const char *fraction = strchr(utc, '.');
    struct tm tm = {0};
    time_t seconds;
    char text[16];

    if (strptime(utc, "%Y-%m-%dT%H:%M:%S", &tm) == NULL || fraction == NULL) {
        (void)printf("%s", utc);
        return;
    }
    seconds = timegm(&tm);
    if (localtime_r(&seconds, &tm) != NULL &&
        strftime(text, sizeof(text), "%H:%M:%S", &tm) > 0) {
        (void)printf("%s%.4s", text, fraction);
    }
}

static void print_value(const char *key, json_t *value)
{
    if (json_is_string(value)) {
        (void)printf(" %s=%s", key, json_string_value(value));
    } else if (!json_is_null(value)) {
        char *text = json_text_dump(value);

        (void)printf(" %s=%s", key, text != NULL ? text : "?");
        free(text);
    }
}

/* Any kind we have no words for: key=value. */
static void print_fields(json_t *event)
{
    const char *key;
    json_t *value;

    (void)printf("%s", ctl_text(event, "kind"));
    json_object_foreach (event, key, value) {
        if (strcmp(key, "schema") != 0 && strcmp(key, "index") != 0 &&
            strcmp(key, "time") != 0 && strcmp(key, "kind") != 0) {
            print_value(key, value);
        }
    }
}

/* "15:04:05.123 member host3 dead, was suspect" */
static void print_event(json_t *event)
{
    const char *kind = ctl_text(event, "kind");

    print_time(ctl_text(event, "time"));
    (void)putchar(' ');
    if (strcmp(kind, "member") == 0) {
        (void)printf("member %s %s, was %s", ctl_text(event, "name"),
                     ctl_text(event, "state"), ctl_text(event, "was"));
    } else if (strcmp(kind, "reachable") == 0) {
        (void)printf("member %s %s", ctl_text(event, "name"),
                     ctl_flag(event, "reachable")
                         ? "answers this node again"
                         : "does not answer this node");
    } else if (strcmp(kind, "service") == 0) {
        (void)printf("service %s/%s %s on %s", ctl_text(event, "function"),
                     ctl_text(event, "instance"), ctl_text(event, "change"),
                     ctl_text(event, "node"));
        if (json_object_get(event, "port") != NULL) {
            (void)printf(": %s:%d %s", ctl_text(event, "address"),
                         (int)ctl_number(event, "port"),
                         ctl_text(event, "health"));
        }
    } else {
        print_fields(event);
    }
    (void)putchar('\n');
}

static int on_line(const char *line, size_t len, void *data)
{
    const struct ctl *ctl = data;

    if (ctl->format != CTL_FORMAT_TABLE) {
        (void)printf("%.*s\n", (int)len, line);
    } else {
        json_auto_t *event = json_loadb(line, len, 0, NULL);

        if (event != NULL) {
            print_event(event);
        }
    }
    /* Whoever reads us wants it now; and when nobody does, it is over. */
    return fflush(stdout) != 0;
}

int ctl_events(struct ctl *ctl)
{
    const char *since = args_get(&ctl->args, "--since");
    bool is_following = args_get(&ctl->args, "--no-follow") == NULL;
    char target[128];
    struct ctl_request request = {.address = ctl->address,
                                  .method = "GET",
                                  .target = target,
                                  .timeout_ms = ctl->timeout_ms,
                                  .line = on_line,
                                  .data = ctl};
    struct ctl_answer answer = {0};
    uint64_t index = 0;
    char *error = NULL;
    int status = 0;
    int len;

    if (since != NULL && args_number(since, 0, UINT64_MAX - 1, &index) != 0) {
        return ctl_usage(ctl, "--since %s is no index of an event", since);
    }
    len = snprintf(target, sizeof(target), CTL_API "events?follow=%d",
                   is_following);
    if (since != NULL) {
        (void)snprintf(target + len, sizeof(target) - (size_t)len,
                       "&since=%" PRIu64, index);
    }
    status = ctl_client_ask(&request, &answer, &error);
    if (status != 0) {
        return ctl_print_unanswered(status, error);
    }
    if (answer.status != 200) {
        status =
            ctl_print_problem(ctl, answer.status, answer.body, answer.size);
    }
    ctl_answer_done(&answer);
    return status;
}
