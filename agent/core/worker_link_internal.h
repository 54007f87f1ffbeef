/*
 * Shared by the files of core's end of the socketpair:
 *   worker_link.c           descriptor, desired state out
 *   worker_link_ask.c       who waits for an answer: queries, "applied"
 *   worker_link_observed.c  what the worker reports
 */
#ifndef SOCKETNET_AGENT_CORE_WORKER_LINK_INTERNAL_H
#define SOCKETNET_AGENT_CORE_WORKER_LINK_INTERNAL_H

#include <uv.h>

#include "agent/core/worker_link.h"
#include "agent/ipc/ipc.h"
#include "agent/ipc/ipc_queue.h"
#include "agent/system/watch.h"

/* A bridge has fewer; a worker that reports more is not believed. */
#define WORKER_LINK_PORTS_MAX    4096
#define WORKER_LINK_REFUSALS_MAX 65536
/* Containers of this host; more are not remembered. */
#define WORKER_LINK_NEIGHBORS_MAX 8192
/* One reply; a dump of 100,000 flows is 30 MB. */
#define WORKER_LINK_REPLY_MAX (64u << 20)
#define WORKER_LINK_WAIT_MS   5000

struct worker_link_port {
    char name[DESIRED_PORT_SIZE];
    int64_t ofport; /* 0: there, but could not be opened; IPC_PORT_DEAD,
                       IPC_PORT_GONE */
};

/* A container that the worker saw, and the port that it is behind. */
struct worker_link_neighbor {
    struct address address;
    char port_name[DESIRED_PORT_SIZE];
};

struct worker_link_refusal {
    char *key;    /* owned */
    char *reason; /* owned */
};

/* Somebody waits for `number` to be applied, or for the reply `id`. */
struct worker_link_ask {
    struct worker_link_ask *next;
    worker_applied_fn applied; /* one of the two */
    worker_reply_fn reply;
    void *data;
    uint64_t number; /* or id */
    uint64_t deadline_ms;
    int error;     /* set, not 0: to be told at the next turn of the loop */
    bool is_ready; /* applied already: told at the next turn of the loop */
    uint8_t *json; /* owned, grows */
    size_t size;
};

struct worker_link {
    struct core *core;
    uv_timer_t timer; /* its close callback frees the link */
    int fd;           /* -1: no worker */
    struct watch *watch;
    struct ipc_queue queue;
    uint8_t *buffer; /* IPC_MESSAGE_MAX, while there is a descriptor */
    struct desired desired;
    bool has_desired;    /* core has said for the first time what it wants */
    bool is_in_step;     /* the worker has been sent all of `desired` */
    bool wants_snapshot; /* it asked, or lost something */
    bool is_settled;     /* it has reported all that it saw at its start */
    uint64_t next_id;
    struct worker_status status;
    struct worker_link_port *ports; /* owned, sorted by name */
    size_t n_ports;
    size_t ports_capacity;
    struct worker_link_neighbor *neighbors; /* owned, sorted by address */
    size_t n_neighbors;
    size_t neighbors_capacity;
    struct worker_link_refusal *refusals; /* owned */
    size_t n_refusals;
    size_t refusals_capacity;
    struct worker_link_ask *asks; /* owned */
    char port_text[192];
    uint64_t n_malformed;
};

/* Sends what is due and sets what is polled for. */
void worker_link_settle(struct worker_link *link);

/* One message of the worker. */
void worker_link_take(struct worker_link *link,
                      const struct ipc_message *message);
/* Forgets ports, neighbours and refusals. */
void worker_link_forget(struct worker_link *link);

void worker_link_take_reply(struct worker_link *link,
                            const struct ipc_message *message);
void worker_link_take_applied(struct worker_link *link,
                              const struct ipc_message *message);
/* Who waits for "applied", and with `queries` who waits for a reply, gets
 * the error at the next turn of the loop. */
void worker_link_fail_asks(struct worker_link *link, bool queries, int error);
void worker_link_free_asks(struct worker_link *link);
void worker_link_on_timer(uv_timer_t *timer);

#endif
