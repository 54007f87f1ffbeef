/*
 * agentctl as people run it: ctl_main in a child process, against a server
 * with canned answers.  The client, exit codes, output formats and messages.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <fcntl.h>
#include <unistd.h>

#include "agent/ctl/ctl.h"
#include "agent/ctl/ctl_client.h"
#include "tests/unit/http_fixture.h"
#include "tests/unit/program_fixture.h"

static char last_body[1024]; /* of a POST, written by the loop's thread */
static char last_target[256];

static void reply(struct http_exchange *exchange, unsigned status,
                  const char *text)
{
    const struct http_request *request = http_exchange_request(exchange);

    snprintf(last_body, sizeof(last_body), "%s",
             request->body != NULL ? request->body : "");
    snprintf(last_target, sizeof(last_target), "%s", request->target);
    http_reply(exchange, status, HTTP_TYPE_JSON, strdup(text), strlen(text));
}

static void route_members(struct http_exchange *exchange, void *data)
{
    (void)data;
    reply(exchange, 200,
          "{\"schema\":1,\"members\":["
          "{\"name\":\"host1\",\"addresses\":[\"100.104.70.1:7720\"],"
          "\"state\":\"alive\",\"self\":true,\"reachable\":true,\"rtt_us\":0,"
          "\"heard_ms_ago\":0,\"version\":\"0.1.0\"},"
          "{\"name\":\"host2\",\"addresses\":[\"100.104.70.2:7720\"],"
          "\"state\":\"alive\",\"self\":false,\"reachable\":false,"
          "\"rtt_us\":420,\"heard_ms_ago\":1300,\"version\":\"0.1.0\"},"
          "{\"name\":\"host3\",\"addresses\":[],\"state\":\"dead\","
          "\"self\":false,\"reachable\":false,\"rtt_us\":0,"
          "\"heard_ms_ago\":null,\"version\":null}]}");
}

static void route_health(struct http_exchange *exchange, void *data)
{
    (void)data;
    reply(exchange, 503,
          "{\"schema\":1,\"healthy\":false,\"problems\":[{\"id\":\"ovs\","
          "\"level\":\"fail\",\"text\":\"down\",\"next\":\"start it\"}]}");
}

static void route_service(struct http_exchange *exchange, void *data)
{
    (void)data;
    http_reply_problem(exchange, 404,
                       &(struct http_problem){.what = "there is no function x",
                                              .where = "/api/v1/services/x",
                                              .why = "nobody has it",
                                              .next = "did you mean y?"});
}

/* By the name of the port: one that is not there, one that is refused, one
 * whose instance does not answer. */
static void route_register(struct http_exchange *exchange, void *data)
{
    static const struct {
        const char *port;
        unsigned status;
        const char *answer;
    } answers[] = {
        {"veth9", 202,
         "\"instance\":\"veth9\",\"address\":\"100.80.0.1\","
         "\"converged\":false,\"reason\":\"pending: no port veth9 on "
         "socket\",\"service\":{\"state\":\"pending\"}}"},
        {"veth8", 202,
         "\"instance\":\"veth8\",\"address\":\"100.80.0.1\","
         "\"converged\":false,\"reason\":\"refused: 10.0.3.203 is the "
         "gateway\",\"service\":{\"state\":\"refused\"}}"},
        {"veth7", 201,
         "\"instance\":\"veth7\",\"address\":\"100.80.0.1\","
         "\"converged\":true,\"reason\":null,\"service\":{\"state\":"
         "\"critical\",\"reason\":\"tcp 10.0.3.203:6379: connection "
         "refused\"}}"},
        {"", 201,
         "\"instance\":\"veth1\",\"address\":\"100.80.0.1\","
         "\"converged\":true,\"reason\":null,\"service\":{\"state\":"
         "\"usable\"}}"},
    };
    const char *body = http_exchange_request(exchange)->body;
    char text[512];
    size_t i = 0;

    (void)data;
    while (strstr(body, answers[i].port) == NULL) {
        i++;
    }
    snprintf(text, sizeof(text),
             "{\"schema\":1,\"name\":\"redis\",\"took_us\":3400,%s",
             answers[i].answer);
    reply(exchange, answers[i].status, text);
}

static void route_deregister(struct http_exchange *exchange, void *data)
{
    (void)data;
    reply(exchange, 200,
          "{\"schema\":1,\"name\":\"vector-db\",\"instance\":\"a\","
          "\"address\":null,\"converged\":true,\"reason\":null,"
          "\"took_us\":900}");
}

static void route_token(struct http_exchange *exchange, void *data)
{
    (void)data;
    reply(exchange, 201,
          "{\"schema\":1,\"token\":\"snt2.abc\",\"expires\":\"soon\","
          "\"functions\":[\"*\"],\"cluster\":\"c\",\"peer\":\"1.2.3.4:7720\","
          "\"warning\":\"it allows every function\"}");
}

static void route_verify(struct http_exchange *exchange, void *data)
{
    (void)data;
    reply(exchange, 200,
          "{\"schema\":1,\"checked\":3,\"valid\":2,\"invalid\":[{\"kind\":"
          "\"service\",\"key\":\"redis/a\",\"writer\":\"host2\",\"fault\":"
          "\"the signature does not verify\"}],\"took_us\":200}");
}

static void route_forbidden(struct http_exchange *exchange, void *data)
{
    (void)data;
    http_reply_problem(exchange, 403,
                       &(struct http_problem){.what = "not allowed"});
}

static void route_events(struct http_exchange *exchange, void *data)
{
    static const char first[] =
        "{\"schema\":1,\"index\":1,\"time\":\"2025-03-01T12:00:00.123Z\","
        "\"kind\":\"member\",\"name\":\"host3\",\"state\":\"dead\","
        "\"was\":\"suspect\"}\n";
    static const char second[] =
        "{\"schema\":1,\"index\":2,\"time\":\"2025-03-01T12:00:01.456Z\","
        "\"kind\":\"odd\",\"count\":7}\n";

    (void)data;
    snprintf(last_target, sizeof(last_target), "%s",
             http_exchange_request(exchange)->target);
    http_stream_begin(exchange, HTTP_TYPE_NDJSON);
    /* A line in two chunks, and two lines in one. */
    http_stream_write(exchange, first, 20);
    http_stream_write(exchange, first + 20, sizeof(first) - 21);
    http_stream_write(exchange, second, sizeof(second) - 1);
    http_stream_end(exchange);
}

static void route_tokens(struct http_exchange *exchange, void *data)
{
    (void)data;
    reply(exchange, 200,
          "{\"schema\":1,\"left_out\":2,\"tokens\":["
          "{\"id\":\"00000000000000ab\",\"state\":\"open\",\"name\":null,"
          "\"mesh\":[],\"subnets\":[\"10.0.5.0/24\",\"10.0.6.0/24\"],"
          "\"functions\":[\"*\"],\"expires\":\"2025-03-01T12:00:00.000Z\","
          "\"used\":null,\"used_by\":null,\"wide\":true},"
          "{\"id\":\"00000000000000ac\",\"state\":\"used\","
          "\"name\":\"host2\",\"mesh\":[\"100.104.70.2\"],\"subnets\":[],"
          "\"functions\":[\"redis\"],"
          "\"expires\":\"2025-03-01T11:00:00.000Z\","
          "\"used\":\"2025-03-01T10:00:00.000Z\",\"used_by\":\"host2\","
          "\"wide\":false}]}");
}

static void route_revoke(struct http_exchange *exchange, void *data)
{
    (void)data;
    reply(exchange, 200, "{\"schema\":1,\"revoked\":\"00000000000000ab\"}");
}

static void route_policy(struct http_exchange *exchange, void *data)
{
    (void)data;
    reply(exchange, 200,
          "{\"schema\":1,\"node\":\"host2\",\"key\":\"02\",\"allowed\":false,"
          "\"checks\":[{\"what\":\"function\",\"asked\":\"redis\","
          "\"allowed\":true,\"reason\":\"name\",\"text\":\"it is named\","
          "\"record\":{\"kind\":\"certificate\",\"key\":\"host2\","
          "\"writer\":\"host1\"},\"service\":{\"text\":\"it is shared\"}},"
          "{\"what\":\"address\",\"asked\":\"10.0.9.1\",\"allowed\":false,"
          "\"reason\":\"left\",\"text\":\"it left\",\"record\":null,"
          "\"service\":null}]}");
}

static void route_never(struct http_exchange *exchange, void *data)
{
    (void)exchange;
    (void)data;
}

static const struct http_route routes[] = {
    {HTTP_VERB_GET, false, "/api/v1/members", route_members},
    {HTTP_VERB_GET, false, "/api/v1/health", route_health},
    {HTTP_VERB_GET, false, "/api/v1/services/:name", route_service},
    {HTTP_VERB_POST, true, "/api/v1/services", route_register},
    {HTTP_VERB_DELETE, true, "/api/v1/services/:name/:instance",
     route_deregister},
    {HTTP_VERB_POST, true, "/api/v1/tokens", route_token},
    {HTTP_VERB_GET, false, "/api/v1/tokens", route_tokens},
    {HTTP_VERB_DELETE, true, "/api/v1/tokens/:id", route_revoke},
    {HTTP_VERB_GET, false, "/api/v1/records/verify", route_verify},
    {HTTP_VERB_GET, false, "/api/v1/records", route_forbidden},
    {HTTP_VERB_GET, false, "/api/v1/events", route_events},
    {HTTP_VERB_GET, false, "/api/v1/policy/check", route_policy},
    {HTTP_VERB_GET, false, "/api/v1/status", route_never},
};

static int setup(void **state)
{
    struct http_fixture *fixture = malloc(sizeof(*fixture));

    http_fixture_start(fixture,
                       &(struct http_config){.routes = routes,
                                             .n_routes = ARRAY_SIZE(routes)});
    setenv("SOCKETNET_ADDR", fixture->address, 1);
    setenv("TZ", "UTC", 1);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    http_fixture_stop(*state);
    free(*state);
    return 0;
}

static const struct program_run *agentctl(const char *words)
{
    return program_fixture_run(ctl_main, "agentctl", words, -1);
}

static void assert_run(const char *words, int status, const char *out,
                       const char *err)
{
    program_fixture_assert(ctl_main, "agentctl", words, status, out, err);
}

static void test_members(void **state)
{
    const struct program_run *run = agentctl("members");

    (void)state;
    assert_int_equal(run->status, CTL_EXIT_OK);
    assert_string_equal(
        run->out,
        "NAME   ADDR               STATE              RTT     HEARD  VERSION\n"
        "host1  100.104.70.1:7720  alive              -       self   0.1.0\n"
        "host2  100.104.70.2:7720  alive,unreachable  0.42ms  1.3s   0.1.0\n"
        "host3  -                  dead               -       never  -\n");
    assert_string_equal(run->err, "");
}

static void test_formats(void **state)
{
    (void)state;
    assert_run("members -o json", 0, "{\n  \"schema\": 1,\n  \"members\": [",
               "");
    assert_run("-o jsonl members", 0, "{\"schema\":1,\"name\":\"host1\",", "");
    assert_run("members -o jsonl", 0, "}\n{\"schema\":1,\"name\":\"host3\",",
               "");
    assert_run("members -o yaml", CTL_EXIT_USAGE, "", "no output format yaml");
}

static void test_exit_codes(void **state)
{
    const struct http_fixture *fixture = *state;
    char words[256];

    assert_run("health", CTL_EXIT_FAILED, "FAIL ovs: down\n     next: start it",
               "");
    assert_run("service show x", CTL_EXIT_NOT_FOUND, "",
               "agentctl: there is no function x\n  why: nobody has it\n"
               "  next: did you mean y?\n");
    assert_run("service show x -o json", CTL_EXIT_NOT_FOUND, "",
               "{\"schema\":1,\"error\":{\"what\":\"there is no function x\"");
    assert_run("record ls", CTL_EXIT_DENIED, "", "not allowed");
    assert_run("record verify", CTL_EXIT_DENIED,
               "3 records checked, 2 valid, 1 not", "");
    assert_run("port ls", CTL_EXIT_NOT_FOUND, "", "nothing at this path");
    snprintf(words, sizeof(words), "members --addr unix:%s/none",
             fixture->directory);
    assert_run(words, CTL_EXIT_UNREACHABLE, "",
               "(no such file): is it running? start it with: agent run (or "
               "systemctl start socketnet)");
    assert_run("members --addr http://x", CTL_EXIT_USAGE, "",
               "unix:/PATH is meant");
    /* Options of every command may stand before it, with their values. */
    assert_run("--addr http://x members", CTL_EXIT_USAGE, "",
               "unix:/PATH is meant");
    assert_run("-q --addr=http://x members", CTL_EXIT_USAGE, "",
               "unix:/PATH is meant");
    assert_run("status --timeout 50ms", CTL_EXIT_UNREACHABLE, "",
               "time is over");
}

static void test_register(void **state)
{
    (void)state;
    assert_run("service register redis --port 6379 --address 10.0.3.203 "
               "--port-name veth1 --tag a --tag b --meta k=v --check tcp "
               "--interval 2s --weight 5",
               CTL_EXIT_OK,
               "registered redis/veth1, service address 100.80.0.1 (3.40ms)\n",
               "");
    assert_string_equal(
        last_body,
        "{\"name\":\"redis\",\"address\":\"10.0.3.203\","
        "\"port_name\":\"veth1\",\"port\":6379,\"weight\":5,"
        "\"tags\":[\"a\",\"b\"],\"meta\":{\"k\":\"v\"},"
        "\"check\":{\"type\":\"tcp\",\"interval\":\"2s\"},\"wait\":true}");
    assert_run("service deregister vector_db/x --instance a", CTL_EXIT_OK,
               "deregistered vector-db/a (0.90ms)\n", "");
    assert_string_equal(last_target, "/api/v1/services/vector_db%2Fx/a?wait=1");
}

/* "registered" stands only where it is so. */
static void test_register_without_effect(void **state)
{
    (void)state;
    assert_run("service register redis --port=6379 --address 10.0.3.203 "
               "--port-name veth9 --no-wait -q",
               CTL_EXIT_PENDING, "",
               "agentctl: redis/veth9 is registered on disk; this node's data "
               "plane follows by itself: pending: no port veth9 on socket\n");
    assert_non_null(strstr(last_body, "\"wait\":false"));
    assert_string_equal(
        agentctl("service register redis --port=6379 --address 10.0.3.203 "
                 "--port-name veth8")
            ->out,
        "");
    assert_run("service register redis --port=6379 --address 10.0.3.203 "
               "--port-name veth8",
               CTL_EXIT_FAILED, "",
               "agentctl: redis/veth8 is recorded, but not in use: refused: "
               "10.0.3.203 is the gateway\n"
               "  next: correct it and register it again, or: agentctl service "
               "deregister redis --instance veth8\n");
    assert_run("service register redis --port=6379 --address 10.0.3.203 "
               "--port-name veth7",
               CTL_EXIT_OK, "registered redis/veth7, service address",
               "agentctl: redis/veth7 gets no connection until its check "
               "passes: tcp 10.0.3.203:6379: connection refused\n");
}

#define KEY_64                                                                 \
    "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggg"

static void assert_register_bad(const char *options, const char *text)
{
    char words[512];
    char expected[512];

    (void)snprintf(words, sizeof(words), "service register %s", options);
    (void)snprintf(expected, sizeof(expected),
                   "agentctl service register: %s\nsee: agentctl service "
                   "register --help\n",
                   text);
    last_body[0] = '\0';
    assert_run(words, CTL_EXIT_USAGE, "", expected);
    assert_string_equal(last_body, ""); /* the agent was not asked */
}

static void test_register_bad(void **state)
{
    (void)state;
    assert_register_bad("redis --port 6379",
                        "--address: address is missing; give the address of "
                        "the container or host that serves it, as 10.0.3.203");
    assert_register_bad("redis --address 10.0.3.203",
                        "--port: port is missing; give the port it listens at, "
                        "1 to 65535, as 6379");
    assert_register_bad("redis --port 65536 --address 10.0.3.203",
                        "--port: port 65536 is not possible; give a whole "
                        "number from 1 to 65535");
    assert_register_bad("redis --port http --address 10.0.3.203",
                        "--port: port \"http\" is not possible; give a whole "
                        "number from 1 to 65535");
    assert_register_bad("-- -x --port 1 --address 10.0.3.203",
                        "--port is one argument too many");
    assert_register_bad("r_ --port 1 --address 10.0.3.203",
                        "NAME: name \"r_\" is not a name; names are DNS "
                        "labels: 1 to 63 letters, digits, '-' and '_', neither "
                        "of these at an end, as vector-db");
    assert_register_bad("a --port 1 --address 10.0.3.203 --port-name "
                        "veth123456789012",
                        "--port-name: port_name is 16 bytes long; give text of "
                        "at most 15 bytes, as veth203");
    assert_register_bad("a --port 1 --address 10.0.3.203 --tag x --tag -y",
                        "--tag: \"-y\" is not a tag; tags are DNS labels: 1 to "
                        "63 letters, digits, '-' and '_', neither of these at "
                        "an end, as eu-1");
    assert_register_bad("a --port 1 --address 10.0.3.203 --meta x",
                        "--meta x: expected KEY=VALUE with a key of 1 to 63 "
                        "letters, digits, '-' and '_', as --meta owner=data");
    assert_register_bad("a --port 1 --address 10.0.3.203 --meta =x",
                        "--meta =x: expected KEY=VALUE with a key of 1 to 63 "
                        "letters, digits, '-' and '_', as --meta owner=data");
    assert_register_bad("a --port 1 --address 10.0.3.203 --meta " KEY_64 "=x",
                        "--meta " KEY_64 "=x: expected KEY=VALUE with a key of "
                        "1 to 63 letters, digits, '-' and '_', as --meta "
                        "owner=data");
    assert_register_bad("a --port 1 --address 10.0.3.203 --check http",
                        "--check: there is no check of type \"http\"; give "
                        "tcp, or leave the check out");
    assert_register_bad("a --port 1 --address 10.0.3.203 --check tcp "
                        "--interval 10ms",
                        "--interval: check.interval \"10ms\" is not possible; "
                        "give a duration from 100ms to 3600s, as 500ms, 5s or "
                        "2m");
    assert_register_bad("a --port 1 --address 10.0.3.203 --interval 1s",
                        "--interval is of a check: add --check tcp");
}

/* Who one is, who may, and what to do. */
static void test_denied(void **state)
{
    const struct http_fixture *fixture = *state;
    char path[256];
    char text[512];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/denied", fixture->directory);
    ctl_denied(path, 0, text);
    assert_string_equal(text, "you are root (uid 0), and a directory above it "
                              "is not open to you: use sudo");
    fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    if (fchown(fd, 4000123, 4000124) == 0) { /* that is, as root */
        ctl_denied(path, 4000125, text);
        assert_string_equal(text,
                            "you are 4000125 (uid 4000125), it is open to root "
                            "and 4000123 and the group 4000124: use sudo, or "
                            "join the group (usermod -aG 4000124 4000125) and "
                            "log in anew");
        assert_int_equal(fchown(fd, 0, 0), 0);
        ctl_denied(path, 65534, text);
        assert_string_equal(text, "you are nobody (uid 65534), it is open to "
                                  "root: use sudo");
    }
    assert_int_equal(close(fd), 0);
    assert_int_equal(unlink(path), 0);
}

static void test_usage(void **state)
{
    char words[700];

    (void)state;
    assert_run("membres", CTL_EXIT_USAGE, "", "did you mean members?");
    assert_run("service regster", CTL_EXIT_USAGE, "",
               "there is no command service regster; did you mean service "
               "register?\n");
    assert_run("service lst", CTL_EXIT_USAGE, "", "did you mean service ls?");
    assert_run("servise ls", CTL_EXIT_USAGE, "", "did you mean service ls?");
    assert_run("service", CTL_EXIT_USAGE, "", "service register");
    assert_run("", CTL_EXIT_USAGE, "", "Usage: agentctl COMMAND");
    assert_run("members --versoin", CTL_EXIT_USAGE, "",
               "unknown option --versoin");
    assert_run("service register redis --prto 1", CTL_EXIT_USAGE, "",
               "unknown option --prto; did you mean --port?\n"
               "see: agentctl service register --help");
    (void)snprintf(words, sizeof(words), "resolve %0600d", 0);
    assert_run(words, CTL_EXIT_USAGE, "",
               "... is no function: a name has at most 63 characters\n");
    assert_run("members extra", CTL_EXIT_USAGE, "", "one argument too many");
    assert_run("resolve", CTL_EXIT_USAGE, "", "agentctl resolve NAME");
    assert_run("--port 5 service ls", CTL_EXIT_USAGE, "",
               "give the command first");
    assert_run("members --timeout soon", CTL_EXIT_USAGE, "", "no duration");
    assert_run("service register --help", CTL_EXIT_OK, "--port-name P", "");
    assert_run("help token create", CTL_EXIT_OK, "--ttl D", "");
    assert_run("service --help", CTL_EXIT_OK, "service deregister", "");
    assert_run("--help", CTL_EXIT_OK, "Exit status:", "");
    assert_run("--version", CTL_EXIT_OK, "agentctl ", "");
}

static void test_token(void **state)
{
    const struct program_run *run =
        agentctl("token create --ttl 10m --function redis");

    (void)state;
    assert_int_equal(run->status, CTL_EXIT_OK);
    assert_string_equal(run->out, "snt2.abc\n");
    assert_non_null(strstr(run->err, "agent join 1.2.3.4:7720 --token"));
    assert_non_null(strstr(run->err, "warning: it allows every function"));
    assert_string_equal(last_body, "{\"functions\":[\"redis\"],\"ttl_s\":600}");
}

static void test_tokens(void **state)
{
    (void)state;
    assert_run("token ls", CTL_EXIT_OK,
               "ID                STATE  FOR    MESH          SUBNETS          "
               "         FUNCTIONS  EXPIRES              USED-BY\n"
               "00000000000000ab  open   any    any           10.0.5.0/24, "
               "10.0.6.0/24  *          2025-03-01T12:00:00  -\n"
               "00000000000000ac  used   host2  100.104.70.2  any              "
               "         redis      2025-03-01T11:00:00  host2\n",
               "2 more are not shown");
    assert_run("token revoke 00000000000000ab", CTL_EXIT_OK,
               "revoked 00000000000000ab: nobody can join with it\n", "");
    assert_string_equal(last_target, "/api/v1/tokens/00000000000000ab");
    assert_run("token revoke", CTL_EXIT_USAGE, "", "agentctl token revoke ID");
}

static void test_events(void **state)
{
    (void)state;
    assert_run("events --since 7", 0,
               "12:00:00.123 member host3 dead, was suspect\n"
               "12:00:01.456 odd count=7\n",
               "");
    assert_string_equal(last_target, "/api/v1/events?follow=1&since=7");
    assert_run("events --no-follow -o jsonl", 0,
               "\"was\":\"suspect\"}\n{\"schema\":1,\"index\":2,", "");
    assert_string_equal(last_target, "/api/v1/events?follow=0");
    assert_run("events --since x", CTL_EXIT_USAGE, "", "no index");
}

/* What answers there does not speak HTTP, or says nothing. */
static void test_policy(void **state)
{
    const struct program_run *run =
        agentctl("policy check --node host2 --function redis --address "
                 "10.0.9.1 --subnet 10.0.9.0/24 --intent a&b");

    (void)state;
    assert_int_equal(run->status, CTL_EXIT_DENIED);
    assert_string_equal(
        run->out,
        "ANSWER   ASKED             DECIDED-BY                  WHY\n"
        "allowed  function redis    certificate host2 by host1  it is named; "
        "it is shared\n"
        "denied   address 10.0.9.1  -                           it left\n");
    assert_string_equal(last_target,
                        "/api/v1/policy/check?node=host2&function=redis&"
                        "address=10.0.9.1&subnet=10.0.9.0%2F24&intent=a%26b");
    assert_run("policy check --node host2 --function a -o json",
               CTL_EXIT_DENIED, "\"allowed\": false", "");
    assert_run("policy check --node host2", CTL_EXIT_USAGE, "",
               "nothing is asked: give --function, --address, --subnet or "
               "--intent");
    assert_run("policy check --function a", CTL_EXIT_USAGE, "",
               "give --node NODE");
    assert_run("policy", CTL_EXIT_USAGE, "", "policy check");
}

static void test_strange_servers(void **state)
{
    const struct http_fixture *fixture = *state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct ctl_answer answer;
    char text[128];
    char *error = NULL;
    pid_t pid;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s/strange",
             fixture->directory);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 4), 0);
    pid = fork();
    if (pid == 0) {
        static const char ssh[] = "SSH-2.0-OpenSSH_9.2\r\n";
        int client = accept(fd, NULL, NULL);

        (void)!write(client, ssh, sizeof(ssh) - 1);
        close(client);
        client = accept(fd, NULL, NULL);
        close(client);
        _exit(0);
    }
    snprintf(text, sizeof(text), "unix:%s", address.sun_path);
    assert_int_equal(ctl_client_ask(&(struct ctl_request){.address = text,
                                                          .method = "GET",
                                                          .target = "/"},
                                    &answer, &error),
                     CTL_E_PROTOCOL);
    assert_non_null(strstr(error, "no agent"));
    free(error);
    error = NULL;
    assert_int_equal(ctl_client_ask(&(struct ctl_request){.address = text,
                                                          .method = "GET",
                                                          .target = "/"},
                                    &answer, &error),
                     CTL_E_UNREACHABLE);
    assert_non_null(strstr(error, "before it answered"));
    free(error);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    close(fd);
    unlink(address.sun_path);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_members),
        TEST(test_formats),
        TEST(test_exit_codes),
        TEST(test_register),
        TEST(test_usage),
        TEST(test_token),
        TEST(test_register_without_effect),
        TEST(test_usage),
        TEST(test_token),
        TEST(test_register_bad),
        TEST(test_denied),
        TEST(test_usage),
        TEST(test_token),
        TEST(test_tokens),
        TEST(test_events),
        TEST(test_policy),
        TEST(test_strange_servers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
