/* Figures under virtual time.  See measure.h. */
#include "tests/sim/measure.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/cluster.h"
#include "tests/sim/views.h"

#define MEASURE_NODES_MAX   100
#define MEASURE_RECORDS     20
#define MEASURE_CRASHES     10
#define MEASURE_SETTLE_MS   60000
#define MEASURE_IDLE_MS     300000
#define MEASURE_IP_UDP_SIZE 28

struct measure {
    uint32_t subject; /* writer or crashed node */
    uint64_t started_us;
    enum node_action_type type;
    uint64_t at_us[MEASURE_NODES_MAX]; /* when each node knew; 0: not yet */
    uint32_t n_known;
};

static void measure_watch(struct cluster *cluster, uint32_t node,
                          const struct node_action *action, void *data)
{
    struct measure *measure = data;
    const uint8_t *key = cluster->nodes[measure->subject].keys.sign_public;
    struct record record;

    if (action->type != measure->type || measure->at_us[node] != 0) {
        return;
    }
    if (action->type == NODE_ACTION_RECORD &&
        (record_parse(action->bytes, action->size, &record) != 0 ||
         record.kind != RECORD_SERVICE ||
         memcmp(record.writer, key, 32) != 0)) {
        return;
    }
    if (action->type == NODE_ACTION_MEMBER &&
        (action->new_state != NODE_MEMBER_DEAD ||
         memcmp(action->peer, key, 32) != 0)) {
        return;
    }
    measure->at_us[node] = cluster->now_us;
    measure->n_known++;
}

static int measure_compare(const void *a, const void *b)
{
    const uint64_t *x = a;
    const uint64_t *y = b;

    return *x < *y ? -1 : *x > *y ? 1 : 0;
}

static struct cluster *measure_cluster(uint32_t n_nodes, uint32_t loss,
                                       uint64_t seed)
{
    struct cluster_config config = CLUSTER_CONFIG(n_nodes);
    struct cluster *cluster;

    config.seed = seed;
    config.network.loss = loss;
    cluster = cluster_new(&config);
    cluster_start_all(cluster);
    cluster_run_for(cluster, MEASURE_SETTLE_MS);
    return cluster;
}

static bool measure_is_known(struct cluster *cluster, void *data)
{
    const struct measure *measure = data;
    uint32_t n_others = measure->type == NODE_ACTION_MEMBER ? 1 : 0;

    return measure->n_known >= cluster->config.n_nodes - n_others;
}

/* Waits, then adds the times of the shares to the sums; the times are after
 * the start, in ms, at 50, 99 and 100 % of who can know. */
static void measure_add(struct cluster *cluster, struct measure *measure,
                        double sums[3], double *worst)
{
    static const double shares[3] = {0.5, 0.99, 1.0};
    uint64_t times[MEASURE_NODES_MAX];
    uint32_t n_times = 0;

    if (!cluster_run_until(cluster, 300000, measure_is_known, measure)) {
        (void)printf("  (not known everywhere after 300 s)\n");
    }
    for (uint32_t i = 0; i < cluster->config.n_nodes; i++) {
        if (measure->at_us[i] != 0) {
            times[n_times++] = measure->at_us[i] - measure->started_us;
        }
    }
    assert(n_times > 0);
    qsort(times, n_times, sizeof(times[0]), measure_compare);
    for (size_t i = 0; i < 3; i++) {
        uint32_t at = (uint32_t)(shares[i] * n_times + 0.9999) - 1;

        sums[i] += (double)times[at] / 1000;
    }
    if ((double)times[n_times - 1] / 1000 > *worst) {
        *worst = (double)times[n_times - 1] / 1000;
    }
}

static void measure_spread(uint32_t n_nodes, uint32_t loss)
{
    struct cluster *cluster = measure_cluster(n_nodes, loss, 7);
    double sums[3] = {0};
    double worst = 0;

    for (uint32_t i = 0; i < MEASURE_RECORDS; i++) {
        struct measure measure = {.type = NODE_ACTION_RECORD,
                                  .subject = i * 7 % n_nodes,
                                  .started_us = cluster->now_us};
        char instance[16];
        int result;

        (void)snprintf(instance, sizeof(instance), "i%" PRIu32, i); /* fits */
        cluster->watch = measure_watch;
        cluster->watch_data = &measure;
        result =
            cluster_register(cluster, measure.subject, "spread", instance, 80);
        assert(result == 0);
        measure_add(cluster, &measure, sums, &worst);
        cluster_run_for(cluster, 2000);
    }
    (void)printf("record to 50/99/100 %% of %" PRIu32 " nodes, %" PRIu32
                 " %% loss, write to the disk included: %.0f / %.0f / %.0f ms "
                 "(mean of %d), slowest %.0f ms\n",
                 n_nodes, loss / 10000, sums[0] / MEASURE_RECORDS,
                 sums[1] / MEASURE_RECORDS, sums[2] / MEASURE_RECORDS,
                 MEASURE_RECORDS, worst);
    cluster->watch = NULL;
    cluster = cluster_free(cluster);
}

static void measure_crash(uint32_t n_nodes, uint32_t loss)
{
    struct cluster *cluster = measure_cluster(n_nodes, loss, 11);
    double sums[3] = {0};
    double worst = 0;

    for (uint32_t i = 0; i < MEASURE_CRASHES; i++) {
        struct measure measure = {.type = NODE_ACTION_MEMBER,
                                  .subject = (i * 7 + 1) % n_nodes,
                                  .started_us = cluster->now_us};

        cluster->watch = measure_watch;
        cluster->watch_data = &measure;
        cluster_crash(cluster, measure.subject);
        measure_add(cluster, &measure, sums, &worst);
        cluster->watch = NULL;
        cluster_start(cluster, measure.subject);
        cluster_run_for(cluster, 20000);
    }
    (void)printf("crash known at 50/99/100 %% of %" PRIu32 " nodes, %" PRIu32
                 " %% loss: %.1f / %.1f / %.1f s (mean of %d), slowest %.1f "
                 "s\n",
                 n_nodes, loss / 10000, sums[0] / MEASURE_CRASHES / 1000,
                 sums[1] / MEASURE_CRASHES / 1000,
                 sums[2] / MEASURE_CRASHES / 1000, MEASURE_CRASHES,
                 worst / 1000);
    cluster = cluster_free(cluster);
}

static uint64_t measure_stream_bytes(const struct cluster *cluster)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < cluster->config.n_nodes; i++) {
        sum += cluster->nodes[i].stream_bytes;
    }
    return sum;
}

static void measure_idle(uint32_t n_nodes, uint32_t loss)
{
    struct cluster *cluster = measure_cluster(n_nodes, loss, 13);
    struct node_counters before = cluster_counters(cluster);
    uint64_t streams_before = measure_stream_bytes(cluster);
    double node_seconds = (double)n_nodes * MEASURE_IDLE_MS / 1000;
    struct node_counters after;
    uint64_t n_packets;
    uint64_t n_bytes;

    cluster_run_for(cluster, MEASURE_IDLE_MS);
    after = cluster_counters(cluster);
    n_packets = after.datagrams_out - before.datagrams_out;
    n_bytes = after.bytes_out - before.bytes_out;
    (void)printf(
        "idle, %" PRIu32 " nodes, %" PRIu32 " %% loss: %.0f bytes and %.2f "
        "packets sent per node and second (with %d bytes of IP and UDP "
        "each), %.1f by stream; suspicions %" PRIu64 ", deaths %" PRIu64
        ", exchanges %" PRIu64 " in %d s\n",
        n_nodes, loss / 10000,
        (double)(n_bytes + n_packets * MEASURE_IP_UDP_SIZE) / node_seconds,
        (double)n_packets / node_seconds, MEASURE_IP_UDP_SIZE,
        (double)(measure_stream_bytes(cluster) - streams_before) / node_seconds,
        after.suspicions - before.suspicions, after.deaths - before.deaths,
        after.syncs_started - before.syncs_started, MEASURE_IDLE_MS / 1000);
    cluster = cluster_free(cluster);
}

void measure_all(void)
{
    measure_idle(5, 0);
    measure_idle(100, 0);
    measure_idle(100, 200000);
    measure_spread(100, 0);
    measure_spread(100, 200000);
    measure_crash(5, 0);
    measure_crash(100, 0);
    measure_crash(100, 200000);
}
