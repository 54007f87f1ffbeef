/*
 * The catalogue as its readers see it.  catalog_read.c fills it from the
 * node's records, catalog_slot.c has the rule that gives a function its
 * service address, catalog_index.c puts in order what is asked for;
 * desired_builder.c turns the result into desired items.
 */
#include "agent/catalog/catalog.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/catalog/catalog_internal.h"
#include "gossip/base/search.h"

void catalog_set_range(struct catalog *catalog,
                       const struct prefix *service_range)
{
    catalog->range = *service_range;
}

int catalog_new(const uint8_t cluster[RECORD_CLUSTER_SIZE],
                const struct prefix *service_range, struct catalog **ret)
{
    struct catalog *catalog = calloc(1, sizeof(*catalog));

    if (catalog == NULL) {
        return -ENOMEM;
    }
    memcpy(catalog->cluster, cluster, RECORD_CLUSTER_SIZE);
    catalog->range = *service_range;
    *ret = catalog;
    return 0;
}

void catalog_content_done(struct catalog_content *content)
{
    free(content->functions);
    free(content->wishes);
    free(content->by_address);
    free(content->instances);
    free(content->hosts.nodes);
    free(content->hosts.by_name);
    free(content->hosts.by_address);
    free(content->places);
    free(content->by_place);
    free(content->usable);
    free(content->tags);
    free(content->meta);
    *content = (struct catalog_content){0};
}

struct catalog *catalog_free(struct catalog *catalog)
{
    if (catalog == NULL) {
        return NULL;
    }
    catalog_content_done(&catalog->content);
    free(catalog);
    return NULL;
}

static int compare_name(const void *key, const void *element)
{
    const struct catalog_function *function = element;

    return strcmp(key, function->name);
}

struct catalog_function *catalog_search(const struct catalog_content *content,
                                        size_t n, const char *name)
{
    bool is_found;
    size_t index =
        search_index(name, content->functions, n, sizeof(*content->functions),
                     compare_name, &is_found);

    return is_found ? &content->functions[index] : NULL;
}

/* A new content beside the old one takes its place when it is whole, so that
 * running out of memory leaves what was there. */
int catalog_rebuild(struct catalog *catalog, const struct node *node)
{
    struct catalog_content content = {0};
    bool keeps_hosts = catalog_hosts_are(&catalog->content.hosts, node);
    int error = catalog_read(node, &catalog->content, &content);

    if (error == 0) {
        error = catalog_give_addresses(catalog, &content);
    }
    if (error == 0) {
        error = catalog_make_index(&content);
    }
    if (error == 0 && !keeps_hosts) {
        error = catalog_make_hosts(node, &content.hosts);
    }
    if (error != 0) {
        catalog_content_done(&content);
        return error;
    }
    if (keeps_hosts) {
        content.hosts = catalog->content.hosts;
        catalog->content.hosts = (struct catalog_hosts){0};
    }
    catalog_content_done(&catalog->content);
    catalog->content = content;
    return 0;
}

size_t catalog_count(const struct catalog *catalog)
{
    return catalog->content.n_functions;
}

const struct catalog_function *catalog_at(const struct catalog *catalog,
                                          size_t index)
{
    return index < catalog->content.n_functions
               ? &catalog->content.functions[index]
               : NULL;
}

const struct catalog_function *catalog_find_any(const struct catalog *catalog,
                                                const char *name)
{
    char canonical[BODY_NAME_SIZE];

    if (body_name_canonical(name, canonical) != 0) {
        return NULL;
    }
    return catalog_search(&catalog->content, catalog->content.n_functions,
                          canonical);
}

const struct catalog_function *catalog_find(const struct catalog *catalog,
                                            const char *name)
{
    const struct catalog_function *function = catalog_find_any(catalog, name);

    return function != NULL && !function->is_idle ? function : NULL;
}

const char *catalog_state_name(enum catalog_state state)
{
    switch (state) {
    case CATALOG_USABLE:
        return "usable";
    case CATALOG_FROZEN:
        return "frozen";
    case CATALOG_REFUSED:
        return "refused";
    case CATALOG_PENDING:
        return "pending";
    case CATALOG_CRITICAL:
        return "critical";
    case CATALOG_DRAINING:
        return "draining";
    case CATALOG_MAINTENANCE:
        return "maintenance";
    case CATALOG_NODE_DOWN:
        return "node-down";
    case CATALOG_HOST_FAULT:
        return "host-fault";
    case CATALOG_UNREACHABLE:
        return "unreachable";
    case CATALOG_NOT_HEARD:
        return "not-heard";
    default:
        return "unknown";
    }
}
