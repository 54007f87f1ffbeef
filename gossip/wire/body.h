/*
 * The msgpack bodies of records.  Every body is one map with small unsigned
 * integer keys; a key that we do not know is skipped (the record is kept and
 * forwarded as it is), a known key of a wrong type or range refuses the
 * record.  Keys must be there unless said to be optional; keys added later
 * always are.  Decoders allocate nothing.  Byte layout and key numbers:
 * docs/WIRE.md.
 *
 * All text is UTF-8 without control bytes; names obey body_name_valid.
 * Decoded structs own nothing: they are plain values.
 */
#ifndef SOCKETNET_GOSSIP_WIRE_BODY_H
#define SOCKETNET_GOSSIP_WIRE_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/base/address.h"
#include "gossip/base/limits.h"
#include "gossip/base/macros.h"
#include "gossip/wire/record.h"

#define BODY_NAME_SIZE (LIMIT_NAME_LEN + 1)

/* Roles, bits of a certificate. */
enum body_role {
    BODY_ROLE_MEMBER = 1u << 0, /* an ordinary node */
    BODY_ROLE_ISSUER = 1u << 1, /* may sign certificates and functions */
};

/*
 * Kind certificate: written by an admission key, record key = the subject's
 * 32-byte signing key.
 *  1 signing key bin32      2 exchange key bin32 (X25519)
 *  3 WireGuard key bin32 (absent when unknown, never zero)
 *  4 name str               5 mesh endpoints [bin6|bin18] (address + port),
 *                             at least one, ports not 0
 *  6 container subnets [bin5|bin17]
 *  7 roles uint (unknown bits are kept)
 *  8 function patterns [str]: a name, its start followed by '*', or "*"
 *  9 intent scope [str]    10 not before, s since 1970
 * 11 not after, s, later than 10
 * 12 generation uint (u32)
 * 13 serial uint (u64, not 0; the header's serial of records written under
 *    it)
 */
struct body_certificate {
    uint8_t sign_public[32];
    uint8_t exchange_public[32];
    uint8_t wireguard_public[32]; /* all zero: unknown */
    char name[BODY_NAME_SIZE];
    struct endpoint mesh[LIMIT_CERT_ADDRESSES]; /* gossip endpoints */
    size_t n_mesh;
    struct prefix subnets[LIMIT_CERT_SUBNETS];
    size_t n_subnets;
    uint32_t roles;
    char functions[LIMIT_CERT_FUNCTIONS][BODY_NAME_SIZE];
    size_t n_functions;
    char scope[LIMIT_CERT_FUNCTIONS][BODY_NAME_SIZE];
    size_t n_scope;
    uint64_t not_before_s;
    uint64_t not_after_s;
    uint32_t generation;
    uint64_t serial;
};

enum body_member_state {
    BODY_MEMBER_ALIVE = 0,
    BODY_MEMBER_PAUSED = 1, /* agent stopped on purpose; data plane stays */
    BODY_MEMBER_LEFT = 2,   /* will not come back; drop its records */
};

/* Any but 0 says that no instance of the host serves; numbers that a release
 * does not know say so too. */
enum body_member_finding {
    BODY_MEMBER_FINDING_NONE = 0,
    BODY_MEMBER_FINDING_SWITCH = 1, /* the switch is down */
    BODY_MEMBER_FINDING_WORKER = 2, /* the worker is down */
    BODY_MEMBER_FINDING_TUNNEL = 3, /* the tunnel is down */
    BODY_MEMBER_FINDING_FROZEN = 4, /* frozen, or there is a twin */
};

/*
 * Kind member: record key empty.  The record's (epoch, seq) is the member's
 * incarnation: an accusation names it, a refutation is a newer one.
 *  1 state uint             2 pause in s (u32; for state 1; optional)
 *  3 software version str (optional)
 *  4 lowest, 5 highest protocol version uint (1..255)
 *  6 WireGuard endpoints [bin6|bin18] (optional; ports not 0)
 *  7 finding uint 0 (u8; optional): what ails the whole host
 */
struct body_member {
    uint8_t state;
    uint32_t pause_s;
    char version[BODY_NAME_SIZE];
    uint8_t protocol_min;
    uint8_t protocol_max;
    struct endpoint endpoints[LIMIT_MEMBER_ENDPOINTS];
    size_t n_endpoints;
    uint8_t finding; /* enum body_member_finding, or a later release's */
};

enum body_service_health {
    BODY_HEALTH_PASSING = 0,
    BODY_HEALTH_CRITICAL = 1,
    BODY_HEALTH_DRAINING = 2,
    BODY_HEALTH_MAINTENANCE = 3,
};

/* Like body_member_finding, of one instance. */
enum body_service_finding {
    BODY_FINDING_NONE = 0,
    BODY_FINDING_NO_PORT = 1,
    BODY_FINDING_REFUSED = 2, /* by the worker */
    BODY_FINDING_CHECK = 3,   /* its check fails */
    BODY_FINDING_ADDRESS = 4, /* another address is behind its port */
};

/* One more port, or several in a row, of an instance. */
struct body_ports {
    char name[BODY_NAME_SIZE];
    uint8_t protocol;
    uint16_t first;
    uint16_t last; /* not below `first` */
};

struct body_meta {
    char key[BODY_NAME_SIZE];
    char value[BODY_NAME_SIZE];
};

/*
 * Kind service: one instance of a function.  Record key = function name,
 * '/', instance name.
 *  1 function str, canonical   2 instance str
 *  3 protocol uint (6 TCP, 17 UDP; no other)
 *  4 port uint, not 0          5 address bin4|bin16
 * The rest is optional, with these defaults:
 *  6 port name str "" (OVS port: printable ASCII but '/', ':', space)
 *  7 weight uint 100 (1..1000)  8 priority uint 0 (u16)  9 health uint 0
 * 10 tags [str] (names)
 * 11 meta {str: str} (names; texts of at most LIMIT_NAME_LEN bytes)
 * 12 slot uint 0 (u16): i of the function's address H(cluster, function, i)
 * 13 finding uint 0 (u8)
 * 14 further ports [[name str, protocol uint, first uint, last uint]], no name
 *    twice
 */
struct body_service {
    char function[BODY_NAME_SIZE]; /* canonical: body_name_canonical */
    char instance[BODY_NAME_SIZE];
    uint8_t protocol;
    uint16_t port;
    struct address address;
    char port_name[16]; /* IFNAMSIZ; "" = not on a bridge port */
    uint16_t weight;    /* 1..1000, 100 is usual */
    uint16_t priority;  /* lower is preferred */
    uint8_t health;
    char tags[LIMIT_SERVICE_TAGS][BODY_NAME_SIZE];
    size_t n_tags;
    struct body_meta meta[LIMIT_SERVICE_META];
    size_t n_meta;
    uint16_t slot;
    uint8_t finding; /* enum body_service_finding, or a later release's */
    struct body_ports ports[LIMIT_SERVICE_PORTS];
    size_t n_ports;
};

/* Kind function: written by a root or an issuer, record key = name.
 *  1 name str, canonical   2 service address bin4|bin16 (absent: hashed)
 *  3 policy map (optional), kept and not yet acted on
 *  4 slot uint (u16; optional): there: a claim, made by an issuer by itself;
 *    absent: declared by a person
 *  5 idle since, s since 1970 (optional, 0): of a claim whose function has had
 *    no instance since then */
struct body_function {
    char name[BODY_NAME_SIZE];
    struct address address; /* family 0: hashed */
    bool is_claim;
    uint16_t slot;         /* of a claim */
    uint64_t idle_since_s; /* of a claim; 0: it has an instance */
};

/* Kind tombstone: record key = that of the record it ends.
 *  1 kind of that record uint (1..255, not a tombstone) */
struct body_tombstone {
    uint8_t kind;
};

/* Kind manifest: record key empty.  Everything of the writer at or before
 * `upto` that is not listed is gone for good.
 *  1 epoch uint  2 seq uint (not 0; the pair is not newer than the manifest)
 *  3 ids bin, strictly ascending, 16 bytes each: the first half of record_id
 *    of each live record up to then (members, manifests and accusations are
 *    not listed), at most LIMIT_RECORDS_PER_WRITER */
#define BODY_MANIFEST_ID_SIZE 16
struct body_manifest {
    struct record_order upto;
    const uint8_t *ids; /* borrowed from the body */
    size_t n_ids;
};

/* Kind accusation: record key = the accused's 32-byte signing key.  Never
 * stored.  1 epoch uint, 2 seq uint (not 0): the accused member record. */
struct body_accusation {
    struct record_order incarnation;
};

/* Kind revocation: record key = the subject's signing key.
 *  1 serial uint (0 = every certificate)  2 reason str (optional)
 *  3 lifted bool (optional, false): a root undoes it */
struct body_revocation {
    uint64_t serial;
    char reason[BODY_NAME_SIZE];
    bool is_lifted;
};

/* Kind hold: whether the cluster is to stand still.  Record key empty.
 *  1 held bool   2 reason str (optional)
 *  3 ids bin (optional), 16 bytes each: the first half of record_id of each
 *    hold record that a release ends, at most LIMIT_HOLDS */
#define BODY_HOLD_ID_SIZE 16
struct body_hold {
    bool is_held;
    char reason[BODY_NAME_SIZE];
    const uint8_t *ids; /* borrowed from the body */
    size_t n_ids;
};

/* One root's signature of a charter. */
struct body_charter_signature {
    uint8_t root[32];
    uint8_t signature[64];
};
#define BODY_CHARTER_HASH_SIZE 32
/* Record key: generation u32, then the start of the charter's hash. */
#define BODY_CHARTER_KEY_SIZE 16

/*
 * Kind charter: who the roots are and what addresses the cluster may use.
 * Written by one of the roots that signed it.
 *  1 generation uint (u32, not 0)
 *  2 previous bin32: hash of the charter before it, zeros for generation 1
 *  3 roots [bin32], none twice  4 threshold uint (1 to the number of roots)
 *  5 container ranges [bin5|bin17], 6 mesh ranges, 7 service ranges (at most
 *    one of a family): at least one each, and none overlaps one of another key
 *  8 shared ranges, each inside a container range
 *  9 signatures [[root bin32, signature bin64]], the last pair, each value in
 *    its shortest form, no root twice
 * The hash is BLAKE2b-256 over the signed part: all before pair 9.  A signature
 * is Ed25519 over "socketnet/v1/charter" NUL, cluster (16), signed part.
 */
struct body_charter {
    uint32_t generation;
    uint8_t previous[BODY_CHARTER_HASH_SIZE];
    uint8_t roots[LIMIT_GENESIS_ROOTS][32];
    size_t n_roots;
    uint8_t threshold;
    struct prefix containers[LIMIT_CHARTER_RANGES];
    size_t n_containers;
    struct prefix mesh[LIMIT_CHARTER_RANGES];
    size_t n_mesh;
    struct prefix services[LIMIT_CHARTER_SERVICES];
    size_t n_services;
    struct prefix shared[LIMIT_CHARTER_SHARED];
    size_t n_shared;
    struct body_charter_signature signatures[LIMIT_GENESIS_ROOTS];
    size_t n_signatures;
};

/* Who decides on a charter: the roots of the one before it, or the genesis'. */
struct body_charter_parent {
    uint32_t generation;                  /* 0: the genesis */
    uint8_t hash[BODY_CHARTER_HASH_SIZE]; /* zeros: the genesis */
    uint8_t roots[LIMIT_GENESIS_ROOTS][32];
    size_t n_roots;
    uint8_t threshold;
};

/* Decoders: 0, or RECORD_E_BODY (shape, ranges, or record key and body
 * disagree).  What a body may hold at all: unpack_validate. */
_must_check_ int body_get_certificate(const struct record *record,
                                      struct body_certificate *ret);
_must_check_ int body_get_member(const struct record *record,
                                 struct body_member *ret);
_must_check_ int body_get_service(const struct record *record,
                                  struct body_service *ret);
_must_check_ int body_get_function(const struct record *record,
                                   struct body_function *ret);
_must_check_ int body_get_tombstone(const struct record *record,
                                    struct body_tombstone *ret);
_must_check_ int body_get_manifest(const struct record *record,
                                   struct body_manifest *ret);
_must_check_ int body_get_accusation(const struct record *record,
                                     struct body_accusation *ret);
_must_check_ int body_get_hold(const struct record *record,
                               struct body_hold *ret);
_must_check_ int body_get_revocation(const struct record *record,
                                     struct body_revocation *ret);
_must_check_ int body_get_charter(const struct record *record,
                                  struct body_charter *ret);
/* The same of a body alone; `record key` is not there to be checked. */
_must_check_ int body_unpack_charter(const uint8_t *body, size_t body_size,
                                     struct body_charter *ret);

/* One that nobody need have signed yet. */
_must_check_ int body_unpack_proposal(const uint8_t *body, size_t body_size,
                                      struct body_charter *ret);

/* Encoders write into `buffer`; 0 and the size, or -ENOBUFS.  The same value
 * always gives the same bytes (keys ascending, defaults written, shortest
 * forms).  They do not judge values: the node decodes what it is given to
 * write. */
_must_check_ int body_put_certificate(const struct body_certificate *body,
                                      uint8_t *buffer, size_t buffer_size,
                                      size_t *ret_size);
_must_check_ int body_put_member(const struct body_member *body,
                                 uint8_t *buffer, size_t buffer_size,
                                 size_t *ret_size);
_must_check_ int body_put_service(const struct body_service *body,
                                  uint8_t *buffer, size_t buffer_size,
                                  size_t *ret_size);
_must_check_ int body_put_function(const struct body_function *body,
                                   uint8_t *buffer, size_t buffer_size,
                                   size_t *ret_size);
_must_check_ int body_put_tombstone(const struct body_tombstone *body,
                                    uint8_t *buffer, size_t buffer_size,
                                    size_t *ret_size);
_must_check_ int body_put_manifest(const struct body_manifest *body,
                                   uint8_t *buffer, size_t buffer_size,
                                   size_t *ret_size);
_must_check_ int body_put_accusation(const struct body_accusation *body,
                                     uint8_t *buffer, size_t buffer_size,
                                     size_t *ret_size);
_must_check_ int body_put_hold(const struct body_hold *body, uint8_t *buffer,
                               size_t buffer_size, size_t *ret_size);
_must_check_ int body_put_revocation(const struct body_revocation *body,
                                     uint8_t *buffer, size_t buffer_size,
                                     size_t *ret_size);
_must_check_ int body_put_charter(const struct body_charter *body,
                                  uint8_t *buffer, size_t buffer_size,
                                  size_t *ret_size);

/* The hash of a charter, which the next one names.  `body` decodes. */
void body_hash_charter(const struct body_charter *charter, const uint8_t *body,
                       size_t body_size,
                       uint8_t ret_hash[BODY_CHARTER_HASH_SIZE]);
/* The record key of a charter with this hash. */
void body_key_charter(const struct body_charter *charter,
                      const uint8_t hash[BODY_CHARTER_HASH_SIZE],
                      uint8_t ret_key[BODY_CHARTER_KEY_SIZE]);
/* Adds one root's signature (its 64 secret bytes) to a charter, whose other
 * fields are as they stay.  0; -EINVAL: it cannot be encoded; -ENOSPC: it holds
 * as many as it may; -EEXIST: this root has signed. */
_must_check_ int body_sign_charter(const uint8_t cluster[RECORD_CLUSTER_SIZE],
                                   const uint8_t secret[64],
                                   struct body_charter *charter);
/* The parent's roots whose signatures of a charter hold, in the order of the
 * signatures; how many.  `body` decodes to `charter`. */
size_t body_charter_signers(const uint8_t cluster[RECORD_CLUSTER_SIZE],
                            const struct body_charter *charter,
                            const uint8_t *body, size_t body_size,
                            const struct body_charter_parent *parent,
                            uint8_t ret[LIMIT_GENESIS_ROOTS][32]);
/*
 * Whether a charter follows its parent: the next generation, naming its hash,
 * signed by as many of its roots as its threshold asks, the record's writer
 * (not its signature: sign_verify) one of them.  0 and the charter,
 * RECORD_E_BODY, or RECORD_E_SIGNATURE: too few good ones.
 */
_must_check_ int body_verify_charter(const struct record *record,
                                     const struct body_charter_parent *parent,
                                     struct body_charter *ret);
/* Lays out and signs the record of a charter that is signed, written by the
 * root of these 64 secret bytes.  0 and the size, -ENOBUFS: it does not fit. */
_must_check_ int body_build_charter(const uint8_t cluster[RECORD_CLUSTER_SIZE],
                                    const struct body_charter *charter,
                                    const uint8_t secret[64],
                                    struct record_order order, uint64_t hlc,
                                    uint8_t *buffer, size_t buffer_size,
                                    size_t *ret_size);
/* Whether the address is in a mesh range; the subnet in a container range. */
bool body_charter_allows_mesh(const struct body_charter *charter,
                              const struct address *address);
bool body_charter_allows_subnet(const struct body_charter *charter,
                                const struct prefix *subnet);
/* Whether the subnet is one of the ranges that several may share. */
bool body_charter_is_shared(const struct body_charter *charter,
                            const struct prefix *subnet);
/* Whether functions can have their addresses in these ranges: an IPv4 one of /8
 * to /24, and after it at most one of IPv6, /32 to /112. */
bool body_charter_services_usable(const struct prefix *services, size_t n);
/* Whether mesh addresses and subnets of the certificate are the cluster's. */
bool body_charter_allows_certificate(const struct body_charter *charter,
                                     const struct body_certificate *body);
/* The parent that a charter is for the next one. */
void body_follow_charter(const struct body_charter *charter,
                         const uint8_t hash[BODY_CHARTER_HASH_SIZE],
                         struct body_charter_parent *ret);

/* A DNS label: letters, digits, '-' and '_', not at an end, 1..63. */
bool body_name_valid(const char *name);
/* Lower case, '_' becomes '-': `vector_db` and `vector-db` are one name.
 * 0, or -EINVAL when the name is not valid. */
_must_check_ int body_name_canonical(const char *name,
                                     char ret_name[BODY_NAME_SIZE]);
/* Whether the two say the same but for their validity. */
bool body_certificate_is_renewal(const struct body_certificate *cert,
                                 const struct body_certificate *other);
/* Whether one of the certificate's patterns allows the canonical name.  A
 * pattern is a name, "*", or a prefix ending in '*'; it is compared in its
 * canonical form. */
bool body_certificate_allows_function(const struct body_certificate *cert,
                                      const char *name);
/* That pattern, borrowed; the full name before all others, else the first.
 * NULL: none does. */
const char *body_certificate_pattern(const struct body_certificate *cert,
                                     const char *name);
/* Whether the address lies inside one of the certificate's subnets or is one
 * of its mesh addresses. */
bool body_certificate_allows_address(const struct body_certificate *cert,
                                     const struct address *address);

#endif
