/*
 * gossip/node by its public interface: single rules, each with packets that
 * the test writes itself (puppet.h).  What many nodes make of the rules is
 * tests/sim's; limits are test_node_limits.c's.
 */
#include "tests/unit/puppet.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/heap.h"

/* --- rights.c --------------------------------------------------------------
 */

static void make_function(struct puppets *puppets, unsigned from,
                          struct puppet_record *ret)
{
    struct body_function body = {.name = "redis"};
    uint8_t packed[256];
    size_t size = 0;

    assert_int_equal(body_put_function(&body, packed, sizeof(packed), &size),
                     0);
    puppet_sign(puppets, from, RECORD_FUNCTION, "redis", 5, packed, size,
                PUPPET_WALL_MS, ret);
}

static void make_revocation(struct puppets *puppets, unsigned from,
                            struct puppet_record *ret)
{
    struct body_revocation body = {.serial = 4, .reason = "lost"};
    uint8_t packed[256];
    size_t size = 0;

    assert_int_equal(body_put_revocation(&body, packed, sizeof(packed), &size),
                     0);
    puppet_sign(puppets, from, RECORD_REVOCATION, puppets->keys[3].sign_public,
                32, packed, size, PUPPET_WALL_MS, ret);
}

/* Only an issuer's functions and revocations are taken. */
static void test_admission_is_of_issuers(void **state)
{
    struct puppets *puppets = *state;
    struct puppet_record record;
    size_t n_records = node_n_records(puppets->node);

    make_function(puppets, 2, &record);
    puppet_send_record(puppets, 2, &record);
    make_revocation(puppets, 2, &record);
    puppet_send_record(puppets, 2, &record);
    assert_int_equal(puppets_counters(puppets)->refused_rights, 2);
    assert_int_equal(node_n_records(puppets->node), n_records);
    make_function(puppets, 1, &record);
    puppet_send_record(puppets, 1, &record);
    make_revocation(puppets, 1, &record);
    puppet_send_record(puppets, 1, &record);
    assert_int_equal(puppets_counters(puppets)->refused_rights, 2);
    /* Both, but for the member record of whom it revokes. */
    assert_int_equal(node_n_records(puppets->node), n_records + 2 - 1);
}

static void send_tombstone(struct puppets *puppets, unsigned from, uint8_t kind,
                           const void *key, size_t key_size)
{
    struct body_tombstone body = {.kind = kind};
    struct puppet_record record;
    uint8_t packed[16];
    size_t size = 0;

    assert_int_equal(body_put_tombstone(&body, packed, sizeof(packed), &size),
                     0);
    puppet_sign(puppets, from, RECORD_TOMBSTONE, key, key_size, packed, size,
                PUPPET_WALL_MS, &record);
    puppet_send_record(puppets, from, &record);
}

/* A tombstone ends no record that lives by rules of its own. */
static void test_tombstones_of_exempt_kinds(void **state)
{
    static const uint8_t kinds[] = {RECORD_CERTIFICATE, RECORD_REVOCATION,
                                    RECORD_MEMBER,      RECORD_MANIFEST,
                                    RECORD_ACCUSATION,  RECORD_TOMBSTONE};
    struct puppets *puppets = *state;
    struct puppet_record record;
    size_t n_records = node_n_records(puppets->node);

    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        send_tombstone(puppets, 2, kinds[i], "", 0);
        assert_int_equal(puppets_counters(puppets)->refused_body, i + 1);
    }
    assert_int_equal(node_n_records(puppets->node), n_records);
    assert_true(node_record_find(puppets->node, puppets->keys[2].sign_public,
                                 RECORD_MEMBER, (const uint8_t *)"", 0,
                                 &(struct record){0}));
    /* One of a service is taken, in its place. */
    puppet_service(puppets, 2, "a", PUPPET_WALL_MS, &record);
    puppet_send_record(puppets, 2, &record);
    send_tombstone(puppets, 2, RECORD_SERVICE, "redis/a", 7);
    assert_int_equal(puppets_counters(puppets)->refused_body,
                     ARRAY_SIZE(kinds));
    assert_int_equal(node_n_records(puppets->node), n_records + 1);
}

/* --- own.c -----------------------------------------------------------------
 */

/* A manifest names the highest number and lists what is live: while a record
 * is under way it would end that one. */
static void test_no_manifest_while_writing(void **state)
{
    struct puppets *puppets = *state;
    struct record record;

    for (unsigned i = 0; i < 64; i++) {
        char instance[16];

        (void)snprintf(instance, sizeof(instance), "i%u", i); /* fits */
        assert_int_equal(puppets_write(puppets, instance), 0);
        if (i < 63) {
            assert_int_equal(puppets_remove(puppets, instance), 0);
        }
    }
    puppets_run(puppets, 5000);
    assert_int_equal(puppets->n_manifests, 0);
    /* The 64th tombstone is on disk before the record that follows it. */
    puppets->holds_commits = true;
    assert_int_equal(puppets_remove(puppets, "i63"), 0);
    assert_int_equal(puppets_write(puppets, "kept"), 0);
    assert_int_equal(puppets->n_held, 2);
    puppets->n_held = 1;
    {
        struct record_order last = puppets->held[1];

        puppets_commit(puppets);
        puppets_run(puppets, 5000);
        assert_int_equal(puppets->n_manifests, 0);
        puppets->held[0] = last;
        puppets->n_held = 1;
    }
    puppets->holds_commits = false;
    puppets_commit(puppets);
    puppets_run(puppets, 5000);
    assert_int_equal(puppets->n_manifests, 1);
    assert_true(node_record_find(puppets->node, puppets->keys[0].sign_public,
                                 RECORD_SERVICE, (const uint8_t *)"redis/kept",
                                 10, &record));
}

/* What the disk refused is written again: here a pause. */
static void test_pause_is_owed(void **state)
{
    struct puppets *puppets = *state;
    struct node_event pause = {.type = NODE_EVENT_PAUSE, .pause_s = 9};
    struct node_event failed = {.type = NODE_EVENT_STORE_FAILED};

    puppets->holds_commits = true;
    puppets_step(puppets, &pause);
    assert_int_equal(puppets->n_held, 1);
    failed.order = puppets->held[0];
    puppets->n_held = 0;
    puppets_step(puppets, &failed);
    assert_int_equal(puppets->n_held, 0);
    assert_int_equal(puppets_member(puppets, 0).state, NODE_MEMBER_ALIVE);
    puppets_run(puppets, 1500);
    assert_int_equal(puppets->n_held, 1);
    puppets->holds_commits = false;
    puppets_commit(puppets);
    assert_int_equal(puppets_member(puppets, 0).state, NODE_MEMBER_PAUSED);
}

/* --- probe.c ---------------------------------------------------------------
 */

static void answer(struct puppets *puppets, unsigned from, uint16_t nonce)
{
    uint8_t payload[PACKET_PAYLOAD_MAX];
    struct writer writer = writer_init(payload, sizeof(payload));

    message_put_ping(&writer, MESSAGE_ACK, nonce,
                     node_fingerprint(puppets->node));
    puppet_send(puppets, from, &writer);
}

/* Runs until the node pings somebody; who, and with which nonce. */
static unsigned wait_ping(struct puppets *puppets, uint16_t *ret_nonce)
{
    for (unsigned tries = 0; tries < 100; tries++) {
        puppets_clear(puppets);
        puppets_run(puppets, 50);
        for (unsigned who = 1; who < puppets->n; who++) {
            const struct puppet_seen *ping =
                puppet_seen(puppets, who, MESSAGE_PING, 0);

            if (ping != NULL) {
                *ret_nonce = ping->message.nonce;
                return who;
            }
        }
    }
    fail_msg("nobody is pinged");
    return 0;
}

/* An answer is one to this very ping. */
static void test_nonce_of_an_answer(void **state)
{
    struct puppets *puppets = *state;
    uint16_t nonce = 0;
    unsigned who = wait_ping(puppets, &nonce);
    uint64_t n_failed = puppets_counters(puppets)->probes_failed;

    answer(puppets, who, nonce);
    puppets_run(puppets, 900);
    assert_int_equal(puppets_counters(puppets)->probes_failed, n_failed);
    assert_true(puppets_member(puppets, who).is_reachable);
    assert_true(puppets_member(puppets, who).rtt_us > 0);

    who = wait_ping(puppets, &nonce);
    n_failed = puppets_counters(puppets)->probes_failed;
    answer(puppets, who, (uint16_t)(nonce ^ 0x8000));
    puppets_run(puppets, 3000);
    assert_true(puppets_counters(puppets)->probes_failed > n_failed);
    assert_false(puppets_member(puppets, who).is_reachable);
}

/* Who signs something new while it is probed lives, whatever was lost. */
static void test_signed_meanwhile(void **state)
{
    struct puppets *puppets = *state;
    struct puppet_record record;
    uint16_t nonce = 0;
    uint64_t n_probes;

    puppets_end(puppets);
    puppets_start(puppets, 2); /* so that all probes are of one */
    (void)wait_ping(puppets, &nonce);
    n_probes = puppets_counters(puppets)->probes;
    puppet_member(puppets, 1, &record);
    puppet_send_record(puppets, 1, &record);
    puppets_run(puppets, NODE_TUNING_DEFAULT.probe_interval_ms);
    assert_int_equal(puppets_counters(puppets)->probes_failed, 0);
    /* The next one is not answered either, and says so. */
    puppets_run(puppets, 3 * (uint64_t)NODE_TUNING_DEFAULT.probe_interval_ms);
    assert_true(puppets_counters(puppets)->probes > n_probes);
    assert_true(puppets_counters(puppets)->probes_failed > 0);
}

/* --- sync.c ----------------------------------------------------------------
 */

/* Nothing of a writer is accepted before its certificate: certificates go
 * first, whatever the order of ids. */
static void test_certificates_go_first(void **state)
{
    struct puppets *puppets = *state;
    uint8_t payload[PACKET_PAYLOAD_MAX];
    struct writer writer = writer_init(payload, sizeof(payload));
    struct message_head nothing = {.last = UINT64_MAX};
    uint64_t root_id = record_node_id(puppets->root.sign_public);
    bool has_smaller = false, has_other = false;
    size_t n = 0;

    for (unsigned i = 0; i < puppets->n; i++) {
        has_smaller = has_smaller ||
                      record_node_id(puppets->keys[i].sign_public) < root_id;
    }
    assert_true(has_smaller); /* or the test would show nothing */
    message_put_heads(&writer, &nothing, 1);
    puppet_send(puppets, 1, &writer);
    for (const struct puppet_seen *seen;
         (seen = puppet_seen(puppets, 1, MESSAGE_RECORD, n)) != NULL; n++) {
        struct record record;

        assert_int_equal(record_parse(seen->bytes, seen->message.size, &record),
                         0);
        assert_true(n > 0 || record.kind == RECORD_CHARTER);
        if (record.kind == RECORD_MEMBER) {
            has_other = true;
        } else {
            assert_false(has_other);
        }
    }
    assert_true(has_other);
    assert_true(n > 2 * puppets->n); /* a certificate and a member each */
}

/* --- spread.c --------------------------------------------------------------
 */

/* What does not come is asked of the last who announced it. */
static void test_last_announcer_is_asked(void **state)
{
    static const uint64_t hash = 0x1234567890abcdef;
    struct puppets *puppets = *state;

    puppet_send_hashes(puppets, 1, MESSAGE_IHAVE, &hash, 1);
    assert_int_equal(puppet_n_seen(puppets, 1, MESSAGE_WANT), 1);
    puppet_send_hashes(puppets, 2, MESSAGE_IHAVE, &hash, 1);
    assert_int_equal(puppet_n_seen(puppets, 2, MESSAGE_WANT), 0);
    puppets_run(puppets, 150);
    assert_int_equal(puppet_n_seen(puppets, 1, MESSAGE_WANT), 1);
    assert_int_equal(puppet_n_seen(puppets, 2, MESSAGE_WANT), 1);
    assert_int_equal(
        message_hash_at(&puppet_seen(puppets, 2, MESSAGE_WANT, 0)->message, 0),
        hash);
}

/* --- node.c ----------------------------------------------------------------
 */

/* Whatever memory lacks while a node is made and loaded, that is said and
 * nothing is left (the sanitizer's leak check sees the rest). */
static void test_memory_of_start(void **state)
{
    struct puppets puppets;
    bool has_failed = true;

    (void)state;
    puppets_prepare(&puppets, 12);
    for (unsigned n = 1; has_failed; n++) {
        int error;

        assert_true(n < 1000);
        heap_fail_at(n);
        error = puppets_make_node(&puppets);
        has_failed = heap_off();
        assert_int_equal(error, has_failed ? -ENOMEM : 0);
        if (has_failed) {
            assert_null(puppets.node);
        } else {
            assert_int_equal(node_n_records(puppets.node), 12 + 1);
        }
    }
    puppets_end(&puppets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_of_start),
        cmocka_unit_test_setup_teardown(test_admission_is_of_issuers,
                                        puppets_setup_four, puppets_teardown),
        cmocka_unit_test_setup_teardown(test_tombstones_of_exempt_kinds,
                                        puppets_setup_four, puppets_teardown),
        cmocka_unit_test_setup_teardown(test_no_manifest_while_writing,
                                        puppets_setup_four, puppets_teardown),
        cmocka_unit_test_setup_teardown(test_pause_is_owed, puppets_setup_four,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_nonce_of_an_answer,
                                        puppets_setup_four, puppets_teardown),
        cmocka_unit_test_setup_teardown(test_signed_meanwhile,
                                        puppets_setup_four, puppets_teardown),
        cmocka_unit_test_setup_teardown(test_certificates_go_first,
                                        puppets_setup_four, puppets_teardown),
        cmocka_unit_test_setup_teardown(test_last_announcer_is_asked,
                                        puppets_setup_four, puppets_teardown),
    };

    if (sodium_init() < 0) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
