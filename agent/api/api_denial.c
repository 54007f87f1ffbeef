/*
 * Why a certified node is a member no more, in words and as JSON.
 */
#include "agent/api/api_internal.h"

#include <stdio.h>
#include <string.h>

#include "agent/core/core.h"

/* The newest revocation of a key. */
struct found {
    const uint8_t *key;
    struct record *record;
    bool is_found;
};

static int look_at(const struct record *record, void *data)
{
    struct found *found = data;
    struct body_revocation body;

    if (memcmp(record->key, found->key, 32) == 0 &&
        body_get_revocation(record, &body) == 0 && !body.is_lifted &&
        (!found->is_found || record->hlc > found->record->hlc)) {
        found->is_found = true;
        *found->record = *record;
    }
    return 0;
}

bool api_denial_revocation(const struct core *core, const uint8_t key[32],
                           struct record *ret)
{
    struct found found = {.key = key, .record = ret};

    /* Without memory the reason is not told. */
    (void)node_records_each(core->node, RECORD_REVOCATION, look_at, &found);
    return found.is_found;
}

static void revoked_text(const struct core *core, const uint8_t key[32],
                         char text[API_DENIAL_SIZE])
{
    struct body_revocation body;
    struct record record;
    char who[BODY_NAME_SIZE];

    if (!api_denial_revocation(core, key, &record) ||
        body_get_revocation(&record, &body) != 0) {
        (void)snprintf(text, API_DENIAL_SIZE, "revoked");
        return;
    }
    api_node_name(core, record.writer, who);
    (void)snprintf(text, API_DENIAL_SIZE, "revoked by %s%s%s",
                   node_is_root(core->node, record.writer) ? "a root" : who,
                   body.reason[0] != '\0' ? ": " : "", body.reason);
}

static void clash_text(const struct core *core,
                       const struct node_member *member,
                       char text[API_DENIAL_SIZE])
{
    static const char *const what[] = {
        [NODE_CLASH_NONE] = "something of it",
        [NODE_CLASH_NAME] = "its name",
        [NODE_CLASH_MESH] = "its mesh address",
        [NODE_CLASH_SUBNET] = "a subnet that overlaps its own",
    };
    struct node_member winner;
    char mesh[ENDPOINT_TEXT_SIZE];

    if (!node_member_find(core->node, member->winner, &winner)) {
        (void)snprintf(text, API_DENIAL_SIZE, "another has %s",
                       what[member->clash]);
        return;
    }
    (void)snprintf(text, API_DENIAL_SIZE, "%s (%s, %016llx) has %s",
                   winner.certificate->name,
                   endpoint_text(&winner.certificate->mesh[0], mesh),
                   (unsigned long long)winner.id, what[member->clash]);
}

const char *api_denial_text(const struct core *core,
                            const struct node_member *member,
                            char text[API_DENIAL_SIZE])
{
    switch (member->denial) {
    case NODE_DENIAL_REVOKED:
        revoked_text(core, member->key, text);
        break;
    case NODE_DENIAL_RANGE:
        (void)snprintf(text, API_DENIAL_SIZE,
                       "an address of its certificate is outside the charter");
        break;
    case NODE_DENIAL_ISSUER:
        (void)snprintf(text, API_DENIAL_SIZE,
                       "who signed its certificate is no issuer any more");
        break;
    case NODE_DENIAL_CLASH:
        clash_text(core, member, text);
        break;
    case NODE_DENIAL_NONE:
    default:
        text[0] = '\0';
        break;
    }
    return text;
}

json_t *api_denial_json(const struct core *core,
                        const struct node_member *member)
{
    char text[API_DENIAL_SIZE];
    bool is_clash = member->denial == NODE_DENIAL_CLASH;

    if (member->denial == NODE_DENIAL_NONE) {
        return json_null();
    }
    return json_pack(
        "{s:s, s:o, s:o, s:o}", "reason", node_denial_name(member->denial),
        "text", json_build_string(api_denial_text(core, member, text)), "over",
        is_clash ? json_string(node_clash_name(member->clash)) : json_null(),
        "winner", is_clash ? api_json_hex(member->winner, 32) : json_null());
}
