/*
 * Shared by the files catalog*.c alone.
 */
#ifndef SOCKETNET_AGENT_CATALOG_CATALOG_INTERNAL_H
#define SOCKETNET_AGENT_CATALOG_CATALOG_INTERNAL_H

#include "agent/catalog/catalog.h"

/* The instances at one address. */
struct catalog_place {
    struct address address;
    const struct catalog_instance **instances; /* in by_place */
    size_t n_instances;
};

/* What a function record says of a function. */
struct catalog_wish {
    char name[BODY_NAME_SIZE];
    struct address address; /* family 0: none is declared */
    uint8_t writer[32];
    uint64_t idle_since_s;
    uint16_t slot; /* of a claim */
    bool is_claim;
};

/* The members that are named.  They change seldom, so that a rebuild for a
 * record keeps them. */
struct catalog_hosts {
    struct catalog_node *nodes; /* by key */
    size_t n_nodes;
    const struct catalog_node **by_name; /* each name once */
    size_t n_by_name;
    const struct catalog_node **by_address; /* each address once */
    size_t n_by_address;
};

struct catalog_content {
    struct catalog_function *functions; /* by name */
    size_t n_functions;
    /* Functions that have an address, by address. */
    const struct catalog_function **by_address;
    size_t n_by_address;
    struct catalog_instance *instances; /* by function, node, instance */
    size_t n_instances;
    struct catalog_wish *wishes; /* by name, declarations before claims */
    size_t n_wishes;
    struct catalog_hosts hosts;
    struct catalog_place *places; /* by address */
    size_t n_places;
    const struct catalog_instance **by_place; /* by address, function, ... */
    const struct catalog_instance **usable; /* of one function after another */
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

/* Whether the named members are still these. */
bool catalog_hosts_are(const struct catalog_hosts *hosts,
                       const struct node *node);
/* Fill what the catalogue is asked by; 0 or -ENOMEM. */
_must_check_ int catalog_make_hosts(const struct node *node,
                                    struct catalog_hosts *hosts);
_must_check_ int catalog_make_index(struct catalog_content *content);

/* Decides address and slot of each function, and fills by_address.  0 or
 * -ENOMEM. */
_must_check_ int catalog_give_addresses(const struct catalog *catalog,
                                        struct catalog_content *content);

#endif
