/*
 * `agent key rotate`: other keys for the node that is here, under the same name
 * and addresses.
 */
#ifndef SOCKETNET_AGENT_COMMAND_KEY_H
#define SOCKETNET_AGENT_COMMAND_KEY_H

struct config;

/* With the agent stopped.  `peer` NULL: the issuer that made the token, where
 * the store knows its address.  The exit status. */
int command_key_rotate(struct config *config, const char *token,
                       const char *peer);

#endif
