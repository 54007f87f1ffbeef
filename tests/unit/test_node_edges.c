/*
 * gossip/node by its public interface, as test_node.c: edges of its rules.
 * What it counts, drops and takes when a packet is nobody's, two records
 * contradict each other, a number reaches its boundary, or memory lacks.
 */
#include "tests/unit/puppet.h"

#include <stdio.h>
#include <stdlib.h>

#include "gossip/base/cursor.h"
#include "tests/unit/heap.h"

static int teardown(void **state)
{
    struct puppets *puppets = *state;

    (void)heap_off();
    free(puppets);
    return 0;
}

static void answer(struct puppets *puppets, unsigned from, uint16_t nonce)
{
    uint8_t payload[PACKET_PAYLOAD_MAX];
    struct writer writer = writer_init(payload, sizeof(payload));

    message_put_ping(&writer, MESSAGE_ACK, nonce,
                     node_fingerprint(puppets->node));
    puppet_send(puppets, from, &writer);
}

/* --- transport.c -----------------------------------------------------------
 */

/* Whose certificate does not make it a member of ours is not talked to, nor
 * who sends another's, nor an echo of ourselves. */
static void test_hello_of_nobody(void **state)
{
    static const uint64_t far_s = UINT64_C(2100000000);
    struct puppets *puppets = *state;
    struct support_keys stranger = support_keys_make(150);
    struct puppet_record refused;

    puppets_start(puppets, 4);
    puppet_certificate(puppets, 150, far_s, &refused);
    puppets->address_of = 150;
    puppet_hello_as(puppets, 2, stranger.sign_public, &refused);
    assert_int_equal(puppets_counters(puppets)->dropped_unknown_peer, 1);
    /* The root is known, and has no certificate. */
    puppet_certificate(puppets, 201, far_s, &refused);
    puppets->address_of = 201;
    puppet_hello_as(puppets, 2, puppets->root.sign_public, &refused);
    puppets->address_of = 0;
    assert_int_equal(puppets_counters(puppets)->dropped_unknown_peer, 2);
    assert_int_equal(puppets_counters(puppets)->refused_expired, 2);
    puppet_hello_as(puppets, 2, puppets->keys[0].sign_public,
                    &puppets->certificates[0]);
    assert_int_equal(puppets_counters(puppets)->dropped_unknown_peer, 3);
    puppet_hello_as(puppets, 3, puppets->keys[2].sign_public,
                    &puppets->certificates[3]);
    assert_int_equal(puppets_counters(puppets)->dropped_unknown_peer, 4);
    puppet_hello(puppets, 3);
    assert_int_equal(puppets_counters(puppets)->dropped_unknown_peer, 4);
    puppets_end(puppets);
}

/* Who was set back is told what is known of it, once in a second. */
static void test_set_back_is_told(void **state)
{
    struct puppets *puppets = *state;
    struct puppet_record record;
    unsigned n_hellos;

    puppets_start(puppets, 3);
    puppets->epoch++;
    puppet_member(puppets, 1, &record);
    puppet_send_record(puppets, 1, &record);
    puppets->epoch--;
    puppets_run(puppets, 2000);
    n_hellos = puppets->n_hellos;
    puppets->counters[1] = 0;
    puppet_hello(puppets, 1);
    assert_int_equal(puppets_counters(puppets)->dropped_replay, 1);
    assert_int_equal(puppets->n_hellos, n_hellos + 1);
    puppets->now_ms += 999;
    puppet_hello(puppets, 1);
    assert_int_equal(puppets->n_hellos, n_hellos + 1);
    puppets->now_ms++;
    puppet_hello(puppets, 1);
    assert_int_equal(puppets->n_hellos, n_hellos + 2);
    puppets_end(puppets);
}

/* A new certificate's key holds from its hello on. */
static void test_renewed_key(void **state)
{
    struct puppets *puppets = *state;

    puppets_start(puppets, 3);
    puppet_renew(puppets, 2, 160);
    puppet_hello(puppets, 2);
    assert_int_equal(puppets_counters(puppets)->dropped_tag, 0);
    assert_int_equal(puppets_member(puppets, 2).certificate->generation, 2);
    puppets_end(puppets);
}

/* --- rights.c --------------------------------------------------------------
 */

/* A root writes admission records only. */
static void test_rights_of_a_root(void **state)
{
    struct body_function function = {.name = "redis"};
    struct puppets *puppets = *state;
    struct puppet_record record;
    uint8_t packed[256];
    size_t size = 0;

    puppets_start(puppets, 3);
    puppet_service(puppets, PUPPET_ROOT, "a", PUPPET_WALL_MS, &record);
    puppet_send_record(puppets, 2, &record);
    assert_int_equal(puppets_counters(puppets)->refused_rights, 1);
    assert_int_equal(
        body_put_function(&function, packed, sizeof(packed), &size), 0);
    puppet_sign(puppets, PUPPET_ROOT, RECORD_FUNCTION, "redis", 5, packed, size,
                PUPPET_WALL_MS, &record);
    puppet_send_record(puppets, 2, &record);
    assert_int_equal(puppets_counters(puppets)->refused_rights, 1);
    puppets_end(puppets);
}

/* What a stream's opening asks. */
static void test_certificate_is_checked(void **state)
{
    struct puppets *puppets = *state;
    const struct puppet_record *good;
    struct puppet_record refused;
    struct body_certificate body = {.serial = 0};

    puppets_start(puppets, 3);
    good = &puppets->certificates[2];
    assert_int_equal(
        node_check_certificate(puppets->node, good->bytes, good->size, &body),
        0);
    assert_int_equal(body.serial, 3);
    puppet_certificate(puppets, 150, UINT64_C(2100000000), &refused);
    assert_int_equal(node_check_certificate(puppets->node, refused.bytes,
                                            refused.size, &body),
                     NODE_E_NOT_ALLOWED);
    puppets_end(puppets);
}

/* --- own.c -----------------------------------------------------------------
 */

/* How long it is away is what its member record says. */
static void test_pause_is_told(void **state)
{
    struct node_event event = {.type = NODE_EVENT_PAUSE, .pause_s = 30};
    struct puppets *puppets = *state;
    struct body_member body;
    struct record record;

    puppets_start(puppets, 3);
    puppets_step(puppets, &event);
    assert_true(node_record_find(puppets->node, puppets->keys[0].sign_public,
                                 RECORD_MEMBER, (const uint8_t *)"", 0,
                                 &record));
    assert_int_equal(body_get_member(&record, &body), 0);
    assert_int_equal(body.state, BODY_MEMBER_PAUSED);
    assert_int_equal(body.pause_s, 30);
    puppets_end(puppets);
}

/* A service that could not be stored is its writer's to write again. */
static void test_service_is_not_owed(void **state)
{
    struct node_event event = {.type = NODE_EVENT_STORE_FAILED};
    struct puppets *puppets = *state;

    puppets_start(puppets, 3);
    puppets->holds_commits = true;
    assert_int_equal(puppets_write(puppets, "a"), 0);
    assert_int_equal(puppets->n_held, 1);
    event.order = puppets->held[0];
    puppets->n_held = 0;
    puppets_step(puppets, &event);
    puppets_run(puppets, 1500);
    assert_int_equal(puppets->n_held, 0);
    puppets_end(puppets);
}

/* --- suspicion.c -----------------------------------------------------------
 */

/* Who refutes an accusation is not probed out of turn because of it. */
static void test_refuted_is_not_probed(void **state)
{
    struct puppets *puppets = *state;
    struct puppet_record record;
    unsigned n_pinged = 0;

    puppets_start(puppets, 16);
    for (unsigned who = 2; who < puppets->n; who++) {
        puppet_accusation(puppets, 1, who, &record);
        puppet_send_record(puppets, 1, &record);
        assert_int_equal(puppets_member(puppets, who).state,
                         NODE_MEMBER_SUSPECT);
        puppet_member(puppets, who, &record);
        puppet_send_record(puppets, who, &record);
        assert_int_equal(puppets_member(puppets, who).state, NODE_MEMBER_ALIVE);
    }
    puppets_run(puppets, 700);
    for (unsigned who = 1; who < puppets->n; who++) {
        n_pinged += puppet_n_seen(puppets, who, MESSAGE_PING) > 0 ? 1 : 0;
    }
    assert_true(n_pinged <= 1); /* in turn, one in a second */
    assert_int_equal(puppets_counters(puppets)->deaths, 0);
    puppets_end(puppets);
}

/* A refused accusation is not asked for. */
static void test_refused_is_not_wanted(void **state)
{
    struct puppets *puppets = *state;
    struct puppet_record accusation;
    struct puppet_record record;

    puppets_start(puppets, 4);
    puppet_accusation(puppets, 1, 2, &accusation);
    puppet_member(puppets, 2, &record);
    puppet_send_record(puppets, 2, &record);
    puppet_send_record(puppets, 1, &accusation);
    assert_int_equal(puppets_counters(puppets)->refused_old, 1);
    puppet_send_hashes(puppets, 3, MESSAGE_IHAVE, &accusation.hash, 1);
    assert_int_equal(puppet_n_seen(puppets, 3, MESSAGE_WANT), 0);
    puppets_end(puppets);
}

/* Only three indirect answers in a row mean that the direct way is cut. */
static void test_indirect_answers(void **state)
{
    struct puppets *puppets = *state;
    bool has_answered = false; /* itself */
    unsigned n_indirect = 0;

    puppets_start(puppets, 3);
    for (unsigned i = 0; n_indirect < 3; i++) {
        const struct puppet_seen *seen;

        assert_true(i < 10000);
        assert_int_equal(puppets_member(puppets, 1).is_reachable, true);
        puppets_clear(puppets);
        puppets_run(puppets, 10);
        seen = puppet_seen(puppets, 1, MESSAGE_PING, 0);
        if (seen != NULL && !has_answered) {
            answer(puppets, 1, seen->message.nonce);
            has_answered = true;
            continue;
        }
        seen = puppet_seen(puppets, 2, MESSAGE_PING, 0);
        if (seen != NULL) {
            answer(puppets, 2, seen->message.nonce);
        }
        seen = puppet_seen(puppets, 2, MESSAGE_PING_REQ, 0);
        if (seen != NULL && has_answered) {
            uint8_t proof[PACKET_PROOF_SIZE];

            puppet_prove(puppets, 1, 0, seen->message.challenge, proof);
            puppet_send_proof(puppets, 2, seen->message.nonce, proof);
            n_indirect++;
        }
    }
    assert_int_equal(puppets_counters(puppets)->probes_failed, 0);
    assert_int_equal(puppets_member(puppets, 1).is_reachable, false);
    puppets_end(puppets);
}

static void ping(struct puppets *puppets, unsigned from)
{
    uint8_t payload[PACKET_PAYLOAD_MAX];
    struct writer writer = writer_init(payload, sizeof(payload));

    message_put_ping(&writer, MESSAGE_PING, 1, node_fingerprint(puppets->node));
    puppet_send(puppets, from, &writer);
}

/* A suspect who speaks is told of it, once in an interval. */
static void test_suspect_is_nudged(void **state)
{
    struct puppets *puppets = *state;
    struct puppet_record record;

    puppets_start(puppets, 4);
    puppet_accusation(puppets, 1, 2, &record);
    puppet_send_record(puppets, 1, &record);
    puppets_clear(puppets);
    ping(puppets, 2);
    assert_int_equal(puppet_n_seen(puppets, 2, MESSAGE_RECORD), 1);
    ping(puppets, 2);
    assert_int_equal(puppet_n_seen(puppets, 2, MESSAGE_RECORD), 1);
    puppets_end(puppets);
}

/* --- spread.c --------------------------------------------------------------
 */

/* Pings from so many puppets; how many announcements came with answers. */
static size_t ping_from(struct puppets *puppets, unsigned n)
{
    size_t n_before = 0, n_after = 0;

    for (unsigned who = 1; who <= n; who++) {
        n_before += puppet_n_seen(puppets, who, MESSAGE_IHAVE);
        ping(puppets, who);
        n_after += puppet_n_seen(puppets, who, MESSAGE_IHAVE);
    }
    return n_after - n_before;
}

/* How often an own record is announced in a cluster of `n`, besides going
 * out whole to four. */
static size_t n_announced(struct puppets *puppets, unsigned n)
{
    unsigned n_asking = MIN_OF(n - 1, 12u);
    size_t n_found = 1;

    puppets_start(puppets, n);
    puppets_run(puppets, 100);
    /* What there is to tell of the others. */
    for (unsigned i = 0; n_found > 0; i++) {
        assert_true(i < 1000);
        puppets_clear(puppets);
        n_found = ping_from(puppets, n_asking);
    }
    puppets_clear(puppets);
    assert_int_equal(puppets_write(puppets, "a"), 0);
    puppets_run(puppets, NODE_TUNING_DEFAULT.coalesce_ms);
    n_found = ping_from(puppets, n_asking);
    puppets_end(puppets);
    return n_found;
}

/* The number of copies grows with the digits of the members' number. */
static void test_copies(void **state)
{
    struct puppets *puppets = *state;
    const struct node_tuning *tuning = &NODE_TUNING_DEFAULT;
    size_t n_eager = tuning->eager_peers, n = tuning->retransmit_mult;

    assert_int_equal(n_announced(puppets, 9), n - n_eager);
    assert_int_equal(n_announced(puppets, 10), 2 * n - n_eager);
    assert_int_equal(n_announced(puppets, 99), 2 * n - n_eager);
    assert_int_equal(n_announced(puppets, 100), 3 * n - n_eager);
}

/* News is announced to a few more soon after, and all of it with answers. */
static void test_all_is_announced(void **state)
{
    struct puppets *puppets = *state;
    size_t n = 0;

    puppets_start(puppets, 20);
    puppets_run(puppets, 100);
    for (unsigned i = 0; ping_from(puppets, 12) > 0; i++) {
        assert_true(i < 1000);
    }
    puppets_clear(puppets);
    assert_int_equal(puppets_write(puppets, "a"), 0);
    assert_int_equal(puppets_write(puppets, "b"), 0);
    puppets_run(puppets, NODE_TUNING_DEFAULT.coalesce_ms);
    assert_int_equal(ping_from(puppets, 1), 1);
    assert_int_equal(puppet_seen(puppets, 1, MESSAGE_IHAVE, 0)->message.n_items,
                     2);
    puppets_clear(puppets);
    puppets_run(puppets, 30);
    for (unsigned who = 1; who < puppets->n; who++) {
        n += puppet_n_seen(puppets, who, MESSAGE_IHAVE) > 0 ? 1 : 0;
    }
    assert_true(n >= 5);
    puppets_end(puppets);
}

/* --- sync_stream.c ---------------------------------------------------------
 */

static void open_stream(struct puppets *puppets, bool is_initiator)
{
    struct node_event event = {.type = NODE_EVENT_STREAM_OPENED,
                               .stream = 1,
                               .is_initiator = is_initiator};

    memcpy(event.peer, puppets->keys[1].sign_public, 32);
    puppets_step(puppets, &event);
}

/* A silent stream is over at its time, and no later tick is waited for. */
static void test_stream_ends_in_time(void **state)
{
    struct puppets *puppets = *state;
    uint64_t opened_ms;

    puppets_start(puppets, 3);
    opened_ms = puppets->now_ms;
    open_stream(puppets, true);
    puppets_run(puppets, 1500);
    assert_int_equal(puppets->n_closed, 1);
    assert_int_equal(puppets->closed_ms, opened_ms + 1000);
    opened_ms = puppets->now_ms;
    open_stream(puppets, false);
    puppets_run(puppets, LIMIT_SYNC_STREAM_MS + 500);
    assert_int_equal(puppets->n_closed, 2);
    assert_int_equal(puppets->closed_ms, opened_ms + LIMIT_SYNC_STREAM_MS);
    puppets_end(puppets);
}

/* --- probe.c ---------------------------------------------------------------
 */

static void request(struct puppets *puppets, unsigned from, uint16_t nonce)
{
    uint8_t payload[PACKET_PAYLOAD_MAX];
    struct writer writer = writer_init(payload, sizeof(payload));

    message_put_ping_req(&writer, nonce,
                         record_node_id(puppets->keys[2].sign_public),
                         100u + from);
    puppet_send(puppets, from, &writer);
}

/* The next so many pings, all answered; counts[who] of each. */
static void answer_pings(struct puppets *puppets, unsigned n, unsigned *counts)
{
    for (unsigned i = 0; n > 0; i++) {
        assert_true(i < 100000);
        puppets_clear(puppets);
        puppets_run(puppets, 5);
        for (unsigned who = 1; who < puppets->n && n > 0; who++) {
            const struct puppet_seen *seen =
                puppet_seen(puppets, who, MESSAGE_PING, 0);

            if (seen != NULL) {
                answer(puppets, who, seen->message.nonce);
                counts[who]++;
                n--;
            }
        }
    }
}

/* Probes go in rounds: nobody is left out for long. */
static void test_rounds(void **state)
{
    struct puppets *puppets = *state;
    unsigned counts[9] = {0};

    puppets_start(puppets, ARRAY_SIZE(counts));
    answer_pings(puppets, 24, counts); /* those out of turn among them */
    memset(counts, 0, sizeof(counts));
    answer_pings(puppets, 32, counts);
    for (unsigned who = 1; who < puppets->n; who++) {
        assert_in_range(counts[who], 3, 5); /* the first and last in part */
    }
    puppets_end(puppets);
}

/* An answer goes to the one who asked for it, and only of the target, with
 * its proof. */
static void test_relayed_answer(void **state)
{
    struct puppets *puppets = *state;
    const unsigned askers[] = {1, 3};
    uint8_t proofs[2][PACKET_PROOF_SIZE];
    uint16_t nonces[2];

    puppets_start(puppets, 5);
    request(puppets, 1, 500);
    request(puppets, 3, 600);
    assert_int_equal(puppet_n_seen(puppets, 2, MESSAGE_PING), 2);
    for (size_t i = 0; i < ARRAY_SIZE(nonces); i++) {
        const struct message *message =
            &puppet_seen(puppets, 2, MESSAGE_PING, i)->message;

        nonces[i] = message->nonce;
        assert_int_equal(message->asker_id,
                         record_node_id(puppets->keys[askers[i]].sign_public));
        assert_int_equal(message->challenge, 100 + askers[i]);
        puppet_prove(puppets, 2, askers[i], message->challenge, proofs[i]);
    }
    puppet_send_proof(puppets, 4, nonces[0], proofs[0]); /* not asked */
    answer(puppets, 2, nonces[0]);                       /* proves nothing */
    assert_int_equal(puppet_n_seen(puppets, 1, MESSAGE_ACK), 0);
    puppet_send_proof(puppets, 2, nonces[1], proofs[1]);
    assert_int_equal(puppet_n_seen(puppets, 1, MESSAGE_ACK), 0);
    assert_int_equal(puppet_n_seen(puppets, 3, MESSAGE_ACK), 1);
    assert_int_equal(puppet_seen(puppets, 3, MESSAGE_ACK, 0)->message.nonce,
                     600);
    assert_memory_equal(puppet_seen(puppets, 3, MESSAGE_ACK, 0)->message.proof,
                        proofs[1], sizeof(proofs[1]));
    puppet_send_proof(puppets, 2, nonces[0], proofs[0]);
    assert_int_equal(puppet_n_seen(puppets, 1, MESSAGE_ACK), 1);
    assert_int_equal(puppet_seen(puppets, 1, MESSAGE_ACK, 0)->message.nonce,
                     500);
    /* Once. */
    puppet_send_proof(puppets, 2, nonces[0], proofs[0]);
    puppet_send_proof(puppets, 2, nonces[1], proofs[1]);
    assert_int_equal(puppet_n_seen(puppets, 1, MESSAGE_ACK), 1);
    assert_int_equal(puppet_n_seen(puppets, 3, MESSAGE_ACK), 1);
    puppets_end(puppets);
}

/* --- view_offer.c ----------------------------------------------------------
 */

/* Another record under the number of `seq`. */
static void contradict(struct puppets *puppets, unsigned from, uint64_t seq,
                       struct puppet_record *ret)
{
    uint64_t next = puppets->seq;

    puppets->seq = seq - 1;
    puppet_service(puppets, from, "contradiction", PUPPET_WALL_MS, ret);
    puppets->seq = next;
}

/* Whichever of a writer's records is contradicted, it is noticed. */
static void test_contradiction_of_any(void **state)
{
    struct puppets *puppets = *state;
    const unsigned n_records = 5;

    puppets_start(puppets, 2 + n_records);
    for (unsigned i = 0; i < n_records; i++) {
        unsigned who = 2 + i;
        uint64_t seq = puppets->seq;
        struct puppet_record record;

        for (unsigned j = 0; j < n_records; j++) {
            char instance[16];

            (void)snprintf(instance, sizeof(instance), "i%u", j); /* fits */
            puppet_service(puppets, who, instance, PUPPET_WALL_MS, &record);
            puppet_send_record(puppets, who, &record);
        }
        contradict(puppets, who, seq + 1 + i, &record);
        puppet_send_record(puppets, who, &record);
        assert_int_equal(puppets_counters(puppets)->refused_frozen, i + 1);
        assert_false(
            puppets_has(puppets, who, RECORD_SERVICE, "redis/contradiction"));
    }
    puppets_end(puppets);
}

/* One that was under way for long contradicts nothing, however many there
 * are. */
static void test_late_is_no_contradiction(void **state)
{
    struct puppets *puppets = *state;
    struct puppet_record late;
    struct puppet_record record;

    puppets_start(puppets, 3);
    for (unsigned i = 0; i < 9; i++) {
        char instance[16];

        (void)snprintf(instance, sizeof(instance), "late%u", i); /* fits */
        puppet_service(puppets, 2, instance, PUPPET_WALL_MS, &late);
        (void)snprintf(instance, sizeof(instance), "i%u", i); /* fits */
        puppet_service(puppets, 2, instance, PUPPET_WALL_MS, &record);
        puppet_send_record(puppets, 2, &record);
        puppet_send_record(puppets, 2, &late);
        (void)snprintf(instance, sizeof(instance), "redis/late%u", i);
        assert_true(puppets_has(puppets, 2, RECORD_SERVICE, instance));
    }
    assert_int_equal(puppets_counters(puppets)->refused_frozen, 0);
    puppets_end(puppets);
}

/* What a member signed before its newest member record may come after it. */
static void test_late_service(void **state)
{
    struct puppets *puppets = *state;
    struct puppet_record service;
    struct puppet_record member;

    puppets_start(puppets, 3);
    puppet_service(puppets, 2, "a", PUPPET_WALL_MS, &service);
    puppet_member(puppets, 2, &member);
    puppet_send_record(puppets, 2, &member);
    puppet_send_record(puppets, 2, &service);
    assert_true(puppets_has(puppets, 2, RECORD_SERVICE, "redis/a"));
    puppets_end(puppets);
}

/* A writer that contradicts itself is frozen, or nothing is taken: a record
 * that is wanted again later. */
static void test_contradiction_without_memory(void **state)
{
    struct puppets *puppets = *state;
    bool has_failed = true;

    for (unsigned n = 1; has_failed; n++) {
        struct puppet_record record;
        struct puppet_record contradiction;

        assert_true(n < 100);
        puppets_start(puppets, 3);
        puppets->may_lack_memory = true;
        puppet_service(puppets, 2, "a", PUPPET_WALL_MS, &record);
        puppet_send_record(puppets, 2, &record);
        contradict(puppets, 2, puppets->seq, &contradiction);
        heap_fail_at(n);
        puppet_send_record(puppets, 2, &contradiction);
        has_failed = heap_off();
        assert_false(
            puppets_has(puppets, 2, RECORD_SERVICE, "redis/contradiction"));
        puppet_send_record(puppets, 2, &contradiction);
        assert_false(
            puppets_has(puppets, 2, RECORD_SERVICE, "redis/contradiction"));
        puppet_service(puppets, 2, "b", PUPPET_WALL_MS, &record);
        puppet_send_record(puppets, 2, &record);
        assert_true(puppets_counters(puppets)->refused_frozen >= 2);
        assert_false(puppets_has(puppets, 2, RECORD_SERVICE, "redis/b"));
        puppets_end(puppets);
    }
}

struct examiner {
    const struct puppet_record *refused;
    unsigned n_begun;
    unsigned n_ended;
};

static bool examine(const uint8_t *bytes, size_t size, void *data)
{
    struct examiner *examiner = data;

    if (examiner->refused != NULL && examiner->refused->size == size &&
        memcmp(examiner->refused->bytes, bytes, size) == 0) {
        return false;
    }
    examiner->n_begun++;
    return true;
}

static void examined(void *data)
{
    ((struct examiner *)data)->n_ended++;
}

/* What its owner sets aside is not looked at, whoever sends it. */
static void test_set_aside(void **state)
{
    struct puppets *puppets = *state;
    struct node_event start = {.type = NODE_EVENT_START};
    struct examiner examiner = {.refused = NULL};
    struct puppet_record bad, good;

    puppets_prepare(puppets, 4);
    puppets->examine = examine;
    puppets->examined = examined;
    puppets->examine_data = &examiner;
    assert_int_equal(puppets_make_node(puppets), 0);
    assert_int_equal(examiner.n_begun, 5); /* the charter, certificates */
    puppets_step(puppets, &start);
    puppets_run(puppets, 2000);
    puppet_hello(puppets, 2);
    puppet_service(puppets, 2, "bad", PUPPET_WALL_MS, &bad);
    puppet_service(puppets, 2, "good", PUPPET_WALL_MS, &good);
    examiner.refused = &bad;
    puppet_send_record(puppets, 2, &bad);
    puppet_send_record(puppets, 2, &good);
    assert_int_equal(puppets_counters(puppets)->refused_quarantined, 1);
    assert_false(puppets_has(puppets, 2, RECORD_SERVICE, "redis/bad"));
    assert_true(puppets_has(puppets, 2, RECORD_SERVICE, "redis/good"));
    assert_int_equal(examiner.n_begun, examiner.n_ended);
    puppets_end(puppets);
}

/* By its manifest, or as it leaves for good, a writer ends all services. */
static void make_end(struct puppets *puppets, unsigned from, uint8_t kind,
                     struct puppet_record *ret)
{
    struct body_manifest manifest = {
        .upto = {(uint64_t)PUPPET_BOOT << 32 | 1, puppets->seq}};
    struct body_member member = {.state = BODY_MEMBER_LEFT,
                                 .version = "puppet",
                                 .protocol_min = 1,
                                 .protocol_max = 1};
    uint8_t packed[256];
    size_t size = 0;

    assert_int_equal(
        kind == RECORD_MANIFEST
            ? body_put_manifest(&manifest, packed, sizeof(packed), &size)
            : body_put_member(&member, packed, sizeof(packed), &size),
        0);
    puppet_sign(puppets, from, kind, NULL, 0, packed, size, PUPPET_WALL_MS,
                ret);
}

/* Of a record that ends many others, all is told and erased, or it is not
 * taken. */
static void check_end_without_memory(struct puppets *puppets, uint8_t kind)
{
    const unsigned n_services = 20; /* more than a list has room for */
    bool has_failed = true;

    for (unsigned n = 1; has_failed; n++) {
        struct puppet_record record;
        bool is_taken;

        assert_true(n < 100);
        puppets_start(puppets, 3);
        puppets->may_lack_memory = true;
        for (unsigned i = 0; i < n_services; i++) {
            char instance[16];

            (void)snprintf(instance, sizeof(instance), "i%u", i); /* fits */
            puppet_service(puppets, 2, instance, PUPPET_WALL_MS, &record);
            puppet_send_record(puppets, 2, &record);
        }
        make_end(puppets, 2, kind, &record);
        puppets->actions = node_actions_free(puppets->actions);
        assert_int_equal(node_actions_new(&puppets->actions), 0);
        heap_fail_at(n);
        puppet_send_record(puppets, 2, &record);
        has_failed = heap_off();
        is_taken = !puppets_has(puppets, 2, RECORD_SERVICE, "redis/i0");
        assert_int_equal(puppets->n_erased, is_taken ? n_services : 0);
        assert_int_equal(puppets->n_removed, is_taken ? n_services : 0);
        puppet_send_record(puppets, 2, &record);
        assert_int_equal(puppets->n_erased, n_services);
        assert_int_equal(puppets->n_removed, n_services);
        puppets_end(puppets);
    }
}

static void test_manifest_without_memory(void **state)
{
    check_end_without_memory(*state, RECORD_MANIFEST);
}

static void test_departure_without_memory(void **state)
{
    check_end_without_memory(*state, RECORD_MEMBER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_hello_of_nobody, puppets_setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_rights_of_a_root, puppets_setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_refuted_is_not_probed,
                                        puppets_setup, teardown),
        cmocka_unit_test_setup_teardown(test_copies, puppets_setup, teardown),
        cmocka_unit_test_setup_teardown(test_stream_ends_in_time, puppets_setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_set_back_is_told, puppets_setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_certificate_is_checked,
                                        puppets_setup, teardown),
        cmocka_unit_test_setup_teardown(test_pause_is_told, puppets_setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_service_is_not_owed, puppets_setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_refused_is_not_wanted,
                                        puppets_setup, teardown),
        cmocka_unit_test_setup_teardown(test_indirect_answers, puppets_setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_suspect_is_nudged, puppets_setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_all_is_announced, puppets_setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_late_service, puppets_setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_set_aside, puppets_setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_rounds, puppets_setup, teardown),
        cmocka_unit_test_setup_teardown(test_renewed_key, puppets_setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_relayed_answer, puppets_setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_contradiction_of_any,
                                        puppets_setup, teardown),
        cmocka_unit_test_setup_teardown(test_late_is_no_contradiction,
                                        puppets_setup, teardown),
        cmocka_unit_test_setup_teardown(test_contradiction_without_memory,
                                        puppets_setup, teardown),
        cmocka_unit_test_setup_teardown(test_manifest_without_memory,
                                        puppets_setup, teardown),
        cmocka_unit_test_setup_teardown(test_departure_without_memory,
                                        puppets_setup, teardown),
    };

    if (sodium_init() < 0) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
