/*
 * The configuration: /etc/socketnet/agent.yaml, then conf.d/ beside it in
 * name order, later files winning key by key.  YAML by libfyaml; JSON is a
 * subset.  An unknown key, a wrong type or a bad value is an error with
 * file:line, the reason and, where one is near, a suggestion.
 *
 * Read by the launcher, core, worker and the commands; never written.
 */
#ifndef SOCKETNET_AGENT_CONFIG_CONFIG_H
#define SOCKETNET_AGENT_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/system/log.h"
#include "gossip/base/address.h"
#include "gossip/base/limits.h"
#include "gossip/base/macros.h"

#define CONFIG_PATH_DEFAULT "/etc/socketnet/agent.yaml"
#define CONFIG_PORT_DEFAULT 7720
#define CONFIG_USER_DEFAULT "socketnet" /* `agent init`, `join` make it */
#define CONFIG_LISTEN_MAX   8

/* Strings are owned.  Key in the file in the comment, with the default. */
struct config {
    char *path;
    bool has_file;             /* some file was read; else all is default */
    char *name;                /* name: host name up to the first dot */
    bool is_name_given;        /* ... and some file says it */
    char *state_dir;           /* state_dir: /var/lib/socketnet */
    char *run_dir;             /* run_dir: /run/socketnet (api.sock is there) */
    char *services_dir;        /* services_dir: services.d beside the file */
    char *user;                /* user: socketnet */
    char *zone;                /* zone: mesh.internal */
    enum log_level log_level;  /* log_level: info */
    char *mesh_interface;      /* mesh.interface: "" */
    struct address mesh;       /* mesh.address: the interface's first one */
    struct address mesh_given; /* mesh.address as it was written */
    uint16_t mesh_port;        /* mesh.port: 7720, UDP and TCP */
    struct prefix subnets[LIMIT_CERT_SUBNETS]; /* subnets: as the token said
                                                  that it joined by */
    size_t n_subnets;
    bool are_subnets_joined; /* they are those, no file says any */
    bool reconcile;          /* reconcile: true; false = no worker at all */
    char *bridge;            /* bridge.name: socket */
    char *ovs_run_dir;       /* bridge.run_dir: /var/run/openvswitch; holds
                                db.sock and NAME.mgmt */
    struct address gateway;  /* bridge.gateway: none; given to the bridge's
                                own port when free */
    char *tunnel_device;     /* tunnel.device: vx-socket */
    uint32_t tunnel_vni;     /* tunnel.vni: 70 */
    uint16_t tunnel_port;    /* tunnel.port: 4789 */
    struct endpoint dns_listen[CONFIG_LISTEN_MAX]; /* dns.listen: [] */
    size_t n_dns_listen;
    uint32_t probe_interval_ms; /* gossip.probe_interval_ms: 0 = default */
};

/* Reads path (NULL: CONFIG_PATH_DEFAULT; a missing default file gives the
 * defaults) and conf.d.  On failure prints what, where, why and what to do to
 * `ret_error` (malloc'd text, owned by the caller) and returns negative
 * errno. */
_must_check_ int config_load(const char *path, struct config **ret,
                             char **ret_error);
/* Reads the files of a configuration again. */
_must_check_ int config_load_again(const struct config *config,
                                   struct config **ret, char **ret_error);
struct config *config_free(struct config *config);
void config_free_pointer(struct config **config);

/* Resolves config->mesh from the interface when it was not given.  0, or
 * negative errno and an error text. */
_must_check_ int config_resolve_mesh(struct config *config, char **ret_error);
/* The file of state_dir in which `agent join` keeps the subnets that its token
 * gave, one in a line; used where no file says `subnets`.  It is believed only
 * when it belongs to root, or to whoever reads it. */
#define CONFIG_SUBNETS_NAME "subnets"
/* 0 or negative errno. */
_must_check_ int config_save_subnets(const char *state_dir,
                                     const struct prefix *subnets, size_t n);
void config_forget_subnets(const char *state_dir);
/* Whether some interface of this host has config->mesh now. */
bool config_mesh_is_here(const struct config *config);

#endif
