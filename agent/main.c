/*
 * Entry of the one executable: finds the command, parses its arguments, loads
 * the configuration and calls it.  Called as agentctl it is the client.
 *
 * Exit status: enum ctl_exit (ctl.h).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include <sodium.h>

#include "agent/args/args.h"
#include "agent/command_leave.h"
#include "agent/command_reconcile.h"
#include "agent/command_reset.h"
#include "agent/commands.h"
#include "agent/config/config.h"
#include "agent/core_run.h"
#include "agent/ctl/ctl.h"
#include "agent/launcher/launcher.h"
#include "agent/system/log.h"
#include "agent/text/suggest.h"
#include "agent/worker/worker.h"
#include "gossip/wire/body.h"
#include "gossip/wire/sign.h"

#define MAIN_CLUSTER_NAME  "socketnet"
#define MAIN_SERVICE_RANGE "100.80.0.0/12"

struct main_command {
    const char *name;
    const char *arguments;
    const char *summary; /* NULL: internal, in no list */
    const char *details;
    const struct args_option *options;
    size_t n_words_min;
    size_t n_words_max;
    int (*run)(struct config *config, const struct args *args);
};

static const struct args_option globals[] = {
    {.name = "--config",
     .value = "FILE",
     .help = "configuration, default " CONFIG_PATH_DEFAULT},
    {.name = "--help", .help = "this text", .letter = 'h'},
    {0},
};

static const struct args_option no_options[] = {{0}};

static const struct args_option init_options[] = {
    {.name = "--name", .value = "NAME", .help = "name of this node"},
    {.name = "--cluster",
     .value = "NAME",
     .help = "name of the cluster, default " MAIN_CLUSTER_NAME},
    {.name = "--service-range",
     .value = "SUBNET",
     .help = "addresses of functions, default " MAIN_SERVICE_RANGE},
    {0},
};

static const struct args_option join_options[] = {
    {.name = "--token",
     .value = "TOKEN",
     .help = "what \"agentctl token create\" printed"},
    {.name = "--name", .value = "NAME", .help = "name of this node"},
    {0},
};

static const struct args_option run_options[] = {
    {.name = "--observe", .help = "print what would change, change nothing"},
    {0},
};

static const struct args_option reset_options[] = {
    {.name = "--dry-run", .help = "only list what would be removed"},
    {.name = "--yes", .help = "remove it"},
    {0},
};

static const struct args_option reconcile_options[] = {
    {.name = "--desired", .value = "FILE", .help = "desired items as JSON"},
    {.name = "--dry-run", .help = "print the changes; always needed today"},
    {.name = "--ovs", .help = "fail when the switch cannot be asked"},
    {0},
};

static int usage(const char *command, const char *problem)
{
    (void)fprintf(stderr, "agent %s: %s\nTry \"agent %s --help\".\n", command,
                  problem, command);
    return CTL_EXIT_USAGE;
}

static int run_init(struct config *config, const struct args *args)
{
    const char *cluster = args_get(args, "--cluster");
    const char *range = args_get(args, "--service-range");
    struct prefix prefix = {0};

    if (cluster == NULL) {
        cluster = MAIN_CLUSTER_NAME;
    }
    if (!body_name_valid(cluster)) {
        return usage("init", "the cluster's name must be 1 to 63 letters, "
                             "digits, \"-\" and \"_\"");
    }
    if (prefix_parse(range != NULL ? range : MAIN_SERVICE_RANGE, &prefix) !=
            0 ||
        prefix.address.family != 4 || prefix.len < 8 || prefix.len > 24) {
        return usage("init", "--service-range must be an IPv4 subnet of /8 to "
                             "/24, such as " MAIN_SERVICE_RANGE);
    }
    return command_init(config, args_get(args, "--name"), cluster, &prefix);
}

static int run_join(struct config *config, const struct args *args)
{
    const char *token = args_get(args, "--token");

    if (token == NULL) {
        return usage("join", "a token is needed: run \"agentctl token create\" "
                             "on a node that may admit others, and give what "
                             "it prints with --token");
    }
    return command_join(config, args->words[0], token,
                        args_get(args, "--name"));
}

static int run_run(struct config *config, const struct args *args)
{
    return launcher_main(config, args_get(args, "--observe") != NULL);
}

/* The launcher executes /proc/self/exe: ps, top and ss would say "exe". */
static void name_process(const char *name)
{
    (void)prctl(PR_SET_NAME, name, 0, 0, 0); /* cannot fail */
}

static int run_core(struct config *config, const struct args *args)
{
    (void)args;
    name_process("agent-core");
    return core_run(config, true);
}

static int run_worker(struct config *config, const struct args *args)
{
    name_process("agent-worker");
    return worker_main(config, args_get(args, "--observe") != NULL);
}

static int run_leave(struct config *config, const struct args *args)
{
    (void)args;
    return command_leave(config);
}

static int run_reset(struct config *config, const struct args *args)
{
    bool is_dry = args_get(args, "--dry-run") != NULL;

    if (is_dry == (args_get(args, "--yes") != NULL)) {
        return usage("reset", "give --dry-run to see what would be removed, "
                              "or --yes to remove it");
    }
    return command_reset(config, is_dry);
}

static int run_reconcile(struct config *config, const struct args *args)
{
    const char *desired = args_get(args, "--desired");

    if (desired == NULL || args_get(args, "--dry-run") == NULL) {
        return usage("reconcile", "--desired FILE and --dry-run are needed");
    }
    return command_reconcile(config, desired, args_get(args, "--ovs") != NULL);
}

static const struct main_command commands[] = {
    {.name = "init",
     .summary = "make a cluster with this host as its first node",
     .details = "Writes keys, the cluster's genesis and this node's "
                "certificate into the state\ndirectory.  Touches no network "
                "state.",
     .options = init_options,
     .run = run_init},
    {.name = "join",
     .arguments = "PEER[:PORT]",
     .summary = "join the cluster of a token",
     .details = "PEER is the mesh address or name of any running node.  "
                "Touches no network state;\nwhen it fails, the host is as it "
                "was before.",
     .options = join_options,
     .n_words_min = 1,
     .n_words_max = 1,
     .run = run_join},
    {.name = "run",
     .summary = "run the agent",
     .details = "Starts the core and the worker process and restarts what "
                "dies.  SIGTERM stops them;\nflows stay in place.",
     .options = run_options,
     .run = run_run},
    {.name = "leave",
     .summary = "take this node out of the cluster, for good",
     .details = "Withdraws its records, removes its flows and stops the agent "
                "that runs here.",
     .options = no_options,
     .run = run_leave},
    {.name = "reset",
     .summary = "remove everything the agent made on this host",
     .details = "For a stopped agent: flows, groups, the tunnel, routes and "
                "the state directory.",
     .options = reset_options,
     .run = run_reset},
    {.name = "reconcile",
     .summary = "print what a desired state would change",
     .details = "FILE is a JSON array of desired items, \"-\" is standard "
                "input.",
     .options = reconcile_options,
     .run = run_reconcile},
    {.name = "core", .options = no_options, .run = run_core},
    {.name = "worker", .options = run_options, .run = run_worker},
};

static void print_options(const struct args_option *options, FILE *out)
{
    for (size_t i = 0; options[i].name != NULL; i++) {
        char left[64];

        (void)snprintf(left, sizeof(left), "%s%s%s", options[i].name,
                       options[i].value != NULL ? " " : "",
                       options[i].value != NULL ? options[i].value : "");
        (void)fprintf(out, "  %-24s %s\n", left, options[i].help);
    }
}

static void print_help(const struct main_command *command, FILE *out)
{
    (void)fprintf(out, "usage: agent %s%s%s [OPTION]...\n", command->name,
                  command->arguments != NULL ? " " : "",
                  command->arguments != NULL ? command->arguments : "");
    if (command->summary != NULL) {
        (void)fprintf(out, "  %s\n\n%s\n", command->summary, command->details);
    }
    (void)fprintf(out, "\noptions:\n");
    print_options(command->options, out);
    print_options(globals, out);
}

static void print_all(FILE *out)
{
    (void)fprintf(out, "usage: agent COMMAND [OPTION]...\n\ncommands:\n");
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        if (commands[i].summary != NULL) {
            (void)fprintf(out, "  %-12s %s\n", commands[i].name,
                          commands[i].summary);
        }
    }
    (void)fprintf(out, "  %-12s %s\n\noptions:\n", "version",
                  "print the version");
    print_options(globals, out);
    (void)fprintf(out, "\nWhat a running agent knows is asked with agentctl; "
                       "see \"agentctl --help\".\n");
}

static int unknown_command(const char *name)
{
    struct suggest suggest = {0};

    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        if (commands[i].summary != NULL) {
            suggest_offer(&suggest, name, commands[i].name);
        }
    }
    suggest_offer(&suggest, name, "version");
    (void)fprintf(stderr, "agent: unknown command \"%s\"", name);
    if (suggest.word != NULL) {
        (void)fprintf(stderr, " (did you mean \"%s\"?)", suggest.word);
    }
    (void)fprintf(stderr, "\nTry \"agent --help\".\n");
    return CTL_EXIT_USAGE;
}

static int run_command(const struct main_command *command,
                       const struct args *args)
{
    _cleanup_(config_free_pointer) struct config *config = NULL;
    _cleanup_(free_pointer) char *error = NULL;

    if (args->n_words < command->n_words_min) {
        return usage(command->name, "an argument is missing");
    }
    if (args->n_words > command->n_words_max) {
        return usage(command->name, "too many arguments");
    }
    if (config_load(args_get(args, "--config"), &config, &error) != 0) {
        (void)fprintf(stderr, "agent %s: %s\n", command->name,
                      error != NULL ? error : "out of memory");
        return CTL_EXIT_USAGE;
    }
    log_set_level(config->log_level);
    return command->run(config, args);
}

static int main_agent(int argc, char **argv)
{
    char problem[256] = "";
    struct args args;

    if (argc < 2) {
        print_all(stderr);
        return CTL_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_all(stdout);
        return CTL_EXIT_OK;
    }
    if (strcmp(argv[1], "version") == 0 || strcmp(argv[1], "--version") == 0) {
        (void)printf("agent %s\n", SOCKETNET_VERSION);
        return CTL_EXIT_OK;
    }
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        if (strcmp(argv[1], commands[i].name) != 0) {
            continue;
        }
        if (args_parse(argc - 2, argv + 2, commands[i].options, globals, &args,
                       problem) != 0) {
            return usage(commands[i].name, problem);
        }
        if (args_get(&args, "--help") != NULL) {
            print_help(&commands[i], stdout);
            return CTL_EXIT_OK;
        }
        return run_command(&commands[i], &args);
    }
    return unknown_command(argv[1]);
}

int main(int argc, char **argv)
{
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    const char *name = slash != NULL ? slash + 1 : argc > 0 ? argv[0] : "";

    if (strcmp(name, "agentctl") == 0) {
        return ctl_main(argc, argv);
    }
    if (sodium_init() < 0 || sign_self_test() != 0) {
        (void)fprintf(stderr,
                      "agent: libsodium does not verify signatures as this "
                      "program expects; install the version it was built "
                      "with\n");
        return CTL_EXIT_FAILED;
    }
    return main_agent(argc, argv);
}
