/*
 * gossip/base/limits.h: the limits that the node keeps, each at its maximum
 * and one past it.  Records per writer and the accusations of one member are
 * in tests/sim/test_hostile.c, where an attacker tries them.
 */
#include "tests/unit/puppet.h"

#include <stdio.h>
#include <stdlib.h>

/* More than LIMIT_PROBES. */
#define MANY 24

static int setup_many(void **state)
{
    struct puppets *puppets = calloc(1, sizeof(*puppets));

    assert_non_null(puppets);
    puppets_start(puppets, MANY);
    *state = puppets;
    return 0;
}

/* LIMIT_PROBES */
static void test_probes(void **state)
{
    struct puppets *puppets = *state;
    struct puppet_record record;
    unsigned n_pinged = 0;

    /* Each is accused, and probed out of turn within half an interval. */
    for (unsigned who = 2; who < MANY; who++) {
        puppet_accusation(puppets, 1, who, &record);
        puppet_send_record(puppets, 1, &record);
    }
    puppets_run(puppets, 700);
    for (unsigned who = 1; who < MANY; who++) {
        n_pinged += puppet_n_seen(puppets, who, MESSAGE_PING) > 0 ? 1 : 0;
    }
    assert_int_equal(n_pinged, LIMIT_PROBES);
}

static void request(struct puppets *puppets, unsigned from, uint16_t nonce)
{
    uint8_t payload[PACKET_PAYLOAD_MAX];
    struct writer writer = writer_init(payload, sizeof(payload));

    message_put_ping_req(&writer, nonce,
                         record_node_id(puppets->keys[2].sign_public), 1);
    puppet_send(puppets, from, &writer);
}

/* LIMIT_RELAYS and LIMIT_RELAYS_PER_PEER */
static void test_relays(void **state)
{
    struct puppets *puppets = *state;
    size_t n_before = puppet_n_seen(puppets, 2, MESSAGE_PING);
    unsigned n = 0;

    for (unsigned who = 3; n < LIMIT_RELAYS; who++) {
        for (unsigned i = 0; i < LIMIT_RELAYS_PER_PEER; i++) {
            request(puppets, who, (uint16_t)i);
        }
        n += LIMIT_RELAYS_PER_PEER;
        assert_int_equal(puppet_n_seen(puppets, 2, MESSAGE_PING) - n_before, n);
        request(puppets, who, LIMIT_RELAYS_PER_PEER);
        assert_int_equal(puppet_n_seen(puppets, 2, MESSAGE_PING) - n_before, n);
    }
    request(puppets, 1, 1);
    assert_int_equal(puppet_n_seen(puppets, 2, MESSAGE_PING) - n_before,
                     LIMIT_RELAYS);
}

/* LIMIT_NEWS: an accusation is in the news alone, until so many follow it. */
static void test_news(void **state)
{
    struct puppets *puppets = *state;
    struct puppet_record first;
    struct puppet_record record;

    puppet_accusation(puppets, 2, 3, &first);
    puppet_send_record(puppets, 2, &first);
    for (unsigned i = 0; i < LIMIT_NEWS; i++) {
        char instance[16];

        puppet_send_hashes(puppets, 1, MESSAGE_WANT, &first.hash, 1);
        assert_int_equal(puppet_n_seen(puppets, 1, MESSAGE_RECORD), 1);
        puppets_clear(puppets);
        (void)snprintf(instance, sizeof(instance), "i%u", i); /* fits */
        puppet_service(puppets, i % 2 == 0 ? 1 : 3, instance, PUPPET_WALL_MS,
                       &record);
        puppet_send_record(puppets, 1, &record);
    }
    puppet_send_hashes(puppets, 1, MESSAGE_WANT, &first.hash, 1);
    assert_int_equal(puppet_n_seen(puppets, 1, MESSAGE_RECORD), 0);
}

/* LIMIT_ANNOUNCED */
static void test_announced(void **state)
{
    struct puppets *puppets = *state;
    uint64_t hashes[LIMIT_ANNOUNCED + 1];
    const struct puppet_seen *seen;

    for (size_t i = 0; i < ARRAY_SIZE(hashes); i++) {
        hashes[i] = 1000 + i;
    }
    puppet_send_hashes(puppets, 1, MESSAGE_IHAVE, hashes, LIMIT_ANNOUNCED);
    seen = puppet_seen(puppets, 1, MESSAGE_WANT, 0);
    assert_non_null(seen);
    assert_int_equal(seen->message.n_items, LIMIT_ANNOUNCED);
    for (size_t i = 0; i < ARRAY_SIZE(hashes); i++) {
        hashes[i] = 2000 + i;
    }
    puppet_send_hashes(puppets, 1, MESSAGE_IHAVE, hashes, LIMIT_ANNOUNCED + 1);
    seen = puppet_seen(puppets, 1, MESSAGE_WANT, 1);
    assert_non_null(seen);
    assert_int_equal(seen->message.n_items, LIMIT_ANNOUNCED);
}

/* LIMIT_WANTED */
static void test_wanted(void **state)
{
    struct puppets *puppets = *state;
    uint64_t hash = 1000;

    for (unsigned i = 0; i < LIMIT_WANTED; i++) {
        puppet_send_hashes(puppets, 1, MESSAGE_IHAVE, &hash, 1);
        hash++;
    }
    assert_int_equal(puppet_n_seen(puppets, 1, MESSAGE_WANT), LIMIT_WANTED);
    /* All are remembered: none is asked for at once. */
    hash = 1000;
    puppet_send_hashes(puppets, 2, MESSAGE_IHAVE, &hash, 1);
    assert_int_equal(puppet_n_seen(puppets, 2, MESSAGE_WANT), 0);
    /* One more, and the first is forgotten. */
    hash = 1000 + LIMIT_WANTED;
    puppet_send_hashes(puppets, 1, MESSAGE_IHAVE, &hash, 1);
    hash = 1000;
    puppet_send_hashes(puppets, 2, MESSAGE_IHAVE, &hash, 1);
    assert_int_equal(puppet_n_seen(puppets, 2, MESSAGE_WANT), 1);
}

/* LIMIT_BURST_PACKETS: of records that fill a packet each. */
static void test_burst(void **state)
{
    struct puppets *puppets = *state;
    uint64_t hashes[LIMIT_BURST_PACKETS + 1];
    uint8_t text[900];
    uint8_t body[1000];
    struct writer writer = writer_init(body, sizeof(body));
    struct puppet_record record;

    /* A map of one: an unknown kind's body, kept and relayed. */
    memset(text, 'a', sizeof(text));
    writer_u8(&writer, 0x81);
    writer_u8(&writer, 0x01);
    writer_u8(&writer, 0xc5);
    writer_u16(&writer, sizeof(text) - 240);
    writer_put(&writer, text, sizeof(text) - 240);
    for (size_t i = 0; i < ARRAY_SIZE(hashes); i++) {
        uint8_t key = (uint8_t)i;

        puppet_sign(puppets, 2, 200, &key, 1, body, writer_size(&writer),
                    PUPPET_WALL_MS, &record);
        hashes[i] = record.hash;
        puppet_send_record(puppets, 2, &record);
    }
    assert_int_equal(puppets_counters(puppets)->refused_body, 0);
    puppets_run(puppets, 50);
    puppets_clear(puppets);
    puppet_send_hashes(puppets, 1, MESSAGE_WANT, hashes, LIMIT_BURST_PACKETS);
    assert_int_equal(puppets->n_packets, LIMIT_BURST_PACKETS);
    assert_int_equal(puppet_n_seen(puppets, 1, MESSAGE_RECORD),
                     LIMIT_BURST_PACKETS);
    assert_int_equal(puppets->n_streams, 0);
    /* However it asks. */
    puppets_clear(puppets);
    writer = writer_init(body, sizeof(body));
    for (size_t i = 0; i < ARRAY_SIZE(hashes); i++) {
        message_put_hashes(&writer, MESSAGE_WANT, &hashes[i], 1);
    }
    puppet_send(puppets, 1, &writer);
    assert_int_equal(puppets->n_packets, LIMIT_BURST_PACKETS);
    puppets_clear(puppets);
    puppet_send_hashes(puppets, 3, MESSAGE_WANT, hashes,
                       LIMIT_BURST_PACKETS + 1);
    assert_int_equal(puppets->n_packets, LIMIT_BURST_PACKETS);
    assert_int_equal(puppets->n_streams, 1);
}

/* LIMIT_CLOCK_AHEAD_MS */
static void test_clock_ahead(void **state)
{
    struct puppets *puppets = *state;
    uint64_t wall_ms = PUPPET_WALL_MS + puppets->now_ms;
    struct puppet_record record;

    puppet_service(puppets, 2, "late", wall_ms + LIMIT_CLOCK_AHEAD_MS + 1,
                   &record);
    puppet_send_record(puppets, 2, &record);
    assert_int_equal(puppets_write(puppets, "a"), 0);
    assert_int_equal(puppets->own_hlc >> 16, wall_ms);
    puppet_service(puppets, 2, "edge", wall_ms + LIMIT_CLOCK_AHEAD_MS, &record);
    puppet_send_record(puppets, 2, &record);
    assert_int_equal(puppets_write(puppets, "b"), 0);
    assert_int_equal(puppets->own_hlc >> 16, wall_ms + LIMIT_CLOCK_AHEAD_MS);
}

/* LIMIT_CERT_EARLY_S */
static void test_early_certificate(void **state)
{
    struct puppets *puppets = *state;
    uint64_t now_s = PUPPET_WALL_MS / 1000; /* by its own clock */
    size_t n_records = node_n_records(puppets->node);
    struct puppet_record record;

    puppet_certificate(puppets, 100, now_s + LIMIT_CERT_EARLY_S + 1, &record);
    puppet_send_record(puppets, 1, &record);
    assert_int_equal(puppets_counters(puppets)->refused_expired, 1);
    assert_int_equal(node_n_records(puppets->node), n_records);
    puppet_certificate(puppets, 101, now_s + LIMIT_CERT_EARLY_S, &record);
    puppet_send_record(puppets, 1, &record);
    assert_int_equal(puppets_counters(puppets)->refused_expired, 1);
    assert_int_equal(node_n_records(puppets->node), n_records + 1);
}

/* A certificate of the root's for the key of this number, or puppet 1's. */
static int load_certificate(struct puppets *puppets, unsigned number,
                            bool is_of_puppet)
{
    struct body_certificate body = {
        .mesh = {{.address = {4, {10, 9, 1, 1}}, .port = 7720}},
        .n_mesh = 1,
        .roles = BODY_ROLE_MEMBER,
        .not_before_s = 1577836800,
        .not_after_s = 2208988800,
        .generation = 2,
        .serial = 1000 + number,
        .name = "n"};
    struct puppet_record record;
    uint8_t packed[512];
    size_t size = 0;

    memcpy(body.sign_public, &number, sizeof(number));
    memset(body.exchange_public, 1, sizeof(body.exchange_public));
    if (is_of_puppet) {
        memcpy(body.sign_public, puppets->keys[1].sign_public, 32);
    }
    assert_int_equal(body_put_certificate(&body, packed, sizeof(packed), &size),
                     0);
    puppet_sign(puppets, PUPPET_ROOT, RECORD_CERTIFICATE, body.sign_public, 32,
                packed, size, PUPPET_WALL_MS, &record);
    return node_load(puppets->node, record.bytes, record.size, PUPPET_WALL_MS);
}

/* LIMIT_WRITERS */
static void test_writers(void **state)
{
    struct puppets *puppets = *state;
    unsigned n = puppets->n + 1; /* the root */

    puppets->trusts_all = true;
    for (; n < LIMIT_WRITERS; n++) {
        assert_int_equal(load_certificate(puppets, n, false), 0);
    }
    assert_int_equal(puppets_counters(puppets)->refused_limit, 0);
    assert_int_equal(load_certificate(puppets, n, false), NODE_LOAD_REFUSED);
    assert_int_equal(puppets_counters(puppets)->refused_limit, 1);
    assert_int_equal(load_certificate(puppets, n, true), 0);
    assert_int_equal(puppets_member(puppets, 1).certificate->generation, 2);
}

/* NODE_PENDING_MAX: our own, but a person can push against it. */
static void test_pending(void **state)
{
    struct puppets *puppets = *state;

    puppets->holds_commits = true;
    for (unsigned i = 0; i <= NODE_PENDING_MAX; i++) {
        char instance[16];

        (void)snprintf(instance, sizeof(instance), "i%u", i); /* fits */
        assert_int_equal(puppets_write(puppets, instance),
                         i < NODE_PENDING_MAX ? 0 : NODE_E_LIMIT);
    }
    puppets_commit(puppets);
    assert_int_equal(puppets_write(puppets, "more"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_probes, setup_many,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_relays, setup_many,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_news, puppets_setup_four,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_announced, puppets_setup_four,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_wanted, puppets_setup_four,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_burst, puppets_setup_four,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_clock_ahead, puppets_setup_four,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_early_certificate,
                                        puppets_setup_four, puppets_teardown),
        cmocka_unit_test_setup_teardown(test_writers, puppets_setup_four,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_pending, puppets_setup_four,
                                        puppets_teardown),
    };

    if (sodium_init() < 0) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
