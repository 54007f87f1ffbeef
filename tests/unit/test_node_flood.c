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

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_no_liar_keeps_the_dead_alive),
        TEST(test_proof_of_a_helper),
        TEST(test_proves_itself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
