/*
 * Own records: numbering, signing, waiting for the disk, the member record,
 * the manifest, and the hybrid logical clock (Kulkarni et al., "Logical
 * Physical Clocks", OPODIS 2014).  An own record is sent only after the store
 * says that it is durable, so that no sequence number is ever used twice.
 */
#include "gossip/node/node_internal.h"

#include <errno.h>
#include <stdlib.h>

#include "gossip/wire/sign.h"

/* A peer's clock this far ahead of ours is not followed. */
#define OWN_HLC_AHEAD_MS 10000
/* DESIGN of deletion: a manifest at so many tombstones or so long after. */
#define OWN_MANIFEST_TOMBSTONES 64
#define OWN_MANIFEST_MS         600000
/* The first member record is tried again this long after a failure. */
#define OWN_RETRY_MS 1000
/* Peers told at once of a pause or a departure. */
#define OWN_FAREWELL_PEERS 64

uint64_t own_next_hlc(struct node *node)
{
    uint64_t wall = node->wall_ms << 16;

    node->hlc = wall > node->hlc ? wall : node->hlc + 1;
    return node->hlc;
}

void own_merge_hlc(struct node *node, uint64_t hlc)
{
    if (hlc >> 16 <= node->wall_ms + OWN_HLC_AHEAD_MS && hlc > node->hlc) {
        node->hlc = hlc;
    }
}

size_t own_sign(struct node *node, uint8_t kind, const uint8_t *key,
                size_t key_size, const uint8_t *body, size_t body_size,
                uint8_t *buffer, size_t buffer_size)
{
    struct record_fields fields = {
        .kind = kind,
        .cluster = node->cluster,
        .writer = node->self->key,
        .serial = node->self->certificate->serial,
        .order = {node->epoch, node->seq + 1},
        .hlc = own_next_hlc(node),
        .key = key,
        .key_size = key_size,
        .body = body,
        .body_size = body_size,
    };
    size_t size = record_build(&fields, buffer, buffer_size);

    if (size == 0 || sign_record(buffer, size, node->sign_secret) != 0) {
        return 0;
    }
    node->seq++;
    return size;
}

int own_write(struct node *node, uint8_t kind, const uint8_t *key,
              size_t key_size, const uint8_t *body, size_t body_size,
              struct node_actions *actions, struct record_order *ret_order)
{
    size_t room = record_size_max(kind);
    struct node_action *action;
    struct pending *pending;
    struct record record;
    uint8_t *bytes;
    size_t size;
    int error;

    if (node->n_pending == NODE_PENDING_MAX) {
        return NODE_E_LIMIT;
    }
    bytes = malloc(room);
    if (bytes == NULL) {
        return -ENOMEM;
    }
    size = own_sign(node, kind, key, key_size, body, body_size, bytes, room);
    if (size == 0 || record_parse(bytes, size, &record) != 0) {
        free(bytes);
        return NODE_E_TOO_LARGE;
    }
    error = rights_check_own(node, &record);
    if (error != 0) {
        node->seq--; /* it was not used: nothing of it left this function */
        free(bytes);
        return error;
    }
    action = actions_add(actions, NODE_ACTION_STORE, bytes, size);
    if (action == NULL) {
        free(bytes);
        return -ENOMEM;
    }
    action->is_own = true;
    pending = &node->pending[node->n_pending++];
    *pending = (struct pending){record.order, bytes, size};
    *ret_order = record.order;
    return 0;
}

int own_write_member(struct node *node, struct node_actions *actions)
{
    struct body_member body = {
        .state = node->own_state,
        .pause_s = node->own_pause_s,
        .protocol_min = PACKET_VERSION,
        .protocol_max = PACKET_VERSION,
    };
    struct record_order order;
    uint8_t packed[128];
    size_t size;
    int error;

    memcpy(body.version, node->version, sizeof(body.version));
    error = body_put_member(&body, packed, sizeof(packed), &size);
    if (error == 0) {
        error = own_write(node, RECORD_MEMBER, NULL, 0, packed, size, actions,
                          &order);
    }
    node->is_member_pending = error == 0;
    return error;
}

/* --- Manifest ----------------------------------------------------------------
 */

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, BODY_MANIFEST_ID_SIZE);
}

static void write_manifest(struct node *node, struct node_actions *actions)
{
    const struct peer *self = node->self;
    struct body_manifest body = {.upto = {node->epoch, node->seq}};
    uint8_t *ids = malloc(self->n_entries * BODY_MANIFEST_ID_SIZE + 1);
    uint8_t *packed = malloc(LIMIT_MANIFEST_SIZE);
    struct record_order order;
    size_t size;

    for (size_t i = 0; i < self->n_entries && ids != NULL; i++) {
        const struct entry *entry = self->entries[i];

        if (!rights_is_exempt(entry->record.kind) &&
            entry->record.kind != RECORD_TOMBSTONE) {
            memcpy(ids + body.n_ids++ * BODY_MANIFEST_ID_SIZE, entry->id,
                   BODY_MANIFEST_ID_SIZE);
        }
    }
    if (ids != NULL && packed != NULL) {
        qsort(ids, body.n_ids, BODY_MANIFEST_ID_SIZE, compare_ids);
        body.ids = ids;
        if (body_put_manifest(&body, packed, LIMIT_MANIFEST_SIZE, &size) == 0) {
            /* Refused only for want of room or memory: tried again later. */
            (void)own_write(node, RECORD_MANIFEST, NULL, 0, packed, size,
                            actions, &order);
        }
    }
    node->first_tombstone_ms = node->now_ms;
    free(ids);
    free(packed);
}

static bool is_manifest_due(const struct node *node)
{
    return node->phase == NODE_PHASE_READY && node->n_pending == 0 &&
           node->n_tombstones > 0 &&
           (node->n_tombstones >= OWN_MANIFEST_TOMBSTONES ||
            node->now_ms - node->first_tombstone_ms >= OWN_MANIFEST_MS);
}

/* --- The disk's answer -------------------------------------------------------
 */

static void after_member(struct node *node, struct node_actions *actions)
{
    node->is_member_pending = false;
    if (node->phase == NODE_PHASE_WRITING) {
        node->phase = NODE_PHASE_READY;
        /* The record was judged while we were not ready. */
        suspicion_set_state(node, node->self, NODE_MEMBER_ALIVE, actions);
        probe_start(node);
        (void)actions_add(actions, NODE_ACTION_READY, NULL, 0);
    } else if (node->own_state != BODY_MEMBER_ALIVE) {
        spread_to_many(node, OWN_FAREWELL_PEERS, actions);
    }
}

int own_committed(struct node *node, struct record_order order, bool failed,
                  struct node_actions *actions)
{
    for (size_t i = 0; i < node->n_pending; i++) {
        struct pending pending = node->pending[i];
        struct view_offer offer = {
            .bytes = pending.bytes, .size = pending.size, .is_own = true};
        struct record record;
        bool is_member;
        int result = 0;

        if (record_order_compare(pending.order, order) != 0) {
            continue;
        }
        node->n_pending--;
        memmove(&node->pending[i], &node->pending[i + 1],
                (node->n_pending - i) * sizeof(node->pending[0]));
        is_member = record_parse(pending.bytes, pending.size, &record) == 0 &&
                    record.kind == RECORD_MEMBER;
        if (failed) {
            node->is_member_pending = node->is_member_pending && !is_member;
        } else {
            result = view_offer(node, &offer, actions);
            if (is_member) {
                after_member(node, actions);
            }
        }
        free(pending.bytes);
        return MIN_OF(result, 0);
    }
    return 0;
}

void own_heard_epoch(struct node *node, uint64_t epoch,
                     struct node_actions *actions)
{
    /* In a hello this is a peer's mere word: it cannot use up more than half
     * of the numbers there are. */
    if (epoch >> 32 < node->epoch >> 32 || epoch == node->epoch ||
        epoch >> 63 != 0) {
        return;
    }
    node->epoch = ((epoch >> 32) + 1) << 32 | (node->epoch & UINT32_MAX);
    node->seq = 0;
    if (node->phase == NODE_PHASE_READY && !node->is_member_pending) {
        (void)own_write_member(node, actions);
    }
}

/* --- Time --------------------------------------------------------------------
 */

static void start_writing(struct node *node, struct node_actions *actions)
{
    node->phase = NODE_PHASE_WRITING;
    if (node->now_ms < node->retry_ms) {
        return; /* the disk refused it a moment ago */
    }
    node->retry_ms = node->now_ms + OWN_RETRY_MS;
    (void)own_write_member(node, actions); /* else once more then */
}

static void ask_epoch(struct node *node, struct node_actions *actions)
{
    struct peer *peers[8];
    size_t n = peers_random(node, peers, ARRAY_SIZE(peers), NULL);

    for (size_t i = 0; i < n; i++) {
        peers[i]->hello_ms = 0;
        transport_hello(node, peers[i], false, actions);
    }
    node->n_asked = (unsigned)n;
}

void own_tick(struct node *node, struct node_actions *actions)
{
    if (node->phase == NODE_PHASE_NEW) {
        node->first_tombstone_ms = node->now_ms; /* of those loaded */
        ask_epoch(node, actions);
        node->phase = NODE_PHASE_ASKING;
        node->asking_until_ms =
            node->n_asked == 0
                ? node->now_ms
                : node->now_ms + node->tuning.first_write_wait_ms;
        node->asking_again_ms =
            node->now_ms + node->tuning.first_write_wait_ms / 3;
    }
    if (node->phase == NODE_PHASE_ASKING) {
        unsigned enough = MIN_OF(node->n_asked, 3u);

        if (node->now_ms >= node->asking_until_ms ||
            node->n_answers >= enough) {
            start_writing(node, actions);
        } else if (node->now_ms >= node->asking_again_ms) {
            node->asking_again_ms = NODE_NEVER;
            ask_epoch(node, actions);
        }
    }
    if (node->phase == NODE_PHASE_WRITING && !node->is_member_pending) {
        start_writing(node, actions);
    }
    if (is_manifest_due(node)) {
        write_manifest(node, actions);
    }
}

uint64_t own_deadline(const struct node *node)
{
    uint64_t deadline = NODE_NEVER;

    switch (node->phase) {
    case NODE_PHASE_NEW:
        return node->now_ms;
    case NODE_PHASE_ASKING:
        deadline = MIN_OF(node->asking_until_ms, node->asking_again_ms);
        break;
    case NODE_PHASE_WRITING:
        deadline = node->is_member_pending ? NODE_NEVER : node->retry_ms;
        break;
    case NODE_PHASE_READY:
    default:
        break;
    }
    if (node->n_tombstones > 0 && node->n_pending == 0 &&
        node->phase == NODE_PHASE_READY) {
        deadline = MIN_OF(deadline, node->first_tombstone_ms + OWN_MANIFEST_MS);
    }
    return deadline;
}

void own_done(struct node *node)
{
    for (size_t i = 0; i < node->n_pending; i++) {
        free(node->pending[i].bytes);
    }
    node->n_pending = 0;
}
