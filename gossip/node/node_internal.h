/*
 * The node's state: what it was made with, its clock, and a struct for each of
 * its parts, which that part's header describes: who writes the fields, and
 * what it offers the others.  Only files of gossip/node include this;
 * everybody else uses node.h.
 *
 *   node.c       events in, deadline out;  node_new.c  construction;
 *                node_look.c  what its owner may look at
 *   actions.c    the list of duties that leaves a step
 *   peers.c      the table of keys: roots, members, their certificates
 *   charter.c    who is a root, and which addresses the cluster has
 *   certify.c    which certificate of a key is in force, and revocations
 *   certify_follow.c  what becomes of the records of one that has none
 *   clash.c      two keys with one name, mesh address or subnet
 *   view.c       the live record set;  view_offer.c  what enters it
 *   rights.c     who may write what
 *   offer.c      finished records of the local owner
 *   hold.c       whether the cluster is to stand still
 *   transport.c  what arrives is judged;  transport_send.c  what leaves
 *   probe.c      pings, indirect pings, local health;  probe_choose.c  of whom;
 *                probe_answer.c  answers;  probe_relay.c  pings for others
 *   suspicion.c  when a suspect is dead;  suspicion_accusation.c  accusations;
 *                suspicion_state.c  member states
 *   spread.c     news: eager copies, announcements, pulls
 *   sync.c       anti-entropy;  sync_stream.c  its bulk exchanges
 *   own.c        own records: write, commit, member record, manifest
 *   own_past.c   records that we signed, from outside
 *   own_serial.c a certificate of another serial: all is written again
 */
#ifndef SOCKETNET_GOSSIP_NODE_NODE_INTERNAL_H
#define SOCKETNET_GOSSIP_NODE_NODE_INTERNAL_H

#include "gossip/base/rng.h"
#include "gossip/node/actions.h"
#include "gossip/node/certify.h"
#include "gossip/node/clash.h"
#include "gossip/node/charter.h"
#include "gossip/node/node.h"
#include "gossip/node/own.h"
#include "gossip/node/peers.h"
#include "gossip/node/probe.h"
#include "gossip/node/rights.h"
#include "gossip/node/spread.h"
#include "gossip/node/suspicion.h"
#include "gossip/node/sync.h"
#include "gossip/node/transport.h"
#include "gossip/node/view.h"

struct node {
    uint8_t cluster[RECORD_CLUSTER_SIZE];
    uint8_t sign_secret[64];
    uint8_t exchange_public[32];
    uint8_t exchange_secret[32];
    struct node_tuning tuning;
    node_verify_fn verify;
    void *verify_data;
    node_examine_fn examine;
    node_examined_fn examined;
    void *examine_data;
    struct rng rng;

    uint64_t now_ms;  /* of the current step */
    uint64_t wall_ms; /* of the current step */
    bool is_starved;  /* the last step lacked memory: soon again */
    unsigned n_burst; /* packets that the one being handled may still cause */
    struct answering answering;
    struct strangers strangers;
    struct node_counters counters;

    struct peer *self;
    struct charters charters;
    struct certify certify;
    struct clashes clashes;
    struct peers peers;
    struct view view;
    struct suspicions suspicions;
    struct probes probes;
    struct spread spread;
    struct sync sync;
    struct own own;
};

/* hold.c: whether a release names this freeze. */
bool hold_is_released(const struct node *node, const struct entry *freeze);

/* offer.c: enum node_offer_result, or -ENOMEM. */
int offer_take(struct node *node, const uint8_t *bytes, size_t size,
               struct node_actions *actions);

#endif
