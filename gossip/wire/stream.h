/*
 * Encrypted streams over TCP, sans-IO: bytes in, plaintext frames out.  Used
 * for bulk synchronisation between certified nodes and for joining, where the
 * joiner has no certificate yet and WireGuard may not carry the bytes.
 *
 * Opening, in clear (big-endian):
 *   0   4 magic "SNTS"
 *   4   1 lowest, 5 1 highest version spoken (STREAM_VERSION)
 *   6   1 purpose: 1 sync, 2 join
 *   7   1 reserved 0
 *   8  16 cluster
 *  24  32 initiator's signing key (zeros when joining)
 *  56  32 responder's signing key (when joining: the issuer's; a node that
 *         is not that issuer relays the bytes to it unread)
 *  88  32 initiator's ephemeral X25519 key
 * 120   2 size of the certificate record that follows (0 when joining)
 * Answer:
 *   0   4 magic, 4 1 version chosen (0: refused), 5 1 reason (enum
 *         stream_refusal), 6 2 reserved 0; with reason STREAM_WAIT how many
 *         are served before this one: another answer follows it (joins only)
 *   8  32 responder's ephemeral key
 *  40  24 secretstream header, responder to initiator
 * then the initiator's 24-byte secretstream header and its first frame.
 *
 * Keys: BLAKE2b-512, key "socketnet/v1/stream", over
 *   X25519(ephemeral, ephemeral), X25519(initiator ephemeral, responder
 *   static), and for sync also X25519(initiator static, responder ephemeral),
 *   X25519(static, static); then the whole opening; then the responder's
 *   ephemeral key.  Bytes 0..31 serve initiator to responder, 32..63 back.
 *   (The Noise KK and NK patterns' inputs; revision 34, section 7.5.)
 *
 * Frame: u32 size of the ciphertext, ciphertext (libsodium
 * crypto_secretstream_xchacha20poly1305, 17 bytes longer than the plaintext,
 * at most LIMIT_FRAME_SIZE plaintext).  Tag FINAL marks the last frame of a
 * direction; the tags PUSH and REKEY are not used and refused.
 */
#ifndef SOCKETNET_GOSSIP_WIRE_STREAM_H
#define SOCKETNET_GOSSIP_WIRE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/base/limits.h"
#include "gossip/base/macros.h"

#define STREAM_VERSION        2
#define STREAM_OPENING_SIZE   122 /* without the certificate */
#define STREAM_ANSWER_SIZE    64
#define STREAM_FRAME_OVERHEAD (4 + 17)

enum stream_purpose {
    STREAM_SYNC = 1,
    STREAM_JOIN = 2,
};

enum stream_refusal {
    STREAM_REFUSED_VERSION = 1,
    STREAM_REFUSED_CLUSTER = 2,
    STREAM_REFUSED_BUSY = 3,
    STREAM_REFUSED_UNKNOWN_RESPONDER = 4, /* no such issuer here */
    STREAM_REFUSED_CERTIFICATE = 5,
    STREAM_WAIT = 6, /* no refusal: it is not its turn yet */
};

enum stream_error {
    STREAM_E_AGAIN = 1,    /* more bytes are needed */
    STREAM_E_PROTOCOL = 2, /* malformed; close the connection */
    STREAM_E_REFUSED = 3,  /* the responder refused; see the reason */
    STREAM_E_CRYPTO = 4,   /* a frame does not authenticate; close */
    STREAM_E_END = 5,      /* the peer ended its direction */
};

/* The opening, parsed; pointers borrow. */
struct stream_opening {
    const uint8_t *bytes; /* the opening from its first byte */
    uint8_t version_min;
    uint8_t version_max;
    uint8_t purpose;
    const uint8_t *cluster;
    const uint8_t *initiator; /* 32, zeros when joining */
    const uint8_t *responder; /* 32 */
    const uint8_t *ephemeral; /* 32 */
    const uint8_t *certificate;
    size_t certificate_size;
    size_t size; /* of the whole opening */
};

/* Who we are and whom we talk to.  Everything is copied by the callee. */
struct stream_config {
    uint8_t purpose;
    const uint8_t *cluster;              /* 16 */
    const uint8_t *own_sign_public;      /* 32; NULL when joining */
    const uint8_t *own_exchange_secret;  /* 32; NULL when joining */
    const uint8_t *peer_sign_public;     /* 32 */
    const uint8_t *peer_exchange_public; /* 32; NULL for the issuer's side of
                                            a join */
    const uint8_t *own_certificate;      /* initiator of a sync only */
    size_t own_certificate_size;
    const uint8_t *ephemeral_secret; /* 32 fresh random bytes */
};

struct stream;

/* Parses an opening from the start of what was received.  0,
 * STREAM_E_AGAIN, STREAM_E_PROTOCOL (also: a join that names its initiator or
 * carries a certificate, a sync that does not).  The version range, the
 * cluster, the responder and the certificate are the caller's to judge. */
_must_check_ int stream_parse_opening(const uint8_t *bytes, size_t size,
                                      struct stream_opening *ret);
/* Fills an answer that refuses, to be sent before closing. */
void stream_build_refusal(uint8_t reason, uint8_t answer[STREAM_ANSWER_SIZE]);

/* Fills an answer that says how many are served first; the answer itself is
 * to follow.  For joins. */
void stream_build_wait(uint16_t n_before, uint8_t answer[STREAM_ANSWER_SIZE]);

/* An initiator: its opening is then in stream_output.  0 or -ENOMEM,
 * -EINVAL. */
_must_check_ int stream_new_initiator(const struct stream_config *config,
                                      struct stream **ret);
/* A responder to a parsed opening: its answer is then in stream_output.  0,
 * -ENOMEM, or -EINVAL when the opening does not fit the config (version,
 * purpose, cluster, either signing key) or a key is of small order.  That the
 * initiator is who it says shows when its first frame authenticates. */
_must_check_ int stream_new_responder(const struct stream_config *config,
                                      const struct stream_opening *opening,
                                      struct stream **ret);
/* Frees and wipes; accepts NULL; returns NULL. */
struct stream *stream_free(struct stream *stream);
void stream_free_pointer(struct stream **stream);

/* Adds received bytes (after the opening, on the responder's side) and
 * advances the handshake, so look at stream_output afterwards.  Take frames
 * until STREAM_E_AGAIN before the next call: -ENOBUFS when a whole largest
 * frame is still waiting.  0, -ENOMEM, or a STREAM_E_* that ends the stream
 * (bytes after the peer's last frame are STREAM_E_PROTOCOL). */
_must_check_ int stream_receive(struct stream *stream, const uint8_t *bytes,
                                size_t size);
/* Takes the next plaintext frame (it may be empty), borrowed until the next
 * call.  0, -ENOMEM, STREAM_E_AGAIN, STREAM_E_CRYPTO, STREAM_E_PROTOCOL,
 * STREAM_E_END (after the frame that was the last), STREAM_E_REFUSED.  All
 * but AGAIN stay. */
_must_check_ int stream_next_frame(struct stream *stream,
                                   const uint8_t **ret_bytes, size_t *ret_size);
/* Encrypts one frame into the output; waits inside until the handshake is
 * done.  0; -ENOMEM; -EMSGSIZE: more than LIMIT_FRAME_SIZE; -ENOBUFS: more
 * than LIMIT_STREAM_OUTPUT would wait, try again when the socket has drained;
 * -EPIPE: after a frame that was the last. */
_must_check_ int stream_send_frame(struct stream *stream, const uint8_t *bytes,
                                   size_t size, bool is_last);
/* Bytes to write to the socket, borrowed; then stream_consume_output. */
void stream_output(const struct stream *stream, const uint8_t **ret_bytes,
                   size_t *ret_size);
void stream_consume_output(struct stream *stream, size_t size);
/* Both directions have keys.  The peer is proved by its first frame. */
bool stream_is_established(const struct stream *stream);
/* How many are served first, as the responder said last; 0 when it is our
 * turn, or nothing was said. */
uint16_t stream_n_before(const struct stream *stream);
/* enum stream_refusal after STREAM_E_REFUSED. */
uint8_t stream_refusal_reason(const struct stream *stream);

#endif
