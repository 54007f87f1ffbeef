/*
 * The JSON object of POST /api/v1/services -> a registration.  Pure.  What a
 * registration may hold on this node (addresses, rights) is services.c's to
 * judge; here only shapes, names and ranges are.
 */
#ifndef SOCKETNET_AGENT_API_API_SPEC_H
#define SOCKETNET_AGENT_API_API_SPEC_H

#include <stdbool.h>

#include <jansson.h>

#include "agent/services/services.h"
#include "gossip/base/macros.h"

struct api_spec_problem {
    char what[256];
    char where[96]; /* "field check.interval_ms" */
    char next[160];
};

/*
 * `node_name` names the instance when neither an instance nor a port name is
 * given.  0; 1 and the problem.
 */
_must_check_ int api_spec_parse(const json_t *root, const char *node_name,
                                struct services_spec *ret, bool *ret_wait,
                                struct api_spec_problem *ret_problem);

#endif
