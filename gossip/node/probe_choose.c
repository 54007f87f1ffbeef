/*
 * Whom to probe next: each member once in a shuffled round, those that are down
 * one at a time, and out of turn whoever there is a doubt about.
 */
#include "gossip/node/node_internal.h"
#include "gossip/node/probe_internal.h"

static bool is_regular(const struct node *node, const struct peer *peer)
{
    return !peer->is_self && !peer->probe.is_probed &&
           (peer->member.state == NODE_MEMBER_ALIVE ||
            peer->member.state == NODE_MEMBER_SUSPECT ||
            (peer->member.state == NODE_MEMBER_PAUSED &&
             node->now_ms >= peer->member.paused_until_ms));
}

/* A new round in a new order; members that came since are in it. */
static bool shuffle(struct node *node)
{
    struct peer **order =
        reallocarray(node->probes.order, node->peers.n, sizeof(struct peer *));

    if (order == NULL) {
        return false;
    }
    node->probes.order = order;
    memcpy(order, node->peers.all, node->peers.n * sizeof(struct peer *));
    node->probes.n_order = node->peers.n;
    node->probes.order_index = 0;
    for (size_t i = node->probes.n_order; i > 1; i--) {
        size_t j = (size_t)rng_below(&node->rng, i);
        struct peer *swap = order[i - 1];

        order[i - 1] = order[j];
        order[j] = swap;
    }
    return true;
}

struct peer *probe_choose(struct node *node)
{
    for (size_t tried = 0; tried <= node->peers.n; tried++) {
        if (node->probes.order_index >= node->probes.n_order &&
            !shuffle(node)) {
            return NULL;
        }
        if (node->probes.n_order == 0) {
            return NULL;
        }
        struct peer *peer = node->probes.order[node->probes.order_index++];

        if (is_regular(node, peer)) {
            return peer;
        }
    }
    return NULL;
}

/* Down members are probed for ever, one at a time: that is how a healed
 * partition is noticed. */
struct peer *probe_choose_down(struct node *node)
{
    uint64_t wanted =
        rng_below(&node->rng, MAX_OF(node->suspicions.n_down, 1u));

    for (size_t i = 0; i < node->peers.n; i++) {
        struct peer *peer = node->peers.all[i];

        if (probe_is_down(peer) && !peer->probe.is_probed && wanted-- == 0) {
            return peer;
        }
    }
    return NULL;
}

void probe_confirm(struct node *node, struct peer *peer, uint64_t at_ms)
{
    peer->probe.confirm_ms = MIN_OF(peer->probe.confirm_ms, at_ms);
    node->probes.confirm_ms = MIN_OF(node->probes.confirm_ms, at_ms);
}

void probe_look_around(struct node *node, const struct peer *except)
{
    struct peer *peers[LIMIT_PROBES - 4];
    size_t n;

    if (node->probes.looked_ms != 0 &&
        node->now_ms - node->probes.looked_ms < probe_interval(node)) {
        return;
    }
    node->probes.looked_ms = node->now_ms;
    n = peers_random(node, peers, ARRAY_SIZE(peers), except);
    for (size_t i = 0; i < n; i++) {
        probe_confirm(
            node, peers[i],
            node->now_ms +
                rng_below(&node->rng, node->tuning.probe_interval_ms / 4));
    }
}
