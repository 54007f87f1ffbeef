/*
 * The worker's own judgement of what core wants, against the root-owned
 * policy: core may be confused or taken over, and must still not be able to
 * point this host's traffic anywhere but at the cluster's own addresses.
 */
#include "reconcilers/plan/plan.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "gossip/wire/body.h"
#include "reconcilers/plan/plan_internal.h"

/* Wider remote subnets than these would swallow other networks. */
#define SUBNET_LEN_MIN_V4 8
#define SUBNET_LEN_MIN_V6 16

_printf_(2, 3) static int refuse(char ret_reason[PLAN_TEXT_SIZE],
                                 const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(ret_reason, PLAN_TEXT_SIZE, format, arguments);
    va_end(arguments);
    return PLAN_E_REFUSED;
}

/* Ranges that no node may carry: RFC 6890's loopback, link-local, multicast
 * and unspecified. */
static bool is_special(const struct prefix *prefix)
{
    static const char *const ranges[] = {
        "0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3",
        "::/127",    "fe80::/10",   "ff00::/8"};

    for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
        struct prefix range;

        if (prefix_parse(ranges[i], &range) == 0 &&
            prefix_overlaps(&range, prefix)) {
            return true;
        }
    }
    return false;
}

static bool is_in_service_range(const struct plan_policy *policy,
                                const struct address *address)
{
    return policy->service_range.address.family != 0 &&
           prefix_contains(&policy->service_range, address);
}

static bool is_inside(const struct prefix *prefix, const struct prefix *ranges,
                      size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (ranges[i].len <= prefix->len &&
            prefix_contains(&ranges[i], &prefix->address)) {
            return true;
        }
    }
    return n == 0;
}

static bool is_within(const struct prefix *inner, const struct prefix *outer)
{
    return outer->len <= inner->len && prefix_contains(outer, &inner->address);
}

/* Nobody gets what this host itself is, or is connected to: a route for it
 * would cut the host off, and one for a part of a network would take what is
 * there.  The bridge's network may have other hosts' containers in it. */
static int judge_connected(const struct prefix *subnet,
                           const struct plan_policy *policy,
                           char ret_reason[PLAN_TEXT_SIZE])
{
    static const char *const what[] = {
        [PLAN_CONNECTED_ADDRESS] = "this host's own address",
        [PLAN_CONNECTED_NETWORK] = "which this host is connected to",
        [PLAN_CONNECTED_GATEWAY] = "this host's gateway",
    };
    char text[PREFIX_TEXT_SIZE], other[PREFIX_TEXT_SIZE];

    for (size_t i = 0; i < policy->n_connected; i++) {
        const struct plan_connected *connected = &policy->connected[i];

        if (connected->kind == PLAN_CONNECTED_ROUTE) {
            continue;
        }
        if (is_within(&connected->prefix, subnet)) {
            return refuse(
                ret_reason, "subnet %s holds %s, %s", prefix_text(subnet, text),
                prefix_text(&connected->prefix, other), what[connected->kind]);
        }
        if (connected->kind == PLAN_CONNECTED_NETWORK &&
            !connected->is_bridge && is_within(subnet, &connected->prefix)) {
            return refuse(ret_reason,
                          "subnet %s is a part of %s, which this host is "
                          "connected to by %s",
                          prefix_text(subnet, text),
                          prefix_text(&connected->prefix, other),
                          connected->interface);
        }
    }
    return 0;
}

const struct plan_connected *
plan_covering_route(const struct plan_policy *policy,
                    const struct prefix *subnet)
{
    for (size_t i = 0; i < policy->n_connected; i++) {
        if (policy->connected[i].kind == PLAN_CONNECTED_ROUTE &&
            is_within(subnet, &policy->connected[i].prefix)) {
            return &policy->connected[i];
        }
    }
    return NULL;
}

/* Another host's mesh address that is ours would take what is sent to us. */
static int judge_mesh(const struct address *mesh,
                      const struct plan_policy *policy,
                      char ret_reason[PLAN_TEXT_SIZE])
{
    char text[ADDRESS_TEXT_SIZE];

    for (size_t i = 0; i < policy->n_connected; i++) {
        if (policy->connected[i].kind == PLAN_CONNECTED_ADDRESS &&
            address_equal(&policy->connected[i].prefix.address, mesh)) {
            return refuse(
                ret_reason, "mesh address %s is this host's own, on %s",
                address_text(mesh, text), policy->connected[i].interface);
        }
    }
    return 0;
}

static int judge_remote_subnet(const struct prefix *subnet,
                               const struct plan_policy *policy,
                               char ret_reason[PLAN_TEXT_SIZE])
{
    char text[PREFIX_TEXT_SIZE], other[PREFIX_TEXT_SIZE];
    unsigned len_min =
        subnet->address.family == 6 ? SUBNET_LEN_MIN_V6 : SUBNET_LEN_MIN_V4;

    prefix_text(subnet, text);
    if (subnet->address.family == 0 || subnet->len < len_min) {
        return refuse(ret_reason, "subnet %s is too wide, at least /%u", text,
                      len_min);
    }
    if (is_special(subnet)) {
        return refuse(ret_reason, "subnet %s is not for containers", text);
    }
    for (size_t i = 0; i < policy->n_subnets; i++) {
        if (prefix_overlaps(&policy->subnets[i], subnet)) {
            return refuse(ret_reason,
                          "subnet %s overlaps this host's own subnet %s", text,
                          prefix_text(&policy->subnets[i], other));
        }
    }
    if (policy->service_range.address.family != 0 &&
        prefix_overlaps(&policy->service_range, subnet)) {
        return refuse(ret_reason, "subnet %s overlaps the service range %s",
                      text, prefix_text(&policy->service_range, other));
    }
    if (!is_inside(subnet, policy->containers, policy->n_containers)) {
        return refuse(ret_reason,
                      "subnet %s is outside the container ranges of the "
                      "cluster's charter",
                      text);
    }
    return judge_connected(subnet, policy, ret_reason);
}

/* The own certificate cannot give this host more than its policy does. */
static int judge_own_subnet(const struct prefix *subnet,
                            const struct plan_policy *policy,
                            char ret_reason[PLAN_TEXT_SIZE])
{
    char text[PREFIX_TEXT_SIZE];

    for (size_t i = 0; i < policy->n_subnets; i++) {
        if (policy->subnets[i].len <= subnet->len &&
            prefix_contains(&policy->subnets[i], &subnet->address)) {
            return 0;
        }
    }
    return refuse(ret_reason,
                  "own subnet %s is not in bridge.subnets of this host's "
                  "configuration",
                  prefix_text(subnet, text));
}

static int judge_host(const struct desired_host *host,
                      const struct plan_policy *policy,
                      char ret_reason[PLAN_TEXT_SIZE])
{
    struct prefix mesh = plan_host_prefix(&host->mesh);
    char text[ADDRESS_TEXT_SIZE];
    int error = 0;

    if (!body_name_valid(host->name)) {
        return refuse(ret_reason, "node name is not a valid name");
    }
    if (host->n_subnets > DESIRED_SUBNETS_MAX) {
        return refuse(ret_reason, "more than %d subnets", DESIRED_SUBNETS_MAX);
    }
    if (host->mesh.family == 0 || is_special(&mesh)) {
        return refuse(ret_reason, "no usable mesh address");
    }
    address_text(&host->mesh, text);
    if (plan_is_own(policy, &host->mesh)) {
        return refuse(ret_reason,
                      "mesh address %s is in this host's own subnets", text);
    }
    if (is_in_service_range(policy, &host->mesh)) {
        return refuse(ret_reason, "mesh address %s is in the service range",
                      text);
    }
    if (!is_inside(&mesh, policy->mesh, policy->n_mesh)) {
        return refuse(ret_reason,
                      "mesh address %s is outside the mesh ranges of the "
                      "cluster's charter",
                      text);
    }
    if (!host->is_self) {
        error = judge_mesh(&host->mesh, policy, ret_reason);
    }
    for (size_t i = 0; i < host->n_subnets && error == 0; i++) {
        error =
            host->is_self
                ? judge_own_subnet(&host->subnets[i], policy, ret_reason)
                : judge_remote_subnet(&host->subnets[i], policy, ret_reason);
    }
    return error;
}

static int judge_backend(const struct desired_function *function,
                         const struct desired_backend *backend,
                         const struct plan_policy *policy,
                         char ret_reason[PLAN_TEXT_SIZE])
{
    struct prefix address = plan_host_prefix(&backend->address);
    char text[ADDRESS_TEXT_SIZE];

    if (!body_name_valid(backend->instance)) {
        return refuse(ret_reason, "an instance's name is not a valid name");
    }
    if (backend->address.family != function->address.family) {
        return refuse(ret_reason,
                      "instance %s has an address of another family than the "
                      "function",
                      backend->instance);
    }
    address_text(&backend->address, text);
    if (is_special(&address)) {
        return refuse(ret_reason, "instance %s has address %s",
                      backend->instance, text);
    }
    if (is_in_service_range(policy, &backend->address)) {
        return refuse(ret_reason,
                      "instance %s has address %s of the service range",
                      backend->instance, text);
    }
    if (!is_inside(&address, policy->containers, policy->n_containers) &&
        !is_inside(&address, policy->mesh, policy->n_mesh)) {
        return refuse(ret_reason,
                      "instance %s has address %s, outside the ranges of the "
                      "cluster's charter",
                      backend->instance, text);
    }
    if (backend->port == 0) {
        return refuse(ret_reason, "instance %s has no port", backend->instance);
    }
    return 0;
}

static int judge_function(const struct desired_function *function,
                          const struct plan_policy *policy,
                          char ret_reason[PLAN_TEXT_SIZE])
{
    char text[ADDRESS_TEXT_SIZE], range[PREFIX_TEXT_SIZE];
    int error = 0;

    if (!body_name_valid(function->name)) {
        return refuse(ret_reason, "function name is not a valid name");
    }
    if (function->protocol != 6 && function->protocol != 17) {
        return refuse(ret_reason, "protocol %u is neither TCP nor UDP",
                      function->protocol);
    }
    if (function->port == 0) {
        return refuse(ret_reason, "no port");
    }
    /* The policy is all that the worker trusts: there the range is said. */
    if (!is_in_service_range(policy, &function->address)) {
        return refuse(ret_reason,
                      "service address %s is outside the service range %s",
                      address_text(&function->address, text),
                      prefix_text(&policy->service_range, range));
    }
    if (address_equal(&function->address, &policy->service_range.address)) {
        return refuse(ret_reason,
                      "service address %s is kept for containers that call "
                      "themselves",
                      address_text(&function->address, text));
    }
    if (function->n_backends > DESIRED_BACKENDS_MAX) {
        return refuse(ret_reason, "more than %d instances",
                      DESIRED_BACKENDS_MAX);
    }
    for (size_t i = 0; i < function->n_backends && error == 0; i++) {
        error =
            judge_backend(function, &function->backends[i], policy, ret_reason);
    }
    return error;
}

static int judge_local(const struct desired_local *local,
                       const struct plan_policy *policy,
                       char ret_reason[PLAN_TEXT_SIZE])
{
    char text[ADDRESS_TEXT_SIZE];

    address_text(&local->address, text);
    if (!plan_is_own(policy, &local->address)) {
        return refuse(ret_reason, "address %s is outside this host's subnets",
                      text);
    }
    if (address_equal(&local->address, &policy->gateway)) {
        return refuse(ret_reason, "address %s is the gateway's", text);
    }
    if (local->port_name[0] == '\0' || strchr(local->port_name, '/') != NULL) {
        return refuse(ret_reason, "no valid port name for address %s", text);
    }
    if (strcmp(local->port_name, policy->bridge) == 0 ||
        strcmp(local->port_name, policy->tunnel_device) == 0) {
        return refuse(ret_reason, "port %s is not a container's",
                      local->port_name);
    }
    return 0;
}

int plan_validate(const struct desired_item *item,
                  const struct plan_policy *policy,
                  char ret_reason[PLAN_TEXT_SIZE])
{
    switch (item->type) {
    case DESIRED_HOST:
        return judge_host(&item->host, policy, ret_reason);
    case DESIRED_FUNCTION:
        return judge_function(&item->function, policy, ret_reason);
    case DESIRED_LOCAL:
        return judge_local(&item->local, policy, ret_reason);
    default:
        return refuse(ret_reason, "unknown item type %d", (int)item->type);
    }
}

void plan_item_text(const struct desired_item *item,
                    char ret_text[PLAN_TEXT_SIZE])
{
    char address[ADDRESS_TEXT_SIZE];

    switch (item->type) {
    case DESIRED_HOST:
        (void)snprintf(ret_text, PLAN_TEXT_SIZE, "host/%016" PRIx64,
                       item->host.id);
        break;
    case DESIRED_FUNCTION:
        (void)snprintf(ret_text, PLAN_TEXT_SIZE, "function/%s/%u/%u",
                       item->function.name, item->function.protocol,
                       item->function.port);
        break;
    case DESIRED_LOCAL:
        (void)snprintf(ret_text, PLAN_TEXT_SIZE, "local/%s",
                       address_text(&item->local.address, address));
        break;
    default:
        (void)snprintf(ret_text, PLAN_TEXT_SIZE, "item/%d", (int)item->type);
        break;
    }
}
