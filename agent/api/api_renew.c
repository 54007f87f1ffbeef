/*
 * POST /api/v1/certificates/NODE/renew and .../revoke: an issuer says for
 * longer what a certificate says, or ends it.  NODE is a name, an id or a key:
 * where two keys have one name, only the latter tell which is meant.
 */
#include "agent/api/api_internal.h"

#include <stdio.h>
#include <string.h>

#include "agent/catalog/catalog.h"
#include "agent/core/core.h"
#include "agent/identity/identity.h"
#include "agent/renewals/renewals.h"
#include "agent/system/clock.h"

static bool is_of_key(const struct node_member *member, const char *text)
{
    char key[2 * sizeof(member->key) + 1];
    size_t len = strlen(text);

    for (size_t i = 0; i < sizeof(member->key); i++) {
        (void)snprintf(key + 2 * i, 3, "%02x", member->key[i]);
    }
    if (len == 2 * sizeof(member->key)) {
        return strcmp(key, text) == 0;
    }
    (void)snprintf(key, sizeof(key), "%016llx", (unsigned long long)member->id);
    return strcmp(key, text) == 0;
}

/* How many there are of this name, id or key; those that left count only when
 * nobody else has it. */
static size_t find(const struct core *core, const char *text,
                   struct node_member *ret)
{
    struct node_member member;
    bool is_gone = true;
    size_t n = 0;

    for (size_t at = 0; node_member_next(core->node, &at, &member);) {
        bool has_left = member.state == NODE_MEMBER_LEFT ||
                        member.denial == NODE_DENIAL_REVOKED;

        if (catalog_name_compare(member.certificate->name, text) != 0 &&
            !is_of_key(&member, text)) {
            continue;
        }
        if (is_gone && !has_left) {
            is_gone = false;
            n = 0;
        }
        if (has_left == is_gone) {
            *ret = member;
            n++;
        }
    }
    return n;
}

/* The one that is meant; false: it has been answered. */
static bool find_one(struct http_exchange *exchange, const struct core *core,
                     struct node_member *ret)
{
    const char *name = http_exchange_request(exchange)->segments[3];
    size_t n = find(core, name, ret);

    if (n == 0) {
        api_node_not_found(exchange, core, name);
    } else if (n > 1) {
        api_problem(exchange, 409, "several keys are certified for it",
                    "give the id of one: agentctl members -o json has them",
                    "%s is not one node", name);
    }
    return n == 1;
}

/* --- Renewing ----------------------------------------------------------------
 */

static void refuse(struct http_exchange *exchange, const struct core *core,
                   const struct node_member *member,
                   enum renewals_refusal refusal)
{
    const char *name = member->certificate->name;
    char text[API_DENIAL_SIZE];

    switch (refusal) {
    case RENEWALS_NOT_ISSUER:
        api_problem(exchange, 403, "its certificate has not the role issuer",
                    "run it on an issuer: agentctl members -o json names them",
                    "this node may not renew certificates");
        break;
    case RENEWALS_ISSUER:
        api_problem(exchange, 409, "only a root renews an issuer",
                    "agent admission renew, where the root's key is",
                    "%s is an issuer", name);
        break;
    case RENEWALS_DENIED:
        api_problem(exchange, 409, api_denial_text(core, member, text),
                    "agentctl members says who has what; a root lifts a "
                    "revocation",
                    "%s is out", name);
        break;
    case RENEWALS_GONE:
        api_problem(exchange, 409, "it left, or contradicted itself",
                    "have it join anew: agentctl token create",
                    "%s is no member any more", name);
        break;
    case RENEWALS_OVER:
        api_problem(exchange, 409, "it ended more than 90 days ago",
                    "have it join anew: agentctl token create",
                    "the certificate of %s is over", name);
        break;
    case RENEWALS_NO_GAIN:
    case RENEWALS_OK:
    default:
        api_problem(exchange, 409,
                    "no certificate ends after its issuer's, nor is one made "
                    "shorter",
                    "agentctl status, here and there, says when they end",
                    "the certificate of %s would not end later", name);
        break;
    }
}

static json_t *renewed_json(const struct core *core, const uint8_t key[32])
{
    struct node_member member;

    if (!node_member_find(core->node, key, &member)) {
        return NULL;
    }
    return json_pack("{s:i, s:s, s:o, s:o, s:o}", "schema", API_SCHEMA,
                     "renewed", member.certificate->name, "key",
                     api_json_hex(key, 32), "serial",
                     api_json_id(member.certificate->serial), "not_after",
                     api_json_time(member.certificate->not_after_s * 1000));
}

/* As api_write's `failed` and `next`, for both. */
static void write_it(struct http_exchange *exchange, struct core *core,
                     const struct api_write *write, int error)
{
    if (error == 0) {
        error = api_write(exchange, core, write);
    }
    if (error != 0) {
        api_problem(exchange, 503, error < 0 ? strerror(-error) : NULL,
                    "agentctl status says what is wrong",
                    "this node cannot write now");
    }
}

void api_cert_renew_post(struct http_exchange *exchange, void *data)
{
    struct core *core = ((struct api *)data)->core;
    json_auto_t *body = api_body(exchange);
    uint8_t packed[LIMIT_RECORD_SIZE];
    struct body_certificate certificate;
    struct node_member member;
    enum renewals_refusal refusal;
    const json_t *until;
    struct api_write write = {.kind = RECORD_CERTIFICATE,
                              .body = packed,
                              .failed = "the certificate could not be written",
                              .answer = renewed_json};
    int error;

    if (body == NULL) {
        return;
    }
    until = json_object_get(body, "until_s");
    if (until != NULL &&
        (!json_is_integer(until) ||
         (uint64_t)json_integer_value(until) * 1000 <= clock_wall_ms())) {
        http_reply_problem(
            exchange, 400,
            &(struct http_problem){.what = "until_s is no time to come",
                                   .where = "field until_s",
                                   .next = "give seconds since 1970"});
        return;
    }
    if (!find_one(exchange, core, &member)) {
        return;
    }
    refusal = renewals_make(core, &member, (uint64_t)json_integer_value(until),
                            &certificate);
    if (refusal != RENEWALS_OK) {
        refuse(exchange, core, &member, refusal);
        return;
    }
    write.key = member.key;
    error = body_put_certificate(&certificate, packed, sizeof(packed),
                                 &write.body_size);
    write_it(exchange, core, &write, error);
}

/* --- Revoking ----------------------------------------------------------------
 */

static json_t *revoked_json(const struct core *core, const uint8_t key[32])
{
    char name[BODY_NAME_SIZE];

    api_node_name(core, key, name);
    return json_pack("{s:i, s:s, s:o}", "schema", API_SCHEMA, "revoked", name,
                     "key", api_json_hex(key, 32));
}

/* "1f" to 16 digits, the serial; false: it has been answered. */
static bool get_serial(struct http_exchange *exchange, const json_t *body,
                       uint64_t otherwise, uint64_t *ret)
{
    const json_t *field = json_object_get(body, "serial");
    const char *text = json_string_value(field);
    uint64_t serial = 0;
    size_t n = 0;

    if (field == NULL) {
        *ret = otherwise;
        return true;
    }
    for (; text != NULL && text[n] != '\0' && n < 17; n++) {
        const char *digits = "0123456789abcdef";
        const char *digit = strchr(digits, text[n]);

        if (digit == NULL) {
            n = 17;
            break;
        }
        serial = serial << 4 | (uint64_t)(digit - digits);
    }
    if (n == 0 || n > 16 || serial == 0) {
        http_reply_problem(
            exchange, 400,
            &(struct http_problem){
                .what = "serial is not 1 to 16 hexadecimal digits",
                .where = "field serial",
                .next = "agentctl cert show names it"});
        return false;
    }
    *ret = serial;
    return true;
}

static bool may_revoke(struct http_exchange *exchange, const struct core *core,
                       const struct node_member *member)
{
    const char *name = member->certificate->name;

    if ((core->identity->body.roles & BODY_ROLE_ISSUER) == 0) {
        api_problem(exchange, 403, "its certificate has not the role issuer",
                    "run it on an issuer: agentctl members -o json names them",
                    "this node may not revoke certificates");
    } else if (member->is_self) {
        api_problem(exchange, 409, "a node does not revoke itself",
                    "agent leave takes this node out", "%s is this node", name);
    } else if ((member->certificate->roles & BODY_ROLE_ISSUER) != 0) {
        api_problem(exchange, 409, "only a root revokes an issuer",
                    "agent admission revoke, where the root's key is",
                    "%s is an issuer", name);
    } else {
        return true;
    }
    return false;
}

void api_cert_revoke_post(struct http_exchange *exchange, void *data)
{
    struct core *core = ((struct api *)data)->core;
    json_auto_t *body = api_body(exchange);
    uint8_t packed[LIMIT_RECORD_SIZE];
    struct body_revocation revocation = {.serial = 0};
    struct node_member member;
    struct api_write write = {.kind = RECORD_REVOCATION,
                              .body = packed,
                              .failed = "the revocation could not be written",
                              .answer = revoked_json};
    int error;

    if (body == NULL || !api_get_reason(exchange, body, revocation.reason) ||
        !find_one(exchange, core, &member) ||
        !get_serial(exchange, body, member.certificate->serial,
                    &revocation.serial) ||
        !may_revoke(exchange, core, &member)) {
        return;
    }
    write.key = member.key;
    error = body_put_revocation(&revocation, packed, sizeof(packed),
                                &write.body_size);
    write_it(exchange, core, &write, error);
}
