/*
 * See join_fixture.h.
 */
#include "tests/unit/join_fixture.h"

#include <assert.h>
#include <string.h>

#include <sodium.h>

#include "agent/core/store_thread.h"
#include "agent/identity/token_ledger.h"
#include "agent/system/clock.h"
#include "gossip/wire/sign.h"
#include "tests/unit/charter_sample.h"

/* core_write gets only a core: the fixture around it. */
static struct join_fixture *fixture_of(struct core *core)
{
    return (struct join_fixture *)(void *)((char *)core -
                                           offsetof(struct join_fixture, core));
}

static struct join_fixture *current;

/* The linker sends ours here (meson.build); who measures, by clock_now_ns,
 * keeps the true clock. */
uint64_t __wrap_clock_wall_ms(void);
uint64_t __wrap_clock_now_ms(void);

uint64_t __wrap_clock_wall_ms(void)
{
    return current->now_s * 1000;
}

uint64_t __wrap_clock_now_ms(void)
{
    return 1000;
}

struct write_wait {
    struct core *core;
    struct record_order order;
    core_written_fn done;
    void *data;
};

static void on_stored(int error, void *data)
{
    struct write_wait *wait = data;
    struct join_fixture *fixture = fixture_of(wait->core);
    struct node_event event = {
        .type = error == 0 ? NODE_EVENT_COMMITTED : NODE_EVENT_STORE_FAILED,
        .now_ms = 1000,
        .wall_ms = clock_wall_ms(),
        .order = wait->order,
    };

    node_actions_clear(fixture->actions);
    assert(node_step(wait->core->node, &event, fixture->actions) == 0);
    if (wait->done != NULL) {
        wait->done(wait->core, error, wait->order, wait->data);
    }
    free(wait);
}

static int store_own(struct core *core, struct record_order order,
                     core_written_fn done, void *data)
{
    struct join_fixture *fixture = fixture_of(core);
    struct write_wait *wait = calloc(1, sizeof(*wait));

    *wait = (struct write_wait){core, order, done, data};
    for (size_t i = 0; i < node_actions_count(fixture->actions); i++) {
        const struct node_action *action = node_actions_at(fixture->actions, i);

        if (action->type == NODE_ACTION_STORE && action->is_own) {
            return store_thread_put_own(core->store, action->bytes,
                                        action->size, on_stored, wait);
        }
    }
    abort();
}

int core_write(struct core *core, uint8_t kind, const uint8_t *key,
               size_t key_size, const uint8_t *body, size_t body_size,
               core_written_fn done, void *data)
{
    struct join_fixture *fixture = fixture_of(core);
    struct node_written written = {0};
    struct node_event event = {
        .type = NODE_EVENT_WRITE,
        .now_ms = 1000,
        .wall_ms = clock_wall_ms(),
        .kind = kind,
        .key = key,
        .key_size = key_size,
        .body = body,
        .body_size = body_size,
        .written = &written,
    };

    if (fixture->write_error != 0) {
        return fixture->write_error;
    }
    if (fixture->write_error_after > 0 && fixture->write_error_after-- == 1) {
        fixture->write_error = NODE_E_LIMIT; /* for the one after this */
    }
    node_actions_clear(fixture->actions);
    assert(node_step(core->node, &event, fixture->actions) == 0);
    return written.result != 0 ? written.result
                               : store_own(core, written.order, done, data);
}

static void make_genesis(struct join_fixture *fixture)
{
    struct genesis *genesis = &fixture->identity.genesis;
    struct charter_sample sample;

    strcpy(genesis->name, "lab");
    (void)crypto_sign_keypair(genesis->roots[0], fixture->admission);
    genesis->n_roots = 1;
    genesis->created_s = JOIN_FIXTURE_NOW_S;
    genesis->threshold = 1;
    assert(genesis_build(genesis) == 0);
    sample =
        charter_sample_make(genesis->cluster_id, fixture->admission,
                            &(const struct charter_ranges){
                                .containers = {"10.0.0.0/8", "fd00:1::/32"},
                                .mesh = {"100.104.0.0/16", "fd00:2::/32"},
                                .services = {"100.80.0.0/12"},
                            });
    assert(charters_find(genesis, sample.bytes, sample.size,
                         &fixture->identity.charters) == 0);
}

static void make_certificate(struct join_fixture *fixture)
{
    struct identity *identity = &fixture->identity;
    uint8_t body[LIMIT_RECORD_SIZE];
    struct record_fields fields = {
        .kind = RECORD_CERTIFICATE,
        .cluster = identity->genesis.cluster_id,
        .writer = identity->genesis.roots[0],
        .order = {.epoch = UINT64_C(1) << 32, .seq = 1},
        .hlc = (JOIN_FIXTURE_NOW_S * 1000) << 16,
        .key = identity->sign_public,
        .key_size = 32,
        .body = body,
    };

    identity->body = (struct body_certificate){
        .name = "host1",
        .mesh = {{.address = {4, {100, 104, 70, 1}}, .port = 7720}},
        .n_mesh = 1,
        .subnets = {{.address = {4, {10, 0, 1}}, .len = 24}},
        .n_subnets = 1,
        .roles = BODY_ROLE_MEMBER | BODY_ROLE_ISSUER,
        .functions = {"*"},
        .n_functions = 1,
        .not_before_s = JOIN_FIXTURE_NOW_S - 3600,
        .not_after_s = JOIN_FIXTURE_NOW_S + 365 * 86400,
        .generation = 1,
        .serial = 7,
    };
    memcpy(identity->body.sign_public, identity->sign_public, 32);
    memcpy(identity->body.exchange_public, identity->exchange_public, 32);
    assert(body_put_certificate(&identity->body, body, sizeof(body),
                                &fields.body_size) == 0);
    identity->certificate_size = record_build(&fields, identity->certificate,
                                              sizeof(identity->certificate));
    assert(sign_record(identity->certificate, identity->certificate_size,
                       fixture->admission) == 0);
}

static int verify(const struct record *record, void *data)
{
    (void)data;
    return sign_verify(record);
}

/* A node that may write: started, its first member record committed. */
static void start_node(struct join_fixture *fixture)
{
    const struct identity *identity = &fixture->identity;
    struct node_config config = {
        .charters = identity->charters.bytes,
        .charters_size = identity->charters.size,
        .certificate = identity->certificate,
        .certificate_size = identity->certificate_size,
        .epoch = (UINT64_C(1) << 32) | 5,
        .seed = 1,
        .version = "test",
        .tuning = NODE_TUNING_DEFAULT,
        .verify = verify,
    };
    struct node_event event = {.type = NODE_EVENT_START,
                               .now_ms = 1000,
                               .wall_ms = JOIN_FIXTURE_NOW_S * 1000};

    genesis_parent(&identity->genesis, &config.genesis);
    memcpy(config.cluster, identity->genesis.cluster_id,
           sizeof(config.cluster));
    memcpy(config.sign_public, identity->sign_public, 32);
    memcpy(config.sign_secret, identity->sign_secret, 64);
    memcpy(config.exchange_public, identity->exchange_public, 32);
    memcpy(config.exchange_secret, identity->exchange_secret, 32);
    assert(node_new(&config, &fixture->core.node) == 0);
    assert(node_actions_new(&fixture->actions) == 0);
    assert(node_step(fixture->core.node, &event, fixture->actions) == 0);
    for (int turn = 0; turn < 100 && !node_is_ready(fixture->core.node);
         turn++) {
        event.type = NODE_EVENT_TICK;
        event.now_ms += 100;
        for (size_t i = 0; i < node_actions_count(fixture->actions); i++) {
            const struct node_action *action =
                node_actions_at(fixture->actions, i);
            struct record record;

            if (action->type == NODE_ACTION_STORE && action->is_own) {
                assert(record_parse(action->bytes, action->size, &record) == 0);
                event.type = NODE_EVENT_COMMITTED;
                event.order = record.order;
            }
        }
        node_actions_clear(fixture->actions);
        assert(node_step(fixture->core.node, &event, fixture->actions) == 0);
    }
    assert(node_is_ready(fixture->core.node));
}

void join_fixture_setup(struct join_fixture *fixture)
{
    struct store *store = NULL;

    current = fixture;
    fixture->now_s = JOIN_FIXTURE_NOW_S;
    fixture->scratch = scratch_make();
    identity_generate_keys(&fixture->identity);
    make_genesis(fixture);
    make_certificate(fixture);
    assert(uv_loop_init(&fixture->loop) == 0);
    assert(store_open(scratch_path(&fixture->scratch, "db"),
                      fixture->identity.genesis.cluster_id, &store) == 0);
    assert(store_thread_new(&fixture->loop, store, NULL, NULL,
                            &fixture->core.store) == 0);
    assert(token_ledger_new(&fixture->core.tokens) == 0);
    fixture->core.loop = &fixture->loop;
    fixture->core.identity = &fixture->identity;
    start_node(fixture);
}

void join_fixture_teardown(struct join_fixture *fixture)
{
    fixture->core.store = store_thread_free(fixture->core.store);
    uv_run(&fixture->loop, UV_RUN_DEFAULT);
    assert(uv_loop_close(&fixture->loop) == 0);
    fixture->core.tokens = token_ledger_free(fixture->core.tokens);
    node_free(fixture->core.node);
    node_actions_free(fixture->actions);
    identity_wipe(&fixture->identity);
    scratch_remove(&fixture->scratch);
    current = NULL;
}

void join_fixture_run(struct join_fixture *fixture, const bool *flag)
{
    while (!*flag) {
        uv_run(&fixture->loop, UV_RUN_ONCE);
    }
}

static void set_flag(int error, void *data)
{
    assert(error == 0);
    *(bool *)data = true;
}

void join_fixture_bound_token(struct join_fixture *fixture, uint64_t ttl_s,
                              const struct token_bounds *bounds,
                              struct token *ret)
{
    const char *functions[] = {"redis", "db-*"};
    struct store_token stored;
    char *problem = NULL;
    bool is_stored = false;

    assert(token_new(&fixture->identity, functions, 2, fixture->now_s, ttl_s,
                     ret, &stored, &problem) == 0);
    assert(token_bind(bounds, &fixture->identity.charters.charter, ret, &stored,
                      &problem) == 0);
    assert(token_ledger_put(fixture->core.tokens, &stored, fixture->now_s) ==
           0);
    assert(store_thread_put_token(fixture->core.store, &stored, set_flag,
                                  &is_stored) == 0);
    join_fixture_run(fixture, &is_stored);
}

void join_fixture_token(struct join_fixture *fixture, uint64_t ttl_s,
                        struct token *ret)
{
    join_fixture_bound_token(fixture, ttl_s, &(const struct token_bounds){0},
                             ret);
}

int join_fixture_new(void **state)
{
    struct join_fixture *fixture = calloc(1, sizeof(*fixture));

    assert(fixture != NULL);
    join_fixture_setup(fixture);
    *state = fixture;
    return 0;
}

int join_fixture_free(void **state)
{
    join_fixture_teardown(*state);
    free(*state);
    return 0;
}
