/*
 * gossip/node by its public interface, as test_node.c: a writer that signs two
 * records under one number.  It is frozen, by all alike and for good, until it
 * has a certificate of another serial.
 */
#include "tests/unit/puppet.h"

#include <stdio.h>
#include <stdlib.h>

/* Two records of the puppet under its next number. */
static void make_pair(struct puppets *puppets, unsigned who,
                      const char *instance, struct puppet_record *first,
                      struct puppet_record *second)
{
    char other[16];

    (void)snprintf(other, sizeof(other), "%s-2", instance); /* fits */
    puppet_service(puppets, who, instance, PUPPET_WALL_MS, first);
    puppets->seq--;
    puppet_service(puppets, who, other, PUPPET_WALL_MS, second);
}

static void freeze(struct puppets *puppets, unsigned who, const char *instance)
{
    struct puppet_record first, second;

    make_pair(puppets, who, instance, &first, &second);
    puppet_send_record(puppets, 1, &first);
    assert_false(puppets_member(puppets, who).is_frozen);
    puppet_send_record(puppets, 1, &second);
    assert_true(puppets_member(puppets, who).is_frozen);
}

/* Nothing more of it is taken, but that it lives; and the proof is kept and
 * passed on. */
static void test_frozen(void **state)
{
    struct puppets *puppets = *state;
    struct puppet_record record;
    struct record_order before;

    freeze(puppets, 2, "a");
    assert_int_equal(puppets->n_evidence, 1);
    puppet_service(puppets, 2, "b", PUPPET_WALL_MS, &record);
    puppet_send_record(puppets, 2, &record);
    assert_false(puppets_has(puppets, 2, RECORD_SERVICE, "redis/b"));
    before = puppets_member(puppets, 2).incarnation;
    puppet_member(puppets, 2, &record);
    puppet_send_record(puppets, 2, &record);
    assert_true(record_order_compare(puppets_member(puppets, 2).incarnation,
                                     before) > 0);
    /* Once: more of the kind is no news. */
    puppet_send_record(puppets, 3, &puppets->evidence);
    assert_int_equal(puppets->n_evidence, 1);
    assert_false(puppets_member(puppets, 3).is_frozen);
}

/* One more node, started anew with what this one knows of certificates. */
static void start_again(struct puppets *puppets)
{
    puppets_end(puppets);
    puppets_start(puppets, 4);
}

/* After a restart it knows by its store, before any record is looked at. */
static void test_after_a_restart(void **state)
{
    struct puppets *puppets = *state;
    struct puppet_record record, evidence;
    struct node_event start = {.type = NODE_EVENT_START};

    freeze(puppets, 2, "a");
    evidence = puppets->evidence;
    puppets_end(puppets);
    puppets_prepare(puppets, 4);
    assert_int_equal(puppets_make_node(puppets), 0);
    assert_int_equal(
        node_load(puppets->node, evidence.bytes, evidence.size, PUPPET_WALL_MS),
        0);
    /* What it had is shown still. */
    puppet_service(puppets, 2, "a", PUPPET_WALL_MS, &record);
    assert_int_equal(
        node_load(puppets->node, record.bytes, record.size, PUPPET_WALL_MS), 0);
    puppets_step(puppets, &start);
    puppets_run(puppets, 2000);
    assert_true(puppets_member(puppets, 2).is_frozen);
    assert_true(puppets_has(puppets, 2, RECORD_SERVICE, "redis/a"));
    puppet_hello(puppets, 2);
    puppet_service(puppets, 2, "b", PUPPET_WALL_MS, &record);
    puppet_send_record(puppets, 2, &record);
    assert_false(puppets_has(puppets, 2, RECORD_SERVICE, "redis/b"));
}

/* Those who met another pair, and took other records of it before, compare
 * as equal: nobody goes on synchronising. */
static void test_fingerprints_agree(void **state)
{
    struct puppets *puppets = *state;
    struct puppet_record record;
    uint64_t fingerprints[2];

    for (unsigned i = 0; i < 2; i++) {
        if (i > 0) {
            start_again(puppets);
            puppet_service(puppets, 2, "only-here", PUPPET_WALL_MS, &record);
            puppet_send_record(puppets, 2, &record);
        }
        puppets->seq = 100 + i;
        freeze(puppets, 2, i == 0 ? "a" : "b");
        puppets->seq = 200;
        puppet_member(puppets, 2, &record);
        puppet_send_record(puppets, 2, &record);
        fingerprints[i] = node_fingerprint(puppets->node);
    }
    assert_true(fingerprints[0] == fingerprints[1]);
}

/* Whoever makes evidence up freezes nobody. */
static void test_forged_evidence(void **state)
{
    struct puppets *puppets = *state;
    struct puppet_record forged;

    freeze(puppets, 2, "a");
    forged = puppets->evidence;
    start_again(puppets);
    forged.bytes[forged.size - 64 - 1] ^= 1; /* a half's signature */
    puppet_send_record(puppets, 3, &forged);
    assert_int_equal(puppets_counters(puppets)->refused_signature, 1);
    assert_false(puppets_member(puppets, 2).is_frozen);
    forged.bytes[forged.size - 64 - 1] ^= 1;
    puppet_send_record(puppets, 3, &forged);
    assert_true(puppets_member(puppets, 2).is_frozen);
}

/* To leave and come back does not free it. */
static void test_leaving_frees_nobody(void **state)
{
    struct puppets *puppets = *state;
    struct body_member body = {
        .state = BODY_MEMBER_LEFT, .protocol_min = 1, .protocol_max = 1};
    struct puppet_record record;
    uint8_t packed[128];
    size_t size = 0;

    freeze(puppets, 2, "a");
    assert_int_equal(body_put_member(&body, packed, sizeof(packed), &size), 0);
    puppet_sign(puppets, 2, RECORD_MEMBER, NULL, 0, packed, size,
                PUPPET_WALL_MS, &record);
    puppet_send_record(puppets, 2, &record);
    assert_int_equal(puppets_member(puppets, 2).state, NODE_MEMBER_LEFT);
    puppet_member(puppets, 2, &record);
    puppet_send_record(puppets, 2, &record);
    assert_int_equal(puppets_member(puppets, 2).state, NODE_MEMBER_ALIVE);
    assert_true(puppets_member(puppets, 2).is_frozen);
}

/* A certificate of another serial does; what it wrote before goes. */
static void test_thaw(void **state)
{
    struct puppets *puppets = *state;
    struct puppet_record record;

    freeze(puppets, 2, "a");
    puppet_renew(puppets, 2, 160); /* keeps the serial */
    puppet_hello(puppets, 2);
    assert_true(puppets_member(puppets, 2).is_frozen);
    puppets->serials[2] = 77;
    puppet_renew(puppets, 2, 161);
    puppet_hello(puppets, 2);
    assert_false(puppets_member(puppets, 2).is_frozen);
    assert_false(puppets_has(puppets, 2, RECORD_SERVICE, "redis/a"));
    assert_true(puppets->n_erased >= 2); /* it, and the evidence */
    puppet_service(puppets, 2, "b", PUPPET_WALL_MS, &record);
    puppet_send_record(puppets, 2, &record);
    assert_true(puppets_has(puppets, 2, RECORD_SERVICE, "redis/b"));
    /* What is over does not come back. */
    puppet_send_record(puppets, 3, &puppets->evidence);
    assert_false(puppets_member(puppets, 2).is_frozen);
}

/* The writer itself hears of it: it says so, stops writing, and tells all. */
static void test_owner_is_told(void **state)
{
    struct puppets *puppets = *state;
    struct puppet_record first, second;
    struct body_member body;
    struct record record;
    uint8_t source[32];

    assert_int_equal(puppets_write(puppets, "before"), 0);
    make_pair(puppets, 0, "a", &first, &second);
    puppet_send_record(puppets, 1, &first);
    puppet_send_record(puppets, 1, &second);
    assert_true(puppets_member(puppets, 0).is_frozen);
    assert_int_equal(node_trouble(puppets->node, source), NODE_TROUBLE_FROZEN);
    assert_int_equal(puppets_write(puppets, "b"), NODE_E_FROZEN);
    assert_int_equal(puppets_remove(puppets, "before"), NODE_E_FROZEN);
    puppets_run(puppets, 100);
    assert_true(node_record_find(puppets->node, puppets->keys[0].sign_public,
                                 RECORD_MEMBER, (const uint8_t *)"", 0,
                                 &record));
    assert_int_equal(body_get_member(&record, &body), 0);
    assert_int_equal(body.finding, BODY_MEMBER_FINDING_FROZEN);
    /* It lives, and says so when it is doubted. */
    puppet_accusation(puppets, 1, 0, &first);
    puppet_send_record(puppets, 1, &first);
    assert_int_equal(puppets_counters(puppets)->refutations, 1);
}

static int check_serial(const struct record *record, void *data)
{
    struct puppets *puppets = data;

    if (memcmp(record->writer, puppets->keys[0].sign_public, 32) == 0) {
        assert_int_equal(record->serial, 77);
    }
    return 0;
}

/* The node gets a certificate of another serial, with these functions. */
static void renew_owner(struct puppets *puppets)
{
    puppets->serials[0] = 77;
    puppet_renew(puppets, 0, 1); /* its own keys */
    puppet_send_record(puppets, 1, &puppets->certificates[0]);
    puppets_run(puppets, 3000);
    assert_int_equal(puppets_member(puppets, 0).certificate->serial, 77);
}

/* It is free with a new certificate, and what it had is there again. */
static void test_owner_is_freed(void **state)
{
    struct puppets *puppets = *state;
    struct puppet_record first, second;
    struct body_member body;
    struct record record;
    uint8_t source[32];

    assert_int_equal(puppets_write(puppets, "kept"), 0);
    assert_int_equal(puppets_write(puppets, "gone"), 0);
    assert_int_equal(puppets_remove(puppets, "gone"), 0);
    make_pair(puppets, 0, "a", &first, &second);
    puppet_send_record(puppets, 1, &first);
    puppet_send_record(puppets, 1, &second);
    assert_int_equal(node_trouble(puppets->node, source), NODE_TROUBLE_FROZEN);
    puppets_run(puppets, 1000);
    renew_owner(puppets);
    assert_int_equal(node_trouble(puppets->node, source), NODE_TROUBLE_NONE);
    assert_int_equal(node_records_each(puppets->node, 0, check_serial, puppets),
                     0);
    assert_true(puppets_has(puppets, 0, RECORD_SERVICE, "redis/kept"));
    assert_false(puppets_has(puppets, 0, RECORD_SERVICE, "redis/gone"));
    assert_true(node_record_find(puppets->node, puppets->keys[0].sign_public,
                                 RECORD_MEMBER, (const uint8_t *)"", 0,
                                 &record));
    assert_int_equal(body_get_member(&record, &body), 0);
    assert_int_equal(body.finding, BODY_MEMBER_FINDING_NONE);
    assert_int_equal(puppets_write(puppets, "more"), 0);
}

/* Changed rights make a new serial: all is written again, and the manifest
 * that ended what is gone; then no more. */
static void test_another_serial(void **state)
{
    struct puppets *puppets = *state;
    size_t n_written;

    for (unsigned i = 0; i < 70; i++) {
        char instance[16];

        (void)snprintf(instance, sizeof(instance), "i%u", i); /* fits */
        assert_int_equal(puppets_write(puppets, instance), 0);
        if (i < 64) {
            assert_int_equal(puppets_remove(puppets, instance), 0);
        }
    }
    puppets_run(puppets, 2000);
    assert_int_equal(puppets->n_manifests, 1);
    renew_owner(puppets);
    assert_int_equal(puppets->n_manifests, 2);
    assert_int_equal(node_records_each(puppets->node, 0, check_serial, puppets),
                     0);
    assert_true(puppets_has(puppets, 0, RECORD_SERVICE, "redis/i69"));
    assert_false(puppets_has(puppets, 0, RECORD_SERVICE, "redis/i0"));
    n_written = puppets->n_written;
    puppets_run(puppets, 5000);
    assert_int_equal(puppets->n_written, n_written);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_frozen, puppets_setup_four,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_after_a_restart,
                                        puppets_setup_four, puppets_teardown),
        cmocka_unit_test_setup_teardown(test_fingerprints_agree,
                                        puppets_setup_four, puppets_teardown),
        cmocka_unit_test_setup_teardown(test_forged_evidence,
                                        puppets_setup_four, puppets_teardown),
        cmocka_unit_test_setup_teardown(test_leaving_frees_nobody,
                                        puppets_setup_four, puppets_teardown),
        cmocka_unit_test_setup_teardown(test_thaw, puppets_setup_four,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_owner_is_told, puppets_setup_four,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_owner_is_freed, puppets_setup_four,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_another_serial, puppets_setup_four,
                                        puppets_teardown),
    };

    if (sodium_init() < 0) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
