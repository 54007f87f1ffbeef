/*
 * Table 4's changing part: new connections to a service address.  A function
 * is one select group whose buckets rewrite the destination to a backend;
 * backends that accept no new connections are left out, and their open ones
 * live on by table 4's "established".  plan_hairpin.c has the case of a
 * backend that calls its own function and gets itself.
 */
#include "reconcilers/plan/plan_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum service_priority {
    SERVICE_LATE_ANSWER = 850,
    SERVICE_NEW = 800,
    SERVICE_REST = 700,
};

struct bucket {
    uint32_t id;
    const struct desired_backend *backend;
};

/* Bucket ids come from who the backend is, not from its place in the list:
 * so the hash of a connection keeps its bucket when others come and go. */
static uint32_t bucket_hash(const struct desired_backend *backend)
{
    uint8_t host[8];
    struct writer writer = writer_init(host, sizeof(host));
    uint64_t hash =
        flow_hash(FLOW_HASH_INIT, backend->instance, strlen(backend->instance));

    writer_u64(&writer, backend->host_id);
    hash = flow_hash(hash, host, sizeof(host));
    return flow_hash_fold(hash) & UINT32_C(0x7fffffff);
}

static int compare_backends(const struct desired_backend *a,
                            const struct desired_backend *b)
{
    int order = strcmp(a->instance, b->instance);

    if (order == 0) {
        order = (a->host_id > b->host_id) - (a->host_id < b->host_id);
    }
    if (order == 0) {
        order = address_compare(&a->address, &b->address);
    }
    return order != 0 ? order : (int)a->port - (int)b->port;
}

static int compare_buckets(const void *a, const void *b)
{
    const struct bucket *left = a, *right = b;
    int order = (left->id > right->id) - (left->id < right->id);

    return order != 0 ? order : compare_backends(left->backend, right->backend);
}

/* The backends of the best priority of which one can be reached. */
static size_t collect_backends(const struct plan_builder *builder,
                               const struct desired_function *function,
                               struct bucket buckets[DESIRED_BACKENDS_MAX])
{
    uint16_t best = UINT16_MAX;
    size_t n = 0;

    for (size_t i = 0; i < function->n_backends && i < DESIRED_BACKENDS_MAX;
         i++) {
        const struct desired_backend *backend = &function->backends[i];

        if (!backend->accepts_new || backend->weight == 0 ||
            backend->priority > best ||
            backend->address.family != function->address.family ||
            !plan_is_reachable(builder, backend)) {
            continue;
        }
        if (backend->priority < best) {
            best = backend->priority;
            n = 0;
        }
        buckets[n].id = bucket_hash(backend);
        buckets[n].backend = backend;
        n++;
    }
    return n;
}

/* The buckets of a function, sorted, each with an id of its own. */
static size_t collect_buckets(const struct plan_builder *builder,
                              const struct desired_function *function,
                              struct bucket buckets[DESIRED_BACKENDS_MAX])
{
    size_t n = collect_backends(builder, function, buckets);

    if (n > 0) {
        qsort(buckets, n, sizeof(*buckets), compare_buckets);
    }
    for (size_t i = 1; i < n; i++) {
        if (buckets[i].id <= buckets[i - 1].id) {
            buckets[i].id = buckets[i - 1].id + 1;
        }
    }
    return n;
}

/* Adds the function's group; its id, or 0 when it would be empty. */
static uint32_t add_group(struct plan_builder *builder,
                          const struct desired_item *item,
                          const struct bucket *buckets, size_t n_buckets)
{
    struct writer writer = writer_init(builder->scratch, UINT16_MAX);
    struct group group = {.n_buckets = (uint16_t)n_buckets};
    char text[PLAN_TEXT_SIZE];
    uint32_t id;

    for (size_t i = 0; i < n_buckets; i++) {
        const struct desired_backend *backend = buckets[i].backend;
        const struct openflow_ct ct = {
            .zone = PLAN_ZONE,
            .commit = true,
            .destination = &backend->address,
            .port = backend->port,
            /* Its caller may be itself. */
            .table = plan_is_here(builder, &backend->address) ? TABLE_HAIRPIN
                                                              : TABLE_ROUTE};
        uint8_t actions[96];
        struct writer action = writer_init(actions, sizeof(actions));

        openflow_put_ct(&action, &ct);
        openflow_put_bucket(&writer, buckets[i].id, backend->weight, actions,
                            writer_size(&action));
    }
    if (n_buckets == 0 || builder->error != 0) {
        return 0;
    }
    plan_item_text(item, text);
    id = plan_take_group_id(
        builder, flow_hash_fold(flow_hash(FLOW_HASH_INIT, text, strlen(text))));
    group.id = id;
    (void)snprintf(group.label, sizeof(group.label), "%s", item->function.name);
    group.buckets_size = writer_size(&writer);
    group.buckets = malloc(group.buckets_size);
    if (group.buckets == NULL || writer.failed) {
        builder->error = writer.failed ? -E2BIG : -ENOMEM;
        group_done(&group);
        return 0;
    }
    memcpy(group.buckets, builder->scratch, group.buckets_size);
    plan_add_group(builder, &group);
    return id;
}

/* New connections to the function, by its group. */
static void add_entry(struct plan_builder *builder,
                      const struct desired_item *item, uint32_t group_id)
{
    const struct desired_function *function = &item->function;
    struct prefix address = plan_host_prefix(&function->address);
    struct flow_match match = {0};

    plan_match_ip(&match, function->address.family);
    plan_match_ct(&match, CT_NEW);
    match.fields |= FLOW_IP_PROTO | FLOW_TP_DST;
    match.ip_proto = function->protocol;
    match.tp_dst = function->port;
    plan_match_destination(&match, &address);
    openflow_put_group(&builder->actions, group_id);
    plan_add_flow(builder, TABLE_SERVICE, SERVICE_NEW, plan_cookie_item(item),
                  &match, "%s", function->name);
}

bool plan_is_refused(uint8_t table)
{
    return table == TABLE_SERVICE;
}

/* What is sent to a service address and is not a function's port ends here,
 * and so does a function without a backend: the worker refuses it.  Whole, as
 * it may be sent through the tables again. */
static void add_rest(struct plan_builder *builder, uint64_t cookie,
                     const struct prefix *addresses)
{
    struct flow_match match = {0};

    plan_match_ip(&match, addresses->address.family);
    plan_match_ct(&match, CT_NEW);
    plan_match_destination(&match, addresses);
    plan_put_answered(builder);
    plan_add_flow(builder, TABLE_SERVICE, SERVICE_REST, cookie, &match,
                  "service address, nothing there: refused");
}

/* A TCP answer of a backend to a container here, in the middle of a
 * connection that conntrack does not know: the switch was restarted.  Let
 * through it would reach the client from the backend's own address, and the
 * client would reset the connection.  The client's next packet finds its
 * backend again by the group's hash. */
static void add_late_answers(struct plan_builder *builder,
                             const struct desired_function *function)
{
    const struct plan_policy *policy = builder->policy;
    uint64_t cookie = plan_cookie_base("late answer");

    for (size_t i = 0; i < function->n_backends; i++) {
        const struct desired_backend *backend = &function->backends[i];
        struct prefix source = plan_host_prefix(&backend->address);
        struct flow_match match = {0};

        plan_match_ip(&match, backend->address.family);
        plan_match_ct(&match, CT_NEW);
        plan_match_source(&match, &source);
        match.fields |= FLOW_IP_PROTO | FLOW_TP_SRC | FLOW_TCP_FLAGS;
        match.ip_proto = IP_PROTO_TCP;
        match.tp_src = backend->port;
        match.tcp_flags_mask = TCP_FLAG_SYN; /* not set */
        for (size_t j = 0; j < policy->n_subnets; j++) {
            if (policy->subnets[j].address.family == backend->address.family) {
                plan_match_destination(&match, &policy->subnets[j]);
                plan_add_flow(builder, TABLE_SERVICE, SERVICE_LATE_ANSWER,
                              cookie, &match, "answer of a lost connection");
            }
        }
    }
}

static void add_function(struct plan_builder *builder,
                         const struct desired_item *item)
{
    const struct desired_function *function = &item->function;
    struct bucket buckets[DESIRED_BACKENDS_MAX];
    size_t n = collect_buckets(builder, function, buckets);
    uint32_t group_id;

    if (!prefix_contains(&builder->policy->service_range, &function->address)) {
        struct prefix address = plan_host_prefix(&function->address);

        add_rest(builder, plan_cookie_item(item), &address);
    }
    if (function->protocol == IP_PROTO_TCP) {
        add_late_answers(builder, function);
    }
    group_id = add_group(builder, item, buckets, n);
    if (group_id == 0) {
        return;
    }
    add_entry(builder, item, group_id);
    for (size_t i = 0; i < n; i++) {
        if (plan_is_here(builder, &buckets[i].backend->address)) {
            plan_hairpin(builder, function->protocol, buckets[i].backend);
        }
    }
}

void plan_services(struct plan_builder *builder)
{
    const struct desired_item *items;
    size_t n_items = plan_items(builder, DESIRED_FUNCTION, &items);

    if (builder->policy->service_range.address.family != 0) {
        add_rest(builder, plan_cookie_base("service range"),
                 &builder->policy->service_range);
    }
    for (size_t i = 0; i < n_items; i++) {
        if (items[i].function.address.family != 0) {
            add_function(builder, &items[i]);
        }
    }
}
