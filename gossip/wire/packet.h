/*
 * Datagrams: the pairwise packet tag and replay protection.  A packet is
 * authentic when it was made by the holder of the sender's certified exchange
 * key for exactly this receiver and this boot of the receiver.
 *
 *   off size field
 *     0    1 version (PACKET_VERSION)
 *     1    1 type: 1 messages, 2 hello
 *     2    4 boot of the sender (high half of its epoch)
 *     6    4 boot of the receiver as the sender knows it; 0 only in a hello
 *    10    8 node id of the sender (record_node_id)
 *    18    6 counter, from 1, never repeated within one boot of the sender
 *            towards this receiver
 *    24    . payload: messages (message.h), or a hello (below)
 *     .   16 tag
 *
 * tag = BLAKE2b-128, key k, over "socketnet/v1/packet" NUL, cluster (16),
 * receiver's signing key (32), sender's signing key (32), bytes 0 to the end
 * of the payload.
 * k = 32 bytes for the direction sender to receiver:
 *     BLAKE2b-512(X25519(own exchange secret, peer's exchange public)
 *                 + lower exchange public + higher exchange public,
 *                 key "socketnet/v1/pair");
 *     bytes 0..31 serve lower -> higher, 32..63 higher -> lower, as the
 *     byte order of the two public keys.
 *
 * Proof of life, which a third node may carry (a relayed answer to a probe):
 * BLAKE2b-128, key k, over "socketnet/v1/alive" NUL, cluster (16), receiver's
 * signing key (32), sender's signing key (32), the receiver's challenge (8).
 *
 * Hello payload (padded with zeros so that a packet is PACKET_HELLO_SIZE
 * bytes: an answer is never larger than the question):
 *     1 flags: bit 0 = this is an answer
 *     1 lowest, 1 highest protocol version spoken
 *     1 reserved 0
 *     8 full epoch of the sender
 *     2 size of the sender's certificate record, then that record
 *     2 size of its member record, then that record; 0: none, or no room
 *     2 size of a record of the receiver's own, of the highest epoch that the
 *       sender knows, then that record; 0: none, or no room
 * Unknown flags, the reserved byte and what follows the records are ignored.
 * The receiver verifies the certificate, derives k, then checks the tag; the
 * other records are judged after that, as records from a peer.
 */
#ifndef SOCKETNET_GOSSIP_WIRE_PACKET_H
#define SOCKETNET_GOSSIP_WIRE_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/base/cursor.h"
#include "gossip/base/limits.h"
#include "gossip/base/macros.h"
#include "gossip/wire/record.h"

#define PACKET_VERSION     2
#define PACKET_HEADER_SIZE 24
#define PACKET_TAG_SIZE    16
#define PACKET_PROOF_SIZE  16
#define PACKET_HELLO_SIZE  1152
#define PACKET_OVERHEAD    (PACKET_HEADER_SIZE + PACKET_TAG_SIZE)
#define PACKET_PAYLOAD_MAX (LIMIT_DATAGRAM_SIZE - PACKET_OVERHEAD)

enum packet_type {
    PACKET_MESSAGES = 1,
    PACKET_HELLO = 2,
};

enum packet_error {
    PACKET_E_SIZE = 1,
    PACKET_E_VERSION = 2,
    PACKET_E_TYPE = 3,
    PACKET_E_TAG = 4,
    PACKET_E_REPLAY = 5,
    PACKET_E_STALE_BOOT = 6, /* made for, or by, another boot */
};

/* What the records of a hello may have together, in bytes. */
#define PACKET_HELLO_RECORDS_SIZE 1094

/* Keys of one pair; secret, wipe with packet_keys_wipe. */
struct packet_keys {
    uint8_t send[32];
    uint8_t receive[32];
};

struct packet_header {
    uint8_t type;
    uint32_t source_boot;
    uint32_t destination_boot;
    uint64_t source_id;
    uint64_t counter;
    const uint8_t *payload; /* borrowed from the datagram */
    size_t payload_size;
};

struct packet_hello {
    bool is_answer;
    uint8_t protocol_min;
    uint8_t protocol_max;
    uint64_t epoch;
    const uint8_t *certificate; /* borrowed, as the others */
    size_t certificate_size;
    const uint8_t *member; /* of the sender */
    size_t member_size;    /* 0: none */
    const uint8_t *shown;  /* of the receiver */
    size_t shown_size;     /* 0: none */
};

/* Who talks to whom; part of every tag. */
struct packet_context {
    const uint8_t *cluster;     /* RECORD_CLUSTER_SIZE */
    const uint8_t *source;      /* sender's signing key, 32 */
    const uint8_t *destination; /* receiver's signing key, 32 */
};

/* Sliding window of counters of one boot of one sender. */
struct packet_window {
    uint64_t highest;
    uint64_t bits[LIMIT_REPLAY_WINDOW / 64];
};

/* The keys of both directions from the X25519 product and both public keys.
 * 0, or -EINVAL when the peer's key is of small order or our own. */
_must_check_ int packet_keys_derive(const uint8_t own_secret[32],
                                    const uint8_t own_public[32],
                                    const uint8_t peer_public[32],
                                    struct packet_keys *ret);
void packet_keys_wipe(struct packet_keys *keys);

/* Bounds, version and type only.  0 or PACKET_E_SIZE/VERSION/TYPE.  A hello
 * of another size than PACKET_HELLO_SIZE is PACKET_E_SIZE. */
_must_check_ int packet_parse(const uint8_t *bytes, size_t size,
                              struct packet_header *ret);

/* Constant-time check of the tag with keys->receive.  0 or PACKET_E_TAG. */
_must_check_ int packet_verify(const uint8_t *bytes, size_t size,
                               const struct packet_context *context,
                               const struct packet_keys *keys);

/* Proof that the holder of keys->send was there when it saw the challenge of
 * `context->destination`. */
void packet_prove(const struct packet_context *context,
                  const struct packet_keys *keys, uint64_t challenge,
                  uint8_t ret[PACKET_PROOF_SIZE]);
/* Constant-time check with keys->receive.  0 or PACKET_E_TAG. */
_must_check_ int packet_check_proof(const struct packet_context *context,
                                    const struct packet_keys *keys,
                                    uint64_t challenge,
                                    const uint8_t proof[PACKET_PROOF_SIZE]);

/*
 * Writes header, payload and tag into `buffer` of LIMIT_DATAGRAM_SIZE bytes.
 * `header->payload` may already lie at buffer + PACKET_HEADER_SIZE.  Returns
 * the size of the datagram.  The payload is at most PACKET_PAYLOAD_MAX, the
 * counter 1 to 2^48 - 1.
 */
size_t packet_build(const struct packet_header *header,
                    const struct packet_context *context,
                    const struct packet_keys *keys,
                    uint8_t buffer[LIMIT_DATAGRAM_SIZE]);

/* The payload of a hello.  0, or PACKET_E_SIZE (also for an empty range of
 * versions or a certificate that no record could be). */
_must_check_ int packet_parse_hello(const struct packet_header *header,
                                    struct packet_hello *ret);
/* Writes a padded payload; returns its size, 0 if the certificate is too
 * large or all records together are. */
_must_check_ size_t packet_build_hello(const struct packet_hello *hello,
                                       uint8_t *payload, size_t payload_size);

/* Accepts each counter once, 0 never.  0 or PACKET_E_REPLAY.  Call only after
 * packet_verify. */
_must_check_ int packet_window_accept(struct packet_window *window,
                                      uint64_t counter);

#endif
