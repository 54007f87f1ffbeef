/*
 * Own records: numbering, signing, waiting for the disk, the member record,
 * the manifest, and the hybrid logical clock (Kulkarni et al., "Logical
 * Physical Clocks", OPODIS 2014).  An own record is sent only after the store
 * says that it is durable, but for what others must hear at once: a refutation,
 * a change of health.  No sequence number is used twice for that, as each start
 * has an epoch of its own.
 */
#include "gossip/node/node_internal.h"

#include <errno.h>
#include <stdlib.h>

#include "gossip/wire/sign.h"

/* DESIGN of deletion: a manifest at so many tombstones or so long after. */
#define OWN_MANIFEST_TOMBSTONES 64
#define OWN_MANIFEST_MS         600000
/* A member record or a manifest is tried again after this long. */
#define OWN_RETRY_MS 1000
/* Peers told at once of a pause or a departure. */
#define OWN_FAREWELL_PEERS 64

uint64_t own_next_hlc(struct node *node)
{
    uint64_t wall = node->wall_ms << 16;

    node->own.hlc = wall > node->own.hlc ? wall : node->own.hlc + 1;
    return node->own.hlc;
}

void own_merge_hlc(struct node *node, uint64_t hlc)
{
    if (hlc >> 16 <= node->wall_ms + LIMIT_CLOCK_AHEAD_MS &&
        hlc > node->own.hlc) {
        node->own.hlc = hlc;
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
        .order = {node->own.epoch, node->own.seq + 1},
        .hlc = own_next_hlc(node),
        .key = key,
        .key_size = key_size,
        .body = body,
        .body_size = body_size,
    };
    size_t size =
        node->own.is_twin ? 0 : record_build(&fields, buffer, buffer_size);

    if (size == 0 || sign_record(buffer, size, node->sign_secret) != 0) {
        return 0;
    }
    node->own.seq++;
    return size;
}

int own_write(struct node *node, uint8_t kind, const uint8_t *key,
              size_t key_size, const uint8_t *body, size_t body_size,
              struct node_actions *actions, struct record_order *ret_order)
{
    size_t room = record_size_max(kind);
    uint64_t seq = node->own.seq;
    struct node_action *action;
    struct record record;
    uint8_t *bytes;
    size_t size;
    int error;

    if (node->own.is_twin) {
        return NODE_E_TWIN;
    }
    if (view_is_frozen(&node->self->records) && kind != RECORD_MEMBER) {
        return NODE_E_FROZEN;
    }
    if (node->own.n_pending == NODE_PENDING_MAX) {
        return NODE_E_LIMIT;
    }
    bytes = malloc(room);
    if (bytes == NULL) {
        return -ENOMEM;
    }
    size = own_sign(node, kind, key, key_size, body, body_size, bytes, room);
    if (record_parse(bytes, size, &record) != 0) { /* also of nothing */
        error = NODE_E_TOO_LARGE;
    } else {
        error = rights_check_own(node, &record);
    }
    action = error != 0 ? NULL
                        : actions_add(actions, NODE_ACTION_STORE, bytes, size);
    if (action == NULL) {
        node->own.seq = seq; /* nothing of it left this function */
        free(bytes);
        return error != 0 ? error : -ENOMEM;
    }
    action->is_own = true;
    node->own.pending[node->own.n_pending++] =
        (struct pending){.order = record.order, .bytes = bytes, .size = size};
    *ret_order = record.order;
    return 0;
}

static int take_ready(struct node *node, struct node_actions *actions);

int own_write_at_once(struct node *node, uint8_t kind, const uint8_t *key,
                      size_t key_size, const uint8_t *body, size_t body_size,
                      struct node_actions *actions,
                      struct record_order *ret_order)
{
    int error = own_write(node, kind, key, key_size, body, body_size, actions,
                          ret_order);

    if (error == 0) {
        node->own.pending[node->own.n_pending - 1].is_urgent = true;
        (void)take_ready(node, actions); /* else in the next step */
    }
    return error;
}

static bool get_service(const struct node_event *event,
                        struct body_service *ret)
{
    struct record record = {.kind = event->kind,
                            .key = event->key,
                            .key_size = event->key_size,
                            .body = event->body,
                            .body_size = event->body_size};

    return event->kind == RECORD_SERVICE && body_get_service(&record, ret) == 0;
}

bool own_is_of_health(const struct node *node, const struct node_event *event)
{
    const struct entry *entry =
        view_find(node, node->self, event->kind, event->key, event->key_size);
    struct body_service before, after;
    uint8_t packed[LIMIT_RECORD_SIZE];
    size_t size;

    if (entry == NULL || entry->record.kind != RECORD_SERVICE ||
        !get_service(event, &after) ||
        body_get_service(&entry->record, &before) != 0 ||
        (before.health == after.health && before.finding == after.finding)) {
        return false;
    }
    after.health = before.health;
    after.finding = before.finding;
    return body_put_service(&after, packed, sizeof(packed), &size) == 0 &&
           size == entry->record.body_size &&
           memcmp(packed, entry->record.body, size) == 0;
}

/* What all are told of the whole host. */
static uint8_t own_finding(const struct node *node)
{
    return view_is_frozen(&node->self->records) ? BODY_MEMBER_FINDING_FROZEN
                                                : node->own.finding;
}

/* The record that says how we are; 0 or what own_write says. */
static int write_member(struct node *node, bool is_urgent,
                        struct node_actions *actions,
                        struct record_order *ret_order)
{
    struct body_member body = {
        .state = node->own.state,
        .pause_s = node->own.pause_s,
        .protocol_min = PACKET_VERSION,
        .protocol_max = PACKET_VERSION,
        .finding = own_finding(node),
    };
    uint8_t packed[128];
    size_t size;
    int error;

    memcpy(body.version, node->own.version, sizeof(body.version));
    error = body_put_member(&body, packed, sizeof(packed), &size);
    if (error != 0) {
        return error;
    }
    return is_urgent ? own_write_at_once(node, RECORD_MEMBER, NULL, 0, packed,
                                         size, actions, ret_order)
                     : own_write(node, RECORD_MEMBER, NULL, 0, packed, size,
                                 actions, ret_order);
}

void own_write_member(struct node *node, struct node_actions *actions)
{
    struct record_order order;

    node->own.is_member_owed = true;
    node->own.retry_ms = node->now_ms + OWN_RETRY_MS;
    if (write_member(node, false, actions, &order) == 0) {
        node->own.is_member_owed = false;
        node->own.is_member_pending = true;
        node->own.member_order = order;
    }
}

void own_refute(struct node *node, struct node_actions *actions)
{
    struct record_order order;

    if (write_member(node, true, actions, &order) != 0) {
        node->own.is_member_owed = true;
        node->own.retry_ms = node->now_ms + OWN_RETRY_MS;
    }
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
    struct body_manifest body = {.upto = {node->own.epoch, node->own.seq}};
    uint8_t *ids = malloc(self->records.n_entries * BODY_MANIFEST_ID_SIZE + 1);
    uint8_t *packed = malloc(LIMIT_MANIFEST_SIZE);
    struct record_order order;
    size_t size;

    for (size_t i = 0; i < self->records.n_entries && ids != NULL; i++) {
        const struct entry *entry = self->records.entries[i];

        if (entry->class == RIGHTS_COUNTED &&
            entry->record.kind != RECORD_TOMBSTONE) {
            memcpy(ids + body.n_ids++ * BODY_MANIFEST_ID_SIZE, entry->id,
                   BODY_MANIFEST_ID_SIZE);
        }
    }
    if (ids != NULL && packed != NULL) {
        qsort(ids, body.n_ids, BODY_MANIFEST_ID_SIZE, compare_ids);
        body.ids = ids;
        if (body_put_manifest(&body, packed, LIMIT_MANIFEST_SIZE, &size) == 0) {
            /* Refused only for want of room or memory: still due later. */
            (void)own_write(node, RECORD_MANIFEST, NULL, 0, packed, size,
                            actions, &order);
        }
    }
    node->own.first_tombstone_ms = node->now_ms;
    node->own.manifest_ms = node->now_ms + OWN_RETRY_MS;
    free(ids);
    free(packed);
}

/* When the next manifest is due.  While a record is pending none is: it would
 * name the number of one that it does not list, and so end it. */
static uint64_t manifest_due_ms(const struct node *node)
{
    const struct entry *manifest = node->self->records.manifest_entry;
    bool is_old = manifest != NULL && node->self->certificate != NULL &&
                  manifest->record.serial != node->self->certificate->serial;
    uint64_t due_ms =
        node->own.n_tombstones >= OWN_MANIFEST_TOMBSTONES || is_old
            ? 0
            : node->own.first_tombstone_ms + OWN_MANIFEST_MS;

    return node->own.phase != NODE_PHASE_READY || node->own.n_pending > 0 ||
                   (node->own.n_tombstones == 0 && !is_old) ||
                   own_serial_deadline(node) != NODE_NEVER ||
                   node->own.is_twin || view_is_frozen(&node->self->records)
               ? NODE_NEVER
               : MAX_OF(due_ms, node->own.manifest_ms);
}

/* --- The disk's answer -------------------------------------------------------
 */

/* The first member record of this run is in the view.  False when out of
 * memory: then this is still to be done. */
static bool become_ready(struct node *node, struct node_actions *actions)
{
    if (!actions_reserve(actions, 2, 0)) {
        return false;
    }
    node->own.phase = NODE_PHASE_READY;
    /* The record was judged while we were not ready. */
    suspicion_set_state(node, node->self, NODE_MEMBER_ALIVE, actions);
    probe_start(node);
    (void)actions_add(actions, NODE_ACTION_READY, NULL, 0); /* reserved */
    return true;
}

static bool is_member(const struct pending *pending)
{
    struct record record;

    return record_parse(pending->bytes, pending->size, &record) == 0 &&
           record.kind == RECORD_MEMBER;
}

static void drop_pending(struct node *node, size_t index)
{
    free(node->own.pending[index].bytes);
    node->own.n_pending--;
    memmove(&node->own.pending[index], &node->own.pending[index + 1],
            (node->own.n_pending - index) * sizeof(node->own.pending[0]));
}

static void after_member(struct node *node, struct record_order order,
                         struct node_actions *actions)
{
    if (record_order_compare(order, node->own.member_order) == 0) {
        node->own.is_member_pending = false;
    }
    if (node->own.phase == NODE_PHASE_WRITING) {
        node->own.is_member_new = true;
    } else if (node->own.state != BODY_MEMBER_ALIVE) {
        spread_to_many(node, OWN_FAREWELL_PEERS, actions);
    }
}

/* What is on disk enters the view, in the order of writing, and what does not
 * wait for the disk. */
static int take_ready(struct node *node, struct node_actions *actions)
{
    size_t i = 0;

    while (i < node->own.n_pending) {
        struct pending *pending = &node->own.pending[i];
        struct view_offer offer = {
            .bytes = pending->bytes, .size = pending->size, .is_own = true};
        bool is_of_member = is_member(pending);

        if (!pending->is_committed &&
            (!pending->is_urgent || pending->is_taken)) {
            i++;
            continue;
        }
        if (!pending->is_taken && view_offer(node, &offer, actions) < 0) {
            return -ENOMEM; /* the next step tries again */
        }
        if (!pending->is_taken && is_of_member) {
            after_member(node, pending->order, actions);
        }
        pending->is_taken = true;
        if (pending->is_committed) {
            drop_pending(node, i);
        } else {
            i++;
        }
    }
    return 0;
}

int own_committed(struct node *node, struct record_order order, bool has_failed,
                  struct node_actions *actions)
{
    struct pending *pending;
    size_t i = 0;

    while (i < node->own.n_pending &&
           record_order_compare(node->own.pending[i].order, order) != 0) {
        i++;
    }
    if (i == node->own.n_pending) {
        return 0;
    }
    pending = &node->own.pending[i];
    /* What others have by now need not be written again: a start has an epoch
     * of its own, so that its number is never used twice. */
    if (!has_failed || pending->is_taken) {
        pending->is_committed = true;
        return take_ready(node, actions);
    }
    if (is_member(pending) &&
        (pending->is_urgent ||
         record_order_compare(order, node->own.member_order) == 0)) {
        /* It still has to be said: a refutation, a departure. */
        node->own.is_member_pending = false;
        node->own.is_member_owed = true;
    }
    drop_pending(node, i);
    return take_ready(node, actions);
}

/* --- Time --------------------------------------------------------------------
 */

static void ask_epoch(struct node *node, struct node_actions *actions)
{
    struct peer *peers[8];
    size_t n = peers_random(node, peers, ARRAY_SIZE(peers), NULL);

    for (size_t i = 0; i < n; i++) {
        peers[i]->link.hello_ms = 0;
        transport_hello(node, peers[i], false, actions);
    }
    node->own.n_asked = (unsigned)n;
}

static void start(struct node *node, struct node_actions *actions)
{
    if (node->own.phase == NODE_PHASE_NEW) {
        node->own.first_tombstone_ms = node->now_ms; /* of those loaded */
        ask_epoch(node, actions);
        node->own.phase = NODE_PHASE_ASKING;
        node->own.asking_until_ms =
            node->own.n_asked == 0
                ? node->now_ms
                : node->now_ms + node->tuning.first_write_wait_ms;
        node->own.asking_again_ms =
            node->now_ms + node->tuning.first_write_wait_ms / 3;
    }
    if (node->own.phase == NODE_PHASE_ASKING) {
        unsigned enough = MIN_OF(node->own.n_asked, 3u);

        if (node->now_ms >= node->own.asking_until_ms ||
            node->own.n_answers >= enough) {
            node->own.phase = NODE_PHASE_WRITING;
            node->own.is_member_owed = true;
        } else if (node->now_ms >= node->own.asking_again_ms) {
            node->own.asking_again_ms = NODE_NEVER;
            ask_epoch(node, actions);
        }
    }
}

static bool is_member_due(const struct node *node)
{
    return node->own.is_member_owed && !node->own.is_member_pending &&
           !node->own.is_twin && node->own.phase >= NODE_PHASE_WRITING;
}

/* All are told that we are out, or in again, and why. */
static void tell_finding(struct node *node, struct node_actions *actions)
{
    if (node->own.phase == NODE_PHASE_READY && !node->own.is_twin &&
        node->own.state != BODY_MEMBER_LEFT &&
        own_finding(node) != node->self->member.body.finding &&
        !node->own.is_member_owed && !node->own.is_member_pending) {
        own_refute(node, actions);
    }
}

int own_tick(struct node *node, struct node_actions *actions)
{
    int error = take_ready(node, actions);

    if (node->own.phase == NODE_PHASE_WRITING && node->own.is_member_new) {
        error = become_ready(node, actions) ? error : -ENOMEM;
    }
    start(node, actions);
    tell_finding(node, actions);
    if (is_member_due(node) && node->now_ms >= node->own.retry_ms) {
        own_write_member(node, actions);
    }
    own_sign_again(node, actions);
    if (node->now_ms >= manifest_due_ms(node)) {
        write_manifest(node, actions);
    }
    return error;
}

uint64_t own_deadline(const struct node *node)
{
    uint64_t deadline = NODE_NEVER;

    switch (node->own.phase) {
    case NODE_PHASE_NEW:
        return node->now_ms;
    case NODE_PHASE_ASKING:
        deadline = MIN_OF(node->own.asking_until_ms, node->own.asking_again_ms);
        break;
    case NODE_PHASE_WRITING:
    case NODE_PHASE_READY:
    default:
        deadline = is_member_due(node) ? node->own.retry_ms : NODE_NEVER;
        break;
    }
    return MIN_OF(deadline,
                  MIN_OF(manifest_due_ms(node), own_serial_deadline(node)));
}

void own_done(struct node *node)
{
    for (size_t i = 0; i < node->own.n_pending; i++) {
        free(node->own.pending[i].bytes);
    }
    node->own.n_pending = 0;
}
