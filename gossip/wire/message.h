/*
 * The messages inside a packet's payload or a stream's frame: a sequence of
 *   u8 type, u16 size, `size` bytes.
 * Types above 127 may be skipped by those who do not know them; an unknown
 * lower type ends the processing of the packet.  Byte layout: docs/WIRE.md.
 *
 *  1 PING       u16 nonce, u64 fingerprint; made for another, also
 *               u64 asker's node id, u64 challenge of the asker
 *  2 ACK        u16 nonce, u64 fingerprint; to a ping made for another,
 *               also the target's proof (packet.h) for the asker
 *  3 NACK       u16 nonce
 *  4 PING_REQ   u16 nonce, u64 target node id, u64 challenge
 *  5 RECORD     one whole record
 *  6 IHAVE      n x (u64 first 8 bytes of a record id)
 *  7 WANT       n x (u64 first 8 bytes of a record id)
 *  8 HEADS      anti-entropy over the ring of 64-bit node ids:
 *               n x (u64 first node id, u64 last node id, u32 number of
 *               records, u64 fingerprint): sums over the records of all
 *               writers in the (inclusive) range.  A range of one writer
 *               is that writer's head.
 *  9 HAVE       u64 first, u64 last node id, then
 *               u64 lowest, u64 highest record hash (inclusive), then
 *               n x u64 record hash: all the sender holds in that range
 * 10 DONE       end of a bulk exchange (streams only), empty
 *
 * The fingerprint of a set is the sum modulo 2^64 of the record hashes of
 * its records; a record hash is the first 8 bytes, big-endian, of record_id.
 * Accusations are in no fingerprint.
 */
#ifndef SOCKETNET_GOSSIP_WIRE_MESSAGE_H
#define SOCKETNET_GOSSIP_WIRE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/base/cursor.h"
#include "gossip/base/macros.h"
#include "gossip/wire/packet.h"
#include "gossip/wire/record.h"

#define MESSAGE_HEADER_SIZE     3
#define MESSAGE_HEADS_ITEM_SIZE 28
#define MESSAGE_HAVE_SIZE       32

enum message_type {
    MESSAGE_PING = 1,
    MESSAGE_ACK = 2,
    MESSAGE_NACK = 3,
    MESSAGE_PING_REQ = 4,
    MESSAGE_RECORD = 5,
    MESSAGE_IHAVE = 6,
    MESSAGE_WANT = 7,
    MESSAGE_HEADS = 8,
    MESSAGE_HAVE = 9,
    MESSAGE_DONE = 10,
};

/* Types from here on may be skipped when unknown. */
#define MESSAGE_OPTIONAL 128

enum message_error {
    MESSAGE_E_SIZE = 1,    /* truncated, or a size its type cannot have */
    MESSAGE_E_UNKNOWN = 2, /* an unknown type below MESSAGE_OPTIONAL */
};

struct message_head {
    uint64_t first;
    uint64_t last;
    uint32_t n_records;
    uint64_t fingerprint;
};

struct message {
    uint8_t type;
    uint16_t nonce;           /* PING, ACK, NACK, PING_REQ */
    uint64_t fingerprint;     /* PING, ACK */
    uint64_t target_id;       /* PING_REQ */
    bool has_asker;           /* PING made for another */
    uint64_t asker_id;        /* ... for this one */
    uint64_t challenge;       /* of the asker: such a PING, PING_REQ */
    const uint8_t *proof;     /* ACK: PACKET_PROOF_SIZE bytes, borrowed; NULL:
                                 none */
    const uint8_t *bytes;     /* RECORD: the record; IHAVE, WANT, HEADS, HAVE:
                                 the items; borrowed */
    size_t size;              /* of bytes */
    size_t n_items;           /* of IHAVE, WANT, HEADS, HAVE (hashes) */
    uint64_t first, last;     /* HAVE: node ids */
    uint64_t lowest, highest; /* HAVE: record hashes */
};

/* Takes the next message.  0; MESSAGE_E_SIZE; MESSAGE_E_UNKNOWN.  Optional
 * unknown types are returned with their type and bytes.  Call while
 * reader_left(reader) > 0. */
_must_check_ int message_next(struct reader *reader, struct message *ret);

/* The items of a message of this type, index below n_items: a hash of IHAVE,
 * WANT or HAVE; a head of HEADS. */
uint64_t message_hash_at(const struct message *message, size_t index);
struct message_head message_head_at(const struct message *message,
                                    size_t index);

/* Writers append one message; the writer fails when there is no room. */
void message_put_ping(struct writer *writer, uint8_t type, uint16_t nonce,
                      uint64_t fingerprint);
/* A ping made for `asker_id`. */
void message_put_ping_for(struct writer *writer, uint16_t nonce,
                          uint64_t fingerprint, uint64_t asker_id,
                          uint64_t challenge);
/* The answer to one, and the answer passed on. */
void message_put_proof(struct writer *writer, uint16_t nonce,
                       uint64_t fingerprint,
                       const uint8_t proof[PACKET_PROOF_SIZE]);
void message_put_nack(struct writer *writer, uint16_t nonce);
void message_put_ping_req(struct writer *writer, uint16_t nonce,
                          uint64_t target_id, uint64_t challenge);
void message_put_record(struct writer *writer, const uint8_t *bytes,
                        size_t size);
/* type is MESSAGE_IHAVE or MESSAGE_WANT. */
void message_put_hashes(struct writer *writer, uint8_t type,
                        const uint64_t *hashes, size_t n_hashes);
void message_put_heads(struct writer *writer, const struct message_head *heads,
                       size_t n_heads);
void message_put_have(struct writer *writer, uint64_t first, uint64_t last,
                      uint64_t lowest, uint64_t highest, const uint64_t *hashes,
                      size_t n_hashes);
void message_put_done(struct writer *writer);

#endif
