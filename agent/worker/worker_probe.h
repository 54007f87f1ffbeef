/*
 * Asking by ARP for containers that are not known.
 */
#ifndef SOCKETNET_AGENT_WORKER_WORKER_PROBE_H
#define SOCKETNET_AGENT_WORKER_WORKER_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/base/address.h"
#include "gossip/base/macros.h"

struct worker;

_must_check_ int worker_probe_new(struct worker *worker);
/* The memory goes when the loop has run. */
void worker_probe_free(struct worker *worker);
/* Registered addresses or ports or neighbours changed. */
void worker_probe_update(struct worker *worker);
/* One question, behind one port.  False: it could not be sent. */
bool worker_probe_ask(struct worker *worker, const struct address *address,
                      uint32_t ofport);
/* A packet to an address that nobody has been seen to have. */
void worker_probe_unknown(struct worker *worker, uint32_t in_port,
                          const uint8_t *frame, size_t size);

#endif
