/*
 * The node's beginning and end: what it is made with, and the records that its
 * owner has kept.
 */
#include "gossip/node/node_internal.h"

#include <errno.h>
#include <stdlib.h>

#include <sodium.h>

const struct node_tuning NODE_TUNING_DEFAULT = {
    .probe_interval_ms = 1000,
    .probe_timeout_ms = 500,
    .indirect_probes = 3,
    .suspicion_mult = 2,
    .suspicion_max_mult = 6,
    .eager_peers = 4,
    .coalesce_ms = 2,
    .retransmit_mult = 4,
    .sync_delay_ms = 500,
    .dead_probe_ms = 5000,
    .pause_max_s = 60,
    .first_write_wait_ms = 1000,
};

static int add_roots(struct node *node, const struct node_config *config)
{
    node->charters.genesis = config->genesis;
    for (size_t i = 0; i < config->genesis.n_roots; i++) {
        struct peer *root = NULL;
        int error = peers_get_root(node, config->genesis.roots[i], &root);

        if (error != 0) {
            return error == PEERS_E_FULL ? -EINVAL : error;
        }
    }
    charter_find(node);
    return 0;
}

static int offer_loaded(struct node *node, const uint8_t *bytes, size_t size)
{
    struct view_offer offer = {.bytes = bytes, .size = size, .is_loaded = true};
    struct node_actions *actions = NULL;
    int result = node_actions_new(&actions);

    if (result == 0) {
        result = view_offer(node, &offer, actions);
        node_actions_free(actions);
    }
    return result;
}

static int adopt_charters(struct node *node, const struct node_config *config)
{
    const uint8_t *bytes = config->charters;
    size_t left = config->charters_size;

    while (left > 0) {
        size_t size = 0;
        int result = VIEW_REFUSED;

        if (record_peek_size(bytes, left, &size) == 0 && size <= left) {
            result = offer_loaded(node, bytes, size);
        }
        if (result < 0) {
            return result;
        }
        if (result == VIEW_REFUSED) {
            return -EBADMSG;
        }
        bytes += size;
        left -= size;
    }
    return charter_in_force(node) == NULL ? -EBADMSG : 0;
}

/* The own certificate must name our keys; its signature is checked like any
 * other's when a record of the store or a peer brings it, and here. */
static int adopt_own(struct node *node, const struct node_config *config)
{
    struct body_certificate body;
    struct record record;
    int result;

    if (record_parse(config->certificate, config->certificate_size, &record) !=
            0 ||
        record.kind != RECORD_CERTIFICATE ||
        body_get_certificate(&record, &body) != 0 ||
        memcmp(body.sign_public, config->sign_public, 32) != 0 ||
        memcmp(body.exchange_public, config->exchange_public, 32) != 0) {
        return -EINVAL;
    }
    /* A certificate by another issuer needs that issuer's certificate, which
     * the store holds: node_load brings both. */
    result = offer_loaded(node, config->certificate, config->certificate_size);
    return MIN_OF(result, 0);
}

int node_new(const struct node_config *config, struct node **ret)
{
    struct node *node = calloc(1, sizeof(*node));
    int error = -ENOMEM;

    if (node == NULL) {
        return -ENOMEM;
    }
    memcpy(node->cluster, config->cluster, sizeof(node->cluster));
    memcpy(node->sign_secret, config->sign_secret, sizeof(node->sign_secret));
    memcpy(node->exchange_public, config->exchange_public, 32);
    memcpy(node->exchange_secret, config->exchange_secret, 32);
    node->tuning = config->tuning;
    node->verify = config->verify;
    node->verify_data = config->verify_data;
    node->examine = config->examine;
    node->examined = config->examined;
    node->examine_data = config->examine_data;
    for (size_t i = 0; i < LIMIT_NAME_LEN && config->version != NULL &&
                       config->version[i] != '\0';
         i++) {
        node->own.version[i] = config->version[i];
    }
    node->rng = rng_init(config->seed);
    node->probes.nonce = (uint16_t)rng_next(&node->rng);
    node->own.epoch = config->epoch;
    node->spread.flush_ms = NODE_NEVER;
    node->spread.announce_ms = NODE_NEVER;
    node->spread.want_ms = NODE_NEVER;
    node->probes.confirm_ms = NODE_NEVER;
    node->suspicions.review_ms = NODE_NEVER;
    node->wall_ms = 0;
    node->spread.news = calloc(LIMIT_NEWS, sizeof(node->spread.news[0]));
    if (node->spread.news != NULL) {
        error = add_roots(node, config);
    }
    if (error == 0) {
        error = adopt_charters(node, config);
    }
    if (error == 0) {
        error = peers_get(node, config->sign_public, &node->self);
        error = error == PEERS_E_FULL ? -EINVAL : error;
    }
    if (error == 0) {
        node->self->is_self = true;
        node->self->member.is_reachable = true;
        error = adopt_own(node, config);
    }
    if (error != 0) {
        node_free(node);
        return error;
    }
    *ret = node;
    return 0;
}

struct node *node_free(struct node *node)
{
    if (node == NULL) {
        return NULL;
    }
    own_done(node);
    spread_done(node);
    view_done(node);
    charter_done(node);
    peers_done(node);
    sodium_memzero(node->sign_secret, sizeof(node->sign_secret));
    sodium_memzero(node->exchange_secret, sizeof(node->exchange_secret));
    free(node);
    return NULL;
}

int node_load(struct node *node, const uint8_t *bytes, size_t size,
              uint64_t wall_ms)
{
    int result;

    node->wall_ms = MAX_OF(node->wall_ms, wall_ms);
    result = offer_loaded(node, bytes, size);
    switch (result) {
    case VIEW_KNOWN:
        return NODE_LOAD_KNOWN;
    case VIEW_REFUSED:
        return NODE_LOAD_REFUSED;
    default:
        return result;
    }
}
