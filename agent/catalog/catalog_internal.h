/*
 * Shared by catalog.c, catalog_read.c and catalog_slot.c alone.
 */
#ifndef SOCKETNET_AGENT_CATALOG_CATALOG_INTERNAL_H
#define SOCKETNET_AGENT_CATALOG_CATALOG_INTERNAL_H

#include "agent/catalog/catalog.h"

struct catalog_content {
    struct catalog_function *functions; /* by name */
    size_t n_functions;
    /* Functions that have an address, by address. */
    const struct catalog_function **by_address;
    size_t n_by_address;
    struct catalog_instance *instances; /* by function, node, instance */
    size_t n_instances;
    /* What the instances' tags and meta point into. */
    char (*tags)[BODY_NAME_SIZE];
    struct body_meta *meta;
};

struct catalog {
    uint8_t cluster[RECORD_CLUSTER_SIZE];
    struct prefix range;
    struct catalog_content content;
};

void catalog_content_done(struct catalog_content *content);
/* The function of this name among the first `n`, or NULL. */
struct catalog_function *catalog_search(const struct catalog_content *content,
                                        size_t n, const char *name);

/* Everything but the addresses; `old` is what there was before.  0 and a
 * content that the caller owns, or -ENOMEM. */
_must_check_ int catalog_read(const struct node *node,
                              const struct catalog_content *old,
                              struct catalog_content *ret);

/* Decides address and slot of each function, and fills by_address.  0 or
 * -ENOMEM. */
_must_check_ int catalog_give_addresses(const struct catalog *catalog,
                                        struct catalog_content *content);

#endif
