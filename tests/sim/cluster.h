/*
 * A cluster of production nodes (gossip/node/node.h) under virtual time, in one
 * thread and without any IO.  The same seed and the same calls give the same
 * run, action for action: cluster_trace_hash tells.
 *
 *   queue.c    what happens when          network.c  which datagram arrives
 *   disk.c     what survives a crash      streams.c  bulk streams
 *   simkeys.c  keys and certificates      check.c    what must always hold
 *   views.c    whether all nodes see the same
 *
 * Fields are for reading; scenarios change the world through functions.
 * Memory that ends aborts: a simulation has nothing to save.
 */
#ifndef SOCKETNET_TESTS_SIM_CLUSTER_H
#define SOCKETNET_TESTS_SIM_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sodium.h>

#include "gossip/base/macros.h"
#include "gossip/node/node.h"
#include "tests/sim/check.h"
#include "tests/sim/disk.h"
#include "tests/sim/network.h"
#include "tests/sim/queue.h"
#include "tests/sim/random.h"
#include "tests/sim/simkeys.h"
#include "tests/unit/charter_sample.h"

/* Wall clock at the start of every run: 2026-01-01. */
#define CLUSTER_WALL_MS 1767225600000u
#define CLUSTER_NONE    UINT32_MAX
/* The agent gives what it said last so long to leave before it exits. */
#define CLUSTER_STOP_MS 200
/* Hostile nodes are certified for functions whose name begins so alone. */
#define CLUSTER_HOSTILE_FUNCTION "evil"

struct cluster;
struct cluster_node;

/* Called for each action, after it was carried out. */
typedef void (*cluster_watch_fn)(struct cluster *cluster, uint32_t node,
                                 const struct node_action *action, void *data);

typedef int (*node_step_fn)(struct node *node, const struct node_event *event,
                            struct node_actions *actions);

/* Called for each datagram that a node sends, before the network has it.  True:
 * it was taken, and cluster_transmit is the callee's to call. */
typedef bool (*cluster_wire_fn)(struct cluster *cluster, uint32_t from,
                                uint32_t to, const uint8_t *bytes, size_t size,
                                void *data);

struct cluster_config {
    uint64_t seed;
    uint32_t n_nodes;
    uint32_t n_hostile;   /* members whose views are nobody's concern */
    uint32_t n_strangers; /* the last so many know just issuer and self */
    uint32_t skew_ms;     /* wall clocks are wrong by at most so much */
    struct network_config network;
    const struct node_tuning *tuning; /* NULL: the default */
};

#define CLUSTER_CONFIG(nodes)                                                  \
    {                                                                          \
        .seed = 1, .n_nodes = (nodes), .network = NETWORK_DEFAULT              \
    }

struct cluster_node {
    uint32_t index;
    struct simkeys keys;
    struct body_certificate body;
    struct simkeys_record certificate;
    struct disk disk;
    struct node *node; /* NULL while it does not run */
    uint32_t life;     /* counts starts and stops */
    uint64_t clock_us; /* its monotonic clock is so far ahead */
    int64_t wall_ms;   /* its wall clock is wrong by so much */
    uint64_t tick_us;  /* of the tick in the queue, 0: none */
    uint64_t last_tick_ms;
    uint32_t n_ticks; /* at last_tick_ms */
    bool is_ready;
    uint64_t started_us; /* of this life */
    bool has_left;
    bool is_hostile;           /* never node 0, the issuer */
    bool is_disk_full;         /* own writes fail, foreign ones wait */
    uint32_t host;             /* whose address it has: its own index, or */
    uint32_t voice;            /* who of those that have ours spoke last */
    struct node_counters past; /* of earlier lives */
    uint64_t stream_bytes;     /* payload sent on streams */
};

struct cluster_stream;

struct cluster {
    struct cluster_config config;
    uint64_t now_us;
    struct simkeys root;
    struct charter_sample charter;
    uint8_t cluster[RECORD_CLUSTER_SIZE];
    struct cluster_node *nodes;
    struct queue queue;
    struct network network;
    struct random random; /* of the cluster's own choices */
    struct check check;
    struct node_actions *actions;
    struct cluster_stream *streams; /* uthash by number */
    uint32_t next_stream;
    crypto_generichash_state trace;
    uint64_t n_events;
    cluster_watch_fn watch;
    void *watch_data;
    cluster_wire_fn wire; /* NULL: none */
    void *wire_data;
    bool is_stepping;
    bool is_storm;         /* over: nothing runs any more */
    node_step_fn step;     /* node_step, or a test's way of calling it */
    node_verify_fn verify; /* check_verify, likewise; data is the check */
    bool is_starving;      /* -ENOMEM is no failure now */
};

struct cluster *cluster_new(const struct cluster_config *config);
struct cluster *cluster_free(struct cluster *cluster);
void cluster_free_pointer(struct cluster **cluster);

uint64_t cluster_now_ms(const struct cluster *cluster);
/* The node's own clocks. */
uint64_t cluster_node_now_ms(const struct cluster *cluster, uint32_t node);
uint64_t cluster_node_wall_ms(const struct cluster *cluster, uint32_t node);
/* Runs everything up to then. */
void cluster_run_for(struct cluster *cluster, uint64_t ms);
/* Runs until fn is true, asked every 10 ms; false when `ms` passed first. */
typedef bool (*cluster_until_fn)(struct cluster *cluster, void *data);
bool cluster_run_until(struct cluster *cluster, uint64_t ms,
                       cluster_until_fn fn, void *data);
/* Calls fn(data, node) in `ms` from now. */
void cluster_call(struct cluster *cluster, uint64_t ms, queue_call_fn fn,
                  void *data, uint32_t node);

/* Reads the node's disk and starts it.  Nothing when it runs. */
void cluster_start(struct cluster *cluster, uint32_t node);
void cluster_start_all(struct cluster *cluster);
/* As kill -9, or the power: what the disk had not synced is gone. */
void cluster_crash(struct cluster *cluster, uint32_t node);
/* SIGTERM: announces a pause, stops CLUSTER_STOP_MS later. */
void cluster_pause(struct cluster *cluster, uint32_t node, uint32_t pause_s);
/* Leaves for good, stops CLUSTER_STOP_MS later. */
void cluster_leave(struct cluster *cluster, uint32_t node);
/* The node `to`, which was never started, becomes a copy of `from`: keys,
 * certificate, disk and address.  What is sent to that address reaches who of
 * the two spoke last, as WireGuard does it. */
void cluster_clone(struct cluster *cluster, uint32_t from, uint32_t to);
bool cluster_is_running(const struct cluster *cluster, uint32_t node);

/* Registers "FUNCTION/INSTANCE" at the node's own address.  The result in
 * struct node_written. */
int cluster_register(struct cluster *cluster, uint32_t node,
                     const char *function, const char *instance, uint16_t port);
int cluster_deregister(struct cluster *cluster, uint32_t node,
                       const char *function, const char *instance);
int cluster_write(struct cluster *cluster, uint32_t node, uint8_t kind,
                  const uint8_t *key, size_t key_size, const uint8_t *body,
                  size_t body_size, struct record_order *ret_order);
/* Whether `observer` has the service of `owner`. */
bool cluster_has_service(const struct cluster *cluster, uint32_t observer,
                         uint32_t owner, const char *function,
                         const char *instance);
enum node_member_state cluster_state(const struct cluster *cluster,
                                     uint32_t observer, uint32_t subject);

/* Gives the network a datagram from the endpoint of `from`, to lose, delay or
 * bring. */
void cluster_transmit(struct cluster *cluster, uint32_t from, uint32_t to,
                      const uint8_t *bytes, size_t size);
/* A datagram from nowhere in particular, as an attacker sends it. */
void cluster_inject(struct cluster *cluster, uint32_t to,
                    const struct endpoint *from, const uint8_t *bytes,
                    size_t size);
/* The node to whom this endpoint or key belongs, or CLUSTER_NONE. */
uint32_t cluster_find_endpoint(const struct cluster *cluster,
                               const struct endpoint *endpoint);
uint32_t cluster_find_key(const struct cluster *cluster, const uint8_t key[32]);

/* Sum over all lives of all nodes. */
struct node_counters cluster_counters(const struct cluster *cluster);
void cluster_trace_hash(const struct cluster *cluster, uint8_t ret_hash[16]);

/* One event into a node, and out with what it asks for. */
void cluster_step(struct cluster *cluster, uint32_t node,
                  struct node_event *event);

#endif
