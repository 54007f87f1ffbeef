/*
 * What differs between two readings of the configuration, by how a running
 * agent can follow it.  Pure.
 */
#ifndef SOCKETNET_AGENT_CONFIG_CONFIG_CHANGE_H
#define SOCKETNET_AGENT_CONFIG_CONFIG_CHANGE_H

#include <stddef.h>

#define CONFIG_CHANGE_TEXT_SIZE 512

struct config;

enum config_change {
    CONFIG_CHANGE_LIVE,    /* taken over by whoever runs */
    CONFIG_CHANGE_WORKER,  /* by a new worker; flows stand meanwhile */
    CONFIG_CHANGE_RESTART, /* by a new start of the agent */
};

/* How many keys of this sort differ; their names, joined by ", ". */
size_t config_changes(const struct config *before, const struct config *after,
                      enum config_change sort,
                      char ret_keys[CONFIG_CHANGE_TEXT_SIZE]);

#endif
