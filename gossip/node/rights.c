/*
 * Who may write what.  view.c asks for every record that comes from outside
 * or from the store, own.c for every own one before it is signed.
 */
#include "gossip/node/node_internal.h"

#include <sodium.h>

#include "gossip/base/unpack.h"
#include "gossip/wire/evidence.h"

int rights_check_certificate(struct node *node, const struct record *record,
                             struct body_certificate *ret)
{
    const struct peer *writer = peers_find(node, record->writer);
    uint64_t now_s = peers_validity_s(node);
    struct body_certificate body;

    if (writer == NULL || !peers_is_issuer(node, writer)) {
        node->counters.refused_writer++;
        return RECORD_E_BODY;
    }
    if (body_get_certificate(record, &body) != 0 || body.n_mesh == 0) {
        node->counters.refused_body++;
        return RECORD_E_BODY;
    }
    /* An issuer that is no root cannot make issuers. */
    if (!writer->is_root && (body.roles & BODY_ROLE_ISSUER) != 0) {
        node->counters.refused_rights++;
        return RECORD_E_BODY;
    }
    /* Before the first event no time is known; the own certificate, the only
     * one then, is judged again when it is used. */
    if (now_s != 0 && (now_s > body.not_after_s ||
                       now_s + LIMIT_CERT_EARLY_S < body.not_before_s)) {
        node->counters.refused_expired++;
        return RECORD_E_BODY;
    }
    *ret = body;
    return 0;
}

uint8_t rights_slot_kind(const struct record *record)
{
    struct body_tombstone tombstone;

    if (record->kind == RECORD_TOMBSTONE &&
        body_get_tombstone(record, &tombstone) == 0) {
        return tombstone.kind;
    }
    return record->kind;
}

static bool is_service_allowed(const struct body_certificate *certificate,
                               const struct body_service *service)
{
    return body_certificate_allows_function(certificate, service->function) &&
           body_certificate_allows_address(certificate, &service->address);
}

bool rights_is_exempt(uint8_t kind)
{
    return kind == RECORD_CERTIFICATE || kind == RECORD_REVOCATION ||
           kind == RECORD_MEMBER || kind == RECORD_MANIFEST ||
           kind == RECORD_ACCUSATION || kind == RECORD_CHARTER ||
           kind == RECORD_EVIDENCE || kind == RECORD_HOLD;
}

enum rights_class rights_class(const struct record *record)
{
    struct body_function function;

    if (rights_is_exempt(record->kind)) {
        return RIGHTS_EXEMPT;
    }
    if (rights_slot_kind(record) != RECORD_FUNCTION) {
        return RIGHTS_COUNTED;
    }
    return record->kind == RECORD_TOMBSTONE ||
                   (body_get_function(record, &function) == 0 &&
                    function.is_claim)
               ? RIGHTS_CLAIM
               : RIGHTS_COUNTED;
}

enum rights_verdict {
    RIGHTS_OK,
    RIGHTS_BODY,
    RIGHTS_DENIED,
};

static enum rights_verdict judge_body(bool is_ok)
{
    return is_ok ? RIGHTS_OK : RIGHTS_BODY;
}

static enum rights_verdict judge_service(const struct peer *writer,
                                         const struct record *record)
{
    struct body_service service;

    if (body_get_service(record, &service) != 0) {
        return RIGHTS_BODY;
    }
    return is_service_allowed(writer->certificate, &service) ? RIGHTS_OK
                                                             : RIGHTS_DENIED;
}

static enum rights_verdict judge_admission(const struct node *node,
                                           const struct peer *writer,
                                           const struct record *record)
{
    struct body_function function;
    struct body_revocation revocation;

    if (!peers_is_issuer(node, writer)) {
        return RIGHTS_DENIED;
    }
    return record->kind == RECORD_FUNCTION
               ? judge_body(body_get_function(record, &function) == 0)
               : judge_body(body_get_revocation(record, &revocation) == 0);
}

static enum rights_verdict judge(const struct node *node,
                                 const struct peer *writer,
                                 const struct record *record)
{
    struct body_member member;
    struct body_tombstone tombstone;
    struct body_manifest manifest;
    struct body_accusation accusation;
    struct record first, second;
    struct body_hold hold;

    switch (record->kind) {
    case RECORD_SERVICE:
        return judge_service(writer, record);
    case RECORD_FUNCTION:
    case RECORD_REVOCATION:
        return judge_admission(node, writer, record);
    case RECORD_MEMBER:
        return judge_body(body_get_member(record, &member) == 0);
    case RECORD_TOMBSTONE:
        return judge_body(body_get_tombstone(record, &tombstone) == 0 &&
                          !rights_is_exempt(tombstone.kind) &&
                          tombstone.kind != RECORD_TOMBSTONE);
    case RECORD_MANIFEST:
        return judge_body(body_get_manifest(record, &manifest) == 0);
    case RECORD_ACCUSATION:
        return judge_body(body_get_accusation(record, &accusation) == 0);
    case RECORD_HOLD:
        return !peers_is_issuer(node, writer)
                   ? RIGHTS_DENIED
                   : judge_body(body_get_hold(record, &hold) == 0);
    case RECORD_EVIDENCE:
        return judge_body(evidence_get(record, &first, &second) == 0);
    default:
        /* Intents and kinds of later releases: kept and relayed as long as
         * they are well-formed, never acted on. */
        return judge_body(unpack_validate(record->body, record->body_size,
                                          LIMIT_MSGPACK_ELEMENTS) == 0);
    }
}

int rights_check(struct node *node, const struct peer *writer,
                 const struct record *record)
{
    const struct body_certificate *certificate = writer->certificate;

    if (writer->is_root) {
        /* Roots have no certificate; they write admission records only. */
        if (record->kind != RECORD_FUNCTION &&
            record->kind != RECORD_REVOCATION) {
            node->counters.refused_rights++;
            return RECORD_E_BODY;
        }
    } else if (certificate == NULL || certificate->serial != record->serial) {
        node->counters.refused_writer++;
        return RECORD_E_BODY;
    } else if (peers_validity_s(node) > certificate->not_after_s) {
        node->counters.refused_expired++;
        return RECORD_E_BODY;
    }
    switch (judge(node, writer, record)) {
    case RIGHTS_OK:
        return 0;
    case RIGHTS_DENIED:
        node->counters.refused_rights++;
        return RECORD_E_BODY;
    case RIGHTS_BODY:
    default:
        node->counters.refused_body++;
        return RECORD_E_BODY;
    }
}

int rights_check_own(struct node *node, const struct record *record)
{
    struct node_counters counters = node->counters;
    struct body_certificate certificate;
    int result = 0;

    if (record->kind == RECORD_CERTIFICATE) {
        if (!peers_is_issuer(node, node->self)) {
            return NODE_E_NOT_ALLOWED;
        }
        result = rights_check_certificate(node, record, &certificate) == 0
                     ? 0
                     : NODE_E_BODY;
    } else {
        switch (judge(node, node->self, record)) {
        case RIGHTS_DENIED:
            result = NODE_E_NOT_ALLOWED;
            break;
        case RIGHTS_BODY:
            result = NODE_E_BODY;
            break;
        case RIGHTS_OK:
        default:
            break;
        }
    }
    /* Asking is not refusing a peer's record. */
    node->counters = counters;
    return result;
}

int node_check_certificate(const struct node *node, const uint8_t *bytes,
                           size_t size, uint64_t wall_ms,
                           struct body_certificate *ret)
{
    const struct peer *writer;
    struct body_certificate body;
    struct record record;
    uint64_t now_s = MAX_OF(wall_ms / 1000, peers_validity_s(node));
    int error;

    error = record_parse(bytes, size, &record);
    if (error != 0) {
        return error;
    }
    writer = peers_find(node, record.writer);
    if (record.kind != RECORD_CERTIFICATE ||
        memcmp(record.cluster, node->cluster, RECORD_CLUSTER_SIZE) != 0 ||
        writer == NULL || !peers_is_issuer(node, writer)) {
        return NODE_E_NOT_ALLOWED;
    }
    error = body_get_certificate(&record, &body);
    if (error != 0) {
        return error;
    }
    if (now_s > body.not_after_s ||
        now_s + LIMIT_CERT_EARLY_S < body.not_before_s ||
        (!writer->is_root && (body.roles & BODY_ROLE_ISSUER) != 0)) {
        return NODE_E_NOT_ALLOWED;
    }
    error = node->verify(&record, node->verify_data);
    if (error != 0) {
        return error;
    }
    *ret = body;
    return 0;
}
