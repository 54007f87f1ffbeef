/*
 * --observe: the plan and what would change, printed when it changes.
 */
#ifndef SOCKETNET_AGENT_WORKER_WORKER_OBSERVE_H
#define SOCKETNET_AGENT_WORKER_WORKER_OBSERVE_H

struct worker;

/* Prints worker->plan and worker->diff to standard output, unless that would
 * say the same as the last time. */
void worker_observe(struct worker *worker);

#endif
