/*
 * Conflicts between a joiner and the cluster; see join_judge.h.
 */
#include "agent/join/join_judge.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Shorter prefixes would hand one host a continent of addresses. */
#define JOIN_SUBNET_LEN_MIN_4 8
#define JOIN_SUBNET_LEN_MIN_6 16

struct judge {
    const struct node *node;
    const struct body_charter *charter;
    const struct join_request *request;
    uint64_t now_s;
    const uint8_t *replaced; /* key whose certificate does not count, or NULL */
    const uint8_t *issuer;   /* NULL: all certificates count */
    struct record_order order;
    enum join_status status;
    char *text;
};

static void refuse(struct judge *judge, enum join_status status,
                   const char *format, ...) _printf_(3, 4);

static void refuse(struct judge *judge, enum join_status status,
                   const char *format, ...)
{
    va_list arguments;

    judge->status = status;
    va_start(arguments, format);
    (void)vsnprintf(judge->text, JOIN_TEXT_SIZE, format, arguments);
    va_end(arguments);
}

/* As many as fit. */
#define JOIN_RANGES_SIZE 256

static const char *ranges_text(const struct prefix *ranges, size_t n,
                               char text[JOIN_RANGES_SIZE])
{
    char one[PREFIX_TEXT_SIZE];
    size_t len = 0;

    text[0] = '\0';
    for (size_t i = 0; i < n && len + 2 + PREFIX_TEXT_SIZE < JOIN_RANGES_SIZE;
         i++) {
        len +=
            (size_t)snprintf(text + len, JOIN_RANGES_SIZE - len, "%s%s",
                             i == 0 ? "" : ", ", prefix_text(&ranges[i], one));
    }
    return text;
}

static void judge_mesh(struct judge *judge, const struct body_charter *charter)
{
    const struct join_request *request = judge->request;
    char address[ADDRESS_TEXT_SIZE];
    char ranges[JOIN_RANGES_SIZE];

    if (request->n_mesh == 0) {
        refuse(judge, JOIN_ADDRESS_REFUSED,
               "the request names no mesh address; set \"mesh.address\" or "
               "\"mesh.interface\" in agent.yaml");
    }
    for (size_t i = 0; i < request->n_mesh && judge->status == JOIN_OK; i++) {
        const struct endpoint *mesh = &request->mesh[i];

        (void)address_text(&mesh->address, address);
        if (!address_is_host(&mesh->address) || mesh->port == 0) {
            refuse(judge, JOIN_ADDRESS_REFUSED,
                   "mesh address %s port %u is not one that others can reach; "
                   "set \"mesh.address\" and \"mesh.port\" in agent.yaml",
                   address, mesh->port);
        } else if (!body_charter_allows_mesh(charter, &mesh->address)) {
            refuse(judge, JOIN_ADDRESS_REFUSED,
                   "mesh address %s is outside the cluster's mesh ranges (%s); "
                   "use one of them, or have the roots widen the charter",
                   address,
                   ranges_text(charter->mesh, charter->n_mesh, ranges));
        }
    }
}

/* The mesh addresses inside the subnet may be any but its ends. */
static void judge_ends(struct judge *judge, const struct prefix *subnet)
{
    const struct join_request *request = judge->request;
    char text[ADDRESS_TEXT_SIZE];
    char range[PREFIX_TEXT_SIZE];

    for (size_t i = 0; i < request->n_mesh && judge->status == JOIN_OK; i++) {
        const struct address *address = &request->mesh[i].address;

        if (prefix_contains(subnet, address) &&
            !prefix_is_host(subnet, address)) {
            refuse(judge, JOIN_ADDRESS_REFUSED,
                   "mesh address %s is the network's or the broadcast address "
                   "of subnet %s, which no host may have; set \"mesh.address\" "
                   "in agent.yaml",
                   address_text(address, text), prefix_text(subnet, range));
        }
    }
}

static void judge_subnets(struct judge *judge,
                          const struct body_charter *charter)
{
    const struct join_request *request = judge->request;
    char text[PREFIX_TEXT_SIZE];
    char other[PREFIX_TEXT_SIZE];
    char ranges[JOIN_RANGES_SIZE];

    for (size_t i = 0; i < request->n_subnets && judge->status == JOIN_OK;
         i++) {
        const struct prefix *subnet = &request->subnets[i];
        uint8_t len_min = subnet->address.family == 4 ? JOIN_SUBNET_LEN_MIN_4
                                                      : JOIN_SUBNET_LEN_MIN_6;

        (void)prefix_text(subnet, text);
        if (subnet->len < len_min) {
            refuse(judge, JOIN_SUBNET_REFUSED,
                   "subnet %s is too large for one host; at most a /%u is "
                   "given: correct \"subnets\" in agent.yaml",
                   text, len_min);
        } else if (!body_charter_allows_subnet(charter, subnet)) {
            refuse(judge, JOIN_SUBNET_REFUSED,
                   "subnet %s is outside the cluster's container ranges (%s); "
                   "use one of them in \"subnets\" of agent.yaml, or have the "
                   "roots widen the charter",
                   text,
                   ranges_text(charter->containers, charter->n_containers,
                               ranges));
        }
        judge_ends(judge, subnet);
        for (size_t j = 0; j < i && judge->status == JOIN_OK; j++) {
            if (prefix_overlaps(subnet, &request->subnets[j])) {
                refuse(judge, JOIN_SUBNET_REFUSED,
                       "subnets %s and %s of this host overlap; give each "
                       "range once",
                       text, prefix_text(&request->subnets[j], other));
            }
        }
    }
}

static bool same_name(const char *a, const char *b)
{
    char x[BODY_NAME_SIZE];
    char y[BODY_NAME_SIZE];

    return body_name_canonical(a, x) == 0 && body_name_canonical(b, y) == 0 &&
           strcmp(x, y) == 0;
}

static void compare_addresses(struct judge *judge,
                              const struct body_certificate *other)
{
    const struct join_request *request = judge->request;
    char text[ADDRESS_TEXT_SIZE];
    char subnet[PREFIX_TEXT_SIZE];

    for (size_t i = 0; i < request->n_mesh; i++) {
        const struct address *address = &request->mesh[i].address;

        (void)address_text(address, text);
        for (size_t j = 0; j < other->n_mesh; j++) {
            /* Whatever the port: routes and tunnels are by address. */
            if (address_equal(address, &other->mesh[j].address)) {
                refuse(judge, JOIN_ADDRESS_REFUSED,
                       "mesh address %s belongs to node \"%s\"; give this "
                       "host its own, or, when that node is gone for good, "
                       "take it out with \"agentctl node remove\" on an "
                       "issuer",
                       text, other->name);
                return;
            }
        }
        for (size_t j = 0; j < other->n_subnets; j++) {
            if (prefix_contains(&other->subnets[j], address)) {
                refuse(judge, JOIN_ADDRESS_REFUSED,
                       "mesh address %s lies in subnet %s of node \"%s\"; use "
                       "another",
                       text, prefix_text(&other->subnets[j], subnet),
                       other->name);
                return;
            }
        }
    }
}

/* Both have the whole of a range that hosts share. */
static bool is_shared(const struct judge *judge, const struct prefix *a,
                      const struct prefix *b)
{
    return a->len == b->len && address_equal(&a->address, &b->address) &&
           body_charter_is_shared(judge->charter, a);
}

static void compare_subnets(struct judge *judge,
                            const struct body_certificate *other)
{
    const struct join_request *request = judge->request;
    char text[PREFIX_TEXT_SIZE];
    char theirs[PREFIX_TEXT_SIZE];
    char address[ADDRESS_TEXT_SIZE];

    for (size_t i = 0; i < request->n_subnets; i++) {
        const struct prefix *subnet = &request->subnets[i];

        (void)prefix_text(subnet, text);
        for (size_t j = 0; j < other->n_subnets; j++) {
            if (prefix_overlaps(subnet, &other->subnets[j]) &&
                !is_shared(judge, subnet, &other->subnets[j])) {
                refuse(judge, JOIN_SUBNET_REFUSED,
                       "subnet %s overlaps %s of node \"%s\"; give this host "
                       "its own in \"subnets\" of agent.yaml",
                       text, prefix_text(&other->subnets[j], theirs),
                       other->name);
                return;
            }
        }
        for (size_t j = 0; j < other->n_mesh; j++) {
            if (prefix_contains(subnet, &other->mesh[j].address)) {
                refuse(judge, JOIN_SUBNET_REFUSED,
                       "subnet %s holds the mesh address %s of node \"%s\"; "
                       "use another in \"subnets\" of agent.yaml",
                       text, address_text(&other->mesh[j].address, address),
                       other->name);
                return;
            }
        }
    }
}

bool join_judge_holds(const struct node *node,
                      const struct body_certificate *body, uint64_t now_s)
{
    struct node_member member;

    return body->not_after_s + LIMIT_CERT_RENEW_S > now_s &&
           (!node_member_find(node, body->sign_public, &member) ||
            (member.state != NODE_MEMBER_LEFT &&
             member.denial == NODE_DENIAL_NONE));
}

static bool is_clash(const struct node *node,
                     const struct body_certificate *body)
{
    struct node_member member;

    return node_member_find(node, body->sign_public, &member) &&
           member.denial == NODE_DENIAL_CLASH;
}

/* Whether it does so against this joiner. */
static bool is_counted(const struct judge *judge, const struct record *record,
                       const struct body_certificate *body)
{
    if (memcmp(body->sign_public, judge->request->sign_public, 32) == 0 ||
        (judge->replaced != NULL &&
         memcmp(body->sign_public, judge->replaced, 32) == 0)) {
        return false;
    }
    if (judge->issuer != NULL &&
        memcmp(record->writer, judge->issuer, RECORD_WRITER_SIZE) == 0) {
        /* Of what we wrote ourselves the first has it, and the second is
         * revoked: also where the first just lost it to the second. */
        return record_order_compare(record->order, judge->order) <= 0 &&
               (join_judge_holds(judge->node, body, judge->now_s) ||
                is_clash(judge->node, body));
    }
    return join_judge_holds(judge->node, body, judge->now_s);
}

static int compare_certificate(const struct record *record, void *data)
{
    struct judge *judge = data;
    struct body_certificate body;

    if (body_get_certificate(record, &body) != 0 ||
        !is_counted(judge, record, &body)) {
        return 0;
    }
    if (same_name(judge->request->name, body.name)) {
        refuse(judge, JOIN_NAME_REFUSED,
               "the name \"%s\" belongs to another node; set another \"name\" "
               "in agent.yaml, or, when this host takes the place of that one, "
               "join with --replace and a token made with --name",
               judge->request->name);
    }
    if (judge->status == JOIN_OK) {
        compare_addresses(judge, &body);
    }
    if (judge->status == JOIN_OK) {
        compare_subnets(judge, &body);
    }
    return judge->status != JOIN_OK;
}

static void run_own(struct judge *judge, const struct body_charter *charter)
{
    if (!body_name_valid(judge->request->name)) {
        refuse(judge, JOIN_NAME_REFUSED,
               "\"%s\" cannot name a node (1 to 63 letters, digits, \"-\" and "
               "\"_\"); set \"name\" in agent.yaml",
               judge->request->name);
        return;
    }
    judge_mesh(judge, charter);
    if (judge->status == JOIN_OK) {
        judge_subnets(judge, charter);
    }
}

static enum join_status run(struct judge *judge,
                            const struct body_charter *charter)
{
    run_own(judge, charter);
    if (judge->status == JOIN_OK) {
        (void)node_records_each(judge->node, RECORD_CERTIFICATE,
                                compare_certificate, judge);
    }
    return judge->status;
}

enum join_status join_judge_own(const struct body_charter *charter,
                                const struct join_request *request,
                                char text[JOIN_TEXT_SIZE])
{
    struct judge judge = {.charter = charter, .request = request, .text = text};

    run_own(&judge, charter);
    return judge.status;
}

enum join_status join_judge(const struct node *node,
                            const struct body_charter *charter,
                            const struct join_request *request,
                            const uint8_t *replaced, uint64_t now_s,
                            char text[JOIN_TEXT_SIZE])
{
    struct judge judge = {
        .node = node,
        .replaced = replaced,
        .charter = charter,
        .request = request,
        .now_s = now_s,
        .text = text,
    };

    return run(&judge, charter);
}

enum join_status join_judge_written(const struct node *node,
                                    const struct body_charter *charter,
                                    const struct join_request *request,
                                    uint64_t now_s, const uint8_t issuer[32],
                                    struct record_order order,
                                    char text[JOIN_TEXT_SIZE])
{
    struct judge judge = {
        .node = node,
        .charter = charter,
        .request = request,
        .now_s = now_s,
        .issuer = issuer,
        .order = order,
        .text = text,
    };

    return run(&judge, charter);
}

struct find_name {
    const struct node *node;
    const char *name;
    const uint8_t *except;
    uint64_t now_s;
    struct body_certificate *found;
};

static int find_name(const struct record *record, void *data)
{
    const struct find_name *find = data;

    return body_get_certificate(record, find->found) == 0 &&
           (find->except == NULL ||
            memcmp(find->found->sign_public, find->except, 32) != 0) &&
           join_judge_holds(find->node, find->found, find->now_s) &&
           same_name(find->name, find->found->name);
}

bool join_judge_find_name(const struct node *node, const char *name,
                          const uint8_t except[32], uint64_t now_s,
                          struct body_certificate *ret)
{
    struct body_certificate body;
    struct find_name find = {node, name, except, now_s, &body};

    if (node_records_each(node, RECORD_CERTIFICATE, find_name, &find) == 0) {
        return false;
    }
    *ret = body;
    return true;
}
