/*
 * gossip/node/own.c and node.c by the node's public interface, as
 * test_node.c: how a node begins, what it writes when, and what may be looked
 * at.
 */
#include "tests/unit/puppet.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* --- Beginning -------------------------------------------------------------
 */

/* A node that knows from its store that so many live, one step after its
 * start; nothing is committed. */
static void start_among(struct puppets *puppets, unsigned n)
{
    struct node_event start = {.type = NODE_EVENT_START};
    struct puppet_record record;

    puppets_prepare(puppets, n);
    assert_int_equal(puppets_make_node(puppets), 0);
    for (unsigned who = 1; who < n; who++) {
        puppet_member(puppets, who, &record);
        assert_int_equal(
            node_load(puppets->node, record.bytes, record.size, PUPPET_WALL_MS),
            0);
        assert_int_equal(
            node_load(puppets->node, record.bytes, record.size, PUPPET_WALL_MS),
            NODE_LOAD_KNOWN);
    }
    puppets->holds_commits = true;
    puppets_step(puppets, &start);
}

/* Without others there is nobody to ask. */
static void test_begins_alone(void **state)
{
    struct puppets *puppets = *state;

    start_among(puppets, 1);
    assert_int_equal(puppets->n_held, 1);
    assert_int_equal(puppets->n_hellos, 0);
    assert_false(node_is_ready(puppets->node));
    puppets_commit(puppets);
    puppets_run(puppets, 0);
    assert_true(node_is_ready(puppets->node));
    assert_int_equal(puppets->n_ready, 1);
    assert_int_equal(puppets_member(puppets, 0).state, NODE_MEMBER_ALIVE);
}

/* Who does not answer is asked again after a third of the time, and not
 * waited for past the end of it. */
static void test_asks_twice(void **state)
{
    struct puppets *puppets = *state;

    start_among(puppets, 6);
    assert_int_equal(puppets->n_hellos, 5);
    puppets_run(puppets, 332);
    assert_int_equal(puppets->n_hellos, 5);
    puppets_run(puppets, 1);
    assert_int_equal(puppets->n_hellos, 10);
    puppets_run(puppets, 666);
    assert_int_equal(puppets->n_held, 0);
    assert_int_equal(puppets->n_hellos, 10);
    puppets_run(puppets, 1);
    assert_int_equal(puppets->n_held, 1);
}

static void test_asks_eight(void **state)
{
    struct puppets *puppets = *state;

    start_among(puppets, 12);
    assert_int_equal(puppets->n_hellos, 8);
}

/* Three answers are enough, or those of all there are. */
static void test_answers(void **state)
{
    struct puppets *puppets = *state;

    start_among(puppets, 6);
    for (unsigned who = 1; who <= 3; who++) {
        assert_int_equal(puppets->n_held, 0);
        puppet_hello(puppets, who);
    }
    assert_int_equal(puppets->n_held, 1);
}

static void test_answers_of_two(void **state)
{
    struct puppets *puppets = *state;

    start_among(puppets, 3);
    puppet_hello(puppets, 1);
    assert_int_equal(puppets->n_held, 0);
    puppet_hello(puppets, 2);
    assert_int_equal(puppets->n_held, 1);
}

static uint8_t own_state(const struct puppets *puppets, uint32_t *ret_pause_s)
{
    struct body_member body;
    struct record record;

    assert_true(node_record_find(puppets->node, puppets->keys[0].sign_public,
                                 RECORD_MEMBER, (const uint8_t *)"", 0,
                                 &record));
    assert_int_equal(body_get_member(&record, &body), 0);
    *ret_pause_s = body.pause_s;
    return body.state;
}

/* A pause before the first record is in that one, and in no other. */
static void test_pause_at_once(void **state)
{
    struct node_event event = {.type = NODE_EVENT_PAUSE, .pause_s = 12};
    struct puppets *puppets = *state;
    uint32_t pause_s = 0;

    start_among(puppets, 6);
    puppets_step(puppets, &event);
    assert_int_equal(puppets->n_held, 0);
    puppets_run(puppets, 1000);
    assert_int_equal(puppets->n_held, 1);
    puppets_commit(puppets);
    assert_int_equal(own_state(puppets, &pause_s), BODY_MEMBER_PAUSED);
    assert_int_equal(pause_s, 12);
}

/* Before it is ready nothing can be written. */
static void test_not_ready(void **state)
{
    struct puppets *puppets = *state;

    start_among(puppets, 6);
    assert_int_equal(puppets_write(puppets, "a"), NODE_E_NOT_READY);
    assert_int_equal(puppets_remove(puppets, "a"), NODE_E_NOT_FOUND);
    assert_int_equal(puppets->n_held, 0);
}

/* Whose certificate it is, with which keys. */
static void check_unusable(struct puppets *puppets)
{
    assert_int_equal(puppets_make_node(puppets), -EINVAL);
    assert_null(puppets->node);
}

static void test_certificate_of_another(void **state)
{
    struct puppets *puppets = *state;
    struct puppet_record good;

    puppets_prepare(puppets, 3);
    good = puppets->certificates[0];
    puppets->certificates[0] = puppets->certificates[1];
    check_unusable(puppets);
    puppet_member(puppets, 0, &puppets->certificates[0]);
    check_unusable(puppets);
    puppets->certificates[0] = good;
    puppets->certificates[0].size--;
    check_unusable(puppets);
    puppets->certificates[0] = good;
    puppets->keys[0].exchange_public[31] ^= 1;
    check_unusable(puppets);
    puppets->keys[0].exchange_public[31] ^= 1;
    assert_int_equal(puppets_make_node(puppets), 0);
    /* Loaded with the others, and refused when nobody we know issued it. */
    assert_int_equal(
        node_load(puppets->node, good.bytes, good.size, PUPPET_WALL_MS),
        NODE_LOAD_KNOWN);
    puppet_service(puppets, 1, "a", PUPPET_WALL_MS, &good);
    good.bytes[good.size - 1] ^= 1;
    assert_int_equal(
        node_load(puppets->node, good.bytes, good.size, PUPPET_WALL_MS),
        NODE_LOAD_REFUSED);
}

/* --- Writing ---------------------------------------------------------------
 */

static void finish(struct puppets *puppets, bool has_failed)
{
    struct node_event event = {.type = has_failed ? NODE_EVENT_STORE_FAILED
                                                  : NODE_EVENT_COMMITTED,
                               .order = puppets->held[0]};

    assert_int_equal(puppets->n_held, 1);
    puppets->n_held = 0;
    puppets_step(puppets, &event);
}

/* A member record that the disk refused is tried again a second after. */
static void test_retry(void **state)
{
    struct node_event event = {.type = NODE_EVENT_PAUSE, .pause_s = 30};
    struct puppets *puppets = *state;
    uint64_t start_ms;

    puppets_start(puppets, 1);
    puppets->holds_commits = true;
    start_ms = puppets->now_ms;
    puppets_step(puppets, &event);
    assert_int_equal(puppets->n_held, 1);
    puppets_run(puppets, 500);
    finish(puppets, true);
    assert_int_equal(puppets->n_held, 0);
    puppets_run(puppets, start_ms + 999 - puppets->now_ms);
    assert_int_equal(puppets->n_held, 0);
    puppets_run(puppets, 1);
    assert_int_equal(puppets->n_held, 1);
    finish(puppets, false);
    puppets_run(puppets, 5000);
    assert_int_equal(puppets->n_held, 0);
}

/* A departure is told to everybody at once, other news to a few. */
static void test_farewell(void **state)
{
    struct node_event event = {.type = NODE_EVENT_LEAVE};
    struct puppets *puppets = *state;
    size_t n = 0;

    puppets_start(puppets, 30);
    puppets_run(puppets, 200);
    puppets_clear(puppets);
    assert_int_equal(puppets_write(puppets, "a"), 0);
    puppets_run(puppets, 10);
    for (unsigned who = 1; who < puppets->n; who++) {
        n += puppet_n_seen(puppets, who, MESSAGE_RECORD);
    }
    assert_int_equal(n, NODE_TUNING_DEFAULT.eager_peers);
    puppets_clear(puppets);
    puppets_step(puppets, &event);
    for (unsigned who = 1; who < puppets->n; who++) {
        assert_true(puppet_n_seen(puppets, who, MESSAGE_RECORD) >= 1);
    }
}

/* Each own record is later than the one before, and no later than need be. */
static void test_clock(void **state)
{
    struct puppets *puppets = *state;
    uint64_t first;

    puppets_start(puppets, 1);
    puppets_run(puppets, 10);
    assert_int_equal(puppets_write(puppets, "a"), 0);
    first = puppets->own_hlc;
    assert_int_equal(first, (PUPPET_WALL_MS + puppets->now_ms) << 16);
    assert_int_equal(puppets_write(puppets, "b"), 0);
    assert_int_equal(puppets->own_hlc, first + 1);
    puppets->now_ms++;
    assert_int_equal(puppets_write(puppets, "c"), 0);
    assert_int_equal(puppets->own_hlc, first + (1 << 16));
}

/* What is under way at the end is nobody's any more (the sanitizer's leak
 * check sees it). */
static void test_ends_while_writing(void **state)
{
    struct puppets *puppets = *state;

    puppets_start(puppets, 2);
    puppets->holds_commits = true;
    assert_int_equal(puppets_write(puppets, "a"), 0);
    assert_int_equal(puppets_write(puppets, "b"), 0);
    assert_int_equal(puppets_write(puppets, "c"), 0);
    assert_int_equal(puppets->n_held, 3);
}

/* LIMIT_RECORDS_PER_WRITER is ours too; what is there can be changed. */
static void test_own_limit(void **state)
{
    struct puppets *puppets = *state;
    char instance[16];
    unsigned n = 0;

    puppets_start(puppets, 1);
    /* With the charter and the certificate. */
    assert_int_equal(node_n_records(puppets->node), 3);
    for (; n < LIMIT_RECORDS_PER_WRITER - 2; n++) {
        (void)snprintf(instance, sizeof(instance), "i%u", n); /* fits */
        assert_int_equal(puppets_write(puppets, instance), 0);
    }
    puppets->holds_commits = true;
    assert_int_equal(puppets_write(puppets, "last"), 0);
    assert_int_equal(puppets_write(puppets, "more"), NODE_E_LIMIT);
    puppets->holds_commits = false;
    puppets_commit(puppets);
    assert_int_equal(puppets_write(puppets, "more"), NODE_E_LIMIT);
    assert_int_equal(puppets_write(puppets, "i0"), 0);
    assert_int_equal(puppets_remove(puppets, "i0"), 0);
    assert_int_equal(puppets_remove(puppets, "i0"), NODE_E_NOT_FOUND);
    assert_int_equal(puppets_remove(puppets, "never"), NODE_E_NOT_FOUND);
}

/* A manifest follows the first tombstone after ten minutes. */
static void test_manifest_in_time(void **state)
{
    struct puppets *puppets = *state;
    uint64_t first_ms;

    puppets_start(puppets, 1);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(puppets_write(puppets, "a"), 0);
        assert_int_equal(puppets_write(puppets, "b"), 0);
        puppets_run(puppets, 1000);
        first_ms = puppets->now_ms;
        assert_int_equal(puppets_remove(puppets, "a"), 0);
        puppets_run(puppets, 300000);
        assert_int_equal(puppets_remove(puppets, "b"), 0);
        puppets_run(puppets, first_ms + 599999 - puppets->now_ms);
        assert_int_equal(puppets->n_manifests, i);
        puppets_run(puppets, 1);
        assert_int_equal(puppets->n_manifests, i + 1);
        puppets_run(puppets, 1000);
        /* Charter, certificate, member record and manifest. */
        assert_int_equal(node_n_records(puppets->node), 4);
    }
    puppets_run(puppets, 1000000);
    assert_int_equal(puppets->n_manifests, 2);
}

/* So many tombstones do not wait; without the disk it is tried again. */
static void test_manifest_of_many(void **state)
{
    struct puppets *puppets = *state;
    char instance[16];

    puppets_start(puppets, 1);
    for (unsigned i = 0; i < 64; i++) {
        (void)snprintf(instance, sizeof(instance), "i%u", i); /* fits */
        assert_int_equal(puppets_write(puppets, instance), 0);
        puppets->holds_commits = i == 63;
        assert_int_equal(puppets_remove(puppets, instance), 0);
        assert_int_equal(puppets->n_manifests, 0);
    }
    finish(puppets, false);
    assert_int_equal(puppets->n_manifests, 1);
    finish(puppets, true);
    puppets_run(puppets, 999);
    assert_int_equal(puppets->n_manifests, 1);
    puppets_run(puppets, 1);
    assert_int_equal(puppets->n_manifests, 2);
    finish(puppets, false);
    assert_int_equal(node_n_records(puppets->node), 4);
}

/* --- Looking ---------------------------------------------------------------
 */

struct order {
    struct record last;
    uint8_t key[LIMIT_KEY_SIZE];
    uint8_t writer[32];
    size_t n;
    size_t stop_at;
};

static int check_next(const struct record *record, void *data)
{
    struct order *order = data;

    if (order->n > 0 && record->kind == order->last.kind) {
        int writers = memcmp(order->writer, record->writer, 32);
        int keys = memcmp(order->key, record->key,
                          MIN_OF(order->last.key_size, record->key_size));

        assert_true(writers <= 0);
        if (writers == 0) {
            assert_true(keys < 0 ||
                        (keys == 0 && order->last.key_size < record->key_size));
        }
    }
    assert_true(order->n == 0 || record->kind >= order->last.kind);
    order->last = *record;
    memcpy(order->writer, record->writer, 32);
    memcpy(order->key, record->key, record->key_size);
    return ++order->n == order->stop_at ? 77 : 0;
}

/* Records are seen by kind, writer and key, those of one kind alone if asked
 * for, until the looker has enough. */
static void test_records_in_order(void **state)
{
    static const char *const names[] = {"b", "ab", "a", "c", "abc"};
    struct puppets *puppets = *state;
    struct order order = {.n = 0};
    struct order services = {.n = 0};
    struct order some = {.stop_at = 3};

    puppets_start(puppets, 4);
    for (unsigned i = 0; i < ARRAY_SIZE(names) * 3; i++) {
        struct puppet_record record;
        unsigned who = 1 + i % 3;

        puppet_service(puppets, who, names[i / 3], PUPPET_WALL_MS, &record);
        puppet_send_record(puppets, who, &record);
    }
    assert_int_equal(node_records_each(puppets->node, 0, check_next, &order),
                     0);
    assert_int_equal(order.n, node_n_records(puppets->node));
    assert_int_equal(
        node_records_each(puppets->node, RECORD_SERVICE, check_next, &services),
        0);
    assert_int_equal(services.n, 3 * ARRAY_SIZE(names));
    assert_int_equal(node_records_each(puppets->node, 0, check_next, &some),
                     77);
    assert_int_equal(some.n, 3);
}

/* Members are those with a certificate. */
static void test_members(void **state)
{
    struct puppets *puppets = *state;
    struct node_member member;
    size_t at = 0, n = 0, n_self = 0;

    puppets_start(puppets, 5);
    while (node_member_next(puppets->node, &at, &member)) {
        n++;
        n_self += member.is_self;
        assert_true(member.is_heard);
        assert_true(member.is_self == (member.last_heard_ms == 0));
        assert_true(member.is_reachable);
        assert_non_null(member.body);
    }
    assert_int_equal(n, 5);
    assert_int_equal(n_self, 1);
    assert_int_equal(node_n_heard(puppets->node), 4);
    assert_false(
        node_member_find(puppets->node, puppets->root.sign_public, &member));
    assert_int_equal(puppets_member(puppets, 3).last_heard_ms, puppets->now_ms);
}

/* What others write is stored, once; what is known is counted. */
static void test_others_are_stored(void **state)
{
    struct puppets *puppets = *state;
    struct puppet_record record;
    uint64_t n_known;
    size_t n_stored;

    puppets_start(puppets, 4);
    n_stored = puppets->n_stored;
    assert_int_equal(n_stored, 3); /* member records */
    puppet_service(puppets, 2, "a", PUPPET_WALL_MS, &record);
    puppet_send_record(puppets, 2, &record);
    assert_int_equal(puppets->n_stored, n_stored + 1);
    n_known = puppets_counters(puppets)->records_known;
    puppet_send_record(puppets, 3, &record);
    assert_int_equal(puppets->n_stored, n_stored + 1);
    assert_int_equal(puppets_counters(puppets)->records_known, n_known + 1);
    assert_int_equal(puppets_write(puppets, "b"), 0);
    assert_int_equal(puppets->n_stored, n_stored + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, puppets_setup, puppets_teardown)
        TEST(test_begins_alone),
        TEST(test_asks_twice),
        TEST(test_asks_eight),
        TEST(test_answers),
        TEST(test_answers_of_two),
        TEST(test_pause_at_once),
        TEST(test_not_ready),
        TEST(test_certificate_of_another),
        TEST(test_retry),
        TEST(test_farewell),
        TEST(test_clock),
        TEST(test_ends_while_writing),
        TEST(test_own_limit),
        TEST(test_manifest_in_time),
        TEST(test_manifest_of_many),
        TEST(test_records_in_order),
        TEST(test_members),
        TEST(test_others_are_stored),
#undef TEST
    };

    if (sodium_init() < 0) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
