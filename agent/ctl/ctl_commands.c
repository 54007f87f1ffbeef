/*
 * The table of agentctl's commands and their options: what program.c looks up
 * and prints, and docs/man/agentctl.1 describes.
 */
#include "agent/ctl/ctl_internal.h"

static const struct args_option globals[] = {
    {"--output", "FORMAT", "table (default), json or jsonl", 'o'},
    {"--addr", "unix:PATH",
     "the agent's socket; else $SOCKETNET_ADDR, else " CTL_ADDRESS_DEFAULT, 0},
    {"--timeout", "D", "longest wait for an answer, 10s", 0},
    {"--quiet", NULL, "no output but errors and what was asked for", 'q'},
    {"--no-color", NULL, "no colours (as with NO_COLOR set)", 0},
    {"--help", NULL, "this text, of the command it is given to", 'h'},
    {0}};

static const struct args_option register_options[] = {
    {"--port", "N", "the port it listens at (needed)", 0},
    {"--address", "A", "its own address, of this host (needed)", 0},
    {"--port-name", "P", "its port on the bridge, as veth203", 0},
    {"--instance", "I", "its name; else the port name, else the node's", 0},
    {"--protocol", "tcp|udp", "tcp", 0},
    {"--tag", "T", "a tag; up to 8", 0, true},
    {"--meta", "K=V", "a note; up to 8", 0, true},
    {"--weight", "N", "share of new connections, 1 to 1000; 100", 0},
    {"--priority", "N", "lower is preferred; 0", 0},
    {"--check", "tcp", "have it checked by connecting to it", 0},
    {"--interval", "D", "time between two checks, 1s", 0},
    {"--no-wait", NULL, "do not wait for this node's data plane", 0},
    {0}};

static const struct args_option deregister_options[] = {
    {"--instance", "I", "which one, when there are several here", 0},
    {"--no-wait", NULL, "do not wait for this node's data plane", 0},
    {0}};

static const struct args_option record_options[] = {
    {"--kind", "K", "only this kind: member, service, certificate, ...", 0},
    {0}};

static const struct args_option event_options[] = {
    {"--since", "N", "begin after the event of this index; 0: all kept", 0},
    {"--no-follow", NULL, "print what is kept and end", 0},
    {0}};

static const struct args_option token_options[] = {
    {"--ttl", "D", "how long it may be used, 10m", 0},
    {"--function", "PATTERN", "what the node may offer, as redis or web-*; *",
     0, true},
    {"--name", "NAME", "the one name the node may have", 0},
    {"--mesh-address", "ADDRESS", "the mesh address it may have", 0, true},
    {"--subnet", "SUBNET", "where its containers may be; else a free one", 0,
     true},
    {"--subnet-size", "N", "bits of the free one, as 26; 24", 0},
    {"--allocate-mesh", NULL, "give it a free mesh address", 0},
    {"--allocate-name", NULL, "give it a free name", 0},
    {"--open", NULL, "its holder chooses what is not given here", 0},
    {0}};

static const struct args_option issue_options[] = {
    {"--function", "PATTERN", "what the node may offer, as redis or web-*; *",
     0, true},
    {"--name", "NAME", "the one name the node may have", 0},
    {"--mesh-address", "ADDRESS", "the mesh address it may have", 0, true},
    {"--subnet", "SUBNET",
     "where its containers may be; given, when the "
     "request says none",
     0, true},
    {0}};

static const struct args_option freeze_options[] = {
    {"--reason", "TEXT", "what for, as all hosts' status says", 0}, {0}};

static const struct args_option remove_options[] = {
    {"--force", NULL, "also when it is alive: its key is in the wrong hands",
     0},
    {"--reason", "TEXT", "kept with the revocation", 0},
    {0}};

static const struct args_option cert_options[] = {
    {"--raw", "FILE",
     "write the record there, of all those in force, in the place of printing",
     0},
    {0}};

static const struct args_option policy_options[] = {
    {"--node", "NODE", "of which node (needed)", 0},
    {"--function", "F", "may it offer this function?", 0},
    {"--address", "A", "may an instance of it be at this address?", 0},
    {"--subnet", "S", "may its containers be in this subnet?", 0},
    {"--intent", "SCOPE", "is this in its intent scope?", 0},
    {0}};

static const struct args_option renew_options[] = {
    {"--until", "TIME|D", "its end, as 2027-03-01 or 30d; a year from now", 0},
    {0}};

static const struct args_option revoke_options[] = {
    {"--serial", "N", "of which certificate; the one in force", 0},
    {"--reason", "TEXT", "kept with the revocation", 0},
    {0}};

/* What stands in the table for ctl_NAME. */
#define RUN(name)                                                              \
    static int run_##name(const struct program_call *call)                     \
    {                                                                          \
        return ctl_run(call, ctl_##name);                                      \
    }

RUN(status)
RUN(health)
RUN(members)
RUN(service_register)
RUN(service_ls)
RUN(service_show)
RUN(service_deregister)
RUN(resolve)
RUN(flow_ls)
RUN(flow_diff)
RUN(port_ls)
RUN(cert_show)
RUN(policy_check)
RUN(record_ls)
RUN(record_submit)
RUN(record_verify)
RUN(record_evidence)
RUN(cluster_freeze)
RUN(cluster_release)
RUN(node_remove)
RUN(cert_renew)
RUN(cert_revoke)
RUN(events)
RUN(token_create)
RUN(token_ls)
RUN(cert_issue)
RUN(token_revoke)
RUN(backup)

static const struct program_command commands[] = {
    {"status", NULL, "this node at a glance; ends 1 when unhealthy", NULL, NULL,
     0, 0, run_status},
    {"health", NULL, "what is wrong, and what to do; ends 1 when unhealthy",
     NULL, NULL, 0, 0, run_health},
    {"members", NULL, "the nodes of the cluster as this one sees them", NULL,
     NULL, 0, 0, run_members},
    {"service register", "NAME --port N --address A [...]",
     "offer a function from this host",
     "Ends 0 when the record is on disk and this node's data plane has it, 6\n"
     "when it is on disk and the data plane has not followed yet (a port that\n"
     "is not there, a switch that is down); it follows by itself.  Ends 1\n"
     "when the data plane refuses it, which somebody has to mend.",
     register_options, 1, 1, run_service_register},
    {"service ls", NULL, "all functions and their instances", NULL, NULL, 0, 0,
     run_service_ls},
    {"service show", "NAME", "one function with everything known of it", NULL,
     NULL, 1, 1, run_service_show},
    {"service deregister", "NAME [--instance I]",
     "withdraw an instance of this host",
     "New connections go elsewhere at once; open ones live on.",
     deregister_options, 1, 1, run_service_deregister},
    {"resolve", "NAME", "a function's address and usable instances, best first",
     "Ends 1 when no instance is usable, 4 when there is no such function.",
     NULL, 1, 1, run_resolve},
    {"flow ls", NULL, "the flows and groups of ours in the switch", NULL, NULL,
     0, 0, run_flow_ls},
    {"flow diff", NULL, "what the switch holds that differs from the plan",
     "Ends 0 when nothing differs, 1 when something does.", NULL, 0, 0,
     run_flow_diff},
    {"port ls", NULL, "the ports of the bridge", NULL, NULL, 0, 0, run_port_ls},
    {"cert show", "[NODE] [--raw FILE]",
     "who is certified, for what, by whom, until when",
     "NODE is a name, an id of 16 digits or a key of 64.", cert_options, 0, 1,
     run_cert_show},
    {"cert issue", "REQUEST ANSWER [...]",
     "certify a host that cannot reach this one",
     "REQUEST is what `agent join --request` wrote there; ANSWER is a new "
     "file\n"
     "for `agent join --answer`.  For issuers.",
     issue_options, 2, 2, run_cert_issue},
    {"policy check", "--node NODE [--function F] [--address A] [...]",
     "what a node may do, and which record says so",
     "NODE is a name, an id of 16 digits or a key of 64.  Ends 0 when all "
     "that\n"
     "is asked is allowed, 5 when something is denied, 4 when there is no "
     "such\n"
     "node.",
     policy_options, 0, 0, run_policy_check},
    {"record ls", "[--kind K]", "the signed records this node holds", NULL,
     record_options, 0, 0, run_record_ls},
    {"record evidence", NULL, "pairs of records that contradict each other",
     "Their writers are frozen: nothing of them is used until they have a "
     "certificate of another serial.",
     NULL, 0, 0, run_record_evidence},
    {"record verify", NULL, "check every signature and certificate anew",
     "Ends 5 when one of them does not hold.", NULL, 0, 0, run_record_verify},
    {"record submit", "FILE", "give the agent finished records of a file",
     "FILE has records, one after another, as agent admission and agent "
     "charter\n"
     "write them with --output.  Each is judged as one that a peer brings; "
     "ends\n"
     "when all are on disk, 2 when one is refused, which is named.",
     NULL, 1, 1, run_record_submit},
    {"events", "[--since N] [--no-follow]", "changes, as they happen",
     "Without --since: from now on.", event_options, 0, 0, run_events},
    {"cluster freeze", "[--reason TEXT]", "have all hosts apply nothing new",
     "Flows stay as they are until agentctl cluster release.  For issuers.",
     freeze_options, 0, 0, run_cluster_freeze},
    {"cluster release", NULL, "have them apply what is new again",
     "Whoever froze it.  For issuers.", NULL, 0, 0, run_cluster_release},
    {"node remove", "NAME [--force] [--reason TEXT]",
     "take a node out of the cluster for good, without its help",
     "Its key is revoked: nothing of it counts any more, its name and\n"
     "addresses are free.  A host that comes back joins with a new token.\n"
     "For issuers.",
     remove_options, 1, 1, run_node_remove},
    {"cert renew", "NODE [--until TIME|D]",
     "have a node's certificate end later, now",
     "Issuers do this by themselves past half of its life.  NODE is a name,\n"
     "an id of 16 digits or a key of 64.  For issuers.",
     renew_options, 1, 1, run_cert_renew},
    {"cert revoke", "NODE [--serial N] [--reason TEXT]",
     "end one certificate of a node, not its key",
     "The node is out at once, and in again with a certificate of another\n"
     "serial; agentctl node remove ends all that its key will ever have.\n"
     "NODE is as for cert renew.  For issuers.",
     revoke_options, 1, 1, run_cert_revoke},
    {"token create", "[--ttl D] [--function PATTERN]...",
     "a single-use token that lets one node join",
     "Its holder gets a free container subnet of the cluster, and the "
     "addresses\n"
     "of the member of that --name, when there is one.  Prints the token and\n"
     "nothing else on standard output.",
     token_options, 0, 0, run_token_create},
    {"token ls", NULL, "the tokens that this node made, without their secrets",
     "Those that may still be used come first; others are shown for a day.",
     NULL, 0, 0, run_token_ls},
    {"token revoke", "ID", "nobody may use a token any more",
     "ID as token ls shows it.  Whoever has joined with it stays; see\n"
     "agentctl node remove.",
     NULL, 1, 1, run_token_revoke},
    {"backup", "FILE", "all that this node is, in one file, while it runs",
     "FILE is new and for its owner alone: it holds this node's secret keys.\n"
     "`agent restore FILE` brings the node back.",
     NULL, 1, 1, run_backup},
    {0}};

const struct program ctl_program = {
    .name = "agentctl",
    .version = SOCKETNET_VERSION,
    .about = "Asks the agent that runs on this host.",
    .more = "Exit status: 0 done, 1 failed or unhealthy, 2 usage, 3 no agent "
            "there,\n4 not found, 5 denied, 6 accepted and not yet in "
            "place.\nMore: agentctl COMMAND --help, man agentctl.\n",
    .commands = commands,
    .globals = globals,
};
