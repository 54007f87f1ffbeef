/*
 * Attacks with packets and messages: replays, garbage, questions with large
 * answers, promises, and what is swallowed, denied or misstated.  See
 * hostile.h.
 */
#include <assert.h>
#include <string.h>

#include "gossip/base/macros.h"
#include "gossip/wire/message.h"
#include "tests/sim/hostile_internal.h"

/* Of a PING's or ACK's bytes, the fingerprint. */
#define HOSTILE_FINGERPRINT_AT (MESSAGE_HEADER_SIZE + 2)

/* Somebody's packet once more: as it came, or in its own name, or to another.
 */
void hostile_replay(struct hostile *hostile, uint32_t self)
{
    const struct hostile_packet *packet = hostile_overheard(hostile);
    bool is_as_it_came = random_chance(&hostile->random, 700000);
    uint32_t other = hostile_target(hostile);

    if (packet == NULL || other == CLUSTER_NONE) {
        return;
    }
    cluster_transmit(hostile->cluster,
                     is_as_it_came || packet->to == self ? packet->from : self,
                     is_as_it_came || other == packet->from ? packet->to
                                                            : other,
                     packet->bytes, packet->size);
}

/* Bytes of no sense, and somebody's packet damaged. */
void hostile_garble(struct hostile *hostile, uint32_t self)
{
    const struct hostile_packet *packet = hostile_overheard(hostile);
    uint8_t bytes[LIMIT_DATAGRAM_SIZE];
    struct writer writer = writer_init(bytes, PACKET_PAYLOAD_MAX);
    size_t size = 1 + random_below(&hostile->random, sizeof(bytes) / 2);
    uint32_t to = hostile_target(hostile);

    if (packet == NULL || to == CLUSTER_NONE || to == packet->from) {
        return;
    }
    memcpy(bytes, packet->bytes, packet->size);
    bytes[random_below(&hostile->random, packet->size)] ^=
        (uint8_t)random_range(&hostile->random, 1, 255);
    cluster_transmit(hostile->cluster, packet->from, packet->to, bytes,
                     packet->size);
    /* Messages of no sense under a good tag. */
    for (size_t i = 0; i < size; i++) {
        writer_u8(&writer, (uint8_t)random_next(&hostile->random));
    }
    hostile_say(hostile, self, to, &writer);
}

static uint64_t hostile_some_hash(struct hostile *hostile)
{
    const struct simkeys_record *heard = hostile_heard(hostile);
    uint64_t hash = random_next(&hostile->random);
    uint8_t id[RECORD_ID_SIZE];
    struct record record;
    struct reader reader;

    if (heard != NULL && random_chance(&hostile->random, 800000) &&
        record_parse(heard->bytes, heard->size, &record) == 0) {
        record_id(&record, id);
        reader = reader_init(id, 8);
        hash = reader_u64(&reader);
    }
    return hash;
}

/* Small questions whose answers are large: says that it has nothing, or wants
 * the same again and again. */
void hostile_amplify(struct hostile *hostile, uint32_t self)
{
    uint8_t payload[PACKET_PAYLOAD_MAX];
    struct message_head nothing = {.last = UINT64_MAX};
    uint64_t hashes[64];

    for (uint32_t i = 0; i < 5; i++) {
        struct writer writer = writer_init(payload, sizeof(payload));

        for (size_t j = 0; j < ARRAY_SIZE(hashes); j++) {
            hashes[j] = hostile_some_hash(hostile);
        }
        message_put_heads(&writer, &nothing, 1);
        message_put_have(&writer, 0, UINT64_MAX, 0, UINT64_MAX, NULL, 0);
        message_put_hashes(&writer, MESSAGE_WANT, hashes, ARRAY_SIZE(hashes));
        hostile_say(hostile, self, hostile_target(hostile), &writer);
    }
}

/* Says that it has what it will not send. */
void hostile_promise(struct hostile *hostile, uint32_t self)
{
    uint8_t payload[PACKET_PAYLOAD_MAX];
    struct writer writer = writer_init(payload, sizeof(payload));
    uint64_t hashes[100];

    for (size_t i = 0; i < ARRAY_SIZE(hashes); i++) {
        hashes[i] = hostile_some_hash(hostile);
    }
    message_put_hashes(&writer, MESSAGE_IHAVE, hashes, ARRAY_SIZE(hashes));
    hostile_say(hostile, self, hostile_target(hostile), &writer);
}

/* A hello that claims a past of the receiver: an old record of it, or one that
 * it never wrote, and an epoch of one's own liking. */
void hostile_show_past(struct hostile *hostile, uint32_t self)
{
    const struct simkeys_record *shown = hostile_heard(hostile);
    const struct cluster_node *source = &hostile->cluster->nodes[self];
    struct packet_hello hello = {.is_answer =
                                     random_chance(&hostile->random, 500000),
                                 .protocol_min = PACKET_VERSION,
                                 .protocol_max = PACKET_VERSION,
                                 .epoch = random_next(&hostile->random),
                                 .certificate = source->certificate.bytes,
                                 .certificate_size = source->certificate.size};
    uint8_t payload[PACKET_PAYLOAD_MAX];
    struct writer writer = writer_init(payload, sizeof(payload));
    struct simkeys_record changed;
    struct record record;
    uint32_t to;
    size_t size;

    if (shown == NULL ||
        record_parse(shown->bytes, shown->size, &record) != 0) {
        return;
    }
    changed = *shown;
    if (random_chance(&hostile->random, 500000)) {
        changed.bytes[63]++; /* a later boot */
    }
    to = cluster_find_key(hostile->cluster, record.writer);
    hello.shown = changed.bytes;
    hello.shown_size = changed.size;
    size = packet_build_hello(&hello, payload, sizeof(payload));
    (void)writer_reserve(&writer, size); /* it is written already */
    if (size > 0 && cluster_is_running(hostile->cluster, to)) {
        hostile_send(hostile, self, to, PACKET_HELLO, 0, &writer);
    }
}

/* --- What is said of others' lives ------------------------------------------
 */

/* Answers that nobody asked for; the asked ones are hostile_answer_probes'. */
void hostile_relay(struct hostile *hostile, uint32_t self)
{
    uint8_t payload[PACKET_PAYLOAD_MAX];
    struct writer writer = writer_init(payload, sizeof(payload));
    uint8_t proof[PACKET_PROOF_SIZE];

    for (uint32_t i = 0; i < 30; i++) {
        memset(proof, (int)i, sizeof(proof));
        message_put_proof(&writer, (uint16_t)random_next(&hostile->random),
                          random_next(&hostile->random), proof);
    }
    hostile_say(hostile, self, hostile_target(hostile), &writer);
}

void hostile_answer_probes(struct hostile *hostile, uint32_t self,
                           uint32_t asker, const struct packet_header *header)
{
    struct reader reader = reader_init(header->payload, header->payload_size);
    uint8_t payload[PACKET_PAYLOAD_MAX];
    struct writer writer = writer_init(payload, sizeof(payload));
    uint8_t proof[PACKET_PROOF_SIZE] = {0};
    struct message message;

    if (header->type != PACKET_MESSAGES) {
        return;
    }
    while (reader_left(&reader) > 0 && message_next(&reader, &message) == 0) {
        if (message.type == MESSAGE_PING_REQ && writer_left(&writer) > 64) {
            message_put_proof(&writer, message.nonce,
                              random_next(&hostile->random), proof);
            message_put_ping(&writer, MESSAGE_ACK, message.nonce,
                             random_next(&hostile->random));
        }
    }
    hostile_say(hostile, self, asker, &writer);
}

/* --- What is left out --------------------------------------------------------
 */

/* The work is done in hostile_rewrite: news comes in and never leaves. */
void hostile_swallow(struct hostile *hostile, uint32_t self)
{
    (void)hostile;
    (void)self;
}

/* A fingerprint that is not its own; also in all that leaves otherwise. */
void hostile_lie(struct hostile *hostile, uint32_t self)
{
    uint8_t payload[PACKET_PAYLOAD_MAX];
    struct writer writer = writer_init(payload, sizeof(payload));

    message_put_ping(&writer, MESSAGE_PING,
                     (uint16_t)random_next(&hostile->random),
                     random_next(&hostile->random));
    hostile_say(hostile, self, hostile_target(hostile), &writer);
}

/* The receiver's own fingerprint, so that it looks for no difference. */
static uint64_t hostile_agree(const struct hostile *hostile, uint32_t to)
{
    const struct node *node = hostile->cluster->nodes[to].node;

    return node == NULL ? 0 : node_fingerprint(node);
}

void hostile_rewrite(struct hostile *hostile, uint32_t self, uint32_t to,
                     bool is_swallowing, bool is_lying, bool is_relaying,
                     const struct packet_header *header)
{
    struct reader reader = reader_init(header->payload, header->payload_size);
    uint8_t payload[PACKET_PAYLOAD_MAX];
    struct writer writer = writer_init(payload, sizeof(payload));
    struct message message;

    if (header->type != PACKET_MESSAGES) {
        writer_put(&writer, header->payload, header->payload_size);
        reader = reader_init(NULL, 0);
    }
    while (reader_left(&reader) > 0) {
        size_t left = reader_left(&reader);
        const uint8_t *start = header->payload + header->payload_size - left;
        uint8_t *copy = writer.pos;

        if (message_next(&reader, &message) != 0) {
            break;
        }
        if ((is_swallowing && (message.type == MESSAGE_RECORD ||
                               message.type == MESSAGE_IHAVE)) ||
            (is_relaying &&
             ((message.type == MESSAGE_ACK && message.proof != NULL) ||
              message.type == MESSAGE_NACK))) {
            continue;
        }
        writer_put(&writer, start, left - reader_left(&reader));
        if (is_lying &&
            (message.type == MESSAGE_PING || message.type == MESSAGE_ACK)) {
            struct writer lie = writer_init(copy + HOSTILE_FINGERPRINT_AT, 8);

            writer_u64(&lie, hostile_agree(hostile, to));
        }
    }
    hostile_send(hostile, self, to, (enum packet_type)header->type,
                 header->destination_boot, &writer);
}
