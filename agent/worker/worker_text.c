/*
 * Flows, groups and changes as lines for people.  What stands after '#' is
 * what the line is for.
 */
#include "agent/worker/worker_text.h"

#include <stdlib.h>
#include <string.h>

#include "gossip/base/cursor.h"
#include "reconcilers/openflow/openflow.h"

/* OpenFlow 1.5.1, 7.2.5: one apply-actions instruction around the actions. */
#define INSTRUCTION_SIZE 8
/* A bucket: length, size of its actions, id, then actions, then properties. */
#define BUCKET_HEAD_SIZE 8
/* 7.3.4.2.1: property "weight". */
#define BUCKET_PROPERTY_WEIGHT 0

/* The actions of a bucket by way of a flow that has just them.  False: no
 * memory. */
static bool print_bucket_actions(FILE *out, const uint8_t *actions, size_t size)
{
    _cleanup_(free_pointer) uint8_t *bytes = malloc(INSTRUCTION_SIZE + size);
    _cleanup_(free_pointer) char *text = NULL;
    struct flow flow = {.instructions = bytes};
    struct writer writer;
    const char *start;

    if (bytes == NULL) {
        return false;
    }
    writer = writer_init(bytes, INSTRUCTION_SIZE + size);
    openflow_put_apply(&writer, actions, size);
    flow.instructions_size = writer_size(&writer);
    text = openflow_flow_text(&flow);
    start = text != NULL ? strstr(text, "actions=") : NULL;
    return start != NULL && fprintf(out, ",%s", start) >= 0;
}

/* The next bucket; what is cut off ends the reader.  False: no memory. */
static bool print_bucket(FILE *out, struct reader *reader)
{
    uint16_t length = reader_u16(reader);
    uint16_t actions_size = reader_u16(reader);
    uint32_t id = reader_u32(reader);
    const uint8_t *actions = reader_take(reader, actions_size);
    size_t left = (size_t)length - BUCKET_HEAD_SIZE - actions_size;
    const uint8_t *properties = length >= BUCKET_HEAD_SIZE + actions_size
                                    ? reader_take(reader, left)
                                    : NULL;
    struct reader inner;

    if (actions == NULL || properties == NULL) {
        reader->failed = true;
        return true;
    }
    (void)fprintf(out, ",bucket=bucket_id:%u", id);
    inner = reader_init(properties, left);
    while (reader_left(&inner) >= 8) {
        uint16_t type = reader_u16(&inner);
        uint16_t size = reader_u16(&inner);

        if (type == BUCKET_PROPERTY_WEIGHT) {
            (void)fprintf(out, ",weight:%u", reader_u16(&inner));
            (void)reader_take(&inner, 2);
        } else if (size < 4 || reader_take(&inner, ((size_t)size + 7) / 8 * 8 -
                                                       4) == NULL) {
            break;
        }
    }
    return print_bucket_actions(out, actions, actions_size);
}

char *worker_text_group(const struct group *group)
{
    struct reader reader = reader_init(group->buckets, group->buckets_size);
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    bool is_whole = true;

    if (out == NULL) {
        return NULL;
    }
    (void)fprintf(out, "group_id=%u,type=select,selection_method=dp_hash",
                  group->id);
    while (is_whole && !reader.failed &&
           reader_left(&reader) >= BUCKET_HEAD_SIZE) {
        is_whole = print_bucket(out, &reader);
    }
    if (fclose(out) != 0 || !is_whole) {
        free(text);
        return NULL;
    }
    return text;
}

const char *worker_text_kind(uint64_t cookie)
{
    switch (cookie >> 40 & 0xff) {
    case FLOW_KIND_BASE:
        return "base";
    case FLOW_KIND_HOST:
        return "host";
    case FLOW_KIND_FUNCTION:
        return "function";
    case FLOW_KIND_LOCAL:
        return "local";
    default:
        return "unknown";
    }
}

const char *worker_text_op(enum diff_op op)
{
    switch (op) {
    case DIFF_ADD:
        return "add";
    case DIFF_MODIFY:
        return "change";
    case DIFF_REMOVE:
        return "remove";
    case DIFF_CONFLICT:
        return "conflict";
    default:
        return "unknown";
    }
}

static void print_line(FILE *out, const char *prefix, const char *op,
                       const char *what, const char *text, const char *label)
{
    (void)fprintf(out, "%s%s%s%s %s%s%s\n", prefix, op,
                  op[0] != '\0' ? " " : "", what,
                  text != NULL ? text : "(out of memory)",
                  label[0] != '\0' ? "  # " : "", label);
}

static void print_flow(FILE *out, const char *prefix, const char *op,
                       const struct flow *flow)
{
    _cleanup_(free_pointer) char *text = openflow_flow_text(flow);

    print_line(out, prefix, op, "flow", text, flow->label);
}

static void print_group(FILE *out, const char *prefix, const char *op,
                        const struct group *group)
{
    _cleanup_(free_pointer) char *text = worker_text_group(group);

    print_line(out, prefix, op, "group", text, group->label);
}

size_t worker_text_diff(FILE *out, const char *prefix, const struct diff *diff)
{
    size_t n = 0;

    for (size_t i = 0; i < diff->n_groups; i++) {
        const struct diff_group *change = &diff->groups[i];

        print_group(out, prefix, worker_text_op(change->op),
                    change->wanted != NULL ? change->wanted : change->present);
        n += change->op != DIFF_CONFLICT;
    }
    for (size_t i = 0; i < diff->n_flows; i++) {
        const struct diff_flow *change = &diff->flows[i];

        if (change->op == DIFF_CONFLICT) {
            (void)fprintf(out, "left alone, a foreign flow is in the way: ");
            print_flow(out, "", "", change->present);
            continue;
        }
        print_flow(out, prefix, worker_text_op(change->op),
                   change->wanted != NULL ? change->wanted : change->present);
        n++;
    }
    return n;
}

void worker_text_pending(FILE *out, const struct plan *plan)
{
    for (size_t i = 0; i < plan->n_pending; i++) {
        (void)fprintf(out, "pending %s: %s\n", plan->pending[i].item,
                      plan->pending[i].reason);
    }
    for (size_t i = 0; i < plan->n_refused; i++) {
        (void)fprintf(out, "refused %s: %s\n", plan->refused[i].item,
                      plan->refused[i].reason);
    }
}

static void print_kernel(FILE *out, const struct plan *plan,
                         const struct plan_policy *policy)
{
    char address[ADDRESS_TEXT_SIZE];
    char prefix[PREFIX_TEXT_SIZE];

    if (plan->needs_tunnel) {
        (void)fprintf(
            out, "device %s vxlan id %u dstport %u local %s mtu %u\n",
            policy->tunnel_device, policy->tunnel_vni, policy->tunnel_port,
            address_text(&plan->tunnel_local, address), plan->tunnel_mtu);
        (void)fprintf(out, "port %s on %s\n", policy->tunnel_device,
                      policy->bridge);
    }
    for (size_t i = 0; i < plan->n_forwards; i++) {
        const uint8_t *mac = plan->forwards[i].mac;

        (void)fprintf(out,
                      "forward %02x:%02x:%02x:%02x:%02x:%02x dev %s dst %s\n",
                      mac[0], mac[1], mac[2], mac[3], mac[4], mac[5],
                      policy->tunnel_device,
                      address_text(&plan->forwards[i].mesh, address));
    }
    for (size_t i = 0; i < plan->n_routes; i++) {
        const struct plan_route *route = &plan->routes[i];
        bool has_source = route->source.family != 0;

        (void)fprintf(out, "route %s dev %s%s%s mtu %u\n",
                      prefix_text(&route->destination, prefix), policy->bridge,
                      has_source ? " src " : "",
                      has_source ? address_text(&route->source, address) : "",
                      route->mtu);
    }
    if (plan->local_address.address.family != 0) {
        (void)fprintf(out, "address %s/%u dev %s\n",
                      address_text(&policy->gateway, address),
                      plan->local_address.len, policy->bridge);
    }
}

void worker_text_plan(FILE *out, const struct plan *plan,
                      const struct plan_policy *policy)
{
    print_kernel(out, plan, policy);
    for (size_t i = 0; i < plan->n_groups; i++) {
        print_group(out, "", "", &plan->groups[i]);
    }
    for (size_t i = 0; i < plan->n_flows; i++) {
        print_flow(out, "", "", &plan->flows[i]);
    }
    worker_text_pending(out, plan);
}
