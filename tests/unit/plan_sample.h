/*
 * One host's world for the planner's tests: three hosts, functions with
 * local and remote backends, bindings, ports and known containers, IPv6 beside
 * IPv4.  Host 1 is this one.
 */
#ifndef SOCKETNET_TESTS_UNIT_PLAN_SAMPLE_H
#define SOCKETNET_TESTS_UNIT_PLAN_SAMPLE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

#include "reconcilers/openflow/openflow.h"
#include "reconcilers/plan/plan.h"

struct plan_sample {
    struct desired desired;
    struct plan_policy policy;
    struct plan_observed observed;
    struct plan_port ports[4];
    struct plan_neighbor neighbors[2];
};

static inline struct address sample_address(const char *text)
{
    struct address address;

    assert_int_equal(address_parse(text, &address), 0);
    return address;
}

static inline struct prefix sample_prefix(const char *text)
{
    struct prefix prefix;

    assert_int_equal(prefix_parse(text, &prefix), 0);
    return prefix;
}

static inline void sample_put(struct plan_sample *sample,
                              struct desired_item *item)
{
    assert_int_equal(desired_put(&sample->desired, item), 0);
}

/* Node N: mesh 100.104.70.N, subnet 10.0.N.0/24. */
static inline void sample_put_host(struct plan_sample *sample, unsigned n)
{
    struct desired_item item = {.type = DESIRED_HOST};
    char text[64];

    item.host.id = UINT64_C(0x1122334455667700) + n;
    item.host.is_self = n == 1;
    (void)snprintf(item.host.name, sizeof(item.host.name), "host%u", n);
    (void)snprintf(text, sizeof(text), "100.104.70.%u", n);
    item.host.mesh = sample_address(text);
    (void)snprintf(text, sizeof(text), "10.0.%u.0/24", n);
    item.host.subnets[0] = sample_prefix(text);
    (void)snprintf(text, sizeof(text), "fd00:%u::/64", n);
    item.host.subnets[1] = sample_prefix(text);
    item.host.n_subnets = 2;
    sample_put(sample, &item);
}

static inline struct desired_item sample_function(const char *name,
                                                  uint8_t protocol,
                                                  uint16_t port,
                                                  const char *address)
{
    struct desired_item item = {.type = DESIRED_FUNCTION};

    (void)snprintf(item.function.name, sizeof(item.function.name), "%s", name);
    item.function.protocol = protocol;
    item.function.port = port;
    item.function.address = sample_address(address);
    return item;
}

/* A backend on node `n` at the function's port, weight 100. */
static inline void sample_add_backend(struct desired_item *item, unsigned n,
                                      const char *instance, const char *address)
{
    struct desired_function *function = &item->function;
    struct desired_backend *backend;

    function->backends =
        reallocarray(function->backends, function->n_backends + 1,
                     sizeof(*function->backends));
    assert_non_null(function->backends);
    backend = &function->backends[function->n_backends];
    *backend = (struct desired_backend){
        .host_id = UINT64_C(0x1122334455667700) + n,
        .address = sample_address(address),
        .port = function->port,
        .weight = 100,
        .accepts_new = true,
    };
    (void)snprintf(backend->instance, sizeof(backend->instance), "%s",
                   instance);
    function->n_backends++;
}

static inline void sample_bind(struct plan_sample *sample, const char *address,
                               const char *port)
{
    struct desired_item item = {.type = DESIRED_LOCAL};

    item.local.address = sample_address(address);
    (void)snprintf(item.local.port_name, sizeof(item.local.port_name), "%s",
                   port);
    sample_put(sample, &item);
}

static inline void sample_init(struct plan_sample *sample)
{
    static const uint8_t local_mac[6] = {0x0a, 0, 0, 0, 1, 1};
    struct desired_item item;

    *sample = (struct plan_sample){
        .policy =
            {
                .bridge = "socket",
                .subnets = {sample_prefix("10.0.1.0/24"),
                            sample_prefix("fd00:1::/64")},
                .n_subnets = 2,
                .service_range = sample_prefix("100.80.0.0/12"),
                .gateway = sample_address("10.0.1.1"),
                .tunnel_device = "vx-socket",
                .tunnel_vni = 70,
                .tunnel_port = 4789,
                .mesh_interface = "nm-privacy",
            },
        .ports = {{"socket", 0xfffffffe},
                  {"veth200", 200},
                  {"veth201", 201},
                  {"vx-socket", 70}},
        .neighbors =
            {{sample_address("10.0.1.200"), {0x0a, 0, 0, 0, 1, 200}, 200},
             {sample_address("10.0.1.201"), {0x0a, 0, 0, 0, 1, 201}, 201}},
    };
    sample->observed = (struct plan_observed){.is_bridge_up = true,
                                              .ports = sample->ports,
                                              .n_ports = 4,
                                              .neighbors = sample->neighbors,
                                              .n_neighbors = 2,
                                              .mesh_mtu = 1420};
    memcpy(sample->observed.local_mac, local_mac, 6);
    for (unsigned n = 1; n <= 3; n++) {
        sample_put_host(sample, n);
    }
    /* One local and two remote backends. */
    item = sample_function("redis", 6, 6379, "100.80.0.10");
    sample_add_backend(&item, 1, "veth200", "10.0.1.200");
    sample_add_backend(&item, 2, "veth203", "10.0.2.203");
    sample_add_backend(&item, 3, "veth203", "10.0.3.203");
    sample_put(sample, &item);
    /* Only a local one: it may call itself. */
    item = sample_function("vector-db", 6, 6333, "100.80.0.11");
    sample_add_backend(&item, 1, "veth201", "10.0.1.201");
    sample_put(sample, &item);
    item = sample_function("dns", 17, 53, "100.80.0.12");
    sample_add_backend(&item, 2, "veth204", "10.0.2.204");
    sample_put(sample, &item);
    /* Nothing behind it. */
    item = sample_function("mcp", 6, 9573, "100.80.0.13");
    sample_put(sample, &item);
    sample_bind(sample, "10.0.1.200", "veth200");
    sample_bind(sample, "10.0.1.203", "veth203");
}

static inline void sample_done(struct plan_sample *sample)
{
    desired_done(&sample->desired);
}

static inline struct plan sample_plan(const struct plan_sample *sample)
{
    struct plan plan;

    assert_int_equal(
        plan_make(&sample->desired, &sample->policy, &sample->observed, &plan),
        0);
    return plan;
}

/* The planned flow whose text begins like this; NULL: none. */
static inline const struct flow *sample_find(const struct plan *plan,
                                             const char *start)
{
    for (size_t i = 0; i < plan->n_flows; i++) {
        char *text = openflow_flow_text(&plan->flows[i]);
        int is_it = text != NULL && strncmp(text, start, strlen(start)) == 0;

        free(text);
        if (is_it) {
            return &plan->flows[i];
        }
    }
    return NULL;
}

/* The flow of this match has exactly these actions ("" = no such flow). */
static inline void expect_flow(const struct plan *plan, const char *match,
                               const char *actions)
{
    const struct flow *flow;
    char start[512];
    char *text;

    (void)snprintf(start, sizeof(start), "%s actions=", match);
    flow = sample_find(plan, start);
    if (actions[0] == '\0') {
        if (flow != NULL) {
            fail_msg("planned and should not be: %s", match);
        }
        return;
    }
    if (flow == NULL) {
        fail_msg("not planned: %s", match);
    }
    text = openflow_flow_text(flow);
    assert_string_equal(text + strlen(start), actions);
    free(text);
}

/* Buckets of the only group whose label begins so: (id, weight) pairs. */
static inline size_t read_buckets(const struct plan *plan, const char *label,
                                  uint32_t ids[8])
{
    size_t n = 0;

    for (size_t i = 0; i < plan->n_groups; i++) {
        struct reader reader =
            reader_init(plan->groups[i].buckets, plan->groups[i].buckets_size);

        if (strcmp(plan->groups[i].label, label) != 0) {
            continue;
        }
        while (reader_left(&reader) > 0) {
            uint16_t size = reader_u16(&reader);

            (void)reader_u16(&reader);
            ids[n] = reader_u32(&reader);
            n++;
            assert_non_null(reader_take(&reader, size - 8u));
        }
        assert_int_equal(n, plan->groups[i].n_buckets);
    }
    return n;
}

#endif
