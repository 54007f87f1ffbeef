/*
 * gossip/wire/stream.h: the handshake of both purposes, and peers that are not
 * who they say.  Frames are in test_stream_frames.c.
 */
#include "gossip/wire/stream.h"

#include <errno.h>

#include "tests/unit/stream_pair.h"
#include "tests/unit/support.h"

static void exchange(struct pair *pair)
{
    assert_int_equal(send_text(pair->a, "to b", false), 0);
    assert_int_equal(send_text(pair->b, "to a", false), 0);
    assert_int_equal(pump(pair->a, pair->b, 1), 0);
    assert_int_equal(pump(pair->b, pair->a, 1), 0);
    assert_frame(pair->a, "to a", 4);
    assert_frame(pair->b, "to b", 4);
    assert_int_equal(next_result(pair->a), STREAM_E_AGAIN);
    assert_int_equal(next_result(pair->b), STREAM_E_AGAIN);
    assert_int_equal(send_text(pair->a, "end", true), 0);
    assert_int_equal(send_text(pair->a, "more", false), -EPIPE);
    assert_int_equal(pump(pair->a, pair->b, SIZE_MAX), 0);
    assert_frame(pair->b, "end", 3);
    assert_int_equal(next_result(pair->b), STREAM_E_END);
    assert_int_equal(next_result(pair->b), STREAM_E_END);
    /* The other direction is still open. */
    assert_int_equal(send_text(pair->b, "", true), 0);
    assert_int_equal(pump(pair->b, pair->a, SIZE_MAX), 0);
    assert_frame(pair->a, "", 0);
    assert_int_equal(next_result(pair->a), STREAM_E_END);
}

static void test_sync(void **state)
{
    struct pair pair = connect_sync();

    (void)state;
    exchange(&pair);
    pair_done(&pair);
}

static void test_join(void **state)
{
    struct stream_config config_a = join_config_a();
    struct stream_config config_b = join_config_b();
    struct pair pair = connect_pair(&config_a, &config_b);

    (void)state;
    exchange(&pair);
    pair_done(&pair);
}

static void test_opening_layout(void **state)
{
    struct stream_config config = sync_config_a();
    struct stream_opening opening;
    struct stream *stream;
    uint8_t ephemeral[32];
    const uint8_t *bytes;
    size_t size;

    (void)state;
    assert_int_equal(stream_new_initiator(&config, &stream), 0);
    stream_output(stream, &bytes, &size);
    assert_int_equal(size, STREAM_OPENING_SIZE + sizeof(certificate));
    assert_memory_equal(bytes, "SNTS\x02\x02\x01\x00", 8);
    assert_memory_equal(bytes + 8, cluster, 16);
    assert_memory_equal(bytes + 24, keys_a.sign_public, 32);
    assert_memory_equal(bytes + 56, keys_b.sign_public, 32);
    assert_int_equal(
        crypto_scalarmult_curve25519_base(ephemeral, config.ephemeral_secret),
        0);
    assert_memory_equal(bytes + 88, ephemeral, 32);
    assert_int_equal(bytes[120], 0);
    assert_int_equal(bytes[121], sizeof(certificate));
    assert_memory_equal(bytes + 122, certificate, sizeof(certificate));
    for (size_t i = 0; i < size; i++) {
        assert_int_equal(stream_parse_opening(bytes, i, &opening),
                         STREAM_E_AGAIN);
    }
    assert_int_equal(stream_parse_opening(bytes, size, &opening), 0);
    assert_ptr_equal(opening.bytes, bytes);
    assert_int_equal(opening.version_min, STREAM_VERSION);
    assert_int_equal(opening.version_max, STREAM_VERSION);
    assert_int_equal(opening.purpose, STREAM_SYNC);
    assert_ptr_equal(opening.cluster, bytes + 8);
    assert_ptr_equal(opening.initiator, bytes + 24);
    assert_ptr_equal(opening.responder, bytes + 56);
    assert_ptr_equal(opening.ephemeral, bytes + 88);
    assert_ptr_equal(opening.certificate, bytes + 122);
    assert_int_equal(opening.certificate_size, sizeof(certificate));
    assert_int_equal(opening.size, size);
    assert_false(stream_is_established(stream));
    stream = stream_free(stream);
}

/* Keys as the head of stream.h says, from the responder's side by hand. */
static void test_key_schedule(void **state)
{
    struct stream_config config_a = sync_config_a();
    struct stream_config config_b = sync_config_b();
    uint8_t input[128 + STREAM_OPENING_SIZE + sizeof(certificate) + 32];
    uint8_t *products = input;
    const uint8_t *e_secret = config_b.ephemeral_secret;
    const uint8_t *bytes;
    const uint8_t *ephemeral_a;
    crypto_secretstream_xchacha20poly1305_state pull;
    struct stream *a;
    struct stream *b;
    uint8_t keys[64];
    uint8_t plain[16];
    unsigned long long plain_size;
    unsigned char tag;
    size_t size;

    (void)state;
    assert_int_equal(stream_new_initiator(&config_a, &a), 0);
    stream_output(a, &bytes, &size);
    memcpy(input + 128, bytes, size);
    ephemeral_a = input + 128 + 88;
    assert_int_equal(respond(a, &config_b, &b), 0);
    stream_output(b, &bytes, &size);
    assert_int_equal(size, STREAM_ANSWER_SIZE);
    assert_memory_equal(bytes, "SNTS\x02\x00\x00\x00", 8);
    memcpy(input + sizeof(input) - 32, bytes + 8, 32);
    assert_int_equal(
        crypto_scalarmult_curve25519(products, e_secret, ephemeral_a), 0);
    assert_int_equal(crypto_scalarmult_curve25519(
                         products + 32, keys_b.exchange_secret, ephemeral_a),
                     0);
    assert_int_equal(crypto_scalarmult_curve25519(products + 64, e_secret,
                                                  keys_a.exchange_public),
                     0);
    assert_int_equal(crypto_scalarmult_curve25519(products + 96,
                                                  keys_b.exchange_secret,
                                                  keys_a.exchange_public),
                     0);
    assert_int_equal(crypto_generichash(keys, 64, input, sizeof(input),
                                        (const uint8_t *)"socketnet/v1/stream",
                                        19),
                     0);
    assert_int_equal(pump(b, a, SIZE_MAX), 0);
    assert_int_equal(send_text(a, "hello", true), 0);
    stream_output(a, &bytes, &size);
    assert_int_equal(size, 24 + STREAM_FRAME_OVERHEAD + 5);
    assert_int_equal(
        crypto_secretstream_xchacha20poly1305_init_pull(&pull, bytes, keys), 0);
    assert_memory_equal(bytes + 24, "\x00\x00\x00\x16", 4);
    assert_int_equal(
        crypto_secretstream_xchacha20poly1305_pull(
            &pull, plain, &plain_size, &tag, bytes + 28, 22, NULL, 0),
        0);
    assert_int_equal(plain_size, 5);
    assert_memory_equal(plain, "hello", 5);
    assert_int_equal(tag, crypto_secretstream_xchacha20poly1305_TAG_FINAL);
    a = stream_free(a);
    b = stream_free(b);
}

/* The responder's frames are bound to the one who really holds the keys the
 * opening names: here somebody else wrote the opening. */
static void test_wrong_initiator(void **state)
{
    struct support_keys keys_c = support_keys_make(3);
    struct stream_config config_a = sync_config_a();
    struct stream_config config_b = sync_config_b();
    struct pair pair;

    (void)state;
    config_a.own_exchange_secret = keys_c.exchange_secret;
    pair = connect_pair(&config_a, &config_b);
    assert_int_equal(send_text(pair.a, "I am A", false), 0);
    assert_int_equal(send_text(pair.b, "secret", false), 0);
    assert_int_equal(pump(pair.a, pair.b, SIZE_MAX), 0);
    assert_int_equal(pump(pair.b, pair.a, SIZE_MAX), 0);
    assert_int_equal(next_result(pair.b), STREAM_E_CRYPTO);
    assert_int_equal(next_result(pair.a), STREAM_E_CRYPTO);
    assert_int_equal(next_result(pair.a), STREAM_E_CRYPTO); /* stays */
    assert_int_equal(stream_receive(pair.b, certificate, 1), STREAM_E_CRYPTO);
    assert_false(stream_is_established(pair.b));
    pair_done(&pair);
}

static void test_wrong_responder(void **state)
{
    struct support_keys keys_c = support_keys_make(3);
    struct stream_config config_a = join_config_a();
    struct stream_config config_b = join_config_b();
    struct pair pair;

    (void)state;
    config_b.own_exchange_secret = keys_c.exchange_secret;
    pair = connect_pair(&config_a, &config_b);
    assert_int_equal(send_text(pair.a, "token", false), 0);
    assert_int_equal(pump(pair.a, pair.b, SIZE_MAX), 0);
    assert_int_equal(next_result(pair.b), STREAM_E_CRYPTO);
    pair_done(&pair);
}

/* A recorded conversation played again meets another ephemeral key. */
static void test_replayed(void **state)
{
    static const uint8_t other_ephemeral[32] =
        "33333333333333333333333333333333";
    struct stream_config config_a = sync_config_a();
    struct stream_config config_b = sync_config_b();
    uint8_t recorded[1024];
    size_t recorded_size;
    struct stream_opening opening;
    struct stream *a;
    struct stream *b;
    struct stream *later;
    const uint8_t *bytes;
    size_t size;

    (void)state;
    assert_int_equal(stream_new_initiator(&config_a, &a), 0);
    stream_output(a, &bytes, &recorded_size);
    memcpy(recorded, bytes, recorded_size);
    assert_int_equal(respond(a, &config_b, &b), 0);
    assert_int_equal(pump(b, a, SIZE_MAX), 0);
    assert_int_equal(send_text(a, "once", false), 0);
    stream_output(a, &bytes, &size);
    config_b.ephemeral_secret = other_ephemeral;
    assert_int_equal(stream_parse_opening(recorded, recorded_size, &opening),
                     0);
    assert_int_equal(stream_new_responder(&config_b, &opening, &later), 0);
    assert_int_equal(stream_receive(later, bytes, size), 0);
    assert_int_equal(next_result(later), STREAM_E_CRYPTO);
    a = stream_free(a);
    b = stream_free(b);
    later = stream_free(later);
}

static void test_refusal(void **state)
{
    static const uint8_t reasons[] = {
        STREAM_REFUSED_VERSION, STREAM_REFUSED_CLUSTER, STREAM_REFUSED_BUSY,
        STREAM_REFUSED_UNKNOWN_RESPONDER, STREAM_REFUSED_CERTIFICATE};
    struct stream_config config = sync_config_a();

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
        uint8_t answer[STREAM_ANSWER_SIZE];
        struct stream *stream;

        stream_build_refusal(reasons[i], answer);
        assert_memory_equal(answer, "SNTS\0", 5);
        assert_int_equal(stream_new_initiator(&config, &stream), 0);
        assert_int_equal(stream_receive(stream, answer, 63), 0);
        assert_int_equal(stream_refusal_reason(stream), 0);
        assert_int_equal(stream_receive(stream, answer + 63, 1),
                         STREAM_E_REFUSED);
        assert_int_equal(stream_refusal_reason(stream), reasons[i]);
        assert_int_equal(next_result(stream), STREAM_E_REFUSED);
        assert_int_equal(stream_receive(stream, answer, 1), STREAM_E_REFUSED);
        stream = stream_free(stream);
    }
}

static void test_bad_answer(void **state)
{
    /* Offset, its value, the result. */
    static const struct {
        size_t at;
        uint8_t value;
        int result;
    } cases[] = {
        {0, 'X', STREAM_E_PROTOCOL}, {4, 1, STREAM_E_PROTOCOL},
        {4, 3, STREAM_E_PROTOCOL},   {5, 1, STREAM_E_PROTOCOL},
        {6, 1, STREAM_E_PROTOCOL},   {7, 1, STREAM_E_PROTOCOL},
    };
    struct stream_config config_a = sync_config_a();
    struct stream_config config_b = sync_config_b();

    (void)state;
    for (size_t i = 0; i <= ARRAY_SIZE(cases); i++) {
        uint8_t answer[STREAM_ANSWER_SIZE];
        struct pair pair;
        const uint8_t *bytes;
        size_t size;

        assert_int_equal(stream_new_initiator(&config_a, &pair.a), 0);
        assert_int_equal(respond(pair.a, &config_b, &pair.b), 0);
        stream_output(pair.b, &bytes, &size);
        memcpy(answer, bytes, sizeof(answer));
        if (i < ARRAY_SIZE(cases)) {
            answer[cases[i].at] = cases[i].value;
            assert_int_equal(stream_receive(pair.a, answer, sizeof(answer)),
                             cases[i].result);
        } else {
            memset(answer + 8, 0, 32); /* a small-order ephemeral key */
            assert_int_equal(stream_receive(pair.a, answer, sizeof(answer)),
                             STREAM_E_CRYPTO);
        }
        pair_done(&pair);
    }
}

static void test_bad_opening(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
    } cases[] = {
        {0, 'X'}, {3, 'X'}, {4, 0}, {4, 3},   {6, 0},
        {6, 3},   {7, 1},   {6, 2}, {120, 5}, /* 1,480 bytes of certificate */
    };
    struct stream_config config = sync_config_a();
    struct stream_opening opening = {.size = 42};
    struct stream *stream;
    uint8_t whole[STREAM_OPENING_SIZE + sizeof(certificate)];
    uint8_t copy[sizeof(whole)];
    const uint8_t *bytes;
    size_t size;

    (void)state;
    assert_int_equal(stream_new_initiator(&config, &stream), 0);
    stream_output(stream, &bytes, &size);
    assert_int_equal(size, sizeof(whole));
    memcpy(whole, bytes, size);
    stream = stream_free(stream);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        memcpy(copy, whole, sizeof(copy));
        copy[cases[i].at] = cases[i].value;
        assert_int_equal(stream_parse_opening(copy, sizeof(copy), &opening),
                         STREAM_E_PROTOCOL);
    }
    memcpy(copy, whole, sizeof(copy));
    memset(copy + 24, 0, 32); /* a sync by nobody */
    assert_int_equal(stream_parse_opening(copy, sizeof(copy), &opening),
                     STREAM_E_PROTOCOL);
    memcpy(copy, whole, sizeof(copy));
    copy[121] = 0; /* without a certificate */
    assert_int_equal(stream_parse_opening(copy, sizeof(copy), &opening),
                     STREAM_E_PROTOCOL);
    /* A stranger is known by its first byte. */
    assert_int_equal(stream_parse_opening((const uint8_t *)"G", 1, &opening),
                     STREAM_E_PROTOCOL);
    assert_int_equal(opening.size, 42);
}

/* A responder takes only an opening meant for it. */
static void test_responder_refuses(void **state)
{
    struct stream_config config_a = sync_config_a();
    struct stream_config config_b = sync_config_b();
    static const uint8_t other_cluster[16] = {0xc9};
    struct stream_opening opening;
    struct stream_opening changed;
    struct stream_config config;
    struct stream *a;
    struct stream *b = NULL;
    uint8_t zeros[32] = {0};
    const uint8_t *bytes;
    size_t size;

    (void)state;
    assert_int_equal(stream_new_initiator(&config_a, &a), 0);
    stream_output(a, &bytes, &size);
    assert_int_equal(stream_parse_opening(bytes, size, &opening), 0);
#define ASSERT_CONFIG_REFUSED(field, value)                                    \
    do {                                                                       \
        config = config_b;                                                     \
        config.field = (value);                                                \
        assert_int_equal(stream_new_responder(&config, &opening, &b),          \
                         -EINVAL);                                             \
    } while (0)
    ASSERT_CONFIG_REFUSED(purpose, STREAM_JOIN);
    ASSERT_CONFIG_REFUSED(purpose, 9);
    ASSERT_CONFIG_REFUSED(cluster, other_cluster);
    ASSERT_CONFIG_REFUSED(cluster, NULL);
    ASSERT_CONFIG_REFUSED(own_sign_public, keys_a.sign_public);
    ASSERT_CONFIG_REFUSED(own_sign_public, NULL);
    ASSERT_CONFIG_REFUSED(own_exchange_secret, NULL);
    ASSERT_CONFIG_REFUSED(peer_sign_public, keys_b.sign_public);
    ASSERT_CONFIG_REFUSED(peer_sign_public, NULL);
    ASSERT_CONFIG_REFUSED(peer_exchange_public, NULL);
    ASSERT_CONFIG_REFUSED(peer_exchange_public, zeros); /* small order */
    ASSERT_CONFIG_REFUSED(ephemeral_secret, NULL);
#undef ASSERT_CONFIG_REFUSED
    changed = opening;
    changed.version_min = changed.version_max = 1;
    assert_int_equal(stream_new_responder(&config_b, &changed, &b), -EINVAL);
    changed.version_min = changed.version_max = 3;
    assert_int_equal(stream_new_responder(&config_b, &changed, &b), -EINVAL);
    changed = opening;
    changed.ephemeral = zeros;
    assert_int_equal(stream_new_responder(&config_b, &changed, &b), -EINVAL);
    changed = opening;
    changed.version_max = 9; /* a later one that still speaks ours */
    assert_int_equal(stream_new_responder(&config_b, &changed, &b), 0);
    a = stream_free(a);
    b = stream_free(b);
}

static void test_initiator_refuses(void **state)
{
    struct stream_config config;
    struct stream *stream = NULL;

    (void)state;
#define ASSERT_CONFIG_REFUSED(field, value)                                    \
    do {                                                                       \
        config = sync_config_a();                                              \
        config.field = (value);                                                \
        assert_int_equal(stream_new_initiator(&config, &stream), -EINVAL);     \
    } while (0)
    ASSERT_CONFIG_REFUSED(purpose, 0);
    ASSERT_CONFIG_REFUSED(cluster, NULL);
    ASSERT_CONFIG_REFUSED(own_sign_public, NULL);
    ASSERT_CONFIG_REFUSED(own_exchange_secret, NULL);
    ASSERT_CONFIG_REFUSED(peer_sign_public, NULL);
    ASSERT_CONFIG_REFUSED(peer_exchange_public, NULL);
    ASSERT_CONFIG_REFUSED(own_certificate, NULL);
    ASSERT_CONFIG_REFUSED(own_certificate_size, 0);
    ASSERT_CONFIG_REFUSED(ephemeral_secret, NULL);
#undef ASSERT_CONFIG_REFUSED
    assert_null(stream);
}

static void test_free_none(void **state)
{
    struct stream *none = NULL;

    (void)state;
    assert_null(stream_free(NULL));
    stream_free_pointer(&none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sync),
        cmocka_unit_test(test_join),
        cmocka_unit_test(test_opening_layout),
        cmocka_unit_test(test_key_schedule),
        cmocka_unit_test(test_wrong_initiator),
        cmocka_unit_test(test_wrong_responder),
        cmocka_unit_test(test_replayed),
        cmocka_unit_test(test_refusal),
        cmocka_unit_test(test_bad_answer),
        cmocka_unit_test(test_bad_opening),
        cmocka_unit_test(test_responder_refuses),
        cmocka_unit_test(test_initiator_refuses),
        cmocka_unit_test(test_free_none),
    };

    return cmocka_run_group_tests(tests, stream_pair_setup, NULL);
}
