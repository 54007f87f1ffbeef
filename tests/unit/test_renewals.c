/*
 * An issuer's renewals, over a view; the test plays core's writes and the
 * clocks.
 */
#include "agent/renewals/renewals.h"

#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "agent/identity/identity.h"
#include "agent/system/clock.h"
#include "tests/unit/fake_node.h"
#include "tests/unit/support.h"

#define WRITES_MAX 64
#define DAY_S      86400u
#define YEAR_S     (365u * DAY_S)
#define NOW_S      UINT64_C(1700000000)
#define MANY       40

/* This node is member 2 of four; the last one is `member`. */
static struct {
    struct node *node;
    struct node_member *members[MANY];
    struct node_member *member;
    struct core core;
    struct identity identity;
    uv_loop_t loop;
    struct renewals *renewals;
    uint64_t now_ms;
    uint64_t wall_ms;
    struct {
        struct body_certificate body;
        core_written_fn done;
        void *data;
    } writes[WRITES_MAX];
    size_t n_writes;
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
    assert_int_equal(kind, RECORD_CERTIFICATE);
    assert_true(stage.n_writes < WRITES_MAX);
    assert_int_equal(
        body_get_certificate(&record, &stage.writes[stage.n_writes].body), 0);
    stage.writes[stage.n_writes].done = done;
    stage.writes[stage.n_writes++].data = data;
    return 0;
}

/* A member whose certificate began `age` ago and ends in `left` seconds. */
static struct node_member *add_member(uint32_t number, uint64_t age,
                                      uint64_t left)
{
    struct node_member *member = fake_node_member(stage.node, number);
    struct body_certificate *certificate = fake_node_certificate(member);

    certificate->not_before_s = NOW_S - age;
    certificate->not_after_s = NOW_S + left;
    certificate->serial = number;
    certificate->roles = BODY_ROLE_MEMBER;
    certificate->generation = 3;
    member->is_self = number == 2;
    return member;
}

static void make_stage(size_t n, uint64_t age, uint64_t left)
{
    memset(&stage, 0, sizeof(stage));
    stage.now_ms = 5000;
    stage.wall_ms = NOW_S * 1000;
    stage.node = fake_node_new();
    for (uint32_t i = 1; i <= n; i++) {
        stage.member = stage.members[i - 1] = add_member(i, age, left);
    }
    fake_node_set_issuer(stage.node, stage.members[0]->key);
    assert_int_equal(uv_loop_init(&stage.loop), 0);
    stage.core.loop = &stage.loop;
    stage.core.node = stage.node;
    stage.core.identity = &stage.identity;
    stage.core.is_ready = true;
    memset(stage.identity.sign_public, 2, 32);
    stage.identity.body.roles = BODY_ROLE_MEMBER | BODY_ROLE_ISSUER;
    stage.identity.body.not_after_s = NOW_S + 3 * YEAR_S;
    assert_int_equal(renewals_new(&stage.core, &stage.renewals), 0);
}

static int teardown(void **state)
{
    (void)state;
    assert_null(renewals_free(stage.renewals));
    assert_int_equal(uv_run(&stage.loop, UV_RUN_DEFAULT), 0);
    fake_node_free(stage.node);
    return uv_loop_close(&stage.loop);
}

/* Three of which 3 alone is past half of its life. */
static int setup(void **state)
{
    (void)state;
    make_stage(3, DAY_S, YEAR_S);
    *fake_node_certificate(stage.member) =
        (struct body_certificate){.name = "host3",
                                  .mesh = {{{4, {10, 9, 0, 3}}, 7720}},
                                  .n_mesh = 1,
                                  .functions = {"redis"},
                                  .n_functions = 1,
                                  .roles = BODY_ROLE_MEMBER,
                                  .not_before_s = NOW_S - 200 * DAY_S,
                                  .not_after_s = NOW_S + 165 * DAY_S,
                                  .generation = 3,
                                  .serial = 77};
    memcpy(fake_node_certificate(stage.member)->sign_public, stage.member->key,
           32);
    return 0;
}

static void review(void)
{
    struct core_listener listener = renewals_listener(stage.renewals);

    listener.ready(listener.data);
}

/* What was written is on disk, and in the view. */
static void commit(void)
{
    for (size_t i = 0; i < stage.n_writes; i++) {
        for (size_t k = 0; k < MANY && stage.members[k] != NULL; k++) {
            if (memcmp(stage.members[k]->key, stage.writes[i].body.sign_public,
                       32) == 0) {
                *fake_node_certificate(stage.members[k]) = stage.writes[i].body;
            }
        }
        stage.writes[i].done(&stage.core, 0, (struct record_order){0},
                             stage.writes[i].data);
    }
    stage.n_writes = 0;
}

/* Nobody is renewed now. */
static void assert_none(void)
{
    review();
    assert_int_equal(stage.n_writes, 0);
}

/* The same in all but the validity, for a year, and once. */
static void test_renewed(void **state)
{
    struct body_certificate before = *fake_node_certificate(stage.member);
    const struct body_certificate *body = &stage.writes[0].body;

    (void)state;
    review();
    assert_int_equal(stage.n_writes, 1);
    assert_true(body_certificate_is_renewal(&before, body));
    assert_true(body->not_after_s == NOW_S + YEAR_S);
    review(); /* it is on its way */
    assert_int_equal(stage.n_writes, 1);
    commit();
    assert_none();
    stage.wall_ms += UINT64_C(150) * DAY_S * 1000;
    assert_none();
}

/* Each has a moment of its own after the half. */
static void test_not_before_its_moment(void **state)
{
    struct body_certificate *body = fake_node_certificate(stage.member);

    (void)state;
    body->not_before_s = NOW_S - 180 * DAY_S;
    body->not_after_s = NOW_S + 190 * DAY_S;
    assert_none();
    stage.member->id = 7 * DAY_S;
    body->not_before_s = NOW_S - 200 * DAY_S;
    body->not_after_s = NOW_S + 190 * DAY_S;
    assert_none();
    stage.member->id = 4 * DAY_S;
    review();
    assert_int_equal(stage.n_writes, 1);
    commit();
}

/* Not who is not heard, gone, denied or frozen, an issuer, or long over. */
static void test_who_is_not_renewed(void **state)
{
    struct body_certificate *body = fake_node_certificate(stage.member);

    (void)state;
    stage.member->is_heard = false;
    assert_none();
    stage.member->is_heard = true;
    stage.member->state = NODE_MEMBER_DEAD;
    assert_none();
    stage.member->state = NODE_MEMBER_LEFT;
    assert_none();
    stage.member->state = NODE_MEMBER_ALIVE;
    stage.member->denial = NODE_DENIAL_REVOKED;
    assert_none();
    stage.member->denial = NODE_DENIAL_CLASH;
    assert_none();
    stage.member->denial = NODE_DENIAL_ISSUER; /* others may, by hand */
    assert_none();
    stage.member->denial = NODE_DENIAL_NONE;
    stage.member->is_frozen = true;
    assert_none();
    stage.member->is_frozen = false;
    body->roles |= BODY_ROLE_ISSUER;
    assert_none();
    body->roles = BODY_ROLE_MEMBER;
    body->not_after_s = NOW_S - 90 * DAY_S - 1;
    assert_none();
    body->not_after_s = NOW_S - 90 * DAY_S;
    review();
    assert_int_equal(stage.n_writes, 1);
    assert_true(stage.writes[0].body.not_after_s == NOW_S + YEAR_S);
    commit();
}

/* What is ordered is refused for the same reasons; but whose issuer is gone may
 * be renewed. */
static void test_by_hand(void **state)
{
    static const enum node_denial denied[] = {
        NODE_DENIAL_REVOKED, NODE_DENIAL_RANGE, NODE_DENIAL_CLASH};
    struct body_certificate body;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(denied); i++) {
        stage.member->denial = denied[i];
        assert_int_equal(renewals_make(&stage.core, stage.member, 0, &body),
                         RENEWALS_DENIED);
    }
    stage.member->denial = NODE_DENIAL_ISSUER;
    assert_int_equal(renewals_make(&stage.core, stage.member, 0, &body),
                     RENEWALS_OK);
}

static void test_who_does_not_renew(void **state)
{
    (void)state;
    stage.identity.body.roles = BODY_ROLE_MEMBER;
    assert_none();
    stage.identity.body.roles |= BODY_ROLE_ISSUER;
    stage.core.is_ready = false;
    assert_none();
    stage.core.is_ready = true;
    stage.core.is_stopping = true;
    assert_none();
}

/* What a revoked issuer signed is not made to last by itself. */
static void test_of_a_revoked_issuer(void **state)
{
    (void)state;
    stage.members[0]->denial = NODE_DENIAL_REVOKED;
    assert_none();
    stage.members[0]->denial = NODE_DENIAL_NONE;
    review();
    assert_int_equal(stage.n_writes, 1);
    commit();
}

/* Never beyond our own end, and not for a few days at a time. */
static void test_own_end(void **state)
{
    (void)state;
    stage.identity.body.not_after_s = NOW_S + 170 * DAY_S;
    assert_none();
    stage.identity.body.not_after_s = NOW_S + 300 * DAY_S;
    review();
    assert_int_equal(stage.n_writes, 1);
    assert_true(stage.writes[0].body.not_after_s == NOW_S + 300 * DAY_S);
    commit();
}

/* A live issuer with a lower key has a minute. */
static void test_second_issuer(void **state)
{
    (void)state;
    fake_node_certificate(stage.members[0])->roles |= BODY_ROLE_ISSUER;
    assert_none();
    stage.now_ms += 59000;
    assert_none();
    stage.now_ms += 2000;
    review();
    assert_int_equal(stage.n_writes, 1);
    commit();
    /* One that is dead has none. */
    fake_node_certificate(stage.member)->not_before_s = NOW_S - 200 * DAY_S;
    fake_node_certificate(stage.member)->not_after_s = NOW_S + 165 * DAY_S;
    stage.members[0]->state = NODE_MEMBER_DEAD;
    review();
    assert_int_equal(stage.n_writes, 1);
    commit();
}

static int setup_many(void **state)
{
    (void)state;
    make_stage(MANY, 350 * DAY_S, 15 * DAY_S);
    return 0;
}

/* In lots, all of them. */
static void test_many(void **state)
{
    (void)state;
    review();
    assert_int_equal(stage.n_writes, 32);
    commit();
    review();
    assert_int_equal(stage.n_writes, MANY - 1 - 32);
    commit();
    assert_none();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_renewed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_before_its_moment, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_who_is_not_renewed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_by_hand, setup, teardown),
        cmocka_unit_test_setup_teardown(test_who_does_not_renew, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_of_a_revoked_issuer, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_own_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_second_issuer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many, setup_many, teardown),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
