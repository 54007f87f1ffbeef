/*
 * Endpoints as the kernel takes and gives them.
 */
#ifndef SOCKETNET_AGENT_SYSTEM_SOCKADDR_H
#define SOCKETNET_AGENT_SYSTEM_SOCKADDR_H

#include <stdbool.h>

#include <sys/socket.h>

#include "gossip/base/address.h"

/* Fills a socket address and returns its length, 0 without an address. */
socklen_t sockaddr_put(const struct endpoint *endpoint,
                       struct sockaddr_storage *ret);
/* False when the family is neither of ours. */
bool sockaddr_get(const struct sockaddr *address, struct endpoint *ret);

#endif
