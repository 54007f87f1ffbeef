/*
 * Two keys with one name, mesh address or subnet: gossip/node/clash.c.  All
 * nodes find the same, in whatever order they hear of it.
 */
#include <stdlib.h>

#include "gossip/base/rng.h"
#include "tests/unit/puppet.h"

/* Puppets from here on have keys, and what certificate a test gives them. */
#define RIVAL   10
#define RIVALS  40
#define ORDERS  12
#define SECOND  2 /* is made an issuer by some tests, as 1 is */
#define WITNESS 1 /* sends what nobody else has to */

static int setup(void **state)
{
    struct puppets *puppets = calloc(1, sizeof(*puppets));

    assert_non_null(puppets);
    puppets_start(puppets, 5);
    *state = puppets;
    return 0;
}

static void certify(struct puppets *puppets, unsigned issuer,
                    const struct body_certificate *body)
{
    struct puppet_record record;

    puppet_certify(puppets, issuer, issuer == PUPPET_ROOT ? 0 : issuer + 1,
                   PUPPET_WALL_MS, body, &record);
    puppet_send_record(puppets, WITNESS, &record);
}

/* What a rival would have that clashes with nobody. */
static struct body_certificate rival_body(struct puppets *puppets, unsigned who)
{
    puppets->keys[who] = support_keys_make((uint8_t)(who + 1));
    return puppet_body(&puppets->keys[who], who);
}

static void make_issuer(struct puppets *puppets, unsigned who)
{
    struct body_certificate body = puppet_body(&puppets->keys[who], who);

    body.roles |= BODY_ROLE_ISSUER;
    certify(puppets, PUPPET_ROOT, &body);
}

static void assert_lost(const struct puppets *puppets, unsigned loser,
                        unsigned winner, enum node_clash over)
{
    struct node_member member = puppets_member(puppets, loser);

    assert_int_equal(member.denial, NODE_DENIAL_CLASH);
    assert_int_equal(member.clash, over);
    assert_memory_equal(member.winner, puppets->keys[winner].sign_public, 32);
    assert_int_equal(member.state, NODE_MEMBER_REMOVED);
    assert_int_equal(puppets_member(puppets, winner).denial, NODE_DENIAL_NONE);
}

static void assert_has(const struct puppets *puppets, unsigned who)
{
    assert_int_equal(puppets_member(puppets, who).denial, NODE_DENIAL_NONE);
    assert_int_equal(puppets_member(puppets, who).clash, NODE_CLASH_NONE);
}

static bool has_service(const struct puppets *puppets, unsigned from,
                        const char *key)
{
    struct record record;

    return node_record_find(puppets->node, puppets->keys[from].sign_public,
                            RECORD_SERVICE, (const uint8_t *)key, strlen(key),
                            &record);
}

static void send_service(struct puppets *puppets, unsigned from,
                         const char *instance)
{
    struct puppet_record record;

    puppet_service(puppets, from, instance, PUPPET_WALL_MS, &record);
    puppet_send_record(puppets, WITNESS, &record);
}

/* --- Who wins ----------------------------------------------------------------
 */

/* The lower serial has it, whichever comes first: a name in another spelling,
 * a mesh address with another port, a subnet in a subnet. */
static void clash_over(void **state, enum node_clash over, unsigned first)
{
    struct puppets *puppets = *state;
    struct body_certificate bodies[2] = {rival_body(puppets, RIVAL),
                                         rival_body(puppets, RIVAL + 1)};

    make_issuer(puppets, SECOND);
    switch (over) {
    case NODE_CLASH_NAME:
        (void)snprintf(bodies[0].name, sizeof(bodies[0].name), "web_A");
        (void)snprintf(bodies[1].name, sizeof(bodies[1].name), "WEB-a");
        break;
    case NODE_CLASH_MESH:
        bodies[1].mesh[1] = bodies[0].mesh[0];
        bodies[1].mesh[1].port = 9;
        bodies[1].n_mesh = 2;
        break;
    case NODE_CLASH_SUBNET:
        bodies[first].subnets[0] = (struct prefix){{4, {10, 70, 9, 64}}, 26};
        bodies[1 - first].subnets[1] = (struct prefix){{4, {10, 70, 8}}, 22};
        bodies[1 - first].n_subnets = 2;
        break;
    case NODE_CLASH_NONE:
    default:
        fail();
    }
    certify(puppets, 1 + first, &bodies[first]);
    assert_has(puppets, RIVAL + first);
    certify(puppets, 2 - first, &bodies[1 - first]);
    assert_lost(puppets, RIVAL + 1, RIVAL, over);
}

static void test_name(void **state)
{
    clash_over(state, NODE_CLASH_NAME, 0);
}

static void test_name_reversed(void **state)
{
    clash_over(state, NODE_CLASH_NAME, 1);
}

static void test_mesh(void **state)
{
    clash_over(state, NODE_CLASH_MESH, 0);
}

static void test_mesh_reversed(void **state)
{
    clash_over(state, NODE_CLASH_MESH, 1);
}

static void test_subnet(void **state)
{
    clash_over(state, NODE_CLASH_SUBNET, 0);
}

static void test_subnet_reversed(void **state)
{
    clash_over(state, NODE_CLASH_SUBNET, 1);
}

/* A root's certificate is better than any serial of an issuer. */
static void test_root_wins(void **state)
{
    struct puppets *puppets = *state;
    struct body_certificate issued = rival_body(puppets, RIVAL);
    struct body_certificate by_root = rival_body(puppets, RIVAL + 1);

    issued.serial = 1;
    issued.subnets[0] = by_root.subnets[0];
    certify(puppets, 1, &issued);
    assert_has(puppets, RIVAL);
    certify(puppets, PUPPET_ROOT, &by_root);
    assert_lost(puppets, RIVAL, RIVAL + 1, NODE_CLASH_SUBNET);
}

/* A renewal is another record under the same serial, and changes nothing. */
static void test_renewal_keeps_the_winner(void **state)
{
    struct puppets *puppets = *state;
    struct body_certificate winner = rival_body(puppets, RIVAL);
    struct body_certificate loser = rival_body(puppets, RIVAL + 1);

    memcpy(loser.name, winner.name, sizeof(loser.name));
    certify(puppets, 1, &winner);
    certify(puppets, 1, &loser);
    for (unsigned i = 0; i < 10; i++) {
        winner.not_after_s++;
        loser.not_after_s++;
        certify(puppets, 1, i % 2 == 0 ? &winner : &loser);
        assert_lost(puppets, RIVAL + 1, RIVAL, NODE_CLASH_NAME);
    }
}

/* Who lost has nothing, so that a third keeps what only the loser disputed. */
static void test_loser_takes_nothing(void **state)
{
    struct puppets *puppets = *state;
    struct body_certificate first = rival_body(puppets, RIVAL);
    struct body_certificate second = rival_body(puppets, RIVAL + 1);
    struct body_certificate third = rival_body(puppets, RIVAL + 2);

    memcpy(second.name, first.name, sizeof(second.name));
    second.mesh[1] = third.mesh[0];
    second.n_mesh = 2;
    certify(puppets, 1, &third);
    certify(puppets, 1, &second);
    assert_lost(puppets, RIVAL + 2, RIVAL + 1, NODE_CLASH_MESH);
    certify(puppets, 1, &first);
    assert_lost(puppets, RIVAL + 1, RIVAL, NODE_CLASH_NAME);
    assert_has(puppets, RIVAL + 2);
}

/* An issuer that lost certifies nobody; nobody that it certified is in the way
 * of another. */
static void test_issuer_loses(void **state)
{
    struct puppets *puppets = *state;
    struct body_certificate issued = rival_body(puppets, RIVAL);
    struct body_certificate other = rival_body(puppets, RIVAL + 1);
    struct body_certificate better = puppet_body(&puppets->keys[SECOND], 1);

    make_issuer(puppets, SECOND);
    memcpy(other.name, issued.name, sizeof(other.name));
    certify(puppets, SECOND, &issued);
    certify(puppets, 1, &other);
    assert_lost(puppets, RIVAL + 1, RIVAL, NODE_CLASH_NAME);
    /* The second issuer is given the first one's name. */
    better.serial = SECOND + 1;
    certify(puppets, PUPPET_ROOT, &better);
    assert_lost(puppets, SECOND, 1, NODE_CLASH_NAME);
    assert_int_equal(puppets_member(puppets, RIVAL).denial, NODE_DENIAL_ISSUER);
    assert_has(puppets, RIVAL + 1);
}

/* Hosts share the whole of a shared range, and no part of it. */
static void test_shared_range(void **state)
{
    struct puppets *puppets = *state;
    struct body_certificate bodies[3] = {rival_body(puppets, RIVAL),
                                         rival_body(puppets, RIVAL + 1),
                                         rival_body(puppets, RIVAL + 2)};
    struct prefix shared = {{4, {10, 70, 200}}, 24};
    const uint8_t *hash = NULL;
    struct body_charter charter = *node_charter(puppets->node, &hash);
    struct puppet_record record;

    for (size_t i = 0; i < 3; i++) {
        bodies[i].subnets[0] = shared;
    }
    bodies[2].subnets[0].len = 25;
    for (size_t i = 0; i < 3; i++) {
        certify(puppets, 1, &bodies[i]);
    }
    assert_lost(puppets, RIVAL + 1, RIVAL, NODE_CLASH_SUBNET);
    charter.generation++;
    memcpy(charter.previous, hash, sizeof(charter.previous));
    charter.n_signatures = 0;
    charter.shared[0] = shared;
    charter.n_shared = 1;
    assert_int_equal(body_sign_charter((const uint8_t[16]){0xc1, 0xc2},
                                       puppets->root.sign_secret, &charter),
                     0);
    puppet_charter(puppets, &charter, &puppets->root, PUPPET_WALL_MS, &record);
    puppet_send_record(puppets, WITNESS, &record);
    assert_has(puppets, RIVAL);
    assert_has(puppets, RIVAL + 1);
    assert_lost(puppets, RIVAL + 2, RIVAL, NODE_CLASH_SUBNET);
}

/* --- What follows ------------------------------------------------------------
 */

/* Puppet 4 is given the name of 3, whose serial is the lower one. */
static void rename_four(struct puppets *puppets)
{
    struct body_certificate body = puppet_body(&puppets->keys[4], 4);

    memcpy(body.name, "n3", sizeof("n3"));
    body.not_after_s++;
    certify(puppets, PUPPET_ROOT, &body);
    assert_lost(puppets, 4, 3, NODE_CLASH_NAME);
}

/* With the loser goes what it wrote; and when the winner is revoked it is back.
 */
static void test_loser_is_out(void **state)
{
    struct puppets *puppets = *state;
    struct puppet_record record;

    send_service(puppets, 4, "a");
    assert_true(has_service(puppets, 4, "redis/a"));
    rename_four(puppets);
    assert_false(has_service(puppets, 4, "redis/a"));
    send_service(puppets, 4, "b");
    assert_false(has_service(puppets, 4, "redis/b"));
    puppet_revoke(puppets, 1, puppets->keys[3].sign_public, false,
                  PUPPET_WALL_MS, &record);
    puppet_send_record(puppets, WITNESS, &record);
    assert_int_equal(puppets_member(puppets, 3).denial, NODE_DENIAL_REVOKED);
    assert_has(puppets, 4);
    puppet_member(puppets, 4, &record);
    puppet_send_record(puppets, 4, &record);
    assert_int_equal(puppets_member(puppets, 4).state, NODE_MEMBER_ALIVE);
    send_service(puppets, 4, "c");
    assert_true(has_service(puppets, 4, "redis/c"));
}

static void send_departure(struct puppets *puppets, unsigned who)
{
    struct body_member body = {
        .state = BODY_MEMBER_LEFT, .protocol_min = 2, .protocol_max = 2};
    struct puppet_record record;
    uint8_t packed[128];
    size_t size = 0;

    assert_int_equal(body_put_member(&body, packed, sizeof(packed), &size), 0);
    puppet_sign(puppets, who, RECORD_MEMBER, NULL, 0, packed, size,
                PUPPET_WALL_MS, &record);
    puppet_send_record(puppets, WITNESS, &record);
}

/* Who left for good has no name any more, whether it had won or lost. */
static void test_winner_leaves(void **state)
{
    struct puppets *puppets = *state;

    rename_four(puppets);
    send_departure(puppets, 3);
    assert_int_equal(puppets_member(puppets, 3).state, NODE_MEMBER_LEFT);
    assert_has(puppets, 4);
}

static void test_loser_leaves(void **state)
{
    struct puppets *puppets = *state;
    uint64_t fingerprint;

    rename_four(puppets);
    fingerprint = node_fingerprint(puppets->node);
    send_departure(puppets, 4);
    assert_int_equal(puppets_member(puppets, 4).state, NODE_MEMBER_LEFT);
    assert_has(puppets, 4);
    assert_int_not_equal(node_fingerprint(puppets->node), fingerprint);
    assert_has(puppets, 3);
}

/* A name is free 90 days after its holder's end, renewed or not. */
static void test_winner_is_long_over(void **state)
{
    struct puppets *puppets = *state;
    struct body_certificate body = puppet_body(&puppets->keys[3], 3);
    struct node_event event = {.type = NODE_EVENT_TICK};

    body.not_after_s = PUPPET_WALL_MS / 1000 + 100;
    body.serial = 4;
    body.generation++;
    certify(puppets, PUPPET_ROOT, &body);
    rename_four(puppets);
    puppets->now_ms += UINT64_C(1000) * LIMIT_CERT_RENEW_S;
    puppets_step(puppets, &event);
    assert_lost(puppets, 4, 3, NODE_CLASH_NAME);
    assert_true(node_deadline_ms(puppets->node) <= puppets->now_ms + 101000);
    puppets->now_ms += 101000;
    puppets_step(puppets, &event);
    assert_has(puppets, 4);
    assert_lost(puppets, 3, 4, NODE_CLASH_NAME);
}

/* --- Whom it concerns --------------------------------------------------------
 */

static bool is_shown(const struct puppets *puppets, uint8_t kind,
                     const uint8_t key[32])
{
    struct record record;

    return puppets->hello.shown_size > 0 &&
           record_parse(puppets->hello.shown, puppets->hello.shown_size,
                        &record) == 0 &&
           record.kind == kind && memcmp(record.key, key, 32) == 0;
}

/* Who is out is shown the record that decided it, once a second; a stranger
 * who has not its key is not. */
static void test_loser_is_told(void **state)
{
    struct puppets *puppets = *state;
    unsigned n_hellos;

    rename_four(puppets);
    puppets->now_ms += 2000;
    n_hellos = puppets->n_hellos;
    puppets->has_no_key = true;
    puppet_send_ping(puppets, 4, MESSAGE_PING, 1, 2);
    assert_int_equal(puppets->n_hellos, n_hellos);
    puppets->has_no_key = false;
    puppet_send_ping(puppets, 4, MESSAGE_PING, 1, 2);
    assert_int_equal(puppets->n_hellos, n_hellos + 1);
    assert_true(
        is_shown(puppets, RECORD_CERTIFICATE, puppets->keys[3].sign_public));
    puppet_send_ping(puppets, 4, MESSAGE_PING, 1, 2);
    assert_int_equal(puppets->n_hellos, n_hellos + 1);
}

static void test_revoked_is_told(void **state)
{
    struct puppets *puppets = *state;
    struct puppet_record record;

    puppet_revoke(puppets, 1, puppets->keys[4].sign_public, false,
                  PUPPET_WALL_MS, &record);
    puppet_send_record(puppets, WITNESS, &record);
    puppets->now_ms += 2000;
    puppet_hello(puppets, 4);
    assert_true(
        is_shown(puppets, RECORD_REVOCATION, puppets->keys[4].sign_public));
}

/* We are the one who lost: a member shows why.  We write nothing but that we
 * live, and are back when the other goes. */
static void test_we_lose(void **state)
{
    struct puppets *puppets = *state;
    struct body_certificate body = rival_body(puppets, RIVAL);
    struct puppet_record record;

    assert_int_equal(puppets_write(puppets, "a"), 0);
    memcpy(body.name, "n0", sizeof("n0"));
    body.serial = 1;
    memset(body.sign_public, 0, 32); /* the lower key */
    puppet_certify(puppets, PUPPET_ROOT, 0, PUPPET_WALL_MS, &body, &record);
    puppet_hello_with(puppets, 3, NULL, &record);
    assert_int_equal(puppets_member(puppets, 0).denial, NODE_DENIAL_CLASH);
    assert_int_equal(puppets_write(puppets, "b"), NODE_E_NOT_ALLOWED);
    assert_true(has_service(puppets, 0, "redis/a"));
    puppet_revoke(puppets, PUPPET_ROOT, body.sign_public, false, PUPPET_WALL_MS,
                  &record);
    puppet_send_record(puppets, WITNESS, &record);
    assert_has(puppets, 0);
    assert_int_equal(puppets_write(puppets, "b"), 0);
}

/* --- All nodes alike ---------------------------------------------------------
 */

struct verdict {
    enum node_denial denial;
    enum node_clash over;
    uint8_t winner[32];
};

/* What one node holds at the end. */
struct outcome {
    struct verdict verdicts[RIVALS];
    size_t n_records;
};

static void see(const struct puppets *puppets, struct outcome *ret)
{
    memset(ret, 0, sizeof(*ret));
    for (unsigned i = 0; i < RIVALS; i++) {
        struct verdict *verdict = &ret->verdicts[i];
        struct node_member member;

        /* Who never was a member is as good as revoked. */
        verdict->denial = NODE_DENIAL_REVOKED;
        if (!node_member_find(puppets->node,
                              puppets->keys[RIVAL + i].sign_public, &member)) {
            continue;
        }
        verdict->denial = member.denial;
        verdict->over = member.clash;
        memcpy(verdict->winner, member.winner, 32);
    }
    ret->n_records = node_n_records(puppets->node);
}

/* Certificates that clash in every way, by a root and two issuers, some ended
 * long ago; and then revocations. */
static size_t make_records(struct puppets *puppets, struct rng *rng,
                           struct puppet_record *ret)
{
    size_t n = 0;

    for (unsigned i = 0; i < RIVALS; i++) {
        struct body_certificate body = rival_body(puppets, RIVAL + i);
        unsigned issuer = (unsigned)rng_below(rng, 3);

        (void)snprintf(body.name, sizeof(body.name), "h%u",
                       (unsigned)rng_below(rng, RIVALS));
        body.mesh[0].address.bytes[3] = (uint8_t)(100 + rng_below(rng, RIVALS));
        body.subnets[0] = (struct prefix){
            {4, {10, 70, (uint8_t)(100 + rng_below(rng, RIVALS) / 4 * 4)}},
            (uint8_t)(22 + rng_below(rng, 3))};
        body.serial = 1000 + rng_below(rng, 20);
        if (rng_below(rng, 8) == 0) {
            body.not_after_s = PUPPET_WALL_MS / 1000 - 91 * 86400;
        }
        puppet_certify(puppets, issuer == 0 ? PUPPET_ROOT : issuer,
                       issuer == 0 ? 0 : issuer + 1, PUPPET_WALL_MS, &body,
                       &ret[n++]);
    }
    for (unsigned i = 0; i < RIVALS; i += 5) {
        puppet_revoke(puppets, 1, puppets->keys[RIVAL + i].sign_public, false,
                      PUPPET_WALL_MS, &ret[n++]);
    }
    return n;
}

static void shuffle(struct puppet_record *records, size_t n, struct rng *rng)
{
    for (size_t i = n; i > 1; i--) {
        size_t other = rng_below(rng, i);
        struct puppet_record record = records[i - 1];

        records[i - 1] = records[other];
        records[other] = record;
    }
}

/* A new node that is told, or has stored, all of it. */
static void run_order(struct puppets *puppets,
                      const struct puppet_record *records, size_t n,
                      bool is_stored, struct outcome *ret)
{
    struct node_event start = {.type = NODE_EVENT_START};

    puppets->node = node_free(puppets->node);
    assert_int_equal(puppets_make_node(puppets), 0);
    for (size_t i = 0; i < n && is_stored; i++) {
        assert_int_equal(node_load(puppets->node, records[i].bytes,
                                   records[i].size, PUPPET_WALL_MS),
                         0);
    }
    puppets_step(puppets, &start);
    puppets_run(puppets, 3000);
    puppet_hello(puppets, WITNESS);
    for (size_t i = 0; i < n && !is_stored; i++) {
        puppet_send_record(puppets, WITNESS, &records[i]);
        puppets->now_ms += 10;
    }
    puppets_run(puppets, 3000);
    see(puppets, ret);
}

static void test_any_order(void **state)
{
    struct puppets *puppets = *state;
    uint64_t seed = randombytes_random();
    struct rng rng = rng_init(seed);
    struct puppet_record *records = calloc(2 * RIVALS, sizeof(*records));
    struct outcome first, other;
    struct body_certificate issuer =
        puppet_body(&puppets->keys[SECOND], SECOND);
    size_t n, n_lost = 0;

    issuer.roles |= BODY_ROLE_ISSUER;
    puppet_certify(puppets, PUPPET_ROOT, 0, PUPPET_WALL_MS, &issuer,
                   &puppets->certificates[SECOND]);
    print_message("seed %llu\n", (unsigned long long)seed);
    assert_non_null(records);
    n = make_records(puppets, &rng, records);
    run_order(puppets, records, n, false, &first);
    for (unsigned i = 0; i < RIVALS; i++) {
        n_lost += first.verdicts[i].denial == NODE_DENIAL_CLASH;
    }
    assert_true(n_lost > 3);
    for (unsigned i = 0; i < ORDERS; i++) {
        shuffle(records, n, &rng);
        run_order(puppets, records, n, i % 3 == 0, &other);
        assert_memory_equal(&first.verdicts, &other.verdicts,
                            sizeof(first.verdicts));
        assert_int_equal(first.n_records, other.n_records);
    }
    free(records);
}

#define CLASH_TEST(name)                                                       \
    cmocka_unit_test_setup_teardown(name, setup, puppets_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLASH_TEST(test_name),
        CLASH_TEST(test_name_reversed),
        CLASH_TEST(test_mesh),
        CLASH_TEST(test_mesh_reversed),
        CLASH_TEST(test_subnet),
        CLASH_TEST(test_subnet_reversed),
        CLASH_TEST(test_root_wins),
        CLASH_TEST(test_renewal_keeps_the_winner),
        CLASH_TEST(test_loser_takes_nothing),
        CLASH_TEST(test_issuer_loses),
        CLASH_TEST(test_shared_range),
        CLASH_TEST(test_loser_is_out),
        CLASH_TEST(test_winner_leaves),
        CLASH_TEST(test_loser_leaves),
        CLASH_TEST(test_winner_is_long_over),
        CLASH_TEST(test_loser_is_told),
        CLASH_TEST(test_revoked_is_told),
        CLASH_TEST(test_we_lose),
        CLASH_TEST(test_any_order),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
