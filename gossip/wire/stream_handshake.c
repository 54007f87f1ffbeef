/*
 * The opening of an encrypted stream and its answer: who talks to whom, and
 * the keys.  See stream.h for the layout; frames are in stream.c.
 */
#include "gossip/wire/stream_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/base/cursor.h"
#include "gossip/wire/record.h"

static const uint8_t stream_magic[4] = {'S', 'N', 'T', 'S'};
static const char stream_domain[] = "socketnet/v1/stream"; /* without NUL */

_Static_assert(STREAM_TAG_SIZE == STREAM_FRAME_OVERHEAD - 4, "libsodium");
_Static_assert(STREAM_HEADER_SIZE == 24, "libsodium");
_Static_assert(STREAM_ANSWER_SIZE == 40 + STREAM_HEADER_SIZE, "layout");

static bool purpose_is_known(uint8_t purpose)
{
    return purpose == STREAM_SYNC || purpose == STREAM_JOIN;
}

/* A sync names its initiator and shows the certificate; a join does neither.
 */
static bool opening_is_consistent(const struct stream_opening *opening)
{
    bool has_initiator = sodium_is_zero(opening->initiator, 32) == 0;

    if (opening->purpose == STREAM_JOIN) {
        return !has_initiator && opening->certificate_size == 0;
    }
    return has_initiator && opening->certificate_size > 0 &&
           opening->certificate_size <= LIMIT_RECORD_SIZE;
}

int stream_parse_opening(const uint8_t *bytes, size_t size,
                         struct stream_opening *ret)
{
    struct stream_opening opening = {.bytes = bytes};
    struct reader reader = reader_init(bytes, size);
    uint8_t reserved;

    /* Strangers are told apart by their first bytes, not after 122. */
    if (memcmp(bytes, stream_magic, MIN_OF(size, sizeof(stream_magic))) != 0) {
        return STREAM_E_PROTOCOL;
    }
    if (size < STREAM_OPENING_SIZE) {
        return STREAM_E_AGAIN;
    }
    (void)reader_take(&reader, sizeof(stream_magic)); /* compared above */
    opening.version_min = reader_u8(&reader);
    opening.version_max = reader_u8(&reader);
    opening.purpose = reader_u8(&reader);
    reserved = reader_u8(&reader);
    opening.cluster = reader_take(&reader, RECORD_CLUSTER_SIZE);
    opening.initiator = reader_take(&reader, 32);
    opening.responder = reader_take(&reader, 32);
    opening.ephemeral = reader_take(&reader, 32);
    opening.certificate_size = reader_u16(&reader);
    if (opening.version_min == 0 || opening.version_min > opening.version_max ||
        !purpose_is_known(opening.purpose) || reserved != 0 ||
        !opening_is_consistent(&opening)) {
        return STREAM_E_PROTOCOL;
    }
    opening.certificate = reader_take(&reader, opening.certificate_size);
    if (opening.certificate == NULL) {
        return STREAM_E_AGAIN;
    }
    opening.size = STREAM_OPENING_SIZE + opening.certificate_size;
    *ret = opening;
    return 0;
}

void stream_build_refusal(uint8_t reason, uint8_t answer[STREAM_ANSWER_SIZE])
{
    memset(answer, 0, STREAM_ANSWER_SIZE);
    memcpy(answer, stream_magic, sizeof(stream_magic));
    answer[5] = reason;
}

void stream_build_wait(uint16_t n_before, uint8_t answer[STREAM_ANSWER_SIZE])
{
    stream_build_refusal(STREAM_WAIT, answer);
    answer[6] = (uint8_t)(n_before >> 8);
    answer[7] = (uint8_t)n_before;
}

/* Lays out the initiator's opening in the handshake. */
static int build_opening(struct stream_handshake *handshake,
                         const struct stream_config *config)
{
    static const uint8_t nobody[32];
    struct writer writer =
        writer_init(handshake->opening, sizeof(handshake->opening));
    bool is_sync = config->purpose == STREAM_SYNC;
    uint8_t ephemeral[32];

    if (crypto_scalarmult_curve25519_base(ephemeral,
                                          handshake->ephemeral_secret) != 0) {
        return -EINVAL;
    }
    writer_put(&writer, stream_magic, sizeof(stream_magic));
    writer_u8(&writer, STREAM_VERSION);
    writer_u8(&writer, STREAM_VERSION);
    writer_u8(&writer, config->purpose);
    writer_u8(&writer, 0);
    writer_put(&writer, config->cluster, RECORD_CLUSTER_SIZE);
    writer_put(&writer, is_sync ? config->own_sign_public : nobody, 32);
    writer_put(&writer, config->peer_sign_public, 32);
    writer_put(&writer, ephemeral, sizeof(ephemeral));
    writer_u16(&writer,
               is_sync ? (uint16_t)config->own_certificate_size : (uint16_t)0);
    if (is_sync) {
        writer_put(&writer, config->own_certificate,
                   config->own_certificate_size);
    }
    handshake->opening_size = writer_size(&writer);
    return writer.failed ? -EINVAL : 0;
}

/*
 * The keys of both directions, from the secrets of the handshake and the
 * peer's ephemeral key.  The order of the products is fixed by role: see
 * stream.h.  0, or -EINVAL when a key is of small order.
 */
static int derive_keys(struct stream *stream, const uint8_t peer_ephemeral[32],
                       const uint8_t responder_ephemeral[32])
{
    const struct stream_handshake *h = &stream->handshake;
    const uint8_t *peer = h->peer_exchange_public;
    crypto_generichash_state state;
    uint8_t products[4][32];
    uint8_t keys[64];
    size_t n = stream->is_sync ? 4 : 2;
    int failed;

    /* "es": initiator's ephemeral with the responder's static key. */
    failed = crypto_scalarmult_curve25519(products[0], h->ephemeral_secret,
                                          peer_ephemeral);
    if (stream->is_initiator) {
        failed |= crypto_scalarmult_curve25519(products[1], h->ephemeral_secret,
                                               peer);
    } else {
        failed |= crypto_scalarmult_curve25519(products[1], h->exchange_secret,
                                               peer_ephemeral);
    }
    if (stream->is_sync) {
        /* "se", then "ss". */
        if (stream->is_initiator) {
            failed |= crypto_scalarmult_curve25519(
                products[2], h->exchange_secret, peer_ephemeral);
        } else {
            failed |= crypto_scalarmult_curve25519(products[2],
                                                   h->ephemeral_secret, peer);
        }
        failed |=
            crypto_scalarmult_curve25519(products[3], h->exchange_secret, peer);
    }
    if (failed == 0) {
        /* None of these can fail: constant sizes within BLAKE2b's range. */
        (void)crypto_generichash_init(&state, (const uint8_t *)stream_domain,
                                      sizeof(stream_domain) - 1, sizeof(keys));
        (void)crypto_generichash_update(&state, products[0], n * 32);
        (void)crypto_generichash_update(&state, h->opening, h->opening_size);
        (void)crypto_generichash_update(&state, responder_ephemeral, 32);
        (void)crypto_generichash_final(&state, keys, sizeof(keys));
        memcpy(stream->send_key, stream->is_initiator ? keys : keys + 32, 32);
        memcpy(stream->receive_key, stream->is_initiator ? keys + 32 : keys,
               32);
        sodium_memzero(&state, sizeof(state));
        sodium_memzero(keys, sizeof(keys));
    }
    sodium_memzero(products, sizeof(products));
    sodium_memzero(&stream->handshake, sizeof(stream->handshake));
    return failed == 0 ? 0 : -EINVAL;
}

/* Starts our direction: its header goes to `header`. */
static void start_sending(struct stream *stream,
                          uint8_t header[STREAM_HEADER_SIZE])
{
    /* Cannot fail. */
    (void)crypto_secretstream_xchacha20poly1305_init_push(&stream->push, header,
                                                          stream->send_key);
    sodium_memzero(stream->send_key, sizeof(stream->send_key));
    stream->has_send = true;
}

static int start_receiving(struct stream *stream,
                           const uint8_t header[STREAM_HEADER_SIZE])
{
    int failed = crypto_secretstream_xchacha20poly1305_init_pull(
        &stream->pull, header, stream->receive_key);

    sodium_memzero(stream->receive_key, sizeof(stream->receive_key));
    stream->has_receive = failed == 0;
    return failed == 0 ? 0 : STREAM_E_CRYPTO;
}

static bool config_is_valid(const struct stream_config *config,
                            bool is_initiator)
{
    bool is_sync = config->purpose == STREAM_SYNC;

    if (!purpose_is_known(config->purpose) || config->cluster == NULL ||
        config->ephemeral_secret == NULL) {
        return false;
    }
    /* A joiner is nobody yet, and its issuer does not know it. */
    if ((is_sync || !is_initiator) && (config->own_sign_public == NULL ||
                                       config->own_exchange_secret == NULL)) {
        return false;
    }
    if ((is_sync || is_initiator) && (config->peer_sign_public == NULL ||
                                      config->peer_exchange_public == NULL)) {
        return false;
    }
    return !is_sync || !is_initiator ||
           (config->own_certificate != NULL &&
            config->own_certificate_size > 0 &&
            config->own_certificate_size <= LIMIT_RECORD_SIZE);
}

static struct stream *new_stream(const struct stream_config *config,
                                 bool is_initiator)
{
    struct stream *stream = calloc(1, sizeof(*stream));

    if (stream == NULL) {
        return NULL;
    }
    stream->is_initiator = is_initiator;
    stream->is_sync = config->purpose == STREAM_SYNC;
    memcpy(stream->handshake.ephemeral_secret, config->ephemeral_secret, 32);
    if (config->own_exchange_secret != NULL) {
        memcpy(stream->handshake.exchange_secret, config->own_exchange_secret,
               32);
    }
    if (config->peer_exchange_public != NULL) {
        memcpy(stream->handshake.peer_exchange_public,
               config->peer_exchange_public, 32);
    }
    return stream;
}

int stream_new_initiator(const struct stream_config *config,
                         struct stream **ret)
{
    _cleanup_(stream_free_pointer) struct stream *stream = NULL;
    int error;

    if (!config_is_valid(config, true)) {
        return -EINVAL;
    }
    stream = new_stream(config, true);
    if (stream == NULL) {
        return -ENOMEM;
    }
    error = build_opening(&stream->handshake, config);
    if (error < 0) {
        return error;
    }
    error = stream_buffer_append(&stream->output, stream->handshake.opening,
                                 stream->handshake.opening_size);
    if (error < 0) {
        return error;
    }
    *ret = stream;
    stream = NULL;
    return 0;
}

/* Whether the opening is meant for us, by the peer the caller expects. */
static bool opening_fits(const struct stream_opening *opening,
                         const struct stream_config *config)
{
    return opening->purpose == config->purpose &&
           opening->version_min <= STREAM_VERSION &&
           opening->version_max >= STREAM_VERSION &&
           opening->size <= STREAM_OPENING_SIZE + LIMIT_RECORD_SIZE &&
           memcmp(opening->cluster, config->cluster, RECORD_CLUSTER_SIZE) ==
               0 &&
           memcmp(opening->responder, config->own_sign_public, 32) == 0 &&
           (opening->purpose == STREAM_JOIN ||
            memcmp(opening->initiator, config->peer_sign_public, 32) == 0);
}

int stream_new_responder(const struct stream_config *config,
                         const struct stream_opening *opening,
                         struct stream **ret)
{
    _cleanup_(stream_free_pointer) struct stream *stream = NULL;
    uint8_t answer[STREAM_ANSWER_SIZE] = {0};
    uint8_t *ephemeral = answer + 8;
    int error;

    if (!config_is_valid(config, false) || !opening_fits(opening, config)) {
        return -EINVAL;
    }
    stream = new_stream(config, false);
    if (stream == NULL) {
        return -ENOMEM;
    }
    memcpy(stream->handshake.opening, opening->bytes, opening->size);
    stream->handshake.opening_size = opening->size;
    memcpy(answer, stream_magic, sizeof(stream_magic));
    answer[4] = STREAM_VERSION;
    if (crypto_scalarmult_curve25519_base(ephemeral,
                                          config->ephemeral_secret) != 0) {
        return -EINVAL;
    }
    error = derive_keys(stream, opening->ephemeral, ephemeral);
    if (error < 0) {
        return error;
    }
    start_sending(stream, answer + 40);
    error = stream_buffer_append(&stream->output, answer, sizeof(answer));
    if (error < 0) {
        return error;
    }
    *ret = stream;
    stream = NULL;
    return 0;
}

/* The initiator's part once the whole answer is there. */
static int accept_answer(struct stream *stream, const uint8_t *answer)
{
    uint8_t header[STREAM_HEADER_SIZE];
    uint16_t n_before = (uint16_t)(answer[6] << 8 | answer[7]);
    int error;

    stream->is_waiting =
        answer[4] == 0 && answer[5] == STREAM_WAIT && !stream->is_sync;
    stream->n_before = stream->is_waiting ? n_before : 0;
    if (memcmp(answer, stream_magic, sizeof(stream_magic)) != 0 ||
        n_before != stream->n_before) {
        return STREAM_E_PROTOCOL;
    }
    if (stream->is_waiting) {
        return 0;
    }
    if (answer[4] == 0) {
        stream->refusal = answer[5];
        return STREAM_E_REFUSED;
    }
    if (answer[4] != STREAM_VERSION || answer[5] != 0) {
        return STREAM_E_PROTOCOL;
    }
    if (derive_keys(stream, answer + 8, answer + 8) < 0) {
        return STREAM_E_CRYPTO;
    }
    error = start_receiving(stream, answer + 40);
    if (error != 0) {
        return error;
    }
    start_sending(stream, header);
    return stream_buffer_append(&stream->output, header, sizeof(header));
}

int stream_handshake_advance(struct stream *stream)
{
    size_t need =
        stream->is_initiator ? STREAM_ANSWER_SIZE : STREAM_HEADER_SIZE;
    int error = 0;

    while (error == 0 && !stream->has_receive &&
           stream_buffer_size(&stream->input) >= need) {
        const uint8_t *bytes = stream->input.data + stream->input.start;

        error = stream->is_initiator ? accept_answer(stream, bytes)
                                     : start_receiving(stream, bytes);
        if (error == 0) {
            stream_buffer_consume(&stream->input, need);
        }
        if (error == 0 && stream->has_receive) {
            error = stream_flush_pending(stream);
        }
    }
    return error;
}
