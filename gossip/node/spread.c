/*
 * Dissemination.  News goes out a few milliseconds after it came in: whole to
 * a few random peers, near ones preferred, and as an announcement to a few
 * more, who pull what they lack.  Later pings and answers announce it again
 * until it has been told often enough.  What all that misses, anti-entropy
 * brings.
 *
 * Membership news and other records have separate budgets in each burst, so
 * that neither starves the other.  Who is in the cluster no more goes before
 * all of it, in bursts, announcements and what is kept (enum news_rank).
 */
#include "gossip/node/node_internal.h"

#include <stdlib.h>

/* A little after news went out, so many more peers get an announcement: by
 * then most have it from others, and only who was missed asks for it. */
#define SPREAD_LAZY_PEERS 5
#define SPREAD_LAZY_MS    20
/* Announcements added to a packet that leaves anyway, and per message. */
#define SPREAD_PIGGYBACK 8
/* What was asked for is asked for again after this time, so often. */
#define SPREAD_WANT_MS    100
#define SPREAD_WANT_AGAIN 4
/* What was refused is not asked for within this time. */
#define SPREAD_REFUSED_MS 2000
/* News is offered again after this when nobody could be told. */
#define SPREAD_RETRY_MS 100
/* Packets of one burst to one peer, for each of the two budgets. */
#define SPREAD_BUDGET (LIMIT_BURST_PACKETS / 2)

static struct news *news_at(const struct node *node, size_t index)
{
    return &node->spread.news[(node->spread.news_first + index) % LIMIT_NEWS];
}

const struct news *spread_find(const struct node *node, uint64_t hash)
{
    for (size_t i = node->spread.n_news; i > 0; i--) {
        const struct news *news = news_at(node, i - 1);

        if (news->hash == hash) {
            return news;
        }
    }
    return NULL;
}

static void drop_at(struct node *node, size_t index)
{
    free(news_at(node, index)->bytes);
    node->spread.n_admission -=
        news_at(node, index)->rank == NEWS_ADMISSION ? 1 : 0;
    for (; index > 0; index--) {
        *news_at(node, index) = *news_at(node, index - 1);
    }
    *news_at(node, 0) = (struct news){0};
    node->spread.news_first = (node->spread.news_first + 1) % LIMIT_NEWS;
    node->spread.n_news--;
}

/* Of two passes over the news, revocations and charters are the first. */
static bool is_turn(const struct news *news, int pass)
{
    return (news->rank == NEWS_ADMISSION) == (pass == 0);
}

/* The oldest goes; revocations and charters only when there is nothing else. */
static void drop_one(struct node *node)
{
    bool has_other = node->spread.n_admission < node->spread.n_news;
    size_t index = 0;

    while (has_other && is_turn(news_at(node, index), 0)) {
        index++;
    }
    drop_at(node, index);
}

void spread_done(struct node *node)
{
    while (node->spread.n_news > 0) {
        drop_at(node, 0);
    }
    free(node->spread.news);
}

static unsigned copies(const struct node *node)
{
    unsigned digits = 1;

    for (size_t n = node->suspicions.n_alive + 1; n > 10; n = (n + 9) / 10) {
        digits++;
    }
    return node->tuning.retransmit_mult * digits;
}

uint8_t *spread_copy(const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size);

    return copy == NULL ? NULL : memcpy(copy, bytes, size);
}

void spread_add(struct node *node, uint8_t *bytes, size_t size, uint64_t hash,
                struct peer *source, enum news_rank rank)
{
    if (node->spread.n_news == LIMIT_NEWS) {
        drop_one(node);
    }
    node->spread.n_admission += rank == NEWS_ADMISSION ? 1 : 0;
    node->spread.n_news++;
    *news_at(node, node->spread.n_news - 1) = (struct news){
        .hash = hash,
        .bytes = bytes,
        .size = size,
        .source = source,
        .rank = rank,
        .is_fresh = true,
        .copies_left = copies(node),
    };
    node->spread.flush_ms =
        MIN_OF(node->spread.flush_ms, node->now_ms + node->tuning.coalesce_ms);
}

/* --- Going out --------------------------------------------------------------
 */

static void send_fresh(struct outgoing *outgoing, enum news_rank rank,
                       unsigned budget)
{
    struct node *node = outgoing->node;

    for (size_t i = 0; i < node->spread.n_news; i++) {
        const struct news *news = news_at(node, i);

        if (!news->is_fresh || news->rank != rank ||
            news->source == outgoing->peer) {
            continue;
        }
        if (outgoing_reserve(outgoing, MESSAGE_HEADER_SIZE + news->size,
                             budget)) {
            message_put_record(&outgoing->writer, news->bytes, news->size);
        }
    }
}

/* The newest when there are too many, but revocations and charters first. */
static void announce_recent(struct outgoing *outgoing)
{
    struct node *node = outgoing->node;
    uint64_t hashes[LIMIT_ANNOUNCED];
    size_t n = 0;

    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = node->spread.n_news; i > 0 && n < LIMIT_ANNOUNCED;
             i--) {
            const struct news *news = news_at(node, i - 1);

            if (news->is_recent && news->source != outgoing->peer &&
                is_turn(news, pass)) {
                hashes[n++] = news->hash;
            }
        }
    }
    if (n > 0) {
        message_put_hashes(&outgoing->writer, MESSAGE_IHAVE, hashes, n);
    }
}

/* Of two random peers the nearer one goes first; half of the places stay
 * random so that far groups hear early too. */
static void prefer_near(struct peer **peers, size_t n)
{
    for (size_t i = 0; i + n / 2 < n; i += 2) {
        size_t other = i + n / 2;

        if (peers[other]->probe.rtt.us != 0 &&
            peers[other]->probe.rtt.us < peers[i]->probe.rtt.us) {
            struct peer *swap = peers[i];

            peers[i] = peers[other];
            peers[other] = swap;
        }
    }
}

static void send_out(struct node *node, size_t n_peers,
                     struct node_actions *actions)
{
    struct peer *peers[80];
    size_t n =
        peers_random(node, peers, MIN_OF(n_peers, ARRAY_SIZE(peers)), NULL);
    unsigned n_told = 0;

    prefer_near(peers, n);
    for (size_t i = 0; i < n; i++) {
        struct outgoing outgoing;

        if (!outgoing_begin(&outgoing, node, peers[i], actions)) {
            continue;
        }
        send_fresh(&outgoing, NEWS_ADMISSION, SPREAD_BUDGET);
        send_fresh(&outgoing, NEWS_MEMBERSHIP, SPREAD_BUDGET);
        send_fresh(&outgoing, NEWS_OTHER, outgoing.n_packets + SPREAD_BUDGET);
        outgoing_flush(&outgoing);
        n_told++;
    }
    if (n > 0 && n_told == 0) {
        /* Hellos went out instead; their answers are back by then. */
        node->spread.flush_ms = node->now_ms + SPREAD_RETRY_MS;
        return;
    }
    for (size_t i = 0; i < node->spread.n_news; i++) {
        struct news *news = news_at(node, i);

        if (news->is_fresh) {
            news->is_fresh = false;
            news->is_recent = true;
            news->copies_left -= MIN_OF(news->copies_left, n_told);
            node->counters.records_forwarded++;
        }
    }
    node->spread.flush_ms = NODE_NEVER;
    node->spread.announce_ms =
        MIN_OF(node->spread.announce_ms, node->now_ms + SPREAD_LAZY_MS);
}

static void announce(struct node *node, struct node_actions *actions)
{
    struct peer *peers[SPREAD_LAZY_PEERS];
    size_t n = peers_random(node, peers, ARRAY_SIZE(peers), NULL);

    for (size_t i = 0; i < n; i++) {
        struct outgoing outgoing;

        if (outgoing_begin(&outgoing, node, peers[i], actions)) {
            announce_recent(&outgoing);
            outgoing_flush(&outgoing);
        }
    }
    for (size_t i = 0; i < node->spread.n_news; i++) {
        struct news *news = news_at(node, i);

        if (news->is_recent) {
            news->is_recent = false;
            news->copies_left -= MIN_OF(news->copies_left, (unsigned)n);
        }
    }
    node->spread.announce_ms = NODE_NEVER;
}

void spread_to_many(struct node *node, size_t n, struct node_actions *actions)
{
    send_out(node, n, actions);
}

void spread_piggyback(struct outgoing *outgoing)
{
    struct node *node = outgoing->node;
    uint64_t hashes[SPREAD_PIGGYBACK];
    size_t room = writer_left(&outgoing->writer), n = 0;

    /* Little in an answer when the asker's budget is used up. */
    room = room < MESSAGE_HEADER_SIZE ? 0 : (room - MESSAGE_HEADER_SIZE) / 8;
    room = MIN_OF(room, ARRAY_SIZE(hashes));
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < node->spread.n_news && n < room; i++) {
            struct news *news = news_at(node, i);

            if (!news->is_fresh && news->copies_left > 0 &&
                news->source != outgoing->peer && is_turn(news, pass)) {
                news->copies_left--;
                hashes[n++] = news->hash;
            }
        }
    }
    if (n > 0) {
        message_put_hashes(&outgoing->writer, MESSAGE_IHAVE, hashes, n);
    }
}

/* --- Announcements and pulls ------------------------------------------------
 */

static struct wanted *find_wanted(struct node *node, uint64_t hash)
{
    for (size_t i = 0; i < LIMIT_WANTED; i++) {
        if (node->spread.wanted[i].n_holders > 0 &&
            node->spread.wanted[i].hash == hash) {
            return &node->spread.wanted[i];
        }
    }
    return NULL;
}

static struct wanted *add_wanted(struct node *node, uint64_t hash,
                                 struct peer *peer, uint64_t again_ms)
{
    struct wanted *wanted = &node->spread.wanted[node->spread.wanted_next];

    *wanted = (struct wanted){
        .hash = hash, .holders = {peer}, .n_holders = 1, .again_ms = again_ms};
    node->spread.wanted_next = (node->spread.wanted_next + 1) % LIMIT_WANTED;
    node->spread.want_ms = MIN_OF(node->spread.want_ms, again_ms);
    return wanted;
}

/* Its place among the holders, or n_holders. */
static unsigned find_holder(const struct wanted *wanted,
                            const struct peer *peer)
{
    unsigned i = 0;

    while (i < wanted->n_holders && wanted->holders[i] != peer) {
        i++;
    }
    return i;
}

bool spread_note_wanted(struct node *node, uint64_t hash, struct peer *peer)
{
    struct wanted *wanted = find_wanted(node, hash);

    if (wanted == NULL) {
        (void)add_wanted(node, hash, peer, node->now_ms + SPREAD_WANT_MS);
        return true;
    }
    if (wanted->n_holders < SPREAD_HOLDERS_MAX &&
        find_holder(wanted, peer) == wanted->n_holders) {
        wanted->next = wanted->n_holders; /* asked next time */
        wanted->holders[wanted->n_holders++] = peer;
    }
    return false;
}

void spread_note_refused(struct node *node, uint64_t hash, struct peer *peer)
{
    struct wanted *wanted = find_wanted(node, hash);
    uint64_t until_ms = node->now_ms + SPREAD_REFUSED_MS;

    if (wanted == NULL) {
        wanted = add_wanted(node, hash, peer, until_ms);
    }
    wanted->again_ms = until_ms;
    wanted->n_again = SPREAD_WANT_AGAIN; /* that is, never */
}

void spread_note_forged(struct node *node, uint64_t hash, struct peer *peer)
{
    struct wanted *wanted = find_wanted(node, hash);
    unsigned i = wanted == NULL ? 0 : find_holder(wanted, peer);

    if (wanted == NULL || i == wanted->n_holders) {
        return;
    }
    wanted->holders[i] = wanted->holders[--wanted->n_holders];
    wanted->next = 0;
    if (wanted->n_holders > 0 && wanted->n_again < SPREAD_WANT_AGAIN) {
        wanted->again_ms = node->now_ms;
        node->spread.want_ms = node->now_ms;
    }
}

static void want(struct node *node, struct peer *peer, const uint64_t *hashes,
                 size_t n, struct node_actions *actions)
{
    struct outgoing outgoing;

    if (n > 0 && outgoing_begin(&outgoing, node, peer, actions)) {
        message_put_hashes(&outgoing.writer, MESSAGE_WANT, hashes, n);
        outgoing_flush(&outgoing);
    }
}

/* Whether it is time to ask for this once more, and of whom; not for ever,
 * since it may be something that we refuse. */
static struct peer *holder_due(struct node *node, struct wanted *wanted)
{
    if (wanted->n_holders == 0 || node->now_ms < wanted->again_ms) {
        return NULL;
    }
    if (wanted->n_again == SPREAD_WANT_AGAIN ||
        view_find_hash(node, wanted->hash) != NULL ||
        spread_find(node, wanted->hash) != NULL) {
        wanted->n_holders = 0;
        return NULL;
    }
    return wanted->holders[wanted->next % wanted->n_holders];
}

/* Asks again for what has not come: all that one peer is to be asked for in
 * one packet. */
static void want_again(struct node *node, struct node_actions *actions)
{
    uint64_t hashes[LIMIT_ANNOUNCED];

    for (size_t i = 0; i < LIMIT_WANTED; i++) {
        struct peer *peer = holder_due(node, &node->spread.wanted[i]);
        size_t n = 0;

        for (size_t j = i; j < LIMIT_WANTED && peer != NULL; j++) {
            struct wanted *wanted = &node->spread.wanted[j];

            if (n < ARRAY_SIZE(hashes) && holder_due(node, wanted) == peer) {
                hashes[n++] = wanted->hash;
                wanted->next++;
                wanted->n_again++;
                wanted->again_ms = node->now_ms + SPREAD_WANT_MS;
            }
        }
        if (peer != NULL) {
            transport_answer(node, peer, 0);
            want(node, peer, hashes, n, actions);
            transport_answer(node, NULL, 0);
        }
    }
    node->spread.want_ms = NODE_NEVER;
    for (size_t i = 0; i < LIMIT_WANTED; i++) {
        if (node->spread.wanted[i].n_holders > 0) {
            node->spread.want_ms =
                MIN_OF(node->spread.want_ms, node->spread.wanted[i].again_ms);
        }
    }
}

void spread_on_ihave(struct node *node, struct peer *peer,
                     const struct message *message,
                     struct node_actions *actions)
{
    uint64_t hashes[LIMIT_ANNOUNCED];
    size_t n = 0, n_items = MIN_OF(message->n_items, ARRAY_SIZE(hashes));

    for (size_t i = 0; i < n_items; i++) {
        uint64_t hash = message_hash_at(message, i);

        if (view_find_hash(node, hash) == NULL &&
            spread_find(node, hash) == NULL &&
            spread_note_wanted(node, hash, peer)) {
            hashes[n++] = hash;
        }
    }
    want(node, peer, hashes, n, actions);
}

void spread_on_want(struct node *node, struct peer *peer,
                    const struct message *message, struct node_actions *actions)
{
    struct outgoing outgoing;
    bool needs_stream = false;

    if (!outgoing_begin(&outgoing, node, peer, actions)) {
        return;
    }
    for (size_t i = 0; i < message->n_items; i++) {
        size_t size = 0;
        const uint8_t *bytes =
            view_bytes(node, message_hash_at(message, i), &size);

        if (bytes == NULL) {
            continue;
        }
        if (!outgoing_reserve(&outgoing, MESSAGE_HEADER_SIZE + size,
                              LIMIT_BURST_PACKETS)) {
            needs_stream = true;
            continue;
        }
        message_put_record(&outgoing.writer, bytes, size);
    }
    outgoing_flush(&outgoing);
    if (needs_stream) {
        sync_ask_stream(node, peer, actions);
    }
}

/* --- Time -------------------------------------------------------------------
 */

void spread_tick(struct node *node, struct node_actions *actions)
{
    if (node->now_ms >= node->spread.flush_ms) {
        send_out(node, node->tuning.eager_peers, actions);
    }
    if (node->now_ms >= node->spread.announce_ms) {
        announce(node, actions);
    }
    if (node->now_ms >= node->spread.want_ms) {
        want_again(node, actions);
    }
    while (node->spread.n_news > 0 && !news_at(node, 0)->is_fresh &&
           !news_at(node, 0)->is_recent && news_at(node, 0)->copies_left == 0) {
        drop_at(node, 0);
    }
}

uint64_t spread_deadline(const struct node *node)
{
    return MIN_OF(MIN_OF(node->spread.flush_ms, node->spread.announce_ms),
                  node->spread.want_ms);
}
