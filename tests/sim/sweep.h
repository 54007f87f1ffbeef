/*
 * The scenario that is run for many seeds: a cluster under loss all the time,
 * services coming and going, restarts of every node, a partition and one-way
 * cuts; then the network heals (but for the loss), nothing changes any more,
 * and all views must become equal.
 *
 * In every other seed up to a third of the members are hostile from the
 * beginning to the end (hostile.h): what must hold among the others is the
 * same, and that none of them is frozen or stops writing.
 */
#ifndef SOCKETNET_TESTS_SIM_SWEEP_H
#define SOCKETNET_TESTS_SIM_SWEEP_H

#include <stdbool.h>
#include <stdint.h>

#define SWEEP_LOSS        200000 /* millionths */
#define SWEEP_CONVERGE_MS 30000  /* allowed after healing */

struct sweep_options {
    uint64_t seed;
    uint32_t n_nodes;
    uint32_t n_hostile;   /* SWEEP_BY_SEED, or so many */
    uint32_t only_attack; /* CLUSTER_NONE: they draw theirs */
};

#define SWEEP_BY_SEED UINT32_MAX

struct sweep_result {
    bool is_ok;
    uint32_t n_hostile;
    uint64_t n_attacks;
    uint32_t n_kinds; /* of attacks made */
    uint8_t trace[16];
    double virtual_s;
    double converged_s; /* after healing; of no meaning when not ok */
    uint64_t n_packets; /* datagrams sent */
    uint64_t n_syncs;   /* exchanges started */
    uint64_t n_deaths;  /* declared, by each observer */
    uint64_t n_unjust;  /* of them, of nodes that ran for some
                            seconds and could be heard */
    uint64_t n_restarts;
    char *problems; /* text, owned; NULL when ok */
};

/* The caller frees ret->problems. */
void sweep_run(const struct sweep_options *options, struct sweep_result *ret);

#endif
