/*
 * What worker_core.c (the connection, what comes in) and worker_core_send.c
 * (what core is told) share.
 */
#ifndef SOCKETNET_AGENT_WORKER_WORKER_CORE_INTERNAL_H
#define SOCKETNET_AGENT_WORKER_WORKER_CORE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/ipc/ipc_queue.h"
#include "agent/worker/worker_core.h"
#include "agent/worker/worker_ports.h"
#include "gossip/base/address.h"
#include "reconcilers/plan/desired.h"

struct watch;

/* A port as core was last told. */
struct told_port {
    char name[DESIRED_PORT_SIZE];
    uint32_t ofport;
    enum worker_device device;
};

/* Behind which port a container was seen, as core was last told. */
struct told_neighbor {
    struct address address;
    char port_name[DESIRED_PORT_SIZE];
};

struct worker_core {
    int fd; /* -1: no core now */
    struct watch *watch;
    struct ipc_queue queue;
    struct told_port *ports; /* owned, sorted by name */
    size_t n_ports;
    struct told_neighbor *neighbors; /* owned, sorted by address */
    size_t n_neighbors;
    bool is_tunnel_up;
    char tunnel_text[256];
    char last_note[256];
    uint64_t applied_number;
    size_t n_blocked;
    char blocked[WORKER_BLOCKED_SIZE];
    bool is_known;   /* it has said hello in our version */
    bool is_refused; /* ... or another, or nothing: said once */
};

/* Everything that is there, to a core that was told nothing. */
void worker_core_send_all(struct worker *worker);
/* A new core is told everything again. */
void worker_core_send_forget(struct worker_core *core);

#endif
