/*
 * Taking the place of a dead host: who may, and who may not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/wire/sign.h"
#include "tests/unit/join_asker.h"
#include "tests/unit/join_fixture.h"

static struct token token_of(struct join_fixture *fixture, const char *name)
{
    const struct token_bounds bounds = {.name = name};
    struct token token;

    join_fixture_bound_token(fixture, 600, &bounds, &token);
    return token;
}

/* A host that has joined; nothing of it was heard yet: "unknown". */
static struct join_asker join_host(struct join_fixture *fixture, uint8_t number)
{
    struct join_asker joiner;
    struct token token;

    join_fixture_token(fixture, 600, &token);
    joiner = join_asker_make(&token, number);
    join_asker_expect(fixture, &joiner, JOIN_OK, "welcome");
    return joiner;
}

/* Another machine in its place. */
static struct join_asker make_replacer(const struct token *token,
                                       uint8_t number)
{
    struct join_asker joiner = join_asker_make(token, number);

    joiner.request.replaces = true;
    return joiner;
}

static enum node_denial denial(const struct join_fixture *fixture,
                               const struct join_asker *joiner)
{
    struct node_member member;

    assert_true(node_member_find(fixture->core.node,
                                 joiner->request.sign_public, &member));
    return member.denial;
}

/* Its member record: alive by what the store has. */
static void make_alive(struct join_fixture *fixture,
                       const struct join_asker *joiner)
{
    struct body_member body = {
        .version = "test", .protocol_min = 1, .protocol_max = 1};
    uint8_t packed[LIMIT_RECORD_SIZE];
    uint8_t bytes[LIMIT_RECORD_SIZE];
    struct body_certificate certificate = {0};
    struct record found;
    struct record_fields fields = {
        .kind = RECORD_MEMBER,
        .cluster = fixture->identity.genesis.cluster_id,
        .writer = joiner->request.sign_public,
        .order = {.epoch = UINT64_C(1) << 32, .seq = 1},
        .hlc = (fixture->now_s * 1000) << 16,
        .body = packed,
    };
    struct node_member member;
    size_t size;

    assert_true(node_record_find(
        fixture->core.node, fixture->identity.sign_public, RECORD_CERTIFICATE,
        joiner->request.sign_public, 32, &found));
    assert_int_equal(body_get_certificate(&found, &certificate), 0);
    fields.serial = certificate.serial;
    assert_int_equal(
        body_put_member(&body, packed, sizeof(packed), &fields.body_size), 0);
    size = record_build(&fields, bytes, sizeof(bytes));
    assert_int_equal(sign_record(bytes, size, joiner->keys.sign_secret), 0);
    assert_int_equal(
        node_load(fixture->core.node, bytes, size, fixture->now_s * 1000), 0);
    assert_true(node_member_find(fixture->core.node,
                                 joiner->request.sign_public, &member));
    assert_int_equal(member.state, NODE_MEMBER_ALIVE);
}

static void takes_name_and_addresses(void **state)
{
    struct join_fixture *fixture = *state;
    struct join_asker old = join_host(fixture, 2);
    struct token token = token_of(fixture, "host2");
    struct join_asker new = make_replacer(&token, 2);
    struct record record;
    struct body_revocation revocation;
    char reason[64];

    /* It has to be said. */
    new.request.replaces = false;
    join_asker_expect(fixture, &new, JOIN_NAME_REFUSED, "join with --replace");
    new.request.replaces = true;
    join_asker_expect(fixture, &new, JOIN_OK, "welcome");
    assert_int_equal(denial(fixture, &old), NODE_DENIAL_REVOKED);
    assert_int_equal(denial(fixture, &new), NODE_DENIAL_NONE);
    assert_true(node_record_find(
        fixture->core.node, fixture->identity.sign_public, RECORD_REVOCATION,
        old.request.sign_public, 32, &record));
    assert_int_equal(body_get_revocation(&record, &revocation), 0);
    assert_int_equal(revocation.serial, 0);
    (void)snprintf(reason, sizeof(reason), "replaced by %016llx",
                   (unsigned long long)record_node_id(new.request.sign_public));
    assert_string_equal(revocation.reason, reason);
    /* A lost answer is given again, and nobody is revoked for it. */
    join_asker_expect(fixture, &new, JOIN_OK, "welcome");
    assert_int_equal(denial(fixture, &new), NODE_DENIAL_NONE);
}

/* A token for web-1, or for anybody, does not push out the host of redis. */
static void only_the_host_that_it_names(void **state)
{
    struct join_fixture *fixture = *state;
    struct join_asker redis = join_host(fixture, 2);
    struct join_asker third = join_host(fixture, 3);
    struct token wide;
    struct token token = token_of(fixture, "web-1");
    struct join_asker attacker = make_replacer(&token, 2);

    join_asker_expect(fixture, &attacker, JOIN_NAME_REFUSED,
                      "is for a node named \"web-1\"");
    /* Its own name, and the other's addresses. */
    (void)strcpy(attacker.request.name, "web-1");
    join_asker_expect(fixture, &attacker, JOIN_ADDRESS_REFUSED,
                      "belongs to node \"host2\"");
    /* Named is host3: host2's subnet stays out of reach. */
    token = token_of(fixture, "host3");
    attacker = make_replacer(&token, 3);
    attacker.request.subnets[0].address.bytes[2] = 2;
    join_asker_expect(fixture, &attacker, JOIN_SUBNET_REFUSED, "host2");
    join_fixture_token(fixture, 600, &wide);
    attacker = make_replacer(&wide, 2);
    join_asker_expect(fixture, &attacker, JOIN_NAME_REFUSED,
                      "names no host, and replaces none");
    assert_int_equal(denial(fixture, &redis), NODE_DENIAL_NONE);
    assert_int_equal(denial(fixture, &third), NODE_DENIAL_NONE);
}

static void not_who_is_alive(void **state)
{
    struct join_fixture *fixture = *state;
    struct join_asker old = join_host(fixture, 2);
    struct token token = token_of(fixture, "host2");
    struct join_asker new = make_replacer(&token, 2);

    make_alive(fixture, &old);
    join_asker_expect(fixture, &new, JOIN_HOLDER_ALIVE, "it is alive");
    assert_int_equal(denial(fixture, &old), NODE_DENIAL_NONE);
    /* Nor an issuer, nor whoever made the token. */
    token = token_of(fixture, "host1");
    new = make_replacer(&token, 1);
    join_asker_expect(fixture, &new, JOIN_NAME_REFUSED,
                      "a node does not revoke itself");
}

/* A request that somebody kept, given again when its key was replaced in turn:
 * who has the name by then stays. */
static void a_replayed_request(void **state)
{
    struct join_fixture *fixture = *state;
    struct join_asker first = join_host(fixture, 2);
    struct token token = token_of(fixture, "host2");
    struct token later = token_of(fixture, "host2");
    struct join_asker second = make_replacer(&token, 2);
    struct join_asker third = make_replacer(&later, 2);

    join_asker_expect(fixture, &second, JOIN_OK, "welcome");
    join_asker_expect(fixture, &third, JOIN_OK, "welcome");
    assert_int_equal(denial(fixture, &second), NODE_DENIAL_REVOKED);
    join_asker_expect(fixture, &second, JOIN_TOKEN_USED, "is revoked");
    assert_int_equal(denial(fixture, &third), NODE_DENIAL_NONE);
    assert_int_equal(denial(fixture, &first), NODE_DENIAL_REVOKED);
}

/* The issuer ended between the two records, or before the first: the same key
 * asks again and gets what it came for. */
static void a_crash_in_between(void **state)
{
    struct join_fixture *fixture = *state;
    struct join_asker old = join_host(fixture, 2);
    struct token token = token_of(fixture, "host2");
    struct join_asker new = make_replacer(&token, 2);

    fixture->write_error = NODE_E_LIMIT;
    join_asker_expect(fixture, &new, JOIN_ISSUER_FAILED, "revocation");
    assert_int_equal(denial(fixture, &old), NODE_DENIAL_NONE);
    fixture->write_error = 0;
    fixture->write_error_after = 1;
    join_asker_expect(fixture, &new, JOIN_ISSUER_FAILED, "");
    assert_int_equal(denial(fixture, &old), NODE_DENIAL_REVOKED);
    fixture->write_error = 0;
    join_asker_expect(fixture, &new, JOIN_OK, "welcome");
    assert_int_equal(denial(fixture, &new), NODE_DENIAL_NONE);
}

/* Whoever has left, or a name that nobody has, is nothing to replace. */
static void a_free_name(void **state)
{
    struct join_fixture *fixture = *state;
    struct token token = token_of(fixture, "host9");
    struct join_asker new = make_replacer(&token, 9);

    join_asker_expect(fixture, &new, JOIN_OK, "welcome");
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, join_fixture_new, join_fixture_free)
    const struct CMUnitTest tests[] = {
        TEST(takes_name_and_addresses), TEST(only_the_host_that_it_names),
        TEST(not_who_is_alive),         TEST(a_replayed_request),
        TEST(a_crash_in_between),       TEST(a_free_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
