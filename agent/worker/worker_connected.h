/*
 * What this host is connected to, as it changes: core's wishes are judged again
 * then.  A subnet that another's route covers is only told of.
 */
#ifndef SOCKETNET_AGENT_WORKER_WORKER_CONNECTED_H
#define SOCKETNET_AGENT_WORKER_WORKER_CONNECTED_H

struct netlink;
struct worker;

/* Reads it anew, when the kernel said that it changed. */
void worker_connected_look(struct worker *worker, struct netlink *netlink);
/* Notes each subnet wanted now that lies in a route of the host. */
void worker_connected_tell(struct worker *worker);

#endif
