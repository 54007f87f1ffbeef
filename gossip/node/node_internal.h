/*
 * What the parts of the node share: its state and the functions they offer
 * one another.  Only files of gossip/ that make up the node include this;
 * everybody else uses node.h.
 *
 *   node.c       events in, deadline out, getters
 *   actions.c    the list of duties that leaves a step
 *   peers.c      the table of keys: roots, members, their certificates
 *   view.c       the live record set;  view_offer.c  what enters it
 *   rights.c     who may write what
 *   transport.c  packets, keys, hello
 *   probe.c      pings, indirect pings, local health
 *   suspicion.c  accusations, member states
 *   spread.c     news: eager copies, announcements, pulls
 *   sync.c       anti-entropy;  sync_stream.c  its bulk exchanges
 *   own.c        own records: write, commit, member record, manifest
 */
#ifndef SOCKETNET_GOSSIP_NODE_NODE_INTERNAL_H
#define SOCKETNET_GOSSIP_NODE_NODE_INTERNAL_H

/* A failed allocation inside a hash table is reported, never fatal. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "gossip/base/cursor.h"
#include "gossip/base/rng.h"
#include "gossip/node/node.h"
#include "gossip/wire/message.h"
#include "gossip/wire/packet.h"

#define NODE_NEVER UINT64_MAX

/* Probes under way at once: the regular one and those that confirm. */
#define NODE_PROBES_MAX 16
/* Pings made for others at once; more requests are ignored. */
#define NODE_RELAYS_MAX 64
/* News waiting to be passed on; the oldest are dropped past it (anti-entropy
 * carries them then). */
#define NODE_NEWS_MAX 1024
/* Records asked for lately, so that two announcements make one request. */
#define NODE_WANTED_MAX 256
/* Packets that one received packet may cause at most. */
#define NODE_BURST_PACKETS 8

struct peer;

/* One live record. */
struct entry {
    UT_hash_handle hh_slot; /* by slot: writer id, kind, key */
    UT_hash_handle hh_hash; /* by hash */
    uint64_t hash;          /* first 8 bytes of the record's id */
    uint8_t id[16];         /* first half of the record's id */
    struct peer *writer;
    struct record record; /* points into bytes */
    uint8_t *bytes;
    size_t slot_size;
    uint8_t slot[8 + 1 + LIMIT_KEY_SIZE];
};

/* A signed claim that a member does not answer. */
struct accusation {
    struct peer *accuser;
    struct record_order incarnation;
    uint64_t hash;
    uint8_t bytes[RECORD_HEADER_SIZE + 32 + 32 + RECORD_SIGNATURE_SIZE];
    size_t size;
};

/* Round-trip time, RFC 6298 section 2. */
struct rtt {
    uint32_t us; /* smoothed; 0: not measured */
    uint32_t var_us;
};

/* Everything about one key: a root, a certified node, or both. */
struct peer {
    UT_hash_handle hh_key;
    UT_hash_handle hh_id;
    uint8_t key[32];
    uint64_t id;
    bool is_root;
    bool is_self;

    /* Certificate in force; NULL for roots and strangers. */
    struct body_certificate *certificate;
    struct body_certificate *spare; /* reserved for the first one */
    struct entry *certificate_entry;

    /* As a writer: live entries sorted by hash, and their sum. */
    struct entry **entries;
    size_t n_entries;
    size_t capacity;
    uint64_t fingerprint;
    struct record_order high; /* highest order ever seen */
    struct entry *member_entry;
    struct entry *manifest_entry;
    bool is_frozen; /* contradicted itself: not in node->fingerprint */
    uint32_t frozen_generation;

    /* As a member. */
    struct body_member body;
    bool has_body;
    enum node_member_state state;
    struct record_order incarnation;
    uint64_t state_since_ms;
    uint64_t paused_until_ms;
    struct accusation *accusations; /* LIMIT_ACCUSERS, allocated on use */
    size_t n_accusations;
    uint64_t accused_ms; /* when the last of them came */
    uint64_t confirm_ms; /* when to probe out of turn; NODE_NEVER: not */
    uint64_t review_ms;  /* when a suspicion is judged next */
    bool has_failed;     /* the last finished probe of ours got no answer */
    uint64_t failed_ms;  /* when that probe began */
    unsigned n_indirect; /* probes in a row that only helpers answered */
    bool is_probed;      /* a probe is under way */
    bool is_reachable;
    struct rtt rtt;
    uint64_t last_heard_ms;

    /* As a partner in packets. */
    bool has_keys;
    struct packet_keys keys;
    uint32_t boot; /* of the peer, 0: unknown */
    uint32_t window_boot;
    struct packet_window window;
    unsigned n_stale; /* old packets since the last new one */
    uint64_t counter;
    uint64_t hello_epoch; /* of the peer's last hello, 0: none */
    uint64_t hello_ms;    /* last hello sent, 0: never */
    uint64_t nudge_ms;    /* last accusation sent to a down peer */
    uint64_t sync_ms;     /* last exchange started with it */
    uint64_t differs_ms;  /* since when its fingerprint differs, 0: not */
    uint64_t stream_ms;   /* last stream asked for */
};

struct probe {
    struct peer *peer; /* NULL: free */
    uint16_t nonce;
    struct record_order incarnation; /* of the peer at its start */
    uint64_t started_ms;
    uint64_t sent_ms; /* of the first direct ping */
    uint64_t next_ms; /* next stage */
    uint64_t end_ms;
    unsigned stage; /* pings sent so far */
    unsigned n_asked;
    unsigned n_nacks;
};

struct relay {
    struct peer *target; /* NULL: free */
    struct peer *asker;
    uint16_t asker_nonce;
    uint16_t nonce;
    uint64_t end_ms;
};

/* A record on its way to others. */
struct news {
    uint64_t hash;
    uint8_t *bytes;
    size_t size;
    struct peer *source; /* who sent it to us; NULL: ourselves */
    bool is_membership;
    bool is_fresh;        /* not yet sent eagerly */
    bool is_recent;       /* sent, not yet announced */
    unsigned copies_left; /* announcements still to be made */
};

struct wanted {
    uint64_t hash;
    struct peer *peer; /* who has it; NULL: free */
    uint64_t again_ms;
    unsigned n_again;
};

/* An own record that waits for the disk. */
struct pending {
    struct record_order order;
    bool is_committed; /* on disk, not yet in the view */
    uint8_t *bytes;
    size_t size;
};

struct sync_stream {
    uint32_t stream; /* 0: free */
    struct peer *peer;
    bool is_initiator;
    uint64_t started_ms;
    uint64_t active_ms;
    uint64_t n_bytes;
};

enum node_phase {
    NODE_PHASE_NEW = 0,
    NODE_PHASE_ASKING = 1,  /* for our old epoch */
    NODE_PHASE_WRITING = 2, /* the first member record */
    NODE_PHASE_READY = 3,
};

struct node {
    uint8_t cluster[RECORD_CLUSTER_SIZE];
    uint8_t sign_secret[64];
    uint8_t exchange_public[32];
    uint8_t exchange_secret[32];
    struct node_tuning tuning;
    node_verify_fn verify;
    void *verify_data;
    char version[BODY_NAME_SIZE];
    struct rng rng;

    bool is_starved;  /* the last step lacked memory: soon again */
    uint64_t now_ms;  /* of the current step */
    uint64_t wall_ms; /* of the current step */
    uint64_t hlc;
    uint64_t epoch;
    uint64_t seq;
    enum node_phase phase;
    uint64_t asking_until_ms;
    uint64_t asking_again_ms;
    unsigned n_answers;
    unsigned n_asked;

    struct peer *self;
    struct peer *by_key; /* uthash */
    struct peer *by_id;  /* uthash */
    struct peer **peers; /* all, ascending by key */
    struct peer **ring;  /* all, ascending by id */
    size_t n_peers;
    size_t peers_capacity;
    size_t n_alive; /* members alive or suspect, ourselves included */
    size_t n_suspect;
    size_t n_heard; /* peers whose last_heard_ms is no longer 0 */
    size_t n_down;  /* dead or unknown */
    size_t n_paused;
    uint64_t cut_off_ms; /* when we were last known to be, 0: never */

    struct entry *by_slot; /* uthash */
    struct entry *by_hash; /* uthash */
    size_t n_records;
    uint64_t fingerprint;
    uint64_t view_changed_ms;

    struct peer **order; /* probe order, shuffled */
    size_t n_order;
    size_t order_index;
    uint64_t next_probe_ms;
    uint64_t review_ms; /* earliest of all suspected peers */
    uint64_t next_down_probe_ms;
    uint64_t looked_ms; /* last look around, 0: never */
    struct probe probes[NODE_PROBES_MAX];
    struct relay relays[NODE_RELAYS_MAX];
    size_t n_probes; /* under way */
    size_t n_relays;
    uint16_t nonce;
    struct rtt rtt;      /* over all peers */
    unsigned health;     /* Lifeguard's local health multiplier, 0..8 */
    uint64_t confirm_ms; /* earliest confirm_ms of all peers */

    struct news *news; /* ring buffer of NODE_NEWS_MAX */
    size_t news_first;
    size_t n_news;
    uint64_t flush_ms;
    uint64_t announce_ms;
    struct wanted wanted[NODE_WANTED_MAX];
    size_t wanted_next;
    uint64_t want_ms; /* earliest again_ms */

    struct pending pending[NODE_PENDING_MAX];
    size_t n_pending;
    bool is_member_owed;              /* a member record must be written */
    bool is_member_pending;           /* ... is on its way to the disk: */
    struct record_order member_order; /* the newest of them */
    bool is_member_new;               /* one of this run is in the view */
    uint64_t retry_ms;                /* the next attempt, not before */
    uint64_t manifest_ms;             /* likewise of a manifest */
    uint8_t own_state; /* enum body_member_state to be announced */
    uint32_t own_pause_s;
    size_t n_tombstones; /* own, live */
    uint64_t first_tombstone_ms;

    struct sync_stream streams[LIMIT_SYNC_STREAMS];
    struct node_counters counters;
};

/* --- actions.c ----------------------------------------------------------- */

/* NULL when out of memory, never within what was reserved.  Only what may be
 * lost, a datagram or a frame, is added without. */
struct node_action *actions_add(struct node_actions *actions,
                                enum node_action_type type,
                                const uint8_t *bytes, size_t size);
/* Room for `n` more actions with `size` bytes in all, counted from now: a
 * second call does not add to the first.  False when out of memory; then
 * nothing may be changed that the actions were to tell of. */
bool actions_reserve(struct node_actions *actions, size_t n, size_t size);
/* Whether memory was lacking since the last call. */
bool actions_take_failed(struct node_actions *actions);

/* --- peers.c ------------------------------------------------------------- */

struct peer *peers_find(const struct node *node, const uint8_t key[32]);
/* It has spoken to us just now. */
void peers_heard(struct node *node, struct peer *peer);
struct peer *peers_find_id(const struct node *node, uint64_t id);
/* Finds or makes.  0, -ENOMEM, or PEERS_E_FULL: LIMIT_WRITERS is reached, or
 * another key has the same id. */
enum { PEERS_E_FULL = 1 };
int peers_get(struct node *node, const uint8_t key[32], struct peer **ret);
void peers_done(struct node *node);
/* Index in ring of the first peer with id >= `id`. */
size_t peers_ring_index(const struct node *node, uint64_t id);
/* Memory for the peer's first certificate, so that peers_set_certificate
 * cannot fail.  0 or -ENOMEM. */
int peers_reserve_certificate(struct peer *peer);
/* Adopts a verified certificate as the peer's one in force if it is better
 * than the present one.  After peers_reserve_certificate. */
void peers_set_certificate(struct node *node, struct peer *peer,
                           struct entry *entry,
                           const struct body_certificate *certificate);
/* Derives the pair's packet keys on first use, a tenth of a millisecond each:
 * a start with thousands of members must not wait for all of them.  False
 * when there is no certificate or its key is of small order. */
bool peers_need_keys(const struct node *node, struct peer *peer);
bool peers_is_issuer(const struct node *node, const struct peer *peer);
/* Seconds since 1970 for validity: never behind what was stored. */
uint64_t peers_validity_s(const struct node *node);
/* Up to `n` distinct random live peers (alive, suspect), not `except`. */
size_t peers_random(struct node *node, struct peer **ret, size_t n,
                    const struct peer *except);

/* --- rights.c ------------------------------------------------------------ */

/* Checks a certificate record's body, writer and times.  0 and the body, or
 * RECORD_E_* with the matching counter raised. */
int rights_check_certificate(struct node *node, const struct record *record,
                             struct body_certificate *ret);
/* Checks what the writer may write; raises the counter of a refusal. 0 or
 * RECORD_E_BODY. */
int rights_check(struct node *node, const struct peer *writer,
                 const struct record *record);
/* What own code asks before signing: 0 or NODE_E_*. */
int rights_check_own(struct node *node, const struct record *record);
/* Kinds that live by rules of their own: no tombstone ends them, no manifest
 * speaks of them, no quota counts them. */
bool rights_is_exempt(uint8_t kind);
/* The kind whose place this record takes: a tombstone's target, else its
 * own.  The body must have been checked. */
uint8_t rights_slot_kind(const struct record *record);

/* --- view.c -------------------------------------------------------------- */

enum view_result {
    VIEW_ACCEPTED = 0,
    VIEW_KNOWN = 1,
    VIEW_REFUSED = 2,
};

struct view_offer {
    const uint8_t *bytes;
    size_t size;
    struct peer *source; /* NULL: own or loaded */
    bool is_loaded;      /* from the own store: do not store again */
    bool is_own;         /* just committed by ourselves */
};

/* The whole way of a record in.  enum view_result, or -ENOMEM: the record is
 * not taken then, and nothing told or stored of it. */
int view_offer(struct node *node, const struct view_offer *offer,
               struct node_actions *actions);
struct entry *view_find_hash(const struct node *node, uint64_t hash);
struct entry *view_find(const struct node *node, const struct peer *writer,
                        uint8_t kind, const uint8_t *key, size_t key_size);
/* Takes an entry out; with `erase` the store is told. */
void view_remove(struct node *node, struct entry *entry, bool announce,
                 struct node_actions *actions);
/* A newer certificate frees a writer that contradicted itself. */
void view_unfreeze(struct node *node, struct peer *writer);
/* Drops what a left member had but its certificates. */
void view_drop_member(struct node *node, struct peer *peer,
                      struct node_actions *actions);
void view_done(struct node *node);
/* Bytes of a known record or accusation with this hash, or NULL. */
const uint8_t *view_bytes(const struct node *node, uint64_t hash,
                          size_t *ret_size);

/* --- transport.c --------------------------------------------------------- */

/* A packet to a peer under construction; messages go to `writer`. */
struct outgoing {
    struct node *node;
    struct peer *peer;
    struct node_actions *actions;
    uint8_t buffer[LIMIT_DATAGRAM_SIZE];
    struct writer writer;
    unsigned n_packets; /* finished so far */
};

/* False when no packet can be made now: no certificate, or its boot is not
 * known; a hello is on its way then. */
bool outgoing_begin(struct outgoing *outgoing, struct node *node,
                    struct peer *peer, struct node_actions *actions);
size_t outgoing_left(const struct outgoing *outgoing);
/* Sends what was written, if anything, and starts the next packet. */
void outgoing_flush(struct outgoing *outgoing);
/* Makes room for `size` more bytes of messages, flushing if need be; false
 * past the packet budget. */
bool outgoing_reserve(struct outgoing *outgoing, size_t size, unsigned budget);

void transport_hello(struct node *node, struct peer *peer, bool is_answer,
                     struct node_actions *actions);
int transport_receive(struct node *node, const struct node_event *event,
                      struct node_actions *actions);
/* Endpoint for packets and streams: the first certified mesh endpoint. */
bool transport_endpoint(const struct peer *peer, struct endpoint *ret);

/* --- probe.c ------------------------------------------------------------- */

void probe_start(struct node *node);
void probe_tick(struct node *node, struct node_actions *actions);
/* Probes the peer out of turn at that time. */
void probe_confirm(struct node *node, struct peer *peer, uint64_t at_ms);
/* Is it the member that does not answer, or are we cut off from many?  Some
 * others are probed at once, so that this is known before anybody is held for
 * dead. */
void probe_look_around(struct node *node, const struct peer *except);
uint64_t probe_deadline(const struct node *node);
void probe_on_ping(struct node *node, struct peer *peer,
                   const struct message *message, struct node_actions *actions);
void probe_on_ack(struct node *node, struct peer *peer,
                  const struct message *message, struct node_actions *actions);
void probe_on_nack(struct node *node, struct peer *peer,
                   const struct message *message);
void probe_on_request(struct node *node, struct peer *peer,
                      const struct message *message,
                      struct node_actions *actions);

/* --- suspicion.c --------------------------------------------------------- */

/* The caller has reserved the one action that tells of it. */
void suspicion_set_state(struct node *node, struct peer *peer,
                         enum node_member_state state,
                         struct node_actions *actions);
/* A newer member record of the peer came into the view. */
void suspicion_on_member(struct node *node, struct peer *peer,
                         const struct record *record,
                         struct node_actions *actions);
/* An accusation record, parsed.  enum view_result or -ENOMEM. */
int suspicion_on_accusation(struct node *node, const struct record *record,
                            struct peer *source, struct node_actions *actions);
/* Our probe of the peer ended: answered by itself, through a helper only, or
 * not at all. */
enum probe_result {
    PROBE_ANSWERED,
    PROBE_INDIRECT,
    PROBE_FAILED,
};
void suspicion_on_probe(struct node *node, struct peer *peer,
                        enum probe_result result, struct node_actions *actions);
/* Whether the record of a member says that it leaves for good. */
bool suspicion_is_departure(const struct record *record);
void suspicion_tick(struct node *node, struct node_actions *actions);
uint64_t suspicion_deadline(const struct node *node);
/* An accusation of the peer's present incarnation, or NULL. */
const struct accusation *suspicion_accusation(const struct peer *peer);

/* --- spread.c ------------------------------------------------------------ */

/* A copy of the record for spread_add; NULL when out of memory. */
uint8_t *spread_copy(const uint8_t *bytes, size_t size);
/* Takes `bytes` over. */
void spread_add(struct node *node, uint8_t *bytes, size_t size, uint64_t hash,
                struct peer *source, bool is_membership);
void spread_tick(struct node *node, struct node_actions *actions);
uint64_t spread_deadline(const struct node *node);
/* Appends announcements of recent news to a packet that leaves anyway. */
void spread_piggyback(struct outgoing *outgoing);
/* Everything not yet sent goes out now, to as many peers as `n`. */
void spread_to_many(struct node *node, size_t n, struct node_actions *actions);
void spread_on_ihave(struct node *node, struct peer *peer,
                     const struct message *message,
                     struct node_actions *actions);
void spread_on_want(struct node *node, struct peer *peer,
                    const struct message *message,
                    struct node_actions *actions);
/* Remembers that the record is asked for from the peer; false when it is
 * already. */
bool spread_note_wanted(struct node *node, uint64_t hash, struct peer *peer);
/* The peer sent a record that was refused: not to be asked for at once. */
void spread_note_refused(struct node *node, uint64_t hash, struct peer *peer);
const struct news *spread_find(const struct node *node, uint64_t hash);
void spread_done(struct node *node);

/* --- sync.c -------------------------------------------------------------- */

/* A peer told its fingerprint. */
void sync_on_fingerprint(struct node *node, struct peer *peer,
                         uint64_t fingerprint, struct node_actions *actions);
/* First contact with a peer: compare at once, as news of before was not sent
 * to it. */
void sync_greet(struct node *node, struct peer *peer,
                struct node_actions *actions);
/* HEADS, HAVE, WANT by packet (stream 0) or stream. */
void sync_on_message(struct node *node, struct peer *peer, uint32_t stream,
                     const struct message *message,
                     struct node_actions *actions);
void sync_ask_stream(struct node *node, struct peer *peer,
                     struct node_actions *actions);
int sync_on_stream(struct node *node, const struct node_event *event,
                   struct node_actions *actions);
void sync_tick(struct node *node, struct node_actions *actions);
uint64_t sync_deadline(const struct node *node);

/* --- own.c --------------------------------------------------------------- */

/* Signs and queues an own record for the store. */
int own_write(struct node *node, uint8_t kind, const uint8_t *key,
              size_t key_size, const uint8_t *body, size_t body_size,
              struct node_actions *actions, struct record_order *ret_order);
/* Writes the member record anew (first time, refutation, pause, leave), now
 * if it can be, else as soon as it can. */
void own_write_member(struct node *node, struct node_actions *actions);
int own_committed(struct node *node, struct record_order order, bool has_failed,
                  struct node_actions *actions);
/* A peer knows an epoch of ours that is not below the present one. */
void own_heard_epoch(struct node *node, uint64_t epoch,
                     struct node_actions *actions);
/* 0, or -ENOMEM: what it could not do it does in the next step. */
int own_tick(struct node *node, struct node_actions *actions);
uint64_t own_deadline(const struct node *node);
uint64_t own_next_hlc(struct node *node);
void own_merge_hlc(struct node *node, uint64_t hlc);
/* Signs a record that is never stored; 0 is out of room. */
size_t own_sign(struct node *node, uint8_t kind, const uint8_t *key,
                size_t key_size, const uint8_t *body, size_t body_size,
                uint8_t *buffer, size_t buffer_size);
void own_done(struct node *node);

#endif
