/*
 * The record: the only unit of state that nodes share.  This file knows the
 * binary header, the order of records and their identity; body.h knows what
 * is inside, sign.h who may have written it.  Byte layout: docs/WIRE.md.
 *
 *   off size field
 *     0    1 version (RECORD_VERSION)
 *     1    1 kind (enum record_kind; never 0)
 *     2    2 flags: the low 8 bits are critical, a record with one of them
 *            set that we do not know is refused; the high 8 bits are
 *            optional and ignored when unknown.  None is defined today.
 *     4   16 cluster (first 16 bytes of the cluster id)
 *    20   32 writer, Ed25519 public key
 *    52    8 certificate serial under which the writer writes
 *    60    8 epoch (boot number << 32 | 32 random bits)
 *    68    8 sequence number within the epoch, from 1
 *    76    8 hybrid logical clock (ms since 1970 << 16 | counter)
 *    84    4 time to live in seconds, 0 = until replaced
 *    88    1 key size
 *    89    1 reserved, 0
 *    90    2 body size
 *    92    . key, body
 *     .   64 Ed25519 signature
 * All integers are big-endian.
 */
#ifndef SOCKETNET_GOSSIP_WIRE_RECORD_H
#define SOCKETNET_GOSSIP_WIRE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/base/limits.h"
#include "gossip/base/macros.h"

#define RECORD_VERSION        2
#define RECORD_HEADER_SIZE    92
#define RECORD_SIGNATURE_SIZE 64
#define RECORD_CLUSTER_SIZE   16
#define RECORD_WRITER_SIZE    32
#define RECORD_ID_SIZE        32
/* Flags that must be known to be accepted, see above. */
#define RECORD_FLAGS_CRITICAL 0x00ff
/* Short form of a writer's key: first 8 bytes of BLAKE2b-256(key). */
#define RECORD_NODE_ID_SIZE 8

enum record_kind {
    RECORD_CERTIFICATE = 1,
    RECORD_REVOCATION = 2,
    RECORD_MEMBER = 3,
    RECORD_SERVICE = 4,
    RECORD_FUNCTION = 5,
    RECORD_INTENT = 6,
    RECORD_TOMBSTONE = 7,
    RECORD_MANIFEST = 8,
    RECORD_ACCUSATION = 9,
    RECORD_CHARTER = 10,
    RECORD_EVIDENCE = 11,
    RECORD_HOLD = 12,
};

/* Conditions of record_parse and sign_verify; never fatal. */
enum record_error {
    RECORD_E_SIZE = 1,      /* too short, too long, or sizes disagree */
    RECORD_E_VERSION = 2,   /* a version we do not speak */
    RECORD_E_RESERVED = 3,  /* a reserved bit or byte set, kind or seq 0 */
    RECORD_E_SIGNATURE = 4, /* the signature does not verify */
    RECORD_E_BODY = 5,      /* the body is not what its kind demands */
};

/* Total order of one writer's records: epoch first, then sequence. */
struct record_order {
    uint64_t epoch;
    uint64_t seq;
};

/* A parsed header.  Pointers borrow from the bytes given to record_parse. */
struct record {
    const uint8_t *bytes; /* the whole record, exactly as received */
    size_t size;
    uint8_t version;
    uint8_t kind;
    uint16_t flags;
    const uint8_t *cluster; /* RECORD_CLUSTER_SIZE bytes */
    const uint8_t *writer;  /* RECORD_WRITER_SIZE bytes */
    uint64_t serial;
    struct record_order order;
    uint64_t hlc;
    uint32_t ttl_s;
    const uint8_t *key;
    size_t key_size;
    const uint8_t *body;
    size_t body_size;
    const uint8_t *signature; /* RECORD_SIGNATURE_SIZE bytes */
};

/* What a writer fills in; record_build lays it out. */
struct record_fields {
    uint8_t kind;
    uint16_t flags;
    const uint8_t *cluster;
    const uint8_t *writer;
    uint64_t serial;
    struct record_order order;
    uint64_t hlc;
    uint32_t ttl_s;
    const uint8_t *key;
    size_t key_size;
    const uint8_t *body;
    size_t body_size;
};

/* The wall clock of a hybrid logical clock, s since 1970: its upper 48 bits are
 * milliseconds. */
static inline uint64_t record_hlc_s(uint64_t hlc)
{
    return (hlc >> 16) / 1000;
}

/*
 * Parses the header and bounds of a record of exactly `size` bytes.  Does not
 * look into the body and does not verify.  Unknown kinds parse.
 * Returns 0 or RECORD_E_SIZE, RECORD_E_VERSION, RECORD_E_RESERVED.
 */
_must_check_ int record_parse(const uint8_t *bytes, size_t size,
                              struct record *ret);

/*
 * Size of the record that starts at `bytes`, from its header, so that records
 * can be cut out of a longer buffer.  Returns 0 and the size (which may be
 * larger than `size`), or RECORD_E_SIZE when the header is not there whole.
 */
_must_check_ int record_peek_size(const uint8_t *bytes, size_t size,
                                  size_t *ret_size);

/*
 * Lays out header, key and body in `buffer` and leaves room for the
 * signature, which sign_record fills.  Returns the whole size, or 0 when the
 * record would be larger than its kind allows or than `buffer_size`.
 */
_must_check_ size_t record_build(const struct record_fields *fields,
                                 uint8_t *buffer, size_t buffer_size);

/* Largest size of a record of this kind. */
size_t record_size_max(uint8_t kind);

/* <0, 0, >0 as a is older than, equal to, newer than b. */
int record_order_compare(struct record_order a, struct record_order b);

/* Identity: BLAKE2b-256 over everything but the signature, so that a
 * malleable signature cannot make two ids of one record. */
void record_id(const struct record *record, uint8_t ret_id[RECORD_ID_SIZE]);

/* Short id of a key, as packets and messages carry it. */
uint64_t record_node_id(const uint8_t writer[RECORD_WRITER_SIZE]);

/* Lower-case English name of a kind, "unknown" for others. */
const char *record_kind_name(uint8_t kind);

#endif
