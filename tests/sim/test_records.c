/*
 * Rules of records, each as a scenario of a few nodes under virtual time:
 * gossip/view.c, rights.c, own.c, spread.c, sync.c.
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
#include "tests/sim/sweep.h"
#include "tests/sim/views.h"

/* Longer than from a deletion to the manifest that follows it. */
#define RECORDS_MANIFEST_MS 700000

static void records_register(struct cluster *cluster, uint32_t node,
                             uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++) {
        char instance[16];

        (void)snprintf(instance, sizeof(instance), "i%u", i); /* fits */
        assert_int_equal(cluster_register(cluster, node, "redis", instance, 80),
                         0);
        cluster_run_for(cluster, 10);
    }
}

static void records_deregister(struct cluster *cluster, uint32_t node,
                               uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++) {
        char instance[16];

        (void)snprintf(instance, sizeof(instance), "i%u", i); /* fits */
        assert_int_equal(cluster_deregister(cluster, node, "redis", instance),
                         0);
        cluster_run_for(cluster, 10);
    }
}

static bool records_is_nowhere(const struct cluster *cluster, uint32_t owner,
                               const char *instance)
{
    for (uint32_t i = 0; i < cluster->config.n_nodes; i++) {
        if (cluster_has_service(cluster, i, owner, "redis", instance)) {
            return false;
        }
    }
    return true;
}

static bool records_is_everywhere(const struct cluster *cluster, uint32_t owner,
                                  const char *instance)
{
    for (uint32_t i = 0; i < cluster->config.n_nodes; i++) {
        if (cluster_is_running(cluster, i) &&
            !cluster_has_service(cluster, i, owner, "redis", instance)) {
            return false;
        }
    }
    return true;
}

/* Kinds of live records of a writer at an observer. */
struct records_count {
    const uint8_t *writer;
    uint8_t kind;
    size_t n;
    size_t size_max;
};

static int records_count_one(const struct record *record, void *data)
{
    struct records_count *count = data;

    if (record->kind == count->kind &&
        memcmp(record->writer, count->writer, 32) == 0) {
        count->n++;
        count->size_max =
            record->size > count->size_max ? record->size : count->size_max;
    }
    return 0;
}

static struct records_count records_count(const struct cluster *cluster,
                                          uint32_t observer, uint32_t writer,
                                          uint8_t kind)
{
    struct records_count count = {
        .writer = cluster->nodes[writer].keys.sign_public, .kind = kind};

    assert_int_equal(node_records_each(cluster->nodes[observer].node, 0,
                                       records_count_one, &count),
                     0);
    return count;
}

static void test_service_spreads(void **state)
{
    struct scenario scenario;
    struct cluster *cluster;

    (void)state;
    scenario_begin(&scenario, 5, 0);
    cluster = scenario.cluster;
    scenario_settle(&scenario, 5000);
    records_register(cluster, 2, 0, 1);
    cluster_run_for(cluster, 100);
    assert_true(records_is_everywhere(cluster, 2, "i0"));
    records_deregister(cluster, 2, 0, 1);
    cluster_run_for(cluster, 100);
    assert_true(records_is_nowhere(cluster, 2, "i0"));
    scenario_settle(&scenario, 5000);
    scenario_end(&scenario);
}

/* A write that the disk has not confirmed is neither seen nor sent. */
static void test_write_waits_for_the_disk(void **state)
{
    struct scenario scenario;
    struct cluster *cluster;

    (void)state;
    scenario_begin(&scenario, 3, 0);
    cluster = scenario.cluster;
    scenario_settle(&scenario, 5000);
    assert_int_equal(cluster_register(cluster, 1, "redis", "i0", 80), 0);
    assert_true(records_is_nowhere(cluster, 1, "i0"));
    cluster_crash(cluster, 1);
    cluster_start(cluster, 1);
    scenario_settle(&scenario, 15000);
    cluster_run_for(cluster, 5000);
    assert_true(records_is_nowhere(cluster, 1, "i0"));
    scenario_end(&scenario);
}

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
    assert_true(records_is_nowhere(cluster, 4, "i1"));
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

/* Away while a service was deleted, so long that even its tombstone is gone
 * by now. */
static void records_resurrect(uint32_t n_deleted, uint64_t away_ms)
{
    struct scenario scenario;
    struct cluster *cluster;

    scenario_begin(&scenario, 4, 0);
    cluster = scenario.cluster;
    scenario_settle(&scenario, 5000);
    records_register(cluster, 1, 0, n_deleted + 1);
    cluster_run_for(cluster, 2000);
    scenario_settle(&scenario, 10000);
    cluster_crash(cluster, 3);
    records_deregister(cluster, 1, 0, n_deleted);
    cluster_run_for(cluster, away_ms);
    assert_true(records_is_nowhere(cluster, 1, "i0"));
    if (away_ms >= RECORDS_MANIFEST_MS || n_deleted > 64) {
        assert_int_equal(records_count(cluster, 0, 1, RECORD_MANIFEST).n, 1);
        assert_true(records_count(cluster, 0, 1, RECORD_TOMBSTONE).n < 64);
    }
    if (away_ms >= RECORDS_MANIFEST_MS) {
        assert_int_equal(records_count(cluster, 0, 1, RECORD_TOMBSTONE).n, 0);
    }
    cluster_start(cluster, 3);
    cluster_run_for(cluster, 10000);
    assert_true(records_is_nowhere(cluster, 1, "i0"));
    scenario_settle(&scenario, 5000);
    /* Also when the deleter itself has forgotten why, and everybody. */
    for (uint32_t i = 0; i < 4; i++) {
        cluster_crash(cluster, i);
    }
    cluster_start_all(cluster);
    cluster_run_for(cluster, 10000);
    assert_true(records_is_nowhere(cluster, 1, "i0"));
    scenario_settle(&scenario, 5000);
    scenario_end(&scenario);
}

static void test_no_resurrection(void **state)
{
    (void)state;
    records_resurrect(1, 60000);
}

static void test_no_resurrection_after_tombstone(void **state)
{
    (void)state;
    records_resurrect(1, RECORDS_MANIFEST_MS);
}

static void test_no_resurrection_after_many(void **state)
{
    (void)state;
    records_resurrect(70, 60000);
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
    assert_true(records_is_nowhere(cluster, 2, "i0"));
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
    assert_true(records_is_nowhere(cluster, 4, "i0"));
    scenario_end(&scenario);
}

static void test_large_manifest(void **state)
{
    struct scenario scenario;
    struct cluster *cluster;

    (void)state;
    scenario_begin(&scenario, 4, 0);
    cluster = scenario.cluster;
    scenario_settle(&scenario, 5000);
    records_register(cluster, 1, 0, 200);
    cluster_run_for(cluster, 2000);
    records_deregister(cluster, 1, 0, 64);
    cluster_run_for(cluster, 20000);
    for (uint32_t i = 0; i < 4; i++) {
        struct records_count count =
            records_count(cluster, i, 1, RECORD_MANIFEST);

        assert_int_equal(count.n, 1);
        assert_true(count.size_max > LIMIT_RECORD_SIZE);
        assert_int_equal(records_count(cluster, i, 1, RECORD_SERVICE).n, 136);
        assert_int_equal(records_count(cluster, i, 1, RECORD_TOMBSTONE).n, 0);
    }
    assert_true(cluster_counters(cluster).streams_opened > 0);
    scenario_settle(&scenario, 1000);
    scenario_end(&scenario);
}

/* A new node fetches much more than some packets carry. */
static void test_bulk_sync(void **state)
{
    struct scenario scenario;
    struct cluster *cluster;

    (void)state;
    scenario_begin(&scenario, 4, 1);
    cluster = scenario.cluster;
    scenario_settle(&scenario, 5000);
    for (uint32_t i = 0; i < 3; i++) {
        records_register(cluster, i, 0, 300);
    }
    cluster_run_for(cluster, 20000);
    scenario_settle(&scenario, 5000);
    cluster_start(cluster, 3);
    cluster_run_for(cluster, 10000);
    scenario_settle(&scenario, 5000);
    assert_int_equal(records_count(cluster, 3, 1, RECORD_SERVICE).n, 300);
    scenario_end(&scenario);
}

/* The disk is set back to an earlier state. */
static void test_restored_backup(void **state)
{
    struct scenario scenario;
    struct cluster *cluster;
    struct disk backup;
    uint64_t epoch;

    (void)state;
    scenario_begin(&scenario, 4, 0);
    cluster = scenario.cluster;
    scenario_settle(&scenario, 5000);
    records_register(cluster, 1, 0, 3);
    cluster_run_for(cluster, 1000);
    disk_copy(&cluster->nodes[1].disk, &backup);
    /* Several boots later. */
    for (uint32_t i = 0; i < 3; i++) {
        records_register(cluster, 1, 3 + i, 4 + i);
        cluster_run_for(cluster, 1000);
        cluster_crash(cluster, 1);
        cluster_start(cluster, 1);
        scenario_settle(&scenario, 15000);
    }
    epoch = node_epoch(cluster->nodes[1].node);
    cluster_crash(cluster, 1);
    disk_done(&cluster->nodes[1].disk);
    cluster->nodes[1].disk = backup;
    cluster_start(cluster, 1);
    cluster_run_for(cluster, 10000);
    assert_true(cluster->nodes[1].is_ready);
    records_register(cluster, 1, 20, 21);
    cluster_run_for(cluster, 10000);
    scenario_settle(&scenario, 10000);
    assert_true(node_epoch(cluster->nodes[1].node) > epoch);
    assert_true(records_is_everywhere(cluster, 1, "i20"));
    /* What it wrote after the backup came back from its peers. */
    assert_true(records_is_everywhere(cluster, 1, "i5"));
    scenario_end(&scenario);
}

/* The same, while nobody can tell it what it wrote. */
static void test_restored_backup_alone(void **state)
{
    struct scenario scenario;
    struct cluster *cluster;
    struct disk backup;

    (void)state;
    scenario_begin(&scenario, 4, 0);
    cluster = scenario.cluster;
    scenario_settle(&scenario, 5000);
    disk_copy(&cluster->nodes[1].disk, &backup);
    cluster_crash(cluster, 1);
    cluster_start(cluster, 1);
    scenario_settle(&scenario, 15000);
    records_register(cluster, 1, 0, 3);
    /* So long that its packet counters have left the replay window. */
    cluster_run_for(cluster, 6000000);
    cluster_crash(cluster, 1);
    disk_done(&cluster->nodes[1].disk);
    cluster->nodes[1].disk = backup;
    network_set_group(&cluster->network, 1, 1);
    cluster_start(cluster, 1);
    cluster_run_for(cluster, 10000);
    assert_true(cluster->nodes[1].is_ready);
    records_register(cluster, 1, 10, 13);
    cluster_run_for(cluster, 1000);
    network_heal(&cluster->network);
    cluster_run_for(cluster, 10000);
    scenario_settle(&scenario, 10000);
    assert_true(records_is_everywhere(cluster, 1, "i0"));
    assert_true(records_is_everywhere(cluster, 1, "i12"));
    scenario_end(&scenario);
}

/* A full disk for a while: what is not durable is nowhere, and the node does
 * not wear the disk out by trying. */
static void test_full_disk(void **state)
{
    struct scenario scenario;
    struct cluster *cluster;
    uint64_t n_writes;

    (void)state;
    scenario_begin(&scenario, 4, 0);
    cluster = scenario.cluster;
    scenario_settle(&scenario, 5000);
    records_register(cluster, 1, 0, 1);
    cluster_run_for(cluster, 1000);
    cluster->nodes[1].is_disk_full = true;
    records_register(cluster, 1, 1, 3);
    records_deregister(cluster, 1, 0, 1);
    cluster_run_for(cluster, 10000);
    assert_true(records_is_nowhere(cluster, 1, "i1"));
    assert_true(records_is_everywhere(cluster, 1, "i0"));
    cluster->nodes[1].is_disk_full = false;
    records_register(cluster, 1, 2, 4);
    cluster_run_for(cluster, 1000);
    assert_true(records_is_nowhere(cluster, 1, "i1"));
    assert_true(records_is_everywhere(cluster, 1, "i2"));
    scenario_settle(&scenario, 5000);
    /* And at a start: it comes when there is room again. */
    cluster_crash(cluster, 1);
    cluster->nodes[1].is_disk_full = true;
    n_writes = cluster->nodes[1].disk.next_number;
    cluster_start(cluster, 1);
    cluster_run_for(cluster, 30000);
    assert_false(cluster->nodes[1].is_ready);
    assert_in_range(cluster->nodes[1].disk.next_number - n_writes, 1, 100);
    cluster->nodes[1].is_disk_full = false;
    cluster_run_for(cluster, 5000);
    scenario_settle(&scenario, 10000);
    assert_true(records_is_everywhere(cluster, 1, "i2"));
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
        assert_int_equal(records_count(cluster, i, 3, RECORD_SERVICE).n,
                         LIMIT_RECORDS_PER_WRITER);
    }
    assert_true(views_are_equal(cluster));
    scenario_end(&scenario);
}

/* Datagrams heard on the way, sent once more: later, and after the receiver
 * or the sender started anew. */
struct records_tape {
    uint8_t *bytes[256];
    size_t sizes[256];
    size_t n;
    size_t n_changes;
    bool is_full;
};

static void records_listen(struct cluster *cluster, uint32_t node,
                           const struct node_action *action, void *data)
{
    struct records_tape *tape = data;
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

static void records_replay(struct cluster *cluster, struct records_tape *tape)
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
    struct records_tape tape = {.n = 0};
    struct scenario scenario;
    struct cluster *cluster;

    (void)state;
    scenario_begin(&scenario, 3, 0);
    cluster = scenario.cluster;
    cluster->watch = records_listen;
    cluster->watch_data = &tape;
    records_register(cluster, 1, 0, 0);
    cluster_run_for(cluster, 20000);
    records_register(cluster, 1, 0, 1);
    cluster_run_for(cluster, 1000);
    records_deregister(cluster, 1, 0, 1);
    cluster_run_for(cluster, 1000);
    assert_true(tape.n > 10);
    tape.is_full = true;
    records_replay(cluster, &tape);
    cluster_crash(cluster, 1);
    cluster_start(cluster, 1);
    cluster_run_for(cluster, 10000);
    records_replay(cluster, &tape);
    cluster_crash(cluster, 0);
    cluster_start(cluster, 0);
    cluster_run_for(cluster, 10000);
    records_replay(cluster, &tape);
    cluster->watch = NULL;
    scenario_settle(&scenario, 5000);
    for (size_t i = 0; i < tape.n; i++) {
        free(tape.bytes[i]);
    }
    scenario_end(&scenario);
}

/* Clocks wrong by a day change nothing. */
static void test_skew(void **state)
{
    struct scenario scenario;
    struct cluster *cluster;
    struct cluster_config config = CLUSTER_CONFIG(5);

    (void)state;
    scenario_begin_with(&scenario, &config);
    cluster = scenario.cluster;
    cluster->nodes[1].wall_ms = 86400000;
    cluster->nodes[2].wall_ms = -86400000;
    cluster_start_all(cluster);
    scenario_settle(&scenario, 5000);
    for (uint32_t i = 0; i < 5; i++) {
        records_register(cluster, i, 0, 2);
    }
    cluster->nodes[1].wall_ms = -3600000; /* and jump */
    cluster_run_for(cluster, 1000);
    records_register(cluster, 1, 0, 1);
    records_deregister(cluster, 2, 0, 1);
    cluster_run_for(cluster, 2000);
    scenario_settle(&scenario, 5000);
    assert_true(records_is_everywhere(cluster, 1, "i0"));
    assert_true(records_is_nowhere(cluster, 2, "i0"));
    scenario_end(&scenario);
}

static void test_same_seed_same_trace(void **state)
{
    struct sweep_result first;
    struct sweep_result second;
    struct sweep_result other;

    (void)state;
    sweep_run(5, 8, &first);
    sweep_run(5, 8, &second);
    sweep_run(6, 8, &other);
    assert_true(first.is_ok && other.is_ok);
    assert_memory_equal(first.trace, second.trace, sizeof(first.trace));
    assert_memory_not_equal(first.trace, other.trace, sizeof(first.trace));
    free(first.problems);
    free(second.problems);
    free(other.problems);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_service_spreads),
        cmocka_unit_test(test_write_waits_for_the_disk),
        cmocka_unit_test(test_equivocation),
        cmocka_unit_test(test_no_resurrection),
        cmocka_unit_test(test_no_resurrection_after_tombstone),
        cmocka_unit_test(test_no_resurrection_after_many),
        cmocka_unit_test(test_foreign_writers),
        cmocka_unit_test(test_rights),
        cmocka_unit_test(test_large_manifest),
        cmocka_unit_test(test_bulk_sync),
        cmocka_unit_test(test_restored_backup),
        cmocka_unit_test(test_restored_backup_alone),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_too_many_records),
        cmocka_unit_test(test_replay),
        cmocka_unit_test(test_skew),
        cmocka_unit_test(test_same_seed_same_trace),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
