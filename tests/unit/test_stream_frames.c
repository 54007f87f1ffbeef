/*
 * gossip/wire/stream.h: frames in any cut, before there are keys, damaged, out
 * of order, after the end.
 */
#include "gossip/wire/stream.h"

#include <errno.h>
#include <stdlib.h>

#include "tests/unit/stream_pair.h"
#include "tests/unit/support.h"

/* Every byte of a frame is guarded, its size included. */
static void test_damaged_frames(void **state)
{
    (void)state;
    for (size_t at = 0; at < STREAM_FRAME_OVERHEAD + 4; at++) {
        struct pair pair = connect_sync();
        uint8_t frame[STREAM_FRAME_OVERHEAD + 4];
        const uint8_t *bytes;
        size_t size;
        int result;

        assert_int_equal(send_text(pair.a, "abcd", false), 0);
        stream_output(pair.a, &bytes, &size);
        assert_int_equal(size, sizeof(frame));
        memcpy(frame, bytes, size);
        frame[at] ^= 0x40;
        assert_int_equal(stream_receive(pair.b, frame, size), 0);
        result = next_result(pair.b);
        if (at < 2) {
            assert_int_equal(result, STREAM_E_PROTOCOL); /* far too large */
        } else if (at < 4) {
            /* Larger than what came: waits; the rest would not authenticate */
            assert_int_equal(result, STREAM_E_AGAIN);
        } else {
            assert_int_equal(result, STREAM_E_CRYPTO);
        }
        pair_done(&pair);
    }
}

static void test_frame_too_small(void **state)
{
    static const uint8_t frame[] = {0, 0, 0, 16};
    struct pair pair = connect_sync();

    (void)state;
    assert_int_equal(stream_receive(pair.b, frame, sizeof(frame)), 0);
    assert_int_equal(next_result(pair.b), STREAM_E_PROTOCOL);
    pair_done(&pair);
}

/* A frame dropped, repeated or out of order does not authenticate. */
static void test_frame_order(void **state)
{
    struct pair pair = connect_sync();
    uint8_t first[STREAM_FRAME_OVERHEAD + 1];
    const uint8_t *bytes;
    size_t size;

    (void)state;
    assert_int_equal(send_text(pair.a, "1", false), 0);
    stream_output(pair.a, &bytes, &size);
    memcpy(first, bytes, size);
    assert_int_equal(pump(pair.a, pair.b, SIZE_MAX), 0);
    assert_frame(pair.b, "1", 1);
    assert_int_equal(stream_receive(pair.b, first, sizeof(first)), 0);
    assert_int_equal(next_result(pair.b), STREAM_E_CRYPTO);
    pair_done(&pair);
    pair = connect_sync();
    assert_int_equal(send_text(pair.a, "1", false), 0);
    stream_consume_output(pair.a, SIZE_MAX);
    assert_int_equal(send_text(pair.a, "2", false), 0);
    assert_int_equal(pump(pair.a, pair.b, SIZE_MAX), 0);
    assert_int_equal(next_result(pair.b), STREAM_E_CRYPTO);
    pair_done(&pair);
}

static void test_after_end(void **state)
{
    static const uint8_t byte;
    struct pair pair = connect_sync();

    (void)state;
    assert_int_equal(send_text(pair.a, "1", true), 0);
    assert_int_equal(pump(pair.a, pair.b, SIZE_MAX), 0);
    assert_int_equal(stream_receive(pair.b, &byte, 1), 0); /* not yet seen */
    assert_frame(pair.b, "1", 1);
    assert_int_equal(next_result(pair.b), STREAM_E_PROTOCOL);
    pair_done(&pair);
    pair = connect_sync();
    assert_int_equal(send_text(pair.a, "1", true), 0);
    assert_int_equal(pump(pair.a, pair.b, SIZE_MAX), 0);
    assert_frame(pair.b, "1", 1);
    assert_int_equal(stream_receive(pair.b, &byte, 0), 0);
    assert_int_equal(stream_receive(pair.b, &byte, 1), STREAM_E_PROTOCOL);
    pair_done(&pair);
}

/* A tag that this protocol does not use. */
static void test_foreign_tag(void **state)
{
    static const unsigned char tags[] = {
        crypto_secretstream_xchacha20poly1305_TAG_PUSH,
        crypto_secretstream_xchacha20poly1305_TAG_REKEY};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(tags); i++) {
        struct stream_config config_a = join_config_a();
        struct stream_config config_b = join_config_b();
        crypto_secretstream_xchacha20poly1305_state push;
        uint8_t input[64 + STREAM_OPENING_SIZE + 32];
        uint8_t sent[24 + 4 + 18] = {[27] = 18};
        uint8_t keys[64];
        struct stream *a;
        struct stream *b;
        const uint8_t *bytes;
        size_t size;

        assert_int_equal(stream_new_initiator(&config_a, &a), 0);
        stream_output(a, &bytes, &size);
        memcpy(input + 64, bytes, size);
        assert_int_equal(respond(a, &config_b, &b), 0);
        stream_output(b, &bytes, &size);
        memcpy(input + sizeof(input) - 32, bytes + 8, 32);
        assert_int_equal(crypto_scalarmult_curve25519(
                             input, config_a.ephemeral_secret, bytes + 8),
                         0);
        assert_int_equal(crypto_scalarmult_curve25519(input + 32,
                                                      config_a.ephemeral_secret,
                                                      keys_b.exchange_public),
                         0);
        assert_int_equal(
            crypto_generichash(keys, 64, input, sizeof(input),
                               (const uint8_t *)"socketnet/v1/stream", 19),
            0);
        assert_int_equal(
            crypto_secretstream_xchacha20poly1305_init_push(&push, sent, keys),
            0);
        assert_int_equal(crypto_secretstream_xchacha20poly1305_push(
                             &push, sent + 28, NULL, (const uint8_t *)"x", 1,
                             NULL, 0, tags[i]),
                         0);
        assert_int_equal(stream_receive(b, sent, sizeof(sent)), 0);
        assert_int_equal(next_result(b), STREAM_E_PROTOCOL);
        a = stream_free(a);
        b = stream_free(b);
    }
}

/* Many frames of all sizes, cut anywhere. */
static void test_many_frames(void **state)
{
    struct pair pair = connect_sync();
    uint8_t *bytes = malloc(LIMIT_FRAME_SIZE);
    size_t expected = 0;
    size_t step = 1;

    (void)state;
    assert_non_null(bytes);
    memset(bytes, 0x5a, LIMIT_FRAME_SIZE);
    for (size_t size = 0; size <= LIMIT_FRAME_SIZE; size = size * 2 + 1) {
        assert_int_equal(stream_send_frame(pair.a, bytes, size, false), 0);
    }
    for (;;) {
        const uint8_t *output;
        size_t left;

        stream_output(pair.a, &output, &left);
        if (left == 0) {
            break;
        }
        step = MIN_OF(step * 3 % 1500 + 1, left);
        assert_int_equal(stream_receive(pair.b, output, step), 0);
        stream_consume_output(pair.a, step);
        for (;;) {
            const uint8_t *frame;
            size_t size;
            int result = stream_next_frame(pair.b, &frame, &size);

            if (result == STREAM_E_AGAIN) {
                break;
            }
            assert_int_equal(result, 0);
            assert_int_equal(size, expected);
            assert_memory_equal(frame, bytes, size);
            expected = expected * 2 + 1;
        }
    }
    assert_true(expected > LIMIT_FRAME_SIZE);
    free(bytes);
    pair_done(&pair);
}

/* Frames sent before there are keys wait, in order, and leave encrypted. */
static void test_early_frames(void **state)
{
    struct stream_config config_a = sync_config_a();
    struct stream_config config_b = sync_config_b();
    struct pair pair;
    const uint8_t *bytes;
    size_t size;

    (void)state;
    assert_int_equal(stream_new_initiator(&config_a, &pair.a), 0);
    stream_output(pair.a, &bytes, &size);
    assert_int_equal(send_text(pair.a, "first", false), 0);
    assert_int_equal(send_text(pair.a, "", false), 0);
    assert_int_equal(send_text(pair.a, "third", true), 0);
    assert_int_equal(send_text(pair.a, "fourth", false), -EPIPE);
    {
        const uint8_t *after;
        size_t after_size;

        stream_output(pair.a, &after, &after_size);
        assert_int_equal(after_size, size); /* nothing in clear */
    }
    assert_int_equal(respond(pair.a, &config_b, &pair.b), 0);
    assert_int_equal(send_text(pair.b, "answer", false), 0);
    assert_int_equal(next_result(pair.b), STREAM_E_AGAIN);
    assert_int_equal(pump(pair.b, pair.a, 7), 0);
    assert_frame(pair.a, "answer", 6);
    assert_int_equal(pump(pair.a, pair.b, 7), 0);
    assert_frame(pair.b, "first", 5);
    assert_frame(pair.b, "", 0);
    assert_frame(pair.b, "third", 5);
    assert_int_equal(next_result(pair.b), STREAM_E_END);
    pair_done(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_damaged_frames),
        cmocka_unit_test(test_frame_too_small),
        cmocka_unit_test(test_frame_order),
        cmocka_unit_test(test_after_end),
        cmocka_unit_test(test_foreign_tag),
        cmocka_unit_test(test_many_frames),
        cmocka_unit_test(test_early_frames),
    };

    return cmocka_run_group_tests(tests, stream_pair_setup, NULL);
}
