/*
 * Internal to gossip/stream*.c: the state of a stream, shared by the handshake
 * (stream_handshake.c) and the frames (stream.c).
 */
#ifndef SOCKETNET_GOSSIP_WIRE_STREAM_INTERNAL_H
#define SOCKETNET_GOSSIP_WIRE_STREAM_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sodium.h>

#include "gossip/base/limits.h"
#include "gossip/base/macros.h"
#include "gossip/wire/stream.h"
#include "gossip/wire/stream_buffer.h"

#define STREAM_TAG_SIZE    crypto_secretstream_xchacha20poly1305_ABYTES
#define STREAM_HEADER_SIZE crypto_secretstream_xchacha20poly1305_HEADERBYTES

/* What only the handshake needs; wiped when the keys exist. */
struct stream_handshake {
    uint8_t ephemeral_secret[32];
    uint8_t exchange_secret[32];
    uint8_t peer_exchange_public[32];
    uint8_t opening[STREAM_OPENING_SIZE + LIMIT_RECORD_SIZE];
    size_t opening_size;
};

struct stream {
    bool is_initiator;
    bool is_sync;
    bool has_send;    /* `push` has its key */
    bool has_receive; /* `pull` has its key and the peer's header */
    bool is_sent;     /* our last frame was given to us */
    bool is_ended;    /* the peer's last frame was taken */
    uint8_t refusal;
    bool is_waiting; /* the answer just taken was STREAM_WAIT */
    uint16_t n_before;
    int failed; /* what ended the stream: enum stream_error or -ENOMEM */
    struct stream_handshake handshake;
    uint8_t send_key[32];
    uint8_t receive_key[32];
    crypto_secretstream_xchacha20poly1305_state push;
    crypto_secretstream_xchacha20poly1305_state pull;
    struct stream_buffer input;
    struct stream_buffer output;
    struct stream_buffer pending; /* frames waiting for the keys */
    struct stream_buffer frame;   /* the plaintext last handed out */
};

/* Takes the answer, or the initiator's header, from the input once it is
 * there whole.  0; -ENOMEM; what ends the stream. */
_must_check_ int stream_handshake_advance(struct stream *stream);
/* Encrypts what was sent before there were keys.  0 or -ENOMEM. */
_must_check_ int stream_flush_pending(struct stream *stream);

#endif
