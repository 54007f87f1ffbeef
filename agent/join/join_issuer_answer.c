/*
 * What the joiner hears: why not, or its certificate and the records that it
 * begins with; see join_issuer.h.
 */
#include "agent/join/join_issuer_internal.h"

#include <stdarg.h>
#include <stdio.h>

#include "agent/core/core.h"
#include "agent/identity/identity.h"
#include "agent/system/log.h"
#include "gossip/base/cursor.h"
#include "gossip/wire/message.h"

/* After the last callback.  `send` may free the issuer, so it goes last. */
static void end(struct join_issuer *issuer, const uint8_t *frame, size_t size)
{
    join_issuer_send_fn send = issuer->send;

    issuer->state = JOIN_STATE_ENDED;
    if (send == NULL) {
        join_issuer_destroy(issuer);
        return;
    }
    issuer->send = NULL;
    send(frame, size, true, issuer->data);
}

void join_issuer_refuse(struct join_issuer *issuer, enum join_status status,
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

void join_issuer_fail(struct join_issuer *issuer, const char *why)
{
    join_issuer_refuse(
        issuer, JOIN_ISSUER_FAILED,
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

void join_issuer_answer(struct join_issuer *issuer,
                        const struct record *certificate)
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
        join_issuer_fail(issuer, "its answer would be too large");
        return;
    }
    log_info("join: name=%s admitted", issuer->request.name);
    if (issuer->send != NULL) {
        issuer->send(frame, size, false, issuer->data);
    }
    send_records(issuer);
}

void join_issuer_refuse_token(struct join_issuer *issuer, int error)
{
    const struct core *core = issuer->core;

    if (error == STORE_E_NOT_FOUND) {
        join_issuer_refuse(
            issuer, JOIN_TOKEN_UNKNOWN,
            "this token is not known here (wrong, or long expired); get a "
            "new one with \"agentctl token create\" on node \"%s\"",
            core->identity->body.name);
    } else if (error == STORE_E_USED) {
        join_issuer_refuse(
            issuer, JOIN_TOKEN_USED,
            "this token was used before, and each admits one host; get a "
            "new one with \"agentctl token create\" on node \"%s\"",
            core->identity->body.name);
    } else if (error == STORE_E_REVOKED) {
        join_issuer_refuse(
            issuer, JOIN_TOKEN_UNKNOWN,
            "this token was revoked; get a new one with \"agentctl token "
            "create\" on node \"%s\"",
            core->identity->body.name);
    } else if (error == STORE_E_EXPIRED) {
        join_issuer_refuse(
            issuer, JOIN_TOKEN_EXPIRED,
            "this token has expired; get a new one with \"agentctl token "
            "create\" on node \"%s\"",
            core->identity->body.name);
    } else {
        join_issuer_fail(issuer, store_error_text(error));
    }
}
