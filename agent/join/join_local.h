/*
 * What this host says of itself when it makes or joins a cluster: name, mesh
 * endpoint, subnets and WireGuard key, from the configuration and the
 * system.
 */
#ifndef SOCKETNET_AGENT_JOIN_JOIN_LOCAL_H
#define SOCKETNET_AGENT_JOIN_JOIN_LOCAL_H

#include <stdint.h>

#include "agent/config/config.h"
#include "agent/identity/identity.h"
#include "agent/join/join_message.h"
#include "gossip/base/macros.h"

/* Fills everything but token, secret and keys.  `name` NULL: the
 * configuration's.  What the configuration does not say, name, mesh address,
 * subnets, is the token's, which may be NULL.  0, or negative errno and a
 * malloc'd text. */
_must_check_ int join_local_fill(struct config *config, const char *name,
                                 const struct token *token,
                                 struct join_request *ret, char **ret_error);

/* The configured user when root runs the command, else (-1, -1); the default
 * one is made when it is not there.  0, or negative errno and a text. */
_must_check_ int join_local_owner(const struct config *config,
                                  struct identity_owner *ret, char **ret_error);

/* The public key of a WireGuard interface: from the kernel by generic
 * netlink, else from wireguard-go's socket.  0; -ENOENT when it is none, or
 * it has no key; -EACCES. */
_must_check_ int wireguard_public_key(const char *interface,
                                      uint8_t ret_key[32]);

#endif
