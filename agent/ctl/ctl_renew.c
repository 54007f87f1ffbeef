/*
 * agentctl cert renew and cert revoke.
 */
#include "agent/ctl/ctl_internal.h"

#include <string.h>
#include <time.h>

#include "agent/text/duration.h"

/* "30d" from now, "2027-03-01" or "2027-03-01T12:00:00Z" as seconds since
 * 1970; 0: it is none of them. */
static json_int_t parse_until(const char *text)
{
    static const char *const formats[] = {"%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"};
    uint64_t ms;

    if (duration_parse(text, &ms) == 0) {
        return (json_int_t)((uint64_t)time(NULL) + ms / 1000);
    }
    for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
        struct tm parts = {0};
        const char *end = strptime(text, formats[i], &parts);

        if (end != NULL && *end == '\0') {
            return (json_int_t)timegm(&parts);
        }
    }
    return 0;
}

/* Posts it; 0 and the answer, or the exit status. */
static int post(struct ctl *ctl, const char *what, json_t *body, json_t **ret)
{
    char target[512];

    if (!ctl_target(target, sizeof(target), CTL_API "certificates/",
                    ctl->args.words[0], what)) {
        json_decref(body);
        return ctl_usage(ctl,
                         "%.40s... is no node: a name has at most 63 "
                         "characters",
                         ctl->args.words[0]);
    }
    return ctl_ask(ctl, "POST", target, body, NULL, ret);
}

int ctl_cert_renew(struct ctl *ctl)
{
    const char *until = args_get(&ctl->args, "--until");
    json_t *body = json_object();
    json_auto_t *root = NULL;
    json_int_t until_s = 0;
    int status;

    if (until != NULL) {
        until_s = parse_until(until);
        if (until_s <= 0) {
            json_decref(body);
            return ctl_usage(ctl,
                             "--until %s is no time: give 30d, 2027-03-01 or "
                             "2027-03-01T12:00:00Z",
                             until);
        }
        (void)json_object_set_new(body, "until_s", json_integer(until_s));
    }
    status = post(ctl, "renew", body, &root);
    if (status != 0 || ctl_print_json(ctl, root, NULL) || ctl->is_quiet) {
        return status;
    }
    (void)printf("renewed %s: its certificate ends %s\n",
                 ctl_text(root, "renewed"), ctl_text(root, "not_after"));
    return CTL_EXIT_OK;
}

int ctl_cert_revoke(struct ctl *ctl)
{
    const char *reason = args_get(&ctl->args, "--reason");
    const char *serial = args_get(&ctl->args, "--serial");
    json_t *body = json_object();
    json_auto_t *root = NULL;
    int status;

    if (reason != NULL) {
        (void)json_object_set_new(body, "reason", json_string(reason));
    }
    if (serial != NULL) {
        (void)json_object_set_new(body, "serial", json_string(serial));
    }
    status = post(ctl, "revoke", body, &root);
    if (status != 0 || ctl_print_json(ctl, root, NULL) || ctl->is_quiet) {
        return status;
    }
    (void)printf("revoked the certificate of %s: its key may have another\n",
                 ctl_text(root, "revoked"));
    return CTL_EXIT_OK;
}
