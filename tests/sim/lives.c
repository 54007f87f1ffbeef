/*
 * Nodes come and go: how a simulated cluster is made, and how its nodes
 * start, crash, pause and leave.  See cluster.h.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/base/limits.h"
#include "tests/sim/cluster.h"
#include "tests/sim/cluster_internal.h"
#include "tests/sim/streams.h"

#define LIVES_VERSION "0-1-0"

/* Node 0 is the issuer, certified by the root; it certifies the others under
 * boot 1, before the run. */
static void lives_certify(struct cluster *cluster, struct cluster_node *self)
{
    uint64_t seed = cluster->config.seed;
    bool is_first = self->index == 0;
    struct record_order order = {.epoch = 1ull << 32 | (uint32_t)seed,
                                 .seq = is_first ? 1 : self->index};

    simkeys_make(seed, self->index, &self->keys);
    simkeys_certificate_body(&self->keys, self->index,
                             BODY_ROLE_MEMBER |
                                 (is_first ? (uint32_t)BODY_ROLE_ISSUER : 0),
                             &self->body);
    if (self->is_hostile) {
        /* Others' functions are not theirs, so that there is something to
         * take. */
        (void)snprintf(self->body.functions[0], sizeof(self->body.functions[0]),
                       "%s*", CLUSTER_HOSTILE_FUNCTION); /* fits */
    }
    simkeys_certificate(seed,
                        is_first ? &cluster->root : &cluster->nodes[0].keys,
                        is_first ? 0 : cluster->nodes[0].body.serial, order,
                        &self->body, &self->certificate);
    check_grant(&cluster->check, &self->body);
    check_allow(&cluster->check, self->certificate.bytes,
                self->certificate.size);
    memcpy(self->disk.own_key, self->keys.sign_public, 32);
}

/* Fills the disks with what each node knows beforehand. */
static void lives_preload(struct cluster *cluster)
{
    uint32_t n_nodes = cluster->config.n_nodes;
    uint32_t n_informed = n_nodes - cluster->config.n_strangers;

    for (uint32_t i = 0; i < n_nodes; i++) {
        disk_preload(&cluster->nodes[i].disk, cluster->charter.bytes,
                     cluster->charter.size);
        for (uint32_t j = 0; j < n_nodes; j++) {
            const struct simkeys_record *certificate =
                &cluster->nodes[j].certificate;

            /* An issuer has what it issued. */
            if (i == 0 || i == j || j == 0 ||
                (i < n_informed && j < n_informed)) {
                disk_preload(&cluster->nodes[i].disk, certificate->bytes,
                             certificate->size);
            }
        }
    }
}

/* Chooses who is hostile; never node 0. */
static void lives_choose_hostile(struct cluster *cluster)
{
    struct random random = random_init(cluster->config.seed, 4);
    uint32_t n_left = cluster->config.n_hostile;

    assert(n_left < cluster->config.n_nodes);
    while (n_left > 0) {
        uint32_t i =
            (uint32_t)random_range(&random, 1, cluster->config.n_nodes - 1);

        n_left -= cluster->nodes[i].is_hostile ? 0 : 1;
        cluster->nodes[i].is_hostile = true;
        cluster->check.hostile[i] = true;
    }
}

struct cluster *cluster_new(const struct cluster_config *config)
{
    struct cluster *cluster = calloc(1, sizeof(*cluster));
    int result = sodium_init();

    assert(result >= 0 && cluster != NULL && config->n_nodes > 0);
    cluster->config = *config;
    cluster->step = node_step;
    cluster->verify = check_verify;
    cluster->nodes = calloc(config->n_nodes, sizeof(*cluster->nodes));
    assert(cluster->nodes != NULL);
    network_init(&cluster->network, config->n_nodes, config->seed,
                 &config->network);
    cluster->random = random_init(config->seed, 2);
    check_init(&cluster->check, config->n_nodes);
    result = node_actions_new(&cluster->actions);
    assert(result == 0);
    crypto_generichash_init(&cluster->trace, NULL, 0, 16);
    simkeys_make(config->seed, SIMKEYS_ROOT, &cluster->root);
    simkeys_cluster(config->seed, cluster->cluster);
    cluster->charter =
        charter_sample_make(cluster->cluster, cluster->root.sign_secret,
                            &(const struct charter_ranges){
                                .containers = {"10.64.0.0/10"},
                                .mesh = {"10.0.0.0/10"},
                                .services = {"100.80.0.0/12"},
                            });
    lives_choose_hostile(cluster);
    for (uint32_t i = 0; i < config->n_nodes; i++) {
        struct cluster_node *self = &cluster->nodes[i];

        self->index = i;
        self->host = i;
        self->voice = i;
        lives_certify(cluster, self);
        self->clock_us = random_range(&cluster->random, 1000000, 900000000000);
        self->wall_ms = (int64_t)random_below(&cluster->random,
                                              2ull * config->skew_ms + 1) -
                        (int64_t)config->skew_ms;
    }
    lives_preload(cluster);
    return cluster;
}

struct cluster *cluster_free(struct cluster *cluster)
{
    if (cluster == NULL) {
        return NULL;
    }
    for (uint32_t i = 0; i < cluster->config.n_nodes; i++) {
        cluster->nodes[i].node = node_free(cluster->nodes[i].node);
        disk_done(&cluster->nodes[i].disk);
    }
    streams_done(cluster);
    queue_done(&cluster->queue);
    network_done(&cluster->network);
    check_done(&cluster->check);
    cluster->actions = node_actions_free(cluster->actions);
    free(cluster->nodes);
    free(cluster);
    return NULL;
}

void cluster_free_pointer(struct cluster **cluster)
{
    *cluster = cluster_free(*cluster);
}

/* One pass over the disk, as agent/core/core_load.c makes it. */
struct lives_loading {
    struct cluster *cluster;
    uint32_t node;
    enum { LIVES_CERTIFICATES, LIVES_EVIDENCE, LIVES_OTHERS } pass;
    size_t n_refused;
};

static void lives_load_record(const uint8_t *bytes, size_t size, void *data)
{
    struct lives_loading *loading = data;
    struct record record;
    int result = record_parse(bytes, size, &record);

    assert(result == 0);
    if (loading->pass != (record.kind == RECORD_CERTIFICATE ? LIVES_CERTIFICATES
                          : record.kind == RECORD_EVIDENCE  ? LIVES_EVIDENCE
                                                            : LIVES_OTHERS)) {
        return;
    }
    result = node_load(loading->cluster->nodes[loading->node].node, bytes, size,
                       cluster_node_wall_ms(loading->cluster, loading->node));
    assert(result >= 0);
    loading->n_refused += result != 0 ? 1 : 0;
}

static void lives_load(struct cluster *cluster, uint32_t node)
{
    struct lives_loading loading = {
        .cluster = cluster, .node = node, .pass = LIVES_CERTIFICATES};
    const struct disk *disk = &cluster->nodes[node].disk;

    disk_each(disk, lives_load_record, &loading);
    if (loading.n_refused > 0) {
        disk_each(disk, lives_load_record, &loading);
    }
    loading.pass = LIVES_EVIDENCE;
    disk_each(disk, lives_load_record, &loading);
    loading.pass = LIVES_OTHERS;
    disk_each(disk, lives_load_record, &loading);
}

void cluster_start(struct cluster *cluster, uint32_t node)
{
    struct cluster_node *self = &cluster->nodes[node];
    struct node_event event = {.type = NODE_EVENT_START};
    struct node_config config = {.genesis = cluster->charter.genesis,
                                 .charters = cluster->charter.bytes,
                                 .charters_size = cluster->charter.size,
                                 .certificate = self->certificate.bytes,
                                 .certificate_size = self->certificate.size,
                                 .seed = random_next(&cluster->random),
                                 .version = LIVES_VERSION,
                                 .tuning = cluster->config.tuning != NULL
                                               ? *cluster->config.tuning
                                               : NODE_TUNING_DEFAULT,
                                 .verify = cluster->verify,
                                 .verify_data = &cluster->check};
    int result;

    if (self->node != NULL) {
        return;
    }
    memcpy(config.cluster, cluster->cluster, sizeof(config.cluster));
    memcpy(config.sign_public, self->keys.sign_public, 32);
    memcpy(config.sign_secret, self->keys.sign_secret, 64);
    memcpy(config.exchange_public, self->keys.exchange_public, 32);
    memcpy(config.exchange_secret, self->keys.exchange_secret, 32);
    /* Durable before anything else, as agent/core/core_load.c does it. */
    self->disk.own_boot++;
    config.epoch =
        self->disk.own_boot << 32 | (uint32_t)random_next(&cluster->random);
    result = node_new(&config, &self->node);
    assert(result == 0);
    self->life++;
    self->is_ready = false;
    self->tick_us = 0;
    self->started_us = cluster->now_us;
    check_forget(&cluster->check, node);
    lives_load(cluster, node);
    cluster_step(cluster, node, &event);
}

void cluster_clone(struct cluster *cluster, uint32_t from, uint32_t to)
{
    struct cluster_node *original = &cluster->nodes[from];
    struct cluster_node *copy = &cluster->nodes[to];

    assert(copy->node == NULL && copy->life == 0);
    copy->keys = original->keys;
    copy->body = original->body;
    copy->certificate = original->certificate;
    copy->host = original->host;
    disk_done(&copy->disk);
    disk_copy(&original->disk, &copy->disk);
}

void cluster_start_all(struct cluster *cluster)
{
    for (uint32_t i = 0; i < cluster->config.n_nodes; i++) {
        cluster_start(cluster, i);
    }
}

static void lives_add_counters(struct node_counters *sum,
                               const struct node_counters *counters)
{
    /* Nothing but counters is in there. */
    uint64_t to[sizeof(*sum) / sizeof(uint64_t)];
    uint64_t from[sizeof(*sum) / sizeof(uint64_t)];

    memcpy(to, sum, sizeof(to));
    memcpy(from, counters, sizeof(from));
    for (size_t i = 0; i < ARRAY_SIZE(to); i++) {
        to[i] += from[i];
    }
    memcpy(sum, to, sizeof(to));
}

void cluster_stop(struct cluster *cluster, uint32_t node)
{
    struct cluster_node *self = &cluster->nodes[node];

    if (self->node == NULL) {
        return;
    }
    lives_add_counters(&self->past, node_counters_get(self->node));
    self->node = node_free(self->node);
    self->life++;
    self->is_ready = false;
    streams_stop(cluster, node);
}

void cluster_crash(struct cluster *cluster, uint32_t node)
{
    cluster_stop(cluster, node);
    disk_crash(&cluster->nodes[node].disk);
}

void cluster_stop_gently(struct cluster *cluster, uint32_t node)
{
    cluster_sync(cluster, node, UINT64_MAX);
    cluster_stop(cluster, node);
}

static void lives_stop_later(struct cluster *cluster, uint32_t node)
{
    struct queue_item item = {.at_us =
                                  cluster->now_us + CLUSTER_STOP_MS * 1000ull,
                              .type = QUEUE_STOP,
                              .node = node,
                              .life = cluster->nodes[node].life};

    queue_push(&cluster->queue, &item);
}

void cluster_pause(struct cluster *cluster, uint32_t node, uint32_t pause_s)
{
    struct node_event event = {.type = NODE_EVENT_PAUSE, .pause_s = pause_s};

    if (cluster_is_running(cluster, node)) {
        cluster_step(cluster, node, &event);
        lives_stop_later(cluster, node);
    }
}

void cluster_leave(struct cluster *cluster, uint32_t node)
{
    struct node_event event = {.type = NODE_EVENT_LEAVE};

    if (cluster_is_running(cluster, node)) {
        cluster->nodes[node].has_left = true;
        cluster_step(cluster, node, &event);
        lives_stop_later(cluster, node);
    }
}

struct node_counters cluster_counters(const struct cluster *cluster)
{
    struct node_counters sum = {0};

    for (uint32_t i = 0; i < cluster->config.n_nodes; i++) {
        const struct cluster_node *self = &cluster->nodes[i];

        lives_add_counters(&sum, &self->past);
        if (self->node != NULL) {
            lives_add_counters(&sum, node_counters_get(self->node));
        }
    }
    return sum;
}
