/*
 * What must hold at every step of every simulation, whatever the network
 * does.  Fed by cluster.c with what nodes write, accept and ask for; keeps a
 * readable text for each thing that went wrong.
 *
 * The rules: a record that a node accepts was made by the very writer it
 * names, who was granted it (so it was seen here before, at its writer, and
 * its signature verifies), and gives it nothing that its certificate does not;
 * no two records of an honest writer share (epoch, seq); per node and key,
 * (epoch, seq) only grows, also past what was erased; no step asks for more
 * than a bounded number of actions, or sends more than fits.  What hostile
 * nodes accept is nobody's concern.
 */
#ifndef SOCKETNET_TESTS_SIM_CHECK_H
#define SOCKETNET_TESTS_SIM_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/base/macros.h"
#include "gossip/node/node.h"
#include "gossip/wire/body.h"
#include "gossip/wire/record.h"

/* Actions of one step.  A stream that hands over all that there is asks for
 * the most: every record in and out of the view. */
#define CHECK_ACTIONS_MAX 16384
/* Datagrams of one step: a pause or a leave tells everybody. */
#define CHECK_SENDS_MAX 1024

struct check_grant;
struct check_seen;
struct check_slot;
struct check_verified;

struct check {
    struct check_seen *seen;    /* legitimate records, by id */
    struct check_seen *orders;  /* (writer, epoch, seq) of honest writers */
    struct check_slot **slots;  /* of each node: newest stored, by place */
    struct check_grant *grants; /* of each writer, by key */
    bool *hostile;              /* of each node */
    uint32_t n_nodes;
    struct check_verified *verified;
    uint64_t n_verified;
    size_t n_failures;
    char *text; /* of the first failures, one per line; NULL while none */
    size_t text_size;
    uint64_t now_us; /* for the text; set by the cluster */
};

void check_init(struct check *check, uint32_t n_nodes);
/* A node_verify_fn that remembers what sign_verify said of the same bytes;
 * `data` is a struct check. */
int check_verify(const struct record *record, void *data);

/* What the certificate of a node says that it may write. */
void check_grant(struct check *check, const struct body_certificate *body);
/* Adds a failure of `node`, unless it is hostile. */
void check_fail(struct check *check, uint32_t node, const char *format, ...)
    _printf_(3, 4);

/* A record that may be accepted though no honest node of this run wrote it:
 * certificates made beforehand, or a scenario's own. */
void check_allow(struct check *check, const uint8_t *bytes, size_t size);
/* What a step of `node`, whose key is `own`, asked for. */
void check_actions(struct check *check, uint32_t node, const uint8_t own[32],
                   const struct node_actions *actions);
/* The node starts anew: nothing is stored of what was not synced. */
void check_forget(struct check *check, uint32_t node);
void check_done(struct check *check);

#endif
