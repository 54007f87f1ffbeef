/* The scenario of the sweep.  See sweep.h. */
#include "tests/sim/sweep.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/cluster.h"
#include "tests/sim/hostile.h"
#include "tests/sim/views.h"

/* When things happen, virtual ms. */
#define SWEEP_STARTED_MS   2000
#define SWEEP_PARTITION_MS 50000
#define SWEEP_JOINED_MS    170000 /* two minutes later */
#define SWEEP_HEALED_MS    195000
/* Rolling restarts: a third of the nodes each before, during and after. */
#define SWEEP_ROLL_1_MS 20000
#define SWEEP_ROLL_2_MS 60000
#define SWEEP_ROLL_3_MS 172000

/* A node that started before that should be known to be back. */
#define SWEEP_KNOWN_US 3000000

#define SWEEP_SERVICES 12 /* instances a node may have */

/* With hostile members one honest node registers and removes so many more, so
 * that it writes a manifest (64 tombstones), and old copies of them may come
 * back.  One in so long. */
#define SWEEP_PURGED      66
#define SWEEP_PURGE_MS    100
#define SWEEP_PURGE_AT_MS 30000

struct sweep {
    struct cluster *cluster;
    struct hostile *hostile;
    struct random random;
    uint32_t n_nodes;
    uint32_t purger;
    uint32_t n_purged; /* registered, and then removed */
    bool is_quiet;     /* no more changes */
    bool *present;     /* committed at its owner: node * SWEEP_SERVICES + i */
    uint64_t n_unjust;
    uint64_t n_restarts;
};

static void sweep_names(uint32_t i, char function[16], char instance[16])
{
    (void)snprintf(function, 16, "f%" PRIu32, i % 4); /* fits */
    (void)snprintf(instance, 16, "i%" PRIu32, i);     /* fits */
}

static void sweep_watch_record(struct sweep *sweep, uint32_t node,
                               const struct node_action *action)
{
    struct record record;
    char function[16];
    char instance[16];
    char key[40];

    if (record_parse(action->bytes, action->size, &record) != 0 ||
        memcmp(record.writer, sweep->cluster->nodes[node].keys.sign_public,
               32) != 0) {
        return;
    }
    for (uint32_t i = 0; i < SWEEP_SERVICES; i++) {
        sweep_names(i, function, instance);
        (void)snprintf(key, sizeof(key), "%s/%s", function, instance);
        if (record.key_size == strlen(key) &&
            memcmp(record.key, key, record.key_size) == 0) {
            sweep->present[node * SWEEP_SERVICES + i] =
                action->change != NODE_RECORD_REMOVED;
        }
    }
}

static void sweep_watch(struct cluster *cluster, uint32_t node,
                        const struct node_action *action, void *data)
{
    struct sweep *sweep = data;
    uint32_t subject;

    if (action->type == NODE_ACTION_RECORD) {
        sweep_watch_record(sweep, node, action);
    } else if (action->type == NODE_ACTION_MEMBER &&
               action->new_state == NODE_MEMBER_DEAD) {
        subject = cluster_find_key(cluster, action->peer);
        if (subject != CLUSTER_NONE && !cluster->nodes[node].is_hostile &&
            !cluster->nodes[subject].is_hostile &&
            cluster_is_running(cluster, subject) &&
            cluster->nodes[subject].is_ready &&
            cluster->now_us - cluster->nodes[subject].started_us >=
                SWEEP_KNOWN_US &&
            !network_is_cut(&cluster->network, subject, node) &&
            !network_is_cut(&cluster->network, node, subject)) {
            sweep->n_unjust++;
        }
    }
}

static void sweep_start(void *data, uint32_t node)
{
    struct sweep *sweep = data;

    cluster_start(sweep->cluster, node);
}

static void sweep_restart(void *data, uint32_t node)
{
    struct sweep *sweep = data;
    struct cluster *cluster = sweep->cluster;
    uint64_t down_ms = random_range(&sweep->random, 100, 8000);

    sweep->n_restarts++;
    if (random_chance(&sweep->random, 50000)) {
        down_ms += 15000;
    }
    if (random_chance(&sweep->random, 300000)) {
        cluster_pause(cluster, node, 60);
        down_ms += CLUSTER_STOP_MS;
    } else {
        cluster_crash(cluster, node);
    }
    cluster_call(cluster, down_ms, sweep_start, sweep, node);
}

/* Some services come and go, and again in a while. */
static void sweep_change(void *data, uint32_t unused)
{
    struct sweep *sweep = data;
    uint32_t n_changes = 1 + sweep->n_nodes / 50;

    (void)unused;
    if (sweep->is_quiet) {
        return;
    }
    for (uint32_t i = 0; i < n_changes; i++) {
        uint32_t node = (uint32_t)random_below(&sweep->random, sweep->n_nodes);
        uint32_t which = (uint32_t)random_below(&sweep->random, SWEEP_SERVICES);
        char function[16];
        char instance[16];

        sweep_names(which, function, instance);
        if (!cluster_is_running(sweep->cluster, node) ||
            !sweep->cluster->nodes[node].is_ready) {
            continue;
        }
        if (random_chance(&sweep->random, 400000)) {
            (void)cluster_deregister(sweep->cluster, node, function, instance);
        } else {
            (void)cluster_register(
                sweep->cluster, node, function, instance,
                (uint16_t)random_range(&sweep->random, 1, 65535));
        }
    }
    cluster_call(sweep->cluster, random_range(&sweep->random, 100, 900),
                 sweep_change, sweep, 0);
}

static void sweep_purge(void *data, uint32_t node)
{
    struct sweep *sweep = data;
    uint32_t n = sweep->n_purged;
    char instance[16];
    int error;

    (void)snprintf(instance, sizeof(instance), "p%" PRIu32,
                   n % SWEEP_PURGED); /* fits */
    error = n < SWEEP_PURGED
                ? cluster_register(sweep->cluster, node, "f0", instance, 80)
                : cluster_deregister(sweep->cluster, node, "f0", instance);
    /* One that crashed before it was on disk is not there to be removed. */
    sweep->n_purged += error == 0 || error == NODE_E_NOT_FOUND ? 1 : 0;
    if (sweep->n_purged < 2 * SWEEP_PURGED && !sweep->is_quiet) {
        cluster_call(sweep->cluster, SWEEP_PURGE_MS, sweep_purge, sweep, node);
    }
}

/* Nothing of that is there any more. */
static void sweep_check_purged(struct sweep *sweep)
{
    for (uint32_t i = 0; i + SWEEP_PURGED < sweep->n_purged; i++) {
        char instance[16];

        (void)snprintf(instance, sizeof(instance), "p%" PRIu32, i); /* fits */
        if (cluster_has_service(sweep->cluster, 0, sweep->purger, "f0",
                                instance)) {
            check_fail(&sweep->cluster->check, sweep->purger,
                       "service f0/%s was brought back", instance);
        }
    }
}

static void sweep_plan_purge(struct sweep *sweep)
{
    const struct cluster_node *nodes = sweep->cluster->nodes;

    if (sweep->cluster->config.n_hostile > 0) {
        while (nodes[sweep->purger].is_hostile) {
            sweep->purger++;
        }
        cluster_call(sweep->cluster, SWEEP_PURGE_AT_MS, sweep_purge, sweep,
                     sweep->purger);
    }
}

static void sweep_plan(struct sweep *sweep)
{
    struct cluster *cluster = sweep->cluster;
    uint32_t third = sweep->n_nodes / 3 + 1;

    for (uint32_t i = 0; i < sweep->n_nodes; i++) {
        uint64_t from_ms = i < third       ? SWEEP_ROLL_1_MS
                           : i < 2 * third ? SWEEP_ROLL_2_MS
                                           : SWEEP_ROLL_3_MS;
        uint64_t span_ms = i < third ? 30000 : i < 2 * third ? 100000 : 15000;

        cluster_call(cluster, random_below(&sweep->random, SWEEP_STARTED_MS),
                     sweep_start, sweep, i);
        cluster_call(cluster, from_ms + i % third * span_ms / third,
                     sweep_restart, sweep, i);
    }
    cluster_call(cluster, SWEEP_STARTED_MS, sweep_change, sweep, 0);
    sweep_plan_purge(sweep);
}

/* A random split, and some directions cut besides. */
static void sweep_partition(struct sweep *sweep)
{
    struct cluster *cluster = sweep->cluster;
    uint32_t share = (uint32_t)random_range(&sweep->random, 50000, 500000);

    for (uint32_t i = 0; i < sweep->n_nodes; i++) {
        network_set_group(&cluster->network, i,
                          random_chance(&sweep->random, share) ? 1 : 0);
    }
}

static void sweep_cut_some(struct sweep *sweep)
{
    uint32_t n_nodes = sweep->n_nodes;

    for (uint32_t i = 0; i < n_nodes / 5; i++) {
        network_cut(&sweep->cluster->network,
                    (uint32_t)random_below(&sweep->random, n_nodes),
                    (uint32_t)random_below(&sweep->random, n_nodes), true);
    }
}

static bool sweep_is_settled(struct cluster *cluster, void *data)
{
    (void)data;
    return views_are_equal(cluster);
}

static bool sweep_is_frozen(const struct cluster *cluster, uint32_t node)
{
    struct node_member member;

    return node_member_find(cluster->nodes[0].node,
                            cluster->nodes[node].keys.sign_public, &member) &&
           member.is_frozen;
}

/* Equal is not enough: everybody must be there, and the owners must have
 * what they committed. */
static void sweep_check_truth(struct sweep *sweep)
{
    struct cluster *cluster = sweep->cluster;

    for (uint32_t i = 0; i < sweep->n_nodes; i++) {
        enum node_member_state state = cluster_state(cluster, 0, i);
        uint8_t source[32];

        if (cluster->nodes[i].is_hostile) {
            continue;
        }
        if (node_trouble(cluster->nodes[i].node, source) != NODE_TROUBLE_NONE) {
            check_fail(&cluster->check, i, "is honest and writes no more");
        }
        if (sweep_is_frozen(cluster, i)) {
            check_fail(&cluster->check, i, "is honest and frozen");
        }
        if (state != NODE_MEMBER_ALIVE && state != NODE_MEMBER_SUSPECT) {
            check_fail(&cluster->check, i, "runs, but is seen %s",
                       node_member_state_name(state));
        }
        for (uint32_t j = 0; j < SWEEP_SERVICES; j++) {
            bool is_present = sweep->present[i * SWEEP_SERVICES + j];
            char function[16];
            char instance[16];

            sweep_names(j, function, instance);
            if (cluster_has_service(cluster, i, i, function, instance) !=
                is_present) {
                check_fail(&cluster->check, i, "service %s/%s was %s", function,
                           instance, is_present ? "lost" : "brought back");
            }
        }
    }
}

static void sweep_run_world(struct sweep *sweep)
{
    struct cluster *cluster = sweep->cluster;

    sweep_plan(sweep);
    cluster_run_for(cluster, SWEEP_PARTITION_MS);
    sweep_partition(sweep);
    sweep_cut_some(sweep);
    cluster_run_for(cluster, SWEEP_JOINED_MS - SWEEP_PARTITION_MS);
    network_heal(&cluster->network);
    sweep_cut_some(sweep);
    cluster_run_for(cluster, SWEEP_HEALED_MS - SWEEP_JOINED_MS);
    for (uint32_t i = 0; i < sweep->n_nodes; i++) {
        cluster_start(cluster, i);
    }
    network_heal(&cluster->network);
    sweep->is_quiet = true;
    hostile_calm(sweep->hostile);
}

/* Of every other seed from a sixth to a third. */
static uint32_t sweep_n_hostile(const struct sweep_options *options)
{
    struct random random = random_init(options->seed, 6);
    uint32_t most = (options->n_nodes - 1) / 3;

    if (options->n_hostile != SWEEP_BY_SEED) {
        return options->n_hostile < options->n_nodes ? options->n_hostile
                                                     : options->n_nodes - 1;
    }
    return options->seed % 2 != 0
               ? 0
               : (uint32_t)random_range(&random, (most + 1) / 2, most);
}

void sweep_run(const struct sweep_options *options, struct sweep_result *ret)
{
    uint32_t n_nodes = options->n_nodes;
    struct cluster_config config = CLUSTER_CONFIG(n_nodes);
    struct sweep sweep = {.n_nodes = n_nodes,
                          .purger = 1,
                          .random = random_init(options->seed, 3)};
    struct node_counters counters;
    uint64_t healed_us;
    bool is_settled;

    *ret = (struct sweep_result){0};
    config.seed = options->seed;
    config.n_hostile = sweep_n_hostile(options);
    config.n_strangers = n_nodes / 25;
    config.skew_ms = 2000;
    config.network.loss = SWEEP_LOSS;
    config.network.duplicates = 10000;
    config.network.stragglers = 1000;
    config.network.bit_flips = 1000;
    sweep.cluster = cluster_new(&config);
    sweep.present = calloc(n_nodes, SWEEP_SERVICES * sizeof(*sweep.present));
    assert(sweep.present != NULL);
    sweep.cluster->watch = sweep_watch;
    sweep.cluster->watch_data = &sweep;
    sweep.hostile = hostile_new(sweep.cluster, options->only_attack);
    sweep_run_world(&sweep);
    healed_us = sweep.cluster->now_us;
    is_settled = cluster_run_until(sweep.cluster, SWEEP_CONVERGE_MS,
                                   sweep_is_settled, NULL);
    views_check_fingerprints(sweep.cluster);
    sweep_check_truth(&sweep);
    sweep_check_purged(&sweep);
    counters = cluster_counters(sweep.cluster);
    ret->is_ok = is_settled && sweep.cluster->check.n_failures == 0;
    ret->virtual_s = (double)sweep.cluster->now_us / 1e6;
    ret->converged_s = (double)(sweep.cluster->now_us - healed_us) / 1e6;
    ret->n_hostile = config.n_hostile;
    ret->n_attacks = hostile_n_attacks(sweep.hostile);
    ret->n_kinds = hostile_n_kinds(sweep.hostile);
    ret->n_packets = counters.datagrams_out;
    ret->n_syncs = counters.syncs_started;
    ret->n_deaths = counters.deaths;
    ret->n_unjust = sweep.n_unjust;
    ret->n_restarts = sweep.n_restarts;
    cluster_trace_hash(sweep.cluster, ret->trace);
    if (sweep.cluster->check.n_failures > 0) {
        ret->problems = strdup(sweep.cluster->check.text);
    } else if (!is_settled) {
        ret->problems = views_difference(sweep.cluster);
    }
    free(sweep.present);
    sweep.hostile = hostile_free(sweep.hostile);
    sweep.cluster = cluster_free(sweep.cluster);
}
