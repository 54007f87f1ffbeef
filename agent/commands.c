/*
 * The table of agent's commands: what program.c looks up and prints, and
 * docs/man/agent.8 describes.  What a command needs is checked here, then its
 * file does it.
 */
#include "agent/commands.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
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
#include "agent/config/config.h"
#include "agent/core_run.h"
#include "agent/ctl/ctl.h"
#include "agent/identity/token.h"
#include "agent/join/join_charter.h"
#include "agent/launcher/launcher.h"
#include "agent/roots/roots.h"
#include "agent/system/log.h"
#include "agent/worker/worker.h"
#include "gossip/wire/body.h"

#define CLUSTER_NAME "socketnet"

static const struct args_option globals[] = {
    {.name = "--config",
     .value = "FILE",
     .help = "configuration, default " CONFIG_PATH_DEFAULT},
    {.name = "--help",
     .help = "this text, of the command it is given to",
     .letter = 'h'},
    {0},
};

static const struct args_option init_options[] = {
    {.name = "--name", .value = "NAME", .help = "name of this node"},
    {.name = "--cluster",
     .value = "NAME",
     .help = "name of the cluster, default " CLUSTER_NAME},
    {.name = "--containers",
     .value = "SUBNET",
     .help = "range of all hosts' containers, once for each; default: a /16 "
             "(IPv6: /48) around this host's",
     .is_repeated = true},
    {.name = "--mesh",
     .value = "SUBNET",
     .help = "range of mesh addresses; default: likewise",
     .is_repeated = true},
    {.name = "--services",
     .value = "SUBNET",
     .help = "addresses of functions, one of IPv4 and one of IPv6; "
             "default " JOIN_CHARTER_SERVICES,
     .is_repeated = true},
    {0},
};

static const struct args_option join_options[] = {
    {.name = "--token",
     .value = "TOKEN",
     .help = "what \"agentctl token create\" printed; -: standard input"},
    {.name = "--token-file",
     .value = "FILE",
     .help = "a file that holds it, so that ps does not show it"},
    {.name = "--name", .value = "NAME", .help = "name of this node"},
    {.name = "--replace",
     .help = "take the place of the dead host that the token names"},
    {.name = "--request",
     .value = "FILE",
     .help = "without a network: write the request to a new file, for "
             "agentctl cert issue"},
    {.name = "--answer",
     .value = "FILE",
     .help = "... and join by what that wrote"},
    {0},
};

static const struct args_option rotate_options[] = {
    {.name = "--token",
     .value = "TOKEN",
     .help = "what \"agentctl token create --name NODE\" printed; -: standard "
             "input"},
    {.name = "--token-file", .value = "FILE", .help = "a file that holds it"},
    {0},
};

static const struct args_option run_options[] = {
    {.name = "--observe", .help = "print what would change, change nothing"},
    {0},
};

static const struct args_option leave_options[] = {
    {.name = "--yes", .help = "do not ask"},
    {0},
};

static const struct args_option reset_options[] = {
    {.name = "--dry-run", .help = "only list what would be removed"},
    {.name = "--yes", .help = "remove it"},
    {0},
};

static const struct args_option restore_options[] = {
    {.name = "--yes", .help = "also in the place of the node that is here"},
    {0},
};

static const struct args_option dump_options[] = {
    {.name = "--kind",
     .value = "KIND",
     .help = "only these: a kind of record, head, setting or token"},
    {0},
};

static const struct args_option reconcile_options[] = {
    {.name = "--desired", .value = "FILE", .help = "desired items as JSON"},
    {.name = "--dry-run", .help = "print the changes; always needed today"},
    {.name = "--ovs", .help = "fail when the switch cannot be asked"},
    {0},
};

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

/* Each subnet of an option; 0, or the exit status. */
static int read_ranges(const struct program_call *call, const char *option,
                       size_t max, struct prefix *ranges, size_t *ret_n)
{
    const char *text;
    size_t at = 0;
    size_t n = 0;

    while ((text = args_next(&call->args, option, &at)) != NULL) {
        if (n == max) {
            return program_usage(call, "%s: at most %zu can be given", option,
                                 max);
        }
        if (prefix_parse(text, &ranges[n]) != 0) {
            return program_usage(call,
                                 "%s %s: expected a subnet such as "
                                 "10.0.0.0/16 or fd00:1::/48, no bit set past "
                                 "its length",
                                 option, text);
        }
        n++;
    }
    *ret_n = n;
    return 0;
}

/* Addresses of functions are hashed into the range. */
static bool services_usable(const struct join_charter_ranges *ranges)
{
    for (size_t i = 0; i < ranges->n_services; i++) {
        const struct prefix *range = &ranges->services[i];

        if (range->address.family == 4 ? range->len < 8 || range->len > 24
                                       : range->len < 32 || range->len > 112) {
            return false;
        }
    }
    return ranges->n_services == 0 ||
           (ranges->services[0].address.family == 4 &&
            (ranges->n_services == 1 ||
             ranges->services[1].address.family == 6));
}

static int run_init(const struct program_call *call)
{
    _cleanup_(config_free_pointer) struct config *config = NULL;
    const char *cluster = args_get(&call->args, "--cluster");
    struct join_charter_ranges ranges = {.n_mesh = 0};
    int status;

    cluster = cluster != NULL ? cluster : CLUSTER_NAME;
    if (!body_name_valid(cluster)) {
        return program_usage(call,
                             "--cluster \"%s\" cannot name a cluster; "
                             "expected 1 to 63 letters, digits, \"-\" and "
                             "\"_\", not beginning or ending with the last "
                             "two",
                             cluster);
    }
    status = read_ranges(call, "--containers", LIMIT_CHARTER_RANGES,
                         ranges.containers, &ranges.n_containers);
    if (status == 0) {
        status = read_ranges(call, "--mesh", LIMIT_CHARTER_RANGES, ranges.mesh,
                             &ranges.n_mesh);
    }
    if (status == 0) {
        status = read_ranges(call, "--services", LIMIT_CHARTER_SERVICES,
                             ranges.services, &ranges.n_services);
    }
    if (status == 0 && !services_usable(&ranges)) {
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

static int run_join(const struct program_call *call)
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

static int run_key_rotate(const struct program_call *call)
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

static int run_run(const struct program_call *call)
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

static int run_core(const struct program_call *call)
{
    _cleanup_(config_free_pointer) struct config *config = NULL;
    int status = load(call, &config);

    name_process("agent-core");
    return status != 0 ? status : core_run(config, true);
}

static int run_worker(const struct program_call *call)
{
    _cleanup_(config_free_pointer) struct config *config = NULL;
    int status = load(call, &config);

    name_process("agent-worker");
    return status != 0 ? status
                       : worker_main(config, args_get(&call->args,
                                                      "--observe") != NULL);
}

static int run_leave(const struct program_call *call)
{
    _cleanup_(config_free_pointer) struct config *config = NULL;
    int status = load(call, &config);

    return status != 0
               ? status
               : command_leave(config, args_get(&call->args, "--yes") != NULL);
}

static int run_reset(const struct program_call *call)
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

static int run_reconcile(const struct program_call *call)
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

static int run_restore(const struct program_call *call)
{
    _cleanup_(config_free_pointer) struct config *config = NULL;
    int status = load(call, &config);

    return status != 0
               ? status
               : command_restore(config, call->args.words[0],
                                 args_get(&call->args, "--yes") != NULL);
}

static int run_store_check(const struct program_call *call)
{
    _cleanup_(config_free_pointer) struct config *config = NULL;
    int status = load(call, &config);

    return status != 0 ? status : command_store_check(config);
}

static int run_store_dump(const struct program_call *call)
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

static int run_store_forget_clock(const struct program_call *call)
{
    _cleanup_(config_free_pointer) struct config *config = NULL;
    int status = load(call, &config);

    return status != 0 ? status : command_store_forget_clock(config);
}

static const struct program_command commands[] = {
    {.name = "init",
     .summary = "make a cluster with this host as its first node",
     .details = "Writes keys, the cluster's genesis and this node's "
                "certificate into the state\ndirectory.  Touches no network "
                "state.",
     .options = init_options,
     .run = run_init},
    {.name = "join",
     .arguments = "PEER[:PORT] --token TOKEN|--token-file FILE",
     .summary = "join the cluster of a token",
     .details = "PEER is the mesh address or name of any running node.  "
                "Touches no network state;\nwhen it fails, the host is as it "
                "was before.",
     .options = join_options,
     .n_words_max = 1,
     .run = run_join},
    {.name = "key rotate",
     .arguments = "[PEER[:PORT]] --token TOKEN|--token-file FILE",
     .summary = "give this node new keys, and have the old one revoked",
     .details =
         "With the agent stopped, and a token that names this node "
         "(agentctl token\ncreate --name).  Name, addresses, subnets and "
         "what is registered here stay.\nAlso for a node that is frozen.  "
         "When it is cut short, run it again.",
     .options = rotate_options,
     .n_words_max = 1,
     .run = run_key_rotate},
    {.name = "run",
     .summary = "run the agent",
     .details = "Starts the core and the worker process and restarts what "
                "dies.  SIGTERM stops them;\nflows stay in place.",
     .options = run_options,
     .run = run_run},
    {.name = "leave",
     .summary = "take this node out of the cluster, for good",
     .details = "Withdraws its records, removes its flows and stops the agent "
                "that runs here.\nAsks first, on a terminal; elsewhere --yes "
                "is needed.",
     .options = leave_options,
     .run = run_leave},
    {.name = "reset",
     .arguments = "--dry-run|--yes",
     .summary = "remove everything the agent made on this host",
     .details = "For a stopped agent: flows, groups, the tunnel, routes and "
                "the state directory.",
     .options = reset_options,
     .run = run_reset},
    {.name = "restore",
     .arguments = "FILE [--yes]",
     .summary = "bring a node back from what agentctl backup wrote",
     .details = "For a stopped agent.  What is wrong with FILE is told before "
                "anything is changed.",
     .options = restore_options,
     .n_words_min = 1,
     .n_words_max = 1,
     .run = run_restore},
    {.name = "store check",
     .summary = "verify everything that this node has stored",
     .details =
         "Signatures, cluster, marks of writers.  Reads only, also while "
         "the agent runs.",
     .run = run_store_check},
    {.name = "store dump",
     .arguments = "[--kind KIND]",
     .summary = "print what is stored, a line of JSON each",
     .options = dump_options,
     .run = run_store_dump},
    {.name = "store forget-clock",
     .summary = "believe the clock again, after it was ahead once",
     .details = "For an agent that waits for a time at which it has run, but "
                "that was a wrong one.",
     .run = run_store_forget_clock},
    {.name = "key create",
     .arguments = "FILE",
     .summary = "make a root's key, and print its public key",
     .details = "FILE is new and for its owner alone.",
     .n_words_min = 1,
     .n_words_max = 1,
     .run = roots_key_create},
    {.name = "key show",
     .arguments = "FILE",
     .summary = "print the public key of a root's key",
     .n_words_min = 1,
     .n_words_max = 1,
     .run = roots_key_show},
    {.name = "charter show",
     .arguments = "[FILE]",
     .summary = "print the charter in force, or what a file says",
     .details = "FILE is a proposal, or the file charter of a state directory.",
     .n_words_max = 1,
     .run = roots_charter_show},
    {.name = "charter propose",
     .arguments = "--output FILE [...]",
     .summary = "write a charter that is to be signed, and say what it changes",
     .details = "Begins with the charter in force, which the running agent "
                "says; ranges that are given\ntake the place of all of their "
                "kind.",
     .options = roots_propose_options,
     .run = roots_charter_propose},
    {.name = "charter sign",
     .arguments = "FILE [--key FILE]",
     .summary = "add a root's signature to a proposal",
     .details = "Needs no agent and, with --key, no state directory.",
     .options = roots_sign_options,
     .n_words_min = 1,
     .n_words_max = 1,
     .run = roots_charter_sign},
    {.name = "charter apply",
     .arguments = "FILE",
     .summary = "have the cluster follow a charter that is signed",
     .n_words_min = 1,
     .n_words_max = 1,
     .run = roots_charter_apply},
    {.name = "admission grant",
     .arguments = "NODE [--key FILE]",
     .summary = "make a node an issuer, for three years",
     .options = roots_admission_options,
     .n_words_min = 1,
     .n_words_max = 1,
     .run = roots_admission_grant},
    {.name = "admission renew",
     .arguments = "NODE [--key FILE]",
     .summary = "give an issuer, or a node that a root admitted, a later end",
     .options = roots_admission_options,
     .n_words_min = 1,
     .n_words_max = 1,
     .run = roots_admission_renew},
    {.name = "admission revoke",
     .arguments = "NODE [--key-lost|--remove] [--key FILE]",
     .summary = "make a node an issuer no more; whom it admitted stays",
     .options = roots_revoke_options,
     .n_words_min = 1,
     .n_words_max = 1,
     .run = roots_admission_revoke},
    {.name = "admission lift",
     .arguments = "NODE [--key FILE]",
     .summary = "undo a revocation",
     .options = roots_admission_options,
     .n_words_min = 1,
     .n_words_max = 1,
     .run = roots_admission_lift},
    {.name = "admission ls",
     .summary = "print roots and issuers, and until when they are",
     .run = roots_admission_ls},
    {.name = "reconcile",
     .arguments = "--desired FILE --dry-run",
     .summary = "print what a desired state would change",
     .details = "FILE is a JSON array of desired items, \"-\" is standard "
                "input.",
     .options = reconcile_options,
     .run = run_reconcile},
    {.name = "core", .run = run_core},
    {.name = "worker", .options = run_options, .run = run_worker},
    {0},
};

static const struct program agent_program = {
    .name = "agent",
    .version = SOCKETNET_VERSION,
    .about = "Finds what the containers of all hosts offer, and programs Open "
             "vSwitch.",
    .more = "Exit status: 0 done, 1 failed, 2 usage or an invalid value, 3 no "
            "agent there,\n4 not found, 5 denied.\nWhat a running agent knows "
            "is asked with agentctl; see agentctl --help, man agent.\n",
    .commands = commands,
    .globals = globals,
};

int commands_main(int argc, char **argv)
{
    return program_run(&agent_program, argc, argv);
}
