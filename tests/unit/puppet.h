/*
 * One real node (gossip/node/node.h) and puppets around it: certified members
 * whose every packet the test writes, and who note all that they are sent.
 * Time is the test's; signatures and tags are real.
 */
#ifndef SOCKETNET_TESTS_UNIT_PUPPET_H
#define SOCKETNET_TESTS_UNIT_PUPPET_H

#include "gossip/base/cursor.h"
#include "gossip/base/limits.h"
#include "gossip/node/node.h"
#include "gossip/wire/message.h"
#include "gossip/wire/packet.h"
#include "tests/unit/charter_sample.h"
#include "tests/unit/support.h"

/* Number 0 is the node itself; puppet 1 is an issuer, the others are not. */
#define PUPPET_MAX  100
#define PUPPET_BOOT 5u
/* Signs as the cluster's root, which sends nothing. */
#define PUPPET_ROOT PUPPET_MAX
/* 2026-01-01, as certificates are valid from 2020 to 2040. */
#define PUPPET_WALL_MS  UINT64_C(1767225600000)
#define PUPPET_SEEN_MAX 4096

/* What is sent by a stream is seen as sent to this. */
#define PUPPET_STREAM(stream) (1000u + (stream))

/* A message that the node sent to a puppet. */
struct puppet_seen {
    unsigned to;
    uint64_t at_ms;
    unsigned packet; /* counts the packets, or the frames */
    struct message message;
    uint8_t bytes[LIMIT_DATAGRAM_SIZE]; /* message.bytes points here */
};

struct puppet_record {
    uint8_t bytes[LIMIT_MANIFEST_SIZE];
    size_t size;
    uint64_t hash;
};

struct puppets {
    unsigned n; /* the node included */
    struct support_keys root;
    struct charter_sample charter;
    struct support_keys keys[PUPPET_MAX];
    struct puppet_record *certificates; /* of each */
    uint64_t counters[PUPPET_MAX];
    uint32_t roles[PUPPET_MAX]; /* at the next renewal, 0: as they were */
    node_examine_fn examine;    /* of the node to be made */
    node_examined_fn examined;
    void *examine_data;
    uint64_t serials[PUPPET_MAX]; /* of certificates, 0: the number + 1 */
    uint64_t epoch;               /* of all but the node */
    uint64_t seq;
    struct node *node;
    struct node_actions *actions;
    uint64_t now_ms;
    bool holds_commits;     /* own records stay unanswered */
    bool may_lack_memory;   /* a step may say so */
    bool trusts_all;        /* signatures are not looked at */
    bool is_elsewhere;      /* puppets send from an address that nobody has */
    bool has_no_key;        /* ... with a tag that is none */
    const uint8_t *cluster; /* of the records they sign; NULL: the node's */
    struct record_order held[NODE_PENDING_MAX + 1];
    size_t n_held;
    struct puppet_seen *seen;
    size_t n_seen;
    unsigned n_packets;
    unsigned n_hellos;
    struct packet_hello hello; /* the last one; it points into: */
    uint8_t hello_bytes[LIMIT_DATAGRAM_SIZE];
    size_t n_written;   /* own records given to the store */
    size_t n_manifests; /* stored by the node */
    size_t n_evidence;  /* the last of it in: */
    struct puppet_record evidence;
    size_t n_stored;  /* records of others, by the node */
    size_t n_streams; /* asked for */
    unsigned n_frames;
    size_t n_closed; /* streams; the last one, and when */
    uint32_t closed;
    unsigned address_of;   /* whose address packets come from; 0: their own */
    size_t n_stream_bytes; /* sent in streams */
    uint64_t closed_ms;
    size_t n_ready;   /* it said so */
    size_t n_erased;  /* from the store */
    size_t n_removed; /* told of */
    uint64_t own_hlc; /* of its last own record */
};

/* Makes keys and certificates, and a list of actions; no node yet. */
void puppets_prepare(struct puppets *puppets, unsigned n);
/* Makes the node, with all certificates loaded.  What node_new or node_load
 * said; nothing is left then. */
int puppets_make_node(struct puppets *puppets);
/* Both, and starts it; it is ready, and each puppet has said hello
 * and its member record.  Cleared of what was seen by then. */
void puppets_start(struct puppets *puppets, unsigned n);
void puppets_end(struct puppets *puppets);
/* cmocka's: *state are puppets of zeros, or four that have started; and the end
 * of either, and their memory. */
int puppets_setup(void **state);
int puppets_setup_four(void **state);
int puppets_teardown(void **state);
/* Gives the node an event, at the present time. */
void puppets_step(struct puppets *puppets, struct node_event *event);
/* Lets time pass, tick by tick, at most `ms`. */
void puppets_run(struct puppets *puppets, uint64_t ms);
/* Answers the held STORE actions. */
void puppets_commit(struct puppets *puppets);
/* Forgets what was seen. */
void puppets_clear(struct puppets *puppets);

/* Sends the messages in one packet. */
void puppet_send(struct puppets *puppets, unsigned from,
                 const struct writer *messages);
void puppet_hello(struct puppets *puppets, unsigned from);
/* One with a member record and a record of the node's; either may be NULL. */
void puppet_hello_with(struct puppets *puppets, unsigned from,
                       const struct puppet_record *member,
                       const struct puppet_record *shown);
/* One that names another source, and has another certificate. */
void puppet_hello_as(struct puppets *puppets, unsigned from,
                     const uint8_t source[32],
                     const struct puppet_record *certificate);
/* The proof that `from` lives, for `asker` (0: the node). */
void puppet_prove(const struct puppets *puppets, unsigned from, unsigned asker,
                  uint64_t challenge, uint8_t ret[PACKET_PROOF_SIZE]);
/* Passes a proof on, or makes one up, as ACK. */
void puppet_send_proof(struct puppets *puppets, unsigned from, uint16_t nonce,
                       const uint8_t proof[PACKET_PROOF_SIZE]);
/* Signs a record with the next number of the puppet's, made at wall clock
 * `wall_ms`. */
void puppet_sign(struct puppets *puppets, unsigned from, uint8_t kind,
                 const void *key, size_t key_size, const uint8_t *body,
                 size_t body_size, uint64_t wall_ms, struct puppet_record *ret);
void puppet_send_record(struct puppets *puppets, unsigned from,
                        const struct puppet_record *record);
/* A PING or an ACK. */
void puppet_send_ping(struct puppets *puppets, unsigned from, uint8_t type,
                      uint16_t nonce, uint64_t fingerprint);
void puppet_send_hashes(struct puppets *puppets, unsigned from, uint8_t type,
                        const uint64_t *hashes, size_t n);
/* "redis/INSTANCE". */
void puppet_service(struct puppets *puppets, unsigned from,
                    const char *instance, uint64_t wall_ms,
                    struct puppet_record *ret);
void puppet_member(struct puppets *puppets, unsigned from,
                   struct puppet_record *ret);
/* `from` accuses `accused` as the node knows it. */
void puppet_accusation(struct puppets *puppets, unsigned from, unsigned accused,
                       struct puppet_record *ret);
/* What certificates say of a key: `who` makes name, addresses and serial. */
struct body_certificate puppet_body(const struct support_keys *keys,
                                    unsigned who);
/* A certificate by a puppet or PUPPET_ROOT, under its serial or another, made
 * at wall clock `wall_ms`. */
void puppet_certify(struct puppets *puppets, unsigned issuer, uint64_t serial,
                    uint64_t wall_ms, const struct body_certificate *body,
                    struct puppet_record *ret);
/* Revokes whatever a key has, or lifts that. */
void puppet_revoke(struct puppets *puppets, unsigned from,
                   const uint8_t key[32], bool is_lifted, uint64_t wall_ms,
                   struct puppet_record *ret);
/* The record of a charter that is signed, by this root. */
void puppet_charter(struct puppets *puppets, const struct body_charter *charter,
                    const struct support_keys *root, uint64_t wall_ms,
                    struct puppet_record *ret);
/* A certificate for a key that is nobody's, by puppet 1, valid from then. */
void puppet_certificate(struct puppets *puppets, uint8_t byte,
                        uint64_t not_before_s, struct puppet_record *ret);

/* Another key for packets, and a certificate with it for the next hello. */
void puppet_renew(struct puppets *puppets, unsigned who, uint8_t byte);

/* The n-th message of this type sent to the puppet, or NULL. */
const struct puppet_seen *puppet_seen(const struct puppets *puppets,
                                      unsigned to, uint8_t type, size_t n);
size_t puppet_n_seen(const struct puppets *puppets, unsigned to, uint8_t type);
/* Whether the node holds this record of the puppet's, or its own (0), and no
 * tombstone in its place. */
bool puppets_has(const struct puppets *puppets, unsigned writer, uint8_t kind,
                 const char *key);
const struct node_counters *puppets_counters(const struct puppets *puppets);
struct node_member puppets_member(const struct puppets *puppets, unsigned who);
/* The node writes "redis/INSTANCE", or removes it; struct node_written's
 * result. */
int puppets_write(struct puppets *puppets, const char *instance);
int puppets_remove(struct puppets *puppets, const char *instance);

#endif
