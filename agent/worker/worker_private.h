/*
 * The worker and its parts.  Each part is a file with a header of its own and
 * a struct that only it sees; what another part may know of it or do to it is
 * a function there.  Everything runs on one libuv loop in one thread.
 */
#ifndef SOCKETNET_AGENT_WORKER_WORKER_PRIVATE_H
#define SOCKETNET_AGENT_WORKER_WORKER_PRIVATE_H

#include <uv.h>

#include "agent/config/config.h"
#include "agent/worker/worker_state.h"
#include "reconcilers/plan/plan.h"

struct worker {
    uv_loop_t loop;
    const struct config *config;
    bool observe;
    struct plan_policy policy;
    struct prefix covered[64]; /* subnets that worker_connected.c told of */
    size_t n_covered;
    uint8_t *buffer; /* IPC_MESSAGE_MAX: what is received, message by message */

    /* What core wants: fed by worker_core.c, judged by worker_reconcile.c. */
    struct worker_state state;

    /* Of the file that has its name alone, owned. */
    struct worker_core *core;
    struct worker_switch *ovs;
    struct worker_kernel *kernel;
    struct worker_ports *ports;
    struct worker_learn *learn;
    struct worker_reconcile *reconcile;
    struct worker_removal *removal;
    struct worker_probe *probe;
    struct worker_refuse *refuse;
    struct worker_flush *flush;
    struct worker_revive *revive; /* NULL: nothing was revived yet */
    struct worker_hold *hold;     /* NULL: nothing is held */
    struct worker_query *queries; /* NULL: nobody asks */
    char *observed;               /* worker_observe.c: text printed last */
};

#endif
