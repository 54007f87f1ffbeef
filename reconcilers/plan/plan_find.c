/*
 * Questions that the planner's files ask of their inputs: which port, which
 * neighbour, whether an address is ours.
 */
#include "reconcilers/plan/plan_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/base/search.h"

size_t plan_items(const struct plan_builder *builder, enum desired_type type,
                  const struct desired_item **ret_first)
{
    const struct desired *desired = builder->desired;
    size_t first = 0, end;

    while (first < desired->n_items && desired->items[first].type != type) {
        first++;
    }
    end = first;
    while (end < desired->n_items && desired->items[end].type == type) {
        end++;
    }
    *ret_first = end > first ? &desired->items[first] : NULL;
    return end - first;
}

bool plan_is_own(const struct plan_policy *policy,
                 const struct address *address)
{
    for (size_t i = 0; i < policy->n_subnets; i++) {
        if (prefix_contains(&policy->subnets[i], address)) {
            return true;
        }
    }
    return false;
}

bool plan_is_host(const struct plan_builder *builder,
                  const struct address *address)
{
    return (builder->self != NULL &&
            address_equal(&builder->self->mesh, address)) ||
           address_equal(&builder->policy->gateway, address);
}

bool plan_is_here(const struct plan_builder *builder,
                  const struct address *address)
{
    return plan_is_own(builder->policy, address) ||
           plan_is_host(builder, address);
}

bool plan_is_container_port(const struct plan_builder *builder,
                            const struct plan_port *port)
{
    return port->ofport != 0 && port->ofport < OPENFLOW_PORT_IN_PORT &&
           port->ofport != builder->tunnel_port &&
           strcmp(port->name, builder->policy->bridge) != 0 &&
           strcmp(port->name, builder->policy->tunnel_device) != 0;
}

uint32_t plan_find_port(const struct plan_builder *builder, const char *name)
{
    const struct plan_observed *observed = builder->observed;

    for (size_t i = 0; i < observed->n_ports; i++) {
        if (strcmp(observed->ports[i].name, name) == 0) {
            return observed->ports[i].ofport;
        }
    }
    return 0;
}

static int compare_ports(const void *a, const void *b)
{
    const uint32_t *left = a, *right = b;

    return (*left > *right) - (*left < *right);
}

int plan_find_container_ports(struct plan_builder *builder)
{
    const struct plan_observed *observed = builder->observed;

    if (observed->n_ports == 0) {
        return 0;
    }
    builder->container_ports =
        calloc(observed->n_ports, sizeof(*builder->container_ports));
    if (builder->container_ports == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < observed->n_ports; i++) {
        if (plan_is_container_port(builder, &observed->ports[i])) {
            builder->container_ports[builder->n_container_ports] =
                observed->ports[i].ofport;
            builder->n_container_ports++;
        }
    }
    qsort(builder->container_ports, builder->n_container_ports,
          sizeof(*builder->container_ports), compare_ports);
    return 0;
}

static bool has_container_port(const struct plan_builder *builder,
                               uint32_t ofport)
{
    return search_find(&ofport, builder->container_ports,
                       builder->n_container_ports, sizeof(ofport),
                       compare_ports) != NULL;
}

static bool is_unicast_mac(const uint8_t mac[6])
{
    static const uint8_t none[6];

    return (mac[0] & 1) == 0 && memcmp(mac, none, sizeof(none)) != 0;
}

bool plan_is_usable_neighbor(const struct plan_builder *builder,
                             const struct plan_neighbor *neighbor)
{
    return plan_is_own(builder->policy, &neighbor->address) &&
           !address_equal(&neighbor->address, &builder->policy->gateway) &&
           is_unicast_mac(neighbor->mac) &&
           has_container_port(builder, neighbor->ofport);
}

static int compare_neighbor(const void *key, const void *element)
{
    const struct plan_neighbor *neighbor = element;

    return address_compare(key, &neighbor->address);
}

static const struct plan_neighbor *
find_neighbor(const struct plan_builder *builder, const struct address *address)
{
    const struct plan_observed *observed = builder->observed;

    return search_find(address, observed->neighbors, observed->n_neighbors,
                       sizeof(*observed->neighbors), compare_neighbor);
}

bool plan_was_seen(const struct plan_builder *builder,
                   const struct address *address)
{
    return find_neighbor(builder, address) != NULL;
}

const struct plan_neighbor *
plan_find_neighbor(const struct plan_builder *builder,
                   const struct address *address)
{
    const struct plan_neighbor *neighbor = find_neighbor(builder, address);

    return neighbor != NULL && plan_is_usable_neighbor(builder, neighbor)
               ? neighbor
               : NULL;
}

const struct plan_port *plan_find_true_port(const struct plan_builder *builder,
                                            const struct desired_local *local)
{
    const struct plan_observed *observed = builder->observed;
    const struct plan_neighbor *neighbor =
        plan_find_neighbor(builder, &local->address);

    for (size_t i = 0; i < observed->n_ports && neighbor != NULL; i++) {
        const struct plan_port *port = &observed->ports[i];

        if (port->ofport == neighbor->ofport) {
            return local->port_name[0] != '\0' &&
                           strcmp(port->name, local->port_name) != 0
                       ? port
                       : NULL;
        }
    }
    return NULL;
}

const struct desired_local *
plan_find_binding(const struct plan_builder *builder,
                  const struct address *address)
{
    const struct desired_item key = {.type = DESIRED_LOCAL,
                                     .local.address = *address};
    const struct desired_item *item = desired_find(builder->desired, &key);

    return item == NULL || item->local.port_name[0] == '\0' ||
                   plan_find_true_port(builder, &item->local) != NULL
               ? NULL
               : &item->local;
}

static bool host_has(const struct desired_host *host,
                     const struct address *address)
{
    if (address_equal(&host->mesh, address)) {
        return true;
    }
    for (size_t i = 0; i < host->n_subnets; i++) {
        if (prefix_contains(&host->subnets[i], address)) {
            return true;
        }
    }
    return false;
}

bool plan_is_reachable(const struct plan_builder *builder,
                       const struct desired_backend *backend)
{
    const struct desired_item key = {.type = DESIRED_HOST,
                                     .host.id = backend->host_id};
    const struct desired_item *item;
    const struct desired_local *binding;

    if (plan_is_own(builder->policy, &backend->address)) {
        binding = plan_find_binding(builder, &backend->address);
        return binding == NULL ||
               plan_find_port(builder, binding->port_name) != 0;
    }
    if (plan_is_host(builder, &backend->address)) {
        return true;
    }
    item = desired_find(builder->desired, &key);
    return item != NULL && !item->host.is_self && builder->tunnel_port != 0 &&
           host_has(&item->host, &backend->address);
}
