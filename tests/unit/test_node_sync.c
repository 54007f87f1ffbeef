/*
 * gossip/node/sync.c by the node's public interface, as test_node.c: what each
 * HEADS, HAVE and WANT is answered with, edge by edge, and when an exchange
 * begins.  Its streams: test_node_sync_stream.c.
 */
#include "tests/unit/sync_fixture.h"

#include <stdio.h>
#include <stdlib.h>

/* From sync.c: few enough to compare hashes, hashes in a HAVE, parts. */
#define FEW        24
#define HASHES_MAX 120
#define SPLIT      16

/* --- HEADS -----------------------------------------------------------------
 */

/* Equal sums need no answer; a sum or a number that differs does. */
static void test_equal_range(void **state)
{
    struct puppets *puppets = *state;
    struct message_head all;

    puppets_start(puppets, 4);
    all = sync_head(puppets, 0, UINT64_MAX);
    assert_int_equal(all.fingerprint, node_fingerprint(puppets->node));
    sync_send_head(puppets, 0, UINT64_MAX, all.n_records, all.fingerprint);
    assert_int_equal(puppets->n_seen, 0);
    sync_send_head(puppets, 0, UINT64_MAX, all.n_records, all.fingerprint + 1);
    assert_int_equal(puppet_n_seen(puppets, SYNC_ASKER, MESSAGE_HAVE), 1);
    sync_send_head(puppets, 0, UINT64_MAX, all.n_records + 1, all.fingerprint);
    assert_int_equal(puppet_n_seen(puppets, SYNC_ASKER, MESSAGE_HAVE), 1);
    /* No range at all. */
    sync_send_head(puppets, 5, 4, 3, 9);
    assert_int_equal(puppets->n_seen, 0);
    sync_send_head(puppets, 5, 5, 3, 9);
    assert_int_equal(puppets->n_seen, 1);
}

/* Who has nothing in the range gets all of it, and no more. */
static void test_empty_range(void **state)
{
    struct puppets *puppets = *state;
    uint64_t hashes[512];
    uint64_t ids[8];
    size_t n_ids, n;

    puppets_start(puppets, 4);
    sync_add_services(puppets, 3, 2);
    n_ids = sync_ids(puppets, ids);
    assert_int_equal(n_ids, 5);
    for (size_t i = 0; i < n_ids; i++) {
        for (size_t j = i; j < n_ids; j++) {
            sync_send_head(puppets, ids[i], ids[j], 0, 0);
            n = sync_hashes(puppets, ids[i], ids[j], hashes);
            assert_true(n > 0);
            sync_check_sent(puppets, SYNC_ASKER, hashes, n);
        }
    }
}

static void check_have(const struct puppets *puppets, uint64_t first,
                       uint64_t last)
{
    const struct puppet_seen *have =
        puppet_seen(puppets, SYNC_ASKER, MESSAGE_HAVE, 0);
    uint64_t hashes[512];
    size_t n = sync_hashes(puppets, first, last, hashes);

    assert_int_equal(puppets->n_seen, 1);
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
        puppet_seen(puppets, SYNC_ASKER, MESSAGE_HEADS, 0);
    uint64_t ids[PUPPET_MAX + 1];
    size_t n_ids = sync_ids(puppets, ids), most = 0, fewest = SIZE_MAX;

    assert_int_equal(puppets->n_seen, 1);
    assert_non_null(heads);
    assert_int_equal(heads->message.n_items, n_parts);
    for (size_t i = 0; i < n_parts; i++) {
        struct message_head head = message_head_at(&heads->message, i);
        struct message_head ours = sync_head(puppets, head.first, head.last);
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
    n_records = sync_head(puppets, 0, UINT64_MAX).n_records;
    assert_true(n_records < FEW);
    sync_add_services(puppets, 2, FEW - n_records);
    assert_int_equal(sync_head(puppets, 0, UINT64_MAX).n_records, FEW);
    sync_send_head(puppets, 0, UINT64_MAX, FEW + 1, 9);
    check_have(puppets, 0, UINT64_MAX);
    sync_add_services(puppets, 3, 1);
    sync_send_head(puppets, 0, UINT64_MAX, FEW, 9);
    check_have(puppets, 0, UINT64_MAX);
    sync_send_head(puppets, 0, UINT64_MAX, 1, 9);
    check_have(puppets, 0, UINT64_MAX);
    sync_send_head(puppets, 0, UINT64_MAX, FEW + 1, 9);
    check_split(puppets, 0, UINT64_MAX, 5);
    /* Where we have nothing, too. */
    sync_send_head(puppets, 1, 2, FEW + 1, 9);
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
        sync_add_services(puppets, who, FEW + 1);
    }
    puppets_run(puppets, 100);
    n_ids = sync_ids(puppets, ids);
    for (size_t i = 0; i < n_ids; i++) {
        sync_send_head(puppets, ids[i], ids[i], 1000, 9);
        check_have(puppets, ids[i], ids[i]);
        if (i + 1 < n_ids) {
            sync_send_head(puppets, ids[i], ids[i + 1] - 1, 1000, 9);
            check_have(puppets, ids[i], ids[i + 1] - 1);
            sync_send_head(puppets, ids[i], ids[i + 1], 1000, 9);
            check_split(puppets, ids[i], ids[i + 1], 2);
        }
    }
    sync_send_head(puppets, ids[n_ids - 1], UINT64_MAX, 1000, 9);
    check_have(puppets, ids[n_ids - 1], UINT64_MAX);
    sync_send_head(puppets, ids[n_ids - 2], UINT64_MAX, 1000, 9);
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
        sync_add_services(puppets, who, 1);
    }
    puppets_run(puppets, 100);
    n_ids = sync_ids(puppets, ids);
    sync_send_head(puppets, 0, UINT64_MAX, 1000, 9);
    check_split(puppets, 0, UINT64_MAX, SPLIT);
    for (size_t n = SPLIT - 1; n <= 2 * SPLIT + 1; n++) {
        assert_true(sync_head(puppets, ids[1], ids[n]).n_records > FEW);
        sync_send_head(puppets, ids[1], ids[n], 1000, 9);
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
    sync_add_services(puppets, 2, 3);
    puppets->seq--;
    puppet_service(puppets, 2, "other", PUPPET_WALL_MS, &record);
    puppet_send_record(puppets, 2, &record);
    assert_int_equal(puppets_counters(puppets)->refused_frozen, 1);
    id = record_node_id(puppets->keys[2].sign_public);
    counted = sync_head(puppets, 0, UINT64_MAX);
    counted.n_records -= 3; /* the services */
    counted.fingerprint = node_fingerprint(puppets->node);
    sync_send_head(puppets, 0, UINT64_MAX, counted.n_records,
                   counted.fingerprint);
    assert_int_equal(puppets->n_seen, 0);
    sync_send_head(puppets, 0, UINT64_MAX, 1, 9);
    assert_int_equal(
        puppet_seen(puppets, SYNC_ASKER, MESSAGE_HAVE, 0)->message.n_items,
        counted.n_records);
    sync_send_head(puppets, 0, UINT64_MAX, 0, 0);
    assert_int_equal(puppet_n_seen(puppets, SYNC_ASKER, MESSAGE_RECORD),
                     counted.n_records);
    /* Its member record and the evidence. */
    sync_send_head(puppets, id, id, 7, 9);
    assert_int_equal(
        puppet_seen(puppets, SYNC_ASKER, MESSAGE_HAVE, 0)->message.n_items, 2);
}

/* --- HAVE ------------------------------------------------------------------
 */

/* More hashes than a message takes are told in several, which leave no gap. */
static void check_lists(struct puppets *puppets, size_t n_lists)
{
    uint64_t hashes[512];
    size_t n = sync_hashes(puppets, 0, UINT64_MAX, hashes), index = 0;
    uint64_t lowest = 0;

    sync_send_head(puppets, 0, UINT64_MAX, 1, 9);
    assert_int_equal(puppets->n_seen, n_lists);
    for (size_t i = 0; i < n_lists; i++) {
        const struct message *have =
            &puppet_seen(puppets, SYNC_ASKER, MESSAGE_HAVE, i)->message;

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
    n_records = sync_head(puppets, 0, UINT64_MAX).n_records;
    sync_add_services(puppets, 2, HASHES_MAX - n_records);
    check_lists(puppets, 1);
    sync_add_services(puppets, 3, 1);
    check_lists(puppets, 2);
    sync_add_services(puppets, 1, HASHES_MAX);
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
    sync_add_services(puppets, 2, 3);
    n = sync_hashes(puppets, 0, UINT64_MAX, hashes);
    sync_send_have(puppets, &all, hashes[2], hashes[n - 3], NULL, 0);
    sync_check_sent(puppets, SYNC_ASKER, &hashes[2], n - 4);
    sync_send_have(puppets, &all, hashes[2] + 1, hashes[n - 3] - 1, NULL, 0);
    sync_check_sent(puppets, SYNC_ASKER, &hashes[3], n - 6);
    sync_send_have(puppets, &all, 0, UINT64_MAX, hashes, n - 1);
    sync_check_sent(puppets, SYNC_ASKER, &hashes[n - 1], 1);
    sync_send_have(puppets, &all, 0, UINT64_MAX, &hashes[1], n - 1);
    sync_check_sent(puppets, SYNC_ASKER, &hashes[0], 1);
    sync_send_have(puppets, &all, 0, UINT64_MAX, hashes, n);
    assert_int_equal(puppets->n_seen, 0);
    assert_int_equal(sync_ids(puppets, ids), 5);
    for (size_t i = 0; i < 4; i++) {
        range = (struct message_head){.first = ids[i], .last = ids[i + 1]};
        sync_send_have(puppets, &range, 0, UINT64_MAX, NULL, 0);
        n = sync_hashes(puppets, ids[i], ids[i + 1], hashes);
        sync_check_sent(puppets, SYNC_ASKER, hashes, n);
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
    (void)sync_hashes(puppets, 0, UINT64_MAX, known);
    hashes[0] = 1000;
    hashes[1] = known[0];
    hashes[2] = 1001;
    sync_send_have(puppets, &nobody, 0, UINT64_MAX, hashes, 3);
    want = puppet_seen(puppets, SYNC_ASKER, MESSAGE_WANT, 0);
    assert_non_null(want);
    assert_int_equal(want->message.n_items, 2);
    assert_int_equal(message_hash_at(&want->message, 0), 1000);
    assert_int_equal(message_hash_at(&want->message, 1), 1001);
    sync_send_have(puppets, &nobody, 0, UINT64_MAX, hashes, 3);
    assert_int_equal(puppets->n_seen, 0);
    for (size_t i = 0; i < HASHES_MAX + 1; i++) {
        hashes[i] = 2000 + i;
    }
    sync_send_have(puppets, &nobody, 0, UINT64_MAX, hashes, HASHES_MAX);
    want = puppet_seen(puppets, SYNC_ASKER, MESSAGE_WANT, 0);
    assert_int_equal(want->message.n_items, HASHES_MAX);
    for (size_t i = 0; i < HASHES_MAX + 1; i++) {
        hashes[i] = 3000 + i;
    }
    sync_send_have(puppets, &nobody, 0, UINT64_MAX, hashes, HASHES_MAX + 1);
    want = puppet_seen(puppets, SYNC_ASKER, MESSAGE_WANT, 0);
    assert_int_equal(want->message.n_items, HASHES_MAX);
}

/* --- When ------------------------------------------------------------------
 */

/* Whether a ping with another fingerprint begins an exchange now. */
static bool does_begin(struct puppets *puppets, uint64_t at_ms)
{
    puppets_run(puppets, at_ms - puppets->now_ms);
    puppets_clear(puppets);
    puppet_send_ping(puppets, SYNC_ASKER, MESSAGE_PING, 1,
                     node_fingerprint(puppets->node) + 1);
    return puppet_n_seen(puppets, SYNC_ASKER, MESSAGE_HEADS) > 0;
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
        &puppet_seen(puppets, SYNC_ASKER, MESSAGE_HEADS, 0)->message, 0);
    assert_int_equal(head.first, 0);
    assert_int_equal(head.last, UINT64_MAX);
    assert_int_equal(head.fingerprint, node_fingerprint(puppets->node));
    assert_int_equal(head.n_records, node_n_records(puppets->node));
    assert_false(does_begin(puppets, start_ms + 1999));
    assert_true(does_begin(puppets, start_ms + 2000));
    puppets_run(puppets, 2000);
    puppets_clear(puppets);
    puppet_send_ping(puppets, SYNC_ASKER, MESSAGE_PING, 1,
                     node_fingerprint(puppets->node));
    assert_int_equal(puppet_n_seen(puppets, SYNC_ASKER, MESSAGE_HEADS), 0);
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
    puppet_send_ping(puppets, SYNC_ASKER, MESSAGE_PING, 1,
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
    };

    if (sodium_init() < 0) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
