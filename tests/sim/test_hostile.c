/*
 * What certified nodes with bad intent, and people on the wire, can do: each
 * as a scenario of a few nodes under virtual time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/attacker.h"
#include "tests/sim/cluster.h"
#include "tests/sim/scenario.h"
#include "tests/sim/views.h"

static void test_equivocation(void **state)
{
    struct record_order order = {(uint64_t)ATTACKER_BOOT << 32, 2};
    struct scenario scenario;
    struct cluster *cluster;
    struct simkeys_record first;
    struct simkeys_record second;
    struct simkeys_record later;
    const struct simkeys *evil;
    uint64_t n_packets;

    (void)state;
    scenario_begin(&scenario, 5, 1);
    cluster = scenario.cluster;
    evil = &cluster->nodes[4].keys;
    scenario_settle(&scenario, 5000);
    attacker_service(cluster, evil, evil, 4, order, "i0", 80, &first);
    attacker_service(cluster, evil, evil, 4, order, "i0", 81, &second);
    check_allow(&cluster->check, first.bytes, first.size);
    check_allow(&cluster->check, second.bytes, second.size);
    attacker_send(cluster, 4, 0, 1, &first);
    attacker_send(cluster, 4, 1, 1, &second);
    cluster_run_for(cluster, 10000);
    /* Frozen: nothing more of it is believed. */
    order.seq = 3;
    attacker_service(cluster, evil, evil, 4, order, "i1", 80, &later);
    for (uint32_t i = 0; i < 4; i++) {
        attacker_send(cluster, 4, i, 2, &later);
    }
    cluster_run_for(cluster, 5000);
    assert_true(scenario_is_nowhere(cluster, 4, "i1"));
    for (uint32_t i = 0; i < 4; i++) {
        assert_true(node_counters_get(cluster->nodes[i].node)->refused_frozen >
                    0);
    }
    /* And it neither splits the cluster nor keeps it busy. */
    assert_true(views_are_equal(cluster));
    n_packets = cluster_counters(cluster).datagrams_out;
    cluster_run_for(cluster, 10000);
    assert_in_range(cluster_counters(cluster).datagrams_out - n_packets, 1,
                    10 * 4 * 6);
    scenario_end(&scenario);
}

static bool is_frozen(const struct cluster *cluster, uint32_t observer,
                      uint32_t subject)
{
    struct node_member member;

    return node_member_find(cluster->nodes[observer].node,
                            cluster->nodes[subject].keys.sign_public,
                            &member) &&
           member.is_frozen;
}

static bool all_hold_it_frozen(struct cluster *cluster, void *data)
{
    const uint32_t *subject = data;

    for (uint32_t i = 0; i < cluster->config.n_nodes; i++) {
        if (cluster_is_running(cluster, i) &&
            !is_frozen(cluster, i, *subject)) {
            return false;
        }
    }
    return views_are_equal(cluster);
}

/* Two records under one number, told to two nodes; others under another to a
 * third, so that not all have the same proof. */
static void contradict(struct cluster *cluster, uint32_t attacker,
                       uint32_t subject, uint64_t epoch)
{
    const struct simkeys *evil = &cluster->nodes[subject].keys;
    uint64_t counter = 1;

    for (uint32_t i = 0; i < 2; i++) {
        struct record_order order = {epoch, 100 + i};

        for (uint16_t port = 80; port < 82; port++) {
            struct simkeys_record record;
            char instance[16];

            (void)snprintf(instance, sizeof(instance), "e%u-%u", (unsigned)i,
                           (unsigned)port);
            attacker_service(cluster, evil, evil, subject, order, instance,
                             port, &record);
            check_allow(&cluster->check, record.bytes, record.size);
            attacker_send(cluster, attacker, i, counter++, &record);
        }
    }
}

/* A restart frees nobody; who was away learns it; and when all know, they
 * compare as equal and are silent. */
static void test_frozen_for_good(void **state)
{
    uint32_t evil = 4;
    struct scenario scenario;
    struct cluster *cluster;
    uint64_t n_syncs;

    (void)state;
    scenario_begin(&scenario, 5, 1);
    cluster = scenario.cluster;
    scenario_settle(&scenario, 5000);
    cluster_crash(cluster, 3);
    contradict(cluster, evil, evil, (uint64_t)ATTACKER_BOOT << 32);
    assert_true(cluster_run_until(cluster, 20000, all_hold_it_frozen, &evil));
    cluster_run_for(cluster, 1000); /* until it is on disk */
    for (uint32_t i = 0; i < 3; i++) {
        cluster_crash(cluster, i);
    }
    cluster_start(cluster, 0);
    assert_true(is_frozen(cluster, 0, evil));
    for (uint32_t i = 1; i < 4; i++) {
        cluster_start(cluster, i);
    }
    assert_true(cluster_run_until(cluster, 30000, all_hold_it_frozen, &evil));
    cluster_run_for(cluster, 10000);
    n_syncs = cluster_counters(cluster).syncs_started;
    cluster_run_for(cluster, 60000);
    assert_int_equal(cluster_counters(cluster).syncs_started, n_syncs);
    scenario_end(&scenario);
}

/* Somebody has a running node's key, and contradicts it: the node hears of it
 * itself, and stops. */
static void test_frozen_owner(void **state)
{
    uint32_t owner = 2;
    uint8_t source[32];
    struct scenario scenario;
    struct cluster *cluster;

    (void)state;
    scenario_begin(&scenario, 5, 1);
    cluster = scenario.cluster;
    scenario_settle(&scenario, 5000);
    contradict(cluster, 4, owner, node_epoch(cluster->nodes[owner].node));
    assert_true(cluster_run_until(cluster, 20000, all_hold_it_frozen, &owner));
    assert_int_equal(node_trouble(cluster->nodes[owner].node, source),
                     NODE_TROUBLE_FROZEN);
    assert_int_equal(cluster_register(cluster, owner, "redis", "i9", 80),
                     NODE_E_FROZEN);
    cluster_run_for(cluster, 60000);
    assert_true(scenario_all_see(&scenario, owner, NODE_MEMBER_ALIVE));
    assert_true(all_hold_it_frozen(cluster, &owner));
    scenario_end(&scenario);
}

/* A record of nobody, and one in another's name: refused and not relayed. */
static void test_foreign_writers(void **state)
{
    struct record_order order = {(uint64_t)ATTACKER_BOOT << 32, 5};
    struct scenario scenario;
    struct cluster *cluster;
    struct simkeys stranger;
    struct simkeys_record record;
    const struct node_counters *counters;

    (void)state;
    scenario_begin(&scenario, 5, 1);
    cluster = scenario.cluster;
    scenario_settle(&scenario, 5000);
    counters = node_counters_get(cluster->nodes[0].node);
    simkeys_make(cluster->config.seed, SIMKEYS_STRANGER, &stranger);
    attacker_service(cluster, &stranger, &stranger, 4, order, "i0", 80,
                     &record);
    scenario_clear(&scenario);
    memcpy(scenario.tracked, stranger.sign_public, 32);
    attacker_send(cluster, 4, 0, 1, &record);
    assert_int_equal(counters->refused_writer, 1);
    cluster_run_for(cluster, 5000);
    assert_int_equal(scenario.n_tracked, 0);
    /* In the name of node 2, signed by node 4. */
    attacker_service(cluster, &cluster->nodes[4].keys, &cluster->nodes[2].keys,
                     2, order, "i0", 80, &record);
    memcpy(scenario.tracked, cluster->nodes[2].keys.sign_public, 32);
    attacker_send(cluster, 4, 0, 2, &record);
    assert_int_equal(counters->refused_signature, 1);
    cluster_run_for(cluster, 5000);
    assert_int_equal(scenario.n_tracked, 0);
    assert_true(scenario_is_nowhere(cluster, 2, "i0"));
    scenario_settle(&scenario, 1000);
    scenario_end(&scenario);
}

/* By the right writer, but more than its certificate grants. */
static void test_rights(void **state)
{
    struct record_order order = {(uint64_t)ATTACKER_BOOT << 32, 5};
    struct scenario scenario;
    struct cluster *cluster;
    struct body_certificate body;
    struct simkeys_record record;
    struct simkeys stranger;
    const struct simkeys *evil;
    const struct node_counters *counters;

    (void)state;
    scenario_begin(&scenario, 5, 1);
    cluster = scenario.cluster;
    evil = &cluster->nodes[4].keys;
    scenario_settle(&scenario, 5000);
    counters = node_counters_get(cluster->nodes[0].node);
    /* An address of node 2, under its own serial and under node 2's. */
    attacker_service(cluster, evil, evil, 2, order, "i0", 80, &record);
    attacker_send(cluster, 4, 0, 1, &record);
    assert_int_equal(counters->refused_writer, 1);
    /* A certificate for an accomplice. */
    simkeys_make(cluster->config.seed, SIMKEYS_STRANGER, &stranger);
    simkeys_certificate_body(&stranger, 7, BODY_ROLE_MEMBER, &body);
    simkeys_certificate(cluster->config.seed, evil, 5, order, &body, &record);
    attacker_send(cluster, 4, 0, 2, &record);
    assert_int_equal(counters->refused_writer, 2);
    /* One for itself with more rights. */
    simkeys_certificate_body(evil, 4, BODY_ROLE_MEMBER | BODY_ROLE_ISSUER,
                             &body);
    body.generation = 9;
    simkeys_certificate(cluster->config.seed, evil, 5, order, &body, &record);
    attacker_send(cluster, 4, 0, 3, &record);
    assert_int_equal(counters->refused_writer, 3);
    cluster_run_for(cluster, 3000);
    scenario_settle(&scenario, 1000);
    assert_true(scenario_is_nowhere(cluster, 4, "i0"));
    scenario_end(&scenario);
}

static bool is_twin(const struct cluster *cluster, uint32_t node)
{
    uint8_t source[32];

    return node_trouble(cluster->nodes[node].node, source) == NODE_TROUBLE_TWIN;
}

static bool is_any_twin(struct cluster *cluster, void *data)
{
    (void)data;
    return is_twin(cluster, 1) || is_twin(cluster, 5);
}

static bool has_new_service(struct cluster *cluster, void *data)
{
    (void)data;
    return cluster_has_service(cluster, 0, 1, "redis", "i7");
}

/* A host's disk is copied and started beside it: one of the two stops writing
 * and says so, the other goes on, and neither outbids the other for ever. */
static void test_clone(void **state)
{
    struct scenario scenario;
    struct cluster *cluster;
    uint32_t loser, winner;
    uint64_t boot;

    (void)state;
    scenario_begin(&scenario, 6, 1);
    cluster = scenario.cluster;
    scenario_settle(&scenario, 5000);
    scenario_register(cluster, 1, 0, 2);
    cluster_run_for(cluster, 1000);
    boot = node_epoch(cluster->nodes[1].node) >> 32;
    cluster_clone(cluster, 1, 5);
    cluster_start(cluster, 5);
    assert_true(cluster_run_until(cluster, 60000, is_any_twin, NULL));
    cluster_run_for(cluster, 5000);
    assert_true(is_twin(cluster, 1) != is_twin(cluster, 5));
    loser = is_twin(cluster, 1) ? 1 : 5;
    winner = is_twin(cluster, 1) ? 5 : 1;
    assert_in_range(node_epoch(cluster->nodes[winner].node) >> 32, boot,
                    boot + 4);
    /* It does not write, whatever others make of its silence. */
    assert_int_equal(cluster_register(cluster, loser, "redis", "i9", 80),
                     NODE_E_TWIN);
    cluster_run_for(cluster, 30000);
    assert_true(is_twin(cluster, loser));
    assert_false(is_twin(cluster, winner));
    cluster_crash(cluster, loser);
    assert_int_equal(cluster_register(cluster, winner, "redis", "i7", 80), 0);
    assert_true(cluster_run_until(cluster, 60000, has_new_service, NULL));
    scenario_settle(&scenario, 30000);
    assert_true(scenario_is_everywhere(cluster, 1, "i0"));
    assert_true(scenario_is_everywhere(cluster, 1, "i7"));
    assert_true(scenario_is_nowhere(cluster, 1, "i9"));
    scenario_end(&scenario);
}

static uint64_t n_over_rate(const struct cluster *cluster, uint32_t node)
{
    return node_counters_get(cluster->nodes[node].node)->refused_rate;
}

/* A writer that writes faster than it may, and tells each of two members
 * another half: they drop what is past its rate, each something else.  When it
 * is quiet, anti-entropy brings all of them the newest of everything. */
static void test_too_fast(void **state)
{
    enum { SLOTS = 50, RECORDS = 3 * LIMIT_WRITER_BURST, EVIL = 4 };
    struct scenario scenario;
    struct cluster *cluster;
    struct record record;
    const struct simkeys *evil;

    (void)state;
    scenario_begin(&scenario, EVIL + 1, 1);
    cluster = scenario.cluster;
    evil = &cluster->nodes[EVIL].keys;
    scenario_settle(&scenario, 5000);
    cluster_crash(cluster, EVIL);
    for (unsigned i = 0; i < RECORDS; i++) {
        struct record_order order = {(uint64_t)ATTACKER_BOOT << 32, i + 2};
        struct simkeys_record one;
        char instance[8];

        (void)snprintf(instance, sizeof(instance), "i%u", i % SLOTS); /* fits */
        attacker_service(cluster, evil, evil, EVIL, order, instance,
                         (uint16_t)(1 + i / SLOTS), &one);
        check_allow(&cluster->check, one.bytes, one.size);
        attacker_send(cluster, EVIL, i % 2, i + 1, &one);
        if (i % 64 == 63) {
            cluster_run_for(cluster, 5);
        }
    }
    assert_true(n_over_rate(cluster, 0) > 0);
    assert_true(n_over_rate(cluster, 1) > 0);
    cluster_run_for(cluster, 60000);
    assert_true(views_are_equal(cluster));
    for (uint32_t node = 0; node < EVIL; node++) {
        assert_true(node_record_find(cluster->nodes[node].node,
                                     evil->sign_public, RECORD_SERVICE,
                                     (const uint8_t *)"redis/i0", 8, &record));
    }
    scenario_end(&scenario);
}

/* More records than one writer may have. */
static void test_too_many_records(void **state)
{
    struct record_order order = {(uint64_t)ATTACKER_BOOT << 32, 0};
    struct scenario scenario;
    struct cluster *cluster;
    const struct simkeys *evil;

    (void)state;
    scenario_begin(&scenario, 4, 1);
    cluster = scenario.cluster;
    evil = &cluster->nodes[3].keys;
    scenario_settle(&scenario, 5000);
    for (uint32_t i = 0; i <= LIMIT_RECORDS_PER_WRITER; i++) {
        struct simkeys_record record;
        char instance[16];

        order.seq++;
        (void)snprintf(instance, sizeof(instance), "i%u", i); /* fits */
        attacker_service(cluster, evil, evil, 3, order, instance, 80, &record);
        check_allow(&cluster->check, record.bytes, record.size);
        attacker_send(cluster, 3, 0, i + 1, &record);
        cluster_run_for(cluster, 5);
    }
    cluster_run_for(cluster, 20000);
    assert_int_equal(node_counters_get(cluster->nodes[0].node)->refused_limit,
                     1);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(scenario_count(cluster, i, 3, RECORD_SERVICE).n,
                         LIMIT_RECORDS_PER_WRITER);
    }
    assert_true(views_are_equal(cluster));
    scenario_end(&scenario);
}

/* Datagrams heard on the way, sent once more: later, and after the receiver
 * or the sender started anew. */
struct hostile_tape {
    uint8_t *bytes[256];
    size_t sizes[256];
    size_t n;
    size_t n_changes;
    bool is_full;
};

static void hostile_listen(struct cluster *cluster, uint32_t node,
                           const struct node_action *action, void *data)
{
    struct hostile_tape *tape = data;
    struct endpoint target = simkeys_endpoint(0);

    (void)cluster;
    if (node == 0 && (action->type == NODE_ACTION_MEMBER ||
                      action->type == NODE_ACTION_RECORD)) {
        tape->n_changes++;
    }
    if (node == 1 && action->type == NODE_ACTION_SEND && !tape->is_full &&
        endpoint_equal(&action->endpoint, &target)) {
        tape->bytes[tape->n] = malloc(action->size);
        assert_non_null(tape->bytes[tape->n]);
        memcpy(tape->bytes[tape->n], action->bytes, action->size);
        tape->sizes[tape->n++] = action->size;
        tape->is_full = tape->n == ARRAY_SIZE(tape->bytes);
    }
}

static void hostile_replay(struct cluster *cluster, struct hostile_tape *tape)
{
    struct endpoint from = simkeys_endpoint(1);
    const struct node_counters *counters =
        node_counters_get(cluster->nodes[0].node);
    uint64_t n_dropped =
        counters->dropped_replay + counters->dropped_stale_boot;

    tape->n_changes = 0;
    for (size_t i = 0; i < tape->n; i++) {
        cluster_inject(cluster, 0, &from, tape->bytes[i], tape->sizes[i]);
    }
    assert_int_equal(counters->dropped_replay + counters->dropped_stale_boot -
                         n_dropped,
                     tape->n);
    assert_int_equal(tape->n_changes, 0);
}

static void test_replay(void **state)
{
    struct hostile_tape tape = {.n = 0};
    struct scenario scenario;
    struct cluster *cluster;

    (void)state;
    scenario_begin(&scenario, 3, 0);
    cluster = scenario.cluster;
    cluster->watch = hostile_listen;
    cluster->watch_data = &tape;
    scenario_register(cluster, 1, 0, 0);
    cluster_run_for(cluster, 20000);
    scenario_register(cluster, 1, 0, 1);
    cluster_run_for(cluster, 1000);
    scenario_deregister(cluster, 1, 0, 1);
    cluster_run_for(cluster, 1000);
    assert_true(tape.n > 10);
    tape.is_full = true;
    hostile_replay(cluster, &tape);
    cluster_crash(cluster, 1);
    cluster_start(cluster, 1);
    cluster_run_for(cluster, 10000);
    hostile_replay(cluster, &tape);
    cluster_crash(cluster, 0);
    cluster_start(cluster, 0);
    cluster_run_for(cluster, 10000);
    hostile_replay(cluster, &tape);
    cluster->watch = NULL;
    scenario_settle(&scenario, 5000);
    for (size_t i = 0; i < tape.n; i++) {
        free(tape.bytes[i]);
    }
    scenario_end(&scenario);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equivocation),
        cmocka_unit_test(test_frozen_for_good),
        cmocka_unit_test(test_frozen_owner),
        cmocka_unit_test(test_foreign_writers),
        cmocka_unit_test(test_rights),
        cmocka_unit_test(test_clone),
        cmocka_unit_test(test_too_many_records),
        cmocka_unit_test(test_too_fast),
        cmocka_unit_test(test_replay),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
