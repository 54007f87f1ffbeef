/*
 * Packets from the tunnel that wait for their container to be known.
 */
#ifndef SOCKETNET_AGENT_WORKER_WORKER_HOLD_H
#define SOCKETNET_AGENT_WORKER_WORKER_HOLD_H

struct openflow_packet_in;
struct worker;

/* Keeps a packet from the tunnel until its container is known, or hands it
 * on at once; drops any other. */
void worker_hold_packet(struct worker *worker,
                        const struct openflow_packet_in *packet);
/* A container was learned: what waited for it goes. */
void worker_hold_release(struct worker *worker);
void worker_hold_free(struct worker *worker);

#endif
