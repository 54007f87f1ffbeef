/*
 * The worker's own rules, which core cannot change: the configuration file, the
 * cluster's charter (as pin.h holds it) and what this host is connected to.
 */
#include "agent/worker/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/config/config.h"
#include "agent/identity/pin.h"
#include "agent/system/file.h"
#include "agent/system/log.h"
#include "reconcilers/kernel/netlink.h"
#include "reconcilers/plan/plan.h"

/* Used while there is no genesis: agent/identity/identity.h. */
#define SERVICE_RANGE_DEFAULT "100.80.0.0/12"

/* Networks, addresses and gateways as they are now. */
static void find_connected(struct plan_policy *policy)
{
    struct netlink *netlink = NULL;
    int error = netlink_open(&netlink);

    if (error == 0) {
        error = netlink_connected(netlink, policy->bridge, policy->connected,
                                  ARRAY_SIZE(policy->connected),
                                  &policy->n_connected);
    }
    if (error < 0) {
        log_warning("not all of the host's own networks are known: %s; subnets "
                    "of others are compared with %zu of them",
                    strerror(-error), policy->n_connected);
    }
    (void)netlink_close(netlink);
}

/* A file of core's directory, where its user may have put anything.  0 or
 * negative errno. */
static int read_state(const struct config *config, const char *name,
                      uint8_t *bytes, size_t size, size_t *ret_size)
{
    _cleanup_(free_pointer) char *path = file_join(config->state_dir, name);
    ssize_t n;
    int fd;

    if (path == NULL) {
        return -ENOMEM;
    }
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        return -errno;
    }
    n = read(fd, bytes, size);
    if (n < 0) {
        n = -errno;
    }
    (void)close(fd); /* read from only */
    if (n < 0) {
        return (int)n;
    }
    *ret_size = (size_t)n;
    return 0;
}

/* What core's directory says, each charter verified from the genesis on. */
static int read_claimed(const struct config *config, struct pin *ret)
{
    _cleanup_(free_pointer) uint8_t *bytes = malloc(CHARTERS_SIZE_MAX);
    size_t size = 0;
    int error = -ENOMEM;

    if (bytes != NULL) {
        error = read_state(config, "genesis", bytes, LIMIT_GENESIS_SIZE, &size);
    }
    if (error == 0) {
        error = genesis_parse(bytes, size, &ret->genesis);
    }
    if (error == 0) {
        error = read_state(config, "charter", bytes, CHARTERS_SIZE_MAX, &size);
    }
    return error == 0
               ? charters_find(&ret->genesis, bytes, size, &ret->charters)
               : error;
}

/* Why root's copy is used, and not what core's directory says; NULL: that is
 * the same cluster, and not older. */
static const char *judge_claimed(const struct pin *pin,
                                 const struct pin *claimed, int error)
{
    if (error != 0) {
        return "there they are missing or damaged";
    }
    if (memcmp(claimed->genesis.cluster_id, pin->genesis.cluster_id,
               sizeof(pin->genesis.cluster_id)) != 0) {
        return "there they are another cluster's";
    }
    return claimed->charters.charter.generation <
                   pin->charters.charter.generation
               ? "there they are older"
               : NULL;
}

/* Root's copy, kept up to date; what core's directory says counts where there
 * is none. */
static void keep_pin(const struct config *config, const struct pin *pin,
                     bool may_write)
{
    _cleanup_(free_pointer) char *text = NULL;

    if (may_write && pin_save(config->state_dir, &pin->genesis, &pin->charters,
                              &text) != 0) {
        log_warning("%s; what core's user writes to %s is believed",
                    text != NULL ? text : "out of memory", config->state_dir);
    }
}

/* The genesis and charters that count.  0; -ENOENT: there is no cluster yet;
 * negative errno. */
static int read_cluster(const struct config *config, bool may_write,
                        struct pin *ret)
{
    struct pin claimed = {0};
    struct pin pin = {0};
    int error = read_claimed(config, &claimed);
    int pinned = pin_load(config->state_dir, &pin);
    const char *why;

    if (pinned != 0) {
        if (pinned != -ENOENT) {
            log_warning("root's copy of the genesis beside %s is of no use: "
                        "%s; it is made anew",
                        config->state_dir, strerror(-pinned));
        }
        if (error == 0) {
            keep_pin(config, &claimed, may_write);
            *ret = claimed;
        }
        return error;
    }
    why = judge_claimed(&pin, &claimed, error);
    if (why == NULL) {
        keep_pin(config, &claimed, may_write);
        pin_done(&pin);
        *ret = claimed;
        return 0;
    }
    log_error("genesis and charter in %s are not used: %s; root's copy in "
              "%s.pin holds (after a move to another cluster by hand, remove "
              "that directory)",
              config->state_dir, why, config->state_dir);
    pin_done(&claimed);
    *ret = pin;
    return 0;
}

/* From the charter in force.  It still must not cover our own subnets. */
static int read_ranges(const struct config *config, bool may_write,
                       struct plan_policy *policy)
{
    const struct body_charter *charter;
    struct pin cluster;
    int error = read_cluster(config, may_write, &cluster);

    if (error == -ENOENT) {
        return prefix_parse(SERVICE_RANGE_DEFAULT, &policy->service_range);
    }
    if (error == 0) {
        charter = &cluster.charters.charter;
        policy->service_range = charter->services[0];
        policy->n_containers = charter->n_containers;
        memcpy(policy->containers, charter->containers,
               sizeof(policy->containers));
        policy->n_mesh = charter->n_mesh;
        memcpy(policy->mesh, charter->mesh, sizeof(policy->mesh));
        pin_done(&cluster);
    }
    return error;
}

_Static_assert(PLAN_RANGES_MAX == LIMIT_CHARTER_RANGES, "charter");

void worker_policy_base(const struct config *config, struct plan_policy *ret)
{
    struct plan_policy policy = {
        .bridge = config->bridge,
        .gateway = config->gateway,
        .tunnel_device = config->tunnel_device,
        .tunnel_vni = config->tunnel_vni,
        .tunnel_port = config->tunnel_port,
        .mesh_interface =
            config->mesh_interface != NULL ? config->mesh_interface : "",
    };

    policy.n_subnets = MIN_OF(config->n_subnets, ARRAY_SIZE(policy.subnets));
    for (size_t i = 0; i < policy.n_subnets; i++) {
        policy.subnets[i] = config->subnets[i];
    }
    *ret = policy;
}

int worker_policy(const struct config *config, bool may_pin,
                  struct plan_policy *ret, char **ret_error)
{
    struct plan_policy policy;
    int error;

    worker_policy_base(config, &policy);
    find_connected(&policy);
    error = read_ranges(config, may_pin, &policy);
    if (error < 0) {
        if (asprintf(ret_error, "cannot use %s/genesis and charter: %s",
                     config->state_dir,
                     error == -EBADMSG ? "they are damaged, or of two "
                                         "clusters; restore both from a backup"
                                       : strerror(-error)) < 0) {
            *ret_error = NULL;
        }
        return error;
    }
    for (size_t i = 0; i < policy.n_subnets; i++) {
        char text[PREFIX_TEXT_SIZE];

        if (!prefix_overlaps(&policy.subnets[i], &policy.service_range)) {
            continue;
        }
        if (asprintf(ret_error,
                     "subnet %s overlaps the cluster's service range: change "
                     "`subnets` in %s",
                     prefix_text(&policy.subnets[i], text),
                     config->path != NULL ? config->path
                                          : CONFIG_PATH_DEFAULT) < 0) {
            *ret_error = NULL;
        }
        return -EINVAL;
    }
    *ret = policy;
    return 0;
}
