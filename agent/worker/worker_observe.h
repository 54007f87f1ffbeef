/*
 * --observe: the plan and what would change, printed when it changes.
 */
#ifndef SOCKETNET_AGENT_WORKER_WORKER_OBSERVE_H
#define SOCKETNET_AGENT_WORKER_WORKER_OBSERVE_H

struct diff;
struct plan;
struct worker;

/* Prints both to standard output, unless that would say the same as the last
 * time. */
void worker_observe(struct worker *worker, const struct plan *plan,
                    const struct diff *diff);
void worker_observe_done(struct worker *worker);

#endif
