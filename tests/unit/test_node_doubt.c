/*
 * gossip/node/suspicion.c, rights.c and transport.c by the node's public
 * interface, as test_node.c: when a suspect is dead, which accusations count,
 * and under which name each refusal is counted.
 */
#include "tests/unit/puppet.h"

#include <stdlib.h>

static enum node_member_state state_of(const struct puppets *puppets,
                                       unsigned who)
{
    return puppets_member(puppets, who).state;
}

static void send_accusation(struct puppets *puppets, unsigned from,
                            unsigned accused)
{
    struct puppet_record record;

    puppet_accusation(puppets, from, accused, &record);
    puppet_send_record(puppets, from, &record);
}

static void refute(struct puppets *puppets, unsigned who)
{
    struct puppet_record record;

    puppet_member(puppets, who, &record);
    puppet_send_record(puppets, who, &record);
}

/* Lets time pass; all but one answer their pings at once. */
static void run_without(struct puppets *puppets, uint64_t ms, unsigned silent)
{
    uint64_t end_ms = puppets->now_ms + ms;

    while (puppets->now_ms < end_ms) {
        puppets_clear(puppets);
        puppets_run(puppets, 1);
        for (size_t i = 0; i < puppets->n_seen; i++) {
            const struct puppet_seen *seen = &puppets->seen[i];

            if (seen->message.type == MESSAGE_PING && seen->to != silent) {
                puppet_send_ping(puppets, seen->to, MESSAGE_ACK,
                                 seen->message.nonce,
                                 node_fingerprint(puppets->node));
            }
        }
    }
}

/* All alive, their first probes over. */
static void start_calm(struct puppets *puppets, unsigned n)
{
    puppets_start(puppets, n);
    run_without(puppets, 2500, 0);
    for (unsigned who = 1; who < n; who++) {
        refute(puppets, who);
    }
    run_without(puppets, 2500, 0);
    for (unsigned who = 1; who < n; who++) {
        assert_int_equal(state_of(puppets, who), NODE_MEMBER_ALIVE);
        assert_true(puppets_member(puppets, who).is_reachable);
    }
}

/* How long it is a suspect, when only it is silent from now on. */
static uint64_t suspected_ms(struct puppets *puppets, unsigned silent)
{
    uint64_t since_ms;

    for (unsigned i = 0; state_of(puppets, silent) != NODE_MEMBER_SUSPECT;
         i++) {
        assert_true(i < 100000);
        run_without(puppets, 1, silent);
    }
    since_ms = puppets_member(puppets, silent).state_since_ms;
    for (unsigned i = 0; state_of(puppets, silent) == NODE_MEMBER_SUSPECT;
         i++) {
        assert_true(i < 100000);
        run_without(puppets, 1, silent);
    }
    assert_int_equal(state_of(puppets, silent), NODE_MEMBER_DEAD);
    return puppets_member(puppets, silent).state_since_ms - since_ms;
}

/* --- The time of a suspicion -----------------------------------------------
 */

/* With nobody's word but ours: twelve intervals. */
static void test_one_voice(void **state)
{
    start_calm(*state, 2);
    assert_int_equal(suspected_ms(*state, 1), 12000);
}

/* Somebody else's word and our probe: two intervals, however many say so. */
static void test_two_voices(void **state)
{
    struct puppets *puppets = *state;

    start_calm(puppets, 3);
    send_accusation(puppets, 1, 2);
    assert_int_equal(suspected_ms(puppets, 2), 2000);
}

/* The time grows with the logarithm of the members' number. */
static void test_many_members(void **state)
{
    struct puppets *puppets = *state;

    start_calm(puppets, 20);
    send_accusation(puppets, 1, 2);
    send_accusation(puppets, 3, 2);
    assert_int_equal(suspected_ms(puppets, 2), 2602);
}

/* From four members on one accuser is not enough, nor two without a failed
 * probe of our own. */
static void test_enough_accusers(void **state)
{
    struct puppets *puppets = *state;

    start_calm(puppets, 4);
    run_without(puppets, 30000, 2);
    assert_int_equal(state_of(puppets, 2), NODE_MEMBER_SUSPECT);
    send_accusation(puppets, 1, 2);
    run_without(puppets, 1100, 2);
    assert_int_equal(state_of(puppets, 2), NODE_MEMBER_DEAD);
}

static void test_answering_suspect(void **state)
{
    struct puppets *puppets = *state;

    start_calm(puppets, 5);
    send_accusation(puppets, 1, 2);
    send_accusation(puppets, 3, 2);
    send_accusation(puppets, 4, 2);
    run_without(puppets, 30000, 0);
    assert_int_equal(state_of(puppets, 2), NODE_MEMBER_SUSPECT);
    assert_int_equal(puppets_counters(puppets)->suspicions, 1);
    refute(puppets, 2);
    assert_int_equal(state_of(puppets, 2), NODE_MEMBER_ALIVE);
}

/* --- Cut off ---------------------------------------------------------------
 */

/* When three of ten are suspected, or of eight, it may be us. */
static void test_cut_off_share(void **state)
{
    struct puppets *puppets = *state;

    puppets_start(puppets, 10);
    for (unsigned who = 2; who <= 4; who++) {
        assert_false(node_is_cut_off(puppets->node));
        send_accusation(puppets, 1, who);
    }
    assert_true(node_is_cut_off(puppets->node));
}

static void test_cut_off_number(void **state)
{
    struct puppets *puppets = *state;

    puppets_start(puppets, 7);
    for (unsigned who = 2; who < 7; who++) {
        send_accusation(puppets, 1, who);
    }
    assert_false(node_is_cut_off(puppets->node));
    puppets_end(puppets);
    puppets_start(puppets, 8);
    for (unsigned who = 2; who <= 4; who++) {
        send_accusation(puppets, 1, who);
    }
    assert_true(node_is_cut_off(puppets->node));
}

/* So many are pinged within a quarter of an interval after one fails. */
static size_t n_looked_at(struct puppets *puppets, unsigned n)
{
    bool is_pinged[PUPPET_MAX] = {false};
    size_t n_pinged = 0;

    start_calm(puppets, n);
    for (unsigned i = 0; puppets_member(puppets, 1).is_reachable; i++) {
        assert_true(i < 100000);
        run_without(puppets, 1, 1);
    }
    for (unsigned ms = 0; ms < 250; ms++) {
        run_without(puppets, 1, 1);
        for (size_t i = 0; i < puppets->n_seen; i++) {
            if (puppets->seen[i].message.type == MESSAGE_PING &&
                puppets->seen[i].to != 1) {
                is_pinged[puppets->seen[i].to] = true;
            }
        }
    }
    for (unsigned who = 0; who < n; who++) {
        n_pinged += is_pinged[who];
    }
    puppets_end(puppets);
    return n_pinged;
}

static void test_looks_around(void **state)
{
    struct puppets *puppets = *state;

    assert_true(n_looked_at(puppets, 8) >= 5); /* one at once */
    assert_true(n_looked_at(puppets, 7) <= 1); /* in turn */
}

/* --- Accusations -----------------------------------------------------------
 */

/* Who is accused is probed out of turn. */
static void test_accused_is_probed(void **state)
{
    struct puppets *puppets = *state;
    size_t n = 0;

    start_calm(puppets, 20);
    send_accusation(puppets, 1, 2);
    for (unsigned ms = 0; ms < 500; ms++) {
        run_without(puppets, 1, 0);
        n += puppet_n_seen(puppets, 2, MESSAGE_PING);
    }
    assert_true(n >= 1);
}

/* Who passes on what was refuted is told so; of what is not known yet nothing
 * is told. */
static void test_old_accusation(void **state)
{
    struct puppets *puppets = *state;
    struct puppet_record old;
    struct puppet_record record;

    puppets_start(puppets, 5);
    puppets_run(puppets, 100);
    puppet_accusation(puppets, 1, 2, &old);
    refute(puppets, 2);
    puppets_run(puppets, 100);
    puppets_clear(puppets);
    puppet_send_record(puppets, 3, &old);
    assert_int_equal(puppet_n_seen(puppets, 3, MESSAGE_RECORD), 1);
    assert_int_equal(puppets_counters(puppets)->refused_old, 1);
    assert_int_equal(state_of(puppets, 2), NODE_MEMBER_ALIVE);
    {
        struct body_accusation body = {
            .incarnation = puppets_member(puppets, 2).incarnation};
        uint8_t packed[64];
        size_t size = 0;

        body.incarnation.seq += 1000;
        assert_int_equal(
            body_put_accusation(&body, packed, sizeof(packed), &size), 0);
        puppet_sign(puppets, 4, RECORD_ACCUSATION, puppets->keys[2].sign_public,
                    32, packed, size, PUPPET_WALL_MS, &record);
    }
    puppets_clear(puppets);
    puppet_send_record(puppets, 4, &record);
    assert_int_equal(puppet_n_seen(puppets, 4, MESSAGE_RECORD), 0);
    assert_int_equal(puppets_counters(puppets)->refused_old, 2);
}

static void sign_accusation_of(struct puppets *puppets, unsigned from,
                               const uint8_t *key, size_t key_size,
                               struct puppet_record *ret)
{
    struct body_accusation body = {.incarnation =
                                       puppets_member(puppets, 2).incarnation};
    uint8_t packed[64];
    size_t size = 0;

    assert_int_equal(body_put_accusation(&body, packed, sizeof(packed), &size),
                     0);
    puppet_sign(puppets, from, RECORD_ACCUSATION, key, key_size, packed, size,
                PUPPET_WALL_MS, ret);
}

/* Of a stranger, of a root, by oneself, by a stranger, of another cluster. */
static void test_bad_accusations(void **state)
{
    struct puppets *puppets = *state;
    struct puppet_record record;
    uint8_t stranger[32] = {1};
    const struct node_counters *counters;
    uint64_t n_accepted, n_known;

    puppets_start(puppets, 4);
    counters = puppets_counters(puppets);
    n_accepted = counters->records_accepted;
    sign_accusation_of(puppets, 1, stranger, 32, &record);
    puppet_send_record(puppets, 1, &record);
    assert_int_equal(counters->refused_body, 1);
    sign_accusation_of(puppets, 1, puppets->root.sign_public, 32, &record);
    puppet_send_record(puppets, 1, &record);
    assert_int_equal(counters->refused_body, 2);
    sign_accusation_of(puppets, 2, puppets->keys[2].sign_public, 32, &record);
    puppet_send_record(puppets, 1, &record);
    assert_int_equal(counters->refused_body, 3);
    sign_accusation_of(puppets, 1, puppets->keys[2].sign_public, 31, &record);
    puppet_send_record(puppets, 1, &record);
    assert_int_equal(counters->records_accepted, n_accepted);
    sign_accusation_of(puppets, PUPPET_ROOT, puppets->keys[2].sign_public, 32,
                       &record);
    puppet_send_record(puppets, 1, &record);
    assert_int_equal(counters->refused_rights, 1);
    assert_int_equal(counters->refused_writer, 0);
    sign_accusation_of(puppets, 1, puppets->keys[2].sign_public, 32, &record);
    record.bytes[40] ^= 0xff; /* another writer */
    puppet_send_record(puppets, 1, &record);
    assert_int_equal(counters->refused_writer + counters->refused_cluster, 1);
    assert_int_equal(state_of(puppets, 2), NODE_MEMBER_ALIVE);
    /* Twice the same, and by the same once more. */
    sign_accusation_of(puppets, 1, puppets->keys[2].sign_public, 32, &record);
    puppet_send_record(puppets, 1, &record);
    n_known = counters->records_known;
    puppet_send_record(puppets, 3, &record);
    assert_int_equal(counters->records_known, n_known + 1);
    assert_int_equal(counters->suspicions, 1);
    assert_int_equal(state_of(puppets, 2), NODE_MEMBER_SUSPECT);
}

/* --- Who may what ----------------------------------------------------------
 */

/* An issuer that is no root makes members only. */
static void test_issuer_makes_no_issuers(void **state)
{
    struct puppets *puppets = *state;
    struct support_keys keys = support_keys_make(150);
    struct body_certificate body = {
        .n_mesh = 1,
        .mesh = {{.address = {4, {10, 9, 0, 151}}, .port = 7720}},
        .roles = BODY_ROLE_MEMBER,
        .not_before_s = 1577836800,
        .not_after_s = 2208988800,
        .generation = 1,
        .serial = 151,
        .name = "n150"};
    const struct node_counters *counters;
    struct puppet_record record;
    uint8_t packed[LIMIT_RECORD_SIZE];
    size_t size = 0;

    puppets_start(puppets, 3);
    counters = puppets_counters(puppets);
    memcpy(body.sign_public, keys.sign_public, 32);
    memcpy(body.exchange_public, keys.exchange_public, 32);
    body.roles |= BODY_ROLE_ISSUER;
    assert_int_equal(body_put_certificate(&body, packed, sizeof(packed), &size),
                     0);
    puppet_sign(puppets, 1, RECORD_CERTIFICATE, body.sign_public, 32, packed,
                size, PUPPET_WALL_MS, &record);
    puppet_send_record(puppets, 1, &record);
    assert_int_equal(counters->refused_rights, 1);
    body.roles = BODY_ROLE_MEMBER;
    assert_int_equal(body_put_certificate(&body, packed, sizeof(packed), &size),
                     0);
    puppet_sign(puppets, 2, RECORD_CERTIFICATE, body.sign_public, 32, packed,
                size, PUPPET_WALL_MS, &record);
    puppet_send_record(puppets, 2, &record);
    assert_int_equal(counters->refused_writer, 1);
    puppet_sign(puppets, 1, RECORD_CERTIFICATE, body.sign_public, 32, packed,
                size, PUPPET_WALL_MS, &record);
    puppet_send_record(puppets, 2, &record);
    assert_int_equal(counters->refused_rights, 1);
    assert_int_equal(counters->refused_writer, 1);
    {
        struct node_member member;

        assert_true(node_member_find(puppets->node, keys.sign_public, &member));
        assert_int_equal(member.state, NODE_MEMBER_UNKNOWN);
        assert_false(member.is_heard);
        assert_int_equal(member.state_since_ms, puppets->now_ms);
    }
}

/* A newer record of the same writer replaces its older one, even if it says
 * less.  Of two writers: test_node_admission.c. */
static void test_certificate_is_replaced(void **state)
{
    struct puppets *puppets = *state;
    struct record parsed;
    struct body_certificate body;
    struct puppet_record record;
    uint8_t packed[LIMIT_RECORD_SIZE];
    size_t size = 0;

    puppets_start(puppets, 3);
    assert_int_equal(record_parse(puppets->certificates[2].bytes,
                                  puppets->certificates[2].size, &parsed),
                     0);
    assert_int_equal(body_get_certificate(&parsed, &body), 0);
    body.generation = 0;
    body.subnets[0].len = 25;
    assert_int_equal(body_put_certificate(&body, packed, sizeof(packed), &size),
                     0);
    puppet_sign(puppets, PUPPET_ROOT, RECORD_CERTIFICATE, body.sign_public, 32,
                packed, size, PUPPET_WALL_MS, &record);
    puppet_send_record(puppets, 1, &record);
    assert_int_equal(puppets_member(puppets, 2).certificate->subnets[0].len,
                     25);
}

/* --- Packets ---------------------------------------------------------------
 */

static void receive(struct puppets *puppets, const uint8_t *bytes, size_t size,
                    unsigned from)
{
    struct node_event event = {
        .type = NODE_EVENT_DATAGRAM,
        .from = {.address = {4, {10, 9, 0, (uint8_t)(from + 1)}}, .port = 7720},
        .bytes = bytes,
        .size = size};

    puppets_step(puppets, &event);
}

/* What arrives and leaves is counted, and what is dropped, by its reason. */
static void test_counted_packets(void **state)
{
    struct puppets *puppets = *state;
    struct node_counters before;
    const struct node_counters *now;
    uint8_t noise[200] = {0};

    puppets_start(puppets, 3);
    now = puppets_counters(puppets);
    before = *now;
    receive(puppets, noise, 3, 1);
    assert_int_equal(now->dropped_size, before.dropped_size + 1);
    assert_int_equal(now->datagrams_in, before.datagrams_in + 1);
    assert_int_equal(now->bytes_in, before.bytes_in + 3);
    receive(puppets, noise, sizeof(noise), 1);
    assert_int_equal(now->dropped_version + now->dropped_type +
                         now->dropped_size,
                     before.dropped_size + 2);
    assert_int_equal(now->bytes_in, before.bytes_in + 3 + sizeof(noise));
    before = *now;
    puppet_send_ping(puppets, 1, MESSAGE_PING, 1,
                     node_fingerprint(puppets->node));
    assert_int_equal(now->datagrams_in, before.datagrams_in + 1);
    assert_true(now->datagrams_out > before.datagrams_out);
    assert_true(now->bytes_out > before.bytes_out + 20);
    puppets->counters[1]--;
    puppet_send_ping(puppets, 1, MESSAGE_PING, 1,
                     node_fingerprint(puppets->node));
    assert_int_equal(now->dropped_replay, before.dropped_replay + 1);
}

/* Messages up to the first bad one are taken. */
static void test_bad_message(void **state)
{
    struct puppets *puppets = *state;
    uint8_t payload[64];
    struct writer writer = writer_init(payload, sizeof(payload));
    uint64_t n_dropped;

    puppets_start(puppets, 3);
    n_dropped = puppets_counters(puppets)->dropped_message;
    message_put_ping(&writer, MESSAGE_PING, 7, node_fingerprint(puppets->node));
    writer_u8(&writer, 99);
    writer_u16(&writer, 0);
    message_put_ping(&writer, MESSAGE_PING, 8, node_fingerprint(puppets->node));
    puppets_clear(puppets);
    puppet_send(puppets, 1, &writer);
    assert_int_equal(puppet_n_seen(puppets, 1, MESSAGE_ACK), 1);
    assert_int_equal(puppets_counters(puppets)->dropped_message, n_dropped + 1);
}

/* A sender that goes on where it was is told after eight such packets. */
static void test_stale_packets(void **state)
{
    struct puppets *puppets = *state;
    uint64_t counter;
    unsigned n_hellos;

    puppets_start(puppets, 3);
    puppets_run(puppets, 2000);
    puppet_send_ping(puppets, 1, MESSAGE_PING, 1,
                     node_fingerprint(puppets->node));
    counter = puppets->counters[1];
    n_hellos = puppets->n_hellos;
    for (unsigned round = 1; round <= 2; round++) {
        for (unsigned i = 1; i <= 8; i++) {
            puppets->counters[1] = counter - 1;
            puppet_send_ping(puppets, 1, MESSAGE_PING, 1,
                             node_fingerprint(puppets->node));
            assert_int_equal(puppets->n_hellos,
                             n_hellos + (i == 8 ? round : round - 1));
        }
        puppets->now_ms += 1000;
    }
    /* One that is new lies between: the count begins again. */
    n_hellos = puppets->n_hellos;
    for (unsigned i = 0; i < 14; i++) {
        puppets->counters[1] = i == 7 ? counter : counter - 1;
        puppet_send_ping(puppets, 1, MESSAGE_PING, 1,
                         node_fingerprint(puppets->node));
    }
    assert_int_equal(puppets->n_hellos, n_hellos);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, puppets_setup, puppets_teardown)
        TEST(test_one_voice),
        TEST(test_two_voices),
        TEST(test_many_members),
        TEST(test_enough_accusers),
        TEST(test_answering_suspect),
        TEST(test_cut_off_share),
        TEST(test_cut_off_number),
        TEST(test_looks_around),
        TEST(test_accused_is_probed),
        TEST(test_old_accusation),
        TEST(test_bad_accusations),
        TEST(test_issuer_makes_no_issuers),
        TEST(test_certificate_is_replaced),
        TEST(test_counted_packets),
        TEST(test_bad_message),
        TEST(test_stale_packets),
#undef TEST
    };

    if (sodium_init() < 0) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
