/*
 * The issuer's half of joining: checks, redeems the token, writes the
 * certificate as an own record; see join_issuer.h.  join_issuer_answer.c says
 * what came of it, join_message.c knows the bytes, join_grant.c what the token
 * allows, join_judge.c what may be given away, join_replace.c who may be put
 * out of the way.
 */
#include "agent/join/join_issuer_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "agent/core/core.h"
#include "agent/core/store_thread.h"
#include "agent/identity/identity.h"
#include "agent/identity/token_ledger.h"
#include "agent/join/join_grant.h"
#include "agent/join/join_judge.h"
#include "agent/join/join_replace.h"
#include "agent/system/log.h"

int join_issuer_new(struct core *core, join_issuer_send_fn send, void *data,
                    struct join_issuer **ret)
{
    struct join_issuer *issuer = calloc(1, sizeof(*issuer));

    if (issuer == NULL) {
        return -ENOMEM;
    }
    issuer->core = core;
    issuer->send = send;
    issuer->data = data;
    *ret = issuer;
    return 0;
}

void join_issuer_destroy(struct join_issuer *issuer)
{
    sodium_memzero(issuer, sizeof(*issuer));
    free(issuer);
}

struct join_issuer *join_issuer_free(struct join_issuer *issuer)
{
    if (issuer == NULL) {
        return NULL;
    }
    issuer->send = NULL;
    if (issuer->state != JOIN_STATE_BUSY) {
        join_issuer_destroy(issuer);
    }
    return NULL;
}

/* The certificate that this node has given to the joiner's key. */
static bool find_certificate(const struct join_issuer *issuer,
                             struct record *ret_record,
                             struct body_certificate *ret_body)
{
    const struct core *core = issuer->core;

    return node_record_find(core->node, core->identity->sign_public,
                            RECORD_CERTIFICATE, issuer->request.sign_public, 32,
                            ret_record) &&
           body_get_certificate(ret_record, ret_body) == 0;
}

/* A certificate has no tombstone: its serial is revoked, which gives name and
 * addresses free.  The next try gets another serial. */
static void end_certificate(const struct join_issuer *issuer)
{
    struct body_revocation revocation = {.reason = "lost to another join"};
    uint8_t bytes[LIMIT_RECORD_SIZE];
    struct body_certificate body;
    struct record record;
    size_t size = 0;
    int error = -ENOENT;

    if (find_certificate(issuer, &record, &body)) {
        revocation.serial = body.serial;
        error = body_put_revocation(&revocation, bytes, sizeof(bytes), &size);
    }
    if (error == 0) {
        error = core_write(issuer->core, RECORD_REVOCATION, body.sign_public,
                           32, bytes, size, NULL, NULL);
    }
    if (error != 0) {
        log_warning("join: certificate of refused name=%s stays: error=%d",
                    issuer->request.name, error);
    }
}

static void on_written(struct core *core, int error, struct record_order order,
                       void *data)
{
    struct join_issuer *issuer = data;
    struct body_certificate body;
    char text[JOIN_TEXT_SIZE];
    enum join_status status;
    struct record record;

    if (error != 0) {
        join_issuer_fail(issuer,
                         core->store_problem != NULL
                             ? core->store_problem
                             : "its store did not take the certificate");
        return;
    }
    status = join_judge_written(core->node, node_charter(core->node, NULL),
                                &issuer->request, core_wall_ms(core) / 1000,
                                core->identity->sign_public, order, text);
    if (status != JOIN_OK) {
        /* Another join with the same wish was written first. */
        end_certificate(issuer);
        /* The token is used up by this key, which may ask again with other
         * wishes: so not the status of a plain refusal. */
        join_issuer_refuse(issuer, JOIN_ISSUER_FAILED, "%s", text);
        return;
    }
    if (!find_certificate(issuer, &record, &body)) {
        join_issuer_fail(issuer, "the certificate was replaced meanwhile");
        return;
    }
    join_issuer_answer(issuer, &record);
}

static uint64_t issuer_ends_s(const struct join_issuer *issuer)
{
    struct node_member self;

    return node_member_find(issuer->core->node,
                            issuer->core->identity->sign_public, &self)
               ? self.certificate->not_after_s
               : 0;
}

/* Whether the joiner's key is certified no more. */
static bool is_denied(const struct join_issuer *issuer)
{
    struct node_member member;

    return node_member_find(issuer->core->node, issuer->request.sign_public,
                            &member) &&
           member.denial != NODE_DENIAL_NONE;
}

static void write_certificate(struct join_issuer *issuer,
                              const struct body_certificate *body)
{
    uint8_t bytes[LIMIT_RECORD_SIZE];
    size_t size = 0;
    int error;

    error = body_put_certificate(body, bytes, sizeof(bytes), &size);
    if (error == 0) {
        error = core_write(issuer->core, RECORD_CERTIFICATE, body->sign_public,
                           32, bytes, size, on_written, issuer);
    }
    if (error == NODE_E_NOT_READY) {
        join_issuer_fail(issuer, "it is only starting");
    } else if (error == NODE_E_TOO_LARGE || error == -ENOBUFS) {
        join_issuer_refuse(
            issuer, JOIN_MALFORMED,
            "name, addresses, subnets and functions do not fit into one "
            "certificate; use fewer subnets, or a token with fewer "
            "function patterns");
    } else if (error == NODE_E_TWIN) {
        join_issuer_fail(issuer, "another agent writes with its key; see "
                                 "`agentctl status` there");
    } else if (error == NODE_E_FROZEN) {
        join_issuer_fail(issuer,
                         "two of its records contradict each other; see "
                         "`agentctl status` there");
    } else if (error == NODE_E_LIMIT) {
        join_issuer_fail(issuer,
                         "it has written as many records as one node may");
    } else if (error != 0) {
        join_issuer_fail(issuer, "it could not write the certificate");
    }
}

/* The request may replace who has its name.  JOIN_OK, or the status and a
 * text. */
static enum join_status judge_holder(struct join_issuer *issuer,
                                     char text[JOIN_TEXT_SIZE])
{
    issuer->has_holder = false;
    return !issuer->request.replaces
               ? JOIN_OK
               : join_replace_judge(issuer->core->node, &issuer->request,
                                    &issuer->token,
                                    core_wall_ms(issuer->core) / 1000,
                                    &issuer->has_holder, issuer->holder, text);
}

static void on_replaced(struct core *core, int error, struct record_order order,
                        void *data)
{
    struct join_issuer *issuer = data;

    (void)order;
    if (error != 0) {
        join_issuer_fail(issuer, core->store_problem != NULL
                                     ? core->store_problem
                                     : "its store did not take the revocation");
        return;
    }
    log_info("join: name=%s its former key is revoked", issuer->request.name);
    write_certificate(issuer, &issuer->body);
}

/* First the old key is revoked, then the new one certified: when that is cut
 * short the same key asks again and finds the name free. */
static void replace(struct join_issuer *issuer)
{
    struct body_revocation revocation = {.serial = 0}; /* every certificate */
    uint8_t bytes[LIMIT_RECORD_SIZE];
    char text[JOIN_TEXT_SIZE];
    size_t size = 0;
    int error;

    /* While the token went to the disk it may have come back. */
    if (judge_holder(issuer, text) != JOIN_OK) {
        join_issuer_refuse(issuer, JOIN_ISSUER_FAILED, "%s", text);
        return;
    }
    if (!issuer->has_holder) {
        write_certificate(issuer, &issuer->body);
        return;
    }
    (void)snprintf(revocation.reason, sizeof(revocation.reason),
                   "replaced by %016" PRIx64,
                   record_node_id(issuer->request.sign_public));
    error = body_put_revocation(&revocation, bytes, sizeof(bytes), &size);
    if (error == 0) {
        error = core_write(issuer->core, RECORD_REVOCATION, issuer->holder, 32,
                           bytes, size, on_replaced, issuer);
    }
    if (error != 0) {
        join_issuer_fail(issuer, "it cannot write the revocation of the former "
                                 "key; see `agentctl status` there");
    }
}

static void on_redeemed(int error, const struct store_token *token, void *data)
{
    struct join_issuer *issuer = data;
    uint64_t now_s = core_wall_ms(issuer->core) / 1000;
    struct body_certificate *body = &issuer->body;
    struct body_certificate old;
    struct record record;

    if (error != 0) {
        join_issuer_refuse_token(issuer, error);
        return;
    }
    token_ledger_use(issuer->core->tokens, token);
    join_grant_fill(&issuer->request, token, now_s, issuer_ends_s(issuer),
                    body);
    if (find_certificate(issuer, &record, &old)) {
        if (join_grant_is_same(&old, body) && old.not_after_s > now_s &&
            !is_denied(issuer)) {
            join_issuer_answer(issuer, &record); /* the first answer got lost */
            return;
        }
        body->generation = old.generation;
    }
    if (issuer->has_holder) {
        replace(issuer);
    } else {
        write_certificate(issuer, body);
    }
}

/* Whether the request may have what it asks for by its token.  False: it has
 * been refused. */
static bool may_have(struct join_issuer *issuer)
{
    struct core *core = issuer->core;
    char text[JOIN_TEXT_SIZE];
    enum join_status status =
        join_grant_bounds(&issuer->request, &issuer->token, text);

    if (status == JOIN_OK) {
        status = judge_holder(issuer, text);
    }
    if (status == JOIN_OK) {
        status = join_judge(core->node, node_charter(core->node, NULL),
                            &issuer->request,
                            issuer->has_holder ? issuer->holder : NULL,
                            core_wall_ms(core) / 1000, text);
    }
    if (status != JOIN_OK) {
        join_issuer_refuse(issuer, status, "%s", text);
    }
    return status == JOIN_OK;
}

/* The token is looked at before the request, so that who has none learns
 * nothing of what is given away. */
static void on_token(int error, const struct store_token *token, void *data)
{
    struct join_issuer *issuer = data;
    struct core *core = issuer->core;
    uint64_t now_s = core_wall_ms(core) / 1000;

    if (error == 0) {
        error = join_grant_token(&issuer->request, token, now_s);
    }
    if (error != 0) {
        join_issuer_refuse_token(issuer, error);
        return;
    }
    issuer->token = *token;
    if (!may_have(issuer)) {
        return;
    }
    error = store_thread_redeem(core->store, issuer->request.token_id,
                                issuer->request.sign_public, now_s, on_redeemed,
                                issuer);
    if (error != 0) {
        join_issuer_fail(issuer, strerror(-error));
    }
}

/* The request, and whether this node may answer it.  False: it has been
 * refused, or is not waited for. */
static bool take_request(struct join_issuer *issuer, const uint8_t *bytes,
                         size_t size)
{
    const struct core *core = issuer->core;

    if (issuer->state != JOIN_STATE_WAITING || issuer->send == NULL) {
        return false;
    }
    if (join_request_unpack(bytes, size, &issuer->request) != 0) {
        join_issuer_refuse(
            issuer, JOIN_MALFORMED,
            "the request is malformed; are both agents of versions that "
            "fit (agent version)?");
        return false;
    }
    if ((core->identity->body.roles & BODY_ROLE_ISSUER) == 0) {
        join_issuer_refuse(
            issuer, JOIN_NOT_ISSUER,
            "node \"%s\" may not admit others any more; get a token from "
            "one that may",
            core->identity->body.name);
        return false;
    }
    issuer->state = JOIN_STATE_BUSY;
    return true;
}

void join_issuer_frame(struct join_issuer *issuer, const uint8_t *bytes,
                       size_t size)
{
    int error;

    if (!take_request(issuer, bytes, size)) {
        return;
    }
    error = store_thread_get_token(issuer->core->store,
                                   issuer->request.token_id, on_token, issuer);
    if (error != 0) {
        join_issuer_fail(issuer, strerror(-error));
    }
}

void join_issuer_grant(struct join_issuer *issuer, const uint8_t *bytes,
                       size_t size, const struct store_token *grant)
{
    struct join_request *request = &issuer->request;

    if (!take_request(issuer, bytes, size)) {
        return;
    }
    issuer->token = *grant;
    if (request->n_subnets == 0) {
        memcpy(request->subnets, grant->subnets, sizeof(request->subnets));
        request->n_subnets = grant->n_subnets;
    }
    if (may_have(issuer)) {
        on_redeemed(0, &issuer->token, issuer);
    }
}
