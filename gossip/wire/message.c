/*
 * Messages inside a packet's payload or a stream's frame.  See message.h.
 */
#include "gossip/wire/message.h"

#include <assert.h>
#include <stdbool.h>

#include "gossip/base/limits.h"

#define MESSAGE_HASH_SIZE     8
#define MESSAGE_PING_SIZE     10
#define MESSAGE_PING_FOR_SIZE (MESSAGE_PING_SIZE + 16)
#define MESSAGE_PROOF_SIZE    (MESSAGE_PING_SIZE + PACKET_PROOF_SIZE)
#define MESSAGE_PING_REQ_SIZE 18

static bool size_is_list(size_t size, size_t head_size, size_t item_size)
{
    return size >= head_size && (size - head_size) % item_size == 0;
}

/* Whether a message of this type can have this size. */
static bool size_fits(uint8_t type, size_t size)
{
    switch (type) {
    case MESSAGE_PING:
        return size == MESSAGE_PING_SIZE || size == MESSAGE_PING_FOR_SIZE;
    case MESSAGE_ACK:
        return size == MESSAGE_PING_SIZE || size == MESSAGE_PROOF_SIZE;
    case MESSAGE_PING_REQ:
        return size == MESSAGE_PING_REQ_SIZE;
    case MESSAGE_NACK:
        return size == 2;
    case MESSAGE_RECORD:
        return size >= RECORD_HEADER_SIZE + RECORD_SIGNATURE_SIZE &&
               size <= LIMIT_MANIFEST_SIZE;
    case MESSAGE_IHAVE:
    case MESSAGE_WANT:
        return size_is_list(size, 0, MESSAGE_HASH_SIZE);
    case MESSAGE_HEADS:
        return size_is_list(size, 0, MESSAGE_HEADS_ITEM_SIZE);
    case MESSAGE_HAVE:
        return size_is_list(size, MESSAGE_HAVE_SIZE, MESSAGE_HASH_SIZE);
    case MESSAGE_DONE:
        return size == 0;
    default:
        return true;
    }
}

/* The rest of the reader is what follows the fixed fields. */
static void take_rest(struct reader *reader, size_t item_size,
                      struct message *message)
{
    message->size = reader_left(reader);
    message->n_items = message->size / item_size;
    message->bytes = reader_take(reader, message->size);
}

/* Reads the fields of one message; its size is known to fit. */
static void read_fields(struct reader *reader, struct message *message)
{
    switch (message->type) {
    case MESSAGE_PING:
        message->nonce = reader_u16(reader);
        message->fingerprint = reader_u64(reader);
        message->has_asker = reader_left(reader) > 0;
        if (message->has_asker) {
            message->asker_id = reader_u64(reader);
            message->challenge = reader_u64(reader);
        }
        break;
    case MESSAGE_ACK:
        message->nonce = reader_u16(reader);
        message->fingerprint = reader_u64(reader);
        if (reader_left(reader) > 0) {
            message->proof = reader_take(reader, PACKET_PROOF_SIZE);
        }
        break;
    case MESSAGE_NACK:
        message->nonce = reader_u16(reader);
        break;
    case MESSAGE_PING_REQ:
        message->nonce = reader_u16(reader);
        message->target_id = reader_u64(reader);
        message->challenge = reader_u64(reader);
        break;
    case MESSAGE_IHAVE:
    case MESSAGE_WANT:
        take_rest(reader, MESSAGE_HASH_SIZE, message);
        break;
    case MESSAGE_HEADS:
        take_rest(reader, MESSAGE_HEADS_ITEM_SIZE, message);
        break;
    case MESSAGE_HAVE:
        message->first = reader_u64(reader);
        message->last = reader_u64(reader);
        message->lowest = reader_u64(reader);
        message->highest = reader_u64(reader);
        take_rest(reader, MESSAGE_HASH_SIZE, message);
        break;
    default:
        message->size = reader_left(reader);
        message->bytes = reader_take(reader, message->size);
        break;
    }
}

int message_next(struct reader *reader, struct message *ret)
{
    struct message message = {.type = reader_u8(reader)};
    size_t size = reader_u16(reader);
    const uint8_t *bytes = reader_take(reader, size);
    struct reader fields;

    if (reader->failed || bytes == NULL) {
        return MESSAGE_E_SIZE;
    }
    if (message.type == 0 ||
        (message.type > MESSAGE_DONE && message.type < MESSAGE_OPTIONAL)) {
        return MESSAGE_E_UNKNOWN;
    }
    if (!size_fits(message.type, size)) {
        return MESSAGE_E_SIZE;
    }
    fields = reader_init(bytes, size);
    read_fields(&fields, &message);
    *ret = message;
    return 0;
}

uint64_t message_hash_at(const struct message *message, size_t index)
{
    struct reader reader;

    assert(index < message->n_items);
    reader = reader_init(message->bytes + index * MESSAGE_HASH_SIZE,
                         MESSAGE_HASH_SIZE);
    return reader_u64(&reader);
}

struct message_head message_head_at(const struct message *message, size_t index)
{
    struct message_head head;
    struct reader reader;

    assert(index < message->n_items);
    reader = reader_init(message->bytes + index * MESSAGE_HEADS_ITEM_SIZE,
                         MESSAGE_HEADS_ITEM_SIZE);
    head.first = reader_u64(&reader);
    head.last = reader_u64(&reader);
    head.n_records = reader_u32(&reader);
    head.fingerprint = reader_u64(&reader);
    return head;
}

/*
 * Reserves a whole message and writes its head; the caller fills the rest of
 * the returned writer.  Without room the outer writer fails and the returned
 * one too, so that no half message is ever left behind.
 */
static struct writer begin_message(struct writer *writer, uint8_t type,
                                   size_t size)
{
    struct writer message = {.failed = true};
    uint8_t *bytes;

    if (size > UINT16_MAX) {
        writer->failed = true;
        return message;
    }
    bytes = writer_reserve(writer, MESSAGE_HEADER_SIZE + size);
    if (bytes == NULL) {
        return message;
    }
    message = writer_init(bytes, MESSAGE_HEADER_SIZE + size);
    writer_u8(&message, type);
    writer_u16(&message, (uint16_t)size);
    return message;
}

void message_put_ping(struct writer *writer, uint8_t type, uint16_t nonce,
                      uint64_t fingerprint)
{
    struct writer message = begin_message(writer, type, MESSAGE_PING_SIZE);

    writer_u16(&message, nonce);
    writer_u64(&message, fingerprint);
}

void message_put_ping_for(struct writer *writer, uint16_t nonce,
                          uint64_t fingerprint, uint64_t asker_id,
                          uint64_t challenge)
{
    struct writer message =
        begin_message(writer, MESSAGE_PING, MESSAGE_PING_FOR_SIZE);

    writer_u16(&message, nonce);
    writer_u64(&message, fingerprint);
    writer_u64(&message, asker_id);
    writer_u64(&message, challenge);
}

void message_put_proof(struct writer *writer, uint16_t nonce,
                       uint64_t fingerprint,
                       const uint8_t proof[PACKET_PROOF_SIZE])
{
    struct writer message =
        begin_message(writer, MESSAGE_ACK, MESSAGE_PROOF_SIZE);

    writer_u16(&message, nonce);
    writer_u64(&message, fingerprint);
    writer_put(&message, proof, PACKET_PROOF_SIZE);
}

void message_put_nack(struct writer *writer, uint16_t nonce)
{
    struct writer message = begin_message(writer, MESSAGE_NACK, 2);

    writer_u16(&message, nonce);
}

void message_put_ping_req(struct writer *writer, uint16_t nonce,
                          uint64_t target_id, uint64_t challenge)
{
    struct writer message =
        begin_message(writer, MESSAGE_PING_REQ, MESSAGE_PING_REQ_SIZE);

    writer_u16(&message, nonce);
    writer_u64(&message, target_id);
    writer_u64(&message, challenge);
}

void message_put_record(struct writer *writer, const uint8_t *bytes,
                        size_t size)
{
    struct writer message = begin_message(writer, MESSAGE_RECORD, size);

    writer_put(&message, bytes, size);
}

void message_put_hashes(struct writer *writer, uint8_t type,
                        const uint64_t *hashes, size_t n_hashes)
{
    struct writer message =
        begin_message(writer, type, n_hashes * MESSAGE_HASH_SIZE);

    for (size_t i = 0; i < n_hashes; i++) {
        writer_u64(&message, hashes[i]);
    }
}

void message_put_heads(struct writer *writer, const struct message_head *heads,
                       size_t n_heads)
{
    struct writer message =
        begin_message(writer, MESSAGE_HEADS, n_heads * MESSAGE_HEADS_ITEM_SIZE);

    for (size_t i = 0; i < n_heads; i++) {
        writer_u64(&message, heads[i].first);
        writer_u64(&message, heads[i].last);
        writer_u32(&message, heads[i].n_records);
        writer_u64(&message, heads[i].fingerprint);
    }
}

void message_put_have(struct writer *writer, uint64_t first, uint64_t last,
                      uint64_t lowest, uint64_t highest, const uint64_t *hashes,
                      size_t n_hashes)
{
    struct writer message = begin_message(
        writer, MESSAGE_HAVE, MESSAGE_HAVE_SIZE + n_hashes * MESSAGE_HASH_SIZE);

    writer_u64(&message, first);
    writer_u64(&message, last);
    writer_u64(&message, lowest);
    writer_u64(&message, highest);
    for (size_t i = 0; i < n_hashes; i++) {
        writer_u64(&message, hashes[i]);
    }
}

void message_put_done(struct writer *writer)
{
    (void)begin_message(writer, MESSAGE_DONE, 0);
}
