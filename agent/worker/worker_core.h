/*
 * The worker's end of the socketpair to core: what core wants comes in, what
 * was observed goes out.  Each is told once, and everything again to a new
 * core.
 */
#ifndef SOCKETNET_AGENT_WORKER_WORKER_CORE_H
#define SOCKETNET_AGENT_WORKER_WORKER_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/system/log.h"
#include "gossip/base/macros.h"

struct ipc_message;
struct worker;

_must_check_ int worker_core_new(struct worker *worker);
void worker_core_free(struct worker *worker);

/* Takes the descriptor over, in the place of one that is there. */
void worker_core_attach(struct worker *worker, int fd);
void worker_core_detach(struct worker *worker);
/* Before each poll: what the connection is to be polled for. */
void worker_core_settle(struct worker *worker);

/* Sends to core, if there is one; what cannot be sent is lost with it. */
void worker_core_send(struct worker *worker, const struct ipc_message *message);
/* All that core wants, once more: it is judged anew. */
void worker_core_want_snapshot(struct worker *worker);
/* What worker_switch.h says of Open vSwitch now. */
void worker_core_send_ovs(struct worker *worker);
void worker_core_send_tunnel(struct worker *worker, bool is_up,
                             const char *text);
/* What changed since the last time, and a note when a device went or came. */
void worker_core_send_ports(struct worker *worker);
void worker_core_send_neighbors(struct worker *worker);
void worker_core_send_refusals(struct worker *worker);
#define WORKER_BLOCKED_SIZE 512
/* What a round began with: what core says meanwhile is for the next one. */
struct worker_core_round {
    uint64_t number;   /* of the desired state */
    uint64_t since_us; /* when the first of its changes came */
    bool is_numbered;  /* the number is one that this core has given */
};
/* So many flows of ours do not act, and why. */
void worker_core_send_blocked(struct worker *worker, size_t n,
                              const char *text);
/* A round ended; `error` "" when it worked. */
void worker_core_send_applied(struct worker *worker,
                              const struct worker_core_round *round,
                              size_t n_changes, const char *error);
/* A line for core's event log, and for ours.  The same text is not said twice
 * in a row. */
void worker_core_note(struct worker *worker, enum log_level level,
                      const char *format, ...) _printf_(3, 4);

#endif
