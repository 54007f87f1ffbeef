/*
 * What join_issuer.c (the checks and what they lead to) and
 * join_issuer_answer.c (what the joiner hears) share.
 */
#ifndef SOCKETNET_AGENT_JOIN_JOIN_ISSUER_INTERNAL_H
#define SOCKETNET_AGENT_JOIN_JOIN_ISSUER_INTERNAL_H

#include "agent/join/join_issuer.h"
#include "agent/join/join_message.h"
#include "gossip/wire/body.h"
#include "store/store.h"

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

void join_issuer_destroy(struct join_issuer *issuer);

/* Each of these ends it: it is not to be touched afterwards, `send` may free
 * it. */
void join_issuer_refuse(struct join_issuer *issuer, enum join_status status,
                        const char *format, ...) _printf_(3, 4);
/* It is no fault of the joiner, which may come again. */
void join_issuer_fail(struct join_issuer *issuer, const char *why);
/* `error` of the store. */
void join_issuer_refuse_token(struct join_issuer *issuer, int error);
/* Welcome: the certificate and all records. */
void join_issuer_answer(struct join_issuer *issuer,
                        const struct record *certificate);

#endif
