/*
 * The configuration: defaults, agent.yaml, conf.d; see config.h for every key
 * and docs/CONFIG.md for their meaning.  yaml.h reads the files and words the
 * errors; what concerns several keys at once is checked in config_validate.c.
 */
#include "agent/config/config.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/config/config_internal.h"
#include "agent/config/yaml.h"
#include "agent/system/user.h"
#include "gossip/wire/body.h"

struct config *config_free(struct config *config)
{
    if (config == NULL) {
        return NULL;
    }
    free(config->path);
    free(config->name);
    free(config->state_dir);
    free(config->run_dir);
    free(config->services_dir);
    free(config->user);
    free(config->zone);
    free(config->mesh_interface);
    free(config->bridge);
    free(config->ovs_run_dir);
    free(config->tunnel_device);
    free(config);
    return NULL;
}

void config_free_pointer(struct config **config)
{
    *config = config_free(*config);
}

/* Replaces an owned string; false when out of memory. */
static bool set_string(char **target, const char *value)
{
    char *copy = strdup(value);

    if (copy == NULL) {
        return false;
    }
    free(*target);
    *target = copy;
    return true;
}

/* The host's name up to the first dot; "" when it has none. */
static bool set_host_name(struct config *config)
{
    char name[256] = "";

    if (gethostname(name, sizeof(name) - 1) < 0) {
        name[0] = '\0';
    }
    name[strcspn(name, ".")] = '\0';
    return set_string(&config->name, name);
}

static bool set_services_dir(struct config *config)
{
    const char *slash = strrchr(config->path, '/');
    int len = slash == NULL ? 1 : (int)(slash - config->path);

    return asprintf(&config->services_dir, "%.*s/services.d", len,
                    slash == NULL ? "." : config->path) >= 0;
}

static bool set_defaults(struct config *config, const char *path)
{
    config->log_level = LOG_LEVEL_INFO;
    config->mesh_port = CONFIG_PORT_DEFAULT;
    config->reconcile = true;
    config->tunnel_vni = 70;
    config->tunnel_port = 4789;
    return set_string(&config->path, path) && set_host_name(config) &&
           set_string(&config->state_dir, "/var/lib/socketnet") &&
           set_string(&config->run_dir, "/run/socketnet") &&
           set_services_dir(config) &&
           set_string(&config->user, CONFIG_USER_DEFAULT) &&
           set_string(&config->zone, "mesh.internal") &&
           set_string(&config->mesh_interface, "") &&
           set_string(&config->bridge, "socket") &&
           set_string(&config->ovs_run_dir, "/var/run/openvswitch") &&
           set_string(&config->tunnel_device, "vx-socket");
}

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
        !address_is_host(&config->mesh)) {
        yaml_fail(address, "mesh.address: not an address that other hosts can "
                           "reach; expected this host's own on the mesh");
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

static void read_root(struct yaml_node root, struct config *config)
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

static int read_file(const char *path, struct config *config, char **ret_error)
{
    _cleanup_(yaml_free_pointer) struct yaml_file *file = NULL;
    int r = yaml_load(path, &file, ret_error);

    if (r != 0) {
        return r;
    }
    read_root(yaml_root(file), config);
    if (yaml_failed(file)) {
        *ret_error = yaml_take_error(file);
        return -EINVAL;
    }
    return 0;
}

static int is_config_name(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');

    return entry->d_name[0] != '.' && dot != NULL &&
           (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0 ||
            strcmp(dot, ".json") == 0);
}

/* Byte order, not the locale's: the same on every host. */
static int compare_names(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int read_entries(const char *directory, struct dirent **entries, int n,
                        struct config *config, char **ret_error)
{
    for (int i = 0; i < n; i++) {
        _cleanup_(free_pointer) char *path = NULL;
        int r;

        if (asprintf(&path, "%s/%s", directory, entries[i]->d_name) < 0) {
            path = NULL;
            return -ENOMEM;
        }
        r = read_file(path, config, ret_error);
        if (r != 0) {
            return r;
        }
    }
    return 0;
}

static int read_directory_files(struct config *config, char **ret_error)
{
    _cleanup_(free_pointer) char *directory = NULL;
    const char *slash = strrchr(config->path, '/');
    struct dirent **entries = NULL;
    int n;
    int r;

    if (asprintf(&directory, "%.*s/conf.d",
                 slash == NULL ? 1 : (int)(slash - config->path),
                 slash == NULL ? "." : config->path) < 0) {
        directory = NULL;
        return -ENOMEM;
    }
    n = scandir(directory, &entries, is_config_name, compare_names);
    if (n < 0) {
        return errno == ENOENT ? 0 : -errno;
    }
    r = read_entries(directory, entries, n, config, ret_error);
    for (int i = 0; i < n; i++) {
        free(entries[i]);
    }
    free(entries);
    return r;
}

static int load(const char *path, struct config *config, char **ret_error)
{
    int r;

    if (!set_defaults(config, path == NULL ? CONFIG_PATH_DEFAULT : path)) {
        return -ENOMEM;
    }
    r = read_file(config->path, config, ret_error);
    if (r == -ENOENT && path == NULL) {
        free(*ret_error);
        *ret_error = NULL;
        r = 0; /* the defaults will do */
    }
    if (r == 0) {
        r = read_directory_files(config, ret_error);
    }
    if (r == 0) {
        r = config_validate(config, ret_error);
    }
    return r;
}

int config_load(const char *path, struct config **ret, char **ret_error)
{
    _cleanup_(config_free_pointer) struct config *config =
        calloc(1, sizeof(*config));
    int r = config == NULL ? -ENOMEM : 0;

    *ret_error = NULL;
    if (r == 0) {
        r = load(path, config, ret_error);
    }
    if (r != 0) {
        if (*ret_error == NULL &&
            asprintf(ret_error, "cannot read the configuration %s: %s",
                     path == NULL ? CONFIG_PATH_DEFAULT : path,
                     strerror(-r)) < 0) {
            *ret_error = NULL;
        }
        return r;
    }
    *ret = config;
    config = NULL;
    return 0;
}

int config_load_again(const struct config *config, struct config **ret,
                      char **ret_error)
{
    /* The default file may be missing, as at the start. */
    return config_load(
        strcmp(config->path, CONFIG_PATH_DEFAULT) == 0 ? NULL : config->path,
        ret, ret_error);
}
