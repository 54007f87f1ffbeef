/*
 * Certificates as the agent or a file has them, and records that a root makes.
 */
#include "agent/roots/roots_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "agent/ctl/ctl.h"
#include "agent/system/file.h"
#include "gossip/base/text.h"
#include "gossip/wire/sign.h"

#define CERTIFICATES_FILE_MAX (4u << 20)

bool roots_certificate_is_issuer(const struct roots_certificate *one)
{
    return (one->body.roles & BODY_ROLE_ISSUER) != 0;
}

bool roots_certificate_is_by(const struct roots_certificate *one,
                             const uint8_t key[32])
{
    return memcmp(one->record.writer, key, 32) == 0;
}

void roots_certificates_done(struct roots_certificates *certificates)
{
    free(certificates->all);
    *certificates = (struct roots_certificates){0};
}

/* Takes the bytes in as the next one; false: no certificate. */
static bool take(struct roots_certificates *certificates, const uint8_t *bytes,
                 size_t size)
{
    struct roots_certificate *one = &certificates->all[certificates->n];

    if (size > sizeof(one->bytes)) {
        return false;
    }
    memcpy(one->bytes, bytes, size);
    if (record_parse(one->bytes, size, &one->record) != 0 ||
        body_get_certificate(&one->record, &one->body) != 0) {
        return false;
    }
    certificates->n++;
    return true;
}

static void copy_text(const json_t *root, const char *key, char *text,
                      size_t size)
{
    const char *value = json_string_value(json_object_get(root, key));

    (void)snprintf(text, size, "%s", value != NULL ? value : "");
}

static int get_from_agent(struct roots *roots, struct roots_certificates *ret)
{
    json_auto_t *answer = NULL;
    const json_t *list;
    const json_t *item;
    size_t i;
    int status = roots_ask(roots, "GET", "/api/v1/certificates", NULL, &answer);

    if (status != 0) {
        return status;
    }
    list = json_object_get(answer, "certificates");
    ret->all = calloc(json_array_size(list) + 1, sizeof(ret->all[0]));
    if (ret->all == NULL) {
        return roots_no_memory(roots);
    }
    json_array_foreach (list, i, item) {
        uint8_t bytes[LIMIT_RECORD_SIZE];
        size_t size = 0;

        if (roots_get_bytes(item, "raw", bytes, sizeof(bytes), &size) &&
            take(ret, bytes, size)) {
            struct roots_certificate *one = &ret->all[ret->n - 1];

            copy_text(item, "state", one->state, sizeof(one->state));
            copy_text(item, "issuer", one->issuer, sizeof(one->issuer));
        }
    }
    return 0;
}

static int get_from_file(const struct roots *roots, const char *path,
                         struct roots_certificates *ret)
{
    _cleanup_(free_pointer) uint8_t *bytes = malloc(CERTIFICATES_FILE_MAX);
    size_t one_size = 0;
    size_t size = 0;
    int error;

    if (bytes == NULL) {
        return roots_no_memory(roots);
    }
    error = file_read(path, bytes, CERTIFICATES_FILE_MAX, &size);
    if (error != 0) {
        return roots_fail(roots, "cannot read %s: %s", path, strerror(-error));
    }
    ret->all = calloc(size / RECORD_HEADER_SIZE + 1, sizeof(ret->all[0]));
    if (ret->all == NULL) {
        return roots_no_memory(roots);
    }
    for (size_t at = 0; at < size && error == 0; at += one_size) {
        if (record_peek_size(bytes + at, size - at, &one_size) != 0 ||
            one_size > size - at || !take(ret, bytes + at, one_size) ||
            sign_verify(&ret->all[ret->n - 1].record) != 0) {
            error = -EBADMSG;
        }
    }
    if (error != 0 || ret->n == 0) {
        (void)roots_fail(roots,
                         "%s: expected certificates, as agentctl cert show "
                         "--raw writes them",
                         path);
        return CTL_EXIT_USAGE;
    }
    return 0;
}

int roots_certificates_get(struct roots *roots, struct roots_certificates *ret)
{
    const char *path = roots_option(roots, "--certificate");
    struct roots_certificates certificates = {.n = 0};
    int status = path != NULL ? get_from_file(roots, path, &certificates)
                              : get_from_agent(roots, &certificates);

    if (status != 0) {
        roots_certificates_done(&certificates);
        return status;
    }
    *ret = certificates;
    return 0;
}

/* Names as everybody compares them. */
static bool is_named(const struct roots_certificate *one, const char *node)
{
    char name[BODY_NAME_SIZE], wanted[BODY_NAME_SIZE];

    return body_name_canonical(one->body.name, name) == 0 &&
           body_name_canonical(node, wanted) == 0 && strcmp(name, wanted) == 0;
}

static bool is_better(const struct roots_certificate *one,
                      const struct roots_certificate *best)
{
    bool is_in_force = strcmp(one->state, "in-force") == 0;

    if (best == NULL) {
        return true;
    }
    if (is_in_force != (strcmp(best->state, "in-force") == 0)) {
        return is_in_force;
    }
    return one->body.not_after_s > best->body.not_after_s;
}

const struct roots_certificate *
roots_certificates_find(const struct roots *roots,
                        const struct roots_certificates *certificates,
                        const char *node)
{
    const struct roots_certificate *best = NULL;
    uint8_t key[32];
    bool has_key = text_to_bytes(node, strlen(node), key, sizeof(key)) == 0;

    for (size_t i = 0; i < certificates->n; i++) {
        const struct roots_certificate *one = &certificates->all[i];

        if ((has_key ? memcmp(one->body.sign_public, key, sizeof(key)) == 0
                     : is_named(one, node)) &&
            is_better(one, best)) {
            best = one;
        }
    }
    if (best == NULL) {
        (void)roots_fail(roots,
                         "there is no certificate of %s; agentctl cert show "
                         "names those there are",
                         node);
    }
    return best;
}

/* --- Making ------------------------------------------------------------------
 */

void roots_records_done(struct roots_records *records)
{
    free(records->bytes);
    *records = (struct roots_records){0};
}

static int add(struct roots_records *records, const struct roots_key *key,
               struct record_fields *fields)
{
    uint8_t bytes[LIMIT_RECORD_SIZE];
    size_t size;
    uint8_t *longer;
    int error;

    fields->writer = key->public;
    size = record_build(fields, bytes, sizeof(bytes));
    if (size == 0) {
        return -EMSGSIZE;
    }
    error = sign_record(bytes, size, key->secret);
    if (error != 0) {
        return error;
    }
    longer = realloc(records->bytes, records->size + size);
    if (longer == NULL) {
        return -ENOMEM;
    }
    memcpy(longer + records->size, bytes, size);
    records->bytes = longer;
    records->size += size;
    records->n++;
    return 0;
}

/* Behind what the same root wrote of it. */
static struct record_order order_after(const struct roots_key *key,
                                       const struct roots_certificate *before,
                                       uint64_t now_ms)
{
    bool is_own =
        memcmp(before->record.writer, key->public, sizeof(key->public)) == 0;

    return roots_order(now_ms / 1000, is_own ? before->record.order
                                             : (struct record_order){0});
}

int roots_records_certify(struct roots_records *records,
                          const struct roots_key *key,
                          const struct roots_certificate *before,
                          const struct body_certificate *body, uint64_t now_ms)
{
    uint8_t packed[LIMIT_RECORD_SIZE];
    struct record_fields fields = {
        .kind = RECORD_CERTIFICATE,
        .cluster = before->record.cluster,
        .order = order_after(key, before, now_ms),
        .hlc = now_ms << 16,
        .key = body->sign_public,
        .key_size = sizeof(body->sign_public),
        .body = packed,
    };
    int error =
        body_put_certificate(body, packed, sizeof(packed), &fields.body_size);

    return error != 0 ? -EMSGSIZE : add(records, key, &fields);
}

int roots_records_revoke(struct roots_records *records,
                         const struct roots_key *key,
                         const struct roots_certificate *subject,
                         bool is_lifted, uint64_t now_ms)
{
    struct body_revocation body = {.serial = 0, .is_lifted = is_lifted};
    uint8_t packed[LIMIT_RECORD_SIZE];
    struct record_fields fields = {
        .kind = RECORD_REVOCATION,
        .cluster = subject->record.cluster,
        .order = roots_order(now_ms / 1000, (struct record_order){0}),
        .hlc = now_ms << 16,
        .key = subject->body.sign_public,
        .key_size = sizeof(subject->body.sign_public),
        .body = packed,
    };
    int error =
        body_put_revocation(&body, packed, sizeof(packed), &fields.body_size);

    return error != 0 ? -EMSGSIZE : add(records, key, &fields);
}

int roots_records_deliver(struct roots *roots,
                          const struct roots_records *records)
{
    const char *path = roots_option(roots, "--output");
    int error;

    if (path == NULL) {
        return roots_submit(roots, records->bytes, records->size);
    }
    error = file_create(path, records->bytes, records->size, 0644);
    if (error != 0) {
        return roots_fail(roots, "cannot make %s: %s", path,
                          error == -EEXIST ? "it is there already"
                                           : strerror(-error));
    }
    (void)printf("%s has %zu record%s: agentctl record submit %s, on any "
                 "host\n",
                 path, records->n, records->n == 1 ? "" : "s", path);
    return 0;
}
