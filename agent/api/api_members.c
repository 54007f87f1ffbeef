/*
 * GET /api/v1/members: every certified node as this one sees it.
 */
#include "agent/api/api_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/core.h"
#include "agent/system/clock.h"

#define API_MEMBER_NOT_HEARD (API_MEMBER_STATES - 1)

static_assert(NODE_MEMBER_REMOVED + 1 == API_MEMBER_NOT_HEARD,
              "every state of a member, and one more");

static size_t state_index(const struct node_member *member)
{
    return member->state == NODE_MEMBER_ALIVE && !member->is_heard
               ? API_MEMBER_NOT_HEARD
               : (size_t)member->state;
}

const char *api_member_state_name(size_t index)
{
    return index == API_MEMBER_NOT_HEARD
               ? "not-heard"
               : node_member_state_name((enum node_member_state)index);
}

const char *api_member_state(const struct node_member *member)
{
    return api_member_state_name(state_index(member));
}

const char *api_member_finding(const struct node_member *member)
{
    switch (member->body != NULL ? member->body->finding : 0) {
    case BODY_MEMBER_FINDING_NONE:
        return "";
    case BODY_MEMBER_FINDING_SWITCH:
        return "its Open vSwitch does not answer";
    case BODY_MEMBER_FINDING_WORKER:
        return "its worker is not running";
    case BODY_MEMBER_FINDING_TUNNEL:
        return "its tunnel is down";
    case BODY_MEMBER_FINDING_FROZEN:
        return "its own records contradict each other";
    default:
        return "it does not serve, for a reason that only a later release "
               "knows";
    }
}

void api_members_count(const struct node *node,
                       size_t ret_counts[API_MEMBER_STATES])
{
    struct node_member member;

    memset(ret_counts, 0, API_MEMBER_STATES * sizeof(ret_counts[0]));
    for (size_t at = 0; node_member_next(node, &at, &member);) {
        ret_counts[state_index(&member)]++;
    }
}

/* Milliseconds since a monotonic time, null when there was none. */
static json_t *since(uint64_t now_ms, uint64_t then_ms)
{
    if (then_ms == 0 || then_ms > now_ms) {
        return then_ms == 0 ? json_null() : json_integer(0);
    }
    return json_integer((json_int_t)(now_ms - then_ms));
}

static json_t *endpoints_json(const struct body_certificate *certificate)
{
    json_t *list = json_array();

    for (size_t i = 0; i < certificate->n_mesh; i++) {
        char text[ENDPOINT_TEXT_SIZE];

        json_build_append(
            &list, json_string(endpoint_text(&certificate->mesh[i], text)));
    }
    return list;
}

static json_t *subnets_json(const struct body_certificate *certificate)
{
    json_t *list = json_array();

    for (size_t i = 0; i < certificate->n_subnets; i++) {
        char text[PREFIX_TEXT_SIZE];

        json_build_append(
            &list, json_string(prefix_text(&certificate->subnets[i], text)));
    }
    return list;
}

static json_t *functions_json(const struct body_certificate *certificate)
{
    json_t *list = json_array();

    for (size_t i = 0; i < certificate->n_functions; i++) {
        json_build_append(&list, json_string(certificate->functions[i]));
    }
    return list;
}

static json_t *member_json(const struct core *core,
                           const struct node_member *member, uint64_t now_ms)
{
    const struct body_certificate *certificate = member->certificate;
    json_t *roles = json_array();
    json_t *root;

    if ((certificate->roles & BODY_ROLE_MEMBER) != 0) {
        json_build_append(&roles, json_string("member"));
    }
    if ((certificate->roles & BODY_ROLE_ISSUER) != 0) {
        json_build_append(&roles, json_string("issuer"));
    }
    root = json_pack(
        "{s:s, s:o, s:o, s:s, s:o, s:b, s:b, s:b, s:o, s:o, s:I, s:o, s:o, "
        "s:o, "
        "s:o, "
        "s:o, s:o, s:o, s:{s:I, s:I}}",
        "name", certificate->name, "key", api_json_hex(member->key, 32), "id",
        api_json_id(member->id), "state", api_member_state(member), "finding",
        api_json_text(api_member_finding(member)), "self", member->is_self,
        "heard", member->is_heard, "reachable", member->is_reachable,
        "addresses", endpoints_json(certificate), "subnets",
        subnets_json(certificate), "rtt_us", (json_int_t)member->rtt_us,
        "heard_ms_ago",
        member->is_self ? json_integer(0)
                        : since(now_ms, member->last_heard_ms),
        "state_ms_ago", since(now_ms, member->state_since_ms), "version",
        member->body != NULL ? json_string(member->body->version) : json_null(),
        "roles", roles, "functions", functions_json(certificate), "not_after",
        api_json_time(certificate->not_after_s * 1000), "denial",
        api_denial_json(core, member), "incarnation", "epoch",
        (json_int_t)member->incarnation.epoch, "seq",
        (json_int_t)member->incarnation.seq);
    return root;
}

/* A member on its way into the answer. */
struct listed {
    struct node_member member;
    char name[BODY_NAME_SIZE]; /* in its one spelling */
    bool is_replaced;
};

static int compare_listed(const void *left, const void *right)
{
    const struct listed *a = left;
    const struct listed *b = right;

    return strcmp(a->name, b->name);
}

/* The node has its members by key; people look for names. */
static int compare_names(const void *left, const void *right)
{
    const struct listed *a = left;
    const struct listed *b = right;

    return strcmp(a->member.certificate->name, b->member.certificate->name);
}

/* Members of one name: those that left are replaced by one that has not, the
 * same host that joined again with another key.  Of several that left, the
 * last counts.  One that lost its name to another is shown beside that. */
static bool is_past(const struct listed *listed)
{
    return node_member_is_gone(&listed->member) &&
           listed->member.denial != NODE_DENIAL_CLASH;
}

static void mark_replaced(struct listed *first, struct listed *end)
{
    uint64_t last_s = 0;

    for (const struct listed *at = first; at < end; at++) {
        last_s =
            MAX_OF(last_s, is_past(at) ? at->member.certificate->not_after_s
                                       : UINT64_MAX);
    }
    for (struct listed *at = first; at < end; at++) {
        at->is_replaced =
            is_past(at) && at->member.certificate->not_after_s < last_s;
    }
}

/* All members, as they are to be told: an owned array of *ret_n, or NULL. */
static struct listed *list_members(const struct node *node, size_t *ret_n)
{
    struct listed *list;
    struct node_member member;
    size_t n = 0;

    for (size_t at = 0; node_member_next(node, &at, &member);) {
        n++;
    }
    list = calloc(n + 1, sizeof(*list));
    if (list == NULL) {
        return NULL;
    }
    n = 0;
    for (size_t at = 0; node_member_next(node, &at, &list[n].member); n++) {
        const char *name = list[n].member.certificate->name;

        if (body_name_canonical(name, list[n].name) != 0) {
            memcpy(list[n].name, name, BODY_NAME_SIZE);
        }
    }
    qsort(list, n, sizeof(*list), compare_listed);
    for (size_t first = 0, end; first < n; first = end) {
        end = first + 1;
        while (end < n && strcmp(list[first].name, list[end].name) == 0) {
            end++;
        }
        mark_replaced(&list[first], &list[end]);
    }
    qsort(list, n, sizeof(*list), compare_names);
    *ret_n = n;
    return list;
}

void api_members_get(struct http_exchange *exchange, void *data)
{
    const struct core *core = ((struct api *)data)->core;
    _cleanup_(free_pointer) struct listed *list = NULL;
    json_t *members = json_array();
    uint64_t now_ms = clock_now_ms();
    size_t n = 0;

    list = list_members(core->node, &n);
    if (list == NULL) {
        json_build_append(&members, NULL);
    }
    for (size_t i = 0; i < n; i++) {
        if (!list[i].is_replaced) {
            json_build_append(&members,
                              member_json(core, &list[i].member, now_ms));
        }
    }
    api_reply(
        exchange, 200,
        json_pack("{s:i, s:o}", "schema", API_SCHEMA, "members", members));
}
