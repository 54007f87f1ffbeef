/*
 * The worker process: holds what core desires, observes the switch and the
 * kernel, and makes the second equal to the first.  Its parts:
 *
 *   worker.c            start, the uv loop, the control socket
 *   worker_core.c       the socketpair to core: messages in;
 *                       worker_core_send.c  what core is told
 *   worker_switch.c     connections to Open vSwitch
 *   worker_kernel.c     the kernel's side, the tunnel's port
 *   worker_ports.c      the bridge's ports and what became of their devices
 *   worker_learn.c      where containers are; worker_neighbors.c (pure)
 *   worker_probe.c      asking for addresses by ARP
 *   worker_hold.c       packets for containers not known yet
 *   worker_policy.c     its own rules: configuration, charter, own networks
 *   worker_connected.c  those networks, as they change
 *   worker_reconcile.c  rounds: observe, plan, diff, apply
 *   worker_state.c      the desired set and its numbering (pure)
 *   worker_cache.c      what the switch holds, as we know it (pure)
 *   worker_holddown.c   who keeps rewriting what is ours (pure)
 *   worker_revive.c     ports whose container was started again
 *   worker_removal.c    taking everything away
 *   worker_query.c      JSON answers to core
 *   worker_observe.c    printing the plan for --observe
 *   worker_text.c       flows, groups and changes as lines
 *
 * worker_private.h has the struct that joins them; what a part keeps is seen by
 * its own file alone, and its header says what the others may ask of it.
 */
#ifndef SOCKETNET_AGENT_WORKER_WORKER_H
#define SOCKETNET_AGENT_WORKER_WORKER_H

#include <stdbool.h>

#include "gossip/base/macros.h"

struct config;
struct plan_policy;

/* Exit status, for the launcher. */
enum worker_exit {
    WORKER_EXIT_OK = 0,
    WORKER_EXIT_FAILED = 1, /* passes by itself: to be tried again */
    WORKER_EXIT_CONFIG = 2, /* a person must mend it */
};

/* Runs the worker with its control socket at IPC_CONTROL_FD; `observe`: only
 * prints what it would do.  Returns the exit status. */
int worker_main(struct config *config, bool observe);

/* The policy as the configuration file says it, strings borrowed from
 * `config`, without a service range: enough to find what is ours. */
void worker_policy_base(const struct config *config, struct plan_policy *ret);
/* The same with the cluster's ranges, when there is one, else the default
 * service range.  `may_pin`: root's copy of the genesis is made, or kept up to
 * date (pin.h).  0, or negative errno and a malloc'd text. */
_must_check_ int worker_policy(const struct config *config, bool may_pin,
                               struct plan_policy *ret, char **ret_error);

#endif
