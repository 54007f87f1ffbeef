/*
 * What all commands of this room need: messages, the configuration, and the
 * running agent's answers.
 */
#include "agent/roots/roots_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sodium.h>

#include "agent/config/config.h"
#include "agent/ctl/ctl.h"
#include "agent/ctl/ctl_client.h"
#include "agent/ctl/ctl_records.h"
#include "agent/json/json_text.h"
#include "gossip/base/text.h"

#define KEY_OPTION                                                             \
    {                                                                          \
        .name = "--key", .value = "FILE",                                      \
        .help = "the root's key; default: admission.key of the state "         \
                "directory"                                                    \
    }
#define CERTIFICATE_OPTION                                                     \
    {                                                                          \
        .name = "--certificate", .value = "FILE",                              \
        .help = "certificates from agentctl cert show --raw, in the place "    \
                "of asking the agent"                                          \
    }
#define OUTPUT_OPTION                                                          \
    {                                                                          \
        .name = "--output", .value = "FILE",                                   \
        .help = "write the records there, for agentctl record submit, in "     \
                "the place of submitting them"                                 \
    }

const struct args_option roots_propose_options[] = {
    {.name = "--containers",
     .value = "SUBNET",
     .help = "the ranges of containers, in the place of those there are",
     .is_repeated = true},
    {.name = "--mesh",
     .value = "SUBNET",
     .help = "the ranges of mesh addresses, likewise",
     .is_repeated = true},
    {.name = "--services",
     .value = "SUBNET",
     .help = "where addresses of functions come from, likewise",
     .is_repeated = true},
    {.name = "--shared",
     .value = "SUBNET",
     .help = "ranges that several hosts share, likewise; none: no more",
     .is_repeated = true},
    {.name = "--add-root",
     .value = "PUBLIC|FILE",
     .help = "a further root: its public key, or its key's file",
     .is_repeated = true},
    {.name = "--remove-root",
     .value = "PUBLIC|FILE",
     .help = "a root that shall be none any more",
     .is_repeated = true},
    {.name = "--threshold",
     .value = "N",
     .help = "so many roots have to sign the charters after this one"},
    {.name = "--from",
     .value = "FILE",
     .help = "the charter to start from, in the place of asking the agent: "
             "the file charter of a state directory"},
    {.name = "--output", .value = "FILE", .help = "the proposal (needed)"},
    {0},
};

const struct args_option roots_sign_options[] = {KEY_OPTION, {0}};

const struct args_option roots_admission_options[] = {
    KEY_OPTION, CERTIFICATE_OPTION, OUTPUT_OPTION, {0}};

const struct args_option roots_revoke_options[] = {
    {.name = "--key-lost",
     .help = "revoke its key altogether: it is out of the cluster"},
    {.name = "--remove", .help = "the same, of a host that is gone"},
    KEY_OPTION,
    CERTIFICATE_OPTION,
    OUTPUT_OPTION,
    {0},
};

void roots_done(struct roots *roots)
{
    config_free_pointer(&roots->config);
}

int roots_fail(const struct roots *roots, const char *format, ...)
{
    va_list arguments;

    (void)fprintf(stderr, "agent %s: ", roots->call->command->name);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
    return CTL_EXIT_FAILED;
}

int roots_no_memory(const struct roots *roots)
{
    return roots_fail(roots, "out of memory");
}

const char *roots_option(const struct roots *roots, const char *name)
{
    return args_get(&roots->call->args, name);
}

const char *roots_word(const struct roots *roots, size_t index)
{
    const struct args *args = &roots->call->args;

    return index < args->n_words ? args->words[index] : NULL;
}

int roots_need_config(struct roots *roots)
{
    _cleanup_(free_pointer) char *problem = NULL;

    if (roots->config == NULL && config_load(roots_option(roots, "--config"),
                                             &roots->config, &problem) != 0) {
        (void)roots_fail(roots, "%s",
                         problem != NULL ? problem : "out of memory");
        return CTL_EXIT_USAGE;
    }
    return 0;
}

/* What the agent says against it. */
static int print_problem(const struct roots *roots,
                         const struct ctl_answer *answer)
{
    json_auto_t *root = json_loadb(answer->body, answer->size, 0, NULL);
    const json_t *problem = json_object_get(root, "error");
    const char *what = json_string_value(json_object_get(problem, "what"));
    const char *why = json_string_value(json_object_get(problem, "why"));
    const char *next = json_string_value(json_object_get(problem, "next"));

    (void)roots_fail(roots, "%s%s%s", what != NULL ? what : "the agent refused",
                     why != NULL ? ": " : "", why != NULL ? why : "");
    if (next != NULL) {
        (void)fprintf(stderr, "  next: %s\n", next);
    }
    return ctl_exit_of_status(answer->status);
}

static int read_answer(const struct roots *roots,
                       const struct ctl_answer *answer, json_t **ret)
{
    json_t *root;

    if (answer->status >= 300) {
        return print_problem(roots, answer);
    }
    root = json_loadb(answer->body, answer->size, 0, NULL);
    if (!json_is_object(root)) {
        json_decref(root);
        (void)roots_fail(roots, "the agent's answer is not JSON");
        return CTL_EXIT_UNREACHABLE;
    }
    *ret = root;
    return 0;
}

int roots_ask(struct roots *roots, const char *method, const char *target,
              json_t *body, json_t **ret)
{
    _cleanup_(free_pointer) char *text =
        body != NULL ? json_text_dump(body) : NULL;
    _cleanup_(free_pointer) char *address = NULL;
    _cleanup_(free_pointer) char *problem = NULL;
    struct ctl_request request = {
        .method = method, .target = target, .body = text};
    bool is_whole = body == NULL || text != NULL;
    struct ctl_answer answer = {0};
    int status = roots_need_config(roots);
    int error;

    json_decref(body);
    if (status != 0) {
        return status;
    }
    if (!is_whole ||
        asprintf(&address, "unix:%s/api.sock", roots->config->run_dir) < 0) {
        address = NULL;
        return roots_no_memory(roots);
    }
    request.address = address;
    error = ctl_client_ask(&request, &answer, &problem);
    if (error != 0) {
        (void)roots_fail(roots, "%s",
                         problem != NULL ? problem : "out of memory");
        return error == CTL_E_DENIED ? CTL_EXIT_DENIED
               : error > 0           ? CTL_EXIT_UNREACHABLE
                                     : CTL_EXIT_FAILED;
    }
    status = read_answer(roots, &answer, ret);
    ctl_answer_done(&answer);
    return status;
}

int roots_submit(struct roots *roots, const uint8_t *bytes, size_t size)
{
    size_t used = 0;
    int status = 0;

    for (size_t at = 0; at < size && status == 0; at += used) {
        json_auto_t *answer = NULL;

        status =
            roots_ask(roots, "POST", "/api/v1/records",
                      ctl_records_body(bytes + at, size - at, &used), &answer);
    }
    return status;
}

bool roots_get_bytes(const json_t *root, const char *key, uint8_t *bytes,
                     size_t size, size_t *ret_size)
{
    const json_t *text = json_object_get(root, key);
    size_t len = json_string_length(text);

    if (!json_is_string(text) || len == 0 || len % 2 != 0 || len / 2 > size ||
        text_to_bytes(json_string_value(text), len, bytes, len / 2) != 0) {
        return false;
    }
    *ret_size = len / 2;
    return true;
}

struct record_order roots_order(uint64_t now_s, struct record_order after)
{
    uint64_t boot = MAX_OF(now_s, (after.epoch >> 32) + 1);

    return (struct record_order){boot << 32 | randombytes_random(), 1};
}

const char *roots_date(uint64_t time_s, char text[ROOTS_DATE_SIZE])
{
    time_t time = (time_t)time_s;
    struct tm parts;

    if (gmtime_r(&time, &parts) == NULL ||
        strftime(text, ROOTS_DATE_SIZE, "%Y-%m-%d", &parts) == 0) {
        (void)strcpy(text, "?");
    }
    return text;
}
