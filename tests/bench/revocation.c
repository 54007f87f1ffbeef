/*
 * How long a revocation takes to all of a cluster, in virtual time: production
 * nodes on a simulated network (tests/sim/cluster.h), each with its catalogue
 * and its desired state.  Everybody registers ten instances at the very moment
 * of the revocation, so that there is other news.  A node knows when nothing of
 * the revoked one is in its desired state any more: not the host, no backend.
 *
 *     ninja -C BUILD tests/bench/revocation
 *     BUILD/tests/bench/revocation [TRIALS] [LOSS-PERCENT] [SWALLOWING]
 *
 * SWALLOWING members take news and pass none on.  The trials are the seeds 1 to
 * TRIALS: the same arguments give the same figures.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/catalog/catalog.h"
#include "agent/catalog/desired_builder.h"
#include "tests/sim/cluster.h"
#include "tests/sim/hostile.h"
#include "tests/sim/views.h"

#define NODES      50u
#define TRIALS_MAX 10000u
#define SETTLE_MS  60000u
#define WAIT_MS    60000u
#define SERVICES   3u
#define BURST      10u

struct host {
    struct catalog *catalog;
    struct desired_builder *builder;
    uint64_t at_us; /* it knows since then; 0: not yet */
};

struct trial {
    struct cluster *cluster;
    struct host hosts[NODES];
    uint32_t subject;
    uint64_t started_us;
    unsigned n_known;
};

/* Makes the node's desired state anew; whether the subject is in it. */
static bool holds_subject(struct trial *trial, uint32_t node)
{
    struct host *host = &trial->hosts[node];
    const struct cluster_node *nodes = trial->cluster->nodes;
    uint64_t id = record_node_id(nodes[trial->subject].keys.sign_public);
    struct desired desired = DESIRED_INIT;
    bool is_found = false;
    int error = catalog_rebuild(host->catalog, nodes[node].node);

    assert(error == 0);
    error = desired_builder_run(host->builder, host->catalog, nodes[node].node,
                                cluster_node_now_ms(trial->cluster, node),
                                &desired);
    assert(error == 0);
    for (size_t i = 0; i < desired.n_items; i++) {
        const struct desired_item *item = &desired.items[i];

        if (item->type == DESIRED_HOST) {
            is_found = is_found || item->host.id == id;
        } else if (item->type == DESIRED_FUNCTION) {
            for (size_t j = 0; j < item->function.n_backends; j++) {
                is_found = is_found || item->function.backends[j].host_id == id;
            }
        }
    }
    desired_done(&desired);
    return is_found;
}

static void watch(struct cluster *cluster, uint32_t node,
                  const struct node_action *action, void *data)
{
    struct trial *trial = data;

    if (!cluster->nodes[node].is_hostile &&
        action->type == NODE_ACTION_MEMBER &&
        action->new_state == NODE_MEMBER_REMOVED &&
        trial->hosts[node].at_us == 0 && !holds_subject(trial, node)) {
        trial->hosts[node].at_us = cluster->now_us;
        trial->n_known++;
    }
}

static void add_services(struct cluster *cluster, const char *name, unsigned n)
{
    for (uint32_t i = 0; i < cluster->config.n_nodes; i++) {
        for (unsigned j = 0; j < n && !cluster->nodes[i].is_hostile; j++) {
            char instance[16];
            int error;

            (void)snprintf(instance, sizeof(instance), "%s%u", name,
                           j); /* fits */
            error = cluster_register(cluster, i, "redis", instance, 80);
            assert(error == 0);
        }
    }
}

static bool is_settled(struct cluster *cluster, void *data)
{
    (void)data;
    return views_are_equal(cluster);
}

static bool is_known(struct cluster *cluster, void *data)
{
    const struct trial *trial = data;

    return trial->n_known ==
           cluster->config.n_nodes - 1 - cluster->config.n_hostile;
}

static void revoke(struct trial *trial)
{
    struct cluster *cluster = trial->cluster;
    struct body_revocation body = {.reason = "stolen"};
    uint8_t bytes[128];
    size_t size;
    int error = body_put_revocation(&body, bytes, sizeof(bytes), &size);

    assert(error == 0);
    add_services(cluster, "b", BURST);
    trial->started_us = cluster->now_us;
    cluster->watch = watch;
    cluster->watch_data = trial;
    error = cluster_write(cluster, 0, RECORD_REVOCATION,
                          cluster->nodes[trial->subject].keys.sign_public, 32,
                          bytes, size, NULL);
    assert(error == 0);
}

/* A cluster in which all hosts have the subject's instances as backends. */
static void begin(struct trial *trial)
{
    struct cluster *cluster = trial->cluster;
    struct prefix range;
    int error = prefix_parse("100.80.0.0/12", &range);

    assert(error == 0);
    cluster_start_all(cluster);
    cluster_run_for(cluster, 5000);
    add_services(cluster, "a", SERVICES);
    (void)cluster_run_until(cluster, SETTLE_MS, is_settled, NULL); /* below */
    for (uint32_t i = 0; i < NODES; i++) {
        error = catalog_new(cluster->cluster, &range, &trial->hosts[i].catalog);
        assert(error == 0);
        error = desired_builder_new(&trial->hosts[i].builder);
        assert(error == 0);
        if (!cluster->nodes[i].is_hostile && !holds_subject(trial, i)) {
            (void)printf("  node %" PRIu32 " never had node %" PRIu32 "\n", i,
                         trial->subject);
        }
    }
}

/* Adds the times of all honest nodes, ms, to times; the longest.  Negative: not
 * all knew. */
static double run(uint64_t seed, uint32_t loss, uint32_t n_hostile,
                  double *times, size_t *n_times)
{
    struct cluster_config config = CLUSTER_CONFIG(NODES);
    struct trial trial = {.subject = 1 + (uint32_t)(seed % (NODES - 1))};
    struct hostile *hostile;
    double worst = 0;

    config.seed = seed;
    config.network.loss = loss;
    config.n_hostile = n_hostile;
    trial.cluster = cluster_new(&config);
    hostile = hostile_new(trial.cluster, hostile_attack_find("swallow"));
    while (trial.cluster->nodes[trial.subject].is_hostile) {
        trial.subject = 1 + trial.subject % (NODES - 1);
    }
    begin(&trial);
    revoke(&trial);
    if (!cluster_run_until(trial.cluster, WAIT_MS, is_known, &trial)) {
        worst = -1;
    }
    cluster_run_for(trial.cluster, 2000);
    for (uint32_t i = 0; i < NODES; i++) {
        double ms = (double)(trial.hosts[i].at_us - trial.started_us) / 1e3;

        if (trial.hosts[i].at_us != 0 && !trial.cluster->nodes[i].is_hostile) {
            times[(*n_times)++] = ms;
            worst = worst < 0 || worst > ms ? worst : ms;
            worst = holds_subject(&trial, i) ? -1 : worst; /* it came back */
        }
        trial.hosts[i].builder = desired_builder_free(trial.hosts[i].builder);
        trial.hosts[i].catalog = catalog_free(trial.hosts[i].catalog);
    }
    if (trial.cluster->check.n_failures > 0) {
        (void)printf("seed %" PRIu64 ":\n%s", seed, trial.cluster->check.text);
        worst = -1;
    }
    hostile_free(hostile);
    trial.cluster = cluster_free(trial.cluster);
    return worst;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void say(const char *what, double *times, size_t n)
{
    qsort(times, n, sizeof(times[0]), compare);
    (void)printf("%-28s p50 %.0f ms, p99 %.0f ms, worst %.0f ms (%zu)\n", what,
                 times[(n - 1) / 2], times[(n - 1) * 99 / 100], times[n - 1],
                 n);
}

static unsigned argument(int argc, char **argv, int index, unsigned otherwise)
{
    return argc > index ? (unsigned)strtoul(argv[index], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
    unsigned n_trials = argument(argc, argv, 1, 100);
    unsigned percent = argument(argc, argv, 2, 20);
    unsigned n_hostile = argument(argc, argv, 3, 0);
    double *times = calloc((size_t)TRIALS_MAX * NODES, sizeof(times[0]));
    double *all = calloc(TRIALS_MAX, sizeof(all[0]));
    size_t n_times = 0, n_all = 0;
    unsigned n_failed = 0;

    if (n_trials < 1 || n_trials > TRIALS_MAX || percent > 90 ||
        n_hostile > NODES / 2) {
        (void)fprintf(stderr,
                      "usage: revocation [TRIALS 1..%u] [LOSS-PERCENT "
                      "0..90] [SWALLOWING 0..%u]\n",
                      TRIALS_MAX, NODES / 2);
        return 2;
    }
    assert(times != NULL && all != NULL);
    for (unsigned i = 1; i <= n_trials; i++) {
        double worst = run(i, percent * 10000, n_hostile, times, &n_times);

        if (worst < 0) {
            (void)printf("seed %u: not gone everywhere\n", i);
            n_failed++;
        } else {
            all[n_all++] = worst;
        }
    }
    (void)printf("%u nodes, %u %% loss, %u of them swallow news, %u trials, %u "
                 "failed\n",
                 NODES, percent, n_hostile, n_trials, n_failed);
    if (n_all > 0) {
        say("gone from one node:", times, n_times);
        say("gone from all of a trial:", all, n_all);
    }
    free(times);
    free(all);
    return n_failed == 0 ? 0 : 1;
}
