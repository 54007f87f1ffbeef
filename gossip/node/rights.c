/*
 * Who may write what.  view.c asks for every record that comes from outside
 * or from the store, own.c for every own one before it is signed.
 */
#include "gossip/node/node_internal.h"

#include <sodium.h>

#include "gossip/base/unpack.h"
#include "gossip/wire/evidence.h"

enum rights_verdict {
    RIGHTS_OK,
    RIGHTS_BODY,
    RIGHTS_WRITER,  /* nobody who writes such */
    RIGHTS_DENIED,  /* not this */
    RIGHTS_EXPIRED, /* not at this time */
};

/* Whether an issuer could write this certificate: under its own serial, while
 * its own certificate lasted and it was not revoked, and not beyond that.  The
 * times are the records' own, so that every node judges alike. */
static enum rights_verdict judge_issued(const struct peer *issuer,
                                        const struct record *record,
                                        const struct body_certificate *body)
{
    const struct body_certificate *own = issuer->certificate;

    if (own == NULL || own->serial != record->serial) {
        return RIGHTS_WRITER;
    }
    if ((body->roles & BODY_ROLE_ISSUER) != 0 ||
        (issuer->denial == NODE_DENIAL_REVOKED &&
         record->hlc > issuer->revoked_hlc)) {
        return RIGHTS_DENIED;
    }
    return record_hlc_s(record->hlc) > own->not_after_s ||
                   body->not_after_s > own->not_after_s
               ? RIGHTS_EXPIRED
               : RIGHTS_OK;
}

/* Whether a certificate may be in the view.  Whether it counts there hangs on
 * charter and revocations: certify.c. */
static enum rights_verdict judge_certificate(const struct node *node,
                                             const struct record *record,
                                             struct body_certificate *ret)
{
    const struct peer *writer = peers_find(node, record->writer);
    enum rights_verdict verdict = RIGHTS_OK;

    if (writer == NULL || !writer->is_certifier) {
        return RIGHTS_WRITER;
    }
    if (body_get_certificate(record, ret) != 0) {
        return RIGHTS_BODY;
    }
    if (!writer->was_root) {
        verdict = judge_issued(writer, record, ret);
    }
    if (verdict == RIGHTS_OK &&
        ret->not_before_s > record_hlc_s(record->hlc) + LIMIT_CERT_EARLY_S) {
        return RIGHTS_EXPIRED;
    }
    return verdict;
}

/* 0, or RECORD_E_BODY with the counter of the verdict raised. */
static int count_verdict(struct node *node, enum rights_verdict verdict)
{
    switch (verdict) {
    case RIGHTS_OK:
        return 0;
    case RIGHTS_WRITER:
        node->counters.refused_writer++;
        break;
    case RIGHTS_EXPIRED:
        node->counters.refused_expired++;
        break;
    case RIGHTS_DENIED:
        node->counters.refused_rights++;
        break;
    case RIGHTS_BODY:
    default:
        node->counters.refused_body++;
        break;
    }
    return RECORD_E_BODY;
}

int rights_check_certificate(struct node *node, const struct record *record,
                             struct body_certificate *ret)
{
    struct body_certificate body;
    int error = count_verdict(node, judge_certificate(node, record, &body));

    if (error == 0) {
        *ret = body;
    }
    return error;
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

bool rights_is_admission(uint8_t kind)
{
    return kind == RECORD_CERTIFICATE || kind == RECORD_REVOCATION ||
           kind == RECORD_FUNCTION || kind == RECORD_CHARTER;
}

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

static enum rights_verdict judge_admission(const struct peer *writer,
                                           const struct record *record)
{
    struct body_function function;
    struct body_revocation revocation;

    if (!writer->was_root && !peers_is_issuer(writer)) {
        return RIGHTS_DENIED;
    }
    if (record->kind == RECORD_FUNCTION) {
        return judge_body(body_get_function(record, &function) == 0);
    }
    if (body_get_revocation(record, &revocation) != 0) {
        return RIGHTS_BODY;
    }
    /* Only a root undoes. */
    return revocation.is_lifted && !writer->was_root ? RIGHTS_DENIED
                                                     : RIGHTS_OK;
}

static enum rights_verdict judge(const struct peer *writer,
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
        return judge_admission(writer, record);
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
        return !peers_is_issuer(writer)
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

/* Who lost its name to another may still leave for good, so that all know of
 * it in whatever order they heard of the two; and we go on saying that we live,
 * to whoever takes it, so as to hear when all is well again. */
static bool may_say_denied(const struct peer *writer,
                           const struct record *record)
{
    return writer->is_self ? record->kind == RECORD_MEMBER
                           : writer->denial == NODE_DENIAL_CLASH &&
                                 suspicion_is_departure(record);
}

/* Whether the writer writes at all, this kind and at this time. */
static enum rights_verdict judge_writer(const struct peer *writer,
                                        const struct record *record)
{
    const struct body_certificate *certificate = writer->certificate;

    if (writer->was_root && (writer->is_root || certificate == NULL)) {
        /* Roots have no certificate; they write admission records only, and
         * former ones none that are new. */
        if (record->kind != RECORD_FUNCTION &&
            record->kind != RECORD_REVOCATION) {
            return RIGHTS_DENIED;
        }
        return writer->is_root || record->hlc <= writer->root_until_hlc
                   ? RIGHTS_OK
                   : RIGHTS_WRITER;
    }
    if (certificate == NULL || certificate->serial != record->serial ||
        (writer->denial != NODE_DENIAL_NONE &&
         !may_say_denied(writer, record))) {
        return RIGHTS_WRITER;
    }
    /* By the record's own clock, so that all nodes take the same.  That a
     * member lives it may always say. */
    return record->kind != RECORD_MEMBER && record->kind != RECORD_ACCUSATION &&
                   record_hlc_s(record->hlc) > certificate->not_after_s
               ? RIGHTS_EXPIRED
               : RIGHTS_OK;
}

int rights_check(struct node *node, const struct peer *writer,
                 const struct record *record)
{
    enum rights_verdict verdict = judge_writer(writer, record);

    if (verdict == RIGHTS_OK) {
        verdict = judge(writer, record);
    }
    return count_verdict(node, verdict);
}

/* A certificate that would not count is not written. */
static enum rights_verdict judge_own_certificate(const struct node *node,
                                                 const struct record *record)
{
    struct body_certificate body;
    enum rights_verdict verdict;

    if (!peers_is_issuer(node->self)) {
        return RIGHTS_DENIED;
    }
    verdict = judge_certificate(node, record, &body);
    if (verdict == RIGHTS_OK && !certify_would_count(node, record, &body)) {
        return RIGHTS_DENIED;
    }
    return verdict;
}

int rights_check_own(struct node *node, const struct record *record)
{
    enum rights_verdict verdict;

    if (record->kind == RECORD_CERTIFICATE) {
        verdict = judge_own_certificate(node, record);
    } else if (record->kind == RECORD_CHARTER) {
        verdict = RIGHTS_DENIED; /* roots sign those */
    } else {
        verdict = judge_writer(node->self, record);
        if (verdict == RIGHTS_OK) {
            verdict = judge(node->self, record);
        }
    }
    switch (verdict) {
    case RIGHTS_OK:
        return 0;
    case RIGHTS_BODY:
        return NODE_E_BODY;
    case RIGHTS_WRITER:
    case RIGHTS_DENIED:
    case RIGHTS_EXPIRED:
    default:
        return NODE_E_NOT_ALLOWED;
    }
}

int node_check_certificate(const struct node *node, const uint8_t *bytes,
                           size_t size, struct body_certificate *ret)
{
    const struct peer *subject;
    struct body_certificate body;
    struct record record;
    int error;

    error = record_parse(bytes, size, &record);
    if (error != 0) {
        return error;
    }
    if (record.kind != RECORD_CERTIFICATE ||
        memcmp(record.cluster, node->cluster, RECORD_CLUSTER_SIZE) != 0) {
        return NODE_E_NOT_ALLOWED;
    }
    switch (judge_certificate(node, &record, &body)) {
    case RIGHTS_OK:
        break;
    case RIGHTS_BODY:
        return RECORD_E_BODY;
    case RIGHTS_WRITER:
    case RIGHTS_DENIED:
    case RIGHTS_EXPIRED:
    default:
        return NODE_E_NOT_ALLOWED;
    }
    subject = peers_find(node, body.sign_public);
    if (!certify_would_count(node, &record, &body) ||
        (subject != NULL && subject->denial != NODE_DENIAL_NONE)) {
        return NODE_E_NOT_ALLOWED;
    }
    error = node->verify(&record, node->verify_data);
    if (error != 0) {
        return error;
    }
    *ret = body;
    return 0;
}
