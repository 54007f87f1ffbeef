/*
 * The table of agentctl's commands and their options: what ctl.c looks up,
 * ctl_help.c prints, and docs/man/agentctl.1 describes.
 */
#include "agent/ctl/ctl_internal.h"

const struct args_option ctl_no_options[] = {{0}};

const struct args_option ctl_globals[] = {
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
    {"--interval", "D", "time between two checks, 10s", 0},
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
    {0}};

const struct ctl_command ctl_commands[] = {
    {"status", "", "this node at a glance; ends 1 when unhealthy", NULL,
     ctl_no_options, 0, 0, ctl_status},
    {"health", "", "what is wrong, and what to do; ends 1 when unhealthy", NULL,
     ctl_no_options, 0, 0, ctl_health},
    {"members", "", "the nodes of the cluster as this one sees them", NULL,
     ctl_no_options, 0, 0, ctl_members},
    {"service register", "NAME --port N --address A [...]",
     "offer a function from this host",
     "Ends 0 when the record is on disk and this node's data plane has it, 6\n"
     "when it is on disk and the data plane has not followed yet (a port that\n"
     "is not there, a switch that is down); it follows by itself.",
     register_options, 1, 1, ctl_service_register},
    {"service ls", "", "all functions and their instances", NULL,
     ctl_no_options, 0, 0, ctl_service_ls},
    {"service show", "NAME", "one function with everything known of it", NULL,
     ctl_no_options, 1, 1, ctl_service_show},
    {"service deregister", "NAME [--instance I]",
     "withdraw an instance of this host",
     "New connections go elsewhere at once; open ones live on.",
     deregister_options, 1, 1, ctl_service_deregister},
    {"resolve", "NAME", "a function's address and usable instances, best first",
     "Ends 1 when no instance is usable, 4 when there is no such function.",
     ctl_no_options, 1, 1, ctl_resolve},
    {"flow ls", "", "the flows and groups of ours in the switch", NULL,
     ctl_no_options, 0, 0, ctl_flow_ls},
    {"flow diff", "", "what the switch holds that differs from the plan",
     "Ends 0 when nothing differs, 1 when something does.", ctl_no_options, 0,
     0, ctl_flow_diff},
    {"port ls", "", "the ports of the bridge", NULL, ctl_no_options, 0, 0,
     ctl_port_ls},
    {"record ls", "[--kind K]", "the signed records this node holds", NULL,
     record_options, 0, 0, ctl_record_ls},
    {"record verify", "", "check every signature and certificate anew",
     "Ends 5 when one of them does not hold.", ctl_no_options, 0, 0,
     ctl_record_verify},
    {"events", "[--since N] [--no-follow]", "changes, as they happen",
     "Without --since: from now on.", event_options, 0, 0, ctl_events},
    {"token create", "[--ttl D] [--function PATTERN]...",
     "a single-use token that lets one node join",
     "Prints the token and nothing else on standard output.", token_options, 0,
     0, ctl_token_create},
    {0}};
