/*
 * uthash as the node uses it: a failed allocation inside a table is reported
 * (the element's table stays NULL), never fatal.
 */
#ifndef SOCKETNET_GOSSIP_NODE_HASH_H
#define SOCKETNET_GOSSIP_NODE_HASH_H

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#endif
