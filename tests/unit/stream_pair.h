/*
 * Two ends of a stream and what travels between them, for the tests of
 * gossip/wire/stream.h.  A initiates with keys of seed 1, B responds with
 * seed 2.
 */
#ifndef SOCKETNET_TESTS_UNIT_STREAM_PAIR_H
#define SOCKETNET_TESTS_UNIT_STREAM_PAIR_H

#include "gossip/wire/stream.h"
#include "tests/unit/support.h"

static const uint8_t cluster[16] = {0xc1, 0xc2};
static const uint8_t certificate[200] = {1, 1};
static struct support_keys keys_a; /* initiates */
static struct support_keys keys_b; /* responds */

/* Two ends and what travels between them. */
struct pair {
    struct stream *a;
    struct stream *b;
};

static inline struct stream_config sync_config_a(void)
{
    static const uint8_t ephemeral[32] = "11111111111111111111111111111111";

    return (struct stream_config){
        .purpose = STREAM_SYNC,
        .cluster = cluster,
        .own_sign_public = keys_a.sign_public,
        .own_exchange_secret = keys_a.exchange_secret,
        .peer_sign_public = keys_b.sign_public,
        .peer_exchange_public = keys_b.exchange_public,
        .own_certificate = certificate,
        .own_certificate_size = sizeof(certificate),
        .ephemeral_secret = ephemeral,
    };
}

static inline struct stream_config sync_config_b(void)
{
    static const uint8_t ephemeral[32] = "22222222222222222222222222222222";

    return (struct stream_config){
        .purpose = STREAM_SYNC,
        .cluster = cluster,
        .own_sign_public = keys_b.sign_public,
        .own_exchange_secret = keys_b.exchange_secret,
        .peer_sign_public = keys_a.sign_public,
        .peer_exchange_public = keys_a.exchange_public,
        .ephemeral_secret = ephemeral,
    };
}

static inline struct stream_config join_config_a(void)
{
    struct stream_config config = sync_config_a();

    config.purpose = STREAM_JOIN;
    config.own_sign_public = NULL;
    config.own_exchange_secret = NULL;
    config.own_certificate = NULL;
    config.own_certificate_size = 0;
    return config;
}

static inline struct stream_config join_config_b(void)
{
    struct stream_config config = sync_config_b();

    config.purpose = STREAM_JOIN;
    config.peer_sign_public = NULL;
    config.peer_exchange_public = NULL;
    return config;
}

/* Gives everything `from` wants to send to `to`, `step` bytes at a time.
 * Returns the first result that is not 0. */
static inline int pump(struct stream *from, struct stream *to, size_t step)
{
    const uint8_t *bytes;
    size_t size;

    for (;;) {
        int result;

        stream_output(from, &bytes, &size);
        if (size == 0) {
            return 0;
        }
        size = MIN_OF(size, step);
        result = stream_receive(to, bytes, size);
        stream_consume_output(from, size);
        if (result != 0) {
            return result;
        }
    }
}

/* A responder to what the initiator has in its output. */
static inline int respond(struct stream *a, const struct stream_config *config,
                          struct stream **ret)
{
    struct stream_opening opening;
    const uint8_t *bytes;
    size_t size;
    int error;

    stream_output(a, &bytes, &size);
    assert_int_equal(stream_parse_opening(bytes, size, &opening), 0);
    error = stream_new_responder(config, &opening, ret);
    stream_consume_output(a, opening.size);
    return error;
}

static inline struct pair connect_pair(const struct stream_config *config_a,
                                       const struct stream_config *config_b)
{
    struct pair pair = {.a = NULL};

    assert_int_equal(stream_new_initiator(config_a, &pair.a), 0);
    assert_int_equal(respond(pair.a, config_b, &pair.b), 0);
    assert_int_equal(pump(pair.b, pair.a, SIZE_MAX), 0);
    assert_int_equal(pump(pair.a, pair.b, SIZE_MAX), 0);
    assert_true(stream_is_established(pair.a));
    assert_true(stream_is_established(pair.b));
    return pair;
}

static inline struct pair connect_sync(void)
{
    struct stream_config config_a = sync_config_a();
    struct stream_config config_b = sync_config_b();

    return connect_pair(&config_a, &config_b);
}

static inline void pair_done(struct pair *pair)
{
    assert_null(stream_free(pair->a));
    stream_free_pointer(&pair->b);
    assert_null(pair->b);
}

static inline void assert_frame(struct stream *stream, const void *bytes,
                                size_t size)
{
    const uint8_t *got;
    size_t got_size;

    assert_int_equal(stream_next_frame(stream, &got, &got_size), 0);
    assert_int_equal(got_size, size);
    assert_memory_equal(got, bytes, size);
}

static inline int next_result(struct stream *stream)
{
    const uint8_t *bytes;
    size_t size;

    return stream_next_frame(stream, &bytes, &size);
}

static inline int send_text(struct stream *stream, const char *text,
                            bool is_last)
{
    return stream_send_frame(stream, (const uint8_t *)text, strlen(text),
                             is_last);
}

static inline int stream_pair_setup(void **state)
{
    (void)state;
    if (sodium_init() < 0) {
        return -1;
    }
    keys_a = support_keys_make(1);
    keys_b = support_keys_make(2);
    return 0;
}

#endif
