/*
 * gossip/node/hold.c by the node's public interface: issuers have the cluster
 * stand still, and any of them has it go on.
 */
#include "tests/unit/puppet.h"

#include <stdlib.h>

static void send_hold(struct puppets *puppets, unsigned from,
                      const struct body_hold *body)
{
    struct puppet_record record;
    uint8_t packed[LIMIT_RECORD_SIZE];
    size_t size = 0;

    assert_int_equal(body_put_hold(body, packed, sizeof(packed), &size), 0);
    puppet_sign(puppets, from, RECORD_HOLD, NULL, 0, packed, size,
                PUPPET_WALL_MS, &record);
    puppet_send_record(puppets, 2, &record);
}

static const struct body_hold freeze = {.is_held = true, .reason = "a test"};

static void test_freeze_and_release(void **state)
{
    struct puppets *puppets = *state;
    struct body_hold release = {.is_held = false};
    struct node_hold hold;

    assert_int_equal(node_holds(puppets->node, &hold, 1), 0);
    send_hold(puppets, 1, &freeze);
    assert_int_equal(node_holds(puppets->node, &hold, 1), 1);
    assert_memory_equal(hold.writer, puppets->keys[1].sign_public, 32);
    assert_string_equal(hold.reason, "a test");
    assert_int_equal(hold.hlc >> 16, PUPPET_WALL_MS);
    send_hold(puppets, 1, &release);
    assert_int_equal(node_holds(puppets->node, &hold, 1), 0);
    send_hold(puppets, 1, &freeze);
    assert_int_equal(node_holds(puppets->node, NULL, 0), 1);
}

/* Who is no issuer freezes nothing. */
static void test_issuers_only(void **state)
{
    struct puppets *puppets = *state;
    struct node_written written = {.result = -1};
    uint8_t packed[64];
    struct node_event event = {.type = NODE_EVENT_WRITE,
                               .kind = RECORD_HOLD,
                               .key = (const uint8_t *)"",
                               .body = packed,
                               .written = &written};

    send_hold(puppets, 3, &freeze);
    assert_int_equal(puppets_counters(puppets)->refused_rights, 1);
    assert_int_equal(node_holds(puppets->node, NULL, 0), 0);
    assert_int_equal(
        body_put_hold(&freeze, packed, sizeof(packed), &event.body_size), 0);
    puppets_step(puppets, &event);
    assert_int_equal(written.result, NODE_E_NOT_ALLOWED);
}

/* Another issuer ends it, by name; one that freezes again is not ended by
 * that. */
static void test_released_by_another(void **state)
{
    struct puppets *puppets = *state;
    struct node_hold hold;
    struct body_hold release = {.is_held = false, .n_ids = 1};

    puppets->roles[3] = BODY_ROLE_MEMBER | BODY_ROLE_ISSUER;
    puppet_renew(puppets, 3, 4);
    puppet_hello(puppets, 3);
    send_hold(puppets, 1, &freeze);
    assert_int_equal(node_holds(puppets->node, &hold, 1), 1);
    release.ids = hold.id;
    send_hold(puppets, 3, &release);
    assert_int_equal(node_holds(puppets->node, NULL, 0), 0);
    send_hold(puppets, 1, &freeze);
    assert_int_equal(node_holds(puppets->node, NULL, 0), 1);
}

/* A list that is too long, or no list of ids, is no hold. */
static void test_limit(void **state)
{
    static const uint8_t ids[(LIMIT_HOLDS + 1) * BODY_HOLD_ID_SIZE];
    struct puppets *puppets = *state;
    struct body_hold most = {.ids = ids, .n_ids = LIMIT_HOLDS};
    uint8_t packed[LIMIT_RECORD_SIZE] = {0x82, 1, 0xc2, 3, 0xc5};
    struct puppet_record record;

    send_hold(puppets, 1, &most);
    assert_int_equal(puppets_counters(puppets)->refused_body, 0);
    packed[5] = sizeof(ids) >> 8;
    packed[6] = sizeof(ids) & 0xff;
    puppet_sign(puppets, 1, RECORD_HOLD, NULL, 0, packed, 7 + sizeof(ids),
                PUPPET_WALL_MS, &record);
    puppet_send_record(puppets, 2, &record);
    assert_int_equal(puppets_counters(puppets)->refused_body, 1);
    packed[5] = 0;
    packed[6] = BODY_HOLD_ID_SIZE - 1;
    puppet_sign(puppets, 1, RECORD_HOLD, NULL, 0, packed,
                7 + BODY_HOLD_ID_SIZE - 1, PUPPET_WALL_MS, &record);
    puppet_send_record(puppets, 2, &record);
    assert_int_equal(puppets_counters(puppets)->refused_body, 2);
}

static void renew_own(struct puppets *puppets, uint64_t serial)
{
    puppets->serials[0] = serial;
    puppets->roles[0] = BODY_ROLE_MEMBER | BODY_ROLE_ISSUER;
    puppet_renew(puppets, 0, 1); /* its own keys */
    puppet_send_record(puppets, 1, &puppets->certificates[0]);
    puppets_run(puppets, 3000);
}

/* A freeze of ours that another has released does not come back when we write
 * all again, under the serial of another certificate. */
static void test_released_for_good(void **state)
{
    struct puppets *puppets = *state;
    struct node_written written = {.result = -1};
    struct body_hold release = {.is_held = false, .n_ids = 1};
    uint8_t packed[64];
    struct node_event event = {.type = NODE_EVENT_WRITE,
                               .kind = RECORD_HOLD,
                               .key = (const uint8_t *)"",
                               .body = packed,
                               .written = &written};
    struct node_hold hold;
    struct record record;

    renew_own(puppets, 78);
    assert_int_equal(
        body_put_hold(&freeze, packed, sizeof(packed), &event.body_size), 0);
    puppets_step(puppets, &event);
    assert_int_equal(written.result, 0);
    assert_int_equal(node_holds(puppets->node, &hold, 1), 1);
    release.ids = hold.id;
    send_hold(puppets, 1, &release);
    assert_int_equal(node_holds(puppets->node, NULL, 0), 0);
    renew_own(puppets, 79);
    assert_true(node_record_find(puppets->node, puppets->keys[0].sign_public,
                                 RECORD_HOLD, (const uint8_t *)"", 0, &record));
    assert_int_equal(record.serial, 79);
    assert_int_equal(node_holds(puppets->node, NULL, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_freeze_and_release,
                                        puppets_setup_four, puppets_teardown),
        cmocka_unit_test_setup_teardown(test_issuers_only, puppets_setup_four,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_limit, puppets_setup_four,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_released_for_good,
                                        puppets_setup_four, puppets_teardown),
        cmocka_unit_test_setup_teardown(test_released_by_another,
                                        puppets_setup_four, puppets_teardown),
    };

    if (sodium_init() < 0) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
