/* What each command needs is checked here, then its file does it. */
#include "agent/commands_run.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include <sodium.h>

#include "agent/args/program.h"
#include "agent/command_key.h"
#include "agent/command_leave.h"
#include "agent/command_reconcile.h"
#include "agent/command_reset.h"
#include "agent/command_restore.h"
#include "agent/command_store.h"
#include "agent/commands.h"
#include "agent/config/config.h"
#include "agent/core_run.h"
#include "agent/ctl/ctl.h"
#include "agent/identity/token.h"
#include "agent/join/join_charter.h"
#include "agent/launcher/launcher.h"
#include "agent/system/log.h"
#include "agent/worker/worker.h"
#include "gossip/wire/body.h"

/* The configuration; 0, or the exit status after the problem was printed. */
static int load(const struct program_call *call, struct config **ret)
{
    _cleanup_(free_pointer) char *problem = NULL;

    if (config_load(args_get(&call->args, "--config"), ret, &problem) != 0) {
        (void)fprintf(stderr, "agent %s: %s\n", call->command->name,
                      problem != NULL ? problem : "out of memory");
        return CTL_EXIT_USAGE;
    }
    log_set_level((*ret)->log_level);
    return 0;
}

int commands_run_init(const struct program_call *call)
{
    _cleanup_(config_free_pointer) struct config *config = NULL;
    const char *cluster = args_get(&call->args, "--cluster");
    struct join_charter_ranges ranges = {.n_mesh = 0};
    int status;

    cluster = cluster != NULL ? cluster : COMMANDS_CLUSTER_NAME;
    if (!body_name_valid(cluster)) {
        return program_usage(call,
                             "--cluster \"%s\" cannot name a cluster; "
                             "expected 1 to 63 letters, digits, \"-\" and "
                             "\"_\", not beginning or ending with the last "
                             "two",
                             cluster);
    }
    status = program_prefixes(call, "--containers", NULL, LIMIT_CHARTER_RANGES,
                              ranges.containers, &ranges.n_containers);
    if (status == 0) {
        status = program_prefixes(call, "--mesh", NULL, LIMIT_CHARTER_RANGES,
                                  ranges.mesh, &ranges.n_mesh);
    }
    if (status == 0) {
        status =
            program_prefixes(call, "--services", NULL, LIMIT_CHARTER_SERVICES,
                             ranges.services, &ranges.n_services);
    }
    if (status == 0 && ranges.n_services > 0 &&
        !body_charter_services_usable(ranges.services, ranges.n_services)) {
        status =
            program_usage(call, "--services: expected one IPv4 subnet of /8 to "
                                "/24, such as " JOIN_CHARTER_SERVICES
                                ", and after it at most one IPv6 subnet of /32 "
                                "to /112");
    }
    if (status == 0) {
        status = load(call, &config);
    }
    return status != 0 ? status
                       : command_init(config, args_get(&call->args, "--name"),
                                      cluster, &ranges);
}

/* The first line of a file, or of standard input ("-").  0, or the exit
 * status. */
static int read_token(const struct program_call *call, const char *path,
                      char text[TOKEN_TEXT_SIZE])
{
    bool is_stdin = strcmp(path, "-") == 0;
    FILE *file = is_stdin ? stdin : fopen(path, "re");
    bool has_line;

    if (file == NULL) {
        return program_usage(call, "cannot read the token's file %s: %s", path,
                             strerror(errno));
    }
    has_line = fgets(text, TOKEN_TEXT_SIZE, file) != NULL;
    if (!is_stdin) {
        (void)fclose(file); /* only read from */
    }
    text[has_line ? strcspn(text, " \t\r\n") : 0] = '\0';
    if (text[0] == '\0') {
        return program_usage(call,
                             "%s holds no token; expected in its first line "
                             "what \"agentctl token create\" printed",
                             is_stdin ? "standard input" : path);
    }
    return 0;
}

static int get_token(const struct program_call *call,
                     char text[TOKEN_TEXT_SIZE])
{
    const char *token = args_get(&call->args, "--token");
    const char *path = args_get(&call->args, "--token-file");

    if (token != NULL && path != NULL) {
        return program_usage(call, "--token and --token-file are both given; "
                                   "one of them is meant");
    }
    if (token == NULL && path == NULL) {
        return program_usage(call, "a token is needed: run \"agentctl token "
                                   "create\" on a node that may admit others, "
                                   "and give what it prints with --token or "
                                   "--token-file");
    }
    if (path != NULL || strcmp(token, "-") == 0) {
        return read_token(call, path != NULL ? path : token, text);
    }
    if (strlen(token) >= TOKEN_TEXT_SIZE) {
        return program_usage(call, "--token: that is too long for a token");
    }
    (void)strcpy(text, token);
    return 0;
}

/* By files, without PEER and token. */
static int run_join_file(const struct program_call *call, const char *request,
                         const char *answer)
{
    _cleanup_(config_free_pointer) struct config *config = NULL;
    const char *name = args_get(&call->args, "--name");
    int status;

    if ((request != NULL && answer != NULL) || call->args.n_words > 0 ||
        args_get(&call->args, "--token") != NULL ||
        args_get(&call->args, "--token-file") != NULL ||
        args_get(&call->args, "--replace") != NULL) {
        return program_usage(call, "--request FILE or --answer FILE takes no "
                                   "PEER, token or --replace");
    }
    status = load(call, &config);
    if (status != 0) {
        return status;
    }
    return request != NULL ? command_join_request(config, request, name)
                           : command_join_answer(config, answer, name);
}

int commands_run_join(const struct program_call *call)
{
    _cleanup_(config_free_pointer) struct config *config = NULL;
    const char *request = args_get(&call->args, "--request");
    const char *answer = args_get(&call->args, "--answer");
    char token[TOKEN_TEXT_SIZE];
    int status;

    if (request != NULL || answer != NULL) {
        return run_join_file(call, request, answer);
    }
    if (call->args.n_words == 0) {
        return program_usage(call, "an argument is missing: agent join "
                                   "PEER[:PORT] --token TOKEN|--token-file "
                                   "FILE, PEER being a node that runs");
    }
    status = get_token(call, token);

    if (status == 0) {
        status = load(call, &config);
    }
    if (status == 0) {
        status = command_join(config, call->args.words[0], token,
                              args_get(&call->args, "--name"),
                              args_get(&call->args, "--replace") != NULL);
    }
    sodium_memzero(token, sizeof(token));
    return status;
}

int commands_run_key_rotate(const struct program_call *call)
{
    _cleanup_(config_free_pointer) struct config *config = NULL;
    char token[TOKEN_TEXT_SIZE];
    int status = get_token(call, token);

    if (status == 0) {
        status = load(call, &config);
    }
    if (status == 0) {
        status = command_key_rotate(
            config, token, call->args.n_words > 0 ? call->args.words[0] : NULL);
    }
    sodium_memzero(token, sizeof(token));
    return status;
}

int commands_run_run(const struct program_call *call)
{
    _cleanup_(config_free_pointer) struct config *config = NULL;
    int status = load(call, &config);

    return status != 0 ? status
                       : launcher_main(config, args_get(&call->args,
                                                        "--observe") != NULL);
}

/* The launcher executes /proc/self/exe: ps, top and ss would say "exe". */
static void name_process(const char *name)
{
    (void)prctl(PR_SET_NAME, name, 0, 0, 0); /* cannot fail */
}

int commands_run_core(const struct program_call *call)
{
    _cleanup_(config_free_pointer) struct config *config = NULL;
    int status = load(call, &config);

    name_process("agent-core");
    return status != 0 ? status : core_run(config, true);
}

int commands_run_worker(const struct program_call *call)
{
    _cleanup_(config_free_pointer) struct config *config = NULL;
    int status = load(call, &config);

    name_process("agent-worker");
    return status != 0 ? status
                       : worker_main(config, args_get(&call->args,
                                                      "--observe") != NULL);
}

int commands_run_leave(const struct program_call *call)
{
    _cleanup_(config_free_pointer) struct config *config = NULL;
    int status = load(call, &config);

    return status != 0
               ? status
               : command_leave(config, args_get(&call->args, "--yes") != NULL);
}

int commands_run_reset(const struct program_call *call)
{
    _cleanup_(config_free_pointer) struct config *config = NULL;
    bool is_dry = args_get(&call->args, "--dry-run") != NULL;
    int status;

    if (is_dry == (args_get(&call->args, "--yes") != NULL)) {
        return program_usage(call, "give --dry-run to see what would be "
                                   "removed, or --yes to remove it");
    }
    status = load(call, &config);
    return status != 0 ? status : command_reset(config, is_dry);
}

int commands_run_reconcile(const struct program_call *call)
{
    _cleanup_(config_free_pointer) struct config *config = NULL;
    const char *desired = args_get(&call->args, "--desired");
    int status;

    if (desired == NULL || args_get(&call->args, "--dry-run") == NULL) {
        return program_usage(call, "--desired FILE and --dry-run are needed");
    }
    status = load(call, &config);
    return status != 0
               ? status
               : command_reconcile(config, desired,
                                   args_get(&call->args, "--ovs") != NULL);
}

int commands_run_restore(const struct program_call *call)
{
    _cleanup_(config_free_pointer) struct config *config = NULL;
    int status = load(call, &config);

    return status != 0
               ? status
               : command_restore(config, call->args.words[0],
                                 args_get(&call->args, "--yes") != NULL);
}

int commands_run_store_check(const struct program_call *call)
{
    _cleanup_(config_free_pointer) struct config *config = NULL;
    int status = load(call, &config);

    return status != 0 ? status : command_store_check(config);
}

int commands_run_store_dump(const struct program_call *call)
{
    _cleanup_(config_free_pointer) struct config *config = NULL;
    const char *kind = args_get(&call->args, "--kind");
    int status;

    if (kind != NULL && !command_store_has_kind(kind)) {
        return program_usage(call,
                             "--kind %.40s: there is no such kind; expected "
                             "certificate, revocation, member, service, "
                             "function, intent, tombstone, manifest, charter, "
                             "evidence, hold, "
                             "head, setting or token",
                             kind);
    }
    status = load(call, &config);
    return status != 0 ? status : command_store_dump(config, kind);
}

int commands_run_store_forget_clock(const struct program_call *call)
{
    _cleanup_(config_free_pointer) struct config *config = NULL;
    int status = load(call, &config);

    return status != 0 ? status : command_store_forget_clock(config);
}
