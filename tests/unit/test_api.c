/*
 * The API without memory: every GET route is asked with the n-th allocation
 * failing, for every n, and with all from the n-th on.  The answer is whole or
 * 500 with the reason, never shorter; nothing leaks (the sanitizer says).
 *
 * Routes, HTTP and catalogue are the real ones, on a node, a worker and
 * services of the test's own.
 */
#include <ctype.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>
#include <jansson.h>

#include "agent/api/api.h"
#include "agent/catalog/catalog.h"
#include "agent/config/config.h"
#include "agent/core/core.h"
#include "agent/core/events.h"
#include "agent/core/worker_link.h"
#include "agent/identity/identity.h"
#include "agent/identity/token_ledger.h"
#include "agent/join/join_provision.h"
#include "agent/join/join_token.h"
#include "agent/services/services.h"
#include "gossip/base/text.h"
#include "tests/unit/charter_sample.h"
#include "tests/unit/fake_node.h"
#include "tests/unit/heap.h"
#include "tests/unit/records.h"

/* Allocations of one request at most; past it the loop does not end. */
#define ALLOCATIONS_MAX 5000
/* Those before the request is whole: no answer can follow one that fails. */
#define ALLOCATIONS_HTTP 8

/* The end of most certificates. */
#define END_S UINT64_C(4000000000)

static struct node_member *third;
static char directory[] = "/tmp/test_api.XXXXXX";
static uv_loop_t loop;
static struct config config;
static struct identity identity;
static struct core core;
static struct api *api;
static struct worker_status worker = {.is_connected = true,
                                      .is_ovs_up = true,
                                      .ovs_text = "Open vSwitch 3.1 \xff",
                                      .tunnel_text = "no device",
                                      .sent_number = 3,
                                      .applied_number = 2,
                                      .applied_us = 1000,
                                      .applied_error = "no room"};

/* --- What the routes ask of the rest of the process. ---------------------- */

const struct worker_status *worker_link_status(const struct worker_link *link)
{
    (void)link;
    return &worker;
}

const char *worker_link_port_problem(const struct worker_link *link,
                                     const char *port_name)
{
    (void)link;
    return strcmp(port_name, "veth1") == 0 ? "no port veth1 on socket" : "";
}

const char *worker_link_dead_port(const struct worker_link *link, size_t index)
{
    (void)link;
    return index == 0 ? "veth9" : NULL;
}

const char *worker_link_refusal(const struct worker_link *link,
                                const struct address *address,
                                const char *function, uint8_t protocol,
                                uint16_t port)
{
    (void)link;
    (void)address;
    (void)protocol;
    (void)port;
    return strcmp(function, "broken") == 0 ? "it is broken" : "";
}

void worker_link_query(struct worker_link *link, const char *name,
                       worker_reply_fn fn, void *data)
{
    static const char list[] = "[{\"a\": 1}, {\"b\": [2, 3]}]";
    static const char object[] =
        "{\"flows\": [{\"c\": \"d\"}], \"groups\": []}";
    const char *json = strcmp(name, "flows") == 0 ? object : list;

    (void)link;
    fn(0, json, strlen(json), data);
}

int core_write(struct core *to, uint8_t kind, const uint8_t *key,
               size_t key_size, const uint8_t *body, size_t body_size,
               core_written_fn done, void *data)
{
    (void)to;
    (void)kind;
    (void)key;
    (void)key_size;
    (void)body;
    (void)body_size;
    (void)done;
    (void)data;
    return NODE_E_NOT_ALLOWED; /* nothing is written here */
}

/* Records handed in: what is said of each, and who waits. */
static struct {
    enum node_offer_result results[4];
    size_t n;
    core_offered_fn done[4];
    void *data[4];
    int error; /* of the disk */
} offers;

int core_offer(struct core *to, const uint8_t *bytes, size_t size,
               core_offered_fn done, void *data,
               enum node_offer_result *ret_result)
{
    (void)to;
    (void)bytes;
    (void)size;
    assert_true(offers.n < ARRAY_SIZE(offers.results));
    *ret_result = offers.results[offers.n];
    offers.done[offers.n] = *ret_result <= NODE_OFFER_KNOWN ? done : NULL;
    offers.data[offers.n] = data;
    offers.n++;
    return 0;
}

static void commit_offers(void)
{
    for (size_t i = 0; i < offers.n; i++) {
        if (offers.done[i] != NULL) {
            offers.done[i](NULL, offers.error, offers.data[i]);
        }
    }
    offers.n = 0;
}

void worker_link_when_applied(struct worker_link *link, worker_applied_fn fn,
                              void *data)
{
    (void)link;
    fn(0, data);
}

const char *services_problem(const struct services *services)
{
    (void)services;
    return "a.json: not a JSON object";
}

const char *services_check_text(const struct services *services,
                                const char *function, const char *instance)
{
    (void)services;
    (void)function;
    (void)instance;
    return "connection refused";
}

int services_register(struct services *services,
                      const struct registration *registration,
                      services_done_fn done, void *data, char **ret_problem)
{
    (void)services;
    (void)registration;
    (void)done;
    (void)data;
    *ret_problem = NULL;
    return -ENOMEM;
}

int services_deregister(struct services *services, const char *function,
                        const char *instance, services_done_fn done, void *data,
                        char **ret_problem)
{
    (void)services;
    (void)function;
    (void)instance;
    (void)done;
    (void)data;
    *ret_problem = NULL;
    return -ENOMEM;
}

int join_token_create(struct core *to, const struct join_token_wish *wish,
                      join_token_fn done, void *data, char **ret_problem)
{
    (void)wish;
    (void)to;
    (void)done;
    (void)data;
    *ret_problem = NULL;
    return -ENOMEM;
}

int join_token_list(struct core *to, join_token_list_fn done, void *data)
{
    struct store_token tokens[] = {
        {.id = {1}, .expires_s = 1, .functions = {"*"}, .n_functions = 1},
        {.id = {2},
         .expires_s = 2,
         .used_s = 1,
         .name = "host2",
         .mesh = {{4, {100, 104, 70, 2}}},
         .n_mesh = 1,
         .subnets = {{{4, {10, 0, 2}}, 24}},
         .n_subnets = 1},
    };

    (void)to;
    memset(tokens[1].used_by, 2, sizeof(tokens[1].used_by));
    done(0, tokens, ARRAY_SIZE(tokens), 3, data);
    return 0;
}

int join_token_revoke(struct core *to, const uint8_t id[STORE_TOKEN_ID_SIZE],
                      join_token_revoke_fn done, void *data)
{
    (void)to;
    (void)id;
    done(STORE_E_NOT_FOUND, data);
    return 0;
}

int join_provision_issue(struct core *to, const uint8_t *request, size_t size,
                         const char *const *functions, size_t n_functions,
                         const struct token_bounds *bounds,
                         join_provision_fn done, void *data, char **ret_problem)
{
    (void)to;
    (void)request;
    (void)size;
    (void)functions;
    (void)n_functions;
    (void)bounds;
    (void)done;
    (void)data;
    *ret_problem = NULL;
    return -ENOMEM;
}

int core_leave(struct core *to_leave)
{
    (void)to_leave;
    return -ENOMEM;
}

/* --- The stage. ------------------------------------------------------------
 */

static void put_services(struct node *node)
{
    struct body_service service = fake_service("redis", "10.0.2.203", 6379);

    service.n_tags = 2;
    (void)snprintf(service.tags[0], BODY_NAME_SIZE, "blue");
    (void)snprintf(service.tags[1], BODY_NAME_SIZE, "green");
    service.n_meta = 1;
    (void)snprintf(service.meta[0].key, sizeof(service.meta[0].key), "owner");
    (void)snprintf(service.meta[0].value, sizeof(service.meta[0].value), "me");
    fake_node_service(node, 2, &service);
    service = fake_service("redis", "10.0.1.7", 6379);
    (void)snprintf(service.port_name, sizeof(service.port_name), "veth1");
    fake_node_service(node, 1, &service);
    service = fake_service("redis", "10.0.3.1", 6379);
    service.health = BODY_HEALTH_CRITICAL;
    fake_node_service(node, 3, &service);
    service = fake_service("broken", "10.0.1.8", 80);
    fake_node_service(node, 1, &service);
    fake_node_function(node, 1, "empty", NULL);
}

/* Functions with an address each of another right, for policy/check. */
static void put_rights(void)
{
    struct body_function claim = {.name = "claimed", .is_claim = true};
    struct body_service service = fake_service("solo", "10.0.2.9", 80);
    struct node_member host2;
    uint8_t key[32];
    struct address address;
    char text[ADDRESS_TEXT_SIZE];

    memset(key, 2, sizeof(key));
    assert_true(node_member_find(core.node, key, &host2));
    (void)snprintf(fake_node_certificate(&host2)->functions[1], BODY_NAME_SIZE,
                   "Solo");
    fake_node_certificate(&host2)->n_functions = 2;
    fake_node_service(core.node, 2, &service);
    catalog_slot_address(core.catalog, claim.name, 0, &claim.address);
    fake_node_claim(core.node, 1, &claim);
    service = fake_service("claimed", "10.0.2.10", 80);
    fake_node_service(core.node, 2, &service);
    fake_node_function(core.node, 1, "declared", "100.80.0.9");
    catalog_slot_address(core.catalog, "wanted", 0, &address);
    fake_node_function(core.node, 1, "squatter", address_text(&address, text));
}

/* A member that left, with a certificate until then. */
static void put_former(uint8_t number, const char *name, uint64_t not_after_s)
{
    struct node_member *member = fake_node_member(core.node, number);
    struct body_certificate *certificate = fake_node_certificate(member);

    (void)snprintf(certificate->name, sizeof(certificate->name), "%s", name);
    certificate->not_after_s = not_after_s;
    member->state = NODE_MEMBER_LEFT;
}

/* One of generation 1; whoever signs it is the genesis' root. */
static void put_charter(uint8_t number)
{
    static const uint8_t cluster[RECORD_CLUSTER_SIZE] = {1};
    struct test_writer root = test_writer_make(9);
    struct charter_sample sample = charter_sample_make(
        cluster, root.secret,
        &(const struct charter_ranges){
            .containers = {"10.0.0.0/8", number == 0 ? NULL : "192.168.0.0/16"},
            .mesh = {"100.104.0.0/16"},
            .services = {"100.80.0.0/12"}});

    memcpy(identity.genesis.roots[0], root.public, 32);
    identity.genesis.n_roots = 1;
    identity.genesis.threshold = 1;
    fake_node_charter(core.node, sample.bytes, sample.size);
}

static int setup(void **state)
{
    static const uint8_t cluster[RECORD_CLUSTER_SIZE] = {1};
    static char zone[] = "mesh.internal", bridge[] = "socket";
    struct prefix range;
    char *text = NULL;

    (void)state;
    json_set_alloc_funcs(malloc, free);
    (void)signal(SIGPIPE, SIG_IGN);
    assert_non_null(mkdtemp(directory));
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(prefix_parse("100.80.0.0/12", &range), 0);
    config = (struct config){
        .zone = zone, .bridge = bridge, .run_dir = directory, .mesh_port = 1};
    assert_int_equal(address_parse("100.104.70.1", &config.mesh), 0);
    (void)snprintf(identity.body.name, sizeof(identity.body.name), "host1");
    memset(identity.sign_public, 1, sizeof(identity.sign_public));
    core = (struct core){.loop = &loop,
                         .config = &config,
                         .identity = &identity,
                         .worker = (struct worker_link *)(void *)&worker,
                         .node = fake_node_new()};
    for (uint8_t i = 1; i <= 4; i++) {
        struct node_member *member = fake_node_member(core.node, i);

        member->is_heard = i != 4;
        fake_node_certificate(member)->not_after_s = i != 4 ? END_S : 20;
        fake_node_certificate(member)->serial = i;
        third = i == 3 ? member : third;
    }
    put_charter(0);
    fake_node_revoke(core.node, 2, 3, "stolen");
    put_former(5, "Host2", 10);
    put_former(6, "gone", 10);
    put_former(7, "gone", 30);
    put_former(8, "gone", 20);
    put_services(core.node);
    assert_int_equal(catalog_new(cluster, &range, &core.catalog), 0);
    put_rights();
    assert_int_equal(catalog_rebuild(core.catalog, core.node), 0);
    assert_int_equal(events_new(&core.events), 0);
    events_publish(core.events, "member", "{\"name\":\"host2\"}");
    events_publish(core.events, "ovs", "{\"up\":true}");
    assert_int_equal(api_new(&core, NULL, &api, &text), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    (void)heap_off();
    api = api_free(api);
    while (uv_run(&loop, UV_RUN_NOWAIT) != 0) {
    }
    assert_int_equal(uv_loop_close(&loop), 0);
    core.events = events_free(core.events);
    core.catalog = catalog_free(core.catalog);
    fake_node_free(core.node);
    return rmdir(directory);
}

/* Asks, and runs the loop until the other end has closed. */
static void ask_for(const char *method, const char *target, const char *body,
                    char *answer, size_t size)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    static char request[1u << 16];
    size_t used = 0;
    ssize_t n = -1;

    assert_true(fd >= 0);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/api.sock",
                   directory);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)),
                     0);
    (void)snprintf(request, sizeof(request),
                   "%s %s HTTP/1.1\r\nConnection: close\r\n"
                   "Content-Length: %zu\r\n\r\n%s",
                   method, target, strlen(body), body);
    assert_int_equal(send(fd, request, strlen(request), 0), strlen(request));
    for (int i = 0; i < 100000 && n != 0; i++) {
        (void)uv_run(&loop, UV_RUN_NOWAIT);
        n = recv(fd, answer + used, size - 1 - used, MSG_DONTWAIT);
        if (i > 50 && offers.n > 0) {
            assert_int_equal(used, 0); /* no answer before the disk's */
            commit_offers();
        }
        if (n < 0 && errno == ECONNRESET) {
            n = 0;
        }
        used += n > 0 ? (size_t)n : 0;
    }
    answer[used] = '\0';
    (void)close(fd);
    if (n != 0) {
        fail_msg("%s: no end after %zu bytes", target, used);
    }
    (void)uv_run(&loop, UV_RUN_NOWAIT); /* what closes goes */
}

static void ask(const char *target, char *answer, size_t size)
{
    ask_for("GET", target, "", answer, size);
}

/* Times and counts differ from one asking to the next; each number becomes
 * one '#'. */
static void squash(char *text)
{
    char *to = text;

    for (const char *at = text; *at != '\0'; at++) {
        if (!isdigit((unsigned char)*at)) {
            *to++ = *at;
        } else if (to == text || to[-1] != '#') {
            *to++ = '#';
        }
    }
    *to = '\0';
}

static void assert_problem(const char *target, const char *answer)
{
    const char *body = strstr(answer, "\r\n\r\n");
    json_auto_t *root = NULL;
    const json_t *error;

    if (strncmp(answer, "HTTP/1.1 500 ", 13) == 0 && body != NULL) {
        root = json_loads(body + 4, 0, NULL);
    }
    error = json_object_get(root, "error");
    if (!json_is_string(json_object_get(error, "what")) ||
        !json_is_string(json_object_get(error, "why"))) {
        fail_msg("%s: neither whole nor 500 with the reason: %s", target,
                 answer);
    }
}

/* The body of an answer. */
static json_t *ask_json(const char *target)
{
    static char answer[1u << 18];
    const char *body;
    json_t *root;

    ask(target, answer, sizeof(answer));
    body = strstr(answer, "\r\n\r\n");
    assert_non_null(body);
    root = json_loads(body + 4, 0, NULL);
    assert_non_null(root);
    return root;
}

/* By name; one that left only until another has its name, and of several that
 * left the last. */
static void test_members(void **state)
{
    static const char *const expected[] = {"gone", "host1", "host2", "host3",
                                           "host4"};
    json_auto_t *root = ask_json("/api/v1/members");
    const json_t *members = json_object_get(root, "members");

    (void)state;
    assert_int_equal(json_array_size(members), ARRAY_SIZE(expected));
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
        const json_t *member = json_array_get(members, i);
        const char *name = json_string_value(json_object_get(member, "name"));

        assert_string_equal(name, expected[i]);
    }
    assert_string_equal(json_string_value(json_object_get(
                            json_array_get(members, 0), "not_after")),
                        "1970-01-01T00:00:30.000Z");
}

/* Alive by the store alone: said of the member, and counted. */
static void test_not_heard(void **state)
{
    json_auto_t *root = ask_json("/api/v1/members");
    json_auto_t *status = ask_json("/api/v1/status");
    json_auto_t *counts =
        json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i}", "unknown", 0,
                  "alive", 3, "suspect", 0, "dead", 0, "paused", 0, "left", 4,
                  "removed", 0, "not-heard", 1);
    const json_t *host4 = json_array_get(json_object_get(root, "members"), 4);
    static char metrics[1u << 16];

    (void)state;
    assert_string_equal(json_string_value(json_object_get(host4, "name")),
                        "host4");
    assert_string_equal(json_string_value(json_object_get(host4, "state")),
                        "not-heard");
    assert_true(json_is_false(json_object_get(host4, "heard")));
    assert_true(json_equal(json_object_get(status, "members"), counts));
    ask("/metrics", metrics, sizeof(metrics));
    assert_non_null(strstr(metrics, "socketnet_members{state=\"alive\"} 3\n"));
    assert_non_null(
        strstr(metrics, "socketnet_members{state=\"not-heard\"} 1\n"));
}

/* The problem of that id in the status, or NULL. */
static const json_t *find_problem(const json_t *status, const char *id)
{
    const json_t *problems = json_object_get(status, "problems");
    const json_t *problem;
    size_t i;

    json_array_foreach (problems, i, problem) {
        if (strcmp(json_string_value(json_object_get(problem, "id")), id) ==
            0) {
            return problem;
        }
    }
    return NULL;
}

/* Another writes with our key: unhealthy, with who showed it and what to do. */
static void test_twin(void **state)
{
    json_auto_t *before = ask_json("/api/v1/status");
    json_auto_t *status = NULL;
    const json_t *problem;
    uint8_t source[32];

    (void)state;
    assert_null(find_problem(before, "twin"));
    memset(source, 2, sizeof(source));
    fake_node_set_trouble(core.node, NODE_TROUBLE_TWIN, source);
    status = ask_json("/api/v1/status");
    fake_node_set_trouble(core.node, NODE_TROUBLE_NONE, source);
    problem = find_problem(status, "twin");
    assert_non_null(problem);
    assert_string_equal(json_string_value(json_object_get(problem, "level")),
                        "fail");
    assert_non_null(strstr(json_string_value(json_object_get(problem, "text")),
                           "host2 (100.104.70.2:7720) showed it"));
    assert_true(json_is_false(json_object_get(status, "healthy")));
}

/* Both records that prove it, and a word in the status. */
static void test_evidence(void **state)
{
    uint8_t nobody[32] = {0};
    json_auto_t *before = ask_json("/api/v1/evidence");
    json_auto_t *after = NULL;
    json_auto_t *status = NULL;
    const json_t *evidence;

    (void)state;
    assert_int_equal(json_array_size(json_object_get(before, "evidence")), 0);
    fake_node_evidence(core.node, 2);
    after = ask_json("/api/v1/evidence");
    evidence = json_array_get(json_object_get(after, "evidence"), 0);
    assert_string_equal(json_string_value(json_object_get(evidence, "writer")),
                        "host2");
    assert_int_equal(json_array_size(json_object_get(evidence, "records")), 2);
    assert_string_not_equal(
        json_string_value(json_object_get(
            json_array_get(json_object_get(evidence, "records"), 0), "id")),
        json_string_value(json_object_get(
            json_array_get(json_object_get(evidence, "records"), 1), "id")));
    fake_node_set_trouble(core.node, NODE_TROUBLE_FROZEN, nobody);
    status = ask_json("/api/v1/status");
    fake_node_set_trouble(core.node, NODE_TROUBLE_NONE, nobody);
    assert_non_null(find_problem(status, "frozen"));
    assert_true(json_is_false(json_object_get(status, "healthy")));
}

/* All hosts say who froze the cluster, and what for. */
static void test_hold(void **state)
{
    json_auto_t *status = NULL;
    const json_t *problem;

    (void)state;
    fake_node_hold(core.node, true);
    status = ask_json("/api/v1/status");
    fake_node_hold(core.node, false);
    problem = find_problem(status, "cluster-frozen");
    assert_non_null(problem);
    assert_non_null(strstr(json_string_value(json_object_get(problem, "text")),
                           "host2 froze the cluster for a new switch"));
}

/* An unused token that would let anybody in. */
static void test_wide_token(void **state)
{
    struct store_token token = {.id = {0xab},
                                .expires_s = core_wall_ms(&core) / 1000 + 600,
                                .functions = {"redis"},
                                .n_functions = 1};
    json_auto_t *wide = NULL;
    json_auto_t *used = NULL;
    const json_t *problem;

    (void)state;
    assert_int_equal(token_ledger_new(&core.tokens), 0);
    assert_int_equal(token_ledger_put(core.tokens, &token, 1), 0);
    wide = ask_json("/api/v1/status");
    token.used_s = 1;
    token_ledger_use(core.tokens, &token);
    used = ask_json("/api/v1/status");
    core.tokens = token_ledger_free(core.tokens);
    problem = find_problem(wide, "wide-token");
    assert_non_null(problem);
    assert_string_equal(json_string_value(json_object_get(problem, "level")),
                        "warn");
    assert_non_null(strstr(json_string_value(json_object_get(problem, "next")),
                           "agentctl token revoke ab00000000000000"));
    assert_null(find_problem(used, "wide-token"));
}

/* Who a token is for, and what became of it; never its secret. */
static void test_tokens(void **state)
{
    json_auto_t *root = ask_json("/api/v1/tokens");
    const json_t *tokens = json_object_get(root, "tokens");
    const json_t *used = json_array_get(tokens, 1);
    const json_t *open = json_array_get(tokens, 0);

    (void)state;
    assert_int_equal(json_integer_value(json_object_get(root, "left_out")), 3);
    assert_int_equal(json_array_size(tokens), 2);
    assert_string_equal(json_string_value(json_object_get(open, "state")),
                        "expired");
    assert_true(json_is_true(json_object_get(open, "wide")));
    assert_string_equal(json_string_value(json_object_get(used, "id")),
                        "0200000000000000");
    assert_string_equal(json_string_value(json_object_get(used, "used_by")),
                        "host2");
    assert_string_equal(json_string_value(json_object_get(used, "state")),
                        "used");
    assert_string_equal(
        json_string_value(json_array_get(json_object_get(used, "subnets"), 0)),
        "10.0.2.0/24");
    assert_null(json_object_get(used, "secret"));
}

/* --- Who is certified, and by which charter
 * ------------------------------------
 */

static const json_t *named(const json_t *list, const char *name)
{
    const json_t *one;
    size_t i;

    json_array_foreach (list, i, one) {
        if (strcmp(json_string_value(json_object_get(one, "name")), name) ==
            0) {
            return one;
        }
    }
    return NULL;
}

static const char *member_text(const json_t *one, const char *key)
{
    return json_string_value(json_object_get(one, key));
}

static void test_certificates(void **state)
{
    json_auto_t *root = ask_json("/api/v1/certificates");
    const json_t *list = json_object_get(root, "certificates");
    const json_t *one = named(list, "host2");
    json_auto_t *after = NULL;
    uint8_t raw[LIMIT_RECORD_SIZE];
    struct record record;
    const char *hex;

    (void)state;
    assert_int_equal(json_array_size(list), 8);
    assert_non_null(one);
    assert_string_equal(member_text(one, "state"), "in-force");
    assert_string_equal(member_text(one, "issuer"), "host1");
    assert_string_equal(member_text(one, "serial"), "0000000000000002");
    assert_string_equal(member_text(one, "not_after"),
                        "2096-10-02T07:06:40.000Z");
    hex = member_text(one, "raw");
    assert_int_equal(text_to_bytes(hex, strlen(hex), raw, strlen(hex) / 2), 0);
    assert_int_equal(record_parse(raw, strlen(hex) / 2, &record), 0);
    assert_int_equal(record.kind, RECORD_CERTIFICATE);
    assert_string_equal(member_text(named(list, "host4"), "state"), "expired");
    third->denial = NODE_DENIAL_REVOKED;
    after = ask_json("/api/v1/certificates/host3");
    third->denial = NODE_DENIAL_NONE;
    assert_string_equal(
        member_text(json_object_get(after, "certificate"), "state"), "revoked");
}

/* By key exactly; of a name the one that counts. */
static void test_certificate_of(void **state)
{
    static char answer[1u << 14];
    char target[128] = "/api/v1/certificates/";
    json_auto_t *root = ask_json("/api/v1/certificates/gone");
    json_auto_t *by_key = NULL;

    (void)state;
    assert_string_equal(
        member_text(json_object_get(root, "certificate"), "not_after"),
        "1970-01-01T00:00:30.000Z");
    for (size_t i = 0; i < 32; i++) {
        (void)strcat(target, "06");
    }
    by_key = ask_json(target);
    assert_string_equal(
        member_text(json_object_get(by_key, "certificate"), "not_after"),
        "1970-01-01T00:00:10.000Z");
    ask("/api/v1/certificates/host5", answer, sizeof(answer));
    assert_memory_equal(answer, "HTTP/1.1 404", 12);
    assert_non_null(strstr(answer, "did you mean"));
}

/* --- What a node may do. ---------------------------------------------------
 */

#define POLICY "/api/v1/policy/check?node="

/* The first thing that is said of what is asked, borrowed from `root`. */
static const json_t *check_of(const json_t *root)
{
    return json_array_get(json_object_get(root, "checks"), 0);
}

/* "kind key" is how the one that decides begins; NULL: there is none. */
static void check_record(const json_t *record, const char *begin)
{
    char text[160];

    if (begin == NULL) {
        assert_true(json_is_null(record));
        return;
    }
    (void)snprintf(text, sizeof(text), "%s %s", member_text(record, "kind"),
                   member_text(record, "key"));
    assert_memory_equal(text, begin, strlen(begin));
}

/* What is asked is answered so, by such a record, in words that contain this;
 * `record` NULL: by none. */
static void assert_policy(const char *query, bool is_allowed,
                          const char *reason, const char *record,
                          const char *text)
{
    char target[512];
    json_auto_t *root = NULL;
    const json_t *check;

    (void)snprintf(target, sizeof(target), POLICY "%s", query);
    root = ask_json(target);
    check = check_of(root);
    assert_non_null(check);
    assert_string_equal(member_text(check, "reason"), reason);
    assert_int_equal(json_is_true(json_object_get(check, "allowed")),
                     is_allowed);
    assert_int_equal(json_is_true(json_object_get(root, "allowed")),
                     is_allowed);
    check_record(json_object_get(check, "record"), record);
    if (strstr(member_text(check, "text"), text) == NULL) {
        fail_msg("%s: %s", query, member_text(check, "text"));
    }
}

/* Whatever is asked of a node of which nothing counts is denied, by the record
 * that took it out. */
static void test_policy_out(void **state)
{
    static const char query[] = "host3&function=redis";
    struct body_certificate *certificate = fake_node_certificate(third);
    uint8_t issuer[32];

    (void)state;
    assert_policy(query, true, "pattern", "certificate host3", "* of its");
    third->denial = NODE_DENIAL_REVOKED;
    assert_policy(query, false, "revoked", "revocation host3",
                  "host3 is out: revoked by host2: stolen");
    assert_policy("host3&intent=x", false, "revoked", "revocation host3", "");
    assert_policy("host3&address=10.0.3.1", false, "revoked",
                  "revocation host3", "");
    assert_policy("host3&subnet=10.0.3.0/24", false, "revoked",
                  "revocation host3", "");
    third->denial = NODE_DENIAL_RANGE;
    assert_policy(query, false, "range", "charter ", "outside the charter");
    third->denial = NODE_DENIAL_CLASH;
    third->clash = NODE_CLASH_NAME;
    memset(third->winner, 2, sizeof(third->winner));
    assert_policy(query, false, node_denial_name(NODE_DENIAL_CLASH),
                  "certificate host2", "has its name");
    third->denial = NODE_DENIAL_ISSUER;
    memset(issuer, 2, sizeof(issuer));
    fake_node_set_issuer(core.node, issuer);
    assert_policy(query, false, node_denial_name(NODE_DENIAL_ISSUER),
                  "certificate host3", "no issuer any more");
    memset(issuer, 3, sizeof(issuer)); /* whose key is revoked */
    fake_node_set_issuer(core.node, issuer);
    assert_policy(query, false, node_denial_name(NODE_DENIAL_ISSUER),
                  "revocation host3", "no issuer any more");
    memset(issuer, 1, sizeof(issuer));
    fake_node_set_issuer(core.node, issuer);
    third->denial = NODE_DENIAL_NONE;
    third->is_frozen = true;
    assert_policy(query, false, "frozen", NULL, "two records");
    third->is_frozen = false;
    third->state = NODE_MEMBER_LEFT;
    assert_policy(query, false, "left", NULL, "host3 left");
    third->state = NODE_MEMBER_ALIVE;
    certificate->not_after_s = 20;
    assert_policy(query, false, "expired", "certificate host3", "has ended");
    certificate->not_after_s = END_S;
    assert_policy(query, true, "pattern", "certificate host3", "");
}

/* The full name before a pattern, and what else there is. */
static void test_policy_function(void **state)
{
    struct body_certificate *certificate = fake_node_certificate(third);
    struct body_certificate before = *certificate;
    json_auto_t *root = NULL;

    (void)state;
    (void)strcpy(certificate->functions[0], "web-*");
    (void)strcpy(certificate->functions[1], "Vector_DB");
    (void)strcpy(certificate->functions[2], "vector-*");
    certificate->n_functions = 3;
    assert_policy("host3&function=vector-db", true, "name", "certificate host3",
                  "names Vector_DB in full");
    assert_policy("host3&function=web_a", true, "pattern", "certificate host3",
                  "the pattern web-*");
    assert_policy("host3&function=redis", false, "no-pattern",
                  "certificate host3", "only: web-*, Vector_DB, vector-* (");
    root = ask_json(POLICY "host3&function=redis");
    assert_true(json_is_null(json_object_get(check_of(root), "service")));
    certificate->n_functions = 0;
    assert_policy("host3&function=redis", false, "no-pattern",
                  "certificate host3", "only: none");
    *certificate = before;
}

static void assert_service(const char *query, const char *ground,
                           const char *record, json_int_t n_others,
                           const char *taken_by, const char *text)
{
    char target[512];
    json_auto_t *root = NULL;
    const json_t *service;

    (void)snprintf(target, sizeof(target), POLICY "%s", query);
    root = ask_json(target);
    service = json_object_get(check_of(root), "service");
    assert_string_equal(member_text(service, "ground"), ground);
    check_record(json_object_get(service, "record"), record);
    assert_int_equal(json_integer_value(json_object_get(service, "others")),
                     n_others);
    if (taken_by == NULL) {
        assert_true(json_is_null(json_object_get(service, "first_taken_by")));
    } else {
        assert_string_equal(member_text(service, "first_taken_by"), taken_by);
    }
    if (strstr(member_text(service, "text"), text) == NULL) {
        fail_msg("%s: %s", query, member_text(service, "text"));
    }
}

/* Whose address it is, by what, and with whom it would be shared. */
static void test_policy_service(void **state)
{
    (void)state;
    assert_service("host3&function=redis", "pattern", NULL, 2, NULL,
                   "an instance of host3 shares it with 2 of other nodes");
    assert_service("host3&function=solo", "name", NULL, 1, NULL,
                   "certified for it in full");
    assert_service("host2&function=solo", "name", NULL, 0, NULL,
                   "no other node has an instance");
    assert_service("host3&function=CLAIMED", "claimed", "function claimed", 1,
                   NULL, "claimed by host1; an instance of host3 shares");
    assert_service("host3&function=declared", "declared", "function declared",
                   0, NULL, "100.80.0.9 is declared by host1");
    assert_service("host3&function=wanted", "free", NULL, 0, "squatter",
                   "the first of its name is squatter's");
    assert_service("host3&function=unheard-of", "free", NULL, 0, NULL,
                   "is free");
}

static void test_policy_address(void **state)
{
    struct body_certificate *certificate = fake_node_certificate(third);

    (void)state;
    assert_policy("host3&address=10.0.3.7", true, "subnet", "certificate host3",
                  "inside 10.0.3.0/24");
    assert_policy("host3&address=100.104.70.3", true, "mesh",
                  "certificate host3", "mesh address");
    assert_policy("host3&address=10.0.3.255", false, "no-host",
                  "certificate host3", "broadcast");
    assert_policy("host3&address=10.0.2.7", false, "outside-certificate",
                  "certificate host3",
                  "subnets 10.0.3.0/24 and the mesh address 100.104.70.3; "
                  "10.0.2.0/24 is host2's");
    assert_policy("host3&address=100.104.70.2", false, "outside-certificate",
                  "certificate host3", "; 100.104.70.2 is host2's");
    assert_policy("host3&subnet=10.0.3.128/25", true, "subnet",
                  "certificate host3", "inside 10.0.3.0/24");
    assert_policy("host3&subnet=10.0.0.0/16", false, "outside-certificate",
                  "certificate host3", "the charter allows it");
    assert_policy("host3&subnet=172.16.0.0/24", false, "outside-charter",
                  "charter ", "no container range");
    assert_policy("host3&intent=dns", false, "no-scope", "certificate host3",
                  "no intent scope at all");
    (void)strcpy(certificate->scope[0], "dns");
    certificate->n_scope = 1;
    assert_policy("host3&intent=dns", true, "scope", "certificate host3", "");
    assert_policy("host3&intent=dn", false, "no-scope", "certificate host3",
                  "not in the intent scope");
    certificate->n_scope = 0;
}

/* One that is denied denies the whole; the node by name, id and key. */
static void test_policy_asked(void **state)
{
    static const char *const wrong[] = {
        "",
        "host3",
        "host3&function=",
        "host3&function=a%20b",
        "host3&address=10.0.3.0/24",
        "host3&address=10.0.3.256",
        "host3&subnet=10.0.3.1/24",
        "host3&subnet=10.0.3.0",
        "host3&intent=",
        "&function=redis",
    };
    static char answer[1u << 14];
    char target[256];
    json_auto_t *root = ask_json(
        POLICY "HOST3&intent=x&subnet=10.0.3.0/24&address=10.0.3.1&function=a");
    const json_t *checks = json_object_get(root, "checks");
    size_t n_allowed = 0;

    (void)state;
    assert_int_equal(json_array_size(checks), 4);
    for (size_t i = 0; i < 4; i++) {
        n_allowed +=
            json_is_true(json_object_get(json_array_get(checks, i), "allowed"));
    }
    assert_int_equal(n_allowed, 3);
    assert_false(json_is_true(json_object_get(root, "allowed")));
    (void)snprintf(target, sizeof(target), "%016llx&function=a",
                   (unsigned long long)third->id);
    assert_policy(target, true, "pattern", "certificate host3", "");
    (void)snprintf(target, sizeof(target), "%s&function=a",
                   member_text(root, "key"));
    assert_policy(target, true, "pattern", "certificate host3", "");
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        (void)snprintf(target, sizeof(target), POLICY "%s", wrong[i]);
        ask(target, answer, sizeof(answer));
        assert_memory_equal(answer, "HTTP/1.1 400", 12);
    }
    ask(POLICY "host9&function=a", answer, sizeof(answer));
    assert_memory_equal(answer, "HTTP/1.1 404", 12);
    assert_non_null(strstr(answer, "did you mean"));
}

static void test_charter(void **state)
{
    json_auto_t *root = ask_json("/api/v1/charter");
    json_auto_t *status = ask_json("/api/v1/status");
    json_auto_t *both = NULL;
    json_auto_t *warned = NULL;

    (void)state;
    assert_int_equal(json_integer_value(json_object_get(root, "generation")),
                     1);
    assert_int_equal(json_array_size(json_object_get(root, "signed_by")), 1);
    assert_true(json_equal(json_object_get(root, "signed_by"),
                           json_object_get(root, "roots")));
    assert_int_equal(json_array_size(json_object_get(root, "rivals")), 0);
    assert_null(find_problem(status, "charter-rivals"));
    /* The same root signs another one. */
    put_charter(1);
    both = ask_json("/api/v1/charter");
    warned = ask_json("/api/v1/status");
    assert_int_equal(json_array_size(json_object_get(both, "rivals")), 2);
    assert_int_equal(json_array_size(json_object_get(both, "containers")), 2);
    assert_non_null(find_problem(warned, "charter-rivals"));
}

/* --- Records handed in -------------------------------------------------------
 */

/* A record of the test's own as hexadecimal. */
static void record_hex(char text[2 * LIMIT_RECORD_SIZE + 1])
{
    static const uint8_t zeros[32];
    uint8_t bytes[LIMIT_RECORD_SIZE];
    struct record_fields fields = {.kind = RECORD_CHARTER,
                                   .cluster = zeros,
                                   .writer = zeros,
                                   .order = {1, 1},
                                   .body = zeros,
                                   .body_size = 4};
    size_t size = record_build(&fields, bytes, sizeof(bytes));

    assert_true(size > 0);
    (void)text_from_bytes(bytes, size, text);
}

/* Posts `n` records of which the node says `results`; the answer's body. */
static json_t *post_records(size_t n, const enum node_offer_result *results,
                            const char *status)
{
    static char answer[1u << 16], body[1u << 15];
    char hex[2 * LIMIT_RECORD_SIZE + 1];
    const char *at;
    size_t len = 0;
    json_t *root;

    record_hex(hex);
    offers.n = 0;
    for (size_t i = 0; i < n; i++) {
        len += (size_t)snprintf(body + len, sizeof(body) - len, "%s\"%s\"",
                                i == 0 ? "{\"records\": [" : ", ", hex);
        offers.results[i] = results[i];
    }
    (void)snprintf(body + len, sizeof(body) - len, "]}");
    ask_for("POST", "/api/v1/records", body, answer, sizeof(answer));
    assert_memory_equal(answer, status, strlen(status));
    at = strstr(answer, "\r\n\r\n");
    assert_non_null(at);
    root = json_loads(at + 4, 0, NULL);
    assert_non_null(root);
    return root;
}

static const char *text_of(const json_t *root, const char *list, size_t index,
                           const char *key)
{
    const json_t *one = json_array_get(json_object_get(root, list), index);

    return json_string_value(json_object_get(one, key));
}

static void test_records_taken(void **state)
{
    static const enum node_offer_result results[] = {NODE_OFFER_TAKEN,
                                                     NODE_OFFER_KNOWN};
    json_auto_t *root = post_records(2, results, "HTTP/1.1 200");

    (void)state;
    assert_int_equal(json_array_size(json_object_get(root, "records")), 2);
    assert_string_equal(text_of(root, "records", 0, "kind"), "charter");
    assert_string_equal(text_of(root, "records", 0, "result"), "taken");
    assert_string_equal(text_of(root, "records", 1, "result"), "known");
    assert_null(text_of(root, "records", 1, "reason"));
}

/* By name, each by itself, the others taken. */
static void test_records_refused(void **state)
{
    static const enum node_offer_result results[] = {
        NODE_OFFER_TAKEN, NODE_OFFER_SIGNATURE, NODE_OFFER_PARENT};
    json_auto_t *root = post_records(3, results, "HTTP/1.1 422");
    const json_t *error = json_object_get(root, "error");

    (void)state;
    assert_string_equal(json_string_value(json_object_get(error, "where")),
                        "record 2");
    assert_non_null(strstr(json_string_value(json_object_get(error, "what")),
                           "2 of 3 records are refused, first a charter: "
                           "signature"));
    assert_string_equal(text_of(root, "records", 0, "result"), "taken");
    assert_string_equal(text_of(root, "records", 1, "reason"), "signature");
    assert_string_equal(text_of(root, "records", 2, "reason"), "parent");
    /* Whatever the node says has a name and a reason. */
    for (int i = NODE_OFFER_MALFORMED; i < NODE_OFFER_RESULTS; i++) {
        enum node_offer_result result = (enum node_offer_result)i;
        json_auto_t *one = post_records(1, &result, "HTTP/1.1 422");

        assert_non_null(text_of(one, "records", 0, "reason"));
        assert_non_null(text_of(one, "records", 0, "why"));
        assert_non_null(json_object_get(json_object_get(one, "error"), "next"));
    }
}

static void test_records_not_on_disk(void **state)
{
    static const enum node_offer_result result = NODE_OFFER_TAKEN;
    json_t *root;

    (void)state;
    offers.error = -ENOSPC;
    root = post_records(1, &result, "HTTP/1.1 507");
    json_decref(root);
    offers.error = -EIO;
    root = post_records(1, &result, "HTTP/1.1 503");
    json_decref(root);
    offers.error = 0;
}

/* Of a wrong request nothing is handed over. */
static void test_records_wrong(void **state)
{
    static const char *const bodies[] = {
        "{}",
        "{\"records\": []}",
        "{\"records\": \"02\"}",
        "{\"records\": [\"0\"]}",
        "{\"records\": [\"\"]}",
        "{\"records\": [\"zz\"]}",
        "{\"records\": [\"02\", 5]}",
        "{\"records\": [\"02\"], \"record\": 1}",
    };
    static char answer[1u << 14], many[1u << 12];
    size_t len = 0;

    (void)state;
    offers.n = 0;
    for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
        ask_for("POST", "/api/v1/records", bodies[i], answer, sizeof(answer));
        assert_memory_equal(answer, "HTTP/1.1 400", 12);
    }
    for (size_t i = 0; i < 65; i++) {
        len += (size_t)snprintf(many + len, sizeof(many) - len, "%s\"02\"",
                                i == 0 ? "{\"records\": [" : ", ");
    }
    (void)snprintf(many + len, sizeof(many) - len, "]}");
    ask_for("POST", "/api/v1/records", many, answer, sizeof(answer));
    assert_memory_equal(answer, "HTTP/1.1 400", 12);
    assert_int_equal(offers.n, 0); /* as it was before */
}

struct route {
    const char *target;
    const char *status;
    bool is_stream; /* what is not whole ends without its last chunk */
};

static const struct route routes[] = {
    {"/api/v1/status", "HTTP/1.1 200", false},
    {"/api/v1/members", "HTTP/1.1 200", false},
    {"/api/v1/services", "HTTP/1.1 200", false},
    {"/api/v1/services/redis", "HTTP/1.1 200", false},
    {"/api/v1/services/rediz", "HTTP/1.1 404", false},
    {"/api/v1/resolve/redis", "HTTP/1.1 200", false},
    {"/api/v1/flows", "HTTP/1.1 200", false},
    {"/api/v1/flows/diff", "HTTP/1.1 200", false},
    {"/api/v1/ports", "HTTP/1.1 200", false},
    {"/api/v1/records", "HTTP/1.1 200", false},
    {"/api/v1/records?kind=service", "HTTP/1.1 200", false},
    {"/api/v1/records/verify", "HTTP/1.1 200", false},
    {"/api/v1/evidence", "HTTP/1.1 200", false},
    {"/api/v1/certificates", "HTTP/1.1 200", false},
    {"/api/v1/certificates/host2", "HTTP/1.1 200", false},
    {"/api/v1/charter", "HTTP/1.1 200", false},
    {"/api/v1/policy/check?node=host3&function=claimed&address=10.0.3.1&"
     "subnet=10.0.3.0/24&intent=x",
     "HTTP/1.1 200", false},
    {"/api/v1/tokens", "HTTP/1.1 200", false},
    {"/api/v1/events", "HTTP/1.1 200", true},
    {"/api/v1/health", "HTTP/1.1 503", false},
    {"/api/v1/ready", "HTTP/1.1 200", false},
    {"/metrics", "HTTP/1.1 200", false},
};

static void try_route(const struct route *route,
                      void (*fail_heap)(unsigned which))
{
    static char whole[1u << 18], answer[1u << 18];
    unsigned n_closed = 0;
    bool has_failed = true;

    ask(route->target, whole, sizeof(whole));
    squash(whole);
    assert_memory_equal(route->status, "HTTP/1.1 ", 9);
    for (unsigned n = 1; has_failed; n++) {
        assert_true(n < ALLOCATIONS_MAX);
        fail_heap(n);
        ask(route->target, answer, sizeof(answer));
        has_failed = heap_off();
        if (answer[0] == '\0') {
            n_closed++;
            continue;
        }
        if (route->is_stream && strncmp(answer, "HTTP/1.1 200", 12) == 0 &&
            strstr(answer, "\r\n0\r\n\r\n") == NULL) {
            continue; /* not whole, and the client sees it */
        }
        if (strncmp(answer, route->status, 12) != 0) {
            assert_problem(route->target, answer);
            continue;
        }
        squash(answer);
        if (strcmp(answer, whole) != 0) {
            fail_msg("%s: allocation %u failed:\n%s\ninstead of\n%s",
                     route->target, n, answer, whole);
        }
    }
    assert_true(n_closed <= ALLOCATIONS_HTTP);
    /* And the server is what it was. */
    ask(route->target, answer, sizeof(answer));
    squash(answer);
    assert_string_equal(answer, whole);
}

static void test_one_fails(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
        try_route(&routes[i], heap_fail_at);
    }
}

static void test_all_fail(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
        try_route(&routes[i], heap_fail_from);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_not_heard),
        cmocka_unit_test(test_twin),
        cmocka_unit_test(test_evidence),
        cmocka_unit_test(test_wide_token),
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_hold),
        cmocka_unit_test(test_certificates),
        cmocka_unit_test(test_certificate_of),
        cmocka_unit_test(test_policy_out),
        cmocka_unit_test(test_policy_function),
        cmocka_unit_test(test_policy_service),
        cmocka_unit_test(test_policy_address),
        cmocka_unit_test(test_policy_asked),
        cmocka_unit_test(test_charter),
        cmocka_unit_test(test_records_taken),
        cmocka_unit_test(test_records_refused),
        cmocka_unit_test(test_records_not_on_disk),
        cmocka_unit_test(test_records_wrong),
        cmocka_unit_test(test_one_fails),
        cmocka_unit_test(test_all_fail),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
