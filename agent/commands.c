/*
 * The table of agent's commands: what program.c looks up and prints, and
 * docs/man/agent.8 describes.  commands_run.c checks what a command needs.
 */
#include "agent/commands.h"

#include "agent/args/program.h"
#include "agent/commands_run.h"
#include "agent/config/config.h"
#include "agent/join/join_charter.h"
#include "agent/roots/roots.h"

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
     .help = "name of the cluster, default " COMMANDS_CLUSTER_NAME},
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

static const struct program_command commands[] = {
    {.name = "init",
     .summary = "make a cluster with this host as its first node",
     .details = "Writes keys, the cluster's genesis and this node's "
                "certificate into the state\ndirectory.  Touches no network "
                "state.",
     .options = init_options,
     .run = commands_run_init},
    {.name = "join",
     .arguments = "PEER[:PORT] --token TOKEN|--token-file FILE",
     .summary = "join the cluster of a token",
     .details = "PEER is the mesh address or name of any running node.  "
                "Touches no network state;\nwhen it fails, the host is as it "
                "was before.",
     .options = join_options,
     .n_words_max = 1,
     .run = commands_run_join},
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
     .run = commands_run_key_rotate},
    {.name = "run",
     .summary = "run the agent",
     .details = "Starts the core and the worker process and restarts what "
                "dies.  SIGTERM stops them;\nflows stay in place.",
     .options = run_options,
     .run = commands_run_run},
    {.name = "leave",
     .summary = "take this node out of the cluster, for good",
     .details = "Withdraws its records, removes its flows and stops the agent "
                "that runs here.\nAsks first, on a terminal; elsewhere --yes "
                "is needed.",
     .options = leave_options,
     .run = commands_run_leave},
    {.name = "reset",
     .arguments = "--dry-run|--yes",
     .summary = "remove everything the agent made on this host",
     .details = "For a stopped agent: flows, groups, the tunnel, routes and "
                "the state directory.",
     .options = reset_options,
     .run = commands_run_reset},
    {.name = "restore",
     .arguments = "FILE [--yes]",
     .summary = "bring a node back from what agentctl backup wrote",
     .details = "For a stopped agent.  What is wrong with FILE is told before "
                "anything is changed.",
     .options = restore_options,
     .n_words_min = 1,
     .n_words_max = 1,
     .run = commands_run_restore},
    {.name = "store check",
     .summary = "verify everything that this node has stored",
     .details =
         "Signatures, cluster, marks of writers.  Reads only, also while "
         "the agent runs.",
     .run = commands_run_store_check},
    {.name = "store dump",
     .arguments = "[--kind KIND]",
     .summary = "print what is stored, a line of JSON each",
     .options = dump_options,
     .run = commands_run_store_dump},
    {.name = "store forget-clock",
     .summary = "believe the clock again, after it was ahead once",
     .details = "For an agent that waits for a time at which it has run, but "
                "that was a wrong one.",
     .run = commands_run_store_forget_clock},
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
     .run = commands_run_reconcile},
    {.name = "core", .run = commands_run_core},
    {.name = "worker", .options = run_options, .run = commands_run_worker},
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
