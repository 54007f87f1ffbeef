/*
 * Messages that wait for a full socket, in order and bounded.  Used by both
 * ends of the socketpair between core and worker.
 */
#ifndef SOCKETNET_AGENT_IPC_IPC_QUEUE_H
#define SOCKETNET_AGENT_IPC_IPC_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/ipc/ipc.h"
#include "gossip/base/macros.h"

/* A snapshot of everything that fits a host, several times over.  Past it
 * the other process has long stopped reading. */
#define IPC_QUEUE_MAX (16u << 20)

struct ipc_queue_entry;

struct ipc_queue {
    struct ipc_queue_entry *first; /* owned */
    struct ipc_queue_entry *last;
    size_t size; /* bytes waiting */
};

/* Sends, or queues when the socket is full.  0 (sent or queued);
 * IPC_E_CLOSED; -ENOBUFS: over IPC_QUEUE_MAX, the message was dropped;
 * -ENOMEM and what ipc_send gives.  Descriptors are not queued. */
_must_check_ int ipc_queue_send(struct ipc_queue *queue, int fd,
                                const struct ipc_message *message);
/* Sends what waits.  0: all of it is gone; IPC_E_AGAIN; IPC_E_CLOSED;
 * negative errno. */
_must_check_ int ipc_queue_flush(struct ipc_queue *queue, int fd);
bool ipc_queue_is_empty(const struct ipc_queue *queue);
/* Drops everything. */
void ipc_queue_done(struct ipc_queue *queue);

#endif
