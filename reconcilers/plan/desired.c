/*
 * The desired set: a sorted array of items.  Core keeps one of what it sent,
 * the worker one of what it holds.  desired_pack.c has the wire form; plan.c
 * turns the set into flows.  Pure.
 */
#include "reconcilers/plan/desired.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/base/search.h"

void desired_item_done(struct desired_item *item)
{
    if (item == NULL) {
        return;
    }
    if (item->type == DESIRED_FUNCTION) {
        free(item->function.backends);
    }
    *item = (struct desired_item){0};
}

void desired_done(struct desired *desired)
{
    if (desired == NULL) {
        return;
    }
    for (size_t i = 0; i < desired->n_items; i++) {
        desired_item_done(&desired->items[i]);
    }
    free(desired->items);
    *desired = (struct desired){0};
}

static int compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

int desired_item_compare(const struct desired_item *a,
                         const struct desired_item *b)
{
    int order = compare_numbers(a->type, b->type);

    if (order != 0) {
        return order;
    }
    switch (a->type) {
    case DESIRED_HOST:
        return compare_numbers(a->host.id, b->host.id);
    case DESIRED_FUNCTION:
        order = strcmp(a->function.name, b->function.name);
        if (order == 0) {
            order = compare_numbers(a->function.protocol, b->function.protocol);
        }
        if (order == 0) {
            order = compare_numbers(a->function.port, b->function.port);
        }
        return order;
    case DESIRED_LOCAL:
        return address_compare(&a->local.address, &b->local.address);
    default:
        return 0;
    }
}

static bool equal_prefixes(const struct prefix *a, const struct prefix *b)
{
    return a->len == b->len && address_equal(&a->address, &b->address);
}

static bool equal_hosts(const struct desired_host *a,
                        const struct desired_host *b)
{
    if (a->id != b->id || strcmp(a->name, b->name) != 0 ||
        a->is_self != b->is_self || !address_equal(&a->mesh, &b->mesh) ||
        a->n_subnets != b->n_subnets) {
        return false;
    }
    for (size_t i = 0; i < a->n_subnets; i++) {
        if (!equal_prefixes(&a->subnets[i], &b->subnets[i])) {
            return false;
        }
    }
    return true;
}

static bool equal_backends(const struct desired_backend *a,
                           const struct desired_backend *b)
{
    return strcmp(a->instance, b->instance) == 0 && a->host_id == b->host_id &&
           address_equal(&a->address, &b->address) && a->port == b->port &&
           a->weight == b->weight && a->priority == b->priority &&
           a->accepts_new == b->accepts_new;
}

static bool equal_functions(const struct desired_function *a,
                            const struct desired_function *b)
{
    if (strcmp(a->name, b->name) != 0 || a->protocol != b->protocol ||
        a->port != b->port || !address_equal(&a->address, &b->address) ||
        a->n_backends != b->n_backends) {
        return false;
    }
    for (size_t i = 0; i < a->n_backends; i++) {
        if (!equal_backends(&a->backends[i], &b->backends[i])) {
            return false;
        }
    }
    return true;
}

bool desired_item_equal(const struct desired_item *a,
                        const struct desired_item *b)
{
    if (a->type != b->type) {
        return false;
    }
    switch (a->type) {
    case DESIRED_HOST:
        return equal_hosts(&a->host, &b->host);
    case DESIRED_FUNCTION:
        return equal_functions(&a->function, &b->function);
    case DESIRED_LOCAL:
        return address_equal(&a->local.address, &b->local.address) &&
               strcmp(a->local.port_name, b->local.port_name) == 0;
    default:
        return true;
    }
}

int desired_item_copy(const struct desired_item *item, struct desired_item *ret)
{
    struct desired_item copy = *item;

    if (item->type == DESIRED_FUNCTION) {
        size_t n = item->function.n_backends;

        copy.function.backends = NULL;
        if (n > 0) {
            copy.function.backends = calloc(n, sizeof(*copy.function.backends));
            if (copy.function.backends == NULL) {
                return -ENOMEM;
            }
            memcpy(copy.function.backends, item->function.backends,
                   n * sizeof(*copy.function.backends));
        }
    }
    *ret = copy;
    return 0;
}

static int compare_items(const void *key, const void *element)
{
    return desired_item_compare(key, element);
}

/* Index of the item of this key, or where it belongs. */
static size_t find_item(const struct desired *desired,
                        const struct desired_item *key, bool *ret_found)
{
    return search_index(key, desired->items, desired->n_items,
                        sizeof(*desired->items), compare_items, ret_found);
}

static int reserve_one(struct desired *desired)
{
    struct desired_item *items;
    size_t capacity;

    if (desired->n_items < desired->capacity) {
        return 0;
    }
    capacity = desired->capacity == 0 ? 16 : 2 * desired->capacity;
    items = reallocarray(desired->items, capacity, sizeof(*items));
    if (items == NULL) {
        return -ENOMEM;
    }
    desired->items = items;
    desired->capacity = capacity;
    return 0;
}

int desired_put(struct desired *desired, struct desired_item *item)
{
    bool is_there;
    size_t index = find_item(desired, item, &is_there);

    if (is_there) {
        desired_item_done(&desired->items[index]);
    } else {
        int error = reserve_one(desired);

        if (error < 0) {
            return error;
        }
        memmove(&desired->items[index + 1], &desired->items[index],
                (desired->n_items - index) * sizeof(*desired->items));
        desired->n_items++;
    }
    desired->items[index] = *item;
    *item = (struct desired_item){0};
    return 0;
}

bool desired_remove(struct desired *desired, const struct desired_item *key)
{
    bool is_there;
    size_t index = find_item(desired, key, &is_there);

    if (!is_there) {
        return false;
    }
    desired_item_done(&desired->items[index]);
    desired->n_items--;
    memmove(&desired->items[index], &desired->items[index + 1],
            (desired->n_items - index) * sizeof(*desired->items));
    return true;
}

const struct desired_item *desired_find(const struct desired *desired,
                                        const struct desired_item *key)
{
    return search_find(key, desired->items, desired->n_items,
                       sizeof(*desired->items), compare_items);
}

void desired_host_mac(uint64_t host_id, uint8_t ret_mac[6])
{
    ret_mac[0] = 0x0a; /* locally administered, unicast */
    for (unsigned i = 0; i < 5; i++) {
        ret_mac[1 + i] = (uint8_t)(host_id >> 8 * (4 - i));
    }
}
