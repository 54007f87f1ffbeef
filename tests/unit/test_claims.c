/*
 * An issuer's claims, over a view and a catalogue; the test plays core's writes
 * and the clocks.
 */
#include "agent/claims/claims.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uv.h>

#include "agent/identity/identity.h"
#include "agent/system/clock.h"
#include "tests/unit/catalog_world.h"

#define WRITES_MAX 64
#define DAY_S      86400u

/* This node is member 2 of four. */
static struct {
    struct world world;
    struct node_member *members[5];
    struct core core;
    struct identity identity;
    uv_loop_t loop;
    struct claims *claims;
    uint64_t now_ms;
    uint64_t wall_ms;
    struct {
        struct body_function claim;
        bool is_removal;
        core_written_fn done;
        void *data;
    } writes[WRITES_MAX];
    size_t n_writes;
    int write_error;
} stage;

uint64_t __wrap_clock_now_ms(void);
uint64_t __wrap_clock_wall_ms(void);

uint64_t __wrap_clock_now_ms(void)
{
    return stage.now_ms;
}

uint64_t __wrap_clock_wall_ms(void)
{
    return stage.wall_ms;
}

int core_write(struct core *core, uint8_t kind, const uint8_t *key,
               size_t key_size, const uint8_t *body, size_t body_size,
               core_written_fn done, void *data)
{
    struct record record = {.kind = kind,
                            .key = key,
                            .key_size = key_size,
                            .body = body,
                            .body_size = body_size};

    assert_ptr_equal(core, &stage.core);
    assert_int_equal(kind, RECORD_FUNCTION);
    if (stage.write_error != 0) {
        return stage.write_error;
    }
    assert_true(stage.n_writes < WRITES_MAX);
    assert_int_equal(
        body_get_function(&record, &stage.writes[stage.n_writes].claim), 0);
    stage.writes[stage.n_writes].is_removal = false;
    stage.writes[stage.n_writes].done = done;
    stage.writes[stage.n_writes].data = data;
    stage.n_writes++;
    return 0;
}

int core_remove(struct core *core, uint8_t kind, const uint8_t *key,
                size_t key_size, core_written_fn done, void *data)
{
    char *name = stage.writes[stage.n_writes].claim.name;

    assert_ptr_equal(core, &stage.core);
    assert_int_equal(kind, RECORD_FUNCTION);
    assert_true(stage.n_writes < WRITES_MAX && key_size < BODY_NAME_SIZE);
    memset(name, 0, BODY_NAME_SIZE);
    memcpy(name, key, key_size);
    stage.writes[stage.n_writes].is_removal = true;
    stage.writes[stage.n_writes].done = done;
    stage.writes[stage.n_writes].data = data;
    stage.n_writes++;
    return 0;
}

static int setup(void **state)
{
    struct prefix range;

    (void)state;
    memset(&stage, 0, sizeof(stage));
    stage.now_ms = 5000;
    stage.wall_ms = UINT64_C(1700000000000);
    stage.world.node = fake_node_new();
    assert_int_equal(prefix_parse("100.80.0.0/12", &range), 0);
    assert_int_equal(catalog_new(cluster, &range, &stage.world.catalog), 0);
    for (uint8_t i = 1; i < ARRAY_SIZE(stage.members); i++) {
        stage.members[i] = fake_node_member(stage.world.node, i);
        stage.members[i]->is_self = i == 2;
    }
    assert_int_equal(uv_loop_init(&stage.loop), 0);
    stage.core.loop = &stage.loop;
    stage.core.node = stage.world.node;
    stage.core.catalog = stage.world.catalog;
    stage.core.identity = &stage.identity;
    stage.core.is_ready = true;
    memset(stage.identity.sign_public, 2, 32);
    stage.identity.body.roles = BODY_ROLE_MEMBER | BODY_ROLE_ISSUER;
    assert_int_equal(claims_new(&stage.core, &stage.claims), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_null(claims_free(stage.claims));
    assert_int_equal(uv_run(&stage.loop, UV_RUN_DEFAULT), 0);
    world_done(&stage.world);
    return uv_loop_close(&stage.loop);
}

/* The catalogue is built anew, and claims are told. */
static void change(void)
{
    struct core_listener listener = claims_listener(stage.claims);

    world_rebuild(&stage.world);
    listener.catalog_changed(listener.data);
}

/* What was written is on disk and in the view. */
static void commit(void)
{
    for (size_t i = 0; i < stage.n_writes; i++) {
        if (!stage.writes[i].is_removal) {
            fake_node_claim(stage.world.node, 2, &stage.writes[i].claim);
        }
        stage.writes[i].done(&stage.core, 0, (struct record_order){0},
                             stage.writes[i].data);
    }
    stage.n_writes = 0;
    change();
}

/* At once, with the slot that it has, and only once. */
static void test_first_issuer(void **state)
{
    const struct catalog_function *redis;
    struct address address;

    (void)state;
    world_put(&stage.world, 2, "redis", "10.0.2.1", 3);
    catalog_slot_address(stage.world.catalog, "redis", 3, &address);
    change();
    assert_int_equal(stage.n_writes, 1);
    assert_string_equal(stage.writes[0].claim.name, "redis");
    assert_true(stage.writes[0].claim.is_claim);
    assert_int_equal(stage.writes[0].claim.slot, 3);
    assert_true(address_equal(&stage.writes[0].claim.address, &address));
    assert_true(stage.writes[0].claim.idle_since_s == 0);
    change(); /* it is on its way */
    assert_int_equal(stage.n_writes, 1);
    commit();
    assert_int_equal(stage.n_writes, 0);
    redis = catalog_find(stage.world.catalog, "redis");
    assert_true(redis->is_claimed);
}

static void test_who_claims_nothing(void **state)
{
    (void)state;
    world_put(&stage.world, 2, "redis", "10.0.2.1", 0);
    fake_node_function(stage.world.node, 4, "web", "100.80.9.9");
    world_put(&stage.world, 2, "web", "10.0.2.2", 0);
    stage.identity.body.roles = BODY_ROLE_MEMBER;
    change();
    stage.identity.body.roles |= BODY_ROLE_ISSUER;
    stage.core.is_ready = false;
    change();
    stage.core.is_ready = true;
    stage.core.is_stopping = true;
    change();
    assert_int_equal(stage.n_writes, 0);
    stage.core.is_stopping = false;
    change();
    assert_int_equal(stage.n_writes, 1); /* a declared one needs no claim */
    assert_string_equal(stage.writes[0].claim.name, "redis");
    commit();
}

/* A function whose address another has been given. */
static void test_lost(void **state)
{
    struct address address;
    char text[ADDRESS_TEXT_SIZE];

    (void)state;
    world_put(&stage.world, 2, "redis", "10.0.2.1", 0);
    catalog_slot_address(stage.world.catalog, "redis", 0, &address);
    fake_node_function(stage.world.node, 4, "web",
                       address_text(&address, text));
    change();
    assert_int_equal(stage.n_writes, 1);
    assert_int_equal(stage.writes[0].claim.slot, 1);
    commit();
    assert_int_equal(catalog_find(stage.world.catalog, "redis")->slot, 1);
    assert_int_equal(stage.n_writes, 0);
}

/* In lots, all of them. */
static void test_many(void **state)
{
    char name[BODY_NAME_SIZE];

    (void)state;
    for (unsigned i = 0; i < 40; i++) {
        (void)snprintf(name, sizeof(name), "f%u", i);
        world_put(&stage.world, 2, name, "10.0.2.1", 0);
    }
    change();
    assert_int_equal(stage.n_writes, 32);
    commit();
    assert_int_equal(stage.n_writes, 8);
    commit();
    assert_int_equal(stage.n_writes, 0);
}

/* What is logged by `change`, several times, as one text. */
static size_t count_logged(unsigned n, const char *words)
{
    char text[4096] = "";
    int old = dup(STDERR_FILENO);
    FILE *file = tmpfile();
    size_t found = 0;
    size_t size;

    assert_true(old >= 0);
    assert_non_null(file);
    assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
    for (unsigned i = 0; i < n; i++) {
        change();
    }
    assert_true(dup2(old, STDERR_FILENO) >= 0);
    (void)close(old);
    rewind(file);
    size = fread(text, 1, sizeof(text) - 1, file);
    text[size] = '\0';
    (void)fclose(file);
    for (const char *at = text; (at = strstr(at, words)) != NULL; at++) {
        found++;
    }
    return found;
}

/* Why is said in words, and once for as long as it is so. */
static void test_frozen_is_said_once(void **state)
{
    (void)state;
    world_put(&stage.world, 2, "redis", "10.0.2.1", 0);
    stage.write_error = NODE_E_FROZEN;
    assert_int_equal(count_logged(3, "contradict each other"), 1);
    stage.write_error = NODE_E_LIMIT;
    assert_int_equal(count_logged(3, "not claimed"), 1);
    stage.write_error = 0;
    change();
    assert_int_equal(stage.n_writes, 1);
    commit();
    world_put(&stage.world, 2, "mcp", "10.0.2.1", 0);
    stage.write_error = NODE_E_LIMIT;
    assert_int_equal(count_logged(2, "not claimed"), 1);
}

static void test_write_fails(void **state)
{
    (void)state;
    world_put(&stage.world, 2, "redis", "10.0.2.1", 0);
    stage.write_error = NODE_E_LIMIT;
    change();
    assert_int_equal(stage.n_writes, 0);
    stage.write_error = 0;
    change();
    assert_int_equal(stage.n_writes, 1);
    stage.writes[0].done(&stage.core, -EIO, (struct record_order){0},
                         stage.writes[0].data);
    stage.n_writes = 0;
    change();
    assert_int_equal(stage.n_writes, 1);
    commit();
}

/* An idle claim says so after an hour, is taken back into use, and goes after
 * 30 days without. */
static void test_idle(void **state)
{
    struct body_service service = fake_service("redis", "10.0.2.1", 6379);

    (void)state;
    fake_node_service(stage.world.node, 2, &service);
    change();
    commit();
    fake_node_remove(stage.world.node, 2, &service);
    change();
    stage.now_ms += 3599999;
    change();
    assert_int_equal(stage.n_writes, 0);
    stage.now_ms += 1;
    stage.wall_ms += 3600000;
    change();
    assert_int_equal(stage.n_writes, 1);
    assert_true(stage.writes[0].claim.idle_since_s == stage.wall_ms / 1000);
    commit();
    fake_node_service(stage.world.node, 2, &service);
    change();
    assert_int_equal(stage.n_writes, 1);
    assert_true(stage.writes[0].claim.idle_since_s == 0);
    commit();
    fake_node_remove(stage.world.node, 2, &service);
    change();
    stage.now_ms += 3600000;
    change();
    commit();
    stage.wall_ms += UINT64_C(1000) * (30 * DAY_S - 1);
    change();
    assert_int_equal(stage.n_writes, 0);
    stage.wall_ms += 1000;
    change();
    assert_int_equal(stage.n_writes, 1);
    assert_true(stage.writes[0].is_removal);
    assert_string_equal(stage.writes[0].claim.name, "redis");
    commit();
}

/* Another live issuer with a lower key goes first, for a minute. */
static void test_second_issuer(void **state)
{
    (void)state;
    fake_node_certificate(stage.members[1])->roles |= BODY_ROLE_ISSUER;
    fake_node_certificate(stage.members[3])->roles |= BODY_ROLE_ISSUER;
    world_put(&stage.world, 3, "redis", "10.0.3.1", 0);
    change();
    stage.now_ms += 59999;
    change();
    assert_int_equal(stage.n_writes, 0);
    stage.now_ms += 1;
    change();
    assert_int_equal(stage.n_writes, 1);
    commit();
    world_put(&stage.world, 3, "web", "10.0.3.2", 0);
    change();
    assert_int_equal(stage.n_writes, 0);
    stage.members[1]->state = NODE_MEMBER_DEAD;
    change();
    assert_int_equal(stage.n_writes, 1);
    commit();
    world_put(&stage.world, 3, "mcp", "10.0.3.3", 0);
    stage.members[1]->state = NODE_MEMBER_ALIVE;
    stage.members[1]->is_heard = false;
    change();
    assert_int_equal(stage.n_writes, 1);
    commit();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_first_issuer),
        TEST(test_who_claims_nothing),
        TEST(test_lost),
        TEST(test_many),
        TEST(test_frozen_is_said_once),
        TEST(test_write_fails),
        TEST(test_idle),
        TEST(test_second_issuer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
