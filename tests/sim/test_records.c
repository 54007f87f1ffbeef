/*
 * Rules of records, each as a scenario of a few nodes under virtual time:
 * gossip/node/view.c, rights.c, own.c, spread.c, sync.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/cluster.h"
#include "tests/sim/scenario.h"
#include "tests/sim/sweep.h"
#include "tests/sim/views.h"

/* Longer than from a deletion to the manifest that follows it. */
#define RECORDS_MANIFEST_MS 700000

static void test_service_spreads(void **state)
{
    struct scenario scenario;
    struct cluster *cluster;

    (void)state;
    scenario_begin(&scenario, 5, 0);
    cluster = scenario.cluster;
    scenario_settle(&scenario, 5000);
    scenario_register(cluster, 2, 0, 1);
    cluster_run_for(cluster, 100);
    assert_true(scenario_is_everywhere(cluster, 2, "i0"));
    scenario_deregister(cluster, 2, 0, 1);
    cluster_run_for(cluster, 100);
    assert_true(scenario_is_nowhere(cluster, 2, "i0"));
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
    assert_true(scenario_is_nowhere(cluster, 1, "i0"));
    cluster_crash(cluster, 1);
    cluster_start(cluster, 1);
    scenario_settle(&scenario, 15000);
    cluster_run_for(cluster, 5000);
    assert_true(scenario_is_nowhere(cluster, 1, "i0"));
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
    scenario_register(cluster, 1, 0, n_deleted + 1);
    cluster_run_for(cluster, 2000);
    scenario_settle(&scenario, 10000);
    cluster_crash(cluster, 3);
    scenario_deregister(cluster, 1, 0, n_deleted);
    cluster_run_for(cluster, away_ms);
    assert_true(scenario_is_nowhere(cluster, 1, "i0"));
    if (away_ms >= RECORDS_MANIFEST_MS || n_deleted > 64) {
        assert_int_equal(scenario_count(cluster, 0, 1, RECORD_MANIFEST).n, 1);
        assert_true(scenario_count(cluster, 0, 1, RECORD_TOMBSTONE).n < 64);
    }
    if (away_ms >= RECORDS_MANIFEST_MS) {
        assert_int_equal(scenario_count(cluster, 0, 1, RECORD_TOMBSTONE).n, 0);
    }
    cluster_start(cluster, 3);
    cluster_run_for(cluster, 10000);
    assert_true(scenario_is_nowhere(cluster, 1, "i0"));
    scenario_settle(&scenario, 5000);
    /* Also when the deleter itself has forgotten why, and everybody. */
    for (uint32_t i = 0; i < 4; i++) {
        cluster_crash(cluster, i);
    }
    cluster_start_all(cluster);
    cluster_run_for(cluster, 10000);
    assert_true(scenario_is_nowhere(cluster, 1, "i0"));
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

static void test_large_manifest(void **state)
{
    struct scenario scenario;
    struct cluster *cluster;

    (void)state;
    scenario_begin(&scenario, 4, 0);
    cluster = scenario.cluster;
    scenario_settle(&scenario, 5000);
    scenario_register(cluster, 1, 0, 200);
    cluster_run_for(cluster, 2000);
    scenario_deregister(cluster, 1, 0, 64);
    cluster_run_for(cluster, 20000);
    for (uint32_t i = 0; i < 4; i++) {
        struct scenario_count count =
            scenario_count(cluster, i, 1, RECORD_MANIFEST);

        assert_int_equal(count.n, 1);
        assert_true(count.size_max > LIMIT_RECORD_SIZE);
        assert_int_equal(scenario_count(cluster, i, 1, RECORD_SERVICE).n, 136);
        assert_int_equal(scenario_count(cluster, i, 1, RECORD_TOMBSTONE).n, 0);
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
        scenario_register(cluster, i, 0, 300);
    }
    cluster_run_for(cluster, 20000);
    scenario_settle(&scenario, 5000);
    cluster_start(cluster, 3);
    cluster_run_for(cluster, 10000);
    scenario_settle(&scenario, 5000);
    assert_int_equal(scenario_count(cluster, 3, 1, RECORD_SERVICE).n, 300);
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
    scenario_register(cluster, 1, 0, 3);
    cluster_run_for(cluster, 1000);
    disk_copy(&cluster->nodes[1].disk, &backup);
    /* Several boots later. */
    for (uint32_t i = 0; i < 3; i++) {
        scenario_register(cluster, 1, 3 + i, 4 + i);
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
    scenario_register(cluster, 1, 20, 21);
    cluster_run_for(cluster, 10000);
    scenario_settle(&scenario, 10000);
    assert_true(node_epoch(cluster->nodes[1].node) > epoch);
    assert_true(scenario_is_everywhere(cluster, 1, "i20"));
    /* What it wrote after the backup came back from its peers. */
    assert_true(scenario_is_everywhere(cluster, 1, "i5"));
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
    scenario_register(cluster, 1, 0, 3);
    /* So long that its packet counters have left the replay window. */
    cluster_run_for(cluster, 6000000);
    cluster_crash(cluster, 1);
    disk_done(&cluster->nodes[1].disk);
    cluster->nodes[1].disk = backup;
    network_set_group(&cluster->network, 1, 1);
    cluster_start(cluster, 1);
    cluster_run_for(cluster, 10000);
    assert_true(cluster->nodes[1].is_ready);
    scenario_register(cluster, 1, 10, 13);
    cluster_run_for(cluster, 1000);
    network_heal(&cluster->network);
    cluster_run_for(cluster, 10000);
    scenario_settle(&scenario, 10000);
    assert_true(scenario_is_everywhere(cluster, 1, "i0"));
    assert_true(scenario_is_everywhere(cluster, 1, "i12"));
    scenario_end(&scenario);
}

static bool records_sees_one(struct cluster *cluster, void *data)
{
    (void)cluster;
    return scenario_all_see(data, 1, NODE_MEMBER_ALIVE);
}

/* A full disk for a while: what is not durable is nowhere, and the node does
 * not wear the disk out by trying. */
static void test_full_disk(void **state)
{
    struct scenario scenario;
    struct cluster *cluster;
    uint64_t n_writes, n_refutations;

    (void)state;
    scenario_begin(&scenario, 4, 0);
    cluster = scenario.cluster;
    scenario_settle(&scenario, 5000);
    scenario_register(cluster, 1, 0, 1);
    cluster_run_for(cluster, 1000);
    cluster->nodes[1].is_disk_full = true;
    scenario_register(cluster, 1, 1, 3);
    scenario_deregister(cluster, 1, 0, 1);
    cluster_run_for(cluster, 10000);
    assert_true(scenario_is_nowhere(cluster, 1, "i1"));
    assert_true(scenario_is_everywhere(cluster, 1, "i0"));
    /* Nor is it held for dead: it refutes what is said of it meanwhile. */
    n_refutations = cluster_counters(cluster).refutations;
    network_set_group(&cluster->network, 1, 1);
    cluster_run_for(cluster, 3000);
    assert_false(scenario_all_see(&scenario, 1, NODE_MEMBER_ALIVE));
    network_heal(&cluster->network);
    assert_true(cluster_run_until(cluster, 5000, records_sees_one, &scenario));
    assert_true(cluster_counters(cluster).refutations > n_refutations);
    cluster->nodes[1].is_disk_full = false;
    scenario_register(cluster, 1, 2, 4);
    cluster_run_for(cluster, 1000);
    assert_true(scenario_is_nowhere(cluster, 1, "i1"));
    assert_true(scenario_is_everywhere(cluster, 1, "i2"));
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
    assert_true(scenario_is_everywhere(cluster, 1, "i2"));
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
        scenario_register(cluster, i, 0, 2);
    }
    cluster->nodes[1].wall_ms = -3600000; /* and jump */
    cluster_run_for(cluster, 1000);
    scenario_register(cluster, 1, 0, 1);
    scenario_deregister(cluster, 2, 0, 1);
    cluster_run_for(cluster, 2000);
    scenario_settle(&scenario, 5000);
    assert_true(scenario_is_everywhere(cluster, 1, "i0"));
    assert_true(scenario_is_nowhere(cluster, 2, "i0"));
    scenario_end(&scenario);
}

static void test_same_seed_same_trace(void **state)
{
    struct sweep_options options = {
        .seed = 5, .n_nodes = 8, .n_hostile = 2, .only_attack = CLUSTER_NONE};
    struct sweep_result first;
    struct sweep_result second;
    struct sweep_result other;

    (void)state;
    sweep_run(&options, &first);
    sweep_run(&options, &second);
    options.seed = 6;
    sweep_run(&options, &other);
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
        cmocka_unit_test(test_no_resurrection),
        cmocka_unit_test(test_no_resurrection_after_tombstone),
        cmocka_unit_test(test_no_resurrection_after_many),
        cmocka_unit_test(test_large_manifest),
        cmocka_unit_test(test_bulk_sync),
        cmocka_unit_test(test_restored_backup),
        cmocka_unit_test(test_restored_backup_alone),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_skew),
        cmocka_unit_test(test_same_seed_same_trace),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
