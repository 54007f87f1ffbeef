/*
 * The worker's own rules, which core cannot change: the configuration file, the
 * cluster's charter and what this host is connected to.
 */
#include "agent/worker/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/config/config.h"
#include "agent/identity/identity.h"
#include "agent/system/log.h"
#include "reconcilers/kernel/netlink.h"
#include "reconcilers/plan/plan.h"

/* Used while there is no genesis: agent/identity/identity.h. */
#define SERVICE_RANGE_DEFAULT "100.80.0.0/12"

/* A file of the state directory.  0, negative errno, -EBADMSG: too long. */
static int read_state(const struct config *config, const char *name,
                      uint8_t *bytes, size_t size, size_t *ret_size)
{
    char path[PATH_MAX];
    ssize_t n;
    int fd;

    if (snprintf(path, sizeof(path), "%s/%s", config->state_dir, name) >=
        (int)sizeof(path)) {
        return -ENAMETOOLONG;
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

/* From the charter that follows the genesis, verified here once more.  It still
 * must not cover our own subnets. */
static int read_ranges(const struct config *config, struct plan_policy *policy)
{
    _cleanup_(free_pointer) uint8_t *bytes = malloc(CHARTERS_SIZE_MAX);
    struct charters_found charters;
    struct genesis genesis;
    size_t size = 0;
    int error = -ENOMEM;

    if (bytes != NULL) {
        error = read_state(config, "genesis", bytes, LIMIT_GENESIS_SIZE, &size);
    }
    if (error == -ENOENT) {
        return prefix_parse(SERVICE_RANGE_DEFAULT, &policy->service_range);
    }
    if (error == 0) {
        error = genesis_parse(bytes, size, &genesis);
    }
    if (error == 0) {
        error = read_state(config, "charter", bytes, CHARTERS_SIZE_MAX, &size);
    }
    if (error == 0) {
        error = charters_find(&genesis, bytes, size, &charters);
    }
    if (error == 0) {
        policy->service_range = charters.charter.services[0];
        policy->n_containers = charters.charter.n_containers;
        memcpy(policy->containers, charters.charter.containers,
               sizeof(policy->containers));
        policy->n_mesh = charters.charter.n_mesh;
        memcpy(policy->mesh, charters.charter.mesh, sizeof(policy->mesh));
        charters_done(&charters);
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

int worker_policy(const struct config *config, struct plan_policy *ret,
                  char **ret_error)
{
    struct plan_policy policy;
    int error;

    worker_policy_base(config, &policy);
    find_connected(&policy);
    error = read_ranges(config, &policy);
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
