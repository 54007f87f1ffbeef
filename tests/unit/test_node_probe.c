/*
 * gossip/node/probe.c by the node's public interface, as test_node.c: when a
 * ping goes to whom, to the millisecond, and what its answers lead to.
 */
#include "tests/unit/puppet.h"

#include <stdlib.h>

/* A probe: its first ping. */
struct ping {
    unsigned who;
    uint16_t nonce;
    uint64_t at_ms;
};

static void ack(struct puppets *puppets, unsigned from, uint16_t nonce)
{
    puppet_send_ping(puppets, from, MESSAGE_ACK, nonce,
                     node_fingerprint(puppets->node));
}

/* The first probe that was begun after the last one, NULL: of those seen.
 * Time passes until there is one. */
static struct ping next_probe(struct puppets *puppets, const struct ping *last)
{
    size_t i = 0;

    for (unsigned tries = 0; tries < 100000; tries++) {
        for (; i < puppets->n_seen; i++) {
            const struct puppet_seen *seen = &puppets->seen[i];

            if (seen->message.type == MESSAGE_PING &&
                (last == NULL ||
                 (int16_t)(seen->message.nonce - last->nonce) > 0)) {
                return (struct ping){seen->to, seen->message.nonce,
                                     seen->at_ms};
            }
        }
        puppets_run(puppets, 1);
    }
    fail_msg("no probe begins");
    return (struct ping){0};
}

/* All pings of so many milliseconds are answered, after `delay_ms`; and those
 * under way then too. */
static void answer_all(struct puppets *puppets, uint64_t ms, uint64_t delay_ms)
{
    uint64_t end_ms = puppets->now_ms + ms;
    struct ping probes[256];
    size_t n = 0, n_answered = 0;

    puppets_clear(puppets);
    for (size_t i = 0; puppets->now_ms < end_ms || n_answered < n;) {
        for (; i < puppets->n_seen; i++) {
            const struct puppet_seen *seen = &puppets->seen[i];

            if (seen->message.type == MESSAGE_PING &&
                (n == 0 ||
                 (int16_t)(seen->message.nonce - probes[n - 1].nonce) > 0)) {
                assert_true(n < ARRAY_SIZE(probes));
                probes[n++] =
                    (struct ping){seen->to, seen->message.nonce, seen->at_ms};
            }
        }
        if (n_answered < n &&
            puppets->now_ms >= probes[n_answered].at_ms + delay_ms) {
            ack(puppets, probes[n_answered].who, probes[n_answered].nonce);
            n_answered++;
        } else {
            puppets_run(puppets, 1);
        }
    }
    puppets_clear(puppets);
}

/* After the probes that a member's first word leads to; so late are they
 * answered that nobody is measured. */
static void start_settled(struct puppets *puppets, unsigned n)
{
    struct puppet_record record;

    puppets_start(puppets, n);
    answer_all(puppets, 1500, 600);
    /* One may have begun before anything was seen, and failed. */
    for (unsigned who = 1; who < n; who++) {
        puppet_member(puppets, who, &record);
        puppet_send_record(puppets, who, &record);
    }
    answer_all(puppets, 3000, 600);
    for (unsigned who = 1; who < n; who++) {
        struct node_member member = puppets_member(puppets, who);

        assert_int_equal(member.state, NODE_MEMBER_ALIVE);
        assert_int_equal(member.rtt_us, 0);
        assert_true(member.is_reachable);
    }
}

static void answer_after(struct puppets *puppets, const struct ping *probe,
                         uint64_t ms)
{
    puppets_run(puppets, probe->at_ms + ms - puppets->now_ms);
    ack(puppets, probe->who, probe->nonce);
}

/* The pings of a probe nobody answers come at these times after its begin,
 * and it fails after an interval. */
static void check_tries(struct puppets *puppets, const struct ping *probe,
                        const uint64_t *offsets, size_t n)
{
    size_t n_found = 0;

    puppets_run(puppets, probe->at_ms + 999 - puppets->now_ms);
    for (size_t i = 0; i < puppets->n_seen; i++) {
        const struct puppet_seen *seen = &puppets->seen[i];

        if (seen->message.type == MESSAGE_PING &&
            seen->message.nonce == probe->nonce) {
            assert_int_equal(seen->to, probe->who);
            assert_true(n_found < n);
            assert_int_equal(seen->at_ms - probe->at_ms, offsets[n_found++]);
        }
    }
    assert_int_equal(n_found, n);
    assert_true(puppets_member(puppets, probe->who).is_reachable);
    puppets_run(puppets, 1);
    assert_false(puppets_member(puppets, probe->who).is_reachable);
    assert_int_equal(puppets_member(puppets, probe->who).state,
                     NODE_MEMBER_SUSPECT);
}

/* Before anybody was measured. */
static void test_tries_unmeasured(void **state)
{
    static const uint64_t offsets[] = {0, 500};
    struct puppets *puppets = *state;
    struct ping probe;

    start_settled(puppets, 2);
    probe = next_probe(puppets, NULL);
    check_tries(puppets, &probe, offsets, ARRAY_SIZE(offsets));
}

/* Round-trip times lead to the times of the next tries: RFC 6298 section 2,
 * and doubled distances. */
static void check_measured(struct puppets *puppets, const uint64_t *samples,
                           size_t n_samples, uint32_t rtt_us,
                           const uint64_t *offsets, size_t n)
{
    struct ping probe = {0};

    start_settled(puppets, 2);
    for (size_t i = 0; i < n_samples; i++) {
        probe = next_probe(puppets, i == 0 ? NULL : &probe);
        answer_after(puppets, &probe, samples[i]);
    }
    assert_int_equal(puppets_member(puppets, 1).rtt_us, rtt_us);
    probe = next_probe(puppets, &probe);
    check_tries(puppets, &probe, offsets, n);
}

static void test_tries_after_one(void **state)
{
    static const uint64_t samples[] = {40};
    static const uint64_t offsets[] = {0, 121, 363, 847};

    check_measured(*state, samples, 1, 40000, offsets, 4);
}

static void test_tries_after_slower(void **state)
{
    static const uint64_t samples[] = {40, 80};
    static const uint64_t offsets[] = {0, 146, 438};

    check_measured(*state, samples, 2, 45000, offsets, 3);
}

static void test_tries_after_faster(void **state)
{
    /* Both are (7 * 40 + 24) / 8 and (3 * 20 + 16) / 4. */
    static const uint64_t samples[] = {40, 24};
    static const uint64_t offsets[] = {0, 115, 345, 805};

    check_measured(*state, samples, 2, 38000, offsets, 4);
}

/* An answer to the last try is just in time. */
static void test_tries_to_the_end(void **state)
{
    static const uint64_t samples[] = {83};
    static const uint64_t offsets[] = {0, 250, 750};

    check_measured(*state, samples, 1, 83000, offsets, 3);
}

/* Below the clock's tick half of one is assumed, and 20 ms are waited. */
static void test_tries_when_near(void **state)
{
    static const uint64_t samples[] = {0};
    static const uint64_t offsets[] = {0, 20, 60, 140, 300, 620};

    check_measured(*state, samples, 1, 500, offsets, 6);
}

/* At most the tuning's time is waited. */
static void test_tries_when_far(void **state)
{
    static const uint64_t samples[] = {400};
    static const uint64_t offsets[] = {0, 500};

    check_measured(*state, samples, 1, 400000, offsets, 2);
}

/* Who was not measured is taken for what is usual here. */
static void test_tries_of_another(void **state)
{
    static const uint64_t offsets[] = {0, 121, 363, 847};
    struct puppets *puppets = *state;
    struct ping probe;
    unsigned first;

    start_settled(puppets, 3);
    probe = next_probe(puppets, NULL);
    first = probe.who;
    answer_after(puppets, &probe, 40);
    while (probe.who == first) {
        ack(puppets, first, probe.nonce); /* not measured twice */
        probe = next_probe(puppets, &probe);
    }
    assert_int_not_equal(probe.who, first);
    check_tries(puppets, &probe, offsets, ARRAY_SIZE(offsets));
}

/* Karn's rule: after a second try the time means nothing. */
static void test_second_try_is_not_measured(void **state)
{
    struct puppets *puppets = *state;
    struct ping probe;

    start_settled(puppets, 2);
    probe = next_probe(puppets, NULL);
    answer_after(puppets, &probe, 600);
    assert_int_equal(puppets_member(puppets, 1).rtt_us, 0);
    assert_true(puppets_member(puppets, 1).is_reachable);
    puppets_run(puppets, 300);
    assert_int_equal(puppets_counters(puppets)->probes_failed, 0);
}

/* Whatever a sleep of ours made of it, a minute is the most. */
static void test_late_answer(void **state)
{
    struct puppets *puppets = *state;
    struct ping probe;

    start_settled(puppets, 2);
    probe = next_probe(puppets, NULL);
    puppets->now_ms += 5000000;
    ack(puppets, 1, probe.nonce);
    assert_int_equal(puppets_member(puppets, 1).rtt_us, 60000000);
}

/* --- Helpers ---------------------------------------------------------------
 */

/* Helpers are asked with the second try, each once. */
static void test_helpers(void **state)
{
    struct puppets *puppets = *state;
    struct ping probe;
    uint64_t n_before;
    size_t n = 0;

    start_settled(puppets, 7);
    probe = next_probe(puppets, NULL);
    n_before = puppets_counters(puppets)->probes_indirect;
    puppets_run(puppets, 499);
    assert_int_equal(puppets_counters(puppets)->probes_indirect, n_before);
    puppets_run(puppets, 490);
    for (size_t i = 0; i < puppets->n_seen; i++) {
        const struct puppet_seen *seen = &puppets->seen[i];

        if (seen->message.type == MESSAGE_PING_REQ) {
            assert_int_equal(seen->at_ms, probe.at_ms + 500);
            assert_int_not_equal(seen->to, probe.who);
            assert_int_equal(seen->message.nonce, probe.nonce);
            assert_int_equal(
                seen->message.target_id,
                record_node_id(puppets->keys[probe.who].sign_public));
            n++;
        }
    }
    assert_int_equal(n, NODE_TUNING_DEFAULT.indirect_probes);
    assert_int_equal(puppets_counters(puppets)->probes_indirect, n_before + n);
}

/* Who was not asked answers for nobody. */
static void test_unasked_answer(void **state)
{
    struct puppets *puppets = *state;
    struct ping probe;

    start_settled(puppets, 3);
    probe = next_probe(puppets, NULL);
    ack(puppets, 3 - probe.who, probe.nonce);
    puppets_run(puppets, 1000);
    assert_false(puppets_member(puppets, probe.who).is_reachable);
}

/* Milliseconds from a failed probe to the second one after it. */
static uint64_t gap_after(struct puppets *puppets, bool has_nack, bool is_good)
{
    uint8_t payload[64];
    struct writer writer = writer_init(payload, sizeof(payload));
    struct ping probe;
    struct ping next;

    start_settled(puppets, 3);
    probe = next_probe(puppets, NULL);
    if (has_nack) {
        puppets_run(puppets, 900);
        message_put_nack(&writer,
                         is_good ? probe.nonce : (uint16_t)(probe.nonce ^ 1));
        puppet_send(puppets, 3 - probe.who, &writer);
    }
    next = next_probe(puppets, &probe); /* as the first one fails */
    assert_int_equal(next.at_ms - probe.at_ms, 1000);
    ack(puppets, next.who, next.nonce);
    ack(puppets, next.who, next.nonce);
    next = next_probe(puppets, &next);
    return next.at_ms - probe.at_ms;
}

/* Silent helpers make the node doubt itself: it probes more slowly. */
static void test_silent_helpers(void **state)
{
    assert_int_equal(gap_after(*state, false, false), 3000);
}

static void test_helper_who_lives(void **state)
{
    assert_int_equal(gap_after(*state, true, true), 2000);
}

static void test_nack_of_another(void **state)
{
    assert_int_equal(gap_after(*state, true, false), 3000);
}

/* It answers, and refutes what it is accused of. */
static void come_back(struct puppets *puppets, const struct ping *probe)
{
    struct puppet_record record;

    ack(puppets, probe->who, probe->nonce);
    puppet_member(puppets, probe->who, &record);
    puppet_send_record(puppets, probe->who, &record);
}

/* When all fail, nine intervals lie between probes in the end; each answer
 * takes one off. */
static void test_health(void **state)
{
    struct puppets *puppets = *state;
    struct ping probe;

    /* So many that one accuser is not enough: nobody dies. */
    start_settled(puppets, 6);
    probe = next_probe(puppets, NULL);
    for (unsigned i = 0; i < 12; i++) {
        probe = next_probe(puppets, &probe);
    }
    come_back(puppets, &probe);
    for (uint64_t n = 9; n >= 1; n--) {
        struct ping next = next_probe(puppets, &probe);

        assert_int_equal(next.at_ms - probe.at_ms, n * 1000);
        come_back(puppets, &next);
        probe = next;
    }
}

/* --- For others ------------------------------------------------------------
 */

static void request(struct puppets *puppets, unsigned from, uint16_t nonce,
                    uint64_t target_id)
{
    uint8_t payload[64];
    struct writer writer = writer_init(payload, sizeof(payload));

    message_put_ping_req(&writer, nonce, target_id, 99);
    puppets_clear(puppets);
    puppet_send(puppets, from, &writer);
}

static uint64_t id_of(const struct puppets *puppets, unsigned who)
{
    return record_node_id(puppets->keys[who].sign_public);
}

/* Who asks hears after four fifths of a probe's time that nothing came. */
static void test_nack(void **state)
{
    struct puppets *puppets = *state;
    const struct puppet_seen *nack;

    puppets_start(puppets, 4);
    request(puppets, 1, 777, id_of(puppets, 2));
    assert_int_equal(puppet_n_seen(puppets, 2, MESSAGE_PING), 1);
    assert_int_not_equal(
        puppet_seen(puppets, 2, MESSAGE_PING, 0)->message.nonce, 777);
    puppets_run(puppets, 399);
    assert_int_equal(puppet_n_seen(puppets, 1, MESSAGE_NACK), 0);
    puppets_run(puppets, 1);
    nack = puppet_seen(puppets, 1, MESSAGE_NACK, 0);
    assert_non_null(nack);
    assert_int_equal(nack->message.nonce, 777);
    puppets_run(puppets, 2000);
    assert_int_equal(puppet_n_seen(puppets, 1, MESSAGE_NACK), 1);
}

/* An answer that was passed on is the end of it. */
static void test_no_nack_after_ack(void **state)
{
    struct puppets *puppets = *state;
    uint8_t proof[PACKET_PROOF_SIZE];
    const struct puppet_seen *seen;

    puppets_start(puppets, 4);
    request(puppets, 1, 777, id_of(puppets, 2));
    seen = puppet_seen(puppets, 2, MESSAGE_PING, 0);
    puppet_prove(puppets, 2, 1, 99, proof);
    puppet_send_proof(puppets, 2, seen->message.nonce, proof);
    seen = puppet_seen(puppets, 1, MESSAGE_ACK, 0);
    assert_non_null(seen);
    assert_int_equal(seen->message.nonce, 777);
    assert_int_equal(seen->message.fingerprint,
                     node_fingerprint(puppets->node));
    puppets_run(puppets, 1000);
    assert_int_equal(puppet_n_seen(puppets, 1, MESSAGE_NACK), 0);
}

/* Nobody asks for itself, for us, or for a stranger. */
static void test_bad_requests(void **state)
{
    struct puppets *puppets = *state;
    uint64_t ids[3];

    puppets_start(puppets, 4);
    ids[0] = id_of(puppets, 1);
    ids[1] = id_of(puppets, 0);
    ids[2] = 12345;
    for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
        request(puppets, 1, 777, ids[i]);
        assert_int_equal(puppets->n_packets, 0);
    }
    puppets_run(puppets, 450);
    assert_int_equal(puppet_n_seen(puppets, 1, MESSAGE_NACK), 0);
}

/* --- Whom ------------------------------------------------------------------
 */

/* Pings from it; whether a packet with a record alone comes back. */
static bool is_nudged(struct puppets *puppets, unsigned who)
{
    bool is_found = false;

    puppets_clear(puppets);
    puppet_send_ping(puppets, who, MESSAGE_PING, 1,
                     node_fingerprint(puppets->node));
    for (size_t i = 0; i < puppets->n_seen; i++) {
        size_t n = 0;

        for (size_t j = 0; j < puppets->n_seen; j++) {
            n += puppets->seen[j].packet == puppets->seen[i].packet;
        }
        is_found =
            is_found || (puppets->seen[i].to == who && n == 1 &&
                         puppets->seen[i].message.type == MESSAGE_RECORD);
    }
    return is_found;
}

/* A suspect is told of it once in an interval. */
static void test_nudges(void **state)
{
    struct puppets *puppets = *state;
    struct puppet_record record;

    start_settled(puppets, 4);
    assert_false(is_nudged(puppets, 2));
    puppet_accusation(puppets, 1, 2, &record);
    puppet_send_record(puppets, 1, &record);
    answer_all(puppets, 500, 1);
    assert_true(is_nudged(puppets, 2));
    puppets->now_ms += 999;
    assert_false(is_nudged(puppets, 2));
    puppets->now_ms++;
    assert_true(is_nudged(puppets, 2));
}

/* One held for dead is told as well. */
static void test_dead_is_nudged(void **state)
{
    struct puppets *puppets = *state;

    start_settled(puppets, 2);
    while (puppets_member(puppets, 1).state != NODE_MEMBER_DEAD) {
        puppets_run(puppets, 100);
        assert_true(puppets->now_ms < 100000);
    }
    puppets_run(puppets, 2000);
    assert_true(is_nudged(puppets, 1));
    assert_false(is_nudged(puppets, 1));
}

/* Starts the node among so many who said hello and nothing else. */
static void start_unknown(struct puppets *puppets, unsigned n)
{
    struct node_event start = {.type = NODE_EVENT_START};

    puppets_prepare(puppets, n);
    assert_int_equal(puppets_make_node(puppets), 0);
    puppets_step(puppets, &start);
    puppets_run(puppets, 2000);
    assert_true(node_is_ready(puppets->node));
    for (unsigned i = 1; i < n; i++) {
        puppet_hello(puppets, i);
    }
    puppets_clear(puppets);
}

/* Who is down is tried one at a time, twice, and sooner when they are few. */
static void check_down(struct puppets *puppets, unsigned n,
                       uint64_t interval_ms)
{
    unsigned counts[8] = {0};
    struct ping last;

    start_unknown(puppets, n + 1);
    last = next_probe(puppets, NULL);
    for (unsigned i = 0; i < 24; i++) {
        struct ping probe = next_probe(puppets, &last);
        unsigned n_pings = 0;

        for (size_t j = 0; j < puppets->n_seen; j++) {
            if (puppets->seen[j].message.type == MESSAGE_PING &&
                puppets->seen[j].message.nonce == last.nonce) {
                assert_int_equal(puppets->seen[j].at_ms,
                                 last.at_ms + (n_pings++ == 0 ? 0 : 500));
            }
        }
        assert_int_equal(n_pings, 2);
        assert_int_equal(probe.at_ms - last.at_ms, interval_ms);
        counts[probe.who]++;
        last = probe;
    }
    assert_int_equal(puppets_counters(puppets)->probes_indirect, 0);
    for (unsigned who = 1; who <= n; who++) {
        assert_true(counts[who] > 0);
    }
}

static void test_few_down(void **state)
{
    check_down(*state, 4, 2000);
}

static void test_more_down(void **state)
{
    check_down(*state, 5, 5000);
}

static void send_pause(struct puppets *puppets, unsigned from, uint32_t pause_s)
{
    struct body_member body = {.state = BODY_MEMBER_PAUSED,
                               .pause_s = pause_s,
                               .version = "puppet",
                               .protocol_min = 1,
                               .protocol_max = 1};
    struct puppet_record record;
    uint8_t packed[128];
    size_t size = 0;

    assert_int_equal(body_put_member(&body, packed, sizeof(packed), &size), 0);
    puppet_sign(puppets, from, RECORD_MEMBER, NULL, 0, packed, size,
                PUPPET_WALL_MS, &record);
    puppet_send_record(puppets, from, &record);
}

/* Who paused is left alone for as long as it said, at most a minute. */
static void check_pause(struct puppets *puppets, uint32_t pause_s,
                        uint64_t expected_ms)
{
    uint64_t paused_ms;
    struct ping probe;

    puppets_start(puppets, 2);
    paused_ms = puppets->now_ms;
    send_pause(puppets, 1, pause_s);
    assert_int_equal(puppets_member(puppets, 1).state, NODE_MEMBER_PAUSED);
    probe = next_probe(puppets, NULL);
    /* A round may pass in between. */
    assert_in_range(probe.at_ms, paused_ms + expected_ms,
                    paused_ms + expected_ms + 1999);
    puppets_run(puppets, 1000);
    assert_int_equal(puppets_member(puppets, 1).state, NODE_MEMBER_SUSPECT);
}

static void test_short_pause(void **state)
{
    check_pause(*state, 7, 7000);
}

static void test_long_pause(void **state)
{
    check_pause(*state, 61, 60000);
}

/* A paused member that does not come is not suspected before. */
static void test_accused_while_paused(void **state)
{
    struct puppets *puppets = *state;
    struct puppet_record record;

    puppets_start(puppets, 4);
    send_pause(puppets, 2, 7);
    puppets_run(puppets, 6999);
    puppet_accusation(puppets, 1, 2, &record);
    puppet_send_record(puppets, 1, &record);
    assert_int_equal(puppets_member(puppets, 2).state, NODE_MEMBER_PAUSED);
    puppets_run(puppets, 1);
    puppet_accusation(puppets, 3, 2, &record);
    puppet_send_record(puppets, 3, &record);
    assert_int_equal(puppets_member(puppets, 2).state, NODE_MEMBER_SUSPECT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, puppets_setup, puppets_teardown)
        TEST(test_tries_unmeasured),
        TEST(test_tries_after_one),
        TEST(test_tries_after_slower),
        TEST(test_tries_after_faster),
        TEST(test_tries_to_the_end),
        TEST(test_tries_when_near),
        TEST(test_tries_when_far),
        TEST(test_tries_of_another),
        TEST(test_second_try_is_not_measured),
        TEST(test_late_answer),
        TEST(test_helpers),
        TEST(test_unasked_answer),
        TEST(test_silent_helpers),
        TEST(test_helper_who_lives),
        TEST(test_nack_of_another),
        TEST(test_health),
        TEST(test_nack),
        TEST(test_no_nack_after_ack),
        TEST(test_bad_requests),
        TEST(test_nudges),
        TEST(test_dead_is_nudged),
        TEST(test_few_down),
        TEST(test_more_down),
        TEST(test_short_pause),
        TEST(test_long_pause),
        TEST(test_accused_while_paused),
#undef TEST
    };

    if (sodium_init() < 0) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
