/*
 * The catalogue as its readers see it.  catalog_read.c fills it from the
 * node's records, catalog_slot.c has the rule that gives a function its
 * service address; desire.c turns the result into desired items.
 */
#include "agent/catalog/catalog.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/catalog/catalog_internal.h"

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
    free(content->by_address);
    free(content->instances);
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

struct catalog_function *catalog_search(const struct catalog_content *content,
                                        size_t n, const char *name)
{
    size_t low = 0;
    size_t high = n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int result = strcmp(name, content->functions[middle].name);

        if (result == 0) {
            return &content->functions[middle];
        }
        if (result < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}

/* A new content beside the old one takes its place when it is whole, so that
 * running out of memory leaves what was there. */
int catalog_rebuild(struct catalog *catalog, const struct node *node)
{
    struct catalog_content content = {0};
    int error = catalog_read(node, &catalog->content, &content);

    if (error == 0) {
        error = catalog_give_addresses(catalog, &content);
    }
    if (error != 0) {
        catalog_content_done(&content);
        return error;
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

const struct catalog_function *catalog_find(const struct catalog *catalog,
                                            const char *name)
{
    char canonical[BODY_NAME_SIZE];

    if (body_name_canonical(name, canonical) != 0) {
        return NULL;
    }
    return catalog_search(&catalog->content, catalog->content.n_functions,
                          canonical);
}

/* Whether `a` is to be offered before `b`. */
static bool catalog_is_better(const struct catalog_instance *a,
                              const struct catalog_instance *b)
{
    if (a->is_local != b->is_local) {
        return a->is_local;
    }
    if (a->service.priority != b->service.priority) {
        return a->service.priority < b->service.priority;
    }
    if (a->rtt_us != b->rtt_us) {
        return a->rtt_us < b->rtt_us;
    }
    return a < b; /* they lie in order of node and instance */
}

size_t catalog_usable(const struct catalog_function *function,
                      const struct catalog_instance **ret_instances,
                      size_t size)
{
    enum catalog_state wanted = CATALOG_UNREACHABLE;
    size_t n = 0;

    for (size_t i = 0; i < function->n_instances; i++) {
        if (function->instances[i].state == CATALOG_USABLE) {
            wanted = CATALOG_USABLE;
            break;
        }
    }
    for (size_t i = 0; i < function->n_instances; i++) {
        const struct catalog_instance *instance = &function->instances[i];
        size_t at = MIN_OF(n, size);

        if (instance->state != wanted) {
            continue;
        }
        n++;
        while (at > 0 && catalog_is_better(instance, ret_instances[at - 1])) {
            if (at < size) {
                ret_instances[at] = ret_instances[at - 1];
            }
            at--;
        }
        if (at < size) {
            ret_instances[at] = instance;
        }
    }
    return n;
}

const char *catalog_state_name(enum catalog_state state)
{
    switch (state) {
    case CATALOG_USABLE:
        return "usable";
    case CATALOG_CRITICAL:
        return "critical";
    case CATALOG_DRAINING:
        return "draining";
    case CATALOG_MAINTENANCE:
        return "maintenance";
    case CATALOG_NODE_DOWN:
        return "node-down";
    case CATALOG_UNREACHABLE:
        return "unreachable";
    default:
        return "unknown";
    }
}
