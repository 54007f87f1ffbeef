/*
 * gossip/node/spread.c by the node's public interface, as test_node.c: who is
 * told what and when, and what is asked for again.
 */
#include "tests/unit/puppet.h"

#include <stdio.h>
#include <stdlib.h>

static void ping(struct puppets *puppets, unsigned from)
{
    puppet_send_ping(puppets, from, MESSAGE_PING, 1,
                     node_fingerprint(puppets->node));
}

/* Starts it, and waits until there is no news. */
static void start_quiet(struct puppets *puppets, unsigned n)
{
    size_t n_found = 1;

    puppets_start(puppets, n);
    puppets_run(puppets, 100);
    for (unsigned i = 0; n_found > 0; i++) {
        assert_true(i < 1000);
        puppets_clear(puppets);
        for (unsigned who = 1; who < n; who++) {
            ping(puppets, who);
        }
        n_found = 0;
        for (size_t j = 0; j < puppets->n_seen; j++) {
            n_found += puppets->seen[j].message.type == MESSAGE_IHAVE;
        }
    }
    puppets_clear(puppets);
}

static size_t n_records_to(const struct puppets *puppets, unsigned who)
{
    return puppet_n_seen(puppets, who, MESSAGE_RECORD);
}

/* --- Asking ----------------------------------------------------------------
 */

/* What does not come is asked for five times, a tenth of a second apart. */
static void test_asks_five_times(void **state)
{
    static const uint64_t hash = 0x1234567890abcdef;
    struct puppets *puppets = *state;
    uint64_t start_ms;

    start_quiet(puppets, 4);
    start_ms = puppets->now_ms;
    puppet_send_hashes(puppets, 1, MESSAGE_IHAVE, &hash, 1);
    puppets_run(puppets, 450);
    assert_int_equal(puppet_n_seen(puppets, 1, MESSAGE_WANT), 5);
    for (size_t i = 0; i < 5; i++) {
        const struct puppet_seen *want =
            puppet_seen(puppets, 1, MESSAGE_WANT, i);

        assert_int_equal(want->at_ms, start_ms + 100 * i);
        assert_int_equal(want->message.n_items, 1);
        assert_int_equal(message_hash_at(&want->message, 0), hash);
    }
    /* Still known as asked for, then forgotten. */
    puppet_send_hashes(puppets, 2, MESSAGE_IHAVE, &hash, 1);
    assert_int_equal(puppet_n_seen(puppets, 2, MESSAGE_WANT), 0);
    puppets_run(puppets, 1000);
    assert_int_equal(puppet_n_seen(puppets, 1, MESSAGE_WANT), 5);
    assert_int_equal(puppet_n_seen(puppets, 2, MESSAGE_WANT), 0);
    puppet_send_hashes(puppets, 2, MESSAGE_IHAVE, &hash, 1);
    assert_int_equal(puppet_n_seen(puppets, 2, MESSAGE_WANT), 1);
}

/* What came is not asked for any more. */
static void test_came(void **state)
{
    struct puppets *puppets = *state;
    struct puppet_record record;

    start_quiet(puppets, 4);
    puppet_service(puppets, 2, "a", PUPPET_WALL_MS, &record);
    puppet_send_hashes(puppets, 1, MESSAGE_IHAVE, &record.hash, 1);
    assert_int_equal(puppet_n_seen(puppets, 1, MESSAGE_WANT), 1);
    puppet_send_record(puppets, 2, &record);
    puppets_run(puppets, 1000);
    assert_int_equal(puppet_n_seen(puppets, 1, MESSAGE_WANT), 1);
    puppet_send_hashes(puppets, 1, MESSAGE_IHAVE, &record.hash, 1);
    /* Nor what is in the news alone. */
    puppet_accusation(puppets, 1, 3, &record);
    puppet_send_record(puppets, 2, &record);
    puppet_send_hashes(puppets, 1, MESSAGE_IHAVE, &record.hash, 1);
    assert_int_equal(puppet_n_seen(puppets, 1, MESSAGE_WANT), 1);
}

/* What was refused is not asked for within two seconds, whether it had been
 * asked for or came by itself; nor later, unless it is announced again. */
static void test_refused(void **state)
{
    struct puppets *puppets = *state;

    start_quiet(puppets, 4);
    for (unsigned i = 0; i < 2; i++) {
        struct puppet_record record;
        uint64_t hash;

        /* Puppet 2 is no issuer. */
        puppet_sign(puppets, 2, RECORD_FUNCTION, "x", 1,
                    (const uint8_t *)"\x80", 1, PUPPET_WALL_MS, &record);
        hash = record.hash;
        if (i == 1) {
            puppet_send_hashes(puppets, 1, MESSAGE_IHAVE, &hash, 1);
            puppets_clear(puppets);
        }
        puppet_send_record(puppets, 1, &record);
        assert_int_equal(puppets_counters(puppets)->refused_rights, i + 1);
        puppets_run(puppets, 1999);
        puppet_send_hashes(puppets, 1, MESSAGE_IHAVE, &hash, 1);
        puppets_run(puppets, 2000);
        assert_int_equal(puppet_n_seen(puppets, 1, MESSAGE_WANT), 0);
        puppet_send_hashes(puppets, 1, MESSAGE_IHAVE, &hash, 1);
        assert_int_equal(puppet_n_seen(puppets, 1, MESSAGE_WANT), 1);
        puppets_run(puppets, 1000);
        puppets_clear(puppets);
    }
}

/* --- Telling ---------------------------------------------------------------
 */

/* News goes whole to four, two milliseconds after it came, and once; not to
 * where it came from. */
static void test_eager(void **state)
{
    struct puppets *puppets = *state;
    struct puppet_record record;
    size_t n = 0;

    start_quiet(puppets, 8);
    for (unsigned i = 0; i < 10; i++) {
        char instance[16];
        unsigned from = 1 + i % 7;

        puppets_clear(puppets);
        (void)snprintf(instance, sizeof(instance), "i%u", i); /* fits */
        puppet_service(puppets, 2, instance, PUPPET_WALL_MS, &record);
        puppet_send_record(puppets, from, &record);
        puppets_run(puppets, 1);
        for (unsigned who = 1; who < puppets->n; who++) {
            assert_int_equal(n_records_to(puppets, who), 0);
        }
        puppets_run(puppets, 1);
        assert_int_equal(n_records_to(puppets, from), 0);
        n = 0;
        for (unsigned who = 1; who < puppets->n; who++) {
            assert_true(n_records_to(puppets, who) <= 1);
            n += n_records_to(puppets, who);
        }
        /* The source may be among the four. */
        assert_in_range(n, 3, 4);
        puppets_run(puppets, 17);
    }
    assert_int_equal(puppets_counters(puppets)->records_forwarded, 7 + 10 + 1);
}

/* Twenty milliseconds after that it is announced to five, once. */
static void test_lazy(void **state)
{
    struct puppets *puppets = *state;
    uint64_t start_ms;
    size_t n = 0;

    start_quiet(puppets, 10);
    start_ms = puppets->now_ms;
    assert_int_equal(puppets_write(puppets, "a"), 0);
    puppets_run(puppets, 100);
    for (size_t i = 0; i < puppets->n_seen; i++) {
        const struct puppet_seen *seen = &puppets->seen[i];

        if (seen->message.type == MESSAGE_IHAVE) {
            assert_int_equal(seen->at_ms, start_ms + 2 + 20);
            assert_int_equal(seen->message.n_items, 1);
            n++;
        }
    }
    assert_int_equal(n, 5);
}

/* What goes along with an answer: eight at most, nothing that its receiver
 * brought, and nothing that is still to go out whole. */
static void test_with_an_answer(void **state)
{
    struct puppets *puppets = *state;
    struct puppet_record record;

    start_quiet(puppets, 30);
    for (unsigned i = 0; i < 9; i++) {
        char instance[16];

        (void)snprintf(instance, sizeof(instance), "i%u", i); /* fits */
        puppet_service(puppets, 2, instance, PUPPET_WALL_MS, &record);
        puppet_send_record(puppets, 3, &record);
    }
    ping(puppets, 4);
    assert_int_equal(puppet_n_seen(puppets, 4, MESSAGE_IHAVE), 0);
    puppets_run(puppets, 2);
    ping(puppets, 4);
    assert_int_equal(puppet_seen(puppets, 4, MESSAGE_IHAVE, 0)->message.n_items,
                     8);
    ping(puppets, 3);
    assert_int_equal(puppet_n_seen(puppets, 3, MESSAGE_IHAVE), 0);
}

/* What was told often enough is news no more: of an accusation, which is in
 * no view, nothing is left then. */
static void test_told_is_dropped(void **state)
{
    struct puppets *puppets = *state;
    struct puppet_record record;

    start_quiet(puppets, 4);
    puppet_accusation(puppets, 1, 2, &record);
    puppet_send_record(puppets, 1, &record);
    puppets_run(puppets, 10); /* it went out whole */
    puppets_clear(puppets);
    puppet_send_hashes(puppets, 1, MESSAGE_WANT, &record.hash, 1);
    assert_int_equal(n_records_to(puppets, 1), 1);
    puppets_run(puppets, 20); /* and was announced */
    puppets_clear(puppets);
    puppet_send_hashes(puppets, 1, MESSAGE_WANT, &record.hash, 1);
    assert_int_equal(n_records_to(puppets, 1), 0);
}

/* Members' news goes before other news, and does not use up its budget: four
 * packets of each go to one peer. */
static void test_budgets(void **state)
{
    struct puppets *puppets = *state;
    struct puppet_record record;
    uint8_t body[1000];
    struct writer writer = writer_init(body, sizeof(body));
    size_t n_full = 0;

    /* A map of one, as of a later release. */
    writer_u8(&writer, 0x81);
    writer_u8(&writer, 0x01);
    writer_u8(&writer, 0xc5);
    writer_u16(&writer, 660);
    for (unsigned i = 0; i < 660; i++) {
        writer_u8(&writer, 'a');
    }
    start_quiet(puppets, 12);
    for (uint8_t i = 0; i < 6; i++) {
        puppet_sign(puppets, 2, 200, &i, 1, body, writer_size(&writer),
                    PUPPET_WALL_MS, &record);
        puppet_send_record(puppets, 2, &record);
    }
    puppet_member(puppets, 3, &record);
    puppet_send_record(puppets, 2, &record);
    puppets_run(puppets, 2);
    for (unsigned who = 1; who < puppets->n; who++) {
        const struct puppet_seen *first =
            puppet_seen(puppets, who, MESSAGE_RECORD, 0);
        struct record parsed;

        if (first == NULL) {
            continue;
        }
        assert_int_equal(
            record_parse(first->bytes, first->message.size, &parsed), 0);
        assert_int_equal(parsed.kind, RECORD_MEMBER);
        /* The member record shares its packet with the first of them. */
        assert_int_equal(n_records_to(puppets, who), 1 + 4);
        n_full++;
    }
    assert_in_range(n_full, 3, 4);
}

/* Of those who hear first, the nearer ones hear a little earlier. */
static void test_near_first(void **state)
{
    struct puppets *puppets = *state;
    uint64_t rtt_us[9] = {0};

    start_quiet(puppets, ARRAY_SIZE(rtt_us));
    /* Each is measured: as far away as its number says. */
    for (unsigned n_known = 0; n_known + 1 < puppets->n;) {
        puppets_run(puppets, 1);
        assert_true(puppets->now_ms < 1000000);
        n_known = 0;
        for (unsigned who = 1; who < puppets->n; who++) {
            const struct puppet_seen *seen =
                puppet_seen(puppets, who, MESSAGE_PING, 0);

            if (seen != NULL && rtt_us[who] == 0 &&
                puppets->now_ms >= seen->at_ms + 2 * (uint64_t)who) {
                puppet_send_ping(puppets, who, MESSAGE_ACK, seen->message.nonce,
                                 node_fingerprint(puppets->node));
                rtt_us[who] = puppets_member(puppets, who).rtt_us;
            }
            n_known += rtt_us[who] != 0;
        }
    }
    for (unsigned i = 0; i < 20; i++) {
        char instance[16];
        unsigned order[16];
        size_t n = 0;

        puppets_clear(puppets);
        (void)snprintf(instance, sizeof(instance), "i%u", i); /* fits */
        assert_int_equal(puppets_write(puppets, instance), 0);
        puppets_run(puppets, 2);
        for (size_t j = 0; j < puppets->n_seen; j++) {
            if (puppets->seen[j].message.type == MESSAGE_RECORD) {
                order[n++] = puppets->seen[j].to;
                assert_true(n < ARRAY_SIZE(order));
            }
        }
        if (n == 4) {
            assert_true(rtt_us[order[0]] <= rtt_us[order[2]]);
        }
    }
}

/* Where nobody can be told yet, it is tried again a little later. */
static void test_nobody_to_tell(void **state)
{
    struct node_event start = {.type = NODE_EVENT_START};
    struct puppets *puppets = *state;
    struct puppet_record record;
    uint64_t start_ms;

    puppets_prepare(puppets, 3);
    assert_int_equal(puppets_make_node(puppets), 0);
    puppets->epoch = 1; /* of no boot */
    for (unsigned who = 1; who < puppets->n; who++) {
        puppet_member(puppets, who, &record);
        assert_int_equal(
            node_load(puppets->node, record.bytes, record.size, PUPPET_WALL_MS),
            0);
    }
    puppets_step(puppets, &start);
    while (!node_is_ready(puppets->node)) {
        puppets_run(puppets, 10);
        assert_true(puppets->now_ms < 10000);
    }
    puppets_run(puppets, 100);
    assert_int_equal(puppets_write(puppets, "a"), 0);
    puppets_run(puppets, 500);
    assert_int_equal(n_records_to(puppets, 1), 0);
    puppet_hello(puppets, 1);
    start_ms = puppets->now_ms;
    puppets_run(puppets, 110);
    assert_true(n_records_to(puppets, 1) > 0);
    assert_true(puppet_seen(puppets, 1, MESSAGE_RECORD, 0)->at_ms <=
                start_ms + 100);
}

/* --- Revocations -----------------------------------------------------------
 */

static bool is_revocation(const struct puppet_seen *seen)
{
    struct record record;

    return seen != NULL &&
           record_parse(seen->message.bytes, seen->message.size, &record) ==
               0 &&
           record.kind == RECORD_REVOCATION;
}

/* To whom the first record that was sent is one. */
static unsigned n_told_first(const struct puppets *puppets)
{
    unsigned n = 0;

    for (unsigned to = 1; to < puppets->n; to++) {
        n += is_revocation(puppet_seen(puppets, to, MESSAGE_RECORD, 0)) ? 1 : 0;
    }
    return n;
}

/* More member records than a burst has room for came before it: it is the
 * first to leave all the same. */
static void test_revocation_leaves_first(void **state)
{
    enum { MEMBERS = 40 };
    struct puppets *puppets = *state;
    struct puppet_record record;

    start_quiet(puppets, MEMBERS);
    for (unsigned from = 3; from < MEMBERS; from++) {
        puppet_member(puppets, from, &record);
        puppet_send_record(puppets, from, &record);
    }
    puppet_revoke(puppets, 1, puppets->keys[2].sign_public, false,
                  PUPPET_WALL_MS, &record);
    puppets_clear(puppets);
    puppet_send_record(puppets, 3, &record);
    puppets_run(puppets, 10);
    assert_int_equal(n_told_first(puppets), NODE_TUNING_DEFAULT.eager_peers);
}

/* More news at once than is kept: other news goes. */
static void test_revocation_is_kept(void **state)
{
    enum { MEMBERS = 6 };
    struct puppets *puppets = *state;
    struct puppet_record record;
    char instance[16];

    puppets->trusts_all = true;
    start_quiet(puppets, MEMBERS);
    puppet_revoke(puppets, 1, puppets->keys[2].sign_public, false,
                  PUPPET_WALL_MS, &record);
    puppet_send_record(puppets, 3, &record);
    for (unsigned i = 0; i < LIMIT_NEWS + 10; i++) {
        (void)snprintf(instance, sizeof(instance), "i%u", i); /* fits */
        puppet_service(puppets, 3 + i % 3, instance, PUPPET_WALL_MS, &record);
        puppet_send_record(puppets, 3 + i % 3, &record);
    }
    puppets_clear(puppets);
    puppets_run(puppets, 10);
    assert_in_range(n_told_first(puppets), 2, MEMBERS);
}

/* An issuer that offers as much as it may revokes all the same. */
static void test_revocation_is_not_counted(void **state)
{
    struct puppets *puppets = *state;
    struct puppet_record record;
    char instance[16];

    puppets->trusts_all = true;
    start_quiet(puppets, 4);
    for (unsigned i = 0; i < LIMIT_RECORDS_PER_WRITER; i++) {
        (void)snprintf(instance, sizeof(instance), "i%u", i); /* fits */
        puppet_service(puppets, 1, instance, PUPPET_WALL_MS, &record);
        puppet_send_record(puppets, 1, &record);
    }
    puppet_revoke(puppets, 1, puppets->keys[2].sign_public, false,
                  PUPPET_WALL_MS, &record);
    puppet_send_record(puppets, 1, &record);
    assert_int_equal(puppets_counters(puppets)->refused_limit, 0);
    assert_int_equal(puppets_member(puppets, 2).state, NODE_MEMBER_REMOVED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, puppets_setup, puppets_teardown)
        TEST(test_asks_five_times),
        TEST(test_came),
        TEST(test_refused),
        TEST(test_eager),
        TEST(test_lazy),
        TEST(test_with_an_answer),
        TEST(test_told_is_dropped),
        TEST(test_budgets),
        TEST(test_near_first),
        TEST(test_nobody_to_tell),
        TEST(test_revocation_leaves_first),
        TEST(test_revocation_is_kept),
        TEST(test_revocation_is_not_counted),
#undef TEST
    };

    if (sodium_init() < 0) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
