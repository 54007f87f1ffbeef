/*
 * Fuzz target: a TCP stream.  The first byte chooses the part played:
 *   'r' we respond: an opening, then what the initiator sends
 *   'i' we initiate: the answer, then what the responder sends
 *   'p' two honest ends; the input is a script of frames, cuts and damage,
 *       and what arrives must be what was sent
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "gossip/base/cursor.h"
#include "gossip/wire/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t secret_a[32] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
static const uint8_t secret_b[32] = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
static const uint8_t ephemeral_a[32] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
static const uint8_t ephemeral_b[32] = "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB";

/* Feeds bytes in small pieces and takes every frame. */
static void feed(struct stream *stream, const uint8_t *data, size_t size)
{
    while (size > 0) {
        size_t step = MIN_OF(size, (size_t)1 + data[0] % 64);
        const uint8_t *frame;
        size_t frame_size;

        if (stream_receive(stream, data, step) != 0) {
            return;
        }
        while (stream_next_frame(stream, &frame, &frame_size) == 0) {
            assert(frame_size <= LIMIT_FRAME_SIZE);
        }
        data += step;
        size -= step;
    }
}

static void fuzz_responder(const uint8_t *data, size_t size)
{
    struct stream_config config = {
        .own_exchange_secret = secret_b,
        .ephemeral_secret = ephemeral_b,
    };
    _cleanup_(stream_free_pointer) struct stream *stream = NULL;
    struct stream_opening opening;
    uint8_t public_a[32];

    if (stream_parse_opening(data, size, &opening) != 0) {
        return;
    }
    assert(opening.size <= size);
    assert(crypto_scalarmult_curve25519_base(public_a, secret_a) == 0);
    config.purpose = opening.purpose;
    config.cluster = opening.cluster;
    config.own_sign_public = opening.responder;
    config.peer_sign_public = opening.initiator;
    config.peer_exchange_public = public_a;
    if (stream_new_responder(&config, &opening, &stream) != 0) {
        return; /* another version, or a small-order ephemeral key */
    }
    feed(stream, data + opening.size, size - opening.size);
}

static struct stream *new_initiator(void)
{
    static const uint8_t cluster[16] = {1};
    static const uint8_t certificate[8] = {2};
    uint8_t public_b[32];
    struct stream_config config = {
        .purpose = STREAM_SYNC,
        .cluster = cluster,
        .own_sign_public = secret_a, /* any bytes that are not zero */
        .own_exchange_secret = secret_a,
        .peer_sign_public = secret_b,
        .peer_exchange_public = public_b,
        .own_certificate = certificate,
        .own_certificate_size = sizeof(certificate),
        .ephemeral_secret = ephemeral_a,
    };
    struct stream *stream;

    assert(crypto_scalarmult_curve25519_base(public_b, secret_b) == 0);
    assert(stream_new_initiator(&config, &stream) == 0);
    return stream;
}

static void fuzz_initiator(const uint8_t *data, size_t size)
{
    static const uint8_t early[3] = "hey";
    _cleanup_(stream_free_pointer) struct stream *stream = new_initiator();

    assert(stream_send_frame(stream, early, sizeof(early), false) == 0);
    feed(stream, data, size);
}

/* Opens the responder's end to what the initiator wrote. */
static struct stream *accept_initiator(struct stream *a)
{
    struct stream_opening opening;
    struct stream_config config;
    struct stream *stream;
    uint8_t public_a[32];
    const uint8_t *bytes;
    size_t size;

    assert(crypto_scalarmult_curve25519_base(public_a, secret_a) == 0);
    stream_output(a, &bytes, &size);
    assert(stream_parse_opening(bytes, size, &opening) == 0);
    config = (struct stream_config){
        .purpose = opening.purpose,
        .cluster = opening.cluster,
        .own_sign_public = opening.responder,
        .own_exchange_secret = secret_b,
        .peer_sign_public = opening.initiator,
        .peer_exchange_public = public_a,
        .ephemeral_secret = ephemeral_b,
    };
    assert(stream_new_responder(&config, &opening, &stream) == 0);
    stream_consume_output(a, opening.size);
    return stream;
}

/* Moves at most `max` bytes, flipping one bit if `damage` is not 0. */
static int carry(struct stream *from, struct stream *to, size_t max,
                 uint8_t damage)
{
    uint8_t copy[512];
    const uint8_t *bytes;
    size_t size;
    int result;

    stream_output(from, &bytes, &size);
    size = MIN_OF(MIN_OF(size, max), sizeof(copy));
    if (size == 0) {
        return 0;
    }
    memcpy(copy, bytes, size);
    copy[damage % size] ^= damage;
    result = stream_receive(to, copy, size);
    stream_consume_output(from, size);
    return result;
}

/* Two bytes a step: 0 n: A sends n bytes; 1 n: B receives n; 2 n: A receives
 * n; 3 n: B receives one damaged byte; 4 n: A's last frame. */
static void fuzz_pair(const uint8_t *data, size_t size)
{
    _cleanup_(stream_free_pointer) struct stream *a = new_initiator();
    _cleanup_(stream_free_pointer) struct stream *b = accept_initiator(a);
    struct reader script = reader_init(data, size);
    uint8_t plain[256];
    uint8_t n_sent = 0;
    uint8_t n_got = 0;
    bool is_damaged = false;

    while (reader_left(&script) >= 2) {
        uint8_t op = reader_u8(&script) % 5;
        uint8_t n = reader_u8(&script);
        const uint8_t *frame;
        size_t frame_size;
        int result = 0;

        if (op == 0 || op == 4) {
            memset(plain, n_sent, sizeof(plain));
            if (stream_send_frame(a, plain, n, op == 4) == 0) {
                n_sent++;
            }
        } else if (op == 2) {
            result = carry(b, a, n, 0);
        } else {
            is_damaged = is_damaged || (op == 3 && n != 0);
            result = carry(a, b, op == 3 ? 1 : n, op == 3 ? n : 0);
        }
        assert(result == 0 || is_damaged);
        while (stream_next_frame(b, &frame, &frame_size) == 0) {
            for (size_t i = 0; i < frame_size; i++) {
                assert(frame[i] == n_got);
            }
            n_got++;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    switch (data[0]) {
    case 'r':
        fuzz_responder(data + 1, size - 1);
        break;
    case 'i':
        fuzz_initiator(data + 1, size - 1);
        break;
    case 'p':
        fuzz_pair(data + 1, size - 1);
        break;
    default:
        break;
    }
    return 0;
}
