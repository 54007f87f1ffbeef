/*
 * Joining: the messages, the issuer's half against a real node and store, and
 * the joiner's verification of what comes back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <sodium.h>

#include "agent/join/join_judge.h"
#include "agent/join/join_client.h"
#include "gossip/base/cursor.h"
#include "gossip/wire/message.h"
#include "gossip/wire/sign.h"
#include "tests/unit/join_asker.h"
#include "tests/unit/join_fixture.h"

static void request_survives_packing(void **state)
{
    struct token token = {.id = {1}, .secret = {2}};
    struct join_asker joiner = join_asker_make(&token, 2);
    struct join_request read;

    (void)state;
    joiner.request.mesh[1] =
        (struct endpoint){.address = {6, {0xfd, [15] = 1}}, .port = 7720};
    joiner.request.n_mesh = 2;
    join_asker_pack(&joiner);
    assert_int_equal(join_request_unpack(joiner.frame, joiner.size, &read), 0);
    assert_memory_equal(&read, &joiner.request, sizeof(read));
    memset(joiner.request.wireguard_public, 9, 32);
    join_asker_pack(&joiner);
    assert_int_equal(join_request_unpack(joiner.frame, joiner.size, &read), 0);
    assert_memory_equal(&read, &joiner.request, sizeof(read));
}

static void largest_request_fits(void **state)
{
    struct token token = {.id = {1}};
    struct join_asker joiner = join_asker_make(&token, 2);
    struct join_request read;

    (void)state;
    memset(joiner.request.name, 'n', sizeof(joiner.request.name) - 1);
    memset(joiner.request.wireguard_public, 9, 32);
    for (uint8_t i = 0; i < LIMIT_CERT_ADDRESSES; i++) {
        joiner.request.mesh[i] =
            (struct endpoint){.address = {6, {0xfd, [15] = i}}, .port = 7720};
    }
    joiner.request.n_mesh = LIMIT_CERT_ADDRESSES;
    for (uint8_t i = 0; i < LIMIT_CERT_SUBNETS; i++) {
        joiner.request.subnets[i] =
            (struct prefix){.address = {6, {0xfd, i}}, .len = 64};
    }
    joiner.request.n_subnets = LIMIT_CERT_SUBNETS;
    join_asker_pack(&joiner);
    assert_int_equal(join_request_unpack(joiner.frame, joiner.size, &read), 0);
    assert_memory_equal(&read, &joiner.request, sizeof(read));
}

/* LIMIT_JOIN_REQUEST_SIZE: a request of this size, by a pair of a later
 * version before the signature; signed as docs/WIRE.md says. */
static size_t lengthen(const struct join_asker *joiner, size_t size,
                       uint8_t frame[LIMIT_JOIN_REQUEST_SIZE + 1])
{
    static const char domain[] = "socketnet/v1/join";
    const size_t pair_size = 1 + 2 + 64;
    size_t start = joiner->size - pair_size;
    size_t extra = size - joiner->size - (1 + 3);
    uint8_t text[sizeof(domain) + LIMIT_JOIN_REQUEST_SIZE + 1];
    struct writer writer = writer_init(frame, size);

    writer_put(&writer, joiner->frame, start);
    frame[0]++; /* pairs */
    writer_u8(&writer, 31);
    writer_u8(&writer, 0xc5);
    writer_u16(&writer, (uint16_t)extra);
    memset(writer_reserve(&writer, extra), 0, extra);
    memcpy(text, domain, sizeof(domain));
    memcpy(text + sizeof(domain), frame, size - pair_size);
    writer_put(&writer, joiner->frame + start, 3);
    assert_int_equal(crypto_sign_detached(writer_reserve(&writer, 64), NULL,
                                          text,
                                          sizeof(domain) + size - pair_size,
                                          joiner->keys.sign_secret),
                     0);
    assert_false(writer.failed);
    assert_int_equal(writer_size(&writer), size);
    return size;
}

static void longest_request(void **state)
{
    struct token token = {.id = {1}};
    struct join_asker joiner = join_asker_make(&token, 2);
    uint8_t frame[LIMIT_JOIN_REQUEST_SIZE + 1];
    struct join_request read;
    size_t size;

    (void)state;
    join_asker_pack(&joiner);
    size = lengthen(&joiner, LIMIT_JOIN_REQUEST_SIZE, frame);
    assert_int_equal(join_request_unpack(frame, size, &read), 0);
    assert_memory_equal(&read, &joiner.request, sizeof(read));
    size = lengthen(&joiner, LIMIT_JOIN_REQUEST_SIZE + 1, frame);
    assert_int_equal(join_request_unpack(frame, size, &read), -EBADMSG);
}

static void changed_request_is_refused(void **state)
{
    struct token token = {.id = {1}};
    struct join_asker joiner = join_asker_make(&token, 2);
    struct join_request read;

    (void)state;
    join_asker_pack(&joiner);
    for (size_t size = 0; size < joiner.size; size++) {
        assert_int_not_equal(join_request_unpack(joiner.frame, size, &read), 0);
    }
    for (size_t i = 0; i < joiner.size; i++) {
        joiner.frame[i] ^= 1;
        assert_int_not_equal(
            join_request_unpack(joiner.frame, joiner.size, &read), 0);
        joiner.frame[i] ^= 1;
    }
    assert_int_equal(join_request_unpack(joiner.frame, joiner.size, &read), 0);
}

static void answer_survives_packing(void **state)
{
    uint8_t genesis[LIMIT_GENESIS_SIZE] = {1};
    uint8_t certificate[LIMIT_RECORD_SIZE] = {2};
    struct join_answer answer = {
        .status = JOIN_OK,
        .genesis = genesis,
        .genesis_size = sizeof(genesis),
        .certificate = certificate,
        .certificate_size = sizeof(certificate),
    };
    struct join_answer read;
    uint8_t frame[JOIN_ANSWER_SIZE];
    size_t size = 0;

    (void)state;
    memset(answer.text, 't', sizeof(answer.text) - 1);
    assert_int_equal(join_answer_pack(&answer, frame, sizeof(frame), &size), 0);
    assert_int_equal(join_answer_unpack(frame, size, &read), 0);
    assert_string_equal(read.text, answer.text);
    assert_int_equal(read.certificate_size, sizeof(certificate));
    assert_memory_equal(read.certificate, certificate, sizeof(certificate));
    for (size_t cut = 0; cut < size; cut++) {
        assert_int_not_equal(join_answer_unpack(frame, cut, &read), 0);
    }
    answer.status = JOIN_TOKEN_USED;
    assert_int_equal(join_answer_pack(&answer, frame, sizeof(frame), &size), 0);
    assert_int_equal(join_answer_unpack(frame, size, &read), 0);
    assert_int_equal(read.status, JOIN_TOKEN_USED);
    assert_null(read.genesis);
}

static void fill_result(struct join_heard *heard)
{
    assert_int_equal(genesis_parse(heard->answer.genesis,
                                   heard->answer.genesis_size,
                                   &heard->result.genesis),
                     0);
    memcpy(heard->result.certificate, heard->answer.certificate,
           heard->answer.certificate_size);
    heard->result.certificate_size = heard->answer.certificate_size;
}

static void a_join_gives_a_certificate_that_verifies(void **state)
{
    struct join_fixture *fixture = *state;
    struct body_certificate body;
    struct node_member member;
    struct token token;
    struct record record;
    struct join_asker joiner;
    struct join_heard *heard;
    char *error = NULL;

    join_fixture_token(fixture, 600, &token);
    joiner = join_asker_make(&token, 2);
    heard = join_asker_ask(fixture, &joiner);
    assert_int_equal(heard->answer.status, JOIN_OK);
    assert_true(heard->is_done);
    fill_result(heard);
    assert_int_equal(
        join_verify(&token, &joiner.request, &heard->result, &error), 0);
    /* The charter, two certificates, the issuer's member record. */
    assert_int_equal(heard->result.n_records, 4);
    assert_int_equal(record_parse(heard->result.certificate,
                                  heard->result.certificate_size, &record),
                     0);
    assert_int_equal(body_get_certificate(&record, &body), 0);
    assert_int_equal(body.roles, BODY_ROLE_MEMBER);
    assert_int_equal(body.n_functions, 2);
    assert_string_equal(body.functions[1], "db-*");
    assert_int_not_equal(body.serial, 0);
    assert_int_equal(body.generation, 1);
    assert_true(
        node_member_find(fixture->core.node, joiner.keys.sign_public, &member));
    join_asker_free(heard);
}

static void tokens_admit_once(void **state)
{
    struct join_fixture *fixture = *state;
    struct token token;
    struct join_asker first;
    struct join_asker second;

    join_fixture_token(fixture, 600, &token);
    first = join_asker_make(&token, 2);
    second = join_asker_make(&token, 3);
    join_asker_expect(fixture, &first, JOIN_OK, "welcome to lab");
    join_asker_expect(fixture, &second, JOIN_TOKEN_USED, "was used before");
}

static void same_key_gets_the_same_certificate_again(void **state)
{
    struct join_fixture *fixture = *state;
    struct token token;
    struct join_asker joiner;
    struct join_heard *first;
    struct join_heard *second;

    join_fixture_token(fixture, 600, &token);
    joiner = join_asker_make(&token, 2);
    first = join_asker_ask(fixture, &joiner);
    second = join_asker_ask(fixture, &joiner);
    assert_int_equal(second->answer.status, JOIN_OK);
    assert_int_equal(second->answer.certificate_size,
                     first->answer.certificate_size);
    assert_memory_equal(second->answer.certificate, first->answer.certificate,
                        first->answer.certificate_size);
    join_asker_free(first);
    join_asker_free(second);
    /* The same key with another wish gets a newer certificate. */
    strcpy(joiner.request.name, "other");
    join_asker_expect(fixture, &joiner, JOIN_OK, "welcome");
    fixture->now_s += 600;
    join_asker_expect(fixture, &joiner, JOIN_TOKEN_EXPIRED, "has expired");
}

static void bad_tokens_are_refused(void **state)
{
    struct join_fixture *fixture = *state;
    struct token token;
    struct join_asker joiner;

    join_fixture_token(fixture, 600, &token);
    joiner = join_asker_make(&token, 2);
    joiner.request.secret[0] ^= 1;
    join_asker_expect(fixture, &joiner, JOIN_TOKEN_UNKNOWN, "not known here");
    joiner = join_asker_make(&token, 2);
    joiner.request.token_id[0] ^= 1;
    join_asker_expect(fixture, &joiner, JOIN_TOKEN_UNKNOWN, "not known here");
    joiner = join_asker_make(&token, 2);
    fixture->now_s += 600;
    join_asker_expect(fixture, &joiner, JOIN_TOKEN_EXPIRED,
                      "agentctl token create\" on node \"host1\"");
    fixture->now_s -= 1;
    join_asker_expect(fixture, &joiner, JOIN_OK,
                      "welcome"); /* its last second */
}

/* A token for one host makes no other: name, address and subnets are those that
 * it says, and a refusal leaves it unused. */
static void a_bound_token_is_for_one_host(void **state)
{
    struct join_fixture *fixture = *state;
    const struct token_bounds bounds = {.name = "host2",
                                        .mesh = {"100.104.70.2"},
                                        .n_mesh = 1,
                                        .subnets = {"10.0.2.0/24"},
                                        .n_subnets = 1};
    struct token token;
    struct join_asker joiner;

    join_fixture_bound_token(fixture, 600, &bounds, &token);
    joiner = join_asker_make(&token, 2);
    strcpy(joiner.request.name, "other");
    join_asker_expect(
        fixture, &joiner, JOIN_NAME_REFUSED,
        "is for a node named \"host2\", not \"other\"; give --name host2");
    joiner = join_asker_make(&token, 2);
    joiner.request.mesh[0].address.bytes[3] = 9;
    join_asker_expect(fixture, &joiner, JOIN_ADDRESS_REFUSED,
                      "is for the mesh address 100.104.70.2");
    joiner = join_asker_make(&token, 2);
    joiner.request.subnets[0].address.bytes[2] = 9;
    join_asker_expect(fixture, &joiner, JOIN_SUBNET_REFUSED,
                      "gives the subnet 10.0.2.0/24");
    joiner = join_asker_make(&token, 2);
    joiner.request.subnets[0].len = 16;
    joiner.request.subnets[0].address.bytes[2] = 0;
    join_asker_expect(fixture, &joiner, JOIN_SUBNET_REFUSED,
                      "get a token with --subnet");
    joiner = join_asker_make(&token, 2);
    join_asker_expect(fixture, &joiner, JOIN_OK, "welcome");
}

static void conflicts_are_named_and_keep_the_token(void **state)
{
    struct join_fixture *fixture = *state;
    struct token token;
    struct join_asker joiner;

    join_fixture_token(fixture, 600, &token);
    joiner = join_asker_make(&token, 2);
    strcpy(joiner.request.name, "HOST1");
    join_asker_expect(fixture, &joiner, JOIN_NAME_REFUSED,
                      "the name \"HOST1\" belongs to another node");
    strcpy(joiner.request.name, "two words");
    join_asker_expect(fixture, &joiner, JOIN_NAME_REFUSED,
                      "cannot name a node");

    joiner = join_asker_make(&token, 2);
    joiner.request.mesh[0].address.bytes[3] = 1;
    joiner.request.mesh[0].port = 7721;
    join_asker_expect(fixture, &joiner, JOIN_ADDRESS_REFUSED,
                      "mesh address 100.104.70.1 belongs to node \"host1\"");
    joiner.request.mesh[0].address = (struct address){4, {10, 0, 1, 9}};
    join_asker_expect(
        fixture, &joiner, JOIN_ADDRESS_REFUSED,
        "mesh address 10.0.1.9 is outside the cluster's mesh ranges "
        "(100.104.0.0/16, fd00:2::/32)");
    joiner.request.mesh[0].address = (struct address){4, {100, 80, 0, 1}};
    join_asker_expect(
        fixture, &joiner, JOIN_ADDRESS_REFUSED,
        "mesh address 100.80.0.1 is outside the cluster's mesh ranges");
    joiner.request.mesh[0].address = (struct address){4, {0}};
    join_asker_expect(fixture, &joiner, JOIN_ADDRESS_REFUSED,
                      "not one that others");
    joiner.request.mesh[0].address = (struct address){4, {224, 0, 0, 1}};
    join_asker_expect(
        fixture, &joiner, JOIN_ADDRESS_REFUSED,
        "mesh address 224.0.0.1 port 7721 is not one that others");
    joiner = join_asker_make(&token, 2);
    joiner.request.mesh[0].port = 0;
    join_asker_expect(fixture, &joiner, JOIN_ADDRESS_REFUSED,
                      "port 0 is not one that");
    joiner.request.n_mesh = 0;
    join_asker_expect(fixture, &joiner, JOIN_ADDRESS_REFUSED,
                      "names no mesh address");

    joiner = join_asker_make(&token, 2);
    joiner.request.subnets[0] =
        (struct prefix){.address = {4, {10, 0, 0}}, .len = 23};
    join_asker_expect(
        fixture, &joiner, JOIN_SUBNET_REFUSED,
        "subnet 10.0.0.0/23 overlaps 10.0.1.0/24 of node \"host1\"");
    joiner.request.subnets[0] =
        (struct prefix){.address = {4, {100, 104, 70}}, .len = 24};
    join_asker_expect(
        fixture, &joiner, JOIN_SUBNET_REFUSED,
        "subnet 100.104.70.0/24 is outside the cluster's container ranges "
        "(10.0.0.0/8, fd00:1::/32)");
    joiner.request.subnets[0] =
        (struct prefix){.address = {4, {100, 95, 255}}, .len = 24};
    join_asker_expect(
        fixture, &joiner, JOIN_SUBNET_REFUSED,
        "subnet 100.95.255.0/24 is outside the cluster's container ranges");
    joiner.request.subnets[0] = (struct prefix){.address = {4, {0}}, .len = 1};
    join_asker_expect(fixture, &joiner, JOIN_SUBNET_REFUSED,
                      "too large for one host");
    joiner = join_asker_make(&token, 2);
    joiner.request.subnets[1] = joiner.request.subnets[0];
    joiner.request.n_subnets = 2;
    join_asker_expect(fixture, &joiner, JOIN_SUBNET_REFUSED,
                      "of this host overlap");

    joiner = join_asker_make(&token, 2);
    join_asker_expect(fixture, &joiner, JOIN_OK, "welcome");
}

/* To the second, at the end of the time in which it may be renewed. */
static void an_ended_certificate_takes_no_name(void **state)
{
    struct join_fixture *fixture = *state;
    const struct body_charter *charter = &fixture->identity.charters.charter;
    uint64_t end_s = fixture->identity.body.not_after_s + LIMIT_CERT_RENEW_S;
    struct token token = {.id = {1}};
    struct join_asker joiner = join_asker_make(&token, 2);
    char text[JOIN_TEXT_SIZE] = "";

    strcpy(joiner.request.name, "host1");
    assert_int_equal(join_judge(fixture->core.node, charter, &joiner.request,
                                NULL, end_s - 1, text),
                     JOIN_NAME_REFUSED);
    assert_int_equal(join_judge(fixture->core.node, charter, &joiner.request,
                                NULL, end_s, text),
                     JOIN_OK);
    strcpy(joiner.request.name, "host2");
    joiner.request.mesh[0].address = (struct address){4, {100, 104, 255, 255}};
    assert_int_equal(join_judge(fixture->core.node, charter, &joiner.request,
                                NULL, end_s - 1, text),
                     JOIN_OK); /* the last of the mesh */
}

/* The joiner's own record that it left, as gossip would bring it. */
static void say_left(struct join_fixture *fixture,
                     const struct join_asker *joiner, uint64_t serial)
{
    const struct body_member member = {.state = BODY_MEMBER_LEFT,
                                       .version = "test",
                                       .protocol_min = 1,
                                       .protocol_max = 1};
    uint8_t body[LIMIT_RECORD_SIZE];
    uint8_t bytes[LIMIT_RECORD_SIZE];
    struct record_fields fields = {
        .kind = RECORD_MEMBER,
        .cluster = fixture->identity.genesis.cluster_id,
        .writer = joiner->keys.sign_public,
        .serial = serial,
        .order = {.epoch = UINT64_C(1) << 32, .seq = 1},
        .hlc = (JOIN_FIXTURE_NOW_S * 1000) << 16,
        .body = body,
    };
    size_t size;

    assert_int_equal(
        body_put_member(&member, body, sizeof(body), &fields.body_size), 0);
    size = record_build(&fields, bytes, sizeof(bytes));
    assert_int_equal(sign_record(bytes, size, joiner->keys.sign_secret), 0);
    assert_int_equal(
        node_load(fixture->core.node, bytes, size, JOIN_FIXTURE_NOW_S * 1000),
        0);
}

/* A host that left and was reset comes with another key: its name, its
 * address and its subnets are its again, and nobody else's while it is in. */
static void who_left_blocks_nothing(void **state)
{
    struct join_fixture *fixture = *state;
    struct token token;
    struct join_asker first;
    struct join_asker again;
    struct node_member member;

    join_fixture_token(fixture, 600, &token);
    first = join_asker_make(&token, 2);
    join_asker_expect(fixture, &first, JOIN_OK, "welcome");
    join_fixture_token(fixture, 600, &token);
    again = join_asker_make(&token, 2);
    join_asker_expect(fixture, &again, JOIN_NAME_REFUSED,
                      "the name \"host2\" belongs to another node");

    assert_true(
        node_member_find(fixture->core.node, first.keys.sign_public, &member));
    say_left(fixture, &first, member.certificate->serial);
    assert_true(
        node_member_find(fixture->core.node, first.keys.sign_public, &member));
    assert_int_equal(member.state, NODE_MEMBER_LEFT);
    join_asker_expect(fixture, &again, JOIN_OK, "welcome");

    join_fixture_token(fixture, 600, &token);
    again = join_asker_make(&token, 2);
    join_asker_expect(fixture, &again, JOIN_NAME_REFUSED,
                      "belongs to another node");
}

static void malformed_requests_are_answered(void **state)
{
    struct join_fixture *fixture = *state;
    struct join_heard *heard = calloc(1, sizeof(*heard));
    struct join_issuer *issuer = NULL;
    const uint8_t frame[] = {0x80};

    assert_int_equal(
        join_issuer_new(&fixture->core, join_asker_on_frame, heard, &issuer),
        0);
    join_issuer_frame(issuer, frame, sizeof(frame));
    assert_true(heard->is_ended);
    assert_int_equal(heard->answer.status, JOIN_MALFORMED);
    join_issuer_frame(issuer, frame, sizeof(frame)); /* ignored */
    assert_int_equal(heard->n_frames, 1);
    join_issuer_free(issuer);
    join_asker_free(heard);
}

static void an_issuer_that_cannot_write_says_so(void **state)
{
    struct join_fixture *fixture = *state;
    struct token token;
    struct join_asker joiner;

    join_fixture_token(fixture, 600, &token);
    joiner = join_asker_make(&token, 2);
    fixture->write_error = NODE_E_NOT_READY;
    join_asker_expect(fixture, &joiner, JOIN_ISSUER_FAILED,
                      "it is only starting");
    fixture->write_error = -ENOMEM;
    join_asker_expect(fixture, &joiner, JOIN_ISSUER_FAILED,
                      "run the same command again");
    fixture->write_error = 0;
    join_asker_expect(fixture, &joiner, JOIN_OK, "welcome");
    fixture->identity.body.roles = BODY_ROLE_MEMBER;
    join_asker_expect(fixture, &joiner, JOIN_NOT_ISSUER,
                      "may not admit others");
}

static int count_valid(const struct record *record, void *data)
{
    struct body_certificate body;

    assert_int_equal(body_get_certificate(record, &body), 0);
    *(unsigned *)data += body.not_after_s > JOIN_FIXTURE_NOW_S;
    return 0;
}

static void of_two_at_once_one_is_admitted(void **state)
{
    struct join_fixture *fixture = *state;
    struct join_heard *heard[2];
    struct join_issuer *issuers[2];
    struct join_asker joiners[2];
    struct token token;
    size_t loser = 2;
    unsigned n_valid = 0;

    for (size_t i = 0; i < 2; i++) {
        join_fixture_token(fixture, 600, &token);
        joiners[i] = join_asker_make(&token, 2); /* the same name and subnet */
        join_asker_pack(&joiners[i]);
        heard[i] = calloc(1, sizeof(*heard[i]));
        assert_int_equal(join_issuer_new(&fixture->core, join_asker_on_frame,
                                         heard[i], &issuers[i]),
                         0);
    }
    for (size_t i = 0; i < 2; i++) {
        join_issuer_frame(issuers[i], joiners[i].frame, joiners[i].size);
    }
    for (size_t i = 0; i < 2; i++) {
        join_fixture_run(fixture, &heard[i]->is_ended);
        if (heard[i]->answer.status != JOIN_OK) {
            assert_int_equal(heard[i]->answer.status, JOIN_ISSUER_FAILED);
            assert_non_null(strstr(heard[i]->answer.text, "another node"));
            assert_int_equal(loser, 2);
            loser = i;
        }
        join_issuer_free(issuers[i]);
        join_asker_free(heard[i]);
    }
    assert_int_not_equal(loser, 2);
    /* The loser's token is used, but by its own key: it may ask again. */
    strcpy(joiners[loser].request.name, "other");
    joiners[loser].request.mesh[0].address.bytes[3] = 9;
    joiners[loser].request.subnets[0].address.bytes[2] = 9;
    join_asker_expect(fixture, &joiners[loser], JOIN_OK, "welcome");
    (void)node_records_each(fixture->core.node, RECORD_CERTIFICATE, count_valid,
                            &n_valid);
    assert_int_equal(n_valid, 3);
}

static void a_lost_stream_loses_nothing(void **state)
{
    struct join_fixture *fixture = *state;
    struct join_heard *heard = calloc(1, sizeof(*heard));
    struct join_issuer *issuer = NULL;
    struct join_asker joiner;
    struct token token;

    join_fixture_token(fixture, 600, &token);
    joiner = join_asker_make(&token, 2);
    join_asker_pack(&joiner);
    assert_int_equal(
        join_issuer_new(&fixture->core, join_asker_on_frame, heard, &issuer),
        0);
    join_issuer_frame(issuer, joiner.frame, joiner.size);
    join_issuer_free(issuer); /* the joiner's connection broke */
    join_asker_expect(fixture, &joiner, JOIN_OK, "welcome");
    assert_int_equal(heard->n_frames, 0);
    join_asker_free(heard);
}

/* --- what the joiner believes --- */

static void refuse_result(struct join_heard *heard, const struct token *token,
                          const struct join_request *request,
                          const char *expected)
{
    char *error = NULL;

    assert_int_equal(join_verify(token, request, &heard->result, &error),
                     JOIN_E_FORGED);
    if (strstr(error, expected) == NULL) {
        print_error("expected: %s\ngot: %s\n", expected, error);
        fail();
    }
    free(error);
}

/* Keeps the records of one kind. */
static void result_keep(struct join_result *result, uint8_t kind)
{
    size_t kept = 0;
    size_t size = 0;

    for (size_t at = 0; at < result->records_size; at += size) {
        struct record record;

        assert_int_equal(record_peek_size(result->records + at,
                                          result->records_size - at, &size),
                         0);
        assert_int_equal(record_parse(result->records + at, size, &record), 0);
        if (record.kind == kind) {
            memmove(result->records + kept, result->records + at, size);
            kept += size;
        }
    }
    result->records_size = kept;
}

static void forged_answers_are_refused(void **state)
{
    struct join_fixture *fixture = *state;
    struct token token;
    struct token other;
    struct join_asker joiner;
    struct join_heard *heard;
    struct join_request request;

    join_fixture_token(fixture, 600, &token);
    joiner = join_asker_make(&token, 2);
    heard = join_asker_ask(fixture, &joiner);
    fill_result(heard);

    other = token;
    other.cluster_id[0] ^= 1;
    refuse_result(heard, &other, &joiner.request, "describes another cluster");
    other = token;
    other.issuer_sign[0] ^= 1;
    refuse_result(heard, &other, &joiner.request, "may not issue");
    request = joiner.request;
    request.sign_public[0] ^= 1;
    refuse_result(heard, &token, &request, "not for this host");
    heard->result.certificate[heard->result.certificate_size - 1] ^= 1;
    refuse_result(heard, &token, &joiner.request, "no certificate that verif");
    heard->result.certificate[heard->result.certificate_size - 1] ^= 1;
    /* Without the issuer's certificate nothing ties it to the genesis. */
    result_keep(&heard->result, RECORD_CHARTER);
    refuse_result(heard, &token, &joiner.request, "may not issue");
    heard->result.records_size = 0;
    refuse_result(heard, &token, &joiner.request, "no charter");
    join_asker_free(heard);
}

static void records_that_do_not_verify_are_taken_out(void **state)
{
    struct join_fixture *fixture = *state;
    struct join_result *result;
    struct token token;
    struct join_asker joiner;
    struct join_heard *heard;
    size_t before;
    char *error = NULL;

    join_fixture_token(fixture, 600, &token);
    joiner = join_asker_make(&token, 2);
    heard = join_asker_ask(fixture, &joiner);
    fill_result(heard);
    result = &heard->result;
    before = result->records_size;
    /* A second copy of all, with its last signature broken. */
    result->records = realloc(result->records, 2 * before);
    memcpy(result->records + before, result->records, before);
    result->records[2 * before - 1] ^= 1;
    result->records_size = 2 * before;
    assert_int_equal(join_verify(&token, &joiner.request, result, &error), 0);
    assert_int_equal(result->n_records, 7);
    join_asker_free(heard);
}

static void peers_are_resolved(void **state)
{
    struct endpoint endpoints[4];
    char text[ENDPOINT_TEXT_SIZE];
    char *error = NULL;

    (void)state;
    assert_int_equal(join_resolve("10.1.2.3", 7720, endpoints, 4, &error), 1);
    assert_string_equal(endpoint_text(&endpoints[0], text), "10.1.2.3:7720");
    assert_int_equal(join_resolve("[fd00::1]:99", 7720, endpoints, 4, &error),
                     1);
    assert_string_equal(endpoint_text(&endpoints[0], text), "[fd00::1]:99");
    assert_true(join_resolve("localhost:80", 7720, endpoints, 4, &error) >= 1);
    assert_int_equal(endpoints[0].port, 80);
    for (const char *const *bad =
             (const char *const[]){"", ":80", "10.1.2.3:0", "host:70000",
                                   "host:", "host:8o", NULL};
         *bad != NULL; bad++) {
        assert_int_equal(join_resolve(*bad, 7720, endpoints, 4, &error), 0);
        assert_non_null(strstr(error, "is not a peer"));
        free(error);
    }
}

#define JOIN_TEST(name)                                                        \
    cmocka_unit_test_setup_teardown(name, join_fixture_new, join_fixture_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_survives_packing),
        cmocka_unit_test(largest_request_fits),
        cmocka_unit_test(longest_request),
        cmocka_unit_test(changed_request_is_refused),
        cmocka_unit_test(answer_survives_packing),
        JOIN_TEST(a_join_gives_a_certificate_that_verifies),
        JOIN_TEST(tokens_admit_once),
        JOIN_TEST(same_key_gets_the_same_certificate_again),
        JOIN_TEST(bad_tokens_are_refused),
        JOIN_TEST(a_bound_token_is_for_one_host),
        JOIN_TEST(conflicts_are_named_and_keep_the_token),
        JOIN_TEST(an_ended_certificate_takes_no_name),
        JOIN_TEST(who_left_blocks_nothing),
        JOIN_TEST(malformed_requests_are_answered),
        JOIN_TEST(an_issuer_that_cannot_write_says_so),
        JOIN_TEST(of_two_at_once_one_is_admitted),
        JOIN_TEST(a_lost_stream_loses_nothing),
        JOIN_TEST(forged_answers_are_refused),
        JOIN_TEST(records_that_do_not_verify_are_taken_out),
        cmocka_unit_test(peers_are_resolved),
    };

    assert_true(sodium_init() >= 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
