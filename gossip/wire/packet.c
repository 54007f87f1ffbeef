/*
 * Datagrams: header, pairwise tag, hello, replay window.  See packet.h for
 * the layout; message.h reads the payload, node.c decides what to answer.
 */
#include "gossip/wire/packet.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include <sodium.h>

#define PACKET_COUNTER_SIZE  6
#define PACKET_COUNTER_MAX   ((UINT64_C(1) << 48) - 1)
#define PACKET_HELLO_PAYLOAD (PACKET_HELLO_SIZE - PACKET_OVERHEAD)
#define PACKET_HELLO_FIXED   18 /* flags to epoch, sizes */
#define PACKET_HELLO_ANSWER  0x01

static const char packet_tag_domain[] = "socketnet/v1/packet";  /* with NUL */
static const char packet_alive_domain[] = "socketnet/v1/alive"; /* with NUL */
static const char packet_pair_domain[] = "socketnet/v1/pair";   /* without */

_Static_assert(PACKET_PROOF_SIZE == PACKET_TAG_SIZE, "one keyed hash");
_Static_assert(PACKET_HELLO_RECORDS_SIZE ==
                   PACKET_HELLO_PAYLOAD - PACKET_HELLO_FIXED,
               "as packet.h says");
_Static_assert(PACKET_HELLO_RECORDS_SIZE >= LIMIT_CERTIFICATE_SIZE,
               "every certificate fits a hello");

int packet_keys_derive(const uint8_t own_secret[32],
                       const uint8_t own_public[32],
                       const uint8_t peer_public[32], struct packet_keys *ret)
{
    int order = memcmp(own_public, peer_public, 32);
    uint8_t input[96];
    uint8_t pair[64];

    /* Equal keys have no direction. */
    if (order == 0 ||
        crypto_scalarmult_curve25519(input, own_secret, peer_public) != 0) {
        sodium_memzero(input, sizeof(input));
        return -EINVAL;
    }
    memcpy(input + 32, order < 0 ? own_public : peer_public, 32);
    memcpy(input + 64, order < 0 ? peer_public : own_public, 32);
    /* Cannot fail: the sizes are constants within BLAKE2b's range. */
    (void)crypto_generichash(pair, sizeof(pair), input, sizeof(input),
                             (const uint8_t *)packet_pair_domain,
                             sizeof(packet_pair_domain) - 1);
    memcpy(ret->send, order < 0 ? pair : pair + 32, 32);
    memcpy(ret->receive, order < 0 ? pair + 32 : pair, 32);
    sodium_memzero(input, sizeof(input));
    sodium_memzero(pair, sizeof(pair));
    return 0;
}

void packet_keys_wipe(struct packet_keys *keys)
{
    sodium_memzero(keys, sizeof(*keys));
}

int packet_parse(const uint8_t *bytes, size_t size, struct packet_header *ret)
{
    struct reader reader = reader_init(bytes, size);
    struct packet_header header = {.type = 0};
    uint8_t version;

    if (size < PACKET_OVERHEAD || size > LIMIT_DATAGRAM_SIZE) {
        return PACKET_E_SIZE;
    }
    version = reader_u8(&reader);
    header.type = reader_u8(&reader);
    header.source_boot = reader_u32(&reader);
    header.destination_boot = reader_u32(&reader);
    header.source_id = reader_u64(&reader);
    header.counter = reader_be(&reader, PACKET_COUNTER_SIZE);
    header.payload_size = size - PACKET_OVERHEAD;
    header.payload = reader_take(&reader, header.payload_size);
    if (version != PACKET_VERSION) {
        return PACKET_E_VERSION;
    }
    if (header.type != PACKET_MESSAGES && header.type != PACKET_HELLO) {
        return PACKET_E_TYPE;
    }
    /* A shorter question could draw a longer answer. */
    if (header.type == PACKET_HELLO && size != PACKET_HELLO_SIZE) {
        return PACKET_E_SIZE;
    }
    *ret = header;
    return 0;
}

/* BLAKE2b over the domain, who talks to whom, and `size` bytes. */
static void keyed_hash(const char *domain, size_t domain_size,
                       const uint8_t *bytes, size_t size,
                       const struct packet_context *context,
                       const uint8_t key[32], uint8_t ret[PACKET_TAG_SIZE])
{
    crypto_generichash_state state;

    /* None of these can fail: the sizes are constants within the range. */
    (void)crypto_generichash_init(&state, key, 32, PACKET_TAG_SIZE);
    (void)crypto_generichash_update(&state, (const uint8_t *)domain,
                                    domain_size);
    (void)crypto_generichash_update(&state, context->cluster,
                                    RECORD_CLUSTER_SIZE);
    (void)crypto_generichash_update(&state, context->destination,
                                    RECORD_WRITER_SIZE);
    (void)crypto_generichash_update(&state, context->source,
                                    RECORD_WRITER_SIZE);
    (void)crypto_generichash_update(&state, bytes, size);
    (void)crypto_generichash_final(&state, ret, PACKET_TAG_SIZE);
    sodium_memzero(&state, sizeof(state)); /* holds the key */
}

/* Tag over `size` bytes, header and payload. */
static void packet_tag(const uint8_t *bytes, size_t size,
                       const struct packet_context *context,
                       const uint8_t key[32], uint8_t ret_tag[PACKET_TAG_SIZE])
{
    keyed_hash(packet_tag_domain, sizeof(packet_tag_domain), bytes, size,
               context, key, ret_tag);
}

static void packet_proof(const struct packet_context *context,
                         const uint8_t key[32], uint64_t challenge,
                         uint8_t ret[PACKET_PROOF_SIZE])
{
    uint8_t bytes[sizeof(challenge)];
    struct writer writer = writer_init(bytes, sizeof(bytes));

    writer_u64(&writer, challenge);
    keyed_hash(packet_alive_domain, sizeof(packet_alive_domain), bytes,
               sizeof(bytes), context, key, ret);
}

void packet_prove(const struct packet_context *context,
                  const struct packet_keys *keys, uint64_t challenge,
                  uint8_t ret[PACKET_PROOF_SIZE])
{
    packet_proof(context, keys->send, challenge, ret);
}

int packet_check_proof(const struct packet_context *context,
                       const struct packet_keys *keys, uint64_t challenge,
                       const uint8_t proof[PACKET_PROOF_SIZE])
{
    uint8_t expected[PACKET_PROOF_SIZE];

    packet_proof(context, keys->receive, challenge, expected);
    return sodium_memcmp(expected, proof, sizeof(expected)) == 0 ? 0
                                                                 : PACKET_E_TAG;
}

int packet_verify(const uint8_t *bytes, size_t size,
                  const struct packet_context *context,
                  const struct packet_keys *keys)
{
    uint8_t tag[PACKET_TAG_SIZE];

    if (size < PACKET_OVERHEAD) {
        return PACKET_E_TAG;
    }
    packet_tag(bytes, size - PACKET_TAG_SIZE, context, keys->receive, tag);
    return sodium_memcmp(tag, bytes + size - PACKET_TAG_SIZE, sizeof(tag)) == 0
               ? 0
               : PACKET_E_TAG;
}

size_t packet_build(const struct packet_header *header,
                    const struct packet_context *context,
                    const struct packet_keys *keys,
                    uint8_t buffer[LIMIT_DATAGRAM_SIZE])
{
    struct writer writer = writer_init(buffer, LIMIT_DATAGRAM_SIZE);
    uint8_t *payload;
    uint8_t *tag;

    assert(header->payload_size <= PACKET_PAYLOAD_MAX);
    assert(header->counter > 0 && header->counter <= PACKET_COUNTER_MAX);
    assert(header->type != PACKET_HELLO ||
           header->payload_size == PACKET_HELLO_PAYLOAD);
    writer_u8(&writer, PACKET_VERSION);
    writer_u8(&writer, header->type);
    writer_u32(&writer, header->source_boot);
    writer_u32(&writer, header->destination_boot);
    writer_u64(&writer, header->source_id);
    writer_be(&writer, header->counter, PACKET_COUNTER_SIZE);
    payload = writer_reserve(&writer, header->payload_size);
    tag = writer_reserve(&writer, PACKET_TAG_SIZE);
    assert(payload != NULL && tag != NULL);
    if (header->payload_size > 0 && header->payload != payload) {
        memmove(payload, header->payload, header->payload_size);
    }
    packet_tag(buffer, (size_t)(tag - buffer), context, keys->send, tag);
    return writer_size(&writer);
}

static const uint8_t *take_record(struct reader *reader, size_t *ret_size)
{
    *ret_size = reader_u16(reader);
    return reader_take(reader, *ret_size);
}

static void put_record(struct writer *writer, const uint8_t *bytes, size_t size)
{
    writer_u16(writer, (uint16_t)size);
    writer_put(writer, bytes, size);
}

int packet_parse_hello(const struct packet_header *header,
                       struct packet_hello *ret)
{
    struct reader reader = reader_init(header->payload, header->payload_size);
    struct packet_hello hello = {.epoch = 0};

    /* Unknown flags, the reserved byte and what follows the records are left
     * to later versions. */
    hello.is_answer = (reader_u8(&reader) & PACKET_HELLO_ANSWER) != 0;
    hello.protocol_min = reader_u8(&reader);
    hello.protocol_max = reader_u8(&reader);
    (void)reader_u8(&reader);
    hello.epoch = reader_u64(&reader);
    hello.certificate = take_record(&reader, &hello.certificate_size);
    hello.member = take_record(&reader, &hello.member_size);
    hello.shown = take_record(&reader, &hello.shown_size);
    if (reader.failed || header->type != PACKET_HELLO ||
        hello.certificate_size > LIMIT_CERTIFICATE_SIZE ||
        hello.protocol_min == 0 || hello.protocol_min > hello.protocol_max) {
        return PACKET_E_SIZE;
    }
    *ret = hello;
    return 0;
}

size_t packet_build_hello(const struct packet_hello *hello, uint8_t *payload,
                          size_t payload_size)
{
    struct writer writer = writer_init(payload, payload_size);

    if (payload_size < PACKET_HELLO_PAYLOAD ||
        hello->certificate_size > LIMIT_CERTIFICATE_SIZE ||
        hello->member_size > LIMIT_RECORD_SIZE ||
        hello->shown_size > LIMIT_RECORD_SIZE ||
        hello->certificate_size + hello->member_size + hello->shown_size >
            PACKET_HELLO_RECORDS_SIZE) {
        return 0;
    }
    memset(payload, 0, PACKET_HELLO_PAYLOAD);
    writer_u8(&writer, hello->is_answer ? PACKET_HELLO_ANSWER : 0);
    writer_u8(&writer, hello->protocol_min);
    writer_u8(&writer, hello->protocol_max);
    writer_u8(&writer, 0);
    writer_u64(&writer, hello->epoch);
    put_record(&writer, hello->certificate, hello->certificate_size);
    put_record(&writer, hello->member, hello->member_size);
    put_record(&writer, hello->shown, hello->shown_size);
    assert(!writer.failed && writer_size(&writer) <= PACKET_HELLO_PAYLOAD);
    return PACKET_HELLO_PAYLOAD;
}

static uint64_t window_mask(uint64_t counter)
{
    return UINT64_C(1) << (counter % 64);
}

static uint64_t *window_word(struct packet_window *window, uint64_t counter)
{
    return &window->bits[counter % LIMIT_REPLAY_WINDOW / 64];
}

/* The idea of RFC 6479: a ring of bits indexed by the counter itself, so that
 * nothing is ever shifted.  Bits are cleared one by one rather than by words,
 * which keeps all LIMIT_REPLAY_WINDOW of them in use; the usual step is one. */
int packet_window_accept(struct packet_window *window, uint64_t counter)
{
    if (counter == 0 || counter > PACKET_COUNTER_MAX) {
        return PACKET_E_REPLAY;
    }
    if (counter > window->highest) {
        if (counter - window->highest >= LIMIT_REPLAY_WINDOW) {
            memset(window->bits, 0, sizeof(window->bits));
        } else {
            for (uint64_t c = window->highest + 1; c <= counter; c++) {
                *window_word(window, c) &= ~window_mask(c);
            }
        }
        window->highest = counter;
    } else if (window->highest - counter >= LIMIT_REPLAY_WINDOW ||
               (*window_word(window, counter) & window_mask(counter)) != 0) {
        return PACKET_E_REPLAY;
    }
    *window_word(window, counter) |= window_mask(counter);
    return 0;
}
