/*
 * The configuration: defaults, agent.yaml, conf.d; see config.h for every key
 * and docs/CONFIG.md for their meaning.  yaml.h reads the files and words the
 * errors, config_keys.c takes each key, and what concerns several keys at once
 * is checked in config_validate.c.
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

static int read_file(const char *path, struct config *config, char **ret_error)
{
    _cleanup_(yaml_free_pointer) struct yaml_file *file = NULL;
    int error = yaml_load(path, &file, ret_error);

    if (error != 0) {
        return error;
    }
    config_read_keys(yaml_root(file), config);
    if (yaml_failed(file)) {
        *ret_error = yaml_take_error(file);
        return -EINVAL;
    }
    config->has_file = true;
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
        int error;

        if (asprintf(&path, "%s/%s", directory, entries[i]->d_name) < 0) {
            path = NULL;
            return -ENOMEM;
        }
        error = read_file(path, config, ret_error);
        if (error != 0) {
            return error;
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
    int error;

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
    error = read_entries(directory, entries, n, config, ret_error);
    for (int i = 0; i < n; i++) {
        free(entries[i]);
    }
    free(entries);
    return error;
}

static int load(const char *path, const struct config *before,
                struct config *config, char **ret_error)
{
    int error;

    if (!set_defaults(config, path == NULL ? CONFIG_PATH_DEFAULT : path)) {
        return -ENOMEM;
    }
    error = read_file(config->path, config, ret_error);
    if (error == -ENOENT && path == NULL) {
        free(*ret_error);
        *ret_error = NULL;
        error = 0; /* the defaults will do */
    } else if (error == -ENOENT) {
        free(*ret_error);
        if (asprintf(ret_error,
                     "there is no configuration file %s; write it, or leave "
                     "--config out (it is then " CONFIG_PATH_DEFAULT ")",
                     config->path) < 0) {
            *ret_error = NULL;
        }
    }
    if (error == 0) {
        error = read_directory_files(config, ret_error);
    }
    if (error == 0) {
        error = config_read_subnets(before, config, ret_error);
    }
    if (error == 0) {
        error = config_validate(config, ret_error);
    }
    return error;
}

static int load_new(const char *path, const struct config *before,
                    struct config **ret, char **ret_error)
{
    _cleanup_(config_free_pointer) struct config *config =
        calloc(1, sizeof(*config));
    int error = config == NULL ? -ENOMEM : 0;

    *ret_error = NULL;
    if (error == 0) {
        error = load(path, before, config, ret_error);
    }
    if (error != 0) {
        if (*ret_error == NULL &&
            asprintf(ret_error, "cannot read the configuration %s: %s",
                     path == NULL ? CONFIG_PATH_DEFAULT : path,
                     strerror(-error)) < 0) {
            *ret_error = NULL;
        }
        return error;
    }
    *ret = config;
    config = NULL;
    return 0;
}

int config_load(const char *path, struct config **ret, char **ret_error)
{
    return load_new(path, NULL, ret, ret_error);
}

int config_load_again(const struct config *config, struct config **ret,
                      char **ret_error)
{
    /* The default file may be missing, as at the start. */
    return load_new(
        strcmp(config->path, CONFIG_PATH_DEFAULT) == 0 ? NULL : config->path,
        config, ret, ret_error);
}
