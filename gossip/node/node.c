/*
 * The node's front: construction, events in, deadline out, and what its owner
 * may look at.  The parts are listed in node_internal.h.
 */
#include "gossip/node/node_internal.h"

#include <errno.h>
#include <limits.h>
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

/* After a step that lacked memory the next tick comes this soon. */
#define NODE_STARVED_MS 100

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

static void say(struct node *node, uint8_t state, uint32_t pause_s,
                struct node_actions *actions)
{
    node->own.state = state;
    node->own.pause_s = pause_s;
    if (node->own.phase == NODE_PHASE_READY) {
        own_write_member(node, actions);
    }
}

static int write_record(struct node *node, const struct node_event *event,
                        struct node_actions *actions,
                        struct record_order *ret_order)
{
    uint8_t kind = event->kind;

    if (node->own.is_twin) {
        return NODE_E_TWIN;
    }
    if (view_is_frozen(&node->self->records)) {
        return NODE_E_FROZEN;
    }
    if (node->own.phase != NODE_PHASE_READY) {
        return NODE_E_NOT_READY;
    }
    if (node->self->records.n_entries + node->own.n_pending >=
            LIMIT_RECORDS_PER_WRITER &&
        kind != RECORD_CERTIFICATE && kind != RECORD_TOMBSTONE &&
        view_find(node, node->self, kind, event->key, event->key_size) ==
            NULL &&
        !peers_is_issuer(node->self)) {
        return NODE_E_LIMIT;
    }
    return own_is_of_health(node, event)
               ? own_write_at_once(node, kind, event->key, event->key_size,
                                   event->body, event->body_size, actions,
                                   ret_order)
               : own_write(node, kind, event->key, event->key_size, event->body,
                           event->body_size, actions, ret_order);
}

static int remove_record(struct node *node, const struct node_event *event,
                         struct node_actions *actions,
                         struct record_order *ret_order)
{
    struct body_tombstone body = {.kind = event->kind};
    const struct entry *entry =
        view_find(node, node->self, event->kind, event->key, event->key_size);
    struct node_event tombstone = *event;
    uint8_t packed[16];
    int error;

    if (entry == NULL || entry->record.kind == RECORD_TOMBSTONE) {
        return NODE_E_NOT_FOUND;
    }
    error =
        body_put_tombstone(&body, packed, sizeof(packed), &tombstone.body_size);
    if (error != 0) {
        return error;
    }
    tombstone.kind = RECORD_TOMBSTONE;
    tombstone.body = packed;
    return write_record(node, &tombstone, actions, ret_order);
}

/* What came of it is the writer's to know; the step itself went well. */
static void write_own(struct node *node, const struct node_event *event,
                      struct node_actions *actions)
{
    struct node_written written = {0};

    written.result = event->type == NODE_EVENT_WRITE
                         ? write_record(node, event, actions, &written.order)
                         : remove_record(node, event, actions, &written.order);
    *event->written = written;
}

static int handle(struct node *node, const struct node_event *event,
                  struct node_actions *actions)
{
    switch (event->type) {
    case NODE_EVENT_DATAGRAM:
        return transport_receive(node, event, actions);
    case NODE_EVENT_COMMITTED:
        return own_committed(node, event->order, false, actions);
    case NODE_EVENT_STORE_FAILED:
        return own_committed(node, event->order, true, actions);
    case NODE_EVENT_STREAM_OPENED:
    case NODE_EVENT_STREAM_FRAME:
    case NODE_EVENT_STREAM_CLOSED:
        return sync_on_stream(node, event, actions);
    case NODE_EVENT_PAUSE:
        say(node, BODY_MEMBER_PAUSED, event->pause_s, actions);
        return 0;
    case NODE_EVENT_LEAVE:
        say(node, BODY_MEMBER_LEFT, 0, actions);
        return 0;
    case NODE_EVENT_FINDING:
        node->own.finding = event->finding; /* told in the same step */
        return 0;
    case NODE_EVENT_WRITE:
    case NODE_EVENT_REMOVE:
        write_own(node, event, actions);
        return 0;
    case NODE_EVENT_OFFER:
        event->offered->result =
            offer_take(node, event->bytes, event->size, actions);
        return 0;
    case NODE_EVENT_START:
    case NODE_EVENT_TICK:
    default:
        return 0;
    }
}

static bool is_of_owner(const struct node_event *event)
{
    return event->type == NODE_EVENT_WRITE ||
           event->type == NODE_EVENT_REMOVE || event->type == NODE_EVENT_OFFER;
}

/* The certificate never became valid. */
static void refuse_owner(const struct node_event *event)
{
    if (event->type == NODE_EVENT_OFFER) {
        event->offered->result = NODE_OFFER_WRITER;
    } else {
        event->written->result = NODE_E_NOT_READY;
    }
}

int node_step(struct node *node, const struct node_event *event,
              struct node_actions *actions)
{
    int result;

    node->now_ms = MAX_OF(node->now_ms, event->now_ms);
    node->wall_ms = event->wall_ms;
    node->n_burst = UINT_MAX;
    if (node->self->certificate == NULL) {
        if (is_of_owner(event)) {
            refuse_owner(event);
        }
        return -EINVAL;
    }
    result = handle(node, event, actions);
    if (is_of_owner(event)) {
        /* It does its one thing, and says itself how that went; what time
         * brings comes with the next tick. */
        (void)actions_take_failed(actions);
        return result;
    }
    if (own_tick(node, actions) != 0) {
        result = -ENOMEM;
    }
    if (node->own.phase == NODE_PHASE_READY) {
        probe_tick(node, actions);
        suspicion_tick(node, actions);
    }
    certify_tick(node, actions);
    spread_tick(node, actions);
    sync_tick(node, actions);
    if (actions_take_failed(actions) && result == 0) {
        result = -ENOMEM;
    }
    node->is_starved = result == -ENOMEM;
    return result;
}

uint64_t node_deadline_ms(const struct node *node)
{
    uint64_t deadline = MIN_OF(own_deadline(node), spread_deadline(node));

    if (node->is_starved) {
        /* What it could not do is still due, at once: give it some time. */
        return node->now_ms + NODE_STARVED_MS;
    }
    deadline = MIN_OF(deadline, sync_deadline(node));
    deadline = MIN_OF(deadline, certify_deadline(node));
    if (node->own.phase == NODE_PHASE_READY) {
        deadline = MIN_OF(deadline, probe_deadline(node));
        deadline = MIN_OF(deadline, suspicion_deadline(node));
    }
    return deadline;
}

/* --- Looking
 * ------------------------------------------------------------------ */

static bool fill_member(const struct peer *peer, struct node_member *ret)
{
    if (peer->certificate == NULL) {
        return false;
    }
    *ret = (struct node_member){
        .id = peer->id,
        .certificate = peer->certificate,
        .body = peer->member.has_body ? &peer->member.body : NULL,
        .state = peer->member.state,
        .denial = peer->denial,
        .incarnation = peer->member.incarnation,
        .is_self = peer->is_self,
        .is_frozen = view_is_frozen(&peer->records),
        .is_heard = peer->is_self || peer->link.last_heard_ms != 0,
        .is_reachable = peer->member.is_reachable,
        .rtt_us = peer->probe.rtt.us,
        .last_heard_ms = peer->link.last_heard_ms,
        .state_since_ms = peer->member.state_since_ms,
    };
    memcpy(ret->key, peer->key, 32);
    if (peer->clash.winner != NULL) {
        ret->clash = peer->clash.over;
        memcpy(ret->winner, peer->clash.winner->key, 32);
    }
    return true;
}

bool node_member_next(const struct node *node, size_t *at,
                      struct node_member *ret)
{
    while (*at < node->peers.n) {
        const struct peer *peer = node->peers.all[(*at)++];

        if (fill_member(peer, ret)) {
            return true;
        }
    }
    return false;
}

bool node_member_find(const struct node *node, const uint8_t key[32],
                      struct node_member *ret)
{
    const struct peer *peer = peers_find(node, key);

    return peer != NULL && fill_member(peer, ret);
}

bool node_certificate(const struct node *node, const uint8_t key[32],
                      struct record *ret)
{
    const struct peer *peer = peers_find(node, key);

    if (peer == NULL || peer->certificate_entry == NULL) {
        return false;
    }
    *ret = peer->certificate_entry->record;
    return true;
}

static int compare_entries(const void *a, const void *b)
{
    const struct entry *left = *(struct entry *const *)a;
    const struct entry *right = *(struct entry *const *)b;
    int order = (int)left->record.kind - (int)right->record.kind;

    if (order == 0) {
        order = memcmp(left->writer->key, right->writer->key, 32);
    }
    if (order == 0) {
        order = memcmp(left->slot + 8, right->slot + 8,
                       MIN_OF(left->slot_size, right->slot_size) - 8);
    }
    if (order == 0) {
        order = (left->slot_size > right->slot_size) -
                (left->slot_size < right->slot_size);
    }
    return order;
}

int node_records_each(const struct node *node, uint8_t kind, node_record_fn fn,
                      void *data)
{
    struct entry **sorted = calloc(node->view.n_records + 1, sizeof(sorted[0]));
    size_t n = 0;
    int result = 0;

    if (sorted == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < node->peers.n; i++) {
        for (size_t j = 0; j < node->peers.all[i]->records.n_entries; j++) {
            struct entry *entry = node->peers.all[i]->records.entries[j];

            if (kind == 0 || entry->record.kind == kind) {
                sorted[n++] = entry;
            }
        }
    }
    qsort(sorted, n, sizeof(sorted[0]), compare_entries);
    for (size_t i = 0; i < n && result == 0; i++) {
        result = fn(&sorted[i]->record, data);
    }
    free(sorted);
    return result;
}

bool node_record_find(const struct node *node, const uint8_t writer[32],
                      uint8_t kind, const uint8_t *key, size_t key_size,
                      struct record *ret)
{
    const struct peer *peer = peers_find(node, writer);
    const struct entry *entry =
        peer == NULL ? NULL : view_find(node, peer, kind, key, key_size);

    if (entry == NULL) {
        return false;
    }
    *ret = entry->record;
    return true;
}

const struct body_charter *node_charter(const struct node *node,
                                        const uint8_t **ret_hash)
{
    const struct body_charter *charter = charter_in_force(node);

    if (charter != NULL && ret_hash != NULL) {
        *ret_hash = node->charters.all[node->charters.in_force].hash;
    }
    return charter;
}

bool node_is_root(const struct node *node, const uint8_t key[32])
{
    const struct peer *peer = peers_find(node, key);

    return peer != NULL && peer->is_root;
}

const char *node_denial_name(enum node_denial denial)
{
    static const char *const names[] = {
        [NODE_DENIAL_NONE] = "none",   [NODE_DENIAL_REVOKED] = "revoked",
        [NODE_DENIAL_RANGE] = "range", [NODE_DENIAL_ISSUER] = "issuer",
        [NODE_DENIAL_CLASH] = "clash",
    };

    return names[denial];
}

const char *node_clash_name(enum node_clash clash)
{
    static const char *const names[] = {
        [NODE_CLASH_NONE] = "none",
        [NODE_CLASH_NAME] = "name",
        [NODE_CLASH_MESH] = "mesh",
        [NODE_CLASH_SUBNET] = "subnet",
    };

    return names[clash];
}

struct node_foreign node_foreign(const struct node *node)
{
    return node->strangers.foreign;
}

bool node_is_ready(const struct node *node)
{
    return node->own.phase == NODE_PHASE_READY;
}

uint64_t node_fingerprint(const struct node *node)
{
    return node->view.fingerprint;
}

size_t node_n_heard(const struct node *node)
{
    return node->peers.n_heard;
}

size_t node_n_records(const struct node *node)
{
    return node->view.n_records;
}

const struct node_counters *node_counters_get(const struct node *node)
{
    return &node->counters;
}

enum node_trouble node_trouble(const struct node *node, uint8_t ret_source[32])
{
    memcpy(ret_source, node->own.twin_source, 32);
    if (view_is_frozen(&node->self->records)) {
        return NODE_TROUBLE_FROZEN;
    }
    return node->own.is_twin ? NODE_TROUBLE_TWIN : NODE_TROUBLE_NONE;
}

uint64_t node_n_returned(const struct node *node)
{
    return node->own.n_returned;
}

size_t node_n_pending(const struct node *node)
{
    return node->own.n_pending;
}

uint64_t node_epoch(const struct node *node)
{
    return node->own.epoch;
}
