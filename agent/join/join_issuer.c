/*
 * The issuer's half of joining: checks, redeems the token, writes the
 * certificate as an own record, answers; see join_issuer.h.  join_message.c
 * knows the bytes, join_grant.c what the token allows, join_judge.c what may be
 * given away, join_replace.c who may be put out of the way.
 */
#include "agent/join/join_issuer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "agent/core/core.h"
#include "agent/core/store_thread.h"
#include "agent/identity/identity.h"
#include "agent/identity/token.h"
#include "agent/identity/token_ledger.h"
#include "agent/join/join_grant.h"
#include "agent/join/join_judge.h"
#include "agent/join/join_message.h"
#include "agent/join/join_replace.h"
#include "agent/system/log.h"
#include "gossip/wire/message.h"

enum join_state {
    JOIN_STATE_WAITING = 0, /* for the request */
    JOIN_STATE_BUSY,        /* a callback of store or core is due */
    JOIN_STATE_ENDED,
};

struct join_issuer {
    struct core *core;
    join_issuer_send_fn send; /* NULL: the stream is gone */
    void *data;
    enum join_state state;
    struct join_request request;
    struct store_token token; /* that it came with */
    struct body_certificate body;
    bool has_holder; /* of the name, who is to be replaced ... */
    uint8_t holder[32];
    uint8_t frame[LIMIT_FRAME_SIZE];
};

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

static void destroy(struct join_issuer *issuer)
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
        destroy(issuer);
    }
    return NULL;
}

/* After the last callback.  `send` may free the issuer, so it goes last. */
static void end(struct join_issuer *issuer, const uint8_t *frame, size_t size)
{
    join_issuer_send_fn send = issuer->send;

    issuer->state = JOIN_STATE_ENDED;
    if (send == NULL) {
        destroy(issuer);
        return;
    }
    issuer->send = NULL;
    send(frame, size, true, issuer->data);
}

static void refuse(struct join_issuer *issuer, enum join_status status,
                   const char *format, ...) _printf_(3, 4);

static void refuse(struct join_issuer *issuer, enum join_status status,
                   const char *format, ...)
{
    struct join_answer answer = {.status = status};
    uint8_t frame[JOIN_ANSWER_SIZE];
    size_t size = 0;
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(answer.text, sizeof(answer.text), format, arguments);
    va_end(arguments);
    log_info("join refused: name=%s reason=%s", issuer->request.name,
             answer.text);
    if (join_answer_pack(&answer, frame, sizeof(frame), &size) != 0) {
        size = 0; /* cannot be: the frame is larger than any text */
    }
    end(issuer, frame, size);
}

static void refuse_failed(struct join_issuer *issuer, const char *why)
{
    refuse(issuer, JOIN_ISSUER_FAILED,
           "the issuer could not admit this host: %s; run the same command "
           "again when that is mended: the token stays good for this host "
           "until it expires",
           why);
}

/* What frames hold records so far; sent when the next does not fit. */
struct join_records {
    struct join_issuer *issuer;
    struct writer writer;
};

static void flush(struct join_records *records)
{
    struct join_issuer *issuer = records->issuer;

    if (writer_size(&records->writer) > 0 && issuer->send != NULL) {
        issuer->send(issuer->frame, writer_size(&records->writer), false,
                     issuer->data);
    }
    records->writer = writer_init(issuer->frame, sizeof(issuer->frame));
}

static int add_record(const struct record *record, void *data)
{
    struct join_records *records = data;

    if (writer_left(&records->writer) < MESSAGE_HEADER_SIZE + record->size) {
        flush(records);
    }
    message_put_record(&records->writer, record->bytes, record->size);
    return 0;
}

/* Charters, revocations, every certificate and member record, then the end. */
static void send_records(struct join_issuer *issuer)
{
    struct join_records records = {.issuer = issuer};
    const struct node *node = issuer->core->node;

    records.writer = writer_init(issuer->frame, sizeof(issuer->frame));
    (void)node_records_each(node, RECORD_CHARTER, add_record, &records);
    (void)node_records_each(node, RECORD_REVOCATION, add_record, &records);
    (void)node_records_each(node, RECORD_CERTIFICATE, add_record, &records);
    (void)node_records_each(node, RECORD_MEMBER, add_record, &records);
    if (writer_left(&records.writer) < MESSAGE_HEADER_SIZE) {
        flush(&records);
    }
    message_put_done(&records.writer);
    end(issuer, issuer->frame, writer_size(&records.writer));
}

static void answer(struct join_issuer *issuer, const struct record *certificate)
{
    const struct genesis *genesis = &issuer->core->identity->genesis;
    struct join_answer ok = {
        .status = JOIN_OK,
        .genesis = genesis->bytes,
        .genesis_size = genesis->size,
        .certificate = certificate->bytes,
        .certificate_size = certificate->size,
    };
    uint8_t frame[JOIN_ANSWER_SIZE];
    size_t size = 0;

    (void)snprintf(ok.text, sizeof(ok.text), "welcome to %s", genesis->name);
    if (join_answer_pack(&ok, frame, sizeof(frame), &size) != 0) {
        refuse_failed(issuer, "its answer would be too large");
        return;
    }
    log_info("join: name=%s admitted", issuer->request.name);
    if (issuer->send != NULL) {
        issuer->send(frame, size, false, issuer->data);
    }
    send_records(issuer);
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
        refuse_failed(issuer, core->store_problem != NULL
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
        refuse(issuer, JOIN_ISSUER_FAILED, "%s", text);
        return;
    }
    if (!find_certificate(issuer, &record, &body)) {
        refuse_failed(issuer, "the certificate was replaced meanwhile");
        return;
    }
    answer(issuer, &record);
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
        refuse_failed(issuer, "it is only starting");
    } else if (error == NODE_E_TOO_LARGE || error == -ENOBUFS) {
        refuse(issuer, JOIN_MALFORMED,
               "name, addresses, subnets and functions do not fit into one "
               "certificate; use fewer subnets, or a token with fewer "
               "function patterns");
    } else if (error == NODE_E_TWIN) {
        refuse_failed(issuer, "another agent writes with its key; see "
                              "`agentctl status` there");
    } else if (error == NODE_E_FROZEN) {
        refuse_failed(issuer, "two of its records contradict each other; see "
                              "`agentctl status` there");
    } else if (error == NODE_E_LIMIT) {
        refuse_failed(issuer, "it has written as many records as one node may");
    } else if (error != 0) {
        refuse_failed(issuer, "it could not write the certificate");
    }
}

static void refuse_token(struct join_issuer *issuer, int error)
{
    const struct core *core = issuer->core;

    if (error == STORE_E_NOT_FOUND) {
        refuse(issuer, JOIN_TOKEN_UNKNOWN,
               "this token is not known here (wrong, or long expired); get a "
               "new one with \"agentctl token create\" on node \"%s\"",
               core->identity->body.name);
    } else if (error == STORE_E_USED) {
        refuse(issuer, JOIN_TOKEN_USED,
               "this token was used before, and each admits one host; get a "
               "new one with \"agentctl token create\" on node \"%s\"",
               core->identity->body.name);
    } else if (error == STORE_E_REVOKED) {
        refuse(issuer, JOIN_TOKEN_UNKNOWN,
               "this token was revoked; get a new one with \"agentctl token "
               "create\" on node \"%s\"",
               core->identity->body.name);
    } else if (error == STORE_E_EXPIRED) {
        refuse(issuer, JOIN_TOKEN_EXPIRED,
               "this token has expired; get a new one with \"agentctl token "
               "create\" on node \"%s\"",
               core->identity->body.name);
    } else {
        refuse_failed(issuer, store_error_text(error));
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
        refuse_failed(issuer, core->store_problem != NULL
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
        refuse(issuer, JOIN_ISSUER_FAILED, "%s", text);
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
        refuse_failed(issuer, "it cannot write the revocation of the former "
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
        refuse_token(issuer, error);
        return;
    }
    token_ledger_use(issuer->core->tokens, token);
    join_grant_fill(&issuer->request, token, now_s, issuer_ends_s(issuer),
                    body);
    if (find_certificate(issuer, &record, &old)) {
        if (join_grant_is_same(&old, body) && old.not_after_s > now_s &&
            !is_denied(issuer)) {
            answer(issuer, &record); /* the first answer got lost */
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
        refuse(issuer, status, "%s", text);
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
        refuse_token(issuer, error);
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
        refuse_failed(issuer, strerror(-error));
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
        refuse(issuer, JOIN_MALFORMED,
               "the request is malformed; are both agents of versions that "
               "fit (agent version)?");
        return false;
    }
    if ((core->identity->body.roles & BODY_ROLE_ISSUER) == 0) {
        refuse(issuer, JOIN_NOT_ISSUER,
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
        refuse_failed(issuer, strerror(-error));
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
