/*
 * The first charter of a cluster: the ranges that were asked for, and for those
 * that were not what fits the first host.  Pure, but for the random part of a
 * range of IPv6 service addresses.
 */
#ifndef SOCKETNET_AGENT_JOIN_JOIN_CHARTER_H
#define SOCKETNET_AGENT_JOIN_JOIN_CHARTER_H

#include "agent/join/join_message.h"
#include "gossip/base/macros.h"
#include "gossip/wire/body.h"

#define JOIN_CHARTER_SERVICES "100.80.0.0/12"

/* Of --containers, --mesh and --services; none of one: derived. */
struct join_charter_ranges {
    struct prefix containers[LIMIT_CHARTER_RANGES];
    size_t n_containers;
    struct prefix mesh[LIMIT_CHARTER_RANGES];
    size_t n_mesh;
    struct prefix services[LIMIT_CHARTER_SERVICES];
    size_t n_services;
};

/* Fills generation, ranges and nothing else.  0, or -EINVAL and a malloc'd
 * text: ranges that overlap, or no room for derived ones. */
_must_check_ int join_charter_derive(const struct join_charter_ranges *asked,
                                     const struct join_request *host,
                                     struct body_charter *ret,
                                     char **ret_problem);

#endif
