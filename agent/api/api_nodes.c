/*
 * POST /api/v1/nodes/NAME/remove: a node is taken out of the cluster for good,
 * without its help.  Its key is revoked, so that nothing of it counts any more
 * and its name and addresses are free.
 */
#include "agent/api/api_internal.h"

#include <stdio.h>
#include <string.h>

#include "agent/catalog/catalog.h"
#include "agent/core/core.h"
#include "agent/identity/identity.h"
#include "agent/text/suggest.h"

static json_t *answer(const struct core *core, const uint8_t key[32])
{
    char name[BODY_NAME_SIZE];

    api_node_name(core, key, name);
    return json_pack("{s:i, s:s, s:o}", "schema", API_SCHEMA, "removed", name,
                     "key", api_json_hex(key, 32));
}

/* The member of this name that is still one; of two the lower key. */
static bool find_member(const struct core *core, const char *name,
                        struct node_member *ret)
{
    for (size_t at = 0; node_member_next(core->node, &at, ret);) {
        if (ret->denial == NODE_DENIAL_NONE && ret->state != NODE_MEMBER_LEFT &&
            catalog_name_compare(ret->certificate->name, name) == 0) {
            return true;
        }
    }
    return false;
}

void api_node_not_found(struct http_exchange *exchange, const struct core *core,
                        const char *name)
{
    struct suggest suggest = {0};
    struct node_member member;
    char next[BODY_NAME_SIZE + 64] = "agentctl members shows who there is";

    for (size_t at = 0; node_member_next(core->node, &at, &member);) {
        suggest_offer(&suggest, name, member.certificate->name);
    }
    if (suggest.word != NULL) {
        (void)snprintf(next, sizeof(next), "did you mean %s?", suggest.word);
    }
    api_problem(exchange, 404, "no member has this name", next,
                "there is no node %s", name);
}

/* False when it has been answered. */
static bool may_remove(struct http_exchange *exchange, const struct core *core,
                       const struct node_member *member, bool is_forced)
{
    const char *name = member->certificate->name;

    if ((core->identity->body.roles & BODY_ROLE_ISSUER) == 0) {
        api_problem(exchange, 403, "its certificate has not the role issuer",
                    "run it on an issuer: agentctl members -o json names them",
                    "this node may not remove another");
    } else if (member->is_self) {
        api_problem(exchange, 409, "a node does not revoke itself",
                    "agent leave takes this node out", "%s is this node", name);
    } else if ((member->certificate->roles & BODY_ROLE_ISSUER) != 0) {
        api_problem(exchange, 409, "only a root revokes an issuer",
                    "agent leave on that host, while it is there",
                    "%s is an issuer", name);
    } else if (!is_forced && member->state == NODE_MEMBER_ALIVE) {
        api_problem(exchange, 409, "it would be cut off at once, for good",
                    "agent leave on that host; or --force, when its key is in "
                    "the wrong hands",
                    "%s is alive", name);
    } else {
        return true;
    }
    return false;
}

static void write_revocation(struct http_exchange *exchange, struct core *core,
                             const struct node_member *member,
                             const struct body_revocation *revocation)
{
    uint8_t packed[LIMIT_RECORD_SIZE];
    struct api_write write = {.kind = RECORD_REVOCATION,
                              .key = member->key,
                              .body = packed,
                              .failed = "the revocation could not be written",
                              .answer = answer};
    int error = body_put_revocation(revocation, packed, sizeof(packed),
                                    &write.body_size);

    if (error == 0) {
        error = api_write(exchange, core, &write);
    }
    if (error != 0) {
        api_problem(exchange, 503, error < 0 ? strerror(-error) : NULL,
                    "agentctl status says what is wrong",
                    "this node cannot write now");
    }
}

void api_node_remove_post(struct http_exchange *exchange, void *data)
{
    struct core *core = ((struct api *)data)->core;
    const char *name = http_exchange_request(exchange)->segments[3];
    json_auto_t *body = api_body(exchange);
    struct body_revocation revocation = {.serial = 0}; /* every certificate */
    struct node_member member;

    if (body == NULL || !api_get_reason(exchange, body, revocation.reason)) {
        return;
    }
    if (!find_member(core, name, &member)) {
        api_node_not_found(exchange, core, name);
        return;
    }
    if (may_remove(exchange, core, &member,
                   json_is_true(json_object_get(body, "force")))) {
        write_revocation(exchange, core, &member, &revocation);
    }
}
