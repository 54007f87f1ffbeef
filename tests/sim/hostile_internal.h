/* What the files of the hostile members share.  See hostile.h. */
#ifndef SOCKETNET_TESTS_SIM_HOSTILE_INTERNAL_H
#define SOCKETNET_TESTS_SIM_HOSTILE_INTERNAL_H

#include "gossip/base/cursor.h"
#include "gossip/wire/packet.h"
#include "tests/sim/hostile.h"

/* What was heard on the way; new things take the place of any, so that old
 * ones are among them. */
#define HOSTILE_RECORDS 256
#define HOSTILE_PACKETS 128

struct hostile_packet {
    uint32_t from;
    uint32_t to;
    size_t size;
    uint8_t bytes[LIMIT_DATAGRAM_SIZE];
};

/* The driver of one node. */
struct hostile_driver {
    uint32_t attacks;         /* bits */
    uint64_t counter;         /* of its last packet, to whomever */
    uint64_t seq;             /* of the last record in its name */
    uint32_t n_flood;         /* records of a flood so far */
    struct packet_keys *keys; /* with each node */
    bool *has_keys;
};

struct hostile {
    struct cluster *cluster;
    struct random random;
    struct hostile_driver *drivers; /* of each node; none of honest ones */
    struct simkeys_record records[HOSTILE_RECORDS]; /* of honest writers */
    size_t n_records;
    struct hostile_packet packets[HOSTILE_PACKETS];
    size_t n_packets;
    uint64_t *n_attacks; /* of each kind */
    bool is_calm;
};

/* One attack of node `self`, which runs. */
typedef void (*hostile_fn)(struct hostile *hostile, uint32_t self);

/* An honest node that runs, or CLUSTER_NONE. */
uint32_t hostile_target(struct hostile *hostile);
/* Who all of them attack at this time, running or not; never hostile. */
uint32_t hostile_victim(struct hostile *hostile);
/* Something heard, or NULL. */
const struct simkeys_record *hostile_heard(struct hostile *hostile);
const struct hostile_packet *hostile_overheard(struct hostile *hostile);

/* A valid packet of this payload from `self`, through the network; to_boot is
 * the receiver's that it names. */
void hostile_send(struct hostile *hostile, uint32_t self, uint32_t to,
                  enum packet_type type, uint32_t to_boot,
                  const struct writer *payload);
/* The same for messages to who runs. */
void hostile_say(struct hostile *hostile, uint32_t self, uint32_t to,
                 const struct writer *payload);
/* One record in a valid packet to the node, or to some of the honest ones. */
void hostile_tell(struct hostile *hostile, uint32_t self, uint32_t to,
                  const struct simkeys_record *record);
void hostile_tell_some(struct hostile *hostile, uint32_t self,
                       const struct simkeys_record *record);

/* What a record is to be; hostile_make signs it with the key of `self`. */
struct hostile_record {
    uint8_t kind;
    uint32_t name; /* the writer that it names */
    struct record_order order;
    uint64_t hlc; /* 0: now */
    const void *key;
    size_t key_size;
    uint8_t body[LIMIT_RECORD_SIZE];
    size_t body_size;
};

/* The next order in its own name. */
struct record_order hostile_next(struct hostile *hostile, uint32_t self);
void hostile_make(struct hostile *hostile, uint32_t self,
                  const struct hostile_record *what,
                  struct simkeys_record *ret);

/* The attacks, each in a function of its own. */
void hostile_forge(struct hostile *hostile, uint32_t self);
void hostile_alter(struct hostile *hostile, uint32_t self);
void hostile_take_address(struct hostile *hostile, uint32_t self);
void hostile_take_function(struct hostile *hostile, uint32_t self);
void hostile_claim(struct hostile *hostile, uint32_t self);
void hostile_hold(struct hostile *hostile, uint32_t self);
void hostile_revoke(struct hostile *hostile, uint32_t self);
void hostile_certify(struct hostile *hostile, uint32_t self);
void hostile_bury(struct hostile *hostile, uint32_t self);
void hostile_depart(struct hostile *hostile, uint32_t self);
void hostile_end_all(struct hostile *hostile, uint32_t self);
void hostile_accuse(struct hostile *hostile, uint32_t self);
void hostile_accuse_many(struct hostile *hostile, uint32_t self);
void hostile_contradict(struct hostile *hostile, uint32_t self);
void hostile_frame(struct hostile *hostile, uint32_t self);
void hostile_rush(struct hostile *hostile, uint32_t self);
void hostile_flood(struct hostile *hostile, uint32_t self);
void hostile_pour(struct hostile *hostile, uint32_t self);
void hostile_repeat(struct hostile *hostile, uint32_t self);
void hostile_replay(struct hostile *hostile, uint32_t self);
void hostile_garble(struct hostile *hostile, uint32_t self);
void hostile_amplify(struct hostile *hostile, uint32_t self);
void hostile_promise(struct hostile *hostile, uint32_t self);
void hostile_show_past(struct hostile *hostile, uint32_t self);
void hostile_relay(struct hostile *hostile, uint32_t self);
void hostile_swallow(struct hostile *hostile, uint32_t self);
void hostile_lie(struct hostile *hostile, uint32_t self);

/* What a hostile node's own packet becomes: messages left out or changed. */
void hostile_rewrite(struct hostile *hostile, uint32_t self, uint32_t to,
                     bool is_swallowing, bool is_lying, bool is_relaying,
                     const struct packet_header *header);
/* Answers requests to probe for another in that packet as it likes. */
void hostile_answer_probes(struct hostile *hostile, uint32_t self,
                           uint32_t asker, const struct packet_header *header);

#endif
