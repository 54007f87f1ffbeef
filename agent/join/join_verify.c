/*
 * Whether what a join gave us is the cluster that the token names: genesis by
 * its hash, charters from the genesis on, certificates by their signatures up
 * to the roots of the charter in force, addresses by its ranges.  Pure;
 * part of join_client.h.
 */
#include "agent/join/join_client.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "gossip/wire/sign.h"

static int forged(char **ret_error, const char *format, ...) _printf_(2, 3);

static int forged(char **ret_error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    if (vasprintf(ret_error, format, arguments) < 0) {
        *ret_error = NULL;
    }
    va_end(arguments);
    return JOIN_E_FORGED;
}

static bool is_root(const struct join_result *result, const uint8_t key[32])
{
    const struct body_charter *charter = &result->charters.charter;

    for (size_t i = 0; i < charter->n_roots; i++) {
        if (memcmp(charter->roots[i], key, 32) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_of_cluster(const struct genesis *genesis,
                          const struct record *record)
{
    return memcmp(record->cluster, genesis->cluster_id, RECORD_CLUSTER_SIZE) ==
           0;
}

/* The next record of a list, and where the one after it begins. */
static bool next_record(const uint8_t *bytes, size_t size, size_t *offset,
                        struct record *ret)
{
    size_t record_size = 0;

    if (*offset >= size ||
        record_peek_size(bytes + *offset, size - *offset, &record_size) != 0 ||
        record_size > size - *offset ||
        record_parse(bytes + *offset, record_size, ret) != 0) {
        return false;
    }
    *offset += record_size;
    return true;
}

/* A certificate of `key` with the issuer role, written by a root. */
static bool is_issuer(const struct join_result *result, const uint8_t key[32])
{
    struct body_certificate body;
    struct record record;
    size_t offset = 0;

    while (
        next_record(result->records, result->records_size, &offset, &record)) {
        if (record.kind == RECORD_CERTIFICATE &&
            is_of_cluster(&result->genesis, &record) &&
            is_root(result, record.writer) &&
            body_get_certificate(&record, &body) == 0 &&
            memcmp(body.sign_public, key, 32) == 0 &&
            (body.roles & BODY_ROLE_ISSUER) != 0 && sign_verify(&record) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_for_us(const struct join_request *request,
                      const struct body_certificate *body)
{
    return memcmp(body->sign_public, request->sign_public, 32) == 0 &&
           memcmp(body->exchange_public, request->exchange_public, 32) == 0 &&
           strcmp(body->name, request->name) == 0;
}

static bool is_wanted(uint8_t kind)
{
    return kind == RECORD_CHARTER || kind == RECORD_REVOCATION ||
           kind == RECORD_CERTIFICATE || kind == RECORD_MEMBER;
}

/* Keeps the records that are of this cluster and really signed by their
 * writers; the node judges their rights when it loads them. */
static void keep_verified(struct join_result *result)
{
    size_t offset = 0;
    size_t kept = 0;
    size_t n = 0;
    struct record record;

    while (
        next_record(result->records, result->records_size, &offset, &record)) {
        if (!is_of_cluster(&result->genesis, &record) ||
            !is_wanted(record.kind) || sign_verify(&record) != 0) {
            continue;
        }
        memmove(result->records + kept, record.bytes, record.size);
        kept += record.size;
        n++;
    }
    result->records_size = kept;
    result->n_records = n;
}

int join_verify(const struct token *token, const struct join_request *request,
                struct join_result *result, char **ret_error)
{
    struct body_certificate body;
    struct record record;

    *ret_error = NULL;
    if (token != NULL &&
        memcmp(result->genesis.cluster_id, token->cluster_id, 32) != 0) {
        return forged(ret_error,
                      "the answer describes another cluster (\"%s\") than the "
                      "token; nothing was stored",
                      result->genesis.name);
    }
    charters_done(&result->charters);
    if (charters_find(&result->genesis, result->records, result->records_size,
                      &result->charters) != 0) {
        return forged(ret_error, "the answer holds no charter that the "
                                 "cluster's roots signed; nothing was stored");
    }
    if (record_parse(result->certificate, result->certificate_size, &record) !=
            0 ||
        record.kind != RECORD_CERTIFICATE ||
        !is_of_cluster(&result->genesis, &record) ||
        body_get_certificate(&record, &body) != 0 ||
        sign_verify(&record) != 0) {
        return forged(ret_error, "the answer holds no certificate that "
                                 "verifies; nothing was stored");
    }
    if (!is_for_us(request, &body)) {
        return forged(ret_error,
                      "the certificate in the answer is for \"%s\" or for "
                      "other keys, not for this host; nothing was stored",
                      body.name);
    }
    if ((token != NULL && memcmp(record.writer, token->issuer_sign, 32) != 0) ||
        (!is_root(result, record.writer) &&
         !is_issuer(result, record.writer))) {
        return forged(ret_error,
                      "the certificate was written by a key that may not issue "
                      "certificates in this cluster; nothing was stored");
    }
    if (!body_charter_allows_certificate(&result->charters.charter, &body)) {
        return forged(ret_error,
                      "the certificate in the answer gives addresses outside "
                      "the cluster's ranges; nothing was stored");
    }
    keep_verified(result);
    return 0;
}
