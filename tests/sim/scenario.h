/*
 * What the scenario tests share: a cluster that settles, a readable trace of
 * member changes, accusations seen on the wire, and the end of each test.
 */
#ifndef SOCKETNET_TESTS_SIM_SCENARIO_H
#define SOCKETNET_TESTS_SIM_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/sim/cluster.h"

#define SCENARIO_NODES_MAX 16

/* Filled by scenario_watch; set both as cluster->watch and watch_data. */
struct scenario {
    struct cluster *cluster;
    char *trace; /* lines "n1: n0 alive > suspect", "n1 accuses n0" */
    size_t trace_size;
    /* When each observer first saw each subject dead, ms; 0: never. */
    uint64_t dead_ms[SCENARIO_NODES_MAX][SCENARIO_NODES_MAX];
    uint64_t suspect_ms[SCENARIO_NODES_MAX][SCENARIO_NODES_MAX];
    /* Signed accusations on the wire: accuser, accused. */
    bool has_accused[SCENARIO_NODES_MAX][SCENARIO_NODES_MAX];
    size_t n_member_changes;
    /* Records of this writer seen in anybody's packets are counted. */
    uint8_t tracked[32];
    size_t n_tracked;
};

/* Makes the cluster and starts all nodes but the last `n_absent`; no loss. */
void scenario_begin(struct scenario *scenario, uint32_t n_nodes,
                    uint32_t n_absent);
/* The same with a configuration; nothing is started. */
void scenario_begin_with(struct scenario *scenario,
                         const struct cluster_config *config);
/* Runs until all running nodes see one another alive and views are equal;
 * fails the test after `ms`. */
void scenario_settle(struct scenario *scenario, uint64_t ms);
/* Safety held throughout; frees everything. */
void scenario_end(struct scenario *scenario);
/* Forgets the trace and what it counted. */
void scenario_clear(struct scenario *scenario);
/* Nodes that accused the subject so far. */
size_t scenario_n_accusers(const struct scenario *scenario, uint32_t subject);
/* Every running node sees the subject so. */
bool scenario_all_see(const struct scenario *scenario, uint32_t subject,
                      enum node_member_state state);

/* Registers, or takes back, "redis/iFROM" up to below TO at the node, 10 ms
 * apart. */
void scenario_register(struct cluster *cluster, uint32_t node, uint32_t from,
                       uint32_t to);
void scenario_deregister(struct cluster *cluster, uint32_t node, uint32_t from,
                         uint32_t to);
/* Whether no node, or each running one, has "redis/INSTANCE" of the owner. */
bool scenario_is_nowhere(const struct cluster *cluster, uint32_t owner,
                         const char *instance);
bool scenario_is_everywhere(const struct cluster *cluster, uint32_t owner,
                            const char *instance);

/* Kinds of live records of a writer at an observer. */
struct scenario_count {
    const uint8_t *writer;
    uint8_t kind;
    size_t n;
    size_t size_max;
};

struct scenario_count scenario_count(const struct cluster *cluster,
                                     uint32_t observer, uint32_t writer,
                                     uint8_t kind);

#endif
