/*
 * The planner's builder: matches by parts, flows and groups into growing
 * arrays, cookies and group ids from stable hashes.  After the first error
 * every call is a no-op, so the files of the pipeline read as plain lists.
 */
#include "reconcilers/plan/plan_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/base/search.h"

#define INSTRUCTION_HEADER_SIZE 8

void plan_match_in_port(struct flow_match *match, uint32_t port)
{
    match->fields |= FLOW_IN_PORT;
    match->in_port = port;
}

void plan_match_class(struct flow_match *match, uint32_t reg0, uint32_t mask)
{
    match->fields |= FLOW_REG0;
    match->reg0 = reg0 & mask;
    match->reg0_mask = mask;
}

static void match_eth_type(struct flow_match *match, uint16_t eth_type)
{
    match->fields |= FLOW_ETH_TYPE;
    match->eth_type = eth_type;
}

void plan_match_ip(struct flow_match *match, uint8_t family)
{
    match_eth_type(match, family == 6 ? ETH_TYPE_IPV6 : ETH_TYPE_IPV4);
}

void plan_match_arp(struct flow_match *match)
{
    match_eth_type(match, ETH_TYPE_ARP);
}

void plan_match_arp_op(struct flow_match *match, uint16_t arp_op)
{
    match->fields |= FLOW_ARP_OP;
    match->arp_op = arp_op;
}

/* A prefix of length 0 matches everything: the switch would not show it, so
 * it must not be in the match either. */
void plan_match_source(struct flow_match *match, const struct prefix *prefix)
{
    if (prefix->len > 0) {
        match->fields |= FLOW_NW_SRC;
        match->nw_src = *prefix;
    }
}

void plan_match_destination(struct flow_match *match,
                            const struct prefix *prefix)
{
    if (prefix->len > 0) {
        match->fields |= FLOW_NW_DST;
        match->nw_dst = *prefix;
    }
}

void plan_match_eth_dst(struct flow_match *match, const uint8_t mac[6])
{
    match->fields |= FLOW_ETH_DST;
    memcpy(match->eth_dst, mac, 6);
    memset(match->eth_dst_mask, 0xff, 6);
}

void plan_match_eth_src(struct flow_match *match, const uint8_t mac[6])
{
    match->fields |= FLOW_ETH_SRC;
    memcpy(match->eth_src, mac, 6);
    memset(match->eth_src_mask, 0xff, 6);
}

void plan_match_ct(struct flow_match *match, uint32_t state)
{
    match->fields |= FLOW_CT_STATE;
    match->ct_state = state | CT_TRK;
    match->ct_state_mask = state | CT_TRK;
}

struct prefix plan_host_prefix(const struct address *address)
{
    return (struct prefix){.address = *address,
                           .len = (uint8_t)(8 * address_size(address))};
}

static void fail(struct plan_builder *builder, int error)
{
    if (builder->error == 0) {
        builder->error = error;
    }
}

/* Room for one more element.  False: `error` is set. */
static bool reserve_one(struct plan_builder *builder, void **array, size_t n,
                        size_t *capacity, size_t size)
{
    size_t wanted = *capacity == 0 ? 64 : 2 * *capacity;
    void *grown;

    if (builder->error != 0) {
        return false;
    }
    if (n < *capacity) {
        return true;
    }
    grown = reallocarray(*array, wanted, size);
    if (grown == NULL) {
        fail(builder, -ENOMEM);
        return false;
    }
    *array = grown;
    *capacity = wanted;
    return true;
}

/* Makes the instructions of the collected actions; false: `error` is set. */
static bool take_actions(struct plan_builder *builder, struct flow *flow)
{
    size_t size = writer_size(&builder->actions);
    struct writer writer;
    bool has_failed = builder->actions.failed;

    builder->actions.pos = builder->actions.start;
    builder->actions.failed = false;
    if (has_failed) {
        fail(builder, -E2BIG);
        return false;
    }
    if (size == 0) {
        return true; /* drop */
    }
    flow->instructions_size = size + INSTRUCTION_HEADER_SIZE;
    flow->instructions = malloc(flow->instructions_size);
    if (flow->instructions == NULL) {
        fail(builder, -ENOMEM);
        return false;
    }
    writer = writer_init(flow->instructions, flow->instructions_size);
    openflow_put_apply(&writer, builder->scratch, size);
    return true;
}

void plan_add_flow(struct plan_builder *builder, enum plan_table table,
                   unsigned priority, uint64_t cookie,
                   const struct flow_match *match, const char *label, ...)
{
    struct plan *plan = builder->plan;
    struct flow flow = {.table = (uint8_t)table,
                        .priority = (uint16_t)priority,
                        .cookie = cookie,
                        .match = *match};
    void *array = plan->flows;
    va_list arguments;

    if (!reserve_one(builder, &array, plan->n_flows, &builder->flows_capacity,
                     sizeof(flow))) {
        return;
    }
    plan->flows = array;
    if (!take_actions(builder, &flow)) {
        return;
    }
    va_start(arguments, label);
    (void)vsnprintf(flow.label, sizeof(flow.label), label, arguments);
    va_end(arguments);
    plan->flows[plan->n_flows] = flow;
    plan->n_flows++;
}

static _printf_(6, 0) void add_problem(struct plan_builder *builder,
                                       struct plan_problem **problems,
                                       size_t *n_problems, size_t *capacity,
                                       const char *item, const char *reason,
                                       va_list arguments)
{
    struct plan_problem problem = {{0}};
    void *array = *problems;

    if (!reserve_one(builder, &array, *n_problems, capacity, sizeof(problem))) {
        return;
    }
    *problems = array;
    (void)snprintf(problem.item, sizeof(problem.item), "%s", item);
    (void)vsnprintf(problem.reason, sizeof(problem.reason), reason, arguments);
    (*problems)[*n_problems] = problem;
    (*n_problems)++;
}

void plan_add_pending(struct plan_builder *builder, const char *item,
                      const char *reason, ...)
{
    struct plan *plan = builder->plan;
    va_list arguments;

    va_start(arguments, reason);
    add_problem(builder, &plan->pending, &plan->n_pending,
                &builder->pending_capacity, item, reason, arguments);
    va_end(arguments);
}

void plan_add_refused(struct plan_builder *builder, const char *item,
                      const char *reason, ...)
{
    struct plan *plan = builder->plan;
    va_list arguments;

    va_start(arguments, reason);
    add_problem(builder, &plan->refused, &plan->n_refused,
                &builder->refused_capacity, item, reason, arguments);
    va_end(arguments);
}

void plan_put_flood(struct plan_builder *builder)
{
    size_t n = MIN_OF(builder->n_container_ports, (size_t)FLOOD_PORTS_MAX);

    for (size_t i = 0; i < n; i++) {
        openflow_put_output(&builder->actions, builder->container_ports[i], 0);
    }
}

void plan_put_answered(struct plan_builder *builder)
{
    if (builder->observed->has_meter) {
        openflow_put_meter(&builder->actions, PLAN_METER);
        openflow_put_output(&builder->actions, OPENFLOW_PORT_CONTROLLER,
                            UINT16_MAX);
    }
}

void plan_add_group(struct plan_builder *builder, struct group *group)
{
    struct plan *plan = builder->plan;
    void *array = plan->groups;

    if (!reserve_one(builder, &array, plan->n_groups, &builder->groups_capacity,
                     sizeof(*group))) {
        group_done(group);
        return;
    }
    plan->groups = array;
    plan->groups[plan->n_groups] = *group;
    plan->n_groups++;
    *group = (struct group){0};
}

static int compare_group_ids(const void *key, const void *element)
{
    uint32_t id = *(const uint32_t *)key;
    uint32_t other = *(const uint32_t *)element;

    return (id > other) - (id < other);
}

/* Index of the first id that is not below `id`. */
static size_t find_group_id(const struct plan_builder *builder, uint32_t id)
{
    return search_index(&id, builder->group_ids, builder->n_group_ids,
                        sizeof(id), compare_group_ids, NULL);
}

uint32_t plan_take_group_id(struct plan_builder *builder, uint32_t hash)
{
    uint32_t id = FLOW_GROUP_PREFIX | (hash & ~FLOW_GROUP_MASK);
    size_t index = find_group_id(builder, id);
    uint32_t *ids;

    /* The next free one.  With 24 bits this happens to one in 16 million
     * pairs, and every host that has both decides alike. */
    while (index < builder->n_group_ids && builder->group_ids[index] == id) {
        id = FLOW_GROUP_PREFIX | ((id + 1) & ~FLOW_GROUP_MASK);
        index = find_group_id(builder, id);
    }
    if (builder->n_group_ids % 64 == 0) {
        ids = reallocarray(builder->group_ids, builder->n_group_ids + 64,
                           sizeof(*ids));
        if (ids == NULL) {
            fail(builder, -ENOMEM);
            return id;
        }
        builder->group_ids = ids;
    }
    memmove(&builder->group_ids[index + 1], &builder->group_ids[index],
            (builder->n_group_ids - index) * sizeof(*ids));
    builder->group_ids[index] = id;
    builder->n_group_ids++;
    return id;
}

uint64_t plan_cookie_base(const char *purpose)
{
    uint64_t hash = flow_hash(FLOW_HASH_INIT, purpose, strlen(purpose));

    return flow_cookie(FLOW_KIND_BASE, flow_hash_fold(hash));
}

uint64_t plan_cookie_item(const struct desired_item *item)
{
    enum flow_kind kind = item->type == DESIRED_HOST       ? FLOW_KIND_HOST
                          : item->type == DESIRED_FUNCTION ? FLOW_KIND_FUNCTION
                                                           : FLOW_KIND_LOCAL;
    char text[PLAN_TEXT_SIZE];
    uint64_t hash;

    plan_item_text(item, text);
    hash = flow_hash(FLOW_HASH_INIT, text, strlen(text));
    return flow_cookie(kind, flow_hash_fold(hash));
}

uint64_t plan_cookie_address(const struct address *address)
{
    const struct desired_item item = {.type = DESIRED_LOCAL,
                                      .local.address = *address};

    return plan_cookie_item(&item);
}
