/*
 * Core's questions, and their answers as JSON.
 */
#ifndef SOCKETNET_AGENT_WORKER_WORKER_QUERY_H
#define SOCKETNET_AGENT_WORKER_WORKER_QUERY_H

#include <stddef.h>

struct ipc_message;
struct worker;

void worker_query_start(struct worker *worker,
                        const struct ipc_message *message);
/* The connection to the switch is gone: no dump comes any more. */
void worker_query_switch_lost(struct worker *worker);
/* Core is gone: nobody waits for answers. */
void worker_query_core_lost(struct worker *worker);
/* After everything was taken away; `error` "": it worked. */
void worker_query_removed(struct worker *worker, size_t n_flows,
                          size_t n_groups, const char *error);

#endif
