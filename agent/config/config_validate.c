/*
 * The part of the configuration that looks further than one key: checks
 * across keys, the mesh address from its interface, users from /etc/passwd.
 */
#include "agent/config/config.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/config/config_internal.h"
#include "gossip/wire/body.h"

/* sun_path is 108 bytes; "/api.sock" and what others put beside it. */
#define CONFIG_RUN_DIR_MAX 80

/* Labels of 1 to 63 letters, digits, '-' and '_', at most 200 in all so that
 * names below it fit into 253. */
static bool is_domain(const char *zone)
{
    char label[BODY_NAME_SIZE];

    if (strlen(zone) > 200) {
        return false;
    }
    for (const char *at = zone;;) {
        size_t len = strcspn(at, ".");

        if (len == 0 || len >= sizeof(label)) {
            return false;
        }
        memcpy(label, at, len);
        label[len] = '\0';
        if (!body_name_valid(label)) {
            return false;
        }
        if (at[len] == '\0') {
            return true;
        }
        at += len + 1;
    }
}

const char *config_zone_problem(const char *zone)
{
    const char *last = strrchr(zone, '.');

    if (!is_domain(zone)) {
        return "is not a domain; expected labels joined by dots, without one "
               "at the end, such as mesh.internal";
    }
    if (strcasecmp(last == NULL ? zone : last + 1, "local") == 0) {
        return "is in .local, which belongs to multicast DNS (RFC 6762): "
               "hosts with it would never ask us; expected another, such as "
               "mesh.internal";
    }
    return NULL;
}

/* -EINVAL and a text: the subnet's first or last address. */
static int refuse_gateway(const struct config *config,
                          const struct prefix *subnet, char **ret_error)
{
    char text[ADDRESS_TEXT_SIZE];
    char range[PREFIX_TEXT_SIZE];

    if (asprintf(ret_error,
                 "%s: bridge.gateway %s is the network's or the broadcast "
                 "address of %s, which no host may have; give the address that "
                 "containers of this host use as gateway",
                 config->path, address_text(&config->gateway, text),
                 prefix_text(subnet, range)) < 0) {
        *ret_error = NULL;
    }
    return -EINVAL;
}

static int validate_gateway(const struct config *config, char **ret_error)
{
    char text[ADDRESS_TEXT_SIZE];

    if (config->gateway.family == 0) {
        return 0;
    }
    for (size_t i = 0; i < config->n_subnets; i++) {
        const struct prefix *subnet = &config->subnets[i];

        if (prefix_is_host(subnet, &config->gateway)) {
            return 0;
        }
        if (prefix_contains(subnet, &config->gateway)) {
            return refuse_gateway(config, subnet, ret_error);
        }
    }
    if (asprintf(ret_error,
                 "%s: bridge.gateway %s is in none of the subnets; it is the "
                 "address that containers of this host use as gateway: add "
                 "its subnet to \"subnets\", or correct it",
                 config->path, address_text(&config->gateway, text)) < 0) {
        *ret_error = NULL;
    }
    return -EINVAL;
}

static int validate_name(const struct config *config, char **ret_error)
{
    if (body_name_valid(config->name)) {
        return 0;
    }
    if (asprintf(ret_error,
                 "%s: this host's name \"%s\" cannot name a node (1 to 63 "
                 "letters, digits, \"-\" and \"_\"); set \"name\"",
                 config->path, config->name) < 0) {
        *ret_error = NULL;
    }
    return -EINVAL;
}

static int validate_run_dir(const struct config *config, char **ret_error)
{
    size_t len = strlen(config->run_dir);

    if (len <= CONFIG_RUN_DIR_MAX) {
        return 0;
    }
    if (asprintf(ret_error,
                 "%s: run_dir is %zu bytes long; expected at most %d, since "
                 "sockets are made in it",
                 config->path, len, CONFIG_RUN_DIR_MAX) < 0) {
        *ret_error = NULL;
    }
    return -EINVAL;
}

int config_validate(const struct config *config, char **ret_error)
{
    int error = validate_name(config, ret_error);

    if (error == 0) {
        error = validate_run_dir(config, ret_error);
    }
    if (error == 0) {
        error = validate_gateway(config, ret_error);
    }
    return error;
}

/* false for what no other host reaches: link-local ones. */
static bool read_sockaddr(const struct sockaddr *from, struct address *ret)
{
    struct address address = {0};

    if (from->sa_family == AF_INET) {
        struct sockaddr_in in;

        memcpy(&in, from, sizeof(in));
        address.family = 4;
        memcpy(address.bytes, &in.sin_addr, 4);
    } else if (from->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;

        memcpy(&in6, from, sizeof(in6));
        if (IN6_IS_ADDR_LINKLOCAL(&in6.sin6_addr)) {
            return false;
        }
        address.family = 6;
        memcpy(address.bytes, &in6.sin6_addr, 16);
    } else {
        return false;
    }
    *ret = address;
    return true;
}

/* The first IPv4 address of the interface, else the first IPv6 one. */
static void find_address(const struct ifaddrs *list, const char *interface,
                         bool *ret_exists, struct address *ret)
{
    for (const struct ifaddrs *at = list; at != NULL; at = at->ifa_next) {
        struct address address;

        if (strcmp(at->ifa_name, interface) != 0) {
            continue;
        }
        *ret_exists = true;
        if (at->ifa_addr != NULL && read_sockaddr(at->ifa_addr, &address) &&
            (ret->family == 0 || (ret->family == 6 && address.family == 4))) {
            *ret = address;
        }
    }
}

static int fail_mesh(const struct config *config, bool exists, char **ret_error)
{
    int n;

    if (config->mesh_interface[0] == '\0' && !config->has_file) {
        n = asprintf(ret_error,
                     "there is no configuration: neither %s nor a file in "
                     "conf.d beside it; write %s, the least that works is\n"
                     "  mesh:\n"
                     "    interface: wg0           # the WireGuard interface\n"
                     "  subnets: [10.0.1.0/24]     # this host's containers",
                     config->path, config->path);
    } else if (config->mesh_interface[0] == '\0') {
        n = asprintf(ret_error,
                     "no mesh address: %s sets neither \"mesh.interface\" nor "
                     "\"mesh.address\"; set one, for example\n"
                     "  mesh:\n    interface: wg0",
                     config->path);
    } else if (!exists) {
        n = asprintf(ret_error,
                     "no mesh address: there is no interface \"%s\" "
                     "(mesh.interface of %s); bring it up, or set "
                     "\"mesh.address\"",
                     config->mesh_interface, config->path);
    } else {
        n = asprintf(ret_error,
                     "no mesh address: interface \"%s\" (mesh.interface of "
                     "%s) has none yet; give it one, or set \"mesh.address\"",
                     config->mesh_interface, config->path);
    }
    if (n < 0) {
        *ret_error = NULL;
    }
    return -EADDRNOTAVAIL;
}

/* Whether an interface has it. */
static bool is_here(const struct ifaddrs *list, const struct address *wanted)
{
    for (const struct ifaddrs *at = list; at != NULL; at = at->ifa_next) {
        struct address address;

        if (at->ifa_addr != NULL && read_sockaddr(at->ifa_addr, &address) &&
            address_equal(&address, wanted)) {
            return true;
        }
    }
    return false;
}

bool config_mesh_is_here(const struct config *config)
{
    struct ifaddrs *list = NULL;
    bool is_found;

    if (config->mesh.family == 0 || getifaddrs(&list) < 0) {
        return true; /* nothing that could be said against it */
    }
    is_found = is_here(list, &config->mesh);
    freeifaddrs(list);
    return is_found;
}

int config_resolve_mesh(struct config *config, char **ret_error)
{
    struct address address = {0};
    struct ifaddrs *list = NULL;
    bool exists = false;

    *ret_error = NULL;
    if (config->mesh.family != 0) {
        return 0;
    }
    if (config->mesh_interface[0] != '\0') {
        if (getifaddrs(&list) < 0) {
            return -errno;
        }
        find_address(list, config->mesh_interface, &exists, &address);
        freeifaddrs(list);
    }
    if (address.family == 0) {
        return fail_mesh(config, exists, ret_error);
    }
    config->mesh = address;
    return 0;
}
