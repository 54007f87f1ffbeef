/*
 * Rules of membership, each as a scenario of a few nodes under virtual time:
 * gossip/node/probe.c, suspicion.c, own.c.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/attacker.h"
#include "tests/sim/cluster.h"
#include "tests/sim/scenario.h"
#include "tests/sim/views.h"

static struct node_member membership_look(const struct scenario *scenario,
                                          uint32_t observer, uint32_t subject)
{
    const struct cluster *cluster = scenario->cluster;
    struct node_member member = {0};

    assert_true(node_member_find(cluster->nodes[observer].node,
                                 cluster->nodes[subject].keys.sign_public,
                                 &member));
    return member;
}

static void test_join(void **state)
{
    struct cluster_config config = CLUSTER_CONFIG(5);
    struct scenario scenario;

    (void)state;
    config.n_strangers = 2; /* know the issuer only, and only it knows them */
    scenario_begin_with(&scenario, &config);
    for (uint32_t i = 0; i < 3; i++) {
        cluster_start(scenario.cluster, i);
    }
    scenario_settle(&scenario, 5000);
    cluster_start(scenario.cluster, 3);
    cluster_start(scenario.cluster, 4);
    scenario_settle(&scenario, 5000);
    for (uint32_t i = 0; i < 5; i++) {
        for (uint32_t j = 0; j < 5; j++) {
            assert_string_equal(
                membership_look(&scenario, i, j).certificate->name,
                scenario.cluster->nodes[j].body.name);
        }
    }
    scenario_end(&scenario);
}

/* What the trace says of the subject, in order, from one observer. */
static void membership_assert_died(const struct scenario *scenario,
                                   uint32_t observer, uint32_t subject)
{
    char suspect[48];
    char dead[48];
    const char *at;

    (void)snprintf(suspect, sizeof(suspect),
                   "n%" PRIu32 ": n%" PRIu32 " alive > suspect\n", observer,
                   subject);
    (void)snprintf(dead, sizeof(dead),
                   "n%" PRIu32 ": n%" PRIu32 " suspect > dead\n", observer,
                   subject);
    at = strstr(scenario->trace, suspect);
    assert_non_null(at);
    assert_non_null(strstr(at, dead));
}

static void test_crash(void **state)
{
    struct scenario scenario;

    (void)state;
    scenario_begin(&scenario, 5, 0);
    scenario_settle(&scenario, 5000);
    scenario_clear(&scenario);
    cluster_crash(scenario.cluster, 2);
    cluster_run_for(scenario.cluster, 20000);
    for (uint32_t i = 0; i < 5; i++) {
        if (i != 2) {
            membership_assert_died(&scenario, i, 2);
        }
    }
    /* Eight changes, all of node 2, and two accusers at least. */
    assert_int_equal(scenario.n_member_changes, 8);
    assert_true(scenario_n_accusers(&scenario, 2) >= 2);
    /* It comes back without any command. */
    cluster_start(scenario.cluster, 2);
    scenario_settle(&scenario, 5000);
    scenario_end(&scenario);
}

/* A node that one other cannot reach at all, in no way, is not dead. */
static void test_one_accuser_is_not_enough(void **state)
{
    struct scenario scenario;
    struct cluster *cluster;

    (void)state;
    scenario_begin(&scenario, 5, 1);
    cluster = scenario.cluster;
    scenario_settle(&scenario, 5000);
    scenario_clear(&scenario);
    for (uint32_t seconds = 0; seconds < 60; seconds++) {
        struct node_member member = membership_look(&scenario, 0, 1);
        struct simkeys_record record;

        attacker_accusation(cluster, &cluster->nodes[4].keys, 4,
                            cluster->nodes[1].keys.sign_public,
                            member.incarnation, seconds + 1, &record);
        attacker_send(cluster, 4, 0, seconds + 1, &record);
        cluster_run_for(cluster, 1000);
    }
    assert_int_equal(scenario.dead_ms[0][1], 0);
    assert_true(node_counters_get(cluster->nodes[1].node)->refutations > 30);
    cluster_run_for(cluster, 2000);
    assert_true(scenario_all_see(&scenario, 1, NODE_MEMBER_ALIVE));
    scenario_end(&scenario);
}

static void test_refutation(void **state)
{
    struct scenario scenario;
    struct cluster *cluster;
    struct simkeys_record record;
    struct record_order before;

    (void)state;
    scenario_begin(&scenario, 5, 1);
    cluster = scenario.cluster;
    scenario_settle(&scenario, 5000);
    scenario_clear(&scenario);
    before = membership_look(&scenario, 0, 1).incarnation;
    attacker_accusation(cluster, &cluster->nodes[4].keys, 4,
                        cluster->nodes[1].keys.sign_public, before, 1, &record);
    attacker_send(cluster, 4, 0, 1, &record);
    assert_int_equal(cluster_state(cluster, 0, 1), NODE_MEMBER_SUSPECT);
    cluster_run_for(cluster, 1000);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(cluster_state(cluster, i, 1), NODE_MEMBER_ALIVE);
        assert_true(
            record_order_compare(membership_look(&scenario, i, 1).incarnation,
                                 before) > 0);
    }
    /* The old accusation again: nothing, but who sent it is told. */
    scenario_clear(&scenario);
    memcpy(scenario.tracked, cluster->nodes[1].keys.sign_public, 32);
    attacker_send(cluster, 4, 0, 2, &record);
    assert_int_equal(scenario.n_tracked, 1);
    cluster_run_for(cluster, 1000);
    assert_int_equal(scenario.n_member_changes, 0);
    scenario_end(&scenario);
}

static void test_forged_accusations(void **state)
{
    struct scenario scenario;
    struct cluster *cluster;
    struct simkeys stranger;
    struct simkeys_record record;
    struct record_order real;
    struct record_order future;

    (void)state;
    scenario_begin(&scenario, 5, 1);
    cluster = scenario.cluster;
    scenario_settle(&scenario, 5000);
    scenario_clear(&scenario);
    real = membership_look(&scenario, 0, 1).incarnation;
    /* Not signed. */
    attacker_accusation(cluster, &cluster->nodes[4].keys, 4,
                        cluster->nodes[1].keys.sign_public, real, 1, &record);
    record.bytes[record.size - 1] ^= 1;
    attacker_send(cluster, 4, 0, 1, &record);
    /* An incarnation that node 1 never signed. */
    future = (struct record_order){real.epoch, real.seq + 1};
    attacker_accusation(cluster, &cluster->nodes[4].keys, 4,
                        cluster->nodes[1].keys.sign_public, future, 2, &record);
    attacker_send(cluster, 4, 0, 2, &record);
    /* An accuser without a certificate. */
    simkeys_make(cluster->config.seed, SIMKEYS_STRANGER, &stranger);
    attacker_accusation(cluster, &stranger, 4,
                        cluster->nodes[1].keys.sign_public, real, 3, &record);
    attacker_send(cluster, 4, 0, 3, &record);
    /* In the name of node 2, signed by another. */
    memcpy(stranger.sign_public, cluster->nodes[2].keys.sign_public, 32);
    attacker_accusation(cluster, &stranger, 2,
                        cluster->nodes[1].keys.sign_public, real, 4, &record);
    attacker_send(cluster, 4, 0, 4, &record);
    /* Under the serial of another's certificate. */
    attacker_accusation(cluster, &cluster->nodes[4].keys, 3,
                        cluster->nodes[1].keys.sign_public, real, 5, &record);
    attacker_send(cluster, 4, 0, 5, &record);
    cluster_run_for(cluster, 3000);
    assert_int_equal(scenario.n_member_changes, 0);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(scenario_n_accusers(&scenario, i), 0);
    }
    assert_int_equal(node_counters_get(cluster->nodes[0].node)->suspicions, 0);
    scenario_end(&scenario);
}

static void test_pause(void **state)
{
    struct scenario scenario;
    struct cluster *cluster;

    (void)state;
    scenario_begin(&scenario, 5, 0);
    cluster = scenario.cluster;
    scenario_settle(&scenario, 5000);
    assert_int_equal(cluster_register(cluster, 3, "redis", "a", 6379), 0);
    cluster_run_for(cluster, 1000);
    scenario_clear(&scenario);
    cluster_pause(cluster, 3, 30);
    cluster_run_for(cluster, 1000);
    assert_true(scenario_all_see(&scenario, 3, NODE_MEMBER_PAUSED));
    cluster_run_for(cluster, 28000);
    assert_true(scenario_all_see(&scenario, 3, NODE_MEMBER_PAUSED));
    /* Its time is over: now it can be found dead. */
    cluster_run_for(cluster, 22000);
    assert_true(scenario_all_see(&scenario, 3, NODE_MEMBER_DEAD));
    cluster_start(cluster, 3);
    scenario_settle(&scenario, 5000);
    /* And within its time a restart revives it as well. */
    scenario_clear(&scenario);
    cluster_pause(cluster, 3, 30);
    cluster_run_for(cluster, 5000);
    cluster_start(cluster, 3);
    scenario_settle(&scenario, 3000);
    assert_int_equal(scenario.dead_ms[0][3], 0);
    assert_true(cluster_has_service(cluster, 0, 3, "redis", "a"));
    scenario_end(&scenario);
}

/* A pause longer than is believed. */
static void test_pause_is_bounded(void **state)
{
    struct scenario scenario;

    (void)state;
    scenario_begin(&scenario, 5, 0);
    scenario_settle(&scenario, 5000);
    cluster_pause(scenario.cluster, 3, 86400);
    cluster_run_for(scenario.cluster, 100000);
    assert_true(scenario_all_see(&scenario, 3, NODE_MEMBER_DEAD));
    scenario_end(&scenario);
}

static void test_leave(void **state)
{
    struct scenario scenario;
    struct cluster *cluster;

    (void)state;
    scenario_begin(&scenario, 5, 0);
    cluster = scenario.cluster;
    scenario_settle(&scenario, 5000);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(cluster_register(cluster, i, "redis", "a", 6379), 0);
    }
    cluster_run_for(cluster, 200);
    scenario_settle(&scenario, 5000);
    cluster_leave(cluster, 3);
    cluster_run_for(cluster, 1000);
    assert_true(scenario_all_see(&scenario, 3, NODE_MEMBER_LEFT));
    for (uint32_t i = 0; i < 5; i++) {
        assert_false(cluster_has_service(cluster, i, 3, "redis", "a"));
        assert_int_equal(cluster_has_service(cluster, i, 0, "redis", "a"),
                         i != 3);
    }
    /* Also for one that was away and still has its services. */
    cluster_run_for(cluster, 60000);
    assert_true(scenario_all_see(&scenario, 3, NODE_MEMBER_LEFT));
    assert_true(views_are_equal(cluster));
    scenario_end(&scenario);
}

static void test_leave_is_known_to_who_was_away(void **state)
{
    struct scenario scenario;
    struct cluster *cluster;

    (void)state;
    scenario_begin(&scenario, 5, 0);
    cluster = scenario.cluster;
    scenario_settle(&scenario, 5000);
    assert_int_equal(cluster_register(cluster, 3, "redis", "a", 6379), 0);
    cluster_run_for(cluster, 200);
    scenario_settle(&scenario, 5000);
    cluster_run_for(cluster, 200);
    cluster_crash(cluster, 1);
    cluster_leave(cluster, 3);
    cluster_run_for(cluster, 5000);
    cluster_start(cluster, 1);
    cluster_run_for(cluster, 10000);
    assert_int_equal(cluster_state(cluster, 1, 3), NODE_MEMBER_LEFT);
    for (uint32_t i = 0; i < 5; i++) {
        assert_false(cluster_has_service(cluster, i, 3, "redis", "a"));
    }
    assert_true(views_are_equal(cluster));
    scenario_end(&scenario);
}

static void test_sole_survivor(void **state)
{
    const struct node_tuning *tuning = &NODE_TUNING_DEFAULT;
    uint64_t min_ms = tuning->suspicion_mult * tuning->probe_interval_ms;
    uint64_t max_ms = min_ms * tuning->suspicion_max_mult;
    struct scenario scenario;
    uint64_t waited_ms;

    (void)state;
    scenario_begin(&scenario, 2, 0);
    scenario_settle(&scenario, 5000);
    scenario_clear(&scenario);
    cluster_crash(scenario.cluster, 1);
    cluster_run_for(scenario.cluster, max_ms + 5000);
    assert_int_not_equal(scenario.dead_ms[0][1], 0);
    waited_ms = scenario.dead_ms[0][1] - scenario.suspect_ms[0][1];
    assert_in_range(waited_ms, max_ms, max_ms + tuning->probe_interval_ms);
    scenario_end(&scenario);
}

static void membership_group(struct scenario *scenario, uint32_t n_second)
{
    for (uint32_t i = 0; i < n_second; i++) {
        network_set_group(&scenario->cluster->network, i, 1);
    }
}

static void test_cut_off(void **state)
{
    struct scenario scenario;
    struct cluster *cluster;

    (void)state;
    scenario_begin(&scenario, 10, 0);
    cluster = scenario.cluster;
    scenario_settle(&scenario, 5000);
    scenario_clear(&scenario);
    /* Four and six: more than 30 % are gone for either side. */
    membership_group(&scenario, 4);
    cluster_run_for(cluster, 60000);
    for (uint32_t i = 0; i < 10; i++) {
        assert_true(node_is_cut_off(cluster->nodes[i].node));
        for (uint32_t j = 0; j < 10; j++) {
            assert_int_equal(scenario.dead_ms[i][j], 0);
        }
    }
    /* Nor while the suspicions are refuted one after another. */
    network_heal(&cluster->network);
    scenario_settle(&scenario, 10000);
    assert_false(node_is_cut_off(cluster->nodes[0].node));
    for (uint32_t i = 0; i < 10; i++) {
        for (uint32_t j = 0; j < 10; j++) {
            assert_int_equal(scenario.dead_ms[i][j], 0);
        }
    }
    /* One of ten: the nine know it dead, it declares nobody so. */
    scenario_clear(&scenario);
    membership_group(&scenario, 1);
    cluster_run_for(cluster, 60000);
    assert_true(node_is_cut_off(cluster->nodes[0].node));
    for (uint32_t i = 1; i < 10; i++) {
        assert_int_equal(scenario.dead_ms[0][i], 0);
        assert_int_equal(cluster_state(cluster, i, 0), NODE_MEMBER_DEAD);
        assert_false(node_is_cut_off(cluster->nodes[i].node));
    }
    network_heal(&cluster->network);
    scenario_settle(&scenario, 15000);
    scenario_end(&scenario);
}

/* Much is lost, nobody dies, and few are even suspected. */
static void test_lossy_network(void **state)
{
    struct cluster_config config = CLUSTER_CONFIG(10);
    struct scenario scenario;
    struct node_counters counters;

    (void)state;
    config.network.loss = 200000;
    config.network.duplicates = 100000;
    config.network.stragglers = 10000;
    config.network.bit_flips = 10000;
    scenario_begin_with(&scenario, &config);
    cluster_start_all(scenario.cluster);
    scenario_settle(&scenario, 20000);
    cluster_run_for(scenario.cluster, 600000);
    counters = cluster_counters(scenario.cluster);
    assert_int_equal(counters.deaths, 0);
    /* One in a hundred of about 6,000 probes. */
    assert_in_range(counters.probes_failed, 0, 60);
    scenario_settle(&scenario, 5000);
    scenario_end(&scenario);
}

/* Many of the ways are cut one-way: everybody is reached by somebody. */
static void test_asymmetric_cuts(void **state)
{
    struct scenario scenario;
    struct cluster *cluster;

    (void)state;
    scenario_begin(&scenario, 10, 0);
    cluster = scenario.cluster;
    scenario_settle(&scenario, 5000);
    scenario_clear(&scenario);
    for (uint32_t i = 0; i < 10; i++) {
        network_cut(&cluster->network, i, (i + 1) % 10, true);
        network_cut(&cluster->network, i, (i + 4) % 10, true);
    }
    cluster_run_for(cluster, 120000);
    for (uint32_t i = 0; i < 10; i++) {
        for (uint32_t j = 0; j < 10; j++) {
            assert_int_equal(scenario.dead_ms[i][j], 0);
        }
    }
    network_heal(&cluster->network);
    scenario_settle(&scenario, 10000);
    scenario_end(&scenario);
}

/* All power fails at once and comes back. */
static void test_mass_restart(void **state)
{
    struct scenario scenario;
    struct cluster *cluster;

    (void)state;
    scenario_begin(&scenario, 10, 0);
    cluster = scenario.cluster;
    scenario_settle(&scenario, 5000);
    for (uint32_t i = 0; i < 10; i++) {
        assert_int_equal(cluster_register(cluster, i, "redis", "a", 6379), 0);
    }
    cluster_run_for(cluster, 200);
    scenario_settle(&scenario, 5000);
    scenario_clear(&scenario);
    for (uint32_t i = 0; i < 10; i++) {
        cluster_crash(cluster, i);
    }
    cluster_run_for(cluster, 300000);
    cluster_start_all(cluster);
    scenario_settle(&scenario, 5000);
    for (uint32_t i = 0; i < 10; i++) {
        assert_true(
            cluster_has_service(cluster, (i + 1) % 10, i, "redis", "a"));
        for (uint32_t j = 0; j < 10; j++) {
            assert_int_equal(scenario.dead_ms[i][j], 0);
        }
    }
    scenario_end(&scenario);
}

/* Records that the node signed, and did not make in this run: it takes itself
 * for one of two, and writes no more. */
static void membership_stop_writing(struct cluster *cluster, uint32_t attacker,
                                    uint32_t node)
{
    for (uint64_t i = 1; i <= 2; i++) {
        struct record_order order = {node_epoch(cluster->nodes[node].node),
                                     1000};
        struct simkeys_record record;
        uint8_t source[32];

        assert_int_equal(node_trouble(cluster->nodes[node].node, source),
                         NODE_TROUBLE_NONE);
        attacker_member(cluster, node, order, &record);
        check_allow(&cluster->check, record.bytes, record.size);
        attacker_send(cluster, attacker, node, i, &record);
        cluster_run_for(cluster, 1000);
        assert_int_equal(node_trouble(cluster->nodes[node].node, source),
                         i == 1 ? NODE_TROUBLE_NONE : NODE_TROUBLE_TWIN);
    }
}

/* A suspect that answers but does not refute, as it has stopped writing, is
 * looked at again and again: by each member once an interval, no more. */
static void test_suspect_without_refutation(void **state)
{
    static const uint64_t seconds = 30;
    struct scenario scenario;
    struct simkeys_record record;
    struct node_counters before;
    struct node_counters after;
    struct cluster *cluster;

    (void)state;
    scenario_begin(&scenario, 11, 1);
    cluster = scenario.cluster;
    scenario_settle(&scenario, 5000);
    membership_stop_writing(cluster, 10, 1);
    attacker_accusation(cluster, &cluster->nodes[10].keys, 10,
                        cluster->nodes[1].keys.sign_public,
                        membership_look(&scenario, 0, 1).incarnation, 1,
                        &record);
    attacker_send(cluster, 10, 0, 1, &record);
    cluster_run_for(cluster, 30000); /* longer than any suspicion */
    assert_int_equal(cluster_state(cluster, 0, 1), NODE_MEMBER_SUSPECT);
    before = cluster_counters(cluster);
    cluster_run_for(cluster, seconds * 1000);
    after = cluster_counters(cluster);
    for (uint32_t i = 0; i < 10; i++) {
        if (i != 1) {
            assert_int_equal(cluster_state(cluster, i, 1), NODE_MEMBER_SUSPECT);
        }
    }
    /* Ten members probe somebody each second, nine of them the suspect too;
     * the eleventh, who is down, is probed by each every two seconds. */
    assert_in_range(after.probes - before.probes, 10 * seconds,
                    (10 + 9 + 5) * (seconds + 2));
    /* A ping and an answer each, a hello to who is down; few news. */
    assert_in_range(after.datagrams_out - before.datagrams_out, 0,
                    3 * (10 + 9 + 5) * (seconds + 2));
    cluster_crash(cluster, 1);
    cluster_start(cluster, 1);
    cluster_run_for(cluster, 5000);
    assert_int_equal(cluster_state(cluster, 0, 1), NODE_MEMBER_ALIVE);
    scenario_end(&scenario);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_join),
        cmocka_unit_test(test_crash),
        cmocka_unit_test(test_one_accuser_is_not_enough),
        cmocka_unit_test(test_refutation),
        cmocka_unit_test(test_forged_accusations),
        cmocka_unit_test(test_pause),
        cmocka_unit_test(test_pause_is_bounded),
        cmocka_unit_test(test_leave),
        cmocka_unit_test(test_leave_is_known_to_who_was_away),
        cmocka_unit_test(test_sole_survivor),
        cmocka_unit_test(test_cut_off),
        cmocka_unit_test(test_lossy_network),
        cmocka_unit_test(test_asymmetric_cuts),
        cmocka_unit_test(test_mass_restart),
        cmocka_unit_test(test_suspect_without_refutation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
