/*
 * Charters, certificates and revocations in a node, as hostile members and
 * issuers would have them: gossip/node/charter.c, certify.c and rights.c.
 */
#include <stdlib.h>

#include "tests/unit/puppet.h"

#define STRANGER 150

static const uint8_t cluster[RECORD_CLUSTER_SIZE] = {0xc1, 0xc2};

static int setup(void **state)
{
    struct puppets *puppets = calloc(1, sizeof(*puppets));

    assert_non_null(puppets);
    puppets_start(puppets, 5);
    *state = puppets;
    return 0;
}

static bool is_member(const struct puppets *puppets, const uint8_t key[32],
                      struct node_member *ret)
{
    return node_member_find(puppets->node, key, ret) &&
           ret->denial == NODE_DENIAL_NONE;
}

/* What puppet 1, an issuer, would give a stranger. */
static struct body_certificate stranger_body(struct support_keys *ret_keys)
{
    *ret_keys = support_keys_make(STRANGER);
    return puppet_body(ret_keys, STRANGER);
}

static void certify(struct puppets *puppets, unsigned issuer,
                    const struct body_certificate *body)
{
    struct puppet_record record;

    puppet_certify(puppets, issuer, issuer == PUPPET_ROOT ? 0 : issuer + 1,
                   PUPPET_WALL_MS, body, &record);
    puppet_send_record(puppets, 4, &record);
}

static void send_service(struct puppets *puppets, unsigned from,
                         const char *instance, uint64_t wall_ms)
{
    struct puppet_record record;

    puppet_service(puppets, from, instance, wall_ms, &record);
    puppet_send_record(puppets, 4, &record);
}

/* --- Ranges ------------------------------------------------------------------
 */

/* An issuer gives a stranger addresses that are not the cluster's: of the
 * Internet, of the underlay, mesh for containers.  It is passed on, and makes
 * nobody a member. */
static void test_addresses_outside_the_ranges(void **state)
{
    static const struct prefix subnets[] = {{{4, {8, 8, 8}}, 24},
                                            {{4, {10, 255}}, 25},
                                            {{4, {10, 9, 7}}, 24},
                                            {{4, {10}}, 8}};
    struct puppets *puppets = *state;
    struct support_keys keys;
    struct body_certificate body = stranger_body(&keys);
    struct node_member member;

    for (size_t i = 0; i < ARRAY_SIZE(subnets); i++) {
        body.subnets[0] = subnets[i];
        certify(puppets, 1, &body);
        assert_false(is_member(puppets, keys.sign_public, &member));
    }
    body = stranger_body(&keys);
    body.mesh[0].address = (struct address){4, {10, 255, 0, 1}};
    certify(puppets, 1, &body);
    assert_false(is_member(puppets, keys.sign_public, &member));
    body = stranger_body(&keys);
    certify(puppets, 1, &body);
    assert_true(is_member(puppets, keys.sign_public, &member));
}

/* --- Issuers -----------------------------------------------------------------
 */

/* Under a serial that is not its certificate's an issuer issues nothing. */
static void test_issuer_under_a_wrong_serial(void **state)
{
    struct puppets *puppets = *state;
    struct support_keys keys;
    struct body_certificate body = stranger_body(&keys);
    uint64_t before = puppets_counters(puppets)->refused_writer;
    struct puppet_record record;
    struct node_member member;

    puppet_certify(puppets, 1, 77, PUPPET_WALL_MS, &body, &record);
    puppet_send_record(puppets, 4, &record);
    assert_int_equal(puppets_counters(puppets)->refused_writer, before + 1);
    assert_false(is_member(puppets, keys.sign_public, &member));
}

/* Nor after its end, whatever our clock says; nor for longer than itself. */
static void test_issuer_past_its_end(void **state)
{
    struct puppets *puppets = *state;
    struct body_certificate issuer = puppet_body(&puppets->keys[1], 1);
    struct support_keys keys;
    struct body_certificate body = stranger_body(&keys);
    uint64_t end_s = PUPPET_WALL_MS / 1000 + 100;
    struct puppet_record record;
    struct node_member member;

    issuer.not_after_s = end_s;
    certify(puppets, PUPPET_ROOT, &issuer);
    body.not_after_s = end_s + 1;
    certify(puppets, 1, &body);
    assert_int_equal(puppets_counters(puppets)->refused_expired, 1);
    body.not_after_s = end_s;
    puppet_certify(puppets, 1, 2, (end_s + 1) * 1000, &body, &record);
    puppet_send_record(puppets, 4, &record);
    assert_int_equal(puppets_counters(puppets)->refused_expired, 2);
    assert_false(is_member(puppets, keys.sign_public, &member));
    puppets->now_ms += 200 * 1000; /* past its end by our clock */
    puppet_certify(puppets, 1, 2, end_s * 1000, &body, &record);
    puppet_send_record(puppets, 4, &record);
    assert_true(is_member(puppets, keys.sign_public, &member));
}

static void test_issuers_make_no_issuers(void **state)
{
    struct puppets *puppets = *state;
    struct support_keys keys;
    struct body_certificate body = stranger_body(&keys);
    uint64_t before = puppets_counters(puppets)->refused_rights;

    body.roles |= BODY_ROLE_ISSUER;
    certify(puppets, 1, &body);
    assert_int_equal(puppets_counters(puppets)->refused_rights, before + 1);
}

/* The highest generation of an issuer does not outrank a root. */
static void test_root_outranks_generations(void **state)
{
    struct puppets *puppets = *state;
    struct body_certificate body = puppet_body(&puppets->keys[3], 3);

    body.generation = UINT32_MAX;
    body.serial = 99;
    body.n_functions = 0;
    certify(puppets, 1, &body);
    assert_int_equal(puppets_member(puppets, 3).certificate->serial, 4);
    body.generation = 2;
    certify(puppets, PUPPET_ROOT, &body);
    assert_int_equal(puppets_member(puppets, 3).certificate->serial, 99);
}

/* Of one grant the later end counts, whoever renewed it. */
static void test_renewal_is_the_later_end(void **state)
{
    struct puppets *puppets = *state;
    struct body_certificate second = puppet_body(&puppets->keys[2], 2);
    struct support_keys keys;
    struct body_certificate body = stranger_body(&keys);
    struct node_member member;

    second.roles |= BODY_ROLE_ISSUER;
    certify(puppets, PUPPET_ROOT, &second);
    body.not_after_s = PUPPET_WALL_MS / 1000 + 2000;
    certify(puppets, 1, &body);
    body.not_after_s -= 1000;
    certify(puppets, 2, &body);
    assert_true(is_member(puppets, keys.sign_public, &member));
    assert_int_equal(member.certificate->not_after_s,
                     PUPPET_WALL_MS / 1000 + 2000);
    body.not_after_s += 5000;
    certify(puppets, 2, &body);
    assert_true(is_member(puppets, keys.sign_public, &member));
    assert_int_equal(member.certificate->not_after_s,
                     PUPPET_WALL_MS / 1000 + 6000);
}

/* An issuer may say for longer what a root said, and nothing else; what a root
 * says anew is better again. */
static void test_issuer_renews_a_roots(void **state)
{
    struct puppets *puppets = *state;
    struct body_certificate body = puppet_body(&puppets->keys[3], 3);
    uint64_t end_s = PUPPET_WALL_MS / 1000 + 1000;

    body.generation++;
    body.not_after_s = end_s;
    certify(puppets, PUPPET_ROOT, &body);
    body.not_after_s = end_s + 5000;
    body.functions[0][0] = 'R';
    certify(puppets, 1, &body);
    assert_int_equal(puppets_member(puppets, 3).certificate->not_after_s,
                     end_s);
    body.functions[0][0] = 'r';
    certify(puppets, 1, &body);
    assert_int_equal(puppets_member(puppets, 3).certificate->not_after_s,
                     end_s + 5000);
    body.serial = 44;
    body.generation++;
    body.n_functions = 0;
    body.not_after_s = end_s + 1;
    certify(puppets, PUPPET_ROOT, &body);
    assert_int_equal(puppets_member(puppets, 3).certificate->serial, 44);
}

/* --- Expiry ------------------------------------------------------------------
 */

/* What an expired member wrote before stays, and comes in whenever it comes;
 * what it writes after is refused, by its own clock and so by everybody.  That
 * it lives it may say. */
static void test_expired_writes_nothing_new(void **state)
{
    struct puppets *puppets = *state;
    struct body_certificate body = puppet_body(&puppets->keys[3], 3);
    uint64_t end_s = PUPPET_WALL_MS / 1000 + 100;
    struct puppet_record record;
    size_t n_records;

    send_service(puppets, 3, "installed", PUPPET_WALL_MS);
    body.not_after_s = end_s;
    certify(puppets, PUPPET_ROOT, &body);
    puppets->now_ms += 1000 * 1000;
    send_service(puppets, 3, "before", end_s * 1000);
    send_service(puppets, 3, "after", (end_s + 1) * 1000);
    assert_int_equal(puppets_counters(puppets)->refused_expired, 1);
    assert_true(puppets_has(puppets, 3, RECORD_SERVICE, "redis/installed"));
    assert_true(puppets_has(puppets, 3, RECORD_SERVICE, "redis/before"));
    assert_false(puppets_has(puppets, 3, RECORD_SERVICE, "redis/after"));
    n_records = node_n_records(puppets->node);
    puppet_member(puppets, 3, &record);
    puppet_send_record(puppets, 3, &record);
    assert_int_equal(node_n_records(puppets->node), n_records);
    assert_int_equal(puppets_counters(puppets)->refused_expired, 1);
    assert_int_equal(puppets_member(puppets, 3).state, NODE_MEMBER_ALIVE);
}

static uint64_t own_serial(const struct puppets *puppets, uint8_t kind,
                           const char *key)
{
    struct record record;

    assert_true(node_record_find(puppets->node, puppets->keys[0].sign_public,
                                 kind, (const uint8_t *)key, strlen(key),
                                 &record));
    return record.serial;
}

/* Of a new grant that is over already we write that we live; the rest when it
 * is renewed. */
static void test_new_grant_that_is_over(void **state)
{
    struct puppets *puppets = *state;
    struct body_certificate body = puppet_body(&puppets->keys[0], 0);

    assert_int_equal(puppets_write(puppets, "a"), 0);
    assert_int_equal(puppets_write(puppets, "b"), 0);
    body.serial = 50;
    body.generation++;
    body.not_after_s = PUPPET_WALL_MS / 1000 - 100;
    certify(puppets, PUPPET_ROOT, &body);
    puppets_run(puppets, 3000);
    assert_int_equal(own_serial(puppets, RECORD_MEMBER, ""), 50);
    assert_int_equal(own_serial(puppets, RECORD_SERVICE, "redis/a"), 1);
    body.not_after_s += 10000;
    certify(puppets, 1, &body);
    puppets_run(puppets, 3000);
    assert_int_equal(own_serial(puppets, RECORD_SERVICE, "redis/a"), 50);
    assert_int_equal(own_serial(puppets, RECORD_SERVICE, "redis/b"), 50);
}

/* Where a packet of another format came from, once a second. */
static void test_other_format(void **state)
{
    struct puppets *puppets = *state;
    uint8_t bytes[64] = {1, 1};
    struct node_foreign foreign;
    struct node_event event = {.type = NODE_EVENT_DATAGRAM,
                               .from = {{4, {10, 9, 0, 77}}, 7720},
                               .bytes = bytes,
                               .size = sizeof(bytes)};

    assert_true(node_foreign(puppets->node).at_ms == 0);
    puppets_step(puppets, &event);
    assert_int_equal(node_foreign(puppets->node).version, 1);
    foreign = node_foreign(puppets->node);
    assert_true(endpoint_equal(&foreign.from, &event.from));
    event.from.port = 9;
    puppets_step(puppets, &event);
    assert_int_equal(node_foreign(puppets->node).from.port, 7720);
    puppets->now_ms += 1000;
    puppets_step(puppets, &event);
    assert_int_equal(node_foreign(puppets->node).from.port, 9);
}

/* --- Revocation --------------------------------------------------------------
 */

/* A revoked member is gone with all it wrote: its packets are dropped, its
 * records refused.  A root undoes it. */
static void test_revoked_is_out(void **state)
{
    struct puppets *puppets = *state;
    const uint8_t *key = puppets->keys[3].sign_public;
    struct puppet_record record;
    uint64_t refused;

    send_service(puppets, 3, "a", PUPPET_WALL_MS);
    assert_true(puppets_has(puppets, 3, RECORD_SERVICE, "redis/a"));
    puppets_clear(puppets);
    puppet_revoke(puppets, 1, key, false, PUPPET_WALL_MS, &record);
    puppet_send_record(puppets, 4, &record);
    assert_false(puppets_has(puppets, 3, RECORD_SERVICE, "redis/a"));
    assert_int_equal(puppets_member(puppets, 3).state, NODE_MEMBER_REMOVED);
    assert_int_equal(puppets_member(puppets, 3).denial, NODE_DENIAL_REVOKED);
    assert_true(puppets->n_removed >= 2); /* service and member record */
    refused = puppets_counters(puppets)->refused_writer;
    send_service(puppets, 3, "b", PUPPET_WALL_MS);
    assert_int_equal(puppets_counters(puppets)->refused_writer, refused + 1);
    refused = puppets_counters(puppets)->dropped_unknown_peer;
    puppet_service(puppets, 3, "c", PUPPET_WALL_MS, &record);
    puppet_send_record(puppets, 3, &record);
    assert_int_equal(puppets_counters(puppets)->dropped_unknown_peer,
                     refused + 1);
    assert_int_equal(puppets_member(puppets, 3).state, NODE_MEMBER_REMOVED);
    /* An issuer undoes nothing, not even its own. */
    refused = puppets_counters(puppets)->refused_rights;
    puppet_revoke(puppets, 1, key, true, PUPPET_WALL_MS + 1, &record);
    puppet_send_record(puppets, 4, &record);
    assert_int_equal(puppets_counters(puppets)->refused_rights, refused + 1);
    puppet_revoke(puppets, PUPPET_ROOT, key, true, PUPPET_WALL_MS + 2, &record);
    puppet_send_record(puppets, 4, &record);
    assert_int_equal(puppets_member(puppets, 3).denial, NODE_DENIAL_NONE);
    puppet_member(puppets, 3, &record);
    puppet_send_record(puppets, 3, &record);
    assert_int_equal(puppets_member(puppets, 3).state, NODE_MEMBER_ALIVE);
    send_service(puppets, 3, "d", PUPPET_WALL_MS + 3);
    assert_true(puppets_has(puppets, 3, RECORD_SERVICE, "redis/d"));
}

/* A revocation goes on at once, to all but the revoked. */
static void test_revocation_is_passed_on(void **state)
{
    struct puppets *puppets = *state;
    struct puppet_record record;
    size_t n = 0;

    puppets_clear(puppets);
    puppet_revoke(puppets, 1, puppets->keys[3].sign_public, false,
                  PUPPET_WALL_MS, &record);
    puppet_send_record(puppets, 4, &record);
    puppets_run(puppets, 100);
    for (unsigned to = 1; to < puppets->n; to++) {
        n += puppet_n_seen(puppets, to, MESSAGE_RECORD) > 0;
    }
    assert_true(n >= 2);
    assert_int_equal(puppet_n_seen(puppets, 3, MESSAGE_RECORD), 0);
}

/* It counts also when it comes before the certificate. */
static void test_revoked_before_it_came(void **state)
{
    struct puppets *puppets = *state;
    struct support_keys keys;
    struct body_certificate body = stranger_body(&keys);
    struct puppet_record record;
    struct node_member member;

    puppet_revoke(puppets, 1, keys.sign_public, false, PUPPET_WALL_MS, &record);
    puppet_send_record(puppets, 4, &record);
    certify(puppets, 1, &body);
    assert_false(is_member(puppets, keys.sign_public, &member));
}

/* One issuer does not revoke another; a root does, and what that one issued
 * ends a day later, or at once when it is newer than the revocation. */
static void test_revoked_issuer(void **state)
{
    struct puppets *puppets = *state;
    struct body_certificate second = puppet_body(&puppets->keys[2], 2);
    struct node_event event = {.type = NODE_EVENT_TICK};
    struct support_keys keys;
    struct body_certificate body = stranger_body(&keys);
    struct puppet_record record;
    struct node_member member;

    second.roles |= BODY_ROLE_ISSUER;
    certify(puppets, PUPPET_ROOT, &second);
    certify(puppets, 1, &body);
    puppet_revoke(puppets, 2, puppets->keys[1].sign_public, false,
                  PUPPET_WALL_MS, &record);
    puppet_send_record(puppets, 4, &record);
    assert_int_equal(puppets_member(puppets, 1).denial, NODE_DENIAL_NONE);
    puppet_revoke(puppets, PUPPET_ROOT, puppets->keys[1].sign_public, false,
                  PUPPET_WALL_MS, &record);
    puppet_send_record(puppets, 4, &record);
    assert_int_equal(puppets_member(puppets, 1).denial, NODE_DENIAL_REVOKED);
    assert_true(is_member(puppets, keys.sign_public, &member));
    puppets->now_ms += 86300 * 1000;
    puppets_step(puppets, &event);
    assert_true(is_member(puppets, keys.sign_public, &member));
    puppets->now_ms += 200 * 1000;
    puppets_step(puppets, &event);
    assert_false(is_member(puppets, keys.sign_public, &member));
    assert_int_equal(member.denial, NODE_DENIAL_ISSUER);
    certify(puppets, 2, &body); /* another issuer renews it */
    assert_true(is_member(puppets, keys.sign_public, &member));
    body = puppet_body(&(struct support_keys){.sign_public = {9}}, 151);
    puppet_certify(puppets, 1, 2, PUPPET_WALL_MS + 1, &body, &record);
    puppet_send_record(puppets, 4, &record);
    assert_false(node_member_find(puppets->node, body.sign_public, &member));
}

/* --- Charters ----------------------------------------------------------------
 */

/* The next one, unsigned. */
static struct body_charter next_charter(const struct puppets *puppets)
{
    const uint8_t *hash = NULL;
    struct body_charter charter = *node_charter(puppets->node, &hash);

    charter.generation++;
    memcpy(charter.previous, hash, sizeof(charter.previous));
    charter.n_signatures = 0;
    return charter;
}

static void send_charter(struct puppets *puppets, struct body_charter *charter,
                         const struct support_keys *root)
{
    struct puppet_record record;

    assert_int_equal(body_sign_charter(cluster, root->sign_secret, charter), 0);
    puppet_charter(puppets, charter, root, PUPPET_WALL_MS, &record);
    puppet_send_record(puppets, 4, &record);
}

static void test_charter_by_an_issuer(void **state)
{
    struct puppets *puppets = *state;
    struct body_charter charter = next_charter(puppets);
    uint64_t before = puppets_counters(puppets)->refused_signature;

    charter.containers[0] = (struct prefix){{4, {8}}, 8};
    send_charter(puppets, &charter, &puppets->keys[1]);
    assert_int_equal(puppets_counters(puppets)->refused_signature, before + 1);
    assert_int_equal(node_charter(puppets->node, NULL)->generation, 1);
}

/* Wider ranges let in who was refused; narrower ones put out who is outside. */
static void test_ranges_change(void **state)
{
    struct puppets *puppets = *state;
    struct body_charter charter = next_charter(puppets);
    struct support_keys keys;
    struct body_certificate body = stranger_body(&keys);
    struct node_member member;

    body.subnets[0] = (struct prefix){{4, {10, 99}}, 24};
    certify(puppets, 1, &body);
    assert_false(is_member(puppets, keys.sign_public, &member));
    charter.containers[charter.n_containers++] =
        (struct prefix){{4, {10, 99}}, 16};
    send_charter(puppets, &charter, &puppets->root);
    assert_int_equal(node_charter(puppets->node, NULL)->generation, 2);
    assert_true(is_member(puppets, keys.sign_public, &member));
    charter = next_charter(puppets);
    charter.n_containers--;
    send_charter(puppets, &charter, &puppets->root);
    assert_false(is_member(puppets, keys.sign_public, &member));
    assert_int_equal(member.denial, NODE_DENIAL_RANGE);
    assert_int_equal(member.state, NODE_MEMBER_REMOVED);
    assert_int_equal(puppets_member(puppets, 3).denial, NODE_DENIAL_NONE);
}

/* Of two of one generation everybody takes the same, in whatever order they
 * come, and what follows the other counts no more. */
static void test_rivals(void **state)
{
    struct puppets *puppets = *state;
    struct body_charter one = next_charter(puppets);
    struct body_charter other = one;
    const uint8_t *hash = NULL;
    uint8_t first[BODY_CHARTER_HASH_SIZE];
    struct body_charter third;
    bool has_stayed;

    one.shared[0] = (struct prefix){{4, {10, 70, 1}}, 24};
    one.n_shared = 1;
    other.shared[0] = (struct prefix){{4, {10, 70, 2}}, 24};
    other.n_shared = 1;
    send_charter(puppets, &one, &puppets->root);
    assert_int_equal(node_charter(puppets->node, &hash)->generation, 2);
    memcpy(first, hash, sizeof(first));
    third = next_charter(puppets);
    send_charter(puppets, &other, &puppets->root);
    (void)node_charter(puppets->node, &hash);
    has_stayed = memcmp(first, hash, sizeof(first)) == 0;
    send_charter(puppets, &third, &puppets->root);
    /* The third is in force exactly when the one before it stayed. */
    assert_int_equal(node_charter(puppets->node, NULL)->generation,
                     has_stayed ? 3 : 2);
}

/* A charter that has been in force for a day keeps its place: the key of a root
 * that was dropped since does not win it back.  Until then, and from a disk,
 * the lower hash does. */
static void test_late_rivals(void **state)
{
    struct puppets *puppets = *state;
    struct body_charter first = next_charter(puppets);
    uint64_t refused;
    unsigned n_won = 0;

    first.shared[0] = (struct prefix){{4, {10, 70, 1}}, 24};
    first.n_shared = 1;
    send_charter(puppets, &first, &puppets->root);
    assert_int_equal(node_charter(puppets->node, NULL)->generation, 2);
    refused = puppets_counters(puppets)->refused_rights;
    for (uint8_t i = 2; i < 40; i++) {
        struct body_charter other = first;
        const struct body_charter *in_force;

        other.shared[0].address.bytes[2] = i;
        other.n_signatures = 0;
        if (i == 20) {
            assert_int_equal(puppets_counters(puppets)->refused_rights,
                             refused);
            /* Almost, and past it. */
            puppets->now_ms += (LIMIT_CHARTER_SETTLED_S - 30) * 1000;
        } else if (i == 21) {
            puppets->now_ms += 60000;
        }
        send_charter(puppets, &other, &puppets->root);
        in_force = node_charter(puppets->node, NULL);
        if (i <= 20) {
            n_won += in_force->shared[0].address.bytes[2] == i;
        } else {
            assert_int_not_equal(in_force->shared[0].address.bytes[2], i);
        }
    }
    assert_true(n_won > 0); /* of 19 some have a lower hash */
    assert_int_equal(puppets_counters(puppets)->refused_rights, refused + 19);
    /* What follows it is taken. */
    first = next_charter(puppets);
    send_charter(puppets, &first, &puppets->root);
    assert_int_equal(node_charter(puppets->node, NULL)->generation, 3);
}

/* A root hands over to another: what the first had signed holds a day, the
 * second signs anew. */
static void test_roots_rotate(void **state)
{
    struct puppets *puppets = *state;
    struct support_keys second = support_keys_make(202);
    struct body_charter charter = next_charter(puppets);
    struct node_event event = {.type = NODE_EVENT_TICK};
    struct body_certificate body;
    struct puppet_record record;
    struct node_member member;

    memcpy(charter.roots[0], second.sign_public, 32);
    send_charter(puppets, &charter, &puppets->root);
    assert_true(node_is_root(puppets->node, second.sign_public));
    assert_false(node_is_root(puppets->node, puppets->root.sign_public));
    assert_int_equal(puppets_member(puppets, 3).denial, NODE_DENIAL_NONE);
    /* The old root certifies nobody any more. */
    body = puppet_body(&(struct support_keys){.sign_public = {9}}, 151);
    puppet_certify(puppets, PUPPET_ROOT, 0, PUPPET_WALL_MS + 1, &body, &record);
    puppet_send_record(puppets, 4, &record);
    assert_false(node_member_find(puppets->node, body.sign_public, &member));
    puppets->root = second;
    body = puppet_body(&puppets->keys[4], 4);
    certify(puppets, PUPPET_ROOT, &body);
    puppets->now_ms += 86500 * 1000;
    puppets_step(puppets, &event);
    assert_int_equal(puppets_member(puppets, 3).denial, NODE_DENIAL_ISSUER);
    assert_int_equal(puppets_member(puppets, 4).denial, NODE_DENIAL_NONE);
}

/* LIMIT_CHARTERS: those that there are, and one more. */
static void test_charters_limit(void **state)
{
    struct puppets *puppets = *state;

    for (unsigned i = 2; i <= LIMIT_CHARTERS; i++) {
        struct body_charter charter = next_charter(puppets);

        send_charter(puppets, &charter, &puppets->root);
        assert_int_equal(node_charter(puppets->node, NULL)->generation, i);
    }
    for (unsigned i = 0; i < 2; i++) {
        struct body_charter charter = next_charter(puppets);

        send_charter(puppets, &charter, &puppets->root);
        assert_int_equal(node_charter(puppets->node, NULL)->generation,
                         LIMIT_CHARTERS);
        assert_int_equal(puppets_counters(puppets)->refused_limit, i + 1);
    }
}

#define ADMISSION_TEST(name)                                                   \
    cmocka_unit_test_setup_teardown(name, setup, puppets_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ADMISSION_TEST(test_addresses_outside_the_ranges),
        ADMISSION_TEST(test_issuer_under_a_wrong_serial),
        ADMISSION_TEST(test_issuer_past_its_end),
        ADMISSION_TEST(test_issuers_make_no_issuers),
        ADMISSION_TEST(test_root_outranks_generations),
        ADMISSION_TEST(test_renewal_is_the_later_end),
        ADMISSION_TEST(test_issuer_renews_a_roots),
        ADMISSION_TEST(test_expired_writes_nothing_new),
        ADMISSION_TEST(test_new_grant_that_is_over),
        ADMISSION_TEST(test_other_format),
        ADMISSION_TEST(test_revoked_is_out),
        ADMISSION_TEST(test_revocation_is_passed_on),
        ADMISSION_TEST(test_revoked_before_it_came),
        ADMISSION_TEST(test_revoked_issuer),
        ADMISSION_TEST(test_charter_by_an_issuer),
        ADMISSION_TEST(test_ranges_change),
        ADMISSION_TEST(test_rivals),
        ADMISSION_TEST(test_late_rivals),
        ADMISSION_TEST(test_roots_rotate),
        ADMISSION_TEST(test_charters_limit),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
