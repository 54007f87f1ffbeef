/*
 * News on its way to others, and records asked for.  The fields are
 * spread.c's alone.
 */
#ifndef SOCKETNET_GOSSIP_NODE_SPREAD_H
#define SOCKETNET_GOSSIP_NODE_SPREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/base/limits.h"
#include "gossip/node/node.h"
#include "gossip/node/transport.h"
#include "gossip/wire/message.h"

/* What goes before what: who is in the cluster at all, then who lives, then the
 * rest.  The first kind is never pushed out by the others. */
enum news_rank {
    NEWS_ADMISSION, /* revocations and charters */
    NEWS_MEMBERSHIP,
    NEWS_OTHER,
};

/* A record on its way to others. */
struct news {
    uint64_t hash;
    uint8_t *bytes;
    size_t size;
    struct peer *source; /* who sent it to us; NULL: ourselves */
    enum news_rank rank;
    bool is_fresh;        /* not yet sent eagerly */
    bool is_recent;       /* sent, not yet announced */
    unsigned copies_left; /* announcements still to be made */
};

/* Who says that it has a record is asked in turn: so many of them, so that one
 * who says so of everything, and sends nothing, hides nothing. */
#define SPREAD_HOLDERS_MAX 3

struct wanted {
    uint64_t hash;
    struct peer *holders[SPREAD_HOLDERS_MAX];
    unsigned n_holders; /* 0: free */
    unsigned next;      /* who is asked next */
    uint64_t again_ms;
    unsigned n_again;
};

struct spread {
    struct news *news; /* ring buffer of LIMIT_NEWS */
    size_t news_first;
    size_t n_news;
    size_t n_admission; /* of them */
    uint64_t flush_ms;
    uint64_t announce_ms;
    struct wanted wanted[LIMIT_WANTED];
    size_t wanted_next;
    uint64_t want_ms; /* earliest again_ms */
};

/* A copy of the record for spread_add; NULL when out of memory. */
uint8_t *spread_copy(const uint8_t *bytes, size_t size);
/* Takes `bytes` over. */
void spread_add(struct node *node, uint8_t *bytes, size_t size, uint64_t hash,
                struct peer *source, enum news_rank rank);
void spread_tick(struct node *node, struct node_actions *actions);
uint64_t spread_deadline(const struct node *node);
/* Appends announcements of recent news to a packet that leaves anyway: a ping
 * or its answer. */
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
/* The peer sent something that is not what its writer signed, though it has
 * the same hash: another is asked, at once. */
void spread_note_forged(struct node *node, uint64_t hash, struct peer *peer);
const struct news *spread_find(const struct node *node, uint64_t hash);
void spread_done(struct node *node);

#endif
