/*
 * Finished records that the local owner hands in: gossip/node/offer.c.  What a
 * peer's record would do, and by name why not.
 */
#include "tests/unit/puppet.h"

#define STRANGER 150

static const uint8_t cluster[RECORD_CLUSTER_SIZE] = {0xc1, 0xc2};

static int setup(void **state)
{
    (void)puppets_setup(state); /* it asserts */
    puppets_start(*state, 5);
    return 0;
}

static int offer(struct puppets *puppets, const uint8_t *bytes, size_t size)
{
    struct node_offered offered = {.result = -1};
    struct node_event event = {.type = NODE_EVENT_OFFER,
                               .bytes = bytes,
                               .size = size,
                               .offered = &offered};

    puppets_step(puppets, &event);
    return offered.result;
}

static int offer_record(struct puppets *puppets,
                        const struct puppet_record *record)
{
    return offer(puppets, record->bytes, record->size);
}

static int offer_certificate(struct puppets *puppets, unsigned issuer,
                             const struct body_certificate *body)
{
    struct puppet_record record;

    puppet_certify(puppets, issuer, issuer == PUPPET_ROOT ? 0 : issuer + 1,
                   PUPPET_WALL_MS, body, &record);
    return offer_record(puppets, &record);
}

static int offer_revocation(struct puppets *puppets, unsigned from,
                            unsigned who, bool is_lifted, uint64_t wall_ms)
{
    struct puppet_record record;

    puppet_revoke(puppets, from, puppets->keys[who].sign_public, is_lifted,
                  wall_ms, &record);
    return offer_record(puppets, &record);
}

static struct body_charter next_charter(const struct puppets *puppets)
{
    const uint8_t *hash = NULL;
    struct body_charter charter = *node_charter(puppets->node, &hash);

    charter.generation++;
    memcpy(charter.previous, hash, sizeof(charter.previous));
    charter.n_signatures = 0;
    return charter;
}

static int offer_charter(struct puppets *puppets, struct body_charter charter,
                         const struct support_keys *root)
{
    struct puppet_record record;

    assert_int_equal(body_sign_charter(cluster, root->sign_secret, &charter),
                     0);
    puppet_charter(puppets, &charter, root, PUPPET_WALL_MS, &record);
    return offer_record(puppets, &record);
}

/* --- Taken -------------------------------------------------------------------
 */

/* It is stored, told, passed on and acted on, once. */
static void test_taken(void **state)
{
    struct puppets *puppets = *state;
    struct support_keys keys = support_keys_make(STRANGER);
    struct body_certificate body = puppet_body(&keys, STRANGER);
    struct puppet_record record;
    struct node_member member;
    size_t n_seen = 0;
    size_t n_stored = puppets->n_stored;

    puppet_certify(puppets, PUPPET_ROOT, 0, PUPPET_WALL_MS, &body, &record);
    assert_int_equal(offer_record(puppets, &record), NODE_OFFER_TAKEN);
    assert_int_equal(puppets->n_stored, n_stored + 1);
    assert_true(node_member_find(puppets->node, keys.sign_public, &member));
    puppets_run(puppets, 500);
    for (unsigned to = 1; to < puppets->n; to++) {
        n_seen += puppet_n_seen(puppets, to, MESSAGE_RECORD);
    }
    assert_true(n_seen > 0);
    assert_int_equal(offer_record(puppets, &record), NODE_OFFER_KNOWN);
    assert_int_equal(puppets->n_stored, n_stored + 1);
}

/* Known by its id: other bytes for a signature change nothing. */
static void test_known_is_not_replaced(void **state)
{
    struct puppets *puppets = *state;
    struct puppet_record record;
    struct record known;

    puppet_service(puppets, 2, "a", PUPPET_WALL_MS, &record);
    assert_int_equal(offer_record(puppets, &record), NODE_OFFER_TAKEN);
    record.bytes[record.size - 1] ^= 1;
    assert_int_equal(offer_record(puppets, &record), NODE_OFFER_KNOWN);
    assert_true(node_record_find(puppets->node, puppets->keys[2].sign_public,
                                 RECORD_SERVICE, (const uint8_t *)"redis/a", 7,
                                 &known));
    assert_int_equal(known.bytes[known.size - 1],
                     record.bytes[record.size - 1] ^ 1);
}

/* A root revokes, and lifts it again. */
static void test_lifted(void **state)
{
    struct puppets *puppets = *state;

    assert_int_equal(
        offer_revocation(puppets, PUPPET_ROOT, 3, false, PUPPET_WALL_MS),
        NODE_OFFER_TAKEN);
    assert_int_equal(puppets_member(puppets, 3).denial, NODE_DENIAL_REVOKED);
    assert_int_equal(
        offer_revocation(puppets, PUPPET_ROOT, 3, true, PUPPET_WALL_MS + 1),
        NODE_OFFER_TAKEN);
    assert_int_equal(puppets_member(puppets, 3).denial, NODE_DENIAL_NONE);
}

/* A revoked issuer's certificates end a day later; what a root has certified
 * anew, as it was, stays. */
static void test_kept_by_the_root(void **state)
{
    struct puppets *puppets = *state;
    struct node_event event = {.type = NODE_EVENT_TICK};
    struct support_keys kept = support_keys_make(STRANGER);
    struct support_keys other = support_keys_make(STRANGER + 1);
    struct body_certificate body = puppet_body(&kept, STRANGER);
    struct body_certificate lost = puppet_body(&other, STRANGER + 1);
    struct node_member member;

    assert_int_equal(offer_certificate(puppets, 1, &body), NODE_OFFER_TAKEN);
    assert_int_equal(offer_certificate(puppets, 1, &lost), NODE_OFFER_TAKEN);
    assert_int_equal(offer_certificate(puppets, PUPPET_ROOT, &body),
                     NODE_OFFER_TAKEN);
    assert_int_equal(
        offer_revocation(puppets, PUPPET_ROOT, 1, false, PUPPET_WALL_MS),
        NODE_OFFER_TAKEN);
    puppets->now_ms += 86500 * 1000;
    puppets_step(puppets, &event);
    assert_true(node_member_find(puppets->node, lost.sign_public, &member));
    assert_int_equal(member.denial, NODE_DENIAL_ISSUER);
    assert_true(node_member_find(puppets->node, body.sign_public, &member));
    assert_int_equal(member.denial, NODE_DENIAL_NONE);
    assert_int_equal(member.certificate->serial, body.serial);
}

/* --- Refused -----------------------------------------------------------------
 */

static void test_no_record(void **state)
{
    static const uint8_t zeros[200];
    struct puppets *puppets = *state;
    struct puppet_record record;

    assert_int_equal(offer(puppets, zeros, 0), NODE_OFFER_MALFORMED);
    assert_int_equal(offer(puppets, zeros, sizeof(zeros)),
                     NODE_OFFER_MALFORMED);
    puppet_service(puppets, 2, "a", PUPPET_WALL_MS, &record);
    assert_int_equal(offer(puppets, record.bytes, record.size - 1),
                     NODE_OFFER_MALFORMED);
    puppet_accusation(puppets, 2, 3, &record);
    assert_int_equal(offer_record(puppets, &record), NODE_OFFER_KIND);
}

static void test_strangers(void **state)
{
    static const uint8_t other[RECORD_CLUSTER_SIZE] = {1};
    struct puppets *puppets = *state;
    struct support_keys keys = support_keys_make(STRANGER);
    struct puppet_record record;

    puppets->cluster = other;
    puppet_service(puppets, 2, "a", PUPPET_WALL_MS, &record);
    assert_int_equal(offer_record(puppets, &record), NODE_OFFER_CLUSTER);
    puppets->cluster = NULL;
    puppet_service(puppets, 0, "a", PUPPET_WALL_MS, &record);
    assert_int_equal(offer_record(puppets, &record), NODE_OFFER_OWN);
    assert_int_equal(offer_charter(puppets, next_charter(puppets), &keys),
                     NODE_OFFER_WRITER);
}

/* Each kind of record, with a bit of the signature changed. */
static void test_forged(void **state)
{
    struct puppets *puppets = *state;
    struct support_keys keys = support_keys_make(STRANGER);
    struct body_certificate body = puppet_body(&keys, STRANGER);
    struct body_charter charter = next_charter(puppets);
    struct puppet_record records[4];
    size_t n_records = node_n_records(puppets->node);

    puppet_service(puppets, 2, "a", PUPPET_WALL_MS, &records[0]);
    puppet_certify(puppets, PUPPET_ROOT, 0, PUPPET_WALL_MS, &body, &records[1]);
    puppet_revoke(puppets, PUPPET_ROOT, puppets->keys[3].sign_public, false,
                  PUPPET_WALL_MS, &records[2]);
    assert_int_equal(
        body_sign_charter(cluster, puppets->root.sign_secret, &charter), 0);
    puppet_charter(puppets, &charter, &puppets->root, PUPPET_WALL_MS,
                   &records[3]);
    for (size_t i = 0; i < ARRAY_SIZE(records); i++) {
        records[i].bytes[records[i].size - 10] ^= 1;
        assert_int_equal(offer_record(puppets, &records[i]),
                         NODE_OFFER_SIGNATURE);
    }
    assert_int_equal(node_n_records(puppets->node), n_records);
}

static void test_rights(void **state)
{
    struct puppets *puppets = *state;
    struct body_certificate body = puppet_body(&puppets->keys[3], 3);
    struct puppet_record record;

    /* No issuer certifies, or revokes. */
    assert_int_equal(offer_certificate(puppets, 2, &body), NODE_OFFER_ISSUER);
    assert_int_equal(offer_revocation(puppets, 2, 3, false, PUPPET_WALL_MS),
                     NODE_OFFER_RIGHTS);
    /* Only a root undoes; and it registers nothing. */
    assert_int_equal(offer_revocation(puppets, 1, 3, true, PUPPET_WALL_MS),
                     NODE_OFFER_RIGHTS);
    puppet_service(puppets, PUPPET_ROOT, "a", PUPPET_WALL_MS, &record);
    assert_int_equal(offer_record(puppets, &record), NODE_OFFER_RIGHTS);
    puppet_sign(puppets, 2, RECORD_SERVICE, "redis/a", 7,
                (const uint8_t *)"\x80", 1, PUPPET_WALL_MS, &record);
    assert_int_equal(offer_record(puppets, &record), NODE_OFFER_BODY);
}

static void test_old(void **state)
{
    struct puppets *puppets = *state;
    struct puppet_record older, newer;

    puppet_service(puppets, 2, "a", PUPPET_WALL_MS, &older);
    puppet_service(puppets, 2, "a", PUPPET_WALL_MS + 1, &newer);
    assert_int_equal(offer_record(puppets, &newer), NODE_OFFER_TAKEN);
    assert_int_equal(offer_record(puppets, &older), NODE_OFFER_OLD);
}

/* What a peer may pass on, and is of no use. */
static void test_would_not_count(void **state)
{
    struct puppets *puppets = *state;
    struct body_certificate body = puppet_body(&puppets->keys[3], 3);
    uint64_t before_s = body.not_before_s;

    body.subnets[0] = (struct prefix){{4, {8, 8, 8}}, 24};
    assert_int_equal(offer_certificate(puppets, PUPPET_ROOT, &body),
                     NODE_OFFER_RANGE);
    body = puppet_body(&puppets->keys[3], 3);
    body.not_after_s = before_s + 1;
    assert_int_equal(offer_certificate(puppets, PUPPET_ROOT, &body),
                     NODE_OFFER_OVER);
    assert_int_equal(
        offer_revocation(puppets, PUPPET_ROOT, 3, false, PUPPET_WALL_MS),
        NODE_OFFER_TAKEN);
    body = puppet_body(&puppets->keys[3], 3);
    body.serial = 77;
    assert_int_equal(offer_certificate(puppets, PUPPET_ROOT, &body),
                     NODE_OFFER_REVOKED);
}

static void test_charters(void **state)
{
    struct puppets *puppets = *state;
    struct body_charter one = next_charter(puppets);
    struct body_charter rival = one;
    struct body_charter orphan = one;

    /* An issuer signs none. */
    assert_int_equal(offer_charter(puppets, one, &puppets->keys[1]),
                     NODE_OFFER_SIGNATURE);
    orphan.generation = 3;
    memset(orphan.previous, 7, sizeof(orphan.previous));
    assert_int_equal(offer_charter(puppets, orphan, &puppets->root),
                     NODE_OFFER_PARENT);
    one.containers[one.n_containers++] = (struct prefix){{4, {10, 99}}, 16};
    assert_int_equal(offer_charter(puppets, one, &puppets->root),
                     NODE_OFFER_TAKEN);
    assert_int_equal(node_charter(puppets->node, NULL)->generation, 2);
    /* The second of two people is told. */
    rival.containers[rival.n_containers++] = (struct prefix){{4, {10, 98}}, 16};
    assert_int_equal(offer_charter(puppets, rival, &puppets->root),
                     NODE_OFFER_GENERATION);
}

/* A charter that drops a root: its word counts no more. */
static void test_former_root(void **state)
{
    struct puppets *puppets = *state;
    struct support_keys fresh = support_keys_make(202);
    struct body_charter charter = next_charter(puppets);
    struct body_certificate body = puppet_body(&puppets->keys[3], 3);
    struct puppet_record record;

    memcpy(charter.roots[0], fresh.sign_public, 32);
    assert_int_equal(offer_charter(puppets, charter, &puppets->root),
                     NODE_OFFER_TAKEN);
    puppet_certify(puppets, PUPPET_ROOT, 0, PUPPET_WALL_MS + 1000, &body,
                   &record);
    assert_int_equal(offer_record(puppets, &record), NODE_OFFER_ISSUER);
    assert_int_equal(
        offer_revocation(puppets, PUPPET_ROOT, 3, false, PUPPET_WALL_MS + 1000),
        NODE_OFFER_WRITER);
    assert_int_equal(
        offer_charter(puppets, next_charter(puppets), &puppets->root),
        NODE_OFFER_SIGNATURE);
    assert_int_equal(offer_charter(puppets, next_charter(puppets), &fresh),
                     NODE_OFFER_TAKEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_taken, setup, puppets_teardown),
        cmocka_unit_test_setup_teardown(test_known_is_not_replaced, setup,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_lifted, setup, puppets_teardown),
        cmocka_unit_test_setup_teardown(test_kept_by_the_root, setup,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_no_record, setup,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_strangers, setup,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_forged, setup, puppets_teardown),
        cmocka_unit_test_setup_teardown(test_rights, setup, puppets_teardown),
        cmocka_unit_test_setup_teardown(test_old, setup, puppets_teardown),
        cmocka_unit_test_setup_teardown(test_would_not_count, setup,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_charters, setup, puppets_teardown),
        cmocka_unit_test_setup_teardown(test_former_root, setup,
                                        puppets_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
