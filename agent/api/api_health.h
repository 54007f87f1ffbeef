/*
 * Shared by the files that find what is wrong with this node.
 *
 *   api_health.c            the list, and what is none of the next
 *   api_health_admission.c  certificates: who is a member no more, and why
 */
#ifndef SOCKETNET_AGENT_API_API_HEALTH_H
#define SOCKETNET_AGENT_API_API_HEALTH_H

#include <stdbool.h>

#include "agent/api/api_internal.h"

struct problems {
    json_t *list;
    bool is_healthy;
};

/* `data` are struct problems.  Level "fail" makes the node unhealthy, "warn" is
 * told and no more.  All is copied. */
void api_health_add(void *data, const char *level, const char *id,
                    const char *text, const char *next);
void api_health_admission(const struct core *core, struct problems *problems);

#endif
