/*
 * Ports whose container was started again are brought back to life.
 */
#ifndef SOCKETNET_AGENT_WORKER_WORKER_REVIVE_H
#define SOCKETNET_AGENT_WORKER_WORKER_REVIVE_H

struct worker;

/* Revives dead ports that registered instances name, one at a time. */
void worker_revive_ports(struct worker *worker);
/* The database is gone: what was on its way is not heard of again. */
void worker_revive_forget(struct worker *worker);
void worker_revive_free(struct worker *worker);

#endif
