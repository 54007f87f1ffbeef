/*
 * agentctl's main: what its global options mean for a command.
 */
#include "agent/ctl/ctl.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/ctl/ctl_internal.h"
#include "agent/text/duration.h"

void ctl_message(const char *format, ...)
{
    va_list arguments;

    (void)fputs("agentctl: ", stderr);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
}

int ctl_usage(const struct ctl *ctl, const char *format, ...)
{
    va_list arguments;
    int status;

    va_start(arguments, format);
    status = program_usage_list(ctl->call, format, arguments);
    va_end(arguments);
    return status;
}

static int get_format(struct ctl *ctl)
{
    const char *text = args_get(&ctl->args, "--output");

    if (text == NULL || strcmp(text, "table") == 0) {
        ctl->format = CTL_FORMAT_TABLE;
    } else if (strcmp(text, "json") == 0) {
        ctl->format = CTL_FORMAT_JSON;
    } else if (strcmp(text, "jsonl") == 0) {
        ctl->format = CTL_FORMAT_JSONL;
    } else {
        return ctl_usage(ctl, "no output format %s: table, json or jsonl",
                         text);
    }
    return 0;
}

static int apply_globals(struct ctl *ctl)
{
    const char *no_color = getenv("NO_COLOR");
    const char *timeout = args_get(&ctl->args, "--timeout");
    uint64_t timeout_ms = CTL_TIMEOUT_MS;

    if (timeout != NULL && (duration_parse(timeout, &timeout_ms) != 0 ||
                            timeout_ms == 0 || timeout_ms > UINT32_MAX)) {
        return ctl_usage(ctl, "--timeout %s is no duration: as 500ms, 10s, 2m",
                         timeout);
    }
    ctl->timeout_ms = (uint32_t)timeout_ms;
    ctl->address = args_get(&ctl->args, "--addr");
    if (ctl->address == NULL) {
        ctl->address = getenv("SOCKETNET_ADDR");
    }
    ctl->is_quiet = args_get(&ctl->args, "--quiet") != NULL;
    ctl->has_color = args_get(&ctl->args, "--no-color") == NULL &&
                     (no_color == NULL || no_color[0] == '\0') &&
                     isatty(STDOUT_FILENO);
    return get_format(ctl);
}

int ctl_run(const struct program_call *call, int (*run)(struct ctl *ctl))
{
    struct ctl ctl = {.call = call, .args = call->args};
    int status = apply_globals(&ctl);

    return status != 0 ? status : run(&ctl);
}

int ctl_main(int argc, char **argv)
{
    return program_run(&ctl_program, argc, argv);
}
