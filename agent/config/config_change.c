/*
 * One row for each key of the configuration.
 */
#include "agent/config/config_change.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "agent/config/config.h"
#include "gossip/base/macros.h"

enum value_type {
    VALUE_STRING,
    VALUE_BYTES, /* compared as they lie there: numbers and flags */
    VALUE_ADDRESS,
    VALUE_SUBNETS,
    VALUE_LISTEN,
};

struct key {
    const char *name;
    enum config_change sort;
    enum value_type type;
    size_t offset;
    size_t size; /* of VALUE_BYTES */
};

#define KEY(name, sort, type, field)                                           \
    {                                                                          \
        name, CONFIG_CHANGE_##sort, VALUE_##type,                              \
            offsetof(struct config, field),                                    \
            sizeof(((const struct config *)0)->field)                          \
    }

static const struct key keys[] = {
    KEY("name", RESTART, STRING, name),
    KEY("state_dir", RESTART, STRING, state_dir),
    KEY("run_dir", RESTART, STRING, run_dir),
    KEY("services_dir", RESTART, STRING, services_dir),
    KEY("user", RESTART, STRING, user),
    KEY("zone", RESTART, STRING, zone),
    KEY("log_level", LIVE, BYTES, log_level),
    KEY("mesh.interface", RESTART, STRING, mesh_interface),
    KEY("mesh.address", RESTART, ADDRESS, mesh_given),
    KEY("mesh.port", RESTART, BYTES, mesh_port),
    KEY("subnets", RESTART, SUBNETS, subnets),
    KEY("reconcile", RESTART, BYTES, reconcile),
    KEY("bridge.name", RESTART, STRING, bridge),
    KEY("bridge.run_dir", WORKER, STRING, ovs_run_dir),
    KEY("bridge.gateway", RESTART, ADDRESS, gateway),
    KEY("tunnel.device", WORKER, STRING, tunnel_device),
    KEY("tunnel.vni", WORKER, BYTES, tunnel_vni),
    KEY("tunnel.port", WORKER, BYTES, tunnel_port),
    KEY("dns.listen", RESTART, LISTEN, dns_listen),
    KEY("gossip.probe_interval_ms", RESTART, BYTES, probe_interval_ms),
};

static bool is_same_text(const void *a, const void *b)
{
    const char *left;
    const char *right;

    memcpy(&left, a, sizeof(left));
    memcpy(&right, b, sizeof(right));
    return strcmp(left, right) == 0;
}

static bool is_same_subnets(const struct config *a, const struct config *b)
{
    if (a->n_subnets != b->n_subnets) {
        return false;
    }
    for (size_t i = 0; i < a->n_subnets; i++) {
        if (a->subnets[i].len != b->subnets[i].len ||
            !address_equal(&a->subnets[i].address, &b->subnets[i].address)) {
            return false;
        }
    }
    return true;
}

static bool is_same_listen(const struct config *a, const struct config *b)
{
    if (a->n_dns_listen != b->n_dns_listen) {
        return false;
    }
    for (size_t i = 0; i < a->n_dns_listen; i++) {
        if (!endpoint_equal(&a->dns_listen[i], &b->dns_listen[i])) {
            return false;
        }
    }
    return true;
}

static bool is_same(const struct key *key, const struct config *a,
                    const struct config *b)
{
    const char *left = (const char *)a + key->offset;
    const char *right = (const char *)b + key->offset;
    struct address left_address;
    struct address right_address;

    switch (key->type) {
    case VALUE_STRING:
        return is_same_text(left, right);
    case VALUE_BYTES:
        return memcmp(left, right, key->size) == 0;
    case VALUE_ADDRESS:
        memcpy(&left_address, left, sizeof(left_address));
        memcpy(&right_address, right, sizeof(right_address));
        return address_equal(&left_address, &right_address);
    case VALUE_SUBNETS:
        return is_same_subnets(a, b);
    case VALUE_LISTEN:
        return is_same_listen(a, b);
    }
    return false;
}

size_t config_changes(const struct config *before, const struct config *after,
                      enum config_change sort,
                      char ret_keys[CONFIG_CHANGE_TEXT_SIZE])
{
    size_t n = 0;
    size_t len = 0;

    ret_keys[0] = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        if (keys[i].sort != sort || is_same(&keys[i], before, after)) {
            continue;
        }
        /* All names together fit: a test says so. */
        len += (size_t)snprintf(ret_keys + len, CONFIG_CHANGE_TEXT_SIZE - len,
                                "%s%s", n > 0 ? ", " : "", keys[i].name);
        n++;
    }
    return n;
}
