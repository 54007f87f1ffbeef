/*
 * See join_asker.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/join/join_issuer.h"
#include "gossip/base/cursor.h"
#include "gossip/wire/message.h"
#include "tests/unit/join_asker.h"

static void take_records(struct join_heard *heard, const uint8_t *bytes,
                         size_t size)
{
    struct reader reader = reader_init(bytes, size);

    while (reader_left(&reader) > 0) {
        struct join_result *result = &heard->result;
        struct message message;

        assert_int_equal(message_next(&reader, &message), 0);
        if (message.type == MESSAGE_RECORD) {
            result->records =
                realloc(result->records, result->records_size + message.size);
            memcpy(result->records + result->records_size, message.bytes,
                   message.size);
            result->records_size += message.size;
        }
        heard->is_done |= message.type == MESSAGE_DONE;
    }
}

void join_asker_on_frame(const uint8_t *frame, size_t size, bool is_last,
                         void *data)
{
    struct join_heard *heard = data;

    assert_false(heard->is_ended);
    assert_true(size <= LIMIT_FRAME_SIZE);
    if (heard->n_frames++ == 0) {
        assert_true(size <= sizeof(heard->first));
        memcpy(heard->first, frame, size);
        assert_int_equal(join_answer_unpack(heard->first, size, &heard->answer),
                         0);
    } else {
        take_records(heard, frame, size);
    }
    heard->is_ended = is_last;
}

struct join_asker join_asker_make(const struct token *token, uint8_t number)
{
    struct join_asker joiner = {0};

    identity_generate_keys(&joiner.keys);
    memcpy(joiner.request.token_id, token->id, sizeof(token->id));
    memcpy(joiner.request.secret, token->secret, sizeof(token->secret));
    memcpy(joiner.request.sign_public, joiner.keys.sign_public, 32);
    memcpy(joiner.request.exchange_public, joiner.keys.exchange_public, 32);
    snprintf(joiner.request.name, sizeof(joiner.request.name), "host%u",
             number);
    joiner.request.mesh[0] =
        (struct endpoint){.address = {4, {100, 104, 70, number}}, .port = 7720};
    joiner.request.n_mesh = 1;
    joiner.request.subnets[0] =
        (struct prefix){.address = {4, {10, 0, number}}, .len = 24};
    joiner.request.n_subnets = 1;
    return joiner;
}

void join_asker_pack(struct join_asker *joiner)
{
    assert_int_equal(join_request_pack(&joiner->request,
                                       joiner->keys.sign_secret, joiner->frame,
                                       sizeof(joiner->frame), &joiner->size),
                     0);
}

/* One whole join. */
struct join_heard *join_asker_ask(struct join_fixture *fixture,
                                  struct join_asker *joiner)
{
    struct join_heard *heard = calloc(1, sizeof(*heard));
    struct join_issuer *issuer = NULL;

    join_asker_pack(joiner);
    assert_int_equal(
        join_issuer_new(&fixture->core, join_asker_on_frame, heard, &issuer),
        0);
    join_issuer_frame(issuer, joiner->frame, joiner->size);
    join_fixture_run(fixture, &heard->is_ended);
    join_issuer_free(issuer);
    return heard;
}

void join_asker_free(struct join_heard *heard)
{
    join_result_done(&heard->result);
    free(heard);
}

void join_asker_expect(struct join_fixture *fixture, struct join_asker *joiner,
                       enum join_status status, const char *text)
{
    struct join_heard *heard = join_asker_ask(fixture, joiner);

    assert_int_equal(heard->answer.status, status);
    if (strstr(heard->answer.text, text) == NULL) {
        print_error("expected: %s\ngot: %s\n", text, heard->answer.text);
        fail();
    }
    assert_int_equal(heard->n_frames == 1, status != JOIN_OK);
    join_asker_free(heard);
}
