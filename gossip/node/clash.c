/*
 * Which of two keys has a name, a mesh address or a subnet that both are
 * certified for.  All who may have one are put in an order that every node
 * finds alike: issuers, then a root's grant, then the lower serial, then the
 * lower key.  In that order each gets what it is certified for, unless one
 * before it has some of that already; then it gets nothing, and is denied.  A
 * serial names a grant, and so stays when a certificate is renewed: who has
 * something keeps it.  Who may not be, is revoked, left for good or is long
 * over, takes nothing.
 *
 * All three are prefixes here, a name by its hash, so that one sorted array
 * answers for all of them: what contains what is found in one pass.
 */
#include "gossip/node/node_internal.h"

#include <stdlib.h>

#include <sodium.h>

/* Between two settlements so many milliseconds for each member, divided by
 * this: a start with thousands of certificates settles once, and a hundred
 * that come one by one do not cost the square of that. */
#define CLASH_MEMBERS_PER_MS 32u
/* When there was no memory. */
#define CLASH_RETRY_MS 1000

#define CLASH_NONE UINT32_MAX

enum item_type {
    ITEM_NAME = 0,
    ITEM_MESH = 1,
    ITEM_SUBNET = 2,
};

/* One thing that one candidate is certified for.  The order of items is that
 * of their first bytes: what contains others stands before them. */
struct item {
    uint8_t type;
    uint8_t family;
    uint8_t bytes[16];
    uint8_t len;
    uint32_t place; /* in items, before they were sorted */
};
#define ITEM_KEY_SIZE offsetof(struct item, place)

struct candidate {
    struct peer *peer;
    bool is_over;
    uint32_t first; /* its items, by place */
    uint32_t n;
};

/* One of the different items. */
struct slot {
    const struct item *item;
    uint32_t parent; /* the next that contains it, or CLASH_NONE */
    const struct candidate *taker;
    const struct candidate *inside; /* has something in it, the first one */
};

struct settling {
    struct node *node;
    struct candidate *candidates;
    uint32_t n_candidates;
    struct item *items;
    uint32_t n_items;
    uint32_t *slot_of; /* by place */
    struct slot *slots;
    uint32_t n_slots;
};

void clash_touch(struct node *node)
{
    node->clashes.is_due = true;
}

static bool has_left(const struct peer *peer)
{
    return peer->member.has_body && peer->member.body.state == BODY_MEMBER_LEFT;
}

static bool is_candidate(const struct peer *peer)
{
    return peer->certificate != NULL && !has_left(peer) &&
           (peer->denial == NODE_DENIAL_NONE ||
            peer->denial == NODE_DENIAL_CLASH);
}

/* --- Collecting --------------------------------------------------------------
 */

static struct item make_item(enum item_type type, const struct address *address,
                             uint8_t len)
{
    struct item item = {
        .type = (uint8_t)type, .family = address->family, .len = len};

    memcpy(item.bytes, address->bytes, sizeof(item.bytes));
    return item;
}

static struct item make_name(const char *name)
{
    char canonical[BODY_NAME_SIZE] = "";
    struct item item = {.type = ITEM_NAME, .len = 128};

    if (body_name_canonical(name, canonical) != 0) {
        return item; /* never: the certificate decoded */
    }
    /* Cannot fail: the size is a constant within the range. */
    (void)crypto_generichash(item.bytes, sizeof(item.bytes),
                             (const uint8_t *)canonical, strlen(canonical),
                             NULL, 0);
    return item;
}

static void add(struct settling *settling, struct item item)
{
    item.place = settling->n_items;
    settling->items[settling->n_items++] = item;
}

static void add_items(struct settling *settling,
                      const struct body_certificate *certificate)
{
    add(settling, make_name(certificate->name));
    for (size_t i = 0; i < certificate->n_mesh; i++) {
        const struct address *address = &certificate->mesh[i].address;

        add(settling, make_item(ITEM_MESH, address,
                                (uint8_t)address_bits(address->family)));
    }
    for (size_t i = 0; i < certificate->n_subnets; i++) {
        const struct prefix *subnet = &certificate->subnets[i];

        add(settling, make_item(ITEM_SUBNET, &subnet->address, subnet->len));
    }
}

static void add_candidate(struct settling *settling, struct peer *peer)
{
    const struct body_certificate *certificate = peer->certificate;
    struct candidate *candidate =
        &settling->candidates[settling->n_candidates++];

    candidate->peer = peer;
    candidate->is_over = certify_is_over(settling->node, certificate);
    candidate->first = settling->n_items;
    add_items(settling, certificate);
    candidate->n = settling->n_items - candidate->first;
}

static void done(struct settling *settling)
{
    free(settling->candidates);
    free(settling->items);
    free(settling->slot_of);
    free(settling->slots);
}

static bool collect(struct settling *settling)
{
    const struct peers *peers = &settling->node->peers;
    size_t n = 0, n_items = 0;

    for (size_t i = 0; i < peers->n; i++) {
        if (is_candidate(peers->all[i])) {
            n++;
            n_items += 1 + peers->all[i]->certificate->n_mesh +
                       peers->all[i]->certificate->n_subnets;
        }
    }
    /* One more, as none would be no memory. */
    settling->candidates = calloc(n + 1, sizeof(settling->candidates[0]));
    settling->items = calloc(n_items + 1, sizeof(settling->items[0]));
    settling->slot_of = calloc(n_items + 1, sizeof(settling->slot_of[0]));
    settling->slots = calloc(n_items + 1, sizeof(settling->slots[0]));
    if (settling->candidates == NULL || settling->items == NULL ||
        settling->slot_of == NULL || settling->slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < peers->n; i++) {
        if (is_candidate(peers->all[i])) {
            add_candidate(settling, peers->all[i]);
        }
    }
    return true;
}

/* --- What contains what ------------------------------------------------------
 */

static int compare_items(const void *left, const void *right)
{
    return memcmp(left, right, ITEM_KEY_SIZE);
}

static bool contains(const struct item *outer, const struct item *inner)
{
    size_t n_bytes = outer->len / 8u;
    unsigned n_bits = outer->len % 8u;

    return outer->type == inner->type && outer->family == inner->family &&
           outer->len <= inner->len &&
           memcmp(outer->bytes, inner->bytes, n_bytes) == 0 &&
           (n_bits == 0 ||
            (outer->bytes[n_bytes] ^ inner->bytes[n_bytes]) >> (8 - n_bits) ==
                0);
}

/* Makes the slots; false when nobody has what another has too. */
static bool find_slots(struct settling *settling)
{
    bool is_shared = false;
    uint32_t at = CLASH_NONE;

    qsort(settling->items, settling->n_items, sizeof(settling->items[0]),
          compare_items);
    for (uint32_t i = 0; i < settling->n_items; i++) {
        const struct item *item = &settling->items[i];

        if (at != CLASH_NONE &&
            compare_items(settling->slots[at].item, item) == 0) {
            is_shared = true;
        } else {
            while (at != CLASH_NONE &&
                   !contains(settling->slots[at].item, item)) {
                at = settling->slots[at].parent;
            }
            is_shared |= at != CLASH_NONE;
            settling->slots[settling->n_slots] =
                (struct slot){.item = item, .parent = at};
            at = settling->n_slots++;
        }
        settling->slot_of[item->place] = at;
    }
    return is_shared;
}

/* --- In the order of rank ----------------------------------------------------
 */

/* Issuers first: whose certificates count must not hang on whom they certify.
 */
static int rank(const struct peer *peer)
{
    if (!peer->is_by_root) {
        return 2;
    }
    return (peer->certificate->roles & BODY_ROLE_ISSUER) != 0 ? 0 : 1;
}

static int compare_candidates(const void *left, const void *right)
{
    const struct candidate *a = left;
    const struct candidate *b = right;
    uint64_t a_serial = a->peer->certificate->serial;
    uint64_t b_serial = b->peer->certificate->serial;

    if (a->is_over != b->is_over) {
        return a->is_over ? 1 : -1;
    }
    if (rank(a->peer) != rank(b->peer)) {
        return rank(a->peer) - rank(b->peer);
    }
    if (a_serial != b_serial) {
        return a_serial < b_serial ? -1 : 1;
    }
    return memcmp(a->peer->key, b->peer->key, sizeof(a->peer->key));
}

/* Hosts may both have the whole of a range that is to be shared. */
static bool may_share(const struct settling *settling, const struct item *item)
{
    const struct body_charter *charter = charter_in_force(settling->node);
    struct prefix prefix = {.address.family = item->family, .len = item->len};

    memcpy(prefix.address.bytes, item->bytes, sizeof(item->bytes));
    return item->type == ITEM_SUBNET && charter != NULL &&
           body_charter_is_shared(charter, &prefix);
}

/* Who has some of this already, or NULL. */
static const struct candidate *find_taker(const struct settling *settling,
                                          const struct slot *slot)
{
    if (slot->taker != NULL && !may_share(settling, slot->item)) {
        return slot->taker;
    }
    if (slot->inside != NULL) {
        return slot->inside;
    }
    for (uint32_t at = slot->parent; at != CLASH_NONE;
         at = settling->slots[at].parent) {
        if (settling->slots[at].taker != NULL) {
            return settling->slots[at].taker;
        }
    }
    return NULL;
}

static void take(struct settling *settling, const struct candidate *candidate)
{
    for (uint32_t i = 0; i < candidate->n; i++) {
        struct slot *slot =
            &settling->slots[settling->slot_of[candidate->first + i]];

        slot->taker = slot->taker != NULL ? slot->taker : candidate;
        for (uint32_t at = slot->parent; at != CLASH_NONE;
             at = settling->slots[at].parent) {
            if (settling->slots[at].inside == NULL) {
                settling->slots[at].inside = candidate;
            }
        }
    }
}

/* Everything back to who has no rival. */
static bool release(struct node *node, struct peer *peer)
{
    if (peer->denial != NODE_DENIAL_CLASH) {
        return false;
    }
    peer->denial = NODE_DENIAL_NONE;
    node->clashes.n_losers--;
    peer->clash = (struct clash_peer){.winner = NULL};
    certify_set_due(node, peer);
    return true;
}

static bool lose(struct node *node, struct peer *peer,
                 const struct candidate *winner, enum item_type over)
{
    static const enum node_clash kinds[] = {
        [ITEM_NAME] = NODE_CLASH_NAME,
        [ITEM_MESH] = NODE_CLASH_MESH,
        [ITEM_SUBNET] = NODE_CLASH_SUBNET,
    };
    bool is_new = peer->denial != NODE_DENIAL_CLASH;

    peer->clash = (struct clash_peer){winner->peer, kinds[over]};
    /* When the winner is long over the other has it. */
    if (!winner->is_over) {
        certify_again_at(node, winner->peer->certificate->not_after_s +
                                   LIMIT_CERT_RENEW_S + 1);
    }
    if (is_new) {
        peer->denial = NODE_DENIAL_CLASH;
        node->clashes.n_losers++;
        certify_set_due(node, peer);
    }
    return is_new;
}

/* Whether it is denied otherwise than before. */
static bool judge(struct settling *settling, const struct candidate *candidate)
{
    for (uint32_t i = 0; i < candidate->n; i++) {
        const struct slot *slot =
            &settling->slots[settling->slot_of[candidate->first + i]];
        const struct candidate *winner = find_taker(settling, slot);

        if (winner != NULL && winner != candidate) {
            return lose(settling->node, candidate->peer, winner,
                        (enum item_type)slot->item->type);
        }
    }
    if (!candidate->is_over) {
        take(settling, candidate);
    }
    return release(settling->node, candidate->peer);
}

/* Whether what some issuer certified counts otherwise now. */
static bool judge_all(struct settling *settling)
{
    struct node *node = settling->node;
    bool is_again = false;

    qsort(settling->candidates, settling->n_candidates,
          sizeof(settling->candidates[0]), compare_candidates);
    for (uint32_t i = 0; i < settling->n_candidates; i++) {
        struct peer *peer = settling->candidates[i].peer;

        if (judge(settling, &settling->candidates[i]) && peer->is_certifier) {
            certify_again(node, peer);
            is_again = true;
        }
    }
    return is_again;
}

/* One settlement.  Positive: there has to be another, as what an issuer
 * certified counts otherwise now; issuers are the same in that one.  0, or -1:
 * no memory. */
static int settle(struct node *node)
{
    struct settling settling = {.node = node};
    bool is_again = false;

    if (!collect(&settling)) {
        done(&settling);
        return -1;
    }
    for (size_t i = 0; i < node->peers.n; i++) {
        if (!is_candidate(node->peers.all[i])) {
            (void)release(node, node->peers.all[i]);
        }
    }
    if (find_slots(&settling) || node->clashes.n_losers > 0) {
        is_again = judge_all(&settling);
    }
    done(&settling);
    return is_again ? 1 : 0;
}

void clash_tick(struct node *node)
{
    int result;

    if (!node->clashes.is_due || node->now_ms < node->clashes.next_ms) {
        return;
    }
    result = settle(node);
    if (result > 0) {
        result = settle(node);
    }
    node->clashes.is_due = result < 0;
    node->clashes.next_ms =
        node->now_ms +
        (result < 0 ? CLASH_RETRY_MS : node->peers.n / CLASH_MEMBERS_PER_MS);
}

uint64_t clash_deadline(const struct node *node)
{
    return node->clashes.is_due ? MAX_OF(node->clashes.next_ms, node->now_ms)
                                : NODE_NEVER;
}

bool clash_is_same(const struct body_certificate *a,
                   const struct body_certificate *b)
{
    if (a->serial != b->serial || a->n_mesh != b->n_mesh ||
        a->n_subnets != b->n_subnets || strcmp(a->name, b->name) != 0) {
        return false;
    }
    for (size_t i = 0; i < a->n_mesh; i++) {
        if (!address_equal(&a->mesh[i].address, &b->mesh[i].address)) {
            return false;
        }
    }
    for (size_t i = 0; i < a->n_subnets; i++) {
        if (a->subnets[i].len != b->subnets[i].len ||
            !address_equal(&a->subnets[i].address, &b->subnets[i].address)) {
            return false;
        }
    }
    return true;
}
