/*
 * Shared by catalog.c and catalog_slot.c alone.
 */
#ifndef SOCKETNET_AGENT_CATALOG_INTERNAL_H
#define SOCKETNET_AGENT_CATALOG_INTERNAL_H

#include "agent/catalog.h"

struct catalog_content {
    struct catalog_function *functions; /* by name */
    size_t n_functions;
    /* Functions that have an address, by address. */
    const struct catalog_function **by_address;
    size_t n_by_address;
    struct catalog_instance *instances; /* by function, node, instance */
    size_t n_instances;
};

struct catalog {
    uint8_t cluster[RECORD_CLUSTER_SIZE];
    struct prefix range;
    struct catalog_content content;
};

/* Decides address and slot of each function, and fills by_address.  0 or
 * -ENOMEM. */
_must_check_ int catalog_give_addresses(const struct catalog *catalog,
                                        struct catalog_content *content);

#endif
