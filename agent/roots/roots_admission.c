/*
 * agent admission grant, renew, revoke, lift: who may admit others.
 * roots_admission_ls.c says who does.
 */
#include "agent/roots/roots_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <sodium.h>

#include "agent/ctl/ctl.h"
#include "agent/system/clock.h"
#include "gossip/base/text.h"

#define DAY_S            86400u
#define YEAR_S           (365u * DAY_S)
#define ISSUER_YEARS     3u
#define ADMISSION_BACK_S 3600u

/* What a command works on. */
struct admission {
    struct roots *roots;
    struct roots_key key;
    struct roots_certificates certificates;
    const struct roots_certificate *node;
    struct roots_records records;
    uint64_t now_ms;
};

static bool has_state(const struct roots_certificate *one, const char *state)
{
    return strcmp(one->state, state) == 0;
}

/* Of a file nothing is known but that somebody took it to be in force. */
static bool is_in_force(const struct roots_certificate *one)
{
    return one->state[0] == '\0' || has_state(one, "in-force");
}

/* The member whose key this is, or NULL: a root's. */
static const struct roots_certificate *
find_key(const struct roots_certificates *certificates, const uint8_t key[32])
{
    for (size_t i = 0; i < certificates->n; i++) {
        if (memcmp(certificates->all[i].body.sign_public, key, 32) == 0) {
            return &certificates->all[i];
        }
    }
    return NULL;
}

/* Online it is seen before anything is signed that no host would take. */
static int check_key(struct admission *admission)
{
    json_auto_t *charter = NULL;
    char text[65];
    const json_t *root;
    size_t i;
    int status;

    if (roots_option(admission->roots, "--certificate") != NULL) {
        return 0;
    }
    status =
        roots_ask(admission->roots, "GET", "/api/v1/charter", NULL, &charter);
    if (status != 0) {
        return status;
    }
    (void)text_from_bytes(admission->key.public, 32, text);
    json_array_foreach (json_object_get(charter, "roots"), i, root) {
        if (strcmp(json_string_value(root), text) == 0) {
            return 0;
        }
    }
    (void)roots_fail(admission->roots,
                     "this key is no root of the cluster: %s; agent charter "
                     "show names them",
                     text);
    return CTL_EXIT_DENIED;
}

static int begin(struct admission *admission)
{
    struct roots *roots = admission->roots;
    int status = roots_key_open(roots, &admission->key);

    admission->now_ms = clock_wall_ms();
    if (status == 0) {
        status = check_key(admission);
    }
    if (status == 0) {
        status = roots_certificates_get(roots, &admission->certificates);
    }
    if (status == 0) {
        admission->node = roots_certificates_find(
            roots, &admission->certificates, roots_word(roots, 0));
        status = admission->node != NULL ? 0 : CTL_EXIT_NOT_FOUND;
    }
    return status;
}

static int run(const struct program_call *call,
               int (*fn)(struct admission *admission))
{
    struct roots roots = {.call = call};
    struct admission admission = {.roots = &roots};
    int status = begin(&admission);

    if (status == 0) {
        status = fn(&admission);
    }
    sodium_memzero(&admission.key, sizeof(admission.key));
    roots_certificates_done(&admission.certificates);
    roots_records_done(&admission.records);
    roots_done(&roots);
    return status;
}

static int fail_making(const struct admission *admission, int error)
{
    return roots_fail(admission->roots, "cannot make a record: %s",
                      error == -EMSGSIZE ? "it would be too long"
                                         : strerror(-error));
}

static int certify(struct admission *admission,
                   const struct roots_certificate *before,
                   const struct body_certificate *body)
{
    int error = roots_records_certify(&admission->records, &admission->key,
                                      before, body, admission->now_ms);

    return error != 0 ? fail_making(admission, error) : 0;
}

/* Whether a plain answer is to be given, as nothing went into a file. */
static bool is_submitted(const struct admission *admission)
{
    return roots_option(admission->roots, "--output") == NULL;
}

/* --- grant, renew ------------------------------------------------------------
 */

static void renew_serial(struct body_certificate *body)
{
    uint64_t before = body->serial;

    do {
        randombytes_buf(&body->serial, sizeof(body->serial));
    } while (body->serial == 0 || body->serial == before);
    body->generation++;
}

static int refuse_state(const struct admission *admission, const char *verb)
{
    const struct roots_certificate *node = admission->node;

    return roots_fail(admission->roots,
                      "%s cannot be %s: its certificate is "
                      "%s",
                      node->body.name, verb, node->state);
}

static int grant(struct admission *admission)
{
    const struct roots_certificate *node = admission->node;
    struct body_certificate body = node->body;
    char date[ROOTS_DATE_SIZE];
    int status;

    if (!is_in_force(node)) {
        return refuse_state(admission, "made an issuer");
    }
    if (roots_certificate_is_issuer(node)) {
        return roots_fail(admission->roots,
                          "%s is an issuer already; agent admission renew "
                          "gives it a later end",
                          body.name);
    }
    body.roles |= BODY_ROLE_ISSUER;
    renew_serial(&body);
    body.not_before_s = admission->now_ms / 1000 - ADMISSION_BACK_S;
    body.not_after_s = admission->now_ms / 1000 + ISSUER_YEARS * YEAR_S;
    status = certify(admission, node, &body);
    if (status == 0) {
        status = roots_records_deliver(admission->roots, &admission->records);
    }
    if (status == 0 && is_submitted(admission)) {
        (void)printf("%s is an issuer until %s: agentctl token create works "
                     "there\n",
                     body.name, roots_date(body.not_after_s, date));
    }
    return status;
}

int roots_admission_grant(const struct program_call *call)
{
    return run(call, grant);
}

static int renew(struct admission *admission)
{
    const struct roots_certificate *node = admission->node;
    const struct roots_certificate *issuer =
        find_key(&admission->certificates, node->record.writer);
    struct body_certificate body = node->body;
    char date[ROOTS_DATE_SIZE];
    int status;

    if (!is_in_force(node) && !has_state(node, "expired")) {
        return refuse_state(admission, "renewed");
    }
    if (!roots_certificate_is_issuer(node) && issuer != NULL) {
        return roots_fail(admission->roots,
                          "%s was admitted by %s, and issuers renew it: "
                          "agentctl cert renew %s on one",
                          body.name, issuer->body.name, body.name);
    }
    body.not_after_s =
        admission->now_ms / 1000 +
        (roots_certificate_is_issuer(node) ? ISSUER_YEARS : 1u) * YEAR_S;
    if (body.not_after_s <= node->body.not_after_s &&
        !roots_certificate_is_by(node, admission->key.public) &&
        issuer == NULL) {
        body.not_after_s = node->body.not_after_s; /* another root's word */
    } else if (body.not_after_s <= node->body.not_after_s) {
        return roots_fail(admission->roots,
                          "%s ends on %s, which is later than a renewal today "
                          "would",
                          body.name, roots_date(node->body.not_after_s, date));
    }
    status = certify(admission, node, &body);
    if (status == 0) {
        status = roots_records_deliver(admission->roots, &admission->records);
    }
    if (status == 0 && is_submitted(admission)) {
        (void)printf("%s is certified until %s\n", body.name,
                     roots_date(body.not_after_s, date));
    }
    return status;
}

int roots_admission_renew(const struct program_call *call)
{
    return run(call, renew);
}

/* --- revoke, lift ------------------------------------------------------------
 */

/* What the node certified is certified by the root, as it is, so that nobody
 * falls out with it. */
static int keep_admitted(struct admission *admission, size_t *ret_n)
{
    const uint8_t *key = admission->node->body.sign_public;
    int status = 0;

    *ret_n = 0;
    for (size_t i = 0; i < admission->certificates.n && status == 0; i++) {
        const struct roots_certificate *one = &admission->certificates.all[i];

        if (roots_certificate_is_by(one, key) &&
            (is_in_force(one) || has_state(one, "expired"))) {
            status = certify(admission, one, &one->body);
            (*ret_n)++;
        }
    }
    return status;
}

static void warn_last(const struct admission *admission)
{
    for (size_t i = 0; i < admission->certificates.n; i++) {
        const struct roots_certificate *one = &admission->certificates.all[i];

        if (one != admission->node && roots_certificate_is_issuer(one) &&
            is_in_force(one)) {
            return;
        }
    }
    (void)fprintf(stderr,
                  "warning: no issuer is left: nobody can be admitted until "
                  "agent admission grant makes one\n");
}

static int end_role(struct admission *admission, bool is_key_lost)
{
    const struct roots_certificate *node = admission->node;
    struct body_certificate body = node->body;
    int error;

    if (!is_key_lost) {
        body.roles &= ~(uint32_t)BODY_ROLE_ISSUER;
        renew_serial(&body);
        return certify(admission, node, &body);
    }
    error = roots_records_revoke(&admission->records, &admission->key, node,
                                 false, admission->now_ms);
    return error != 0 ? fail_making(admission, error) : 0;
}

static int revoke(struct admission *admission)
{
    const struct roots *roots = admission->roots;
    const struct roots_certificate *node = admission->node;
    bool is_key_lost = roots_option(roots, "--key-lost") != NULL ||
                       roots_option(roots, "--remove") != NULL;
    size_t n_kept = 0;
    int status;

    if (!is_key_lost && !roots_certificate_is_issuer(node)) {
        return roots_fail(roots,
                          "%s is no issuer; to take its key out of the "
                          "cluster: --key-lost, or agentctl node remove %s on "
                          "an issuer",
                          node->body.name, node->body.name);
    }
    if (!is_in_force(node) && !(is_key_lost && !has_state(node, "revoked"))) {
        return refuse_state(admission, "revoked");
    }
    status = keep_admitted(admission, &n_kept);
    if (status == 0) {
        status = end_role(admission, is_key_lost);
    }
    if (status == 0) {
        status = roots_records_deliver(admission->roots, &admission->records);
    }
    if (status != 0) {
        return status;
    }
    if (is_submitted(admission)) {
        (void)printf("%s %s; %zu that it admitted stay%s, certified by the "
                     "root\n",
                     node->body.name,
                     is_key_lost ? "is out of the cluster"
                                 : "is an issuer no more",
                     n_kept, n_kept == 1 ? "s" : "");
    }
    warn_last(admission);
    return CTL_EXIT_OK;
}

int roots_admission_revoke(const struct program_call *call)
{
    return run(call, revoke);
}

/* Whether the agent has it as revoked still. */
static int check_lifted(struct admission *admission)
{
    struct roots_certificates now;
    const struct roots_certificate *node;
    int status = roots_certificates_get(admission->roots, &now);

    if (status != 0) {
        return status;
    }
    node = find_key(&now, admission->node->body.sign_public);
    if (node != NULL && has_state(node, "revoked")) {
        status = roots_fail(admission->roots,
                            "%s is revoked still, by a later word of a root: "
                            "see that the clock of this host is right",
                            node->body.name);
    }
    roots_certificates_done(&now);
    return status;
}

/* Of several of one name the one that is meant is revoked. */
static const struct roots_certificate *
find_revoked(const struct admission *admission)
{
    const struct roots_certificate *node = admission->node;

    for (size_t i = 0;
         i < admission->certificates.n && !has_state(node, "revoked"); i++) {
        const struct roots_certificate *one = &admission->certificates.all[i];

        if (has_state(one, "revoked") &&
            strcasecmp(one->body.name, node->body.name) == 0 &&
            strlen(roots_word(admission->roots, 0)) < 64) {
            node = one;
        }
    }
    return node;
}

static int lift(struct admission *admission)
{
    int status;
    int error;

    admission->node = find_revoked(admission);
    if (admission->node->state[0] != '\0' &&
        !has_state(admission->node, "revoked")) {
        return roots_fail(admission->roots, "%s is not revoked",
                          admission->node->body.name);
    }
    error = roots_records_revoke(&admission->records, &admission->key,
                                 admission->node, true, admission->now_ms);
    if (error != 0) {
        return fail_making(admission, error);
    }
    status = roots_records_deliver(admission->roots, &admission->records);
    if (status != 0 || !is_submitted(admission)) {
        return status;
    }
    status = check_lifted(admission);
    if (status == 0) {
        (void)printf("the revocation of %s is lifted\n",
                     admission->node->body.name);
    }
    return status;
}

int roots_admission_lift(const struct program_call *call)
{
    return run(call, lift);
}
