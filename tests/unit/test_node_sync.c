/*
 * gossip/node/sync.c and sync_stream.c by the node's public interface, as
 * test_node.c: what each HEADS, HAVE and WANT is answered with, edge by edge;
 * when an exchange or a stream begins, and when a stream ends.
 */
#include "tests/unit/puppet.h"

#include <stdio.h>
#include <stdlib.h>

/* From sync.c: few enough to compare hashes, hashes in a HAVE, parts. */
#define FEW        24
#define HASHES_MAX 120
#define SPLIT      16
/* Puppet 1 asks, and opens streams. */
#define ASKER 1

/* --- What the node holds ---------------------------------------------------
 */

struct held {
    uint64_t writer; /* its node id */
    uint64_t hash;
};

struct all {
    struct held list[512];
    size_t n;
};

static int list_record(const struct record *record, void *data)
{
    struct all *all = data;
    uint8_t id[RECORD_ID_SIZE];
    struct reader reader;

    assert_true(all->n < ARRAY_SIZE(all->list));
    record_id(record, id);
    reader = reader_init(id, 8);
    all->list[all->n++] =
        (struct held){record_node_id(record->writer), reader_u64(&reader)};
    return 0;
}

static struct all list_all(const struct puppets *puppets)
{
    struct all all = {.n = 0};

    assert_int_equal(node_records_each(puppets->node, 0, list_record, &all), 0);
    return all;
}

static int compare_numbers(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return (left > right) - (left < right);
}

/* Hashes of the writers in the range, ascending. */
static size_t hashes_in(const struct puppets *puppets, uint64_t first,
                        uint64_t last, uint64_t *ret)
{
    struct all all = list_all(puppets);
    size_t n = 0;

    for (size_t i = 0; i < all.n; i++) {
        if (all.list[i].writer >= first && all.list[i].writer <= last) {
            ret[n++] = all.list[i].hash;
        }
    }
    qsort(ret, n, sizeof(ret[0]), compare_numbers);
    return n;
}

static struct message_head head_in(const struct puppets *puppets,
                                   uint64_t first, uint64_t last)
{
    struct message_head head = {.first = first, .last = last};
    uint64_t hashes[512];
    size_t n = hashes_in(puppets, first, last, hashes);

    head.n_records = (uint32_t)n;
    for (size_t i = 0; i < n; i++) {
        head.fingerprint += hashes[i];
    }
    return head;
}

/* The ids of all writers, the root too, ascending. */
static size_t list_ids(const struct puppets *puppets, uint64_t *ret)
{
    size_t n = 0;

    for (unsigned i = 0; i < puppets->n; i++) {
        ret[n++] = record_node_id(puppets->keys[i].sign_public);
    }
    ret[n++] = record_node_id(puppets->root.sign_public);
    qsort(ret, n, sizeof(ret[0]), compare_numbers);
    return n;
}

/* --- What is asked ---------------------------------------------------------
 */

static void send_head(struct puppets *puppets, uint64_t first, uint64_t last,
                      uint32_t n_records, uint64_t fingerprint)
{
    struct message_head head = {first, last, n_records, fingerprint};
    uint8_t payload[PACKET_PAYLOAD_MAX];
    struct writer writer = writer_init(payload, sizeof(payload));

    message_put_heads(&writer, &head, 1);
    puppets_clear(puppets);
    puppet_send(puppets, ASKER, &writer);
}

static void send_have(struct puppets *puppets, const struct message_head *range,
                      uint64_t lowest, uint64_t highest, const uint64_t *hashes,
                      size_t n)
{
    uint8_t payload[PACKET_PAYLOAD_MAX];
    struct writer writer = writer_init(payload, sizeof(payload));

    message_put_have(&writer, range->first, range->last, lowest, highest,
                     hashes, n);
    puppets_clear(puppets);
    puppet_send(puppets, ASKER, &writer);
}

static void add_services(struct puppets *puppets, unsigned from, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct puppet_record record;
        char instance[16];

        (void)snprintf(instance, sizeof(instance), "i%u", i); /* fits */
        if (from == 0) {
            assert_int_equal(puppets_write(puppets, instance), 0);
        } else {
            puppet_service(puppets, from, instance, PUPPET_WALL_MS, &record);
            puppet_send_record(puppets, from, &record);
        }
    }
}

static size_t n_messages(const struct puppets *puppets)
{
    return puppets->n_seen;
}

/* The records sent to it are just these. */
static void check_sent(const struct puppets *puppets, unsigned to,
                       const uint64_t *hashes, size_t n)
{
    uint64_t sent[512];
    size_t n_sent = puppet_n_seen(puppets, to, MESSAGE_RECORD);

    assert_int_equal(n_sent, n);
    for (size_t i = 0; i < n; i++) {
        const struct puppet_seen *seen =
            puppet_seen(puppets, to, MESSAGE_RECORD, i);
        struct all one = {.n = 0};
        struct record record;

        assert_int_equal(record_parse(seen->bytes, seen->message.size, &record),
                         0);
        assert_int_equal(list_record(&record, &one), 0);
        sent[i] = one.list[0].hash;
    }
    qsort(sent, n, sizeof(sent[0]), compare_numbers);
    assert_memory_equal(sent, hashes, n * sizeof(sent[0]));
}

/* --- HEADS -----------------------------------------------------------------
 */

/* Equal sums need no answer; a sum or a number that differs does. */
static void test_equal_range(void **state)
{
    struct puppets *puppets = *state;
    struct message_head all;

    puppets_start(puppets, 4);
    all = head_in(puppets, 0, UINT64_MAX);
    assert_int_equal(all.fingerprint, node_fingerprint(puppets->node));
    send_head(puppets, 0, UINT64_MAX, all.n_records, all.fingerprint);
    assert_int_equal(n_messages(puppets), 0);
    send_head(puppets, 0, UINT64_MAX, all.n_records, all.fingerprint + 1);
    assert_int_equal(puppet_n_seen(puppets, ASKER, MESSAGE_HAVE), 1);
    send_head(puppets, 0, UINT64_MAX, all.n_records + 1, all.fingerprint);
    assert_int_equal(puppet_n_seen(puppets, ASKER, MESSAGE_HAVE), 1);
    /* No range at all. */
    send_head(puppets, 5, 4, 3, 9);
    assert_int_equal(n_messages(puppets), 0);
    send_head(puppets, 5, 5, 3, 9);
    assert_int_equal(n_messages(puppets), 1);
}

/* Who has nothing in the range gets all of it, and no more. */
static void test_empty_range(void **state)
{
    struct puppets *puppets = *state;
    uint64_t hashes[512];
    uint64_t ids[8];
    size_t n_ids, n;

    puppets_start(puppets, 4);
    add_services(puppets, 3, 2);
    n_ids = list_ids(puppets, ids);
    assert_int_equal(n_ids, 5);
    for (size_t i = 0; i < n_ids; i++) {
        for (size_t j = i; j < n_ids; j++) {
            send_head(puppets, ids[i], ids[j], 0, 0);
            n = hashes_in(puppets, ids[i], ids[j], hashes);
            assert_true(n > 0);
            check_sent(puppets, ASKER, hashes, n);
        }
    }
}

static void check_have(const struct puppets *puppets, uint64_t first,
                       uint64_t last)
{
    const struct puppet_seen *have =
        puppet_seen(puppets, ASKER, MESSAGE_HAVE, 0);
    uint64_t hashes[512];
    size_t n = hashes_in(puppets, first, last, hashes);

    assert_int_equal(n_messages(puppets), 1);
    assert_non_null(have);
    assert_int_equal(have->message.first, first);
    assert_int_equal(have->message.last, last);
    assert_int_equal(have->message.lowest, 0);
    assert_int_equal(have->message.highest, UINT64_MAX);
    assert_int_equal(have->message.n_items, n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(message_hash_at(&have->message, i), hashes[i]);
    }
}

/* Parts that follow each other, from the first to the last id, each with our
 * sum, and about equally many writers in them. */
static void check_split(const struct puppets *puppets, uint64_t first,
                        uint64_t last, size_t n_parts)
{
    const struct puppet_seen *heads =
        puppet_seen(puppets, ASKER, MESSAGE_HEADS, 0);
    uint64_t ids[PUPPET_MAX + 1];
    size_t n_ids = list_ids(puppets, ids), most = 0, fewest = SIZE_MAX;

    assert_int_equal(n_messages(puppets), 1);
    assert_non_null(heads);
    assert_int_equal(heads->message.n_items, n_parts);
    for (size_t i = 0; i < n_parts; i++) {
        struct message_head head = message_head_at(&heads->message, i);
        struct message_head ours = head_in(puppets, head.first, head.last);
        size_t n = 0;

        assert_int_equal(head.first, first);
        assert_int_equal(head.n_records, ours.n_records);
        assert_int_equal(head.fingerprint, ours.fingerprint);
        for (size_t j = 0; j < n_ids; j++) {
            n += ids[j] >= head.first && ids[j] <= head.last;
        }
        most = MAX_OF(most, n);
        fewest = MIN_OF(fewest, n);
        first = head.last + 1;
    }
    assert_int_equal(first, last + 1);
    assert_true(fewest >= 1 && most - fewest <= 1);
}

/* Few records of either are compared one by one, more are split. */
static void test_few_records(void **state)
{
    struct puppets *puppets = *state;
    uint32_t n_records;

    puppets_start(puppets, 4);
    n_records = head_in(puppets, 0, UINT64_MAX).n_records;
    assert_true(n_records < FEW);
    add_services(puppets, 2, FEW - n_records);
    assert_int_equal(head_in(puppets, 0, UINT64_MAX).n_records, FEW);
    send_head(puppets, 0, UINT64_MAX, FEW + 1, 9);
    check_have(puppets, 0, UINT64_MAX);
    add_services(puppets, 3, 1);
    send_head(puppets, 0, UINT64_MAX, FEW, 9);
    check_have(puppets, 0, UINT64_MAX);
    send_head(puppets, 0, UINT64_MAX, 1, 9);
    check_have(puppets, 0, UINT64_MAX);
    send_head(puppets, 0, UINT64_MAX, FEW + 1, 9);
    check_split(puppets, 0, UINT64_MAX, 5);
    /* Where we have nothing, too. */
    send_head(puppets, 1, 2, FEW + 1, 9);
    check_have(puppets, 1, 2);
}

/* A single writer's records cannot be split. */
static void test_one_writer(void **state)
{
    struct puppets *puppets = *state;
    uint64_t ids[8];
    size_t n_ids;

    puppets_start(puppets, 4);
    for (unsigned who = 0; who < puppets->n; who++) {
        add_services(puppets, who, FEW + 1);
    }
    puppets_run(puppets, 100);
    n_ids = list_ids(puppets, ids);
    for (size_t i = 0; i < n_ids; i++) {
        send_head(puppets, ids[i], ids[i], 1000, 9);
        check_have(puppets, ids[i], ids[i]);
        if (i + 1 < n_ids) {
            send_head(puppets, ids[i], ids[i + 1] - 1, 1000, 9);
            check_have(puppets, ids[i], ids[i + 1] - 1);
            send_head(puppets, ids[i], ids[i + 1], 1000, 9);
            check_split(puppets, ids[i], ids[i + 1], 2);
        }
    }
    send_head(puppets, ids[n_ids - 1], UINT64_MAX, 1000, 9);
    check_have(puppets, ids[n_ids - 1], UINT64_MAX);
    send_head(puppets, ids[n_ids - 2], UINT64_MAX, 1000, 9);
    check_split(puppets, ids[n_ids - 2], UINT64_MAX, 2);
}

/* As many parts as writers, at most 16. */
static void test_split(void **state)
{
    struct puppets *puppets = *state;
    uint64_t ids[PUPPET_MAX + 1];
    size_t n_ids;

    puppets_start(puppets, 40);
    for (unsigned who = 0; who < puppets->n; who++) {
        add_services(puppets, who, 1);
    }
    puppets_run(puppets, 100);
    n_ids = list_ids(puppets, ids);
    send_head(puppets, 0, UINT64_MAX, 1000, 9);
    check_split(puppets, 0, UINT64_MAX, SPLIT);
    for (size_t n = SPLIT - 1; n <= 2 * SPLIT + 1; n++) {
        assert_true(head_in(puppets, ids[1], ids[n]).n_records > FEW);
        send_head(puppets, ids[1], ids[n], 1000, 9);
        check_split(puppets, ids[1], ids[n], MIN_OF(n, (size_t)SPLIT));
    }
    assert_true(n_ids > 2 * SPLIT + 2);
}

/* Of who contradicted itself its records are in no sum and no list. */
static void test_frozen_is_left_out(void **state)
{
    struct puppets *puppets = *state;
    struct puppet_record record;
    struct message_head counted;
    uint64_t id;

    puppets_start(puppets, 4);
    add_services(puppets, 2, 3);
    puppets->seq--;
    puppet_service(puppets, 2, "other", PUPPET_WALL_MS, &record);
    puppet_send_record(puppets, 2, &record);
    assert_int_equal(puppets_counters(puppets)->refused_frozen, 1);
    id = record_node_id(puppets->keys[2].sign_public);
    counted = head_in(puppets, 0, UINT64_MAX);
    counted.n_records -= 3; /* the services */
    counted.fingerprint = node_fingerprint(puppets->node);
    send_head(puppets, 0, UINT64_MAX, counted.n_records, counted.fingerprint);
    assert_int_equal(n_messages(puppets), 0);
    send_head(puppets, 0, UINT64_MAX, 1, 9);
    assert_int_equal(
        puppet_seen(puppets, ASKER, MESSAGE_HAVE, 0)->message.n_items,
        counted.n_records);
    send_head(puppets, 0, UINT64_MAX, 0, 0);
    assert_int_equal(puppet_n_seen(puppets, ASKER, MESSAGE_RECORD),
                     counted.n_records);
    /* Its member record and the evidence. */
    send_head(puppets, id, id, 7, 9);
    assert_int_equal(
        puppet_seen(puppets, ASKER, MESSAGE_HAVE, 0)->message.n_items, 2);
}

/* --- HAVE ------------------------------------------------------------------
 */

/* More hashes than a message takes are told in several, which leave no gap. */
static void check_lists(struct puppets *puppets, size_t n_lists)
{
    uint64_t hashes[512];
    size_t n = hashes_in(puppets, 0, UINT64_MAX, hashes), index = 0;
    uint64_t lowest = 0;

    send_head(puppets, 0, UINT64_MAX, 1, 9);
    assert_int_equal(n_messages(puppets), n_lists);
    for (size_t i = 0; i < n_lists; i++) {
        const struct message *have =
            &puppet_seen(puppets, ASKER, MESSAGE_HAVE, i)->message;

        assert_int_equal(have->lowest, lowest);
        assert_int_equal(have->n_items, MIN_OF(n - index, (size_t)HASHES_MAX));
        for (size_t j = 0; j < have->n_items; j++) {
            assert_int_equal(message_hash_at(have, j), hashes[index]);
            assert_in_range(hashes[index], lowest, have->highest);
            index++;
        }
        lowest = have->highest + 1;
    }
    assert_int_equal(index, n);
    assert_int_equal(lowest, 0); /* one past the last number */
}

static void test_long_list(void **state)
{
    struct puppets *puppets = *state;
    uint32_t n_records;

    puppets_start(puppets, 4);
    n_records = head_in(puppets, 0, UINT64_MAX).n_records;
    add_services(puppets, 2, HASHES_MAX - n_records);
    check_lists(puppets, 1);
    add_services(puppets, 3, 1);
    check_lists(puppets, 2);
    add_services(puppets, 1, HASHES_MAX);
    check_lists(puppets, 3);
}

/* What the asker does not list is sent: in its range of writers and in its
 * range of hashes, both to the edge. */
static void test_missing_is_sent(void **state)
{
    struct puppets *puppets = *state;
    struct message_head all = {.first = 0, .last = UINT64_MAX};
    struct message_head range;
    uint64_t hashes[512];
    uint64_t ids[8];
    size_t n;

    puppets_start(puppets, 4);
    add_services(puppets, 2, 3);
    n = hashes_in(puppets, 0, UINT64_MAX, hashes);
    send_have(puppets, &all, hashes[2], hashes[n - 3], NULL, 0);
    check_sent(puppets, ASKER, &hashes[2], n - 4);
    send_have(puppets, &all, hashes[2] + 1, hashes[n - 3] - 1, NULL, 0);
    check_sent(puppets, ASKER, &hashes[3], n - 6);
    send_have(puppets, &all, 0, UINT64_MAX, hashes, n - 1);
    check_sent(puppets, ASKER, &hashes[n - 1], 1);
    send_have(puppets, &all, 0, UINT64_MAX, &hashes[1], n - 1);
    check_sent(puppets, ASKER, &hashes[0], 1);
    send_have(puppets, &all, 0, UINT64_MAX, hashes, n);
    assert_int_equal(n_messages(puppets), 0);
    assert_int_equal(list_ids(puppets, ids), 5);
    for (size_t i = 0; i < 4; i++) {
        range = (struct message_head){.first = ids[i], .last = ids[i + 1]};
        send_have(puppets, &range, 0, UINT64_MAX, NULL, 0);
        n = hashes_in(puppets, ids[i], ids[i + 1], hashes);
        check_sent(puppets, ASKER, hashes, n);
    }
}

/* What the node lacks is asked for: once, and not all of a list that is
 * longer than ours are. */
static void test_lacking_is_asked(void **state)
{
    struct puppets *puppets = *state;
    struct message_head nobody = {.first = 1, .last = 1};
    const struct puppet_seen *want;
    uint64_t hashes[512];
    uint64_t known[512];

    puppets_start(puppets, 4);
    (void)hashes_in(puppets, 0, UINT64_MAX, known);
    hashes[0] = 1000;
    hashes[1] = known[0];
    hashes[2] = 1001;
    send_have(puppets, &nobody, 0, UINT64_MAX, hashes, 3);
    want = puppet_seen(puppets, ASKER, MESSAGE_WANT, 0);
    assert_non_null(want);
    assert_int_equal(want->message.n_items, 2);
    assert_int_equal(message_hash_at(&want->message, 0), 1000);
    assert_int_equal(message_hash_at(&want->message, 1), 1001);
    send_have(puppets, &nobody, 0, UINT64_MAX, hashes, 3);
    assert_int_equal(n_messages(puppets), 0);
    for (size_t i = 0; i < HASHES_MAX + 1; i++) {
        hashes[i] = 2000 + i;
    }
    send_have(puppets, &nobody, 0, UINT64_MAX, hashes, HASHES_MAX);
    want = puppet_seen(puppets, ASKER, MESSAGE_WANT, 0);
    assert_int_equal(want->message.n_items, HASHES_MAX);
    for (size_t i = 0; i < HASHES_MAX + 1; i++) {
        hashes[i] = 3000 + i;
    }
    send_have(puppets, &nobody, 0, UINT64_MAX, hashes, HASHES_MAX + 1);
    want = puppet_seen(puppets, ASKER, MESSAGE_WANT, 0);
    assert_int_equal(want->message.n_items, HASHES_MAX);
}

/* --- When ------------------------------------------------------------------
 */

/* Whether a ping with another fingerprint begins an exchange now. */
static bool does_begin(struct puppets *puppets, uint64_t at_ms)
{
    puppets_run(puppets, at_ms - puppets->now_ms);
    puppets_clear(puppets);
    puppet_send_ping(puppets, ASKER, MESSAGE_PING, 1,
                     node_fingerprint(puppets->node) + 1);
    return puppet_n_seen(puppets, ASKER, MESSAGE_HEADS) > 0;
}

/* With one peer once in a second, and the whole is compared first. */
static void test_not_too_often(void **state)
{
    struct puppets *puppets = *state;
    uint64_t start_ms = puppets->now_ms; /* greeted */
    struct message_head head;
    uint64_t started;

    assert_false(does_begin(puppets, start_ms + 999));
    started = puppets_counters(puppets)->syncs_started;
    assert_true(does_begin(puppets, start_ms + 1000));
    assert_int_equal(puppets_counters(puppets)->syncs_started, started + 1);
    head = message_head_at(
        &puppet_seen(puppets, ASKER, MESSAGE_HEADS, 0)->message, 0);
    assert_int_equal(head.first, 0);
    assert_int_equal(head.last, UINT64_MAX);
    assert_int_equal(head.fingerprint, node_fingerprint(puppets->node));
    assert_int_equal(head.n_records, node_n_records(puppets->node));
    assert_false(does_begin(puppets, start_ms + 1999));
    assert_true(does_begin(puppets, start_ms + 2000));
    puppets_run(puppets, 2000);
    puppets_clear(puppets);
    puppet_send_ping(puppets, ASKER, MESSAGE_PING, 1,
                     node_fingerprint(puppets->node));
    assert_int_equal(puppet_n_seen(puppets, ASKER, MESSAGE_HEADS), 0);
}

static void change(struct puppets *puppets)
{
    struct puppet_record record;

    puppet_service(puppets, 2, "a", PUPPET_WALL_MS, &record);
    puppet_send_record(puppets, 2, &record);
}

/* While news keeps coming it may bring what differs, but not for ever. */
static void test_news_is_waited_for(void **state)
{
    struct puppets *puppets = *state;
    uint64_t start_ms = puppets->now_ms + 3000;
    uint64_t quiet_ms = NODE_TUNING_DEFAULT.sync_delay_ms;

    puppets_run(puppets, 3000);
    change(puppets);
    assert_false(does_begin(puppets, start_ms + quiet_ms - 1));
    assert_true(does_begin(puppets, start_ms + quiet_ms));
    /* It is equal for a moment: another difference begins after that. */
    puppet_send_ping(puppets, ASKER, MESSAGE_PING, 1,
                     node_fingerprint(puppets->node));
    start_ms = puppets->now_ms + 100;
    for (uint64_t ms = 0; ms < 5000; ms += 100) {
        assert_false(ms > 0 && does_begin(puppets, start_ms + ms - 1));
        puppets_run(puppets, start_ms + ms - puppets->now_ms);
        change(puppets);
        assert_false(does_begin(puppets, start_ms + ms));
    }
    puppets_run(puppets, start_ms + 4990 - puppets->now_ms);
    change(puppets);
    assert_false(does_begin(puppets, start_ms + 4999));
    assert_true(does_begin(puppets, start_ms + 5000));
}

/* --- Streams ---------------------------------------------------------------
 */

static void on_stream(struct puppets *puppets, enum node_event_type type,
                      uint32_t stream, bool is_initiator, const uint8_t *bytes,
                      size_t size)
{
    struct node_event event = {.type = type,
                               .stream = stream,
                               .is_initiator = is_initiator,
                               .bytes = bytes,
                               .size = size};

    memcpy(event.peer, puppets->keys[ASKER].sign_public, 32);
    puppets_step(puppets, &event);
}

static void open_stream(struct puppets *puppets, uint32_t stream,
                        bool is_initiator)
{
    on_stream(puppets, NODE_EVENT_STREAM_OPENED, stream, is_initiator, NULL, 0);
}

static void close_stream(struct puppets *puppets, uint32_t stream)
{
    on_stream(puppets, NODE_EVENT_STREAM_CLOSED, stream, false, NULL, 0);
}

static void send_frame(struct puppets *puppets, uint32_t stream,
                       const struct writer *writer)
{
    assert_false(writer->failed);
    on_stream(puppets, NODE_EVENT_STREAM_FRAME, stream, false, writer->start,
              writer_size(writer));
}

/* The initiator begins, and the answers go the same way. */
static void test_stream_speaks(void **state)
{
    struct puppets *puppets = *state;
    struct message_head head = {.first = 0, .last = UINT64_MAX};
    uint8_t frame[4096];
    uint64_t hashes[512];
    struct writer writer = writer_init(frame, sizeof(frame));
    struct puppet_record record;
    size_t n = hashes_in(puppets, 0, UINT64_MAX, hashes);

    open_stream(puppets, 7, true);
    assert_int_equal(puppet_n_seen(puppets, PUPPET_STREAM(7), MESSAGE_HEADS),
                     1);
    open_stream(puppets, 8, false);
    assert_int_equal(puppet_n_seen(puppets, PUPPET_STREAM(8), MESSAGE_HEADS),
                     0);
    assert_int_equal(puppets->n_frames, 1);
    puppets_clear(puppets);
    message_put_heads(&writer, &head, 1);
    send_frame(puppets, 8, &writer);
    check_sent(puppets, PUPPET_STREAM(8), hashes, n);
    puppets_clear(puppets);
    /* Of HAVE and WANT, and a record, in one frame. */
    writer = writer_init(frame, sizeof(frame));
    message_put_have(&writer, 0, UINT64_MAX, 0, UINT64_MAX, hashes, n - 1);
    message_put_hashes(&writer, MESSAGE_WANT, hashes, 1);
    puppet_service(puppets, 2, "a", PUPPET_WALL_MS, &record);
    message_put_record(&writer, record.bytes, record.size);
    send_frame(puppets, 8, &writer);
    {
        uint64_t both[2] = {hashes[0], hashes[n - 1]};

        check_sent(puppets, PUPPET_STREAM(8), both, 2);
    }
    assert_int_equal(node_n_records(puppets->node), n + 1);
    /* A stream of nobody, and one that is over. */
    puppets_clear(puppets);
    send_frame(puppets, 9, &writer);
    close_stream(puppets, 8);
    send_frame(puppets, 8, &writer);
    send_frame(puppets, 0, &writer);
    assert_int_equal(n_messages(puppets), 0);
    assert_int_equal(puppets->n_closed, 0);
}

/* In a stream what was asked for by packet is asked for all the same. */
static void test_stream_asks_again(void **state)
{
    struct puppets *puppets = *state;
    uint8_t frame[128];
    struct writer writer = writer_init(frame, sizeof(frame));
    struct message_head nobody = {.first = 1, .last = 1};
    uint64_t hash = 1000;

    send_have(puppets, &nobody, 0, UINT64_MAX, &hash, 1);
    assert_int_equal(puppet_n_seen(puppets, ASKER, MESSAGE_WANT), 1);
    open_stream(puppets, 3, false);
    message_put_have(&writer, 1, 1, 0, UINT64_MAX, &hash, 1);
    send_frame(puppets, 3, &writer);
    assert_int_equal(puppet_n_seen(puppets, PUPPET_STREAM(3), MESSAGE_WANT), 1);
}

/* More than a frame holds goes in several. */
static void test_frames(void **state)
{
    struct puppets *puppets = *state;
    struct message_head head = {.first = 0, .last = UINT64_MAX};
    uint8_t frame[128];
    struct writer writer = writer_init(frame, sizeof(frame));
    uint64_t hashes[512];
    size_t n;

    add_services(puppets, 2, 200);
    n = hashes_in(puppets, 0, UINT64_MAX, hashes);
    open_stream(puppets, 3, false);
    puppets_clear(puppets);
    message_put_heads(&writer, &head, 1);
    send_frame(puppets, 3, &writer);
    check_sent(puppets, PUPPET_STREAM(3), hashes, n);
    assert_true(puppets->n_frames >= 2);
    assert_true(puppets->n_frames <= 3);
}

/* LIMIT_SYNC_STREAMS at once; the place of a closed one is free. */
static void test_streams(void **state)
{
    struct puppets *puppets = *state;

    for (uint32_t i = 1; i <= LIMIT_SYNC_STREAMS; i++) {
        open_stream(puppets, i, false);
    }
    assert_int_equal(puppets->n_closed, 0);
    open_stream(puppets, 100, false);
    assert_int_equal(puppets->n_closed, 1);
    assert_int_equal(puppets->closed, 100);
    close_stream(puppets, LIMIT_SYNC_STREAMS);
    open_stream(puppets, 101, false);
    assert_int_equal(puppets->n_closed, 1);
}

/* LIMIT_SYNC_STREAM_BYTES: up to it there are answers, past it the end. */
static void test_stream_bytes(void **state)
{
    struct puppets *puppets = *state;
    uint8_t *frame = calloc(1, LIMIT_SYNC_STREAM_BYTES + 1);
    struct message_head head = {.first = 0, .last = UINT64_MAX};
    struct writer writer = writer_init(frame, LIMIT_SYNC_STREAM_BYTES);
    uint64_t n_dropped = puppets_counters(puppets)->dropped_message;

    assert_non_null(frame);
    /* The rest of the frame is no message. */
    message_put_heads(&writer, &head, 1);
    open_stream(puppets, 1, false);
    on_stream(puppets, NODE_EVENT_STREAM_FRAME, 1, false, frame,
              LIMIT_SYNC_STREAM_BYTES + 1);
    assert_int_equal(puppets_counters(puppets)->dropped_message, n_dropped + 1);
    assert_int_equal(puppets->n_frames, 0);
    assert_int_equal(puppets->n_closed, 1);
    puppets->now_ms += 10000; /* LIMIT_PEER_BURST is there again */
    open_stream(puppets, 2, false);
    on_stream(puppets, NODE_EVENT_STREAM_FRAME, 2, false, frame + 64,
              LIMIT_SYNC_STREAM_BYTES - 64);
    on_stream(puppets, NODE_EVENT_STREAM_FRAME, 2, false, frame + 64, 64);
    assert_int_equal(puppets->n_closed, 1);
    on_stream(puppets, NODE_EVENT_STREAM_FRAME, 2, false, frame + 64, 1);
    assert_int_equal(puppets->n_closed, 2);
    puppets->now_ms += 10000;
    open_stream(puppets, 3, false);
    on_stream(puppets, NODE_EVENT_STREAM_FRAME, 3, false, frame,
              LIMIT_SYNC_STREAM_BYTES);
    assert_int_equal(puppets->n_frames, 1);
    free(frame);
}

/* An initiator's stream lives on while it is spoken on, and says that it is
 * done; no stream lives longer than LIMIT_SYNC_STREAM_MS. */
static void test_stream_ends(void **state)
{
    struct puppets *puppets = *state;
    uint8_t frame[8];
    struct writer writer = writer_init(frame, sizeof(frame));
    uint64_t opened_ms;

    message_put_done(&writer);
    open_stream(puppets, 5, true);
    puppets_run(puppets, 900);
    send_frame(puppets, 5, &writer);
    puppets_clear(puppets);
    puppets_run(puppets, 999);
    assert_int_equal(puppets->n_closed, 0);
    puppets_run(puppets, 1);
    assert_int_equal(puppets->n_closed, 1);
    assert_int_equal(puppets->closed, 5);
    assert_int_equal(puppet_n_seen(puppets, PUPPET_STREAM(5), MESSAGE_DONE), 1);
    opened_ms = puppets->now_ms;
    open_stream(puppets, 6, true);
    while (puppets->n_closed == 1) {
        assert_true(puppets->now_ms <= opened_ms + LIMIT_SYNC_STREAM_MS);
        puppets_run(puppets, 500);
        puppets_clear(puppets);
        send_frame(puppets, 6, &writer);
    }
    assert_int_equal(puppets->closed_ms, opened_ms + LIMIT_SYNC_STREAM_MS);
    /* The other side waits for the initiator's end, and says nothing. */
    open_stream(puppets, 9, false);
    puppets_clear(puppets);
    puppets_run(puppets, LIMIT_SYNC_STREAM_MS);
    assert_int_equal(puppets->n_closed, 3);
    assert_int_equal(puppet_n_seen(puppets, PUPPET_STREAM(9), MESSAGE_DONE), 0);
}

/* Asks for all records of a view too large for a burst of packets. */
static void ask_for_much(struct puppets *puppets)
{
    uint64_t hashes[512];
    size_t n = hashes_in(puppets, 0, UINT64_MAX, hashes);

    puppet_send_hashes(puppets, ASKER, MESSAGE_WANT, hashes,
                       MIN_OF(n, (size_t)140));
    puppets_clear(puppets);
}

/* A stream is asked for once in five seconds, and while there is none. */
static void test_stream_is_asked_for(void **state)
{
    struct puppets *puppets = *state;

    add_services(puppets, 2, 140);
    ask_for_much(puppets);
    assert_int_equal(puppets->n_streams, 1);
    puppets->now_ms += 4999;
    ask_for_much(puppets);
    assert_int_equal(puppets->n_streams, 1);
    puppets->now_ms++;
    ask_for_much(puppets);
    assert_int_equal(puppets->n_streams, 2);
    assert_int_equal(puppets_counters(puppets)->streams_opened, 2);
    puppets->now_ms += 5000;
    open_stream(puppets, 4, false);
    ask_for_much(puppets);
    assert_int_equal(puppets->n_streams, 2);
    close_stream(puppets, 4);
    ask_for_much(puppets);
    assert_int_equal(puppets->n_streams, 3);
    /* HEADS that lead to much do as well. */
    puppets->now_ms += 5000;
    send_head(puppets, 0, UINT64_MAX, 0, 0);
    assert_int_equal(puppets->n_streams, 4);
}

/* With other peers there may be LIMIT_SYNC_OWN_STREAMS; those that others
 * opened do not count. */
static void test_no_stream_is_left(void **state)
{
    struct puppets *puppets = *state;

    add_services(puppets, 2, 140);
    for (uint32_t i = 1; i <= LIMIT_SYNC_OWN_STREAMS; i++) {
        struct node_event event = {.type = NODE_EVENT_STREAM_OPENED,
                                   .stream = i,
                                   .is_initiator = true};

        memcpy(event.peer, puppets->keys[2].sign_public, 32);
        puppets_step(puppets, &event);
    }
    ask_for_much(puppets);
    assert_int_equal(puppets->n_streams, 0);
    close_stream(puppets, 1);
    ask_for_much(puppets);
    assert_int_equal(puppets->n_streams, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_equal_range, puppets_setup,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_empty_range, puppets_setup,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_few_records, puppets_setup,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_one_writer, puppets_setup,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_split, puppets_setup,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_frozen_is_left_out, puppets_setup,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_long_list, puppets_setup,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_missing_is_sent, puppets_setup,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_lacking_is_asked, puppets_setup,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_not_too_often, puppets_setup_four,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_news_is_waited_for,
                                        puppets_setup_four, puppets_teardown),
        cmocka_unit_test_setup_teardown(test_stream_speaks, puppets_setup_four,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_stream_asks_again,
                                        puppets_setup_four, puppets_teardown),
        cmocka_unit_test_setup_teardown(test_frames, puppets_setup_four,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_streams, puppets_setup_four,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_stream_bytes, puppets_setup_four,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_stream_ends, puppets_setup_four,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_stream_is_asked_for,
                                        puppets_setup_four, puppets_teardown),
        cmocka_unit_test_setup_teardown(test_no_stream_is_left,
                                        puppets_setup_four, puppets_teardown),
    };

    if (sodium_init() < 0) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
