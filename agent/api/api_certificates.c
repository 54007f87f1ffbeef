/*
 * GET /api/v1/certificates: who is certified, for what, by whom and until when.
 */
#include "agent/api/api_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/catalog/catalog.h"
#include "agent/core/core.h"
#include "gossip/base/text.h"

/* What a certificate is called. */
static const char *state_of(const struct core *core,
                            const struct node_member *member)
{
    if (member->denial != NODE_DENIAL_NONE) {
        return node_denial_name(member->denial);
    }
    return core_wall_ms(core) / 1000 > member->certificate->not_after_s
               ? "expired"
               : "in-force";
}

static json_t *roles_json(uint32_t roles)
{
    json_t *list = json_array();

    if ((roles & BODY_ROLE_MEMBER) != 0) {
        json_build_append(&list, json_string("member"));
    }
    if ((roles & BODY_ROLE_ISSUER) != 0) {
        json_build_append(&list, json_string("issuer"));
    }
    return list;
}

static json_t *texts_json(const char (*texts)[BODY_NAME_SIZE], size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++) {
        json_build_append(&list, json_string(texts[i]));
    }
    return list;
}

static json_t *mesh_json(const struct body_certificate *body)
{
    json_t *list = json_array();

    for (size_t i = 0; i < body->n_mesh; i++) {
        char text[ENDPOINT_TEXT_SIZE];

        json_build_append(&list,
                          json_string(endpoint_text(&body->mesh[i], text)));
    }
    return list;
}

json_t *api_json_prefixes(const struct prefix *prefixes, size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++) {
        char text[PREFIX_TEXT_SIZE];

        json_build_append(&list, json_string(prefix_text(&prefixes[i], text)));
    }
    return list;
}

/* "root", or the name of the issuer. */
static void issuer_name(const struct core *core, const struct record *record,
                        char ret_name[BODY_NAME_SIZE])
{
    struct node_member issuer;

    if (node_member_find(core->node, record->writer, &issuer)) {
        api_node_name(core, record->writer, ret_name);
    } else {
        (void)snprintf(ret_name, BODY_NAME_SIZE, "root");
    }
}

json_t *api_json_record(const struct record *record)
{
    char text[2 * LIMIT_RECORD_SIZE + 1];

    assert(record->size <= LIMIT_RECORD_SIZE);
    return json_string(text_from_bytes(record->bytes, record->size, text));
}

static json_t *certificate_json(const struct core *core,
                                const struct node_member *member)
{
    const struct body_certificate *body = member->certificate;
    char issuer[BODY_NAME_SIZE] = "";
    struct record record;
    bool is_here = node_certificate(core->node, member->key, &record);

    if (is_here) {
        issuer_name(core, &record, issuer);
    }
    return json_pack(
        "{s:s, s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, "
        "s:o, s:o, s:o}",
        "name", body->name, "key", api_json_hex(member->key, 32), "state",
        state_of(core, member), "member", api_member_state(member), "issuer",
        api_json_text(issuer), "issuer_key",
        is_here ? api_json_hex(record.writer, 32) : json_null(), "mesh",
        mesh_json(body), "subnets",
        api_json_prefixes(body->subnets, body->n_subnets), "functions",
        texts_json(body->functions, body->n_functions), "scope",
        texts_json(body->scope, body->n_scope), "roles",
        roles_json(body->roles), "serial", api_json_id(body->serial),
        "generation", (json_int_t)body->generation, "not_before",
        api_json_time(body->not_before_s * 1000), "not_after",
        api_json_time(body->not_after_s * 1000), "raw",
        is_here ? api_json_record(&record) : json_null());
}

/* By name, then by key. */
static int compare_members(const void *left, const void *right)
{
    const struct node_member *a = left;
    const struct node_member *b = right;
    int order = strcmp(a->certificate->name, b->certificate->name);

    return order != 0 ? order : memcmp(a->key, b->key, sizeof(a->key));
}

/* All of them in that order: an owned array of *ret_n, or NULL. */
static struct node_member *sort_members(const struct node *node, size_t *ret_n)
{
    struct node_member *list;
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
    for (size_t at = 0; node_member_next(node, &at, &list[n]); n++) {
    }
    qsort(list, n, sizeof(*list), compare_members);
    *ret_n = n;
    return list;
}

void api_certificates_get(struct http_exchange *exchange, void *data)
{
    const struct core *core = ((struct api *)data)->core;
    _cleanup_(free_pointer) struct node_member *members = NULL;
    json_t *list = json_array();
    size_t n = 0;

    members = sort_members(core->node, &n);
    if (members == NULL) {
        json_build_append(&list, NULL);
    }
    for (size_t i = 0; i < n; i++) {
        json_build_append(&list, certificate_json(core, &members[i]));
    }
    api_reply(
        exchange, 200,
        json_pack("{s:i, s:o}", "schema", API_SCHEMA, "certificates", list));
}

/* Of several of a name the one that is in force, else the one that ends last;
 * a key is exact. */
static bool is_better(const struct node_member *member,
                      const struct node_member *best)
{
    bool counts = member->denial == NODE_DENIAL_NONE;

    if (counts != (best->denial == NODE_DENIAL_NONE)) {
        return counts;
    }
    return member->certificate->not_after_s > best->certificate->not_after_s;
}

bool api_certificate_find(const struct core *core, const char *text,
                          struct node_member *ret)
{
    struct node_member member;
    uint8_t key[32];
    char id[17];
    bool is_found = false;
    bool is_id = false;

    if (text_to_bytes(text, strlen(text), key, sizeof(key)) == 0) {
        return node_member_find(core->node, key, ret);
    }
    for (size_t at = 0; node_member_next(core->node, &at, &member);) {
        bool is_named =
            catalog_name_compare(member.certificate->name, text) == 0;

        (void)snprintf(id, sizeof(id), "%016" PRIx64, member.id);
        /* Whoever gives an id means it, whatever others are called. */
        if (strcmp(id, text) == 0) {
            is_id = true;
            is_found = true;
            *ret = member;
        } else if (is_named && !is_id &&
                   (!is_found || is_better(&member, ret))) {
            *ret = member;
            is_found = true;
        }
    }
    return is_found;
}

void api_certificate_get(struct http_exchange *exchange, void *data)
{
    const struct core *core = ((struct api *)data)->core;
    const char *name = http_exchange_request(exchange)->segments[3];
    struct node_member member;

    if (!api_certificate_find(core, name, &member)) {
        api_node_not_found(exchange, core, name);
        return;
    }
    api_reply(exchange, 200,
              json_pack("{s:i, s:o}", "schema", API_SCHEMA, "certificate",
                        certificate_json(core, &member)));
}
