/*
 * The memory of desired_builder.c: which instances carried connections at the
 * last build, so that one that was deregistered since can drain.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/catalog/desired_builder_internal.h"
#include "gossip/base/search.h"

/* Two of them are one backend when all of this is equal; its name may
 * change. */
static int desired_builder_known_compare(const void *left, const void *right)
{
    const struct desired_builder_known *a = left;
    const struct desired_builder_known *b = right;
    int result = strcmp(a->function, b->function);

    if (result == 0) {
        result = (a->host_id > b->host_id) - (a->host_id < b->host_id);
    }
    if (result == 0) {
        result = a->protocol - b->protocol;
    }
    if (result == 0) {
        result = a->port - b->port;
    }
    return result != 0 ? result : address_compare(&a->address, &b->address);
}

static void desired_builder_known_init(struct desired_builder_known *known,
                                       const struct catalog_function *function,
                                       const struct catalog_instance *instance)
{
    const struct catalog_service *service = &instance->service;

    *known =
        (struct desired_builder_known){.host_id = instance->node_id,
                                       .service_address = function->address,
                                       .address = service->address,
                                       .port = service->port,
                                       .weight = service->weight,
                                       .priority = service->priority,
                                       .protocol = service->protocol,
                                       .is_local = instance->is_local};
    memcpy(known->writer, instance->writer, sizeof(known->writer));
    memcpy(known->function, function->name, sizeof(known->function));
    memcpy(known->instance, service->instance, sizeof(known->instance));
    memcpy(known->port_name, service->port_name, sizeof(known->port_name));
}

/* The instance is still in the catalogue, so that its state alone says what
 * becomes of its connections. */
static bool desired_builder_is_listed(const struct catalog_function *function,
                                      const struct desired_builder_known *known)
{
    for (size_t i = 0; i < function->n_instances; i++) {
        const struct catalog_instance *instance = &function->instances[i];

        if (instance->node_id == known->host_id &&
            instance->service.protocol == known->protocol &&
            instance->service.port == known->port &&
            address_equal(&instance->service.address, &known->address)) {
            return true;
        }
    }
    return false;
}

/* Whether `known`, from the last build, drains on now; fills when it ends and
 * the address its function has now. */
static bool desired_builder_drains(struct desired_builder_known *known,
                                   const struct catalog *catalog,
                                   const struct node *node, uint64_t now_ms)
{
    const struct catalog_function *function =
        catalog_find(catalog, known->function);
    struct node_member member;

    if (function != NULL && desired_builder_is_listed(function, known)) {
        return false;
    }
    if (!node_member_find(node, known->writer, &member) ||
        member.state == NODE_MEMBER_DEAD || node_member_is_gone(&member)) {
        return false;
    }
    if (function != NULL && function->address.family != 0) {
        known->service_address = function->address;
    } else if (catalog_find_address(catalog, &known->service_address) != NULL) {
        return false; /* another function has its address by now */
    }
    if (known->until_ms == 0) {
        known->until_ms = now_ms + DESIRED_BUILDER_DRAIN_MS;
    }
    return known->until_ms > now_ms;
}

static int desired_builder_until_compare(const void *left, const void *right)
{
    const struct desired_builder_known *a = left;
    const struct desired_builder_known *b = right;
    int result = (a->until_ms < b->until_ms) - (a->until_ms > b->until_ms);

    return result != 0 ? result : desired_builder_known_compare(a, b);
}

/* The instances that carry connections now, sorted.  Returns how many. */
static size_t desired_builder_list_live(const struct catalog *catalog,
                                        struct desired_builder_known *known)
{
    size_t n = 0;

    for (size_t i = 0; i < catalog_count(catalog); i++) {
        const struct catalog_function *function = catalog_at(catalog, i);

        for (size_t j = 0; j < function->n_instances; j++) {
            if (function->address.family != 0 &&
                catalog_state_carries(function->instances[j].state)) {
                desired_builder_known_init(&known[n], function,
                                           &function->instances[j]);
                n++;
            }
        }
    }
    if (n > 0) {
        qsort(known, n, sizeof(*known), desired_builder_known_compare);
    }
    return n;
}

int desired_builder_remember(const struct desired_builder *builder,
                             const struct catalog *catalog,
                             const struct node *node, uint64_t now_ms,
                             struct desired_builder_known **ret_known,
                             size_t *ret_n_known)
{
    struct desired_builder_known *known;
    struct desired_builder_known *draining;
    size_t n_max = builder->n_known;
    size_t n_live;
    size_t n_draining = 0;

    for (size_t i = 0; i < catalog_count(catalog); i++) {
        n_max += catalog_at(catalog, i)->n_instances;
    }
    known = calloc(n_max == 0 ? 1 : n_max, sizeof(*known));
    if (known == NULL) {
        return -ENOMEM;
    }
    n_live = desired_builder_list_live(catalog, known);
    draining = known + n_live;
    for (size_t i = 0; i < builder->n_known; i++) {
        const struct desired_builder_known *old = &builder->known[i];

        if (search_find(old, known, n_live, sizeof(*known),
                        desired_builder_known_compare) != NULL) {
            continue;
        }
        draining[n_draining] = *old;
        if (desired_builder_drains(&draining[n_draining], catalog, node,
                                   now_ms)) {
            n_draining++;
        }
    }
    if (n_draining > DESIRED_BUILDER_DRAINING_MAX) {
        /* Those that end last come first. */
        qsort(draining, n_draining, sizeof(*draining),
              desired_builder_until_compare);
        n_draining = DESIRED_BUILDER_DRAINING_MAX;
    }
    *ret_known = known;
    *ret_n_known = n_live + n_draining;
    return 0;
}
