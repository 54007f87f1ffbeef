/*
 * The switch asked and changed step by step, each call waiting for its answer:
 * for the commands that run without an agent.  The worker never uses it.
 */
#ifndef SOCKETNET_AGENT_OFFLINE_SWITCH_SYNC_H
#define SOCKETNET_AGENT_OFFLINE_SWITCH_SYNC_H

#include <stdbool.h>

#include "gossip/base/macros.h"
#include "reconcilers/ovs/ofconn.h"
#include "reconcilers/ovs/ovsdb.h"
#include "reconcilers/plan/plan.h"

struct config;

#define SWITCH_SYNC_TEXT_SIZE 320

struct switch_sync {
    struct ofconn *ofconn;
    struct ovsdb *ovsdb;
    struct ofconn_dump dump; /* what the bridge holds; owned */
    bool is_waiting;
    int error; /* of what is waited for */
    char text[SWITCH_SYNC_TEXT_SIZE];
};

#define SWITCH_SYNC_INIT                                                       \
    {                                                                          \
        0                                                                      \
    }

/* Connects to the bridge of the configuration and dumps it.  0, or negative
 * errno and what is wrong in sync->text; -ENODEV: Open vSwitch runs, but has
 * no such bridge. */
_must_check_ int switch_sync_open(struct switch_sync *sync,
                                  const struct config *config);
void switch_sync_close(struct switch_sync *sync);

/* The same results; text from the switch. */
_must_check_ int switch_sync_apply(struct switch_sync *sync,
                                   const struct diff *diff);
_must_check_ int switch_sync_remove_port(struct switch_sync *sync,
                                         const char *name);

/* The port of that name, or NULL. */
const struct ovsdb_port *switch_sync_find_port(const struct switch_sync *sync,
                                               const char *name);

#endif
