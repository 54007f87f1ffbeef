/*
 * Fuzz target: a datagram, through its header, tag, hello and messages.  The
 * tag of a fuzzed packet is wrong, so what follows is entered regardless.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/wire/message.h"
#include "gossip/wire/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Writes a parsed message again. */
static void put_message(struct writer *writer, const struct message *message)
{
    uint64_t hashes[PACKET_PAYLOAD_MAX / 8];
    struct message_head heads[PACKET_PAYLOAD_MAX / MESSAGE_HEADS_ITEM_SIZE];

    for (size_t i = 0; i < message->n_items; i++) {
        if (message->type == MESSAGE_HEADS) {
            heads[i] = message_head_at(message, i);
        } else {
            hashes[i] = message_hash_at(message, i);
        }
    }
    switch ((enum message_type)message->type) {
    case MESSAGE_PING:
    case MESSAGE_ACK:
        if (message->has_asker) {
            message_put_ping_for(writer, message->nonce, message->fingerprint,
                                 message->asker_id, message->challenge);
        } else if (message->proof != NULL) {
            message_put_proof(writer, message->nonce, message->fingerprint,
                              message->proof);
        } else {
            message_put_ping(writer, message->type, message->nonce,
                             message->fingerprint);
        }
        break;
    case MESSAGE_NACK:
        message_put_nack(writer, message->nonce);
        break;
    case MESSAGE_PING_REQ:
        message_put_ping_req(writer, message->nonce, message->target_id,
                             message->challenge);
        break;
    case MESSAGE_RECORD:
        message_put_record(writer, message->bytes, message->size);
        break;
    case MESSAGE_IHAVE:
    case MESSAGE_WANT:
        message_put_hashes(writer, message->type, hashes, message->n_items);
        break;
    case MESSAGE_HEADS:
        message_put_heads(writer, heads, message->n_items);
        break;
    case MESSAGE_HAVE:
        message_put_have(writer, message->first, message->last, message->lowest,
                         message->highest, hashes, message->n_items);
        break;
    case MESSAGE_DONE:
        message_put_done(writer);
        break;
    }
}

/* Each message we know, written again, is the bytes it was read from. */
static void check_messages(const uint8_t *payload, size_t payload_size)
{
    struct reader reader = reader_init(payload, payload_size);

    while (reader_left(&reader) > 0) {
        const uint8_t *start = reader.pos;
        uint8_t again[LIMIT_DATAGRAM_SIZE];
        struct writer writer = writer_init(again, sizeof(again));
        struct message message;

        if (message_next(&reader, &message) != 0) {
            return;
        }
        if (message.type >= MESSAGE_OPTIONAL) {
            continue;
        }
        put_message(&writer, &message);
        assert(!writer.failed);
        assert(writer_size(&writer) == (size_t)(reader.pos - start));
        assert(memcmp(start, again, writer_size(&writer)) == 0);
    }
}

static void check_hello(const struct packet_header *header)
{
    uint8_t payload[PACKET_PAYLOAD_MAX];
    struct packet_hello hello;
    struct packet_hello again;
    struct packet_header rebuilt = *header;

    if (packet_parse_hello(header, &hello) != 0) {
        return;
    }
    rebuilt.payload = payload;
    if (hello.member_size > LIMIT_RECORD_SIZE ||
        hello.shown_size > LIMIT_RECORD_SIZE) {
        return; /* no record is so long: it is not looked at */
    }
    assert(packet_build_hello(&hello, payload, sizeof(payload)) ==
           header->payload_size);
    assert(packet_parse_hello(&rebuilt, &again) == 0);
    assert(again.is_answer == hello.is_answer);
    assert(again.epoch == hello.epoch);
    assert(again.certificate_size == hello.certificate_size);
    assert(memcmp(again.certificate, hello.certificate,
                  hello.certificate_size) == 0);
    assert(again.member_size == hello.member_size);
    assert(memcmp(again.member, hello.member, hello.member_size) == 0);
    assert(again.shown_size == hello.shown_size);
    assert(memcmp(again.shown, hello.shown, hello.shown_size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t key[32] = {1};
    const struct packet_context context = {
        .cluster = key, .source = key, .destination = key};
    const struct packet_keys keys = {.send = {2}, .receive = {2}};
    struct packet_window window = {.highest = 1000};
    struct packet_header header;
    uint8_t rebuilt[LIMIT_DATAGRAM_SIZE];
    int verified;

    if (packet_parse(data, size, &header) != 0) {
        return 0;
    }
    verified = packet_verify(data, size, &context, &keys);
    assert(verified == 0 || verified == PACKET_E_TAG);
    if (packet_window_accept(&window, header.counter) == 0) {
        assert(packet_build(&header, &context, &keys, rebuilt) == size);
        assert(memcmp(rebuilt, data, size - PACKET_TAG_SIZE) == 0);
        assert(packet_verify(rebuilt, size, &context, &keys) == 0);
        assert(packet_window_accept(&window, header.counter) ==
               PACKET_E_REPLAY);
    }
    if (header.type == PACKET_HELLO) {
        check_hello(&header);
    } else {
        check_messages(header.payload, header.payload_size);
    }
    return 0;
}
