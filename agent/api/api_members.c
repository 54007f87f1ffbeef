/*
 * GET /api/v1/members: every certified node as this one sees it.
 */
#include "agent/api/api_internal.h"

#include <stdlib.h>
#include <string.h>

#include "agent/core/core.h"
#include "agent/system/clock.h"

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

        json_array_append_new(
            list, json_string(endpoint_text(&certificate->mesh[i], text)));
    }
    return list;
}

static json_t *subnets_json(const struct body_certificate *certificate)
{
    json_t *list = json_array();

    for (size_t i = 0; i < certificate->n_subnets; i++) {
        char text[PREFIX_TEXT_SIZE];

        json_array_append_new(
            list, json_string(prefix_text(&certificate->subnets[i], text)));
    }
    return list;
}

static json_t *functions_json(const struct body_certificate *certificate)
{
    json_t *list = json_array();

    for (size_t i = 0; i < certificate->n_functions; i++) {
        json_array_append_new(list, json_string(certificate->functions[i]));
    }
    return list;
}

static json_t *member_json(const struct node_member *member, uint64_t now_ms)
{
    const struct body_certificate *certificate = member->certificate;
    json_t *roles = json_array();
    json_t *root;

    if ((certificate->roles & BODY_ROLE_MEMBER) != 0) {
        json_array_append_new(roles, json_string("member"));
    }
    if ((certificate->roles & BODY_ROLE_ISSUER) != 0) {
        json_array_append_new(roles, json_string("issuer"));
    }
    root = json_pack(
        "{s:s, s:o, s:o, s:s, s:b, s:b, s:o, s:o, s:I, s:o, s:o, s:o, s:o, "
        "s:o, s:o, s:{s:I, s:I}}",
        "name", certificate->name, "key", api_json_hex(member->key, 32), "id",
        api_json_id(member->id), "state", node_member_state_name(member->state),
        "self", member->is_self, "reachable", member->is_reachable, "addresses",
        endpoints_json(certificate), "subnets", subnets_json(certificate),
        "rtt_us", (json_int_t)member->rtt_us, "heard_ms_ago",
        member->is_self ? json_integer(0)
                        : since(now_ms, member->last_heard_ms),
        "state_ms_ago", since(now_ms, member->state_since_ms), "version",
        member->body != NULL ? json_string(member->body->version) : json_null(),
        "roles", roles, "functions", functions_json(certificate), "not_after",
        api_json_time(certificate->not_after_s * 1000), "incarnation", "epoch",
        (json_int_t)member->incarnation.epoch, "seq",
        (json_int_t)member->incarnation.seq);
    return root;
}

/* Whether a member that left has a successor of its name: the same host that
 * joined again, with another key.  Of several that left, the last counts. */
static bool is_replaced(const struct core *core,
                        const struct node_member *member)
{
    char name[BODY_NAME_SIZE];
    char other_name[BODY_NAME_SIZE];
    struct node_member other;

    if (member->state != NODE_MEMBER_LEFT ||
        body_name_canonical(member->certificate->name, name) != 0) {
        return false;
    }
    for (size_t i = 0; node_member_at(core->node, i, &other); i++) {
        if (other.certificate == NULL ||
            memcmp(other.key, member->key, 32) == 0 ||
            body_name_canonical(other.certificate->name, other_name) != 0 ||
            strcmp(name, other_name) != 0) {
            continue;
        }
        if (other.state != NODE_MEMBER_LEFT ||
            other.certificate->not_after_s > member->certificate->not_after_s) {
            return true;
        }
    }
    return false;
}

static int compare_names(const void *a, const void *b)
{
    const json_t *const *left = a;
    const json_t *const *right = b;

    return strcmp(json_string_value(json_object_get(*left, "name")),
                  json_string_value(json_object_get(*right, "name")));
}

/* The node has its members by key; people look for names. */
static json_t *sorted_by_name(json_t **members, size_t n)
{
    json_t *list = json_array();

    qsort(members, n, sizeof(members[0]), compare_names);
    for (size_t i = 0; i < n; i++) {
        json_array_append_new(list, members[i]);
    }
    return list;
}

void api_members_get(struct http_exchange *exchange, void *data)
{
    const struct core *core = ((struct api *)data)->core;
    _cleanup_(free_pointer) json_t **members = NULL;
    uint64_t now_ms = clock_now_ms();
    struct node_member member;
    size_t n = 0;
    size_t used = 0;

    while (node_member_at(core->node, n, &member)) {
        n++;
    }
    members = calloc(n + 1, sizeof(json_t *));
    for (size_t i = 0; members != NULL && i < n; i++) {
        if (node_member_at(core->node, i, &member) &&
            member.certificate != NULL && !is_replaced(core, &member)) {
            members[used] = member_json(&member, now_ms);
            used += members[used] != NULL;
        }
    }
    api_reply(exchange, 200,
              members == NULL
                  ? NULL
                  : json_pack("{s:i, s:o}", "schema", API_SCHEMA, "members",
                              sorted_by_name(members, used)));
}
