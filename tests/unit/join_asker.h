/*
 * A joiner for tests of the issuer's half: it asks, and keeps what comes back.
 */
#ifndef SOCKETNET_TESTS_JOIN_ASKER_H
#define SOCKETNET_TESTS_JOIN_ASKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/join/join_client.h"
#include "agent/join/join_message.h"
#include "tests/unit/join_fixture.h"

/* What the issuer sent to one joiner. */
struct join_heard {
    struct join_answer answer;
    uint8_t first[JOIN_ANSWER_SIZE];
    struct join_result result;
    unsigned n_frames;
    bool is_ended;
    bool is_done;
};

struct join_asker {
    struct identity keys;
    struct join_request request;
    uint8_t frame[LIMIT_JOIN_REQUEST_SIZE];
    size_t size;
};

/* A host "hostNUMBER" at 100.104.70.NUMBER with 10.0.NUMBER.0/24, and fresh
 * keys. */
struct join_asker join_asker_make(const struct token *token, uint8_t number);
/* Signs what its request says now. */
void join_asker_pack(struct join_asker *joiner);
/* One whole join. */
struct join_heard *join_asker_ask(struct join_fixture *fixture,
                                  struct join_asker *joiner);
void join_asker_free(struct join_heard *heard);
/* One join, and what it is to be answered. */
void join_asker_expect(struct join_fixture *fixture, struct join_asker *joiner,
                       enum join_status status, const char *text);
/* A join_issuer_send_fn, for a struct join_heard. */
void join_asker_on_frame(const uint8_t *frame, size_t size, bool is_last,
                         void *data);

#endif
