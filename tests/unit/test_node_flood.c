/*
 * gossip/node against certified members who lie, and against strangers who
 * send much: each rule with the packets of one who would gain from its
 * absence.
 */
#include "tests/unit/puppet.h"

#include <stdlib.h>

static int setup(void **state)
{
    *state = calloc(1, sizeof(struct puppets));
    return *state == NULL;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

/* --- Relayed answers -------------------------------------------------------
 */

static void answer(struct puppets *puppets, unsigned from, uint16_t nonce)
{
    uint8_t payload[PACKET_PAYLOAD_MAX];
    struct writer writer = writer_init(payload, sizeof(payload));

    message_put_ping(&writer, MESSAGE_ACK, nonce,
                     node_fingerprint(puppets->node));
    puppet_send(puppets, from, &writer);
}

/* What liars of a probe know and do: see lie. */
struct lie {
    unsigned dead;
    uint16_t nonce;          /* of the probe under way */
    uint64_t challenge;      /* of the last request seen */
    uint8_t stale_proof[16]; /* of the dead one, when it lived */
    bool is_told;            /* what each request asked was answered */
};

/* Everybody but the dead one answers its own pings, and says in every way it
 * can that the dead one has answered where it is asked, and whenever it guesses
 * the nonce. */
static void lie(struct puppets *puppets, struct lie *lie)
{
    uint8_t proof[PACKET_PROOF_SIZE] = {0};

    for (size_t i = 0; i < puppets->n_seen; i++) {
        struct puppet_seen seen = puppets->seen[i];

        if (seen.message.type == MESSAGE_PING && seen.to == lie->dead) {
            lie->nonce = seen.message.nonce;
        } else if (seen.message.type == MESSAGE_PING) {
            answer(puppets, seen.to, seen.message.nonce);
        } else if (seen.message.type == MESSAGE_PING_REQ) {
            answer(puppets, seen.to, seen.message.nonce);
            puppet_send_proof(puppets, seen.to, seen.message.nonce, proof);
            puppet_send_proof(puppets, seen.to, seen.message.nonce,
                              lie->stale_proof);
            /* The liar's own key proves the liar. */
            puppet_prove(puppets, seen.to, 0, seen.message.challenge, proof);
            puppet_send_proof(puppets, seen.to, seen.message.nonce, proof);
            lie->is_told = true;
        }
    }
    puppets_clear(puppets);
    for (unsigned who = 1; who < puppets->n && lie->nonce != 0; who++) {
        if (who != lie->dead) {
            answer(puppets, who, lie->nonce);
        }
    }
}

/* All others together do not keep a dead one alive. */
static void test_no_liar_keeps_the_dead_alive(void **state)
{
    struct puppets *puppets = *state;
    struct lie dead_is_alive = {.dead = 2};

    puppets_start(puppets, 3);
    /* While it lives it proves itself for a challenge of its own choice. */
    puppet_prove(puppets, 2, 0, 1, dead_is_alive.stale_proof);
    for (unsigned i = 0; puppets_member(puppets, 2).state != NODE_MEMBER_DEAD;
         i++) {
        assert_true(i < 10000);
        puppets_run(puppets, 20);
        lie(puppets, &dead_is_alive);
    }
    assert_true(dead_is_alive.is_told);
    assert_true(puppets_counters(puppets)->dropped_proof > 0);
    assert_int_not_equal(puppets_member(puppets, 1).state, NODE_MEMBER_DEAD);
    puppets_end(puppets);
}

#define TARGET 1

/* Answers what all but the target are asked; what it is of the target's probe:
 * its last nonce, and the request made of each. */
struct asked {
    uint16_t nonce;
    bool is_asked[6];
    uint64_t challenge;
};

static void look(struct puppets *puppets, struct asked *asked)
{
    for (size_t i = 0; i < puppets->n_seen; i++) {
        struct puppet_seen seen = puppets->seen[i];
        const struct message *message = &seen.message;

        if (message->type == MESSAGE_PING && seen.to == TARGET) {
            asked->nonce = message->nonce;
        } else if (message->type == MESSAGE_PING) {
            answer(puppets, seen.to, message->nonce);
        } else if (message->type == MESSAGE_PING_REQ &&
                   message->nonce == asked->nonce) {
            asked->is_asked[seen.to] = true;
            asked->challenge = message->challenge;
        }
    }
    puppets_clear(puppets);
}

/* The next probe of the target, of which puppet `from` shows a proof for the
 * challenge (plus `by`): from one that was asked, or not.  Whether the probe
 * failed. */
static bool fails(struct puppets *puppets, bool is_of_asked, uint64_t by)
{
    uint64_t n_before = puppets_counters(puppets)->probes_failed;
    uint8_t proof[PACKET_PROOF_SIZE];
    struct asked asked = {0};
    unsigned from = 2;
    uint16_t nonce;

    for (unsigned i = 0; asked.challenge == 0; i++) {
        assert_true(i < 100000);
        puppets_run(puppets, 5);
        look(puppets, &asked);
    }
    nonce = asked.nonce;
    while (asked.is_asked[from] != is_of_asked) {
        from++;
        assert_true(from < puppets->n);
    }
    puppet_prove(puppets, TARGET, 0, asked.challenge + by, proof);
    puppet_send_proof(puppets, from, nonce, proof);
    for (unsigned i = 0; asked.nonce == nonce; i++) {
        assert_true(i < 100000);
        puppets_run(puppets, 5);
        look(puppets, &asked);
    }
    return puppets_counters(puppets)->probes_failed > n_before;
}

/* A proof counts from a helper that was asked, and for the challenge of this
 * probe alone. */
static void test_proof_of_a_helper(void **state)
{
    struct puppets *puppets = *state;

    puppets_start(puppets, 6); /* three are asked, one is not */
    assert_false(fails(puppets, true, 0));
    assert_true(fails(puppets, false, 0));
    assert_true(fails(puppets, true, 1));
    assert_int_equal(puppets_counters(puppets)->dropped_proof, 1);
    puppets_end(puppets);
}

/* A node proves itself for the asker that a ping names, with a key that only
 * the two have; for one it does not know it only answers. */
static void test_proves_itself(void **state)
{
    struct puppets *puppets = *state;
    uint8_t payload[PACKET_PAYLOAD_MAX];
    uint8_t expected[PACKET_PROOF_SIZE];
    struct writer writer = writer_init(payload, sizeof(payload));
    const struct puppet_seen *seen;

    puppets_start(puppets, 4);
    message_put_ping_for(&writer, 1, 0,
                         record_node_id(puppets->keys[2].sign_public), 77);
    message_put_ping_for(&writer, 2, 0, 12345, 77);
    puppet_send(puppets, 1, &writer);
    seen = puppet_seen(puppets, 1, MESSAGE_ACK, 0);
    assert_non_null(seen);
    puppet_prove(puppets, 0, 2, 77, expected);
    assert_non_null(seen->message.proof);
    assert_memory_equal(seen->message.proof, expected, sizeof(expected));
    seen = puppet_seen(puppets, 1, MESSAGE_ACK, 1);
    assert_non_null(seen);
    assert_null(seen->message.proof);
    puppets_end(puppets);
}

/* --- Forged copies ---------------------------------------------------------
 */

static void forge(struct puppet_record *record)
{
    record->bytes[record->size - 1] ^= 1; /* its hash is of what is signed */
}

/* A copy with a bad signature is nothing: the record itself is asked of
 * another who has it, at once, and is taken. */
static void test_forged_copy_hides_nothing(void **state)
{
    struct puppets *puppets = *state;
    struct puppet_record record;

    puppets_start(puppets, 4);
    puppet_service(puppets, 1, "a", PUPPET_WALL_MS, &record);
    puppet_send_hashes(puppets, 3, MESSAGE_IHAVE, &record.hash, 1);
    assert_int_equal(puppet_n_seen(puppets, 3, MESSAGE_WANT), 1);
    puppet_send_hashes(puppets, 2, MESSAGE_IHAVE, &record.hash, 1);
    assert_int_equal(puppet_n_seen(puppets, 2, MESSAGE_WANT), 0);
    forge(&record);
    puppet_send_record(puppets, 3, &record);
    assert_int_equal(puppets_counters(puppets)->refused_signature, 1);
    puppets_run(puppets, 0);
    assert_int_equal(puppet_n_seen(puppets, 2, MESSAGE_WANT), 1);
    /* Before anybody announced it, too. */
    puppet_service(puppets, 1, "b", PUPPET_WALL_MS, &record);
    forge(&record);
    puppet_send_record(puppets, 3, &record);
    puppet_send_hashes(puppets, 2, MESSAGE_IHAVE, &record.hash, 1);
    assert_int_equal(puppet_n_seen(puppets, 2, MESSAGE_WANT), 2);
    forge(&record);
    puppet_send_record(puppets, 2, &record);
    assert_int_equal(puppets_counters(puppets)->refused_signature, 2);
    assert_non_null(puppet_seen(puppets, 2, MESSAGE_WANT, 1));
    assert_true(puppets_counters(puppets)->records_accepted > 0);
    puppets_end(puppets);
}

/* Nor does one who announces all the time, and sends nothing. */
static void test_announcer_hides_nothing(void **state)
{
    struct puppets *puppets = *state;
    uint64_t hash = 1000;

    puppets_start(puppets, 4);
    puppet_send_hashes(puppets, 3, MESSAGE_IHAVE, &hash, 1);
    puppet_send_hashes(puppets, 2, MESSAGE_IHAVE, &hash, 1);
    for (unsigned i = 0; puppet_n_seen(puppets, 2, MESSAGE_WANT) == 0; i++) {
        assert_true(i < 30);
        puppet_send_hashes(puppets, 3, MESSAGE_IHAVE, &hash, 1);
        puppets_run(puppets, 5);
    }
    puppets_end(puppets);
}

/* LIMIT_FORGED_BURST and LIMIT_FORGED_RATE: past it nothing of that sender
 * costs a check, and nobody else is concerned. */
static void test_forged_are_few(void **state)
{
    struct puppets *puppets = *state;
    struct puppet_record record;
    uint64_t n_before;

    puppets_start(puppets, 4);
    n_before = puppets_counters(puppets)->signatures_checked;
    puppet_service(puppets, 1, "a", PUPPET_WALL_MS, &record);
    forge(&record);
    for (unsigned i = 0; i < LIMIT_FORGED_BURST; i++) {
        puppet_send_record(puppets, 3, &record);
    }
    assert_int_equal(puppets_counters(puppets)->refused_rate, 0);
    assert_int_equal(puppets_counters(puppets)->signatures_checked - n_before,
                     LIMIT_FORGED_BURST);
    puppet_send_record(puppets, 3, &record);
    assert_int_equal(puppets_counters(puppets)->refused_rate, 1);
    assert_int_equal(puppets_counters(puppets)->signatures_checked - n_before,
                     LIMIT_FORGED_BURST);
    puppet_send_record(puppets, 2, &record);
    assert_int_equal(puppets_counters(puppets)->signatures_checked - n_before,
                     LIMIT_FORGED_BURST + 1);
    puppets->now_ms += 1000;
    for (unsigned i = 0; i <= LIMIT_FORGED_RATE; i++) {
        puppet_send_record(puppets, 3, &record);
    }
    assert_int_equal(puppets_counters(puppets)->refused_rate, 2);
    forge(&record);
    puppet_send_record(puppets, 2, &record);
    assert_int_equal(puppets_counters(puppets)->refused_rate, 2);
    puppets_end(puppets);
}

/* --- What costs a signature check ------------------------------------------
 */

static void test_known_records_cost_nothing(void **state)
{
    struct puppets *puppets = *state;
    struct puppet_record record;
    uint64_t n_before;

    puppets_start(puppets, 3);
    puppet_service(puppets, 1, "a", PUPPET_WALL_MS, &record);
    puppet_send_record(puppets, 1, &record);
    n_before = puppets_counters(puppets)->signatures_checked;
    for (unsigned i = 0; i < 10; i++) {
        puppet_send_record(puppets, 1, &record);
        puppet_send_record(puppets, 2, &record);
        puppet_hello(puppets, 2);
    }
    assert_int_equal(puppets_counters(puppets)->records_known, 20);
    assert_int_equal(puppets_counters(puppets)->signatures_checked, n_before);
    puppets_end(puppets);
}

/* A stranger's certificate is looked at when it is of the sender that the
 * header names, comes from an address that it names itself, and not more often
 * than LIMIT_STRANGER_BURST and LIMIT_STRANGER_RATE say. */
static void test_strangers_cost_little(void **state)
{
    enum { STRANGER = 150 };
    struct puppets *puppets = *state;
    struct support_keys keys = support_keys_make(STRANGER);
    struct puppet_record record;
    uint64_t n_before;

    puppets_start(puppets, 4);
    n_before = puppets_counters(puppets)->signatures_checked;
    puppet_certificate(puppets, STRANGER, 1577836800, &record);
    forge(&record);
    puppet_hello_as(puppets, 2, keys.sign_public, &record);
    assert_int_equal(puppets_counters(puppets)->dropped_source, 1);
    puppets->address_of = STRANGER;
    puppet_hello_as(puppets, 2, puppets->keys[2].sign_public, &record);
    assert_int_equal(puppets_counters(puppets)->dropped_unknown_peer, 1);
    assert_int_equal(puppets_counters(puppets)->signatures_checked, n_before);
    for (unsigned i = 0; i < LIMIT_STRANGER_BURST; i++) {
        puppet_hello_as(puppets, 2, keys.sign_public, &record);
    }
    assert_int_equal(puppets_counters(puppets)->dropped_rate, 0);
    assert_int_equal(puppets_counters(puppets)->signatures_checked - n_before,
                     LIMIT_STRANGER_BURST);
    puppet_hello_as(puppets, 2, keys.sign_public, &record);
    assert_int_equal(puppets_counters(puppets)->dropped_rate, 1);
    assert_int_equal(puppets_counters(puppets)->signatures_checked - n_before,
                     LIMIT_STRANGER_BURST);
    puppets->now_ms += 1000;
    for (unsigned i = 0; i <= LIMIT_STRANGER_RATE; i++) {
        puppet_hello_as(puppets, 2, keys.sign_public, &record);
    }
    assert_int_equal(puppets_counters(puppets)->dropped_rate, 2);
    /* A member's certificate, which is public, in a stranger's packet. */
    n_before = puppets_counters(puppets)->signatures_checked;
    puppets->address_of = 3;
    puppet_hello_as(puppets, 2, puppets->keys[3].sign_public,
                    &puppets->certificates[3]);
    assert_int_equal(puppets_counters(puppets)->dropped_tag, 1);
    assert_int_equal(puppets_counters(puppets)->signatures_checked, n_before);
    puppets_end(puppets);
}

/* --- Answers ---------------------------------------------------------------
 */

/* Records of a kind of later releases, of about 900 bytes each, by puppet 2. */
static void fill(struct puppets *puppets, unsigned n)
{
    uint8_t body[700] = {0x81, 0x01, 0xc5};
    struct puppet_record record;

    body[3] = (uint8_t)((sizeof(body) - 5) >> 8);
    body[4] = (uint8_t)(sizeof(body) - 5);
    for (unsigned i = 0; i < n; i++) {
        uint8_t key[2] = {(uint8_t)(i >> 8), (uint8_t)i};

        puppet_sign(puppets, 2, 200, key, sizeof(key), body, sizeof(body),
                    PUPPET_WALL_MS, &record);
        puppet_send_record(puppets, 2, &record);
    }
    assert_int_equal(puppets_counters(puppets)->refused_body, 0);
    puppets_run(puppets, 100);
    puppets_clear(puppets);
}

/* That it holds nothing, so often: each asks for all there is. */
static void put_haves(struct writer *writer, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        message_put_have(writer, 0, UINT64_MAX, 0, UINT64_MAX, NULL, 0);
    }
}

/* 34 HAVE in one packet draw no more than LIMIT_BURST_PACKETS, and packet
 * after packet no more than LIMIT_ANSWER_BURST and what was sent. */
static void test_haves_draw_little(void **state)
{
    struct puppets *puppets = *state;
    uint8_t payload[PACKET_PAYLOAD_MAX];
    struct writer writer = writer_init(payload, sizeof(payload));
    uint64_t sent = 0;
    uint64_t before;

    puppets_start(puppets, 3);
    fill(puppets, 40);
    before = puppets_counters(puppets)->bytes_out;
    put_haves(&writer, 34);
    puppet_send(puppets, 1, &writer);
    assert_true(puppets_counters(puppets)->bytes_out - before <=
                (uint64_t)LIMIT_BURST_PACKETS * LIMIT_DATAGRAM_SIZE);
    sent += PACKET_OVERHEAD + writer_size(&writer);
    for (unsigned i = 0; i < 200; i++) {
        puppets_clear(puppets);
        puppet_send(puppets, 1, &writer);
        sent += PACKET_OVERHEAD + writer_size(&writer);
    }
    assert_true(puppets_counters(puppets)->answers_limited > 0);
    assert_in_range(puppets_counters(puppets)->bytes_out - before,
                    LIMIT_ANSWER_BURST, LIMIT_ANSWER_BURST + sent);
    /* A second later as much as a second gives. */
    before = puppets_counters(puppets)->bytes_out;
    puppets->now_ms += 1000;
    sent = 0;
    for (unsigned i = 0; i < 100; i++) {
        puppets_clear(puppets);
        puppet_send(puppets, 1, &writer);
        sent += PACKET_OVERHEAD + writer_size(&writer);
    }
    assert_in_range(puppets_counters(puppets)->bytes_out - before,
                    LIMIT_ANSWER_RATE / 2, LIMIT_ANSWER_RATE + sent + 10000);
    /* A ping is answered all the same, and by no more than itself. */
    puppets_clear(puppets);
    writer = writer_init(payload, sizeof(payload));
    message_put_ping(&writer, MESSAGE_PING, 1, 2);
    puppet_send(puppets, 1, &writer);
    assert_int_equal(puppet_n_seen(puppets, 1, MESSAGE_ACK), 1);
    puppets_end(puppets);
}

static void stream(struct puppets *puppets, enum node_event_type type,
                   const uint8_t *bytes, size_t size)
{
    struct node_event event = {
        .type = type, .stream = 1, .bytes = bytes, .size = size};

    memcpy(event.peer, puppets->keys[1].sign_public, 32);
    puppets_step(puppets, &event);
}

/* LIMIT_STREAM_BURST: however many streams it takes. */
static void test_streams_draw_little(void **state)
{
    static uint8_t frame[LIMIT_FRAME_SIZE];
    struct puppets *puppets = *state;
    struct writer writer = writer_init(frame, sizeof(frame));

    puppets_start(puppets, 3);
    fill(puppets, 40);
    put_haves(&writer, 60);
    for (unsigned i = 0; i < 20; i++) {
        if (i % 4 == 0) {
            stream(puppets, NODE_EVENT_STREAM_OPENED, NULL, 0);
        }
        stream(puppets, NODE_EVENT_STREAM_FRAME, frame, writer_size(&writer));
        if (i % 4 == 3) {
            stream(puppets, NODE_EVENT_STREAM_CLOSED, NULL, 0);
        }
        puppets_clear(puppets);
    }
    assert_in_range(puppets->n_stream_bytes, LIMIT_STREAM_BURST - 1000,
                    LIMIT_STREAM_BURST + 1000);
    assert_true(puppets_counters(puppets)->answers_limited > 0);
    puppets_end(puppets);
}

/* LIMIT_SYNC_STREAMS of others keep us from none of ours, and the other way
 * round. */
static void test_streams_apart(void **state)
{
    struct puppets *puppets = *state;
    struct node_event event = {.type = NODE_EVENT_STREAM_OPENED};
    unsigned n = 0;

    puppets_start(puppets, 40);
    for (unsigned i = 0; i < LIMIT_SYNC_STREAMS + LIMIT_SYNC_OWN_STREAMS; i++) {
        event.stream = ++n;
        event.is_initiator = i >= LIMIT_SYNC_STREAMS;
        memcpy(event.peer, puppets->keys[n].sign_public, 32);
        puppets_step(puppets, &event);
        assert_int_equal(puppets->n_closed, 0);
    }
    event.stream = ++n;
    event.is_initiator = false;
    memcpy(event.peer, puppets->keys[n].sign_public, 32);
    puppets_step(puppets, &event);
    assert_int_equal(puppets->n_closed, 1);
    event.stream = ++n;
    event.is_initiator = true;
    memcpy(event.peer, puppets->keys[n].sign_public, 32);
    puppets_step(puppets, &event);
    assert_int_equal(puppets->n_closed, 2);
    puppets_end(puppets);
}

/* --- Rates -----------------------------------------------------------------
 */

/* LIMIT_WRITER_BURST, LIMIT_WRITER_RESERVE and LIMIT_WRITER_RATE: new records
 * of one writer, whoever brings them. */
static void test_writer_rate(void **state)
{
    struct puppets *puppets = *state;
    struct puppet_record record;

    puppets_start(puppets, 4);
    puppets->now_ms += 60000;
    for (unsigned i = 0; i < LIMIT_WRITER_BURST - LIMIT_WRITER_RESERVE; i++) {
        puppet_service(puppets, 1, "a", PUPPET_WALL_MS, &record);
        puppet_send_record(puppets, i % 2 == 0 ? 1 : 2, &record);
        puppets_clear(puppets);
    }
    assert_int_equal(puppets_counters(puppets)->refused_rate, 0);
    puppet_service(puppets, 1, "a", PUPPET_WALL_MS, &record);
    puppet_send_record(puppets, 1, &record);
    assert_int_equal(puppets_counters(puppets)->refused_rate, 1);
    puppet_send_record(puppets, 2, &record);
    assert_int_equal(puppets_counters(puppets)->refused_rate, 2);
    /* Its member record still comes through, so that it is not held for
     * dead, and other writers are not concerned. */
    for (unsigned i = 0; i < LIMIT_WRITER_RESERVE; i++) {
        puppet_member(puppets, 1, &record);
        puppet_send_record(puppets, 1, &record);
    }
    assert_int_equal(puppets_counters(puppets)->refused_rate, 2);
    puppet_member(puppets, 1, &record);
    puppet_send_record(puppets, 1, &record);
    assert_int_equal(puppets_counters(puppets)->refused_rate, 3);
    puppet_service(puppets, 2, "a", PUPPET_WALL_MS, &record);
    puppet_send_record(puppets, 2, &record);
    assert_int_equal(puppets_counters(puppets)->refused_rate, 3);
    /* A second gives as many as it may write in one. */
    puppets->now_ms += 1000;
    for (unsigned i = 0; i <= LIMIT_WRITER_RATE - LIMIT_WRITER_RESERVE; i++) {
        puppet_service(puppets, 1, "a", PUPPET_WALL_MS, &record);
        puppet_send_record(puppets, 1, &record);
        puppets_clear(puppets);
    }
    assert_int_equal(puppets_counters(puppets)->refused_rate, 4);
    puppets_end(puppets);
}

/* What a writer did not sign takes nothing of its rate. */
static void test_forged_takes_nothing(void **state)
{
    struct puppets *puppets = *state;
    struct puppet_record record;

    puppets_start(puppets, 40);
    for (unsigned i = 0; i < LIMIT_WRITER_BURST + 1; i++) {
        puppet_service(puppets, 1, "a", PUPPET_WALL_MS, &record);
        forge(&record);
        puppet_send_record(puppets, 2 + i / LIMIT_FORGED_BURST, &record);
        puppets_clear(puppets);
    }
    assert_int_equal(puppets_counters(puppets)->refused_signature,
                     LIMIT_WRITER_BURST + 1);
    puppet_service(puppets, 1, "a", PUPPET_WALL_MS, &record);
    puppet_send_record(puppets, 1, &record);
    assert_int_equal(puppets_counters(puppets)->refused_rate, 0);
    puppets_end(puppets);
}

/* LIMIT_PEER_BURST, LIMIT_PEER_RATE and LIMIT_PACKET_EXTRA. */
static void test_peer_rate(void **state)
{
    static uint8_t frame[LIMIT_FRAME_SIZE];
    struct puppets *puppets = *state;
    unsigned n = LIMIT_PEER_BURST / (sizeof(frame) + LIMIT_PACKET_EXTRA);
    uint8_t payload[PACKET_PAYLOAD_MAX];
    struct writer writer = writer_init(payload, sizeof(payload));

    puppets_start(puppets, 3);
    puppets->now_ms += 10000;
    frame[0] = MESSAGE_OPTIONAL;
    frame[1] = (sizeof(frame) - 3) >> 8;
    frame[2] = (sizeof(frame) - 3) & 0xff;
    stream(puppets, NODE_EVENT_STREAM_OPENED, NULL, 0);
    for (unsigned i = 0; i < n; i++) {
        if (i % 200 == 199) { /* LIMIT_SYNC_STREAM_BYTES */
            stream(puppets, NODE_EVENT_STREAM_CLOSED, NULL, 0);
            stream(puppets, NODE_EVENT_STREAM_OPENED, NULL, 0);
        }
        stream(puppets, NODE_EVENT_STREAM_FRAME, frame, sizeof(frame));
    }
    assert_int_equal(puppets_counters(puppets)->dropped_rate, 0);
    stream(puppets, NODE_EVENT_STREAM_FRAME, frame, sizeof(frame));
    assert_int_equal(puppets_counters(puppets)->dropped_rate, 1);
    /* Packets count like frames: the rest of it, each a little more. */
    message_put_ping(&writer, MESSAGE_PING, 1, 2);
    n = LIMIT_PEER_BURST % (sizeof(frame) + LIMIT_PACKET_EXTRA);
    n /= PACKET_OVERHEAD + (unsigned)writer_size(&writer) + LIMIT_PACKET_EXTRA;
    puppets_clear(puppets);
    for (unsigned i = 0; i < n + 1; i++) {
        puppet_send(puppets, 1, &writer);
    }
    assert_int_equal(puppet_n_seen(puppets, 1, MESSAGE_ACK), n);
    assert_int_equal(puppets_counters(puppets)->dropped_rate, 2);
    puppet_send(puppets, 2, &writer);
    assert_int_equal(puppet_n_seen(puppets, 2, MESSAGE_ACK), 1);
    puppets->now_ms += 1000;
    puppet_send(puppets, 1, &writer);
    assert_int_equal(puppet_n_seen(puppets, 1, MESSAGE_ACK), n + 1);
    puppets_end(puppets);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_no_liar_keeps_the_dead_alive),
        TEST(test_proof_of_a_helper),
        TEST(test_proves_itself),
        TEST(test_forged_copy_hides_nothing),
        TEST(test_announcer_hides_nothing),
        TEST(test_forged_are_few),
        TEST(test_known_records_cost_nothing),
        TEST(test_strangers_cost_little),
        TEST(test_haves_draw_little),
        TEST(test_streams_draw_little),
        TEST(test_streams_apart),
        TEST(test_writer_rate),
        TEST(test_forged_takes_nothing),
        TEST(test_peer_rate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
