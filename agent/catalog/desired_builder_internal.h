/*
 * Shared by desired_builder.c and desired_builder_drain.c alone.
 */
#ifndef SOCKETNET_AGENT_CATALOG_DESIRED_BUILDER_INTERNAL_H
#define SOCKETNET_AGENT_CATALOG_DESIRED_BUILDER_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/catalog/catalog.h"
#include "agent/catalog/desired_builder.h"

/* An instance that carried connections when the set was last built. */
struct desired_builder_known {
    uint8_t writer[32];
    uint64_t host_id;
    char function[BODY_NAME_SIZE];
    char instance[BODY_NAME_SIZE];
    char port_name[DESIRED_PORT_SIZE];
    struct address service_address; /* of its function */
    struct address address;
    uint16_t port;
    uint16_t weight;
    uint16_t priority;
    uint8_t protocol;
    bool is_local;
    uint64_t until_ms; /* 0: registered; else draining until then */
};

struct desired_builder {
    struct desired_builder_known *known; /* owned */
    size_t n_known;
};

/* What is to be known after this build: the catalogue's instances that carry
 * connections, and those that were deregistered less than
 * DESIRED_BUILDER_DRAIN_MS ago.  0 and an array owned by the caller, or
 * -ENOMEM. */
_must_check_ int desired_builder_remember(
    const struct desired_builder *builder, const struct catalog *catalog,
    const struct node *node, uint64_t now_ms,
    struct desired_builder_known **ret_known, size_t *ret_n_known);

#endif
