/*
 * Anti-entropy: what dissemination missed.  Equal stores cost the eight bytes
 * of fingerprint in each ping.  Unequal ones compare heads, number and sum of
 * the records of the writers in a range of the ring of node ids; unequal
 * ranges are split (16 ways) until one holds a single writer or few records;
 * then the hashes themselves are compared and what is missing is sent.
 *
 * Every message can be lost or answered on its own: nothing is remembered
 * between them.  A handful of packets answer one packet; when more is missing
 * than that, a stream is asked for and runs the same messages in frames.
 */
#include "gossip/node/sync_internal.h"

#include <stdlib.h>

#define SYNC_SPLIT       16
#define SYNC_FEW_RECORDS 24
/* Hashes in one HAVE; more are cut into several by hash range. */
#define SYNC_HASHES_MAX 120
/* With one peer an exchange starts at most this often. */
#define SYNC_AGAIN_MS 1000
/* A fingerprint that differs for so long is followed even while news keeps
 * arriving. */
#define SYNC_PATIENCE_MS 5000

static const struct budget_rate stream_rate = {LIMIT_STREAM_RATE,
                                               LIMIT_STREAM_BURST};

bool sync_channel_open(struct sync_channel *channel, struct node *node,
                       struct peer *peer, struct sync_stream *stream,
                       struct node_actions *actions)
{
    channel->node = node;
    channel->peer = peer;
    channel->actions = actions;
    channel->stream = stream;
    channel->frame = NULL;
    channel->is_full = false;
    if (stream == NULL) {
        return outgoing_begin(&channel->outgoing, node, peer, actions);
    }
    channel->frame = malloc(LIMIT_FRAME_SIZE);
    channel->writer = writer_init(channel->frame, LIMIT_FRAME_SIZE);
    return channel->frame != NULL;
}

static void flush_frame(struct sync_channel *channel)
{
    size_t size = writer_size(&channel->writer);
    struct node_action *action;

    if (size == 0) {
        return;
    }
    action = actions_add(channel->actions, NODE_ACTION_STREAM_SEND,
                         channel->frame, size);
    if (action != NULL) {
        action->stream = channel->stream->stream;
        channel->stream->n_bytes += size;
    }
    channel->writer = writer_init(channel->frame, LIMIT_FRAME_SIZE);
}

/* Room for one more message, or NULL when the budget is used up. */
struct writer *sync_channel_room(struct sync_channel *channel, size_t size)
{
    if (channel->stream != NULL) {
        if (channel->stream->n_bytes > LIMIT_SYNC_STREAM_BYTES ||
            size > LIMIT_FRAME_SIZE) {
            return NULL;
        }
        if (!budget_take(&channel->peer->link.streams, stream_rate,
                         channel->node->now_ms, size)) {
            channel->node->counters.answers_limited++;
            return NULL;
        }
        if (writer_left(&channel->writer) < size) {
            flush_frame(channel);
        }
        return &channel->writer;
    }
    if (!outgoing_reserve(&channel->outgoing, size, LIMIT_BURST_PACKETS)) {
        channel->is_full = true;
        return NULL;
    }
    return &channel->outgoing.writer;
}

void sync_channel_close(struct sync_channel *channel)
{
    if (channel->stream != NULL) {
        flush_frame(channel);
        free(channel->frame);
        return;
    }
    outgoing_flush(&channel->outgoing);
    if (channel->is_full) {
        sync_ask_stream(channel->node, channel->peer, channel->actions);
    }
}

/* --- Sums over ranges --------------------------------------------------------
 */

static struct message_head head_of(const struct node *node, uint64_t first,
                                   uint64_t last)
{
    struct message_head head = {.first = first, .last = last};

    for (size_t i = peers_ring_index(node, first);
         i < node->peers.n && node->peers.ring[i]->id <= last; i++) {
        head.n_records += (uint32_t)node->peers.ring[i]->records.n_counted;
        head.fingerprint += node->peers.ring[i]->records.fingerprint;
    }
    return head;
}

static void put_heads(struct sync_channel *channel,
                      const struct message_head *heads, size_t n_heads)
{
    struct writer *writer = sync_channel_room(
        channel, MESSAGE_HEADER_SIZE + n_heads * MESSAGE_HEADS_ITEM_SIZE);

    if (writer != NULL) {
        message_put_heads(writer, heads, n_heads);
    }
}

/* Cuts the range into parts of about equally many writers of ours; together
 * they cover the whole range, so that what only the peer has falls into one
 * of them. */
static void split(struct sync_channel *channel, uint64_t first, uint64_t last)
{
    const struct node *node = channel->node;
    struct message_head heads[SYNC_SPLIT];
    size_t begin = peers_ring_index(node, first), end = begin, n = 0;
    uint64_t from = first;

    while (end < node->peers.n && node->peers.ring[end]->id <= last) {
        end++;
    }
    size_t n_writers = end - begin;
    size_t n_parts = MIN_OF(n_writers, (size_t)SYNC_SPLIT);

    for (size_t part = 0; part < n_parts; part++) {
        size_t next = begin + n_writers * (part + 1) / n_parts;
        /* A part ends with its last writer's id. */
        uint64_t to =
            part + 1 == n_parts ? last : node->peers.ring[next - 1]->id;

        heads[n++] = head_of(node, from, to);
        from = to + 1;
    }
    put_heads(channel, heads, n);
}

/* --- Hashes ------------------------------------------------------------------
 */

static int compare_hashes(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return (left > right) - (left < right);
}

/* Own hashes of the writers in the range, sorted; malloc'd or NULL when there
 * are none (or no memory, which costs a round). */
static uint64_t *own_hashes(const struct node *node, uint64_t first,
                            uint64_t last, size_t *ret_n)
{
    struct message_head head = head_of(node, first, last);
    uint64_t *hashes;
    size_t n = 0;

    *ret_n = 0;
    if (head.n_records == 0) {
        return NULL;
    }
    hashes = calloc(head.n_records, sizeof(hashes[0]));
    if (hashes == NULL) {
        return NULL;
    }
    for (size_t i = peers_ring_index(node, first);
         i < node->peers.n && node->peers.ring[i]->id <= last; i++) {
        const struct peer *peer = node->peers.ring[i];

        for (size_t j = 0; j < peer->records.n_entries; j++) {
            if (view_is_counted(peer->records.entries[j])) {
                hashes[n++] = peer->records.entries[j]->hash;
            }
        }
    }
    qsort(hashes, n, sizeof(hashes[0]), compare_hashes);
    *ret_n = n;
    return hashes;
}

/* Tells all we hold in the range, in as many messages as it takes; together
 * they cover every hash from 0 to the highest. */
static void tell_have(struct sync_channel *channel, uint64_t first,
                      uint64_t last)
{
    size_t n, index = 0;
    uint64_t *hashes = own_hashes(channel->node, first, last, &n);
    uint64_t lowest = 0;

    do {
        size_t part = MIN_OF(n - index, (size_t)SYNC_HASHES_MAX);
        bool is_last = index + part == n;
        uint64_t highest = is_last ? UINT64_MAX : hashes[index + part] - 1;
        struct writer *writer = sync_channel_room(
            channel, MESSAGE_HEADER_SIZE + MESSAGE_HAVE_SIZE + part * 8);

        if (writer == NULL) {
            break;
        }
        message_put_have(writer, first, last, lowest, highest,
                         n == 0 ? NULL : &hashes[index], part);
        lowest = highest + 1;
        index += part;
    } while (index < n);
    free(hashes);
}

static bool message_has(const struct message *message, uint64_t hash)
{
    for (size_t i = 0; i < message->n_items; i++) {
        if (message_hash_at(message, i) == hash) {
            return true;
        }
    }
    return false;
}

static void push(struct sync_channel *channel, const struct entry *entry)
{
    struct writer *writer =
        sync_channel_room(channel, MESSAGE_HEADER_SIZE + entry->record.size);

    if (writer != NULL) {
        message_put_record(writer, entry->bytes, entry->record.size);
    }
}

/* What is sent before what: charters say whose certificates count, revocations
 * whose do not, and nothing of a subject is accepted before its certificate. */
#define SYNC_RANKS 4

static int rank_of(uint8_t kind)
{
    switch (kind) {
    case RECORD_CHARTER:
        return 0;
    case RECORD_REVOCATION:
        return 1;
    case RECORD_CERTIFICATE:
        return 2;
    default:
        return 3;
    }
}

/* Sends what the peer lacks, in that order. */
static void push_missing(struct sync_channel *channel,
                         const struct message *message)
{
    const struct node *node = channel->node;

    for (int rank = 0; rank < SYNC_RANKS; rank++) {
        for (size_t i = peers_ring_index(node, message->first);
             i < node->peers.n && node->peers.ring[i]->id <= message->last;
             i++) {
            const struct peer *peer = node->peers.ring[i];

            for (size_t j = 0; j < peer->records.n_entries; j++) {
                const struct entry *entry = peer->records.entries[j];

                if (rank_of(entry->record.kind) == rank &&
                    view_is_counted(entry) && entry->hash >= message->lowest &&
                    entry->hash <= message->highest &&
                    !message_has(message, entry->hash)) {
                    push(channel, entry);
                }
            }
        }
    }
}

static void ask_missing(struct sync_channel *channel,
                        const struct message *message)
{
    uint64_t hashes[SYNC_HASHES_MAX];
    size_t n = 0;
    struct writer *writer;

    for (size_t i = 0; i < message->n_items && n < ARRAY_SIZE(hashes); i++) {
        uint64_t hash = message_hash_at(message, i);

        if (view_find_hash(channel->node, hash) == NULL &&
            (channel->stream != NULL ||
             spread_note_wanted(channel->node, hash, channel->peer))) {
            hashes[n++] = hash;
        }
    }
    if (n == 0) {
        return;
    }
    writer = sync_channel_room(channel, MESSAGE_HEADER_SIZE + n * 8);
    if (writer != NULL) {
        message_put_hashes(writer, MESSAGE_WANT, hashes, n);
    }
}

/* --- Messages ----------------------------------------------------------------
 */

static void on_head(struct sync_channel *channel,
                    const struct message_head *theirs)
{
    struct message_head ours =
        head_of(channel->node, theirs->first, theirs->last);
    struct message nothing = {
        .first = theirs->first, .last = theirs->last, .highest = UINT64_MAX};
    size_t begin = peers_ring_index(channel->node, theirs->first);
    bool is_one_writer =
        begin + 1 >= channel->node->peers.n ||
        channel->node->peers.ring[begin + 1]->id > theirs->last;

    if (theirs->first > theirs->last ||
        (ours.n_records == theirs->n_records &&
         ours.fingerprint == theirs->fingerprint)) {
        return;
    }
    if (theirs->n_records == 0) {
        push_missing(channel, &nothing);
    } else if (ours.n_records <= SYNC_FEW_RECORDS ||
               theirs->n_records <= SYNC_FEW_RECORDS || is_one_writer) {
        tell_have(channel, theirs->first, theirs->last);
    } else {
        split(channel, theirs->first, theirs->last);
    }
}

void sync_answer(struct sync_channel *channel, const struct message *message)
{
    switch (message->type) {
    case MESSAGE_HEADS:
        for (size_t i = 0; i < message->n_items; i++) {
            struct message_head head = message_head_at(message, i);

            on_head(channel, &head);
        }
        break;
    case MESSAGE_HAVE:
        push_missing(channel, message);
        ask_missing(channel, message);
        break;
    case MESSAGE_WANT:
        for (size_t i = 0; i < message->n_items; i++) {
            const struct entry *entry =
                view_find_hash(channel->node, message_hash_at(message, i));

            if (entry != NULL) {
                push(channel, entry);
            }
        }
        break;
    default:
        break;
    }
}

void sync_on_message(struct node *node, struct peer *peer, uint32_t stream,
                     const struct message *message,
                     struct node_actions *actions)
{
    struct sync_channel channel;

    if (sync_channel_open(&channel, node, peer, sync_find_stream(node, stream),
                          actions)) {
        sync_answer(&channel, message);
        sync_channel_close(&channel);
    }
}

void sync_begin(struct node *node, struct peer *peer,
                struct sync_stream *stream, struct node_actions *actions)
{
    struct message_head all = head_of(node, 0, UINT64_MAX);
    struct sync_channel channel;

    if (sync_channel_open(&channel, node, peer, stream, actions)) {
        put_heads(&channel, &all, 1);
        sync_channel_close(&channel);
    }
}

static void start(struct node *node, struct peer *peer,
                  struct node_actions *actions)
{
    if (peer->sync.started_ms == 0 ||
        node->now_ms - peer->sync.started_ms >= SYNC_AGAIN_MS) {
        peer->sync.started_ms = node->now_ms;
        node->counters.syncs_started++;
        sync_begin(node, peer, NULL, actions);
    }
}

void sync_greet(struct node *node, struct peer *peer,
                struct node_actions *actions)
{
    if (node->own.phase == NODE_PHASE_READY) {
        start(node, peer, actions);
    }
}

void sync_on_fingerprint(struct node *node, struct peer *peer,
                         uint64_t fingerprint, struct node_actions *actions)
{
    bool is_quiet =
        node->now_ms - node->view.changed_ms >= node->tuning.sync_delay_ms;

    if (fingerprint == node->view.fingerprint) {
        peer->sync.differs_ms = 0;
        return;
    }
    if (peer->sync.differs_ms == 0) {
        peer->sync.differs_ms = node->now_ms;
    }
    if (node->own.phase != NODE_PHASE_READY ||
        (!is_quiet &&
         node->now_ms - peer->sync.differs_ms < SYNC_PATIENCE_MS)) {
        return;
    }
    start(node, peer, actions);
}
