/*
 * Desired items from a JSON file, for `agent reconcile`: an array of objects
 *   {"type": "host", "name": N, "id": HEX16, "self": bool, "mesh": ADDRESS,
 *    "subnets": [PREFIX]}
 *   {"type": "function", "name": N, "protocol": "tcp"|"udp", "port": P,
 *    "address": ADDRESS, "backends": [{"instance": N, "host": host's name,
 *    "address": ADDRESS, "port": P, "weight": 1..1000, "accepts_new": bool}]}
 *   {"type": "local", "address": ADDRESS, "port_name": N}
 * "id" is made from the name when absent, "self" is false, "subnets" empty,
 * "protocol" tcp, a backend's "port" the function's, "weight" 100 and
 * "accepts_new" true.
 */
#ifndef SOCKETNET_AGENT_OFFLINE_DESIRED_FILE_H
#define SOCKETNET_AGENT_OFFLINE_DESIRED_FILE_H

#include <stdio.h>

#include "gossip/base/macros.h"
#include "reconcilers/plan/desired.h"

/* Fills `ret` (empty before).  0; or negative errno and a malloc'd text
 * saying which item, what and why; then `ret` is empty. */
_must_check_ int desired_file_read(FILE *file, const char *path,
                                   struct desired *ret, char **ret_error);

#endif
