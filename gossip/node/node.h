/*
 * The protocol core: SWIM membership, dissemination and anti-entropy of
 * signed records, as one sans-IO state machine.  Time, bytes and commits come
 * in as events; sends, stores and changes leave as actions; the owner holds
 * the timer and asks node_deadline_ms when to tick (the shapes are cowsql
 * raft's raft_step and ngtcp2's expiry).  agent/core/core.c drives it in
 * production, tests/sim in virtual time: the very same code.
 *
 * Clock: `now_ms` is monotonic and never goes back; `wall_ms` is since 1970,
 * may jump, and is used only for the HLC and certificate validity.
 *
 * Not thread-safe; one owner.
 */
#ifndef SOCKETNET_GOSSIP_NODE_NODE_H
#define SOCKETNET_GOSSIP_NODE_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/base/address.h"
#include "gossip/base/macros.h"
#include "gossip/wire/body.h"
#include "gossip/wire/record.h"

struct node;
struct node_actions;

/* Own records that wait for COMMITTED or STORE_FAILED; a WRITE past it is
 * NODE_E_LIMIT. */
#define NODE_PENDING_MAX 256

/* Protocol times; NODE_TUNING_DEFAULT is the LAN setting. */
struct node_tuning {
    uint32_t probe_interval_ms;  /* one member probed per interval */
    uint32_t probe_timeout_ms;   /* until indirect probes start, at most; the
                                    measured RTT shortens it */
    uint32_t indirect_probes;    /* k helpers asked */
    uint32_t suspicion_mult;     /* min = mult * max(1, log10 n) * interval */
    uint32_t suspicion_max_mult; /* max = this * min (Lifeguard) */
    uint32_t eager_peers;        /* news goes to so many at once */
    uint32_t coalesce_ms;        /* news waits so long for company */
    uint32_t retransmit_mult;    /* copies = mult * ceil(log10(n + 1)) */
    uint32_t sync_delay_ms; /* unequal fingerprints for so long start sync */
    uint32_t dead_probe_ms; /* one down member probed per so long, for ever */
    uint32_t pause_max_s;   /* longest pause believed */
    uint32_t first_write_wait_ms; /* wait for peers to tell our old epoch */
};
extern const struct node_tuning NODE_TUNING_DEFAULT;

/* Verifies a record's signature: 0 or RECORD_E_SIGNATURE.  Production passes
 * sign_verify; the simulator remembers results of that same function. */
typedef int (*node_verify_fn)(const struct record *record, void *data);

/* Asked before a record from outside, or from the store, is looked at, and told
 * after.  False: it is to be refused unseen. */
typedef bool (*node_examine_fn)(const uint8_t *bytes, size_t size, void *data);
typedef void (*node_examined_fn)(void *data);

/* Everything is copied. */
struct node_config {
    uint8_t cluster[RECORD_CLUSTER_SIZE];
    struct body_charter_parent genesis; /* its roots and threshold */
    const uint8_t *charters; /* charter records, one after another, each
                                behind its parent; at least one */
    size_t charters_size;
    uint8_t sign_public[32];
    uint8_t sign_secret[64];
    uint8_t exchange_public[32];
    uint8_t exchange_secret[32];
    const uint8_t *certificate; /* own certificate record */
    size_t certificate_size;
    uint64_t epoch;      /* (max stored boot + 1) << 32 | random */
    uint64_t seed;       /* for protocol choices only */
    const char *version; /* software version, shown in members */
    struct node_tuning tuning;
    node_verify_fn verify;
    void *verify_data;
    node_examine_fn examine; /* both or none */
    node_examined_fn examined;
    void *examine_data;
};

enum node_member_state {
    NODE_MEMBER_UNKNOWN = 0, /* certified, no member record seen */
    NODE_MEMBER_ALIVE = 1,
    NODE_MEMBER_SUSPECT = 2,
    NODE_MEMBER_DEAD = 3,
    NODE_MEMBER_PAUSED = 4,
    NODE_MEMBER_LEFT = 5,
    NODE_MEMBER_REMOVED = 6, /* certified no more: its denial says why */
};

/* Why a member that was certified is so no more. */
enum node_denial {
    NODE_DENIAL_NONE = 0,
    NODE_DENIAL_REVOKED = 1,
    NODE_DENIAL_RANGE = 2,  /* an address outside the charter's ranges */
    NODE_DENIAL_ISSUER = 3, /* its issuer's word counts no more */
    NODE_DENIAL_CLASH = 4,  /* another has its name, address or subnet */
};

/* What two certificates give to two keys. */
enum node_clash {
    NODE_CLASH_NONE = 0,
    NODE_CLASH_NAME = 1,
    NODE_CLASH_MESH = 2,   /* a mesh address */
    NODE_CLASH_SUBNET = 3, /* overlapping ones */
};

/* A member as this node sees it.  Valid until the next call on the node. */
struct node_member {
    uint8_t key[32]; /* signing key */
    uint64_t id;     /* record_node_id(key) */
    const struct body_certificate *certificate;
    const struct body_member *body; /* NULL while unknown */
    enum node_member_state state;
    enum node_denial denial;
    enum node_clash clash;           /* with NODE_DENIAL_CLASH; likewise: */
    uint8_t winner[32];              /* who has it */
    struct record_order incarnation; /* of its member record */
    bool is_self;
    bool is_frozen;          /* contradicted itself: nothing of it is used */
    bool is_heard;           /* it has spoken to us since START (or is_self) */
    bool is_reachable;       /* our own last probe was answered (or is_self) */
    uint32_t rtt_us;         /* smoothed, 0 = not measured */
    uint64_t last_heard_ms;  /* monotonic; 0 = never */
    uint64_t state_since_ms; /* monotonic */
};

/* It left, or was removed: nothing of it is used any more. */
static inline bool node_member_is_gone(const struct node_member *member)
{
    return member->state == NODE_MEMBER_LEFT ||
           member->state == NODE_MEMBER_REMOVED;
}

/* Every event is given once, whatever node_step answers. */
enum node_event_type {
    NODE_EVENT_START = 1, /* once, after node_load calls */
    NODE_EVENT_TICK,
    NODE_EVENT_DATAGRAM,
    NODE_EVENT_COMMITTED,     /* a NODE_ACTION_STORE with is_own is on disk */
    NODE_EVENT_STORE_FAILED,  /* ... or could not be written */
    NODE_EVENT_STREAM_OPENED, /* by us (after STREAM_OPEN) or by the peer */
    NODE_EVENT_STREAM_FRAME,
    NODE_EVENT_STREAM_CLOSED, /* also when opening failed: stream id 0 */
    NODE_EVENT_PAUSE,         /* the agent stops, its host does not */
    NODE_EVENT_LEAVE,         /* the node leaves the cluster for good */
    NODE_EVENT_FINDING,       /* what ails the whole host is another now */
    /* Make the next own record: sequence, HLC, signature, a STORE action.  It
     * enters the view and is sent when COMMITTED arrives.  The result is in
     * *written, whatever node_step says of the rest of the step. */
    NODE_EVENT_WRITE,
    NODE_EVENT_REMOVE, /* ... a tombstone in the place of an own record */
    /* A finished record from the local owner, `bytes`: judged as one that a
     * peer brings, and besides refused when it would be of no use.  The result
     * is in *offered; its STORE actions are not is_own. */
    NODE_EVENT_OFFER,
};

enum node_write_error {
    NODE_E_NOT_READY = 1, /* no NODE_ACTION_READY yet */
    NODE_E_TOO_LARGE = 2,
    NODE_E_NOT_ALLOWED = 3, /* the own certificate does not allow it */
    NODE_E_LIMIT = 4,       /* LIMIT_RECORDS_PER_WRITER or NODE_PENDING_MAX */
    NODE_E_BODY = 5,        /* the body does not decode as its kind */
    NODE_E_NOT_FOUND = 6,   /* REMOVE: no such own record */
    NODE_E_TWIN = 7,        /* another writes with this node's key */
    NODE_E_FROZEN = 8,      /* two of its records contradict each other */
};

/* What became of a WRITE or REMOVE. */
struct node_written {
    int result; /* 0: a STORE action was appended; NODE_E_* or -ENOMEM: nothing
                   of it is left */
    struct record_order order; /* of the record, when 0 */
};

/* What became of an OFFER. */
enum node_offer_result {
    NODE_OFFER_TAKEN = 0,     /* in the view, told, to be stored */
    NODE_OFFER_KNOWN = 1,     /* it was there already */
    NODE_OFFER_MALFORMED = 2, /* sizes, version, or a reserved bit */
    NODE_OFFER_KIND = 3,      /* an accusation: those are not kept */
    NODE_OFFER_CLUSTER = 4,   /* of another cluster */
    NODE_OFFER_OWN = 5,       /* in this node's own name, and not known */
    NODE_OFFER_BODY = 6,      /* not what its kind demands */
    NODE_OFFER_WRITER = 7,    /* its writer is nobody, or writes no more */
    NODE_OFFER_RIGHTS = 8,    /* its writer may not write this */
    NODE_OFFER_EXPIRED = 9,   /* written past an end, or reaching beyond it */
    NODE_OFFER_OLD = 10,      /* there is a newer one, or it was ended */
    NODE_OFFER_SIGNATURE = 11,
    NODE_OFFER_FROZEN = 12,     /* its writer contradicted itself */
    NODE_OFFER_LIMIT = 13,      /* of records, charters or keys */
    NODE_OFFER_RATE = 14,       /* its writer wrote too much just now */
    NODE_OFFER_SET_ASIDE = 15,  /* this program died on it */
    NODE_OFFER_PARENT = 16,     /* charter: follows none that is here */
    NODE_OFFER_GENERATION = 17, /* charter: one of it is in force */
    NODE_OFFER_REVOKED = 18,    /* certificate: its key or serial is */
    NODE_OFFER_RANGE = 19,      /* certificate: not the charter's addresses */
    NODE_OFFER_ISSUER = 20,     /* certificate: its writer's word is over */
    NODE_OFFER_OVER = 21,       /* certificate: ended too long ago */
    NODE_OFFER_RESULTS = 22,
};
struct node_offered {
    int result; /* enum node_offer_result, or -ENOMEM: nothing of it is left */
};

struct node_event {
    enum node_event_type type;
    uint64_t now_ms;
    uint64_t wall_ms;
    struct endpoint from; /* DATAGRAM */
    const uint8_t *bytes; /* DATAGRAM, STREAM_FRAME, OFFER; borrowed */
    size_t size;
    struct record_order order; /* COMMITTED, STORE_FAILED */
    uint32_t stream;           /* STREAM_*; chosen by the owner, not 0 */
    uint8_t peer[32];          /* STREAM_OPENED, STREAM_CLOSED */
    bool is_initiator;         /* STREAM_OPENED */
    uint32_t pause_s;          /* PAUSE */
    uint8_t finding;           /* FINDING: enum body_member_finding */
    uint8_t kind;              /* WRITE, REMOVE; likewise the key */
    const uint8_t *key;
    size_t key_size;
    const uint8_t *body; /* WRITE */
    size_t body_size;
    struct node_written *written; /* WRITE, REMOVE: filled in, not NULL */
    struct node_offered *offered; /* OFFER: likewise */
};

enum node_action_type {
    NODE_ACTION_SEND = 1,     /* datagram `bytes` to `endpoint` */
    NODE_ACTION_STREAM_OPEN,  /* connect to `peer` at `endpoint` */
    NODE_ACTION_STREAM_SEND,  /* frame `bytes` on `stream` */
    NODE_ACTION_STREAM_CLOSE, /* `stream`, after what was sent */
    NODE_ACTION_STORE,        /* record `bytes`; is_own: sync, then report
                                 COMMITTED, before anything of it is sent */
    NODE_ACTION_ERASE,        /* forget (writer, kind, key) of `bytes` */
    NODE_ACTION_MEMBER,       /* `peer` went from old_state to new_state */
    NODE_ACTION_RECORD,       /* the view changed by `bytes` */
    NODE_ACTION_REACHABLE,    /* is_reachable of `peer` changed */
    NODE_ACTION_READY,        /* WRITE and REMOVE are taken from now on */
};

enum node_record_change {
    NODE_RECORD_ADDED = 1,
    NODE_RECORD_UPDATED = 2,
    NODE_RECORD_REMOVED = 3,
};

struct node_action {
    enum node_action_type type;
    struct endpoint endpoint;
    const uint8_t *bytes; /* owned by the list, valid until it is cleared */
    size_t size;
    uint32_t stream;
    uint8_t peer[32];
    bool is_own;
    enum node_member_state old_state;
    enum node_member_state new_state;
    enum node_record_change change;
};

/* Everything counted; never logged per packet.  Names are the metrics'. */
struct node_counters {
    uint64_t datagrams_in, datagrams_out, bytes_in, bytes_out;
    uint64_t dropped_size, dropped_version, dropped_type, dropped_unknown_peer,
        dropped_tag, dropped_replay, dropped_stale_boot, dropped_source,
        dropped_message, dropped_proof, dropped_rate;
    uint64_t records_accepted, records_known, records_forwarded;
    uint64_t refused_size, refused_version, refused_reserved, refused_cluster,
        refused_writer, refused_signature, refused_body, refused_rights,
        refused_old, refused_frozen, refused_limit, refused_expired,
        refused_quarantined, refused_rate;
    uint64_t signatures_checked, answers_limited;
    uint64_t probes, probes_failed, probes_indirect, suspicions, refutations,
        deaths, syncs_started, streams_opened;
};

/* An action list reused from step to step. */
_must_check_ int node_actions_new(struct node_actions **ret);
struct node_actions *node_actions_free(struct node_actions *actions);
void node_actions_clear(struct node_actions *actions);
size_t node_actions_count(const struct node_actions *actions);
const struct node_action *node_actions_at(const struct node_actions *actions,
                                          size_t index);

/* 0; -ENOMEM; -EINVAL when the own certificate does not fit the keys, the
 * cluster or its roots; -EBADMSG when the charters do not follow the genesis.
 */
_must_check_ int node_new(const struct node_config *config, struct node **ret);
struct node *node_free(struct node *node);

enum node_load_error {
    NODE_LOAD_KNOWN = 1,   /* it is in the view already */
    NODE_LOAD_REFUSED = 2, /* and counted by its reason */
};

/* Before START: feeds one stored record (own ones too).  It is verified like
 * any other.  0, -ENOMEM, or NODE_LOAD_*. */
_must_check_ int node_load(struct node *node, const uint8_t *bytes, size_t size,
                           uint64_t wall_ms);

/*
 * One event in, actions appended.  0; -EINVAL when the own certificate never
 * became valid; or -ENOMEM: memory was lacking for some of it.  What was
 * appended is to be carried out all the same.  What is missing then is either
 * what the network may lose as well (a datagram, a frame, a record in one), or
 * is done by a later step: records of ours that are on disk enter the view,
 * refutations are written, READY is told.  No record is in the view without
 * being stored and told, and node_deadline_ms is soon.
 */
_must_check_ int node_step(struct node *node, const struct node_event *event,
                           struct node_actions *actions);

/* When to send the next TICK, monotonic ms. */
#define NODE_NEVER UINT64_MAX
uint64_t node_deadline_ms(const struct node *node);

/* Members in ascending order of key: *at is 0 for the first, and moved on to
 * the next; false past the last.  Only while nothing else calls the node. */
bool node_member_next(const struct node *node, size_t *at,
                      struct node_member *ret);
bool node_member_find(const struct node *node, const uint8_t key[32],
                      struct node_member *ret);

/* The record of a member's certificate; false: it is not in the view (any
 * more).  Valid until the next call on the node. */
bool node_certificate(const struct node *node, const uint8_t key[32],
                      struct record *ret);

/* Live records (tombstones included) in ascending order of (kind, writer,
 * key); calls fn until it returns non-zero, and returns that.  kind 0: all. */
typedef int (*node_record_fn)(const struct record *record, void *data);
int node_records_each(const struct node *node, uint8_t kind, node_record_fn fn,
                      void *data);
/* The live record of (writer, kind, key), or false. */
bool node_record_find(const struct node *node, const uint8_t writer[32],
                      uint8_t kind, const uint8_t *key, size_t key_size,
                      struct record *ret);

/* The last packet of another version of the formats. */
struct node_foreign {
    struct endpoint from;
    uint8_t version;
    uint64_t at_ms; /* monotonic; 0: there was none */
};
struct node_foreign node_foreign(const struct node *node);

/* True while n >= 8 and 30 % or more are suspect at once. */
bool node_is_cut_off(const struct node *node);
bool node_is_ready(const struct node *node);
/* Sum of record hashes of the live set (message.h). */
uint64_t node_fingerprint(const struct node *node);
size_t node_n_records(const struct node *node);
/* How many have been heard since START: when it grows, is_heard of a member
 * has become true. */
size_t node_n_heard(const struct node *node);
const struct node_counters *node_counters_get(const struct node *node);
uint64_t node_epoch(const struct node *node);
/* A freeze of the cluster that nobody has released. */
struct node_hold {
    uint8_t writer[32];
    uint8_t id[BODY_HOLD_ID_SIZE];
    char reason[BODY_NAME_SIZE];
    uint64_t hlc; /* when */
};
/* How many there are; the first `n` of them, in ascending order of writer. */
size_t node_holds(const struct node *node, struct node_hold *ret, size_t n);
/* How many records that we signed, and this run did not make, came from peers
 * since START, and were newer than ours. */
uint64_t node_n_returned(const struct node *node);
/* Own records that wait for the disk. */
size_t node_n_pending(const struct node *node);

/* Why a node does not write any more. */
enum node_trouble {
    NODE_TROUBLE_NONE = 0,
    NODE_TROUBLE_TWIN = 1,   /* another writes with its key at the same time:
                                for the rest of this run */
    NODE_TROUBLE_FROZEN = 2, /* two records under one number, that all others
                                know of: until a certificate of a new serial */
};
/* ret_source is the key of who showed that, zeros when nobody did. */
enum node_trouble node_trouble(const struct node *node, uint8_t ret_source[32]);

/* What a stream's or a join's opening needs: whether the certificate is
 * valid for this cluster now.  0 and the decoded body, or RECORD_E_* /
 * NODE_E_NOT_ALLOWED. */
_must_check_ int node_check_certificate(const struct node *node,
                                        const uint8_t *bytes, size_t size,
                                        struct body_certificate *ret);

/* The charter in force and, when `ret_hash` is not NULL, its hash.  NULL: none.
 * Valid until the next call on the node. */
const struct body_charter *node_charter(const struct node *node,
                                        const uint8_t **ret_hash);
/* Whether it is a root by the charter in force. */
bool node_is_root(const struct node *node, const uint8_t key[32]);

const char *node_denial_name(enum node_denial denial);
const char *node_clash_name(enum node_clash clash);
const char *node_member_state_name(enum node_member_state state);

#endif
