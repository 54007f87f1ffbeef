/*
 * See join_provision.h.
 */
#include "agent/join/join_provision.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/core.h"
#include "agent/join/join_issuer.h"
#include "gossip/base/cursor.h"
#include "gossip/wire/message.h"

#define FRAME_HEAD_SIZE 4

struct provision {
    struct join_issuer *issuer;
    join_provision_fn done;
    void *data;
    uint8_t *bytes;
    size_t size;
    bool is_done;
    bool is_starting; /* the issuer is still in use by the caller */
    int error;
    char problem[JOIN_TEXT_SIZE];
};

static void provision_free(struct provision *provision)
{
    provision->issuer = join_issuer_free(provision->issuer);
    free(provision->bytes);
    free(provision);
}

static void add_frame(struct provision *provision, const uint8_t *frame,
                      size_t size)
{
    size_t total = provision->size + FRAME_HEAD_SIZE + size;
    uint8_t *bytes = realloc(provision->bytes, total);
    struct writer writer;

    if (bytes == NULL) {
        provision->error = -ENOMEM;
        return;
    }
    writer = writer_init(bytes + provision->size, FRAME_HEAD_SIZE + size);
    writer_u32(&writer, (uint32_t)size);
    writer_put(&writer, frame, size);
    provision->bytes = bytes;
    provision->size = total;
}

static void on_frame(const uint8_t *frame, size_t size, bool is_last,
                     void *data)
{
    struct provision *provision = data;
    struct join_answer answer;

    if (provision->size == 0 &&
        (join_answer_unpack(frame, size, &answer) != 0 ||
         answer.status != JOIN_OK)) {
        (void)snprintf(provision->problem, sizeof(provision->problem), "%s",
                       size > 0 && join_answer_unpack(frame, size, &answer) == 0
                           ? answer.text
                           : "there is no answer");
    } else {
        add_frame(provision, frame, size);
    }
    if (!is_last) {
        return;
    }
    if (provision->error != 0) {
        (void)snprintf(provision->problem, sizeof(provision->problem),
                       "the agent is out of memory");
    }
    provision->done(provision->problem[0] != '\0' ? provision->problem : NULL,
                    provision->bytes, provision->size, provision->data);
    provision->is_done = true;
    if (!provision->is_starting) {
        provision_free(provision);
    }
}

/* What the operator says, as a token would say it. */
static int make_grant(const struct core *core, const char *const *functions,
                      size_t n_functions, const struct token_bounds *bounds,
                      struct store_token *ret, char **ret_problem)
{
    struct token token;
    int error = token_new(core->identity, functions, n_functions,
                          core_wall_ms(core) / 1000, TOKEN_TTL_MIN_S, &token,
                          ret, ret_problem);

    if (error == 0) {
        error = token_bind(bounds, node_charter(core->node, NULL), &token, ret,
                           ret_problem);
    }
    token_wipe(&token);
    return error;
}

int join_provision_issue(struct core *core, const uint8_t *request, size_t size,
                         const char *const *functions, size_t n_functions,
                         const struct token_bounds *bounds,
                         join_provision_fn done, void *data, char **ret_problem)
{
    struct provision *provision;
    struct store_token grant;
    int error;

    *ret_problem = NULL;
    error =
        make_grant(core, functions, n_functions, bounds, &grant, ret_problem);
    if (error != 0) {
        return error;
    }
    provision = calloc(1, sizeof(*provision));
    if (provision == NULL) {
        return -ENOMEM;
    }
    provision->done = done;
    provision->data = data;
    error = join_issuer_new(core, on_frame, provision, &provision->issuer);
    if (error != 0) {
        free(provision);
        return error;
    }
    provision->is_starting = true;
    join_issuer_grant(provision->issuer, request, size, &grant);
    provision->is_starting = false;
    if (provision->is_done) {
        provision_free(provision);
    }
    return 0;
}

/* --- the joiner --- */

static int forged(const char *why, char **ret_error)
{
    if (asprintf(ret_error,
                 "this is no answer of \"agentctl cert issue\": %s; nothing "
                 "was stored",
                 why) < 0) {
        *ret_error = NULL;
    }
    return JOIN_E_FORGED;
}

static int take_answer(const uint8_t *frame, size_t size,
                       struct join_result *result)
{
    struct join_answer answer;

    if (join_answer_unpack(frame, size, &answer) != 0 ||
        answer.status != JOIN_OK ||
        genesis_parse(answer.genesis, answer.genesis_size, &result->genesis) !=
            0 ||
        answer.certificate_size > sizeof(result->certificate)) {
        return -EBADMSG;
    }
    memcpy(result->certificate, answer.certificate, answer.certificate_size);
    result->certificate_size = answer.certificate_size;
    memcpy(result->text, answer.text, sizeof(result->text));
    return 0;
}

/* The records of a frame, behind those before it; there is room for all. */
static int take_records(const uint8_t *frame, size_t size,
                        struct join_result *result, bool *ret_done)
{
    struct reader reader = reader_init(frame, size);

    while (reader_left(&reader) > 0 && !*ret_done) {
        struct message message;

        if (message_next(&reader, &message) != 0) {
            return -EBADMSG;
        }
        if (message.type == MESSAGE_RECORD) {
            memcpy(result->records + result->records_size, message.bytes,
                   message.size);
            result->records_size += message.size;
            result->n_records++;
        }
        *ret_done = message.type == MESSAGE_DONE;
    }
    return 0;
}

static int take_file(const uint8_t *bytes, size_t size,
                     struct join_result *result)
{
    struct reader reader = reader_init(bytes, size);
    bool is_first = true;
    bool is_done = false;
    int error = 0;

    while (error == 0 && !is_done) {
        size_t frame_size = reader_u32(&reader);
        const uint8_t *frame = reader_take(&reader, frame_size);

        if (frame == NULL || reader.failed) {
            return -EBADMSG;
        }
        error = is_first ? take_answer(frame, frame_size, result)
                         : take_records(frame, frame_size, result, &is_done);
        is_first = false;
    }
    return error;
}

int join_provision_read(const uint8_t *bytes, size_t size,
                        const struct identity *identity, const char *name,
                        struct join_result *ret, char **ret_error)
{
    struct join_request request = {0};
    struct join_result result = {0};
    int error;

    *ret_error = NULL;
    result.records = malloc(MAX_OF(size, (size_t)1));
    if (result.records == NULL) {
        return -ENOMEM;
    }
    memcpy(request.sign_public, identity->sign_public, 32);
    memcpy(request.exchange_public, identity->exchange_public, 32);
    (void)snprintf(request.name, sizeof(request.name), "%s", name);
    if (take_file(bytes, size, &result) != 0) {
        error = forged("it is cut off, or damaged", ret_error);
    } else {
        error = join_verify(NULL, &request, &result, ret_error);
    }
    if (error != 0) {
        join_result_done(&result);
        return error;
    }
    *ret = result;
    return 0;
}
