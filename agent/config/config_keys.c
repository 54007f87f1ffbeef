/*
 * The keys of one file, each with its type and what may not be said.
 */
#include "agent/config/config_internal.h"

#include <stdlib.h>
#include <string.h>

#include "agent/system/user.h"
#include "gossip/wire/body.h"

static void read_string(struct yaml_node node, const char *key, char **target)
{
    char *value = yaml_string(node, key);

    if (value != NULL) {
        free(*target);
        *target = value;
    }
}

static void read_directory(struct yaml_node node, const char *key,
                           char **target)
{
    read_string(node, key, target);
    if (node.node != NULL && (*target)[0] != '/') {
        yaml_fail(node,
                  "%s: \"%s\" is not an absolute path; expected one "
                  "that begins with \"/\"",
                  key, *target);
    }
}

/* A name the kernel takes for an interface (IFNAMSIZ, no '/', no blanks). */
static bool is_interface_name(const char *name)
{
    return name[0] != '\0' && strlen(name) < 16 && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0 && strpbrk(name, "/: \t\n") == NULL;
}

static void read_interface(struct yaml_node node, const char *key,
                           char **target)
{
    read_string(node, key, target);
    if (node.node != NULL && !is_interface_name(*target)) {
        yaml_fail(node,
                  "%s: \"%s\" is not the name of an interface; expected 1 to "
                  "15 characters without \"/\", \":\" and blanks",
                  key, *target);
    }
}

static void read_name(struct yaml_node node, struct config *config)
{
    read_string(node, "name", &config->name);
    config->is_name_given = config->is_name_given || node.node != NULL;
    if (node.node != NULL && !body_name_valid(config->name)) {
        yaml_fail(node,
                  "name: \"%s\" is not possible; expected 1 to 63 letters, "
                  "digits, \"-\" and \"_\", not beginning or ending with "
                  "\"-\" or \"_\"",
                  config->name);
    }
}

static void read_user(struct yaml_node node, struct config *config)
{
    const char *refusal;
    uid_t uid = (uid_t)-1;
    gid_t gid;

    read_string(node, "user", &config->user);
    /* The default one need not be there yet. */
    if (node.node == NULL || strcmp(config->user, CONFIG_USER_DEFAULT) == 0) {
        return;
    }
    if (user_find(config->user, &uid, &gid) != 0) {
        yaml_fail(node,
                  "user: there is no user \"%s\" in /etc/passwd; create it "
                  "(useradd --system %s) or name another",
                  config->user, config->user);
        return;
    }
    refusal = user_refusal(config->user, uid);
    if (refusal != NULL) {
        yaml_fail(node,
                  "user: \"%s\" is refused: %s; name a user of its own, or "
                  "leave the line out (it is then " CONFIG_USER_DEFAULT ")",
                  config->user, refusal);
    }
}

static void read_zone(struct yaml_node node, struct config *config)
{
    const char *problem;

    read_string(node, "zone", &config->zone);
    if (node.node == NULL || yaml_failed(node.file)) {
        return;
    }
    problem = config_zone_problem(config->zone);
    if (problem != NULL) {
        yaml_fail(node, "zone: \"%s\" %s", config->zone, problem);
    }
}

static void read_log_level(struct yaml_node node, struct config *config)
{
    static const char *const levels[] = {"error", "warning", "info", "debug",
                                         NULL};
    char text[16] = "";

    yaml_copy(node, "log_level", text, sizeof(text));
    if (node.node == NULL || yaml_failed(node.file)) {
        return;
    }
    for (int i = 0; levels[i] != NULL; i++) {
        if (strcmp(text, levels[i]) == 0) {
            config->log_level = (enum log_level)i;
            return;
        }
    }
    yaml_fail(node,
              "log_level: \"%s\" is not one; expected error, warning, info "
              "or debug",
              text);
}

/* Ends in .0 or .255: a network's own address, or its broadcast, unless this
 * host has it, as it may in a network larger than a /24. */
static bool is_net_address(const struct config *config)
{
    return config->mesh.family == 4 &&
           (config->mesh.bytes[3] == 0 || config->mesh.bytes[3] == 255) &&
           !config_mesh_is_here(config);
}

static void read_mesh(struct yaml_node map, struct config *config)
{
    static const char *const keys[] = {"interface", "address", "port", NULL};
    struct yaml_node address = yaml_get(map, "address");

    if (!yaml_require_keys(map, "mesh", keys)) {
        return;
    }
    read_interface(yaml_get(map, "interface"), "mesh.interface",
                   &config->mesh_interface);
    if (yaml_address(address, "mesh.address", &config->mesh) &&
        (!address_is_host(&config->mesh) || is_net_address(config))) {
        char text[ADDRESS_TEXT_SIZE];

        yaml_fail(address,
                  "mesh.address: %s is not an address that other hosts can "
                  "reach%s; expected this host's own on the mesh",
                  address_text(&config->mesh, text),
                  is_net_address(config)
                      ? " (.0 and .255 are of networks, not of hosts)"
                      : "");
    }
    config->mesh_given = config->mesh;
    config->mesh_port = (uint16_t)yaml_uint(yaml_get(map, "port"), "mesh.port",
                                            1, 65535, config->mesh_port);
}

static void read_subnets(struct yaml_node list, struct config *config)
{
    size_t n = yaml_count(list);

    if (list.node == NULL) {
        return;
    }
    if (n > LIMIT_CERT_SUBNETS) {
        yaml_fail(list, "subnets: %zu of them; expected at most %d", n,
                  LIMIT_CERT_SUBNETS);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        struct yaml_node node = yaml_at(list, i);
        struct prefix prefix = {0};

        if (!yaml_prefix(node, "subnets", &prefix)) {
            return;
        }
        for (size_t j = 0; j < i; j++) {
            char text[PREFIX_TEXT_SIZE];

            if (prefix_overlaps(&prefix, &config->subnets[j])) {
                yaml_fail(node,
                          "subnets: this one overlaps %s; give each address "
                          "range once",
                          prefix_text(&config->subnets[j], text));
            }
        }
        config->subnets[i] = prefix;
    }
    config->n_subnets = n;
}

static void read_bridge(struct yaml_node map, struct config *config)
{
    static const char *const keys[] = {"name", "run_dir", "gateway", NULL};

    if (!yaml_require_keys(map, "bridge", keys)) {
        return;
    }
    read_interface(yaml_get(map, "name"), "bridge.name", &config->bridge);
    read_directory(yaml_get(map, "run_dir"), "bridge.run_dir",
                   &config->ovs_run_dir);
    (void)yaml_address(yaml_get(map, "gateway"), "bridge.gateway",
                       &config->gateway); /* a failure is recorded */
}

static void read_tunnel(struct yaml_node map, struct config *config)
{
    static const char *const keys[] = {"device", "vni", "port", NULL};

    if (!yaml_require_keys(map, "tunnel", keys)) {
        return;
    }
    read_interface(yaml_get(map, "device"), "tunnel.device",
                   &config->tunnel_device);
    config->tunnel_vni =
        (uint32_t)yaml_uint(yaml_get(map, "vni"), "tunnel.vni", 1,
                            (1u << 24) - 1, config->tunnel_vni);
    config->tunnel_port = (uint16_t)yaml_uint(
        yaml_get(map, "port"), "tunnel.port", 1, 65535, config->tunnel_port);
}

static void read_dns(struct yaml_node map, struct config *config)
{
    static const char *const keys[] = {"listen", NULL};
    struct yaml_node list = yaml_get(map, "listen");
    size_t n = yaml_count(list);

    if (!yaml_require_keys(map, "dns", keys) || list.node == NULL) {
        return;
    }
    if (n > CONFIG_LISTEN_MAX) {
        yaml_fail(list, "dns.listen: %zu addresses; expected at most %d", n,
                  CONFIG_LISTEN_MAX);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (!yaml_endpoint(yaml_at(list, i), "dns.listen", 53,
                           &config->dns_listen[i])) {
            return;
        }
    }
    config->n_dns_listen = n;
}

static void read_gossip(struct yaml_node map, struct config *config)
{
    static const char *const keys[] = {"probe_interval_ms", NULL};

    if (!yaml_require_keys(map, "gossip", keys)) {
        return;
    }
    config->probe_interval_ms = (uint32_t)yaml_uint(
        yaml_get(map, "probe_interval_ms"), "gossip.probe_interval_ms", 0,
        60000, config->probe_interval_ms);
}

void config_read_keys(struct yaml_node root, struct config *config)
{
    static const char *const keys[] = {
        "name",   "state_dir", "run_dir", "services_dir", "user",
        "zone",   "log_level", "mesh",    "subnets",      "reconcile",
        "bridge", "tunnel",    "dns",     "gossip",       NULL};

    if (!yaml_require_keys(root, "", keys)) {
        return;
    }
    read_name(yaml_get(root, "name"), config);
    read_directory(yaml_get(root, "state_dir"), "state_dir",
                   &config->state_dir);
    read_directory(yaml_get(root, "run_dir"), "run_dir", &config->run_dir);
    read_directory(yaml_get(root, "services_dir"), "services_dir",
                   &config->services_dir);
    read_user(yaml_get(root, "user"), config);
    read_zone(yaml_get(root, "zone"), config);
    read_log_level(yaml_get(root, "log_level"), config);
    read_mesh(yaml_get(root, "mesh"), config);
    read_subnets(yaml_get(root, "subnets"), config);
    config->reconcile =
        yaml_bool(yaml_get(root, "reconcile"), "reconcile", config->reconcile);
    read_bridge(yaml_get(root, "bridge"), config);
    read_tunnel(yaml_get(root, "tunnel"), config);
    read_dns(yaml_get(root, "dns"), config);
    read_gossip(yaml_get(root, "gossip"), config);
}
